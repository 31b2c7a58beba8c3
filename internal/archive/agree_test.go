// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// supplemented is an archive whose manifest of a number names another supplement.
func supplemented(t *testing.T, store *memory, text string, change func(*archive.Manifest)) *memory {
	t.Helper()

	const sequence = 6

	key := "supplements/00000006-" + hash([]byte(text))[:16] + ".json"
	other := forged(t, store, sequence, func(m *archive.Manifest) {
		m.Supplement = archive.Object{Key: key, Bytes: int64(len(text)), SHA256: hash([]byte(text))}

		change(m)
	})
	delete(other.objects, store.keyOf(t, "supplements/", sequence))
	other.objects[key] = []byte(text)

	return other
}

// TestAllHoldToTheSameRules: whoever reads of an archive what is not as it has to be
// refuses it, be it to verify it, to read it back, to prove an entry or to go on with it.
func TestAllHoldToTheSameRules(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	f.w.now = f.w.now.Add(time.Hour)

	unchanged := func(*archive.Manifest) {}
	withoutSegment := func(m *archive.Manifest) { m.Segment, m.TotalCount = nil, m.TotalCount-4 }

	for name, tt := range map[string]struct {
		store *memory
		key   string
		// unread says who has no need of what is wrong.
		unread string
	}{
		"nothing":             {forged(t, f.store, 6, unchanged), "", "read, prove, append"},
		"an earlier begin":    {forged(t, f.store, 6, func(m *archive.Manifest) { m.Segment.From = m.Segment.From.Add(-time.Minute) }), "entries/", ""},
		"a later end":         {forged(t, f.store, 6, func(m *archive.Manifest) { m.Segment.Until = m.Segment.Until.Add(time.Minute) }), "entries/", ""},
		"parts of minutes":    {forged(t, f.store, 6, func(m *archive.Manifest) { m.Segment.Until = m.Segment.Until.Add(time.Second) }), "entries/", ""},
		"fewer entries":       {forged(t, f.store, 6, func(m *archive.Manifest) { m.Segment.EntryCount--; m.TotalCount-- }), "entries/", ""},
		"a foreign segment":   {forged(t, f.store, 6, func(m *archive.Manifest) { m.Segment.Key = strings.Replace(m.Segment.Key, "/00000006", "/00000005", 1) }), "manifests/", ""},
		"another total":       {forged(t, f.store, 6, func(m *archive.Manifest) { m.TotalCount++ }), "manifests/", "append"},
		"no secret":           {supplemented(t, f.store, `{"secret":null}`, unchanged), "supplements/", "read, append"},
		"a short secret":      {supplemented(t, f.store, `{"secret":"AAAA"}`, unchanged), "supplements/", "read, append"},
		"no supplement":       {supplemented(t, f.store, `[]`, unchanged), "supplements/", "read, append"},
		"one of no segment":   {supplemented(t, f.store, `[]`, withoutSegment), "supplements/", "read, prove, append"},
		"more in a bundle":    {f.store.copied(), "tile/entries/", ""},
		"nothing in a bundle": {f.store.copied(), "tile/entries/", ""},
	} {
		const bundle = "tile/entries/000.p/6"

		switch name {
		case "more in a bundle":
			tt.store.objects[bundle] = slices.Concat(tt.store.objects[bundle], binary.BigEndian.AppendUint16(nil, 2),
				[]byte("{}"))
		case "nothing in a bundle":
			tt.store.objects[bundle] = nil
		}

		report, err := archive.Verify(t.Context(), tt.store, archive.VerifyOptions{})
		if err != nil || report.Valid != (tt.key == "") || !report.Valid &&
			!strings.HasPrefix(report.Problems[0].Key, tt.key) {
			t.Errorf("verify, %s: %+v, %v", name, report, err)
		}

		for who, try := range map[string]func() error{
			"read": func() error {
				r, err := archive.OpenReader(t.Context(), tt.store, archive.ReaderOptions{InfoOf: infoOf(f.w.service.Info())})
				if err == nil {
					var c auditlog.Completeness
					_, err = collect(r.Read(t.Context(), auditlog.Query{Window: auditlog.Window{Start: begin, End: f.w.now}}, &c))
				}

				return err
			},
			"prove": func() error {
				if _, err := archive.Prove(t.Context(), tt.store, nil, "no such entry"); !errors.Is(err, archive.ErrNoEntry) {
					return err
				}

				return nil
			},
			"append": func() error {
				o := f.w.options(tt.store.copied())
				o.Overlap = 48 * time.Hour
				o.Signer = f.signer
				_, err := f.w.apply(o)

				return err
			},
		} {
			if err := try(); strings.Contains(tt.unread, who) != (err == nil) || err != nil &&
				!errors.Is(err, archive.ErrBroken) {
				t.Errorf("%s, %s: %v", who, name, err)
			}
		}
	}
}

// TestAnAlteredUnsignedCheckpoint is named beside the manifest that does not lead to it:
// without a key nobody can tell which of them was altered.
func TestAnAlteredUnsignedCheckpoint(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	store := forged(t, f.store, 6, func(*archive.Manifest) {})
	other := forged(t, f.store, 3, func(m *archive.Manifest) { m.Tool = "another" })
	store.objects["checkpoints/00000003"] = other.objects["checkpoints/00000003"]

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}

	for _, key := range []string{"manifests/00000003-", "checkpoints/00000003"} {
		if !slices.ContainsFunc(report.Problems, func(p archive.Problem) bool { return p.Key == key && p.Sequence == 3 }) {
			t.Errorf("%s is not named in %+v", key, report.Problems)
		}
	}
}

// TestOldTilesThatAreMissing are not what a run has left that did not finish: the next one
// does not write them.
func TestOldTilesThatAreMissing(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	manifests := manifestsOf(t, f.store)

	var last archive.Manifest
	if err := json.Unmarshal(manifests[5], &last); err != nil {
		t.Fatal(err)
	}

	for last.Segment = nil; len(manifests) < 258; {
		last.Sequence++
		last.Previous = hash(manifests[len(manifests)-1])
		last.Supplement.Key = strings.Replace(last.Supplement.Key, "00000006", "00000007", 1)

		text, err := json.Marshal(last)
		if err != nil {
			t.Fatal(err)
		}

		manifests = append(manifests, bytes.TrimSpace(text))
	}

	store := rebuilt(t, f.store, manifests, nil)
	delete(store.objects, "tile/1/000.p/1")
	delete(store.objects, "tile/0/001.p/2")

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}

	for key, want := range map[string]archive.Finding{
		"tile/1/000.p/1": archive.FindingMissing,
		"tile/0/001.p/2": archive.FindingUnfinished,
	} {
		if !slices.ContainsFunc(report.Problems, func(p archive.Problem) bool { return p.Key == key && p.Finding == want }) {
			t.Errorf("%s is not %s", key, want)
		}
	}
}

// scripted is a log that says what it is told to, whatever the window.
type scripted struct {
	endless

	entries []auditlog.Entry
}

func (s *scripted) Read(
	_ context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)

	return func(yield func(auditlog.Entry, error) bool) {
		for _, e := range s.entries {
			if !yield(e, nil) {
				return
			}
		}

		c.RowsFetched, c.Proof = int64(len(s.entries)), auditlog.ProofTotal
	}
}

// TestTwoEntriesOfOneID: which of them is true is not for a reader to say, and nobody takes such an archive for a good
// one. Copies of an entry are none of that.
func TestTwoEntriesOfOneID(t *testing.T) {
	t.Parallel()

	entry := auditlog.Entry{
		ID: "01HQXYZ", Time: begin.Add(-5 * 24 * time.Hour), Service: auditlog.ServiceUpCloud,
		Action: "update", Operation: auditlog.OperationUpdate, Actor: "joe", Raw: json.RawMessage(`{"a":1}`),
	}
	other := entry
	other.ID = "01HQXYY"
	copied := entry
	copied.Account, copied.Raw = "joe", json.RawMessage(`{"a": 1}`)
	changed, changedRaw := entry, entry
	changed.Actor, changedRaw.Raw = "jim", json.RawMessage(`{"a":2}`)
	changedValue := entry
	changedValue.Changes = []auditlog.Change{{Field: "plan"}}

	for name, tt := range map[string]struct {
		second auditlog.Entry
		valid  bool
	}{
		"another id": {other, true}, "a copy": {copied, true},
		"another actor": {changed, false}, "another record": {changedRaw, false}, "another change": {changedValue, false},
	} {
		store := newMemory()

		for i, e := range []auditlog.Entry{entry, tt.second} {
			a, err := archive.Open(t.Context(), archive.Options{
				Store: store, Service: &scripted{entries: []auditlog.Entry{e}}, Format: format.NDJSON,
				Start: begin.AddDate(0, 0, -9), Clock: func() time.Time { return begin.AddDate(0, 0, 3*i) }, Tool: "test",
			})
			if err != nil {
				t.Fatal(err)
			}

			if r, err := a.Append(t.Context()); err != nil || r.Added != 1 {
				t.Fatalf("%d added, %v", r.Added, err)
			}
		}

		var c auditlog.Completeness

		all := auditlog.Query{Window: auditlog.Window{Start: begin.AddDate(0, 0, -9), End: begin}}

		_, err := collect(openReader(t, store, (&endless{}).Info()).Read(t.Context(), all, &c))
		if tt.valid != (err == nil) || err != nil && !errors.Is(err, archive.ErrBroken) {
			t.Errorf("%s: read, %v", name, err)
		}

		report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}

		want := archive.Problem{
			Finding: archive.FindingAltered, Key: store.keyOf(t, "entries/", 2), Sequence: 2,
			Detail: "it holds an entry that differs from the one of the same id",
		}
		if report.Valid != tt.valid || !tt.valid && !slices.Equal(report.Problems, []archive.Problem{want}) {
			t.Errorf("%s: %+v", name, report.Problems)
		}
	}
}
