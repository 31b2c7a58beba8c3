// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// event is one of a service that keeps more of a time than it shows, or less.
type event struct {
	id       string
	compared time.Time // with the bounds of a request
	shown    time.Time
	state    string
}

// request is what a service was asked for.
type request struct {
	n             int // from 1
	after, before time.Time
	limit, offset int
}

// ours is a service written apart from the fake, with whatever a test makes of it.
type ours struct {
	events []event
	newest bool // first
	byPage bool // what an offset counts
	// shows returns which of the events that match a request come, and how many the
	// service says there are.
	shows    func(r request, match []event) ([]event, int)
	requests int
	mu       sync.Mutex
}

func (s *ours) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, errAfter := time.Parse(time.RFC3339, q.Get("created_after"))
	before, errBefore := time.Parse(time.RFC3339, q.Get("created_before"))
	limit, errLimit := strconv.Atoi(q.Get("limit"))
	offset, errOffset := strconv.Atoi(q.Get("offset"))

	if err := errors.Join(errAfter, errBefore, errLimit, errOffset); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)

		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.requests++

	slices.SortFunc(s.events, byTime)

	var match []event

	for _, e := range s.events {
		if !e.compared.Before(after) && !e.compared.After(before) {
			match = append(match, e)
		}
	}

	if s.newest {
		slices.Reverse(match)
	}

	total := len(match)
	if s.shows != nil {
		match, total = s.shows(request{s.requests, after, before, limit, offset}, match)
	}

	if s.byPage {
		offset = max(offset-1, 0) * limit
	}

	match = match[min(offset, len(match)):]
	match = match[:min(limit, len(match))]

	rows := make([]string, 0, len(match))
	for _, e := range match {
		rows = append(rows, fmt.Sprintf(
			`{"time":%q,"auth_type":"api","cloud_event_id":%q,"upcloud_correlation_id":"c","resource_type":"server","action":"delete","origin":"api","account_username":"ci","current_state":{%s}}`,
			e.shown.Format(time.RFC3339Nano), e.id, e.state))
	}

	w.Header().Set("Content-Type", "application/json")
	w.Header()["UpCloud-Total-Count"] = []string{strconv.Itoa(total)}
	_, _ = fmt.Fprintf(w, `{"audit_logs":[%s]}`, strings.Join(rows, ","))
}

func byTime(a, b event) int { return cmp.Or(a.compared.Compare(b.compared), cmp.Compare(a.id, b.id)) }

func (s *ours) read(t *testing.T, w auditlog.Window) ([]auditlog.Entry, auditlog.Completeness, error) {
	t.Helper()

	return servicetest.Read(t.Context(), upcloud.New(servicetest.Client(t, s), fakeapi.DefaultNow, 0),
		auditlog.Query{Window: w})
}

var (
	noon   = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)
	around = auditlog.Window{Start: noon.Add(-time.Hour), End: noon.Add(3 * time.Hour)}
)

// exactly returns n events of two hours whose times are kept to the millisecond,
// some of them at the very edges of seconds, some at the same time.
func exactly(n int) []event {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	events := make([]event, n)

	for i := range events {
		at := noon.Add(time.Duration(random.IntN(2*60*60*1000)) * time.Millisecond)

		switch i % 10 {
		case 0:
			at = at.Truncate(time.Second)
		case 1:
			at = at.Truncate(time.Second).Add(-time.Millisecond)
		case 2:
			at = at.Truncate(time.Second).Add(500 * time.Millisecond)
		case 3:
			at = noon.Add(time.Hour + time.Duration(i%7)*250*time.Millisecond)
		}

		events[i] = event{id: fmt.Sprintf("01HQXYZ%019d", i), compared: at, shown: at}
	}

	return events
}

var roundings = map[string]func(time.Time) time.Time{
	"not":  func(at time.Time) time.Time { return at },
	"down": func(at time.Time) time.Time { return at.Truncate(time.Second) },
	"near": func(at time.Time) time.Time { return at.Round(time.Second) },
	"up":   func(at time.Time) time.Time { return at.Add(time.Second - 1).Truncate(time.Second) },
}

// TestReadKeepsEdgesOfRoundedTimes: a service that compares exact times with the
// bounds of a request and shows rounded ones, or the other way round, loses nothing
// where two slices meet.
func TestReadKeepsEdgesOfRoundedTimes(t *testing.T) {
	t.Parallel()

	for how, round := range roundings {
		for _, kept := range []string{"compared", "shown"} {
			for variant, n := range []int{12_000, 4000, 2500, 2500} {
				t.Run(fmt.Sprintf("%s/%s/%d", how, kept, variant), func(t *testing.T) {
					t.Parallel()

					if n == 12_000 && (how != "near" || kept != "compared") {
						n = 3000 // The largest log once is enough.
					}

					s := &ours{events: exactly(n), newest: variant%2 == 0, byPage: variant/2 == 0}

					for i := range s.events {
						if kept == "compared" {
							s.events[i].shown = round(s.events[i].shown)
						} else {
							s.events[i].compared = round(s.events[i].compared)
						}
					}

					s.check(t, around)
				})
			}
		}
	}
}

// TestReadKeepsEdgesOfAnyWindow: windows of less than a second, windows that begin
// within one, and windows that end in the middle of a burst.
func TestReadKeepsEdgesOfAnyWindow(t *testing.T) {
	t.Parallel()

	for _, round := range roundings {
		for _, kept := range []string{"compared", "shown"} {
			s := &ours{events: exactly(400)}

			for i := range s.events {
				// So dense that even slices of one second are cut from each other.
				s.events[i].compared = noon.Add(s.events[i].compared.Sub(noon) / 1000).Truncate(time.Millisecond)
				s.events[i].shown = s.events[i].compared

				if kept == "compared" {
					s.events[i].shown = round(s.events[i].shown)
				} else {
					s.events[i].compared = round(s.events[i].compared)
				}
			}

			random := rand.New(rand.NewPCG(1, 2))

			for range 60 {
				start := noon.Add(time.Duration(random.IntN(20)-4) * 500 * time.Millisecond).Add(
					time.Duration(random.IntN(3)-1) * time.Microsecond,
				)
				length := []time.Duration{
					time.Microsecond, 200 * time.Millisecond, time.Second, 1500 * time.Millisecond,
					3 * time.Second,
				}[random.IntN(5)]

				s.check(t, auditlog.Window{Start: start, End: start.Add(length)})
			}
		}
	}
}

// check reads a window and expects every event that shows a time within it.
func (s *ours) check(t *testing.T, w auditlog.Window) {
	t.Helper()

	entries, c, err := s.read(t, w)
	if err != nil {
		t.Fatalf("%v: %v", w, err)
	}

	want := []string{}

	for _, e := range s.events {
		if w.Contains(e.shown) {
			want = append(want, e.id)
		}
	}

	slices.Sort(want)

	if got := servicetest.IDs(entries); !slices.Equal(want, got) {
		t.Errorf("%v: %d of %d events, %d missing, %d twice", w, len(got), len(want), len(servicetest.Minus(want, got)),
			servicetest.Repeated(got))
	}

	if !slices.IsSortedFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) }) {
		t.Errorf("%v: not in order", w)
	}

	distinct := c.RowsFetched - c.DuplicatesDropped
	if c.Proof != auditlog.ProofTotal || *c.ClaimedTotal != distinct || distinct != c.RowsFilteredOut+
		int64(len(entries)) || c.SecondPass {
		t.Errorf("%v: the statement does not add up: %+v with a total of %d for %d entries", w, c, *c.ClaimedTotal, len(entries))
	}
}

// TestReadRefusesEventsOutsideOfTheWindow: an event that no request asked for is no
// row to filter out. Times that differ by the rounding of seconds are.
func TestReadRefusesEventsOutsideOfTheWindow(t *testing.T) {
	t.Parallel()

	for shown, fails := range map[time.Time]bool{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC):                    true,
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC):                 true,
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC):            true,
		around.Start.Add(-time.Hour):                                true,
		around.Start.Add(-3 * time.Second):                          true,
		around.Start.Add(-time.Second):                              false,
		around.End.Add(time.Second):                                 false,
		around.End.Add(time.Second + time.Microsecond):              true,
		around.End.Add(24 * time.Hour):                              true,
		around.Start.Add(time.Hour).In(time.FixedZone("", 14*3600)): false,
	} {
		for _, others := range []int{0, 3000} {
			s := &ours{events: exactly(others)}
			stray := event{id: "01HQXYZ9999999999999999999", shown: shown}
			s.shows = func(_ request, match []event) ([]event, int) {
				match = append([]event{stray}, match...)

				return match, len(match)
			}

			_, _, err := s.read(t, around)
			got := (*client.Error)(nil)

			switch {
			case !fails && others == 0 && err != nil:
				t.Errorf("%v: %v", shown, err)
			case fails && (!errors.As(err, &got) || got.Kind != client.KindShape || got.Page != 1 ||
				got.Err.Error() != "an event is dated outside of the window that was asked for"):
				t.Errorf("%v beside %d: got %v", shown, others, err)
			}
		}
	}
}

// TestReadNoticesWhatComesOnce: two requests that overlap bring the same events
// there. What only one of them has is asked for once more, and then an error.
func TestReadNoticesWhatComesOnce(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		left, right bool // whether the event is left out of the slice on that side of it
		once        bool // only of the first reading
		fails       bool
	}{
		"in both":                  {false, false, false, false},
		"only in the second":       {true, false, false, true},
		"only in the first":        {false, true, false, true},
		"in the second, then both": {true, false, true, true}, // The first slice is not read again.
		"in the first, then both":  {false, true, true, false},
	} {
		for _, off := range []time.Duration{-999 * time.Millisecond, 0, 999 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%v", name, off), func(t *testing.T) {
				t.Parallel()

				s := &ours{events: exactly(4000)}
				odd, edge := s.atAnEdge(t, off)

				s.shows = func(r request, match []event) ([]event, int) {
					isLeft, isRight := r.before.Equal(edge.Add(2*time.Second)), r.after.Equal(edge.Add(-2*time.Second))

					if ((isLeft && tt.left) || (isRight && tt.right)) && (!tt.once || r.limit == 200) {
						match = slices.DeleteFunc(match, func(e event) bool { return e.id == odd })
					}

					return match, len(match)
				}

				entries, c, err := s.read(t, around)

				got := (*client.Error)(nil)
				if tt.fails {
					if !errors.As(err, &got) || got.Kind != client.KindIncomplete || !c.SecondPass ||
						!strings.HasPrefix(got.Err.Error(), "1 events came with only one") {
						t.Errorf("got %v", err)
					}

					return
				}

				if err != nil || len(entries) != 4001 || c.RowsFetched != c.DuplicatesDropped+4001 || *c.ClaimedTotal != 4001 ||
					c.SecondPass != tt.once {
					t.Errorf("%d entries, %+v, %v", len(entries), c, err)
				}
			})
		}
	}
}

// atAnEdge adds an event near the place where two slices of a reading meet. Where
// they do depends on the event as well, so that it is moved until it fits.
func (s *ours) atAnEdge(t *testing.T, off time.Duration) (id string, edge time.Time) {
	t.Helper()

	odd, others := event{id: "01HQXYZ9999999999999999999"}, slices.Clone(s.events)

	for next := noon; !next.Equal(edge); {
		edge = next
		odd.compared = edge.Add(off)
		odd.shown = odd.compared
		s.events = append(slices.Clone(others), odd)

		var begins []time.Time

		s.shows = func(r request, match []event) ([]event, int) {
			if r.after.After(around.Start) {
				begins = append(begins, r.after.Add(2*time.Second))
			}

			return match, len(match)
		}

		if _, _, err := s.read(t, around); err != nil || len(begins) == 0 {
			t.Fatalf("%v, %v", begins, err)
		}

		next = begins[0]
	}

	return odd.id, edge
}

// TestReadNoticesAChangedTime: an event that shows another time in each slice could
// belong to none of them.
func TestReadNoticesAChangedTime(t *testing.T) {
	t.Parallel()

	s := &ours{events: exactly(4000)}
	odd, edge := s.atAnEdge(t, 0)

	s.shows = func(r request, match []event) ([]event, int) {
		for i := range match {
			if match[i].id == odd {
				match[i].shown = edge.Add(600 * time.Millisecond)
				if r.after.Add(2 * time.Second).Equal(edge) {
					match[i].shown = edge.Add(-600 * time.Millisecond)
				}
			}
		}

		return match, len(match)
	}

	_, _, err := s.read(t, around)
	if got := (*client.Error)(nil); !errors.As(err, &got) || got.Kind != client.KindIncomplete {
		t.Errorf("got %v", err)
	}
}

// TestReadRefusesTwoEventsWithOneID: which of them happened is not for a reader to say,
// whatever the service counts.
func TestReadRefusesTwoEventsWithOneID(t *testing.T) {
	t.Parallel()

	twins := []event{
		{id: "01HQXYZ1234567890000000001", compared: noon, shown: noon, state: `"a":1`},
		{id: "01HQXYZ1234567890000000001", compared: noon, shown: noon, state: `"a":2`},
	}

	for _, total := range []int{1, 2} {
		s := &ours{events: slices.Clone(twins), shows: func(_ request, match []event) ([]event, int) { return match, total }}

		_, _, err := s.read(t, around)
		if got := (*client.Error)(nil); !errors.As(err, &got) || got.Kind != client.KindShape ||
			!strings.Contains(err.Error(), "the same cloud_event_id") {
			t.Errorf("a total of %d: got %v", total, err)
		}
	}

	// The same one twice is one.
	s := &ours{
		events: []event{twins[0], twins[0]},
		shows:  func(_ request, match []event) ([]event, int) { return match, 1 },
	}
	if entries, _, err := s.read(t, around); err != nil || len(entries) != 1 {
		t.Errorf("got %d, %v", len(entries), err)
	}
}

// TestReadEndsWithoutEnd: a service whose pages never end is an error that says
// which limit was hit, long before memory or time run out.
func TestReadEndsWithoutEnd(t *testing.T) { //nolint:paralleltest // It measures the heap.
	fresh := func(r request, n int) []event {
		rows := make([]event, n)
		for i := range rows {
			rows[i] = event{id: fmt.Sprintf("01HQXYZ%09d%010d", r.n, i), shown: r.after.Add(r.before.Sub(r.after) / 2)}
		}

		return rows
	}

	// at puts rows where a request looks for them.
	at := func(r request, rows []event) []event { return append(make([]event, r.offset), rows...) }

	for name, tt := range map[string]struct {
		shows func(r request, _ []event) ([]event, int)
		kind  client.Kind
		text  string
	}{
		"ever more": {
			func(r request, _ []event) ([]event, int) { return at(r, fresh(r, 200)), r.offset + 400 },
			client.KindEndless, "the service counts 20200 events around one second, and 20000 is the most that is read",
		},
		"a billion": {
			func(r request, _ []event) ([]event, int) { return at(r, fresh(r, 200)), 1_000_000_000 },
			client.KindEndless, "the service counts 1000000000 events around one second, and 20000 is the most that is read",
		},
		"large ones": {
			func(r request, _ []event) ([]event, int) {
				rows := fresh(r, 100)
				for i := range rows {
					rows[i].state = `"text":"` + strings.Repeat("x", 100<<10) + `"`
				}

				return at(r, rows), r.offset + 200
			},
			client.KindEndless, "the events around one second have more than 67108864 bytes",
		},
		"more than it counts": {
			func(r request, _ []event) ([]event, int) { return at(r, fresh(r, 200)), 7 },
			client.KindIncomplete, "two readings brought 300 different events, and the service counts 7",
		},
	} {
		var before, after runtime.MemStats

		runtime.GC()
		runtime.ReadMemStats(&before)

		s := &ours{shows: tt.shows}
		_, _, err := s.read(t, auditlog.Window{Start: noon, End: noon.Add(8 * time.Second)})

		runtime.GC()
		runtime.ReadMemStats(&after)

		// Of pages that were asked for ahead, some come when nobody waits for them any more.
		s.mu.Lock()
		requests := s.requests
		s.mu.Unlock()

		got := (*client.Error)(nil)
		if !errors.As(err, &got) || got.Kind != tt.kind || got.Err.Error() != tt.text || got.Page == 0 || requests > 2000 {
			t.Errorf("%s: %v after %d requests", name, err, requests)
		}

		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
			t.Errorf("%s: the heap grew by %d bytes", name, grown)
		}
	}
}
