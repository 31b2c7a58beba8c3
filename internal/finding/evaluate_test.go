// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// deletions returns n deletions by an actor, one each step from noon on.
func deletions(actor string, n int, step time.Duration) []auditlog.Entry {
	entries := make([]auditlog.Entry, n)
	for i := range entries {
		entries[i] = auditlog.Entry{
			ID: fmt.Sprintf("%s-%04d", actor, i), Time: noon.Add(time.Duration(i) * step), Operation: "delete",
			ActorType: "user", Actor: actor,
			ResourceType: "server", ResourceName: fmt.Sprint("web-", i), IPAddress: "192.0.2.1",
		}
	}

	return entries
}

func login(at time.Time, actor, address string) auditlog.Entry {
	return auditlog.Entry{
		ID: fmt.Sprint(actor, address, at.Unix()), Time: at, Operation: "login", ActorType: "user",
		Actor: actor, IPAddress: address,
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()

	all := condition(t, `entry.operation == "delete"`)
	within := func(d time.Duration) *time.Duration { return &d }

	for name, tt := range map[string]struct {
		n    int
		step time.Duration
		o    finding.Options
		want []string
	}{
		"one":     {1, 0, finding.Options{Builtins: []string{"deletion"}}, []string{"1 deletion"}},
		"several": {3, time.Hour, finding.Options{Builtins: []string{"deletion"}}, []string{"3 deletions"}},
		"a burst": {
			12, time.Second,
			finding.Options{Builtins: []string{"mass_deletion"}},
			[]string{"12 deletions within 10m"},
		},
		"a longer burst": {
			30, time.Minute,
			finding.Options{Builtins: []string{"mass_deletion"}},
			[]string{"30 deletions, at times 10 or more within 10m"},
		},
		"hardly longer": {
			11, time.Minute,
			finding.Options{Builtins: []string{"mass_deletion"}},
			[]string{"11 deletions, at times 10 or more within 10m"},
		},
		"an own rule": {
			2, time.Minute,
			finding.Options{Rules: []finding.Rule{{Name: "x", Severity: "low", Threshold: 2, Condition: all}}},
			[]string{"2 matching entries"},
		},
		"an own message": {
			2, time.Minute,
			finding.Options{Rules: []finding.Rule{
				{Name: "x", Severity: "low", Threshold: 2, Condition: all, Message: "Look here."},
			}},
			[]string{"Look here."},
		},
		"none alone": {
			3, time.Minute,
			finding.Options{Rules: []finding.Rule{{
				Name: "x", Severity: "low", Threshold: 1, Condition: all,
				Within: within(2 * time.Minute),
			}}},
			[]string{"3 matching entries, each less than 2m after the one before"},
		},
		"each alone": {
			2, time.Minute,
			finding.Options{Rules: []finding.Rule{{
				Name: "x", Severity: "low", Threshold: 1, Condition: all, Within: within(time.Minute),
			}}},
			[]string{"1 matching entry", "1 matching entry"},
		},
		"an odd span": {
			2, time.Second,
			finding.Options{Rules: []finding.Rule{{
				Name: "x", Severity: "low", Threshold: 2, Condition: all, Within: within(1500 * time.Millisecond),
			}}},
			[]string{"2 matching entries within 1.5s"},
		},
		"a span of a day": {
			2, time.Second,
			finding.Options{Rules: []finding.Rule{{
				Name: "x", Severity: "low", Threshold: 2, Condition: all, Within: within(24 * time.Hour),
			}}},
			[]string{"2 matching entries within 1d"},
		},
		"nothing to speak": {1, 0, finding.Options{Builtins: []string{"mass_deletion"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var got []string
			for _, f := range evaluate(t, newLog(deletions("secret-name", tt.n, tt.step)...), theDay(), tt.o).Findings {
				got = append(got, f.Message)
			}

			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFindingsInOrderAndBounded(t *testing.T) {
	t.Parallel()

	var entries []auditlog.Entry
	for i := range 50 {
		entries = append(entries, deletions(fmt.Sprint("actor-", i), 1, 0)...)
	}

	each := finding.Rule{
		Name: "each", Severity: "low", Threshold: 1,
		Condition: condition(t, `entry.operation == "delete"`), GroupBy: []string{"resource_name", "actor"},
	}
	worst, also := each, each
	worst.Name, worst.Severity, also.Name = "worst", "critical", "also"

	o := finding.Options{Builtins: []string{"deletion"}, Rules: []finding.Rule{each, worst, also}}

	full := evaluate(t, newLog(entries...), theDay(), o)
	if full.TotalCount != 200 || full.Truncated || len(full.Findings) != 200 {
		t.Fatalf("%d findings, %d listed", full.TotalCount, len(full.Findings))
	}

	for i, want := range map[int]string{
		0: "worst actor-0", 49: "worst actor-9", 50: "deletion actor-0",
		100: "also actor-0", 150: "each actor-0",
	} {
		f := full.Findings[i]
		if got := f.Rule + " " + f.Group[len(f.Group)-1].Value; got != want {
			t.Errorf("%d: got %s, want %s", i, got, want)
		}
	}

	for _, limit := range []int{1, 10, 75, 199, 200, 1000} {
		o.MaxFindings = limit

		r := evaluate(t, newLog(entries...), theDay(), o)
		if r.TotalCount != 200 || r.Truncated != (limit < 200) || r.CountsByRule["each"] != 50 ||
			r.CountsBySeverity["critical"] != 50 {
			t.Errorf("%d: %+v", limit, r)
		}

		if diff := cmp.Diff(full.Findings[:min(limit, 200)], r.Findings); diff != "" {
			t.Error(diff)
		}
	}
}

// TestLongBurstNamesItsFirst has more entries than are named, all of one instant.
func TestLongBurstNamesItsFirst(t *testing.T) {
	t.Parallel()

	entries := deletions("a", 300, 0)

	var want []string
	for _, e := range entries[:finding.MaxEntryIDs] {
		want = append(want, e.ID)
	}

	slices.Reverse(entries)

	r := evaluate(t, newLog(entries...), theDay(), finding.Options{Builtins: []string{"deletion", "mass_deletion"}})
	if len(r.Findings) != 2 {
		t.Fatalf("%d findings", len(r.Findings))
	}

	for _, f := range r.Findings {
		if f.Count != 300 {
			t.Errorf("count %d", f.Count)
		}

		if diff := cmp.Diff(want, f.EntryIDs); diff != "" {
			t.Error(diff)
		}
	}
}

// TestRedactedEntriesAreEvaluatedAsTheyAre shows nothing of them.
func TestRedactedEntriesAreEvaluatedAsTheyAre(t *testing.T) {
	t.Parallel()

	r := evaluate(t, newLog(append(deletions("ann", 2, 0), deletions("bob", 1, 0)...)...), theDay(), finding.Options{
		Rules: []finding.Rule{{
			Name: "x", Severity: "low", Threshold: 1,
			Condition: condition(t, `entry.actor in ["ann", "bob"]`), GroupBy: []string{"actor"},
		}},
		Redact: func(e auditlog.Entry) auditlog.Entry {
			e.Actor, e.ActorID = "***", ""

			return e
		},
	})

	want := []finding.Finding{
		{
			Rule: "x", Severity: "low", Group: []finding.GroupValue{{Field: "actor", Value: "***"}}, Count: 1, FirstTime: noon,
			LastTime: noon,
			EntryIDs: []string{"bob-0000"}, Message: "1 matching entry",
		},
		{
			Rule: "x", Severity: "low", Group: []finding.GroupValue{{Field: "actor", Value: "***"}}, Count: 2, FirstTime: noon,
			LastTime: noon,
			EntryIDs: []string{"ann-0000", "ann-0001"}, Message: "2 matching entries",
		},
	}

	slices.SortFunc(r.Findings, func(a, b finding.Finding) int { return int(a.Count - b.Count) })

	if diff := cmp.Diff(want, r.Findings); diff != "" {
		t.Error(diff)
	}
}

// TestRedactionWaitsForEveryEntry: what is learned from the last entry is taken out
// of the first one's group.
func TestRedactionWaitsForEveryEntry(t *testing.T) {
	t.Parallel()

	learned := 0

	r := evaluate(t, newLog(deletions("ann", 5, time.Hour)...), theDay(), finding.Options{
		Rules: []finding.Rule{{
			Name: "x", Severity: "low", Threshold: 1,
			Condition: condition(t, `entry.resource_name != "web-4"`), GroupBy: []string{"resource_name"},
		}},
		Learn: func(*auditlog.Entry) error { learned++; return nil },
		Redact: func(e auditlog.Entry) auditlog.Entry {
			e.ResourceName = fmt.Sprintf("after %d", learned)

			return e
		},
		MaxFindings: 2,
	})

	if len(r.Findings) != 2 || !r.Truncated || r.TotalCount != 4 {
		t.Errorf("got %+v", r)
	}

	for _, f := range r.Findings {
		if f.Group[0].Value != "after 5" {
			t.Errorf("the group is shown as %q", f.Group[0].Value)
		}
	}

	full := errors.New("too many values")

	_, err := finding.Evaluate(t.Context(), newLog(deletions("ann", 1, 0)...), theDay(), finding.Options{
		Builtins: []string{"deletion"}, Learn: func(*auditlog.Entry) error { return full },
	}, &auditlog.Completeness{})
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()

	entries := []auditlog.Entry{
		{ID: "1", Actor: "a", ResourceType: "bc"},
		{ID: "2", Actor: "ab", ResourceType: "c"},
		{ID: "3", ActorID: "a", ResourceType: "bc"}, // goes by its id
		{ID: "4", ActorType: "system", IPAddress: "2001:db8::1"},
		{ID: "5", ActorType: "system", IPAddress: "2001:DB8:0::1"},
		{ID: "6", ActorType: "staff", IPAddress: "masked"},
	}
	for i := range entries {
		entries[i].Time, entries[i].Operation = noon, "delete"
	}

	all := condition(t, `entry.operation == "delete"`)

	for groupBy, want := range map[string]string{
		"":                    "6 in []",
		"actor":               "2 in [a]; 1 in [ab]; 1 in [staff]; 2 in [system]",
		"actor resource_type": "2 in [a bc]; 1 in [ab c]; 1 in [staff ]; 2 in [system ]",
		"ip_address":          "3 in []; 2 in [2001:db8::1]; 1 in [masked]",
		"actor_id":            "5 in []; 1 in [a]",
	} {
		r := finding.Rule{Name: "x", Severity: "low", Threshold: 1, Condition: all, GroupBy: strings.Fields(groupBy)}

		var got []string

		for _, f := range evaluate(t, newLog(entries...), theDay(), finding.Options{Rules: []finding.Rule{r}}).Findings {
			values := []string{}
			for _, g := range f.Group {
				values = append(values, g.Value)
			}

			got = append(got, fmt.Sprintf("%d in %v", f.Count, values))
		}

		if text := strings.Join(got, "; "); text != want {
			t.Errorf("by %q: got %s, want %s", groupBy, text, want)
		}
	}
}

func TestExpectedEntriesDoNotCount(t *testing.T) {
	t.Parallel()

	entries := slices.Concat(deletions("ci/one", 12, 0), deletions("ann", 12, 0), []auditlog.Entry{
		{ID: "n", Time: noon, Operation: "delete", ActorType: "system", ResourceType: "server"},
		{ID: "i", Time: noon, Operation: "delete", ActorID: "ci/two", ResourceType: "server"},
	})

	own := finding.Rule{Name: "own", Severity: "low", Threshold: 1, Condition: condition(t, `entry.operation == "delete"`)}

	for name, tt := range map[string]struct {
		expected []finding.Expectation
		want     string
	}{
		"none": {nil, "map[deletion:4 mass_deletion:2 own:1] 0 []"},
		"an actor or its id": {
			[]finding.Expectation{{Actors: []string{"ci*"}}},
			"map[deletion:2 mass_deletion:1 own:1] 13 [13]",
		},
		"nobody is no *": {
			[]finding.Expectation{{Actors: []string{"*"}, ResourceTypes: []string{"server"}}},
			"map[deletion:1 mass_deletion:0 own:1] 25 [25]",
		},
		"case": {
			[]finding.Expectation{{Actors: []string{"Ann"}}},
			"map[deletion:4 mass_deletion:2 own:1] 0 [0]",
		},
		"one character": {
			[]finding.Expectation{{Actors: []string{"an?"}}},
			"map[deletion:3 mass_deletion:1 own:1] 12 [12]",
		},
		"not one": {
			[]finding.Expectation{{Actors: []string{"a?"}}},
			"map[deletion:4 mass_deletion:2 own:1] 0 [0]",
		},
		"a slash is one too": {
			[]finding.Expectation{{Actors: []string{"ci?one"}}},
			"map[deletion:3 mass_deletion:1 own:1] 12 [12]",
		},
		"a class is none": {
			[]finding.Expectation{{ResourceNames: []string{"web-[0-5]"}}},
			"map[deletion:4 mass_deletion:2 own:1] 0 [0]",
		},
		"all must match": {
			[]finding.Expectation{{Actors: []string{"ann"}, ResourceTypes: []string{"disk"}}},
			"map[deletion:4 mass_deletion:2 own:1] 0 [0]",
		},
		"one of several": {
			[]finding.Expectation{{Actors: []string{"bob", "ann"}}},
			"map[deletion:3 mass_deletion:1 own:1] 12 [12]",
		},
		"for one rule": {
			[]finding.Expectation{{Actors: []string{"ann"}, Rules: []string{"mass_deletion"}}},
			"map[deletion:4 mass_deletion:1 own:1] 12 [12]",
		},
		"for an own rule": {
			[]finding.Expectation{{ResourceNames: []string{"*web*"}, Rules: []string{"own"}}},
			"map[deletion:4 mass_deletion:2 own:1] 24 [24]",
		},
		"twice and never": {[]finding.Expectation{
			{Actors: []string{"ann"}},
			{ResourceNames: []string{"web-1"}},
			{Actors: []string{"x"}},
		}, "map[deletion:3 mass_deletion:1 own:1] 13 [12 2 0]"},
		"what no rule counts on": {
			[]finding.Expectation{{Actors: []string{"ann"}}, {Actors: []string{"ann"}}},
			"map[deletion:3 mass_deletion:1 own:1] 12 [12 12]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := evaluate(t, newLog(entries...), theDay(), finding.Options{
				Builtins: []string{"deletion", "mass_deletion"}, Rules: []finding.Rule{own}, Expected: tt.expected,
			})

			if got := fmt.Sprint(r.CountsByRule, r.ExpectedCount, r.ExpectedCounts); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLoginFromNewAddress(t *testing.T) {
	t.Parallel()

	before := noon.AddDate(0, 0, -14)
	s := newLog(
		login(before.Add(-1), "too-early", "192.0.2.1"), login(before, "ann", "192.0.2.1"),
		login(noon.Add(-1), "ann", "masked"), login(noon.Add(-1), "", "192.0.2.9"),
		login(noon, "ann", "192.0.2.1"), login(noon, "too-early", "192.0.2.1"), login(noon, "ann", "masked"),
		login(noon, "ann", ""), login(noon, "", "192.0.2.9"),
		login(noon, "bob", "192.0.2.1"), login(noon.Add(1), "bob", "192.0.2.1"),
	)

	q := theDay()
	q.Actors = []string{"ann", "bob", "too-early"}
	q.Operations = []auditlog.Operation{"login", "delete"}

	r := evaluate(t, s, q, finding.Options{Builtins: []string{"login_from_new_address"}})

	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s from %q: %s", f.Group[0].Value, f.Group[1].Value, f.Message))
	}

	want := []string{
		`ann from "": 1 login from an address that is not recorded`,
		`ann from "masked": 1 login from an address that is not recorded`,
		`bob from "192.0.2.1": 2 logins from a new address`, `too-early from "192.0.2.1": 1 login from a new address`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	if r.CountsByRule["login_from_new_address"] != 4 || r.Baseline == nil || r.Baseline.Proof == "" {
		t.Errorf("got %+v", r)
	}

	first := q
	first.Window = auditlog.Window{Start: before, End: noon}
	first.Operations = []auditlog.Operation{"login"}

	if diff := cmp.Diff([]auditlog.Query{first, q}, s.queries); diff != "" {
		t.Error(diff)
	}

	// Nobody in particular is never known.
	q.Actors = nil
	if n := evaluate(t, newLog(s.entries...), q,
		finding.Options{Builtins: []string{"login_from_new_address"}}).TotalCount; n != 5 {
		t.Errorf("%d findings, want 5", n)
	}

	// A longer baseline knows more, and no other rule reads one.
	s.queries = nil

	if n := evaluate(t, s, q,
		finding.Options{Builtins: []string{"login_from_new_address"}, Baseline: 15 * 24 * time.Hour}).TotalCount; n != 4 {
		t.Errorf("%d findings, want 4", n)
	}

	if r := evaluate(t, s, q, finding.Options{Builtins: []string{"deletion"}}); r.Baseline != nil || len(s.queries) != 3 {
		t.Errorf("read %d times", len(s.queries))
	}
}

// TestNamesAreOneInNFC: Terraform shows names that are equal in NFC as one, so that
// they count together, and a login by one of them is known by another.
func TestNamesAreOneInNFC(t *testing.T) {
	t.Parallel()

	const composed, decomposed = "zo\u00eb", "zoe\u0308"

	r := evaluate(t, newLog(slices.Concat(deletions(composed, 4, 0), deletions(decomposed, 6, 0))...), theDay(),
		finding.Options{
			Builtins: []string{"deletion", "mass_deletion"},
			Rules: []finding.Rule{{
				Name: "own", Severity: "low", Threshold: 10, GroupBy: []string{"actor", "resource_type"},
				Condition: condition(t, `entry.actor == "`+composed+`" && entry.actor == "`+decomposed+`"`),
			}},
		})

	if len(r.Findings) != 3 {
		t.Fatalf("%d findings: %+v", len(r.Findings), r.Findings)
	}

	for _, f := range r.Findings {
		if f.Count != 10 || f.Group[0].Value != composed {
			t.Errorf("%s: %d by %+q", f.Rule, f.Count, f.Group[0].Value)
		}
	}

	r = evaluate(t, newLog(slices.Concat(deletions(composed, 4, 0), deletions(decomposed, 6, 0))...), theDay(),
		finding.Options{
			Builtins: []string{"deletion"}, Expected: []finding.Expectation{{Actors: []string{decomposed}}},
		})
	if r.TotalCount != 0 || r.ExpectedCount != 10 {
		t.Errorf("%d findings, %d expected", r.TotalCount, r.ExpectedCount)
	}

	r = evaluate(t, newLog(login(noon.Add(-1), decomposed, "192.0.2.1"), login(noon, composed, "::ffff:192.0.2.1"),
		login(noon.Add(1), decomposed, "192.0.2.1")), theDay(),
		finding.Options{Builtins: []string{"login_from_new_address"}})
	if r.TotalCount != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

// TestBurstsOfOne: with a threshold of 1, within is how long it has to be quiet
// before another finding begins.
func TestBurstsOfOne(t *testing.T) {
	t.Parallel()

	one := finding.Rule{
		Name: "one", Severity: "low", Threshold: 1, Within: new(10 * time.Minute),
		GroupBy: []string{"actor"}, Condition: condition(t, `entry.operation == "delete"`),
	}

	at := func(actor string, seconds ...int) []auditlog.Entry {
		var entries []auditlog.Entry
		for _, s := range seconds {
			entries = append(entries,
				auditlog.Entry{
					ID: fmt.Sprint(actor, s), Time: noon.Add(time.Duration(s) * time.Second), Operation: "delete",
					Actor: actor,
				})
		}

		return entries
	}

	for name, tt := range map[string]struct {
		entries []auditlog.Entry
		want    []string
	}{
		"none":   {nil, nil},
		"one":    {at("a", 0), []string{"a 12:00:00-12:00:00 1 matching entry"}},
		"nearer": {at("a", 0, 599), []string{"a 12:00:00-12:09:59 2 matching entries within 10m"}},
		"exactly apart": {
			at("a", 0, 600),
			[]string{"a 12:00:00-12:00:00 1 matching entry", "a 12:10:00-12:10:00 1 matching entry"},
		},
		"a chain": {at("a", 0, 599, 1198, 1797), []string{"a 12:00:00-12:29:57 4 matching entries, each less than 10m after the one before"}},
		"a chain, a break": {
			at("a", 0, 599, 1199),
			[]string{"a 12:00:00-12:09:59 2 matching entries within 10m", "a 12:19:59-12:19:59 1 matching entry"},
		},
		"two actors": {
			slices.Concat(at("a", 0), at("b", 1), at("a", 599), at("b", 602)),
			[]string{
				"a 12:00:00-12:09:59 2 matching entries within 10m", "b 12:00:01-12:00:01 1 matching entry",
				"b 12:10:02-12:10:02 1 matching entry",
			},
		},
		"at one time": {
			append(at("a", 0, 0), at("a", 0)...),
			[]string{"a 12:00:00-12:00:00 3 matching entries within 10m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			slices.SortStableFunc(tt.entries, func(x, y auditlog.Entry) int { return x.Time.Compare(y.Time) })
			r := evaluate(t, newLog(tt.entries...), theDay(), finding.Options{Rules: []finding.Rule{one}})

			var (
				got   []string
				count int64
			)

			for _, f := range r.Findings {
				got = append(got, fmt.Sprintf("%s %s-%s %s", f.Group[0].Value, f.FirstTime.Format(time.TimeOnly),
					f.LastTime.Format(time.TimeOnly), f.Message))
				count += f.Count
			}

			slices.Sort(got)

			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}

			// Nothing that matches is in no finding, and nothing is in two.
			if count != int64(len(tt.entries)) || r.CountsByRule["one"] != int64(len(tt.want)) {
				t.Errorf("%d entries in findings, %v", count, r.CountsByRule)
			}
		})
	}
}

// TestLoginByNobodyInParticular: who is not named was never seen before, since it
// cannot be told from anybody else, however often such a login came from there.
func TestLoginByNobodyInParticular(t *testing.T) {
	t.Parallel()

	s := newLog(
		login(noon.Add(-2), "", "192.0.2.9"), login(noon.Add(-1), "ann", "192.0.2.9"),
		login(noon.Add(-1), "ann", "fe80::1%eth0"),
		login(noon, "", "192.0.2.9"), login(noon.Add(1), "", "192.0.2.9"), login(noon.Add(2), "", "masked"),
		login(noon.Add(3), "ann", "192.0.2.9"), login(noon.Add(4), "ann", "fe80::1%eth1"),
	)

	var got []string
	for _, f := range evaluate(t, s, theDay(), finding.Options{Builtins: []string{"login_from_new_address"}}).Findings {
		got = append(got, fmt.Sprintf("%s from %q: %s", f.Group[0].Value, f.Group[1].Value, f.Message))
	}

	want := []string{
		`user from "192.0.2.9": 2 logins by nobody who is named`,
		`user from "masked": 1 login from an address that is not recorded`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEvaluateFailsClosed(t *testing.T) {
	t.Parallel()

	at := func(d time.Duration) auditlog.Entry {
		return auditlog.Entry{ID: "x", Time: noon.Add(d), Operation: "create"}
	}
	broken := errors.New("broken")

	for name, tt := range map[string]struct {
		s    *log
		want string
	}{
		"at one time": {newLog(at(time.Hour), at(time.Hour)), ""},
		"out of order": {
			&log{info: everything(), entries: []auditlog.Entry{at(time.Hour), at(time.Hour - 1)}},
			"the service gave an entry that is older than one before it by more than a minute, so that bursts cannot be counted",
		},
		"an error at the end": {&log{info: everything(), entries: deletions("a", 20, 0), err: broken}, "broken"},
		"no proof": {
			&log{info: everything(), entries: deletions("a", 20, 0), unproven: true},
			"the reading ended without a proof that it is complete",
		},
		"no decision": {
			newLog(auditlog.Entry{ID: "x", Time: noon, Operation: "update", Raw: []byte(`{}`)}),
			"rule own: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := finding.Options{Builtins: finding.BuiltinNames(), Rules: []finding.Rule{{
				Name: "own", Severity: "info", Threshold: 1,
				Condition: condition(t, `entry.operation == "update" && entry.raw.plan == "x"`),
			}}}

			var c auditlog.Completeness

			r, err := finding.Evaluate(t.Context(), tt.s, theDay(), o, &c)

			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || r != nil):
				t.Fatalf("got %v, %v", r, err)
			case name == "no decision":
				ruleErr, evalErr := (*finding.RuleError)(nil), (*where.EvalError)(nil)
				if !errors.As(err, &ruleErr) || !errors.As(err, &evalErr) || ruleErr.Rule != "own" ||
					!strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("got %v", err)
				}
			case err != nil && err.Error() != tt.want:
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
