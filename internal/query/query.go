// SPDX-License-Identifier: MPL-2.0

// Package query turns the arguments that a user gives into a query, and says what is
// wrong with them.
package query

import (
	"errors"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// Filters are the arguments that say which entries, as they are written. What is not
// given is empty.
type Filters struct {
	SettleDelay   string
	Actions       []string
	Operations    []auditlog.Operation
	ResourceTypes []string
	ResourceIDs   []string
	Actors        []string
	Origins       []string
	IPAddresses   []string
	Search        string
	// Where is nil where no condition is given: "" is none that could be used.
	Where *string

	AllowUnknownValues   bool
	FailOnUnknownActions bool
}

// Arguments are the filters and the window.
type Arguments struct {
	Filters

	Last  string
	Start string
	End   string
}

const startBeforeEnd = "Let {start} be before {end}; the window includes start and excludes end."

// Check reports what is wrong with the window at any time.
func (a *Arguments) Check() explain.Problems {
	var found explain.Problems

	if a.Last != "" && (a.Start != "" || a.End != "") {
		found.Add(explain.Problem{
			Summary: explain.CheckQuery,
			Cause:   "The window is given twice: by {last} and by {start} or {end}.",
			Next:    "Give either {last}, or {start} and {end}.",
		}.At(explain.Argument("last")))
	}

	start, end := ParseTime(a.Start), ParseTime(a.End)
	if err := auditlog.CheckBounds(start, end); err != nil && !start.IsZero() && !end.IsZero() {
		found.Add(explain.Problem{
			Summary: explain.CheckQuery,
			Cause:   explain.Sentence(err.Error()),
			Next:    startBeforeEnd,
		}.With("{start}", a.Start).With("{end}", a.End).At(explain.Argument("start")))
	}

	return found
}

// ParseTime reads a time, zero where none is given; its form has seen to the rest.
func ParseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}

	return t
}

// ParseSpan reads a length of time, zero where none is given; its form has seen to the
// rest.
func ParseSpan(text string) time.Duration {
	d, err := auditlog.ParseSpan(text)
	if err != nil {
		return 0
	}

	return d
}

// StartOf reads how far back a first run goes.
func StartOf(text string, now time.Time, retention time.Duration) time.Time {
	if d, err := auditlog.ParseSpan(text); err == nil {
		return now.Add(-d)
	}

	if t := ParseTime(text); !t.IsZero() {
		return t
	}

	return now.Add(-retention)
}

// Delay is the settle delay, or the fallback where none is given.
func (f *Filters) Delay(fallback time.Duration) time.Duration {
	if d, err := auditlog.ParseSpan(f.SettleDelay); err == nil {
		return d
	}

	return fallback
}

// Query is the part of the query that does not say when. The error is that of compiling
// the condition.
func (f *Filters) Query() (auditlog.Query, error) {
	q := auditlog.Query{
		Actions: f.Actions, Operations: f.Operations, ResourceTypes: f.ResourceTypes, ResourceIDs: f.ResourceIDs,
		Actors: f.Actors, Origins: f.Origins, IPAddresses: f.IPAddresses, Search: f.Search,
		AllowUnknownValues: f.AllowUnknownValues, FailOnUnknownActions: f.FailOnUnknownActions,
	}

	if f.Where == nil {
		return q, nil
	}

	condition, err := where.Compile(*f.Where)
	if err != nil {
		return q, err
	}

	q.Where = condition

	return q, nil
}

// Answerable is Query, and refuses a filter on a field that the service never records:
// it would find nothing, and nothing has to mean that nothing happened.
func (f *Filters) Answerable(info auditlog.Info) (auditlog.Query, explain.Problems) {
	q, err := f.Query()
	if err != nil {
		return q, explain.Problems{explain.Condition(err).At(explain.Argument("where"))}
	}

	return q, unanswerable(q.Unanswerable(info), nil, info)
}

// unanswerable reports what cannot be answered and has not been reported before.
func unanswerable(all, before []*auditlog.UnanswerableError, info auditlog.Info) explain.Problems {
	var found explain.Problems

	for _, u := range all {
		if !slices.ContainsFunc(before, func(b *auditlog.UnanswerableError) bool { return *b == *u }) {
			found.Add(explain.Unanswerable(u, info))
		}
	}

	return found
}

// Unanswerable refuses the filters that a part of an archive cannot answer. Of other
// services their info says as much.
func Unanswerable(s auditlog.Service, q auditlog.Query) explain.Problems {
	r, ok := s.(auditlog.Answerer)
	if !ok {
		return nil
	}

	info := s.Info()

	return unanswerable(r.Unanswerable(q), q.Unanswerable(info), info)
}

// Resolve turns the arguments into a query as of now.
func (a *Arguments) Resolve(
	info auditlog.Info, now time.Time, settleDelay time.Duration, summary string,
) (auditlog.Query, explain.Problems) {
	q, found := a.Answerable(info)

	spec := auditlog.WindowSpec{
		Last: ParseSpan(a.Last), Start: ParseTime(a.Start), End: ParseTime(a.End), SettleDelay: a.Delay(settleDelay),
	}

	window, err := spec.Resolve(now)
	if err != nil {
		next := explain.Text(startBeforeEnd)
		if errors.Is(err, auditlog.ErrWindowNotSettled) {
			next = "Let {start} lie further back" + orLower(spec.SettleDelay) + "."
		}

		found.Add(explain.Problem{
			Summary: summary,
			Cause:   explain.Sentence(err.Error()),
			Next:    next,
		}.With("{start}", a.Start).With("{end}", a.End).
			With("{settle_delay}", spec.SettleDelay.String()).
			With("Now", auditlog.FormatTime(now)).At(explain.Argument("start")))
	}

	if err == nil {
		found.Add(a.endWarning(window.End, spec.SettleDelay)...)
	}

	before := q.Unanswerable(info)
	q.Window, q.SettleDelay = window, spec.SettleDelay

	if err == nil {
		found.Add(unanswerable(q.Unanswerable(info), before, info)...) // What only the window rules out.
	}

	return q, found
}

// endWarning says that the end that was asked for was not reached.
func (a *Arguments) endWarning(until time.Time, settleDelay time.Duration) explain.Problems {
	if !ParseTime(a.End).After(until) {
		return nil
	}

	return explain.Problems{explain.Problem{
		Summary: "The window ends earlier than asked for",
		Cause:   "The newest entries are left out, since they have not happened yet or the service may still be filling them in.",
		Next:    "Read again later" + orLower(settleDelay) + "; what lies between the two moments was not read.",
	}.With("{end}", a.End).With("Read until", auditlog.FormatTime(until)).
		With("{settle_delay}", settleDelay.String()).AsWarning()}
}

// orLower offers to lower a delay, where there is one.
func orLower(settleDelay time.Duration) explain.Text {
	if settleDelay == 0 {
		return ""
	}

	return ", or lower {settle_delay}"
}

// ReadWarnings name what a complete reading could not see all the same, also of the
// end that was asked for, where the service's own clock has not reached it.
func (a *Arguments) ReadWarnings(info auditlog.Info, q auditlog.Query, c auditlog.Completeness) explain.Problems {
	found := explain.Completeness(info, c)

	if !ParseTime(a.End).After(q.Window.End) { // Else Resolve has said so.
		found.Add(a.endWarning(c.Window.End, q.SettleDelay)...)
	}

	return found
}
