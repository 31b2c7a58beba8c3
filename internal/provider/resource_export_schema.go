// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

const defaultFilePermission = 0o600

func exportSchema(ctx context.Context) schema.Schema {
	attributes := resourceAttributes(queryAttributes(task.SettleDelayText))

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
	attributes := resourceAttributes(argumentAttributes(task.ExportTable()))

	for _, s := range task.ExportSwitches() {
		attributes[s.Name] = boolArgument(s.Description, s.Name == "spreadsheet_safe")
	}

	// How a CSV file is laid out is a group of arguments, none of which has a default of its own: exports that were made
	// before the arguments existed stay as they are.
	csv := map[string]schema.Attribute{}

	for name, attribute := range attributes {
		if _, part, found := strings.Cut(name, "."); found {
			csv[part] = attribute

			delete(attributes, name)
		}
	}

	csv[csvBOM] = schema.BoolAttribute{MarkdownDescription: csv[csvBOM].GetMarkdownDescription(), Optional: true}

	attributes[csvName] = schema.SingleNestedAttribute{
		MarkdownDescription: "How a CSV file is laid out; only with `format = \"csv\"`.", Optional: true, Attributes: csv,
	}

	for name, change := range map[string]func(*schema.StringAttribute){
		"path":                 func(a *schema.StringAttribute) { a.Optional, a.Required = false, true },
		"format":               func(a *schema.StringAttribute) { a.Optional, a.Required = false, true },
		"file_permission":      func(a *schema.StringAttribute) { setDefault(a, task.DefaultFilePermission) },
		"directory_permission": func(a *schema.StringAttribute) { setDefault(a, task.DefaultDirectoryPermission) },
	} {
		if a, ok := attributes[name].(schema.StringAttribute); ok {
			change(&a)

			attributes[name] = a
		}
	}

	maps.Copy(attributes, map[string]schema.Attribute{
		"on_missing":      driftArgument("What to do when the file is not there, as on a fresh runner: `recreate` it, `keep` the state as it is, or `error`. Default: `recreate`."),
		"on_changed":      driftArgument("What to do when one of the files is not as it was written, in its content or its permission: `recreate` it, `keep` it, or `error`. Each of them warns, and names what was expected and what was found. Default: `recreate`."),
		"keep_on_destroy": boolArgument("Whether destroying the resource leaves the files where they are. What another resource has written there since stays in any case. Default: `true`.", true),
		"triggers": schema.MapAttribute{
			MarkdownDescription: "Any values; when one of them changes, the export is made again.",
			ElementType:         types.StringType,
			Optional:            true,
		},
	})

	return attributes
}

func driftArgument(description string) schema.StringAttribute {
	a := schema.StringAttribute{
		MarkdownDescription: description, Optional: true,
		Validators: texts(query.OneOf(driftRecreate, driftKeep, driftError)),
	}
	setDefault(&a, driftRecreate)

	return a
}

func setDefault(a *schema.StringAttribute, text string) {
	a.Computed, a.Default = true, stringdefault.StaticString(text)
}

func boolArgument(description string, fallback bool) schema.BoolAttribute {
	return schema.BoolAttribute{
		MarkdownDescription: description, Optional: true, Computed: true, Default: booldefault.StaticBool(fallback),
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
