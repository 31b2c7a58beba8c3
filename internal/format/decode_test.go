// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// readable are the formats that can be read back.
func readable() []format.Format { return []format.Format{format.NDJSON, format.Parquet} }

func encodeWith(
	f format.Format, c format.Compression, columns []string, entries ...auditlog.Entry,
) (string, format.Notes, error) {
	return encodeAs(f, columns, format.EncoderOptions{Compression: c}, entries...)
}

func encodeAs(
	f format.Format, columns []string, o format.EncoderOptions, entries ...auditlog.Entry,
) (string, format.Notes, error) {
	var b bytes.Buffer

	enc, err := format.NewEncoder(&b, f, columns, o)
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

func decode(text string, f format.Format, c format.Compression, columns []string) ([]auditlog.Entry, error) {
	var entries []auditlog.Entry

	for e, err := range format.Decode(strings.NewReader(text), int64(len(text)), f,
		format.DecoderOptions{Compression: c, Columns: columns}) {
		if err != nil {
			return entries, err
		}

		entries = append(entries, e)
	}

	return entries, nil
}

// kept is what a file keeps of an entry.
func kept(t require, f format.Format, columns []string, e auditlog.Entry) auditlog.Entry {
	var k auditlog.Entry

	has := func(name string) bool { return columns == nil || slices.Contains(columns, name) }

	for name, p := range map[string][2]*string{
		"id": {&k.ID, &e.ID}, "service": {&k.Service, &e.Service},
		"endpoint": {&k.Endpoint, &e.Endpoint}, "account": {&k.Account, &e.Account}, "action": {&k.Action, &e.Action},
		"operation":  {(*string)(&k.Operation), (*string)(&e.Operation)},
		"actor_type": {(*string)(&k.ActorType), (*string)(&e.ActorType)},
		"actor_id":   {&k.ActorID, &e.ActorID}, "actor": {&k.Actor, &e.Actor},
		"resource_type": {&k.ResourceType, &e.ResourceType},
		"resource_id":   {&k.ResourceID, &e.ResourceID}, "resource_name": {&k.ResourceName, &e.ResourceName},
		"scope_type": {&k.ScopeType, &e.ScopeType}, "scope_id": {&k.ScopeID, &e.ScopeID},
		"scope_name": {&k.ScopeName, &e.ScopeName},
		"origin":     {&k.Origin, &e.Origin}, "auth_type": {&k.AuthType, &e.AuthType},
		"ip_address": {&k.IPAddress, &e.IPAddress},
		"user_agent": {&k.UserAgent, &e.UserAgent}, "correlation_id": {&k.CorrelationID, &e.CorrelationID},
		"message": {&k.Message, &e.Message},
	} {
		if has(name) {
			*p[0] = valid(*p[1])
		}
	}

	if has("time") {
		k.Time = e.Time.UTC().Truncate(time.Microsecond)
	}

	if has("changes") {
		for _, c := range e.Changes {
			c.Field = valid(c.Field)
			for _, p := range []**string{&c.Before, &c.After} {
				if *p != nil {
					*p = new(valid(**p))
				}
			}

			k.Changes = append(k.Changes, c)
		}
	}

	if has("raw") && len(e.Raw) > 0 {
		k.Raw = json.RawMessage(valid(string(e.Raw)))

		if f == format.NDJSON {
			var b bytes.Buffer
			if err := json.Compact(&b, k.Raw); err != nil {
				t.Fatalf("%v", err)
			}

			k.Raw = b.Bytes()
		}
	}

	return k
}

func checkRoundTrip(t require, f format.Format, c format.Compression, columns []string, list []auditlog.Entry) {
	text, notes, err := encodeWith(f, c, columns, list...)
	if err != nil {
		t.Fatalf("%v", err)
	}

	got, err := decode(text, f, c, columns)
	if err != nil {
		t.Fatalf("%s, %s: %v", f, c, err)
	}

	var want []auditlog.Entry
	for _, e := range list {
		want = append(want, kept(t, f, columns, e))
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s, %s (-want +got):\n%s", f, c, diff)
	}

	_, exact, err := encode(format.NDJSON, columns, false, list...)
	if err != nil || notes != exact {
		t.Fatalf("%s, %s: notes are %+v, want those of NDJSON: %+v, %v", f, c, notes, exact, err)
	}

	again, _, err := encodeWith(f, c, columns, list...)
	if err != nil || again != text {
		t.Fatalf("%s, %s: the same entries gave other bytes, %v", f, c, err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()

	for _, f := range readable() {
		checkRoundTrip(t, f, "", nil, auditlogtest.Hostile())

		for _, c := range format.Compressions() {
			t.Run(fmt.Sprintf("%s %s", f, c), func(t *testing.T) {
				t.Parallel()

				checkRoundTrip(t, f, c, nil, nil)
				checkRoundTrip(t, f, c, nil, auditlogtest.Hostile())
				checkRoundTrip(t, f, c, []string{"raw"}, auditlogtest.Hostile())

				times := rapid.Int64Range(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(),
					time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMicro())
				zones := rapid.IntRange(-12*3600, 14*3600)

				rapid.Check(t, func(t *rapid.T) {
					list := rapid.SliceOfN(entries(), 0, 4).Draw(t, "entries")
					for i := range list {
						list[i].Time = time.UnixMicro(times.Draw(t, "time")).Add(999).In(time.FixedZone("", zones.Draw(t, "zone")))
					}

					columns := rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames()), 1, -1, rapid.ID[string]).Draw(t, "columns")
					checkRoundTrip(t, f, c, nil, list)
					checkRoundTrip(t, f, c, columns, list)
				})
			})
		}
	}
}

// A file that was cut anywhere is refused, and what came before is right.
func TestDecodeCut(t *testing.T) {
	t.Parallel()

	for _, f := range readable() {
		for _, c := range format.Compressions() {
			t.Run(fmt.Sprintf("%s %s", f, c), func(t *testing.T) {
				t.Parallel()

				whole, _, err := encodeWith(f, c, nil, auditlogtest.Hostile()...)
				if err != nil {
					t.Fatal(err)
				}

				all, err := decode(whole, f, c, nil)
				if err != nil {
					t.Fatal(err)
				}

				for n := 0; n < len(whole); n += 7 {
					got, err := decode(whole[:n], f, c, nil)

					// Lines are whole files, too: only a manifest can tell.
					if lines := f == format.NDJSON && c == format.Uncompressed && (n == 0 || whole[n-1] == '\n'); lines {
						if err != nil {
							t.Errorf("%d bytes: %v", n, err)
						}
					} else if !errors.Is(err, format.ErrUnreadable) {
						t.Errorf("%d bytes: got error %v", n, err)
					}

					if len(got) > 0 && !cmp.Equal(got, all[:len(got)]) {
						t.Errorf("%d bytes: got other entries", n)
					}
				}
			})
		}
	}
}

// What carries checksums is refused once a bit has turned, or means the same.
func TestDecodeFlipped(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("one goroutine at a time has no races; make simulate runs this without it")
	}

	for _, f := range readable() {
		for _, c := range format.Compressions() {
			t.Run(fmt.Sprintf("%s %s", f, c), func(t *testing.T) {
				t.Parallel()

				whole, _, err := encodeWith(f, c, nil, auditlogtest.Hostile()...)
				if err != nil {
					t.Fatal(err)
				}

				all, err := decode(whole, f, c, nil)
				if err != nil {
					t.Fatal(err)
				}

				for n := 0; n < len(whole); n += 7 {
					text := []byte(whole)
					text[n] ^= 1 << (n % 8)

					got, err := decode(string(text), f, c, nil)
					if err != nil && !errors.Is(err, format.ErrUnreadable) {
						t.Errorf("byte %d: got error %v", n, err)
					}

					if checked := c != format.Uncompressed || f == format.Parquet; checked && err == nil && !cmp.Equal(got, all) {
						t.Errorf("byte %d: got other entries and no error:\n%s", n, cmp.Diff(all, got))
					}
				}
			})
		}
	}
}

func TestDecodeRefusesLines(t *testing.T) {
	t.Parallel()

	const good = `{"id":"x","time":"2026-03-14T09:26:53.589793Z","actor":null,"changes":[{"field":"f","before":null,"after":"1"}],"raw":{"a":["{",1]}}`

	columns := []string{"id", "time", "actor", "changes", "raw"}

	if got, err := decode(good+"\n"+good+"\n", format.NDJSON, "", columns); err != nil || len(got) != 2 {
		t.Fatalf("got %d entries, %v", len(got), err)
	}

	change := func(old, text string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not there", old)
		}

		return strings.Replace(good, old, text, 1)
	}

	for want, line := range map[string]string{
		`{"id": is not where it has to be`:               "",
		`{"id": is not where it has to be (key)`:         change(`"id"`, `"ID"`),
		`{"id": is not where it has to be (white space)`: " " + good,
		`,"time": is not where it has to be`:             change(`"x",`, `"x", `),
		`,"time": is not where it has to be (twice)`:     change(`,"time"`, `,"id":"y","time"`),
		`id: not a text`:                                   change(`"x"`, `1`),
		`id: not a text (escape)`:                          change(`"x"`, `"\x"`),
		`id: not a text (control character)`:               change(`"x"`, "\"\t\""),
		`time: there is none`:                              change(`"2026-03-14T09:26:53.589793Z"`, `null`),
		`time: not a time in UTC with microseconds`:        change(`793Z`, `7930Z`),
		`time: not a time in UTC with microseconds (zone)`: change(`793Z`, `793+00:00`),
		`time: not a time in UTC with microseconds (day)`:  change(`03-14`, `02-30`),
		`it is not UTF-8`:                                  change(`"x"`, "\"\xff\""),
		`} is not where it has to be`:                      change(`]}}`, `]},"more":1}`),
		`there is more than belongs there`:                 good + good,
		`there is more than belongs there (CR)`:            good + "\r",
		`changes: {"field": is not where it has to be`: change(`[{"field":"f","before":null,"after":"1"}]`,
			`[]`),
		`changes: ,"after": is not where it has to be`:                    change(`,"after":"1"`, ``),
		`changes: , is not where it has to be`:                            change(`"1"}]`, `"1"}}`),
		`raw: the raw record is not a JSON object`:                        change(`{"a":["{",1]}`, `[1]`),
		`raw: the raw record is not a JSON object (broken)`:               change(`1]}`, `1}}`),
		`raw: the raw record is not a JSON object (cut)`:                  change(`1]}}`, `1]`),
		`raw: the raw record is not a JSON object (text that never ends)`: change(`"{"`, `"{`),
	} {
		want, _, _ = strings.Cut(want, " (")
		want = "the file is not what was written: line 2: " + want

		got, err := decode(good+"\n"+line+"\n"+good+"\n", format.NDJSON, "", columns)
		if !errors.Is(err, format.ErrUnreadable) || err.Error() != want || len(got) != 1 {
			t.Errorf("%q: got %d entries and error %v, want %s", line, len(got), err, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()

	lines, _, err := encodeWith(format.NDJSON, "", nil, auditlogtest.Hostile()...)
	if err != nil {
		t.Fatal(err)
	}

	for want, c := range map[string]struct {
		format format.Format
		o      format.DecoderOptions
	}{
		`format "csv" cannot be read back`:  {format.CSV, format.DecoderOptions{}},
		`format "json" cannot be read back`: {format.JSON, format.DecoderOptions{}},
		`unknown format "xml"`:              {"xml", format.DecoderOptions{}},
		`unknown compression "lz4"`:         {format.NDJSON, format.DecoderOptions{Compression: "lz4"}},
		`unknown column "nope"`:             {format.NDJSON, format.DecoderOptions{Columns: []string{"nope"}}},
		`the file is not what was written: begin: gzip: invalid header`: {
			format.NDJSON,
			format.DecoderOptions{Compression: "gzip"},
		},
		`the file is not what was written: line 1: invalid input: magic number mismatch`: {format.NDJSON, format.DecoderOptions{Compression: "zstd"}},
		`the file is not what was written: there is no footer`: {
			format.Parquet,
			format.DecoderOptions{},
		},
		`the file is not what was written: line 1: {"time": is not where it has to be`: {format.NDJSON, format.DecoderOptions{Columns: []string{"time"}}},
	} {
		calls := 0

		for _, err = range format.Decode(strings.NewReader(lines), int64(len(lines)), c.format, c.o) {
			calls++
		}

		if err == nil || err.Error() != want || calls != 1 {
			t.Errorf("got %v after %d calls, want %s", err, calls, want)
		}
	}
}

// Entries may be kept, and whoever has seen enough may go.
func TestDecodeStops(t *testing.T) {
	t.Parallel()

	for _, f := range readable() {
		text, _, err := encodeWith(f, format.Zstd, nil, auditlogtest.Hostile()...)
		if err != nil {
			t.Fatal(err)
		}

		n := 0
		for _, err := range format.Decode(strings.NewReader(text), int64(len(text)), f,
			format.DecoderOptions{Compression: format.Zstd}) {
			if n++; err != nil || n == 2 {
				break
			}
		}

		if n != 2 {
			t.Errorf("%s: %d entries", f, n)
		}
	}
}

type brokenReaderAt struct {
	io.ReaderAt

	left int
}

func (r *brokenReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errDisk
	}

	return r.ReaderAt.ReadAt(p, off)
}

// An error of the disk is no accusation of the file, whenever it happens.
func TestDecodePassesReadErrorsOn(t *testing.T) {
	t.Parallel()

	for _, f := range readable() {
		for _, c := range format.Compressions() {
			text, _, err := encodeWith(f, c, nil, slices.Repeat(auditlogtest.Hostile(), 100)...)
			if err != nil {
				t.Fatal(err)
			}

			failed := 0

			for n := 0; ; n++ {
				var err error

				r := &brokenReaderAt{ReaderAt: strings.NewReader(text), left: n}
				for _, err = range format.Decode(r, int64(len(text)), f, format.DecoderOptions{Compression: c}) {
					continue // Only the last error counts.
				}

				if r.left >= 0 {
					break
				}

				failed++

				if !errors.Is(err, errDisk) || errors.Is(err, format.ErrUnreadable) {
					t.Errorf("%s, %s, read %d: got %v", f, c, n, err)
				}
			}

			if failed < 2 {
				t.Errorf("%s, %s: only %d reads", f, c, failed)
			}
		}
	}
}

// Some KiB that would be GiB are refused before they are.
//
//nolint:paralleltest // Measures memory.
func TestDecodeBomb(t *testing.T) {
	if raceflag.Enabled {
		t.Skip("one goroutine at a time has no races; make simulate runs this without it")
	}

	if testing.Short() {
		t.Skip("takes some seconds")
	}

	const size = 1 << 30

	bomb := func(w io.WriteCloser) {
		t.Helper()

		if _, err := io.WriteString(w, `{"id":"`); err != nil {
			t.Fatal(err)
		}

		chunk := bytes.Repeat([]byte("a"), 1<<20)
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}

		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}

	var b bytes.Buffer

	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}

	bomb(z)
	checkBounded(t, b.String(), format.NDJSON, format.Zstd)

	b.Reset()
	bomb(gzip.NewWriter(&b))
	checkBounded(t, b.String(), format.NDJSON, format.Gzip)
}

func checkBounded(t *testing.T, text string, f format.Format, c format.Compression) {
	t.Helper()

	var before, after runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&before)

	got, err := decode(text, f, c, nil)

	runtime.ReadMemStats(&after)

	if !errors.Is(err, format.ErrUnreadable) || len(got) > 0 {
		t.Errorf("%s, %s: got %d entries and error %v", f, c, len(got), err)
	}

	// A line is collected in a buffer that doubles, so that its sizes add up.
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
		t.Errorf("%s, %s: %d MiB were allocated for %d KiB: %v", f, c, used>>20, len(text)>>10, err)
	}
}

func FuzzDecode(f *testing.F) {
	for i, kind := range readable() {
		for j, c := range format.Compressions() {
			for _, list := range [][]auditlog.Entry{nil, auditlogtest.Hostile()[:2], auditlogtest.Hostile()[4:]} {
				text, _, err := encodeWith(kind, c, nil, list...)
				if err != nil {
					f.Fatal(err)
				}

				f.Add([]byte(text), i, j)
			}
		}
	}

	f.Fuzz(func(t *testing.T, text []byte, kind, compression int) {
		formats, compressions := readable(), format.Compressions()
		if kind < 0 || kind >= len(formats) || compression < 0 || compression >= len(compressions) {
			t.Skip()
		}

		checkDecoded(t, text, formats[kind], compressions[compression])
	})
}

// checkDecoded demands that what was read means the same once it is written.
func checkDecoded(t *testing.T, text []byte, f format.Format, c format.Compression) {
	t.Helper()

	got, err := decode(string(text), f, c, nil)
	if err != nil {
		if !errors.Is(err, format.ErrUnreadable) {
			t.Fatalf("got error %v", err)
		}

		return
	}

	again, notes, err := encodeWith(f, c, nil, got...)
	if err != nil || notes != (format.Notes{}) {
		t.Fatalf("it was read, but cannot be written: %v, %+v", err, notes)
	}

	if list, err := decode(again, f, c, nil); err != nil || !cmp.Equal(list, got) {
		t.Fatalf("it was read, but differs once written (%v):\n%s", err, cmp.Diff(got, list))
	}
}

func BenchmarkDecode(b *testing.B) {
	const n = 10_000

	for _, f := range readable() {
		for _, c := range format.Compressions() {
			b.Run(fmt.Sprintf("%s/%s", f, c), func(b *testing.B) {
				var list []auditlog.Entry
				for i := range n {
					e := auditlogtest.Hostile()[0]
					e.ID, e.Time = fmt.Sprintf("%08d", i), auditlogtest.At.Add(time.Duration(i)*time.Microsecond)
					list = append(list, e)
				}

				text, _, err := encodeWith(f, c, nil, list...)
				if err != nil {
					b.Fatal(err)
				}

				b.SetBytes(int64(len(text)))
				b.ReportAllocs()

				for b.Loop() {
					if got, err := decode(text, f, c, nil); err != nil || len(got) != n {
						b.Fatal(len(got), err)
					}
				}

				b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}

// What an earlier version wrote is evidence like any other. It annotated JSON as such.
func TestDecodeReadsFilesOfEarlierVersions(t *testing.T) {
	t.Parallel()

	for _, c := range format.Compressions() {
		text, err := os.ReadFile(filepath.Join("testdata", "older", string(c)+".hostile.parquet"))
		if err != nil {
			t.Fatal(err)
		}

		now, _, err := encodeWith(format.Parquet, c, nil, auditlogtest.Hostile()...)
		if err != nil {
			t.Fatal(err)
		}

		if now == string(text) {
			t.Errorf("%s: it is not of an earlier version", c)
		}

		got, err := decode(string(text), format.Parquet, c, nil)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}

		want, err := decode(now, format.Parquet, c, nil)
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
	}
}
