// SPDX-License-Identifier: MPL-2.0

package format

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// decodeParquet calls each for every entry until it returns false. Everything
// that the library would believe a file is checked before the library sees it:
// it allocates what a file says it needs, and it panics on some that lie.
func decodeParquet(
	r io.ReaderAt, size int64, c Compression, fields []auditlog.Field, each func(*auditlog.Entry) bool,
) error {
	source := &faultReaderAt{r: r}

	file, err := openParquet(source, size, c, fields)
	if err != nil {
		return source.blame(err)
	}

	for _, group := range file.RowGroups() {
		more, err := decodeGroup(source, group, fields, each)
		if err != nil {
			return source.blame(err)
		}

		if !more {
			return nil
		}
	}

	return nil
}

// guard turns a panic of the library into an error.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be decoded: %v", p)
		}
	}()

	return do()
}

func openParquet(r io.ReaderAt, size int64, c Compression, fields []auditlog.Field) (file *parquet.File, err error) {
	err = guard(func() error {
		check := parquetCheck{r: r, fields: fields, pages: pageReader{codec: parquetCodec(c).CompressionCodec()}}
		defer check.pages.close()

		if err := check.file(size); err != nil {
			return err
		}

		file, err = parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}

		return checkSchema(file, fields)
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // Wrapped where it happened.
	}

	return file, nil
}

// checkSchema demands the columns in their order with their types. Earlier versions
// annotated JSON as such.
func checkSchema(file *parquet.File, fields []auditlog.Field) error {
	columns := file.Root().Columns()
	if len(columns) != len(fields) {
		return fmt.Errorf("it has %d columns, not %d", len(columns), len(fields))
	}

	for i, c := range columns {
		want := columnOf(&fields[i])
		annotated := c.Type().String() == want.node.Type().String() ||
			isJSON(&fields[i]) && c.Type().String() == parquet.JSON().Type().String()

		if c.Name() != want.name || !c.Leaf() || c.Required() != want.required || c.Optional() == want.required ||
			c.Type().Kind() != want.node.Type().Kind() || !annotated {
			return fmt.Errorf("column %d is not %s as it is written", i+1, want.name)
		}
	}

	return nil
}

// decodeGroup says whether more is wanted.
func decodeGroup(
	source *faultReaderAt, group parquet.RowGroup, fields []auditlog.Field, each func(*auditlog.Entry) bool,
) (more bool, err error) {
	var (
		rows  parquet.Rows
		batch = make([]parquet.Row, batchRows)
		left  = group.NumRows()
		n     int
	)

	if err := guard(func() error {
		rows = group.Rows()

		return nil
	}); err != nil {
		return false, err
	}

	defer func() {
		if closeErr := guard(rows.Close); err == nil {
			err = closeErr
		}
	}()

	for left > 0 {
		err := guard(func() (err error) {
			n, err = rows.ReadRows(batch)
			if n == 0 && (err == nil || errors.Is(err, io.EOF)) {
				err = io.ErrUnexpectedEOF
			}

			if errors.Is(err, io.EOF) && int64(n) == left {
				err = nil
			}

			return err
		})
		if err == nil {
			err = source.err
		}

		if err != nil {
			return false, fmt.Errorf("%d rows before the end of a group: %w", left, err)
		}

		for _, row := range batch[:n] {
			var e auditlog.Entry
			if err := entryOf(row, fields, &e); err != nil {
				return false, fmt.Errorf("%d rows before the end of a group: %w", left, err)
			}

			// Not guarded: a panic in there is the caller's.
			if !each(&e) {
				return false, nil
			}

			left--
		}
	}

	return true, nil
}

func entryOf(row parquet.Row, fields []auditlog.Field, e *auditlog.Entry) error {
	if len(row) != len(fields) {
		return fmt.Errorf("a row has %d values", len(row))
	}

	for _, v := range row {
		if v.Column() < 0 || v.Column() >= len(fields) {
			return fmt.Errorf("a value is in column %d", v.Column())
		}

		f := &fields[v.Column()]

		switch {
		case v.IsNull():
		case f.Kind == auditlog.KindTime:
			e.Time = time.UnixMicro(v.Int64()).UTC()
		default:
			text := string(v.ByteArray())
			if !utf8.ValidString(text) {
				return fmt.Errorf("%s: it is not UTF-8", f.Name)
			}

			if err := setText(e, f, text); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	}

	return nil
}
