// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadServesByteForByte(t *testing.T) {
	t.Parallel()
	upcloud := []string{
		`{ "zzz": [1, 2.50, {"b":null,"a":"\u00e9<&>"}],"cloud_event_id":"B","time":"2026-03-04T10:00:00+01:00" , "Time":"odd"}`,
		`{"cloud_event_id":"A","time":"2026-03-04T08:00:00.123456789Z","action":"teleport","ip_address":null}`,
	}
	cloudscale := []string{
		`{"timestamp":"2026-03-04T10:00:00.5Z","message":"later","extra":{}}`,
		`{"message":"earlier", "timestamp":"2026-03-04T09:00:00Z","subject":null}`,
	}
	s := serve(t, Options{Entries: 50, NoExamples: true, UpCloudOrder: OldestFirst})
	var file strings.Builder
	fmt.Fprintf(&file, "{\"service\":\"upcloud\",\"record\":%s}\r\n\n{\"record\":%s,\"service\":\"upcloud\"}\n", upcloud[0], upcloud[1])
	for _, raw := range cloudscale {
		fmt.Fprintf(&file, " {\"service\":\"cloudscale\",\"record\":%s}\n", raw)
	}
	if err := s.Load(strings.NewReader(strings.TrimSuffix(file.String(), "\n"))); err != nil {
		t.Fatal(err)
	}
	if got, want := s.list("").body, `{"audit_logs":[`+upcloud[1]+","+upcloud[0]+`]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := s.get(s.upcloud.URL + "/1.3/audit-logs/B").body; got != upcloud[0] {
		t.Errorf("got %s", got)
	}
	if got, want := s.logs("").body, `"results":[`+cloudscale[0]+","+cloudscale[1]+`]}`; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want the order of the file: %s", got, want)
	}
	if got := ids(t, s.list("created_after=2026-03-04T09:00:00Z")); got != "B" {
		t.Errorf("filtered: %q", got)
	}
}

func TestLoadNamesTheLineAndLeavesEverything(t *testing.T) {
	t.Parallel()
	good := `{"service":"upcloud","record":{"cloud_event_id":"A","time":"2026-03-04T08:00:00Z"}}` + "\n"
	for text, want := range map[string]string{
		good + "nonsense": `line 2: not a JSON object of "service" and "record"`,
		good + good:       `line 2: cloud_event_id A is on line 1 already`,
		"\n\n" + `{"service":"moon","record":{}}`:                                           `line 3: unknown service "moon"; known are "upcloud" and "cloudscale"`,
		`{"service":"upcloud"}`:                                                             `line 1: "record" is missing`,
		`{"service":"upcloud","record":[]}`:                                                 `line 1: the record is not a JSON object`,
		`{"service":"upcloud","record":null}`:                                               `line 1: the record is not a JSON object: null`,
		`{"service":"upcloud","record":{"time":"2026-03-04T08:00:00Z"}}`:                    `line 1: "cloud_event_id" is missing`,
		`{"service":"upcloud","record":{"cloud_event_id":"A"}}`:                             `line 1: "time" is not an RFC 3339 time: ""`,
		`{"service":"upcloud","record":{"cloud_event_id":1,"time":"2026-03-04T08:00:00Z"}}`: `line 1: "cloud_event_id" is not a string`,
		`{"service":"cloudscale","record":{"timestamp":"noon"}}`:                            `line 1: "timestamp" is not an RFC 3339 time: "noon"`,
		`{"service":"cloudscale","record":{"timestamp":"2026-03-04T08:00:00Z","actor":7}}`:  `line 1: "actor" has another shape than documented`,
		good + strings.Repeat("x",
			maxLine+1): `line 2: bufio.Scanner: token too long`,
	} {
		fake, err := New(Options{Entries: 20})
		if err != nil {
			t.Fatal(err)
		}
		before := (&served{Server: fake}).allUpCloud(OldestFirst)
		if err := fake.Load(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if after := (&served{Server: fake}).allUpCloud(OldestFirst); !slices.Equal(before, after) {
			t.Errorf("%d records before, %d or others after", len(before), len(after))
		}
	}
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Faults: []Fault{{Name: "500", Rate: 1, Times: 1}}})
	agent := func(r *http.Request) {
		r.Header.Set("User-Agent", "tester/1")
		r.Header.Set("Accept-Encoding", "br")
	}
	s.list("actions=a&actions=b", agent)
	s.logs("start=x&leak="+DefaultToken, agent)
	s.get(s.upcloud.URL+"/1.3/audit-logs/"+DefaultPassword, noAuth, agent)
	want := []Request{
		{serviceUpCloud, "GET", "/1.3/audit-logs", url.Values{"actions": {"a", "b"}}, "tester/1", "br", 500, "500"},
		{
			serviceCloudscale, "GET", "/v1/project-logs",
			url.Values{"start": {"x"}, "leak": {"[credential]"}},
			"tester/1", "br",
			400, "",
		},
		{serviceUpCloud, "GET", "/1.3/audit-logs/[credential]", url.Values{}, "tester/1", "br", 401, ""},
	}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Error(diff)
	}
	s.Requests()[0].Query.Set("actions", "changed")
	if got := s.Requests()[0].Query.Get("actions"); got != "a" {
		t.Errorf("the log is not a copy: %s", got)
	}
	s.ResetRequests()
	if got := s.Requests(); len(got) != 0 {
		t.Errorf("%d requests after the reset", len(got))
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Entries: 100})
	for accept, want := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "*": true, "": false, "identity": false, "gzip;q=0": false, "xgzip": false,
	} {
		for _, address := range []string{
			s.upcloud.URL + "/1.3/audit-logs", s.upcloud.URL + "/1.3/audit-logs/export?format=json",
			s.cloudscale.URL + "/v1/project-logs",
		} {
			plain := s.get(address).body
			got := s.get(address, func(r *http.Request) { r.Header.Set("Accept-Encoding", accept) })
			if zipped := got.header.Get("Content-Encoding") == "gzip"; zipped != want ||
				got.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%q: %v", accept, got.header)
				continue
			}
			if body := got.body; want {
				zip, err := gzip.NewReader(strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				var out strings.Builder
				if _, err := io.Copy(&out, zip); err != nil || out.String() != plain {
					t.Errorf("%q: %v, %d bytes, want %d", accept, err, out.Len(), len(plain))
				}
			} else if body != plain {
				t.Errorf("%q: other bytes", accept)
			}
		}
	}
}

func TestOwnCredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Token: "t", Username: "u", Password: "p"})
	for name, tc := range map[string]struct {
		edit   func(*http.Request)
		status int
	}{
		"token": {authorization("Bearer t"), 200}, "basic": {basic("u", "p"), 200},
		"default token": {authorization("Bearer " + DefaultToken), 401},
		"default basic": {basic(DefaultUsername, DefaultPassword), 401},
	} {
		if got := s.list("", tc.edit).status; got != tc.status {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestRecordsSurviveEncoding(t *testing.T) {
	t.Parallel()
	fake, err := New(Options{Entries: 400, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range fake.UpCloudRecords() {
		raw := r.Raw
		if r.Raw = nil; string(encode(r)) != string(raw) {
			t.Errorf("got  %s\nwant %s", encode(r), raw)
		}
	}
	for _, r := range fake.CloudscaleRecords() {
		if string(r.encode()) != string(r.Raw) {
			t.Errorf("got  %s\nwant %s", r.encode(), r.Raw)
		}
	}
	// What is handed out is a copy.
	fake.UpCloudRecords()[0].Raw[0] = 'X'
	fake.CloudscaleRecords()[0].Raw[0] = 'X'
	if fake.UpCloudRecords()[0].Raw[0] != '{' || fake.CloudscaleRecords()[0].Raw[0] != '{' {
		t.Error("records can be changed from outside")
	}
}

func TestAppendRaw(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{NoExamples: true})
	up, cs := `{"x":1, "cloud_event_id":"Z","time":"2026-03-04T08:00:00Z"}`, `{"x":1, "timestamp":"2026-03-04T08:00:00Z"}`
	s.AppendUpCloud(UpCloudRecord{Raw: json.RawMessage(up), CloudEventID: "ignored"})
	s.AppendCloudscale(CloudscaleRecord{Raw: json.RawMessage(cs), ID: 1})
	if got := s.list("").rows(t); !slices.Equal(got, []string{up}) {
		t.Error(got)
	}
	if got, _ := s.walk(); !slices.Equal(got, []string{cs}) {
		t.Error(got)
	}
	for _, appending := range []func(){
		func() { s.AppendUpCloud(UpCloudRecord{Raw: json.RawMessage(`{}`)}) },
		func() { s.AppendCloudscale(CloudscaleRecord{Raw: json.RawMessage(`{}`)}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("an unusable record is taken")
				}
			}()
			appending()
		}()
	}
}

// Everything at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{
		Entries: 300,
		Faults:  []Fault{{Name: "grow"}, {Name: "shrink"}, {Name: "429"}, {Name: "bad-time"}, {Name: "repeat-page"}},
	})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for k := range 10 {
				s.list(fmt.Sprintf("offset=%d&actions=create&actions=update", k*20))
				s.logs(fmt.Sprintf("cursor=%d", 10_000+k*50))
				s.get(s.upcloud.URL + "/1.3/audit-logs/filter-options")
				s.AppendUpCloud(event(fmt.Sprint(i, k), at(i, k)))
				s.AppendCloudscale(record(k, "m"))
				s.Requests()
				s.UpCloudRecords()
				s.CloudscaleRecords()
				s.Bounds()
				if k == 5 {
					s.SetFaults([]Fault{{Name: "empty", Rate: 0.1}})
				}
			}
		})
	}
	all.Wait()
}

func TestTLSLinksAndResets(t *testing.T) {
	t.Parallel()
	fake, err := New(Options{Entries: 300})
	if err != nil {
		t.Fatal(err)
	}
	server := newTLSServer(t, fake.Cloudscale())
	body, err := server.get(t)
	if err != nil || !strings.Contains(body, `"next":"`+server.url+`/v1/project-logs?cursor=`) || !strings.HasPrefix(server.url, "https://") {
		t.Errorf("%v, %.150s", err, body)
	}
	fake.SetFaults([]Fault{{Name: "reset", Rate: 1}})
	for range 4 {
		if body, err := server.get(t); err == nil {
			t.Errorf("no reset: %.50s", body)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{Entries: 100_000, NoExamples: true}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDateIsTheClocks: of every answer, whatever its status and whenever the data end.
func TestDateIsTheClocks(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600)) }
	for want, o := range map[string]Options{
		"Tue, 30 Jun 2026 12:00:00 GMT": {},
		"Fri, 02 Jan 2026 02:04:05 GMT": {Clock: clock},
		"Fri, 02 Jan 2026 03:04:05 GMT": {Clock: clock, ClockSkew: time.Hour, Faults: []Fault{{Name: "503", Rate: 1}}},
		"Fri, 02 Jan 2026 02:02:35 GMT": {Clock: clock, ClockSkew: -90 * time.Second, Faults: []Fault{{Name: "html", Rate: 1}}},
		"":                              {Clock: clock, NoDate: true},
	} {
		s := serve(t, o)
		for _, a := range []answer{
			s.list(""), s.logs(""), s.list("limit=0"), s.get(s.upcloud.URL + "/nowhere"),
			s.get(s.upcloud.URL + "/1.3/audit-logs/export?format=csv"),
		} {
			if a.err != nil || strings.Join(a.header.Values("Date"), "|") != want {
				t.Errorf("status %d: Date %q, want %q, %v", a.status, a.header.Values("Date"), want, a.err)
			}
		}
	}
}

// TestLogsGrow: what happens is of the time that it is told, comes last, and differs from time to time.
func TestLogsGrow(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Entries: 10, Seed: 3, NoExamples: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n := range uint64(20) {
		now := s.Now().Add(time.Duration(n+1) * time.Second)
		if err := s.Happen(now, n); err != nil {
			t.Fatal(err)
		}
		upcloud, cloudscale := s.UpCloudRecords(), s.CloudscaleRecords()
		if len(upcloud) != int(n)+11 || len(cloudscale) != int(n)+11 {
			t.Fatalf("%d and %d records", len(upcloud), len(cloudscale))
		}
		a, b := upcloud[len(upcloud)-1], cloudscale[len(cloudscale)-1]
		if !a.Time.Equal(now) || !b.Timestamp.Equal(now) || ids[a.CloudEventID] {
			t.Errorf("%s and %s, want %s; id %s", a.Time, b.Timestamp, now, a.CloudEventID)
		}
		ids[a.CloudEventID] = true
	}
}
