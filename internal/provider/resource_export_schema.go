// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
)

const (
	defaultFilePermission     = 0o600
	defaultFilePermissionText = "0600"
	defaultDirPermissionText  = "0700"

	ownerReadWrite = 0o600
	ownerAll       = 0o700
)

func exportSchema(ctx context.Context) schema.Schema {
	attributes := resourceAttributes(queryAttributes(exportSettleDelayText))

	maps.Copy(attributes, resourceAttributes(map[string]datasource.Attribute{
		redactName: redactAttribute(), "completeness": completenessAttribute(),
	}))
	maps.Copy(attributes, exportArguments())
	maps.Copy(attributes, exportResults())

	attributes["timeouts"] = checkedTimeouts(timeouts.Attributes(ctx, timeouts.Opts{Create: true, Update: true}))

	return schema.Schema{
		MarkdownDescription: "Writes a filtered export of an audit log to a file, with a manifest and a checksum file beside it. " +
			"It is a photograph: it is made again when its arguments, its `triggers` or its files change, not when the log grows.",
		Attributes: attributes,
	}
}

func exportArguments() map[string]schema.Attribute {
	formats := make([]string, 0, len(format.All()))
	compressions := make([]string, 0, len(format.Compressions()))
	columns := make([]string, 0, len(auditlog.Fields()))

	for _, f := range format.All() {
		formats = append(formats, string(f))
	}

	for _, c := range format.Compressions() {
		compressions = append(compressions, string(c))
	}

	for _, f := range auditlog.Fields() {
		columns = append(columns, f.Name)
	}

	return map[string]schema.Attribute{
		"path": schema.StringAttribute{
			MarkdownDescription: "File to write, on this machine. Missing directories are made. Another path is another export, and two paths that name the same file are the same. The manifest goes to `<path>.manifest.json`, the checksums to `<path>.sha256`.",
			Required:            true,
			Validators:          []validator.String{filePathForm()},
		},
		"format": schema.StringAttribute{
			MarkdownDescription: "`" + strings.Join(formats, "`, `") + "`. Parquet has typed columns, and its rows are in the order in which the service lists them.",
			Required:            true,
			Validators:          texts(query.OneOf(formats...)),
		},
		// Without a default of its own: exports that were made before the argument
		// existed stay as they are, and so do their plans.
		"compression": schema.StringAttribute{
			MarkdownDescription: "`" + strings.Join(compressions, "`, `") + "`. CSV, JSON and NDJSON are compressed as a whole file, Parquet page by page, " +
				"as its readers expect. The name of the file is `path` in any case; `.gz` and `.zst` are what other programs look for. " +
				"Default: `" + string(format.Parquet.DefaultCompression()) + "` for Parquet, else `" +
				string(format.CSV.DefaultCompression()) + "`.",
			Optional:   true,
			Validators: texts(query.OneOf(compressions...)),
		},
		"columns": schema.ListAttribute{
			MarkdownDescription: "Fields to write and their order. Default: all of `" + strings.Join(columns, "`, `") + "`.",
			ElementType:         types.StringType,
			Optional:            true,
			Validators:          []validator.List{filterList{query.OneOf(columns...)}},
		},
		"shape": schema.StringAttribute{
			MarkdownDescription: "What is written: `entry`, the fields that look-ups show, or `ocsf`, events of the Open Cybersecurity Schema Framework " + ocsf.Version + " (NDJSON and Parquet only, without `columns`). Default: `entry`.",
			Optional:            true,
			Validators:          texts(query.OneOf(string(format.ShapeEntry), string(format.ShapeOCSF))),
		},
		csvName:            csvAttribute(),
		"spreadsheet_safe": boolArgument("Whether apostrophes are put in front of whatever a spreadsheet could take for the start of a formula in a CSV file; in how many cells is in the manifest. JSON, NDJSON and Parquet are always exact.", true),
		"file_permission": permissionArgument("Permission of the three files, octal.", ownerReadWrite,
			defaultFilePermissionText),
		"directory_permission": permissionArgument("Permission of directories that are made, octal.", ownerAll,
			defaultDirPermissionText),
		"overwrite":    boolArgument("Whether to replace files at the path that this provider did not write, or that are another export: one that was asked for something else, or one of another log.", false),
		"allow_shrink": boolArgument("Whether an export may hold less than the one that it replaces: fewer entries of the same window, or a window that begins before what the service still keeps.", false),
		"on_missing": schema.StringAttribute{
			MarkdownDescription: "What to do when the file is not there, as on a fresh runner: `recreate` it, `keep` the state as it is, or `error`. Default: `recreate`.",
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(driftRecreate),
			Validators:          texts(query.OneOf(driftRecreate, driftKeep, driftError)),
		},
		"on_changed": schema.StringAttribute{
			MarkdownDescription: "What to do when one of the files is not as it was written, in its content or its permission: `recreate` it, `keep` it, or `error`. Each of them warns, and names what was expected and what was found. Default: `recreate`.",
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(driftRecreate),
			Validators:          texts(query.OneOf(driftRecreate, driftKeep, driftError)),
		},
		"keep_on_destroy": boolArgument("Whether destroying the resource leaves the files where they are. What another resource has written there since stays in any case.", true),
		"triggers": schema.MapAttribute{
			MarkdownDescription: "Any values; when one of them changes, the export is made again.",
			ElementType:         types.StringType,
			Optional:            true,
		},
	}
}

func boolArgument(description string, fallback bool) schema.BoolAttribute {
	return schema.BoolAttribute{
		MarkdownDescription: description + " Default: `" + strconv.FormatBool(fallback) + "`.",
		Optional:            true,
		Computed:            true,
		Default:             booldefault.StaticBool(fallback),
	}
}

func permissionArgument(description string, needed uint64, fallback string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: description + " Default: `" + fallback + "`.",
		Optional:            true,
		Computed:            true,
		Default:             stringdefault.StaticString(fallback),
		Validators:          []validator.String{permissionForm(needed, fallback)},
	}
}

func exportResults() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}

	return map[string]schema.Attribute{
		"entry_count":     number("How many entries were written."),
		"bytes":           number("Size of the data."),
		"sha256":          text("SHA-256 of the data, hexadecimal."),
		"window_start":    text("Begin of the window that was read, included."),
		"window_end":      text("End of the window that was read, excluded."),
		"first_time":      text("Time of the oldest entry; null when there is none."),
		"last_time":       text("Time of the newest entry; null when there is none."),
		"manifest_path":   text("Path of the manifest."),
		"manifest_sha256": text("SHA-256 of the manifest, hexadecimal."),
		"exported_at":     text("When the export was made."),
		"drift":           text("How the files are not as they were written, as the last refresh found them; null when they are."),
		"source": schema.SingleNestedAttribute{
			MarkdownDescription: "Whose log it is. The export is never made again from another one.",
			Computed:            true,
			Attributes: map[string]schema.Attribute{
				"service":  text("The cloud."),
				"endpoint": text("The origin of its API; null where there is none."),
				"account":  text("The account, as in the entries; null where it is not known."),
			},
		},
	}
}
