// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// MostLifeEvents is how many entries the life of one resource may have.
const MostLifeEvents = 100_000

// Life tells what was done to one resource, out of several logs.
type Life struct {
	Question

	Of     drift.Target
	Redact Redaction
}

// Told is the life of a resource.
type Told struct {
	// Entries are in order, each once, also where several logs hold it.
	Entries []auditlog.Entry
	// Uncertain is how many of them are matched otherwise than by the id, by how.
	Uncertain map[drift.Match]int
	// Doubt is why finding nothing proves nothing, "" where it does.
	Doubt drift.Reason
	// Read are the statements of the readings, one for each cloud, and Logs is how many logs they are of.
	Read []auditlog.Completeness
	Logs int
}

// Conclusive says whether nothing of the life within the windows can be missing.
func (t *Told) Conclusive() bool {
	return t.Doubt == "" && !slices.ContainsFunc(t.Read, func(c auditlog.Completeness) bool { return !c.Conclusive() })
}

// Run reads the logs. One that cannot hold the resource, being another cloud's, is not read. Without a window it reads
// all that the logs keep.
func (l *Life) Run(ctx context.Context, logs ...auditlog.Service) (*Told, explain.Problems) {
	told := &Told{Uncertain: map[drift.Match]int{}, Doubt: l.Of.Doubt}

	if l.Of.Service != "" {
		isOther := func(s auditlog.Service) bool { return s.Info().Cloud() != l.Of.Service }
		logs = slices.DeleteFunc(slices.Clone(logs), isOther)
	}

	told.Logs = len(logs)

	r, found := l.Redact()
	if found.HasError() {
		return nil, found
	}

	scrubber := r.Scrubber()

	for _, s := range auditlog.ByCloud(func() time.Time { return l.Now }, logs) {
		found.AddNew(l.read(ctx, s, scrubber, told)...)

		if found.HasError() {
			return nil, found
		}
	}

	if len(told.Read) == 0 {
		found.Add(explain.Problem{
			Summary: explain.ExplainResource,
			Cause:   "The resource is of another cloud than the logs that are read.",
			Next:    "Read the log of its cloud, or an archive of that, by {service}.",
		}.With("Cloud", l.Of.Service))

		return nil, found
	}

	if told.Doubt != "" {
		found.Add(explain.Doubtful(told.Doubt))
	}

	slices.SortStableFunc(told.Entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	// What a log has late, another one may have had in its place.
	told.Entries = slices.CompactFunc(told.Entries, func(a, b auditlog.Entry) bool {
		return a.Service == b.Service && auditlog.Compare(&a, &b) == 0
	})

	for i := range told.Entries {
		if match, _ := l.Of.Match(&told.Entries[i]); match != drift.ByID {
			told.Uncertain[match]++
		}

		told.Entries[i] = scrubber.Apply(told.Entries[i])
	}

	return told, found
}

func (l *Life) read(
	ctx context.Context, s auditlog.Service, scrubber *redact.Scrubber, told *Told,
) explain.Problems {
	info, question := s.Info(), l.Question
	arguments := *l.Arguments

	if question.Arguments = &arguments; arguments.Last == "" && arguments.Start == "" {
		arguments.Start = auditlog.FormatTime(l.oldest(s))
	}

	q, found := question.Query(ctx, s)
	q = l.Of.Query(q, info)

	for _, u := range q.Unanswerable(info) {
		found.Add(explain.Unanswerable(u, info).At(nil))
	}

	if found.HasError() {
		return found
	}

	done, err := auditlog.ReadAll(ctx, s, q, func(e *auditlog.Entry) error {
		if err := scrubber.Learn(e); err != nil {
			return err
		}

		if _, ok := l.Of.Match(e); !ok {
			return nil
		}

		if len(told.Entries) == MostLifeEvents {
			return errLongLife
		}

		told.Entries = append(told.Entries, *e)

		return nil
	})
	if long := (explain.Problem{}); errors.As(err, &long) {
		return append(found, long)
	}

	if err != nil {
		return append(found, explain.Reading(err, explain.Circumstances{
			Summary: "Read " + explain.LogOf(info), Info: info, Window: q.Window,
		}))
	}

	told.Read = append(told.Read, done)
	found.Add(question.Arguments.ReadWarnings(info, q, done)...)

	return found
}

// oldest is from when on a service has something: as far back as it keeps its log, of an archive its beginning.
func (l *Life) oldest(s auditlog.Service) time.Time {
	copied, ok := s.(interface {
		Gaps(w auditlog.Window) []auditlog.Window
	})
	if !ok {
		return l.Now.Add(-s.Info().Retention)
	}

	ever := auditlog.Window{Start: time.Unix(0, 0).UTC(), End: l.Now}
	if gaps := copied.Gaps(ever); len(gaps) > 0 && gaps[0].Start.Equal(ever.Start) && gaps[0].End.Before(ever.End) {
		return gaps[0].End
	}

	return ever.Start
}

var errLongLife = explain.Problem{
	Summary: explain.ExplainResource, Cause: "More was done to the resource than can be told at once.",
	Next: "Shorten the window.",
}.With("At most", strconv.Itoa(MostLifeEvents))
