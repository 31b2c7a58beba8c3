// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// The labelled month: what happened in May, the two weeks before, and which of it
// is to be found. What is to be found is written down where it is planted, and
// never asked of the code under test.
var may = auditlog.Window{
	Start: time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC),
	End:   time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC),
}

// happening is an event of any cloud.
type happening struct {
	at   time.Time
	late time.Duration // how much later than at it came into the log
	op   auditlog.Operation
	// actor is nobody in particular where empty; token is an API token's id, which
	// only cloudscale shows.
	actor, token        string
	address, kind, name string
	sub                 *string // UpCloud's resource_sub_type
}

// incident is something planted that is to be found.
type incident struct {
	Rule  string            `json:"rule"`
	Group map[string]string `json:"group"`
	Count int64             `json:"count"`
	First string            `json:"first"`
	Last  string            `json:"last"`
}

// label is all that is to be found in one cloud's month.
type label struct {
	Expected       []finding.Expectation `json:"expected"`
	ExpectedCounts []int64               `json:"expected_counts"`
	NotEvaluable   []string              `json:"not_evaluable"`
	Incidents      []incident            `json:"incidents"`
}

// month is one cloud's month in the making.
type month struct {
	service string
	rng     *rand.Rand
	events  []happening
	label   label
}

const robotToken = "3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002"

// robot is who may delete: in PodStack's log, a display name could be anybody's.
func (m *month) robot() string {
	if m.service == auditlog.ServicePodStack {
		return "ci-deploy@example.com"
	}

	return "ci-deploy"
}

// makeMonth makes the same month every time.
func makeMonth(service string, seed uint64, noise int) *month {
	m := &month{service: service, rng: rand.New(rand.NewPCG(seed, 5))}

	robots := "ci-*"
	if service == auditlog.ServiceCloudscale {
		robots = robotToken // Anybody could describe a token as ci-deploy.
	}

	m.label.Expected = []finding.Expectation{
		{Actors: []string{robots}},
		{Actors: []string{m.who("nora")}, ResourceTypes: []string{"stor?ge"}},
	}
	if service != auditlog.ServiceUpCloud {
		m.label.Expected = append(m.label.Expected, finding.Expectation{ResourceNames: []string{"tmp/*"}})
	}

	m.label.ExpectedCounts = make([]int64, len(m.label.Expected))

	m.noise(noise)
	m.bursts(auditlog.OperationDelete, finding.RuleMassDeletion, 10, 10*time.Minute, "")
	m.expected()

	switch service {
	case auditlog.ServiceUpCloud:
		m.label.NotEvaluable = []string{finding.RuleRepeatedFailedLogins}
	case auditlog.ServiceCloudscale:
		m.label.NotEvaluable = []string{
			finding.RuleRepeatedFailedLogins, finding.RulePermissionChange,
			finding.RuleNewAPIToken, finding.RuleLoginFromNewAddress,
		}
		m.nameless()
	case auditlog.ServicePodStack:
		m.bursts(auditlog.OperationLoginFailed, finding.RuleRepeatedFailedLogins, 5, 10*time.Minute, "guess-")
	}

	if service != auditlog.ServiceCloudscale {
		m.permissions()
		m.tokens()
		m.logins()
	}

	slices.SortStableFunc(m.events, func(a, b happening) int { return a.at.Add(a.late).Compare(b.at.Add(b.late)) })
	slices.SortFunc(m.label.Incidents, func(a, b incident) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.First, b.First),
			cmp.Compare(a.Group["actor"], b.Group["actor"]), cmp.Compare(a.Group["ip_address"], b.Group["ip_address"]))
	})

	return m
}

// who returns a name as the cloud shows it.
func (m *month) who(name string) string {
	if m.service == auditlog.ServiceUpCloud {
		return name
	}

	return name + "@example.com"
}

func (m *month) add(h happening) {
	h.kind = cmp.Or(h.kind, "server")
	h.name = cmp.Or(h.name, fmt.Sprint("web-", m.rng.IntN(500)))
	h.address = cmp.Or(h.address, "192.0.2.1")
	m.events = append(m.events, h)
}

func (m *month) find(rule string, group map[string]string, count int, first, last time.Time) {
	m.label.Incidents = append(m.label.Incidents,
		incident{rule, group, int64(count), auditlog.FormatTime(first), auditlog.FormatTime(last)})
}

// anytime is a moment of the month at microseconds.
func (m *month) anytime() time.Time {
	return may.Start.Add(time.Duration(m.rng.Int64N(int64(may.End.Sub(may.Start)/time.Microsecond))) * time.Microsecond)
}

// staff are people about whom nothing is to be found, and where they log in from.
var staff = map[string][]string{
	"mia": {"198.51.100.23", "2001:db8:10::23"}, "jonas": {"203.0.113.8"}, "zoë": {"2001:db8:20:1::5"},
	"葵": {"192.0.2.77"},
}

// noise is a month in which there is nothing to find: deletions only by CI, logins
// only from where people logged in before, failed ones too far apart.
func (m *month) noise(n int) {
	people := []string{"mia", "jonas", "zoë", "葵"}

	for _, name := range people {
		for i, address := range staff[name] {
			m.add(happening{
				at: may.Start.AddDate(0, 0, -1-3*i), op: "login", actor: m.who(name), address: address,
				kind: "auth",
			})
		}
	}

	operations := []auditlog.Operation{
		"create", "update", "update", "start", "stop", "attach", "detach", "login",
		"logout", "read",
	}
	kinds := []string{"server", "storage", "network", "uks"}

	for range n {
		name := people[m.rng.IntN(len(people))]
		h := happening{
			at: m.anytime(), op: operations[m.rng.IntN(len(operations))], actor: m.who(name),
			kind:    kinds[m.rng.IntN(len(kinds))],
			address: staff[name][m.rng.IntN(len(staff[name]))],
		}

		// The log is in the order of commits, which overtake each other.
		if m.rng.IntN(10) == 0 {
			h.late = time.Duration(m.rng.Int64N(int64(4 * time.Second))).Truncate(time.Microsecond)
		}

		switch m.rng.IntN(12) {
		case 0:
			h.op, h.actor, h.token, h.address = "delete", m.robot(), robotToken, "203.0.113.200"
			m.label.ExpectedCounts[0]++
		case 1:
			// Like a new token, but none.
			h.kind, h.sub = "server", new("")
		case 2:
			h.kind, h.op, h.sub = "auth", "logout", new("session-api-token")
		}

		m.add(h)
	}

	if m.service == auditlog.ServicePodStack {
		for at := may.Start; at.Before(may.End); at = at.Add(time.Duration(151+m.rng.IntN(40)) * time.Second * 10) {
			m.add(happening{at: at, op: "login_failed", actor: m.who("jonas")})
		}
	}
}

// bursts plants a rule's bursts on both sides of every edge, each by somebody else.
func (m *month) bursts(op auditlog.Operation, rule string, threshold int, within time.Duration, prefix string) {
	// plant adds the events, all of whose times that lie in the window count, and
	// found says how many of them are bursts, in order.
	plant := func(name string, h happening, times []time.Time, found ...int) {
		h.op, h.actor = op, m.who(prefix+name)

		for _, h.at = range times {
			m.add(h)
		}

		inside := slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool { return !may.Contains(at) })
		slices.SortFunc(inside, time.Time.Compare)

		group := map[string]string{"actor": h.actor}
		if op == auditlog.OperationDelete {
			m.find(finding.RuleDeletion, group, len(inside), inside[0], inside[len(inside)-1])
		}

		for _, n := range found {
			m.find(rule, group, n, inside[0], inside[n-1])
			inside = inside[n:]
		}
	}

	// every returns n times, one each step.
	every := func(from time.Time, n int, step time.Duration) []time.Time {
		times := make([]time.Time, n)
		for i := range times {
			times[i] = from.Add(time.Duration(i) * step)
		}

		return times
	}

	// spread returns n times that are as far apart as given from the first to the last.
	spread := func(from time.Time, n int, length time.Duration) []time.Time {
		times := every(from, n, (length / time.Duration(n)).Truncate(time.Microsecond))
		times[n-1] = from.Add(length)

		return times
	}

	on := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.May, day, hour, minute, 0, 0, time.UTC)
	}
	k := threshold

	plant("one-below", happening{}, every(on(2, 10, 0), k-1, time.Second))
	plant("at-threshold", happening{}, every(on(3, 10, 0), k, time.Second), k)
	plant("just-within", happening{}, spread(on(4, 10, 0), k, within-time.Microsecond), k)
	plant("just-not-within", happening{}, spread(on(5, 10, 0), k, within))
	plant("midnight", happening{}, every(on(6, 23, 58), k+2, 30*time.Second), k+2)
	plant("pages", happening{}, every(on(8, 9, 0), 250, time.Second), 250)
	plant("one-instant", happening{}, every(on(9, 9, 0), k, 0), k)
	plant("one-instant-below", happening{}, every(on(9, 9, 0), k-1, 0))
	plant("interleaved", happening{}, every(on(10, 9, 0), k, 20*time.Second), k)
	plant("interleaved-below", happening{}, every(on(10, 9, 0).Add(10*time.Second), k-1, 20*time.Second))
	plant("chain", happening{}, every(on(11, 9, 0), 3*k, within/time.Duration(k)), 3*k)
	plant("twice", happening{}, slices.Concat(every(on(12, 9, 0), k, time.Second), every(on(12, 9, 15), k+1, time.Second)),
		k, k+1)
	plant("window-begins", happening{},
		slices.Concat(every(may.Start.Add(-time.Microsecond), 1, 0), every(may.Start, k, time.Second)), k)
	plant("window-begins-below", happening{},
		slices.Concat(every(may.Start.Add(-time.Microsecond), 1, 0), every(may.Start, k-1, time.Second)))
	plant("window-ends", happening{}, slices.Concat(every(may.End.Add(-time.Microsecond), k, 0), every(may.End, 3, 0)), k)
	plant("window-ends-below", happening{},
		slices.Concat(every(may.End.Add(-time.Microsecond), k-1, 0), every(may.End, 3, 0)))

	// The log shows the earliest ones last.
	late := every(on(13, 9, 0), k, 400*time.Millisecond)
	plant("overtaken", happening{late: 3 * time.Second}, late[:k/2])
	m.label.Incidents = slices.DeleteFunc(m.label.Incidents,
		func(i incident) bool { return strings.HasPrefix(i.Group["actor"], prefix+"overtaken") })
	plant("overtaken", happening{}, late[k/2:])
	m.label.Incidents = slices.DeleteFunc(m.label.Incidents,
		func(i incident) bool { return strings.HasPrefix(i.Group["actor"], prefix+"overtaken") })

	group := map[string]string{"actor": m.who(prefix + "overtaken")}
	m.find(rule, group, k, late[0], late[k-1])

	if op == auditlog.OperationDelete {
		m.find(finding.RuleDeletion, group, k, late[0], late[k-1])
	}
}

// expected plants deletions that are supposed to happen, some of them beside ones
// that are not.
func (m *month) expected() {
	at := time.Date(2026, time.May, 20, 15, 0, 0, 0, time.UTC)

	for i := range 40 {
		m.add(happening{at: at.Add(time.Duration(i) * time.Second), op: "delete", actor: m.robot(), token: robotToken})
		m.label.ExpectedCounts[0]++
	}

	// Nora may delete storage. What else she deletes is one too few for a burst.
	for i := range 15 {
		h := happening{at: at.Add(time.Duration(i) * time.Second), op: "delete", actor: m.who("nora"), kind: "server"}
		if i%5 < 2 {
			h.kind = "storage"
			m.label.ExpectedCounts[1]++
		}

		m.add(h)
	}

	m.find(finding.RuleDeletion, map[string]string{"actor": m.who("nora")}, 9, at.Add(2*time.Second),
		at.Add(14*time.Second))

	if m.service == auditlog.ServiceUpCloud {
		return // It shows no names.
	}

	for i := range 12 {
		m.add(happening{
			at: at.Add(time.Duration(i) * time.Minute), op: "delete", actor: m.who("olaf"),
			name: fmt.Sprint("tmp/build/", i),
		})
		m.label.ExpectedCounts[2]++
	}

	// Names are compared with their case.
	m.add(happening{at: at, op: "delete", actor: m.who("olaf"), name: "TMP/build"})
	m.find(finding.RuleDeletion, map[string]string{"actor": m.who("olaf")}, 1, at, at)
}

// nameless plants two tokens without a description: they are not the same actor.
func (m *month) nameless() {
	at := time.Date(2026, time.May, 21, 15, 0, 0, 0, time.UTC)
	one, two := "5c1f7a10-0000-4000-8000-000000000001", "5c1f7a10-0000-4000-8000-000000000002"

	for i := range 10 {
		m.add(happening{at: at.Add(time.Duration(i) * time.Second), op: "delete", token: one})

		if i < 9 {
			m.add(happening{at: at.Add(time.Duration(i) * time.Second), op: "delete", token: two})
		}
	}

	m.find(finding.RuleDeletion, map[string]string{"actor": one}, 10, at, at.Add(9*time.Second))
	m.find(finding.RuleMassDeletion, map[string]string{"actor": one}, 10, at, at.Add(9*time.Second))
	m.find(finding.RuleDeletion, map[string]string{"actor": two}, 9, at, at.Add(8*time.Second))

	// Tasks of the cloud itself have neither.
	m.add(happening{at: at, op: "delete"})
	m.find(finding.RuleDeletion, map[string]string{"actor": "system"}, 1, at, at)
}

func (m *month) permissions() {
	at := time.Date(2026, time.May, 22, 3, 0, 0, 0, time.UTC)

	for i, name := range []string{"root", "root", "admin"} {
		m.add(happening{at: at.Add(time.Duration(i) * 48 * time.Hour), op: "grant", actor: m.who(name), kind: "account"})
	}

	m.find(finding.RulePermissionChange, map[string]string{"actor": m.who("root")}, 2, at, at.Add(48*time.Hour))
	m.find(finding.RulePermissionChange, map[string]string{"actor": m.who("admin")}, 1, at.Add(96*time.Hour),
		at.Add(96*time.Hour))

	if m.service == auditlog.ServicePodStack {
		m.add(happening{at: at, op: "revoke", actor: m.who("remover"), kind: "member"})
		m.find(finding.RulePermissionChange, map[string]string{"actor": m.who("remover")}, 1, at, at)
	}

	// Neither is in the window.
	m.add(happening{at: may.Start.Add(-time.Microsecond), op: "grant", actor: m.who("early"), kind: "account"})
	m.add(happening{at: may.End, op: "grant", actor: m.who("late"), kind: "account"})
}

func (m *month) tokens() {
	at := time.Date(2026, time.May, 23, 3, 0, 0, 0, time.UTC)

	plants := map[string]happening{
		"token-gui": {kind: "auth", sub: new("session-api-token")},
		"token-sub": {kind: "auth", sub: new("subaccount-api-token")}, "token-type": {kind: "api-token"},
	}
	for _, name := range []string{"token-gui", "token-sub", "token-type"} {
		h := plants[name]
		if m.service == auditlog.ServicePodStack {
			h = happening{kind: "token"}
		}

		h.at, h.op, h.actor = at, "create", m.who(name)
		m.add(h)
		m.find(finding.RuleNewAPIToken, map[string]string{"actor": m.who(name)}, 1, at, at)
	}

	m.add(happening{at: at, op: "create", actor: m.who("key"), kind: "ssh-key"})
	m.add(happening{at: at, op: "update", actor: m.who("updater"), kind: "auth", sub: new("session-api-token")})
}

func (m *month) logins() {
	at := time.Date(2026, time.May, 24, 3, 0, 0, 0, time.UTC)

	login := func(at time.Time, name, address string) {
		m.add(happening{at: at, op: "login", actor: m.who(name), address: address, kind: "auth"})
	}
	find := func(name, address string, count int, last time.Time) {
		m.find(finding.RuleLoginFromNewAddress, map[string]string{"actor": m.who(name), "ip_address": address}, count, at,
			last)
	}

	// From a new address, twice.
	login(at, "mia", "203.0.113.66")
	login(at.Add(time.Hour), "mia", "203.0.113.66")
	find("mia", "203.0.113.66", 2, at.Add(time.Hour))

	// From where only somebody else logged in before.
	login(at, "jonas", "198.51.100.23")
	find("jonas", "198.51.100.23", 1, at)

	// For the first time ever.
	login(at, "newcomer", "203.0.113.67")
	find("newcomer", "203.0.113.67", 1, at)

	// From where they logged in before, spelled otherwise.
	login(at, "mia", "2001:DB8:10:0:0::23")
	login(at, "jonas", "::ffff:203.0.113.8")

	// From an address that is new in two spellings.
	login(at, "zoë", "2001:db8:66::1")
	login(at.Add(time.Hour), "zoë", "2001:0db8:0066:0000::0001")
	find("zoë", "2001:db8:66::1", 2, at.Add(time.Hour))

	// From an address that is masked, as it was before.
	login(may.Start.AddDate(0, 0, -2), "masked", "203.0.113.xxx")
	login(at, "masked", "203.0.113.xxx")
	find("masked", "203.0.113.xxx", 1, at)

	// From addresses that were last seen at the very beginning of the baseline, and
	// just before it.
	login(may.Start.AddDate(0, 0, -14), "fortnight", "203.0.113.68")
	login(may.Start.AddDate(0, 0, -14).Add(-time.Microsecond), "longer", "203.0.113.69")
	login(at, "fortnight", "203.0.113.68")
	login(at, "longer", "203.0.113.69")
	find("longer", "203.0.113.69", 1, at)

	// The window itself makes nothing familiar.
	login(may.Start, "first-instant", "203.0.113.70")
	m.find(finding.RuleLoginFromNewAddress,
		map[string]string{"actor": m.who("first-instant"), "ip_address": "203.0.113.70"}, 1, may.Start, may.Start)
}

// record returns the event as the cloud shows it: a line of a file that the fakes
// load, or, for PodStack, an entry.
func (m *month) record(h happening, number int) ([]byte, error) {
	switch m.service {
	case auditlog.ServiceUpCloud:
		return json.Marshal(map[string]any{"service": m.service, "record": m.upcloud(h, number)})
	case auditlog.ServiceCloudscale:
		return json.Marshal(map[string]any{"service": m.service, "record": m.cloudscale(h)})
	default:
		return json.Marshal(m.podstack(h, number))
	}
}

func (m *month) upcloud(h happening, number int) map[string]any {
	action := string(h.op)
	if h.op == auditlog.OperationGrant {
		action = "access-granted"
	}

	r := map[string]any{
		"time": h.at.Format(time.RFC3339Nano), "auth_type": "api", "origin": "api",
		// Ids are in no order of time.
		"cloud_event_id":         fmt.Sprintf("01HZ%012d%010d", m.rng.Int64N(1e12), number),
		"upcloud_correlation_id": fmt.Sprint("c-", number),
		"resource_type":          h.kind, "action": action, "account_username": h.actor, "ip_address": h.address,
		"resource_id": h.name,
	}

	switch {
	case h.sub != nil && *h.sub == "":
		r["resource_sub_type"] = nil
	case h.sub != nil:
		r["resource_sub_type"] = *h.sub
	}

	return r
}

func (m *month) cloudscale(h happening) map[string]any {
	actor := map[string]any{"user": map[string]any{"email": h.actor}}

	switch {
	case h.token != "" && h.actor != "":
		actor = map[string]any{"api_token": map[string]any{"uuid": h.token, "description": h.actor}}
	case h.token != "":
		actor = map[string]any{"api_token": map[string]any{"uuid": h.token, "description": nil}}
	case h.actor == "":
		actor = map[string]any{"system": map[string]any{}}
	}

	return map[string]any{
		"timestamp": auditlog.FormatTime(h.at), "action": h.kind + "_" + string(h.op), "actor": actor,
		"ip_address": h.address,
		"message":    fmt.Sprintf("Thing '%s' has been handled", h.name),
	}
}

// podstackActions spells operations as PodStack's documentation does, where it
// lists them.
var podstackActions = map[auditlog.Operation]string{
	"create": "Create", "update": "Update", "delete": "Delete", "start": "Start", "stop": "Stop", "login": "Login",
	"logout":       "Logout",
	"login_failed": "Login Failed", "grant": "Permissions Changed", "revoke": "Member Removed",
}

func (m *month) podstack(h happening, number int) map[string]any {
	action := cmp.Or(podstackActions[h.op], "View")
	if h.kind == "token" {
		action = "Token Created"
	}

	return map[string]any{
		"id": fmt.Sprintf("P%05d-%d", m.rng.IntN(1e5), number), "time": auditlog.FormatTime(h.at), "service": m.service,
		"action": action, "operation": h.op,
		"actor_type": "user", "actor": h.actor, "resource_type": h.kind, "resource_name": h.name, "ip_address": h.address,
	}
}
