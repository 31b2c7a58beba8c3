// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	// DefaultMaxFindings is how many findings are listed unless said otherwise.
	DefaultMaxFindings = 1000
	// DefaultBaseline is how far before the window known addresses are looked for.
	DefaultBaseline = 14 * 24 * time.Hour
)

// Options say what to look for.
type Options struct {
	// Builtins names rules that are built in. Where they are ByDefault, nobody asked
	// for one that the service's log can never answer.
	Builtins  []string
	ByDefault bool
	Rules     []Rule
	// Expected are the entries that do not count.
	Expected []Expectation
	// Baseline is how far before the window login_from_new_address looks for
	// addresses that are known; zero is DefaultBaseline.
	Baseline time.Duration
	// MaxFindings bounds the list of findings; zero is DefaultMaxFindings.
	MaxFindings int
	// Redact takes out of an entry what must not be shown. Rules are held against
	// entries as they are, but what a finding says of their group is taken from what
	// Redact returns. It is called only after Learn has been told of every entry of
	// the reading. Nil leaves them as they are.
	Redact func(auditlog.Entry) auditlog.Entry
	Learn  func(*auditlog.Entry) error
}

// OptionError is something in the options that cannot be meant.
type OptionError struct {
	// Rule is the rule at fault; it is empty for an expectation and for the options
	// as a whole.
	Rule string
	// Expectation is the index of the expectation at fault, else -1.
	Expectation int
	// Field is what of it is at fault, by its name in a configuration.
	Field string
	// Index is that of the value at fault where the field is a list, else -1.
	Index int
	// Reason is one sentence.
	Reason string
}

func (m *OptionError) Error() string {
	switch {
	case m.Rule != "":
		return fmt.Sprintf("rule %s: %s: %s", m.Rule, m.Field, m.Reason)
	case m.Expectation >= 0:
		return fmt.Sprintf("expected[%d]: %s: %s", m.Expectation, m.Field, m.Reason)
	default:
		return fmt.Sprintf("%s: %s", m.Field, m.Reason)
	}
}

type mistakes []*OptionError

func (m *mistakes) optionf(field string, index int, format string, args ...any) {
	*m = append(*m, &OptionError{Expectation: -1, Field: field, Index: index, Reason: fmt.Sprintf(format, args...)})
}

func (m *mistakes) rulef(r *Rule, field string, index int, format string, args ...any) {
	*m = append(*m, &OptionError{
		Rule: r.Name, Expectation: -1, Field: field, Index: index,
		Reason: fmt.Sprintf(format, args...),
	})
}

func (m *mistakes) expectationf(i int, field string, index int, format string, args ...any) {
	*m = append(*m, &OptionError{Expectation: i, Field: field, Index: index, Reason: fmt.Sprintf(format, args...)})
}

// joined is the mistakes as one error, nil where there is none.
func joined(found []*OptionError) error {
	errs := make([]error, len(found))
	for i := range found {
		errs[i] = found[i]
	}

	return errors.Join(errs...)
}

// Check lists what is wrong with the options whatever they are held against.
func (o Options) Check() []*OptionError {
	var found mistakes

	if len(o.Builtins)+len(o.Rules) == 0 {
		found.optionf("rules", -1, "There is no rule, so nothing would be found, whatever happened.")
	}

	for i, name := range o.Builtins {
		if _, ok := builtinByName(name); !ok {
			found.optionf("builtin_rules", i, "No such rule is built in; there are %s.", strings.Join(BuiltinNames(), ", "))
		}

		if slices.Contains(o.Builtins[:i], name) {
			found.optionf("builtin_rules", i, "The rule is named twice.")
		}
	}

	for i := range o.Rules {
		o.Rules[i].check(&found, o.Rules[:i])
	}

	for i := range o.Expected {
		o.Expected[i].check(&found, i, o)
	}

	if o.Baseline < 0 {
		found.optionf("baseline", -1, "The baseline is shorter than nothing.")
	}

	if o.MaxFindings < 0 {
		found.optionf("max_findings", -1, "Fewer findings than none cannot be listed.")
	}

	return found
}

func (r *Rule) check(found *mistakes, before []Rule) {
	if r.Name == "" {
		found.rulef(r, "name", -1, "A rule needs a name.")
	}

	if _, ok := builtinByName(r.Name); ok {
		found.rulef(r, "name", -1, "A rule of that name is built in; choose another name.")
	}

	if slices.ContainsFunc(before, func(other Rule) bool { return other.Name == r.Name }) {
		found.rulef(r, "name", -1, "Two rules have this name.")
	}

	if r.Condition == nil {
		found.rulef(r, "where", -1, "The rule has no condition.")
	}

	if !slices.Contains(Severities(), r.Severity) {
		found.rulef(r, "severity", -1, "This is not a severity; there are info, low, medium, high and critical.")
	}

	if r.Threshold < 1 {
		found.rulef(r, "threshold", -1, "The threshold is %d, and the least that makes sense is 1.", r.Threshold)
	}

	if r.Within != nil && *r.Within <= 0 {
		found.rulef(r, "within", -1, "The span has no length.")
	}

	for i, name := range r.GroupBy {
		field, ok := auditlog.FieldByName(name)

		switch {
		case !ok:
			found.rulef(r, "group_by", i, "An entry has no such field.")
		case !groupable(field):
			found.rulef(r, "group_by", i, "Entries cannot be grouped by %s.", name)
		case slices.Contains(r.GroupBy[:i], name):
			found.rulef(r, "group_by", i, "%s is named twice.", name)
		}
	}
}

// groupable says whether different entries can have the field's value in common.
func groupable(f auditlog.Field) bool { return f.Kind == auditlog.KindString && f.Name != "id" }

// CheckAgainst lists what is wrong with the options for a service and a window.
func (o Options) CheckAgainst(info auditlog.Info, w auditlog.Window) []*OptionError {
	var found mistakes

	for i := range o.Rules {
		r := &o.Rules[i]
		if length := w.End.Sub(w.Start); r.Within != nil && *r.Within > length {
			found.rulef(r, "within", -1, "The span of %s is longer than the window, which is %s long.", spanText(*r.Within),
				spanText(length))
		}
	}

	for i := range o.Expected {
		o.Expected[i].checkAgainst(&found, i, info)
	}

	malformed := auditlog.Malformed(info, o.Asked())
	found = slices.Grow(found, len(malformed))

	for _, u := range malformed {
		found = append(found, &OptionError{
			Rule: u.Rule, Expectation: u.Expectation, Field: u.Argument, Index: u.Index,
			Reason: u.Reason,
		})
	}

	return found
}

// Asked lists the values that rules and expectations compare fields with whose
// values a service may know.
func (o Options) Asked() []auditlog.Asked {
	var all []auditlog.Asked

	for i := range o.Rules {
		if o.Rules[i].Condition == nil {
			continue
		}

		for _, a := range o.Rules[i].Condition.Compared() {
			a.Rule = o.Rules[i].Name
			all = append(all, a)
		}
	}

	for i := range o.Expected {
		all = append(all, o.Expected[i].asked(i)...)
	}

	return all
}
