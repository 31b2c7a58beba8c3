// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"cmp"
	"errors"
	"slices"
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

// reorderBuffer brings hits into the order of their times, ties by id, of a log that
// may be out of order by auditlog.OrderMargin. Entries that count for no rule only move
// the time on.
type reorderBuffer struct {
	waiting []hit // in order
	newest  time.Time
	out     func(hit)
}

// advance is told the time of every entry, before the hits that it makes.
func (b *reorderBuffer) advance(at time.Time) error {
	if at.Before(b.newest.Add(-auditlog.OrderMargin)) {
		return errOrder
	}

	if at.After(b.newest) {
		b.newest = at
	}

	// An entry at the margin itself may still come, and have a smaller id.
	settled := b.newest.Add(-auditlog.OrderMargin)
	n, _ := slices.BinarySearchFunc(b.waiting, settled, func(h hit, at time.Time) int { return h.at.Compare(at) })
	b.release(n)

	return nil
}

func (b *reorderBuffer) add(h hit) {
	at, _ := slices.BinarySearchFunc(b.waiting, h, func(a, b hit) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	})
	b.waiting = slices.Insert(b.waiting, at, h)
}

// end releases what still waits.
func (b *reorderBuffer) end() { b.release(len(b.waiting)) }

func (b *reorderBuffer) release(n int) {
	for _, h := range b.waiting[:n] {
		b.out(h)
	}

	clear(b.waiting[:n]) // What was released need not stay in memory.
	b.waiting = b.waiting[n:]
}
