// SPDX-License-Identifier: MPL-2.0

package auditlog

import "slices"

// Different lists the filters, by their names in a configuration, by which two
// queries do not ask for the same, however they are spelled: the values of a list
// are alternatives, so that neither their order nor a repeated one counts.
func (q Query) Different(o Query) []string {
	arguments := []string{"actions", "operations", "resource_types", "resource_ids", "actors", "origins", "ip_addresses", search}
	names := slices.DeleteFunc(arguments, func(argument string) bool {
		normal := Normal

		switch argument {
		case "ip_addresses":
			normal = normalAddress
		case search:
			normal = fold
		}

		return slices.Equal(valueSet(q.values(argument), normal), valueSet(o.values(argument), normal))
	})

	if !sameCondition(q.Where, o.Where) {
		names = append(names, "where")
	}

	if len(names) == 0 {
		return nil
	}

	return names
}

func valueSet(values []string, normal func(string) string) []string {
	all := make([]string, 0, len(values))
	for _, v := range values {
		all = append(all, normal(v))
	}

	slices.Sort(all)

	return slices.Compact(all)
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
