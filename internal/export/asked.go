// SPDX-License-Identifier: MPL-2.0

package export

import (
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Asked is what was asked for. Two exports that were asked for the same are the same
// export, made at different times.
type Asked struct {
	Service   string
	AsWritten QueryAsWritten
	// Query is the part of the query that does not say when.
	Query   auditlog.Query
	Format  format.Format
	Columns []string
}

// Different lists the arguments, by their names in a configuration, by which two
// exports are not the same one, however they are spelled.
func (a Asked) Different(o Asked) []string {
	w, written := a.AsWritten.normal(), o.AsWritten.normal()

	var names []string

	for _, f := range []struct {
		name string
		same bool
	}{
		{"service", a.Service == o.Service},
		{"last", w.Last == written.Last},
		{"start", w.Start == written.Start},
		{"end", w.End == written.End},
		{"settle_delay", w.SettleDelay == written.SettleDelay},
		{"format", a.Format == o.Format},
		{"columns", slices.Equal(a.Columns, o.Columns)},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}

	return append(names, a.Query.Different(o.Query)...)
}

// moves says that the window was not given by a begin, so that each export of it is
// of another time.
func (a Asked) moves() bool { return a.AsWritten.Start == "" && a.AsWritten.End == "" }

// Asked returns what the spec asks for, as it was written.
func (s *Spec) Asked() Asked {
	return askedOf(s.Info.Name, newManifestQuery(s.QueryAsWritten, s.Query), s.Query.Where, s.Format, s.columnNames())
}

// shown returns what the spec asks for as its manifest would say it, for comparing with
// another manifest.
func (s *Spec) shown(there Asked) Asked {
	q := s.Redactor.QueryBeside(s.Query, there.Query)

	return askedOf(s.Info.Name, newManifestQuery(s.QueryAsWritten, q), q.Where, s.Format, s.columnNames())
}

// ShownAs says whether a manifest of what the spec asks for shows that, and of nothing
// else: a pseudonym stands for one text, a mask for many.
func (s *Spec) ShownAs(o Asked) bool {
	if !s.Redactor.Active() {
		return false
	}

	asked, shown := s.Asked(), s.shown(o)
	if len(shown.Different(o)) > 0 || len(shown.hidden()) > 0 {
		return false
	}

	hidden := shown.texts()

	for name, texts := range asked.texts() {
		for i, text := range texts {
			other := hidden[name][i]
			alone := name != "where" || !s.Redactor.Uses(redact.Mask) // A condition can hold texts of both kinds.

			if other != text && (!alone || !strings.Contains(other, redact.PseudonymPrefix)) {
				return false
			}
		}
	}

	return true
}

// manifestQuery is the query as the manifest shows it, once everything has been read.
func (s *Spec) manifestQuery() manifestQuery {
	q := s.Redactor.Query(s.Query)
	if s.Scrubber != nil {
		q = s.Scrubber.Query(s.Query)
	}

	return newManifestQuery(s.QueryAsWritten, q)
}

// hideable are the arguments whose values a redaction may show in another form.
var hideable = []string{
	"actions", "actors", "resource_ids", "resource_types", "origins", "ip_addresses", "search",
	"where",
}

// hidden lists the arguments of which a manifest does not say what they were, so that
// nothing can be compared with them.
func (a Asked) hidden() []string {
	texts := a.texts()

	return slices.DeleteFunc(slices.Clone(hideable), func(name string) bool {
		return !slices.ContainsFunc(texts[name], func(text string) bool { return strings.Contains(text, redact.Masked) })
	})
}

// texts are the values of the arguments that are hideable, by the arguments' names.
func (a Asked) texts() map[string][]string {
	q := a.Query
	texts := map[string][]string{
		"actions": q.Actions, "actors": q.Actors, "resource_ids": q.ResourceIDs, "resource_types": q.ResourceTypes,
		"origins":      q.Origins,
		"ip_addresses": q.IPAddresses, "search": {q.Search},
	}

	if q.Where != nil {
		texts["where"] = []string{q.Where.String()}
	}

	return texts
}

func (m *manifest) asked() Asked {
	var condition auditlog.Condition
	if m.Query.Where != nil {
		condition = redact.Condition{Text: *m.Query.Where}
	}

	return askedOf(m.Service, m.Query, condition, m.Format, m.Columns)
}

func askedOf(service string, q manifestQuery, condition auditlog.Condition, f format.Format, columns []string) Asked {
	return Asked{
		Service: service, Format: f, Columns: columns,
		AsWritten: QueryAsWritten{
			Last: said(q.Last), Start: said(q.Start), End: said(q.End),
			SettleDelay: said(q.SettleDelay),
		},
		Query: auditlog.Query{
			Actions: q.Actions, Operations: q.Operations, ResourceTypes: q.ResourceTypes, ResourceIDs: q.ResourceIDs,
			Actors: q.Actors, Origins: q.Origins, IPAddresses: q.IPAddresses, Search: said(q.Search), Where: condition,
		},
	}
}

// normal returns the bounds in one spelling, defaults included.
func (w QueryAsWritten) normal() QueryAsWritten {
	n := QueryAsWritten{
		Last: normalSpan(w.Last), Start: normalTime(w.Start), End: normalTime(w.End),
		SettleDelay: normalSpan(w.SettleDelay),
	}
	if n.Last == "" && n.Start == "" && n.End == "" {
		n.Last = auditlog.DefaultLast.String()
	}

	return n
}

// WithStart returns the bounds with the default of the begin, for a window that had
// ended when it was read.
func (w QueryAsWritten) WithStart() QueryAsWritten {
	if end, err := time.Parse(time.RFC3339Nano, w.End); err == nil && w.Start == "" {
		w.Start = end.Add(-auditlog.DefaultLast).Format(time.RFC3339Nano)
	}

	return w
}

func normalSpan(text string) string {
	if d, err := auditlog.ParseSpan(text); err == nil {
		return d.String()
	}

	return text
}

func normalTime(text string) string {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return auditlog.FormatTime(t)
	}

	return text
}

// Before is an export that another one takes the place of.
type Before struct {
	Asked

	// SHA256 and ManifestSHA256 are those of the data and of the manifest, in
	// hexadecimal.
	SHA256         string
	ManifestSHA256 string
	// ExportedAt is zero where it is not known.
	ExportedAt time.Time
	EntryCount int64
	// FirstTime is that of the oldest entry, zero where there is none.
	FirstTime time.Time
	// Window is the one that was read, and BeyondRetention that it began before the
	// retention already then.
	Window          auditlog.Window
	BeyondRetention bool
	// redaction is what the manifest says of it, nil where nothing was redacted or where
	// it is no manifest that says so. Then the query may be shown in another form.
	redaction *redact.Statement
}

// ShrinkError says that a new export would hold less than the one that it would take
// the place of.
type ShrinkError struct {
	Kept   Before
	Count  int64
	Window auditlog.Window
	// Retention is how far back the cloud keeps its log, zero where the window begins
	// within it.
	Retention time.Duration
}

func (e *ShrinkError) Error() string {
	return "the new export would hold less than the one that is kept"
}

// shrinks says whether a reading would take away what only the export before it has
// left, given the arguments in which their queries differ. Of a window that moves, an
// export is expected to lose what the last one had. One whose bounds are written the
// same must not end earlier either, as after a clock was set back.
func (b *Before) shrinks(a Asked, differs []string, count int64, c *auditlog.Completeness, now time.Time) bool {
	covered := !c.Window.Start.After(b.Window.Start) && !c.Window.End.Before(b.Window.End)
	fewer := count < b.EntryCount

	switch {
	case b.keepsDropped(c, now):
		return true
	case covered && c.BeyondRetention:
		return fewer || !b.BeyondRetention
	case fewer && (covered || !a.moves() && a.sameBounds(b.Asked)):
		return len(differs) == 0
	default:
		return c.BeyondRetention && fewer && !a.moves()
	}
}

// keepsDropped says whether the export has entries that the cloud has dropped since, and
// that nobody expects it to lose: of a window that moves, an export is as long as the
// window.
func (b *Before) keepsDropped(c *auditlog.Completeness, now time.Time) bool {
	oldest := auditlog.NewCompleteness(auditlog.Window{Start: b.FirstTime}, c.Retention, now)

	return c.Retention > 0 && !now.IsZero() && !b.moves() && !b.FirstTime.IsZero() && oldest.BeyondRetention
}

// LostBy says whether something would be lost if a new export stayed alone, which was
// asked for that and had that result.
func (b *Before) LostBy(a Asked, r *Result) bool {
	return b.shrinks(a, a.Query.Different(b.Query), r.EntryCount, &r.Completeness, r.ExportedAt)
}

func (a Asked) sameBounds(o Asked) bool {
	return a.AsWritten.normal() == o.AsWritten.normal()
}
