// SPDX-License-Identifier: MPL-2.0

package ocsf

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// Kind says how the values of a column look.
type Kind int

// The kinds of columns of OCSF events in formats that have columns.
const (
	Integer   Kind = iota // int64
	String                // string
	Timestamp             // int64, milliseconds since 1970
	JSON                  // string, a JSON object or array as text
)

// Column is one top-level attribute of an event. Objects are JSON text: their
// attributes differ from class to class, and every engine reads JSON.
type Column struct {
	Name string
	Kind Kind
	// Required says that no event lacks the attribute.
	Required bool
}

// Columns lists the columns in the order of an event's keys. All classes have
// the same ones, so that one file can hold them all.
func Columns() []Column { return columns }

// columns are the fields of event: what is left out of JSON where it is empty is not
// required.
var columns = func() []Column {
	fields := reflect.VisibleFields(reflect.TypeFor[event]())
	list := make([]Column, 0, len(fields))

	for _, f := range fields {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		c := Column{Name: name, Kind: JSON, Required: options != "omitempty"}

		switch {
		case name == "time":
			c.Kind = Timestamp
		case f.Type.Kind() == reflect.Int:
			c.Kind = Integer
		case f.Type.Kind() == reflect.String:
			c.Kind = String
		}

		list = append(list, c)
	}

	return list
}()

// Values returns an event's values in the order of Columns: nil, or an
// int64 or a string by the column's kind.
func Values(e *auditlog.Entry, tool Product) ([]any, error) {
	fields := reflect.ValueOf(newEvent(e, tool)).Elem()
	values := make([]any, len(columns))

	for i, c := range columns {
		switch field := fields.Field(i); {
		case !c.Required && field.IsZero():
		case c.Kind == String:
			values[i] = field.String()
		case c.Kind != JSON:
			values[i] = field.Int()
		default:
			text, err := exactjson.Marshal(field.Interface(), "")
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}

			values[i] = string(text)
		}
	}

	return values, nil
}
