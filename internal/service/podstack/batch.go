// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// batches yields the rows of a window in the order of time, whatever order they
// have in their files. Each batch holds the oldest rows that were not in the one
// before, about as many as the limit allows, and every row of each of its times.
//
// Only the chunks that can hold such rows are read. Where files are sorted, either
// way, that is every chunk once, and one of each file twice at the border of two
// batches. Files in no order take the same memory, and a reading for each batch.
func batches(ctx context.Context, files []*file, w auditlog.Window, l limits) iter.Seq2[[]row, error] {
	chunks := []*chunk{}

	for _, f := range files {
		for i := range f.chunks {
			if c := &f.chunks[i]; c.min.Before(w.End) && !c.max.Before(w.Start) {
				chunks = append(chunks, c)
			}
		}
	}

	// The sort is stable and files come by name, so that batches are always the same.
	slices.SortStableFunc(chunks, func(a, b *chunk) int { return a.min.Compare(b.min) })

	return func(yield func([]row, error) bool) {
		for len(chunks) > 0 {
			b := batch{from: w.Start, until: w.End, limit: l.batchBytes}
			if err := b.fill(ctx, chunks); err != nil {
				yield(nil, err)

				return
			}

			if !yield(b.rows, nil) {
				return
			}

			w.Start = b.until
			chunks = slices.DeleteFunc(chunks, func(c *chunk) bool { return c.max.Before(w.Start) || !w.Start.Before(w.End) })
		}
	}
}

// batch is the rows of a span whose end moves closer while they are collected.
type batch struct {
	from, until time.Time
	rows        []row
	bytes       int
	limit       int
}

// fill collects rows from chunks that are sorted by their oldest time.
func (b *batch) fill(ctx context.Context, chunks []*chunk) error {
	for i, c := range chunks {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}

		if !c.min.Before(b.until) {
			break
		}

		if err := c.load(b.add); err != nil {
			return err
		}

		// No chunk that is left holds anything older than the next one.
		if i+1 < len(chunks) && b.sizeBefore(chunks[i+1].min) >= b.limit {
			b.cut(chunks[i+1].min)

			break
		}

		if b.bytes > 2*b.limit {
			b.shrink()
		}
	}

	slices.SortStableFunc(b.rows, func(a, b row) int { return a.at.Compare(b.at) })

	return nil
}

func (b *batch) add(r row) {
	if !r.at.Before(b.from) && r.at.Before(b.until) {
		b.rows = append(b.rows, r)
		b.bytes += r.size()
	}
}

// size is about how much memory a row takes.
func (r *row) size() int {
	const overhead, perCell = 100, 16

	n := overhead
	for _, cell := range r.cells {
		n += perCell + len(cell)
	}

	return n
}

// sizeBefore is how much of the batch is older than a time. It looks only where
// that can be enough.
func (b *batch) sizeBefore(at time.Time) int {
	if b.bytes < b.limit {
		return 0
	}

	n := 0

	for i := range b.rows {
		if b.rows[i].at.Before(at) {
			n += b.rows[i].size()
		}
	}

	return n
}

// cut ends the batch at a time.
func (b *batch) cut(at time.Time) {
	if !at.Before(b.until) {
		return
	}

	b.until = at
	b.rows = slices.DeleteFunc(b.rows, func(r row) bool { return !r.at.Before(at) })
	b.bytes = 0

	for i := range b.rows {
		b.bytes += b.rows[i].size()
	}
}

// shrink ends the batch at the time by which it is full, though never within
// rows of one time.
func (b *batch) shrink() {
	slices.SortStableFunc(b.rows, func(a, b row) int { return a.at.Compare(b.at) })

	n := 0

	for i := range b.rows {
		if n >= b.limit && b.rows[i].at.After(b.rows[i-1].at) {
			b.cut(b.rows[i].at)

			return
		}

		n += b.rows[i].size()
	}
}

// events makes entries of the rows of a batch. Identical rows of different files
// are one event that was exported more than once; identical rows of one file are
// as many events.
type events struct {
	ids        *auditlog.Fingerprints
	duplicates int64
}

// of returns the events of the batch, oldest first, those of one time in an order
// that does not depend on files.
func (v *events) of(rows []row) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && rows[n].at.Equal(rows[0].at) {
				n++
			}

			entries, err := v.ofTime(rows[:n])
			if err != nil {
				yield(auditlog.Entry{}, err)

				return
			}

			v.duplicates += int64(n - len(entries))

			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}

			clear(rows[:n]) // What was yielded need not stay in memory.
			rows = rows[n:]
		}
	}
}

// event is what rows of one time have in common.
type event struct {
	id        string
	canonical string
	first     *row
	// in counts the rows of each file.
	in map[*file]int
}

func (v *events) ofTime(rows []row) ([]auditlog.Entry, error) {
	found := []*event{}
	byKey := map[string]*event{}

	for i := range rows {
		r := &rows[i]

		// An id is enough to know an event by.
		e := &event{id: r.cell(toID), canonical: string(r.canonical()), first: r, in: map[*file]int{}}
		key := cmp.Or(e.id, e.canonical)

		if known := byKey[key]; known == nil {
			byKey[key] = e
			found = append(found, e)
		} else if err := known.compare(e); err != nil {
			return nil, err
		}

		byKey[key].in[r.file]++
	}

	slices.SortFunc(found, func(a, b *event) int { return cmp.Or(cmp.Compare(a.canonical, b.canonical), cmp.Compare(a.id, b.id)) })

	entries := make([]auditlog.Entry, 0, len(found))

	for _, e := range found {
		for range e.occurrences() {
			entry := e.first.entry()

			if entry.ID == "" {
				id, err := v.ids.ID([]byte(e.canonical), entry.Time)
				if err != nil {
					return nil, fmt.Errorf("make an id: %w", err)
				}

				entry.ID = id
			}

			entries = append(entries, entry)
		}
	}

	return entries, nil
}

// occurrences is how often the event happened: an id happens once.
func (e *event) occurrences() int {
	if e.id != "" {
		return 1
	}

	most := 0
	for _, n := range e.in {
		most = max(most, n)
	}

	return most
}

// compare refuses two rows with one id that do not say the same. Of files with
// different columns, the one with more of them counts.
func (e *event) compare(other *event) error {
	a, b := e.first, other.first

	if a.file.columns.records == b.file.columns.records {
		if e.canonical == other.canonical {
			return nil
		}

		return &Error{
			File: b.file.name, Line: b.line,
			Header: b.file.columns.headers[b.file.columns.of[toID]],
			Reason: fmt.Sprintf("The row has the id of line %d of %s and says something else.", a.line, a.file.name),
			Next:   "Export again; if the column does not identify events, say which does: columns = { id = \"…\" }.",
		}
	}

	if len(b.file.columns.headers) > len(a.file.columns.headers) {
		e.first, e.canonical = b, other.canonical
	}

	return nil
}
