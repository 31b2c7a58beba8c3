// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// form is a way to write times. A column has one: a spreadsheet that rewrote some
// of its cells leaves several, and then none of them can be trusted.
type form int

const (
	formISO     form = iota + 1 // 2026-01-31 15:04:05, RFC 3339
	formNamed                   // Jan 31, 2026, 3:04:05 PM
	formDotted                  // 31.01.2026 15:04:05
	formNumbers                 // 01/02/2026 15:04:05: which is the month?
	formSeconds                 // Unix time
	formMillis
)

// moment is a cell read as a time, in each of the two ways that dates made of
// numbers leave open. Where a form leaves none open, both are the same.
type moment struct {
	form form
	at   [2]time.Time
	ok   [2]bool
}

// The readings of formNumbers.
const (
	dayFirst = iota
	monthFirst
)

func momentOf(f form, at time.Time) moment {
	return moment{form: f, at: [2]time.Time{at, at}, ok: [2]bool{true, true}}
}

// parseMoment reads a time in UTC, unless the cell itself gives an offset. A name
// of another zone, a year of two digits and a date alone are refused.
func parseMoment(cell string) (moment, bool) {
	cell = strings.TrimSpace(cell)

	if m, ok := parseUnix(cell); ok {
		return m, true
	}

	text, layout := normalTime(cell)
	if refused.MatchString(text) {
		return moment{}, false
	}

	for _, d := range dates {
		m := moment{form: d.form}

		for i, date := range d.layouts {
			at, err := time.Parse(date+layout, text)
			// What is older than computers' own time is no event but a mistake.
			m.at[i], m.ok[i] = at.UTC(), err == nil && at.UTC().Year() >= time.Unix(0, 0).UTC().Year()
		}

		if m.ok[dayFirst] || m.ok[monthFirst] {
			return m, true
		}
	}

	return moment{}, false
}

// dates are the layouts of dates in each reading.
var dates = []struct {
	form    form
	layouts [2]string
}{
	{formISO, [2]string{"2006-1-2", "2006-1-2"}},
	{formISO, [2]string{"2006/1/2", "2006/1/2"}},
	{formNamed, [2]string{"Jan 2 2006", "Jan 2 2006"}},
	{formNamed, [2]string{"January 2 2006", "January 2 2006"}},
	{formNamed, [2]string{"2 Jan 2006", "2 Jan 2006"}},
	{formNamed, [2]string{"2 January 2006", "2 January 2006"}},
	{formNamed, [2]string{"2-Jan-2006", "2-Jan-2006"}},
	{formNamed, [2]string{"2-January-2006", "2-January-2006"}},
	{formDotted, [2]string{"2.1.2006", "2.1.2006"}},
	{formNumbers, [2]string{dayFirst: "2/1/2006", monthFirst: "1/2/2006"}},
	{formNumbers, [2]string{dayFirst: "2-1-2006", monthFirst: "1-2-2006"}},
}

// spellings are replaced one after the other by what the package time reads.
var spellings = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(:\d\d),(\d)`), "$1.$2"},     // 15:04:05,123
	{regexp.MustCompile(`[\s\x{202f}\x{a0},]+`), " "}, // Browsers put a narrow blank before AM and PM.
	{regexp.MustCompile(`([A-Z])\.`), "$1"},           // p.m., Jan.
	{regexp.MustCompile(`^([\d/.-]{10})T`), "$1 "},    // RFC 3339
	{regexp.MustCompile(`(\d) ?([AP]M)$`), "$1 $2"},   // 3:04PM
	{regexp.MustCompile(`\bSEPT\b`), "SEP"},
	{regexp.MustCompile(` AT (\S+( [AP]M)?)$`), " $1"}, // January 2, 2026 at 3:04 PM
	{regexp.MustCompile(`^(?:(?:SUN|MON|TUES|WEDNES|THURS|FRI|SATUR)DAY|SUN|MON|TUE|WED|THU|FRI|SAT) (\S+ \S+ \S+ )`), "$1"},
}

// zone is what may follow the time of day: a name of UTC, an offset, or both.
var zone = regexp.MustCompile(`\s*(?:\(UTC\)|UTC|GMT|Z)?\s*(?:([+-](?:0\d|1[0-4])):?([0-5]\d)?)?$`)

// refused are what the package time would read all the same: midnight as 0 AM, and
// less than nanoseconds.
var refused = regexp.MustCompile(` 0+:\S* [AP]M|\.\d{10}`)

// normalTime returns a text without the variety in which times are written, and the
// layout of what follows its date.
func normalTime(cell string) (text, layout string) {
	z := zone.FindStringSubmatchIndex(cell)
	offset := "+0000"

	if z[2] >= 0 {
		offset = cell[z[2]:z[3]] + "00"
	}

	if z[4] >= 0 {
		offset = cell[z[2]:z[3]] + cell[z[4]:z[5]]
	}

	text = strings.Trim(strings.ToUpper(cell[:z[0]]), ", ")
	for _, s := range spellings {
		text = s.pattern.ReplaceAllString(text, s.by)
	}

	hour, half := " 15:04", ""
	if strings.HasSuffix(text, "M") {
		hour, half = " 3:04", " PM"
	}

	if strings.Count(text, ":") > 1 {
		hour += ":05"
	}

	return text + " " + offset, hour + half + " -0700"
}

func parseUnix(cell string) (moment, bool) {
	if !digits(cell) {
		return moment{}, false
	}

	n, err := strconv.ParseInt(cell, 10, 64)

	switch {
	case err != nil:
		return moment{}, false
	case len(cell) == len("1767225600"):
		return momentOf(formSeconds, time.Unix(n, 0).UTC()), true
	case len(cell) == len("1767225600000"):
		return momentOf(formMillis, time.UnixMilli(n).UTC()), true
	default:
		return moment{}, false
	}
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
