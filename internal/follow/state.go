// SPDX-License-Identifier: MPL-2.0

package follow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

const stateVersion = 1

// state is the place in a log that a stream has reached.
type state struct {
	Version int `json:"state_version"`
	// Revision counts how often the state was written.
	Revision int64 `json:"revision"`
	// Service, Source and Filters say what is followed. Source is filled in as it becomes known.
	Service string              `json:"service"`
	Source  auditlog.Source     `json:"source"`
	Filters map[string][]string `json:"filters"`
	// Start is where the stream began. Everything that happened from then until CoveredUntil, that is recorded by now and
	// that answers the query has been taken, but for Gaps.
	Start        time.Time `json:"start"`
	CoveredUntil time.Time `json:"covered_until"`
	// Position is where a log with a cursor is read on, nil where that is not known.
	Position *auditlog.Position `json:"position"`
	// IDs are the entries that may be read once more, by their ids, with their times.
	IDs map[string]time.Time `json:"ids"`
	// IDsSince is from when on the ids of all entries are there. What happened before cannot be recognised, so that it is
	// not read again, also not where the overlap has become longer.
	IDsSince time.Time `json:"ids_since"`
	// Taken is how many entries were taken altogether.
	Taken int64 `json:"taken"`
	// Gaps are the parts of the log that were given up.
	Gaps []Gap `json:"gaps"`
}

// Gap is a span of time of which the stream has nothing.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// StateError says why a state is not one to go on from.
type StateError struct {
	// Reason is one sentence.
	Reason string
	// Known and Found are what the state is of, and what is asked for now; "" where that is not the reason.
	Known, Found string
}

func (e *StateError) Error() string { return e.Reason }

func parseState(text []byte) (*state, error) {
	var s state
	if err := exactjson.Unmarshal(text, &s); err != nil {
		return nil, &StateError{Reason: "It is not the state of a stream: " + err.Error() + "."}
	}

	switch {
	case s.Version != stateVersion:
		return nil, &StateError{Reason: fmt.Sprintf("It is of version %d, which is not known.", s.Version)}
	case s.Service == "", s.Source.Service == "", s.Start.IsZero(), s.IDs == nil:
		return nil, &StateError{Reason: "It is not the state of a stream, or a part of it is missing."}
	case s.CoveredUntil.Before(s.Start), s.CoveredUntil.Before(s.IDsSince):
		return nil, &StateError{Reason: "Its times contradict each other."}
	}

	return &s, nil
}

func (s *state) encode() ([]byte, error) {
	text, err := exactjson.Marshal(s, " ")
	if err != nil {
		return nil, fmt.Errorf("encode the state: %w", err)
	}

	return text, nil
}

// check makes sure that the state is of what is asked for. Which archive it is of, its position says, and an archive
// may show whose log it is of by a pseudonym.
func (s *state) check(info auditlog.Info, source auditlog.Source, filters map[string][]string) error {
	if s.Service != info.Name {
		return &StateError{Reason: "It is the state of another service.", Known: s.Service, Found: info.Name}
	}

	if info.ArchivedFrom == "" && s.Source.Differs(source) {
		return &auditlog.SourceError{Known: s.Source, Found: source}
	}

	if !maps.EqualFunc(s.Filters, filters, slices.Equal) {
		return &StateError{Reason: "It is the state of another query.", Known: written(s.Filters), Found: written(filters)}
	}

	return nil
}

// written writes filters down for people.
func written(filters map[string][]string) string {
	if len(filters) == 0 {
		return "no filter"
	}

	parts := make([]string, 0, len(filters))
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		parts = append(parts, fmt.Sprintf("%s = %q", name, filters[name]))
	}

	return strings.Join(parts, ", ")
}

// forget drops the ids of entries that will not be read again.
func (s *state) forget(overlap time.Duration) {
	since := s.CoveredUntil.Add(-overlap)
	if s.Position != nil && !s.Position.Since.IsZero() && s.Position.Since.Before(since) {
		since = s.Position.Since
	}

	s.IDsSince = later(s.IDsSince, since)
	maps.DeleteFunc(s.IDs, func(_ string, at time.Time) bool { return at.Before(s.IDsSince) })
}

// clone is a state that can be changed without changing this one.
func (s *state) clone() *state {
	c := *s
	c.IDs, c.Gaps = maps.Clone(s.IDs), slices.Clone(s.Gaps)

	return &c
}
