// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

func TestKnown(t *testing.T) {
	t.Parallel()

	text, unknown := types.StringType, types.StringUnknown()
	object := map[string]attr.Type{"a": text}

	for name, tt := range map[string]struct {
		value        attr.Value
		known, given bool
	}{
		"nothing set":       {types.List{}, true, false},
		"null":              {types.StringNull(), true, false},
		"empty":             {types.StringValue(""), true, true},
		"empty list":        {types.ListValueMust(text, nil), true, true},
		"unknown":           {unknown, false, false},
		"unknown number":    {types.Int64Unknown(), false, false},
		"unknown list":      {types.ListUnknown(text), false, false},
		"unknown object":    {types.ObjectUnknown(object), false, false},
		"unknown element":   {types.ListValueMust(text, []attr.Value{types.StringValue("a"), unknown}), false, false},
		"unknown in a map":  {types.MapValueMust(text, map[string]attr.Value{"a": unknown}), false, false},
		"unknown attribute": {types.ListValueMust(types.ObjectType{AttrTypes: object}, []attr.Value{types.ObjectValueMust(object, map[string]attr.Value{"a": unknown})}), false, false},
		"null attribute":    {types.ObjectValueMust(object, map[string]attr.Value{"a": types.StringNull()}), true, true},
	} {
		if known(tt.value) != tt.known || given(tt.value) != tt.given {
			t.Errorf("%s: known is %t, given is %t", name, known(tt.value), given(tt.value))
		}
	}

	if known(types.StringValue("a"), unknown) {
		t.Error("one of two is not known")
	}
}

// A collection of which only a part is known has no values yet: an empty text in the
// place of what is not known would be a filter or a header that nobody wrote.
func TestPartlyUnknownCollectionsHaveNoValues(t *testing.T) {
	t.Parallel()

	list := types.ListValueMust(types.StringType, []attr.Value{types.StringValue("a"), types.StringUnknown()})
	if values := stringsOf[string](list); len(values) > 0 {
		t.Errorf("%q", values)
	}

	if values := mapOf(types.MapValueMust(types.StringType,
		map[string]attr.Value{"a": types.StringValue("b"), "c": types.StringUnknown()})); len(values) > 0 {
		t.Errorf("%q", values)
	}
}

// TestPathOf: an error that comes back from validation stays on its argument.
func TestPathOf(t *testing.T) {
	t.Parallel()

	got := pathOf(tftypes.NewAttributePath().WithAttributeName("rules").WithElementKeyString("x").WithAttributeName(
		"group_by",
	).WithElementKeyInt(1))
	if want := path.Root("rules").AtMapKey("x").AtName("group_by").AtListIndex(1); !got.Equal(want) {
		t.Error(got)
	}
}

// TestUndecidedProvider: an unknown value in the provider's configuration is taken
// neither for one that is given nor for one that is not, whatever the environment
// holds; and it is an error only for what is read before it is known.
func TestUndecidedProvider(t *testing.T) {
	t.Parallel()

	unknown, text := types.StringUnknown(), types.StringValue("x")
	kinds := map[string]attr.Type{
		"token": types.StringType, "username": types.StringType, "password": types.StringType,
		"endpoint": types.StringType, "retention": types.StringType,
	}

	// More arguments may come.
	if object, ok := providerSchema().Attributes["upcloud"].GetType().(types.ObjectType); ok {
		kinds = object.AttrTypes
	}

	block := func(set map[string]attr.Value) types.Object {
		values := map[string]attr.Value{}
		for name, kind := range kinds {
			values[name] = types.StringNull()
			if kind != types.StringType {
				t.Fatalf("%s is a %s", name, kind)
			}

			if v, ok := set[name]; ok {
				values[name] = v
			}
		}

		return types.ObjectValueMust(kinds, values)
	}

	none := types.ObjectNull(map[string]attr.Type{})
	cloudscale := types.ObjectNull(map[string]attr.Type{})

	for name, tt := range map[string]struct {
		upcloud types.Object
		env     string
		more    func(*providerModel)
		service types.String
		want    string // what stands in the way; empty for nothing
		decided bool
	}{
		"unknown token": {upcloud: block(map[string]attr.Value{"token": unknown}), want: "known only after an apply"},
		"unknown token and a login": {
			upcloud: block(map[string]attr.Value{"token": unknown, "username": text, "password": text}),
			want:    "known only after an apply",
		},
		"unknown token beside the environment": {
			upcloud: block(map[string]attr.Value{"token": unknown}),
			env:     "UPCLOUD_USERNAME UPCLOUD_PASSWORD", want: "known only after an apply",
		},
		"unknown user beside a token in the environment": {
			upcloud: block(map[string]attr.Value{"username": unknown}),
			env:     "UPCLOUD_TOKEN", want: "known only after an apply",
		},
		"unknown user without a password": {
			upcloud: block(map[string]attr.Value{"username": unknown}),
			want:    "known only after an apply",
		},
		"unknown endpoint without credentials": {
			upcloud: block(map[string]attr.Value{"endpoint": unknown}),
			want:    "known only after an apply",
		},
		"unknown block": {upcloud: types.ObjectUnknown(kinds), want: "known only after an apply"},
		"unknown block beside the environment": {
			upcloud: types.ObjectUnknown(kinds), env: "UPCLOUD_TOKEN",
			want: "known only after an apply",
		},
		"unknown block beside another service": {
			upcloud: types.ObjectUnknown(kinds), env: "CLOUDSCALE_API_TOKEN",
			want: "known only after an apply",
		},
		"another service named": {
			upcloud: types.ObjectUnknown(kinds), env: "CLOUDSCALE_API_TOKEN",
			service: types.StringValue(auditlog.ServiceCloudscale),
		},
		"unknown token beside another service": {
			upcloud: block(map[string]attr.Value{"token": unknown}),
			env:     "CLOUDSCALE_API_TOKEN", want: "More than one service is configured", decided: true,
		},
		"unknown setting": {
			upcloud: none, env: "UPCLOUD_TOKEN",
			more: func(m *providerModel) { m.RequestTimeout = unknown }, want: "known only after an apply",
		},
		"unknown setting and no service":                {upcloud: none, more: func(m *providerModel) { m.MaxRetries = types.Int64Unknown() }, want: "No service is configured", decided: true},
		"unknown block and a service that is not there": {upcloud: types.ObjectUnknown(kinds), service: types.StringValue(auditlog.ServiceCloudscale), want: "cloudscale is not configured", decided: true},
		"all known": {upcloud: block(map[string]attr.Value{"token": text})},
		"two kinds of credentials known by the environment": {
			upcloud: none,
			env:     "UPCLOUD_TOKEN UPCLOUD_USERNAME UPCLOUD_PASSWORD", want: "belong to different accounts", decided: true,
		},
	} {
		m := providerModel{UpCloud: tt.upcloud, Cloudscale: cloudscale, PodStack: none}
		if tt.more != nil {
			tt.more(&m)
		}

		c, diags := m.configure(t.Context(), Options{LookupEnv: func(name string) (string, bool) {
			return "set", strings.Contains(" "+tt.env+" ", " "+name+" ")
		}})
		if diags.HasError() {
			t.Errorf("%s: %v", name, diags)
		}

		s, picked, undecided := c.Service(task.LookUpLogs, tt.service.ValueString())

		switch {
		case tt.want == "" && (s == nil || picked != nil):
			t.Errorf("%s: %v", name, picked)
		case tt.want != "" && (s != nil || picked == nil || !strings.Contains(picked[0].Detail(), tt.want)):
			t.Errorf("%s: %v, %v", name, s, picked)
		case undecided != (tt.want != "" && !tt.decided):
			t.Errorf("%s: undecided is %t", name, undecided)
		}
	}
}

// TestRedactionKnown: a key that is not known matters only to what is hashed.
func TestRedactionKnown(t *testing.T) {
	t.Parallel()

	c := keyed(types.StringUnknown())
	rules := func(mode attr.Value) types.Map {
		return types.MapValueMust(types.StringType, map[string]attr.Value{"actor": mode})
	}

	for name, tt := range map[string]struct {
		rules types.Map
		want  bool
	}{
		"none": {types.MapNull(types.StringType), true}, "drop": {rules(types.StringValue(redact.Drop)), true},
		"hash": {rules(types.StringValue(redact.Hash)), false}, "unknown": {rules(types.StringUnknown()), false},
	} {
		if got := c.redactionKnown(tt.rules); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestEveryCloudHasABlock in the schema, which may not be known yet.
func TestEveryCloudHasABlock(t *testing.T) {
	t.Parallel()

	blocks, attributes := (&providerModel{}).blocks(), providerSchema().Attributes

	for _, name := range auditlog.Clouds() {
		if _, ok := blocks[name]; !ok {
			t.Errorf("%s: nobody notices that its block is not known", name)
		}

		if _, ok := attributes[name]; !ok {
			t.Errorf("%s: the schema has no block", name)
		}
	}
}
