// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// sourceTypes are the attributes that say whose log it is.
func sourceTypes() map[string]attr.Type {
	return map[string]attr.Type{"service": types.StringType, "endpoint": types.StringType, "account": types.StringType}
}

func sourceValue(s auditlog.Source) types.Object {
	return types.ObjectValueMust(sourceTypes(), map[string]attr.Value{
		"service": nullable(s.Service), "endpoint": nullable(s.Endpoint), "account": nullable(s.Account),
	})
}

func sourceFrom(o types.Object) auditlog.Source {
	text := func(name string) string {
		s, ok := o.Attributes()[name].(types.String)
		if !ok {
			return ""
		}

		return s.ValueString()
	}

	return auditlog.Source{Service: text("service"), Endpoint: text("endpoint"), Account: text("account")}
}
