// SPDX-License-Identifier: MPL-2.0

package where

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Error says what is wrong with a condition and where. Of the condition it repeats
// only operators and the names of fields and functions that there are.
type Error struct {
	Place

	// Reason is one sentence without its full stop.
	Reason string
}

// Place is a character of a condition.
type Place struct {
	// Line and Column begin at 1; columns count characters, and the one after the
	// last stands for what is missing there.
	Line, Column int
	// Excerpt is the line at fault, with stars for what can be a value.
	Excerpt string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Pointer returns the excerpt with a caret under the character at fault.
func (p Place) Pointer() string { return Pointer(p.Excerpt, p.Column) }

// EvalError says that a condition could not be evaluated on an entry, and where
// in the condition. It holds nothing of the entry, and of the condition as little as
// an Error does.
type EvalError struct {
	// Place is the zero Place where it is not known.
	Place

	// Reason is one sentence without its full stop.
	Reason string
	// Advice is what to write instead, one sentence without its full stop.
	Advice string
}

func (e *EvalError) Error() string {
	at := ""
	if e.Line > 0 {
		at = fmt.Sprintf(" at line %d, column %d", e.Line, e.Column)
	}

	return fmt.Sprintf("the condition cannot be evaluated%s: %s", at, e.Reason)
}

// Pointer returns a line with a caret under one of its characters, and no more of a
// long one than fits on a screen.
func Pointer(line string, column int) string {
	const before, width = 40, 72

	if column < 1 {
		return line
	}

	runes := []rune(strings.ReplaceAll(line, "\t", " "))
	at := min(column-1, len(runes))
	from := max(at-before, 0)
	to := min(from+width, len(runes))
	head, tail := "", ""

	if from > 0 {
		head = "… "
	}

	if to < len(runes) {
		tail = " …"
	}

	return head + string(runes[from:to]) + tail + "\n" + strings.Repeat(" ", len([]rune(head))+at-from) + "^"
}

// source is a condition's text by lines, and how they are shown.
type source struct{ lines, shown [][]rune }

func newSource(text string) source {
	return source{lines: linesOf(text), shown: linesOf(withoutValues(text))}
}

func linesOf(text string) [][]rune {
	var lines [][]rune
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, []rune(strings.TrimSuffix(line, "\r")))
	}

	return lines
}

// withoutValues returns a condition in which every character of a string, of a
// comment, of a number and of a word that is not one of our own is a star. These can
// be values, and of a value nobody but Terraform knows whether it is sensitive: one
// that is put into a condition without quotes is a word, and one that holds a
// quotation mark ends its string early. Everything else is where it was. A string
// that does not end takes up the rest of its line.
func withoutValues(text string) string {
	return rewrite(text, hideWords, func(t token, part func(from, to int) string) string {
		return part(t.begin, t.from) + stars(part(t.from, t.to)) + part(t.to, t.end)
	})
}

var (
	visible = regexp.MustCompile(`[^\r\n]`)
	// word is what stands between signs of the syntax.
	word = regexp.MustCompile("[^ \t\r\n()\\[\\]{}<>=!&|+*/%?:.,`-]+")
)

// stars keeps the lines and their lengths.
func stars(text string) string { return visible.ReplaceAllString(text, "*") }

// hideWords hides the words that are not ours and all characters that are not part
// of the syntax.
func hideWords(text string) string {
	return word.ReplaceAllStringFunc(text, func(word string) string {
		if isOurs(word) {
			return word
		}

		return stars(word)
	})
}

// ourWords are all words that say nothing but what every condition may say: those of
// the syntax, and the names of functions and fields.
var ourWords = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}

	for _, words := range [][]string{
		{entryVariable},
		entryFieldNames(), changeFields, functionNames(),
		{"and", "or", "not", "AND", "OR", "NOT", "like"},
		{
			"as", "break", "const", "continue", "else", "false", "for", "function", "if",
			"import", "in", "let", "loop", "package", "namespace", "null", "return",
			"true", "var", "void", "while",
		},
		{"nil", "None", "undefined", "now"},
	} {
		for _, word := range words {
			all[word] = true
		}
	}

	return all
})

func isOurs(word string) bool { return ourWords()[word] }

// place is a character of a condition, both counted from 0.
type place struct{ line, column int }

func (p place) before(o place) bool {
	return p.line < o.line || p.line == o.line && p.column < o.column
}

// clamp keeps a place within the text. What is missing at the end is so behind the
// last character that is no space.
func (s source) clamp(p place) place {
	switch end := s.end(); {
	case p.line < 0:
		return s.start()
	case !p.before(end):
		return end
	default:
		return place{p.line, min(max(p.column, 0), len(s.lines[p.line]))}
	}
}

// end is behind the last character that is no space.
func (s source) end() place {
	for i, line := range slices.Backward(s.lines) {
		if text := strings.TrimRight(string(line), " \t"); text != "" {
			return place{i, len([]rune(text))}
		}
	}

	return place{}
}

// start is at the first character that is no space.
func (s source) start() place {
	for i, line := range s.lines {
		if text := strings.TrimLeft(string(line), " \t"); text != "" {
			return place{i, len(line) - len([]rune(text))}
		}
	}

	return place{}
}

// split returns what stands before a place on its line, and what from there on.
func (s source) split(p place) (before, after string) {
	return string(s.lines[p.line][:p.column]), string(s.lines[p.line][p.column:])
}

func (s source) error(p place, reason string) *Error {
	p = s.clamp(p)

	return &Error{Place{p.line + 1, p.column + 1, string(s.shown[p.line])}, reason}
}
