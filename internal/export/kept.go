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
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

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
	// ErrContradiction means that a manifest contradicts itself or its data, though their
	// checksums agree: it is not what we wrote, and nothing that it says of completeness
	// counts.
	ErrContradiction = errors.New("the manifest contradicts itself or the data")
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
// ErrNotReadBack, ErrColumns and ErrContradiction among others.
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
		return nil, contradiction("%w", err)
	}

	k.c.Source = d.Source

	m, _, _, err := readManifest(path)
	if err != nil {
		return nil, err
	}

	k.Redaction = m.Redaction

	if err := k.plausible(&m); err != nil {
		return nil, err
	}

	if k.info, err = k.infoFrom(infoOf); err != nil {
		return nil, err
	}

	return k, nil
}

func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrContradiction, fmt.Errorf(format, args...))
}

// plausible holds what the manifest says against itself. Checksums do not show who wrote a
// manifest, and a reading never makes one like those that are refused here. What the
// statement keeps silent about and follows from the rest is added to it.
func (k *Kept) plausible(m *manifest) error {
	c := &k.c
	at := timeOf(m.ExportedAt)
	days := m.Completeness.RetentionDays

	switch {
	case m.ManifestVersion != manifestVersion:
		return contradiction("its version is %d, and only %d is known", m.ManifestVersion, manifestVersion)
	case at.IsZero():
		return contradiction("exported_at is no time")
	case m.Window != manifestWindow{m.Completeness.WindowStart, m.Completeness.WindowEnd}:
		return contradiction("window is not that of completeness")
	case c.Window.End.After(at):
		return contradiction("the window ends after the export was made")
	case days < 0 || days > int64(math.MaxInt64/day):
		return contradiction("retention_days is %d", days)
	case c.Proof == auditlog.ProofTotal && c.ClaimedTotal == nil,
		c.Proof == auditlog.ProofTotal && *c.ClaimedTotal > c.RowsFetched-c.DuplicatesDropped:
		return contradiction("the proof is %s, and fewer records were fetched than the service claimed", c.Proof)
	case (c.Proof == auditlog.ProofChain) != (k.Service == auditlog.ServiceArchive):
		return contradiction("the proof is %s, and the service %s", c.Proof, k.Service)
	case k.Service != auditlog.ServiceArchive && k.Source.Service != "" && k.Source.Service != k.Service:
		return contradiction("the service is %s, and the log that of %s", k.Service, k.Source.Service)
	case m.Redaction != nil && len(m.Redaction.Rules) == 0:
		return contradiction("redaction does not say of what")
	}

	// Of a service that forgets, what lies before its retention is not known. Days are whole, so one more is allowed.
	if c.Proof == auditlog.ProofTotal || c.Proof == auditlog.ProofCursor {
		kept := time.Duration(days)*day + day + auditlog.RetentionSlack
		c.BeyondRetention = c.BeyondRetention || c.Window.Start.Before(at.Add(-kept))
	}

	return nil
}

const day = 24 * time.Hour

// infoFrom is what is known of the cloud, without the fields that the export lacks.
func (k *Kept) infoFrom(infoOf func(name string) (auditlog.Info, bool)) (auditlog.Info, error) {
	info, ok := infoOf(k.Service)
	if !ok {
		if info, ok = infoOf(k.Source.Service); !ok || k.Service != auditlog.ServiceArchive {
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

// Completeness is the statement of the manifest, which a reading gives as well.
func (k *Kept) Completeness() auditlog.Completeness { return k.c }

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

	var (
		n      int64
		newest time.Time
	)

	for e, err := range format.Decode(file, k.Bytes, k.Format, o) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return false, fmt.Errorf("read %s: %w", k.Path, err)
		}

		switch {
		case !k.c.Window.Contains(e.Time):
			return false, contradiction("entry %d is from outside of the window", n+1)
		case e.Time.Before(newest):
			return false, contradiction("entry %d is older than the one before it", n+1)
		case n == 0 && auditlog.FormatTime(e.Time) != k.FirstTime:
			return false, contradiction("first_entry is not the first of the data")
		}

		newest = e.Time

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

	if n > 0 && auditlog.FormatTime(newest) != k.LastTime {
		return false, contradiction("last_entry is not the last of the data")
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
