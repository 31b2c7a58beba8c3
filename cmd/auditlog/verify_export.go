// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// errInvalidExport makes the exit code 1; what is wrong has been printed.
var errInvalidExport = &negativeError{"the export is not what it should be"}

// exportAt returns the path of the data where the destination names a file of an
// export. Whatever else is there, or in the way of looking, is for the archive to say.
func (c *verifyCommand) exportAt() (path string, ok bool) {
	if strings.Contains(c.Destination, "://") {
		return "", false
	}

	path = export.DataPath(c.Destination)
	found, err := export.IsAt(path)

	return path, err == nil && found
}

// exportsIn returns the paths of the exports in a directory that is no archive.
func (c *verifyCommand) exportsIn() []string {
	if strings.Contains(c.Destination, "://") || isArchive(c.Destination) {
		return nil
	}

	entries, err := os.ReadDir(c.Destination)
	if err != nil {
		return nil
	}

	var paths []string

	for _, e := range entries {
		path := export.DataPath(filepath.Join(c.Destination, e.Name()))
		if strings.HasSuffix(e.Name(), export.ManifestSuffix) && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}

	return paths
}

// verifyExports prints a report of each export and fails when anything is wrong.
func (c *verifyCommand) verifyExports(paths []string, env environment) error {
	if len(c.PublicKey)+len(c.Witness) > 0 || c.Quorum != nil || c.Head+c.Since+c.Origin+c.TimestampCertificates != "" {
		return errors.New("--public-key, --head, --since, --origin, --witness, --quorum and --timestamp-certificates are for archives, and " + strconv.Quote(paths[0]) + " is an export")
	}

	valid := true

	for i, path := range paths {
		report, err := export.Verify(path)
		if err != nil {
			return fmt.Errorf("verify %s: %w", strconv.Quote(path), err)
		}

		valid = valid && report.Valid

		if err := c.print(env, report, func() {
			if i > 0 {
				_, _ = fmt.Fprintln(env.stdout)
			}

			printExport(env.stdout, report)
		}); err != nil {
			return err
		}
	}

	if !valid {
		return errInvalidExport
	}

	return nil
}

func printExport(w io.Writer, r *export.Report) {
	line := func(key, value string) {
		// A name or a manifest may hold anything, also what a terminal obeys.
		if strings.ContainsFunc(value, func(c rune) bool { return !unicode.IsPrint(c) }) {
			value = strconv.QuoteToASCII(value)
		}

		_, _ = fmt.Fprintf(w, "%-14s %s\n", key, value)
	}

	line("Export", r.Path)

	if r.Service != "" {
		line("Service", r.Service)
		line("Format", string(r.Format))
		line("Entries", strconv.FormatInt(r.EntryCount, 10))
		line("From", r.WindowStart)
		line("To", r.WindowEnd)
	}

	if r.ManifestSHA256 != "" {
		line("Manifest", r.ManifestSHA256)
		line("Origin", "not checked: compare the line above with manifest_sha256 in Terraform's state, or with what auditlog printed")
	}

	for _, p := range r.Problems {
		line(strings.ToUpper(string(p.Finding)), p.Path+": "+p.Detail)
	}

	line("Verdict", verdict(len(r.Problems)))
}

func verdict(problems int) string {
	switch problems {
	case 0:
		return "OK"
	case 1:
		return "NOT OK: 1 finding"
	default:
		return fmt.Sprintf("NOT OK: %d findings", problems)
	}
}
