// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"slices"
	"strings"
)

// Scope is what is known beforehand of the entries that a query can find.
type Scope struct {
	// Values are all that a field can hold, by its name; "" is absent. A field that
	// is not named can hold anything.
	Values map[string][]string
	// OperationsOf returns the operations that an entry of the action can have; nil
	// where an action says nothing about them.
	OperationsOf func(action string) []Operation
}

// Scope says what is known of the entries that pass the query's filters, its
// condition aside.
func (q Query) Scope(info Info) Scope {
	s := Scope{Values: map[string][]string{}}

	for field, known := range info.Values {
		if known.Closed {
			s.Values[field] = known.Documented
		}
	}

	for _, f := range fields {
		if !info.Records(f.Name) {
			s.Values[f.Name] = []string{""}
		}
	}

	if info.Cloud() != ServiceArchive {
		s.Values["service"] = []string{info.Cloud()}
	}

	s.Values["operation"] = texts(q.operations(info))

	for _, f := range []struct {
		field  string
		wanted []string
	}{
		{"action", q.Actions},
		{"resource_type", q.ResourceTypes},
		{FieldResourceID, q.ResourceIDs},
		{FieldOrigin, q.Origins},
	} {
		if len(f.wanted) > 0 && info.Records(f.field) {
			s.Values[f.field] = f.wanted
		}
	}

	// Where actors have no ids, a name is all that the filter can find.
	if len(q.Actors) > 0 && info.Records("actor") && !info.Records("actor_id") {
		s.Values["actor"] = q.Actors
	}

	if info.OperationOf != nil {
		s.OperationsOf = func(action string) []Operation {
			meant := []Operation{info.OperationOf(action)}

			// A copy may have been made when the table knew fewer words.
			if (info.Copy || info.Of != "") && meant[0] != OperationOther {
				meant = append(meant, OperationOther)
			}

			return meant
		}
	}

	return s
}

// operations returns the service's operations that the filters do not leave out.
func (q Query) operations(info Info) []Operation {
	return slices.DeleteFunc(slices.Clone(info.Operations), func(op Operation) bool {
		return len(q.Operations) > 0 && !slices.Contains(q.Operations, op)
	})
}

// contradicts says that no entry passes both actions and operations.
func (q Query) contradicts(info Info) bool {
	if len(q.Actions) == 0 || len(q.Operations) == 0 {
		return false
	}

	s := q.Scope(info)
	if s.OperationsOf == nil {
		return false
	}

	return !slices.ContainsFunc(q.Actions, func(action string) bool {
		return slices.ContainsFunc(s.OperationsOf(action), func(op Operation) bool { return slices.Contains(q.Operations, op) })
	})
}

func texts[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}

	return all
}

// OrText joins words for a sentence, as in "create or delete".
func OrText[T ~string](words []T) string { return strings.Join(texts(words), " or ") }
