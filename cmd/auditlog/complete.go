// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/spf13/cobra"
)

// completionCommand prints what a shell needs to complete command lines.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Which shell: ${enum}."`
}

// Help says where to put it.
func (*completionCommand) Help() string {
	return `Commands, flags and values are completed then, when you press the tab key.

Examples:

    # In ~/.bashrc; it needs the package bash-completion.
    source <(auditlog completion bash)

    # In ~/.zshrc, after compinit
    source <(auditlog completion zsh)

    # In ~/.config/fish/config.fish
    auditlog completion fish | source`
}

// Run prints it.
func (c *completionCommand) Run(command *kong.Context, env environment, shared arguments) error {
	root := completer(command.Model.Node, shared)

	write := map[string]func(io.Writer) error{
		"bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  root.GenZshCompletion,
		"fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	}[c.Shell]

	if err := write(env.data); err != nil {
		return fmt.Errorf("print what the shell needs: %w", err)
	}

	return nil
}

// completeCommand is what the shell asks for the words that may come next. Its answer is read by a script of Cobra's.
type completeCommand struct {
	Words []string `arg:"" optional:"" help:"The command line, up to the word that is completed."`
}

// Run answers.
func (c *completeCommand) Run(ctx context.Context, command *kong.Context, env environment, shared arguments) error {
	root := completer(command.Model.Node, shared)
	root.SetArgs(append([]string{cobra.ShellCompRequestCmd}, c.Words...))
	root.SetOut(env.data)
	root.SetErr(io.Discard)

	return root.ExecuteContext(ctx) //nolint:wrapcheck // Nobody sees it but a script.
}

// completer is the command line as Cobra knows them. Nothing of it is ever run: it is there for Cobra's completion,
// which is the one that is known to work in shells of all ages.
func completer(node *kong.Node, shared arguments) *cobra.Command {
	command := &cobra.Command{
		Use: node.Name, Short: node.Help, SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Run:               func(*cobra.Command, []string) {},
		ValidArgsFunction: positionals(node),
	}

	for _, flag := range node.Flags {
		offer(command, flag, shared)
	}

	for _, child := range node.Children {
		if !child.Hidden {
			command.AddCommand(completer(child, shared))
		}
	}

	command.SetHelpCommand(&cobra.Command{Hidden: true})

	return command
}

// offer adds a flag and its values.
func offer(command *cobra.Command, flag *kong.Flag, shared arguments) {
	if flag.Hidden {
		return
	}

	flags := command.Flags()
	help, _, _ := strings.Cut(flag.Help, ". ")

	short := ""
	if flag.Short != 0 {
		short = string(flag.Short)
	}

	switch {
	case flag.IsBool():
		flags.BoolP(flag.Name, short, false, help)

		if flag.Tag.Negatable != "" {
			flags.Bool("no-"+flag.Name, false, "Not: "+help)
		}

		return
	case flag.IsCumulative():
		flags.StringArrayP(flag.Name, short, nil, help)
	default:
		flags.StringP(flag.Name, short, "", help)
	}

	if flag.Required {
		_ = command.MarkFlagRequired(flag.Name) // It is there.
	}

	separator := ""
	if flag.IsSlice() && flag.Tag.Sep > 0 {
		separator = string(flag.Tag.Sep)
	}

	_ = command.RegisterFlagCompletionFunc(flag.Name, complete( // It is there, and this is the only one.
		valuesOf(flag.Value, shared), separator, namesFile(flag.PlaceHolder)))
}

// positionals completes what is no flag.
func positionals(node *kong.Node) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(node.Positional) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}

		switch argument := node.Positional[len(args)]; {
		case node.Target.Type() == reflect.TypeFor[helpCommand]():
			return complete(helpTopics(node.Parent), "", false)(command, args, begun)
		case argument.Enum != "":
			return complete(argument.EnumSlice(), "", false)(command, args, begun)
		default:
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
}

// valuesOf are the values that a flag may have, nil where they cannot be listed.
func valuesOf(value *kong.Value, shared arguments) []string {
	if value.Enum != "" {
		return value.EnumSlice()
	}

	if shared.of[value.Flag] {
		return shared.texts["--"+value.Name].Form.Values
	}

	return nil
}

// complete offers values, of lists the last one, and else files where one is asked for.
func complete(values []string, separator string, file bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if file {
			return nil, cobra.ShellCompDirectiveDefault
		}

		before := ""
		if at := strings.LastIndex(begun, separator); separator != "" && at >= 0 {
			before = begun[:at+len(separator)]
		}

		given := strings.Split(before, separator)

		offered := make([]cobra.Completion, 0, len(values))
		for _, value := range values {
			if strings.HasPrefix(before+value, begun) && !slices.Contains(given, value) {
				offered = append(offered, before+value)
			}
		}

		return offered, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

func namesFile(placeholder string) bool {
	return slices.Contains([]string{"FILE", "PLACE", "DIRECTORY", "KEY"}, placeholder)
}
