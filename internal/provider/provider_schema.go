// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Looks up, gates on and exports the audit logs of UpCloud, cloudscale and PodStack. " +
			"A service is configured when its block is present or its credentials are in the environment. " +
			"No request is made before something is read.",
		Attributes: map[string]schema.Attribute{
			"upcloud": schema.SingleNestedAttribute{
				MarkdownDescription: "Access to the audit log of an UpCloud account.",
				Optional:            true,
				Attributes: map[string]schema.Attribute{
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
					"account":   accountAttribute("the user name that `GET /1.3/account` gives for the credential, where it may be read"),
					"endpoint":  endpointAttribute("https://api.upcloud.com", "UPCLOUD_DEBUG_API_BASE_URL"),
					"retention": retentionAttribute("180d"),
					"strategy": schema.StringAttribute{
						MarkdownDescription: "How the log is read: `pages` asks for it page by page, `stream` for the " +
							"[export](guides/completeness.md#upcloud-as-many-as-the-service-counts) of the whole log in one answer, which costs little where most of a large log is wanted, " +
							"and `auto` for whichever takes less time. What is read and what proves it are the same. Default: `auto`.",
						Optional:   true,
						Validators: texts(query.OneOf(upcloud.Strategies()...)),
					},
				},
			},
			"cloudscale": schema.SingleNestedAttribute{
				MarkdownDescription: "Access to the audit log of a cloudscale.ch project.",
				Optional:            true,
				Attributes: map[string]schema.Attribute{
					"token": schema.StringAttribute{
						MarkdownDescription: "API token of the project; read access is enough. Default: the environment variable `CLOUDSCALE_API_TOKEN`.",
						Optional:            true,
						Sensitive:           true,
					},
					"account":   accountAttribute("the UUID of the project that the records name"),
					"endpoint":  endpointAttribute("https://api.cloudscale.ch", "CLOUDSCALE_API_URL"),
					"retention": retentionAttribute("90d"),
				},
			},
			"podstack": schema.SingleNestedAttribute{
				MarkdownDescription: "The audit log of PodStack, from the CSV files that its console exports. " +
					"The [guide](guides/podstack.md) says how to export them, and what is assumed of them.",
				Optional: true,
				Attributes: map[string]schema.Attribute{
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
					"account":   accountAttribute("unknown, since the exports do not name it"),
					"retention": retentionAttribute("90d"),
				},
			},
			"request_timeout": durationAttribute("How long one request may take, its answer included. Default: `60s`."),
			"max_retries": schema.Int64Attribute{
				MarkdownDescription: "How often a request is tried again that failed for a passing reason. Default: `4`.",
				Optional:            true,
				Validators:          []validator.Int64{between(0, maxRetries)},
			},
			"retry_wait_min": durationAttribute("The first wait between two tries; it doubles from try to try. Default: `1s`."),
			"retry_wait_max": durationAttribute("The longest wait between two tries, also where the service asks for a longer one. Default: `30s`."),
			"max_concurrency": schema.Int64Attribute{
				MarkdownDescription: "How many requests to one service may be under way at once. Long windows are read so many pages at a time. Where the service answers `429` or `503`, there are fewer for a while. Default: `8`.",
				Optional:            true,
				Validators:          []validator.Int64{between(1, maxConcurrency)},
			},
			maxClockSkewName: schema.StringAttribute{
				MarkdownDescription: "How far this machine's clock and the service's may be apart, as the `Date` of every answer tells; further apart, [reading is an error](guides/completeness.md#clocks). At most `24h`. Default: `1m`.",
				Optional:            true,
				Validators:          []validator.String{clockSkewForm()},
			},
			redactionKeyName: schema.StringAttribute{
				MarkdownDescription: "The key that `redact` makes pseudonyms with where it is told to `hash`: a random text of at least 16 characters, which never goes into state, manifests or logs. " +
					"With another key the same person gets another pseudonym. Default: the environment variable `" + explain.RedactionKeyEnv + "`.",
				Optional:   true,
				Sensitive:  true,
				Validators: texts(source.RedactionKeyForm()),
			},
		},
	}
}

const (
	maxRetries     = 100
	maxConcurrency = 64

	maxClockSkewName = "max_clock_skew"
	// No time zone is further off. A clock that is has to be put right.
	largestClockSkew = 24 * time.Hour
)

func endpointAttribute(fallback, env string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: "Root of the API. Default: the environment variable `" + env + "`, else `" + fallback + "`.",
		Optional:            true,
		Validators:          []validator.String{endpointForm()},
	}
}

func accountAttribute(fallback string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: "Name for the account whose log it is. It goes into entries and manifests, and an export or an archive of one account is never continued from another one. Default: " + fallback + ".",
		Optional:            true,
		Validators:          []validator.String{accountForm()},
	}
}

func retentionAttribute(fallback string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: "How long the service keeps entries. A window that begins earlier gets a warning, since an empty part of it proves nothing. Default: `" + fallback + "`.",
		Optional:            true,
		Validators:          texts(query.PositiveSpanForm()),
	}
}

func durationAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		MarkdownDescription: description,
		Optional:            true,
		Validators:          []validator.String{durationForm()},
	}
}
