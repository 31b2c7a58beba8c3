// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Query says which entries are asked for. A list that is empty does not filter;
// the values of a list are alternatives, and the lists must all match.
type Query struct {
	Window Window

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

// Match says whether the entry lies in the window and passes every filter.
func (m *Matcher) Match(e *Entry) bool {
	return m.q.Window.Contains(e.Time) && m.matchFilters(e)
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
