// SPDX-License-Identifier: MPL-2.0

package gate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// Report is all that is known of a check, for whoever writes it down.
type Report struct {
	// Tool is the program's version.
	Tool string
	Info auditlog.Info
	// Rules are those that were asked for.
	Rules finding.Options
	// Verdict is nil where an error came before it.
	Verdict  *task.Verdict
	Problems explain.Problems
}

const program = "auditlog check"

// ruleText is a rule as reports name it.
type ruleText struct {
	name, description string
	severity          finding.Severity
}

func (r *Report) rules() []ruleText {
	var all []ruleText

	for _, b := range finding.Builtins() {
		if slices.Contains(r.Rules.Builtins, b.Name) {
			all = append(all, ruleText{b.Name, b.Description, b.Severity})
		}
	}

	for i := range r.Rules.Rules {
		rule := &r.Rules.Rules[i]
		all = append(all, ruleText{rule.Name, cmp.Or(rule.Message, "A rule of your own."), rule.Severity})
	}

	return all
}

// Who says who did it, as far as the rule tells people apart; "" where it does not.
func Who(f *finding.Finding) string {
	for _, g := range f.Group {
		if g.Field == "actor" {
			return g.Value
		}
	}

	return ""
}

// Where says what else the entries of a finding have in common, as "field: value".
func Where(f *finding.Finding) string {
	var parts []string

	for _, g := range f.Group {
		if g.Field != "actor" && g.Value != "" {
			parts = append(parts, g.Field+": "+g.Value)
		}
	}

	return strings.Join(parts, ", ")
}

// sentence is a finding on one line, fit to be shown: XML has no word for some characters.
func sentence(f *finding.Finding) string {
	text := f.Message
	if who := Who(f); who != "" && !strings.Contains(text, who) {
		text = who + ": " + text
	}

	if where := Where(f); where != "" {
		text += " (" + where + ")"
	}

	return screen.Text(text)
}

// when is the span of a finding.
func when(f *finding.Finding) string {
	if f.FirstTime.Equal(f.LastTime) {
		return auditlog.FormatTime(f.FirstTime)
	}

	return auditlog.FormatTime(f.FirstTime) + " to " + auditlog.FormatTime(f.LastTime)
}

// undecided says in a sentence each why the check cannot tell, or may have missed something.
func (r *Report) undecided() []string {
	var all []string

	if v := r.Verdict; v != nil {
		for _, w := range v.Completeness.Gaps {
			all = append(all, "Nothing is known of "+w.String()+".")
		}

		if v.Completeness.BeyondRetention {
			all = append(all, "The window begins before what the service still keeps.")
		}

		for _, n := range v.NotEvaluable {
			if len(n.Actions) > 0 || !n.ByNature || !r.Rules.ByDefault {
				all = append(all, "Rule "+n.Rule+": "+n.Reason)
			}
		}
	}

	for i := range r.Problems {
		if p := &r.Problems[i]; !p.Warning {
			all = append(all, p.Summary+": "+p.Cause.In(explain.Flags))
		}
	}

	if len(all) == 0 && Code(r.Verdict, r.Problems) == Unknown {
		all = append(all, "Finding nothing does not mean that nothing happened: the reading is not conclusive.")
	}

	for i := range all {
		all[i] = screen.Text(all[i]) // It can hold what stands in the log.
	}

	return all
}

// JSON writes the verdict, which has to be there.
func (r *Report) JSON() ([]byte, error) {
	text, err := exactjson.Marshal(NewDocument(r.Info.Name, r.Verdict), "  ")
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}

	return text, nil
}

// JUnit writes a test suite of a case for each rule, and one that says whether the check
// could tell.
func (r *Report) JUnit() ([]byte, error) {
	suite := junit.Testsuite{Name: program + " " + r.Info.Name, Time: "0"}

	if v := r.Verdict; v != nil {
		suite.Timestamp = v.Completeness.Window.End.UTC().Format("2006-01-02T15:04:05")
		suite.AddProperty("window_start", auditlog.FormatTime(v.Completeness.Window.Start))
		suite.AddProperty("window_end", auditlog.FormatTime(v.Completeness.Window.End))

		for _, rule := range r.rules() {
			suite.AddTestcase(r.testcase(rule))
		}
	}

	complete := junit.Testcase{Name: "everything could be checked", Classname: program, Time: "0"}
	if why := r.undecided(); Code(r.Verdict, r.Problems) == Unknown {
		complete.Error = &junit.Result{Message: why[0], Type: "unknown", Data: strings.Join(why, "\n")}
	}

	suite.AddTestcase(complete)

	suites := junit.Testsuites{Name: program}
	suites.AddSuite(suite)

	var b bytes.Buffer

	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")

	if err := suites.WriteXML(&b); err != nil {
		return nil, fmt.Errorf("write JUnit's XML: %w", err)
	}

	return b.Bytes(), nil
}

func (r *Report) testcase(rule ruleText) junit.Testcase {
	c := junit.Testcase{Name: rule.name, Classname: program, Time: "0"}

	var lines []string

	for i := range r.Verdict.Findings {
		if f := &r.Verdict.Findings[i]; f.Rule == rule.name {
			lines = append(lines, when(f)+"  "+sentence(f))
		}
	}

	if n := r.Verdict.CountsByRule[rule.name]; n > 0 {
		c.Failure = &junit.Result{
			Message: fmt.Sprintf("%d found: %s", n, rule.description), Type: string(rule.severity),
			Data: strings.Join(lines, "\n"),
		}

		return c
	}

	for _, n := range r.Verdict.NotEvaluable {
		if n.Rule == rule.name {
			c.Skipped = &junit.Result{Message: screen.Text(n.Reason)}
		}
	}

	return c
}
