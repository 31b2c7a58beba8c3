// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// rule is one of a user's own, or one that is built in.
type rule struct {
	name      string
	where     *expr
	threshold int
	within    string // "" for the whole window
	groupBy   []string
	severity  string
	message   string
}

func (r *rule) actualSeverity() string { return cmp.Or(r.severity, "medium") }

// expectation is one element of expected.
type expectation struct{ rules, actors, resourceTypes, resourceNames []string }

// conditionFunc is a condition that is not written in CEL.
func conditionFunc(f func(e *event) bool) *expr {
	return &expr{eval: func(s scope) (any, error) { return f(s.entry), nil }}
}

const newAddress = "login_from_new_address"

// builtins are the rules of the page "audit_log_findings".
func builtins() []rule {
	operation := func(wanted ...string) *expr {
		return conditionFunc(func(e *event) bool { return slices.Contains(wanted, e.text["operation"]) })
	}
	token := func(s string) bool { return strings.Contains(ascii(s, 'A', 'Z', 'a'-'A'), "token") }

	return []rule{
		{name: "deletion", where: operation("delete"), threshold: 1, groupBy: []string{"actor"}},
		{
			name: "mass_deletion", where: operation("delete"), threshold: 10, within: "10m", groupBy: []string{"actor"},
			severity: "high",
		},
		{
			name: "repeated_failed_logins", where: operation("login_failed"), threshold: 5, within: "10m",
			groupBy: []string{"actor"}, severity: "high",
		},
		{name: "permission_change", where: operation("grant", "revoke"), threshold: 1, groupBy: []string{"actor"}},
		{name: "new_api_token", threshold: 1, groupBy: []string{"actor"}, where: conditionFunc(func(e *event) bool {
			kind, _ := e.raw["resource_sub_type"].(string)

			return e.text["operation"] == "create" &&
				(token(e.text["action"]) || token(e.text["resource_type"]) || strings.Contains(kind, "token"))
		})},
		{name: newAddress, where: operation("login"), threshold: 1, groupBy: []string{"actor", "ip_address"}},
	}
}

// impossible are the built-in rules that cannot find anything in a service's log,
// as the page's table says.
var impossible = map[string][]string{
	upcloud:    {"repeated_failed_logins"},
	cloudscale: {"repeated_failed_logins", "permission_change", "new_api_token", newAddress},
}

// found is a finding.
type found struct {
	rule, severity, message string
	group                   map[string]string
	events                  []*event
}

func (f *found) first() time.Time { return f.events[0].at }

var severities = []string{"critical", "high", "medium", "low", "info"}

func (f *found) rank() int { return slices.Index(severities, f.severity) }

// recount counts the rule's entries: every one is compared with every other.
func (r *rule) recount(service string, hits []*event) []found {
	var all []found

	hits = inOrder(hits)
	group := make([]map[string]string, len(hits))
	// chain[i] is the first of the entries that the ith is in one finding with, -1
	// where it is in none.
	chain := make([]int, len(hits))

	for i, e := range hits {
		group[i], chain[i] = r.groupOf(service, e), -1
	}

	for i := range hits {
		var burst []int

		for j := i; j < len(hits); j++ {
			near := r.within == "" || hits[j].at.Sub(hits[i].at) < span(r.within)
			if near && alike(group[i], group[j]) {
				burst = append(burst, j)
			}
		}

		if len(burst) < r.threshold {
			continue
		}

		// All of it is one finding, with whatever one of it is in already.
		first := i
		for _, j := range burst {
			if chain[j] >= 0 {
				first = min(first, chain[j])
			}
		}

		for _, j := range burst {
			chain[j] = first
		}
	}

	for i := range hits {
		if chain[i] != i {
			continue
		}

		f := found{rule: r.name, severity: r.actualSeverity(), message: r.message, group: group[i]}

		for j := range hits {
			if chain[j] == i {
				f.events = append(f.events, hits[j])
			}
		}

		all = append(all, f)
	}

	return all
}

func alike(a, b map[string]string) bool {
	for key := range a {
		if a[key] != b[key] {
			return false
		}
	}

	return true
}

// groupOf is what an entry is grouped by.
func (r *rule) groupOf(service string, e *event) map[string]string {
	group := map[string]string{}

	for _, f := range r.groupBy {
		switch {
		case decided[groupFallback] && slices.Contains(never[service], f):
		case f == "actor":
			group[f] = e.actorKey()
		case f == "ip_address":
			group[f] = addressKey(e.text[f])
		default:
			group[f] = name(e.text[f])
		}
	}

	return group
}

// addressKey is an address as a number, else the text that stands for it.
func addressKey(text string) string {
	if a, ok := address(text); ok {
		return a.String()
	}

	return name(text)
}

// meets says whether an entry is what the expectation expects.
func (x *expectation) meets(e *event) bool {
	fits := func(patterns []string, texts ...string) bool {
		for _, p := range patterns {
			for _, text := range texts {
				if text != "" && holds(p, text) {
					return true
				}
			}
		}

		return len(patterns) == 0
	}

	who := []string{e.text["actor"], e.text["actor_id"]}
	if decided[uniqueNames] && e.text["actor_type"] == "api_token" {
		who = who[1:]
	}

	return fits(x.actors, who...) && fits(x.resourceTypes, e.text["resource_type"]) &&
		fits(x.resourceNames, e.text["resource_name"])
}

// about says whether the expectation is about the rule.
func (x *expectation) about(r *rule) bool {
	if len(x.rules) == 0 {
		return r.name == "deletion" || r.name == "mass_deletion"
	}

	return slices.Contains(x.rules, r.name)
}

// applied are the rules that the question asks for.
func (q *question) applied() []rule {
	var all []rule

	for _, r := range builtins() {
		if q.builtins == nil || slices.Contains(q.builtins, r.name) {
			all = append(all, r)
		}
	}

	for _, r := range q.rules {
		r.threshold = max(r.threshold, 1)
		all = append(all, r)
	}

	return all
}

// sound says whether there are rules, and whether each expectation is about rules
// that there are.
func (q *question) sound() bool {
	rules := q.applied()

	for _, x := range q.expected {
		if !slices.ContainsFunc(rules, func(r rule) bool { return x.about(&r) }) {
			return false
		}

		for _, name := range x.rules {
			if !slices.ContainsFunc(rules, func(r rule) bool { return r.name == name }) {
				return false
			}
		}
	}

	return !q.verdict || len(rules) > 0
}

// newLogins lists the logins that login_from_new_address is about: those from an
// address that the actor had not logged in from in the baseline.
func newLogins(logins, baseline []*event) []*event {
	var all []*event

	for _, e := range logins {
		isKnown := false

		for _, before := range baseline {
			_, placed := address(before.text["ip_address"])
			nobody := before.text["actor"] == "" && before.text["actor_id"] == ""

			isKnown = isKnown || placed && !nobody &&
				addressKey(before.text["ip_address"]) == addressKey(e.text["ip_address"]) &&
				before.text["actor_type"] == e.text["actor_type"] && before.text["actor_id"] == e.text["actor_id"] &&
				name(before.text["actor"]) == name(e.text["actor"])
		}

		if !isKnown {
			all = append(all, e)
		}
	}

	return all
}

// verdict draws rules.
func (d *draw) verdict(q *question) {
	all := builtins()

	switch d.IntN(4) {
	case 0: // All of them.
	case 1:
		q.builtins = []string{}
	default:
		q.builtins = []string{}

		for _, r := range all {
			if d.IntN(2) == 0 {
				q.builtins = append(q.builtins, r.name)
			}
		}
	}

	for i := range d.IntN(4) {
		q.rules = append(q.rules, d.rule(fmt.Sprintf("own_%d", i)))
	}

	if q.builtins != nil && len(q.builtins)+len(q.rules) == 0 {
		q.rules = []rule{d.rule("own")}
	}

	for range []int{0, 1, 1, 1, 2}[d.IntN(5)] {
		if x, ok := d.expectation(q); ok {
			q.expected = append(q.expected, x)
		}
	}

	if d.chance(30) {
		q.baseline = []string{"1d", "1h", "14d", "30d", "10m"}[d.IntN(5)]
	}

	if d.chance(20) {
		q.maxFindings = []int{1, 3, 10}[d.IntN(3)]
	}
}

func (d *draw) rule(name string) rule {
	d.target = d.any()

	r := rule{name: name, threshold: []int{0, 1, 1, 2, 2, 3, 5}[d.IntN(7)]}
	if r.where = d.condition(d.IntN(3)); d.chance(40) {
		op := d.target.text["operation"]
		r.where = &expr{text: "entry.operation == " + d.quote(op), eval: func(s scope) (any, error) { return s.entry.text["operation"] == op, nil }}
	}

	if d.chance(60) {
		r.within = []string{"30s", "1m", "2m", "5m", "10m", "1h", "1d"}[d.IntN(7)]
	}

	if d.chance(25) {
		r.within = d.distance(&r)
	}

	fields := []string{
		"actor", "ip_address", "resource_type", "action", "actor_id", "resource_id", "scope_name",
		"actor_type", "origin", "service", "operation", "message",
	}
	for range d.IntN(3) {
		f := fields[d.IntN(len(fields))]

		switch d.IntN(5) {
		case 0, 1:
			f = "actor"
		case 2:
			f = "ip_address"
		}

		if lacks := slices.Contains(never[d.service], f); !slices.Contains(r.groupBy, f) && (!lacks || d.chance(40)) {
			r.groupBy = append(r.groupBy, f)
		}
	}

	if d.chance(50) {
		r.severity = severities[d.IntN(len(severities))]
	}

	if d.chance(50) {
		r.message = "Look at this: " + name
	}

	return r
}

// distance is how far two events lie apart that count for the rule, so that it ends
// a span right at an event; "" where that is no length that can be written.
func (d *draw) distance(r *rule) string {
	for range 40 {
		a, b := d.any(), d.any()
		x, errX := r.where.truth(scope{entry: a})
		y, errY := r.where.truth(scope{entry: b})

		if apart := b.at.Sub(a.at); x && y && errX == nil && errY == nil && apart > 0 && apart <= time.Hour &&
			apart%time.Second == 0 {
			return fmt.Sprintf("%ds", apart/time.Second)
		}
	}

	return ""
}

func (d *draw) expectation(q *question) (expectation, bool) {
	var x expectation

	names := make([]string, 0, 8)
	for _, r := range q.applied() {
		names = append(names, r.name)
	}

	if deletes := slices.Contains(names, "deletion") || slices.Contains(names, "mass_deletion"); !deletes || d.chance(50) {
		for range 1 + d.IntN(2) {
			if r := names[d.IntN(len(names))]; !slices.Contains(x.rules, r) {
				x.rules = append(x.rules, r)
			}
		}
	}

	d.target = d.countedBy(q, &x)

	switch d.IntN(6) {
	case 0, 1, 2:
		x.actors = d.globs("actor", "actor", "actor_id")
	case 3:
		x.resourceTypes = d.globs("resource_type")
	case 4:
		x.actors, x.resourceTypes = d.globs("actor", "actor", "actor_id"), d.globs("resource_type")
	case 5:
		if x.resourceNames = d.globs("resource_name"); d.service == upcloud && !d.chance(10) {
			x.resourceNames = nil
		}
	}

	return x, len(x.actors)+len(x.resourceTypes)+len(x.resourceNames) > 0
}

// countedBy is an event that counts for a rule that the expectation is about, if
// there is one.
func (d *draw) countedBy(q *question, x *expectation) *event {
	byToken := d.IntN(2) == 0

	for range 60 {
		e := d.any()
		if byToken && d.service == cloudscale && e.text["actor_type"] != "api_token" {
			continue
		}

		for _, r := range q.applied() {
			if ok, err := r.where.truth(scope{entry: e}); x.about(&r) && ok && err == nil {
				return e
			}
		}
	}

	return d.any()
}

// globs draws patterns: texts of the log, some of their characters replaced.
func (d *draw) globs(fields ...string) []string {
	var list []string

	for range 1 + d.IntN(2) {
		v := d.target.text[fields[d.IntN(len(fields))]]
		if v == "" || d.chance(15) {
			v = d.near(fields[0])
		}

		v = terraform(v)

		if d.chance(20) {
			v = one(d.Rand, special)
		}

		if !decided[plainGlobs] && strings.ContainsAny(v, `[]\`) {
			continue
		}

		r := []rune(v)
		if len(r) < 2 {
			continue
		}

		switch at := d.IntN(len(r)); d.IntN(5) {
		case 0:
			v = string(r[:at]) + "*"
		case 1:
			v = "*" + string(r[at:])
		case 2:
			v = string(r[:at]) + "?" + string(r[at+1:])
		case 3:
			v = string(r[:at]) + "*" + string(r[at+d.IntN(len(r)-at):])
		}

		if strings.Trim(v, "*?") != "" {
			list = append(list, v)
		}
	}

	return list
}

// verdictArguments are the arguments that audit_logs does not have.
func (q *question) verdictArguments(args map[string]any) {
	if q.builtins != nil {
		args["builtin_rules"] = q.builtins
	}

	rules := map[string]any{}

	for _, r := range q.rules {
		a := map[string]any{"where": r.where.text}

		if r.threshold > 0 {
			a["threshold"] = r.threshold
		}

		if r.groupBy != nil {
			a["group_by"] = r.groupBy
		}

		for key, value := range map[string]string{"within": r.within, "severity": r.severity, "message": r.message} {
			if value != "" {
				a[key] = value
			}
		}

		rules[r.name] = a
	}

	if len(rules) > 0 {
		args["rules"] = rules
	}

	var expected []any

	for _, x := range q.expected {
		a := map[string]any{}

		for key, values := range map[string][]string{
			"rules": x.rules, "actors": x.actors, "resource_types": x.resourceTypes,
			"resource_names": x.resourceNames,
		} {
			if len(values) > 0 {
				a[key] = values
			}
		}

		expected = append(expected, a)
	}

	if len(expected) > 0 {
		args["expected"] = expected
	}

	if q.baseline != "" {
		args["baseline"] = q.baseline
	}

	if q.maxFindings > 0 {
		args["max_findings"] = q.maxFindings
	}
}
