// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Query returns a query as manifests may show it, so that who is asked for does not
// stand beside the pseudonym:
//
//   - A value that is compared with a redacted field is treated as that field's are.
//   - A value that is compared with no field in particular, such as a search or a part
//     of a regular expression, is treated as the first redacted field whose value it
//     can be.
//   - E-mail addresses and IP addresses are treated as those of redacted fields,
//     whatever they are compared with and whatever text they are a part of.
//
// What is dropped, or has no masked form, is shown as "***". A field that a rule keeps
// is kept here, too. The result depends on nothing but the query, the rules and the
// key: whoever holds two manifests against each other finds the same. So a plain name
// that is compared with another field stays; see Scrubber.Query.
func (r *Redactor) Query(q auditlog.Query) auditlog.Query {
	if !r.Active() {
		return q
	}

	return view{r: r, elsewhere: r.recognised}.query(q)
}

// Query is Redactor.Query, and treats a text as the redacted value that it is or that
// it contains, once that has been learned, as the entries' texts are. It is for what is
// written when everything has been read.
func (s *Scrubber) Query(q auditlog.Query) auditlog.Query {
	if s == nil {
		return q
	}

	return s.view().query(q)
}

// InQuery lists the arguments of a query, by their names in a configuration, in which
// Redactor.Query leaves a redacted value that the entries which were learned give away.
// It is for a warning where nothing may depend on what was learned.
func (s *Scrubber) InQuery(q auditlog.Query) []string {
	if s == nil {
		return nil
	}

	marked := view{r: s.r, elsewhere: func(text string) string {
		shown := s.r.recognised(text)
		if s.scrub(shown) != shown {
			return Masked
		}

		return shown
	}}

	return s.r.Query(q).Different(marked.query(q))
}

// QueryBeside is Query as a manifest that shows the other query would show it: a text
// that may have been learned as a redacted value has the form that it has there.
func (r *Redactor) QueryBeside(q, there auditlog.Query) auditlog.Query {
	if !r.Active() {
		return q
	}

	shown := slices.Concat(there.Actions, there.ResourceIDs, there.ResourceTypes, there.Actors, there.Origins,
		there.IPAddresses, []string{there.Search})
	if there.Where != nil {
		shown = append(shown, quoted.FindAllString(there.Where.String(), -1)...)
	}

	return view{r: r, elsewhere: func(text string) string {
		for _, t := range r.anyTreatment() {
			if !t.spreads() {
				continue
			}

			if form := r.shownForm(t, text); slices.Contains(shown, form) || slices.Contains(shown, strconv.Quote(form)) {
				return form
			}
		}

		return r.recognised(text)
	}}.query(q)
}

func (s *Scrubber) view() view { return view{r: s.r, elsewhere: s.elsewhere} }

// elsewhere returns what to show of a text that is compared with a field that no rule
// speaks of.
func (s *Scrubber) elsewhere(text string) string {
	if shown := s.scrub(text); shown != "" && shown != text {
		return shown
	}

	return cmp.Or(s.scrub(s.r.recognised(text)), Masked)
}

// view shows queries. Its elsewhere returns what to show of a text, "" excepted, that
// is compared with a field that no rule speaks of.
type view struct {
	r         *Redactor
	elsewhere func(text string) string
}

func (v view) query(q auditlog.Query) auditlog.Query {
	for name, values := range map[string]*[]string{
		"actions": &q.Actions, "actors": &q.Actors, "resource_ids": &q.ResourceIDs, "resource_types": &q.ResourceTypes,
		"origins": &q.Origins, "ip_addresses": &q.IPAddresses,
	} {
		all := make([]string, 0, len(*values))
		for _, value := range *values {
			all = append(all, v.argument(name, value))
		}

		*values = all
	}

	q.Search = v.argument("search", q.Search)

	if q.Where != nil {
		q.Where = Condition{Condition: q.Where, Text: q.Where.Shown(v.literal)}
	}

	return q
}

// filtered are the fields that the values of an argument are compared with.
var filtered = map[string][]string{
	"actors": {"actor", "actor_id"}, "resource_ids": {"resource_id"}, "resource_types": {"resource_type"},
	"origins": {auditlog.FieldOrigin}, "ip_addresses": {auditlog.FieldIPAddress}, "search": searched,
}

// argument returns what to show of a value of an argument.
func (v view) argument(name, value string) string {
	fields := filtered[name]

	switch {
	case value == "":
		return value
	case len(fields) == 0:
		return v.r.recognised(value) // No redaction of other fields touches an action.
	case name == "resource_types" || name == "origins":
		return v.kind(value, fields[0])
	}

	if shown := v.r.shown(value, fields...); shown != value {
		return shown
	}

	if name != "search" && v.r.keeps(fields[0]) {
		return value
	}

	return v.elsewhere(value)
}

// kind returns what to show of a word for a kind.
func (v view) kind(value, field string) string {
	shown := v.r.shown(value, field)
	if shown != value || v.r.keeps(field) || CommonKind(value) {
		return shown
	}

	return v.elsewhere(value)
}

// keeps says that a rule keeps the field as it is.
func (r *Redactor) keeps(field string) bool {
	mode, named := r.rules[field]

	return named && mode == Keep
}

// searched are the fields that a search looks into and that hold what people and
// things are called.
var searched = []string{"actor", "resource_name", "resource_id", auditlog.FieldIPAddress}

// Condition is a condition that is only shown and compared with.
type Condition struct {
	auditlog.Condition

	Text string
}

// String implements auditlog.Condition.
func (c Condition) String() string { return c.Text }

// Same implements auditlog.Condition.
func (c Condition) Same(text string) bool { return c.Text == text }

// shown returns what to show of a value that is compared with one of the fields.
func (r *Redactor) shown(value string, fields ...string) string {
	for _, field := range fields {
		for _, t := range r.treatments(field) {
			if t.mode != Keep && t.plausible(value) {
				return r.shownForm(t, value)
			}
		}
	}

	return value
}

// treatments are what can become of the values of a field: some depend on the entry.
func (r *Redactor) treatments(field string) []*treatment {
	var all []*treatment

	for _, t := range r.fields {
		if t.name == field {
			all = append(all, t)
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

// literal returns what to show of a text in a condition that is compared with the
// field, "" where it is not known with which.
func (v view) literal(field, text string) string {
	if text == "" {
		return text
	}

	f, isText := textField(field)
	_, isField := auditlog.FieldByName(field)

	switch {
	case field == "", slices.Contains(carriers, field) && v.r.dropsCarrier(field):
		return v.anywhere(text)
	case !isText && !slices.Contains(carriers, field) && !isField:
		return v.elsewhere(text) // The name of a part of a record.
	case !isText:
		return v.r.recognised(text)
	case f.kind:
		return v.kind(text, field)
	}

	if shown := v.r.shown(text, field); shown != text || v.r.keeps(field) {
		return shown
	}

	return v.elsewhere(text)
}

// shownAnywhere treats a text as a value of the first redacted field that it can be
// of: of an actor before all others.
func (r *Redactor) shownAnywhere(text string) string {
	var all []*treatment

	for _, t := range r.anyTreatment() {
		if t.spreads() && t.plausible(text) {
			all = append(all, t)
		}
	}

	if len(all) == 0 {
		return text
	}

	place := func(t *treatment) int {
		if t.domain == "actor" {
			return t.rank
		}

		return t.rank + 2*len(redactables)
	}
	first := slices.MinFunc(all, func(a, b *treatment) int { return cmp.Compare(place(a), place(b)) })

	return r.shownForm(first, text)
}

// anyTreatment lists what can become of a value, whatever field it is of.
func (r *Redactor) anyTreatment() []*treatment {
	return slices.Concat([]*treatment{&r.user, &r.person}, r.fields)
}

// plausible says that a text can be, or be a part of, a value of the field.
func (t *treatment) plausible(text string) bool {
	return t.name != auditlog.FieldIPAddress || strings.Trim(text, "0123456789abcdefABCDEF.:/*\\^$[]()|+?") == ""
}

// shownForm is form, and "***" where that is nothing.
func (r *Redactor) shownForm(t *treatment, text string) string {
	if t.mode == Mask && t.name == auditlog.FieldIPAddress {
		if p, err := auditlog.ParseAddress(text); err == nil {
			mask, err := auditlog.ParseAddress(maskAddress(p.Addr().String()))
			if err == nil && p.Bits() > mask.Bits() {
				return mask.String()
			}

			return text // A block as large as what a mask leaves.
		}
	}

	return cmp.Or(r.form(t, text), Masked)
}

// anywhere returns what to show of a text that is compared with no field in particular.
func (v view) anywhere(text string) string {
	if shown := v.r.shownAnywhere(text); shown != text {
		return shown
	}

	return v.elsewhere(text)
}

// arguments are filters in a sentence, as caveats have them, and values in
// statements.
var arguments = regexp.MustCompile(`(\w+) = (\[(?:` + quotedText + `(?:, )?)*\]|` + quotedText + `)`)

var quoted = regexp.MustCompile(quotedText)

const quotedText = `"(?:[^"\\]|\\.)*"`

// Completeness is what to show of the statement of a reading: values that it repeats
// of a query, be it the one that was read or an archive's own, are treated as Query
// treats them. It does not change the one that it is given.
func (s *Scrubber) Completeness(c auditlog.Completeness) auditlog.Completeness {
	if s == nil {
		return c
	}

	return s.view().completeness(c)
}

func (v view) completeness(c auditlog.Completeness) auditlog.Completeness {
	c.Caveats, c.UnverifiedValues = slices.Clone(c.Caveats), slices.Clone(c.UnverifiedValues)

	for i, text := range c.Caveats {
		text = arguments.ReplaceAllStringFunc(text, func(filter string) string {
			name, values, _ := strings.Cut(filter, " = ")

			return name + " = " + quoted.ReplaceAllStringFunc(values, func(value string) string {
				text, err := strconv.Unquote(value)
				if err != nil {
					return strconv.Quote(Masked)
				}

				return strconv.Quote(v.stated(name, text))
			})
		})

		c.Caveats[i] = v.r.recognised(text)
	}

	for i, text := range c.UnverifiedValues {
		at, value, _ := strings.Cut(text, ": ")
		c.UnverifiedValues[i] = at + ": " + v.stated(at[strings.LastIndexByte(at, '.')+1:], value)
	}

	return c
}

// stated returns what to show of a value that a statement repeats of an argument.
func (v view) stated(name, value string) string {
	if name != "where" {
		return v.argument(name, value)
	}

	// A condition as a whole cannot be taken apart here; a value of one can.
	if strings.Contains(value, "entry.") {
		return Masked
	}

	if shown := v.r.shown(value, "resource_type", auditlog.FieldOrigin); shown != value || CommonKind(value) {
		return shown
	}

	return v.elsewhere(value)
}
