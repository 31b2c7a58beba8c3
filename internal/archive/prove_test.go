// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// TestEveryEntryIsProven: each entry, of every format, by itself and with nothing at hand
// but the key; and no proof shows another entry.
func TestEveryEntryIsProven(t *testing.T) {
	t.Parallel()

	for _, kind := range []format.Format{format.NDJSON, format.Parquet} {
		w := newWorld(t, auditlog.ServiceUpCloud, 1)
		store := newMemory()
		signer, verifier := newKey(t, "example.com/audit")
		verifiers := []note.Verifier{verifier}

		for day := range 4 {
			w.now = w.now.Add(24 * time.Hour)
			w.happen(1+2*day, w.now.Add(-12*time.Hour))

			o := w.options(store)
			o.Format, o.Compression, o.Signer = kind, format.Uncompressed, signer
			w.mustApply(o)
		}

		all := archived(t, store)

		for id := range all {
			proof, err := archive.Prove(t.Context(), store, verifiers, id)
			if err != nil {
				t.Fatal(err)
			}

			p, err := archive.VerifyProof(proof, archive.VerifyOptions{Verifiers: verifiers})
			if err != nil || !strings.Contains(p.Entry, `"id":"`+id+`"`) || p.SignedBy != "example.com/audit" {
				t.Fatalf("%+v, %v", p, err)
			}

			_, rest, _ := strings.Cut(string(proof), "\nextra ")
			extra, _, _ := strings.Cut(rest, "\n")

			text, err := base64.StdEncoding.DecodeString(extra)
			if err != nil {
				t.Fatal(err)
			}

			for other := range all {
				if other != id && bytes.Contains(text, []byte(other)) {
					t.Errorf("the proof of %s shows %s", id, other)
				}
			}
		}

		if _, err := archive.Prove(t.Context(), store, verifiers, "no such entry"); !errors.Is(err, archive.ErrNoEntry) {
			t.Error(err)
		}
	}
}

// TestForgedProofs: nothing of a proof can be exchanged.
func TestForgedProofs(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	signer, verifier := newKey(t, "example.com/audit")
	verifiers := []note.Verifier{verifier}
	impostor, _ := newKey(t, "example.com/audit")

	build := func(signer note.Signer) *memory {
		store := newMemory()

		for range 3 {
			w.now = w.now.Add(24 * time.Hour)
			w.happen(5, w.now.Add(-12*time.Hour))

			o := w.options(store)
			o.Signer = signer
			w.mustApply(o)
		}

		return store
	}

	store, other := build(signer), build(signer)
	forged := build(impostor)

	prove := func(store *memory, verifiers []note.Verifier) (proof, id string) {
		for id := range archived(t, store) {
			proof, err := archive.Prove(t.Context(), store, verifiers, id)
			if err != nil {
				t.Fatal(err)
			}

			return string(proof), id
		}

		return "", ""
	}

	good, id := prove(store, verifiers)

	p, err := archive.VerifyProof([]byte(good), archive.VerifyOptions{Verifiers: verifiers})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := archive.VerifyProof([]byte(good), archive.VerifyOptions{Origin: p.Checkpoint.Origin}); err != nil {
		t.Error(err)
	}

	if _, err := archive.VerifyProof([]byte(good),
		archive.VerifyOptions{Verifiers: verifiers, Origin: "auditlogs.audit/upcloud/0000000000000000"}); !errors.Is(err,
		archive.ErrProof) {
		t.Errorf("another origin: %v", err)
	}

	_, checkpoint, _ := strings.Cut(good, "\n\n")
	elsewhere, _ := prove(other, verifiers)
	_, otherCheckpoint, _ := strings.Cut(elsewhere, "\n\n")
	unsigned, _, _ := strings.Cut(checkpoint, "\n\n")
	theirs, _ := prove(forged, nil)

	edit := func(change func(map[string]any)) string {
		head, rest, _ := strings.Cut(good, "\nextra ")
		extra, rest, _ := strings.Cut(rest, "\n")

		text, err := base64.StdEncoding.DecodeString(extra)
		if err != nil {
			t.Fatal(err)
		}

		var i map[string]any
		if err := json.Unmarshal(text, &i); err != nil {
			t.Fatal(err)
		}

		change(i)

		if text, err = json.Marshal(i); err != nil {
			t.Fatal(err)
		}

		return head + "\nextra " + base64.StdEncoding.EncodeToString(text) + "\n" + rest
	}

	for name, text := range map[string]string{
		"another log's checkpoint": strings.Replace(good, checkpoint, otherCheckpoint, 1),
		"a key of the same name":   theirs,
		"no signature":             strings.Replace(good, checkpoint, unsigned+"\n", 1),
		"another entry": edit(
			func(i map[string]any) { i["entry"] = strings.ReplaceAll(i["entry"].(string), id, "another") },
		),
		"another action": edit(func(i map[string]any) {
			i["entry"] = strings.Replace(i["entry"].(string), `"action":"`, `"action":"un`, 1)
		}),
		"another place":    edit(func(i map[string]any) { i["entry_index"] = i["entry_index"].(float64) + 1 }),
		"a huge place":     edit(func(i map[string]any) { i["entry_index"] = 1 << 62 }),
		"a negative place": edit(func(i map[string]any) { i["entry_index"] = -1 }),
		"a shorter path":   edit(func(i map[string]any) { i["entry_path"] = i["entry_path"].([]any)[1:] }),
		"a longer path": edit(
			func(i map[string]any) { i["entry_path"] = append(i["entry_path"].([]any), strings.Repeat("0", 64)) },
		),
		"no path":      edit(func(i map[string]any) { i["entry_path"] = nil }),
		"another salt": edit(func(i map[string]any) { i["salt"] = strings.Repeat("0", 64) }),
		"a longer salt": edit(func(i map[string]any) {
			i["salt"], i["entry"] = i["salt"].(string)+"7b",
				i["entry"].(string)[1:]
		}),
		"another manifest": edit(func(i map[string]any) {
			i["manifest"] = strings.Replace(i["manifest"].(string), "upcloud", "cloudscale", 1)
		}),
		"one key more":       edit(func(i map[string]any) { i["x"] = 1 }),
		"a shorter log path": cutLine(good, 3),
		"another index":      strings.Replace(good, "\nindex ", "\nindex 1", 1),
		"a huge index":       strings.Replace(good, "\nindex ", "\nindex 922337203685477580", 1),
		"no index":           cutLine(good, 2),
		"no entry":           cutLine(good, 1),
		"no checkpoint":      strings.TrimSuffix(good, checkpoint),
		"cut":                good[:len(good)/2],
		"nothing":            "",
	} {
		if p, err := archive.VerifyProof([]byte(text), archive.VerifyOptions{Verifiers: verifiers}); err == nil {
			t.Errorf("%s: %+v", name, p)
		} else if !errors.Is(err, archive.ErrNoProof) && !errors.Is(err, archive.ErrProof) &&
			!errors.Is(err, archive.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func cutLine(text string, n int) string {
	lines := strings.Split(text, "\n")

	return strings.Join(append(lines[:n:n], lines[n+1:]...), "\n")
}

// FuzzVerifyProof: no text makes it panic, and none is a proof that was not made.
func FuzzVerifyProof(f *testing.F) {
	w := newWorld(f, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	signer, verifier := newKey(f, "example.com/audit")
	verifiers := []note.Verifier{verifier}

	w.happen(3, begin.Add(-time.Hour))

	o := w.options(store)
	o.Signer = signer
	w.mustApply(o)

	proof, err := archive.Prove(f.Context(), store, verifiers, fmt.Sprintf("01HQXYZ%019d", 2))
	if err != nil {
		f.Fatal(err)
	}

	want, err := archive.VerifyProof(proof, archive.VerifyOptions{Verifiers: verifiers})
	if err != nil {
		f.Fatal(err)
	}

	f.Add(string(proof))
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := archive.VerifyProof([]byte(text), archive.VerifyOptions{Verifiers: verifiers}); err == nil &&
			p.Entry != want.Entry {
			t.Errorf("%q proves %s", text, p.Entry)
		}
	})
}

// TestProofsOfImpossibleManifests: anybody can make a proof that nobody has signed. Its manifest is held to what those
// of an archive are, and verifying it ends, however many entries it counts.
func TestProofsOfImpossibleManifests(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.now = w.now.Add(24 * time.Hour)
	w.happen(5, w.now.Add(-12*time.Hour))
	w.mustApply(w.options(store))

	for _, change := range []func(*archive.Manifest){
		func(m *archive.Manifest) { m.Segment.EntryCount = 1<<62 + 1 },
		func(m *archive.Manifest) { m.Segment.EntryCount = math.MaxInt64 },
		func(m *archive.Manifest) { m.Segment.EntryCount = -1 },
		func(m *archive.Manifest) { m.Segment.Key = "entries/cloud=upcloud/date=2026-01-01/00000002-0.ndjson" },
		func(m *archive.Manifest) { m.Service = auditlog.ServiceCloudscale },
	} {
		for id := range archived(t, store) {
			proof, err := archive.Prove(t.Context(), store, nil, id)
			if err != nil {
				t.Fatal(err)
			}

			head, point, _ := strings.Cut(string(proof), "\n\n")
			lines, of := strings.Split(head, "\n"), strings.Split(point, "\n")
			extra, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))

			var (
				inside map[string]any
				m      archive.Manifest
			)

			if err := errors.Join(json.Unmarshal(extra, &inside),
				json.Unmarshal([]byte(inside["manifest"].(string)), &m)); err != nil {
				t.Fatal(err)
			}

			change(&m)

			manifest, errManifest := json.Marshal(m)
			inside["manifest"] = string(manifest)
			extra, err = json.Marshal(inside)

			if err := errors.Join(errManifest, err); err != nil {
				t.Fatal(err)
			}

			lines[1] = "extra " + base64.StdEncoding.EncodeToString(extra)
			of[2] = tlog.RecordHash(manifest).String()

			if _, err := archive.VerifyProof([]byte(strings.Join(lines, "\n")+"\n\n"+strings.Join(of, "\n")),
				archive.VerifyOptions{}); !errors.Is(err, archive.ErrProof) {
				t.Errorf("%+v: the error is %v", m.Segment, err)
			}

			break
		}
	}
}
