// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// Mistake puts what is wrong with rules on the rule or the expectation.
// Terraform finds the line of an argument and of its elements, but not of what is
// inside of those, so that is named.
func Mistake(m *finding.OptionError) Problem {
	at, inside := Argument(m.Field), ""

	switch {
	case m.Rule != "":
		at, inside = Argument("rules").Key(m.Rule), m.Field
	case m.Expectation >= 0:
		at, inside = Argument("expected").Index(m.Expectation), m.Field
	case m.Index >= 0:
		at = at.Index(m.Index)
	}

	if inside == "name" {
		inside = "" // It is no argument, but the key.
	}

	return Problem{Summary: "Check the rules", Cause: Plain(m.Reason), Next: "Change it, or remove it."}.
		With("Rule", m.Rule).With("Argument", inside).At(at)
}

// Evaluation explains what an evaluation ended with.
func Evaluation(err error, info auditlog.Info, w auditlog.Window) Problem {
	in := Circumstances{Summary: "Read " + LogOf(info), Info: info, Window: w}

	rule := (*finding.RuleError)(nil)
	if errors.As(err, &rule) {
		in.Summary = EvaluateRules

		return Error(err, in).With("Rule", rule.Rule).At(Argument("rules").Key(rule.Rule))
	}

	return Reading(err, in)
}

// Findings names what a result does not show.
func Findings(info auditlog.Info, r *finding.Result) Problems {
	var found Problems

	if r.Truncated {
		found.Add(Problem{
			Summary: "There are more findings than are listed",
			Cause:   "Only the worst findings are listed; the counts cover all of them.",
			Next:    "Raise {max_findings}, or let a rule count more entries together.",
		}.With("Listed", strconv.Itoa(len(r.Findings))).With("Findings", strconv.FormatInt(r.TotalCount, 10)).AsWarning())
	}

	for _, c := range r.Chosen {
		found.Add(chosenWarning(info, c))
	}

	if len(r.Ungrouped) > 0 {
		p := Problem{
			Summary: "A rule counts without a field it groups by",
			Cause:   Plain(info.Title) + " does not record the field, so that the rule counts what it cannot tell apart together.",
			Next:    "Take into account that a finding may be of several; or remove the field from {group_by}.",
		}.With("Service", info.Name)

		for _, u := range r.Ungrouped {
			p = p.With(Plain("Rule "+u.Rule), u.Field)
		}

		found.Add(p.AsWarning())
	}

	if b := r.Baseline; b != nil && (b.BeyondRetention || len(b.Gaps) > 0) {
		found.Add(Problem{
			Summary: "The baseline is not covered throughout",
			Cause:   "There are parts of the time before the window that the log holds nothing about, so addresses that are known may count as new.",
			Next:    "Shorten baseline, or take more findings of login_from_new_address into account.",
		}.With("Service", info.Name).With("Baseline", b.Window.String()).AsWarning())
	}

	return found
}

// chosenWarning says what to write in place of a name that anybody could choose.
func chosenWarning(info auditlog.Info, c finding.ChosenName) Problem {
	p := Problem{
		Summary: "An expectation names what anybody can choose",
		Cause:   "Entries would have been expected by a name that is not unique, such as the description of an API token, and count all the same.",
		Next:    "Write the id into actors if it is the actor that is meant.",
	}.With("Service", info.Name).With("Name", Shown(c.Name)).With("Ids", strings.Join(c.IDs, ", "))

	if len(c.IDs) == 0 {
		p.Next = "The log records no id of the actor, so nothing can allow these entries; let the expectation match resources instead."
	}

	return p.AsWarning().At(Argument("expected").Index(c.Expectation))
}

// NotEvaluable says which rules may have missed something.
func NotEvaluable(not []finding.NotEvaluable, info auditlog.Info) Problem {
	p := Problem{
		Summary: "A rule cannot be evaluated",
		Cause:   "There are rules that cannot find anything in this log, or may have missed something, so that finding nothing proves nothing.",
	}.With("Service", info.Name)

	var actions []string

	for _, n := range not {
		p = p.With(Plain("Rule "+n.Rule), n.Reason)
		actions = append(actions, n.Actions...)
	}

	if slices.ContainsFunc(not, func(n finding.NotEvaluable) bool { return len(n.Actions) == 0 }) {
		p.Next = "Remove those that the service cannot answer, or name the built-in rules to apply in {builtin_rules}."
	}

	switch {
	case len(actions) > 0 && p.Next != "":
		p.Next += " " + unknownActionsNext(actions)
	case len(actions) > 0:
		p.Next = unknownActionsNext(actions)
	}

	return p
}
