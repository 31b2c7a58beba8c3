// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// DriftType is the name of the data source in configurations.
const DriftType = TypeName + "_log_drift"

var (
	_ datasource.DataSource                   = (*driftDataSource)(nil)
	_ datasource.DataSourceWithConfigure      = (*driftDataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*driftDataSource)(nil)
)

// NewDriftDataSource returns the data source audit_log_drift.
func NewDriftDataSource() datasource.DataSource { return &driftDataSource{} }

type driftDataSource struct{ c *configured }

// Metadata implements datasource.DataSource.
func (d *driftDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = DriftType
}

// Schema implements datasource.DataSource.
func (d *driftDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = driftSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (d *driftDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *driftDataSource) ValidateConfig(
	ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse,
) {
	var m driftModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

// Read is called when planning, unless something that the configuration depends
// on has yet to change.
func (d *driftDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m driftModel

	resp.Diagnostics.Append(decode(ctx, req.Config, validateDataSource(DriftType), &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Read(ctx, lookUpTimeout)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(m.compare(ctx, d.c, timeout)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// compare does what the configuration asks for and takes the result.
func (m *driftModel) compare(ctx context.Context, c *configured, timeout time.Duration) diag.Diagnostics {
	ctx, cancel := c.options.reading(ctx, timeout, explain.FindDrift)
	defer cancel()

	q := m.query()

	d := task.Drift{
		Question: q.question(c, explain.FindDrift, 0), Pipeline: m.pipeline(), Redact: c.redaction(m.Redact),
	}

	var wrong explain.Problems

	d.Resources, d.AsOf, wrong = m.resources(c.options.Clock())

	service, picked, _ := c.Open(ctx, explain.FindDrift, q.log())
	if wrong.Add(picked...); wrong.HasError() {
		return diagnose(wrong...)
	}

	d.Found = wrong

	drifted, problems := d.Run(ctx, service)
	if drifted != nil {
		problems.Add(m.set(drifted)...)
	}

	return diagnose(problems...)
}
