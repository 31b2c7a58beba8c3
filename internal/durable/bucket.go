// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"context"
	"errors"
	"iter"
)

// ErrExists is returned by Store.Create when there is an object under the key.
var ErrExists = errors.New("exists already")

// Object is one object of a store.
type Object struct {
	// Key is its name: parts joined by slashes, whatever the store.
	Key  string
	Size int64
}

// Store holds whole objects under keys. Whoever looks sees an object as it was
// given or not at all, also after a crash. Objects are small enough for memory.
//
// Errors answer errors.Is: fs.ErrNotExist for a missing object or bucket,
// fs.ErrPermission for a refused one, ErrExists, ErrTooLarge.
type Store interface {
	// String names the place as users write it, without any secret.
	String() string
	// Create makes an object under a key that has none, or returns ErrExists. Of
	// two that create the same key at the same time, one succeeds.
	Create(ctx context.Context, key string, data []byte) error
	// Replace makes an object, whatever is there.
	Replace(ctx context.Context, key string, data []byte) error
	// Read returns an object of at most limit bytes.
	Read(ctx context.Context, key string, limit int64) ([]byte, error)
	// List yields the objects whose keys begin with prefix, in the order of keys.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Delete removes an object; a missing one is fine.
	Delete(ctx context.Context, key string) error
}
