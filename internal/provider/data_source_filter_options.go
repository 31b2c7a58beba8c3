// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// FilterOptionsType is the name of the data source in configurations.
const FilterOptionsType = TypeName + "_log_filter_options"

var (
	_ datasource.DataSource                   = (*filterOptionsDataSource)(nil)
	_ datasource.DataSourceWithConfigure      = (*filterOptionsDataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*filterOptionsDataSource)(nil)
)

// NewFilterOptionsDataSource returns the data source audit_log_filter_options.
func NewFilterOptionsDataSource() datasource.DataSource { return &filterOptionsDataSource{} }

type filterOptionsDataSource struct{ c *configured }

type filterOptionsModel struct {
	Service        types.String   `tfsdk:"service"`
	Destination    types.String   `tfsdk:"destination"`
	PublicKeys     types.List     `tfsdk:"public_keys"`
	Last           types.String   `tfsdk:"last"`
	Timeouts       timeouts.Value `tfsdk:"timeouts"`
	Actions        []string       `tfsdk:"actions"`
	Operations     []string       `tfsdk:"operations"`
	Origins        []string       `tfsdk:"origins"`
	ResourceTypes  []string       `tfsdk:"resource_types"`
	OriginOfValues types.String   `tfsdk:"origin_of_values"`
}

// Metadata implements datasource.DataSource.
func (d *filterOptionsDataSource) Metadata(
	_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = FilterOptionsType
}

// Schema implements datasource.DataSource.
func (d *filterOptionsDataSource) Schema(
	ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse,
) {
	list := func(description string) schema.ListAttribute {
		return schema.ListAttribute{MarkdownDescription: description, ElementType: types.StringType, Computed: true}
	}

	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the values that the filters of a query may take. " +
			"Where a service lists none itself, they are read off its log, and a value that did not occur there is missing.",
		Attributes: map[string]schema.Attribute{
			"service": schema.StringAttribute{
				MarkdownDescription: "Which cloud, or `archive` for an archive of one. Default: the only configured cloud.",
				Optional:            true,
				Validators:          texts(query.OneOf(source.Names()...)),
			},
			"destination": schema.StringAttribute{
				MarkdownDescription: source.DestinationText,
				Optional:            true,
				Validators:          texts(source.DestinationForm()),
			},
			"public_keys": schema.ListAttribute{
				MarkdownDescription: source.PublicKeysText,
				ElementType:         types.StringType,
				Optional:            true,
				Validators:          []validator.List{filterList{source.PublicKeyForm()}},
			},
			"last": schema.StringAttribute{
				MarkdownDescription: "How far back to look where values are read off the log; without effect where the service lists them itself. Default: `30d`.",
				Optional:            true,
				Validators:          texts(query.PositiveSpanForm()),
			},
			"timeouts":       checkedTimeouts(timeouts.Attributes(ctx)),
			"actions":        list("Actions, sorted."),
			"operations":     list("Operations that the actions mean in the vocabulary shared by every cloud, sorted."),
			"origins":        list("Origins, sorted; empty where the service records none."),
			"resource_types": list("Resource types, sorted."),
			"origin_of_values": schema.StringAttribute{
				MarkdownDescription: "`api` where the service lists the values, `observed` where they were read off its log.",
				Computed:            true,
			},
		},
	}
}

// Configure is called with what the provider made of its configuration.
func (d *filterOptionsDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *filterOptionsDataSource) ValidateConfig(
	ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse,
) {
	var m queryModel

	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("service"), &m.Service)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("destination"), &m.Destination)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("public_keys"), &m.PublicKeys)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(validateLog(m.log(), m.Service, m.Destination)...)
	}
}

const (
	filterOptionsSummary = "List audit log filter options"
	filterOptionsLast    = 30 * 24 * time.Hour
)

// Read is called when planning.
func (d *filterOptionsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m filterOptionsModel

	resp.Diagnostics.Append(decode(ctx, req.Config, validateDataSource(FilterOptionsType), &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Read(ctx, lookUpTimeout)
	resp.Diagnostics.Append(diags...)

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	service, picked, _ := d.c.Open(ctx, filterOptionsSummary, source.Log{
		Service: m.Service.ValueString(), Destination: m.Destination.ValueString(),
		PublicKeys: stringsOf[string](m.PublicKeys),
	})
	resp.Diagnostics.Append(diagnose(picked...)...)

	if resp.Diagnostics.HasError() {
		return
	}

	now := d.c.options.Clock()
	window := auditlog.Window{Start: now.Add(-filterOptionsLast), End: now}

	if last, err := auditlog.ParseSpan(m.Last.ValueString()); err == nil {
		window.Start = now.Add(-last)
	}

	options, problems := task.Options(ctx, service, window, filterOptionsSummary)
	resp.Diagnostics.Append(diagnose(problems...)...)

	if resp.Diagnostics.HasError() {
		return
	}

	m.Actions, m.Operations = notNil(options.Actions), notNil(options.Operations)
	m.Origins, m.ResourceTypes = notNil(options.Origins), notNil(options.ResourceTypes)
	m.OriginOfValues = types.StringValue(string(options.OriginOfValues))

	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// notNil returns an empty list for none, since null would mean "not known".
func notNil(list []string) []string { return append([]string{}, list...) }
