// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// lockSuffix is what the name of a lock's file ends with.
const lockSuffix = ".lock"

// Lock is held by one at a time. It ends with its process at the latest, also where that is killed.
type Lock struct{ file *os.File }

// Acquire takes the lock of a path, which is a file beside it whose name ends in ".lock" and that stays. It makes the
// directory where that is missing. The error is ErrLocked where somebody else holds the lock. Where the file system has
// no locks it is another error: nobody could tell then whether somebody else is at work.
func Acquire(path string, o Options) (*Lock, error) {
	t, err := newTarget(path)
	if err != nil {
		return nil, err
	}

	if err := (store{OS()}).makeDirectories(t.dir, o.withDefaults().DirectoryPermission); err != nil {
		return nil, err
	}

	name := filepath.Join(t.dir, t.base+lockSuffix)

	f, err := openLock(name)
	if err != nil {
		return nil, err
	}

	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = pathError("lock", name, ErrNotRegular)
	}

	if err == nil {
		err = lockFile(f)
	}

	if err != nil {
		return nil, errors.Join(err, f.Close())
	}

	return &Lock{f}, nil
}

// Release gives the lock back.
func (l *Lock) Release() error {
	unmark(l.file) // A process that is just being started holds a copy of the file.

	return l.file.Close() //nolint:wrapcheck // It names the file.
}
