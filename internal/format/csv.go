// SPDX-License-Identifier: MPL-2.0

package format

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// CSVOptions say how a CSV file is laid out.
type CSVOptions struct {
	// Delimiter is between cells: one of CSVDelimiters, DefaultCSVDelimiter when "".
	Delimiter string `json:"delimiter"`
	// BOM puts a byte order mark in front of the header, by which some spreadsheets
	// know that the text is UTF-8.
	BOM bool `json:"bom"`
}

// DefaultCSVDelimiter is that of RFC 4180.
const DefaultCSVDelimiter = ","

// CSVDelimiters lists every delimiter.
func CSVDelimiters() []string { return []string{DefaultCSVDelimiter, ";", "\t"} }

// WithDefaults checks the options and fills in the defaults.
func (o CSVOptions) WithDefaults() (CSVOptions, error) {
	if o.Delimiter == "" {
		o.Delimiter = DefaultCSVDelimiter
	}

	if !slices.Contains(CSVDelimiters(), o.Delimiter) {
		return CSVOptions{}, fmt.Errorf("unknown delimiter %q", o.Delimiter)
	}

	return o, nil
}

// MaxCell is how many characters a spreadsheet keeps of a cell, counted in units of
// UTF-16: Excel's limit ("Excel specifications and limits", Microsoft), the lowest.
const MaxCell = 32_767

// csvEncoder writes RFC 4180 itself: encoding/csv, told to end records by CRLF,
// also rewrites the line breaks inside cells, and evidence must not be rewritten.
type csvEncoder struct {
	w       io.Writer
	columns []auditlog.Field
	layout  CSVOptions
	safe    bool
	// starts are the characters inside a cell behind which a spreadsheet that divides
	// the file by another character than it is divided by begins a cell.
	starts string

	values jsonText
	line   []byte
	notes  Notes
	count  int64
}

func newCSVEncoder(w io.Writer, columns []auditlog.Field, o EncoderOptions) (*csvEncoder, error) {
	layout, err := o.CSV.WithDefaults()
	if err != nil {
		return nil, err
	}

	c := &csvEncoder{w: w, columns: columns, layout: layout, safe: o.SpreadsheetSafe, starts: otherSeparators}
	if layout.Delimiter != DefaultCSVDelimiter {
		c.starts += DefaultCSVDelimiter
	}

	header := strings.Join(namesOf(columns), layout.Delimiter) + "\r\n"
	if layout.BOM {
		header = byteOrderMark + header
	}

	if _, err := io.WriteString(w, header); err != nil {
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
		cell, err := c.values.cell(&c.columns[i], e, &c.notes)
		if err != nil {
			return fmt.Errorf("entry %d: %w", c.count, err)
		}

		if i > 0 {
			c.line = append(c.line, c.layout.Delimiter...)
		}

		cell, quote := c.prepare(cell)
		if utf16Length(cell) > MaxCell {
			c.notes.tooLong(Cell{EntryID: e.ID, Column: c.columns[i].Name})
		}

		c.line = appendCell(c.line, cell, quote)
	}

	c.line = append(c.line, "\r\n"...)

	if _, err := c.w.Write(c.line); err != nil {
		return fmt.Errorf("write entry %d: %w", c.count, err)
	}

	return nil
}

const (
	// formulaStarts begin a formula in some spreadsheet: "=", "+", "-" and "@" (OWASP,
	// "CSV Injection"), the minus sign, and the wide, small, raised and lowered forms of
	// them, which programs take for the plain ones (Unicode, NFKC).
	formulaStarts = "=+-@−" + "＝＋－＠" + "﹦﹢﹣﹫" + "⁼⁺⁻" + "₌₊₋" + "\ufb29"
	// trimmedStarts are dropped at the start of a cell by some spreadsheets, and what
	// is behind them is the start then.
	trimmedStarts = "\t\r\n"
	// otherSeparators are what spreadsheets divide files by, the comma aside.
	otherSeparators = ";|" + trimmedStarts
	// mustQuote has every separator, so that a spreadsheet told to divide by several
	// of them finds the columns that were written.
	mustQuote = ",\"" + otherSeparators
	blanks    = " \t"
	// nul ends the text in too many readers to be passed on.
	nul           = "\x00"
	byteOrderMark = "\ufeff"
)

// prepare returns the text that is put into a cell, and whether it has to be in
// quotes, and counts what differs.
func (c *csvEncoder) prepare(cell string) (text string, quote bool) {
	if n := strings.Count(cell, nul); n > 0 {
		c.notes.CharactersReplaced += int64(n)
		cell = strings.ReplaceAll(cell, nul, string(utf8.RuneError))
	}

	text = cell

	if c.safe {
		text = c.neutralise(cell)
	}

	if text != cell {
		c.notes.CellsNeutralised++
	}

	return text, text != cell || c.needsQuotes(text)
}

// neutralise puts an apostrophe in front of whatever a spreadsheet could take for
// the start of a formula, also one that divides the file by another character. Blanks,
// quotes and characters that do not show are no protection: programs drop them.
func (c *csvEncoder) neutralise(cell string) string {
	var b strings.Builder

	starts, from := true, 0

	for i, r := range cell {
		switch {
		case strings.ContainsRune(c.starts, r):
			if i == 0 && strings.ContainsRune(trimmedStarts, r) {
				b.WriteByte('\'')
			}

			starts = true
		case !starts, r == '"', unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf):
		case strings.ContainsRune(formulaStarts, r):
			b.WriteString(cell[from:i])
			b.WriteByte('\'')

			starts, from = false, i
		default:
			starts = false
		}
	}

	if b.Len() == 0 {
		return cell
	}

	b.WriteString(cell[from:])

	return b.String()
}

// utf16Length is how a spreadsheet counts characters.
func utf16Length(text string) int {
	// Nothing has more units than bytes.
	if len(text) <= MaxCell {
		return len(text)
	}

	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}

	return n
}

func appendCell(line []byte, cell string, quote bool) []byte {
	if !quote {
		return append(line, cell...)
	}

	line = append(line, '"')

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
