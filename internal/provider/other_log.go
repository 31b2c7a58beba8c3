// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
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

// otherLogProblem says that a thing, such as "archive", was of another log so far.
func otherLogProblem(err *auditlog.SourceError, summary, thing string) problem {
	p := problem{
		summary: summary,
		cause:   "The " + thing + " is of another log than the one that is read now.",
		next:    "Read the same log as before, or keep this one elsewhere: nothing was changed.",
	}.with("Kept so far", err.Known.String()).with("Read now", err.Found.String())

	if sameBut := err.Known; !sameBut.Differs(auditlog.Source{Service: err.Found.Service, Endpoint: err.Found.Endpoint}) {
		p.next = fmt.Sprintf("Use credentials of the same account as before, or keep this log elsewhere: nothing was changed; "+
			"if both are one account, say so with account = %q in the provider's %s block.", err.Known.Account, err.Known.Service)

		if redact.IsPseudonym(err.Known.Account) {
			p.next = "Use credentials of the same account as before, or keep this log elsewhere: nothing was changed."
		}
	}

	return p
}

// unconfirmedWarning says that a thing goes on although nothing says that the log is
// still the same one's.
func unconfirmedWarning(known auditlog.Source, summary, thing string) diag.Diagnostic {
	p := problem{
		summary: summary,
		cause:   "The " + thing + " is of a known account, and whose log is read now could not be confirmed.",
		next: fmt.Sprintf("Find out whether the credentials are still those of that account; to say that they are, set account = %q in the provider's %s block.",
			known.Account, known.Service),
	}.with("Kept so far", known.String())

	// What is set has to be the name: of a pseudonym another one would be made.
	if redact.IsPseudonym(known.Account) {
		p.next = fmt.Sprintf("Find out whether redaction_key is still the same, which made the pseudonym, and whether the credentials are still those of that account; "+
			"to say that they are, set account in the provider's %s block to its name.", known.Service)
	}

	return p.warning()
}
