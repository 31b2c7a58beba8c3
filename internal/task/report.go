// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/report"
)

// Report says what an export as a page for people shows beside the entries.
type Report struct {
	// Zone is the time zone of the page; nil is UTC.
	Zone *time.Location
	// Destination is the place of the archive that is read, "" for others.
	Destination string
	// Rules are held against the entries: the built-in ones where nothing is said.
	Rules finding.Options
	// Drift is what Terraform manages, of which the page says what was done by hand. Its question is that of the page. Nil
	// says nothing of it.
	Drift *Drift
}

func (r *Report) rules() finding.Options {
	if len(r.Rules.Builtins)+len(r.Rules.Rules) == 0 {
		return finding.Options{Builtins: finding.BuiltinNames(), ByDefault: true}
	}

	return r.Rules
}

// ReportOf makes a report of an export that was made before, without asking any service.
type ReportOf struct {
	// Path is that of any file of the export.
	Path string
	// InfoOf returns what is known of a cloud.
	InfoOf func(name string) (auditlog.Info, bool)
	// Spec is how the report is written, but for what is read.
	Spec   export.Spec
	Report Report
	Now    time.Time
}

// Run verifies the export and writes the report.
func (r *ReportOf) Run(ctx context.Context) (*Written, explain.Problems) {
	kept, err := export.OpenKept(r.Path, r.InfoOf)
	if err != nil {
		return nil, explain.Problems{explain.Kept(err, r.Path)}
	}

	spec := r.Spec
	spec.Format, spec.ExportedAt = format.HTML, r.Now
	spec.Info, spec.Source, spec.Redacted = kept.Info(), kept.Source, kept.Redaction
	spec.QueryAsWritten = kept.AsWritten

	c := kept.Completeness()
	spec.Query = kept.Query
	spec.Query.Window = c.Window

	w := reporting{service: kept, spec: spec, report: r.Report, options: r.Report.rules(), kept: kept}

	found := w.begin(ctx)
	if found.HasError() {
		return nil, found
	}

	var wrong []finding.NotEvaluable
	if w.spec.Query, w.options, wrong = keptRules(kept, w.spec.Query, w.options); len(wrong) > 0 {
		w.not = wrong
	}

	result, err := w.run(ctx)

	switch {
	case errors.Is(err, export.ErrContradiction), errors.Is(err, format.ErrUnreadable):
		return nil, explain.Problems{explain.Kept(err, r.Path)}
	case err != nil:
		return nil, explain.Problems{explain.Export(err, spec.Info, c.Window)}
	}

	found.Add(explain.Completeness(spec.Info, result.Completeness)...)
	found.Add(w.drifted(spec.Info)...)

	return &Written{Result: result, Asked: w.spec.Asked()}, found
}

// keptRules leaves out the rules that an export cannot answer, and says why.
func keptRules(
	kept *export.Kept, q auditlog.Query, o finding.Options,
) (auditlog.Query, finding.Options, []finding.NotEvaluable) {
	var not []finding.NotEvaluable

	// A masked query does not say what it left out, so no rule that finds nothing would mean
	// anything.
	masked, reason := len(kept.Hidden) > 0, "The export's query is redacted, so what it left out is not known."

	if q.Where != nil {
		f := query.Filters{Where: &kept.Where}
		if compiled, err := f.Query(); err == nil {
			q.Where = compiled.Where
		} else {
			masked, reason = true, "The export's condition cannot be read, so what it left out is not known."
		}
	}

	o.Builtins = slices.DeleteFunc(slices.Clone(o.Builtins), func(name string) bool {
		switch {
		case masked:
			not = append(not, finding.NotEvaluable{Rule: name, Reason: reason})
		case name == finding.RuleLoginFromNewAddress:
			not = append(not, finding.NotEvaluable{
				Rule:   name,
				Reason: "An export does not hold the time before its window, in which the rule looks for addresses that are known.",
			})
		default:
			return false
		}

		return true
	})

	return q, o, not
}

// reporting writes one report.
type reporting struct {
	service auditlog.Service
	spec    export.Spec
	report  Report
	options finding.Options
	kept    *export.Kept
	// not are rules that were left out before.
	not []finding.NotEvaluable
	// comparison is what is held against what Terraform manages, nil where nothing is, and drift what came out.
	comparison *drift.Comparison
	drift      *drift.Result
	// done is the statement of the reading.
	done auditlog.Completeness
}

// begin begins the comparison with what Terraform manages, where one is wanted. That needs all entries.
func (r *reporting) begin(ctx context.Context) (found explain.Problems) {
	d := r.report.Drift
	if d == nil {
		return nil
	}

	if filters := r.spec.Query.Filters(); len(filters) > 0 || r.kept != nil && len(r.kept.Hidden) > 0 {
		p := explain.Problem{
			Summary: explain.FindDrift,
			Cause:   "What was done by hand shows only among all entries, also those of the pipeline, and filters leave some out.",
			Next:    "Leave the filters out, or {state}.",
		}
		for _, name := range slices.Sorted(maps.Keys(filters)) {
			p = p.With("Filter", name)
		}

		return explain.Problems{p.At(explain.Argument("state"))}
	}

	of, found := d.share([]auditlog.Service{r.service})
	if found.HasError() {
		return found
	}

	comparison, wrong := d.begin(ctx, r.service, &r.spec.Query, of[0])
	r.comparison = comparison

	return append(found, wrong...)
}

// drifted names what the comparison does not show.
func (r *reporting) drifted(info auditlog.Info) explain.Problems {
	if r.drift == nil {
		return nil
	}

	given := r.report.Drift.Pipeline.Given()
	found := explain.Drifted(info, scrubbed(r.drift, r.spec.Scrubber), given)

	if !given {
		found.Add(explain.NoPipeline())
	}

	return found
}

// untold is what an export of an archive does not say.
const untold = "The export is of an archive and does not say whether entries were redacted before they were archived, so that what was " +
	"done to a resource may not be found by its id or name."

// run reads the log once, holds the rules against it, and writes the page of what was
// read.
func (r *reporting) run(ctx context.Context) (result export.Result, err error) {
	s, err := newSpool()
	if err != nil {
		return export.Result{}, err
	}

	defer func() { err = errors.Join(err, s.close()) }()

	c, found, err := r.read(ctx, s)
	if err != nil {
		return export.Result{}, err
	}

	if err := s.done(); err != nil {
		return export.Result{}, err
	}

	if r.comparison != nil {
		if r.kept != nil && r.kept.Service == auditlog.ServiceArchive {
			c.Caveats = append(slices.Clone(c.Caveats), untold)
			r.done.Caveats = c.Caveats
		}

		r.drift = r.comparison.End(r.done)
	}

	// What is kept of an entry may spell a text in another way than the entry did, so that
	// there may be something to learn that was not known yet.
	for range mostReadings {
		spec, subject := r.spec, r.subject(c, found)
		spec.Encoder = func(w io.Writer) (format.Encoder, error) {
			return report.NewPage(w, subject, r.redacted(s)), nil
		}

		result, err = export.Write(ctx, spec, s.entries(), &c)
		if !errors.Is(err, redact.ErrLateValue) {
			break
		}
	}

	return result, err
}

// read reads the log into the spool. What the rules found is as it may be shown.
func (r *reporting) read(ctx context.Context, s *spool) (c auditlog.Completeness, found *finding.Result, err error) {
	scrubber := r.spec.Scrubber

	take := func(e *auditlog.Entry) error {
		if err := s.add(e); err != nil {
			return err
		}

		if r.comparison != nil {
			if err := r.comparison.Take(e); err != nil {
				return err
			}
		}

		return scrubber.Learn(e)
	}

	if len(r.options.Builtins)+len(r.options.Rules) == 0 {
		c, err = auditlog.ReadAll(ctx, r.service, r.spec.Query, take)
		r.done = c

		return c, &finding.Result{NotEvaluable: r.not}, err
	}

	o := r.options
	if o.Learn = take; scrubber != nil {
		o.Redact = scrubber.Apply
	}

	found, err = finding.Evaluate(ctx, r.service, r.spec.Query, o, &c)
	if err != nil {
		return c, nil, err
	}

	found.NotEvaluable, r.done = append(found.NotEvaluable, r.not...), c

	// That a rule may have missed something is said with the rule. Which entries there are depends on what an action
	// means only where the query asks for operations.
	if q := &r.spec.Query; len(q.Operations) == 0 && (q.Where == nil || !q.Where.Uses("operation")) {
		c.UnknownMatters = false
	}

	return c, found, nil
}

// redacted yields the entries of the spool as they may be shown.
func (r *reporting) redacted(s *spool) func() iter.Seq2[auditlog.Entry, error] {
	return func() iter.Seq2[auditlog.Entry, error] {
		return func(yield func(auditlog.Entry, error) bool) {
			for e, err := range s.entries() {
				if err == nil {
					e = r.spec.Scrubber.Apply(e)
				}

				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// pipeline is who ran Terraform, as it may be shown.
func (r *reporting) pipeline() report.Pipeline {
	p := &r.report.Drift.Pipeline
	of := auditlog.Query{Actors: p.Actors, IPAddresses: p.IPAddresses}

	// It was compiled for the comparison.
	if q, err := (&query.Filters{Where: p.Where}).Query(); err == nil {
		of.Where = q.Where
	}

	shown := report.Pipeline{Query: shownQuery(&r.spec, of), Runs: p.Runs}
	for _, way := range p.AuthTypes {
		shown.AuthTypes = append(shown.AuthTypes, shownQuery(&r.spec, auditlog.Query{Search: way}).Search)
	}

	return shown
}

// subject is what the page is of, as it may be shown.
func (r *reporting) subject(c auditlog.Completeness, found *finding.Result) *report.Subject {
	spec := &r.spec

	asked := spec.Asked()
	asked.Query = shownQuery(spec, spec.Query)

	s := &report.Subject{
		Tool: spec.Tool, MadeAt: spec.ExportedAt, ReadAt: spec.ExportedAt, Zone: r.report.Zone,
		File: filepath.Base(spec.Path), Info: spec.Info, Destination: r.report.Destination,
		Source: spec.Redactor.Source(c.Source.Or(spec.Source).Or(auditlog.Source{Service: spec.Info.Cloud()})),
		Asked:  asked, Completeness: spec.Scrubber.Completeness(c), Redaction: spec.Redacted, Result: found,
		Builtins: slices.Clone(r.options.Builtins),
	}

	if st := spec.Scrubber.Statement(); st != nil {
		s.Redaction = st
	}

	if r.drift != nil {
		s.Drift, s.Pipeline = scrubbed(r.drift, spec.Scrubber), r.pipeline()

		// Rules that an export was made with hold for what Terraform saw as well.
		if r.kept != nil && slices.Contains(spec.Info.Redacted, auditlog.FieldChanges) {
			s.Drift = withoutSeen(s.Drift, nil)
		}
	}

	for i := range r.not {
		s.Builtins = append(s.Builtins, r.not[i].Rule)
	}

	// A condition may compare with what is redacted.
	for _, rule := range r.options.Rules {
		rule.Condition = shownQuery(spec, auditlog.Query{Where: rule.Condition}).Where
		s.Rules = append(s.Rules, rule)
	}

	if k := r.kept; k != nil {
		s.ReadAt = query.ParseTime(k.ExportedAt)
		s.KeptAs = &report.Kept{Name: filepath.Base(k.Path), SHA256: k.SHA256, ManifestSHA256: k.ManifestSHA256}
	}

	return s
}

// shownQuery is a query as a manifest shows it once everything has been read.
func shownQuery(spec *export.Spec, q auditlog.Query) auditlog.Query {
	if spec.Scrubber != nil {
		return spec.Scrubber.Query(q)
	}

	return spec.Redactor.Query(q)
}
