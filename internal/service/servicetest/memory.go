// SPDX-License-Identifier: MPL-2.0

package servicetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// InMemory returns a client of an API without a network in between, so that it can be
// used where time is a test's own (testing/synctest). Answers that break off on the
// wire are connections that were reset.
func InMemory(tb testing.TB, api http.Handler, options ...func(*client.Options)) *client.Client {
	tb.Helper()

	endpoint, err := url.Parse("http://api.example.com")
	if err != nil {
		tb.Fatal(err)
	}

	o := client.Options{
		Endpoint: endpoint, Authorization: "Bearer " + fakeapi.DefaultToken, UserAgent: "test",
		RequestTimeout: time.Hour, MaxRetries: 8, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Millisecond,
		MaxConcurrency: 8, Clock: fakeapi.DefaultNow, Transport: handlerTransport{api},
	}
	for _, set := range options {
		set(&o)
	}

	return client.New(o)
}

// finalOnly leaves interim answers out, as a client does.
type finalOnly struct{ *httptest.ResponseRecorder }

func (w finalOnly) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.ResponseRecorder.WriteHeader(status)
	}
}

type handlerTransport struct{ api http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if broken := recover(); broken == http.ErrAbortHandler { //nolint:errorlint // It is the very value.
			resp, err = nil, io.ErrUnexpectedEOF
		} else if broken != nil {
			panic(broken)
		}
	}()

	request := r.Clone(r.Context())
	request.RequestURI, request.Host, request.Body = r.URL.RequestURI(), r.URL.Host, http.NoBody
	w := httptest.NewRecorder()
	t.api.ServeHTTP(finalOnly{w}, request)

	if err := r.Context().Err(); err != nil {
		return nil, err
	}

	resp = w.Result()
	resp.Request = r

	// What is read off a wire is spelled as Go does.
	spelled := resp.Header
	resp.Header = http.Header{}

	for name, values := range spelled {
		for _, value := range values {
			resp.Header.Add(name, value)
		}
	}

	return resp, nil
}
