// SPDX-License-Identifier: MPL-2.0

package where

import (
	"errors"
	"math"
	"regexp"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// CEL has a single value of some errors. It notes in an error where it happened first,
// so that these would name a place in another condition, and two goroutines would write
// to them at once. A place that is none prevents both; such errors name none.
var _ = []ref.Val{
	types.LabelErrNode(nowhere, types.NoSuchOverloadErr()),
	types.LabelErrNode(nowhere, types.Int(math.MaxInt64).ConvertToType(types.TimestampType)),
}

const nowhere = -1

// mishap says what a message of CEL means. The messages may hold values of an
// entry or of the condition and are never passed on.
type mishap struct {
	pattern        *regexp.Regexp
	reason, advice string
}

var mishaps = []mishap{
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errRaw.Error())), errRaw.Error(), "Guard it with has(entry.raw)"},
	{
		regexp.MustCompile(`^` + regexp.QuoteMeta(errTwins.Error())), errTwins.Error(),
		"Write the condition without entry.raw",
	},
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errTwice.Error())), errTwice.Error(), "Ask for other fields of the entry"},
	{regexp.MustCompile(`^(no such key|no such attribute)`), "the record of an entry has no such key", `Guard it, and every key before it, with has(entry.raw.key) or with "key" in entry.raw`},
	{regexp.MustCompile(`^(index out of bounds|index '.*' out of range|index out of range|invalid substring range|unsupported index)`), "an entry has no such element or character", "Guard it with size(), as in size(entry.changes) > 0"},
	{
		regexp.MustCompile(`^(no such overload|got .* expected iterable)`),
		"a value of an entry has another type than is needed here",
		"Compare its type first, as in type(entry.raw.size) == int",
	},
	{
		regexp.MustCompile(`^(division|modulus) by zero`), "an entry makes this a division by zero",
		"Compare the divisor with 0 first",
	},
	{regexp.MustCompile(`overflow`), "an entry makes a number or a time too large", "Compare the values first"},
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errBlock.Error())), errBlock.Error(), "Write the block into the condition"},
	{regexp.MustCompile(`^` + regexp.QuoteMeta(errTextSize.Error())), errTextSize.Error(), "Compare shorter texts"},
	{
		regexp.MustCompile(`(?i)(time ?zone|missing Location)`), "an entry makes this a time zone that does not exist",
		"Write the time zone into the condition",
	},
	{
		regexp.MustCompile(`^(type conversion|strconv|invalid RFC 3339|unsupported (type )?conversion|time: )`),
		"a value of an entry cannot be converted", "Guard it with matches(), as in entry.actor_id.matches(\"^[0-9]+$\")",
	},
	{regexp.MustCompile(`^NaN`), "an entry makes this a number that is none", "Compare the values first"},
}

// evalError says what went wrong without a word of the entry and without a value of
// the condition.
func (x *Expression) evalError(err error) *EvalError {
	if cancelled := (interpreter.EvalCancelledError{}); errors.As(err, &cancelled) &&
		cancelled.Cause == interpreter.CostLimitExceeded {
		return &EvalError{
			Reason: "it takes too long on an entry",
			Advice: "Loop over less in it, or move a part of it that is cheap to the front",
		}
	}

	result := &EvalError{Reason: "a part of it fails on an entry", Advice: "Write it in another way"}

	for _, m := range mishaps {
		if m.pattern.MatchString(err.Error()) {
			result.Reason, result.Advice = m.reason, m.advice

			break
		}
	}

	if celErr := (*types.Err)(nil); errors.As(err, &celErr) {
		if part := find(x.ast, celErr.NodeID()); part != nil {
			s := newSource(x.text)
			result.Place = s.error(startOf(s, x.ast, part), "").Place
		}
	}

	return result
}

// find returns the part of that id, nil where there is none.
func find(a *ast.AST, id int64) ast.Expr {
	var found ast.Expr

	if a == nil {
		return nil
	}

	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if found == nil && x.ID() == id {
			found = x
		}
	}))

	return found
}
