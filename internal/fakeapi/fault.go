// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// DefaultFaultRate is the share of requests a fault strikes when its rate is not given.
const DefaultFaultRate = 0.2

// Fault makes list requests go wrong, and those for filter options where it is not about pages of records. [Faults]
// lists what each does.
//
// Some faults need a page before or behind the one they strike, or a record on it; until there is one, they neither
// fire nor count towards Times.
type Fault struct {
	Name string
	// Rate is the share of requests that are struck, above 0 and up to 1; 0 stands for DefaultFaultRate.
	Rate float64
	// Times is how often the fault fires at most, counted for each service by itself; 0 is no limit.
	Times int
}

// Remedy is what a client can do about a fault and still tell nothing but the truth.
type Remedy int

const (
	// Retry means that the same request may be answered next time. What lasts is an error.
	Retry Remedy = iota
	// Refuse means that the answer is not the service's, or not one that can be understood: an error at once.
	Refuse
	// Reread means that pages do not fit together: they are read again until they do, else it is an error.
	Reread
	// Accept means that the answer is right, only in an unusual way.
	Accept
)

func (r Remedy) String() string {
	return [...]string{
		"tries again; an error only when it lasts (`:1`)",
		"an error at once: the answer cannot be trusted",
		"reads again, and gives every entry or an error",
		"gives every entry",
	}[r]
}

// FaultKind describes a fault.
type FaultKind struct {
	Name string
	// Text says what happens, without a full stop.
	Text   string
	Remedy Remedy
	// Only is the one service that can have the fault; empty for both.
	Only string

	// lists faults are about pages of records, and strike nothing else.
	lists bool
	// later faults need a page before the one they strike, earlier ones a page behind it, rows faults a record on it.
	later, earlier, rows bool
}

// Lists says that the fault strikes nothing but pages of records.
func (k FaultKind) Lists() bool { return k.lists }

// SeveralPages says that the fault needs a page before or behind the one it strikes.
func (k FaultKind) SeveralPages() bool { return k.later || k.earlier }

// Faults lists every fault there is. The flag of the mock, the documentation and the tests go by this one table.
func Faults() []FaultKind { return slices.Clone(faultKinds) }

var faultKinds = []FaultKind{
	// The service has a bad day.
	{Name: "429", Text: "too many requests, with Retry-After"},
	{Name: "500", Text: "a server error"},
	{Name: "502", Text: "a gateway's page for people that says that the service is gone"},
	{Name: "503", Text: "maintenance, with Retry-After; on UpCloud in the older of its two error shapes"},
	{Name: "retry-after", Text: "too many requests, with a Retry-After of a year, of a date in a year, or of nonsense"},
	{Name: "401", Text: "the credential is refused", Remedy: Refuse},
	{Name: "clock-fast", Text: "the service's clock, which the header Date tells, is five minutes ahead", Remedy: Refuse},
	{Name: "clock-slow", Text: "the service's clock is five minutes behind", Remedy: Refuse},

	// The connection does.
	{Name: "reset", Text: "the connection is reset before the answer, or in the middle of it"},
	{Name: "cut", Text: "the connection is closed in the middle of an answer of no declared length; behind TLS without its end (close_notify)"},
	{Name: "truncate", Text: "the length of the whole body is declared, half of it is sent, the connection closes"},
	{Name: "truncate-silent", Text: "the answer ends cleanly in the middle of the JSON, chunked or delimited by the close"},
	{Name: "length-short", Text: "fewer bytes are declared than are sent"},
	{Name: "length-long", Text: "more bytes are declared than are sent, and all of the body is there"},
	{Name: "hang", Text: "no byte comes until the client leaves"},
	{Name: "hang-body", Text: "half of the body comes, and then no byte until the client leaves"},
	{Name: "drip", Text: "the answer comes in small pieces with pauses", Remedy: Accept},
	{Name: "1xx", Text: "a hundred interim answers (103) come before the answer", Remedy: Accept},

	// Something else answers.
	{Name: "html", Text: "status 200 with a login page", Remedy: Refuse},
	{Name: "empty", Text: "status 200 without a body"},
	{Name: "204", Text: "status 204, no content", Remedy: Refuse},
	{Name: "206", Text: "status 206 with a part of the answer that nobody asked for", Remedy: Refuse},
	{Name: "304", Text: "status 304, not modified, though nobody has a copy", Remedy: Refuse},
	{Name: "redirect", Text: "a redirect to the same host: to the same address or to a login page", Remedy: Refuse},
	{Name: "redirect-foreign", Text: "a redirect to another host", Remedy: Refuse},

	// The answer is not what it should be.
	{Name: "malformed", Text: "status 200 and the right length, but the JSON is broken in the middle"},
	{Name: "trailing", Text: "something follows the JSON: a comment, or the whole answer again"},
	{Name: "bom", Text: "a byte order mark precedes the JSON"},
	{Name: "utf-16", Text: "the answer is in UTF-16 and says so", Remedy: Refuse},
	{Name: "charset", Text: "the answer is in Latin-1 and says so, and names have letters that are not UTF-8", Remedy: Refuse, lists: true, rows: true},
	{Name: "deep", Text: "a hundred thousand arrays within each other, under a key that nobody knows"},
	{Name: "duplicate-keys", Text: "a key is there twice, with different values", Remedy: Refuse},
	{Name: "shape", Text: "status 200 with JSON of another shape", Remedy: Refuse},
	{Name: "bad-time", Text: "one record's time is no time", Remedy: Refuse, lists: true, rows: true},
	{Name: "bad-record", Text: "one record is null, a number, a text or a list", Remedy: Refuse, lists: true, rows: true},
	{Name: "huge", Text: "the answer has 60 MiB", Remedy: Refuse},
	{Name: "gzip-bomb", Text: "a small compressed answer becomes a gigabyte", Remedy: Refuse},
	{Name: "gzip-broken", Text: "the answer is said to be compressed and is not"},

	// The pages do not fit together.
	{Name: "repeat-page", Text: "the page before this one is served again: on UpCloud the rows of the offset before, on cloudscale the whole earlier body, with its `next`", Remedy: Reread, lists: true, later: true},
	{Name: "duplicate", Text: "what offset paging over a moving log does: a later page begins with the last row of the page before, which pushes its own last row out of sight", Remedy: Reread, Only: serviceUpCloud, lists: true, later: true},
	{Name: "short-page", Text: "a page has half of its records; on cloudscale `next` leads to the others", Remedy: Reread, lists: true, rows: true},
	{Name: "mixed-order", Text: "the records of a page are in no order", Remedy: Reread, lists: true, rows: true},
	{
		Name: "no-total", Text: "the header UpCloud-Total-Count is missing", Remedy: Refuse, Only: serviceUpCloud,
		lists: true,
	},
	{
		Name: "total-garbage", Text: "the header UpCloud-Total-Count is there and holds no count", Remedy: Refuse,
		Only: serviceUpCloud, lists: true,
	},
	{
		Name: "total-low", Text: "the total stops at the end of a page that is not the last", Remedy: Reread,
		Only: serviceUpCloud, lists: true, rows: true,
	},
	{
		Name: "total-high", Text: "the total counts one record more than there is", Remedy: Reread, Only: serviceUpCloud,
		lists: true,
	},
	{Name: "endless", Text: "pages never end: on UpCloud the total is a billion and rows come again, on cloudscale `next` always leads to yet another empty page", Remedy: Reread, lists: true},
	{Name: "no-filter", Text: "what the request asks for is ignored, and records of all times are served", Remedy: Reread, lists: true, rows: true},
	{Name: "rounded-seconds", Text: "the times in records are rounded to whole seconds, while filters compare the exact ones", Remedy: Accept, lists: true, rows: true},
	{
		Name: "next-relative", Text: "`next` and `poll_more` are relative", Remedy: Accept, Only: serviceCloudscale,
		lists: true, earlier: true,
	},
	{
		Name: "next-foreign", Text: "`next` and `poll_more` lead to another origin", Remedy: Refuse, Only: serviceCloudscale,
		lists: true, earlier: true,
	},
	{Name: "next-loop", Text: "`next` leads back to the page that has it", Only: serviceCloudscale, lists: true},
	{
		Name: "cursor-lost", Text: "the cursor of a later page is no longer known", Remedy: Reread, Only: serviceCloudscale,
		lists: true, later: true,
	},

	// The log moves.
	{Name: "grow", Text: "before a later page is served, a record joins the log: sometimes newer than everything, sometimes late, with a time inside the log (on cloudscale, whose order is that of the commits, late by at most two seconds)", Remedy: Reread, lists: true, later: true},
	{Name: "shrink", Text: "before a later page is served, a record leaves the log: on UpCloud one that was on an earlier page, so that the rest moves up, on cloudscale the first one behind the cursor", Remedy: Reread, lists: true, later: true, rows: true},
	{Name: "expire", Text: "before a later page is served, the oldest records leave the log: on UpCloud the oldest that match, on cloudscale all up to the cursor, that of the cursor included", Remedy: Reread, lists: true, later: true},
}

// FaultNames lists every fault there is.
func FaultNames() []string {
	names := make([]string, len(faultKinds))
	for i, k := range faultKinds {
		names[i] = k.Name
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
	ordinal map[string]uint64 // by service: requests so far that could have been struck
}

func newFaultState() faultState {
	return faultState{fired: map[string][]int{}, ordinal: map[string]uint64{}}
}

func (st *faultState) set(faults []Fault) {
	st.faults = slices.Clone(faults)
	for i := range st.faults {
		st.faults[i].Rate = cmp.Or(st.faults[i].Rate, DefaultFaultRate)
	}
	clear(st.fired)
}

// strike is one request and the fault that hits it, if any.
type strike struct {
	fault   string
	ordinal uint64
	seed    uint64
}

// variant picks one of n ways in which the fault shows.
func (s strike) variant(n uint64) uint64 { return draw(s.seed, s.fault+"/variant", s.ordinal) % n }

// steady is variant for faults that show in the same way every time.
func (s strike) steady(n uint64) uint64 { return draw(s.seed, s.fault+"/steady", 0) % n }

// next counts a request and picks its fault among those that the service can have and that can show on it.
func (st *faultState) next(seed uint64, service string, can func(FaultKind) bool) strike {
	st.ordinal[service]++
	hit := strike{ordinal: st.ordinal[service], seed: seed}
	if len(st.fired[service]) != len(st.faults) {
		st.fired[service] = make([]int, len(st.faults))
	}
	for i, f := range st.faults {
		kind := faultKinds[slices.IndexFunc(faultKinds, func(k FaultKind) bool { return k.Name == f.Name })]
		if kind.Only != "" && kind.Only != service || !can(kind) || f.Times > 0 && st.fired[service][i] >= f.Times {
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
