// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Where a part of an export is in place already, nobody is told that nothing was changed.
func TestHalfOfAnExportIsExplained(t *testing.T) {
	t.Parallel()

	cause := fmt.Errorf("%w: %w", durable.ErrInterrupted, fs.ErrPermission)
	err := &fs.PathError{Op: "commit", Path: "a.csv", Err: cause}

	const want = `The export stopped half-way; the next run finishes it: permission denied.

Path: a.csv

Apply again once the cause is removed.`

	if got := fileProblem(err, "Export audit logs").detail(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
