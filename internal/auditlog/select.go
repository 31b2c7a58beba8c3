// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"iter"
	"time"
)

// Select yields those entries of the pages that answer the query and lie in the
// window of c, which pages may draw back, and counts the others in c. Only when the pages have ended without an error does it sign the
// statement with the proof, so that a reading that merely stopped has none.
func Select(q Query, c *Completeness, proof Proof, pages iter.Seq2[[]Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		matcher, err := q.Matcher()
		if err != nil {
			yield(Entry{}, err)

			return
		}

		var newest time.Time

		for entries, err := range pages {
			if err != nil {
				yield(Entry{}, err)

				return
			}

			for i := range entries {
				matches := c.Window.Contains(entries[i].Time)
				if matches {
					matches, err = matcher.Match(&entries[i])
				}

				if err != nil {
					yield(Entry{}, err)

					return
				}

				if !matches {
					c.RowsFilteredOut++

					continue
				}

				if entries[i].Time.After(newest) {
					newest = entries[i].Time
				}

				if !yield(entries[i], nil) {
					return
				}
			}
		}

		switch {
		case q.Window.Start.Before(q.Window.End) && !c.Window.Start.Before(c.Window.End):
			yield(Entry{}, ErrEmptyWindow)
		case !newest.Before(c.Window.End):
			yield(Entry{}, ErrClockWentBack)
		default:
			c.Proof = proof
		}
	}
}
