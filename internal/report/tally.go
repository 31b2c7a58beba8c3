// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// The bounds of what is counted and shown.
const (
	// maxKeys bounds how many actors, operations or types are told apart. What comes
	// after them counts as one, and the page says so.
	maxKeys = 20_000
	// shownKeys is how many of them have a line of their own.
	shownKeys = 25
	// maxBuckets bounds the columns of the chart of activity.
	maxBuckets = 400
)

// kind is what an actor is, as far as people want to know.
type kind int

const (
	person kind = iota
	program
	staff
	unknown
)

// kinds lists them in the order in which they are drawn.
var kinds = []kind{person, program, staff, unknown}

func kindOf(t auditlog.ActorType) kind {
	switch t {
	case auditlog.ActorUser:
		return person
	case auditlog.ActorAPIToken, auditlog.ActorSystem:
		return program
	case auditlog.ActorStaff:
		return staff
	default:
		return unknown
	}
}

// actor is who did something. Two actors of one name and different ids are two.
type actor struct {
	kind     auditlog.ActorType
	name, id string
}

// count is what is known of one of several.
type count struct {
	n           int64
	deletions   int64
	permissions int64
	first, last time.Time
}

func (c *count) add(e *auditlog.Entry) {
	if c.n == 0 || e.Time.Before(c.first) {
		c.first = e.Time
	}

	if c.n == 0 || e.Time.After(c.last) {
		c.last = e.Time
	}

	c.n++

	switch {
	case e.Operation == auditlog.OperationDelete:
		c.deletions++
	case isPermission(e.Operation):
		c.permissions++
	}
}

func (c *count) merge(o *count) {
	if c.n == 0 || !o.first.IsZero() && o.first.Before(c.first) {
		c.first = o.first
	}

	if o.last.After(c.last) {
		c.last = o.last
	}

	c.n += o.n
	c.deletions += o.deletions
	c.permissions += o.permissions
}

// counts are those of several, of which a bounded number is told apart.
type counts[K comparable] struct {
	by map[K]*count
	// rest is what came when there was no room for another key.
	rest count
}

func newCounts[K comparable]() counts[K] { return counts[K]{by: map[K]*count{}} }

func (c *counts[K]) add(key K, e *auditlog.Entry) {
	n := c.by[key]

	switch {
	case n != nil:
	case len(c.by) == maxKeys:
		n = &c.rest
	default:
		n = &count{}
		c.by[key] = n
	}

	n.add(e)
}

// ranked is a key with its count.
type ranked[K any] struct {
	*count

	key K
}

// top returns the keys with the highest counts, and what all others come to. How many
// others there are is a lower bound where there was no room for all.
func (c *counts[K]) top(less func(a, b K) int) (top []ranked[K], others count, left int) {
	top = make([]ranked[K], 0, len(c.by))
	for key, n := range c.by {
		top = append(top, ranked[K]{n, key})
	}

	slices.SortFunc(top, func(a, b ranked[K]) int { return cmp.Or(cmp.Compare(b.n, a.n), less(a.key, b.key)) })

	if len(top) > shownKeys {
		for _, r := range top[shownKeys:] {
			others.merge(r.count)
		}

		left = len(top) - shownKeys
		top = top[:shownKeys]
	}

	if c.rest.n > 0 {
		others.merge(&c.rest)
		left++
	}

	return top, others, left
}

// tally is what the first pass counts.
type tally struct {
	zone *time.Location

	count, notable         int64
	deletions, permissions int64
	byKind                 [4]int64
	actors                 map[kind]*counts[actor]
	operations             counts[auditlog.Operation]
	types                  counts[string]
	// hours are counts by weekday, Monday first, and hour.
	hours [7][24]int64

	buckets []bucket
	unit    string
}

// bucket is a column of the chart of activity, its end excluded.
type bucket struct {
	start, end time.Time
	by         [4]int64
}

func (b *bucket) total() int64 { return b.by[0] + b.by[1] + b.by[2] + b.by[3] }

func newTally(s *Subject) *tally {
	t := &tally{
		zone: s.zone(), actors: map[kind]*counts[actor]{},
		operations: newCounts[auditlog.Operation](), types: newCounts[string](),
	}
	for _, k := range kinds {
		c := newCounts[actor]()
		t.actors[k] = &c
	}

	t.divide(s.Completeness.Window)

	return t
}

// units are the lengths that a column of the chart can have, each up to a length of the
// window. They are those of calendars in the report's time zone, so that a day in which
// clocks change is one day.
var units = []struct {
	name string
	most time.Duration
	next func(time.Time) time.Time
	down func(time.Time) time.Time
}{
	{
		"hour", 4 * 24 * time.Hour,
		func(t time.Time) time.Time { return t.Add(time.Hour) },
		func(t time.Time) time.Time {
			return t.Add(-time.Duration(t.Minute()) * time.Minute).Truncate(time.Minute)
		},
	},
	{"day", 120 * 24 * time.Hour, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }, startOfDay},
	{
		"week", 3 * 366 * 24 * time.Hour,
		func(t time.Time) time.Time { return t.AddDate(0, 0, 7) },
		func(t time.Time) time.Time { return startOfDay(t).AddDate(0, 0, -weekday(t)) },
	},
	{
		"month", 25 * 366 * 24 * time.Hour,
		func(t time.Time) time.Time { return t.AddDate(0, 1, 0) },
		func(t time.Time) time.Time { return startOfDay(t).AddDate(0, 0, 1-t.Day()) },
	},
	{
		"year", 1<<63 - 1,
		func(t time.Time) time.Time { return t.AddDate(1, 0, 0) },
		func(t time.Time) time.Time { return startOfDay(t).AddDate(0, 0, 1-t.YearDay()) },
	},
}

func startOfDay(t time.Time) time.Time {
	y, m, d := t.Date()

	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// weekday counts from Monday, which is 0.
func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

// divide lays out the columns of the chart over the window.
func (t *tally) divide(w auditlog.Window) {
	for _, u := range units {
		if w.End.Sub(w.Start) > u.most {
			continue
		}

		t.unit = u.name

		for at := u.down(w.Start.In(t.zone)); at.Before(w.End) && len(t.buckets) < maxBuckets; at = u.next(at) {
			t.buckets = append(t.buckets, bucket{start: at, end: u.next(at)})
		}

		return
	}
}

func (t *tally) add(e *auditlog.Entry) {
	t.count++

	if isNotable(e) {
		t.notable++
	}

	switch {
	case e.Operation == auditlog.OperationDelete:
		t.deletions++
	case isPermission(e.Operation):
		t.permissions++
	}

	k := kindOf(e.ActorType)
	t.byKind[k]++
	t.actors[k].add(actor{e.ActorType, e.Actor, e.ActorID}, e)
	t.operations.add(e.Operation, e)
	t.types.add(e.ResourceType, e)

	at := e.Time.In(t.zone)
	t.hours[weekday(at)][at.Hour()]++

	if i := t.bucketOf(e.Time); i >= 0 {
		t.buckets[i].by[k]++
	}
}

// bucketOf is the index of the column that holds the time, -1 where none does.
func (t *tally) bucketOf(at time.Time) int {
	i, found := slices.BinarySearchFunc(t.buckets, at, func(b bucket, at time.Time) int { return b.start.Compare(at) })
	if !found {
		i--
	}

	if i < 0 || !at.Before(t.buckets[i].end) {
		return -1
	}

	return i
}

// distinct is how many actors of a kind there are.
func (t *tally) distinct(k kind) int { return len(t.actors[k].by) }
