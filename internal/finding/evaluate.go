// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Evaluate holds the rules against what the query asks for, in one reading from
// the oldest entry to the newest. Memory does not grow with the number of
// entries, but with that of groups and of what is in one span. When it returns
// without an error, c holds the reading's statement. Options that cannot be meant
// are an *OptionError each; a condition that cannot be decided is a *RuleError.
func Evaluate(
	ctx context.Context, s auditlog.Service, q auditlog.Query, o Options, c *auditlog.Completeness,
) (*Result, error) {
	if err := joined(o.Check()); err != nil {
		return nil, err
	}

	info, err := informed(ctx, s)
	if err != nil {
		return nil, err
	}

	if err := joined(o.CheckAgainst(info, q.Window)); err != nil {
		return nil, err
	}

	v := &evaluation{o: o, info: info, unknown: actionsByRule{}, contradicted: actionsByRule{}, result: &Result{
		CountsByRule: map[string]int64{}, CountsBySeverity: map[Severity]int64{}, NotEvaluable: o.NotEvaluable(info, q),
		ExpectedCounts: make([]int64, len(o.Expected)),
	}}

	if err := v.prepare(ctx, s, info, q); err != nil {
		return nil, err
	}

	matcher, err := q.Matcher()
	if err != nil {
		return nil, err
	}

	conditions, needs := o.asks(info)
	q.Conditions, q.Needs = slices.Concat(q.Conditions, conditions), slices.Concat(q.Needs, needs)
	q.Unknown = func(e *auditlog.Entry) { v.wonder(e, matcher) }

	done, err := auditlog.ReadAll(ctx, s, q, func(e *auditlog.Entry) error {
		v.result.EntryCount++

		if v.o.Learn != nil {
			if err := v.o.Learn(e); err != nil {
				return err
			}
		}

		return v.take(e)
	})
	if err != nil {
		return nil, err
	}

	*c = done

	return v.end(c), nil
}

// asks returns what is asked of the entries besides the query: the conditions of the
// user's rules, and the fields that the built-in ones stand on.
func (o Options) asks(info auditlog.Info) (conditions []auditlog.Condition, needs []string) {
	for i := range o.Rules {
		conditions = append(conditions, o.Rules[i].Condition)
	}

	for _, name := range o.Builtins {
		if b, ok := builtinByName(name); ok {
			needs = append(needs, slices.Concat(b.needs[""], b.needs[info.Cloud()])...)
		}
	}

	return conditions, needs
}

// RuleError is a rule whose condition cannot be decided for an entry.
type RuleError struct {
	Rule string
	Err  error
}

func (e *RuleError) Error() string { return fmt.Sprintf("rule %s: %v", e.Rule, e.Err) }

func (e *RuleError) Unwrap() error { return e.Err }

// rule is a rule at work, whoever it is of.
type rule struct {
	name      string
	severity  Severity
	match     func(*auditlog.Entry) (bool, error)
	condition auditlog.Condition
	threshold int64
	within    time.Duration // zero: the whole window
	groupBy   []string
	groups    []func(*auditlog.Entry) string // how groupBy is read
	message   string
	one, many string
	// expectations are the indexes of those that are about the rule.
	expectations []int
}

// evaluation is one Evaluate under way.
type evaluation struct {
	o       Options
	info    auditlog.Info
	tallies []*tally
	// last is the time of the newest entry.
	last   time.Time
	result *Result
	listed []listed
	// met are the expectations that the present entry has met so far.
	met []int
	// unknown are the actions, by rule, of which a rule would have to know what they
	// mean.
	unknown actionsByRule
	choices []choice
	// excused are the rules whose finding nothing counts as clean, since no log of the
	// service is known to show what they look for, and contradicted the actions by rule
	// that show it all the same.
	excused      []*rule
	contradicted actionsByRule
}

// actionsByRule are actions that a rule has to do with. No more of them are named than
// can be read.
type actionsByRule map[string]map[string]bool

// wants says whether the action would be news of the rule.
func (a actionsByRule) wants(rule, action string) bool {
	const most = 100

	return !a[rule][action] && len(a[rule]) < most
}

func (a actionsByRule) add(rule, action string) {
	if a[rule] == nil {
		a[rule] = map[string]bool{}
	}

	if a.wants(rule, action) {
		a[rule][action] = true
	}
}

// of lists the actions of a rule.
func (a actionsByRule) of(rule string) []string { return slices.Sorted(maps.Keys(a[rule])) }

// prepare puts the rules to work that can be evaluated.
func (v *evaluation) prepare(ctx context.Context, s auditlog.Service, info auditlog.Info, q auditlog.Query) error {
	compiled, err := conditions()
	if err != nil {
		return err
	}

	for _, name := range v.o.Builtins {
		b, ok := builtinByName(name)
		if !ok {
			continue
		}

		if v.impossible(name, unanswerable(s, info, q, compiled[name])) {
			v.excused = append(v.excused, &rule{name: name, match: b.match(compiled[name])})

			continue
		}

		r := &rule{
			name: name, severity: b.Severity, match: b.match(compiled[name]), condition: compiled[name], threshold: b.Threshold,
			within: b.Within, groupBy: b.GroupBy, one: b.one, many: b.many,
		}

		if name != RuleLoginFromNewAddress {
			v.add(r)

			continue
		}

		known, err := v.baseline(ctx, s, q, r.match)
		if err != nil {
			return err
		}

		for _, kind := range known.kinds(&b) {
			part := *r
			part.match, part.one, part.many = kind.among(r.match), kind.one, kind.many

			v.add(&part)
		}
	}

	for i := range v.o.Rules {
		own := &v.o.Rules[i]
		if v.impossible(own.Name, unanswerable(s, info, q, own.Condition)) {
			continue
		}

		r := &rule{
			name: own.Name, severity: own.Severity, match: own.Condition.Match, condition: own.Condition,
			threshold: own.Threshold,
			groupBy:   own.GroupBy, message: own.Message, one: "matching entry", many: "matching entries",
		}
		if own.Within != nil {
			r.within = *own.Within
		}

		v.add(r)
	}

	return nil
}

// impossible says whether the rule cannot find anything. A reason that is new is
// reported.
func (v *evaluation) impossible(name, reason string) bool {
	known := slices.ContainsFunc(v.result.NotEvaluable, func(n NotEvaluable) bool { return n.Rule == name })
	if !known && reason != "" {
		v.result.NotEvaluable = append(v.result.NotEvaluable, NotEvaluable{Rule: name, Reason: reason})
	}

	return known || reason != ""
}

func (v *evaluation) add(r *rule) {
	for _, field := range r.groupBy {
		if u := (Ungrouped{r.name, field}); !v.info.Records(field) && !slices.Contains(v.result.Ungrouped, u) {
			v.result.Ungrouped = append(v.result.Ungrouped, u)
		}
	}

	r.groupBy = grouping(r.groupBy, v.info)
	r.groups = readers(r.groupBy)

	for i := range v.o.Expected {
		if slices.Contains(v.o.Expected[i].rules(v.o), r.name) {
			r.expectations = append(r.expectations, i)
		}
	}

	v.tallies = append(v.tallies, newTally(r, v.found))
	v.result.CountsByRule[r.name] += 0
	v.result.CountsBySeverity[r.severity] += 0
}

// errOrder is a log that is further out of order than services can put right. Counting it
// would be counting wrong.
var errOrder = errors.New("the service gave an entry that is older than one before it by more than a minute, so that bursts cannot be counted")

// take holds every rule against the entry as it is.
func (v *evaluation) take(e *auditlog.Entry) error {
	if e.Time.Before(v.last) {
		return errOrder
	}

	v.last = e.Time

	for _, r := range v.excused {
		if shown, err := r.match(e); shown && err == nil {
			v.contradicted.add(r.name, e.Action)
		}
	}

	var of *auditlog.Entry

	v.met = v.met[:0]

	for _, t := range v.tallies {
		matches, err := t.rule.match(e)
		if err != nil {
			return &RuleError{Rule: t.rule.name, Err: err}
		}

		if !matches || v.expects(t.rule, e) {
			continue
		}

		if of == nil && v.o.Redact != nil {
			small := *e
			small.Changes, small.Raw = nil, nil
			of = &small
		}

		group := values(t.rule.groups, e)

		t.add(hit{at: e.Time, id: e.ID, key: join(group), group: group, of: of})
	}

	if len(v.met) > 0 {
		v.result.ExpectedCount++
	}

	return nil
}

// wonder takes note of the rules that would count otherwise what answers the query
// if the action of the entry, which nobody knows, meant something else.
func (v *evaluation) wonder(e *auditlog.Entry, query *auditlog.Matcher) {
	for _, t := range v.tallies {
		counts := func(e *auditlog.Entry) (bool, error) {
			if answers, err := query.Match(e); err != nil || !answers {
				return false, err
			}

			return t.rule.condition.Match(e)
		}

		if v.unknown.wants(t.rule.name, e.Action) && auditlog.DependsOnOperation(e, v.info.Operations, counts) {
			v.unknown.add(t.rule.name, e.Action)
		}
	}
}

// expects says whether the entry is not to count for the rule. Each expectation
// counts an entry once, whatever the number of rules.
func (v *evaluation) expects(r *rule, e *auditlog.Entry) bool {
	expected := false

	for _, i := range r.expectations {
		met, chosen := v.o.Expected[i].matches(e, v.info.UniqueActor != nil && v.info.UniqueActor(e))
		if chosen {
			v.chose(i, e)
		}

		if !met {
			continue
		}

		expected = true

		if !slices.Contains(v.met, i) {
			v.met = append(v.met, i)
			v.result.ExpectedCounts[i]++
		}
	}

	return expected
}

// choice is an entry that only the name of its actor would have let pass.
type choice struct {
	expectation int
	actor, id   string
	of          auditlog.Entry
}

// chose takes note of a name that anybody could have chosen.
func (v *evaluation) chose(expectation int, e *auditlog.Entry) {
	const most = 100

	if len(v.choices) == most || slices.ContainsFunc(v.choices, func(c choice) bool {
		return c.expectation == expectation && c.actor == e.Actor && c.id == e.ActorID
	}) {
		return
	}

	v.choices = append(v.choices, choice{expectation, e.Actor, e.ActorID, *e})
}

// chosenNames returns the names with their ids as they may be shown.
func (v *evaluation) chosenNames() []ChosenName {
	var all []ChosenName

	for _, c := range v.choices {
		shown := c.of
		if v.o.Redact != nil {
			shown = v.o.Redact(c.of)
		}

		i := slices.IndexFunc(all, func(n ChosenName) bool { return n.Expectation == c.expectation && n.Name == shown.Actor })
		if i < 0 {
			i = len(all)
			all = append(all, ChosenName{Expectation: c.expectation, Name: shown.Actor})
		}

		if shown.ActorID != "" && !slices.Contains(all[i].IDs, shown.ActorID) {
			all[i].IDs = append(all[i].IDs, shown.ActorID)
		}
	}

	return all
}

// readers return what entries are grouped by, field by field.
func readers(fields []string) []func(*auditlog.Entry) string {
	all := make([]func(*auditlog.Entry) string, len(fields))

	for i, name := range fields {
		switch f, _ := auditlog.FieldByName(name); name {
		case fieldActor:
			// Whoever has no name goes by id, and by kind where there is no id, as in the
			// counts of a look-up.
			all[i] = func(e *auditlog.Entry) string { return cmp.Or(e.Actor, e.ActorID, string(e.ActorType)) }
		case auditlog.FieldIPAddress:
			// An address has several spellings.
			all[i] = func(e *auditlog.Entry) string {
				if a, ok := auditlog.AddressOf(e.IPAddress); ok {
					return a.String()
				}

				return e.IPAddress
			}
		default:
			all[i] = f.Text
		}
	}

	return all
}

// values returns what the entry is grouped by, in the form in which texts compare.
func values(groups []func(*auditlog.Entry) string, e *auditlog.Entry) []string {
	all := make([]string, len(groups))
	for i, read := range groups {
		all[i] = auditlog.Normal(read(e))
	}

	return all
}

// join makes one text of several, different ones of different ones.
func join(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}

	var b []byte
	for _, s := range texts {
		b = append(strconv.AppendInt(b, int64(len(s)), 10), ':')
		b = append(b, s...)
	}

	return string(b)
}

// listed is a finding with what its group is of: an entry, nil where nothing is
// redacted, and the fields.
type listed struct {
	Finding

	of      *auditlog.Entry
	groupBy []string
}

// found takes note of a finding. It holds at most twice as many as are listed.
func (v *evaluation) found(r *rule, b *burst) {
	v.result.TotalCount++
	v.result.CountsByRule[r.name]++
	v.result.CountsBySeverity[r.severity]++

	f := Finding{
		Rule: r.name, Severity: r.severity, Count: b.count, FirstTime: b.first, LastTime: b.last,
		EntryIDs: b.ids, Message: r.sentence(b),
	}
	f.Group = named(r.groupBy, b.group)

	v.listed = append(v.listed, listed{f, b.of, r.groupBy})
	if len(v.listed) > 2*v.limit() {
		v.trim()
	}
}

func named(fields, values []string) []GroupValue {
	group := make([]GroupValue, 0, len(fields))
	for i, name := range fields {
		group = append(group, GroupValue{Field: name, Value: values[i]})
	}

	return group
}

func (v *evaluation) limit() int { return cmp.Or(v.o.MaxFindings, DefaultMaxFindings) }

func (v *evaluation) trim() {
	slices.SortFunc(v.listed, func(a, b listed) int { return compare(&a.Finding, &b.Finding) })

	v.listed = slices.Clone(v.listed[:min(len(v.listed), v.limit())])
}

func (v *evaluation) end(c *auditlog.Completeness) *Result {
	for _, t := range v.tallies {
		t.end()
	}

	v.trim()

	v.result.Truncated = int64(len(v.listed)) < v.result.TotalCount

	// What is to be redacted is known only now that everything has been read.
	for _, l := range v.listed {
		if l.of != nil {
			shown := v.o.Redact(*l.of)
			l.Group = named(l.groupBy, values(readers(l.groupBy), &shown))
		}

		v.result.Findings = append(v.result.Findings, l.Finding)
	}

	slices.SortFunc(v.result.Findings, func(a, b Finding) int { return compare(&a, &b) })
	v.result.Chosen = v.chosenNames()

	for _, name := range slices.Sorted(maps.Keys(v.unknown)) {
		actions := v.unknown.of(name)
		v.result.NotEvaluable = append(v.result.NotEvaluable, NotEvaluable{Rule: name, Actions: actions, Reason: fmt.Sprintf(
			"The log holds actions that are not known to mean any operation, so that the rule may have missed what they did: %s.",
			strings.Join(actions, ", "))})
	}

	if len(v.unknown) > 0 {
		c.UnknownMatters = true
		v.dropUnsureZeros()
	}

	for i := range v.result.NotEvaluable {
		if actions := v.contradicted.of(v.result.NotEvaluable[i].Rule); len(actions) > 0 {
			v.result.NotEvaluable[i].ByNature = false
			v.result.NotEvaluable[i].Reason += " Yet the log holds actions that mean it: " + strings.Join(actions, ", ") + "."
		}
	}

	v.result.Clean = v.result.TotalCount == 0 && c.Conclusive() &&
		!slices.ContainsFunc(v.result.NotEvaluable, func(n NotEvaluable) bool {
			return !v.o.ByDefault || !n.ByNature || !slices.Contains(v.o.Builtins, n.Rule)
		})

	return v.result
}
