// SPDX-License-Identifier: MPL-2.0

package explain_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
)

func TestFollowing(t *testing.T) {
	t.Parallel()

	gap := follow.Gap{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	refused := &sink.Error{Place: "otlp+https://c:4318", Temporary: true, Err: syscall.ECONNREFUSED}

	for _, c := range []struct {
		err     error
		at      string
		warning bool
		want    string
	}{
		{&follow.GapError{Gap: gap}, "accept_gap", false, `Entries are missing that cloudscale has dropped before they were passed on.

Service: cloudscale
Missing: [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)

Find out why nothing was passed on in time; to go on all the same, set --accept-gap, and the state will remember what is missing.`},
		{&follow.GapError{Gap: gap, Accepted: true}, "", true, `A part of the log is given up, of which the stream has nothing.

Service: cloudscale
Missing: [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)

The state remembers it; look elsewhere for what happened then.`},
		{&follow.OpenGapsError{Gaps: []auditlog.Window{{Start: gap.From, End: gap.To}}}, "", true, `The exports leave gaps, and what happened in them is not known.

Service: cloudscale
Gap: [2026-01-01T00:00:00.000000Z, 2026-01-02T00:00:00.000000Z)

Add exports that fill them: their entries are passed on then. To give the gaps up, set --accept-gap.`},
		{&follow.WaitError{Wait: 90 * time.Second, Err: refused}, "to", true, `Connection refused.

Service: cloudscale
To: otlp+https://c:4318
Next attempt in: 1m30s

Nothing has to be done if it is over soon: everything waits, and nothing is lost.`},
		{&follow.WaitError{Wait: time.Second, Err: &sink.Error{
			Place: "syslog+tls://c:6514", Temporary: true,
			Err: fmt.Errorf("connect: %w", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}),
		}}, "to", true, `The receiver cannot be reached: dial tcp: connection refused.

Service: cloudscale
To: syslog+tls://c:6514
Next attempt in: 1s

Nothing has to be done if it is over soon: everything waits, and nothing is lost.`},
		{errors.Join(refused, errors.New("and more")), "to", false, `Connection refused.

Service: cloudscale
To: otlp+https://c:4318

Nothing is lost: the next start goes on where this one has stopped.`},
		{&sink.Error{Place: "otlp+https://c:4318", Err: &sink.RejectedError{Records: 2, Message: "too\nold"}}, "to", false, `The collector has rejected records, although it answered that all is well.

Service: cloudscale
To: otlp+https://c:4318
Rejected: 2
Message: too\nold

Find out in the collector's log why; until then nothing more is passed on, and nothing is lost.`},
		{&sink.Error{Place: "x", State: true, Err: &fs.PathError{Op: "lock", Path: "x.lock", Err: durable.ErrLocked}}, "state", false, `Another stream is at work with the same state.

Service: cloudscale
State: x

Give each stream a --state or a directory of its own, or stop the other one.`},
		{&sink.Error{Place: "file:x", Err: &fs.PathError{Op: "write", Path: "x/auditlog", Err: syscall.ENOSPC}}, "to", false, `No space left on device.

Service: cloudscale
To: file:x
Path: x/auditlog

Nothing is lost: the next start goes on where this one has stopped.`},
		{&follow.StateError{Reason: "It is the state of another query.", Known: "no filter", Found: `search = ["{x}"]`}, "state", false, `The state cannot be gone on from. It is the state of another query.

Service: cloudscale
State of: no filter
Asked for: search = ["{x}"]

Ask for the same as before, or give another --state; nothing was passed on.`},
		{&auditlog.SourceError{
			Known: auditlog.Source{Service: "cloudscale", Account: "a"},
			Found: auditlog.Source{Service: "cloudscale", Account: "b"},
		}, "state", false, `The state is of another log than the one that is read now.

Kept so far: cloudscale, account "a"
Read now: cloudscale, account "b"

Use credentials of the same account as before, or keep this log elsewhere: nothing was changed; if both are one account, say so with --cloudscale-account=a.`},
		{fmt.Errorf("%w: it covers until x", follow.ErrFuture), "state", false, `The place to go on from lies in the future of this machine's clock: it covers until x.

Service: cloudscale

Set the clock of this machine; if it was wrong when the state was written, begin anew with --since and another --state.`},
		{follow.ErrStopped, "", false, `The stream was stopped before it had reached the end of the log.

Service: cloudscale

Nothing is lost: the next start goes on where this one has stopped.`},
	} {
		p := explain.Following(c.err, cloudscale.Info())

		if diff := cmp.Diff(c.want, p.In(explain.Flags)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.err, diff)
		}

		at := ""
		if len(p.Place) > 0 {
			at = fmt.Sprint(p.Place[0])
		}

		if at != c.at || p.Warning != c.warning || p.Summary != "Follow audit logs" {
			t.Errorf("%v: at %q, warning %v, %q", c.err, at, p.Warning, p.Summary)
		}
	}
}
