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
				matches, err := matcher.matchWithin(c.Window, &entries[i])
				if err != nil {
					yield(Entry{}, err)

					return
				}

				if !matches {
					c.RowsFilteredOut++

					continue
				}

				newest = latest(newest, entries[i].Time)

				if !yield(entries[i], nil) {
					return
				}
			}
		}

		if err := c.checkClock(q.Window, newest); err != nil {
			yield(Entry{}, err)

			return
		}

		c.Proof = proof
	}
}
