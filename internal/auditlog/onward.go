// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Onward is a service whose log is read on from where an earlier reading stopped. Whoever keeps a log, or passes it
// on, reads by it: an archive, a stream.
type Onward struct {
	Service

	// From is where the service's own cursor goes on, nil where the window is read.
	From *Position
	// Known says by its id that an entry was returned before, and is read once more. It is not yielded again, and counts
	// as a duplicate that was dropped.
	Known func(id string) bool
	// Lost is called where the service no longer accepts the position. It returns the window to read in its place,
	// which begins before all that may not have been returned, once Known knows what was returned of it.
	Lost func(ctx context.Context) (Window, error)
}

// Read is that of the service, without what is known.
func (o *Onward) Read(ctx context.Context, q Query, c *Completeness) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if resumer, ok := o.Service.(Resumer); ok && o.From != nil {
			lost, more := o.pass(resumer.Resume(ctx, *o.From, q, c), c, yield)
			if !lost || !more {
				return
			}

			w, err := o.Lost(ctx)
			if err != nil {
				yield(Entry{}, err)

				return
			}

			q.Window = w
		}

		o.pass(o.Service.Read(ctx, q, c), c, yield)
	}
}

// pass yields what is new, and says whether the position was lost, and whether more is wanted.
func (o *Onward) pass(
	entries iter.Seq2[Entry, error], c *Completeness, yield func(Entry, error) bool,
) (lost, more bool) {
	for e, err := range entries {
		if errors.Is(err, ErrPositionLost) {
			return true, true
		}

		if err == nil && o.Known(e.ID) {
			c.DuplicatesDropped++

			continue
		}

		if !yield(e, err) || err != nil {
			return false, false
		}
	}

	return false, true
}

// Expired returns what happened since a time and the service may no longer hold. It is empty where the service holds
// all of it, and where nothing in it expires.
func (i Info) Expired(since, now time.Time) (w Window, expired bool) {
	w = Window{Start: since, End: now.Add(-i.Retention)}

	return w, i.Retention > 0 && !i.FilledLater && w.Start.Before(w.End)
}
