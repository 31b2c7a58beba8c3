// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// cli is the command line. A subcommand is a field here and a file of its own, with a Run method.
type cli struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Query   queryCommand   `cmd:"" help:"Look entries up: a table on a terminal, NDJSON in a pipe."`
	Export  exportCommand  `cmd:"" help:"Write entries to a file, with a manifest and checksums beside it."`
	Report  reportCommand  `cmd:"" help:"Write a report for people: one HTML page of what happened, how complete it is, and all entries."`
	Tail    tailCommand    `cmd:"" help:"Pass on what is new, as it happens: to standard output, a collector, a syslog server or files."`
	Check   checkCommand   `cmd:"" help:"Hold rules against a log, for a gate in CI or a nightly run."`
	Doctor  doctorCommand  `cmd:"" help:"Examine what is configured before it is relied on: credentials, clocks, and how the service does what is not documented."`
	Drift   driftCommand   `cmd:"" help:"Say who changed, deleted and created by hand what a plan or a state of Terraform holds."`
	Explain explainCommand `cmd:"" help:"Tell the life of one resource: who created it, and what was done to it since."`
	Verify  verifyCommand  `cmd:"" help:"Verify an archive (every byte, every leaf of its log, every signature), exports, or a proof."`
	Prove   proveCommand   `cmd:"" help:"Prove that one entry is in an archive, by a small file that shows no other."`
	Keygen  keygenCommand  `cmd:"" help:"Make a pair of keys that sign an archive's checkpoints and check them."`
	Mock    mockCommand    `cmd:"" help:"Serve fakes of the UpCloud and cloudscale audit-log APIs until interrupted."`

	Completion completionCommand `cmd:"" help:"Print what bash, zsh or fish need to complete command lines."`
	Help       helpCommand       `cmd:"" help:"Say more about a command, exit codes, or how services are reached."`
	VersionOf  versionCommand    `cmd:"" name:"version" help:"Print the version, and what it was built from."`
	Complete   completeCommand   `cmd:"" name:"__complete" hidden:"" passthrough:""`
}

// environment is what a subcommand may touch of the world around it.
type environment struct {
	// What is written to stdout and stderr is made fit to be shown: anything can stand in a log, in a file's name or in
	// an argument. What is written to data is not, since programs read it; a subcommand that lays out entries for
	// people there makes each of their values fit to be shown itself.
	stdout, stderr, data io.Writer
	// terminal is standard error as it is, for what moves the cursor there.
	terminal io.Writer
	// columns is how wide the terminal is that data is, 0 where it is none. talks says that standard error is one.
	columns int
	talks   bool

	// stdin is what a subcommand may be given to read, nil where nothing is.
	stdin     io.Reader
	now       auditlog.Clock
	lookupEnv func(name string) (string, bool)
	local     *time.Location
}

// tool is who reads and writes: the project by its name, so that the command's files are the provider's byte for byte.
func (environment) tool() string { return "terraform-provider-audit/" + version }

// The exit codes of every command. What makes it 1 is a negative answer, which is a negativeError.
const (
	exitDone     = 0
	exitNegative = 1
	exitUnknown  = 2
)

// exitCodes are what they mean.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitDone, "It is done, or all is well."},
	{exitNegative, "The answer is no: something is altered, missing or found."},
	{exitUnknown, "There is no answer: a wrong argument, an unreadable service, a full disk."},
}

// negativeError says that a command has its answer, and that it is no.
type negativeError struct{ text string }

func (e *negativeError) Error() string { return e.text }

// run executes one command line and returns the exit code. It ends early when ctx does.
func run(ctx context.Context, args []string, env environment) int {
	env.stdout, env.stderr = screen.Writer(env.stdout), screen.Writer(env.stderr)

	done, code := false, exitDone

	if len(args) == 0 {
		// Whoever types nothing else wants to know what there is. A script that forgot to say what it wants has to fail.
		args, env.stdout, code = []string{"--help"}, env.stderr, exitUnknown
	}

	parser, shared, err := newParser(env,
		// Called after --help and --version have printed; parsing goes on, but nothing more is done.
		kong.Exit(func(c int) { done, code = true, max(code, c) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err == nil {
		var command *kong.Context

		command, err = parser.Parse(args)
		if done {
			return code
		}

		if err == nil {
			err = runChecked(command, shared)
		}
	}

	return env.end(err)
}

// newParser reads command lines.
func newParser(env environment, more ...kong.Option) (*kong.Kong, arguments, error) {
	shared := sharedArguments()

	parser, err := kong.New(&cli{}, append(more,
		kong.Name("auditlog"),
		kong.Description("Look at, keep, check and rehearse cloud audit logs."),
		kong.Vars{"version": version},
		kong.Vars(mockVars()),
		kong.Vars(checkVars()),
		kong.Vars{
			"targets":         sink.TargetForms,
			"clouds":          strings.Join(auditlog.Clouds(), ", "),
			"fields":          strings.Join(fieldNames(), ", "),
			"file_permission": task.DefaultFilePermission, "directory_permission": task.DefaultDirectoryPermission,
		},
		kong.Writers(env.stdout, env.stderr),
		kong.ConfigureHelp(helpOptions),
		kong.Help(printHelp),
		kong.Bind(env, shared),
	)...)
	if err != nil {
		return nil, shared, err //nolint:wrapcheck // It is about the tags of our own structs.
	}

	shared.describe(parser.Model.Node)

	return parser, shared, shared.refine(parser.Model.Node)
}

// helpOptions lay help out, at most 120 columns wide.
var helpOptions = kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 120}

func runChecked(command *kong.Context, shared arguments) error {
	found := givenTwice(command.Path)
	if found.Add(shared.check(command.Flags())...); found.HasError() {
		return &problemsError{found}
	}

	return command.Run() //nolint:wrapcheck // It is a command's own.
}

// end shows what ended a command, and returns the exit code.
func (env environment) end(err error) int {
	var (
		found *problemsError
		no    *negativeError
	)

	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &found):
		env.tell(found.found)

		return exitUnknown
	case errors.As(err, &no):
		if no.text != "" {
			_, _ = fmt.Fprintf(env.stderr, "auditlog: %s\n", screen.Text(no.text))
		}

		return exitNegative
	default:
		_, _ = fmt.Fprintf(env.stderr, "auditlog: %s\n", screen.Text(err.Error()))

		if misuse := (*kong.ParseError)(nil); errors.As(err, &misuse) {
			_, _ = fmt.Fprintf(env.stderr, "Run %s --help for what there is.\n", asked(misuse.Context))
		}

		return exitUnknown
	}
}

// asked is the command that was typed, as far as there is one.
func asked(command *kong.Context) string {
	if command != nil && command.Selected() != nil {
		return command.Selected().FullPath()
	}

	return "auditlog"
}

// given is the value of an option. It is never empty: that would be a variable that is not set, and a check that is
// left out for it would not be missed.
type given string

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *given) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("the value is empty; leave the option out if there is none")
	}

	*g = given(text)

	return nil
}
