// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// ExportType is the name of the resource in configurations.
const ExportType = TypeName + "_log_export"

var (
	_ resource.Resource                   = (*exportResource)(nil)
	_ resource.ResourceWithConfigure      = (*exportResource)(nil)
	_ resource.ResourceWithValidateConfig = (*exportResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*exportResource)(nil)
)

// NewExportResource returns the resource audit_log_export.
func NewExportResource() resource.Resource { return &exportResource{} }

type exportResource struct{ c *configured }

const (
	exportSummary     = "Export audit logs"
	exportTimeout     = time.Hour
	exportSettleDelay = time.Minute
	// exportSettleDelayText is the same as users write it.
	exportSettleDelayText = "1m"
)

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
func (r *exportResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
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
	resp.Diagnostics.Append(r.write(ctx, &m, nil, timeout)...)

	if resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	resp.Diagnostics.Append(noDrift.save(ctx, resp.Private)...)
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

	found, err := export.Inspect(m.Path.ValueString())
	if err != nil {
		resp.Diagnostics.Append(fileProblem(err, "Look at the audit log export").at(path.Root("path")))

		return
	}

	drift := m.compare(found)
	resp.Diagnostics.Append(drift.save(ctx, resp.Private)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// ModifyPlan decides whether the export will be written, reports what already
// can be known to fail, and keeps results as they are when it will not.
func (r *exportResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
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

	drift, diags := loadDrift(ctx, req.Private)
	resp.Diagnostics.Append(diags...)

	if resp.Diagnostics.HasError() {
		return
	}

	if resp.Diagnostics.Append(r.sameLog(ctx, &plan, state)...); resp.Diagnostics.HasError() {
		return
	}

	drifted := drift != noDrift

	if drift == driftMissing {
		switch plan.OnMissing.ValueString() {
		case missingKeep:
			drifted = false
		case missingError:
			resp.Diagnostics.Append(missingProblem(plan.Path.ValueString()).at(path.Root("path")))

			return
		}
	}

	if state != nil && !drifted && plan.sameExport(state) {
		plan.keepResults(state)
	} else {
		plan.forgetResults()
		resp.Diagnostics.Append(r.foresee(ctx, &plan, state)...)
	}

	if state != nil && drifted {
		resp.Diagnostics.Append(driftProblem(drift, plan.Path.ValueString()).warning())
	}

	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
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
		resp.Diagnostics.Append(r.write(ctx, &m, &state, timeout)...)
	} else if !m.FilePermission.Equal(state.FilePermission) {
		err := durable.SetPermission(m.Path.ValueString(), permission(m.FilePermission), "", export.ManifestSuffix, export.ChecksumSuffix)
		if err != nil {
			resp.Diagnostics.Append(fileProblem(err, exportSummary).at(path.Root("file_permission")))
		}
	}

	// On an error the state stays as it was, and so did the files.
	if resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	resp.Diagnostics.Append(noDrift.save(ctx, resp.Private)...)
}

// Delete leaves evidence where it is unless the user decided otherwise.
func (r *exportResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m exportModel

	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() || m.KeepOnDestroy.ValueBool() {
		return
	}

	if err := export.Remove(m.Path.ValueString()); err != nil {
		resp.Diagnostics.Append(removeProblem(err).at(path.Root("path")))
	}
}

// foresee reports what would make the export fail: the service, the window, the file.
func (r *exportResource) foresee(ctx context.Context, plan, state *exportModel) diag.Diagnostics {
	diags := r.foreseeSource(ctx, plan)

	if r.c.redactionKnown(plan.Redact) {
		_, found := redactor(plan.Redact, r.c)
		diags.Append(found...)
	}

	if !known(plan.Path, plan.Overwrite) {
		return diags
	}

	overwrite := plan.Overwrite.ValueBool() || (state != nil && state.Path.Equal(plan.Path))
	if err := export.CheckTarget(plan.Path.ValueString(), overwrite); err != nil {
		diags.Append(fileProblem(err, exportSummary).at(path.Root("path")))
	}

	return diags
}

// foreseeSource reports what is wrong with what would be read, as far as it is
// known. An archive may be begun by the same apply, and the provider's configuration
// may be known only in it.
func (r *exportResource) foreseeSource(ctx context.Context, plan *exportModel) diag.Diagnostics {
	if !plan.source().known() {
		return nil
	}

	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()

	service, picked, notYet := r.c.sourceOrNone(ctx, exportSummary, plan.source())
	if notYet {
		return nil
	}

	if picked != nil || !known(plan.queryModel.values()...) {
		return compact(picked)
	}

	query, diags := plan.resolve(service.Info(), r.c.options.Clock(), exportSettleDelay, exportSummary)
	diags.Append(unanswerable(service, query)...)

	if !diags.HasError() {
		diags.Append(confirmValues(ctx, service, &query, nil)...)
	}

	return diags
}

// sameLog reports that what is planned would be of another log than what is there,
// as far as that is known or one request can tell. An export that stays as it is
// must not look as if it were of a log that is configured no longer.
func (r *exportResource) sameLog(ctx context.Context, plan, state *exportModel) diag.Diagnostics {
	if !plan.source().known() || plan.Path.IsUnknown() || plan.Redact.IsUnknown() || (state != nil && !state.Path.Equal(plan.Path)) {
		return nil
	}

	known := plan.replaced(state)

	rules, found := redactor(plan.Redact, r.c)
	if found.HasError() || known.Source == (auditlog.Source{}) {
		return nil
	}

	ctx, cancel := asking(ctx)
	defer cancel()

	now, ok := r.found(ctx, plan.source(), known.Source)
	if !ok {
		return nil // Whatever will be read reports it.
	}

	return compareSources(rules, known, now, state == nil && plan.Overwrite.ValueBool())
}

// found returns whose log the source is, and whether there is one.
func (r *exportResource) found(ctx context.Context, m sourceModel, known auditlog.Source) (auditlog.Source, bool) {
	if m.service.ValueString() != auditlog.ServiceArchive {
		service, picked, _ := r.c.pick(exportSummary, m.service)
		if picked != nil {
			return auditlog.Source{}, false
		}

		return identify(ctx, service, known), true
	}

	store, err := r.c.openStore(ctx, m.destination.ValueString())
	if err != nil {
		return auditlog.Source{}, false
	}

	last, err := archive.Peek(ctx, store)
	if err != nil {
		return auditlog.Source{}, false
	}

	return last.Source, true
}

// compareSources reports that what was kept is of another log, which is only a
// warning where the user wants it to be replaced.
func compareSources(rules *export.Redactor, known export.KeptSource, found auditlog.Source, willing bool) diag.Diagnostics {
	confirmed, err := rules.CheckSource(known, found)

	switch other := (*auditlog.SourceError)(nil); {
	case errors.As(err, &other) && willing:
		p := otherLogProblem(other, "The export replaces one of another log", "export at the path")
		p.next = "Remove overwrite = true to keep it."

		return diag.Diagnostics{p.warning()}
	case err != nil:
		return diag.Diagnostics{exportProblem(err, auditlog.Info{}, auditlog.Window{})}
	case !confirmed:
		return diag.Diagnostics{unconfirmedWarning(known.Source, "Whose log is exported is not known", "export")}
	default:
		return nil
	}
}

// write reads the log and writes the files, and puts the results into the model.
// The state is nil where there was no export.
func (r *exportResource) write(ctx context.Context, m, state *exportModel, timeout time.Duration) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	service, picked := r.c.source(ctx, exportSummary, m.source())
	if picked != nil {
		return diag.Diagnostics{picked}
	}

	now := r.c.options.Clock()

	query, diags := m.resolve(service.Info(), now, exportSettleDelay, exportSummary)
	if diags.Append(unanswerable(service, query)...); diags.HasError() {
		return diags
	}

	if diags.Append(confirmValues(ctx, service, &query, nil)...); diags.HasError() {
		return diags
	}

	rules, found := redactor(m.Redact, r.c)
	if diags.Append(found...); diags.HasError() {
		return diags
	}

	known := m.replaced(state)
	willing := state == nil && m.Overwrite.ValueBool()
	source := identify(ctx, service, known.Source)

	if found := compareSources(rules, known, source, willing); found.HasError() || willing {
		if diags.Append(found...); diags.HasError() {
			return diags
		}

		known = export.KeptSource{}
	}

	spec := m.spec(query, service.Info())
	spec.Scrubber, spec.Redactor, spec.Known, spec.Source = rules.Scrubber(), rules, known, source
	// A state says that the files there are ours, whatever became of them.
	spec.Overwrite, spec.ExportedAt, spec.Tool = state != nil || m.Overwrite.ValueBool(), now, "terraform-provider-audit/"+r.c.options.Version

	result, err := exportTo(ctx, service, spec)
	if err != nil {
		return diag.Diagnostics{exportProblem(err, service.Info(), query.Window)}
	}

	m.setResults(result)

	diags.Append(m.readWarnings(service.Info(), query, result.Completeness)...)
	diags.Append(longCellsWarning(m.Path.ValueString(), result.Notes)...)

	if !result.Confirmed {
		diags.Append(unconfirmedWarning(known.Source, "Whose log was exported is not known", "export"))
	}

	return diags
}
