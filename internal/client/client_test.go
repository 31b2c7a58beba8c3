// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

const secret = "ucat_SECRET"

func options(t *testing.T, endpoint string) client.Options {
	t.Helper()

	u, err := client.ParseEndpoint(endpoint, "v1")
	if err != nil {
		t.Fatal(err)
	}

	return client.Options{
		Endpoint: u, Authorization: "Bearer " + secret, UserAgent: "test/1",
		RequestTimeout: time.Hour, MaxRetries: 3, RetryWaitMin: time.Millisecond, RetryWaitMax: 5 * time.Millisecond,
		MaxConcurrency: 4, Clock: time.Now,
	}
}

// serve answers the n-th request, from 1, with the n-th handler, and with the
// last one from then on.
func serve(t *testing.T, handlers ...http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()

	count := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1))
		handlers[min(n, len(handlers))-1](w, r)
	}))
	t.Cleanup(s.Close)

	return s, count
}

func answer(status int, contentType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)

		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}

		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func ok(body string) http.HandlerFunc { return answer(http.StatusOK, "application/json", body) }

func broken(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+10))
		_, _ = io.WriteString(w, body)
	}
}

func reset(_ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

type doc struct{ A *int }

func get(t *testing.T, o client.Options) (doc, error) {
	t.Helper()

	var d doc

	err := client.New(o).Get(t.Context(), "v1/logs", url.Values{"q": {"jane.doe"}},
		func(body []byte, _ func(string) string) error {
			d = doc{}

			return json.Unmarshal(body, &d)
		})

	return d, err
}

func TestGetRetriesWhatMayPass(t *testing.T) {
	t.Parallel()

	for name, failure := range map[string]http.HandlerFunc{
		"408": answer(408, "", ""), "429": answer(429, "", "", "Retry-After", "0"), "500": answer(500, "", ""),
		"502": answer(502, "text/html", "<html>"), "503": answer(503, "", ""), "504": answer(504, "", ""),
		"connection reset": reset, "broken off": broken(`{"A":1}`), "cut silently": ok(`{"A":1`), "empty": ok(""),
		"malformed": ok(`{"A":!}`), "broken error body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, count := serve(t, failure, failure, ok(`{"A":7}`))

			d, err := get(t, options(t, s.URL))
			if err != nil || d.A == nil || *d.A != 7 {
				t.Fatalf("got %v, %v", d.A, err)
			}

			if n := count.Load(); n != 3 {
				t.Errorf("%d requests were made, want 3", n)
			}
		})
	}
}

func TestGetReportsErrors(t *testing.T) {
	t.Parallel()

	problem := `{"type":"https://example.com/errors#ERROR_INVALID_REQUEST","title":"Validation error.","detail":"See\nbelow.","status":400,` +
		`"invalid_params":[{"name":"limit","reason":"Too large."}],"correlation_id":"01FY"}`

	for name, tt := range map[string]struct {
		handler  http.HandlerFunc
		want     client.Error
		requests int64
	}{
		"problem": {
			answer(400, "application/problem+json; charset=utf-8", problem),
			client.Error{
				Kind: client.KindRejected, Status: 400, Code: "INVALID_REQUEST", Title: "Validation error. See below.",
				Correlation: "01FY", Params: []client.InvalidParam{{Name: "limit", Reason: "Too large."}},
			},
			1,
		},
		"problem with a bare code": {
			answer(401, "application/problem+json", `{"type":"AUTHENTICATION_FAILED","title":"No.","status":401}`),
			client.Error{Kind: client.KindCredentials, Status: 401, Code: "AUTHENTICATION_FAILED", Title: "No."},
			1,
		},
		"legacy": {
			answer(403, "application/json", `{"error":{"error_code":"FORBIDDEN","error_message":"Not you."}}`),
			client.Error{Kind: client.KindForbidden, Status: 403, Code: "FORBIDDEN", Title: "Not you."},
			1,
		},
		"detail": {
			answer(404, "application/json", `{"detail":"Not found."}`),
			client.Error{Kind: client.KindNotFound, Status: 404, Title: "Not found."},
			1,
		},
		"field lists": {
			answer(400, "application/json", `{"start":["Bad.","Worse."],"end":["Bad."],"x":1}`),
			client.Error{
				Kind: client.KindRejected, Status: 400,
				Params: []client.InvalidParam{{Name: "end", Reason: "Bad."}, {Name: "start", Reason: "Bad. Worse."}},
			},
			1,
		},
		"422 in HTML": {
			answer(422, "text/html", "<p>no"),
			client.Error{Kind: client.KindRejected, Status: 422, Title: "the answer is text/html, not JSON"},
			1,
		},
		"501":          {answer(501, "", ""), client.Error{Kind: client.KindServer, Status: 501}, 1},
		"429 for ever": {answer(429, "", "", "Retry-After", "3600"), client.Error{Kind: client.KindRateLimited, Status: 429, RetryAfter: "3600"}, 4},
		"500 for ever": {
			answer(500, "application/json", `{"detail":"Oops."}`),
			client.Error{Kind: client.KindServer, Status: 500, Title: "Oops."},
			4,
		},
		"reset for ever":      {reset, client.Error{Kind: client.KindUnreachable}, 4},
		"broken off for ever": {broken(`{`), client.Error{Kind: client.KindBrokenBody, Status: 200}, 4},
		"empty for ever":      {ok(" \n"), client.Error{Kind: client.KindBrokenBody, Status: 200}, 4},
		"malformed for ever":  {ok(`{"A":`), client.Error{Kind: client.KindBrokenBody, Status: 200}, 4},
		"another encoding": {
			answer(200, "application/json; charset=ISO-8859-1", "{\"a\":\"Zo\xeb\"}"),
			client.Error{Kind: client.KindShape, Status: 200},
			1,
		},
		"a login page": {
			answer(200, "text/html; charset=utf-8", "<!doctype html>"),
			client.Error{Kind: client.KindNotJSON, Status: 200},
			1,
		},
		"a redirect": {
			answer(302, "", "", "Location", "https://login.example.com/?next=secret"),
			client.Error{Kind: client.KindRedirect, Status: 302},
			1,
		},
		"JSON of another shape": {ok(`[]`), client.Error{Kind: client.KindShape, Status: 200}, 1},
		"JSON of another type":  {ok(`{"A":"jane.doe"}`), client.Error{Kind: client.KindShape, Status: 200}, 1},
		"no content":            {answer(204, "", ""), client.Error{Kind: client.KindShape, Status: 204}, 1},
		"an echo of the secret": {
			answer(400, "application/json", `{"detail":"Bad token `+secret+`."}`),
			client.Error{Kind: client.KindRejected, Status: 400, Title: "Bad token (secret)."},
			1,
		},
		"too large": {
			ok(strings.Repeat(" ", client.MaxBody) + `{}`),
			client.Error{Kind: client.KindTooLarge, Status: 200},
			1,
		},
		"control characters": {
			answer(400, "application/json", `{"detail":"a\u001b[31mb\u0000c"}`),
			client.Error{Kind: client.KindRejected, Status: 400, Title: `a\u001b[31mb\u0000c`},
			1,
		},
		"a very long explanation": {
			answer(400, "application/json", `{"detail":"`+strings.Repeat("x", 1000)+`"}`),
			client.Error{Kind: client.KindRejected, Status: 400, Title: strings.Repeat("x", 300) + "…"},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, count := serve(t, tt.handler)
			o := options(t, s.URL)

			_, err := get(t, o)

			got := (*client.Error)(nil)
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}

			tt.want.Method, tt.want.Path, tt.want.Attempts = http.MethodGet, "/v1/logs", int(tt.requests)
			if diff := cmp.Diff(&tt.want, got, cmpopts.IgnoreFields(client.Error{}, "Err")); diff != "" {
				t.Error(diff)
			}

			if n := count.Load(); n != tt.requests {
				t.Errorf("%d requests were made, want %d", n, tt.requests)
			}

			for _, leak := range []string{secret, "jane.doe", "next=secret"} {
				if strings.Contains(fmt.Sprintf("%v %+v", err, got), leak) {
					t.Errorf("the error holds %q: %v", leak, err)
				}
			}
		})
	}
}

func TestGetReportsConnectionErrors(t *testing.T) {
	t.Parallel()

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()

	untrusted := httptest.NewTLSServer(ok(`{}`))
	untrusted.Config.ErrorLog = nil
	t.Cleanup(untrusted.Close)

	plain, _ := serve(t, ok(`{}`))

	for name, tt := range map[string]struct {
		endpoint string
		want     client.Kind
	}{
		"refused":                 {closed.URL, client.KindUnreachable},
		"unknown authority":       {untrusted.URL, client.KindTLS},
		"no TLS on the other end": {strings.Replace(plain.URL, "http:", "https:", 1), client.KindTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := get(t, options(t, tt.endpoint))

			got := (*client.Error)(nil)
			if !errors.As(err, &got) || got.Kind != tt.want {
				t.Fatalf("got %v", err)
			}

			if strings.Contains(err.Error(), "jane.doe") {
				t.Errorf("the error holds the query: %v", err)
			}
		})
	}
}

func TestGetSendsWhatIsNeeded(t *testing.T) {
	t.Parallel()

	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret || r.Header.Get("User-Agent") != "test/1" ||
			r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("headers are %v", r.Header)
		}

		if r.Method != http.MethodGet || r.URL.String() != "/root/v1/logs?q=jane.doe" {
			t.Errorf("request is %s %s", r.Method, r.URL)
		}

		w.Header().Set("Content-Encoding", "gzip")

		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte(`{"A":3}`))
		_ = z.Close()
	})

	if d, err := get(t, options(t, s.URL+"/root/v1/")); err != nil || *d.A != 3 {
		t.Errorf("got %v, %v", d.A, err)
	}
}

func TestGetRefusesOtherOrigins(t *testing.T) {
	t.Parallel()

	foreign, asked := serve(t, ok(`{}`))
	home, _ := serve(t, ok(`{}`))
	c := client.New(options(t, home.URL))

	for _, ref := range []string{
		foreign.URL + "/v1/logs", strings.Replace(home.URL, "http:", "https:", 1), "http://user:pass@" +
			strings.TrimPrefix(home.URL, "http://"),
		"//" + strings.TrimPrefix(foreign.URL, "http://") + "/v1", "http://localhost.example.com/", "file:///etc/passwd",
		"ftp://127.0.0.1/",
	} {
		err := c.Get(t.Context(), ref, nil, func([]byte, func(string) string) error { return nil })

		got := (*client.Error)(nil)
		if !errors.As(err, &got) || got.Kind != client.KindForeignOrigin {
			t.Errorf("%s: got %v", ref, err)
		}
	}

	if n := asked.Load(); n != 0 {
		t.Errorf("the other origin was asked %d times", n)
	}
}

func TestGetKeepsConnections(t *testing.T) {
	t.Parallel()

	var opened atomic.Int64

	s := httptest.NewUnstartedServer(ok(`{}`))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)

	c := client.New(options(t, s.URL))

	for range 5 {
		if err := c.Get(t.Context(), "v1/logs", nil, func([]byte, func(string) string) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}

	if n := opened.Load(); n != 1 {
		t.Errorf("5 requests opened %d connections", n)
	}
}

func TestGetBoundsConcurrency(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64

		o := options(t, "http://127.0.0.1:1")
		o.MaxConcurrency = 2
		o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
			n := now.Add(1)
			defer now.Add(-1)

			for {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}

			time.Sleep(time.Second)

			return reply(r, 200, `{}`), nil
		})
		c := client.New(o)

		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if err := c.Get(t.Context(), "v1/logs", nil, func([]byte, func(string) string) error { return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()

		if m := most.Load(); m != 2 {
			t.Errorf("%d requests were under way at once, want 2", m)
		}
	})
}

func TestGetObeysTheContext(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		o := options(t, "http://127.0.0.1:1")
		o.RetryWaitMin, o.RetryWaitMax = time.Hour, time.Hour
		o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
			return reply(r, 503, `{"detail":"Maintenance."}`), nil
		})

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		err := client.New(o).Get(ctx, "v1/logs", nil, func([]byte, func(string) string) error { return nil })

		got := (*client.Error)(nil)
		if !errors.As(err, &got) || got.Kind != client.KindDeadline || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}

		canceled, stop := context.WithCancel(t.Context())
		stop()

		err = client.New(o).Get(canceled, "v1/logs", nil, func([]byte, func(string) string) error { return nil })
		if !errors.As(err, &got) || got.Kind != client.KindCanceled {
			t.Errorf("got %v", err)
		}
	})
}

func TestGetTimesOutEachAttempt(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		n := 0
		o := options(t, "http://127.0.0.1:1")
		o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
			if n++; n > 1 {
				return reply(r, 200, `{"A":1}`), nil
			}

			resp := reply(r, 200, "")
			body, w := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(r.Context().Err()) })
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader(`{"A"`), body), body}

			return resp, nil
		})

		if d, err := get(t, o); err != nil || *d.A != 1 {
			t.Fatalf("got %v", err)
		}

		if n != 2 {
			t.Errorf("%d requests were made, want 2", n)
		}
	})
}

func TestLogsNameNoOne(t *testing.T) {
	t.Parallel()

	s, _ := serve(t, answer(503, "", ""), ok(`{"A":1}`))

	var lines []map[string]any

	o := options(t, s.URL)
	o.Log = func(_ context.Context, _ string, fields map[string]any) { lines = append(lines, fields) }

	err := client.New(o).Get(t.Context(), "v1/logs", url.Values{"q": {"jane.doe"}},
		func([]byte, func(string) string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}

	var statuses []any

	for _, line := range lines {
		statuses = append(statuses, line["status"])

		if line["method"] != "GET" || line["path"] != "/v1/logs" || line["milliseconds"] == nil {
			t.Errorf("line is %v", line)
		}
	}

	if diff := cmp.Diff([]any{503, 200}, statuses); diff != "" {
		t.Error(diff)
	}

	for _, leak := range []string{secret, "jane.doe"} {
		if strings.Contains(fmt.Sprint(lines), leak) {
			t.Errorf("the log holds %q", leak)
		}
	}
}

type failing func() error

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f() }

func TestProxyPasswordIsNotRepeated(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://puser:ClientProxyPw9@127.0.0.1:1")

	o := options(t, "https://api.example.com")
	o.Transport = failing(func() error {
		return errors.New("no puser:ClientProxyPw9 / Basic " +
			base64.StdEncoding.EncodeToString([]byte("puser:ClientProxyPw9")))
	})

	_, err := get(t, o)
	if want := "unreachable: GET /v1/logs: no (secret) / Basic (secret)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
