// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

const whereName = "where"

// conditionForm checks a condition wherever one is written.
type conditionForm struct{}

// Description implements validator.Describer.
func (conditionForm) Description(context.Context) string {
	return `a condition in CEL, such as "entry.operation == \"delete\""`
}

// MarkdownDescription implements validator.Describer.
func (v conditionForm) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (conditionForm) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}

	if _, err := where.Compile(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.Append(diagnose(explain.Condition(err).At(placeOf(req.Path)))...)
	}
}
