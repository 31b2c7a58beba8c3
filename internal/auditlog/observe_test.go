// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"context"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// texts is a service whose entries have the texts as their values.
type texts []string

func (texts) Info() auditlog.Info { return auditlog.Info{} }

func (s texts) Read(_ context.Context, _ auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for _, text := range s {
			if !yield(auditlog.Entry{Action: text, Operation: auditlog.OperationOther, Origin: text, ResourceType: text}, nil) {
				return
			}
		}

		c.Proof = auditlog.ProofCursor
	}
}

func (s texts) FilterOptions(ctx context.Context, q auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.Observe(ctx, s, q.Window)
}

// TestObserveInNFC: a value that Terraform makes equal to another is one.
func TestObserveInNFC(t *testing.T) {
	t.Parallel()

	got, err := auditlog.Observe(t.Context(), texts{decomposed, composed, "x"}, auditlog.Window{})
	if err != nil {
		t.Fatal(err)
	}

	values := []string{"x", composed}
	want := auditlog.FilterOptions{
		Actions: values, Operations: []string{"other"}, Origins: values, ResourceTypes: values,
		OriginOfValues: auditlog.FromLog,
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
