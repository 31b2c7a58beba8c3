// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

// examined serves over TLS what the handler answers and returns a client that trusts it.
func examined(t *testing.T, answer http.HandlerFunc) *client.Client {
	t.Helper()

	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)

	endpoint, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}

	return client.New(client.Options{
		Endpoint: endpoint, Authorization: "Bearer secret-of-the-test", UserAgent: "test", RequestTimeout: time.Hour,
		MaxRetries: 3, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Microsecond, MaxConcurrency: 1,
		Clock: func() time.Time { return time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC) }, Transport: s.Client().Transport,
	})
}

func TestExamine(t *testing.T) {
	t.Parallel()

	requests := 0
	c := examined(t, func(w http.ResponseWriter, r *http.Request) {
		requests++

		w.Header().Set("Date", "Tue, 30 Jun 2026 13:00:00 GMT")
		w.Header().Set("X-Limit", "1")

		switch r.URL.Path {
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/long":
			_, _ = io.WriteString(w, "["+strings.Repeat("1,", 1<<20))
		default:
			_, _ = io.WriteString(w, `{"path":"`+r.URL.Path+`"}`)
		}
	})

	var body string

	keep := func(b []byte, _ func(string) string) error {
		body = string(b)

		return nil
	}

	seen, err := c.Examine(t.Context(), "log", nil, keep)
	if err != nil || body != `{"path":"/log"}` || seen.Status != http.StatusOK || !strings.HasPrefix(seen.TLS, "TLS 1.") ||
		!slices.Contains(seen.Headers, "X-Limit") {
		t.Errorf("%v, %s, %+v", err, body, seen)
	}

	off := (*client.ClockError)(nil)
	if !errors.As(seen.Off, &off) || off.Difference() != time.Hour || seen.Clock != nil {
		t.Errorf("the clock is an hour ahead, got %v and %v", seen.Off, seen.Clock)
	}

	if _, err := c.ExamineLink(t.Context(), seen, "/next?cursor=1", keep); err != nil || body != `{"path":"/next"}` {
		t.Errorf("%v, %s", err, body)
	}

	foreign := (*client.Error)(nil)
	if _, err := c.ExamineLink(t.Context(), seen, "https://example.net/", keep); !errors.As(err, &foreign) ||
		foreign.Kind != client.KindForeignOrigin {
		t.Errorf("another origin: %v", err)
	}

	if _, err := c.ExamineStart(t.Context(), "long", nil, 100, keep); err != nil || len(body) != 100 {
		t.Errorf("%v, %d bytes of 100", err, len(body))
	}

	before := requests

	busy := (*client.Error)(nil)
	if seen, err := c.Examine(t.Context(), "busy", nil, keep); !errors.As(err, &busy) || busy.Kind != client.KindServer ||
		seen.Status != http.StatusServiceUnavailable || requests != before+1 {
		t.Errorf("%v, %+v, %d requests; want one", err, seen, requests-before)
	}
}
