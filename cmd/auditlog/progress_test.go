// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestATerminalShowsLongWorkOnOneLine, which is gone when the work is done. Elsewhere there is a line a minute.
func TestATerminalShowsLongWorkOnOneLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		talks       bool
		took        time.Duration
		want, never string
		lines       int
	}{
		"a terminal":             {true, 5 * time.Second, "50.00%", "records", 0},
		"a terminal, short work": {true, time.Second / 2, "", "%", 0},
		"a file":                 {false, 150 * time.Second, "Reading: 3,000 records of 6,000 (50 %), 50 a second.\n", "\x1b", 2},
		"a file, short work":     {false, 50 * time.Second, "", "Reading", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				env := testEnvironment(&out, &out, time.Now)
				env.talks = tc.talks
				env.watch(t.Context(), "Reading", func(ctx context.Context) {
					auditlog.ProgressOf(ctx).ReadOf(3000, 6000)
					time.Sleep(tc.took)
				})
				got := out.String()
				if !strings.Contains(got, tc.want) || strings.Contains(got, tc.never) {
					t.Errorf("%q", got)
				}
				if !tc.talks && strings.Count(got, "\n") != tc.lines {
					t.Errorf("%q", got)
				}
				// Every line but the last is moved back over, and that one is taken away.
				up := text.CursorUp.Sprint() + text.EraseLine.Sprint()
				if tc.talks && (strings.Count(got, "\n") != strings.Count(got, up) || got != "" && !strings.HasSuffix(got, up)) {
					t.Errorf("%q", got)
				}
			})
		})
	}
}
