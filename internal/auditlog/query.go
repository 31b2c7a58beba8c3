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
	// Search is looked for, whatever its case, in id, actor, resource id and
	// name, address, action and message.
	Search string
	// Where is a condition that must hold as well; nil does not filter.
	Where Condition
}

// Condition is a condition on entries, such as a CEL expression. It is safe for
// use by several goroutines.
type Condition interface {
	// String returns the condition as it was written.
	String() string
	// Match says whether the condition holds. An error means that it cannot be
	// said, which is not the same as false.
	Match(e *Entry) (bool, error)
	// Possible says whether any entry of the service could match, given which
	// fields and which operations it records.
	Possible(info Info) bool
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
	m := &Matcher{q: q, search: strings.ToLower(q.Search)}

	// Absent values are empty inside, so an empty value would match what was
	// never recorded.
	for _, list := range [][]string{q.Actions, q.ResourceTypes, q.ResourceIDs, q.Actors, q.Origins} {
		if slices.Contains(list, "") {
			return nil, errors.New("a filter holds an empty value")
		}
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

// ParseAddress reads an address or a CIDR block; an address becomes the block
// that holds it alone.
func ParseAddress(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}

	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is not an IP address or a CIDR block, such as \"203.0.113.7\" or \"2001:db8::/32\"", text)
	}

	a = a.Unmap()

	return netip.PrefixFrom(a, a.BitLen()), nil
}

// Match says whether the entry lies in the window and passes every filter. An
// error comes only of the condition.
func (m *Matcher) Match(e *Entry) (bool, error) {
	if !m.q.Window.Contains(e.Time) || !m.matchFilters(e) {
		return false, nil
	}

	if m.q.Where == nil {
		return true, nil
	}

	return m.q.Where.Match(e)
}

// matchWithin is Match for a window that may be shorter than the query's.
func (m *Matcher) matchWithin(w Window, e *Entry) (bool, error) {
	if !w.Contains(e.Time) {
		return false, nil
	}

	return m.Match(e)
}

func (m *Matcher) matchFilters(e *Entry) bool {
	q := &m.q

	return matchOne(q.Actions, e.Action) &&
		matchOne(q.Operations, e.Operation) &&
		matchOne(q.ResourceTypes, e.ResourceType) &&
		matchOne(q.ResourceIDs, e.ResourceID) &&
		(matchOne(q.Actors, e.Actor) || matchOne(q.Actors, e.ActorID)) &&
		matchOne(q.Origins, e.Origin) &&
		m.matchAddress(e.IPAddress) &&
		m.matchSearch(e)
}

func matchOne[T ~string](wanted []T, have T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, have)
}

// matchAddress compares addresses as numbers, so that the spelling of an IPv6
// address does not matter. An address the cloud masked cannot be placed in a
// block and does not match.
func (m *Matcher) matchAddress(text string) bool {
	if len(m.prefixes) == 0 {
		return true
	}

	a, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}

	a = a.Unmap()

	return slices.ContainsFunc(m.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (m *Matcher) matchSearch(e *Entry) bool {
	if m.search == "" {
		return true
	}

	in := []string{e.ID, e.Actor, e.ResourceID, e.ResourceName, e.IPAddress, e.Action, e.Message}

	return slices.ContainsFunc(in, func(s string) bool { return strings.Contains(strings.ToLower(s), m.search) })
}

// UnanswerableError is a filter that would find nothing, whatever happened.
type UnanswerableError struct {
	// Argument is the filter by its name in a configuration.
	Argument string
	// Index is that of the value at fault, -1 where it is the filter as a whole.
	Index int
	// Reason is one sentence.
	Reason string
}

func (u *UnanswerableError) Error() string { return u.Reason }

// fieldFilter is a filter that looks for values in fields that a service may lack.
type fieldFilter struct {
	argument string
	// fields are where it looks. Where needed is set it finds nothing in a service
	// that does not record the first.
	fields []string
	needed bool
}

// fieldFilters lists those of the query.
func (q Query) fieldFilters() []fieldFilter {
	var filters []fieldFilter

	for _, f := range []struct {
		given  bool
		filter fieldFilter
	}{
		{len(q.Actors) > 0, fieldFilter{"actors", []string{"actor", "actor_id"}, true}},
		{len(q.IPAddresses) > 0, fieldFilter{"ip_addresses", []string{FieldIPAddress}, true}},
		{len(q.Origins) > 0, fieldFilter{"origins", []string{FieldOrigin}, true}},
		{len(q.ResourceIDs) > 0, fieldFilter{"resource_ids", []string{FieldResourceID}, true}},
		{len(q.ResourceTypes) > 0, fieldFilter{"resource_types", []string{"resource_type"}, true}},
		{q.Search != "", fieldFilter{"search", []string{"actor", FieldResourceID, "resource_name", FieldIPAddress, "message"}, false}},
	} {
		if f.given {
			filters = append(filters, f.filter)
		}
	}

	return filters
}

// LooksInto lists the fields whose values the query's filters look for, its
// condition aside.
func (q Query) LooksInto() []string {
	var fields []string

	for _, f := range q.fieldFilters() {
		fields = append(fields, f.fields...)
	}

	slices.Sort(fields)

	return slices.Compact(fields)
}

// Unanswerable lists the filters that no entry of the service can pass, given
// which fields and which operations it records. Nothing found has to mean that
// nothing happened, so such a query is an error.
func (q Query) Unanswerable(info Info) []*UnanswerableError {
	var all []*UnanswerableError

	for _, f := range q.fieldFilters() {
		if f.needed && slices.Contains(info.NeverRecorded, f.fields[0]) {
			all = append(all, &UnanswerableError{f.argument, -1, fmt.Sprintf(
				"%s never records %s, so the filter would find nothing, whatever happened.", info.Title, f.fields[0])})

			continue
		}

		// A filter that looks into several fields misses what one of them lost.
		for _, field := range f.fields {
			if slices.Contains(info.Redacted, field) {
				all = append(all, &UnanswerableError{f.argument, -1, fmt.Sprintf(
					"%s holds %s in redacted form, so the filter could miss what happened.", info.Title, field)})

				break
			}
		}
	}

	for i, op := range q.Operations {
		// A word outside of the vocabulary is the business of whoever reads it.
		if slices.Contains(Operations(), op) && !slices.Contains(info.Operations, op) {
			all = append(all, &UnanswerableError{"operations", i, fmt.Sprintf(
				"No action of %s is known to mean %s, so the filter would find nothing, whatever happened.", info.Title, op)})
		}
	}

	if q.Where != nil && !q.Where.Possible(info) {
		all = append(all, &UnanswerableError{"where", -1, fmt.Sprintf(
			"No entry of %s can meet the condition, whatever happened.", info.Title)})
	}

	return all
}
