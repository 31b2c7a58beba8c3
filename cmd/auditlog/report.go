// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"
	_ "time/tzdata" // For --time-zone, where the system has no time zones of its own.

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// reportCommand writes a page for people.
type reportCommand struct {
	filtering
	asking
	managing
	redacting

	Path     string `name:"output" aliases:"path" required:"" short:"o" help:"File to write, on this machine. Missing directories are made. The manifest goes to FILE.manifest.json, the checksums to FILE.sha256." group:"What is written" placeholder:"FILE"`
	Manifest string `help:"Make the report of an export instead of a log: its data or its manifest. No service is asked. The export has to be NDJSON or Parquet, and unchanged." group:"Which log" placeholder:"FILE"`
	TimeZone string `default:"UTC" help:"Time zone of all times on the page, such as Europe/Zurich, or Local for this machine's." group:"What is written" placeholder:"NAME"`

	FilePermission string        `default:"${file_permission}" group:"What is written" placeholder:"OCTAL"`
	DirPermission  string        `name:"directory-permission" default:"${directory_permission}" group:"What is written" placeholder:"OCTAL"`
	Overwrite      bool          `group:"What is written"`
	AllowShrink    bool          `group:"What is written"`
	Timeout        time.Duration `default:"1h" help:"How long the command may take." placeholder:"DURATION"`
}

// Help shows what is typed.
func (*reportCommand) Help() string {
	return `The page needs neither a network nor this program: a browser opens and prints it.

Examples:

    auditlog report --service upcloud --start 2026-06-01T00:00:00Z \
        --end 2026-07-01T00:00:00Z -o evidence/june.html

    # Offline, of an export that was made before, which is verified first
    auditlog report --manifest evidence/june.ndjson.manifest.json \
        -o evidence/june.html

    # With what was changed by hand of what Terraform manages
    terraform show -json tfplan | auditlog report --service upcloud --last 30d \
        --state - --pipeline-actors ci -o evidence/june.html`
}

const makeReport = "Make the report"

// Run writes the page, its manifest and its checksums.
func (c *reportCommand) Run(ctx context.Context, env environment) error {
	if p, wrong := task.FilePathForm().Problem("--output", c.Path); wrong {
		return &problemsError{explain.Problems{p}}
	}

	if err := notStandardOutput("output", c.Path); err != nil {
		return err
	}

	zone, err := c.zone()
	if err != nil {
		return err
	}

	drifted, err := c.drifted(env)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	read := c.ofLog
	if c.Manifest != "" {
		read = c.ofExport
	}

	written, found, err := read(ctx, env, task.Report{Zone: zone, Destination: c.Destination, Drift: drifted})
	if err != nil {
		return err
	}

	for i, p := range found {
		if len(p.Place) > 0 && p.Place[0] == "path" { // An export's flag has that name, and this one another.
			found[i] = p.At(explain.Argument("output"))
		}
	}

	if written == nil {
		return &problemsError{found}
	}

	env.tell(found)

	r := &written.Result
	_, _ = fmt.Fprintf(env.stderr, "Wrote a report of %s, %s bytes, to %s; from %s to %s. %s\n",
		plural(r.EntryCount, "entry", "entries"), task.Grouped(r.Bytes), filepath.Clean(c.Path),
		auditlog.FormatTime(r.Completeness.Window.Start), auditlog.FormatTime(r.Completeness.Window.End),
		proven(&r.Completeness))
	env.sayManifest(r.ManifestSHA256)

	return nil
}

// drifted is what Terraform manages, nil where nothing is said of it.
func (c *reportCommand) drifted(env environment) (*task.Drift, error) {
	found, pipeline := c.check(), c.pipeline()

	if len(c.State) == 0 && (c.AsOf != "" || pipeline.Given()) {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "Something is said of when or as whom Terraform ran, but not what it manages.",
			Next:    "Name a plan or a state as well.",
		}.At(explain.Argument("state")))
	}

	switch {
	case found.HasError():
		return nil, &problemsError{found}
	case len(c.State) == 0:
		return nil, nil //nolint:nilnil // Nothing is wrong, and nothing is wanted.
	default:
		return c.drift(env)
	}
}

// zone reads the time zone.
func (c *reportCommand) zone() (*time.Location, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "" {
		return nil, &problemsError{explain.Problems{explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "There is no such time zone.",
			Next:    "Give a name of the IANA database, such as Europe/Zurich, or UTC, or Local.",
		}.With("Value", explain.Shown(c.TimeZone)).At(explain.Argument("time_zone"))}}
	}

	return zone, nil
}

// ofLog reads a service or an archive.
func (c *reportCommand) ofLog(
	ctx context.Context, env environment, r task.Report,
) (written *task.Written, found explain.Problems, err error) {
	service, sources, err := c.open(ctx, env, makeReport)
	if err != nil {
		return nil, nil, err
	}

	x := task.Export{
		Question: c.question(env, makeReport, task.SettleDelay), Spec: c.spec(env), Redact: c.redaction(sources),
		Willing: c.Overwrite, Report: r,
	}
	if x.Known, err = export.SourceAt(x.Spec.Path); err != nil {
		x.Known = redact.KeptSource{} // Whoever writes says what is in the way of looking.
	}

	env.watch(ctx, "Reading", func(ctx context.Context) { written, found = x.Run(ctx, service) })

	return written, found, nil
}

// ofExport reads an export, and nothing else.
func (c *reportCommand) ofExport(
	ctx context.Context, env environment, r task.Report,
) (*task.Written, explain.Problems, error) {
	if flag := c.notOfExports(); flag != "" {
		return nil, nil, &problemsError{explain.Problems{explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "A report of an export shows all of the export as it is, so the argument would do nothing.",
			Next:    "Leave one of the two out.",
		}.With("Argument", flag).At(explain.Argument("manifest"))}}
	}

	x := task.ReportOf{Path: c.Manifest, InfoOf: source.InfoOf, Spec: c.spec(env), Report: r, Now: env.now()}
	written, found := x.Run(ctx)

	return written, found, nil
}

// notOfExports is a flag that was given and says nothing of exports, "" where there is none.
func (c *reportCommand) notOfExports() string {
	q := &c.selecting

	for _, f := range []struct {
		flag  string
		given bool
	}{
		{"--service", c.Service != ""},
		{"--destination", c.Destination != ""},
		{"--public-keys", len(c.PublicKeys) > 0},
		{"--podstack-exports", len(c.PodStack.Exports) > 0},
		{"--redact", len(c.Redact) > 0},
		{"--last", c.Last != ""},
		{"--start", c.Start != ""},
		{"--end", c.End != ""},
		{"--settle-delay", c.SettleDelay != ""},
		{"--actions", len(q.Actions) > 0},
		{"--operations", len(q.Operations) > 0},
		{"--resource-types", len(q.ResourceTypes) > 0},
		{"--resource-ids", len(q.ResourceIDs) > 0},
		{"--actors", len(q.Actors) > 0},
		{"--origins", len(q.Origins) > 0},
		{"--ip-addresses", len(q.IPAddresses) > 0},
		{"--search", q.Search != ""},
		{"--where", q.Where != nil},
		{"--allow-unknown-values", q.AllowUnknownValues},
		{"--fail-on-unknown-actions", q.FailOnUnknownActions},
	} {
		if f.given {
			return f.flag
		}
	}

	return ""
}

// spec says what is written, but for what is read.
func (c *reportCommand) spec(env environment) export.Spec {
	return export.Spec{
		Options: durable.Options{
			FilePermission: permission(c.FilePermission), DirectoryPermission: permission(c.DirPermission),
		},
		Path:        filepath.Clean(c.Path),
		Format:      format.HTML,
		Overwrite:   c.Overwrite,
		AllowShrink: c.AllowShrink,
		QueryAsWritten: export.QueryAsWritten{
			Last: c.Last, Start: c.Start, End: c.End, SettleDelay: cmp.Or(c.SettleDelay, task.SettleDelayText),
		},
		Begun: env.now(), Tool: env.tool(),
	}
}
