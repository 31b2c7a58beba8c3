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
	"github.com/hashicorp/terraform-plugin-framework/path"
	resource "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

const (
	redactName       = "redact"
	redactionKeyName = "redaction_key"
	redactionKeyEnv  = "AUDIT_REDACTION_KEY"
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
			resp.Diagnostics.Append(ruleProblem(err, mode).at(req.Path.AtMapKey(field)))
		}
	}
}

// ruleProblem explains why a rule cannot be used.
func ruleProblem(err error, mode types.String) problem {
	p := problem{summary: checkConfiguration, cause: sentence(err.Error()), next: "Change the rule."}

	rule := (*redact.RuleError)(nil)
	if !errors.As(err, &rule) {
		return p
	}

	modes := "Give one of " + strings.Join(redact.Modes(), ", ") + "."

	switch {
	case errors.Is(err, redact.ErrField):
		names := make([]string, 0, len(auditlog.Fields()))
		for _, f := range auditlog.Fields() {
			names = append(names, f.Name)
		}

		// A key can come from a variable that is sensitive, as any text can.
		p.cause = "There is no such field to redact."
		if nearest := auditlog.Nearest(rule.Field, names); nearest != "" {
			p.cause = fmt.Sprintf("There is no such field to redact (did you mean %s?).", nearest)
		}

		p.next = "Name one of " + strings.Join(names, ", ") + "."
	case mode.IsNull():
		p.cause, p.next = fmt.Sprintf("What to do with the field %s is null.", rule.Field), modes
	case errors.Is(err, redact.ErrMode):
		p.cause, p.next = "There is no such way to redact a field.", modes
	case errors.Is(err, redact.ErrStructural):
		p.cause = fmt.Sprintf("The field %s cannot be redacted: %s.", rule.Field, rule.Reason)
		p.next = "Remove it from " + redactName + "."
	case errors.Is(err, redact.ErrNoMask):
		p.cause = fmt.Sprintf("The field %s has no masked form; only %s have.", rule.Field, strings.Join(redact.MaskableFields(), ", "))
		p.next = "Drop or keep it instead, or hash it if it is text."
	case errors.Is(err, redact.ErrNoHash):
		p.cause, p.next = fmt.Sprintf("The field %s is no text and has no pseudonym.", rule.Field), "Give "+redact.Keep+" or "+redact.Drop+"."
	case errors.Is(err, redact.ErrNoKey):
		p.cause = "Hashing needs a key, without which pseudonyms could be guessed."
		p.next = fmt.Sprintf("Set %s in the provider configuration, or %s, to a random text of at least %d characters, such as one made by: openssl rand -base64 32", redactionKeyName, redactionKeyEnv, redact.MinKey) + "."
	}

	return p
}

// redactor returns what redacts entries by the rules of a configuration, nil
// where there are none. Every value must be known: one that is not is an error,
// since leaving it out would let through what it was to take away.
func redactor(m types.Map, c *configured) (*redact.Redactor, diag.Diagnostics) {
	if m.IsNull() {
		return nil, nil
	}

	at := path.Root(redactName)
	if m.IsUnknown() {
		return nil, diag.Diagnostics{unknownRedaction(redactName).at(at)}
	}

	rules := make(map[string]string, len(m.Elements()))
	hashes := false

	for field, value := range m.Elements() {
		mode, ok := value.(types.String)
		if !ok || mode.IsUnknown() || mode.IsNull() {
			return nil, diag.Diagnostics{unknownRedaction(redactName).at(at.AtMapKey(field))}
		}

		rules[field] = mode.ValueString()
		hashes = hashes || mode.ValueString() == redact.Hash
	}

	if hashes && c.redactionKey.IsUnknown() {
		return nil, diag.Diagnostics{unknownRedaction(redactionKeyName).at(at)}
	}

	r, err := redact.New(rules, []byte(c.redactionKey.ValueString()))

	rule := (*redact.RuleError)(nil)

	switch {
	case errors.Is(err, redact.ErrKey):
		// The attribute is checked before; this is the environment's.
		return nil, diag.Diagnostics{keyProblem(redactionKeyEnv).at(at)}
	case errors.As(err, &rule):
		return nil, diag.Diagnostics{ruleProblem(err, stringValue(rule.Mode)).at(at.AtMapKey(rule.Field))}
	case err != nil:
		return nil, diag.Diagnostics{ruleProblem(err, types.StringNull()).at(at)}
	default:
		return r, nil
	}
}

// redactionKnown says that everything is known that redactor needs.
func (c *configured) redactionKnown(m types.Map) bool {
	return known(m) && (known(c.redactionKey) || !slices.Contains(slices.Collect(maps.Values(mapOf(m))), redact.Hash))
}

func unknownRedaction(name string) problem {
	return problem{
		summary: checkConfiguration,
		cause:   fmt.Sprintf("What is to be redacted is not known yet: %s depends on values that are known only after an apply.", name),
		next:    "Give it a value that is known when planning, such as a variable's.",
	}
}

// keyProblem says what a key must be and nothing of what it is.
func keyProblem(name string) problem {
	return problem{
		summary: configureProvider,
		cause:   fmt.Sprintf("The value of %s cannot be used: it is shorter than %d characters or holds a line break or another control character.", name, redact.MinKey),
		next:    "Give a random text, such as one made by: openssl rand -base64 32; a file read with file() often ends in a line break, which trimspace() removes.",
	}
}

// redactionKeyForm is no stringForm, since that shows the value it refuses.
type redactionKeyForm struct{}

// Description implements validator.Describer.
func (redactionKeyForm) Description(context.Context) string {
	return fmt.Sprintf("a random text of at least %d characters", redact.MinKey)
}

// MarkdownDescription implements validator.Describer.
func (v redactionKeyForm) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (redactionKeyForm) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if err := redact.CheckKey([]byte(req.ConfigValue.ValueString())); err != nil {
		// Not at its path: Terraform would show the line that the key is written in.
		resp.Diagnostics.Append(keyProblem(req.Path.String()).diagnostic())
	}
}
