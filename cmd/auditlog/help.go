// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
)

// helpCommand says more about something.
type helpCommand struct {
	Topic string `arg:"" optional:"" help:"A command, exit-codes or connection. Default: what auditlog --help prints."`
}

// Help shows it.
func (*helpCommand) Help() string {
	return `Examples:

    auditlog help query
    auditlog help connection    # credentials, endpoints and limits
    auditlog help exit-codes`
}

// connection is the group of flags that every command has that reads a log. They are rarely needed, and many.
const connection = "How services are reached"

// topics are what there is help on beside commands.
var topics = []struct {
	name, title string
	print       func(command *kong.Context) error
}{
	{"connection", "credentials, endpoints and limits", printConnection},
	{"exit-codes", "what exit codes mean", printExitCodes},
}

// variables are those of the environment that commands read.
var variables = []struct{ name, use string }{
	{"UPCLOUD_TOKEN", "API token of an UpCloud account."},
	{"UPCLOUD_USERNAME, UPCLOUD_PASSWORD", "The same by user name, for an account with API access."},
	{"UPCLOUD_DEBUG_API_BASE_URL", "Another root of the UpCloud API, such as that of auditlog mock."},
	{"CLOUDSCALE_API_TOKEN", "API token of a cloudscale project; read access is enough."},
	{"CLOUDSCALE_API_URL", "Another root of the cloudscale API."},
	{explain.RedactionKeyEnv, "The key of pseudonyms, for --redact."},
	{"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY", "Credentials of the bucket that holds an archive."},
	{"HTTPS_PROXY, NO_PROXY", "A proxy on the way."},
	{"NO_COLOR", "Where it is set, nothing is coloured."},
}

// connectionOf is a command line with nothing but the flags of connection.
func connectionOf(to io.Writer) (*kong.Kong, error) {
	var text strings.Builder

	text.WriteString("The same for every command that reads a log.\n\nCredentials come from the environment alone, since others see a command line:\n")

	for _, v := range variables {
		_, _ = fmt.Fprintf(&text, "\n    %s\n        %s", v.name, v.use)
	}

	text.WriteString("\n\nPodStack has no API, and needs no credential: --podstack-exports names the files that its console exported.\n\n" +
		"What a flag says wins over the environment.")

	options := helpOptions
	options.NoAppSummary = true

	parser, err := kong.New(&connecting{}, kong.Name("auditlog"), kong.Description(text.String()), kong.NoDefaultHelp(),
		kong.Writers(to, to), kong.ConfigureHelp(options),
		kong.ExplicitGroups([]kong.Group{{Key: connection, Title: "Flags:"}}))
	if err != nil {
		return nil, err //nolint:wrapcheck // It is about the tags of our own structs.
	}

	sharedArguments().describe(parser.Model.Node)

	return parser, nil
}

func printConnection(command *kong.Context) error {
	parser, err := connectionOf(command.Stdout)
	if err != nil {
		return err
	}

	return usage(parser)
}

// Run prints it.
func (c *helpCommand) Run(command *kong.Context) error {
	if c.Topic == "" {
		return usage(command.Kong)
	}

	for _, topic := range topics {
		if topic.name == c.Topic {
			return topic.print(command)
		}
	}

	if p, wrong := query.OneOf(helpTopics(command.Model.Node)...).Problem("<topic>", c.Topic); wrong {
		return &problemsError{explain.Problems{p}}
	}

	return usage(command.Kong, c.Topic)
}

// helpTopics are what there is help on.
func helpTopics(root *kong.Node) []string {
	var names []string

	for _, child := range root.Children {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}

	for _, topic := range topics {
		names = append(names, topic.name)
	}

	return names
}

// usage prints what --help prints behind the words.
func usage(parser *kong.Kong, words ...string) error {
	// What is missing behind them is an error inside of the context.
	command, err := kong.Trace(parser, words)
	if err != nil {
		return err //nolint:wrapcheck // It is about words of our own.
	}

	return command.PrintUsage(false) //nolint:wrapcheck // It says what is wrong with standard output.
}

// printHelp prints the help of what was selected. The flags of connection are left to a topic of their own.
func printHelp(options kong.HelpOptions, command *kong.Context) error {
	selected := command.Selected()

	var hidden []*kong.Flag

	if selected != nil {
		for _, flag := range slices.Concat(selected.Flags, command.Model.Flags) {
			if !flag.Hidden && (inConnection(flag) || flag.Name == "version") {
				flag.Hidden = true
				hidden = append(hidden, flag)
			}
		}
	}

	err := kong.DefaultHelpPrinter(options, command)

	for _, flag := range hidden {
		flag.Hidden = false
	}

	if err != nil {
		return err //nolint:wrapcheck // It says what is wrong with standard output.
	}

	switch {
	case selected == nil:
		var more strings.Builder
		for _, topic := range topics {
			_, _ = fmt.Fprintf(&more, "Run \"auditlog help %s\" for %s.\n", topic.name, topic.title)
		}

		return printText(command, more.String())
	case slices.ContainsFunc(hidden, inConnection):
		return printText(command, "\n"+connection+"\n  Credentials come from the environment. Run \"auditlog help connection\" for the\n"+
			"  variables, and for the flags that say how a service is reached.\n")
	default:
		return nil
	}
}

func inConnection(flag *kong.Flag) bool { return flag.Group != nil && flag.Group.Key == connection }

func printText(command *kong.Context, text string) error {
	_, err := fmt.Fprint(command.Stdout, text)

	return err //nolint:wrapcheck // It says what is wrong with standard output.
}

func printExitCodes(command *kong.Context) error {
	var text strings.Builder

	text.WriteString("Every command ends with one of these:\n\n")

	for _, exit := range exitCodes {
		_, _ = fmt.Fprintf(&text, "  %d  %s\n", exit.code, exit.meaning)
	}

	return printText(command, text.String())
}
