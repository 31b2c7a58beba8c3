// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

func providerSchema() schema.Schema {
	common := settings("")

	for _, n := range source.Numbers() {
		common[n.Name] = schema.Int64Attribute{
			MarkdownDescription: n.Description, Optional: true, Validators: []validator.Int64{intRange{n}},
		}
	}

	return schema.Schema{
		MarkdownDescription: "Looks up, gates on and exports the audit logs of UpCloud, cloudscale and PodStack. " +
			"A service is configured when its block is present or its credentials are in the environment. " +
			"No request is made before something is read.",
		Attributes: with(common, map[string]schema.Attribute{
			"upcloud": schema.SingleNestedAttribute{
				MarkdownDescription: "Access to the audit log of an UpCloud account.",
				Optional:            true,
				Attributes: with(settings("upcloud"), map[string]schema.Attribute{
					"token": schema.StringAttribute{
						MarkdownDescription: "API token. Default: the environment variable `UPCLOUD_TOKEN`. Excludes `username` and `password`.",
						Optional:            true,
						Sensitive:           true,
					},
					"username": schema.StringAttribute{
						MarkdownDescription: "Name of an account with API access. Default: `UPCLOUD_USERNAME`.",
						Optional:            true,
					},
					"password": schema.StringAttribute{
						MarkdownDescription: "Password of that account. Default: `UPCLOUD_PASSWORD`.",
						Optional:            true,
						Sensitive:           true,
					},
				}),
			},
			"cloudscale": schema.SingleNestedAttribute{
				MarkdownDescription: "Access to the audit log of a cloudscale.ch project.",
				Optional:            true,
				Attributes: with(settings("cloudscale"), map[string]schema.Attribute{
					"token": schema.StringAttribute{
						MarkdownDescription: "API token of the project; read access is enough. Default: the environment variable `CLOUDSCALE_API_TOKEN`.",
						Optional:            true,
						Sensitive:           true,
					},
				}),
			},
			"podstack": schema.SingleNestedAttribute{
				MarkdownDescription: "The audit log of PodStack, from the CSV files that its console exports. " +
					"The [guide](guides/podstack.md) says how to export them, and what is assumed of them.",
				Optional: true,
				Attributes: with(settings("podstack"), map[string]schema.Attribute{
					"exports": schema.ListAttribute{
						MarkdownDescription: "Paths of exports, or patterns such as `${path.module}/exports/*.csv`. Each has to name at least one file. What several exports hold counts once.",
						Required:            true,
						ElementType:         types.StringType,
						Validators:          []validator.List{exportPathsForm()},
					},
					"columns": schema.MapAttribute{
						MarkdownDescription: "Which header of the exports is which field, where that cannot be told: `{ time = \"Occurrence\" }`. " +
							"The keys are fields of an entry, and `previous_values`, `new_values` and `modified_fields`, which become `changes`: `" + strings.Join(podstack.ColumnNames(), "`, `") + "`.",
						Optional:    true,
						ElementType: types.StringType,
						Validators:  []validator.Map{columnMapping{}},
					},
					"ignored_columns": schema.ListAttribute{
						MarkdownDescription: "Headers of columns that are known and not wanted. Every other column that holds something and becomes no field is named in a warning.",
						Optional:            true,
						ElementType:         types.StringType,
						Validators:          []validator.List{ignoredHeadersForm()},
					},
				}),
			},
			redactionKeyName: schema.StringAttribute{
				MarkdownDescription: "The key that `redact` makes pseudonyms with where it is told to `hash`: a random text of at least 16 characters, which never goes into state, manifests or logs. " +
					"With another key the same person gets another pseudonym. Default: the environment variable `" + explain.RedactionKeyEnv + "`.",
				Optional:   true,
				Sensitive:  true,
				Validators: texts(source.RedactionKeyForm()),
			},
		}),
	}
}

// settings are those of one service, or those that the services have in common, where the service is "".
func settings(service string) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}

	for _, s := range source.Settings() {
		of, name, found := strings.Cut(s.Name, ".")
		if !found {
			of, name = "", s.Name
		}

		if of == service {
			attributes[name] = schema.StringAttribute{
				MarkdownDescription: s.Description, Optional: true, Validators: texts(s.Form),
			}
		}
	}

	return attributes
}

// with adds attributes to others.
func with(attributes, more map[string]schema.Attribute) map[string]schema.Attribute {
	maps.Copy(attributes, more)

	return attributes
}
