// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	parquetformat "github.com/parquet-go/parquet-go/format"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	// maxGroup is how many bytes the pages of a row group may have: the limit of
	// its texts, one entry beyond that, and some bytes for each value.
	maxGroup = rowGroupBytes + maxEntry + 64<<20
	// maxPageHeader is far more than a header without statistics has.
	maxPageHeader = 1 << 10
	// maxFooter has room for maxGroups groups, each with some KiB.
	maxFooter = 32 << 20
)

// parquetCheck checks what a file says of itself.
type parquetCheck struct {
	r      io.ReaderAt
	fields []auditlog.Field
	pages  pageReader

	page     bytes.Buffer
	at       int64 // where the next column has to begin
	pagesEnd int64 // where pages end at the latest
}

func (p *parquetCheck) file(size int64) error {
	footer, err := p.readFooter(size)
	if err != nil {
		return err
	}

	if n, err := thriftLength(footer); err != nil || n != len(footer) {
		return errors.New("the footer is not one")
	}

	var (
		protocol thrift.CompactProtocol
		meta     parquetformat.FileMetaData
		rows     int64
	)

	if err := thrift.Unmarshal(&protocol, footer, &meta); err != nil {
		return fmt.Errorf("read the footer: %w", err)
	}

	if len(meta.Schema) != 1+len(p.fields) {
		return fmt.Errorf("it has %d columns, not %d", len(meta.Schema)-1, len(p.fields))
	}

	p.at = int64(len(parquetMagic))

	for i := range meta.RowGroups {
		if err := p.group(&meta.RowGroups[i]); err != nil {
			return fmt.Errorf("row group %d: %w", i+1, err)
		}

		rows += meta.RowGroups[i].NumRows
	}

	if rows != meta.NumRows {
		return fmt.Errorf("it says to have %d rows, but its groups have %d", meta.NumRows, rows)
	}

	return nil
}

func (p *parquetCheck) readFooter(size int64) ([]byte, error) {
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

	p.pagesEnd = size - int64(parquetEnd) - length
	footer := make([]byte, length)

	return footer, p.read(footer, p.pagesEnd)
}

func (p *parquetCheck) group(g *parquetformat.RowGroup) error {
	if g.NumRows <= 0 || g.NumRows > rowGroupRows || len(g.Columns) != len(p.fields) {
		return fmt.Errorf("it says to have %d rows and %d columns", g.NumRows, len(g.Columns))
	}

	left := int64(maxGroup)

	for i := range g.Columns {
		used, err := p.chunk(&p.fields[i], &g.Columns[i], g.NumRows, left)
		if err != nil {
			return fmt.Errorf("%s: %w", p.fields[i].Name, err)
		}

		left -= used
	}

	return nil
}

// chunk goes through the pages of a column and returns how many bytes they have
// once decompressed.
func (p *parquetCheck) chunk(f *auditlog.Field, c *parquetformat.ColumnChunk, rows, most int64) (used int64, err error) {
	meta := &c.MetaData

	at := meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		at = meta.DictionaryPageOffset
	}

	if c.FilePath != "" || meta.Codec != p.pages.codec || meta.NumValues != rows {
		return 0, fmt.Errorf("it says to have %d values in %s in file %q", meta.NumValues, meta.Codec, c.FilePath)
	}

	if at != p.at || meta.TotalCompressedSize < 0 || meta.TotalCompressedSize > p.pagesEnd-at {
		return 0, errors.New("it says to be where it cannot be")
	}

	p.at += meta.TotalCompressedSize

	pages := pageWalk{
		field: f, end: at + meta.TotalCompressedSize, dataAt: meta.DataPageOffset, dictionary: meta.DictionaryPageOffset != 0, rows: rows,
	}

	for at < pages.end {
		header, n, err := p.header(at, pages.end)
		if err != nil {
			return 0, fmt.Errorf("page at %d: %w", at, err)
		}

		if err := pages.see(at, header); err != nil {
			return 0, fmt.Errorf("page at %d: %w", at, err)
		}

		size := int64(header.UncompressedPageSize)
		if used += size; used > most {
			return 0, errors.New("it says to be larger than it can be")
		}

		at += int64(n)

		body, err := p.body(at, header)
		if err == nil {
			err = pages.check(header, body)
		}

		if err != nil {
			return 0, fmt.Errorf("page at %d: %w", at, err)
		}

		at += int64(header.CompressedPageSize)
	}

	return used, pages.complete(at)
}

// header reads a page's header and returns its length.
func (p *parquetCheck) header(at, end int64) (*parquetformat.PageHeader, int, error) {
	text := make([]byte, min(maxPageHeader, end-at))
	if err := p.read(text, at); err != nil {
		return nil, 0, err
	}

	n, err := thriftLength(text)
	if err != nil {
		return nil, 0, err
	}

	var (
		protocol thrift.CompactProtocol
		header   parquetformat.PageHeader
	)

	if err := thrift.Unmarshal(&protocol, text[:n], &header); err != nil {
		return nil, 0, fmt.Errorf("read the header: %w", err)
	}

	if header.CompressedPageSize < 0 || int64(header.CompressedPageSize) > end-at-int64(n) || header.UncompressedPageSize < 0 {
		return nil, 0, errors.New("it says to be longer than its column")
	}

	return &header, n, nil
}

// body checks a page's checksum, which the library does not for every page, and
// decompresses it as far as it has to go to know that it ends where its header
// says. It is valid until the next one.
func (p *parquetCheck) body(at int64, header *parquetformat.PageHeader) ([]byte, error) {
	size := int64(header.UncompressedPageSize)
	compressed := io.NewSectionReader(p.r, at, int64(header.CompressedPageSize))

	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, compressed); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}

	if sum.Sum32() != uint32(header.CRC) { //nolint:gosec // The same 32 bits.
		return nil, errors.New("its checksum differs")
	}

	if _, err := compressed.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}

	plain, err := p.pages.open(compressed)
	if err != nil {
		return nil, err
	}

	// Grows with what is there, not with what is said to be there.
	p.page.Reset()

	n, err := io.Copy(&p.page, io.LimitReader(plain, size+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}

	if n != size {
		return nil, fmt.Errorf("it does not have the %d bytes that it says to have", size)
	}

	return p.page.Bytes(), nil
}

// pageReader decompresses one page after the other, for which it keeps what is
// dear to make.
type pageReader struct {
	codec parquetformat.CompressionCodec
	gzip  *gzip.Reader
	zstd  *zstd.Decoder
}

func (p *pageReader) open(r io.Reader) (plain io.Reader, err error) {
	switch {
	case p.codec == parquetformat.Gzip && p.gzip != nil:
		plain, err = p.gzip, p.gzip.Reset(r)
	case p.codec == parquetformat.Gzip:
		p.gzip, err = gzip.NewReader(r)
		plain = p.gzip
	case p.codec == parquetformat.Zstd && p.zstd != nil:
		plain, err = p.zstd, p.zstd.Reset(r)
	case p.codec == parquetformat.Zstd:
		// A page may be one window.
		p.zstd, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxGroup), zstd.WithDecoderLowmem(true))
		plain = p.zstd
	default:
		plain = r
	}

	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}

	return plain, nil
}

func (p *pageReader) close() {
	if p.zstd != nil {
		p.zstd.Close()
	}
}

func (p *parquetCheck) read(b []byte, at int64) error {
	if n, err := p.r.ReadAt(b, at); n < len(b) {
		return fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
	}

	return nil
}

// pageWalk checks that the pages of a column are those that are written: perhaps
// a dictionary, and then values, one for each row.
type pageWalk struct {
	field       *auditlog.Field
	end, dataAt int64
	dictionary  bool
	rows        int64

	seen   bool // any page
	values int64
	texts  int // in the dictionary, once it was seen
	known  bool
}

func (w *pageWalk) see(at int64, h *parquetformat.PageHeader) error {
	first := !w.seen
	w.seen = true

	switch h.Type {
	case parquetformat.DictionaryPage:
		d := h.DictionaryPageHeader
		if !w.dictionary || !first || !d.Valid || d.V.Encoding != parquetformat.Plain || d.V.NumValues < 0 || d.V.NumValues > h.UncompressedPageSize/4 {
			return errors.New("it is not the dictionary that is written")
		}

		w.known, w.texts = true, int(d.V.NumValues)

		return nil
	case parquetformat.DataPage:
		return w.data(at, h)
	default:
		return fmt.Errorf("it is a page of values of type %s", h.Type)
	}
}

func (w *pageWalk) data(at int64, h *parquetformat.PageHeader) error {
	d := h.DataPageHeader
	if !d.Valid || d.V.NumValues <= 0 || d.V.DefinitionLevelEncoding != parquetformat.RLE {
		return errors.New("it is not the page of values that is written")
	}

	if d.V.Encoding != parquetformat.Plain && (d.V.Encoding != parquetformat.RLEDictionary || !w.known) {
		return fmt.Errorf("its encoding is %s", d.V.Encoding)
	}

	if w.values == 0 && at != w.dataAt {
		return errors.New("it is not where the first page of values has to be")
	}

	w.values += int64(d.V.NumValues)
	if w.values > w.rows {
		return errors.New("it says to have more values than there are rows")
	}

	return nil
}

// check checks what is in a page that was seen.
func (w *pageWalk) check(h *parquetformat.PageHeader, body []byte) error {
	if h.Type == parquetformat.DictionaryPage {
		return plainTexts(body, w.texts)
	}

	n := int(h.DataPageHeader.V.NumValues)

	if !w.field.Required {
		var err error
		if body, n, err = levels(body, n); err != nil {
			return err
		}
	}

	switch {
	case h.DataPageHeader.V.Encoding == parquetformat.RLEDictionary:
		return indexes(body, n, int64(w.texts))
	case w.field.Kind != auditlog.KindTime:
		return plainTexts(body, n)
	case len(body) != 8*n:
		return errValues
	default:
		return nil
	}
}

func (w *pageWalk) complete(at int64) error {
	if at != w.end || w.values != w.rows || w.dictionary != w.known {
		return errors.New("a page is missing")
	}

	return nil
}
