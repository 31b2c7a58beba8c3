// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// completenessFields describes the attributes of a completeness object.
func completenessFields() []struct {
	name, description string
	kind              attr.Type
} {
	return []struct {
		name, description string
		kind              attr.Type
	}{
		{"window_start", "Begin of the window that was read, included.", types.StringType},
		{"window_end", "End of the window that was read, excluded.", types.StringType},
		{"pages", "How many pages were read, repeated ones included.", types.Int64Type},
		{"rows_fetched", "How many records the pages held: duplicates, filtered out ones and matches together.", types.Int64Type},
		{"duplicates_dropped", "How many of the fetched records had been fetched before.", types.Int64Type},
		{"rows_filtered_out", "How many of the fetched records the query did not ask for.", types.Int64Type},
		{"claimed_total", "How many different records the service said there are; null where a service gives no total.", types.Int64Type},
		{"proof", "Why nothing is missing: `total_matches` (as many different records came as the service counts) or `cursor_exhausted` (the service's cursor was followed to its end).", types.StringType},
		{"second_pass", "Whether a first reading did not add up and was repeated.", types.BoolType},
		{"retention_days", "How many days the service keeps entries.", types.Int64Type},
		{"beyond_retention", "Whether the window begins before the retention, so that an empty part of it proves nothing.", types.BoolType},
	}
}

func completenessTypes() map[string]attr.Type {
	kinds := map[string]attr.Type{}
	for _, f := range completenessFields() {
		kinds[f.name] = f.kind
	}

	return kinds
}

// completenessValue shows a statement. Its parts are named by export.Statement,
// as in manifests.
func completenessValue(c auditlog.Completeness) types.Object {
	s := export.NewStatement(c)

	return types.ObjectValueMust(completenessTypes(), map[string]attr.Value{
		"window_start":       types.StringValue(s.WindowStart),
		"window_end":         types.StringValue(s.WindowEnd),
		"pages":              types.Int64Value(s.Pages),
		"rows_fetched":       types.Int64Value(s.RowsFetched),
		"duplicates_dropped": types.Int64Value(s.DuplicatesDropped),
		"rows_filtered_out":  types.Int64Value(s.RowsFilteredOut),
		"claimed_total":      types.Int64PointerValue(s.ClaimedTotal),
		"proof":              types.StringValue(s.Proof),
		"second_pass":        types.BoolValue(s.SecondPass),
		"retention_days":     types.Int64Value(s.RetentionDays),
		"beyond_retention":   types.BoolValue(s.BeyondRetention),
	})
}

func timeValue(t time.Time) types.String { return types.StringValue(auditlog.FormatTime(t)) }

// retentionWarning says that a part of the window proves nothing.
func retentionWarning(info auditlog.Info, c auditlog.Completeness) problem {
	return problem{
		summary: "The window begins before the service's retention",
		cause:   info.Title + " keeps entries for " + strconv.FormatInt(export.NewStatement(c).RetentionDays, 10) + " days, so what lies further back is gone and its absence proves nothing.",
		next:    "Let the window begin later, or set retention in the provider configuration if your account keeps entries longer.",
	}.with("Service", info.Name).with("Window", c.Window.String())
}
