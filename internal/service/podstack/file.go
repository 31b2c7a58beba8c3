// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
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
	comma   rune
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
	first   time.Time
	last    time.Time
	// identified says that every row has an id of its own.
	identified bool
}

// chunk is a part of a file that holds whole records.
type chunk struct {
	file     *file
	offset   int64
	length   int
	line     int
	rows     int64
	min, max time.Time
	sum      [sha256.Size]byte
}

// spans are the bounds of a chunk's times in either reading.
type spans struct{ min, max [2]time.Time }

func (s *spans) add(m moment) {
	for i := range m.at {
		if s.min[i].IsZero() || m.at[i].Before(s.min[i]) {
			s.min[i] = m.at[i]
		}

		if m.at[i].After(s.max[i]) {
			s.max[i] = m.at[i]
		}
	}
}

// place is where a cell stands.
type place struct{ line, column int }

// scan reads an export through. Whatever is wrong with it is found here, before
// anything of it is used.
func scan(ctx context.Context, s source, mapping map[string]string, l limits) (*file, error) {
	c, err := s.open()
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // It was only read.

	f := &file{source: s, limits: l, size: c.Size(), identified: true}

	if err := f.scan(ctx, c, mapping); err != nil {
		if e := (*Error)(nil); errors.As(err, &e) && e.File == "" {
			e.File = f.name
		}

		return nil, err
	}

	return f, nil
}

func (f *file) scan(ctx context.Context, c content, mapping map[string]string) error {
	split, err := f.readHeader(c, mapping)
	if err != nil {
		return err
	}

	check := &checker{f: f, possible: [2]bool{true, true}}

	var (
		data []byte
		all  []spans
	)

	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}

		at := chunk{file: f, offset: split.offset, line: split.line}
		check.spans, check.rows = spans{}, 0

		var end error

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

		if check.rows > 0 {
			at.length, at.rows, at.sum = len(data), check.rows, sha256.Sum256(data)
			f.chunks, all = append(f.chunks, at), append(all, check.spans)
			f.rows += at.rows
		}
	}

	return check.settle(all)
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

// readHeader finds out what the file is, and leaves the splitter at its first row.
func (f *file) readHeader(c content, mapping map[string]string) (*splitter, error) {
	const (
		buffer = 64 << 10
		magic  = 512
	)

	split := &splitter{r: bufio.NewReaderSize(io.NewSectionReader(c, 0, f.size), buffer), l: f.limits, line: 1}

	begin, err := split.r.Peek(magic)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the export: %w", err)
	}

	if reason, next := mistaken(begin); reason != "" {
		return nil, &Error{Line: 1, Column: 1, Reason: reason, Next: next}
	}

	if bytes.HasPrefix(begin, []byte(bom)) {
		n, _ := split.r.Discard(len(bom)) // They have been peeked at.
		split.offset += int64(n)
	}

	line, header, err := f.headerLine(split)
	if err != nil {
		return nil, err
	}

	return split, f.mapHeader(split, line, header, mapping)
}

// headerLine skips empty lines and the line by which spreadsheets are told the
// delimiter.
func (f *file) headerLine(split *splitter) (line int, header []byte, err error) {
	for {
		line = split.line

		if header, err = split.record(header[:0]); errors.Is(err, io.EOF) {
			reason, next := mistaken(nil)

			return 0, nil, &Error{Line: line, Column: 1, Reason: reason, Next: next}
		}

		switch {
		case errors.Is(err, errTooLong):
			return 0, nil, f.tooLong(header, line, line)
		case errors.Is(err, errUnfinished):
			return 0, nil, f.decode(header, line, nil)
		case err != nil:
			return 0, nil, err
		}

		text := strings.Trim(string(bytes.TrimSpace(header)), `"`)

		if sep, ok := strings.CutPrefix(strings.ToLower(text), "sep="); ok && utf8.RuneCountInString(sep) <= 1 {
			f.comma, _ = utf8.DecodeRuneInString(sep)
			if !slices.Contains(delimiters, f.comma) {
				return 0, nil, &Error{Line: line, Column: 1, Reason: "The delimiter that the file announces is none.", Next: exportAgain}
			}

			continue
		}

		if text != "" {
			return line, header, nil
		}
	}
}

var delimiters = []rune{',', ';', '\t', '|'}

// mapHeader reads the headers by the delimiter that makes most of them known.
func (f *file) mapHeader(split *splitter, line int, header []byte, mapping map[string]string) error {
	if i := bytes.IndexByte(header, '\r'); i >= 0 && i < len(bytes.TrimRight(header, "\r\n")) && !bytes.Contains(header[:len(header)-1], []byte{'\n'}) {
		return &Error{Line: line, Column: utf8.RuneCount(header[:i]) + 1, Reason: "The lines end as on an old Mac, with CR alone.", Next: "Save the file with line ends of LF or CRLF, or export again."}
	}

	if f.comma == 0 {
		f.comma = f.delimiter(header)
	}

	var (
		headers []string
		places  []int
	)

	err := f.decode(header, line, func(cells []string, _ int, at func(int) place) error {
		for i := range cells {
			places = append(places, at(i).column)
		}

		headers = slices.Clone(cells)

		return nil
	})
	if err != nil {
		return err
	}

	var problem *Error

	f.headerAt = line

	if f.columns, problem = mapColumns(headers, places, mapping); problem != nil {
		problem.Line = line

		return problem
	}

	if len(f.columns.missing()) == 0 {
		return nil
	}

	problem = f.columns.unrecognised(f.sample(split))
	problem.Line = line

	return problem
}

// delimiter is the one that makes most headers known, then most headers.
func (f *file) delimiter(header []byte) rune {
	best, bestKnown, bestAll := ',', -1, -1

	for _, comma := range delimiters {
		known, all := 0, 0

		trial := &file{comma: comma}
		if trial.decode(header, 1, func(cells []string, _ int, _ func(int) place) error {
			for _, h := range cells {
				if _, ok := guess(h); ok {
					known++
				}
			}

			all = len(cells)

			return nil
		}) != nil {
			continue
		}

		if known > bestKnown || known == bestKnown && all > bestAll {
			best, bestKnown, bestAll = comma, known, all
		}
	}

	return best
}

// sample returns the first rows as they are, wrong ones left out.
func (f *file) sample(split *splitter) [][]string {
	const enough = 50

	sampled := *split
	sampled.l.chunkRecords = enough

	data, _ := sampled.chunk(nil)

	rows := [][]string{}
	_ = f.decode(data, 1, func(cells []string, _ int, _ func(int) place) error {
		rows = append(rows, slices.Clone(cells))

		return nil
	})

	return rows
}

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

// checker looks at every row of a file, in its order.
type checker struct {
	f     *file
	spans spans
	rows  int64
	// possible are the readings of dates that no row has ruled out.
	possible [2]bool
	// open is the first row whose date the readings differ on.
	open *Error
}

func (k *checker) row(cells []string, _ int, at func(int) place) error {
	f := k.f

	if err := f.checkWidth(cells, at); err != nil {
		return err
	}

	problem := func(i int, reason, next string) error {
		p := at(i)

		return &Error{Line: p.line, Column: p.column, Header: f.columns.headers[i], Reason: reason, Next: next}
	}

	for _, i := range f.columns.blank {
		if i < len(cells) && strings.TrimSpace(cells[i]) != "" {
			return problem(i, "A cell stands in a column without a header.", "Export again, or give the column a header.")
		}
	}

	action := f.columns.of[toAction]
	if strings.TrimSpace(cells[action]) == "" {
		return problem(action, "The cell is empty, and every event has an action.", exportAgain)
	}

	when := f.columns.of[toTime]

	m, err := k.moment(cells[when])
	if err != nil {
		return problem(when, err.Error(), "Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = \"…\" }.")
	}

	if m.at[0] != m.at[1] && k.open == nil {
		errors.As(problem(when,
			"Whether the dates are day first or month first cannot be told, since no row has a day after the 12th.",
			"Export a longer span, or again with times such as 2026-01-31 15:04:05."), &k.open)
	}

	if err := f.checkOwn(cells, problem); err != nil {
		return err
	}

	f.identified = f.identified && f.columns.has(toID) && strings.TrimSpace(cells[f.columns.of[toID]]) != ""
	k.spans.add(m)
	k.rows++

	return nil
}

// moment reads a time in the readings that are still possible.
func (k *checker) moment(cell string) (moment, error) {
	if strings.TrimSpace(cell) == "" {
		return moment{}, errors.New("The cell is empty, and every event has a time.") //nolint:revive,staticcheck // It is a sentence for users.
	}

	m, ok := parseMoment(cell)
	if !ok {
		return moment{}, errors.New("The cell is not a time in a known form.") //nolint:revive,staticcheck // As above.
	}

	if k.f.form == 0 {
		k.f.form = m.form
	}

	for i := range m.ok {
		k.possible[i] = k.possible[i] && m.ok[i]
	}

	if m.form != k.f.form || !k.possible[dayFirst] && !k.possible[monthFirst] {
		return moment{}, errors.New("The time is in another form than those above it, as when a spreadsheet has rewritten some.") //nolint:revive,staticcheck // As above.
	}

	return m, nil
}

// checkWidth refuses rows with too few or too many cells.
func (f *file) checkWidth(cells []string, at func(int) place) error {
	headers := len(f.columns.headers)

	if f.width == 0 {
		f.width = headers

		// A delimiter at the end of every row, or only of the header.
		if n := len(cells); n == headers+1 && cells[n-1] == "" || n == headers-1 && f.columns.headers[n] == "" {
			f.width = n
		}
	}

	n := len(cells)

	switch {
	case n < f.width:
		p := at(n - 1)

		return &Error{
			Line: p.line, Column: p.column, Header: f.columns.headers[n-1],
			Reason: fmt.Sprintf("The row ends after %d of %d cells: it was cut off, or a line break is not in quotes.", n, f.width),
			Next:   exportAgain,
		}
	case n > f.width:
		p := at(f.width)

		return &Error{
			Line: p.line, Column: p.column,
			Reason: fmt.Sprintf("The row has %d cells and the header has %d: perhaps a delimiter is not in quotes.", n, headers),
			Next:   exportAgain,
		}
	default:
		return nil
	}
}

// checkOwn refuses cells that audit_log_export did not write.
func (f *file) checkOwn(cells []string, problem func(i int, reason, next string) error) error {
	if !f.columns.own {
		return nil
	}

	service := f.columns.of[toService]
	if name := strings.TrimSpace(cells[service]); !f.anyService && name != "" && name != auditlog.ServicePodStack {
		return problem(service, "The file holds entries of another cloud that audit_log_export wrote.", "Name the exports of the PodStack console.")
	}

	if i := f.columns.of[toChanges]; i >= 0 {
		if unmarshalChanges(cells[i], new([]auditlog.Change)) != nil {
			return problem(i, "The cell is not a list of changes in JSON.", exportAgain)
		}
	}

	if i := f.columns.of[toRaw]; i >= 0 && cells[i] != "" && !json.Valid([]byte(cells[i])) {
		return problem(i, "The cell is not a record in JSON.", exportAgain)
	}

	return nil
}

// settle decides how dates made of numbers are to be read, over the whole column.
func (k *checker) settle(all []spans) error {
	f := k.f

	if k.open != nil && k.possible[dayFirst] && k.possible[monthFirst] {
		return k.open
	}

	if !k.possible[dayFirst] {
		f.reading = monthFirst
	}

	for i := range f.chunks {
		c := &f.chunks[i]
		c.min, c.max = all[i].min[f.reading], all[i].max[f.reading]

		if f.first.IsZero() || c.min.Before(f.first) {
			f.first = c.min
		}

		if c.max.After(f.last) {
			f.last = c.max
		}
	}

	return nil
}

// load gives the rows of a chunk, which must be as they were.
func (c *chunk) load(each func(r row)) error {
	f := c.file

	text, err := f.open()
	if err != nil {
		return err
	}
	defer text.Close() //nolint:errcheck // It was only read.

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
