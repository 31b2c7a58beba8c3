// SPDX-License-Identifier: MPL-2.0

package cloudscale

import (
	"fmt"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// The most that may wait for their turn: several hundred a second, and what a page
// of the largest size has four times.
const (
	mostWaiting      = 100_000
	mostBytesWaiting = 64 << 20
)

var errCrowd = fmt.Errorf("more than %d records, or %d bytes, lie within one minute of the log", mostWaiting,
	mostBytesWaiting)

// order brings the records of a log into the order of their times, ties by id. The
// log has them in that of their commits, which overtake each other. One that is late by
// more than auditlog.OrderMargin comes when the log shows it: to refuse it would be to
// read nothing of a log that has it, for as long as the cloud keeps it.
type order struct {
	waiting []auditlog.Entry // in order
	bytes   int
	newest  time.Time
	out     []auditlog.Entry // what take returns
	fresh   []auditlog.Entry // what take has yet to put among those that wait
}

// take adds records and returns those, in order, whose turn has come; they are good until the
// next call. Records outside of the window are nobody's to order, and may have any time.
func (o *order) take(rows []auditlog.Entry, w auditlog.Window) ([]auditlog.Entry, error) {
	var now []auditlog.Entry

	for i := range rows {
		e := &rows[i]
		if !w.Contains(e.Time) || e.Time.Before(o.newest.Add(-auditlog.OrderMargin)) {
			now = append(now, *e)

			continue
		}

		if e.Time.After(o.newest) {
			o.newest = e.Time
		}

		o.add(*e)
	}

	o.merge()

	// A record at the margin itself may still come, and have a smaller id.
	due, _ := slices.BinarySearchFunc(o.waiting, o.newest.Add(-auditlog.OrderMargin),
		func(e auditlog.Entry, at time.Time) int { return e.Time.Compare(at) })
	clear(o.out) // So that it holds nothing any more of pages that are gone.
	o.out = append(append(o.out[:0], o.waiting[:due]...), now...)
	o.waiting = slices.Delete(o.waiting, 0, due)

	for i := range o.out[:due] {
		o.bytes -= len(o.out[i].Raw)
	}

	if len(o.waiting) > mostWaiting || o.bytes > mostBytesWaiting {
		return nil, errCrowd
	}

	return o.out, nil
}

// add puts a record behind all others, where most belong, or leaves it for merge.
func (o *order) add(e auditlog.Entry) {
	o.bytes += len(e.Raw)

	n := len(o.waiting)
	if len(o.fresh) == 0 && (n == 0 || auditlog.Compare(&o.waiting[n-1], &e) <= 0) {
		o.waiting = append(o.waiting, e)
	} else {
		o.fresh = append(o.fresh, e)
	}
}

// merge puts the records that add has left in their places, all in one pass: a hundred thousand may wait.
func (o *order) merge() {
	slices.SortStableFunc(o.fresh, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	before, left := len(o.waiting)-1, len(o.fresh)-1
	o.waiting = append(o.waiting, o.fresh...)

	for at := len(o.waiting) - 1; left >= 0; at-- {
		if before >= 0 && auditlog.Compare(&o.waiting[before], &o.fresh[left]) > 0 {
			o.waiting[at] = o.waiting[before]
			before--
		} else {
			o.waiting[at] = o.fresh[left]
			left--
		}
	}

	clear(o.fresh) // As above.
	o.fresh = o.fresh[:0]
}
