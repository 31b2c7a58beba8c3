// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

func encode(f format.Format, columns []string, safe bool, entries ...auditlog.Entry) (string, format.Notes, error) {
	var b bytes.Buffer

	enc, err := format.NewEncoder(&b, f, columns, format.EncoderOptions{SpreadsheetSafe: safe})
	if err != nil {
		return "", format.Notes{}, err
	}

	for i := range entries {
		if err := enc.Encode(&entries[i]); err != nil {
			return b.String(), enc.Notes(), err
		}
	}

	err = enc.Close()

	return b.String(), enc.Notes(), err
}

func fieldNames() []string {
	fields := auditlog.Fields()
	names := make([]string, 0, len(fields))

	for _, f := range fields {
		names = append(names, f.Name)
	}

	return names
}

func TestEncoder(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		format format.Format
		safe   bool
		notes  format.Notes
	}{
		"exact.csv": {format.CSV, false, format.Notes{CharactersReplaced: 8}},
		"safe.csv":  {format.CSV, true, format.Notes{CellsNeutralised: 12, CharactersReplaced: 8}},
		// In JSON a NUL can be written, so it is.
		"array.json":   {format.JSON, true, format.Notes{CharactersReplaced: 6}},
		"lines.ndjson": {format.NDJSON, false, format.Notes{CharactersReplaced: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, notes, err := encode(c.format, nil, c.safe, auditlogtest.Hostile()...)
			if err != nil {
				t.Fatal(err)
			}

			auditlogtest.Golden(t, name, got)

			if diff := cmp.Diff(c.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncoderWithoutEntries(t *testing.T) {
	t.Parallel()

	for f, want := range map[format.Format]string{
		format.CSV: strings.Join(fieldNames(), ",") + "\r\n", format.JSON: "[]\n", format.NDJSON: "",
	} {
		got, _, err := encode(f, nil, true)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", f, got, err, want)
		}
	}
}

func TestEncoderColumns(t *testing.T) {
	t.Parallel()

	e := auditlogtest.Entry("x", func(e *auditlog.Entry) { e.Message = "m" })

	for f, want := range map[format.Format]string{
		format.CSV:    "message,id,raw\r\n" + strings.Repeat("m,x,\r\n", 2),
		format.JSON:   "[\n{\"message\":\"m\",\"id\":\"x\",\"raw\":null},\n{\"message\":\"m\",\"id\":\"x\",\"raw\":null}\n]\n",
		format.NDJSON: "{\"message\":\"m\",\"id\":\"x\",\"raw\":null}\n{\"message\":\"m\",\"id\":\"x\",\"raw\":null}\n",
	} {
		got, _, err := encode(f, []string{"message", "id", "raw"}, true, e, e)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", f, got, err, want)
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	t.Parallel()

	for want, c := range map[string]struct {
		format  format.Format
		columns []string
	}{
		`unknown format "xml"`:             {"xml", nil},
		`unknown format "Parquet"`:         {"Parquet", nil},
		`no columns`:                       {format.CSV, []string{}},
		`unknown column "nope"`:            {format.JSON, []string{"id", "nope"}},
		`column "id" is given twice`:       {format.CSV, []string{"id", "time", "id"}},
		`unknown column "Id"`:              {format.NDJSON, []string{"Id"}},
		`unknown column "id,time"`:         {format.CSV, []string{"id,time"}},
		`unknown column "operation\r\nid"`: {format.CSV, []string{"operation\r\nid"}},
	} {
		_, err := format.NewEncoder(io.Discard, c.format, c.columns, format.EncoderOptions{})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}

	for _, f := range format.All() {
		_, err := format.NewEncoder(io.Discard, f, nil, format.EncoderOptions{Compression: "lz4"})
		if err == nil || err.Error() != `unknown compression "lz4"` {
			t.Errorf("%s: got %v", f, err)
		}
	}
}

// One list rules them all.
func TestColumnsAreFields(t *testing.T) {
	t.Parallel()

	text, _, err := encode(format.CSV, nil, false, auditlogtest.Hostile()...)
	if err != nil {
		t.Fatal(err)
	}

	header, _, _ := strings.Cut(text, "\r\n")
	if diff := cmp.Diff(strings.Join(fieldNames(), ","), header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}

	text, _, err = encode(format.NDJSON, nil, false, auditlogtest.Hostile()...)
	if err != nil {
		t.Fatal(err)
	}

	for line := range strings.Lines(text) {
		if diff := cmp.Diff(fieldNames(), keys(t, line)); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
}

// keys returns the keys of an object in their order.
func keys(t *testing.T, object string) []string {
	t.Helper()

	d := json.NewDecoder(strings.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}

	var keys []string

	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}

		keys = append(keys, fmt.Sprint(key))

		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}

	return keys
}

// A record that is not an object must not become a broken file.
func TestBrokenRaw(t *testing.T) {
	t.Parallel()

	for _, raw := range []string{"{", "[]", "null", " ", `{"a":1}{}`, `{"a":1},{"b":2}`, "{\"a\":\"\n\"}", "{\xff}", "}"} {
		for _, f := range format.All() {
			good := auditlogtest.Entry("good", nil)
			bad := auditlogtest.Entry("secret-id", func(e *auditlog.Entry) { e.Raw = json.RawMessage(raw) })

			whole, _, err := encode(f, nil, false, good)
			if err != nil {
				t.Fatal(err)
			}

			got, _, err := encode(f, nil, false, good, bad)
			if err == nil || !strings.HasPrefix(err.Error(), "entry 2: the raw record is not a JSON object") {
				t.Errorf("%s, %q: got error %v", f, raw, err)
			}

			if !strings.HasPrefix(whole, got) {
				t.Errorf("%s, %q: a part of the entry was written: %q", f, raw, got)
			}
		}
	}
}

// Readers skip empty lines, and an entry must not be skipped.
func TestLoneEmptyCell(t *testing.T) {
	t.Parallel()

	got, _, err := encode(format.CSV, []string{"actor"}, true, auditlogtest.Entry("a", nil), auditlogtest.Entry("b", nil))
	if want := "actor\r\n\"\"\r\n\"\"\r\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

type brokenWriter struct{ left int }

var errDisk = errors.New("disk on fire")

func (w *brokenWriter) Write(p []byte) (int, error) {
	w.left--
	if w.left < 0 {
		return 0, errDisk
	}

	return len(p), nil
}

func TestEncoderPassesWriteErrorsOn(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		format      format.Format
		compression format.Compression
		writes      int
	}{
		{format.CSV, format.Uncompressed, 3},
		{format.JSON, format.Uncompressed, 3},
		{format.NDJSON, format.Uncompressed, 2},
		{format.NDJSON, format.Gzip, 3},
		{format.NDJSON, format.Zstd, 1},
		{format.Parquet, format.Uncompressed, 1},
	} {
		for n := range c.writes {
			err := func() error {
				enc, err := format.NewEncoder(&brokenWriter{left: n}, c.format, nil,
					format.EncoderOptions{Compression: c.compression})
				if err != nil {
					return err
				}

				for range 2 {
					e := auditlogtest.Entry("x", nil)
					if err := enc.Encode(&e); err != nil {
						return err
					}
				}

				return enc.Close()
			}()
			if !errors.Is(err, errDisk) {
				t.Errorf("%s, %s, write %d: got %v", c.format, c.compression, n, err)
			}
		}
	}
}

// valid is what remains of a text that holds bytes which are not UTF-8.
func valid(text string) string { return string([]rune(text)) }

func texts() *rapid.Generator[string] {
	pieces := rapid.SampledFrom([]string{
		"=", "+", "-", "@", "＝", "\u00a0", "|", "\t", "\r", "\n", "\r\n", `"`, `""`, ",", ";", "'", " ", "\x00", "\xff",
		"\xc3", "\ufffd", "\ufeff",
		"\u2028", "é", "🔥", "a", "1", `\`, "</script>", "\x1b",
	})

	return rapid.OneOf(
		rapid.Just(""),
		rapid.String(),
		rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(pieces, 0, 8).Draw(t, "pieces"), "") }),
		rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }),
	)
}

func entries() *rapid.Generator[auditlog.Entry] {
	optional := rapid.Ptr(texts(), true)

	return rapid.Custom(func(t *rapid.T) auditlog.Entry {
		e := auditlog.Entry{Time: auditlogtest.At}

		for _, field := range []*string{
			&e.ID, &e.Service, &e.Action, &e.ActorID, &e.Actor, &e.ResourceType, &e.ResourceID, &e.ResourceName, &e.ScopeType,
			&e.ScopeID, &e.ScopeName, &e.Origin, &e.AuthType, &e.IPAddress, &e.UserAgent, &e.CorrelationID, &e.Message,
		} {
			*field = texts().Draw(t, "text")
		}

		e.Operation = rapid.SampledFrom(auditlog.Operations()).Draw(t, "operation")
		e.ActorType = auditlog.ActorUnknown

		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			e.Changes = append(e.Changes, auditlog.Change{
				Field: texts().Draw(t, "field"), Before: optional.Draw(t, "before"), After: optional.Draw(t, "after"),
			})
		}

		if rapid.Bool().Draw(t, "has raw") {
			record := map[string]any{}
			for range rapid.IntRange(0, 3).Draw(t, "keys") {
				record[texts().Draw(t, "key")] = texts().Draw(t, "value")
			}

			raw, err := json.MarshalIndent(record, "\t", "  ")
			if err != nil {
				t.Fatal(err)
			}

			e.Raw = bytes.ReplaceAll(raw, []byte("é"), []byte("\xff"))
		}

		return e
	})
}

// wantText is a field as JSON text or plain text, valid but otherwise exact.
func wantText(t require, f *auditlog.Field, e *auditlog.Entry) string {
	if f.Kind != auditlog.KindChanges || len(e.Changes) == 0 {
		return valid(f.Text(e))
	}

	changes := make([]auditlog.Change, 0, len(e.Changes))

	for _, c := range e.Changes {
		c.Field = valid(c.Field)
		for _, p := range []**string{&c.Before, &c.After} {
			if *p != nil {
				*p = new(valid(**p))
			}
		}

		changes = append(changes, c)
	}

	var b bytes.Buffer

	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)

	if err := enc.Encode(changes); err != nil {
		t.Fatalf("%v", err)
	}

	return strings.TrimSuffix(b.String(), "\n")
}

type require interface {
	Fatalf(format string, args ...any)
}

func checkCSV(t require, columns []string, safe bool, list []auditlog.Entry) {
	text, notes, err := encode(format.CSV, columns, safe, list...)
	if err != nil {
		t.Fatalf("%v", err)
	}

	var (
		want     = append(make([][]string, 0, 1+len(list)), columns)
		replaced int64
		marked   int64
	)

	for i := range list {
		record := make([]string, 0, len(columns))

		for _, name := range columns {
			f, _ := auditlog.FieldByName(name)
			cell := wantText(t, &f, &list[i])
			replaced += int64(strings.Count(cell, "\x00"))
			cell = strings.ReplaceAll(cell, "\x00", "\ufffd")

			if f.Kind == auditlog.KindChanges {
				for _, c := range list[i].Changes {
					for _, p := range []*string{&c.Field, c.Before, c.After} {
						if p != nil {
							replaced += int64(strings.Count(valid(*p), "\ufffd") - strings.Count(*p, "\ufffd"))
						}
					}
				}
			} else {
				replaced += int64(strings.Count(valid(f.Text(&list[i])), "\ufffd") - strings.Count(f.Text(&list[i]), "\ufffd"))
			}

			if harmless := neutralised(cell); safe && harmless != cell {
				marked++
				cell = harmless
			}

			record = append(record, cell)
		}

		want = append(want, record)
	}

	got, err := parseCSV(text)
	if err != nil {
		t.Fatalf("not RFC 4180: %v\n%q", err, text)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read back strictly (-want +got):\n%s", diff)
	}

	if notes.CharactersReplaced != replaced || notes.CellsNeutralised != marked {
		t.Fatalf("got %+v, want %d cells and %d characters", notes, marked, replaced)
	}

	// encoding/csv takes every CRLF for a line feed, also inside cells.
	for _, record := range want {
		for i := range record {
			record[i] = strings.ReplaceAll(record[i], "\r\n", "\n")
		}
	}

	r := csv.NewReader(strings.NewReader(text))

	got, err = r.ReadAll()
	if err != nil {
		t.Fatalf("encoding/csv: %v\n%q", err, text)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read back by encoding/csv (-want +got):\n%s", diff)
	}
}

var formulas = regexp.MustCompile(`(^|[;|\t\r\n])(["\p{Z}\p{Cc}\p{Cf}]*)([-=+@−＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋﬩])`)

// neutralised is a cell in a file that is divided by commas.
func neutralised(cell string) string {
	safe := formulas.ReplaceAllString(cell, "$1$2'$3")
	if strings.IndexAny(cell, "\t\r\n") == 0 {
		safe = "'" + safe
	}

	return safe
}

// parseCSV reads RFC 4180 to the letter: CRLF ends a record, quotes are around a
// whole field and doubled inside, and an unquoted field holds none of , " CR LF.
func parseCSV(text string) ([][]string, error) {
	var (
		records [][]string
		record  []string
	)

	for text != "" {
		var field strings.Builder

		if quoted, ok := strings.CutPrefix(text, `"`); ok {
			text = quoted

			for {
				before, after, found := strings.Cut(text, `"`)
				if !found {
					return nil, errors.New("no closing quote")
				}

				field.WriteString(before)

				if text, ok = strings.CutPrefix(after, `"`); !ok {
					break
				}

				field.WriteByte('"')
			}
		} else {
			end := strings.IndexAny(text, ",\r\n\"")
			if end < 0 {
				return nil, errors.New("the last record does not end")
			}

			field.WriteString(text[:end])
			text = text[end:]
		}

		record = append(record, field.String())

		if rest, ok := strings.CutPrefix(text, ","); ok {
			text = rest

			continue
		}

		rest, ok := strings.CutPrefix(text, "\r\n")
		if !ok {
			return nil, fmt.Errorf("%q after a field", text)
		}

		text = rest
		records = append(records, record)
		record = nil
	}

	return records, nil
}

func TestCSVComesBack(t *testing.T) {
	t.Parallel()

	checkCSV(t, fieldNames(), true, auditlogtest.Hostile())

	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames()), 1, -1, rapid.ID[string]).Draw(t, "columns")
		checkCSV(t, columns, rapid.Bool().Draw(t, "safe"), rapid.SliceOfN(entries(), 0, 4).Draw(t, "entries"))
	})
}

func FuzzCSV(f *testing.F) {
	hostile := auditlogtest.Hostile()
	for i := range hostile {
		f.Add(hostile[i].Actor, hostile[i].ResourceName, i%2 == 0)
		f.Add(hostile[i].ScopeID, hostile[i].Message, i%2 == 1)
	}

	f.Fuzz(func(t *testing.T, actor, message string, safe bool) {
		e := auditlogtest.Entry("x", func(e *auditlog.Entry) { e.Actor, e.Message = actor, message })

		checkCSV(t, []string{"actor", "id", "message"}, safe, []auditlog.Entry{e, e})
		checkCSV(t, []string{"actor"}, safe, []auditlog.Entry{e, e})
	})
}

func checkJSON(t require, columns []string, list []auditlog.Entry) {
	lines, notes, err := encode(format.NDJSON, columns, true, list...)
	if err != nil {
		t.Fatalf("%v", err)
	}

	array, arrayNotes, err := encode(format.JSON, columns, true, list...)
	if err != nil {
		t.Fatalf("%v", err)
	}

	// The array is the lines with commas.
	want := "[]\n"
	if len(list) > 0 {
		want = "[\n" + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", ",\n") + "\n]\n"
	}

	if array != want || notes != arrayNotes || notes.CellsNeutralised != 0 {
		t.Fatalf("JSON and NDJSON differ:\n%s\n%s\n%+v %+v", array, lines, notes, arrayNotes)
	}

	if !json.Valid([]byte(array)) || strings.Count(lines, "\n") != len(list) {
		t.Fatalf("not one valid value a line: %s", lines)
	}

	i := 0

	for line := range strings.Lines(lines) {
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v", err)
		}

		if len(got) != len(columns) {
			t.Fatalf("%d keys, want %d", len(got), len(columns))
		}

		for _, name := range columns {
			f, _ := auditlog.FieldByName(name)
			checkValue(t, &f, &list[i], string(got[name]))
		}

		i++
	}
}

func checkValue(t require, f *auditlog.Field, e *auditlog.Entry, got string) {
	want := wantText(t, f, e)

	switch {
	case want == "":
		want = "null"
	case f.Kind == auditlog.KindChanges:
	case f.Kind == auditlog.KindRaw:
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(want)); err != nil {
			t.Fatalf("%v", err)
		}

		want = b.String()
	default:
		var text string
		if err := json.Unmarshal([]byte(got), &text); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}

		got = text
	}

	if got != want {
		t.Fatalf("%s: got %q, want %q", f.Name, got, want)
	}
}

func TestJSONComesBack(t *testing.T) {
	t.Parallel()

	checkJSON(t, fieldNames(), auditlogtest.Hostile())

	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames()), 1, -1, rapid.ID[string]).Draw(t, "columns")
		checkJSON(t, columns, rapid.SliceOfN(entries(), 0, 4).Draw(t, "entries"))
	})
}

func BenchmarkEncoder(b *testing.B) {
	e := auditlogtest.Hostile()[0]

	for _, f := range format.All() {
		for _, compression := range format.Compressions() {
			b.Run(fmt.Sprintf("%s/%s", f, compression), func(b *testing.B) {
				enc, err := format.NewEncoder(io.Discard, f, nil,
					format.EncoderOptions{SpreadsheetSafe: true, Compression: compression})
				if err != nil {
					b.Fatal(err)
				}

				b.ReportAllocs()

				for b.Loop() {
					if err := enc.Encode(&e); err != nil {
						b.Fatal(err)
					}
				}

				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}
