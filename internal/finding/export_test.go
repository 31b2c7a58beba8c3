// SPDX-License-Identifier: MPL-2.0

package finding

import "github.com/auditlogs/terraform-provider-audit/internal/auditlog"

// OperationsOf returns the operations that a built-in rule looks at.
func OperationsOf(b Builtin) []auditlog.Operation { return b.operations }

// GlobMatch says whether a pattern of an expectation matches a text.
func GlobMatch(pattern, text string) bool { return matchesAny([]string{pattern}, text) }
