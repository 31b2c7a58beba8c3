// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestEntriesAreReadAhead also looks that nothing is read any more when the sequence has
// ended, whoever ended it: the race detector would see it touch what it counts.
func TestEntriesAreReadAhead(t *testing.T) {
	t.Parallel()

	ctx, broken := t.Context(), errors.New("broken")

	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 1000).Draw(t, "count")
		stop := rapid.IntRange(0, 1200).Draw(t, "stop")
		fails := rapid.Bool().Draw(t, "fails")
		ended := false

		var source iter.Seq2[auditlog.Entry, error] = func(yield func(auditlog.Entry, error) bool) {
			defer func() { ended = true }()

			for i := range count {
				if !yield(auditlog.Entry{ID: fmt.Sprint(i)}, nil) {
					return
				}
			}

			if fails {
				yield(auditlog.Entry{}, broken)
			}
		}

		var (
			got  []string
			last error
		)

		for e, err := range auditlog.Ahead(ctx, source) {
			if last = err; err == nil {
				got = append(got, e.ID)
			}

			if len(got) == stop {
				break
			}
		}

		if !ended {
			t.Fatal("the source is still being read")
		}

		want := min(count, max(stop, 1))
		if stop == 0 {
			want = count
		}

		if len(got) != want {
			t.Fatalf("got %d entries of %d, stopping at %d", len(got), count, stop)
		}

		for i, id := range got {
			if id != fmt.Sprint(i) {
				t.Fatalf("entry %d is %s", i, id)
			}
		}

		if toTheEnd := stop == 0 || stop > count; errors.Is(last, broken) != (fails && toTheEnd) {
			t.Fatalf("ended with %v", last)
		}
	})
}

// TestNobodyWaitsForMoreThanIsUnderWay: whoever stops early, such as for a full disk, waits
// for one entry at most, also where they come far apart.
func TestNobodyWaitsForMoreThanIsUnderWay(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var stopped time.Time

		for _, err := range auditlog.Ahead(t.Context(), func(yield func(auditlog.Entry, error) bool) {
			for yield(auditlog.Entry{}, nil) {
				time.Sleep(time.Minute)
			}
		}) {
			if stopped = time.Now(); err != nil {
				t.Error(err)
			}

			break
		}

		if waited := time.Since(stopped); waited > time.Minute {
			t.Errorf("waited %s", waited)
		}
	})
}
