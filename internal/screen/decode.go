// SPDX-License-Identifier: MPL-2.0

package screen

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
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
	if !strings.ContainsAny(v.text, `%\&`) && isASCII(v.text) {
		return v, false
	}

	return v.decodedBy(escapeAt)
}

// decodedMail takes off what mail has. It is a layer by itself, since base64 and queries
// have the same character.
func (v view) decodedMail() (view, bool) {
	if !strings.Contains(v.text, "=") {
		return v, false
	}

	return v.decodedBy(quotedPrintableAt)
}

// decodedBy replaces what escape returns the meaning and the length of.
func (v view) decodedBy(escape func(string) (string, int)) (view, bool) {
	first := 0

	for first < len(v.text) {
		if _, size := escape(v.text[first:]); size > 0 {
			break
		}

		first++
	}

	if first == len(v.text) {
		return v, false
	}

	out := view{from: make([]int, first, len(v.text)), to: make([]int, first, len(v.text))}
	decoded := append(make([]byte, 0, len(v.text)), v.text[:first]...)

	copy(out.from, v.from)
	copy(out.to, v.to)

	for i := first; i < len(v.text); {
		text, size := escape(v.text[i:])
		if size == 0 {
			text, size = v.text[i:i+1], 1
		}

		decoded = append(decoded, text...)

		for range len(text) {
			out.from, out.to = append(out.from, v.from[i]), append(out.to, v.to[i+size-1])
		}

		i += size
	}

	out.text = string(decoded)

	return out, true
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

	if text[0] < utf8.RuneSelf {
		return "", 0
	}

	// Letters of another width, and whatever else stands for a plain one.
	r, size := utf8.DecodeRuneInString(text)
	if plain := norm.NFKC.String(string(r)); r != utf8.RuneError && plain != text[:size] {
		return plain, size
	}

	return "", 0
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// quotedPrintableAt reads a byte as mail has it, or the end of a line that goes on.
func quotedPrintableAt(text string) (decoded string, size int) {
	if text[0] != '=' {
		return "", 0
	}

	for _, end := range []string{"=\r\n", "=\n"} {
		if strings.HasPrefix(text, end) {
			return "", len(end)
		}
	}

	if len(text) >= len("=00") && hexDigits.has(text[1]) && hexDigits.has(text[2]) {
		n, _ := hexAt(text, 1, 2)

		return byteText(n), len("=00")
	}

	return "", 0
}

func backslashAt(text string) (decoded string, size int) {
	if len(text) == 1 {
		return "", 0
	}

	switch text[1] {
	case '0', '1', '2', '3':
		if n, err := strconv.ParseUint(text[1:min(len(text), len(`\000`))], 8, 8); err == nil && len(text) >= len(`\000`) {
			return byteText(n), len(`\000`)
		}
	case 'u':
		if digits, _, ok := strings.Cut(strings.TrimPrefix(text, `\u{`), "}"); ok && strings.HasPrefix(text, `\u{`) &&
			len(digits) <= 6 {
			if n, ok := hexAt(digits, 0, len(digits)); ok {
				return runeText(n), len(`\u{}`) + len(digits)
			}
		}

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

// entityAt reads a character that HTML has a name or a number for, in whatever case.
func entityAt(text string) (decoded string, size int) {
	const longest = 10

	size = strings.IndexByte(text[:min(len(text), longest)], ';') + 1
	for _, entity := range []string{text[:size], strings.ToLower(text[:size])} {
		if decoded = html.UnescapeString(entity); decoded != entity {
			return decoded, size
		}
	}

	return "", 0
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

// joined leaves out what is not seen and what parts words: spaces, controls, what a
// terminal obeys, and what parts the digits of a byte from the next.
func (v view) joined() view {
	return v.without(func(text string) int {
		if size := sequenceAt(text); size > 0 {
			return size
		}

		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 || safe(r) && !unicode.IsSpace(r) && r != ':' && r != '-' {
			return 0
		}

		return size
	})
}

// unfolded leaves out the ends of lines.
func (v view) unfolded() view {
	return v.without(func(text string) int {
		if text[0] == '\n' || text[0] == '\r' {
			return 1
		}

		return 0
	})
}

// sequenceAt is the length of an escape sequence of terminals, 0 where there is none.
func sequenceAt(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 0
	}

	for i := len("\x1b["); i < len(text); i++ {
		if text[i] >= '@' && text[i] <= '~' {
			return i + 1
		}
	}

	return 0
}

// without leaves out what skip returns the length of.
func (v view) without(skip func(text string) int) view {
	out, _ := v.decodedBy(func(text string) (string, int) { return "", skip(text) })

	return out
}

// digits is a way to write bytes in digits.
type digits struct {
	// alphabet says of each byte whether it is a digit.
	alphabet [256]bool
	// decode reads whole groups of digits, and what it can of one that is not whole.
	decode func(text string) []byte
	// group is how many digits are how many whole bytes.
	group, bytes int
}

//nolint:gochecknoglobals // They are constants.
var (
	hexDigits = &digits{alphabet("0123456789abcdefABCDEF"), func(text string) []byte {
		decoded, _ := hex.DecodeString(text)

		return decoded
	}, 2, 1}
	base64Digits = &digits{alphabet(base64Alphabet + "+/-_"), func(text string) []byte {
		decoded, _ := base64.RawStdEncoding.DecodeString(standard.Replace(text))

		return decoded
	}, 4, 3}
)

// standard turns the digits of base64 for URLs into the other ones.
var standard = strings.NewReplacer("-", "+", "_", "/")

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func alphabet(chars string) (has [256]bool) {
	for _, char := range []byte(chars) {
		has[char] = true
	}

	return has
}

func (d *digits) has(char byte) bool { return d.alphabet[char] }

// least is how many digits the shortest secret has.
func (d *digits) least() int { return shortestWord * d.group / d.bytes }

// runs decodes each run of digits that is long enough, from each of the first digits on:
// nobody knows where the first whole byte begins.
func (v view) runs(d *digits) []view {
	var all []view

	for begin := 0; begin < len(v.text); {
		end := begin
		for end < len(v.text) && d.has(v.text[end]) {
			end++
		}

		if end-begin >= d.least() {
			for offset := range d.group {
				all = append(all, v.undigited(d, begin+offset, end))
			}
		}

		begin = end + 1
	}

	return all
}

// undigited decodes the digits from begin to end, and says of each byte which group it
// was made of.
func (v view) undigited(d *digits, begin, end int) view {
	decoded := d.decode(v.text[begin:end])
	out := view{text: string(decoded), from: make([]int, len(decoded)), to: make([]int, len(decoded))}

	for i := range decoded {
		first := begin + i/d.bytes*d.group
		out.from[i], out.to[i] = v.from[first], v.to[min(first+d.group, end)-1]
	}

	return out
}
