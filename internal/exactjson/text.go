// SPDX-License-Identifier: MPL-2.0

package exactjson

import (
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AppendString appends a text as Marshal writes it: with no more escapes than JSON asks
// for, and with U+2028 and U+2029 escaped.
func AppendString(to []byte, text string) []byte {
	if IsPlain(text) {
		return append(append(append(to, '"'), text...), '"')
	}

	if utf8.ValidString(text) && !hasSeparator(text) {
		if quoted, err := jsontext.AppendQuote(to, text); err == nil {
			return quoted
		}
	}

	quoted, err := Marshal(text, "")
	if err != nil {
		panic(err) // Every text can be written.
	}

	return append(to, quoted...)
}

// The classes of bytes in a text that is to stand between quotes.
const (
	classOther   = 1 << iota // of a character beyond ASCII
	classEscaped             // must be escaped
)

// classes has the class of each byte, zero of those that stand as they are.
var classes = func() (all [256]byte) {
	for c := range all {
		switch {
		case c < ' ', c == '"', c == '\\':
			all[c] = classEscaped
		case c >= utf8.RuneSelf:
			all[c] = classOther
		}
	}

	return all
}()

// classesIn returns the classes of the bytes of a text.
func classesIn[T string | []byte](text T) (found byte) {
	for i := range len(text) {
		found |= classes[text[i]]
	}

	return found
}

// IsPlain says whether a text stands in JSON as it is, between quotes.
func IsPlain(text string) bool {
	found := classesIn(text)

	return found == 0 || found == classOther && utf8.ValidString(text) && !hasSeparator(text)
}

// hasSeparator says whether a text has U+2028 or U+2029.
func hasSeparator(text string) bool {
	return strings.Contains(text, "\u2028") || strings.Contains(text, "\u2029")
}

// asWritten keeps every value as it is written, also one that readers disagree about.
var asWritten = jsonv2.JoinOptions(anyText, jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true))

// AppendCompact appends a JSON value without the white space between its parts, which stay
// as they are written. Its error is ErrSyntax.
func AppendCompact(to, text []byte) ([]byte, error) {
	compact, err := jsontext.AppendFormat(to, text, asWritten)
	if err != nil {
		return to, ErrSyntax
	}

	return compact, nil
}

// Whole says whether a text is one JSON value. An object in it may have a key twice.
func Whole(text []byte) bool { return jsontext.Value(text).IsValid(asWritten) }
