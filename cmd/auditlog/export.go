// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// exportCommand writes an export, as audit_log_export does.
type exportCommand struct {
	asking
	filtering
	redacting

	Path            string        `required:"" short:"o" aliases:"output" group:"What is written" placeholder:"FILE"`
	Format          string        `required:"" group:"What is written" placeholder:"FORMAT"`
	Compression     string        `group:"What is written" placeholder:"NAME"`
	Columns         []string      `group:"What is written" placeholder:"FIELD"`
	Shape           string        `group:"What is written" placeholder:"NAME"`
	CSVDelimiter    string        `name:"csv-delimiter" group:"What is written" placeholder:"TEXT"`
	CSVBOM          bool          `name:"csv-bom" group:"What is written"`
	SpreadsheetSafe bool          `default:"true" negatable:"" group:"What is written"`
	FilePermission  string        `default:"${file_permission}" group:"What is written" placeholder:"OCTAL"`
	DirPermission   string        `name:"directory-permission" default:"${directory_permission}" group:"What is written" placeholder:"OCTAL"`
	Overwrite       bool          `group:"What is written"`
	AllowShrink     bool          `group:"What is written"`
	Strict          bool          `help:"Exit with 2 also where the export is written, but its answer leaves something open: a part of the time that nobody can tell about, actions or values that nobody knows."`
	Timeout         time.Duration `default:"1h" help:"How long the command may take." placeholder:"DURATION"`
}

// Help shows what to type.
func (*exportCommand) Help() string {
	return `Beside FILE it writes FILE.manifest.json, which says what was asked and why
nothing is missing, and FILE.sha256. An export that is there is replaced with --overwrite only.

Examples:

    auditlog export --service upcloud --last 30d --format csv \
        --path evidence/upcloud.csv

    auditlog export --service cloudscale --start 2026-06-01T00:00:00Z \
        --end 2026-07-01T00:00:00Z --format parquet --path evidence/06.parquet

    # Without auditlog, whether it is what was written
    (cd evidence && sha256sum -c 06.parquet.sha256)`
}

// Run writes the export, its manifest and its checksums.
func (c *exportCommand) Run(ctx context.Context, env environment) error {
	form := task.Form{
		Format: format.Format(c.Format), Compression: format.Compression(c.Compression), Shape: format.Shape(c.Shape),
		Columns: c.Columns,
		LaidOut: c.CSVDelimiter != "" || c.CSVBOM,
	}
	if found := form.Check(); found.HasError() {
		return &problemsError{found}
	}

	if err := notStandardOutput("path", c.Path); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	spec := c.spec(env)

	service, sources, err := c.open(ctx, env, explain.ExportLogs)
	if err != nil {
		return err
	}

	x := task.Export{
		Question: c.question(env, explain.ExportLogs, task.SettleDelay), Spec: spec, Redact: c.redaction(sources),
		Willing: c.Overwrite,
	}
	if x.Known, err = export.SourceAt(spec.Path); err != nil {
		x.Known = redact.KeptSource{} // Whoever writes says what is in the way of looking.
	}

	var (
		written *task.Written
		found   explain.Problems
	)

	env.watch(ctx, "Exporting", func(ctx context.Context) { written, found = x.Run(ctx, service) })

	if written == nil {
		return &problemsError{found}
	}

	env.tell(found)

	r := &written.Result
	_, _ = fmt.Fprintf(env.stderr, "Wrote %s, %s bytes, to %s; from %s to %s. %s\n",
		plural(r.EntryCount, "entry", "entries"), task.Grouped(r.Bytes), spec.Path,
		auditlog.FormatTime(r.Completeness.Window.Start), auditlog.FormatTime(r.Completeness.Window.End),
		proven(&r.Completeness))
	env.sayManifest(r.ManifestSHA256)

	if c.Strict && !r.Completeness.Conclusive() {
		return errInconclusive
	}

	return nil
}

// sayManifest tells the SHA-256 of a manifest, which Terraform has in its state and the command nowhere.
func (env environment) sayManifest(sum string) {
	_, _ = fmt.Fprintf(env.stderr, "SHA-256 of the manifest: %s\n"+
		"Keep it elsewhere: only it shows later that nobody has replaced all three files.\n", sum)
}

// spec says what is written, but for what is read.
func (c *exportCommand) spec(env environment) export.Spec {
	return export.Spec{
		Options: durable.Options{
			FilePermission: permission(c.FilePermission), DirectoryPermission: permission(c.DirPermission),
		},
		Path:            filepath.Clean(c.Path),
		Format:          format.Format(c.Format),
		Compression:     format.Compression(c.Compression),
		Shape:           format.Shape(c.Shape),
		Columns:         c.Columns,
		SpreadsheetSafe: c.SpreadsheetSafe,
		CSV:             format.CSVOptions{Delimiter: c.CSVDelimiter, BOM: c.CSVBOM},
		Overwrite:       c.Overwrite,
		AllowShrink:     c.AllowShrink,
		QueryAsWritten: export.QueryAsWritten{
			Last: c.Last, Start: c.Start, End: c.End, SettleDelay: cmp.Or(c.SettleDelay, task.SettleDelayText),
		},
		Begun: env.now(), Tool: env.tool(),
	}
}

// permission reads an octal permission that its form has let pass.
func permission(text string) fs.FileMode {
	n, _ := strconv.ParseUint(text, 8, 32)

	return fs.FileMode(n)
}
