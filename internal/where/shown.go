// SPDX-License-Identifier: MPL-2.0

package where

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Shown implements auditlog.Condition.
func (x *Expression) Shown(show func(field, text string) string) string {
	literals := textsOf(x.text, x.ast)
	chars := []rune(x.text)

	var b strings.Builder

	done := 0

	for _, t := range tokensOf(x.text) {
		written := string(chars[t.from:t.to])

		l, known := literals[t.begin]
		if !known {
			l = literal{text: written} // A comment, bytes, or what CEL has done away with.
		}

		shown := show(l.field, l.text)
		if shown == l.text {
			continue
		}

		b.WriteString(string(chars[done:t.begin]))

		if t.comment {
			b.WriteString("// " + shown)
		} else {
			b.WriteString(strconv.Quote(shown))
		}

		done = t.end
	}

	b.WriteString(string(chars[done:]))

	return b.String()
}

// literal is a text in a condition and the field that it is compared with, "" where
// that is not one in particular.
type literal struct{ field, text string }

// textsOf returns the literals by where they begin in the text.
func textsOf(text string, a *ast.AST) map[int]literal {
	var (
		all    = map[int]literal{}
		fields = map[int64]string{}
		begins = []int{0}
	)

	for line := range strings.SplitSeq(text, "\n") {
		begins = append(begins, begins[len(begins)-1]+utf8.RuneCountInString(line)+1)
	}

	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		field, compared := comparedWith(x)
		for _, l := range compared {
			fields[l.ID()] = field
		}
	}))

	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if value, ok := literalString(x); ok {
			l := a.SourceInfo().GetStartLocation(x.ID())
			if line := l.Line() - 1; line >= 0 && line < len(begins) {
				all[begins[line]+l.Column()] = literal{field: fields[x.ID()], text: value}
			}
		}
	}))

	return all
}

// keyName stands for the field of what is no value: the name of a part of a record.
const keyName = "key"

// readers are the functions that look for one text in another.
var readers = []string{"contains", "startsWith", "endsWith", matchesName, ipInName}

// comparedWith returns the field and the literals of a part that compares the two in
// whatever way.
func comparedWith(x ast.Expr) (string, []ast.Expr) {
	if x.Kind() != ast.CallKind {
		return "", nil
	}

	call := x.AsCall()
	args := call.Args()

	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}

	switch name := call.FunctionName(); {
	case name == "timestamp", name == "duration", call.IsMemberFunction() && strings.HasPrefix(name, "get"):
		return "time", args
	case name == operators.Index:
		return keyName, args[1:]
	case len(args) != 2:
		return "", nil
	}

	one, other := args[0], args[1]

	switch name := call.FunctionName(); {
	case name == operators.Equals || name == operators.NotEquals:
		if _, isField := fieldOf(one); !isField {
			one, other = other, one
		}
	case name == operators.In, slices.Contains(readers, name):
	default:
		return "", nil
	}

	field, ok := fieldOf(one)

	switch {
	case !ok || one.AsSelect().IsTestOnly():
		return "", nil
	case other.Kind() == ast.ListKind:
		return field, other.AsList().Elements()
	default:
		return field, []ast.Expr{other}
	}
}
