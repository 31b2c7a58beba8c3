// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// TestRedactIsOneArgument: data sources and resources have attribute types of
// their own for the same argument.
func TestRedactIsOneArgument(t *testing.T) {
	t.Parallel()

	d := redactAttribute()

	r, ok := exportSchema(t.Context()).Attributes[redactName].(schema.MapAttribute)
	if !ok || d.MarkdownDescription != r.MarkdownDescription || !d.ElementType.Equal(r.ElementType) ||
		d.Optional != r.Optional || len(d.Validators) != len(r.Validators) {
		t.Errorf("%+v\n%+v", d, r)
	}
}

// TestRedactorFailsClosed: where it is not known what is to be redacted, nothing
// may be let through.
func TestRedactorFailsClosed(t *testing.T) {
	t.Parallel()

	rules := func(mode attr.Value) types.Map {
		return types.MapValueMust(types.StringType, map[string]attr.Value{"actor": mode})
	}
	hash, unknown := types.StringValue(redact.Hash), types.StringUnknown()

	for name, test := range map[string]struct {
		rules types.Map
		key   types.String
		want  string
	}{
		"unknown map":  {types.MapUnknown(types.StringType), types.StringNull(), "What is to be redacted is not known yet: redact depends on values that are known only after an apply."},
		"unknown mode": {rules(unknown), types.StringNull(), "What is to be redacted is not known yet: redact depends on values that are known only after an apply."},
		"unknown key":  {rules(hash), types.StringUnknown(), "What is to be redacted is not known yet: redaction_key depends on values that are known only after an apply."},
		"no key":       {rules(hash), types.StringNull(), "Hashing needs a key, without which pseudonyms could be guessed."},
		"bad rule":     {rules(types.StringValue("x")), types.StringNull(), `There is no such way to redact a field.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r, diags := keyed(test.key).redactor(test.rules)
			if r != nil || len(diags) != 1 || len(diags[0].Detail()) < len(test.want) ||
				diags[0].Detail()[:len(test.want)] != test.want {
				t.Errorf("got %v", diags)
			}
		})
	}

	for name, none := range map[string]types.Map{
		"null":  types.MapNull(types.StringType),
		"empty": types.MapValueMust(types.StringType, map[string]attr.Value{}),
		"kept":  rules(types.StringValue(redact.Keep)),
	} {
		if r, diags := keyed(types.StringUnknown()).redactor(none); r.Active() || diags.HasError() {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

// keyed is a configuration of a redaction_key.
func keyed(key types.String) *configured {
	none := types.ObjectNull(map[string]attr.Type{})
	m := providerModel{UpCloud: none, Cloudscale: none, PodStack: none, RedactionKey: key}
	c, _ := m.configure(context.Background(), Options{LookupEnv: func(string) (string, bool) { return "", false }})

	return c
}
