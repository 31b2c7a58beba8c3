// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// segmentsAhead is how many segments are fetched at the same time. Together with
// those that overlap in time it bounds what reading back holds in memory.
const segmentsAhead = 4

// ReaderOptions say what else is known of an archive that is read back.
type ReaderOptions struct {
	// Verifiers are the keys one of which must have signed the checkpoint; with none, any
	// signature is accepted, and none.
	Verifiers []note.Verifier
	// InfoOf returns what is known of the service whose log was archived.
	InfoOf func(service string) (auditlog.Info, bool)
}

// Reader reads an archive back as if it were the service that it is of. It
// implements auditlog.Service and writes nothing.
//
// Opening it has verified the log: the manifests are the leaves whose root the
// checkpoint says. Reading then opens the segments that can hold
// entries of the window, and no other; each has to be what its manifest says. It
// does not look for files that the log does not lead to, which is for Verify.
type Reader struct {
	store durable.Store
	chain *chain
	// archived is the service whose log it is.
	archived auditlog.Info
}

var _ auditlog.Answerer = (*Reader)(nil)

// ReadError is any error of opening or reading an archive.
type ReadError struct {
	// Destination is the archive.
	Destination string
	Err         error
}

func (e *ReadError) Error() string {
	return fmt.Sprintf("read the archive at %s: %v", e.Destination, e.Err)
}

func (e *ReadError) Unwrap() error { return e.Err }

// UnanswerableError says that a part of the window was archived in a way that
// leaves a filter nothing to find, whatever happened.
type UnanswerableError struct{ Filters []*auditlog.UnanswerableError }

func (e *UnanswerableError) Error() string { return e.Filters[0].Reason }

// OpenReader reads and verifies the chain of the archive at the store. Errors are
// *ReadError, and one of ErrNone, ErrBroken, ErrSignature and ErrForeign where it
// is the archive's fault.
func OpenReader(ctx context.Context, store durable.Store, o ReaderOptions) (*Reader, error) {
	c, err := readChain(ctx, points{store, o.Verifiers})
	if err != nil {
		return nil, &ReadError{Destination: store.String(), Err: err}
	}

	archived, ok := o.InfoOf(c.service)
	if !ok {
		return nil, &ReadError{Destination: store.String(), Err: fmt.Errorf("%w: an archive of %s", ErrForeign, c.service)}
	}

	return &Reader{store: store, chain: c, archived: archived}, nil
}

// Head returns the last manifest's number and hash.
func (r *Reader) Head() Head { return r.chain.head }

// Info implements auditlog.Service: what is known of the service that was archived,
// without the fields that every segment has lost to redaction.
func (r *Reader) Info() auditlog.Info {
	info := r.info()

	for i := range r.chain.links {
		redacted := r.chain.links[i].terms.redacted()

		if i == 0 {
			info.Redacted = redacted
		}

		info.Redacted = slices.DeleteFunc(info.Redacted, func(field string) bool { return !slices.Contains(redacted, field) })
	}

	return info
}

func (r *Reader) info() auditlog.Info {
	return auditlog.Info{
		Name: auditlog.ServiceArchive, Of: r.archived.Cloud(), Title: r.archived.Title + "'s archive",
		Source:        r.chain.source.Source,
		NeverRecorded: r.archived.NeverRecorded, Operations: r.archived.Operations, OperationOf: r.archived.OperationOf,
		KnowsAction: r.archived.KnowsAction, NeverOperations: r.archived.NeverOperations, UniqueActor: r.archived.UniqueActor,
		Values: r.values(), Varies: r.archived.Varies,
	}
}

// values is what is known of the values of fields: an archive knows those that it
// has seen.
func (r *Reader) values() map[string]auditlog.Values {
	values := map[string]auditlog.Values{}

	for field, known := range r.archived.Values {
		known.Listed = !known.Closed
		values[field] = known
	}

	return values
}

// Gaps returns the parts of the window that the archive holds nothing about.
func (r *Reader) Gaps(w auditlog.Window) []auditlog.Window { return r.chain.unknown(w) }

// Unanswerable lists the filters that cannot be answered for some part of the
// window, given what was kept of it and how.
func (r *Reader) Unanswerable(q auditlog.Query) []*auditlog.UnanswerableError {
	info := r.info()

	var excluded []*auditlog.UnanswerableError

	for _, t := range r.chain.termsOf(q.Window) {
		for _, field := range t.redacted() {
			if !slices.Contains(info.Redacted, field) {
				info.Redacted = append(info.Redacted, field)
			}
		}

		for _, u := range t.excludes(q) {
			if !slices.ContainsFunc(excluded, func(o *auditlog.UnanswerableError) bool { return *o == *u }) {
				excluded = append(excluded, u)
			}
		}
	}

	return append(q.Unanswerable(info), excluded...)
}

// caveats says what a query over the window cannot show.
func (r *Reader) caveats(q auditlog.Query) []string {
	var all []string

	for _, t := range r.chain.termsOf(q.Window) {
		for _, c := range t.caveats(q) {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}

	return all
}

// Read implements auditlog.Service. Entries come in the order of
// auditlog.Compare.
//
// An entry that is archived twice counts once, and as a duplicate dropped; two
// different ones with the same id and time are an error, since which of them is
// true is not for a reader to say.
func (r *Reader) Read(ctx context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.Completeness{Window: q.Window, Source: r.chain.source.Source}

	return func(yield func(auditlog.Entry, error) bool) {
		if filters := r.Unanswerable(q); len(filters) > 0 {
			yield(auditlog.Entry{}, r.fail(&UnanswerableError{filters}))

			return
		}

		c.Gaps, c.Caveats = r.Gaps(q.Window), r.caveats(q)

		for e, err := range auditlog.Select(q, r.info(), c, auditlog.ProofChain, r.pages(ctx, q.Window, c)) {
			if !yield(e, err) {
				return
			}
		}
	}
}

func (r *Reader) fail(err error) error { return &ReadError{Destination: r.store.String(), Err: err} }

// pages yields the entries of the segments that can hold some of the window, one
// by one in order, and makes sure that there are as many as the chain says.
func (r *Reader) pages(ctx context.Context, w auditlog.Window, c *auditlog.Completeness) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		var (
			last auditlog.Entry
			seen bool
		)

		links := r.chain.within(w)
		claimed := int64(0)
		page := make([]auditlog.Entry, 1)

		for _, l := range links {
			claimed += l.segment.EntryCount
		}

		for head, err := range r.sweep(ctx, links, c) {
			if err != nil {
				yield(nil, r.fail(err))

				return
			}

			e := head.entry()
			c.RowsFetched++

			if seen && last.ID == e.ID && last.Time.Equal(e.Time) {
				if !same(last, e) {
					yield(nil, r.fail(fmt.Errorf("%w: %s holds an entry that differs from the one of the same id", ErrBroken, head.link.segment.Key)))

					return
				}

				c.DuplicatesDropped++

				continue
			}

			page[0], last, seen = e, e, true

			if !yield(page, nil) {
				return
			}
		}

		if c.RowsFetched != claimed {
			yield(nil, r.fail(fmt.Errorf("%w: its manifests count %d entries where there are %d", ErrBroken, claimed, c.RowsFetched)))

			return
		}

		c.ClaimedTotal = &claimed
	}
}

// sweep merges segments: each is opened when the sweep reaches its first entry,
// and let go of after its last, so that only those are in memory that overlap.
func (r *Reader) sweep(ctx context.Context, links []*link, c *auditlog.Completeness) iter.Seq2[*opened, error] {
	return func(yield func(*opened, error) bool) {
		next, stop := iter.Pull2(ahead(ctx, len(links), segmentsAhead, func(ctx context.Context, i int) ([]byte, error) {
			return r.fetch(ctx, links[i])
		}))
		defer stop()

		var open segments

		for i := 0; i < len(links) || len(open) > 0; {
			if i < len(links) && (len(open) == 0 || !open[0].entries[0].Time.Before(links[i].segment.From)) {
				data, err, _ := next()
				if err != nil {
					yield(nil, err)

					return
				}

				entries, err := links[i].decode(data)
				if err != nil {
					yield(nil, err)

					return
				}

				c.Pages++
				i++

				heap.Push(&open, &opened{link: links[i-1], entries: entries})

				continue
			}

			if !yield(open[0], nil) {
				return
			}

			if open[0].pass() {
				heap.Pop(&open)
			} else {
				heap.Fix(&open, 0)
			}
		}
	}
}

// fetch returns a segment that is what its manifest says.
func (r *Reader) fetch(ctx context.Context, l *link) ([]byte, error) {
	return readObject(ctx, r.store, l.segment.Object, maxSegment)
}

// decode returns the segment's entries in order: a log brings late ones after
// younger ones.
func (l *link) decode(data []byte) ([]auditlog.Entry, error) {
	s := l.segment
	entries := make([]auditlog.Entry, 0, s.EntryCount)

	for e, err := range decodeSegment(data, s) {
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrBroken, s.Key, err)
		}

		if int64(len(entries)) == s.EntryCount {
			return nil, fmt.Errorf("%w: %s holds more than the %d entries that %s says", ErrBroken, s.Key, s.EntryCount, manifestName(l.sequence))
		}

		entries = append(entries, e)
	}

	if int64(len(entries)) != s.EntryCount {
		return nil, fmt.Errorf("%w: %s holds %d entries where %s says %d", ErrBroken, s.Key, len(entries), manifestName(l.sequence), s.EntryCount)
	}

	slices.SortStableFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	if !s.holds(entries[0].Time) || !s.holds(entries[len(entries)-1].Time) {
		return nil, fmt.Errorf("%w: %s holds entries of other times than %s says", ErrBroken, s.Key, manifestName(l.sequence))
	}

	return entries, nil
}

// opened is a segment that the sweep has reached.
type opened struct {
	link    *link
	entries []auditlog.Entry
}

func (o *opened) entry() auditlog.Entry { return o.entries[0] }

// pass goes to the next entry and says whether there is none.
func (o *opened) pass() bool {
	o.entries[0] = auditlog.Entry{} // What is behind the sweep may be collected.
	o.entries = o.entries[1:]

	return len(o.entries) == 0
}

// segments is a heap by each one's next entry. Of two copies the one that was
// archived first comes first.
type segments []*opened

// Len implements heap.Interface.
func (s *segments) Len() int { return len(*s) }

// Swap implements heap.Interface.
func (s *segments) Swap(i, j int) { (*s)[i], (*s)[j] = (*s)[j], (*s)[i] }

// Less implements heap.Interface.
func (s *segments) Less(i, j int) bool {
	a, b := (*s)[i], (*s)[j]
	if order := auditlog.Compare(&a.entries[0], &b.entries[0]); order != 0 {
		return order < 0
	}

	return a.link.sequence < b.link.sequence
}

// Push implements heap.Interface.
func (s *segments) Push(x any) {
	if o, ok := x.(*opened); ok {
		*s = append(*s, o)
	}
}

// Pop implements heap.Interface.
func (s *segments) Pop() any {
	n := len(*s) - 1
	o := (*s)[n]
	(*s)[n], *s = nil, (*s)[:n]

	return o
}

// FilterOptions implements auditlog.Service. The values are read off the window.
func (r *Reader) FilterOptions(ctx context.Context, q auditlog.Query) (auditlog.FilterOptions, error) {
	var c auditlog.Completeness

	return auditlog.Observe(r.Read(ctx, auditlog.Query{Window: q.Window}, &c))
}

// same says that two archived copies are of one record. A record as it came keeps
// its white space in some formats and not in others, and of two runs one may have
// known whose log it is and the other not.
func same(a, b auditlog.Entry) bool {
	for _, e := range []*auditlog.Entry{&a, &b} {
		var raw bytes.Buffer
		if json.Compact(&raw, e.Raw) == nil {
			e.Raw = raw.Bytes()
		}

		e.Endpoint, e.Account = "", ""
		e.Changes = slices.Clip(append([]auditlog.Change{}, e.Changes...))
	}

	return reflect.DeepEqual(a, b)
}
