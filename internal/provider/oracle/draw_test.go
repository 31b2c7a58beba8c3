// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// draw draws questions about a log: mostly about what is in it, so that there is
// something to find, and about what is nearly or not in it.
type draw struct {
	*rand.Rand

	service string
	events  []*event
	now     time.Time
	// target is an event that the question is mostly about.
	target *event
}

func (d *draw) chance(percent int) bool { return d.IntN(100) < percent }

func (d *draw) any() *event { return d.events[d.IntN(len(d.events))] }

// near draws a text for a field: the target's, another one's, nearly one, or none
// that occurs anywhere.
func (d *draw) near(field string) string {
	v := d.target.text[field]
	if d.chance(40) {
		v = d.any().text[field]
	}

	switch d.IntN(16) {
	case 0:
		return v + "x"
	case 1:
		return strings.ToUpper(v)
	case 2:
		return d.part(v)
	case 3:
		return "nowhere-" + field
	case 4:
		return d.any().text[textFields[d.IntN(len(textFields))]]
	default:
		return v
	}
}

// part is a part of a text, at times empty.
func (d *draw) part(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}

	from := d.IntN(len(r))

	return string(r[from : from+d.IntN(len(r)-from+1)])
}

// otherCase changes the case of a text, or not.
func (d *draw) otherCase(s string) string {
	switch d.IntN(3) {
	case 0:
		return strings.ToUpper(strings.NewReplacer("ß", "SS", "ς", "Σ").Replace(s))
	case 1:
		return strings.ToLower(s)
	default:
		return s
	}
}

// piece is a short text that occurs in many.
func (d *draw) piece() string {
	return []string{"-", "e", "ci", "_", " ", "'", "server", ".", "é", "ss"}[d.IntN(10)]
}

// moment is a time that matters: an event's, or one right beside it.
func (d *draw) moment() time.Time {
	t := d.any().at.Truncate(time.Microsecond)

	switch d.IntN(8) {
	case 0:
		return t.Add(time.Microsecond)
	case 1:
		return t.Add(-time.Microsecond)
	case 2:
		return t.Truncate(time.Second)
	case 3:
		return t.Truncate(time.Second).Add(time.Second)
	case 4:
		return t.Add(time.Duration(d.IntN(2_000_000)) * time.Microsecond)
	default:
		return t
	}
}

// addresses draws n addresses or blocks.
func (d *draw) addresses(n int) []string {
	blocks := []string{
		"10.0.0.0/8", "10.0.0.1/32", "10.0.0.0/31", "192.0.2.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "2001:db8::/64",
		"2001:db8::1/128",
		"203.0.113.128/25", "10.0.0.7/8", "198.51.100.77",
	}
	if decided[mappedAddresses] {
		blocks = append(blocks, "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "::ffff:0:0/96", "::ffff:10.0.0.1/128",
			"::ffff:c000:20e")
	}

	list := make([]string, n)

	for i := range list {
		list[i] = blocks[d.IntN(len(blocks))]

		// An address of the log, where it is one.
		if v := d.near("ip_address"); d.chance(50) && !strings.Contains(v, "%") && (decided[mappedAddresses] || !strings.Contains(strings.ToLower(v), "ffff:")) {
			if _, err := netip.ParseAddr(v); err == nil {
				list[i] = v
			}
		}
	}

	return list
}

// some draws a few values of a field, none of them empty.
func (d *draw) some(field string) []string {
	list := make([]string, 0, 3)

	for range 1 + d.IntN(3) {
		if v := terraform(d.near(field)); v != "" {
			list = append(list, v)
		}
	}

	// Most are of the target, else few questions had an answer.
	if v := terraform(d.target.text[field]); v != "" && d.chance(80) {
		list = append(list, v)
	}

	slices.Sort(list)
	list = slices.Compact(list)
	d.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })

	return list
}
