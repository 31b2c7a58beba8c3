// SPDX-License-Identifier: MPL-2.0

package where

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// uses is how a condition uses the fields of an entry.
type uses struct {
	// compared are the literals that fields are compared with.
	compared []auditlog.Asked
	// fields are all those that it looks at. Of one that is not opaque, it matters
	// only which of the literals it is, if any.
	fields map[string]bool
	opaque map[string]bool
}

// usesOf goes through a condition from the outside in, since what is around a field
// says how it is used.
func usesOf(text string, a *ast.AST) uses {
	u := uses{fields: map[string]bool{}, opaque: map[string]bool{}}
	u.visit(newSource(text), a, a.Expr())

	return u
}

func (u *uses) visit(s source, a *ast.AST, x ast.Expr) {
	if name, ok := fieldOf(x); ok {
		u.fields[name] = true
		u.opaque[name] = u.opaque[name] || !x.AsSelect().IsTestOnly()

		return
	}

	if field, literals, ok := comparison(x); ok {
		u.fields[field] = true

		for _, l := range literals {
			value, _ := literalString(l)
			p := s.error(startOf(s, a, l), "")
			u.compared = append(u.compared, auditlog.Asked{
				Argument: "where", Expectation: -1, Index: -1, Line: p.Line, Column: p.Column, Excerpt: p.Excerpt, Field: field, Value: value,
			})
		}

		return
	}

	for _, child := range ast.NavigateExpr(a, x).Children() {
		u.visit(s, a, child)
	}
}

// fieldOf returns the field of the entry that a part is.
func fieldOf(x ast.Expr) (string, bool) {
	if x.Kind() != ast.SelectKind || !isEntry(x.AsSelect().Operand()) {
		return "", false
	}

	return x.AsSelect().FieldName(), true
}

// comparison returns the field and the literals of a part that compares the two.
func comparison(x ast.Expr) (field string, literals []ast.Expr, ok bool) {
	if x.Kind() != ast.CallKind {
		return "", nil, false
	}

	args := x.AsCall().Args()
	if len(args) != 2 {
		return "", nil, false
	}

	one, other := args[0], args[1]

	switch name := x.AsCall().FunctionName(); {
	case name == operators.Equals || name == operators.NotEquals:
		if _, isField := fieldOf(one); !isField {
			one, other = other, one
		}

		literals = []ast.Expr{other}
	case name == operators.In && other.Kind() == ast.ListKind:
		literals = other.AsList().Elements()
	default:
		return "", nil, false
	}

	field, ok = fieldOf(one)

	return field, literals, ok && !one.AsSelect().IsTestOnly() &&
		!slices.ContainsFunc(literals, func(l ast.Expr) bool { _, is := literalString(l); return !is })
}

// Compared implements auditlog.Condition.
func (x *Expression) Compared() []auditlog.Asked { return x.uses.compared }

// Uses implements auditlog.Condition.
func (x *Expression) Uses(field string) bool { return x.uses.fields[field] }

// Possible implements auditlog.Condition: it says whether any entry within the scope
// could match this condition and all of the others. Only what is certain counts
// against it: an error, which reading would show, is possible.
//
// It thinks of every entry that can make a difference. A field with few values has
// each of them; one that is only compared with literals has each of these, a text
// that is none of them, and nothing. Any other field is left open, and CEL says
// whether the outcome is certain all the same.
func (x *Expression) Possible(s auditlog.Scope, others ...auditlog.Condition) bool {
	all := []*Expression{x}

	for _, o := range others {
		if e, ok := o.(*Expression); ok && e != nil {
			all = append(all, e)
		}
	}

	t := newThought(s, all)

	return t.some(func(assumed map[string]string) bool {
		return !slices.ContainsFunc(all, func(x *Expression) bool { return !x.possible(assumed, t.open) })
	})
}

// somethingElse is a text that no condition compares a field with.
const somethingElse = "\x00"

// mostThoughts bounds how many entries are thought of. Where there are more, fields
// are left open.
const mostThoughts = 20_000

// thought is which entries have to be thought of.
type thought struct {
	scope auditlog.Scope
	// fields are those with few values, and values what each can be.
	fields []string
	values map[string][]string
	open   []*cel.AttributePatternType
}

func newThought(s auditlog.Scope, all []*Expression) *thought {
	t := &thought{scope: s, values: map[string][]string{}}
	used := func(name string) bool {
		return slices.ContainsFunc(all, func(x *Expression) bool { return x.uses.fields[name] })
	}

	for _, f := range auditlog.Fields() {
		name := f.Name

		// Each of the two says something of the other.
		related := name == "action" && used("operation") || name == "operation" && used("action")
		if !used(name) && !related {
			continue
		}

		values, known := s.Values[name]

		switch {
		case known && slices.Equal(values, []string{""}):
			// The entry that is thought of holds nothing, and so does this field.
		case known:
			t.values[name] = values
		case f.Kind == auditlog.KindString && !slices.ContainsFunc(all, func(x *Expression) bool { return x.uses.opaque[name] }):
			t.values[name] = literalsOf(all, name)
			if !f.Required {
				t.values[name] = append(t.values[name], "")
			}
		default:
			t.leaveOpen(name)
		}
	}

	t.bound()

	for _, f := range auditlog.Fields() {
		if t.values[f.Name] != nil {
			t.fields = append(t.fields, f.Name)
		}
	}

	return t
}

func literalsOf(all []*Expression, field string) []string {
	values := []string{somethingElse}

	for _, x := range all {
		for _, c := range x.uses.compared {
			if c.Field == field && !slices.Contains(values, c.Value) {
				values = append(values, c.Value)
			}
		}
	}

	return values
}

func (t *thought) leaveOpen(name string) {
	delete(t.values, name)
	t.open = append(t.open, cel.AttributePattern(entryVariable).QualString(name))
}

// bound leaves the fields open that have most values until few enough are left.
func (t *thought) bound() {
	for {
		product, most := 1, ""

		for name, values := range t.values {
			product *= max(len(values), 1)

			if most == "" || len(values) > len(t.values[most]) || len(values) == len(t.values[most]) && name < most {
				most = name
			}

			if product > mostThoughts {
				break
			}
		}

		if product <= mostThoughts {
			return
		}

		t.leaveOpen(most)
	}
}

// some says whether one of the entries is possible.
func (t *thought) some(possible func(assumed map[string]string) bool) bool {
	assumed := map[string]string{}

	var from func(i int) bool

	from = func(i int) bool {
		if i == len(t.fields) {
			return t.consistent(assumed) && possible(assumed)
		}

		return slices.ContainsFunc(t.values[t.fields[i]], func(value string) bool {
			assumed[t.fields[i]] = value

			return from(i + 1)
		})
	}

	return from(0)
}

// consistent says whether an entry of the action can have the operation.
func (t *thought) consistent(assumed map[string]string) bool {
	action, hasAction := assumed["action"]
	operation, hasOperation := assumed["operation"]

	if !hasAction || !hasOperation || action == somethingElse || t.scope.OperationsOf == nil {
		return true
	}

	return slices.Contains(t.scope.OperationsOf(action), auditlog.Operation(operation))
}

// possible says whether the condition might hold on an entry of which only what is
// assumed is known, and which holds nothing but what is open besides.
func (x *Expression) possible(assumed map[string]string, open []*cel.AttributePatternType) bool {
	vars, err := cel.PartialVars(activation{&record{entry: &auditlog.Entry{}, assumed: assumed}}, open...)
	if err != nil {
		return true
	}

	value, _, err := x.partial.Eval(vars)

	return err != nil || value != types.False
}
