// SPDX-License-Identifier: MPL-2.0

package query

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestClockWarnings: a difference that only a raised limit allows, and an end that
// was asked for and not reached by the service's clock, are named.
func TestClockWarnings(t *testing.T) {
	t.Parallel()

	noon := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	asked := auditlog.Window{Start: noon.Add(-time.Hour), End: noon}
	read := auditlog.Window{Start: asked.Start, End: noon.Add(-30 * time.Second)}

	const tooEarly = `Warning: The window ends earlier than asked for

The newest entries are left out, since they have not happened yet or the service may still be filling them in.

end: 2026-06-30T12:00:00Z
Read until: 2026-06-30T11:59:30.000000Z
settle_delay: 1m0s

Read again later, or lower settle_delay; what lies between the two moments was not read.

`

	differ := func(cause, difference, window string) string {
		return `Warning: This machine's clock and the service's differ

` + cause + `

Service: upcloud
Difference: ` + difference + `
Window: ` + window + `

Set the clock that is wrong, such as by NTP; max_clock_skew in the provider configuration says how far they may be apart.

`
	}

	for name, tt := range map[string]struct {
		end  string
		read auditlog.Window
		skew *time.Duration
		want string
	}{
		"no clock":                  {"", asked, nil, ""},
		"drawn back, but not asked": {"", read, new(time.Duration), ""},
		"drawn back":                {"2026-06-30T12:00:00Z", read, nil, tooEarly},
		"reached":                   {"2026-06-30T12:00:00Z", asked, new(time.Duration), ""},
		"resolve has said so":       {"2026-06-30T12:00:01Z", read, nil, ""},
		"a minute is the default":   {"", asked, new(-client.DefaultMaxClockSkew), ""},
		"behind": {"", asked, new(time.Hour), differ(
			"This machine's clock is behind the service's, so the newest entries may not have been asked for.", "1h0m0s", asked.String())},
		"ahead": {"", read, new(-61 * time.Second), differ(
			"This machine's clock is ahead of the service's, so the window ends at the service's time.", "1m1s", read.String())},
	} {
		m := Arguments{End: tt.end}

		var got strings.Builder
		for _, d := range m.ReadWarnings(upcloud.Info(), auditlog.Query{Window: asked, SettleDelay: time.Minute},
			auditlog.Completeness{Window: tt.read, ClockSkew: tt.skew}) {
			if !d.Warning {
				t.Errorf("%s: %s is an error", name, d.Summary)
			}

			fmt.Fprintf(&got, "Warning: %s\n\n%s\n\n", d.Summary, d.Detail())
		}

		if diff := cmp.Diff(tt.want, got.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
