// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

func discard([]byte, func(string) string) error { return nil }

// TestConcurrencySettles: of a service that serves some requests at a time and refuses
// the others, no request is lost, and most are sent when they can be served.
func TestConcurrencySettles(t *testing.T) {
	t.Parallel()

	const (
		requests = 800
		takes    = 50 * time.Millisecond
	)

	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for allowed := 1; allowed <= 9; allowed++ {
			t.Run(fmt.Sprintf("%d/%d", status, allowed), func(t *testing.T) {
				t.Parallel()

				synctest.Test(t, func(t *testing.T) {
					var now, most, refused, refusedLate, served atomic.Int64

					o := options(t, "http://127.0.0.1:1")
					o.MaxConcurrency, o.MaxRetries = 8, 6
					o.RetryWaitMin, o.RetryWaitMax = 20*time.Millisecond, time.Second
					o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
						n := now.Add(1)
						defer now.Add(-1)

						for {
							if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
								break
							}
						}

						if n > int64(allowed) {
							refused.Add(1)

							if served.Load() > requests/2 {
								refusedLate.Add(1)
							}

							return reply(r, status, `{}`), nil
						}

						time.Sleep(takes)
						served.Add(1)

						return reply(r, http.StatusOK, `{}`), nil
					})

					c, begun := client.New(o), time.Now()

					var all sync.WaitGroup

					for range 32 {
						all.Go(func() {
							for range requests / 32 {
								if err := c.Get(t.Context(), "v1/logs", nil, discard); err != nil {
									t.Error(err)
								}
							}
						})
					}

					all.Wait()

					took, best := time.Since(begun), takes*requests/time.Duration(min(allowed, 8))
					t.Logf("took %v, the best is %v; refused %d, of the second half %d", took, best, refused.Load(), refusedLate.Load())

					switch {
					case served.Load() != requests || most.Load() > 8:
						t.Errorf("%d of %d were served, %d at once", served.Load(), requests, most.Load())
					case took > 2*best:
						t.Errorf("took %v where %v would do", took, best)
					case allowed >= 8 && refused.Load() > 0, refusedLate.Load() > requests/2/2:
						t.Errorf("%d were refused, %d of the second half", refused.Load(), refusedLate.Load())
					}
				})
			})
		}
	}
}

// TestConcurrencyIsLoweredOnce by answers to requests that were under way together,
// and what was told to wait keeps others from going ahead in its place.
func TestConcurrencyIsLoweredOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64

		o := options(t, "http://127.0.0.1:1")
		o.MaxConcurrency = 8
		o.RetryWaitMin, o.RetryWaitMax = time.Minute, time.Hour
		o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
			n := sent.Add(1)

			time.Sleep(time.Second)

			if n <= 8 {
				refusal := reply(r, http.StatusTooManyRequests, `{}`)
				refusal.Header.Set("Retry-After", "600")

				return refusal, nil
			}

			return reply(r, http.StatusOK, `{}`), nil
		})

		c, begun := client.New(o), time.Now()

		var all sync.WaitGroup

		for range 24 {
			all.Go(func() {
				if err := c.Get(t.Context(), "v1/logs", nil, discard); err != nil {
					t.Error(err)
				}
			})
		}

		// How many have been sent by the second.
		for _, step := range []struct {
			at   time.Duration
			sent int64
		}{{0, 8}, {590 * time.Second, 8}, {601500 * time.Millisecond, 12}, {602500 * time.Millisecond, 16}} {
			synctest.Wait()

			if step.at > 0 {
				time.Sleep(step.at - time.Since(begun))
				synctest.Wait()
			}

			if n := sent.Load(); n != step.sent {
				t.Errorf("after %v %d had been sent, want %d", step.at, n, step.sent)
			}
		}

		all.Wait()
	})
}

// TestConcurrencyLosesNoSlot to requests that were given up, wherever they waited.
func TestConcurrencyLosesNoSlot(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Bool

		o := options(t, "http://127.0.0.1:1")
		o.MaxConcurrency, o.MaxRetries = 4, 3
		o.RetryWaitMin, o.RetryWaitMax = time.Second, time.Second
		o.Transport = inMemory(func(r *http.Request) (*http.Response, error) {
			if time.Sleep(time.Second); refuse.Load() {
				return reply(r, http.StatusTooManyRequests, `{}`), nil
			}

			return reply(r, http.StatusOK, `{}`), nil
		})

		c := client.New(o)

		refuse.Store(true)

		var all sync.WaitGroup

		for i := range 40 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*300*time.Millisecond)
				defer cancel()

				if err := c.Get(ctx, "v1/logs", nil, discard); err == nil {
					t.Error("a request that is always refused succeeded")
				}
			})
		}

		all.Wait()
		refuse.Store(false)

		// The limit is back at its most after some answers, and all slots are free.
		for range 12 {
			if err := c.Get(t.Context(), "v1/logs", nil, discard); err != nil {
				t.Error(err)
			}

			for range 4 {
				all.Go(func() { _ = c.Get(t.Context(), "v1/logs", nil, discard) })
			}

			all.Wait()
		}

		begun := time.Now()

		for range 4 {
			all.Go(func() { _ = c.Get(t.Context(), "v1/logs", nil, discard) })
		}

		all.Wait()

		if took := time.Since(begun); took != time.Second {
			t.Errorf("four requests at a time took %v", took)
		}
	})
}
