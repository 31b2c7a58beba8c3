// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"math"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// confirmValues holds the values that are asked for against what the service knows:
// one that no entry has is an error, or a warning where that is allowed. Those that
// nothing confirms are looked out for while the query is read.
func confirmValues(ctx context.Context, s auditlog.Service, q *auditlog.Query, more []auditlog.Asked) diag.Diagnostics {
	info := s.Info()
	always := auditlog.Window{Start: time.Unix(0, 0).UTC(), End: time.Unix(math.MaxInt32*100, 0).UTC()}

	unknown, unconfirmed, err := auditlog.CheckValues(info, append(q.Asked(), more...), func() (auditlog.FilterOptions, error) {
		return s.FilterOptions(ctx, auditlog.Query{Window: always})
	})

	q.Unconfirmed = unconfirmed

	var diags diag.Diagnostics

	for i := range unknown {
		p := explain.UnknownValue(&unknown[i], info)
		if q.AllowUnknownValues {
			diags.Append(diagnose(p.AsWarning())...)
		} else {
			diags.Append(diagnose(p)...)
		}
	}

	if err != nil {
		p := explain.Error(err, explain.Circumstances{Summary: "The values that are asked for could not be checked", Info: info})
		p.Cause = "The service did not say which values its entries have. " + p.Cause
		p.Next = "Look for misspelt values yourself: until they can be checked, that nothing is found with them is not conclusive."

		for i := range unconfirmed {
			p = p.With("Argument", unconfirmed[i].Place())
		}

		diags.Append(diagnose(p.AsWarning())...)
	}

	return diags
}
