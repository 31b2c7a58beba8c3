// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

const (
	// A table is laid out so many rows at a time, the later ones as the first: memory does not grow with the log.
	tableRows = 1000
	// A terminal that is narrower has no room for where something was done.
	narrow = 100
	// No column is made narrower than this, and columns are so far apart. Where the columns do not fit, the fields of an
	// entry are below each other.
	leastWidth = 14
	columnGap  = 2
	// As wide a file is taken for, where a table is asked for and no terminal is there.
	fileWidth = 160
)

// column is one column of a table of entries.
type column struct {
	title string
	text  func(e *auditlog.Entry, times *time.Location) string
}

// whole says that what stands in a column is easily taken for another value when its end is missing.
func (c column) whole() bool { return slices.Contains([]string{"time", "action", "address"}, c.title) }

// usualColumns say who did what to what, when and from where, as far as the service records it and there is room.
func usualColumns(info auditlog.Info, width int) []column {
	columns := []column{
		{"time", timeText},
		{"actor", func(e *auditlog.Entry, _ *time.Location) string {
			return cmp.Or(e.Actor, e.ActorID, string(e.ActorType))
		}},
		{"action", func(e *auditlog.Entry, _ *time.Location) string { return e.Action }},
		{"resource", func(e *auditlog.Entry, _ *time.Location) string {
			return strings.TrimSpace(e.ResourceType + " " + cmp.Or(e.ResourceName, e.ResourceID))
		}},
		{"origin", func(e *auditlog.Entry, _ *time.Location) string { return e.Origin }},
		{"address", addressText},
	}

	return slices.DeleteFunc(columns, func(c column) bool {
		return c.title == "origin" && (width < narrow || !info.Records("origin")) ||
			c.title == "address" && !info.Records("ip_address")
	})
}

// addressText is an address as short as it can be written.
func addressText(e *auditlog.Entry, _ *time.Location) string {
	if a, err := netip.ParseAddr(e.IPAddress); err == nil {
		return a.String()
	}

	return e.IPAddress
}

// timeText is a time with its distance from UTC, so that nobody has to guess in which zone it is.
func timeText(e *auditlog.Entry, times *time.Location) string {
	return e.Time.In(times).Format("2006-01-02 15:04:05Z07:00")
}

func columnsOf(names []string, info auditlog.Info, width int) []column {
	if len(names) == 0 {
		return usualColumns(info, width)
	}

	columns := make([]column, 0, len(names))

	for _, name := range names {
		f, _ := auditlog.FieldByName(name) // They have been checked.
		if name == "time" {
			columns = append(columns, column{name, timeText})

			continue
		}

		columns = append(columns, column{name, func(e *auditlog.Entry, _ *time.Location) string { return fieldText(&f, e) }})
	}

	return columns
}

// fieldText is a field on one line.
func fieldText(f *auditlog.Field, e *auditlog.Entry) string {
	switch f.Kind {
	case auditlog.KindRaw:
		return string(e.Raw)
	case auditlog.KindChanges:
		changes := make([]string, 0, len(e.Changes))
		for _, c := range e.Changes {
			changes = append(changes, fmt.Sprintf("%s: %s -> %s", c.Field, jsonOr(c.Before), jsonOr(c.After)))
		}

		return strings.Join(changes, "; ")
	default:
		return f.Text(e)
	}
}

// rows is a table of entries for people. All of its cells are fit to be shown.
type rows struct {
	spool   *durable.Spool
	columns []column
	times   *time.Location
	width   int
	colours bool
	pending []row
	widths  []int // those of the first rows, nil before
	stacked bool
}

type row struct {
	cells     []string
	operation auditlog.Operation
}

func newTable(env environment, info auditlog.Info, names []string, times *time.Location) (*rows, error) {
	spool, err := durable.NewSpool()
	if err != nil {
		return nil, err
	}

	width := cmp.Or(env.columns, fileWidth)

	return &rows{
		spool: spool, columns: columnsOf(names, info, width), times: times, width: width, colours: env.colours(),
	}, nil
}

// colours says that colours are seen and wanted: https://no-color.org.
func (env environment) colours() bool {
	noColour, _ := env.lookupEnv("NO_COLOR")
	terminal, _ := env.lookupEnv("TERM")

	return env.columns > 0 && noColour == "" && terminal != "dumb"
}

func (r *rows) begin() error {
	r.pending, r.widths = nil, nil

	return r.spool.Reset()
}

func (r *rows) take(e *auditlog.Entry) error {
	cells := make([]string, 0, len(r.columns))
	for _, c := range r.columns {
		cells = append(cells, shown(c.text(e, r.times)))
	}

	r.pending = append(r.pending, row{cells, e.Operation})
	if len(r.pending) < tableRows {
		return nil
	}

	return r.flush()
}

func (r *rows) end(env environment) error {
	if err := r.flush(); err != nil {
		return err
	}

	return r.spool.CopyTo(env.data)
}

func (r *rows) close() error { return r.spool.Close() }

// flush lays out what has been taken.
func (r *rows) flush() error {
	if len(r.pending) == 0 {
		return nil
	}

	defer func() { r.pending = r.pending[:0] }()

	titles := make([]string, 0, len(r.columns))
	for _, c := range r.columns {
		titles = append(titles, c.title)
	}

	first := r.widths == nil
	if first {
		r.widths, r.stacked = fit(titles, r.pending, r.width, func(i int) bool { return r.columns[i].whole() })
	}

	if r.stacked {
		return r.stack()
	}

	t := newGrid(r.widths)
	if first {
		t.AppendHeader(rowOf(titles))
	}

	for _, row := range r.pending {
		t.AppendRow(r.painted(row))
	}

	_, err := fmt.Fprintln(r.spool, t.Render())

	return err //nolint:wrapcheck // It says what could not be written.
}

// newGrid is a table without lines, of columns that keep their widths.
func newGrid(widths []int) table.Writer {
	t := table.NewWriter()

	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", columnGap)
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()

	configs := make([]table.ColumnConfig, 0, len(widths))
	for i, width := range widths {
		configs = append(configs, table.ColumnConfig{
			Number: i + 1, WidthMin: width, WidthMax: width,
			WidthMaxEnforcer: func(cell string, most int) string { return text.Snip(cell, most, "…") },
		})
	}

	t.SetColumnConfigs(configs)

	return t
}

func rowOf(cells []string) table.Row {
	r := make(table.Row, 0, len(cells))
	for _, cell := range cells {
		r = append(r, cell)
	}

	return r
}

// painted is a row with the action in a colour that says what kind of operation it is; the text says so as well.
func (r *rows) painted(from row) table.Row {
	painted := rowOf(from.cells)

	for i, c := range r.columns {
		if r.colours && (c.title == "action" || c.title == "operation") {
			painted[i] = colourOf(from.operation).Sprint(from.cells[i])
		}
	}

	return painted
}

// colourOf is red for what takes something away, green for what adds, yellow for what changes who may do what.
func colourOf(o auditlog.Operation) text.Colors {
	switch o {
	case auditlog.OperationDelete:
		return text.Colors{text.FgRed}
	case auditlog.OperationCreate:
		return text.Colors{text.FgGreen}
	case auditlog.OperationGrant, auditlog.OperationRevoke, auditlog.OperationInvite:
		return text.Colors{text.FgYellow}
	default:
		return text.Colors{}
	}
}

// stack writes the fields of each entry below each other, for terminals that are too narrow for a table.
func (r *rows) stack() error {
	for _, row := range r.pending {
		painted := r.painted(row)

		for i, c := range r.columns {
			if row.cells[i] == "" {
				continue
			}

			if _, err := fmt.Fprintf(r.spool, "%s: %s\n", c.title, painted[i]); err != nil {
				return err //nolint:wrapcheck // It says what could not be written.
			}
		}

		if _, err := io.WriteString(r.spool, "\n"); err != nil {
			return err //nolint:wrapcheck // As above.
		}
	}

	return nil
}

// fit returns widths at which the rows fit into a width, as far as no column gets too narrow to be read. The widest
// column gives way first, and those that are to stay whole not at all. It says whether the rows are too wide all the
// same.
func fit(titles []string, rows []row, width int, whole func(i int) bool) (widths []int, tooWide bool) {
	widths = make([]int, len(titles))
	total := -columnGap

	for i, title := range titles {
		widths[i] = text.StringWidth(title)

		for _, row := range rows {
			widths[i] = max(widths[i], text.StringWidth(row.cells[i]))
		}

		total += widths[i] + columnGap
	}

	for ; total > width; total-- {
		widest := -1

		for i, w := range widths {
			if !whole(i) && w > leastWidth && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}

		if widest < 0 {
			break
		}

		widths[widest]--
	}

	return widths, total > width
}

// printCounts prints how many entries there are of each kind.
func printCounts(env environment, by []string, all []count) error {
	titles := append(slices.Clone(by), "count")
	laidOut := make([]row, 0, len(all))

	for _, n := range all {
		cells := make([]string, 0, len(titles))
		for _, value := range n.values {
			cells = append(cells, cmp.Or(shown(value), "-"))
		}

		laidOut = append(laidOut, row{cells: append(cells, task.Grouped(n.n))})
	}

	isCount := func(i int) bool { return i == len(titles)-1 }
	widths, _ := fit(titles, laidOut, cmp.Or(env.columns, fileWidth), isCount)

	t := newGrid(widths)
	t.AppendHeader(rowOf(titles))

	for _, row := range laidOut {
		t.AppendRow(rowOf(row.cells))
	}

	_, err := fmt.Fprintln(env.data, t.Render())

	return err //nolint:wrapcheck // It is the writer's.
}

// jsonOr is a value before or after a change, which may not have been there.
func jsonOr(value *string) string {
	if value == nil {
		return "(absent)"
	}

	return *value
}
