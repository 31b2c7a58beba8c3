// SPDX-License-Identifier: MPL-2.0

package where

import (
	"bytes"
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// guess decides a part of a condition without CEL, which takes many times as long, where
// it can: on what plain comparisons of fields with literals say. Where it cannot, nothing
// is known, and CEL decides the whole condition. A guess is never an error, and CEL gives
// the same answer wherever something is known: it takes no account of an error, either,
// in a part on which the answer does not depend.
type guess struct {
	decide func(e *auditlog.Entry) truth
	// cost is how long it takes, compared with others. Those that are joined are asked in
	// the order of it.
	cost int
}

// What guesses cost.
const (
	costCompare = 1
	costSearch  = 2
	costAddress = 10
	costPattern = 20
	costRecord  = 50
)

var noGuess = guess{decide: func(*auditlog.Entry) truth { return unknown }}

// guessOf returns what can be guessed of a part whose types are right.
func guessOf(x ast.Expr) guess {
	if parts, ok := logical(x); ok {
		return guessLogical(x, parts)
	}

	for _, try := range []func(ast.Expr) (guess, bool){guessHas, guessHasKey, guessText, guessTime, guessAddress} {
		if g, ok := try(x); ok {
			return g
		}
	}

	return noGuess
}

func guessLogical(x ast.Expr, parts []ast.Expr) guess {
	switch name := x.AsCall().FunctionName(); name {
	case operators.LogicalNot:
		g := guessOf(parts[0])

		return guess{func(e *auditlog.Entry) truth { return -g.decide(e) }, g.cost}
	case operators.LogicalAnd:
		return either(joined(x, name), no)
	case operators.LogicalOr:
		return either(joined(x, name), yes)
	default:
		is, a, b := guessOf(parts[0]), guessOf(parts[1]), guessOf(parts[2])

		return guess{func(e *auditlog.Entry) truth {
			switch is.decide(e) {
			case yes:
				return a.decide(e)
			case no:
				return b.decide(e)
			default:
				return unknown // It may be an error, which is one of the whole.
			}
		}, is.cost + a.cost + b.cost}
	}
}

// joined returns what can be guessed of the parts that the same operator joins.
func joined(x ast.Expr, operator string) []guess {
	if name, _ := callOf(x); name != operator {
		return []guess{guessOf(x)}
	}

	var all []guess
	for _, part := range x.AsCall().Args() {
		all = append(all, joined(part, operator)...)
	}

	return all
}

// either joins guesses by the operator of which one part that is decisive is enough.
func either(all []guess, decisive truth) guess {
	whole := guess{}
	for _, g := range all {
		whole.cost += g.cost
	}

	certain := !slices.ContainsFunc(all, func(g guess) bool { return g.cost == 0 })
	all = slices.DeleteFunc(all, func(g guess) bool { return g.cost == 0 })

	slices.SortStableFunc(all, func(a, b guess) int { return a.cost - b.cost })

	whole.decide = func(e *auditlog.Entry) truth {
		result := -decisive
		if !certain {
			result = unknown
		}

		for i := range all {
			switch all[i].decide(e) {
			case decisive:
				return decisive
			case unknown:
				result = unknown
			default:
			}
		}

		return result
	}

	return whole
}

// guessHas is has(entry.actor).
func guessHas(x ast.Expr) (guess, bool) {
	name, ok := fieldOf(x)
	if !ok || !x.AsSelect().IsTestOnly() {
		return guess{}, false
	}

	switch f, _ := auditlog.FieldByName(name); f.Kind {
	case auditlog.KindString:
		return guess{func(e *auditlog.Entry) truth { return truthOf(*f.At(e) != "") }, costCompare}, true
	case auditlog.KindChanges:
		return guess{func(e *auditlog.Entry) truth { return truthOf(len(e.Changes) > 0) }, costCompare}, true
	case auditlog.KindRaw:
		return guess{func(e *auditlog.Entry) truth { return truthOf(len(e.Raw) > 0) }, costCompare}, true
	case auditlog.KindTime:
	}

	return guess{func(e *auditlog.Entry) truth { return truthOf(!e.Time.IsZero()) }, costCompare}, true
}

// guessHasKey is has(entry.raw.key), where the record shows at a glance that it has no such
// key anywhere.
func guessHasKey(x ast.Expr) (guess, bool) {
	if x.Kind() != ast.SelectKind || !x.AsSelect().IsTestOnly() {
		return guess{}, false
	}

	if field, ok := fieldOf(x.AsSelect().Operand()); !ok || field != auditlog.FieldRaw {
		return guess{}, false
	}

	key := []byte(`"` + x.AsSelect().FieldName() + `"`)

	return guess{func(e *auditlog.Entry) truth {
		// Of keys in ASCII that are not escaped, no two are the same text.
		plain := !slices.ContainsFunc(e.Raw, func(c byte) bool { return c >= utf8.RuneSelf || c == '\\' })
		if plain && !bytes.Contains(e.Raw, key) && bytes.HasPrefix(e.Raw, []byte("{")) && exactjson.Valid(e.Raw) {
			return no
		}

		return unknown
	}, costRecord}, true
}

// textOf returns how a text is read from an entry, in its normal form: a field, or a field
// in lower case.
func textOf(x ast.Expr) (func(e *auditlog.Entry) string, bool) {
	if call, args := callOf(x); call == "lowerAscii" && len(args) == 1 {
		of, ok := textOf(args[0])

		return func(e *auditlog.Entry) string { return lowerASCII(of(e)) }, ok
	}

	name, ok := fieldOf(x)
	if !ok || x.AsSelect().IsTestOnly() {
		return nil, false
	}

	f, _ := auditlog.FieldByName(name)

	return func(e *auditlog.Entry) string { return auditlog.Normal(*f.At(e)) }, f.Kind == auditlog.KindString
}

func lowerASCII(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return text
	}

	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}

		return r
	}, text)
}

// guessText is a comparison of a text with literals.
func guessText(x ast.Expr) (guess, bool) {
	name, args := callOf(x)
	if len(args) != 2 {
		return guess{}, false
	}

	one, other := args[0], args[1]
	if _, ok := literalString(one); ok && (name == operators.Equals || name == operators.NotEquals) {
		one, other = other, one
	}

	of, ok := textOf(one)
	if !ok {
		return guess{}, false
	}

	if name == operators.In && other.Kind() == ast.ListKind {
		return guessIn(of, other.AsList().Elements())
	}

	literal, ok := literalString(other)
	if !ok {
		return guess{}, false
	}

	compare, cost := func(string) bool { return false }, costCompare

	switch name {
	case operators.Equals:
		compare = func(text string) bool { return text == literal }
	case operators.NotEquals:
		compare = func(text string) bool { return text != literal }
	case operators.Less:
		compare = func(text string) bool { return text < literal }
	case operators.LessEquals:
		compare = func(text string) bool { return text <= literal }
	case operators.Greater:
		compare = func(text string) bool { return text > literal }
	case operators.GreaterEquals:
		compare = func(text string) bool { return text >= literal }
	case "startsWith":
		compare = func(text string) bool { return strings.HasPrefix(text, literal) }
	case "endsWith":
		compare = func(text string) bool { return strings.HasSuffix(text, literal) }
	case "contains":
		compare, cost = func(text string) bool { return strings.Contains(text, literal) }, costSearch
	case matchesName:
		pattern, err := regexp.Compile(literal)
		if err != nil {
			return guess{}, false
		}

		compare, cost = pattern.MatchString, costPattern
	default:
		return guess{}, false
	}

	return guess{func(e *auditlog.Entry) truth { return truthOf(compare(of(e))) }, cost}, true
}

func guessIn(of func(e *auditlog.Entry) string, elements []ast.Expr) (guess, bool) {
	literals, ok := literalStrings(elements)
	if !ok {
		return guess{}, false
	}

	return guess{func(e *auditlog.Entry) truth { return truthOf(slices.Contains(literals, of(e))) }, costCompare}, true
}

func literalStrings(all []ast.Expr) ([]string, bool) {
	texts := make([]string, 0, len(all))

	for _, x := range all {
		text, ok := literalString(x)
		if !ok {
			return nil, false
		}

		texts = append(texts, text)
	}

	return texts, true
}

// parts are those of a time that are numbers in UTC.
var parts = map[string]func(time.Time) int{
	"getFullYear": time.Time.Year, "getMonth": func(t time.Time) int { return int(t.Month()) - 1 },
	"getDate": time.Time.Day, "getDayOfMonth": func(t time.Time) int { return t.Day() - 1 },
	"getDayOfWeek": func(t time.Time) int { return int(t.Weekday()) }, "getHours": time.Time.Hour,
	"getMinutes": time.Time.Minute, "getSeconds": time.Time.Second,
}

// guessTime is a comparison of the time, or of a part of it, with a literal.
func guessTime(x ast.Expr) (guess, bool) {
	name, args := callOf(x)
	if len(args) != 2 || !slices.Contains(orders, name) {
		return guess{}, false
	}

	if at, ok := literalTime(args[1]); ok && isTime(args[0]) {
		return guess{func(e *auditlog.Entry) truth { return ordered(name, e.Time.Compare(at)) }, costCompare}, true
	}

	call, target := callOf(args[0])

	part, ok := parts[call]
	if !ok || len(target) != 1 || !isTime(target[0]) || args[1].Kind() != ast.LiteralKind {
		return guess{}, false
	}

	number, ok := args[1].AsLiteral().Value().(int64)

	return guess{func(e *auditlog.Entry) truth {
		if e.Time.Location() != time.UTC {
			return unknown
		}

		return ordered(name, cmp.Compare(int64(part(e.Time)), number))
	}, costSearch}, ok
}

func isTime(x ast.Expr) bool {
	field, ok := fieldOf(x)

	return ok && field == "time" && !x.AsSelect().IsTestOnly()
}

func ordered(operator string, compared int) truth {
	switch operator {
	case operators.Less:
		return truthOf(compared < 0)
	case operators.LessEquals:
		return truthOf(compared <= 0)
	case operators.Greater:
		return truthOf(compared > 0)
	case operators.GreaterEquals:
		return truthOf(compared >= 0)
	case operators.Equals:
		return truthOf(compared == 0)
	default:
		return truthOf(compared != 0)
	}
}

// guessAddress is ip_in(entry.ip_address, "10.0.0.0/8").
func guessAddress(x ast.Expr) (guess, bool) {
	name, args := callOf(x)
	if name != ipInName || len(args) != 2 {
		return guess{}, false
	}

	of, ok := textOf(args[0])
	texts, literal := literalStrings(literalBlocks(x))

	if !ok || !literal {
		return guess{}, false
	}

	blocks := make([]netip.Prefix, 0, len(texts))

	for _, text := range texts {
		block, err := auditlog.ParseAddress(text)
		if err != nil {
			return guess{}, false
		}

		blocks = append(blocks, block)
	}

	return guess{func(e *auditlog.Entry) truth {
		address := of(e)

		return truthOf(slices.ContainsFunc(blocks, func(b netip.Prefix) bool { return auditlog.InBlock(b, address) }))
	}, costAddress}, true
}
