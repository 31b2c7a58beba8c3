// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/ephemeral/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
)

var (
	_ ephemeral.EphemeralResource                   = (*auditLogsEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithConfigure      = (*auditLogsEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithValidateConfig = (*auditLogsEphemeral)(nil)
)

// NewAuditLogsEphemeral returns the ephemeral resource audit_logs. It is the data
// source of that name, only that nothing of it is stored.
func NewAuditLogsEphemeral() ephemeral.EphemeralResource { return &auditLogsEphemeral{} }

type auditLogsEphemeral struct{ c *configured }

type auditLogsEphemeralModel struct {
	lookUpModel

	Timeouts timeouts.Value `tfsdk:"timeouts"`
}

// Metadata implements ephemeral.EphemeralResource.
func (r *auditLogsEphemeral) Metadata(
	_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse,
) {
	resp.TypeName = AuditLogsType
}

// Schema implements ephemeral.EphemeralResource.
func (r *auditLogsEphemeral) Schema(ctx context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	shared := auditLogsSchema(ctx)
	delete(shared.Attributes, "timeouts")

	attributes := map[string]schema.Attribute{"timeouts": checkedTimeouts(timeouts.Attributes(ctx))}
	maps.Copy(attributes, ephemeralAttributes(shared.Attributes))

	resp.Schema = schema.Schema{
		MarkdownDescription: "Looks up audit log entries like the data source of the same name, and stores nothing: neither rows nor counts get into a plan or a state. " +
			"The result is complete or an error: an empty list means that nothing happened.",
		Attributes: attributes,
	}
}

// Configure is called with what the provider made of its configuration.
func (r *auditLogsEphemeral) Configure(
	_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse,
) {
	r.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (r *auditLogsEphemeral) ValidateConfig(
	ctx context.Context, req ephemeral.ValidateConfigRequest, resp *ephemeral.ValidateConfigResponse,
) {
	var m auditLogsEphemeralModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

// Open is called when planning and again when applying, each time anew.
func (r *auditLogsEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m auditLogsEphemeralModel

	resp.Diagnostics.Append(decode(ctx, req.Config, validateEphemeral(AuditLogsType), &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Open(ctx, lookUpTimeout)
	resp.Diagnostics.Append(diags...)

	found, diags := m.lookUp(ctx, r.c, timeout)
	resp.Diagnostics.Append(diags...)

	if resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
	resp.Diagnostics.Append(leaveRows(ctx, found, m.IncludeRaw.ValueBool())...)
}
