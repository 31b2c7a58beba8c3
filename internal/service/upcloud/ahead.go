// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

type page = client.Page[auditlog.Entry]

// ahead asks for pages before a reading does, several at once: the first page of a slice
// tells how many others there are and where they begin, and which slices come next is
// known as soon as the log has been cut into them. The reading itself goes from page to
// page as if there were no others. It gets a page from here only where it asks for the
// very same one; every other is thrown away, and neither proves nor counts anything.
type ahead struct {
	r      *reading                                     // its client and filter only: all else belongs to the reading
	fork   func() (context.Context, context.CancelFunc) // a context of its own for a request
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// direct says that the reading had to ask for the first page of a slice itself.
	direct bool

	mu sync.Mutex
	// behind are the slices behind the one that the reading is at.
	behind []slice
	// expected are the pages that the reading is thought to ask for, in that order.
	// Some in front are under way, or there.
	expected []*fetch
	// largest is the size of the largest page so far, in bytes.
	largest int
}

// request is one for a page.
type request struct {
	span, slice slice
	limit       int
	reading     client.OffsetReading
	number      int
	offset      int64
}

func (q request) same(o request) bool {
	a, b := q.span.asked(q.slice), o.span.asked(o.slice)

	return q.limit == o.limit && q.offset == o.offset && a.from.Equal(b.from) && a.to.Equal(b.to)
}

// compare says which of two requests the reading makes first, if it makes both. A slice
// that is cut comes before its parts.
func (q request) compare(o request) int {
	return cmp.Or(q.slice.from.Compare(o.slice.from), o.slice.to.Compare(q.slice.to), cmp.Compare(q.number, o.number))
}

// fetch is a page that is expected, and what became of it once it is done.
type fetch struct {
	request

	cancel context.CancelFunc // nil before it has begun
	ended  bool
	done   chan struct{}
	page   page
	err    error
}

func newAhead(ctx context.Context, r *reading) *ahead {
	ctx, cancel := context.WithCancel(ctx)

	return &ahead{
		r: r, cancel: cancel, fork: func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
	}
}

// plan says which slices are behind the one that is read now.
func (a *ahead) plan(behind []slice) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.behind = behind
}

// stop ends all requests that are under way.
func (a *ahead) stop() {
	a.cancel()
	a.wg.Wait()
}

// get returns a page for the reading.
func (a *ahead) get(ctx context.Context, q request) (page, error) {
	if f := a.take(q); f != nil { //nolint:contextcheck // Pages that were asked for ahead end with the reading.
		<-f.done

		return f.page, f.err
	}

	a.direct = q.number == 1

	return a.r.list(q).Page(ctx, a.r.client, q.number, q.offset)
}

// follow is told of the first page of a slice, after which the span of the reading is
// known. Where the page was not expected, what follows it is expected now.
func (a *ahead) follow(q request, span slice, first page) {
	// Nothing is asked for ahead as long as the log may be read in another way.
	undecided := a.r.leave != nil && q.slice.holdsTooMany(first.Total)

	direct := a.direct
	a.direct = false

	if !direct || undecided {
		return
	}

	a.mu.Lock()
	defer a.mu.Unlock()

	later := q
	later.span = span

	if q.slice.holdsTooMany(first.Total) {
		q = later
	}

	a.expect(q, first)
	a.expectSlices(later, a.behind)
	a.fill()
}

// take returns the page of a request, and drops all that should have been asked for
// before. Where the reading begins a slice that was not expected, nothing is left.
func (a *ahead) take(q request) *fetch {
	a.mu.Lock()
	defer a.mu.Unlock()

	at := slices.IndexFunc(a.expected, func(f *fetch) bool { return f.same(q) })
	if at < 0 {
		if q.number == 1 {
			a.drop(func(*fetch) bool { return true })
		}

		return nil
	}

	f := a.expected[at]
	a.expected = slices.Delete(a.expected, at, at+1)
	a.drop(func(other *fetch) bool { return other.compare(f.request) < 0 })

	if f.cancel == nil {
		a.begin(f)
	}

	a.fill()

	return f
}

func (a *ahead) drop(useless func(*fetch) bool) {
	a.expected = slices.DeleteFunc(a.expected, func(f *fetch) bool {
		if !useless(f) {
			return false
		}

		if f.cancel != nil {
			f.cancel()
		}

		return true
	})
}

// expect adds what follows the first page of a slice: its other pages, or those of its
// parts.
func (a *ahead) expect(q request, first page) {
	a.largest = max(a.largest, sizeOf(first))

	switch {
	case q.slice.holdsTooMany(first.Total):
		a.expectSlices(q, q.slice.parts(first.Total))
	case first.Total <= secondMax:
		for number := 2; number <= a.r.list(q).Expected(first); number++ {
			q.number, q.offset = number, a.r.list(q).Offset(number, int64(number-1)*int64(len(first.Rows)))
			a.add(q)
		}
	}
}

// expectSlices adds the first pages of slices.
func (a *ahead) expectSlices(q request, of []slice) {
	q.limit, q.number, q.offset = pageLimit, 1, a.r.list(q).Offset(1, 0)

	for _, q.slice = range of {
		a.add(q)
	}
}

func (a *ahead) add(q request) {
	at, _ := slices.BinarySearchFunc(a.expected, q, func(f *fetch, q request) int { return f.compare(q) })
	a.expected = slices.Insert(a.expected, at, &fetch{request: q, done: make(chan struct{})})
}

// fill begins as many as there is room for. Room is for twice as many pages as are
// fetched at once, and for as many bytes as a slice may have. A slice of which nothing
// is known yet takes the place of two pages, since others will follow its first.
func (a *ahead) fill() {
	room := 2 * a.r.client.MaxConcurrency()
	if a.largest > 0 {
		room = max(min(room, sliceBytes/a.largest), 2)
	}

	for _, f := range a.expected {
		if room--; f.number == 1 && !f.ended {
			room--
		}

		if room < 0 {
			return
		}

		if f.cancel == nil {
			a.begin(f)
		}
	}
}

func (a *ahead) begin(f *fetch) {
	ctx, cancel := a.fork()
	f.cancel = cancel

	a.wg.Go(func() {
		defer cancel()
		defer close(f.done)

		f.page, f.err = a.r.list(f.request).Page(ctx, a.r.client, f.number, f.offset)

		a.mu.Lock()
		defer a.mu.Unlock()

		if ctx.Err() != nil {
			return // It was dropped.
		}

		if f.ended = true; f.err == nil {
			a.largest = max(a.largest, sizeOf(f.page))
		}

		if f.err == nil && f.number == 1 {
			a.expect(f.request, f.page)
		}

		a.fill() //nolint:contextcheck // Pages that were asked for ahead end with the reading.
	})
}

func sizeOf(p page) int {
	n := 0
	for i := range p.Rows {
		n += len(p.Rows[i].Raw)
	}

	return n
}
