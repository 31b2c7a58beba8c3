// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

const (
	// pageLimit is the largest page that any source names. What comes back may be
	// smaller; carefulLimit is what every source allows.
	pageLimit    = 200
	carefulLimit = 100

	// A slice of time is read and proven as a whole before anything of it is
	// yielded, so its size bounds both memory and what has to be repeated. The
	// largest slice is well below the 50 pages of 50 rows from which on an offset
	// that counts pages could be mistaken for one that counts rows.
	sliceTarget = 1500
	sliceMax    = 2400
	sliceBytes  = 32 << 20
	mostParts   = 64

	// A slice of one second cannot be cut any further. What it may hold is far beyond
	// any burst, so that a service which claims ever more is told from one.
	secondMax   = 20_000
	secondBytes = 64 << 20

	// rounding is how far the time that an event shows may be from the one that the
	// service compares with the bounds of a request: one of both may be rounded to
	// whole seconds, up or down.
	rounding = time.Second

	// overlap is how far the request for a slice reaches into each neighbour, so that
	// an event at an edge comes with both, however its time is rounded, and one that
	// comes with only one of them is noticed.
	overlap = 2 * rounding
)

var (
	errOutside   = errors.New("an event is dated outside of the window that was asked for")
	errTwoEvents = errors.New("two different events have the same cloud_event_id")
)

// pageSizes are those at which a page may have been cut whatever was asked for: the
// default, and the two limits that are documented.
var pageSizes = []int{50, carefulLimit, pageLimit}

// Read implements auditlog.Service. The window is cut into slices of time, each
// read until it is proven to be whole; entries come oldest first, ties by id.
func (s *Service) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.info.Retention, s.clock())
	c.ClaimedTotal = new(int64)
	c.Source = s.info.Source

	r := &reading{
		client: s.client,
		// Bounds are whole seconds, as far out as an event of the window can be once it
		// is rounded; what that lets in is filtered out again.
		span:  slice{from: ceilSecond(q.Window.Start).Add(-rounding), to: ceilSecond(q.Window.End)},
		seen:  map[string]time.Time{},
		delay: q.SettleDelay,
		c:     c, progress: auditlog.ProgressOf(ctx),
	}

	return auditlog.Select(q, s.info, c, auditlog.ProofTotal, func(yield func([]auditlog.Entry, error) bool) {
		c.Source = s.Identify(ctx)
		r.filter = s.pushdown(ctx, q)
		s.entries(ctx, r)(yield)
	})
}

func ceilSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// slice is a half-open span of whole seconds.
type slice struct{ from, to time.Time }

func (s slice) contains(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }
func (s slice) length() time.Duration     { return s.to.Sub(s.from) }

// holdsTooMany says that a slice should be read in smaller ones, where it can be.
func (s slice) holdsTooMany(total int64) bool { return s.length() > time.Second && total > sliceMax }

// asked is the span that the request for a part of the slice names.
func (s slice) asked(part slice) slice {
	a := slice{from: part.from.Add(-overlap), to: part.to.Add(overlap)}

	if a.from.Before(s.from) {
		a.from = s.from
	}

	if a.to.After(s.to) {
		a.to = s.to
	}

	return a
}

// parts cuts a slice that holds too many events to be proven at once into some of the
// same length, as many as the events need if they are spread evenly.
func (s slice) parts(total int64) []slice {
	seconds := int64(s.length() / time.Second)
	n := min(max((total+sliceTarget-1)/sliceTarget, 2), mostParts, seconds)
	parts := make([]slice, n)

	for i := range n {
		from, to := seconds*i/n, seconds*(i+1)/n
		parts[i] = slice{
			from: s.from.Add(time.Duration(from) * time.Second), to: s.from.Add(time.Duration(to) * time.Second),
		}
	}

	return parts
}

// reading is one Read under way.
type reading struct {
	client   *client.Client
	filter   url.Values
	span     slice
	delay    time.Duration // how much of the newest is left out
	c        *auditlog.Completeness
	progress *auditlog.Progress

	// seen are the events of earlier slices that may come again, and their times.
	seen map[string]time.Time
	// distinct is how many different events the slices so far had.
	distinct int64

	// offset is what the service takes an offset to be, once a slice of several
	// pages has proven it.
	offset       client.OffsetReading
	offsetProven bool

	// leave is asked once, where it is set, when a slice is too large; what it is told
	// is how many events the slice has. Where it says so, nothing is read by pages.
	leave func(total int64) bool

	// ahead has pages before they are asked for.
	ahead *ahead
}

// slices yields the entries of one proven slice after the other. One that holds too
// many events is cut into parts.
func (r *reading) slices(ctx context.Context) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		r.ahead = newAhead(ctx, r)
		defer r.ahead.stop()

		for todo := []slice{r.span}; len(todo) > 0; {
			s := todo[0]
			// The span may have been drawn back since the slice was made.
			if s.to.After(r.span.to) {
				s.to = r.span.to
			}

			if todo = todo[1:]; !s.from.Before(s.to) {
				return
			}

			r.ahead.plan(todo)

			found, total, err := r.collect(ctx, s)
			if err != nil {
				yield(nil, err)

				return
			}

			if found == nil {
				if r.leave != nil && r.leave(total) {
					return
				}

				todo = slices.Concat(s.parts(total), todo)

				continue
			}

			if !yield(r.settle(s, found, total), nil) {
				return
			}
		}
	}
}

// pile holds the different events of a slice, whichever page brought them.
type pile map[string]auditlog.Entry

// add keeps an event. It refuses another one that has the same id.
func (p pile) add(e auditlog.Entry) bool {
	if first, again := p[e.ID]; again {
		return sameEvent(first, e)
	}

	p[e.ID] = e

	return true
}

// settle books a proven slice and returns its entries in order. An event that
// came with several slices belongs to the one that holds its time.
func (r *reading) settle(s slice, found pile, total int64) []auditlog.Entry {
	entries := make([]auditlog.Entry, 0, len(found))
	fresh := int64(0)

	for id, e := range found {
		if _, again := r.seen[id]; !again {
			r.seen[id] = e.Time
			fresh++

			if !r.span.contains(e.Time) {
				r.c.RowsFilteredOut++
			}
		}

		// The span may have been drawn back while the slice was read.
		if s.contains(e.Time) && r.span.contains(e.Time) {
			entries = append(entries, e)
		}
	}

	// Whatever else was fetched had been fetched before.
	r.distinct += fresh
	r.c.DuplicatesDropped = r.c.RowsFetched - r.distinct
	*r.c.ClaimedTotal += total - (int64(len(found)) - fresh)

	// The next request begins an overlap before the end of this slice.
	maps.DeleteFunc(r.seen, func(_ string, at time.Time) bool { return at.Before(s.to.Add(-overlap - rounding)) })

	slices.SortFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	return entries
}

// unmatched counts the events that came with only one of two requests, although
// both ask for their time, however it is rounded, or that changed in between.
func (r *reading) unmatched(s slice, found pile) int {
	n := 0
	// The requests for this slice and for those before it reach further by rounding.
	here := slice{from: s.from.Add(rounding - overlap), to: s.to.Add(overlap - rounding)}
	before := slice{from: r.span.from, to: s.from.Add(overlap - rounding)}

	for id, at := range r.seen {
		if e, again := found[id]; (again && !e.Time.Equal(at)) || (!again && here.contains(at)) {
			n++
		}
	}

	for id, e := range found {
		if _, again := r.seen[id]; !again && s.from.After(r.span.from) && before.contains(e.Time) {
			n++
		}
	}

	return n
}

// collect reads a slice until it is proven, at most twice. It returns no pile
// when the slice holds more than should be proven at once.
//
// The second reading may count together with the first, but only while the total
// never shrank: an event that vanished would else make up for one that is missing.
func (r *reading) collect(ctx context.Context, s slice) (pile, int64, error) {
	found := pile{}

	var (
		last      walk
		shrank    bool
		unmatched int
	)

	for attempt, limit := range []int{pageLimit, carefulLimit} {
		second := attempt > 0
		r.c.SecondPass = r.c.SecondPass || second

		for _, offset := range r.offsets() {
			w, err := r.walk(ctx, s, limit, offset, found)
			if err != nil {
				return nil, 0, err
			}

			if w.tooLarge {
				return nil, w.total, nil
			}

			shrank = shrank || w.shrank || (last.pages > 0 && w.total < last.total)
			last, unmatched = w, r.unmatched(s, found)

			if unmatched == 0 && (w.clean() || (second && w.whole()) || (second && !shrank && int64(len(found)) == w.total)) {
				r.learn(w)

				return found, w.total, nil
			}

			if w.distinct() >= w.total {
				break // Nothing is missing that another kind of offset could find.
			}
		}
	}

	reason := fmt.Errorf("two readings brought %d different events, and the service counts %d", len(found), last.total)

	switch {
	case unmatched > 0:
		reason = fmt.Errorf("%d events came with only one of two requests that both ask for their time", unmatched)
	case int64(len(found)) == last.total:
		reason = fmt.Errorf("the service's own count changed while the events were read, and is %d now", last.total)
	}

	return nil, 0, problem(client.KindIncomplete, last.pages, reason)
}

func problem(kind client.Kind, page int, reason error) error {
	return &client.Error{Kind: kind, Method: client.Method, Path: "/" + ListPath, Page: page, Err: reason}
}

// offsets returns the kinds of offset to try: rows, as most of what is known of
// UpCloud says, then pages, as one sentence of the specification does.
func (r *reading) offsets() []client.OffsetReading {
	if r.offsetProven {
		return []client.OffsetReading{r.offset}
	}

	return []client.OffsetReading{client.OffsetRows, client.OffsetPages}
}

func (r *reading) learn(w walk) {
	if w.clean() && w.pages > 1 {
		r.offset, r.offsetProven = w.offset, true
	}
}

// walk is what one walk over the pages of a slice brought.
type walk struct {
	offset   client.OffsetReading
	pages    int
	rows     int64
	bytes    int
	ids      map[string]bool
	total    int64
	moved    bool // the total changed between two pages
	shrank   bool // and became less
	tooLarge bool
}

func (w *walk) distinct() int64 { return int64(len(w.ids)) }

// clean says that the walk shows no sign of anything missing or moving.
func (w *walk) clean() bool {
	return w.whole() && w.rows == w.distinct()
}

// whole says that the walk brought all there is by itself, some of it perhaps
// twice. What an earlier walk brought beyond that has expired since; it stays,
// since it did happen.
func (w *walk) whole() bool { return !w.moved && w.distinct() == w.total }

// list asks for the pages of a slice, as a request for one of them says.
func (r *reading) list(q request) client.OffsetWalk[auditlog.Entry] {
	asked := q.span.asked(q.slice)

	query := url.Values{}
	maps.Copy(query, r.filter)
	query.Set("created_after", asked.from.UTC().Format(time.RFC3339))
	query.Set("created_before", asked.to.UTC().Format(time.RFC3339))

	return client.OffsetWalk[auditlog.Entry]{
		Path: ListPath, Query: query, Limit: q.limit, Reading: q.reading, TotalHeader: TotalHeader, Sizes: pageSizes,
		Decode: DecodeList,
	}
}

func (r *reading) walk(ctx context.Context, s slice, limit int, offset client.OffsetReading, found pile) (walk, error) {
	w := walk{offset: offset, ids: map[string]bool{}}
	q := request{span: r.span, slice: s, limit: limit, reading: offset}
	asked, first := r.span.asked(s), q
	first.number, first.offset = 1, 0

	pages := r.list(q)
	if r.client.MaxConcurrency() > 1 {
		pages.Ask = func(ctx context.Context, number int, offset int64) (page, error) {
			q.number, q.offset = number, offset

			return r.ahead.get(ctx, q)
		}
	}

	for page, err := range pages.Pages(ctx, r.client) { //nolint:contextcheck // Requests ahead end with the reading.
		if err != nil {
			return w, err
		}

		if r.heed(page.Clock); page.Number == 1 {
			r.ahead.follow(first, r.span, page)
		}

		w.moved = w.moved || (w.pages > 0 && page.Total != w.total)
		w.shrank = w.shrank || (w.pages > 0 && page.Total < w.total)
		w.pages, w.total = page.Number, page.Total
		w.rows += int64(len(page.Rows))

		r.progress.ReadOf(len(page.Rows), page.Total)

		r.c.Pages++
		r.c.RowsFetched += int64(len(page.Rows))

		for _, e := range page.Rows {
			if e.Time.Before(asked.from.Add(-rounding)) || e.Time.After(asked.to.Add(rounding)) {
				return w, problem(client.KindShape, w.pages, errOutside)
			}

			w.bytes += len(e.Raw)
		}

		if err := w.bounded(s); err != nil || w.tooLarge {
			return w, err
		}

		for _, e := range page.Rows {
			w.ids[e.ID] = true

			if !found.add(e) {
				return w, problem(client.KindShape, w.pages, errTwoEvents)
			}
		}
	}

	return w, nil
}

// heed draws the end back to what had settled when an answer was made: what has not
// happened yet could come while it is counted.
func (r *reading) heed(clock *auditlog.ServiceClock) {
	r.c.Heed(clock, r.delay)

	if end := ceilSecond(r.c.Window.End); end.Before(r.span.to) {
		r.span.to = end
	}
}

// sameEvent says whether an event that came again says the same. The time, which a
// service may round, is held against the bounds of what was asked for.
func sameEvent(a, b auditlog.Entry) bool {
	return a.Action == b.Action && a.Origin == b.Origin && a.Actor == b.Actor && a.IPAddress == b.IPAddress &&
		a.ResourceType == b.ResourceType && a.ResourceID == b.ResourceID && a.AuthType == b.AuthType &&
		a.CorrelationID == b.CorrelationID && slices.EqualFunc(a.Changes, b.Changes, sameChange)
}

func sameChange(a, b auditlog.Change) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

	return a.Field == b.Field && same(a.Before, b.Before) && same(a.After, b.After)
}

// bounded says whether the slice is too large to be proven at once, and in an
// error that it cannot be made small enough.
func (w *walk) bounded(s slice) error {
	w.tooLarge = s.holdsTooMany(w.total) || s.length() > time.Second && w.bytes > sliceBytes

	switch {
	case w.tooLarge:
		return nil
	case w.total > secondMax:
		return problem(client.KindEndless, w.pages, fmt.Errorf("the service counts %d events around one second, and %d is the most that is read", w.total, secondMax))
	case w.bytes > secondBytes:
		return problem(client.KindEndless, w.pages,
			fmt.Errorf("the events around one second have more than %d bytes", secondBytes))
	default:
		return nil
	}
}

// DecodeList reads a page of the list.
func DecodeList(body []byte) (entries []auditlog.Entry, err error) {
	whole := false

	err = exactjson.Read(body, func(r *exactjson.Reader) {
		for key := range r.Members() {
			if string(key) != "audit_logs" || r.Null() {
				continue
			}

			whole, entries = true, make([]auditlog.Entry, 0, pageLimit)
			for range r.Elements() {
				entries = append(entries, readEntry(r))
			}
		}

		if !whole {
			r.Fail(errors.New("audit_logs is missing"))
		}
	})
	if err != nil {
		return nil, err
	}

	return entries, nil
}
