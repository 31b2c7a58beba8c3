// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestPagesComeSideBySide: eight pages at a time are at least six times faster than
// one at a time. Time is counted in round trips: nothing else takes any.
func TestPagesComeSideBySide(t *testing.T) {
	t.Parallel()

	entries := 100_000
	if raceflag.Enabled {
		entries = 20_000
	}

	const takes = 50 * time.Millisecond

	fake, err := fakeapi.New(fakeapi.Options{Entries: entries, NoExamples: true, Latency: takes})
	if err != nil {
		t.Fatal(err)
	}

	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()

		s := upcloud.New(servicetest.InMemory(t, fake.UpCloud()), fakeapi.DefaultNow, 0)

		got, c, err := servicetest.Read(t.Context(), s, auditlog.Query{Window: servicetest.Month()})
		if err != nil || len(got) != entries {
			t.Fatalf("%d entries, %v", len(got), err)
		}

		one := time.Duration(c.Pages) * takes
		t.Logf("%d pages (%d are needed), %d requests, %.1f times faster", c.Pages, entries/200, len(fake.Requests()),
			float64(one)/float64(time.Since(begun)))

		if took := time.Since(begun); 6*took > one {
			t.Errorf("%d pages took %v, and %v one by one", c.Pages, took, one)
		}

		if n := int64(len(fake.Requests())); n > c.Pages+16 {
			t.Errorf("%d requests for %d pages", n, c.Pages)
		}
	})
}

// outcome is how a reading ended.
type outcome struct {
	Entries []auditlog.Entry
	C       auditlog.Completeness
	Kind    client.Kind
	Err     string
}

// readBy reads a fake's log, so many pages at a time. Nothing may be left under way.
func readBy(
	t *testing.T, concurrency int, o fakeapi.Options, records []fakeapi.UpCloudRecord, q auditlog.Query,
) outcome {
	t.Helper()

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	fake.AppendUpCloud(records...)

	var out outcome

	synctest.Test(t, func(t *testing.T) {
		c := servicetest.InMemory(t, fake.UpCloud(), func(o *client.Options) { o.MaxConcurrency = concurrency })
		out.Entries, out.C, err = servicetest.Read(t.Context(), upcloud.New(c, fakeapi.DefaultNow, 0), q)
	})

	if err != nil {
		out.Err = err.Error()
		if failed := (*client.Error)(nil); errors.As(err, &failed) {
			out.Kind = failed.Kind
		}
	}

	return out
}

// TestSideBySideIsOneByOne: whatever the service does, and however its documentation is
// to be read, eight pages at a time bring what one at a time brings.
func TestSideBySideIsOneByOne(t *testing.T) {
	t.Parallel()

	logs := map[int][]fakeapi.UpCloudRecord{}
	for _, n := range []int{0, 1, 199, 200, 201, 700, 2600, 3500} {
		logs[n] = spread(n)
	}

	rapid.Check(t, func(rt *rapid.T) {
		// What is too large to hold has its own tests.
		faults := slices.DeleteFunc(fakeapi.Faults(), func(k fakeapi.FaultKind) bool {
			return k.Only != "" && k.Only != "upcloud" || k.Name == "huge" || k.Name == "gzip-bomb"
		})
		fault := rapid.SampledFrom(append(faults, fakeapi.FaultKind{})).Draw(rt, "fault")
		rate := rapid.SampledFrom([]float64{0.1, 1}).Draw(rt, "rate")
		records := logs[rapid.SampledFrom(slices.Sorted(maps.Keys(logs))).Draw(rt, "entries")]

		offsets := []fakeapi.OffsetReading{fakeapi.OffsetRow, fakeapi.OffsetPage}
		o := fakeapi.Options{
			NoExamples: true, Seed: rapid.Uint64Range(0, 20).Draw(rt, "seed"), RetryAfter: "0", Latency: 50 * time.Millisecond,
			UpCloudOffset:   rapid.SampledFrom(offsets).Draw(rt, "offset"),
			UpCloudOrder:    rapid.SampledFrom([]fakeapi.Order{fakeapi.NewestFirst, fakeapi.OldestFirst}).Draw(rt, "order"),
			UpCloudMaxLimit: rapid.SampledFrom([]int{50, 70, 100, 200}).Draw(rt, "page size"),
		}
		if fault.Name != "" {
			o.Faults = []fakeapi.Fault{{Name: fault.Name, Rate: rate}}
		}

		q := auditlog.Query{Window: servicetest.Month()}
		if rapid.Bool().Draw(rt, "filtered") {
			q.Actions = []string{"create"}
		}

		one, many := readBy(t, 1, o, records, q), readBy(t, 8, o, records, q)

		// Which requests are struck depends on their order. One that strikes some of them
		// may be an error of one reading only, or be repaired by asking once more.
		steady := fault.Name == "" || rate == 1 && !fault.SeveralPages() ||
			fault.Remedy == fakeapi.Retry && fault.Name != "retry-after"
		if steady {
			if diff := cmp.Diff(one, many); diff != "" {
				rt.Fatalf("%s: %s", fault.Name, diff)
			}

			return
		}

		for name, out := range map[string]outcome{"one by one": one, "side by side": many} {
			if out.Err != "" {
				if fault.Remedy == fakeapi.Accept || out.Kind == "" {
					rt.Errorf("%s, %s: %s", fault.Name, name, out.Err)
				}

				continue
			}

			want := 0
			for i := range records {
				if q.Actions == nil && q.Window.Contains(records[i].Time) {
					want++
				}
			}

			moves := slices.Contains([]string{"grow", "shrink", "expire"}, fault.Name)
			if !moves && len(out.Entries) != want || servicetest.Repeated(servicetest.IDs(out.Entries)) > 0 {
				rt.Errorf("%s, %s: %d entries of %d", fault.Name, name, len(out.Entries), want)
			}
		}
	})
}

// TestNothingOutlivesAReading: whoever stops listening, runs out of time or gets an
// error finds no request under way any more, and none follows.
func TestNothingOutlivesAReading(t *testing.T) {
	t.Parallel()

	records := spread(5000)

	for name, tt := range map[string]struct {
		faults []fakeapi.Fault
		take   int           // entries before nobody listens
		wait   time.Duration // before the context ends
	}{
		"early stop":        {nil, 1, time.Hour},
		"later stop":        {nil, 2000, time.Hour},
		"an error":          {[]fakeapi.Fault{{Name: "html", Rate: 0.1}}, 5000, time.Hour},
		"canceled":          {nil, 5000, 175 * time.Millisecond},
		"canceled at once":  {nil, 5000, 0},
		"told to wait":      {[]fakeapi.Fault{{Name: "503", Rate: 0.5}}, 5000, 330 * time.Millisecond},
		"the answers hang":  {[]fakeapi.Fault{{Name: "hang", Rate: 0.3}}, 5000, 10 * time.Second},
		"to the end of all": {nil, 6000, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake, err := fakeapi.New(fakeapi.Options{NoExamples: true, Latency: 50 * time.Millisecond, Faults: tt.faults})
			if err != nil {
				t.Fatal(err)
			}

			fake.AppendUpCloud(records...)

			synctest.Test(t, func(t *testing.T) {
				var underWay atomic.Int64

				api := fake.UpCloud()
				s := upcloud.New(servicetest.InMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					underWay.Add(1)
					defer underWay.Add(-1)

					api.ServeHTTP(w, r)
				})), fakeapi.DefaultNow, 0)

				ctx, cancel := context.WithTimeout(t.Context(), tt.wait)
				defer cancel()

				got := 0

				for _, err := range s.Read(ctx, auditlog.Query{Window: servicetest.Month()}, &auditlog.Completeness{}) {
					if got++; err != nil || got == tt.take {
						break
					}
				}

				n, requests := underWay.Load(), len(fake.Requests())

				time.Sleep(time.Hour)

				if n > 0 || len(fake.Requests()) > requests {
					t.Errorf("%d requests outlive the reading, and %d follow", n, len(fake.Requests())-requests)
				}
			})
		})
	}
}
