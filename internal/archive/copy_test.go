// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// copies is a service that knows a log from files alone, each of a span of time.
type copies struct {
	// before is how long before the first file the archive begins.
	before  time.Duration
	log     []auditlog.Entry
	spans   []auditlog.Window
	present []bool
	now     time.Time
	// disorder lets neighbours of a day change places.
	disorder bool
}

func (s *copies) Info() auditlog.Info {
	return auditlog.Info{
		Name: auditlog.ServicePodStack, Title: "PodStack", FilledLater: true, Retention: 24 * time.Hour,
		Operations:  auditlog.Operations(),
		OperationOf: func(action string) auditlog.Operation { return auditlog.Operation(action) },
	}
}

func (s *copies) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

// holds says whether a file that is there has what happened then.
func (s *copies) holds(at time.Time) bool {
	for i, w := range s.spans {
		if s.present[i] && w.Contains(at) {
			return true
		}
	}

	return false
}

// gaps are what no file that is there spans of the window.
func (s *copies) gaps(w auditlog.Window) []auditlog.Window {
	var gaps []auditlog.Window

	at := w.Start

	for at.Before(w.End) {
		reached := at
		next := w.End

		for i, span := range s.spans {
			switch {
			case !s.present[i]:
			case span.Contains(at) && span.End.After(reached):
				reached = span.End
			case span.Start.After(at) && span.Start.Before(next):
				next = span.Start
			}
		}

		if reached.After(at) {
			at = reached

			continue
		}

		gaps = append(gaps, auditlog.Window{Start: at, End: next})
		at = next
	}

	return gaps
}

func (s *copies) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.Completeness{Window: q.Window}

	page := slices.DeleteFunc(slices.Clone(s.log), func(e auditlog.Entry) bool { return !s.holds(e.Time) })
	c.RowsFetched = int64(len(page))

	for i := 1; s.disorder && i < len(page); i += 2 {
		if page[i].Time.Truncate(24 * time.Hour).Equal(page[i-1].Time.Truncate(24 * time.Hour)) {
			page[i], page[i-1] = page[i-1], page[i]
		}
	}

	return func(yield func(auditlog.Entry, error) bool) {
		for e, err := range auditlog.Select(q, s.Info(), c, auditlog.ProofExports,
			func(yield func([]auditlog.Entry, error) bool) { yield(page, nil) }) {
			if !yield(e, err) {
				return
			}
		}

		c.Gaps = s.gaps(q.Window)
	}
}

// copiesOf is a log over some days, and files of it that overlap and touch.
func copiesOf(seed uint64, days, entries, files int) *copies {
	random := rand.New(rand.NewPCG(seed, 2))
	length := time.Duration(days) * 24 * time.Hour
	s := &copies{present: make([]bool, files), now: begin.Add(length + time.Hour), before: 48 * time.Hour}

	for i := range entries {
		s.log = append(s.log, auditlog.Entry{
			ID: fmt.Sprintf("%06d", i), Time: begin.Add(time.Duration(random.Int64N(int64(length)))).Truncate(time.Microsecond),
			Service: auditlog.ServicePodStack,
			Action:  []string{"create", "delete", "login"}[random.IntN(3)], ActorType: auditlog.ActorUser,
			Actor:        fmt.Sprintf("user-%d", random.IntN(4)),
			ResourceType: []string{"pod", "token"}[random.IntN(2)], ResourceID: fmt.Sprintf("r-%d", random.IntN(9)),
			IPAddress: fmt.Sprintf("192.0.2.%d", random.IntN(9)),
			Raw:       fmt.Appendf(nil, `{"n":%d}`, i),
		})
		s.log[i].Operation = auditlog.Operation(s.log[i].Action)
	}

	slices.SortFunc(s.log, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	cuts := []time.Time{begin, begin.Add(length)}
	for range files - 1 {
		cuts = append(cuts, begin.Add(time.Duration(random.Int64N(int64(length)))).Truncate(time.Second))
	}

	slices.SortFunc(cuts, time.Time.Compare)

	for i := range files {
		w := auditlog.Window{Start: cuts[i], End: cuts[i+1]}
		if i > 0 && random.IntN(3) == 0 {
			w.Start = w.Start.Add(-6 * time.Hour)
		}

		s.spans = append(s.spans, w)
	}

	return s
}

func (s *copies) options(store durable.Store) archive.Options {
	return archive.Options{
		Store: store, Service: s, Format: format.NDJSON, Compression: format.Uncompressed, Start: begin.Add(-s.before),
		Clock: func() time.Time { return s.now }, Tool: "test",
	}
}

func infoOf(info auditlog.Info) func(string) (auditlog.Info, bool) {
	return func(service string) (auditlog.Info, bool) { return info, service == info.Name }
}

func openReader(tb failer, store durable.Store, info auditlog.Info) *archive.Reader {
	tb.Helper()

	r, err := archive.OpenReader(context.Background(), store, archive.ReaderOptions{InfoOf: infoOf(info)})
	if err != nil {
		tb.Fatal(err)
	}

	return r
}

func run(o archive.Options) (archive.Result, error) {
	a, err := archive.Open(context.Background(), o)
	if err != nil {
		return archive.Result{}, err
	}

	return a.Append(context.Background())
}

func pending(tb failer, o archive.Options) archive.Pending {
	tb.Helper()

	a, err := archive.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}

	p, err := a.Pending(context.Background(), 1000)
	if err != nil {
		tb.Fatal(err)
	}

	return p
}

// TestCopiesArriveInAnyOrder: whichever files come first, and wherever runs crash,
// the archive claims no more than it holds, says of everything else that it is not
// known, and in the end holds each entry once.
func TestCopiesArriveInAnyOrder(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		s := copiesOf(rapid.Uint64().Draw(t, "log"), 12, 60, rapid.IntRange(1, 6).Draw(t, "files"))
		order := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range s.spans {
				if !yield(i) {
					return
				}
			}
		})).Draw(t, "order")
		store := newMemory()

		// With nothing before the first file, a first run has no gap to give up.
		if rapid.Bool().Draw(t, "from the first file on") {
			s.before = 0
		}

		var (
			known   *archive.Checkpoint
			covered time.Time
		)

		for _, file := range order {
			s.present[file] = true
			s.now = s.now.Add(time.Hour)

			if rapid.Bool().Draw(t, "skip") && file != order[len(order)-1] {
				continue
			}

			if at := rapid.IntRange(0, 9).Draw(t, "crash"); at > 0 {
				o := s.options(store)
				o.Store = &crashing{Store: store, at: at, after: rapid.Bool().Draw(t, "after")}
				_, err := run(o)

				if err != nil && !errors.Is(err, errCrash) {
					t.Fatal(err)
				}

				s.checkClaims(t, store)
			}

			o := s.options(store)
			o.Known, o.CoveredUntil = known, covered

			r, err := run(o)
			if err != nil {
				t.Fatal(err)
			}

			// What lies before all there is when an archive begins is given up, and
			// nothing else that nobody gave up.
			if r.Lost != nil && r.Lost.From.After(s.options(store).Start) {
				t.Fatalf("%v was given up", *r.Lost)
			}

			if r.CoveredUntil.Before(covered) {
				t.Fatalf("covered until %s, then until %s", covered, r.CoveredUntil)
			}

			known, covered = remembered(t, r), r.CoveredUntil
			s.checkClaims(t, store)

			// Nothing changes any more until another file comes.
			s.now = s.now.Add(time.Hour)
			o = s.options(store)
			o.Known, o.CoveredUntil = known, covered

			if p := pending(t, o); p.Count != 0 || !p.CoveredUntil.Equal(covered) {
				t.Fatalf("right after a run %+v is pending, %s was covered", p, covered)
			}

			if again, err := run(o); err != nil || again.Head != r.Head || again.Checkpoint != r.Checkpoint ||
				!again.CoveredUntil.Equal(covered) {
				t.Fatalf("a run with nothing new: %+v, %v", again, err)
			}
		}

		got := archived(t, store)
		lost := s.lost(t, store)

		for _, e := range s.log {
			if _, ok := got[e.ID]; !ok && !lost.Contains(e.Time) {
				t.Fatalf("%s of %s is not archived, and not given up: %s", e.ID, e.Time, lost)
			}
		}

		// All files are there, so everything is covered up to the end of the last.
		if end := begin.Add(12 * 24 * time.Hour); len(s.log) == len(got) && !covered.Equal(end) {
			t.Fatalf("covered until %s, not %s", covered, end)
		}
	})
}

// lost is what the archive gave up when it began.
func (s *copies) lost(t *rapid.T, store durable.Store) auditlog.Window {
	report, err := archive.Verify(context.Background(), store, archive.VerifyOptions{})
	if err != nil || !report.Valid {
		t.Fatalf("%+v, %v", report, err)
	}

	if len(report.Gaps) > 1 {
		t.Fatalf("gaps are %v", report.Gaps)
	}

	for _, g := range report.Gaps {
		return auditlog.Window{Start: g.From, End: g.To}
	}

	return auditlog.Window{}
}

// checkClaims: whatever happened that is not archived lies in a gap.
func (s *copies) checkClaims(t *rapid.T, store *memory) {
	r, err := archive.OpenReader(context.Background(), store, archive.ReaderOptions{InfoOf: infoOf(s.Info())})
	if errors.Is(err, archive.ErrNone) {
		return
	}

	if err != nil {
		t.Fatal(err)
	}

	got := archived(t, store)
	gaps := r.Gaps(auditlog.Window{Start: begin.AddDate(-1, 0, 0), End: s.now})

	for _, e := range s.log {
		if _, ok := got[e.ID]; ok {
			continue
		}

		if !slices.ContainsFunc(gaps, func(w auditlog.Window) bool { return w.Contains(e.Time) }) {
			t.Fatalf("%s of %s is not archived, and the gaps are %v", e.ID, e.Time, gaps)
		}
	}
}

// TestGapsOfCopies follows one archive by hand.
func TestGapsOfCopies(t *testing.T) {
	t.Parallel()

	day := func(n int) time.Time { return begin.AddDate(0, 0, n) }
	s := &copies{
		now: day(20), present: make([]bool, 4),
		spans: []auditlog.Window{
			{Start: day(1), End: day(3)},
			{Start: day(3), End: day(5)},
			{Start: day(5), End: day(7)},
			{Start: day(9), End: day(11)},
		},
	}

	for i := range 12 {
		s.log = append(s.log, auditlog.Entry{
			ID: fmt.Sprint(i), Time: day(i).Add(time.Hour),
			Service: auditlog.ServicePodStack, Action: "create", Operation: auditlog.OperationCreate,
			ActorType: auditlog.ActorUser,
		})
	}

	store := newMemory()

	step := func(name string, accept, added int64, covered time.Time, gaps ...auditlog.Window) archive.Result {
		t.Helper()

		o := s.options(store)
		o.Start, o.AcceptGapAfter = day(0), accept

		r, err := run(o)
		if err != nil {
			t.Fatal(name, err)
		}

		if r.Added != added || !r.CoveredUntil.Equal(covered) || fmt.Sprint(r.Gaps) != fmt.Sprint(gaps) {
			t.Errorf("%s: added %d, covered until %s, gaps %v", name, r.Added, r.CoveredUntil, r.Gaps)
		}

		return r
	}

	step("nothing yet", 0, 0, day(0))

	s.present[0] = true
	if r := step("the first begins the archive", 0, 2, day(3)); r.Lost == nil || !r.Lost.To.Equal(day(1)) {
		t.Errorf("lost is %v", r.Lost)
	}

	s.present[2] = true
	missing := auditlog.Window{Start: day(3), End: day(5)}
	r := step("the second is missing", 0, 2, day(3), missing)
	step("still", 0, 0, day(3), missing)

	if got := fmt.Sprint(openReader(t, store, s.Info()).Gaps(auditlog.Window{Start: day(0), End: day(30)})); got !=
		fmt.Sprint([]auditlog.Window{{Start: day(0), End: day(1)}, missing, {Start: day(7), End: day(30)}}) {
		t.Errorf("the gaps are %s", got)
	}

	step("nothing to record it with", r.Head.Sequence, 0, day(3), missing)

	s.present[3] = true
	later := auditlog.Window{Start: day(7), End: day(9)}
	r = step("given up", r.Head.Sequence, 2, day(7), later)

	if r.Lost == nil || !r.Lost.From.Equal(day(3)) || !r.Lost.To.Equal(day(5)) {
		t.Errorf("lost is %v", r.Lost)
	}

	step("one at a time", 2, 0, day(7), later)

	// It comes after all: too late, and nothing is archived twice.
	s.present[1] = true
	step("too late", 0, 0, day(7), later)

	s.spans, s.present = append(s.spans, later), append(s.present, true)
	step("the last gap is filled", 0, 2, day(11))
	archived(t, store)
	checkVerifies(t, store, archive.VerifyOptions{})
}

// A cloud's reading has no gaps; one that has is not believed.
func TestGapsOfNoCopy(t *testing.T) {
	t.Parallel()

	s := copiesOf(1, 5, 20, 2)
	s.present[1] = true

	o := s.options(newMemory())
	o.Service = notACopy{s}

	if _, err := run(o); err == nil || err.Error() != "the service is no copy, and yet its reading has gaps" {
		t.Errorf("got %v", err)
	}
}

type notACopy struct{ *copies }

func (s notACopy) Info() auditlog.Info {
	info := s.copies.Info()
	info.FilledLater, info.Retention = false, 1000*24*time.Hour

	return info
}
