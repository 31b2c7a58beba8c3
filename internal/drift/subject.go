// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// subject is a thing of the log that Terraform manages, or that holds what Terraform manages, with what was done to it.
// Its memory does not grow with the number of entries.
type subject struct {
	// named says that it is known by its name, which another thing can have had before or have now.
	named bool
	asOf  time.Time

	// events are the newest that were done by hand, of byHand; piped is how many the pipeline made.
	events        []Event
	byHand, piped int64
	// since is when the first of them was done.
	since time.Time
	// gone says that it was deleted, at what time, and goneByHand that people did.
	gone, goneByHand bool
	goneAt           time.Time
	// owner is the id of the resource that has the name.
	owner string
	// ambiguous says that there may be two of its name.
	ambiguous bool
	// over says that what comes later is done to another thing of the name.
	over bool
	// first are, by field, the values that fields had before they were first changed by hand since the pipeline set
	// them, each a JSON value as text, nil where the field was absent.
	first map[string]*string
	// held is about how many bytes events and first hold.
	held int
	// revertedAt is when the pipeline last set such a field, or made the thing anew.
	revertedAt time.Time
	// lasting says that something was done by hand that setting fields does not undo, or that the pipeline undid by
	// setting another value.
	lasting bool
}

// mostFields bounds how many fields of one thing are watched for being set back. What is changed beyond counts as not
// reverted, which is never too little.
const mostFields = 1000

// take takes the next entry that does something to the thing, by the pipeline or by hand. It says whether it can be
// about the thing, and not only about one that has its name later.
func (s *subject) take(e *auditlog.Entry, piped, pipeline bool) bool {
	if s.over {
		return false
	}

	switch {
	case e.Operation == auditlog.OperationCreate:
		if s.named && !s.begin(e, piped, pipeline) {
			return false
		}

		s.gone, s.goneByHand = false, false
	case s.named && s.gone && e.Time.Sub(s.goneAt) > auditlog.OrderMargin:
		s.ambiguous = true // There is one of the name, and nobody has created it.
	}

	// What is gone stays so, whatever is told of it behind its deletion, such as that it was detached.
	if e.Operation == auditlog.OperationDelete {
		s.gone, s.goneByHand, s.goneAt = true, s.goneByHand || !piped, e.Time
	}

	if piped {
		s.piped++
		s.setBack(e)

		return true
	}

	if s.byHand++; s.byHand == 1 {
		s.since = e.Time
	}

	s.keep(e)

	return true
}

// begin takes note of a creation under the name of the thing, and says whether it can be that of the thing. A name
// does not say whether Terraform made the thing, unless the pipeline worked on it.
func (s *subject) begin(e *auditlog.Entry, piped, pipeline bool) bool {
	late := e.Time.After(s.asOf)

	switch {
	case s.gone && late:
		// The state is of the one that was deleted.
		s.over = true

		return false
	case s.gone && s.piped > 0:
		// Terraform replaces what it made, or what people have deleted; or they replace it themselves.
		if piped {
			s.renew(e.Time)
		}
	case s.gone, s.byHand+s.piped > 0, late, pipeline && !piped:
		s.ambiguous = true
	}

	return true
}

// renew takes note that the pipeline made the thing anew, so that nothing is left of what was done to it by hand.
func (s *subject) renew(at time.Time) {
	for field, before := range s.first {
		s.held -= sizeOfField(field, before)
	}

	s.first, s.lasting, s.revertedAt = nil, false, at

	for i := range s.events {
		s.events[i].Reverted, s.events[i].pending = true, nil
	}
}

// keep keeps the newest events. Nothing of the page that the entry came in is kept with it.
func (s *subject) keep(e *auditlog.Entry) {
	kept := Event{Entry: *e}
	kept.Raw = nil

	// What is created or deleted is not undone by setting fields, nor is what shows no fields.
	if e.Operation != auditlog.OperationCreate && e.Operation != auditlog.OperationDelete && tells(e) && s.watch(e) {
		for _, c := range e.Changes {
			kept.pending = append(kept.pending, c.Field)
		}
	}

	s.lasting = s.lasting || len(kept.pending) == 0

	if len(s.events) == MostEvents {
		s.held -= sizeOf(&s.events[0].Entry)
		copy(s.events, s.events[1:])
		s.events = s.events[:MostEvents-1]
	}

	s.events = append(s.events, kept)
	s.held += sizeOf(e)
}

// What an entry and a field that changed take besides their texts.
const (
	entrySize = 512
	fieldSize = 128
)

// sizeOf is about how many bytes an entry holds without its record. What several entries share is counted for each.
func sizeOf(e *auditlog.Entry) int {
	size := entrySize

	for _, text := range []string{
		e.ID, e.Action, e.ActorID, e.Actor, e.ResourceType, e.ResourceID, e.ResourceName, e.ScopeType, e.ScopeID, e.ScopeName,
		e.Origin, e.AuthType, e.IPAddress, e.UserAgent, e.CorrelationID, e.Message,
	} {
		size += len(text)
	}

	for i := range e.Changes {
		size += sizeOfField(e.Changes[i].Field, e.Changes[i].Before)
		if after := e.Changes[i].After; after != nil {
			size += len(*after)
		}
	}

	return size
}

// sizeOfField is about how many bytes a field and the value that it had hold.
func sizeOfField(field string, value *string) int {
	if value == nil {
		return fieldSize + len(field)
	}

	return fieldSize + len(field) + len(*value)
}

// tells says whether the entry has the values of what it changed. A log may name the fields only.
func tells(e *auditlog.Entry) bool {
	return !slices.ContainsFunc(e.Changes, func(c auditlog.Change) bool { return c.Before == nil && c.After == nil })
}

// watch remembers what the fields were that were changed by hand, and says whether there is room for it.
func (s *subject) watch(e *auditlog.Entry) bool {
	if s.first == nil {
		s.first = map[string]*string{}
	}

	for _, c := range e.Changes {
		if _, again := s.first[c.Field]; again {
			continue
		}

		if len(s.first) == mostFields {
			return false
		}

		s.first[c.Field] = c.Before
		s.held += sizeOfField(c.Field, c.Before)
	}

	return true
}

// setBack looks at what the pipeline set fields to that had been changed by hand.
func (s *subject) setBack(e *auditlog.Entry) {
	for _, c := range e.Changes {
		before, changed := s.first[c.Field]
		if !changed {
			continue
		}

		delete(s.first, c.Field)
		s.held -= sizeOfField(c.Field, before)
		s.revertedAt = e.Time

		back := before == nil && c.After == nil && c.Before != nil ||
			before != nil && c.After != nil && *before == *c.After
		s.lasting = s.lasting || !back

		for i := range s.events {
			s.events[i].set(c.Field, back)
		}
	}
}

// set takes note that the pipeline set a field, to what it was or not.
func (e *Event) set(field string, back bool) {
	i := slices.Index(e.pending, field)

	switch {
	case i < 0:
	case !back:
		e.pending = nil // It lasts, whatever becomes of the other fields.
	default:
		e.pending = slices.Delete(e.pending, i, i+1)
		e.Reverted = len(e.pending) == 0
	}
}

// explainsNot says whether nothing that was done by hand can be what a plan of that time saw: it was done later, or had
// been reverted.
func (s *subject) explainsNot(plan time.Time) bool {
	return !plan.IsZero() &&
		(s.since.Sub(plan) > mostPlanning || s.reverted() && plan.Sub(s.revertedAt) > mostPlanning)
}

// reverted says whether everything that was done by hand was undone.
func (s *subject) reverted() bool { return s.byHand > 0 && !s.lasting && len(s.first) == 0 }
