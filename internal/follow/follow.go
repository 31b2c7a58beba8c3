// SPDX-License-Identifier: MPL-2.0

// Package follow passes on what is new in an audit log, each entry at least once, and exactly once where the place is
// written together with the entries.
//
// It reads the log again and again, each time from where the last reading has ended. An entry is passed on as soon as
// it was read: it is true whatever comes after it. But the place moves only when the reading has been proven to be
// complete and everything that it brought has been taken. So whatever stops a stream, the next one begins no later than
// at the first entry that may not have been taken, and what it reads once more it recognises by the ids in the state.
//
//	cloudscale   by its cursor; by overlap and ids where the service no longer accepts it
//	UpCloud      by windows of time that overlap, and ids
//	PodStack     by ids from the first gap in the exports on, since that may be filled
//	an archive   by its log: what was archived behind a manifest
//
// A log that is far behind is read in steps of Span, so that what has to be remembered and may be repeated is bounded.
package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/retries"
)

// The defaults of Options.
const (
	DefaultInterval    = 2 * time.Minute
	DefaultOverlap     = 10 * time.Minute
	DefaultSettleDelay = time.Minute
	defaultSpan        = 24 * time.Hour
)

const (
	// The size of a batch: bounds what is held in memory, and what may be handed over twice.
	batchEntries = 500
	batchBytes   = 1 << 20

	// grace is how long a batch may still take once the stream is to stop.
	grace = 10 * time.Second
	// futureMargin is how far clocks may differ.
	futureMargin = 10 * time.Minute

	// The waits before another attempt.
	firstWait   = time.Second
	longestWait = time.Minute
	// longestAsked bounds how long the other side can ask to wait.
	longestAsked = 10 * time.Minute
	// onceAttempts is how often something is tried that fails, where the stream does not go on for ever.
	onceAttempts = 5
)

// Output takes entries and keeps the place.
type Output interface {
	sink.Sink

	// Load returns the state that was saved last, nil where none was.
	Load(ctx context.Context) ([]byte, error)
	// Save makes the state durable, with everything that was taken before. After an error, Load says whether it was done.
	Save(ctx context.Context, state []byte) error
	// Undo drops what was taken since the last Save, and says whether it could.
	Undo() bool
}

// Options say what is followed, and where it goes.
type Options struct {
	// Open returns the log as it is now. It is called before each reading: an archive has to be opened again to show
	// what has been added.
	Open func(ctx context.Context) (auditlog.Service, error)
	// Query says which entries are passed on; its window is not used.
	Query auditlog.Query
	// Source is what is known of whose log it is besides what the service says.
	Source auditlog.Source
	// Since is where a stream begins that has no state.
	Since time.Time
	// Interval is the wait between two readings.
	Interval time.Duration
	// Overlap is how much of what was read before is read again where the log has no cursor.
	Overlap time.Duration
	// SettleDelay is how much of the newest log is left for the next reading. An archive has settled.
	SettleDelay time.Duration
	// Span is how much of a log one reading covers at most; a day when 0.
	Span time.Duration
	// Once ends the stream when it has reached the end of the log.
	Once bool
	// AcceptGap goes on where a part of the log can no longer be read, or is missing between exports.
	AcceptGap bool
	Output    Output
	Clock     auditlog.Clock
	// Temporary says of an error of a reading that trying again can help. Nil says no.
	Temporary func(err error) bool
	// Tell is told what a user should know: *GapError, *OpenGapsError, *WaitError. Nil tells nobody.
	Tell func(what error)
	// Statement is given that of each reading that was proven. Nil gives it to nobody.
	Statement func(c auditlog.Completeness)
	// Progress is told how far the stream is, after each batch and each reading. Nil tells nobody.
	Progress func(p Progress)
}

// Progress is how far a stream is.
type Progress struct {
	// Taken is how many entries were taken since the stream was started this time.
	Taken int64
	// CoveredUntil is up to when everything has been taken.
	CoveredUntil time.Time
	// Behind is how far that is from now.
	Behind time.Duration
}

// GapError says that a part of the log can no longer be read. It is told as well where that was accepted.
type GapError struct {
	Gap

	Accepted bool
}

func (e *GapError) Error() string {
	return fmt.Sprintf("entries between %s and %s are gone from the service", auditlog.FormatTime(e.From),
		auditlog.FormatTime(e.To))
}

// OpenGapsError says of which parts a copy of a log shows nothing yet. The stream goes on there when it does.
type OpenGapsError struct{ Gaps []auditlog.Window }

func (e *OpenGapsError) Error() string { return "the exports leave gaps" }

// WaitError says why the stream waits before it tries once more.
type WaitError struct {
	Wait time.Duration
	Err  error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("%v; the next attempt is in %s", e.Err, e.Wait)
}

func (e *WaitError) Unwrap() error { return e.Err }

// ErrFuture means that a state covers what has not happened yet.
var ErrFuture = errors.New("the place to go on from lies in the future of this machine's clock")

// ErrStopped means that a stream was stopped that had not reached the end of the log, where it was to.
var ErrStopped = errors.New("the stream was stopped before it had reached the end of the log")

// Stream is a log that is followed.
type Stream struct {
	o     Options
	state *state // nil until the log was opened for the first time
	// fresh are the ids of what was taken since the state was saved.
	fresh []string
	batch []auditlog.Entry
	bytes int
	taken int64
	told  map[string]bool
	sleep func(ctx context.Context, d time.Duration)
}

// New returns the stream.
func New(o Options) *Stream {
	if o.Span == 0 {
		o.Span = defaultSpan
	}

	// What has not settled yet may come late.
	o.Overlap = max(o.Overlap, o.SettleDelay)

	return &Stream{o: o, told: map[string]bool{}, sleep: sleep}
}

// Run follows the log until the context ends, or until the end of the log where the stream ends there. It returns nil
// also when whoever reads the output has closed it. It does not close the output.
func (s *Stream) Run(ctx context.Context) error {
	rounds := newAttempts()

	for {
		more, err := s.round(ctx)
		if err == nil {
			rounds = newAttempts()
		}

		switch {
		case err == nil && !more && s.o.Once:
			return nil
		case errors.Is(err, sink.ErrClosed):
			return s.leave(ctx)
		case ctx.Err() != nil:
		case err == nil && !more:
			s.sleep(ctx, s.o.Interval)
		case err != nil:
			if err = s.pause(ctx, rounds, err); err != nil {
				return errors.Join(err, s.leave(ctx))
			}
		}

		if ctx.Err() != nil {
			return s.stopped(ctx)
		}
	}
}

// stopped ends a stream that somebody has stopped.
func (s *Stream) stopped(ctx context.Context) error {
	err := s.leave(ctx)
	if err == nil && s.o.Once {
		err = ErrStopped
	}

	return err
}

// leave writes down what was taken of a reading that has not come to its end, so that it is not handed over again.
func (s *Stream) leave(ctx context.Context) error {
	if s.state == nil || s.undo() || len(s.fresh) == 0 {
		return nil
	}

	return s.save(context.WithoutCancel(ctx), s.state.clone())
}

// undo drops what was taken since the state was saved, where the output can.
func (s *Stream) undo() bool {
	if !s.o.Output.Undo() {
		return false
	}

	for _, id := range s.fresh {
		delete(s.state.IDs, id)
	}

	if s.state != nil {
		s.state.Taken -= int64(len(s.fresh))
	}

	s.taken -= int64(len(s.fresh))
	s.fresh = nil

	return true
}

// attempts are those of one thing that failed.
type attempts struct {
	failed  int
	backoff *backoff.ExponentialBackOff
}

func newAttempts() *attempts {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = firstWait, longestWait

	return &attempts{backoff: b}
}

// pause waits until something that failed is tried again, or returns the error where it is not.
func (s *Stream) pause(ctx context.Context, a *attempts, err error) error {
	var (
		taking *sink.Error
		asked  time.Duration
	)

	temporary := s.o.Temporary != nil && s.o.Temporary(err)
	if errors.As(err, &taking) {
		temporary, asked = taking.Temporary, min(taking.RetryAfter, longestAsked)
	}

	if a.failed++; !temporary || s.o.Once && a.failed >= onceAttempts {
		return err
	}

	wait := max(a.backoff.NextBackOff(), asked).Round(time.Millisecond)
	s.tell(&WaitError{Wait: wait, Err: err})
	s.sleep(ctx, wait)
	retries.Waited(ctx, wait, err.Error())

	return nil
}

// sleep waits, unless the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (s *Stream) tell(what error) {
	if s.o.Tell != nil {
		s.o.Tell(what)
	}
}

// tellOnce tells what stays true from reading to reading.
func (s *Stream) tellOnce(what error, key string) {
	if !s.told[key] {
		s.told[key] = true
		s.tell(what)
	}
}

func (s *Stream) progress() {
	if s.o.Progress != nil {
		s.o.Progress(Progress{
			Taken: s.taken, CoveredUntil: s.state.CoveredUntil, Behind: s.o.Clock().Sub(s.state.CoveredUntil),
		})
	}
}

// save makes a state the one that counts. Whether it does after an error, only the output can tell.
func (s *Stream) save(ctx context.Context, next *state) error {
	next.Revision++

	text, err := next.encode()
	if err != nil {
		return err
	}

	if err = s.o.Output.Save(ctx, text); err != nil && !s.saved(ctx, next) {
		return err
	}

	s.state, s.fresh = next, nil

	return nil
}

// saved says that the output has the state.
func (s *Stream) saved(ctx context.Context, next *state) bool {
	text, err := s.o.Output.Load(ctx)
	if err != nil || text == nil {
		return false
	}

	there, err := parseState(text)

	return err == nil && there.Revision == next.Revision
}
