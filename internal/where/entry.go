// SPDX-License-Identifier: MPL-2.0

package where

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
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
	set := func(is func(r *record) bool) ref.FieldTester {
		return func(target any) bool {
			r, ok := target.(*record)

			return ok && is(r)
		}
	}

	get := func(value func(r *record) (any, error)) ref.FieldGetter {
		return func(target any) (any, error) {
			r, ok := target.(*record)
			if !ok {
				return nil, errors.New("not an entry")
			}

			return value(r)
		}
	}

	switch {
	case f.Kind == auditlog.KindString:
		return &types.FieldType{
			Type:    types.StringType,
			IsSet:   set(func(r *record) bool { return r.text(f) != "" }),
			GetFrom: get(func(r *record) (any, error) { return normal(r.text(f)), nil }),
		}
	case f.Kind == auditlog.KindTime && f.Name == "time":
		return &types.FieldType{
			Type:    types.TimestampType,
			IsSet:   set(func(r *record) bool { return !r.entry.Time.IsZero() }),
			GetFrom: get(func(r *record) (any, error) { return types.Timestamp{Time: r.entry.Time}, nil }),
		}
	case f.Kind == auditlog.KindChanges:
		return &types.FieldType{
			Type:    types.NewListType(changeType),
			IsSet:   set(func(r *record) bool { return len(r.entry.Changes) > 0 }),
			GetFrom: get(func(r *record) (any, error) { return changesOf(r.entry), nil }),
		}
	case f.Kind == auditlog.KindRaw:
		return &types.FieldType{
			Type:    types.NewMapType(types.StringType, types.DynType),
			IsSet:   set(func(r *record) bool { return len(r.entry.Raw) > 0 }),
			GetFrom: get(func(r *record) (any, error) { return r.parseRaw() }),
		}
	default:
		return nil
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
	return &types.FieldType{
		Type: types.StringType,
		IsSet: func(target any) bool {
			c, ok := target.(*change)

			return ok && text(c) != nil
		},
		GetFrom: func(target any) (any, error) {
			c, ok := target.(*change)
			if !ok {
				return nil, errors.New("not a change")
			}

			if s := text(c); s != nil {
				return normal(*s), nil
			}

			return types.String(""), nil
		},
	}
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
)

func normal(text string) types.String { return types.String(auditlog.Normal(text)) }

func (r *record) parseRaw() (map[string]any, error) {
	if r.raw != nil || len(r.entry.Raw) == 0 {
		return r.raw, nil
	}

	d := json.NewDecoder(bytes.NewReader(r.entry.Raw))
	d.UseNumber()

	var object map[string]any
	if d.Decode(&object) != nil || object == nil {
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

// provider adds our types to CEL's own. They cannot be made in a condition.
type provider struct{ *types.Registry }

// FindStructType implements types.Provider.
func (p provider) FindStructType(structType string) (*types.Type, bool) {
	switch structType {
	case entryType.TypeName():
		return types.NewTypeTypeWithParam(entryType), true
	case changeType.TypeName():
		return types.NewTypeTypeWithParam(changeType), true
	default:
		return p.Registry.FindStructType(structType)
	}
}

// FindStructFieldNames implements types.Provider.
func (p provider) FindStructFieldNames(structType string) ([]string, bool) {
	switch structType {
	case entryType.TypeName():
		return entryFieldNames(), true
	case changeType.TypeName():
		return changeFields, true
	default:
		return p.Registry.FindStructFieldNames(structType)
	}
}

// FindStructFieldType implements types.Provider.
func (p provider) FindStructFieldType(structType, fieldName string) (*types.FieldType, bool) {
	var (
		ft *types.FieldType
		ok bool
	)

	switch structType {
	case entryType.TypeName():
		ft, ok = fieldTypes[fieldName]
	case changeType.TypeName():
		ft, ok = changeTypes[fieldName]
	default:
		ft, ok = p.Registry.FindStructFieldType(structType, fieldName)
	}

	return ft, ok
}

func entryFieldNames() []string {
	names := make([]string, 0, len(fieldTypes))
	for _, f := range auditlog.Fields() {
		names = append(names, f.Name)
	}

	return slices.Clip(names)
}
