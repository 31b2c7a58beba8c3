// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// informed returns all that is known of a service, some of which can look at their source.
func informed(ctx context.Context, s auditlog.Service) (auditlog.Info, error) {
	if i, ok := s.(interface {
		Inspect(ctx context.Context) (auditlog.Info, error)
	}); ok {
		return i.Inspect(ctx)
	}

	return s.Info(), nil
}

// unanswerable says why the service cannot show what a rule's condition looks for,
// beyond what is wrong with the query itself, or nothing.
func unanswerable(s auditlog.Service, info auditlog.Info, q auditlog.Query, condition auditlog.Condition) string {
	a, ok := s.(auditlog.Answerer)
	if !ok {
		return ""
	}

	asked := q
	asked.Where = condition
	asked.Operations = slices.DeleteFunc(passing(info, q), func(op auditlog.Operation) bool {
		alone := q.Scope(info)
		alone.Values["operation"] = []string{string(op)}

		return !condition.Possible(alone)
	})

	known := a.Unanswerable(q)

	for _, u := range a.Unanswerable(asked) {
		if !slices.ContainsFunc(known, func(k *auditlog.UnanswerableError) bool { return *k == *u }) {
			return strings.Replace(u.Reason, "so the filter would", "so the rule would", 1)
		}
	}

	return ""
}

// NotEvaluable lists the rules that cannot find anything in what the query asks
// a service for, whatever happened: the service does not record it, or the query
// leaves it out. It needs no reading. Evaluate knows more of a service that can
// look at its source.
func (o Options) NotEvaluable(info auditlog.Info, q auditlog.Query) []NotEvaluable {
	var all []NotEvaluable

	for _, name := range o.Builtins {
		if b, ok := builtinByName(name); ok {
			if not := b.notEvaluable(info, q); not != nil {
				all = append(all, *not)
			}
		}
	}

	for i := range o.Rules {
		r := &o.Rules[i]
		if not := impossible(r.Name, r.Condition, info, q); not != nil {
			all = append(all, *not)
		}
	}

	return all
}

// impossible says why no entry can meet a rule's condition, whoever wrote it.
func impossible(rule string, condition auditlog.Condition, info auditlog.Info, q auditlog.Query) *NotEvaluable {
	switch {
	case !condition.Possible(auditlog.Query{}.Scope(info)):
		return &NotEvaluable{
			Rule:   rule,
			Reason: fmt.Sprintf("No entry of %s can meet the condition, whatever happened.", info.Title),
		}
	case !condition.Possible(q.Scope(info), q.Where):
		return &NotEvaluable{Rule: rule, Reason: "No entry that the query asks for can meet the condition, whatever happened."}
	default:
		return nil
	}
}

// dropUnsureZeros takes the rules out of the counts that found nothing but may have
// missed something: a zero would say that there was nothing. What such a rule did
// find stays, since a gate on a sum would pass without it.
func (v *evaluation) dropUnsureZeros() {
	byRule := v.result.CountsByRule

	for name := range v.unknown {
		if byRule[name] == 0 {
			delete(byRule, name)
		}
	}

	maps.DeleteFunc(v.result.CountsBySeverity, func(s Severity, _ int64) bool {
		return !slices.ContainsFunc(v.tallies, func(t *tally) bool {
			_, counted := byRule[t.rule.name]

			return counted && t.rule.severity == s
		})
	})
}

// grouping returns the fields of a rule's grouping that the service records. What
// cannot be told apart counts together: where a group would have reached the
// threshold, all of them together do.
func grouping(groupBy []string, info auditlog.Info) []string {
	return slices.DeleteFunc(slices.Clone(groupBy), func(field string) bool { return !info.Records(field) })
}

// passing returns the service's operations that the query does not leave out.
func passing(info auditlog.Info, q auditlog.Query) []auditlog.Operation {
	meant := auditlog.OperationsOf(q.Actions, info.OperationOf)

	return slices.DeleteFunc(slices.Clone(info.Operations), func(op auditlog.Operation) bool {
		return len(q.Operations) > 0 && !slices.Contains(q.Operations, op) ||
			len(q.Actions) > 0 && !slices.Contains(meant, string(op))
	})
}

func intersects(a, b []auditlog.Operation) bool {
	return slices.ContainsFunc(a, func(op auditlog.Operation) bool { return slices.Contains(b, op) })
}
