// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

type providerModel struct {
	UpCloud        *upcloudModel    `tfsdk:"upcloud"`
	Cloudscale     *cloudscaleModel `tfsdk:"cloudscale"`
	PodStack       *podstackModel   `tfsdk:"podstack"`
	RequestTimeout types.String     `tfsdk:"request_timeout"`
	MaxRetries     types.Int64      `tfsdk:"max_retries"`
	RetryWaitMin   types.String     `tfsdk:"retry_wait_min"`
	RetryWaitMax   types.String     `tfsdk:"retry_wait_max"`
	MaxConcurrency types.Int64      `tfsdk:"max_concurrency"`
	RedactionKey   types.String     `tfsdk:"redaction_key"`
}

type upcloudModel struct {
	Token     types.String `tfsdk:"token"`
	Username  types.String `tfsdk:"username"`
	Password  types.String `tfsdk:"password"`
	Account   types.String `tfsdk:"account"`
	Endpoint  types.String `tfsdk:"endpoint"`
	Retention types.String `tfsdk:"retention"`
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
	Account   types.String `tfsdk:"account"`
	Retention types.String `tfsdk:"retention"`
}

const configureProvider = "Configure the audit provider"

// validate reports what is wrong in itself.
func (m *providerModel) validate() diag.Diagnostics {
	var diags diag.Diagnostics

	if u := m.UpCloud; u != nil && !u.Token.IsNull() && (!u.Username.IsNull() || !u.Password.IsNull()) {
		diags.Append(problem{
			summary: configureProvider,
			cause:   "Two kinds of credentials are given for UpCloud, and they may belong to different accounts.",
			next:    "Give either token, or username and password.",
		}.with("Service", auditlog.ServiceUpCloud).diagnostic()) // Not at the block: Terraform would show the secrets in it.
	}

	waitMin, waitMax := span(m.RetryWaitMin, defaultWaitMin), span(m.RetryWaitMax, defaultWaitMax)
	if !m.RetryWaitMin.IsUnknown() && !m.RetryWaitMax.IsUnknown() && waitMin > waitMax {
		diags.Append(problem{
			summary: configureProvider,
			cause:   "The first wait between two tries is longer than the longest.",
			next:    "Lower retry_wait_min or raise retry_wait_max.",
		}.with("retry_wait_min", waitMin.String()).with("retry_wait_max", waitMax.String()).at(path.Root("retry_wait_min")))
	}

	return diags
}

const (
	defaultRequestTimeout = time.Minute
	defaultMaxRetries     = 4
	defaultWaitMin        = time.Second
	defaultWaitMax        = 30 * time.Second
	defaultConcurrency    = 4
)

// span reads a duration that a validator has let pass.
func span(v types.String, fallback time.Duration) time.Duration {
	if d, err := time.ParseDuration(v.ValueString()); err == nil {
		return d
	}

	return fallback
}

// configured is what data sources and resources get: the services, and what
// stands between the others and being used.
type configured struct {
	options  Options
	services map[string]auditlog.Service
	// unusable holds, by service, why one that is configured cannot be used.
	unusable map[string]problem
	// redactionKey makes pseudonyms; null when there is none.
	redactionKey types.String
}

// configure makes the services that are configured by a block or by credentials
// in the environment. What the configuration says wins over the environment.
func (m *providerModel) configure(o Options) (*configured, diag.Diagnostics) {
	c := &configured{options: o, services: map[string]auditlog.Service{}, unusable: map[string]problem{}}
	diags := m.validate()

	retries := int64(defaultMaxRetries)
	if !m.MaxRetries.IsNull() && !m.MaxRetries.IsUnknown() {
		retries = m.MaxRetries.ValueInt64()
	}

	concurrency := int64(defaultConcurrency)
	if !m.MaxConcurrency.IsNull() && !m.MaxConcurrency.IsUnknown() {
		concurrency = m.MaxConcurrency.ValueInt64()
	}

	shared := client.Options{
		UserAgent:      "terraform-provider-audit/" + o.Version,
		RequestTimeout: span(m.RequestTimeout, defaultRequestTimeout),
		MaxRetries:     int(retries),
		RetryWaitMin:   span(m.RetryWaitMin, defaultWaitMin),
		RetryWaitMax:   span(m.RetryWaitMax, defaultWaitMax),
		MaxConcurrency: int(concurrency),
		Clock:          o.Clock,
	}

	c.redactionKey = or(m.RedactionKey, c.env(redactionKeyEnv))

	c.addUpCloud(m.UpCloud, shared)
	c.addCloudscale(m.Cloudscale, shared)
	c.addPodStack(m.PodStack)

	return c, diags
}

func (c *configured) env(name string) types.String {
	if v, ok := c.options.LookupEnv(name); ok && v != "" {
		return types.StringValue(v)
	}

	return types.StringNull()
}

// or returns the first value that is given, be it unknown.
func or(values ...types.String) types.String {
	i := slices.IndexFunc(values, func(v types.String) bool { return !v.IsNull() && (v.IsUnknown() || v.ValueString() != "") })
	if i < 0 {
		return types.StringNull()
	}

	return values[i]
}

func (c *configured) addUpCloud(m *upcloudModel, shared client.Options) {
	info := upcloud.Info()

	inBlock := m != nil
	if m == nil {
		m = &upcloudModel{}
	}

	token, user, password := m.Token, m.Username, m.Password

	// A block that names one kind of credentials leaves only that kind to the environment.
	if or(user, password).IsNull() {
		token = or(token, c.env("UPCLOUD_TOKEN"))
	}

	if m.Token.IsNull() {
		user, password = or(user, c.env("UPCLOUD_USERNAME")), or(password, c.env("UPCLOUD_PASSWORD"))
	}

	hasToken, hasLogin := !token.IsNull(), !user.IsNull() && !password.IsNull()

	switch {
	case !hasToken && !hasLogin && !inBlock:
		return
	case hasToken && hasLogin:
		c.unusable[info.Name] = problem{
			cause: "Both UPCLOUD_TOKEN and UPCLOUD_USERNAME with UPCLOUD_PASSWORD are set, and they may belong to different accounts.",
			next:  "Unset one kind, or name the one to use in the provider's upcloud block.",
		}

		return
	case !hasToken && !hasLogin:
		c.unusable[info.Name] = problem{cause: "No credentials are configured for UpCloud.", next: info.CredentialsHint}

		return
	}

	authorization, secrets := "Bearer "+token.ValueString(), []string{token.ValueString()}
	if !hasToken {
		pair := base64.StdEncoding.EncodeToString([]byte(user.ValueString() + ":" + password.ValueString()))
		authorization, secrets = "Basic "+pair, []string{pair, password.ValueString()}
	}

	endpoint := or(m.Endpoint, c.env("UPCLOUD_DEBUG_API_BASE_URL"), types.StringValue(upcloud.DefaultEndpoint))

	shared, ok := c.access(info, shared, access{
		version: "1.3", endpoint: endpoint, authorization: authorization, secrets: secrets,
		values: []attr.Value{token, user, password, endpoint, m.Account, m.Retention},
	})
	if ok {
		c.services[info.Name] = upcloud.New(client.New(shared), c.options.Clock, spanOf(m.Retention)).ForAccount(m.Account.ValueString())
	}
}

func (c *configured) addCloudscale(m *cloudscaleModel, shared client.Options) {
	info := cloudscale.Info()

	inBlock := m != nil
	if m == nil {
		m = &cloudscaleModel{}
	}

	token := or(m.Token, c.env("CLOUDSCALE_API_TOKEN"))
	if token.IsNull() {
		if inBlock {
			c.unusable[info.Name] = problem{cause: "No credentials are configured for cloudscale.", next: info.CredentialsHint}
		}

		return
	}

	endpoint := or(m.Endpoint, c.env("CLOUDSCALE_API_URL"), types.StringValue(cloudscale.DefaultEndpoint))

	shared, ok := c.access(info, shared, access{
		version: "v1", endpoint: endpoint, authorization: "Bearer " + token.ValueString(), secrets: []string{token.ValueString()},
		values: []attr.Value{token, endpoint, m.Account, m.Retention},
	})
	if ok {
		c.services[info.Name] = cloudscale.New(client.New(shared), c.options.Clock, spanOf(m.Retention)).ForAccount(m.Account.ValueString())
	}
}

// addPodStack needs no credentials, so that its block alone configures it.
func (c *configured) addPodStack(m *podstackModel) {
	if m == nil {
		return
	}

	info := podstack.Info()

	values := append([]attr.Value{m.Exports, m.Columns, m.Account, m.Retention}, m.Exports.Elements()...)
	for _, v := range m.Columns.Elements() {
		values = append(values, v)
	}

	if slices.ContainsFunc(values, attr.Value.IsUnknown) {
		c.unusable[info.Name] = unknownProblem(info)

		return
	}

	c.services[info.Name] = podstack.New(podstack.Options{
		Exports: stringsOf[string](m.Exports), Columns: mapOf(m.Columns), Account: m.Account.ValueString(), Retention: spanOf(m.Retention), Clock: c.options.Clock,
	})
}

// mapOf returns the values of a map that is known as a whole.
func mapOf(m types.Map) map[string]string {
	values := map[string]string{}

	for key, v := range m.Elements() {
		if s, ok := v.(types.String); ok {
			values[key] = s.ValueString()
		}
	}

	return values
}

func unknownProblem(info auditlog.Info) problem {
	return problem{
		cause: fmt.Sprintf("The provider's configuration for %s depends on values that are known only after an apply.", info.Title),
		next:  "Configure the provider with values that are known when planning, such as variables or the environment.",
	}
}

// access is how to get at one service. The values are those that have to be
// known for that.
type access struct {
	version, authorization string
	endpoint               types.String
	secrets                []string
	values                 []attr.Value
}

// access completes the options of a client, or says why the service is unusable.
func (c *configured) access(info auditlog.Info, shared client.Options, a access) (client.Options, bool) {
	if slices.ContainsFunc(a.values, attr.Value.IsUnknown) {
		c.unusable[info.Name] = unknownProblem(info)

		return client.Options{}, false
	}

	if strings.ContainsFunc(a.authorization, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.unusable[info.Name] = problem{
			cause: fmt.Sprintf("The credentials for %s hold a line break or another control character.", info.Title),
			next:  "Remove it; a file read with file() often ends in a line break, which trimspace() removes.",
		}

		return client.Options{}, false
	}

	endpoint, err := client.ParseEndpoint(a.endpoint.ValueString(), a.version)
	if err != nil {
		c.unusable[info.Name] = endpointProblem(err)

		return client.Options{}, false
	}

	shared.Endpoint, shared.Authorization, shared.Secrets = endpoint, a.authorization, a.secrets

	return shared, true
}

func endpointProblem(err error) problem {
	return problem{
		cause: "The endpoint cannot be used: it is " + err.Error() + ".",
		next:  "Give the root of the API, such as \"https://api.example.com\"; plain http is only for this machine itself.",
	}
}

// pick returns the service of that name, or the only one that is configured.
func (c *configured) pick(summary string, name types.String) (auditlog.Service, diag.Diagnostic) {
	at := path.Root("service")

	names := make([]string, 0, len(c.services)+len(c.unusable))
	for n := range c.services {
		names = append(names, n)
	}

	for n := range c.unusable {
		names = append(names, n)
	}

	slices.Sort(names)

	wanted := name.ValueString()

	if name.IsNull() {
		switch len(names) {
		case 0:
			return nil, problem{
				summary: summary,
				cause:   "No service is configured.",
				next:    "Set UPCLOUD_TOKEN or CLOUDSCALE_API_TOKEN, or configure a service in the provider block.",
			}.at(at)
		case 1:
			wanted = names[0]
		default:
			return nil, problem{
				summary: summary,
				cause:   "More than one service is configured, so which one to read has to be said.",
				next:    "Set service to one of them.",
			}.with("Services", strings.Join(names, ", ")).at(at)
		}
	}

	if s, ok := c.services[wanted]; ok {
		return s, nil
	}

	if p, ok := c.unusable[wanted]; ok {
		p.summary = summary
		p.facts = []fact{{"Service", wanted}}

		return nil, p.at(at)
	}

	info, _ := infoOf(wanted)

	return nil, problem{
		summary: summary,
		cause:   fmt.Sprintf("%s is not configured.", info.Title),
		next:    info.CredentialsHint,
	}.with("Service", wanted).at(at)
}

// serviceNames lists the services that a configuration may name.
func serviceNames() []string {
	return []string{auditlog.ServiceCloudscale, auditlog.ServicePodStack, auditlog.ServiceUpCloud}
}
