// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

type auditLogsModel struct {
	lookUpModel

	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

// lookUpModel is what the data source and the ephemeral resource share.
type lookUpModel struct {
	queryModel

	MaxEntries     types.Int64  `tfsdk:"max_entries"`
	OnOverflow     types.String `tfsdk:"on_overflow"`
	Order          types.String `tfsdk:"order"`
	IncludeEntries types.Bool   `tfsdk:"include_entries"`
	IncludeRaw     types.Bool   `tfsdk:"include_raw"`
	Redact         types.Map    `tfsdk:"redact"`

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

// set takes what was found but for the rows, which leaveRows takes.
func (m *lookUpModel) set(found *task.Found) {
	if m.Redact.IsNull() {
		m.Redact = types.MapNull(types.StringType) // The zero value has no type, which a state refuses.
	}

	m.Entries = types.ListNull(types.ObjectType{AttrTypes: entryAttributeTypes()})
	m.TotalCount = types.Int64Value(found.Total)
	m.CountsByAction = countsValue(found.ByAction)
	m.CountsByOperation = countsValue(found.ByOperation)
	m.CountsByActor = countsValue(found.ByActor)
	m.CountsByResourceType = countsValue(found.ByResourceType)
	m.WindowStart = timeValue(found.Completeness.Window.Start)
	m.WindowEnd = timeValue(found.Completeness.Window.End)
	m.Completeness = completenessValue(found.Statement)
}

func countsValue(counts map[string]int64) types.Map {
	values := make(map[string]attr.Value, len(counts))
	for key, n := range counts {
		values[key] = types.Int64Value(n)
	}

	return types.MapValueMust(types.Int64Type, values)
}
