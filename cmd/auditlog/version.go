// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

// versionCommand says which build this is.
type versionCommand struct{}

// Help shows it.
func (*versionCommand) Help() string {
	return `Put what it prints into a report of a fault. --version prints the version alone.

Example:

    auditlog version`
}

// Run prints it.
func (*versionCommand) Run(env environment) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}

	b := buildOf(info)
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)

	for _, line := range [][2]string{
		{"auditlog", b.version},
		{"commit", b.commit},
		{"date", b.date},
		{"go", b.goVersion},
		{"platform", runtime.GOOS + "/" + runtime.GOARCH},
	} {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}

	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the version: %w", err)
	}

	return nil
}

// build is what a program was built from. What nobody knows is said to be unknown.
type build struct {
	version string
	// commit is the whole hash, and says so where files had been changed. date is that of the commit, RFC 3339.
	commit, date string
	goVersion    string
}

const notRecorded = "not recorded"

// buildOf prefers what the linker was told (version, commit and commitDate) to what Go records by itself.
func buildOf(info *debug.BuildInfo) build {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}

	b := build{
		version: version, commit: cmp.Or(commit, settings["vcs.revision"], notRecorded),
		date: cmp.Or(commitDate, settings["vcs.time"], notRecorded), goVersion: strings.TrimPrefix(runtime.Version(), "go"),
	}

	if commit == "" && settings["vcs.modified"] == "true" {
		b.commit += ", with changes"
	}

	// go install MODULE@VERSION tells the linker nothing.
	if v := info.Main.Version; version == unreleased && v != "" && v != "(devel)" {
		b.version = strings.TrimPrefix(v, "v")
	}

	return b
}
