// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// DefaultFaultRate is the share of list requests a fault strikes when its rate is not given.
const DefaultFaultRate = 0.2

// Fault makes list requests go wrong. The names, and what they do:
//
//	429              too many requests, with Retry-After
//	500              a server error
//	503              maintenance, with Retry-After; on UpCloud in the older of its two error shapes
//	reset            the connection is reset before the answer, or in the middle of it
//	truncate         the length of the whole body is declared, half of it is sent, the connection closes
//	truncate-silent  the answer ends cleanly in the middle of the JSON, chunked or delimited by the close
//	malformed        status 200 and the right length, but the JSON is broken in the middle
//	empty            status 200 without a body
//	html             status 200 with a login page
//	shape            status 200 with JSON of another shape
//	bad-time         one record's time is no time
//	repeat-page      the page before this one is served again: on UpCloud the rows of the offset before, on
//	                 cloudscale the whole earlier body, with its `next`
//	duplicate        UpCloud only: what offset paging over a moving log does; a later page begins with the last row
//	                 of the page before, which pushes its own last row out of sight. On cloudscale it has no effect:
//	                 cursors name rows, and a repeated record could not be told from a twin
//	no-total         UpCloud only: the header UpCloud-Total-Count is missing
//	grow             before a later page is served, a record joins the log: sometimes newer than everything, sometimes
//	                 late, with a time inside the log (on cloudscale, whose order is that of the commits, late by
//	                 at most two seconds)
//	shrink           before a later page is served, a record leaves the log: on UpCloud one that was on an earlier
//	                 page, so that the rest moves up, on cloudscale the first one behind the cursor
//
// "repeat-page", "duplicate", "grow" and "shrink" need a page before the one they strike; until there is one, they
// neither fire nor count towards Times. The same holds for "bad-time" on a page without records.
type Fault struct {
	Name string
	// Rate is the share of list requests that are struck, above 0 and up to 1; 0 stands for DefaultFaultRate.
	Rate float64
	// Times is how often the fault fires at most, counted for each service by itself; 0 is no limit.
	Times int
}

type faultKind struct {
	name string
	// later faults need a page before the one they strike, rows faults a record on it.
	later, rows bool
	// upcloudOnly faults have no counterpart on cloudscale.
	upcloudOnly bool
}

var faultKinds = []faultKind{
	{name: "429"},
	{name: "500"},
	{name: "503"},
	{name: "reset"},
	{name: "truncate"},
	{name: "truncate-silent"},
	{name: "malformed"},
	{name: "empty"},
	{name: "html"},
	{name: "shape"},
	{name: "bad-time", rows: true},
	{name: "repeat-page", later: true},
	{name: "duplicate", later: true, upcloudOnly: true},
	{name: "no-total", upcloudOnly: true},
	{name: "grow", later: true},
	{name: "shrink", later: true, rows: true},
}

// FaultNames lists every fault there is.
func FaultNames() []string {
	names := make([]string, len(faultKinds))
	for i, k := range faultKinds {
		names[i] = k.name
	}
	return names
}

// ParseFault reads "NAME" or "NAME:RATE", such as "429:0.2". Without a rate it is DefaultFaultRate.
func ParseFault(text string) (Fault, error) {
	name, rate, found := strings.Cut(text, ":")
	f := Fault{Name: name, Rate: DefaultFaultRate}
	if found {
		var err error
		if f.Rate, err = strconv.ParseFloat(rate, 64); err != nil || !(f.Rate > 0 && f.Rate <= 1) {
			return Fault{}, fmt.Errorf("fault %q: the rate must be a number above 0 and up to 1, like %q", text, name+":0.5")
		}
	}
	return f, f.check()
}

func (f Fault) check() error {
	if !slices.Contains(FaultNames(), f.Name) {
		return fmt.Errorf("unknown fault %q; known are %s", f.Name, strings.Join(FaultNames(), ", "))
	}
	if !(f.Rate >= 0 && f.Rate <= 1) || f.Times < 0 {
		return fmt.Errorf("fault %q: the rate must lie between 0 and 1, the times may not be negative", f.Name)
	}
	return nil
}

func checkFaults(faults []Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

// faultState decides which request each fault strikes. The server's lock guards it.
type faultState struct {
	faults  []Fault
	fired   map[string][]int  // by service: how often each of faults fired
	ordinal map[string]uint64 // by service: list requests so far
}

func newFaultState() faultState {
	return faultState{fired: map[string][]int{}, ordinal: map[string]uint64{}}
}

func (st *faultState) set(faults []Fault) {
	st.faults = slices.Clone(faults)
	for i := range st.faults {
		setDefault(&st.faults[i].Rate, DefaultFaultRate)
	}
	clear(st.fired)
}

// strike is one list request and the fault that hits it, if any.
type strike struct {
	fault   string
	ordinal uint64
	seed    uint64
}

// variant picks one of n ways in which the fault shows.
func (s strike) variant(n uint64) uint64 { return draw(s.seed, s.fault+"/variant", s.ordinal) % n }

// next counts a list request and picks its fault among those that can show on it.
func (st *faultState) next(seed uint64, service string, can func(faultKind) bool) strike {
	st.ordinal[service]++
	hit := strike{ordinal: st.ordinal[service], seed: seed}
	if len(st.fired[service]) != len(st.faults) {
		st.fired[service] = make([]int, len(st.faults))
	}
	for i, f := range st.faults {
		kind := faultKinds[slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.name == f.Name })]
		if !can(kind) || f.Times > 0 && st.fired[service][i] >= f.Times {
			continue
		}
		if float64(draw(seed, f.Name, hit.ordinal)>>11)/(1<<53) < f.Rate {
			st.fired[service][i]++
			hit.fault = f.Name
			return hit
		}
	}
	return hit
}

// draw is a random number that depends on its arguments alone.
func draw(seed uint64, name string, ordinal uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return mix(h.Sum64() ^ seed*0x9e3779b97f4a7c15 ^ ordinal*0xd1b54a32d192ed03)
}

// mix is the finalizer of SplitMix64: it makes unrelated numbers of neighbouring ones.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
