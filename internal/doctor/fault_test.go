// SPDX-License-Identifier: MPL-2.0

package doctor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/doctor"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// verdict is what an examination has to say of a service that always has a fault.
type verdict struct {
	code int
	// checks are as want takes them; nil where every check comes out as without a fault.
	checks []string
}

var (
	brokenAnswer = verdict{1, []string{"answer: problem: broken body, status 200"}}
	otherShape   = verdict{1, []string{"answer: problem: shape, status…"}}
	tooLarge     = verdict{1, []string{"answer: problem: too large, status 200"}}
	redirected   = verdict{1, []string{"endpoint: problem: redirect, status…"}}
	throttled    = verdict{2, []string{"answer: unknown: rate limited, status 429…", "rate_limit_headers: note: retry-after"}}
	silent       = verdict{2, []string{"endpoint: unknown: timeout…"}}
	fine         = verdict{0, nil}
)

// verdicts has each fault, and what differs for a service under "fault/service".
var verdicts = map[string]verdict{
	"429": throttled, "retry-after": throttled,
	"500": {2, []string{"answer: unknown: server, status 500…"}},
	"502": {2, []string{"answer: unknown: server, status 502"}},
	"503": {2, []string{"answer: unknown: server, status 503…", "rate_limit_headers: note: retry-after"}},
	"401": {1, []string{"credentials: problem: credentials, status 401…"}},

	"clock-fast": {1, []string{"clock: problem: +300 s"}}, "clock-slow": {1, []string{"clock: problem: -300 s"}},

	"reset": {1, []string{"answer: problem: broken body, status 200"}},
	"cut":   brokenAnswer, "truncate": brokenAnswer, "truncate-silent": brokenAnswer,
	"length-short": brokenAnswer, "length-long": brokenAnswer, "empty": brokenAnswer, "malformed": brokenAnswer,
	"trailing": brokenAnswer, "bom": brokenAnswer, "deep": brokenAnswer, "gzip-broken": brokenAnswer,
	"hang": silent, "hang-body": silent,
	"drip": fine, "1xx": fine, "rounded-seconds": fine, "grow": fine,

	"html": {1, []string{"endpoint: problem: not json, status 200"}},
	"204":  otherShape, "206": otherShape, "304": redirected, "redirect": redirected, "redirect-foreign": redirected,
	"utf-16": otherShape, "charset": otherShape, "duplicate-keys": otherShape, "shape": otherShape,
	"bad-time": otherShape, "bad-record": otherShape, "huge": tooLarge, "gzip-bomb": tooLarge,

	"repeat-page":            {1, []string{"offset: problem: neither", "retention: unknown: unclear"}},
	"repeat-page/cloudscale": {1, []string{"next: problem: leads back", "end_behind_cursor: unknown: one page"}},
	"duplicate":              {1, []string{"offset: problem: neither"}},
	"short-page":             {1, []string{"largest_page: note: 100", "total: problem: too high"}},
	"short-page/cloudscale":  {0, []string{"largest_page: note: 100", "end_behind_cursor: ok: every page"}},
	"mixed-order":            {0, []string{"order: note: none", "offset: unknown: no order"}},
	"mixed-order/cloudscale": {1, []string{"order: problem: none"}},
	"no-total":               {1, []string{"total_header: problem: missing or unreadable", "total: unknown: not counted"}},
	"total-garbage":          {1, []string{"total_header: problem: missing or unreadable"}},
	"total-low": {1, []string{
		"total: problem: too low", "repeated_filter: unknown: no total", "retention: unknown: unclear",
	}},
	"total-high":           {1, []string{"total: problem: too high", "repeated_filter: unknown: no total"}},
	"endless":              {1, []string{"total: problem: too high", "retention: unknown: unclear"}},
	"endless/cloudscale":   {1, []string{"start: problem: endless"}},
	"no-filter":            {1, []string{"total: problem: window ignored"}},
	"no-filter/cloudscale": {1, []string{"start: problem: ignored"}},
	"next-relative":        {0, []string{"next: note: relative", "end_behind_cursor: ok: every page"}},
	"next-foreign":         {1, []string{"next: problem: foreign origin"}},
	"next-loop":            {1, []string{"next: problem: leads back", "start: problem: endless"}},
	"cursor-lost":          {1, []string{"next: problem: …", "poll_more: problem: …"}},
	"shrink":               {1, []string{"offset: problem: neither", "total: problem: differs"}},
	"shrink/cloudscale":    fine,
	"expire":               {0, []string{"retention: unknown: unclear"}},
	"expire/cloudscale":    {0, []string{"next: ok: absolute"}},
}

// TestFaults: each fault is named, whether it is one of the service, of the way to it or
// of its pages, and costs no more requests than are allowed.
func TestFaults(t *testing.T) {
	t.Parallel()

	for _, kind := range fakeapi.Faults() {
		for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
			if kind.Only != "" && kind.Only != service {
				continue
			}

			expected, ok := verdicts[kind.Name+"/"+service]
			if !ok {
				expected, ok = verdicts[kind.Name]
			}

			if !ok {
				t.Errorf("no verdict is known for %s", kind.Name)
			}

			t.Run(kind.Name+"/"+service, func(t *testing.T) {
				t.Parallel()

				o := month()
				o.Faults, o.Drip = []fakeapi.Fault{{Name: kind.Name, Rate: 1}}, time.Millisecond

				w := serve(t, o, nil)
				// Where nothing comes, the end of the wait is what is waited for.
				if expected.checks != nil && expected.checks[0] == silent.checks[0] {
					w.wait = 50 * time.Millisecond
				}

				r := w.examine(t, service)
				want(t, r, expected.checks...)

				if code := doctor.ExitCode([]doctor.Report{r}); code != expected.code {
					t.Errorf("exit code %d, want %d\n%s", code, expected.code, doctor.Paste("", []doctor.Report{r}))
				}

				if expected.checks == nil && slices.ContainsFunc(r.Checks, func(c doctor.Check) bool {
					return c.Verdict == doctor.Unknown && c.Name != "retention"
				}) {
					t.Errorf("something could not be told\n%s", doctor.Paste("", []doctor.Report{r}))
				}
			})
		}
	}
}

// TestNowAndThen: what a second attempt mends is no problem.
func TestNowAndThen(t *testing.T) {
	t.Parallel()

	for _, kind := range fakeapi.Faults() {
		expected := verdicts[kind.Name].checks
		if kind.Remedy != fakeapi.Retry || kind.Name == "next-loop" || expected[0] == silent.checks[0] {
			continue // Others last, and of a service that says nothing only time decides.
		}

		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()

			o := month()
			o.Entries, o.Faults = 500, []fakeapi.Fault{{Name: kind.Name, Rate: 0.3, Times: 2}}
			w := serve(t, o, nil)

			for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
				r := w.examine(t, service)

				w.fake.ResetRequests()

				if doctor.ExitCode([]doctor.Report{r}) != 0 {
					t.Error(doctor.Paste("", []doctor.Report{r}))
				}
			}
		})
	}
}
