// SPDX-License-Identifier: MPL-2.0

package main

import (
	"reflect"
	"regexp"
	"slices"
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

const settleDelayDefault = "0s"

// otherWords are what a command's help says of an argument in place of what the argument's description says, by the
// names of both.
var otherWords = map[string]map[string][2]string{
	"export": {"settle_delay": {"`" + settleDelayDefault + "`", task.SettleDelayText}},
	"report": {"settle_delay": {"`" + settleDelayDefault + "`", task.SettleDelayText}},
	"check":  {"settle_delay": {"`" + settleDelayDefault + "`", settleDelayDefault + ", and 1m with --state"}},
	"drift":  {"public_keys": anyArchive},
	"explain": {
		"last":        {"`24h` when no bound is given", "as far back as the logs go"},
		"start":       {"`24h` before its end", "as far back as the logs go"},
		"public_keys": anyArchive,
	},
}

// anyArchive is how an archive is named where several logs are read.
var anyArchive = [2]string{"with `service = \"archive\"`", "with `destination`"}

func sharedArguments() arguments {
	a := arguments{
		map[string]query.Argument{}, map[string]query.Number{}, map[string]query.Switch{}, map[*kong.Flag]bool{},
	}

	for _, table := range [][]query.Argument{
		source.Table(), source.Settings(), query.Table(settleDelayDefault), task.ExportTable(),
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
			words := otherWords[node.Name][argument.Name]

			flag.Help = a.plain(strings.Replace(argument.Description, words[0], words[1], 1), argument.Form)
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
		if !flag.Set {
			continue
		}

		if !a.of[flag] {
			found.Add(emptyValue(flag)...)

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

		values := textsOf(flag.Target)
		for i, value := range values {
			if p, wrong := argument.Form.Problem(name, value); wrong {
				found.Add(p.At(valueAt(argument.Name, i, len(values))))
			}
		}
	}

	return found
}

// valueAt is the place of one of an argument's values, which has no number where it is the only one.
func valueAt(name string, i, of int) explain.Place {
	if of == 1 {
		return explain.Argument(name)
	}

	return explain.Argument(name).Index(i)
}

// emptyValue refuses a flag of a command's own whose value is empty. That is mostly a variable of a shell that is not
// set, and what the flag would have said would not be missed.
func emptyValue(flag *kong.Flag) explain.Problems {
	switch target := reflect.Indirect(flag.Target); {
	case target.Kind() == reflect.String, target.Kind() == reflect.Slice && target.Type().Elem().Kind() == reflect.String:
	default:
		return nil
	}

	if !slices.Contains(textsOf(flag.Target), "") {
		return nil
	}

	return explain.Problems{explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause:   explain.Textf("The value of %s is empty.", "--"+flag.Name),
		Next:    "Give a value, or leave the flag out if there is none.",
	}.At(explain.Argument(flag.Name))}
}

// givenTwice refuses flags that are given more than once though they take one value: the last would win, and nobody
// would see that the others were not heard. Lists add up, and a switch means the same however often it is given.
func givenTwice(path []*kong.Path) explain.Problems {
	var found explain.Problems

	times := map[*kong.Flag]int{}

	for _, part := range path {
		flag := part.Flag
		if flag == nil || part.Resolved || flag.IsBool() || flag.IsCumulative() {
			continue
		}

		if times[flag]++; times[flag] == 2 {
			found.Add(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   explain.Textf("%s is given more than once, and takes one value.", "--"+flag.Name),
				Next:    "Leave all but one out.",
			}.At(explain.Argument(flag.Name)))
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
