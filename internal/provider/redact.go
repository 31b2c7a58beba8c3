// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	resource "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
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

func redactDataSourceAttribute() datasource.MapAttribute {
	return datasource.MapAttribute{
		MarkdownDescription: redactDescription(),
		ElementType:         types.StringType,
		Optional:            true,
		Validators:          []validator.Map{redactRules{}},
	}
}

func redactResourceAttribute() resource.MapAttribute {
	return resource.MapAttribute{
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
	return "fields of an entry, each with one of " + strings.Join(export.RedactModes(), ", ")
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

		if err := export.CheckRule(field, mode.ValueString()); err != nil {
			p := explain.RedactionRule(err)
			if mode.IsNull() && !errors.Is(err, export.ErrRedactField) {
				p.Cause = fmt.Sprintf("What to do with the field %s is null.", field)
				p.Next = "Give one of " + strings.Join(export.RedactModes(), ", ") + "."
			}

			resp.Diagnostics.Append(diagnose(p.At(placeOf(req.Path.AtMapKey(field))))...)
		}
	}
}

// redactor returns what redacts entries by the rules of a configuration, nil
// where there are none. Every value must be known: one that is not is an error,
// since leaving it out would let through what it was to take away.
func redactor(m types.Map, c *configured) (*export.Redactor, diag.Diagnostics) {
	if m.IsNull() {
		return nil, nil
	}

	at := explain.Argument(redactName)
	if m.IsUnknown() {
		return nil, diagnose(unknownRedaction(redactName).At(at))
	}

	rules := make(map[string]string, len(m.Elements()))
	hashes := false

	for field, value := range m.Elements() {
		mode, ok := value.(types.String)
		if !ok || mode.IsUnknown() || mode.IsNull() {
			return nil, diagnose(unknownRedaction(redactName).At(at.Key(field)))
		}

		rules[field] = mode.ValueString()
		hashes = hashes || mode.ValueString() == export.RedactHash
	}

	if hashes && c.redactionKey.IsUnknown() {
		return nil, diagnose(unknownRedaction(redactionKeyName).At(at))
	}

	r, err := export.NewRedactor(rules, []byte(c.redactionKey.ValueString()))

	rule := (*export.RuleError)(nil)

	switch {
	case errors.Is(err, export.ErrRedactKey):
		// The attribute is checked before; this is the environment's.
		return nil, diagnose(explain.RedactionKey(explain.RedactionKeyEnv).At(at))
	case errors.As(err, &rule):
		return nil, diagnose(explain.RedactionRule(err).At(at.Key(rule.Field)))
	case err != nil:
		return nil, diagnose(explain.RedactionRule(err).At(at))
	default:
		return r, nil
	}
}

// redactionKnown says that everything is known that redactor needs.
func (c *configured) redactionKnown(m types.Map) bool {
	return known(m) && (known(c.redactionKey) || !slices.Contains(slices.Collect(maps.Values(mapOf(m))), export.RedactHash))
}

func unknownRedaction(name string) explain.Problem {
	return explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   fmt.Sprintf("What is to be redacted is not known yet: %s depends on values that are known only after an apply.", name),
		Next:    "Give it a value that is known when planning, such as a variable's.",
	}
}

// redactionKeyForm is no stringForm, since that shows the value it refuses.
type redactionKeyForm struct{}

// Description implements validator.Describer.
func (redactionKeyForm) Description(context.Context) string {
	return fmt.Sprintf("a random text of at least %d characters", export.MinRedactionKey)
}

// MarkdownDescription implements validator.Describer.
func (v redactionKeyForm) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (redactionKeyForm) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if err := export.CheckRedactionKey([]byte(req.ConfigValue.ValueString())); err != nil {
		// Not at its path: Terraform would show the line that the key is written in.
		resp.Diagnostics.Append(diagnose(explain.RedactionKey(req.Path.String()))...)
	}
}
