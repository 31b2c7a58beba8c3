// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// Export tells an error of the disk from one of the service.
func Export(err error, info auditlog.Info, w auditlog.Window) Problem {
	if d, ok := reading(err, Circumstances{Summary: "Export " + LogOf(info), Info: info, Window: w}); ok {
		return d
	}

	if other := (*auditlog.SourceError)(nil); errors.As(err, &other) {
		return OtherLog(other, ExportLogs, "export").At(Argument("path"))
	}

	if changed := (*export.ChangedError)(nil); errors.As(err, &changed) {
		p := Changed("a file differs from what was written", changed.Changes[0].Path)

		return p.With("Expected SHA-256", changed.Changes[0].Expected).
			With("Found SHA-256", changed.Changes[0].Found).At(Argument("path"))
	}

	if shrink := (*export.ShrinkError)(nil); errors.As(err, &shrink) {
		return shrinkProblem(shrink, info).At(Argument("path"))
	}

	if p, ok := (Problem{Summary: ExportLogs}).With("Service", info.Name).ended(err); ok {
		return p
	}

	return File(err, ExportLogs).At(Argument("path"))
}

// Changed says in which way an export was changed.
func Changed(drift, file string) Problem {
	return Problem{
		Summary: "Look at the audit log export",
		Cause:   "The export was changed: " + Plain(drift) + ".",
		Next:    "Find out who changed it and restore the file, or set {on_changed} to \"recreate\" or \"keep\".",
	}.With("Path", file)
}

// shrinkProblem says what would be lost with the export that is there.
func shrinkProblem(e *export.ShrinkError, info auditlog.Info) Problem {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }

	p := Problem{
		Summary: ExportLogs,
		Cause:   "The new export would hold fewer entries than the one that it replaces, so nothing was written.",
		Next:    "Find out what is missing; to replace the export all the same, set {allow_shrink = true}, or write to another path to keep both.",
	}.With("Service", info.Name).With("Entries kept so far", number(e.Kept.EntryCount)).
		With("Entries read now", number(e.Count)).
		With("Window kept so far", e.Kept.Window.String()).With("Window read now", e.Window.String())

	if e.Retention > 0 {
		p.Cause = Textf("The window begins before what %s still keeps, %d days, so that the new export cannot stand for the one that it would replace; nothing was written.",
			info.Title, int64(e.Retention/(24*time.Hour)))
		p.Next = "Keep the export, and take back what made it be written again; to replace it all the same, set {allow_shrink = true}, or write to another path to keep both."
	}

	return p
}

// Remove explains why an export was not removed.
func Remove(err error) Problem {
	p := File(err, "Remove the audit log export")

	if foreign := (*export.ForeignFileError)(nil); errors.As(err, &foreign) {
		p.Cause = "The file was changed after it was written, so it is left alone."
		p.Next = "Look at what was changed and move the file away, or {forget the resource with \"terraform state rm\"}."
	}

	return p
}

// File explains what is in the way of a file.
func File(err error, summary string) Problem {
	p := Problem{
		Summary: summary, Cause: Sentence(err.Error()),
		Next: "Nothing was changed; try again once the cause is removed.",
	}

	var (
		foreign    *export.ForeignFileError
		unwritable *durable.UnwritableError
		pathErr    *fs.PathError
	)

	switch {
	case errors.As(err, &foreign) && foreign.Meanwhile:
		p.Cause = "Another resource or another run has written an export there since this run began."
		p.Next = "Give each export a path of its own; if it was another run, apply again."
		p = p.With("Manifest", foreign.Path)
	case errors.As(err, &foreign) && len(foreign.Differs) > 0:
		p.Cause = "Another export is in the way: it was asked for something else."
		p.Next = "Choose another path, move its files away, or set {overwrite = true}."
		p = p.With("Manifest", foreign.Path).With("Differs in", strings.Join(foreign.Differs, ", "))
	case errors.As(err, &foreign):
		p.Cause = "A file is in the way that is no export, or an export that was changed since it was written."
		p.Next = "Choose another path, move the file away, or set {overwrite = true}."
		p = p.With("Path", foreign.Path)
	case errors.As(err, &unwritable):
		p.Cause = "The directory cannot be written to: " + Plain(reasonOf(unwritable.Err)) + "."
		p.Next = "Choose another path, or change the directory's permissions."
		p = p.With("Directory", unwritable.Directory)
	case errors.As(err, &pathErr):
		p.Cause, p.Next = causeOfPath(pathErr, p.Next)
		p = p.With("Path", pathErr.Path)
	}

	return p
}

func causeOfPath(e *fs.PathError, next Text) (cause, then Text) {
	switch {
	case errors.Is(e.Err, durable.ErrInterrupted):
		return Sentence("the export " + e.Err.Error()), "Apply again once the cause is removed."
	case errors.Is(e.Err, durable.ErrForeign):
		return "A file that says what an interrupted export would put in place " + Plain(reasonOf(e.Err)) + ".",
			"If another user of yours left it, let that user export once more; else find out who did, and remove it."
	case errors.Is(e.Err, durable.ErrLinked):
		return "The file has a second name, a hard link, and would change there as well.", "Remove the other name, or replace the file by a copy."
	case errors.Is(e.Err, durable.ErrDirectory):
		return "The path is a directory.", "Give the path of a file, such as \"evidence/audit.ndjson\"."
	case errors.Is(e.Err, durable.ErrNotDirectory):
		return "A part of the path is a file where a directory would have to be.", "Choose another path."
	case errors.Is(e.Err, durable.ErrNotRegular):
		return "What is at the path is not a regular file.",
			"Choose another path; symbolic links and devices are never replaced."
	case errors.Is(e.Err, durable.ErrBusy):
		return "Another resource or run is writing to the same path.",
			"Give each export a path of its own, and lock the state."
	case errors.Is(e.Err, durable.ErrUnsettled):
		return "An interrupted export left files that can be neither finished nor undone.", "Look at the file named here, keep what you need, and remove it."
	case errors.Is(e.Err, export.ErrLineBreak):
		return "The file's name holds a line break.", "Choose another name."
	default:
		return Sentence(reasonOf(e.Err)), next
	}
}

// reasonOf returns the innermost error that says why, without the path again.
func reasonOf(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}

	return err.Error()
}

// LongCells says that a spreadsheet will not show all of a CSV file.
func LongCells(file string, notes format.Notes) Problems {
	if notes.CellsTooLong == 0 {
		return nil
	}

	p := Problem{
		Summary: "Spreadsheets cut off long cells of the export",
		Cause:   Textf("A spreadsheet keeps %d characters of a cell, and the file has longer ones.", format.MaxCell),
		Next:    "The file itself is complete. Leave the column out with columns, or use NDJSON or Parquet where every character counts.",
	}

	return Problems{p.With("Path", file).
		With("Cells", strconv.FormatInt(notes.CellsTooLong, 10)).
		With("First", "entry "+strconv.Quote(notes.FirstTooLong.EntryID)+", column "+notes.FirstTooLong.Column).
		AsWarning()}
}
