// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// queryAttributes are the arguments of a query, which every type that reads shares.
func queryAttributes(settleDelay string) map[string]schema.Attribute {
	attributes := argumentAttributes(slices.Concat(source.Table(), query.Table(settleDelay)))

	for _, s := range query.Switches() {
		attributes[s.Name] = schema.BoolAttribute{MarkdownDescription: s.Description, Optional: true}
	}

	return attributes
}

func argumentAttributes(table []query.Argument) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}

	for _, a := range table {
		attributes[a.Name] = schema.StringAttribute{
			MarkdownDescription: a.Description, Optional: true,
			Validators: texts(a.Form),
		}

		if a.List {
			text := a.Description
			if !strings.Contains(text, "Default: ") { // Those that choose no entries say their own.
				text += " Default: all."
			}

			attributes[a.Name] = schema.ListAttribute{
				MarkdownDescription: text, ElementType: types.StringType, Optional: true,
				Validators: []validator.List{filterList{a.Form}},
			}
		}
	}

	return attributes
}
