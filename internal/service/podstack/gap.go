// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"fmt"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// gaps returns the parts of a window that no export spans. An export stands for
// the time from its first to its last row: what its export asked for is written
// nowhere. Two exports are joined only where the later one begins at or before
// the last row of the earlier one, and a gap begins a microsecond after that row.
func gaps(files []*file, w auditlog.Window) []auditlog.Window {
	var all []auditlog.Window

	from := w.Start
	add := func(to time.Time) {
		if to.After(w.End) {
			to = w.End
		}

		if from.Before(to) {
			all = append(all, auditlog.Window{Start: from, End: to})
		}
	}

	for _, f := range byTime(files) {
		add(f.first)

		if next := f.last.Truncate(time.Microsecond).Add(time.Microsecond); next.After(from) {
			from = next
		}
	}

	add(w.End)

	return all
}

// checkOverlaps refuses exports that overlap in time and have different columns:
// an event in both would look like two, unless it has an id.
func checkOverlaps(files []*file) error {
	sorted := byTime(files)

	for i, f := range sorted {
		for _, other := range sorted[i+1:] {
			if other.first.After(f.last) {
				break
			}

			if f.columns.records == other.columns.records || f.identified && other.identified {
				continue
			}

			return &Error{
				File: other.name, Line: 1, Headers: slices.Clone(other.columns.headers),
				Reason: fmt.Sprintf("The export overlaps %s in time and has other columns, so an event in both would count twice.", f.name),
				Next:   "Export one of the two again with the columns of the other, or leave one out.",
			}
		}
	}

	return nil
}

// byTime returns the files that have rows, by their first.
func byTime(files []*file) []*file {
	sorted := slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return f.rows == 0 })
	slices.SortStableFunc(sorted, func(a, b *file) int { return a.first.Compare(b.first) })

	return sorted
}
