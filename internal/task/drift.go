// SPDX-License-Identifier: MPL-2.0

package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Pipeline says who runs Terraform, as it is written. What is not given is empty.
type Pipeline struct {
	Actors      []string
	IPAddresses []string
	AuthTypes   []string
	Where       *string
	// Runs are the times at which it ran, each as START/END.
	Runs []string
}

// PipelineTable lists the arguments that say who runs Terraform.
func PipelineTable() []query.Argument {
	forms := map[string]explain.Form{}
	for _, a := range query.Table("0s") {
		forms[a.Name] = a.Form
	}

	return []query.Argument{
		{Name: "actors", Description: "Who runs Terraform: actors by id, or by name where the cloud keeps names unique. The description of an API token is no such name, since anybody can choose it.", List: true, Form: query.NotEmpty()},
		{Name: "ip_addresses", Description: "Addresses or CIDR blocks that Terraform's requests come from.", List: true, Form: forms["ip_addresses"]},
		{Name: "auth_types", Description: "How Terraform is authenticated, as the cloud spells it.", List: true, Form: query.NotEmpty()},
		{Name: "where", Description: "Condition that holds for what Terraform does, an expression in CEL over `entry`, such as `entry.actor.startsWith(\"ci-\")`.", Form: forms["where"]},
		{Name: "runs", Description: "When Terraform ran, each as `START/END` in RFC 3339: what was done at other times it did not do.", List: true, Form: runForm()},
	}
}

func runForm() explain.Form {
	return explain.Form{
		Description: `two times as in RFC 3339 with a slash between them, such as "2026-01-31T10:00:00Z/2026-01-31T10:05:00Z"`,
		Check: func(value string) error {
			_, err := parseRun(value)

			return err
		},
	}
}

func parseRun(text string) (auditlog.Window, error) {
	begin, end, ok := strings.Cut(text, "/")
	start, startErr := time.Parse(time.RFC3339Nano, begin)
	stop, endErr := time.Parse(time.RFC3339Nano, end)

	switch {
	case !ok || startErr != nil || endErr != nil:
		return auditlog.Window{}, errors.New("not two times with a slash between them")
	case !start.Before(stop):
		return auditlog.Window{}, errors.New("a span of time that ends before it begins")
	default:
		return auditlog.Window{Start: start, End: stop}, nil
	}
}

// pipelineWhere is the place of values in the condition, until they are put where they belong.
const pipelineWhere = "pipeline_where"

// compile is the pipeline as it is held against entries, with what is wrong with it for this service.
func (p *Pipeline) compile(info auditlog.Info) (drift.Pipeline, explain.Problems) {
	compiled := drift.Pipeline{Actors: p.Actors, AuthTypes: p.AuthTypes}

	var found explain.Problems

	for i, text := range p.IPAddresses {
		block, err := auditlog.ParseAddress(text)
		if err != nil {
			found.Add(explain.Problem{Summary: explain.CheckConfiguration, Cause: explain.Sentence(err.Error())}.
				At(explain.Argument("pipeline").Part("ip_addresses").Index(i)))
		}

		compiled.Addresses = append(compiled.Addresses, block)
	}

	for i, text := range p.Runs {
		run, err := parseRun(text)
		if err != nil {
			found.Add(runForm().Refusal("runs", err).At(explain.Argument("pipeline").Part("runs").Index(i)))
		}

		compiled.Runs = append(compiled.Runs, run)
	}

	for _, needed := range []struct {
		name   string
		fields []string
		given  bool
	}{
		{"ip_addresses", []string{auditlog.FieldIPAddress}, len(p.IPAddresses) > 0},
		{"auth_types", []string{"auth_type"}, len(p.AuthTypes) > 0},
		{"actors", []string{"actor", "actor_id"}, len(p.Actors) > 0},
	} {
		inPart := func(field string) bool { return slices.Contains(info.RedactedInPart, field) }

		switch {
		case !needed.given:
		case !slices.ContainsFunc(needed.fields, info.Records):
			found.Add(explain.PipelineNever(needed.name, needed.fields[0], info))
		case slices.ContainsFunc(needed.fields, inPart):
			found.Add(explain.PipelineInPart(needed.name, needed.fields[0], info))
		}
	}

	// The condition is one of a query, and nothing else of the query is.
	q, wrong := (&query.Filters{Where: p.Where}).Answerable(info)
	compiled.Where = q.Where

	for _, w := range wrong {
		found.Add(w.At(explain.Argument("pipeline").Part("where")))
	}

	return compiled, found
}

// Given says whether the pipeline is anybody.
func (p *Pipeline) Given() bool {
	return len(p.Actors)+len(p.IPAddresses)+len(p.AuthTypes)+len(p.Runs) > 0 || p.Where != nil
}

// asked lists the values that the condition compares fields with.
func (p *Pipeline) asked() []auditlog.Asked {
	q, err := (&query.Filters{Where: p.Where}).Query()
	if err != nil || q.Where == nil {
		return nil
	}

	all := q.Where.Compared()
	for i := range all {
		all[i].Argument = pipelineWhere
	}

	return all
}

// Drift holds what Terraform manages against what is asked for. The question has no filters: what the pipeline did, and
// what is gone again, has to be seen as well.
type Drift struct {
	Question

	Resources []drift.Resource
	Pipeline  Pipeline
	// AsOf is when the states were written.
	AsOf   time.Time
	Redact Redaction
}

// Drifted is what a comparison came to.
type Drifted struct {
	*drift.Result

	// Statement is of the reading, as it may be shown.
	Statement export.Statement
}

// Conclusive says whether finding nothing means that nothing happened to what can be found in the log.
func (d *Drifted) Conclusive() bool { return d.Completeness.Conclusive() }

// Run reads the logs, those of one cloud as one. Each resource is looked for in the log of its own cloud.
func (d *Drift) Run(ctx context.Context, logs ...auditlog.Service) (*Drifted, explain.Problems) {
	clouds := auditlog.ByCloud(func() time.Time { return d.Now }, logs)

	of, wrong := d.share(clouds)

	r, unredactable := d.Redact()
	wrong.Add(unredactable...)

	if found := slices.Concat(d.Found, wrong); found.HasError() {
		return nil, found
	}

	var (
		all      = &Drifted{Result: &drift.Result{AsOf: d.AsOf}}
		found    = d.Found
		scrubber = r.Scrubber()
		results  []*drift.Result
		done     []auditlog.Completeness
	)

	for i, s := range clouds {
		result, problems := d.compare(ctx, s, of[i], scrubber)

		if found.AddNew(problems...); result == nil {
			return nil, found
		}

		results, done = append(results, result), append(done, result.Completeness)
	}

	if !d.Pipeline.Given() {
		found.Add(explain.NoPipeline())
	}

	for i, s := range clouds {
		shown := scrubbed(results[i], scrubber) // What is to be hidden is known now, whichever log has it.
		found.Add(explain.Drifted(s.Info(), shown, d.Pipeline.Given())...)
		all.add(shown)
	}

	all.Completeness = auditlog.All(done...)
	all.Statement = export.NewStatement(scrubber.Completeness(all.Completeness))

	return all, found
}

// share says which resources are looked for in which log. Those of clouds whose logs are not read are counted with the
// first.
func (d *Drift) share(clouds []auditlog.Service) ([][]drift.Resource, explain.Problems) {
	of := make([][]drift.Resource, len(clouds))
	managed := make([]bool, len(clouds))

	for _, r := range d.Resources {
		k, ok := drift.KindOf(r.Type)
		i := slices.IndexFunc(clouds, func(s auditlog.Service) bool { return ok && s.Info().Cloud() == k.Service })

		if i >= 0 {
			managed[i] = true
		}

		of[max(i, 0)] = append(of[max(i, 0)], r)
	}

	var found explain.Problems

	for i, s := range clouds {
		if !managed[i] {
			found.Add(explain.NothingManaged(len(d.Resources), s.Info()))
		}
	}

	return of, found
}

// compare holds resources against the log of their cloud. There is no result where something is in the way.
func (d *Drift) compare(
	ctx context.Context, s auditlog.Service, resources []drift.Resource, scrubber *redact.Scrubber,
) (*drift.Result, explain.Problems) {
	question := d.Question
	question.Found, question.More = nil, d.Pipeline.asked()

	q, found := question.Query(ctx, s)

	c, wrong := d.begin(ctx, s, &q, resources)
	found.Add(wrong...)

	if found = atPipeline(found); found.HasError() {
		return nil, found
	}

	done, err := auditlog.ReadAll(ctx, s, q, func(e *auditlog.Entry) error {
		if err := scrubber.Learn(e); err != nil {
			return err
		}

		return c.Take(e)
	})
	if err != nil {
		found.Add(explain.Drift(err, s.Info(), q.Window))

		return nil, found
	}

	result := c.End(done)
	done.UnknownMatters = false // What unknown actions mean is said of what came out.

	return result, append(found, d.Arguments.ReadWarnings(s.Info(), q, done)...)
}

// begin begins a comparison with what the query brings.
func (d *Drift) begin(
	ctx context.Context, s auditlog.Service, q *auditlog.Query, resources []drift.Resource,
) (*drift.Comparison, explain.Problems) {
	pipeline, found := d.Pipeline.compile(s.Info())
	if found.HasError() {
		return nil, found
	}

	info, err := auditlog.Inspected(ctx, s)
	if err == nil {
		var c *drift.Comparison

		o := drift.Options{Resources: resources, Pipeline: pipeline, AsOf: d.AsOf}
		if c, err = drift.Begin(info, q, o); err == nil {
			return c, found
		}
	}

	return nil, append(found, explain.Drift(err, s.Info(), q.Window))
}

// atPipeline puts what is wrong with the pipeline's condition where that was given.
func atPipeline(found explain.Problems) explain.Problems {
	for i := range found {
		if fmt.Sprint(found[i].Place) == fmt.Sprint(explain.Argument(pipelineWhere)) {
			found[i] = found[i].At(explain.Argument("pipeline").Part("where"))
		}
	}

	return found
}

// add adds what was found in the log of another cloud.
func (d *Drifted) add(r *drift.Result) {
	byAddress := func(a, b drift.Row) int { return cmp.Compare(a.Address, b.Address) }

	for _, rows := range []struct {
		all *[]drift.Row
		of  []drift.Row
	}{
		{&d.Changed, r.Changed}, {&d.Deleted, r.Deleted}, {&d.Created, r.Created}, {&d.Unexplained, r.Unexplained},
	} {
		*rows.all = append(*rows.all, rows.of...)
		slices.SortStableFunc(*rows.all, byAddress)
	}

	slices.SortStableFunc(d.Created, func(a, b drift.Row) int {
		return auditlog.Compare(&a.Events[0].Entry, &b.Events[0].Entry)
	})

	d.Unmatched = append(d.Unmatched, r.Unmatched...)
	d.Resources += r.Resources
	d.Entries += r.Entries
	d.ByPipeline += r.ByPipeline
	d.Unattributed += r.Unattributed
	d.Matched += r.Matched

	if d.Former += r.Former; d.FormerExample.ResourceID == "" {
		d.FormerExample = r.FormerExample
	}
}

// scrubbed is a result without what must not be shown. What Terraform saw is hidden with the changes of the entries.
func scrubbed(r *drift.Result, s *redact.Scrubber) *drift.Result {
	if s == nil {
		return r
	}

	shown := *r

	for _, rows := range rowsOf(&shown) {
		*rows = slices.Clone(*rows)

		for i := range *rows {
			row := &(*rows)[i]
			of := s.Apply(auditlog.Entry{Service: row.Service, ResourceID: row.ID, ResourceName: row.Name})
			row.ID, row.Name = of.ResourceID, of.ResourceName
			row.Address = scrubbedAddress(row.Address, row.Type, s)

			row.Events = slices.Clone(row.Events)
			for j := range row.Events {
				row.Events[j].Entry = s.Apply(row.Events[j].Entry)
			}
		}
	}

	shown.Unmatched = slices.Clone(r.Unmatched)
	for i := range shown.Unmatched {
		u := &shown.Unmatched[i]
		u.Example = scrubbedAddress(u.Example, u.Type, s)
	}

	shown.Completeness = s.Completeness(r.Completeness)
	shown.FormerExample = s.Apply(r.FormerExample)
	shown.Chosen, shown.Trusted = scrubbedNames(r.Chosen, s), scrubbedNames(r.Trusted, s)

	if s.Apply(auditlog.Entry{Changes: []auditlog.Change{{}}}).Changes == nil {
		return withoutSeen(&shown, s)
	}

	return &shown
}

// scrubbedAddress is the address of a resource, or its type where the address holds what must not be shown.
func scrubbedAddress(address, of string, s *redact.Scrubber) string {
	if shown := s.Text(address); shown == address {
		return shown
	}

	return of + "." + redact.Masked
}

// withoutSeen is a result without the values that Terraform saw change.
func withoutSeen(r *drift.Result, s *redact.Scrubber) *drift.Result {
	shown, masked := *r, strconv.Quote(redact.Masked)

	for _, rows := range rowsOf(&shown) {
		*rows = slices.Clone(*rows)

		for i := range *rows {
			if (*rows)[i].Seen == nil {
				continue
			}

			seen := *(*rows)[i].Seen
			seen.Changes = slices.Clone(seen.Changes)
			(*rows)[i].Seen = &seen

			for j := range seen.Changes {
				c := &seen.Changes[j]
				if s.Text(c.Field) != c.Field {
					c.Field = redact.Masked
				}

				for _, value := range []**string{&c.Before, &c.After} {
					if *value != nil {
						*value = &masked
					}
				}
			}
		}
	}

	return &shown
}

func rowsOf(r *drift.Result) []*[]drift.Row {
	return []*[]drift.Row{&r.Changed, &r.Deleted, &r.Created, &r.Unexplained}
}

func scrubbedNames(names map[string][]string, s *redact.Scrubber) map[string][]string {
	all := map[string][]string{}

	for name, ids := range names {
		shown := s.Apply(auditlog.Entry{Actor: name})
		if _, again := all[shown.Actor]; !again {
			all[shown.Actor] = nil // A name may have no ids.
		}

		for _, id := range ids {
			with := s.Apply(auditlog.Entry{Actor: name, ActorID: id})
			all[shown.Actor] = append(all[shown.Actor], with.ActorID)
		}
	}

	return all
}

// InventoryAt reads a plan or a state from a file, and says when it was written: when a plan was made, of a state the
// time of its file.
func InventoryAt(path string) (*drift.Inventory, time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err //nolint:wrapcheck // It is explained.
	}

	defer func() { _ = f.Close() }() // Nothing was written.

	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err //nolint:wrapcheck // As above.
	}

	return Inventory(f, info.ModTime())
}

// Inventory is InventoryAt for what is no file; it was written at the time unless it says so itself.
func Inventory(from io.Reader, written time.Time) (*drift.Inventory, time.Time, error) {
	inventory, err := drift.Read(from)
	if err != nil {
		return nil, written, err
	}

	if inventory.Written.IsZero() {
		inventory.Written = written
	}

	return inventory, inventory.Written, nil
}
