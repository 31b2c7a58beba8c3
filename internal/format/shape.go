// SPDX-License-Identifier: MPL-2.0

package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
)

// Shape is what an entry is written as.
type Shape string

// The shapes. ShapeEntry is the entry that look-ups show; ShapeOCSF is an event of
// the Open Cybersecurity Schema Framework.
const (
	ShapeEntry Shape = "entry"
	ShapeOCSF  Shape = "ocsf"
)

// What does not go with ShapeOCSF.
var (
	ErrShapeFormat  = errors.New("events of OCSF are written as NDJSON or Parquet only")
	ErrShapeColumns = errors.New("events of OCSF have attributes of their own, so columns cannot be chosen")
)

// CheckShape says whether entries can be written in that shape and format.
func CheckShape(s Shape, f Format, columns bool) error {
	switch {
	case s != ShapeOCSF:
		return nil
	case f != NDJSON && f != Parquet:
		return ErrShapeFormat
	case columns:
		return ErrShapeColumns
	default:
		return nil
	}
}

// newOCSFEncoder writes events.
func newOCSFEncoder(w io.Writer, f Format, c Compression, tool ocsf.Product) (Encoder, error) {
	if f == Parquet {
		return newOCSFParquet(w, c, tool), nil
	}

	file, err := newCompressor(w, c)
	if err != nil {
		return nil, err
	}

	return &compressedEncoder{Encoder: &ocsfLines{w: file, tool: tool}, file: file}, nil
}

// cleanEntry returns the entry with every text in UTF-8 and a record that is one.
func (n *Notes) cleanEntry(original *auditlog.Entry) (*auditlog.Entry, error) {
	e := *original

	raw, err := rawText(e.Raw, n)
	if err != nil {
		return nil, err
	}

	e.Raw = json.RawMessage(raw)

	for _, f := range auditlog.Fields() {
		if text := f.At(&e); text != nil {
			*text = n.clean(*text)
		}
	}

	e.Changes = slices.Clone(e.Changes)

	for i := range e.Changes {
		c := &e.Changes[i]
		c.Field = n.clean(c.Field)

		for _, value := range []**string{&c.Before, &c.After} {
			if *value != nil {
				text := n.clean(**value)
				*value = &text
			}
		}
	}

	return &e, nil
}

// ocsfLines writes an event on each line.
type ocsfLines struct {
	w     io.Writer
	tool  ocsf.Product
	notes Notes
	count int64
}

func (o *ocsfLines) Notes() Notes { return o.notes }
func (o *ocsfLines) Close() error { return nil }

func (o *ocsfLines) Encode(e *auditlog.Entry) error {
	o.count++

	clean, err := o.notes.cleanEntry(e)
	if err != nil {
		return fmt.Errorf("entry %d: %w", o.count, err)
	}

	line, err := ocsf.Event(clean, o.tool)
	if err != nil {
		return fmt.Errorf("entry %d: %w", o.count, err)
	}

	if _, err := o.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write entry %d: %w", o.count, err)
	}

	return nil
}

// newOCSFParquet writes events as rows of their top-level attributes.
func newOCSFParquet(w io.Writer, c Compression, tool ocsf.Product) *parquetEncoder {
	columns := make([]parquetColumn, 0, len(ocsf.Columns()))
	for _, column := range ocsf.Columns() {
		columns = append(columns, ocsfParquetColumn(column))
	}

	row := func(e *auditlog.Entry, file *parquetFile, n *Notes) error {
		clean, err := n.cleanEntry(e)
		if err != nil {
			return err
		}

		values, err := ocsf.Values(clean, tool)
		if err != nil {
			return err
		}

		for _, value := range values {
			// Every column of integers is required.
			if v, ok := value.(int64); ok {
				file.integer(v)

				continue
			}

			text, _ := value.(string)
			file.text(text)
		}

		return nil
	}

	return &parquetEncoder{file: newParquetFile(w, columns, c), row: row}
}

func ocsfParquetColumn(c ocsf.Column) parquetColumn {
	p := parquetColumn{name: c.Name, required: c.Required}

	switch c.Kind {
	case ocsf.Integer:
		p.node = parquet.Encoded(parquet.Int(64), &parquet.RLEDictionary)
	case ocsf.Timestamp:
		p.node, p.ordered = parquet.Encoded(parquet.Timestamp(parquet.Millisecond), &parquet.Plain), true
	case ocsf.JSON:
		p.node = parquet.Encoded(parquet.String(), &parquet.Plain)
	default:
		p.node = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	}

	return p
}
