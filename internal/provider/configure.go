// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// configuredFrom reads what Configure handed over. Terraform validates without
// configuring, so there may be nothing yet.
func configuredFrom(data any, diags *diag.Diagnostics) *configured {
	if data == nil {
		return nil
	}

	c, ok := data.(*configured)
	if !ok {
		diags.Append(problem{
			summary: configureProvider,
			cause:   fmt.Sprintf("The provider handed over a %T.", data),
			next:    "This is a mistake in the provider; please report it.",
		}.diagnostic())
	}

	return c
}
