// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// redacted lists the fields that redaction took out or changed. A pseudonym counts:
// whoever filters by a name would not find it.
func (t *terms) redacted() []string {
	if t.redaction == nil {
		return nil
	}

	var fields []string

	for _, rule := range t.redaction.Rules {
		if rule.Mode != redact.Keep {
			fields = append(fields, rule.Field)
		}
	}

	return fields
}

// excludes lists the query's filters that nothing can pass which has passed the
// archive's own.
func (t *terms) excludes(q auditlog.Query) []*auditlog.UnanswerableError {
	var all []*auditlog.UnanswerableError

	wanted := q.Filters()

	// Not actors, which can be given by name and by id.
	for _, name := range []string{"actions", "operations", "resource_types", "resource_ids", "origins", "ip_addresses"} {
		kept, asked := t.filters[name], wanted[name]
		// Of a field that is redacted the manifest does not say what was asked for.
		if len(kept) == 0 || len(asked) == 0 || slices.Contains(t.redacted(), filtered[name]) {
			continue
		}

		if !slices.ContainsFunc(asked, func(v string) bool {
			return slices.ContainsFunc(kept, func(k string) bool { return compatible(name, v, k) })
		}) {
			all = append(all, &auditlog.UnanswerableError{Argument: name, Index: -1, Reason: fmt.Sprintf(
				"The archive keeps only entries with %s, so the filter would find nothing, whatever happened.", written(name, kept))})
		}
	}

	return all
}

// filtered are the fields that filters look into.
var filtered = map[string]string{
	"actions": "action", "operations": "operation", "resource_types": "resource_type", "resource_ids": "resource_id",
	"origins": auditlog.FieldOrigin, "ip_addresses": auditlog.FieldIPAddress,
}

// compatible says whether one entry can pass both values of a filter.
func compatible(name, a, b string) bool {
	if name != "ip_addresses" {
		return auditlog.Normal(a) == auditlog.Normal(b)
	}

	p, err := auditlog.ParseAddress(a)
	o, errOther := auditlog.ParseAddress(b)

	// Whoever reads the query says what is wrong with it.
	return err != nil || errOther != nil || auditlog.BlocksOverlap(p, o)
}

// caveats says what a query cannot show of what was archived under these terms.
func (t *terms) caveats(q auditlog.Query) []string {
	var all []string

	if len(t.filters) > 0 {
		kept := make([]string, 0, len(t.filters))
		for _, name := range slices.Sorted(maps.Keys(t.filters)) {
			kept = append(kept, written(name, t.filters[name]))
		}

		all = append(all, "The archive keeps only entries with "+strings.Join(kept, " and ")+
			"; whatever else happened is not in it.")
	}

	if t.redaction == nil {
		return all
	}

	looksInto := q.LooksInto()
	common := map[string][]string{auditlog.FieldOrigin: q.Origins, "resource_type": q.ResourceTypes}
	if q.Where != nil {
		looksInto = append(looksInto, "where")
	}

	if slices.ContainsFunc(q.Conditions, looksIntoTexts) {
		looksInto = append(looksInto, "rules")
	}

	// What a redacted value equals or contains was redacted in other fields as well,
	// but for those that have a rule of their own, and but for common kinds.
	looksInto = slices.DeleteFunc(looksInto, func(field string) bool {
		kinds := common[field]

		return len(kinds) > 0 && !slices.ContainsFunc(kinds, func(kind string) bool { return !redact.CommonKind(kind) }) ||
			slices.ContainsFunc(t.redaction.Rules, func(rule redact.Rule) bool { return rule.Field == field })
	})

	if needed := t.redactedOf(q.Needs); len(needed) > 0 {
		all = append(all, "The archive holds "+strings.Join(needed, ", ")+
			" in redacted form, so that what the entries are compared with is not found in it.")
	}

	if len(looksInto) > 0 {
		all = append(all, "The archive is redacted, and where another field held a redacted value it was redacted as well; "+
			"a filter on "+strings.Join(looksInto, ", ")+" does not find such entries.")
	}

	return all
}

// redactedOf lists those of the fields that were taken out or changed. Who did something and from where is not among
// them: whoever is not recognised counts as somebody else, so that nothing is missed.
func (t *terms) redactedOf(fields []string) []string {
	who := []string{"actor", auditlog.FieldIPAddress, "auth_type"}

	return slices.DeleteFunc(t.redacted(), func(field string) bool {
		return !slices.Contains(fields, field) || slices.Contains(who, field)
	})
}

// looksIntoTexts says whether a condition looks at a field that a redaction may have
// changed, be it that it held a value of another field.
func looksIntoTexts(c auditlog.Condition) bool {
	kept := []string{"id", "time", "service", "action", "operation", "actor_type", "scope_type"}

	return slices.ContainsFunc(auditlog.Fields(),
		func(f auditlog.Field) bool { return c.Uses(f.Name) && !slices.Contains(kept, f.Name) })
}

// written shows a filter as it is written in a configuration.
func written(name string, values []string) string {
	quoted := make([]string, 0, len(values))
	for _, v := range values {
		quoted = append(quoted, fmt.Sprintf("%q", v))
	}

	if name == "search" || name == "where" {
		return name + " = " + quoted[0]
	}

	return name + " = [" + strings.Join(quoted, ", ") + "]"
}
