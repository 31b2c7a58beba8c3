// SPDX-License-Identifier: MPL-2.0

// Package sarif has the objects of SARIF 2.1.0 that results are shown with to code scanning tools. Names and meanings
// are those of the standard (docs.oasis-open.org/sarif/sarif/v2.1.0). The libraries for it write property bags in a way
// that no reader of security-severity finds.
package sarif

import (
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

type (
	// Run is one run of a tool. Rules and results are empty, not nil, where there are none.
	Run struct {
		Tool        Tool           `json:"tool"`
		Invocations []Invocation   `json:"invocations"`
		Results     []Result       `json:"results"`
		Properties  map[string]any `json:"properties,omitempty"`
	}

	// Tool is who made the results.
	Tool struct {
		Driver Driver `json:"driver"`
	}

	// Driver is the tool's only part.
	Driver struct {
		Name           string `json:"name"`
		Version        string `json:"version"`
		InformationURI string `json:"informationUri"`
		Rules          []Rule `json:"rules"`
	}

	// Rule is what results are of.
	Rule struct {
		ID                   string         `json:"id"`
		Name                 string         `json:"name"`
		ShortDescription     Text           `json:"shortDescription"`
		DefaultConfiguration Level          `json:"defaultConfiguration"`
		Properties           map[string]any `json:"properties,omitempty"`
	}

	// Text is a text for people.
	Text struct {
		Text string `json:"text"`
	}

	// Level is error, warning or note.
	Level struct {
		Level string `json:"level"`
	}

	// Invocation says how the run ended.
	Invocation struct {
		ExecutionSuccessful bool           `json:"executionSuccessful"`
		ExitCode            int            `json:"exitCode"`
		Notifications       []Notification `json:"toolExecutionNotifications,omitempty"`
	}

	// Notification is what was in the way.
	Notification struct {
		Level   string `json:"level"`
		Message Text   `json:"message"`
	}

	// Result is something that was found.
	Result struct {
		RuleID              string            `json:"ruleId"`
		Level               string            `json:"level"`
		Message             Text              `json:"message"`
		Locations           []Location        `json:"locations"`
		OccurrenceCount     int64             `json:"occurrenceCount,omitempty"`
		PartialFingerprints map[string]string `json:"partialFingerprints,omitempty"`
		Properties          map[string]any    `json:"properties,omitempty"`
	}

	// Location is where a result is.
	Location struct {
		LogicalLocations []LogicalLocation `json:"logicalLocations"`
	}

	// LogicalLocation is a place that is in no file.
	LogicalLocation struct {
		Name               string `json:"name,omitempty"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

const guides = "https://registry.terraform.io/providers/auditlogs/audit/latest/docs/guides/"

// NewRun returns a run of our command without rules and results. The guide says what they mean.
func NewRun(version, guide string) Run {
	driver := Driver{Name: "auditlog", Version: version, InformationURI: guides + guide, Rules: []Rule{}}

	return Run{Tool: Tool{driver}, Results: []Result{}}
}

// Resource is the place of a result that is about a resource.
func Resource(name, qualified string) []Location {
	return []Location{{[]LogicalLocation{{Name: name, FullyQualifiedName: qualified, Kind: "resource"}}}}
}

// Marshal writes the log of one run.
func (r *Run) Marshal() ([]byte, error) {
	out, err := exactjson.Marshal(struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []Run  `json:"runs"`
	}{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []Run{*r}}, "  ")
	if err != nil {
		return nil, fmt.Errorf("write SARIF: %w", err)
	}

	return out, nil
}
