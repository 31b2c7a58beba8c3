// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// entriesName is the attribute that holds rows.
const entriesName = "entries"

// entriesValue returns the rows as a value of the list's type.
func entriesValue(list tftypes.List, entries []auditlog.Entry, includeRaw bool) (tftypes.Value, error) {
	object, ok := list.ElementType.(tftypes.Object)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("a row is a %s", list.ElementType)
	}

	changes, ok := object.AttributeTypes[auditlog.FieldChanges].(tftypes.List)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("%s is a %s", auditlog.FieldChanges, object.AttributeTypes[auditlog.FieldChanges])
	}

	fields := auditlog.Fields()
	rows := make([]tftypes.Value, 0, len(entries))

	for i := range entries {
		row := make(map[string]tftypes.Value, len(fields))

		for j := range fields {
			f := &fields[j]

			switch {
			case f.Kind == auditlog.KindChanges:
				row[f.Name] = changesValue(changes, entries[i].Changes)
			case f.Kind == auditlog.KindRaw && !includeRaw:
				row[f.Name] = tftypes.NewValue(tftypes.String, nil)
			default:
				row[f.Name] = textValue(f.Text(&entries[i]))
			}
		}

		if err := tftypes.ValidateValue(object, row); err != nil {
			return tftypes.Value{}, fmt.Errorf("build a row: %w", err)
		}

		rows = append(rows, tftypes.NewValue(object, row))
	}

	return tftypes.NewValue(list, rows), nil
}

// textValue returns null for what the cloud did not record.
func textValue(text string) tftypes.Value {
	if text == "" {
		return tftypes.NewValue(tftypes.String, nil)
	}

	return tftypes.NewValue(tftypes.String, text)
}

func changesValue(list tftypes.List, changes []auditlog.Change) tftypes.Value {
	if len(changes) == 0 {
		return tftypes.NewValue(list, nil)
	}

	values := make([]tftypes.Value, 0, len(changes))
	for _, c := range changes {
		values = append(values, tftypes.NewValue(list.ElementType, map[string]tftypes.Value{
			"field":  tftypes.NewValue(tftypes.String, c.Field),
			"before": tftypes.NewValue(tftypes.String, c.Before),
			"after":  tftypes.NewValue(tftypes.String, c.After),
		}))
	}

	return tftypes.NewValue(list, values)
}

// entryAttributeTypes are the types of a row's attributes.
func entryAttributeTypes() map[string]attr.Type {
	attributes := map[string]attr.Type{}

	for _, f := range auditlog.Fields() {
		attributes[f.Name] = types.StringType
		if f.Kind == auditlog.KindChanges {
			attributes[f.Name] = types.ListType{ElemType: types.ObjectType{AttrTypes: changeTypes()}}
		}
	}

	return attributes
}

// changeTypes are the types of the attributes of a change.
func changeTypes() map[string]attr.Type {
	return map[string]attr.Type{"field": types.StringType, "before": types.StringType, "after": types.StringType}
}
