// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

const (
	csvName      = "csv"
	csvDelimiter = "delimiter"
	csvBOM       = "bom"
)

// csvAttribute says how a CSV file is laid out. It has no defaults of its own, so that
// exports that were made before the argument existed stay as they are.
func csvAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "How a CSV file is laid out; only with `format = \"csv\"`.",
		Optional:            true,
		Attributes: map[string]schema.Attribute{
			csvDelimiter: schema.StringAttribute{
				MarkdownDescription: "What is between cells: `,`, `;` or a tab (`\"\\t\"`). Spreadsheets of countries that write a decimal comma expect `;`. Default: `,`.",
				Optional:            true,
				Validators:          []validator.String{delimiterForm()},
			},
			csvBOM: schema.BoolAttribute{
				MarkdownDescription: "Whether the file begins with a byte order mark, by which Excel knows that the text is UTF-8. Default: `false`.",
				Optional:            true,
			},
		},
	}
}

func delimiterForm() form {
	return formOf(`",", ";" or "\t"`, func(value string) error {
		if !slices.Contains(format.CSVDelimiters(), value) {
			return errors.New("no delimiter of CSV")
		}

		return nil
	})
}

// validateCSV refuses an argument that would do nothing.
func (m *exportModel) validateCSV() diag.Diagnostics {
	if !given(m.CSV) || m.Format.IsUnknown() || m.Format.ValueString() == string(format.CSV) {
		return nil
	}

	return diagnose(explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   "The argument says how a CSV file is laid out, but the format is another one.",
		Next:    "Remove csv, or set format = \"csv\".",
	}.With("Format", m.Format.ValueString()).At(explain.Argument(csvName)))
}

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
