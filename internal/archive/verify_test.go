// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

func newKey(tb testing.TB, name string) (note.Signer, note.Verifier) {
	tb.Helper()

	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		tb.Fatal(err)
	}

	signer, err := note.NewSigner(private)
	if err != nil {
		tb.Fatal(err)
	}

	verifier, err := note.NewVerifier(public)
	if err != nil {
		tb.Fatal(err)
	}

	return signer, verifier
}

// fixture is an archive with its cloud and its keys.
type fixture struct {
	w        *world
	store    *memory
	head     archive.Head
	signer   note.Signer
	verifier note.Verifier
}

// built is an archive of six segments, signed.
func built(tb testing.TB, format export.Format, compression export.Compression) fixture {
	tb.Helper()

	w := newWorld(tb, auditlog.ServiceUpCloud, 3)
	store := newMemory()
	signer, verifier := newKey(tb, "example.com/audit")

	var head archive.Head

	for range 6 {
		w.now = w.now.Add(24 * time.Hour)
		w.happen(4, w.now.Add(-time.Hour))

		o := w.options(store)
		o.Format, o.Compression, o.Signer, o.Verifier = format, compression, signer, verifier

		if head.Sequence == 0 {
			o.Verifier = nil
		}

		head = w.mustApply(o).Head
	}

	if head.Sequence != 6 {
		tb.Fatalf("the head is %d", head.Sequence)
	}

	return fixture{w, store, head, signer, verifier}
}

// TestVerifierCatchesEveryMutation changes an archive in every way, one at a time
// and over every file, and expects the file to be named.
func TestVerifierCatchesEveryMutation(t *testing.T) {
	t.Parallel()

	for _, as := range []struct {
		format      export.Format
		compression export.Compression
	}{{export.FormatNDJSON, export.CompressionNone}, {export.FormatNDJSON, export.CompressionGzip}, {export.FormatParquet, export.CompressionZstd}} {
		t.Run(fmt.Sprintf("%s.%s", as.format, as.compression), func(t *testing.T) {
			t.Parallel()

			f := built(t, as.format, as.compression)
			store, head, verifier := f.store, f.head, f.verifier
			options := archive.VerifyOptions{Verifier: verifier, Head: &head}

			if r := checkVerifies(t, store, options); !r.Valid || r.EntryCount != 24 || r.Segments != 6 || r.SignedBy != "example.com/audit" || r.Head != head {
				t.Fatalf("the report is %+v", r)
			}

			keys := slices.Sorted(maps.Keys(store.objects))
			if len(keys) != 13 {
				t.Fatalf("keys are %v", keys)
			}

			mutate := func(name, named string, do func(map[string][]byte)) {
				t.Helper()

				m := newMemory()
				m.objects = maps.Clone(store.objects)
				do(m.objects)

				report, err := archive.Verify(t.Context(), m, options)
				if err != nil {
					t.Errorf("%s: %v", name, err)

					return
				}

				if report.Valid || !slices.ContainsFunc(report.Problems, func(p archive.Problem) bool { return p.Key == named }) {
					t.Errorf("%s: %s is not named in %+v", name, named, report.Problems)
				}
			}

			for _, key := range keys {
				data := store.objects[key]

				for _, at := range []int{0, len(data) / 2, len(data) - 1} {
					for _, bit := range []byte{1, 0x20, 0x80} {
						mutate(fmt.Sprintf("flip %#x at %d of %s", bit, at, key), key, func(o map[string][]byte) {
							o[key] = slices.Clone(data)
							o[key][at] ^= bit
						})
					}
				}

				for _, length := range []int{0, 1, len(data) / 2, len(data) - 1} {
					mutate(fmt.Sprintf("cut %s to %d", key, length), key, func(o map[string][]byte) { o[key] = data[:length] })
				}

				mutate("extend "+key, key, func(o map[string][]byte) { o[key] = append(slices.Clone(data), '\n') })
				mutate("delete "+key, key, func(o map[string][]byte) { delete(o, key) })
				mutate("copy "+key, key+".bak", func(o map[string][]byte) { o[key+".bak"] = data })

				for _, other := range keys {
					if other > key {
						swapped := key
						if key == "checkpoint" {
							swapped = other
						}

						mutate("swap "+key+" and "+other, swapped, func(o map[string][]byte) { o[key], o[other] = o[other], o[key] })
						mutate("swap "+key+" and "+other, other, func(o map[string][]byte) { o[key], o[other] = o[other], o[key] })
					}
				}
			}

			for _, key := range []string{
				"entries/cloud=upcloud/date=2026-01-02/00000007-0123456789abcdef.ndjson", "manifests/00000099.json", "manifests/1.json",
				"claims/00000001.json", "claims/99999999.1.json", "README", "entries/x",
			} {
				mutate("add "+key, key, func(o map[string][]byte) { o[key] = []byte("{}") })
			}

			// Cutting off the tail shows by the checkpoint, and by the head that is
			// remembered elsewhere when the checkpoint is an old one.
			last := "manifests/00000006.json"
			mutate("cut the tail", last, func(o map[string][]byte) { cutTail(o, 6) })
		})
	}
}

func cutTail(objects map[string][]byte, sequence int) {
	for key := range objects {
		if strings.Contains(key, fmt.Sprintf("%08d", sequence)) {
			delete(objects, key)
		}
	}
}

// TestVerifierNamesTheFirstBadSegment although everything after it is fine.
func TestVerifierNamesTheFirstBadSegment(t *testing.T) {
	t.Parallel()

	f := built(t, export.FormatNDJSON, export.CompressionNone)
	store, head, verifier := f.store, f.head, f.verifier
	key := "manifests/00000003.json"
	store.objects[key] = bytes.Replace(store.objects[key], []byte(`"tool": "test"`), []byte(`"tool": "tset"`), 1)

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifier: verifier, Head: &head})
	if err != nil {
		t.Fatal(err)
	}

	want := archive.Problem{Finding: archive.FindingAltered, Key: key, Sequence: 3, Detail: "it is not what manifests/00000004.json says"}
	if len(report.Problems) != 1 || report.Problems[0] != want {
		t.Errorf("problems are %+v", report.Problems)
	}
}

// TestRollback: an older state of the whole archive, its signed checkpoint
// included, is caught by the head alone.
func TestRollback(t *testing.T) {
	t.Parallel()

	f := built(t, export.FormatNDJSON, export.CompressionZstd)
	w, store, head, signer, verifier := f.w, f.store, f.head, f.signer, f.verifier
	old := newMemory()
	old.objects = maps.Clone(store.objects)

	w.now = w.now.Add(24 * time.Hour)
	w.happen(4, w.now.Add(-time.Hour))

	o := w.options(store)
	o.Signer, o.Verifier = signer, verifier
	newer := w.mustApply(o).Head

	checkVerifies(t, old, archive.VerifyOptions{Verifier: verifier, Head: &head})

	report, err := archive.Verify(t.Context(), old, archive.VerifyOptions{Verifier: verifier, Head: &newer})
	if err != nil {
		t.Fatal(err)
	}

	if len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingTruncated || report.Problems[0].Sequence != 7 {
		t.Errorf("problems are %+v", report.Problems)
	}

	// Nothing is appended to it either.
	o = w.options(old)
	o.Signer, o.Verifier, o.Known = signer, verifier, &newer

	if _, err := w.apply(o); err == nil || !strings.Contains(err.Error(), "its last segment is 6, but segment 7 is remembered") {
		t.Errorf("got %v", err)
	}
}

// TestAnotherKey: an archive signed again by somebody else is refused by whoever
// knows the key, and whoever has another key writes nothing.
func TestAnotherKey(t *testing.T) {
	t.Parallel()

	f := built(t, export.FormatNDJSON, export.CompressionZstd)
	w, store, signer, verifier := f.w, f.store, f.signer, f.verifier
	forger, forged := newKey(t, "example.com/audit")
	before := maps.Clone(store.objects)

	w.happen(4, w.now.Add(-time.Minute))
	w.now = w.now.Add(time.Hour)

	o := w.options(store)
	o.Signer, o.Verifier = forger, forged

	if _, err := w.apply(o); err == nil || !strings.Contains(err.Error(), archive.ErrSignature.Error()) {
		t.Errorf("got %v", err)
	}

	// Nor is a signed archive continued without a signature.
	if _, err := w.apply(w.options(store)); !errors.Is(err, archive.ErrNoKey) || errors.Is(err, archive.ErrSignature) {
		t.Errorf("got %v", err)
	}

	if !maps.EqualFunc(before, store.objects, bytes.Equal) {
		t.Error("something was written")
	}

	text, _, _ := strings.Cut(string(store.objects["checkpoint"]), "\n\n")

	again, err := note.Sign(&note.Note{Text: text + "\n"}, forger)
	if err != nil {
		t.Fatal(err)
	}

	store.objects["checkpoint"] = again

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}

	if len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingSignature {
		t.Errorf("problems are %+v", report.Problems)
	}

	o = w.options(store)
	o.Signer, o.Verifier = signer, verifier

	if _, err := w.apply(o); err == nil {
		t.Error("an archive that somebody else signed is continued")
	}
}

// TestManifestsSpeakTheTruth: numbers that a chain carries are counted again.
func TestManifestsSpeakTheTruth(t *testing.T) {
	t.Parallel()

	f := built(t, export.FormatNDJSON, export.CompressionNone)
	store := f.store

	// Whoever holds no key but may write can rebuild an unsigned chain, but not
	// make segments say what they do not hold.
	key := "manifests/00000006.json"
	store.objects[key] = bytes.Replace(store.objects[key], []byte(`"entry_count": 4`), []byte(`"entry_count": 5`), 1)
	delete(store.objects, "checkpoint")

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}

	var findings []string
	for _, p := range report.Problems {
		findings = append(findings, string(p.Finding)+" "+p.Key)
	}

	if got := strings.Join(findings, ", "); !strings.Contains(got, "altered "+key) {
		t.Errorf("findings are %s", got)
	}
}

func TestVerifyAnEmptyPlace(t *testing.T) {
	t.Parallel()

	report, err := archive.Verify(t.Context(), newMemory(), archive.VerifyOptions{})
	if err != nil || report.Valid || report.Problems[0].Finding != archive.FindingMissing {
		t.Errorf("got %+v, %v", report, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	f := built(b, export.FormatNDJSON, export.CompressionZstd)
	store := f.store

	for b.Loop() {
		if r, err := archive.Verify(b.Context(), store, archive.VerifyOptions{}); err != nil || !r.Valid {
			b.Fatal(r, err)
		}
	}
}
