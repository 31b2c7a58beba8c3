// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A page is what a look at every row finds, in whatever order the times are, and however the log has changed since the
// page before.
func TestCloudscalePageLooksAtNoMoreThanItHasTo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var log cloudscaleLog
		moment := rapid.Int64Range(0, 30)
		bound := rapid.OneOf(moment, rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				log.insert(CloudscaleRecord{Timestamp: time.Unix(0, moment.Draw(rt, "time"))})
			case 2:
				if n := len(log.rows); n > 0 {
					at := rapid.IntRange(0, n-1).Draw(rt, "removed")
					log.rows = slices.Delete(log.rows, at, at+1)
					log.changed()
				}
			}
			from, size := rapid.IntRange(0, len(log.rows)).Draw(rt, "from"), rapid.IntRange(1, 5).Draw(rt, "size")
			start, end := bound.Draw(rt, "start"), bound.Draw(rt, "end")
			var want []int64
			for _, row := range log.rows[from:] {
				if row.nano >= start && row.nano < end {
					want = append(want, row.id)
				}
			}
			more := len(want) > size
			rows, gotMore := log.page(from, size, start, end)
			var got []int64
			for _, row := range rows {
				got = append(got, row.id)
			}
			if !slices.Equal(got, want[:min(size, len(want))]) || gotMore != more {
				rt.Fatalf("rows %v, more %v; want %v, %v", got, gotMore, want, more)
			}
		}
	})
}
