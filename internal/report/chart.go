// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// kindNames names the kinds of actors, and kindClasses the classes that colour them.
var (
	kindNames   = [4]string{"User accounts", "Programs", "The cloud's staff", "Kind not known"}
	kindClasses = [4]string{"k0", "k1", "k2", "k3"}
)

// chart is the activity over time: columns of parts that stand on each other, in units
// of the drawing.
type chart struct {
	Width, Height int
	Columns       []column
	Gaps          []bar
	Grid          []gridLine
	// Ticks are the labels below.
	Ticks  []tick
	Legend []legend
	Unit   string
	// Summary is the drawing in words.
	Summary string
	Rows    []chartRow
	// Kinds are the names of those that occur, for the head of the table.
	Kinds []string
}

type bar struct {
	X, Y, W, H float64
	Class      string
}

type column struct {
	Title string
	Bars  []bar
}

// gridLine is a line across the drawing, with its label. Percent is how far down it is.
type gridLine struct {
	Y, Percent float64
	Label      string
}

// tick is a label below a column. Percent is how far from the left it begins.
type tick struct {
	Percent float64
	Label   string
	// AtEnd says that there is no room for it to the right.
	AtEnd bool
}

type legend struct{ Name, Class, Number string }

type chartRow struct {
	Time   string
	Counts []string
	Total  string
	Gap    string
}

const (
	chartWidth  = 1000
	chartHeight = 200
)

func newChart(s *Subject, t *tally) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Unit: t.unit}

	var most int64 = 1

	peak := -1

	for i := range t.buckets {
		if n := t.buckets[i].total(); n > most || peak < 0 && n == most {
			most, peak = n, i
		}
	}

	top := roundUp(most)
	scale := float64(chartHeight) / float64(top)
	width := float64(chartWidth) / float64(max(len(t.buckets), 1))
	space := min(width*0.15, 4)

	for _, y := range []int64{0, top / 2, top} {
		if y != 0 && y != top && top%2 != 0 {
			continue
		}

		down := round(chartHeight - float64(y)*scale)
		c.Grid = append(c.Grid, gridLine{Y: down, Percent: round(100 * down / chartHeight), Label: number(y)})
	}

	var used []kind

	for _, k := range kinds {
		if t.byKind[k] > 0 {
			used = append(used, k)
			c.Legend = append(c.Legend, legend{kindNames[k], kindClasses[k], number(t.byKind[k])})
			c.Kinds = append(c.Kinds, kindNames[k])
		}
	}

	format := bucketFormat(t.unit)

	for i := range t.buckets {
		b := &t.buckets[i]
		x := float64(i) * width
		gap := s.gapIn(b)

		if gap {
			c.Gaps = append(c.Gaps, bar{X: round(x), W: round(width), H: chartHeight})
		}

		r := chartRow{Time: b.start.Format(format), Total: number(b.total())}
		if gap {
			r.Gap = "not all of it is known"
		}

		col := column{Title: r.Time + ": " + plural64(b.total(), "entry", "entries")}
		y := float64(chartHeight)

		for _, k := range used {
			h := float64(b.by[k]) * scale
			y -= h

			if b.by[k] > 0 {
				col.Bars = append(col.Bars, bar{
					X: round(x + space/2), Y: round(y), W: round(width - space), H: round(h), Class: kindClasses[k],
				})
			}

			r.Counts = append(r.Counts, number(b.by[k]))
		}

		if len(col.Bars) > 0 {
			c.Columns = append(c.Columns, col)
		}

		c.Rows = append(c.Rows, r)
	}

	c.Ticks = ticks(t, format)
	c.Summary = plural64(t.count, "entry", "entries") + " in " + plural(int64(len(t.buckets)), t.unit)

	if peak >= 0 {
		c.Summary += ", at most " + number(most) + " in one " + t.unit + ", " + t.buckets[peak].start.Format(format)
	}

	c.Summary += "."

	return c
}

// gapIn says whether not all of a column's time is known.
func (s *Subject) gapIn(b *bucket) bool {
	for _, g := range s.Completeness.Gaps {
		if g.Start.Before(b.end) && b.start.Before(g.End) {
			return true
		}
	}

	return s.Completeness.BeyondRetention && b.start.Before(s.ReadAt.Add(-s.Completeness.Retention))
}

// ticks are the labels of at most six columns, of which the first is one.
func ticks(t *tally, format string) []tick {
	const most = 6

	var (
		all  []tick
		n    = len(t.buckets)
		step = (n + most - 1) / most
	)

	// The year would make the labels of hours too long to stand beside each other.
	format = strings.TrimPrefix(format, map[bool]string{true: "2006-"}[t.unit == "hour"])

	for i := 0; i < n; i += max(step, 1) {
		percent := round(100 * float64(i) / float64(n))
		all = append(all, tick{percent, t.buckets[i].start.Format(format), percent > 90})
	}

	return all
}

func bucketFormat(unit string) string {
	switch unit {
	case "hour":
		return "2006-01-02 15:04"
	case "month":
		return "2006-01"
	case "year":
		return "2006"
	default:
		return "2006-01-02"
	}
}

// roundUp is a round number that is not lower, and that can be halved.
func roundUp(n int64) int64 {
	if n <= 2 {
		return n
	}

	step := int64(math.Pow10(int(math.Floor(math.Log10(float64(n))))))
	for _, tenths := range []int64{10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100} {
		if top := tenths * step / 10; top >= n && tenths*step%20 == 0 {
			return top
		}
	}

	return n
}

// round keeps a hundredth of a unit of the drawing, so that the page stays small and its
// bytes are the same everywhere.
func round(f float64) float64 { return math.Round(f*100) / 100 }

// breakdown is a table of counts with a bar each.
type breakdown struct {
	Caption string
	Head    string
	Rows    []breakdownRow
	// Others is what those come to that have no line of their own.
	Others *breakdownRow
}

type breakdownRow struct {
	Name, Note  string
	Count       string
	Share       string
	Deletions   string
	Permissions string
	First, Last string
	// Width is that of the bar, of 100.
	Width float64
	Class string
}

// people is a breakdown of actors of one kind.
type people struct {
	breakdown

	Title string
	// Note says what the title does not promise, "" where there is nothing to say.
	Note string
}

var kindTitles = [4]string{
	"User accounts", "Programs and API tokens", "The cloud's staff", "Actors whose kind is not known",
}

func newPeople(s *Subject, t *tally) []people {
	var (
		all  []people
		most int64 // Bars of all kinds are to one scale.
	)

	for _, c := range t.actors {
		for _, n := range c.by {
			most = max(most, n.n)
		}
	}

	for _, k := range kinds {
		c := t.actors[k]
		if len(c.by) == 0 {
			continue
		}

		top, others, left := c.top(func(a, b actor) int {
			return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id), cmp.Compare(a.kind, b.kind))
		})

		b := breakdown{Caption: "Entries by actor: " + strings.ToLower(kindTitles[k][:1]) + kindTitles[k][1:], Head: "Actor"}

		for _, r := range top {
			line := s.line(r.count, t.count, most, kindClasses[k])
			line.Name = cmp.Or(shown(r.key.name), shown(r.key.id), "not named")

			if k != person {
				line.Note = noteOf(r.key.kind)
			}

			if r.key.name != "" && r.key.id != "" && r.key.id != r.key.name {
				line.Note = strings.TrimPrefix(line.Note+", "+shown(r.key.id), ", ")
			}

			b.Rows = append(b.Rows, line)
		}

		b.Others = s.others(&others, left, t.count, kindClasses[k], c.rest.n > 0)
		note := ""
		if k == person {
			note = "The log does not tell accounts that people use from those that programs use."
		}

		all = append(all, people{b, kindTitles[k], note})
	}

	return all
}

// noteOf says what an actor is, where the title of its table does not.
func noteOf(t auditlog.ActorType) string {
	if kindOf(t) == program {
		return actorTypeText(t)
	}

	return ""
}

func newOperations(s *Subject, t *tally) breakdown {
	b := breakdown{Caption: "Entries by operation", Head: "Operation"}

	top, others, left := t.operations.top(cmp.Compare)
	for _, r := range top {
		line := s.line(r.count, t.count, top[0].n, operationClass(r.key))
		line.Name = operationText(r.key)

		if r.key == auditlog.OperationOther {
			line.Note = "actions that are none of the others"
		}

		b.Rows = append(b.Rows, line)
	}

	b.Others = s.others(&others, left, t.count, "kn", t.operations.rest.n > 0)

	return b
}

// operationClass colours what an auditor looks for first.
func operationClass(op auditlog.Operation) string {
	switch {
	case op == auditlog.OperationDelete:
		return "kd"
	case isPermission(op):
		return "kp"
	default:
		return "kn"
	}
}

func newTypes(s *Subject, t *tally) breakdown {
	b := breakdown{Caption: "Entries by resource type", Head: "Resource type"}

	top, others, left := t.types.top(strings.Compare)
	for _, r := range top {
		line := s.line(r.count, t.count, top[0].n, "kn")
		line.Name = cmp.Or(shown(r.key), "not recorded")
		b.Rows = append(b.Rows, line)
	}

	b.Others = s.others(&others, left, t.count, "kn", t.types.rest.n > 0)

	return b
}

func (s *Subject) line(c *count, total, most int64, class string) breakdownRow {
	zone := s.zone()

	return breakdownRow{
		Count: number(c.n), Share: share(c.n, total), Deletions: number(c.deletions), Permissions: number(c.permissions),
		First: c.first.In(zone).Format("2006-01-02 15:04"), Last: c.last.In(zone).Format("2006-01-02 15:04"),
		Width: round(100 * float64(c.n) / float64(max(most, 1))), Class: class,
	}
}

// others is the line of those that have none of their own, nil where there are none.
func (s *Subject) others(c *count, left int, total int64, class string, more bool) *breakdownRow {
	if c.n == 0 {
		return nil
	}

	line := s.line(c, total, total, class)
	line.Name, line.Width = number(int64(left))+" others", 0

	if more {
		line.Name = "at least " + line.Name
	}

	return &line
}

// share is a part of a whole in percent.
func share(n, of int64) string {
	if of == 0 {
		return "0 %"
	}

	percent := 100 * float64(n) / float64(of)

	switch {
	case n > 0 && percent < 0.1:
		return "< 0.1 %"
	case n < of && percent > 99.9:
		return "> 99.9 %"
	default:
		return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
	}
}

// heat is the table of hours and weekdays.
type heat struct {
	Hours []string
	Days  []heatDay
}

type heatDay struct {
	Name  string
	Cells []heatCell
	Total string
}

type heatCell struct {
	Number string
	// Level is from 0, for nothing, to 5.
	Level int
}

func newHeat(t *tally) heat {
	var (
		h    heat
		most int64
	)

	for hour := range 24 {
		h.Hours = append(h.Hours, strconv.Itoa(hour))
	}

	for _, hours := range t.hours {
		for _, n := range hours {
			most = max(most, n)
		}
	}

	for i, name := range []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"} {
		day := heatDay{Name: name}

		var total int64

		for _, n := range t.hours[i] {
			total += n
			cell := heatCell{Number: compact(n)}

			if n > 0 {
				cell.Level = int((5*n + most - 1) / most)
			}

			day.Cells = append(day.Cells, cell)
		}

		day.Total = number(total)
		h.Days = append(h.Days, day)
	}

	return h
}

// compact is a number in at most four characters.
func compact(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10)
	case n < 10_000:
		return strconv.FormatFloat(math.Floor(float64(n)/100)/10, 'f', 1, 64) + "k"
	case n < 1_000_000:
		return strconv.FormatInt(n/1000, 10) + "k"
	default:
		return strconv.FormatInt(n/1_000_000, 10) + "M"
	}
}
