// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// limits bound what is in memory. Tests lower them.
type limits struct {
	// chunkRecords and chunkBytes end a chunk, the unit in which a file is read.
	chunkRecords, chunkBytes int
	// recordBytes is the longest record.
	recordBytes int
	// batchBytes is how much of the log is put into order at a time.
	batchBytes int
}

var defaultLimits = limits{chunkRecords: 1000, chunkBytes: 1 << 20, recordBytes: 1 << 20, batchBytes: 4 << 20}

var (
	errTooLong    = errors.New("a record is longer than allowed")
	errUnfinished = errors.New("the text ends inside quotes")
)

// splitter cuts a text into whole records without reading more of it than a
// record: a quote that nobody closes would otherwise take the file into memory.
// What stands between quotes, and whether it may, is for encoding/csv to say; for
// every text that it accepts, both find the same records.
type splitter struct {
	r *bufio.Reader
	l limits
	// offset and line are where the next record begins.
	offset int64
	line   int
}

// record appends the next record with its line break, and says io.EOF at the end.
func (s *splitter) record(to []byte) ([]byte, error) {
	begin, quoted := len(to), false

	for {
		part, err := s.r.ReadSlice('\n')
		to = append(to, part...)
		quoted = quoted != (bytes.Count(part, []byte{'"'})%2 == 1)

		if len(to)-begin > s.l.recordBytes {
			return to, errTooLong
		}

		switch {
		case errors.Is(err, bufio.ErrBufferFull) || err == nil && quoted:
			continue
		case errors.Is(err, io.EOF) && quoted:
			err = errUnfinished
		case errors.Is(err, io.EOF) && len(to) > begin:
			err = nil
		case err != nil && !errors.Is(err, io.EOF):
			err = fmt.Errorf("read the export: %w", err)
		}

		s.offset += int64(len(to) - begin)
		s.line += bytes.Count(to[begin:], []byte{'\n'})

		return to, err
	}
}

// chunk appends records up to the limits. An error comes with the records before
// it and, unless it is io.EOF, with what there is of the one at fault.
func (s *splitter) chunk(to []byte) ([]byte, error) {
	for n := 0; n < s.l.chunkRecords && len(to) < s.l.chunkBytes; n++ {
		var err error

		if to, err = s.record(to); err != nil {
			if errors.Is(err, io.EOF) && len(to) > 0 {
				return to, nil
			}

			return to, err
		}
	}

	return to, nil
}
