// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readHeader finds out what the file is, and leaves the splitter at its first row.
func (f *file) readHeader(c content, m mapping) (*splitter, error) {
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

	return split, f.mapHeader(split, line, header, m)
}

// headerLine skips empty lines, also of delimiters, and the line by which spreadsheets are told the
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
				return 0, nil, &Error{
					Line: line, Column: 1, Reason: "The delimiter that the file announces is none.",
					Next: exportAgain,
				}
			}

			continue
		}

		if strings.IndexFunc(text,
			func(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune("\",;|", r) }) >= 0 {
			return line, header, nil
		}
	}
}

var delimiters = []rune{',', ';', '\t', '|'}

// mapHeader reads the headers by the delimiter that makes most of them known.
func (f *file) mapHeader(split *splitter, line int, header []byte, m mapping) error {
	if i := bytes.IndexByte(header, '\r'); i >= 0 && i < len(bytes.TrimRight(header, "\r\n")) &&
		!bytes.Contains(header[:len(header)-1], []byte{'\n'}) {
		return &Error{
			Line: line, Column: utf8.RuneCount(header[:i]) + 1,
			Reason: "The lines end as on an old Mac, with CR alone.",
			Next:   "Save the file with line ends of LF or CRLF, or export again.",
		}
	}

	if f.comma == 0 {
		f.comma = f.delimiter(header)
	}

	var problem *Error

	err := f.decode(header, line, func(cells []string, _ int, at func(int) place) error {
		f.columns, problem = mapColumns(slices.Clone(cells), at, m)

		return nil
	})
	if err != nil {
		return err
	}

	f.headerAt = line

	if problem != nil {
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
