// SPDX-License-Identifier: MPL-2.0

package where

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
)

// Error says what is wrong with a condition and where.
type Error struct {
	// Line and Column begin at 1; columns are characters.
	Line, Column int
	// Reason is one sentence without its full stop.
	Reason string
	// Excerpt is the line at fault.
	Excerpt string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// EvalError says that a condition could not be evaluated on an entry. It holds
// nothing of the entry.
type EvalError struct {
	Line, Column int
	Reason       string
	Excerpt      string
}

func (e *EvalError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

func errorAt(text string, line, column int, reason string) *Error {
	lines := strings.Split(text, "\n")

	return &Error{Line: line, Column: column, Reason: reason, Excerpt: lines[min(line, len(lines))-1]}
}

func compileError(text string, issues *cel.Issues) *Error {
	first := issues.Errors()[0]

	return errorAt(text, max(first.Location.Line(), 1), first.Location.Column()+1, first.Message)
}

func notBool(text string, t *cel.Type) *Error {
	return errorAt(text, 1, 1, fmt.Sprintf("the condition is a %s, and not true or false", t))
}

func (x *Expression) evalError(err error) *EvalError {
	return &EvalError{Line: 1, Column: 1, Reason: err.Error(), Excerpt: strings.SplitN(x.text, "\n", 2)[0]}
}
