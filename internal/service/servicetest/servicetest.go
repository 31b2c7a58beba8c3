// SPDX-License-Identifier: MPL-2.0

// Package servicetest is what the tests of every service share.
package servicetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// Client serves an API until the test ends and returns a client of it that tries
// again often and without delay. Both go by fakeapi.DefaultNow, unless the API or
// one of the options says otherwise.
func Client(tb testing.TB, api http.Handler, options ...func(*client.Options)) *client.Client {
	tb.Helper()

	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", fakeapi.DefaultNow().Format(http.TimeFormat))
		api.ServeHTTP(w, r)
	}))
	tb.Cleanup(s.Close)

	endpoint, err := url.Parse(s.URL)
	if err != nil {
		tb.Fatal(err)
	}

	o := client.Options{
		Endpoint: endpoint, Authorization: "Bearer " + fakeapi.DefaultToken, UserAgent: "test",
		RequestTimeout: time.Hour, MaxRetries: 8, RetryWaitMin: time.Microsecond, RetryWaitMax: time.Millisecond,
		MaxConcurrency: 4, Clock: fakeapi.DefaultNow,
	}
	for _, set := range options {
		set(&o)
	}

	return client.New(o)
}

// RunnerClock makes a client's clock be ahead of fakeapi.DefaultNow, by which the
// service goes, and lets it be off by as much as limit.
func RunnerClock(ahead, limit time.Duration) func(*client.Options) {
	return func(o *client.Options) {
		o.Clock = func() time.Time { return fakeapi.DefaultNow().Add(ahead) }
		o.MaxClockSkew = limit
	}
}

// Month is the window that holds everything a fake generates.
func Month() auditlog.Window {
	return auditlog.Window{Start: fakeapi.DefaultNow().Add(-31 * 24 * time.Hour), End: fakeapi.DefaultNow()}
}

// Read collects a reading.
func Read(ctx context.Context, s auditlog.Service, q auditlog.Query) ([]auditlog.Entry, auditlog.Completeness, error) {
	var (
		entries []auditlog.Entry
		c       auditlog.Completeness
	)

	for e, err := range s.Read(ctx, q, &c) {
		if err != nil {
			return entries, c, err
		}

		entries = append(entries, e)
	}

	return entries, c, nil
}

// IDs returns the sorted ids of entries.
func IDs(entries []auditlog.Entry) []string {
	ids := make([]string, 0, len(entries))
	for i := range entries {
		ids = append(ids, entries[i].ID)
	}

	slices.Sort(ids)

	return ids
}

// Minus returns the elements of the sorted a that the sorted b lacks.
func Minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool {
		_, found := slices.BinarySearch(b, s)

		return found
	})
}

// Repeated returns how many elements of the sorted a are repetitions.
func Repeated(a []string) int { return len(a) - len(slices.Compact(slices.Clone(a))) }
