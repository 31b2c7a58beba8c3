// SPDX-License-Identifier: MPL-2.0

package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// The objects of SARIF 2.1.0 that a check needs. Names and meanings are those of the
// standard (docs.oasis-open.org/sarif/sarif/v2.1.0). The libraries for it write property
// bags in a way that no reader of security-severity finds.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}

	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties,omitempty"`
	}

	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}

	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}

	sarifRule struct {
		ID                   string         `json:"id"`
		Name                 string         `json:"name"`
		ShortDescription     sarifText      `json:"shortDescription"`
		DefaultConfiguration sarifLevel     `json:"defaultConfiguration"`
		Properties           map[string]any `json:"properties"`
	}

	sarifText struct {
		Text string `json:"text"`
	}

	sarifLevel struct {
		Level string `json:"level"`
	}

	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		ExitCode            int                 `json:"exitCode"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}

	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}

	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		OccurrenceCount     int64             `json:"occurrenceCount"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          map[string]any    `json:"properties"`
	}

	sarifLocation struct {
		LogicalLocations []sarifLogicalLocation `json:"logicalLocations"`
	}

	sarifLogicalLocation struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
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
	invocation := sarifInvocation{ExecutionSuccessful: code != Unknown, ExitCode: code}

	level := "warning"
	if code == Unknown {
		level = "error"
	}

	for _, why := range r.undecided() {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{level, sarifText{why}})
	}

	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "auditlog", Version: r.Tool, InformationURI: information, Rules: []sarifRule{},
		}},
		Invocations: []sarifInvocation{invocation}, Results: []sarifResult{},
	}

	for _, rule := range r.rules() {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: rule.name, Name: rule.name, ShortDescription: sarifText{rule.description},
			DefaultConfiguration: sarifLevel{levels[rule.severity].level},
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

	out, err := exactjson.Marshal(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	}, "  ")
	if err != nil {
		return nil, fmt.Errorf("write SARIF: %w", err)
	}

	return out, nil
}

func (r *Report) result(f *finding.Finding) sarifResult {
	found := newFinding(f)

	return sarifResult{
		RuleID: f.Rule, Level: levels[f.Severity].level, Message: sarifText{sentence(f) + " [" + when(f) + "]"},
		Locations: []sarifLocation{{[]sarifLogicalLocation{{
			Name: r.Info.Title + " audit log", Kind: "resource",
			FullyQualifiedName: screen.Text(strings.TrimSuffix(r.Info.Name+"/"+f.Rule+"/"+Who(f), "/")),
		}}}},
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
