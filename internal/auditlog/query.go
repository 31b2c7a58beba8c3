// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Query says which entries are asked for. A list that is empty does not filter;
// the values of a list are alternatives, and the lists must all match.
//
// Texts are compared in their Normal form.
type Query struct {
	Window Window
	// SettleDelay is how much of the newest part of the log the window leaves out.
	// The same is left out by the service's own clock.
	SettleDelay time.Duration

	Actions       []string
	Operations    []Operation
	ResourceTypes []string
	ResourceIDs   []string
	// Actors match an entry's actor or its actor_id.
	Actors  []string
	Origins []string
	// IPAddresses are addresses or CIDR blocks.
	IPAddresses []string
	// Search is looked for, whatever its case in any language, in id, actor, resource
	// id and name, address, action and message.
	Search string
	// Where is a condition that must hold as well; nil does not filter.
	Where Condition

	// Unconfirmed are values, asked for by the query or by rules, of which nothing
	// confirms that entries have them. A reading in whose window no entry has one says
	// so; see CheckValues.
	Unconfirmed []Asked
	// AllowUnknownValues says that somebody vouches for them.
	AllowUnknownValues bool
	// FailOnUnknownActions makes it an error when an entry that answers the query, or
	// would if its action meant something else, has an action that no table knows.
	FailOnUnknownActions bool
	// Unknown is given each of these entries, also those that do not answer the query
	// as they are. Nil gives them to nobody.
	Unknown func(*Entry)
	// Conditions are what the result is held against besides, such as rules, and Needs
	// the fields that it takes for that. They filter nothing; a reading says what of
	// them it cannot show.
	Conditions []Condition
	Needs      []string
}

// Condition is a condition on entries, such as a CEL expression. It is safe for
// use by several goroutines.
type Condition interface {
	// String returns the condition as it was written.
	String() string
	// Same says whether a text is the same condition, spelled as it may be.
	Same(text string) bool
	// Match says whether the condition holds. An error means that it cannot be
	// said, which is not the same as false.
	Match(e *Entry) (bool, error)
	// Possible says whether any entry within the scope could match this condition
	// and all of the others. Only what is certain counts against it.
	Possible(s Scope, others ...Condition) bool
	// Shown returns the condition with what show makes of each text in it: of those
	// that a field is compared with, and of all others, comments included, whose field
	// is "". It need not be a condition any more.
	Shown(show func(field, text string) string) string
	// Compared lists the values that it compares fields with.
	Compared() []Asked
	// Uses says whether it looks at the field.
	Uses(field string) bool
	// Blocks lists the blocks of addresses that it asks for.
	Blocks() []netip.Prefix
}

// Matcher decides whether an entry answers a query. It is safe for use by
// several goroutines.
type Matcher struct {
	q        Query
	prefixes []netip.Prefix
	search   string
}

// Matcher checks the query and prepares it for use.
func (q Query) Matcher() (*Matcher, error) {
	m := &Matcher{q: q, search: fold(q.Search)}

	for _, list := range []*[]string{&m.q.Actions, &m.q.ResourceTypes, &m.q.ResourceIDs, &m.q.Actors, &m.q.Origins} {
		// Absent values are empty inside, so an empty value would match what was
		// never recorded.
		if slices.Contains(*list, "") {
			return nil, errors.New("a filter holds an empty value")
		}

		*list = normalAll(*list)
	}

	for _, text := range q.IPAddresses {
		p, err := ParseAddress(text)
		if err != nil {
			return nil, err
		}

		m.prefixes = append(m.prefixes, p)
	}

	return m, nil
}

func normalAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = Normal(text)
	}

	return all
}

// Match says whether the entry lies in the window and passes every filter. An
// error comes only of the condition.
func (m *Matcher) Match(e *Entry) (bool, error) { return m.matchWithin(m.q.Window, e) }

// matchWithin is Match for a window that may be shorter than the query's.
func (m *Matcher) matchWithin(w Window, e *Entry) (bool, error) {
	if !w.Contains(e.Time) || !m.q.Window.Contains(e.Time) || !m.matchFilters(e) {
		return false, nil
	}

	if m.q.Where == nil {
		return true, nil
	}

	return m.q.Where.Match(e)
}

// depends says whether it depends on the entry's operation whether the entry
// answers the query.
func (m *Matcher) depends(e *Entry, operations []Operation) bool {
	return (len(m.q.Operations) > 0 || m.q.Where != nil && m.q.Where.Uses("operation")) &&
		DependsOnOperation(e, operations, m.Match)
}

// DependsOnOperation says whether something would be decided otherwise if the
// entry's action meant another operation.
func DependsOnOperation(e *Entry, operations []Operation, decide func(*Entry) (bool, error)) bool {
	is, err := decide(e)

	return err == nil && slices.ContainsFunc(operations, func(op Operation) bool {
		other := *e
		other.Operation = op

		would, err := decide(&other)

		return err != nil || would != is
	})
}

// dependsOnAddress says whether it depends on where the entry's address lies, which
// cannot be told, whether the entry answers the query, or whether one that does meets
// one of the conditions that the result is held against.
func (m *Matcher) dependsOnAddress(e *Entry) bool {
	if _, ok := AddressOf(e.IPAddress); ok || e.IPAddress == "" {
		return false
	}

	for _, held := range append([]Condition{nil}, m.q.Conditions...) {
		decide := func(e *Entry) (bool, error) {
			if answers, err := m.Match(e); held == nil || !answers || err != nil {
				return answers, err
			}

			return held.Match(e)
		}

		blocks := slices.Clone(m.prefixes)
		for _, c := range []Condition{m.q.Where, held} {
			if c != nil {
				blocks = append(blocks, c.Blocks()...)
			}
		}

		is, err := decide(e)

		for _, block := range blocks {
			other := *e
			other.IPAddress = block.Addr().String()

			if would, wouldErr := decide(&other); err == nil && wouldErr == nil && would != is {
				return true
			}
		}
	}

	return false
}

func (m *Matcher) matchFilters(e *Entry) bool {
	q := &m.q

	return matchOne(q.Actions, e.Action) &&
		(len(q.Operations) == 0 || slices.Contains(q.Operations, e.Operation)) &&
		matchOne(q.ResourceTypes, e.ResourceType) &&
		matchOne(q.ResourceIDs, e.ResourceID) &&
		(matchOne(q.Actors, e.Actor) || matchOne(q.Actors, e.ActorID)) &&
		matchOne(q.Origins, e.Origin) &&
		m.matchAddress(e.IPAddress) &&
		m.matchSearch(e)
}

func matchOne(wanted []string, have string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, Normal(have))
}

// matchAddress compares addresses as numbers, so that the spelling of an IPv6
// address does not matter. An address the cloud masked cannot be placed in a
// block and does not match.
func (m *Matcher) matchAddress(text string) bool {
	return len(m.prefixes) == 0 || slices.ContainsFunc(m.prefixes, func(p netip.Prefix) bool { return InBlock(p, text) })
}

func (m *Matcher) matchSearch(e *Entry) bool {
	if m.search == "" {
		return true
	}

	in := []string{e.ID, e.Actor, e.ResourceID, e.ResourceName, e.IPAddress, e.Action, e.Message}

	return slices.ContainsFunc(in, func(s string) bool { return strings.Contains(fold(s), m.search) })
}

// UnanswerableError is a filter that would find nothing, whatever happened.
type UnanswerableError struct {
	// Argument is the filter by its name in a configuration.
	Argument string
	// Index is that of the value at fault, -1 where it is the filter as a whole.
	Index int
	// Reason is one sentence.
	Reason string
	// Nearest is the value that may have been meant, "" where none is near.
	Nearest string
	// Never names, for a condition, the fields and operations that it looks for and
	// that the service never records; "" where that is not why.
	Never string
}

func (u *UnanswerableError) Error() string { return u.Reason }

// filterFields are the fields that each filter looks into, by the filter's name in a
// configuration.
var filterFields = map[string][]string{
	"actions": {"action"}, "operations": {"operation"},
	"resource_types": {"resource_type"}, "resource_ids": {FieldResourceID},
	"actors": {"actor", "actor_id"}, "origins": {FieldOrigin}, "ip_addresses": {FieldIPAddress},
	"search": {"actor", FieldResourceID, "resource_name", FieldIPAddress, "message"},
}

// values are those of a filter, none where it is not given.
func (q Query) values(argument string) []string {
	switch argument {
	case "actions":
		return q.Actions
	case "operations":
		return Texts(q.Operations)
	case "resource_types":
		return q.ResourceTypes
	case "resource_ids":
		return q.ResourceIDs
	case "actors":
		return q.Actors
	case "origins":
		return q.Origins
	case "ip_addresses":
		return q.IPAddresses
	default:
		return slices.DeleteFunc([]string{q.Search}, func(text string) bool { return text == "" })
	}
}

// Filters writes the query's filters down by their names in a configuration, without its window.
func (q Query) Filters() map[string][]string {
	filters := map[string][]string{}

	for name := range filterFields {
		if values := q.values(name); len(values) > 0 {
			filters[name] = values
		}
	}

	if q.Where != nil {
		filters["where"] = []string{q.Where.String()}
	}

	return filters
}

// given are those of the filters that the query has.
func (q Query) given(arguments ...string) []string {
	return slices.DeleteFunc(arguments, func(argument string) bool { return len(q.values(argument)) == 0 })
}

// fieldFilters are those of the query that look for values in fields that a service
// may lack. All but search find nothing where it does not record the first one.
func (q Query) fieldFilters() []string {
	return q.given("actors", "ip_addresses", "origins", "resource_ids", "resource_types", search)
}

const search = "search"

// standsOn says whether the answer, or what it is held against, depends on the field.
// What looks into several fields does not depend on one of them.
func (q Query) standsOn(field string) bool {
	filtered := slices.ContainsFunc(q.fieldFilters(), func(argument string) bool {
		return argument != search && filterFields[argument][0] == field
	})

	return filtered || slices.Contains(q.Needs, field) || q.Where != nil && q.Where.Uses(field) ||
		slices.ContainsFunc(q.Conditions, func(c Condition) bool { return c.Uses(field) })
}

// Missing lists the fields that the answer, or what it is held against, depends on
// and that entries do not have.
func (q Query) Missing(has func(field string) bool) []string {
	var missing []string

	for _, f := range fields {
		if !f.Required && q.standsOn(f.Name) && !has(f.Name) {
			missing = append(missing, f.Name)
		}
	}

	return missing
}

// LooksInto lists the fields whose values the query's filters look for, its
// condition aside.
func (q Query) LooksInto() []string {
	var fields []string

	for _, argument := range q.fieldFilters() {
		fields = append(fields, filterFields[argument]...)
	}

	slices.Sort(fields)

	return slices.Compact(fields)
}

// neverIn names what the condition looks for and the service never records.
func (i Info) neverIn(c Condition) string {
	var never []string

	for _, f := range fields {
		if c.Uses(f.Name) && !i.Records(f.Name) {
			never = append(never, f.Name)
		}
	}

	for _, a := range c.Compared() {
		if a.Field == "operation" && i.NeverOperations[Operation(a.Value)] != "" && !slices.Contains(never, a.Value) {
			never = append(never, a.Value)
		}
	}

	return strings.Join(never, ", ")
}

// Unanswerable lists the filters that no entry of the service can pass, given
// which fields and which operations it records. Nothing found has to mean that
// nothing happened, so such a query is an error.
func (q Query) Unanswerable(info Info) []*UnanswerableError {
	var all []*UnanswerableError

	for _, argument := range q.fieldFilters() {
		fields := filterFields[argument]

		if argument != search && slices.Contains(info.NeverRecorded, fields[0]) {
			all = append(all, &UnanswerableError{Argument: argument, Index: -1, Reason: fmt.Sprintf(
				"%s never records %s, so the filter would find nothing, whatever happened.", info.Title, fields[0])})

			continue
		}

		// A filter that looks into several fields misses what one of them lost.
		for _, field := range fields {
			if slices.Contains(info.Redacted, field) {
				all = append(all, &UnanswerableError{Argument: argument, Index: -1, Reason: fmt.Sprintf(
					"%s holds %s in redacted form, so the filter could miss what happened.", info.Title, field)})

				break
			}
		}
	}

	for i, op := range q.Operations {
		// A word outside of the vocabulary is the business of whoever reads it.
		if slices.Contains(Operations(), op) && !slices.Contains(info.Operations, op) {
			all = append(all, &UnanswerableError{
				Argument: "operations", Index: i,
				Reason: strings.TrimSuffix(info.neverMeans(op), ".") + ", so the filter would find nothing, whatever happened.",
			})
		}
	}

	if q.contradicts(info) {
		all = append(all, q.contradiction(info))
	}

	for _, u := range Malformed(info, q.Asked()) {
		all = append(all, &UnanswerableError{Argument: u.Argument, Index: u.Index, Reason: u.Reason, Nearest: u.Nearest})
	}

	ever := q
	ever.Window = Window{}

	impossible := UnanswerableError{Argument: "where", Index: -1}

	switch {
	case q.Where == nil:
	case !q.Where.Possible(Scope{}):
		impossible.Reason = "No entry of " + info.Title + " can meet the condition, whatever happened: it is false of every entry of every cloud."
	case !q.Where.Possible(Query{}.Scope(info)):
		impossible.Reason, impossible.Never = "No entry of "+info.Title+" can meet the condition, whatever happened.",
			info.neverIn(q.Where)
	case !q.Where.Possible(ever.Scope(info)):
		impossible.Reason = "No entry that passes the other filters can meet the condition, whatever happened."
	case !q.Where.Possible(q.Scope(info)):
		impossible.Reason = "No entry of the window can meet the condition, whatever happened."
	}

	if impossible.Reason != "" {
		all = append(all, &impossible)
	}

	return all
}
