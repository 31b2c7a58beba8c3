// SPDX-License-Identifier: MPL-2.0

package exactjson

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendCanonical appends the canonical form of a JSON value: what Marshal makes of what
// Value reads. There is no space in it, the keys of an object are sorted by their bytes,
// strings have no escapes but those that they need, and U+2028 and U+2029, and numbers
// are as they were written.
func AppendCanonical(to, text []byte) ([]byte, error) {
	err := Read(text, func(r *Reader) { to = r.canonical(to) })

	return to, err
}

// member is one of an object in a canonical text: where it begins and ends, and its key.
type member struct {
	begin, end int
	key        []byte
}

func (r *Reader) canonical(to []byte) []byte {
	switch r.kind() {
	case jsontext.KindBeginObject:
		return r.canonicalObject(to)
	case jsontext.KindBeginArray:
		r.token()

		for to = append(to, '['); r.err == nil && r.kind() != jsontext.KindEndArray; {
			to = append(r.canonical(to), ',')
		}

		return r.closed(to, ']')
	case jsontext.KindString:
		return r.canonicalString(to)
	default:
		return append(to, r.value()...)
	}
}

// closed ends an object or an array whose last element has a comma behind it.
func (r *Reader) closed(to []byte, end byte) []byte {
	r.token()

	if n := len(to) - 1; to[n] == ',' {
		to[n] = end

		return to
	}

	return append(to, end)
}

// canonicalObject writes the members as they come, and sorts them where they are not.
func (r *Reader) canonicalObject(to []byte) []byte {
	r.token()

	to = append(to, '{')
	first, sorted := len(r.members), true

	for r.err == nil && r.kind() != jsontext.KindEndObject {
		m := member{begin: len(to)}

		if to = r.canonicalString(to); r.err != nil {
			return to
		}

		m.key = keyIn(to[m.begin:])
		to = append(r.canonical(append(to, ':')), ',')
		m.end = len(to)

		n := len(r.members)
		sorted = sorted && (n == first || bytes.Compare(r.members[n-1].key, m.key) < 0)
		r.members = append(r.members, m)
	}

	if members := r.members[first:]; r.err == nil && !sorted {
		begin := members[0].begin
		// The keys are parts of the text that is written over.
		r.swap = append(r.swap[:0], to[begin:]...)

		slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.key, b.key) })

		to = to[:begin]
		for _, m := range members {
			to = append(to, r.swap[m.begin-begin:m.end-begin]...)
		}
	}

	clear(r.members[first:])
	r.members = r.members[:first]

	return r.closed(to, '}')
}

// canonicalString copies a string that has nothing in it that can be written in two ways.
func (r *Reader) canonicalString(to []byte) []byte {
	quoted := r.value()
	if r.err != nil {
		return to
	}

	if isPlain(quoted[1 : len(quoted)-1]) {
		return append(to, quoted...)
	}

	return AppendString(to, string(r.unquote(quoted)))
}

// keyIn decodes a key in canonical form.
func keyIn(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}

	// A canonical string is in UTF-8.
	key, _ := jsontext.AppendUnquote(nil, quoted)

	return key
}
