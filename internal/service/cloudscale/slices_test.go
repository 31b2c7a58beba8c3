// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

// TestSlicesComeSideBySide: eight slices at a time are several times faster than one
// cursor, however its density changes by day and night. Time is counted in round trips: nothing else takes any.
func TestSlicesComeSideBySide(t *testing.T) {
	t.Parallel()

	entries := 200_000
	if raceflag.Enabled {
		entries = 30_000
	}

	const takes = 50 * time.Millisecond

	for name, tt := range map[string]struct {
		scope fakeapi.EndScope
		times float64
	}{"end on every page": {fakeapi.EndEveryPage, 4.2}, "end on the first page": {fakeapi.EndFirstPage, 3.5}} {
		if raceflag.Enabled {
			tt.times--
		}

		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake, err := fakeapi.New(fakeapi.Options{
				Entries: entries, NoExamples: true, Latency: takes, CloudscaleEnd: tt.scope,
			})
			if err != nil {
				t.Fatal(err)
			}

			synctest.Test(t, func(t *testing.T) {
				s := cloudscale.New(servicetest.InMemory(t, fake.Cloudscale()), fakeapi.DefaultNow, 0)
				begun := time.Now()

				var (
					c   auditlog.Completeness
					got int
				)

				for _, err := range s.Read(t.Context(), auditlog.Query{Window: servicetest.Month()}, &c) {
					if err != nil {
						t.Fatal(err)
					}

					got++
				}

				one := time.Duration(entries/200) * takes
				times := float64(one) / float64(time.Since(begun))
				t.Logf("%d pages (%d are needed), %.1f times faster", c.Pages, entries/200, times)

				if got != entries || c.Proof != auditlog.ProofCursor || times < tt.times ||
					c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+int64(entries) {
					t.Errorf("%d entries, %.1f times faster, %+v", got, times, c)
				}
			})
		})
	}
}

// outcome is how a reading ended.
type outcome struct {
	Entries []auditlog.Entry
	C       auditlog.Completeness
	Kind    client.Kind
	Err     string
	later   []auditlog.Entry // that reading on brought
}

// readBy reads a fake's log, so many slices at a time, and then reads on. Nothing may
// be left under way.
func readBy(
	t *testing.T, concurrency int, o fakeapi.Options, records, later []fakeapi.CloudscaleRecord, q auditlog.Query,
) outcome {
	t.Helper()

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	fake.AppendCloudscale(records...)

	var out outcome

	synctest.Test(t, func(t *testing.T) {
		c := servicetest.InMemory(t, fake.Cloudscale(), func(o *client.Options) { o.MaxConcurrency = concurrency })
		s := cloudscale.New(c, fakeapi.DefaultNow, 0)
		out.Entries, out.C, err = servicetest.Read(t.Context(), s, q)

		if err != nil || out.C.Resume == nil {
			return
		}

		fake.SetFaults(nil)
		fake.AppendCloudscale(later...)

		q.Window = auditlog.Window{Start: q.Window.Start, End: fakeapi.DefaultNow()}

		for e, err := range s.Resume(t.Context(), *out.C.Resume, q, &auditlog.Completeness{}) {
			if err != nil {
				t.Error(err)
			}

			// What comes once more has the ids that it had.
			known := slices.ContainsFunc(out.Entries, func(o auditlog.Entry) bool { return o.ID == e.ID })
			if !e.Time.Before(out.C.Window.End) || !known {
				out.later = append(out.later, e)
			}
		}
	})

	if err != nil {
		out.Err = err.Error()
		if failed := (*client.Error)(nil); errors.As(err, &failed) {
			out.Kind = failed.Kind
		}
	}

	return out
}

// TestSideBySideIsOneByOne: whatever the service does, and whatever its documentation
// leaves open, eight slices at a time bring what one cursor brings.
func TestSideBySideIsOneByOne(t *testing.T) {
	t.Parallel()

	var cut atomic.Int64

	rapid.Check(t, func(rt *rapid.T) {
		// What is too large to hold has its own tests.
		faults := slices.DeleteFunc(fakeapi.Faults(), func(k fakeapi.FaultKind) bool {
			return k.Only != "" && k.Only != "cloudscale" || k.Name == "huge" || k.Name == "gzip-bomb"
		})
		faults = append(faults, slices.Repeat([]fakeapi.FaultKind{{}}, len(faults))...)
		fault := rapid.SampledFrom(faults).Draw(rt, "fault")
		rate := rapid.SampledFrom([]float64{0.05, 1}).Draw(rt, "rate")
		scope := rapid.SampledFrom([]fakeapi.EndScope{fakeapi.EndEveryPage, fakeapi.EndFirstPage}).Draw(rt, "scope")

		records := spread(rapid.SampledFrom([]int{0, 1, 40, 400, 1500}).Draw(rt, "entries"))
		// Twins and bursts, of which some lie around the edges of slices.
		twins := rapid.IntRange(0, 20).Draw(rt, "twins")
		for range twins {
			if len(records) > 0 {
				at := rapid.IntRange(0, len(records)-1).Draw(rt, "twin")
				records = slices.Insert(records, at, slices.Repeat(records[at:at+1], rapid.IntRange(1, 30).Draw(rt, "times"))...)
			}
		}

		o := fakeapi.Options{
			NoExamples: true, Seed: rapid.Uint64Range(0, 20).Draw(rt, "seed"), RetryAfter: "0", Latency: 50 * time.Millisecond,
			CloudscaleEnd: scope, CloudscalePageSize: rapid.SampledFrom([]int{5, 20, 200}).Draw(rt, "page size"),
		}
		if fault.Name != "" {
			o.Faults = []fakeapi.Fault{{Name: fault.Name, Rate: rate}}
		}

		q := auditlog.Query{Window: servicetest.Month()}
		if rapid.Bool().Draw(rt, "shorter") {
			q.Window.End = q.Window.End.AddDate(0, 0, -rapid.IntRange(1, 20).Draw(rt, "days"))
		}

		later := []fakeapi.CloudscaleRecord{record("later", fakeapi.DefaultNow().Add(-time.Second))}
		one, many := readBy(t, 1, o, records, later, q), readBy(t, 8, o, records, later, q)

		if many.C.DuplicatesDropped > 0 {
			cut.Add(1)
		}

		// Of identical records that are more than a minute apart in the log, one by one too,
		// nobody knows the number.
		if fault.Name == "mixed-order" && twins > 0 {
			return
		}

		// What is late by more than a minute comes when its own slice is read.
		if fault.Name == "mixed-order" {
			for _, out := range []*outcome{&one, &many} {
				slices.SortFunc(out.Entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })
			}
		}

		// Which requests are struck depends on their order. Of records that come rounded
		// only with some answers, nobody knows which are the same.
		steady := fault.Name == "" || rate == 1 && !fault.SeveralPages() && fault.Remedy == fakeapi.Accept ||
			fault.Remedy == fakeapi.Retry && fault.Name != "retry-after" && fault.Name != "next-loop"
		if !steady {
			for name, out := range map[string]outcome{"one by one": one, "side by side": many} {
				if out.Err != "" && (out.Kind == "" || fault.Remedy == fakeapi.Accept && fault.Name != "rounded-seconds") {
					rt.Errorf("%s, %s: %s", fault.Name, name, out.Err)
				}

				if servicetest.Repeated(servicetest.IDs(out.Entries)) > 0 {
					rt.Errorf("%s, %s: ids came twice", fault.Name, name)
				}
			}

			moves := slices.Contains([]string{"grow", "shrink", "expire", "rounded-seconds"}, fault.Name)
			if one.Err == "" && many.Err == "" && !moves {
				if diff := cmp.Diff(one.Entries, many.Entries); diff != "" {
					rt.Fatalf("%s: %s", fault.Name, diff)
				}
			}

			return
		}

		if one.Kind != many.Kind {
			rt.Fatalf("%s: %s, and side by side %s", fault.Name, one.Err, many.Err)
		}

		if one.Err != "" {
			return
		}

		more := []string{"Pages", "RowsFetched", "DuplicatesDropped", "Resume"}
		if scope == fakeapi.EndFirstPage {
			more = append(more, "RowsFilteredOut") // The page that holds the end is another.
		}

		if diff := cmp.Diff(one.Entries, many.Entries); diff != "" {
			rt.Fatalf("%s: %s", fault.Name, diff)
		}

		if diff := cmp.Diff(one.C, many.C, cmpopts.IgnoreFields(auditlog.Completeness{}, more...)); diff != "" {
			rt.Fatalf("%s: %s", fault.Name, diff)
		}

		if (one.C.Resume == nil) != (many.C.Resume == nil) {
			rt.Fatalf("goes on from %v, and side by side from %v", one.C.Resume, many.C.Resume)
		}

		// Records that no longer come rounded are others, and how many come once more depends on the pages.
		if diff := cmp.Diff(one.later, many.later); diff != "" && fault.Name != "rounded-seconds" {
			rt.Fatalf("%s: reading on brings something else: %s", fault.Name, diff)
		}

		if n := int64(len(many.Entries)); many.C.RowsFetched != many.C.DuplicatesDropped+many.C.RowsFilteredOut+n {
			rt.Fatalf("the statement does not add up: %+v for %d entries", many.C, n)
		}
	})

	if cut.Load() == 0 {
		t.Error("no reading was cut into slices")
	}
}

// TestNeighboursHaveToAgree: a record that comes with only one of two slices that both
// ask for its time is an error, also where neither cursor shows anything missing.
func TestNeighboursHaveToAgree(t *testing.T) {
	t.Parallel()

	records := spread(1500)

	for name, tt := range map[string]struct {
		from time.Duration // of the edge of a slice, that records are left out of one request
		fail bool
	}{
		"before the edge": {-30 * time.Second, true},
		"after the edge":  {30 * time.Second, true},
		"far before":      {-2 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			// Records all around every time at which a slice may begin.
			log := slices.Clone(records)
			for i := range 25 * 360 {
				at := servicetest.Month().Start.Add(time.Hour + time.Duration(i)*10*time.Second)
				log = append(log, record(at.Unix(), at))
			}

			slices.SortStableFunc(log, func(a, b fakeapi.CloudscaleRecord) int { return a.Timestamp.Compare(b.Timestamp) })

			fake, err := fakeapi.New(fakeapi.Options{NoExamples: true})
			if err != nil {
				t.Fatal(err)
			}

			fake.AppendCloudscale(log...)

			var hidden atomic.Int64

			api := fake.Cloudscale()
			s := cloudscale.New(servicetest.InMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				start, err := time.Parse(time.RFC3339, r.URL.Query().Get("start"))
				if err != nil || !start.After(servicetest.Month().Start) || tt.from < -time.Minute {
					api.ServeHTTP(w, r)

					return
				}

				// The slice begins 65 seconds after what its request asks for.
				hole := start.Add(65*time.Second + tt.from).Truncate(10 * time.Second)
				w2 := httptest.NewRecorder()

				r.Header.Del("Accept-Encoding") // What is hidden has to be seen.
				api.ServeHTTP(w2, r)

				var page map[string]json.RawMessage
				if err := json.Unmarshal(w2.Body.Bytes(), &page); err != nil {
					t.Error(err)
				}

				var rows []json.RawMessage
				if err := json.Unmarshal(page["results"], &rows); err != nil {
					t.Error(err)
				}

				n := len(rows)
				rows = slices.DeleteFunc(rows, func(row json.RawMessage) bool {
					return strings.Contains(string(row), fmt.Sprintf("'%d'", hole.Unix()))
				})
				hidden.Add(int64(n - len(rows)))

				page["results"], _ = json.Marshal(rows)
				body, _ := json.Marshal(page)

				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(body)
			})), fakeapi.DefaultNow, 0)

			_, c, err := servicetest.Read(t.Context(), s, auditlog.Query{Window: servicetest.Month()})
			failed := (*client.Error)(nil)

			switch {
			case tt.fail && (!errors.As(err, &failed) || failed.Kind != client.KindIncomplete || hidden.Load() == 0):
				t.Errorf("%d hidden: %v", hidden.Load(), err)
			case !tt.fail && (err != nil || c.DuplicatesDropped == 0):
				t.Errorf("%v, %+v", err, c)
			}
		})
	}
}

// TestNothingOutlivesAReading: whoever stops listening, runs out of time or gets an
// error finds no request under way any more, and none follows.
func TestNothingOutlivesAReading(t *testing.T) {
	t.Parallel()

	records := spread(4000)

	for name, tt := range map[string]struct {
		faults []fakeapi.Fault
		take   int           // entries before nobody listens
		wait   time.Duration // before the context ends
		on     bool          // whether it goes on from a place
	}{
		"early stop":        {nil, 1, time.Hour, false},
		"later stop":        {nil, 1000, time.Hour, false},
		"an error":          {[]fakeapi.Fault{{Name: "html", Rate: 0.05}}, 5000, time.Hour, false},
		"canceled":          {nil, 5000, 475 * time.Millisecond, false},
		"canceled at once":  {nil, 5000, 0, false},
		"told to wait":      {[]fakeapi.Fault{{Name: "503", Rate: 0.5}}, 5000, 830 * time.Millisecond, false},
		"the answers hang":  {[]fakeapi.Fault{{Name: "hang", Rate: 0.1}}, 5000, 10 * time.Second, false},
		"to the end of all": {nil, 5000, time.Hour, false},
		"on, early stop":    {nil, 1, time.Hour, true},
		"on, later stop":    {nil, 1000, time.Hour, true},
		"on, an error":      {[]fakeapi.Fault{{Name: "html", Rate: 0.05}}, 5000, time.Hour, true},
		"on, canceled":      {nil, 5000, 475 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake, err := fakeapi.New(fakeapi.Options{
				NoExamples: true, Latency: 50 * time.Millisecond, CloudscalePageSize: 20, Faults: tt.faults,
			})
			if err != nil {
				t.Fatal(err)
			}

			fake.AppendCloudscale(records...)

			synctest.Test(t, func(t *testing.T) {
				var underWay atomic.Int64

				api := fake.Cloudscale()
				s := cloudscale.New(servicetest.InMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					underWay.Add(1)
					defer underWay.Add(-1)

					api.ServeHTTP(w, r)
				})), fakeapi.DefaultNow, 0)

				ctx, cancel := context.WithTimeout(t.Context(), tt.wait)
				defer cancel()

				got := 0

				entries := s.Read(ctx, auditlog.Query{Window: servicetest.Month()}, &auditlog.Completeness{})
				if tt.on {
					from := auditlog.Position{Link: "/v1/project-logs"}
					entries = s.Resume(ctx, from, auditlog.Query{Window: servicetest.Month()}, &auditlog.Completeness{})
				}

				for _, err := range entries {
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

// TestAReadingThatIsStoppedIsNotProven: whenever its time runs out, and however slowly its entries are taken, a reading
// brings all entries or ends in an error.
func TestAReadingThatIsStoppedIsNotProven(t *testing.T) {
	t.Parallel()

	records := spread(4000)

	fake, err := fakeapi.New(fakeapi.Options{NoExamples: true, Latency: 50 * time.Millisecond, CloudscalePageSize: 20})
	if err != nil {
		t.Fatal(err)
	}

	fake.AppendCloudscale(records...)

	for name, from := range map[string]*auditlog.Position{"by slices": nil, "by a cursor": {Link: "/v1/project-logs"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for wait := 25 * time.Millisecond; wait < 20*time.Second; wait += 330 * time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					// Few pages are held, so that others wait for room.
					s := cloudscale.New(servicetest.InMemory(t, fake.Cloudscale(), func(o *client.Options) { o.MaxConcurrency = 2 }),
						fakeapi.DefaultNow, 0)

					ctx, cancel := context.WithTimeout(t.Context(), wait)
					defer cancel()

					var (
						c   auditlog.Completeness
						got int
						err error
					)

					entries := s.Read(ctx, auditlog.Query{Window: servicetest.Month()}, &c)
					if from != nil {
						entries = s.Resume(ctx, *from, auditlog.Query{Window: servicetest.Month()}, &c)
					}

					for _, err = range entries {
						if err != nil {
							break
						}

						if got++; got%20 == 0 {
							time.Sleep(100 * time.Millisecond)
						}
					}

					if err == nil && (got != len(records) || c.Proof == "") || err != nil && c.Proof != "" {
						t.Errorf("stopped after %s: %d entries of %d, proof %q, %v", wait, got, len(records), c.Proof, err)
					}
				})
			}
		})
	}
}

// TestACursorIsReadAhead: pages behind a place to go on from are asked for while those before are looked at, but few of
// them, and none that one cursor does not need. Time is counted in round trips.
func TestACursorIsReadAhead(t *testing.T) {
	t.Parallel()

	const takes = 50 * time.Millisecond

	fake, err := fakeapi.New(fakeapi.Options{NoExamples: true, Latency: takes, CloudscalePageSize: 20})
	if err != nil {
		t.Fatal(err)
	}

	records := spread(4000)
	fake.AppendCloudscale(records...)

	q := auditlog.Query{Window: auditlog.Window{Start: servicetest.Month().Start, End: records[2000].Timestamp}}

	// read returns the entries, how many pages were asked for until the first entry was looked at and in all, and how
	// long it took from then on where a page is looked at as long as it takes to come.
	read := func(t *testing.T, concurrency int) (entries []auditlog.Entry, first, all int, took time.Duration) {
		t.Helper()

		synctest.Test(t, func(t *testing.T) {
			var (
				c     auditlog.Completeness
				begun time.Time
			)

			before := len(fake.Requests())
			s := cloudscale.New(servicetest.InMemory(t, fake.Cloudscale(), func(o *client.Options) {
				o.MaxConcurrency = concurrency
			}), fakeapi.DefaultNow, 0)

			for e, err := range s.Resume(t.Context(), auditlog.Position{Link: "/v1/project-logs"}, q, &c) {
				if err != nil {
					t.Fatal(err)
				}

				if len(entries) == 0 {
					time.Sleep(time.Hour)

					first, begun = len(fake.Requests())-before, time.Now()
				}

				if entries = append(entries, e); len(entries)%20 == 0 {
					time.Sleep(takes)
				}
			}

			all, took = len(fake.Requests())-before, time.Since(begun)

			if c.Proof == "" || c.Pages != int64(all) {
				t.Errorf("%d requests for %d pages, proof %q", all, c.Pages, c.Proof)
			}
		})

		return entries, first, all, took
	}

	one, first, all, took := read(t, 1)
	ahead, firstAhead, allAhead, tookAhead := read(t, 8)

	if len(one) < 2000 || !reflect.DeepEqual(one, ahead) || all != allAhead {
		t.Errorf("%d entries by %d requests one by one, %d by %d ahead", len(one), all, len(ahead), allAhead)
	}

	if first != 1 || firstAhead != 5 || 3*tookAhead > 2*took {
		t.Errorf("%d pages come at first and all in %s, ahead %d and in %s", first, took, firstAhead, tookAhead)
	}
}
