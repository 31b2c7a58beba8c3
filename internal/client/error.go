// SPDX-License-Identifier: MPL-2.0

package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// Kind says what went wrong with a request, in terms of what to do about it.
type Kind string

// The kinds of errors. Each may name a request; those of a page also name it.
const (
	KindRequest       Kind = "request"        // the request could not even be made
	KindForeignOrigin Kind = "foreign_origin" // the service pointed to another origin; nothing was sent there
	KindUnreachable   Kind = "unreachable"    // no connection, or it broke before an answer
	KindTLS           Kind = "tls"            // the other side could not be trusted
	KindTimeout       Kind = "timeout"        // one attempt took too long
	KindDeadline      Kind = "deadline"       // the time for the whole operation ran out
	KindCanceled      Kind = "canceled"       // the user stopped
	KindRedirect      Kind = "redirect"       // 3xx: APIs do not redirect, login pages do
	KindCredentials   Kind = "credentials"    // 401
	KindForbidden     Kind = "forbidden"      // 403
	KindNotFound      Kind = "not_found"      // 404
	KindRejected      Kind = "rejected"       // 400, 422 and the like: the request does not please
	KindRateLimited   Kind = "rate_limited"   // 429
	KindServer        Kind = "server"         // 408 and 5xx
	KindNotJSON       Kind = "not_json"       // 200, but a page for people
	KindBrokenBody    Kind = "broken_body"    // the answer broke off, or is not whole JSON
	KindTooLarge      Kind = "too_large"      // more bytes than any page has
	KindShape         Kind = "shape"          // JSON, but not what the documentation says
	KindLoop          Kind = "loop"           // a cursor that leads back
	KindEndless       Kind = "endless"        // an answer that goes beyond what is read at most
	KindIncomplete    Kind = "incomplete"     // pages that do not add up to what there is
	KindDisagreement  Kind = "disagreement"   // two ways to read the same that bring different things
	KindClock         Kind = "clock"          // an answer of another time than ours
)

// InvalidParam is a parameter that a service complained about.
type InvalidParam struct {
	Name   string
	Reason string
}

// Error is everything known of a request that failed. It holds no query, no
// header and no record.
type Error struct {
	Kind   Kind
	Method string
	// Path is the path of the request without the query.
	Path   string
	Status int
	// Code is the service's own code without the prefix ERROR_, Title its words.
	Code        string
	Title       string
	Correlation string
	Params      []InvalidParam
	// RetryAfter is how long the last answer asked to wait.
	RetryAfter string
	// Attempts is how often the request was made; zero where it was not.
	Attempts int
	// Page is the number of the page in its walk, from 1; zero elsewhere.
	Page int
	// Last is what the last attempt had ended with, where the time ran out or the user
	// stopped before another one succeeded; nil where none had ended.
	Last *Error
	Err  error
}

// Error returns one line for programs and logs.
func (e *Error) Error() string {
	parts := []string{string(e.Kind)}
	if e.Method != "" {
		parts = append(parts, e.Method+" "+e.Path)
	}

	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("status %d", e.Status))
	}

	if e.Code != "" {
		parts = append(parts, e.Code)
	}

	if e.Title != "" {
		parts = append(parts, e.Title)
	}

	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}

	return screen.Text(strings.Join(parts, ": "))
}

func (e *Error) Unwrap() error { return e.Err }

// The size of what is kept of an error's body and of one text in it.
const (
	maxErrorBody = 64 << 10
	maxErrorText = 300
)

// statusError reads what a service says of a request that it did not answer.
func (c *Client) statusError(resp *http.Response) *Error {
	defer resp.Body.Close()

	e := c.located(resp, &Error{Kind: kindOfStatus(resp.StatusCode), RetryAfter: clean(resp.Header.Get("Retry-After"))})

	// What cannot be read of an error leaves the status, which says enough.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	c.readProblem(e, body, resp.Header.Get("Content-Type"))

	if e.Kind == KindRedirect {
		e.Err = errors.New("the service redirected")
		if to, err := resp.Location(); err == nil && !screen.HasSecret(resp.Header.Get("Location")) {
			e.Err = fmt.Errorf("the service redirected to %s", clean(origin(to)))
		}
	}

	return e
}

func kindOfStatus(status int) Kind {
	switch {
	case status == http.StatusUnauthorized:
		return KindCredentials
	case status == http.StatusForbidden:
		return KindForbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return KindNotFound
	case status == http.StatusTooManyRequests:
		return KindRateLimited
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return KindServer
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return KindRedirect
	case status >= http.StatusBadRequest:
		return KindRejected
	default:
		return KindShape
	}
}

// readProblem tells the four shapes of errors apart by their keys: problem+json
// (RFC 9457) and the legacy shape of UpCloud, and of cloudscale {"detail": …}
// and {"<field>": ["…"]}. The Content-Type alone is not enough, since a charset
// may follow it and gateways set their own.
func (c *Client) readProblem(e *Error, body []byte, contentType string) {
	var object map[string]json.RawMessage
	if exactjson.Unmarshal(body, &object) != nil {
		media, _, err := mime.ParseMediaType(contentType)
		if err == nil && len(body) > 0 && media != "application/json" && !screen.HasSecret(contentType) {
			e.Title = clean("the answer is " + media + ", not JSON")
		}

		return
	}

	text := func(key string) string {
		var s string
		if exactjson.Unmarshal(object[key], &s) != nil {
			return ""
		}

		return clean(s)
	}

	var legacy struct {
		Code    string `json:"error_code"`
		Message string `json:"error_message"`
	}

	switch {
	case object["type"] != nil && object["title"] != nil:
		e.Code = problemCode(text("type"))
		e.Title = text("title")
		e.Correlation = text("correlation_id")

		if detail := text("detail"); detail != "" {
			e.Title += " " + detail
		}

		e.Params = c.problemParams(object["invalid_params"])
	case object["error"] != nil && exactjson.Unmarshal(object["error"], &legacy) == nil:
		e.Code, e.Title = problemCode(clean(legacy.Code)), clean(legacy.Message)
	case object["detail"] != nil:
		e.Title = text("detail")
	default:
		e.Params = c.fieldParams(object)
	}
}

// problemCode returns the code in a problem's type: the fragment of a URI, or
// the whole of a bare code.
func problemCode(text string) string {
	if i := strings.LastIndexByte(text, '#'); i >= 0 {
		text = text[i+1:]
	}

	return strings.TrimPrefix(text, "ERROR_")
}

const maxParams = 10

func (c *Client) problemParams(raw json.RawMessage) []InvalidParam {
	var list []struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	}

	if exactjson.Unmarshal(raw, &list) != nil {
		return nil
	}

	params := make([]InvalidParam, 0, len(list))
	for _, p := range list[:min(len(list), maxParams)] {
		params = append(params, InvalidParam{Name: clean(p.Name), Reason: clean(p.Reason)})
	}

	return params
}

func (c *Client) fieldParams(object map[string]json.RawMessage) []InvalidParam {
	var params []InvalidParam

	for _, name := range slices.Sorted(maps.Keys(object)) {
		var reasons []string
		if exactjson.Unmarshal(object[name], &reasons) == nil && len(params) < maxParams {
			params = append(params, InvalidParam{Name: clean(name), Reason: clean(strings.Join(reasons, " "))})
		}
	}

	return params
}

// clean makes a service's words fit to be shown: on one line, of bearable length,
// and without a secret that the service may have echoed. Nothing is cut before
// secrets are removed: a half is not recognised.
func clean(text string) string {
	text = strings.Join(strings.Fields(screen.Lines(text)), " ")
	if runes := []rune(text); len(runes) > maxErrorText {
		text = string(runes[:maxErrorText]) + "…"
	}

	return screen.Text(text)
}

// cleanError is an error of a library, which can hold what a service has said.
type cleanError struct{ err error }

func (e cleanError) Error() string { return clean(e.err.Error()) }

func (e cleanError) Unwrap() error { return e.err }

// checkJSON tells an answer that is no JSON at all from one that broke off.
func checkJSON(body []byte, header http.Header) *Error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return &Error{Kind: KindBrokenBody, Err: errors.New("it is empty")}
	}

	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	isJSON := err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))

	// Read as UTF-8, a name in another encoding would become another one.
	if charset := params["charset"]; charset != "" &&
		!slices.Contains([]string{"utf-8", "utf8", "us-ascii"}, strings.ToLower(charset)) {
		return &Error{Kind: KindShape, Err: errors.New("the answer is not in UTF-8, as JSON has to be")}
	}

	if body[0] == '<' && !isJSON {
		return &Error{Kind: KindNotJSON, Err: errors.New("the answer is a page for people, not JSON")}
	}

	return nil
}

// decodeError keeps what may be shown of a decoding error: never a value.
func decodeError(err error) *Error {
	typed := (*Error)(nil)
	if errors.As(err, &typed) {
		return typed
	}

	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) || errors.Is(err, exactjson.ErrSyntax) {
		return &Error{Kind: KindBrokenBody, Err: exactjson.ErrSyntax}
	}

	return &Error{Kind: KindShape, Err: err}
}

func bodyError(err error) *Error {
	if isTimeout(err) {
		return &Error{Kind: KindTimeout, Err: errors.New("the answer took too long")}
	}

	return &Error{Kind: KindBrokenBody, Err: errors.New("it broke off")}
}

// transportError classifies what net/http returns. The URL that it quotes is
// dropped, since the query in it can name people.
func transportError(err error) *Error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}

	var (
		unknownAuthority x509.UnknownAuthorityError
		invalid          x509.CertificateInvalidError
		hostname         x509.HostnameError
		verification     *tls.CertificateVerificationError
		record           tls.RecordHeaderError
		alert            tls.AlertError
	)

	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Kind: KindCanceled, Err: err}
	case isTimeout(err):
		return &Error{Kind: KindTimeout, Err: errors.New("the answer took too long")}
	case errors.As(err, &unknownAuthority), errors.As(err, &invalid), errors.As(err, &hostname),
		errors.As(err, &verification), errors.As(err, &record), errors.As(err, &alert),
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return &Error{Kind: KindTLS, Err: cleanError{err}}
	case strings.HasPrefix(err.Error(), "failed to parse Location header"):
		// It quotes the address in parts, each of which can hold a piece of a secret.
		return &Error{Kind: KindRedirect, Err: errors.New("the service redirected to a URL that cannot be read")}
	default:
		return &Error{Kind: KindUnreachable, Err: cleanError{err}}
	}
}

func isTimeout(err error) bool {
	var n net.Error

	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &n) && n.Timeout())
}

// contextError says that the whole operation ended, and keeps what the last
// attempt had to say.
func contextError(ctxErr error, done *course) *Error {
	e := &Error{}
	if done.last != nil {
		*e = *done.last
	}

	e.Kind, e.Err, e.Last = KindCanceled, context.Canceled, done.last

	if errors.Is(ctxErr, context.DeadlineExceeded) {
		e.Kind, e.Err = KindDeadline, context.DeadlineExceeded
	}

	return e
}

// RetryAfterText returns the last Retry-After in the words of an error.
func (e *Error) RetryAfterText() string {
	if d, err := time.ParseDuration(e.RetryAfter + "s"); err == nil {
		return d.String()
	}

	return e.RetryAfter
}
