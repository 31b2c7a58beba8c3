// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"net/url"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// pushdown returns the part of a query that the service may apply without its
// answer becoming narrower than ours. Arrays repeat their key, as the generated
// clients of the vendor do. The window is not part of it. Nor is what the service
// calls q: which parts of an event it looks into, and how, is not documented.
func pushdown(q auditlog.Query) url.Values {
	v := url.Values{}

	add := func(key string, values []string) {
		if len(values) > 0 && !slices.ContainsFunc(values, hasForms) {
			v[key] = slices.Clone(values)
		}
	}

	add("actions", q.Actions)

	if len(q.Actions) == 0 {
		add("actions", actionsOf(q.Operations))
	}

	add("origins", q.Origins)
	add("resource_types", q.ResourceTypes)

	return v
}

// hasForms says whether the service could spell a value in another way that is equal
// to ours, as Unicode has several for an accent. All that are documented have one.
func hasForms(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// actionsOf returns every action that means one of the operations, or nothing
// where that list is not certain to be complete and understood.
func actionsOf(wanted []auditlog.Operation) []string {
	var actions []string

	for action, op := range operations {
		if slices.Contains(wanted, op) {
			actions = append(actions, action)
		}
	}

	// Every action that no table knows is "other", so that one is never complete.
	if slices.Contains(wanted, auditlog.OperationOther) ||
		slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(documented, a) }) {
		return nil
	}

	slices.Sort(actions)

	return actions
}
