// SPDX-License-Identifier: MPL-2.0

package raceflag

import "flag"

// Shorten lets property tests draw fewer times where the race detector is on. It
// is for TestMain, before the tests run.
func Shorten() {
	if !Enabled {
		return
	}

	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err) // The package has no property test.
	}
}
