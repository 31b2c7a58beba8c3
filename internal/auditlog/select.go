// SPDX-License-Identifier: MPL-2.0

package auditlog

import "iter"

// Select yields those entries of the pages that answer the query, and counts the
// others in c. Only when the pages have ended without an error does it sign the
// statement with the proof, so that a reading that merely stopped has none.
//
// Whose log it is goes into every entry here, as far as c says so when the page
// comes. The entries of an archive say it themselves.
func Select(q Query, c *Completeness, proof Proof, pages iter.Seq2[[]Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		matcher, err := q.Matcher()
		if err != nil {
			yield(Entry{}, err)

			return
		}

		for entries, err := range pages {
			if err != nil {
				yield(Entry{}, err)

				return
			}

			for i := range entries {
				if proof != ProofChain {
					entries[i].Endpoint, entries[i].Account = c.Source.Endpoint, c.Source.Account
				}

				matches, err := matcher.Match(&entries[i])
				if err != nil {
					yield(Entry{}, err)

					return
				}

				if !matches {
					c.RowsFilteredOut++

					continue
				}

				if !yield(entries[i], nil) {
					return
				}
			}
		}

		c.Proof = proof
	}
}
