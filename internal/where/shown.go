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
	name, args := callOf(x)

	switch {
	case name == "timestamp", name == "duration", strings.HasPrefix(name, "get") && x.AsCall().IsMemberFunction():
		return "time", args
	case name == operators.Index:
		return keyName, args[1:]
	case slices.Contains(equalities, name), slices.Contains(readers, name):
		field, others, _ := comparands(x)

		return field, others
	default:
		return "", nil
	}
}

// callOf returns the function that a part calls, "" where it calls none, and its
// arguments, that before the dot included.
func callOf(x ast.Expr) (name string, args []ast.Expr) {
	if x.Kind() != ast.CallKind {
		return "", nil
	}

	call := x.AsCall()
	if call.IsMemberFunction() {
		args = []ast.Expr{call.Target()}
	}

	return call.FunctionName(), append(args, call.Args()...)
}

// equalities are the operators that compare a value with one or with several.
var equalities = []string{operators.Equals, operators.NotEquals, operators.In}

// comparands returns the field of the entry that a part with two arguments is about,
// which is the first of them or one of two that are equal or not, and what it is
// compared with, the elements of a list one by one.
func comparands(x ast.Expr) (field string, others []ast.Expr, ok bool) {
	name, args := callOf(x)
	if len(args) != 2 {
		return "", nil, false
	}

	one, other := args[0], args[1]
	if _, isField := fieldOf(one); !isField && (name == operators.Equals || name == operators.NotEquals) {
		one, other = other, one
	}

	if field, ok = fieldOf(one); !ok || one.AsSelect().IsTestOnly() {
		return "", nil, false
	}

	if other.Kind() == ast.ListKind {
		return field, other.AsList().Elements(), true
	}

	return field, []ast.Expr{other}, true
}
