// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
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
func (d *findingsDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = FindingsType
}

// Schema implements datasource.DataSource.
func (d *findingsDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = findingsSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (d *findingsDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *findingsDataSource) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
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
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	options, diags := m.options()

	service, q, more := m.open(ctx, c, explain.EvaluateRules, options.Asked())
	diags.Append(more...)

	r, more := c.redactor(m.Redact)
	diags.Append(more...)

	if diags.HasError() {
		return diags
	}

	scrubber := r.Scrubber()
	if scrubber != nil {
		options.Redact, options.Learn = scrubber.Apply, scrubber.Learn
	}

	info := service.Info()
	diags.Append(m.checkAgainst(options, info, q.Window)...)

	if diags.HasError() {
		return diags
	}

	var done auditlog.Completeness

	result, err := finding.Evaluate(ctx, service, q, options, &done)
	if err != nil {
		diags.Append(diagnose(explain.Evaluation(err, info, q.Window))...)

		return diags
	}

	m.set(result, done, scrubber)
	diags.Append(m.checkEvaluable(result.NotEvaluable, info)...)

	// What a rule may have missed has been said with the rule.
	done.UnknownMatters = done.UnknownMatters && !slices.ContainsFunc(result.NotEvaluable, func(n finding.NotEvaluable) bool { return len(n.Actions) > 0 })

	diags.Append(diagnose(m.arguments().ReadWarnings(info, q, done)...)...)
	diags.Append(diagnose(explain.Findings(info, result)...)...)

	return diags
}

// checkEvaluable fails where that is asked for, and warns where a rule that was
// asked for cannot find anything or may have missed something.
func (m *evaluationModel) checkEvaluable(not []finding.NotEvaluable, info auditlog.Info) diag.Diagnostics {
	fails := m.FailOnNotEvaluable.ValueBool()
	if !fails {
		// By default all built-in rules apply that the log can answer; not_evaluable
		// lists the others.
		not = slices.DeleteFunc(slices.Clone(not), func(n finding.NotEvaluable) bool {
			return n.ByNature && m.BuiltinRules.IsNull() && slices.Contains(finding.BuiltinNames(), n.Rule)
		})
	}

	if len(not) == 0 {
		return nil
	}

	p := explain.Problem{
		Summary: "A rule cannot be evaluated",
		Cause:   "There are rules that cannot find anything in this log, or may have missed something, so that finding nothing proves nothing.",
	}.With("Service", info.Name)

	var (
		next    []string
		actions []string
	)

	for _, n := range not {
		p = p.With("Rule "+n.Rule, n.Reason)
		actions = append(actions, n.Actions...)
	}

	if slices.ContainsFunc(not, func(n finding.NotEvaluable) bool { return len(n.Actions) == 0 }) {
		next = append(next, "Remove those that the service cannot answer, or name the built-in rules to apply in builtin_rules.")
	}

	if len(actions) > 0 {
		next = append(next, explain.UnknownActionsNext(actions))
	}

	p.Next = strings.Join(next, " ")

	if fails {
		return diagnose(p.At(explain.Argument("fail_on_not_evaluable")))
	}

	return diagnose(p.AsWarning())
}
