// SPDX-License-Identifier: MPL-2.0

//nolint:wrapcheck // The caller names the operation and the files.
package durable

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNew moves a file unless the new name is taken. A file system that does not know
// the flag answers EINVAL.
func renameNew(oldPath, newPath string) error {
	err := unix.Renameat2(unix.AT_FDCWD, oldPath, unix.AT_FDCWD, newPath, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) {
		return errors.ErrUnsupported
	}

	return err
}
