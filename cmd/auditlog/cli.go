// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kong"

	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// cli is the command line. A subcommand is a field here and a file of its own, with a Run method.
type cli struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	Mock   mockCommand   `cmd:"" help:"Serve fakes of the UpCloud and cloudscale audit-log APIs until interrupted."`
	Verify verifyCommand `cmd:"" help:"Verify an archive (every byte, every leaf of its log, every signature), exports, or a proof. Exit code: 0 when all is well, 1 when something is altered or missing, 2 when that could not be checked."`
	Prove  proveCommand  `cmd:"" help:"Prove that one entry is in an archive, by a small file that shows no other."`
	Keygen keygenCommand `cmd:"" help:"Make a pair of keys that sign an archive's checkpoints and check them."`
}

// environment is what a subcommand may touch of the world around it.
type environment struct {
	stdout, stderr io.Writer
	now            func() time.Time
}

// run executes one command line and returns the exit code. It ends early when ctx does. Whatever is printed is made fit
// to be shown, since anything can stand in an archive, in a file's name or in an argument.
func run(ctx context.Context, args []string, env environment) int {
	env.stdout, env.stderr = screen.Writer(env.stdout), screen.Writer(env.stderr)

	done, code := false, 0
	parser, err := kong.New(&cli{},
		kong.Name("auditlog"),
		kong.Description("Look at, check and rehearse cloud audit logs.\n\n"+
			"Exit code: 0 when all is well; 1 when verify has found something altered or missing, and when any other command has failed; 2 when the command line cannot be used, or something could not be checked."),
		kong.Vars{"version": version},
		kong.Vars(mockVars()),
		kong.Writers(env.stdout, env.stderr),
		// Called after --help and --version have printed; parsing goes on, but nothing more is done.
		kong.Exit(func(c int) { done, code = true, c }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(env),
	)
	if err == nil {
		var command *kong.Context
		command, err = parser.Parse(args)
		if done {
			return code
		}
		if err == nil {
			err = command.Run()
		}
	}
	if err != nil {
		_, _ = fmt.Fprintf(env.stderr, "auditlog: %s\n", screen.Text(err.Error()))
		if misuse := (*kong.ParseError)(nil); errors.As(err, &misuse) {
			_, _ = fmt.Fprintln(env.stderr, "Run auditlog --help for what there is.")
		}

		return exitCode(err)
	}
	return 0
}

// exitCode is 1 where something was found to be wrong, or did not work, and 2 where it could not be checked, be it for
// a slip of the pen.
func exitCode(err error) int {
	misuse, unchecked := (*kong.ParseError)(nil), (*uncheckedError)(nil)
	if errors.As(err, &misuse) || errors.As(err, &unchecked) {
		return 2
	}

	return 1
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

// uncheckedError says that something could not be checked, which is neither good nor bad.
type uncheckedError struct{ err error }

func (e *uncheckedError) Error() string { return e.err.Error() }

func (e *uncheckedError) Unwrap() error { return e.err }
