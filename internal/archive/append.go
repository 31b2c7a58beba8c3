// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Result is what a run did.
type Result struct {
	Head Head
	// Checkpoint is the newest one, with its signatures.
	Checkpoint string
	// Added is how many entries were archived, in how many segments.
	Added    int64
	Segments int64
	// CoveredUntil is up to when everything has been archived.
	CoveredUntil time.Time
	// Gaps are what a service that is a copy could not show, but may show yet. What
	// lies behind its end is not among them.
	Gaps []auditlog.Window
	// Lost is what is given up with this run: a gap that was accepted, or what lies
	// before all that a copy holds when its archive begins.
	Lost         *Gap
	ResumedBy    ResumedBy
	Completeness auditlog.Completeness
	// Source is whose log the archive is of, as it may be shown, and Confirmed says
	// that the account that it knew before, if any, is the one whose log was read.
	Source    auditlog.Source
	Confirmed bool
	// Unattested says who has not attested the newest checkpoint, in a sentence each, where
	// that is tolerated.
	Unattested []string
	// Named lists the filters whose values the manifests show although the log has shown
	// them to be values of redacted fields: all segments show the same filters.
	Named []string
}

// leftoverAge is after what time a temporary file counts as left over where nothing
// tells whether its writer is alive.
const leftoverAge = 24 * time.Hour

// Pending is what Append would do.
type Pending struct {
	// Count is how many entries it would archive.
	Count int64
	// CoveredUntil is up to when everything is archived already.
	CoveredUntil time.Time
	// Gaps are those of Result; empty where not everything was looked at.
	Gaps []auditlog.Window
	// Unread is that of the reading's Completeness.
	Unread []auditlog.UnreadColumn
	// Confirmed is that of Result.
	Confirmed bool
	// Unattested says that the newest checkpoint waits for others to attest it.
	Unattested bool
}

// mostLosses bounds how often a run begins again since others were faster.
const mostLosses = 100

// Append archives what is new. On an error, what was archived before it stays
// archived, and the next run goes on from there.
func (a *Archive) Append(ctx context.Context) (Result, error) {
	// What runs left that were killed.
	if _, err := durable.Sweep(ctx, a.o.Store, a.o.Clock().Add(-leftoverAge)); err != nil {
		return Result{}, err
	}

	var added, segments int64

	for range mostLosses {
		if a.point != nil && a.point.signed && a.o.Signer == nil {
			return Result{}, ErrNoKey
		}

		result, err := a.append(ctx)
		added, segments = added+result.Added, segments+result.Segments

		if !errors.Is(err, ErrLost) {
			result.Added, result.Segments = added, segments

			if err == nil {
				result.Unattested, err = a.attestAtLast(ctx)
			}

			return result, err
		}

		// What the others have written is found in the archive, and not written again.
		if err := a.reload(ctx); err != nil {
			return Result{}, err
		}
	}

	return Result{}, ErrLost
}

// append is one attempt. Its result counts what it archived also where it lost.
func (a *Archive) append(ctx context.Context) (Result, error) {
	if err := a.tidy(ctx); err != nil {
		return Result{}, err
	}

	r, err := a.begin(ctx)
	if err != nil {
		return Result{}, err
	}

	if err := r.learn(ctx); err != nil {
		return Result{}, err
	}

	for e, err := range r.entries(ctx) {
		if err == nil {
			err = r.add(ctx, e)
		}

		if err != nil {
			return Result{Added: r.added, Segments: r.segments}, err
		}
	}

	if err := r.finish(ctx); err != nil {
		return Result{Added: r.added, Segments: r.segments}, err
	}

	return Result{
		Head: a.Head(), Checkpoint: a.Checkpoint(), Added: r.added, Segments: r.segments, CoveredUntil: r.reached(),
		Gaps: r.unfilled(), Lost: r.lost,
		ResumedBy: r.resumedBy, Completeness: r.c, Source: r.source(), Confirmed: r.confirmed,
		Named: r.scrubber.InQuery(a.o.Filters),
	}, nil
}

// Pending says what Append would do, counting up to limit.
func (a *Archive) Pending(ctx context.Context, limit int64) (Pending, error) {
	r, err := a.begin(ctx)
	if err != nil {
		return Pending{}, err
	}

	p := Pending{CoveredUntil: r.covered, Unattested: a.isUnattested()}
	all := true

	for _, err := range r.entries(ctx) {
		if err != nil {
			return Pending{}, err
		}

		if p.Count++; p.Count >= limit {
			all = false

			break
		}
	}

	if all {
		if err := r.end(); err != nil {
			return Pending{}, err
		}

		p.Gaps = r.unfilled()
	}

	if p.Count == 0 {
		p.CoveredUntil = r.reached()
	}

	p.Unread, p.Confirmed = r.c.Unread, r.confirmed

	return p, nil
}

// reached is up to when everything is archived once a run has ended. A gap that
// no segment could record yet, since nothing was new, stays open until one does.
// That nothing was new says nothing where the log may be another one's.
func (r *run) reached() time.Time {
	if r.gap != nil || (r.segments == 0 && !r.confirmed) {
		return r.covered
	}

	return r.target()
}

// coveredUntil is up to when everything is archived. What a refresh found
// while other filters were in force says nothing about what these would have.
func (a *Archive) coveredUntil() time.Time {
	same := a.last == nil || maps.EqualFunc(a.last.Filters, a.filters(), slices.Equal)

	// A refresh by a clock that was ahead says nothing either.
	if !same || a.o.CoveredUntil.After(a.o.Clock()) {
		return a.committed()
	}

	return later(a.committed(), a.o.CoveredUntil)
}

// filters are those of the archive as its manifests show them.
func (a *Archive) filters() map[string][]string { return a.o.Redactor.Query(a.o.Filters).Filters() }

// run is one Append or Pending under way.
type run struct {
	a     *Archive
	query auditlog.Query
	// begunAfter is the number of the last segment before the run.
	begunAfter int64
	// known holds the ids of archived entries that will be read once more.
	known     map[string]bool
	covered   time.Time
	resumedBy ResumedBy
	gap       *Gap
	// open are the gaps of a copy from covered on, the first few of them given up
	// in gap aside.
	open []auditlog.Window
	lost *Gap
	// c ends the window where the service's own clock says.
	c auditlog.Completeness
	// unsettled says that nothing of the window has settled by that clock.
	unsettled bool
	// confirmed says that the account that the archive knew was the one that was
	// read, as far as checked says whose log it is.
	confirmed bool
	checked   *auditlog.Source

	// before is where the log went on before this run, nil where that is not known.
	before *auditlog.Position

	scrubber *redact.Scrubber
	current  *segment
	added    int64
	segments int64
}

// begin finds the place in the log to go on from.
func (a *Archive) begin(ctx context.Context) (*run, error) {
	now := a.o.Clock().UTC()
	r := &run{a: a, query: a.o.Filters, begunAfter: a.log.N, known: map[string]bool{}, resumedBy: ResumedFromStart}
	r.query.Window = auditlog.Window{Start: a.o.Start.UTC(), End: now.Add(-a.o.SettleDelay).Truncate(time.Microsecond)}
	r.query.SettleDelay = a.o.SettleDelay

	if a.point == nil {
		r.covered = r.query.Window.Start

		return r.settled(), nil
	}

	r.covered = a.coveredUntil()

	if a.last == nil {
		// Nothing has been archived, so that nothing can be archived twice.
		return r.settled(), r.checkGap(now)
	}

	if err := r.checkGap(now); err != nil {
		return nil, err
	}

	if a.last.Resume != nil {
		supplement, err := readSupplement(ctx, a.o.Store, a.last)
		if err != nil {
			return nil, err
		}

		r.before = a.last.position(supplement)
	}

	if _, follows := a.o.Service.(auditlog.Resumer); follows && r.before != nil && r.before.Link != "" && r.gap == nil {
		r.resumedBy = ResumedByCursor

		return r.settled(), r.recall(ctx, r.since())
	}

	since := r.covered.Add(-a.o.Overlap)
	r.resumedBy = ResumedByOverlap
	r.query.Window.Start = later(since, r.query.Window.Start)

	return r.settled(), r.recall(ctx, since)
}

// since is from when on entries are read once more where the cloud has a cursor: a run
// that crashed between two segments had read on from where the log went on before it.
func (r *run) since() time.Time { return earlier(r.covered.Add(-r.a.o.Overlap), r.before.Since) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}

	return b
}

// settled makes a window of nothing where nothing has settled yet.
func (r *run) settled() *run {
	if !r.query.Window.Start.Before(r.query.Window.End) {
		r.query.Window.Start = r.query.Window.End.Add(-time.Microsecond)
	}

	return r
}

// checkGap refuses to go on as if nothing were missing when the service no longer
// holds all that happened since.
func (r *run) checkGap(now time.Time) error {
	expired, isExpired := r.a.o.Service.Info().Expired(r.covered, now)
	if !isExpired {
		return nil
	}

	// What comes before the first manifest cannot be asked about, and 0 accepts nothing.
	if after := r.a.log.N; r.a.o.AcceptGapAfter != after || after == 0 {
		return &GapError{After: after, CoveredUntil: expired.Start, Oldest: expired.End}
	}

	r.gap = &Gap{From: expired.Start, To: expired.End}

	return nil
}

// recall reads back the ids of archived entries that may be read once more: those
// from a time on, and everything that a run wrote which did not come to its end,
// since a cursor brings all of that again, records that came late included. It
// walks from the head as far as segments can hold such entries: what a run wrote
// is older than the end of its window.
func (r *run) recall(ctx context.Context, since time.Time) error {
	crashed := true

	for m := r.a.last; ; {
		crashed = crashed && !m.complete()

		from := since
		if crashed {
			from = time.Time{}
		}

		if !m.ReadUntil.After(from) {
			return nil
		}

		if err := r.recallSegment(ctx, m, from); err != nil {
			return err
		}

		if m.Sequence == 1 {
			return nil
		}

		previous, err := r.a.log.manifest(ctx, m.Sequence-1)
		if err != nil {
			return err
		}

		m = previous
	}
}

// recallSegment reads a segment back, unless it holds nothing from the time on.
func (r *run) recallSegment(ctx context.Context, m *Manifest, since time.Time) error {
	if m.Segment == nil || !m.Segment.Until.After(since) {
		return nil
	}

	if what := m.wrong(); what != "" {
		return fmt.Errorf("%w: %s %s", ErrBroken, manifestName(m.Sequence), what)
	}

	for e, err := range entriesOf(ctx, r.a.o.Store, m.Segment, m.Sequence) {
		if err != nil {
			return err
		}

		if !e.Time.Before(since) {
			r.known[e.ID] = true
		}
	}

	return nil
}

// learn reads everything before any of it is written, where values are redacted
// that entries before may hold. What has been archived is read again, too.
func (r *run) learn(ctx context.Context) error {
	r.scrubber = r.a.o.Redactor.Scrubber()

	first := *r
	first.known = map[string]bool{}

	return r.scrubber.LearnAll(first.entries(ctx), &first.c)
}

// entries yields what is new, and nothing of another log than the one that was
// archived so far. Services know whose log a page is of before they yield it.
func (r *run) entries(ctx context.Context) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for e, err := range r.read(ctx) {
			if err == nil {
				err = r.checkSource()
			}

			if !yield(e, err) || err != nil {
				return
			}
		}

		if err := r.checkSource(); err != nil {
			yield(auditlog.Entry{}, err)
		}
	}
}

func (r *run) checkSource() error {
	if r.checked != nil && *r.checked == r.c.Source {
		return nil
	}

	read := r.c.Source
	r.checked = &read

	var err error

	r.confirmed, err = r.a.checkSource(read)

	return err
}

// source is whose log the archive is of, by all that is known by now.
func (r *run) source() auditlog.Source {
	o := r.a.o
	found := r.c.Source.Or(o.Source).Or(o.Service.Info().Source).Or(auditlog.Source{Service: o.Service.Info().Cloud()})

	if r.a.last == nil {
		return o.Redactor.Source(found)
	}

	return o.Redactor.Carry(redact.Kept(r.a.last.Source, r.a.last.Redaction), found)
}

// read yields what is new. Where the cloud no longer accepts its own cursor, the
// overlap does instead.
func (r *run) read(ctx context.Context) iter.Seq2[auditlog.Entry, error] {
	known := func(id string) bool { return r.known[id] }
	onward := auditlog.Onward{Service: r.a.o.Service, Known: known, Lost: r.fallBack}

	if r.resumedBy == ResumedByCursor {
		onward.From = r.before
	}

	return func(yield func(auditlog.Entry, error) bool) {
		for e, err := range onward.Read(ctx, r.query, &r.c) {
			if r.unsettled = errors.Is(err, auditlog.ErrWindowNotSettled); r.unsettled {
				return
			}

			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// fallBack reads on as if there were no cursor.
func (r *run) fallBack(ctx context.Context) (auditlog.Window, error) {
	since := r.since()

	r.resumedBy = ResumedByFallback
	r.query.Window.Start = later(since, r.a.o.Start)

	err := r.settled().recall(ctx, since)

	return r.query.Window, err
}

// The size of a segment: bounds what is held in memory, and what a crash repeats.
const (
	segmentEntries = 50_000
	segmentBytes   = 16 << 20
)

// add puts an entry into the current segment. A segment holds one day, so an
// entry of another day ends it, also one that comes late.
func (r *run) add(ctx context.Context, e auditlog.Entry) error {
	day := e.Time.UTC().Truncate(24 * time.Hour)

	if r.current != nil &&
		(!r.current.day.Equal(day) || r.current.leaves.N >= segmentEntries || r.current.data.Len() >= segmentBytes) {
		if err := r.write(ctx, false); err != nil {
			return err
		}
	}

	if r.current == nil {
		var err error
		if r.current, err = newSegment(day, r.a.o.Format, r.a.o.Compression); err != nil {
			return err
		}
	}

	// A value that the log did not hold a moment ago counts from here on.
	if err := r.scrubber.Learn(&e); err != nil {
		return err
	}

	e = r.scrubber.Apply(e)

	return r.current.add(&e)
}

// emptyAfter is how far a run has to have moved what is covered to say so in the log,
// where it found nothing new. Until then the checkpoint before stands.
const emptyAfter = 24 * time.Hour

// finish writes what is left, and what has to be said of a log that holds nothing new.
func (r *run) finish(ctx context.Context) error {
	if r.c.Proof == "" && !r.unsettled {
		return errors.New("the reading ended without a statement")
	}

	if err := r.end(); err != nil {
		return err
	}

	switch {
	case r.current != nil:
		return r.write(ctx, true)
	case r.segments > 0:
		return nil
	case r.a.point == nil:
		return r.a.found(ctx, auditlog.Window{Start: r.a.o.Start, End: r.reached()})
	case r.reached().Sub(r.a.committed()) > emptyAfter, r.a.handsOver():
		return r.write(ctx, true)
	default:
		return nil
	}
}

// committed is up to when everything is archived as the log says.
func (a *Archive) committed() time.Time {
	if a.last == nil {
		return a.point.Covered.End
	}

	return a.last.CoveredUntil
}

// futureMargin is how far the clocks of a service's machines may differ.
const futureMargin = 10 * time.Minute

// end looks at what a reading that has ended says. It refuses an archive that covers what
// has not happened yet: whatever happens until then would never be archived.
func (r *run) end() error {
	now := r.c.Window.End.Add(r.a.o.SettleDelay)
	if r.c.Window.End.IsZero() {
		now = r.a.o.Clock()
	}

	if r.a.point != nil && r.covered.After(now.Add(futureMargin)) {
		return fmt.Errorf("%w: it covers until %s, and the clock shows %s", ErrFuture, auditlog.FormatTime(r.covered),
			auditlog.FormatTime(now))
	}

	return r.settleGaps()
}

// write makes the current segment part of the archive, or says that there is none. Only
// the last one of a run says that the run's window is covered.
func (r *run) write(ctx context.Context, last bool) error {
	if r.a.point == nil {
		if err := r.a.found(ctx, auditlog.Window{Start: r.a.o.Start, End: r.a.o.Start}); err != nil {
			return err
		}
	}

	d, err := r.draft(ctx, last)
	if err != nil {
		return err
	}

	if err := r.a.commit(ctx, d); err != nil {
		return err
	}

	if s := d.manifest.Segment; s != nil {
		r.added += s.EntryCount
	}

	r.segments++
	if r.gap != nil {
		r.lost = r.gap
	}

	r.current, r.gap = nil, nil

	return nil
}

// draft is a manifest in the making, and what it names.
type draft struct {
	manifest   *Manifest
	segment    []byte
	supplement []byte
}

func (r *run) draft(ctx context.Context, last bool) (*draft, error) {
	a := r.a

	m := &Manifest{
		Version: manifestVersion, Sequence: a.log.N + 1, Service: a.o.Service.Info().Name, Source: r.source(),
		Previous: a.Head().SHA256,
		Tool:     a.o.Tool, WrittenAt: auditlog.FormatTime(a.o.Clock()),
		CoveredUntil: r.target(), ReadUntil: r.c.Window.End, OpenGaps: gapsOf(r.open), ResumedBy: r.resumedBy, Gap: r.gap,
		Start: a.o.Start, ClockSkewSeconds: export.NewStatement(r.c).ClockSkewSeconds, Filters: a.filters(),
		Redaction: a.o.Redactor.Statement(),
	}
	d := &draft{manifest: m}
	supplement := Supplement{Secret: newSecret()}
	resume := r.c.Resume

	if a.last != nil {
		m.TotalCount = a.last.TotalCount
		m.ReadUntil = later(a.last.ReadUntil, m.ReadUntil)
	} else {
		// What was covered without a manifest stays covered.
		m.ReadUntil = later(a.point.Covered.End, m.ReadUntil)
	}

	if r.current != nil {
		s, err := r.current.close()
		if err != nil {
			return nil, err
		}

		s.Key = segmentKey(m, r.current.day, s.SHA256, format.Extension(a.o.Format, a.o.Compression))
		m.Segment, m.TotalCount = &s, m.TotalCount+s.EntryCount
		supplement, d.segment = r.current.supplement, bytes.Clone(r.current.data.Bytes())
	}

	if !last {
		m.CoveredUntil, m.OpenGaps = later(r.covered, r.current.newest.Add(-auditlog.OrderMargin)), nil
		if a.o.Service.Info().FilledLater {
			m.CoveredUntil = r.covered // Its gaps show at the end.
		}

		resume = r.before
	}

	if resume != nil {
		m.Resume, supplement.Ordinals = &Resume{Link: resume.Link, Since: resume.Since}, resume.Ordinals
	}

	var files map[string]string
	if a.last == nil {
		var err error
		if files, err = a.writeBesides(ctx); err != nil {
			return nil, err
		}
	}

	err := d.close(&supplement, files)

	return d, err
}

// close writes the supplement and the manifest.
func (d *draft) close(supplement *Supplement, files map[string]string) error {
	var err error
	if d.supplement, err = exactjson.Marshal(supplement, "  "); err != nil {
		return fmt.Errorf("encode the supplement of manifest %d: %w", d.manifest.Sequence, err)
	}

	d.manifest.Supplement = objectOf(supplementKey(d.manifest.Sequence, d.supplement), d.supplement)

	for _, key := range slices.Sorted(maps.Keys(files)) {
		d.manifest.Files = append(d.manifest.Files, objectOf(key, []byte(files[key])))
	}

	_, err = d.manifest.encode()

	return err
}
