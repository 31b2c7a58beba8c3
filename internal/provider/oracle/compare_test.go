// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
)

// outcome is how a question ended where both agree.
type outcome string

const (
	answered outcome = "answered"
	nothing  outcome = "answered with nothing"
	fails    outcome = "fails on an entry"
	tooMany  outcome = "more than may go into a state"
	refused  outcome = "refused"
)

// oracle answers questions about one log by looking at every record of it.
type oracle struct {
	events map[string][]*event
	now    time.Time
}

func newOracle(h history, now time.Time) *oracle {
	o := &oracle{events: map[string][]*event{}, now: now}

	for service, lines := range h {
		for _, line := range lines {
			o.events[service] = append(o.events[service], eventOf(service, line))
		}

		identify(o.events[service])
	}

	return o
}

// compare holds the product's answer against the oracle's own. An error is a
// disagreement.
func (o *oracle) compare(q *question, got answer) (outcome, error) {
	if reason := o.mustRefuse(q); reason != "" {
		if got.errors == nil {
			return "", fmt.Errorf("it is answered although %s", reason)
		}

		return refused, nil
	}

	start, end := q.window(o.now)

	want, failure := q.answers(o.events[q.service], start, end)

	var verdict *judgement
	if q.verdict && failure == nil {
		verdict, failure = o.judge(q, want, start)
	}

	overflow := !q.verdict && !q.noEntries && q.onOverflow != "keep_newest" && len(want) > cmp.Or(q.maxEntries, 1000)

	switch {
	case got.errors == nil && failure != nil:
		return "", errors.New("it is answered although a condition fails on an entry that it is held against")
	case got.errors == nil && overflow:
		return "", fmt.Errorf("it is answered although %d entries match", len(want))
	case got.errors == nil:
	case failure != nil:
		return fails, nil //nolint:nilerr // Both say that it fails.
	case overflow:
		return tooMany, nil
	case o.mayRefuse(q):
		return refused, nil
	default:
		return "", fmt.Errorf("it is an error, and there are %d entries: %s", len(want), strings.Join(got.errors, "\n"))
	}

	d := &differences{}
	d.equal("window_start", timeText(start), got.state["window_start"])
	d.equal("window_end", timeText(end), got.state["window_end"])

	if !decided[serviceNow] || decided[countedOnce] || o.now.Equal(o.now.Truncate(time.Second)) {
		d.completeness(got.state["completeness"], len(want))
	}

	if verdict != nil {
		verdict.compare(d, q, got.state)
	} else {
		compareLookUp(d, q, want, got.state)
	}

	if len(*d) > 0 {
		return "", errors.New(strings.Join(*d, "\n"))
	}

	if len(want) == 0 {
		return nothing, nil
	}

	return answered, nil
}

// mustRefuse says why the documentation has a question refused whatever is in the
// log, or nothing.
func (o *oracle) mustRefuse(q *question) string {
	for _, l := range q.lists() {
		if len(*l.values) > 0 && slices.Contains(never[q.service], l.fields[0]) {
			return q.service + " never records " + l.fields[0]
		}
	}

	for _, op := range q.operations {
		if _, shared := words[op]; !slices.Contains(slices.Collect(maps.Values(meanings[q.service])), op) && op != "other" &&
			(!shared || q.service == cloudscale) {
			return "no action of " + q.service + " means " + op
		}
	}

	if start, end := q.asked(o.now); !start.Before(end) {
		return "the window is empty"
	}

	for _, r := range q.rules {
		if start, end := q.asked(o.now); span(r.within) > end.Sub(start) {
			return "the span of a rule is longer than the window"
		}
	}

	if l := q.lists()[0]; decided[checkedValues] && q.service == upcloud {
		for _, l := range []listArgument{l, q.lists()[2], q.lists()[5]} {
			for _, v := range *l.values {
				if !o.listed(l.fields[0], v) {
					return "UpCloud does not list " + v + " among its " + l.name
				}
			}
		}
	}

	return ""
}

// elsewhere are the operations that cloudscale records in the logs of organizations
// and users.
var elsewhere = []string{"login", "login_failed", "logout", "grant", "revoke", "invite"}

// documented are the values of the vendor's specification.
var documented = map[string][]string{
	"action": {
		"create", "read", "update", "delete", "access-granted", "access-granted-kubeconfig", "access-modified",
		"access-update",
		"maintenance-start", "writes-enable", "attach", "clone", "detach", "login", "logout", "start", "stop", "owner-change",
	},
	"origin": {"api", "gui", "upcloud_internal"},
	"resource_type": {
		"account", "auth", "init-script", "managed-database", "managed-loadbalancer",
		"managed-loadbalancer-certificate-bundle",
		"managed-object-storage", "network-gateway", "server", "storage", "uks", "ssh-key",
	},
}

// listed says whether UpCloud documents the value or shows it in its log.
func (o *oracle) listed(field, value string) bool {
	return slices.Contains(documented[field], value) ||
		slices.ContainsFunc(o.events[upcloud], func(e *event) bool { return name(e.text[field]) == name(value) })
}

// mayRefuse says whether a question may be refused: because of a value that the
// cloud does not have, or because nothing could be found, whatever happened.
func (o *oracle) mayRefuse(q *question) bool {
	if o.strangeValue(q) {
		return true
	}

	if q.service == cloudscale && decided[projectOnly] &&
		slices.ContainsFunc(q.operations, func(op string) bool { return slices.Contains(elsewhere, op) }) {
		return true
	}

	// A name that UpCloud never records cannot be expected.
	for _, x := range q.expected {
		if q.service == upcloud && len(x.resourceNames) > 0 {
			return true
		}
	}

	return !o.possible(q, nil)
}

// strangeValue says whether something is compared with a value that is neither
// documented nor listed, or that no action can look like.
func (o *oracle) strangeValue(q *question) bool {
	words := q.words()

	for _, l := range q.lists() {
		for _, v := range *l.values {
			words = append(words, word{l.fields[0], v})
		}
	}

	for _, x := range q.expected {
		for _, p := range x.resourceTypes {
			words = append(words, word{"resource_type", p})
		}
	}

	for _, w := range words {
		switch {
		case w.field != "action" && w.field != "origin" && w.field != "resource_type":
		case w.value == "" && decided[emptyIsAbsent]:
		case w.value == "":
			return true
		case q.service == upcloud && !o.listed(w.field, w.value):
			return true
		case q.service == cloudscale && !actionForm.MatchString(w.value):
			return true
		}
	}

	return false
}

// actionForm is what cloudscale's actions and types look like: words, joined by
// underscores, as an action has two at least.
var actionForm = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)+$`)

// conditions are those of the question and of its rules.
func (q *question) conditions() []*expr {
	var all []*expr

	if q.where != nil {
		all = append(all, q.where)
	}

	for i := range q.rules {
		all = append(all, q.rules[i].where)
	}

	return all
}

// words are what the conditions of the question compare fields with.
func (q *question) words() []word {
	return wordsOf(q.conditions()...)
}

// possible looks for an entry of the window that the service could have, answers the
// question and counts for the rule: among those of the log, and among
// those that differ from them in what is asked for.
func (o *oracle) possible(q *question, r *rule) bool {
	start, end := q.window(o.now)

	meets := func(e *event) bool {
		if !q.passes(e) || e.at.Before(start) || !e.at.Before(end) {
			return false
		}

		for _, where := range []*expr{q.where, ruleCondition(r)} {
			if where == nil {
				continue
			}

			// Where it fails, an entry would have shown it.
			if ok, err := where.truth(scope{entry: e}); err == nil && !ok {
				return false
			}
		}

		return true
	}

	if slices.ContainsFunc(o.events[q.service], meets) {
		return true
	}

	words := q.words()
	for _, l := range q.lists() {
		for _, v := range *l.values {
			for _, f := range l.fields {
				words = append(words, word{f, v})
			}
		}
	}

	rng := rand.New(rand.NewPCG(1, 1))

	for range 150 {
		e := o.variant(rng, q.service, words)
		e.at = start.Add(rand.N(max(end.Sub(start), 1)))

		if meets(e) {
			return true
		}
	}

	return false
}

func ruleCondition(r *rule) *expr {
	if r == nil {
		return nil
	}

	return r.where
}

// variant is an event that differs from one of the log in a few values, as the
// cloud could have recorded it.
func (o *oracle) variant(rng *rand.Rand, service string, words []word) *event {
	e := one(rng, o.events[service])
	raw := maps.Clone(e.raw)

	action := textAt(raw, "action")
	if rng.IntN(3) > 0 {
		var all []string
		for _, key := range slices.Sorted(maps.Keys(meanings[service])) {
			all = append(all, map[bool]string{true: "server_" + key, false: key}[service == cloudscale])
		}

		action = one(rng, append(all, "server_obliterate"))
	}

	raw["action"] = action

	if rng.IntN(4) == 0 {
		raw["message"] = "Server 'web-1' has been deleted"
	}

	for _, w := range words {
		if rng.IntN(2) == 0 {
			continue
		}

		keys := map[string]string{
			"action": "action", "resource_type": "resource_type", "resource_id": "resource_id", "origin": "origin",
			"auth_type": "auth_type",
			"actor":     "account_username", "ip_address": "ip_address", "correlation_id": "upcloud_correlation_id",
			"id": "cloud_event_id", "message": "message",
		}

		if w.value == "" && w.field == "action" || slices.Contains(never[service], w.field) {
			continue // No record is like that.
		}

		switch key := keys[w.field]; {
		case service == cloudscale && w.field == "actor":
			raw["actor"] = map[string]any{"user": map[string]any{"email": w.value}}
		case service == cloudscale && w.field == "actor_id":
			raw["actor"] = map[string]any{"api_token": map[string]any{"uuid": w.value, "description": nil}}
		case service == cloudscale && w.field == "resource_type":
			raw["action"] = w.value + "_delete"
		case service == cloudscale && w.field == "resource_name":
			raw["message"] = "Server '" + w.value + "' has been created"
		case key != "":
			raw[key] = w.value
		}
	}

	return eventOf(service, canonical(raw))
}

// differences are what two answers differ in.
type differences []string

func (d *differences) addf(format string, args ...any) { *d = append(*d, fmt.Sprintf(format, args...)) }

func (d *differences) equal(what string, want, got any) {
	if fmt.Sprint(want) != fmt.Sprint(got) {
		d.addf("%s: the oracle says %v, the product %v", what, want, got)
	}
}

// completeness holds the statement to what it says of itself.
func (d *differences) completeness(statement any, total int) {
	c, _ := statement.(map[string]any)
	count := func(key string) int64 {
		n, _ := c[key].(int64)

		return n
	}

	d.equal("rows that are accounted for", count("rows_fetched"), count("duplicates_dropped")+count("rows_filtered_out")+
		int64(total))
}

func compareLookUp(d *differences, q *question, want []*event, state map[string]any) {
	counts := map[string]map[string]int64{
		"counts_by_action": {}, "counts_by_operation": {}, "counts_by_actor": {}, "counts_by_resource_type": {},
	}

	for _, e := range want {
		counts["counts_by_action"][name(e.text["action"])]++
		counts["counts_by_operation"][e.text["operation"]]++
		counts["counts_by_actor"][e.actorKey()]++

		if kind := e.text["resource_type"]; kind != "" {
			counts["counts_by_resource_type"][name(kind)]++
		}
	}

	d.equal("total_count", len(want), state["total_count"])

	for what, want := range counts {
		d.equal(what, want, state[what])
	}

	rows, _ := state["entries"].([]any)

	if q.noEntries {
		d.equal("entries", nil, state["entries"])

		return
	}

	if q.maxEntries > 0 {
		want = want[max(0, len(want)-q.maxEntries):] // More than that are an error, or the newest are kept.
	}

	if q.order == "newest_first" {
		want = slices.Clone(want)
		slices.Reverse(want)
	}

	d.ids("rows", want, rows)

	for i := range min(len(want), len(rows)) {
		d.row(q, want[i], rows[i].(map[string]any))
	}
}

// ids compares which rows there are, and their order.
func (d *differences) ids(what string, want []*event, rows []any) {
	var wanted, have []string

	for _, e := range want {
		wanted = append(wanted, e.text["id"])
	}

	for _, r := range rows {
		have = append(have, fmt.Sprint(r.(map[string]any)["id"]))
	}

	d.lists(what, wanted, have)
}

// lists compares two lists and says in what they differ.
func (d *differences) lists(what string, want, got []string) {
	if slices.Equal(want, got) {
		return
	}

	missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
	extra := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return slices.Contains(want, s) })

	if len(missing)+len(extra) == 0 {
		d.addf("%s: the order is %q and should be %q", what, got, want)

		return
	}

	d.addf("%s: the product lacks %q, and has %q that the oracle does not have", what, missing, extra)
}

func (d *differences) row(q *question, e *event, row map[string]any) {
	for _, f := range textFields {
		var want any
		if e.text[f] != "" {
			want = terraform(e.text[f])
		}

		if row[f] != want {
			d.addf("%s of %s: the oracle says %q, the product %q", f, e.text["id"], want, row[f])
		}
	}

	d.equal("time of "+e.text["id"], timeText(e.at), row["time"])

	if want := any(terraform(e.line)); q.withRaw && row["raw"] != want || !q.withRaw && row["raw"] != nil {
		d.addf("raw of %s is %v", e.text["id"], row["raw"])
	}

	changes, _ := row["changes"].([]any)

	var want, got []string

	for _, c := range e.changes {
		want = append(want, terraform(c.field)+": "+reread(c.before)+" -> "+reread(c.after))
	}

	for _, c := range changes {
		text := func(key string) *string {
			if s, ok := c.(map[string]any)[key].(string); ok {
				return &s
			}

			return nil
		}

		got = append(got, *text("field")+": "+reread(text("before"))+" -> "+reread(text("after")))
	}

	d.lists("changes of "+e.text["id"], want, got)
}

// reread makes texts of the same JSON value alike.
func reread(s *string) string {
	if s == nil {
		return "absent"
	}

	if !json.Valid([]byte(*s)) {
		return "no JSON: " + *s
	}

	return terraform(canonical(parse(*s)))
}

// judgement is what rules find.
type judgement struct {
	entries int
	// findings are by rule.
	findings map[string][]found
	// mustNot are the rules that cannot be evaluated.
	mustNot map[string]bool
	// mayNot says of the others whether they may be left out.
	mayNot func(r *rule) bool
	// expected are the entries that count for no rule because of an expectation, by
	// rule and expectation.
	expected map[string][]map[*event]bool
}

// judge holds the rules against the entries that answer the question.
func (o *oracle) judge(q *question, entries []*event, start time.Time) (*judgement, error) {
	j := &judgement{
		entries: len(entries), findings: map[string][]found{}, mustNot: map[string]bool{},
		expected: map[string][]map[*event]bool{},
	}
	j.mayNot = func(r *rule) bool {
		depends, _ := o.unknownMatters(q, r)
		depends = depends || q.service == cloudscale && decided[projectOnly] && o.asksElsewhere(r)

		return depends || o.strangeValue(q) || !o.possible(q, r)
	}

	for _, r := range q.applied() {
		j.mustNot[r.name] = o.mustNotEvaluate(q, &r)

		if j.mustNot[r.name] {
			continue
		}

		if decided[unknownActions] {
			_, j.mustNot[r.name] = o.unknownMatters(q, &r)
		}

		var hits []*event

		for _, e := range entries {
			ok, err := r.where.truth(scope{entry: e})
			if err != nil {
				// A rule that is not evaluated cannot fail.
				if j.mustNot[r.name] || j.mayNot(&r) {
					continue
				}

				return nil, err
			}

			if ok {
				hits = append(hits, e)
			}
		}

		if r.name == newAddress {
			before := *q
			before.operations = []string{"login"}

			known, err := before.answers(o.events[q.service], start.Add(-span(cmp.Or(q.baseline, "14d"))), start)
			if err != nil {
				return nil, err
			}

			hits = newLogins(hits, known)
		}

		j.count(q, &r, hits)
	}

	return j, nil
}

// count leaves out what is expected and counts the rest.
func (j *judgement) count(q *question, r *rule, hits []*event) {
	expected := make([]map[*event]bool, len(q.expected))

	for i, x := range q.expected {
		expected[i] = map[*event]bool{}

		for _, e := range hits {
			if x.about(r) && x.meets(e) {
				expected[i][e] = true
			}
		}
	}

	hits = slices.DeleteFunc(slices.Clone(hits), func(e *event) bool {
		return slices.ContainsFunc(expected, func(of map[*event]bool) bool { return of[e] })
	})

	j.expected[r.name] = expected
	j.findings[r.name] = r.recount(q.service, hits)
}

// mustNotEvaluate says whether the page has the rule not evaluable.
func (o *oracle) mustNotEvaluate(q *question, r *rule) bool {
	if slices.Contains(impossible[q.service], r.name) {
		return true
	}

	lacks := slices.ContainsFunc(r.groupBy, func(f string) bool { return slices.Contains(never[q.service], f) })

	return lacks && !decided[groupFallback]
}

// asksElsewhere says whether only entries count for the rule whose operation
// cloudscale records in other logs.
func (o *oracle) asksElsewhere(r *rule) bool {
	for _, e := range o.events[cloudscale] {
		for _, op := range operations {
			other := *e
			other.text = maps.Clone(e.text)
			other.text["operation"] = op

			if ok, err := r.where.truth(scope{entry: &other}); !slices.Contains(elsewhere, op) && (ok || err != nil) {
				return false
			}
		}
	}

	return true
}

// unknownMatters says whether it depends on what unknown actions mean which entries
// count for the rule, and whether that is beyond doubt.
func (o *oracle) unknownMatters(q *question, r *rule) (depends, sure bool) {
	start, end := q.window(o.now)

	for _, e := range o.events[q.service] {
		if !e.unsure || e.at.Before(start) || !e.at.Before(end) {
			continue
		}

		counts := func(op string) bool {
			other := *e
			other.text = maps.Clone(e.text)
			other.text["operation"] = op

			if !decided[unknownBehindFilter] && !o.reaches(q, e) || !q.passes(&other) {
				return false
			}

			for _, where := range []*expr{q.where, r.where} {
				if where == nil {
					continue
				}

				if ok, err := where.truth(scope{entry: &other}); err != nil || !ok {
					return false
				}
			}

			return true
		}

		for _, op := range slices.Collect(maps.Values(meanings[q.service])) {
			if counts(op) != counts("other") {
				depends = true
				sure = sure || e.unknown
			}
		}
	}

	return depends, sure
}

// reaches says whether the entry answers the question as it is.
func (o *oracle) reaches(q *question, e *event) bool {
	if !q.passes(e) || q.where == nil {
		return q.passes(e)
	}

	ok, err := q.where.truth(scope{entry: e})

	return ok && err == nil
}

// compare holds the product's verdict against the oracle's, rule by rule.
func (j *judgement) compare(d *differences, q *question, state map[string]any) {
	not, ran := map[string]bool{}, map[string]bool{}

	for _, n := range state["not_evaluable"].([]any) {
		name, reason := fmt.Sprint(n.(map[string]any)["rule"]), fmt.Sprint(n.(map[string]any)["reason"])
		not[name] = true
		ran[name] = strings.HasPrefix(reason, "The log holds actions")
	}

	var (
		all      []found
		rules    = map[string]int64{}
		severity = map[string]int64{}
		expected = make([]map[*event]bool, len(q.expected))
		sum      = map[*event]bool{}
	)

	for _, r := range q.applied() {
		switch {
		case j.mustNot[r.name] && !not[r.name]:
			d.addf("rule %s is evaluated and cannot be", r.name)
		case not[r.name] && !j.mustNot[r.name] && !j.mayNot(&r):
			d.addf("rule %s is not evaluated and can be: %v", r.name, state["not_evaluable"])
		}

		if not[r.name] && !ran[r.name] {
			continue
		}

		// What may have missed something has no zero.
		if n := int64(len(j.findings[r.name])); n > 0 || !not[r.name] {
			all = append(all, j.findings[r.name]...)
			rules[r.name] = n
			severity[r.actualSeverity()] += n
		}

		for i, of := range j.expected[r.name] {
			for e := range of {
				sum[e] = true

				if expected[i] == nil {
					expected[i] = map[*event]bool{}
				}

				expected[i][e] = true
			}
		}
	}

	counts := make([]any, len(expected))
	for i := range expected {
		counts[i] = len(expected[i])
	}

	d.equal("entry_count", j.entries, state["entry_count"])
	d.equal("total_count", len(all), state["total_count"])
	d.equal("counts_by_rule", rules, state["counts_by_rule"])
	d.equal("counts_by_severity", severity, state["counts_by_severity"])
	d.equal("expected_count", len(sum), state["expected_count"])
	d.equal("expected_counts", counts, state["expected_counts"])
	d.findings(all, state["findings"].([]any), cmp.Or(q.maxFindings, 1000))
}

// findings compares them, the worst first, then by time. What comes at the same
// time may come in any order.
func (d *differences) findings(want []found, got []any, limit int) {
	slices.SortStableFunc(want,
		func(a, b found) int { return cmp.Or(cmp.Compare(a.rank(), b.rank()), a.first().Compare(b.first())) })

	d.equal("number of findings that are listed", min(limit, len(want)), len(got))

	left := make([]string, len(want))
	for i := range want {
		left[i] = want[i].describe()
	}

	for i, f := range got {
		g := f.(map[string]any)

		if i < len(want) {
			d.equal(fmt.Sprintf("severity and time of finding %d", i), want[i].severity+" "+timeText(want[i].first()),
				fmt.Sprint(g["severity"], " ", g["first_time"]))
		}

		text := describeState(g)
		at := slices.IndexFunc(want, func(w found) bool { return w.matches(g, text) })

		if at < 0 || left[at] == "" {
			d.addf("a finding that the oracle does not have: %s", text)

			continue
		}

		left[at] = ""
	}

	for i := range left {
		if left[i] != "" && len(want) <= limit {
			d.addf("a finding that the product does not have: %s", left[i])
		}
	}
}

// matches says whether the product's finding, described like that, is this one.
func (f *found) matches(g map[string]any, text string) bool {
	return f.describe() == text && (f.message == "" || g["message"] == any(f.message))
}

func (f *found) describe() string {
	ids := make([]any, 0, len(f.events))
	for _, e := range f.events[:min(100, len(f.events))] {
		ids = append(ids, e.text["id"])
	}

	group := map[string]any{}
	for key, value := range f.group {
		group[key] = value
	}

	return describeState(map[string]any{
		"rule": f.rule, "severity": f.severity, "count": len(f.events), "group": group, "entry_ids": ids,
		"first_time": timeText(f.first()), "last_time": timeText(f.events[len(f.events)-1].at),
	})
}

// describeState is a finding in one line. Addresses in groups are compared as
// numbers, and a field that the service never records may be left out.
func describeState(g map[string]any) string {
	var group []string

	values, _ := g["group"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value, _ := values[key].(string)
		if value = terraform(value); key == "ip_address" {
			value = addressKey(value)
		}

		if value != "" {
			group = append(group, fmt.Sprintf("%s=%q", key, value))
		}
	}

	return fmt.Sprintf("%v (%v) of %v, %v to %v, %v: %v", g["rule"], g["severity"], group, g["first_time"], g["last_time"],
		g["count"], g["entry_ids"])
}
