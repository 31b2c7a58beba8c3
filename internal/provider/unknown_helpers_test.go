// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/witness/witnesstest"
)

// validValues are values that an argument may have by itself, by its path, else by
// its last name. Where rules depend on the value, there is one of each sort. An
// argument that can only be true or false needs none.
func validValues(w *world) map[string][]any {
	_, public := newSigningKey(w.t)
	private, _ := newSigningKey(w.t)
	witness := witnesstest.NewWitness(w.t, "witness.example")
	authority := witnesstest.NewAuthority(w.t, w.now)

	return map[string][]any{
		"service": {"upcloud", "cloudscale", "podstack", "archive"}, "destination": {w.file("archive")},
		"public_keys": {[]any{public}},
		"last":        {"24h", "30d"}, "start": {"2026-06-01T00:00:00Z", "2026-06-20T00:00:00Z"},
		"end":          {"2026-06-10T00:00:00Z"},
		"settle_delay": {"5m"},
		"actions":      {[]any{"create", "delete"}}, "operations": {[]any{"delete", "create"}, []any{"login"}},
		"resource_types": {[]any{"server"}},
		"resource_ids":   {[]any{"00c78863-4ac8-4b32-9b61-0d6a8a3b2d11"}}, "actors": {[]any{"mia", "ci"}},
		"origins":      {[]any{"api"}},
		"ip_addresses": {[]any{"192.0.2.1", "198.51.100.0/24"}}, "search": {"web"}, "where": {`entry.operation == "delete"`},

		"max_entries": {10}, "on_overflow": {"error", "keep_newest"}, "order": {"oldest_first", "newest_first"},
		"redact": {map[string]any{"actor": "drop"}, map[string]any{"ip_address": "mask"}},

		"builtin_rules": {[]any{"deletion", "mass_deletion"}, []any{}}, "baseline": {"14d"}, "max_findings": {10},
		"severity": {"high"}, "threshold": {3}, "within": {"10m", "20d"}, "group_by": {[]any{"actor", "resource_type"}},
		"message":        {"Look at it."},
		"expected.rules": {[]any{"deletion"}, []any{"r"}}, "expected.actors": {[]any{"ci-*", "mia"}},
		"resource_names": {[]any{"web-*"}},

		"expected_checkpoint": {"auditlogs.audit/upcloud/0123456789abcdef\n1\n" +
			base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"},
		"expected_origin":   {"auditlogs.audit/upcloud/0123456789abcdef"},
		"expected_sequence": {1}, "expected_head_sha256": {strings.Repeat("0", 64)},

		"path": {w.file("export")}, "format": {"ndjson", "parquet", "csv"}, "compression": {"none", "gzip"},
		"shape":   {"entry", "ocsf"},
		"columns": {[]any{"time", "actor"}}, "delimiter": {",", ";"}, "file_permission": {"0640"},
		"directory_permission": {"0750"},
		"on_missing":           {"recreate", "keep", "error"}, "on_changed": {"recreate", "keep", "error"},
		"triggers": {map[string]any{"a": "b"}},

		"audit_log_archive.service": {"upcloud", "cloudscale", "podstack"}, "audit_log_archive.format": {"ndjson", "parquet"},
		"audit_log_archive.start": {"30d", "2026-06-01T00:00:00Z"}, "overlap": {"10m"}, "signing_key": {private},
		"accept_gap_after":     {1},
		"previous_signing_key": {private}, "object_lock.mode": {"governance"}, "object_lock.days": {30},
		"witnesses.url": {witness.URL}, "witnesses.public_key": {witness.Public}, "witness_quorum": {1},
		"witness_keys":        {[]any{witness.Public}},
		"timestamp_authority": {authority.URL}, "timestamp_certificates": {authority.Certificates},

		"managed": {map[string]any{
			"upcloud_server.web": "00c78863-4ac8-4b32-9b61-0d6a8a3b2d11", "cloudscale_server.web": "web",
		}},
		"state_file": {w.stateFile()}, "as_of": {"2026-06-20T00:00:00Z"}, "auth_types": {[]any{"api"}},
		"runs": {[]any{"2026-06-01T00:00:00Z/2026-06-01T00:05:00Z"}},

		"token": {fakeapi.DefaultToken}, "username": {"mia"}, "password": {"secret"}, "endpoint": {w.upcloud},
		"retention":        {"90d"},
		"podstack.exports": {[]any{w.file("*.csv"), w.file("*.txt")}}, "podstack.columns": {map[string]any{"time": "When"}},
		"podstack.ignored_columns": {[]any{"Comment"}},
		"request_timeout":          {"30s"}, "max_retries": {1}, "retry_wait_min": {"1ms", "40s"}, "retry_wait_max": {"2ms"},
		"max_concurrency": {2}, "strategy": {"auto", "pages", "stream"},
		"redaction_key": {"0123456789abcdef0123"}, "max_clock_skew": {"1m"}, "account": {"production"},

		"read": {"5m"}, "open": {"5m"}, "create": {"5m"}, "update": {"5m"}, "delete": {"5m"},
	}
}

// stateFile is a state that holds resources of every cloud.
func (w *world) stateFile() string {
	w.t.Helper()

	path := filepath.Join(w.t.TempDir(), "state.json")
	text := `{"format_version":"1.0","values":{"root_module":{"resources":[
		{"address":"upcloud_server.a","mode":"managed","type":"upcloud_server","values":{"id":"1"}},
		{"address":"podstack_pod.a","mode":"managed","type":"podstack_pod","values":{"id":"1"}},
		{"address":"cloudscale_server.a","mode":"managed","type":"cloudscale_server","values":{"name":"a"}}]}}}`

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}

	return path
}

// typeUnderTest is one type of the provider and what Terraform does with its
// configurations through the protocol.
type typeUnderTest struct {
	name       string
	attributes []*tfprotov6.SchemaAttribute
	object     tftypes.Object
	validate   func(config *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic
	// use is what follows once every value is known, by the name of the step.
	use map[string]func(config tftypes.Value) []*tfprotov6.Diagnostic
}

// argument is one that a configuration may set, also within another.
type argument struct {
	path     string // without the keys of lists and maps
	required bool
	states   []state
}

// state is what an argument may be.
type state struct {
	name  string
	value any // tftypes.Value, or present
	// becomes lists the states that one that is not known yet may turn out to be.
	becomes []int
}

// present stands for an object that is there, with as little in it as may be.
type present struct{}

func newType(t *testing.T, name string, s *tfprotov6.Schema) *typeUnderTest {
	t.Helper()

	object, ok := s.ValueType().(tftypes.Object)
	if !ok || len(s.Block.BlockTypes) > 0 {
		t.Fatalf("%s has blocks, which this test does not know", name)
	}

	return &typeUnderTest{
		name: name, attributes: s.Block.Attributes, object: object,
		use: map[string]func(tftypes.Value) []*tfprotov6.Diagnostic{},
	}
}

// arguments lists every argument with the states that it may be in.
func (u *typeUnderTest) arguments(t *testing.T, values map[string][]any) []argument {
	t.Helper()

	return u.argumentsIn(t, u.attributes, "", values)
}

func (u *typeUnderTest) argumentsIn(
	t *testing.T, attributes []*tfprotov6.SchemaAttribute, prefix string, values map[string][]any,
) []argument {
	t.Helper()

	var all []argument

	for _, a := range attributes {
		if !a.Optional && !a.Required {
			continue
		}

		arg := argument{path: prefix + a.Name, required: a.Required || prefix+a.Name == "rules.where" ||
			prefix == "witnesses." || prefix+a.Name == "managed"}

		if a.NestedType != nil {
			arg.states = states(a.ValueType(), a.Required, []any{present{}})
			all = append(all, arg)
			all = append(all, u.argumentsIn(t, a.NestedType.Attributes, arg.path+".", values)...)

			continue
		}

		arg.states = states(a.Type, arg.required, u.valuesOf(t, arg.path, a.Type, values))
		all = append(all, arg)
	}

	return all
}

func (u *typeUnderTest) valuesOf(t *testing.T, path string, kind tftypes.Type, values map[string][]any) []any {
	t.Helper()

	if kind.Is(tftypes.Bool) {
		return []any{tftypes.NewValue(kind, true), tftypes.NewValue(kind, false)}
	}

	for _, name := range []string{u.name + "." + path, path, path[strings.LastIndex(path, ".")+1:]} {
		if list, ok := values[name]; ok {
			known := make([]any, 0, len(list))
			for _, v := range list {
				known = append(known, valueOf(kind, v))
			}

			return known
		}
	}

	t.Errorf("no value is known that the argument %s of %s may have: add one to validValues", path, u.name)

	return nil
}

// valueOf makes a value of a type from Go's text, number, list or map.
func valueOf(kind tftypes.Type, v any) tftypes.Value {
	switch v := v.(type) {
	case []any:
		list, _ := kind.(tftypes.List)
		elements := make([]tftypes.Value, 0, len(v))

		for _, e := range v {
			elements = append(elements, valueOf(list.ElementType, e))
		}

		return tftypes.NewValue(kind, elements)
	case map[string]any:
		m, _ := kind.(tftypes.Map)
		elements := map[string]tftypes.Value{}

		for key, e := range v {
			elements[key] = valueOf(m.ElementType, e)
		}

		return tftypes.NewValue(kind, elements)
	default:
		return tftypes.NewValue(kind, v)
	}
}

// states are null, unknown, each value, and each collection with an element that is
// not known yet.
func states(kind tftypes.Type, required bool, values []any) []state {
	var all []state

	if !required {
		all = append(all, state{name: "null", value: tftypes.NewValue(kind, nil)})
	}

	for _, v := range values {
		all = append(all, state{name: "known", value: v})
	}

	anyOfThem := []int{}
	for i := range all {
		anyOfThem = append(anyOfThem, i)
	}

	all = append(all, state{name: "unknown", value: tftypes.NewValue(kind, tftypes.UnknownValue), becomes: anyOfThem})

	for i, v := range all {
		if partly, ok := partlyUnknown(kind, v.value); ok && v.name == "known" {
			all = append(all, state{name: "partly unknown", value: partly, becomes: []int{i}})
		}
	}

	return all
}

// partlyUnknown returns the value with its first element unknown.
func partlyUnknown(kind tftypes.Type, value any) (tftypes.Value, bool) {
	var (
		list   []tftypes.Value
		object map[string]tftypes.Value
	)

	known, _ := value.(tftypes.Value)

	switch kind := kind.(type) {
	case tftypes.List:
		if value == (present{}) {
			list = []tftypes.Value{{}}
		} else if known.As(&list) != nil || len(list) == 0 {
			return known, false
		}

		list = slices.Clone(list)
		list[0] = tftypes.NewValue(kind.ElementType, tftypes.UnknownValue)

		return tftypes.NewValue(kind, list), true
	case tftypes.Map:
		if value == (present{}) {
			object = map[string]tftypes.Value{elementKey: {}}
		} else if known.As(&object) != nil || len(object) == 0 {
			return known, false
		}

		object = maps.Clone(object)
		object[slices.Sorted(maps.Keys(object))[0]] = tftypes.NewValue(kind.ElementType, tftypes.UnknownValue)

		return tftypes.NewValue(kind, object), true
	default:
		return known, false
	}
}

// elementKey is the key of the one element that maps of objects have here.
const elementKey = "r"

// configure makes a configuration of the states that arguments are set to, by path.
// What is required and not set gets its first value.
func configure(
	attributes []*tfprotov6.SchemaAttribute, kind tftypes.Object, prefix string, set, defaults map[string]any,
) tftypes.Value {
	values := map[string]tftypes.Value{}

	for _, a := range attributes {
		path := prefix + a.Name
		value, isSet := set[path]

		if !isSet {
			value, isSet = defaults[path]
		}

		inside := false
		for other := range set {
			inside = inside || strings.HasPrefix(other, path+".")
		}

		switch known, ok := value.(tftypes.Value); {
		case isSet && ok:
			values[a.Name] = known
		case a.NestedType != nil && (isSet || inside):
			values[a.Name] = nested(a, path, set, defaults)
		default:
			values[a.Name] = tftypes.NewValue(kind.AttributeTypes[a.Name], nil)
		}
	}

	return tftypes.NewValue(kind, values)
}

// nested makes the one object of a nested attribute.
func nested(a *tfprotov6.SchemaAttribute, path string, set, defaults map[string]any) tftypes.Value {
	switch kind := a.ValueType().(type) {
	case tftypes.List:
		element, _ := kind.ElementType.(tftypes.Object)

		return tftypes.NewValue(kind, []tftypes.Value{configure(a.NestedType.Attributes, element, path+".", set, defaults)})
	case tftypes.Map:
		element, _ := kind.ElementType.(tftypes.Object)

		return tftypes.NewValue(kind,
			map[string]tftypes.Value{elementKey: configure(a.NestedType.Attributes, element, path+".", set, defaults)})
	default:
		element, _ := kind.(tftypes.Object)

		return configure(a.NestedType.Attributes, element, path+".", set, defaults)
	}
}

// planned is what Terraform proposes for a configuration: results are not known,
// and what may only be written is not part of it.
func (u *typeUnderTest) planned(configured tftypes.Value) tftypes.Value {
	values := map[string]tftypes.Value{}
	if err := configured.As(&values); err != nil {
		panic(err) // It was made of an object.
	}

	values = maps.Clone(values)

	for _, a := range u.attributes {
		kind := u.object.AttributeTypes[a.Name]

		switch {
		case a.WriteOnly:
			values[a.Name] = tftypes.NewValue(kind, nil)
		case a.Computed && values[a.Name].IsNull():
			values[a.Name] = tftypes.NewValue(kind, tftypes.UnknownValue)
		}
	}

	return tftypes.NewValue(u.object, values)
}

func (u *typeUnderTest) dynamic(v tftypes.Value) *tfprotov6.DynamicValue {
	d, err := tfprotov6.NewDynamicValue(u.object, v)
	if err != nil {
		panic(err) // It was made for the type.
	}

	return &d
}

// errorsOf returns the texts of the errors among diagnostics.
func errorsOf(all []*tfprotov6.Diagnostic) []string {
	var texts []string

	for _, d := range all {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			texts = append(texts, d.Summary+": "+d.Detail+" "+d.Attribute.String())
		}
	}

	return texts
}

// typesUnderTest are all types of the provider, which knows the world's fakes.
func typesUnderTest(t *testing.T, w *world) []*typeUnderTest {
	t.Helper()

	server := func() tfprotov6.ProviderServer {
		s, err := w.factories()["audit"]()
		if err != nil {
			t.Fatal(err)
		}

		return s
	}

	// The context outlives the test's own while parallel subtests run.
	ctx, s := t.Context(), server()

	must := func(err error, all []*tfprotov6.Diagnostic) []*tfprotov6.Diagnostic {
		if err != nil {
			t.Error(err)
		}

		return all
	}

	schemas, err := s.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}

	of := newType(t, "provider", schemas.Provider)
	of.validate = func(c *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
		resp, err := s.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: c})

		return must(err, resp.Diagnostics)
	}
	use := func(s tfprotov6.ProviderServer, c tftypes.Value) []*tfprotov6.Diagnostic {
		resp, err := s.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{Config: of.dynamic(c)})

		return must(err, resp.Diagnostics)
	}
	of.use["configure"] = func(c tftypes.Value) []*tfprotov6.Diagnostic { return use(server(), c) }

	all := []*typeUnderTest{of}

	text := func(s string) tftypes.Value { return tftypes.NewValue(tftypes.String, s) }
	if found := errorsOf(use(s, configure(of.attributes, of.object, "", map[string]any{
		"upcloud.token": text(fakeapi.DefaultToken), "upcloud.endpoint": text(w.upcloud),
		"cloudscale.token": text(fakeapi.DefaultToken), "cloudscale.endpoint": text(w.cloudscale),
	}, nil))); found != nil {
		t.Fatal(found)
	}

	for _, name := range slices.Sorted(maps.Keys(schemas.DataSourceSchemas)) {
		u := newType(t, name, schemas.DataSourceSchemas[name])
		u.validate = func(c *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
			resp, err := s.ValidateDataResourceConfig(ctx,
				&tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: c})

			return must(err, resp.Diagnostics)
		}
		u.use["read"] = func(c tftypes.Value) []*tfprotov6.Diagnostic {
			resp, err := s.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: name, Config: u.dynamic(c)})

			return must(err, resp.Diagnostics)
		}
		all = append(all, u)
	}

	for _, name := range slices.Sorted(maps.Keys(schemas.EphemeralResourceSchemas)) {
		u := newType(t, "ephemeral "+name, schemas.EphemeralResourceSchemas[name])
		u.validate = func(c *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
			resp, err := s.ValidateEphemeralResourceConfig(ctx,
				&tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: name, Config: c})

			return must(err, resp.Diagnostics)
		}
		u.use["open"] = func(c tftypes.Value) []*tfprotov6.Diagnostic {
			resp, err := s.OpenEphemeralResource(ctx,
				&tfprotov6.OpenEphemeralResourceRequest{TypeName: name, Config: u.dynamic(c)})

			return must(err, resp.Diagnostics)
		}
		all = append(all, u)
	}

	for _, name := range slices.Sorted(maps.Keys(schemas.ResourceSchemas)) {
		u := newType(t, name, schemas.ResourceSchemas[name])
		none := tftypes.NewValue(u.object, nil)
		// A resource that exists, as far as updating it is concerned.
		before := u.planned(configure(u.attributes, u.object, "", nil,
			map[string]any{"path": text(w.file("export")), "format": text("csv"), "destination": text(w.file("archive"))}))
		before = settled(before)

		u.validate = func(c *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
			resp, err := s.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{
				TypeName: name, Config: c,
				ClientCapabilities: &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true},
			})

			return must(err, resp.Diagnostics)
		}

		for step, prior := range map[string]tftypes.Value{"creation": none, "update": before} {
			u.use["plan of "+step] = func(c tftypes.Value) []*tfprotov6.Diagnostic {
				resp, err := s.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
					TypeName: name, Config: u.dynamic(c), PriorState: u.dynamic(prior), ProposedNewState: u.dynamic(u.planned(c)),
				})

				return must(err, resp.Diagnostics)
			}
			u.use[step] = func(c tftypes.Value) []*tfprotov6.Diagnostic {
				resp, err := s.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
					TypeName: name, Config: u.dynamic(c), PriorState: u.dynamic(prior), PlannedState: u.dynamic(u.planned(c)),
				})

				return must(err, resp.Diagnostics)
			}
		}

		all = append(all, u)
	}

	return all
}

// settled returns the value with null for all that is unknown.
func settled(v tftypes.Value) tftypes.Value {
	known, err := tftypes.Transform(v, func(_ *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		if !v.IsKnown() {
			return tftypes.NewValue(v.Type(), nil), nil
		}

		return v, nil
	})
	if err != nil {
		panic(err) // Nothing of it can fail.
	}

	return known
}

// filesBelow lists the files in a directory and below.
func (w *world) filesBelow() []string {
	w.t.Helper()

	matches := []string{}

	for _, pattern := range []string{"*", "*/*", "*/*/*"} {
		found, err := filepath.Glob(w.file(pattern))
		if err != nil {
			w.t.Fatal(err)
		}

		matches = append(matches, found...)
	}

	return matches
}

// within says that one of two arguments holds the other.
func within(a, b string) bool { return strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".") }
