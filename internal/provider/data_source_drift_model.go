// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// driftModel is what the data source looks like in a configuration and in a state.
type driftModel struct {
	Service     types.String `tfsdk:"service"`
	Destination types.String `tfsdk:"destination"`
	PublicKeys  types.List   `tfsdk:"public_keys"`

	Last                 types.String `tfsdk:"last"`
	Start                types.String `tfsdk:"start"`
	End                  types.String `tfsdk:"end"`
	SettleDelay          types.String `tfsdk:"settle_delay"`
	AllowUnknownValues   types.Bool   `tfsdk:"allow_unknown_values"`
	FailOnUnknownActions types.Bool   `tfsdk:"fail_on_unknown_actions"`

	Managed   types.Map    `tfsdk:"managed"`
	StateFile types.String `tfsdk:"state_file"`
	AsOf      types.String `tfsdk:"as_of"`
	Pipeline  types.Object `tfsdk:"pipeline"`
	Redact    types.Map    `tfsdk:"redact"`

	Timeouts timeouts.Value `tfsdk:"timeouts"`

	Changed     types.List `tfsdk:"changed"`
	Deleted     types.List `tfsdk:"deleted"`
	Created     types.List `tfsdk:"created"`
	Unexplained types.List `tfsdk:"unexplained"`
	Unmatched   types.List `tfsdk:"unmatched"`

	Clean             types.Bool   `tfsdk:"clean"`
	ChangedCount      types.Int64  `tfsdk:"changed_count"`
	DeletedCount      types.Int64  `tfsdk:"deleted_count"`
	CreatedCount      types.Int64  `tfsdk:"created_count"`
	UnexplainedCount  types.Int64  `tfsdk:"unexplained_count"`
	ResourceCount     types.Int64  `tfsdk:"resource_count"`
	EntryCount        types.Int64  `tfsdk:"entry_count"`
	PipelineCount     types.Int64  `tfsdk:"pipeline_entry_count"`
	UnattributedCount types.Int64  `tfsdk:"unattributed_entry_count"`
	FormerCount       types.Int64  `tfsdk:"former_count"`
	WindowStart       types.String `tfsdk:"window_start"`
	WindowEnd         types.String `tfsdk:"window_end"`
	Completeness      types.Object `tfsdk:"completeness"`
}

// query is what is asked of the log.
func (m *driftModel) query() *queryModel {
	return &queryModel{
		filterModel: filterModel{
			Service: m.Service, SettleDelay: m.SettleDelay, AllowUnknownValues: m.AllowUnknownValues,
			FailOnUnknownActions: m.FailOnUnknownActions,
		},
		Destination: m.Destination, PublicKeys: m.PublicKeys, Last: m.Last, Start: m.Start, End: m.End,
	}
}

// pipeline is who runs Terraform, as far as that is known.
func (m *driftModel) pipeline() task.Pipeline {
	a := m.Pipeline.Attributes()
	list := func(name string) []string {
		l, ok := a[name].(types.List)
		if !ok {
			return nil
		}

		return stringsOf[string](l)
	}

	return task.Pipeline{
		Actors: list("actors"), IPAddresses: list("ip_addresses"), AuthTypes: list("auth_types"),
		Where: pointer(stringAt(a, "where")), Runs: list("runs"),
	}
}

// validate reports what is wrong whichever values are still unknown.
func (m *driftModel) validate() diag.Diagnostics {
	diags := m.query().validate()

	if m.Managed.IsNull() && m.StateFile.IsNull() {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "What Terraform manages is not said.",
			Next:    "Give managed, a map of addresses to ids, or state_file.",
		}.At(explain.Argument("managed")))...)
	}

	for _, address := range slices.Sorted(maps.Keys(m.Managed.Elements())) {
		if _, ok := drift.TypeOf(address); !ok {
			diags.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "A key of managed is not the address of a resource.",
				Next:    "Give addresses as terraform state list prints them, such as upcloud_server.web.",
			}.With("Key", explain.Shown(address)).At(explain.Argument("managed").Key(address)))...)
		}
	}

	return diags
}

// resources are what Terraform manages, and when that was written.
func (m *driftModel) resources(now time.Time) ([]drift.Resource, time.Time, explain.Problems) {
	var (
		inventories []*drift.Inventory
		found       explain.Problems
	)

	written := now

	if path := m.StateFile.ValueString(); path != "" {
		inventory, at, err := task.InventoryAt(path)
		if err != nil {
			return nil, now, explain.Problems{explain.Inventory(err, path).At(explain.Argument("state_file"))}
		}

		inventories, written = append(inventories, inventory), at

		if inventory.Partial {
			found.Add(explain.Partial(path).At(explain.Argument("state_file")))
		}
	}

	managed := &drift.Inventory{Written: now}

	elements := m.Managed.Elements()
	for _, address := range slices.Sorted(maps.Keys(elements)) {
		t, _ := drift.TypeOf(address)
		known := stringAt(elements, address).ValueString()
		managed.Resources = append(managed.Resources, drift.NewResource(address, t, known))
	}

	inventories = append(inventories, managed)

	if m.AsOf.ValueString() != "" {
		written = query.ParseTime(m.AsOf.ValueString())
		for _, i := range inventories {
			i.Written = written
		}
	}

	return drift.Merge(inventories...), written, found
}

// mostDriftRows is how many rows each list of the result has at most.
const mostDriftRows = 1000

func (m *driftModel) set(d *task.Drifted) explain.Problems {
	if m.Redact.IsNull() {
		m.Redact = types.MapNull(types.StringType) // The zero value has no type, which a state refuses.
	}

	rows := func(all []drift.Row) types.List {
		values := make([]attr.Value, 0, min(len(all), mostDriftRows))
		for i := range all[:min(len(all), mostDriftRows)] {
			values = append(values, driftRowValue(&all[i]))
		}

		return types.ListValueMust(types.ObjectType{AttrTypes: driftRowTypes()}, values)
	}
	count := func(all []drift.Row) types.Int64 { return types.Int64Value(int64(len(all))) }

	m.Changed, m.Deleted, m.Created, m.Unexplained = rows(d.Changed), rows(d.Deleted), rows(d.Created), rows(d.Unexplained)
	m.ChangedCount, m.DeletedCount = count(d.Changed), count(d.Deleted)
	m.CreatedCount, m.UnexplainedCount = count(d.Created), count(d.Unexplained)

	unmatched := make([]attr.Value, 0, len(d.Unmatched))
	for _, u := range d.Unmatched {
		unmatched = append(unmatched, types.ObjectValueMust(unmatchedTypes(), map[string]attr.Value{
			"reason": types.StringValue(string(u.Reason)), "text": types.StringValue(u.Reason.Text()),
			"type": types.StringValue(u.Type), "count": types.Int64Value(int64(u.Count)),
			"example": types.StringValue(u.Example),
		}))
	}

	m.Unmatched = types.ListValueMust(types.ObjectType{AttrTypes: unmatchedTypes()}, unmatched)
	m.Clean = types.BoolValue(d.Found() == 0 && d.Conclusive())
	m.ResourceCount, m.EntryCount = types.Int64Value(d.Resources), types.Int64Value(d.Entries)
	m.PipelineCount, m.UnattributedCount = types.Int64Value(d.ByPipeline), types.Int64Value(d.Unattributed)
	m.FormerCount = types.Int64Value(d.Former)
	m.WindowStart, m.WindowEnd = timeValue(d.Completeness.Window.Start), timeValue(d.Completeness.Window.End)
	m.Completeness = completenessValue(d.Statement)

	if most := max(len(d.Changed), len(d.Deleted), len(d.Created), len(d.Unexplained)); most > mostDriftRows {
		return explain.Problems{explain.Problem{
			Summary: "There is more than is listed",
			Cause:   "Only the first rows are listed; the counts cover all of them.",
			Next:    "Shorten the window, or have auditlog drift print all of it.",
		}.With("At most", strconv.Itoa(mostDriftRows)).With("Most", strconv.Itoa(most)).AsWarning()}
	}

	return nil
}

func orNull(text string) types.String {
	if text == "" {
		return types.StringNull()
	}

	return types.StringValue(text)
}

func changesListValue(changes []auditlog.Change) types.List {
	values := make([]attr.Value, 0, len(changes))

	for _, c := range changes {
		values = append(values, types.ObjectValueMust(changeTypes(), map[string]attr.Value{
			"field": types.StringValue(c.Field), "before": types.StringPointerValue(c.Before),
			"after": types.StringPointerValue(c.After),
		}))
	}

	return types.ListValueMust(types.ObjectType{AttrTypes: changeTypes()}, values)
}

// driftEventTypes are those of an entry, but its record, and whether it was reverted.
func driftEventTypes() map[string]attr.Type {
	kinds := entryAttributeTypes()
	delete(kinds, auditlog.FieldRaw)

	kinds["reverted"] = types.BoolType

	return kinds
}

func driftSeenTypes() map[string]attr.Type {
	return map[string]attr.Type{"deleted": types.BoolType, "changes": types.ListType{
		ElemType: types.ObjectType{AttrTypes: changeTypes()},
	}}
}

func driftRowTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"address": types.StringType, "type": types.StringType, "service": types.StringType, "id": types.StringType,
		"name": types.StringType, "match": types.StringType, "reason": types.StringType,
		"seen":        types.ObjectType{AttrTypes: driftSeenTypes()},
		"events":      types.ListType{ElemType: types.ObjectType{AttrTypes: driftEventTypes()}},
		"event_count": types.Int64Type, "reverted": types.BoolType, "after_state": types.BoolType,
	}
}

func unmatchedTypes() map[string]attr.Type {
	return map[string]attr.Type{
		"reason": types.StringType, "text": types.StringType, "type": types.StringType, "count": types.Int64Type,
		"example": types.StringType,
	}
}

func driftRowValue(r *drift.Row) attr.Value {
	seen := types.ObjectNull(driftSeenTypes())
	if r.Seen != nil {
		seen = types.ObjectValueMust(driftSeenTypes(), map[string]attr.Value{
			"deleted": types.BoolValue(r.Seen.Deleted), "changes": changesListValue(r.Seen.Changes),
		})
	}

	events := make([]attr.Value, 0, len(r.Events))
	for i := range r.Events {
		events = append(events, driftEventValue(&r.Events[i]))
	}

	return types.ObjectValueMust(driftRowTypes(), map[string]attr.Value{
		"address": orNull(r.Address), "type": orNull(r.Type), "service": orNull(r.Service), "id": orNull(r.ID),
		"name": orNull(r.Name), "match": orNull(string(r.Match)), "reason": orNull(string(r.Reason)), "seen": seen,
		"events":      types.ListValueMust(types.ObjectType{AttrTypes: driftEventTypes()}, events),
		"event_count": types.Int64Value(r.EventCount), "reverted": types.BoolValue(r.Reverted),
		"after_state": types.BoolValue(r.AfterState),
	})
}

func driftEventValue(e *drift.Event) attr.Value {
	values := map[string]attr.Value{"reverted": types.BoolValue(e.Reverted)}

	for _, f := range auditlog.Fields() {
		switch f.Kind {
		case auditlog.KindRaw:
		case auditlog.KindChanges:
			values[f.Name] = changesListValue(e.Changes)
		default:
			values[f.Name] = orNull(f.Text(&e.Entry))
		}
	}

	return types.ObjectValueMust(driftEventTypes(), values)
}
