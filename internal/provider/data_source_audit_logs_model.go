// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

type auditLogsModel struct {
	queryModel

	MaxEntries     types.Int64    `tfsdk:"max_entries"`
	OnOverflow     types.String   `tfsdk:"on_overflow"`
	Order          types.String   `tfsdk:"order"`
	IncludeEntries types.Bool     `tfsdk:"include_entries"`
	IncludeRaw     types.Bool     `tfsdk:"include_raw"`
	Redact         types.Map      `tfsdk:"redact"`
	Timeouts       timeouts.Value `tfsdk:"timeouts"`

	Entries              types.List   `tfsdk:"entries"`
	TotalCount           types.Int64  `tfsdk:"total_count"`
	CountsByAction       types.Map    `tfsdk:"counts_by_action"`
	CountsByOperation    types.Map    `tfsdk:"counts_by_operation"`
	CountsByActor        types.Map    `tfsdk:"counts_by_actor"`
	CountsByResourceType types.Map    `tfsdk:"counts_by_resource_type"`
	WindowStart          types.String `tfsdk:"window_start"`
	WindowEnd            types.String `tfsdk:"window_end"`
	Completeness         types.Object `tfsdk:"completeness"`
}

// set writes what was found into the state, rows last and by hand.
func (m *auditLogsModel) set(ctx context.Context, state *tfsdk.State, info auditlog.Info, found *lookedUp) diag.Diagnostics {
	if m.Redact.IsNull() {
		m.Redact = types.MapNull(types.StringType) // The zero value has no type, which a state refuses.
	}

	m.Entries = types.ListNull(types.ObjectType{AttrTypes: entryAttributeTypes()})
	m.TotalCount = types.Int64Value(found.total)
	m.CountsByAction = countsValue(found.byAction)
	m.CountsByOperation = countsValue(found.byOperation)
	m.CountsByActor = countsValue(found.byActor)
	m.CountsByResourceType = countsValue(found.byResourceType)
	m.WindowStart = timeValue(found.completeness.Window.Start)
	m.WindowEnd = timeValue(found.completeness.Window.End)
	m.Completeness = completenessValue(found.completeness)

	diags := state.Set(ctx, m)

	if found.entries != nil {
		if err := setEntries(state, found.entries, m.IncludeRaw.ValueBool()); err != nil {
			diags.Append(problem{
				summary: lookUpSummary,
				cause:   sentence(err.Error()),
				next:    "This is a mistake in the provider; please report it.",
			}.diagnostic())
		}
	}

	diags.Append(completenessWarnings(info, found.completeness)...)

	return diags
}

func countsValue(counts map[string]int64) types.Map {
	values := make(map[string]attr.Value, len(counts))
	for key, n := range counts {
		values[key] = types.Int64Value(n)
	}

	return types.MapValueMust(types.Int64Type, values)
}
