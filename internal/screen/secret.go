// SPDX-License-Identifier: MPL-2.0

package screen

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Removed stands where a secret was.
const Removed = "(secret)"

// How many characters a secret has at least that is looked for inside of words and
// whatever its case, and just as it is, as a word of its own. Shorter ones are words
// that occur anyhow, and the holes that they would leave would show them.
const (
	shortestPart = 8
	shortestWord = 6
)

// held are the secrets of this process. They are kept for all of it: whoever reads
// a text does not know through which client its parts have come.
//
//nolint:gochecknoglobals // See above.
var held struct {
	sync.RWMutex

	secrets  []string
	patterns []pattern
}

// Secret has values removed from all texts from now on: tokens, passwords, keys.
func Secret(values ...string) {
	held.Lock()
	defer held.Unlock()

	for _, value := range values {
		for _, secret := range []string{value, strings.TrimSpace(value)} {
			if utf8.RuneCountInString(strings.TrimSpace(secret)) < shortestWord || slices.Contains(held.secrets, secret) {
				continue
			}

			held.secrets = append(held.secrets, secret)
			held.patterns = append(held.patterns, patternsOf(secret)...)
		}
	}
}

// Login has a password removed, and what a Basic authorization makes of it and the
// name. The name is no secret.
func Login(name, password string) {
	if password != "" {
		Secret(password, name+":"+password)
	}
}

// pattern is a spelling of a secret, in lower case as far as that is ASCII.
type pattern struct {
	text string
	// joined is the text in the form in which texts are searched that were joined.
	joined string
	// word says that it counts only where it stands alone, in this very case.
	word bool
}

// patternsOf returns what to look for in a text that has been decoded. Host names,
// which are written in lower case, are a reason for ignoring case.
func patternsOf(secret string) []pattern {
	word := utf8.RuneCountInString(secret) < shortestPart
	texts := []string{
		secret,
		strings.ToValidUTF8(secret, string(utf8.RuneError)), // As JSON has it.
		strings.ReplaceAll(secret, " ", "+"),                // As forms have it.
	}

	if !word {
		texts = append(texts, strings.ToLower(secret), strings.ToUpper(secret), reversed(secret))
	}

	var all []pattern

	for _, text := range texts {
		if !word {
			text = lower(text)
		}

		if p := (pattern{text, viewOf(text).joined().text, word}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}

	return all
}

// conceal takes out secrets and the userinfo of URLs.
func conceal(text string) string { return withoutUserinfo(withoutSecrets(text)) }

// HasSecret says that a text holds a secret of the process, in whatever way it is
// encoded. Who takes a text apart before it is shown asks first: of a part, nobody
// can tell.
func HasSecret(text string) bool { return withoutSecrets(text) != text }

// span is a part of a text, counted in bytes.
type span struct{ from, to int }

// withoutSecrets takes out secrets however they are encoded: the text is decoded
// again and again, in every way, and looked through each time.
func withoutSecrets(text string) string {
	held.RLock()
	defer held.RUnlock()

	if len(held.patterns) == 0 {
		return text
	}

	found := secretsIn(viewOf(text), mostEncodings)
	if len(found) == 0 {
		return text
	}

	for i := range found {
		for found[i].to < len(text) && text[found[i].to] == '=' { // What fills base64 up.
			found[i].to++
		}
	}

	// What was removed before is no text to look for a secret in.
	return replaced(text, append(found, occurrences(text, Removed)...))
}

// mostEncodings bounds how many encodings are taken off each other.
const mostEncodings = 4

// secretsIn returns where the text that a view is of holds secrets. The caller holds the
// lock.
func secretsIn(v view, encodings int) []span {
	found := v.secrets(held.patterns, false)

	// What is not seen, or only parts words from each other, can be put into a secret.
	if j := v.joined(); len(j.text) < len(v.text) {
		found = append(found, j.secrets(held.patterns, true)...)

		if encodings > 0 {
			found = append(found, secretsInRuns(j, hexDigits, encodings)...)
			found = append(found, secretsInRuns(v.unfolded(), base64Digits, encodings)...)
		}
	}

	if encodings == 0 {
		return found
	}

	for _, decoded := range []func() (view, bool){v.decoded, v.decodedMail} {
		if d, changed := decoded(); changed {
			found = append(found, secretsIn(d, encodings-1)...)
		}
	}

	found = append(found, secretsInRuns(v, base64Digits, encodings)...)

	return append(found, secretsInRuns(v, hexDigits, encodings)...)
}

// secretsInRuns returns where runs of digits stand for secrets.
func secretsInRuns(v view, digits *digits, encodings int) []span {
	var found []span

	for _, d := range v.runs(digits) {
		if d.isText() {
			found = append(found, secretsIn(d, encodings-1)...)
		} else { // It was decoded from the wrong digit on, or is no text of any kind.
			found = append(found, d.secrets(held.patterns, false)...)
		}
	}

	return found
}

// secrets returns where the patterns are. In a text that was joined, words cannot be told.
func (v view) secrets(patterns []pattern, joined bool) []span {
	var found []span

	folded := lower(v.text)

	for _, p := range patterns {
		in, text := folded, p.text

		switch {
		case p.word && joined:
			continue
		case p.word:
			in = v.text
		case joined:
			text = p.joined
		}

		for _, at := range occurrences(in, text) {
			if text != "" && (!p.word || alone(in, at)) {
				found = append(found, span{v.from[at.from], v.to[at.to-1]})
			}
		}
	}

	return found
}

// isText says that most of it can be read, so that it can be decoded once more.
func (v view) isText() bool {
	odd := 0

	for _, b := range []byte(v.text) {
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' || b >= utf8.RuneSelf {
			odd++
		}
	}

	const few = 4

	return odd*few <= len(v.text)
}

func reversed(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)

	return string(runes)
}

// replaced puts Removed in the place of the parts, which may overlap.
func replaced(text string, parts []span) string {
	slices.SortFunc(parts, func(a, b span) int { return cmp.Or(a.from-b.from, a.to-b.to) })

	var b strings.Builder

	done := 0

	for i := 0; i < len(parts); {
		whole := parts[i]
		for i < len(parts) && parts[i].from <= whole.to {
			whole.to = max(whole.to, parts[i].to)
			i++
		}

		b.WriteString(text[done:whole.from])
		b.WriteString(Removed)

		done = whole.to
	}

	return b.String() + text[done:]
}

// occurrences are the places where a text holds another one.
func occurrences(text, part string) []span {
	var all []span

	for from := 0; ; {
		i := strings.Index(text[from:], part)
		if i < 0 {
			return all
		}

		all = append(all, span{from + i, from + i + len(part)})
		from += i + 1
	}
}

// alone says that what stands there is no part of a longer word.
func alone(text string, at span) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at.from])
	after, _ := utf8.DecodeRuneInString(text[at.to:])

	continued := at.from > 0 && isWord(before) && isWord(rune(text[at.from])) ||
		at.to < len(text) && isWord(after) && isWord(rune(text[at.to-1]))

	return !continued
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= utf8.RuneSelf
}

// lower is strings.ToLower for ASCII alone, so that no text changes its length.
func lower(text string) string {
	folded := []byte(text)
	for i, b := range folded {
		if b >= 'A' && b <= 'Z' {
			folded[i] = b + 'a' - 'A'
		}
	}

	return string(folded)
}
