// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func TestFieldsAreTheContract(t *testing.T) {
	t.Parallel()

	const contract = "id, time, service, endpoint, account, action, operation, actor_type, actor_id, actor, resource_type, resource_id, resource_name, " +
		"scope_type, scope_id, scope_name, origin, auth_type, ip_address, user_agent, correlation_id, message, changes, raw"

	var names []string
	for _, f := range auditlog.Fields() {
		names = append(names, f.Name)

		if f.Description == "" || !strings.HasSuffix(f.Description, ".") {
			t.Errorf("%s is not described by a sentence: %q", f.Name, f.Description)
		}

		if got, ok := auditlog.FieldByName(f.Name); !ok || got.Name != f.Name {
			t.Errorf("FieldByName(%q) = %q, %v", f.Name, got.Name, ok)
		}
	}

	if got := strings.Join(names, ", "); got != contract {
		t.Errorf("fields are\n%s\nwant\n%s", got, contract)
	}
}

func TestFieldsShowEveryPartOfAnEntry(t *testing.T) {
	t.Parallel()

	after := `"b"`
	e := auditlog.Entry{
		ID: "1", Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)), Service: "2", Endpoint: "2a",
		Account: "2b", Action: "3", Operation: "4",
		ActorType: "5", ActorID: "6", Actor: "7", ResourceType: "8", ResourceID: "9", ResourceName: "10",
		ScopeType: "11", ScopeID: "12", ScopeName: "13", Origin: "14", AuthType: "15", IPAddress: "16", UserAgent: "17",
		CorrelationID: "18", Message: "19", Changes: []auditlog.Change{{Field: "a", After: &after}},
		Raw: json.RawMessage(`{"<": 1.0}`),
	}

	var texts []string
	for _, f := range auditlog.Fields() {
		texts = append(texts, f.Text(&e))
	}

	want := []string{
		"1", "2026-01-02T02:04:05.000006Z", "2", "2a", "2b", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14",
		"15", "16", "17", "18", "19",
		`[{"field":"a","before":null,"after":"\"b\""}]`, `{"<": 1.0}`,
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}

	var empty auditlog.Entry
	for _, f := range auditlog.Fields() {
		if got := f.Text(&empty); got != "" && f.Name != "time" {
			t.Errorf("%s of an empty entry is %q", f.Name, got)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()

	text := func(s string) *string { return &s }

	for name, tt := range map[string]struct {
		before, after string
		want          []auditlog.Change
	}{
		"nothing at all": {},
		"null states":    {before: "null", after: "null"},
		"equal":          {before: `{"a": [1, {"b": null}]}`, after: `{"a":[1,{"b":null}]}`},
		"created": {
			after: `{"b":1,"a":"x"}`,
			want:  []auditlog.Change{{Field: "a", After: text(`"x"`)}, {Field: "b", After: text("1")}},
		},
		"deleted": {before: `{"a":true}`, want: []auditlog.Change{{Field: "a", Before: text("true")}}},
		"null is a value": {
			before: `{"a":null}`, after: `{}`,
			want: []auditlog.Change{{Field: "a", Before: text("null")}},
		},
		"numbers as written": {
			before: `{"a":10000000000000000001}`, after: `{"a":10000000000000000002}`,
			want: []auditlog.Change{{Field: "a", Before: text("10000000000000000001"), After: text("10000000000000000002")}},
		},
		"nested": {
			before: `{"a":{"b":[{"c":1}]}}`, after: `{"a":{"b":[{"c":2},3]}}`,
			want: []auditlog.Change{
				{Field: "a.b.0.c", Before: text("1"), After: text("2")},
				{Field: "a.b.1", After: text("3")},
			},
		},
		"empty containers": {
			before: `{"a":{},"b":[]}`, after: `{"a":[],"b":[]}`,
			want: []auditlog.Change{{Field: "a", Before: text("{}"), After: text("[]")}},
		},
		"a key that has dots": {
			before: `{"a.b":1}`, after: `{"a":{"b":1}}`,
			want: []auditlog.Change{{Field: `"a.b"`, Before: text("1")}, {Field: "a.b", After: text("1")}},
		},
		"null becomes an object": {
			before: `{"a":null}`, after: `{"a":{"b":1}}`,
			want: []auditlog.Change{{Field: "a", Before: text("null")}, {Field: "a.b", After: text("1")}},
		},
		"a number, written anew": {
			before: `{"a":1,"b":[1.50,-0,1E+2,0.0e7,12.0]}`,
			after:  `{"a":1.0,"b":[15e-1,0,100.0,0,0.0012e4]}`,
		},
		"the text of a number": {before: `{"a":1}`, after: `{"a":"1"}`, want: []auditlog.Change{{Field: "a", Before: text("1"), After: text(`"1"`)}}},
		"a number, hardly changed": {
			before: `{"a":1}`, after: `{"a":1.0000000000000000000001}`,
			want: []auditlog.Change{{Field: "a", Before: text("1"), After: text("1.0000000000000000000001")}},
		},
		"a list becomes an object": {before: `{"a":[1,2]}`, after: `{"a":{"0":1,"1":2}}`, want: []auditlog.Change{{Field: "a", Before: text("[1,2]"), After: text(`{"0":1,"1":2}`)}}},
		"an object becomes a list": {
			before: `{"a":{"b":{"0":{}}}}`, after: `{"a":{"b":[{}]}}`,
			want: []auditlog.Change{{Field: "a.b", Before: text(`{"0":{}}`), After: text(`[{}]`)}},
		},
		"a list, and more": {
			before: `{"a":[1,[2]]}`, after: `{"a":{"0":3,"1":{"0":2}}}`,
			want: []auditlog.Change{
				{Field: "a", Before: text("[1,[2]]"), After: text(`{"0":3,"1":{"0":2}}`)},
				{Field: "a.0", Before: text("1"), After: text("3")},
			},
		},
		"no escapes for HTML": {after: `{"a":"<&>"}`, want: []auditlog.Change{{Field: "a", After: text(`"<&>"`)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := auditlog.Changes(json.RawMessage(tt.before), json.RawMessage(tt.after))
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}

	for _, state := range []string{"[]", "1", "{", `{} {}`, `{"a":1,"a":1}`, `{"a":[{"b":1,"b":2}]}`} {
		if _, err := auditlog.Changes(json.RawMessage(state), nil); err == nil {
			t.Errorf("Changes accepted the state %s", state)
		}
	}
}

// Swapping the states swaps before and after, and a state differs from itself in nothing.
func TestChangesAreSymmetric(t *testing.T) {
	t.Parallel()

	state := rapid.MapOf(rapid.StringMatching(`[a-c."]{0,3}`), rapid.OneOf(
		rapid.Int().AsAny(), rapid.String().AsAny(), rapid.SliceOf(rapid.Bool()).AsAny(),
		rapid.MapOf(rapid.StringMatching(`[a-c]`), rapid.Int()).AsAny(), rapid.Just[any](nil)))

	rapid.Check(t, func(t *rapid.T) {
		a, _ := json.Marshal(state.Draw(t, "a"))
		b, _ := json.Marshal(state.Draw(t, "b"))

		if same, err := auditlog.Changes(a, a); err != nil || len(same) != 0 {
			t.Fatalf("%s differs from itself: %v, %v", a, same, err)
		}

		there, err := auditlog.Changes(a, b)
		if err != nil {
			t.Fatal(err)
		}

		back, err := auditlog.Changes(b, a)
		if err != nil {
			t.Fatal(err)
		}

		for i := range back {
			back[i].Before, back[i].After = back[i].After, back[i].Before
		}

		if diff := cmp.Diff(there, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

// kinds are the forms that a value can have.
var kinds = []string{
	`null`, `1`, `"x"`, `{}`, `[]`, `[1]`, `{"0":1}`, `[{"0":1}]`, `{"0":[1]}`, `{"0":{"0":1}}`,
	`[[1]]`, `{"x":1}`,
}

// TestChangesOfAnyKind: two states that are not the same differ, wherever in them
// the difference is.
func TestChangesOfAnyKind(t *testing.T) {
	t.Parallel()

	for _, around := range []string{`{"a":%s}`, `{"a":[%s]}`, `{"a":{"0":%s}}`, `{"a":{"b.c":[[%s]]}}`} {
		for i, before := range kinds {
			for j, after := range kinds {
				b, a := fmt.Sprintf(around, before), fmt.Sprintf(around, after)

				changes, err := auditlog.Changes(json.RawMessage(b), json.RawMessage(a))
				if err != nil {
					t.Fatal(err)
				}

				if (len(changes) > 0) != (i != j) {
					t.Errorf("from %s to %s: %v", b, a, changes)
				}
			}
		}
	}
}

// TestChangesOfNumbers compares with exact fractions.
func TestChangesOfNumbers(t *testing.T) {
	t.Parallel()

	number := rapid.StringMatching(`-?(0|[1-9]0{0,2}[1-9]?)(\.[0-9]0{0,2})?([eE][+-]?0?[0-3])?`)

	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")

		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)

		if !okX || !okY {
			t.Fatal("not a number")
		}

		changes, err := auditlog.Changes(json.RawMessage(`{"n":`+a+`}`), json.RawMessage(`{"n":`+b+`}`))
		if err != nil {
			t.Fatal(err)
		}

		if got, want := len(changes) > 0, x.Cmp(y) != 0; got != want {
			t.Fatalf("%s and %s differ: %v", a, b, got)
		}
	})
}

// TestChangesOfHugeNumbers neither writes such a number out nor takes long for that.
func TestChangesOfHugeNumbers(t *testing.T) { //nolint:paralleltest // It measures memory.
	allocated := func() uint64 {
		var m runtime.MemStats

		runtime.ReadMemStats(&m)

		return m.TotalAlloc
	}

	nines := strings.Repeat("9", 1_000_000)

	for _, tt := range []struct {
		a, b  string
		equal bool
	}{
		{"1e999999999", "1e999999999", true},
		{"1e999999999", "10e999999998", true},
		{"1e999999999", "1e999999998", false},
		{"1e-999999999", "0", false},
		{"0e999999999", "0", true},
		{"1e+99999999999999999999", "1.0E99999999999999999999", true},
		{"1e99999999999999999999", "10e99999999999999999999", false},
		{"1e2305843009213693951", "0.1e2305843009213693952", false}, // Beyond what is calculated with.
		{"1e99999999999999999999", "1e-99999999999999999999", false},
		{"1e" + nines, "1.0e" + nines, true},
		{"1e" + nines, "10e" + nines, false},
		{nines, nines + ".0", true},
		{nines, nines[1:], false},
	} {
		before := allocated()

		changes, err := auditlog.Changes(json.RawMessage(`{"n":`+tt.a+`}`), json.RawMessage(`{"n":`+tt.b+`}`))
		if err != nil {
			t.Fatal(err)
		}

		if (len(changes) == 0) != tt.equal {
			t.Errorf("%.30s and %.30s are equal: %v", tt.a, tt.b, len(changes) == 0)
		}

		if took := allocated() - before; took > 100<<20 {
			t.Errorf("%.30s and %.30s took %d MiB", tt.a, tt.b, took>>20)
		}
	}
}

func FuzzChanges(f *testing.F) {
	f.Add([]byte(`{"a":1}`), []byte(`{"a":{"b":[2]}}`))
	f.Add([]byte(`{"a":[1,{"x":"\u0041"}],"0":[]}`), []byte(`{"a":{"0":1.0,"1":{"x":"A"},"10":null},"0":{}}`))
	f.Add([]byte(`{"a":[0,1,2,3,4,5,6,7,8,9,10],"\"":{"a.b":1}}`), []byte(`{"a":{"10":10,"2":3,"9":9},"\"":{"a":{"b":1}}}`))
	f.Add([]byte(` null `), []byte("{\"a\":\"\xff\", \"\xff\" : 1e5}"))
	f.Add([]byte(``), []byte(`[]`))
	f.Add([]byte(`7`), []byte(`{"a":1,"a":2}`))

	f.Fuzz(func(t *testing.T, before, after []byte) {
		got, err := auditlog.Changes(before, after)

		want, wantErr := plainChanges(before, after)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%q and %q: got %v, want %v", before, after, err, wantErr)
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q and %q: -want +got:\n%s", before, after, diff)
		}
	})
}

// TestChangesAreThoseOfThePlainWay compares states of which much is the same.
func TestChangesAreThoseOfThePlainWay(t *testing.T) {
	t.Parallel()

	key := rapid.SampledFrom([]string{"a", "b", "0", "1", "10", "2", "a.b", "\"", "", "é"})
	scalar := rapid.SampledFrom([]string{
		`null`, `true`, `"x"`, `"\u0078"`, `1`, `1.0`, `1e0`, `-0`, `0`, `""`, `"1"`,
		`1e400`,
	})

	var value func(depth int) *rapid.Generator[string]

	value = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			kind := rapid.IntRange(0, 3).Draw(t, "kind")
			if depth == 0 {
				kind = 0
			}

			switch kind {
			case 1:
				return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 12).Draw(t, "elements"), ",") + "]"
			case 2, 3:
				keys := rapid.SliceOfNDistinct(key, 0, 5, rapid.ID).Draw(t, "keys")
				members := make([]string, 0, len(keys))

				for _, k := range keys {
					members = append(members, strconv.Quote(k)+": "+value(depth-1).Draw(t, "value"))
				}

				return "{" + strings.Join(members, " ,") + "}"
			default:
				return scalar.Draw(t, "scalar")
			}
		})
	}

	rapid.Check(t, func(t *rapid.T) {
		before, after := json.RawMessage(value(3).Draw(t, "before")), json.RawMessage(value(3).Draw(t, "after"))
		got, err := auditlog.Changes(before, after)

		want, wantErr := plainChanges(before, after)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%s and %s: got %v, want %v", before, after, err, wantErr)
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s and %s: -want +got:\n%s", before, after, diff)
		}
	})
}
