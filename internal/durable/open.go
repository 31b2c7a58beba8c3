// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// StoreOptions say how a store does its work.
type StoreOptions struct {
	// Options are for directories: permissions, and a file system in tests.
	Options

	// ObjectLock, when not nil, protects what Create makes in a bucket.
	ObjectLock *ObjectLock

	// LookupEnv, when not nil, is asked for AWS variables before the process's
	// environment: keys, region, profile and the files that hold them.
	LookupEnv func(name string) (string, bool)
	// Transport sends requests, a standard one when nil.
	Transport http.RoundTripper
	// MaxRetries is how often a request is repeated that the service did not carry
	// out or did not answer: 4 times when zero, never when negative.
	MaxRetries int
	// RetryWaitMax bounds the growing, random wait in between, 20 s when zero.
	RetryWaitMax time.Duration
	// Timeout bounds one attempt, the sending or receiving of an object included;
	// 2 minutes when zero.
	Timeout time.Duration
}

const (
	defaultRetries      = 4
	defaultRetryWaitMax = 20 * time.Second
	defaultTimeout      = 2 * time.Minute
)

func (o StoreOptions) withDefaults() StoreOptions {
	o.MaxRetries = max(cmp.Or(o.MaxRetries, defaultRetries), 0)
	o.RetryWaitMax = cmp.Or(max(o.RetryWaitMax, 0), defaultRetryWaitMax)
	o.Timeout = cmp.Or(max(o.Timeout, 0), defaultTimeout)

	return o
}

// OpenStore returns the store at a destination. It reads the AWS configuration,
// but touches neither the directory nor the network, with the exception of
// profiles that ask another service for credentials. Errors are
// *DestinationError or *ObjectLockError, or say that the AWS configuration cannot be
// read.
func OpenStore(ctx context.Context, destination string, o StoreOptions) (Store, error) {
	d, err := ParseDestination(destination)
	if err != nil {
		return nil, err
	}

	if err := o.ObjectLock.Check(d); err != nil {
		return nil, err
	}

	if !d.S3() {
		return newDirectoryStore(d.Directory, o.Options), nil
	}

	return newBucketStore(ctx, d, o.withDefaults())
}

// Insist makes sure that a store refuses to create an object of the caller's own that it
// has, given its bytes. Servers that do not know the condition ignore it in silence, and
// some stop to know it once a bucket has versions, so only trying tells, each time. It
// returns ErrNotConditional when the store cannot be trusted, and the object is as it was
// then, or why it could not find out.
func Insist(ctx context.Context, s Store, key string, data []byte) error {
	// Other bytes than those that are there: a store whose answer gets lost compares.
	err := s.Create(ctx, key, []byte("audit probe "+rand.Text()+"\n"))

	switch {
	case errors.Is(err, ErrExists):
		return nil
	case err != nil:
		return fmt.Errorf("try %s: %w", s, err)
	}

	// The object must be as it was even when the caller has given up.
	if err := s.Replace(context.WithoutCancel(ctx), key, data); err != nil {
		return fmt.Errorf("%s %w, and %s holds a probe now: %w", s, ErrNotConditional, key, err)
	}

	return fmt.Errorf("%s %w", s, ErrNotConditional)
}

// Sweep removes what crashes left in a store that is no object, temporary files: what is
// known to be left over, and what was last written before a time. It returns how much. A
// time well in the past (a day) spares writers that are still at work; one whose file is
// removed fails, without harm. What belongs to others, or may not be removed, stays.
func Sweep(ctx context.Context, s Store, before time.Time) (int, error) {
	sweeper, ok := s.(interface {
		Sweep(ctx context.Context, before time.Time) (int, error)
	})
	if !ok {
		return 0, nil
	}

	return sweeper.Sweep(ctx, before)
}
