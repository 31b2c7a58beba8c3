// SPDX-License-Identifier: MPL-2.0

package exactjson

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind says what a JSON value is. The zero Kind is none.
type Kind byte

// The kinds of values.
const (
	Null   = Kind(jsontext.KindNull)
	False  = Kind(jsontext.KindFalse)
	True   = Kind(jsontext.KindTrue)
	String = Kind(jsontext.KindString)
	Number = Kind(jsontext.KindNumber)
	Object = Kind(jsontext.KindBeginObject)
	Array  = Kind(jsontext.KindBeginArray)
)

// Node is a JSON value of which little is decoded: what is in it can be gone through, and
// what is needed of it be read.
type Node struct {
	Kind Kind
	// Key is that of a member of an object.
	Key string
	// Text is the value as it is written, part of the text that was read.
	Text []byte
	// Parts are the members of an object or the elements of an array, as they come.
	Parts []Node
}

// Node reads the next value.
func (r *Reader) Node() Node {
	n := Node{Kind: Kind(r.kind())}

	var read func()

	switch n.Kind {
	case Object:
		read = func() {
			first := len(r.nodes)

			for key := range r.Members() {
				word := r.word(key)
				part := r.Node()
				part.Key = word
				r.nodes = append(r.nodes, part)
			}

			n.Parts = r.take(first)
		}
	case Array:
		read = func() {
			first := len(r.nodes)
			for range r.Elements() {
				r.nodes = append(r.nodes, r.Node())
			}

			n.Parts = r.take(first)
		}
	default:
	}

	if n.Text = r.Raw(read); n.Text == nil {
		return Node{}
	}

	return n
}

// take returns the nodes from the first one on, and forgets them.
func (r *Reader) take(first int) []Node {
	nodes := slices.Clone(r.nodes[first:])
	clear(r.nodes[first:])
	r.nodes = r.nodes[:first]

	return nodes
}

// Canonical returns the value's canonical form; see AppendCanonical.
func (n *Node) Canonical() string {
	switch n.Kind {
	case Object, Array:
	case String:
		if !IsPlain(string(n.Text[1 : len(n.Text)-1])) {
			break
		}

		fallthrough
	default:
		return string(n.Text)
	}

	// What was read once can be read again.
	text, _ := AppendCanonical(nil, n.Text)

	return string(text)
}
