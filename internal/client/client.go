// SPDX-License-Identifier: MPL-2.0

// Package client reads JSON over HTTP from the audit log APIs. It retries what
// may pass, pages with offsets and with cursors, and names what went wrong in
// one typed error. It never logs a header, a query or a body, and never sends
// the credential to another origin than the configured one.
package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// MaxBody is how many bytes an answer may have once decompressed: 80 KiB for
// each of 200 records, where one with large states has a few. What is made of a
// page takes three to eighteen times its size in memory, which is what this bounds.
const MaxBody = 16 << 20

// mostUsual is how many bytes there is room for at most, before any has come, in an answer that
// does not say how long it is.
const mostUsual = 1 << 20

// Options configures a client. Every field but MaxClockSkew, Transport and Log is
// needed.
type Options struct {
	// Endpoint is the root of the API; its origin is the only one that is ever
	// sent the credential.
	Endpoint *url.URL
	// Authorization is the value of the header of that name. What is secret in it is
	// removed from every text, also from what a service says.
	Authorization string
	UserAgent     string

	// RequestTimeout bounds one attempt, its body included; for a body that is read as
	// it comes (Stream) how long it may bring nothing.
	RequestTimeout time.Duration
	// MaxRetries is how often a request is tried again.
	MaxRetries int
	// RetryWaitMin is the first wait, which doubles up to RetryWaitMax. A
	// Retry-After that asks for more than RetryWaitMax is cut down to it.
	RetryWaitMin time.Duration
	RetryWaitMax time.Duration
	// MaxConcurrency is how many requests may be under way at once, waits between
	// attempts included. A service that says "slow down" gets fewer for a while.
	MaxConcurrency int

	// MaxClockSkew is how far the service's clock may be off ours; zero stands for
	// DefaultMaxClockSkew.
	MaxClockSkew time.Duration

	Transport http.RoundTripper
	Clock     auditlog.Clock
	// Log is told about each attempt; nil tells nobody.
	Log Log
}

// Client reads from one origin. It is safe for use by several goroutines.
type Client struct {
	o       Options
	limiter *limiter
	http    *retryablehttp.Client
	// stream is http for answers that are read as they come.
	stream *retryablehttp.Client
	// usual is about how many bytes the last answer had, which most others resemble.
	usual atomic.Int64
}

// New returns a client. It makes no request.
func New(o Options) *Client {
	if o.MaxClockSkew == 0 {
		o.MaxClockSkew = DefaultMaxClockSkew
	}

	if o.Transport == nil {
		o.Transport = newTransport(o.MaxConcurrency)
	}

	if o.Log == nil {
		o.Log = func(context.Context, string, map[string]any) {}
	}

	o.Transport = gzipTransport{o.Transport}

	holdSecret(o.Authorization)
	screen.Proxies()

	c := &Client{o: o, limiter: newLimiter(o.MaxConcurrency)}
	c.http = c.retrying(o.Transport, o.RequestTimeout)
	c.stream = c.retrying(&quietTransport{next: o.Transport, limit: o.RequestTimeout}, 0)

	return c
}

// retrying returns what makes the attempts of a request. No attempt takes longer than
// the timeout, where there is one.
func (c *Client) retrying(transport http.RoundTripper, timeout time.Duration) *retryablehttp.Client {
	o := c.o

	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: &logTransport{next: transport, clock: o.Clock, log: o.Log},
			Timeout:   timeout,
			// A redirect would carry the query, which can name people, to whoever
			// is asked next; these APIs have none, login pages do.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     o.MaxRetries,
		RetryWaitMin: o.RetryWaitMin,
		RetryWaitMax: o.RetryWaitMax,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			c.noteFailure(ctx, resp, err)

			again, err := checkRetry(ctx, resp, err)
			if again {
				courseOf(ctx).slot.pause()
			}

			return again, err
		},
		PrepareRetry: func(req *http.Request) error {
			if err := courseOf(req.Context()).slot.again(req.Context()); err != nil {
				return err
			}

			noteWait(req.Context(), o.Clock())

			return nil
		},
		Backoff: func(base, limit time.Duration, attempt int, resp *http.Response) time.Duration {
			return backoff(base, limit, attempt, resp, o.Clock(), rand.Float64()) //nolint:gosec // Jitter needs no secrecy.
		},
		ErrorHandler: giveUp,
	}
}

// holdSecret makes known what is secret in an Authorization header.
func holdSecret(authorization string) {
	scheme, credential, _ := strings.Cut(authorization, " ")
	screen.Secret(credential)

	if pair, err := base64.StdEncoding.DecodeString(credential); err == nil && strings.EqualFold(scheme, "Basic") {
		name, password, _ := strings.Cut(string(pair), ":")
		screen.Login(name, password)
	}
}

func newTransport(conns int) http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}

	t = t.Clone()
	t.MaxIdleConnsPerHost = max(conns, 1)

	return t
}

// MaxConcurrency is how many requests may be under way at once.
func (c *Client) MaxConcurrency() int { return max(c.o.MaxConcurrency, 1) }

// Method is the method of every request: nothing on the other side ever changes.
const Method = http.MethodGet

// Decode reads an answer; header returns the value of one of its headers. It runs
// once for every attempt that brought one: a JSON syntax error counts as a body
// that broke off, and the page is asked for again; any other error means that the
// service speaks of something else.
type Decode func(body []byte, header func(name string) string) error

// Get requests a path below the endpoint with a query, or an absolute URL on its
// origin, and decodes the answer. Whatever fails is an *Error.
func (c *Client) Get(ctx context.Context, ref string, query url.Values, decode Decode) error {
	u, err := c.resolve(ref, query)
	if err != nil {
		return err
	}

	_, err = c.get(ctx, u, decode)

	return err
}

// get is Get of a URL, and returns the service's clock as the answer shows it, or nil.
func (c *Client) get(ctx context.Context, u *url.URL, decode Decode) (*auditlog.ServiceClock, error) {
	var (
		done  course
		clock *auditlog.ServiceClock
	)

	req, release, err := c.begin(ctx, u, &done)
	if err != nil {
		return nil, err
	}
	defer release()

	req.SetResponseHandler(func(resp *http.Response) (err error) {
		clock, err = c.handle(resp, &done, decode)

		return err
	})

	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.asError(req.Request, err, &done)
	}

	// The handler has read and closed the body.
	_ = resp.Body.Close()

	done.slot.heed(resp.StatusCode)

	return clock, nil
}

// begin makes a request and waits for a slot, which release gives back.
func (c *Client) begin(ctx context.Context, u *url.URL, done *course) (*retryablehttp.Request, func(), error) {
	req, err := retryablehttp.NewRequestWithContext(withCourse(ctx, done), Method, u.String(), nil)
	if err != nil {
		return nil, nil, &Error{
			Kind: KindRequest, Method: Method, Path: clean(u.Path), Err: errors.New("the URL cannot be used"),
		}
	}

	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", c.o.Authorization)
	req.Header.Set("Cache-Control", "no-cache") // A copy of a log lacks its newest part.
	req.Header.Set("User-Agent", c.o.UserAgent)

	if done.slot, err = c.limiter.begin(ctx); err != nil {
		return nil, nil, c.asError(req.Request, err, done)
	}

	return req, done.slot.end, nil
}

// resolve returns the URL of a path below the endpoint.
func (c *Client) resolve(ref string, query url.Values) (*url.URL, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return nil, errUnreadableURL()
	}

	if !u.IsAbs() && u.Host == "" {
		u = c.o.Endpoint.JoinPath(u.Path)
	}

	if len(query) > 0 {
		u.RawQuery = query.Encode()
	}

	return u, c.checkOrigin(u)
}

// link returns the URL that a link in the answer from base leads to, as RFC 3986
// says. A fragment is never sent, so that it is no part of where a link leads.
//
// A link with a secret in it is not followed, and nothing of it is shown: its parts
// can each hold a piece of the secret, in which nobody recognises it.
func link(base *url.URL, ref string) (*url.URL, error) {
	if screen.HasSecret(ref) {
		return nil, errSecretURL()
	}

	u, err := base.Parse(ref)
	if err != nil {
		return nil, errUnreadableURL()
	}

	u.Fragment, u.RawFragment = "", ""

	return u, nil
}

func errUnreadableURL() error {
	return &Error{Kind: KindShape, Method: Method, Err: errors.New("the service gave a URL that cannot be read")}
}

func errSecretURL() error {
	return &Error{Kind: KindForeignOrigin, Method: Method, Err: errors.New("the service gave a URL that holds a secret of ours, and nothing was sent there")}
}

// checkOrigin refuses a URL on another origin before anything is sent there.
func (c *Client) checkOrigin(u *url.URL) error {
	if sameOrigin(u, c.o.Endpoint) && u.User == nil {
		return nil
	}

	return &Error{
		Kind: KindForeignOrigin, Method: Method, Path: clean(u.Path),
		Err: fmt.Errorf("the service pointed to %s, which is not the configured endpoint", clean(origin(u))),
	}
}

// Tell tells the log about something that concerns requests, with fields that say more
// of it.
func (c *Client) Tell(ctx context.Context, message string, fields map[string]any) {
	c.o.Log(ctx, message, fields)
}

// defaultPorts are the ports that schemes imply.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

func sameOrigin(a, b *url.URL) bool { return origin(a) == origin(b) }

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPorts[strings.ToLower(u.Scheme)]
	}

	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// Origin returns the origin of the endpoint in its canonical form: in lower case
// and without the port that the scheme implies.
func (c *Client) Origin() string {
	u := c.o.Endpoint
	host := strings.ToLower(u.Host)

	for scheme, port := range defaultPorts {
		if strings.EqualFold(u.Scheme, scheme) {
			host = strings.TrimSuffix(host, ":"+port)
		}
	}

	return strings.ToLower(u.Scheme) + "://" + strings.TrimSuffix(host, ":")
}

// handle reads an answer that will not be retried for its status. Its errors go
// through checkRetry once more.
func (c *Client) handle(resp *http.Response, done *course, decode Decode) (*auditlog.ServiceClock, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, done.failure()
	}

	body, err := c.readBody(resp)
	if err != nil {
		return nil, err
	}

	if err := checkJSON(body, resp.Header); err != nil {
		return nil, c.located(resp, err)
	}

	if err := decode(body, resp.Header.Get); err != nil {
		return nil, c.located(resp, decodeError(err))
	}

	return c.clockOf(resp, done)
}

// clockOf returns the service's clock as the head of an answer shows it, or nil.
func (c *Client) clockOf(resp *http.Response, done *course) (*auditlog.ServiceClock, error) {
	clock, off := readClock(resp.Header, done.span, c.o.MaxClockSkew)
	if errors.Is(off, errDate) {
		return nil, c.located(resp, &Error{Kind: KindShape, Err: off})
	}

	if off != nil {
		return nil, c.located(resp, &Error{Kind: KindClock, Err: off})
	}

	return clock, nil
}

func (c *Client) readBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()

	var body bytes.Buffer

	size := resp.ContentLength
	if size < 0 {
		// A compressed answer does not say what becomes of it.
		size = min(c.usual.Load(), mostUsual)
	}

	body.Grow(int(min(size, MaxBody)) + bytes.MinRead)

	if _, err := body.ReadFrom(io.LimitReader(resp.Body, MaxBody+1)); err != nil {
		return nil, c.located(resp, bodyError(err))
	}

	if body.Len() > MaxBody {
		return nil, c.located(resp,
			&Error{Kind: KindTooLarge, Err: fmt.Errorf("the answer is larger than %d bytes", MaxBody)})
	}

	c.usual.Store(int64(body.Len() + body.Len()/8))

	return body.Bytes(), nil
}

// giveUp is called when no further attempt is made. The last answer, if there
// is one, says why better than we could.
func giveUp(resp *http.Response, err error, _ int) (*http.Response, error) {
	if resp != nil {
		_ = resp.Body.Close()
	}

	if err == nil {
		err = courseOf(resp.Request.Context()).failure()
	}

	return nil, err
}

// asError turns whatever a request ended with into an *Error that knows it.
func (c *Client) asError(req *http.Request, err error, done *course) *Error {
	typed := (*Error)(nil)
	if !errors.As(err, &typed) {
		typed = transportError(err)
	}

	// A deadline that ran out hides what it was waiting for.
	if ctxErr := req.Context().Err(); ctxErr != nil {
		typed = contextError(ctxErr, done)
	}

	typed.Method, typed.Path = req.Method, clean(req.URL.Path)
	typed.Attempts = done.attempts

	return typed
}

func (c *Client) located(resp *http.Response, e *Error) *Error {
	e.Method, e.Path, e.Status = resp.Request.Method, clean(resp.Request.URL.Path), resp.StatusCode

	return e
}
