// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	datatimeouts "github.com/hashicorp/terraform-plugin-framework-timeouts/datasource/timeouts"
	ephemeraltimeouts "github.com/hashicorp/terraform-plugin-framework-timeouts/ephemeral/timeouts"
	resourcetimeouts "github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	ephemeral "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	resource "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// The module's own validator of timeouts says what the value is, which may be
// sensitive, and lets pass what is no length of time. Ours takes its place.

func dataSourceTimeouts(ctx context.Context) datasource.Attribute {
	all, ok := datatimeouts.Attributes(ctx).(datasource.SingleNestedAttribute)
	if !ok {
		panic("timeouts are no object") // The module's tests say that they are.
	}

	for name, a := range all.Attributes {
		if s, ok := a.(datasource.StringAttribute); ok {
			s.Validators = []validator.String{durationForm()}
			all.Attributes[name] = s
		}
	}

	return all
}

func ephemeralTimeouts(ctx context.Context) ephemeral.Attribute {
	all, ok := ephemeraltimeouts.Attributes(ctx).(ephemeral.SingleNestedAttribute)
	if !ok {
		panic("timeouts are no object") // As above.
	}

	for name, a := range all.Attributes {
		if s, ok := a.(ephemeral.StringAttribute); ok {
			s.Validators = []validator.String{durationForm()}
			all.Attributes[name] = s
		}
	}

	return all
}

func resourceTimeouts(ctx context.Context, o resourcetimeouts.Opts) resource.Attribute {
	all, ok := resourcetimeouts.Attributes(ctx, o).(resource.SingleNestedAttribute)
	if !ok {
		panic("timeouts are no object") // As above.
	}

	for name, a := range all.Attributes {
		if s, ok := a.(resource.StringAttribute); ok {
			s.Validators = []validator.String{durationForm()}
			all.Attributes[name] = s
		}
	}

	return all
}
