// SPDX-License-Identifier: MPL-2.0

package exactjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// document has every kind of value that is read anywhere.
type document struct {
	Name   string            `json:"name"`
	Note   *string           `json:"note"`
	Count  int64             `json:"count"`
	Time   time.Time         `json:"time"`
	Raw    json.RawMessage   `json:"raw"`
	List   []json.RawMessage `json:"list"`
	Texts  []string          `json:"texts"`
	Inside struct {
		Name string    `json:"name"`
		Deep *struct{} `json:"deep"`
	} `json:"inside"`
	Map map[string]int `json:"map"`
}

func TestKeysMatchExactly(t *testing.T) {
	t.Parallel()

	var d document

	err := exactjson.Unmarshal([]byte(`{"name":"a","NAME":"b","Name":"c","namE":"d","ſ":1,"inside":{"NAME":"x","Deep":{}},"Count":7}`), &d)
	if err != nil || d.Name != "a" || d.Inside.Name != "" || d.Inside.Deep != nil || d.Count != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		`{"name":"a","name":"a"}`:                     `"name" is there twice`,
		`{"name":"a","n\u0061me":"a"}`:                `"name" is there twice`,
		`{"other":1,"other":1}`:                       `"other" is there twice`,
		`{"inside":{"name":"a","name":"b"}}`:          `"inside.name" is there twice`,
		`{"inside":{"deep":{"secret":1,"secret":1}}}`: `"inside.deep" is there twice`,
		`{"list":[{},{"a":{"secret":1,"secret":2}}]}`: `"list.a" is there twice`,
		`{"raw":{"a":1,"a":1}}`:                       `"raw.a" is there twice`,
		`[{"a":1,"a":1}]`:                             `a part of it is a JSON array`,
		`{"name":7}`:                                  `"name" is a JSON number`,
		`{"name":{}}`:                                 `"name" is a JSON object`,
		`{"inside":{"name":[]}}`:                      `"inside.name" is a JSON array`,
		`{"texts":["x",true]}`:                        `"texts" is a JSON bool`,
		`{"count":"jane.doe"}`:                        `"count" is a JSON string`,
		`{"count":1e400}`:                             `"count" cannot be read`,
		`{"time":"jane.doe"}`:                         `"time" cannot be read`,
		`"jane.doe"`:                                  `a part of it is a JSON string`,
		``:                                            "it is not whole JSON",
		`{"name":"a","name":"b"`:                      "it is not whole JSON",
		`{"name":7`:                                   "it is not whole JSON",
		`{"name":"a"} {}`:                             "it is not whole JSON",
		`{"name":"a",}`:                               "it is not whole JSON",
	} {
		err := exactjson.Unmarshal([]byte(text), &document{})
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}

		if errors.Is(err, exactjson.ErrSyntax) != (want == exactjson.ErrSyntax.Error()) {
			t.Errorf("%s: %v", text, err)
		}
	}

	if err := exactjson.UnmarshalKnown([]byte(`{"name":"a","Name":"b"}`), &document{}); err == nil ||
		err.Error() != `"Name" is not known` {
		t.Errorf("got %v", err)
	}

	if _, err := exactjson.Value([]byte(`{"a":[{"b":1,"b":1}]}`)); err == nil || err.Error() != `"a.b" is there twice` {
		t.Errorf("got %v", err)
	}
}

func TestValueKeepsNumbers(t *testing.T) {
	t.Parallel()

	got, err := exactjson.Value([]byte(`{"a":10000000000000000001,"b":[1.0,-0,1e999,"x\ud800\u0041",true,null,{}]}`))
	want := map[string]any{
		"a": json.Number("10000000000000000001"),
		"b": []any{json.Number("1.0"), json.Number("-0"), json.Number("1e999"), "x\uFFFDA", true, nil, map[string]any{}},
	}

	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// FuzzAgainstEncodingJSON: what has neither a key twice nor one in another case is
// what encoding/json reads.
func FuzzAgainstEncodingJSON(f *testing.F) {
	for _, text := range []string{
		`{"name":"a","note":null,"count":7,"time":"2026-06-30T12:00:00.5Z","raw":{"a": [1.0,{}]},"list":[1,"x",null],"texts":["a"],"inside":{"name":"b","deep":{}},"map":{"k":1}}`,
		"{\"name\":\"\xff\xc0\x80 \\ud800\\u0041 \\udc00\"}", `{"name":null,"inside":null,"list":null,"raw":null}`, `null`,
		`[]`, `"x"`, `1e5`, ``, `{"name":"a"`, "\ufeff{}",
		`{"name":"a","name":"b"}`, `{"NAME":"a"}`, "{\"\xff\":1,\"\xfe\":2}", ` { "count" : -0 } `, `{"count":1.0}`,
		`{"count":9223372036854775808}`, `{"time":"2026-06-30T9:00:00Z"}`, `{"time":"2026-06-30T09:00:00,5Z"}`,
	} {
		f.Add([]byte(text))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := exactjson.Value(text)
		if exactjson.Valid(text) != (err == nil) {
			t.Fatalf("%q: valid is not %v", text, err)
		}

		want, stdErr := stdValue(text)

		var ours, theirs document
		oursErr, theirsErr := exactjson.Unmarshal(text, &ours), json.Unmarshal(text, &theirs)

		if errors.Is(err, exactjson.ErrSyntax) != (stdErr != nil) ||
			errors.Is(oursErr, exactjson.ErrSyntax) != !json.Valid(text) {
			t.Fatalf("%q: %v against %v, %v against %v", text, err, stdErr, oursErr, theirsErr)
		}

		if stdErr != nil || !plainKeys(text) {
			return
		}

		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v; %v", text, got, want, err)
		}

		if oursErr != nil && theirsErr == nil && !isTime(text) {
			return // encoding/json takes times that RFC 3339 does not, such as one with an hour of one digit.
		}

		if (oursErr == nil) != (theirsErr == nil) || oursErr == nil && !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%q: %+v, %v; want %+v, %v", text, ours, oursErr, theirs, theirsErr)
		}
	})
}

// isTime says whether the time of a document is one as RFC 3339 has it.
func isTime(text []byte) bool {
	var d struct {
		Time string `json:"time"`
	}

	return json.Unmarshal(text, &d) == nil && rfc3339.MatchString(d.Time)
}

var rfc3339 = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`)

func stdValue(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()

	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}

	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}

	return v, nil
}

// plainKeys says that no object has a key twice, or one of a document's in another
// case.
func plainKeys(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))

	var keys []map[string]bool // one for each open object, nil for an array

	name := false

	for {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF)
		}

		inObject := len(keys) > 0 && keys[len(keys)-1] != nil

		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				keys = append(keys, map[string]bool{})
			case '[':
				keys = append(keys, nil)
			default:
				keys = keys[:len(keys)-1]
			}

			name = len(keys) > 0 && keys[len(keys)-1] != nil

			continue
		case string:
			if inObject && name {
				folded := strings.ToUpper(v)
				if keys[len(keys)-1][folded] || v != strings.ToLower(v) ||
					strings.ContainsFunc(v, func(r rune) bool { return r > 'z' }) {
					return false
				}

				keys[len(keys)-1][folded] = true
			}
		}

		name = inObject && !name
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	text := []byte(`{"name":"a","note":null,"count":7,"time":"2026-06-30T12:00:00.5Z","raw":{"plan":"1xCPU-1GB","tags":["a","b"],"size":10},"list":[1,"x",null],"texts":["a"],"inside":{"name":"b","deep":{}},"other":"key"}`)

	for name, unmarshal := range map[string]func([]byte, any) error{
		"exact":    exactjson.Unmarshal,
		"encoding": json.Unmarshal,
	} {
		b.Run("struct/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))

			for b.Loop() {
				var d document
				if err := unmarshal(text, &d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}

	for name, value := range map[string]func([]byte) (any, error){"exact": exactjson.Value, "encoding": stdValue} {
		b.Run("value/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))

			for b.Loop() {
				if _, err := value(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
