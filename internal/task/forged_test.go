// SPDX-License-Identifier: MPL-2.0

package task

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// forge rewrites an export so that all of its checksums agree.
func forge(t *testing.T, path string, manifest func(m map[string]any), data func(string) string) {
	t.Helper()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	text = []byte(data(string(text)))
	sum := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

	written, err := os.ReadFile(path + export.ManifestSuffix)
	if err != nil {
		t.Fatal(err)
	}

	var m map[string]any

	d := json.NewDecoder(bytes.NewReader(written))
	d.UseNumber()

	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}

	m["files"] = []any{map[string]any{"name": filepath.Base(path), "bytes": len(text), "sha256": sum(text)}}
	manifest(m)

	if written, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}

	sums := sum(text) + "  " + filepath.Base(path) + "\n" +
		sum(written) + "  " + filepath.Base(path) + export.ManifestSuffix + "\n"

	for suffix, b := range map[string][]byte{
		"": text, export.ManifestSuffix: written, export.ChecksumSuffix: []byte(sums),
	} {
		if err := os.WriteFile(path+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// statement changes what a manifest says of completeness.
func statement(key string, value any) func(map[string]any) {
	return func(m map[string]any) { m["completeness"].(map[string]any)[key] = value }
}

func key(key string, value any) func(map[string]any) {
	return func(m map[string]any) { m[key] = value }
}

// TestForgedManifests have checksums that agree, and say what no reading would have said.
func TestForgedManifests(t *testing.T) {
	t.Parallel()

	same := func(text string) string { return text }
	// The first entry is from 11:00, and the window begins at 10:00 on the same day.
	replaced := func(old, text string) func(string) string {
		return func(all string) string { return strings.Replace(all, old, text, 1) }
	}

	for name, tt := range map[string]struct {
		manifest func(map[string]any)
		data     func(string) string
		want     string
	}{
		"another version": {key("manifest_version", 2), same, "its version is 2"},
		"no time":         {key("exported_at", "yesterday"), same, "exported_at is no time"},
		"read too early":  {key("exported_at", "2020-01-01T00:00:00Z"), same, "ends after the export was made"},
		"another window": {
			statement("window_start", "2020-01-01T00:00:00.000000Z"), same, "window is not that of completeness",
		},
		"a claim":              {statement("claimed_total", 31), same, "fewer records were fetched"},
		"no claim":             {statement("claimed_total", nil), same, "fewer records were fetched"},
		"a proof of its own":   {statement("proof", "<script>"), same, "is no proof"},
		"an archive's proof":   {statement("proof", "chain_verified"), same, "the proof is chain_verified"},
		"negative retention":   {statement("retention_days", -1), same, "retention_days is -1"},
		"endless retention":    {statement("retention_days", 1<<40), same, "retention_days is"},
		"a made-up service":    {key("service", "<b>"), same, "the service is <b>, and the log that of upcloud"},
		"redaction of nothing": {key("redaction", map[string]any{"fields": "all"}), same, "redaction does not say of what"},
		"a time long ago": {
			func(map[string]any) {}, replaced("2026-03-10T11:00:00.000000Z", "0001-01-01T00:00:00.000000Z"),
			"entry 1 is from outside of the window",
		},
		"a time to come": {
			func(map[string]any) {}, replaced("2026-03-10T11:29:00.000000Z", "9999-12-31T23:59:59.000000Z"),
			"entry 30 is from outside of the window",
		},
		"an order": {
			func(map[string]any) {}, replaced("2026-03-10T11:29:00.000000Z", "2026-03-10T11:27:59.000000Z"),
			"entry 30 is older than the one before it",
		},
		"the first": {
			func(map[string]any) {}, replaced("2026-03-10T11:00:00.000000Z", "2026-03-10T10:59:00.000000Z"),
			"first_entry is not the first",
		},
		"the last": {
			func(map[string]any) {}, replaced("2026-03-10T11:29:00.000000Z", "2026-03-10T11:29:30.000000Z"),
			"last_entry is not the last",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			data := filepath.Join(t.TempDir(), "data")
			if written, found := reportOf(data, format.NDJSON, redaction(t, nil)).Run(t.Context(), secretive()); written == nil {
				t.Fatal(found)
			}

			forge(t, data, tt.manifest, tt.data)

			o := ReportOf{Path: data, InfoOf: source.InfoOf, Spec: export.Spec{Path: data + ".html"}, Now: reportNow}

			_, found := o.Run(t.Context())
			if len(found) != 1 || !strings.Contains(found[0].Detail(), tt.want) ||
				!strings.Contains(found[0].Detail(), "contradicts itself or the data") {
				t.Errorf("got %v", found)
			}

			if _, err := os.Stat(data + ".html"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestManifestBeforeTheRetention makes a page say what follows from a manifest that is silent about it.
func TestManifestBeforeTheRetention(t *testing.T) {
	t.Parallel()

	data := filepath.Join(t.TempDir(), "data")
	if written, found := reportOf(data, format.NDJSON, redaction(t, nil)).Run(t.Context(), secretive()); written == nil {
		t.Fatal(found)
	}

	same := func(text string) string { return text }

	forge(t, data, func(m map[string]any) {
		statement("window_start", "2020-01-01T00:00:00.000000Z")(m)
		m["window"].(map[string]any)["start"] = "2020-01-01T00:00:00.000000Z"
	}, same)

	spec := export.Spec{Path: data + ".html", Tool: "test/1"}
	o := ReportOf{Path: data, InfoOf: source.InfoOf, Spec: spec, Now: reportNow}
	if written, found := o.Run(t.Context()); written == nil || len(found) == 0 {
		t.Fatal(found)
	}

	if page := readFiles(t, data+".html"); !strings.Contains(page, "Something may be missing between 2020-01-01") {
		t.Error("the page says that nothing is missing")
	}
}
