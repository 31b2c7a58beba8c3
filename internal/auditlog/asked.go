// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"fmt"
	"slices"
	"strings"
)

// Asked is a value that somebody compares a field of entries with, be it in a
// filter, in a condition or in what is expected.
type Asked struct {
	// Argument is where, by its name in a configuration, such as "actions" or
	// "where"; Rule is the rule that it belongs to, Expectation the index of the
	// expectation or -1, Index that of the value in a list or -1.
	Argument    string
	Rule        string
	Expectation int
	Index       int
	// Line and Column are the place in a condition, counted from 1, and Excerpt is that
	// line.
	Line, Column int
	Excerpt      string
	Field        string
	Value        string
	// Matches says whether the value stands for one that entries have; nil means
	// that both have to be equal.
	Matches func(value string) bool
	// Partial says that Value is a part of a condition, such as
	// entry.action.startsWith("del"), and asks for less than a value. It can be meant
	// for values to come, so that one which no known value meets is no error.
	Partial bool
}

func (a *Asked) matches(value string) bool {
	if a.Matches != nil {
		return a.Matches(value)
	}

	return Normal(a.Value) == Normal(value)
}

// Place says where the value is asked for.
func (a *Asked) Place() string {
	if a.Index < 0 {
		return a.argument()
	}

	return fmt.Sprintf("%s[%d]", a.argument(), a.Index)
}

func (a *Asked) argument() string {
	at := a.Argument

	switch {
	case a.Rule != "":
		at = "rules." + a.Rule + "." + at
	case a.Expectation >= 0:
		at = fmt.Sprintf("expected[%d].%s", a.Expectation, at)
	}

	return at
}

// String names the value and where it is asked for, as in statements.
func (a *Asked) String() string { return a.argument() + ": " + a.Value }

// Asked lists the values that the query compares fields with whose values a
// service may know.
func (q Query) Asked() []Asked {
	var all []Asked

	for _, argument := range []string{"actions", "resource_types", "origins"} {
		for i, v := range q.values(argument) {
			field := filterFields[argument][0]
			all = append(all, Asked{Argument: argument, Field: field, Value: v, Expectation: -1, Index: i})
		}
	}

	if q.Where != nil {
		all = append(all, q.Where.Compared()...)
	}

	return all
}

// UnknownValue is a value that no entry has, as far as the service says.
type UnknownValue struct {
	Asked

	// Nearest is the known value that may have been meant, "" where none is near.
	Nearest string
	// Known are the values that there are.
	Known []string
	// Reason is one sentence. It does not say what the value is, which may be nobody's
	// business.
	Reason string
}

// CheckValues holds the values against what is known of the service. Where the
// documentation does not name one and the service lists its values, list is asked,
// at most once. It returns the values that no entry has, and those of which
// nothing confirms that entries have them: the values of an open set, and all that
// had to be looked up when list failed, whose error comes with them. Of an action, an
// origin or a type of which the service says nothing, nothing confirms any.
func CheckValues(
	info Info, asked []Asked, list func() (FilterOptions, error),
) (unknown []UnknownValue, unconfirmed []Asked, err error) {
	var (
		options *FilterOptions
		failed  error
	)

	for _, a := range asked {
		known, ok := info.Values[a.Field]
		// An absent value is "".
		if !ok && !isWord(a.Field) || known.Closed || !info.Records(a.Field) ||
			a.Value == "" || a.Matches != nil && a.Matches("") || slices.ContainsFunc(known.Documented, a.matches) {
			continue
		}

		if !known.Listed {
			unconfirmed = append(unconfirmed, a)

			continue
		}

		if options == nil && failed == nil {
			found, err := list()
			options, failed = &found, err
		}

		if failed != nil {
			unconfirmed = append(unconfirmed, a)

			continue
		}

		listed := options.of(a.Field)

		switch {
		case slices.ContainsFunc(listed, a.matches):
		case known.Open, a.Partial:
			unconfirmed = append(unconfirmed, a)
		default:
			unknown = append(unknown, unknownValue(info, a, slices.Concat(known.Documented, listed)))
		}
	}

	return unknown, unconfirmed, failed
}

// isWord says that the values of a field are words of the service's own, so that one may be misspelt. What people call
// themselves and their things is theirs.
func isWord(field string) bool {
	return slices.Contains([]string{"action", FieldOrigin, "resource_type"}, field)
}

func unknownValue(info Info, a Asked, known []string) UnknownValue {
	slices.Sort(known)
	known = slices.Compact(known)

	return UnknownValue{
		Asked: a, Known: known, Nearest: Nearest(a.Value, known),
		Reason: fmt.Sprintf("%s knows no such %s, so looking for it would find nothing, whatever happened.", info.Title, strings.ReplaceAll(a.Field, "_", " ")),
	}
}

// of returns the values of a field.
func (o *FilterOptions) of(field string) []string {
	switch field {
	case "action":
		return o.Actions
	case FieldOrigin:
		return o.Origins
	case "resource_type":
		return o.ResourceTypes
	default:
		return nil
	}
}

// Malformed lists the values that no entry of the service can have, going by their
// form alone.
func Malformed(info Info, asked []Asked) []UnknownValue {
	var all []UnknownValue

	for _, a := range asked {
		known := info.Values[a.Field]
		if known.Form == nil || a.Value == "" || a.Matches != nil || !info.Records(a.Field) {
			continue
		}

		if form, ok := known.Form(a.Value); !ok {
			all = append(all, UnknownValue{Asked: a, Nearest: Nearest(a.Value, known.Documented), Reason: fmt.Sprintf(
				"No %s of %s looks like this: they are %s, so looking for it would find nothing, whatever happened.",
				strings.ReplaceAll(a.Field, "_", " "), info.Title, form)})
		}
	}

	return all
}

// Nearest returns the word that may have been meant by another one, "" where none
// is near enough.
func Nearest[T ~string](word string, words []T) string {
	const most, longest = 3, 100

	if len(word) > longest {
		return ""
	}

	best, nearest := len([]rune(word))/2+1, ""

	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(string(w))); d < best {
			best, nearest = d, string(w)
		}
	}

	if best > most {
		return ""
	}

	return nearest
}

// distance is how many characters must be added, removed, replaced or swapped
// with their neighbour.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)

	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}

	for j := range rows[0] {
		rows[0][j] = j
	}

	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}

			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}

	return rows[len(s)][len(t)]
}
