// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
)

// AuditLogsType is the name of the data source in configurations.
const AuditLogsType = TypeName + "_logs"

var (
	_ datasource.DataSource                   = (*auditLogsDataSource)(nil)
	_ datasource.DataSourceWithConfigure      = (*auditLogsDataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*auditLogsDataSource)(nil)
)

// NewAuditLogsDataSource returns the data source audit_logs.
func NewAuditLogsDataSource() datasource.DataSource { return &auditLogsDataSource{} }

type auditLogsDataSource struct{ c *configured }

// Metadata implements datasource.DataSource.
func (d *auditLogsDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = AuditLogsType
}

// Schema implements datasource.DataSource.
func (d *auditLogsDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = auditLogsSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (d *auditLogsDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *auditLogsDataSource) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var m auditLogsModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

const (
	lookUpSummary     = "Look up audit logs"
	lookUpTimeout     = 10 * time.Minute
	lookUpSettleDelay = 0
)

// Read is called when planning, unless something that the configuration depends
// on has yet to change.
func (d *auditLogsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m auditLogsModel

	resp.Diagnostics.Append(decode(ctx, req.Config, validateDataSource(AuditLogsType), &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Read(ctx, lookUpTimeout)
	resp.Diagnostics.Append(diags...)

	found, diags := m.lookUp(ctx, d.c, timeout)
	resp.Diagnostics.Append(diags...)

	if resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	resp.Diagnostics.Append(m.setRows(&resp.State.Raw, found)...)
}

// lookUp does what the configuration asks for and takes the result but for the
// rows.
func (m *lookUpModel) lookUp(ctx context.Context, c *configured, timeout time.Duration) (*lookedUp, diag.Diagnostics) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	service, q, diags := m.open(ctx, c, lookUpSummary, nil)

	options, more := m.lookUpOptions(c)
	diags.Append(more...)

	if diags.HasError() {
		return nil, diags
	}

	found, err := lookUp(ctx, service, q, options)
	if err != nil {
		diags.Append(diagnose(lookUpProblem(err, service.Info(), q.Window))...)

		return nil, diags
	}

	m.set(found)
	diags.Append(diagnose(m.arguments().ReadWarnings(service.Info(), q, found.completeness)...)...)

	return found, diags
}

// open returns what a look-up reads and what it asks for. More values may be asked
// for than the query does.
func (m *queryModel) open(ctx context.Context, c *configured, summary string, more []auditlog.Asked) (auditlog.Service, auditlog.Query, diag.Diagnostics) {
	service, picked, _ := c.Open(ctx, summary, m.log())
	if picked != nil {
		return nil, auditlog.Query{}, diagnose(picked...)
	}

	q, wrong := m.arguments().Resolve(service.Info(), c.options.Clock(), lookUpSettleDelay, summary)
	wrong.Add(query.Unanswerable(service, q)...)

	diags := diagnose(wrong...)

	if !diags.HasError() {
		diags.Append(confirmValues(ctx, service, &q, more)...)
	}

	return service, q, diags
}

// lookUpOptions is how the user wants the rows.
func (m *lookUpModel) lookUpOptions(c *configured) (lookUpOptions, diag.Diagnostics) {
	r, diags := c.redactor(m.Redact)

	o := lookUpOptions{
		redactor:    r,
		maxEntries:  defaultMaxEntries,
		entries:     m.IncludeEntries.IsNull() || m.IncludeEntries.ValueBool(),
		keepNewest:  m.OnOverflow.ValueString() == overflowKeepNewest,
		newestFirst: m.Order.ValueString() == orderNewestFirst,
	}

	if !m.MaxEntries.IsNull() {
		o.maxEntries = int(m.MaxEntries.ValueInt64())
	}

	return o, diags
}

// lookUpProblem puts an overflow on the argument that bounds the rows.
func lookUpProblem(err error, info auditlog.Info, w auditlog.Window) explain.Problem {
	if p, ok := overflowProblem(err, info, w); ok {
		return p
	}

	return explain.Reading(err, explain.Circumstances{Summary: "Read " + explain.LogOf(info), Info: info, Window: w})
}
