// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// Peeked is what the end of an archive says of it.
type Peeked struct {
	Service string
	Source  auditlog.Source
	// Format and Compression are those of the last segment, "" where there is none among
	// the last manifests.
	Format      format.Format
	Compression format.Compression
}

// Peek returns what the newest checkpoint leads to, for whoever knows nothing of an
// archive but its place.
func Peek(ctx context.Context, store durable.Store) (Peeked, error) {
	a := &Archive{o: Options{Store: store}}

	if err := a.load(ctx); err != nil {
		return Peeked{}, err
	}

	if a.point == nil {
		return Peeked{}, fmt.Errorf("%w at %s", ErrNone, store)
	}

	p := Peeked{Service: a.point.service()}
	if a.last != nil {
		p.Source = a.last.Source
	}

	for m, err := range a.log.newest() {
		if err != nil {
			return Peeked{}, err
		}

		if m.Segment != nil {
			p.Format, p.Compression = m.Segment.Format, m.Segment.Compression

			break
		}
	}

	return p, nil
}
