// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// noon is when the tests' windows begin.
var noon = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

// theMonth is a window of a month.
func theMonth() auditlog.Query {
	return auditlog.Query{Window: auditlog.Window{Start: noon, End: noon.Add(30 * 24 * time.Hour)}}
}

// log is a service that yields entries in the order in which they are given.
type log struct {
	info    auditlog.Info
	entries iter.Seq[auditlog.Entry]
	gaps    []auditlog.Window
}

func infoOf(tb testing.TB, service string) auditlog.Info {
	tb.Helper()

	all := map[string]auditlog.Info{
		auditlog.ServiceUpCloud: upcloud.Info(), auditlog.ServiceCloudscale: cloudscale.Info(),
		auditlog.ServicePodStack: podstack.Info(),
	}
	info := all[service]
	info.Retention = 180 * 24 * time.Hour

	return info
}

func newLog(tb testing.TB, service string, entries ...auditlog.Entry) *log {
	tb.Helper()

	return &log{info: infoOf(tb, service), entries: slices.Values(entries)}
}

func (l *log) Info() auditlog.Info { return l.info }

func (l *log) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (l *log) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, l.info.Retention, q.Window.End)
	c.Gaps = l.gaps

	return auditlog.Select(q, l.info, c, auditlog.ProofTotal, func(yield func([]auditlog.Entry, error) bool) {
		for e := range l.entries {
			if !yield([]auditlog.Entry{e}, nil) {
				return
			}
		}
	})
}

// compare holds resources against a log.
func compare(tb testing.TB, l *log, o drift.Options) *drift.Result {
	tb.Helper()

	if o.AsOf.IsZero() {
		o.AsOf = theMonth().Window.End
	}

	result, err := drift.Compare(tb.Context(), l, theMonth(), o)
	if err != nil {
		tb.Fatal(err)
	}

	return result
}

// inventory reads a file that Terraform made.
func inventory(tb testing.TB, name string) *drift.Inventory {
	tb.Helper()

	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}

	defer func() { _ = f.Close() }()

	read, err := drift.Read(f)
	if err != nil {
		tb.Fatal(err)
	}

	return read
}
