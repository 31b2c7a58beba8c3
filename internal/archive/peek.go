// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Peek returns the manifest that the checkpoint names, for whoever knows nothing
// of an archive but its place.
func Peek(ctx context.Context, store durable.Store) (*Manifest, error) {
	a := &Archive{o: Options{Store: store}}

	point, err := a.readCheckpoint(ctx)
	if err != nil {
		return nil, err
	}

	if point == nil {
		return nil, fmt.Errorf("%w at %s", ErrNone, store)
	}

	if err := a.follow(ctx, *point); err != nil {
		return nil, err
	}

	return a.last, nil
}
