// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// pushdown returns the part of a query that the service may apply without its
// answer becoming narrower than ours. Arrays repeat their key, as the generated
// clients of the vendor do. The window is not part of it. What the parameter q
// matches is not documented, so that it is never used, and what the service does
// with a value that it does not know neither, so that such a value is left to us.
func (s *Service) pushdown(ctx context.Context, q auditlog.Query) url.Values {
	v := url.Values{}

	add := func(key, field string, values []string) {
		known := s.info.Values[field].Documented
		if len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(known, v) }) {
			v[key] = slices.Clone(values)
		}
	}

	add("actions", "action", q.Actions)
	add("origins", auditlog.FieldOrigin, q.Origins)
	add("resource_types", "resource_type", q.ResourceTypes)

	// Everything that nobody knows is "other".
	if len(q.Actions) == 0 && len(q.Operations) > 0 && !slices.Contains(q.Operations, auditlog.OperationOther) {
		// Where the actions that there are cannot be listed, all of them are read.
		if options, err := s.FilterOptions(ctx, q); err == nil {
			v["actions"] = actionsOf(q.Operations, options.Actions)
		}
	}

	return v
}

// actionsOf returns those of the actions that mean one of the operations, and those
// that nobody knows, so that they do not hide.
func actionsOf(wanted []auditlog.Operation, listed []string) []string {
	candidates := slices.AppendSeq(slices.Clone(listed), maps.Keys(operations))
	slices.Sort(candidates)

	return slices.DeleteFunc(slices.Compact(candidates), func(action string) bool {
		return KnowsAction(action) && !slices.Contains(wanted, OperationOf(action))
	})
}
