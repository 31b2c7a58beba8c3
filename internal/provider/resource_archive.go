// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// ArchiveType is the name of the resource in configurations.
const ArchiveType = TypeName + "_log_archive"

var (
	_ resource.Resource                   = (*archiveResource)(nil)
	_ resource.ResourceWithConfigure      = (*archiveResource)(nil)
	_ resource.ResourceWithValidateConfig = (*archiveResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*archiveResource)(nil)
	_ resource.ResourceWithImportState    = (*archiveResource)(nil)
)

// NewArchiveResource returns the resource audit_log_archive.
func NewArchiveResource() resource.Resource { return &archiveResource{} }

type archiveResource struct{ c *configured }

const (
	archiveTimeout = 2 * time.Hour
	// archiveOverlapText is the default as users write it.
	archiveOverlapText = "10m"
	refreshTimeout     = 10 * time.Minute
	// mostPending bounds what a refresh reads to find out whether anything is new.
	mostPending = 1000
)

// Metadata implements resource.Resource.
func (r *archiveResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = ArchiveType
}

// Schema implements resource.Resource.
func (r *archiveResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = archiveSchema(ctx)
}

// Configure is called with what the provider made of its configuration.
func (r *archiveResource) Configure(
	_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse,
) {
	r.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (r *archiveResource) ValidateConfig(
	ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse,
) {
	var m archiveModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

// ImportState resumes an archive on a runner that knows nothing but its place.
func (r *archiveResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	resource.ImportStatePassthroughID(ctx, path.Root("destination"), req, resp)
}

// Create begins an archive, or goes on with one that is there.
func (r *archiveResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m archiveModel

	resp.Diagnostics.Append(revalidateKnown(ctx, req.Config, validateResource(ArchiveType))...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Create(ctx, archiveTimeout)
	resp.Diagnostics.Append(diags...)

	if resp.Diagnostics.HasError() {
		return
	}

	resp.Diagnostics.Append(r.append(ctx, &m, nil, req.Config, timeout)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// Update appends what is new.
func (r *archiveResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var m, state archiveModel

	resp.Diagnostics.Append(revalidateKnown(ctx, req.Config, validateResource(ArchiveType))...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)

	if resp.Diagnostics.HasError() {
		return
	}

	// What is planned to stay as it is, such as where a default is spelled out, stays.
	if !m.Sequence.IsUnknown() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)

		return
	}

	timeout, diags := m.Timeouts.Update(ctx, archiveTimeout)
	resp.Diagnostics.Append(diags...)

	if resp.Diagnostics.HasError() {
		return
	}

	m.CoveredUntil, m.PublicKey = state.CoveredUntil, state.PublicKey
	resp.Diagnostics.Append(r.append(ctx, &m, state.known(), req.Config, timeout)...)

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
		resp.Diagnostics.Append(hindrance{}.save(ctx, resp.Private)...)
	}
}

// Delete keeps everything: evidence is not deleted by forgetting about it.
func (r *archiveResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// Read looks at the end of the archive and asks the service whether anything is
// new. It writes nothing.
func (r *archiveResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m archiveModel

	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Read(ctx, refreshTimeout)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(r.recognise(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	ctx, cancel := r.c.options.reading(ctx, timeout, explain.ArchiveLogs)
	defer cancel()

	imported := m.Sequence.IsNull()
	found, diags := r.refresh(ctx, &m)
	resp.Diagnostics.Append(diags...)

	if imported && found.OtherLog != nil {
		resp.Diagnostics.Append(diagnose(explain.Archive(found.OtherLog, m.Destination.ValueString(), auditlog.Info{}))...)
	}

	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(found.save(ctx, resp.Private)...)
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// recognise fills in, after an import, what the archive says of itself.
func (r *archiveResource) recognise(ctx context.Context, m *archiveModel) diag.Diagnostics {
	if !m.Sequence.IsNull() {
		return nil
	}

	store, err := r.c.Store(ctx, m.Destination.ValueString(), nil)
	if err != nil {
		return diagnose(explain.Archive(err, m.Destination.ValueString(), auditlog.Info{}))
	}

	last, err := archive.Peek(ctx, store)
	if err != nil {
		return diagnose(explain.Archive(err, m.Destination.ValueString(), auditlog.Info{}))
	}

	m.Service = types.StringValue(last.Service)
	if last.Format != "" {
		m.Format, m.Compression = types.StringValue(string(last.Format)), types.StringValue(string(last.Compression))
	}

	return nil
}

// refresh returns what hinders the next run rather than failing on it: a gap may be
// accepted, and an archive of another log replaced, which is for the configuration
// to say, and a refresh does not see that. The state then stays as it was.
func (r *archiveResource) refresh(ctx context.Context, m *archiveModel) (hindrance, diag.Diagnostics) {
	if !r.known(m) {
		return hindrance{}, diagnose(explain.Problem{
			Summary: "The archive was not looked at",
			Cause:   "The provider's configuration depends on values that are known only after an apply.",
			Next:    "Apply; it archives what is new, and looks at the archive before.",
		}.With("Destination", m.Destination.ValueString()).AsWarning())
	}

	service, picked, _ := r.c.Service(explain.ArchiveLogs, m.Service.ValueString())
	if picked != nil {
		return hindrance{}, diagnose(picked...)
	}

	filters, err := m.filters().Query()
	if err != nil {
		return hindrance{}, diagnose(explain.Condition(err).At(explain.Argument("where")))
	}

	a, pending, err := r.pending(ctx, m, service, filters)
	if other := (*auditlog.SourceError)(nil); errors.As(err, &other) {
		return hindrance{OtherLog: other}, nil
	}

	if a != nil {
		m.setHead(a)
	}

	if gap := (*archive.GapError)(nil); errors.As(err, &gap) {
		m.PendingEntries = types.Int64Value(0)

		return hindrance{Gap: gap}, nil
	}

	if err != nil {
		return hindrance{}, diagnose(explain.Archive(err, m.Destination.ValueString(), service.Info()))
	}

	m.PendingEntries, m.CoveredUntil = types.Int64Value(pending.Count), timeValue(pending.CoveredUntil)

	return hindrance{Unattested: pending.Unattested}, diagnose(explain.Pending(&pending, a, service.Info())...)
}

func (r *archiveResource) pending(
	ctx context.Context, m *archiveModel, service auditlog.Service, filters auditlog.Query,
) (*archive.Archive, archive.Pending, error) {
	a, err := r.c.openArchive(ctx, m, service, filters, m.known(), source.SigningKeys{})
	if err == nil {
		err = ask(ctx, a)
	}

	if err != nil {
		return nil, archive.Pending{}, err
	}

	pending, err := a.Pending(ctx, mostPending)

	return a, pending, err
}

// known says that what is needed of the provider's configuration is known.
func (r *archiveResource) known(m *archiveModel) bool {
	_, _, undecided := r.c.Service(explain.ArchiveLogs, m.Service.ValueString())

	return !undecided && r.c.redactionKnown(m.Redact)
}

// ask has a plan find out whether the archive is of the log that is read.
func ask(ctx context.Context, a *archive.Archive) error {
	ctx, cancel := task.Asking(ctx)
	defer cancel()

	return a.Ask(ctx)
}

// hindrance is what Terraform keeps between a refresh and the plan.
type hindrance struct {
	Gap      *archive.GapError     `json:"gap"`
	OtherLog *auditlog.SourceError `json:"other_log"`
	// Unattested says that an apply has to ask others again to attest the checkpoint.
	Unattested bool `json:"unattested"`
}

const hindranceKey = "hindrance"

func (h hindrance) save(ctx context.Context, p interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
},
) diag.Diagnostics {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // Times, numbers and texts can be encoded.
	}

	return p.SetKey(ctx, hindranceKey, text)
}

func loadHindrance(ctx context.Context, p interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
},
) (hindrance, diag.Diagnostics) {
	text, diags := p.GetKey(ctx, hindranceKey)

	var h hindrance
	if len(text) > 0 && exactjson.Unmarshal(text, &h) != nil {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.ArchiveLogs, Cause: "The private state cannot be read.", Next: "Run terraform apply -refresh-only.",
		})...)
	}

	return h, diags
}

// ModifyPlan plans an update when something is new or the arguments changed.
func (r *archiveResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() || r.c == nil {
		return // It will be forgotten, or nothing is configured yet.
	}

	var plan, config archiveModel

	resp.Diagnostics.Append(revalidate(ctx, req.Config, validateResource(ArchiveType))...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)

	var state *archiveModel

	if !req.State.Raw.IsNull() {
		state = &archiveModel{}
		resp.Diagnostics.Append(req.State.Get(ctx, state)...)
	}

	if resp.Diagnostics.HasError() {
		return
	}

	if state != nil {
		if plan.samePlace(state) {
			plan.Destination = state.Destination
		} else {
			resp.RequiresReplace.Append(path.Root("destination"))
		}
	}

	public, diags := r.publicKey(config.SigningKey)
	resp.Diagnostics.Append(diags...)

	hindered, diags := loadHindrance(ctx, req.Private)
	resp.Diagnostics.Append(diags...)

	info, _ := source.InfoOf(plan.Service.ValueString())
	if state != nil && hindered.OtherLog != nil && plan.samePlace(state) {
		resp.Diagnostics.Append(diagnose(explain.Archive(hindered.OtherLog, plan.Destination.ValueString(), info))...)
	}

	gap := hindered.Gap
	if gap != nil && known(plan.AcceptGapAfter) && gap.After != plan.AcceptGapAfter.ValueInt64() {
		resp.Diagnostics.Append(diagnose(explain.Archive(gap, plan.Destination.ValueString(), info))...)
	}

	if resp.Diagnostics.HasError() {
		return
	}

	switch {
	case state == nil:
		plan.forgetResults()
		resp.Diagnostics.Append(r.foresee(ctx, &plan, &config)...)
	case gap != nil:
		plan.forgetResults()
	case r.known(&plan) && plan.sameArguments(state, r.c) && state.PendingEntries.ValueInt64() == 0 &&
		public.Equal(state.PublicKey) && !hindered.Unattested:
		plan.keepSpelling(state)
		plan.keepResults(state)
	default:
		plan.forgetResults()

		if !r.c.Same(plan.Service.ValueString(), state.Service.ValueString()) || !public.Equal(state.PublicKey) {
			resp.Diagnostics.Append(r.foresee(ctx, &plan, &config)...)
		}
	}

	plan.PublicKey = public
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// publicKey returns the public key of the configured private one, null where
// there is none.
func (r *archiveResource) publicKey(private types.String) (types.String, diag.Diagnostics) {
	if private.IsUnknown() {
		return types.StringUnknown(), nil
	}

	public, wrong := r.c.SigningKeys(source.SigningKeys{Current: private.ValueString()}).Public()

	return nullable(public), diagnose(wrong...)
}

// foresee reports what would make the first run fail.
func (r *archiveResource) foresee(ctx context.Context, plan, config *archiveModel) diag.Diagnostics {
	if !known(append(plan.values(), config.SigningKey, config.PreviousKey)...) || !r.known(plan) {
		return nil
	}

	service, picked, _ := r.c.Service(explain.ArchiveLogs, plan.Service.ValueString())
	if picked != nil {
		return diagnose(picked...)
	}

	filters, wrong := plan.filters().Answerable(service.Info())
	diags := diagnose(wrong...)

	_, wrong = r.c.redactor(plan.Redact)
	if diags.Append(diagnose(wrong...)...); diags.HasError() {
		return diags
	}

	if diags.Append(diagnose(task.ConfirmValues(ctx, service, &filters, nil)...)...); diags.HasError() {
		return diags
	}

	// What lies at the destination can be looked at now; nothing is written there.
	a, err := r.c.openArchive(ctx, plan, service, filters, nil,
		r.c.SigningKeys(keysOf(config.SigningKey, config.PreviousKey)))
	if err == nil {
		err = ask(ctx, a)
	}

	if err != nil {
		diags.Append(diagnose(explain.Archive(err, plan.Destination.ValueString(), service.Info()))...)

		return diags
	}

	// What an archive has kept without a field stays without it. Exports that cannot
	// be read yet may come with this very run, which says what is wrong then.
	if service.Info().FilledLater {
		if pending, err := a.Pending(ctx, 1); err == nil {
			diags.Append(diagnose(explain.Unread(service.Info(), pending.Unread)...)...)
		}
	}

	return diags
}

// append archives what is new and puts the results into the model.
func (r *archiveResource) append(
	ctx context.Context, m *archiveModel, known *archive.Checkpoint, config tfsdk.Config, timeout time.Duration,
) diag.Diagnostics {
	var key, previous types.String

	// Terraform hands write-only values over in the configuration alone.
	diags := config.GetAttribute(ctx, path.Root("signing_key"), &key)
	diags.Append(config.GetAttribute(ctx, path.Root("previous_signing_key"), &previous)...)

	service, picked, _ := r.c.Service(explain.ArchiveLogs, m.Service.ValueString())
	diags.Append(diagnose(picked...)...)

	var filters auditlog.Query

	if picked == nil {
		// Values that were not known when planning are looked at here first.
		q, wrong := m.filters().Answerable(service.Info())
		diags.Append(diagnose(wrong...)...)

		filters = q
	}

	public, found := r.publicKey(key)
	diags.Append(found...)

	if diags.HasError() {
		return diags
	}

	ctx, cancel := r.c.options.reading(ctx, timeout, explain.ArchiveLogs)
	defer cancel()

	if diags.Append(diagnose(task.ConfirmValues(ctx, service, &filters, nil)...)...); diags.HasError() {
		return diags
	}

	a, err := r.c.archive(m, filters, known, r.c.SigningKeys(keysOf(key, previous)))
	if err != nil {
		return diagnose(explain.Archive(err, m.Destination.ValueString(), service.Info()))
	}

	opened, result, problems := a.Append(ctx, r.c.Sources, service)
	if problems.HasError() {
		return diagnose(problems...)
	}

	m.setHead(opened)
	m.PendingEntries, m.CoveredUntil, m.PublicKey = types.Int64Value(0), timeValue(result.CoveredUntil), public
	diags.Append(diagnose(problems...)...)

	return diags
}

// keysOf are keys as far as they are given.
func keysOf(key, previous types.String) source.SigningKeys {
	return source.SigningKeys{Current: key.ValueString(), Previous: previous.ValueString()}
}
