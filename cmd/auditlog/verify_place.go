// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// partsOfArchives are the names that an archive has at its root, one of which at least is left of a damaged one.
var partsOfArchives = []string{"checkpoint", "checkpoints", "manifests", "tile", "supplements"}

// isArchive says whether a directory holds an archive, or what is left of one.
func isArchive(directory string) bool {
	for _, name := range partsOfArchives {
		if _, err := os.Lstat(filepath.Join(directory, name)); err == nil {
			return true
		}
	}

	return false
}

// checkKind says what is at a path that is no archive, and what to type instead.
func (c *verifyCommand) checkKind() error {
	if strings.Contains(c.Destination, "://") || isArchive(c.Destination) {
		return nil
	}

	quoted := strconv.Quote(c.Destination)

	info, err := os.Stat(c.Destination)

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is nothing at %s", quoted)
	case err != nil:
		return fmt.Errorf("look at %s: %w", quoted, err)
	case !info.IsDir():
		return fmt.Errorf("%s is neither an export nor a proof: give a file of an export, which has its manifest beside it, or the directory of an archive", quoted)
	}

	entries, err := os.ReadDir(c.Destination)
	if err != nil {
		return fmt.Errorf("look at %s: %w", quoted, err)
	}

	if len(entries) == 0 {
		return fmt.Errorf("%s is empty", quoted)
	}

	for _, e := range entries {
		below := filepath.Join(c.Destination, e.Name())
		if e.IsDir() && isArchive(below) {
			return fmt.Errorf("%s is no archive, but there is one below it: type auditlog verify %s", quoted,
				strconv.Quote(below))
		}
	}

	return fmt.Errorf("%s holds no archive and no export", quoted)
}
