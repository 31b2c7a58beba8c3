// SPDX-License-Identifier: MPL-2.0

package where

import (
	"errors"
	"math"
	"regexp"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// shared are errors of which CEL has a single value. It notes in an error where
// it happened first, so that these would name a place in another condition, and
// two goroutines would write to them at once; a place that is none prevents both.
var shared = func() []*types.Err {
	var all []*types.Err

	for _, value := range []any{
		types.NoSuchOverloadErr(),
		types.Int(math.MaxInt64).ConvertToType(types.TimestampType),
	} {
		if err, ok := value.(*types.Err); ok {
			types.LabelErrNode(nowhere, err)

			all = append(all, err)
		}
	}

	return all
}()

const nowhere = -1

// mishap says what a message of CEL means. The messages may hold values of an
// entry and are never passed on.
type mishap struct {
	pattern        *regexp.Regexp
	reason, advice string
}

var mishaps = []mishap{
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errRaw.Error())), errRaw.Error(), "Guard it with has(entry.raw)"},
	{regexp.MustCompile(`^(no such key|no such attribute)`), "the record of an entry has no such key", `Guard it with has(entry.raw.key), or with "key" in entry.raw`},
	{regexp.MustCompile(`^(index out of bounds|index '.*' out of range|index out of range|invalid substring range|unsupported index)`), "an entry has no such element or character", "Guard it with size(), as in size(entry.changes) > 0"},
	{regexp.MustCompile(`^no such overload`), "a value of an entry has another type than is needed here", "Compare its type first, as in type(entry.raw.size) == int"},
	{regexp.MustCompile(`^(division|modulus) by zero`), "an entry makes this a division by zero", "Compare the divisor with 0 first"},
	{regexp.MustCompile(`overflow`), "an entry makes a number or a time too large", "Compare the values first"},
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errBlock.Error())), errBlock.Error(), "Write the block into the condition"},
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errTextSize.Error())), errTextSize.Error(), "Compare shorter texts"},
	{regexp.MustCompile(`(?i)(time ?zone|missing Location)`), "an entry makes this a time zone that does not exist", "Write the time zone into the condition"},
	{regexp.MustCompile(`^(error parsing regexp|regex program)`), "an entry makes this a regular expression that cannot be used", "Write the regular expression into the condition"},
	{regexp.MustCompile(`^(type conversion|strconv|invalid RFC 3339|unsupported (type )?conversion|time: )`), "a value of an entry cannot be converted", "Guard it with matches(), as in entry.actor_id.matches(\"^[0-9]+$\")"},
	{regexp.MustCompile(`^NaN`), "an entry makes this a number that is none", "Compare the values first"},
}

// evalError says what went wrong without a word of the entry.
func (x *Expression) evalError(err error, e *auditlog.Entry) *EvalError {
	if cancelled := (interpreter.EvalCancelledError{}); errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		return &EvalError{Reason: "evaluating the condition on an entry takes too long", Advice: "Loop over less in it, or move a part of it that is cheap to the front"}
	}

	result := &EvalError{Reason: "the condition cannot be evaluated on an entry", Advice: "Simplify it"}

	for _, m := range mishaps {
		if m.pattern.MatchString(err.Error()) {
			result.Reason, result.Advice = m.reason, m.advice

			break
		}
	}

	if part := x.part(err, e); part != nil {
		p := newSource(x.text).error(startOf(x.ast, part, place{}), "")
		result.Line, result.Column, result.Excerpt = p.Line, p.Column, p.Excerpt

		if guard, ok := guardOf(part); ok && result.Reason == mishaps[1].reason {
			result.Advice = "Guard it with " + guard
		}
	}

	return result
}

// part is where in the condition an error happened, nil where that is not known.
func (x *Expression) part(err error, e *auditlog.Entry) ast.Expr {
	celErr := (*types.Err)(nil)
	if !errors.As(err, &celErr) {
		return nil
	}

	if !slices.Contains(shared, celErr) {
		return find(x.ast, celErr.NodeID())
	}

	// Evaluate once more and see which part of those in error has none inside.
	_, details, _ := x.traced.Eval(activation{&record{entry: e}}) //nolint:errcheck // It is the same error.

	at := x.ast.Expr()
	for inner := at; inner != nil; {
		at, inner = inner, nil

		for _, child := range ast.NavigateExpr(x.ast, at).Children() {
			if value, ok := details.State().Value(child.ID()); ok && types.IsError(value) {
				inner = find(x.ast, child.ID())

				break
			}
		}
	}

	return at
}

func find(a *ast.AST, id int64) ast.Expr {
	var found ast.Expr

	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if found == nil && x.ID() == id {
			found = x
		}
	}))

	return found
}

// guardOf is the test of presence for a field of the record, where it is written
// as a path.
func guardOf(x ast.Expr) (string, bool) {
	path, ok := pathOf(x)

	return "has(" + path + ")", ok && x.Kind() == ast.SelectKind
}

func pathOf(x ast.Expr) (string, bool) {
	switch x.Kind() {
	case ast.IdentKind:
		return x.AsIdent(), true
	case ast.SelectKind:
		operand, ok := pathOf(x.AsSelect().Operand())

		return operand + "." + x.AsSelect().FieldName(), ok
	default:
		return "", false
	}
}

// possible says whether the condition might hold on an entry of which only the
// fields in e are known; unknown are the others.
func (x *Expression) possible(e *auditlog.Entry, unknown []*cel.AttributePatternType) bool {
	vars, err := cel.PartialVars(activation{&record{entry: e}}, unknown...)
	if err != nil {
		return true
	}

	value, _, err := x.partial.Eval(vars)

	return err != nil || value != types.False
}
