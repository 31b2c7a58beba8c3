// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// UpCloudRecord is one audit-log event. Field names, types and which are optional are the vendor specification's
// (auditLogsAuditLog); empty optional fields are left out of the JSON.
type UpCloudRecord struct {
	Time            time.Time
	AuthType        string
	CloudEventID    string // a ULID, the only unique key
	CorrelationID   string
	ResourceType    string
	ResourceSubType string // optional
	Action          string
	Origin          string
	AccountUsername string
	IPAddress       string          // optional
	ResourceID      string          // optional
	PreviousState   json.RawMessage // optional; an object, on update and delete
	CurrentState    json.RawMessage // optional; an object, on create and update

	// Raw is the record as it is served. When it is set on a record to append, it alone counts; when it is nil, the
	// fields above are encoded.
	Raw json.RawMessage
}

func (r UpCloudRecord) encode() json.RawMessage {
	out := make([]byte, 0, 384+len(r.PreviousState)+len(r.CurrentState))
	add := func(key, value string, optional bool) {
		if optional && value == "" {
			return
		}
		out = append(out, `,"`+key+`":`...)
		out = append(out, quote(value)...)
	}
	add("time", r.Time.UTC().Format(time.RFC3339Nano), false)
	add("auth_type", r.AuthType, false)
	add("cloud_event_id", r.CloudEventID, false)
	add("upcloud_correlation_id", r.CorrelationID, false)
	add("resource_type", r.ResourceType, false)
	add("resource_sub_type", r.ResourceSubType, true)
	add("action", r.Action, false)
	add("origin", r.Origin, false)
	add("account_username", r.AccountUsername, false)
	add("ip_address", r.IPAddress, true)
	add("resource_id", r.ResourceID, true)
	if len(r.PreviousState) > 0 {
		out = append(append(out, `,"previous_state":`...), r.PreviousState...)
	}
	if len(r.CurrentState) > 0 {
		out = append(append(out, `,"current_state":`...), r.CurrentState...)
	}
	out[0] = '{'
	return append(out, '}')
}

// parseUpCloud reads raw leniently: only what the fake itself needs, the id and the time, must be there.
func parseUpCloud(raw json.RawMessage) (UpCloudRecord, error) {
	f, err := parseFields(raw)
	if err != nil {
		return UpCloudRecord{}, err
	}
	r := UpCloudRecord{Raw: bytes.Clone(raw), PreviousState: f["previous_state"], CurrentState: f["current_state"]}
	if r.Time, err = f.instant("time"); err != nil {
		return UpCloudRecord{}, err
	}
	for key, field := range map[string]*string{
		"auth_type": &r.AuthType, "cloud_event_id": &r.CloudEventID, "upcloud_correlation_id": &r.CorrelationID,
		"resource_type": &r.ResourceType, "resource_sub_type": &r.ResourceSubType, "action": &r.Action,
		"origin": &r.Origin, "account_username": &r.AccountUsername, "ip_address": &r.IPAddress,
		"resource_id": &r.ResourceID,
	} {
		if *field, err = f.text(key); err != nil {
			return UpCloudRecord{}, err
		}
	}
	if r.CloudEventID == "" {
		return UpCloudRecord{}, errors.New(`"cloud_event_id" is missing`)
	}
	return r, nil
}

// symbol is a repeated value, such as an action or a user name, kept once. The zero symbol is the empty string.
type symbol uint32

// upCloudRow is a record as it is kept: its bytes and what filters look at.
type upCloudRow struct {
	id                   string
	nano                 int64
	action, origin, kind symbol
	user, ip, resource   symbol
	exempt               bool // an example from the documentation
	raw                  json.RawMessage
}

// upCloudLog is sorted by time, then by id.
type upCloudLog struct {
	rows    []upCloudRow
	symbols map[string]symbol
	// matches remembers which rows the latest filters matched, so that walking a large log page by page does not
	// read all of it for every page.
	matches map[string][]int32
}

// lookup finds the symbol of a value that some row may have.
func (l *upCloudLog) lookup(s string) (symbol, bool) {
	if s == "" {
		return 0, true
	}
	id, ok := l.symbols[s]
	return id, ok
}

func (l *upCloudLog) intern(s string) symbol {
	id, ok := l.lookup(s)
	if !ok {
		if l.symbols == nil {
			l.symbols = map[string]symbol{}
		}
		id = symbol(len(l.symbols) + 1)
		l.symbols[strings.Clone(s)] = id
	}
	return id
}

func (l *upCloudLog) row(r UpCloudRecord) upCloudRow {
	raw := r.Raw
	if raw == nil {
		raw = r.encode()
	}
	return upCloudRow{
		id: r.CloudEventID, nano: nanos(r.Time), raw: raw,
		action: l.intern(r.Action), origin: l.intern(r.Origin), kind: l.intern(r.ResourceType),
		user: l.intern(r.AccountUsername), ip: l.intern(r.IPAddress), resource: l.intern(r.ResourceID),
	}
}

// add appends without sorting, for building a log; insert keeps a sorted log sorted.
func (l *upCloudLog) add(r UpCloudRecord) { l.rows = append(l.rows, l.row(r)) }

func (l *upCloudLog) insert(r UpCloudRecord) {
	row := l.row(r)
	at, _ := slices.BinarySearchFunc(l.rows, row, compareUpCloud)
	l.rows = slices.Insert(l.rows, at, row)
	clear(l.matches)
}

func (l *upCloudLog) remove(at int) {
	l.rows = slices.Delete(l.rows, at, at+1)
	clear(l.matches)
}

func (l *upCloudLog) sort() { slices.SortStableFunc(l.rows, compareUpCloud) }

func compareUpCloud(a, b upCloudRow) int {
	return cmp.Or(cmp.Compare(a.nano, b.nano), cmp.Compare(a.id, b.id))
}

// upCloudFilter is what a list request asks for. Bounds are inclusive.
type upCloudFilter struct {
	after, before           int64
	actions, origins, kinds []string // OR inside, AND across; empty is no filter
	q                       string
}

// match lists the indices of the rows a filter matches, oldest first: as a range when nothing but time is asked for.
func (l *upCloudLog) match(f upCloudFilter) upCloudMatch {
	from := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].nano >= f.after })
	to := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].nano > f.before })
	to = max(to, from) // a window that ends before it begins holds nothing
	if len(f.actions)+len(f.origins)+len(f.kinds) == 0 && f.q == "" {
		return upCloudMatch{from: from, total: to - from}
	}
	key := fmt.Sprintf("%d %d %q %q %q %q", f.after, f.before, f.actions, f.origins, f.kinds, f.q)
	if hits, ok := l.matches[key]; ok {
		return upCloudMatch{picked: hits, total: len(hits)}
	}
	actions, origins, kinds := l.set(f.actions), l.set(f.origins), l.set(f.kinds)
	q, known := l.lookup(f.q)
	hits := []int32{}
	for i := from; i < to; i++ {
		row := &l.rows[i]
		if actions.has(row.action) && origins.has(row.origin) && kinds.has(row.kind) &&
			(f.q == "" || known && (row.user == q || row.resource == q || row.ip == q)) {
			hits = append(hits, int32(i))
		}
	}
	if l.matches == nil || len(l.matches) >= 8 {
		l.matches = map[string][]int32{}
	}
	l.matches[key] = hits
	return upCloudMatch{picked: hits, total: len(hits)}
}

// symbolSet is nil when everything is in it.
type symbolSet map[symbol]bool

func (l *upCloudLog) set(values []string) symbolSet {
	if len(values) == 0 {
		return nil
	}
	out := symbolSet{}
	for _, v := range values {
		if id, ok := l.lookup(v); ok && v != "" {
			out[id] = true
		}
	}
	return out
}

func (s symbolSet) has(id symbol) bool { return s == nil || s[id] }

// upCloudMatch is a list of row indices: picked ones, or a range from from.
type upCloudMatch struct {
	picked []int32
	from   int
	total  int
}

func (m upCloudMatch) at(i int) int {
	if m.picked != nil {
		return int(m.picked[i])
	}
	return m.from + i
}

// AppendUpCloud adds records to the log while it is served; their times decide where they appear. It panics on a Raw
// that has no cloud_event_id or no RFC 3339 time.
func (s *Server) AppendUpCloud(records ...UpCloudRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if r.Raw != nil {
			parsed, err := parseUpCloud(r.Raw)
			if err != nil {
				panic("fakeapi: " + err.Error())
			}
			r = parsed
		}
		s.upcloud.insert(r)
	}
}

// UpCloudRecords returns a copy of every record served, oldest first whatever the order of the lists.
func (s *Server) UpCloudRecords() []UpCloudRecord {
	s.mu.Lock()
	raws := make([]json.RawMessage, len(s.upcloud.rows))
	for i := range raws {
		raws[i] = s.upcloud.rows[i].raw
	}
	s.mu.Unlock()
	out := make([]UpCloudRecord, len(raws))
	for i, raw := range raws {
		r, err := parseUpCloud(raw)
		if err != nil {
			panic("fakeapi: " + err.Error()) // it was parsed or made here before
		}
		out[i] = r
	}
	return out
}
