// SPDX-License-Identifier: MPL-2.0

package matrix

import (
	"fmt"
	"maps"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type (
	args = map[string]any
	list = []any
)

// valueOf makes a value of Terraform's; what is not given is null.
func valueOf(kind tftypes.Type, v any) tftypes.Value {
	switch v := v.(type) {
	case nil:
		return tftypes.NewValue(kind, nil)
	case int:
		return tftypes.NewValue(kind, big.NewFloat(float64(v)))
	case args:
		values := map[string]tftypes.Value{}

		switch kind := kind.(type) {
		case tftypes.Object:
			for name, inner := range kind.AttributeTypes {
				values[name] = valueOf(inner, v[name])
			}
		case tftypes.Map:
			for name := range v {
				values[name] = valueOf(kind.ElementType, v[name])
			}
		default:
			panic(fmt.Sprintf("%s is no object", kind))
		}

		return tftypes.NewValue(kind, values)
	case list:
		values := []tftypes.Value{}

		of, ok := kind.(tftypes.List)
		if !ok {
			panic(fmt.Sprintf("%s is no list", kind))
		}

		for _, element := range v {
			values = append(values, valueOf(of.ElementType, element))
		}

		return tftypes.NewValue(kind, values)
	default:
		return tftypes.NewValue(kind, v)
	}
}

// goOf is a value of Terraform's in Go: nil, string, int64, bool, list or args.
func goOf(v tftypes.Value) any {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}

	switch kind := v.Type(); {
	case kind.Is(tftypes.String):
		return as[string](v)
	case kind.Is(tftypes.Bool):
		return as[bool](v)
	case kind.Is(tftypes.Number):
		f := as[big.Float](v)
		n, _ := f.Int64()

		return n
	case kind.Is(tftypes.List{}):
		all := list{}
		for _, element := range as[[]tftypes.Value](v) {
			all = append(all, goOf(element))
		}

		return all
	default:
		all := args{}
		for name, inner := range as[map[string]tftypes.Value](v) {
			all[name] = goOf(inner)
		}

		return all
	}
}

func as[T any](v tftypes.Value) T {
	var into T
	if err := v.As(&into); err != nil {
		panic(err) // The kind was looked at.
	}

	return into
}

func dynamic(kind tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	d, err := tfprotov6.NewDynamicValue(kind, v)
	if err != nil {
		panic(err) // It was made for the type.
	}

	return &d
}

// with returns an object with other values for some of its attributes.
func with(object tftypes.Value, changed args) tftypes.Value {
	kind, ok := object.Type().(tftypes.Object)
	if !ok {
		panic("no object")
	}

	values := maps.Clone(as[map[string]tftypes.Value](object))

	for name, v := range changed {
		values[name] = valueOf(kind.AttributeTypes[name], v)
	}

	return tftypes.NewValue(kind, values)
}
