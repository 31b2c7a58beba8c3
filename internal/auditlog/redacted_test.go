// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestFiltersOnRedactedFields: a filter that looks into several fields misses what
// one of them has lost.
func TestFiltersOnRedactedFields(t *testing.T) {
	t.Parallel()

	info := auditlog.Info{
		Title: "X's archive", NeverRecorded: []string{"origin"},
		Redacted: []string{"actor_id", "message"}, Operations: auditlog.Operations(),
	}

	if info.Records("actor_id") || info.Records("origin") || !info.Records("actor") {
		t.Error("a field that was redacted counts as recorded")
	}

	q := auditlog.Query{Actors: []string{"a"}, Origins: []string{"api"}, ResourceIDs: []string{"r"}, Search: "x"}

	var got []string
	for _, u := range q.Unanswerable(info) {
		got = append(got, u.Argument+": "+u.Reason)
	}

	if diff := cmp.Diff([]string{
		"actors: X's archive holds actor_id in redacted form, so the filter could miss what happened.",
		"origins: X's archive never records origin, so the filter would find nothing, whatever happened.",
		"search: X's archive holds message in redacted form, so the filter could miss what happened.",
	}, got); diff != "" {
		t.Error(diff)
	}

	if diff := cmp.Diff([]string{"actor", "actor_id", "ip_address", "message", "origin", "resource_id", "resource_name"},
		q.LooksInto()); diff != "" {
		t.Error(diff)
	}
}
