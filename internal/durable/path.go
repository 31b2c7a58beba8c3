// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

var (
	// addressLike is an address whose slashes may have been taken away: "s3:/bucket".
	// The name of a drive has one letter.
	addressLike = regexp.MustCompile(`^(?i:[a-z][a-z0-9+.-]+:[/\\]|(s3|file):)`)
	homeLike    = regexp.MustCompile(`^(~|\$\{?[A-Za-z_]|%[A-Za-z_]+%)`)
)

// CheckPath refuses what is not the path of a file or directory on this machine, but
// would become one: an address, and what only a shell replaces. Its errors are
// *DestinationError.
func CheckPath(path string) error {
	switch {
	case path == "":
		return &DestinationError{"", "empty"}
	case strings.ContainsRune(path, 0):
		return &DestinationError{"", "text with a zero byte"}
	case strings.TrimFunc(path, unicode.IsSpace) != path:
		return &DestinationError{"", "a path with white space around it"}
	case addressLike.MatchString(path):
		return &DestinationError{"", "an address, not a path on this machine"}
	case homeLike.MatchString(path):
		return &DestinationError{"", "a path that a shell would replace a part of, and here is no shell; write pathexpand(\"~/…\") or an absolute path, or \"./\" in front if the name is meant"}
	case isHiddenName(filepath.Base(filepath.ToSlash(path))):
		return &DestinationError{"", "a name that only the provider's own temporary files have"}
	default:
		return nil
	}
}

// IsDirectoryPath says whether a path ends as only that of a directory does.
func IsDirectoryPath(path string) bool {
	base := filepath.Base(filepath.ToSlash(path))

	return path == "" || os.IsPathSeparator(path[len(path)-1]) || base == "." || base == ".."
}

// Key is the same for two paths that name the same file, whether or not it exists:
// written from the root, without links to directories, and in one case where the
// directory does not tell upper from lower case. It is no path to be opened.
func Key(path string) string {
	path = filepath.Clean(path)

	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}

	// The last name is the file's own: a link there is never followed.
	directory, missing := filepath.Dir(path), []string{filepath.Base(path)}

	for {
		resolved, err := filepath.EvalSymlinks(directory)
		if err == nil {
			key := filepath.Join(append([]string{resolved}, missing...)...)
			if ignoresCase(resolved) {
				key = strings.ToLower(key)
			}

			return key
		}

		parent := filepath.Dir(directory)
		if parent == directory {
			return path
		}

		directory, missing = parent, append([]string{filepath.Base(directory)}, missing...)
	}
}

// ignoresCase says whether a directory is found in another case as well.
func ignoresCase(directory string) bool {
	parent, name := filepath.Split(directory)

	other := strings.ToUpper(name)
	if other == name {
		other = strings.ToLower(name)
	}

	if other == name {
		return false // There are no letters to tell by.
	}

	a, err := os.Lstat(directory)
	if err != nil {
		return false
	}

	b, err := os.Lstat(parent + other) // A link of that name would be another name.

	return err == nil && os.SameFile(a, b)
}
