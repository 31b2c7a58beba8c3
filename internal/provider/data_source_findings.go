// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// FindingsType is the name of the data source in configurations.
const FindingsType = TypeName + "_log_findings"

var (
	_ datasource.DataSource                   = (*findingsDataSource)(nil)
	_ datasource.DataSourceWithConfigure      = (*findingsDataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*findingsDataSource)(nil)
)

// NewFindingsDataSource returns the data source audit_log_findings.
func NewFindingsDataSource() datasource.DataSource { return &findingsDataSource{} }

type findingsDataSource struct{ c *configured }

type findingsModel struct {
	evaluationModel

	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

// Metadata implements datasource.DataSource.
func (d *findingsDataSource) Metadata(
	_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = FindingsType
}

// Schema implements datasource.DataSource.
func (d *findingsDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = findingsSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (d *findingsDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *findingsDataSource) ValidateConfig(
	ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse,
) {
	var m findingsModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

// Read is called when planning, unless something that the configuration depends
// on has yet to change.
func (d *findingsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m findingsModel

	resp.Diagnostics.Append(decode(ctx, req.Config, validateDataSource(FindingsType), &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Read(ctx, lookUpTimeout)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(m.evaluate(ctx, d.c, timeout)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// evaluate does what the configuration asks for and takes the result.
func (m *evaluationModel) evaluate(ctx context.Context, c *configured, timeout time.Duration) diag.Diagnostics {
	ctx, cancel := c.options.reading(ctx, timeout, explain.EvaluateRules)
	defer cancel()

	rules, wrong := m.options()

	service, picked, _ := c.Open(ctx, explain.EvaluateRules, m.log())
	if picked != nil {
		return diagnose(append(wrong, picked...)...)
	}

	e := task.Evaluation{
		Question: m.question(c, explain.EvaluateRules, 0), Rules: rules, Named: !m.BuiltinRules.IsNull(),
		FailOnNotEvaluable: m.FailOnNotEvaluable.ValueBool(), Redact: c.redaction(m.Redact),
	}

	e.Found = wrong

	verdict, problems := e.Run(ctx, service)
	if verdict != nil {
		m.set(verdict)
	}

	return diagnose(problems...)
}
