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
	"time"
)

// UpCloudRecord is one audit-log event. Field names, types and which are optional are the vendor specification's
// (auditLogsAuditLog); empty optional fields are left out of the JSON.
type UpCloudRecord struct {
	Time            time.Time       `json:"time"`
	AuthType        string          `json:"auth_type"`
	CloudEventID    string          `json:"cloud_event_id"` // a ULID, the only unique key
	CorrelationID   string          `json:"upcloud_correlation_id"`
	ResourceType    string          `json:"resource_type"`
	ResourceSubType string          `json:"resource_sub_type,omitempty"`
	Action          string          `json:"action"`
	Origin          string          `json:"origin"`
	AccountUsername string          `json:"account_username"`
	IPAddress       string          `json:"ip_address,omitempty"`
	ResourceID      string          `json:"resource_id,omitempty"`
	PreviousState   json.RawMessage `json:"previous_state,omitempty"` // an object, on update and delete
	CurrentState    json.RawMessage `json:"current_state,omitempty"`  // an object, on create and update

	// Raw is the record as it is served. When it is set on a record to append, it alone counts; when it is nil, the
	// fields above are encoded.
	Raw json.RawMessage `json:"-"`
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

// upCloudRow is a record as it is kept: its bytes and what filters look at.
type upCloudRow struct {
	id                   string
	nano                 int64
	action, origin, kind string
	user, ip, resource   string
	exempt               bool // an example from the documentation
	raw                  json.RawMessage
}

// upCloudLog is sorted by time, then by id.
type upCloudLog struct {
	rows []upCloudRow
	// matches remembers which rows the latest filters matched, so that walking a large log page by page, in several
	// windows at once, does not read all of it for every page. held is how many they are altogether.
	matches map[string][]int32
	held    int
	pages   rendered
}

// changed has to follow each change of the rows.
func (l *upCloudLog) changed() {
	l.matches = nil
	l.pages.forget()
}

// mostMatches bounds what a log remembers of them: 64 MiB.
const mostMatches = 16 << 20

func newUpCloudRow(r UpCloudRecord) upCloudRow {
	raw := r.Raw
	if raw == nil {
		r.Time = r.Time.UTC()
		raw = encode(r)
	}
	return upCloudRow{
		id: r.CloudEventID, nano: nanos(r.Time), raw: raw, action: r.Action, origin: r.Origin, kind: r.ResourceType,
		user: r.AccountUsername, ip: r.IPAddress, resource: r.ResourceID,
	}
}

// add appends without sorting, for building a log; insert keeps a sorted log sorted.
func (l *upCloudLog) add(r UpCloudRecord) { l.rows = append(l.rows, newUpCloudRow(r)) }

func (l *upCloudLog) insert(r UpCloudRecord) {
	row := newUpCloudRow(r)
	at, _ := slices.BinarySearchFunc(l.rows, row, compareUpCloud)
	l.rows = slices.Insert(l.rows, at, row)
	l.changed()
}

func (l *upCloudLog) remove(at int) {
	l.rows = slices.Delete(l.rows, at, at+1)
	l.changed()
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

// match lists the indices of the rows a filter matches, oldest first.
func (l *upCloudLog) match(f upCloudFilter) []int32 {
	key := fmt.Sprintf("%d %d %q %q %q %q", f.after, f.before, f.actions, f.origins, f.kinds, f.q)
	if hits, ok := l.matches[key]; ok {
		return hits
	}
	from := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].nano >= f.after })
	hits := []int32{}
	for i := from; i < len(l.rows) && l.rows[i].nano <= f.before; i++ {
		row := &l.rows[i]
		if isOneOf(row.action, f.actions) && isOneOf(row.origin, f.origins) && isOneOf(row.kind, f.kinds) &&
			(f.q == "" || row.user == f.q || row.resource == f.q || row.ip == f.q) {
			hits = append(hits, int32(i))
		}
	}
	if l.matches == nil || len(l.matches) >= 256 || l.held+len(hits) > mostMatches {
		l.matches, l.held = map[string][]int32{}, 0
	}
	l.matches[key] = hits
	l.held += len(hits)
	return hits
}

// isOneOf says whether a filter lets a value pass. An empty one lets every value pass, and no filter finds what is
// absent.
func isOneOf(value string, filter []string) bool {
	return len(filter) == 0 || value != "" && slices.Contains(filter, value)
}

// AppendUpCloud adds records to the log while it is served; their times decide where they appear. It panics on a Raw
// that has no cloud_event_id or no RFC 3339 time.
func (s *Server) AppendUpCloud(records ...UpCloudRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if r.Raw != nil {
			r = must(r.Raw, parseUpCloud)
		}
		s.upcloud.insert(r)
	}
}

// UpCloudRecords returns a copy of every record served, oldest first whatever the order of the lists.
func (s *Server) UpCloudRecords() []UpCloudRecord {
	s.mu.Lock()
	rows := slices.Clone(s.upcloud.rows)
	s.mu.Unlock()
	out := make([]UpCloudRecord, len(rows))
	for i, row := range rows {
		out[i] = must(row.raw, parseUpCloud)
	}
	return out
}
