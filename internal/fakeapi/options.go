// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Credentials a fake accepts unless [Options] says otherwise. They are public on purpose and open nothing else.
const (
	DefaultToken    = "fake-audit-token"
	DefaultUsername = "fake-audit-user"
	DefaultPassword = "fake-audit-password"
)

// DefaultSpan is how far back generated data reaches: "a real month".
const DefaultSpan = 30 * 24 * time.Hour

const (
	// The specification's schema allows 200, its parameter text 100; see Options.UpCloudMaxLimit.
	defaultUpCloudMaxLimit = 200
	// The vendor's engineering blog: "up to 200 records".
	defaultCloudscalePageSize = 200

	defaultDrip    = 2 * time.Second
	defaultForeign = "https://collector.example.net" // a name that is reserved for examples
)

// DefaultNow is the fixed instant at which generated logs end, so that the same options serve the same bytes.
func DefaultNow() time.Time { return time.Date(2026, time.June, 30, 12, 0, 0, 0, time.UTC) }

// OffsetReading is what UpCloud's `offset` counts. The vendor's specification says both: its parameter text and
// examples read as rows, its schema as pages.
type OffsetReading int

const (
	// OffsetRow skips that many rows.
	OffsetRow OffsetReading = iota
	// OffsetPage takes offset as a page number of limit rows each; 0 and 1 are the same first page.
	OffsetPage
)

// Order is the order of UpCloud's rows, which is undocumented.
type Order int

const (
	// NewestFirst sorts by time, then by id, both descending.
	NewestFirst Order = iota
	// OldestFirst sorts by time, then by id, both ascending.
	OldestFirst
)

// EndScope is how far the `end` of a first cloudscale request reaches, which is undocumented.
type EndScope int

const (
	// EndEveryPage makes the cursor URLs carry `end` along, so that every later page honours it, polls included.
	EndEveryPage EndScope = iota
	// EndFirstPage makes cursor pages ignore `end` and run on to the newest record.
	EndFirstPage
)

// Options decide what a [Server] serves. The zero value serves only the documented example records, without faults.
type Options struct {
	// Entries is the number of records generated per service. From 300 on, every documented action, resource type,
	// origin and actor kind is among them.
	//
	// The records printed in the vendors' documentation are served in addition: they count towards nothing, lie
	// where their own times put them (2024 and 2025), survive Load and the fault "shrink". Requests filter them like
	// any other record. One of them is printed without its last keys; it is served completed with an actor.
	Entries int
	// NoExamples leaves the documented examples out, for tests that count exactly.
	NoExamples bool
	// Seed selects the generated data and which requests the faults strike.
	Seed uint64
	// Now is the instant at which the generated data ends: its newest record is less than two minutes older.
	// The zero value is DefaultNow.
	Now time.Time
	// Span is how far back the generated data reaches; zero is DefaultSpan.
	Span time.Duration
	// Clock gives the instant that the header Date shows and that Retry-After dates count from; nil is a clock stopped
	// at Now. Nothing else in a Server knows the time.
	Clock func() time.Time
	// ClockSkew is how far Date is ahead of Clock, as with a service whose clock is.
	ClockSkew time.Duration
	// NoDate makes answers come without Date.
	NoDate bool

	// Latency delays every answer, unless the client leaves first.
	Latency time.Duration
	// Faults are tried in this order; at most one strikes a request.
	Faults []Fault
	// RetryAfter is the Retry-After header of the faults "429" and "503". When empty, it alternates between small
	// numbers of seconds and HTTP dates one second ahead of Clock.
	RetryAfter string

	// Drip is how long the fault "drip" takes over an answer; zero is two seconds.
	Drip time.Duration
	// Foreign is the origin of another host, to which the faults "redirect-foreign" and "next-foreign" lead; empty is
	// "https://collector.example.net".
	Foreign string

	// Token is accepted as a bearer token by both services, Username and Password by UpCloud's HTTP Basic. Empty
	// fields take the defaults.
	Token, Username, Password string

	// Account is the user name that UpCloud's account names for either credential; empty is Username.
	Account string
	// AccountForbidden makes UpCloud refuse to show the account, as it does to a credential that may read only some
	// parts of the API.
	AccountForbidden bool

	UpCloudOffset OffsetReading
	UpCloudOrder  Order
	// UpCloudMaxLimit is the largest page; a larger limit is silently served as this one. Zero is 200. The
	// vendor's documents disagree on the number (100 and 200) and do not say what exceeding it does.
	UpCloudMaxLimit int

	CloudscaleEnd EndScope
	// CloudscalePageSize is the number of records a page; zero is the documented 200.
	CloudscalePageSize int
}

// withDefaults fills the zero fields and reports what cannot be served.
func (o Options) withDefaults() (Options, error) {
	if o.Now.IsZero() {
		o.Now = DefaultNow()
	}
	o.Now = o.Now.UTC()
	if o.Clock == nil {
		now := o.Now
		o.Clock = func() time.Time { return now }
	}
	o.Span = cmp.Or(o.Span, DefaultSpan)
	o.Token = cmp.Or(o.Token, DefaultToken)
	o.Username = cmp.Or(o.Username, DefaultUsername)
	o.Password = cmp.Or(o.Password, DefaultPassword)
	o.Account = cmp.Or(o.Account, o.Username)
	o.Drip = cmp.Or(o.Drip, defaultDrip)
	o.Foreign = cmp.Or(o.Foreign, defaultForeign)
	o.UpCloudMaxLimit = cmp.Or(o.UpCloudMaxLimit, defaultUpCloudMaxLimit)
	o.CloudscalePageSize = cmp.Or(o.CloudscalePageSize, defaultCloudscalePageSize)

	var errs []error
	if o.Entries < 0 {
		errs = append(errs, fmt.Errorf("the number of entries is negative: %d", o.Entries))
	}
	if o.Span < 0 {
		errs = append(errs, fmt.Errorf("the span of the data is negative: %s", o.Span))
	}
	if o.Latency < 0 {
		errs = append(errs, fmt.Errorf("the latency is negative: %s", o.Latency))
	}
	if o.Drip < 0 {
		errs = append(errs, fmt.Errorf("the time that a drip takes is negative: %s", o.Drip))
	}
	// Outside these years an instant does not fit the nanosecond counter that rows are sorted by, nor a ULID.
	if y := o.Now.Year(); y < 1980 || y > 2200 || o.Now.Add(-o.Span).Year() < 1980 {
		errs = append(errs, errors.New("the data reaches outside the years 1980 to 2200"))
	}
	if o.UpCloudMaxLimit < 0 || o.CloudscalePageSize < 0 {
		errs = append(errs, errors.New("a page size is negative"))
	}
	if u, err := url.Parse(o.Foreign); err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
		errs = append(errs, fmt.Errorf("not an origin like https://example.net: %q", o.Foreign))
	}
	return o, errors.Join(errs...)
}
