// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// queryModel is what the query looks like in a configuration.
type queryModel struct {
	filterModel

	Destination types.String `tfsdk:"destination"`
	PublicKeys  types.List   `tfsdk:"public_keys"`

	Last  types.String `tfsdk:"last"`
	Start types.String `tfsdk:"start"`
	End   types.String `tfsdk:"end"`
}

// values are the arguments of the query.
func (m *queryModel) values() []attr.Value {
	return append(m.filterModel.values(), m.Destination, m.PublicKeys, m.Last, m.Start, m.End)
}

// keepQuery takes over how the state spells the same query.
func (m *queryModel) keepQuery(s *queryModel) {
	m.keepFilters(&s.filterModel)

	keep(&m.Destination, s.Destination)
	keep(&m.PublicKeys, s.PublicKeys)
	keep(&m.Last, s.Last)
	keep(&m.Start, s.Start)
	keep(&m.End, s.End)
}

// filterModel is the part of a query that does not say when.
type filterModel struct {
	Service       types.String `tfsdk:"service"`
	SettleDelay   types.String `tfsdk:"settle_delay"`
	Actions       types.List   `tfsdk:"actions"`
	Operations    types.List   `tfsdk:"operations"`
	ResourceTypes types.List   `tfsdk:"resource_types"`
	ResourceIDs   types.List   `tfsdk:"resource_ids"`
	Actors        types.List   `tfsdk:"actors"`
	Origins       types.List   `tfsdk:"origins"`
	IPAddresses   types.List   `tfsdk:"ip_addresses"`
	Search        types.String `tfsdk:"search"`
	Where         types.String `tfsdk:"where"`

	AllowUnknownValues   types.Bool `tfsdk:"allow_unknown_values"`
	FailOnUnknownActions types.Bool `tfsdk:"fail_on_unknown_actions"`
}

func (m *filterModel) values() []attr.Value {
	return []attr.Value{
		m.Service, m.SettleDelay, m.Actions, m.Operations, m.ResourceTypes, m.ResourceIDs, m.Actors, m.Origins, m.IPAddresses,
		m.Search, m.Where,
	}
}

// keepFilters takes over how the state spells the same filters.
func (m *filterModel) keepFilters(s *filterModel) {
	keep(&m.SettleDelay, s.SettleDelay)
	keep(&m.Actions, s.Actions)
	keep(&m.Operations, s.Operations)
	keep(&m.ResourceTypes, s.ResourceTypes)
	keep(&m.ResourceIDs, s.ResourceIDs)
	keep(&m.Actors, s.Actors)
	keep(&m.Origins, s.Origins)
	keep(&m.IPAddresses, s.IPAddresses)
	keep(&m.Search, s.Search)
	keep(&m.Where, s.Where)
}

// filters are the filters as far as they are known.
func (m *filterModel) filters() *query.Filters {
	return &query.Filters{
		SettleDelay:          m.SettleDelay.ValueString(),
		Actions:              stringsOf[string](m.Actions),
		Operations:           stringsOf[auditlog.Operation](m.Operations),
		ResourceTypes:        stringsOf[string](m.ResourceTypes),
		ResourceIDs:          stringsOf[string](m.ResourceIDs),
		Actors:               stringsOf[string](m.Actors),
		Origins:              stringsOf[string](m.Origins),
		IPAddresses:          stringsOf[string](m.IPAddresses),
		Search:               m.Search.ValueString(),
		Where:                pointer(m.Where),
		AllowUnknownValues:   m.AllowUnknownValues.ValueBool(),
		FailOnUnknownActions: m.FailOnUnknownActions.ValueBool(),
	}
}

// arguments are the arguments as far as they are known.
func (m *queryModel) arguments() *query.Arguments {
	return &query.Arguments{
		Filters: *m.filters(), Last: m.Last.ValueString(), Start: m.Start.ValueString(),
		End: m.End.ValueString(),
	}
}

// log is what is read, as far as that is known.
func (m *queryModel) log() source.Log {
	return source.Log{
		Service: m.Service.ValueString(), Destination: m.Destination.ValueString(),
		PublicKeys: stringsOf[string](m.PublicKeys),
	}
}

// logKnown says that what is read could be opened.
func (m *queryModel) logKnown() bool { return known(m.Service, m.Destination, m.PublicKeys) }

// validate reports what is wrong whichever values are still unknown.
func (m *queryModel) validate() diag.Diagnostics {
	diags := validateLog(m.log(), m.Service, m.Destination)
	diags.Append(diagnose(m.arguments().Check()...)...)
	diags.Append(m.validateFilters()...)

	return diags
}

// validateLog leaves undecided what depends on values that are not known yet.
func validateLog(l source.Log, service, destination types.String) diag.Diagnostics {
	if service.IsUnknown() || destination.IsUnknown() && l.Service == auditlog.ServiceArchive {
		return nil
	}

	return diagnose(l.Check()...)
}

// validateFilters refuses a filter on a field that the service never records. A
// condition that cannot be used is reported by its form.
func (m *filterModel) validateFilters() diag.Diagnostics {
	info, ok := source.InfoOf(m.Service.ValueString())
	if _, err := m.filters().Query(); !ok || err != nil {
		return nil
	}

	_, found := m.filters().Answerable(info)

	return diagnose(found...)
}

// pointer is nil where nothing is given.
func pointer(v types.String) *string {
	if !given(v) {
		return nil
	}

	return v.ValueStringPointer()
}

// stringsOf returns the values of a list. One that is not known as a whole has none
// yet, like one that is not given.
func stringsOf[T ~string](list types.List) []T {
	if !given(list) {
		return nil
	}

	values := make([]T, 0, len(list.Elements()))

	for _, e := range list.Elements() {
		if s, ok := e.(types.String); ok {
			values = append(values, T(s.ValueString()))
		}
	}

	return values
}
