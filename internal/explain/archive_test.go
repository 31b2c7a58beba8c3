// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// TestArchiveErrorsAreExplained compares whole texts, with and without a window.
func TestArchiveErrorsAreExplained(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a filter": {&archive.UnanswerableError{Filters: []*auditlog.UnanswerableError{{Argument: "actors", Index: -1, Reason: "X holds actor in redacted form."}}}, `X holds actor in redacted form.

Service: archive
Destination: evidence

Remove the filter, or ask for a window that can answer it.`},
		"credentials": {fmt.Errorf("list: %w", &durable.CredentialsError{}), `No credentials were found for the bucket.

Service: archive
Destination: evidence

Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.`},
		"another service": {fmt.Errorf("%w: an archive of aws", archive.ErrForeign), `The destination holds something else: an archive of aws.

Service: archive
Destination: evidence

Read it with a newer version, which knows this service.`},
		"no time left": {fmt.Errorf("read: %w", context.DeadlineExceeded), `The time for the whole operation ran out.

Service: archive
Destination: evidence

Raise the value in the timeouts block, or ask for a shorter window.`},
		"cancelled": {context.Canceled, `The operation was cancelled.

Service: archive
Destination: evidence

Nothing was changed; run it again.`},
		"no permission": {&fs.PathError{Op: "read", Path: "checkpoint", Err: fs.ErrPermission}, `Read checkpoint: permission denied.

Service: archive
Destination: evidence

Grant read access to the destination.`},
		"something else": {errors.New("the disk is on fire"), `The disk is on fire.

Service: archive
Destination: evidence

Nothing of the archive was used; try again once the cause is removed.`},
	} {
		err := fmt.Errorf("wrapped: %w", &archive.ReadError{Destination: "evidence", Err: tt.err})

		p := Error(err, Circumstances{Summary: "Read the archive", Info: auditlog.Info{Name: auditlog.ServiceArchive}})
		if diff := cmp.Diff(tt.want, p.Detail()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestWarningsOfArchives: what an archive does not hold, and what it waits for.
func TestWarningsOfArchives(t *testing.T) {
	t.Parallel()

	day := func(n int) time.Time { return time.Date(2026, 6, n, 0, 0, 0, 0, time.UTC) }
	info := auditlog.Info{Name: auditlog.ServiceArchive, Title: "PodStack's archive"}
	c := auditlog.Completeness{
		Window: auditlog.Window{Start: day(1), End: day(9)}, Gaps: []auditlog.Window{{Start: day(1), End: day(2)}},
		Caveats: []string{"The archive keeps only entries with operations = [\"delete\"]; whatever else happened is not in it."},
	}

	var got strings.Builder
	for _, d := range append(Completeness(info, c),
		OpenGaps(auditlog.Info{Name: "podstack", Title: "PodStack"}, c.Gaps, archive.Head{Sequence: 7})...) {
		fmt.Fprintf(&got, "%s: %s\n\n%s\n\n", severity(d), d.Summary, d.Detail())
	}

	if diff := cmp.Diff(`Warning: The window is not covered throughout

There are parts of the window that PodStack's archive holds nothing about, so what happened there is not known.

Service: archive
Window: [2026-06-01T00:00:00.000000Z, 2026-06-09T00:00:00.000000Z)
Gap: [2026-06-01T00:00:00.000000Z, 2026-06-02T00:00:00.000000Z)

Apply the archive if it can still reach further, or ask for a window that it covers; to make gaps fail, let a postcondition look at completeness.gaps.

Warning: The archive does not hold everything that happened

That nothing is found in PodStack's archive does not mean that nothing happened.

Service: archive
Window: [2026-06-01T00:00:00.000000Z, 2026-06-09T00:00:00.000000Z)
Caveat: The archive keeps only entries with operations = ["delete"]; whatever else happened is not in it.

Take it into account; to make it fail, let a postcondition look at completeness.caveats.

Warning: The archive waits for missing exports

There are gaps between the exports of PodStack: what lies behind the first is archived as far as it is known, but counts as covered only when the gap is filled.

Service: podstack
Gap: [2026-06-01T00:00:00.000000Z, 2026-06-02T00:00:00.000000Z)

Add exports of these times; to give up the first, set accept_gap_after = 7.

`, got.String()); diff != "" {
		t.Error(diff)
	}
}
