// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// noon is when the tests' windows begin.
var noon = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

// theDay is a window of a day.
func theDay() auditlog.Query {
	return auditlog.Query{Window: auditlog.Window{Start: noon, End: noon.Add(24 * time.Hour)}}
}

// log is a service that yields entries in the order in which they are given.
type log struct {
	info     auditlog.Info
	entries  []auditlog.Entry
	unproven bool
	err      error
	// queries are those that were read.
	queries []auditlog.Query
}

// everything is a service of which nothing is known to be impossible.
func everything() auditlog.Info {
	return auditlog.Info{
		Name: auditlog.ServicePodStack, Title: "PodStack", Retention: 90 * 24 * time.Hour, Operations: auditlog.Operations(),
		UniqueActor: func(*auditlog.Entry) bool { return true },
	}
}

// newLog has entries in the order that every service promises.
func newLog(entries ...auditlog.Entry) *log {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	return &log{info: everything(), entries: entries}
}

func (l *log) Info() auditlog.Info { return l.info }

func (l *log) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (l *log) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, l.info.Retention, q.Window.End)
	asked := q
	asked.Unknown, asked.Conditions, asked.Needs = nil, nil, nil // How a reading is evaluated is not what it asks for.
	l.queries = append(l.queries, asked)

	proof := auditlog.ProofExports
	if l.unproven {
		proof = ""
	}

	return auditlog.Select(q, l.info, c, proof, func(yield func([]auditlog.Entry, error) bool) {
		if yield(slices.Clone(l.entries), nil) && l.err != nil {
			yield(nil, l.err)
		}
	})
}

// condition compiles one that is known to be right.
func condition(tb testing.TB, text string) auditlog.Condition {
	tb.Helper()

	c, err := where.Compile(text)
	if err != nil {
		tb.Fatal(err)
	}

	return c
}

// evaluate evaluates what must not fail.
func evaluate(tb testing.TB, s auditlog.Service, q auditlog.Query, o finding.Options) *finding.Result {
	tb.Helper()

	var c auditlog.Completeness

	r, err := finding.Evaluate(tb.Context(), s, q, o, &c)
	if err != nil {
		tb.Fatal(err)
	}

	if c.Proof == "" {
		tb.Error("the reading has no proof")
	}

	return r
}
