// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestClockErrorsAreExplained: an old copy is not a wrong clock.
func TestClockErrorsAreExplained(t *testing.T) {
	t.Parallel()

	noon := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	in := Circumstances{
		Summary: "Look up audit logs", Info: upcloud.Info(),
		Window: auditlog.Window{Start: noon.Add(-time.Hour), End: noon},
	}

	const window = "[2026-06-30T11:00:00.000000Z, 2026-06-30T12:00:00.000000Z)"

	for want, err := range map[string]error{
		`The answer is an old copy that something on the way had kept, so the newest entries would be missing.

Service: upcloud
Request: GET /1.3/audit-logs
Status: 200 OK
Page: 2
Window: ` + window + `
Age: 1h0m0s
Service's clock: 2026-06-30T11:00:00.000000Z
This machine's clock: 2026-06-30T12:00:00.500000Z
Difference: 1h0m1s
max_clock_skew: 1m0s

Let no proxy keep the service's answers, then try again.`: &client.Error{
			Kind: client.KindClock, Method: client.Method, Path: "/1.3/audit-logs", Status: 200, Page: 2, Attempts: 1,
			Err: &client.ClockError{
				Service: noon.Add(-time.Hour), Machine: noon.Add(time.Second / 2), Limit: time.Minute,
				Age: time.Hour,
			},
		},
		`The service's clock went back while it was read.

Service: upcloud
Window: ` + window + `

Check the clock of this machine, and try again in a minute.`: auditlog.ErrClockWentBack,
	} {
		if diff := cmp.Diff(want, Error(err, in).Detail()); diff != "" {
			t.Error(diff)
		}

		if _, ok := reading(err, in); !ok {
			t.Errorf("%v is no error of a reading", err)
		}
	}
}

// TestEveryKindOfErrorIsExplained: no kind may fall through to "try again".
func TestEveryKindOfErrorIsExplained(t *testing.T) {
	t.Parallel()

	for _, kind := range []client.Kind{
		client.KindRequest, client.KindForeignOrigin, client.KindUnreachable, client.KindTLS, client.KindTimeout,
		client.KindDeadline,
		client.KindCanceled, client.KindRedirect, client.KindCredentials, client.KindForbidden, client.KindNotFound,
		client.KindRejected,
		client.KindRateLimited, client.KindServer, client.KindNotJSON, client.KindBrokenBody, client.KindTooLarge,
		client.KindShape,
		client.KindLoop, client.KindEndless, client.KindIncomplete, client.KindDisagreement,
		client.KindClock,
	} {
		cause, next := causeAndNext(&client.Error{Kind: kind, Err: context.Canceled}, cloudscale.Info())
		if next == "Try again." || !oneSentence.MatchString(cause.In(Terraform)) ||
			!oneSentence.MatchString(next.In(Terraform)) {
			t.Errorf("%s: %q %q", kind, cause, next)
		}
	}
}

var oneSentence = regexp.MustCompile(`^[A-Z][^\n]*[^.]\.$`)

// TestADeadlineIsExplained: everywhere that one can strike.
func TestADeadlineIsExplained(t *testing.T) {
	t.Parallel()

	last := &client.Error{Kind: client.KindRateLimited, Status: 429}
	stored := &durable.S3Error{
		Op: "list", Bucket: "evidence", Key: "audit/", Code: "SlowDown", Status: 503, Attempts: 4, Ended: true,
		Last: "the service is overloaded", Err: context.DeadlineExceeded,
	}

	const storedText = `The time for the whole operation ran out before the object storage had done what it was asked for.

Service: archive
Destination: s3://evidence/audit
Request: list s3://evidence/audit/
Status: 503 Service Unavailable
Code: SlowDown
Last error: the service is overloaded
Attempts: 4

Raise the value in the timeouts block, or ask for a shorter window.`

	in := Circumstances{Summary: "Read", Info: auditlog.Info{Name: auditlog.ServiceArchive}}

	for name, tt := range map[string]struct{ got, want string }{
		"a request that failed": {
			Error(&client.Error{
				Kind: client.KindDeadline, Method: "GET", Path: "/v1", Status: 429, RetryAfter: "60",
				Attempts: 1, Page: 3, Last: last, Err: context.DeadlineExceeded,
			}, Circumstances{}).Detail(),
			`The time for the whole operation ran out before the service answered a request that had failed before.

Request: GET /v1
Status: 429 Too Many Requests
Retry-After: 1m0s
Last error: The service kept asking to slow down.
Attempts: 1
Page: 3

Raise the value in the timeouts block, or ask for a shorter window.`,
		},
		"no answer": {
			Error(&client.Error{
				Kind: client.KindDeadline, Method: "GET", Path: "/v1", Attempts: 1,
				Err: context.DeadlineExceeded,
			}, Circumstances{}).Detail(),
			"The time for the whole operation ran out before the service had answered in full.\n\nRequest: GET /v1\nAttempts: 1\n\nRaise the value in the timeouts block, or ask for a shorter window.",
		},
		"no request": {
			Error(&client.Error{Kind: client.KindDeadline, Method: "GET", Path: "/v1", Err: context.DeadlineExceeded},
				Circumstances{}).Detail(),
			"The time for the whole operation ran out before the next request could be made.\n\nRequest: GET /v1\n\nRaise the value in the timeouts block, or ask for a shorter window.",
		},
		"an archive that is read": {Error(&archive.ReadError{Destination: "s3://evidence/audit", Err: stored},
			in).Detail(), storedText},
		"an archive that is written": {Archive(stored, "s3://evidence/audit", in.Info).Detail(), storedText},
		"an export": {Export(fmt.Errorf("write: %w", context.DeadlineExceeded), auditlog.Info{},
			auditlog.Window{}).Detail(), "The time for the whole operation ran out.\n\nRaise the value in the timeouts block, or ask for a shorter window."},
		"a disk": {
			Error(context.DeadlineExceeded, Circumstances{}).Detail(),
			"The time for the whole operation ran out.\n\nRaise the value in the timeouts block, or ask for a shorter window.",
		},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, tt.got, tt.want)
		}
	}

	// One attempt took too long, and the operation had time left.
	late := &durable.S3Error{Op: "list", Bucket: "evidence", Attempts: 4, Err: context.DeadlineExceeded}
	if got := Archive(late, "s3://evidence", in.Info).Detail(); strings.Contains(got, "whole operation") ||
		!strings.HasPrefix(got, "List s3://evidence: no answer in time (4 attempts).") {
		t.Errorf("got %s", got)
	}
}

// TestEndpointOfAnotherCloud: an endpoint that is usual for one cloud is not for another.
func TestEndpointOfAnotherCloud(t *testing.T) {
	t.Parallel()

	for service, usual := range map[string]string{
		auditlog.ServiceUpCloud: upcloud.DefaultEndpoint, auditlog.ServiceCloudscale: cloudscale.DefaultEndpoint,
	} {
		for _, endpoint := range []string{"", upcloud.DefaultEndpoint, cloudscale.DefaultEndpoint} {
			want := ""
			if endpoint != usual {
				want = endpoint
			}

			info := auditlog.Info{Name: service, Source: auditlog.Source{Endpoint: endpoint}}
			archived := auditlog.Info{Name: auditlog.ServiceArchive, ArchivedFrom: service, Source: info.Source}

			for _, info := range []auditlog.Info{info, archived} {
				if got := OtherEndpoint(info); got != want {
					t.Errorf("%s at %q: got %q, want %q", info.Cloud(), endpoint, got, want)
				}
			}
		}
	}
}

// TestAnotherLogIsSaidOfWhatHoldsIt: what an archive or an export is of is another matter than logs that are read
// together.
func TestAnotherLogIsSaidOfWhatHoldsIt(t *testing.T) {
	t.Parallel()

	other := &auditlog.SourceError{
		Known: auditlog.Source{Service: "upcloud", Account: "a"}, Found: auditlog.Source{Service: "upcloud", Account: "b"},
	}

	for what, p := range map[string]Problem{
		"archive":  Archive(other, "s3://evidence", upcloud.Info()),
		"export":   Export(other, upcloud.Info(), auditlog.Window{}),
		"together": Reading(other, Circumstances{Info: upcloud.Info()}),
	} {
		if got := strings.Contains(p.Detail(), "read together"); got != (what == "together") {
			t.Errorf("%s: %s", what, p.Detail())
		}
	}
}
