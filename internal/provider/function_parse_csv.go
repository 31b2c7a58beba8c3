// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// ParseCSVFunction is the name of the function in provider::audit.
const ParseCSVFunction = "parse_csv"

var _ function.Function = (*parseCSVFunction)(nil)

// NewParseCSVFunction returns the function provider::audit::parse_csv.
func NewParseCSVFunction() function.Function { return &parseCSVFunction{} }

type parseCSVFunction struct{}

// Metadata implements function.Function.
func (f *parseCSVFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = ParseCSVFunction
}

// Definition implements function.Function.
func (f *parseCSVFunction) Definition(
	_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse,
) {
	resp.Definition = function.Definition{
		Summary: "Reads the entries of a console export",
		MarkdownDescription: "Returns the entries of the CSV text that the console of PodStack exports, or that `audit_log_export` wrote, oldest first: " +
			"objects with the attributes of `entries` of [`audit_logs`](../data-sources/logs.md), null where the text has nothing. " +
			"It needs no provider configuration and reads nothing but its argument. " +
			"White space around a cell is no part of a field, and stays in `raw`.",
		Parameters: []function.Parameter{
			function.StringParameter{Name: "text", MarkdownDescription: "The CSV text, such as `file(\"export.csv\")`."},
		},
		VariadicParameter: function.MapParameter{
			Name: "columns", ElementType: types.StringType,
			MarkdownDescription: "At most one map: which header is which field, where that cannot be told, as `columns` of the provider's `podstack`.",
		},
		Return: function.ListReturn{ElementType: types.ObjectType{AttrTypes: entryAttributeTypes()}},
	}
}

// Run is called for every call whose arguments are known.
func (f *parseCSVFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var (
		text     string
		mappings []map[string]string
	)

	if resp.Error = req.Arguments.Get(ctx, &text, &mappings); resp.Error != nil {
		return
	}

	if len(mappings) > 1 {
		resp.Error = onArgument(2, explain.Problem{
			Cause: "There is more than one mapping of columns.",
			Next:  "Put all of it into one map, for example with merge().",
		})

		return
	}

	list, err := parseCSV(ctx, text, append(mappings, nil)[0])
	if err != nil {
		resp.Error = onArgument(0, explain.Error(err, explain.Circumstances{}))

		return
	}

	resp.Error = resp.Result.Set(ctx, list)
}

// parseCSV returns the entries as a value.
func parseCSV(ctx context.Context, text string, mapping map[string]string) (types.List, error) {
	listType := types.ListType{ElemType: types.ObjectType{AttrTypes: entryAttributeTypes()}}
	none := types.ListNull(listType.ElemType)

	entries, err := podstack.Parse(ctx, text, mapping)
	if err != nil {
		return none, err
	}

	terraformType, ok := listType.TerraformType(ctx).(tftypes.List)
	if !ok {
		return none, fmt.Errorf("the result is a %s", listType)
	}

	raw, err := entriesValue(terraformType, entries, true)
	if err != nil {
		return none, err
	}

	value, err := listType.ValueFromTerraform(ctx, raw)
	if err != nil {
		return none, fmt.Errorf("build the result: %w", err)
	}

	list, ok := value.(types.List)
	if !ok {
		return none, fmt.Errorf("the result is a %T", value)
	}

	return list, nil
}

// changesType is the type of an entry's changes.
func changesType() types.ListType {
	list, ok := entryAttributeTypes()[auditlog.FieldChanges].(types.ListType)
	if !ok {
		panic("changes are no list") // A table says that they are.
	}

	return list
}
