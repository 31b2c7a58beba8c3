// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/retries"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// Circumstances are what an error of a service does not know of itself.
type Circumstances struct {
	Summary string
	Info    auditlog.Info
	Window  auditlog.Window
}

// Error turns whatever a reading ended with into a problem. No row, no query
// and no secret is part of it.
func Error(err error, in Circumstances) Problem {
	p := Problem{Summary: in.Summary}.With("Service", in.Info.Name)

	if evalErr := (*where.EvalError)(nil); errors.As(err, &evalErr) {
		return evalProblem(p, evalErr)
	}

	if exportErr := (*podstack.Error)(nil); errors.As(err, &exportErr) {
		return exportFileProblem(p, exportErr)
	}

	if readErr := (*archive.ReadError)(nil); errors.As(err, &readErr) {
		p = explainArchive(p, readErr)

		if !in.Window.End.IsZero() {
			p = p.With("Window", in.Window.String())
		}

		return p
	}

	if isTimeError(err) {
		p.Cause, p.Next = Sentence(err.Error()), "Check the clock of this machine, and try again in a minute."

		if errors.Is(err, auditlog.ErrWindowNotSettled) {
			p.Cause = "By the service's own clock nothing of the window has happened yet, or nothing has settled."
			p.Next = "Check the clock of this machine, let {start} lie further back, or lower {settle_delay} if there is one."
		}

		return p.With("Window", in.Window.String())
	}

	apiErr := (*client.Error)(nil)
	if !errors.As(err, &apiErr) {
		p.Cause = Sentence(err.Error())

		if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
			p.Cause = Sentence(pathErr.Err.Error())
			p = p.With("Path", pathErr.Path).With("Step", pathErr.Op)
		}

		p.Next = "Nothing was changed; the last complete result is as it was."

		if ended, ok := p.ended(err); ok {
			return ended
		}

		return p
	}

	p = p.With("Endpoint", OtherEndpoint(in.Info))

	if apiErr.Method != "" {
		p = p.With("Request", apiErr.Method+" "+apiErr.Path)
	}

	if apiErr.Status != 0 {
		p = p.With("Status", statusText(apiErr.Status))
	}

	p = p.With("Code", apiErr.Code).With("Message", apiErr.Title).With("Correlation", apiErr.Correlation)

	for _, param := range apiErr.Params {
		p = p.With(Plain("Parameter "+param.Name), param.Reason)
	}

	p = p.With("Retry-After", apiErr.RetryAfterText())

	if apiErr.Last != nil {
		last, _ := causeAndNext(apiErr.Last, in.Info)
		p = p.With("Last error", last.In(Terraform))
	}

	if apiErr.Attempts > 1 || apiErr.Attempts > 0 && apiErr.Kind == client.KindDeadline {
		p = p.With("Attempts", strconv.Itoa(apiErr.Attempts))
	}

	if apiErr.Page > 0 {
		p = p.With("Page", strconv.Itoa(apiErr.Page))
	}

	if !in.Window.End.IsZero() {
		p = p.With("Window", in.Window.String())
	}

	if clockErr := (*client.ClockError)(nil); errors.As(err, &clockErr) {
		p = p.withClocks(clockErr)
	}

	p.Cause, p.Next = causeAndNext(apiErr, in.Info)

	return p
}

// isTimeError says that the service's clock leaves nothing that a reading could say.
func isTimeError(err error) bool {
	return errors.Is(err, auditlog.ErrWindowNotSettled) || errors.Is(err, auditlog.ErrClockWentBack)
}

// withClocks tells two clocks that do not agree.
func (p Problem) withClocks(e *client.ClockError) Problem {
	age := ""
	if e.Age > 0 {
		age = e.Age.String()
	}

	return p.With("Age", age).With("Service's clock", auditlog.FormatTime(e.Service)).
		With("This machine's clock", auditlog.FormatTime(e.Machine)).
		With("Difference", e.Difference().Abs().Round(time.Second).String()).With("{max_clock_skew}", e.Limit.String())
}

// Reading explains what a reading ended with, on the argument at fault.
func Reading(err error, in Circumstances) Problem {
	if d, ok := reading(err, in); ok {
		return d
	}

	// Whoever writes has been told of another log than what is written is of; whoever only reads has several.
	if other := (*auditlog.SourceError)(nil); errors.As(err, &other) {
		return Problem{
			Summary: in.Summary, Cause: "The logs that are read together are not of the same account.",
			Next: "Read logs of one account together, and those of another one on their own.",
		}.With("One log", other.Known.String()).With("Another log", other.Found.String())
	}

	return Error(err, in)
}

// reading explains an error of the source or of the query. Another one, of
// the disk or of an archive, is not its business.
func reading(err error, in Circumstances) (Problem, bool) {
	unanswerable, evalErr := (*auditlog.UnanswerableError)(nil), (*where.EvalError)(nil)
	unknown := (*auditlog.UnknownActionsError)(nil)
	apiErr, exportErr, readErr := (*client.Error)(nil), (*podstack.Error)(nil), (*archive.ReadError)(nil)

	switch {
	case errors.Is(err, redact.ErrTooManyValues), errors.Is(err, redact.ErrLateValue):
		p := Problem{
			Summary: in.Summary, Cause: Sentence(err.Error()),
			Next: "Ask for a shorter window, or redact fewer fields whose values are all different, such as correlation_id.",
		}
		if errors.Is(err, redact.ErrLateValue) {
			p.Next = "Try again, or end the window earlier with {settle_delay}, so that the log has settled; nothing was written."
		}

		return p.With("Service", in.Info.Name).At(Argument("redact")), true
	case errors.As(err, &unanswerable):
		return Unanswerable(unanswerable, in.Info), true
	case errors.As(err, &unknown):
		return unknownActionsProblem(in.Info, unknown.Actions).At(Argument("fail_on_unknown_actions")), true
	case errors.As(err, &evalErr):
		return Error(err, in).At(Argument("where")), true
	case errors.As(err, &apiErr), errors.As(err, &exportErr), errors.As(err, &readErr), isTimeError(err):
		return Error(err, in), true
	default:
		return Problem{}, false
	}
}

// exportFileProblem says what is wrong with an export of a console.
func exportFileProblem(p Problem, e *podstack.Error) Problem {
	number := func(n int) string { return strings.TrimPrefix(strconv.Itoa(n), "0") }

	p.Cause, p.Next = Plain(e.Reason), Plain(e.Next)
	p = p.With("File", e.File).With("Line", number(e.Line)).With("Column", number(e.Column))

	if e.Header != "" {
		p = p.With("Header", Shown(e.Header))
	}

	const most = 100

	headers := make([]string, 0, most+1)
	for _, h := range e.Headers[:min(most, len(e.Headers))] {
		headers = append(headers, Shown(h))
	}

	if more := len(e.Headers) - most; more > 0 {
		headers = append(headers, fmt.Sprintf("and %d more", more))
	}

	return p.With("Headers", strings.Join(headers, ", "))
}

func causeAndNext(e *client.Error, info auditlog.Info) (cause, next Text) {
	reason := ""
	if e.Err != nil {
		reason = e.Err.Error()
	}

	switch e.Kind {
	case client.KindCredentials:
		return "The service rejected the credentials.", Text(info.CredentialsHint)
	case client.KindForbidden:
		return "The credentials are valid but may not read the audit log.", "Use credentials with access to the audit log; some services reserve it for the main account."
	case client.KindNotFound:
		return "The service knows no audit log at this address.", "Check the endpoint{ in the provider configuration}: it is the root of the API, without a version."
	case client.KindRejected:
		return "The service does not accept the request.", "Change the arguments that the service names; if it names none, remove filters one by one."
	case client.KindRateLimited:
		return "The service kept asking to slow down.", "Try again later, or raise {max_retries} and {retry_wait_max}{ in the provider configuration}."
	case client.KindServer:
		return "The service kept failing.", "Try again later; raise {max_retries}{ in the provider configuration} if this happens often."
	case client.KindRedirect:
		return Sentence(reason), "Check the endpoint{ in the provider configuration}, and that no proxy asks for a login."
	case client.KindNotJSON:
		return Sentence(reason), "Check the endpoint{ in the provider configuration}, and that no proxy or login page answers in its place."
	case client.KindTLS:
		return "The connection is not trusted: " + Plain(reason) + ".", "Check the endpoint, the machine's certificate authorities and any proxy between them."
	case client.KindUnreachable:
		return "The service cannot be reached: " + Plain(reason) + ".",
			"Check the endpoint, the network and any proxy between them."
	case client.KindTimeout:
		return "The service took too long to answer.", "Try again, or raise {request_timeout}{ in the provider configuration}."
	case client.KindDeadline:
		return outOfTime + waitedFor(e) + ".", outOfTimeNext
	case client.KindCanceled:
		return "The operation was cancelled.", "Nothing was changed; run it again."
	case client.KindBrokenBody:
		return "The service's answer cannot be used: " + Plain(reason) + ".", "Try again; a part of an answer is never used."
	case client.KindTooLarge:
		return Sentence(reason), "Report this: no audit log page is known to be that large."
	case client.KindShape:
		return "The service's answer is not what its documentation describes: " + Plain(reason) + ".", "Check the endpoint; if it is right, the service has changed and this program needs an update."
	case client.KindForeignOrigin:
		return Sentence(reason), "Nothing was sent there; check the endpoint{ in the provider configuration}."
	case client.KindLoop:
		return "The service's pages lead back to a page that was read before.",
			"Try again; if it stays so, report it to the service."
	case client.KindEndless:
		return "The service's answer is larger than what is read at most: " + Plain(reason) + ".", "Ask for a shorter window; if that does not help, report it to the service."
	case client.KindIncomplete:
		if info.Cloud() == auditlog.ServiceCloudscale {
			return "Two readings of a part of the service's log do not agree: " + Plain(reason) + ".", "Try again, or set {max_concurrency = 1}{ in the provider configuration}, which reads one page after the other."
		}

		return "The service's pages do not add up, also not at the second reading: " + Plain(reason) + ".", "Try again, or end the window a few minutes earlier with {settle_delay}, so that the log has settled."
	case client.KindDisagreement:
		return "The service's export and its list do not agree: " + Plain(reason) + ".", "Set {strategy = \"pages\" in the provider's upcloud block}, which reads without the export."
	case client.KindClock:
		return clockCauseAndNext(e)
	case client.KindRequest:
		return Sentence(reason), "Check the endpoint{ in the provider configuration}."
	default:
		return Sentence(reason), "Try again."
	}
}

const (
	outOfTime     = "The time for the whole operation ran out"
	outOfTimeNext = "Raise {the value in the timeouts block}, or ask for a shorter window."
)

// waitedFor says what a request was waiting for when the time ran out.
func waitedFor(e *client.Error) Text {
	switch {
	case e.Last != nil:
		return " before the service answered a request that had failed before"
	case e.Attempts > 0:
		return " before the service had answered in full"
	default:
		return " before the next request could be made"
	}
}

// ended explains that an operation came to its end too early, whatever it was at.
func (p Problem) ended(err error) (Problem, bool) {
	stored := (*durable.S3Error)(nil)
	isStored := errors.As(err, &stored)

	switch {
	case errors.Is(err, context.DeadlineExceeded) && isStored && !stored.Ended:
		return p, false // One attempt took too long; the operation did not.
	case errors.Is(err, context.DeadlineExceeded):
		p.Cause, p.Next = outOfTime+".", outOfTimeNext
	case errors.Is(err, context.Canceled):
		p.Cause, p.Next = "The operation was cancelled.", "Nothing was changed; run it again."
	default:
		return p, false
	}

	if !isStored {
		return p, true
	}

	if errors.Is(err, context.DeadlineExceeded) {
		p.Cause = outOfTime + " before the object storage had done what it was asked for."
	}

	p = p.With("Request", stored.Op+" "+stored.Place())
	if stored.Status != 0 {
		p = p.With("Status", statusText(stored.Status))
	}

	p = p.With("Code", stored.Code).With("Correlation", stored.RequestID).With("Last error", stored.Last)
	if stored.Attempts > 0 {
		p = p.With("Attempts", strconv.Itoa(stored.Attempts))
	}

	return p, true
}

// clockCauseAndNext says whose clock is ahead, and what that would have done.
func clockCauseAndNext(e *client.Error) (cause, next Text) {
	clockErr := (*client.ClockError)(nil)

	switch {
	case !errors.As(e, &clockErr):
		return "This machine's clock and the service's do not agree.", clockNext
	case clockErr.Age > 0:
		return "The answer is an old copy that something on the way had kept, so the newest entries would be missing.",
			"Let no proxy keep the service's answers, then try again."
	case clockErr.Difference() > 0:
		return "This machine's clock is behind the service's, so the newest entries would be missing.", clockNext
	default:
		return "This machine's clock is ahead of the service's, so the window would end in the service's future.", clockNext
	}
}

func statusText(status int) string {
	text := fmt.Sprintf("%d", status)
	if name := httpStatusNames[status]; name != "" {
		text += " " + name
	}

	return text
}

// httpStatusNames are the statuses that users meet. The package net/http is for
// the client alone.
//
//nolint:gochecknoglobals // A table.
var httpStatusNames = map[int]string{
	200: "OK", 301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect",
	308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	408: "Request Timeout", 410: "Gone", 422: "Unprocessable Content", 429: "Too Many Requests",
	500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}

// UsualEndpoint returns the root of a cloud's API, "" where the cloud has none.
func UsualEndpoint(cloud string) string {
	switch cloud {
	case auditlog.ServiceUpCloud:
		return upcloud.DefaultEndpoint
	case auditlog.ServiceCloudscale:
		return cloudscale.DefaultEndpoint
	default:
		return ""
	}
}

// OtherEndpoint returns the origin that a service is asked at, where that is not its
// own: a reader has to know that it is, and that it may be why something failed.
func OtherEndpoint(info auditlog.Info) string {
	if e := info.Source.Endpoint; e != UsualEndpoint(info.Cloud()) {
		return e
	}

	return ""
}

// LogOf names what is read in a summary.
func LogOf(info auditlog.Info) string {
	if info.Name == auditlog.ServiceArchive {
		return info.Title
	}

	return info.Title + " audit logs"
}

// Waits says how long a run has waited for retries.
func Waits(w retries.Waits) Problem {
	return Problem{
		Summary: "Retries made this run wait",
		Cause:   "Requests had to be made again, since they failed or were told to slow down, and there were waits in between.",
		Next:    "Nothing needs to be done. If it happens often, ask for shorter windows or lower {max_concurrency}{ in the provider configuration}.",
	}.With("Retries", strconv.Itoa(w.Count)).With("Waited", w.Total.Round(time.Second).String()).
		With("Last reason", w.Reason)
}
