// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// exports examines PodStack's exports, which are files.
func (r *Report) exports(ctx context.Context, s *podstack.Service) {
	found, err := s.Survey(ctx)
	if err != nil {
		p := explain.Error(err, explain.Circumstances{Summary: Summary, Info: s.Info()})
		r.add(Check{
			Name: "exports", Verdict: Problem, Value: "not readable", Finding: "The exports cannot be read.",
			Detail: p.In(explain.Flags),
		})

		return
	}

	r.Examined = true
	r.add(Check{
		Name: "exports", Verdict: OK, Value: count(found.Files, "file") + ", " + count(int(found.Rows), "row"),
		Finding: fmt.Sprintf("%s with %s can be read.", count(found.Files, "export"), count(int(found.Rows), "row")),
	})

	columns := Check{
		Name: "columns", Verdict: OK, Value: "known", Finding: "Every column that holds something becomes a field.",
	}

	if n := len(found.Unread); n > 0 {
		columns = Check{
			Name: "columns", Verdict: Note, Value: count(n, "unread column"),
			Finding: "Columns of the exports hold something and become no field: " + count(n, "column") + ".",
			Next:    "Map them in columns, or list them in ignored_columns.",
		}

		for _, c := range found.Unread {
			columns.Detail += fmt.Sprintf("%s %s\n", explain.Shown(c.Header), c.Field)
		}
	}

	missing := Check{Name: "fields", Verdict: OK, Value: "all", Finding: "There is a column for every field."}
	if len(found.Missing) > 0 {
		missing.Verdict, missing.Value = Note, "lacks "+names(found.Missing)
		missing.Finding = "No export has a column for " + names(found.Missing) + "."
		missing.Next = "Export with more columns if you ask for these fields; filters on them are errors."
	}

	r.add(columns, missing, coverage(found))
}

// coverage says which time the exports span.
func coverage(found podstack.Survey) Check {
	const name = "coverage"

	if found.Rows == 0 {
		return unknown(name, "no rows", "The exports have no row, so that they cover no time.")
	}

	span := fmt.Sprintf("%s to %s", found.First.Format(time.DateOnly), found.Last.Format(time.DateOnly))
	if n := len(found.Gaps); n > 0 {
		c := Check{
			Name: name, Verdict: Note, Value: span + ", " + count(n, "gap"),
			Finding: fmt.Sprintf("The exports go from %s, with %s between them.", span, count(n, "gap")),
			Next:    "Export the time in between as well: what happened there is not known.",
		}

		for _, w := range found.Gaps {
			c.Detail += w.String() + "\n"
		}

		return c
	}

	return Check{Name: name, Verdict: OK, Value: span, Finding: "The exports go from " + span + " without a gap."}
}

// old is how long ago a run of an archive should have been at most.
const old = 2 * day

// archive examines an archive, of which the log has been verified by opening it.
func (r *Report) archive(ctx context.Context, o *Options, log source.Log) {
	a, err := o.Sources.Reader(ctx, log)
	if err != nil {
		r.add(r.unopened(err))

		return
	}

	s, keys, now := a.Summary(), log.PublicKeys, o.Clock()
	r.Examined, r.Title = true, a.Info().Title

	r.add(Check{
		Name: "archive", Verdict: OK, Value: count(int(s.Entries), "entry"),
		Finding: "The archive opens, and its manifests are those of its newest checkpoint; \"auditlog verify\" reads every byte.",
	})

	signature := Check{
		Name: "signature", Verdict: Note, Value: "not checked", Finding: "The newest checkpoint is signed, and nobody checked by whom.",
		Next: "Give the public key with --public-keys.",
	}

	switch {
	case len(keys) > 0: // Opening has insisted on it.
		signature = Check{Name: "signature", Verdict: OK, Value: "valid", Finding: "The newest checkpoint is signed by a key that was given."}
	case !s.Signed:
		signature.Value, signature.Finding = "none", "The newest checkpoint is not signed, so that anybody who can write there can have made it."
		signature.Next = "Set a signing key for the archive."
	}

	r.add(signature, newest(s.Newest, now), covered(s.CoveredUntil, now))
}

// unopened says why an archive cannot be opened. One that is there and not as it has to be
// is a problem; of any other nothing is known.
func (r *Report) unopened(err error) Check {
	p := explain.Source(err, Summary)
	c := Check{
		Name: "archive", Verdict: Unknown, Value: "not opened", Finding: "The archive cannot be opened.",
		Detail: p.In(explain.Flags),
	}

	switch {
	case errors.Is(err, archive.ErrNone):
		c.Value, c.Finding = "none", "There is no archive at this place."
	case errors.Is(err, archive.ErrSignature):
		c.Value, c.Finding = "signature", "The archive is not signed by a key that was given."
		c.Verdict, r.Examined = Problem, true
	case errors.Is(err, archive.ErrBroken), errors.Is(err, archive.ErrForeign):
		c.Value, c.Finding = "broken", "The archive is not what its newest checkpoint says."
		c.Next = "Find out more with \"auditlog verify\"."
		c.Verdict, r.Examined = Problem, true
	}

	return c
}

func newest(at, now time.Time) Check {
	if at.IsZero() {
		return unknown("newest_entry", "none", "The archive has no entry.")
	}

	age := hours(now.Sub(at))

	return Check{
		Name: "newest_entry", Verdict: OK, Value: age + " old", Finding: "The newest entry is about " + age + " old.",
	}
}

func covered(until, now time.Time) Check {
	ago := now.Sub(until)
	c := Check{
		Name: "covered_until", Verdict: OK, Value: hours(ago) + " ago",
		Finding: "What has been archived ends " + hours(ago) + " ago.",
	}

	if ago > old {
		c.Verdict, c.Next = Note, "Make sure that whatever writes the archive still runs."
	}

	return c
}

// hours writes a length of time in hours, and in days where it is long.
func hours(d time.Duration) string {
	if d >= 2*day {
		return count(int(d/day), "day")
	}

	return count(int(d/time.Hour), "hour")
}
