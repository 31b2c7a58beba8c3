// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// drifted is what was done by hand to what Terraform manages.
type drifted struct {
	Summary string
	// Held says what was compared with what.
	Held string
	// Pipeline is who Terraform is, empty where nobody is.
	Pipeline  []filter
	Kinds     []driftKind
	Unmatched []fact
}

type driftKind struct {
	Title, Note string
	Rows        []driftLine
}

type driftLine struct {
	Title string
	Notes []string
	Saw   []string
	// Reason is why nothing explains it, Before how much else was done, "" where nothing was.
	Reason, Before string
	Events         []driftEvent
}

type driftEvent struct {
	When, Who, From, What string
	Reverted              bool
	Changes               []string
}

func newDrifted(s *Subject) *drifted {
	r := s.Drift
	if r == nil {
		return nil
	}

	d := &drifted{
		Summary: "By hand: " + number(int64(len(r.Changed))) + " changed, " + number(int64(len(r.Deleted))) + " deleted, " +
			number(int64(len(r.Created))) + " created. Not explained: " + number(int64(len(r.Unexplained))) + ".",
		Held: plural(r.Resources, "resource") + " of Terraform, as of " + s.time(r.AsOf) + ", and " +
			plural64(r.Entries, "entry", "entries") + " were compared. The pipeline made " + number(r.ByPipeline) + " of them.",
	}

	for _, kind := range []struct {
		title, note string
		rows        []drift.Row
	}{
		{"Changed by hand", "Terraform manages these resources, and somebody else changed them.", r.Changed},
		{"Deleted by hand", "Terraform manages these resources, and somebody else deleted them.", r.Deleted},
		{
			"Created by hand", "Somebody created these, and no given plan or state holds them. They exist as far as the log says.",
			r.Created,
		},
		{"Not explained", "Who did this is not known.", r.Unexplained},
	} {
		if len(kind.rows) == 0 {
			continue
		}

		k := driftKind{Title: kind.title + ": " + number(int64(len(kind.rows))), Note: kind.note}
		for i := range kind.rows {
			k.Rows = append(k.Rows, s.driftLine(&kind.rows[i]))
		}

		d.Kinds = append(d.Kinds, k)
	}

	d.Pipeline = s.Pipeline.filters()
	d.Unmatched = unmatchedOf(r)

	return d
}

// filters are what an entry of the pipeline meets.
func (p *Pipeline) filters() []filter {
	all := filtersOf(&p.Query)

	for _, more := range []filter{
		{Words: "the way of authentication is", Values: screened(p.AuthTypes)},
		{Words: "it was done in the time", Values: screened(p.Runs)},
	} {
		if len(more.Values) > 0 {
			all = append(all, more)
		}
	}

	return all
}

func (s *Subject) driftLine(r *drift.Row) driftLine {
	l := driftLine{Title: shown(r.Title()), Reason: r.Reason.Text()}
	if r.Address != "" && r.ID != "" {
		l.Notes = append(l.Notes, shown(r.ID))
	}

	if doubt := r.Doubt(); doubt != "" {
		l.Notes = append(l.Notes, doubt)
	}

	if r.AfterState {
		l.Notes = append(l.Notes, "It was created after the state was written.")
	}

	switch {
	case r.Seen == nil:
	case r.Seen.Deleted:
		l.Saw = []string{"It is gone."}
	default:
		l.Saw = changesShown(r.Seen.Changes)
	}

	if more := r.EventCount - int64(len(r.Events)); more > 0 {
		l.Before = plural64(more, "earlier entry is", "earlier entries are") + " not listed here."
	}

	for i := range r.Events {
		l.Events = append(l.Events, s.driftEvent(&r.Events[i]))
	}

	return l
}

func (s *Subject) driftEvent(e *drift.Event) driftEvent {
	from := slices.DeleteFunc([]string{shown(e.Origin), shown(e.IPAddress)}, func(text string) bool { return text == "" })

	shownEvent := driftEvent{
		When: rowTime(e.Time, s.zone()), Who: shown(cmp.Or(e.Actor, e.ActorID, string(e.ActorType))),
		From: strings.Join(from, ", "), What: shown(e.Action), Reverted: e.Reverted,
	}

	shownEvent.Changes = changesShown(e.Telling())

	return shownEvent
}

func changesShown(changes []auditlog.Change) []string {
	texts := make([]string, 0, min(len(changes), maxChanges+1))

	for i, c := range changes {
		if i == maxChanges {
			texts = append(texts, "and "+number(int64(len(changes)-maxChanges))+" more changed fields")

			break
		}

		texts = append(texts, changeText(c))
	}

	return texts
}

// unmatchedOf says of which resources and entries finding nothing proves nothing.
func unmatchedOf(r *drift.Result) []fact {
	var all []fact

	for _, u := range r.Unmatched {
		all = append(all, fact{
			number(int64(u.Count)) + " × " + shown(u.Type), u.Reason.Text() + " Such as " + shown(u.Example) + ".",
		})
	}

	if r.Unattributed > 0 {
		all = append(all, fact{
			plural64(r.Unattributed, "entry", "entries"),
			"They change something and do not say what, so that they may be about resources for which nothing is shown.",
		})
	}

	if r.Former > 0 {
		all = append(all, fact{
			plural(r.Former, "former thing"), "The pipeline and somebody else worked on them, and no given state holds them any more. Such as " +
				shown(strings.TrimSpace(r.FormerExample.ResourceType+" "+r.FormerExample.ResourceID)) + ".",
		})
	}

	if c := &r.Completeness; c.UnknownMatters && len(c.UnknownActions) > 0 {
		all = append(all, fact{
			"Unknown actions", "What they mean is not known, so that they may have created something: " +
				strings.Join(screened(c.UnknownActions), ", ") + ".",
		})
	}

	return all
}
