// SPDX-License-Identifier: MPL-2.0

package export

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Query returns a query as manifests may show it: a value that is compared with a
// redacted field is treated as that field's are, so that who is asked for does not
// stand beside the pseudonym. It depends on nothing but the query, the rules and the
// key: whoever holds two manifests against each other finds the same.
//
// A value that is compared with no field in particular, such as a search or a part
// of a regular expression, is treated as the first redacted field whose value it
// can be. What is dropped, or has no masked form, is shown as "***".
func (r *Redactor) Query(q auditlog.Query) auditlog.Query {
	if !r.Active() {
		return q
	}

	q.Actors = r.shownAll(q.Actors, "actor", "actor_id")
	q.ResourceIDs = r.shownAll(q.ResourceIDs, "resource_id")
	q.ResourceTypes = r.shownAll(q.ResourceTypes, "resource_type")
	q.Origins = r.shownAll(q.Origins, auditlog.FieldOrigin)
	q.IPAddresses = r.shownAll(q.IPAddresses, auditlog.FieldIPAddress)

	if q.Search != "" {
		q.Search = r.shown(q.Search, searched...)
	}

	if q.Where != nil {
		q.Where = shownCondition{q.Where, q.Where.Shown(r.shownLiteral)}
	}

	return q
}

// searched are the fields that a search looks into and that hold what people and
// things are called.
var searched = []string{"actor", "resource_name", "resource_id", auditlog.FieldIPAddress}

// shownCondition is a condition that is only shown.
type shownCondition struct {
	auditlog.Condition

	text string
}

// String implements auditlog.Condition.
func (c shownCondition) String() string { return c.text }

// Same implements auditlog.Condition.
func (c shownCondition) Same(text string) bool { return c.text == text }

func (r *Redactor) shownAll(values []string, fields ...string) []string {
	all := make([]string, 0, len(values))
	for _, v := range values {
		all = append(all, r.shown(v, fields...))
	}

	return all
}

// shown returns what to show of a value that is compared with one of the fields.
func (r *Redactor) shown(value string, fields ...string) string {
	for _, field := range fields {
		for _, t := range r.treatments(field) {
			if t.mode != RedactKeep && t.plausible(value) {
				return r.shownForm(t, value)
			}
		}
	}

	return value
}

// treatments are what can become of the values of a field: some depend on the entry.
func (r *Redactor) treatments(field string) []*treatment {
	var all []*treatment

	for i := range r.fields {
		if r.fields[i].name == field {
			all = append(all, &r.fields[i])
		}
	}

	switch field {
	case r.person.name:
		all = append(all, &r.person)
	case r.user.name:
		all = append(all, &r.user)
	}

	return all
}

// shownLiteral returns what to show of a text in a condition that is compared with
// the field, "" where it is not known with which.
func (r *Redactor) shownLiteral(field, text string) string {
	if text == "" {
		return text
	}

	_, isText := textField(field)
	carried := field == "" || slices.Contains(carriers, field) && r.dropsCarrier(field)

	switch {
	case isText && !carried:
		if shown := r.shown(text, field); shown != text {
			return shown
		}

		// Whatever is redacted elsewhere is taken out of this field as well.
		if mode, named := r.rules[field]; named && mode == RedactKeep || !r.recognisable(text) {
			return text
		}
	case !carried:
		return text
	}

	return r.shownAnywhere(text)
}

// recognisable says that a text is one of a redacted field by its form alone.
func (r *Redactor) recognisable(text string) bool {
	_, isMail := mailDomain(text)
	_, isAddress := auditlog.AddressOf(text)

	return isMail && r.shown(text, "actor") != text || isAddress && r.shown(text, auditlog.FieldIPAddress) != text
}

// shownAnywhere treats a text as a value of the first redacted field that it can be
// of: of an actor before all others.
func (r *Redactor) shownAnywhere(text string) string {
	var all []*treatment

	for _, t := range append([]*treatment{&r.user, &r.person}, pointers(r.fields)...) {
		if t.spreads() && t.plausible(text) {
			all = append(all, t)
		}
	}

	if len(all) == 0 {
		return text
	}

	first := slices.MinFunc(all, func(a, b *treatment) int {
		return cmp.Or(cmp.Compare(b2i(a.domain != "actor"), b2i(b.domain != "actor")), cmp.Compare(a.rank, b.rank))
	})

	return r.shownForm(first, text)
}

func pointers[T any](list []T) []*T {
	all := make([]*T, 0, len(list))
	for i := range list {
		all = append(all, &list[i])
	}

	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}

	return 0
}

// plausible says that a text can be, or be a part of, a value of the field.
func (t *treatment) plausible(text string) bool {
	return t.name != auditlog.FieldIPAddress || strings.Trim(text, "0123456789abcdefABCDEF.:/*\\^$[]()|+?") == ""
}

// shownForm is form, and "***" where that is nothing.
func (r *Redactor) shownForm(t *treatment, text string) string {
	if t.mode == RedactMask && t.name == auditlog.FieldIPAddress {
		if p, err := auditlog.ParseAddress(text); err == nil {
			mask, err := auditlog.ParseAddress(maskAddress(p.Addr().String()))
			if err == nil && p.Bits() > mask.Bits() {
				return mask.String()
			}

			return text // A block as large as what a mask leaves.
		}
	}

	return cmp.Or(r.form(t, text), masked)
}

// arguments are filters in a sentence, as caveats have them, and values in
// statements.
var arguments = regexp.MustCompile(`(\w+) = (\[(?:` + quotedText + `(?:, )?)*\]|` + quotedText + `)`)

var quoted = regexp.MustCompile(quotedText)

const quotedText = `"(?:[^"\\]|\\.)*"`

// statement redacts what a statement repeats of a query, be it the one that was read
// or an archive's own.
func (r *Redactor) statement(s Statement) Statement {
	if !r.Active() {
		return s
	}

	for i, text := range s.Caveats {
		s.Caveats[i] = arguments.ReplaceAllStringFunc(text, func(filter string) string {
			name, values, _ := strings.Cut(filter, " = ")

			return name + " = " + quoted.ReplaceAllStringFunc(values, func(value string) string {
				text, err := strconv.Unquote(value)
				if err != nil {
					return strconv.Quote(masked)
				}

				return strconv.Quote(r.shownArgument(name, text))
			})
		})
	}

	for i, text := range s.UnverifiedValues {
		at, value, _ := strings.Cut(text, ": ")
		s.UnverifiedValues[i] = at + ": " + r.shownArgument(at[strings.LastIndexByte(at, '.')+1:], value)
	}

	return s
}

// shownArgument returns what to show of a value of an argument of a query.
func (r *Redactor) shownArgument(name, value string) string {
	switch name {
	case "actors":
		return r.shown(value, "actor", "actor_id")
	case "resource_ids":
		return r.shown(value, "resource_id")
	case "resource_types":
		return r.shown(value, "resource_type")
	case "origins":
		return r.shown(value, auditlog.FieldOrigin)
	case "ip_addresses":
		return r.shown(value, auditlog.FieldIPAddress)
	case "search":
		return r.shown(value, searched...)
	case "where":
		// A condition as a whole cannot be taken apart here; a value of one can.
		if strings.Contains(value, "entry.") {
			return masked
		}

		return r.shown(value, "resource_type", auditlog.FieldOrigin)
	default:
		return value
	}
}
