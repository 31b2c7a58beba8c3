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
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// Summary is what is being done.
const Summary = "Examine audit logs"

// MostRequests is how many requests all services together get at most. Opening an archive
// takes as many as it has parts.
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
	// Requests is how many requests were made to a cloud's API; those to the object store of
	// an archive are not counted.
	Requests int     `json:"requests"`
	Checks   []Check `json:"checks"`

	// Title, Endpoint and Account say what was examined. They are shown only to whoever
	// asked.
	Title    string `json:"-"`
	Endpoint string `json:"-"`
	Account  string `json:"-"`

	// personal are values that the log has of somebody, squeezed, and whether they are
	// looked for within names.
	personal map[string]bool
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

	if s, ok := service.(*podstack.Service); ok {
		r.exports(ctx, s)

		return r
	}

	if run := examOf(x); run != nil {
		run(ctx)
	} else {
		r.add(Check{
			Name: "examination", Verdict: Unknown, Value: "none", Finding: "Nothing is known here that could be asked of this service.",
		})
	}

	return r
}

// examOf returns what examines a service by its API, nil where nothing does. Each asks only for what its own service
// has.
func examOf(x *examiner) func(context.Context) {
	switch x.info.Name {
	case auditlog.ServiceUpCloud:
		return (&upcloudExam{examiner: x}).run
	case auditlog.ServiceCloudscale:
		return (&cloudscaleExam{examiner: x}).run
	default:
		return nil
	}
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

// names joins names that may be shown, and counts the others. One that tells a value that
// the log has of somebody may not.
func (r *Report) names(all []string) string {
	const most = 20

	shown := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return !plainName.MatchString(name) || !isDocumented(name) && r.tells(name)
	})
	shown = shown[:min(len(shown), most)]

	if more := len(all) - len(shown); more > 0 {
		shown = append(shown, "and "+count(more, "other"))
	}

	return strings.Join(shown, ", ")
}

// fewLetters is how many letters and digits a personal value has at least that is looked
// for within a name. A shorter one is in too many.
const fewLetters = 5

// note takes note of what entries tell of somebody.
func (r *Report) note(rows []auditlog.Entry) {
	for i := range rows {
		e := &rows[i]
		r.notePersonal(e.ActorType == auditlog.ActorUser, e.Actor, e.ActorID)
		r.notePersonal(false, e.Account, e.ResourceName, e.ResourceID, e.ScopeName, e.ScopeID)
	}
}

// notePersonal takes note of values. Those of people are looked for within names as well.
func (r *Report) notePersonal(ofPeople bool, values ...string) {
	if r.personal == nil {
		r.personal = map[string]bool{}
	}

	for _, v := range values {
		local, _, _ := strings.Cut(v, "@")
		for _, part := range []string{squeezed(v), squeezed(local)} {
			if part != "" {
				r.personal[part] = r.personal[part] || ofPeople && len(part) >= fewLetters
			}
		}
	}
}

// tells says that a name has a personal value in it, however it is spelt.
func (r *Report) tells(name string) bool {
	name = squeezed(name)
	if _, is := r.personal[name]; is {
		return true
	}

	for v, within := range r.personal {
		if within && strings.Contains(name, v) {
			return true
		}
	}

	return false
}

// squeezed is a text without the signs between its words, in small letters.
func squeezed(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return -1
		}

		return unicode.ToLower(c)
	}, text)
}
