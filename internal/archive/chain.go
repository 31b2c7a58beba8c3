// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
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
	// previous is the SHA-256 of the manifest before, and gap what was given up with this one, nil where nothing was.
	previous string
	gap      *Gap
}

// terms are what was kept of the log and what was taken out of its entries, the
// same for many segments.
type terms struct {
	filters   map[string][]string
	redaction *redact.Statement
}

// chain is an archive whose manifests have all been read and are those of its log.
type chain struct {
	point *point
	log   *merkle
	links []link
	// last is the last manifest, nil where there is none.
	last *Manifest
	// source is whose log it is, as far as any manifest says.
	source redact.KeptSource
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
	case last == nil && len(points.verifiers) > 0 && !points.isEmpty(ctx):
		return nil, fmt.Errorf("%w: there is no checkpoint", ErrSignature)
	case last == nil:
		return nil, ErrNone
	}

	c := &chain{point: last, log: &merkle{Hash: last.Tree.Hash, store: points.store}}

	for _, err := range c.walk(c.leaves(ctx, points)) {
		if err != nil && points.outgrown(ctx, last, err) {
			return readChain(ctx, points)
		}

		if err != nil {
			return nil, err
		}
	}

	return c, nil
}

// walk reads the manifests that are the leaves of the log, in order, and yields each with what is wrong with it. Who
// reads stops at the first that is not as it has to be. Who verifies goes on: what comes after one that does not fit is
// still a part of the log, and so is what it names. Only the ones before it become links of the chain.
func (c *chain) walk(leaves iter.Seq2[[]byte, error]) iter.Seq2[*Manifest, error] {
	return func(yield func(*Manifest, error) bool) {
		number := int64(0)

		for text, err := range leaves {
			number++

			if err != nil {
				yield(nil, err)

				return
			}

			m, err := parseManifest(text, number)

			switch {
			case int64(len(c.links)) < number-1:
				err = nil // It would have to follow one that does not fit.
			case err == nil:
				err = c.add(m)
			}

			if !yield(m, err) {
				return
			}
		}
	}
}

// leaves yields the manifests in the bundles, and makes sure that they are those of the checkpoint.
func (c *chain) leaves(ctx context.Context, points points) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for bundle, err := range bundlesOf(ctx, points, c.point) {
			if err != nil {
				yield(nil, err)

				return
			}

			c.log.edge = bundle

			for _, text := range bundle {
				if err := c.log.add(text); !yield(text, err) {
					return
				}
			}
		}

		if root, err := c.log.root(); err != nil || c.log.N != c.point.Tree.N || root != c.point.Tree.Hash {
			yield(nil, fmt.Errorf("%w: its manifests are not those of %s", ErrBroken, checkpointKeyOf(c.point.Tree.N)))
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
			return nil, orMissing(bundleKey(n, width), err)
		}

		log, _, err := openLog(ctx, points, p)
		if err != nil {
			return nil, err
		}

		return log.edge, nil
	})
}

// add holds a manifest against those before it.
func (c *chain) add(m *Manifest) error {
	fail := func(what string) error { return manifestFault(m.text, m.Sequence, what) }

	total, covered := int64(0), m.Start
	if c.last != nil {
		total, covered = c.last.TotalCount, c.links[len(c.links)-1].covers.End
	}

	if m.Segment != nil {
		total += m.Segment.EntryCount
	}

	source := redact.Kept(m.Source, m.Redaction)

	switch {
	case m.Previous != c.last.head().SHA256:
		return fail("does not follow the one before")
	case m.Service != c.point.service():
		return fail("is of " + m.Service + ", not of " + c.point.service())
	case c.source.Differs(source):
		return fail(fmt.Sprintf("is of the log of %s, not of %s", m.Source, c.source))
	case m.TotalCount != total:
		return fail("counts entries that are not there")
	}

	if what := m.wrong(); what != "" {
		return fail(what)
	}

	t := &terms{filters: m.Filters, redaction: m.Redaction}
	if c.last != nil && reflect.DeepEqual(t, c.links[len(c.links)-1].terms) {
		t = c.links[len(c.links)-1].terms
	}

	if m.Gap != nil {
		c.gaps = append(c.gaps, auditlog.Window{Start: m.Gap.From, End: m.Gap.To})
	}

	// The last segments of a run can be of late entries, which cover less.
	c.links = append(c.links,
		link{
			m.Sequence, m.Segment, auditlog.Window{Start: covered, End: later(covered, m.CoveredUntil)}, t, m.Previous, m.Gap,
		})
	c.source = c.source.Then(source)
	c.last = m

	return nil
}

// unknown returns the parts of the window that the archive holds nothing about, in
// order: what lies before its start, what was lost, and what has yet to be
// archived.
func (c *chain) unknown(w auditlog.Window) []auditlog.Window {
	parts := slices.Clone(c.gaps)
	start, end := c.point.Covered.Start, c.point.Covered.End

	if c.last != nil {
		start, end = c.last.Start, c.last.CoveredUntil

		if c.last.complete() {
			parts, end = append(parts, c.last.openGaps()...), c.last.ReadUntil
		}
	}

	parts = append(parts, auditlog.Window{Start: w.Start, End: start}, auditlog.Window{Start: end, End: w.End})

	return auditlog.Union(parts, w)
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

	sortLinks(links)

	return links
}

// sortLinks puts segments into the order in which a sweep opens them.
func sortLinks(links []*link) {
	slices.SortStableFunc(links, func(a, b *link) int { return a.segment.From.Compare(b.segment.From) })
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
