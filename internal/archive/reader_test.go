// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// noted is a store that remembers what was read.
type noted struct {
	durable.Store

	mu   sync.Mutex
	keys []string
}

func (n *noted) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	n.mu.Lock()
	n.keys = append(n.keys, key)
	n.mu.Unlock()

	return n.Store.Read(ctx, key, limit)
}

// drawnArchive is an archive of files that arrived in any order, with runs that
// crashed in between, in segments of any format.
func drawnArchive(t *rapid.T) (*copies, *memory) {
	s := copiesOf(rapid.Uint64Max(1<<40).Draw(t, "log"), 8, rapid.IntRange(1, 80).Draw(t, "entries"),
		rapid.IntRange(1, 5).Draw(t, "files"))
	s.disorder = true
	store := newMemory()

	for _, file := range rapid.Permutation(
		slices.Collect(maps.Keys(map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true})),
	).Draw(t, "order") {
		if file >= len(s.spans) {
			continue
		}

		s.present[file] = true

		o := s.options(store)
		if rapid.Bool().Draw(t, "parquet") {
			o.Format, o.Compression = format.Parquet, format.Zstd
		}

		if at := rapid.IntRange(0, 12).Draw(t, "crash"); at > 0 {
			o.Store = &crashing{Store: store, at: at}
		}

		if _, err := run(o); err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}

	return s, store
}

// drawnQuery has a window of whole hours, or one that begins or ends at an entry.
func drawnQuery(t *rapid.T, s *copies) auditlog.Query {
	start := begin.Add(time.Duration(rapid.Int64Range(-24, 9*24).Draw(t, "start")) * time.Hour)
	end := start.Add(time.Duration(rapid.Int64Range(1, 10*24).Draw(t, "hours")) * time.Hour)

	if rapid.Bool().Draw(t, "at entries") {
		start, end = rapid.SampledFrom(s.log).Draw(t, "first").Time, rapid.SampledFrom(s.log).Draw(t, "last").Time
		if end.Before(start) {
			start, end = end, start
		}

		end = end.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "included")) * time.Microsecond)
	}

	q := auditlog.Query{Window: auditlog.Window{Start: start, End: end}}

	if rapid.Bool().Draw(t, "by operation") {
		q.Operations = []auditlog.Operation{
			auditlog.OperationDelete,
			auditlog.OperationLogin,
		}[:rapid.IntRange(1, 2).Draw(t, "operations")]
	}

	if rapid.Bool().Draw(t, "by actor") {
		q.Actors = []string{"user-1"}
	}

	if rapid.Bool().Draw(t, "by search") {
		q.Search = "R-1"
	}

	return q
}

func collect(seq iter.Seq2[auditlog.Entry, error]) (entries []auditlog.Entry, err error) {
	for e, err := range seq {
		if err != nil {
			return entries, err
		}

		entries = append(entries, e)
	}

	return entries, nil
}

// TestReaderIsAFilterOverTheArchive: what is read back is what anybody would pick
// out of all that is archived, in order, and the statement adds up.
func TestReaderIsAFilterOverTheArchive(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		s, store := drawnArchive(t)
		if store.objects["checkpoints/00000000"] == nil || len(archived(t, store)) == 0 {
			return
		}

		q := drawnQuery(t, s)

		matcher, err := q.Matcher()
		if err != nil {
			t.Fatal(err)
		}

		all, err := collect(archive.Entries(t.Context(), store))
		if err != nil {
			t.Fatal(err)
		}

		want := slices.DeleteFunc(all, func(e auditlog.Entry) bool {
			ok, err := matcher.Match(&e)

			return !ok || err != nil
		})
		slices.SortFunc(want, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

		var c auditlog.Completeness

		got, err := collect(openReader(t, store, s.Info()).Read(t.Context(), q, &c))
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}

		if c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+int64(len(got)) || c.ClaimedTotal == nil ||
			*c.ClaimedTotal != c.RowsFetched ||
			c.Proof != auditlog.ProofChain || c.DuplicatesDropped != 0 || c.BeyondRetention || c.Window != q.Window {
			t.Fatalf("the statement is %+v", c)
		}
	})
}

// TestReaderRefusesEveryMutation: whatever is changed of the log, or of a segment that
// the window needs, is an error that names it, or changes nothing of what is read. Never
// is it a shorter list.
func TestReaderRefusesEveryMutation(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		s, store := drawnArchive(t)
		if store.objects["checkpoints/00000000"] == nil || len(archived(t, store)) == 0 {
			return
		}

		q := auditlog.Query{Window: drawnQuery(t, s).Window}
		watched := &noted{Store: store}

		var was, is auditlog.Completeness

		want, err := collect(openReader(t, watched, s.Info()).Read(t.Context(), q, &was))
		if err != nil {
			t.Fatal(err)
		}

		// What was read and is there.
		keys := slices.DeleteFunc(watched.keys, func(key string) bool { return store.objects[key] == nil })

		if segments := slices.DeleteFunc(slices.Clone(keys),
			func(key string) bool { return !strings.HasPrefix(key, "entries/") }); len(segments) > 0 &&
			rapid.Bool().Draw(t, "a segment") {
			keys = segments
		}

		key := rapid.SampledFrom(keys).Draw(t, "key")
		mutated := store.copied()
		data := slices.Clone(store.objects[key])

		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			// Anywhere: rapid prefers what is at the beginning.
			at := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "at"), 3)).IntN(len(data))
			data[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			mutated.objects[key] = data
		case 1:
			mutated.objects[key] = data[:rapid.IntRange(0, len(data)-1).Draw(t, "length")]
		case 2:
			mutated.objects[key] = append(data, '\n')
		default:
			delete(mutated.objects, key)
		}

		r, err := archive.OpenReader(t.Context(), mutated, archive.ReaderOptions{InfoOf: infoOf(s.Info())})

		var got []auditlog.Entry
		if err == nil {
			got, err = collect(r.Read(t.Context(), q, &is))
		}

		// A manifest is read as a file only where its bundle has not been written yet.
		name := key

		var number int
		if _, err := fmt.Sscanf(key, "manifests/%d-", &number); err == nil {
			name = fmt.Sprintf("manifest %d ", number)
		}

		checkpoint, bundle := strings.HasPrefix(key, "checkpoint"), strings.HasPrefix(key, "tile/")
		deleted := mutated.objects[key] == nil

		switch {
		case errors.Is(err, archive.ErrNone) && deleted && checkpoint:
			// The first one is gone, and there was no copy of a later one.
		case err == nil && !strings.HasPrefix(key, "entries/") && cmp.Equal(want, got) && cmp.Equal(was.Gaps, is.Gaps):
			// The copy, or what follows from the manifests, or a step on the way to the newest
			// checkpoint, or a manifest that a run left which crashed. The log is as it was.
		case err == nil && deleted && checkpoint:
			// Without a copy of it or of a later one nothing says that there was one: less is
			// covered then, and that shows.
			for _, e := range want {
				missing := !slices.ContainsFunc(got, func(o auditlog.Entry) bool { return o.ID == e.ID })
				if missing && !slices.ContainsFunc(is.Gaps, func(w auditlog.Window) bool { return w.Contains(e.Time) }) {
					t.Fatalf("%s was removed, %s is missing, and the gaps are %v", key, e.ID, is.Gaps)
				}
			}
		case err == nil:
			t.Fatalf("%s was changed, and nobody noticed", key)
		case !errors.Is(err, archive.ErrBroken):
			t.Fatalf("%s: %v", key, err)
		case checkpoint && !strings.Contains(err.Error(), "checkpoint"), bundle &&
			!strings.Contains(err.Error(), "manifest") && !strings.Contains(err.Error(), "tile"):
			t.Fatalf("%s was changed, but the error is %v", key, err)
		case !checkpoint && !bundle && !strings.Contains(err.Error(), name):
			t.Fatalf("%s was changed, but the error is %v", key, err)
		}
	})
}

// TestReaderRefusesForgeries: a chain can hold together and still say what is not
// so. What can be compared is.
func TestReaderRefusesForgeries(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	window := auditlog.Window{Start: begin.AddDate(0, 0, -1), End: begin.AddDate(0, 0, 8)}

	read := func(store durable.Store) error {
		r, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{InfoOf: infoOf(f.w.service.Info())})
		if err != nil {
			return err
		}

		var c auditlog.Completeness

		_, err = collect(r.Read(t.Context(), auditlog.Query{Window: window}, &c))

		return err
	}

	if err := read(forged(t, f.store, 3, func(*archive.Manifest) {})); err != nil {
		t.Fatal(err)
	}

	const at = "read the archive at memory: the archive was altered or damaged: "

	segment := func(sequence int) string { return f.store.keyOf(t, "entries/", sequence) }
	day := func(clock string) time.Time {
		t.Helper()

		moment, err := time.Parse(time.DateTime, "2026-01-03 "+clock)
		if err != nil {
			t.Fatal(err)
		}

		return moment
	}

	for name, tt := range map[string]struct {
		sequence int
		change   func(*archive.Manifest)
		want     string
	}{
		"fewer entries":    {3, func(m *archive.Manifest) { m.Segment.EntryCount--; m.TotalCount-- }, "manifest 4 counts entries that are not there"},
		"fewer at the end": {6, func(m *archive.Manifest) { m.Segment.EntryCount--; m.TotalCount-- }, segment(6) + " holds more than the 3 entries that manifest 6 says"},
		"more at the end":  {6, func(m *archive.Manifest) { m.Segment.EntryCount++; m.TotalCount++ }, segment(6) + " holds 4 entries where manifest 6 says 5"},
		"another total": {
			3, func(m *archive.Manifest) { m.TotalCount++ },
			"manifest 3 counts entries that are not there",
		},
		"no entries": {6, func(m *archive.Manifest) { m.Segment.EntryCount, m.TotalCount = 0, m.TotalCount-4 }, "manifest 6 counts entries as no segment can hold them"},
		"no segment": {
			3, func(m *archive.Manifest) { m.Segment = nil },
			"manifest 3 counts entries that are not there",
		},
		"many entries":   {6, func(m *archive.Manifest) { m.Segment.EntryCount, m.TotalCount = 50_001, m.TotalCount-4+50_001 }, "manifest 6 counts entries as no segment can hold them"},
		"a later begin":  {3, func(m *archive.Manifest) { m.Segment.From, m.Segment.Until = day("23:10:00"), day("23:20:00") }, segment(3) + " holds entries of other times than manifest 3 says"},
		"an earlier end": {3, func(m *archive.Manifest) { m.Segment.From, m.Segment.Until = day("00:00:00"), day("22:50:00") }, segment(3) + " holds entries of other times than manifest 3 says"},
		"another day": {
			3, func(m *archive.Manifest) { m.Segment.From = day("23:00:00").AddDate(0, 0, -1) },
			"manifest 3 names times that are not of its segment's day",
		},
		"back to front": {3, func(m *archive.Manifest) { m.Segment.From, m.Segment.Until = m.Segment.Until, m.Segment.From }, "manifest 3 names times that are not of its segment's day"},
		"no time":       {3, func(m *archive.Manifest) { m.Segment.Until = time.Time{} }, "manifest 3 names times that are not of its segment's day"},
		"another service": {
			3, func(m *archive.Manifest) { m.Service = "cloudscale" },
			"manifest 3 is of cloudscale, not of upcloud",
		},
		"another segment": {
			3, func(m *archive.Manifest) { m.Segment.Key = segment(2) },
			"manifest 3 names a segment that is not its own",
		},
		"a segment outside": {
			3, func(m *archive.Manifest) { m.Segment.Key = "entries/../" + segment(3) },
			"manifest 3 names a segment that is not its own",
		},
		"another supplement": {3, func(m *archive.Manifest) { m.Supplement.Key = f.store.keyOf(t, "supplements/", 2) }, "manifest 3 names a supplement that is not its own"},
		"another hash":       {3, func(m *archive.Manifest) { m.Segment.SHA256 = strings.Repeat("0", 64) }, segment(3) + " is not what manifest 3 says"},
		"another number":     {3, func(m *archive.Manifest) { m.Sequence = 4 }, "manifest 3 says that it is manifest 4"},
		"another version": {
			3, func(m *archive.Manifest) { m.Version++ },
			"manifest 3 is of version 3, which is not known",
		},
		"another before": {
			3, func(m *archive.Manifest) { m.Previous = strings.Repeat("0", 64) },
			"manifest 3 does not follow the one before",
		},
		"a chain before it": {
			1, func(m *archive.Manifest) { m.Previous = strings.Repeat("0", 64) },
			"manifest 1 does not follow the one before",
		},
	} {
		if err := read(forged(t, f.store, tt.sequence, tt.change)); err == nil || err.Error() != at+tt.want {
			t.Errorf("%s: got %v", name, err)
		}
	}

	// The same manifest once more is not another one.
	manifests := manifestsOf(t, f.store)
	twice := rebuilt(t, f.store, slices.Insert(manifests, 3, manifests[2]), nil)

	if err := read(twice); err == nil || err.Error() != at+"manifest 4 says that it is manifest 3" {
		t.Errorf("the same twice: got %v", err)
	}
}

// TestReaderReadsOnlyWhatTheWindowNeeds names the keys.
func TestReaderReadsOnlyWhatTheWindowNeeds(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Gzip)

	for name, tt := range map[string]struct {
		window   auditlog.Window
		segments []string
	}{
		"one day":  {auditlog.Window{Start: begin.AddDate(0, 0, 2).Add(-2 * time.Hour), End: begin.AddDate(0, 0, 2)}, []string{"00000002"}},
		"two days": {auditlog.Window{Start: begin.AddDate(0, 0, 2).Add(-2 * time.Hour), End: begin.AddDate(0, 0, 3)}, []string{"00000002", "00000003"}},
		"between entries": {
			auditlog.Window{Start: begin.AddDate(0, 0, 2), End: begin.AddDate(0, 0, 2).Add(time.Hour)},
			nil,
		},
		"before the first":       {auditlog.Window{Start: begin.AddDate(0, 0, -9), End: begin.AddDate(0, 0, -8)}, nil},
		"everything, and beyond": {auditlog.Window{Start: begin.AddDate(0, 0, -9), End: begin.AddDate(1, 0, 0)}, []string{"00000001", "00000002", "00000003", "00000004", "00000005", "00000006"}},
	} {
		watched := &noted{Store: f.store}
		r := openReader(t, watched, f.w.service.Info())

		// The seventh is looked for and not there.
		want := []string{"checkpoint", "checkpoints/00000006", "checkpoints/00000007", "tile/entries/000.p/6"}

		slices.Sort(watched.keys)

		if diff := cmp.Diff(want, watched.keys); diff != "" {
			t.Errorf("%s: opening: %s", name, diff)
		}

		watched.keys = nil

		var c auditlog.Completeness
		if _, err := collect(r.Read(t.Context(), auditlog.Query{Window: tt.window}, &c)); err != nil {
			t.Fatal(err)
		}

		var segments []string
		for _, key := range watched.keys {
			segments = append(segments, key[strings.LastIndexByte(key, '/')+1:][:8])
		}

		slices.Sort(segments)

		if diff := cmp.Diff(tt.segments, segments); diff != "" || c.Pages != int64(len(tt.segments)) ||
			c.RowsFetched != int64(4*len(tt.segments)) {
			t.Errorf("%s: %s, %+v", name, diff, c)
		}
	}
}

// TestReaderGaps: what lies outside of what was archived is not known.
func TestReaderGaps(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	r := openReader(t, f.store, f.w.service.Info())

	start, end := begin.AddDate(0, 0, -30), begin.AddDate(0, 0, 6).Add(-time.Minute)

	for name, tt := range map[string]struct {
		window auditlog.Window
		gaps   []auditlog.Window
	}{
		"within": {auditlog.Window{Start: start, End: end}, nil},
		"across": {
			auditlog.Window{Start: start.Add(-time.Hour), End: end.Add(time.Hour)},
			[]auditlog.Window{{Start: start.Add(-time.Hour), End: start}, {Start: end, End: end.Add(time.Hour)}},
		},
		"before": {
			auditlog.Window{Start: start.Add(-2 * time.Hour), End: start.Add(-time.Hour)},
			[]auditlog.Window{{Start: start.Add(-2 * time.Hour), End: start.Add(-time.Hour)}},
		},
		"after": {
			auditlog.Window{Start: end.Add(time.Hour), End: end.Add(2 * time.Hour)},
			[]auditlog.Window{{Start: end.Add(time.Hour), End: end.Add(2 * time.Hour)}},
		},
		"one end": {
			auditlog.Window{Start: end.Add(-time.Hour), End: end.Add(time.Microsecond)},
			[]auditlog.Window{{Start: end, End: end.Add(time.Microsecond)}},
		},
	} {
		var c auditlog.Completeness
		if _, err := collect(r.Read(t.Context(), auditlog.Query{Window: tt.window}, &c)); err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(tt.gaps, c.Gaps); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	// One that was accepted.
	f.w.now = f.w.now.AddDate(0, 0, 200)
	f.w.happen(1, f.w.now.Add(-time.Hour))

	o := f.w.options(f.store)
	o.Signer, o.Verifiers, o.AcceptGapAfter = f.signer, []note.Verifier{f.verifier}, 6
	f.w.mustApply(o)

	gap := auditlog.Window{Start: end, End: f.w.now.AddDate(0, 0, -180)}
	if diff := cmp.Diff([]auditlog.Window{gap},
		openReader(t, f.store, f.w.service.Info()).Gaps(
			auditlog.Window{Start: start, End: f.w.now.Add(-time.Minute)},
		)); diff != "" {
		t.Error(diff)
	}
}

// TestReaderSignature: with a key, the archive is what that key has signed.
func TestReaderSignature(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	_, stranger := newKey(t, "example.com/other")

	open := func(store durable.Store, verifiers ...note.Verifier) (*archive.Reader, error) {
		return archive.OpenReader(t.Context(), store,
			archive.ReaderOptions{Verifiers: verifiers, InfoOf: infoOf(f.w.service.Info())})
	}

	if r, err := open(f.store, f.verifier); err != nil || r.Head() != f.head {
		t.Errorf("%v", err)
	}

	if r, err := open(f.store, stranger, f.verifier); err != nil || r.Head() != f.head {
		t.Errorf("one of two keys: %v", err)
	}

	if _, err := open(f.store, stranger); !errors.Is(err, archive.ErrSignature) || err.Error() !=
		fmt.Sprintf("read the archive at memory: the checkpoint is not signed by the expected key: example.com/other+%08x", stranger.KeyHash()) {
		t.Errorf("another key: %v", err)
	}

	unsigned := rebuilt(t, f.store, manifestsOf(t, f.store), nil)

	if _, err := open(unsigned, f.verifier); !errors.Is(err, archive.ErrSignature) {
		t.Errorf("unsigned: %v", err)
	}

	if r, err := open(unsigned); err != nil || r.Head() != f.head {
		t.Errorf("unsigned, and no key: %v", err)
	}

	maps.DeleteFunc(unsigned.objects, func(key string, _ []byte) bool { return strings.HasPrefix(key, "checkpoint") })

	if _, err := open(unsigned, f.verifier); !errors.Is(err, archive.ErrSignature) {
		t.Errorf("no checkpoint: %v", err)
	}

	// Manifests alone are no archive.
	if _, err := open(unsigned); !errors.Is(err, archive.ErrNone) {
		t.Errorf("no checkpoint, and no key: %v", err)
	}

	// What no checkpoint leads to is not part of it, with a key or without one.
	f.w.now = f.w.now.Add(24 * time.Hour)
	f.w.happen(4, f.w.now.Add(-time.Hour))

	o := f.w.options(f.store)
	// manifest, supplement, segment, the probe, checkpoint
	o.Store, o.Signer, o.Verifiers = &crashing{Store: f.store, at: 5}, f.signer, []note.Verifier{f.verifier}

	if _, err := f.w.apply(o); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}

	if f.store.keyOf(t, "entries/", 7) == "" {
		t.Error("it crashed too early")
	}

	window := auditlog.Window{Start: f.w.now.AddDate(0, 0, -1), End: f.w.now.Add(-time.Minute)}

	for _, verifiers := range [][]note.Verifier{{f.verifier}, nil} {
		r, err := open(f.store, verifiers...)
		if err != nil || r.Head() != f.head || len(r.Gaps(window)) != 1 {
			t.Errorf("%v, %v", r.Head(), err)
		}
	}
}

// TestReaderOfNothing: a place without an archive is not an empty archive.
func TestReaderOfNothing(t *testing.T) {
	t.Parallel()

	s := copiesOf(1, 2, 9, 1)
	_, err := archive.OpenReader(t.Context(), newMemory(), archive.ReaderOptions{InfoOf: infoOf(s.Info())})

	if read := (*archive.ReadError)(nil); !errors.Is(err, archive.ErrNone) || !errors.As(err, &read) ||
		read.Destination != "memory" {
		t.Errorf("got %v", err)
	}

	s.present[0] = true
	store := newMemory()

	if _, err := run(s.options(store)); err != nil {
		t.Fatal(err)
	}

	_, err = archive.OpenReader(t.Context(), store,
		archive.ReaderOptions{InfoOf: func(string) (auditlog.Info, bool) { return auditlog.Info{}, false }})
	if !errors.Is(err, archive.ErrForeign) || err.Error() != "read the archive at memory: the destination holds something else: an archive of podstack" {
		t.Errorf("got %v", err)
	}
}

// TestReaderKnowsWhatIsMissing: what an archive left out or took out must not read
// as "nothing happened".
func TestReaderKnowsWhatIsMissing(t *testing.T) {
	t.Parallel()

	redactor, err := redact.New(map[string]string{"actor": redact.Hash, "resource_id": redact.Keep},
		[]byte("a random text of some length"))
	if err != nil {
		t.Fatal(err)
	}

	// Days 0 to 2 as they are, 3 and 4 redacted, 5 and 6 with filters.
	s := copiesOf(3, 7, 200, 1)
	store := newMemory()

	for i, change := range []func(*archive.Options){
		func(*archive.Options) {},
		func(o *archive.Options) { o.Redactor = redactor },
		func(o *archive.Options) {
			o.Filters = auditlog.Query{
				Operations:  []auditlog.Operation{auditlog.OperationDelete},
				IPAddresses: []string{"192.0.2.0/30"},
			}
		},
	} {
		s.spans = []auditlog.Window{{Start: begin, End: begin.AddDate(0, 0, []int{3, 5, 7}[i])}}
		s.present[0] = true

		o := s.options(store)
		change(&o)

		if _, err := run(o); err != nil {
			t.Fatal(err)
		}
	}

	day := func(from, to int) auditlog.Window {
		return auditlog.Window{Start: begin.AddDate(0, 0, from), End: begin.AddDate(0, 0, to)}
	}
	r := openReader(t, store, s.Info())

	const (
		redacted = "PodStack's archive holds actor in redacted form, so the filter could miss what happened."
		kept     = `The archive keeps only entries with ip_addresses = ["192.0.2.0/30"] and operations = ["delete"]; whatever else happened is not in it.`
		scrubbed = "The archive is redacted, and where another field held a redacted value it was redacted as well; a filter on ip_address does not find such entries."
	)

	for name, tt := range map[string]struct {
		query auditlog.Query
		want  []string
	}{
		"an actor before redaction": {auditlog.Query{Window: day(0, 2), Actors: []string{"user-1"}}, nil},
		"an actor after": {
			auditlog.Query{Window: day(3, 4), Actors: []string{"user-1"}},
			[]string{"actors: " + redacted},
		},
		"an actor before and after": {
			auditlog.Query{Window: day(1, 4), Actors: []string{"user-1"}},
			[]string{"actors: " + redacted},
		},
		"a search after": {
			auditlog.Query{Window: day(3, 4), Search: "x"},
			[]string{"search: " + redacted},
		},
		"an address after": {
			auditlog.Query{Window: day(3, 4), IPAddresses: []string{"192.0.2.1"}},
			[]string{scrubbed},
		},
		"a common kind after": {auditlog.Query{
			Window: day(3, 4), ResourceTypes: []string{"server", "storage"},
			Origins: []string{"api"},
		}, nil},
		"another kind after": {
			auditlog.Query{Window: day(3, 4), ResourceTypes: []string{"server", "gpu"}},
			[]string{strings.Replace(scrubbed, "ip_address", "resource_type", 1)},
		},
		"what entries are compared with, after": {
			auditlog.Query{Window: day(2, 4), Needs: []string{"actor", "raw", "resource_id"}},
			[]string{"The archive holds raw in redacted form, so that what the entries are compared with is not found in it."},
		},
		"what entries are compared with, before": {auditlog.Query{Window: day(0, 2), Needs: []string{"raw"}}, nil},
		"a resource that was kept":               {auditlog.Query{Window: day(3, 4), ResourceIDs: []string{"r-1"}}, nil},
		"everything, filtered":                   {auditlog.Query{Window: day(6, 7)}, []string{kept}},
		"an operation that was kept":             {auditlog.Query{Window: day(6, 7), Operations: []auditlog.Operation{"delete", "login"}}, []string{kept}},
		"an operation that was not": {
			auditlog.Query{Window: day(6, 7), Operations: []auditlog.Operation{"login"}},
			[]string{`operations: The archive keeps only entries with operations = ["delete"], so the filter would find nothing, whatever happened.`},
		},
		"an address that was not": {
			auditlog.Query{Window: day(0, 7), IPAddresses: []string{"192.0.2.4", "2001:db8::/32"}},
			[]string{`ip_addresses: The archive keeps only entries with ip_addresses = ["192.0.2.0/30"], so the filter would find nothing, whatever happened.`},
		},
		"everywhere": {auditlog.Query{Window: day(6, 7), IPAddresses: []string{"::/0"}}, []string{kept}},
		"an address in its mapped form": {
			auditlog.Query{Window: day(6, 7), IPAddresses: []string{"::ffff:192.0.2.1"}},
			[]string{kept},
		},
		"an address that was":               {auditlog.Query{Window: day(6, 7), IPAddresses: []string{"192.0.2.0/24"}}, []string{kept}},
		"a window without a single segment": {auditlog.Query{Window: day(30, 31), Operations: []auditlog.Operation{"login"}}, nil},
	} {
		var (
			c   auditlog.Completeness
			got []string
		)

		refused := (*archive.UnanswerableError)(nil)

		entries, err := collect(r.Read(t.Context(), tt.query, &c))

		switch {
		case errors.As(err, &refused):
			for _, u := range refused.Filters {
				got = append(got, u.Argument+": "+u.Reason)
			}

			if len(entries) > 0 || c.Proof != "" {
				t.Errorf("%s: %d entries all the same", name, len(entries))
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			got = c.Caveats
		}

		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	if redacted := r.Info().Redacted; len(redacted) != 0 {
		t.Errorf("not every segment is redacted, but %v", redacted)
	}
}

// TestReaderCountsOnce: the same entry twice is one, two that claim to be the same
// are an error.
func TestReaderCountsOnce(t *testing.T) {
	t.Parallel()

	s := copiesOf(5, 1, 6, 1)
	s.present[0] = true
	store := newMemory()

	if _, err := run(s.options(store)); err != nil {
		t.Fatal(err)
	}

	// A service that ignores the window brings an old entry once more.
	again := func(change func(*auditlog.Entry)) {
		old := s.log[2]
		change(&old)

		o := s.options(store)
		o.Service = stubborn{s, old}
		o.Format = format.Parquet
		o.Compression = format.Uncompressed

		if r, err := run(o); err != nil || r.Added != 1 {
			t.Fatal(r.Added, err)
		}
	}
	read := func() (int, auditlog.Completeness, error) {
		var c auditlog.Completeness

		entries, err := collect(openReader(t, store, s.Info()).Read(t.Context(),
			auditlog.Query{Window: auditlog.Window{Start: begin, End: s.now}}, &c))

		return len(entries), c, err
	}

	again(func(e *auditlog.Entry) {
		e.Raw = []byte(`{ "n" : 2 }`)
		e.Raw = bytes.Replace(s.log[2].Raw, []byte(":"), []byte(" : "), 1)
	})

	if n, c, err := read(); n != 6 || c.DuplicatesDropped != 1 || c.RowsFetched != 7 || *c.ClaimedTotal != 7 ||
		err != nil {
		t.Errorf("%d, %+v, %v", n, c, err)
	}

	again(func(e *auditlog.Entry) { e.Action = "nothing" })

	if n, _, err := read(); !errors.Is(err, archive.ErrBroken) || !strings.Contains(err.Error(), "/00000003-") {
		t.Errorf("%d, %v", n, err)
	}
}

type stubborn struct {
	*copies

	entry auditlog.Entry
}

func (s stubborn) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		*c = auditlog.Completeness{Window: q.Window, Proof: auditlog.ProofExports}

		yield(s.entry, nil)
	}
}

// TestReaderFilterOptions are read off the window.
func TestReaderFilterOptions(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	got, err := openReader(t, f.store, f.w.service.Info()).FilterOptions(t.Context(),
		auditlog.Query{Window: auditlog.Window{Start: begin, End: begin.AddDate(0, 0, 2)}})
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(auditlog.FilterOptions{
		Actions: []string{"create", "delete", "update"}, Operations: []string{"create", "delete", "update"},
		Origins:       []string{"api"},
		ResourceTypes: []string{"server"}, OriginOfValues: auditlog.FromLog,
	}, got); diff != "" {
		t.Error(diff)
	}
}

// TestReaderEndsEarly: whoever has seen enough leaves nothing running.
func TestReaderEndsEarly(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	watched := &noted{Store: f.store}
	r := openReader(t, watched, f.w.service.Info())

	var c auditlog.Completeness

	for _, err := range r.Read(t.Context(),
		auditlog.Query{Window: auditlog.Window{Start: begin, End: begin.AddDate(0, 0, 7)}}, &c) {
		if err != nil {
			t.Error(err)
		}

		break
	}

	// Nothing reads any more, so nobody else looks at the keys.
	if c.Proof != "" || c.ClaimedTotal != nil || len(watched.keys) > 4+1+4 {
		t.Errorf("%+v after reading %v", c, watched.keys)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if _, err := collect(r.Read(ctx, auditlog.Query{Window: auditlog.Window{Start: begin, End: begin.AddDate(0, 0, 7)}},
		&c)); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
