// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// Change is one field that differs between two states of a resource.
type Change struct {
	// Field is the path to the value, its steps joined by dots: "labels.env",
	// "disks.0.size". A step that itself holds a dot or a quote is in double quotes.
	Field string `json:"field"`
	// Before and After are JSON values as text, so that the text "null" (a null
	// was there) differs from nil (the field was absent).
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// Changes is ChangesOf two states as they are written, each a JSON object, or empty or
// null where there was none.
func Changes(before, after json.RawMessage) ([]Change, error) {
	old, err := stateOf(before)
	if err != nil {
		return nil, fmt.Errorf("previous state: %w", err)
	}

	cur, err := stateOf(after)
	if err != nil {
		return nil, fmt.Errorf("current state: %w", err)
	}

	return ChangesOf(old, cur)
}

func stateOf(state json.RawMessage) (v exactjson.Node, err error) {
	if len(bytes.TrimSpace(state)) > 0 {
		err = exactjson.Read(state, func(r *exactjson.Reader) { v = r.Node() })
	}

	if err == nil && !isState(v) {
		err = errNoState
	}

	return v, err
}

// errNoState is a state that is no object.
var errNoState = errors.New("not a JSON object")

// ChangesOf compares two states, each a JSON object, or null or the zero Node where there
// was none, and returns the values that differ, sorted by field. Objects and arrays are
// compared value by value; an empty one is a value of its own. An array that becomes an
// object, or the other way round, is a change as a whole, besides those of the values
// inside. Numbers are compared exactly, however they are written.
func ChangesOf(before, after exactjson.Node) ([]Change, error) {
	if !isState(before) {
		return nil, fmt.Errorf("previous state: %w", errNoState)
	}

	if !isState(after) {
		return nil, fmt.Errorf("current state: %w", errNoState)
	}

	var c comparison

	c.compareParts("", before, after, false)
	slices.SortFunc(c.changes, func(a, b Change) int { return cmp.Compare(a.Field, b.Field) })

	return c.changes, nil
}

func isState(v exactjson.Node) bool {
	return v.Kind == absent || v.Kind == exactjson.Null || v.Kind == exactjson.Object
}

// absent is the kind of a value that is not there, which null is not.
const absent = exactjson.Kind(0)

// comparison collects what differs.
type comparison struct{ changes []Change }

// compare compares what is at a path. Inside of an array that became an object, or
// the other way round, that was told.
func (c *comparison) compare(path string, before, after exactjson.Node, told bool) {
	old, cur := len(before.Parts), len(after.Parts)
	turned := (before.Kind == exactjson.Array) != (after.Kind == exactjson.Array)

	switch {
	case old > 0 && cur > 0 && turned && !told:
		told = true
		c.add(path, before, after)
	case old > 0 && cur == 0:
		c.add(path, exactjson.Node{}, after)
	case cur > 0 && old == 0:
		c.add(path, before, exactjson.Node{})
	case old == 0 && !equal(before, after):
		c.add(path, before, after)
	}

	if old > 0 || cur > 0 {
		c.compareParts(path+".", before, after, told)
	}
}

// compareParts compares the values inside of objects and arrays. Keys and numbers are the
// same steps where an array became an object.
func (c *comparison) compareParts(prefix string, before, after exactjson.Node, told bool) {
	old, cur := inOrder(before), inOrder(after)

	for len(old) > 0 || len(cur) > 0 {
		var a, b exactjson.Node

		switch order := compareSteps(old, cur); {
		case order < 0:
			a, old = old[0], old[1:]
		case order > 0:
			b, cur = cur[0], cur[1:]
		default:
			a, old = old[0], old[1:]
			b, cur = cur[0], cur[1:]
		}

		// What is written in the same way is the same.
		if a.Kind != b.Kind || !bytes.Equal(a.Text, b.Text) {
			c.compare(prefix+step(cmp.Or(a.Key, b.Key)), a, b, told)
		}
	}
}

// compareSteps says which of two lists has the step that comes first.
func compareSteps(old, cur []exactjson.Node) int {
	switch {
	case len(old) == 0:
		return 1
	case len(cur) == 0:
		return -1
	default:
		return cmp.Compare(old[0].Key, cur[0].Key)
	}
}

// inOrder returns the parts of a value sorted by their keys; those of an array have their
// numbers for keys.
func inOrder(v exactjson.Node) []exactjson.Node {
	byKey := func(a, b exactjson.Node) int { return cmp.Compare(a.Key, b.Key) }

	if v.Kind == exactjson.Object && slices.IsSortedFunc(v.Parts, byKey) {
		return v.Parts
	}

	parts := slices.Clone(v.Parts)

	if v.Kind == exactjson.Array {
		for i := range parts {
			parts[i].Key = strconv.Itoa(i)
		}
	}

	slices.SortFunc(parts, byKey)

	return parts
}

func (c *comparison) add(path string, before, after exactjson.Node) {
	text := func(v exactjson.Node) *string {
		if v.Kind == absent {
			return nil
		}

		return new(v.Canonical())
	}

	change := Change{Field: path, Before: text(before), After: text(after)}
	if change.Before != nil || change.After != nil {
		c.changes = append(c.changes, change)
	}
}

// equal compares two values that have no parts.
func equal(a, b exactjson.Node) bool {
	switch {
	case a.Kind != b.Kind:
		return false
	case a.Kind == exactjson.Object, a.Kind == exactjson.Array, bytes.Equal(a.Text, b.Text):
		return true
	case a.Kind == exactjson.Number:
		return decimalOf(string(a.Text)) == decimalOf(string(b.Text))
	default:
		return a.Kind == exactjson.String && a.Canonical() == b.Canonical()
	}
}

// decimal is a number as digits, the first and the last of which are not 0, and a
// power of ten. It is never written out, since 1e999999999 is a number as well.
type decimal struct {
	negative bool
	digits   string
	power    int64
	// beyond is a power that is too large to be calculated with, as it is written.
	beyond string
}

func decimalOf(number string) decimal {
	text, negative := strings.CutPrefix(number, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")

	digits := strings.TrimRight(whole+fraction, "0")
	d := decimal{negative: negative, digits: strings.TrimLeft(digits, "0"), power: int64(len(whole) - len(digits))}

	if d.digits == "" {
		return decimal{}
	}

	// A sum of two such numbers cannot overflow.
	if p, err := strconv.ParseInt(cmp.Or(power, "0"), 10, 62); err == nil {
		d.power += p
	} else {
		d.beyond = strings.TrimPrefix(power, "+")
	}

	return d
}

func step(key string) string {
	if key == "" || strings.ContainsAny(key, `."`) {
		return strconv.Quote(key)
	}

	return key
}

func changesText(e *Entry) string {
	if len(e.Changes) == 0 {
		return ""
	}

	text, err := exactjson.Marshal(e.Changes, "")
	if err != nil {
		panic(err) // It is made of texts.
	}

	return string(text)
}
