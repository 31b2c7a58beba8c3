// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// Evaluation holds rules against what is asked for.
type Evaluation struct {
	Question

	Rules finding.Options
	// Named says that the built-in rules to apply were named: one of all of them that the
	// log cannot answer is none that anybody has asked for.
	Named bool
	// FailOnNotEvaluable makes it an error that a rule cannot find anything.
	FailOnNotEvaluable bool
	Redact             Redaction
}

// Verdict is what an evaluation came to.
type Verdict struct {
	*finding.Result

	// Completeness is of the reading, and Statement the same as it may be shown. Before is
	// that of the time before the window, nil where that was not read.
	Completeness auditlog.Completeness
	Statement    export.Statement
	Before       *export.Statement
}

// Run reads from the service.
func (v *Evaluation) Run(ctx context.Context, s auditlog.Service) (*Verdict, explain.Problems) {
	v.More = v.Rules.Asked()
	q, found := v.Query(ctx, s)

	r, wrong := v.Redact()
	if found.Add(wrong...); found.HasError() {
		return nil, found
	}

	scrubber := r.Scrubber()
	if scrubber != nil {
		v.Rules.Redact, v.Rules.Learn = scrubber.Apply, scrubber.Learn
	}

	info := s.Info()
	for _, mistake := range v.Rules.CheckAgainst(info, q.Window) {
		found.Add(explain.Mistake(mistake))
	}

	if found.HasError() {
		return nil, found
	}

	var done auditlog.Completeness

	result, err := finding.Evaluate(ctx, s, q, v.Rules, &done)
	if err != nil {
		found.Add(explain.Evaluation(err, info, q.Window))

		return nil, found
	}

	verdict := &Verdict{Result: result, Completeness: done, Statement: export.NewStatement(scrubber.Completeness(done))}
	if result.Baseline != nil {
		before := export.NewStatement(scrubber.Completeness(*result.Baseline))
		verdict.Before = &before
	}

	found.Add(v.checkEvaluable(result.NotEvaluable, info)...)

	// What a rule may have missed has been said with the rule.
	done.UnknownMatters = done.UnknownMatters &&
		!slices.ContainsFunc(result.NotEvaluable, func(n finding.NotEvaluable) bool { return len(n.Actions) > 0 })

	found.Add(v.Arguments.ReadWarnings(info, q, done)...)
	found.Add(explain.Findings(info, result)...)

	return verdict, found
}

// checkEvaluable fails where that is asked for, and warns where a rule that was asked
// for cannot find anything or may have missed something.
func (v *Evaluation) checkEvaluable(not []finding.NotEvaluable, info auditlog.Info) explain.Problems {
	if !v.FailOnNotEvaluable {
		// By default all built-in rules apply that the log can answer; not_evaluable
		// lists the others.
		not = slices.DeleteFunc(slices.Clone(not), func(n finding.NotEvaluable) bool {
			return n.ByNature && !v.Named && slices.Contains(finding.BuiltinNames(), n.Rule)
		})
	}

	if len(not) == 0 {
		return nil
	}

	p := explain.NotEvaluable(not, info)
	if v.FailOnNotEvaluable {
		return explain.Problems{p.At(explain.Argument("fail_on_not_evaluable"))}
	}

	return explain.Problems{p.AsWarning()}
}
