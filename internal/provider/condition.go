// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

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
		resp.Diagnostics.Append(conditionProblem(err).at(req.Path))
	}
}

// conditionProblem says why a condition does not compile.
func conditionProblem(err error) problem {
	p := problem{
		summary: checkConfiguration,
		cause:   "The condition cannot be used: " + err.Error() + ".",
		next:    "Correct it there; the guide \"Conditions\" lists the fields and functions, with examples.",
	}

	if e := (*where.Error)(nil); errors.As(err, &e) {
		p.cause = "The condition cannot be used: " + e.Reason + "."
		p.excerpt = e.Pointer()
		p = p.with("Line", strconv.Itoa(e.Line)).with("Column", strconv.Itoa(e.Column))
	}

	return p
}

// evalProblem adds what an entry has shown to be wrong with a condition. Nothing
// of the entry is part of it.
func evalProblem(p problem, e *where.EvalError) problem {
	p.cause = "The condition cannot be evaluated: " + e.Reason + "."
	p.next = e.Advice + "; until then nothing is returned, since a condition that fails is not one that is false."

	if e.Line > 0 {
		p.excerpt = e.Pointer()
		p = p.with("Line", strconv.Itoa(e.Line)).with("Column", strconv.Itoa(e.Column))
	}

	return p
}
