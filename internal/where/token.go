// SPDX-License-Identifier: MPL-2.0

package where

import (
	"slices"
	"strings"
)

// token is a string or a comment in a condition.
type token struct {
	// begin is where it begins, with the letters and the quotation mark that open a
	// string; from and to are what is inside, and end is behind it. All count
	// characters.
	begin, from, to, end int
	comment              bool
}

// tokensOf finds the strings and the comments of a condition, whether it compiles or
// not, as the grammar of CEL defines them
// (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax).
func tokensOf(text string) []token {
	var (
		all   []token
		chars = []rune(text)
	)

	for i := 0; i < len(chars); i++ {
		var t token

		switch {
		case chars[i] == '"' || chars[i] == '\'':
			t = stringAt(chars, i)
		case chars[i] == '/' && i+1 < len(chars) && chars[i+1] == '/':
			end := i + 2
			for end < len(chars) && chars[end] != '\n' {
				end++
			}

			t = token{begin: i, from: i + 2, to: end, end: end, comment: true}
		default:
			continue
		}

		all = append(all, t)
		i = t.end - 1
	}

	return all
}

// rewrite returns a text with what is made of its strings and comments, and of what
// stands between them.
func rewrite(
	text string, between func(string) string, inside func(t token, part func(from, to int) string) string,
) string {
	var b strings.Builder

	chars := []rune(text)
	part := func(from, to int) string { return string(chars[from:to]) }
	done := 0

	for _, t := range tokensOf(text) {
		b.WriteString(between(part(done, t.begin)) + inside(t, part))

		done = t.end
	}

	return b.String() + between(part(done, len(chars)))
}

// stringAt is the string whose quotation mark is at i.
func stringAt(chars []rune, i int) token {
	t := token{begin: i}

	// A string can be of bytes, and have no escapes: b"", r"", br"", whatever the case.
	for t.begin > 0 && strings.ContainsRune("bBrR", chars[t.begin-1]) && i-t.begin < 2 {
		t.begin--
	}

	if t.begin > 0 && isWordChar(chars[t.begin-1]) {
		t.begin = i // The letters are the end of a word.
	}

	raw := slices.ContainsFunc(chars[t.begin:i], func(r rune) bool { return r == 'r' || r == 'R' })

	quote := chars[i : i+1]
	if long := chars[i:min(i+3, len(chars))]; len(long) == 3 && long[1] == quote[0] && long[2] == quote[0] {
		quote = long
	}

	t.from = i + len(quote)

	for at := t.from; at < len(chars); at++ {
		switch {
		case chars[at] == '\\' && !raw:
			at++
		case len(quote) == 1 && chars[at] == '\n':
			t.to, t.end = at, at

			return t
		case slices.Equal(chars[at:min(at+len(quote), len(chars))], quote):
			t.to, t.end = at, at+len(quote)

			return t
		}
	}

	t.to, t.end = len(chars), len(chars)

	return t
}

func isWordChar(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}
