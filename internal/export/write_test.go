// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

func sum(text string) string {
	s := sha256.Sum256([]byte(text))

	return hex.EncodeToString(s[:])
}

// month has entries that are not in the order of time and share a moment.
func month() []auditlog.Entry {
	shift := func(d time.Duration, op auditlog.Operation) func(*auditlog.Entry) {
		return func(e *auditlog.Entry) {
			e.Time, e.Operation, e.Actor = auditlogtest.At.Add(d), op, "=cmd\x00"
		}
	}

	return []auditlog.Entry{
		auditlogtest.Entry("c", shift(0, auditlog.OperationUpdate)),
		auditlogtest.Entry("b", shift(time.Microsecond, auditlog.OperationRead)),
		auditlogtest.Entry("d", shift(time.Microsecond, auditlog.OperationRead)),
		auditlogtest.Entry("a", shift(-time.Hour, auditlog.OperationRead)),
		auditlogtest.Entry("0", shift(0, auditlog.OperationUpdate)),
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()

	type file struct {
		format      format.Format
		compression format.Compression
	}

	written := []file{{format.NDJSON, format.Gzip}, {format.CSV, format.Zstd}}
	for _, f := range format.All() {
		written = append(written, file{f, ""})
	}

	for _, c := range written {
		name := "out." + format.Extension(c.format, c.compression)

		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "made", name)
			s := spec(path, c.format)
			s.Compression = c.compression

			r := mustWrite(t, s, month())
			got := files(t, filepath.Dir(path))

			if len(got) != 3 {
				t.Errorf("got %d files, want 3", len(got))
			}

			for name, text := range got {
				auditlogtest.Golden(t, name, text)
			}

			first, last := auditlogtest.At.Add(-time.Hour), auditlogtest.At.Add(time.Microsecond)
			want := export.Result{
				EntryCount:     5,
				Bytes:          int64(len(got[name])),
				SHA256:         sum(got[name]),
				ManifestPath:   path + ".manifest.json",
				ManifestSHA256: sum(got[name+".manifest.json"]),
				FirstTime:      &first,
				LastTime:       &last,
				ExportedAt:     auditlogtest.At.Add(2 * time.Hour),
				Completeness:   *complete(5),
				Statement:      export.NewStatement(*complete(5)),
				Source:         auditlog.Source{Service: auditlog.ServiceUpCloud},
				Confirmed:      true,
			}

			if s.Format == format.CSV {
				want.Notes = format.Notes{CellsNeutralised: 5, CharactersReplaced: 5}
			}

			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}

			if strings.Contains(got[name+".manifest.json"], "cursor=") {
				t.Error("the manifest holds the address to resume from")
			}

			for name := range got {
				info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
				if err != nil {
					t.Fatal(err)
				}

				if mode := info.Mode().Perm(); mode != 0o640 && runtime.GOOS != "windows" {
					t.Errorf("%s: permission %o", name, mode)
				}
			}
		})
	}
}

func TestWriteNothing(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	s := spec(path, format.CSV)
	s.Columns = []string{"time", "id"}
	s.SpreadsheetSafe = false
	s.Query = auditlog.Query{}
	s.QueryAsWritten = export.QueryAsWritten{Last: "7d"}

	c := complete(0)
	c.ClaimedTotal, c.Proof = nil, auditlog.ProofCursor

	r, err := export.Write(t.Context(), s, all(nil), c)
	if err != nil {
		t.Fatal(err)
	}

	if r.EntryCount != 0 || r.FirstTime != nil || r.LastTime != nil {
		t.Errorf("got %+v", r)
	}

	for name, text := range files(t, filepath.Dir(path)) {
		auditlogtest.Golden(t, name, text)
	}
}

// The same entries and the same question give the same bytes.
func TestWriteTwice(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")

	mustWrite(t, spec(path, format.CSV), month())
	first := files(t, filepath.Dir(path))

	mustWrite(t, spec(path, format.CSV), month())

	if diff := cmp.Diff(first, files(t, filepath.Dir(path))); diff != "" {
		t.Errorf("files (-first +second):\n%s", diff)
	}
}

// What an auditor does who has none of our code.
func TestChecksumFile(t *testing.T) {
	t.Parallel()

	for _, name := range []string{
		"out.csv", "-", "-c", "with space.csv", " *leading", `back\slash`, "日本語🔥.csv", "tab\t",
		"'\"$(x)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if runtime.GOOS == "windows" && strings.ContainsAny(name, "\\\"*\t") {
				t.Skip("no such names")
			}

			dir := t.TempDir()
			mustWrite(t, spec(filepath.Join(dir, name), format.NDJSON), month())

			got := files(t, dir)
			var want strings.Builder

			for _, member := range []string{name, name + ".manifest.json"} {
				line := sum(got[member]) + "  " + strings.ReplaceAll(member, `\`, `\\`) + "\n"

				switch {
				case strings.Contains(member, `\`):
					line = `\` + line
				case member == "-":
					line = strings.Replace(line, "-", "./-", 1)
				}

				want.WriteString(line)
			}

			if diff := cmp.Diff(want.String(), got[name+".sha256"]); diff != "" {
				t.Errorf("checksum file (-want +got):\n%s", diff)
			}

			if state, err := export.Inspect(filepath.Join(dir, name)); err != nil || !state.ChecksumsMatch {
				t.Errorf("Inspect: got %+v, %v", state, err)
			}

			tool, err := exec.LookPath("sha256sum")
			if err != nil {
				t.Skip("no sha256sum to ask")
			}

			cmd := exec.CommandContext(t.Context(), tool, "--strict", "-c", "--", name+".sha256")
			cmd.Dir = dir

			if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 2 {
				t.Errorf("sha256sum -c: %v\n%s", err, out)
			}
		})
	}
}

var errService = errors.New("page 3 broke off")

// failing yields n entries and then an error.
func failing(n int, err error) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for _, e := range month()[:n] {
			if !yield(e, nil) {
				return
			}
		}

		if !yield(auditlog.Entry{}, err) {
			return
		}

		panic("asked for more after an error")
	}
}

// Whatever goes wrong, and whenever: the old export stays as it was and no
// temporary file remains.
func TestWriteFails(t *testing.T) {
	t.Parallel()

	type attempt struct {
		ctx     context.Context //nolint:containedctx // A test case.
		spec    export.Spec
		entries iter.Seq2[auditlog.Entry, error]
		c       *auditlog.Completeness
		want    error
	}

	attempts := map[string]func(t *testing.T, a *attempt){
		"unknown format":      func(_ *testing.T, a *attempt) { a.spec.Format = "xml" },
		"unknown compression": func(_ *testing.T, a *attempt) { a.spec.Compression = "lz4" },
		"unknown column":      func(_ *testing.T, a *attempt) { a.spec.Columns = []string{"nope"} },
		"no statement": func(_ *testing.T, a *attempt) {
			a.c, a.want = &auditlog.Completeness{},
				auditlog.ErrIncomplete
		},
		"no statement at all": func(_ *testing.T, a *attempt) { a.c, a.want = nil, auditlog.ErrIncomplete },
		"no proof":            func(_ *testing.T, a *attempt) { a.c.Proof, a.want = "", auditlog.ErrIncomplete },
		"one entry too few":   func(_ *testing.T, a *attempt) { a.c, a.want = complete(6), auditlog.ErrIncomplete },
		"one entry too many":  func(_ *testing.T, a *attempt) { a.c, a.want = complete(4), auditlog.ErrIncomplete },
		"broken record": func(_ *testing.T, a *attempt) {
			a.entries = all([]auditlog.Entry{auditlogtest.Entry("x", func(e *auditlog.Entry) { e.Raw = json.RawMessage("{") })})
		},
		"cancelled beforehand": func(t *testing.T, a *attempt) {
			t.Helper()

			ctx, cancel := context.WithCancel(t.Context())
			cancel()

			a.ctx, a.want = ctx, context.Canceled
		},
	}

	for n := range len(month()) {
		attempts[fmt.Sprintf("service, after %d entries", n)] = func(_ *testing.T, a *attempt) {
			a.entries, a.want = failing(n, fmt.Errorf("read: %w", errService)), errService
		}
		attempts[fmt.Sprintf("cancelled, at entry %d", n)] = func(t *testing.T, a *attempt) {
			t.Helper()

			ctx, cancel := context.WithCancel(t.Context())
			a.ctx, a.want = ctx, context.Canceled
			a.entries = func(yield func(auditlog.Entry, error) bool) {
				for i, e := range month() {
					if i == n {
						cancel()
					}

					if !yield(e, nil) {
						return
					}

					if i == n {
						t.Error("went on after being cancelled")
					}
				}
			}
		}
	}

	for name, prepare := range attempts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "out.csv")
			mustWrite(t, spec(path, format.CSV), auditlogtest.Hostile())
			before := files(t, filepath.Dir(path))

			a := attempt{ctx: t.Context(), spec: spec(path, format.CSV), entries: all(month()), c: complete(5)}
			prepare(t, &a)

			_, err := export.Write(a.ctx, a.spec, a.entries, a.c)
			if err == nil || a.want != nil && !errors.Is(err, a.want) {
				t.Errorf("got %v, want %v", err, a.want)
			}

			if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

// Cancelling after the last entry still counts; cancelling once the new files
// are being put in place does not.
func TestCancelledAtTheEnd(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		op, name string
		want     error
	}{
		{"close", ".out.csv.audit-tmp-*", context.Canceled},
		{"rename", ".out.csv.audit-commit", nil},
	} {
		path := filepath.Join(t.TempDir(), "out.csv")
		ctx, cancel := context.WithCancel(t.Context())
		s := spec(path, format.CSV)
		s.System = durabletest.New(func(_ int, step durabletest.Step, _ bool) error {
			if step.Op == c.op && step.Name == c.name {
				cancel()
			}

			return nil
		})

		_, err := export.Write(ctx, s, all(month()), complete(5))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.op, err, c.want)
		}

		if got := len(files(t, filepath.Dir(path))); (err == nil) != (got == 3) || (err != nil) != (got == 0) {
			t.Errorf("%s: %d files", c.op, got)
		}
	}
}

func TestDiskFailsAtEveryStep(t *testing.T) {
	t.Parallel()

	for _, errno := range []error{syscall.ENOSPC, syscall.EACCES} {
		failed := 0

		for n := 0; ; n++ {
			path := filepath.Join(t.TempDir(), "out.csv")
			mustWrite(t, spec(path, format.CSV), auditlogtest.Hostile())
			before := files(t, filepath.Dir(path))

			sys := durabletest.New(durabletest.FailAt(n, errno))
			s := spec(path, format.CSV)
			s.System = sys

			_, err := export.Write(t.Context(), s, all(month()), complete(5))

			if n >= len(sys.Steps()) {
				break
			}

			after := files(t, filepath.Dir(path))

			if err == nil {
				if state, err := export.Inspect(path); err != nil || !state.ChecksumsMatch || len(after) != 3 ||
					cmp.Equal(before, after) {
					t.Errorf("%d, %v: no error, but not the new export: %+v, %v", n, sys.Steps()[n], state, err)
				}

				continue
			}

			failed++

			if !errors.Is(err, errno) {
				t.Errorf("%d, %v: the error hides its cause: %v", n, sys.Steps()[n], err)
			}

			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("%d, %v: files (-before +after):\n%s", n, sys.Steps()[n], diff)
			}
		}

		if failed < 30 {
			t.Errorf("only %d steps made it fail", failed)
		}
	}
}

// Somebody puts a file there while a long log is being read.
func TestForeignFileMeanwhile(t *testing.T) {
	t.Parallel()

	for _, overwrite := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "out.csv")
		s := spec(path, format.CSV)
		s.Overwrite = overwrite

		entries := func(yield func(auditlog.Entry, error) bool) {
			put(t, path, "mine")
			all(month())(yield)
		}

		_, err := export.Write(t.Context(), s, entries, complete(5))

		var foreign *export.ForeignFileError
		if got := errors.As(err, &foreign); got == overwrite || err != nil && overwrite {
			t.Errorf("overwrite %v: got %v", overwrite, err)
		}

		if got := files(t, filepath.Dir(path)); !overwrite && (len(got) != 1 || got["out.csv"] != "mine") {
			t.Errorf("got %v", got)
		}
	}
}

// Two resources with one path by mistake.
func TestBusy(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")

	entries := func(yield func(auditlog.Entry, error) bool) {
		if _, err := export.Write(t.Context(), spec(path, format.JSON), all(nil), complete(0)); !errors.Is(err,
			durable.ErrBusy) {
			t.Errorf("got %v, want %v", err, durable.ErrBusy)
		}

		all(month())(yield)
	}

	if _, err := export.Write(t.Context(), spec(path, format.CSV), entries, complete(5)); err != nil {
		t.Error(err)
	}

	if s, err := export.Inspect(path); err != nil || !s.ChecksumsMatch {
		t.Errorf("got %+v, %v", s, err)
	}
}

// many yields n different entries and calls look in between.
func many(n int, look func(i int)) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		e := auditlogtest.Hostile()[0]

		for i := range n {
			e.ID = fmt.Sprintf("%08d", i)
			e.Time = auditlogtest.At.Add(time.Duration(i) * time.Microsecond)

			if !yield(e, nil) {
				return
			}

			if look != nil {
				look(i)
			}
		}
	}
}

// A Parquet file's memory grows until a row group ends, and then again.
//
//nolint:paralleltest // Measures memory.
func TestMemoryStaysFlat(t *testing.T) {
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	for _, f := range format.All() {
		for _, compression := range format.Compressions() {
			// What compresses is the same for every text.
			if compression != format.Uncompressed && (f == format.CSV || f == format.JSON) {
				continue
			}

			n, most := 20_000, int64(2<<20)
			if f == format.Parquet {
				n, most = 100_000, 32<<20 // More than three row groups, whose pages are in memory until each ends.
			}

			var early, late uint64

			s := spec(filepath.Join(t.TempDir(), "out"), f)
			s.Compression = compression

			_, err := export.Write(t.Context(), s, many(n, func(i int) {
				if i%(n/50) != 0 {
					return
				}

				if i < n/2 {
					early = max(early, heap())
				} else {
					late = max(late, heap())
				}
			}), complete(n))
			if err != nil {
				t.Fatal(err)
			}

			if grown := int64(late) - int64(early); grown > most || early > 128<<20 {
				t.Errorf("%s, %s: the heap has grown by %d bytes beyond %d", f, compression, grown, early)
			}

			t.Logf("%s, %s: %d KiB, then %d KiB", f, compression, early>>10, late>>10)
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&m)

	return m.HeapAlloc
}

func BenchmarkWrite(b *testing.B) {
	for _, f := range format.All() {
		b.Run(string(f), func(b *testing.B) {
			const n = 100_000

			s := spec(filepath.Join(b.TempDir(), "out"), f)
			b.ReportAllocs()

			for b.Loop() {
				r, err := export.Write(b.Context(), s, many(n, nil), complete(n))
				if err != nil {
					b.Fatal(err)
				}

				b.SetBytes(r.Bytes)
			}

			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// The names of the statement are the same in manifests and in Terraform.
func TestStatementNames(t *testing.T) {
	t.Parallel()

	fields := reflect.VisibleFields(reflect.TypeFor[export.Statement]())
	names := make([]string, 0, len(fields))

	for _, f := range fields {
		if f.Tag.Get("json") != f.Tag.Get("tfsdk") {
			t.Errorf("%s: json %q, tfsdk %q", f.Name, f.Tag.Get("json"), f.Tag.Get("tfsdk"))
		}

		names = append(names, f.Tag.Get("json"))
	}

	want := []string{
		"window_start", "window_end", "pages", "rows_fetched", "duplicates_dropped", "rows_filtered_out", "claimed_total",
		"proof", "second_pass", "gaps", "caveats", "retention_days", "beyond_retention",
		"unknown_actions", "unverified_values", "clock_skew_seconds", "conclusive",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestWriteNamesTheFileAtFault(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	if err := os.Mkdir(path+".sha256", 0o700); err != nil {
		t.Fatal(err)
	}

	s := spec(path, format.CSV)
	s.Overwrite = true

	_, err := export.Write(t.Context(), s, all(nil), complete(0))

	var pathErr *fs.PathError
	if !errors.As(err, &pathErr) || pathErr.Path != path+".sha256" || !errors.Is(err, durable.ErrNotRegular) {
		t.Errorf("got %v", err)
	}

	if got := files(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// The manifest says how a CSV file is divided, whether that was asked for or not.
func TestManifestSaysHowCSVIsDivided(t *testing.T) {
	t.Parallel()

	for want, s := range map[string]export.Spec{
		`"csv": {"delimiter": ",", "bom": false},`: spec("", format.CSV),
		`"csv": {"delimiter": ";", "bom": true},`:  {Format: format.CSV, CSV: format.CSVOptions{Delimiter: ";", BOM: true}},
		`"csv": null,`: spec("", format.NDJSON),
	} {
		dir := t.TempDir()
		o := spec(dir+"/out", s.Format)
		o.CSV = s.CSV
		mustWrite(t, o, auditlogtest.Hostile())

		if m := strings.Join(strings.Fields(files(t, dir)["out.manifest.json"]),
			" "); !strings.Contains(strings.NewReplacer("{ ", "{", " }", "}").Replace(m), want) {
			t.Errorf("%s is not in %s", want, m)
		}
	}
}

func TestManifestCountsCellsBeyondASpreadsheet(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	list := []auditlog.Entry{
		auditlogtest.Entry("short", nil),
		auditlogtest.Entry("first", func(e *auditlog.Entry) {
			e.Raw = json.RawMessage(`{"a":"` + strings.Repeat("x", format.MaxCell) + `"}`)
			e.Message = strings.Repeat("y", format.MaxCell+1)
		}),
		auditlogtest.Entry("second", func(e *auditlog.Entry) { e.Message = strings.Repeat("y", format.MaxCell+1) }),
	}

	r := mustWrite(t, spec(dir+"/out.csv", format.CSV), list)
	if want := (format.Notes{
		CellsTooLong: 3,
		FirstTooLong: format.Cell{EntryID: "first", Column: "message"},
	}); r.Notes != want {
		t.Errorf("notes are %+v", r.Notes)
	}

	if m := files(t, dir)["out.csv.manifest.json"]; !strings.Contains(m, "\"cells_too_long\": 3,\n") {
		t.Error(m)
	}

	// Other formats have no such limit.
	if r := mustWrite(t, spec(dir+"/out.ndjson", format.NDJSON), list); r.Notes != (format.Notes{}) {
		t.Errorf("notes are %+v", r.Notes)
	}
}
