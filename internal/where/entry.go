// SPDX-License-Identifier: MPL-2.0

package where

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

const entryVariable = "entry"

// The types of the variable and of an element of entry.changes.
var (
	entryType  = types.NewObjectType("entry")
	changeType = types.NewObjectType("change")
)

// record is an entry as a CEL value. All of its texts are in their normal form, as
// the condition's are.
type record struct {
	entry *auditlog.Entry
	raw   map[string]any // parsed when it is first asked for
	// assumed holds the texts of fields of an entry that is only thought of.
	assumed map[string]string
}

func (r *record) text(f auditlog.Field) string {
	if text, ok := r.assumed[f.Name]; ok {
		return text
	}

	return f.Text(r.entry)
}

// change is an element of entry.changes as a CEL value.
type change auditlog.Change

// fieldTypes are the fields of an entry and how they are read: auditlog.Fields
// decides which there are.
var fieldTypes = func() map[string]*types.FieldType {
	all := map[string]*types.FieldType{}

	for _, f := range auditlog.Fields() {
		if ft := fieldType(f); ft != nil {
			all[f.Name] = ft
		}
	}

	return all
}()

func fieldType(f auditlog.Field) *types.FieldType {
	switch {
	case f.Kind == auditlog.KindString:
		return newFieldType(types.StringType,
			func(r *record) bool { return r.text(f) != "" },
			func(r *record) (any, error) { return normal(r.text(f)), nil })
	case f.Kind == auditlog.KindTime && f.Name == "time":
		return newFieldType(types.TimestampType,
			func(r *record) bool { return !r.entry.Time.IsZero() },
			func(r *record) (any, error) { return types.Timestamp{Time: r.entry.Time}, nil })
	case f.Kind == auditlog.KindChanges:
		return newFieldType(types.NewListType(changeType),
			func(r *record) bool { return len(r.entry.Changes) > 0 },
			func(r *record) (any, error) { return changesOf(r.entry), nil })
	case f.Kind == auditlog.KindRaw:
		return newFieldType(types.NewMapType(types.StringType, types.DynType),
			func(r *record) bool { return len(r.entry.Raw) > 0 },
			func(r *record) (any, error) { return r.parseRaw() })
	default:
		return nil
	}
}

// newFieldType makes a field of values of Go's type T.
func newFieldType[T any](t *types.Type, isSet func(T) bool, get func(T) (any, error)) *types.FieldType {
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			of, ok := target.(T)

			return ok && isSet(of)
		},
		GetFrom: func(target any) (any, error) {
			of, ok := target.(T)
			if !ok {
				return nil, errors.New("not what has this field")
			}

			return get(of)
		},
	}
}

var changeFields = []string{"field", "before", "after"}

// changeTypes are the fields of a change.
var changeTypes = map[string]*types.FieldType{
	"field":  changeField(func(c *change) *string { return &c.Field }),
	"before": changeField(func(c *change) *string { return c.Before }),
	"after":  changeField(func(c *change) *string { return c.After }),
}

func changeField(text func(c *change) *string) *types.FieldType {
	return newFieldType(types.StringType,
		func(c *change) bool { return text(c) != nil },
		func(c *change) (any, error) {
			if s := text(c); s != nil {
				return normal(*s), nil
			}

			return types.String(""), nil
		})
}

func changesOf(e *auditlog.Entry) ref.Val {
	values := make([]ref.Val, len(e.Changes))
	for i := range e.Changes {
		values[i] = (*change)(&e.Changes[i])
	}

	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

var (
	errRaw   = errors.New("the record of the cloud is no JSON object")
	errTwins = errors.New("the record of the cloud has two keys that are the same text")
	errTwice = errors.New("the record of the cloud has a key twice")
)

func normal(text string) types.String { return types.String(auditlog.Normal(text)) }

func (r *record) parseRaw() (map[string]any, error) {
	if r.raw != nil || len(r.entry.Raw) == 0 {
		return r.raw, nil
	}

	value, err := exactjson.Value(r.entry.Raw)
	if err != nil && !errors.Is(err, exactjson.ErrSyntax) {
		return nil, errTwice
	}

	object, ok := value.(map[string]any)
	if !ok {
		return nil, errRaw
	}

	raw, err := nativeObject(object)
	r.raw = raw

	return raw, err
}

// native makes CEL's numbers of JSON's: whole ones are int, so that ids keep all
// of their digits, others double. Texts come in their normal form.
func native(value any) (any, error) {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}

		f, _ := v.Float64() // Beyond its range it is infinite, which compares well enough.

		return f, nil
	case string:
		return auditlog.Normal(v), nil
	case map[string]any:
		return nativeObject(v)
	case []any:
		for i, inner := range v {
			var err error
			if v[i], err = native(inner); err != nil {
				return nil, err
			}
		}
	}

	return value, nil
}

func nativeObject(object map[string]any) (map[string]any, error) {
	all := make(map[string]any, len(object))

	for key, value := range object {
		key = auditlog.Normal(key)
		if _, taken := all[key]; taken {
			return nil, errTwins
		}

		var err error
		if all[key], err = native(value); err != nil {
			return nil, err
		}
	}

	return all, nil
}

// ConvertToNative implements ref.Val.
func (r *record) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToType implements ref.Val.
func (r *record) ConvertToType(t ref.Type) ref.Val { return noConversion(t) }

// Equal implements ref.Val.
func (r *record) Equal(other ref.Val) ref.Val {
	o, ok := other.(*record)

	return types.Bool(ok && o.entry == r.entry)
}

// Type implements ref.Val.
func (r *record) Type() ref.Type { return entryType }

// Value implements ref.Val.
func (r *record) Value() any { return r }

// ConvertToNative implements ref.Val.
func (c *change) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToType implements ref.Val.
func (c *change) ConvertToType(t ref.Type) ref.Val { return noConversion(t) }

// Equal implements ref.Val.
func (c *change) Equal(other ref.Val) ref.Val {
	o, ok := other.(*change)

	return types.Bool(ok && same(&o.Field, &c.Field) && same(o.Before, c.Before) && same(o.After, c.After))
}

func same(a, b *string) bool {
	return a == b || a != nil && b != nil && normal(*a) == normal(*b)
}

// Type implements ref.Val.
func (c *change) Type() ref.Type { return changeType }

// Value implements ref.Val.
func (c *change) Value() any { return c }

func noNative(t reflect.Type) (any, error) { return nil, fmt.Errorf("no conversion to %v", t) }

func noConversion(t ref.Type) ref.Val { return types.NewErr("no conversion to %s", t.TypeName()) }

// structTypes are our types, by their names.
var structTypes = map[string]struct {
	t      *types.Type
	names  []string
	fields map[string]*types.FieldType
}{
	entryType.TypeName():  {types.NewTypeTypeWithParam(entryType), entryFieldNames(), fieldTypes},
	changeType.TypeName(): {types.NewTypeTypeWithParam(changeType), changeFields, changeTypes},
}

// provider adds our types to CEL's own. They cannot be made in a condition.
type provider struct{ *types.Registry }

// FindStructType implements types.Provider.
func (p provider) FindStructType(structType string) (*types.Type, bool) {
	if ours, ok := structTypes[structType]; ok {
		return ours.t, true
	}

	return p.Registry.FindStructType(structType)
}

// FindStructFieldNames implements types.Provider.
func (p provider) FindStructFieldNames(structType string) ([]string, bool) {
	if ours, ok := structTypes[structType]; ok {
		return ours.names, true
	}

	return p.Registry.FindStructFieldNames(structType)
}

// FindStructFieldType implements types.Provider.
func (p provider) FindStructFieldType(structType, fieldName string) (*types.FieldType, bool) {
	if ours, ok := structTypes[structType]; ok {
		ft, ok := ours.fields[fieldName]

		return ft, ok
	}

	return p.Registry.FindStructFieldType(structType, fieldName)
}

func entryFieldNames() []string {
	names := make([]string, 0, len(fieldTypes))
	for _, f := range auditlog.Fields() {
		names = append(names, f.Name)
	}

	return slices.Clip(names)
}
