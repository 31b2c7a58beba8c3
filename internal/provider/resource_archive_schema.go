// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

func archiveSchema(ctx context.Context) schema.Schema {
	attributes := resourceAttributes(queryAttributes(task.SettleDelayText))
	for _, name := range append(query.WindowNames(), "public_keys") {
		delete(attributes, name)
	}

	// An archive is not archived, and its destination is where it grows.
	attributes["service"] = schema.StringAttribute{
		MarkdownDescription: "Which cloud: `" + strings.Join(auditlog.Clouds(), "`, `") +
			"`. Default: the only configured one.",
		Optional:   true,
		Validators: texts(archivableForm()),
	}

	maps.Copy(attributes, archiveArguments())
	maps.Copy(attributes, archiveResults())

	maps.Copy(attributes, resourceAttributes(map[string]datasource.Attribute{redactName: redactAttribute()}))

	attributes["timeouts"] = checkedTimeouts(
		timeouts.Attributes(ctx, timeouts.Opts{Create: true, Read: true, Update: true}),
	)

	return schema.Schema{
		MarkdownDescription: "Keeps an audit log in a directory or a bucket: each apply appends what is new, exactly once, as immutable segments " +
			"whose manifests are the leaves of a transparency log that anybody can verify offline. Destroying the resource keeps everything.",
		Attributes: attributes,
	}
}

func archiveArguments() map[string]schema.Attribute {
	formats := []string{string(format.NDJSON), string(format.Parquet)}
	compressions := []string{string(format.Uncompressed), string(format.Gzip), string(format.Zstd)}

	return map[string]schema.Attribute{
		"destination": schema.StringAttribute{
			MarkdownDescription: "A directory, or `s3://bucket/prefix?endpoint=https://…&region=…`. Credentials for a bucket come from the usual AWS environment and profiles.",
			Required:            true,
			Validators:          texts(source.DestinationForm()),
		},
		"format": schema.StringAttribute{
			MarkdownDescription: "Format of new segments: `" + strings.Join(formats, "`, `") + "`. Default: `ndjson`.",
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(string(format.NDJSON)),
			Validators:          texts(query.OneOf(formats...)),
		},
		"compression": schema.StringAttribute{
			MarkdownDescription: "Compression of new segments: `" + strings.Join(compressions, "`, `") + "`. Default: `zstd`.",
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(string(format.Zstd)),
			Validators:          texts(query.OneOf(compressions...)),
		},
		"start": schema.StringAttribute{
			MarkdownDescription: "How far back the first run goes: a length of time such as `30d`, or a moment in RFC 3339. Later runs go on where the last one ended. Default: as far as the service keeps entries.",
			Optional:            true,
			Validators:          texts(query.StartForm()),
		},
		"overlap": schema.StringAttribute{
			MarkdownDescription: "How much of what was read before is read again where the service has no cursor, so that entries that came late are found. Default: `" + archiveOverlapText + "`.",
			Optional:            true,
			Validators:          texts(query.SpanForm()),
		},
		"signing_key": schema.StringAttribute{
			MarkdownDescription: "Private key that signs the checkpoint, as `auditlog keygen` prints it. It is never stored. Default: the environment variable `AUDIT_SIGNING_KEY`, else the checkpoint is not signed.",
			Optional:            true,
			Sensitive:           true,
			WriteOnly:           true,
			Validators:          texts(source.SigningKeyForm()),
		},
		"previous_signing_key": schema.StringAttribute{
			MarkdownDescription: "To change the key: the private key that signed so far, for one apply. Both sign then, so that the old key vouches for the new one. It is never stored. Default: the environment variable `AUDIT_PREVIOUS_SIGNING_KEY`, else the key is not changed.",
			Optional:            true,
			Sensitive:           true,
			WriteOnly:           true,
			Validators:          texts(source.SigningKeyForm()),
		},
		"witnesses": schema.ListNestedAttribute{
			MarkdownDescription: "Witnesses (c2sp.org/tlog-witness) that are asked to cosign each checkpoint before it is published. Their operators have to know the archive's `origin` and public key. Default: none.",
			Optional:            true,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"url": schema.StringAttribute{
					MarkdownDescription: "Address below which the witness answers, such as `https://witness.example.com/prefix`. Required.",
					Optional:            true, // The framework takes what is required for missing while all of the witness is unknown.
					Validators:          []validator.String{addressOfOthersForm()},
				},
				"public_key": schema.StringAttribute{
					MarkdownDescription: "Public key of its cosignatures, in the form that witnesses publish: `NAME+HASH+KEY`. Required.",
					Optional:            true,
					Validators:          []validator.String{witnessKeyForm()},
				},
			}},
		},
		"witness_quorum": schema.Int64Attribute{
			MarkdownDescription: "How many of the witnesses have to cosign. Default: all.",
			Optional:            true,
		},
		"timestamp_authority": schema.StringAttribute{
			MarkdownDescription: "Address of a time stamp authority (RFC 3161) that is asked for a time stamp of each checkpoint, such as `https://tsa.example.com`. Default: none.",
			Optional:            true,
			Validators:          []validator.String{addressOfOthersForm()},
		},
		"timestamp_certificates": schema.StringAttribute{
			MarkdownDescription: "Root certificates in PEM to which the authority's has to lead, with those between if it does not send them, such as `file(\"tsa-roots.pem\")`. Default: any certificate is accepted when the time stamp is made.",
			Optional:            true,
			Validators:          []validator.String{certificatesForm()},
		},
		"attestation_required": schema.BoolAttribute{
			MarkdownDescription: "Whether a run fails where witnesses or the authority do not attest the checkpoint. What it has archived stays archived, and the next run asks again. With `false` it is a warning. That a witness has seen another log is an error always. Default: `true`.",
			Optional:            true,
		},
		"object_lock": schema.SingleNestedAttribute{
			MarkdownDescription: "How long a bucket protects what is written from being changed or deleted, where it has object lock enabled. `checkpoint`, which is replaced, is not protected. Default: as the bucket does by itself.",
			Optional:            true,
			Attributes: map[string]schema.Attribute{
				"mode": schema.StringAttribute{
					MarkdownDescription: "`governance`, which a permission of its own can lift, or `compliance`, which nobody can.",
					Required:            true,
					Validators:          texts(query.OneOf(durable.Governance, durable.Compliance)),
				},
				"days": schema.Int64Attribute{
					MarkdownDescription: "For how many days from the writing, `1` to `36500`.",
					Required:            true,
				},
			},
		},
		"accept_gap_after": schema.Int64Attribute{
			MarkdownDescription: "Number of the manifest after which a gap is accepted: entries that the service dropped before they were archived. The error that reports the gap names the number; with the next manifest the permission is used up.",
			Optional:            true,
		},
	}
}

func archiveResults() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}

	return map[string]schema.Attribute{
		"sequence":        number("Number of the last manifest; `0` before the first."),
		"head_sha256":     text("SHA-256 of the last manifest; null before the first."),
		"head":            text("Both in one, as `auditlog verify --head` takes it; null before the first manifest."),
		"checkpoint":      text("The newest checkpoint, with its signatures. Kept here, away from the archive, it lets every run and refresh prove that the log only grew."),
		"origin":          text("Name of the archive, which every checkpoint begins with."),
		"entry_count":     number("How many entries the archive holds."),
		"covered_until":   text("Up to when everything has been archived, excluded."),
		"pending_entries": number("How many entries a refresh found that are not archived yet, at most 1000; an apply archives them all."),
		"public_key":      text("Public key of the checkpoint's signature, for `auditlog verify`; null when it is not signed."),
	}
}
