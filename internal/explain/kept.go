// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"

	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// ReadExport is what reading an export back does.
const ReadExport = "Read the audit log export"

// Kept explains why an export cannot be read back.
func Kept(err error, path string) Problem {
	manifest := Argument("manifest")

	if invalid := (*export.InvalidError)(nil); errors.As(err, &invalid) {
		p := Problem{
			Summary: "The audit log export is not what it should be",
			Cause:   "The files of the export do not agree, so nothing was made of them.",
			Next:    "Find out who changed them, and use a copy that \"auditlog verify\" accepts.",
		}.With("Path", path)

		for _, found := range invalid.Report.Problems {
			p = p.With("Problem", found.Path+" is "+string(found.Finding)+": "+found.Detail)
		}

		return p.At(manifest)
	}

	p := Problem{Summary: ReadExport}.With("Path", path).At(manifest)

	switch {
	case errors.Is(err, export.ErrNotReadBack), errors.Is(err, export.ErrColumns):
		p.Cause = Sentence(err.Error())
		p.Next = "Give an export with {format = \"ndjson\"} or {format = \"parquet\"} and without {columns}; of the other forms nobody can tell that nothing is missing."
	case errors.Is(err, export.ErrNone):
		p.Cause = "No manifest of ours describes an export there."
		p.Next = "Give the export's data or its manifest, which are beside each other."
	case errors.Is(err, format.ErrUnreadable):
		p.Cause = Sentence(err.Error())
		p.Next = "Find out who changed the export, and use a copy that \"auditlog verify\" accepts."
	default:
		return File(err, ReadExport).At(manifest)
	}

	return p
}
