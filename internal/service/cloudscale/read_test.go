// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
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

// TestMain shortens property tests where the race detector slows them; make
// simulate runs them in full.
func TestMain(m *testing.M) {
	raceflag.Shorten()
	os.Exit(m.Run())
}

// scopes are the two things that the end of a first request may do to the pages
// behind a cursor.
var scopes = map[string]fakeapi.EndScope{
	"end on every page":     fakeapi.EndEveryPage,
	"end on the first page": fakeapi.EndFirstPage,
}

// system is a fake, the service that reads it, and a client of the fake.
type system struct {
	fake    *fakeapi.Server
	service *cloudscale.Service
	client  *client.Client
}

// serve serves exactly the records, whatever o says of generated ones.
func serve(t *testing.T, o fakeapi.Options, records ...fakeapi.CloudscaleRecord) system {
	t.Helper()

	o.NoExamples, o.Entries = true, 0

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	fake.AppendCloudscale(records...)
	c := servicetest.Client(t, fake.Cloudscale())

	return system{fake, cloudscale.New(c, fakeapi.DefaultNow, 0), c}
}

func (s system) read(t *testing.T, w auditlog.Window) ([]auditlog.Entry, auditlog.Completeness) {
	t.Helper()

	entries, c, err := servicetest.Read(t.Context(), s.service, auditlog.Query{Window: w})
	if err != nil {
		t.Fatal(err)
	}

	inOrder(t, entries)

	return entries, c
}

// inOrder expects entries in the order of their times, ties by id.
func inOrder(t *testing.T, entries []auditlog.Entry) {
	t.Helper()

	if !slices.IsSortedFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) }) {
		t.Error("entries are not in order")
	}
}

// within returns the records served that a window holds, sorted as texts.
func (s system) within(w auditlog.Window) []string {
	raws := []string{}

	for _, r := range s.fake.CloudscaleRecords() {
		if w.Contains(r.Timestamp) {
			raws = append(raws, string(r.Raw))
		}
	}

	slices.Sort(raws)

	return raws
}

// sorted returns texts as within does.
func sorted(texts []string) []string {
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(slices.Values(texts))))
}

func rawsOf(entries []auditlog.Entry) []string {
	raws := []string{}
	for i := range entries {
		raws = append(raws, string(entries[i].Raw))
	}

	return raws
}

// idsOf returns the ids in the order of the entries.
func idsOf(entries []auditlog.Entry) []string {
	ids := make([]string, 0, len(entries))
	for i := range entries {
		ids = append(ids, entries[i].ID)
	}

	return ids
}

func record(name any, at time.Time) fakeapi.CloudscaleRecord {
	return fakeapi.CloudscaleRecord{
		Action: "server_create", Message: fmt.Sprintf("Server '%v' has been created", name), Timestamp: at,
		Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
	}
}

// spread returns n records over a month in the order of their commits, each a
// little older or younger than its neighbours would have it.
func spread(n int) []fakeapi.CloudscaleRecord {
	random := rand.New(rand.NewPCG(1, uint64(n)))

	commits := make([]time.Duration, n)
	for i := range commits {
		commits[i] = time.Duration(random.Int64N(int64(30 * 24 * time.Hour)))
		if i%5 == 0 {
			commits[i] = 15*24*time.Hour + time.Duration(i)*time.Millisecond // a burst
		}
	}

	slices.Sort(commits)

	records := make([]fakeapi.CloudscaleRecord, n)
	for i := range records {
		late := time.Duration(random.Int64N(int64(4 * time.Second)))
		records[i] = record(i, servicetest.Month().Start.Add(commits[i]+late).Truncate(time.Microsecond))
	}

	return records
}

// TestCompletenessMatrix reads logs of every size whatever `end` means and under
// every fault. Whatever happens, the answer is every record once, or an error.
func TestCompletenessMatrix(t *testing.T) {
	t.Parallel()

	// What else a service does is in the provider's matrix, with a smaller log.
	passing := []string{
		"429", "500", "503", "reset", "truncate", "truncate-silent", "malformed", "empty", "short-page",
		"next-relative",
	}
	permanent := []string{"html", "shape", "bad-time"}
	moving := []string{"repeat-page", "grow", "shrink"}
	// A cursor has no page to shift and no total.
	without := []string{"", "duplicate", "no-total"}

	for _, entries := range []int{1, 199, 200, 201, 1000} {
		for _, fault := range slices.Concat(passing, permanent, moving, without) {
			t.Run(fmt.Sprintf("%d/%s", entries, fault), func(t *testing.T) {
				t.Parallel()

				struck := 0

				for _, scope := range scopes {
					for seed := range uint64(3) {
						o := fakeapi.Options{Seed: seed, RetryAfter: "0", CloudscaleEnd: scope}
						if fault != "" {
							o.Faults = []fakeapi.Fault{{Name: fault, Rate: 0.2}}
						}

						if fault == "repeat-page" {
							o.Faults[0].Times = 1
						}

						hit, err := readOnce(t, o, entries)
						if hit {
							struck++
						}

						if wrong := hit && slices.Contains(permanent, fault); wrong != (err != nil) {
							t.Errorf("end %v, seed %d: the fault struck: %v; got %v", scope, seed, hit, err)
						}
					}
				}

				if entries == 1000 && (struck == 0) != slices.Contains(without, fault) {
					t.Errorf("the fault struck %d readings", struck)
				}
			})
		}
	}
}

// readOnce reads a fake's whole log. It fails the test when the result is not
// what the log holds, and returns whether a fault struck and the error that the
// reading ended with.
func readOnce(t *testing.T, o fakeapi.Options, entries int) (struck bool, err error) {
	t.Helper()

	s := serve(t, o, spread(entries)...)
	got, c, err := servicetest.Read(t.Context(), s.service, auditlog.Query{Window: servicetest.Month()})
	struck = slices.ContainsFunc(s.fake.Requests(), func(r fakeapi.Request) bool { return r.Fault != "" })

	if err != nil {
		if typed := (*client.Error)(nil); !errors.As(err, &typed) || typed.Path != "/v1/project-logs" || typed.Page == 0 {
			t.Errorf("the error does not name its request: %v", err)
		}

		return struck, err
	}

	// A cursor names a place in the log, so that even a log that grows and shrinks
	// is read as it is in the end.
	if want := s.within(servicetest.Month()); !slices.Equal(want, sorted(rawsOf(got))) {
		t.Error(cmp.Diff(want, sorted(rawsOf(got))))
	}

	inOrder(t, got)

	if twice := servicetest.Repeated(servicetest.IDs(got)); twice > 0 {
		t.Errorf("%d ids came twice", twice)
	}

	if c.RowsFetched != c.RowsFilteredOut+int64(len(got)) || c.Proof != auditlog.ProofCursor || c.ClaimedTotal != nil ||
		c.DuplicatesDropped != 0 || c.SecondPass || c.Window != servicetest.Month() {
		t.Errorf("the statement is %+v for %d entries", c, len(got))
	}

	if n := int64(len(s.fake.Requests())); !struck && c.Pages != n {
		t.Errorf("%d pages in the statement, %d requests", c.Pages, n)
	}

	return struck, nil
}

// TestReadRepairsRepeatedPagesOrFails: however often an old page comes instead of
// the next, the result is whole or an error says that it is not.
func TestReadRepairsRepeatedPagesOrFails(t *testing.T) {
	t.Parallel()

	failed, whole := 0, 0

	for seed := range uint64(20) {
		_, err := readOnce(t, fakeapi.Options{
			Seed: seed, CloudscalePageSize: 50, Faults: []fakeapi.Fault{{Name: "repeat-page", Rate: 0.2}},
		}, 300)

		typed := (*client.Error)(nil)
		switch {
		case err == nil:
			whole++
		case errors.As(err, &typed) && typed.Kind == client.KindLoop:
			failed++
		default:
			t.Error(err)
		}
	}

	if failed == 0 || whole == 0 {
		t.Errorf("%d readings were whole, %d failed; the test should see both", whole, failed)
	}
}

// rapidLog draws a log in which neighbours overtake each other by less than five
// seconds, and a function that draws a window with borders among its records.
func rapidLog(rt *rapid.T) (log []fakeapi.CloudscaleRecord, window func() auditlog.Window) {
	commit := fakeapi.DefaultNow().Add(-time.Hour)
	moments := []time.Time{commit.Add(-time.Minute), commit, commit.Add(time.Hour)}

	for i := range rapid.IntRange(0, 40).Draw(rt, "records") {
		commit = commit.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "pause")) * time.Millisecond)
		at := commit.Add(time.Duration(rapid.IntRange(0, 4_999_999).Draw(rt, "late")) * time.Microsecond)

		log = append(log, record(i, at))
		moments = append(moments, at, at.Add(time.Microsecond), commit, commit.Truncate(time.Second))
	}

	return log, func() auditlog.Window {
		a, b := rapid.SampledFrom(moments).Draw(rt, "border"), rapid.SampledFrom(moments).Draw(rt, "border")
		if b.Before(a) {
			a, b = b, a
		}

		return auditlog.Window{Start: a, End: b}
	}
}

// TestReadIsTheNaiveFilter: records that overtook each other around the borders
// of a window are all there, whatever `end` means and however large a page is.
func TestReadIsTheNaiveFilter(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		log, window := rapidLog(rt)
		s := serve(t, fakeapi.Options{
			CloudscaleEnd: rapid.SampledFrom([]fakeapi.EndScope{fakeapi.EndEveryPage, fakeapi.EndFirstPage}).Draw(rt,
				"scope"),
			CloudscalePageSize: rapid.IntRange(1, 12).Draw(rt, "page size"),
		}, log...)
		w := window()

		if diff := cmp.Diff(s.within(w), sorted(rawsOf(first(s.read(t, w))))); diff != "" {
			rt.Fatalf("%v\n%s", w, diff)
		}
	})
}

func first[T, U any](t T, _ U) T { return t }

// TestEndMayMeanEither gives the same entries and ids whether or not the pages
// behind a cursor honour `end`.
func TestEndMayMeanEither(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this")
	}

	records := spread(300)
	records = slices.Insert(records, 150, records[149], records[149]) // twins

	every := serve(t, fakeapi.Options{CloudscaleEnd: fakeapi.EndEveryPage, CloudscalePageSize: 20}, records...)
	once := serve(t, fakeapi.Options{CloudscaleEnd: fakeapi.EndFirstPage, CloudscalePageSize: 20}, records...)

	for days := range 32 {
		w := auditlog.Window{
			Start: servicetest.Month().Start.AddDate(0, 0, days/2),
			End:   servicetest.Month().Start.AddDate(0, 0, days),
		}
		if diff := cmp.Diff(first(every.read(t, w)), first(once.read(t, w)),
			cmpopts.IgnoreFields(auditlog.Entry{}, "Endpoint")); diff != "" {
			t.Errorf("%v: %s", w, diff)
		}
	}
}

// TestReadStopsBeyondTheWindow: a window long past does not cost the whole log.
func TestReadStopsBeyondTheWindow(t *testing.T) {
	t.Parallel()

	for name, scope := range scopes {
		s := serve(t, fakeapi.Options{CloudscaleEnd: scope, CloudscalePageSize: 20}, spread(2000)...)
		w := auditlog.Window{Start: servicetest.Month().Start, End: servicetest.Month().Start.AddDate(0, 0, 2)}

		entries, c := s.read(t, w)
		if len(entries) < 60 || len(entries) != len(s.within(w)) {
			t.Errorf("%s: %d entries", name, len(entries))
		}

		// The page that holds the border, and one that lies beyond it.
		if n := len(s.fake.Requests()); n > len(entries)/20+2 || c.Pages != int64(n) {
			t.Errorf("%s: %d requests and %d pages for %d entries", name, n, c.Pages, len(entries))
		}
	}
}

// TestReadSurvivesAStrayTime: one record far from its neighbours does not end the
// reading, only a whole page of them does.
func TestReadSurvivesAStrayTime(t *testing.T) {
	t.Parallel()

	for name, scope := range scopes {
		records := spread(50)
		records[29].Timestamp = fakeapi.DefaultNow().AddDate(1, 0, 0)
		s := serve(t, fakeapi.Options{CloudscaleEnd: scope, CloudscalePageSize: 10}, records...)

		if scope == fakeapi.EndFirstPage {
			_, c, err := servicetest.Read(t.Context(), s.service, auditlog.Query{Window: servicetest.Month()})
			if failed := (*client.Error)(nil); !errors.As(err, &failed) || failed.Kind != client.KindShape || c.Proof != "" {
				t.Errorf("%s: %v", name, err)
			}

			continue
		}

		if entries, c := s.read(t, servicetest.Month()); len(entries) != 49 || c.RowsFetched != c.RowsFilteredOut+49 {
			t.Errorf("%s: %d entries, %+v", name, len(entries), c)
		}
	}
}

func TestReadStopsWhenNobodyListens(t *testing.T) {
	t.Parallel()

	s := serve(t, fakeapi.Options{CloudscalePageSize: 10}, spread(100)...)

	for _, err := range s.service.Read(t.Context(), auditlog.Query{Window: servicetest.Month()},
		&auditlog.Completeness{}) {
		if err != nil {
			t.Fatal(err)
		}

		break
	}

	if n := len(s.fake.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestReadRespectsTheBorders: windows are half-open to the microsecond.
func TestReadRespectsTheBorders(t *testing.T) {
	t.Parallel()

	at := fakeapi.DefaultNow().Add(-time.Hour)

	var records []fakeapi.CloudscaleRecord
	for i, d := range []time.Duration{
		-time.Microsecond, 0, 500 * time.Millisecond, time.Second, 10*time.Second - 1000,
		10 * time.Second,
	} {
		records = append(records, record(i, at.Add(d)))
	}

	for name, scope := range scopes {
		for _, size := range []int{1, 2, 200} {
			s := serve(t, fakeapi.Options{CloudscaleEnd: scope, CloudscalePageSize: size}, records...)

			for _, tt := range []struct {
				start, end time.Duration
				want       int
			}{
				{0, 10 * time.Second, 4},
				{0, 10*time.Second + 1000, 5},
				{-time.Microsecond, time.Second, 3},
				{time.Microsecond, time.Second, 1},
				{time.Microsecond, 600 * time.Millisecond, 1},
				{20 * time.Second, time.Minute, 0},
			} {
				w := auditlog.Window{Start: at.Add(tt.start), End: at.Add(tt.end)}

				entries, c := s.read(t, w)
				if len(entries) != tt.want || c.RowsFetched != c.RowsFilteredOut+int64(len(entries)) {
					t.Errorf("%s, %d a page, %v: got %d entries, want %d; %+v", name, size, w, len(entries), tt.want, c)
				}
			}
		}
	}
}

// TestIDs: twins have ids of their own, and an id depends neither on the window
// nor on the size of a page.
func TestIDs(t *testing.T) {
	t.Parallel()

	at := fakeapi.DefaultNow().Add(-time.Hour)
	twin := record("twin", at)
	records := []fakeapi.CloudscaleRecord{
		record("a", at.Add(-2*time.Second)), twin, record("b", at.Add(2*time.Second)), twin, record("c", at), twin,
		record("d", at.Add(time.Minute)),
	}

	want := map[string][]string{} // by record, in the log's order

	entries, _ := serve(t, fakeapi.Options{}, records...).read(t, servicetest.Month())
	for _, e := range entries {
		want[string(e.Raw)] = append(want[string(e.Raw)], e.ID)
	}

	if len(entries) != len(records) || servicetest.Repeated(servicetest.IDs(entries)) > 0 {
		t.Fatalf("%d records have the ids %v", len(records), idsOf(entries))
	}

	for _, scope := range scopes {
		for size := range 8 {
			s := serve(t, fakeapi.Options{CloudscaleEnd: scope, CloudscalePageSize: size}, records...)

			for _, w := range []auditlog.Window{
				servicetest.Month(),
				{Start: at, End: at.Add(time.Microsecond)},
				{Start: at.Add(-time.Second), End: at.Add(time.Second)},
				{Start: at, End: fakeapi.DefaultNow()},
				{Start: servicetest.Month().Start, End: at.Add(time.Microsecond)},
			} {
				got := map[string][]string{}
				for _, e := range first(s.read(t, w)) {
					got[string(e.Raw)] = append(got[string(e.Raw)], e.ID)
				}

				if len(got) == 0 {
					t.Errorf("%d a page, %v: nothing", size, w)
				}

				for raw, ids := range got {
					if !slices.Equal(ids, want[raw]) {
						t.Errorf("%d a page, %v: %s has the ids %v, want %v", size, w, raw, ids, want[raw])
					}
				}
			}
		}
	}
}

// poll follows a ResumeLink to its end.
func (s system) poll(t *testing.T, resumeURL string) []string {
	t.Helper()

	raws := []string{}

	for page, err := range (client.CursorWalk[auditlog.Entry]{First: resumeURL, Decode: cloudscale.DecodePage}).Pages(
		t.Context(), s.client,
	) {
		if err != nil {
			t.Fatal(err)
		}

		raws = append(raws, rawsOf(page.Rows)...)
	}

	return raws
}

// TestResumeLinkBringsWhatWasAdded and nothing else, when the window held all that
// there was.
func TestResumeLinkBringsWhatWasAdded(t *testing.T) {
	t.Parallel()

	for name, scope := range scopes {
		s := serve(t, fakeapi.Options{CloudscaleEnd: scope, CloudscalePageSize: 10}, spread(35)...)

		_, c := s.read(t, servicetest.Month())
		if got := s.poll(t, c.Resume.Link); len(got) != 0 {
			t.Errorf("%s: %d records before anything was added", name, len(got))
		}

		before := len(s.fake.CloudscaleRecords())

		// The first was late, the others are newer than the window.
		s.fake.AppendCloudscale(record("late", servicetest.Month().End.AddDate(0, 0, -2)))

		for i := range 25 {
			s.fake.AppendCloudscale(record(i, servicetest.Month().End.Add(time.Duration(i)*time.Hour)))
		}

		want := []string{}
		for _, r := range s.fake.CloudscaleRecords()[before:] {
			want = append(want, string(r.Raw))
		}

		if diff := cmp.Diff(want, s.poll(t, c.Resume.Link)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestResumeLinkSkipsNothing: where records beyond the window were there, whoever
// follows the ResumeLink still gets every one that the reading left out.
func TestResumeLinkSkipsNothing(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		log, window := rapidLog(rt)
		later := rapid.IntRange(0, len(log)).Draw(rt, "added later")

		s := serve(t, fakeapi.Options{
			CloudscaleEnd: rapid.SampledFrom([]fakeapi.EndScope{fakeapi.EndEveryPage, fakeapi.EndFirstPage}).Draw(rt,
				"scope"),
			CloudscalePageSize: rapid.IntRange(1, 12).Draw(rt, "page size"),
		}, log[:len(log)-later]...)
		w := window()
		entries, c := s.read(t, w)
		beyond := len(s.within(auditlog.Window{Start: w.End, End: fakeapi.DefaultNow()}))

		s.fake.AppendCloudscale(log[len(log)-later:]...)

		if c.Resume == nil {
			if len(entries) > 0 && beyond == 0 {
				rt.Fatalf("%v: nowhere to resume after %d entries", w, len(entries))
			}

			return
		}

		known := append(rawsOf(entries), s.poll(t, c.Resume.Link)...)
		slices.Sort(known)

		all := s.within(auditlog.Window{Start: w.Start, End: fakeapi.DefaultNow()})
		slices.Sort(all)

		if missing := servicetest.Minus(all, known); len(missing) > 0 {
			rt.Fatalf("%v, then %s: missing are\n%s", w, c.Resume.Link, strings.Join(missing, "\n"))
		}
	})
}

// TestNothingReadIsNothingToResume: the cursor of an empty page is nobody's
// record, and leads past whatever lies between the window and now.
func TestNothingReadIsNothingToResume(t *testing.T) {
	t.Parallel()

	for name, scope := range scopes {
		s := serve(t, fakeapi.Options{CloudscaleEnd: scope}, spread(10)...)
		w := auditlog.Window{
			Start: servicetest.Month().Start.AddDate(0, 0, -2),
			End:   servicetest.Month().Start.AddDate(0, 0, -1),
		}

		if entries, c := s.read(t, w); len(entries) != 0 || c.Resume != nil || len(s.fake.Requests()) != 1 {
			t.Errorf("%s: got %d entries and %v after %d requests", name, len(entries), c.Resume, len(s.fake.Requests()))
		}
	}
}

func TestReadKeepsTheTokenAtHome(t *testing.T) {
	t.Parallel()

	var asked []string

	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String()+" "+r.Header.Get("Authorization"))
	}))
	t.Cleanup(foreign.Close)

	// The seed decides how the link leads elsewhere.
	for seed := range uint64(20) {
		s := serve(t, fakeapi.Options{
			CloudscalePageSize: 10, Foreign: foreign.URL, Seed: seed, Faults: []fakeapi.Fault{{Name: "next-foreign", Rate: 1}},
		}, spread(30)...)

		_, _, err := servicetest.Read(t.Context(), s.service, auditlog.Query{Window: servicetest.Month()})
		if typed := (*client.Error)(nil); !errors.As(err, &typed) || typed.Kind != client.KindForeignOrigin ||
			typed.Page != 2 {
			t.Errorf("got %v", err)
		}

		if n := len(s.fake.Requests()); n != 1 {
			t.Errorf("ours was asked %d times", n)
		}
	}

	foreign.Close()

	if len(asked) > 0 {
		t.Errorf("the other origin was asked for %v", asked)
	}
}

func TestReadEndsALoop(t *testing.T) {
	t.Parallel()

	for _, size := range []int{10, 30, 200} {
		s := serve(t, fakeapi.Options{CloudscalePageSize: size, Faults: []fakeapi.Fault{{Name: "next-loop", Rate: 1}}},
			spread(30)...)

		_, _, err := servicetest.Read(t.Context(), s.service, auditlog.Query{Window: servicetest.Month()})
		if typed := (*client.Error)(nil); !errors.As(err, &typed) || typed.Kind != client.KindLoop {
			t.Errorf("%d a page: got %v", size, err)
		}

		if n := len(s.fake.Requests()); n > 6 {
			t.Errorf("%d a page: %d requests", size, n)
		}
	}
}

// TestReadOnTheWire: bounds are whole seconds, rounded outwards, and a plus sign
// never arrives as a space.
func TestReadOnTheWire(t *testing.T) {
	t.Parallel()

	var sent []string

	s := cloudscale.New(servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)

		_, _ = w.Write([]byte(`{"next":null,"poll_more":null,"results":[]}`))
	})), fakeapi.DefaultNow, 0)

	zone := time.FixedZone("CEST", 2*60*60)
	for _, w := range []auditlog.Window{
		{Start: time.Date(2026, 6, 1, 11, 0, 0, 1000, zone), End: time.Date(2026, 6, 1, 12, 0, 0, 1000, zone)},
		{Start: time.Date(2026, 6, 1, 11, 0, 0, 999_999_000, zone), End: time.Date(2026, 6, 1, 12, 0, 0, 999_999_000, zone)},
		{Start: time.Date(2026, 6, 1, 11, 0, 0, 0, zone), End: time.Date(2026, 6, 1, 12, 0, 0, 0, zone)},
	} {
		// Filters are never sent: the service has none.
		q := auditlog.Query{Window: w, Actions: []string{"server_create"}, Actors: []string{"jane"}, Search: "x"}
		if _, _, err := servicetest.Read(t.Context(), s, q); err != nil {
			t.Fatal(err)
		}
	}

	// What is asked for ends later than the window by as much as records overtake.
	want := []string{
		"GET /v1/project-logs?end=2026-06-01T10%3A00%3A06Z&start=2026-06-01T09%3A00%3A00Z",
		"GET /v1/project-logs?end=2026-06-01T10%3A00%3A06Z&start=2026-06-01T09%3A00%3A00Z",
		"GET /v1/project-logs?end=2026-06-01T10%3A00%3A05Z&start=2026-06-01T09%3A00%3A00Z",
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
}

// TestReadFollowsLinksAsTheyAre: what a link says is the service's business.
func TestReadFollowsLinksAsTheyAre(t *testing.T) {
	t.Parallel()

	var sent []string

	c := servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.URL.RequestURI())

		next := "null"
		if len(sent) == 1 {
			next = `"http://` + r.Host + `/v1/project-logs?cursor=b%2Fc%20d&x=1+2"`
		}

		_, _ = w.Write([]byte(`{"next":` + next + `,"poll_more":null,"results":[]}`))
	}))

	if _, _, err := servicetest.Read(t.Context(), cloudscale.New(c, fakeapi.DefaultNow, 0),
		auditlog.Query{Window: servicetest.Month()}); err != nil {
		t.Fatal(err)
	}

	if len(sent) != 2 || sent[1] != "/v1/project-logs?cursor=b%2Fc%20d&x=1+2" {
		t.Errorf("sent %q", sent)
	}
}

func TestReadFiltersLocally(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 400, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}

	service := cloudscale.New(servicetest.Client(t, fake.Cloudscale()), fakeapi.DefaultNow, 0)

	all, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil || len(all) != 400 {
		t.Fatalf("got %d entries, %v", len(all), err)
	}

	for _, q := range []auditlog.Query{
		{Actions: []string{"server_create", "volume_create"}},
		{Operations: []auditlog.Operation{auditlog.OperationDelete}, ResourceTypes: []string{"server"}},
		{Actors: []string{"mia@example.com", "3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0003"}},
		{IPAddresses: []string{"2001:db8::/32", "192.0.2.201"}},
		{Search: "SERVER '"},
	} {
		q.Window = servicetest.Month()

		matcher, err := q.Matcher()
		if err != nil {
			t.Fatal(err)
		}

		var want []auditlog.Entry

		for i := range all {
			if matches, err := matcher.Match(&all[i]); err != nil {
				t.Fatal(err)
			} else if matches {
				want = append(want, all[i])
			}
		}

		got, c, err := servicetest.Read(t.Context(), service, q)
		if err != nil || len(want) == 0 || len(want) == len(all) {
			t.Fatalf("%+v: want %d entries, %v", q, len(want), err)
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %s", q, diff)
		}

		if c.RowsFetched != 400 || c.RowsFilteredOut != int64(400-len(got)) {
			t.Errorf("%+v: the statement is %+v", q, c)
		}
	}
}

func TestReadWarnsOfRetention(t *testing.T) {
	t.Parallel()

	s := serve(t, fakeapi.Options{})
	short := cloudscale.New(s.client, fakeapi.DefaultNow, 30*24*time.Hour)

	for days, want := range map[int][2]bool{
		1: {false, false}, 29: {false, false}, 31: {false, true}, 89: {false, true},
		91: {true, true},
	} {
		w := auditlog.Window{Start: fakeapi.DefaultNow().AddDate(0, 0, -days), End: fakeapi.DefaultNow()}

		for i, service := range []*cloudscale.Service{s.service, short} {
			_, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: w})
			if err != nil || c.BeyondRetention != want[i] || c.Retention != service.Info().Retention {
				t.Errorf("%d days of %v: %v, %v", days, c.Retention, c.BeyondRetention, err)
			}
		}
	}
}

func TestReadRefusesABadQuery(t *testing.T) {
	t.Parallel()

	s := serve(t, fakeapi.Options{})

	_, _, err := servicetest.Read(t.Context(), s.service,
		auditlog.Query{Window: servicetest.Month(), IPAddresses: []string{"x"}})
	if err == nil || len(s.fake.Requests()) > 0 {
		t.Errorf("got %v after %d requests", err, len(s.fake.Requests()))
	}
}

func TestFilterOptions(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 500})
	if err != nil {
		t.Fatal(err)
	}

	service := cloudscale.New(servicetest.Client(t, fake.Cloudscale()), fakeapi.DefaultNow, 0)

	// Filters do not narrow what filters may be.
	options, err := service.FilterOptions(t.Context(),
		auditlog.Query{Window: servicetest.Month(), Actions: []string{"server_create"}})
	if err != nil {
		t.Fatal(err)
	}

	if options.OriginOfValues != auditlog.FromLog || len(options.Actions) < 20 || len(options.ResourceTypes) < 8 ||
		len(options.Origins) > 0 {
		t.Errorf("got %+v", options)
	}

	for _, list := range [][]string{options.Actions, options.Operations, options.ResourceTypes} {
		if !slices.IsSorted(list) || servicetest.Repeated(list) > 0 || slices.Contains(list, "") {
			t.Errorf("not sorted, not unique or empty: %q", list)
		}
	}

	// Only what occurs in the window.
	at := fakeapi.DefaultNow().Add(-time.Hour)
	s := serve(t, fakeapi.Options{},
		fakeapi.CloudscaleRecord{Action: "volume_delete", Message: "x", Timestamp: at.Add(-time.Minute)},
		fakeapi.CloudscaleRecord{Action: "server_volume_attach", Message: "x", Timestamp: at},
		fakeapi.CloudscaleRecord{Action: "migrate", Message: "x", Timestamp: at})

	options, err = s.service.FilterOptions(t.Context(),
		auditlog.Query{Window: auditlog.Window{Start: at, End: fakeapi.DefaultNow()}})
	if err != nil {
		t.Fatal(err)
	}

	want := auditlog.FilterOptions{
		Actions: []string{"migrate", "server_volume_attach"}, Operations: []string{"attach", "other"},
		ResourceTypes: []string{"server_volume"}, OriginOfValues: auditlog.FromLog,
	}
	if diff := cmp.Diff(want, options); diff != "" {
		t.Error(diff)
	}

	s.fake.SetFaults([]fakeapi.Fault{{Name: "html", Rate: 1}})

	if _, err := s.service.FilterOptions(t.Context(), auditlog.Query{Window: servicetest.Month()}); err == nil {
		t.Error("a failed reading gives options")
	}
}

// TestResumeLinkKeepsTheCursor: of a link only the end of the window is left out.
func TestResumeLinkKeepsTheCursor(t *testing.T) {
	t.Parallel()

	for link, want := range map[string]string{
		"https://api.example.com/v1/project-logs?cursor=7":                                "https://api.example.com/v1/project-logs?cursor=7",
		"https://api.example.com/v1/project-logs?cursor=b%2Fc%20d":                        "https://api.example.com/v1/project-logs?cursor=b%2Fc%20d",
		"https://api.example.com/v1/project-logs?cursor=7&end=2026-06-01T10%3A00%3A05Z":   "https://api.example.com/v1/project-logs?cursor=7",
		"https://api.example.com/v1/project-logs?end=2026-06-01T10%3A00%3A05Z&cursor=%2B": "https://api.example.com/v1/project-logs?cursor=%2B",
		"": "",
	} {
		if got := cloudscale.WithoutEnd(link); got != want {
			t.Errorf("%s becomes %s, want %s", link, got, want)
		}

		if u, err := url.Parse(want); err != nil || u.Query().Has("end") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
