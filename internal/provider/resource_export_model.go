// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

type exportModel struct {
	queryModel

	Path                types.String   `tfsdk:"path"`
	Format              types.String   `tfsdk:"format"`
	Compression         types.String   `tfsdk:"compression"`
	Columns             types.List     `tfsdk:"columns"`
	Shape               types.String   `tfsdk:"shape"`
	Redact              types.Map      `tfsdk:"redact"`
	CSV                 types.Object   `tfsdk:"csv"`
	SpreadsheetSafe     types.Bool     `tfsdk:"spreadsheet_safe"`
	FilePermission      types.String   `tfsdk:"file_permission"`
	DirectoryPermission types.String   `tfsdk:"directory_permission"`
	Overwrite           types.Bool     `tfsdk:"overwrite"`
	AllowShrink         types.Bool     `tfsdk:"allow_shrink"`
	OnMissing           types.String   `tfsdk:"on_missing"`
	OnChanged           types.String   `tfsdk:"on_changed"`
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
	Drift          types.String `tfsdk:"drift"`
	Completeness   types.Object `tfsdk:"completeness"`
	Source         types.Object `tfsdk:"source"`
}

func (m *exportModel) validate() diag.Diagnostics {
	diags := m.queryModel.validate()

	f := task.Form{
		Format: format.Format(m.Format.ValueString()), Compression: format.Compression(m.Compression.ValueString()),
		Shape:   format.Shape(m.Shape.ValueString()),
		LaidOut: given(m.CSV) && !m.Format.IsUnknown(),
	}

	if !known(m.Format, m.Columns) {
		f.Shape = ""
	}

	for i, name := range m.Columns.Elements() {
		if name.IsUnknown() {
			f.Columns = append(f.Columns, strconv.Itoa(i)) // It may be any but the others.
		} else if name, ok := name.(types.String); ok {
			f.Columns = append(f.Columns, name.ValueString())
		}
	}

	diags.Append(diagnose(f.Check()...)...)

	return diags
}

// sameExport says that both would write the same q to the same file in the
// same form, however that is spelled. What is around it (permissions, what happens on
// destroy) may differ.
func (m *exportModel) sameExport(state *exportModel, c *configured) bool {
	if !known(m.values()...) || !m.sameFile(state) || !m.sameArchive(state) || !m.sameForm(state) {
		return false
	}

	asked, err := m.asked(c)
	before, errBefore := state.asked(c)

	if err != nil || errBefore != nil {
		return false // Whoever reads says what is wrong with it.
	}

	if m.Service.IsNull() && state.Service.IsNull() {
		before.Service = asked.Service
	}

	// The default of start counts from the end, which is known once it has passed.
	if query.ParseTime(state.End.ValueString()).Truncate(time.Microsecond).Equal(
		query.ParseTime(state.WindowEnd.ValueString()),
	) {
		asked.AsWritten, before.AsWritten = asked.AsWritten.WithStart(), before.AsWritten.WithStart()
	}

	return len(asked.Different(before)) == 0 || m.shownAs(before, c)
}

// shownAs says whether what the state says is how a manifest shows the same: an import
// knows no more. Of a text that a redaction masks or drops, nobody can tell.
func (m *exportModel) shownAs(before export.Asked, c *configured) bool {
	rules, found := c.redactor(m.Redact)
	q, err := m.filters().Query()

	if found.HasError() || err != nil {
		return false
	}

	spec := m.spec(q, auditlog.Info{Name: before.Service})
	spec.Redactor = rules

	return spec.ShownAs(before)
}

// sameFile says whether both paths name the same file.
func (m *exportModel) sameFile(o *exportModel) bool {
	return given(m.Path) && given(o.Path) && durable.Key(m.file()) == durable.Key(o.file())
}

// file is the path of the data, as every other function of this package takes it.
func (m *exportModel) file() string { return filepath.Clean(m.Path.ValueString()) }

// sameArchive says whether both read the same archive, if one at all. A manifest does
// not say which archive it was, so that an import does not know.
func (m *exportModel) sameArchive(state *exportModel) bool {
	imported := state.Service.ValueString() == auditlog.ServiceArchive && state.Destination.IsNull()

	return imported ||
		(m.Destination.Equal(state.Destination) ||
			durable.SamePlace(m.Destination.ValueString(), state.Destination.ValueString())) &&
			(m.PublicKeys.Equal(state.PublicKeys) ||
				slices.EqualFunc(stringsOf[string](m.PublicKeys), stringsOf[string](state.PublicKeys), archive.SamePublicKey))
}

// sameForm says whether both write what they read in the same form, and whether
// nothing says to write it again.
func (m *exportModel) sameForm(o *exportModel) bool {
	shape := func(m *exportModel) string { return cmp.Or(m.Shape.ValueString(), string(format.ShapeEntry)) }

	return m.compression().Equal(o.compression()) && shape(m) == shape(o) && m.csvMeant().Equal(o.csvMeant()) &&
		redact.SameRules(mapOf(m.Redact), mapOf(o.Redact)) && maps.Equal(mapOf(m.Triggers), mapOf(o.Triggers)) &&
		(m.SpreadsheetSafe.Equal(o.SpreadsheetSafe) || m.Format.ValueString() != string(format.CSV))
}

// asked is which export the model is. Every value must be known.
func (m *exportModel) asked(c *configured) (export.Asked, error) {
	q, err := m.filters().Query()
	if err != nil {
		return export.Asked{}, err
	}

	spec := m.spec(q, auditlog.Info{Name: m.serviceName(c)})

	return spec.Asked(), nil
}

// serviceName is the service that is meant. Where none is given, a state says which one
// it was; else it is the only one.
func (m *exportModel) serviceName(c *configured) string {
	name := sourceFrom(m.Source).Service

	switch {
	case !m.Service.IsNull():
		return m.Service.ValueString()
	case name == "":
		name, _ = c.Only()
	}

	return name
}

// keeps says whether the files outlive the resource. A state that does not say keeps them.
func (m *exportModel) keeps() bool { return m.KeepOnDestroy.IsNull() || m.KeepOnDestroy.ValueBool() }

// before is what the state remembers of the export that it is of.
func (m *exportModel) before(c *configured) *export.Before {
	asked, err := m.asked(c)
	if err != nil {
		return nil // Then only what is there can be looked at.
	}

	beyond, ok := m.Completeness.Attributes()["beyond_retention"].(types.Bool)

	return &export.Before{
		Asked: asked, SHA256: m.SHA256.ValueString(), ManifestSHA256: m.ManifestSHA256.ValueString(),
		EntryCount: m.EntryCount.ValueInt64(),
		FirstTime:  query.ParseTime(m.FirstTime.ValueString()),
		Window: auditlog.Window{
			Start: query.ParseTime(m.WindowStart.ValueString()),
			End:   query.ParseTime(m.WindowEnd.ValueString()),
		}, BeyondRetention: ok && beyond.ValueBool(),
	}
}

// keepSpelling takes over how the state spells what is the same.
func (m *exportModel) keepSpelling(s *exportModel) {
	m.keepQuery(&s.queryModel)
	keep(&m.Columns, s.Columns)
	keep(&m.Redact, s.Redact)
	keep(&m.CSV, s.CSV)
}

// values are the arguments that say what is written.
func (m *exportModel) values() []attr.Value {
	return append(m.queryModel.values(), m.Path, m.Format, m.compression(), m.Columns, m.Shape, m.Redact, m.csvMeant(),
		m.SpreadsheetSafe, m.Triggers)
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
		return types.StringValue(string(format.Format(m.Format.ValueString()).DefaultCompression()))
	}
}

func (m *exportModel) keepResults(s *exportModel) {
	m.EntryCount, m.Bytes, m.SHA256 = s.EntryCount, s.Bytes, s.SHA256
	m.WindowStart, m.WindowEnd, m.FirstTime, m.LastTime = s.WindowStart, s.WindowEnd, s.FirstTime, s.LastTime
	m.ManifestPath, m.ManifestSHA256 = s.ManifestPath, s.ManifestSHA256
	m.ExportedAt, m.Completeness, m.Source, m.Drift = s.ExportedAt, s.Completeness, s.Source, s.Drift
}

func (m *exportModel) forgetResults() {
	m.EntryCount, m.Bytes, m.SHA256 = types.Int64Unknown(), types.Int64Unknown(), types.StringUnknown()
	m.WindowStart, m.WindowEnd = types.StringUnknown(), types.StringUnknown()
	m.FirstTime, m.LastTime = types.StringUnknown(), types.StringUnknown()
	m.ManifestPath, m.ManifestSHA256 = types.StringUnknown(), types.StringUnknown()
	m.ExportedAt, m.Completeness = types.StringUnknown(), types.ObjectUnknown(completenessTypes())
	m.Source, m.Drift = types.ObjectUnknown(sourceTypes()), types.StringNull()

	if !m.Path.IsUnknown() {
		m.ManifestPath = types.StringValue(m.Path.ValueString() + export.ManifestSuffix)
	}
}

func (m *exportModel) setResults(r export.Result) {
	m.EntryCount, m.Bytes, m.SHA256 = types.Int64Value(r.EntryCount), types.Int64Value(r.Bytes),
		types.StringValue(r.SHA256)
	m.WindowStart, m.WindowEnd = timeValue(r.Completeness.Window.Start), timeValue(r.Completeness.Window.End)
	m.FirstTime, m.LastTime = timePointerValue(r.FirstTime), timePointerValue(r.LastTime)
	m.ManifestPath, m.ManifestSHA256 = types.StringValue(m.Path.ValueString()+export.ManifestSuffix),
		types.StringValue(r.ManifestSHA256)
	m.ExportedAt, m.Completeness = timeValue(r.ExportedAt), completenessValue(r.Statement)
	m.Source, m.Drift = sourceValue(r.Source), types.StringNull()
}

// replaced is whose log what the model would write takes the place of. What is in
// the way of looking is reported by whoever writes.
func (m *exportModel) replaced(state *exportModel) redact.KeptSource {
	if state != nil {
		return state.kept()
	}

	known, err := export.SourceAt(m.file())
	if err != nil {
		return redact.KeptSource{}
	}

	return known
}

// kept is whose log the export has been of; what is remembered counts, whatever
// became of the files.
func (m *exportModel) kept() redact.KeptSource {
	known := redact.KeptSource{Source: sourceFrom(m.Source)}

	// Only the manifest names the key of pseudonyms.
	if there, err := export.SourceAt(m.file()); err == nil && there.Source == known.Source {
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
		Path:            m.file(),
		Format:          format.Format(m.Format.ValueString()),
		Compression:     format.Compression(m.Compression.ValueString()),
		Shape:           format.Shape(m.Shape.ValueString()),
		SpreadsheetSafe: m.SpreadsheetSafe.ValueBool(),
		CSV:             m.csvOptions(),
		Overwrite:       m.Overwrite.ValueBool(),
		AllowShrink:     m.AllowShrink.ValueBool(),
		Query:           q,
		Info:            info,
		QueryAsWritten: export.QueryAsWritten{
			Last: m.Last.ValueString(), Start: m.Start.ValueString(), End: m.End.ValueString(),
			SettleDelay: cmp.Or(m.SettleDelay.ValueString(), task.SettleDelayText),
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

// What the state says of files that are not as they were written. What was written
// itself stays in the state, so that the difference outlasts a refresh.
const (
	// driftMissing is what on_missing is about.
	driftMissing = "the file is not there"
	// driftRest is what on_missing and on_changed are about, and the stricter counts.
	driftRest = "the file is not there, and what is left of the export differs from what was written"
	// driftInterrupted is nobody's doing, and the next export finishes it.
	driftInterrupted = "the last export was interrupted before all of its files were in place"
	// driftUnseen keeps whoever plans from taking the files for what was written.
	driftUnseen     = "the files cannot be looked at"
	driftPermission = "the permission differs from what was set"
	driftData       = "the data differs from what was written"
	driftManifest   = "the manifest is missing or differs from what was written"
	driftChecksums  = "the checksum file is missing or differs from what was written"
)

// What on_missing and on_changed can say.
const (
	driftRecreate = "recreate"
	driftKeep     = "keep"
	driftError    = "error"
)

// onDrift is what is to be done about the drift that the state names.
func (m *exportModel) onDrift(drift types.String) string {
	switch drift.ValueString() {
	case "":
		return driftKeep
	case driftMissing:
		return m.OnMissing.ValueString()
	case driftRest:
		return m.stricter()
	case driftInterrupted:
		return driftRecreate
	case driftUnseen:
		return driftError
	default:
		return m.OnChanged.ValueString()
	}
}

// stricter is the stricter of on_missing and on_changed, "" as long as one is not known.
func (m *exportModel) stricter() string {
	both := []string{m.OnMissing.ValueString(), m.OnChanged.ValueString()}

	for _, then := range []string{"", driftError, driftRecreate} {
		if slices.Contains(both, then) {
			return then
		}
	}

	return driftKeep
}

// refresh looks how what is on disk differs from what was written, and says so.
func (m *exportModel) refresh() explain.Problems {
	found, err := export.Inspect(m.file())
	if err != nil {
		m.Drift = types.StringValue(driftUnseen)
		p := explain.File(err, lookAtExport)
		p.Next = "Until they can be looked at, nothing is written; what becomes of the files when the resource is destroyed does not depend on it."

		return explain.Problems{p.AsWarning()}
	}

	changes := found.Changes(m.file(), m.SHA256.ValueString(), m.ManifestSHA256.ValueString(),
		permission(m.FilePermission))

	m.Drift = types.StringNull()

	switch {
	case found.Interrupted:
		m.Drift = types.StringValue(driftInterrupted)
	case !found.Exists && !slices.ContainsFunc(changes, func(c export.Change) bool { return c.Found != "" }):
		m.Drift = types.StringValue(driftMissing)
	case !found.Exists:
		m.Drift = types.StringValue(driftRest)

		return explain.Problems{changedWarning(changes)}
	case len(changes) > 0:
		m.Drift = types.StringValue(m.worst(changes))

		return explain.Problems{changedWarning(changes)}
	}

	return nil
}

// sinceThePlan looks whether the files are still as they were when it was planned to
// replace them; what was found then was said then. The state is nil where there was
// no export.
func (m *exportModel) sinceThePlan(state *exportModel) explain.Problems {
	if state == nil {
		return nil
	}

	now := *state

	found := now.refresh()
	if now.Drift.Equal(state.Drift) {
		return nil
	}

	if m.onDrift(now.Drift) == driftError {
		found.Add(driftErrorProblem(now.Drift.ValueString(), m.Path.ValueString()).At(explain.Argument("path")))
	}

	return found
}

// worst says what of several changes weighs most.
func (m *exportModel) worst(changes []export.Change) string {
	drift := driftPermission

	for _, c := range slices.Backward(changes) {
		switch {
		case c.Permission:
		case c.Path == m.file():
			drift = driftData
		case c.Path == m.file()+export.ManifestSuffix:
			drift = driftManifest
		default:
			drift = driftChecksums
		}
	}

	return drift
}

const lookAtExport = "Look at the audit log export"

// changedWarning names every file that is not as it was written.
func changedWarning(changes []export.Change) explain.Problem {
	p := explain.Problem{
		Summary: "The audit log export was changed",
		Cause:   "Files of the export are not as they were written.",
		Next:    "Find out who changed them, and keep a copy; on_changed says what the next apply does about it.",
	}

	for _, c := range changes {
		kind := "SHA-256"
		if c.Permission {
			kind = "permission"
		}

		p = p.With("Path", c.Path).With(explain.Plain("Expected "+kind), c.Expected).With(explain.Plain("Found "+kind),
			cmp.Or(c.Found, "no file"))
	}

	return p.AsWarning()
}

func driftErrorProblem(drift, file string) explain.Problem {
	p := explain.Problem{Summary: lookAtExport}.With("Path", file)

	switch drift {
	case driftMissing:
		p.Cause = "The export is not where it was written."
		p.Next = "Restore the file, or set on_missing to \"recreate\" or \"keep\"."
	case driftUnseen:
		p.Cause = "The files of the export could not be looked at when the state was refreshed."
		p.Next = "Remove what is in the way, and plan again."
	case driftRest:
		p.Cause = "The export is not where it was written, and what is left of it was changed."
		p.Next = "Find out who did that and restore the files, or set on_missing and on_changed to \"recreate\" or \"keep\"."
	default:
		p.Cause = "The export was changed: " + explain.Plain(drift) + "."
		p.Next = "Find out who changed it and restore the file, or set on_changed to \"recreate\" or \"keep\"."
	}

	return p
}

func driftProblem(drift, file string) explain.Problem {
	p := explain.Problem{
		Summary: "The audit log export will be written again",
		Cause:   explain.Sentence(drift),
		Next:    "If nobody should have changed the export, find out who did, and keep a copy before applying.",
	}.With("Path", file)

	if drift == driftPermission {
		p.Summary = "The audit log export gets its permission back"
	}

	return p
}

// beyondRetention says while planning that a part of the window proves nothing, and
// what that means for the export that is there.
func (m *exportModel) beyondRetention(info auditlog.Info, c auditlog.Completeness, state *exportModel) explain.Problem {
	p := explain.Retention(info, c)

	kept, replaced := m.endangered(state)
	if kept == 0 || m.AllowShrink.ValueBool() {
		return p.AsWarning()
	}

	p = p.With("Entries kept so far", strconv.FormatInt(kept, 10))
	then := explain.Text("; the apply is refused where the export would hold less, or what the service has dropped since would be lost with it.")

	if !replaced {
		then = "; the export at the old path is not removed where the new one holds less."
	}

	p.Next = p.Next[:len(p.Next)-1] + then

	return p.AsWarning()
}

// endangered returns how many entries are kept by the export that the new one comes
// after, and whether it is at the same path. Where a resource is made anew, the state of
// the old one is not told.
func (m *exportModel) endangered(state *exportModel) (kept int64, replaced bool) {
	if state != nil {
		return state.EntryCount.ValueInt64(), m.sameFile(state)
	}

	d, err := export.Describe(m.file())
	if err != nil {
		return 0, false
	}

	return d.EntryCount, true
}

// leftWarning says that destroying has left an export alone.
func leftWarning(file string) explain.Problem {
	return explain.Problem{
		Summary: "The audit log export was left where it is",
		Cause:   "What lies at the path is not what this resource wrote.",
		Next:    "If it is nobody's, look at it and remove it yourself.",
	}.With("Path", file)
}

// fullerWarning says that a new export was made elsewhere, and the old one left.
func fullerWarning(old *exportModel) explain.Problem {
	p := leftWarning(old.Path.ValueString())
	p.Cause = "The export that was made in its place is another one, or does not hold as much, so it was not removed. The state does not have it any more."
	p.Next = "Keep it, or remove it yourself."

	return p.With("Entries kept so far", strconv.FormatInt(old.EntryCount.ValueInt64(), 10))
}
