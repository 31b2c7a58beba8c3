// SPDX-License-Identifier: MPL-2.0

package export_test

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
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

func encode(f export.Format, columns []string, safe bool, entries ...auditlog.Entry) (string, export.Notes, error) {
	var b bytes.Buffer

	enc, err := export.NewEncoder(&b, f, columns, export.EncoderOptions{SpreadsheetSafe: safe})
	if err != nil {
		return "", export.Notes{}, err
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
		format export.Format
		safe   bool
		notes  export.Notes
	}{
		"exact.csv": {export.FormatCSV, false, export.Notes{CharactersReplaced: 8}},
		"safe.csv":  {export.FormatCSV, true, export.Notes{CellsNeutralised: 12, CharactersReplaced: 8}},
		// In JSON a NUL can be written, so it is.
		"array.json":   {export.FormatJSON, true, export.Notes{CharactersReplaced: 6}},
		"lines.ndjson": {export.FormatNDJSON, false, export.Notes{CharactersReplaced: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, notes, err := encode(c.format, nil, c.safe, hostile()...)
			if err != nil {
				t.Fatal(err)
			}

			golden(t, name, got)

			if diff := cmp.Diff(c.notes, notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncoderWithoutEntries(t *testing.T) {
	t.Parallel()

	for format, want := range map[export.Format]string{
		export.FormatCSV: strings.Join(fieldNames(), ",") + "\r\n", export.FormatJSON: "[]\n", export.FormatNDJSON: "",
	} {
		got, _, err := encode(format, nil, true)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", format, got, err, want)
		}
	}
}

func TestEncoderColumns(t *testing.T) {
	t.Parallel()

	e := entry("x", func(e *auditlog.Entry) { e.Message = "m" })

	for format, want := range map[export.Format]string{
		export.FormatCSV:    "message,id,raw\r\n" + strings.Repeat("m,x,\r\n", 2),
		export.FormatJSON:   "[\n{\"message\":\"m\",\"id\":\"x\",\"raw\":null},\n{\"message\":\"m\",\"id\":\"x\",\"raw\":null}\n]\n",
		export.FormatNDJSON: "{\"message\":\"m\",\"id\":\"x\",\"raw\":null}\n{\"message\":\"m\",\"id\":\"x\",\"raw\":null}\n",
	} {
		got, _, err := encode(format, []string{"message", "id", "raw"}, true, e, e)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", format, got, err, want)
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	t.Parallel()

	for want, c := range map[string]struct {
		format  export.Format
		columns []string
	}{
		`unknown format "xml"`:             {"xml", nil},
		`unknown format "Parquet"`:         {"Parquet", nil},
		`no columns`:                       {export.FormatCSV, []string{}},
		`unknown column "nope"`:            {export.FormatJSON, []string{"id", "nope"}},
		`column "id" is given twice`:       {export.FormatCSV, []string{"id", "time", "id"}},
		`unknown column "Id"`:              {export.FormatNDJSON, []string{"Id"}},
		`unknown column "id,time"`:         {export.FormatCSV, []string{"id,time"}},
		`unknown column "operation\r\nid"`: {export.FormatCSV, []string{"operation\r\nid"}},
	} {
		_, err := export.NewEncoder(io.Discard, c.format, c.columns, export.EncoderOptions{})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}

	for _, format := range export.Formats() {
		_, err := export.NewEncoder(io.Discard, format, nil, export.EncoderOptions{Compression: "lz4"})
		if err == nil || err.Error() != `unknown compression "lz4"` {
			t.Errorf("%s: got %v", format, err)
		}
	}
}

// One list rules them all.
func TestColumnsAreFields(t *testing.T) {
	t.Parallel()

	text, _, err := encode(export.FormatCSV, nil, false, hostile()...)
	if err != nil {
		t.Fatal(err)
	}

	header, _, _ := strings.Cut(text, "\r\n")
	if diff := cmp.Diff(strings.Join(fieldNames(), ","), header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}

	text, _, err = encode(export.FormatNDJSON, nil, false, hostile()...)
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
		for _, format := range export.Formats() {
			good := entry("good", nil)
			bad := entry("secret-id", func(e *auditlog.Entry) { e.Raw = json.RawMessage(raw) })

			whole, _, err := encode(format, nil, false, good)
			if err != nil {
				t.Fatal(err)
			}

			got, _, err := encode(format, nil, false, good, bad)
			if err == nil || !strings.HasPrefix(err.Error(), "entry 2: the raw record is not a JSON object") {
				t.Errorf("%s, %q: got error %v", format, raw, err)
			}

			if !strings.HasPrefix(whole, got) {
				t.Errorf("%s, %q: a part of the entry was written: %q", format, raw, got)
			}
		}
	}
}

// Readers skip empty lines, and an entry must not be skipped.
func TestLoneEmptyCell(t *testing.T) {
	t.Parallel()

	got, _, err := encode(export.FormatCSV, []string{"actor"}, true, entry("a", nil), entry("b", nil))
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
		format      export.Format
		compression export.Compression
		writes      int
	}{
		{export.FormatCSV, export.CompressionNone, 3},
		{export.FormatJSON, export.CompressionNone, 3},
		{export.FormatNDJSON, export.CompressionNone, 2},
		{export.FormatNDJSON, export.CompressionGzip, 3},
		{export.FormatNDJSON, export.CompressionZstd, 1},
		{export.FormatParquet, export.CompressionNone, 1},
	} {
		for n := range c.writes {
			err := func() error {
				enc, err := export.NewEncoder(&brokenWriter{left: n}, c.format, nil, export.EncoderOptions{Compression: c.compression})
				if err != nil {
					return err
				}

				for range 2 {
					e := entry("x", nil)
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
		"=", "+", "-", "@", "＝", "\u00a0", "|", "\t", "\r", "\n", "\r\n", `"`, `""`, ",", ";", "'", " ", "\x00", "\xff", "\xc3", "\ufffd", "\ufeff",
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
		e := auditlog.Entry{Time: at}

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
	text, notes, err := encode(export.FormatCSV, columns, safe, list...)
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

	checkCSV(t, fieldNames(), true, hostile())

	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames()), 1, -1, rapid.ID[string]).Draw(t, "columns")
		checkCSV(t, columns, rapid.Bool().Draw(t, "safe"), rapid.SliceOfN(entries(), 0, 4).Draw(t, "entries"))
	})
}

func FuzzCSV(f *testing.F) {
	hostile := hostile()
	for i := range hostile {
		f.Add(hostile[i].Actor, hostile[i].ResourceName, i%2 == 0)
		f.Add(hostile[i].ScopeID, hostile[i].Message, i%2 == 1)
	}

	f.Fuzz(func(t *testing.T, actor, message string, safe bool) {
		e := entry("x", func(e *auditlog.Entry) { e.Actor, e.Message = actor, message })

		checkCSV(t, []string{"actor", "id", "message"}, safe, []auditlog.Entry{e, e})
		checkCSV(t, []string{"actor"}, safe, []auditlog.Entry{e, e})
	})
}

func checkJSON(t require, columns []string, list []auditlog.Entry) {
	lines, notes, err := encode(export.FormatNDJSON, columns, true, list...)
	if err != nil {
		t.Fatalf("%v", err)
	}

	array, arrayNotes, err := encode(export.FormatJSON, columns, true, list...)
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

	checkJSON(t, fieldNames(), hostile())

	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames()), 1, -1, rapid.ID[string]).Draw(t, "columns")
		checkJSON(t, columns, rapid.SliceOfN(entries(), 0, 4).Draw(t, "entries"))
	})
}

func BenchmarkEncoder(b *testing.B) {
	e := hostile()[0]

	for _, format := range export.Formats() {
		for _, compression := range export.Compressions() {
			b.Run(fmt.Sprintf("%s/%s", format, compression), func(b *testing.B) {
				enc, err := export.NewEncoder(io.Discard, format, nil, export.EncoderOptions{SpreadsheetSafe: true, Compression: compression})
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
