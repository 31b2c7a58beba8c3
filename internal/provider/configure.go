// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// configuredFrom reads what Configure handed over. Terraform validates without
// configuring, so there may be nothing yet.
func configuredFrom(data any, diags *diag.Diagnostics) *configured {
	if data == nil {
		return nil
	}

	c, ok := data.(*configured)
	if !ok {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.ConfigureProvider,
			Cause:   explain.Textf("The provider handed over a %T.", data),
			Next:    "This is a mistake in the provider; please report it.",
		})...)
	}

	return c
}
