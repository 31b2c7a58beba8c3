// SPDX-License-Identifier: MPL-2.0

package cloudscale

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

const (
	// reach is how far the request for a slice of the log goes into each neighbour. It
	// is more than records may be out of order, so that each of the two has every
	// record around the edge, however late it was. sameReach is less by what rounding
	// to whole seconds may change of a time.
	reach     = auditlog.OrderMargin + overtaking
	sameReach = reach - 2*time.Second

	// slicePages is about how many pages a slice has. longTail is how many have to
	// follow a page before the rest is cut off from it: less is read sooner than cut.
	slicePages = 6
	longTail   = 8

	// shortest is the shortest slice, of which the neighbours repeat little.
	shortest = 30 * reach

	// pagesAhead is how many pages are held before their turn for each that is fetched
	// at once: more than a slice has, since one that turns out to be longer has to wait
	// for its last page. bytesAhead is how many bytes these have at most.
	pagesAhead = 9
	bytesAhead = 32 << 20

	// cursorAhead is how many pages are held before their turn where reading goes on from a
	// place: enough that one processor reads pages while another one looks at their records.
	cursorAhead = 4

	// atOnce is how many slices are cut at once. The density of the log may be another
	// behind them.
	atOnce = 8
)

// reading is one Read under way. It begins as one walk along the cursor over the whole
// window. Where a page shows that many others follow, the rest of the window is cut off
// into slices of time, which others walk meanwhile. What they bring is taken in the
// order of the slices, by one goroutine: only that one touches the statement.
//
// That no slice lacks a record is proven as for the whole, by the cursor, and besides
// by the neighbours: of what both were asked for, both must have the same.
//
// What goes on from a place is never cut: a record that is very late comes behind the cursor
// only, wherever that is. Another one walks all of it, a few pages ahead.
type reading struct {
	s      *Service
	from   *auditlog.Position
	settle time.Duration
	c      *auditlog.Completeness
	order  order

	// asked is what is asked for altogether. Nothing is cut behind settled: younger
	// records may still come late.
	asked   auditlog.Window
	settled time.Time
	// edge are the records around the end of the slice before, as that one has them.
	edge []string
	// early counts the records that came before a slice was cut, by their ids, and missing
	// those of them that have not come again with what is left of it. An identical one that
	// is very late can have the same id.
	early, missing map[string]early

	cancel context.CancelFunc // nil until others walk
	wg     sync.WaitGroup

	mu sync.Mutex
	// waiting are the slices behind the present one, in order.
	waiting []*part
	// held is how many pages are under way or wait for their turn, and largest the size
	// of the largest so far, in bytes.
	held, largest int
	// changed is closed when any of these has changed.
	changed chan struct{}
}

// part is a slice of the log and its walk.
type part struct {
	start time.Time // the zero time for the first: what lies before the window is its own
	walk  client.CursorWalk[auditlog.Entry]

	// end is where the next slice begins. Where none does, the slice is open, and the
	// end is that of the window. Both belong to whoever walks.
	end  time.Time
	open bool
	// numbered says that whoever walks gives the records their ids. Where it was open in
	// the beginning, its end depends on the answers before, so that the reading does.
	numbered bool
	cursor   cursor
	// reach is the time of the newest record so far; it belongs to whoever walks.
	reach time.Time

	begun bool         // somebody walks; guarded by the reading's mu
	held  int          // pages of it that are under way or wait; guarded by the reading's mu
	pages chan message // nil where the reading itself walks

	// What the reading has seen of it: the end, the newest record, and records around
	// both ends.
	seen       message
	left       bool // it was cut, and another slice begins where it began
	ids        []moment
	newest     time.Time
	head, tail []moment
}

// moment is a record as far as neighbours compare it.
type moment struct {
	at time.Time
	id string
}

// message is a page of a slice, with the end that the slice had then.
type message struct {
	page   client.Page[auditlog.Entry]
	err    error
	end    time.Time
	open   bool
	beyond bool
	left   bool // nothing follows, since the slice was cut
}

func newReading(s *Service, from *auditlog.Position, settle time.Duration, c *auditlog.Completeness) *reading {
	return &reading{
		s: s, from: from, settle: settle, c: c, asked: around(c.Window), changed: make(chan struct{}),
	}
}

// first returns the slice that is all of the window. Where it goes on from a place, another one
// begins to walk along it.
func (r *reading) first(ctx context.Context) *part {
	p := &part{walk: firstPage(r.asked), end: r.c.Window.End, open: true}
	p.cursor = cursor{asked: r.asked, ids: auditlog.NewFingerprints(auditlog.ServiceCloudscale), resumable: true}

	if r.from == nil {
		return p
	}

	// The cursor takes the place of both bounds, and may lie before the window.
	p.cursor.asked.End = time.Time{}
	if since := r.from.Since.Add(-auditlog.OrderMargin); since.Before(r.asked.Start) {
		p.cursor.asked.Start = since
	}

	p.walk = client.CursorWalk[auditlog.Entry]{First: LogPath, From: r.from.Link, Decode: DecodePage}
	p.cursor.resume = r.from
	p.cursor.ids.Continue(r.from.Ordinals, r.from.Since)

	if r.s.client.MaxConcurrency() > 1 {
		p.begun, p.pages = true, make(chan message, r.room()+1)
		ctx, r.cancel = context.WithCancel(ctx)

		r.wg.Go(func() { r.bring(ctx, p) })
	}

	return p
}

// newPart returns a slice that nobody walks yet.
func (r *reading) newPart(start, end time.Time, open bool) *part {
	asked := auditlog.Window{Start: start.Add(-reach), End: end.Add(reach)}
	if open {
		asked.End = r.asked.End
	}

	return &part{
		start: start, end: end, open: open, numbered: !open, walk: firstPage(asked),
		cursor: cursor{
			asked: asked, end: asked.End, ids: auditlog.NewFingerprints(auditlog.ServiceCloudscale), resumable: true,
		},
	}
}

// next returns the slice whose turn it is now, nil where there is none.
func (r *reading) next() *part {
	r.mu.Lock()
	defer r.mu.Unlock()

	if len(r.waiting) == 0 {
		return nil
	}

	p := r.waiting[0]
	r.waiting = r.waiting[1:]
	r.change()

	if !p.begun {
		p.begun, p.numbered = true, false // The others are further ahead.
	}

	if !p.numbered {
		p.cursor.resume = r.c.Resume
	}

	return p
}

// messages are the pages of the present slice, whoever walks.
func (r *reading) messages(ctx context.Context, p *part) iter.Seq[message] {
	return func(yield func(message) bool) {
		if p.pages == nil {
			for page, err := range p.walk.Pages(ctx, r.s.client) {
				span := p.reached(page) // Taking a page uses it up.

				if !yield(message{page: page, err: err, end: p.end, open: p.open}) {
					return
				}

				if p.left = r.cut(ctx, p, page, span); p.left {
					return
				}
			}

			return
		}

		for m := range p.pages {
			if r.leave(p); !yield(m) {
				return
			}
		}
	}
}

// take takes note of a page of the present slice, and returns the entries whose turn
// it is.
func (r *reading) take(p *part, m message) (entries []auditlog.Entry, beyond bool, err error) {
	page, c := m.page, r.c

	if err := m.err; err != nil {
		if r.from != nil && c.Pages == 0 && isLost(err) {
			err = fmt.Errorf("%w: %w", auditlog.ErrPositionLost, err)
		}

		return nil, false, err
	}

	c.Heed(page.Clock, r.settle)

	p.left = m.left
	c.Pages++
	c.RowsFetched += int64(len(page.Rows))

	if c.Pages == 1 {
		r.settled = c.Window.End.Add(-reach - auditlog.OrderMargin)
	}

	if beyond = m.beyond; !p.numbered {
		p.cursor.end = c.Window.End
		if limit := m.end.Add(reach); !m.open && limit.Before(p.cursor.end) {
			p.cursor.end = limit
		}

		if beyond, err = p.cursor.take(page); err != nil {
			return nil, false, err
		}

		c.Resume = p.cursor.resume
	}

	if err := r.s.learn(page, c); err != nil {
		return nil, false, err
	}

	rows := r.fresh(p, p.own(m))
	c.DuplicatesDropped += int64(len(page.Rows) - len(rows))

	entries, err = r.order.take(rows, c.Window)
	if err != nil {
		kind := client.KindShape
		if errors.Is(err, errCrowd) {
			kind = client.KindEndless
		}

		return nil, false, problem(kind, page.Number, err)
	}

	return entries, beyond, nil
}

// own returns the records of a page that belong to the slice, and remembers those
// around its ends.
func (p *part) own(m message) []auditlog.Entry {
	for i := range m.page.Rows {
		e := &m.page.Rows[i]
		if e.ID == "" {
			continue // It lies beyond what was asked for.
		}

		if e.Time.After(p.newest) {
			p.newest = e.Time
		}

		if !p.start.IsZero() && e.Time.Sub(p.start).Abs() < sameReach {
			p.head = append(p.head, moment{e.Time, e.ID})
		}

		p.tail = append(p.tail, moment{e.Time, e.ID})
	}

	// The end may move, but to no time before the newest record.
	p.seen = message{end: m.end, open: m.open}

	edge := m.end
	if p.newest.Before(edge) {
		edge = p.newest
	}

	edge = edge.Add(-sameReach)
	p.tail = slices.DeleteFunc(p.tail, func(m moment) bool { return m.at.Before(edge) })

	rows := len(m.page.Rows)
	own := slices.DeleteFunc(m.page.Rows, func(e auditlog.Entry) bool {
		return e.Time.Before(p.start) || !m.open && !e.Time.Before(m.end)
	})

	return own[:len(own):rows]
}

// fresh returns the records that did not come before the slice was cut, and remembers
// them as long as it may be.
func (r *reading) fresh(p *part, rows []auditlog.Entry) []auditlog.Entry {
	if !r.cuts() {
		return rows
	}

	return slices.DeleteFunc(rows, func(e auditlog.Entry) bool {
		if m := r.missing[e.ID]; m.count > 0 {
			m.count--
			r.missing[e.ID] = m

			return true
		}

		p.ids = append(p.ids, moment{e.Time, e.ID})

		return false
	})
}

// leaveOff ends the present slice where it was cut. All that it has comes again.
func (r *reading) leaveOff(p *part) {
	if r.early == nil {
		r.early = map[string]early{}
	}

	for _, m := range p.ids {
		r.early[m.id] = early{r.early[m.id].count + 1, m.at}
	}

	r.missing = maps.Clone(r.early)
}

// early is how often a record came before the slice was cut that it belonged to, and its
// time.
type early struct {
	count int
	at    time.Time
}

// again looks whether all that came before a cut has come again by the end of a slice. What
// lies behind its end is for the next ones to bring.
func (r *reading) again(end message) error {
	for id, m := range r.early {
		if !end.open && !m.at.Before(end.end) {
			continue
		}

		if r.missing[id].count > 0 {
			return problem(client.KindIncomplete, 1, errOnce)
		}

		delete(r.early, id)
		delete(r.missing, id)
	}

	return nil
}

// rest returns the entries that still wait when there is no other slice.
func (r *reading) rest() ([]auditlog.Entry, error) {
	// What was read before the clock went back waits no more, and may lie behind the place
	// to go on from.
	if newest := r.order.newest; !newest.IsZero() && !newest.Before(r.c.Window.End) {
		return nil, auditlog.ErrClockWentBack
	}

	return r.order.waiting, nil
}

// close ends the present slice, and holds it against the one before, unless the rest of
// it is read anew.
func (r *reading) close(p *part) error {
	if p.left {
		r.leaveOff(p)

		return nil
	}

	if err := r.again(p.seen); err != nil {
		return err
	}

	if !p.numbered {
		p.cursor.keep()
	}

	if p.cursor.resume != nil {
		r.c.Resume = p.cursor.resume
	}

	if !p.start.IsZero() {
		if n := different(r.edge, idsOf(p.head, p.start)); n > 0 {
			return problem(client.KindIncomplete, 1, fmt.Errorf(
				"%d records came with only one of two requests that both ask for their time", n))
		}
	}

	r.edge = idsOf(p.tail, p.seen.end)

	return nil
}

var errOnce = errors.New("a record came with only one of two requests that both ask for its time")

// idsOf returns the ids of the records around a time, sorted.
func idsOf(moments []moment, around time.Time) []string {
	var ids []string

	for _, m := range moments {
		if m.at.Sub(around).Abs() < sameReach {
			ids = append(ids, m.id)
		}
	}

	slices.Sort(ids)

	return ids
}

// different counts what only one of two sorted lists has.
func different(a, b []string) int {
	n := 0

	for _, lists := range [][2][]string{{a, b}, {b, a}} {
		for _, id := range lists[0] {
			if _, found := slices.BinarySearch(lists[1], id); !found {
				n++
			}
		}
	}

	return n
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}

	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}

	return a
}

// stop ends all that is under way.
func (r *reading) stop() {
	if r.cancel != nil {
		r.cancel()
		r.wg.Wait()
	}
}

// reached returns how much time a page spans, and takes note of the newest record.
func (p *part) reached(page client.Page[auditlog.Entry]) time.Duration {
	if len(page.Rows) == 0 {
		return 0
	}

	oldest, newest := page.Rows[0].Time, page.Rows[0].Time
	for i := range page.Rows {
		oldest = earliest(oldest, page.Rows[i].Time)
		newest = latest(newest, page.Rows[i].Time)
	}

	p.reach = latest(p.reach, newest)

	return max(newest.Sub(oldest), time.Millisecond)
}

// cuts says whether slices may be cut.
func (r *reading) cuts() bool { return r.s.client.MaxConcurrency() > 1 && r.from == nil }

// cut cuts a slice of which a page, which spans so much time, shows that many others
// follow, and says whether it did. The first of the new slices keeps about as much as one
// should have, and is asked for from its beginning: the walk of the old one would have to
// go on to its own end, since only there a record that is very late may come.
func (r *reading) cut(ctx context.Context, p *part, page client.Page[auditlog.Entry], span time.Duration) bool {
	if !r.cuts() || page.Next == "" || span == 0 {
		return false
	}

	rest, pace := p.end.Sub(p.reach), span
	if r.cancel == nil {
		// A burst says little of a log that has had few pages so far.
		pace = max(pace, p.reach.Sub(p.cursor.asked.Start)/time.Duration(page.Number))
	}

	if rest/pace <= longTail || rest < 2*shortest {
		return false
	}

	length := max(span*slicePages, shortest).Truncate(time.Second)
	edge := p.reach.Truncate(time.Second).Add(time.Second).Add(span * time.Duration(max(slicePages-page.Number, 0)))
	if soonest := p.cursor.asked.Start.Add(reach + shortest); edge.Before(soonest) {
		edge = soonest
	}

	last := p.end
	if p.open && r.settled.Before(last) {
		last = r.settled
	}

	edges := []time.Time{edge.Truncate(time.Second)}

	for len(edges) < atOnce && edges[len(edges)-1].Add(2*length).Before(last) {
		edges = append(edges, edges[len(edges)-1].Add(length))
	}

	if !edges[0].Add(shortest).Before(last) {
		return false
	}

	whole := r.newPart(p.cursor.asked.Start.Add(reach), edges[0], false)
	whole.start = p.start
	parts := append(make([]*part, 0, len(edges)+1), whole)

	for i, edge := range edges[1:] {
		parts = append(parts, r.newPart(edges[i], edge, false))
	}

	parts = append(parts, r.newPart(edges[len(edges)-1], p.end, p.open))

	p.end, p.open = edges[0], false
	r.insert(ctx, p, parts)

	return true
}

// insert puts slices behind p.
func (r *reading) insert(ctx context.Context, p *part, parts []*part) {
	r.mu.Lock()
	defer r.mu.Unlock()

	// Where it is the turn of p, it waits no more.
	r.waiting = slices.Insert(r.waiting, slices.Index(r.waiting, p)+1, parts...)

	r.change()

	if r.cancel == nil {
		ctx, r.cancel = context.WithCancel(ctx)

		// Some wait for room.
		for range 2 * r.s.client.MaxConcurrency() {
			r.wg.Go(func() {
				for p := r.begin(ctx); p != nil; p = r.begin(ctx) {
					r.bring(ctx, p)
				}
			})
		}
	}
}

// begin returns the first slice that nobody walks, once there is one; nil in the end.
func (r *reading) begin(ctx context.Context) *part {
	for {
		r.mu.Lock()

		for _, p := range r.waiting {
			if !p.begun {
				p.begun, p.pages = true, make(chan message, r.room()+1)
				r.mu.Unlock()

				return p
			}
		}

		changed := r.changed
		r.mu.Unlock()

		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// bring walks along a slice.
func (r *reading) bring(ctx context.Context, p *part) {
	defer close(p.pages)

	r.enter(ctx, p)

	for page, err := range p.walk.Pages(ctx, r.s.client) {
		m := message{page: page, err: err}

		if err == nil && p.numbered {
			m.beyond, m.err = p.cursor.take(page)
		}

		if m.err == nil {
			m.left = r.cut(ctx, p, page, p.reached(page))
		}

		if m.end, m.open = p.end, p.open; !p.numbered {
			limit := p.end
			if !p.open {
				limit = limit.Add(reach)
			}

			m.beyond = areBeyond(page.Rows, limit)
		}

		r.size(page)

		last := m.err != nil || m.left || m.beyond || page.Next == ""
		if last && p.numbered {
			p.cursor.keep()
		}

		if p.pages <- m; last {
			return
		}

		r.enter(ctx, p)
	}
}

// enter waits for room for the next page. The further ahead a slice is, the more room
// it leaves to those before it. The present one always has room for a page, so that all
// others can wait for it. Where the context has ended there is room as well: the request for
// the page says so, and without it the slice would seem to have come to its end.
func (r *reading) enter(ctx context.Context, p *part) {
	for {
		r.mu.Lock()

		ahead, changed := slices.Index(r.waiting, p)+1, r.changed

		free := r.held+ahead*slicePages/8 < r.room() || ahead == 0 && p.held == 0 || ctx.Err() != nil
		if free {
			p.held++
			r.held++
		}

		r.mu.Unlock()

		if free {
			return
		}

		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// room is how many pages may be held. The caller has the lock, or nothing to share.
func (r *reading) room() int {
	room := pagesAhead * r.s.client.MaxConcurrency()
	if r.from != nil {
		room = cursorAhead
	}

	if r.largest > 0 {
		room = max(min(room, bytesAhead/r.largest), 1)
	}

	return room
}

// size takes note of how large pages are.
func (r *reading) size(page client.Page[auditlog.Entry]) {
	n := 0
	for i := range page.Rows {
		n += len(page.Rows[i].Raw)
	}

	r.mu.Lock()
	defer r.mu.Unlock()

	r.largest = max(r.largest, n)
}

// leave makes the room free that a page had.
func (r *reading) leave(p *part) {
	r.mu.Lock()
	defer r.mu.Unlock()

	p.held--
	r.held--
	r.change()
}

// change wakes all that wait for something to change.
func (r *reading) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}
