// SPDX-License-Identifier: MPL-2.0

package main

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// flagOf is the flag of an argument.
func flagOf(argument string) string {
	return "--" + strings.NewReplacer("_", "-", ".", "-").Replace(argument)
}

// arguments are those that commands share with Terraform, by flag.
type arguments struct {
	texts    map[string]query.Argument
	numbers  map[string]query.Number
	switches map[string]query.Switch
	// of holds the flags that are one of them, and not another command's own of the same name.
	of map[*kong.Flag]bool
}

func sharedArguments() arguments {
	a := arguments{
		map[string]query.Argument{}, map[string]query.Number{}, map[string]query.Switch{}, map[*kong.Flag]bool{},
	}

	for _, table := range [][]query.Argument{
		source.Table(), source.Settings(), query.Table("0s"), task.ExportTable(),
	} {
		for _, argument := range table {
			a.texts[flagOf(argument.Name)] = argument
		}
	}

	for _, argument := range task.PipelineTable() {
		argument.Name = pipelineArgument + "_" + argument.Name
		a.texts[flagOf(argument.Name)] = argument
	}

	for _, n := range source.Numbers() {
		a.numbers[flagOf(n.Name)] = n
	}

	for _, table := range [][]query.Switch{query.Switches(), task.ExportSwitches()} {
		for _, s := range table {
			a.switches[flagOf(s.Name)] = s
		}
	}

	return a
}

// describe gives flags the help of the arguments that they are, where they have none of their own.
func (a arguments) describe(node *kong.Node) {
	for _, flag := range node.Flags {
		if flag.Help != "" {
			// Terraform's arguments have theirs in their descriptions.
			if flag.HasDefault && !flag.IsBool() && !strings.Contains(flag.Help, "efault") {
				flag.Help += " Default: " + flag.Default + "."
			}

			continue
		}

		name := "--" + flag.Name
		a.of[flag] = true

		switch argument, number, s := a.texts[name], a.numbers[name], a.switches[name]; {
		case argument.Name != "":
			flag.Help = a.plain(argument.Description, argument.Form)
			if argument.List {
				flag.Help += " May be given several times."
			}
		case number.Name != "":
			flag.Help = a.plain(number.Description, explain.Form{})
		default:
			flag.Help = a.plain(s.Description, explain.Form{})
		}
	}

	for _, child := range node.Children {
		a.describe(child)
	}
}

var (
	markdownLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	markdownCode = regexp.MustCompile("`([^`]*)`")
	leadingName  = regexp.MustCompile(`^[a-z_.]+`)
)

// plain is a description of an argument without Markdown, and with flags for arguments. A value that the form asks for
// is none, though an argument may have its name.
func (a arguments) plain(markdown string, form explain.Form) string {
	isValue := func(code string) bool {
		return form.Check != nil && form.Check(code) == nil && form.Check("no value") != nil
	}

	return markdownCode.ReplaceAllStringFunc(markdownLink.ReplaceAllString(markdown, "$1"), func(code string) string {
		code = strings.Trim(code, "`")

		flag := flagOf(leadingName.FindString(code))
		if a.has(flag) && !isValue(code) || strings.HasPrefix(code, "audit_log_") {
			return explain.Flags(code)
		}

		return code
	})
}

func (a arguments) has(flag string) bool {
	return a.texts[flag].Name != "" || a.numbers[flag].Name != "" || a.switches[flag].Name != ""
}

// check holds the values of flags against the forms of the arguments that they are. What was not given is not looked
// at, and what was is not to be empty unless the form says so.
func (a arguments) check(flags []*kong.Flag) explain.Problems {
	var found explain.Problems

	for _, flag := range flags {
		name := "--" + flag.Name
		if !flag.Set || !a.of[flag] {
			continue
		}

		if n := a.numbers[name]; n.Name != "" {
			if p, wrong := n.Problem(name, reflect.Indirect(flag.Target).Int()); wrong {
				found.Add(p.At(explain.Argument(n.Name)))
			}
		}

		argument, ok := a.texts[name]
		if !ok {
			continue
		}

		for _, value := range textsOf(flag.Target) {
			if p, wrong := argument.Form.Problem(name, value); wrong {
				found.Add(p.At(explain.Argument(argument.Name)))
			}
		}
	}

	return found
}

// textsOf are the values of a flag. A list without any counts as one that is empty, since it could mean all as well as
// none.
func textsOf(target reflect.Value) []string {
	target = reflect.Indirect(target)

	if target.Kind() == reflect.String {
		return []string{target.String()}
	}

	if target.Len() == 0 {
		return []string{""}
	}

	texts := make([]string, 0, target.Len())
	for i := range target.Len() {
		texts = append(texts, target.Index(i).String())
	}

	return texts
}
