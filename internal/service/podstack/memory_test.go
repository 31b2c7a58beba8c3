// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

var newest = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

// bigExport writes an export as the console would, newest first, 25 rows a second.
func bigExport(tb testing.TB, rows int) string {
	tb.Helper()

	name := filepath.Join(tb.TempDir(), "big.csv")

	f, err := os.Create(name)
	if err != nil {
		tb.Fatal(err)
	}

	w := bufio.NewWriter(f)
	_, _ = w.WriteString("Timestamp,User,Action,Resource Type,Resource,IP Address,User Agent,Details\n")

	for i := range rows {
		at := newest.Add(-time.Duration(i) * 40 * time.Millisecond).Format("2006-01-02 15:04:05.000")
		_, _ = fmt.Fprintf(w, "%s,user-%d@example.com,Update,Pod,web-%d,192.0.2.%d,\"Mozilla/5.0 (X11; Linux)\",\"Pod changed, see ticket %d\"\n", at, i%97, i%1013, i%251, i)
	}

	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}

	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}

	return name
}

// readAll counts entries and looks at the heap now and then.
func readAll(tb testing.TB, s *Service) (entries int, peak uint64) {
	tb.Helper()

	var c auditlog.Completeness

	window := auditlog.Window{Start: newest.Add(-1000 * time.Hour), End: newest.Add(time.Second)}

	for _, err := range s.Read(context.Background(), auditlog.Query{Window: window}, &c) { //nolint:usetesting // A benchmark's context is not to be part of it.
		if err != nil {
			tb.Fatal(err)
		}

		if entries++; entries%50_000 == 1 {
			var m runtime.MemStats

			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}

	return entries, peak
}

func TestMemoryStaysFlat(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	const (
		rows = 300_000
		most = 40 << 20
	)

	s := New(Options{Exports: []string{bigExport(t, rows)}, Clock: func() time.Time { return newest }})
	if entries, peak := readAll(t, s); entries != rows || peak > most {
		t.Errorf("%d entries, %d MiB of heap", entries, peak>>20)
	}
}

// TestSortedFilesAreReadOnce: only chunks at the border of two batches come twice.
func TestSortedFilesAreReadOnce(t *testing.T) {
	t.Parallel()

	name := bigExport(t, 20_000)
	opened := 0
	s := New(Options{Clock: func() time.Time { return newest }}).Small(100, 1<<20, 1<<20)
	s.find = func() ([]source, error) {
		return []source{{name: name, open: func() (content, error) {
			opened++

			return openExport(name)
		}}}, nil
	}

	if entries, _ := readAll(t, s); entries != 20_000 || opened > 1+200+20 {
		t.Errorf("%d entries, opened %d times for 200 chunks", entries, opened)
	}
}

// BenchmarkRead reads a million rows that are newest first.
func BenchmarkRead(b *testing.B) {
	const rows = 1_000_000

	name := bigExport(b, rows)

	for b.Loop() {
		s := New(Options{Exports: []string{name}, Clock: func() time.Time { return newest }})

		entries, peak := readAll(b, s)
		if entries != rows {
			b.Fatal(entries)
		}

		b.ReportMetric(float64(peak)/(1<<20), "MiB-heap")
	}

	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
