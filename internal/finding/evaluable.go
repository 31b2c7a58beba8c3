// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// NotEvaluable lists the rules that cannot find anything in what the query asks
// the service for, whatever happened: the service does not record it, or the
// query leaves it out. It needs no reading.
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
