// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

const (
	overflowFail       = "error"
	overflowKeepNewest = "keep_newest"
	orderOldestFirst   = "oldest_first"
	orderNewestFirst   = "newest_first"
)

func auditLogsSchema(ctx context.Context) schema.Schema {
	attributes := queryAttributes("0s")

	maps.Copy(attributes, map[string]schema.Attribute{
		"max_entries": schema.Int64Attribute{
			MarkdownDescription: fmt.Sprintf("How many rows the result may have, at most %d. Default: `%d`. More are better written to a file with `audit_log_export`.", task.LargestMaxEntries, task.DefaultMaxEntries),
			Optional:            true,
			Validators:          []validator.Int64{between(1, task.LargestMaxEntries)},
		},
		"on_overflow": schema.StringAttribute{
			MarkdownDescription: "What to do when more entries match: `error`, or `keep_newest` rows. Counts cover every match either way. Default: `error`.",
			Optional:            true,
			Validators:          texts(query.OneOf(overflowFail, overflowKeepNewest)),
		},
		"order": schema.StringAttribute{
			MarkdownDescription: "`oldest_first` or `newest_first`, ties by id. Default: `oldest_first`.",
			Optional:            true,
			Validators:          texts(query.OneOf(orderOldestFirst, orderNewestFirst)),
		},
		"include_entries": schema.BoolAttribute{
			MarkdownDescription: "Whether the result has rows. A gate that looks at counts needs none, and then none gets into the state of a data source. Default: `true`.",
			Optional:            true,
		},
		"include_raw": schema.BoolAttribute{
			MarkdownDescription: "Whether each row carries the cloud's record as JSON text. Default: `false`.",
			Optional:            true,
		},
		redactName: redactAttribute(),
		"timeouts": checkedTimeouts(timeouts.Attributes(ctx)),

		entriesName: schema.ListNestedAttribute{
			MarkdownDescription: "The rows; null with `include_entries = false`. Do not output the whole list: Terraform compares it row by row with every other.",
			Computed:            true,
			NestedObject:        schema.NestedAttributeObject{Attributes: entryAttributes()},
		},
		"total_count":             schema.Int64Attribute{MarkdownDescription: "How many entries match.", Computed: true},
		"counts_by_action":        countsAttribute("action"),
		"counts_by_operation":     countsAttribute("operation"),
		"counts_by_actor":         countsAttribute("actor as redacted; by its id where it has no name, by its kind where it has neither"),
		"counts_by_resource_type": countsAttribute("resource type"),
		"window_start": schema.StringAttribute{
			MarkdownDescription: "Begin of the window that was read, included.",
			Computed:            true,
		},
		"window_end": schema.StringAttribute{
			MarkdownDescription: "End of the window that was read, excluded.",
			Computed:            true,
		},
		"completeness": completenessAttribute(),
	})

	return schema.Schema{
		MarkdownDescription: "Looks up audit log entries. The result is complete or an error: an empty list means that nothing happened.",
		Attributes:          attributes,
	}
}

func entryAttributes() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}

	for _, f := range auditlog.Fields() {
		attributes[f.Name] = schema.StringAttribute{MarkdownDescription: f.Description, Computed: true}

		if f.Kind == auditlog.KindChanges {
			attributes[f.Name] = schema.ListNestedAttribute{
				MarkdownDescription: f.Description,
				Computed:            true,
				NestedObject:        schema.NestedAttributeObject{Attributes: changeAttributes()},
			}
		}
	}

	return attributes
}

func countsAttribute(by string) schema.MapAttribute {
	return schema.MapAttribute{
		MarkdownDescription: "How many entries match, by " + by + ".",
		ElementType:         types.Int64Type,
		Computed:            true,
	}
}

func completenessAttribute() schema.SingleNestedAttribute {
	attributes := map[string]schema.Attribute{}

	for _, f := range completenessFields() {
		switch f.kind {
		case types.Int64Type:
			attributes[f.name] = schema.Int64Attribute{MarkdownDescription: f.description, Computed: true}
		case types.BoolType:
			attributes[f.name] = schema.BoolAttribute{MarkdownDescription: f.description, Computed: true}
		case types.StringType:
			attributes[f.name] = schema.StringAttribute{MarkdownDescription: f.description, Computed: true}
		default:
			attributes[f.name] = schema.ListAttribute{
				MarkdownDescription: f.description, Computed: true,
				ElementType: elementOf(f.kind),
			}
		}
	}

	return schema.SingleNestedAttribute{
		MarkdownDescription: "What the reading can say for its own completeness.",
		Computed:            true,
		Attributes:          attributes,
	}
}

// changeAttributes are those of a field that was changed.
func changeAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"field": schema.StringAttribute{
			MarkdownDescription: "Path to the value, its steps joined by dots.",
			Computed:            true,
		},
		"before": schema.StringAttribute{
			MarkdownDescription: "JSON value before; null where the field was absent.",
			Computed:            true,
		},
		"after": schema.StringAttribute{
			MarkdownDescription: "JSON value after; null where the field was absent.",
			Computed:            true,
		},
	}
}
