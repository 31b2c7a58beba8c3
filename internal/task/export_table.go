// SPDX-License-Identifier: MPL-2.0

package task

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
)

// The defaults of an export.
const (
	// SettleDelay keeps the newest entries out of what is kept, since a cloud may still be filling them in.
	SettleDelay     = time.Minute
	SettleDelayText = "1m"

	DefaultFilePermission      = "0600"
	DefaultDirectoryPermission = "0700"

	ownerReadWrite = 0o600
	ownerAll       = 0o700
)

// ExportTable lists the arguments that say where an export is written, and in which form. The first two have to be
// given.
func ExportTable() []query.Argument {
	formats := namesOf(format.ForExports())
	compressions := namesOf(format.Compressions())
	columns := make([]string, 0, len(auditlog.Fields()))

	for _, f := range auditlog.Fields() {
		columns = append(columns, f.Name)
	}

	return []query.Argument{
		{
			Name:        "path",
			Description: "File to write, on this machine. Missing directories are made. Another path is another export, and two paths that name the same file are the same. The manifest goes to `<path>.manifest.json`, the checksums to `<path>.sha256`.",
			Form:        FilePathForm(),
		},
		{
			Name:        "format",
			Description: "`" + strings.Join(formats, "`, `") + "`. Parquet has typed columns, and its rows are in the order in which the service lists them. HTML is a report for people: one page that needs nothing beside it, with the findings of the built-in rules (see the guide \"Reports\").",
			Form:        query.OneOf(formats...),
		},
		{
			Name: "compression",
			Description: "`" + strings.Join(compressions, "`, `") + "`. CSV, JSON and NDJSON are compressed as a whole file, Parquet page by page, " +
				"as its readers expect. The name of the file is `path` in any case; `.gz` and `.zst` are what other programs look for. " +
				"Default: `" + string(format.Parquet.DefaultCompression()) + "` for Parquet, else `" +
				string(format.CSV.DefaultCompression()) + "`.",
			Form: query.OneOf(compressions...),
		},
		{
			Name:        "columns",
			Description: "Fields to write and their order, of `" + strings.Join(columns, "`, `") + "`.",
			List:        true,
			Form:        query.OneOf(columns...),
		},
		{
			Name:        "shape",
			Description: "What is written: `entry`, the fields that look-ups show, or `ocsf`, events of the Open Cybersecurity Schema Framework " + ocsf.Version + " (NDJSON and Parquet only, without `columns`). Default: `entry`.",
			Form:        query.OneOf(string(format.ShapeEntry), string(format.ShapeOCSF)),
		},
		{
			Name:        "csv.delimiter",
			Description: "What is between cells: `,`, `;` or a tab (`\"\\t\"`). Spreadsheets of countries that write a decimal comma expect `;`. Default: `,`.",
			Form:        delimiterForm(),
		},
		{
			Name:        "file_permission",
			Description: "Permission of the three files, octal. Default: `" + DefaultFilePermission + "`.",
			Form:        permissionForm(ownerReadWrite, DefaultFilePermission),
		},
		{
			Name:        "directory_permission",
			Description: "Permission of directories that are made, octal. Default: `" + DefaultDirectoryPermission + "`.",
			Form:        permissionForm(ownerAll, DefaultDirectoryPermission),
		},
	}
}

// ExportSwitches are those that are true or false.
func ExportSwitches() []query.Switch {
	return []query.Switch{
		{Name: "spreadsheet_safe", Description: "Whether apostrophes are put in front of whatever a spreadsheet could take for the start of a formula in a CSV file; in how many cells is in the manifest. JSON, NDJSON and Parquet are always exact. Default: `true`."},
		{Name: "overwrite", Description: "Whether to replace files at the path that are no export, or that are another export: one that was asked for something else, or one of another log. Default: `false`."},
		{Name: "allow_shrink", Description: "Whether an export may hold less than the one that it replaces: fewer entries of the same window, or a window that begins before what the service still keeps. Default: `false`."},
		{Name: "csv.bom", Description: "Whether the file begins with a byte order mark, by which Excel knows that the text is UTF-8. Default: `false`."},
	}
}

// Form is in which form entries are written.
type Form struct {
	Format      format.Format
	Compression format.Compression
	Shape       format.Shape
	Columns     []string
	// LaidOut says that something says how a CSV file is laid out.
	LaidOut bool
}

// Check reports what does not go together.
func (f *Form) Check() explain.Problems {
	var found explain.Problems

	if f.LaidOut && f.Format != format.CSV {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "The argument says how a CSV file is laid out, but the format is another one.",
			Next:    "Remove {csv}, or set {format = \"csv\"}.",
		}.With("Format", string(f.Format)).At(explain.Argument("csv")))
	}

	if err := format.CheckShape(f.Shape, f.Format, f.Columns != nil); err != nil {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   explain.Sentence(err.Error()),
			Next:    "Change {format} or {columns}, or write entries instead of events.",
		}.At(explain.Argument("shape")))
	}

	if err := format.CheckHTML(f.Format, f.Compression, f.Columns != nil); err != nil {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   explain.Sentence(err.Error()),
			Next:    "Leave out {columns} and {compression}, or choose another {format}.",
		}.At(explain.Argument("format")))
	}

	seen := map[string]bool{}

	for i, name := range f.Columns {
		if seen[name] {
			found.Add(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "A column is named twice.",
				Next:    "Remove one of the two.",
			}.At(explain.Argument("columns").Index(i)))
		}

		seen[name] = true
	}

	return found
}

func namesOf[T ~string](values []T) []string {
	names := make([]string, 0, len(values))
	for _, v := range values {
		names = append(names, string(v))
	}

	return names
}

// FilePathForm is the path of a file to write.
func FilePathForm() explain.Form {
	return explain.Form{
		Description: `the path of a file on this machine, such as "evidence/audit.ndjson"; for "~" write pathexpand("~/audit.ndjson")`,
		Check: func(value string) error {
			if err := durable.CheckPath(value); err != nil {
				return err
			}

			if durable.IsDirectoryPath(value) {
				return errors.New("the path of a directory")
			}

			return nil
		},
	}
}

// permissionForm is an octal permission that gives the owner at least what is needed.
func permissionForm(needed uint64, example string) explain.Form {
	return explain.Form{
		Description: "an octal permission that lets the owner use it, such as \"" + example + "\"",
		Check: func(value string) error {
			n, err := strconv.ParseUint(value, 8, 32)
			if err != nil || n > 0o777 || n&needed != needed {
				return errors.New("no such permission")
			}

			return nil
		},
	}
}

func delimiterForm() explain.Form {
	return explain.Form{
		Description: `",", ";" or "\t"`,
		Check: func(value string) error {
			if !slices.Contains(format.CSVDelimiters(), value) {
				return errors.New("no delimiter of CSV")
			}

			return nil
		},
	}
}
