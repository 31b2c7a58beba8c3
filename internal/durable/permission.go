// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"errors"
	"io/fs"
	"os"
)

// SetPermission changes the permission of the members of a set that are there. It
// changes none of them when one is not a regular file (ErrNotRegular), or has a
// second name (ErrLinked) and thus may be somebody else's file.
func SetPermission(path string, permission fs.FileMode, suffixes ...string) (err error) {
	files := make([]*os.File, 0, len(suffixes))

	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()

	// What was opened and looked at is what is changed, whatever takes its name.
	for _, suffix := range suffixes {
		f, err := openRegular(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}

		if err != nil {
			return err
		}

		files = append(files, f)

		origin, err := originOf(f)
		if err == nil && origin.Linked {
			err = pathError("chmod", path+suffix, ErrLinked)
		}

		if err != nil {
			return err
		}
	}

	for _, f := range files {
		if err := setFilePermission(f, permission.Perm()); err != nil {
			return err
		}
	}

	return nil
}
