// SPDX-License-Identifier: MPL-2.0

package export

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// Finding says what is wrong with a file of an export, in the words that are used of
// archives.
type Finding string

// The findings.
const (
	FindingAltered    Finding = "altered"    // not the bytes that another file names
	FindingMissing    Finding = "missing"    // not there
	FindingUnreadable Finding = "unreadable" // cannot be read as what it should be
)

// Problem is one thing wrong with an export.
type Problem struct {
	Finding Finding `json:"finding"`
	Path    string  `json:"path"`
	Detail  string  `json:"detail"`
}

// Report is what Verify found.
type Report struct {
	Path string `json:"path"`
	// Valid says that there is no problem.
	Valid bool `json:"valid"`
	// What the manifest says.
	Service    string        `json:"service"`
	Format     format.Format `json:"format"`
	EntryCount int64         `json:"entry_count"`
	// WindowStart and WindowEnd are "" where there is no manifest.
	WindowStart string `json:"window_start"`
	WindowEnd   string `json:"window_end"`
	// SHA256 and ManifestSHA256 are those of the files as they are, "" where there is
	// none. Nothing here proves who wrote them: that does what Terraform's state holds.
	SHA256         string `json:"sha256"`
	ManifestSHA256 string `json:"manifest_sha256"`
	// Problems are in the order checksum file, manifest, data.
	Problems []Problem `json:"problems"`
}

// AfterRestoring is in the detail of a file that looks as if nobody had meant to
// change what it says.
const AfterRestoring = "it matches after line endings are restored, which programs such as Git change"

// DataPath returns the path of the data of an export, given that of any of its files.
func DataPath(path string) string {
	for _, suffix := range []string{ManifestSuffix, ChecksumSuffix} {
		if data, ok := strings.CutSuffix(path, suffix); ok {
			return data
		}
	}

	return path
}

// IsAt says that there is an export at the path of its data, or what is left of one.
func IsAt(path string) (bool, error) {
	for _, suffix := range []string{"", ManifestSuffix, ChecksumSuffix} {
		status, err := durable.Stat(path + suffix)
		if err != nil || status.Regular() {
			return err == nil, err
		}
	}

	return false, nil
}

// Verify holds the three files of an export against each other. An error means that
// looking itself failed; what is wrong with the export is in the report.
func Verify(path string) (*Report, error) {
	v := &verification{path: path, base: filepath.Base(path), report: &Report{Path: path, Problems: []Problem{}}}

	for _, look := range []func() error{v.readSums, v.readManifest, v.readData} {
		if err := look(); err != nil {
			return nil, err
		}
	}

	v.report.Valid = len(v.report.Problems) == 0

	return v.report, nil
}

type verification struct {
	path, base string
	report     *Report

	// What the checksum file says, "" where it does not.
	dataSum, manifestSum string
	// named is what the manifest says of the data, if that can be believed.
	named manifestFile
}

func (v *verification) found(f Finding, suffix, detail string) {
	v.report.Problems = append(v.report.Problems, Problem{Finding: f, Path: v.path + suffix, Detail: detail})
}

// notThere makes a problem of a file that is not there or is none.
func (v *verification) notThere(err error, suffix string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.found(FindingMissing, suffix, "it is not there")
	case errors.Is(err, durable.ErrNotRegular), errors.Is(err, durable.ErrTooLarge):
		v.found(FindingUnreadable, suffix, err.Error())
	default:
		return err
	}

	return nil
}

func (v *verification) readSums() error {
	text, err := durable.Read(v.path+ChecksumSuffix, manifestLimit)
	if err != nil {
		return v.notThere(err, ChecksumSuffix)
	}

	unix := string(durable.UnixLineEndings(text))
	data, manifest := sumsOf(unix)

	switch {
	case unix != checksums(v.base, data, manifest):
		v.found(FindingUnreadable, ChecksumSuffix, "it is not a checksum file of "+v.base+" and its manifest")
	case unix != string(text):
		v.found(FindingAltered, ChecksumSuffix, AfterRestoring)

		fallthrough
	default:
		v.dataSum, v.manifestSum = data, manifest
	}

	return nil
}

// sumsOf returns what stands where the sums of a checksum file do.
func sumsOf(text string) (data, manifest string) {
	first, rest, _ := strings.Cut(text, "\n")
	data, _, _ = strings.Cut(strings.TrimPrefix(first, `\`), " ")
	manifest, _, _ = strings.Cut(strings.TrimPrefix(rest, `\`), " ")

	return data, manifest
}

func (v *verification) readManifest() error {
	text, err := durable.Read(v.path+ManifestSuffix, manifestLimit)
	if err != nil {
		return v.notThere(err, ManifestSuffix)
	}

	if v.report.ManifestSHA256, err = v.compare(ManifestSuffix, v.manifestSum, "the checksum file"); err != nil {
		return err
	}

	var m manifest
	if err := exactjson.Unmarshal(text, &m); err != nil {
		v.found(FindingUnreadable, ManifestSuffix, "it is not a manifest")

		return nil //nolint:nilerr // Reported above.
	}

	named, ours := m.describes(v.base)
	if !ours {
		v.found(FindingAltered, ManifestSuffix, "it says nothing of "+v.base)

		return nil
	}

	r := v.report
	r.Service, r.Format, r.EntryCount, r.WindowStart, r.WindowEnd = m.Service, m.Format, m.EntryCount, m.Window.Start,
		m.Window.End
	v.named = named

	return nil
}

func (v *verification) readData() error {
	expected, by := v.named.SHA256, "the manifest"

	switch {
	case expected == "":
		expected, by = v.dataSum, "the checksum file"
	case v.dataSum != "" && v.dataSum != expected:
		v.found(FindingAltered, ChecksumSuffix, "it names another SHA-256 of the data than the manifest")
	}

	var err error
	v.report.SHA256, err = v.compare("", expected, by)

	return v.notThere(err, "")
}

// compare returns the SHA-256 of a file, having held it against the one that another
// file names, if any does.
func (v *verification) compare(suffix, expected, by string) (string, error) {
	sum, _, err := durable.Hash(v.path + suffix)
	if err != nil || expected == "" || sum == expected {
		return sum, err
	}

	restored, err := durable.RestoresTo(v.path+suffix, expected)
	if err != nil {
		return "", err
	}

	detail := "it is not what " + by + " says"
	if restored {
		detail += "; " + AfterRestoring
	}

	v.found(FindingAltered, suffix, detail)

	return sum, nil
}
