// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func noAuth(r *http.Request) { r.Header.Del("Authorization") }

func authorization(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", value) }
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

type problemBody struct {
	Type          string         `json:"type"`
	Title         string         `json:"title"`
	InvalidParams []invalidParam `json:"invalid_params"`
	CorrelationID string         `json:"correlation_id"`
	Status        int            `json:"status"`
}

func (p problemBody) code() string { _, code, _ := strings.Cut(p.Type, "#"); return code }

func (a answer) problem(t *testing.T) problemBody {
	t.Helper()
	var p problemBody
	a.decode(t, &p)
	if a.header.Get("Content-Type") != "application/problem+json" || p.Status != a.status || p.Title == "" ||
		!ulidPattern.MatchString(p.CorrelationID) {
		t.Errorf("not a whole problem: %d %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

func TestUpCloudAuthentication(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 3})
	for name, tc := range map[string]struct {
		edit   func(*http.Request)
		status int
		code   string
	}{
		"bearer":           {authorization("Bearer " + DefaultToken), 200, ""},
		"bearer lowercase": {authorization("bearer " + DefaultToken), 200, ""},
		"basic":            {basic(DefaultUsername, DefaultPassword), 200, ""},
		"nothing":          {noAuth, 401, "ERROR_AUTHENTICATION_FAILED"},
		"wrong token":      {authorization("Bearer x"), 401, "ERROR_INVALID_CREDENTIALS"},
		"wrong scheme":     {authorization("Token " + DefaultToken), 401, "ERROR_INVALID_CREDENTIALS"},
		"wrong user":       {basic("x", DefaultPassword), 401, "ERROR_INVALID_CREDENTIALS"},
		"wrong password":   {basic(DefaultUsername, "x"), 401, "ERROR_INVALID_CREDENTIALS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"", "/filter-options", "/export", "/01HQXYZ123456789ABCDEFGHJK"} {
				got := s.get(s.upcloud.URL+"/1.3/audit-logs"+path, tc.edit)
				if got.status != tc.status {
					t.Errorf("%q: status %d, want %d", path, got.status, tc.status)
				}
				if tc.status == 401 {
					if code := got.problem(t).code(); code != tc.code {
						t.Errorf("%q: code %s, want %s", path, code, tc.code)
					}
				}
			}
		})
	}
	// The fields and their order are those of the printed example, but for the id.
	got := s.list("", authorization("Bearer x"))
	want := fmt.Sprintf(`{"type":"https://developers.upcloud.com/1.3/errors#ERROR_INVALID_CREDENTIALS","title":"Invalid user type.","correlation_id":%q,"status":401}`, got.problem(t).CorrelationID)
	if got.body != want {
		t.Errorf("got %s\nwant %s", got.body, want)
	}
}

func TestUpCloudPaths(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	for path, want := range map[string]string{
		"/1.2/audit-logs":          "API_VERSION_INVALID",
		"/2/audit-logs":            "API_VERSION_INVALID",
		"/1.3/server":              "NOT_FOUND",
		"/1.3/audit-logs/":         "NOT_FOUND",
		"/1.3/audit-logs/export/x": "NOT_FOUND",
		"/audit-logs":              "NOT_FOUND",
		"/1.3/audit-logs-2":        "NOT_FOUND",
		"/":                        "NOT_FOUND",
		"/1.3/1.3/audit-logs":      "NOT_FOUND",
		"/1.3/audit-logs/01HQXYZ123456789ABCDEFGHJZ": "ERROR_RESOURCE_NOT_FOUND",
	} {
		got := s.get(s.upcloud.URL + path)
		if got.status != 404 {
			t.Errorf("%s: status %d", path, got.status)
		}
		if want == "ERROR_RESOURCE_NOT_FOUND" {
			if code := got.problem(t).code(); code != want {
				t.Errorf("%s: code %s", path, code)
			}
			continue
		}
		var legacy struct {
			Error struct {
				Code    string `json:"error_code"`
				Message string `json:"error_message"`
			} `json:"error"`
		}
		got.decode(t, &legacy)
		if legacy.Error.Code != want || legacy.Error.Message == "" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	if got := s.list("", func(r *http.Request) { r.Method = http.MethodPost }); got.status != 405 || got.header.Get("Allow") != "GET" {
		t.Errorf("POST: status %d", got.status)
	}
}

func TestUpCloudParameterChecks(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 3})
	for query, want := range map[string][]string{
		"limit=0":                   {"limit"},
		"limit=-1":                  {"limit"},
		"limit=ten":                 {"limit"},
		"limit=":                    {"limit"},
		"limit=4294967296":          {"limit"},
		"limit=1&limit=2":           {"limit"},
		"offset=-1":                 {"offset"},
		"offset=1.5":                {"offset"},
		"created_after=2024-01-01":  {"created_after"},
		"created_before=1704067200": {"created_before"},
		"created_after=2024-01-01T00:00:00+00:00":   {"created_after"}, // the plus sign arrives as a space
		"created_after=2024-01-01T00:00:00":         {"created_after"},
		"limit=0&offset=x&created_before=now":       {"limit", "offset", "created_before"},
		"action=create":                             {"action"},
		"q=a&q=b":                                   {"q"},
		"q=%zz":                                     {"query"},
		"limit=1000000":                             nil,
		"created_after=2024-01-01T00:00:00%2B02:00": nil,
		"created_after=0001-01-01T00:00:00Z&created_before=9999-12-31T23:59:59Z": nil,
		"actions=never-heard-of": nil, // undocumented; an open set
	} {
		got := s.list(query)
		if want == nil {
			if got.status != 200 {
				t.Errorf("%s: %d %s", query, got.status, got.body)
			}
			continue
		}
		if got.status != 400 {
			t.Errorf("%s: status %d", query, got.status)
			continue
		}
		p := got.problem(t)
		var names []string
		for _, param := range p.InvalidParams {
			if names = append(names, param.Name); param.Reason == "" {
				t.Errorf("%s: no reason", query)
			}
		}
		if diff := cmp.Diff(want, names); diff != "" || p.code() != "ERROR_INVALID_REQUEST" {
			t.Errorf("%s: %s %s", query, p.code(), diff)
		}
	}
	for path, name := range map[string]string{
		"/export?format=xml": "format", "/export?since=1": "since", "/filter-options?x=1": "x",
		"/01HQXYZ123456789ABCDEFGHJK?x=1": "x", "/export?format=csv&format=json": "format",
	} {
		got := s.get(s.upcloud.URL + "/1.3/audit-logs" + path)
		if p := got.problem(t); got.status != 400 || len(p.InvalidParams) != 1 || p.InvalidParams[0].Name != name {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func at(hour, minute int) time.Time { return time.Date(2026, 3, 4, hour, minute, 0, 0, time.UTC) }

func event(id string, t time.Time, edit ...func(*UpCloudRecord)) UpCloudRecord {
	r := UpCloudRecord{
		Time: t, AuthType: "api", CloudEventID: id, CorrelationID: "c", ResourceType: "server", Action: "start",
		Origin: "api", AccountUsername: "u",
	}
	for _, e := range edit {
		e(&r)
	}
	return r
}

func ids(t *testing.T, a answer) string {
	t.Helper()
	var out []string
	for _, row := range a.rows(t) {
		f, err := parseFields(json.RawMessage(row))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := f.text("cloud_event_id")
		out = append(out, id)
	}
	return strings.Join(out, " ")
}

func TestUpCloudFilters(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{NoExamples: true, UpCloudOrder: OldestFirst})
	s.AppendUpCloud(
		event("C", at(12, 0), func(r *UpCloudRecord) { r.Action, r.AccountUsername = "delete", "mia" }),
		event("A", at(10, 0), func(r *UpCloudRecord) { r.Action, r.Origin, r.ResourceID = "create", "gui", "r-1" }),
		event("B", at(11, 0), func(r *UpCloudRecord) { r.ResourceType, r.IPAddress = "storage", "2001:db8::1" }),
		event("D", at(12, 0), func(r *UpCloudRecord) { r.Action, r.ResourceType, r.AccountUsername = "delete", "uks", "mia.ops" }),
	)
	for query, want := range map[string]string{
		"":                                          "A B C D",
		"created_after=2026-03-04T11:00:00Z":        "B C D", // inclusive
		"created_after=2026-03-04T11:00:00.001Z":    "C D",
		"created_before=2026-03-04T11:00:00Z":       "A B", // inclusive
		"created_before=2026-03-04T10:59:59Z":       "A",
		"created_after=2026-03-04T12:00:00%2B01:00": "B C D", // instants, not texts
		"created_after=2026-03-04T12:00:00Z&created_before=2026-03-04T12:00:00Z": "C D",
		"created_after=2026-03-04T12:00:00Z&created_before=2026-03-04T11:00:00Z": "",
		"actions=create&actions=delete":                                          "A C D",
		"actions=create,delete":                                                  "", // one value, which nothing has
		"actions=":                                                               "",
		"actions=delete&resource_types=uks":                                      "D",
		"actions=delete&resource_types=uks&resource_types=server":                "C D",
		"origins=gui":                   "A",
		"origins=gui&actions=delete":    "",
		"q=mia":                         "C", // exact, so not mia.ops
		"q=r-1":                         "A",
		"q=2001:db8::1":                 "B",
		"q=":                            "A B C D",
		"q=delete":                      "",
		"resource_types=never-heard-of": "",
	} {
		got := s.list(query)
		if got := ids(t, got); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
		if n := len(strings.Fields(want)); got.total(t) != n {
			t.Errorf("%q: total %d, want %d", query, got.total(t), n)
		}
	}
	// A filter that was asked for before sees what has happened since.
	if got := ids(t, s.list("actions=create")); got != "A" {
		t.Errorf("before an append: %q", got)
	}
	s.AppendUpCloud(event("E", at(9, 0), func(r *UpCloudRecord) { r.Action = "create" }))
	if got := ids(t, s.list("actions=create")); got != "E A" {
		t.Errorf("after an append: %q", got)
	}
	if got := ids(t, s.list("actions=create&limit=1&offset=1")); got != "A" {
		t.Errorf("a page of a filtered list: %q", got)
	}
}

func TestUpCloudPaging(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		options  Options
		limit    int
		pageSize int
	}{
		{"rows, newest first", Options{}, 50, 50},
		{"rows, oldest first", Options{UpCloudOrder: OldestFirst}, 50, 50},
		{"pages, newest first", Options{UpCloudOffset: OffsetPage}, 50, 50},
		{"pages, oldest first", Options{UpCloudOffset: OffsetPage, UpCloudOrder: OldestFirst}, 50, 50},
		{"clamped", Options{UpCloudMaxLimit: 70}, 200, 70},
		{"clamped pages", Options{UpCloudMaxLimit: 70, UpCloudOffset: OffsetPage}, 200, 70},
		{"clamped to the documented limit", Options{}, 100_000, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.options.Entries, tc.options.Seed = 230, 3
			s := serve(t, tc.options)
			want := s.allUpCloud(tc.options.UpCloudOrder)
			var got []string
			for page := 0; len(got) < len(want); page++ {
				offset := page * tc.pageSize
				if tc.options.UpCloudOffset == OffsetPage {
					offset = page + 1
				}
				a := s.list(fmt.Sprintf("limit=%d&offset=%d", tc.limit, offset))
				rows := a.rows(t)
				if len(rows) == 0 || len(rows) > tc.pageSize || a.total(t) != len(want) {
					t.Fatalf("page %d: %d rows of a total of %d", page, len(rows), a.total(t))
				}
				got = append(got, rows...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if tc.options.UpCloudOffset == OffsetPage {
				if s.list("offset=0").body != s.list("offset=1").body {
					t.Error("0 and 1 are not the same page")
				}
			}
			if s.list("limit=50&offset=0").body == s.list("limit=50&offset=2").body {
				t.Error("offset has no effect")
			}
			if rows := s.list("offset=100000").rows(t); len(rows) != 0 {
				t.Errorf("%d rows beyond the end", len(rows))
			}
		})
	}
	s := serve(t, Options{Entries: 60})
	if n := len(s.list("").rows(t)); n != 50 {
		t.Errorf("%d rows without a limit, want the documented 50", n)
	}
}

func TestUpCloudGetOneFilterOptionsAndExport(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 500, Seed: 5})
	s.AppendUpCloud(event("NEW", at(1, 0), func(r *UpCloudRecord) { r.ResourceType, r.Action = "network", "teleport" }))
	for _, r := range s.UpCloudRecords()[:3] {
		got := s.get(s.upcloud.URL + "/1.3/audit-logs/" + r.CloudEventID)
		if got.body != string(r.Raw) || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s, want %s", got.body, r.Raw)
		}
	}
	var options struct {
		ResourceTypes []string `json:"resource_types"`
		Actions       []string `json:"actions"`
		Origins       []string `json:"origins"`
	}
	s.get(s.upcloud.URL+"/1.3/audit-logs/filter-options").decode(t, &options)
	if !slices.Equal(options.ResourceTypes, append(slices.Clone(upCloudResourceTypes), "network")) ||
		!slices.Equal(options.Actions, append(slices.Clone(upCloudActions), "teleport")) ||
		!slices.Equal(options.Origins, upCloudOrigins) {
		t.Errorf("filter options: %+v", options)
	}

	all := s.allUpCloud(NewestFirst)
	got := s.get(s.upcloud.URL + "/1.3/audit-logs/export?format=json")
	var array []json.RawMessage
	got.decode(t, &array)
	if diff := cmp.Diff(all, texts(array)); diff != "" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("JSON export (%s): %s", got.header.Get("Content-Type"), diff)
	}
	for _, query := range []string{"", "?format=csv"} {
		got = s.get(s.upcloud.URL + "/1.3/audit-logs/export" + query)
		cells, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
		if err != nil || len(cells) != len(all)+1 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
			t.Fatalf("CSV export: %v, %d rows, %s", err, len(cells), got.header.Get("Content-Type"))
		}
		for i, raw := range all {
			f, _ := parseFields(json.RawMessage(raw))
			for k, column := range exportColumns {
				want, err := f.text(column)
				if err != nil {
					want = string(f[column])
				}
				if cells[i+1][k] != want {
					t.Errorf("row %d, %s: %q, want %q", i, column, cells[i+1][k], want)
				}
			}
		}
	}
	empty := serve(t, Options{NoExamples: true})
	if got := empty.get(empty.upcloud.URL + "/1.3/audit-logs/export?format=json"); got.body != "[]" {
		t.Errorf("export of nothing: %q", got.body)
	}
	if got := empty.list(""); got.body != `{"audit_logs":[]}` || got.total(t) != 0 {
		t.Errorf("list of nothing: %s", got.body)
	}
}

func TestTotalHeaderIsSpelledAsDocumented(t *testing.T) {
	t.Parallel()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &recorder{header: http.Header{}}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/1.3/audit-logs", nil)
	r.SetBasicAuth(DefaultUsername, DefaultPassword)
	s.UpCloud().ServeHTTP(w, r)
	if got := w.header["UpCloud-Total-Count"]; !slices.Equal(got, []string{"1"}) { //nolint:staticcheck // its spelling is the point
		t.Errorf("header %v", w.header)
	}
}

type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header            { return r.header }
func (r *recorder) Write(body []byte) (int, error) { return len(body), nil }
func (r *recorder) WriteHeader(int)                {}
