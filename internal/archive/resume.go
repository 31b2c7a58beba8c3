// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

var _ auditlog.Resumer = (*Reader)(nil)

// resumeManifests is how many manifests Resume reads at most. It bounds what has to be read again where whoever follows
// the archive was stopped before the end.
const resumeManifests = 16

// Resume implements auditlog.Resumer: it yields the entries of what was archived behind a position, those that came
// late included. The link of a position is a Head as text, and "" is the beginning. It goes no further than
// resumeManifests, so that the position moves until it is the head.
//
// The log has to be a continuation of the one that the position is of. Where it is not, the error is ErrBroken.
func (r *Reader) Resume(
	ctx context.Context, from auditlog.Position, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.Completeness{Window: q.Window, Source: r.chain.source.Source, Resume: &from}

	return func(yield func(auditlog.Entry, error) bool) {
		if filters := r.Unanswerable(q); len(filters) > 0 {
			yield(auditlog.Entry{}, r.fail(&UnanswerableError{filters}))

			return
		}

		begin, err := r.chain.after(from.Link)
		if err != nil {
			yield(auditlog.Entry{}, r.fail(err))

			return
		}

		end := min(begin+resumeManifests, len(r.chain.links))
		links, gaps := r.chain.between(begin, end, q.Window)
		c.Gaps, c.Caveats = auditlog.Union(gaps, q.Window), r.caveats(q)

		for e, err := range auditlog.Select(q, r.info(), c, auditlog.ProofChain, r.pages(ctx, links, c)) {
			if !yield(e, err) || err != nil {
				return
			}
		}

		c.Resume = &auditlog.Position{Link: r.chain.headAt(end).String()}
	}
}

// between returns the segments of the manifests from one index to another that can hold entries of the window, and what
// was given up with these manifests.
func (c *chain) between(begin, end int, w auditlog.Window) (links []*link, gaps []auditlog.Window) {
	for i := begin; i < end; i++ {
		l := &c.links[i]
		if l.overlaps(w) {
			links = append(links, l)
		}

		if l.gap != nil {
			gaps = append(gaps, auditlog.Window{Start: l.gap.From, End: l.gap.To})
		}
	}

	sortLinks(links)

	return links, gaps
}

// headAt is the head that the log had at a size.
func (c *chain) headAt(size int) Head {
	if size < len(c.links) {
		return Head{Sequence: int64(size), SHA256: c.links[size].previous}
	}

	return c.last.head()
}

// after returns the index of the manifest that follows a head.
func (c *chain) after(link string) (int, error) {
	head, err := parseHead(cmp.Or(link, Head{}.String()))

	switch {
	case err != nil:
		return 0, err
	case head.Sequence > int64(len(c.links)):
		return 0, fmt.Errorf("%w: it was rolled back: its log has %d manifests, and %d were read", ErrBroken, len(c.links), head.Sequence)
	case c.headAt(int(head.Sequence)) != head:
		return 0, fmt.Errorf("%w: its log is not a continuation of the one that was read, whose size was %d", ErrBroken, head.Sequence)
	default:
		return int(head.Sequence), nil
	}
}

func parseHead(text string) (Head, error) {
	number, sum, ok := strings.Cut(text, ":")

	sequence, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok || sequence < 0 {
		return Head{}, errors.New("the place to go on from is not one in an archive")
	}

	return Head{Sequence: sequence, SHA256: sum}, nil
}
