// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"context"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Compare holds resources against what the query brings.
func Compare(ctx context.Context, s auditlog.Service, q auditlog.Query, o Options) (*Result, error) {
	info, err := auditlog.Inspected(ctx, s)
	if err != nil {
		return nil, err
	}

	c, err := Begin(info, &q, o)
	if err != nil {
		return nil, err
	}

	done, err := auditlog.ReadAll(ctx, s, q, c.Take)
	if err != nil {
		return nil, err
	}

	return c.End(done), nil
}
