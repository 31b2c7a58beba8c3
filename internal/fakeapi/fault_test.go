// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Fault{
		"429":             {Name: "429", Rate: 0.2},
		"429:0.5":         {Name: "429", Rate: 0.5},
		"truncate-silent": {Name: "truncate-silent", Rate: 0.2},
		"grow:1":          {Name: "grow", Rate: 1},
	} {
		if got, err := ParseFault(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":         `unknown fault ""`,
		"rain":     `unknown fault "rain"; known are ` + strings.Join(FaultNames(), ", "),
		"429:":     "the rate must be a number",
		"429:0":    "the rate must be a number",
		"429:1.01": "the rate must be a number",
		"429:NaN":  "the rate must be a number",
		"429:x":    `like "429:0.5"`,
		"rain:0.5": "unknown fault",
	} {
		if _, err := ParseFault(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := New(Options{Faults: []Fault{{Name: "rain"}}}); err == nil {
		t.Error("New takes an unknown fault")
	}
	if _, err := New(Options{Faults: []Fault{{Name: "429", Rate: -1}}}); err == nil {
		t.Error("New takes a negative rate")
	}
}

// list asks either service for the n-th page of a walk, of 10 records each.
func (s *served) pageOf(service string, n int) answer {
	s.t.Helper()
	if service == serviceUpCloud {
		return s.list(fmt.Sprintf("limit=10&offset=%d", n*10))
	}
	query := ""
	if n > 0 {
		query = fmt.Sprintf("cursor=%d", s.CloudscaleRecords()[n*10-1].ID)
	}
	return s.logs(query)
}

func (a answer) records(t *testing.T, service string) []string {
	t.Helper()
	if service == serviceUpCloud {
		return a.rows(t)
	}
	return texts(a.page(t).Results)
}

// Faults that spoil an answer, as a client sees them.
func TestFaultsThatSpoilAnAnswer(t *testing.T) {
	t.Parallel()
	type check func(*testing.T, string, answer) string
	status := func(want int, retry bool) check {
		return func(_ *testing.T, _ string, a answer) string {
			if a.status != want || retry != (a.header.Get("Retry-After") != "") {
				return fmt.Sprintf("status %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
			}
			return ""
		}
	}
	checks := map[string]check{
		"429": status(429, true),
		"500": status(500, false),
		"503": status(503, true),
		"reset": func(_ *testing.T, _ string, a answer) string {
			if !errors.Is(a.err, syscall.ECONNRESET) && !errors.Is(a.err, io.EOF) {
				return fmt.Sprintf("error %v", a.err)
			}
			return ""
		},
		"truncate": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) || a.header.Get("Content-Length") == "" {
				return fmt.Sprintf("status %d, error %v", a.status, a.err)
			}
			return ""
		},
		"truncate-silent": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || a.err != nil || a.body == "" || json.Valid([]byte(a.body)) ||
				a.header.Get("Content-Length") != "" {
				return fmt.Sprintf("status %d, error %v, length %q", a.status, a.err, a.header.Get("Content-Length"))
			}
			return ""
		},
		"malformed": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || a.err != nil || json.Valid([]byte(a.body)) || !strings.HasSuffix(a.body, "}") {
				return fmt.Sprintf("status %d, error %v", a.status, a.err)
			}
			return ""
		},
		"empty": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || a.err != nil || a.body != "" {
				return fmt.Sprintf("status %d, %d bytes", a.status, len(a.body))
			}
			return ""
		},
		"html": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") ||
				!strings.Contains(a.body, "password") {
				return fmt.Sprintf("status %d, %s", a.status, a.header.Get("Content-Type"))
			}
			return ""
		},
		"shape": func(_ *testing.T, _ string, a answer) string {
			var up struct {
				AuditLogs *[]json.RawMessage `json:"audit_logs"`
			}
			var cs logPage
			upErr, csErr := json.Unmarshal([]byte(a.body), &up), json.Unmarshal([]byte(a.body), &cs)
			if a.status != 200 || !json.Valid([]byte(a.body)) || upErr == nil && up.AuditLogs != nil || csErr == nil &&
				cs.Results != nil {
				return a.body
			}
			return ""
		},
		"bad-time": func(t *testing.T, service string, a answer) string {
			t.Helper()
			bad := 0
			for _, raw := range a.records(t, service) {
				if strings.Contains(raw, `"yesterday at noon"`) {
					bad++
				}
			}
			if bad != 1 {
				return fmt.Sprintf("%d bad times", bad)
			}
			return ""
		},
		"no-total": func(t *testing.T, _ string, a answer) string {
			t.Helper()
			if len(a.rows(t)) != 10 || a.header.Get(headerTotal) != "" {
				return fmt.Sprintf("total %q", a.header.Get(headerTotal))
			}
			return ""
		},
	}
	code := func(want int) check {
		return func(_ *testing.T, _ string, a answer) string {
			if a.status != want {
				return fmt.Sprintf("status %d, error %v", a.status, a.err)
			}
			return ""
		}
	}
	whole := func(_ *testing.T, _ string, a answer) string {
		if a.status != 200 || a.err != nil || !json.Valid([]byte(a.body)) {
			return fmt.Sprintf("status %d, error %v, %.50q", a.status, a.err, a.body)
		}
		return ""
	}
	notJSON := func(_ *testing.T, _ string, a answer) string {
		if a.status != 200 || a.err != nil || json.Valid([]byte(a.body)) || a.body == "" {
			return fmt.Sprintf("status %d, error %v, %.50q", a.status, a.err, a.body)
		}
		return ""
	}
	skew := func(want time.Duration) check {
		return func(_ *testing.T, _ string, a answer) string {
			at, err := http.ParseTime(a.header.Get("Date"))
			if err != nil || at.Sub(DefaultNow()) != want {
				return a.header.Get("Date")
			}
			return ""
		}
	}
	maps.Copy(checks, map[string]check{
		"401": code(401), "502": code(502), "retry-after": status(429, true), "204": code(204), "206": code(206),
		"304":        code(304),
		"clock-fast": skew(5 * time.Minute), "clock-slow": skew(-5 * time.Minute),
		"bom": notJSON, "utf-16": notJSON, "trailing": notJSON, "length-short": notJSON, "drip": whole, "1xx": whole,
		"rounded-seconds": whole, "mixed-order": whole, "next-loop": whole, "next-foreign": whole, "next-relative": whole,
		"duplicate-keys": whole,
		"cut": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || a.err != nil || a.body == "" || json.Valid([]byte(a.body)) ||
				a.header.Get("Content-Length") != "" {
				return fmt.Sprintf("status %d, error %v", a.status, a.err)
			}
			return ""
		},
		"length-long": func(_ *testing.T, _ string, a answer) string {
			if a.status != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) || !json.Valid([]byte(a.body)) {
				return fmt.Sprintf("status %d, error %v", a.status, a.err)
			}
			return ""
		},
		"charset": func(_ *testing.T, _ string, a answer) string {
			if utf8.ValidString(a.body) || !strings.Contains(a.header.Get("Content-Type"), "iso-8859-1") {
				return a.header.Get("Content-Type")
			}
			return ""
		},
		"deep": func(_ *testing.T, _ string, a answer) string {
			if !strings.Contains(a.body, strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)) {
				return "not deep"
			}
			return ""
		},
		"bad-record": func(t *testing.T, service string, a answer) string {
			t.Helper()
			if n := len(slices.DeleteFunc(a.records(t, service),
				func(raw string) bool { return strings.HasPrefix(raw, "{") })); n != 1 {
				return fmt.Sprintf("%d bad records", n)
			}
			return ""
		},
		"redirect": func(_ *testing.T, _ string, a answer) string {
			if a.status/100 != 3 || !strings.HasPrefix(a.header.Get("Location"), "/") {
				return fmt.Sprintf("status %d, %s", a.status, a.header.Get("Location"))
			}
			return ""
		},
		"redirect-foreign": func(_ *testing.T, _ string, a answer) string {
			if a.status/100 != 3 || !strings.HasPrefix(a.header.Get("Location"), "https://collector.example.net/") {
				return fmt.Sprintf("status %d, %s", a.status, a.header.Get("Location"))
			}
			return ""
		},
		"huge": func(_ *testing.T, _ string, a answer) string {
			if a.err != nil || len(a.body) < 60<<20 || len(a.body) > 61<<20 {
				return fmt.Sprintf("%d bytes, error %v", len(a.body), a.err)
			}
			return ""
		},
		"gzip-bomb": func(_ *testing.T, _ string, a answer) string {
			if a.err != nil || len(a.body) > 8<<20 || a.header.Get("Content-Encoding") != "gzip" {
				return fmt.Sprintf("%d bytes, error %v", len(a.body), a.err)
			}
			return ""
		},
		"gzip-broken": func(t *testing.T, service string, a answer) string {
			t.Helper()
			if a.header.Get("Content-Encoding") != "gzip" {
				return a.header.Get("Content-Encoding")
			}
			return whole(t, service, a)
		},
		"short-page": func(t *testing.T, service string, a answer) string {
			t.Helper()
			if n := len(a.records(t, service)); n != 5 {
				return fmt.Sprintf("%d records", n)
			}
			return ""
		},
		"total-garbage": func(_ *testing.T, _ string, a answer) string {
			if n, err := strconv.Atoi(a.header.Get(headerTotal)); err == nil && n >= 0 {
				return a.header.Get(headerTotal)
			}
			return ""
		},
		"total-low": func(t *testing.T, _ string, a answer) string {
			t.Helper()
			if n := a.total(t); n != 30 { // of 31, ten a page
				return fmt.Sprint(n)
			}
			return ""
		},
		"total-high": func(t *testing.T, _ string, a answer) string {
			t.Helper()
			if n := a.total(t); n != 32 {
				return fmt.Sprint(n)
			}
			return ""
		},
	})
	for name, check := range checks {
		kind := Faults()[slices.IndexFunc(Faults(), func(k FaultKind) bool { return k.Name == name })]
		seeds := uint64(6)
		if kind.Name == "huge" || kind.Name == "gzip-bomb" {
			seeds = 1
		}
		for _, service := range []string{serviceUpCloud, serviceCloudscale} {
			if kind.Only != "" && kind.Only != service {
				continue
			}
			t.Run(name+"/"+service, func(t *testing.T) {
				t.Parallel()
				// Several seeds, since some faults show in more than one way.
				for seed := range seeds {
					s := serve(t, Options{
						Entries: 30, Seed: seed, CloudscalePageSize: 10, Drip: time.Millisecond,
						Faults: []Fault{{Name: name, Rate: 1, Times: 1}},
					})
					if wrong := check(t, service, s.pageOf(service, 0)); wrong != "" {
						t.Errorf("seed %d: %s", seed, wrong)
					}
					if log := s.Requests(); len(log) != 1 || log[0].Fault != name {
						t.Errorf("request log %+v", log)
					}
					// Once only; and what it served before is served whole now.
					if got := s.pageOf(service, 0).records(t, service); len(got) != 10 {
						t.Errorf("%d records afterwards", len(got))
					}
				}
			})
		}
	}
}

func TestErrorBodiesOfFaults(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string][2]string{
		"429": {"ERROR_TOO_MANY_REQUESTS", `{"detail":"Request was throttled."}`},
		"500": {"INTERNAL_SERVER_ERROR", `{"detail":"Internal server error."}`},
		"503": {
			`{"error":{"error_code":"GENERAL_FAILURE","error_message":"Your request could not be fulfilled due to a technical issue."}}`,
			`{"detail":"Service is temporarily unavailable due to maintenance."}`,
		},
	} {
		s := serve(t, Options{Faults: []Fault{{Name: fault, Rate: 1}}})
		if up := s.list(""); fault == "503" {
			if up.body != want[0] || up.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s", fault, up.body)
			}
		} else if code := up.problem(t).code(); code != want[0] {
			t.Errorf("%s: %s", fault, code)
		}
		if cs := s.logs(""); cs.body != want[1] {
			t.Errorf("%s: %s", fault, cs.body)
		}
		// Filter options are struck as well, and what is not about the log is not.
		if got := s.get(s.upcloud.URL + "/1.3/audit-logs/filter-options"); fmt.Sprint(got.status) != fault {
			t.Errorf("%s: filter options %d", fault, got.status)
		}
		if got := s.get(s.upcloud.URL + "/1.3/account"); got.status != 200 {
			t.Errorf("%s: account %d", fault, got.status)
		}
		if got := s.list("limit=0"); got.status != 400 {
			t.Errorf("%s: a bad parameter gets %d", fault, got.status)
		}
	}
}

func TestRetryAfterAlternates(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	s := serve(t, Options{Faults: []Fault{{Name: "429", Rate: 1}}, Clock: clock})
	var got []string
	for range 4 {
		got = append(got, s.list("").header.Get("Retry-After"))
	}
	date := "Fri, 02 Jan 2026 03:04:06 GMT"
	if diff := cmp.Diff([]string{"0", date, "1", date}, got); diff != "" {
		t.Error(diff)
	}
	s = serve(t, Options{Faults: []Fault{{Name: "429", Rate: 1}}, RetryAfter: "86400"})
	if got := s.logs("").header.Get("Retry-After"); got != "86400" {
		t.Errorf("Retry-After %q", got)
	}
}

func TestRepeatPage(t *testing.T) {
	t.Parallel()
	for _, service := range []string{serviceUpCloud, serviceCloudscale} {
		for _, reading := range []OffsetReading{OffsetRow, OffsetPage} {
			s := serve(t, Options{
				Entries: 40, CloudscalePageSize: 10, UpCloudOffset: reading,
				Faults: []Fault{{Name: "repeat-page", Rate: 1, Times: 1}},
			})
			page := func(n int) answer {
				if reading == OffsetPage && service == serviceUpCloud {
					return s.list(fmt.Sprintf("limit=10&offset=%d", n+1))
				}
				return s.pageOf(service, n)
			}
			first := page(0)
			if again := page(0); again.body != first.body {
				t.Errorf("%s: a first page has none to repeat", service)
			}
			if repeated := page(1); repeated.body != first.body {
				t.Errorf("%s: got another page", service)
			}
			if second := page(1); second.body == first.body {
				t.Errorf("%s: repeated again", service)
			}
		}
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{
		Entries: 40, NoExamples: true, CloudscalePageSize: 10,
		Faults: []Fault{{Name: "duplicate", Rate: 1, Times: 1}},
	})
	all := s.allUpCloud(NewestFirst)
	for i, want := range [][]string{all[:10], all[9:19], all[20:30], all[30:40]} {
		if diff := cmp.Diff(want, s.pageOf(serviceUpCloud, i).rows(t)); diff != "" {
			t.Errorf("page %d: %s", i, diff)
		}
	}
	if got, _ := s.walk(); !slices.Equal(got, s.allCloudscale()) {
		t.Error("it has an effect on cloudscale")
	}
}

func TestGrow(t *testing.T) {
	t.Parallel()
	newest, inside := 0, 0
	for seed := range uint64(12) {
		s := serve(t, Options{
			Entries: 40, NoExamples: true, Seed: seed, CloudscalePageSize: 10,
			Faults: []Fault{{Name: "grow", Rate: 1, Times: 1}},
		})
		before := s.UpCloudRecords()
		if got := s.pageOf(serviceUpCloud, 0).total(t); got != 40 {
			t.Fatalf("grown before the walk: %d", got)
		}
		if got := s.pageOf(serviceUpCloud, 1).total(t); got != 41 {
			t.Errorf("total %d", got)
		}
		for _, r := range s.UpCloudRecords() {
			if slices.ContainsFunc(before, func(b UpCloudRecord) bool { return b.CloudEventID == r.CloudEventID }) {
				continue
			}
			checkUpCloud(t, r.Raw)
			if r.Time.After(before[len(before)-1].Time) {
				newest++
			} else if !r.Time.Before(before[0].Time) {
				inside++
			}
		}
		rows, _ := s.walk()
		if all := s.CloudscaleRecords(); len(all) != 41 || len(rows) != 41 {
			t.Errorf("%d records, %d seen", len(all), len(rows))
		} else if lag := all[39].Timestamp.Sub(all[40].Timestamp); lag > 2*time.Second {
			t.Errorf("late by %s", lag)
		}
	}
	if newest < 3 || inside < 2 {
		t.Errorf("%d newer than everything, %d inside", newest, inside)
	}
}

func TestShrink(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 40, CloudscalePageSize: 10, Faults: []Fault{{Name: "shrink", Rate: 1, Times: 1}}})
	all := s.allUpCloud(NewestFirst)
	s.pageOf(serviceUpCloud, 0)
	second := s.pageOf(serviceUpCloud, 1)
	if diff := cmp.Diff(all[11:21], second.rows(t)); diff != "" || second.total(t) != 40 {
		t.Errorf("total %d, %s", second.total(t), diff)
	}
	logs := s.allCloudscale()
	got, _ := s.walk()
	if want := slices.Delete(slices.Clone(logs), 10, 11); !slices.Equal(got, want) {
		t.Errorf("%d of %d records, want all but the eleventh", len(got), len(logs))
	}
	// The documented examples stay.
	only := serve(t, Options{CloudscalePageSize: 1, Faults: []Fault{{Name: "shrink", Rate: 1}}})
	if got, _ := only.walk(); len(got) != 4 {
		t.Errorf("%d examples left", len(got))
	}
}

// The same requests meet the same faults, another seed meets others, and the rate is about right.
func TestFaultsAreDeterministic(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (faults []string) {
		s := serve(t, Options{Entries: 30, Seed: seed, Faults: []Fault{{Name: "429", Rate: 0.3}, {Name: "empty", Rate: 0.3}}})
		for i := range 60 {
			s.list(fmt.Sprintf("limit=1&offset=%d", i%20))
			s.logs("")
		}
		for _, r := range s.Requests() {
			faults = append(faults, r.Service+r.Fault)
		}
		return faults
	}
	first := run(1)
	if diff := cmp.Diff(first, run(1)); diff != "" {
		t.Error(diff)
	}
	if slices.Equal(first, run(2)) {
		t.Error("the seed has no effect")
	}
	struck := 0
	for _, f := range first {
		if strings.HasSuffix(f, "429") {
			struck++
		}
	}
	if struck < 20 || struck > 55 {
		t.Errorf("%d of 120 requests struck, want about 36", struck)
	}
}

func TestSetFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Faults: []Fault{{Name: "429", Rate: 1, Times: 2}}})
	statuses := func() (got []int) {
		for range 3 {
			got = append(got, s.list("").status)
		}
		return got
	}
	if got := statuses(); !slices.Equal(got, []int{429, 429, 200}) {
		t.Error(got)
	}
	if got := s.logs("").status; got != 429 {
		t.Errorf("Times is not counted for each service: %d", got)
	}
	s.SetFaults([]Fault{{Name: "500", Rate: 1}})
	if got := statuses(); !slices.Equal(got, []int{500, 500, 500}) {
		t.Error(got)
	}
	s.SetFaults(nil)
	if got := statuses(); !slices.Equal(got, []int{200, 200, 200}) {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown fault is taken")
		}
	}()
	s.SetFaults([]Fault{{Name: "rain"}})
}

// Compression must not hide the faults, and a cut that is silent must be so for the decompressor too.
func TestFaultsUnderCompression(t *testing.T) {
	t.Parallel()
	ask := func(fault string, seed uint64) (string, error) {
		s := serve(t, Options{Entries: 30, Seed: seed, Faults: []Fault{{Name: fault, Rate: 1}}})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.upcloud.URL+"/1.3/audit-logs", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(DefaultUsername, DefaultPassword)
		resp, err := http.DefaultClient.Do(req) // asks for gzip and undoes it
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		if !resp.Uncompressed {
			t.Errorf("%s: not compressed", fault)
		}
		var body strings.Builder
		_, err = io.Copy(&body, resp.Body)
		return body.String(), err
	}
	for seed := range uint64(4) {
		if _, err := ask("truncate", seed); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("truncate: %v", err)
		}
		if body, err := ask("truncate-silent", seed); err != nil || body == "" || json.Valid([]byte(body)) {
			t.Errorf("truncate-silent: %v, %.50q", err, body)
		}
		if body, err := ask("malformed", seed); err != nil || json.Valid([]byte(body)) {
			t.Errorf("malformed: %v", err)
		}
	}
}

// The faults that need a walk, or a client that gives up, have tests of their own.
func TestEveryFaultHasATest(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("fault_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Faults() {
		if !strings.Contains(string(source), strconv.Quote(kind.Name)) {
			t.Errorf("no test names the fault %s", kind.Name)
		}
		if kind.Text == "" || strings.HasSuffix(kind.Text, ".") {
			t.Errorf("%s is described as %q", kind.Name, kind.Text)
		}
	}
}

// What hangs ends only when the client leaves, and so does the server's part of it.
func TestHang(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"hang", "hang-body"} {
		s := serve(t, Options{Entries: 30, Faults: []Fault{{Name: fault, Rate: 1}}})
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cloudscale.URL+cloudscalePath, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+DefaultToken)
		go func() {
			for len(s.Requests()) == 0 {
				runtime.Gosched()
			}
			cancel()
		}()
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", fault, err)
		}
	}
}

// Behind TLS the end of a connection that is cut is told from a clean one.
func TestCutBehindTLS(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Entries: 30, Faults: []Fault{{Name: "cut", Rate: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	server := newTLSServer(t, s.Cloudscale())
	if body, err := server.get(t); !errors.Is(err, io.ErrUnexpectedEOF) || body == "" {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 40, CloudscalePageSize: 10, Faults: []Fault{{Name: "expire", Rate: 1, Times: 1}}})
	oldest := slices.IndexFunc(s.UpCloudRecords(),
		func(r UpCloudRecord) bool { return r.Time.After(DefaultNow().Add(-DefaultSpan - time.Hour)) })
	all := s.allUpCloud(OldestFirst)
	s.pageOf(serviceUpCloud, 0)
	s.pageOf(serviceUpCloud, 1)
	if diff := cmp.Diff(slices.Delete(all, oldest, oldest+1), s.allUpCloud(OldestFirst)); diff != "" {
		t.Error(diff)
	}
	logs := s.allCloudscale()
	if got, _ := s.walk(); !slices.Equal(got, logs) {
		t.Error("a record that was not served yet is gone")
	}
	if left := s.allCloudscale(); len(left) >= len(logs)-5 {
		t.Errorf("%d of %d records are left", len(left), len(logs))
	}
}

func TestEndless(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 30, CloudscalePageSize: 10, Faults: []Fault{{Name: "endless", Rate: 1}}})
	if far := s.list("limit=10&offset=5000"); len(far.rows(t)) == 0 || far.total(t) < 1_000_000 {
		t.Errorf("%d rows of %d", len(far.rows(t)), far.total(t))
	}
	address, seen := s.cloudscale.URL+cloudscalePath, map[string]bool{}
	for range 50 {
		page := s.get(address).page(t)
		if page.Next == nil || seen[*page.Next] {
			t.Fatal("the walk ends, or leads back")
		}
		address, seen[*page.Next] = *page.Next, true
	}
}

func TestNoFilter(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 30, Faults: []Fault{{Name: "no-filter", Rate: 1}}})
	if rows := s.list("created_after=2026-06-20T00:00:00Z").rows(t); len(rows) != 31 {
		t.Errorf("%d rows", len(rows))
	}
	if rows := s.logs("start=2026-06-20T00%3A00%3A00Z").page(t).Results; len(rows) != len(s.allCloudscale()) {
		t.Errorf("%d records", len(rows))
	}
}

func TestCursorLost(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 30, CloudscalePageSize: 10, Faults: []Fault{{Name: "cursor-lost", Rate: 1, Times: 1}}})
	if a := s.pageOf(serviceCloudscale, 0); a.status != 200 {
		t.Errorf("status %d of a first page", a.status)
	}
	if a := s.pageOf(serviceCloudscale, 1); a.status/100 != 4 {
		t.Errorf("status %d of a later page", a.status)
	}
}
