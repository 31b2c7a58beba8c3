// SPDX-License-Identifier: MPL-2.0

package gate

import (
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// The exit codes of a check.
const (
	Clean   = 0
	Found   = 1
	Unknown = 2
)

// Code is the exit code of a verdict, which is nil where an error came before it, with what
// was found to be wrong. That something could not be told counts more than that something
// was found: what is listed may lack something then. It is Clean only where the verdict says
// that it is.
func Code(v *task.Verdict, problems explain.Problems) int {
	switch {
	case v == nil, problems.HasError(), len(v.Completeness.Gaps) > 0, v.Completeness.BeyondRetention:
		return Unknown
	case v.TotalCount > 0:
		return Found
	case !v.Clean:
		return Unknown
	default:
		return Clean
	}
}
