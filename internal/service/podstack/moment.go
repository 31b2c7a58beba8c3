// SPDX-License-Identifier: MPL-2.0

package podstack

import (
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

	cell = blanks.Replace(decimalPoint(cell))

	cell, offset, ok := cutZone(cell)
	if !ok {
		return moment{}, false
	}

	if len(cell) > len("2006-01-02") && cell[len("2006-01-02")] == 'T' {
		cell = cell[:len("2006-01-02")] + " " + cell[len("2006-01-02T"):]
	}

	words := strings.Fields(cell)

	words, clock, ok := cutClock(words)
	if !ok {
		return moment{}, false
	}

	m, ok := parseDate(words)
	for i := range m.at {
		m.at[i] = m.at[i].Add(clock - offset)
	}

	return m, ok
}

// blanks separate the parts of a time; browsers put a narrow one before AM and PM.
var blanks = strings.NewReplacer("\u202f", " ", "\u00a0", " ", ",", " ")

// decimalPoint turns the comma of 15:04:05,123 into a point.
func decimalPoint(cell string) string {
	i := strings.LastIndexByte(cell, ',')
	if i < len("04:05") || i+1 >= len(cell) || !digits(cell[i+1:i+2]) || !digits(cell[i-2:i]) || cell[i-3] != ':' {
		return cell
	}

	return cell[:i] + "." + cell[i+1:]
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

// cutZone takes off Z, UTC, GMT or an offset.
func cutZone(cell string) (rest string, offset time.Duration, ok bool) {
	// A sign before the time of day belongs to the date.
	if sign := strings.LastIndexAny(cell, "+-"); sign > strings.IndexByte(cell, ':') && strings.Contains(cell, ":") {
		digitsOnly := strings.Replace(cell[sign+1:], ":", "", 1)

		if len(digitsOnly) == len("02") {
			digitsOnly += "00"
		}

		if len(digitsOnly) != len("0200") || !digits(digitsOnly) {
			return "", 0, false
		}

		hours, minutes := number(digitsOnly[:2]), number(digitsOnly[2:])
		if hours > 14 || minutes > 59 {
			return "", 0, false
		}

		offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		if cell[sign] == '-' {
			offset = -offset
		}

		cell = cell[:sign]
	}

	cell = strings.TrimSpace(cell)

	for _, zone := range []string{"(UTC)", "UTC", "GMT", "Z"} {
		if rest, found := strings.CutSuffix(cell, zone); found {
			return rest, offset, true
		}
	}

	return cell, offset, true
}

// cutClock takes the time of day off the words: 15:04, 15:04:05.999, 3:04 PM.
func cutClock(words []string) (date []string, clock time.Duration, ok bool) {
	if len(words) == 0 {
		return nil, 0, false
	}

	last := strings.ToUpper(strings.ReplaceAll(words[len(words)-1], ".", ""))
	half := ""

	if last == "AM" || last == "PM" {
		half, words = last, words[:len(words)-1]
	} else if n := len(words[len(words)-1]) - len("PM"); n > 0 && (strings.HasSuffix(last, "AM") || strings.HasSuffix(last, "PM")) {
		half, words = last[len(last)-2:], append(words[:len(words)-1:len(words)-1], words[len(words)-1][:n])
	}

	if len(words) == 0 {
		return nil, 0, false
	}

	clock, ok = parseClock(words[len(words)-1], half)

	return words[:len(words)-1], clock, ok
}

func parseClock(word, half string) (time.Duration, bool) {
	word, fraction, hasFraction := strings.Cut(word, ".")
	parts := strings.Split(word, ":")

	if len(parts) < 2 || len(parts) > 3 || hasFraction && (len(parts) != 3 || !digits(fraction) || len(fraction) > 9) {
		return 0, false
	}

	for i, p := range parts {
		if !digits(p) || len(p) > 2 || i > 0 && len(p) != 2 {
			return 0, false
		}
	}

	hour, minute, second := number(parts[0]), number(parts[1]), 0
	if len(parts) == 3 {
		second = number(parts[2])
	}

	if half != "" {
		if hour < 1 || hour > 12 {
			return 0, false
		}

		hour %= 12
		if half == "PM" {
			hour += 12
		}
	}

	if hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}

	nanos := number((fraction + "000000000")[:9])

	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nanos), true
}

// parseDate reads a date of one word, or of three of which one names the month.
func parseDate(words []string) (moment, bool) {
	if n := len(words); n > 1 && words[n-1] == "at" {
		words = words[:n-1] // January 2, 2026 at 3:04 PM
	}

	if len(words) == 4 && weekday(words[0]) {
		words = words[1:]
	}

	if len(words) == 1 {
		for _, sign := range []string{"-", "/", "."} {
			if parts := strings.Split(words[0], sign); len(parts) == 3 {
				return dateOf(parts, sign)
			}
		}
	}

	if len(words) == 3 {
		return namedDate(words)
	}

	return moment{}, false
}

func dateOf(parts []string, sign string) (moment, bool) {
	if sign == "-" && !digits(parts[1]) {
		return namedDate(parts)
	}

	for _, p := range parts {
		if !digits(p) {
			return moment{}, false
		}
	}

	if len(parts[0]) == 4 {
		at, ok := date(parts[0], number(parts[1]), parts[2])

		return momentOf(formISO, at), ok && sign != "."
	}

	if sign == "." {
		at, ok := date(parts[2], number(parts[1]), parts[0])

		return momentOf(formDotted, at), ok
	}

	m := moment{form: formNumbers}
	m.at[dayFirst], m.ok[dayFirst] = date(parts[2], number(parts[1]), parts[0])
	m.at[monthFirst], m.ok[monthFirst] = date(parts[2], number(parts[0]), parts[1])

	return m, m.ok[dayFirst] || m.ok[monthFirst]
}

// namedDate reads Jan 2 2026 and 2 Jan 2026.
func namedDate(parts []string) (moment, bool) {
	day, name := parts[0], parts[1]
	if !digits(day) {
		day, name = name, day
	}

	at, ok := date(parts[2], monthNamed(name), day)

	return momentOf(formNamed, at), ok
}

func date(year string, month int, day string) (time.Time, bool) {
	if len(year) != 4 || !digits(year) || !digits(day) || len(day) > 2 || month < 1 || month > 12 {
		return time.Time{}, false
	}

	at := time.Date(number(year), time.Month(month), number(day), 0, 0, 0, 0, time.UTC)

	// What is older than computers' own time is no event but a mistake.
	return at, at.Day() == number(day) && at.Year() >= 1970
}

// monthNamed returns 0 for what names no month: Jan, January, Sept.
func monthNamed(name string) int {
	name = strings.ToLower(strings.TrimSuffix(name, "."))

	for m := time.January; m <= time.December; m++ {
		if full := strings.ToLower(m.String()); name == full || name == full[:3] || name == "sept" && m == time.September {
			return int(m)
		}
	}

	return 0
}

func weekday(name string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(name, d.String()) || strings.EqualFold(name, d.String()[:3]) {
			return true
		}
	}

	return false
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// number reads up to nine digits that have been seen to be digits.
func number(text string) int {
	n := 0
	for _, d := range []byte(text) {
		n = n*10 + int(d-'0')
	}

	return n
}
