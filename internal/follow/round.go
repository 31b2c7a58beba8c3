// SPDX-License-Identifier: MPL-2.0

package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// endless is the end of a window of an archive, all of which has settled, whatever clock its entries are by.
var endless = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// round is one reading: it passes on what is new, and moves the place. It says whether more can be read at once.
func (s *Stream) round(ctx context.Context) (more bool, err error) {
	service, err := s.o.Open(ctx)
	if err != nil {
		return false, err
	}

	info := service.Info()

	if err := s.begin(ctx, service); err != nil {
		return false, err
	}

	next, err := s.skipGap(info)
	if err != nil {
		return false, err
	}

	w := s.window(info, next)
	if !w.Start.Before(w.End) {
		s.progress()

		return false, nil
	}

	c, err := s.read(ctx, service, next, w)
	if errors.Is(err, auditlog.ErrWindowNotSettled) {
		s.progress()

		return false, nil
	}

	if err != nil {
		s.undo()

		s.batch, s.bytes = nil, 0

		return false, err
	}

	before := *next
	next.IDs, next.Taken = s.state.IDs, s.state.Taken
	next = next.clone()
	s.move(next, info, &c)

	if err := s.save(context.WithoutCancel(ctx), next); err != nil {
		s.undo()

		return false, err
	}

	s.progress()

	switch {
	case info.ArchivedFrom != "":
		return before.Position == nil || before.Position.Link != next.Position.Link, nil
	case info.FilledLater:
		return false, nil
	default:
		return w.End.Before(s.settled(info)) && next.CoveredUntil.After(before.CoveredUntil), nil
	}
}

// begin loads the state, or makes one, and makes sure that it is of this log and this query.
func (s *Stream) begin(ctx context.Context, service auditlog.Service) error {
	info := service.Info()
	source := s.o.Source.Or(info.Source)

	if s.state == nil {
		if err := s.load(ctx, service, source); err != nil {
			return err
		}
	}

	if err := s.checkPast(s.state.CoveredUntil); err != nil {
		return err
	}

	return s.state.check(info, source, s.o.Query.Filters())
}

// load loads the state, or makes one.
func (s *Stream) load(ctx context.Context, service auditlog.Service, source auditlog.Source) error {
	info := service.Info()

	text, err := s.o.Output.Load(ctx)
	if err != nil {
		return err
	}

	if text == nil {
		start := s.o.Since.UTC().Truncate(time.Microsecond)

		// Written down, it would stand in the way of every stream until then.
		if err := s.checkPast(start); err != nil {
			return err
		}

		return s.save(ctx, &state{
			Version: stateVersion, Service: info.Name, Source: source, Filters: s.o.Query.Filters(), Start: start,
			CoveredUntil: start, IDs: map[string]time.Time{}, IDsSince: start,
		})
	}

	there, err := parseState(text)
	if err != nil {
		return err
	}

	// Before anything is handed over that may be of another account.
	if i, ok := service.(auditlog.Identifier); ok && there.Source.Account != "" && source.Account == "" {
		source = source.Or(i.Identify(ctx))
	}

	if err := there.check(info, source, s.o.Query.Filters()); err != nil {
		return err
	}

	s.state = there

	return nil
}

// checkPast refuses a place in the future: nothing that happens until then would be passed on.
func (s *Stream) checkPast(covered time.Time) error {
	if covered.After(s.o.Clock().Add(futureMargin)) {
		return fmt.Errorf("%w: it covers until %s", ErrFuture, auditlog.FormatTime(covered))
	}

	return nil
}

// skipGap returns the place to go on from. Where a part of the log has expired, it is behind that if this was accepted.
func (s *Stream) skipGap(info auditlog.Info) (*state, error) {
	next := s.state.clone()

	expired, isExpired := info.Expired(next.CoveredUntil.Add(auditlog.RetentionSlack), s.o.Clock())
	if !isExpired {
		return next, nil
	}

	gap := Gap{From: next.CoveredUntil, To: expired.End.UTC().Truncate(time.Microsecond)}
	if !s.o.AcceptGap {
		return nil, &GapError{Gap: gap}
	}

	s.tellOnce(&GapError{Gap: gap, Accepted: true}, fmt.Sprint(gap.From))

	// A cursor may lead to the end of what is gone, or nowhere.
	next.Gaps, next.CoveredUntil, next.Position = append(next.Gaps, gap), gap.To, nil

	return next, nil
}

// settled is up to when the log has settled.
func (s *Stream) settled(info auditlog.Info) time.Time {
	if info.ArchivedFrom != "" {
		return endless
	}

	return s.o.Clock().Add(-s.o.SettleDelay).UTC().Truncate(time.Microsecond)
}

// window is what is read from a place on.
func (s *Stream) window(info auditlog.Info, from *state) auditlog.Window {
	w := auditlog.Window{Start: from.Start, End: s.settled(info)}

	if info.ArchivedFrom != "" {
		return w
	}

	if end := from.CoveredUntil.Add(s.o.Span); !info.FilledLater && end.Before(w.End) {
		w.End = end
	}

	if !from.CoveredUntil.Before(w.End) {
		return auditlog.Window{Start: w.End, End: w.End}
	}

	if from.Position == nil {
		w.Start = s.overlapping(from)
	}

	return w
}

// overlapping is from when on a log is read where there is no cursor.
func (s *Stream) overlapping(from *state) time.Time {
	since := from.CoveredUntil.Add(-s.o.Overlap)
	if from.Position != nil && from.Position.Since.Before(since) {
		since = from.Position.Since
	}

	return later(later(since, from.IDsSince), from.Start)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}

	return b
}

// read passes on what is new of a window, and returns the reading's statement once all of it has been taken.
func (s *Stream) read(
	ctx context.Context, service auditlog.Service, from *state, w auditlog.Window,
) (auditlog.Completeness, error) {
	info := service.Info()
	known := maps.Clone(s.state.IDs) // It is asked while entries are taken, whose ids are added.
	onward := &auditlog.Onward{
		Service: service, From: from.Position,
		Known: func(id string) bool { _, is := known[id]; return is },
		Lost: func(context.Context) (auditlog.Window, error) {
			return auditlog.Window{Start: s.overlapping(from), End: w.End}, nil
		},
	}

	// An archive has a beginning that a cursor leads from.
	if onward.From == nil && info.ArchivedFrom != "" {
		onward.From = &auditlog.Position{}
	}

	q := s.o.Query
	q.Window, q.SettleDelay = w, s.o.SettleDelay

	var checked auditlog.Source

	c, err := auditlog.ReadAhead(ctx, onward, q, func(e *auditlog.Entry) error {
		found := auditlog.Source{Service: e.Service, Endpoint: e.Endpoint, Account: e.Account}
		if found != checked {
			if err := s.checkSource(info, found); err != nil {
				return err
			}

			checked = found
		}

		return s.take(ctx, e)
	})
	if err == nil {
		err = s.checkSource(info, c.Source)
	}

	if err == nil {
		err = s.deliver(ctx)
	}

	return c, err
}

// checkSource makes sure that a reading is of the log that was followed so far.
func (s *Stream) checkSource(info auditlog.Info, found auditlog.Source) error {
	return s.state.check(info, found, s.state.Filters)
}

// take puts an entry into the batch, and hands that over when it is full.
func (s *Stream) take(ctx context.Context, e *auditlog.Entry) error {
	s.batch = append(s.batch, *e)
	s.bytes += len(e.Raw)

	if len(s.batch) < batchEntries && s.bytes < batchBytes {
		return nil
	}

	return s.deliver(ctx)
}

// deliver hands the batch over, again and again until it has been taken. The reading waits meanwhile.
func (s *Stream) deliver(ctx context.Context) error {
	deliveries := newAttempts()

	for len(s.batch) > 0 {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}

		err := s.handOver(ctx)
		if err == nil {
			break
		}

		// Where what was taken can be undone, the reading begins again.
		if ctx.Err() != nil || s.undo() {
			return err
		}

		if err := s.pause(ctx, deliveries, err); err != nil {
			return err
		}
	}

	for i := range s.batch {
		e := &s.batch[i]
		s.state.IDs[e.ID] = e.Time
		s.fresh = append(s.fresh, e.ID)
	}

	s.state.Taken += int64(len(s.batch))
	s.taken += int64(len(s.batch))
	s.batch, s.bytes = s.batch[:0], 0
	s.progress()

	return nil
}

// handOver hands the batch over once. A batch that is being taken when the stream is to stop may end, but not for ever.
func (s *Stream) handOver(ctx context.Context) error {
	taking, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)

	stop := context.AfterFunc(ctx, func() {
		sleep(taking, grace)
		cancel(context.Cause(ctx))
	})
	defer stop()

	return s.o.Output.Take(taking, s.batch)
}

// move moves a place to the end of a reading.
func (s *Stream) move(next *state, info auditlog.Info, c *auditlog.Completeness) {
	next.Source = next.Source.Or(c.Source)
	next.Position = c.Resume

	if s.o.Statement != nil {
		s.o.Statement(*c)
	}

	switch {
	case info.ArchivedFrom != "":
		for _, w := range c.Gaps {
			s.give(next, w)
		}

		next.CoveredUntil = later(next.CoveredUntil, s.o.Clock().UTC().Truncate(time.Microsecond))
		clear(next.IDs) // A place in an archive is exact.
	case info.FilledLater:
		s.moveToGap(next, c)
		next.forget(s.o.Overlap)
	default:
		next.CoveredUntil = later(next.CoveredUntil, c.Window.End)
		next.forget(s.o.Overlap)
	}
}

// give writes down that a part of the log is given up.
func (s *Stream) give(next *state, w auditlog.Window) {
	gap := Gap{From: w.Start, To: w.End}
	next.Gaps = append(next.Gaps, gap)
	s.tell(&GapError{Gap: gap, Accepted: true})
}

// moveToGap moves the place to the first gap of a copy, which may be filled yet. What the copy holds behind it has been
// taken, and is recognised by its ids.
func (s *Stream) moveToGap(next *state, c *auditlog.Completeness) {
	var open []auditlog.Window

	for _, w := range c.Gaps {
		if w.Start = later(w.Start, next.CoveredUntil); w.Start.Before(w.End) {
			open = append(open, w)
		}
	}

	end := c.Window.End

	// What lies behind the newest export is no gap in what there is.
	if n := len(open); n > 0 && !open[n-1].End.Before(end) {
		end, open = open[n-1].Start, open[:n-1]
	}

	switch {
	case len(open) == 0:
	case s.o.AcceptGap:
		for _, w := range open {
			s.give(next, w)
		}
	default:
		s.tellOnce(&OpenGapsError{open}, fmt.Sprint(open))

		end = open[0].Start
	}

	next.CoveredUntil = later(next.CoveredUntil, end)
}
