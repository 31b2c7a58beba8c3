// SPDX-License-Identifier: MPL-2.0

// Package explain says in words of users what went wrong, or what a result does not show. Every text that the
// provider and the command have in common is here; each of them decides how it is printed.
package explain

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// What was being done, for summaries.
const (
	CheckQuery         = "Check the query"
	CheckConfiguration = "Check the configuration"
	ConfigureProvider  = "Configure the audit provider"
	ExportLogs         = "Export audit logs"
	ArchiveLogs        = "Archive audit logs"
	EvaluateRules      = "Evaluate audit log rules"
)

// The variables of the environment that hold keys.
const (
	RedactionKeyEnv = "AUDIT_REDACTION_KEY"
	SigningKeyEnv   = "AUDIT_SIGNING_KEY"
	PreviousKeyEnv  = "AUDIT_PREVIOUS_SIGNING_KEY"
)

// Problem is an error or a warning as users see it: a summary in their words, a
// cause, facts one a line, and what to do next. Every diagnostic of the provider
// is made of one, so that all of them read alike.
//
//nolint:errname // It is an error only where a function has to return one.
type Problem struct {
	// Summary is what was being done: at most 60 characters, no full stop.
	Summary string
	// Cause is one sentence.
	Cause Text
	facts []fact
	// Excerpt is lines of the user's own that are shown as they are.
	Excerpt string
	// Next is one sentence.
	Next Text
	// Place is the argument at fault, nil where none is.
	Place Place
	// Warning says that it is no error.
	Warning bool
	secret  bool
}

type fact struct {
	key   Text
	value string
}

// Place is an argument by its name, and what inside of it: an int is the index of an
// element, a Key that of a map, and a string the name of a part.
type Place []any

// Key is a key of a map.
type Key string

// Argument is a place.
func Argument(name string) Place { return Place{name} }

// Index is an element of what is at the place.
func (p Place) Index(i int) Place { return append(slices.Clip(p), i) }

// Key is an element of the map that is at the place.
func (p Place) Key(key string) Place { return append(slices.Clip(p), Key(key)) }

// Part is a part of the object that is at the place.
func (p Place) Part(name string) Place { return append(slices.Clip(p), name) }

// Problems are errors and warnings in the order in which they were found.
type Problems []Problem

// HasError says whether one of them is no warning.
func (ps *Problems) HasError() bool {
	return slices.ContainsFunc(*ps, func(p Problem) bool { return !p.Warning })
}

// Add adds problems.
func (ps *Problems) Add(more ...Problem) { *ps = append(*ps, more...) }

// AddNew adds those problems that are not among them yet, as several logs may have the same.
func (ps *Problems) AddNew(more ...Problem) {
	for _, p := range more {
		same := func(o Problem) bool {
			return o.Summary == p.Summary && o.Error() == p.Error() && o.Warning == p.Warning && slices.Equal(o.Place, p.Place)
		}
		if !slices.ContainsFunc(*ps, same) {
			ps.Add(p)
		}
	}
}

// With adds a fact unless it has no value.
func (p Problem) With(key Text, value string) Problem {
	if value != "" {
		p.facts = append(slices.Clip(p.facts), fact{key, value})
	}

	return p
}

// At says which argument is at fault.
func (p Problem) At(place Place) Problem {
	if !p.secret {
		p.Place = place
	}

	return p
}

// OfSecret keeps the problem away from every argument: Terraform shows the line of the
// configuration that one is written in.
func (p Problem) OfSecret() Problem {
	p.Place, p.secret = nil, true

	return p
}

// AsWarning makes a warning of it.
func (p Problem) AsWarning() Problem {
	p.Warning = true

	return p
}

// Detail is In for Terraform.
func (p Problem) Detail() string { return p.In(Terraform) }

// In lays the problem out in somebody's words. A value can hold anything, line breaks
// included, by which it could pass for another fact: each part is made fit to be shown
// before.
func (p Problem) In(words Words) string {
	parts := []string{screen.Text(p.Cause.In(words))}

	if len(p.facts) > 0 {
		lines := make([]string, 0, len(p.facts))
		for _, f := range p.facts {
			lines = append(lines, screen.Text(f.key.In(words))+": "+screen.Text(f.value))
		}

		parts = append(parts, strings.Join(lines, "\n"))
	}

	if p.Excerpt != "" {
		// Terraform breaks no line that begins with a space.
		parts = append(parts, "    "+strings.ReplaceAll(screen.Lines(p.Excerpt), "\n", "\n    "))
	}

	if p.Next != "" {
		parts = append(parts, screen.Text(p.Next.In(words)))
	}

	return strings.Join(parts, "\n\n")
}

// Error implements error.
func (p Problem) Error() string { return strings.TrimSuffix(p.Detail(), ".") }

// Sentence makes a Go error's text fit to begin and to end a sentence. What is no
// word, such as a file's name or an address, is written as it is.
func Sentence(text string) Text {
	text = strings.TrimRight(text, ".")
	if text == "" {
		return "The reason is unknown."
	}

	word, _, _ := strings.Cut(text, " ")
	word = strings.TrimRight(word, ",:;")

	isNoLetter := func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '\'' }
	if first, size := utf8.DecodeRuneInString(text); !strings.ContainsFunc(word, isNoLetter) {
		text = string(unicode.ToUpper(first)) + text[size:]
	}

	return Plain(text) + "."
}

// Shown quotes a text of a log or of a file, no more of it than is bearable.
func Shown(value string) string {
	const limit = 80

	value = screen.Lines(value) // Nothing is cut before secrets are removed.
	if runes := []rune(value); len(runes) > limit {
		value = string(runes[:limit]) + "…"
	}

	return strconv.Quote(value)
}

// oneLine returns a text of the configuration without line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
