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
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/debug"
	"cel.dev/cel-go/common/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Limits of a condition.
const (
	// MaxLength is in characters.
	MaxLength = 65_536
	// MaxCost is of one evaluation, in CEL's units; reading a field or comparing
	// two short values is about one.
	MaxCost = 100_000

	maxNesting  = 50     // of operators and brackets
	maxNodes    = 10_000 // what macros expand to included
	maxLoops    = 3      // all(), exists(), map() inside of each other
	maxPattern  = 1000   // instructions of a regular expression
	maxTextSize = 1 << 20
)

// Expression is a compiled condition. It is safe for use by several goroutines.
type Expression struct {
	text    string
	ast     *ast.AST
	program cel.Program
	// guess decides what needs no program. A condition of which CEL keeps an account has
	// none, since it can fail before it comes to what decides it.
	guess guess
	uses  uses
}

var _ auditlog.Condition = (*Expression)(nil)

// Compile checks a condition. What is wrong with it is an *Error.
func Compile(text string) (*Expression, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}

	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, compileError(text, nil, issues)
	}

	normalLiterals(parsed.NativeRep())

	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, compileError(text, parsed.NativeRep(), issues)
	}

	x := &Expression{text: text, ast: checked.NativeRep()}
	x.uses = usesOf(text, x.ast)

	if e := check(text, x.ast); e != nil {
		return nil, e
	}

	if err := x.plan(env, checked); err != nil {
		return nil, err
	}

	return x, nil
}

// normalLiterals puts texts into the form in which a condition sees those of an
// entry. An escape such as "\u0308" can make one of another form.
func normalLiterals(a *ast.AST) {
	literals := ast.NewExprFactory()

	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if text, ok := literalString(x); ok {
			x.SetKindCase(literals.NewLiteral(x.ID(), types.String(auditlog.Normal(text))))
		}
	}))
}

func (x *Expression) plan(env *cel.Env, checked *cel.Ast) error {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}

	if x.guess = noGuess; isCheap(x.ast) {
		x.guess = guessOf(x.ast.Expr())
	} else {
		options = append(options, cel.CostLimit(MaxCost))
	}

	program, err := env.Program(checked, options...)
	if err != nil {
		s := newSource(x.text)

		// What CEL says of it could hold a value.
		return s.error(s.start(), "a part of the condition that is the same for every entry fails")
	}

	x.program = program

	return nil
}

// String returns the condition as it was written.
func (x *Expression) String() string { return x.text }

// Same says whether a text is the same condition: white space, comments, needless
// brackets and the way a literal is quoted make no difference.
func (x *Expression) Same(text string) bool {
	if text == x.text {
		return true
	}

	o, err := Compile(text)

	return err == nil && x.structure() == o.structure()
}

func (x *Expression) structure() string {
	return debug.ToAdornedDebugString(x.ast.Expr(), literalTypes{})
}

// literalTypes tell 1 from 1.0.
type literalTypes struct{}

// GetMetadata implements debug.Adorner.
func (literalTypes) GetMetadata(e any) string {
	if x, ok := e.(ast.Expr); ok && x.Kind() == ast.LiteralKind {
		return ":" + x.AsLiteral().Type().TypeName()
	}

	return ""
}

// Match says whether the condition holds. An error is an *EvalError.
func (x *Expression) Match(e *auditlog.Entry) (bool, error) {
	if known := x.guess.decide(e); known != unknown {
		return known == yes, nil
	}

	return x.matchByCEL(e)
}

func (x *Expression) matchByCEL(e *auditlog.Entry) (bool, error) {
	value, _, err := x.program.Eval(activation{&record{entry: e}})
	if err != nil {
		return false, x.evalError(err)
	}

	holds, ok := value.(types.Bool)
	if !ok {
		return false, x.evalError(fmt.Errorf("no answer: %s", value.Type().TypeName()))
	}

	return bool(holds), nil
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
