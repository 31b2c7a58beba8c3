// SPDX-License-Identifier: MPL-2.0

// Package where evaluates conditions on entries that users write in CEL, the
// Common Expression Language: entry.operation == "delete" && entry.actor != "ci".
//
// What can be known to be wrong is refused when a condition is compiled, at the
// character: a field that does not exist, a word that no entry has, a block that
// is none. What only an entry can show (a key that its raw record lacks) is an
// error of matching and never a quiet false.
package where

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Limits of a condition.
const (
	// MaxLength is in characters.
	MaxLength = 8192
	// MaxCost is of one evaluation, in CEL's units; reading a field or comparing
	// two short values is about one.
	MaxCost = 1_000_000

	maxNesting  = 50   // of operators and brackets
	maxNodes    = 5000 // what macros expand to included
	maxLoops    = 3    // all(), exists(), map() inside of each other
	maxPattern  = 1000 // instructions of a regular expression
	maxTextSize = 1 << 20
)

// Expression is a compiled condition. It is safe for use by several goroutines.
type Expression struct {
	text    string
	program cel.Program
	partial cel.Program
	ast     *cel.Ast
}

var _ auditlog.Condition = (*Expression)(nil)

// Compile checks a condition. The error is an *Error.
func Compile(text string) (*Expression, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}

	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, compileError(text, issues)
	}

	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, notBool(text, ast.OutputType())
	}

	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxCost))
	if err != nil {
		return nil, errorAt(text, 1, 1, err.Error())
	}

	partial, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize, cel.OptPartialEval), cel.CostLimit(MaxCost))
	if err != nil {
		return nil, errorAt(text, 1, 1, err.Error())
	}

	return &Expression{text: text, program: program, partial: partial, ast: ast}, nil
}

// String returns the condition as it was written.
func (x *Expression) String() string { return x.text }

// Match says whether the condition holds. An error is an *EvalError.
func (x *Expression) Match(e *auditlog.Entry) (bool, error) {
	r := &record{entry: e}

	value, _, err := x.program.Eval(activation{r})
	if err != nil {
		return false, x.evalError(err)
	}

	holds, ok := value.(types.Bool)
	if !ok {
		return false, &EvalError{Reason: "the condition came to no answer"}
	}

	return bool(holds), nil
}

// Possible says whether any entry of the service could match. Only what is
// certain counts against it: an error, which reading would show, is possible.
func (x *Expression) Possible(info auditlog.Info) bool {
	unknown := make([]*cel.AttributePatternType, 0, len(fieldTypes))

	for _, f := range auditlog.Fields() {
		known := f.Name == "operation" || f.Name == "service" && info.Name != auditlog.ServiceArchive || !info.Records(f.Name)
		if !known {
			unknown = append(unknown, cel.AttributePattern(entryVariable).QualString(f.Name))
		}
	}

	for _, op := range info.Operations {
		vars, err := cel.PartialVars(activation{&record{entry: &auditlog.Entry{Service: info.Name, Operation: op}}}, unknown...)
		if err != nil {
			return true
		}

		if value, _, err := x.partial.Eval(vars); err != nil || value != ref.Val(types.False) {
			return true
		}
	}

	return false
}

// activation gives a condition its one variable.
type activation struct{ r *record }

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	if name != entryVariable {
		return nil, false
	}

	return a.r, true
}

// Parent implements cel.Activation.
func (a activation) Parent() cel.Activation { return nil }

// environment is made once: it takes a millisecond.
var environment = sync.OnceValues(newEnvironment)
