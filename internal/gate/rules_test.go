// SPDX-License-Identifier: MPL-2.0

package gate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/gate"
)

const full = `# What must not happen.
builtin_rules: [deletion, mass_deletion]
baseline: 7d
max_findings: 50
fail_on_not_evaluable: true
rules:
  night work:
    where: |
      entry.operation == "delete" &&
      entry.time.getHours("Europe/Zurich") < 6
    severity: high
    threshold: 3
    within: 10m
    group_by: [actor, resource_type]
    message: Deleted at night
  any:
    where: entry.action == "start"
expected:
  - actors: ["ci-*"]
    resource_types: [server]
    rules: [deletion]
`

func TestRules(t *testing.T) {
	t.Parallel()

	r, wrong := gate.Read("rules.yml", []byte(full))
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}

	got, wrong := r.Options()
	if len(wrong) > 0 || !r.Named() || !*r.FailOnNotEvaluable {
		t.Fatal(wrong, r)
	}

	within := 10 * time.Minute
	want := finding.Options{
		Builtins: []string{"deletion", "mass_deletion"}, Baseline: 7 * 24 * time.Hour, MaxFindings: 50,
		Rules: []finding.Rule{
			{Name: "any", Severity: finding.SeverityMedium, Threshold: 1},
			{
				Name: "night work", Severity: finding.SeverityHigh, Threshold: 3, Within: &within,
				GroupBy: []string{"actor", "resource_type"}, Message: "Deleted at night",
			},
		},
		Expected: []finding.Expectation{{
			Rules: []string{"deletion"}, Actors: []string{"ci-*"}, ResourceTypes: []string{"server"},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(finding.Rule{}, "Condition")); diff != "" {
		t.Error(diff)
	}

	if slices.ContainsFunc(got.Rules, func(r finding.Rule) bool { return r.Condition == nil }) {
		t.Error("a rule has no condition")
	}
}

// TestRulesByDefault: no file, an empty list, and JSON, which is YAML as well.
func TestRulesByDefault(t *testing.T) {
	t.Parallel()

	if o, wrong := (&gate.Rules{}).Options(); len(wrong) > 0 || !o.ByDefault ||
		!slices.Equal(o.Builtins, finding.BuiltinNames()) {
		t.Error(o, wrong)
	}

	r, wrong := gate.Read("x", []byte(`{"builtin_rules": [], "rules": {"a": {"where": "entry.action == 'b'"}}}`))
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}

	if o, wrong := r.Options(); len(wrong) > 0 || o.ByDefault || len(o.Builtins) != 0 || len(o.Rules) != 1 {
		t.Error(o, wrong)
	}
}

// TestRefusedRules: each with the place.
func TestRefusedRules(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct{ text, want string }{
		"nothing":          {"", "holds no rules"},
		"comments":         {"# nothing\n", "holds no rules"},
		"null":             {"null\n", "holds no rules"},
		"two documents":    {"builtin_rules: [deletion]\n---\nbuiltin_rules: []\n", "more than one YAML document"},
		"an unknown key":   {"builtin_rules: [deletion]\nrule:\n  a: {}\n", `"rule" is not known here.|Line: 2|Column: 1`},
		"in a rule":        {"rules:\n  a:\n    where: entry.id == 'x'\n    when: now\n", `"when" is not known here.|Line: 4|Column: 5`},
		"in expected":      {"expected:\n  - actor: [x]\n", `"actor" is not known here.|Line: 2|Column: 5`},
		"a key twice":      {"baseline: 1d\nbaseline: 2d\n", `"baseline" already defined|Line: 2|Column: 1`},
		"a rule twice":     {"rules:\n  a: {where: entry.id == 'x'}\n  a: {where: entry.id == 'y'}\n", `"a" already defined|Line: 3|Column: 3`},
		"no list":          {"builtin_rules: deletion\n", "another kind|Line: 1|Column: 16"},
		"no number":        {"max_findings: many\n", "another kind|Line: 1|Column: 15"},
		"a fraction":       {"rules: {a: {where: entry.id == 'x', threshold: 1.5}}\n", "another kind|Line: 1"},
		"a number as text": {"rules: {a: {where: entry.id == 'x', threshold: '3'}}\n", "another kind|Line: 1"},
		"a text as number": {"expected: [{actors: [007]}]\n", "another kind|Line: 1|Column: 22"},
		"a text as truth":  {"rules: {a: {where: true}}\n", "another kind|Line: 1|Column: 20"},
		"no truth":         {"fail_on_not_evaluable: maybe\n", "another kind|Line: 1|Column: 24"},
		"no YAML":          {"rules: [\n", "no YAML that can be read"},
		"a tab":            {"rules:\n\ta: 1\n", "no YAML that can be read"},
		"an anchor":        {"builtin_rules: &a [deletion]\nexpected: [{rules: *a}]\n", "Anchors, aliases and merge keys are not read.|Line: 1"},
		"no such rule":     {"builtin_rules:\n  - deletion\n  - deletions\n", "No such rule is built in|Line: 3|Column: 5"},
		"no rule":          {"builtin_rules: []\n", "There is no rule"},
		"no condition":     {"rules:\n  a:\n    severity: high\n", `"a" has no condition|Line: 3`},
		"null rule":        {"rules:\n  a:\n", `"a" has no condition`},
		"a bad condition":  {"rules:\n  a:\n    where: entry.actr == 'x'\n", "Line: 3|Column: 12"},
		"no severity":      {"rules:\n  a:\n    where: entry.id == 'x'\n    severity: urgent\n", "not a severity|Line: 4|Column: 15"},
		"a threshold of 0": {"rules:\n  a:\n    where: entry.id == 'x'\n    threshold: 0\n", "threshold is 0|Line: 4|Column: 16"},
		"no span":          {"rules:\n  a:\n    where: entry.id == 'x'\n    within: soon\n", "within|Line: 4|Column: 13"},
		"a span of 0":      {"baseline: 0s\n", "baseline|Line: 1|Column: 11"},
		"no field":         {"rules:\n  a:\n    where: entry.id == 'x'\n    group_by: [actor, who]\n", "no such field|Line: 4|Column: 23"},
		"an odd name":      {"rules:\n  \"a.b['c']\":\n    where: entry.id == 'x'\n    severity: urgent\n", "not a severity|Line:"},
		"a built-in name":  {"rules:\n  deletion:\n    where: entry.id == 'x'\n", "is built in|Line:"},
		"out of range":     {"max_findings: 100000\n", "out of range|Line: 1|Column: 15"},
		"expects nothing":  {"expected:\n  - rules: [deletion]\n", "Line: 2"},
		"expects a stranger": {
			"expected:\n  - rules: [delet]\n    actors: [x]\n", "Line: 2|Column: 13",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r, wrong := gate.Read("rules.yml", []byte(tc.text))
			if len(wrong) == 0 {
				_, wrong = r.Options()
			}

			if !wrong.HasError() {
				t.Fatal("nothing is wrong with it")
			}

			shown := wrong[0].In(explain.Flags)
			for _, part := range append(strings.Split(tc.want, "|"), "File: rules.yml") {
				if !strings.Contains(shown, part) {
					t.Errorf("it lacks %q:\n%s", part, shown)
				}
			}
		})
	}
}

// FuzzRules: whatever a file holds, it is read or refused.
func FuzzRules(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("rules: {a: {where: 1}}"))
	f.Add([]byte("? [a]\n: b"))
	f.Add([]byte("rules: !!set {a}"))

	f.Fuzz(func(t *testing.T, text []byte) {
		r, wrong := gate.Read("x", text)
		if (r == nil) == (len(wrong) == 0) {
			t.Fatal(r, wrong)
		}

		if r != nil {
			r.Options()
		}
	})
}

func TestDigest(t *testing.T) {
	t.Parallel()

	digest := func(text string, others ...any) string {
		r, wrong := gate.Read("x", []byte(text))
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}

		d, err := r.Digest(others...)
		if err != nil {
			t.Fatal(err)
		}

		return d
	}

	same := digest("baseline: 1d\nbuiltin_rules: [deletion]", "q")
	if same != digest("# A comment.\nbuiltin_rules:\n  - deletion\nbaseline: 1d\n", "q") {
		t.Error("the same rules have another digest")
	}

	for _, other := range []string{
		digest("baseline: 2d\nbuiltin_rules: [deletion]", "q"), digest("baseline: 1d", "q"),
		digest("baseline: 1d\nbuiltin_rules: [deletion]", "p"),
	} {
		if other == same {
			t.Error("other rules have the same digest")
		}
	}
}
