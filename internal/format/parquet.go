// SPDX-License-Identifier: MPL-2.0

package format

import (
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// parquetEncoder writes entries as rows in the order in which they come.
type parquetEncoder struct {
	file *parquetFile
	// row hands the values of an entry to the file, in the order of the columns.
	row func(e *auditlog.Entry, file *parquetFile, n *Notes) error

	notes Notes
	count int64
}

func newParquetEncoder(w io.Writer, fields []auditlog.Field, c Compression) *parquetEncoder {
	columns := make([]parquetColumn, 0, len(fields))
	for i := range fields {
		columns = append(columns, columnOf(&fields[i]))
	}

	var values jsonText

	row := func(e *auditlog.Entry, file *parquetFile, n *Notes) error {
		for i := range fields {
			if fields[i].Kind == auditlog.KindTime {
				file.integer(e.Time.UnixMicro())

				continue
			}

			text, err := values.cell(&fields[i], e, n)
			if err != nil {
				return err
			}

			file.text(text)
		}

		return nil
	}

	return &parquetEncoder{file: newParquetFile(w, columns, c), row: row}
}

// fieldID names the one field of strings that never repeats.
const fieldID = "id"

// columnOf says how a field is stored. What is different in (nearly) every row
// gains nothing from a dictionary. JSON is annotated as text like everything else:
// some engines read a column that is annotated as JSON as bytes, or not at all.
func columnOf(f *auditlog.Field) parquetColumn {
	c := parquetColumn{name: f.Name, required: f.Required}

	switch {
	case f.Kind == auditlog.KindTime:
		c.node, c.ordered = parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.Plain), true
	case isJSON(f), f.Name == fieldID:
		c.node = parquet.Encoded(parquet.String(), &parquet.Plain)
	default:
		c.node = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	}

	return c
}

func isJSON(f *auditlog.Field) bool {
	return f.Kind == auditlog.KindChanges || f.Kind == auditlog.KindRaw
}

func (p *parquetEncoder) Notes() Notes { return p.notes }

func (p *parquetEncoder) Encode(e *auditlog.Entry) error {
	p.count++
	p.file.begin()

	if err := p.row(e, p.file, &p.notes); err != nil {
		return fmt.Errorf("entry %d: %w", p.count, err)
	}

	if p.file.size > maxEntry {
		return fmt.Errorf("entry %d: %w", p.count, errEntryTooLarge)
	}

	if err := p.file.add(); err != nil {
		return fmt.Errorf("write entry %d: %w", p.count, err)
	}

	return nil
}

func (p *parquetEncoder) Close() error {
	if err := p.file.close(); err != nil {
		return fmt.Errorf("write the end: %w", err)
	}

	return nil
}

// parquetColumn is a column of a flat table.
type parquetColumn struct {
	name string
	// node says type and encoding.
	node     parquet.Node
	required bool
	// ordered says that rows may turn out to be in the order of this column of
	// integers. At most one column may.
	ordered bool
}

// parquetSchema keeps the columns in their order; parquet.Group sorts them by
// name.
func parquetSchema(columns []parquetColumn) *parquet.Schema {
	group := parquet.Group{}

	for _, c := range columns {
		group[c.name] = c.node
		if !c.required {
			group[c.name] = parquet.Optional(c.node)
		}
	}

	fields := make([]parquet.Field, len(columns))

	for _, f := range group.Fields() {
		i := slices.IndexFunc(columns, func(c parquetColumn) bool { return c.name == f.Name() })
		fields[i] = f
	}

	return parquet.NewSchema("entry", orderedGroup{Group: group, fields: fields})
}

type orderedGroup struct {
	parquet.Group

	fields []parquet.Field
}

// Fields implements parquet.Node.
func (g orderedGroup) Fields() []parquet.Field { return g.fields }
