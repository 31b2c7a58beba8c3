// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// product is the provider as Terraform talks to it, with both clouds behind it.
type product struct {
	server tfprotov6.ProviderServer
	types  map[string]tftypes.Type
	close  func()
}

// answer is what the provider said: a state, or errors.
type answer struct {
	state  map[string]any
	errors []string
}

// serve starts fakes that hold the history, and a provider that is configured for
// them.
func serve(t *testing.T, h history, o fakeapi.Options) *product {
	t.Helper()

	now := o.Now
	o.NoExamples, o.Clock = true, func() time.Time { return now }

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	var lines strings.Builder

	for _, service := range []string{upcloud, cloudscale} {
		for _, line := range h[service] {
			fmt.Fprintf(&lines, "{\"service\":%q,\"record\":%s}\n", service, line)
		}
	}

	if err := fake.Load(strings.NewReader(lines.String())); err != nil {
		t.Fatal(err)
	}

	// The clouds' clocks show what the provider's shows.
	timed := func(api http.Handler) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
			api.ServeHTTP(w, r)
		}))
	}

	first, second := timed(fake.UpCloud()), timed(fake.Cloudscale())
	p := &product{types: map[string]tftypes.Type{}, close: func() { first.Close(); second.Close() }}

	p.server = provider.NewServer(provider.Options{
		Version: "test", Clock: o.Clock, LookupEnv: func(string) (string, bool) { return "", false },
	})()

	schemas, err := p.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}

	for name, s := range schemas.DataSourceSchemas {
		p.types[name] = s.ValueType()
	}

	access := func(endpoint string) map[string]any {
		return map[string]any{"token": fakeapi.DefaultToken, "endpoint": endpoint}
	}
	config := p.config(t, schemas.Provider.ValueType(), map[string]any{
		"upcloud": access(first.URL), "cloudscale": access(second.URL), "retry_wait_min": "1ms", "retry_wait_max": "2ms",
	})

	configured, err := p.server.ConfigureProvider(t.Context(),
		&tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.11.4", Config: config})
	if err != nil || len(configured.Diagnostics) > 0 {
		t.Fatal(err, configured)
	}

	return p
}

// config is what Terraform makes of arguments.
func (p *product) config(t *testing.T, typ tftypes.Type, args map[string]any) *tfprotov6.DynamicValue {
	t.Helper()

	v, err := tfprotov6.NewDynamicValue(typ, valueOf(typ, args))
	if err != nil {
		t.Fatal(err)
	}

	return &v
}

// read asks a data source, as Terraform does: it validates first.
func (p *product) read(t *testing.T, typeName string, args map[string]any) answer {
	t.Helper()

	typ := p.types[typeName]
	config := p.config(t, typ, args)

	validated, err := p.server.ValidateDataResourceConfig(t.Context(),
		&tfprotov6.ValidateDataResourceConfigRequest{TypeName: typeName, Config: config})
	if err != nil {
		t.Fatal(err)
	}

	if errs := errorsOf(validated.Diagnostics); len(errs) > 0 {
		return answer{errors: errs}
	}

	read, err := p.server.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: typeName, Config: config})
	if err != nil {
		t.Fatal(err)
	}

	if errs := errorsOf(read.Diagnostics); len(errs) > 0 {
		return answer{errors: errs}
	}

	state, err := read.State.Unmarshal(typ)
	if err != nil {
		t.Fatal(err)
	}

	object, ok := goOf(state).(map[string]any)
	if !ok {
		t.Fatal("the state is no object")
	}

	return answer{state: object}
}

func errorsOf(diags []*tfprotov6.Diagnostic) []string {
	var all []string

	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			all = append(all, d.Summary+": "+d.Detail)
		}
	}

	return all
}

// valueOf makes a value of Terraform's; what is not given is null.
func valueOf(typ tftypes.Type, v any) tftypes.Value {
	if v == nil {
		return tftypes.NewValue(typ, nil)
	}

	var list []any

	switch x := v.(type) {
	case string:
		return tftypes.NewValue(typ, terraform(x))
	case int:
		return tftypes.NewValue(typ, big.NewFloat(float64(x)))
	case bool:
		return tftypes.NewValue(typ, x)
	case map[string]any:
		values := map[string]tftypes.Value{}

		switch t := typ.(type) {
		case tftypes.Object:
			for key := range t.AttributeTypes {
				values[key] = valueOf(t.AttributeTypes[key], x[key])
			}

			for key := range x {
				if t.AttributeTypes[key] == nil {
					panic("no attribute " + key)
				}
			}
		case tftypes.Map:
			for key := range x {
				values[key] = valueOf(t.ElementType, x[key])
			}
		}

		return tftypes.NewValue(typ, values)
	case []string:
		for _, s := range x {
			list = append(list, s)
		}
	case []any:
		list = x
	default:
		panic(fmt.Sprintf("no value: %T", v))
	}

	values := []tftypes.Value{}
	for _, element := range list {
		values = append(values, valueOf(typ.(tftypes.List).ElementType, element))
	}

	return tftypes.NewValue(typ, values)
}

// goOf is a value of Terraform's in Go: nil, string, int64, bool, []any or
// map[string]any. As in Terraform every string is in NFC, and of keys that are
// alike then the last one wins.
func goOf(v tftypes.Value) any {
	if v.IsNull() {
		return nil
	}

	switch typ := v.Type(); {
	case typ.Is(tftypes.String):
		var s string

		must(v.As(&s))

		return terraform(s)
	case typ.Is(tftypes.Number):
		var f big.Float

		must(v.As(&f))

		n, _ := f.Int64()

		return n
	case typ.Is(tftypes.Bool):
		var b bool

		must(v.As(&b))

		return b
	case typ.Is(tftypes.List{}):
		var list []tftypes.Value

		must(v.As(&list))

		all := make([]any, len(list))
		for i := range list {
			all[i] = goOf(list[i])
		}

		return all
	default:
		values := map[string]tftypes.Value{}

		must(v.As(&values))

		all := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			all[terraform(key)] = goOf(values[key])
		}

		return all
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
