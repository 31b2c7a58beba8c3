// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	serviceUpCloud    = "upcloud"
	serviceCloudscale = "cloudscale"
)

// examples are the records printed in the vendors' documentation, in the form Load reads.
//
//go:embed examples.ndjson
var examples []byte

// Server holds one audit log per service and serves them. It is safe for concurrent use.
type Server struct {
	options Options
	scrub   *strings.Replacer

	mu         sync.Mutex
	upcloud    upCloudLog
	cloudscale cloudscaleLog
	faults     faultState
	requests   []Request
	answered   uint64 // answers that carried a correlation id, so that each gets its own
	issued     issuedPages
}

// Request is what a client asked and got, without its credentials: no header but the two named here is kept, and a
// credential that strays into the path or the query shows as "[credential]".
type Request struct {
	Service        string // "upcloud" or "cloudscale"
	Method         string
	Path           string
	Query          url.Values
	UserAgent      string
	AcceptEncoding string
	Status         int    // 0 when the client got no status: a reset, or it left first
	Fault          string // the fault that struck, or empty
}

// New generates the logs that o describes. Generating takes a few seconds for a million entries.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkFaults(o.Faults); err != nil {
		return nil, err
	}
	s := &Server{
		options: o,
		scrub:   strings.NewReplacer(o.Token, "[credential]", o.Password, "[credential]"),
		faults:  newFaultState(),
		issued:  issuedPages{},
	}
	s.faults.set(o.Faults)
	logs, err := s.exampleLogs()
	if err != nil {
		return nil, err
	}
	var both sync.WaitGroup
	both.Go(func() { generateUpCloud(o, &logs.upcloud) })
	both.Go(func() { generateCloudscale(o, &logs.cloudscale) })
	both.Wait()
	s.adopt(logs)
	return s, nil
}

// exampleLogs are the logs before anything is generated or loaded.
func (s *Server) exampleLogs() (*loadedLogs, error) {
	logs := &loadedLogs{}
	if s.options.NoExamples {
		return logs, nil
	}
	if err := logs.read(bytes.NewReader(examples)); err != nil {
		return nil, fmt.Errorf("the embedded examples: %w", err)
	}
	for i := range logs.upcloud.rows {
		logs.upcloud.rows[i].exempt = true
	}
	logs.cloudscale.holdExamples()
	return logs, nil
}

// adopt starts serving logs.
func (s *Server) adopt(logs *loadedLogs) {
	logs.upcloud.sort()
	logs.cloudscale.number()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upcloud, s.cloudscale = logs.upcloud, logs.cloudscale
	clear(s.issued)
}

// Now is the instant at which the generated data ends.
func (s *Server) Now() time.Time { return s.options.Now }

// Bounds are the times of the oldest and the newest record of either service; ok is false when there is none. The
// documented examples, which are far older than generated data, count only when nothing else is served.
func (s *Server) Bounds() (first, last time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, examples := range []bool{false, true} {
		var times []int64
		for i := range s.upcloud.rows {
			if row := &s.upcloud.rows[i]; row.exempt == examples {
				times = append(times, row.nano)
			}
		}
		for i := range s.cloudscale.rows {
			if row := &s.cloudscale.rows[i]; row.exempt == examples {
				times = append(times, row.nano)
			}
		}
		if len(times) > 0 {
			return time.Unix(0, slices.Min(times)).UTC(), time.Unix(0, slices.Max(times)).UTC(), true
		}
	}
	return time.Time{}, time.Time{}, false
}

// SetFaults replaces the faults. How often each has fired starts again at zero; the ordinals of the requests go on.
// It panics on a fault that New would refuse.
func (s *Server) SetFaults(faults []Fault) {
	if err := checkFaults(faults); err != nil {
		panic("fakeapi: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.set(faults)
}

// Requests lists the requests answered so far, in the order of their answers.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.requests)
	for i := range out {
		out[i].Query = url.Values(http.Header(out[i].Query).Clone())
	}
	return out
}

// ResetRequests forgets the requests so far. Ordinals and fault counts go on.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *Server) log(service string, r *http.Request, status int, fault string) {
	query := url.Values{}
	for key, values := range r.URL.Query() {
		for _, v := range values {
			query.Add(s.scrub.Replace(key), s.scrub.Replace(v))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{
		Service: service, Method: r.Method, Path: s.scrub.Replace(r.URL.Path), Query: query,
		UserAgent: r.UserAgent(), AcceptEncoding: strings.Join(r.Header.Values("Accept-Encoding"), ", "),
		Status: status, Fault: fault,
	})
}

// handler waits out the latency, answers by route and keeps the request log.
func (s *Server) handler(service string, route func(*http.Request) *response) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.options.Latency > 0 {
			timer := time.NewTimer(s.options.Latency)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				s.log(service, r, 0, "")
				return
			}
		}
		s.setDate(w.Header())
		answer := route(r)
		answer.send(w, r, func(status int) { s.log(service, r, status, answer.fault) })
	})
}

// setDate makes an answer tell the service's time.
func (s *Server) setDate(h http.Header) {
	if s.options.NoDate {
		h["Date"] = nil // net/http would else set the machine's
		return
	}
	h.Set("Date", s.options.Clock().Add(s.options.ClockSkew).UTC().Format(http.TimeFormat))
}

// serverError is the answer to the faults named by a status. Rate limits are undocumented on both services.
func (s *Server) serverError(service string, hit strike) *response {
	if hit.fault == "502" {
		return newResponse(http.StatusBadGateway, "text/html", []byte("<html><body><h1>502 Bad Gateway</h1></body></html>\n"))
	}
	status := http.StatusTooManyRequests // for "retry-after"
	if n, err := strconv.Atoi(hit.fault); err == nil {
		status = n
	}
	var p *response
	switch {
	case service == serviceCloudscale:
		p = detail(status, map[int]string{
			401: "Invalid token.",
			429: "Request was throttled.",
			500: "Internal server error.",
			503: "Service is temporarily unavailable due to maintenance.",
		}[status])
	case status == http.StatusUnauthorized:
		p = s.problem(status, "ERROR_INVALID_CREDENTIALS", "Invalid user type.")
	case status == http.StatusTooManyRequests:
		p = s.problem(status, "ERROR_TOO_MANY_REQUESTS", "Too many requests.")
	case status == http.StatusInternalServerError:
		p = s.problem(status, "INTERNAL_SERVER_ERROR", "Internal server error.")
	default:
		p = legacyError(status, "GENERAL_FAILURE", "Your request could not be fulfilled due to a technical issue.")
	}
	switch hit.fault {
	case "429", "503":
		p.header.Set("Retry-After", s.retryAfter(hit.ordinal))
	case "retry-after":
		const year = 365 * 24 * time.Hour
		p.header.Set("Retry-After", []string{
			strconv.Itoa(int(year.Seconds())), s.options.Clock().Add(year).UTC().Format(http.TimeFormat),
			"1e300", "99999999999999999999", "-1", "tomorrow",
		}[hit.variant(6)])
	}
	return p
}

func (s *Server) retryAfter(ordinal uint64) string {
	switch {
	case s.options.RetryAfter != "":
		return s.options.RetryAfter
	case ordinal%2 == 0:
		return s.options.Clock().Add(time.Second).UTC().Format(http.TimeFormat)
	case ordinal%4 == 1:
		return "0"
	default:
		return "1"
	}
}

// correlationID is a fresh ULID for an error answer: the same ones in the same order for the same seed.
func (s *Server) correlationID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered++
	n := s.answered
	return ulid(s.options.Now.UnixMilli(), draw(s.options.Seed, "correlation", n), uint16(n&0xffff))
}

// Happen adds one more record to either log, of now, as n draws it: the same n draws the same. Logs grow by it while
// they are served.
func (s *Server) Happen(now time.Time, n uint64) error {
	drawn, err := New(Options{Entries: 1, Seed: draw(s.options.Seed, "happen", n), Now: now, NoExamples: true})
	if err != nil {
		return err
	}
	for _, r := range drawn.UpCloudRecords() {
		r.Time, r.Raw = now.UTC(), nil
		s.AppendUpCloud(r)
	}
	for _, r := range drawn.CloudscaleRecords() {
		r.Timestamp, r.Raw = now.UTC(), nil
		s.AppendCloudscale(r)
	}
	return nil
}
