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

// Changes compares two states, each a JSON object or empty where there was none,
// and returns the values that differ, sorted by field. Objects and arrays are
// compared value by value; an empty one is a value of its own.
func Changes(before, after json.RawMessage) ([]Change, error) {
	old, err := flatten(before)
	if err != nil {
		return nil, fmt.Errorf("previous state: %w", err)
	}

	cur, err := flatten(after)
	if err != nil {
		return nil, fmt.Errorf("current state: %w", err)
	}

	var changes []Change

	for field, o := range old {
		n, ok := cur[field]

		switch {
		case !ok:
			changes = append(changes, Change{Field: field, Before: &o})
		case n != o:
			changes = append(changes, Change{Field: field, Before: &o, After: &n})
		}
	}

	for field, n := range cur {
		if _, ok := old[field]; !ok {
			changes = append(changes, Change{Field: field, After: &n})
		}
	}

	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Field, b.Field) })

	return changes, nil
}

// flatten returns the leaves of a JSON object by path. Absent and null count as
// no state at all.
func flatten(state json.RawMessage) (map[string]string, error) {
	leaves := map[string]string{}

	if len(bytes.TrimSpace(state)) == 0 {
		return leaves, nil
	}

	v, err := exactjson.Value(state)
	if err != nil {
		return nil, err
	}

	if v == nil {
		return leaves, nil
	}

	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}

	for key, value := range object {
		if err := flattenInto(leaves, step(key), value); err != nil {
			return nil, err
		}
	}

	return leaves, nil
}

func flattenInto(leaves map[string]string, path string, v any) error {
	switch x := v.(type) {
	case map[string]any:
		for key, value := range x {
			if err := flattenInto(leaves, path+"."+step(key), value); err != nil {
				return err
			}
		}

		if len(x) > 0 {
			return nil
		}
	case []any:
		for i, value := range x {
			if err := flattenInto(leaves, path+"."+strconv.Itoa(i), value); err != nil {
				return err
			}
		}

		if len(x) > 0 {
			return nil
		}
	}

	text, err := marshalExact(v)
	if err != nil {
		return err
	}

	leaves[path] = string(text)

	return nil
}

func step(key string) string {
	if key == "" || strings.ContainsAny(key, `."`) {
		return strconv.Quote(key)
	}

	return key
}

// marshalExact is json.Marshal without the escapes meant for HTML.
func marshalExact(v any) ([]byte, error) {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)

	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}

	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func changesText(e *Entry) string {
	if len(e.Changes) == 0 {
		return ""
	}

	text, err := marshalExact(e.Changes)
	if err != nil {
		// Every value was made by marshalExact, so it can be encoded again.
		panic(err)
	}

	return string(text)
}
