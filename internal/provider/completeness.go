// SPDX-License-Identifier: MPL-2.0

package provider

import (
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
		{"proof", "Why nothing is missing: `total_matches` (as many different records came as the service counts), `cursor_exhausted` (the service's cursor was followed to its end), `exports_read` (every record of the console's exports was read) or `chain_verified` (every segment is what the archive's chain says).", types.StringType},
		{"second_pass", "Whether a first reading did not add up and was repeated.", types.BoolType},
		{"gaps", "Parts of the window that the source holds nothing about, each `{start, end}`; what happened there is not known. Only console exports and archives have gaps.", gapsType()},
		{"caveats", "What else the reading cannot show, one sentence each: what the filters of an archive left out of it, what its redaction may hide from a filter, columns that some exports lack, and addresses that are masked where blocks are asked for.", types.ListType{ElemType: types.StringType}},
		{"retention_days", "How many days the service keeps entries; `0` for an archive, which drops none.", types.Int64Type},
		{"beyond_retention", "Whether the window begins before the retention, so that an empty part of it proves nothing.", types.BoolType},
		{"unknown_actions", "Actions that are not known to mean any operation, of entries that answer the query, or would if their action meant something else.", types.ListType{ElemType: types.StringType}},
		{"unverified_values", "Values of filters and conditions, each as `argument: value`, that neither the service's documentation nor its log confirms, so that they may be misspelt.", types.ListType{ElemType: types.StringType}},
		{"clock_skew_seconds", "How many seconds the service's clock is ahead of this machine's, as far as its answers show beyond doubt; null where they do not tell the time.", types.Int64Type},
		{"conclusive", "Whether an empty result means that nothing happened: the reading is proven, there are no `gaps`, no `caveats` and no `unverified_values`, the window does not begin before the retention, and no unknown action may have hidden anything.", types.BoolType},
	}
}

func gapType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{"start": types.StringType, "end": types.StringType}}
}

func gapsType() types.ListType { return types.ListType{ElemType: gapType()} }

// elementOf returns what a list is of.
func elementOf(kind attr.Type) attr.Type {
	list, ok := kind.(types.ListType)
	if !ok {
		return nil // Every other kind was named.
	}

	return list.ElemType
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
func completenessValue(s export.Statement) types.Object {
	gaps := make([]attr.Value, 0, len(s.Gaps))
	for _, g := range s.Gaps {
		gaps = append(gaps, types.ObjectValueMust(gapType().AttrTypes, map[string]attr.Value{
			"start": types.StringValue(g.Start), "end": types.StringValue(g.End),
		}))
	}

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
		"gaps":               types.ListValueMust(gapType(), gaps),
		"caveats":            textsValue(s.Caveats),
		"retention_days":     types.Int64Value(s.RetentionDays),
		"beyond_retention":   types.BoolValue(s.BeyondRetention),
		"unknown_actions":    textsValue(s.UnknownActions),
		"unverified_values":  textsValue(s.UnverifiedValues),
		"clock_skew_seconds": types.Int64PointerValue(s.ClockSkewSeconds),
		"conclusive":         types.BoolValue(s.Conclusive),
	})
}

func textsValue(texts []string) types.List {
	values := make([]attr.Value, 0, len(texts))
	for _, text := range texts {
		values = append(values, types.StringValue(text))
	}

	return types.ListValueMust(types.StringType, values)
}

func timeValue(t time.Time) types.String { return types.StringValue(auditlog.FormatTime(t)) }
