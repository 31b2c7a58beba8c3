// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

const (
	csvName      = "csv"
	csvDelimiter = "delimiter"
	csvBOM       = "bom"
)

// csvMeant is what the argument means: the defaults where it leaves something out.
func (m *exportModel) csvMeant() attr.Value {
	if m.CSV.IsUnknown() {
		return m.CSV
	}

	delimiter, bom := m.csvParts()

	if delimiter.IsNull() {
		delimiter = types.StringValue(format.DefaultCSVDelimiter)
	}

	if bom.IsNull() {
		bom = types.BoolValue(false)
	}

	return types.ObjectValueMust(csvTypes(), map[string]attr.Value{csvDelimiter: delimiter, csvBOM: bom})
}

// csvOptions are those of what is known.
func (m *exportModel) csvOptions() format.CSVOptions {
	delimiter, bom := m.csvParts()

	return format.CSVOptions{Delimiter: delimiter.ValueString(), BOM: bom.ValueBool()}
}

func csvTypes() map[string]attr.Type {
	return map[string]attr.Type{csvDelimiter: types.StringType, csvBOM: types.BoolType}
}

// csvParts are null where the argument or a part of it is.
func (m *exportModel) csvParts() (delimiter types.String, bom types.Bool) {
	delimiter, bom = types.StringNull(), types.BoolNull()

	if v, ok := m.CSV.Attributes()[csvDelimiter].(types.String); ok {
		delimiter = v
	}

	if v, ok := m.CSV.Attributes()[csvBOM].(types.Bool); ok {
		bom = v
	}

	return delimiter, bom
}
