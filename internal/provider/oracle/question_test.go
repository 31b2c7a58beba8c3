// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// question is what both the product and the oracle are asked: the arguments of
// audit_logs, or of audit_log_findings where there are rules.
type question struct {
	service string

	last, start, end, settleDelay string

	actions, operations, resourceTypes, resourceIDs, actors, origins, ipAddresses []string
	search                                                                        string
	where                                                                         *expr

	// Of audit_logs.
	order, onOverflow  string
	maxEntries         int
	noEntries, withRaw bool

	// Of audit_log_findings.
	verdict     bool
	builtins    []string // nil for all of them
	rules       []rule
	expected    []expectation
	baseline    string
	maxFindings int
}

// lists are the arguments that are lists, with the fields that they look into.
func (q *question) lists() []listArgument {
	return []listArgument{
		{"actions", &q.actions, []string{"action"}},
		{"operations", &q.operations, []string{"operation"}},
		{"resource_types", &q.resourceTypes, []string{"resource_type"}},
		{"resource_ids", &q.resourceIDs, []string{"resource_id"}},
		{"actors", &q.actors, []string{"actor", "actor_id"}},
		{"origins", &q.origins, []string{"origin"}},
		{"ip_addresses", &q.ipAddresses, []string{"ip_address"}},
	}
}

type listArgument struct {
	name   string
	values *[]string
	fields []string
}

// window is [start, end): relative ones end now, and so does one that would end
// later; the newest settle_delay is not read.
//
// It is read up to the whole second that the service's clock shows.
func (q *question) window(now time.Time) (start, end time.Time) {
	start, end = q.asked(now)

	if theirs := now.Truncate(time.Second).Add(-span(q.settleDelay)); decided[serviceNow] && theirs.Before(end) {
		end = theirs.UTC()
	}

	return start, end
}

// asked is the window without regard to the service's clock.
func (q *question) asked(now time.Time) (start, end time.Time) {
	end = now.Add(-span(q.settleDelay))

	if q.end != "" {
		if given, _ := time.Parse(time.RFC3339, q.end); given.Before(end) {
			end = given
		}
	}

	switch {
	case q.start != "":
		start, _ = time.Parse(time.RFC3339, q.start)
	case q.last != "":
		start = end.Add(-span(q.last))
	default:
		start = end.Add(-24 * time.Hour)
	}

	return start.UTC(), end.UTC()
}

// span reads a length of time such as 30m or 7d; "" is none.
func span(text string) time.Duration {
	if text == "" {
		return 0
	}

	n, err := strconv.Atoi(text[:len(text)-1])
	must(err)

	return time.Duration(n) * map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[text[len(text)-1]]
}

// passes says whether an event passes every filter, the window and the condition
// aside.
func (q *question) passes(e *event) bool {
	for _, l := range q.lists() {
		if len(*l.values) == 0 {
			continue
		}

		found := false

		for _, f := range l.fields {
			for _, v := range *l.values {
				switch {
				case l.name == "ip_addresses":
					found = found || within(e.text[f], []string{v})
				case e.text[f] != "" && name(e.text[f]) == name(v):
					found = true
				}
			}
		}

		if !found {
			return false
		}
	}

	if q.search == "" {
		return true
	}

	for _, f := range []string{"id", "actor", "resource_id", "resource_name", "ip_address", "action", "message"} {
		if strings.Contains(fold(e.text[f]), fold(q.search)) {
			return true
		}
	}

	return false
}

// answers lists the events that answer the question, in order. It fails where the
// condition fails on any event that the filters let through.
func (q *question) answers(events []*event, start, end time.Time) ([]*event, error) {
	var all []*event

	for _, e := range inOrder(events) {
		if e.at.Before(start) || !e.at.Before(end) || !q.passes(e) {
			continue
		}

		if q.where != nil {
			ok, err := q.where.truth(scope{entry: e})
			if err != nil {
				return nil, err
			}

			if !ok {
				continue
			}
		}

		all = append(all, e)
	}

	return all, nil
}

// question draws what is asked.
func (d *draw) question(verdict bool) *question {
	q := &question{service: d.service, verdict: verdict}
	d.target = d.any()
	d.window(q)

	// Few filters let something through, many are for their combination.
	for range []int{0, 0, 0, 1, 1, 1, 2, 3}[d.IntN(8)] {
		d.filter(q)
	}

	if d.chance(map[bool]int{true: 25, false: 45}[verdict]) {
		q.where = d.condition(d.IntN(4))
	}

	if verdict {
		d.verdict(q)
	} else {
		d.shape(q)
	}

	return q
}

func (d *draw) filter(q *question) {
	all := q.lists()

	switch i := d.IntN(9); {
	case i >= 7:
		f := []string{
			"id", "actor", "actor", "resource_id", "resource_name", "ip_address", "action", "message",
			"origin",
		}[d.IntN(9)]
		q.search = terraform(d.otherCase(d.part(d.near(f))))

		if d.chance(30) {
			q.search = terraform(d.otherCase(one(d.Rand, special)))
		}
	case all[i].name == "ip_addresses":
		q.ipAddresses = d.addresses(1 + d.IntN(2))
	case all[i].name == "operations":
		q.operations = []string{d.target.text["operation"]}
		if d.chance(40) {
			q.operations = append(q.operations, operations[d.IntN(len(operations))])
		}
	case slices.Contains(never[d.service], all[i].fields[0]) && !d.chance(5):
		// Refused, which a few questions are enough for.
	default:
		*all[i].values = d.some(all[i].fields[d.IntN(len(all[i].fields))])
	}
}

func (d *draw) window(q *question) {
	switch d.IntN(10) {
	case 0:
		q.last = []string{"1h", "24h", "7d", "30d", "30s", "45m"}[d.IntN(6)]
	case 1: // The last day.
	case 2, 3: // Everything.
		q.start = d.now.Add(-31 * 24 * time.Hour).Format(time.RFC3339)
	default:
		a, b := d.moment(), d.moment()
		if b.Before(a) {
			a, b = b, a
		}

		if a.Equal(b) {
			b = b.Add(time.Microsecond)
		}

		q.start, q.end = a.Format(time.RFC3339Nano), b.In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)

		if d.chance(15) {
			q.settleDelay = []string{"1m", "1h"}[d.IntN(2)]
		}
	}
}

// shape draws how the answer is to look.
func (d *draw) shape(q *question) {
	if d.chance(40) {
		q.order = []string{"oldest_first", "newest_first"}[d.IntN(2)]
	}

	if d.chance(15) {
		q.maxEntries = []int{1, 3, 20}[d.IntN(3)]
		q.onOverflow = []string{"", "error", "keep_newest", "keep_newest"}[d.IntN(4)]
	}

	q.noEntries = d.chance(25)
	q.withRaw = d.chance(25)
}

// arguments are the question as a configuration has it.
func (q *question) arguments() map[string]any {
	args := map[string]any{"service": q.service}

	set := func(name, value string) {
		if value != "" {
			args[name] = value
		}
	}

	for _, l := range q.lists() {
		if len(*l.values) > 0 {
			args[l.name] = *l.values
		}
	}

	set("last", q.last)
	set("start", q.start)
	set("end", q.end)
	set("settle_delay", q.settleDelay)
	set("search", q.search)

	if q.where != nil {
		set("where", q.where.text)
	}

	if q.verdict {
		q.verdictArguments(args)

		return args
	}

	set("order", q.order)
	set("on_overflow", q.onOverflow)

	if q.maxEntries > 0 {
		args["max_entries"] = q.maxEntries
	}

	if q.noEntries {
		args["include_entries"] = false
	}

	if q.withRaw {
		args["include_raw"] = true
	}

	return args
}
