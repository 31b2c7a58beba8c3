// SPDX-License-Identifier: MPL-2.0

package where

// For tests.
const (
	MaxNodes   = maxNodes
	MaxNesting = maxNesting
	MaxLoops   = maxLoops
)

// FunctionNames are what can be called.
func FunctionNames() []string { return functionNames() }
