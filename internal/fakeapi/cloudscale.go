// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const cloudscalePath = "/v1/project-logs"

// Cloudscale serves GET /v1/project-logs as {"next":URL|null,"poll_more":URL,"results":[…]}: up to 200 records a page,
// oldest first by database id, with `start` inclusive and `end` exclusive. It accepts bearer tokens only. Errors are
// {"detail":"…"}, those of parameters {"start":["…"]}.
//
// `next` and `poll_more` are absolute, built from the request's host. Their cursor is the database id of the last
// record served; with EndEveryPage they also carry the `end` of the first request, so a client that builds its own
// URL from the number loses it. `start` is not carried: every documented cursor URL goes without, and a record that
// was overtaken across it may show up on a later page. Clients should treat the URLs as opaque.
func (s *Server) Cloudscale() http.Handler { return s.handler(serviceCloudscale, s.routeCloudscale) }

func (s *Server) routeCloudscale(r *http.Request) *response {
	switch {
	case r.URL.Path != cloudscalePath:
		return detail(http.StatusNotFound, "Not found.")
	case r.Header.Get("Authorization") == "":
		return detail(http.StatusUnauthorized, "Authentication credentials were not provided.")
	case !s.bearer(r):
		return detail(http.StatusUnauthorized, "Invalid token.")
	case r.Method != http.MethodGet:
		p := detail(http.StatusMethodNotAllowed, `Method "`+r.Method+`" not allowed.`)
		p.header.Set("Allow", http.MethodGet)
		return p
	}
	return s.listCloudscale(r)
}

func detail(status int, text string) *response {
	return newResponse(status, typeJSON, encode(map[string]string{"detail": text}))
}

// parseCloudscaleTime takes ISO 8601 with a zone and optional seconds: documented requests leave the seconds out. A
// literal plus sign in a query arrives as a space and does not parse.
func parseCloudscaleTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// listCloudscale answers a list request. Undocumented and decided here: parameters given twice and malformed cursors
// are refused, unknown parameters ignored, a cursor takes the place of `start`, and a cursor whose record is gone goes
// on behind the place where it was.
func (s *Server) listCloudscale(r *http.Request) *response {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return detail(http.StatusBadRequest, "Malformed percent-encoding.")
	}
	bad := map[string][]string{}
	for _, name := range []string{"start", "end", "cursor"} {
		if len(query[name]) > 1 {
			bad[name] = []string{"Must be given once."}
		}
	}
	instant := func(name string, fallback int64) int64 {
		if !query.Has(name) || bad[name] != nil {
			return fallback
		}
		t, ok := parseCloudscaleTime(query.Get(name))
		if !ok {
			bad[name] = []string{"Datetime has wrong format. Use YYYY-MM-DDThh:mm[:ss[.uuuuuu]] and +HH:MM, -HH:MM or Z."}
		}
		return nanos(t)
	}
	w := walk{start: instant("start", math.MinInt64), end: instant("end", math.MaxInt64), endText: query.Get("end")}
	if w.later = query.Has("cursor"); w.later && bad["cursor"] == nil {
		if w.cursor, err = strconv.ParseInt(query.Get("cursor"), 10, 64); err != nil || w.cursor < 0 {
			bad["cursor"] = []string{"Invalid cursor."}
		}
	}
	if len(bad) > 0 {
		return newResponse(http.StatusBadRequest, typeJSON, encode(bad))
	}
	if w.later {
		w.start = math.MinInt64
	}
	if s.options.CloudscaleEnd == EndFirstPage {
		if w.endText = ""; w.later {
			w.end = math.MaxInt64
		}
	}
	return s.walkCloudscale(r, w)
}

// walk is one page of a walk through the log.
type walk struct {
	start, end int64
	endText    string // what cursor URLs carry along
	cursor     int64
	later      bool // whether this is a cursor page
}

func (s *Server) walkCloudscale(r *http.Request, w walk) *response {
	body, hit := s.cloudscaleBody(r, w)
	if hit.fault == "cursor-lost" {
		return lostCursor(hit)
	}
	return s.faulty(r, serviceCloudscale, hit, newResponse(http.StatusOK, typeJSON, body))
}

// lostCursor is how a service may answer a cursor that it knows no longer, which is undocumented.
func lostCursor(hit strike) *response {
	var p *response
	switch hit.variant(3) {
	case 0:
		p = newResponse(http.StatusBadRequest, typeJSON, encode(map[string][]string{"cursor": {"Invalid cursor."}}))
	case 1:
		p = detail(http.StatusNotFound, "Not found.")
	default:
		p = detail(http.StatusGone, "Gone.")
	}
	p.fault = hit.fault
	return p
}

func (s *Server) cloudscaleBody(r *http.Request, w walk) ([]byte, strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.issued[r.URL.RawQuery]
	page := s.cloudscalePage(w)
	hit := s.faults.next(s.options.Seed, serviceCloudscale, func(k FaultKind) bool {
		return (!k.later || w.later) && (!k.earlier || page.more) &&
			(!k.rows || len(page.rows) > 0) &&
			(k.Name != "repeat-page" || before != nil)
	})
	switch hit.fault {
	case "grow":
		s.cloudscale.insert(lateCloudscale(s.options, &s.cloudscale, hit))
		page = s.cloudscalePage(w)
	case "shrink":
		s.shrinkCloudscale(w)
		page = s.cloudscalePage(w)
	case "expire":
		s.cloudscale.rows = slices.DeleteFunc(s.cloudscale.rows,
			func(row cloudscaleRow) bool { return !row.exempt && row.id <= w.cursor })
		s.cloudscale.changed()
		page = s.cloudscalePage(w)
	case "no-filter":
		w.start, w.end = math.MinInt64, math.MaxInt64
		page = s.cloudscalePage(w)
	case "short-page":
		if half := (len(page.rows) + 1) / 2; half < len(page.rows) {
			page.rows, page.more, page.cursor = page.rows[:half], true, page.rows[half-1].id
		}
	case "endless":
		if !page.more {
			page.more, page.cursor = true, max(page.cursor, w.cursor)+1
		}
	case "repeat-page":
		return before, hit
	case "shape":
		return otherShape("results", page.raws(), hit), hit
	case "":
		next := cursorURL(r, w, page.cursor)
		body := s.cloudscale.pages.page(schemeOf(r)+r.Host+r.URL.RawQuery, func() []byte {
			return page.body(next, page.raws())
		})
		s.issued.keep(next, body)
		return body, hit
	}
	raws := page.raws()
	spoilRows(raws, "timestamp", "message", hit)

	next := cursorURL(r, w, page.cursor)
	switch hit.fault {
	case "next-relative":
		_, query, _ := strings.Cut(next, "?")
		next = []string{
			cloudscalePath + "?" + query, "?" + query, "//" + r.Host + cloudscalePath + "?" + query,
		}[hit.variant(3)]
	case "next-foreign":
		next = s.foreignNext(r, next, hit)
	case "next-loop":
		page.more, next = true, schemeOf(r)+"://"+r.Host+r.URL.RequestURI()
	}
	body := page.body(next, raws)
	s.issued.keep(next, body)
	return body, hit
}

// foreignNext leads elsewhere, by another host or by what may pass for the same one.
func (s *Server) foreignNext(r *http.Request, next string, hit strike) string {
	u, err := url.Parse(next)
	if err != nil {
		panic(err) // it was made here
	}
	switch u.Host = r.Host; hit.variant(5) {
	case 0:
		u.Scheme = map[string]string{"http": "https", "https": "http"}[schemeOf(r)]
	case 1:
		u.User = url.UserPassword("user", "password")
	case 2:
		u.Host = u.Hostname() + ":9"
	case 3:
		u.Host = u.Hostname() + ".example.net"
	default:
		return s.options.Foreign + u.RequestURI()
	}
	return u.String()
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

type cloudscalePage struct {
	rows   []cloudscaleRow
	more   bool
	cursor int64 // where this page ends
}

// cloudscalePage collects a page. An empty one keeps its cursor; without one it takes the newest record's, so that
// polling shows what comes after the request. The caller holds the lock.
func (s *Server) cloudscalePage(w walk) cloudscalePage {
	var page cloudscalePage
	page.rows, page.more = s.cloudscale.page(s.cloudscale.after(w.cursor), s.options.CloudscalePageSize, w.start, w.end)
	page.cursor = w.cursor
	switch {
	case len(page.rows) > 0:
		page.cursor = page.rows[len(page.rows)-1].id
	case !w.later:
		page.cursor = s.cloudscale.lastID
	}
	return page
}

func (p cloudscalePage) raws() []json.RawMessage {
	out := make([]json.RawMessage, len(p.rows))
	for i, row := range p.rows {
		out[i] = row.raw
	}
	return out
}

func (p cloudscalePage) body(next string, raws []json.RawMessage) []byte {
	link := []byte(quote(next))
	out := []byte(`{"next":`)
	if p.more {
		out = append(out, link...)
	} else {
		out = append(out, "null"...)
	}
	out = append(append(out, `,"poll_more":`...), link...)
	return append(join(append(out, `,"results":`...), raws), '}')
}

func cursorURL(r *http.Request, w walk, cursor int64) string {
	query := url.Values{"cursor": {strconv.FormatInt(cursor, 10)}}
	if w.endText != "" {
		query.Set("end", w.endText)
	}
	return schemeOf(r) + "://" + r.Host + cloudscalePath + "?" + query.Encode()
}

// shrinkCloudscale removes the first row behind the cursor. The caller holds the lock.
func (s *Server) shrinkCloudscale(w walk) {
	for i := s.cloudscale.after(w.cursor); i < len(s.cloudscale.rows); i++ {
		if !s.cloudscale.rows[i].exempt {
			s.cloudscale.rows = slices.Delete(s.cloudscale.rows, i, i+1)
			s.cloudscale.changed()
			return
		}
	}
}

// issuedPages remembers, by the query of the `next` it named, the body of a page, for the fault "repeat-page".
type issuedPages map[string][]byte

func (m issuedPages) keep(next string, body []byte) {
	const enough = 64 // walks that are under way at the same time
	if len(m) >= enough {
		clear(m)
	}
	_, query, _ := strings.Cut(next, "?")
	m[query] = body
}
