// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// ExportType is the name of the resource in configurations.
const ExportType = TypeName + "_log_export"

var (
	_ resource.Resource                   = (*exportResource)(nil)
	_ resource.ResourceWithConfigure      = (*exportResource)(nil)
	_ resource.ResourceWithValidateConfig = (*exportResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*exportResource)(nil)
	_ resource.ResourceWithImportState    = (*exportResource)(nil)
)

// NewExportResource returns the resource audit_log_export.
func NewExportResource() resource.Resource { return &exportResource{} }

type exportResource struct{ c *configured }

const exportTimeout = time.Hour

// Metadata implements resource.Resource.
func (r *exportResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = ExportType
}

// Schema implements resource.Resource.
func (r *exportResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = exportSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (r *exportResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (r *exportResource) ValidateConfig(
	ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse,
) {
	var m exportModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

// Create writes the first export. The state is set as soon as files exist, which
// is after everything else has succeeded.
func (r *exportResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m exportModel

	resp.Diagnostics.Append(revalidateKnown(ctx, req.Config, validateResource(ExportType))...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Create(ctx, exportTimeout)
	resp.Diagnostics.Append(diags...)

	w := writing{anew: true, timeout: timeout}

	old := r.c.exports.left(m.file())
	if old != nil && m.sameFile(old) {
		w.before = old
	}

	n, diags := r.write(ctx, &m, w)
	resp.Diagnostics.Append(diags...)

	if n != nil {
		r.c.exports.remember(n)
	}

	if old != nil {
		resp.Diagnostics.Append(r.settle(&m, old, n)...)
	}

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// settle removes the export that a new one was to take the place of, where it has: not
// unless the new one was made, is the same export and holds as much. What is in the way
// of removing it is no error, since the new one is there.
func (r *exportResource) settle(m, old *exportModel, n *made) diag.Diagnostics {
	switch {
	case n == nil:
		p := leftWarning(old.Path.ValueString())
		p.Cause = "No export was made in its place, so it is as it was. Terraform has taken it out of the state."
		p.Next = "Bring it back with terraform import, whose id is the path, before anything else; then apply without replacing it."

		return diagnose(p.AsWarning())
	case m.sameFile(old), old.keeps():
		return nil
	case !n.replaces(old, r.c):
		return diagnose(fullerWarning(old).AsWarning())
	}

	removed := r.remove(old)
	if removed.HasError() {
		p := leftWarning(old.Path.ValueString())
		p.Cause = "It was changed after it was written, or could not be removed: " + explain.Plain(removed[0].Detail())

		return diagnose(p.AsWarning())
	}

	return removed
}

// Read looks whether the files are still the ones that were written. It asks no
// service: an export is a photograph, and a new one is made only when the
// configuration, the triggers or the files change.
func (r *exportResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m exportModel

	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(diagnose(m.refresh()...)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// ModifyPlan decides whether the export will be written, reports what already
// can be known to fail, and keeps results as they are when it will not.
func (r *exportResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() || r.c == nil {
		return // It will be destroyed, or nothing is configured yet.
	}

	var plan exportModel

	resp.Diagnostics.Append(revalidate(ctx, req.Config, validateResource(ExportType))...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)

	var state *exportModel

	if !req.State.Raw.IsNull() {
		state = &exportModel{}
		resp.Diagnostics.Append(req.State.Get(ctx, state)...)
	}

	if resp.Diagnostics.HasError() {
		return
	}

	if state == nil {
		resp.Diagnostics.Append(setKey(ctx, resp.Private, makingKey, plan.Path.ValueStringPointer())...)
	} else {
		if !plan.sameFile(state) {
			resp.RequiresReplace.Append(path.Root("path"))
		} else {
			plan.Path = state.Path
		}
	}

	if resp.Diagnostics.Append(r.claim(ctx, &plan, req, resp)...); resp.Diagnostics.HasError() {
		return
	}

	if resp.Diagnostics.Append(r.sameLog(ctx, &plan, state)...); resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(r.decide(ctx, &plan, state)...)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// claim refuses the second resource of a run with the same path.
func (r *exportResource) claim(
	ctx context.Context, plan *exportModel, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) diag.Diagnostics {
	if plan.Path.IsUnknown() {
		return nil // Terraform plans once more before it applies.
	}

	name, diags := resourceName(ctx, req.Private, resp.Private)
	if !r.c.exports.plan(plan.file(), name) {
		diags.Append(diagnose(samePathProblem(plan.Path.ValueString()))...)
	}

	return diags
}

// decide plans whether the export will be written.
func (r *exportResource) decide(ctx context.Context, plan, state *exportModel) diag.Diagnostics {
	if state == nil {
		plan.forgetResults()

		return r.foresee(ctx, plan, nil)
	}

	var diags diag.Diagnostics

	drift, then := state.Drift.ValueString(), plan.onDrift(state.Drift)
	if then == driftError {
		return diagnose(driftErrorProblem(drift, plan.Path.ValueString()).At(explain.Argument("path")))
	}

	same := plan.sameExport(state, r.c)

	switch {
	case same && then == driftKeep:
		plan.keepSpelling(state)
		plan.keepResults(state)
	case same && drift == driftPermission:
		plan.keepSpelling(state)
		plan.keepResults(state)
		plan.Drift = types.StringNull()
	default:
		plan.forgetResults()
		diags.Append(r.foresee(ctx, plan, state)...)
	}

	if then == driftRecreate && plan.sameFile(state) {
		diags.Append(diagnose(driftProblem(drift, plan.Path.ValueString()).AsWarning())...)
	}

	return diags
}

// Update writes the export anew, unless only what happens around it changed.
func (r *exportResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var m, state exportModel

	resp.Diagnostics.Append(revalidateKnown(ctx, req.Config, validateResource(ExportType))...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)

	if resp.Diagnostics.HasError() {
		return
	}

	if m.SHA256.IsUnknown() {
		timeout, diags := m.Timeouts.Update(ctx, exportTimeout)
		resp.Diagnostics.Append(diags...)

		_, diags = r.write(ctx, &m, writing{before: &state, timeout: timeout})
		resp.Diagnostics.Append(diags...)
	} else if !m.FilePermission.Equal(state.FilePermission) || !m.Drift.Equal(state.Drift) {
		err := durable.SetPermission(m.file(), permission(m.FilePermission), "", export.ManifestSuffix, export.ChecksumSuffix)
		if err != nil {
			resp.Diagnostics.Append(diagnose(explain.File(err, explain.ExportLogs).At(explain.Argument("file_permission")))...)
		}
	}

	// On an error the state stays as it was, and so did the files.
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// Delete leaves evidence where it is unless the user decided otherwise. Where a new
// export follows, whoever makes it decides about the old one: it may hold what the cloud
// has dropped.
func (r *exportResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m exportModel

	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)

	making, diags := req.Private.GetKey(ctx, makingKey)
	resp.Diagnostics.Append(diags...)

	switch {
	case resp.Diagnostics.HasError():
	case len(making) > 0 && r.c != nil:
		resp.Diagnostics.Append(r.leave(&m, making)...)
	case m.keeps():
	case r.c != nil && r.c.exports.wrote(m.file()): // The new one is made first, and is what lies there by now,
		resp.Diagnostics.Append(diagnose(leftWarning(m.Path.ValueString()).AsWarning())...)
	case r.c != nil && r.c.exports.holdsLess(&m, r.c): // or lies elsewhere.
		resp.Diagnostics.Append(diagnose(fullerWarning(&m).AsWarning())...)
	default:
		resp.Diagnostics.Append(r.remove(&m)...)
	}
}

// leave leaves an export to whoever makes the one that follows, where the plan says.
func (r *exportResource) leave(m *exportModel, making []byte) diag.Diagnostics {
	var file *string
	if exactjson.Unmarshal(making, &file) == nil && file != nil {
		r.c.exports.leave(m, *file)

		return nil
	}

	if m.keeps() {
		return nil
	}

	p := leftWarning(m.Path.ValueString())
	p.Cause = "Where the new export goes was not known in the plan, so that nobody could compare the two."
	p.Next = "Remove it yourself once the new one holds as much."

	return diagnose(p.AsWarning())
}

// remove removes the files of an export, if they are the ones that were written.
func (r *exportResource) remove(m *exportModel) diag.Diagnostics {
	err := export.Remove(m.file(), m.ManifestSHA256.ValueString())

	switch other := (*export.NotWrittenError)(nil); {
	case errors.As(err, &other):
		return diagnose(leftWarning(m.Path.ValueString()).
			With("Expected SHA-256 of the manifest", other.Expected).With("Found SHA-256",
			cmp.Or(other.Found, "no file")).AsWarning())
	case err != nil:
		return diagnose(explain.Remove(err).At(explain.Argument("path")))
	default:
		return nil
	}
}

// foresee reports what would make the export fail: the service, the window, the file.
func (r *exportResource) foresee(ctx context.Context, plan, state *exportModel) diag.Diagnostics {
	diags := r.foreseeSource(ctx, plan, state)

	if r.c.redactionKnown(plan.Redact) {
		_, wrong := r.c.redactor(plan.Redact)
		diags.Append(diagnose(wrong...)...)
	}

	if !known(plan.Path, plan.Overwrite) {
		return diags
	}

	if err := export.CheckTarget(r.target(plan, state)); err != nil {
		diags.Append(diagnose(explain.File(err, explain.ExportLogs).At(explain.Argument("path")))...)
	}

	return diags
}

// target is what is known while planning of the export that will be written: as long
// as it is not known which one it is, it is only known where.
func (r *exportResource) target(plan, state *exportModel) export.Spec {
	q, err := plan.filters().Query()
	if err != nil || !known(plan.values()...) {
		return export.Spec{Path: plan.file(), Overwrite: true}
	}

	spec := plan.spec(q, auditlog.Info{Name: plan.serviceName(r.c)})
	spec.Begun = r.c.begun
	spec.Redactor, _ = r.c.redactor(plan.Redact) // What is wrong with it is said elsewhere.

	if state != nil && plan.sameFile(state) {
		spec.Before = state.before(r.c)
	}

	return spec
}

// foreseeSource reports what is wrong with what would be read, as far as it is
// known. An archive may be begun by the same apply, and the provider's configuration
// may be known only in it.
func (r *exportResource) foreseeSource(ctx context.Context, plan, state *exportModel) diag.Diagnostics {
	if !plan.logKnown() {
		return nil
	}

	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()

	service, picked, notYet := r.c.Open(ctx, explain.ExportLogs, plan.log())
	if notYet {
		return nil
	}

	if picked != nil || !known(plan.queryModel.values()...) {
		return diagnose(picked...)
	}

	question := plan.question(r.c, explain.ExportLogs, task.SettleDelay)

	q, wrong := question.Resolve(service)
	if wrong.HasError() {
		return diagnose(wrong...)
	}

	wrong.Add(task.ConfirmValues(ctx, service, &q, nil)...)

	// An archive drops nothing, and of copies it is known only once they are read.
	if info := service.Info(); info.Retention > 0 && !info.FilledLater {
		if c := auditlog.NewCompleteness(q.Window, info.Retention, question.Now); c.BeyondRetention {
			wrong.Add(plan.beyondRetention(info, c, state))
		}
	}

	return diagnose(wrong...)
}

// sameLog reports that what is planned would be of another log than what is there,
// as far as that is known or one request can tell. An export that stays as it is
// must not look as if it were of a log that is configured no longer.
func (r *exportResource) sameLog(ctx context.Context, plan, state *exportModel) diag.Diagnostics {
	if !plan.logKnown() || plan.Path.IsUnknown() || plan.Redact.IsUnknown() || (state != nil && !plan.sameFile(state)) {
		return nil
	}

	known := plan.replaced(state)

	rules, found := r.c.redactor(plan.Redact)
	if found.HasError() || known.Source == (auditlog.Source{}) {
		return nil
	}

	ctx, cancel := task.Asking(ctx)
	defer cancel()

	now, ok := r.found(ctx, plan.log(), known.Source)
	if !ok {
		return nil // Whatever will be read reports it.
	}

	return diagnose(task.CompareSources(rules, known, now, state == nil && plan.Overwrite.ValueBool())...)
}

// found returns whose log the source is, and whether there is one.
func (r *exportResource) found(ctx context.Context, l source.Log, known auditlog.Source) (auditlog.Source, bool) {
	if l.Service != auditlog.ServiceArchive {
		service, picked, _ := r.c.Service(explain.ExportLogs, l.Service)
		if picked != nil {
			return auditlog.Source{}, false
		}

		return task.Identify(ctx, service, known), true
	}

	store, err := r.c.Store(ctx, l.Destination, nil)
	if err != nil {
		return auditlog.Source{}, false
	}

	last, err := archive.Peek(ctx, store)
	if err != nil {
		return auditlog.Source{}, false
	}

	return last.Source, true
}

// writing says what write is called for.
type writing struct {
	// before is the export that the state remembers at the same path, nil where there is
	// none, and anew says that a new resource takes its place.
	before  *exportModel
	anew    bool
	timeout time.Duration
}

// write reads the log and writes the files, and puts the results into the model. It
// returns what was made, nil where nothing was.
func (r *exportResource) write(ctx context.Context, m *exportModel, w writing) (*made, diag.Diagnostics) {
	if !r.c.exports.write(m.file()) {
		return nil, diagnose(samePathProblem(m.Path.ValueString()))
	}

	ctx, cancel := r.c.options.reading(ctx, w.timeout, explain.ExportLogs)
	defer cancel()

	service, picked, _ := r.c.Open(ctx, explain.ExportLogs, m.log())
	if picked != nil {
		return nil, diagnose(picked...)
	}

	x := task.Export{
		Question: m.question(r.c, explain.ExportLogs, task.SettleDelay),
		Spec:     m.spec(auditlog.Query{}, auditlog.Info{}),
		Redact:   r.c.redaction(m.Redact),
		Known:    m.replaced(w.before), Willing: w.anew && m.Overwrite.ValueBool(),
	}
	x.Found = m.sinceThePlan(w.before)
	x.Spec.Begun, x.Spec.Tool = r.c.begun, r.c.options.tool()

	if w.before != nil {
		x.Spec.Before, x.Spec.RefuseChanged = w.before.before(r.c), m.OnChanged.ValueString() == driftError
	}

	written, problems := x.Run(ctx, service)
	if written == nil {
		return nil, diagnose(problems...)
	}

	m.setResults(written.Result)
	n := made{asked: written.Asked, rules: mapOf(m.Redact), result: written.Result, less: m.AllowShrink.ValueBool()}

	return &n, diagnose(problems...)
}
