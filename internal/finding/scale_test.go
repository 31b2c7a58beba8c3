// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// endless is a log of any length that takes no memory. Every fifth entry is a
// deletion, every seventh a login, and twenty people take turns.
type endless struct {
	n     int
	every int // how many entries lie between two looks at the heap
	peak  uint64
}

func (s *endless) Info() auditlog.Info { return everything() }

func (s *endless) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (s *endless) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)

	operations := []auditlog.Operation{"update", "create", "start", "stop", "attach", "login_failed", "grant", "read"}
	step := q.Window.End.Sub(q.Window.Start) / time.Duration(s.n)

	return func(yield func(auditlog.Entry, error) bool) {
		for i := range s.n {
			// One in three was overtaken by a second.
			at := q.Window.Start.Add(time.Duration(i) * step)
			if i%3 == 0 && at.Add(-time.Second).After(q.Window.Start) {
				at = at.Add(-time.Second)
			}

			op := operations[i%len(operations)]

			switch {
			case i%5 == 0:
				op = auditlog.OperationDelete
			case i%7 == 0:
				op = auditlog.OperationLogin
			}

			if len(q.Operations) > 0 && !slices.Contains(q.Operations, op) {
				continue
			}

			e := auditlog.Entry{
				ID: fmt.Sprintf("01HQXYZ%019d", i), Time: at, Service: auditlog.ServicePodStack, Action: string(op), Operation: op,
				ActorType: auditlog.ActorUser, Actor: fmt.Sprint("user-", i%20), ResourceType: "server", ResourceID: fmt.Sprint(i),
				ResourceName: fmt.Sprint("web-", i),
				Origin:       "api", IPAddress: fmt.Sprintf("192.0.2.%d", i%250),
				Raw: fmt.Appendf(nil, `{"id":"%d","plan":"2xCPU-4GB","labels":["a","b"]}`, i),
			}

			if s.every > 0 && i%s.every == 0 {
				var m runtime.MemStats

				runtime.GC()
				runtime.ReadMemStats(&m)
				s.peak = max(s.peak, m.HeapAlloc)
			}

			if !yield(e, nil) {
				return
			}
		}

		c.RowsFetched, c.Proof = int64(s.n), auditlog.ProofExports
	}
}

// evaluateEndless holds every built-in rule and five in CEL against a month of n
// entries.
func evaluateEndless(tb testing.TB, s *endless) *finding.Result {
	tb.Helper()

	rules := []finding.Rule{
		{
			Condition: condition(tb, `entry.operation == "delete" && entry.actor != "ci"`), Threshold: 3,
			Within: new(time.Minute), GroupBy: []string{"actor"},
		},
		{Condition: condition(tb, `entry.resource_type == "server" && entry.resource_name.startsWith("prod-")`), Threshold: 1},
		{
			Condition: condition(tb, `ip_in(entry.ip_address, "192.0.2.0/28")`), Threshold: 5, Within: new(time.Hour),
			GroupBy: []string{"ip_address", "resource_type"},
		},
		{
			Condition: condition(tb, `entry.time.getHours() < 6 && entry.operation in ["grant", "revoke"]`), Threshold: 5,
			Within: new(24 * time.Hour), GroupBy: []string{"actor"},
		},
		{Condition: condition(tb, `entry.action.matches("^log(in|out)") && entry.actor.endsWith("-7")`), Threshold: 1000},
	}
	for i := range rules {
		rules[i].Name, rules[i].Severity = fmt.Sprint("own-", i), finding.SeverityLow
	}

	return evaluate(tb, s, auditlog.Query{Window: may}, finding.Options{
		Builtins: finding.BuiltinNames(), Rules: rules,
		Expected: []finding.Expectation{{Actors: []string{"user-1*"}, ResourceNames: []string{"web-*"}}},
	})
}

// TestMemoryStaysFlat compares a reading with one of ten times as many entries,
// among them bursts that last the whole month.
func TestMemoryStaysFlat(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	short, long := &endless{n: 100_000, every: 10_000}, &endless{n: 1_000_000, every: 50_000}
	a, b := evaluateEndless(t, short), evaluateEndless(t, long)

	t.Logf("heap peak %.1f MiB with 100,000 entries (%d findings), %.1f MiB with 1,000,000 (%d findings)",
		float64(short.peak)/(1<<20), a.TotalCount, float64(long.peak)/(1<<20), b.TotalCount)

	if long.peak > short.peak+8<<20 {
		t.Errorf("the heap grew from %d MiB to %d MiB", short.peak>>20, long.peak>>20)
	}

	if b.EntryCount != 1_000_000 || b.CountsByRule["mass_deletion"] == 0 || b.CountsByRule["own-2"] == 0 {
		t.Errorf("got %+v", b.CountsByRule)
	}
}

// BenchmarkMillion reads 1,000,000 entries against every built-in rule and five
// in CEL. What making the entries takes is measured apart.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000

	rate := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	}

	b.Run("evaluate", func(b *testing.B) {
		for b.Loop() {
			s := &endless{n: n, every: 100_000}
			evaluateEndless(b, s)
			b.ReportMetric(float64(s.peak)/(1<<20), "heap-MiB")
		}

		rate(b)
	})

	b.Run("entries alone", func(b *testing.B) {
		for b.Loop() {
			var c auditlog.Completeness
			for _, err := range (&endless{n: n}).Read(b.Context(), auditlog.Query{Window: may}, &c) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}

		rate(b)
	})
}
