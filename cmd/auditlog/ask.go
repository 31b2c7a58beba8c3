// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// asking are the flags of every command that reads a log: which one, and how it is reached. Credentials come from the
// environment alone, as a command line is seen by others. Their texts and forms are those of Terraform's arguments.
type asking struct {
	naming     `embed:""`
	connecting `embed:""`

	Verbose bool `help:"Say on standard error which requests are made."`
}

// naming are the flags that say which log.
type naming struct {
	Service     string   `group:"Which log" placeholder:"NAME"`
	Destination string   `group:"Which log" placeholder:"PLACE"`
	PublicKeys  []string `group:"Which log" placeholder:"KEY" sep:"none"`
}

// connecting are the flags that say how services are reached. They are rarely needed, and many, so that the help of a
// command leaves them to a page of their own.
type connecting struct {
	UpCloud    endpointFlags `embed:"" prefix:"upcloud-" group:"How services are reached"`
	Strategy   string        `name:"upcloud-strategy" placeholder:"NAME" group:"How services are reached"`
	Cloudscale endpointFlags `embed:"" prefix:"cloudscale-" group:"How services are reached"`
	PodStack   podstackFlags `embed:"" prefix:"podstack-" group:"How services are reached"`

	RequestTimeout string `group:"How services are reached" placeholder:"DURATION"`
	MaxRetries     *int64 `group:"How services are reached" placeholder:"NUMBER"`
	RetryWaitMin   string `group:"How services are reached" placeholder:"DURATION"`
	RetryWaitMax   string `group:"How services are reached" placeholder:"DURATION"`
	MaxConcurrency *int64 `group:"How services are reached" placeholder:"NUMBER"`
	MaxClockSkew   string `group:"How services are reached" placeholder:"DURATION"`
}

type endpointFlags struct {
	Endpoint  string `placeholder:"URL"`
	Account   string `placeholder:"NAME"`
	Retention string `placeholder:"DURATION"`
}

func (f *endpointFlags) given() bool { return *f != endpointFlags{} }

type podstackFlags struct {
	Exports        []string          `group:"Which log" help:"Files that PodStack's console has exported, or patterns such as 'exports/*.csv'. Each has to name at least one file. What several exports hold counts once." placeholder:"FILE"`
	Columns        map[string]string `help:"Which header of the exports is which field, where that cannot be told: time=Occurrence." mapsep:"," placeholder:"FIELD=HEADER"`
	IgnoredColumns []string          `help:"Headers of columns that are known and not wanted. Every other column that holds something and becomes no field is named in a warning." placeholder:"HEADER"`
	Account        string            `placeholder:"NAME"`
	Retention      string            `placeholder:"DURATION"`
}

// filtering are the flags that say which entries, and when.
type filtering struct {
	timing    `embed:""`
	selecting `embed:""`
}

// timing are the flags that say when.
type timing struct {
	Last        string `group:"When" placeholder:"DURATION"`
	Start       string `group:"When" placeholder:"TIME"`
	End         string `group:"When" placeholder:"TIME"`
	SettleDelay string `group:"When" placeholder:"DURATION"`
}

// selecting are those that say which entries, for commands that know themselves when.
type selecting struct {
	Actions       []string             `group:"Which entries" placeholder:"ACTION"`
	Operations    []auditlog.Operation `group:"Which entries" placeholder:"OPERATION"`
	ResourceTypes []string             `group:"Which entries" placeholder:"TYPE"`
	ResourceIDs   []string             `name:"resource-ids" group:"Which entries" placeholder:"ID"`
	Actors        []string             `group:"Which entries" placeholder:"ACTOR"`
	Origins       []string             `group:"Which entries" placeholder:"ORIGIN"`
	IPAddresses   []string             `name:"ip-addresses" group:"Which entries" placeholder:"ADDRESS"`
	Search        string               `group:"Which entries" placeholder:"TEXT"`
	Where         *string              `group:"Which entries" placeholder:"CONDITION"`

	AllowUnknownValues   bool `group:"Which entries"`
	FailOnUnknownActions bool `group:"Which entries"`
}

// redacting is the flag that says what is taken out of entries.
type redacting struct {
	Redact map[string]string `group:"Which entries" help:"What to do with personal data, by field: keep, drop, mask, or hash with the key in AUDIT_REDACTION_KEY, as in --redact actor=hash,ip_address=mask. Filters look at the original values." mapsep:"," placeholder:"FIELD=MODE"`
}

func (r *redacting) redaction(s *source.Sources) task.Redaction {
	return func() (*redact.Redactor, explain.Problems) { return s.Redactor(r.Redact) }
}

// filters are the filters as the packages below know them.
func (f *selecting) filters(settleDelay string) query.Filters {
	return query.Filters{
		SettleDelay: settleDelay, Actions: f.Actions, Operations: f.Operations, ResourceTypes: f.ResourceTypes,
		ResourceIDs: f.ResourceIDs, Actors: f.Actors, Origins: f.Origins, IPAddresses: f.IPAddresses, Search: f.Search,
		Where: f.Where, AllowUnknownValues: f.AllowUnknownValues, FailOnUnknownActions: f.FailOnUnknownActions,
	}
}

func (f *filtering) arguments() *query.Arguments {
	return &query.Arguments{Filters: f.filters(f.SettleDelay), Last: f.Last, Start: f.Start, End: f.End}
}

// question is what is asked for as of now.
func (f *filtering) question(env environment, summary string, settleDelay time.Duration) task.Question {
	q := task.Question{Arguments: f.arguments(), Summary: summary, SettleDelay: settleDelay, Now: env.now()}
	q.Found = q.Arguments.Check()

	return q
}

func (a *asking) log() source.Log {
	return source.Log{Service: a.Service, Destination: a.Destination, PublicKeys: a.PublicKeys}
}

// config is how the services are reached. One of which nothing is said is configured by the environment, if at all.
func (a *asking) config() source.Config {
	c := source.Config{
		RequestTimeout: a.RequestTimeout, MaxRetries: a.MaxRetries, RetryWaitMin: a.RetryWaitMin,
		RetryWaitMax: a.RetryWaitMax, MaxConcurrency: a.MaxConcurrency, MaxClockSkew: a.MaxClockSkew,
	}

	if u := &a.UpCloud; u.given() || a.Strategy != "" {
		c.UpCloud = &source.UpCloud{
			Account: u.Account, Endpoint: u.Endpoint, Retention: u.Retention, Strategy: a.Strategy,
		}
	}

	if s := &a.Cloudscale; s.given() {
		c.Cloudscale = &source.Cloudscale{Account: s.Account, Endpoint: s.Endpoint, Retention: s.Retention}
	}

	if p := &a.PodStack; len(p.Exports) > 0 {
		c.PodStack = &source.PodStack{
			Exports: p.Exports, Columns: p.Columns, Ignored: p.IgnoredColumns, Account: p.Account, Retention: p.Retention,
		}
	}

	return c
}

// open returns what is to be read. What is in the way is an error that is ready to be shown.
func (a *asking) open(ctx context.Context, env environment, summary string) (auditlog.Service, *source.Sources, error) {
	sources, err := a.sources(env)
	if err != nil {
		return nil, nil, err
	}

	service, wrong, _ := sources.Open(ctx, summary, a.log())
	if wrong != nil {
		return nil, nil, &problemsError{wrong}
	}

	return service, sources, nil
}

// sources are the services that are configured. What is wrong with the flags is an error that is ready to be shown.
func (a *asking) sources(env environment) (*source.Sources, error) {
	config := a.config()

	found := append(config.Check(), a.log().Check()...)
	if p := &a.PodStack; len(p.Exports) == 0 && (len(p.Columns)+len(p.IgnoredColumns) > 0 || p.Account+p.Retention != "") {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "Something is said of PodStack's exports, but not which files they are.",
			Next:    "Give --podstack-exports as well.",
		}.At(explain.Argument("podstack.exports")))
	}

	if found.HasError() {
		return nil, &problemsError{found}
	}

	return source.Configure(config, source.Options{
		Tool: env.tool(), Clock: env.now, LookupEnv: env.lookupEnv, Log: a.logTo(env),
	}), nil
}

// logTo tells standard error about each request where that is wanted. The writer makes it fit to be shown.
func (a *asking) logTo(env environment) func(context.Context, string, map[string]any) {
	if !a.Verbose {
		return func(context.Context, string, map[string]any) {}
	}

	to := slog.New(slog.NewTextHandler(env.stderr, nil))

	return func(ctx context.Context, message string, fields map[string]any) {
		attributes := make([]any, 0, len(fields))
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			attributes = append(attributes, slog.Any(name, fields[name]))
		}

		to.InfoContext(ctx, message, attributes...)
	}
}

// problemsError are problems that end a command.
type problemsError struct{ found explain.Problems }

func (e *problemsError) Error() string {
	errs := make([]error, 0, len(e.found))
	for _, p := range e.found {
		errs = append(errs, p)
	}

	return errors.Join(errs...).Error()
}

// tell shows problems: the warnings, and the errors that end the command.
func (env environment) tell(found explain.Problems) {
	for _, p := range found {
		kind := "Error"
		if p.Warning {
			kind = "Warning"
		}

		at := ""
		if name := flagAt(p.Place); name != "" {
			at = " (" + name + ")"
		}

		_, _ = fmt.Fprintf(env.stderr, "%s: %s%s\n\n%s\n\n", kind, p.Summary, at, p.In(explain.Flags))
	}
}

// flagAt names the flag of an argument, and which of its values is meant. That of a part of the pipeline has the names
// of both.
func flagAt(place explain.Place) string {
	if len(place) == 0 {
		return ""
	}

	name, ok := place[0].(string)
	if !ok {
		return ""
	}

	if name == pipelineArgument {
		if len(place) == 1 {
			return "" // Several flags say who it is.
		}

		name, place = fmt.Sprintf("%s_%s", name, place[1]), place[1:]
	}

	if len(place) > 1 {
		if i, ok := place[1].(int); ok {
			return flagOf(name) + ", value " + strconv.Itoa(i+1)
		}
	}

	return flagOf(name)
}

// pipelineArgument is the argument that says who runs Terraform.
const pipelineArgument = "pipeline"

// notStandardOutput refuses "-" for a file: other programs write to standard output then, and this one would make a
// file of that name, which nobody wants. The flag is as it was typed.
func notStandardOutput(flag, path string) error {
	if path != "-" {
		return nil
	}

	return &problemsError{explain.Problems{explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   "Three files are written, so that they cannot go to standard output.",
		Next:    "Give the name of a file, or use auditlog query to print entries.",
	}.At(explain.Argument(flag))}}
}
