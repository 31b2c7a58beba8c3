// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

type providerModel struct {
	// The blocks of the services are of upcloudModel, cloudscaleModel and
	// podstackModel; blockOf decodes one.
	UpCloud        types.Object `tfsdk:"upcloud"`
	Cloudscale     types.Object `tfsdk:"cloudscale"`
	PodStack       types.Object `tfsdk:"podstack"`
	RequestTimeout types.String `tfsdk:"request_timeout"`
	MaxRetries     types.Int64  `tfsdk:"max_retries"`
	RetryWaitMin   types.String `tfsdk:"retry_wait_min"`
	RetryWaitMax   types.String `tfsdk:"retry_wait_max"`
	MaxConcurrency types.Int64  `tfsdk:"max_concurrency"`
	MaxClockSkew   types.String `tfsdk:"max_clock_skew"`
	RedactionKey   types.String `tfsdk:"redaction_key"`
}

type upcloudModel struct {
	Token     types.String `tfsdk:"token"`
	Username  types.String `tfsdk:"username"`
	Password  types.String `tfsdk:"password"`
	Account   types.String `tfsdk:"account"`
	Endpoint  types.String `tfsdk:"endpoint"`
	Retention types.String `tfsdk:"retention"`
	Strategy  types.String `tfsdk:"strategy"`
}

type cloudscaleModel struct {
	Token     types.String `tfsdk:"token"`
	Account   types.String `tfsdk:"account"`
	Endpoint  types.String `tfsdk:"endpoint"`
	Retention types.String `tfsdk:"retention"`
}

type podstackModel struct {
	Exports   types.List   `tfsdk:"exports"`
	Columns   types.Map    `tfsdk:"columns"`
	Ignored   types.List   `tfsdk:"ignored_columns"`
	Account   types.String `tfsdk:"account"`
	Retention types.String `tfsdk:"retention"`
}

// blockOf decodes the block of a service: nil where there is none, or where it is not
// known yet.
func blockOf[T any](ctx context.Context, block types.Object) (*T, diag.Diagnostics) {
	if block.IsNull() || block.IsUnknown() {
		return nil, nil
	}

	m := new(T)

	return m, block.As(ctx, m, basetypes.ObjectAsOptions{})
}

// blocks are those of the services, by the service.
func (m *providerModel) blocks() map[string]types.Object {
	return map[string]types.Object{
		auditlog.ServiceUpCloud: m.UpCloud, auditlog.ServiceCloudscale: m.Cloudscale, auditlog.ServicePodStack: m.PodStack,
	}
}

// configured is what data sources and resources get.
type configured struct {
	*source.Sources

	options Options
	// keyUnknown says that the key of pseudonyms is not known yet.
	keyUnknown bool
	// exports say which resource an export's files belong to, and begun is when this
	// run of Terraform configured the provider.
	exports claims
	begun   time.Time
}

// configure makes the services that are configured by a block or by credentials in the
// environment.
func (m *providerModel) configure(ctx context.Context, o Options) (*configured, diag.Diagnostics) {
	config, diags := m.config(ctx)

	return &configured{
		options: o, keyUnknown: m.RedactionKey.IsUnknown(),
		Sources: source.Configure(config,
			source.Options{Tool: o.tool(), Clock: o.Clock, LookupEnv: o.LookupEnv, Log: logRequest}),
	}, diags
}

// config is the configuration as far as it is known.
func (m *providerModel) config(ctx context.Context) (source.Config, diag.Diagnostics) {
	c := source.Config{
		RequestTimeout: m.RequestTimeout.ValueString(),
		MaxRetries:     number(m.MaxRetries),
		MaxConcurrency: number(m.MaxConcurrency),
		MaxClockSkew:   m.MaxClockSkew.ValueString(),
		RedactionKey:   m.RedactionKey.ValueString(),
		Undecided:      map[string]bool{},
		Unsettled:      !known(m.RequestTimeout, m.MaxRetries, m.RetryWaitMin, m.RetryWaitMax, m.MaxConcurrency),
	}

	if known(m.RetryWaitMin, m.RetryWaitMax) {
		c.RetryWaitMin, c.RetryWaitMax = m.RetryWaitMin.ValueString(), m.RetryWaitMax.ValueString()
	}

	var diags diag.Diagnostics

	if u, found := blockOf[upcloudModel](ctx, m.UpCloud); u != nil {
		diags.Append(found...)

		c.UpCloud = &source.UpCloud{
			Token: pointer(u.Token), Username: pointer(u.Username), Password: pointer(u.Password),
			Account: u.Account.ValueString(), Endpoint: u.Endpoint.ValueString(), Retention: u.Retention.ValueString(),
			Strategy: u.Strategy.ValueString(),
		}
	}

	if s, found := blockOf[cloudscaleModel](ctx, m.Cloudscale); s != nil {
		diags.Append(found...)

		c.Cloudscale = &source.Cloudscale{
			Token: s.Token.ValueString(), Account: s.Account.ValueString(), Endpoint: s.Endpoint.ValueString(),
			Retention: s.Retention.ValueString(),
		}
	}

	if p, found := blockOf[podstackModel](ctx, m.PodStack); p != nil {
		diags.Append(found...)

		c.PodStack = &source.PodStack{
			Exports: stringsOf[string](p.Exports), Columns: mapOf(p.Columns), Ignored: stringsOf[string](p.Ignored),
			Account: p.Account.ValueString(), Retention: p.Retention.ValueString(),
		}
	}

	for name, block := range m.blocks() {
		if !known(block) {
			c.Undecided[name] = block.IsUnknown()
		}
	}

	return c, diags
}

// number is nil where nothing is given.
func number(v types.Int64) *int64 {
	if !given(v) {
		return nil
	}

	return v.ValueInt64Pointer()
}

// mapOf returns the values of a map. One that is not known as a whole has none yet,
// like one that is not given.
func mapOf(m types.Map) map[string]string {
	values := map[string]string{}
	if !given(m) {
		return values
	}

	for key, v := range m.Elements() {
		if s, ok := v.(types.String); ok {
			values[key] = s.ValueString()
		}
	}

	return values
}

// redactor returns what redacts entries by the rules of a configuration, nil
// where there are none. Every value must be known: one that is not is an error,
// since leaving it out would let through what it was to take away.
func (c *configured) redactor(m types.Map) (*redact.Redactor, explain.Problems) {
	at := explain.Argument(redactName)

	if m.IsNull() {
		return nil, nil
	}

	if m.IsUnknown() {
		return nil, explain.Problems{unknownRedaction(redactName).At(at)}
	}

	for field, mode := range m.Elements() {
		if mode.IsUnknown() || mode.IsNull() {
			return nil, explain.Problems{unknownRedaction(redactName).At(at.Key(field))}
		}
	}

	rules := mapOf(m)
	if c.keyUnknown && hashes(rules) {
		return nil, explain.Problems{unknownRedaction(redactionKeyName).At(at)}
	}

	return c.Redactor(rules)
}

// redaction is redactor, for a task.
func (c *configured) redaction(m types.Map) task.Redaction {
	return func() (*redact.Redactor, explain.Problems) { return c.redactor(m) }
}

// redactionKnown says that everything is known that redactor needs.
func (c *configured) redactionKnown(m types.Map) bool {
	return known(m) && (!c.keyUnknown || !hashes(mapOf(m)))
}

// hashes says whether rules need a key.
func hashes(rules map[string]string) bool {
	return slices.Contains(slices.Collect(maps.Values(rules)), redact.Hash)
}
