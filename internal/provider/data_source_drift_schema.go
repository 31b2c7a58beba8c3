// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

func driftSchema(ctx context.Context) schema.Schema {
	attributes := map[string]schema.Attribute{}

	// There are no filters: what the pipeline did, and what is gone again, has to be seen as well.
	names := append(query.WindowNames(), "settle_delay")
	for _, a := range source.Table() {
		names = append(names, a.Name)
	}

	for _, s := range query.Switches() {
		names = append(names, s.Name)
	}

	all := queryAttributes("0s")
	for _, name := range names {
		attributes[name] = all[name]
	}

	maps.Copy(attributes, map[string]schema.Attribute{
		"managed": schema.MapAttribute{
			MarkdownDescription: "Resources that Terraform manages: the id of each, by its address, such as `{ \"upcloud_server.web\" = upcloud_server.web.id }`. Of cloudscale, whose log has no ids, give the name in place of the id. Give this or `state_file`, or both.",
			ElementType:         types.StringType,
			Optional:            true,
		},
		"state_file": schema.StringAttribute{
			MarkdownDescription: "File with a state or a plan: what `terraform show -json` or `terraform state pull` prints. Nothing of it but the addresses, types, ids and names of resources, and of a plan what Terraform saw change, goes anywhere.",
			Optional:            true,
			Validators:          texts(query.NotEmpty()),
		},
		"as_of": schema.StringAttribute{
			MarkdownDescription: "When the state was written, RFC 3339. It tells things of the same name apart. Default: when a plan was made; of a state the time of its file; now without a `state_file`.",
			Optional:            true,
			Validators: texts(formOf(`a time as in RFC 3339, such as "2026-01-31T00:00:00Z"`, func(value string) error {
				if _, err := time.Parse(time.RFC3339Nano, value); err != nil {
					return errors.New("not a time as in RFC 3339")
				}

				return nil
			}).Form),
		},
		"pipeline": schema.SingleNestedAttribute{
			MarkdownDescription: "Who runs Terraform: an entry that meets everything that is given was not done by hand. Default: nobody, so that what Terraform did counts as done by hand, which is a warning.",
			Optional:            true,
			Attributes:          pipelineAttributes(),
		},
		redactName: redactAttribute(),
		"timeouts": checkedTimeouts(timeouts.Attributes(ctx)),
	})

	maps.Copy(attributes, driftResults())

	return schema.Schema{
		MarkdownDescription: "Says who changed and deleted by hand what Terraform manages, and what was created besides. The log is read completely, or it is an error.",
		Attributes:          attributes,
	}
}

func pipelineAttributes() map[string]schema.Attribute {
	attributes := argumentAttributes(task.PipelineTable())

	for name, a := range attributes {
		// None of them has a default: what is not given need not be met.
		if list, ok := a.(schema.ListAttribute); ok {
			i := slices.IndexFunc(task.PipelineTable(), func(a query.Argument) bool { return a.Name == name })
			list.MarkdownDescription = task.PipelineTable()[i].Description
			attributes[name] = list
		}
	}

	return attributes
}

func driftResults() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}
	rows := func(description string) schema.ListNestedAttribute {
		return schema.ListNestedAttribute{
			MarkdownDescription: fmt.Sprintf("%s At most %d are listed.", description, mostDriftRows), Computed: true,
			NestedObject: schema.NestedAttributeObject{Attributes: driftRowAttributes()},
		}
	}

	return map[string]schema.Attribute{
		"changed":     rows("Resources that were changed by hand, by address."),
		"deleted":     rows("Resources that were deleted by hand, by address."),
		"created":     rows("What was created by hand, is in no state that was given, and is still there as far as the log says, by time."),
		"unexplained": rows("Resources that Terraform saw change, as a plan in `state_file` says, and that nobody is known to have changed; and those whose name is not theirs alone. By address."),
		"unmatched": schema.ListNestedAttribute{
			MarkdownDescription: "Resources for which finding nothing does not mean that nothing happened, and those of other clouds, by reason and type.",
			Computed:            true,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"reason":  text("Why, in a word: `foreign_provider`, `other_service`, `not_in_log`, `no_id`, `no_name` or `ambiguous_name`."),
				"text":    text("The same in a sentence."),
				"type":    text("The type of the resources."),
				"count":   number("How many there are."),
				"example": text("The address of one of them."),
			}},
		},
		"clean": schema.BoolAttribute{
			MarkdownDescription: "Whether nothing was found and this means that nothing happened: there are no rows, and `completeness.conclusive` is true. `unmatched` says for which resources that proves nothing.",
			Computed:            true,
		},
		"changed_count":     number("How many resources were changed by hand."),
		"deleted_count":     number("How many resources were deleted by hand."),
		"created_count":     number("How many things were created by hand."),
		"unexplained_count": number("How many changes are not explained."),
		"resource_count":    number("How many resources were held against the log."),
		"entry_count":       number("How many entries were read."),

		"pipeline_entry_count":     number("How many of them the pipeline made."),
		"unattributed_entry_count": number("How many entries change something and name nothing that a resource could be found by, such as the attachment of a volume in cloudscale's log, or what no resource is called, which may be one that was renamed."),
		"former_count":             number("How many things both people and the pipeline worked on that are in no state that was given, such as those of which Terraform has made new ones since."),

		"window_start": text("Begin of the window that was read, included."),
		"window_end":   text("End of the window that was read, excluded."),
		"completeness": completenessAttribute(),
	}
}

func driftRowAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	flag := func(description string) schema.BoolAttribute {
		return schema.BoolAttribute{MarkdownDescription: description, Computed: true}
	}

	entry := entryAttributes()
	delete(entry, auditlog.FieldRaw)

	entry["reverted"] = flag("Whether the pipeline has since set every field that was changed back to what it was before, or made the thing anew.")

	return map[string]schema.Attribute{
		"address": text("The resource's address; null where Terraform does not manage it."),
		"type":    text("Its type in Terraform; null where Terraform does not manage it."),
		"service": text("The cloud that it is of."),
		"id":      text("Its id."),
		"name":    text("Its name."),
		"match":   text("By what it was found in the log: `by_id`; `by_container`, the id of what holds it, so that which part was changed is not known; or `by_name`, type and name."),
		"reason":  text("Why nobody is known to have made the change: `only_pipeline`, `no_deletion`, `gap`, `before_retention`, `before_window`, `other_time`, `unnamed`, or a reason of `unmatched`; null where somebody is."),
		"seen": schema.SingleNestedAttribute{
			MarkdownDescription: "What Terraform saw, as a plan in `state_file` says; null where it saw nothing.",
			Computed:            true,
			Attributes: map[string]schema.Attribute{
				"deleted": flag("Whether the resource was gone."),
				"changes": schema.ListNestedAttribute{
					MarkdownDescription: "The attributes that changed, without the values that the plan marks as sensitive.",
					Computed:            true,
					NestedObject:        schema.NestedAttributeObject{Attributes: changeAttributes()},
				},
			},
		},
		"events": schema.ListNestedAttribute{
			MarkdownDescription: fmt.Sprintf("The entries by which it was done by hand, oldest first: the newest %d of them.", drift.MostEvents),
			Computed:            true,
			NestedObject:        schema.NestedAttributeObject{Attributes: entry},
		},
		"event_count": schema.Int64Attribute{MarkdownDescription: "How many there are.", Computed: true},
		"reverted":    flag("Whether all of it was reverted by the pipeline since."),
		"after_state": flag("Whether it was created after the state was written, so that the state could not hold it yet."),
	}
}
