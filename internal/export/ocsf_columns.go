// SPDX-License-Identifier: MPL-2.0

package export

import (
	"fmt"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// OCSFKind says how the values of a column look.
type OCSFKind int

// The kinds of columns of OCSF events in formats that have columns.
const (
	OCSFInteger   OCSFKind = iota // int64
	OCSFString                    // string
	OCSFTimestamp                 // int64, milliseconds since 1970
	OCSFJSON                      // string, a JSON object or array as text
)

// OCSFColumn is one top-level attribute of an event. Objects are JSON text: their
// attributes differ from class to class, and every engine reads JSON.
type OCSFColumn struct {
	Name string
	Kind OCSFKind
	// Required says that no event lacks the attribute.
	Required bool

	of func(*ocsfEvent) any
}

// OCSFColumns lists the columns in the order of an event's keys. All classes have
// the same ones, so that one file can hold them all.
func OCSFColumns() []OCSFColumn { return ocsfColumns }

// OCSFValues returns an event's values in the order of OCSFColumns: nil, or an
// int64 or a string by the column's kind.
func OCSFValues(e *auditlog.Entry, tool OCSFProduct) ([]any, error) {
	v := newOCSFEvent(e, tool)
	values := make([]any, 0, len(ocsfColumns))

	for _, c := range ocsfColumns {
		value := c.of(v)

		if value != nil && c.Kind == OCSFJSON {
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

var ocsfColumns = []OCSFColumn{
	{"activity_id", OCSFInteger, true, func(v *ocsfEvent) any { return int64(v.ActivityID) }},
	{"activity_name", OCSFString, true, func(v *ocsfEvent) any { return v.ActivityName }},
	{"category_uid", OCSFInteger, true, func(v *ocsfEvent) any { return int64(v.CategoryUID) }},
	{"category_name", OCSFString, true, func(v *ocsfEvent) any { return v.CategoryName }},
	{"class_uid", OCSFInteger, true, func(v *ocsfEvent) any { return int64(v.ClassUID) }},
	{"class_name", OCSFString, true, func(v *ocsfEvent) any { return v.ClassName }},
	{"type_uid", OCSFInteger, true, func(v *ocsfEvent) any { return int64(v.TypeUID) }},
	{"type_name", OCSFString, true, func(v *ocsfEvent) any { return v.TypeName }},
	{"severity_id", OCSFInteger, true, func(v *ocsfEvent) any { return int64(v.SeverityID) }},
	{"severity", OCSFString, true, func(v *ocsfEvent) any { return v.Severity }},
	{"status_id", OCSFInteger, true, func(v *ocsfEvent) any { return int64(v.StatusID) }},
	{"status", OCSFString, true, func(v *ocsfEvent) any { return v.Status }},
	{"time", OCSFTimestamp, true, func(v *ocsfEvent) any { return v.Time }},
	{"message", OCSFString, false, func(v *ocsfEvent) any { return textOrNil(v.Message) }},
	{"metadata", OCSFJSON, true, func(v *ocsfEvent) any { return v.Metadata }},
	{"cloud", OCSFJSON, true, func(v *ocsfEvent) any { return v.Cloud }},
	{"api", OCSFJSON, true, func(v *ocsfEvent) any { return v.API }},
	{"actor", OCSFJSON, true, func(v *ocsfEvent) any { return v.Actor }},
	{"src_endpoint", OCSFJSON, false, func(v *ocsfEvent) any { return objectOrNil(v.SrcEndpoint) }},
	{"user", OCSFJSON, false, func(v *ocsfEvent) any { return objectOrNil(v.User) }},
	{"service", OCSFJSON, false, func(v *ocsfEvent) any { return objectOrNil(v.Service) }},
	{"entity", OCSFJSON, false, func(v *ocsfEvent) any { return objectOrNil(v.Entity) }},
	{"resources", OCSFJSON, false, func(v *ocsfEvent) any {
		if len(v.Resources) == 0 {
			return nil
		}

		return v.Resources
	}},
	{"http_request", OCSFJSON, false, func(v *ocsfEvent) any { return objectOrNil(v.HTTPRequest) }},
	{"raw_data", OCSFString, false, func(v *ocsfEvent) any { return textOrNil(v.RawData) }},
	{"unmapped", OCSFJSON, true, func(v *ocsfEvent) any { return v.Unmapped }},
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
