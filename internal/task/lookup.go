// SPDX-License-Identifier: MPL-2.0

package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// How many rows a look-up returns where nothing else is asked for, and at most.
const (
	DefaultMaxEntries = 1000
	LargestMaxEntries = 10_000
)

// LookUpLogs is what looking up does.
const LookUpLogs = "Look up audit logs"

// LookUp reads every match, counts it, and keeps the rows asked for in order.
type LookUp struct {
	Question

	// Entries says that rows are wanted: at most MaxEntries, the newest of more where
	// KeepNewest is set, which is an error else.
	Entries     bool
	MaxEntries  int
	KeepNewest  bool
	NewestFirst bool
	// Redact takes out what must not be shown, keys of counts included.
	Redact Redaction
}

// Found is what a look-up found. Counts cover every match, also where entries
// are left out. Their keys are in the normal form, which Terraform gives them as
// well: it would keep one of several that become equal.
type Found struct {
	Entries        []auditlog.Entry // nil when they were not asked for
	Total          int64
	ByAction       map[string]int64
	ByOperation    map[string]int64
	ByActor        map[string]int64
	ByResourceType map[string]int64
	Completeness   auditlog.Completeness
	// Statement is of Completeness, as it may be shown.
	Statement export.Statement
}

// Run reads from the service.
func (l *LookUp) Run(ctx context.Context, s auditlog.Service) (*Found, explain.Problems) {
	q, problems := l.Query(ctx, s)

	r, wrong := l.Redact()
	if problems.Add(wrong...); problems.HasError() {
		return nil, problems
	}

	found, err := l.read(ctx, s, q, r)
	if err != nil {
		problems.Add(l.explain(err, s.Info(), q.Window))

		return nil, problems
	}

	problems.Add(l.Arguments.ReadWarnings(s.Info(), q, found.Completeness)...)

	return found, problems
}

// overflowError says that more entries match than the user wants as rows.
type overflowError struct{ total, limit int64 }

func (e *overflowError) Error() string {
	return fmt.Sprintf("%d entries match and at most %d are allowed", e.total, e.limit)
}

func (l *LookUp) read(ctx context.Context, s auditlog.Service, q auditlog.Query, r *redact.Redactor) (*Found, error) {
	found := &Found{
		ByAction: map[string]int64{}, ByOperation: map[string]int64{},
		ByActor: map[string]int64{}, ByResourceType: map[string]int64{},
	}
	if l.Entries {
		found.Entries = []auditlog.Entry{}
	}

	scrubber := r.Scrubber()
	raw := map[counted]int64{}

	done, err := auditlog.ReadAll(ctx, s, q, func(e *auditlog.Entry) error {
		raw[counted{e.Action, e.Operation, e.ActorType, e.ActorID, e.Actor, e.ResourceType}]++
		found.Total++

		if l.Entries {
			found.keep(e, l)
		}

		return scrubber.Learn(e)
	})
	if err != nil {
		return nil, err
	}

	if l.Entries && !l.KeepNewest && found.Total > int64(l.MaxEntries) {
		return nil, &overflowError{total: found.Total, limit: int64(l.MaxEntries)}
	}

	// What is to be redacted is known only now that everything has been read.
	for c, n := range raw {
		e := scrubber.Apply(auditlog.Entry{
			Action: c.action, Operation: c.operation, ActorType: c.actorType, ActorID: c.actorID, Actor: c.actor,
			ResourceType: c.resourceType,
		})
		found.count(&e, n)
	}

	found.arrange(l)

	for i := range found.Entries {
		found.Entries[i] = scrubber.Apply(found.Entries[i])
	}

	found.Completeness, found.Statement = done, export.NewStatement(scrubber.Completeness(done))

	return found, nil
}

// explain puts an overflow on the argument that bounds the rows.
func (l *LookUp) explain(err error, info auditlog.Info, w auditlog.Window) explain.Problem {
	overflow := (*overflowError)(nil)
	if !errors.As(err, &overflow) {
		return explain.Reading(err, explain.Circumstances{Summary: "Read " + explain.LogOf(info), Info: info, Window: w})
	}

	return explain.Problem{
		Summary: l.Summary,
		Cause:   "More entries match than may go into {Terraform's state}.",
		Next: "Narrow the query, raise {max_entries} (at most " + explain.Plain(strconv.Itoa(LargestMaxEntries)) +
			"), set {on_overflow = \"keep_newest\"}, " +
			"set {include_entries = false} if counts are enough, or write them to a file with {audit_log_export}.",
	}.With("Service", info.Name).
		With("Matches", strconv.FormatInt(overflow.total, 10)).
		With("{max_entries}", strconv.FormatInt(overflow.limit, 10)).
		With("Window", w.String()).
		At(explain.Argument("max_entries"))
}

// counted is what of an entry is counted.
type counted struct {
	action       string
	operation    auditlog.Operation
	actorType    auditlog.ActorType
	actorID      string
	actor        string
	resourceType string
}

func (f *Found) count(e *auditlog.Entry, n int64) {
	f.ByAction[auditlog.Normal(e.Action)] += n
	f.ByOperation[string(e.Operation)] += n

	// Whoever has no name is counted by id, and by kind where there is no id.
	f.ByActor[auditlog.Normal(cmp.Or(e.Actor, e.ActorID, string(e.ActorType)))] += n

	if e.ResourceType != "" {
		f.ByResourceType[auditlog.Normal(e.ResourceType)] += n
	}
}

// keep holds at most twice as many rows as are wanted, however many match.
func (f *Found) keep(e *auditlog.Entry, l *LookUp) {
	if !l.KeepNewest && len(f.Entries) > l.MaxEntries {
		return // It will end in an error; only the count still matters.
	}

	f.Entries = append(f.Entries, *e)
	if len(f.Entries) > 2*l.MaxEntries {
		f.trim(l.MaxEntries)
	}
}

// trim leaves the newest rows, oldest first.
func (f *Found) trim(limit int) {
	slices.SortFunc(f.Entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })
	f.Entries = f.Entries[max(len(f.Entries)-limit, 0):]
	f.Entries = slices.Clone(f.Entries)
}

func (f *Found) arrange(l *LookUp) {
	if f.Entries == nil {
		return
	}

	f.trim(l.MaxEntries)

	if l.NewestFirst {
		slices.Reverse(f.Entries)
	}
}
