// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func idOf(t *testing.T, f *auditlog.Fingerprints, record string, at time.Time) string {
	t.Helper()

	id, err := f.ID(json.RawMessage(record), at)
	if err != nil {
		t.Fatal(err)
	}

	return id
}

func TestFingerprintsAreStable(t *testing.T) {
	t.Parallel()

	// Ids are in users' archives: this value may never change.
	const want = "ZY6JXYD27KMCHPOEFAM3OMPRS3"

	f := auditlog.NewFingerprints("cloudscale")
	if got := idOf(t, f, `{"b":1.0,"a":"<x>"}`, epoch); got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	if got := idOf(t, auditlog.NewFingerprints("cloudscale"), ` { "a" : "<x>", "b":1.0 }`, epoch); got != want {
		t.Errorf("another order of keys gives %s", got)
	}

	if !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(want) {
		t.Error("not 26 characters of base32")
	}
}

func TestFingerprintsTellTwinsApart(t *testing.T) {
	t.Parallel()

	f := auditlog.NewFingerprints("cloudscale")
	seen := map[string]bool{}

	for _, record := range []string{`{"a":1}`, `{"a":1}`, `{"a":2}`, `{"a": 1}`} {
		seen[idOf(t, f, record, epoch)] = true
	}

	seen[idOf(t, auditlog.NewFingerprints("other"), `{"a":1}`, epoch)] = true

	if len(seen) != 5 {
		t.Errorf("5 records have %d ids", len(seen))
	}
}

func TestFingerprintsStayFlat(t *testing.T) {
	t.Parallel()

	f := auditlog.NewFingerprints("cloudscale")

	// A twin is still known after a long time of the log, if nothing is newer.
	first := idOf(t, f, `{"twin":true}`, epoch)
	for i := range 10_000 {
		idOf(t, f, fmt.Sprintf(`{"i":%d}`, i), epoch.Add(time.Duration(i)*5*time.Millisecond))
	}

	if idOf(t, f, `{"twin":true}`, epoch) == first {
		t.Error("a twin that came 50 s later in the log got the same id")
	}

	for i := range 20_000 {
		idOf(t, f, fmt.Sprintf(`{"i":%d}`, i), epoch.Add(time.Duration(i)*time.Minute))
	}

	if n := f.Remembered(); n > 100 {
		t.Errorf("%d records are remembered after 20,000 minutes", n)
	}
}

func TestFingerprintsContinue(t *testing.T) {
	t.Parallel()

	records := []string{`{"a":1}`, `{"a":1}`, `{"b":1}`, `{"a":1}`, `{"b":1}`, `{"c":1}`, `{"a":1}`}
	whole := auditlog.NewFingerprints("s")

	var want []string
	for _, r := range records {
		want = append(want, idOf(t, whole, r, epoch))
	}

	for cut := range records {
		first := auditlog.NewFingerprints("s")
		for i, r := range records[:cut] {
			if id := idOf(t, first, r, epoch); id != want[i] {
				t.Fatalf("record %d is %s", i, id)
			}
		}

		second := auditlog.NewFingerprints("s")
		second.Continue(first.Ordinals(), epoch)
		for i, r := range records[cut:] {
			if id := idOf(t, second, r, epoch); id != want[cut+i] {
				t.Errorf("cut at %d: record %d is another", cut, cut+i)
			}
		}
	}
}
