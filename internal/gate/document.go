// SPDX-License-Identifier: MPL-2.0

package gate

import (
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// Document is a verdict as JSON. Its keys are the attributes of audit_log_findings.
type Document struct {
	Service              string            `json:"service"`
	Clean                bool              `json:"clean"`
	TotalCount           int64             `json:"total_count"`
	CountsByRule         map[string]int64  `json:"counts_by_rule"`
	CountsBySeverity     map[string]int64  `json:"counts_by_severity"`
	Findings             []Finding         `json:"findings"`
	NotEvaluable         []NotEvaluable    `json:"not_evaluable"`
	EntryCount           int64             `json:"entry_count"`
	ExpectedCount        int64             `json:"expected_count"`
	ExpectedCounts       []int64           `json:"expected_counts"`
	WindowStart          string            `json:"window_start"`
	WindowEnd            string            `json:"window_end"`
	Completeness         export.Statement  `json:"completeness"`
	BaselineCompleteness *export.Statement `json:"baseline_completeness"`
}

// Finding is a finding.Finding.
type Finding struct {
	Rule      string            `json:"rule"`
	Severity  string            `json:"severity"`
	Group     map[string]string `json:"group"`
	Count     int64             `json:"count"`
	FirstTime string            `json:"first_time"`
	LastTime  string            `json:"last_time"`
	EntryIDs  []string          `json:"entry_ids"`
	Message   string            `json:"message"`
}

// NotEvaluable is a rule that may have missed something.
type NotEvaluable struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// NewDocument returns the document of a verdict.
func NewDocument(service string, v *task.Verdict) Document {
	d := Document{
		Service: service, Clean: v.Clean, TotalCount: v.TotalCount, CountsByRule: v.CountsByRule,
		CountsBySeverity: map[string]int64{}, Findings: make([]Finding, 0, len(v.Findings)),
		NotEvaluable: make([]NotEvaluable, 0, len(v.NotEvaluable)), EntryCount: v.EntryCount,
		ExpectedCount: v.ExpectedCount, ExpectedCounts: append([]int64{}, v.ExpectedCounts...),
		WindowStart:  auditlog.FormatTime(v.Completeness.Window.Start),
		WindowEnd:    auditlog.FormatTime(v.Completeness.Window.End),
		Completeness: v.Statement, BaselineCompleteness: v.Before,
	}

	for severity, n := range v.CountsBySeverity {
		d.CountsBySeverity[string(severity)] = n
	}

	for i := range v.Findings {
		d.Findings = append(d.Findings, newFinding(&v.Findings[i]))
	}

	for _, n := range v.NotEvaluable {
		d.NotEvaluable = append(d.NotEvaluable, NotEvaluable{Rule: n.Rule, Reason: n.Reason})
	}

	return d
}

func newFinding(f *finding.Finding) Finding {
	group := map[string]string{}
	for _, g := range f.Group {
		group[g.Field] = g.Value
	}

	return Finding{
		Rule: f.Rule, Severity: string(f.Severity), Group: group, Count: f.Count,
		FirstTime: auditlog.FormatTime(f.FirstTime), LastTime: auditlog.FormatTime(f.LastTime),
		EntryIDs: append([]string{}, f.EntryIDs...), Message: f.Message,
	}
}
