// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// ErrUnreadable means that a file is not one that an Encoder wrote for these
// options, or was changed since. Errors of the reader itself are not it.
var ErrUnreadable = errors.New("the file is not what was written")

var errEntryTooLarge = fmt.Errorf("it has more than %d bytes", maxEntry)

// maxEntry is how many bytes an entry may have in a file that can be read back:
// many times what a cloud's whole answer may have.
const maxEntry = 128 << 20

// readBuffer is how much is read of a file at once.
const readBuffer = 64 << 10

// DecoderOptions say how a file was written.
type DecoderOptions struct {
	// Compression is the format's default when "".
	Compression Compression
	// Columns are the columns of the file and their order, all when nil. Fields
	// that are not among them stay zero.
	Columns []string
}

// Decode reads back the entries of a file of size bytes in the format NDJSON or
// Parquet. They are what was encoded, with these exceptions: times are to the
// microsecond, in UTC; what Notes counts was replaced; and of a raw record NDJSON
// has left out the white space between values.
//
// It accepts nothing but what an Encoder writes: other columns, other values,
// a missing end or anything behind it is an error. Whatever the file holds,
// memory is bounded by the size of one entry, or of one row group.
//
// An error is yielded once and is the last. Only a sequence that ends without
// one was right: a checksum may be at the end of the file.
func Decode(r io.ReaderAt, size int64, f Format, o DecoderOptions) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		fields, err := fieldsOf(o.Columns)
		if err == nil {
			o.Compression, err = CompressionOf(f, o.Compression)
		}

		stopped := false
		each := func(e *auditlog.Entry) bool {
			stopped = !yield(*e, nil)

			return !stopped
		}

		switch {
		case err != nil:
		case f == NDJSON:
			err = decodeLines(io.NewSectionReader(r, 0, size), o.Compression, fields, each)
		case f == Parquet:
			err = decodeParquet(r, size, o.Compression, fields, each)
		default:
			err = fmt.Errorf("format %q cannot be read back", f)
		}

		if err != nil && !stopped {
			yield(auditlog.Entry{}, err)
		}
	}
}

// decodeLines calls each for every entry until it returns false.
func decodeLines(r *io.SectionReader, c Compression, fields []auditlog.Field, each func(*auditlog.Entry) bool) error {
	if r.Size() == 0 && c != Uncompressed {
		return fmt.Errorf("%w: it is empty, but compressed files are not", ErrUnreadable)
	}

	source := &faultReader{r: r}

	plain, release, err := newDecompressor(source, c)
	if err != nil {
		return source.blame(err)
	}
	defer release()

	var (
		lines  = bufio.NewReaderSize(plain, readBuffer)
		parser = newLineParser(fields)
		line   []byte
	)

	for n := 1; ; n++ {
		line, err = readLine(lines, line[:0])
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return source.blame(fmt.Errorf("line %d: %w", n, err))
		}

		// A new one for each, since the caller may keep it.
		var e auditlog.Entry
		if err := parser.parse(line, &e); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrUnreadable, n, err)
		}

		if !each(&e) {
			return nil
		}
	}
}

// readLine appends the next line to line, without its end. io.EOF means that
// there is none.
func readLine(r *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxEntry+len("\n") {
			return nil, errEntryTooLarge
		}

		line = append(line, part...)

		switch {
		case err == nil:
			return line[:len(line)-len("\n")], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, errors.New("it does not end")
		default:
			return nil, err //nolint:wrapcheck // The caller knows where.
		}
	}
}

// faultReader tells the errors of its reader from those of what reads it.
type faultReader struct {
	r   io.Reader
	err error
}

func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}

	return n, err //nolint:wrapcheck // Its own error, unchanged.
}

func (f *faultReader) blame(err error) error {
	if f.err != nil {
		return fmt.Errorf("read: %w", f.err)
	}

	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

// faultReaderAt is faultReader for readers at any place. Its error is also the
// answer to every later read.
type faultReaderAt struct {
	r   io.ReaderAt
	err error
}

// ReadAt implements io.ReaderAt.
func (f *faultReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}

	n, err := f.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}

	return n, err //nolint:wrapcheck // Its own error, unchanged.
}

func (f *faultReaderAt) blame(err error) error {
	return (&faultReader{err: f.err}).blame(err)
}
