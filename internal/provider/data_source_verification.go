// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// VerificationType is the name of the data source in configurations.
const VerificationType = TypeName + "_log_verification"

var (
	_ datasource.DataSource                   = (*verificationDataSource)(nil)
	_ datasource.DataSourceWithConfigure      = (*verificationDataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*verificationDataSource)(nil)
)

// NewVerificationDataSource returns the data source audit_log_verification.
func NewVerificationDataSource() datasource.DataSource { return &verificationDataSource{} }

type verificationDataSource struct{ c *configured }

type verificationModel struct {
	Destination    types.String   `tfsdk:"destination"`
	PublicKeys     types.List     `tfsdk:"public_keys"`
	Sequence       types.Int64    `tfsdk:"expected_sequence"`
	SHA256         types.String   `tfsdk:"expected_head_sha256"`
	Since          types.String   `tfsdk:"expected_checkpoint"`
	ExpectedOrigin types.String   `tfsdk:"expected_origin"`
	WitnessKeys    types.List     `tfsdk:"witness_keys"`
	Quorum         types.Int64    `tfsdk:"witness_quorum"`
	Certificates   types.String   `tfsdk:"timestamp_certificates"`
	Timeouts       timeouts.Value `tfsdk:"timeouts"`
	Valid          types.Bool     `tfsdk:"valid"`
	Service        types.String   `tfsdk:"service"`
	SignedBy       types.String   `tfsdk:"signed_by"`
	Head           types.Int64    `tfsdk:"sequence"`
	HeadSHA256     types.String   `tfsdk:"head_sha256"`
	Checkpoint     types.String   `tfsdk:"checkpoint"`
	Origin         types.String   `tfsdk:"origin"`
	Signed         types.Bool     `tfsdk:"signed"`
	CosignedBy     types.List     `tfsdk:"cosigned_by"`
	TimestampTime  types.String   `tfsdk:"timestamp_time"`
	Protection     types.List     `tfsdk:"protection"`
	NotChecked     types.List     `tfsdk:"not_checked"`
	EntryCount     types.Int64    `tfsdk:"entry_count"`
	Bytes          types.Int64    `tfsdk:"bytes"`
	FirstTime      types.String   `tfsdk:"first_time"`
	LastTime       types.String   `tfsdk:"last_time"`
	CoveredUntil   types.String   `tfsdk:"covered_until"`
	Problems       types.List     `tfsdk:"problems"`
}

// Metadata implements datasource.DataSource.
func (d *verificationDataSource) Metadata(
	_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = VerificationType
}

// Schema implements datasource.DataSource.
func (d *verificationDataSource) Schema(
	ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse,
) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}

	resp.Schema = schema.Schema{
		MarkdownDescription: "Verifies an archive: every byte, every leaf of its log, every signature, and that the log has grown from what is remembered. " +
			"It is the same check as `auditlog verify` and needs no service.",
		Attributes: map[string]schema.Attribute{
			"destination": schema.StringAttribute{
				MarkdownDescription: "The archive: a directory or an `s3://` URL, as for `audit_log_archive`.",
				Required:            true,
				Validators:          texts(source.DestinationForm()),
			},
			"public_keys": schema.ListAttribute{
				MarkdownDescription: "Public keys, one of which must have signed each checkpoint. After a change of keys, the one of before as well: checkpoints that both have signed have to hand over from one to the other. Default: signatures are not checked.",
				ElementType:         types.StringType,
				Optional:            true,
				Validators:          []validator.List{filterList{source.PublicKeyForm()}},
			},
			"expected_checkpoint": schema.StringAttribute{
				MarkdownDescription: "A checkpoint of the archive that was remembered elsewhere, such as `checkpoint` of `audit_log_archive`: the log has to have grown from it.",
				Optional:            true,
				Validators:          []validator.String{checkpointForm()},
			},
			"expected_origin": schema.StringAttribute{
				MarkdownDescription: "Name that the archive has to have, such as `origin` of `audit_log_archive`.",
				Optional:            true,
				Validators:          []validator.String{originForm()},
			},
			"expected_sequence": schema.Int64Attribute{
				MarkdownDescription: "Number of a manifest that the archive must contain, as remembered elsewhere; the first has number 1. Needs `expected_head_sha256`.",
				Optional:            true,
				Validators:          []validator.Int64{between(1, math.MaxInt64)},
			},
			"expected_head_sha256": schema.StringAttribute{
				MarkdownDescription: "SHA-256 of that manifest. Needs `expected_sequence`.",
				Optional:            true,
			},
			"witness_keys": schema.ListAttribute{
				MarkdownDescription: "Public keys of witnesses that must have cosigned the newest checkpoint. Default: cosignatures are not checked.",
				ElementType:         types.StringType,
				Optional:            true,
				Validators:          []validator.List{filterList{witnessKeyForm().Form}},
			},
			"witness_quorum": schema.Int64Attribute{
				MarkdownDescription: "How many of the witnesses must have cosigned it. Default: all.",
				Optional:            true,
			},
			"timestamp_certificates": schema.StringAttribute{
				MarkdownDescription: "Root certificates in PEM to which those of time stamps have to lead, with those between if the time stamps do not hold them. The newest checkpoint must have a time stamp then. Default: who made time stamps is not checked.",
				Optional:            true,
				Validators:          []validator.String{certificatesForm()},
			},
			"timeouts": checkedTimeouts(timeouts.Attributes(ctx)),
			"valid": schema.BoolAttribute{
				MarkdownDescription: "Whether nothing is wrong. Let a `postcondition` look at it.",
				Computed:            true,
			},
			"service":   text("The cloud whose log it is."),
			"signed_by": text("Name of the key that signed the checkpoint; null where `public_keys` were not given."),
			"signed": schema.BoolAttribute{
				MarkdownDescription: "Whether the newest checkpoint has a signature, be it anybody's.", Computed: true,
			},
			"cosigned_by": schema.ListAttribute{
				MarkdownDescription: "Names of the witnesses that have cosigned the newest checkpoint, of those in `witness_keys`.",
				ElementType:         types.StringType,
				Computed:            true,
			},
			"timestamp_time": text("When the authority was shown the newest checkpoint that has a time stamp; null where none has one."),
			"sequence":       number("Number of the last manifest."),
			"head_sha256":    text("SHA-256 of the last manifest."),
			"checkpoint":     text("The newest checkpoint, with its signatures."),
			"origin":         text("Name of the archive, which every checkpoint begins with."),
			"protection": schema.ListNestedAttribute{
				MarkdownDescription: "What keeps the objects of the archive from being changed or deleted, by its kind. `auditlog verify --json` lists each object.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"mode":         text("`compliance` or `governance` (object lock), `legal-hold`, `read-only` (files that nobody may write to), or `none`."),
					"object_count": number("How many objects it protects."),
					"until":        text("When the first of them is no longer protected; null where that has no end."),
					"objects": schema.ListAttribute{
						MarkdownDescription: "Their names where the mode is `none`; null else.",
						ElementType:         types.StringType,
						Computed:            true,
					},
				}},
			},
			"not_checked": schema.ListAttribute{
				MarkdownDescription: "What nobody could check with what was given, one sentence each.",
				ElementType:         types.StringType,
				Computed:            true,
			},
			"entry_count":   number("How many entries the archive holds."),
			"bytes":         number("Size of its segments."),
			"first_time":    text("Time of the oldest entry."),
			"last_time":     text("Time of the newest entry."),
			"covered_until": text("Up to when everything was archived, excluded."),
			"problems": schema.ListNestedAttribute{
				MarkdownDescription: "What is wrong, the first bad manifest first; empty when nothing is.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"finding":  text("`altered`, `missing`, `truncated`, `forked`, `foreign`, `signature`, `unfinished` or `unreadable`."),
					"key":      text("The file concerned."),
					"sequence": number("The manifest concerned; `0` where there is none."),
					"detail":   text("What is wrong with it."),
				}},
			},
		},
	}
}

// Configure is called with what the provider made of its configuration.
func (d *verificationDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.c = configuredFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig is called at validation and before each plan; values may still
// be unknown.
func (d *verificationDataSource) ValidateConfig(
	ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse,
) {
	var m verificationModel

	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)

	if known(m.Sequence, m.SHA256) && m.Sequence.IsNull() != m.SHA256.IsNull() {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "A head is its number and its hash, and only one of the two is given.",
			Next:    "Give both expected_sequence and expected_head_sha256, or neither.",
		}.At(explain.Argument("expected_sequence")))...)
	}

	count := int64(len(m.WitnessKeys.Elements()))
	if q := m.Quorum.ValueInt64(); given(m.Quorum) && !m.WitnessKeys.IsUnknown() && (q < 1 || q > count) {
		resp.Diagnostics.Append(diagnose(quorumProblem(count).At(explain.Argument("witness_quorum")))...)
	}
}

// Read is called when planning.
func (d *verificationDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m verificationModel

	resp.Diagnostics.Append(decode(ctx, req.Config, validateDataSource(VerificationType), &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	timeout, diags := m.Timeouts.Read(ctx, archiveTimeout)
	resp.Diagnostics.Append(diags...)

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	report, err := d.verify(ctx, &m)
	if err != nil {
		resp.Diagnostics.Append(diagnose(explain.Archive(err, m.Destination.ValueString(), auditlog.Info{}))...)

		return
	}

	m.set(report)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func (d *verificationDataSource) verify(ctx context.Context, m *verificationModel) (*archive.Report, error) {
	v := task.Verification{
		Destination: m.Destination.ValueString(), PublicKeys: stringsOf[string](m.PublicKeys),
		WitnessKeys:  stringsOf[string](m.WitnessKeys),
		Certificates: m.Certificates.ValueString(), Since: m.Since.ValueString(),
		VerifyOptions: archive.VerifyOptions{
			Origin: m.ExpectedOrigin.ValueString(), Now: d.c.options.Clock(),
			Quorum: int(m.Quorum.ValueInt64()),
		},
	}

	if !m.Sequence.IsNull() {
		v.Head = &archive.Head{Sequence: m.Sequence.ValueInt64(), SHA256: m.SHA256.ValueString()}
	}

	return v.Run(ctx, d.c.Sources)
}

func (m *verificationModel) set(r *archive.Report) {
	kinds := map[string]attr.Type{
		"finding": types.StringType, "key": types.StringType, "sequence": types.Int64Type,
		"detail": types.StringType,
	}
	problems := make([]attr.Value, 0, len(r.Problems))

	// They are for people, who put them into the messages of their gates.
	for _, p := range r.Problems {
		problems = append(problems, types.ObjectValueMust(kinds, map[string]attr.Value{
			"finding": types.StringValue(string(p.Finding)), "key": types.StringValue(screen.Text(p.Key)),
			"sequence": types.Int64Value(p.Sequence), "detail": types.StringValue(screen.Text(p.Detail)),
		}))
	}

	m.Valid, m.Service, m.SignedBy = types.BoolValue(r.Valid), nullable(r.Service), nullable(r.SignedBy)
	m.Signed, m.Checkpoint, m.Origin = types.BoolValue(r.Signed), nullable(r.Checkpoint), nullable(screen.Text(r.Origin))
	m.NotChecked = textsValue(r.NotChecked)

	names := make([]string, 0, len(r.Cosigned))
	for _, c := range r.Cosigned {
		names = append(names, c.Name)
	}

	m.Protection = protectionValue(r.Protection)
	m.CosignedBy, m.TimestampTime = textsValue(names), types.StringNull()
	if r.Timestamp != nil {
		m.TimestampTime = timeValue(r.Timestamp.Time)
	}

	m.Head, m.HeadSHA256 = types.Int64Value(r.Head.Sequence), nullable(r.Head.SHA256)
	m.EntryCount, m.Bytes = types.Int64Value(r.EntryCount), types.Int64Value(r.Bytes)
	m.FirstTime, m.LastTime, m.CoveredUntil = nullable(screen.Text(r.FirstTime)), nullable(screen.Text(r.LastTime)),
		nullable(r.CoveredUntil)
	m.Problems = types.ListValueMust(types.ObjectType{AttrTypes: kinds}, problems)
}

func protectionValue(groups []archive.Protected) types.List {
	kinds := map[string]attr.Type{
		"mode": types.StringType, "object_count": types.Int64Type, "until": types.StringType,
		"objects": types.ListType{ElemType: types.StringType},
	}
	values := make([]attr.Value, 0, len(groups))

	for _, g := range groups {
		objects := types.ListNull(types.StringType)

		if g.Mode == archive.Unprotected {
			keys := make([]string, 0, len(g.Objects))
			for _, o := range g.Objects {
				keys = append(keys, screen.Text(o.Key))
			}

			objects = textsValue(keys)
		}

		values = append(values, types.ObjectValueMust(kinds, map[string]attr.Value{
			"mode": types.StringValue(g.Mode), "object_count": types.Int64Value(int64(len(g.Objects))),
			"until": nullable(g.Until), "objects": objects,
		}))
	}

	return types.ListValueMust(types.ObjectType{AttrTypes: kinds}, values)
}

// nullable returns null for what is not there.
func nullable(text string) types.String {
	if text == "" {
		return types.StringNull()
	}

	return types.StringValue(text)
}

// originForm refuses what an expression is that has found nothing: nothing would be checked.
func originForm() form {
	return formOf("the name of an archive, or null to check none", func(value string) error {
		if strings.TrimSpace(value) == "" {
			return errors.New("empty")
		}

		return nil
	})
}

func checkpointForm() form {
	return formOf("a checkpoint of an archive", func(value string) error {
		if _, err := archive.ParseCheckpoint(value); err != nil {
			return errors.New("no checkpoint of an archive")
		}

		return nil
	})
}
