// SPDX-License-Identifier: MPL-2.0

package task

import (
	"context"
	"errors"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Export writes what is asked for to a file.
type Export struct {
	Question

	// Spec is how the export is written, but for what is read.
	Spec   export.Spec
	Redact Redaction
	// Known is whose log the export has been of, and Willing says that one of another log
	// may take its place.
	Known   redact.KeptSource
	Willing bool
	// Report is for an export as a page for people, whose format is format.HTML.
	Report Report
}

// Written is what an export came to.
type Written struct {
	export.Result

	Asked export.Asked
}

// Run reads from the service. On an error what was there before stays as it was, unless the error says that the export
// stopped half-way: the next run finishes it.
func (x *Export) Run(ctx context.Context, s auditlog.Service) (*Written, explain.Problems) {
	if d := x.Report.Drift; d != nil {
		x.More = append(x.More, d.Pipeline.asked()...)
	}

	q, found := x.Query(ctx, s)
	if found = atPipeline(found); found.HasError() {
		return nil, found
	}

	rules, wrong := x.Redact()
	if found.Add(wrong...); found.HasError() {
		return nil, found
	}

	info, spec := s.Info(), x.Spec
	spec.Query, spec.Info, spec.ExportedAt = q, info, x.Now
	spec.Scrubber, spec.Redactor = rules.Scrubber(), rules
	spec.Known, spec.Source = x.Known, Identify(ctx, s, x.Known.Source)

	if other := CompareSources(rules, x.Known, spec.Source, x.Willing); other.HasError() || x.Willing {
		if found.Add(other...); found.HasError() {
			return nil, found
		}

		spec.Known = redact.KeptSource{}
	}

	r := reporting{service: s, spec: spec, report: x.Report, options: x.Report.rules()}
	if found.Add(r.begin(ctx)...); found.HasError() {
		return nil, found
	}

	result, err := r.write(ctx)
	if err != nil {
		found.Add(explain.Export(err, info, q.Window))

		return nil, found
	}

	found.Add(x.Arguments.ReadWarnings(info, q, result.Completeness)...)
	found.Add(explain.LongCells(spec.Path, result.Notes)...)
	found.Add(r.drifted(info)...)

	if !result.Confirmed {
		found.Add(explain.Unconfirmed(spec.Known.Source, "Whose log was exported is not known", "export"))
	}

	return &Written{Result: result, Asked: spec.Asked()}, found
}

// write reads what is asked for and writes it.
func (r *reporting) write(ctx context.Context) (export.Result, error) {
	if r.spec.Format != format.HTML {
		return exportTo(ctx, r.service, r.spec)
	}

	return r.run(ctx)
}

// mostReadings bounds how often a log is read that never holds the same.
const mostReadings = 3

// exportTo reads what the spec's q asks for and writes it. Where values are
// redacted that entries before may hold, it reads twice.
func exportTo(ctx context.Context, s auditlog.Service, spec export.Spec) (result export.Result, err error) {
	var first auditlog.Completeness
	if err := spec.Scrubber.LearnAll(s.Read(ctx, spec.Query, &first), &first); err != nil {
		return export.Result{}, err
	}

	for range mostReadings {
		var c auditlog.Completeness

		result, err = export.Write(ctx, spec, s.Read(ctx, spec.Query, &c), &c)
		if !errors.Is(err, redact.ErrLateValue) {
			break
		}
	}

	return result, err
}

// CompareSources reports that what was kept is of another log, which is only a
// warning where the user wants it to be replaced.
func CompareSources(
	rules *redact.Redactor, known redact.KeptSource, found auditlog.Source, willing bool,
) explain.Problems {
	confirmed, err := rules.CheckSource(known, found)

	switch other := (*auditlog.SourceError)(nil); {
	case errors.As(err, &other) && willing:
		p := explain.OtherLog(other, "The export replaces one of another log", "export at the path")
		p.Next = "Remove {overwrite = true} to keep it."

		return explain.Problems{p.AsWarning()}
	case err != nil:
		return explain.Problems{explain.Export(err, auditlog.Info{}, auditlog.Window{})}
	case !confirmed:
		return explain.Problems{explain.Unconfirmed(known.Source, "Whose log is exported is not known", "export")}
	default:
		return nil
	}
}
