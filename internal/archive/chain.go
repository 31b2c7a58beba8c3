// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// manifestsAhead is how many manifests are fetched at the same time: an archive
// has thousands, and a bucket takes a while over each.
const manifestsAhead = 8

// link is what reading back needs of a manifest.
type link struct {
	head     Head
	previous string
	segment  Segment
	// first and last are the times of the oldest and the newest entry.
	first, last time.Time
	// covers is what the segment's run added to what was covered before it.
	covers auditlog.Window
	terms  *terms
	total  int64
}

// terms are what was kept of the log and what was taken out of its entries, the
// same for many segments.
type terms struct {
	filters   map[string][]string
	redaction *export.Redaction
}

// chain is an archive whose manifests have all been read and vouch for each other.
type chain struct {
	links []link
	last  *Manifest
	// source is whose log it is, as far as any manifest says.
	source export.KeptSource
	// gaps are what the archive holds nothing about, but for what lies before its
	// start and after its end, in the order of the segments.
	gaps []auditlog.Window
}

// readChain reads every manifest and holds it to the one after it, the last to
// the checkpoint.
//
// A run that crashed, or is still under way, has left manifests that the
// checkpoint does not name yet. They follow the last one that it names, and that
// is all that makes them part of the archive; so where a signature is asked for,
// which they lack, the archive ends at the checkpoint.
func readChain(ctx context.Context, store durable.Store, verifier note.Verifier) (*chain, error) {
	a := &Archive{o: Options{Store: store, Verifier: verifier}}

	point, err := a.readCheckpoint(ctx)
	if err != nil {
		return nil, err
	}

	if point == nil {
		if verifier != nil {
			return nil, fmt.Errorf("%w: there is no checkpoint", ErrSignature)
		}

		point = &checkpoint{}
	}

	if point.sequence > maxSequence {
		return nil, fmt.Errorf("%w: the checkpoint names segment %d", ErrBroken, point.sequence)
	}

	b := chainBuilder{known: map[string]*terms{}}

	read := func(ctx context.Context, i int) (read, error) {
		head, m, err := a.readManifest(ctx, int64(i)+1)

		return read{head, m}, err
	}

	for r, err := range ahead(ctx, int(point.sequence), manifestsAhead, read) {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %s is missing", ErrBroken, manifestKey(int64(len(b.c.links))+1))
		}

		if err == nil {
			err = b.add(r.head, r.manifest)
		}

		if err != nil {
			return nil, err
		}
	}

	if err := b.c.check(point.sha256, "the checkpoint"); err != nil {
		return nil, err
	}

	for verifier == nil {
		head, m, err := a.readManifest(ctx, int64(len(b.c.links))+1)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}

		if err == nil && m.Previous != b.c.head().SHA256 {
			err = fmt.Errorf("%w: %s does not follow the one before", ErrBroken, manifestKey(m.Sequence))
		}

		if err == nil {
			err = b.add(head, m)
		}

		if err != nil {
			return nil, err
		}
	}

	if b.c.last == nil {
		return nil, ErrNone
	}

	return &b.c, nil
}

// maxSequence is the last number that a key has room for.
const maxSequence = 99_999_999

type read struct {
	head     Head
	manifest *Manifest
}

func (c *chain) head() Head {
	if len(c.links) == 0 {
		return Head{}
	}

	return c.links[len(c.links)-1].head
}

// check goes backwards from what vouches for the last manifest, since each
// vouches for the one before it: the first that is not as expected was changed.
func (c *chain) check(expected, by string) error {
	for _, l := range slices.Backward(c.links) {
		if l.head.SHA256 != expected {
			return fmt.Errorf("%w: %s is not what %s says", ErrBroken, manifestKey(l.head.Sequence), by)
		}

		expected, by = l.previous, manifestKey(l.head.Sequence)
	}

	if expected != "" {
		return fmt.Errorf("%w: %s follows another one", ErrBroken, manifestKey(1))
	}

	return nil
}

// chainBuilder makes links of manifests.
type chainBuilder struct {
	c       chain
	known   map[string]*terms
	covered time.Time
}

func (b *chainBuilder) add(head Head, m *Manifest) error {
	fail := func(what string) error { return fmt.Errorf("%w: %s %s", ErrBroken, manifestKey(m.Sequence), what) }

	l := link{head: head, previous: m.Previous, segment: m.Segment, total: m.TotalCount}

	var err error
	if l.first, err = time.Parse(auditlog.TimeLayout, m.Segment.First.Time); err != nil {
		return fail("has no readable time")
	}

	if l.last, err = time.Parse(auditlog.TimeLayout, m.Segment.Last.Time); err != nil {
		return fail("has no readable time")
	}

	before := int64(0)
	if n := len(b.c.links); n > 0 {
		before = b.c.links[n-1].total
	} else {
		b.covered = m.Start
	}

	switch {
	case b.c.last != nil && b.c.last.Service != m.Service:
		return fail("is of " + m.Service + ", not of " + b.c.last.Service)
	case b.c.source.Differs(export.Kept(m.Source, m.Redaction)):
		return fail(fmt.Sprintf("is of the log of %s, not of %s", m.Source, b.c.source))
	case !isSegmentOf(m.Segment.Key, m.Sequence):
		return fail("names a segment that is not its own")
	case l.last.Before(l.first), !inPartition(m.Segment.Key, m.Service, l.first), !inPartition(m.Segment.Key, m.Service, l.last):
		return fail("names times that are not of its segment's day")
	case m.Segment.EntryCount < 1, m.Segment.EntryCount > segmentEntries:
		return fail("counts entries as no segment can hold them")
	case m.TotalCount != before+m.Segment.EntryCount:
		return fail("counts entries that are not there")
	}

	if l.terms, err = b.terms(m); err != nil {
		return err
	}

	// The last segments of a run can be of late entries, which cover less.
	l.covers = auditlog.Window{Start: b.covered, End: later(b.covered, m.CoveredUntil)}
	b.covered = l.covers.End

	if m.Gap != nil {
		b.c.gaps = append(b.c.gaps, auditlog.Window{Start: m.Gap.From, End: m.Gap.To})
	}

	b.c.source = b.c.source.Then(export.Kept(m.Source, m.Redaction))
	b.c.links, b.c.last = append(b.c.links, l), m

	return nil
}

func (b *chainBuilder) terms(m *Manifest) (*terms, error) {
	key, err := json.Marshal([]any{m.Filters, m.Redaction})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBroken, manifestKey(m.Sequence), err)
	}

	if b.known[string(key)] == nil {
		b.known[string(key)] = &terms{filters: m.Filters, redaction: m.Redaction}
	}

	return b.known[string(key)], nil
}

// unknown returns the parts of the window that the archive holds nothing about, in
// order: what lies before its start, what was lost, and what has yet to be
// archived.
func (c *chain) unknown(w auditlog.Window) []auditlog.Window {
	parts := slices.Clone(c.gaps)
	parts = append(parts, auditlog.Window{Start: w.Start, End: c.last.Start})

	if c.last.complete() {
		parts = append(parts, c.last.openGaps()...)
		parts = append(parts, auditlog.Window{Start: c.last.ReadUntil, End: w.End})
	} else {
		parts = append(parts, auditlog.Window{Start: c.last.CoveredUntil, End: w.End})
	}

	return union(parts, w)
}

// union clips the parts to the window, sorts them and joins those that touch.
func union(parts []auditlog.Window, w auditlog.Window) []auditlog.Window {
	var joined []auditlog.Window

	slices.SortFunc(parts, func(a, b auditlog.Window) int { return a.Start.Compare(b.Start) })

	for _, p := range parts {
		p = auditlog.Window{Start: later(p.Start, w.Start).UTC(), End: earlier(p.End, w.End).UTC()}
		if !p.Start.Before(p.End) {
			continue
		}

		if n := len(joined); n > 0 && !p.Start.After(joined[n-1].End) {
			joined[n-1].End = later(joined[n-1].End, p.End)

			continue
		}

		joined = append(joined, p)
	}

	return joined
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}

	return b
}

// within returns the segments that can hold entries of the window, by their first
// entry.
func (c *chain) within(w auditlog.Window) []*link {
	var links []*link

	for i := range c.links {
		if l := &c.links[i]; l.first.Before(w.End) && !l.last.Before(w.Start) {
			links = append(links, l)
		}
	}

	slices.SortStableFunc(links, func(a, b *link) int { return a.first.Compare(b.first) })

	return links
}

// termsOf returns what was in force when the window was archived.
func (c *chain) termsOf(w auditlog.Window) []*terms {
	var all []*terms

	for i := range c.links {
		l := &c.links[i]
		holds := l.first.Before(w.End) && !l.last.Before(w.Start)
		covers := l.covers.Start.Before(w.End) && w.Start.Before(l.covers.End)

		if (holds || covers) && !slices.Contains(all, l.terms) {
			all = append(all, l.terms)
		}
	}

	return all
}
