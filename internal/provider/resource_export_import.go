// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

const importExport = "Import the audit log export"

// ImportState takes over the export at a path as its manifest describes it. The files
// themselves are looked at by the refresh that follows.
func (r *exportResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	if err := durable.CheckPath(req.ID); err != nil {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: importExport,
			Cause:   explain.Textf("The path of the export cannot be used: it is %s.", err),
			Next:    "Give the path of the data, such as \"evidence/audit.ndjson\".",
		}.With("Value", explain.Shown(req.ID)))...)

		return
	}

	var m exportModel

	// With one attribute set, the others are null, each of its type.
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("path"), req.ID)...)
	resp.Diagnostics.Append(resp.State.Get(ctx, &m)...)

	if resp.Diagnostics.HasError() {
		return
	}

	d, err := export.Describe(m.file())
	if err != nil {
		p := explain.File(err, importExport)
		if errors.Is(err, export.ErrNone) {
			p.Cause = "No manifest of this provider describes an export at the path."
			p.Next = "Give the path of the data, beside which its manifest lies; without a manifest, let the resource be created."
		}

		resp.Diagnostics.Append(diagnose(p.At(explain.Argument("path")))...)

		return
	}

	if len(d.Hidden) > 0 {
		resp.Diagnostics.Append(diagnose(explain.Problem{
			Summary: "The query of the audit log export is not known",
			Cause:   "The manifest shows parts of the query as \"***\", since the export is redacted.",
			Next:    "Compare the configuration with what you know of the export: the next apply writes it again.",
		}.With("Path", req.ID).With("Arguments", strings.Join(d.Hidden, ", ")).AsWarning())...)
	}

	m.takeOver(&d)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// takeOver fills the model with what a manifest says. What is the default is left out,
// as most configurations do.
func (m *exportModel) takeOver(d *export.Description) {
	m.takeOverQuery(d)

	m.Format = types.StringValue(string(d.Format))

	if d.Compression != d.Format.DefaultCompression() {
		m.Compression = nullable(string(d.Compression))
	}

	if d.Shape != format.ShapeEntry {
		m.Shape = nullable(string(d.Shape))
	}

	if !d.DefaultColumns() {
		m.Columns = listValue(d.Columns)
	}

	if d.Rules != nil {
		rules := make(map[string]attr.Value, len(d.Rules))
		for field, mode := range d.Rules {
			rules[field] = types.StringValue(mode)
		}

		m.Redact = types.MapValueMust(types.StringType, rules)
	}

	m.CSV = types.ObjectNull(csvTypes())
	if d.CSV != nil && *d.CSV != (format.CSVOptions{Delimiter: format.DefaultCSVDelimiter}) {
		m.CSV = types.ObjectValueMust(csvTypes(),
			map[string]attr.Value{csvDelimiter: types.StringValue(d.CSV.Delimiter), csvBOM: types.BoolValue(d.CSV.BOM)})
	}

	// Only CSV is changed for spreadsheets, so that the manifests of others say nothing.
	m.SpreadsheetSafe = types.BoolValue(d.SpreadsheetSafe || d.Format != format.CSV)
	m.FilePermission, m.DirectoryPermission = types.StringValue(task.DefaultFilePermission),
		types.StringValue(task.DefaultDirectoryPermission)
	m.Overwrite, m.AllowShrink, m.KeepOnDestroy = types.BoolValue(false), types.BoolValue(false), types.BoolValue(true)
	m.OnMissing, m.OnChanged = types.StringValue(driftRecreate), types.StringValue(driftRecreate)

	if status, err := durable.Stat(m.file()); err == nil && status.Regular() && runtime.GOOS != "windows" {
		m.FilePermission = types.StringValue(fmt.Sprintf("%04o", status.Mode.Perm()))
	}

	m.EntryCount, m.Bytes, m.SHA256 = types.Int64Value(d.EntryCount), types.Int64Value(d.Bytes),
		types.StringValue(d.SHA256)
	m.WindowStart, m.WindowEnd = nullable(d.WindowStart), nullable(d.WindowEnd)
	m.FirstTime, m.LastTime = nullable(d.FirstTime), nullable(d.LastTime)
	m.ManifestPath, m.ManifestSHA256 = types.StringValue(m.Path.ValueString()+export.ManifestSuffix),
		types.StringValue(d.ManifestSHA256)
	m.ExportedAt, m.Completeness, m.Source = nullable(d.ExportedAt), completenessValue(d.Statement), sourceValue(d.Source)
}

func (m *exportModel) takeOverQuery(d *export.Description) {
	m.Service = nullable(d.Service)
	m.Last, m.Start, m.End = nullable(d.AsWritten.Last), nullable(d.AsWritten.Start), nullable(d.AsWritten.End)

	if delay := nullable(d.AsWritten.SettleDelay); query.ParseSpan(delay.ValueString()) != task.SettleDelay {
		m.SettleDelay = delay
	}

	q := &d.Query
	m.Actions, m.Operations, m.ResourceTypes = listValue(q.Actions), listValue(q.Operations), listValue(q.ResourceTypes)
	m.ResourceIDs, m.Actors, m.Origins = listValue(q.ResourceIDs), listValue(q.Actors), listValue(q.Origins)
	m.IPAddresses, m.Search, m.Where = listValue(q.IPAddresses), nullable(q.Search), nullable(d.Where)
}

// listValue makes a list of texts; one that is empty is not given.
func listValue[T ~string](values []T) types.List {
	if len(values) == 0 {
		return types.ListNull(types.StringType)
	}

	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}

	return textsValue(all)
}
