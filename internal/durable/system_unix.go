// SPDX-License-Identifier: MPL-2.0

//go:build !windows

//nolint:wrapcheck // The operating system names the operation and the file in its errors.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func setFilePermission(f *os.File, permission fs.FileMode) error { return f.Chmod(permission) }

// syncUnsupported recognises what file systems without sync answer; ENOTTY is
// macOS on a network share.
func syncUnsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOTTY)
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}

	err = d.Sync()
	if err != nil && syncUnsupported(err) {
		err = nil
	}

	return errors.Join(err, d.Close())
}

// isNotDirectory recognises a path that leads through a file.
func isNotDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// linkUnsupported recognises a file system without hard links, or a file that can
// have no more of them.
func linkUnsupported(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) ||
		errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EMLINK)
}
