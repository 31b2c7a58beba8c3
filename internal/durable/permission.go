// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"errors"
	"io/fs"
	"os"
)

// SetPermission changes the permission of the members of a set that are there.
func SetPermission(path string, permission fs.FileMode, suffixes ...string) error {
	for _, suffix := range suffixes {
		err := os.Chmod(path+suffix, permission.Perm())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err //nolint:wrapcheck // A *fs.PathError says it all.
		}
	}

	return nil
}
