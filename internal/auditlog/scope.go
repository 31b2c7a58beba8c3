// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is what is known beforehand of the entries that a query can find.
type Scope struct {
	// Values are all that a field can hold, by its name; "" is absent. A field that
	// is not named can hold anything.
	Values map[string][]string
	// Window is when they happened; the zero Window is at any time.
	Window Window
	// OperationsOf returns the operations that an entry of the action can have; nil
	// where an action says nothing about them.
	OperationsOf func(action string) []Operation
	// Coherent is the service's.
	Coherent func(known Known) bool
}

// SomeText stands for a text that is not empty and of which nothing else is known.
const SomeText = "\x00"

// Known returns the value of a field, and false where it can have any.
type Known func(field string) (value string, ok bool)

// Can says whether the field can have the value.
func (k Known) Can(field, want string) bool {
	value, ok := k(field)

	return !ok || value == want || value == SomeText && want != ""
}

// RelatedFields are those whose values say something of each other's.
var RelatedFields = []string{
	"action", "operation", "resource_type", FieldOrigin, "actor_type", "actor", "actor_id",
	"scope_type", "scope_id",
}

// Consistent says whether one entry can have all the values that are known.
func (s Scope) Consistent(known Known) bool {
	action, hasAction := known("action")
	hasAction = hasAction && action != SomeText
	operation, hasOperation := known("operation")

	return (!hasAction || !hasOperation || s.OperationsOf == nil ||
		slices.Contains(s.OperationsOf(action), Operation(operation))) &&
		(s.Coherent == nil || s.Coherent(known))
}

// Scope says what is known of the entries that pass the query's filters, its
// condition aside.
func (q Query) Scope(info Info) Scope {
	s := Scope{Values: map[string][]string{}, Window: q.Window}

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

	s.Values["operation"] = Texts(q.operations(info))

	for _, argument := range q.given("actions", "resource_types", "resource_ids", "origins") {
		if field := filterFields[argument][0]; info.Records(field) {
			s.Values[field] = q.values(argument)
		}
	}

	// Where actors have no ids, a name is all that the filter can find.
	if len(q.Actors) > 0 && info.Records("actor") && !info.Records("actor_id") {
		s.Values["actor"] = q.Actors
	}

	// A copy may have been made by older tables, or without some of the values.
	if !info.FilledLater && info.ArchivedFrom == "" {
		s.Coherent = info.Coherent
	}

	if info.OperationOf != nil {
		s.OperationsOf = func(action string) []Operation {
			meant := []Operation{info.OperationOf(action)}

			// A copy may have been made when the table knew fewer words.
			if (info.FilledLater || info.ArchivedFrom != "") && meant[0] != OperationOther {
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

// contradicts says that no entry passes all the filters, although one may pass each.
func (q Query) contradicts(info Info) bool {
	s := q.Scope(info)
	s.Values["operation"] = Texts(q.Operations)

	var fields []string

	for _, name := range RelatedFields {
		if len(s.Values[name]) > 0 {
			fields = append(fields, name)
		}
	}

	assumed := map[string]string{}
	known := func(field string) (string, bool) { value, ok := assumed[field]; return value, ok }

	var some func(i int) bool

	some = func(i int) bool {
		return i == len(fields) || slices.ContainsFunc(s.Values[fields[i]], func(value string) bool {
			assumed[fields[i]] = value
			defer delete(assumed, fields[i])

			return s.Consistent(known) && some(i+1)
		})
	}

	return !some(0)
}

// contradiction is the error of a query that contradicts itself.
func (q Query) contradiction(info Info) *UnanswerableError {
	actionsAlone := Query{Actions: q.Actions, Operations: q.Operations}
	if actionsAlone.contradicts(info) {
		return &UnanswerableError{Argument: "actions", Index: -1, Reason: fmt.Sprintf(
			"None of the actions means %s, so the two filters together would find nothing, whatever happened.", OrText(q.Operations))}
	}

	given := q.given("actions", "operations", "resource_types", "origins", "actors")

	return &UnanswerableError{Argument: given[0], Index: -1, Reason: fmt.Sprintf(
		"No entry of %s passes all of %s, so the filters together would find nothing, whatever happened.", info.Title, strings.Join(given, ", "))}
}

// Texts are words as plain texts.
func Texts[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}

	return all
}

// OrText joins words for a sentence, as in "create or delete".
func OrText[T ~string](words []T) string { return strings.Join(Texts(words), " or ") }
