// SPDX-License-Identifier: MPL-2.0

package export

import (
	"fmt"
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

// Completeness is the statement as a reading would make it, as far as it is written
// down. Whatever kept it from being conclusive still does. The error says what of it
// cannot be read.
func (s Statement) Completeness() (auditlog.Completeness, error) {
	c := auditlog.Completeness{
		Pages: s.Pages, RowsFetched: s.RowsFetched, DuplicatesDropped: s.DuplicatesDropped,
		RowsFilteredOut: s.RowsFilteredOut, ClaimedTotal: s.ClaimedTotal, Proof: auditlog.Proof(s.Proof),
		SecondPass: s.SecondPass, Caveats: s.Caveats, Retention: time.Duration(s.RetentionDays) * 24 * time.Hour,
		BeyondRetention: s.BeyondRetention, UnknownActions: s.UnknownActions, UnverifiedValues: s.UnverifiedValues,
	}

	var err error
	if c.Window, err = (Span{s.WindowStart, s.WindowEnd}).window(); err != nil {
		return auditlog.Completeness{}, err
	}

	for _, g := range s.Gaps {
		gap, err := g.window()
		if err != nil {
			return auditlog.Completeness{}, err
		}

		c.Gaps = append(c.Gaps, gap)
	}

	if s.ClockSkewSeconds != nil {
		c.ClockSkew = new(time.Duration(*s.ClockSkewSeconds) * time.Second)
	}

	if s.Conclusive || !c.Conclusive() {
		return c, nil
	}

	// Only that actions matter is not written down by itself.
	if len(c.UnknownActions) > 0 {
		c.UnknownMatters = true
	} else {
		c.Caveats = append(c.Caveats, "The manifest says that the answer is not conclusive, but not why.")
	}

	return c, nil
}

func (s Span) window() (auditlog.Window, error) {
	w := auditlog.Window{Start: timeOf(s.Start).UTC(), End: timeOf(s.End).UTC()}
	if s.Start == "" || w.Start.IsZero() || w.End.IsZero() || w.End.Before(w.Start) {
		return auditlog.Window{}, fmt.Errorf("%q to %q is no span of time", s.Start, s.End)
	}

	return w, nil
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
