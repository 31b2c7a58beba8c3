// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// answer is what the provider itself says, without Terraform around it: warnings
// as well, which Terraform's test framework does not show.
type answer struct {
	t     *testing.T
	state map[string]tftypes.Value
	diags []*tfprotov6.Diagnostic
}

// of lists the diagnostics of a severity: summary, attribute and detail.
func (a answer) of(severity tfprotov6.DiagnosticSeverity) []string {
	var all []string

	for _, d := range a.diags {
		if d.Severity == severity {
			at := ""
			if d.Attribute != nil {
				at = " (" + d.Attribute.String() + ")"
			}

			all = append(all, d.Summary+at+"\n"+d.Detail)
		}
	}

	return all
}

func (a answer) errors() []string   { return a.of(tfprotov6.DiagnosticSeverityError) }
func (a answer) warnings() []string { return a.of(tfprotov6.DiagnosticSeverityWarning) }

// fails wants one error at least that holds all of the texts.
func (a answer) fails(texts ...string) {
	a.t.Helper()
	a.holds(a.errors(), "error", texts)
}

// warns wants a result, and one warning at least that holds all of the texts.
func (a answer) warns(texts ...string) {
	a.t.Helper()

	if errs := a.errors(); len(errs) > 0 {
		a.t.Fatalf("failed:\n%s", strings.Join(errs, "\n\n"))
	}

	a.holds(a.warnings(), "warning", texts)
}

func (a answer) holds(diags []string, kind string, texts []string) {
	a.t.Helper()

	if !slices.ContainsFunc(diags, func(d string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(d, text) })
	}) {
		a.t.Errorf("no %s holds %q:\nerrors:\n%s\nwarnings:\n%s", kind, texts, strings.Join(a.errors(), "\n\n"),
			strings.Join(a.warnings(), "\n\n"))
	}
}

// quiet wants a result without any diagnostic.
func (a answer) quiet() {
	a.t.Helper()

	if all := append(a.errors(), a.warnings()...); len(all) > 0 {
		a.t.Errorf("it says:\n%s", strings.Join(all, "\n\n"))
	}
}

// at returns what lies at a path of attributes: "completeness.conclusive".
func (a answer) at(path string) any {
	a.t.Helper()

	if a.state == nil {
		a.t.Fatalf("there is no result:\n%s", strings.Join(a.errors(), "\n\n"))
	}

	values := a.state

	for steps := strings.Split(path, "."); ; steps = steps[1:] {
		v, ok := values[steps[0]]
		if !ok {
			a.t.Fatalf("there is no %s", path)
		}

		if len(steps) == 1 {
			return plain(a.t, v)
		}

		values = nil
		if err := v.As(&values); err != nil {
			a.t.Fatal(err)
		}
	}
}

// is wants a value at a path.
func (a answer) is(path string, want any) {
	a.t.Helper()

	if got := a.at(path); fmt.Sprint(got) != fmt.Sprint(want) {
		a.t.Errorf("%s is %v, want %v", path, got, want)
	}
}

// plain turns a value into Go's own.
func plain(t *testing.T, v tftypes.Value) any {
	t.Helper()

	if v.IsNull() {
		return nil
	}

	switch {
	case v.Type().Is(tftypes.String):
		var s string
		if err := v.As(&s); err != nil {
			t.Fatal(err)
		}

		return s
	case v.Type().Is(tftypes.Bool):
		var b bool
		if err := v.As(&b); err != nil {
			t.Fatal(err)
		}

		return b
	case v.Type().Is(tftypes.Number):
		return number(t, v)
	case v.Type().Is(tftypes.List{}):
		var list []tftypes.Value
		if err := v.As(&list); err != nil {
			t.Fatal(err)
		}

		all := make([]any, len(list))
		for i := range list {
			all[i] = plain(t, list[i])
		}

		return all
	default:
		var m map[string]tftypes.Value
		if err := v.As(&m); err != nil {
			t.Fatal(err)
		}

		all := map[string]any{}
		for key := range m {
			all[key] = plain(t, m[key])
		}

		return all
	}
}

func number(t *testing.T, v tftypes.Value) int64 {
	t.Helper()

	var f big.Float
	if err := v.As(&f); err != nil {
		t.Fatal(err)
	}

	n, _ := f.Int64()

	return n
}

// value makes a value of a type: what is not given is null.
func value(t *testing.T, kind tftypes.Type, v any) tftypes.Value {
	t.Helper()

	if v == nil {
		return tftypes.NewValue(kind, nil)
	}

	switch k := kind.(type) {
	case tftypes.Object:
		given, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v is no object", v)
		}

		all := map[string]tftypes.Value{}
		for name, inner := range k.AttributeTypes {
			all[name] = value(t, inner, given[name])
		}

		for name := range given {
			if _, ok := k.AttributeTypes[name]; !ok {
				t.Fatalf("there is no argument %s", name)
			}
		}

		return tftypes.NewValue(kind, all)
	case tftypes.Map:
		all := map[string]tftypes.Value{}
		for name, inner := range v.(map[string]any) {
			all[name] = value(t, k.ElementType, inner)
		}

		return tftypes.NewValue(kind, all)
	case tftypes.List:
		all := []tftypes.Value{}
		for _, inner := range v.([]any) {
			all = append(all, value(t, k.ElementType, inner))
		}

		return tftypes.NewValue(kind, all)
	default:
		return tftypes.NewValue(kind, v)
	}
}

func dynamic(t *testing.T, kind tftypes.Type, v any) *tfprotov6.DynamicValue {
	t.Helper()

	d, err := tfprotov6.NewDynamicValue(kind, value(t, kind, v))
	if err != nil {
		t.Fatal(err)
	}

	return &d
}

type args = map[string]any

// list makes a list of an argument.
func list(values ...any) []any { return values }

// settings are those of a provider that knows both fakes.
func (w *world) settings() args {
	return args{
		"upcloud":        args{"token": fakeapi.DefaultToken, "endpoint": w.upcloud},
		"cloudscale":     args{"token": fakeapi.DefaultToken, "endpoint": w.cloudscale},
		"retry_wait_min": "1ms", "retry_wait_max": "2ms",
	}
}

// configured is a provider that was configured, and its schemas.
type configured struct {
	t       *testing.T
	server  tfprotov6.ProviderServer
	schemas *tfprotov6.GetProviderSchemaResponse
}

func (w *world) provider(t *testing.T, settings args) configured {
	t.Helper()

	server, err := w.factories()["audit"]()
	if err != nil {
		t.Fatal(err)
	}

	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}

	done, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.11.4", Config: dynamic(t, schemas.Provider.ValueType(), settings),
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, d := range done.Diagnostics {
		t.Fatalf("%s: %s", d.Summary, d.Detail)
	}

	return configured{t: t, server: server, schemas: schemas}
}

// read validates and reads a data source.
func (c configured) read(name string, arguments args) answer {
	c.t.Helper()

	kind := c.schemas.DataSourceSchemas[name].ValueType()
	config := dynamic(c.t, kind, arguments)
	a := answer{t: c.t}

	checked, err := c.server.ValidateDataResourceConfig(c.t.Context(),
		&tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
	if err != nil {
		c.t.Fatal(err)
	}

	if a.diags = checked.Diagnostics; len(a.errors()) > 0 {
		return a
	}

	found, err := c.server.ReadDataSource(c.t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: name, Config: config})
	if err != nil {
		c.t.Fatal(err)
	}

	if a.diags = append(a.diags, found.Diagnostics...); len(a.errors()) > 0 {
		return a
	}

	state, err := found.State.Unmarshal(kind)
	if err != nil {
		c.t.Fatal(err)
	}

	if err := state.As(&a.state); err != nil {
		c.t.Fatal(err)
	}

	return a
}

// look reads a data source with a provider of its own.
func (w *world) look(t *testing.T, name string, arguments args) answer {
	t.Helper()

	return w.provider(t, w.settings()).read(name, arguments)
}

// apply plans and creates a resource.
func (c configured) apply(name string, arguments args) answer {
	c.t.Helper()

	kind := c.schemas.ResourceSchemas[name].ValueType()
	config, none := dynamic(c.t, kind, arguments), dynamic(c.t, kind, nil)
	a := answer{t: c.t}

	checked, err := c.server.ValidateResourceConfig(c.t.Context(),
		&tfprotov6.ValidateResourceConfigRequest{TypeName: name, Config: config})
	if err != nil {
		c.t.Fatal(err)
	}

	if a.diags = checked.Diagnostics; len(a.errors()) > 0 {
		return a
	}

	planned, err := c.server.PlanResourceChange(c.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: name, Config: config, PriorState: none, ProposedNewState: config,
	})
	if err != nil {
		c.t.Fatal(err)
	}

	if a.diags = append(a.diags, planned.Diagnostics...); len(a.errors()) > 0 {
		return a
	}

	applied, err := c.server.ApplyResourceChange(c.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: name, Config: config, PriorState: none, PlannedState: planned.PlannedState,
		PlannedPrivate: planned.PlannedPrivate,
	})
	if err != nil {
		c.t.Fatal(err)
	}

	if a.diags = append(a.diags, applied.Diagnostics...); len(a.errors()) > 0 {
		return a
	}

	state, err := applied.NewState.Unmarshal(kind)
	if err != nil {
		c.t.Fatal(err)
	}

	if err := state.As(&a.state); err != nil {
		c.t.Fatal(err)
	}

	return a
}
