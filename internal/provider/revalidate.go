// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// validation has a configuration validated, as Terraform does.
type validation func(ctx context.Context, s tfprotov6.ProviderServer,
	config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error)

// revalidate reports what is wrong with a configuration, of which more may be known
// now than when Terraform had it validated: whatever could not be decided then is
// decided here, before anything is read or written. Warnings were given then.
func revalidate(ctx context.Context, config tfsdk.Config, validate validation) diag.Diagnostics {
	value, err := tfprotov6.NewDynamicValue(config.Schema.Type().TerraformType(ctx), config.Raw)
	if err != nil {
		return diagnose(revalidationProblem(err))
	}

	// Validation needs neither the environment nor what Configure made.
	found, err := validate(ctx, providerserver.NewProtocol6(New(Options{})())(), &value)
	if err != nil {
		return diagnose(revalidationProblem(err))
	}

	var diags diag.Diagnostics

	for _, d := range found {
		switch {
		case d.Severity != tfprotov6.DiagnosticSeverityError:
		case d.Attribute == nil:
			diags.Append(diag.NewErrorDiagnostic(screen.Text(d.Summary), screen.Lines(d.Detail)))
		default:
			diags.Append(diag.NewAttributeErrorDiagnostic(pathOf(d.Attribute), screen.Text(d.Summary), screen.Lines(d.Detail)))
		}
	}

	return diags
}

// revalidateKnown is revalidate where everything has to be known by now.
func revalidateKnown(ctx context.Context, config tfsdk.Config, validate validation) diag.Diagnostics {
	if !config.Raw.IsFullyKnown() {
		return diagnose(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "An argument is not known yet, so that nothing can be read or written.",
			Next:    "This is a mistake in Terraform or in the provider; please report it.",
		})
	}

	return revalidate(ctx, config, validate)
}

// decode reads a configuration of which everything has to be known by now.
func decode(ctx context.Context, config tfsdk.Config, validate validation, model any) diag.Diagnostics {
	diags := revalidateKnown(ctx, config, validate)
	diags.Append(config.Get(ctx, model)...)

	return diags
}

func revalidationProblem(err error) explain.Problem {
	return explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   explain.Sentence(err.Error()),
		Next:    "This is a mistake in the provider; please report it.",
	}
}

func pathOf(attribute *tftypes.AttributePath) path.Path {
	at := path.Empty()

	for _, step := range attribute.Steps() {
		switch step := step.(type) {
		case tftypes.AttributeName:
			at = at.AtName(string(step))
		case tftypes.ElementKeyInt:
			at = at.AtListIndex(int(step))
		case tftypes.ElementKeyString:
			at = at.AtMapKey(string(step))
		}
	}

	return at
}

func validateProvider(
	ctx context.Context, s tfprotov6.ProviderServer, config *tfprotov6.DynamicValue,
) ([]*tfprotov6.Diagnostic, error) {
	resp, err := s.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: config})

	return resp.Diagnostics, err //nolint:wrapcheck // The framework's own.
}

func validateDataSource(name string) validation {
	return func(ctx context.Context, s tfprotov6.ProviderServer, config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic,
		error,
	) {
		resp, err := s.ValidateDataResourceConfig(ctx,
			&tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})

		return resp.Diagnostics, err //nolint:wrapcheck // The framework's own.
	}
}

func validateEphemeral(name string) validation {
	return func(ctx context.Context, s tfprotov6.ProviderServer, config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic,
		error,
	) {
		resp, err := s.ValidateEphemeralResourceConfig(ctx,
			&tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: name, Config: config})

		return resp.Diagnostics, err //nolint:wrapcheck // The framework's own.
	}
}

func validateResource(name string) validation {
	return func(ctx context.Context, s tfprotov6.ProviderServer, config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic,
		error,
	) {
		resp, err := s.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{
			TypeName: name, Config: config,
			// Whether the host knows of such arguments, its own validation has decided.
			ClientCapabilities: &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true},
		})

		return resp.Diagnostics, err //nolint:wrapcheck // The framework's own.
	}
}
