// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// setFilePermission does nothing: the only bit that Windows knows is read-only,
// and a read-only file could not be replaced by the next export.
func setFilePermission(*os.File, fs.FileMode) error { return nil }

func syncUnsupported(error) bool { return false }

// syncDirectory does nothing: Windows gives no handle on a directory that could
// be synced; NTFS keeps names in its own journal.
func syncDirectory(string) error { return nil }

// isNotDirectory recognises a path that leads through a file, which Windows
// reports like any path that does not exist.
func isNotDirectory(error) bool { return false }

// linkUnsupported recognises a file system without hard links: FAT answers
// ERROR_INVALID_FUNCTION (1), network shares ERROR_NOT_SUPPORTED (50).
func linkUnsupported(err error) bool {
	return errors.Is(err, syscall.Errno(1)) || errors.Is(err, syscall.Errno(50))
}
