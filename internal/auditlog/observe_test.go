// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestObserveInNFC: a value that Terraform makes equal to another is one.
func TestObserveInNFC(t *testing.T) {
	t.Parallel()

	got, err := auditlog.Observe(func(yield func(auditlog.Entry, error) bool) {
		for _, text := range []string{decomposed, composed, "x"} {
			if !yield(auditlog.Entry{Action: text, Operation: auditlog.OperationOther, Origin: text, ResourceType: text}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}

	texts := []string{"x", composed}
	want := auditlog.FilterOptions{Actions: texts, Operations: []string{"other"}, Origins: texts, ResourceTypes: texts, OriginOfValues: auditlog.FromLog}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
