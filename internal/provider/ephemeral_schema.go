// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"

	datasource "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
)

// ephemeralAttributes returns the attributes of a data source as those of an
// ephemeral resource, so that each is described and validated in one place. The
// kinds are those that our data sources use; another one is a mistake that every
// test finds.
func ephemeralAttributes(attributes map[string]datasource.Attribute) map[string]schema.Attribute {
	converted := make(map[string]schema.Attribute, len(attributes))

	for name, attribute := range attributes {
		converted[name] = ephemeralAttribute(attribute)
	}

	return converted
}

func ephemeralAttribute(attribute datasource.Attribute) schema.Attribute {
	switch a := attribute.(type) {
	case datasource.StringAttribute:
		return schema.StringAttribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators,
		}
	case datasource.Int64Attribute:
		return schema.Int64Attribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators,
		}
	case datasource.BoolAttribute:
		return schema.BoolAttribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators,
		}
	case datasource.ListAttribute:
		return schema.ListAttribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators, ElementType: a.ElementType,
		}
	case datasource.MapAttribute:
		return schema.MapAttribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators, ElementType: a.ElementType,
		}
	case datasource.SingleNestedAttribute:
		return schema.SingleNestedAttribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators, Attributes: ephemeralAttributes(a.Attributes),
		}
	case datasource.ListNestedAttribute:
		return schema.ListNestedAttribute{
			MarkdownDescription: a.MarkdownDescription, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, Validators: a.Validators,
			NestedObject: schema.NestedAttributeObject{Attributes: ephemeralAttributes(a.NestedObject.Attributes)},
		}
	default:
		panic(fmt.Sprintf("no ephemeral twin of a %T", attribute))
	}
}
