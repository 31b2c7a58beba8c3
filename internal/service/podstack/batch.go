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
			chunks = append(chunks, &f.chunks[i])
		}
	}

	// The sort is stable and files come by name, so that batches are always the same.
	slices.SortStableFunc(chunks, func(a, b *chunk) int { return a.first.Compare(b.first) })

	return func(yield func([]row, error) bool) {
		for w.Start.Before(w.End) {
			chunks = slices.DeleteFunc(chunks, func(c *chunk) bool { return c.last.Before(w.Start) })

			rows, end, err := batch(ctx, chunks, w, l.batchBytes)
			if !yield(rows, err) || err != nil {
				return
			}

			w.Start = end
		}
	}
}

// batch returns the oldest rows of a window, and the time up to which it has all of
// them. Chunks are sorted by their oldest time. The end of the window moves closer
// where rows take more memory than the limit.
func batch(ctx context.Context, chunks []*chunk, w auditlog.Window, limit int) ([]row, time.Time, error) {
	var rows []row

	for i, c := range chunks {
		if ctx.Err() != nil {
			return nil, w.End, context.Cause(ctx)
		}

		if !c.first.Before(w.End) {
			break
		}

		err := c.load(func(r row) {
			if w.Contains(r.at) {
				rows = append(rows, r)
			}
		})
		if err != nil {
			return nil, w.End, err
		}

		slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })

		full, size := fullAt(rows, limit)

		// No chunk that is left holds anything older than the next one.
		complete := size >= limit && i+1 < len(chunks) && !chunks[i+1].first.Before(full)
		if complete {
			full = chunks[i+1].first
		}

		if (complete || size > 2*limit) && full.Before(w.End) {
			w.End = full
			rows = slices.DeleteFunc(rows, func(r row) bool { return !r.at.Before(full) })
		}
	}

	return rows, w.End, nil
}

// fullAt is the first time before which sorted rows take as much memory as the limit,
// never within rows of one time, and how much all of them take.
func fullAt(rows []row, limit int) (full time.Time, size int) {
	const overhead, perCell = 100, 16

	for i, r := range rows {
		if size >= limit && full.IsZero() && r.at.After(rows[i-1].at) {
			full = r.at
		}

		size += overhead
		for _, cell := range r.cells {
			size += perCell + len(cell)
		}
	}

	if full.IsZero() && len(rows) > 0 {
		full = rows[len(rows)-1].at.Add(1)
	}

	return full, size
}

// pages yields the events of a window, oldest first, those of one time together and by
// their ids. It counts rows and those among them that say
// again what another one said.
func pages(
	ctx context.Context, files []*file, w auditlog.Window, l limits, rows, duplicates *int64,
) iter.Seq2[[]auditlog.Entry, error] {
	ids := auditlog.NewFingerprints(auditlog.ServicePodStack)

	return func(yield func([]auditlog.Entry, error) bool) {
		for batch, err := range batches(ctx, files, w, l) {
			if err != nil {
				yield(nil, err)

				return
			}

			*rows += int64(len(batch))

			auditlog.ProgressOf(ctx).Read(len(batch))

			for len(batch) > 0 {
				n := 1
				for n < len(batch) && batch[n].at.Equal(batch[0].at) {
					n++
				}

				entries, err := eventsOf(batch[:n], ids)
				*duplicates += int64(n - len(entries))

				if !yield(entries, err) || err != nil {
					return
				}

				clear(batch[:n]) // What was yielded need not stay in memory.
				batch = batch[n:]
			}
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

// eventsOf makes entries of the rows of one time. Identical rows of different files are
// one event that was exported more than once; identical rows of one file are as many
// events.
func eventsOf(rows []row, ids *auditlog.Fingerprints) ([]auditlog.Entry, error) {
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

	slices.SortFunc(found, func(a,
		b *event,
	) int {
		return cmp.Or(cmp.Compare(a.canonical, b.canonical), cmp.Compare(a.id, b.id))
	})

	entries := make([]auditlog.Entry, 0, len(found))

	for _, e := range found {
		for range e.occurrences() {
			entry := e.first.entry()

			if entry.ID == "" {
				id, err := ids.ID([]byte(e.canonical), entry.Time)
				if err != nil {
					return nil, fmt.Errorf("make an id: %w", err)
				}

				entry.ID = id
			}

			entries = append(entries, entry)
		}
	}

	slices.SortStableFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

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
