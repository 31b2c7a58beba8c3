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
	"github.com/auditlogs/terraform-provider-audit/internal/export"
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
				ID: fmt.Sprintf("01HQXYZ%019d", i), Time: q.Window.Start.Add(time.Duration(i) * step).Truncate(time.Microsecond), Service: auditlog.ServiceUpCloud,
				Action: "update", Operation: auditlog.OperationUpdate, ActorType: auditlog.ActorUser, Actor: fmt.Sprint("user-", i%50),
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
func archiveEndless(tb testing.TB, n int, format export.Format) (uint64, archive.Result) {
	tb.Helper()

	s := &endless{n: n}

	a, err := archive.Open(tb.Context(), archive.Options{
		Store: &discard{newMemory()}, Service: s, Format: format, Compression: export.CompressionZstd, Start: begin.AddDate(0, 0, -30),
		Clock: func() time.Time { return begin }, Holder: "one", Tool: "test",
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

	short, _ := archiveEndless(t, 50_000, export.FormatNDJSON)
	long, r := archiveEndless(t, 400_000, export.FormatNDJSON)

	t.Logf("heap peak %d MiB with 50,000 entries, %d MiB with 400,000 in %d segments", short>>20, long>>20, r.Segments)

	if long > short+32<<20 {
		t.Errorf("the heap grew from %d MiB to %d MiB", short>>20, long>>20)
	}
}

// BenchmarkArchiveMillion archives 1,000,000 entries in one run.
func BenchmarkArchiveMillion(b *testing.B) {
	for _, format := range []export.Format{export.FormatNDJSON, export.FormatParquet} {
		b.Run(string(format), func(b *testing.B) {
			for b.Loop() {
				peak, _ := archiveEndless(b, 1_000_000, format)
				b.ReportMetric(float64(peak>>20), "heap-MiB")
			}
		})
	}
}
