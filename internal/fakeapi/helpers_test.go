// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// served is a fake behind two httptest servers.
type served struct {
	*Server

	t                   *testing.T
	upcloud, cloudscale *httptest.Server
}

func serve(t *testing.T, o Options) *served {
	t.Helper()
	fake, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{
		Server: fake, t: t, upcloud: httptest.NewServer(fake.UpCloud()),
		cloudscale: httptest.NewServer(fake.Cloudscale()),
	}
	t.Cleanup(s.upcloud.Close)
	t.Cleanup(s.cloudscale.Close)
	return s
}

type answer struct {
	status int
	header http.Header
	body   string
	err    error // of the request or of reading the body
}

// get asks with the bearer token; edits may change the request.
func (s *served) get(address string, edits ...func(*http.Request)) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+DefaultToken)
	for _, edit := range edits {
		edit(req)
	}
	// A connection for each request, so that net/http has no cause to repeat one that was reset.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	return answer{resp.StatusCode, resp.Header, body.String(), err}
}

func (s *served) list(query string, edits ...func(*http.Request)) answer {
	s.t.Helper()
	return s.get(s.upcloud.URL+"/1.3/audit-logs?"+query, edits...)
}

func (s *served) logs(query string, edits ...func(*http.Request)) answer {
	s.t.Helper()
	return s.get(s.cloudscale.URL+"/v1/project-logs?"+query, edits...)
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if a.err != nil {
		t.Fatal(a.err)
	}
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v in %.200s", err, a.body)
	}
}

// rows are the records of a good UpCloud page.
func (a answer) rows(t *testing.T) []string {
	t.Helper()
	var page struct {
		AuditLogs []json.RawMessage `json:"audit_logs"`
	}
	a.decode(t, &page)
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return texts(page.AuditLogs)
}

func texts(raws []json.RawMessage) []string {
	out := []string{}
	for _, raw := range raws {
		out = append(out, string(raw))
	}
	return out
}

func (a answer) total(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(a.header.Get(headerTotal))
	if err != nil {
		t.Fatalf("total: %v", err)
	}
	return n
}

type logPage struct {
	Next     *string           `json:"next"`
	PollMore *string           `json:"poll_more"`
	Results  []json.RawMessage `json:"results"`
}

func (a answer) page(t *testing.T) logPage {
	t.Helper()
	var page logPage
	a.decode(t, &page)
	if a.status != http.StatusOK || page.PollMore == nil || page.Results == nil {
		t.Fatalf("status %d: %.300s", a.status, a.body)
	}
	return page
}

// walk follows next to the end and returns all records and the last poll_more.
func (s *served) walk() (records []string, poll string) {
	s.t.Helper()
	address := s.cloudscale.URL + "/v1/project-logs"
	for range 10_000 {
		page := s.get(address).page(s.t)
		records = append(records, texts(page.Results)...)
		if page.Next == nil {
			return records, *page.PollMore
		}
		if *page.Next != *page.PollMore {
			s.t.Errorf("next %s, poll_more %s", *page.Next, *page.PollMore)
		}
		address = *page.Next
	}
	s.t.Fatal("the walk does not end")
	return nil, ""
}

// allUpCloud are the raw records in the order of the list.
func (s *served) allUpCloud(o Order) []string {
	var out []string
	for _, r := range s.UpCloudRecords() {
		if o == NewestFirst {
			out = append([]string{string(r.Raw)}, out...)
		} else {
			out = append(out, string(r.Raw))
		}
	}
	return out
}

func (s *served) allCloudscale() []string {
	var out []string
	for _, r := range s.CloudscaleRecords() {
		out = append(out, string(r.Raw))
	}
	return out
}

// tlsServer is a fake behind TLS, over HTTP/1.1.
type tlsServer struct {
	url    string
	client *http.Client
}

func newTLSServer(t *testing.T, handler http.Handler) tlsServer {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return tlsServer{server.URL, server.Client()}
}

func (s tlsServer) get(t *testing.T) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+cloudscalePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+DefaultToken)
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	return body.String(), err
}
