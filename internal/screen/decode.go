// SPDX-License-Identifier: MPL-2.0

package screen

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// view is a text as it is after some decoding, each of whose bytes knows which
// bytes of the text it was made of.
type view struct {
	text     string
	from, to []int
}

func viewOf(text string) view {
	v := view{text: text, from: make([]int, len(text)), to: make([]int, len(text))}
	for i := range len(text) {
		v.from[i], v.to[i] = i, i+1
	}

	return v
}

// decoded takes one layer of escapes off, of URLs, JSON, Go or HTML, and says
// whether there were any.
func (v view) decoded() (view, bool) {
	var (
		out     view
		b       strings.Builder
		changed bool
	)

	if !strings.ContainsAny(v.text, `%\&`) {
		return v, false
	}

	for i := 0; i < len(v.text); {
		text, size := escapeAt(v.text[i:])
		if size == 0 {
			text, size = v.text[i:i+1], 1
		} else {
			changed = true
		}

		b.WriteString(text)

		for range len(text) {
			out.from, out.to = append(out.from, v.from[i]), append(out.to, v.to[i+size-1])
		}

		i += size
	}

	out.text = b.String()

	return out, changed
}

// escapeAt returns what the escape at the beginning of a text stands for and how
// long it is, 0 where there is none.
func escapeAt(text string) (decoded string, size int) {
	switch text[0] {
	case '%':
		if n, ok := hexAt(text, 1, 2); ok {
			return byteText(n), len("%00")
		}
	case '\\':
		return backslashAt(text)
	case '&':
		return entityAt(text)
	}

	return "", 0
}

func backslashAt(text string) (decoded string, size int) {
	if len(text) == 1 {
		return "", 0
	}

	switch text[1] {
	case 'u':
		if n, ok := hexAt(text, 2, 4); ok {
			return runeText(n), len(`\u0000`)
		}
	case 'U':
		if n, ok := hexAt(text, 2, 8); ok && n <= utf8.MaxRune {
			return runeText(n), len(`\U00000000`)
		}
	case 'x':
		if n, ok := hexAt(text, 2, 2); ok {
			return byteText(n), len(`\x00`)
		}
	case '\\', '"', '\'', '/', '`':
		return text[1:2], len(`\\`)
	}

	return "", 0
}

// entities are the names that HTML has for characters.
var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

func entityAt(text string) (decoded string, size int) {
	const longest = 10

	end := strings.IndexByte(text[:min(len(text), longest)], ';')
	if end < 0 {
		return "", 0
	}

	name := strings.ToLower(text[1:end])
	if known, ok := entities[name]; ok {
		return known, end + 1
	}

	number, isNumber := strings.CutPrefix(name, "#")
	base := 10

	if hex, ok := strings.CutPrefix(number, "x"); ok {
		number, base = hex, 16
	}

	n, err := strconv.ParseUint(number, base, 32)
	if !isNumber || err != nil || n > utf8.MaxRune {
		return "", 0
	}

	return runeText(n), end + 1
}

func byteText(n uint64) string { return string([]byte{byte(n & 0xff)}) }

func runeText(n uint64) string { return string(rune(n & 0x1fffff)) }

// hexAt reads a hexadecimal number of that many digits.
func hexAt(text string, from, digits int) (uint64, bool) {
	if len(text) < from+digits {
		return 0, false
	}

	n, err := strconv.ParseUint(text[from:from+digits], 16, 64)

	return n, err == nil
}
