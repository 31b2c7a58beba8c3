// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

// Strategy says by which of the service's endpoints its log is read.
type Strategy string

const (
	// StrategyPages reads the list page by page.
	StrategyPages Strategy = "pages"
	// StrategyStream reads the export, which is the whole log in one answer, and falls
	// back to pages where it cannot prove that nothing is missing.
	StrategyStream Strategy = "stream"
	// StrategyAuto takes whichever of both takes less time; see worthStreaming.
	StrategyAuto Strategy = "auto"
)

// Strategies lists the strategies, the default first.
func Strategies() []string {
	return []string{string(StrategyAuto), string(StrategyPages), string(StrategyStream)}
}

// WithStrategy makes the service read by another strategy than StrategyPages. It must be
// called before anything is read.
func (s *Service) WithStrategy(strategy Strategy) *Service {
	s.strategy = strategy

	return s
}

const (
	// fewPages are read sooner than anything is found out about the export.
	fewPages = 2 * sliceMax / pageLimit
	// streamRate is how many records a second the export is expected to bring. Pages
	// bring theirs as fast, apart from what their requests take.
	streamRate = 50_000
	// shortestTrip is the least that is taken for a request, however near the service is.
	shortestTrip = time.Millisecond
)

// worthStreaming says whether reading the export takes less time than walking over
// pages, where matching is how many records the walk would bring, whole how many the log
// has, trip how long a request takes, and concurrency how many may be under way at once.
// The walk costs its requests and the records that it brings; the stream costs a few
// requests for totals and all records of the log.
func worthStreaming(matching, whole int64, concurrency int, trip time.Duration) bool {
	requests := (matching + pageLimit - 1) / pageLimit
	if requests <= fewPages {
		return false
	}

	seconds := max(trip, shortestTrip).Seconds()
	walk := float64(requests)*seconds/float64(max(concurrency, 1)) + float64(matching)/streamRate
	stream := streamRequests*seconds + float64(max(whole, matching))/streamRate

	return stream < walk
}

// streamRequests is how many requests a stream takes, the totals before and after it
// included.
const streamRequests = 4

// entries yields what the pages or the stream bring.
func (s *Service) entries(ctx context.Context, r *reading) iter.Seq2[[]auditlog.Entry, error] {
	if s.strategy != StrategyAuto && s.strategy != StrategyStream {
		return r.slices(ctx)
	}

	return func(yield func([]auditlog.Entry, error) bool) {
		st := &streaming{reading: r, clock: s.clock}

		if s.strategy == StrategyAuto {
			leave := false
			r.leave = func(total int64) bool {
				r.leave = nil // It is asked once, before anything is yielded.
				leave = st.worth(ctx, total)

				return leave
			}

			r.slices(ctx)(yield)

			if !leave {
				return
			}
		}

		switch err := st.read(ctx, yield); {
		case err == nil, st.stopped:
		case ctx.Err() != nil:
			yield(nil, ended(err))
		default:
			st.fallBack(ctx, err)(yield)
		}
	}
}

// ended is the error of a reading whose context has ended.
func ended(err error) error {
	switch typed := (*client.Error)(nil); {
	case errors.As(err, &typed):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return problem(client.KindDeadline, 0, err)
	default:
		return problem(client.KindCanceled, 0, err)
	}
}

var (
	errStopped  = errors.New("whoever reads has enough")
	errDisorder = errors.New("the export came oldest first for a while, and then brought an event that is much older")
	errMixture  = errors.New("the export was given up after a part of it had been used, and the list does not begin with the same events")
	errMoved    = errors.New("the log changed while it was exported")
	errCrowded  = errors.New("there is an event in every second around the bounds of what was asked for")
)

// streaming is a reading of the export under way.
type streaming struct {
	*reading

	clock   auditlog.Clock
	stopped bool       // whoever reads has enough
	wanted  url.Values // the filters that the list would be given

	whole int64 // how many records the log has, asked for once; zero where it was not

	asked  slice // what the totals are asked for
	events edges // the different events that came, counted
	spool  spool
	sorted bool // the export comes oldest first, and is yielded as it comes
	rows   int64
	twice  int64

	// counted is the last event that was counted, and hashes has those of the ids of all
	// that were, in the place of ids. Two events of one id would be counted for two, and
	// make up for a missing one.
	counted item
	hashes  spool
	// given is what was yielded, and last the last of it.
	given given
	last  item
	// recent are the newest events of it, in order, and ids theirs.
	recent []item
	ids    map[string]bool
}

// given sums up entries: how many, and what they say.
type given struct {
	count int64
	hash  maphash.Hash
}

func (g *given) add(e *auditlog.Entry) {
	g.count++

	var head [20]byte

	binary.LittleEndian.PutUint64(head[:], uint64(e.Time.Unix()))        //nolint:gosec // Only equality counts.
	binary.LittleEndian.PutUint32(head[8:], uint32(e.Time.Nanosecond())) //nolint:gosec // As above.
	binary.LittleEndian.PutUint32(head[12:], uint32(len(e.ID)))          //nolint:gosec // As above.
	binary.LittleEndian.PutUint32(head[16:], uint32(len(e.Raw)))         //nolint:gosec // As above.

	_, _ = g.hash.Write(head[:]) // It takes everything.
	_, _ = g.hash.WriteString(e.ID)
	_, _ = g.hash.Write(e.Raw)
}

// worth asks how large the whole log is, and how long that takes.
func (st *streaming) worth(ctx context.Context, matching int64) bool {
	if matching <= fewPages*pageLimit {
		return false
	}

	begun := st.clock()

	// Where the total cannot be told, neither can the stream be proven.
	if err := st.measure(ctx); err != nil {
		return false
	}

	return worthStreaming(matching, st.whole, st.client.MaxConcurrency(), st.clock().Sub(begun))
}

// measure asks how many records the whole log has.
func (st *streaming) measure(ctx context.Context) (err error) {
	const day = 24 * time.Hour

	now := ceilSecond(st.clock())
	all := slice{from: now.Add(-max(st.c.Retention, DefaultRetention) - day), to: now.Add(day)}

	if st.span.from.Before(all.from) {
		all.from = st.span.from
	}

	st.whole, err = st.total(ctx, all)

	return err
}

// total asks the list how many records of a span there are, by any filter.
func (st *streaming) total(ctx context.Context, span slice) (int64, error) {
	pages := client.OffsetWalk[auditlog.Entry]{
		Path: ListPath, Limit: 1, TotalHeader: TotalHeader, Decode: DecodeList, Query: url.Values{
			"created_after":  {span.from.UTC().Format(time.RFC3339)},
			"created_before": {span.to.UTC().Format(time.RFC3339)},
		},
	}

	for page, err := range pages.Pages(ctx, st.client) {
		if err != nil {
			return 0, err
		}

		st.heed(page.Clock)

		// Its row comes again.
		st.c.Pages++
		st.c.RowsFetched += int64(len(page.Rows))
		st.c.DuplicatesDropped += int64(len(page.Rows))

		return page.Total, nil
	}

	return 0, problem(client.KindIncomplete, 1, errors.New("no page came"))
}

// read yields the log as the export brings it, and returns nil once as many different
// events have come as the list counts.
func (st *streaming) read(ctx context.Context, yield func([]auditlog.Entry, error) bool) error {
	defer st.spool.close()
	defer st.hashes.close()

	st.c.DuplicatesDropped = st.c.RowsFetched // Whatever the pages brought so far comes again.

	before, err := st.before(ctx)
	if err != nil || !st.span.from.Before(st.span.to) {
		return err
	}

	auditlog.ProgressOf(ctx).Expect(before)

	st.wanted = st.filter
	st.events = newEdges(st.asked)
	st.ids = map[string]bool{}

	err = st.client.Stream(ctx, ExportPath, url.Values{"format": {"json"}},
		func(body io.Reader, clock *auditlog.ServiceClock) error {
			st.heed(clock)
			st.c.Pages++

			return st.receive(ctx, &scanner{body: body}, yield)
		})
	if err != nil {
		return err
	}

	if err := st.count(st.spool.all(true)); err != nil {
		return err
	}

	if err := st.prove(ctx, before); err != nil {
		return err
	}

	if err := st.drain(ctx, st.spool.all(false), yield); err != nil {
		return err
	}

	st.c.RowsFetched += st.rows
	st.c.DuplicatesDropped += st.twice
	st.c.RowsFilteredOut += st.rows - st.twice - st.given.count
	*st.c.ClaimedTotal += before

	return nil
}

// before asks for the total of what the export will be held against. What has not
// happened yet by the service's clock is not part of it.
func (st *streaming) before(ctx context.Context) (total int64, err error) {
	if st.whole == 0 {
		if err := st.measure(ctx); err != nil {
			return 0, err
		}
	}

	const tries = 3

	for range tries {
		st.asked = st.span

		if total, err = st.total(ctx, st.asked); err != nil || st.span == st.asked {
			return total, err
		}
	}

	return total, nil
}

// prove holds what came against totals that are asked for once the export has come. The
// times that events show may be rounded, so that whether one at a bound counts is not
// known: the bounds are where no event is.
func (st *streaming) prove(ctx context.Context, before int64) error {
	if err := st.distinct(); err != nil {
		return err
	}

	below, above := st.events.free()
	if below < 0 || above < 0 {
		return problem(client.KindIncomplete, 0, errCrowded)
	}

	total, err := st.total(ctx, st.asked)
	if err == nil && total != before {
		err = problem(client.KindIncomplete, 0, errMoved)
	}

	if err == nil && below+above > 0 {
		total, err = st.total(ctx, slice{
			from: st.asked.from.Add(-time.Duration(below) * time.Second),
			to:   st.asked.to.Add(time.Duration(above) * time.Second),
		})
	}

	if n := st.events.count(below, above); err == nil && n != total {
		err = problem(client.KindIncomplete, 0,
			fmt.Errorf("the export brought %d different events, and the list counts %d", n, total))
	}

	return err
}

// receive takes every record of the export that may count. Those that come oldest first
// are yielded, all but the newest, which may still be overtaken; the others are kept.
func (st *streaming) receive(ctx context.Context, s *scanner, yield func([]auditlog.Entry, error) bool) error {
	// An export that never ends is told from one that grows.
	most := 2*st.whole + 10_000
	progress := auditlog.ProgressOf(ctx)

	for {
		rec, err := s.next()
		if err == io.EOF { //nolint:errorlint // The scanner returns it as it is.
			return nil
		}

		if err != nil {
			return err
		}

		progress.Read(1)

		if st.rows++; st.rows > most {
			return problem(client.KindEndless, 0, fmt.Errorf("the export has more than %d records, and the list counts %d", most, st.whole))
		}

		at, id, err := rec.key()
		if err != nil {
			return err
		}

		if !st.events.near(at) {
			continue
		}

		// One that no filter lets pass is counted, and nobody asks what else it says.
		raw := rec.raw
		if len(st.wanted) > 0 && !rec.passes(st.wanted) {
			raw = nil
		}

		st.spool.add(at, id, raw)

		if st.spool.full() {
			if err := st.makeRoom(ctx, yield); err != nil {
				return err
			}
		}
	}
}

// makeRoom yields the older half of what is in memory, where the export comes oldest
// first, and writes all of it to a file where it does not.
func (st *streaming) makeRoom(ctx context.Context, yield func([]auditlog.Entry, error) bool) error {
	if !st.sorted && len(st.spool.runs) == 0 {
		st.sorted = st.spool.oldestFirst(auditlog.OrderMargin)
	}

	if !st.sorted {
		return st.spool.spill()
	}

	st.spool.sort()
	n := (len(st.spool.keys) + 1) / 2

	if err := st.count(st.spool.first(n, true)); err != nil {
		return err
	}

	if err := st.drain(ctx, st.spool.first(n, false), yield); err != nil {
		return err
	}

	st.spool.keep(n)

	return nil
}

// count counts the different events of a source, and those that came before.
func (st *streaming) count(from source) error {
	var id []byte // The last one, where a source overwrites it.

	for {
		i, err := from.next()
		if err == io.EOF { //nolint:errorlint // Sources return it as it is.
			return nil
		}

		if err != nil {
			return err
		}

		order := 1
		if st.counted.id != nil {
			order = i.compare(&st.counted)
		}

		switch {
		case order < 0:
			return problem(client.KindIncomplete, 0, errDisorder)
		case order == 0:
			st.twice++
		default:
			st.events.add(i.at)

			if err := st.note(i.id); err != nil {
				return err
			}

			id = append(id[:0], i.id...)
			st.counted = item{at: i.at, id: id}
		}
	}
}

// mostHashes is how many hashes are in memory at once.
const mostHashes = 16 << 10

// note remembers the id of an event that was counted.
func (st *streaming) note(id []byte) error {
	var hash [8]byte

	binary.BigEndian.PutUint64(hash[:], maphash.Bytes(st.given.hash.Seed(), id))
	st.hashes.add(time.Time{}, hash[:], nil)

	if len(st.hashes.keys) < mostHashes {
		return nil
	}

	return st.hashes.spill()
}

// distinct fails where two events that were counted have one id. Where two ids have one
// hash, which hardly happens, it fails as well, and the pages are read.
func (st *streaming) distinct() error {
	var last []byte

	for all := st.hashes.all(true); ; {
		i, err := all.next()
		if err == io.EOF { //nolint:errorlint // Sources return it as it is.
			return nil
		}

		if err != nil {
			return err
		}

		if last != nil && string(last) == string(i.id) {
			return problem(client.KindShape, 0, errTwoEvents)
		}

		last = append(last[:0], i.id...)
	}
}

// key returns what the record is sorted by.
func (s *scanned) key() (time.Time, []byte, error) {
	var at time.Time

	if s.simple && at.UnmarshalText(s.raw[s.time.from:s.time.to]) == nil {
		return at.UTC(), s.raw[s.id.from:s.id.to], nil
	}

	e, err := entryOf(s.raw)

	return e.Time, []byte(e.ID), err
}

const (
	// batch is how many records are decoded at once, and batchesAhead how many batches are
	// before they are wanted.
	batch        = 256
	batchesAhead = 4
)

// job is a batch of records that somebody decodes. Its entries are there once it is done.
type job struct {
	items   []item
	entries []auditlog.Entry
	err     error
	done    chan struct{}
}

func (j *job) decode() {
	defer close(j.done)

	j.entries = make([]auditlog.Entry, len(j.items))

	for i := range j.items {
		if j.entries[i], j.err = j.items[i].entry(); j.err != nil {
			return
		}
	}
}

// drain decodes what a source has of the window and yields it. Reading, decoding and what
// is done with the entries go on side by side.
func (st *streaming) drain(ctx context.Context, from source, yield func([]auditlog.Entry, error) bool) error {
	var (
		jobs   = make(chan *job, batchesAhead)
		work   = make(chan *job)
		stop   = make(chan struct{})
		wait   sync.WaitGroup
		failed error
		window = st.c.Window
	)

	send := func(to chan<- *job, j *job) bool {
		select {
		case to <- j:
			return true
		case <-stop:
			return false
		}
	}

	wait.Go(func() {
		defer close(jobs)
		defer close(work)

		failed = st.gather(from, window, func(items []item) bool {
			j := &job{items: items, done: make(chan struct{})}

			return send(jobs, j) && send(work, j)
		})
	})

	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for j := range work {
				j.decode()
			}
		})
	}

	defer wait.Wait()
	defer close(stop)

	for j := range jobs {
		<-j.done

		if j.err != nil {
			return j.err
		}

		if err := ctx.Err(); err != nil {
			return err
		}

		entries := slices.DeleteFunc(j.entries, func(e auditlog.Entry) bool { return !st.passes(&e) })
		for i := range entries {
			st.given.add(&entries[i])
		}

		if !yield(entries, nil) {
			st.stopped = true

			return errStopped
		}
	}

	return failed
}

// gather puts the different records of the window, in batches.
func (st *streaming) gather(from source, window auditlog.Window, put func([]item) bool) error {
	var items []item

	for {
		i, err := from.next()
		if err == io.EOF { //nolint:errorlint // Sources return it as it is.
			if len(items) > 0 {
				put(items)
			}

			return nil
		}

		if err != nil {
			return err
		}

		if !window.Contains(i.at) {
			continue
		}

		if again, err := st.again(&i); err != nil {
			return err
		} else if again || len(i.raw) == 0 {
			continue
		}

		if items == nil {
			items = make([]item, 0, batch)
		}

		if items = append(items, i); len(items) == batch {
			if !put(items) {
				return nil
			}

			items = nil
		}
	}
}

// entry decodes a record. Its keys are held against those that it was sorted by.
func (i *item) entry() (auditlog.Entry, error) {
	e, err := entryOf(i.raw)
	if err == nil && (!e.Time.Equal(i.at) || e.ID != string(i.id)) {
		err = errTwoKeys
	}

	return e, err
}

var errTwoKeys = errors.New("an event has its time or its id twice")

// again says whether an event was yielded before. They come in order here, so that the
// same one comes twice in a row.
func (st *streaming) again(i *item) (bool, error) {
	if st.last.id != nil && i.compare(&st.last) == 0 {
		return true, st.sameAsLast(i)
	}

	st.last = *i

	// Two events of one id would be two of a slice of pages, too.
	for len(st.recent) > 0 && st.recent[0].at.Before(i.at.Add(-overlap)) {
		delete(st.ids, string(st.recent[0].id))
		st.recent = st.recent[1:]
	}

	if st.ids[string(i.id)] {
		return false, problem(client.KindShape, 0, errTwoEvents)
	}

	st.ids[string(i.id)] = true
	st.recent = append(st.recent, item{at: i.at, id: i.id})

	return false, nil
}

// sameAsLast refuses another event that has the id of the last one.
func (st *streaming) sameAsLast(i *item) error {
	if string(i.raw) == string(st.last.raw) {
		return nil
	}

	if len(i.raw) == 0 || len(st.last.raw) == 0 {
		return problem(client.KindShape, 0, errTwoEvents) // The filters let one pass only.
	}

	first, err := entryOf(st.last.raw)
	if err != nil {
		return err
	}

	second, err := entryOf(i.raw)
	if err == nil && !sameEvent(first, second) {
		err = problem(client.KindShape, 0, errTwoEvents)
	}

	return err
}

// fallBack reads by pages after the export has failed. What was yielded of it is not
// yielded again: the pages have to begin with the same.
func (st *streaming) fallBack(ctx context.Context, reason error) iter.Seq2[[]auditlog.Entry, error] {
	st.client.Tell(ctx, "Audit log export given up, reading by pages", map[string]any{
		"reason": reason.Error(), "records": st.rows, "used": st.given.count,
	})

	// What the export brought has been fetched before the pages bring it.
	st.c.SecondPass = st.c.SecondPass || st.rows > 0
	st.c.RowsFetched += st.rows
	st.c.DuplicatesDropped += st.rows

	if st.given.count == 0 {
		return st.slices(ctx)
	}

	// How the service filters need not be how we do.
	st.filter = nil

	return st.held(st.slices(ctx))
}

// passes says whether an event may pass the filters. The others are counted, and not
// yielded, as if the service had not brought them.
func (st *streaming) passes(e *auditlog.Entry) bool {
	return passes(st.wanted, e.Action, e.Origin, e.ResourceType)
}

// held holds the beginning of the pages against what was yielded, and yields the rest.
func (st *streaming) held(pages iter.Seq2[[]auditlog.Entry, error]) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		var now given

		now.hash.SetSeed(st.given.hash.Seed())

		for entries, err := range pages {
			if err != nil {
				yield(nil, err)

				return
			}

			rest := make([]auditlog.Entry, 0, len(entries))

			for i := range entries {
				if now.count == st.given.count || !st.c.Window.Contains(entries[i].Time) || !st.passes(&entries[i]) {
					rest = append(rest, entries[i])

					continue
				}

				if now.add(&entries[i]); now.count == st.given.count && now.hash.Sum64() != st.given.hash.Sum64() {
					yield(nil, problem(client.KindDisagreement, 0, errMixture))

					return
				}
			}

			if !yield(rest, nil) {
				return
			}
		}

		if now.count < st.given.count {
			yield(nil, problem(client.KindDisagreement, 0, errMixture))
		}
	}
}

// reach is how many seconds around a bound are looked at for one without an event.
const reach = 60

// edges counts events in a span, and second by second those around its bounds.
type edges struct {
	from, to     int64 // seconds since 1970
	inner        int64 // those between the bounds, the bounds excluded
	below, above [reach + 1]edge
}

// edge counts the events at a second, and those between it and the next one away from
// the span.
type edge struct{ at, beyond int64 }

func newEdges(s slice) edges { return edges{from: s.from.Unix(), to: s.to.Unix()} }

// near says whether an event may count.
func (e *edges) near(t time.Time) bool {
	sec := t.Unix()

	return sec >= e.from-reach && sec <= e.to+reach
}

func (e *edges) add(t time.Time) {
	sec, whole := t.Unix(), t.Nanosecond() == 0

	switch {
	case sec >= e.to && whole:
		e.above[sec-e.to].at++
	case sec >= e.to:
		e.above[sec-e.to].beyond++
	case sec > e.from || sec == e.from && !whole:
		e.inner++
	case whole:
		e.below[e.from-sec].at++
	default:
		e.below[e.from-sec-1].beyond++
	}
}

// free returns how far outside of each bound the next second is that no event can be
// rounded to, -1 where there is none.
func (e *edges) free() (below, above int) {
	next := func(of *[reach + 1]edge) int {
		for i := range of {
			if of[i] == (edge{}) {
				return i
			}
		}

		return -1
	}

	return next(&e.below), next(&e.above)
}

// count returns how many events lie between the bounds, each moved out by as many
// seconds.
func (e *edges) count(below, above int) int64 {
	n := e.inner

	for _, side := range [][]edge{e.below[:below], e.above[:above]} {
		for _, second := range side {
			n += second.at + second.beyond
		}
	}

	return n
}
