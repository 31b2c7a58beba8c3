// SPDX-License-Identifier: MPL-2.0

package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/sarif"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// levels are SARIF's own words for severities, and the numbers by which code scanning
// tools sort.
var levels = map[finding.Severity]struct{ level, number string }{
	finding.SeverityCritical: {"error", "9.5"}, finding.SeverityHigh: {"error", "8.0"},
	finding.SeverityMedium: {"warning", "5.5"}, finding.SeverityLow: {"note", "3.0"},
	finding.SeverityInfo: {"note", "0.0"},
}

// SARIF writes the findings as results.
func (r *Report) SARIF() ([]byte, error) {
	code := Code(r.Verdict, r.Problems)
	invocation := sarif.Invocation{ExecutionSuccessful: code != Unknown, ExitCode: code}

	level := "warning"
	if code == Unknown {
		level = "error"
	}

	for _, why := range r.undecided() {
		n := sarif.Notification{Level: level, Message: sarif.Text{Text: why}}
		invocation.Notifications = append(invocation.Notifications, n)
	}

	run := sarif.NewRun(r.Tool, "gates")
	run.Invocations = []sarif.Invocation{invocation}

	for _, rule := range r.rules() {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarif.Rule{
			ID: rule.name, Name: rule.name, ShortDescription: sarif.Text{Text: rule.description},
			DefaultConfiguration: sarif.Level{Level: levels[rule.severity].level},
			Properties: map[string]any{
				"security-severity": levels[rule.severity].number, "tags": []string{"security", "audit"},
			},
		})
	}

	if v := r.Verdict; v != nil {
		run.Properties = map[string]any{
			"window_start": auditlog.FormatTime(v.Completeness.Window.Start),
			"window_end":   auditlog.FormatTime(v.Completeness.Window.End),
			"entry_count":  v.EntryCount,
		}

		for i := range v.Findings {
			run.Results = append(run.Results, r.result(&v.Findings[i]))
		}
	}

	return run.Marshal()
}

func (r *Report) result(f *finding.Finding) sarif.Result {
	found := newFinding(f)

	return sarif.Result{
		RuleID: f.Rule, Level: levels[f.Severity].level, Message: sarif.Text{Text: sentence(f) + " [" + when(f) + "]"},
		Locations: sarif.Resource(r.Info.Title+" audit log",
			screen.Text(strings.TrimSuffix(r.Info.Name+"/"+f.Rule+"/"+Who(f), "/"))),
		OccurrenceCount: f.Count, PartialFingerprints: map[string]string{"auditlogFinding/v1": fingerprint(f)},
		Properties: map[string]any{
			"severity": found.Severity, "group": found.Group, "first_time": found.FirstTime, "last_time": found.LastTime,
			"entry_ids": found.EntryIDs,
		},
	}
}

// fingerprint is the same for the same finding, whichever window it was found in.
func fingerprint(f *finding.Finding) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q %q", f.Rule, f.EntryIDs[:min(len(f.EntryIDs), 1)]) // It never fails.

	return hex.EncodeToString(h.Sum(nil))
}
