// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
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

// blockOf decodes the block of a service. One that is not there, or not known yet,
// is a model in which nothing is given.
func blockOf[T any](ctx context.Context, block types.Object) (*T, diag.Diagnostics) {
	m := new(T)
	if block.IsNull() || block.IsUnknown() {
		return m, nil
	}

	return m, block.As(ctx, m, basetypes.ObjectAsOptions{})
}

// validate reports what is wrong in itself.
func (m *providerModel) validate(ctx context.Context) diag.Diagnostics {
	u, diags := blockOf[upcloudModel](ctx, m.UpCloud)

	if given(u.Token) && (given(u.Username) || given(u.Password)) {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.ConfigureProvider,
			Cause:   "Two kinds of credentials are given for UpCloud, and they may belong to different accounts.",
			Next:    "Give either token, or username and password.",
		}.With("Service", auditlog.ServiceUpCloud))...) // Not at the block: Terraform would show the secrets in it.
	}

	waitMin, waitMax := span(m.RetryWaitMin, defaultWaitMin), span(m.RetryWaitMax, defaultWaitMax)
	if known(m.RetryWaitMin, m.RetryWaitMax) && waitMin > waitMax {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.ConfigureProvider,
			Cause:   "The first wait between two tries is longer than the longest.",
			Next:    "Lower retry_wait_min or raise retry_wait_max.",
		}.With("retry_wait_min", waitMin.String()).With("retry_wait_max", waitMax.String()).At(explain.Argument("retry_wait_min")))...)
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
	unusable map[string]explain.Problem
	// half holds what is missing of a login in the environment that nothing else
	// makes a service of.
	half map[string]explain.Problem
	// undecided holds the services of these of which only the configuration is not
	// known yet: true where it may turn out that there is none.
	undecided map[string]bool
	// settled says that the settings are known that all services share.
	settled bool
	// redactionKey makes pseudonyms; null when there is none.
	redactionKey types.String
	// exports say which resource an export's files belong to, and begun is when this
	// run of Terraform configured the provider.
	exports claims
	begun   time.Time
}

// configure makes the services that are configured by a block or by credentials
// in the environment. What the configuration says wins over the environment.
func (m *providerModel) configure(ctx context.Context, o Options) (*configured, diag.Diagnostics) {
	c := &configured{
		options: o, services: map[string]auditlog.Service{}, unusable: map[string]explain.Problem{}, half: map[string]explain.Problem{}, undecided: map[string]bool{},
		settled: known(m.RequestTimeout, m.MaxRetries, m.RetryWaitMin, m.RetryWaitMax, m.MaxConcurrency),
	}

	retries := int64(defaultMaxRetries)
	if given(m.MaxRetries) {
		retries = m.MaxRetries.ValueInt64()
	}

	concurrency := int64(defaultConcurrency)
	if given(m.MaxConcurrency) {
		concurrency = m.MaxConcurrency.ValueInt64()
	}

	shared := client.Options{
		UserAgent:      "terraform-provider-audit/" + o.Version,
		RequestTimeout: span(m.RequestTimeout, defaultRequestTimeout),
		MaxRetries:     int(retries),
		RetryWaitMin:   span(m.RetryWaitMin, defaultWaitMin),
		RetryWaitMax:   span(m.RetryWaitMax, defaultWaitMax),
		MaxConcurrency: int(concurrency),
		MaxClockSkew:   span(m.MaxClockSkew, client.DefaultMaxClockSkew),
		Clock:          o.Clock,
	}

	m.holdSecrets(ctx, o)

	c.redactionKey = or(m.RedactionKey, c.env(explain.RedactionKeyEnv))

	diags := c.addUpCloud(ctx, m.UpCloud, shared)
	diags.Append(c.addCloudscale(ctx, m.Cloudscale, shared)...)
	diags.Append(c.addPodStack(ctx, m.PodStack)...)

	return c, diags
}

// secretEnvs are the variables of the environment that hold secrets.
func secretEnvs() []string {
	return []string{
		"UPCLOUD_TOKEN", "UPCLOUD_PASSWORD", "CLOUDSCALE_API_TOKEN", explain.RedactionKeyEnv, explain.SigningKeyEnv,
		"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	}
}

// holdSecrets has every secret of the configuration and of the environment removed
// from whatever is shown, also those that turn out not to be used.
func (m *providerModel) holdSecrets(ctx context.Context, o Options) {
	env := func(name string) string {
		value, _ := o.LookupEnv(name)

		return value
	}

	for _, name := range secretEnvs() {
		screen.Secret(env(name))
	}

	// What is wrong with a block is reported by whoever uses it.
	u, _ := blockOf[upcloudModel](ctx, m.UpCloud)
	c, _ := blockOf[cloudscaleModel](ctx, m.Cloudscale)

	screen.Secret(u.Token.ValueString(), c.Token.ValueString(), m.RedactionKey.ValueString())

	for _, name := range []string{u.Username.ValueString(), env("UPCLOUD_USERNAME")} {
		for _, password := range []string{u.Password.ValueString(), env("UPCLOUD_PASSWORD")} {
			screen.Login(name, password)
		}
	}
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

// decided says that all of a service's block is known. As long as it is not, nothing
// of it and nothing of the environment decides how the service is used.
func (c *configured) decided(info auditlog.Info, block types.Object) bool {
	if known(block) {
		return true
	}

	c.unusable[info.Name], c.undecided[info.Name] = unknownProblem(info), block.IsUnknown()

	return false
}

func (c *configured) addUpCloud(ctx context.Context, block types.Object, shared client.Options) diag.Diagnostics {
	info := upcloud.Info()

	m, diags := blockOf[upcloudModel](ctx, block)
	if !c.decided(info, block) {
		return diags
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
	case !hasToken && !hasLogin && block.IsNull():
		c.half[info.Name] = halfOfALogin(user, password)

		return diags
	case hasToken && hasLogin:
		c.unusable[info.Name] = explain.Problem{
			Cause: "Both UPCLOUD_TOKEN and UPCLOUD_USERNAME with UPCLOUD_PASSWORD are set, and they may belong to different accounts.",
			Next:  "Unset one kind, or name the one to use in the provider's upcloud block.",
		}

		return diags
	case !hasToken && !hasLogin:
		p := halfOfALogin(user, password)
		if p.Cause == "" {
			p = explain.Problem{Cause: "No credentials are configured for UpCloud.", Next: info.CredentialsHint}
		}

		c.unusable[info.Name] = p

		return diags
	}

	authorization := "Bearer " + token.ValueString()
	if !hasToken {
		authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(user.ValueString()+":"+password.ValueString()))
	}

	endpoint := or(m.Endpoint, c.env("UPCLOUD_DEBUG_API_BASE_URL"), types.StringValue(upcloud.DefaultEndpoint))

	shared, ok := c.access(info, shared, access{
		version: "1.3", endpoint: endpoint, authorization: authorization,
	})
	if ok {
		c.services[info.Name] = upcloud.New(client.New(shared), c.options.Clock, spanOf(m.Retention)).ForAccount(m.Account.ValueString()).
			WithCredentialsHint(m.credentialsHint(hasToken, info))
	}

	return diags
}

// credentialsHint is the sentence that says where the credentials in use are
// configured.
func (m *upcloudModel) credentialsHint(byToken bool, info auditlog.Info) string {
	const inBlock = " in the provider's upcloud block"

	var in string

	switch token, user, password := !or(m.Token).IsNull(), !or(m.Username).IsNull(), !or(m.Password).IsNull(); {
	case byToken && token:
		in = "token" + inBlock
	case byToken:
		return info.CredentialsHint
	case user && password:
		in = "username and password" + inBlock
	case user:
		in = "username" + inBlock + " and UPCLOUD_PASSWORD"
	case password:
		in = "UPCLOUD_USERNAME and password" + inBlock
	default:
		return info.CredentialsHint
	}

	return "Set " + in + ", for an account with API access."
}

// halfOfALogin says what is missing where only one of two is there, else nothing.
func halfOfALogin(user, password types.String) explain.Problem {
	switch {
	case !user.IsNull() && password.IsNull():
		return explain.Problem{Cause: "There is a user name for UpCloud, but no password.", Next: "Set password in the provider's upcloud block, or UPCLOUD_PASSWORD."}
	case user.IsNull() && !password.IsNull():
		return explain.Problem{Cause: "There is a password for UpCloud, but no user name.", Next: "Set username in the provider's upcloud block, or UPCLOUD_USERNAME."}
	default:
		return explain.Problem{}
	}
}

func (c *configured) addCloudscale(ctx context.Context, block types.Object, shared client.Options) diag.Diagnostics {
	info := cloudscale.Info()

	m, diags := blockOf[cloudscaleModel](ctx, block)
	if !c.decided(info, block) {
		return diags
	}

	token := or(m.Token, c.env("CLOUDSCALE_API_TOKEN"))
	if token.IsNull() {
		if !block.IsNull() {
			c.unusable[info.Name] = explain.Problem{Cause: "No credentials are configured for cloudscale.", Next: info.CredentialsHint}
		}

		return diags
	}

	endpoint := or(m.Endpoint, c.env("CLOUDSCALE_API_URL"), types.StringValue(cloudscale.DefaultEndpoint))

	shared, ok := c.access(info, shared, access{
		version: "v1", endpoint: endpoint, authorization: "Bearer " + token.ValueString(),
	})
	if ok {
		hint := info.CredentialsHint
		if !or(m.Token).IsNull() {
			hint = "Set token in the provider's cloudscale block to a token of the project; read access is enough."
		}

		c.services[info.Name] = cloudscale.New(client.New(shared), c.options.Clock, spanOf(m.Retention)).ForAccount(m.Account.ValueString()).
			WithCredentialsHint(hint)
	}

	return diags
}

// addPodStack needs no credentials, so that its block alone configures it.
func (c *configured) addPodStack(ctx context.Context, block types.Object) diag.Diagnostics {
	info := podstack.Info()

	m, diags := blockOf[podstackModel](ctx, block)
	if !c.decided(info, block) || block.IsNull() {
		return diags
	}

	c.services[info.Name] = podstack.New(podstack.Options{
		Exports: stringsOf[string](m.Exports), Columns: mapOf(m.Columns), Ignored: stringsOf[string](m.Ignored), Account: m.Account.ValueString(),
		Retention: spanOf(m.Retention), Clock: c.options.Clock,
	})

	return diags
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

func unknownProblem(info auditlog.Info) explain.Problem {
	return explain.Problem{
		Cause: fmt.Sprintf("The provider's configuration for %s depends on values that are known only after an apply.", info.Title),
		Next:  "Configure the provider with values that are known when planning, such as variables or the environment.",
	}
}

// access is how to get at one service.
type access struct {
	version, authorization string
	endpoint               types.String
}

// access completes the options of a client, or says why the service is unusable.
func (c *configured) access(info auditlog.Info, shared client.Options, a access) (client.Options, bool) {
	if !c.settled {
		c.unusable[info.Name], c.undecided[info.Name] = unknownProblem(info), false

		return client.Options{}, false
	}

	if strings.ContainsFunc(a.authorization, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.unusable[info.Name] = explain.Problem{
			Cause: fmt.Sprintf("The credentials for %s hold a line break or another control character.", info.Title),
			Next:  "Remove it; a file read with file() often ends in a line break, which trimspace() removes.",
		}

		return client.Options{}, false
	}

	endpoint, err := client.ParseEndpoint(a.endpoint.ValueString(), a.version)
	if err != nil {
		c.unusable[info.Name] = endpointProblem(err)

		return client.Options{}, false
	}

	shared.Endpoint, shared.Authorization = endpoint, a.authorization

	return shared, true
}

func endpointProblem(err error) explain.Problem {
	return explain.Problem{
		Cause: "The endpoint cannot be used: it is " + err.Error() + ".",
		Next:  "Give the root of the API, such as \"https://api.example.com\"; plain http is only for this machine itself.",
	}
}

// pick returns the service of that name, or the only one that is configured. What
// is in the way is undecided where only the provider's configuration is not known
// yet.
func (c *configured) pick(summary string, name types.String) (s auditlog.Service, picked explain.Problems, undecided bool) {
	at := explain.Argument("service")
	wanted := name.ValueString()

	if name.IsNull() {
		var p explain.Problem

		wanted, p = c.onlyOne()
		if p.Cause != "" {
			p.Summary = summary

			return nil, explain.Problems{p.At(at)}, false
		}
	}

	if s, ok := c.services[wanted]; ok {
		return s, nil, false
	}

	if p, ok := c.unusable[wanted]; ok {
		p.Summary = summary
		_, undecided := c.undecided[wanted]

		return nil, explain.Problems{p.With("Service", wanted).At(at)}, undecided
	}

	info, _ := infoOf(wanted)

	p := c.half[wanted]
	if p.Cause == "" {
		p = explain.Problem{Cause: fmt.Sprintf("%s is not configured.", info.Title), Next: info.CredentialsHint}
	}

	p.Summary = summary

	return nil, explain.Problems{p.With("Service", wanted).At(at)}, false
}

// onlyOne returns the name of the only service that is configured; one of which that
// is not known yet, where it depends on it which one is.
func (c *configured) onlyOne() (string, explain.Problem) {
	var certain, possible []string

	for _, name := range serviceNames() {
		_, usable := c.services[name]
		_, unusable := c.unusable[name]

		switch {
		case c.undecided[name]:
			possible = append(possible, name)
		case usable || unusable:
			certain = append(certain, name)
		}
	}

	switch {
	case len(certain) > 1:
		return "", explain.Problem{
			Cause: "More than one service is configured, so which one to read has to be said.",
			Next:  "Set service to one of them.",
		}.With("Services", strings.Join(certain, ", "))
	case len(possible) > 0:
		return possible[0], explain.Problem{}
	case len(certain) == 1:
		return certain[0], explain.Problem{}
	case c.half[auditlog.ServiceUpCloud].Cause != "":
		return auditlog.ServiceUpCloud, explain.Problem{}
	default:
		return "", explain.Problem{
			Cause: "No service is configured.",
			Next:  "Set UPCLOUD_TOKEN or CLOUDSCALE_API_TOKEN, or configure a service in the provider block.",
		}
	}
}

// sameService says whether both names mean the same service: the only one where none
// is given.
func (c *configured) sameService(a, b types.String) bool {
	if a.Equal(b) {
		return true
	}

	only, _ := c.onlyOne()

	return only != "" && or(a, types.StringValue(only)).Equal(or(b, types.StringValue(only)))
}

// serviceNames lists the services that a configuration may name.
func serviceNames() []string {
	return []string{auditlog.ServiceCloudscale, auditlog.ServicePodStack, auditlog.ServiceUpCloud}
}
