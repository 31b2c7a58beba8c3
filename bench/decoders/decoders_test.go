// SPDX-License-Identifier: MPL-2.0

// Package decoders measures the JSON libraries that a page of a log could be decoded with.
// Each does what reading a page needs and no more: it checks the whole page, and looks at
// every key and value once. Two of them do not find a key that is there twice.
package decoders_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/ast"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fastjson"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// pages returns a page of 200 records of each cloud.
func pages(b *testing.B) map[string][]byte {
	b.Helper()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 1000})
	if err != nil {
		b.Fatal(err)
	}

	all := map[string][][]byte{}
	for _, r := range fake.CloudscaleRecords()[:200] {
		all["cloudscale"] = append(all["cloudscale"], r.Raw)
	}

	for _, r := range fake.UpCloudRecords()[:200] {
		all["upcloud"] = append(all["upcloud"], r.Raw)
	}

	pages := map[string][]byte{}
	for cloud, records := range all {
		pages[cloud] = append(append([]byte(`{"results":[`), bytes.Join(records, []byte(","))...), "]}"...)
	}

	return pages
}

func measure(b *testing.B, decode func(page []byte) error) {
	for cloud, page := range pages(b) {
		b.Run(cloud, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()

			for range b.N {
				if err := decode(page); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJSONText reads token by token, as the product does. It finds keys that are
// there twice.
func BenchmarkJSONText(b *testing.B) {
	measure(b, func(page []byte) error {
		d := jsontext.NewDecoder(bytes.NewBuffer(page), jsontext.AllowInvalidUTF8(true))

		for {
			if _, err := d.ReadToken(); err != nil {
				if d.InputOffset() == int64(len(page)) {
					return nil
				}

				return err
			}
		}
	})
}

// BenchmarkJSONv2 makes maps of a page, with the library that jsontext belongs to.
func BenchmarkJSONv2(b *testing.B) {
	measure(b, func(page []byte) error {
		var v any

		return jsonv2.Unmarshal(page, &v, jsontext.AllowInvalidUTF8(true))
	})
}

// BenchmarkStandard makes maps of a page.
func BenchmarkStandard(b *testing.B) {
	measure(b, func(page []byte) error {
		var v any

		return json.Unmarshal(page, &v)
	})
}

// BenchmarkSonic makes maps of a page. It does not find keys that are there twice.
func BenchmarkSonic(b *testing.B) {
	measure(b, func(page []byte) error {
		var v any

		return sonic.ConfigStd.Unmarshal(page, &v)
	})
}

// BenchmarkSonicVisitor goes through a page with sonic's visitor of tokens. It does not
// find keys that are there twice.
func BenchmarkSonicVisitor(b *testing.B) {
	measure(b, func(page []byte) error { return ast.Preorder(string(page), new(visitor), nil) })
}

// BenchmarkFastjson makes fastjson's tree of a page, and uses its memory again. It does not
// find keys that are there twice, and accepts texts that are no JSON, such as 01.
func BenchmarkFastjson(b *testing.B) {
	var p fastjson.Parser

	measure(b, func(page []byte) error {
		_, err := p.ParseBytes(page)

		return err
	})
}

type visitor struct{ n int }

func (v *visitor) count() error {
	v.n++

	return nil
}

func (v *visitor) OnNull() error                        { return v.count() }
func (v *visitor) OnBool(bool) error                    { return v.count() }
func (v *visitor) OnString(string) error                { return v.count() }
func (v *visitor) OnInt64(int64, json.Number) error     { return v.count() }
func (v *visitor) OnFloat64(float64, json.Number) error { return v.count() }
func (v *visitor) OnObjectBegin(int) error              { return v.count() }
func (v *visitor) OnObjectKey(string) error             { return v.count() }
func (v *visitor) OnObjectEnd() error                   { return v.count() }
func (v *visitor) OnArrayBegin(int) error               { return v.count() }
func (v *visitor) OnArrayEnd() error                    { return v.count() }
