// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"cmp"
	"context"
	"iter"
)

const (
	// batchSize is how many entries are handed over at once, and batches how many of these
	// are read at most before they are written.
	batchSize = 128
	batches   = 3
)

// batch is a run of entries, and the error that ended the sequence behind them.
type batch struct {
	entries []Entry
	err     error
}

// Ahead yields the entries of a sequence while the next ones are being read, so that one
// processor reads and another one writes. When it returns, nothing is read any more:
// whoever stops early waits for the page that is under way.
func Ahead(ctx context.Context, entries iter.Seq2[Entry, error]) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		full, empty := make(chan batch, batches), make(chan []Entry, batches)
		stop := make(chan struct{})

		for range batches {
			empty <- make([]Entry, 0, batchSize)
		}

		go readInto(ctx, entries, full, empty, stop)

		defer func() {
			close(stop)

			for range full {
				continue // Until the reader has ended.
			}
		}()

		for b := range full {
			for i := range b.entries {
				if !yield(&b.entries[i], nil) {
					return
				}
			}

			if b.err != nil {
				yield(nil, b.err)

				return
			}

			empty <- b.entries[:0]
		}
	}
}

// readInto fills batches until the sequence or the context ends, or stop is closed, and closes
// full then.
func readInto(
	ctx context.Context, entries iter.Seq2[Entry, error],
	full chan<- batch, empty <-chan []Entry, stop <-chan struct{},
) {
	defer close(full)

	var b batch

	// A batch that was taken is either handed over or forgotten.
	next := func() bool {
		select {
		case b.entries = <-empty:
			return true
		case <-stop:
			return false
		}
	}

	if !next() {
		return
	}

	for e, err := range entries {
		select {
		case <-stop:
			return // However few entries come, nobody waits for a whole batch of them.
		default:
		}

		if b.err = cmp.Or(err, ctx.Err()); b.err != nil {
			break
		}

		if b.entries = append(b.entries, e); len(b.entries) < batchSize {
			continue
		}

		// There is room for every batch that exists.
		full <- b

		if !next() {
			return
		}
	}

	full <- b
}
