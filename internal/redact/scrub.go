// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	// scrubLength is how long a redacted value must be to be looked for inside
	// others: "ci" is part of too many words.
	scrubLength = 4

	// maxScrubbed and maxScrubbedBytes bound what a redaction remembers.
	maxScrubbed      = 1_000_000
	maxScrubbedBytes = 64 << 20
)

// ErrTooManyValues means that a redaction would have to remember too much.
var ErrTooManyValues = fmt.Errorf("redaction would have to remember more than %d values, or %d MiB of them, to take each out of every entry",
	maxScrubbed, maxScrubbedBytes>>20)

// ErrLateValue means that something to redact was met only while writing.
var ErrLateValue = errors.New("a value to redact came that had not come when the log was read before, so that what is written already may hold it")

// commonKinds are the words for kinds that clouds document or that are ours. They
// name nobody. So a token that somebody calls "server" takes no kind away, and
// neither does the actor "upcloud" the origin "upcloud_internal". See
// design/api-facts.md §1.5, §2.3 and §3.
var commonKinds = []string{
	"account", "api", "api_token", "auth", "basic_auth", "gui", "init-script", "managed-database", "managed-loadbalancer",
	"managed-loadbalancer-certificate-bundle", "managed-object-storage", "network", "network-gateway", "organization",
	"pod", "pods",
	"project", "projects", "server", "server_volume", "ssh key", "ssh keys", "ssh-key", "storage", "token", "uks",
	"upcloud_internal",
	"user", "virtual machines", "volume",
}

// CommonKind says whether a kind is one that no redaction of other fields touches.
func CommonKind(value string) bool { return slices.Contains(commonKinds, strings.ToLower(value)) }

// Scrubber redacts the entries of one reading. What a rule takes out of one entry
// it takes out of all of them, whatever their order, wherever no other rule speaks
// of the field:
//
//   - A text that is a redacted value, whatever its case, is treated as that value
//     is. Where several rules have redacted it, the first in the order of the
//     entry's fields counts.
//   - A text that merely contains a redacted value of four or more characters is
//     dropped.
//
// That holds for kinds as well unless they are common. Texts are compared in their
// canonical form and with their case folded, addresses also as numbers.
//
// An entry must have been learned before another one that holds its values is
// applied. So entries are held back, or read twice. A nil Scrubber changes nothing.
// It is not safe for use by several goroutines.
type Scrubber struct {
	r *Redactor
	// known are the redacted values by everything that counts as the same.
	known map[string]secret
	bytes int
	parts parts
	fold  cases.Caser
}

// secret is a value that was redacted, and how.
type secret struct {
	value string
	by    *treatment
	// part says that it is looked for inside of others.
	part bool
}

// Scrubber returns a scrubber that has not learned anything yet, nil where nothing
// is redacted.
func (r *Redactor) Scrubber() *Scrubber {
	if !r.Active() {
		return nil
	}

	return &Scrubber{r: r, known: map[string]secret{}, fold: cases.Fold()}
}

// LearnAll learns every entry of a reading, which has to be proven by its end. It
// reads nothing where there can be nothing to learn.
func (s *Scrubber) LearnAll(entries iter.Seq2[auditlog.Entry, error], c *auditlog.Completeness) error {
	if s == nil || !s.r.spreads {
		return nil
	}

	for e, err := range entries {
		if err != nil {
			return err
		}

		if err := s.Learn(&e); err != nil {
			return err
		}
	}

	if c.Proof == "" {
		return fmt.Errorf("%w: it ended without a statement", auditlog.ErrIncomplete)
	}

	return nil
}

// Learn takes note of what will be taken out of the entry. The error is
// ErrTooManyValues.
func (s *Scrubber) Learn(e *auditlog.Entry) error {
	s.learn(e)

	if s != nil && (len(s.known) > maxScrubbed || s.bytes > maxScrubbedBytes) {
		return ErrTooManyValues
	}

	return nil
}

// Statement is that of the rules; nil where nothing is redacted.
func (s *Scrubber) Statement() *Statement {
	if s == nil {
		return nil
	}

	return s.r.Statement()
}

// Learned is how many spellings are known.
func (s *Scrubber) Learned() int {
	if s == nil {
		return 0
	}

	return len(s.known)
}

func (s *Scrubber) learn(e *auditlog.Entry) {
	if s == nil || !s.r.spreads {
		return
	}

	for i := range s.r.fields {
		t := s.r.treatment(i, e)
		if !t.spreads() {
			continue
		}

		value := *t.of(e)
		if known := s.known[value]; value == "" || known.by == t && known.value == value {
			continue
		}

		value = strings.Clone(value) // It may be a small part of a large page.
		s.note(value, secret{value: value, by: t})

		for _, form := range s.forms(value) {
			// A form can be shorter than the value, as ::1 is.
			part := min(utf8.RuneCountInString(value), utf8.RuneCountInString(form)) >= scrubLength
			s.note(form, secret{value: value, by: t, part: part})
		}
	}
}

// note makes a secret known by a spelling. Where several have the same, the one
// that comes first in the order of fields counts, then the one that is spelled just
// so, then the smallest: none of that depends on the order in which they come.
func (s *Scrubber) note(spelling string, found secret) {
	old, ok := s.known[spelling]
	if !ok {
		s.bytes += len(spelling)
	}

	if found.part && !old.part {
		s.parts.add(spelling)
	}

	found.part = found.part || old.part

	if ok && (old.by.rank < found.by.rank || old.by.rank == found.by.rank &&
		(old.value == spelling || found.value != spelling && old.value < found.value)) {
		found.value, found.by = old.value, old.by
	}

	s.known[spelling] = found
}

// forms returns what a text is compared by: in lower case, in canonical form, and
// as an address.
func (s *Scrubber) forms(text string) []string {
	lower := strings.ToLower(text)
	forms := []string{lower}

	if strings.ContainsFunc(lower, func(r rune) bool { return r >= utf8.RuneSelf }) {
		forms = append(forms, norm.NFD.String(s.fold.String(norm.NFD.String(lower))))
	}

	if a, ok := auditlog.AddressOf(text); ok {
		forms = append(forms, a.String())
	}

	return forms
}

// Apply returns the entry without what the rules take away, and without what they
// took out of the entries that were learned. It does not change the one it is
// given. Filters look at entries before this, counts after it.
func (s *Scrubber) Apply(e auditlog.Entry) auditlog.Entry {
	if s == nil {
		return e
	}

	out := e

	for i := range s.r.fields {
		t := s.r.treatment(i, &e)

		switch text := t.of(&out); {
		case *text == "":
		case t.mode != Keep:
			*text = s.form(t, *text)
		case !t.named && (!t.kind || !CommonKind(*text)):
			*text = s.scrub(*text)
		}
	}

	if s.r.dropsCarrier(auditlog.FieldChanges) {
		out.Changes = nil
	}

	if s.r.dropsCarrier(auditlog.FieldRaw) {
		out.Raw = nil
	}

	return out
}

// Text returns what is left of a text that belongs to no field, such as the address of a resource.
func (s *Scrubber) Text(text string) string {
	if s == nil {
		return text
	}

	return s.scrub(text)
}

// form returns what takes the place of a value. The domain that a mask leaves may
// be a redacted name in its own right.
func (s *Scrubber) form(t *treatment, value string) string {
	text := s.r.form(t, value)
	if t.mode == Mask && t.name != auditlog.FieldIPAddress && slices.ContainsFunc(s.forms(text), s.parts.in) {
		return Masked
	}

	return text
}

// scrub returns what is left of a text that no rule speaks of.
func (s *Scrubber) scrub(text string) string {
	if found, ok := s.known[text]; ok {
		return s.form(found.by, found.value)
	}

	forms := s.forms(text)

	for _, form := range forms {
		if found, ok := s.known[form]; ok {
			return s.form(found.by, found.value)
		}
	}

	if slices.ContainsFunc(forms, s.parts.in) {
		return ""
	}

	return text
}

// parts are texts of at least scrubLength bytes that are looked for inside of
// others, many in many.
type parts struct {
	fresh []string
	// sorted holds no text that begins with another, so that only the last one not
	// beyond a text can be the beginning of it.
	sorted []string
	// begins has a bit for the first scrubLength bytes of every part. Most places of
	// a text are no beginning of any, and are passed over by it.
	begins []uint64
}

func (p *parts) add(text string) { p.fresh = append(p.fresh, text) }

// in says whether the text contains any of the parts.
func (p *parts) in(text string) bool {
	p.settle()

	for ; len(text) >= scrubLength && len(p.sorted) > 0; text = text[1:] {
		if bit := p.bit(text); p.begins[bit/64]>>(bit%64)&1 == 0 {
			continue
		}

		i, whole := slices.BinarySearch(p.sorted, text)
		if whole || i > 0 && strings.HasPrefix(text, p.sorted[i-1]) {
			return true
		}
	}

	return false
}

// settle takes in what was added.
func (p *parts) settle() {
	if len(p.fresh) == 0 {
		return
	}

	p.sorted = append(p.sorted, p.fresh...)
	p.fresh = nil
	slices.Sort(p.sorted)

	kept := p.sorted[:1]

	for _, text := range p.sorted[1:] {
		if !strings.HasPrefix(text, kept[len(kept)-1]) {
			kept = append(kept, text)
		}
	}

	clear(p.sorted[len(kept):])
	p.sorted = kept

	// Sixteen bits a part keep the filter sparse; it is a power of two.
	words := 1
	for words*4 < len(p.sorted) {
		words *= 2
	}

	p.begins = make([]uint64, words)

	for _, text := range p.sorted {
		bit := p.bit(text)
		p.begins[bit/64] |= 1 << (bit % 64)
	}
}

// bit is the place of a text's beginning in the filter.
func (p *parts) bit(text string) int {
	const golden = 2654435769 // 2^32 divided by the golden ratio, which spreads.

	begin := uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24
	h := begin * golden

	return int(h^h>>15) & (len(p.begins)*64 - 1)
}
