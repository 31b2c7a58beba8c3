// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// What follows compares states in the plain way: as maps and slices. It is what the
// comparison that decodes no more than it needs is held against.

// plainChanges compares two states, each a JSON object or empty where there was none,
// and returns the values that differ, sorted by field. Objects and arrays are
// compared value by value; an empty one is a value of its own. An array that
// becomes an object, or the other way round, is a change as a whole, besides those
// of the values inside. Numbers are compared exactly, however they are written.
func plainChanges(before, after json.RawMessage) ([]auditlog.Change, error) {
	old, err := plainState(before)
	if err != nil {
		return nil, fmt.Errorf("previous state: %w", err)
	}

	cur, err := plainState(after)
	if err != nil {
		return nil, fmt.Errorf("current state: %w", err)
	}

	var c plainComparison

	c.compareParts("", old, cur, false)
	slices.SortFunc(c.changes, func(a, b auditlog.Change) int { return cmp.Compare(a.Field, b.Field) })

	return c.changes, nil
}

// plainState decodes a state to its parts. Absent and null count as an empty one.
func plainState(state json.RawMessage) (map[string]any, error) {
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

	return plainParts(v), nil
}

// plainAbsent is a value that is not there, which null is not.
type plainAbsent struct{}

// plainComparison collects what differs.
type plainComparison struct{ changes []auditlog.Change }

// compare compares what is at a path. Inside of an array that became an object, or
// the other way round, that was told.
func (c *plainComparison) compare(path string, before, after any, told bool) {
	old, cur := plainParts(before), plainParts(after)
	_, wasArray := before.([]any)
	_, isArray := after.([]any)

	switch turned := wasArray != isArray; {
	case len(old) > 0 && len(cur) > 0 && turned && !told:
		told = true
		c.add(path, before, after)
	case len(old) > 0 && len(cur) == 0:
		c.add(path, plainAbsent{}, after)
	case len(cur) > 0 && len(old) == 0:
		c.add(path, before, plainAbsent{})
	case len(old) == 0 && !plainEqual(before, after):
		c.add(path, before, after)
	}

	c.compareParts(path+".", old, cur, told)
}

func (c *plainComparison) compareParts(prefix string, before, after map[string]any, told bool) {
	at := func(parts map[string]any, step string) any {
		if value, ok := parts[step]; ok {
			return value
		}

		return plainAbsent{}
	}

	either := make(map[string]any, len(after))
	maps.Copy(either, before)
	maps.Copy(either, after)

	for step := range either {
		c.compare(prefix+step, at(before, step), at(after, step), told)
	}
}

func (c *plainComparison) add(path string, before, after any) {
	text := func(value any) *string {
		if value == (plainAbsent{}) {
			return nil
		}

		return new(string(plainText(value)))
	}

	change := auditlog.Change{Field: path, Before: text(before), After: text(after)}
	if change.Before != nil || change.After != nil {
		c.changes = append(c.changes, change)
	}
}

// parts are the values inside of an object or an array by their step; a value that
// has none is one of its own.
func plainParts(v any) map[string]any {
	switch x := v.(type) {
	case map[string]any:
		all := make(map[string]any, len(x))
		for key, value := range x {
			all[auditlog.Step(key)] = value
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
func plainEqual(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		_, ok := b.(map[string]any)

		return ok
	case []any:
		_, ok := b.([]any)

		return ok
	case json.Number:
		y, ok := b.(json.Number)

		return ok && (x == y || auditlog.DecimalsEqual(string(x), string(y)))
	default:
		return a == b
	}
}

func plainText(value any) []byte {
	text, err := exactjson.Marshal(value, "")
	if err != nil {
		panic(err)
	}

	return text
}
