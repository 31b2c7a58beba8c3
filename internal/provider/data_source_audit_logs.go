// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/task"
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
func (d *auditLogsDataSource) Metadata(
	_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = AuditLogsType
}

// Schema implements datasource.DataSource.
func (d *auditLogsDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = auditLogsSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (d *auditLogsDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *auditLogsDataSource) ValidateConfig(
	ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse,
) {
	var m auditLogsModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

const lookUpTimeout = 10 * time.Minute

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
	resp.Diagnostics.Append(leaveRows(ctx, found, m.IncludeRaw.ValueBool())...)
}

// lookUp does what the configuration asks for and takes the result but for the
// rows.
func (m *lookUpModel) lookUp(
	ctx context.Context, c *configured, timeout time.Duration,
) (*task.Found, diag.Diagnostics) {
	ctx, cancel := c.options.reading(ctx, timeout, task.LookUpLogs)
	defer cancel()

	service, picked, _ := c.Open(ctx, task.LookUpLogs, m.log())
	if picked != nil {
		return nil, diagnose(picked...)
	}

	l := task.LookUp{
		Question:    m.question(c, task.LookUpLogs, 0),
		Entries:     m.IncludeEntries.IsNull() || m.IncludeEntries.ValueBool(),
		MaxEntries:  task.DefaultMaxEntries,
		KeepNewest:  m.OnOverflow.ValueString() == overflowKeepNewest,
		NewestFirst: m.Order.ValueString() == orderNewestFirst,
		Redact:      c.redaction(m.Redact),
	}

	if !m.MaxEntries.IsNull() {
		l.MaxEntries = int(m.MaxEntries.ValueInt64())
	}

	found, problems := l.Run(ctx, service)
	if found != nil {
		m.set(found)
	}

	return found, diagnose(problems...)
}

// question is what the arguments ask for as of now.
func (m *queryModel) question(c *configured, summary string, settleDelay time.Duration) task.Question {
	return task.Question{Arguments: m.arguments(), Summary: summary, SettleDelay: settleDelay, Now: c.options.Clock()}
}
