// SPDX-License-Identifier: MPL-2.0

package where

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func newEnvironment() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("CEL: %w", err)
	}

	env, err := cel.NewEnv(append([]cel.EnvOption{
		cel.CustomTypeProvider(provider{registry}),
		cel.CustomTypeAdapter(registry),
		cel.Variable(entryVariable, entryType),
		cel.EnableMacroCallTracking(),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateHomogeneousAggregateLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
		),
	}, functions()...)...)
	if err != nil {
		return nil, fmt.Errorf("CEL: %w", err)
	}

	return env, nil
}

const (
	ipInName    = "ip_in"
	matchesName = "matches"
)

var (
	text  = cel.StringType
	texts = cel.ListType(cel.StringType)
)

func functions() []cel.EnvOption {
	return []cel.EnvOption{
		ext.Strings(),
		// It would turn a mistake that is seen at once into one that an entry shows.
		cel.Function("dyn", cel.DisableDeclaration(true),
			cel.Overload("to_dyn", []*cel.Type{cel.TypeParamType("A")}, cel.DynType)),
		// Conditions compare texts, they do not make any.
		cel.Function("format", cel.DisableDeclaration(true),
			cel.MemberOverload("string_format", []*cel.Type{text, cel.ListType(cel.DynType)}, text)),
		cel.Function("strings.quote", cel.DisableDeclaration(true), cel.Overload("strings_quote", []*cel.Type{text}, text)),
		// CEL counts what a text costs when it has been made, which is too late for
		// those two, whose result can be as large as the product of two texts.
		cel.Function("replace",
			cel.MemberOverload("string_replace_string_string", []*cel.Type{text, text, text}, text,
				cel.FunctionBinding(replace)),
			cel.MemberOverload("string_replace_string_string_int", []*cel.Type{text, text, text, cel.IntType}, text,
				cel.FunctionBinding(replace)),
		),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{texts}, text, cel.UnaryBinding(func(list ref.Val) ref.Val { return join(list, types.String("")) })),
			cel.MemberOverload("list_join_string", []*cel.Type{texts, text}, text, cel.BinaryBinding(join)),
		),
		cel.Function(ipInName,
			cel.Overload("ip_in_string_string", []*cel.Type{text, text}, cel.BoolType, cel.BinaryBinding(ipIn)),
			cel.Overload("ip_in_string_list", []*cel.Type{text, texts}, cel.BoolType, cel.BinaryBinding(ipInAny)),
		),
	}
}

var (
	errBlock    = errors.New("an entry makes this a block that is neither an IP address nor a CIDR block")
	errTextSize = errors.New("an entry makes this a text that is too long")
)

// ipIn compares addresses as numbers. An address that is absent or masked lies
// in no block.
func ipIn(address, block ref.Val) ref.Val {
	a, ok := address.(types.String)
	b, okBlock := block.(types.String)

	if !ok || !okBlock {
		return types.NewErr("no such overload")
	}

	prefix, err := auditlog.ParseAddress(string(b))
	if err != nil {
		return types.WrapErr(errBlock)
	}

	return types.Bool(auditlog.InBlock(prefix, string(a)))
}

func ipInAny(address, blocks ref.Val) ref.Val {
	list, ok := blocks.(traits.Lister)
	if !ok {
		return types.NewErr("no such overload")
	}

	for it := list.Iterator(); it.HasNext() == types.True; {
		if in := ipIn(address, it.Next()); in != types.False {
			return in
		}
	}

	return types.False
}

func replace(args ...ref.Val) ref.Val {
	s, ok := args[0].(types.String)
	before, okBefore := args[1].(types.String)
	after, okAfter := args[2].(types.String)

	if !ok || !okBefore || !okAfter {
		return types.NewErr("no such overload")
	}

	times := strings.Count(string(s), string(before))
	if n, limited := args[len(args)-1].(types.Int); limited && n >= 0 {
		times = min(times, int(n))
	}

	if len(s)+times*len(after) > maxTextSize {
		return types.WrapErr(errTextSize)
	}

	return types.String(strings.Replace(string(s), string(before), string(after), times))
}

func join(list, separator ref.Val) ref.Val {
	l, ok := list.(traits.Lister)
	sep, okSep := separator.(types.String)

	if !ok || !okSep {
		return types.NewErr("no such overload")
	}

	var b strings.Builder

	first := true

	for it := l.Iterator(); it.HasNext() == types.True; {
		s, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("no such overload")
		}

		if !first {
			b.WriteString(string(sep))
		}

		first = false

		if b.WriteString(string(s)); b.Len() > maxTextSize {
			return types.WrapErr(errTextSize)
		}
	}

	return types.String(b.String())
}
