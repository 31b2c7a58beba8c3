// SPDX-License-Identifier: MPL-2.0

package export

import (
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Statement is auditlog.Completeness as it is shown: the one place that names
// its parts, for manifests and for Terraform alike. Where to resume reading is
// left out, since a cursor is opaque and could carry anything.
type Statement struct {
	// WindowStart and WindowEnd are in auditlog.TimeLayout.
	WindowStart       string `json:"window_start"        tfsdk:"window_start"`
	WindowEnd         string `json:"window_end"          tfsdk:"window_end"`
	Pages             int64  `json:"pages"               tfsdk:"pages"`
	RowsFetched       int64  `json:"rows_fetched"        tfsdk:"rows_fetched"`
	DuplicatesDropped int64  `json:"duplicates_dropped"  tfsdk:"duplicates_dropped"`
	RowsFilteredOut   int64  `json:"rows_filtered_out"   tfsdk:"rows_filtered_out"`
	// ClaimedTotal is nil where the cloud gives no total.
	ClaimedTotal *int64 `json:"claimed_total"    tfsdk:"claimed_total"`
	Proof        string `json:"proof"            tfsdk:"proof"`
	SecondPass   bool   `json:"second_pass"      tfsdk:"second_pass"`
	// Gaps is empty, not nil, where there is none.
	Gaps []Span `json:"gaps"             tfsdk:"gaps"`
	// Caveats is empty, not nil, where there is none.
	Caveats         []string `json:"caveats"          tfsdk:"caveats"`
	RetentionDays   int64    `json:"retention_days"   tfsdk:"retention_days"`
	BeyondRetention bool     `json:"beyond_retention" tfsdk:"beyond_retention"`
	// UnknownActions and UnverifiedValues are empty, not nil, where there is none.
	UnknownActions   []string `json:"unknown_actions"   tfsdk:"unknown_actions"`
	UnverifiedValues []string `json:"unverified_values" tfsdk:"unverified_values"`
	// ClockSkewSeconds is nil where the service does not tell the time.
	ClockSkewSeconds *int64 `json:"clock_skew_seconds" tfsdk:"clock_skew_seconds"`
	Conclusive       bool   `json:"conclusive"         tfsdk:"conclusive"`
}

// Span is a part of the window, its end excluded, in auditlog.TimeLayout.
type Span struct {
	Start string `json:"start" tfsdk:"start"`
	End   string `json:"end"   tfsdk:"end"`
}

// NewStatement returns the statement of a reading that has ended.
func NewStatement(c auditlog.Completeness) Statement {
	gaps := make([]Span, 0, len(c.Gaps))
	for _, g := range c.Gaps {
		gaps = append(gaps, Span{Start: auditlog.FormatTime(g.Start), End: auditlog.FormatTime(g.End)})
	}

	var skew *int64

	if c.ClockSkew != nil {
		seconds := int64(c.ClockSkew.Round(time.Second) / time.Second)
		skew = &seconds
	}

	return Statement{
		WindowStart:       auditlog.FormatTime(c.Window.Start),
		WindowEnd:         auditlog.FormatTime(c.Window.End),
		Pages:             c.Pages,
		RowsFetched:       c.RowsFetched,
		DuplicatesDropped: c.DuplicatesDropped,
		RowsFilteredOut:   c.RowsFilteredOut,
		ClaimedTotal:      c.ClaimedTotal,
		Proof:             string(c.Proof),
		SecondPass:        c.SecondPass,
		Gaps:              gaps,
		Caveats:           append([]string{}, c.Caveats...),
		RetentionDays:     int64(c.Retention / (24 * time.Hour)),
		BeyondRetention:   c.BeyondRetention,
		UnknownActions:    append([]string{}, c.UnknownActions...),
		UnverifiedValues:  append([]string{}, c.UnverifiedValues...),
		ClockSkewSeconds:  skew,
		Conclusive:        c.Conclusive(),
	}
}
