// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openFile is a file that is there to be read.
type openFile struct {
	*os.File

	size int64
}

// Size implements content.
func (f openFile) Size() int64 { return f.size }

func openExport(name string) (content, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fileError(name, err)
	}

	// A pipe can be read only once.
	if !info.Mode().IsRegular() {
		return nil, &Error{File: name, Reason: "It is not a file that can be read twice, such as a directory or a pipe.", Next: "Name files, such as \"exports/*.csv\"."}
	}

	f, err := os.Open(name)
	if err != nil {
		return nil, fileError(name, err)
	}

	// The name may have been given to another file since.
	opened, err := f.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("it was replaced while it was opened")
	}

	if err != nil {
		return nil, fileError(name, errors.Join(err, f.Close()))
	}

	return openFile{File: f, size: opened.Size()}, nil
}

func fileError(name string, err error) error {
	reason := err.Error()
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		reason = pathErr.Err.Error()
	}

	return &Error{
		File: name, Reason: "The file cannot be read: " + reason + ".",
		Next: "Check the path and the file's permissions.",
	}
}

// find returns the files that the patterns name, by name, each once.
func find(patterns []string) ([]source, error) {
	names := []string{}

	for _, pattern := range patterns {
		matches, err := match(pattern)
		if err != nil {
			return nil, err
		}

		names = append(names, matches...)
	}

	slices.Sort(names)

	var (
		sources []source
		infos   []fs.FileInfo
	)

	for _, name := range slices.Compact(names) {
		info, err := os.Stat(name)
		if err != nil {
			return nil, fileError(name, err)
		}

		// Links lead to one file by two names.
		if slices.ContainsFunc(infos, func(known fs.FileInfo) bool { return os.SameFile(known, info) }) {
			continue
		}

		infos = append(infos, info)
		sources = append(sources, source{name: name, open: func() (content, error) { return openExport(name) }})
	}

	return sources, nil
}

// match expands a pattern. A name that is there is meant as it is, also where it
// holds signs that a pattern may: browsers save "export[1].csv".
func match(pattern string) ([]string, error) {
	if _, err := os.Stat(pattern); err == nil {
		return []string{filepath.Clean(pattern)}, nil
	}

	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, &Error{
			File: pattern, Reason: "The pattern is not one.",
			Next: "Close every bracket, or leave brackets out.",
		}
	}

	if len(names) == 0 {
		next := "Check the path; relative ones begin where Terraform runs, so ${path.module} in front is safest."
		if strings.HasPrefix(pattern, "~") {
			next = "Write pathexpand(\"" + pattern + "\"): a ~ is not expanded."
		}

		return nil, &Error{File: pattern, Reason: "No file matches.", Next: next}
	}

	for i := range names {
		names[i] = filepath.Clean(names[i])
	}

	return names, nil
}
