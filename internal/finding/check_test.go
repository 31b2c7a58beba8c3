// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

func TestMistakes(t *testing.T) {
	t.Parallel()

	// own returns a rule without a mistake, with one put in.
	own := func(change func(*finding.Rule)) finding.Options {
		r := finding.Rule{Name: "own", Severity: "low", Threshold: 1, Condition: condition(t, `entry.operation == "delete"`)}
		change(&r)

		return finding.Options{Rules: []finding.Rule{r}}
	}
	expected := func(x finding.Expectation) finding.Options {
		return finding.Options{Builtins: []string{"deletion", "new_api_token"}, Expected: []finding.Expectation{x}}
	}
	ok := func(*finding.Rule) {}
	actor := []string{"ann"}

	for name, tt := range map[string]struct {
		o    finding.Options
		want string
	}{
		"nothing":             {own(ok), ""},
		"no rule":             {finding.Options{}, "rules: There is no rule, so nothing would be found, whatever happened."},
		"an unknown built-in": {finding.Options{Builtins: []string{"deletion", "x"}}, `builtin_rules: No such rule is built in; there are deletion, mass_deletion, repeated_failed_logins, permission_change, new_api_token, login_from_new_address.`},
		"a built-in twice": {
			finding.Options{Builtins: []string{"deletion", "deletion"}},
			"builtin_rules: The rule is named twice.",
		},
		"a negative baseline": {
			finding.Options{Builtins: []string{"deletion"}, Baseline: -1},
			"baseline: The baseline is shorter than nothing.",
		},
		"fewer than none": {
			finding.Options{Builtins: []string{"deletion"}, MaxFindings: -1},
			"max_findings: Fewer findings than none cannot be listed.",
		},
		"no name":           {own(func(r *finding.Rule) { r.Name = "" }), "name: A rule needs a name."},
		"a built-in's name": {own(func(r *finding.Rule) { r.Name = "deletion" }), "rule deletion: name: A rule of that name is built in; choose another name."},
		"one name twice":    {finding.Options{Rules: append(own(ok).Rules, own(ok).Rules...)}, "rule own: name: Two rules have this name."},
		"no condition": {
			own(func(r *finding.Rule) { r.Condition = nil }),
			"rule own: where: The rule has no condition.",
		},
		"a severity":  {own(func(r *finding.Rule) { r.Severity = "urgent" }), `rule own: severity: This is not a severity; there are info, low, medium, high and critical.`},
		"a threshold": {own(func(r *finding.Rule) { r.Threshold = 0 }), "rule own: threshold: The threshold is 0, and the least that makes sense is 1."},
		"no span":     {own(func(r *finding.Rule) { r.Within = new(time.Duration(0)) }), "rule own: within: The span has no length."},
		"a negative span": {
			own(func(r *finding.Rule) { r.Within = new(-time.Second) }),
			"rule own: within: The span has no length.",
		},
		"as long as it gets": {own(func(r *finding.Rule) { r.Within = new(24 * time.Hour) }), ""},
		"a span too long":    {own(func(r *finding.Rule) { r.Within = new(25 * time.Hour) }), "rule own: within: The span of 25h is longer than the window, which is 1d long."},
		"an unknown field": {
			own(func(r *finding.Rule) { r.GroupBy = []string{"actor", "actr"} }),
			`rule own: group_by: An entry has no such field.`,
		},
		"by id": {
			own(func(r *finding.Rule) { r.GroupBy = []string{"id"} }),
			"rule own: group_by: Entries cannot be grouped by id.",
		},
		"by time": {
			own(func(r *finding.Rule) { r.GroupBy = []string{"time"} }),
			"rule own: group_by: Entries cannot be grouped by time.",
		},
		"by changes": {
			own(func(r *finding.Rule) { r.GroupBy = []string{"changes"} }),
			"rule own: group_by: Entries cannot be grouped by changes.",
		},
		"by raw": {
			own(func(r *finding.Rule) { r.GroupBy = []string{"raw"} }),
			"rule own: group_by: Entries cannot be grouped by raw.",
		},
		"a field twice": {
			own(func(r *finding.Rule) { r.GroupBy = []string{"actor", "actor"} }),
			"rule own: group_by: actor is named twice.",
		},
		"several mistakes": {own(func(r *finding.Rule) { r.Threshold, r.Severity = -1, "" }), "rule own: severity: This is not a severity; there are info, low, medium, high and critical.\nrule own: threshold: The threshold is -1, and the least that makes sense is 1."},

		"nothing expected":    {expected(finding.Expectation{}), "expected[0]: actors: The expectation leaves nothing out: give actors, resource_types or resource_names."},
		"everything expected": {expected(finding.Expectation{Actors: []string{"a", "**"}}), `expected[0]: actors: "**" is made of wildcards alone, so the expectation leaves nothing out: write more into actors, resource_types or resource_names.`},
		"all types expected":  {expected(finding.Expectation{ResourceTypes: []string{"?*"}}), `expected[0]: resource_types: "?*" is made of wildcards alone, so the expectation leaves nothing out: write more into actors, resource_types or resource_names.`},
		"everybody's servers": {
			expected(finding.Expectation{Actors: []string{"*"}, ResourceTypes: []string{"server"}}),
			"",
		},
		"a bracket as it is": {expected(finding.Expectation{Actors: []string{"a", "[a"}}), ""},
		"an empty pattern": {
			expected(finding.Expectation{Actors: actor, ResourceNames: []string{""}}),
			`expected[0]: resource_names: An empty text is not a pattern, such as "ci-*".`,
		},
		"an unknown rule": {
			expected(finding.Expectation{Actors: actor, Rules: []string{"x"}}),
			`expected[0]: rules: There is no such rule among those to evaluate.`,
		},
		"a rule not asked for": {
			expected(finding.Expectation{Actors: actor, Rules: []string{"mass_deletion"}}),
			`expected[0]: rules: There is no such rule among those to evaluate.`,
		},
		"a rule that is": {expected(finding.Expectation{Actors: actor, Rules: []string{"new_api_token"}}), ""},
		"no rule to expect it of": {
			finding.Options{Builtins: []string{"new_api_token"}, Expected: []finding.Expectation{{Actors: actor}}}, "expected[0]: rules: Neither deletion nor mass_deletion is evaluated, so name the rules that the expectation is about.",
		},
		"what is never recorded": {
			expected(finding.Expectation{Actors: actor, ResourceNames: []string{"web-*"}}),
			"expected[0]: resource_names: UpCloud never records resource_name, so the expectation would never be met.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := &log{info: upcloud.Info()}

			var c auditlog.Completeness

			_, err := finding.Evaluate(t.Context(), s, theDay(), tt.o, &c)

			got := ""
			if err != nil {
				got = err.Error()

				if mistake := (*finding.OptionError)(nil); !errors.As(err, &mistake) || len(s.queries) > 0 {
					t.Errorf("%T after %d readings", err, len(s.queries))
				}
			}

			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestMistakesPointAtTheValue lets a diagnostic be put on it.
func TestMistakesPointAtTheValue(t *testing.T) {
	t.Parallel()

	o := finding.Options{
		Builtins: []string{"deletion", "x"},
		Expected: []finding.Expectation{{Actors: []string{"a"}}, {Actors: []string{"a", ""}}},
		Rules: []finding.Rule{{
			Name: "own", Severity: "low", Condition: condition(t, "true"), Threshold: 1,
			GroupBy: []string{"actor", "x"},
		}},
	}

	type place struct {
		rule, field        string
		expectation, index int
	}

	var got []place
	for _, m := range o.Check() {
		got = append(got, place{m.Rule, m.Field, m.Expectation, m.Index})
	}

	want := []place{{"", "builtin_rules", -1, 1}, {"own", "group_by", -1, 1}, {"", "actors", 1, 1}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(place{})); diff != "" {
		t.Error(diff)
	}
}

func TestNotEvaluable(t *testing.T) {
	t.Parallel()

	const (
		scope = "cloudscale's project log records changes to the project only; "
		other = " are in the logs of the organization and its users, which the API does not give."
	)

	archiveOf := func(cloud string, without ...string) auditlog.Info {
		info := everything()
		info.Name, info.Title, info.ArchivedFrom, info.NeverRecorded = auditlog.ServiceArchive, "The archive", cloud, without
		if cloud == auditlog.ServiceUpCloud {
			info.NeverOperations = upcloud.Info().NeverOperations
		}

		return info
	}

	noFailures := everything()
	noFailures.Operations = []auditlog.Operation{"delete", "create", "login", "grant", "other"}

	own := func(where string, groupBy ...string) finding.Rule {
		return finding.Rule{Name: "own", Severity: "low", Threshold: 1, Condition: condition(t, where), GroupBy: groupBy}
	}

	for name, tt := range map[string]struct {
		info auditlog.Info
		q    auditlog.Query
		own  []finding.Rule
		want []string
	}{
		"UpCloud": {info: upcloud.Info(), want: []string{"repeated_failed_logins: UpCloud records successful logins only."}},
		"cloudscale": {info: cloudscale.Info(), want: []string{
			"repeated_failed_logins: " + scope + "failed logins" + other, "permission_change: " + scope + "permissions" + other,
			"new_api_token: " + scope + "API tokens" + other, "login_from_new_address: " + scope + "logins" + other,
		}},
		"PodStack": {info: everything()},
		"an archive of UpCloud": {
			info: archiveOf("upcloud"),
			want: []string{"repeated_failed_logins: UpCloud records successful logins only."},
		},
		"an archive of it without records": {info: archiveOf("upcloud", "raw"), want: []string{
			"repeated_failed_logins: UpCloud records successful logins only.",
			"new_api_token: The archive never records raw, which the rule needs.",
		}},
		"an archive of PodStack without addresses": {info: archiveOf("podstack", "raw", "ip_address"), want: []string{
			"login_from_new_address: The archive never records ip_address, which the rule needs.",
		}},
		"no such operation": {info: noFailures, want: []string{"repeated_failed_logins: No action of PodStack is known to mean login_failed."}},
		"operations": {info: everything(), q: auditlog.Query{Operations: []auditlog.Operation{"delete", "revoke"}}, want: []string{
			"repeated_failed_logins: The query leaves out login_failed, which is what the rule looks for.",
			"new_api_token: The query leaves out create, which is what the rule looks for.",
			"login_from_new_address: The query leaves out login, which is what the rule looks for.",
		}},
		"actions": {info: upcloud.Info(), q: auditlog.Query{Actions: []string{"login", "delete"}}, want: []string{
			"repeated_failed_logins: UpCloud records successful logins only.",
			"permission_change: The query leaves out grant or revoke, which is what the rule looks for.",
			"new_api_token: The query leaves out create, which is what the rule looks for.",
		}},
		"an own rule": {
			info: upcloud.Info(), own: []finding.Rule{own(`entry.operation == "delete"`, "actor", "ip_address")},
			want: []string{
				"repeated_failed_logins: UpCloud records successful logins only.",
			},
		},
		"an own group": {
			info: upcloud.Info(), own: []finding.Rule{own(`entry.operation == "delete"`, "actor", "user_agent")},
			want: []string{
				"repeated_failed_logins: UpCloud records successful logins only.",
			},
		},
		"an own condition": {
			info: upcloud.Info(), own: []finding.Rule{own(`entry.operation == "login_failed"`)},
			want: []string{
				"repeated_failed_logins: UpCloud records successful logins only.",
				"own: No entry of UpCloud can meet the condition, whatever happened.",
			},
		},
		"an own condition and a query": {
			info: everything(), q: auditlog.Query{Operations: []auditlog.Operation{
				"delete", "create", "login", "grant",
				"login_failed",
			}},
			own: []finding.Rule{own(`entry.operation == "export" && entry.actor != "x"`)}, want: []string{
				"own: No entry that the query asks for can meet the condition, whatever happened.",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var got []string
			for _, n := range (finding.Options{Builtins: finding.BuiltinNames(), Rules: tt.own}).NotEvaluable(tt.info, tt.q) {
				got = append(got, n.Rule+": "+n.Reason)
			}

			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNotEvaluableIsNotZero reads the log all the same, for its statement.
func TestNotEvaluableIsNotZero(t *testing.T) {
	t.Parallel()

	s := newLog(deletions("a", 1, 0)...)
	s.info = upcloud.Info()

	r := evaluate(t, s, theDay(), finding.Options{Builtins: []string{"repeated_failed_logins", "permission_change"}})

	if _, ok := r.CountsByRule["repeated_failed_logins"]; ok || len(r.NotEvaluable) != 1 {
		t.Errorf("got %+v", r)
	}

	if n, ok := r.CountsByRule["permission_change"]; !ok || n != 0 {
		t.Errorf("got %+v", r)
	}

	if diff := cmp.Diff(map[finding.Severity]int64{"medium": 0}, r.CountsBySeverity); diff != "" {
		t.Error(diff)
	}

	r = evaluate(t, s, theDay(), finding.Options{Builtins: []string{"repeated_failed_logins"}, Rules: []finding.Rule{{
		Name: "own", Severity: "low", Threshold: 1, Condition: condition(t, `entry.message != ""`),
	}}})
	if r.EntryCount != 1 || len(r.NotEvaluable) != 2 || len(r.CountsByRule)+len(r.CountsBySeverity) > 0 {
		t.Errorf("got %+v", r)
	}
}

// TestARuleThatMayHaveMissedSomethingHasNoZero reads an action that nobody knows.
func TestARuleThatMayHaveMissedSomethingHasNoZero(t *testing.T) {
	t.Parallel()

	obliterate := auditlog.Entry{ID: "1", Time: noon, Action: "obliterate", Operation: auditlog.OperationOther, Actor: "a"}
	o := finding.Options{
		Builtins: []string{"deletion", "mass_deletion"},
		Rules: []finding.Rule{{
			Name: "certain", Severity: "low", Threshold: 1, Condition: condition(t, `entry.action == "gone"`),
		}},
	}

	for name, tt := range map[string]struct {
		entries    []auditlog.Entry
		byRule     map[string]int64
		bySeverity map[finding.Severity]int64
		conclusive bool
	}{
		"nothing": {
			nil,
			map[string]int64{"deletion": 0, "mass_deletion": 0, "certain": 0},
			map[finding.Severity]int64{"medium": 0, "high": 0, "low": 0},
			true,
		},
		"unknown": {
			[]auditlog.Entry{obliterate},
			map[string]int64{"certain": 0},
			map[finding.Severity]int64{"low": 0},
			false,
		},
		"unknown beside": {
			append(deletions("a", 1, 0), obliterate),
			map[string]int64{"deletion": 1, "certain": 0},
			map[finding.Severity]int64{"medium": 1, "low": 0},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newLog(tt.entries...)
			s.info = upcloud.Info()

			var c auditlog.Completeness

			r, err := finding.Evaluate(t.Context(), s, theDay(), o, &c)
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.byRule, r.CountsByRule); diff != "" {
				t.Error(diff)
			}

			if diff := cmp.Diff(tt.bySeverity, r.CountsBySeverity); diff != "" {
				t.Error(diff)
			}

			if c.Conclusive() != tt.conclusive || r.Clean != tt.conclusive {
				t.Errorf("conclusive %t, clean %t", c.Conclusive(), r.Clean)
			}
		})
	}
}

// exported is a service whose source shows what it records.
type exported struct{ *log }

func (s exported) Inspect(context.Context) (auditlog.Info, error) {
	info := s.info
	info.NeverRecorded = []string{"user_agent"}

	return info, s.err
}

// archived is one that was made to keep deletions by CI only.
type archived struct{ *log }

func (archived) Unanswerable(q auditlog.Query) []*auditlog.UnanswerableError {
	all := []*auditlog.UnanswerableError{{Argument: "x", Index: -1, Reason: "The query itself."}}

	if len(q.Operations) > 0 && !slices.Contains(q.Operations, "delete") {
		all = append(all, &auditlog.UnanswerableError{Argument: "operations", Index: -1, Reason: "The archive keeps deletions, so the filter would find nothing, whatever happened."})
	}

	return all
}

// TestNotEvaluableByTheSource asks services that know more than their Info says.
func TestNotEvaluableByTheSource(t *testing.T) {
	t.Parallel()

	o := finding.Options{
		Builtins: []string{"deletion", "permission_change", "login_from_new_address"},
		Rules: []finding.Rule{
			{Name: "agents", Severity: "low", Threshold: 1, Condition: condition(t, `entry.user_agent.contains("curl")`)},
			{Name: "creations", Severity: "low", Threshold: 1, Condition: condition(t, `entry.operation == "create"`)},
			{Name: "either", Severity: "low", Threshold: 1, Condition: condition(t, `entry.operation in ["create", "delete"]`)},
		},
	}

	const kept = "The archive keeps deletions, so the rule would find nothing, whatever happened."

	for _, tt := range []struct {
		s    auditlog.Service
		want []finding.NotEvaluable
	}{
		{newLog(), nil},
		{exported{newLog()}, []finding.NotEvaluable{
			{Rule: "agents", Reason: "No entry of PodStack can meet the condition, whatever happened."},
		}},
		{archived{newLog()}, []finding.NotEvaluable{
			{Rule: "permission_change", Reason: kept},
			{Rule: "login_from_new_address", Reason: kept},
			{Rule: "creations", Reason: kept},
		}},
	} {
		r := evaluate(t, tt.s, theDay(), o)

		if diff := cmp.Diff(tt.want, r.NotEvaluable); diff != "" {
			t.Error(diff)
		}

		if len(r.CountsByRule)+len(r.NotEvaluable) != 6 {
			t.Errorf("%T: got %v", tt.s, r.CountsByRule)
		}
	}

	broken := errors.New("broken")

	var c auditlog.Completeness
	if _, err := finding.Evaluate(t.Context(), exported{&log{err: broken}}, theDay(), o, &c); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestBuiltins holds what is documented against what is evaluated.
func TestBuiltins(t *testing.T) {
	t.Parallel()

	for _, b := range finding.Builtins() {
		rule := finding.Rule{
			Name: "own", Severity: b.Severity, Threshold: b.Threshold, GroupBy: b.GroupBy,
			Condition: condition(t, b.Where),
		}
		if b.Within > 0 {
			rule.Within = &b.Within
		}

		if m := (finding.Options{Rules: []finding.Rule{rule}}).Check(); len(m) > 0 {
			t.Errorf("%s cannot be copied: %v", b.Name, m[0])
		}

		for _, text := range []string{
			b.Description, b.Never(upcloud.Info()), b.Never(cloudscale.Info()),
			b.Never(everything()), b.Caveats["podstack"],
		} {
			if text != "" && !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q is no sentence", b.Name, text)
			}
		}

		// The operations that it says it needs are all that meet the condition.
		other := everything()
		other.Operations = slices.DeleteFunc(auditlog.Operations(),
			func(op auditlog.Operation) bool { return slices.Contains(finding.OperationsOf(b), op) })

		if rule.Condition.Possible(auditlog.Query{}.Scope(other)) {
			t.Errorf("%s can be met by other operations", b.Name)
		}

		// A user's copy of the rule is as possible as the rule.
		for _, info := range []auditlog.Info{upcloud.Info(), cloudscale.Info()} {
			if b.Never(info) == "" && !rule.Condition.Possible(auditlog.Query{}.Scope(info)) {
				t.Errorf("%s is not possible with %s", b.Name, info.Title)
			}
		}
	}
}

// TestNewAPITokenWhateverTheRecordLacks is about a key that may be absent or null.
func TestNewAPITokenWhateverTheRecordLacks(t *testing.T) {
	t.Parallel()

	for raw, want := range map[string]int64{
		``: 0, `{}`: 0, `{"resource_sub_type":null}`: 0, `{"resource_sub_type":7}`: 0, `{"resource_sub_type":""}`: 0,
		`{"resource_sub_type":"session-api-token"}`: 1, `{"resource_sub_type":"subaccount-api-token"}`: 1,
		`{"resource_sub_type":"some-new-token"}`: 1,
	} {
		s := &log{
			info: upcloud.Info(),
			entries: []auditlog.Entry{{
				ID: "1", Time: noon, Operation: "create", Action: "create", Actor: "a",
				Raw: []byte(raw),
			}},
		}

		if n := evaluate(t, s, theDay(), finding.Options{Builtins: []string{"new_api_token"}}).TotalCount; n != want {
			t.Errorf("%s: %d findings, want %d", raw, n, want)
		}
	}
}
