// SPDX-License-Identifier: MPL-2.0

// Package provider is what Terraform sees: schemas, plans and state. Reading,
// proving and writing audit logs is the business of the packages below it.
package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// TypeName is the prefix of every data source and resource.
const TypeName = "audit"

var (
	_ provider.Provider                       = (*auditProvider)(nil)
	_ provider.ProviderWithValidateConfig     = (*auditProvider)(nil)
	_ provider.ProviderWithEphemeralResources = (*auditProvider)(nil)
	_ provider.ProviderWithFunctions          = (*auditProvider)(nil)
)

// Options is what the provider takes from the world around it.
type Options struct {
	Version string
	Clock   auditlog.Clock
	// LookupEnv is os.LookupEnv, or a test's environment.
	LookupEnv func(name string) (string, bool)
}

// tool is who reads and writes.
func (o Options) tool() string { return "terraform-provider-audit/" + o.Version }

// logRequest tells Terraform's log about a request.
func logRequest(ctx context.Context, message string, fields map[string]any) {
	tflog.Debug(ctx, message, fields)
}

// reading bounds how long something may take that reads a log, and has Terraform's log say how far it has come.
func (o Options) reading(
	ctx context.Context, timeout time.Duration, what string,
) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, timeout)

	ctx, stop := task.Watch(ctx, o.Clock, func(ctx context.Context, text string) {
		tflog.Info(ctx, "Audit log progress", map[string]any{"doing": what, "read": text})
	})

	return ctx, func() {
		cancel()
		stop()
	}
}

type auditProvider struct{ o Options }

// New returns a factory of providers.
func New(o Options) func() provider.Provider {
	return func() provider.Provider { return &auditProvider{o: o} }
}

// Metadata implements provider.Provider.
func (p *auditProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = TypeName
	resp.Version = p.o.Version
}

// Schema implements provider.Provider.
func (p *auditProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerSchema()
}

// ValidateConfig is called before any data source is read and reports what is
// wrong whatever the environment holds.
func (p *auditProvider) ValidateConfig(
	ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse,
) {
	var m providerModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	config, diags := m.config(ctx)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(diagnose(config.Check()...)...)
}

// Configure makes no request and needs no credentials: what is missing is an
// error only for what reads from that service.
func (p *auditProvider) Configure(
	ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse,
) {
	var m providerModel

	resp.Diagnostics.Append(revalidate(ctx, req.Config, validateProvider)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	configured, diags := m.configure(ctx, p.o)
	resp.Diagnostics.Append(diags...)

	configured.begun = p.o.Clock()

	resp.DataSourceData = configured
	resp.ResourceData = configured
	resp.EphemeralResourceData = configured
}

// DataSources implements provider.Provider.
func (p *auditProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		NewAuditLogsDataSource, NewDriftDataSource, NewFilterOptionsDataSource, NewFindingsDataSource,
		NewVerificationDataSource,
	}
}

// EphemeralResources implements provider.ProviderWithEphemeralResources.
func (p *auditProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{NewAuditLogsEphemeral}
}

// Functions implements provider.ProviderWithFunctions.
func (p *auditProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{NewParseCSVFunction, NewChangesFunction}
}

// Resources implements provider.Provider.
func (p *auditProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{NewExportResource, NewArchiveResource}
}
