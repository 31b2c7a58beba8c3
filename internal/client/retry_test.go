// SPDX-License-Identifier: MPL-2.0

package client

import (
	"net/http"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()

	const base, limit = time.Second, 30 * time.Second

	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

	for name, tt := range map[string]struct {
		attempt    int
		retryAfter string
		jitter     float64
		want       time.Duration
	}{
		"first, no jitter":       {0, "", 0, 500 * time.Millisecond},
		"first, full jitter":     {0, "", 1, time.Second},
		"doubles":                {3, "", 1, 8 * time.Second},
		"up to the limit":        {5, "", 1, limit},
		"never overflows":        {5000, "", 0, limit / 2},
		"seconds":                {0, "7", 0, 7 * time.Second},
		"seconds, capped":        {0, "3600", 0, limit},
		"seconds beyond all":     {0, "1e300", 0, limit},
		"a fraction":             {0, "1.5", 0, 1500 * time.Millisecond},
		"no wait":                {3, "0", 0.5, 0},
		"a date":                 {0, "Thu, 01 Jan 2026 00:00:09 GMT", 0, 9 * time.Second},
		"a date, capped":         {0, "Fri, 02 Jan 2026 00:00:00 GMT", 0, limit},
		"a date that has passed": {0, "Wed, 31 Dec 2025 00:00:00 GMT", 0, 0},
		"negative":               {0, "-5", 1, time.Second},
		"not a number":           {0, "NaN", 1, time.Second},
		"nonsense":               {0, "soon", 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			resp := &http.Response{Header: http.Header{}}
			if tt.retryAfter != "" {
				resp.Header.Set("Retry-After", tt.retryAfter)
			}

			if got := backoff(base, limit, tt.attempt, resp, now, tt.jitter); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}

	if got := backoff(base, limit, 0, nil, now, 1); got != time.Second {
		t.Errorf("without an answer: %v", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("1")
	f.Add("Thu, 01 Jan 2026 00:00:09 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := retryAfter(text, time.Time{}); ok && d < 0 {
			t.Errorf("%q gives %v", text, d)
		}
	})
}
