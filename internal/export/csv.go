// SPDX-License-Identifier: MPL-2.0

package export

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// csvEncoder writes RFC 4180 itself: encoding/csv, told to end records by CRLF,
// also rewrites the line breaks inside cells, and evidence must not be rewritten.
type csvEncoder struct {
	w       io.Writer
	columns []auditlog.Field
	safe    bool

	values jsonText
	line   []byte
	notes  Notes
	count  int64
}

func newCSVEncoder(w io.Writer, columns []auditlog.Field, o EncoderOptions) (*csvEncoder, error) {
	c := &csvEncoder{w: w, columns: columns, safe: o.SpreadsheetSafe}

	if _, err := io.WriteString(w, strings.Join(namesOf(columns), ",")+"\r\n"); err != nil {
		return nil, fmt.Errorf("write the header: %w", err)
	}

	return c, nil
}

func (c *csvEncoder) Notes() Notes { return c.notes }

func (c *csvEncoder) Close() error { return nil }

func (c *csvEncoder) Encode(e *auditlog.Entry) error {
	c.count++
	c.line = c.line[:0]

	for i := range c.columns {
		cell, err := c.cell(&c.columns[i], e)
		if err != nil {
			return fmt.Errorf("entry %d: %w", c.count, err)
		}

		if i > 0 {
			c.line = append(c.line, ',')
		}

		c.line = c.appendCell(c.line, cell)
	}

	c.line = append(c.line, "\r\n"...)

	if _, err := c.w.Write(c.line); err != nil {
		return fmt.Errorf("write entry %d: %w", c.count, err)
	}

	return nil
}

// cell returns a field's text: lists and records are JSON.
func (c *csvEncoder) cell(f *auditlog.Field, e *auditlog.Entry) (string, error) {
	switch f.Kind {
	case auditlog.KindChanges:
		if len(e.Changes) == 0 {
			return "", nil
		}

		c.values.reset()

		if err := c.values.changes(e.Changes, &c.notes); err != nil {
			return "", err
		}

		return string(c.values.bytes()), nil
	case auditlog.KindRaw:
		return rawText(e.Raw, &c.notes)
	default:
		return c.notes.clean(f.Text(e)), nil
	}
}

const (
	// formulaStarts begin a formula in some spreadsheet, a tab or CR after being
	// trimmed (OWASP, "CSV Injection").
	formulaStarts = "=+-@\t\r"
	mustQuote     = ",\"\r\n"
	blanks        = " \t"
	// nul ends the text in too many readers to be passed on.
	nul = "\x00"
)

func (c *csvEncoder) appendCell(line []byte, cell string) []byte {
	if n := strings.Count(cell, nul); n > 0 {
		c.notes.CharactersReplaced += int64(n)
		cell = strings.ReplaceAll(cell, nul, string(utf8.RuneError))
	}

	neutralise := c.safe && cell != "" && strings.IndexByte(formulaStarts, cell[0]) >= 0
	if neutralise {
		c.notes.CellsNeutralised++
	}

	if !c.needsQuotes(cell) {
		if neutralise {
			line = append(line, '\'')
		}

		return append(line, cell...)
	}

	line = append(line, '"')
	if neutralise {
		line = append(line, '\'')
	}

	for {
		before, after, found := strings.Cut(cell, `"`)
		line = append(line, before...)

		if !found {
			return append(line, '"')
		}

		line = append(line, `""`...)
		cell = after
	}
}

// needsQuotes also covers cells that readers would trim, and the empty cell of a
// lone column, whose record would be an empty line that readers skip.
func (c *csvEncoder) needsQuotes(cell string) bool {
	if cell == "" {
		return len(c.columns) == 1
	}

	return strings.ContainsAny(cell, mustQuote) ||
		strings.IndexByte(blanks, cell[0]) >= 0 || strings.IndexByte(blanks, cell[len(cell)-1]) >= 0
}
