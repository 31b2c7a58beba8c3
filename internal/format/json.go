// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// jsonEncoder writes entries as objects whose keys stand in column order, for
// which encoding/json has no type.
type jsonEncoder struct {
	w       io.Writer
	columns []auditlog.Field
	keys    []string // with what stands around them, such as `{"id":` and `,"time":`
	array   bool

	line  jsonText
	notes Notes
	count int64
}

func newJSONEncoder(w io.Writer, columns []auditlog.Field, f Format) *jsonEncoder {
	j := &jsonEncoder{w: w, columns: columns, array: f == JSON}

	before := "{"
	for _, c := range columns {
		j.keys = append(j.keys, before+`"`+c.Name+`":`)
		before = ","
	}

	return j
}

func (j *jsonEncoder) Notes() Notes { return j.notes }

func (j *jsonEncoder) Encode(e *auditlog.Entry) error {
	j.line.reset()

	if err := j.object(e); err != nil {
		return fmt.Errorf("entry %d: %w", j.count+1, err)
	}

	if !j.array {
		if len(j.line.bytes()) > maxEntry {
			return fmt.Errorf("entry %d: %w", j.count+1, errEntryTooLarge)
		}

		j.line.raw("\n")
	}

	j.count++

	if _, err := j.w.Write(j.line.bytes()); err != nil {
		return fmt.Errorf("write entry %d: %w", j.count, err)
	}

	return nil
}

func (j *jsonEncoder) object(e *auditlog.Entry) error {
	switch {
	case !j.array:
	case j.count == 0:
		j.line.raw("[\n")
	default:
		j.line.raw(",\n")
	}

	for i := range j.columns {
		j.line.raw(j.keys[i])

		if err := j.value(&j.columns[i], e); err != nil {
			return err
		}
	}

	j.line.raw("}")

	return nil
}

// value writes a field, null when the cloud did not record it.
func (j *jsonEncoder) value(f *auditlog.Field, e *auditlog.Entry) error {
	if text := f.At(e); text != nil && *text != "" {
		j.line.text(*text, &j.notes)

		return nil
	}

	switch {
	case f.Kind == auditlog.KindRaw && len(e.Raw) > 0:
		return j.line.record(e.Raw, &j.notes)
	case f.Kind == auditlog.KindChanges && len(e.Changes) > 0:
		j.line.changes(e.Changes, &j.notes)
	case f.Kind == auditlog.KindTime:
		j.line.buffer = auditlog.AppendTime(append(j.line.buffer, '"'), e.Time)
		j.line.raw(`"`)
	default:
		j.line.raw("null")
	}

	return nil
}

func (j *jsonEncoder) Close() error {
	if !j.array {
		return nil
	}

	end := "\n]\n"
	if j.count == 0 {
		end = "[]\n"
	}

	if _, err := io.WriteString(j.w, end); err != nil {
		return fmt.Errorf("write the end: %w", err)
	}

	return nil
}

// jsonText builds JSON in a buffer that is used again for every entry.
type jsonText struct{ buffer []byte }

func (t *jsonText) reset() { t.buffer = t.buffer[:0] }

func (t *jsonText) bytes() []byte { return t.buffer }

func (t *jsonText) raw(text string) { t.buffer = append(t.buffer, text...) }

// text writes a string, escaping no more than JSON asks for and U+2028 and
// U+2029.
func (t *jsonText) text(s string, n *Notes) {
	if !exactjson.IsPlain(s) {
		t.buffer = exactjson.AppendString(t.buffer, n.clean(s))

		return
	}

	t.buffer = append(append(append(t.buffer, '"'), s...), '"')
}

// cell returns what a table holds of a field: text, in which lists and records are JSON.
func (t *jsonText) cell(f *auditlog.Field, e *auditlog.Entry, n *Notes) (string, error) {
	switch {
	case f.Kind == auditlog.KindRaw:
		return rawText(e.Raw, n)
	case f.Kind != auditlog.KindChanges:
		return n.clean(f.Text(e)), nil
	case len(e.Changes) == 0:
		return "", nil
	}

	t.reset()
	t.changes(e.Changes, n)

	return string(t.bytes()), nil
}

// changes writes the list of changes, in the form of auditlog's field.
func (t *jsonText) changes(changes []auditlog.Change, n *Notes) {
	for i := range changes {
		c := &changes[i]

		if i == 0 {
			t.raw(`[{"field":`)
		} else {
			t.raw(`,{"field":`)
		}

		t.text(c.Field, n)
		t.raw(`,"before":`)
		t.optional(c.Before, n)
		t.raw(`,"after":`)
		t.optional(c.After, n)
		t.raw("}")
	}

	t.raw("]")
}

func (t *jsonText) optional(s *string, n *Notes) {
	if s == nil {
		t.raw("null")

		return
	}

	t.text(*s, n)
}

// errRaw should not happen: services hand over what they have decoded.
var errRaw = errors.New("the raw record is not a JSON object")

// record writes a record as an object on one line. Only the white space between
// values goes; numbers, escapes and the order of keys stay.
func (t *jsonText) record(raw json.RawMessage, n *Notes) error {
	raw = cleanRaw(raw, n)
	if !isObject(raw) {
		return errRaw
	}

	text, err := exactjson.AppendCompact(t.buffer, raw)
	if err != nil {
		return fmt.Errorf("%w: %w", errRaw, err)
	}

	t.buffer = text

	return nil
}

// rawText returns a record as it is, once it is known to be one.
func rawText(raw json.RawMessage, n *Notes) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}

	raw = cleanRaw(raw, n)
	if !isObject(raw) || !exactjson.Whole(raw) {
		return "", errRaw
	}

	return string(raw), nil
}

func cleanRaw(raw json.RawMessage, n *Notes) json.RawMessage {
	if utf8.Valid(raw) {
		return raw
	}

	return json.RawMessage(n.clean(string(raw)))
}

func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}
