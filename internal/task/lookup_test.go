// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"
	"iter"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// shownLog is a service that yields entries.
type shownLog []auditlog.Entry

func (g shownLog) Info() auditlog.Info { return auditlog.Info{} }

func (g shownLog) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.Completeness{Window: q.Window}

	return auditlog.Select(q, g.Info(), c, auditlog.ProofTotal,
		func(yield func([]auditlog.Entry, error) bool) { yield(g, nil) })
}

func (g shownLog) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

// TestCountsAddUp has names that Terraform makes equal: as keys of a map, all but one
// of them would be lost.
func TestCountsAddUp(t *testing.T) {
	t.Parallel()

	names := []string{
		"zoe\u0308", "zo\u00eb", "zoe\u0308", "a\xff", "a\xfe", "a\ufffd", "\u212b", "\u00c5", "A\u030a",
		"K", "\u212a",
	}
	want := map[string]int64{"zo\u00eb": 3, "a\ufffd": 3, "\u00c5": 3, "K": 2}

	var log shownLog
	for _, name := range names {
		log = append(log, auditlog.Entry{
			ID: name, Action: name, Operation: auditlog.OperationOther, Actor: name,
			ResourceType: name,
		})
	}

	l := LookUp{Entries: true, MaxEntries: 100}

	found, err := l.read(t.Context(), log, auditlog.Query{Window: auditlog.Window{End: time.Unix(1, 0)}}, nil)
	if err != nil {
		t.Fatal(err)
	}

	for field, counts := range map[string]map[string]int64{
		"action": found.ByAction, "actor": found.ByActor,
		"resource type": found.ByResourceType,
	} {
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("by %s: %s", field, diff)
		}

		sum := int64(0)
		for n := range maps.Values(counts) {
			sum += n
		}

		if sum != found.Total {
			t.Errorf("by %s: the sum is %d, the total %d", field, sum, found.Total)
		}
	}

	// Rows are as the cloud recorded them.
	kept := map[string]bool{}
	for _, e := range found.Entries {
		kept[e.Actor] = true
	}

	if len(kept) != 10 {
		t.Errorf("the rows have %d different names", len(kept))
	}
}

// unproven is a log whose readings end without a proof.
type unproven struct{ shownLog }

func (u unproven) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	return func(func(auditlog.Entry, error) bool) { *c = auditlog.Completeness{Window: q.Window} }
}

// TestNothingIsFoundWithoutAProof: that nothing came is no answer by itself.
func TestNothingIsFoundWithoutAProof(t *testing.T) {
	t.Parallel()

	l := LookUp{MaxEntries: 1}
	if found, err := l.read(t.Context(), unproven{}, auditlog.Query{}, nil); found != nil ||
		!errors.Is(err, auditlog.ErrUnproven) {
		t.Errorf("got %v, %v", found, err)
	}
}
