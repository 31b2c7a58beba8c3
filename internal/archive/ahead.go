// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"iter"
	"sync"
)

// ahead calls read for 0 to n-1, up to depth of them at the same time, and yields
// what they return in order. No more than depth results are held at once. It goes on
// after an error, as long as the caller does.
func ahead[T any](
	ctx context.Context, n, depth int, read func(ctx context.Context, i int) (T, error),
) iter.Seq2[T, error] {
	type result struct {
		value T
		err   error
	}

	return func(yield func(T, error) bool) {
		var workers sync.WaitGroup
		defer workers.Wait()

		ctx, cancel := context.WithCancel(ctx)
		defer cancel()

		results := make([]chan result, depth)

		begin := func(i int) {
			if i >= n {
				return
			}

			to := make(chan result, 1)
			results[i%depth] = to

			workers.Go(func() {
				value, err := read(ctx, i)
				to <- result{value, err}
			})
		}

		for i := range min(n, depth) {
			begin(i)
		}

		for i := range n {
			r := <-results[i%depth]
			begin(i + depth)

			if !yield(r.value, r.err) {
				return
			}
		}
	}
}
