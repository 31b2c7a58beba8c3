// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// encode spells a value as JSON without escaping <, > and &, as the vendors' records show them.
func encode(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("fakeapi: " + err.Error()) // the callers pass plain structs, maps and texts
	}
	return bytes.Clone(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// quote spells a text as JSON.
func quote(s string) string { return string(encode(s)) }

// fields are the top-level keys of a record, matched exactly (encoding/json would ignore their case).
type fields map[string]json.RawMessage

func parseFields(raw json.RawMessage) (fields, error) {
	var f fields
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("the record is not a JSON object: %w", err)
	}
	if f == nil {
		return nil, errors.New("the record is not a JSON object: null")
	}
	return f, nil
}

// text is a string field; absent and null are the empty string.
func (f fields) text(key string) (string, error) {
	raw, ok := f[key]
	if !ok {
		return "", nil
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%q is not a string", key)
	}
	if s == nil {
		return "", nil
	}
	return *s, nil
}

// instant is an RFC 3339 field, which must be there: rows are ordered or filtered by it.
func (f fields) instant(key string) (time.Time, error) {
	s, err := f.text(key)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not an RFC 3339 time: %q", key, s)
	}
	return t, nil
}

// must is what a parser makes of a record that was parsed or made here before, or that a test gives. It panics on one
// that cannot be served.
func must[T any](raw json.RawMessage, parse func(json.RawMessage) (T, error)) T {
	r, err := parse(raw)
	if err != nil {
		panic("fakeapi: " + err.Error())
	}
	return r
}

// nanos orders instants; those beyond the counter's range (1678 to 2262) count as its ends.
func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y < 1700:
		return math.MinInt64
	case y > 2200:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// withValue replaces the value of a top-level key and leaves every other byte of raw alone.
func withValue(raw json.RawMessage, key, value string) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return raw
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return raw
		}
		var old json.RawMessage
		if err := dec.Decode(&old); err != nil {
			return raw
		}
		if name == key {
			end := dec.InputOffset()
			out := bytes.Clone(raw[:end-int64(len(old))])
			return append(append(out, value...), raw[end:]...)
		}
	}
	return raw
}

// join puts records into a JSON array, byte for byte.
func join(out []byte, rows []json.RawMessage) []byte {
	size := 2
	for _, raw := range rows {
		size += len(raw) + 1
	}
	out = append(slices.Grow(out, size), '[')
	for i, raw := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, raw...)
	}
	return append(out, ']')
}
