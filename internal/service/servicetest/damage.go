// SPDX-License-Identifier: MPL-2.0

package servicetest

import (
	"iter"
	"math/rand/v2"
	"slices"
)

// Damaged yields what becomes of a page at n places, each time in four ways: a byte is
// lost, the rest is cut off, any byte is put in, or one that means something in JSON takes
// the place of another.
func Damaged(page []byte, n int, random *rand.Rand) iter.Seq[[]byte] {
	const signs = "\"\\{}[],: \n0nt\xff"

	return func(yield func([]byte) bool) {
		for range n {
			at, char := random.IntN(len(page)), byte(random.IntN(256)) //nolint:gosec // It is below 256.

			for _, damaged := range [][]byte{
				slices.Concat(page[:at], page[at+1:]),
				page[:at:at],
				slices.Concat(page[:at], []byte{char}, page[at:]),
				slices.Concat(page[:at], []byte{signs[random.IntN(len(signs))]}, page[at+1:]),
			} {
				if !yield(damaged) {
					return
				}
			}
		}
	}
}
