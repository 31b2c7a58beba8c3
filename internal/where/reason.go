// SPDX-License-Identifier: MPL-2.0

package where

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// CEL's own messages name its grammar and its internals. What follows says the
// same of the condition. Each message it knows is in a test, so that another
// version of CEL with other words is noticed. One that it does not know is left out,
// since it could repeat a part of the condition that is sensitive.

// compileError reports the first thing that is wrong: what follows is often only
// its consequence. a is nil where the text could not even be parsed.
func compileError(text string, a *ast.AST, issues *cel.Issues) *Error {
	// A limit that was met on the way has no place.
	placeless := func(e *common.Error) int { return max(1-e.Location.Line(), 0) }

	first := slices.MinFunc(issues.Errors(), func(x, y *common.Error) int {
		return cmp.Or(placeless(x)-placeless(y), cmp.Compare(x.Location.Line(), y.Location.Line()), cmp.Compare(x.Location.Column(), y.Location.Column()))
	})

	return fault{source: newSource(text), ast: a, issue: first}.explain()
}

// fault is one message of CEL and what is known of its place.
type fault struct {
	source source
	ast    *ast.AST
	issue  *common.Error
}

// place is where CEL puts it.
func (f fault) place() place {
	return place{f.issue.Location.Line() - 1, f.issue.Location.Column()}
}

// rule turns one kind of message into an error. Its groups are the pattern's.
type rule struct {
	pattern *regexp.Regexp
	explain func(f fault, groups []string) *Error
}

func when(pattern string, explain func(f fault, groups []string) *Error) rule {
	return rule{regexp.MustCompile(`(?s)^` + pattern + `$`), explain}
}

// plain explains a message that says nothing more than its kind.
func plain(pattern, reason string) rule {
	return when(pattern, func(f fault, _ []string) *Error { return f.source.error(f.place(), reason) })
}

var rules = []rule{
	when(`Syntax error: token recognition error at: '(.*)'`, badToken),
	when(`Syntax error: .*'<EOF>'(?: expecting (.*))?`, endsEarly),
	when(`Syntax error: (?:extraneous|mismatched|no viable alternative at) input '(.*?)'(?: expecting (.*))?`, badInput),
	when(`Syntax error: missing (.*?) at '(.*)'`, func(f fault, groups []string) *Error {
		return f.source.error(f.place(), fmt.Sprintf("%s is missing before %s", groups[1], named(groups[2])))
	}),
	when(`reserved identifier: (.*)`, func(f fault, groups []string) *Error {
		return f.source.error(f.place(), groups[1]+" is a reserved word and cannot be used here")
	}),
	when(`undeclared reference to '(.*)' \(in container '.*'\)`, undeclared),
	when(`undefined field '(.*)'`, undefinedField),
	when(`found no matching overload for '(.*)' applied to '(.*)'`, noOverload),
	when(`expected type 'bool' but found '(.*)'`, func(f fault, groups []string) *Error {
		return f.source.error(f.start(), article(groups[1])+" stands where true or false is expected; compare it, as in entry.actor == \"ci\"")
	}),
	when(`type '(.*)' does not support field selection`, func(f fault, groups []string) *Error {
		return f.source.error(f.place(), article(groups[1])+" has no fields")
	}),
	when(`expression of type '(.*)' cannot be range of a comprehension .*`, func(f fault, groups []string) *Error {
		return f.source.error(f.start(), "all(), exists() and the like need a list, such as entry.changes, and this is "+article(groups[1]))
	}),
	plain(`invalid timestamp argument`, `this is no time; write it as in RFC 3339, such as "2026-01-31T00:00:00Z"`),
	plain(`invalid duration argument`, `this is no length of time; write it as in "90m" or "24h"`),
	plain(`invalid (?:int|uint|double) literal`, "this number is too large"),
	when(`expected type '(.*)' but found '(.*)'`, func(f fault, groups []string) *Error {
		return f.source.error(f.start(), fmt.Sprintf("the elements of a list must be of one type, and are %s and %s", article(groups[1]), article(groups[2])))
	}),
	plain(`invalid argument to has\(\) macro`, "has() takes a field, as in has(entry.actor)"),
	plain(`argument (?:must be a simple name|is not an identifier)`, "a new name is expected here, as in entry.changes.exists(c, c.field == \"name\")"),
	plain(`unsupported syntax '(.*)'`, "this syntax is not part of conditions"),
	plain(`comprehension exceeds nesting limit`, fmt.Sprintf("all(), exists() and the like are inside of each other more than %d deep", maxLoops)),
	plain(`(?:expression recursion limit|max recursion depth) exceeded.*`, fmt.Sprintf("the condition is nested more than %d deep", maxNesting)),
	plain(`expression code point size exceeds limit.*`, fmt.Sprintf("the condition is longer than %d characters", MaxLength)),
	plain(`expression (?:node )?count exceeds limit.*`, fmt.Sprintf("the condition has more than %d parts", maxNodes)),
}

func (f fault) explain() *Error {
	for _, r := range rules {
		if groups := r.pattern.FindStringSubmatch(f.issue.Message); groups != nil {
			return r.explain(f, groups)
		}
	}

	return f.source.error(f.place(), "the part of the condition that is here cannot be used")
}

// badToken is about characters that mean nothing.
func badToken(f fault, groups []string) *Error {
	p, token := f.place(), strings.TrimRight(groups[1], " \t\r\n")
	runes := []rune(token)

	if len(runes) == 0 {
		return f.source.error(p, "this character means nothing in a condition")
	}

	switch first := runes[0]; {
	case strings.ContainsRune(`"'`, first) && len(runes) > 1 && runes[len(runes)-2] == '\\' && !strings.ContainsRune("abfnrtv\\'\"`?xXuU01234567", runes[len(runes)-1]):
		p.column += len(runes) - 2

		return f.source.error(p, `there is no such escape; write \\ for a backslash, or r"…" for a string without escapes`)
	case strings.ContainsRune(`"'`, first):
		return f.source.error(p, "the string that begins here does not end on its line")
	case first == '=':
		return f.source.error(p, "= is no operator; == compares")
	case first == '&':
		return f.source.error(p, "& is no operator; && means and")
	case first == '|':
		return f.source.error(p, "| is no operator; || means or")
	case strings.ContainsRune("“”„‘’‚«»", first):
		return f.source.error(p, "a string is written in straight quotes, \"…\" or '…'")
	case first == '#':
		return f.source.error(p, "a comment begins with //")
	default:
		return f.source.error(p, "this character means nothing in a condition")
	}
}

// endsEarly is about what is missing at the end.
func endsEarly(f fault, groups []string) *Error {
	end := f.source.end()

	switch expected := groups[1]; {
	case end == place{}:
		return f.source.error(end, "the condition is empty")
	case expected == "':'":
		return f.source.error(end, "the condition ends where a : and the other outcome are missing")
	case strings.Contains(f.issue.Message, "missing ')'"), strings.HasPrefix(expected, "{')'"), strings.HasPrefix(expected, "{']'"), strings.HasPrefix(expected, "{'}'"), expected == "']'", expected == "'}'", expected == "')'":
		return f.source.error(end, "the condition ends before a bracket is closed")
	default:
		return f.source.error(end, "the condition ends where a value is missing")
	}
}

// wordOperators are what other languages write.
var wordOperators = map[string]string{"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!", "like": "matches()"}

var lastWord = regexp.MustCompile(`([A-Za-z]+)\s*$`)

// badInput is about something in the wrong place.
func badInput(f fault, groups []string) *Error {
	p, input, expected := f.place(), groups[1], groups[2]
	before := f.source.until(p)

	if m := lastWord.FindStringSubmatch(before); m != nil && strings.EqualFold(m[1], "not") {
		p.column = len([]rune(before[:strings.LastIndex(before, m[1])]))
		input = m[1]
	}

	operator, isWord := wordOperators[input]
	input = named(input)

	switch {
	case isWord:
		return f.source.error(p, fmt.Sprintf("%s is no operator; write %s", input, operator))
	case input == ">" && strings.HasSuffix(before, "<"):
		p.column--

		return f.source.error(p, "<> is no operator; write !=")
	case expected == "<EOF>" && (input == ")" || input == "]" || input == "}"):
		return f.source.error(p, fmt.Sprintf("there is no open bracket that %s could close", input))
	case expected == "<EOF>":
		return f.source.error(p, fmt.Sprintf("an operator such as && is missing before %s", input))
	default:
		return f.source.error(p, fmt.Sprintf("%s stands where a value is expected", input))
	}
}

// named is a part of a condition in a sentence. What can be a value is not repeated.
func named(input string) string {
	switch {
	case strings.ContainsAny(input, `"'`):
		return "a string"
	case isOurs(input), strings.Trim(input, punctuation) == "":
		return input
	case strings.ContainsAny(input[:1], "0123456789"):
		return "a number"
	default:
		return "a name"
	}
}

// macros are functions that take a condition, and so are no functions to CEL.
var macros = []string{"all", "exists", "exists_one", "filter", "has", "map"}

// undeclared is about a variable or a function that does not exist.
func undeclared(f fault, groups []string) *Error {
	name := groups[1]

	if strings.HasPrefix(f.source.at(f.place()), "(") {
		p := f.call(name)

		if slices.Contains(macros, name) {
			return f.source.error(p, name+"() is called with a name and a condition, as in entry.changes.exists(c, c.field == \"name\")")
		}

		return f.source.error(p, "there is no such function"+didYouMean(name, functionNames()))
	}

	switch _, isField := fieldTypes[name]; {
	case isField:
		return f.source.error(f.place(), fmt.Sprintf("there is no variable %s; write entry.%s", name, name))
	case name == "nil" || name == "None" || name == "undefined":
		return f.source.error(f.place(), fmt.Sprintf("there is no variable %s; a value is absent when it is \"\", or when has(entry.actor) is false", name))
	case name == "now":
		return f.source.error(f.place(), "there is no variable now, since an answer must not depend on when it is asked for; compare with timestamp(\"2026-01-31T00:00:00Z\")")
	default:
		return f.source.error(f.place(), "there is no such variable; the only one is entry, and a text stands in quotes")
	}
}

// undefinedField is about a field that an entry or a change does not have.
func undefinedField(f fault, groups []string) *Error {
	name, subject, fields := groups[1], "a change", changeFields

	if x := f.expr(); x != nil && x.Kind() == ast.SelectKind && isEntry(x.AsSelect().Operand()) {
		subject, fields = "an entry", entryFieldNames()
	}

	return f.source.error(f.field(name), fmt.Sprintf("%s has no such field%s; its fields are %s", subject, didYouMean(name, fields), strings.Join(fields, ", ")))
}

// symbols are CEL's names of what is no function to a reader.
var symbols = map[string]string{
	"_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=",
	"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%",
	"_&&_": "&&", "_||_": "||", "!_": "!", "-_": "-", "@in": "in", "_[_]": "[]", "_?_:_": "?:",
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

// noOverload is about values of types that do not go together.
func noOverload(f fault, groups []string) *Error {
	name, target, args := groups[1], "", groups[2]
	if i := strings.Index(args, ".("); i > 0 && strings.HasSuffix(args, ")") {
		target, args = args[:i], args[i+1:]
	}

	types := splitTypes(strings.TrimSuffix(strings.TrimPrefix(args, "("), ")"))

	op, isOperator := symbols[name]
	if !isOperator {
		called := name + "(" + strings.Join(types, ", ") + ")"
		if target != "" {
			called = target + "." + called
		}

		return f.source.error(f.call(name), fmt.Sprintf("%s cannot be called as %s; it is called as %s", name, called, strings.Join(signatures(name), ", ")))
	}

	p := f.place()

	switch {
	case slices.Contains(comparisons, op) && slices.Contains(types, "null"):
		return f.source.error(p, fmt.Sprintf("%s cannot be null; an absent value is \"\", and has(entry.actor) says whether there is one", article(types[0])))
	case slices.Contains(comparisons, op) && slices.Contains(types, "timestamp") && slices.Contains(types, "string"):
		return f.source.error(p, "a timestamp cannot be compared with a string; write timestamp(\"2026-01-31T00:00:00Z\")")
	case slices.Contains(comparisons, op) && slices.Contains(types, "duration"):
		return f.source.error(p, fmt.Sprintf("%s cannot be compared with %s; write a length of time as in duration(\"90m\")", article(types[0]), article(types[1])))
	case slices.Contains(comparisons, op) && len(types) == 2:
		return f.source.error(p, fmt.Sprintf("%s cannot be compared with %s", article(types[0]), article(types[1])))
	case op == "in" && strings.HasPrefix(types[len(types)-1], "list("):
		return f.source.error(p, fmt.Sprintf("%s cannot hold %s", article(types[1]), article(types[0])))
	case op == "in":
		return f.source.error(p, "in needs a list on its right, as in entry.actor in [\"ci\", \"deploy\"]")
	case op == "[]" && types[0] == "entry":
		return f.source.error(p, "a field of an entry is written with a dot, as in entry.actor")
	case op == "[]":
		return f.source.error(p, fmt.Sprintf("%s has no elements that are found by %s", article(types[0]), article(types[1])))
	case op == "?:" && len(types) == 3:
		return f.source.error(p, fmt.Sprintf("both outcomes of ? must be of one type, and are %s and %s", article(types[1]), article(types[2])))
	case len(types) == 1:
		return f.source.error(p, fmt.Sprintf("%s does not apply to %s", op, article(types[0])))
	default:
		return f.source.error(p, fmt.Sprintf("%s does not apply to %s and %s", op, article(types[0]), article(types[1])))
	}
}

// splitTypes splits at the commas that are in no bracket.
func splitTypes(list string) []string {
	var all []string

	depth, from := 0, 0

	for i, c := range list {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				all = append(all, strings.TrimSpace(list[from:i]))
				from = i + 1
			}
		}
	}

	return append(all, strings.TrimSpace(list[from:]))
}

// article names a type in a sentence.
func article(t string) string {
	switch {
	case t == "null", t == "bytes":
		return t
	case t == "list(change)":
		return "a list of changes"
	case strings.HasPrefix(t, "list("):
		return "a list"
	case strings.HasPrefix(t, "map("):
		return "a map"
	case strings.HasPrefix(t, "type("):
		return "a type"
	case t == "dyn":
		return "a value of any type"
	case strings.ContainsAny(t[:min(1, len(t))], "aeiou"):
		return "an " + t
	default:
		return "a " + t
	}
}

// expr is the part of the condition that the message is about, nil where it
// names none.
func (f fault) expr() ast.Expr {
	if f.ast == nil || f.issue.ExprID == 0 {
		return nil
	}

	return find(f.ast, f.issue.ExprID)
}

// start is where the part begins. CEL puts entry.actor at its dot.
func (f fault) start() place {
	if x := f.expr(); x != nil {
		return startOf(f.source, f.ast, x)
	}

	return f.place()
}

func startOf(s source, a *ast.AST, x ast.Expr) place {
	start, found := s.start(), false

	ast.PreOrderVisit(x, ast.NewExprVisitor(func(x ast.Expr) {
		l := a.SourceInfo().GetStartLocation(x.ID())
		if p := (place{l.Line() - 1, l.Column()}); l.Line() > 0 && (!found || p.before(start)) {
			start, found = p, true
		}
	}))

	return s.called(start)
}

// field is where a field's name begins. CEL puts it at the dot before it, or at
// the bracket of has().
func (f fault) field(name string) place {
	p := f.place()
	rest := f.source.at(p)

	if at := regexp.MustCompile(`\.\s*` + regexp.QuoteMeta(name) + `\b`).FindStringIndex(rest); at != nil {
		p.column += len([]rune(rest[:at[1]])) - len([]rune(name))
	}

	return p
}

// call is where a function's name begins, which CEL puts at its bracket.
func (f fault) call(name string) place {
	p := f.place()

	if before := strings.TrimRight(f.source.until(p), " \t"); strings.HasSuffix(before, name) {
		p.column = len([]rune(before)) - len([]rune(name))
	}

	return p
}

// functionNames are what can be called, operators left out.
func functionNames() []string {
	names := slices.Clone(macros)

	if env, err := environment(); err == nil {
		for name, f := range env.Functions() {
			if !f.IsDeclarationDisabled() && !strings.ContainsAny(name, "_@!-.?") || name == "ip_in" {
				names = append(names, name)
			}
		}
	}

	slices.Sort(names)

	return names
}

// generic is what CEL adds to a type that takes any other.
var generic = regexp.MustCompile(`\((?:<\w+>(?:, )?)+\)`)

// signatures are the forms in which a function can be called.
func signatures(name string) []string {
	env, err := environment()
	if err != nil || env.Functions()[name] == nil {
		return nil
	}

	forms := map[string]bool{}

	for _, o := range env.Functions()[name].OverloadDecls() {
		args := make([]string, 0, len(o.ArgTypes()))
		for _, t := range o.ArgTypes() {
			args = append(args, generic.ReplaceAllString(t.String(), ""))
		}

		if o.IsMemberFunction() {
			forms[args[0]+"."+name+"("+strings.Join(args[1:], ", ")+")"] = true
		} else {
			forms[name+"("+strings.Join(args, ", ")+")"] = true
		}
	}

	return slices.Sorted(maps.Keys(forms))
}

// didYouMean is "" where no word is near enough to be meant.
func didYouMean[T ~string](word string, words []T) string {
	nearest := auditlog.Nearest(word, words)
	if nearest == "" {
		return ""
	}

	return " (did you mean " + nearest + "?)"
}
