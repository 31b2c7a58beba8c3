// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// withoutRows is what the framework makes of a look-up before its rows are put.
func withoutRows(tb testing.TB) tfsdk.State {
	tb.Helper()

	s := auditLogsSchema(tb.Context())
	state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(tb.Context()), nil)}
	m := auditLogsModel{lookUpModel: lookUpModel{queryModel: emptyQuery()}}
	m.Timeouts.Object = types.ObjectNull(map[string]attr.Type{"read": types.StringType})

	// Maps of one key, since the framework writes their keys in any order.
	m.set(&task.Found{ByAction: map[string]int64{"zürich": 1 << 40}, ByActor: map[string]int64{"": 7}})

	if diags := state.Set(tb.Context(), &m); diags.HasError() {
		tb.Fatal(diags)
	}

	return state
}

// putRows puts rows into a result as the server does.
func putRows(tb rapid.TB, result tftypes.Value, entries []auditlog.Entry, includeRaw bool) *tfprotov6.DynamicValue {
	tb.Helper()

	wire, err := tfprotov6.NewDynamicValue(result.Type(), result)
	if err != nil {
		tb.Fatal(err)
	}

	ctx, rows := awaitRows(context.Background())
	if diags := leaveRows(ctx, &task.Found{Entries: entries}, includeRaw); diags.HasError() {
		tb.Fatal(diags)
	}

	var diags []*tfprotov6.Diagnostic

	got := &wire
	if rows.put(&got, &diags); len(diags) > 0 {
		tb.Fatal(diags[0].Detail)
	}

	return got
}

// someText is of any script, empty, long, with characters that a terminal or JSON minds, or no UTF-8 at all.
func someText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{
			"\x00\"\\\u2028", "a\xffb", "\xed\xa0\x80", "e\u0301", strings.Repeat("x", 31), strings.Repeat("x", 32),
			strings.Repeat("ü", 150), strings.Repeat("y", 255), strings.Repeat("z", 70_000),
		}),
	)
}

// someEntry has a text in every field that holds one.
func someEntry(rt *rapid.T) auditlog.Entry {
	var e auditlog.Entry

	for field, value := range reflect.ValueOf(&e).Elem().Fields() {
		if value.Kind() == reflect.String {
			value.SetString(someText().Draw(rt, field.Name))
		}
	}

	e.Time = time.UnixMicro(rapid.Int64Range(0, 1<<51).Draw(rt, "time")).UTC()
	e.Raw = []byte(someText().Draw(rt, "raw"))

	for range rapid.IntRange(0, 20).Draw(rt, "changes") {
		e.Changes = append(e.Changes, auditlog.Change{
			Field:  someText().Draw(rt, "field"),
			Before: rapid.Ptr(someText(), true).Draw(rt, "before"), After: rapid.Ptr(someText(), true).Draw(rt, "after"),
		})
	}

	return e
}

// TestRowsAreWhatTheFrameworkWouldSend: byte by byte, whatever the rows hold and how many they are.
func TestRowsAreWhatTheFrameworkWouldSend(t *testing.T) {
	t.Parallel()

	base := withoutRows(t).Raw

	rapid.Check(t, func(rt *rapid.T) {
		entries := []auditlog.Entry{}
		for range rapid.IntRange(0, 20).Draw(rt, "rows") {
			entries = append(entries, someEntry(rt))
		}

		includeRaw := rapid.Bool().Draw(rt, "raw")
		want := theFrameworks(rt, base, entries, includeRaw)

		if got := putRows(rt, base, entries, includeRaw); !bytes.Equal(got.MsgPack, want.MsgPack) || got.JSON != nil {
			rt.Errorf("%d rows are %x, want %x", len(entries), got.MsgPack, want.MsgPack)
		}
	})
}

// theFrameworks is what the framework's protocol makes of a result with rows.
func theFrameworks(
	tb rapid.TB, base tftypes.Value, entries []auditlog.Entry, includeRaw bool,
) tfprotov6.DynamicValue {
	tb.Helper()

	attributes := map[string]tftypes.Value{}
	if err := base.As(&attributes); err != nil {
		tb.Fatal(err)
	}

	attributes = maps.Clone(attributes) // As does not copy.

	list, ok := attributes[entriesName].Type().(tftypes.List)
	if !ok {
		tb.Fatalf("%s is a %s", entriesName, attributes[entriesName].Type())
	}

	var err error
	if attributes[entriesName], err = entriesValue(list, entries, includeRaw); err != nil {
		tb.Fatal(err)
	}

	wire, err := tfprotov6.NewDynamicValue(base.Type(), tftypes.NewValue(base.Type(), attributes))
	if err != nil {
		tb.Fatal(err)
	}

	return wire
}

// lookingUp is a provider whose look-ups leave rows and answer as they are told.
type lookingUp struct {
	tfprotov6.ProviderServer

	entries   []auditlog.Entry
	data      tfprotov6.ReadDataSourceResponse
	ephemeral tfprotov6.OpenEphemeralResourceResponse
}

func (l *lookingUp) ReadDataSource(
	ctx context.Context, _ *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	leaveRows(ctx, &task.Found{Entries: l.entries}, true)

	return &l.data, nil
}

func (l *lookingUp) OpenEphemeralResource(
	ctx context.Context, _ *tfprotov6.OpenEphemeralResourceRequest,
) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	leaveRows(ctx, &task.Found{Entries: l.entries}, true)

	return &l.ephemeral, nil
}

// TestRowsArePutOnlyIntoResults: an answer that failed, is put off, is unknown or has no rows goes on to Terraform as
// it is, and one that rows do not fit into is an error without a result.
func TestRowsArePutOnlyIntoResults(t *testing.T) {
	t.Parallel()

	base := withoutRows(t).Raw
	one := []auditlog.Entry{{ID: "1"}}

	wire := func(v tftypes.Value) *tfprotov6.DynamicValue {
		w, err := tfprotov6.NewDynamicValue(v.Type(), v)
		if err != nil {
			t.Fatal(err)
		}

		return &w
	}
	full, empty := theFrameworks(t, base, one, true), theFrameworks(t, base, []auditlog.Entry{}, true)
	failed := []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: "it failed"}}
	warned := []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityWarning, Summary: "mind"}}
	unknown := tftypes.NewValue(base.Type(), tftypes.UnknownValue)
	other := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"a": tftypes.String}}

	for name, tt := range map[string]struct {
		entries  []auditlog.Entry
		state    *tfprotov6.DynamicValue
		diags    []*tfprotov6.Diagnostic
		deferred bool
		want     *tfprotov6.DynamicValue // nil where there is to be none
		wrong    string
	}{
		"rows":                     {entries: one, state: wire(base), want: &full},
		"rows and a warning":       {entries: one, state: wire(base), diags: warned, want: &full},
		"no row":                   {entries: []auditlog.Entry{}, state: wire(base), want: &empty},
		"no rows":                  {state: wire(base), want: wire(base)},
		"no rows, unknown":         {state: wire(unknown), want: wire(unknown)},
		"failed":                   {entries: one, state: wire(base), diags: failed, want: wire(base)},
		"failed without a result":  {entries: one, diags: failed},
		"put off":                  {entries: one, state: wire(base), deferred: true, want: wire(base)},
		"rows into unknown":        {entries: one, state: wire(unknown), wrong: "Read the result"},
		"rows into nothing":        {entries: one, state: wire(tftypes.NewValue(base.Type(), nil)), wrong: "The result has no entries"},
		"rows into other":          {entries: one, state: wire(tftypes.NewValue(other, map[string]tftypes.Value{"a": tftypes.NewValue(tftypes.String, "b")})), wrong: "The result has no entries"},
		"rows into what has rows":  {entries: one, state: &full, wrong: "Entries has a value already"},
		"rows into what is cut":    {entries: one, state: &tfprotov6.DynamicValue{MsgPack: wire(base).MsgPack[:20]}, wrong: "Read the result"},
		"rows into what is no map": {entries: one, state: &tfprotov6.DynamicValue{JSON: []byte("{}")}, wrong: "Read the result"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			check := func(got *tfprotov6.DynamicValue, diags []*tfprotov6.Diagnostic) {
				t.Helper()

				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("the result is %+v, want %+v", got, tt.want)
				}

				if tt.wrong == "" && len(diags) != len(tt.diags) ||
					tt.wrong != "" && (len(diags) != 1 || !strings.Contains(diags[0].Detail, tt.wrong)) {
					t.Errorf("it says %+v", diags)
				}
			}

			l := &lookingUp{entries: tt.entries}
			l.data.State, l.data.Diagnostics = tt.state, tt.diags
			l.ephemeral.Result, l.ephemeral.Diagnostics = tt.state, tt.diags

			if tt.deferred {
				l.data.Deferred, l.ephemeral.Deferred = &tfprotov6.Deferred{}, &tfprotov6.Deferred{}
			}

			s := &server{next: l}

			data, err := s.ReadDataSource(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}

			check(data.State, data.Diagnostics)

			ephemeral, err := s.OpenEphemeralResource(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}

			check(ephemeral.Result, ephemeral.Diagnostics)
		})
	}
}

// TestRowsNeedSomebodyWhoAwaitsThem: else a list would be null that is not.
func TestRowsNeedSomebodyWhoAwaitsThem(t *testing.T) {
	t.Parallel()

	if diags := leaveRows(t.Context(), &task.Found{Entries: []auditlog.Entry{}}, false); !diags.HasError() {
		t.Error("the rows are lost")
	}

	if diags := leaveRows(t.Context(), &task.Found{}, false); diags.HasError() {
		t.Error(diags)
	}
}

// BenchmarkRows writes 10,000 rows.
func BenchmarkRows(b *testing.B) {
	entries := make([]auditlog.Entry, task.LargestMaxEntries)
	for i := range entries {
		entries[i] = auditlog.Entry{
			ID: "01HQXYZ0000000000000000001", Time: time.Unix(int64(i), 0), Service: "upcloud", Action: "update", Actor: "mia",
			ResourceType: "server", ResourceName: "web", Changes: []auditlog.Change{{Field: "a", Before: new("1")}},
		}
	}

	for b.Loop() {
		if _, err := encodeRows(entries, false); err != nil {
			b.Fatal(err)
		}
	}
}
