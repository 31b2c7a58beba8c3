// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// formatTable is a table for people.
const formatTable = "table"

// queryCommand looks entries up.
type queryCommand struct {
	asking
	filtering
	redacting

	Format  string        `group:"What is printed" placeholder:"FORMAT" enum:"auto,table,ndjson,json,csv" default:"auto" help:"How entries are printed: table, ndjson, json or csv. By default a table on a terminal, else NDJSON."`
	Columns []string      `group:"What is printed" enum:"${fields}" help:"Fields to print, and their order: ${fields}. By default all; in a table those that say who did what, and when." placeholder:"FIELD"`
	CountBy []string      `group:"What is printed" enum:"${fields}" help:"Print how many entries there are by these fields, the most first, in place of the entries: actor,operation." placeholder:"FIELD"`
	UTC     bool          `name:"utc" group:"What is printed" help:"Print times in UTC. By default a table has them in the time zone of this machine; everything else is in UTC."`
	Strict  bool          `help:"Print nothing, and exit with 2, where the answer leaves something open: a part of the time that nobody can tell about, actions or values that nobody knows."`
	Timeout time.Duration `default:"1h" help:"How long the command may take." placeholder:"DURATION"`
}

// Help shows what to type.
func (*queryCommand) Help() string {
	return `Nothing is printed before it is proven that nothing is missing. The last line on
standard error says how many entries match, of which time, and what proves it.

Examples:

    # Who deleted something in the last week?
    auditlog query --service upcloud --last 7d --operations delete

    # How many changes did each person make in June?
    auditlog query --service cloudscale --start 2026-06-01T00:00:00Z \
        --end 2026-07-01T00:00:00Z --count-by actor,operation

    # The same entries for another program
    auditlog query --service upcloud --where 'entry.origin == "gui"' \
        --format ndjson | jq .actor`
}

// Run prints what answers the query, once it is proven that nothing of it is missing.
func (c *queryCommand) Run(ctx context.Context, env environment) (err error) {
	if found := c.check(); found.HasError() {
		return &problemsError{found}
	}

	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()

	service, sources, err := c.open(ctx, env, task.LookUpLogs)
	if err != nil {
		return err
	}

	out, err := c.printer(env, service.Info())
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, out.close()) }()

	list := task.List{
		Question: c.question(env, task.LookUpLogs, 0), Redact: c.redaction(sources), Begin: out.begin, Take: out.take,
	}

	var (
		listed *task.Listed
		found  explain.Problems
	)

	env.watch(ctx, "Reading", func(ctx context.Context) { listed, found = list.Run(ctx, service) })

	if listed == nil {
		return &problemsError{found}
	}

	env.tell(found)

	if c.Strict && !listed.Completeness.Conclusive() {
		return errInconclusive
	}

	if err := out.end(env); err != nil {
		return fmt.Errorf("print the entries: %w", err)
	}

	env.summarize(listed)

	return nil
}

// errInconclusive says that everything was read, and that this is no answer all the same.
var errInconclusive = errors.New("the answer is not conclusive: see the warnings")

// check reports what does not go together.
func (c *queryCommand) check() explain.Problems {
	var found explain.Problems

	f := task.Form{Format: format.Format(c.Format), Columns: c.Columns}
	found.Add(f.Check()...)

	if len(c.CountBy) > 0 && c.Format == string(format.CSV) {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "Counts are printed as a table, as JSON or as NDJSON.",
			Next:    "Give --format=json, or leave the flag out.",
		}.At(explain.Argument("format")))
	}

	if len(c.CountBy) > 0 && len(c.Columns) > 0 {
		found.Add(explain.Problem{
			Summary: explain.CheckConfiguration,
			Cause:   "Entries are counted, so that none is printed that could have columns.",
			Next:    "Give either --columns or --count-by.",
		}.At(explain.Argument("count_by")))
	}

	for i, name := range c.CountBy {
		if slices.Contains(c.CountBy[:i], name) {
			found.Add(explain.Problem{
				Summary: explain.CheckConfiguration, Cause: "A field is named twice.", Next: "Remove one of the two.",
			}.With("Field", name).At(explain.Argument("count_by")))
		}
	}

	return found
}

func fieldNames() []string {
	names := make([]string, 0, len(auditlog.Fields()))
	for _, f := range auditlog.Fields() {
		names = append(names, f.Name)
	}

	return names
}

// printer prints entries, none of them before its end.
type printer interface {
	// begin forgets what was taken.
	begin() error
	take(e *auditlog.Entry) error
	end(env environment) error
	close() error
}

func (c *queryCommand) printer(env environment, info auditlog.Info) (printer, error) {
	how := c.Format
	if how == "auto" {
		how = string(format.NDJSON)
		if env.columns > 0 {
			how = formatTable
		}
	}

	times := env.local
	if c.UTC {
		times = time.UTC
	}

	switch {
	case len(c.CountBy) > 0:
		return newCounts(how, c.CountBy), nil
	case how == formatTable:
		return newTable(env, info, c.Columns, times)
	}

	columns, err := format.Columns(format.ShapeEntry, c.Columns)
	if err != nil {
		return nil, err
	}

	spool, err := durable.NewSpool()
	if err != nil {
		return nil, err
	}

	return &encoded{spool: spool, format: format.Format(how), columns: columns}, nil
}

// encoded prints entries as an export would write them.
type encoded struct {
	spool   *durable.Spool
	format  format.Format
	columns []string
	encoder format.Encoder
}

func (p *encoded) begin() error {
	if err := p.spool.Reset(); err != nil {
		return err
	}

	var err error

	p.encoder, err = format.NewEncoder(p.spool, p.format, p.columns, format.EncoderOptions{SpreadsheetSafe: true})

	return err
}

func (p *encoded) take(e *auditlog.Entry) error { return p.encoder.Encode(e) }

func (p *encoded) end(env environment) error {
	if err := p.encoder.Close(); err != nil {
		return err
	}

	return p.spool.CopyTo(env.printed())
}

func (p *encoded) close() error { return p.spool.Close() }

// printed is where data goes: to a program as it is, and to a terminal so that it can do no harm there.
func (env environment) printed() io.Writer {
	if env.columns > 0 {
		return env.stdout
	}

	return env.data
}

// summarize says on standard error what was found, of which time, and why nothing is missing.
func (env environment) summarize(listed *task.Listed) {
	c := &listed.Completeness

	what := plural(listed.Count, "entry matches", "entries match")
	if listed.Count == 0 {
		what = "No entry matches"
	}

	_, _ = fmt.Fprintf(env.stderr, "%s, from %s to %s. %s\n", what,
		auditlog.FormatTime(c.Window.Start), auditlog.FormatTime(c.Window.End), proven(c))
}

// proven says why a reading is complete, or that its warnings say what is not.
func proven(c *auditlog.Completeness) string {
	reason := map[auditlog.Proof]string{
		auditlog.ProofTotal:   "as many came as the service counts",
		auditlog.ProofCursor:  "the log was followed to its end",
		auditlog.ProofExports: "every row of the exports was read",
		auditlog.ProofChain:   "every segment is what its manifest says",
		auditlog.ProofEach:    "each log was read in full",
	}[c.Proof]

	if c.Conclusive() {
		return "Complete: " + reason + "."
	}

	return "Everything that there is was read (" + reason + "), but see the warnings."
}

// plural is a number with what is counted.
func plural(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}

	return task.Grouped(n) + " " + more
}

// counts says how many entries there are by fields.
type counts struct {
	how    string
	by     []string
	fields []auditlog.Field
	of     map[string]int64
}

func newCounts(how string, by []string) *counts {
	c := &counts{how: how, by: by}

	for _, name := range by {
		f, _ := auditlog.FieldByName(name) // They have been checked.
		c.fields = append(c.fields, f)
	}

	return c
}

func (c *counts) begin() error {
	c.of = map[string]int64{}

	return nil
}

func (c *counts) take(e *auditlog.Entry) error {
	values := make([]string, 0, len(c.fields))
	for i := range c.fields {
		values = append(values, c.fields[i].Text(e))
	}

	key, err := json.Marshal(values)
	if err != nil {
		return err //nolint:wrapcheck // Texts can always be encoded.
	}

	c.of[string(key)]++

	return nil
}

func (*counts) close() error { return nil }

// count is how many entries have the values.
type count struct {
	values []string
	n      int64
}

// sorted are the counts, the largest first, ties by value.
func (c *counts) sorted() ([]count, error) {
	all := make([]count, 0, len(c.of))

	for key, n := range c.of {
		var values []string
		if err := exactjson.Unmarshal([]byte(key), &values); err != nil {
			return nil, err
		}

		all = append(all, count{values, n})
	}

	slices.SortFunc(all, func(a, b count) int { return cmp.Or(cmp.Compare(b.n, a.n), slices.Compare(a.values, b.values)) })

	return all, nil
}

func (c *counts) end(env environment) error {
	all, err := c.sorted()
	if err != nil {
		return err
	}

	if c.how == formatTable {
		return printCounts(env, c.by, all)
	}

	return c.encode(env.printed(), all)
}

// encode prints counts for programs, an object each.
func (c *counts) encode(w io.Writer, all []count) error {
	var out []byte

	between, last := "\n", ""
	if c.how == string(format.JSON) {
		between, last = ",\n  ", "\n]\n"
		out = append(out, "[\n  "...)
	}

	for i, n := range all {
		if i > 0 {
			out = append(out, between...)
		}

		out = append(out, '{')

		for j, name := range c.by {
			out = append(exactjson.AppendString(out, name), ':')
			out = append(exactjson.AppendString(out, n.values[j]), ',')
		}

		out = fmt.Appendf(out, `"count":%d}`, n.n)
	}

	if len(all) > 0 && last == "" {
		last = between
	}

	_, err := w.Write(append(out, last...))

	return err //nolint:wrapcheck // It is the writer's.
}

// shown makes a value fit to be shown in a cell.
func shown(text string) string { return screen.Text(text) }
