// SPDX-License-Identifier: MPL-2.0

package exactjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// hostile are texts of which readers disagree.
var hostile = []string{
	``, ` `, `null`, ` true `, `"a"`, `{}`, `[]`, `[[],{}]`, `{"a":{}}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`,
	`{"a":1,"\u0061":2}`,
	`{"b":{"d":1,"c":[3,{"z":1,"y":2}]},"a":"x"}`, `{"é":1,"e":2,"\"":3,"\\":4,"":5," ":6}`,
	`{"a\u0000b":1,"a":2,"a\tb":3}`,
	"{\"a\":\"\xff\"}", "{\"\xff\":1}", "{\"\xff\":1,\"\xfe\":2}", `{"\ud800":1}`, `{"\ud800":1,"\udc00":2}`,
	`{"\ufffd":1,"` + "\xff" + `":2}`,
	`{"a":"\u2028\u2029"}`, "{\"a\":\"\u2028\u2029\"}", `{"a":"<>&\u003c\u007f"}`, `{"a":"\/\b\f\n\r\t\u0001\u001F"}`,
	`{"a":1e400}`, `{"a":-0}`, `{"a":1.0}`, `{"a":1E5,"b":1e+5}`, `{"a":01}`, `{"a":.5}`, `{"a":+1}`, `{"a":NaN}`,
	`{"a":` + string(bytes.Repeat([]byte("9"), 400)) + `}`,
	`{"a":1}{}`, `{"a":1},`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, `["a" "b"]`, `{"a":"x`, `{"a":"\`,
	`{"a":"\u12`, "{\"a\":\"\n\"}",
	"\ufeff{}", `{"a":tru}`, string(bytes.Repeat([]byte("["), 100_000)), string(bytes.Repeat([]byte(`{"a":`), 100_000)),
	"{\n \"b\" : [ 1 , 2 ] ,\t\"a\" : { } }",
}

func FuzzCanonical(f *testing.F) {
	for _, text := range hostile {
		f.Add([]byte(text))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		got, err := exactjson.AppendCanonical([]byte("kept"), text)

		if !bytes.Equal(text, before) {
			t.Fatalf("%q became %q", before, text)
		}

		v, wantErr := exactjson.Value(text)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%q: got %v, want %v", text, err, wantErr)
		}

		if err != nil {
			return
		}

		want, err := exactjson.Marshal(v, "")
		if err != nil {
			t.Fatal(err)
		}

		if string(got) != "kept"+string(want) {
			t.Fatalf("%q:\n got %s\nwant kept%s", text, got, want)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, text := range append([]string{
		"\xff", "a\xffb\u2028", "\u2028", "\x00", "\x7f", "\"", "\\", "<&>", "é",
		"\U0001F600",
	}, hostile...) {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		want, err := exactjson.Marshal(text, "")
		if err != nil {
			t.Fatal(err)
		}

		if got := exactjson.AppendString([]byte("x"), text); string(got) != "x"+string(want) {
			t.Fatalf("%q: got %s, want x%s", text, got, want)
		}
	})
}

func FuzzAppendCompact(f *testing.F) {
	for _, text := range hostile {
		f.Add([]byte(text))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		var want bytes.Buffer

		wantErr := json.Compact(&want, text)

		got, err := exactjson.AppendCompact([]byte("x"), text)
		if (err == nil) != exactjson.Whole(text) {
			t.Fatalf("%q: %v, and valid is %t", text, err, exactjson.Whole(text))
		}

		if (err == nil) != (wantErr == nil) || err == nil && string(got) != "x"+want.String() {
			t.Fatalf("%q: got %s, %v; want x%s, %v", text, got, err, want.String(), wantErr)
		}
	})
}

// part is a document as far as a Reader is tried on it.
type part struct {
	Name   string            `json:"name"`
	Note   *string           `json:"note"`
	Raw    json.RawMessage   `json:"raw"`
	List   []json.RawMessage `json:"list"`
	Texts  []string          `json:"texts"`
	Inside struct {
		Name string    `json:"name"`
		Deep *struct{} `json:"deep"`
	} `json:"inside"`
}

func (p *part) read(r *exactjson.Reader) {
	for key := range r.Members() {
		switch string(key) {
		case "name":
			p.Name = r.Word()
		case "note":
			if !r.Null() {
				p.Note = new(r.Text())
			}
		case "raw":
			p.Raw = r.Raw(nil)
		case "list":
			for range r.Elements() {
				p.List = append(p.List, r.Raw(nil))
			}
		case "texts":
			for range r.Elements() {
				p.Texts = append(p.Texts, r.Text())
			}
		case "inside":
			for key := range r.Members() {
				switch string(key) {
				case "name":
					p.Inside.Name = r.Text()
				case "deep":
					if !r.Null() {
						p.Inside.Deep = new(struct{}{})
						for range r.Members() {
						}
					}
				}
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, text := range append([]string{
		`{"name":"a","note":null,"raw":{"x": 1},"list":[1, {"a":[]} ,"x"],"texts":["a",null],"inside":{"name":"b","deep":{"x":1},"y":2},"z":[{}]}`,
		`{"name":null,"note":"\u00e9","raw":null,"list":null,"texts":null,"inside":null}`,
		`{"name":7}`, `{"name":{"a":1}}`, `{"inside":{"name":[]}}`, `{"inside":{"deep":[]}}`, `{"texts":["x",true]}`,
		`{"texts":{}}`, `{"list":"x"}`,
		`{"inside":{"deep":{"secret":1,"secret":1}}}`, `{"list":[{},{"a":{"secret":1,"secret":2}}]}`,
		`[{"a":1,"a":1}]`, `{"name":7`, `{"name":7,"name":8}`,
		`{"NAME":"b","raw" : [ 1 ] }`, `{"raw":"a","raw":"b"}`, `{"name":"a"} {}`,
	}, hostile...) {
		f.Add([]byte(text))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)

		var got, want part

		err := exactjson.Read(text, got.read)
		wantErr := exactjson.Unmarshal(text, &want)

		switch {
		case !bytes.Equal(text, before):
			t.Fatalf("%q became %q", before, text)
		case (err == nil) != (wantErr == nil),
			errors.Is(err, exactjson.ErrSyntax) != errors.Is(wantErr, exactjson.ErrSyntax):
			t.Fatalf("%q: got %v, want %v", text, err, wantErr)
		case err != nil:
			// A key that is there twice is told first, wherever it is.
			if err.Error() != wantErr.Error() && !strings.HasSuffix(err.Error(), "is there twice") {
				t.Fatalf("%q: got %v, want %v", text, err, wantErr)
			}
		default:
			sameCanonically(t, text)

			if want.List != nil && len(want.List) == 0 {
				want.List = nil
			}

			if want.Texts != nil && len(want.Texts) == 0 {
				want.Texts = nil
			}

			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q: -want +got:\n%s", text, diff)
			}
		}
	})
}

// sameCanonically fails when a text has another canonical form if it is read meanwhile.
func sameCanonically(t *testing.T, text []byte) {
	t.Helper()

	want, err := exactjson.AppendCanonical(nil, text)
	if err != nil {
		t.Fatal(err)
	}

	err = exactjson.Read(text, func(r *exactjson.Reader) {
		raw, got := r.Canonical([]byte("x"), func() { new(part).read(r) })
		if !bytes.Equal(raw, bytes.TrimSpace(text)) || string(got) != "x"+string(want) {
			t.Fatalf("%q: got %s, want x%s", text, got, want)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReaderNamesErrorsFromARecordOn(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		`{"results":[{"a":"x"},{"a":{"b":"y"}}]}`:   `"a" is a JSON object`,
		`{"results":[[7]]}`:                         "a part of it is a JSON array",
		`{"results":7}`:                             `"results" is a JSON number`,
		`{"results":[{"a":7}],"results":[]}`:        `"results" is there twice`,
		`{"results":[{"a":7}]`:                      "it is not whole JSON",
		`{"results":[{"b":{"c":1,"c":1}}]}`:         `"results.b" is there twice`,
		`{"results":[{"a":"x"}],"other":{"a":1}}`:   "",
		`{"results":[{"a":"x"},null],"results2":7}`: "",
	} {
		var raws []string

		err := exactjson.Read([]byte(text), func(r *exactjson.Reader) {
			for key := range r.Members() {
				if string(key) != "results" {
					continue
				}

				for range r.Elements() {
					raws = append(raws, string(r.Raw(func() {
						for range r.Members() {
							r.Text()
						}
					})))
				}
			}
		})

		if got := ""; err != nil && err.Error() != want || err == nil && want != got {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}

		if err == nil && raws[0] != `{"a":"x"}` {
			t.Errorf("%s: got %q", text, raws)
		}
	}
}

func TestReaderEndsWhereItIsLeft(t *testing.T) {
	t.Parallel()

	err := exactjson.Read([]byte(`{"a":[1,2],"b":3}`), func(r *exactjson.Reader) {
		for range r.Members() {
			for range r.Elements() {
				break
			}
		}
	})
	if err == nil {
		t.Error("a list that is left in the middle is no error")
	}

	failed := errors.New("failed")
	if err := exactjson.Read([]byte(`{"a":[1,2],"b":3}`),
		func(r *exactjson.Reader) { r.Fail(failed); r.Text() }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}

	if err := exactjson.Read([]byte(`{"a":[1,2],"b":3`),
		func(r *exactjson.Reader) { r.Fail(failed) }); !errors.Is(err, exactjson.ErrSyntax) {
		t.Errorf("got %v", err)
	}
}
