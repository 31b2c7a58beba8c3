// SPDX-License-Identifier: MPL-2.0

package where

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Time zones are the same on every machine.

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// vocabulary lists the words of those fields that have a fixed set of them. A
// comparison with any other word would be false of every entry, whatever happened.
var vocabulary = map[string][]string{
	"operation": auditlog.Texts(auditlog.Operations()),
	"actor_type": auditlog.Texts([]auditlog.ActorType{
		auditlog.ActorUser, auditlog.ActorAPIToken, auditlog.ActorSystem, auditlog.ActorStaff, auditlog.ActorUnknown,
	}),
	"service": auditlog.Clouds(),
}

// checker looks for what CEL's types allow and no entry can meet.
type checker struct {
	source source
	ast    *ast.AST
	first  *Error
}

// check returns the first fault of a condition whose types are right.
func check(text string, a *ast.AST) *Error {
	c := &checker{source: newSource(text), ast: a}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(c.visit))

	if t := a.GetType(a.Expr().ID()); c.first == nil && !t.IsExactType(types.BoolType) {
		c.reportf(a.Expr(), "the condition must be true or false, and is of type %s; "+
			"compare it, as in entry.actor == \"ci\"", t)
	}

	return c.first
}

func (c *checker) reportf(x ast.Expr, format string, args ...any) {
	c.reportAt(startOf(c.source, c.ast, x), fmt.Sprintf(format, args...))
}

func (c *checker) reportAt(p place, reason string) {
	e := c.source.error(p, reason)
	if c.first == nil || (place{e.Line, e.Column}).before(place{c.first.Line, c.first.Column}) {
		c.first = e
	}
}

func (c *checker) visit(x ast.Expr) {
	switch x.Kind() {
	case ast.StructKind:
		c.reportf(x, "a condition cannot make a value of type %s", x.AsStruct().TypeName())
	case ast.ComprehensionKind:
		loop := x.AsComprehension()
		if loop.IterVar() == entryVariable || loop.IterVar2() == entryVariable {
			// CEL puts it at the bracket before its name.
			l := c.ast.SourceInfo().GetStartLocation(x.ID())
			c.reportAt(place{l.Line() - 1, l.Column() + 1}, "the name entry is taken; choose another for the elements")
		}
	case ast.CallKind:
		c.visitCall(x)
	default:
	}
}

func (c *checker) visitCall(x ast.Expr) {
	name, args := callOf(x)

	if slices.Contains(equalities, name) {
		field, literals, _ := comparands(x)
		for _, l := range literals {
			c.checkWord(field, l)
		}
	}

	for _, block := range literalBlocks(x) {
		c.checkBlock(block)
	}

	switch {
	case name == matchesName:
		c.checkPattern(args[len(args)-1])
	case x.AsCall().IsMemberFunction() && strings.HasPrefix(name, "get") && len(args) == 2:
		c.checkZone(args[1])
	}
}

// checkWord reports a literal that the field it is compared with never holds.
func (c *checker) checkWord(field string, literal ast.Expr) {
	known := vocabulary[field]

	if word, ok := literalString(literal); ok && known != nil && !slices.Contains(known, word) {
		c.reportf(literal, "entry.%s is never this%s; it is one of %s", field, didYouMean(word, known),
			strings.Join(known, ", "))
	}
}

func (c *checker) checkBlock(block ast.Expr) {
	text, ok := literalString(block)
	if !ok {
		return
	}

	if _, err := auditlog.ParseAddress(text); err != nil {
		c.reportf(block, "%v", err)
	}
}

// checkPattern wants regular expressions written out, so that each is known to
// compile and to be small before anything is read.
func (c *checker) checkPattern(pattern ast.Expr) {
	text, ok := literalString(pattern)
	if !ok {
		c.reportf(pattern, "a regular expression must be a string that is written out")

		return
	}

	// The package regexp compiles what is parsed and simplified like this.
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		reason := "it is not valid"
		if e := (*syntax.Error)(nil); errors.As(err, &e) {
			reason = e.Code.String()
		}

		c.reportf(pattern, "the regular expression cannot be compiled: %s", reason)

		return
	}

	if program, err := syntax.Compile(parsed.Simplify()); err != nil || len(program.Inst) > maxPattern {
		c.reportf(pattern, "the regular expression is too large; repeat less in it")
	}
}

var offset = regexp.MustCompile(`^[+-]?([01]?\d|2[0-3]):[0-5]\d$`)

// checkZone reports a time zone that does not exist. That of this machine is none:
// an answer must not depend on where it is given.
func (c *checker) checkZone(zone ast.Expr) {
	text, ok := literalString(zone)
	if !ok {
		return
	}

	if _, err := time.LoadLocation(text); (err != nil || text == "Local") && !offset.MatchString(text) {
		c.reportf(zone, "there is no such time zone; write it as in \"Europe/Zurich\" or \"+02:00\"")
	}
}

func literalString(x ast.Expr) (string, bool) {
	if x.Kind() != ast.LiteralKind {
		return "", false
	}

	text, ok := x.AsLiteral().Value().(string)

	return text, ok && x.AsLiteral().Type() == types.StringType
}

func isEntry(x ast.Expr) bool {
	return x.Kind() == ast.IdentKind && strings.TrimPrefix(x.AsIdent(), ".") == entryVariable
}

// cheap are the functions whose cost is in proportion to their arguments and
// whose results are no larger than these.
var cheap = []string{
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater,
	operators.GreaterEquals,
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional, operators.In, operators.Index,
	"contains", "startsWith", "endsWith", "size", "lowerAscii", "upperAscii", "trim", "timestamp", "duration", "type",
	matchesName, ipInName,
	"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
	"getHours", "getMinutes", "getSeconds", "getMilliseconds",
}

// isCheap says whether the time that a condition takes is bounded by its length
// times an entry's, so that keeping an account of it, which takes three times as
// long as evaluating it, is not needed.
func isCheap(a *ast.AST) bool {
	yes := true

	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		switch x.Kind() {
		case ast.ComprehensionKind:
			yes = false
		case ast.CallKind:
			yes = yes && slices.Contains(cheap, x.AsCall().FunctionName())
		default:
		}
	}))

	return yes
}
