// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// CloudscaleRecord is one project-log record. It has no id of its own: two equal records differ by position alone.
type CloudscaleRecord struct {
	IPAddress *string // null for staff and automated tasks
	Action    string
	Message   string
	Timestamp time.Time // served in UTC with microseconds
	Actor     CloudscaleActor
	Subject   *CloudscaleSubject // optional

	// ID is the database id that orders the log and that cursors name; it is never part of a record. AppendCloudscale
	// ignores it.
	ID int64

	// Raw is the record as it is served. When it is set on a record to append, it alone counts; when it is nil, the
	// fields above are encoded.
	Raw json.RawMessage
}

// CloudscaleActor has exactly one field set.
type CloudscaleActor struct {
	User     *CloudscaleUser  `json:"user,omitempty"`
	APIToken *CloudscaleToken `json:"api_token,omitempty"`
	System   *struct{}        `json:"system,omitempty"` // an automated task
	Admin    *struct{}        `json:"admin,omitempty"`  // the vendor's staff
}

// CloudscaleUser is a person.
type CloudscaleUser struct {
	Email string `json:"email"`
}

// CloudscaleToken is an API token; its description may be null.
type CloudscaleToken struct {
	UUID        string  `json:"uuid"`
	Description *string `json:"description"`
}

// CloudscaleSubject is what the record belongs to, not what was changed; exactly one field is set.
type CloudscaleSubject struct {
	Organization *CloudscaleOrganization `json:"organization,omitempty"`
	User         *CloudscaleUser         `json:"user,omitempty"`
	Project      *CloudscaleProject      `json:"project,omitempty"`
}

// CloudscaleOrganization holds projects; its href may be null.
type CloudscaleOrganization struct {
	Href *string `json:"href"`
	UUID string  `json:"uuid"`
	Name string  `json:"name"`
}

// CloudscaleProject is what an API token belongs to.
type CloudscaleProject struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

// cloudscaleTime is the form of every documented timestamp.
const cloudscaleTime = "2006-01-02T15:04:05.000000Z"

func (r CloudscaleRecord) encode() json.RawMessage {
	return encode(struct {
		IPAddress *string            `json:"ip_address"`
		Action    string             `json:"action"`
		Message   string             `json:"message"`
		Timestamp string             `json:"timestamp"`
		Actor     CloudscaleActor    `json:"actor"`
		Subject   *CloudscaleSubject `json:"subject,omitempty"`
	}{r.IPAddress, r.Action, r.Message, r.Timestamp.UTC().Format(cloudscaleTime), r.Actor, r.Subject})
}

// parseCloudscale reads raw leniently: only the timestamp, by which the fake filters, must be there.
func parseCloudscale(raw json.RawMessage) (CloudscaleRecord, error) {
	f, err := parseFields(raw)
	if err != nil {
		return CloudscaleRecord{}, err
	}
	r := CloudscaleRecord{Raw: bytes.Clone(raw)}
	if r.Timestamp, err = f.instant("timestamp"); err != nil {
		return CloudscaleRecord{}, err
	}
	for key, field := range map[string]any{
		"ip_address": &r.IPAddress, "action": &r.Action, "message": &r.Message, "actor": &r.Actor,
		"subject": &r.Subject,
	} {
		if value, ok := f[key]; ok {
			if err := json.Unmarshal(value, field); err != nil {
				return CloudscaleRecord{}, fmt.Errorf("%q has another shape than documented", key)
			}
		}
	}
	return r, nil
}

// cloudscaleRow is a record as it is kept.
type cloudscaleRow struct {
	id     int64
	nano   int64
	exempt bool // an example from the documentation
	raw    json.RawMessage
}

// cloudscaleLog is in the order of its database ids, which is that of commits: neighbours' times may overtake each
// other by milliseconds.
type cloudscaleLog struct {
	rows     []cloudscaleRow
	examples []cloudscaleRow // not yet among rows
	lastID   int64

	// latest is, for each row, the latest time up to it, and earliest the earliest time from it on: where a window
	// begins and ends, without a look at every row. Both are nil until they are needed, and after each change.
	latest, earliest []int64
	pages            rendered
}

// changed has to follow each change of the rows.
func (l *cloudscaleLog) changed() {
	l.latest, l.earliest = nil, nil
	l.pages.forget()
}

// span is the part of the rows outside of which none has a time from start up to end.
func (l *cloudscaleLog) span(start, end int64) (from, to int) {
	if l.latest == nil {
		n := len(l.rows)
		l.latest, l.earliest = make([]int64, n), make([]int64, n)
		latest, earliest := int64(math.MinInt64), int64(math.MaxInt64)
		for i := range n {
			latest, earliest = max(latest, l.rows[i].nano), min(earliest, l.rows[n-1-i].nano)
			l.latest[i], l.earliest[n-1-i] = latest, earliest
		}
	}
	from = sort.Search(len(l.rows), func(i int) bool { return l.latest[i] >= start })
	return from, sort.Search(len(l.rows), func(i int) bool { return l.earliest[i] >= end })
}

func (l *cloudscaleLog) add(r CloudscaleRecord) {
	raw := r.Raw
	if raw == nil {
		raw = r.encode()
	}
	l.rows = append(l.rows, cloudscaleRow{nano: nanos(r.Timestamp), raw: raw})
	l.changed()
}

// insert adds a record with the next id.
func (l *cloudscaleLog) insert(r CloudscaleRecord) {
	l.add(r)
	l.lastID++
	l.rows[len(l.rows)-1].id = l.lastID
}

// holdExamples sets the rows so far aside until number puts them where their times belong.
func (l *cloudscaleLog) holdExamples() {
	for i := range l.rows {
		l.rows[i].exempt = true
	}
	l.examples, l.rows = l.rows, nil
}

// number puts the examples in their places and gives every row its id. Ids grow but leave gaps, as those of a table
// shared by many projects do.
func (l *cloudscaleLog) number() {
	for _, example := range l.examples {
		at := slices.IndexFunc(l.rows, func(row cloudscaleRow) bool { return row.nano > example.nano })
		if at < 0 {
			at = len(l.rows)
		}
		l.rows = slices.Insert(l.rows, at, example)
	}
	l.examples = nil
	l.changed()
	l.lastID = 10_000
	for i := range l.rows {
		l.lastID += 1 + int64(draw(0, "gap", uint64(i))%3)
		l.rows[i].id = l.lastID
	}
}

// after is the index of the first row whose id is beyond the cursor.
func (l *cloudscaleLog) after(cursor int64) int {
	return sort.Search(len(l.rows), func(i int) bool { return l.rows[i].id > cursor })
}

// page collects up to size rows with start <= time < end, beginning at index from; more says that others follow.
func (l *cloudscaleLog) page(from, size int, start, end int64) (rows []cloudscaleRow, more bool) {
	first, last := l.span(start, end)
	from = max(from, first)
	rows = make([]cloudscaleRow, 0, min(size, max(last-from, 0)))
	for i := from; i < last; i++ {
		row := &l.rows[i]
		if row.nano < start || row.nano >= end {
			continue
		}
		if len(rows) == size {
			return rows, true
		}
		rows = append(rows, *row)
	}
	return rows, false
}

// AppendCloudscale adds records to the end of the log while it is served, whatever their timestamps. It panics on a
// Raw that has no RFC 3339 timestamp.
func (s *Server) AppendCloudscale(records ...CloudscaleRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if r.Raw != nil {
			r = must(r.Raw, parseCloudscale)
		}
		s.cloudscale.insert(r)
	}
}

// CloudscaleRecords returns a copy of every record served, in the log's order.
func (s *Server) CloudscaleRecords() []CloudscaleRecord {
	s.mu.Lock()
	rows := slices.Clone(s.cloudscale.rows)
	s.mu.Unlock()
	out := make([]CloudscaleRecord, len(rows))
	for i, row := range rows {
		out[i] = must(row.raw, parseCloudscale)
		out[i].ID = row.id
	}
	return out
}
