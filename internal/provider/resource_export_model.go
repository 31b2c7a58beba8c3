// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

type exportModel struct {
	queryModel

	Path                types.String   `tfsdk:"path"`
	Format              types.String   `tfsdk:"format"`
	Compression         types.String   `tfsdk:"compression"`
	Columns             types.List     `tfsdk:"columns"`
	Shape               types.String   `tfsdk:"shape"`
	Redact              types.Map      `tfsdk:"redact"`
	SpreadsheetSafe     types.Bool     `tfsdk:"spreadsheet_safe"`
	FilePermission      types.String   `tfsdk:"file_permission"`
	DirectoryPermission types.String   `tfsdk:"directory_permission"`
	Overwrite           types.Bool     `tfsdk:"overwrite"`
	OnMissing           types.String   `tfsdk:"on_missing"`
	KeepOnDestroy       types.Bool     `tfsdk:"keep_on_destroy"`
	Triggers            types.Map      `tfsdk:"triggers"`
	Timeouts            timeouts.Value `tfsdk:"timeouts"`

	EntryCount     types.Int64  `tfsdk:"entry_count"`
	Bytes          types.Int64  `tfsdk:"bytes"`
	SHA256         types.String `tfsdk:"sha256"`
	WindowStart    types.String `tfsdk:"window_start"`
	WindowEnd      types.String `tfsdk:"window_end"`
	FirstTime      types.String `tfsdk:"first_time"`
	LastTime       types.String `tfsdk:"last_time"`
	ManifestPath   types.String `tfsdk:"manifest_path"`
	ManifestSHA256 types.String `tfsdk:"manifest_sha256"`
	ExportedAt     types.String `tfsdk:"exported_at"`
	Completeness   types.Object `tfsdk:"completeness"`
	Source         types.Object `tfsdk:"source"`
}

func (m *exportModel) validate() diag.Diagnostics {
	diags := m.queryModel.validate()

	if err := export.CheckShape(export.Shape(m.Shape.ValueString()), export.Format(m.Format.ValueString()), given(m.Columns)); err != nil && known(m.Format, m.Columns) {
		diags.Append(problem{
			summary: checkConfiguration,
			cause:   sentence(err.Error()),
			next:    "Change format or columns, or write entries instead of events.",
		}.at(path.Root("shape")))
	}

	seen := map[string]bool{}

	for i, e := range m.Columns.Elements() {
		name, ok := e.(types.String)
		if !ok || name.IsUnknown() {
			continue
		}

		if seen[name.ValueString()] {
			diags.Append(problem{
				summary: checkConfiguration,
				cause:   "A column is named twice.",
				next:    "Remove one of the two.",
			}.at(path.Root("columns").AtListIndex(i)))
		}

		seen[name.ValueString()] = true
	}

	return diags
}

// sameExport says that both would write the same query to the same file in the
// same form. What is around it (permissions, what happens on destroy) may differ.
func (m *exportModel) sameExport(o *exportModel) bool { return sameValues(m.values(), o.values()) }

// values are the arguments that say what is written.
func (m *exportModel) values() []attr.Value {
	return append(m.queryModel.values(), m.Path, m.Format, m.compression(), m.Columns, m.Shape, m.Redact, m.SpreadsheetSafe, m.Triggers)
}

// compression is what the argument means: the format's default where there is
// none.
func (m *exportModel) compression() types.String {
	switch {
	case !m.Compression.IsNull():
		return m.Compression
	case m.Format.IsUnknown():
		return types.StringUnknown()
	default:
		return types.StringValue(string(export.Format(m.Format.ValueString()).DefaultCompression()))
	}
}

func (m *exportModel) keepResults(s *exportModel) {
	m.EntryCount, m.Bytes, m.SHA256 = s.EntryCount, s.Bytes, s.SHA256
	m.WindowStart, m.WindowEnd, m.FirstTime, m.LastTime = s.WindowStart, s.WindowEnd, s.FirstTime, s.LastTime
	m.ManifestPath, m.ManifestSHA256 = s.ManifestPath, s.ManifestSHA256
	m.ExportedAt, m.Completeness, m.Source = s.ExportedAt, s.Completeness, s.Source
}

func (m *exportModel) forgetResults() {
	m.EntryCount, m.Bytes, m.SHA256 = types.Int64Unknown(), types.Int64Unknown(), types.StringUnknown()
	m.WindowStart, m.WindowEnd = types.StringUnknown(), types.StringUnknown()
	m.FirstTime, m.LastTime = types.StringUnknown(), types.StringUnknown()
	m.ManifestPath, m.ManifestSHA256 = types.StringUnknown(), types.StringUnknown()
	m.ExportedAt, m.Completeness = types.StringUnknown(), types.ObjectUnknown(completenessTypes())
	m.Source = types.ObjectUnknown(sourceTypes())

	if !m.Path.IsUnknown() {
		m.ManifestPath = types.StringValue(m.Path.ValueString() + export.ManifestSuffix)
	}
}

func (m *exportModel) setResults(r export.Result) {
	m.EntryCount, m.Bytes, m.SHA256 = types.Int64Value(r.EntryCount), types.Int64Value(r.Bytes), types.StringValue(r.SHA256)
	m.WindowStart, m.WindowEnd = timeValue(r.Completeness.Window.Start), timeValue(r.Completeness.Window.End)
	m.FirstTime, m.LastTime = timePointerValue(r.FirstTime), timePointerValue(r.LastTime)
	m.ManifestPath, m.ManifestSHA256 = types.StringValue(r.ManifestPath), types.StringValue(r.ManifestSHA256)
	m.ExportedAt, m.Completeness = timeValue(r.ExportedAt), completenessValue(r.Completeness)
	m.Source = sourceValue(r.Source)
}

// replaced is whose log what the model would write takes the place of. What is in
// the way of looking is reported by whoever writes.
func (m *exportModel) replaced(state *exportModel) export.KeptSource {
	if state != nil {
		return state.kept()
	}

	known, err := export.SourceAt(m.Path.ValueString())
	if err != nil {
		return export.KeptSource{}
	}

	return known
}

// kept is whose log the export has been of; what is remembered counts, whatever
// became of the files.
func (m *exportModel) kept() export.KeptSource {
	known := export.KeptSource{Source: sourceFrom(m.Source)}

	// Only the manifest names the key of pseudonyms.
	if there, err := export.SourceAt(m.Path.ValueString()); err == nil && there.Source == known.Source {
		known.KeyID = there.KeyID
	}

	return known
}

func timePointerValue(t *time.Time) types.String {
	if t == nil {
		return types.StringNull()
	}

	return timeValue(*t)
}

// spec says what to write, but for what comes from outside of the configuration.
func (m *exportModel) spec(q auditlog.Query, info auditlog.Info) export.Spec {
	s := export.Spec{
		Options: durable.Options{
			FilePermission:      permission(m.FilePermission),
			DirectoryPermission: permission(m.DirectoryPermission),
		},
		Path:            m.Path.ValueString(),
		Format:          export.Format(m.Format.ValueString()),
		Compression:     export.Compression(m.Compression.ValueString()),
		Shape:           export.Shape(m.Shape.ValueString()),
		SpreadsheetSafe: m.SpreadsheetSafe.ValueBool(),
		Query:           q,
		Info:            info,
		QueryAsWritten: export.QueryAsWritten{
			Last: m.Last.ValueString(), Start: m.Start.ValueString(), End: m.End.ValueString(),
			SettleDelay: or(m.SettleDelay, types.StringValue(exportSettleDelayText)).ValueString(),
		},
	}

	if !m.Columns.IsNull() {
		s.Columns = stringsOf[string](m.Columns)
	}

	return s
}

// permission reads an octal permission that a validator has let pass.
func permission(v types.String) fs.FileMode {
	n, err := strconv.ParseUint(v.ValueString(), 8, 32)
	if err != nil {
		return defaultFilePermission
	}

	return fs.FileMode(n)
}

// mostReadings bounds how often a log is read that never holds the same.
const mostReadings = 3

// exportTo reads what the spec's query asks for and writes it. Where values are
// redacted that entries before may hold, it reads twice.
func exportTo(ctx context.Context, s auditlog.Service, spec export.Spec) (result export.Result, err error) {
	var first auditlog.Completeness
	if err := spec.Scrubber.LearnAll(s.Read(ctx, spec.Query, &first), &first); err != nil {
		return export.Result{}, err
	}

	for range mostReadings {
		var c auditlog.Completeness

		result, err = export.Write(ctx, spec, s.Read(ctx, spec.Query, &c), &c)
		if !errors.Is(err, export.ErrLateValue) {
			break
		}
	}

	return result, err
}

// driftKey is where Terraform keeps drift between a refresh and the plan.
const driftKey = "drift"

// drift says how the files on disk differ from what was written, "" when they do not.
type drift string

const (
	// noDrift holds for an export that was just written.
	noDrift drift = ""
	// driftMissing is what on_missing is about; what it says counts when planning,
	// not what it said when the export was written.
	driftMissing drift = "the file is not there"
)

func (d drift) save(ctx context.Context, p interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
},
) diag.Diagnostics {
	text, err := json.Marshal(string(d))
	if err != nil {
		panic(err) // A string can be encoded.
	}

	return p.SetKey(ctx, driftKey, text)
}

func loadDrift(ctx context.Context, p interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
},
) (drift, diag.Diagnostics) {
	text, diags := p.GetKey(ctx, driftKey)

	var d drift
	if len(text) > 0 && exactjson.Unmarshal(text, &d) != nil {
		return "the private state cannot be read", diags
	}

	return d, diags
}

// compare says how what is on disk differs from what was written. The state
// keeps what was written, so that the difference outlasts a refresh.
func (m *exportModel) compare(found export.State) drift {
	switch {
	case found.Interrupted:
		return "the last export was interrupted before all of its files were in place"
	case !found.Exists:
		return driftMissing
	case found.SHA256 != m.SHA256.ValueString():
		return "the data differs from what was written"
	case found.ManifestSHA256 != m.ManifestSHA256.ValueString():
		return "the manifest is missing or differs from what was written"
	case !found.ChecksumsMatch:
		return "the checksum file is missing or differs from what was written"
	default:
		return noDrift
	}
}

const (
	missingRecreate = "recreate"
	missingKeep     = "keep"
	missingError    = "error"
)

func missingProblem(file string) problem {
	return problem{
		summary: "Look at the audit log export",
		cause:   "The export is not where it was written.",
		next:    "Restore the file, or set on_missing to \"recreate\" or \"keep\".",
	}.with("Path", file)
}

func driftProblem(d drift, file string) problem {
	return problem{
		summary: "The audit log export will be written again",
		cause:   sentence(string(d)),
		next:    "If nobody should have changed the export, find out who did, and keep a copy before applying.",
	}.with("Path", file)
}

// exportProblem tells an error of the disk from one of the service.
func exportProblem(err error, info auditlog.Info, w auditlog.Window) diag.Diagnostic {
	if d, ok := readingProblem(err, circumstances{summary: "Export " + logOf(info), info: info, window: w}); ok {
		return d
	}

	if other := (*auditlog.SourceError)(nil); errors.As(err, &other) {
		return otherLogProblem(other, exportSummary, "export").at(path.Root("path"))
	}

	if p, ok := (problem{summary: exportSummary}).with("Service", info.Name).ended(err); ok {
		return p.diagnostic()
	}

	return fileProblem(err, exportSummary).at(path.Root("path"))
}

func removeProblem(err error) problem {
	p := fileProblem(err, "Remove the audit log export")

	if foreign := (*export.ForeignFileError)(nil); errors.As(err, &foreign) {
		p.cause = "The file was changed after it was written, so it is left alone."
		p.next = "Look at what was changed and move the file away, or forget the resource with \"terraform state rm\"."
	}

	return p
}

// fileProblem explains what is in the way of a file.
func fileProblem(err error, summary string) problem {
	p := problem{summary: summary, cause: sentence(err.Error()), next: "Nothing was changed; try again once the cause is removed."}

	var (
		foreign    *export.ForeignFileError
		unwritable *durable.UnwritableError
		pathErr    *fs.PathError
	)

	switch {
	case errors.As(err, &foreign):
		p.cause = "A file is in the way that this provider did not write, or that was changed since."
		p.next = "Choose another path, move the file away, or set overwrite = true."
		p = p.with("Path", foreign.Path)
	case errors.As(err, &unwritable):
		p.cause = "The directory cannot be written to: " + reasonOf(unwritable.Err) + "."
		p.next = "Choose another path, or change the directory's permissions."
		p = p.with("Directory", unwritable.Directory)
	case errors.As(err, &pathErr):
		p.cause, p.next = causeOfPath(pathErr, p.next)
		p = p.with("Path", pathErr.Path)
	}

	return p
}

func causeOfPath(e *fs.PathError, next string) (cause, then string) {
	switch {
	case errors.Is(e.Err, durable.ErrDirectory):
		return "The path is a directory.", "Give the path of a file, such as \"evidence/audit.ndjson\"."
	case errors.Is(e.Err, durable.ErrNotDirectory):
		return "A part of the path is a file where a directory would have to be.", "Choose another path."
	case errors.Is(e.Err, durable.ErrNotRegular):
		return "What is at the path is not a regular file.", "Choose another path; symbolic links and devices are never replaced."
	case errors.Is(e.Err, durable.ErrBusy):
		return "Another resource is writing to the same path.", "Give each export a path of its own."
	case errors.Is(e.Err, durable.ErrUnsettled):
		return "An interrupted export left files that can be neither finished nor undone.", "Look at the file named here, keep what you need, and remove it."
	case errors.Is(e.Err, export.ErrLineBreak):
		return "The file's name holds a line break.", "Choose another name."
	default:
		return sentence(reasonOf(e.Err)), next
	}
}

// reasonOf returns the innermost error that says why, without the path again.
func reasonOf(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}

	return err.Error()
}
