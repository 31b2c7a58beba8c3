// SPDX-License-Identifier: MPL-2.0

package provider

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
)

type lookUpOptions struct {
	maxEntries  int
	entries     bool
	keepNewest  bool
	newestFirst bool
	// redactor takes out what must not go into the state, keys of counts included;
	// nil leaves entries as they are.
	redactor *export.Redactor
}

// lookedUp is what a look-up found. Counts cover every match, also where entries
// are left out. Their keys are in the normal form, which Terraform gives them as
// well: it would keep one of several that become equal.
type lookedUp struct {
	entries        []auditlog.Entry // nil when they were not asked for
	total          int64
	byAction       map[string]int64
	byOperation    map[string]int64
	byActor        map[string]int64
	byResourceType map[string]int64
	completeness   auditlog.Completeness
	// statement is of completeness, as the state may show it.
	statement export.Statement
}

// overflowError says that more entries match than the user wants as rows.
type overflowError struct{ total, limit int64 }

func (e *overflowError) Error() string {
	return fmt.Sprintf("%d entries match and at most %d are allowed", e.total, e.limit)
}

// lookUp reads every match, counts it, and keeps the rows asked for in order.
func lookUp(ctx context.Context, s auditlog.Service, q auditlog.Query, o lookUpOptions) (*lookedUp, error) {
	found := &lookedUp{
		byAction: map[string]int64{}, byOperation: map[string]int64{},
		byActor: map[string]int64{}, byResourceType: map[string]int64{},
	}
	if o.entries {
		found.entries = []auditlog.Entry{}
	}

	scrubber := o.redactor.Scrubber()
	raw := map[counted]int64{}

	for e, err := range s.Read(ctx, q, &found.completeness) {
		if err != nil {
			return nil, err
		}

		if err := scrubber.Learn(&e); err != nil {
			return nil, err
		}

		raw[counted{e.Action, e.Operation, e.ActorType, e.ActorID, e.Actor, e.ResourceType}]++
		found.total++

		if o.entries {
			found.keep(e, o)
		}
	}

	if o.entries && !o.keepNewest && found.total > int64(o.maxEntries) {
		return nil, &overflowError{total: found.total, limit: int64(o.maxEntries)}
	}

	// What is to be redacted is known only now that everything has been read.
	for c, n := range raw {
		e := scrubber.Apply(auditlog.Entry{
			Action: c.action, Operation: c.operation, ActorType: c.actorType, ActorID: c.actorID, Actor: c.actor, ResourceType: c.resourceType,
		})
		found.count(&e, n)
	}

	found.arrange(o)

	for i := range found.entries {
		found.entries[i] = scrubber.Apply(found.entries[i])
	}

	found.statement = scrubber.ShownStatement(export.NewStatement(found.completeness))

	return found, nil
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

func (f *lookedUp) count(e *auditlog.Entry, n int64) {
	f.byAction[auditlog.Normal(e.Action)] += n
	f.byOperation[string(e.Operation)] += n

	// Whoever has no name is counted by id, and by kind where there is no id.
	f.byActor[auditlog.Normal(cmp.Or(e.Actor, e.ActorID, string(e.ActorType)))] += n

	if e.ResourceType != "" {
		f.byResourceType[auditlog.Normal(e.ResourceType)] += n
	}
}

// keep holds at most twice as many rows as are wanted, however many match.
func (f *lookedUp) keep(e auditlog.Entry, o lookUpOptions) {
	if !o.keepNewest && len(f.entries) > o.maxEntries {
		return // It will end in an error; only the count still matters.
	}

	f.entries = append(f.entries, e)
	if len(f.entries) > 2*o.maxEntries {
		f.trim(o.maxEntries)
	}
}

// trim leaves the newest rows, oldest first.
func (f *lookedUp) trim(limit int) {
	slices.SortFunc(f.entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })
	f.entries = f.entries[max(len(f.entries)-limit, 0):]
	f.entries = slices.Clone(f.entries)
}

func (f *lookedUp) arrange(o lookUpOptions) {
	if f.entries == nil {
		return
	}

	f.trim(o.maxEntries)

	if o.newestFirst {
		slices.Reverse(f.entries)
	}
}

func overflowProblem(err error, info auditlog.Info, w auditlog.Window) (explain.Problem, bool) {
	overflow := (*overflowError)(nil)
	if !errors.As(err, &overflow) {
		return explain.Problem{}, false
	}

	return explain.Problem{
		Summary: lookUpSummary,
		Cause:   "More entries match than may go into Terraform's state.",
		Next: "Narrow the query, raise max_entries (at most " + strconv.Itoa(largestMaxEntries) + "), set on_overflow = \"keep_newest\", " +
			"set include_entries = false if counts are enough, or write them to a file with audit_log_export.",
	}.With("Service", info.Name).
		With("Matches", strconv.FormatInt(overflow.total, 10)).
		With("max_entries", strconv.FormatInt(overflow.limit, 10)).
		With("Window", w.String()).
		At(explain.Argument("max_entries")), true
}
