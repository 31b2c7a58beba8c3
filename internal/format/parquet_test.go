// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// Every format with every compression, to the byte. New versions of the
// compressors or of the Parquet library may change these files, and then a
// person decides whether that is welcome: evidence that is exported again no
// longer has the checksum that it had.
func TestFiles(t *testing.T) {
	t.Parallel()

	for _, f := range format.All() {
		for _, c := range format.Compressions() {
			if f != format.Parquet && c == format.Uncompressed {
				continue // TestEncoder has them.
			}

			name := "hostile." + format.Extension(f, c)
			if f == format.Parquet {
				name = string(c) + "." + name
			}

			t.Run(name, func(t *testing.T) {
				t.Parallel()

				got, _, err := encodeWith(f, c, nil, auditlogtest.Hostile()...)
				if err != nil {
					t.Fatal(err)
				}

				auditlogtest.Golden(t, name, got)

				if f == format.Parquet {
					auditlogtest.Golden(t, name+".txt", describeParquet(t, got))

					return
				}

				plain, _, err := encodeWith(f, format.Uncompressed, nil, auditlogtest.Hostile()...)
				if err != nil {
					t.Fatal(err)
				}

				if text := decompressed(t, c, got); text != plain {
					t.Errorf("decompressed, it is not the file without compression:\n%s", cmp.Diff(plain, text))
				}
			})
		}
	}
}

func decompressed(t *testing.T, c format.Compression, text string) string {
	t.Helper()

	var (
		r   io.Reader = strings.NewReader(text)
		err error
	)

	switch c {
	case format.Gzip:
		z, gzipErr := gzip.NewReader(r)
		if gzipErr == nil && (z.Name != "" || z.Comment != "" || z.ModTime.Unix() != 0 || z.OS != 255) {
			t.Errorf("the header says %+v", z.Header)
		}

		r, err = z, gzipErr
	case format.Zstd:
		r, err = zstd.NewReader(r)
	default:
	}

	if err != nil {
		t.Fatal(err)
	}

	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}

	return string(plain)
}

func openParquet(t *testing.T, text string) *parquet.File {
	t.Helper()

	f, err := parquet.OpenFile(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}

	return f
}

// describeParquet writes what engines see, and the rows as they see them.
func describeParquet(t *testing.T, text string) string {
	t.Helper()

	var b strings.Builder

	f := openParquet(t, text)
	fmt.Fprintf(&b, "%s\n%s\n", f.Metadata().CreatedBy, f.Schema())

	for i, g := range f.Metadata().RowGroups {
		fmt.Fprintf(&b, "row group %d: %d rows, sorted by %+v\n", i, g.NumRows, g.SortingColumns)

		for _, c := range g.Columns {
			m := c.MetaData
			fmt.Fprintf(&b, "  %s: %s %s, %d null, from %q to %q\n", strings.Join(m.PathInSchema, "."), m.Codec, m.Encoding,
				m.Statistics.NullCount, m.Statistics.MinValue, m.Statistics.MaxValue)
		}
	}

	for _, r := range readRows(t, text) {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}

		fmt.Fprintf(&b, "%s\n", line)
	}

	return b.String()
}

// row is an entry as somebody else would read it.
type row struct {
	ID            string    `parquet:"id"`
	Time          time.Time `parquet:"time,timestamp(microsecond)"`
	Service       string    `parquet:"service"`
	Endpoint      *string   `parquet:"endpoint,optional"`
	Account       *string   `parquet:"account,optional"`
	Action        string    `parquet:"action"`
	Operation     string    `parquet:"operation"`
	ActorType     string    `parquet:"actor_type"`
	ActorID       *string   `parquet:"actor_id,optional"`
	Actor         *string   `parquet:"actor,optional"`
	ResourceType  *string   `parquet:"resource_type,optional"`
	ResourceID    *string   `parquet:"resource_id,optional"`
	ResourceName  *string   `parquet:"resource_name,optional"`
	ScopeType     *string   `parquet:"scope_type,optional"`
	ScopeID       *string   `parquet:"scope_id,optional"`
	ScopeName     *string   `parquet:"scope_name,optional"`
	Origin        *string   `parquet:"origin,optional"`
	AuthType      *string   `parquet:"auth_type,optional"`
	IPAddress     *string   `parquet:"ip_address,optional"`
	UserAgent     *string   `parquet:"user_agent,optional"`
	CorrelationID *string   `parquet:"correlation_id,optional"`
	Message       *string   `parquet:"message,optional"`
	Changes       *string   `parquet:"changes,optional,json"`
	Raw           *string   `parquet:"raw,optional,json"`
}

func readRows(t *testing.T, text string) []row {
	t.Helper()

	rows, err := parquet.Read[row](strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}

	return rows
}

// The library reads what it has not been told about, to the byte.
func TestParquetValues(t *testing.T) {
	t.Parallel()

	for _, c := range format.Compressions() {
		text, _, err := encodeWith(format.Parquet, c, nil, auditlogtest.Hostile()...)
		if err != nil {
			t.Fatal(err)
		}

		rows := readRows(t, text)
		if len(rows) != len(auditlogtest.Hostile()) {
			t.Fatalf("%s: got %d rows", c, len(rows))
		}

		for i, e := range auditlogtest.Hostile() {
			r := rows[i]
			if r.ID != e.ID || !r.Time.Equal(e.Time) || r.Operation != string(e.Operation) {
				t.Errorf("%s: got %+v", c, r)
			}

			for want, got := range map[string]*string{
				valid(e.Actor): r.Actor, valid(e.ScopeID): r.ScopeID, valid(string(e.Raw)): r.Raw, valid(e.UserAgent): r.UserAgent,
			} {
				if want == "" && got != nil || want != "" && (got == nil || *got != want) {
					t.Errorf("%s: got %v, want %q", c, got, want)
				}
			}
		}
	}
}

// Columns are the fields, in their order or the order that was asked for.
func TestParquetColumns(t *testing.T) {
	t.Parallel()

	for _, columns := range [][]string{nil, {"raw", "time", "message", "id"}, {"service"}} {
		text, _, err := encodeWith(format.Parquet, "", columns, auditlogtest.Hostile()...)
		if err != nil {
			t.Fatal(err)
		}

		var got []string
		for _, c := range openParquet(t, text).Root().Columns() {
			got = append(got, c.Name())
		}

		want := columns
		if want == nil {
			want = fieldNames()
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns (-want +got):\n%s", diff)
		}
	}
}

func TestParquetWithoutEntries(t *testing.T) {
	t.Parallel()

	text, notes, err := encodeWith(format.Parquet, "", nil)
	if err != nil || notes != (format.Notes{}) {
		t.Fatal(notes, err)
	}

	if f := openParquet(t, text); f.NumRows() != 0 || len(f.Root().Columns()) != len(auditlog.Fields()) {
		t.Errorf("%d rows, %d columns", f.NumRows(), len(f.Root().Columns()))
	}
}

// A row group says that it is sorted when it is, and then only.
func TestParquetOrder(t *testing.T) {
	t.Parallel()

	const second = time.Second

	for name, c := range map[string]struct {
		columns []string
		times   []time.Duration
		want    string
	}{
		"ascending": {
			nil,
			[]time.Duration{0, second, second, 5 * second},
			"[{ColumnIdx:1 Descending:false NullsFirst:false}]",
		},
		"descending": {
			nil,
			[]time.Duration{second, 0, 0, -second},
			"[{ColumnIdx:1 Descending:true NullsFirst:false}]",
		},
		"one":                 {nil, []time.Duration{0}, "[{ColumnIdx:1 Descending:false NullsFirst:false}]"},
		"neither":             {nil, []time.Duration{0, second, 0}, "[]"},
		"below a microsecond": {nil, []time.Duration{5, 3}, "[{ColumnIdx:1 Descending:false NullsFirst:false}]"},
		"by a microsecond":    {nil, []time.Duration{0, time.Microsecond, 0}, "[]"},
		"another column": {
			[]string{"id", "actor", "time"},
			[]time.Duration{0, second},
			"[{ColumnIdx:2 Descending:false NullsFirst:false}]",
		},
		"no such column": {[]string{"id"}, []time.Duration{0, second}, "[]"},
	} {
		list := make([]auditlog.Entry, 0, len(c.times))
		for _, d := range c.times {
			list = append(list, auditlogtest.Entry("x", func(e *auditlog.Entry) { e.Time = auditlogtest.At.Add(d) }))
		}

		text, _, err := encodeWith(format.Parquet, "", c.columns, list...)
		if err != nil {
			t.Fatal(err)
		}

		f := openParquet(t, text)
		if got := fmt.Sprintf("%+v", f.Metadata().RowGroups[0].SortingColumns); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Row groups end by their rows or by their bytes, each has its own order, and
// nothing is lost in between.
func TestParquetRowGroups(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("one goroutine at a time has no races; make simulate runs this without it")
	}

	short := func(n int) []auditlog.Entry {
		list := make([]auditlog.Entry, n)
		for i := range list {
			list[i] = auditlogtest.Entry(fmt.Sprintf("%08d", i),
				func(e *auditlog.Entry) { e.Time = auditlogtest.At.Add(time.Duration(i) * time.Microsecond) })
		}

		return list
	}

	long := slices.Repeat([]auditlog.Entry{auditlogtest.Entry("x", func(e *auditlog.Entry) {
		e.Raw = json.RawMessage(`{"a":"` + strings.Repeat("long ", 1<<20) + `"}`)
	})}, 15)

	unsorted := short(250_000)
	unsorted[150_000].Time = auditlogtest.At

	for name, c := range map[string]struct {
		list []auditlog.Entry
		want string
	}{
		"rows":  {short(100_001), "100000 true 1 true "},
		"bytes": {long, "7 true 7 true 1 true "},
		"order": {unsorted, "100000 true 100000 false 50000 true "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			text, _, err := encodeWith(format.Parquet, "", nil, c.list...)
			if err != nil {
				t.Fatal(err)
			}

			var got strings.Builder
			for _, g := range openParquet(t, text).Metadata().RowGroups {
				fmt.Fprintf(&got, "%d %v ", g.NumRows, len(g.SortingColumns) > 0)
			}

			if got.String() != c.want {
				t.Errorf("row groups are %q, want %q", got.String(), c.want)
			}

			i := 0

			for e, err := range format.Decode(strings.NewReader(text), int64(len(text)), format.Parquet,
				format.DecoderOptions{}) {
				if err != nil {
					t.Fatal(err)
				}

				if want := c.list[i]; e.ID != want.ID || !e.Time.Equal(want.Time) || string(e.Raw) != string(want.Raw) {
					t.Fatalf("entry %d differs", i)
				}

				i++
			}

			if i != len(c.list) {
				t.Errorf("%d entries came back, want %d", i, len(c.list))
			}
		})
	}
}

// What hardly repeats is not kept in a dictionary for long, and long texts are
// no bounds.
func TestParquetDictionary(t *testing.T) {
	t.Parallel()

	list := make([]auditlog.Entry, 90_000)
	for i := range list {
		list[i] = auditlogtest.Entry(fmt.Sprint(i), func(e *auditlog.Entry) {
			e.CorrelationID = fmt.Sprintf("%036d", i)
			e.Message = strings.Repeat("m", 65)
		})
	}

	text, _, err := encodeWith(format.Parquet, "", nil, list...)
	if err != nil {
		t.Fatal(err)
	}

	want := map[string]string{
		"id":             "DATA_PAGE PLAIN true",
		"correlation_id": "DATA_PAGE PLAIN DATA_PAGE RLE_DICTIONARY DICTIONARY_PAGE PLAIN true",
		"message":        "DATA_PAGE RLE_DICTIONARY DICTIONARY_PAGE PLAIN false",
	}

	for _, c := range openParquet(t, text).Metadata().RowGroups[0].Columns {
		m, path := c.MetaData, strings.Join(c.MetaData.PathInSchema, ".")
		if w, ok := want[path]; ok {
			var got strings.Builder
			for _, s := range m.EncodingStats {
				fmt.Fprintf(&got, "%s %s ", s.PageType, s.Encoding)
			}

			if fmt.Fprint(&got, len(m.Statistics.MinValue) > 0); got.String() != w {
				t.Errorf("%s: got %s, want %s", path, got.String(), w)
			}
		}
	}

	got, err := decode(text, format.Parquet, "", nil)
	if err != nil || len(got) != len(list) {
		t.Fatalf("got %d entries, %v", len(got), err)
	}

	for i := range got {
		if got[i].ID != list[i].ID || got[i].CorrelationID != list[i].CorrelationID || got[i].Message != list[i].Message {
			t.Fatalf("entry %d differs", i)
		}
	}
}

// Nobody may make this program allocate for rows that are not there.
func TestParquetRefusesForeignFiles(t *testing.T) {
	t.Parallel()

	good, _, err := encodeWith(format.Parquet, "", nil, auditlogtest.Hostile()...)
	if err != nil {
		t.Fatal(err)
	}

	write := func(n int, options ...parquet.WriterOption) string {
		var b strings.Builder

		w := parquet.NewGenericWriter[row](&b, append([]parquet.WriterOption{
			parquet.DataPageVersion(1), parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain),
		}, options...)...)
		if _, err := w.Write(make([]row, n)); err != nil {
			t.Fatal(err)
		}

		if err := w.Close(); err != nil {
			t.Fatal(err)
		}

		return b.String()
	}

	zstdPages := parquet.Compression(&parquet.Zstd)

	if got, err := decode(write(3, zstdPages), format.Parquet, "", nil); err != nil || len(got) != 3 {
		t.Errorf("another writer's file: got %d entries, %v", len(got), err)
	}

	for want, text := range map[string]string{
		"row group 1: it says to have 100001 rows and 24 columns":                 write(100_001, zstdPages),
		"row group 1: id: it says to have 3 values in UNCOMPRESSED in file \"\"":  write(3),
		"row group 1: id: page at 4: it is a page of values of type DATA_PAGE_V2": write(3, zstdPages, parquet.DataPageVersion(2)),
		"row group 1: id: page at 4: its encoding is DELTA_LENGTH_BYTE_ARRAY": write(3, zstdPages,
			parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.DeltaLengthByteArray)),
		"column 3 is not service as it is written": strings.ReplaceAll(good, "\x07service",
			"\x07serviCe"),
		"there is no footer":     good + "x",
		"the footer is too long": good[:len(good)-8] + "\xff\xff\xff\xffPAR1",
		"the footer is not one":  good[:len(good)-8] + "\x00\x00\x00\x00PAR1",
	} {
		got, err := decode(text, format.Parquet, "", nil)
		if err == nil || err.Error() != "the file is not what was written: "+want || len(got) > 0 {
			t.Errorf("got %d entries and %v, want %s", len(got), err, want)
		}
	}
}

func TestExtension(t *testing.T) {
	t.Parallel()

	var got []string

	for _, f := range format.All() {
		for _, c := range append(format.Compressions(), f.DefaultCompression()) {
			got = append(got, format.Extension(f, c))
		}

		if format.Extension(f, "") != format.Extension(f, f.DefaultCompression()) {
			t.Errorf("%s: %q is not the default", f, format.Extension(f, ""))
		}
	}

	want := []string{
		"csv", "csv.gz", "csv.zst", "csv", "json", "json.gz", "json.zst", "json",
		"ndjson", "ndjson.gz", "ndjson.zst", "ndjson", "parquet", "parquet", "parquet", "parquet",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
}
