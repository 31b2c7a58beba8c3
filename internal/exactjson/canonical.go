// SPDX-License-Identifier: MPL-2.0

package exactjson

import (
	"bytes"
	"slices"
)

// AppendCanonical appends the canonical form of a JSON value: what Marshal makes of what
// Value reads. There is no space in it, the keys of an object are sorted by their bytes,
// strings have no escapes but those that they need, and U+2028 and U+2029, and numbers
// are as they were written.
func AppendCanonical(to, text []byte) ([]byte, error) {
	err := Read(text, func(r *Reader) { _, to = r.Canonical(to, nil) })

	return to, err
}

// Canonical is Raw that also appends the canonical form of the value; see AppendCanonical.
// It is made while the value is read.
func (r *Reader) Canonical(to []byte, read func()) (raw, canonical []byte) {
	r.canonical.on, r.canonical.text = true, to
	raw = r.Raw(read)
	canonical = r.canonical.text
	r.canonical.on, r.canonical.text = false, nil

	return raw, canonical
}

// canonical writes the canonical form of what a Reader reads, while it is on.
type canonical struct {
	on      bool
	text    []byte
	members []member // of the objects that are being read
	swap    []byte
	order   []int
}

// member is one of an object: where it begins and ends in the text, and its key.
type member struct {
	begin, end int
	key        []byte
}

// reset forgets what is of one text, and keeps what can be used for another one.
func (c *canonical) reset() {
	clear(c.members)
	c.on, c.text, c.members = false, nil, c.members[:0]

	if cap(c.swap) > mostScratch {
		c.swap = nil
	}
}

func (c *canonical) add(text string) {
	if c.on {
		c.text = append(c.text, text...)
	}
}

// string copies a string that is written as it would be.
func (c *canonical) string(quoted, text []byte, plain bool) {
	switch {
	case !c.on:
	case plain:
		c.text = append(c.text, quoted...)
	default:
		c.text = AppendString(c.text, string(text))
	}
}

// object begins an object, and returns which of the members is its first.
func (c *canonical) object() int {
	c.add("{")

	return len(c.members)
}

func (c *canonical) key(quoted, key []byte, plain bool) {
	if !c.on {
		return
	}

	m := member{begin: len(c.text)}
	c.string(quoted, key, plain)

	// The key has to stay when another one is decoded.
	if m.key = c.text[m.begin+1 : len(c.text)-1]; !plain {
		m.key = bytes.Clone(key)
	}

	c.text = append(c.text, ':')
	c.members = append(c.members, m)
}

// member ends the innermost member.
func (c *canonical) member() {
	if c.on {
		c.text = append(c.text, ',')
		c.members[len(c.members)-1].end = len(c.text)
	}
}

// endObject brings the members into order, where they are not, and ends the object.
func (c *canonical) endObject(first int) {
	if !c.on {
		return
	}

	members := c.members[first:]

	if order := c.sorted(members); order != nil {
		begin := members[0].begin
		// The keys are parts of the text that is written over.
		c.swap = append(c.swap[:0], c.text[begin:]...)

		c.text = c.text[:begin]
		for _, i := range order {
			c.text = append(c.text, c.swap[members[i].begin-begin:members[i].end-begin]...)
		}
	}

	clear(members)
	c.members = c.members[:first]
	c.end('}')
}

// sorted returns the order that members come in by their keys, nil where they are in it.
func (c *canonical) sorted(members []member) []int {
	byKey := func(a, b int) int { return bytes.Compare(members[a].key, members[b].key) }

	c.order = c.order[:0]
	inOrder := true

	for i := range members {
		c.order = append(c.order, i)
		inOrder = inOrder && (i == 0 || byKey(i-1, i) < 0)
	}

	if inOrder {
		return nil
	}

	slices.SortFunc(c.order, byKey)

	return c.order
}

// end ends an object or an array, whose last part has a comma behind it.
func (c *canonical) end(sign byte) {
	if !c.on {
		return
	}

	if n := len(c.text) - 1; c.text[n] == ',' {
		c.text[n] = sign
	} else {
		c.text = append(c.text, sign)
	}
}
