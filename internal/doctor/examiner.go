// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// spareAttempts is how many requests to one service are made a second time. A service
// that fails more often is reported as it is.
const spareAttempts = 4

// examiner makes the requests of an examination.
type examiner struct {
	o      *Options
	client *client.Client
	info   auditlog.Info
	report *Report
	// left is how many requests may still be made, to all services together.
	left  *int
	again int

	// seen are the answers so far, whatever their status.
	seen []client.Examined
}

// errBudget says that no request was made, since there have been too many.
var errBudget = errors.New("too many requests were needed before")

// request is one request.
type request func(context.Context) (client.Examined, error)

// ask makes a request, and once more where that may help.
func (x *examiner) ask(ctx context.Context, do request) (client.Examined, error) {
	for {
		seen, err := x.attempt(ctx, do)
		if err == nil || x.again >= spareAttempts || !mayPass(err) || !pause(ctx, x.o.Pause) {
			return seen, err
		}

		x.again++
	}
}

func (x *examiner) attempt(ctx context.Context, do request) (client.Examined, error) {
	if *x.left == 0 {
		return client.Examined{}, errBudget
	}

	*x.left--
	x.report.Requests++

	once, cancel := context.WithTimeout(ctx, x.o.Timeout)
	defer cancel()

	seen, err := do(once)
	if seen.Status != 0 {
		x.seen = append(x.seen, seen)
	}

	// The end of one request is not that of the whole examination.
	if e := (*client.Error)(nil); errors.As(err, &e) && e.Kind == client.KindDeadline && ctx.Err() == nil {
		e.Kind = client.KindTimeout
	}

	return seen, err
}

// get asks for a path.
func (x *examiner) get(
	ctx context.Context, path string, query url.Values, decode client.Decode,
) (client.Examined, error) {
	return x.ask(ctx, func(ctx context.Context) (client.Examined, error) {
		return x.client.Examine(ctx, path, query, decode)
	})
}

// mayPass says that the same request may be answered the next time.
func mayPass(err error) bool {
	return slices.Contains([]client.Kind{
		client.KindUnreachable, client.KindTimeout, client.KindBrokenBody, client.KindServer, client.KindRateLimited,
	}, kindOf(err))
}

// pause waits, and says whether there is still time.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func kindOf(err error) client.Kind {
	if e := (*client.Error)(nil); errors.As(err, &e) {
		return e.Kind
	}

	return ""
}

// codeForm is what the code of an error looks like that may be shown.
var codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,59}$`)

// failed makes a check of a request that failed.
func (x *examiner) failed(name string, err error) Check {
	c := Check{Name: name, Verdict: Unknown, Value: "failed"}

	e := (*client.Error)(nil)
	if !errors.As(err, &e) {
		c.Value, c.Finding = "not asked", "It was not asked for, since earlier requests had to be made again too often."

		return c
	}

	words := []string{strings.ReplaceAll(string(e.Kind), "_", " ")}
	if e.Status != 0 {
		words = append(words, "status "+strconv.Itoa(e.Status))
	}

	if codeForm.MatchString(e.Code) && !x.report.tells(e.Code) {
		words = append(words, e.Code)
	}

	c.Value = strings.Join(words, ", ")
	c.Finding = fmt.Sprintf("The request failed (%s).", c.Value)
	p := explain.Error(err, explain.Circumstances{Summary: Summary, Info: x.info})
	c.Detail = p.In(explain.Flags)

	// These are answers that a reading could not use either.
	if slices.Contains([]client.Kind{
		client.KindCredentials, client.KindForbidden, client.KindNotFound, client.KindRejected, client.KindRedirect,
		client.KindNotJSON, client.KindTLS, client.KindTooLarge, client.KindShape, client.KindForeignOrigin,
		client.KindBrokenBody, client.KindRequest, client.KindLoop,
	}, e.Kind) {
		c.Verdict = Problem
	}

	return c
}

// first makes the checks of the first request for the log, on which all others depend. It
// says whether they can be made.
func (x *examiner) first(seen client.Examined, err error) bool {
	x.report.Examined = seen.Status != 0

	connection, credentials := x.connection(seen), Check{
		Name: "credentials", Verdict: OK, Value: "accepted",
		Finding: "The credentials are accepted, and may read the log.",
	}

	if err == nil {
		x.report.add(connection, credentials)

		return true
	}

	c := x.failed("answer", err)

	switch kindOf(err) {
	case client.KindCredentials, client.KindForbidden:
		c.Name, c.Next = "credentials", hint(x.info)
		x.report.add(connection, c)
	case client.KindNotFound, client.KindRedirect, client.KindNotJSON:
		c.Name, c.Next = "endpoint", "Check the endpoint, and that no proxy or login page answers in its place."
		x.report.add(c)
	case client.KindTLS, client.KindUnreachable, client.KindTimeout, client.KindDeadline, client.KindCanceled:
		c.Name = "endpoint"
		// Only a connection that is not trusted is more than a bad day.
		x.report.Examined = c.Verdict == Problem
		x.report.add(c)
	case client.KindServer, client.KindRateLimited:
		// It was reached, and nothing was found out.
		x.report.Examined = false
		x.report.add(connection, c)
	default:
		x.report.add(connection, credentials, c)
	}

	return false
}

func hint(info auditlog.Info) string { return explain.Text(info.CredentialsHint).In(explain.Flags) }

// connection says where and how the service was reached.
func (x *examiner) connection(seen client.Examined) Check {
	c := Check{Name: "endpoint", Verdict: OK, Value: "usual, " + seen.TLS}
	c.Finding = fmt.Sprintf("The service's usual endpoint answers over %s.", seen.TLS)

	if explain.OtherEndpoint(x.info) != "" {
		c.Verdict, c.Value = Note, "other, "+seen.TLS
		c.Finding = fmt.Sprintf("Another endpoint than the service's usual one answers over %s.", seen.TLS)
		c.Next = "Make sure that this endpoint is meant."
	}

	if seen.TLS == "" {
		c.Value = strings.TrimSuffix(c.Value, ", ") + ", no TLS"
		c.Finding = "An endpoint on this machine answers without encryption."
	}

	return c
}

// common makes the checks that go by all answers.
func (x *examiner) common() {
	if len(x.seen) == 0 {
		return
	}

	x.report.add(x.clock(), x.roundTrip(), x.rateLimits())
}

func (x *examiner) clock() Check {
	c := Check{Name: "clock", Verdict: Note, Value: "no Date", Finding: "The answers do not tell the service's time."}
	c.Next = "Keep the clock of this machine right, such as by NTP: nothing else would notice that it is wrong."

	var largest time.Duration

	for _, seen := range x.seen {
		off := (*client.ClockError)(nil)

		switch {
		case errors.As(seen.Off, &off):
			c.Verdict, c.Value = Problem, fmt.Sprintf("%+d s", int(off.Difference().Seconds()))
			c.Finding = fmt.Sprintf("The service's clock and this machine's are %s apart, and at most %s is allowed.",
				off.Difference().Abs().Round(time.Second), off.Limit)
			c.Next = "Set the clock that is wrong, such as by NTP; until then every reading is an error."

			if off.Age > 0 {
				c.Value += ", kept by a cache"
				c.Next = "Let no proxy keep the service's answers."
			}

			return c
		case seen.Off != nil:
			return Check{
				Name: "clock", Verdict: Problem, Value: "unreadable Date",
				Finding: "The Date of an answer cannot be read, so that every reading is an error.",
				Next:    "Report this to the service.",
			}
		case seen.Clock != nil:
			if seen.Clock.Skew.Abs() > largest {
				largest = seen.Clock.Skew.Abs()
			}

			c = Check{
				Name: "clock", Verdict: OK, Value: fmt.Sprintf("within %d s", int(largest.Seconds())+1),
				Finding: "The service's clock and this machine's agree.",
			}
		}
	}

	return c
}

// slow is a round trip that makes a long reading take long.
const slow = 2 * time.Second

func (x *examiner) roundTrip() Check {
	trips := make([]time.Duration, 0, len(x.seen))
	for _, seen := range x.seen {
		trips = append(trips, seen.RoundTrip)
	}

	slices.Sort(trips)

	median := trips[len(trips)/2]
	c := Check{
		Name: "round_trip", Verdict: OK, Value: fmt.Sprintf("%d ms", median.Milliseconds()),
		Finding: fmt.Sprintf("Half of the requests were answered within %d ms, all within %d ms.",
			median.Milliseconds(), trips[len(trips)-1].Milliseconds()),
	}

	if median > slow {
		c.Verdict, c.Next = Note, "Expect long windows to take long."
	}

	return c
}

// rateLimitNames are parts of the names of headers that tell how fast one may ask.
var rateLimitNames = regexp.MustCompile(`(?i)rate-?limit|retry-after|quota|throttl`)

func (x *examiner) rateLimits() Check {
	var found []string

	for _, seen := range x.seen {
		for _, name := range seen.Headers {
			if rateLimitNames.MatchString(name) {
				found = append(found, strings.ToLower(name))
			}
		}
	}

	slices.Sort(found)

	if found = slices.Compact(found); len(found) == 0 {
		return Check{
			Name: "rate_limit_headers", Verdict: OK, Value: "none", Finding: "No answer has a header that tells a rate limit.",
		}
	}

	return Check{
		Name: "rate_limit_headers", Verdict: Note, Value: x.report.names(found),
		Finding: "Answers have headers that tell a rate limit: " + x.report.names(found) + ".",
		Next:    "Nothing needs to be done: a service that says \"slow down\" gets fewer requests.",
	}
}

// retentionSlack is how far the oldest entry may be from the retention to confirm it.
const retentionSlack = 2 * 24 * time.Hour

const day = 24 * time.Hour

// implausible is older than the entries of any audit log are.
const implausible = 50 * 365 * day

// retention says how far back the log goes, given its oldest entry.
func (x *examiner) retention(oldest time.Time) Check {
	age := x.o.Clock().Sub(oldest)
	days, expected := int(age/day), int(x.info.Retention/day)
	c := Check{Name: "retention", Value: fmt.Sprintf("%d of %d days", days, expected)}

	switch {
	case age < 0, age > implausible:
		return unknown("retention", "no plausible time", "The oldest entry is from the future or from before any audit log, "+
			"so that how far back the log goes cannot be told.")
	case age > x.info.Retention+retentionSlack:
		c.Verdict = Note
		c.Finding = fmt.Sprintf("The log goes back %d days, and %d are expected, so entries are kept longer.", days, expected)
		c.Next = fmt.Sprintf("Give --%s-retention=%dd, or retention in Terraform, so that longer windows get no warning.",
			x.info.Name, days)
	case age >= x.info.Retention-retentionSlack:
		c.Verdict = OK
		c.Finding = fmt.Sprintf("The log goes back %d days, as expected.", days)
	default:
		c.Verdict = Unknown
		c.Finding = fmt.Sprintf("The oldest entry is %d days old, and entries should be kept for %d: "+
			"nothing happened before, or less is kept.", days, expected)
		c.Next = fmt.Sprintf("If the account was in use before, give --%s-retention=%dd, or retention in Terraform.",
			x.info.Name, max(days, 1))
	}

	return c
}

func unknown(name, value, finding string) Check {
	return Check{Name: name, Verdict: Unknown, Value: value, Finding: finding}
}

// count writes a number of things.
func count(n int, what string) string {
	if stem, ok := strings.CutSuffix(what, "ry"); ok && n != 1 {
		what = stem + "ries"
	} else if n != 1 {
		what += "s"
	}

	return fmt.Sprintf("%d %s", n, what)
}

// The order of entries by their times, as a page has them.
type order string

const (
	newestFirst order = "newest first"
	oldestFirst order = "oldest first"
	noOrder     order = "none"
	unclear     order = "unclear"
)

// orderOf tells the order. Neighbours may overtake each other by slack.
func orderOf(entries []auditlog.Entry, slack time.Duration) order {
	rises, falls := false, false

	for i := 1; i < len(entries); i++ {
		d := entries[i].Time.Sub(entries[i-1].Time)
		rises, falls = rises || d > slack, falls || d < -slack
	}

	switch {
	case rises && falls:
		return noOrder
	case rises:
		return oldestFirst
	case falls:
		return newestFirst
	default:
		return unclear
	}
}
