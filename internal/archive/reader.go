// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

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

	archived, ok := o.InfoOf(c.point.service())
	if !ok {
		return nil, &ReadError{
			Destination: store.String(),
			Err:         fmt.Errorf("%w: an archive of %s", ErrForeign, c.point.service()),
		}
	}

	return &Reader{store: store, chain: c, archived: archived}, nil
}

// Head returns the last manifest's number and hash.
func (r *Reader) Head() Head { return r.chain.last.head() }

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
		Name: auditlog.ServiceArchive, ArchivedFrom: r.archived.Cloud(), Title: r.archived.Title + "'s archive",
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
func (r *Reader) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.Completeness{Window: q.Window, Source: r.chain.source.Source}

	return func(yield func(auditlog.Entry, error) bool) {
		if filters := r.Unanswerable(q); len(filters) > 0 {
			yield(auditlog.Entry{}, r.fail(&UnanswerableError{filters}))

			return
		}

		c.Gaps, c.Caveats = r.Gaps(q.Window), r.caveats(q)

		for e, err := range auditlog.Select(q, r.info(), c, auditlog.ProofChain, r.pages(ctx, r.chain.within(q.Window), c)) {
			if !yield(e, err) {
				return
			}
		}
	}
}

func (r *Reader) fail(err error) error { return &ReadError{Destination: r.store.String(), Err: err} }

// pages yields the entries of segments, in the order of chain.within, one by one in order.
func (r *Reader) pages(
	ctx context.Context, links []*link, c *auditlog.Completeness,
) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		progress := auditlog.ProgressOf(ctx)

		for _, l := range links {
			progress.Expect(l.segment.EntryCount)
		}

		page := make([]auditlog.Entry, 1)

		for head, err := range sweep(links, r.segments(ctx, links, c)) {
			if err != nil {
				yield(nil, r.fail(err))

				return
			}

			c.RowsFetched++

			progress.Read(1)

			if head.copied {
				c.DuplicatesDropped++

				continue
			}

			page[0] = head.entries[0]

			if !yield(page, nil) {
				return
			}
		}

		// Each segment has as many as its manifest counts.
		claimed := c.RowsFetched
		c.ClaimedTotal = &claimed
	}
}

// segments yields the entries of each segment.
func (r *Reader) segments(
	ctx context.Context, links []*link, c *auditlog.Completeness,
) iter.Seq2[[]auditlog.Entry, error] {
	read := func(ctx context.Context, i int) ([]byte, error) {
		return readObject(ctx, r.store, links[i].segment.Object, links[i].sequence, maxSegment)
	}

	return func(yield func([]auditlog.Entry, error) bool) {
		for data, err := range ahead(ctx, len(links), segmentsAhead, read) {
			l := links[c.Pages]
			entries := make([]auditlog.Entry, 0, l.segment.EntryCount)

			if err == nil {
				for e, decodeErr := range l.segment.decode(data, l.sequence) {
					entries, err = append(entries, e), decodeErr
				}
			}

			c.Pages++

			if !yield(sorted(entries), err) {
				return
			}
		}
	}
}

// sorted puts the entries of a segment in order: a log brings late ones after younger ones.
func sorted(entries []auditlog.Entry) []auditlog.Entry {
	slices.SortStableFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) })

	return entries
}

// sweep merges segments, whose entries are given in the order of the links: each is opened when the sweep reaches
// its first entry, and let go of after its last, so that only those are in memory that overlap. It yields a segment
// for each of its entries, which is the first of those left. One that cannot be opened is yielded as an error, and so
// is, once, one that says of an entry something else than another one does.
func sweep(links []*link, segments iter.Seq2[[]auditlog.Entry, error]) iter.Seq2[*opened, error] {
	return func(yield func(*opened, error) bool) {
		next, stop := iter.Pull2(segments)
		defer stop()

		var (
			open []*opened
			last auditlog.Entry
		)

		for i := 0; i < len(links) || len(open) > 0; {
			var first *opened
			if len(open) > 0 {
				first = slices.MinFunc(open, (*opened).before)
			}

			if i < len(links) && (first == nil || !first.entries[0].Time.Before(links[i].segment.From)) {
				entries, err, _ := next()
				if err != nil && !yield(nil, err) {
					return
				}

				if err == nil && len(entries) > 0 {
					open = append(open, &opened{link: links[i], entries: entries})
				}

				i++

				continue
			}

			e := first.entries[0]
			if !yield(first, first.compare(&last)) {
				return
			}

			last, first.entries[0] = e, auditlog.Entry{} // What is behind the sweep may be collected.

			first.entries = first.entries[1:]
			open = slices.DeleteFunc(open, func(o *opened) bool { return len(o.entries) == 0 })
		}
	}
}

// opened is a segment that the sweep has reached.
type opened struct {
	link    *link
	entries []auditlog.Entry
	// copied says that an entry of the id and time of the first was swept already, and differs that any was another one.
	copied, differs bool
}

// compare finds out whether the next entry is a copy of the one before it in the sweep, which has to say the same.
func (o *opened) compare(last *auditlog.Entry) error {
	e := &o.entries[0]
	o.copied = last.ID == e.ID && last.Time.Equal(e.Time)

	if !o.copied || o.differs || content(last) == content(e) {
		return nil
	}

	o.differs = true

	const detail = "it holds an entry that differs from the one of the same id"

	return &Problem{FindingAltered, o.link.segment.Key, o.link.sequence, detail}
}

// before is the order of segments by each one's next entry. Of two copies the one that was
// archived first comes first.
func (o *opened) before(other *opened) int {
	return cmp.Or(auditlog.Compare(&o.entries[0], &other.entries[0]), cmp.Compare(o.link.sequence, other.link.sequence))
}

// FilterOptions implements auditlog.Service. The values are read off the window.
func (r *Reader) FilterOptions(ctx context.Context, q auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.Observe(ctx, r, q.Window)
}

// content is a hash of what an entry says, by which copies of one are compared. A record as it came keeps its white
// space in some formats and not in others, and of two runs one may have known whose log it is and the other not.
func content(e *auditlog.Entry) [sha256.Size]byte {
	raw := []byte(e.Raw)

	var compact bytes.Buffer
	if json.Compact(&compact, raw) == nil {
		raw = compact.Bytes()
	}

	one := *e
	one.Endpoint, one.Account, one.Changes, one.Raw = "", "", nil, nil
	one.Time = one.Time.UTC()

	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%#v %q", one, raw) // It never fails.

	for _, c := range e.Changes {
		_, _ = fmt.Fprintf(hash, " %q", c.Field)

		for _, value := range []*string{c.Before, c.After} {
			if value == nil {
				_, _ = fmt.Fprint(hash, " absent")
			} else {
				_, _ = fmt.Fprintf(hash, " %q", *value)
			}
		}
	}

	return [sha256.Size]byte(hash.Sum(nil))
}

// Summary says how an archive stands.
type Summary struct {
	// Newest is the end of the minute that holds the newest entry; zero without entries.
	Newest time.Time
	// CoveredUntil is up to when everything has been archived.
	CoveredUntil time.Time
	Entries      int64
	// Signed says that the newest checkpoint has a signature. SignedBy are the keys that
	// were asked for and have signed it.
	Signed   bool
	SignedBy string
}

// Summary returns how the archive stood when it was opened.
func (r *Reader) Summary() Summary {
	s := Summary{
		CoveredUntil: r.chain.last.CoveredUntil, Entries: r.chain.last.TotalCount,
		Signed: r.chain.point.signed, SignedBy: r.chain.point.signedBy(),
	}

	for i := range r.chain.links {
		if segment := r.chain.links[i].segment; segment != nil && segment.Until.After(s.Newest) {
			s.Newest = segment.Until
		}
	}

	return s
}
