// SPDX-License-Identifier: MPL-2.0

package where

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// uses is how a condition uses the fields of an entry.
type uses struct {
	// compared are the values that fields are compared with.
	compared []auditlog.Asked
	fields   map[string]bool
	// terms are the parts that logical operators join, by the id of their expression.
	terms map[int64]*term
	// times are the literals of timestamps, and blocks those of ip_in.
	times  []time.Time
	blocks []netip.Prefix
}

// term is a part of a condition that is true or false by itself, such as
// entry.actor.startsWith("ci-").
type term struct {
	// fields are all those of the entry that it looks at; whole says that it takes the
	// entry as a whole.
	fields map[string]bool
	whole  bool
	// field is compared with one of the literals, or with none of them. Empty where the
	// term does something else.
	field    string
	literals map[string]bool
	unequal  bool
	// ordered says that all it does is comparing the entry's time with a literal.
	ordered bool
	text    string
	program func() (cel.Program, error)
}

// usesOf goes through a condition from the outside in.
func usesOf(text string, a *ast.AST) uses {
	u := uses{fields: map[string]bool{}, terms: map[int64]*term{}}
	u.visit(newSource(text), a, a.Expr())

	return u
}

func (u *uses) visit(s source, a *ast.AST, x ast.Expr) {
	if parts, ok := logical(x); ok {
		for _, part := range parts {
			u.visit(s, a, part)
		}

		return
	}

	t := newTerm(a, x)
	u.terms[x.ID()] = t

	for field := range t.fields {
		u.fields[field] = true
	}

	asked := func(at ast.Expr, field, value string, matches func(string) bool) {
		p := s.error(startOf(s, a, at), "")
		u.compared = append(u.compared, auditlog.Asked{
			Argument: "where", Expectation: -1, Index: -1, Line: p.Line, Column: p.Column, Excerpt: p.Excerpt,
			Field: field, Value: value, Matches: matches, Partial: matches != nil,
		})
	}

	if field, literals, ok := comparison(x); ok {
		for _, l := range literals {
			value, _ := literalString(l)
			asked(l, field, value, nil)
		}
	} else if field, ok := t.only(); ok && t.text != "" {
		asked(x, field, t.text, func(value string) bool { return t.truth(map[string]string{field: value}, nil) != no })
	}

	ast.PreOrderVisit(x, ast.NewExprVisitor(func(x ast.Expr) {
		if at, ok := literalTime(x); ok {
			u.times = append(u.times, at)
		}

		for _, l := range literalBlocks(x) {
			text, _ := literalString(l)
			if block, err := auditlog.ParseAddress(text); err == nil {
				u.blocks = append(u.blocks, block)
			}
		}
	}))
}

// logical returns the parts that a logical operator joins.
func logical(x ast.Expr) ([]ast.Expr, bool) {
	if x.Kind() != ast.CallKind {
		return nil, false
	}

	switch x.AsCall().FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
		return x.AsCall().Args(), true
	default:
		return nil, false
	}
}

func newTerm(a *ast.AST, x ast.Expr) *term {
	t := &term{fields: map[string]bool{}, ordered: ordersTime(x)}

	var look func(x ast.Expr)

	look = func(x ast.Expr) {
		if name, ok := fieldOf(x); ok {
			t.fields[name] = true

			return
		}

		t.whole = t.whole || isEntry(x)

		for _, child := range ast.NavigateExpr(a, x).Children() {
			look(child)
		}
	}

	look(x)

	if field, ok := fieldOf(x); ok {
		// Something is there that is not the absent text.
		if f, _ := auditlog.FieldByName(field); f.Kind == auditlog.KindString {
			t.field, t.literals, t.unequal = field, map[string]bool{"": true}, true
		}
	} else if field, literals, ok := comparison(x); ok {
		t.field, t.literals = field, map[string]bool{}
		t.unequal = x.AsCall().FunctionName() == operators.NotEquals

		for _, l := range literals {
			value, _ := literalString(l)
			t.literals[value] = true
		}
	}

	text, err := cel.ExprToString(x, a.SourceInfo())
	t.text = text

	t.program = sync.OnceValues(func() (cel.Program, error) {
		if err != nil {
			return nil, fmt.Errorf("write a part of the condition: %w", err)
		}

		env, err := environment()
		if err != nil {
			return nil, err
		}

		checked, issues := env.Compile(text)
		if issues.Err() != nil {
			return nil, issues.Err()
		}

		return env.Program(checked, cel.CostLimit(MaxCost))
	})

	return t
}

// only returns the one field of texts on which alone the term depends.
func (t *term) only() (string, bool) {
	if t.whole || len(t.fields) != 1 {
		return "", false
	}

	for name := range t.fields {
		f, _ := auditlog.FieldByName(name)

		return name, f.Kind == auditlog.KindString
	}

	return "", false
}

// truth is what is known of whether something holds, in Kleene's logic: and is the
// least of two, or the greatest, and not the opposite.
type truth int

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

func truthOf(is bool) truth {
	if is {
		return yes
	}

	return no
}

// truth says whether the term holds on an entry that has these texts, and this time
// where it is not nil. Fields that are not among them can have any.
func (t *term) truth(texts map[string]string, at *time.Time) truth {
	if value, ok := texts[t.field]; ok && t.field != "" {
		return truthOf(t.literals[auditlog.Normal(value)] != t.unequal)
	}

	e := &auditlog.Entry{}

	for name := range t.fields {
		switch text, ok := texts[name]; {
		case name == "time" && at != nil && t.ordered:
			e.Time = *at
		case !ok || text == auditlog.SomeText:
			return unknown
		}
	}

	if t.whole {
		return unknown
	}

	program, err := t.program()
	if err != nil {
		return unknown
	}

	switch value, _, err := program.Eval(activation{&record{entry: e, assumed: texts}}); {
	case err != nil:
		return unknown // Reading would show the error.
	case value == types.True:
		return yes
	case value == types.False:
		return no
	default:
		return unknown
	}
}

// truth is that of the whole condition, or of a part of it.
func (u *uses) truth(x ast.Expr, texts map[string]string, at *time.Time) truth {
	parts, ok := logical(x)
	if !ok {
		return u.terms[x.ID()].truth(texts, at)
	}

	of := func(i int) truth { return u.truth(parts[i], texts, at) }

	switch x.AsCall().FunctionName() {
	case operators.LogicalNot:
		return -of(0)
	case operators.LogicalAnd:
		if a := of(0); a != no {
			return min(a, of(1))
		}

		return no
	case operators.LogicalOr:
		if a := of(0); a != yes {
			return max(a, of(1))
		}

		return yes
	default:
		// One of the outcomes, and where it is not known which, what both have in common.
		is, a, b := of(0), of(1), of(2)

		return max(min(is, a), min(-is, b), min(a, b))
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
	name, args := callOf(x)
	field, literals, ok = comparands(x)

	// A list can be what an operator compares with, or what it looks into.
	isList := func(arg ast.Expr) bool { return arg.Kind() == ast.ListKind }
	if !ok || !slices.Contains(equalities, name) || slices.ContainsFunc(args, isList) != (name == operators.In) {
		return "", nil, false
	}

	return field, literals, !slices.ContainsFunc(literals, func(l ast.Expr) bool { _, is := literalString(l); return !is })
}

// ordersTime says whether a part does nothing but compare the entry's time with a
// literal.
func ordersTime(x ast.Expr) bool {
	name, args := callOf(x)
	if len(args) != 2 || !slices.Contains(orders, name) {
		return false
	}

	one, other := args[0], args[1]
	if _, ok := literalTime(one); ok {
		one, other = other, one
	}

	field, isField := fieldOf(one)
	_, isTime := literalTime(other)

	return isField && field == "time" && !one.AsSelect().IsTestOnly() && isTime
}

var orders = []string{
	operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals,
	operators.NotEquals,
}

// literalTime returns the time of timestamp("2026-06-01T00:00:00Z").
func literalTime(x ast.Expr) (time.Time, bool) {
	name, args := callOf(x)
	if name != "timestamp" || len(args) != 1 {
		return time.Time{}, false
	}

	text, ok := literalString(args[0])
	at, err := time.Parse(time.RFC3339Nano, text)

	return at, ok && err == nil
}

// literalBlocks returns the blocks in ip_in(entry.ip_address, "10.0.0.0/8").
func literalBlocks(x ast.Expr) []ast.Expr {
	name, args := callOf(x)

	switch {
	case name != ipInName || len(args) != 2:
		return nil
	case args[1].Kind() == ast.ListKind:
		return args[1].AsList().Elements()
	default:
		return args[1:]
	}
}

// Blocks implements auditlog.Condition.
func (x *Expression) Blocks() []netip.Prefix { return x.uses.blocks }

// Compared implements auditlog.Condition.
func (x *Expression) Compared() []auditlog.Asked { return x.uses.compared }

// Uses implements auditlog.Condition.
func (x *Expression) Uses(field string) bool { return x.uses.fields[field] }

// Possible implements auditlog.Condition: it says whether any entry within the scope
// could match this condition and all of the others. Only what is certain counts
// against it: an error, which reading would show, is possible.
//
// It thinks of every entry that can make a difference. A field with few values has
// each of them, another one has each of the literals that it is compared with, a text
// that is none of them, and nothing. The time has the moments around each literal.
// What else a term asks of a text that is none of the literals is left open.
func (x *Expression) Possible(s auditlog.Scope, others ...auditlog.Condition) bool {
	all := []*Expression{x}

	for _, o := range others {
		if e, ok := o.(*Expression); ok && e != nil {
			all = append(all, e)
		}
	}

	return newThought(s, all).search(0)
}

// mostThoughts bounds how many entries are thought of. Where there are more, one of
// them may be possible.
const mostThoughts = 50_000

// thought is which entries have to be thought of.
type thought struct {
	scope auditlog.Scope
	all   []*Expression
	// fields are those with few values, and values what each can be.
	fields []string
	values map[string][]string
	times  []time.Time
	// assumed and at are what the entry has that is thought of now.
	assumed map[string]string
	at      *time.Time
	count   int
}

func newThought(s auditlog.Scope, all []*Expression) *thought {
	t := &thought{scope: s, all: all, values: map[string][]string{}, assumed: map[string]string{}}
	used := func(name string) bool {
		return slices.ContainsFunc(all, func(x *Expression) bool { return x.uses.fields[name] })
	}

	for _, f := range auditlog.Fields() {
		values, known := s.Values[f.Name]

		switch {
		case known && (used(f.Name) || slices.Contains(auditlog.RelatedFields, f.Name)):
			t.values[f.Name] = values
		case f.Kind == auditlog.KindString && used(f.Name):
			t.values[f.Name] = literalsOf(all, f.Name)
			if !f.Required {
				t.values[f.Name] = append(t.values[f.Name], "")
			}
		default:
			continue
		}

		t.fields = append(t.fields, f.Name)
	}

	// Fields with few values rule out most of the others'.
	slices.SortStableFunc(t.fields, func(a, b string) int { return len(t.values[a]) - len(t.values[b]) })

	if used("time") {
		t.times = momentsOf(s.Window, all)
	}

	return t
}

func literalsOf(all []*Expression, field string) []string {
	values := []string{auditlog.SomeText}

	for _, x := range all {
		for _, t := range x.uses.terms {
			if t.field != field {
				continue
			}

			for value := range t.literals {
				if !slices.Contains(values, value) {
					values = append(values, value)
				}
			}
		}
	}

	slices.Sort(values)

	return values
}

// momentsOf are the times that an entry of the window can have between which no
// condition tells a difference. A window without an end holds all of them.
func momentsOf(w auditlog.Window, all []*Expression) []time.Time {
	times := []time.Time{w.Start}
	if w.End.IsZero() {
		times = append(times, time.Unix(0, 0))
	}

	for _, x := range all {
		for _, at := range x.uses.times {
			times = append(times, at.Add(-1), at, at.Add(1))
		}
	}

	return slices.DeleteFunc(times, func(at time.Time) bool { return !w.End.IsZero() && !w.Contains(at) })
}

// known returns the value of a field of the entry that is thought of.
func (t *thought) known(field string) (string, bool) {
	value, ok := t.assumed[field]

	return value, ok
}

// search thinks of every value of the i-th field on, beside what is assumed, and says
// whether an entry might meet the conditions.
func (t *thought) search(i int) bool {
	for _, x := range t.all {
		if x.uses.truth(x.ast.Expr(), t.assumed, t.at) == no {
			return false
		}
	}

	t.count++

	switch {
	case t.count > mostThoughts:
		return true
	case i < len(t.fields):
		name := t.fields[i]
		defer delete(t.assumed, name)

		return slices.ContainsFunc(t.values[name], func(value string) bool {
			t.assumed[name] = value

			return t.scope.Consistent(t.known) && t.search(i+1)
		})
	case t.at == nil && t.times != nil:
		defer func() { t.at = nil }()

		return slices.ContainsFunc(t.times, func(at time.Time) bool {
			t.at = &at

			return t.search(i)
		})
	default:
		return true
	}
}
