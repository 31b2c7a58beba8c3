// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// remembering are the flags that say whose life is told, and out of which logs.
type remembering struct {
	Resource string `arg:"" name:"address-or-id" help:"Address of a resource as terraform state list prints it, for which a state is needed; or the id of a thing, or where the log has no ids its name."`

	State []string `group:"What Terraform manages" sep:"none" placeholder:"FILE" help:"Plans and states that hold the address: what terraform show -json prints, or terraform state pull; - for standard input."`
}

// explainCommand tells the life of one resource.
type explainCommand struct {
	remembering
	timing
	reading
	redacting

	Format  string        `enum:"auto,table,ndjson,json,csv" default:"auto" help:"How entries are printed: table, ndjson, json or csv. By default a table on a terminal, else NDJSON."`
	UTC     bool          `name:"utc" help:"Print times in UTC. By default a table has them in the time zone of this machine; everything else is in UTC."`
	Strict  bool          `help:"Print nothing, and exit with 2, where the answer leaves something open."`
	Timeout time.Duration `default:"1h" help:"How long the command may take."`
}

// Help says what is told.
func (*explainCommand) Help() string {
	return `One line an entry, from the creation of the resource until now, as far back as the
logs go unless --last, --start or --end say otherwise.

Exit code: 0 when the logs hold something of it; 1 when they hold nothing; 2 when
that cannot be told.

Examples:

    # What was done to this server since it was created?
    terraform state pull |
        auditlog explain --state - 'upcloud_server.web["blue"]'

    # By its id, in the cloud's log and in an archive that reaches further back
    auditlog explain --service upcloud --destination /var/lib/audit \
        00c78863-4ac8-4b32-9b61-0d6a8a3b2d11`
}

// lifeColumns are those of a table.
var lifeColumns = []string{"time", "actor", "action", "ip_address", "changes"}

// Run prints what was done to the resource.
func (c *explainCommand) Run(ctx context.Context, env environment) (err error) {
	found := c.check()
	if found.HasError() {
		return &problemsError{found}
	}

	of, found := c.target(env)
	if found.HasError() {
		return &problemsError{found}
	}

	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	logs, sources, err := c.openAll(ctx, env, explain.ExplainResource, of.Service)
	if err != nil {
		return err
	}

	q := queryCommand{Format: c.Format, UTC: c.UTC}
	if c.Format == formatTable || c.Format == "auto" && env.columns > 0 {
		q.Columns = lifeColumns
	}

	out, err := q.printer(env, logs[0].Info())
	if err != nil {
		return err
	}

	if t, ok := out.(*rows); ok && env.columns == 0 {
		t.width = unlimited // What was before and after is not to be cut where nothing is too narrow for it.
	}

	defer func() { err = errors.Join(err, out.close()) }()

	f := filtering{timing: c.timing}
	life := task.Life{Question: f.question(env, explain.ExplainResource, 0), Of: of, Redact: c.redaction(sources)}

	var told *task.Told

	env.watch(ctx, "Reading", func(ctx context.Context) { told, found = life.Run(ctx, logs...) })

	if told == nil {
		return &problemsError{found}
	}

	env.tell(found)

	if c.Strict && !told.Conclusive() {
		return errInconclusive
	}

	if err := printLife(env, out, told); err != nil {
		return fmt.Errorf("print the entries: %w", err)
	}

	return env.summarizeLife(told)
}

// unlimited is wider than any line.
const unlimited = 1 << 20

// target is what is looked for in the logs.
func (c *explainCommand) target(env environment) (drift.Target, explain.Problems) {
	c.Resource = strings.TrimSpace(c.Resource)
	isAddress := drift.IsAddress(c.Resource)

	if len(c.State) == 0 {
		if isAddress {
			return drift.Target{}, explain.Problems{explain.Problem{
				Summary: explain.ExplainResource,
				Cause:   "Which id the address stands for is not known without a state.",
				Next:    "Give a state with --state, or the id in place of the address.",
			}.With("Address", c.Resource)}
		}

		return c.named()
	}

	given, found := readInventories(env, c.State)
	if found.HasError() {
		return drift.Target{}, found
	}

	env.tell(found)

	resources := drift.Merge(given.inventories...)

	i := slices.IndexFunc(resources, func(r drift.Resource) bool {
		return r.Address == c.Resource || !isAddress && r.ID != "" && r.ID == c.Resource
	})
	if i < 0 {
		if !isAddress {
			return c.named()
		}

		addresses := make([]string, 0, len(resources))
		for _, r := range resources {
			addresses = append(addresses, r.Address)
		}

		return drift.Target{}, explain.Problems{explain.NoSuchResource(c.Resource, addresses)}
	}

	of, reason := drift.TargetOf(resources[i], resources)
	if reason != "" {
		return of, explain.Problems{explain.Problem{
			Summary: explain.ExplainResource, Cause: explain.Plain(reason.Text()), Next: "Look for it in another log.",
		}.With("Address", c.Resource).With("Type", resources[i].Type)}
	}

	return of, nil
}

// named is what is looked for of which only an id or a name is given.
func (c *explainCommand) named() (drift.Target, explain.Problems) {
	if c.Resource == "" || drift.LooksLikeAddress(c.Resource) {
		return drift.Target{}, explain.Problems{explain.Problem{
			Summary: explain.ExplainResource,
			Cause:   "What is to be explained is neither the address of a resource nor an id.",
			Next:    "Give an address as terraform state list prints it, in single quotes, or the id.",
		}.With("Given", explain.Shown(c.Resource))}
	}

	return drift.TargetNamed(c.Resource), nil
}

func printLife(env environment, out printer, told *task.Told) error {
	if err := out.begin(); err != nil {
		return err
	}

	for i := range told.Entries {
		if err := out.take(&told.Entries[i]); err != nil {
			return err
		}
	}

	return out.end(env)
}

// summarizeLife says on standard error what was told, and how certain it is. Nothing is an answer as well: no.
func (env environment) summarizeLife(told *task.Told) error {
	start, end := told.Read[0].Window.Start, told.Read[0].Window.End

	for _, c := range told.Read {
		if c.Window.Start.Before(start) {
			start = c.Window.Start
		}

		if c.Window.End.After(end) {
			end = c.Window.End
		}
	}

	what := plural(int64(len(told.Entries)), "entry is about it", "entries are about it")
	if len(told.Entries) == 0 {
		what = "No entry is about it"
	}

	_, _ = fmt.Fprintf(env.stderr, "%s, in %s, from %s to %s.\n", what,
		plural(int64(told.Logs), "log", "logs"), auditlog.FormatTime(start), auditlog.FormatTime(end))

	for _, by := range []struct {
		match drift.Match
		text  string
	}{
		{drift.ByName, "by its name, which another thing can have had"},
		{drift.ByContainer, "by the id of what holds it; which part was changed the log does not say"},
		{drift.Mentioned, "since their messages mention its name"},
	} {
		if n := told.Uncertain[by.match]; n > 0 {
			_, _ = fmt.Fprintf(env.stderr, "Matched %s: %d.\n", by.text, n)
		}
	}

	switch {
	case len(told.Entries) > 0:
		return nil
	case told.Conclusive():
		return &negativeError{}
	default:
		return errInconclusive
	}
}
