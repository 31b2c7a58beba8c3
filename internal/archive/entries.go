// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Entries yields what is archived, segment by segment, and checks the chain while
// reading: an entry is yielded only when its segment is what its manifest says,
// and the manifest follows the one before.
func Entries(ctx context.Context, store durable.Store) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		a := &Archive{o: Options{Store: store}}
		previous := ""

		for sequence := int64(1); ; sequence++ {
			head, m, err := a.readManifest(ctx, sequence)
			if errors.Is(err, fs.ErrNotExist) {
				return
			}

			if err == nil && m.Previous != previous {
				err = fmt.Errorf("%w: %s does not follow the one before", ErrBroken, manifestKey(sequence))
			}

			if err != nil {
				yield(auditlog.Entry{}, err)

				return
			}

			previous = head.SHA256

			for e, err := range a.segmentEntries(ctx, m) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// segmentEntries reads a segment that is what its manifest says.
func (a *Archive) segmentEntries(ctx context.Context, m *Manifest) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		data, err := a.o.Store.Read(ctx, m.Segment.Key, maxSegment)
		if err == nil && sum(data) != m.Segment.SHA256 {
			err = fmt.Errorf("%w: %s is not what its manifest says", ErrBroken, m.Segment.Key)
		}

		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		for e, err := range decodeSegment(data, m.Segment) {
			if err != nil {
				err = fmt.Errorf("%w: %s: %w", ErrBroken, m.Segment.Key, err)
			}

			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
