// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
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
func built(tb testing.TB, kind format.Format, compression format.Compression) fixture {
	tb.Helper()

	w := newWorld(tb, auditlog.ServiceUpCloud, 3)
	store := newMemory()
	signer, verifier := newKey(tb, "example.com/audit")

	var head archive.Head

	for range 6 {
		w.now = w.now.Add(24 * time.Hour)
		w.happen(4, w.now.Add(-time.Hour))

		o := w.options(store)
		o.Format, o.Compression, o.Signer, o.Verifiers = kind, compression, signer, []note.Verifier{verifier}

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
		format      format.Format
		compression format.Compression
	}{{format.NDJSON, format.Uncompressed}, {format.NDJSON, format.Gzip}, {format.Parquet, format.Zstd}} {
		t.Run(fmt.Sprintf("%s.%s", as.format, as.compression), func(t *testing.T) {
			t.Parallel()

			if raceflag.Enabled {
				t.Skip("the race detector makes it take minutes; make simulate runs this")
			}

			f := built(t, as.format, as.compression)
			store, head, verifier := f.store, f.head, f.verifier
			options := archive.VerifyOptions{Verifiers: []note.Verifier{verifier}, Head: &head}

			if r := checkVerifies(t, store, options); !r.Valid || r.EntryCount != 24 || r.Segments != 6 ||
				r.SignedBy != "example.com/audit" || r.Head != head {
				t.Fatalf("the report is %+v", r)
			}

			keys := slices.Sorted(maps.Keys(store.objects))
			// Six manifests with what they name, a checkpoint of each size and a copy, the
			// tile and the bundle of the last two sizes, and the text for people.
			if len(keys) != 3*6+7+1+2*2+1 {
				t.Fatalf("keys are %v", keys)
			}

			mutate := func(name string, do func(map[string][]byte), named ...string) {
				t.Helper()

				m := newMemory()
				m.objects = maps.Clone(store.objects)
				do(m.objects)

				report, err := archive.Verify(t.Context(), m, options)
				if err != nil {
					t.Errorf("%s: %v", name, err)

					return
				}

				for _, key := range named {
					if report.Valid || !slices.ContainsFunc(report.Problems, func(p archive.Problem) bool { return p.Key == key }) {
						t.Errorf("%s: %s is not named in %+v", name, key, report.Problems)
					}
				}
			}

			for _, key := range keys {
				data := store.objects[key]

				for _, at := range []int{0, len(data) / 2, len(data) - 1} {
					for _, bit := range []byte{1, 0x20, 0x80} {
						mutate(fmt.Sprintf("flip %#x at %d of %s", bit, at, key), func(o map[string][]byte) {
							o[key] = slices.Clone(data)
							o[key][at] ^= bit
						}, key)
					}
				}

				for _, length := range []int{0, 1, len(data) / 2, len(data) - 1} {
					mutate(fmt.Sprintf("cut %s to %d", key, length), func(o map[string][]byte) { o[key] = data[:length] }, key)
				}

				mutate("extend "+key, func(o map[string][]byte) { o[key] = append(slices.Clone(data), '\n') }, key)

				// The tiles of the size before are there for those who are still reading.
				if !strings.HasSuffix(key, ".p/5") {
					mutate("delete "+key, func(o map[string][]byte) { delete(o, key) }, key)
				}

				mutate("copy "+key, func(o map[string][]byte) { o[key+".bak"] = data }, key+".bak")

				for _, other := range keys {
					if other > key && !bytes.Equal(data, store.objects[other]) {
						swapped := key
						if key == "checkpoint" {
							swapped = other
						}

						mutate("swap "+key+" and "+other, func(o map[string][]byte) { o[key], o[other] = o[other], o[key] }, swapped,
							other)
					}
				}
			}

			for _, key := range []string{
				"entries/cloud=upcloud/date=2026-01-02/00000007-0123456789abcdef.ndjson",
				"entries/cloud=upcloud/date=2026-01-02/00000006-0123456789abcdef.ndjson",
				"manifests/00000007-0123456789abcdef.json", "manifests/00000006-0123456789abcdef.json",
				"manifests/00000099-0123456789abcdef.json",
				"manifests/00000001.json", "manifests/1.json", "supplements/00000006-0123456789abcdef.json", "supplements/x",
				"claims/00000001.json", "claims/00000001.1.json", "claims/99999999.1.json", "README", "entries/x",
				".x.audit-part-0123456789abcdef", "entries/.x.audit-part-0123456789abcdef", "tile/x", "tile/0/000.p/4",
				"tile/0/000.p/7", "tile/0/000", "tile/0/001", "tile/1/000.p/1",
				"tile/9/000.p/6", "tile/entries/000.p/4", "tile/entries/000.p/7", "tile/entries/001.p/1", "tile/data/000.p/6",
				"tile/8/0/000.p/6",
				"checkpoints/7", "checkpoints/00000007", "checkpoints/00000009", "checkpoints/99999999", "checkpoints/100000000",
				"checkpoints/9223372036854775807",
				"checkpoints/-0000001", "checkpoints/00000006.json", "checkpoint.old",
			} {
				mutate("add "+key, func(o map[string][]byte) { o[key] = []byte("{}") }, key)
			}

			// Cutting off the tail shows by the checkpoint, and by the head that is
			// remembered elsewhere when the checkpoint is an old one.
			mutate("cut the tail", func(o map[string][]byte) { cutTail(o, 6) }, "checkpoints/00000006")
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

	f := built(t, format.NDJSON, format.Uncompressed)
	store, head, verifier := f.store, f.head, f.verifier
	key := store.keyOf(t, "manifests/", 3)
	store.objects[key] = bytes.Replace(store.objects[key], []byte(`"tool": "test"`), []byte(`"tool": "tset"`), 1)

	report, err := archive.Verify(t.Context(), store,
		archive.VerifyOptions{Verifiers: []note.Verifier{verifier}, Head: &head})
	if err != nil {
		t.Fatal(err)
	}

	want := archive.Problem{
		Finding: archive.FindingAltered, Key: key, Sequence: 3,
		Detail: "it is not the manifest of the log",
	}
	if len(report.Problems) != 1 || report.Problems[0] != want {
		t.Errorf("problems are %+v", report.Problems)
	}
}

// TestRollback: an older state of the whole archive, its signed checkpoint
// included, is caught by the head alone.
func TestRollback(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Zstd)
	w, store, head, signer, verifier := f.w, f.store, f.head, f.signer, f.verifier
	old := newMemory()
	old.objects = maps.Clone(store.objects)

	w.now = w.now.Add(24 * time.Hour)
	w.happen(4, w.now.Add(-time.Hour))

	o := w.options(store)
	o.Signer, o.Verifiers = signer, []note.Verifier{verifier}
	r := w.mustApply(o)
	newer, since := r.Head, remembered(t, r)

	checkVerifies(t, old, archive.VerifyOptions{Verifiers: []note.Verifier{verifier}, Head: &head})

	for _, o := range []archive.VerifyOptions{{Head: &newer}, {Since: since}} {
		o.Verifiers = []note.Verifier{verifier}

		report, err := archive.Verify(t.Context(), old, o)
		if err != nil {
			t.Fatal(err)
		}

		if len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingTruncated ||
			report.Problems[0].Sequence != 7 {
			t.Errorf("problems are %+v", report.Problems)
		}
	}

	// Nothing is appended to it either.
	o = w.options(old)
	o.Signer, o.Verifiers, o.Known = signer, []note.Verifier{verifier}, since

	if _, err := w.apply(o); err == nil ||
		!strings.Contains(err.Error(), "it was rolled back: its log has 6 manifests, and 7 are remembered") {
		t.Errorf("got %v", err)
	}
}

// TestAnotherKey: an archive signed again by somebody else is refused by whoever
// knows the key, and whoever has another key writes nothing.
func TestAnotherKey(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Zstd)
	w, store, signer, verifier := f.w, f.store, f.signer, f.verifier
	forger, forged := newKey(t, "example.com/audit")
	before := maps.Clone(store.objects)

	w.happen(4, w.now.Add(-time.Minute))
	w.now = w.now.Add(time.Hour)

	o := w.options(store)
	o.Signer, o.Verifiers = forger, []note.Verifier{forged}

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

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: []note.Verifier{verifier}})
	if err != nil {
		t.Fatal(err)
	}

	if len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingSignature {
		t.Errorf("problems are %+v", report.Problems)
	}

	o = w.options(store)
	o.Signer, o.Verifiers = signer, []note.Verifier{verifier}

	if _, err := w.apply(o); err == nil {
		t.Error("an archive that somebody else signed is continued")
	}
}

// TestManifestsSpeakTheTruth: numbers that a chain carries are counted again.
func TestManifestsSpeakTheTruth(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	store := f.store

	// Whoever holds no key but may write can rebuild an unsigned log, but not make
	// segments say what they do not hold.
	for name, tt := range map[string]struct {
		change func(*archive.Manifest)
		key    string
	}{
		"more entries":  {func(m *archive.Manifest) { m.Segment.EntryCount++; m.TotalCount++ }, store.keyOf(t, "entries/", 6)},
		"fewer entries": {func(m *archive.Manifest) { m.Segment.EntryCount--; m.TotalCount-- }, store.keyOf(t, "entries/", 6)},
		"another root":  {func(m *archive.Manifest) { m.Segment.EntriesRoot = strings.Repeat("0", 64) }, store.keyOf(t, "entries/", 6)},
		"other times": {func(m *archive.Manifest) {
			m.Segment.Until = m.Segment.Until.Add(-time.Minute)
			m.Segment.From = m.Segment.From.Add(-time.Minute)
		}, store.keyOf(t, "entries/", 6)},
		"another length": {func(m *archive.Manifest) { m.Segment.Bytes++ }, store.keyOf(t, "entries/", 6)},
		"another secret": {
			func(m *archive.Manifest) { m.Supplement.SHA256 = strings.Repeat("0", 64) },
			store.keyOf(t, "supplements/", 6),
		},
	} {
		report, err := archive.Verify(t.Context(), forged(t, store, 6, tt.change), archive.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}

		if len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingAltered ||
			report.Problems[0].Key != tt.key {
			t.Errorf("%s: problems are %+v", name, report.Problems)
		}
	}
}

// TestNoOtherFilesBesideTheLog: a manifest makes no other file a part of the archive.
func TestNoOtherFilesBesideTheLog(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	store := forged(t, f.store, 1, func(m *archive.Manifest) {
		m.Files = append(m.Files, archive.Object{Key: "audit.pub", Bytes: 1, SHA256: hash([]byte("x"))})
	})
	store.objects["audit.pub"] = []byte("x")

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
	if err != nil || report.Valid || report.Problems[0].Finding != archive.FindingAltered ||
		report.Problems[0].Key != store.keyOf(t, "manifests/", 1) {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestVerifyAnEmptyPlace(t *testing.T) {
	t.Parallel()

	report, err := archive.Verify(t.Context(), newMemory(), archive.VerifyOptions{})
	if err != nil || report.Valid || report.Problems[0].Finding != archive.FindingMissing {
		t.Errorf("got %+v, %v", report, err)
	}
}

// judged is what those who know the key make of an archive that somebody else changed.
type judged struct {
	read, append error
	head         archive.Head
	report       *archive.Report
}

// judge reads, verifies and continues a copy of an archive. Nothing may be written to
// one that is refused.
func (f fixture) judge(tb testing.TB, store *memory, known *archive.Checkpoint, verifiers ...note.Verifier) judged {
	tb.Helper()

	var j judged

	r, err := archive.OpenReader(tb.Context(), store,
		archive.ReaderOptions{Verifiers: verifiers, InfoOf: infoOf(f.w.service.Info())})
	if j.read = err; err == nil {
		j.head = r.Head()

		var c auditlog.Completeness
		_, j.read = collect(r.Read(tb.Context(), auditlog.Query{Window: auditlog.Window{Start: begin, End: f.w.now}}, &c))
	}

	if j.report, err = archive.Verify(tb.Context(), store,
		archive.VerifyOptions{Verifiers: verifiers, Since: known}); err != nil {
		tb.Fatal(err)
	}

	if len(j.report.Problems) > 50 {
		tb.Errorf("there are %d problems", len(j.report.Problems))
	}

	before := maps.Clone(store.objects)
	o := f.w.options(store)
	o.Verifiers, o.Known = verifiers, known

	if len(verifiers) > 0 {
		o.Signer = f.signer
	}

	if _, j.append = f.w.apply(o); j.append != nil && !maps.EqualFunc(before, store.objects, bytes.Equal) {
		tb.Error("something was written")
	}

	return j
}

// finds says whether there is such a problem.
func (j judged) finds(finding archive.Finding, key string) bool {
	return slices.ContainsFunc(j.report.Problems,
		func(p archive.Problem) bool { return p.Finding == finding && p.Key == key })
}

// longer is an archive with one manifest more, which says what somebody likes, under
// checkpoints that are signed by whoever it is.
func (f fixture) longer(tb testing.TB, signer note.Signer) *memory {
	tb.Helper()

	manifests := manifestsOf(tb, f.store)

	var m archive.Manifest
	if err := json.Unmarshal(manifests[5], &m); err != nil {
		tb.Fatal(err)
	}

	// It says that nothing has happened for days.
	m.Sequence, m.Previous, m.Segment = 7, hash(manifests[5]), nil
	m.CoveredUntil, m.ReadUntil = m.CoveredUntil.AddDate(0, 0, 3), m.ReadUntil.AddDate(0, 0, 3)
	m.Supplement.Key = "supplements/00000007-" + m.Supplement.SHA256[:16] + ".json"

	text, err := json.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}

	other := rebuilt(tb, f.store, append(manifests, text), signer)
	other.objects[m.Supplement.Key] = f.store.objects[f.store.keyOf(tb, "supplements/", 6)]

	return other
}

// impostor is a key whose name and number are those of another one, as they stand before
// its signatures.
type impostor struct {
	note.Signer

	of note.Verifier
}

func (i impostor) Name() string    { return i.of.Name() }
func (i impostor) KeyHash() uint32 { return i.of.KeyHash() }

// TestNothingIsAddedWithoutTheKey: whoever may write can put a manifest behind the newest
// checkpoint, with tiles and a checkpoint that agree. With the key it is refused.
func TestNothingIsAddedWithoutTheKey(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	f.w.happen(4, f.w.now.Add(-time.Second))
	f.w.now = f.w.now.Add(time.Hour)

	stranger, _ := newKey(t, "example.com/other")
	namesake, _ := newKey(t, "example.com/audit")

	for name, signer := range map[string]note.Signer{
		"nobody": nil, "another key": stranger, "a key of the same name": namesake,
		"a key of the same name and number": impostor{stranger, f.verifier},
	} {
		longer := f.longer(t, signer)

		// All that is there is as it was; only what is new has come.
		added := f.store.copied()
		for key, data := range longer.objects {
			if added.objects[key] == nil {
				added.objects[key] = data
			}
		}

		j := f.judge(t, added, nil, f.verifier)
		if !errors.Is(j.read, archive.ErrSignature) || !errors.Is(j.append, archive.ErrSignature) {
			t.Errorf("%s: %v, %v", name, j.read, j.append)
		}

		// The report is of what the key has signed, and the rest is named.
		if !j.finds(archive.FindingSignature, "checkpoints/00000007") || j.report.Head != f.head ||
			j.report.SignedBy != "example.com/audit" ||
			j.report.Checkpoint != string(f.store.objects["checkpoint"]) || j.report.Manifests != 6 ||
			len(j.report.Problems) < 4 {
			t.Errorf("%s: got %+v", name, j.report)
		}

		// Nor does it help to name it in the copy.
		added.objects["checkpoint"] = added.objects["checkpoints/00000007"]

		j = f.judge(t, added, nil, f.verifier)
		if !errors.Is(j.read, archive.ErrSignature) || !errors.Is(j.append, archive.ErrSignature) ||
			!j.finds(archive.FindingSignature, "checkpoint") || j.report.Head != f.head || j.report.Checkpoint == string(added.objects["checkpoint"]) {
			t.Errorf("%s, with a copy: %v, %v, %+v", name, j.read, j.append, j.report)
		}

		// Without its checkpoint it is nothing.
		added.objects["checkpoint"] = f.store.objects["checkpoint"]
		delete(added.objects, "checkpoints/00000007")

		j = f.judge(t, added, nil, f.verifier)
		if j.read != nil || j.append != nil || j.head != f.head || j.report.Valid || j.report.Head != f.head {
			t.Errorf("%s, with no checkpoint: %v, %v, %v, %+v", name, j.read, j.append, j.head, j.report)
		}

		// The next run has put its own in the place of what was made up.
		checkVerifies(t, added, archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}, Head: &f.head})

		if m, _ := manifestOf(t, added, 7); m == nil || m.Segment == nil || m.Segment.EntryCount != 4 {
			t.Errorf("%s: archived %+v", name, m)
		}
	}

	// Without a key, all of that is true.
	j := f.judge(t, f.longer(t, nil), nil)
	if j.read != nil || j.head.Sequence != 7 || !j.report.Valid {
		t.Errorf("%v, %v, %+v", j.read, j.head, j.report)
	}
}

// TestHistoryIsNotRewrittenWithoutTheKey: not with unsigned checkpoints, and not with
// none.
func TestHistoryIsNotRewrittenWithoutTheKey(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	f.w.now = f.w.now.Add(time.Hour)

	known, err := archive.ParseCheckpoint(string(f.store.objects["checkpoint"]))
	if err != nil {
		t.Fatal(err)
	}

	rewritten := forged(t, f.store, 3, func(m *archive.Manifest) { m.Tool = "another" })

	j := f.judge(t, rewritten.copied(), nil, f.verifier)
	if !errors.Is(j.read, archive.ErrSignature) || !errors.Is(j.append, archive.ErrSignature) ||
		!j.finds(archive.FindingSignature, "checkpoint") ||
		!j.finds(archive.FindingSignature, "checkpoints/00000003") || j.report.Signed || j.report.SignedBy != "" {
		t.Errorf("unsigned: %v, %v, %+v", j.read, j.append, j.report)
	}

	// What is remembered tells, even without the key.
	j = f.judge(t, rewritten.copied(), &known)
	if !errors.Is(j.append, archive.ErrBroken) || !strings.Contains(j.append.Error(), "not a continuation") ||
		!j.finds(archive.FindingForked, "checkpoints/00000006") {
		t.Errorf("remembered: %v, %+v", j.append, j.report)
	}

	maps.DeleteFunc(rewritten.objects, func(key string, _ []byte) bool { return strings.HasPrefix(key, "checkpoint") })

	j = f.judge(t, rewritten.copied(), nil, f.verifier)
	if !errors.Is(j.read, archive.ErrSignature) || !errors.Is(j.append, archive.ErrForeign) || j.report.Valid ||
		!j.finds(archive.FindingMissing, "checkpoint") {
		t.Errorf("no checkpoints: %v, %v, %+v", j.read, j.append, j.report)
	}

	j = f.judge(t, rewritten.copied(), &known, f.verifier)
	if !errors.Is(j.append, archive.ErrBroken) || j.report.Valid {
		t.Errorf("no checkpoints, and one is remembered: %v, %+v", j.append, j.report)
	}

	// Nor is an empty place where something is remembered a place to begin.
	j = f.judge(t, newMemory(), &known, f.verifier)
	if !errors.Is(j.append, archive.ErrBroken) || j.report.Valid {
		t.Errorf("nothing: %v, %+v", j.append, j.report)
	}
}

// TestAnotherArchiveOfTheSameKey in the place of one is told by its name.
func TestAnotherArchiveOfTheSameKey(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	known, err := archive.ParseCheckpoint(string(f.store.objects["checkpoint"]))
	if err != nil {
		t.Fatal(err)
	}

	// The same entries, archived once more by the same key, and one day longer.
	store := newMemory()
	o := f.w.options(store)
	o.Signer, o.Verifiers = f.signer, []note.Verifier{f.verifier}

	f.w.mustApply(o)
	f.w.happen(4, f.w.now.Add(time.Hour))
	f.w.now = f.w.now.Add(24 * time.Hour)
	f.w.mustApply(o)

	j := f.judge(t, store.copied(), &known, f.verifier)
	if !errors.Is(j.append, archive.ErrBroken) || !strings.Contains(j.append.Error(), "another archive") ||
		!j.finds(archive.FindingForked, "checkpoint") {
		t.Errorf("remembered: %v, %+v", j.append, j.report)
	}

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: o.Verifiers, Origin: known.Origin})
	if err != nil || len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingForeign ||
		!strings.Contains(report.Problems[0].Detail, known.Origin) {
		t.Errorf("by its origin: %+v, %v", report, err)
	}

	if report, err = archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: o.Verifiers}); err != nil ||
		!report.Valid {
		t.Errorf("by itself: %+v, %v", report, err)
	}

	// Nor do checkpoints of both make one archive, though the key has signed all of them.
	for _, size := range []string{"checkpoints/00000003", "checkpoints/00000007"} {
		mixed := f.store.copied()
		f.w.now = f.w.now.Add(24 * time.Hour)
		f.w.happen(1, f.w.now.Add(-time.Hour))

		for n := 0; store.objects[size] == nil; n++ {
			f.w.now = f.w.now.Add(24 * time.Hour)
			f.w.happen(1, f.w.now.Add(-time.Hour))
			f.w.mustApply(o)
		}

		mixed.objects[size] = store.objects[size]

		if j := f.judge(t, mixed, nil, f.verifier); !j.finds(archive.FindingForeign, size) ||
			(size > "checkpoints/00000006") != errors.Is(j.read, archive.ErrBroken) || j.report.Head != f.head {
			t.Errorf("%s: %v, %+v", size, j.read, j.report)
		}
	}
}

// TestAnOlderCheckpointPutBack: while the later ones are there it changes nothing, and
// whoever remembers one of those is told otherwise.
func TestAnOlderCheckpointPutBack(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	older := f.store.objects["checkpoint"]

	f.w.happen(4, f.w.now.Add(time.Hour))
	f.w.now = f.w.now.Add(24 * time.Hour)

	o := f.w.options(f.store)
	o.Signer, o.Verifiers = f.signer, []note.Verifier{f.verifier}
	r := f.w.mustApply(o)
	known := remembered(t, r)

	for _, text := range [][]byte{
		older, f.store.objects["checkpoints/00000000"], f.store.objects["checkpoints/00000002"],
		nil,
	} {
		back := f.store.copied()
		if back.objects["checkpoint"] = text; text == nil {
			delete(back.objects, "checkpoint")
		}

		j := f.judge(t, back, known, f.verifier)
		if j.read != nil || j.append != nil || j.head != r.Head || j.report.Head != r.Head || len(j.report.Problems) != 1 ||
			j.report.Problems[0].Key != "checkpoint" {
			t.Errorf("%q: %v, %v, %v, %+v", text, j.read, j.append, j.head, j.report)
		}

		// The next run puts it right.
		if string(back.objects["checkpoint"]) != r.Checkpoint {
			t.Errorf("the copy is %q", back.objects["checkpoint"])
		}
	}

	back := f.store.copied()
	back.objects["checkpoint"] = older
	delete(back.objects, "checkpoints/00000007")

	j := f.judge(t, back.copied(), known, f.verifier)
	if !errors.Is(j.append, archive.ErrBroken) || !strings.Contains(j.append.Error(), "rolled back") ||
		!j.finds(archive.FindingTruncated, "checkpoint") {
		t.Errorf("remembered: %v, %+v", j.append, j.report)
	}

	// Where nothing is remembered, what is left of the later ones is found.
	if j = f.judge(t, back.copied(), nil, f.verifier); j.read != nil || j.append != nil || j.head != f.head ||
		j.report.Valid || !j.finds(archive.FindingUnfinished, f.store.keyOf(t, "manifests/", 7)) {
		t.Errorf("not remembered: %v, %+v", j.read, j.report)
	}
}

// TestTilesThatDisagree with the manifests are named, and nothing is appended to them.
func TestTilesThatDisagree(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	f.w.happen(4, f.w.now.Add(-time.Second))
	f.w.now = f.w.now.Add(time.Hour)

	manifests := manifestsOf(t, f.store)
	manifests[5] = bytes.Replace(manifests[5], []byte(`"tool": "test"`), []byte(`"tool": "tset"`), 1)
	rewritten := rebuilt(t, f.store, manifests, nil)

	const bundle, tile = "tile/entries/000.p/6", "tile/0/000.p/6"

	for name, keys := range map[string][]string{"both": {bundle, tile}, "the bundle": {bundle}, "the tile": {tile}} {
		for _, verifiers := range [][]note.Verifier{{f.verifier}, nil} {
			store := f.store.copied()
			for _, key := range keys {
				store.objects[key] = rewritten.objects[key]
			}

			o := f.w.options(store)
			o.Signer, o.Verifiers = f.signer, verifiers
			before := maps.Clone(store.objects)

			if _, err := f.w.apply(o); !errors.Is(err, archive.ErrBroken) ||
				!maps.EqualFunc(before, store.objects, bytes.Equal) {
				t.Errorf("%s: %v", name, err)
			}

			j := f.judge(t, store, nil, verifiers...)
			if slices.Contains(keys, bundle) != errors.Is(j.read, archive.ErrBroken) || j.report.Head != f.head ||
				len(j.report.Problems) != len(keys) {
				t.Errorf("%s: %v, %+v", name, j.read, j.report)
			}

			for _, key := range keys {
				if !j.finds(archive.FindingAltered, key) {
					t.Errorf("%s: %s is not named in %+v", name, key, j.report)
				}
			}
		}
	}

	// A bundle that was cut, within a manifest and between two.
	whole := f.store.objects[bundle]
	first := 2 + len(manifestsOf(t, f.store)[0])

	for _, length := range []int{0, 1, 2, first - 1, first, len(whole) - 1} {
		store := f.store.copied()
		store.objects[bundle] = whole[:length]

		j := f.judge(t, store, nil, f.verifier)
		if !errors.Is(j.read, archive.ErrBroken) || !errors.Is(j.append, archive.ErrBroken) || len(j.report.Problems) != 1 ||
			!j.finds(archive.FindingAltered, bundle) {
			t.Errorf("cut to %d: %v, %v, %+v", length, j.read, j.append, j.report)
		}
	}

	// The same manifest twice.
	manifests = manifestsOf(t, f.store)
	twice := rebuilt(t, f.store, slices.Insert(manifests, 3, manifests[2]), nil)

	if j := f.judge(t, twice, nil); !errors.Is(j.read, archive.ErrBroken) || j.report.Valid ||
		!j.finds(archive.FindingAltered, twice.keyOf(t, "manifests/", 4)) {
		t.Errorf("twice: %v, %+v", j.read, j.report)
	}
}

// TestSizesThatCannotBe take nobody long, nor much of the report.
func TestSizesThatCannotBe(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	f.w.now = f.w.now.Add(time.Hour)
	unsigned := rebuilt(t, f.store, manifestsOf(t, f.store), nil)

	for _, size := range []string{
		"99999999", "99999998", "100000000", "4611686018427387904", "9223372036854775806",
		"9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "06", "+6", "6 ", "", "0",
	} {
		text := bytes.Replace(unsigned.objects["checkpoint"], []byte("\n6\n"), []byte("\n"+size+"\n"), 1)
		name := "checkpoints/" + fmt.Sprintf("%08s", size)

		for place, put := range map[string]func(map[string][]byte){
			"the copy":   func(o map[string][]byte) { o["checkpoint"] = text },
			"both":       func(o map[string][]byte) { o["checkpoint"], o[name] = text, text },
			"in its way": func(o map[string][]byte) { o["checkpoints/00000006"] = text },
			"the newest": func(o map[string][]byte) { o["checkpoints/00000007"] = text },
			"nothing but": func(o map[string][]byte) {
				maps.DeleteFunc(o, func(key string, _ []byte) bool { return strings.HasPrefix(key, "checkpoint") })

				o["checkpoint"], o[name] = text, text
			},
			"in steps": func(o map[string][]byte) {
				for n := 14; n < 99999999; n = 2*n + 2 {
					o[fmt.Sprintf("checkpoints/%08d", n)] = bytes.Replace(unsigned.objects["checkpoint"], []byte("\n6\n"),
						fmt.Appendf(nil, "\n%d\n", n), 1)
				}

				o["checkpoint"], o[name] = text, text
			},
		} {
			store := unsigned.copied()
			put(store.objects)

			j := f.judge(t, store, nil)
			if j.append == nil || j.read == nil || j.report.Valid {
				t.Errorf("%q, %s: %v, %v, %+v", size, place, j.read, j.append, j.report)
			}

			signed := f.store.copied()
			put(signed.objects)

			if j := f.judge(t, signed, nil, f.verifier); j.append == nil || j.read == nil || j.report.Valid {
				t.Errorf("%q, %s, with a key: %v, %v, %+v", size, place, j.read, j.append, j.report)
			}
		}
	}
}

// TestNothingIsHidden in a directory: what List does not take for an object is found.
func TestNothingIsHidden(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	laid := func() (string, durable.Store) {
		t.Helper()

		dir := filepath.Join(t.TempDir(), "archive")

		store, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
		if err != nil {
			t.Fatal(err)
		}

		for key, data := range f.store.objects {
			if err := store.Create(t.Context(), key, data); err != nil {
				t.Fatal(err)
			}
		}

		return dir, store
	}

	options := archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}, Head: &f.head}
	named := func(name, key string, store durable.Store) {
		t.Helper()

		report, err := archive.Verify(t.Context(), store, options)
		if err != nil || report.Valid ||
			!slices.ContainsFunc(report.Problems, func(p archive.Problem) bool { return p.Key == key }) {
			t.Errorf("%s: got %+v, %v", name, report.Problems, err)
		}
	}

	dir, store := laid()
	checkVerifies(t, store, options)

	for _, name := range []string{
		".x.audit-part-0123456789abcdef", ".audit-part-ABCDEFGHIJKLMNOP", ".audit-part-ABCDEFGHIJKL",
		"entries/.audit-part-ABCDEFGHIJKLMNOP", ".hidden", "tile/.hidden", "manifests/a:b", "checkpoints/00000003~",
		"claims/00000001.1.json", "claims/00000001.json", "manifests/00000003-0123456789abcdef.json",
		"checkpoints/00000006.json", "entries/CON", "COM1", "a ",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Skip(err) // Not every system has such names.
		}

		named(name, name, store)

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}

	named("a directory without files", "claims/", store)

	if err := os.Remove(filepath.Join(dir, "claims")); err != nil {
		t.Fatal(err)
	}

	checkVerifies(t, store, options)

	elsewhere := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(elsewhere, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, to := range []string{elsewhere, filepath.Dir(elsewhere), "nowhere", filepath.Join(dir, "checkpoint")} {
		for _, name := range []string{
			"link", "manifests/link", "manifests/00000007-0123456789abcdef.json",
			"manifests/00000006-0123456789abcdef.json", "checkpoints/00000007", "tile/0/000.p/7", "entries/link",
			".audit-part-ABCDEFGHIJKLMNOP",
		} {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.Symlink(to, path); err != nil {
				t.Skip(err)
			}

			named(name+" to "+to, name, store)

			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}

	// In the place of a file that belongs there, its bytes lying elsewhere.
	for key, data := range f.store.objects {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := errors.Join(os.WriteFile(elsewhere, data, 0o600), os.Remove(path),
			os.Symlink(elsewhere, path)); err != nil {
			t.Fatal(err)
		}

		named("a link at "+key, key, store)

		if err := errors.Join(os.Remove(path), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}

	checkVerifies(t, store, options)

	for _, name := range []string{"manifests", "checkpoints", "tile", "tile/0", "entries", "supplements"} {
		moved := filepath.Join(t.TempDir(), "moved")

		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.Rename(path, moved), os.Symlink(moved, path)); err != nil {
			t.Fatal(err)
		}

		named("a link at "+name, name, store)

		if err := errors.Join(os.Remove(path), os.Rename(moved, path)); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	f := built(b, format.NDJSON, format.Zstd)
	store := f.store

	for b.Loop() {
		if r, err := archive.Verify(b.Context(), store, archive.VerifyOptions{}); err != nil || !r.Valid {
			b.Fatal(r, err)
		}
	}
}

// TestHeadsOfNoNumber: a head that cannot be is not taken for one that was checked.
func TestHeadsOfNoNumber(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	for _, n := range []int64{0, -1} {
		r, err := archive.Verify(t.Context(), f.store,
			archive.VerifyOptions{
				Verifiers: []note.Verifier{f.verifier},
				Head:      &archive.Head{Sequence: n, SHA256: strings.Repeat("0", 64)},
			})
		if !errors.Is(err, archive.ErrHead) {
			t.Errorf("head %d: %v, %+v", n, err, r)
		}
	}
}

// TestDirectoriesInTheWay: a directory without files can be where an object has to go. Verify and the run say so, and
// directories that runs make are no finding.
func TestDirectoriesInTheWay(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	for key, foreign := range map[string]bool{
		"checkpoints/00000007": true, "checkpoints/00000009": true, "manifests/00000007-0123456789abcdef.json": true,
		"tile/0/001": true, "tile/0/000.p/7": true,
		"other": true, "entries/x": true, "cosigned/00000007": true,
		"cosigned": false, "timestamps": false, "entries/cloud=upcloud/date=2026-01-01": false, "tile/0/x001": false,
		"tile/1/000.p": false, "tile/entries/001.p": false,
	} {
		dir := directoryOf(t, f.store)
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(key)), 0o700); err != nil {
			t.Fatal(err)
		}

		store, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
		if err != nil {
			t.Fatal(err)
		}

		report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}})

		switch {
		case err != nil:
			t.Fatal(err)
		case foreign &&
			(len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingForeign || report.Problems[0].Key != key+
				"/"), !foreign && !report.Valid:
			t.Errorf("%s: %+v", key, report.Problems)
		}

		if key != "checkpoints/00000007" {
			continue
		}

		o := f.w.options(store)
		o.Signer, o.Verifiers = f.signer, []note.Verifier{f.verifier}

		_, err = f.w.apply(o)
		if err == nil || !strings.Contains(filepath.ToSlash(err.Error()), key) {
			t.Errorf("the run says %v", err)
		}
	}
}

// TestTheSpanOfASupplementIsThatOfTheSegment: a report says from when to when entries are, which supplements say.
func TestTheSpanOfASupplementIsThatOfTheSegment(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	key := f.store.keyOf(t, "supplements/", 1)

	for name, change := range map[string]func(*archive.Supplement){
		"another oldest":  func(s *archive.Supplement) { s.First.Time = "\x1b[2J" },
		"another newest":  func(s *archive.Supplement) { s.Last.Time = "9999-12-31T23:59:59.999999Z" },
		"another entry":   func(s *archive.Supplement) { s.First.ID = "x" },
		"no newest":       func(s *archive.Supplement) { s.Last = nil },
		"neither of them": func(s *archive.Supplement) { s.First, s.Last = nil, nil },
	} {
		var s archive.Supplement
		if err := json.Unmarshal(f.store.objects[key], &s); err != nil {
			t.Fatal(err)
		}

		change(&s)

		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}

		store := f.store.copied()
		delete(store.objects, key)

		as := archive.Object{
			Key: "supplements/00000001-" + hash(data)[:16] + ".json", Bytes: int64(len(data)),
			SHA256: hash(data),
		}
		store.objects[as.Key] = data

		r := reportOf(t, forged(t, store, 1, func(m *archive.Manifest) { m.Supplement = as }), archive.VerifyOptions{})
		if len(r.Problems) != 1 || r.Problems[0].Finding != archive.FindingAltered || r.Problems[0].Key != as.Key {
			t.Errorf("%s: %s", name, problemsOf(r))
		}
	}
}
