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
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// managing are the flags that say what Terraform manages.
type managing struct {
	running

	State []string `group:"What Terraform manages" sep:"none" placeholder:"FILE" help:"Plans and states, also of several workspaces: what terraform show -json prints, or terraform state pull; - for standard input. What was created by hand and is in none of them is found."`
	AsOf  string   `group:"What Terraform manages" placeholder:"TIME" help:"When the states were written, RFC 3339, where their files have another time. It tells things of the same name apart. Default: when a plan was made; of a state the time of its file."`
}

// running are those that say who runs Terraform.
type running struct {
	PipelineActors      []string `group:"Who Terraform is" placeholder:"ACTOR"`
	PipelineIPAddresses []string `name:"pipeline-ip-addresses" group:"Who Terraform is" placeholder:"ADDRESS"`
	PipelineAuthTypes   []string `group:"Who Terraform is" placeholder:"TYPE"`
	PipelineWhere       *string  `group:"Who Terraform is" placeholder:"CONDITION"`
	PipelineRuns        []string `group:"Who Terraform is" placeholder:"START/END"`
}

// driftCommand says who changed what Terraform manages.
type driftCommand struct {
	managing
	timing
	reading
	redacting

	Plans []string `arg:"" optional:"" name:"file" help:"Plans and states, as --state takes them."`

	AllowUnknownValues   bool `group:"Which entries"`
	FailOnUnknownActions bool `group:"Which entries"`

	Format  string        `enum:"table,json,ndjson,sarif" default:"table" help:"How the result is printed: table, json, ndjson (a row a line, then the completeness) or sarif (2.1.0)."`
	UTC     bool          `name:"utc" help:"Print times of a table in UTC. By default it has them in the time zone of this machine; everything else is in UTC."`
	Strict  bool          `help:"Exit with 2 also where nothing was found, but there are resources or entries for which that proves nothing."`
	Timeout time.Duration `default:"1h" help:"How long the command may take."`
}

// Help says what the exit codes are.
func (*driftCommand) Help() string {
	return `Terraform says that objects have changed outside of Terraform. This says who did
it, when and from where, what was deleted and created besides, and for what nobody
is known.

Exit code: 0 when nothing was done by hand; 1 when something was, or when nobody is
known to have done what Terraform saw change; 2 when that cannot be told.

Examples:

    # Who made the changes that Terraform sees?
    terraform plan -out tfplan
    terraform show -json tfplan |
        auditlog drift --service upcloud --last 30d --pipeline-actors ci -

    # What was touched by hand in the last week, of all workspaces?
    auditlog drift --service upcloud --last 7d --pipeline-actors ci \
        --state network.json --state servers.json

    # In CI: silent when all is well, names when not, a reason when nobody can tell
    code=0
    auditlog drift --last 25h --pipeline-actors ci --state state.json \
        > touched.txt 2> messages.txt || code=$?
    case $code in
    0) ;;
    1) cat touched.txt ;;
    *) cat messages.txt >&2 ;;
    esac
    exit $code`
}

// Run prints what was done by hand.
func (c *driftCommand) Run(ctx context.Context, env environment) error {
	found := c.check()
	if found.HasError() {
		return &problemsError{found}
	}

	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	d, err := c.drift(env, c.Plans...)
	if err != nil {
		return err
	}

	logs, sources, err := c.openAll(ctx, env, explain.FindDrift, drift.Clouds(d.Resources)...)
	if err != nil {
		return err
	}

	d.Question, d.Redact = c.question(env), c.redaction(sources)

	var drifted *task.Drifted

	env.watch(ctx, "Reading", func(ctx context.Context) { drifted, found = d.Run(ctx, logs...) })

	if drifted == nil {
		return &problemsError{found}
	}

	env.tell(found)

	if err := c.print(env, drifted); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}

	env.summarizeDrift(drifted)

	switch c.code(drifted) {
	case exitNegative:
		return &negativeError{}
	case exitUnknown:
		return errInconclusive
	default:
		return nil
	}
}

// code is the exit code of a result.
func (c *driftCommand) code(d *task.Drifted) int {
	switch {
	case d.Found() > 0:
		return exitNegative
	case !d.Conclusive(), c.Strict && d.Doubtful():
		return exitUnknown
	default:
		return exitDone
	}
}

// check reports what does not go together.
func (c *driftCommand) check() explain.Problems {
	found := c.reading.check()

	if len(c.Plans)+len(c.State) == 0 {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "What Terraform manages is not said.",
			Next:    "Name a plan or a state as terraform show -json prints it, or - for standard input.",
		})
	}

	return append(found, c.managing.check()...)
}

// check reports what cannot be used.
func (m *managing) check() (found explain.Problems) {
	if _, err := time.Parse(time.RFC3339Nano, m.AsOf); m.AsOf != "" && err != nil {
		found.Add(explain.Form{Description: `a time as in RFC 3339, such as "2026-01-31T00:00:00Z"`}.
			Refusal("--as-of", errors.New("not a time as in RFC 3339")).At(explain.Argument("as_of")))
	}

	return found
}

// drift is what is compared with a log, of the states and of other files.
func (m *managing) drift(env environment, files ...string) (*task.Drift, error) {
	given, found := readInventories(env, slices.Concat(files, m.State))
	if found.HasError() {
		return nil, &problemsError{found}
	}

	env.tell(found)

	if m.AsOf != "" {
		given.written = query.ParseTime(m.AsOf)
		for _, i := range given.inventories {
			i.Written = given.written
		}
	}

	return &task.Drift{
		Resources: drift.Merge(given.inventories...), Pipeline: m.pipeline(), AsOf: given.written,
	}, nil
}

func (r *running) pipeline() task.Pipeline {
	return task.Pipeline{
		Actors: r.PipelineActors, IPAddresses: r.PipelineIPAddresses, AuthTypes: r.PipelineAuthTypes,
		Where: r.PipelineWhere, Runs: r.PipelineRuns,
	}
}

// question is what is asked for as of now. It has no filters.
func (c *driftCommand) question(env environment) task.Question {
	f := filtering{timing: c.timing}
	f.AllowUnknownValues, f.FailOnUnknownActions = c.AllowUnknownValues, c.FailOnUnknownActions

	return f.question(env, explain.FindDrift, 0)
}

// inventories are what the files say that Terraform manages.
type inventories struct {
	inventories []*drift.Inventory
	// written is when the oldest of them was.
	written time.Time
}

const standardInput = "-"

// readInventories reads plans and states.
func readInventories(env environment, names []string) (all inventories, found explain.Problems) {
	if i := slices.Index(names, standardInput); i >= 0 && slices.Contains(names[i+1:], standardInput) {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration, Cause: "Standard input is named twice.", Next: "Name it once.",
		})

		return all, found
	}

	for _, name := range names {
		inventory, written, err := readInventory(env, name)
		shown := name
		if name == standardInput {
			shown = "standard input"
		}

		if err != nil {
			found.Add(explain.Inventory(err, shown))

			continue
		}

		if inventory.Partial {
			found.Add(explain.Partial(shown))
		}

		all.inventories = append(all.inventories, inventory)

		if all.written.IsZero() || written.Before(all.written) {
			all.written = written
		}
	}

	return all, found
}

// readInventory reads one, and says when it was written.
func readInventory(env environment, name string) (*drift.Inventory, time.Time, error) {
	switch {
	case name != standardInput:
		return task.InventoryAt(name)
	case env.stdin == nil:
		return task.Inventory(strings.NewReader(""), env.now())
	default:
		return task.Inventory(env.stdin, env.now())
	}
}

// summarizeDrift says on standard error how much was found, of which time, and why nothing is missing.
func (env environment) summarizeDrift(d *task.Drifted) {
	var foreign int64

	for _, u := range d.Unmatched {
		if u.Reason == drift.ForeignProvider {
			foreign += int64(u.Count)
		}
	}

	held := plural(d.Resources-foreign, "resource", "resources")
	if foreign > 0 {
		held += " (without " + task.Grouped(foreign) + " of other providers)"
	}

	_, _ = fmt.Fprintf(env.stderr, "By hand: %d changed, %d deleted, %d created; not explained: %d. "+
		"Held %s against %s, from %s to %s; the pipeline made %s of them. %s\n",
		len(d.Changed), len(d.Deleted), len(d.Created), len(d.Unexplained), held, plural(d.Entries, "entry", "entries"),
		auditlog.FormatTime(d.Completeness.Window.Start), auditlog.FormatTime(d.Completeness.Window.End),
		task.Grouped(d.ByPipeline), proven(&d.Completeness))
}
