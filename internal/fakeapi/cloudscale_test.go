// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCloudscaleErrors(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 3})
	const format = `["Datetime has wrong format. Use YYYY-MM-DDThh:mm[:ss[.uuuuuu]] and +HH:MM, -HH:MM or Z."]`
	for name, tc := range map[string]struct {
		path   string
		edit   func(*http.Request)
		status int
		body   string
	}{
		"no credentials": {"/v1/project-logs", noAuth, 401, `{"detail":"Authentication credentials were not provided."}`},
		"wrong token":    {"/v1/project-logs", authorization("Bearer x"), 401, `{"detail":"Invalid token."}`},
		"basic":          {"/v1/project-logs", basic(DefaultUsername, DefaultPassword), 401, `{"detail":"Invalid token."}`},
		"path":           {"/v1/servers", nil, 404, `{"detail":"Not found."}`},
		"trailing slash": {"/v1/project-logs/", nil, 404, `{"detail":"Not found."}`},
		"no version":     {"/project-logs", nil, 404, `{"detail":"Not found."}`},
		"method": {
			"/v1/project-logs", func(r *http.Request) { r.Method = http.MethodDelete }, 405,
			`{"detail":"Method \"DELETE\" not allowed."}`,
		},
		"start":        {"/v1/project-logs?start=yesterday", nil, 400, `{"start":` + format + `}`},
		"no zone":      {"/v1/project-logs?start=2025-09-03T11:00", nil, 400, `{"start":` + format + `}`},
		"literal plus": {"/v1/project-logs?start=2025-09-03T11:00+02:00", nil, 400, `{"start":` + format + `}`},
		"both":         {"/v1/project-logs?start=&end=x", nil, 400, `{"end":` + format + `,"start":` + format + `}`},
		"twice": {
			"/v1/project-logs?end=2025-09-03T11:00Z&end=2025-09-03T11:00Z", nil, 400,
			`{"end":["Must be given once."]}`,
		},
		"cursor":          {"/v1/project-logs?cursor=abc", nil, 400, `{"cursor":["Invalid cursor."]}`},
		"negative cursor": {"/v1/project-logs?cursor=-1", nil, 400, `{"cursor":["Invalid cursor."]}`},
		"empty cursor":    {"/v1/project-logs?cursor=", nil, 400, `{"cursor":["Invalid cursor."]}`},
		"encoding":        {"/v1/project-logs?start=%zz", nil, 400, `{"detail":"Malformed percent-encoding."}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.edit == nil {
				tc.edit = func(*http.Request) {}
			}
			got := s.get(s.cloudscale.URL+tc.path, tc.edit)
			if got.status != tc.status || got.body != tc.body || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %s %s", got.status, got.header.Get("Content-Type"), got.body)
			}
		})
	}
	for _, good := range []string{
		"2025-09-03T11%3A00%2B02%3A00", "2025-09-03T11:00:00.123456Z",
		"2025-09-03T11:00:00-05:00",
	} {
		if got := s.logs("start=" + good); got.status != 200 {
			t.Errorf("%s: %d %s", good, got.status, got.body)
		}
	}
}

func TestCloudscaleWalk(t *testing.T) {
	t.Parallel()
	for _, entries := range []int{0, 1, 199, 200, 201, 400, 1000} {
		t.Run(fmt.Sprint(entries), func(t *testing.T) {
			t.Parallel()
			s := serve(t, Options{Entries: entries, NoExamples: true, Seed: 9})
			got, poll := s.walk()
			if diff := cmp.Diff(s.allCloudscale(), got); diff != "" {
				t.Error(diff)
			}
			if n := len(s.Requests()); n != max(1, (entries+199)/200) {
				t.Errorf("%d pages of %d entries", n, entries)
			}
			// Polling: nothing yet, then exactly what was added.
			if page := s.get(poll).page(t); len(page.Results) != 0 || page.Next != nil || *page.PollMore != poll {
				t.Errorf("a poll without news: %+v", page)
			}
			s.AppendCloudscale(CloudscaleRecord{
				Action: "a", Message: "m", Timestamp: at(1, 0),
				Actor: CloudscaleActor{Admin: &struct{}{}},
			})
			if page := s.get(poll).page(t); len(page.Results) != 1 {
				t.Errorf("a poll with news: %+v", page)
			}
		})
	}
}

func record(minute int, message string) CloudscaleRecord {
	return CloudscaleRecord{
		Action: "server_create", Message: message, Timestamp: at(10, minute), Actor: CloudscaleActor{System: &struct{}{}},
	}
}

func messages(t *testing.T, page logPage) string {
	t.Helper()
	var out []string
	for _, raw := range page.Results {
		r, err := parseCloudscale(raw)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Message)
	}
	return strings.Join(out, " ")
}

func TestCloudscaleBoundsAndScopeOfEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		scope EndScope
		query string
		want  []string // the messages of each page
	}{
		{EndEveryPage, "", []string{"a b", "d c", "e f"}},                         // by id, not by time
		{EndEveryPage, "start=2026-03-04T10:02:00Z", []string{"b d", "c e", "f"}}, // at or after
		{EndEveryPage, "start=2026-03-04T10:02:00.000001Z", []string{"d c", "e f"}},
		{EndEveryPage, "end=2026-03-04T10:05:00Z", []string{"a b", "d c"}}, // before, on every page
		{EndEveryPage, "end=2026-03-04T10:04:00Z", []string{"a b", "c"}},
		{EndEveryPage, "end=2026-03-04T11:05:00%2B01:00", []string{"a b", "d c"}},
		{EndEveryPage, "start=2026-03-04T10:02:00Z&end=2026-03-04T10:02:00.000001Z", []string{"b"}},
		{EndEveryPage, "start=2026-03-04T10:02:00Z&end=2026-03-04T10:02:00Z", []string{""}},
		{EndFirstPage, "end=2026-03-04T10:05:00Z", []string{"a b", "d c", "e f"}},
		{EndFirstPage, "end=2026-03-04T10:02:01Z", []string{"a b"}}, // one page: nothing left for a cursor
		{EndFirstPage, "end=2026-03-04T10:01:00Z", []string{""}},
	} {
		s := serve(t, Options{NoExamples: true, CloudscalePageSize: 2, CloudscaleEnd: tc.scope})
		s.AppendCloudscale(record(1, "a"), record(2, "b"), record(4, "d"), record(3, "c"), record(5, "e"), record(6, "f"))
		var got []string
		address := s.cloudscale.URL + "/v1/project-logs?" + tc.query
		for address != "" {
			page := s.get(address).page(t)
			got = append(got, messages(t, page))
			address = ""
			if page.Next != nil {
				address = *page.Next
			}
			cursor, err := url.Parse(*page.PollMore)
			if err != nil || !cursor.Query().Has("cursor") {
				t.Errorf("poll_more %s", *page.PollMore)
			}
			if carried := strings.Contains(tc.query, "end=") && tc.scope == EndEveryPage; cursor.Query().Has("end") != carried ||
				cursor.Query().Has("start") {
				t.Errorf("%d %q: poll_more %s", tc.scope, tc.query, *page.PollMore)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%d %q: %s", tc.scope, tc.query, diff)
		}
	}
}

func TestCloudscaleCursorNamesTheLastRecord(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 450, NoExamples: true})
	all := s.CloudscaleRecords()
	page := s.logs("").page(t)
	want := fmt.Sprintf("%s/v1/project-logs?cursor=%d", s.cloudscale.URL, all[199].ID)
	if page.Next == nil || *page.Next != want {
		t.Errorf("next %v, want %s", page.Next, want)
	}
	// An empty first page polls from the newest record on.
	page = s.logs("start=2030-01-01T00:00Z").page(t)
	if want := fmt.Sprintf("%s/v1/project-logs?cursor=%d", s.cloudscale.URL, all[449].ID); page.Next != nil ||
		*page.PollMore != want {
		t.Errorf("%+v, want poll_more %s", page, want)
	}
	// A cursor takes the place of start.
	page = s.logs(fmt.Sprintf("cursor=%d&start=2030-01-01T00:00Z", all[447].ID)).page(t)
	if len(page.Results) != 2 {
		t.Errorf("%d records behind the cursor, want 2", len(page.Results))
	}
	// The place of a cursor outlives its record, and links follow the name under which the server was reached.
	page = s.logs(fmt.Sprintf("cursor=%d", all[448].ID+1),
		func(r *http.Request) { r.Host = "logs.example.net:99" }).page(t)
	if !strings.HasPrefix(*page.PollMore, "http://logs.example.net:99/v1/project-logs?cursor=") {
		t.Errorf("poll_more %s", *page.PollMore)
	}
}

// Whatever is in the log and however large the pages, a walk returns every record once and in the log's order.
func TestCloudscaleWalkProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 7).Draw(rt, "page size")
		minutes := rapid.SliceOfN(rapid.IntRange(0, 50), 0, 30).Draw(rt, "minutes")
		end := rapid.IntRange(0, 51).Draw(rt, "end")
		fake, err := New(Options{NoExamples: true, CloudscalePageSize: size})
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		for i, minute := range minutes {
			fake.AppendCloudscale(record(minute, fmt.Sprint(i)))
			if minute < end {
				want = append(want, fmt.Sprint(i))
			}
		}
		var got []string
		cursor := int64(0)
		w := walk{start: nanos(at(0, 0)), end: nanos(at(10, end)), endText: "x"}
		for {
			page := fake.cloudscalePage(w)
			for _, row := range page.rows {
				r, _ := parseCloudscale(row.raw)
				got = append(got, r.Message)
			}
			if len(page.rows) > size || page.more && page.cursor <= cursor {
				rt.Fatalf("a page of %d up to %d", len(page.rows), page.cursor)
			}
			cursor = page.cursor
			if !page.more {
				break
			}
			w.cursor, w.later = cursor, true
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestLatencyIsWaitedForAndCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, err := New(Options{Latency: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(ctx context.Context) *httptest.ResponseRecorder {
			answer := httptest.NewRecorder()
			slow.UpCloud().ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/1.3/audit-logs", nil))
			return answer
		}
		begun := time.Now()
		ask(t.Context())
		if waited := time.Since(begun); waited != time.Hour {
			t.Errorf("answered after %s", waited)
		}
		slow.ResetRequests()
		left, leave := context.WithCancel(t.Context())
		leave()
		answer := ask(left)
		if got := slow.Requests(); len(got) != 1 || got[0].Status != 0 || answer.Body.Len() > 0 {
			t.Errorf("%+v, %q", got, answer.Body)
		}
		if waited := time.Since(begun); waited != time.Hour {
			t.Errorf("waited for nobody, %s in all", waited)
		}
	})
}
