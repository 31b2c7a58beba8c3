// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// problem is an error or a warning as users see it: a summary in their words, a
// cause, facts one a line, and what to do next. Every diagnostic of the provider
// is made of one, so that all of them read alike.
type problem struct {
	// summary is what was being done: at most 60 characters, no full stop.
	summary string
	// cause is one sentence.
	cause string
	facts []fact
	// excerpt is lines of the user's own that are shown as they are.
	excerpt string
	// next is one sentence.
	next string
}

type fact struct{ key, value string }

// with adds a fact unless it has no value.
func (p problem) with(key, value string) problem {
	if value != "" {
		p.facts = append(slices.Clip(p.facts), fact{key, value})
	}

	return p
}

// detail lays the problem out. A value can hold anything, line breaks included, by
// which it could pass for another fact: each part is made fit to be shown before.
func (p problem) detail() string {
	parts := []string{screen.Text(p.cause)}

	if len(p.facts) > 0 {
		lines := make([]string, 0, len(p.facts))
		for _, f := range p.facts {
			lines = append(lines, screen.Text(f.key)+": "+screen.Text(f.value))
		}

		parts = append(parts, strings.Join(lines, "\n"))
	}

	if p.excerpt != "" {
		// Terraform breaks no line that begins with a space.
		parts = append(parts, "    "+strings.ReplaceAll(screen.Lines(p.excerpt), "\n", "\n    "))
	}

	if p.next != "" {
		parts = append(parts, screen.Text(p.next))
	}

	return strings.Join(parts, "\n\n")
}

func (p problem) diagnostic() diag.Diagnostic {
	return diag.NewErrorDiagnostic(screen.Text(p.summary), p.detail())
}

func (p problem) warning() diag.Diagnostic {
	return diag.NewWarningDiagnostic(screen.Text(p.summary), p.detail())
}

// at puts the problem on an attribute, but never on one that holds a secret:
// Terraform shows the line of the configuration that it is written in.
func (p problem) at(where path.Path) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(where, screen.Text(p.summary), p.detail())
}

// warningAt is at for a warning.
func (p problem) warningAt(where path.Path) diag.Diagnostic {
	return diag.NewAttributeWarningDiagnostic(where, screen.Text(p.summary), p.detail())
}

// onArgument puts the problem on an argument of a function. Terraform ends the
// text with a full stop of its own.
func (p problem) onArgument(i int64) *function.FuncError {
	return function.NewArgumentFuncError(i, strings.TrimSuffix(p.detail(), "."))
}

// onCall puts the problem on the call of a function.
func (p problem) onCall() *function.FuncError {
	return function.NewFuncError(strings.TrimSuffix(p.detail(), "."))
}

// circumstances are what an error of a service does not know of itself.
type circumstances struct {
	summary string
	info    auditlog.Info
	window  auditlog.Window
}

// explain turns whatever a reading ended with into a problem. No row, no query
// and no secret is part of it.
func explain(err error, in circumstances) problem {
	p := problem{summary: in.summary}.with("Service", in.info.Name)

	if evalErr := (*where.EvalError)(nil); errors.As(err, &evalErr) {
		return evalProblem(p, evalErr)
	}

	if exportErr := (*podstack.Error)(nil); errors.As(err, &exportErr) {
		return exportFileProblem(p, exportErr)
	}

	if readErr := (*archive.ReadError)(nil); errors.As(err, &readErr) {
		p = explainArchive(p, readErr)

		if !in.window.End.IsZero() {
			p = p.with("Window", in.window.String())
		}

		return p
	}

	if isTimeError(err) {
		p.cause, p.next = sentence(err.Error()), "Check the clock of this machine, and try again in a minute."

		if errors.Is(err, auditlog.ErrWindowNotSettled) {
			p.cause = "By the service's own clock nothing of the window has happened yet, or nothing has settled."
			p.next = "Check the clock of this machine, let start lie further back, or lower settle_delay if there is one."
		}

		return p.with("Window", in.window.String())
	}

	apiErr := (*client.Error)(nil)
	if !errors.As(err, &apiErr) {
		p.cause = sentence(err.Error())

		if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
			p.cause = sentence(pathErr.Err.Error())
			p = p.with("Path", pathErr.Path).with("Step", pathErr.Op)
		}

		p.next = "Nothing was changed; the last complete result is as it was."

		if ended, ok := p.ended(err); ok {
			return ended
		}

		return p
	}

	p = p.with("Endpoint", otherEndpoint(in.info))

	if apiErr.Method != "" {
		p = p.with("Request", apiErr.Method+" "+apiErr.Path)
	}

	if apiErr.Status != 0 {
		p = p.with("Status", statusText(apiErr.Status))
	}

	p = p.with("Code", apiErr.Code).with("Message", apiErr.Title).with("Correlation", apiErr.Correlation)

	for _, param := range apiErr.Params {
		p = p.with("Parameter "+param.Name, param.Reason)
	}

	p = p.with("Retry-After", apiErr.RetryAfterText())

	if apiErr.Last != nil {
		last, _ := causeAndNext(apiErr.Last, in.info)
		p = p.with("Last error", last)
	}

	if apiErr.Attempts > 1 || apiErr.Attempts > 0 && apiErr.Kind == client.KindDeadline {
		p = p.with("Attempts", strconv.Itoa(apiErr.Attempts))
	}

	if apiErr.Page > 0 {
		p = p.with("Page", strconv.Itoa(apiErr.Page))
	}

	if !in.window.End.IsZero() {
		p = p.with("Window", in.window.String())
	}

	if clockErr := (*client.ClockError)(nil); errors.As(err, &clockErr) {
		p = p.withClocks(clockErr)
	}

	p.cause, p.next = causeAndNext(apiErr, in.info)

	return p
}

// isTimeError says that the service's clock leaves nothing that a reading could say.
func isTimeError(err error) bool {
	return errors.Is(err, auditlog.ErrWindowNotSettled) || errors.Is(err, auditlog.ErrClockWentBack)
}

// withClocks tells two clocks that do not agree.
func (p problem) withClocks(e *client.ClockError) problem {
	age := ""
	if e.Age > 0 {
		age = e.Age.String()
	}

	return p.with("Age", age).with("Service's clock", auditlog.FormatTime(e.Service)).with("This machine's clock", auditlog.FormatTime(e.Machine)).
		with("Difference", e.Difference().Abs().Round(time.Second).String()).with(maxClockSkewName, e.Limit.String())
}

// diagnosticOf explains what a reading ended with, on the argument at fault.
func diagnosticOf(err error, in circumstances) diag.Diagnostic {
	if d, ok := readingProblem(err, in); ok {
		return d
	}

	return explain(err, in).diagnostic()
}

// readingProblem explains an error of the source or of the query. Another one, of
// the disk or of an archive, is not its business.
func readingProblem(err error, in circumstances) (diag.Diagnostic, bool) {
	unanswerable, evalErr := (*auditlog.UnanswerableError)(nil), (*where.EvalError)(nil)
	unknown := (*auditlog.UnknownActionsError)(nil)
	apiErr, exportErr, readErr := (*client.Error)(nil), (*podstack.Error)(nil), (*archive.ReadError)(nil)

	switch {
	case errors.Is(err, redact.ErrTooManyValues), errors.Is(err, redact.ErrLateValue):
		p := problem{
			summary: in.summary, cause: sentence(err.Error()),
			next: "Ask for a shorter window, or redact fewer fields whose values are all different, such as correlation_id.",
		}
		if errors.Is(err, redact.ErrLateValue) {
			p.next = "Try again, or end the window earlier with settle_delay, so that the log has settled; nothing was written."
		}

		return p.with("Service", in.info.Name).at(path.Root(redactName)), true
	case errors.As(err, &unanswerable):
		return unanswerableProblem(unanswerable, in.info), true
	case errors.As(err, &unknown):
		return unknownActionsProblem(in.info, unknown.Actions).at(path.Root("fail_on_unknown_actions")), true
	case errors.As(err, &evalErr):
		return explain(err, in).at(path.Root(whereName)), true
	case errors.As(err, &apiErr), errors.As(err, &exportErr), errors.As(err, &readErr), isTimeError(err):
		return explain(err, in).diagnostic(), true
	default:
		return nil, false
	}
}

// exportFileProblem says what is wrong with an export of a console.
func exportFileProblem(p problem, e *podstack.Error) problem {
	number := func(n int) string { return strings.TrimPrefix(strconv.Itoa(n), "0") }

	p.cause, p.next = e.Reason, e.Next
	p = p.with("File", e.File).with("Line", number(e.Line)).with("Column", number(e.Column))

	if e.Header != "" {
		p = p.with("Header", shown(e.Header))
	}

	const most = 100

	headers := make([]string, 0, most+1)
	for _, h := range e.Headers[:min(most, len(e.Headers))] {
		headers = append(headers, shown(h))
	}

	if more := len(e.Headers) - most; more > 0 {
		headers = append(headers, fmt.Sprintf("and %d more", more))
	}

	return p.with("Headers", strings.Join(headers, ", "))
}

func causeAndNext(e *client.Error, info auditlog.Info) (cause, next string) {
	reason := ""
	if e.Err != nil {
		reason = e.Err.Error()
	}

	switch e.Kind {
	case client.KindCredentials:
		return "The service rejected the credentials.", info.CredentialsHint
	case client.KindForbidden:
		return "The credentials are valid but may not read the audit log.", "Use credentials with access to the audit log; some services reserve it for the main account."
	case client.KindNotFound:
		return "The service knows no audit log at this address.", "Check the endpoint in the provider configuration: it is the root of the API, without a version."
	case client.KindRejected:
		return "The service does not accept the request.", "Change the arguments that the service names; if it names none, remove filters one by one."
	case client.KindRateLimited:
		return "The service kept asking to slow down.", "Try again later, or raise max_retries and retry_wait_max in the provider configuration."
	case client.KindServer:
		return "The service kept failing.", "Try again later; raise max_retries in the provider configuration if this happens often."
	case client.KindRedirect:
		return sentence(reason), "Check the endpoint in the provider configuration, and that no proxy asks for a login."
	case client.KindNotJSON:
		return sentence(reason), "Check the endpoint in the provider configuration, and that no proxy or login page answers in its place."
	case client.KindTLS:
		return "The connection is not trusted: " + reason + ".", "Check the endpoint, the machine's certificate authorities and any proxy between them."
	case client.KindUnreachable:
		return "The service cannot be reached: " + reason + ".", "Check the endpoint, the network and any proxy between them."
	case client.KindTimeout:
		return "The service took too long to answer.", "Try again, or raise request_timeout in the provider configuration."
	case client.KindDeadline:
		return outOfTime + waitedFor(e) + ".", outOfTimeNext
	case client.KindCanceled:
		return "The operation was cancelled.", "Nothing was changed; run it again."
	case client.KindBrokenBody:
		return "The service's answer cannot be used: " + reason + ".", "Try again; a part of an answer is never used."
	case client.KindTooLarge:
		return sentence(reason), "Report this: no audit log page is known to be that large."
	case client.KindShape:
		return "The service's answer is not what its documentation describes: " + reason + ".", "Check the endpoint; if it is right, the service has changed and this provider needs an update."
	case client.KindForeignOrigin:
		return sentence(reason), "Nothing was sent there; check the endpoint in the provider configuration."
	case client.KindLoop:
		return "The service's pages lead back to a page that was read before.", "Try again; if it stays so, report it to the service."
	case client.KindEndless:
		return "The service's answer is larger than what is read at most: " + reason + ".", "Ask for a shorter window; if that does not help, report it to the service."
	case client.KindIncomplete:
		return "The service's pages do not add up, also not at the second reading: " + reason + ".", "Try again, or end the window a few minutes earlier with settle_delay, so that the log has settled."
	case client.KindClock:
		return clockCauseAndNext(e)
	case client.KindRequest:
		return sentence(reason), "Check the endpoint in the provider configuration."
	default:
		return sentence(reason), "Try again."
	}
}

const (
	outOfTime     = "The time for the whole operation ran out"
	outOfTimeNext = "Raise the value in the timeouts block, or ask for a shorter window."
)

// waitedFor says what a request was waiting for when the time ran out.
func waitedFor(e *client.Error) string {
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
func (p problem) ended(err error) (problem, bool) {
	stored := (*durable.S3Error)(nil)
	isStored := errors.As(err, &stored)

	switch {
	case errors.Is(err, context.DeadlineExceeded) && isStored && !stored.Ended:
		return p, false // One attempt took too long; the operation did not.
	case errors.Is(err, context.DeadlineExceeded):
		p.cause, p.next = outOfTime+".", outOfTimeNext
	case errors.Is(err, context.Canceled):
		p.cause, p.next = "The operation was cancelled.", "Nothing was changed; run it again."
	default:
		return p, false
	}

	if !isStored {
		return p, true
	}

	if errors.Is(err, context.DeadlineExceeded) {
		p.cause = outOfTime + " before the object storage had done what it was asked for."
	}

	p = p.with("Request", stored.Op+" "+stored.Place())
	if stored.Status != 0 {
		p = p.with("Status", statusText(stored.Status))
	}

	p = p.with("Code", stored.Code).with("Correlation", stored.RequestID).with("Last error", stored.Last)
	if stored.Attempts > 0 {
		p = p.with("Attempts", strconv.Itoa(stored.Attempts))
	}

	return p, true
}

// clockCauseAndNext says whose clock is ahead, and what that would have done.
func clockCauseAndNext(e *client.Error) (cause, next string) {
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

// sentence makes a Go error's text fit to begin and to end a sentence. What is no
// word, such as a file's name or an address, is written as it is.
func sentence(text string) string {
	text = strings.TrimRight(text, ".")
	if text == "" {
		return "The reason is unknown."
	}

	word, _, _ := strings.Cut(text, " ")
	word = strings.TrimRight(word, ",:;")

	if first, size := utf8.DecodeRuneInString(text); !strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '\'' }) {
		text = string(unicode.ToUpper(first)) + text[size:]
	}

	return text + "."
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
