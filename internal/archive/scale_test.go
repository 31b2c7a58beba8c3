// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// endless is a log of any length that takes no memory.
type endless struct {
	n    int
	peak uint64
}

func (s *endless) Info() auditlog.Info {
	return auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 180 * 24 * time.Hour}
}

func (s *endless) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (s *endless) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)

	return func(yield func(auditlog.Entry, error) bool) {
		step := q.Window.End.Sub(q.Window.Start) / time.Duration(s.n)

		for i := range s.n {
			e := auditlog.Entry{
				ID: fmt.Sprintf("01HQXYZ%019d", i), Time: q.Window.Start.Add(time.Duration(i) * step).Truncate(time.Microsecond),
				Service: auditlog.ServiceUpCloud,
				Action:  "update", Operation: auditlog.OperationUpdate, ActorType: auditlog.ActorUser, Actor: fmt.Sprint("user-", i%50),
				ResourceType: "server", ResourceID: fmt.Sprint(i), Origin: "api", IPAddress: "192.0.2.1",
				Raw: fmt.Appendf(nil, `{"cloud_event_id":"01HQXYZ%019d","resource_id":"%d","current_state":{"plan":"2xCPU-4GB","labels":["a","b"]}}`, i, i*7919),
			}

			if i%20_000 == 0 {
				var m runtime.MemStats

				runtime.GC()
				runtime.ReadMemStats(&m)
				s.peak = max(s.peak, m.HeapAlloc)
			}

			if !yield(e, nil) {
				return
			}
		}

		c.RowsFetched, c.Proof = int64(s.n), auditlog.ProofTotal
	}
}

// discard keeps what is small, and of segments only that they are there.
type discard struct{ *memory }

func (d *discard) Create(ctx context.Context, key string, data []byte) error {
	if len(data) > 64<<10 {
		data = data[:16]
	}

	return d.memory.Create(ctx, key, data)
}

// archiveEndless archives n entries in one run and returns the peak of the heap.
func archiveEndless(tb testing.TB, n int, kind format.Format) (uint64, archive.Result) {
	tb.Helper()

	s := &endless{n: n}

	a, err := archive.Open(tb.Context(), archive.Options{
		Store: &discard{newMemory()}, Service: s, Format: kind, Compression: format.Zstd, Start: begin.AddDate(0, 0, -30),
		Clock: func() time.Time { return begin }, Tool: "test",
	})
	if err != nil {
		tb.Fatal(err)
	}

	r, err := a.Append(tb.Context())
	if err != nil || r.Added != int64(n) {
		tb.Fatalf("added %d, %v", r.Added, err)
	}

	return s.peak, r
}

// TestMemoryStaysFlat compares a run with one that is eight times as long.
func TestMemoryStaysFlat(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	short, _ := archiveEndless(t, 50_000, format.NDJSON)
	long, r := archiveEndless(t, 400_000, format.NDJSON)

	t.Logf("heap peak %d MiB with 50,000 entries, %d MiB with 400,000 in %d segments", short>>20, long>>20, r.Segments)

	if long > short+32<<20 {
		t.Errorf("the heap grew from %d MiB to %d MiB", short>>20, long>>20)
	}
}

// BenchmarkArchiveMillion archives 1,000,000 entries in one run.
func BenchmarkArchiveMillion(b *testing.B) {
	for _, kind := range []format.Format{format.NDJSON, format.Parquet} {
		b.Run(string(kind), func(b *testing.B) {
			for b.Loop() {
				peak, _ := archiveEndless(b, 1_000_000, kind)
				b.ReportMetric(float64(peak>>20), "heap-MiB")
			}
		})
	}
}

// everyDay archives n entries over 365 days.
func everyDay(tb testing.TB, store durable.Store, n int) durable.Store {
	tb.Helper()

	a, err := archive.Open(tb.Context(), archive.Options{
		Store: store, Service: &endless{n: n}, Format: format.NDJSON, Compression: format.Zstd,
		Start: begin.AddDate(0, 0, -365),
		Clock: func() time.Time { return begin }, Tool: "test",
	})
	if err != nil {
		tb.Fatal(err)
	}

	if _, err := a.Append(tb.Context()); err != nil {
		tb.Fatal(err)
	}

	return store
}

// readBack reads a window and returns how many entries it holds and how many
// objects were read for them, opening aside.
func readBack(tb testing.TB, store durable.Store, w auditlog.Window, each func(i int)) (entries, objects int) {
	tb.Helper()

	watched := &noted{Store: store}
	r := openReader(tb, watched, (&endless{}).Info())
	watched.keys = nil

	var c auditlog.Completeness
	for _, err := range r.Read(tb.Context(), auditlog.Query{Window: w}, &c) {
		if err != nil {
			tb.Fatal(err)
		}

		each(entries)

		entries++
	}

	return entries, len(watched.keys)
}

// TestReadingBackStaysFlat compares a year with one of four times as many entries.
func TestReadingBackStaysFlat(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	peak := func(n int) (peak uint64) {
		store := everyDay(t, newMemory(), n)
		year := auditlog.Window{Start: begin.AddDate(0, 0, -365), End: begin}

		if got, _ := readBack(t, store, year, func(i int) {
			if i%10_000 == 0 {
				var m runtime.MemStats

				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}); got < n*9/10 {
			t.Errorf("read %d of %d entries", got, n)
		}

		day := auditlog.Window{Start: begin.AddDate(0, 0, -100), End: begin.AddDate(0, 0, -99)}
		if got, objects := readBack(t, store, day, func(int) {}); objects > 2 || got < n/400 {
			t.Errorf("read %d objects for %d entries of a day", objects, got)
		}

		return peak
	}

	few, many := peak(30_000), peak(120_000)
	t.Logf("heap peak %d MiB with 30,000 entries, %d MiB with 120,000", few>>20, many>>20)

	if many > few+16<<20 {
		t.Errorf("the heap grew from %d MiB to %d MiB", few>>20, many>>20)
	}
}

// BenchmarkReadMillion reads a day and a year of 1,000,000 entries over 365 days.
func BenchmarkReadMillion(b *testing.B) {
	directory, err := durable.OpenStore(b.Context(), b.TempDir(), durable.StoreOptions{})
	if err != nil {
		b.Fatal(err)
	}

	store := everyDay(b, directory, 1_000_000)

	for name, days := range map[string]int{"day": 1, "year": 365} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var peak uint64

				entries, objects := readBack(b, store,
					auditlog.Window{Start: begin.AddDate(0, 0, -days-10), End: begin.AddDate(0, 0, -10)}, func(i int) {
						if i%50_000 == 0 {
							var m runtime.MemStats

							runtime.ReadMemStats(&m)
							peak = max(peak, m.HeapAlloc)
						}
					})

				b.ReportMetric(float64(entries), "entries")
				b.ReportMetric(float64(objects), "objects")
				b.ReportMetric(float64(peak>>20), "heap-MiB")
			}
		})
	}
}

// slowly is a store that takes its time, as a bucket does.
type slowly struct{ *memory }

func (s slowly) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	return s.memory.Read(ctx, key, limit)
}

// BenchmarkOpenOverABucket opens an archive of 1,000 segments, at 20 ms a request.
func BenchmarkOpenOverABucket(b *testing.B) {
	store := newMemory()

	a, err := archive.Open(b.Context(), archive.Options{
		Store: store, Service: &endless{n: 1000}, Format: format.NDJSON, Start: begin.AddDate(0, 0, -1000),
		Clock: func() time.Time { return begin }, Tool: "test",
	})
	if err != nil {
		b.Fatal(err)
	}

	if _, err := a.Append(b.Context()); err != nil {
		b.Fatal(err)
	}

	for b.Loop() {
		openReader(b, slowly{store}, (&endless{}).Info())
	}
}
