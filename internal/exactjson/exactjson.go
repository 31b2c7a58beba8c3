// SPDX-License-Identifier: MPL-2.0

// Package exactjson reads JSON as it is written, and writes it as it is. encoding/json takes a key in any
// case for the one that is meant, and of a key that is there twice the last, so
// that what it reads can differ from what everybody else does. Here keys match
// exactly, and an object that has a key twice is an error.
//
// Text that is not UTF-8 is accepted, as encoding/json does: what cannot be
// decoded becomes U+FFFD.
package exactjson

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// anyText accepts text that is not UTF-8.
var anyText = jsontext.AllowInvalidUTF8(true)

// ErrSyntax means that a text is not one whole JSON value.
var ErrSyntax = errors.New("it is not whole JSON")

// Unmarshal decodes one JSON value. Its errors hold no value: they are ErrSyntax,
// or say which key is there twice or has a value of another type.
func Unmarshal(data []byte, into any) error {
	return cleaned(data, jsonv2.Unmarshal(data, into, anyText))
}

// UnmarshalKnown is Unmarshal for objects that may have no other keys than those
// that are read.
func UnmarshalKnown(data []byte, into any) error {
	return cleaned(data, jsonv2.Unmarshal(data, into, anyText, jsonv2.RejectUnknownMembers(true)))
}

// Marshal is that of encoding/json, without the escapes meant for HTML. Where there is
// an indent, each value is on a line of its own, whose end is written, too.
func Marshal(v any, indent string) ([]byte, error) {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)

	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}

	if indent != "" {
		return b.Bytes(), nil
	}

	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Valid says whether a text is one JSON value that Value reads without an error.
func Valid(data []byte) bool { return jsontext.Value(data).IsValid(anyText) }

// Value decodes one JSON value into maps, slices, strings and booleans, and keeps
// numbers as they were written, each an encoding/json.Number.
func Value(data []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(data), anyText)

	v, err := value(d)
	if err == nil {
		if _, err = d.ReadToken(); errors.Is(err, io.EOF) {
			return v, nil
		}
	}

	return nil, cleaned(data, cmp.Or(err, ErrSyntax))
}

func value(d *jsontext.Decoder) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err //nolint:wrapcheck // The caller cleans it.
	}

	switch token.Kind() {
	case jsontext.KindNull:
		return nil, nil //nolint:nilnil // Null is a value here.
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	case jsontext.KindBeginArray:
		list := []any{}

		for d.PeekKind() != jsontext.KindEndArray {
			element, err := value(d)
			if err != nil {
				return nil, err
			}

			list = append(list, element)
		}

		_, err = d.ReadToken()

		return list, err //nolint:wrapcheck // As above.
	case jsontext.KindBeginObject:
		object := map[string]any{}

		for d.PeekKind() != jsontext.KindEndObject {
			key, err := d.ReadToken()
			if err != nil {
				return nil, err //nolint:wrapcheck // As above.
			}

			name := key.String() // The token is lost with the next one.

			if object[name], err = value(d); err != nil {
				return nil, err
			}
		}

		_, err = d.ReadToken()

		return object, err //nolint:wrapcheck // As above.
	default:
		return token.String(), nil
	}
}

// cleaned makes an error of the library one that may be shown. That the text is
// not whole comes first, since all else may be due to it.
func cleaned(data []byte, err error) error {
	if err == nil {
		return nil
	}

	if !Whole(data) {
		return ErrSyntax
	}

	duplicate, semantic := (*jsontext.SyntacticError)(nil), (*jsonv2.SemanticError)(nil)

	switch {
	case errors.As(err, &duplicate):
		return fmt.Errorf("%s is there twice", name(duplicate.JSONPointer))
	case !errors.As(err, &semantic):
		return errors.New("it cannot be read")
	case errors.Is(err, jsonv2.ErrUnknownName):
		return fmt.Errorf("%s is not known", name(semantic.JSONPointer))
	case semantic.Err != nil:
		return fmt.Errorf("%s cannot be read", name(semantic.JSONPointer))
	default:
		return fmt.Errorf("%s is a JSON %s", name(semantic.JSONPointer), kinds[semantic.JSONKind])
	}
}

var kinds = map[jsontext.Kind]string{
	jsontext.KindNull: "null", jsontext.KindFalse: "bool", jsontext.KindTrue: "bool", jsontext.KindString: "string",
	jsontext.KindNumber: "number", jsontext.KindBeginObject: "object", jsontext.KindBeginArray: "array",
}

// name returns the keys that lead to a place, two at most, since deeper ones can
// be somebody's own words.
func name(p jsontext.Pointer) string {
	const most = 2

	var keys []string

	for key := range p.Tokens() {
		if strings.Trim(key, "0123456789") != "" && len(keys) < most {
			keys = append(keys, key)
		}
	}

	if len(keys) == 0 {
		return "a part of it"
	}

	return strconv.Quote(strings.Join(keys, "."))
}
