// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetformat "github.com/parquet-go/parquet-go/format"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	// maxGroupTexts is how many bytes the texts of a row group may have: the limit of a
	// group, and one entry beyond that.
	maxGroupTexts = rowGroupBytes + maxEntry
	// maxGroup is how many bytes the pages of a row group may have: those of its texts,
	// and some for each value.
	maxGroup = maxGroupTexts + 64<<20
	// maxPageHeader is far more than a header without statistics has.
	maxPageHeader = 1 << 10
	// maxFooter has room for maxGroups groups, each with some KiB.
	maxFooter = 32 << 20
)

// decodeParquet calls each for every entry until it returns false. Of the library it
// uses the types of the footer and of the headers of pages. It does not let the
// library open files and read pages: that allocates what a file says it needs, and
// panics on some that lie.
func decodeParquet(
	r io.ReaderAt, size int64, c Compression, fields []auditlog.Field, each func(*auditlog.Entry) bool,
) error {
	source := &faultReaderAt{r: r}
	p := parquetReader{r: source, fields: fields, codec: parquetCodec(c).CompressionCodec()}

	defer p.close()

	meta, err := p.footer(size)
	if err != nil {
		return source.blame(err)
	}

	for i := range meta.RowGroups {
		entries, err := p.group(i, &meta.RowGroups[i])
		if err != nil {
			return source.blame(err)
		}

		for j := range entries {
			if !each(&entries[j]) {
				return nil
			}
		}
	}

	return nil
}

type parquetReader struct {
	r      io.ReaderAt
	fields []auditlog.Field
	codec  parquetformat.CompressionCodec

	// plain decompresses one page after the other, since it is dear to make.
	plain interface {
		io.Reader
		Reset(r io.Reader) error
	}
	// pagesLeft and textsLeft are how many more bytes the pages and the texts of the
	// row group may have.
	pagesLeft, textsLeft int64
}

func (p *parquetReader) close() {
	if z, ok := p.plain.(*zstd.Decoder); ok {
		z.Close()
	}
}

func (p *parquetReader) read(b []byte, at int64) error {
	if n, err := p.r.ReadAt(b, at); n < len(b) {
		return fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
	}

	return nil
}

// footer returns the footer, which says where everything is, once that can be.
func (p *parquetReader) footer(size int64) (*parquetformat.FileMetaData, error) {
	if size < int64(parquetEnd) {
		return nil, io.ErrUnexpectedEOF
	}

	end := make([]byte, parquetEnd)
	if err := p.read(end, size-int64(parquetEnd)); err != nil {
		return nil, err
	}

	// Nothing is read before its length is known to be bearable.
	length, err := footerLength(end)
	if err != nil {
		return nil, err
	}

	if length > min(maxFooter, size-int64(parquetEnd)) {
		return nil, errors.New("the footer is too long")
	}

	pagesEnd := size - int64(parquetEnd) - length
	footer := make([]byte, length)

	if err := p.read(footer, pagesEnd); err != nil {
		return nil, err
	}

	var meta parquetformat.FileMetaData

	n, err := unmarshalThrift(footer, &meta, "footer")
	if errors.Is(err, errThrift) || err == nil && n != len(footer) {
		return nil, errors.New("the footer is not one")
	}

	if err != nil {
		return nil, err
	}

	if err := p.groups(&meta, pagesEnd); err != nil {
		return nil, err
	}

	begin := make([]byte, len(parquetMagic))
	if err := p.read(begin, 0); err != nil {
		return nil, err
	}

	if string(begin) != parquetMagic {
		return nil, fmt.Errorf("open: invalid magic header of parquet file: %q", begin)
	}

	return &meta, p.schema(meta.Schema)
}

// groups demands that the row groups have one column for each field, which follow each
// other up to the end of the pages.
func (p *parquetReader) groups(meta *parquetformat.FileMetaData, pagesEnd int64) error {
	if len(meta.Schema) != 1+len(p.fields) {
		return fmt.Errorf("it has %d columns, not %d", len(meta.Schema)-1, len(p.fields))
	}

	at, rows := int64(len(parquetMagic)), int64(0)

	for i := range meta.RowGroups {
		g := &meta.RowGroups[i]
		if g.NumRows <= 0 || g.NumRows > rowGroupRows || len(g.Columns) != len(p.fields) {
			return fmt.Errorf("row group %d: it says to have %d rows and %d columns", i+1, g.NumRows, len(g.Columns))
		}

		for j := range g.Columns {
			if err := p.chunk(&g.Columns[j], g.NumRows, at, pagesEnd); err != nil {
				return fmt.Errorf("row group %d: %s: %w", i+1, p.fields[j].Name, err)
			}

			at += g.Columns[j].MetaData.TotalCompressedSize
		}

		rows += g.NumRows
	}

	if rows != meta.NumRows {
		return fmt.Errorf("it says to have %d rows, but its groups have %d", meta.NumRows, rows)
	}

	return nil
}

func (p *parquetReader) chunk(c *parquetformat.ColumnChunk, rows, at, pagesEnd int64) error {
	m := &c.MetaData
	if c.FilePath != "" || m.Codec != p.codec || m.NumValues != rows {
		return fmt.Errorf("it says to have %d values in %s in file %q", m.NumValues, m.Codec, c.FilePath)
	}

	if firstPage(m) != at || m.TotalCompressedSize < 0 || m.TotalCompressedSize > pagesEnd-at {
		return errors.New("it says to be where it cannot be")
	}

	return nil
}

func firstPage(m *parquetformat.ColumnMetaData) int64 {
	if m.DictionaryPageOffset != 0 {
		return m.DictionaryPageOffset
	}

	return m.DataPageOffset
}

// schema demands the columns in their order with their types. Earlier versions
// annotated JSON as such.
func (p *parquetReader) schema(elements []parquetformat.SchemaElement) error {
	if root := &elements[0]; root.Type.Valid || int(root.NumChildren.V) != len(p.fields) {
		return fmt.Errorf("it has %d columns, not %d", root.NumChildren.V, len(p.fields))
	}

	for i := range p.fields {
		e, want := &elements[i+1], columnOf(&p.fields[i])

		repetition := parquetformat.Optional
		if want.required {
			repetition = parquetformat.Required
		}

		annotated := e.LogicalType.String() == want.node.Type().LogicalType().String() ||
			isJSON(&p.fields[i]) && e.LogicalType.String() == parquet.JSON().Type().LogicalType().String()

		if e.Name != want.name || !e.Type.Valid || e.Type.V != parquetformat.Type(want.node.Type().Kind()) ||
			!e.RepetitionType.Valid || e.RepetitionType.V != repetition || e.NumChildren.Valid || !annotated {
			return fmt.Errorf("column %d is not %s as it is written", i+1, want.name)
		}
	}

	return nil
}

// group reads a row group, column by column.
func (p *parquetReader) group(i int, g *parquetformat.RowGroup) ([]auditlog.Entry, error) {
	p.pagesLeft, p.textsLeft = maxGroup, maxGroupTexts
	entries := make([]auditlog.Entry, g.NumRows)

	for j := range p.fields {
		f := &p.fields[j]

		values, err := p.column(f, &g.Columns[j].MetaData)
		if err != nil {
			return nil, fmt.Errorf("row group %d: %s: %w", i+1, f.Name, err)
		}

		for row, value := range values {
			if err := setValue(&entries[row], f, value); err != nil {
				return nil, fmt.Errorf("%d rows before the end of a group: %s: %w", len(entries)-row, f.Name, err)
			}
		}
	}

	return entries, nil
}

// setValue sets a field to a value of a page, which is nil for null.
func setValue(e *auditlog.Entry, f *auditlog.Field, value []byte) error {
	switch {
	case value == nil:
		return nil
	case f.Kind == auditlog.KindTime:
		e.Time = time.UnixMicro(int64(binary.LittleEndian.Uint64(value))).UTC() //nolint:gosec // The same 64 bits.

		return nil
	case !utf8.Valid(value):
		return errors.New("it is not UTF-8")
	default:
		return setText(e, f, string(value))
	}
}

// column returns the values of a column, one for each row, nil for null.
func (p *parquetReader) column(f *auditlog.Field, m *parquetformat.ColumnMetaData) ([][]byte, error) {
	c := parquetValues{field: f, meta: m, values: make([][]byte, 0, m.NumValues)}
	at := firstPage(m)

	for end := at + m.TotalCompressedSize; at < end; {
		header, n, err := p.header(at, end)
		if err == nil {
			err = c.check(at, header)
		}

		if err != nil {
			return nil, fmt.Errorf("page at %d: %w", at, err)
		}

		if p.pagesLeft -= int64(header.UncompressedPageSize); p.pagesLeft < 0 {
			return nil, errors.New("it says to be larger than it can be")
		}

		at += int64(n)

		body, err := p.body(at, header)
		if err == nil {
			err = c.add(header, body)
		}

		if err != nil {
			return nil, fmt.Errorf("page at %d: %w", at, err)
		}

		at += int64(header.CompressedPageSize)
	}

	if int64(len(c.values)) != m.NumValues || c.known != (m.DictionaryPageOffset != 0) {
		return nil, errors.New("a page is missing")
	}

	// A dictionary can have a few long texts that stand for many.
	for _, value := range c.values {
		p.textsLeft -= int64(len(value))
	}

	if p.textsLeft < 0 {
		return nil, errors.New("it is larger than it can be")
	}

	return c.values, nil
}

// header reads a page's header and returns its length.
func (p *parquetReader) header(at, end int64) (*parquetformat.PageHeader, int, error) {
	text := make([]byte, min(maxPageHeader, end-at))
	if err := p.read(text, at); err != nil {
		return nil, 0, err
	}

	var header parquetformat.PageHeader

	n, err := unmarshalThrift(text, &header, "header")
	if err != nil {
		return nil, 0, err
	}

	if header.CompressedPageSize < 0 || int64(header.CompressedPageSize) > end-at-int64(n) ||
		header.UncompressedPageSize < 0 {
		return nil, 0, errors.New("it says to be longer than its column")
	}

	return &header, n, nil
}

// body checks a page's checksum and decompresses it as far as it has to go to know
// that it ends where its header says.
func (p *parquetReader) body(at int64, header *parquetformat.PageHeader) ([]byte, error) {
	compressed := make([]byte, header.CompressedPageSize)
	if err := p.read(compressed, at); err != nil {
		return nil, err
	}

	if crc32.ChecksumIEEE(compressed) != uint32(header.CRC) { //nolint:gosec // The same 32 bits.
		return nil, errors.New("its checksum differs")
	}

	plain, err := p.decompress(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}

	// Grows with what is there, not with what is said to be there.
	var page bytes.Buffer

	size := int64(header.UncompressedPageSize)

	n, err := io.Copy(&page, io.LimitReader(plain, size+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}

	if n != size {
		return nil, fmt.Errorf("it does not have the %d bytes that it says to have", size)
	}

	return page.Bytes(), nil
}

func (p *parquetReader) decompress(compressed io.Reader) (io.Reader, error) {
	switch {
	case p.plain != nil:
		return p.plain, p.plain.Reset(compressed)
	case p.codec == parquetformat.Gzip:
		z, err := gzip.NewReader(compressed)
		if err != nil {
			return nil, err //nolint:wrapcheck // The caller says what failed.
		}

		p.plain = z
	case p.codec == parquetformat.Zstd:
		// A page may be one window.
		z, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxGroup),
			zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err //nolint:wrapcheck // The caller says what failed.
		}

		p.plain = z
	default:
		return compressed, nil
	}

	return p.plain, nil
}

// parquetValues are the values of a column, whose pages have to be those that are
// written: perhaps a dictionary, and then values, one for each row.
type parquetValues struct {
	field  *auditlog.Field
	meta   *parquetformat.ColumnMetaData
	values [][]byte

	seen       bool // any page
	known      bool // the dictionary
	dictionary [][]byte
	announced  int64 // how many values the pages say to have
}

// check checks what a page says of itself.
func (c *parquetValues) check(at int64, h *parquetformat.PageHeader) error {
	first := !c.seen
	c.seen = true

	switch h.Type {
	case parquetformat.DictionaryPage:
		d := h.DictionaryPageHeader
		if c.meta.DictionaryPageOffset == 0 || !first || c.field.Kind == auditlog.KindTime || !d.Valid ||
			d.V.Encoding != parquetformat.Plain ||
			d.V.NumValues < 0 || d.V.NumValues > h.UncompressedPageSize/4 {
			return errors.New("it is not the dictionary that is written")
		}

		c.known = true

		return nil
	case parquetformat.DataPage:
		return c.checkData(at, h)
	default:
		return fmt.Errorf("it is a page of values of type %s", h.Type)
	}
}

func (c *parquetValues) checkData(at int64, h *parquetformat.PageHeader) error {
	d := h.DataPageHeader
	if !d.Valid || d.V.NumValues <= 0 || d.V.DefinitionLevelEncoding != parquetformat.RLE {
		return errors.New("it is not the page of values that is written")
	}

	if d.V.Encoding != parquetformat.Plain && (d.V.Encoding != parquetformat.RLEDictionary || !c.known) {
		return fmt.Errorf("its encoding is %s", d.V.Encoding)
	}

	if c.announced == 0 && at != c.meta.DataPageOffset {
		return errors.New("it is not where the first page of values has to be")
	}

	if c.announced += int64(d.V.NumValues); c.announced > c.meta.NumValues {
		return errors.New("it says to have more values than there are rows")
	}

	return nil
}

// add reads the values of a page that was checked.
func (c *parquetValues) add(h *parquetformat.PageHeader, body []byte) (err error) {
	if h.Type == parquetformat.DictionaryPage {
		c.dictionary, err = plainTexts(body, int(h.DictionaryPageHeader.V.NumValues))

		return err
	}

	n := int(h.DataPageHeader.V.NumValues)
	present := slices.Repeat([]uint32{1}, n)

	if !c.field.Required {
		if present, body, err = levels(body, n); err != nil {
			return err
		}

		n = 0
		for _, level := range present {
			n += int(level)
		}
	}

	var values [][]byte

	switch {
	case h.DataPageHeader.V.Encoding == parquetformat.RLEDictionary:
		values, err = indexed(body, n, c.dictionary)
	case c.field.Kind != auditlog.KindTime:
		values, err = plainTexts(body, n)
	case len(body) != 8*n:
		err = errValues
	default:
		values = slices.Collect(slices.Chunk(body, 8))
	}

	if err != nil {
		return err
	}

	for _, level := range present {
		var value []byte
		if level == 1 {
			value, values = values[0], values[1:]
		}

		c.values = append(c.values, value)
	}

	return nil
}
