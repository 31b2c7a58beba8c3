// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/report"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// begin is a Wednesday.
var begin = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

// generated are n entries over the days, as a company of a few people and its programs
// would make them. The same n and days give the same entries.
func generated(n, days int) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		step := time.Duration(days) * 24 * time.Hour / time.Duration(n)

		for i := range n {
			at := begin.Add(time.Duration(i)*step + time.Duration(random.Int64N(int64(step))))
			if !yield(generatedEntry(random, i, at.Truncate(time.Microsecond)), nil) {
				return
			}
		}
	}
}

func generatedEntry(random *rand.Rand, i int, at time.Time) auditlog.Entry {
	pick := func(texts string) string {
		all := strings.Fields(texts)

		return all[random.IntN(len(all))]
	}

	e := auditlog.Entry{
		ID: fmt.Sprintf("01K%023d", i), Time: at, Service: auditlog.ServiceUpCloud, Origin: "api",
		ActorType: auditlog.ActorAPIToken, Actor: pick("ci-deploy terraform ci-deploy backup"),
		ResourceType: pick("server storage server load_balancer server database network"),
		IPAddress:    fmt.Sprintf("198.51.100.%d", random.IntN(30)), UserAgent: "terraform/1.15",
	}
	e.ActorID = fmt.Sprintf("%08x-0000-4000-8000-000000000000", len(e.Actor)*7919)

	// People work in the day, from Monday to Friday; programs always.
	weekend := at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
	if h := at.Hour(); h >= 7 && h < 18 && !weekend && random.IntN(3) > 0 {
		e.ActorType, e.ActorID, e.Origin, e.UserAgent = auditlog.ActorUser, "", "gui", "Mozilla/5.0"
		e.Actor = pick("anna.keller@example.com ben@example.com chiara.rossi@example.com dmitri@example.com")
	} else if random.IntN(40) == 0 {
		e.ActorType, e.ActorID, e.Actor, e.IPAddress = auditlog.ActorStaff, "", "support", ""
	}

	e.ResourceID = fmt.Sprintf("00%06x-1111-4000-8000-%012x", random.IntN(1<<24), i)
	e.ResourceName = fmt.Sprintf("%s-%02d", pick("web db cache worker"), random.IntN(20))

	switch op := random.IntN(100); {
	case op < 30:
		e.Operation = auditlog.OperationUpdate
		before, after := `"2xCPU-4GB"`, `"4xCPU-8GB"`
		e.Changes = []auditlog.Change{{Field: "plan", Before: &before, After: &after}}
	case op < 55:
		e.Operation = auditlog.OperationCreate
	case op < 70:
		e.Operation = auditlog.OperationRestart
	case op < 78:
		e.Operation = auditlog.OperationDelete
	case op < 94:
		e.Operation, e.ResourceType, e.ResourceID, e.ResourceName = auditlog.OperationLogin, "account", "", ""
	case op < 97:
		e.Operation, e.ResourceType, e.ResourceName = auditlog.OperationGrant, "account", ""
	default:
		e.Operation = auditlog.OperationOther
	}

	e.Action = string(e.Operation)
	if e.Operation == auditlog.OperationOther {
		e.Action = "rebalance"
	}

	e.Message = fmt.Sprintf("%s of %s %s", upper(e.Action), e.ResourceType, e.ResourceName)

	return e
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// info is of a service that records everything.
func info() auditlog.Info {
	return auditlog.Info{
		Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 180 * 24 * time.Hour,
		Operations:  auditlog.Operations(),
		OperationOf: func(action string) auditlog.Operation { return auditlog.Operation(action) },
		KnowsAction: func(action string) bool { return action != "rebalance" },
		NeverOperations: map[auditlog.Operation]string{
			auditlog.OperationLoginFailed: "UpCloud records successful logins only.",
		},
	}
}

// log is a service whose log is the entries.
type log struct {
	entries iter.Seq2[auditlog.Entry, error]
	c       auditlog.Completeness
}

func (l *log) Info() auditlog.Info { return info() }

func (l *log) Read(
	_ context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for e, err := range l.entries {
			if (err != nil || q.Window.Contains(e.Time)) && !yield(e, err) {
				return
			}
		}

		*c = l.c
		c.Window = q.Window
	}
}

func (l *log) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

// complete is a statement that accounts for n entries of the days.
func complete(n, days int) auditlog.Completeness {
	total := int64(n)

	return auditlog.Completeness{
		Window: auditlog.Window{Start: begin, End: begin.AddDate(0, 0, days)},
		Pages:  int64(n/100 + 1), RowsFetched: total, ClaimedTotal: &total,
		Proof: auditlog.ProofTotal, Retention: 180 * 24 * time.Hour, ClockSkew: new(time.Duration),
	}
}

// subject is of n entries over the days, with what the built-in rules find in them.
func subject(tb testing.TB, entries iter.Seq2[auditlog.Entry, error], c auditlog.Completeness) *report.Subject {
	tb.Helper()

	q := auditlog.Query{Window: c.Window}
	o := finding.Options{Builtins: finding.BuiltinNames(), ByDefault: true}

	result, err := finding.Evaluate(tb.Context(), &log{entries, c}, q, o, &c)
	if err != nil {
		tb.Fatal(err)
	}

	return &report.Subject{
		Tool: "terraform-provider-audit/0.1.0", File: "march.html",
		MadeAt: c.Window.End.Add(2 * time.Hour), ReadAt: c.Window.End.Add(time.Hour),
		Info: info(), Source: auditlog.Source{Service: "upcloud", Endpoint: "https://api.upcloud.com", Account: "example-ag"},
		Asked: export.Asked{
			Service: auditlog.ServiceUpCloud, AsWritten: export.QueryAsWritten{Last: "14d", SettleDelay: "1m"},
		},
		Completeness: c, Result: result, Builtins: o.Builtins,
	}
}

// write returns the page.
func write(tb testing.TB, s *report.Subject, entries iter.Seq2[auditlog.Entry, error]) string {
	tb.Helper()

	var b strings.Builder

	p := report.NewPage(&b, s, func() iter.Seq2[auditlog.Entry, error] { return entries })

	for e, err := range entries {
		if err != nil {
			tb.Fatal(err)
		}

		if err := p.Encode(&e); err != nil {
			tb.Fatal(err)
		}
	}

	if err := p.Close(); err != nil {
		tb.Fatal(err)
	}

	return b.String()
}

func compile(tb testing.TB, text string) auditlog.Condition {
	tb.Helper()

	c, err := where.Compile(text)
	if err != nil {
		tb.Fatal(err)
	}

	return c
}

type texts struct{ address, id, name, field, value, kind, action string }

// driftOf has a row of each kind, whose events are the first entries.
func driftOf(entries iter.Seq2[auditlog.Entry, error], t texts) *drift.Result {
	var events []drift.Event

	for e := range entries {
		if events = append(events, drift.Event{Entry: e, Reverted: len(events) == 1}); len(events) == 4 {
			break
		}
	}

	seen := &drift.Seen{Changes: []auditlog.Change{{Field: t.field, Before: &t.value}, {Field: t.field, After: &t.value}}}
	row := drift.Row{
		Address: t.address, ID: t.id, Name: t.name, Match: drift.ByID, Seen: seen, Events: events[:3], EventCount: 23,
	}
	gone, other, named, lost := row, row, row, row
	gone.Seen, gone.Events, gone.EventCount = &drift.Seen{Deleted: true}, events[3:], 1
	other.Address, other.Seen, other.Events, other.EventCount, other.AfterState = "", nil, events[:1], 1, true
	named.Match, named.Seen = drift.ByName, nil
	lost.Reason, lost.Events, lost.EventCount = drift.BeforeWindow, nil, 0

	return &drift.Result{
		Changed: []drift.Row{row, named}, Deleted: []drift.Row{gone}, Created: []drift.Row{other},
		Unexplained: []drift.Row{lost},
		Unmatched:   []drift.Unmatched{{Reason: drift.NotInLog, Type: t.kind, Count: 2, Example: t.address}},
		Resources:   1_234, Entries: 120, ByPipeline: 100, Unattributed: 1, AsOf: begin,
		Former: 2, FormerExample: auditlog.Entry{ResourceType: t.kind, ResourceID: t.id},
		Completeness: auditlog.Completeness{UnknownMatters: true, UnknownActions: []string{t.action}},
	}
}
