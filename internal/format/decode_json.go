// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// setText sets a field to what Field.Text returned for it.
func setText(e *auditlog.Entry, f *auditlog.Field, text string) error {
	switch f.Kind {
	case auditlog.KindTime:
		t, err := time.Parse(auditlog.TimeLayout, text)
		if err != nil || auditlog.FormatTime(t) != text {
			return errors.New("not a time in UTC with microseconds")
		}

		e.Time = t.UTC()
	case auditlog.KindChanges:
		p := lineParser{rest: []byte(text)}

		changes, err := p.changes()
		if err == nil {
			err = p.end()
		}

		e.Changes = changes

		return err
	case auditlog.KindRaw:
		raw := json.RawMessage(text)
		if !isObject(raw) || !json.Valid(raw) {
			return errRaw
		}

		e.Raw = raw
	default:
		*f.At(e) = text
	}

	return nil
}

// lineParser reads what jsonEncoder writes and nothing else: the keys in their
// order, each once, and no white space. encoding/json would take keys in any
// case, the last of two, and none at all.
type lineParser struct {
	fields []auditlog.Field
	keys   []string // with what comes before and behind: `{"id":`, `,"time":`

	rest []byte
}

func newLineParser(fields []auditlog.Field) *lineParser {
	p := &lineParser{fields: fields}

	for i := range fields {
		before := ","
		if i == 0 {
			before = "{"
		}

		p.keys = append(p.keys, before+`"`+fields[i].Name+`":`)
	}

	return p
}

// parse fills e from a line without its end. No part of line is kept.
func (p *lineParser) parse(line []byte, e *auditlog.Entry) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8")
	}

	p.rest = line

	for i := range p.fields {
		if err := p.expect(p.keys[i]); err != nil {
			return err
		}

		if err := p.value(&p.fields[i], e); err != nil {
			return fmt.Errorf("%s: %w", p.fields[i].Name, err)
		}
	}

	if err := p.expect("}"); err != nil {
		return err
	}

	return p.end()
}

func (p *lineParser) value(f *auditlog.Field, e *auditlog.Entry) error {
	if p.skip("null") {
		if f.Kind == auditlog.KindTime {
			return errors.New("there is none")
		}

		return nil
	}

	var err error

	switch f.Kind {
	case auditlog.KindChanges:
		e.Changes, err = p.changes()

		return err
	case auditlog.KindRaw:
		e.Raw, err = p.record()

		return err
	default:
		text, err := p.text()
		if err != nil {
			return err
		}

		return setText(e, f, text)
	}
}

func (p *lineParser) skip(literal string) bool {
	rest, found := bytes.CutPrefix(p.rest, []byte(literal))
	p.rest = rest

	return found
}

func (p *lineParser) expect(literal string) error {
	if !p.skip(literal) {
		return fmt.Errorf("%s is not where it has to be", literal)
	}

	return nil
}

func (p *lineParser) end() error {
	if len(p.rest) > 0 {
		return errors.New("there is more than belongs there")
	}

	return nil
}

var errNoText = errors.New("not a text")

// text reads a string.
func (p *lineParser) text() (string, error) {
	n, plain := stringLength(p.rest)
	if n == 0 {
		return "", errNoText
	}

	literal := p.rest[:n]
	p.rest = p.rest[n:]

	if plain {
		return string(literal[1 : n-1]), nil
	}

	var text string
	if err := json.Unmarshal(literal, &text); err != nil {
		return "", errNoText
	}

	return text, nil
}

// stringLength returns how long the string is that b begins with, its quotes
// included, 0 when there is none, and whether it stands for itself.
func stringLength(b []byte) (n int, plain bool) {
	if len(b) == 0 || b[0] != '"' {
		return 0, false
	}

	plain = true

	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			plain = false
		}
	}

	return 0, false
}

// record reads an object and returns a copy.
func (p *lineParser) record() (json.RawMessage, error) {
	if !bytes.HasPrefix(p.rest, []byte("{")) {
		return nil, errRaw
	}

	var raw json.RawMessage

	d := json.NewDecoder(bytes.NewReader(p.rest))
	if d.Decode(&raw) != nil {
		return nil, errRaw
	}

	p.rest = p.rest[d.InputOffset():]

	return raw, nil
}

// changes reads a list that is not empty.
func (p *lineParser) changes() ([]auditlog.Change, error) {
	if err := p.expect("["); err != nil {
		return nil, err
	}

	for changes := []auditlog.Change{}; ; {
		c, err := p.change()
		if err != nil {
			return nil, err
		}

		changes = append(changes, c)

		if p.skip("]") {
			return changes, nil
		}

		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

func (p *lineParser) change() (auditlog.Change, error) {
	field, err := after(p, `{"field":`, p.text)
	if err != nil {
		return auditlog.Change{}, err
	}

	old, err := after(p, `,"before":`, p.optional)
	if err != nil {
		return auditlog.Change{}, err
	}

	cur, err := after(p, `,"after":`, p.optional)
	if err != nil {
		return auditlog.Change{}, err
	}

	return auditlog.Change{Field: field, Before: old, After: cur}, p.expect("}")
}

// after reads what follows a literal.
func after[T any](p *lineParser, literal string, read func() (T, error)) (value T, err error) {
	if err := p.expect(literal); err != nil {
		return value, err
	}

	return read()
}

func (p *lineParser) optional() (*string, error) {
	if p.skip("null") {
		return nil, nil //nolint:nilnil // Null is a value here.
	}

	text, err := p.text()
	if err != nil {
		return nil, err
	}

	return &text, nil
}
