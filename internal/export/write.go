// SPDX-License-Identifier: MPL-2.0

// Package export turns entries into files that an auditor can trust years later:
// the data, a manifest that says how it came about, and a checksum file over
// both. It streams: memory does not grow with the number of entries.
package export

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Spec says what is exported and where to.
type Spec struct {
	durable.Options

	// Path is where the data goes; the manifest and the checksum file go beside
	// it.
	Path   string
	Format format.Format
	// Compression is the format's default when "". The path says nothing of it.
	Compression format.Compression
	// Columns are the fields to write and their order, all when nil.
	Columns         []string
	SpreadsheetSafe bool
	// CSV is for format.CSV only.
	CSV format.CSVOptions
	// Shape is ShapeEntry when "".
	Shape format.Shape
	// Encoder makes what writes the file of a format that package format does not write,
	// such as format.HTML; nil is format.NewEncoder.
	Encoder func(w io.Writer) (format.Encoder, error)
	// Scrubber redacts entries before they are written; nil leaves them alone. It
	// must have learned from a reading of the same entries before. Redactor is what it
	// is of, and redacts whose log it is.
	Scrubber *redact.Scrubber
	Redactor *redact.Redactor
	// Redacted is what was redacted before the entries came here, nil where nothing was.
	// It is for the manifest, where there is no scrubber.
	Redacted *redact.Statement
	// Overwrite also replaces files that CheckTarget calls foreign, and an export of
	// another log.
	Overwrite bool
	// Before is the export that is remembered to have been written to the path by
	// whoever writes now; nil where nothing is remembered.
	Before *Before
	// Begun, when not zero, is when the run began that writes: an export that was made
	// at the path since then is of another resource or another run, and stays.
	Begun time.Time
	// RefuseChanged refuses to replace an export whose files are not as they are
	// remembered.
	RefuseChanged bool
	// AllowShrink also lets an export hold less than the one that it replaces.
	AllowShrink bool
	// Known is whose log the export has been of. Where nothing is known, and nothing
	// foreign is overwritten, the manifest that is there says it.
	Known redact.KeptSource
	// Source is what is known of whose log it is besides what the reading says.
	Source auditlog.Source

	// Tool is who writes, such as "terraform-provider-audit/0.1.0".
	Tool           string
	Query          auditlog.Query
	QueryAsWritten QueryAsWritten
	Info           auditlog.Info
	ExportedAt     time.Time
}

// product tells events who made them.
func (s *Spec) product() ocsf.Product {
	name, version, _ := strings.Cut(s.Tool, "/")

	return ocsf.Product{Name: name, Version: version}
}

// columnNames are those of the file. The columns were checked before anything was
// written.
func (s *Spec) columnNames() []string {
	if s.Format == format.HTML {
		return format.HTMLColumns()
	}

	names, err := format.Columns(s.shape(), s.Columns)
	if err != nil {
		return nil
	}

	return names
}

// csv is how the file is laid out, nil where it is no CSV. It was checked before
// anything was written.
func (s *Spec) csv() *format.CSVOptions {
	layout, err := s.CSV.WithDefaults()
	if s.Format != format.CSV || err != nil {
		return nil
	}

	return &layout
}

// shape is never "".
func (s *Spec) shape() format.Shape { return cmp.Or(s.Shape, format.ShapeEntry) }

// QueryAsWritten holds the bounds of the window as the user wrote them, "" where
// they wrote none. They are for the manifest only.
type QueryAsWritten struct {
	Last        string
	Start       string
	End         string
	SettleDelay string
}

// Result is what an export knows of itself.
type Result struct {
	EntryCount     int64
	Bytes          int64
	SHA256         string
	ManifestPath   string
	ManifestSHA256 string
	// FirstTime and LastTime are those of the oldest and the newest entry, nil
	// when there is none.
	FirstTime *time.Time
	LastTime  *time.Time
	// ExportedAt is the spec's, to the microsecond.
	ExportedAt   time.Time
	Completeness auditlog.Completeness
	// Statement is what the manifest says of the completeness, redacted where the query
	// is.
	Statement Statement
	// Notes tells where the file differs from the entries.
	Notes format.Notes
	// Source is whose log it is, as far as it may be shown, and Confirmed says that
	// the account that was known, if any, is that one.
	Source    auditlog.Source
	Confirmed bool
}

// bufferSize bounds how much is kept back before it is written.
const bufferSize = 64 << 10

// Write exports the entries. c must hold the reading's statement once the
// sequence has ended. On any error, be it the sequence's, the context's or the
// disk's, what was there before stays as it was, but for durable.ErrInterrupted:
// files were being replaced then, and the next export there finishes it. ErrLateValue says that the
// scrubber has learned from the sequence, and that writing it once more may do.
func Write(
	ctx context.Context, s Spec, entries iter.Seq2[auditlog.Entry, error], c *auditlog.Completeness,
) (Result, error) {
	if _, err := format.Columns(s.Shape, s.Columns); err != nil {
		return Result{}, err
	}

	if _, err := format.CompressionOf(s.Format, s.Compression); err != nil {
		return Result{}, err
	}

	if err := format.CheckHTML(s.Format, s.Compression, s.Columns != nil); err != nil {
		return Result{}, err
	}

	s.Path = filepath.Clean(s.Path)

	// What an interrupted run has decided on is finished first, and is not what is
	// remembered.
	interrupted, err := durable.Interrupted(s.Path)
	if err != nil {
		return Result{}, err
	}

	s.RefuseChanged = s.RefuseChanged && !interrupted

	if err := CheckTarget(s); err != nil {
		return Result{}, err
	}

	files, err := durable.Begin(s.Path, s.Options)
	if err != nil {
		return Result{}, err
	}
	defer files.Abort()

	w := writer{spec: s, files: files}

	if err := w.data(ctx, entries); err != nil {
		return Result{}, err
	}

	if err := w.accounted(c); err != nil {
		return Result{}, err
	}

	if err := w.sameLog(c); err != nil {
		return Result{}, err
	}

	result, err := w.describe(c)
	if err != nil {
		return Result{}, err
	}

	// Reading a long log takes long enough for somebody else to put a file here.
	if err := w.spec.checkOwner(); err != nil {
		return Result{}, err
	}

	if err := w.holdsAll(c); err != nil {
		return Result{}, err
	}

	if err := ctx.Err(); err != nil {
		return Result{}, err
	}

	if err := files.Commit(); err != nil {
		return Result{}, err
	}

	return result, nil
}

// writer is an export in the making.
type writer struct {
	spec  Spec
	files *durable.Replacement

	file  *durable.File
	notes format.Notes

	source      auditlog.Source
	confirmed   bool
	count       int64
	operations  map[string]int64
	first, last bound
}

// bound is what is kept of the oldest and the newest entry, zero when there is
// none.
type bound struct {
	time time.Time
	id   string
}

func (b bound) compare(e *auditlog.Entry) int {
	return cmp.Or(b.time.Compare(e.Time), cmp.Compare(b.id, e.ID))
}

// data writes the data file.
func (w *writer) data(ctx context.Context, entries iter.Seq2[auditlog.Entry, error]) error {
	file, err := w.files.Create("")
	if err != nil {
		return err
	}

	w.file = file
	buffer := bufio.NewWriterSize(file, bufferSize)

	encoder, err := w.spec.encoder(buffer)
	if err != nil {
		return err
	}

	if err := w.encode(ctx, encoder, entries); err != nil {
		return err
	}

	if err := encoder.Close(); err != nil {
		return err
	}

	w.notes = encoder.Notes()

	if err := buffer.Flush(); err != nil {
		return fmt.Errorf("write the data: %w", err)
	}

	return file.Close()
}

func (s *Spec) encoder(w io.Writer) (format.Encoder, error) {
	if s.Encoder != nil {
		return s.Encoder(w)
	}

	return format.NewEncoder(w, s.Format, s.Columns, format.EncoderOptions{
		SpreadsheetSafe: s.SpreadsheetSafe,
		CSV:             s.CSV,
		Compression:     s.Compression,
		Shape:           s.Shape, Product: s.product(),
	})
}

func (w *writer) encode(ctx context.Context, encoder format.Encoder, entries iter.Seq2[auditlog.Entry, error]) error {
	w.operations = map[string]int64{}

	// Outside of the loop, so that it is allocated once.
	var current auditlog.Entry

	learned := w.spec.Scrubber.Learned()

	for e, err := range auditlog.Ahead(ctx, entries) {
		if err != nil {
			return err
		}

		if err := w.spec.Scrubber.Learn(e); err != nil {
			return err
		}

		current = w.spec.Scrubber.Apply(*e)

		if err := encoder.Encode(&current); err != nil {
			return err
		}

		w.tally(&current)
	}

	if w.spec.Scrubber.Learned() > learned {
		return redact.ErrLateValue
	}

	return ctx.Err()
}

func (w *writer) tally(e *auditlog.Entry) {
	w.count++
	w.operations[string(e.Operation)]++

	if w.count == 1 || w.first.compare(e) > 0 {
		w.first = bound{time: e.Time, id: e.ID}
	}

	if w.count == 1 || w.last.compare(e) < 0 {
		w.last = bound{time: e.Time, id: e.ID}
	}
}

// accounted makes sure that a sequence which merely stopped is not taken for one
// that was read to its end.
func (w *writer) accounted(c *auditlog.Completeness) error {
	if c == nil || c.Proof == "" || c.Window.Start.IsZero() || c.Window.End.IsZero() {
		return fmt.Errorf("%w: it ended without a statement", auditlog.ErrIncomplete)
	}

	if left := c.RowsFetched - c.DuplicatesDropped - c.RowsFilteredOut; left != w.count {
		return fmt.Errorf("%w: of %d rows, %d were repeated and %d not asked for, but %d entries came",
			auditlog.ErrIncomplete, c.RowsFetched, c.DuplicatesDropped, c.RowsFilteredOut, w.count)
	}

	return nil
}

// sameLog makes sure that the log of one account does not take the place of
// another's. The error is an *auditlog.SourceError.
func (w *writer) sameLog(c *auditlog.Completeness) error {
	w.source = c.Source.Or(w.spec.Source).Or(auditlog.Source{Service: w.spec.Info.Cloud()})
	known := w.spec.Known

	if known == (redact.KeptSource{}) && !w.spec.Overwrite {
		var err error
		if known, err = SourceAt(w.spec.Path); err != nil {
			return err
		}
	}

	var err error
	w.confirmed, err = w.spec.Redactor.CheckSource(known, w.source)

	return err
}

// holdsAll makes sure that nothing is lost with what is replaced: the export that is
// remembered, and the one that is there. The error is a *ShrinkError.
func (w *writer) holdsAll(c *auditlog.Completeness) error {
	if w.spec.AllowShrink {
		return nil
	}

	there, err := before(w.spec.Path)
	if err != nil {
		return err
	}

	now := w.spec.ExportedAt
	if w.spec.Info.FilledLater {
		now = time.Time{}
	}

	for _, b := range []*Before{w.spec.Before, there} {
		if b == nil || !b.shrinks(w.spec.Asked(), w.differs(b, b == there), w.count, c, now) {
			continue
		}

		e := &ShrinkError{Kept: *b, Count: w.count, Window: c.Window}
		if c.BeyondRetention || b.keepsDropped(c, now) {
			e.Retention = c.Retention
		}

		return e
	}

	return nil
}

// differs lists the arguments in which the query differs for certain from that of an
// export: what a manifest says of one may be redacted, and what is remembered may be
// from there.
func (w *writer) differs(b *Before, fromManifest bool) []string {
	differs := w.spec.shown(b.Asked).Query.Different(b.Query)
	if !fromManifest {
		unredacted := w.spec.Asked().Query.Different(b.Query)

		return slices.DeleteFunc(differs, func(name string) bool { return !slices.Contains(unredacted, name) })
	}

	if w.spec.Redactor.Active() || b.redaction != nil {
		differs = slices.DeleteFunc(differs, func(name string) bool { return slices.Contains(hideable, name) })
	}

	return differs
}

// describe writes the manifest and the checksum file.
func (w *writer) describe(c *auditlog.Completeness) (Result, error) {
	base := filepath.Base(w.spec.Path)

	m := w.manifest(base, c)

	text, err := m.text()
	if err != nil {
		return Result{}, err
	}

	manifestSum, err := w.small(ManifestSuffix, string(text))
	if err != nil {
		return Result{}, err
	}

	if _, err := w.small(ChecksumSuffix, checksums(base, w.file.SHA256(), manifestSum)); err != nil {
		return Result{}, err
	}

	result := Result{
		EntryCount:     w.count,
		Bytes:          w.file.Size(),
		SHA256:         w.file.SHA256(),
		ManifestPath:   w.spec.Path + ManifestSuffix,
		ManifestSHA256: manifestSum,
		ExportedAt:     w.spec.ExportedAt.UTC().Truncate(time.Microsecond),
		Completeness:   *c,
		Statement:      m.Completeness,
		Notes:          w.notes,
		Source:         w.spec.Redactor.Source(w.source),
		Confirmed:      w.confirmed,
	}

	if w.count > 0 {
		first, last := w.first.time.UTC(), w.last.time.UTC()
		result.FirstTime, result.LastTime = &first, &last
	}

	return result, nil
}

func (w *writer) manifest(base string, c *auditlog.Completeness) *manifest {
	// It was checked before anything was written.
	compression, _ := format.CompressionOf(w.spec.Format, w.spec.Compression)

	return &manifest{
		ManifestVersion: manifestVersion,
		Tool:            w.spec.Tool,
		ExportedAt:      auditlog.FormatTime(w.spec.ExportedAt),
		Service:         w.spec.Info.Name,
		Source:          w.spec.Redactor.Source(w.source),
		Query:           w.spec.manifestQuery(),
		Window: manifestWindow{
			Start: auditlog.FormatTime(c.Window.Start),
			End:   auditlog.FormatTime(c.Window.End),
		},
		Completeness: NewStatement(w.spec.Scrubber.Completeness(*c)),
		Format:       w.spec.Format,
		Compression:  compression,
		Shape:        w.spec.shape(),
		Columns:      w.spec.columnNames(),
		Redaction:    cmp.Or(w.spec.Scrubber.Statement(), w.spec.Redacted),
		// What holds for the file, whatever was asked for: only CSV is changed.
		SpreadsheetSafe:    w.spec.SpreadsheetSafe && w.spec.Format == format.CSV,
		CSV:                w.spec.csv(),
		CellsNeutralised:   w.notes.CellsNeutralised,
		CellsTooLong:       w.notes.CellsTooLong,
		CharactersReplaced: w.notes.CharactersReplaced,
		EntryCount:         w.count,
		CountsByOperation:  w.operations,
		FirstEntry:         newManifestEntry(w.first),
		LastEntry:          newManifestEntry(w.last),
		Files:              []manifestFile{{Name: base, Bytes: w.file.Size(), SHA256: w.file.SHA256()}},
	}
}

// small writes a member that is held in memory and returns its SHA-256.
func (w *writer) small(suffix, text string) (string, error) {
	f, err := w.files.Create(suffix)
	if err != nil {
		return "", err
	}

	if _, err := io.WriteString(f, text); err != nil {
		return "", fmt.Errorf("write %s%s: %w", w.spec.Path, suffix, err)
	}

	if err := f.Close(); err != nil {
		return "", err
	}

	return f.SHA256(), nil
}
