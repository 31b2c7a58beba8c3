// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"errors"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestRunnerAnHourAheadArchivesNoFuture: it would have moved covered_until past
// events that it never saw, so that nobody looked for them again.
func TestRunnerAnHourAheadArchivesNoFuture(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, service, 1)
			store := newMemory()
			w.happen(30, begin.Add(-3*time.Hour))

			r := w.mustApply(w.options(store))

			// An hour later the runner believes that it is two.
			w.now, w.ahead = begin.Add(2*time.Hour), -time.Hour
			w.happen(5, w.cloudNow().Add(-10*time.Minute))

			_, err := w.apply(w.options(store))
			if e := (*client.Error)(nil); !errors.As(err, &e) || e.Kind != client.KindClock {
				t.Fatalf("got %v", err)
			}

			a, err := archive.Open(t.Context(), w.options(store))
			if err != nil {
				t.Fatal(err)
			}

			if !a.Last().CoveredUntil.Equal(r.CoveredUntil) || a.Head() != r.Head {
				t.Errorf("covered until %s, %s before", a.Last().CoveredUntil, r.CoveredUntil)
			}

			if p, err := a.Pending(t.Context(), 100); err == nil {
				t.Errorf("a refresh says that %d are pending", p.Count)
			}

			// Half an hour later something happens, and the clock is put right.
			w.now, w.ahead = begin.Add(3*time.Hour), 0
			w.happen(5, begin.Add(90*time.Minute))
			w.checkExactlyOnce(store, w.mustApply(w.options(store)).CoveredUntil)
		})
	}
}

// TestCoveredUntilGoesByTheServicesClock: whatever the difference that is allowed,
// and whichever way the run goes on, an archive covers no more than what had
// settled by the service's clock, and loses nothing of what happens next.
func TestCoveredUntilGoesByTheServicesClock(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		for name, tt := range map[string]struct {
			ahead  time.Duration
			reject bool
		}{
			"an hour behind ours":             {-time.Hour, false},
			"an hour behind, no cursor":       {-time.Hour, true},
			"forty seconds behind":            {-40 * time.Second, false},
			"forty seconds behind, no cursor": {-40 * time.Second, true},
			"right":                           {0, false},
			"forty seconds ahead":             {40 * time.Second, false},
			"an hour ahead, no cursor":        {time.Hour, true},
		} {
			t.Run(service+"/"+name, func(t *testing.T) {
				t.Parallel()

				w := newWorldOf(t, service, 1, fakeapi.Options{}, 2*time.Hour)
				w.ahead, w.reject = tt.ahead, tt.reject
				store := newMemory()

				for range 4 {
					w.happen(7, w.cloudNow().Add(-20*time.Minute))
					w.happen(7, w.cloudNow().Add(-30*time.Second))

					o := w.options(store)
					o.SettleDelay, o.Overlap = time.Minute, time.Second

					r := w.mustApply(o)

					settled := w.cloudNow().Add(-o.SettleDelay)
					if ours := w.now.Add(-o.SettleDelay); ours.Before(settled) {
						settled = ours
					}

					if !r.CoveredUntil.Equal(settled) {
						t.Errorf("covered until %s, and settled until %s", r.CoveredUntil, settled)
					}

					w.checkExactlyOnce(store, r.CoveredUntil)

					// What happens right after the run is younger than all that it saw.
					w.happen(3, w.cloudNow())
					w.now = w.now.Add(25 * time.Minute)
				}

				checkVerifies(t, store, archive.VerifyOptions{})
			})
		}
	}
}

// TestNothingHasSettledByTheServicesClock: where the service has not reached the
// begin of what is asked for, there is nothing to archive, and nothing to give up.
func TestNothingHasSettledByTheServicesClock(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w := newWorldOf(t, service, 1, fakeapi.Options{}, 2*time.Hour)
		w.ahead = -time.Hour
		w.happen(5, begin.Add(-30*time.Minute))

		store := newMemory()
		o := w.options(store)
		o.Start = begin.Add(-45 * time.Minute)

		r, err := w.apply(o)
		if err != nil || r.Added != 0 || r.CoveredUntil.After(w.cloudNow()) {
			t.Errorf("%s: %d added, covered until %s, %v", service, r.Added, r.CoveredUntil, err)
		}

		w.ahead, w.now = 0, begin.Add(time.Hour)

		if r := w.mustApply(o); r.Added < 5 {
			t.Errorf("%s: %d added", service, r.Added)
		}
	}
}

// TestCoveredUntilNeverGoesBack: where the service's machines differ by seconds, a
// run may end earlier than the one before, whose entries are not archived again.
func TestCoveredUntilNeverGoesBack(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w := newWorld(t, service, 1)
		store := newMemory()

		var covered time.Time

		for _, ahead := range []time.Duration{0, -30 * time.Second, 0, -50 * time.Second, -10 * time.Second} {
			w.ahead = ahead
			w.happen(4, w.now.Add(-12*time.Second))
			w.happen(4, w.now.Add(-2*time.Second))

			o := w.options(store)
			o.SettleDelay, o.Overlap = time.Millisecond, 5*time.Second

			r := w.mustApply(o)
			if r.CoveredUntil.Before(covered) {
				t.Errorf("%s: covered until %s, then until %s", service, covered, r.CoveredUntil)
			}

			covered = r.CoveredUntil
			w.now = w.now.Add(20 * time.Second)
		}

		w.checkExactlyOnce(store, covered)
	}
}
