// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
)

const largestMaxFindings = 10_000

func findingsSchema(ctx context.Context) schema.Schema {
	attributes := queryAttributes("0s")

	maps.Copy(attributes, map[string]schema.Attribute{
		"builtin_rules": schema.ListAttribute{
			MarkdownDescription: "Built-in rules to apply: `" + strings.Join(finding.BuiltinNames(), "`, `") + "`. `[]` applies none. Default: every one that the service's log can answer.",
			ElementType:         types.StringType,
			Optional:            true,
		},
		"rules": schema.MapNestedAttribute{
			MarkdownDescription: "Rules of your own, by name.",
			Optional:            true,
			NestedObject:        schema.NestedAttributeObject{Attributes: ruleAttributes()},
		},
		"expected": schema.ListNestedAttribute{
			MarkdownDescription: "Entries that are supposed to happen and count for no rule that the expectation is about. " +
				"The arguments of one expectation all have to match, the values of one argument are alternatives, and in them `*` stands for any characters, also for none, `?` for exactly one, and everything else for itself.",
			Optional:     true,
			NestedObject: schema.NestedAttributeObject{Attributes: expectationAttributes()},
		},
		"baseline": schema.StringAttribute{
			MarkdownDescription: "How far before the window `login_from_new_address` looks for addresses that are known, such as `14d`. Default: `14d`.",
			Optional:            true,
			Validators:          texts(query.PositiveSpanForm()),
		},
		"max_findings": schema.Int64Attribute{
			MarkdownDescription: fmt.Sprintf("How many findings are listed, the worst first, at most %d. More are a warning; counts cover all of them. Default: `%d`.", largestMaxFindings, finding.DefaultMaxFindings),
			Optional:            true,
			Validators:          []validator.Int64{between(1, largestMaxFindings)},
		},
		"fail_on_not_evaluable": schema.BoolAttribute{
			MarkdownDescription: "Whether it is an error when a rule cannot find anything in this service's log, whatever happened. Default: `false`, which lists it in `not_evaluable`.",
			Optional:            true,
		},
		redactName: redactAttribute(),
		"timeouts": checkedTimeouts(timeouts.Attributes(ctx)),
	})

	maps.Copy(attributes, findingsResults())

	return schema.Schema{
		MarkdownDescription: "Holds rules against the audit log and returns what they find: a verdict instead of rows. The log is read completely, or it is an error.",
		Attributes:          attributes,
	}
}

func ruleAttributes() map[string]schema.Attribute {
	severities := make([]string, 0, len(finding.Severities()))
	for _, s := range finding.Severities() {
		severities = append(severities, string(s))
	}

	return map[string]schema.Attribute{
		// Checked by ruleOf: the framework would miss what is required in a rule that is
		// not known yet.
		"where": schema.StringAttribute{
			MarkdownDescription: "Which entries count: a [CEL](../guides/where.md) expression over `entry`. Required.",
			Optional:            true,
		},
		"severity": schema.StringAttribute{
			MarkdownDescription: "`" + strings.Join(severities, "`, `") + "`. Default: `medium`.",
			Optional:            true,
			Validators:          []validator.String{inRule{form{query.OneOf(severities...)}}},
		},
		"threshold": schema.Int64Attribute{
			MarkdownDescription: "How many entries make a finding. Default: `1`.",
			Optional:            true,
		},
		"within": schema.StringAttribute{
			MarkdownDescription: "In how long a span, such as `10m`, wherever it begins; entries exactly that far apart are not in one span. With a `threshold` of `1`, entries nearer than that to the one before are one finding. Default: the whole window.",
			Optional:            true,
			Validators:          []validator.String{inRule{form{query.PositiveSpanForm()}}},
		},
		"group_by": schema.ListAttribute{
			MarkdownDescription: "Fields of an entry whose values have to be alike for entries to count together. Default: none, all entries count together.",
			ElementType:         types.StringType,
			Optional:            true,
		},
		"message": schema.StringAttribute{
			MarkdownDescription: "What to say of a finding. Default: a sentence of its count and span.",
			Optional:            true,
			Validators:          []validator.String{inRule{form{query.NotEmpty()}}},
		},
	}
}

// inRule reports at the rule what is wrong inside of it: Terraform finds the line of
// that, but of nothing deeper.
type inRule struct{ validator.String }

// ValidateString implements validator.String.
func (v inRule) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	sub := &validator.StringResponse{}
	v.String.ValidateString(ctx, req, sub)

	for _, d := range sub.Diagnostics {
		resp.Diagnostics.Append(diag.WithPath(req.Path.ParentPath(), d))
	}
}

func expectationAttributes() map[string]schema.Attribute {
	list := func(description string) schema.ListAttribute {
		return schema.ListAttribute{MarkdownDescription: description, ElementType: types.StringType, Optional: true}
	}

	return map[string]schema.Attribute{
		"rules": list("Rules that the expectation is about, by name. Default: `" + finding.RuleDeletion + "` and `" +
			finding.RuleMassDeletion + "`."),
		"actors":         list("Actors by id, or by a name that the cloud keeps unique: a user name of UpCloud, the e-mail address of a user. The description of an API token, which anybody can choose, matches nothing and is a warning that gives the ids."),
		"resource_types": list("Types of resources."),
		"resource_names": list("Names of resources."),
	}
}

func findingsResults() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}
	counts := func(description string) schema.MapAttribute {
		return schema.MapAttribute{MarkdownDescription: description, ElementType: types.Int64Type, Computed: true}
	}

	baseline := completenessAttribute()
	baseline.MarkdownDescription = "The same for the time before the window, which `login_from_new_address` looks at; null where that rule was not evaluated."

	return map[string]schema.Attribute{
		"findings": schema.ListNestedAttribute{
			MarkdownDescription: "What was found, the worst first, then by time.",
			Computed:            true,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"rule":     text("The rule that found it."),
				"severity": text("The rule's severity."),
				"group": schema.MapAttribute{
					MarkdownDescription: "What the entries have in common: the values of the rule's `group_by`, by field. An entry without an actor's name goes by its id, and by its kind where it has neither.",
					ElementType:         types.StringType,
					Computed:            true,
				},
				"count":      number("How many entries it is made of."),
				"first_time": text("Time of the first of them."),
				"last_time":  text("Time of the last of them."),
				"entry_ids": schema.ListAttribute{
					MarkdownDescription: fmt.Sprintf("Ids of the first %d of them, by time.", finding.MaxEntryIDs),
					ElementType:         types.StringType,
					Computed:            true,
				},
				"message": text("The rule's message."),
			}},
		},
		"clean": schema.BoolAttribute{
			MarkdownDescription: "Whether nothing was found and this means that nothing happened: `completeness.conclusive` is true, and every rule that was asked for could be evaluated. " +
				"Without `builtin_rules`, those are the built-in rules that the service's log can answer.",
			Computed: true,
		},
		"total_count":        number("How many findings there are."),
		"counts_by_rule":     counts("How many findings there are, by rule: `0` for one that was evaluated and found nothing. One in `not_evaluable` has no key, unless it found something all the same."),
		"counts_by_severity": counts("How many findings there are, by severity: `0` where rules of it were evaluated and found nothing, no key where none was evaluated."),
		"not_evaluable": schema.ListNestedAttribute{
			MarkdownDescription: "Rules that could not have found anything, whatever happened, or that may have missed what actions did that are not known to mean any operation.",
			Computed:            true,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"rule":   text("The rule."),
				"reason": text("Why."),
			}},
		},
		"entry_count":     number("How many entries the rules were held against."),
		"expected_count":  number("How many entries would have counted for a rule but were expected."),
		"expected_counts": schema.ListAttribute{MarkdownDescription: "The same by expectation, in the order of `expected`; one that stays at `0` may have become superfluous.", ElementType: types.Int64Type, Computed: true},
		"window_start":    text("Begin of the window that was read, included."),
		"window_end":      text("End of the window that was read, excluded."),
		"completeness":    completenessAttribute(),

		"baseline_completeness": baseline,
	}
}
