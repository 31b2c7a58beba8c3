// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// informed returns all that is known of a service.
func informed(ctx context.Context, s auditlog.Service) (auditlog.Info, error) {
	if i, ok := s.(auditlog.Inspector); ok {
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
		alone := info
		alone.Operations = []auditlog.Operation{op}

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

	add := func(rule, reason string) {
		if reason != "" {
			all = append(all, NotEvaluable{Rule: rule, Reason: reason})
		}
	}

	for _, name := range o.Builtins {
		if b, ok := builtinByName(name); ok {
			add(name, b.notEvaluable(info, q))
		}
	}

	for i := range o.Rules {
		add(o.Rules[i].Name, o.Rules[i].notEvaluable(info, q))
	}

	return all
}

func (r *Rule) notEvaluable(info auditlog.Info, q auditlog.Query) string {
	for _, field := range r.GroupBy {
		if !info.Records(field) {
			return fmt.Sprintf("%s never records %s, which the rule groups by.", info.Title, field)
		}
	}

	if !r.Condition.Possible(info) {
		return fmt.Sprintf("No entry of %s can meet the condition, whatever happened.", info.Title)
	}

	// A service that recorded no more than the query asks for.
	info.Operations = passing(info, q)
	if !r.Condition.Possible(info) {
		return "No entry that the query asks for can meet the condition, whatever happened."
	}

	return ""
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

func orText[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}

	return strings.Join(texts, " or ")
}
