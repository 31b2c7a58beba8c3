// SPDX-License-Identifier: MPL-2.0

package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	parquetformat "github.com/parquet-go/parquet-go/format"
)

const (
	// parquetCreator is the same for every version of the provider, so that the
	// same entries give the same bytes. It has the form that readers parse.
	parquetCreator = "terraform-provider-audit version 1"

	// A row group ends at either limit; until then its compressed pages are in
	// memory. Engines read row groups in parallel and skip them by their bounds.
	rowGroupRows  = 100_000
	rowGroupBytes = 32 << 20
	// maxGroups bounds the footer, which is in memory as a whole. It is reached
	// with 80 GB of text or 250 million entries.
	maxGroups = 2500
	// A dictionary that grows beyond this is given up for the rest of the group.
	dictionaryBytes = 1 << 20
	// Rows are handed over in batches, which bounds a page: pages are cut
	// between batches.
	batchRows  = 64
	batchBytes = 256 << 10
	// Bounds of a column are left out of the footer when one of them is longer.
	boundBytes = 64
)

// parquetFile writes a flat table. Data pages are of version 1, which every
// reader understands.
type parquetFile struct {
	columns []parquetColumn
	ordered int // -1 when no column is
	out     *heldWriter
	w       *parquet.GenericWriter[any]

	// batch has the rows that are not handed over; those behind its length are
	// used again.
	batch      []parquet.Row
	batchBytes int
	// row is the one that is being filled, of about size bytes.
	row  parquet.Row
	size int

	groupRows  int
	groupBytes int
	order      order
	orders     []order // of the groups that have ended
}

// order says whether the rows of a group follow each other in the ordered
// column. Equal values are in either order.
type order struct {
	last                        int64
	notAscending, notDescending bool
}

func (o *order) see(value int64, first bool) {
	if !first {
		o.notAscending = o.notAscending || value < o.last
		o.notDescending = o.notDescending || value > o.last
	}

	o.last = value
}

func newParquetFile(w io.Writer, columns []parquetColumn, c Compression) *parquetFile {
	p := &parquetFile{
		columns: columns,
		ordered: slices.IndexFunc(columns, func(c parquetColumn) bool { return c.ordered }),
		batch:   make([]parquet.Row, 0, batchRows),
		out:     &heldWriter{w: w},
	}

	p.w = parquet.NewGenericWriter[any](p.out, parquetSchema(columns),
		parquet.Compression(parquetCodec(c)),
		parquet.DataPageVersion(1),
		// Bounds are in the page index and the footer; within page headers they
		// would repeat whole values.
		parquet.DataPageStatistics(false),
		parquet.DictionaryMaxBytes(dictionaryBytes),
		&parquet.WriterConfig{CreatedBy: parquetCreator},
	)

	return p
}

func parquetCodec(c Compression) compress.Codec {
	switch c {
	case Gzip:
		return &parquet.Gzip
	case Zstd:
		return &pageCodec{}
	default:
		return &parquet.Uncompressed
	}
}

// pageWindow is how far back within a page zstd looks for what it has seen. All pages are
// smaller, but for those with values of a megabyte.
const pageWindow = 2 << 20

// pageCodec is the library's Zstd with no more memory than pages need: that of the library
// keeps 16 MiB of what it has compressed, for pages that know nothing of each other.
type pageCodec struct {
	parquetzstd.Codec

	encoder *zstd.Encoder
}

// Encode implements compress.Codec. Pages are written one after the other.
func (c *pageCodec) Encode(dst, src []byte) ([]byte, error) {
	if c.encoder == nil {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(pageWindow), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("begin: %w", err)
		}

		c.encoder = encoder
	}

	return c.encoder.EncodeAll(src, dst[:0]), nil
}

// begin begins a row, which takes the place of one that was not added.
func (p *parquetFile) begin() { p.row, p.size = p.batch[:len(p.batch)+1][len(p.batch)][:0], 0 }

// integer sets the next column of the row, which is one of integers.
func (p *parquetFile) integer(v int64) {
	p.row = append(p.row, parquet.Int64Value(v).Level(0, 0, len(p.row)))
	p.size += 8
}

// text sets the next column of the row, which is one of strings: null for "" where the
// column may be null.
func (p *parquetFile) text(text string) {
	column, v, level := len(p.row), parquet.ValueOf(text), 1

	switch {
	case p.columns[column].required:
		level = 0
	case text == "":
		v, level = parquet.NullValue(), 0
	}

	p.row = append(p.row, v.Level(0, level, column))
	p.size += len(text)
}

// add takes the row that was filled. Rows are written later.
func (p *parquetFile) add() error {
	p.batch = append(p.batch, p.row)
	p.batchBytes += p.size

	if p.ordered >= 0 {
		p.order.see(p.row[p.ordered].Int64(), p.groupRows == 0)
	}

	p.groupRows++
	p.groupBytes += p.size

	if p.groupRows >= rowGroupRows || p.groupBytes >= rowGroupBytes {
		return p.endGroup()
	}

	if len(p.batch) == batchRows || p.batchBytes >= batchBytes {
		return p.handOver()
	}

	return nil
}

func (p *parquetFile) handOver() error {
	if _, err := p.w.WriteRows(p.batch); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}

	for _, row := range p.batch {
		clear(row) // Lets go of the texts.
	}

	p.batch, p.batchBytes = p.batch[:0], 0

	return nil
}

func (p *parquetFile) endGroup() error {
	if p.groupRows == 0 {
		return nil
	}

	if len(p.orders) == maxGroups {
		return errors.New("there are too many entries for one Parquet file")
	}

	if err := p.handOver(); err != nil {
		return err
	}

	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write a row group: %w", err)
	}

	p.orders = append(p.orders, p.order)
	p.order, p.groupRows, p.groupBytes = order{}, 0, 0

	return nil
}

// close writes the page index and the footer. What is only known of a row group
// once it is complete is put into the footer here, since the library asks for it
// before the first row.
func (p *parquetFile) close() error {
	if err := p.endGroup(); err != nil {
		return err
	}

	p.out.hold = true

	if err := p.w.Close(); err != nil {
		return fmt.Errorf("write the footer: %w", err)
	}

	held := p.out.held.Bytes()

	length, err := footerLength(held)
	if err != nil {
		return err
	}

	at := len(held) - parquetEnd - int(length)

	footer, err := p.amend(held[at : len(held)-parquetEnd])
	if err != nil {
		return err
	}

	rest := append(slices.Clip(held[:at]), footer...)
	rest = binary.LittleEndian.AppendUint32(rest, uint32(len(footer))) //nolint:gosec // A footer has some KiB for each row group.
	rest = append(rest, parquetMagic...)

	if _, err := p.out.w.Write(rest); err != nil {
		return fmt.Errorf("write the footer: %w", err)
	}

	return nil
}

func (p *parquetFile) amend(footer []byte) ([]byte, error) {
	var (
		protocol thrift.CompactProtocol
		meta     parquetformat.FileMetaData
	)

	if err := thrift.Unmarshal(&protocol, footer, &meta); err != nil {
		return nil, fmt.Errorf("read the footer again: %w", err)
	}

	if len(meta.RowGroups) != len(p.orders) {
		return nil, fmt.Errorf("%d row groups were written, but the footer has %d", len(p.orders), len(meta.RowGroups))
	}

	for i := range meta.RowGroups {
		group, o := &meta.RowGroups[i], p.orders[i]

		if p.ordered >= 0 && (!o.notAscending || !o.notDescending) {
			group.SortingColumns = thrift.Slice[parquetformat.SortingColumn]{
				{ColumnIdx: int32(p.ordered), Descending: o.notAscending}, //nolint:gosec // A column's position.
			}
		}

		for j := range group.Columns {
			s := &group.Columns[j].MetaData.Statistics
			if len(s.MinValue) > boundBytes || len(s.MaxValue) > boundBytes {
				s.MinValue, s.MaxValue = nil, nil
			}
		}
	}

	footer, err := thrift.Marshal(&protocol, &meta)
	if err != nil {
		return nil, fmt.Errorf("write the footer again: %w", err)
	}

	return footer, nil
}

const (
	parquetMagic = "PAR1"
	// parquetEnd is the length of the footer and the magic.
	parquetEnd = 4 + len(parquetMagic)
)

// footerLength reads the end of a file.
func footerLength(end []byte) (int64, error) {
	if len(end) < parquetEnd || !bytes.HasSuffix(end, []byte(parquetMagic)) {
		return 0, errors.New("there is no footer")
	}

	return int64(binary.LittleEndian.Uint32(end[len(end)-parquetEnd:])), nil
}

// heldWriter passes writes on until it is told to hold them back.
type heldWriter struct {
	w    io.Writer
	hold bool
	held bytes.Buffer
}

func (h *heldWriter) Write(p []byte) (int, error) {
	if h.hold {
		return h.held.Write(p) //nolint:wrapcheck // Never fails.
	}

	return h.w.Write(p) //nolint:wrapcheck // Its own error, unchanged.
}
