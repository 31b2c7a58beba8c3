// SPDX-License-Identifier: MPL-2.0

package where

import "github.com/auditlogs/terraform-provider-audit/internal/auditlog"

// For tests.
const (
	MaxNodes   = maxNodes
	MaxNesting = maxNesting
	MaxLoops   = maxLoops
)

// MatchByCEL is Match without guesses.
func (x *Expression) MatchByCEL(e *auditlog.Entry) (bool, error) { return x.matchByCEL(e) }

// Guesses says whether anything of the condition can be guessed.
func (x *Expression) Guesses() bool { return x.guess.cost > 0 }

// FunctionNames are what can be called.
func FunctionNames() []string { return functionNames() }
