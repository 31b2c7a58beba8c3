// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	parquetformat "github.com/parquet-go/parquet-go/format"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// forge rewrites a Parquet file without compression: pages and footer as they
// are made to be, and everything else so that it fits: checksums, lengths,
// offsets. Whoever wants to harm a reader does that.
func forge(
	text []byte, page func(n int, h *parquetformat.PageHeader, body []byte) []byte,
	footer func(*parquetformat.FileMetaData),
) ([]byte, error) {
	var (
		protocol thrift.CompactProtocol
		meta     parquetformat.FileMetaData
		out      = []byte("PAR1")
		n        = 0
	)

	end := len(text) - 8 - int(binary.LittleEndian.Uint32(text[len(text)-8:]))
	if err := thrift.Unmarshal(&protocol, text[end:len(text)-8], &meta); err != nil {
		return nil, err
	}

	for i := range meta.RowGroups {
		for j := range meta.RowGroups[i].Columns {
			c := &meta.RowGroups[i].Columns[j]
			m := &c.MetaData
			at := int(m.DataPageOffset)

			if m.DictionaryPageOffset != 0 {
				at, m.DictionaryPageOffset = int(m.DictionaryPageOffset), int64(len(out))
			}

			stop, start := at+int(m.TotalCompressedSize), len(out)

			for at < stop {
				var h parquetformat.PageHeader

				r := bytes.NewReader(text[at:stop])
				if err := thrift.NewDecoder(protocol.NewReader(r)).Decode(&h); err != nil {
					return nil, err
				}

				at = stop - r.Len()
				body := bytes.Clone(text[at : at+int(h.CompressedPageSize)])
				at += len(body)

				if h.Type == parquetformat.DataPage && int64(len(out)) != m.DictionaryPageOffset {
					m.DataPageOffset = int64(len(out))
				}

				body = page(n, &h, body)
				n++

				h.CompressedPageSize, h.UncompressedPageSize = int32(len(body)), int32(len(body))
				h.CRC = int32(crc32.ChecksumIEEE(body))

				head, err := thrift.Marshal(&protocol, &h)
				if err != nil {
					return nil, err
				}

				out = append(append(out, head...), body...)
			}

			m.TotalCompressedSize = int64(len(out) - start)
			c.ColumnIndexOffset, c.ColumnIndexLength, c.OffsetIndexOffset, c.OffsetIndexLength = 0, 0, 0, 0
		}
	}

	footer(&meta)

	tail, err := thrift.Marshal(&protocol, &meta)
	if err != nil {
		return nil, err
	}

	out = append(out, tail...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(tail)))

	return append(out, "PAR1"...), nil
}

func samePage(_ int, _ *parquetformat.PageHeader, body []byte) []byte { return body }

func TestForgedParquet(t *testing.T) {
	t.Parallel()

	text, _, err := encodeWith(format.Parquet, format.Uncompressed, nil, auditlogtest.Hostile()...)
	if err != nil {
		t.Fatal(err)
	}

	all, err := decode(text, format.Parquet, format.Uncompressed, nil)
	if err != nil {
		t.Fatal(err)
	}

	for want, c := range map[string]struct {
		page   func(n int, h *parquetformat.PageHeader, body []byte) []byte
		footer func(*parquetformat.FileMetaData)
	}{
		"": {},
		"row group 1: it says to have 1099511627776 rows and 24 columns": {
			footer: func(m *parquetformat.FileMetaData) { m.RowGroups[0].NumRows = 1 << 40 },
		},
		"row group 1: it says to have 5 rows and 23 columns": {footer: func(m *parquetformat.FileMetaData) {
			m.RowGroups[0].Columns = m.RowGroups[0].Columns[1:]
		}},
		"it says to have 6 rows, but its groups have 5": {footer: func(m *parquetformat.FileMetaData) { m.NumRows = 6 }},
		"it has 25 columns, not 24": {
			footer: func(m *parquetformat.FileMetaData) { m.Schema = append(m.Schema, m.Schema[1]) },
		},
		"row group 2: id: it says to be where it cannot be": {footer: func(m *parquetformat.FileMetaData) {
			m.RowGroups = append(m.RowGroups, m.RowGroups[0])
		}},
		"row group 1: id: it says to be where it cannot be": {
			footer: func(m *parquetformat.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalCompressedSize = 1 << 62 },
		},
		"row group 1: time: it says to have 5 values in UNCOMPRESSED in file \"/etc/passwd\"": {footer: func(m *parquetformat.FileMetaData) {
			m.RowGroups[0].Columns[1].FilePath = "/etc/passwd"
		}},
		"row group 1: id: page at 4: it says to have more values than there are rows": {page: func(_ int, h *parquetformat.PageHeader, body []byte) []byte {
			h.DataPageHeader.V.NumValues = 1 << 30

			return body
		}},
		"row group 1: service: page at 155: it is not the dictionary that is written": {page: func(_ int, h *parquetformat.PageHeader, body []byte) []byte {
			if h.Type == parquetformat.DictionaryPage {
				h.DictionaryPageHeader.V.NumValues = 1 << 30
			}

			return body
		}},
		"row group 1: id: a page is missing": {page: func(n int, h *parquetformat.PageHeader, body []byte) []byte {
			if n > 0 {
				return body
			}

			h.DataPageHeader.V.NumValues--

			return body[:len(body)-len("\x05\x00\x00\x00least")]
		}},
		"row group 1: time: page at 115: its values are not one for each row that has one": {page: func(n int, _ *parquetformat.PageHeader, body []byte) []byte {
			if n == 1 {
				return body[1:]
			}

			return body
		}},
		"row group 1: service: page at 211: its values are not in the dictionary": {page: func(n int, _ *parquetformat.PageHeader, body []byte) []byte {
			if n == 3 {
				return []byte("\x08\x0a\x01") // Five times the text after the only one.
			}

			return body
		}},
		"row group 1: service: page at 211: its values are not one for each row that has one": {page: func(n int, _ *parquetformat.PageHeader, body []byte) []byte {
			if n == 3 {
				return []byte("\x08\xfe\xff\xff\xff\x0f\x00") // Two billion times the only text.
			}

			return body
		}},
		"row group 1: actor_id: page at 724: its levels are not one for each row": {page: func(n int, _ *parquetformat.PageHeader, body []byte) []byte {
			if n == 15 {
				return append([]byte("\x06\x00\x00\x00\xfe\xff\xff\xff\x0f\x01"), body...)
			}

			return body
		}},
		"5 rows before the end of a group: raw: the raw record is not a JSON object": {page: func(_ int, _ *parquetformat.PageHeader, body []byte) []byte {
			return bytes.Replace(body, []byte("1.50e+3"), []byte("1.50e+e"), 1)
		}},
		"5 rows before the end of a group: actor: it is not UTF-8": {
			page: func(_ int, _ *parquetformat.PageHeader, body []byte) []byte {
				return bytes.Replace(body, []byte("ci-token"), []byte("ci-\xff\xfe\xfden"), 1)
			},
		},
		"5 rows before the end of a group: changes: {\"field\": is not where it has to be": {page: func(_ int, _ *parquetformat.PageHeader, body []byte) []byte {
			return bytes.Replace(body, []byte(`[{"field"`), []byte(`[{"Field"`), 1)
		}},
	} {
		if c.page == nil {
			c.page = samePage
		}

		if c.footer == nil {
			c.footer = func(*parquetformat.FileMetaData) {}
		}

		forged, err := forge([]byte(text), c.page, c.footer)
		if err != nil {
			t.Fatal(err)
		}

		got, err := decode(string(forged), format.Parquet, format.Uncompressed, nil)

		switch {
		case want == "" && (err != nil || !cmp.Equal(all, got)):
			t.Errorf("forged into itself: %v", err)
		case want != "" && (err == nil || err.Error() != "the file is not what was written: "+want || len(got) > 0):
			t.Errorf("got %d entries and %v, want %s", len(got), err, want)
		}
	}
}

// A text of a dictionary is there once, but may stand for as much as every row can hold.
func TestForgedDictionary(t *testing.T) {
	t.Parallel()

	text, _, err := encodeWith(format.Parquet, format.Uncompressed, nil, slices.Repeat(auditlogtest.Hostile(), 100)...)
	if err != nil {
		t.Fatal(err)
	}

	long := append(binary.LittleEndian.AppendUint32(nil, 1<<20), bytes.Repeat([]byte("a"), 1<<20)...)

	forged, err := forge([]byte(text), func(_ int, h *parquetformat.PageHeader, body []byte) []byte {
		if h.Type == parquetformat.DictionaryPage && h.DictionaryPageHeader.V.NumValues == 1 {
			return long
		}

		return body
	}, func(*parquetformat.FileMetaData) {})
	if err != nil {
		t.Fatal(err)
	}

	got, err := decode(string(forged), format.Parquet, format.Uncompressed, nil)
	if err == nil || err.Error() != "the file is not what was written: row group 1: service: it is larger than it can be" || len(got) > 0 {
		t.Errorf("got %d entries and %v", len(got), err)
	}
}

// FuzzForgedParquet writes bytes into pages, whose checksums then fit.
func FuzzForgedParquet(f *testing.F) {
	text, _, err := encodeWith(format.Parquet, format.Uncompressed, nil, auditlogtest.Hostile()...)
	if err != nil {
		f.Fatal(err)
	}

	for n := range 40 {
		f.Add(n, 0, []byte{0xff, 0xff, 0xff, 0x7f}, int32(5), int32(8))
		f.Add(n, 4, []byte{0x80}, int32(0), int32(0))
	}

	f.Fuzz(func(t *testing.T, at, offset int, change []byte, values, encoding int32) {
		forged, err := forge([]byte(text), func(n int, h *parquetformat.PageHeader, body []byte) []byte {
			if n != at {
				return body
			}

			if offset >= 0 && offset <= len(body) && len(change) < 1<<16 {
				body = slices.Replace(body, offset, min(len(body), offset+len(change)), change...)
			}

			h.DataPageHeader.V.NumValues, h.DataPageHeader.V.Encoding = values, parquetformat.Encoding(encoding)
			h.DictionaryPageHeader.V.NumValues = values

			return body
		}, func(*parquetformat.FileMetaData) {})
		if err != nil {
			t.Skip(err)
		}

		checkDecoded(t, forged, format.Parquet, format.Uncompressed)
	})
}

// A list has at least as many bytes as elements.
func TestForgedLists(t *testing.T) {
	t.Parallel()

	for _, footer := range []string{
		"\x29\xfc\xff\xff\xff\xff\x07\x00",                 // a list of 2^31-1 structs
		"\x2b\xff\xff\xff\xff\x07\x88",                     // a map
		"\x28\xff\xff\xff\xff\x0f",                         // a text of 4 GiB
		string(bytes.Repeat([]byte{0x1c}, 1000)),           // structs within structs
		string(bytes.Repeat([]byte{0x19}, 1000)),           // lists within lists
		"\x29\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", // a length that never ends
	} {
		text := "PAR1" + footer + string(binary.LittleEndian.AppendUint32(nil, uint32(len(footer)))) + "PAR1"

		got, err := decode(text, format.Parquet, "", nil)
		if !errors.Is(err, format.ErrUnreadable) ||
			fmt.Sprint(err) != "the file is not what was written: the footer is not one" || len(got) > 0 {
			t.Errorf("%x: got %d entries and %v", footer[:min(10, len(footer))], len(got), err)
		}
	}
}
