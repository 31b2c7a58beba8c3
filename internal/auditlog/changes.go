// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// Changes compares two states, each a JSON object or empty where there was none,
// and returns the values that differ, sorted by field. Objects and arrays are
// compared value by value; an empty one is a value of its own. An array that
// becomes an object, or the other way round, is a change as a whole, besides those
// of the values inside. Numbers are compared exactly, however they are written.
func Changes(before, after json.RawMessage) ([]Change, error) {
	old, err := stateOf(before)
	if err != nil {
		return nil, fmt.Errorf("previous state: %w", err)
	}

	cur, err := stateOf(after)
	if err != nil {
		return nil, fmt.Errorf("current state: %w", err)
	}

	var c comparison

	c.compareParts("", old, cur, false)
	slices.SortFunc(c.changes, func(a, b Change) int { return cmp.Compare(a.Field, b.Field) })

	return c.changes, nil
}

// stateOf decodes a state to its parts. Absent and null count as an empty one.
func stateOf(state json.RawMessage) (map[string]any, error) {
	if len(bytes.TrimSpace(state)) == 0 {
		return map[string]any{}, nil
	}

	v, err := exactjson.Value(state)
	if err != nil {
		return nil, err
	}

	if _, ok := v.(map[string]any); !ok && v != nil {
		return nil, errors.New("not a JSON object")
	}

	return parts(v), nil
}

// absent is a value that is not there, which null is not.
type absent struct{}

// comparison collects what differs.
type comparison struct{ changes []Change }

// compare compares what is at a path. Inside of an array that became an object, or
// the other way round, that was told.
func (c *comparison) compare(path string, before, after any, told bool) {
	old, cur := parts(before), parts(after)
	_, wasArray := before.([]any)
	_, isArray := after.([]any)

	switch turned := wasArray != isArray; {
	case len(old) > 0 && len(cur) > 0 && turned && !told:
		told = true
		c.add(path, before, after)
	case len(old) > 0 && len(cur) == 0:
		c.add(path, absent{}, after)
	case len(cur) > 0 && len(old) == 0:
		c.add(path, before, absent{})
	case len(old) == 0 && !equal(before, after):
		c.add(path, before, after)
	}

	c.compareParts(path+".", old, cur, told)
}

func (c *comparison) compareParts(prefix string, before, after map[string]any, told bool) {
	at := func(parts map[string]any, step string) any {
		if value, ok := parts[step]; ok {
			return value
		}

		return absent{}
	}

	either := make(map[string]any, len(after))
	maps.Copy(either, before)
	maps.Copy(either, after)

	for step := range either {
		c.compare(prefix+step, at(before, step), at(after, step), told)
	}
}

func (c *comparison) add(path string, before, after any) {
	text := func(value any) *string {
		if value == (absent{}) {
			return nil
		}

		return new(string(marshalExact(value)))
	}

	if change := (Change{Field: path, Before: text(before), After: text(after)}); change.Before != nil || change.After != nil {
		c.changes = append(c.changes, change)
	}
}

// parts are the values inside of an object or an array by their step; a value that
// has none is one of its own.
func parts(v any) map[string]any {
	switch x := v.(type) {
	case map[string]any:
		all := make(map[string]any, len(x))
		for key, value := range x {
			all[step(key)] = value
		}

		return all
	case []any:
		all := make(map[string]any, len(x))
		for i, value := range x {
			all[strconv.Itoa(i)] = value
		}

		return all
	default:
		return nil
	}
}

// equal compares two values that have no parts.
func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		_, ok := b.(map[string]any)

		return ok
	case []any:
		_, ok := b.([]any)

		return ok
	case json.Number:
		y, ok := b.(json.Number)

		return ok && (x == y || decimalOf(x) == decimalOf(y))
	default:
		return a == b
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

func decimalOf(n json.Number) decimal {
	text, negative := strings.CutPrefix(n.String(), "-")
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

// marshalExact is json.Marshal of what exactjson has read, or of changes, without the
// escapes meant for HTML.
func marshalExact(v any) []byte {
	text, err := exactjson.Marshal(v, "")
	if err != nil {
		panic(err) // What was read, or is made of texts, can be written.
	}

	return text
}

func changesText(e *Entry) string {
	if len(e.Changes) == 0 {
		return ""
	}

	return string(marshalExact(e.Changes))
}
