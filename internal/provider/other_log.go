// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

// askTimeout bounds what a plan waits for whose log it is.
const askTimeout = 15 * time.Second

// asking returns a context in which a plan may ask whose log it is: one time only,
// and not for long, since a plan does not fail for want of the answer.
func asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(client.Once(ctx), askTimeout)
}

// identify returns whose log the service's is. It is asked only where something has
// to be compared with the answer.
func identify(ctx context.Context, s auditlog.Service, known auditlog.Source) auditlog.Source {
	i, ok := s.(auditlog.Identifier)
	if !ok || known.Account == "" {
		return s.Info().Source
	}

	return i.Identify(ctx)
}

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
