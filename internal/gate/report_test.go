// SPDX-License-Identifier: MPL-2.0

package gate_test

import (
	"encoding/json"
	"encoding/xml"
	"testing"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/gate"
	"github.com/auditlogs/terraform-provider-audit/internal/sarif/sariftest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

func noon() time.Time { return time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC) }

// reading is the statement of a reading that found everything.
func reading() auditlog.Completeness {
	total := int64(7)

	return auditlog.Completeness{
		Window: auditlog.Window{Start: noon().Add(-24 * time.Hour), End: noon()}, Pages: 1, RowsFetched: 7,
		ClaimedTotal: &total, Proof: auditlog.ProofTotal, Retention: 180 * 24 * time.Hour,
		Source: auditlog.Source{Service: "upcloud", Endpoint: "https://api.upcloud.com", Account: "main"},
	}
}

// found is a verdict with two findings, one of which is by a hostile name.
func found(change func(*auditlog.Completeness, *finding.Result)) *task.Verdict {
	r := &finding.Result{
		Findings: []finding.Finding{
			{
				Rule: "night_work", Severity: finding.SeverityHigh,
				Group: []finding.GroupValue{
					{Field: "actor", Value: "maria\x1b[2J]]><b>"}, {Field: "resource_type", Value: "server"},
				},
				Count: 3, FirstTime: noon().Add(-2 * time.Hour), LastTime: noon().Add(-time.Hour),
				EntryIDs: []string{"a", "b", "c"}, Message: "Deleted at night",
			},
			{
				Rule: "deletion", Severity: finding.SeverityMedium, Group: []finding.GroupValue{{Field: "actor", Value: "jonas"}},
				Count: 1, FirstTime: noon().Add(-3 * time.Hour), LastTime: noon().Add(-3 * time.Hour),
				EntryIDs: []string{"d"}, Message: "1 deletion",
			},
		},
		TotalCount: 2, CountsByRule: map[string]int64{"night_work": 1, "deletion": 1, "new_api_token": 0},
		CountsBySeverity: map[finding.Severity]int64{finding.SeverityHigh: 1, finding.SeverityMedium: 1},
		NotEvaluable: []finding.NotEvaluable{{
			Rule: "repeated_failed_logins", Reason: "UpCloud records successful logins only.", ByNature: true,
		}, {
			Rule: "new_api_token", Reason: "The log holds actions that nobody knows: \x1b]]>.", Actions: []string{"\x1b]]>"},
		}},
		EntryCount: 7, ExpectedCounts: []int64{},
	}

	c := reading()
	if change != nil {
		change(&c, r)
	}

	return &task.Verdict{Result: r, Completeness: c, Statement: export.NewStatement(c)}
}

func clean(c *auditlog.Completeness, r *finding.Result) {
	r.Findings, r.TotalCount, r.CountsByRule, r.CountsBySeverity = nil, 0, map[string]int64{"deletion": 0},
		map[finding.Severity]int64{finding.SeverityMedium: 0}
	r.Clean = c.Conclusive()
}

func failure() explain.Problems {
	return explain.Problems{{Summary: "Read UpCloud audit logs", Cause: "The service kept failing.", Next: "Try again."}}
}

func TestCode(t *testing.T) {
	t.Parallel()

	gap := func(c *auditlog.Completeness, r *finding.Result) {
		c.Gaps = []auditlog.Window{{Start: noon().Add(-time.Hour), End: noon()}}
		clean(c, r)
	}

	partly := func(c *auditlog.Completeness, _ *finding.Result) { c.Gaps = []auditlog.Window{{}} }
	late := func(c *auditlog.Completeness, _ *finding.Result) { c.BeyondRetention = true }

	for name, tc := range map[string]struct {
		v        *task.Verdict
		problems explain.Problems
		want     int
	}{
		"clean":                           {found(clean), nil, gate.Clean},
		"clean, with a warning":           {found(clean), explain.Problems{explain.Problem{}.AsWarning()}, gate.Clean},
		"found":                           {found(nil), nil, gate.Found},
		"no verdict":                      {nil, failure(), gate.Unknown},
		"found, and an error":             {found(nil), failure(), gate.Unknown},
		"a gap":                           {found(gap), nil, gate.Unknown},
		"found, and a gap":                {found(partly), nil, gate.Unknown},
		"found, and beyond the retention": {found(late), nil, gate.Unknown},
		"a caveat": {found(func(c *auditlog.Completeness, r *finding.Result) {
			c.Caveats = []string{"Something."}
			clean(c, r)
		}), nil, gate.Unknown},
	} {
		if got := gate.Code(tc.v, tc.problems); got != tc.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tc.want)
		}
	}
}

// reports are what the forms are written of.
func reports() map[string]gate.Report {
	rules := finding.Options{
		Builtins: []string{"deletion", "new_api_token", "repeated_failed_logins"}, ByDefault: true,
		Rules: []finding.Rule{{Name: "night_work", Severity: finding.SeverityHigh, Message: "Deleted at night"}},
	}
	of := func(v *task.Verdict, problems explain.Problems) gate.Report {
		return gate.Report{Tool: "1.2.3", Info: upcloud.Info(), Rules: rules, Verdict: v, Problems: problems}
	}

	return map[string]gate.Report{
		"found": of(found(nil), nil), "clean": of(found(clean), nil), "failed": of(nil, failure()),
		"gap": of(found(func(c *auditlog.Completeness, r *finding.Result) {
			c.Gaps = []auditlog.Window{{Start: noon().Add(-time.Hour), End: noon()}}
			clean(c, r)
		}), nil),
	}
}

func TestSARIF(t *testing.T) {
	t.Parallel()

	for name, r := range reports() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			text, err := r.SARIF()
			if err != nil {
				t.Fatal(err)
			}

			auditlogtest.Golden(t, name+".sarif", string(text))

			if err := sariftest.Check(t, text); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSARIFSchemaRefuses makes sure that the schema refuses anything.
func TestSARIFSchemaRefuses(t *testing.T) {
	t.Parallel()

	text := `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"level":"bad","message":{"text":""}}]}]}`
	if sariftest.Check(t, []byte(text)) == nil {
		t.Error("a level that there is not was accepted")
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()

	want := map[string][4]int{ // tests, failures, errors, skipped
		"found": {5, 2, 0, 2}, "clean": {5, 0, 0, 2}, "failed": {1, 0, 1, 0}, "gap": {5, 0, 1, 2},
	}

	for name, r := range reports() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			text, err := r.JUnit()
			if err != nil {
				t.Fatal(err)
			}

			auditlogtest.Golden(t, name+".junit.xml", string(text))

			var parsed junit.Testsuites
			if err := xml.Unmarshal(text, &parsed); err != nil {
				t.Fatal(err)
			}

			if got := [4]int{parsed.Tests, parsed.Failures, parsed.Errors, parsed.Skipped}; got != want[name] {
				t.Errorf("tests, failures, errors, skipped: %v, want %v", got, want[name])
			}
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()

	for name, r := range reports() {
		if r.Verdict == nil {
			continue
		}

		text, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}

		auditlogtest.Golden(t, name+".json", string(text))

		var parsed gate.Document
		if err := json.Unmarshal(text, &parsed); err != nil || parsed.Clean != r.Verdict.Clean ||
			len(parsed.Findings) != len(r.Verdict.Findings) {
			t.Errorf("%s: %v, %+v", name, err, parsed)
		}
	}
}
