// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

const (
	redactName       = "redact"
	redactionKeyName = "redaction_key"
)

func redactDescription() string {
	return "What to do with personal data, by field of an entry: `keep`, `drop`, `mask` (`ip_address` keeps its network, `actor` and `scope_name` the domain of an e-mail address) " +
		"or `hash` (a pseudonym made with the provider's `" + redactionKeyName + "`, the same as long as the key is). " +
		"Redacting a field also drops `message`, `changes` and `raw` unless they are set to `keep`, and treats the name of a user scope as `actor`; " +
		"other fields that hold a redacted value lose it, too, in every entry that is read. The fields that every entry has cannot be redacted. " +
		"Filters look at the original values. Default: nothing is redacted."
}

func redactAttribute() datasource.MapAttribute {
	return datasource.MapAttribute{
		MarkdownDescription: redactDescription(),
		ElementType:         types.StringType,
		Optional:            true,
		Validators:          []validator.Map{redactRules{}},
	}
}

// redactRules checks every rule whose mode is known.
type redactRules struct{}

// Description implements validator.Describer.
func (redactRules) Description(context.Context) string {
	return "fields of an entry, each with one of " + strings.Join(redact.Modes(), ", ")
}

// MarkdownDescription implements validator.Describer.
func (v redactRules) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateMap implements validator.Map.
func (redactRules) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	elements := req.ConfigValue.Elements()

	for _, field := range slices.Sorted(maps.Keys(elements)) {
		mode, ok := elements[field].(types.String)
		if !ok || mode.IsUnknown() {
			continue
		}

		if err := redact.CheckRule(field, mode.ValueString()); err != nil {
			p := explain.RedactionRule(err)
			if mode.IsNull() && !errors.Is(err, redact.ErrField) {
				p.Cause = explain.Textf("What to do with the field %s is null.", field)
				p.Next = "Give one of " + explain.Plain(strings.Join(redact.Modes(), ", ")) + "."
			}

			resp.Diagnostics.Append(diagnose(p.At(placeOf(req.Path.AtMapKey(field))))...)
		}
	}
}

func unknownRedaction(name string) explain.Problem {
	return explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   explain.Textf("What is to be redacted is not known yet: %s depends on values that are known only after an apply.", name),
		Next:    "Give it a value that is known when planning, such as a variable's.",
	}
}
