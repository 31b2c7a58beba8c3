// SPDX-License-Identifier: MPL-2.0

package servicetest_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// clouds are the services that have a clock of their own.
var clouds = map[string]struct {
	api  func(*fakeapi.Server) http.Handler
	open func(*client.Client, auditlog.Clock) auditlog.Service
}{
	auditlog.ServiceUpCloud: {
		(*fakeapi.Server).UpCloud,
		func(c *client.Client, clock auditlog.Clock) auditlog.Service { return upcloud.New(c, clock, 0) },
	},
	auditlog.ServiceCloudscale: {
		(*fakeapi.Server).Cloudscale,
		func(c *client.Client, clock auditlog.Clock) auditlog.Service { return cloudscale.New(c, clock, 0) },
	},
}

// now is what the service's clock shows.
var now = fakeapi.DefaultNow()

// runner is a machine whose clock is ahead of the service's, and what it asks.
type runner struct {
	fake    *fakeapi.Server
	service auditlog.Service
	ahead   time.Duration
}

// newRunner puts a deletion into the log of each cloud at every one of the times,
// as long before the service's now.
func newRunner(
	t *testing.T, cloud string, o fakeapi.Options, ahead, limit time.Duration, before ...time.Duration,
) runner {
	t.Helper()

	o.NoExamples = true

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	for i, d := range before {
		fake.AppendUpCloud(fakeapi.UpCloudRecord{
			Time: now.Add(-d), CloudEventID: fmt.Sprintf("01HQXYZ%019d", i), Action: "delete", ResourceType: "server",
			ResourceID: fmt.Sprint(i), Origin: "api", AuthType: "api", CorrelationID: "c", AccountUsername: "ci",
			IPAddress: "192.0.2.1",
		})
		fake.AppendCloudscale(fakeapi.CloudscaleRecord{
			Timestamp: now.Add(-d), Action: "server_delete", Message: fmt.Sprintf("Server '%d' has been deleted", i),
			Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
		})
	}

	c := servicetest.Client(t, clouds[cloud].api(fake), servicetest.RunnerClock(ahead, limit))

	return runner{fake, clouds[cloud].open(c, func() time.Time { return now.Add(ahead) }), ahead}
}

// read asks for the deletions of the last 25 hours, as the runner's clock has it.
func (r runner) read(t *testing.T, spec auditlog.WindowSpec) ([]auditlog.Entry, auditlog.Completeness, error) {
	t.Helper()

	w, err := spec.Resolve(now.Add(r.ahead))
	if err != nil {
		t.Fatal(err)
	}

	return servicetest.Read(t.Context(), r.service, auditlog.Query{
		Window: w, SettleDelay: spec.SettleDelay, Operations: []auditlog.Operation{auditlog.OperationDelete},
	})
}

var last25h = auditlog.WindowSpec{Last: 25 * time.Hour}

func isClockError(err error) bool {
	e := (*client.Error)(nil)

	return errors.As(err, &e) && e.Kind == client.KindClock
}

// TestRunnerAnHourBehindFindsNoEmptyWindow: two deletions of the last 20 minutes
// are in the future of such a runner, which would have found none and said so.
func TestRunnerAnHourBehindFindsNoEmptyWindow(t *testing.T) {
	t.Parallel()

	for cloud := range clouds {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()

			r := newRunner(t, cloud, fakeapi.Options{}, -time.Hour, 0, 20*time.Minute, 5*time.Minute)

			if entries, c, err := r.read(t, last25h); !isClockError(err) || c.Proof != "" {
				t.Errorf("%d entries, proof %q, %v", len(entries), c.Proof, err)
			}

			r = newRunner(t, cloud, fakeapi.Options{}, 0, 0, 20*time.Minute, 5*time.Minute)

			if entries, c, err := r.read(t, last25h); err != nil || len(entries) != 2 || !c.Conclusive() {
				t.Errorf("with the right time %d entries, %v", len(entries), err)
			}
		})
	}
}

// TestRunnerAnHourAheadReadsNoFuture: the same the other way round.
func TestRunnerAnHourAheadReadsNoFuture(t *testing.T) {
	t.Parallel()

	for cloud := range clouds {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()

			r := newRunner(t, cloud, fakeapi.Options{}, time.Hour, 0, 20*time.Minute)

			if entries, c, err := r.read(t, last25h); !isClockError(err) || c.Proof != "" {
				t.Errorf("%d entries, proof %q, %v", len(entries), c.Proof, err)
			}

			// Whoever allows for it gets a window that ends by the service's clock.
			r = newRunner(t, cloud, fakeapi.Options{}, time.Hour, 2*time.Hour, 20*time.Minute)

			entries, c, err := r.read(t, last25h)
			if err != nil || len(entries) != 1 || !c.Window.End.Equal(now) {
				t.Errorf("%d entries of %s, %v", len(entries), c.Window, err)
			}
		})
	}
}

// TestWindowEndsByTheServicesClock: within the limit a window that means "now" ends
// no later than the service's now, and not because of one more request.
func TestWindowEndsByTheServicesClock(t *testing.T) {
	t.Parallel()

	future := -10 * time.Second // What the service dates ahead of its own clock.

	for cloud := range clouds {
		right := newRunner(t, cloud, fakeapi.Options{}, 0, 0, 20*time.Minute, 30*time.Second, future)
		if _, _, err := right.read(t, last25h); err != nil {
			t.Fatal(err)
		}

		requests := len(right.fake.Requests())

		for _, tt := range []struct {
			name    string
			options fakeapi.Options
			ahead   time.Duration
			spec    auditlog.WindowSpec
			end     time.Duration // after the service's now
			found   int
			skew    *time.Duration
			fails   bool
		}{
			{"right", fakeapi.Options{}, 0, last25h, 0, 2, new(time.Duration), false},
			{"ahead", fakeapi.Options{}, 40 * time.Second, last25h, 0, 2, new(-39 * time.Second), false},
			{"behind", fakeapi.Options{}, -40 * time.Second, last25h, -40 * time.Second, 1, new(40 * time.Second), false},
			{"ahead by the limit", fakeapi.Options{}, 61 * time.Second, last25h, 0, 2, new(-time.Minute), false},
			{"ahead by more", fakeapi.Options{}, 61*time.Second + time.Millisecond, last25h, 0, 0, nil, true},
			{"behind by the limit", fakeapi.Options{}, -time.Minute, last25h, -time.Minute, 1, new(time.Minute), false},
			{"behind by more", fakeapi.Options{}, -time.Minute - time.Millisecond, last25h, 0, 0, nil, true},
			{
				"the settle delay",
				fakeapi.Options{},
				40 * time.Second,
				auditlog.WindowSpec{Last: 25 * time.Hour, SettleDelay: time.Minute},
				-time.Minute, 1, new(-39 * time.Second),
				false,
			},
			{
				"an end in the past",
				fakeapi.Options{},
				40 * time.Second,
				auditlog.WindowSpec{End: now.Add(-time.Hour)},
				-time.Hour, 0, new(-39 * time.Second), false,
			},
			{
				"an end that the service has not reached",
				fakeapi.Options{},
				40 * time.Second,
				auditlog.WindowSpec{End: now.Add(20 * time.Second)},
				0, 2, new(-39 * time.Second), false,
			},
			{"no Date", fakeapi.Options{NoDate: true}, time.Hour, last25h, time.Hour, 3, nil, false},
		} {
			t.Run(cloud+"/"+tt.name, func(t *testing.T) {
				t.Parallel()

				r := newRunner(t, cloud, tt.options, tt.ahead, 0, 20*time.Minute, 30*time.Second, future)

				entries, c, err := r.read(t, tt.spec)
				if tt.fails {
					if !isClockError(err) {
						t.Fatalf("got %v", err)
					}

					return
				}

				if err != nil || len(entries) != tt.found || !c.Window.End.Equal(now.Add(tt.end)) || !c.Conclusive() {
					t.Errorf("%d entries of %s, %v", len(entries), c.Window, err)
				}

				if (c.ClockSkew == nil) != (tt.skew == nil) || (tt.skew != nil && *c.ClockSkew != *tt.skew) {
					t.Errorf("the skew is %v, want %v", c.ClockSkew, tt.skew)
				}

				if n := len(r.fake.Requests()); n != requests {
					t.Errorf("%d requests, %d with the right time", n, requests)
				}
			})
		}
	}
}

// TestSlicesEndByTheServicesClock: once the service has told its time, nothing is
// counted that could still happen while it is.
func TestSlicesEndByTheServicesClock(t *testing.T) {
	t.Parallel()

	r := newRunner(t, auditlog.ServiceUpCloud, fakeapi.Options{Entries: 3000}, 40*time.Second, 0)

	w, err := auditlog.WindowSpec{Last: 31 * 24 * time.Hour}.Resolve(now.Add(r.ahead))
	if err != nil {
		t.Fatal(err)
	}

	if _, _, err := servicetest.Read(t.Context(), r.service, auditlog.Query{Window: w}); err != nil {
		t.Fatal(err)
	}

	requests := r.fake.Requests()
	for _, request := range requests[1:] {
		if end, err := time.Parse(time.RFC3339, request.Query.Get("created_before")); err != nil || end.After(now) {
			t.Errorf("asked until %s, %v", end, err)
		}
	}

	if len(requests) < 10 {
		t.Errorf("only %d requests", len(requests))
	}
}

// TestWindowOfNothing: where the service's now lies before the window, nothing was
// asked, and nothing is answered.
func TestWindowOfNothing(t *testing.T) {
	t.Parallel()

	for cloud := range clouds {
		r := newRunner(t, cloud, fakeapi.Options{}, 50*time.Second, 0, 10*time.Second)

		entries, c, err := r.read(t, auditlog.WindowSpec{Last: 40 * time.Second})
		if !errors.Is(err, auditlog.ErrWindowNotSettled) || len(entries) != 0 || c.Proof != "" {
			t.Errorf("%s: %d entries, proof %q, %v", cloud, len(entries), c.Proof, err)
		}
	}
}

// TestClockOfEveryPage: pages come of several machines and caches, and each says
// how far it can be believed.
func TestClockOfEveryPage(t *testing.T) {
	t.Parallel()

	for cloud := range clouds {
		for name, tt := range map[string]struct {
			date    func(request int64) time.Time
			end     time.Duration
			skew    time.Duration
			isFound func(error) bool
		}{
			"a later page of an hour ago": {
				func(n int64) time.Time { return now.Add(-time.Duration(n/3) * time.Hour) }, 0, 0, isClockError,
			},
			"a later page of half a minute ago": {
				func(n int64) time.Time { return now.Add(-time.Duration(n/3%2) * 30 * time.Second) }, -30 * time.Second,
				-29 * time.Second, nil,
			},
			"pages that take minutes": {
				func(n int64) time.Time { return now.Add(time.Duration(n) * 10 * time.Second) }, 0, 0, nil,
			},
			"no Date but on one page": {
				func(n int64) time.Time {
					if n == 3 {
						return now.Add(-5 * time.Second)
					}

					return time.Time{}
				}, -5 * time.Second, -4 * time.Second, nil,
			},
		} {
			t.Run(cloud+"/"+name, func(t *testing.T) {
				t.Parallel()

				fake, err := fakeapi.New(fakeapi.Options{Entries: 1000, NoExamples: true})
				if err != nil {
					t.Fatal(err)
				}

				var n atomic.Int64

				c := servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					clouds[cloud].api(fake).ServeHTTP(dated{w, tt.date(n.Add(1))}, r)
				}), func(o *client.Options) { o.Clock = func() time.Time { return clockAt(n.Load(), name) } })

				entries, done, err := servicetest.Read(t.Context(), clouds[cloud].open(c, fakeapi.DefaultNow),
					auditlog.Query{Window: servicetest.Month()})

				if tt.isFound != nil {
					if !tt.isFound(err) || n.Load() < 3 {
						t.Errorf("after %d requests: %v", n.Load(), err)
					}

					return
				}

				if err != nil || !done.Window.End.Equal(now.Add(tt.end)) || done.ClockSkew == nil || *done.ClockSkew != tt.skew {
					t.Fatalf("%s, skew %v, %v", done.Window, done.ClockSkew, err)
				}

				if want := within(fake, cloud, done.Window); len(entries) != want {
					t.Errorf("%d entries, want %d", len(entries), want)
				}
			})
		}
	}
}

// clockAt is what our clock shows at a request: it stands still, but where pages
// take minutes.
func clockAt(request int64, name string) time.Time {
	if name == "pages that take minutes" {
		return now.Add(time.Duration(request) * 10 * time.Second)
	}

	return now
}

// dated is an answer with a Date of its own, or with none for no time.
type dated struct {
	http.ResponseWriter

	date time.Time
}

func (d dated) WriteHeader(status int) {
	if d.date.IsZero() {
		d.Header()["Date"] = nil
	} else {
		d.Header().Set("Date", d.date.Format(http.TimeFormat))
	}

	d.ResponseWriter.WriteHeader(status)
}

func within(fake *fakeapi.Server, cloud string, w auditlog.Window) int {
	var times []time.Time

	for _, r := range fake.UpCloudRecords() {
		if cloud == auditlog.ServiceUpCloud {
			times = append(times, r.Time)
		}
	}

	for _, r := range fake.CloudscaleRecords() {
		if cloud == auditlog.ServiceCloudscale {
			times = append(times, r.Timestamp)
		}
	}

	return len(slices.DeleteFunc(times, func(t time.Time) bool { return !w.Contains(t) }))
}

// TestClockThatGoesBackBehindWhatWasRead: a later page that is older than entries
// of an earlier one may lack what happened between.
func TestClockThatGoesBackBehindWhatWasRead(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{NoExamples: true, CloudscalePageSize: 1})
	if err != nil {
		t.Fatal(err)
	}

	for i, before := range []time.Duration{10 * time.Second, 9 * time.Second, 2 * time.Second, time.Second} {
		fake.AppendCloudscale(fakeapi.CloudscaleRecord{
			Timestamp: now.Add(-before), Action: "server_delete", Message: fmt.Sprint(i),
			Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
		})
	}

	var n atomic.Int64

	c := servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		date := now
		if n.Add(1) == 4 {
			date = now.Add(-5 * time.Second)
		}

		fake.Cloudscale().ServeHTTP(dated{w, date}, r)
	}))

	_, done, err := servicetest.Read(t.Context(), cloudscale.New(c, fakeapi.DefaultNow, 0),
		auditlog.Query{Window: servicetest.Month()})
	if !errors.Is(err, auditlog.ErrClockWentBack) || done.Proof != "" {
		t.Errorf("proof %q, %v", done.Proof, err)
	}
}

// TestFilterOptionsAreOfTheRightTime: where the clock is wrong, so is what the
// values of a window are.
func TestFilterOptionsAreOfTheRightTime(t *testing.T) {
	t.Parallel()

	for cloud := range clouds {
		r := newRunner(t, cloud, fakeapi.Options{}, time.Hour, 0, time.Minute)

		if _, err := r.service.FilterOptions(t.Context(), auditlog.Query{Window: servicetest.Month()}); !isClockError(err) {
			t.Errorf("%s: %v", cloud, err)
		}
	}
}
