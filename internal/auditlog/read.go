// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"context"
	"errors"
)

// ErrUnproven is a reading that ended without an error, but without a proof as well.
var ErrUnproven = errors.New("the reading ended without a proof that it is complete")

// ReadAll has take look at every entry that answers the query, and returns the reading's
// statement. There is none where take or the reading fails, nor where nothing proves that
// the reading is complete. The entry is overwritten by the next one: take copies what it
// keeps.
func ReadAll(ctx context.Context, s Service, q Query, take func(*Entry) error) (Completeness, error) {
	var (
		c       Completeness
		current Entry // One for all: it would else be allocated for each.
	)

	for e, err := range s.Read(ctx, q, &c) {
		if err != nil {
			return Completeness{}, err
		}

		current = e

		if err := take(&current); err != nil {
			return Completeness{}, err
		}
	}

	if c.Proof == "" {
		return Completeness{}, ErrUnproven
	}

	return c, nil
}
