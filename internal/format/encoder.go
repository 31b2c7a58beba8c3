// SPDX-License-Identifier: MPL-2.0

// Package format writes entries as CSV, JSON, NDJSON or Parquet, and reads the latter
// two back. It streams: memory does not grow with the number of entries.
package format

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
)

// Format is how entries are written.
type Format string

// The formats. CSV is RFC 4180 with a header; JSON is one array with an entry on
// each line; NDJSON is an entry on each line and nothing else; Parquet has typed
// columns.
const (
	CSV     Format = "csv"
	JSON    Format = "json"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// All lists every format.
func All() []Format { return []Format{CSV, JSON, NDJSON, Parquet} }

// Encoder writes entries in one format.
type Encoder interface {
	// Encode writes the entry, or nothing of it when it returns an error of its
	// own. An error of the underlying writer may leave a part.
	Encode(e *auditlog.Entry) error
	// Close completes the output, without which Parquet and compressed files are
	// none. It does not close the underlying writer.
	Close() error
	// Notes tells where the output so far differs from the entries.
	Notes() Notes
}

// EncoderOptions change what is written.
type EncoderOptions struct {
	// SpreadsheetSafe puts an apostrophe in front of whatever a spreadsheet could take
	// for the start of a formula in a CSV file. Other formats are always exact.
	SpreadsheetSafe bool
	// CSV is for CSV only.
	CSV CSVOptions
	// Compression is the format's default when "".
	Compression Compression
	// Shape is ShapeEntry when "".
	Shape Shape
	// Product is who makes events of entries; for ShapeOCSF only.
	Product ocsf.Product
}

// Notes counts the places where the output differs from the entries.
type Notes struct {
	// CellsNeutralised is how many cells got apostrophes.
	CellsNeutralised int64
	// CellsTooLong is how many cells of a CSV file have more than MaxCell characters,
	// the first of them FirstTooLong.
	CellsTooLong int64
	FirstTooLong Cell
	// CharactersReplaced is how many bytes that are not UTF-8, and in CSV how many
	// NUL characters, became U+FFFD.
	CharactersReplaced int64
}

// Cell is a cell of a table.
type Cell struct{ EntryID, Column string }

func (n *Notes) tooLong(c Cell) {
	if n.CellsTooLong == 0 {
		n.FirstTooLong = c
	}

	n.CellsTooLong++
}

// NewEncoder returns an encoder for the given columns, all of an entry's fields
// when nil, in the given order. The same entries give the same bytes. An encoder
// holds nothing that has to be released when it is not closed.
func NewEncoder(w io.Writer, f Format, columns []string, o EncoderOptions) (Encoder, error) {
	fields, err := fieldsOf(columns)
	if err != nil {
		return nil, err
	}

	compression, err := CompressionOf(f, o.Compression)
	if err != nil {
		return nil, err
	}

	if err := CheckShape(o.Shape, f, columns != nil); err != nil {
		return nil, err
	}

	if o.Shape == ShapeOCSF {
		return newOCSFEncoder(w, f, compression, o.Product)
	}

	switch f {
	case Parquet:
		return newParquetEncoder(w, fields, compression), nil
	case HTML:
		return nil, errors.New("a page in HTML is made of all entries, not entry by entry")
	default:
	}

	file, err := newCompressor(w, compression)
	if err != nil {
		return nil, err
	}

	if f == CSV {
		csv, err := newCSVEncoder(file, fields, o)

		return &compressedEncoder{Encoder: csv, file: file}, err
	}

	return &compressedEncoder{Encoder: newJSONEncoder(file, fields, f), file: file}, nil
}

func fieldsOf(columns []string) ([]auditlog.Field, error) {
	if columns == nil {
		return auditlog.Fields(), nil
	}

	if len(columns) == 0 {
		return nil, errors.New("no columns")
	}

	fields := make([]auditlog.Field, 0, len(columns))

	for i, name := range columns {
		f, ok := auditlog.FieldByName(name)
		if !ok {
			return nil, fmt.Errorf("unknown column %q", name)
		}

		if slices.Contains(columns[:i], name) {
			return nil, fmt.Errorf("column %q is given twice", name)
		}

		fields = append(fields, f)
	}

	return fields, nil
}

// Columns returns the names of the columns that a file in that shape has, given those
// that were chosen, nil for all.
func Columns(s Shape, chosen []string) ([]string, error) {
	fields, err := fieldsOf(chosen)
	if err != nil {
		return nil, err
	}

	if s != ShapeOCSF {
		return namesOf(fields), nil
	}

	names := make([]string, 0, len(ocsf.Columns()))
	for _, c := range ocsf.Columns() {
		names = append(names, c.Name)
	}

	return names, nil
}

func namesOf(fields []auditlog.Field) []string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
	}

	return names
}

// clean replaces every byte that is not part of valid UTF-8 and counts it.
func (n *Notes) clean(text string) string {
	if utf8.ValidString(text) {
		return text
	}

	var b strings.Builder

	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			n.CharactersReplaced++
		}

		b.WriteRune(r)
	}

	return b.String()
}
