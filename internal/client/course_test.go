// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/retries"
)

// inMemory answers without a connection, so that a test can have a clock of its own.
type inMemory func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f inMemory) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(r *http.Request, status int, body string, headers ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}

	for i := 0; i < len(headers); i += 2 {
		resp.Header.Set(headers[i], headers[i+1])
	}

	return resp
}

// TestADeadlineTellsWhatItWaitedFor: the last status and error, and how often the
// request was made.
func TestADeadlineTellsWhatItWaitedFor(t *testing.T) {
	t.Parallel()

	hang := func(r *http.Request, _ int) (*http.Response, error) {
		<-r.Context().Done()

		return nil, r.Context().Err()
	}

	for name, tt := range map[string]struct {
		answer   func(r *http.Request, n int) (*http.Response, error)
		limit    time.Duration
		status   int
		title    string
		last     client.Kind
		attempts int // 0 where it depends on the jitter
	}{
		"rate limits": {func(r *http.Request, _ int) (*http.Response, error) {
			return reply(r, 429, `{"detail":"Slow down."}`, "Retry-After", "6"), nil
		}, time.Minute, 429, "Slow down.", client.KindRateLimited, 2},
		"failures": {func(r *http.Request, _ int) (*http.Response, error) {
			return reply(r, 503, ``, "Retry-After", "4"), nil
		}, time.Minute, 503, "", client.KindServer, 3},
		"no network":  {func(*http.Request, int) (*http.Response, error) { return nil, errors.New("no route to host") }, time.Minute, 0, "", client.KindUnreachable, 0},
		"no answer":   {hang, time.Minute, 0, "", "", 1},
		"late, twice": {hang, 4 * time.Second, 0, "", client.KindTimeout, 2},
		"no answer after a failure": {func(r *http.Request, n int) (*http.Response, error) {
			if n == 1 {
				return reply(r, 500, `{"detail":"Oops."}`, "Retry-After", "1"), nil
			}

			return hang(r, n)
		}, time.Minute, 500, "Oops.", client.KindServer, 2},
		"a body that does not end": {func(r *http.Request, _ int) (*http.Response, error) {
			resp := reply(r, 200, "")
			body, w := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(r.Context().Err()) })
			resp.Body = body

			return resp, nil
		}, time.Minute, 0, "", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				n := 0
				o := options(t, "http://127.0.0.1:1")
				o.MaxRetries, o.RetryWaitMin, o.RetryWaitMax, o.RequestTimeout = 99, 6*time.Second, 6*time.Second, tt.limit
				o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
					n++

					return tt.answer(r, n)
				})

				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+500*time.Millisecond)
				defer cancel()

				err := client.New(o).Get(ctx, "v1/logs", nil, func([]byte, func(string) string) error { return nil })

				e := (*client.Error)(nil)
				if !errors.As(err, &e) || e.Kind != client.KindDeadline || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("got %v", err)
				}

				last := client.Kind("")
				if e.Last != nil {
					last = e.Last.Kind
				}

				if e.Status != tt.status || e.Title != tt.title || last != tt.last || tt.attempts > 0 &&
					e.Attempts != tt.attempts || e.Attempts < 1 || e.Method != http.MethodGet || e.Path != "/v1/logs" {
					t.Errorf("%+v, last %v", e, e.Last)
				}
			})
		})
	}
}

// TestWaitsAreCounted: what a request is put off for, and not what it takes.
func TestWaitsAreCounted(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		n := 0
		o := options(t, "http://127.0.0.1:1")
		o.RetryWaitMax = 30 * time.Second
		o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)

			switch n++; n {
			case 1:
				return reply(r, 429, ``, "Retry-After", "7"), nil
			case 2:
				return reply(r, 503, ``, "Retry-After", "8"), nil
			default:
				return reply(r, 200, `{}`), nil
			}
		})

		ctx, tally := retries.Watch(t.Context())
		c := client.New(o)

		for range 2 {
			if err := c.Get(ctx, "v1/logs", nil, func([]byte, func(string) string) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}

		if got, want := tally.Waits(), (retries.Waits{
			Count: 2, Total: 15 * time.Second, Reason: "503 Service Unavailable",
		}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// TestErrorsTellNoSecret: also those of libraries, and in whatever encoding.
func TestErrorsTellNoSecret(t *testing.T) {
	t.Parallel()

	const password = "pass-WORD/of+client"

	pair := base64.StdEncoding.EncodeToString([]byte("client-user:" + password))

	for name, failure := range map[string]error{
		"certificate": x509.HostnameError{Host: "example.com", Certificate: &x509.Certificate{DNSNames: []string{strings.ToLower(password) + ".example.com", "\x1b[2J"}}},
		"header":      fmt.Errorf("malformed MIME header line: %s and %q", pair, password),
		"proxy":       fmt.Errorf("proxyconnect tcp: dial http://client-user:%s@proxy:3128", password),
		"long":        errors.New(strings.Repeat("x", 290) + password),
	} {
		o := options(t, "http://127.0.0.1:1")
		o.Authorization, o.MaxRetries = "Basic "+pair, 0
		o.Transport = inMemory(func(*http.Request) (*http.Response, error) { return nil, failure })

		err := client.New(o).Get(t.Context(), "v1/logs", nil, nil)

		e := (*client.Error)(nil)
		if !errors.As(err, &e) {
			t.Fatal(err)
		}

		for _, text := range []string{err.Error(), e.Err.Error()} {
			lower := strings.ToLower(text)
			if strings.Contains(lower, "pass-word") || strings.Contains(text, pair[:12]) || strings.Contains(text, "\x1b") ||
				!strings.Contains(lower, "(secret)") {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
}
