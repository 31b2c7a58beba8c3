// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// TestYearOfTrouble: in one year runners crash and pause, meet each other and have wrong
// clocks, and for a while the bucket keeps versions, upon which a service such as Ceph
// ignores the condition of writes. Nothing is lost, and nothing is archived twice.
func TestYearOfTrouble(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes, and TestManyRunners has the races; make simulate runs this")
	}

	const steps = 200

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		t.Run(service+" in memory", func(t *testing.T) {
			t.Parallel()

			s := &forgetful{Store: newMemory()}
			yearOfTrouble(t, service, s, s.on.Store, steps)
		})
		t.Run(service+" over S3", func(t *testing.T) {
			t.Parallel()

			destination, s3 := storetest.NewS3(t)

			// Each step has many requests, and the year of TestYear is whole.
			yearOfTrouble(t, service, s3.Open(t, destination), func(on bool) {
				s3.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
					if on {
						r.Header.Del("If-None-Match")
					}

					return false
				})
			}, 60)
		})
		t.Run(service+" in a directory", func(t *testing.T) {
			t.Parallel()

			store, err := durable.OpenStore(t.Context(), t.TempDir(), durable.StoreOptions{})
			if err != nil {
				t.Fatal(err)
			}

			s := &forgetful{Store: store}
			yearOfTrouble(t, service, s, s.on.Store, 40)
		})
	}
}

// forgetful is a store that ignores, while it is on, that it may create only what is not
// there.
type forgetful struct {
	durable.Store

	on atomic.Bool
}

func (f *forgetful) Create(ctx context.Context, key string, data []byte) error {
	if f.on.Load() {
		return f.Replace(ctx, key, data)
	}

	return f.Store.Create(ctx, key, data)
}

// trouble counts what has happened in a year.
type trouble struct {
	crashed, slept, together, fast, slow, future, refused, idle int
}

// persistent is apply, again where a log that grew within the window during both of two
// readings was refused, which is no business of the archive's.
func (w *world) persistent(o archive.Options) (err error) {
	for range 5 {
		if _, err = w.apply(o); err == nil || !strings.Contains(err.Error(), "two readings brought") {
			break
		}
	}

	return err
}

// atOnce lets so many runners apply at the same time, and returns their errors.
func (w *world) atOnce(runners int, o archive.Options) error {
	var group sync.WaitGroup

	errs := make([]error, runners)

	for i := range errs {
		group.Go(func() { _, errs[i] = w.apply(o) })
	}

	group.Wait()

	return errors.Join(errs...)
}

// isShape says that a log could not be read since its records are of the future.
func isShape(err error) bool {
	e := (*client.Error)(nil)

	return errors.As(err, &e) && e.Kind == client.KindShape
}

// yearOfTrouble switches on versions, after which nothing is conditional, at a third of
// the steps, and off again.
func yearOfTrouble(t *testing.T, service string, store durable.Store, versions func(on bool), steps int) {
	t.Helper()

	const tolerated = 12 * time.Hour

	w := newWorldOf(t, service, 11, fakeapi.Options{}, tolerated)
	book := newLedger()

	var (
		seen    trouble
		known   *archive.Checkpoint
		covered time.Time
	)

	// verify looks at the whole archive, in which refused and crashed runs may have left
	// something.
	verify := func(allowed ...archive.Finding) {
		t.Helper()

		report := checkVerifies(t, store, archive.VerifyOptions{Since: known}, allowed...)

		c, err := archive.ParseCheckpoint(report.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}

		until, err := time.Parse(auditlog.TimeLayout, report.CoveredUntil)
		if err != nil {
			t.Fatal(err)
		}

		if until.Before(covered) || until.After(w.cloudNow()) {
			t.Fatalf("covered until %s, before until %s, and the service's clock shows %s", until, covered, w.cloudNow())
		}

		known, covered = &c, until
		w.checkExactlyOnce(store, covered)
	}

	on, off := steps/3, steps/3+steps/10

	for step := range steps {
		w.advance(step)

		o := w.options(store)
		o.Known = known
		before := book.last

		switch step {
		case on:
			versions(true)
		case off:
			versions(false)
		}

		if on <= step && step < off {
			w.duringPages = func() {}

			err := w.atOnce(1+step%3, o)

			switch {
			case err == nil:
				// Only a run that has nothing to write succeeds.
				seen.idle++
			case errors.Is(err, durable.ErrNotConditional):
				seen.refused++
			default:
				t.Fatalf("step %d: %v", step, err)
			}

			book.check(t, store)

			if book.last != before {
				t.Fatalf("step %d: a manifest was added where nothing is conditional", step)
			}

			if step%9 == 0 {
				checkVerifies(t, store, archive.VerifyOptions{Since: known}, archive.FindingUnfinished)
			}

			continue
		}

		switch step % 8 {
		case 1: // It crashes.
			crash := &crashing{Store: store, at: 1 + step/8%12, after: step%16 == 1}
			o.Store = crash

			if err := w.persistent(o); crash.crashed {
				seen.crashed++
			} else if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		case 2: // It sleeps, and others archive what is new meanwhile.
			w.duringPages = func() {}

			sleep := &pausing{Store: store, at: 1 + step/8%12, meanwhile: func() {
				w.now = w.now.Add(time.Duration(w.random.IntN(300)) * time.Minute)
				w.happen(3, w.now.Add(-5*time.Minute))

				awake := o
				awake.Store = store

				if _, err := w.apply(awake); err != nil {
					t.Fatalf("step %d, meanwhile: %v", step, err)
				}

				seen.slept++
			}}
			o.Store = sleep

			if _, err := w.apply(o); err != nil {
				t.Fatalf("step %d, after a pause: %v", step, err)
			}
		case 3, 6: // There are several.
			w.duringPages = func() {}
			seen.together++

			if err := w.atOnce(2+step%2, o); err != nil {
				t.Fatalf("step %d, together: %v", step, err)
			}
		case 4: // Its clock is hours ahead.
			ahead := time.Duration(1+w.random.IntN(11)) * time.Hour
			w.now, w.ahead = w.now.Add(ahead), -ahead

			if err := w.persistent(o); err != nil {
				t.Fatalf("step %d, %s ahead: %v", step, ahead, err)
			}

			w.now, w.ahead = w.now.Add(-ahead), 0
			seen.fast++
		case 5: // Its clock is hours behind. It may find that the archive is ahead of it.
			behind := time.Duration(1+w.random.IntN(11)) * time.Hour
			w.now, w.ahead = w.now.Add(-behind), behind

			if err := w.persistent(o); err != nil && !errors.Is(err, archive.ErrFuture) {
				t.Fatalf("step %d, %s behind: %v", step, behind, err)
			}

			w.now, w.ahead = w.now.Add(behind), 0
			seen.slow++
		case 7: // The service's clock is hours behind what it has shown.
			if err := w.persistent(o); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}

			w.ahead = -time.Duration(2+w.random.IntN(9)) * time.Hour

			// Where services number records by their time, the log itself cannot be read.
			book.check(t, store)
			before = book.last

			// Where the log says nothing of the hours since, because nothing happened, there is
			// nothing to refuse.
			_, err := w.apply(o)

			switch {
			case errors.Is(err, archive.ErrFuture), isShape(err):
				seen.future++
			case err != nil:
				t.Fatalf("step %d, the service's clock went back by %s: %v", step, w.ahead, err)
			}

			if book.check(t, store); book.last != before {
				t.Fatalf("step %d: a manifest was added before its time", step)
			}

			w.ahead = 0
		default:
			if err := w.persistent(o); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}

		book.check(t, store)

		if step%24 == 0 {
			verify()
		} else if step%8 == 1 && known != nil && step%24 == 1 {
			checkVerifies(t, store, archive.VerifyOptions{Since: known}, archive.FindingUnfinished)
		}
	}

	w.duringPages = func() {}
	w.now = w.now.Add(time.Hour)
	w.happen(1, w.now.Add(-30*time.Minute))
	w.mustApply(w.options(store))
	book.check(t, store)
	verify()

	t.Logf("%d entries in %d manifests, %+v", len(book.ids), book.last, seen)

	if each := steps / 20; seen.crashed < each || seen.slept < each || seen.together < each || seen.fast < each ||
		seen.slow < each || seen.future < each || seen.refused < steps/20 {
		t.Errorf("the test has lost its grip: %+v", seen)
	}
}
