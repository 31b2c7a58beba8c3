// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
		name, field string
		given       bool
	}{
		{"ip_addresses", auditlog.FieldIPAddress, len(p.IPAddresses) > 0}, {"auth_types", "auth_type", len(p.AuthTypes) > 0},
	} {
		if needed.given && !info.Records(needed.field) {
			found.Add(explain.PipelineNever(needed.name, needed.field, info))
		}
	}

	if len(p.Actors) > 0 && !info.Records("actor") && !info.Records("actor_id") {
		found.Add(explain.PipelineNever("actors", "actor", info))
	}

	// The condition is one of a query, and nothing else of the query is.
	q, wrong := (&query.Filters{Where: p.Where}).Answerable(info)
	compiled.Where = q.Where

	for _, w := range wrong {
		found.Add(w.At(explain.Argument("pipeline").Part("where")))
	}

	return compiled, found
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

// Run reads from the service.
func (d *Drift) Run(ctx context.Context, s auditlog.Service) (*Drifted, explain.Problems) {
	info := s.Info()

	if !slices.ContainsFunc(d.Resources, func(r drift.Resource) bool {
		k, ok := drift.KindOf(r.Type)

		return ok && k.Service == info.Cloud()
	}) {
		return nil, append(d.Found, explain.NothingManaged(len(d.Resources), info))
	}

	pipeline, wrong := d.Pipeline.compile(info)
	d.Found.Add(wrong...)
	d.More = d.Pipeline.asked()

	q, found := d.Query(ctx, s)
	for i := range found {
		if fmt.Sprint(found[i].Place) == fmt.Sprint(explain.Argument(pipelineWhere)) {
			found[i] = found[i].At(explain.Argument("pipeline").Part("where"))
		}
	}

	r, wrong := d.Redact()
	if found.Add(wrong...); found.HasError() {
		return nil, found
	}

	scrubber := r.Scrubber()
	o := drift.Options{Resources: d.Resources, Pipeline: pipeline, AsOf: d.AsOf}

	if scrubber != nil {
		o.Learn = scrubber.Learn
	}

	result, err := drift.Compare(ctx, s, q, o)
	if err != nil {
		found.Add(explain.Drift(err, info, q.Window))

		return nil, found
	}

	done := result.Completeness

	if scrubber != nil {
		scrub(result, scrubber)
	}

	found.Add(explain.InDrift(d.Arguments.ReadWarnings(info, q, done))...)
	found.Add(explain.Drifted(info, result, pipeline.Given())...)

	return &Drifted{Result: result, Statement: export.NewStatement(scrubber.Completeness(done))}, found
}

// scrub takes out of a result what must not be shown.
func scrub(r *drift.Result, s *redact.Scrubber) {
	for _, rows := range [][]drift.Row{r.Changed, r.Deleted, r.Created, r.Unexplained} {
		for i := range rows {
			row := &rows[i]
			shown := s.Apply(auditlog.Entry{Service: row.Service, ResourceID: row.ID, ResourceName: row.Name})
			row.ID, row.Name = shown.ResourceID, shown.ResourceName

			events := slices.Clone(row.Events)
			for j := range events {
				events[j].Entry = s.Apply(events[j].Entry)
			}

			row.Events = events
		}
	}

	r.FormerExample = s.Apply(r.FormerExample)

	r.Chosen, r.Trusted = scrubNames(r.Chosen, s), scrubNames(r.Trusted, s)
}

func scrubNames(names map[string][]string, s *redact.Scrubber) map[string][]string {
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
