// SPDX-License-Identifier: MPL-2.0

package export

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// ErrNone says that no manifest of an export is beside a path.
var ErrNone = errors.New("no manifest of this tool describes an export of that name")

// Description is what a manifest says of an export, as far as it says how to ask for
// the same, and what came of it. Times are in auditlog.TimeLayout.
type Description struct {
	Asked

	// Hidden lists the arguments that the manifest does not say, as it shows "***".
	Hidden []string
	// Where is the condition as it was written, "" where there is none.
	Where       string
	Compression format.Compression
	Shape       format.Shape
	// Rules are those of redaction that were written down, nil where there are none.
	Rules           map[string]string
	SpreadsheetSafe bool
	// CSV is how a CSV file is divided, nil for other formats.
	CSV *format.CSVOptions

	EntryCount     int64
	Bytes          int64
	SHA256         string
	ManifestSHA256 string
	ExportedAt     string
	WindowStart    string
	WindowEnd      string
	// FirstTime and LastTime are "" where there is no entry.
	FirstTime string
	LastTime  string
	Statement Statement
	Source    auditlog.Source
}

// Describe reads the manifest of an export. It does not look at the data. Where there
// is none, the error holds ErrNone.
func Describe(path string) (Description, error) {
	path = filepath.Clean(path)

	m, file, ours, err := readManifest(path)
	if err != nil {
		return Description{}, err
	}

	if !ours {
		return Description{}, &fs.PathError{Op: "read", Path: path + ManifestSuffix, Err: ErrNone}
	}

	sum, _, err := durable.Hash(path + ManifestSuffix)
	if err != nil {
		return Description{}, err
	}

	d := Description{
		Asked: m.asked(), Compression: m.Compression, Shape: m.Shape, SpreadsheetSafe: m.SpreadsheetSafe, CSV: m.CSV,
		EntryCount: m.EntryCount, Bytes: file.Bytes, SHA256: file.SHA256, ManifestSHA256: sum,
		ExportedAt: m.ExportedAt, WindowStart: m.Window.Start, WindowEnd: m.Window.End,
		Statement: m.Completeness, Source: m.Source, Where: said(m.Query.Where), Rules: m.Redaction.Written(),
	}

	if m.Redaction != nil {
		d.Hidden = d.hidden()
	}

	if m.FirstEntry != nil && m.LastEntry != nil {
		d.FirstTime, d.LastTime = m.FirstEntry.Time, m.LastEntry.Time
	}

	return d, nil
}

// DefaultColumns says whether the export has the columns that it has where none are
// named.
func (d *Description) DefaultColumns() bool {
	s := Spec{Shape: d.Shape, Format: d.Format}

	return slices.Equal(d.Columns, s.columnNames())
}
