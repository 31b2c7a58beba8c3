// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"os"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

func TestMain(m *testing.M) {
	// The race detector slows property tests; make simulate runs them in full.
	raceflag.Shorten()
	os.Exit(m.Run())
}
