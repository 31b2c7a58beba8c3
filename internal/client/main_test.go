// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a request that was given up still runs after the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
