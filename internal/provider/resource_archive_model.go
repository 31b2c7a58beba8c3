// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

type archiveModel struct {
	filterModel
	attestersModel

	Destination    types.String   `tfsdk:"destination"`
	Format         types.String   `tfsdk:"format"`
	Compression    types.String   `tfsdk:"compression"`
	Start          types.String   `tfsdk:"start"`
	Overlap        types.String   `tfsdk:"overlap"`
	SigningKey     types.String   `tfsdk:"signing_key"`
	PreviousKey    types.String   `tfsdk:"previous_signing_key"`
	AcceptGapAfter types.Int64    `tfsdk:"accept_gap_after"`
	ObjectLock     types.Object   `tfsdk:"object_lock"`
	Redact         types.Map      `tfsdk:"redact"`
	Timeouts       timeouts.Value `tfsdk:"timeouts"`

	Sequence       types.Int64  `tfsdk:"sequence"`
	HeadSHA256     types.String `tfsdk:"head_sha256"`
	Head           types.String `tfsdk:"head"`
	Checkpoint     types.String `tfsdk:"checkpoint"`
	Origin         types.String `tfsdk:"origin"`
	EntryCount     types.Int64  `tfsdk:"entry_count"`
	CoveredUntil   types.String `tfsdk:"covered_until"`
	PendingEntries types.Int64  `tfsdk:"pending_entries"`
	PublicKey      types.String `tfsdk:"public_key"`
}

// attestersModel says who else attests checkpoints.
type attestersModel struct {
	Witnesses    types.List   `tfsdk:"witnesses"`
	Quorum       types.Int64  `tfsdk:"witness_quorum"`
	Authority    types.String `tfsdk:"timestamp_authority"`
	Certificates types.String `tfsdk:"timestamp_certificates"`
	Required     types.Bool   `tfsdk:"attestation_required"`
}

func (m *archiveModel) validate() diag.Diagnostics {
	diags := m.attestersModel.validate()
	diags.Append(m.checkLock()...)

	diags.Append(m.validateFilters()...)

	return diags
}

// sameArguments says that what will be archived is the same, and how, however that is
// spelled.
func (m *archiveModel) sameArguments(o *archiveModel, c *configured) bool {
	if !known(m.values()...) || !m.samePlace(o) {
		return false
	}

	filters, err := m.filters().Query()
	before, errBefore := o.filters().Query()

	return err == nil && errBefore == nil && len(filters.Different(before)) == 0 &&
		c.Same(m.Service.ValueString(), o.Service.ValueString()) && m.Format.Equal(o.Format) &&
		m.Compression.Equal(o.Compression) &&
		m.settleDelay() == o.settleDelay() && m.overlap() == o.overlap() && sameStart(m.Start, o.Start) &&
		m.AcceptGapAfter.Equal(o.AcceptGapAfter) && m.ObjectLock.Equal(o.ObjectLock) && m.sameAttesters(&o.attestersModel) &&
		redact.SameRules(mapOf(m.Redact), mapOf(o.Redact))
}

// samePlace says whether both are the same archive.
func (m *archiveModel) samePlace(o *archiveModel) bool {
	return given(m.Destination) && given(o.Destination) &&
		durable.SamePlace(m.Destination.ValueString(), o.Destination.ValueString())
}

func (m *archiveModel) settleDelay() time.Duration {
	return query.ParseSpan(cmp.Or(m.SettleDelay.ValueString(), task.SettleDelayText))
}

func (m *archiveModel) overlap() time.Duration {
	return query.ParseSpan(cmp.Or(m.Overlap.ValueString(), archiveOverlapText))
}

// sameStart compares lengths of time and moments.
func sameStart(a, b types.String) bool {
	return a.IsNull() == b.IsNull() && query.ParseSpan(a.ValueString()) == query.ParseSpan(b.ValueString()) &&
		query.ParseTime(a.ValueString()).Equal(query.ParseTime(b.ValueString()))
}

// keepSpelling takes over how the state spells what is the same.
func (m *archiveModel) keepSpelling(s *archiveModel) {
	m.keepFilters(&s.filterModel)

	keep(&m.Start, s.Start)
	keep(&m.Overlap, s.Overlap)
	keep(&m.Redact, s.Redact)
}

// values are the arguments that say what is archived, and how.
func (m *archiveModel) values() []attr.Value {
	return append(append(m.filterModel.values(), m.attestersModel.values()...), m.Destination, m.Format, m.Compression,
		m.Start, m.Overlap, m.AcceptGapAfter, m.ObjectLock, m.Redact)
}

func (m *archiveModel) keepResults(s *archiveModel) {
	m.Sequence, m.HeadSHA256, m.Head, m.EntryCount = s.Sequence, s.HeadSHA256, s.Head, s.EntryCount
	m.Checkpoint, m.Origin = s.Checkpoint, s.Origin
	m.CoveredUntil, m.PendingEntries, m.PublicKey = s.CoveredUntil, s.PendingEntries, s.PublicKey
}

func (m *archiveModel) forgetResults() {
	m.Sequence, m.HeadSHA256, m.Head, m.EntryCount = types.Int64Unknown(), types.StringUnknown(), types.StringUnknown(),
		types.Int64Unknown()
	m.Checkpoint, m.Origin = types.StringUnknown(), types.StringUnknown()
	m.CoveredUntil, m.PendingEntries = types.StringUnknown(), types.Int64Value(0)
	m.PublicKey = types.StringUnknown()
}

// lock is what a bucket is asked for, nil where it is not.
func (m *archiveModel) lock() *durable.ObjectLock {
	if !given(m.ObjectLock) {
		return nil
	}

	mode, isText := m.ObjectLock.Attributes()["mode"].(types.String)
	days, isNumber := m.ObjectLock.Attributes()["days"].(types.Int64)

	if !isText || !isNumber {
		return nil
	}

	return &durable.ObjectLock{Mode: mode.ValueString(), Days: int(days.ValueInt64())}
}

// checkLock says what is wrong with the lock, whichever values are still unknown.
func (m *archiveModel) checkLock() diag.Diagnostics {
	lock := m.lock()
	if lock == nil || !known(m.ObjectLock, m.Destination) {
		return nil
	}

	d, err := durable.ParseDestination(m.Destination.ValueString())
	if err != nil {
		return nil // The form of the destination says so.
	}

	wrong := (*durable.ObjectLockError)(nil)
	if !errors.As(lock.Check(d), &wrong) || wrong.Part == "mode" {
		return nil // The mode's own form says what is wrong with it.
	}

	at, next := path.Root("object_lock"), explain.Text("Remove the argument, or let the destination be a bucket.")
	if wrong.Part != "" {
		at, next = at.AtName(wrong.Part), "Give a number of days that a bucket can keep an object for."
	}

	return diagnose(explain.Problem{
		Summary: explain.CheckConfiguration, Cause: explain.Sentence(wrong.Error()),
		Next: next,
	}.At(placeOf(at)))
}

// known is the checkpoint that the state remembers, nil where it remembers none.
func (m *archiveModel) known() *archive.Checkpoint {
	c, err := archive.ParseCheckpoint(m.Checkpoint.ValueString())
	if err != nil {
		return nil // A state before the first run has none.
	}

	return &c
}

// setHead takes over what the archive says of itself.
func (m *archiveModel) setHead(a *archive.Archive) {
	m.Sequence, m.HeadSHA256, m.Head, m.EntryCount = types.Int64Value(0), types.StringNull(), types.StringNull(),
		types.Int64Value(0)
	m.Checkpoint, m.Origin = nullable(a.Checkpoint()), nullable(a.Origin())

	if last := a.Last(); last != nil {
		m.Sequence, m.HeadSHA256 = types.Int64Value(a.Head().Sequence), types.StringValue(a.Head().SHA256)
		m.Head, m.EntryCount = types.StringValue(a.Head().String()), types.Int64Value(last.TotalCount)
	}
}

// archivableForm is a service whose log can be archived.
func archivableForm() explain.Form {
	f := query.OneOf(auditlog.Clouds()...)
	f.Check = func(value string) error {
		if value == auditlog.ServiceArchive {
			return errArchive
		}

		return query.OneOf(auditlog.Clouds()...).Check(value)
	}
	f.Explain = func(name string, err error) explain.Problem {
		if !errors.Is(err, errArchive) {
			return f.Refusal(name, err)
		}

		return explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "An archive is not archived again; it is read back with audit_logs and audit_log_export.",
			Next:    "Set service to the cloud whose log to archive; to have an archive twice, copy its files.",
		}
	}

	return f
}

var errArchive = errors.New("an archive")

// archive is the archive that the model describes.
func (c *configured) archive(
	m *archiveModel, filters auditlog.Query, known *archive.Checkpoint, keys source.SigningKeys,
) (*task.Archive, error) {
	a := &task.Archive{
		Destination: m.Destination.ValueString(), Start: m.Start.ValueString(), Redact: c.redaction(m.Redact),
		Keys: keys, PublicKey: m.PublicKey.ValueString(),
		Options: archive.Options{
			Lock: m.lock(), Filters: filters, Known: known, AcceptGapAfter: m.AcceptGapAfter.ValueInt64(),
			Format: format.Format(m.Format.ValueString()), Compression: format.Compression(m.Compression.ValueString()),
			Overlap: query.ParseSpan(m.Overlap.ValueString()), SettleDelay: m.filters().Delay(0),
			CoveredUntil: query.ParseTime(m.CoveredUntil.ValueString()), Clock: c.options.Clock, Tool: c.options.tool(),
		},
	}

	var err error
	a.Attesters, err = m.attesters()

	return a, err
}

// openArchive opens it.
func (c *configured) openArchive(
	ctx context.Context, m *archiveModel, service auditlog.Service, filters auditlog.Query, known *archive.Checkpoint,
	keys source.SigningKeys,
) (*archive.Archive, error) {
	a, err := c.archive(m, filters, known, keys)
	if err != nil {
		return nil, err
	}

	return a.Open(ctx, c.Sources, service)
}
