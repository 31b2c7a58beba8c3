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
	var c Completeness

	return c.prove(func() error {
		var current Entry // One for all: it would else be allocated for each.

		for e, err := range s.Read(ctx, q, &c) {
			if err != nil {
				return err
			}

			current = e

			if err := take(&current); err != nil {
				return err
			}
		}

		return nil
	})
}

// ReadAhead is ReadAll that reads while entries are taken, so that one processor reads and another one takes. What the
// service and the query call is called beside take.
func ReadAhead(ctx context.Context, s Service, q Query, take func(*Entry) error) (Completeness, error) {
	var c Completeness

	return c.prove(func() error {
		for e, err := range Ahead(ctx, s.Read(ctx, q, &c)) {
			if err == nil {
				err = take(e)
			}

			if err != nil {
				return err
			}
		}

		return nil
	})
}

// prove returns the statement of a reading, where that ended without an error and with a proof.
func (c *Completeness) prove(read func() error) (Completeness, error) {
	if err := read(); err != nil {
		return Completeness{}, err
	}

	if c.Proof == "" {
		return Completeness{}, ErrUnproven
	}

	return *c, nil
}
