// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// bundlesAhead is how many entry bundles are fetched at the same time.
const bundlesAhead = 8

// link is what reading back needs of a manifest.
type link struct {
	sequence int64
	segment  *Segment
	// covers is what the segment's run added to what was covered before it.
	covers auditlog.Window
	terms  *terms
}

// terms are what was kept of the log and what was taken out of its entries, the
// same for many segments.
type terms struct {
	filters   map[string][]string
	redaction *export.Redaction
}

// chain is an archive whose manifests have all been read and are those of its log.
type chain struct {
	service string
	// start is how far back it goes, and covered up to when it does where there is no
	// manifest yet.
	start, covered time.Time
	links          []link
	// head and last are of the last manifest, empty and nil where there is none.
	head Head
	last *Manifest
	// source is whose log it is, as far as any manifest says.
	source export.KeptSource
	// gaps are what the archive holds nothing about, but for what lies before its
	// start and after its end, in the order of the segments.
	gaps []auditlog.Window
}

// readChain reads every manifest of the newest checkpoint and makes sure that they are
// the leaves of its log.
func readChain(ctx context.Context, points points) (*chain, error) {
	last, _, err := points.newest(ctx)
	if err != nil {
		return nil, err
	}

	switch {
	case last == nil && len(points.verifiers) > 0:
		return nil, fmt.Errorf("%w: there is no checkpoint", ErrSignature)
	case last == nil:
		return nil, ErrNone
	}

	b := chainBuilder{c: chain{service: last.service(), start: last.Covered.Start, covered: last.Covered.End}, known: map[string]*terms{}}

	for manifest, err := range leavesOf(ctx, points, last) {
		if err == nil {
			err = b.add(manifest)
		}

		if err != nil && points.outgrown(ctx, last, err) {
			return readChain(ctx, points)
		}

		if err != nil {
			return nil, err
		}
	}

	return &b.c, nil
}

// leavesOf yields the manifests of a checkpoint, in order. That they are those of its
// log is known once the last one has come: the error that says so is the last.
func leavesOf(ctx context.Context, points points, p *point) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var hashes storedHashes

		n := int64(0)

		for bundle, err := range bundlesOf(ctx, points, p) {
			if err != nil {
				yield(nil, err)

				return
			}

			for _, manifest := range bundle {
				added, err := tlog.StoredHashes(n, manifest, &hashes)
				if err != nil {
					yield(nil, fmt.Errorf("hash the manifests: %w", err))

					return
				}

				hashes = append(hashes, added...)
				n++

				if !yield(manifest, nil) {
					return
				}
			}
		}

		if root, err := tlog.TreeHash(n, &hashes); err != nil || root != p.Tree.Hash {
			yield(nil, fmt.Errorf("%w: its manifests are not those of %s", ErrBroken, checkpointKeyOf(p.Tree.N)))
		}
	}
}

// bundlesOf yields the manifests bundle by bundle. The last bundle can be missing after a
// crash, and follows from what is there then.
func bundlesOf(ctx context.Context, points points, p *point) iter.Seq2[[][]byte, error] {
	bundles := int((p.Tree.N + bundleWidth - 1) / bundleWidth)

	return ahead(ctx, bundles, bundlesAhead, func(ctx context.Context, i int) ([][]byte, error) {
		n := int64(i)
		width := int(min(bundleWidth, p.Tree.N-n*bundleWidth))

		manifests, err := readBundle(ctx, points.store, n, width)
		if !errors.Is(err, fs.ErrNotExist) {
			return manifests, err
		}

		if i < bundles-1 {
			return nil, fmt.Errorf("%w: %s is missing", ErrBroken, bundleKey(n, width))
		}

		log, _, err := openLog(ctx, points, p)
		if err != nil {
			return nil, err
		}

		return log.edge, nil
	})
}

// chainBuilder makes links of manifests.
type chainBuilder struct {
	c       chain
	known   map[string]*terms
	covered time.Time
}

func (b *chainBuilder) add(data []byte) error {
	m, err := parseManifest(data, b.c.head.Sequence+1)
	if err != nil {
		return err
	}

	fail := func(what string) error { return fmt.Errorf("%w: %s %s", ErrBroken, manifestName(m.Sequence), what) }

	total := int64(0)
	if b.c.last != nil {
		total = b.c.last.TotalCount
	} else {
		b.covered = m.Start
	}

	if m.Segment != nil {
		total += m.Segment.EntryCount
	}

	switch {
	case m.Previous != b.c.head.SHA256:
		return fail("does not follow the one before")
	case m.Service != b.c.service:
		return fail("is of " + m.Service + ", not of " + b.c.service)
	case b.c.source.Differs(export.Kept(m.Source, m.Redaction)):
		return fail(fmt.Sprintf("is of the log of %s, not of %s", m.Source, b.c.source))
	case m.TotalCount != total:
		return fail("counts entries that are not there")
	case !strings.HasPrefix(m.Supplement.Key, supplementsPrefix+numbered(m.Sequence)):
		return fail("names a supplement that is not its own")
	}

	if what := m.Segment.wrong(m); what != "" {
		return fail(what)
	}

	l := link{sequence: m.Sequence, segment: m.Segment}
	if l.terms, err = b.terms(m); err != nil {
		return err
	}

	// The last segments of a run can be of late entries, which cover less.
	l.covers = auditlog.Window{Start: b.covered, End: later(b.covered, m.CoveredUntil)}
	b.covered = l.covers.End

	if m.Gap != nil {
		b.c.gaps = append(b.c.gaps, auditlog.Window{Start: m.Gap.From, End: m.Gap.To})
	}

	b.c.source, b.c.start = b.c.source.Then(export.Kept(m.Source, m.Redaction)), m.Start
	b.c.links, b.c.last, b.c.head = append(b.c.links, l), m, Head{Sequence: m.Sequence, SHA256: sum(data)}

	return nil
}

// wrong says what no run could have written, "" where there is nothing.
func (s *Segment) wrong(m *Manifest) string {
	if s == nil {
		return ""
	}

	lastDay := s.Until.Add(-time.Nanosecond)

	switch {
	case !isSegmentOf(s.Key, m.Sequence), durable.CheckKey(s.Key) != nil:
		return "names a segment that is not its own"
	case !s.From.Before(s.Until), !strings.HasPrefix(s.Key, partition(m.Service, s.From)), !strings.HasPrefix(s.Key, partition(m.Service, lastDay)):
		return "names times that are not of its segment's day"
	case s.EntryCount < 1, s.EntryCount > segmentEntries:
		return "counts entries as no segment can hold them"
	default:
		return ""
	}
}

func (b *chainBuilder) terms(m *Manifest) (*terms, error) {
	key, err := json.Marshal([]any{m.Filters, m.Redaction})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBroken, manifestName(m.Sequence), err)
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
	parts = append(parts, auditlog.Window{Start: w.Start, End: c.start})

	switch {
	case c.last == nil:
		parts = append(parts, auditlog.Window{Start: c.covered, End: w.End})
	case c.last.complete():
		parts = append(parts, c.last.openGaps()...)
		parts = append(parts, auditlog.Window{Start: c.last.ReadUntil, End: w.End})
	default:
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

// overlaps says whether the segment can hold entries of the window.
func (l *link) overlaps(w auditlog.Window) bool {
	return l.segment != nil && l.segment.From.Before(w.End) && w.Start.Before(l.segment.Until)
}

// within returns the segments that can hold entries of the window, by their first
// entry.
func (c *chain) within(w auditlog.Window) []*link {
	var links []*link

	for i := range c.links {
		if l := &c.links[i]; l.overlaps(w) {
			links = append(links, l)
		}
	}

	slices.SortStableFunc(links, func(a, b *link) int { return a.segment.From.Compare(b.segment.From) })

	return links
}

// termsOf returns what was in force when the window was archived.
func (c *chain) termsOf(w auditlog.Window) []*terms {
	var all []*terms

	for i := range c.links {
		l := &c.links[i]
		covers := l.covers.Start.Before(w.End) && w.Start.Before(l.covers.End)

		if (l.overlaps(w) || covers) && !slices.Contains(all, l.terms) {
			all = append(all, l.terms)
		}
	}

	return all
}
