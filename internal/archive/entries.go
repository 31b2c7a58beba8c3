// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"fmt"
	"iter"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Entries yields what is archived, segment by segment, once the manifests have been
// found to be those of the log. An entry is yielded only when its segment is what its
// manifest says.
func Entries(ctx context.Context, store durable.Store) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		c, err := readChain(ctx, points{store: store})
		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		for _, l := range c.links {
			if l.segment == nil {
				continue
			}

			for e, err := range entriesOf(ctx, store, l.segment) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// entriesOf reads a segment that is what its manifest says.
func entriesOf(ctx context.Context, store durable.Store, s *Segment) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		data, err := readObject(ctx, store, s.Object, maxSegment)
		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		for e, err := range decodeSegment(data, s) {
			if err != nil {
				err = fmt.Errorf("%w: %s: %w", ErrBroken, s.Key, err)
			}

			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
