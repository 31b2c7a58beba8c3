// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// content is a text that can be read at any place.
type content interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// source is a text that can be opened more than once.
type source struct {
	name string
	open func() (content, error)
	// anyService also takes what audit_log_export wrote of another cloud's log.
	anyService bool
}

// file is an export that has been read through and found in order. Its rows stay
// where they are: what is known of them is where which times lie.
type file struct {
	source

	limits  limits
	columns *columns
	// unread are the columns that hold something and become nothing but raw.
	unread []unread
	comma  rune
	// width is how many cells a row has: one more or fewer than headers where only
	// one of the two ends with a delimiter.
	width int
	size  int64
	rows  int64

	chunks []chunk
	// headerAt is the line of the headers.
	headerAt int
	// reading is how to read dates made of numbers.
	reading int
	form    form
	span    // of the rows
	// identified says that every row has an id of its own.
	identified bool
	// ids holds the first ids and their times.
	ids map[string]time.Time
}

// chunk is a part of a file that holds whole records.
type chunk struct {
	span

	file   *file
	offset int64
	length int
	line   int
	rows   int64
	sum    [sha256.Size]byte
}

// span is from the first to the last time of rows.
type span struct{ first, last time.Time }

// include makes the span hold a time.
func (s *span) include(at time.Time) {
	if s.first.IsZero() || at.Before(s.first) {
		s.first = at
	}

	if at.After(s.last) {
		s.last = at
	}
}

// place is where a cell stands.
type place struct{ line, column int }

// scan reads an export through. Whatever is wrong with it is found here, before
// anything of it is used.
func scan(ctx context.Context, s source, m mapping, l limits) (*file, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	defer c.Close()

	f := newFile(s, c, l, dayFirst)
	if err = f.scan(ctx, c, m); errors.Is(err, errNotDayFirst) {
		f = newFile(s, c, l, monthFirst)
		err = f.scan(ctx, c, m)
	}

	if err != nil {
		if e := (*Error)(nil); errors.As(err, &e) && e.File == "" {
			e.File = f.name
		}

		return nil, err
	}

	return f, nil
}

func newFile(s source, c content, l limits, reading int) *file {
	return &file{source: s, limits: l, size: c.Size(), reading: reading, identified: true, ids: map[string]time.Time{}}
}

func (f *file) scan(ctx context.Context, c content, m mapping) error {
	split, err := f.readHeader(c, m)
	if err != nil {
		return err
	}

	check := &checker{f: f, possible: [2]bool{true, true}, unread: f.columns.unmapped()}

	var data []byte

	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}

		var end error

		at := chunk{file: f, offset: split.offset, line: split.line}
		check.chunk = &at

		if data, end = split.chunk(data[:0]); errors.Is(end, io.EOF) {
			break
		}

		if errors.Is(end, errTooLong) {
			return f.tooLong(data, at.line, split.line)
		}

		// It also says what is wrong with a record that has no end.
		if err := f.decode(data, at.line, check.row); err != nil {
			return err
		}

		if end != nil {
			return end
		}

		if at.rows > 0 {
			at.length, at.sum = len(data), sha256.Sum256(data)
			f.chunks = append(f.chunks, at)
			f.include(at.first)
			f.include(at.last)
			f.rows += at.rows
		}
	}

	f.unread = slices.DeleteFunc(check.unread, func(u unread) bool { return !u.filled })

	return check.end()
}

// tooLong says what is wrong with data that end in a part of a record: a quote in
// the wrong place, if encoding/csv finds one, or else its length.
func (f *file) tooLong(data []byte, line, recordLine int) error {
	for len(data) > 0 && !utf8.RuneStart(data[len(data)-1]) {
		data = data[:len(data)-1]
	}

	err := f.decode(data[:max(len(data)-1, 0)], line, nil)
	if e := (*Error)(nil); errors.As(err, &e) && !e.unfinished {
		return err
	}

	return &Error{
		Line: recordLine, Column: 1,
		Reason: fmt.Sprintf("A record is longer than %d bytes; perhaps a quote is never closed.", f.limits.recordBytes),
		Next:   exportAgain,
	}
}

const exportAgain = "Export again, and do not edit the file."

// decode reads records with encoding/csv and gives each but the blank ones, with
// its line and a way to find out where its cells stand, which takes a while.
func (f *file) decode(data []byte, line int, each func(cells []string, line int, at func(int) place) error) error {
	position := func(l, column int) place {
		p, _ := placeIn(data, line, l, column)

		return p
	}

	if err := f.checkText(data, line); err != nil {
		return err
	}

	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = f.comma, -1, true

	if r.Comma == 0 {
		r.Comma = ','
	}

	at := func(i int) place { return position(r.FieldPos(i)) }

	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return csvError(err, data, line)
		}

		// Spreadsheets write empty lines as delimiters.
		if !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) || each == nil {
			continue
		}

		l, _ := r.FieldPos(0)
		if err := each(cells, line+l-1, at); err != nil {
			return err
		}
	}
}

// placeIn turns a line and a column in bytes, as encoding/csv counts them within
// the data, into those of the file, the column in characters. It also says whether
// that is where the data end.
func placeIn(data []byte, line, l, column int) (p place, atEnd bool) {
	begin := 0

	for range l - 1 {
		begin += bytes.IndexByte(data[begin:], '\n') + 1
	}

	end := max(begin, min(begin+column-1, len(data)))

	before := bytes.TrimRight(data[begin:end], "\r\n")

	return place{line: line + l - 1, column: utf8.RuneCount(before) + 1}, end == len(data)
}

// checkText refuses what is not text in UTF-8.
func (f *file) checkText(data []byte, line int) error {
	bad := bytes.IndexByte(data, 0)
	reason := "A byte is zero, which no text holds."

	if bad < 0 && !utf8.Valid(data) {
		reason = "A byte is not UTF-8; the file is probably Latin-1 or Windows-1252."

		for bad = 0; ; {
			r, n := utf8.DecodeRune(data[bad:])
			if r == utf8.RuneError && n == 1 {
				break
			}

			bad += n
		}
	}

	if bad < 0 {
		return nil
	}

	begin := bytes.LastIndexByte(data[:bad], '\n') + 1

	return &Error{
		Line: line + bytes.Count(data[:bad], []byte{'\n'}), Column: utf8.RuneCount(data[begin:bad]) + 1,
		Reason: reason, Next: "Save it as CSV UTF-8, or export again.",
	}
}

func csvError(err error, data []byte, line int) error {
	parse := (*csv.ParseError)(nil)
	if !errors.As(err, &parse) {
		return fmt.Errorf("read the export: %w", err)
	}

	p, atEnd := placeIn(data, line, parse.Line, parse.Column)
	e := &Error{Line: p.line, Column: p.column, Next: exportAgain}

	switch {
	case errors.Is(parse.Err, csv.ErrBareQuote):
		e.Reason = "A quote stands in a cell that does not begin with one."
	case errors.Is(parse.Err, csv.ErrQuote) && atEnd:
		e.Reason, e.unfinished = "The file ends within quotes: it was cut off.", true
	case errors.Is(parse.Err, csv.ErrQuote):
		e.Reason = "A quoted cell goes on after its closing quote."
	default:
		e.Reason = "The line is not CSV: " + parse.Err.Error() + "."
	}

	return e
}

// load gives the rows of a chunk, which must be as they were.
func (c *chunk) load(each func(r row)) error {
	f := c.file

	text, err := f.open()
	if err != nil {
		return err
	}
	defer text.Close()

	data := make([]byte, c.length)
	n, err := text.ReadAt(data, c.offset)

	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the export: %w", err)
	}

	if n < c.length || text.Size() != f.size || sha256.Sum256(data) != c.sum {
		return &Error{
			File: f.name, Line: c.line,
			Reason: "The file changed while it was being read.",
			Next:   "Run it again once nothing writes to the file.",
		}
	}

	return f.decode(data, c.line, func(cells []string, line int, _ func(int) place) error {
		m, _ := parseMoment(cells[f.columns.of[toTime]])
		each(row{file: f, line: line, at: m.at[f.reading], cells: slices.Clone(cells)})

		return nil
	})
}
