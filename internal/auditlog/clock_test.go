// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestHeedDrawsTheEndBack: to what had settled by the earliest time of all
// answers, never forward, and the start stays.
func TestHeedDrawsTheEndBack(t *testing.T) {
	t.Parallel()

	noon := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) *auditlog.ServiceClock {
		return &auditlog.ServiceClock{
			Now:  noon.Add(time.Duration(seconds) * time.Second),
			Skew: time.Duration(seconds) * time.Second,
		}
	}

	for name, tt := range map[string]struct {
		clocks []*auditlog.ServiceClock
		settle time.Duration
		end    time.Duration
		skew   *time.Duration
	}{
		"no clock":            {[]*auditlog.ServiceClock{nil, nil}, time.Minute, 0, nil},
		"ahead":               {[]*auditlog.ServiceClock{at(40)}, 0, 0, new(40 * time.Second)},
		"behind":              {[]*auditlog.ServiceClock{at(-40)}, 0, -40 * time.Second, new(-40 * time.Second)},
		"ahead, with a delay": {[]*auditlog.ServiceClock{at(40)}, time.Minute, -20 * time.Second, new(40 * time.Second)},
		"the earliest of all": {
			[]*auditlog.ServiceClock{at(3), at(-7), nil, at(5)},
			0, -7 * time.Second,
			new(-7 * time.Second),
		},
		"the largest skew": {
			[]*auditlog.ServiceClock{at(3), at(-7), at(9), at(0)},
			0, -7 * time.Second,
			new(9 * time.Second),
		},
		"one that agrees": {[]*auditlog.ServiceClock{at(0)}, 0, 0, new(time.Duration)},
		"none after one":  {[]*auditlog.ServiceClock{at(-2), nil}, 0, -2 * time.Second, new(-2 * time.Second)},
		"a year ago, all empty": {
			[]*auditlog.ServiceClock{at(-31_536_000)},
			0, -31_536_000 * time.Second,
			new(-31_536_000 * time.Second),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := auditlog.Window{Start: noon.Add(-25 * time.Hour), End: noon}
			c := auditlog.NewCompleteness(w, time.Hour, noon)

			for _, clock := range tt.clocks {
				c.Heed(clock, tt.settle)
			}

			if !c.Window.Start.Equal(w.Start) || !c.Window.End.Equal(noon.Add(tt.end)) {
				t.Errorf("the window is %s", c.Window)
			}

			if (c.ClockSkew == nil) != (tt.skew == nil) || (tt.skew != nil && *c.ClockSkew != *tt.skew) {
				t.Errorf("the skew is %v, want %v", c.ClockSkew, tt.skew)
			}
		})
	}
}

// TestHeedGoesByTheServicesRetention: what the service has dropped by its own clock
// is gone, whatever ours shows.
func TestHeedGoesByTheServicesRetention(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

	for ahead, beyond := range map[time.Duration]bool{
		-time.Hour: false, 0: false, 30 * time.Second: false,
		time.Hour: true,
	} {
		c := auditlog.NewCompleteness(auditlog.Window{Start: now.Add(-24 * time.Hour), End: now}, 24*time.Hour, now)

		if c.Heed(&auditlog.ServiceClock{Now: now.Add(ahead), Skew: ahead}, 0); c.BeyondRetention != beyond {
			t.Errorf("%s ahead: %t", ahead, c.BeyondRetention)
		}
	}
}

// TestSelectGoesByTheWindowThatWasRead: what is behind its end is no answer, one
// without any length is no proof, and no answer may be older than what was yielded.
func TestSelectGoesByTheWindowThatWasRead(t *testing.T) {
	t.Parallel()

	noon := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	w := auditlog.Window{Start: noon.Add(-time.Hour), End: noon}

	for name, tt := range map[string]struct {
		// nows are what each page shows of the service's clock, minutes before noon;
		// each holds an entry ten, five and one minute before noon.
		nows  []int
		found int
		err   error
	}{
		"in time":                        {[]int{0, 0}, 6, nil},
		"behind":                         {[]int{2, 2}, 4, nil},
		"then further behind":            {[]int{4, 6}, 3, auditlog.ErrClockWentBack},
		"further behind what was read":   {[]int{6, 8}, 2, nil},
		"the newest is right at the end": {[]int{4, 5}, 3, auditlog.ErrClockWentBack},
		"nothing has happened by then":   {[]int{60}, 0, auditlog.ErrWindowNotSettled},
		"long before":                    {[]int{600}, 0, auditlog.ErrWindowNotSettled},
		"no page at all":                 {nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := auditlog.NewCompleteness(w, time.Hour, noon)

			var pages iter.Seq2[[]auditlog.Entry, error] = func(yield func([]auditlog.Entry, error) bool) {
				for _, minutes := range tt.nows {
					c.Heed(&auditlog.ServiceClock{Now: noon.Add(-time.Duration(minutes) * time.Minute)}, 0)

					var page []auditlog.Entry
					for _, before := range []time.Duration{10 * time.Minute, 5 * time.Minute, time.Minute} {
						page = append(page, auditlog.Entry{Time: noon.Add(-before)})
					}

					if !yield(page, nil) {
						return
					}
				}
			}

			var (
				found int
				last  error
			)

			for _, err := range auditlog.Select(auditlog.Query{Window: w}, auditlog.Info{}, &c, auditlog.ProofCursor, pages) {
				if last = err; err == nil {
					found++
				}
			}

			if !errors.Is(last, tt.err) || found != tt.found {
				t.Errorf("%d found, then %v; want %d, %v", found, last, tt.found, tt.err)
			}

			if (c.Proof == "") != (tt.err != nil) || int64(3*len(tt.nows)-found) != c.RowsFilteredOut {
				t.Errorf("proof %q, %d filtered out", c.Proof, c.RowsFilteredOut)
			}
		})
	}
}
