// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/auditlogs/terraform-provider-audit/internal/doctor"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// doctorCommand examines what is configured.
type doctorCommand struct {
	asking

	Format string `enum:"table,json" default:"table" help:"How the report is printed: table or json. Neither json nor the block at the end of the table holds personal data." placeholder:"FORMAT"`
}

// Help says what comes out.
func (*doctorCommand) Help() string {
	return fmt.Sprintf("It reads only, with at most %d requests, and takes less than a minute a service. Without --service it examines every service that is configured. "+
		"Each check is ok, a note (everything works), a problem, or unknown: it could not be made, or the log does not show the answer. "+
		"The block at the end may be pasted into an issue: it tells how the service does what its documentation leaves open.\n\n"+
		"Exit code: 0 when there is no problem; 1 when there is one; 2 when a service could not be examined at all.", doctor.MostRequests) +
		`

Examples:

    # Everything that the environment configures
    auditlog doctor

    auditlog doctor --service archive --destination evidence/archive`
}

// Run prints a report on each service.
func (c *doctorCommand) Run(ctx context.Context, env environment) error {
	sources, err := c.sources(env)
	if err != nil {
		return err
	}

	var reports []doctor.Report

	env.watch(ctx, "Examining", func(ctx context.Context) {
		reports = doctor.Run(ctx, doctor.Options{Sources: sources, Log: c.log(), Clock: env.now})
	})

	if err := c.print(env, reports); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}

	switch doctor.ExitCode(reports) {
	case exitDone:
		return nil
	case exitNegative:
		return &negativeError{"There is a problem."}
	default:
		return errors.New("Not everything could be examined.") //nolint:revive,staticcheck // It is a sentence of its own.
	}
}

func aboutProgram() string {
	return fmt.Sprintf("auditlog %s, %s/%s", version, runtime.GOOS, runtime.GOARCH)
}

func (c *doctorCommand) print(env environment, reports []doctor.Report) error {
	if c.Format == "json" {
		out := json.NewEncoder(env.stdout)
		out.SetIndent("", "  ")

		return out.Encode(map[string]any{"tool": aboutProgram(), "reports": reports}) //nolint:wrapcheck // It is the writer's.
	}

	var b strings.Builder

	for i := range reports {
		env.layOut(&b, &reports[i])
	}

	b.WriteString("What follows holds no personal data, and may be pasted into an issue:\n\n```\n")
	b.WriteString(screen.Lines(doctor.Paste(aboutProgram(), reports)))
	b.WriteString("```\n")

	// Every part has been made fit to be shown; stdout would show the colours as text.
	_, err := io.WriteString(env.data, b.String())

	return err //nolint:wrapcheck // As above.
}

// layOut writes what was found out about one source: a line for each check, what to do below it, and why below that.
func (env environment) layOut(b *strings.Builder, r *doctor.Report) {
	b.WriteString(shown(cmp.Or(r.Title, "No service")))

	for _, part := range []struct{ before, text string }{{" at ", r.Endpoint}, {", account ", r.Account}} {
		if part.text != "" {
			b.WriteString(part.before + shown(part.text))
		}
	}

	b.WriteString("\n\n")

	verdicts, names := 0, 0
	for _, c := range r.Checks {
		verdicts, names = max(verdicts, len(c.Verdict)), max(names, len(c.Name))
	}

	indent := strings.Repeat(" ", verdicts+names+2*columnGap+2)
	width := max(cmp.Or(env.columns, fileWidth)-len(indent), narrow/2)

	for _, c := range r.Checks {
		lines := text.WrapSoft(shown(c.Finding), width)

		// The detail ends with what to do.
		if c.Next != "" && c.Detail == "" {
			lines += "\n" + text.WrapSoft("-> "+shown(c.Next), width)
		}

		_, _ = fmt.Fprintf(b, "  %s  %-*s  %s\n", env.paint(c.Verdict, verdicts), names, c.Name, below(lines, indent))

		if c.Detail != "" {
			_, _ = fmt.Fprintf(b, "\n%s%s\n\n", indent, below(screen.Lines(c.Detail), indent))
		}
	}

	b.WriteString("\n")
}

// below puts every line but the first behind an indent, without spaces at the ends.
func below(text, indent string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
		if i > 0 && lines[i] != "" {
			lines[i] = indent + lines[i]
		}
	}

	return strings.Join(lines, "\n")
}

// paint is a verdict in a colour; its text says it as well.
func (env environment) paint(v doctor.Verdict, width int) string {
	cell := fmt.Sprintf("%-*s", width, v)

	if !env.colours() {
		return cell
	}

	switch v {
	case doctor.OK:
		return text.FgGreen.Sprint(cell)
	case doctor.Problem:
		return text.FgRed.Sprint(cell)
	default:
		return text.FgYellow.Sprint(cell)
	}
}
