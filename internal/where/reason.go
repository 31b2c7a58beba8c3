// SPDX-License-Identifier: MPL-2.0

package where

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// compileError reports the first thing that is wrong, where CEL puts it: what
// follows is often only its consequence. a is nil where the text could not even be
// parsed.
func compileError(text string, a *ast.AST, issues *cel.Issues) *Error {
	// A limit that was met on the way has no place.
	placeless := func(e *common.Error) int { return max(1-e.Location.Line(), 0) }

	first := slices.MinFunc(issues.Errors(), func(x, y *common.Error) int {
		return cmp.Or(
			placeless(x)-placeless(y),
			cmp.Compare(x.Location.Line(), y.Location.Line()),
			cmp.Compare(x.Location.Column(), y.Location.Column()),
		)
	})

	s := newSource(text)
	p := s.clamp(place{first.Location.Line() - 1, first.Location.Column()})
	before, after := s.split(p)

	if name := undefined.FindStringSubmatch(first.Message); name != nil {
		return s.error(p, undefinedReason(name[1], find(a, first.ExprID), after))
	}

	for _, h := range hints {
		if h.pattern.MatchString(first.Message + "\n" + before + here + after) {
			return s.error(p, h.reason)
		}
	}

	if harmless.MatchString(first.Message) {
		return s.error(p, operatorNames.Replace(first.Message))
	}

	return s.error(p, "the part of the condition that is here cannot be used")
}

// harmless are the messages of CEL that are passed on. They hold nothing of a
// condition but the names of functions and types that there are. Of any other message
// nothing is repeated, since it could quote a part of the condition that is sensitive.
var harmless = regexp.MustCompile(`^(?:found no matching overload for '.*' applied to '.*'|` +
	`expected type '.*' but found '.*'|type '.*' does not support field selection|` +
	`expression of type '.*' cannot be range of a comprehension .*|` +
	`invalid (?:int|uint|double) literal|` +
	`invalid argument to has\(\) macro|argument (?:must be a simple name|is not an identifier)|` +
	`reserved identifier: \w+|unsupported syntax '.*'|comprehension exceeds nesting limit|` +
	`(?:expression recursion limit|max recursion depth) exceeded.*|` +
	`expression (?:code point size|node count|count) exceeds limit.*)$`)

// operatorNames turns what CEL calls operators, _==_ or @in, into what they are.
var operatorNames = strings.NewReplacer("'_[_]'", "'[]'", "'_?_:_'", "'?:'", "'@in'", "'in'", "'_", "'", "_'", "'")

// undefined are the messages about a name that there is not.
var undefined = regexp.MustCompile(`^(?:undefined field|undeclared reference to) '(.*?)'`)

// hint says what is meant instead of a frequent mistake.
type hint struct {
	// pattern is looked for in CEL's message and, below it, the line, in which the
	// place is marked.
	pattern *regexp.Regexp
	reason  string
}

// here marks the place.
const here = "\x00"

func hintFor(pattern, reason string) hint {
	return hint{regexp.MustCompile("(?s)^" + strings.ReplaceAll(pattern, "HERE", here)), reason}
}

var hints = []hint{
	hintFor(`Syntax error.*\n\s*HERE\s*$`, "the condition is empty"),
	hintFor(`Syntax error.*HERE\s*$`, "the condition ends where a value, an operator or a closing bracket is missing"),
	hintFor(`Syntax error: token recognition.*HERE["']`,
		`the string that begins here does not end on its line, or holds an escape that there is not; r"…" has no escapes`),
	hintFor(`Syntax error.*HERE[“”„‘’‚«»]`, "a string is written in straight quotes, \"…\" or '…'"),
	hintFor(`Syntax error.*HERE#`, "a comment begins with //"),
	hintFor(`Syntax error: token recognition.*HERE[=&|]`, "this is no operator; == compares, && means and, || means or"),
	hintFor(`Syntax error.*(?:\b(?i:not)\s*HERE|HERE(?i:and|or|not|like)\b|<HERE>)`,
		"the logical operators are &&, || and !, and != means unequal"),
	hintFor(`Syntax error`, "this cannot stand here; an operator, a bracket or a quotation mark may be missing before it, or too much"),
	hintFor(`invalid (?:timestamp|duration) argument`,
		`this is no time or length of time; write it as in timestamp("2026-01-31T00:00:00Z") or duration("90m")`),
	hintFor(`found no .*\((?:.*, )?null`, `nothing can be compared with null; an absent value is "", and has(entry.actor) says whether there is one`),
	hintFor(`found no .*\((?:timestamp, string|string, timestamp)\)`,
		"a timestamp cannot be compared with a string; write timestamp(\"2026-01-31T00:00:00Z\")"),
}

// macros are functions that take a condition, and so are no functions to CEL.
var macros = []string{"all", "exists", "exists_one", "filter", "has", "map"}

// undefinedReason is about a field, a function or a variable that does not exist. x is
// the part at fault, and after what stands from there on.
func undefinedReason(name string, x ast.Expr, after string) string {
	_, isEntryField := fieldTypes[name]

	switch {
	case x != nil && x.Kind() == ast.SelectKind && isEntry(x.AsSelect().Operand()):
		return noField("an entry", name, entryFieldNames())
	case x != nil && x.Kind() == ast.SelectKind:
		return noField("a change", name, changeFields)
	case slices.Contains(macros, name) && strings.HasPrefix(after, "("):
		return name + "() is called with a name and a condition, as in entry.changes.exists(c, c.field == \"name\")"
	case strings.HasPrefix(after, "("):
		return "there is no such function" + didYouMean(name, functionNames())
	case isEntryField:
		return fmt.Sprintf("there is no variable %s; write entry.%s", name, name)
	case name == "now":
		return "there is no variable now, since an answer must not depend on when it is asked for; " +
			"compare with timestamp(\"2026-01-31T00:00:00Z\")"
	default:
		return "there is no such variable; the only one is entry, a text stands in quotes, and an absent value is \"\""
	}
}

func noField(subject, name string, fields []string) string {
	return fmt.Sprintf("%s has no such field%s; its fields are %s", subject, didYouMean(name, fields),
		strings.Join(fields, ", "))
}

// startOf is where a part begins. CEL puts entry.actor at its dot.
func startOf(s source, a *ast.AST, x ast.Expr) place {
	start, found := s.start(), false

	ast.PreOrderVisit(x, ast.NewExprVisitor(func(x ast.Expr) {
		l := a.SourceInfo().GetStartLocation(x.ID())
		if p := (place{l.Line() - 1, l.Column()}); l.Line() > 0 && (!found || p.before(start)) {
			start, found = p, true
		}
	}))

	return start
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

// didYouMean is "" where no word is near enough to be meant.
func didYouMean[T ~string](word string, words []T) string {
	nearest := auditlog.Nearest(word, words)
	if nearest == "" {
		return ""
	}

	return " (did you mean " + nearest + "?)"
}
