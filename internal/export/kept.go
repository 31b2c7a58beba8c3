// SPDX-License-Identifier: MPL-2.0

package export

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Why the entries of an export cannot be read back.
var (
	// ErrNotReadBack means that the file is not in a form that holds all of an entry.
	ErrNotReadBack = errors.New("only exports as NDJSON or Parquet, in the shape of entries, can be read back")
	// ErrColumns means that the file lacks fields that no entry lacks.
	ErrColumns = errors.New("the export lacks fields that every entry has")
	// ErrOtherQuestion means that something else is asked than what the export answers.
	ErrOtherQuestion = errors.New("an export answers only the query that it was made of")
)

// InvalidError says that the files of an export are not what they should be.
type InvalidError struct{ Report *Report }

func (e *InvalidError) Error() string {
	p := e.Report.Problems[0]

	return fmt.Sprintf("%s is %s: %s", p.Path, p.Finding, p.Detail)
}

// Kept is an export that is read back as the log that it is a part of. It answers one
// query, its own.
type Kept struct {
	Description

	// Path is that of the data, and Redaction what the manifest says of it.
	Path      string
	Redaction *redact.Statement

	info auditlog.Info
	c    auditlog.Completeness
}

var _ auditlog.Service = (*Kept)(nil)

// OpenKept opens the export of which path is any of its files, having verified it.
// InfoOf returns what is known of a cloud. Errors are *InvalidError, ErrNone,
// ErrNotReadBack and ErrColumns among others.
func OpenKept(path string, infoOf func(name string) (auditlog.Info, bool)) (*Kept, error) {
	path = filepath.Clean(DataPath(path))

	d, err := Describe(path)
	if err != nil {
		return nil, err
	}

	if d.Format != format.NDJSON && d.Format != format.Parquet || cmp.Or(d.Shape, format.ShapeEntry) != format.ShapeEntry {
		return nil, fmt.Errorf("%w, and %s is %s", ErrNotReadBack, path, d.Format)
	}

	report, err := Verify(path)
	if err != nil {
		return nil, err
	}

	if !report.Valid {
		return nil, &InvalidError{report}
	}

	k := &Kept{Description: d, Path: path}
	if k.c, err = d.Statement.Completeness(); err != nil {
		return nil, fmt.Errorf("the manifest of %s: %w", path, err)
	}

	k.c.Source = d.Source

	m, _, _, err := readManifest(path)
	if err != nil {
		return nil, err
	}

	k.Redaction = m.Redaction

	if k.info, err = k.infoFrom(infoOf); err != nil {
		return nil, err
	}

	return k, nil
}

// infoFrom is what is known of the cloud, without the fields that the export lacks.
func (k *Kept) infoFrom(infoOf func(name string) (auditlog.Info, bool)) (auditlog.Info, error) {
	info, ok := infoOf(k.Service)
	if !ok {
		if info, ok = infoOf(k.Source.Service); !ok {
			return auditlog.Info{}, fmt.Errorf("the manifest of %s names the service %q, which is not known", k.Path, k.Service)
		}

		info.ArchivedFrom, info.Name, info.Title = info.Name, k.Service, info.Title+"'s archive"
	}

	info.Source = k.Source

	var lacks []string

	for _, f := range auditlog.Fields() {
		switch {
		case slices.Contains(k.Columns, f.Name):
		case f.Required:
			lacks = append(lacks, f.Name)
		case !slices.Contains(info.NeverRecorded, f.Name):
			info.NeverRecorded = append(slices.Clip(info.NeverRecorded), f.Name)
		}
	}

	if len(lacks) > 0 {
		return auditlog.Info{}, fmt.Errorf("%w: %v", ErrColumns, lacks)
	}

	if k.Redaction != nil {
		for _, r := range k.Redaction.Rules {
			if r.Mode != redact.Keep && !slices.Contains(info.Redacted, r.Field) {
				info.Redacted = append(info.Redacted, r.Field)
			}
		}
	}

	return info, nil
}

// Info implements auditlog.Service.
func (k *Kept) Info() auditlog.Info { return k.info }

// FilterOptions implements auditlog.Service.
func (k *Kept) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, ErrOtherQuestion
}

// Read implements auditlog.Service. The window of the query has to be that of the
// export; the filters are those that it was made with, whatever the query says.
func (k *Kept) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		stopped, err := k.read(ctx, q, yield)

		switch {
		case stopped:
		case err != nil:
			yield(auditlog.Entry{}, err)
		default:
			*c = k.c
		}
	}
}

// read yields the entries of the file, whose bytes it has compared with the manifest
// before.
func (k *Kept) read(
	ctx context.Context, q auditlog.Query, yield func(auditlog.Entry, error) bool,
) (stopped bool, err error) {
	if q.Window != k.c.Window {
		return false, ErrOtherQuestion
	}

	file, err := os.Open(k.Path)
	if err != nil {
		return false, fmt.Errorf("open the export: %w", err)
	}
	defer func() { _ = file.Close() }() // It was only read.

	if err := k.compare(file); err != nil {
		return false, err
	}

	o := format.DecoderOptions{Compression: k.Compression, Columns: k.Columns}

	var n int64

	for e, err := range format.Decode(file, k.Bytes, k.Format, o) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return false, fmt.Errorf("read %s: %w", k.Path, err)
		}

		if n++; q.Unknown != nil && k.info.KnowsAction != nil && !k.info.KnowsAction(e.Action) {
			q.Unknown(&e)
		}

		if !yield(e, nil) {
			return true, nil
		}
	}

	if n != k.EntryCount {
		return false, fmt.Errorf("%w: %s holds %d entries, and its manifest says %d", format.ErrUnreadable, k.Path, n,
			k.EntryCount)
	}

	return false, nil
}

func (k *Kept) compare(file *os.File) error {
	sum := sha256.New()

	size, err := io.Copy(sum, file)
	if err != nil {
		return fmt.Errorf("read %s: %w", k.Path, err)
	}

	if size != k.Bytes || hex.EncodeToString(sum.Sum(nil)) != k.SHA256 {
		return fmt.Errorf("%w: %s is not what its manifest says", format.ErrUnreadable, k.Path)
	}

	return nil
}
