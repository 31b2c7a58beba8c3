// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// diagnose shows problems to Terraform. A problem is never at an argument that holds a
// secret: Terraform shows the line of the configuration that it is written in.
func diagnose(problems ...explain.Problem) diag.Diagnostics {
	var diags diag.Diagnostics

	for _, p := range problems {
		var d diag.Diagnostic = diag.NewErrorDiagnostic(screen.Text(p.Summary), p.Detail())
		if p.Warning {
			d = diag.NewWarningDiagnostic(d.Summary(), d.Detail())
		}

		if p.Place != nil {
			d = diag.WithPath(pathAt(p.Place), d)
		}

		diags.Append(d)
	}

	return diags
}

// pathAt is where a place is in a configuration.
func pathAt(place explain.Place) path.Path {
	at := path.Empty()

	for _, step := range place {
		switch step := step.(type) {
		case explain.Key:
			at = at.AtMapKey(string(step))
		case int:
			at = at.AtListIndex(step)
		default:
			at = at.AtName(fmt.Sprint(step))
		}
	}

	return at
}

// placeOf is the place of what is in a configuration.
func placeOf(at path.Path) explain.Place {
	var place explain.Place

	for _, step := range at.Steps() {
		switch step := step.(type) {
		case path.PathStepElementKeyString:
			place = place.Key(string(step))
		case path.PathStepElementKeyInt:
			place = place.Index(int(step))
		case path.PathStepAttributeName:
			place = place.Part(string(step))
		}
	}

	return place
}

// onArgument puts a problem on an argument of a function. Terraform ends the text with
// a full stop of its own.
func onArgument(i int64, p explain.Problem) *function.FuncError {
	return function.NewArgumentFuncError(i, p.Error())
}

// onCall puts a problem on the call of a function.
func onCall(p explain.Problem) *function.FuncError { return function.NewFuncError(p.Error()) }
