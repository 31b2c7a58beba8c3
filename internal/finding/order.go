// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"cmp"
	"container/heap"
	"errors"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// hit is an entry that counts for a rule: as much of it as a finding needs.
type hit struct {
	at    time.Time
	id    string
	tally *tally
	// key tells its group from others, and group is the group's values.
	key   string
	group []string
	// of is the entry without what nothing is grouped by, nil where nothing is
	// redacted.
	of *auditlog.Entry
}

// errOrder is a log that is further out of order than services promise. Counting
// it would be counting wrong.
var errOrder = errors.New("the service gave an entry that is older than one before it by more than a minute, so that bursts cannot be counted")

// order brings hits into the order of their times, ties by id, of a log that may
// be out of order by auditlog.OrderMargin. Entries that count for no rule only
// move the time on.
type order struct {
	waiting hits
	newest  time.Time
	out     func(hit)
}

// pass is told the time of every entry, before the hits that it makes.
func (o *order) pass(at time.Time) error {
	if at.Before(o.newest.Add(-auditlog.OrderMargin)) {
		return errOrder
	}

	if at.After(o.newest) {
		o.newest = at
	}

	// An entry at the margin itself may still come, and have a smaller id.
	for settled := o.newest.Add(-auditlog.OrderMargin); len(o.waiting) > 0 && o.waiting[0].at.Before(settled); {
		o.next()
	}

	return nil
}

func (o *order) add(h hit) { heap.Push(&o.waiting, &h) }

func (o *order) end() {
	for len(o.waiting) > 0 {
		o.next()
	}
}

func (o *order) next() {
	if h, ok := heap.Pop(&o.waiting).(*hit); ok {
		o.out(*h)
	}
}

// hits is a heap of the oldest first.
type hits []*hit

func (h *hits) Len() int      { return len(*h) }
func (h *hits) Swap(i, j int) { (*h)[i], (*h)[j] = (*h)[j], (*h)[i] }
func (h *hits) Less(i, j int) bool {
	a, b := (*h)[i], (*h)[j]

	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) < 0
}

func (h *hits) Push(x any) {
	if added, ok := x.(*hit); ok {
		*h = append(*h, added)
	}
}

func (h *hits) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]

	return x
}
