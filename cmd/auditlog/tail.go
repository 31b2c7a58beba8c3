// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// tailCommand passes on what is new.
type tailCommand struct {
	selecting
	asking

	Since       string `help:"Where to begin when there is no state yet: a length of time such as 7d, or a time as in RFC 3339. By default now." group:"What is passed on" placeholder:"TIME"`
	Once        bool   `help:"End when everything that there is has been passed on, in place of waiting for more." group:"What is passed on"`
	Interval    string `default:"120s" help:"How long to wait before the log is read again." group:"What is passed on" placeholder:"DURATION"`
	SettleDelay string `default:"60s" help:"How much of the newest part of the log is left for the next time, since the service may still be filling it. An archive has settled." group:"What is passed on" placeholder:"DURATION"`
	Overlap     string `default:"10m" help:"How much of the log is read again each time where the service has no cursor, so that entries that were recorded late are found. None is passed on twice." group:"What is passed on" placeholder:"DURATION"`
	AcceptGap   bool   `help:"Go on where the service no longer holds a part of what has not been passed on yet, or where exports leave gaps. The state remembers what is missing." group:"What is passed on"`

	State          string `help:"The file that says what has been passed on, for this stream alone. Without it a stream begins anew each time it is started. Files keep it themselves." group:"Where it goes" placeholder:"FILE"`
	To             string `help:"Where to pass entries on to: ${targets}. By default to standard output. Headers of OTLP come from OTEL_EXPORTER_OTLP_HEADERS." group:"Where it goes" placeholder:"PLACE"`
	Shape          string `enum:"entry,ocsf" default:"entry" help:"What an entry becomes: entry, or ocsf, an event of OCSF." group:"Where it goes" placeholder:"NAME"`
	CAFile         string `name:"ca-file" help:"The certificates, in PEM, of those who may vouch for the server. By default those that this machine trusts." group:"Where it goes" placeholder:"FILE"`
	AllowCleartext bool   `help:"Pass entries on to another machine without encryption." group:"Where it goes"`
}

// mostCertificates bounds what is read of a file of certificates, in bytes.
const mostCertificates = 4 << 20

// Help shows what to type.
func (*tailCommand) Help() string {
	return `Each entry is passed on at least once, and exactly once in files. --state says
where to go on after a stop; without it a stream begins anew. Files keep it
themselves.

Examples:

    # Watch what happens, from now on
    auditlog tail --service cloudscale

    # What is new since the last run, for cron
    auditlog tail --service upcloud --once --since 7d --to file:/var/log/audit

    # To an OpenTelemetry collector
    auditlog tail --service upcloud --state upcloud.state \
        --to otlp+https://collector.example.com:4318`
}

// Run follows the log.
func (c *tailCommand) Run(ctx context.Context, env environment) (err error) {
	// A pipe that nobody reads any more is an error of a write then, and the end of the stream.
	signal.Ignore(syscall.SIGPIPE)

	to, found := c.check(env)
	if found.HasError() {
		return &problemsError{found}
	}

	headers, found := headersOf(env, to)
	if found.HasError() {
		return &problemsError{found}
	}

	service, sources, err := c.open(ctx, env, explain.FollowLogs)
	if err != nil {
		return err
	}

	fail := func(err error) error {
		return &problemsError{explain.Problems{explain.Following(err, service.Info())}}
	}

	out, err := c.output(ctx, env, to, headers)
	if err != nil {
		return fail(err)
	}

	defer func() {
		if closeErr := out.Close(); closeErr != nil && err == nil {
			err = fail(closeErr)
		}
	}()

	var latest atomic.Pointer[follow.Progress]

	f := task.Follow{
		Options: follow.Options{
			Since: env.now(), Once: c.Once, Interval: query.ParseSpan(c.Interval), Overlap: query.ParseSpan(c.Overlap),
			SettleDelay: query.ParseSpan(c.SettleDelay), AcceptGap: c.AcceptGap, Output: out, Clock: env.now,
			Progress: func(p follow.Progress) { latest.Store(&p) },
		},
		Filters: c.filters(c.SettleDelay), Log: c.log(),
		Warn: func(p explain.Problem) { env.tell(explain.Problems{p}) },
	}
	if c.Since != "" {
		f.Since = query.StartOf(c.Since, env.now(), 0)
	}

	if env.talks && !c.Once {
		_, _ = fmt.Fprintf(env.stderr, "Following %s: an entry is passed on %s to %s after it happened. Ctrl-C ends this.\n",
			service.Info().Title, brief(f.SettleDelay), brief(f.SettleDelay+f.Interval))
	}

	done := env.report(ctx, &latest)
	found = f.Run(ctx, sources, service)
	done()

	if found.HasError() {
		return &problemsError{found}
	}

	return nil
}

// check looks at what no service has to be asked for.
func (c *tailCommand) check(env environment) (sink.Target, explain.Problems) {
	var found explain.Problems

	refuse := func(argument string, cause, next explain.Text) {
		found.Add(explain.Problem{Summary: explain.CheckConfiguration, Cause: cause, Next: next}.
			At(explain.Argument(argument)))
	}

	for _, span := range []struct {
		name, value string
		form        explain.Form
	}{
		{"interval", c.Interval, query.PositiveSpanForm()},
		{"overlap", c.Overlap, query.SpanForm()},
		{"settle_delay", c.SettleDelay, query.SpanForm()},
		{"since", c.Since, query.StartForm()},
	} {
		if span.value == "" && span.name == "since" {
			continue
		}

		if p, wrong := span.form.Problem(flagOf(span.name), span.value); wrong {
			found.Add(p.At(explain.Argument(span.name)))
		}
	}

	if now := env.now(); !found.HasError() && query.StartOf(c.Since, now, 0).After(now) {
		refuse("since", "The value of {since} lies in the future, and nothing that happens until then would be passed on.",
			"Give a time that has passed, or leave {since} out to begin now.")
	}

	to, err := sink.ParseTarget(c.To)
	if err != nil {
		found.Add(explain.Target(err))

		return to, found
	}

	if to.InTheClear() && !c.AllowCleartext {
		refuse("to", "Anybody on the way could read what is passed on: the address is of another machine, and the connection is not encrypted.",
			"Give an address of otlp+https or syslog+tls, or set {allow_cleartext = true}.")
	}

	if c.CAFile != "" && !to.TLS {
		refuse("ca_file", "There are no certificates to be vouched for: the connection is not encrypted.",
			"Leave {ca_file} out, or give an address of otlp+https or syslog+tls.")
	}

	switch {
	case c.State != "" && to.Kind == sink.Stdout && goesNowhere(env.data):
		refuse("state", "Standard output is closed or leads to "+os.DevNull+", so that what the state says was passed on would be lost.",
			"Pass entries on to where somebody reads them, or leave {state} out.")
	case c.State != "" && to.Kind == sink.Files:
		refuse("state", "The directory keeps the state itself, together with the files.", "Leave {state} out.")
	case c.State != "":
		if err := durable.CheckPath(c.State); err != nil || durable.IsDirectoryPath(c.State) {
			refuse("state", "The value of {state} is not the path of a file.", "Give a path such as \"/var/lib/auditlog/upcloud.json\".")
		}
	case c.Once && c.Since == "" && to.Kind != sink.Files:
		refuse("once", "Nothing would ever be passed on: without a state each run begins now, and ends now.",
			"Give {state}, so that each run goes on where the last has ended, or {since}.")
	}

	return to, found
}

// goesNowhere says that whatever is written is dropped. A standard output that is closed is one of those: Go opens the
// null device in its place.
func goesNowhere(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}

	there, err := f.Stat()
	nowhere, nullErr := os.Stat(os.DevNull)

	return err == nil && nullErr == nil && os.SameFile(there, nowhere)
}

// headersOf are the headers for a collector. One that cannot be used is an error: without it, entries would go to
// nobody, or to somebody else.
func headersOf(env environment, to sink.Target) (map[string]string, explain.Problems) {
	if to.Kind != sink.OTLP {
		return nil, nil
	}

	for _, name := range sink.HeadersEnvs {
		text, _ := env.lookupEnv(name)
		if text == "" {
			continue
		}

		headers, err := sink.ParseHeaders(text)
		if err != nil {
			return nil, explain.Problems{explain.Headers(name, err)}
		}

		return headers, nil
	}

	return nil, nil
}

// output opens where entries go.
func (c *tailCommand) output(
	ctx context.Context, env environment, to sink.Target, headers map[string]string,
) (follow.Output, error) {
	encoding := sink.Encoding{
		Shape: format.Shape(c.Shape), Product: ocsf.Product{Name: "terraform-provider-audit", Version: version},
	}

	var authorities []byte

	if c.CAFile != "" {
		var err error
		if authorities, err = durable.Read(c.CAFile, mostCertificates); err != nil {
			return nil, &sink.Error{Place: c.CAFile, Err: errors.Join(sink.ErrAuthorities, err)}
		}
	}

	warn := func(p explain.Problem) { env.tell(explain.Problems{p}) }

	var (
		s   sink.Sink
		err error
	)

	switch to.Kind {
	case sink.Files:
		return sink.OpenDirectory(to.Directory, encoding, durable.Options{})
	case sink.OTLP:
		s, err = sink.NewOTLP(ctx, sink.OTLPOptions{
			Target: to, Authorities: authorities, Headers: headers, Encoding: encoding, Version: version, Clock: env.now,
			Warned: func(message string) { warn(explain.CollectorSays(message)) },
		})
	case sink.Syslog:
		hostname, _ := os.Hostname() // A message need not have one.
		s, err = sink.NewSyslog(sink.SyslogOptions{
			Target: to, Authorities: authorities, Encoding: encoding, Hostname: hostname,
			Long: func(size int) { warn(explain.LongMessage(size)) },
		})
	default:
		s, err = sink.NewWriter(env.data, encoding)
	}

	if err != nil {
		return nil, &sink.Error{Place: to.String(), Err: err}
	}

	kept, err := sink.Keep(s, c.State, durable.Options{})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}

	return kept, nil
}

// brief is a length of time in whole seconds, without zeros at its end.
func brief(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}

	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}

	return text
}

// report says once a minute, where nobody watches, how far the stream is, until it is told that it has ended.
func (env environment) report(ctx context.Context, latest *atomic.Pointer[follow.Progress]) (done func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})

	say := func() {
		if p := latest.Load(); p != nil {
			_, _ = fmt.Fprintf(env.stderr, "Passed on %s; %s behind, everything until %s has been taken.\n",
				plural(p.Taken, "entry", "entries"), brief(max(p.Behind, 0)), auditlog.FormatTime(p.CoveredUntil))
		}
	}

	go func() {
		defer close(ended)

		ticker := time.NewTicker(time.Minute)
		defer ticker.Stop()

		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if !env.talks {
					say()
				}
			}
		}
	}()

	return func() {
		cancel()
		<-ended
		say()
	}
}
