// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// checker looks at every row of a file, in its order.
type checker struct {
	f     *file
	chunk *chunk // that the rows are in
	// possible are the readings of dates that no row has ruled out.
	possible [2]bool
	unread   []unread
	// open is the first row whose date the readings differ on.
	open *Error
}

func (k *checker) row(cells []string, _ int, at func(int) place) error {
	f := k.f

	if err := f.checkWidth(cells, at); err != nil {
		return err
	}

	problem := func(i int, reason, next string) error {
		p := at(i)

		return &Error{Line: p.line, Column: p.column, Header: f.columns.headers[i], Reason: reason, Next: next}
	}

	for _, i := range f.columns.blank {
		if i < len(cells) && strings.TrimSpace(cells[i]) != "" {
			return problem(i, "A cell stands in a column without a header.", "Export again, or give the column a header.")
		}
	}

	action := f.columns.of[toAction]
	if strings.TrimSpace(cells[action]) == "" {
		return problem(action, "The cell is empty, and every event has an action.", exportAgain)
	}

	when := f.columns.of[toTime]

	m, reason := k.moment(cells[when])
	if reason != "" {
		return problem(when, reason, "Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = \"…\" }.")
	}

	if !k.possible[f.reading] {
		return errNotDayFirst
	}

	if m.at[dayFirst] != m.at[monthFirst] && k.open == nil {
		errors.As(problem(when,
			"Whether the dates are day first or month first cannot be told, since no row has a day after the 12th.",
			"Export a longer span, or again with times such as 2026-01-31 15:04:05."), &k.open)
	}

	if err := f.checkOwn(cells, problem); err != nil {
		return err
	}

	if err := f.checkID(cells, m.at[f.reading], problem); err != nil {
		return err
	}

	for i := range k.unread {
		k.unread[i].look(cells)
	}

	k.chunk.include(m.at[f.reading])
	k.chunk.rows++

	return nil
}

// sampledIDs is how many ids of a file are compared with those of others. Numbers
// of rows, which begin anew in every export, show in far fewer.
const sampledIDs = 100

const notAnID = "Name the column that identifies events, if there is one, as columns = { id = \"…\" }, or give this one another header."

// checkID refuses an id that another event has among the first ones.
func (f *file) checkID(cells []string, at time.Time, problem func(i int, reason, next string) error) error {
	id := ""
	if i := f.columns.of[toID]; i >= 0 {
		id = strings.TrimSpace(cells[i])
	}

	f.identified = f.identified && id != ""
	known, ok := f.ids[id]

	switch {
	case ok && !known.Equal(at):
		return problem(f.columns.of[toID], "The id is that of an earlier row too, which has another time.", notAnID)
	case id != "" && len(f.ids) < sampledIDs:
		f.ids[id] = at
	}

	return nil
}

// checkIDs refuses exports that number their rows instead of their events.
func checkIDs(files []*file) error {
	seen := map[string]*file{}

	for _, f := range files {
		for _, id := range slices.Sorted(maps.Keys(f.ids)) {
			other := seen[id]
			if other == nil {
				seen[id] = f

				continue
			}

			if !other.ids[id].Equal(f.ids[id]) {
				return &Error{
					File: f.name, Line: f.headerAt, Header: f.columns.headers[f.columns.of[toID]],
					Reason: fmt.Sprintf("The column gives events the ids of other events in %s, so it does not identify them.", other.name),
					Next:   notAnID,
				}
			}
		}
	}

	return nil
}

// moment reads a time in the readings that are still possible, and says what is wrong
// with one that it cannot read.
func (k *checker) moment(cell string) (m moment, reason string) {
	if strings.TrimSpace(cell) == "" {
		return m, "The cell is empty, and every event has a time."
	}

	m, ok := parseMoment(cell)
	if !ok {
		return m, "The cell is not a time in a known form."
	}

	if k.f.form == 0 {
		k.f.form = m.form
	}

	for i := range m.ok {
		k.possible[i] = k.possible[i] && m.ok[i]
	}

	if m.form != k.f.form || !k.possible[dayFirst] && !k.possible[monthFirst] {
		return m, "The time is in another form than those above it, as when a spreadsheet has rewritten some."
	}

	return m, ""
}

// checkWidth refuses rows with too few or too many cells.
func (f *file) checkWidth(cells []string, at func(int) place) error {
	headers := len(f.columns.headers)

	if f.width == 0 {
		f.width = headers

		// A delimiter at the end of every row, or only of the header.
		if n := len(cells); n == headers+1 && cells[n-1] == "" || n == headers-1 && f.columns.headers[n] == "" {
			f.width = n
		}
	}

	n := len(cells)

	switch {
	case n < f.width:
		p := at(n - 1)

		return &Error{
			Line: p.line, Column: p.column, Header: f.columns.headers[n-1],
			Reason: fmt.Sprintf("The row ends after %d of %d cells: it was cut off, or a line break is not in quotes.", n, f.width),
			Next:   exportAgain,
		}
	case n > f.width:
		p := at(f.width)

		return &Error{
			Line: p.line, Column: p.column,
			Reason: fmt.Sprintf("The row has %d cells and the header has %d: perhaps a delimiter is not in quotes.", n, headers),
			Next:   exportAgain,
		}
	default:
		return nil
	}
}

// checkOwn refuses cells that audit_log_export did not write.
func (f *file) checkOwn(cells []string, problem func(i int, reason, next string) error) error {
	if !f.columns.own {
		return nil
	}

	service := f.columns.of[toService]
	if name := strings.TrimSpace(cells[service]); !f.anyService && name != "" && name != auditlog.ServicePodStack {
		return problem(service, "The file holds entries of another cloud that audit_log_export wrote.",
			"Name the exports of the PodStack console.")
	}

	if i := f.columns.of[toChanges]; i >= 0 {
		if unmarshalChanges(cells[i], new([]auditlog.Change)) != nil {
			return problem(i, "The cell is not a list of changes in JSON.", exportAgain)
		}
	}

	if i := f.columns.of[toRaw]; i >= 0 && cells[i] != "" && !json.Valid([]byte(cells[i])) {
		return problem(i, "The cell is not a record in JSON.", exportAgain)
	}

	return nil
}

// errNotDayFirst says that a date made of numbers rules out that they are day first.
var errNotDayFirst = errors.New("the dates are not day first")

// end refuses a file whose dates could be read in two ways to the end.
func (k *checker) end() error {
	if k.open != nil && k.possible[dayFirst] && k.possible[monthFirst] {
		return k.open
	}

	return nil
}
