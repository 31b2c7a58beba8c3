// SPDX-License-Identifier: MPL-2.0

package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

const (
	stateVersion = 1
	maxState     = 64 << 10
)

// State says until where a log has been checked, by which rules. It is held by one check
// at a time.
type State struct {
	path string
	lock *durable.Lock

	// kept is what the file holds, nil where there is none yet.
	kept *kept
}

// kept is a state as it is written.
type kept struct {
	Version int    `json:"check_state_version"`
	Service string `json:"service"`
	// Source is whose log it is, as far as any check could tell.
	Source auditlog.Source `json:"source"`
	// Rules is a digest of the rules and the query; see Rules.Digest.
	Rules string `json:"rules_sha256"`
	// CheckedUntil is where the next check begins: everything before has been checked,
	// from the start of the first check on.
	CheckedUntil time.Time `json:"checked_until"`
	WrittenAt    time.Time `json:"written_at"`
}

const useState = "Go on from the last check"

func stateProblem(path string, cause, next explain.Text) explain.Problem {
	return explain.Problem{Summary: useState, Cause: cause, Next: next}.With("State", path).
		At(explain.Argument("state"))
}

// OpenState takes the lock of a state and reads it. Whoever calls it must Close it.
func OpenState(path string) (*State, explain.Problems) {
	if err := durable.CheckWritable(path); err != nil {
		return nil, explain.Problems{stateProblem(path, explain.Sentence(err.Error()), "Name a file that can be written.")}
	}

	lock, err := durable.Acquire(path, durable.Options{})

	switch {
	case errors.Is(err, durable.ErrLocked):
		return nil, explain.Problems{stateProblem(path, "Another check is using this state.",
			"Wait until it has ended, or give each check a state of its own.")}
	case err != nil:
		return nil, explain.Problems{stateProblem(path, explain.Sentence(err.Error()),
			"Name a file on a disk that has locks.")}
	}

	s := &State{path: path, lock: lock}

	if p := s.read(); p.Cause != "" {
		_ = lock.Release() // Nothing was written.

		return nil, explain.Problems{p}
	}

	return s, nil
}

// read reads the file, where there is one.
func (s *State) read() explain.Problem {
	if err := durable.Recover(s.path); err != nil {
		return stateProblem(s.path, explain.Sentence(err.Error()), "Name a file that can be written.")
	}

	text, err := durable.Read(s.path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return explain.Problem{}
	}

	var k kept
	if err == nil {
		err = exactjson.Unmarshal(text, &k)
	}

	if err == nil && (k.Version != stateVersion || k.Service == "" || k.Rules == "" || k.CheckedUntil.IsZero()) {
		err = errors.New("its parts are not those of a state of this version")
	}

	if err != nil {
		return stateProblem(s.path, "The state cannot be read: "+explain.Plain(err.Error())+".",
			"Nothing was changed; name the right file, or another one and say by {start} where to begin.")
	}

	s.kept = &k

	return explain.Problem{}
}

// Close gives the lock back.
func (s *State) Close() error {
	if err := s.lock.Release(); err != nil {
		return fmt.Errorf("release the state: %w", err)
	}

	return nil
}

// leastCheck is the least time that a check needs: services tell the time to the second.
const leastCheck = time.Second

// Begin returns where the check begins, the zero time where none was made before. A state
// of another log or of other rules is an error, and so is one behind which nothing has
// settled yet. The check ends at settled, and now is the time.
func (s *State) Begin(info auditlog.Info, rules string, settled, now time.Time) (time.Time, explain.Problems) {
	if s.kept == nil {
		return time.Time{}, nil
	}

	const next = "Give each check a state of its own; to begin another one where this ends, name a new file and set {start}."

	until := auditlog.FormatTime(s.kept.CheckedUntil)

	switch {
	case s.kept.Service != info.Name:
		p := stateProblem(s.path, "The state is of another service.", next)

		return time.Time{}, explain.Problems{p.With("Kept so far", s.kept.Service).With("Read now", info.Name)}
	case s.kept.Rules != rules:
		p := stateProblem(s.path, "The state is of other rules or of another query, so that what was checked before was checked in another way.", next)

		return time.Time{}, explain.Problems{p.With("Checked until", until)}
	case s.kept.Source.Differs(info.Source):
		return time.Time{}, explain.Problems{s.otherLog(info.Source)}
	case s.kept.CheckedUntil.After(now):
		p := stateProblem(s.path, "By the state, the log has been checked until a time that lies in the future of this machine's clock.",
			"Set the clock of this machine; if it was wrong when the state was written, name a new file and set {start} to before that.")

		return time.Time{}, explain.Problems{p.With("Checked until", until).With("Now", auditlog.FormatTime(now))}
	case s.kept.CheckedUntil.Add(leastCheck).After(settled):
		p := stateProblem(s.path, "Everything that has settled by now was checked before, so that there is nothing to check.",
			"Run it again later; {settle_delay} says how long entries take to settle.")

		p = p.With("Checked until", until).With("Settled until", auditlog.FormatTime(settled))

		return time.Time{}, explain.Problems{p}
	default:
		return s.kept.CheckedUntil, nil
	}
}

func (s *State) otherLog(found auditlog.Source) explain.Problem {
	p := explain.OtherLog(&auditlog.SourceError{Known: s.kept.Source, Found: found}, useState, "state")

	return p.With("State", s.path).At(explain.Argument("state"))
}

// Confirm makes sure that what was read is the log that the state is of. A warning says
// that this could not be confirmed.
func (s *State) Confirm(read auditlog.Source) explain.Problems {
	switch {
	case s.kept == nil:
		return nil
	case s.kept.Source.Differs(read):
		return explain.Problems{s.otherLog(read)}
	case s.kept.Source.Account != "" && read.Account == "":
		return explain.Problems{explain.Unconfirmed(s.kept.Source, useState, "state")}
	default:
		return nil
	}
}

// Until is where the next check has to begin after this reading: at its end, or where the
// first gap begins. What lies beyond the retention does not come back, so that it is
// passed over once it was named.
func Until(c *auditlog.Completeness) time.Time {
	if len(c.Gaps) > 0 && c.Gaps[0].Start.Before(c.Window.End) {
		return c.Gaps[0].Start
	}

	return c.Window.End
}

// Save writes until where the log has been checked. It is for when the verdict has been
// shown.
func (s *State) Save(
	info auditlog.Info, c *auditlog.Completeness, rules string, now time.Time,
) explain.Problems {
	next := kept{
		Version: stateVersion, Service: info.Name, Source: c.Source, Rules: rules, CheckedUntil: Until(c),
		WrittenAt: now.UTC(),
	}

	if s.kept != nil {
		next.Source = c.Source.Or(s.kept.Source)
	}

	if err := s.write(next); err != nil {
		return explain.Problems{stateProblem(s.path, "The state could not be written: "+explain.Plain(err.Error())+".",
			"The verdict stands; the next check begins where this one began.")}
	}

	s.kept = &next

	return nil
}

func (s *State) write(next kept) error {
	text, err := exactjson.Marshal(next, "  ")
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}

	return durable.Replace(s.path, text, durable.Options{})
}
