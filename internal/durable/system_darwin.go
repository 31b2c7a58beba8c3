// SPDX-License-Identifier: MPL-2.0

//nolint:wrapcheck // The caller names the operation and the files.
package durable

import "golang.org/x/sys/unix"

// renameNew moves a file unless the new name is taken. A file system that does not know
// the flag answers ENOTSUP.
func renameNew(oldPath, newPath string) error {
	return unix.RenamexNp(oldPath, newPath, unix.RENAME_EXCL)
}
