// SPDX-License-Identifier: MPL-2.0

// Package source finds what is read: the services with their credentials, and archives.
// What is configured wins over the environment.
package source

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// Options is what sources take from the world around them.
type Options struct {
	// Tool is who reads, such as "terraform-provider-audit/0.1.0".
	Tool  string
	Clock auditlog.Clock
	// LookupEnv is os.LookupEnv, or a test's environment.
	LookupEnv func(name string) (string, bool)
	// Log is told about each request.
	Log client.Log
}

// Config is how services are configured. One whose part is nil is configured by the
// environment, if at all.
type Config struct {
	UpCloud    *UpCloud
	Cloudscale *Cloudscale
	PodStack   *PodStack

	// What the services have in common, lengths of time as time.ParseDuration reads them.
	// What is not given is the default.
	RequestTimeout string
	MaxRetries     *int64
	RetryWaitMin   string
	RetryWaitMax   string
	MaxConcurrency *int64
	MaxClockSkew   string

	RedactionKey string

	// Undecided holds the services whose configuration is not known yet: true where it
	// may turn out that there is none. Unsettled says so of what they have in common.
	Undecided map[string]bool
	Unsettled bool
}

// UpCloud is how UpCloud is configured. Nil is not the same as "": what is given, be it
// empty, keeps the environment from giving credentials of another kind.
type UpCloud struct {
	Token     *string
	Username  *string
	Password  *string
	Account   string
	Endpoint  string
	Retention string
	// Strategy is one of upcloud.Strategies; "" stands for the first.
	Strategy string
}

// Cloudscale is how cloudscale is configured.
type Cloudscale struct {
	Token     string
	Account   string
	Endpoint  string
	Retention string
}

// PodStack is how PodStack is configured.
type PodStack struct {
	Exports   []string
	Columns   map[string]string
	Ignored   []string
	Account   string
	Retention string
}

// The defaults of what services have in common.
const (
	defaultRequestTimeout = time.Minute
	defaultMaxRetries     = 4
	defaultRetryWaitMin   = time.Second
	defaultRetryWaitMax   = 30 * time.Second
	defaultConcurrency    = 8
)

// Sources are the services that can be read, and what stands between the others and
// being used.
type Sources struct {
	options  Options
	services map[string]auditlog.Service
	// clients are those of the services that speak HTTP.
	clients map[string]*client.Client
	// unusable holds, by service, why one that is configured cannot be used.
	unusable map[string]explain.Problem
	// half holds what is missing of a login in the environment that nothing else
	// makes a service of.
	half map[string]explain.Problem
	// undecided holds the services of these of which only the configuration is not
	// known yet: true where it may turn out that there is none.
	undecided map[string]bool
	// unsettled says that the settings are not known that all services share.
	unsettled bool
	// redactionKey makes pseudonyms; "" when there is none.
	redactionKey string
}

// Check reports what is wrong whatever the environment holds.
func (c *Config) Check() explain.Problems {
	var found explain.Problems

	if u := c.UpCloud; u != nil && u.Token != nil && (u.Username != nil || u.Password != nil) {
		found.Add(explain.Problem{
			Summary: explain.ConfigureProvider,
			Cause:   "Two kinds of credentials are given for UpCloud, and they may belong to different accounts.",
			Next:    "Give either token, or username and password.",
		}.With("Service", auditlog.ServiceUpCloud).OfSecret())
	}

	shortest, longest := span(c.RetryWaitMin, defaultRetryWaitMin), span(c.RetryWaitMax, defaultRetryWaitMax)
	if shortest > longest {
		found.Add(explain.Problem{
			Summary: explain.ConfigureProvider,
			Cause:   "The first wait between two tries is longer than the longest.",
			Next:    "Lower {retry_wait_min} or raise {retry_wait_max}.",
		}.With("{retry_wait_min}", shortest.String()).With("{retry_wait_max}",
			longest.String()).At(explain.Argument("retry_wait_min")))
	}

	return found
}

// span reads a duration that its form has let pass.
func span(text string, fallback time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}

	return fallback
}

func number(n *int64, fallback int) int {
	if n == nil {
		return fallback
	}

	return int(*n)
}

// text is what is given, "" where nothing is.
func text(given *string) string {
	if given == nil {
		return ""
	}

	return *given
}

// Configure makes the services that are configured by c or by credentials in the
// environment. It makes no request: what is missing is an error only for what reads from
// that service.
func Configure(c Config, o Options) *Sources {
	s := &Sources{
		options: o, services: map[string]auditlog.Service{}, clients: map[string]*client.Client{},
		unusable:  map[string]explain.Problem{},
		half:      map[string]explain.Problem{},
		undecided: map[string]bool{}, unsettled: c.Unsettled,
	}

	maps.Copy(s.undecided, c.Undecided)

	shared := client.Options{
		UserAgent:      o.Tool,
		RequestTimeout: span(c.RequestTimeout, defaultRequestTimeout),
		MaxRetries:     number(c.MaxRetries, defaultMaxRetries),
		RetryWaitMin:   span(c.RetryWaitMin, defaultRetryWaitMin),
		RetryWaitMax:   span(c.RetryWaitMax, defaultRetryWaitMax),
		MaxConcurrency: number(c.MaxConcurrency, defaultConcurrency),
		MaxClockSkew:   span(c.MaxClockSkew, client.DefaultMaxClockSkew),
		Clock:          o.Clock,
		Log:            o.Log,
	}

	s.holdSecrets(c)
	s.redactionKey = cmp.Or(c.RedactionKey, s.env(explain.RedactionKeyEnv))

	s.addUpCloud(c.UpCloud, shared)
	s.addCloudscale(c.Cloudscale, shared)
	s.addPodStack(c.PodStack)

	return s
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
func (s *Sources) holdSecrets(c Config) {
	for _, name := range secretEnvs() {
		screen.Secret(s.env(name))
	}

	u, cloud := cmp.Or(c.UpCloud, &UpCloud{}), cmp.Or(c.Cloudscale, &Cloudscale{})

	screen.Secret(text(u.Token), cloud.Token, c.RedactionKey)

	for _, name := range []string{text(u.Username), s.env("UPCLOUD_USERNAME")} {
		for _, password := range []string{text(u.Password), s.env("UPCLOUD_PASSWORD")} {
			screen.Login(name, password)
		}
	}
}

func (s *Sources) env(name string) string {
	if value, ok := s.options.LookupEnv(name); ok {
		return value
	}

	return ""
}

// decided says that all of a service's configuration is known. As long as it is not,
// nothing of it and nothing of the environment decides how the service is used.
func (s *Sources) decided(info auditlog.Info) bool {
	_, undecided := s.undecided[info.Name]
	if undecided {
		s.unusable[info.Name] = unknownProblem(info)
	}

	return !undecided
}

func (s *Sources) addUpCloud(given *UpCloud, shared client.Options) {
	info := upcloud.Info()
	if !s.decided(info) {
		return
	}

	u := cmp.Or(given, &UpCloud{})
	token, user, password := text(u.Token), text(u.Username), text(u.Password)

	// What names one kind of credentials leaves only that kind to the environment.
	if user == "" && password == "" {
		token = cmp.Or(token, s.env("UPCLOUD_TOKEN"))
	}

	if u.Token == nil {
		user, password = cmp.Or(user, s.env("UPCLOUD_USERNAME")), cmp.Or(password, s.env("UPCLOUD_PASSWORD"))
	}

	hasToken, hasLogin := token != "", user != "" && password != ""

	switch {
	case !hasToken && !hasLogin && given == nil:
		s.half[info.Name] = halfOfALogin(user, password)

		return
	case hasToken && hasLogin:
		s.unusable[info.Name] = explain.Problem{
			Cause: "Both UPCLOUD_TOKEN and UPCLOUD_USERNAME with UPCLOUD_PASSWORD are set, and they may belong to different accounts.",
			Next:  "Unset one kind, or name the one to use{ in the provider's upcloud block}.",
		}

		return
	case !hasToken && !hasLogin:
		p := halfOfALogin(user, password)
		if p.Cause == "" {
			p = explain.Problem{Cause: "No credentials are configured for UpCloud.", Next: explain.Text(info.CredentialsHint)}
		}

		s.unusable[info.Name] = p

		return
	}

	authorization := "Bearer " + token
	if !hasToken {
		authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}

	shared, ok := s.access(info, shared, access{
		version: "1.3", endpoint: cmp.Or(u.Endpoint, s.env("UPCLOUD_DEBUG_API_BASE_URL"), upcloud.DefaultEndpoint),
		authorization: authorization,
	})
	if ok {
		s.clients[info.Name] = client.New(shared)
		s.services[info.Name] = upcloud.New(s.clients[info.Name], s.options.Clock,
			query.ParseSpan(u.Retention)).ForAccount(u.Account).
			WithStrategy(upcloud.Strategy(cmp.Or(u.Strategy, upcloud.Strategies()[0]))).
			WithCredentialsHint(u.credentialsHint(hasToken, info))
	}
}

// credentialsHint is the sentence that says where the credentials in use are
// configured.
func (u *UpCloud) credentialsHint(byToken bool, info auditlog.Info) string {
	const inBlock = "{ in the provider's upcloud block}"

	var in string

	switch token, user, password := text(u.Token) != "", text(u.Username) != "", text(u.Password) != ""; {
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
func halfOfALogin(user, password string) explain.Problem {
	switch {
	case user != "" && password == "":
		return explain.Problem{
			Cause: "There is a user name for UpCloud, but no password.",
			Next:  "Set {password in the provider's upcloud block, or }UPCLOUD_PASSWORD.",
		}
	case user == "" && password != "":
		return explain.Problem{
			Cause: "There is a password for UpCloud, but no user name.",
			Next:  "Set {username in the provider's upcloud block, or }UPCLOUD_USERNAME.",
		}
	default:
		return explain.Problem{}
	}
}

func (s *Sources) addCloudscale(given *Cloudscale, shared client.Options) {
	info := cloudscale.Info()
	if !s.decided(info) {
		return
	}

	c := cmp.Or(given, &Cloudscale{})

	token := cmp.Or(c.Token, s.env("CLOUDSCALE_API_TOKEN"))
	if token == "" {
		if given != nil {
			s.unusable[info.Name] = explain.Problem{
				Cause: "No credentials are configured for cloudscale.",
				Next:  explain.Text(info.CredentialsHint),
			}
		}

		return
	}

	shared, ok := s.access(info, shared, access{
		version: "v1", endpoint: cmp.Or(c.Endpoint, s.env("CLOUDSCALE_API_URL"), cloudscale.DefaultEndpoint),
		authorization: "Bearer " + token,
	})
	if ok {
		hint := info.CredentialsHint
		if c.Token != "" {
			hint = "Set token{ in the provider's cloudscale block} to a token of the project; read access is enough."
		}

		s.clients[info.Name] = client.New(shared)
		s.services[info.Name] = cloudscale.New(s.clients[info.Name], s.options.Clock,
			query.ParseSpan(c.Retention)).ForAccount(c.Account).
			WithCredentialsHint(hint)
	}
}

// addPodStack needs no credentials, so that its part alone configures it.
func (s *Sources) addPodStack(given *PodStack) {
	if info := podstack.Info(); s.decided(info) && given != nil {
		s.services[info.Name] = podstack.New(podstack.Options{
			Exports: given.Exports, Columns: given.Columns, Ignored: given.Ignored, Account: given.Account,
			Retention: query.ParseSpan(given.Retention), Clock: s.options.Clock,
		})
	}
}

func unknownProblem(info auditlog.Info) explain.Problem {
	return explain.Problem{
		Cause: explain.Textf("The provider's configuration for %s depends on values that are known only after an apply.", info.Title),
		Next:  "Configure the provider with values that are known when planning, such as variables or the environment.",
	}
}

// access is how to get at one service.
type access struct{ version, authorization, endpoint string }

// access completes the options of a client, or says why the service is unusable.
func (s *Sources) access(info auditlog.Info, shared client.Options, a access) (client.Options, bool) {
	if s.unsettled {
		s.unusable[info.Name], s.undecided[info.Name] = unknownProblem(info), false

		return client.Options{}, false
	}

	if strings.ContainsFunc(a.authorization, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		s.unusable[info.Name] = explain.Problem{
			Cause: explain.Textf("The credentials for %s hold a line break or another control character.", info.Title),
			Next:  "Remove it; {a file read with file() often ends in a line break, which trimspace() removes}.",
		}

		return client.Options{}, false
	}

	endpoint, err := client.ParseEndpoint(a.endpoint, a.version)
	if err != nil {
		s.unusable[info.Name] = explain.Problem{
			Cause: "The endpoint cannot be used: it is " + explain.Plain(err.Error()) + ".",
			Next:  "Give the root of the API, such as \"https://api.example.com\"; plain http is only for this machine itself.",
		}

		return client.Options{}, false
	}

	shared.Endpoint, shared.Authorization = endpoint, a.authorization

	return shared, true
}

// Service returns the service of that name, or where the name is "" the only one that is
// configured. What is in the way is undecided where only the configuration is not known
// yet.
func (s *Sources) Service(summary, name string) (service auditlog.Service, wrong explain.Problems, undecided bool) {
	refuse := func(p explain.Problem) explain.Problems {
		p.Summary = summary

		return explain.Problems{p.With("Service", name).At(explain.Argument("service"))}
	}

	if name == "" {
		only, p := s.Only()
		if p.Cause != "" {
			return nil, refuse(p), false
		}

		name = only
	}

	if service, ok := s.services[name]; ok {
		return service, nil, false
	}

	if p, ok := s.unusable[name]; ok {
		_, undecided := s.undecided[name]

		return nil, refuse(p), undecided
	}

	info, _ := InfoOf(name)

	p := s.half[name]
	if p.Cause == "" {
		p = explain.Problem{
			Cause: explain.Textf("%s is not configured.", info.Title),
			Next:  explain.Text(info.CredentialsHint),
		}
	}

	return nil, refuse(p), false
}

// Client returns what speaks to the service, nil where nothing does. It is for whoever
// examines a service instead of reading its log.
func (s *Sources) Client(name string) *client.Client { return s.clients[name] }

// Configured lists the services that are configured, those included that cannot be used
// as they are.
func (s *Sources) Configured() []string {
	return slices.DeleteFunc(auditlog.Clouds(), func(name string) bool {
		_, usable := s.services[name]
		_, unusable := s.unusable[name]

		return !usable && !unusable && s.half[name].Cause == ""
	})
}

// Only returns the name of the only service that is configured; one of which that is not
// known yet, where it depends on it which one is.
func (s *Sources) Only() (string, explain.Problem) {
	var certain, possible []string

	for _, name := range auditlog.Clouds() {
		_, usable := s.services[name]
		_, unusable := s.unusable[name]

		switch {
		case s.undecided[name]:
			possible = append(possible, name)
		case usable || unusable:
			certain = append(certain, name)
		}
	}

	switch {
	case len(certain) > 1:
		return "", explain.Problem{
			Cause: "More than one service is configured, so which one to read has to be said.",
			Next:  "Set {service} to one of them.",
		}.With("Services", strings.Join(certain, ", "))
	case len(possible) > 0:
		return possible[0], explain.Problem{}
	case len(certain) == 1:
		return certain[0], explain.Problem{}
	case s.half[auditlog.ServiceUpCloud].Cause != "":
		return auditlog.ServiceUpCloud, explain.Problem{}
	default:
		return "", explain.Problem{
			Cause: "No service is configured.",
			Next:  "Set UPCLOUD_TOKEN or CLOUDSCALE_API_TOKEN, or {configure a service in the provider block}.",
		}
	}
}

// Same says whether both names mean the same service: the only one where none is given.
func (s *Sources) Same(a, b string) bool {
	if a == b {
		return true
	}

	only, _ := s.Only()

	return only != "" && cmp.Or(a, only) == cmp.Or(b, only)
}
