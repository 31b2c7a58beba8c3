// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Select yields those entries of the pages that answer the query and lie in the
// window of c, which pages may draw back, and counts the others in c. Only when the
// pages have ended without an error does it sign the statement with the proof, so
// that a reading that merely stopped has none.
//
// Whose log it is goes into every entry here, as far as c says so when the page
// comes. The entries of an archive say it themselves.
func Select(q Query, info Info, c *Completeness, proof Proof, pages iter.Seq2[[]Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		matcher, err := q.Matcher()
		if err != nil {
			yield(Entry{}, err)

			return
		}

		w := watch{
			q: q, info: info, matcher: matcher, unseen: slices.Clone(q.Unconfirmed), unknown: map[string]bool{},
			had: map[string]bool{},
		}

		var newest time.Time

		for entries, err := range pages {
			if err != nil {
				yield(Entry{}, err)

				return
			}

			for i := range entries {
				c.Source.sign(&entries[i], proof)

				matches, err := matcher.matchWithin(c.Window, &entries[i])
				if err != nil {
					yield(Entry{}, err)

					return
				}

				w.see(&entries[i], matches, c)

				if !matches {
					c.RowsFilteredOut++

					continue
				}

				newest = latest(newest, entries[i].Time)
				// Whoever keeps the entry shall not keep the whole page.
				entries[i].Raw = slices.Clone(entries[i].Raw)

				if !yield(entries[i], nil) {
					return
				}
			}
		}

		if err := w.end(c, newest); err != nil {
			yield(Entry{}, err)

			return
		}

		c.Proof = proof
	}
}

// mostUnknownActions is how many of them are named.
const mostUnknownActions = 100

// watch looks at every entry of the window for what may keep an answer from being
// one: actions that nobody knows, and values that nothing confirms.
type watch struct {
	q       Query
	info    Info
	matcher *Matcher
	// unseen are the unconfirmed values that no entry has had so far.
	unseen  []Asked
	unknown map[string]bool
	// entries is how many lie in the window, and had the fields that any of them has.
	entries int64
	had     map[string]bool
	// unplaced is how many have addresses that cannot be placed where that matters.
	unplaced int64
}

func (w *watch) see(e *Entry, matches bool, c *Completeness) {
	if !c.Window.Contains(e.Time) {
		return
	}

	if len(w.unseen) > 0 {
		w.unseen = slices.DeleteFunc(w.unseen, func(a Asked) bool {
			f, ok := FieldByName(a.Field)

			return ok && a.matches(f.Text(e))
		})
	}

	w.entries++

	if w.info.Varies {
		for _, f := range fields {
			w.had[f.Name] = w.had[f.Name] || f.Text(e) != "" ||
				f.Kind == KindRaw && len(e.Raw) > 0 || f.Kind == KindChanges && len(e.Changes) > 0
		}
	}

	if w.matcher.dependsOnAddress(e) {
		w.unplaced++
	}

	if !w.info.UnknownAction(e) {
		return
	}

	depends := w.matcher.depends(e, w.info.Operations)
	c.UnknownMatters = c.UnknownMatters || depends

	if !matches && !depends {
		return
	}

	if len(w.unknown) < mostUnknownActions {
		w.unknown[e.Action] = true
	}

	if w.q.Unknown != nil {
		w.q.Unknown(e)
	}
}

// UnknownAction says whether nobody knows what the entry's action means, or did
// when it was kept: an archive holds the operations of its time.
func (i Info) UnknownAction(e *Entry) bool {
	return i.KnowsAction != nil && e.Operation == OperationOther &&
		(!i.KnowsAction(e.Action) || i.OperationOf != nil && i.OperationOf(e.Action) != OperationOther)
}

// end completes the statement but for the proof. newest is the time of the newest
// entry that was yielded.
func (w *watch) end(c *Completeness, newest time.Time) error {
	c.UnknownActions = slices.Sorted(maps.Keys(w.unknown))

	if w.unplaced > 0 {
		c.Caveats = append(c.Caveats, fmt.Sprintf("Of the entries of the window, %d have addresses that are masked or none, "+
			"so whether they lie in a block that was asked for is not known.", w.unplaced))
	}

	if w.info.Varies && w.entries > 0 {
		if missing := w.q.Missing(func(field string) bool { return w.had[field] }); len(missing) > 0 {
			c.Caveats = append(c.Caveats, fmt.Sprintf("No entry of the window has %s, and whether the log that was copied had is not known, "+
				"so what is asked of that finds nothing, whatever happened.", strings.Join(missing, ", ")))
		}
	}

	for i := range w.unseen {
		text := w.unseen[i].String()

		if w.q.AllowUnknownValues {
			c.AllowedValues = append(c.AllowedValues, text)
		} else {
			c.UnverifiedValues = append(c.UnverifiedValues, text)
		}
	}

	if w.q.FailOnUnknownActions && len(c.UnknownActions) > 0 {
		return &UnknownActionsError{Actions: c.UnknownActions}
	}

	return c.checkClock(w.q.Window, newest)
}

// UnknownActionsError says that a log holds actions of which nobody knows what they
// mean, where that was not to be.
type UnknownActionsError struct{ Actions []string }

func (e *UnknownActionsError) Error() string {
	return fmt.Sprintf("the log holds actions that are not known to mean any operation: %s", strings.Join(e.Actions, ", "))
}
