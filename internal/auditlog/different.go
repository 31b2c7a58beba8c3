// SPDX-License-Identifier: MPL-2.0

package auditlog

import "slices"

// Different lists the filters, by their names in a configuration, by which two
// queries do not ask for the same, however they are spelled: the values of a list
// are alternatives, so that neither their order nor a repeated one counts.
func (q Query) Different(o Query) []string {
	var names []string

	for _, f := range []struct {
		name string
		same bool
	}{
		{"actions", sameValues(q.Actions, o.Actions, Normal)},
		{"operations", sameValues(q.Operations, o.Operations, func(op Operation) string { return string(op) })},
		{"resource_types", sameValues(q.ResourceTypes, o.ResourceTypes, Normal)},
		{"resource_ids", sameValues(q.ResourceIDs, o.ResourceIDs, Normal)},
		{"actors", sameValues(q.Actors, o.Actors, Normal)},
		{"origins", sameValues(q.Origins, o.Origins, Normal)},
		{"ip_addresses", sameValues(q.IPAddresses, o.IPAddresses, normalAddress)},
		{"search", fold(q.Search) == fold(o.Search)},
		{"where", sameCondition(q.Where, o.Where)},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}

	return names
}

func sameValues[T any](a, b []T, normal func(T) string) bool {
	set := func(values []T) []string {
		all := make([]string, 0, len(values))
		for _, v := range values {
			all = append(all, normal(v))
		}

		slices.Sort(all)

		return slices.Compact(all)
	}

	return slices.Equal(set(a), set(b))
}

func normalAddress(text string) string {
	p, err := ParseAddress(text)
	if err != nil {
		return text // Whoever reads the query says what is wrong with it.
	}

	return p.String()
}

func sameCondition(a, b Condition) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}

	return a.Same(b.String())
}
