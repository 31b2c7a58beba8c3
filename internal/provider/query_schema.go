// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// queryArgument is one argument of the query, which every type that reads
// shares. Data sources and resources have attribute types of their own, so each
// makes its attributes from this one list.
type queryArgument struct {
	name        string
	description string
	list        bool
	validator   validator.String
}

// windowArguments are the arguments that say when.
func windowArguments() []string { return []string{"last", "start", "end"} }

func queryArguments(settleDelay string) []queryArgument {
	operations := make([]string, 0, len(auditlog.Operations()))
	for _, op := range auditlog.Operations() {
		operations = append(operations, string(op))
	}

	return []queryArgument{
		{"service", "Which cloud: `" + strings.Join(serviceNames(), "`, `") + "`; or `" + auditlog.ServiceArchive + "`, to read an archive of any of them back. Default: the only configured cloud.", false, oneOf(sourceNames()...)},
		{"destination", sourceDestinationText, false, destinationForm()},
		{"public_keys", sourcePublicKeysText, true, publicKeyForm()},
		{"last", "How far back to look, such as `30m`, `24h`, `7d` or `2w`. It is counted from the end of the window, which `settle_delay` moves back, so that runs as far apart as `last` is long leave no hole. Default: `24h` when no bound is given. Excludes `start` and `end`.", false, positiveSpanForm()},
		{"start", "Begin of the window, RFC 3339, included. Default: `24h` before its end.", false, timeForm()},
		{"end", "End of the window, RFC 3339, excluded. Default: now. An end in the future counts as now.", false, timeForm()},
		{"settle_delay", "How much of the newest log not to read, since the cloud may still be filling it. It moves the window of `last` back and does not shorten it. Default: `" + settleDelay + "`.", false, spanForm()},
		{"actions", "Actions as the cloud spells them.", true, notEmpty()},
		{"operations", "Operations in the vocabulary shared by every cloud: `" + strings.Join(operations, "`, `") + "`.", true, operationForm(operations)},
		{"resource_types", "Resource types as the cloud spells them.", true, notEmpty()},
		{"resource_ids", "Ids of resources.", true, notEmpty()},
		{"actors", "Actors by name or by id, exactly.", true, notEmpty()},
		{"origins", "Origins as the cloud spells them.", true, notEmpty()},
		{"ip_addresses", "Addresses or CIDR blocks that requests came from, compared as numbers: an IPv4 address is the same when it is mapped to IPv6, and a zone does not count.", true, addressForm()},
		{"search", "Text to look for, whatever its case in any script, in id, actor, resource id and name, address, action and message.", false, notEmpty()},
		{"where", "Condition that entries must meet as well, an expression in CEL over `entry`, such as `entry.operation == \"delete\" && !entry.actor.startsWith(\"ci-\")`. The guide \"Conditions\" lists the fields and functions.", false, conditionForm{}},
	}
}

// decisionArguments are the arguments of every query that are true or false.
func decisionArguments() []struct{ name, description string } {
	return []struct{ name, description string }{
		{"allow_unknown_values", "Whether values of `actions`, `origins` and `resource_types`, and those that conditions and expectations compare with, may be ones that neither the service's documentation nor its log confirms. Default: `false`: what the service knows of no entry is an error, and what nothing confirms keeps the result from being conclusive."},
		{"fail_on_unknown_actions", "Whether it is an error when an entry that answers the query, or would if its action meant something else, has an action that is not known to mean any operation. Default: `false`, which is a warning where the answer depends on it."},
	}
}

// queryModel is what the query looks like in a configuration.
type queryModel struct {
	filterModel

	Destination types.String `tfsdk:"destination"`
	PublicKeys  types.List   `tfsdk:"public_keys"`

	Last  types.String `tfsdk:"last"`
	Start types.String `tfsdk:"start"`
	End   types.String `tfsdk:"end"`
}

func (m *queryModel) source() sourceModel {
	return sourceModel{service: m.Service, destination: m.Destination, publicKeys: m.PublicKeys}
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
