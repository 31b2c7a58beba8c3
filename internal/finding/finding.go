// SPDX-License-Identifier: MPL-2.0

// Package finding turns entries into a verdict: rules, built in or a user's own,
// are held against a log in one reading, and what they find is counted in groups
// and bursts.
//
// No rule ever finds nothing quietly because it cannot find anything: what a
// cloud does not record, and what a query leaves out, is reported beside the
// findings as not evaluable.
package finding

import (
	"cmp"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	SeverityInfo     Severity = "info"
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)

// Severities lists them, the worst first.
func Severities() []Severity {
	return []Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityLow, SeverityInfo}
}

// Rule is a rule of a user's own.
type Rule struct {
	Name     string
	Severity Severity
	// Condition says which entries count.
	Condition auditlog.Condition
	// Threshold is how many of them, of one group and in one span, make a finding.
	Threshold int64
	// Within is the length of a span; nil makes the whole window one. A span is
	// half-open: two entries exactly Within apart are not in the same one.
	Within *time.Duration
	// GroupBy names the fields whose values must be alike for entries to count
	// together. Without any, all do.
	GroupBy []string
	// Message is shown with each finding; empty makes a sentence of the counts.
	Message string
}

// MaxEntryIDs is how many entries of a finding are named.
const MaxEntryIDs = 100

// Finding is a group of entries that met a rule. With a span it is one burst: as
// many entries as are chained by spans that each hold the rule's threshold.
// Without one it is all of the group's entries in the window.
type Finding struct {
	Rule     string
	Severity Severity
	// Group holds the values of the fields that the rule groups by, in its order.
	Group     []GroupValue
	Count     int64
	FirstTime time.Time
	LastTime  time.Time
	// EntryIDs names the first MaxEntryIDs entries, by time, ties by id.
	EntryIDs []string
	Message  string
}

// GroupValue is what the entries of a finding have in common.
type GroupValue struct{ Field, Value string }

// compare orders findings: the worst first, then by time.
func compare(a, b *Finding) int {
	rank := func(f *Finding) int { return slices.Index(Severities(), f.Severity) }

	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		a.FirstTime.Compare(b.FirstTime),
		cmp.Compare(a.Rule, b.Rule),
		slices.CompareFunc(a.Group, b.Group, func(x, y GroupValue) int { return cmp.Compare(x.Value, y.Value) }),
		// Groups that redaction made alike; no entry is in two findings of a rule.
		cmp.Compare(a.EntryIDs[0], b.EntryIDs[0]),
	)
}

// NotEvaluable is a rule that could not have found anything, whatever happened, or
// that may have missed something.
type NotEvaluable struct {
	Rule string
	// Reason is one sentence.
	Reason string
	// Actions are those that nobody knows, where the rule may have missed what they
	// did.
	Actions []string
	// ByNature says that no log of this service can ever show what the rule looks
	// for.
	ByNature bool
}

// Result is what a reading of the log came to.
type Result struct {
	// Findings are the worst first, then by time, rule and group.
	Findings []Finding
	// Truncated says that there are more than fit; the counts cover them all.
	Truncated bool
	// TotalCount is how many findings there are.
	TotalCount int64
	// CountsByRule and CountsBySeverity have a key for every rule that was
	// evaluated and for the severities of those, zeros included. What has no key was
	// not looked for, or may have been missed: a rule that is not evaluable has none
	// unless it found something all the same.
	CountsByRule     map[string]int64
	CountsBySeverity map[Severity]int64
	NotEvaluable     []NotEvaluable
	// EntryCount is how many entries answered the query.
	EntryCount int64
	// ExpectedCount is how many entries would have counted for a rule but were
	// expected, and ExpectedCounts by which expectation; an entry can meet several.
	ExpectedCount  int64
	ExpectedCounts []int64
	// Chosen are names that would have met an expectation if they were unique.
	Chosen []ChosenName
	// Ungrouped are fields that rules group by and the service does not record, so that
	// the rules count without them.
	Ungrouped []Ungrouped
	// Clean says that nothing was found, that this means that nothing happened, and
	// that everything that was asked for could be evaluated.
	Clean bool
	// Baseline is the statement of the reading before the window, nil where no rule
	// needed one.
	Baseline *auditlog.Completeness
}

// ChosenName is the name of an actor that anybody could have chosen, such as the
// description of an API token, and that an expectation allows.
type ChosenName struct {
	// Expectation is its index.
	Expectation int
	// Name and IDs are as they may be shown.
	Name string
	IDs  []string
}

// Ungrouped is a field that a rule groups by and that the service does not record.
type Ungrouped struct{ Rule, Field string }
