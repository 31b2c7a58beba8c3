// SPDX-License-Identifier: MPL-2.0

// Package screen makes texts fit to be shown. Every text that leaves the process
// for people goes through it: diagnostics, logs and what commands print.
//
// A server, a file or another account can put anything into a text, also what we
// had told it. So two things happen to every one:
//
//   - The secrets that the process holds are removed, in whatever way they are
//     encoded, and so are the user name and the password of any URL.
//   - Characters that are not seen, or that move what is seen, are written as
//     escapes: \u001b for one that would clear a terminal, \u202e for one that
//     would turn a line around.
//
// [Text] is for a value, which stays on one line. [Lines] is for a text that we
// have laid out ourselves: it keeps line breaks and tabs. Text is for whoever lays
// a text out, Lines for whoever hands one over; what has gone through one goes
// through the other unchanged.
package screen

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns a value on one line. Line breaks in it are escaped.
func Text(text string) string { return escape(conceal(text), "") }

// Lines returns a text that was laid out, with its line breaks and tabs.
func Lines(text string) string { return escape(conceal(text), "\n\t") }

// escape writes out what a screen would obey, hide or could not show, in the way
// of JSON: in a JSON text, nothing but the spelling changes.
func escape(text, kept string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || !safe(r) }) {
		return text
	}

	var b strings.Builder

	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])

		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case safe(r), strings.ContainsRune(kept, r):
			b.WriteRune(r)
		case strings.ContainsRune("\n\r\t", r):
			b.WriteString(map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}[r])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}

	return b.String()
}

// safe says that a character is seen as what it is. Controls, marks of direction,
// line separators, spaces without a width and what Unicode lets fonts leave out
// are not, and neither is a character that nobody has defined yet.
func safe(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Writer returns a writer that passes on what is written through Lines. Each call
// has to write whole texts: a secret in two pieces is not recognised.
func Writer(to io.Writer) io.Writer { return writer{to} }

type writer struct{ to io.Writer }

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, Lines(string(p))); err != nil {
		return 0, err //nolint:wrapcheck // A writer passes on what it got.
	}

	return len(p), nil
}
