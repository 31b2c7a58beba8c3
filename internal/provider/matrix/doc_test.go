// SPDX-License-Identifier: MPL-2.0

// Package matrix lets every fault that a service can have strike every type of the
// provider that reads, with every place that entries go to.
//
// Two outcomes are allowed. Either what comes out is what comes out without the
// fault, or there is an error and what was kept before is as it was. The table
// test goes through all of it one by one, the soak test at random.
//
// The provider runs within the test and is spoken to as Terraform does. Nothing
// depends on how fast the machine is: a fault that hangs is cut off by a short
// request_timeout, and an answer that came too late is an error like any other.
package matrix

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when something still runs after the tests: a reading that was
// given up and goes on holds a connection, a file or a lock.
func TestMain(m *testing.M) {
	debug.SetGCPercent(200) // Logs are small and live for a moment.

	code := m.Run()

	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "the tests left goroutines behind:", err)

		code = 1
	}

	os.Exit(code)
}
