// SPDX-License-Identifier: MPL-2.0

package ocsf

import (
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
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

	of func(*event) any
}

// Columns lists the columns in the order of an event's keys. All classes have
// the same ones, so that one file can hold them all.
func Columns() []Column { return columns }

// Values returns an event's values in the order of Columns: nil, or an
// int64 or a string by the column's kind.
func Values(e *auditlog.Entry, tool Product) ([]any, error) {
	v := newEvent(e, tool)
	values := make([]any, 0, len(columns))

	for _, c := range columns {
		value := c.of(v)

		if value != nil && c.Kind == JSON {
			text, err := compactJSON(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}

			value = string(text)
		}

		values = append(values, value)
	}

	return values, nil
}

var columns = []Column{
	{"activity_id", Integer, true, func(v *event) any { return int64(v.ActivityID) }},
	{"activity_name", String, true, func(v *event) any { return v.ActivityName }},
	{"category_uid", Integer, true, func(v *event) any { return int64(v.CategoryUID) }},
	{"category_name", String, true, func(v *event) any { return v.CategoryName }},
	{"class_uid", Integer, true, func(v *event) any { return int64(v.ClassUID) }},
	{"class_name", String, true, func(v *event) any { return v.ClassName }},
	{"type_uid", Integer, true, func(v *event) any { return int64(v.TypeUID) }},
	{"type_name", String, true, func(v *event) any { return v.TypeName }},
	{"severity_id", Integer, true, func(v *event) any { return int64(v.SeverityID) }},
	{"severity", String, true, func(v *event) any { return v.Severity }},
	{"status_id", Integer, true, func(v *event) any { return int64(v.StatusID) }},
	{"status", String, true, func(v *event) any { return v.Status }},
	{"time", Timestamp, true, func(v *event) any { return v.Time }},
	{"message", String, false, func(v *event) any { return textOrNil(v.Message) }},
	{"metadata", JSON, true, func(v *event) any { return v.Metadata }},
	{"cloud", JSON, true, func(v *event) any { return v.Cloud }},
	{"api", JSON, true, func(v *event) any { return v.API }},
	{"actor", JSON, true, func(v *event) any { return v.Actor }},
	{"src_endpoint", JSON, false, func(v *event) any { return objectOrNil(v.SrcEndpoint) }},
	{"user", JSON, false, func(v *event) any { return objectOrNil(v.User) }},
	{"service", JSON, false, func(v *event) any { return objectOrNil(v.Service) }},
	{"entity", JSON, false, func(v *event) any { return objectOrNil(v.Entity) }},
	{"resources", JSON, false, func(v *event) any {
		if len(v.Resources) == 0 {
			return nil
		}

		return v.Resources
	}},
	{"http_request", JSON, false, func(v *event) any { return objectOrNil(v.HTTPRequest) }},
	{"raw_data", String, false, func(v *event) any { return textOrNil(v.RawData) }},
	{"unmapped", JSON, true, func(v *event) any { return v.Unmapped }},
}

func textOrNil(text string) any {
	if text == "" {
		return nil
	}

	return text
}

// objectOrNil keeps a nil pointer from becoming a value that is not nil.
func objectOrNil[T any](object *T) any {
	if object == nil {
		return nil
	}

	return object
}
