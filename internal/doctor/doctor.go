// SPDX-License-Identifier: MPL-2.0

// Package doctor examines what is to be read, before anybody relies on it: whether the
// credentials are accepted, whether the clocks agree, and how the service does what its
// documentation leaves open. It only reads, and it makes few requests.
//
// A report holds no personal data, apart from what the comments of its fields say: it is
// made to be pasted into an issue. Values are words of ours, numbers, and names of
// headers, columns and actions.
package doctor

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// Summary is what is being done.
const Summary = "Examine audit logs"

// MostRequests is how many requests all services together get at most.
const MostRequests = 30

// Verdict says what a check came to.
type Verdict string

// The verdicts. A note is something to know, with which everything works. Unknown means
// that the check could not be made, or that the log does not show the answer.
const (
	OK      Verdict = "ok"
	Note    Verdict = "note"
	Problem Verdict = "problem"
	Unknown Verdict = "unknown"
)

// Check is one thing that was looked at.
type Check struct {
	// Name is a word of ours, such as "offset".
	Name    string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	// Value is what was found, in few words or numbers, such as "rows".
	Value string `json:"value"`
	// Finding is one sentence; Next is one as well, empty where nothing is to be done.
	Finding string `json:"finding"`
	Next    string `json:"next,omitempty"`
	// Detail says more of what failed. It can hold addresses and the words of a service,
	// so that it is shown only to whoever asked.
	Detail string `json:"-"`
}

// Report is what was found out about one source.
type Report struct {
	// Service is the name of the service.
	Service string `json:"service"`
	// Examined says that anything answered, so that there is more than reasons why not.
	Examined bool `json:"examined"`
	// Requests is how many requests were made by HTTP.
	Requests int     `json:"requests"`
	Checks   []Check `json:"checks"`

	// Title, Endpoint and Account say what was examined. They are shown only to whoever
	// asked.
	Title    string `json:"-"`
	Endpoint string `json:"-"`
	Account  string `json:"-"`
}

// Options say what to examine, and how patiently.
type Options struct {
	Sources *source.Sources
	// Log is what to examine. Without a service, all that are configured are.
	Log   source.Log
	Clock auditlog.Clock

	// Timeout bounds one request, and Total all of one service. Pause is the wait before
	// a request that failed is made again. Zero stands for the default.
	Timeout, Total, Pause time.Duration
}

// The defaults. A service that answers at once takes a few seconds.
const (
	defaultTimeout = 10 * time.Second
	defaultTotal   = 45 * time.Second
	defaultPause   = time.Second
)

func (o *Options) complete() {
	for _, d := range []struct {
		of       *time.Duration
		fallback time.Duration
	}{{&o.Timeout, defaultTimeout}, {&o.Total, defaultTotal}, {&o.Pause, defaultPause}} {
		if *d.of == 0 {
			*d.of = d.fallback
		}
	}
}

// Run examines one source after the other. Whatever fails is part of a report. Where
// nothing is configured, there is one report that says so.
func Run(ctx context.Context, o Options) []Report {
	o.complete()

	names := []string{o.Log.Service}
	if o.Log.Service == "" {
		if configured := o.Sources.Configured(); len(configured) > 0 {
			names = configured
		}
	}

	left := MostRequests
	reports := make([]Report, 0, len(names))

	for _, name := range names {
		ctx, cancel := context.WithTimeout(ctx, o.Total)
		log := o.Log
		log.Service = name

		reports = append(reports, o.examine(ctx, log, &left))

		cancel()
	}

	return reports
}

// examine examines one source.
func (o *Options) examine(ctx context.Context, log source.Log, left *int) Report {
	r := Report{Service: log.Service, Title: log.Service, Checks: []Check{}}

	if log.Service == auditlog.ServiceArchive {
		r.archive(ctx, o, log)

		return r
	}

	service, wrong, _ := o.Sources.Service(Summary, log.Service)
	if len(wrong) > 0 {
		r.add(refused(log.Service, wrong[0]))

		return r
	}

	info := service.Info()
	r.Service, r.Title, r.Endpoint, r.Account = info.Name, info.Title, info.Source.Endpoint, info.Source.Account

	x := &examiner{o: o, client: o.Sources.Client(info.Name), info: info, report: &r, left: left}

	switch s := service.(type) {
	case *podstack.Service:
		r.exports(ctx, s)
	default:
		if info.Name == auditlog.ServiceUpCloud {
			(&upcloudExam{examiner: x}).run(ctx)
		} else {
			(&cloudscaleExam{examiner: x}).run(ctx)
		}
	}

	return r
}

// refused says that a service is not configured.
func refused(service string, p explain.Problem) Check {
	c := Check{Name: "configuration", Verdict: Unknown, Value: "not usable", Detail: p.In(explain.Flags)}

	c.Finding = "The service is not configured, or not in a way that can be used."
	if service == "" {
		c.Finding = "No service is configured."
	}

	return c
}

func (r *Report) add(checks ...Check) { r.Checks = append(r.Checks, checks...) }

// ExitCode is 1 where a check found a problem, 2 where a source could not be examined at
// all, else 0.
func ExitCode(reports []Report) int {
	code := 0

	for i := range reports {
		if slices.ContainsFunc(reports[i].Checks, func(c Check) bool { return c.Verdict == Problem }) {
			return 1
		}

		if !reports[i].Examined {
			code = 2
		}
	}

	return code
}

// plainName is what a name looks like that may be shown: of a header, a column, an action.
// Personal data has other signs, or it stands where names do not.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,59}$`)

// names joins names that may be shown, and counts the others.
func names(all []string) string {
	const most = 20

	shown := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !plainName.MatchString(name) })
	shown = shown[:min(len(shown), most)]

	if more := len(all) - len(shown); more > 0 {
		shown = append(shown, "and "+count(more, "other"))
	}

	return strings.Join(shown, ", ")
}
