// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Clock returns the present moment. The program's main function hands down the
// only one that looks at the machine's clock.
type Clock func() time.Time

// Window is the half-open span of time [Start, End).
type Window struct {
	Start time.Time
	End   time.Time
}

// Contains says whether t lies in the window.
func (w Window) Contains(t time.Time) bool {
	return !t.Before(w.Start) && t.Before(w.End)
}

// String returns the window in mathematical notation, in UTC.
func (w Window) String() string {
	return fmt.Sprintf("[%s, %s)", FormatTime(w.Start), FormatTime(w.End))
}

// Union returns the parts of the window w that at least one of the parts holds, in order, and those that touch as one.
func Union(parts []Window, w Window) []Window {
	var joined []Window

	parts = slices.SortedFunc(slices.Values(parts), func(a, b Window) int { return a.Start.Compare(b.Start) })

	for _, p := range parts {
		p = p.within(w)
		if !p.Start.Before(p.End) {
			continue
		}

		if n := len(joined); n > 0 && !p.Start.After(joined[n-1].End) {
			joined[n-1].End = latest(joined[n-1].End, p.End)

			continue
		}

		joined = append(joined, p)
	}

	return joined
}

// Common returns the parts that both a and b hold, each of which is one as Union returns it.
func Common(a, b []Window) []Window {
	both := make([]Window, 0, len(a))

	for _, w := range a {
		both = append(both, Union(b, w)...)
	}

	return both
}

// within is what of the window lies in another one, in UTC.
func (w Window) within(o Window) Window {
	w = Window{Start: latest(w.Start, o.Start).UTC(), End: w.End.UTC()}
	if o.End.Before(w.End) {
		w.End = o.End.UTC()
	}

	return w
}

// DefaultLast is how far back a query looks that gives no bound.
const DefaultLast = 24 * time.Hour

// WindowSpec is a window as a user writes it. Last excludes Start and End.
type WindowSpec struct {
	Last        time.Duration
	Start       time.Time
	End         time.Time
	SettleDelay time.Duration
}

// No moment lies between the bounds of a window. A window has no length also where
// it is shorter than the microsecond that bounds are exact to.
var (
	ErrWindowReversed   = errors.New("the window ends before it begins")
	ErrWindowNoLength   = errors.New("the window is empty: start and end are the same to the microsecond, and end is not part of it")
	ErrWindowNotSettled = errors.New("the window is empty: it begins when it has already ended, or in the future")
)

// CheckBounds says what is wrong with two bounds that are both given.
func CheckBounds(start, end time.Time) error {
	start, end = start.Truncate(time.Microsecond), end.Truncate(time.Microsecond)

	switch {
	case start.Equal(end):
		return ErrWindowNoLength
	case start.After(end):
		return ErrWindowReversed
	default:
		return nil
	}
}

// Resolve turns the spec into a window as of now. The newest SettleDelay is left
// out, also when End is given, since the cloud may still be filling it. An end in
// the future is drawn back to now, so that the window says what was read. Last is
// counted from the end that results: the window is shifted by SettleDelay and not
// shortened, so that runs which follow each other leave no hole.
func (s WindowSpec) Resolve(now time.Time) (Window, error) {
	settled := now.Add(-s.SettleDelay)

	end := settled
	if !s.End.IsZero() && s.End.Before(settled) {
		end = s.End
	}

	start := s.Start
	if start.IsZero() {
		last := s.Last
		if last == 0 {
			last = DefaultLast
		}

		start = end.Add(-last)
	}

	// Microseconds are the finest resolution shown, so the window that is shown
	// is the window that was used.
	w := Window{Start: start.UTC().Truncate(time.Microsecond), End: end.UTC().Truncate(time.Microsecond)}

	if !s.End.IsZero() {
		if err := CheckBounds(w.Start, s.End); err != nil {
			return Window{}, err
		}
	}

	if !w.Start.Before(w.End) {
		return Window{}, ErrWindowNotSettled
	}

	return w, nil
}

var spanPattern = regexp.MustCompile(`^([0-9]{1,6})([smhdw])$`)

// SpanForms names the accepted forms of a length of time.
const SpanForms = `a whole number and one of s, m, h, d or w, such as "30m", "24h", "7d" or "2w"`

// ErrSpan is returned for a text that is no length of time.
var ErrSpan = errors.New("no length of time")

// ParseSpan reads a length of time: 0s, 30m, 24h, 7d, 2w. A day is 24 hours.
func ParseSpan(text string) (time.Duration, error) {
	m := spanPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, ErrSpan
	}

	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, ErrSpan
	}

	unit := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}[m[2]]
	if n > int(maxSpan/unit) {
		return 0, errors.New("longer than a hundred years")
	}

	return time.Duration(n) * unit, nil
}

const maxSpan = 100 * 365 * 24 * time.Hour
