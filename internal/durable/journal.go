// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

const (
	journalVersion = 1
	journalLimit   = 1 << 20
)

// journal is the decision to put a new set in place. It is written whole before
// the first member moves and removed when the last one has.
type journal struct {
	Version int             `json:"version"`
	Members []journalMember `json:"members"`
}

// journalMember says which temporary file becomes which file, and how to tell
// whether it has.
type journalMember struct {
	Temp   string `json:"temp"`
	Final  string `json:"final"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// check refuses names that lead elsewhere: a journal only ever moves a target's
// own temporary files to the target's own members, each once.
func (j *journal) check(t target) error {
	if j.Version != journalVersion {
		return fmt.Errorf("version %d is unknown", j.Version)
	}

	if len(j.Members) == 0 {
		return errors.New("no members")
	}

	seen := map[string]bool{}

	for _, m := range j.Members {
		suffix, ok := strings.CutPrefix(m.Final, t.base)
		if !ok || !isSuffix(suffix) || !t.isTemp(m.Temp) {
			return errors.New("a name is not this target's")
		}

		if seen[m.Final] || seen[m.Temp] {
			return errors.New("a name occurs twice")
		}

		seen[m.Final], seen[m.Temp] = true, true
	}

	return nil
}

// readJournal returns nil when there is none, and ErrForeign when it is not ours.
func (s store) readJournal(t target) (*journal, error) {
	text, err := s.read(t.journal(), journalLimit, private)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // No journal is an answer like any other.
	}

	if err != nil {
		return nil, s.whose(t.journal(), err)
	}

	var j journal

	err = exactjson.Unmarshal(text, &j)
	if err == nil {
		err = j.check(t)
	}

	if err != nil {
		return nil, pathError("recover", t.journal(), fmt.Errorf("%w: %w", ErrUnsettled, err))
	}

	return &j, nil
}

// whose adds to what is wrong with a journal that could not be read whose it is.
func (s store) whose(path string, err error) error {
	info, statErr := s.sys.Lstat(path)
	if statErr != nil || errors.Is(err, ErrForeign) {
		return err
	}

	origin, originErr := originOfInfo(info)
	ours := originErr != nil || origin.Ours

	switch regular := info.Mode().IsRegular(); {
	case ours && regular:
		return err
	case ours:
		err = fmt.Errorf("%w: it %w", ErrForeign, ErrNotRegular)
	case regular:
		err = fmt.Errorf("%w: it belongs to %s", ErrForeign, origin.Owner)
	default:
		err = fmt.Errorf("%w: it belongs to %s and %w", ErrForeign, origin.Owner, ErrNotRegular)
	}

	return pathError("recover", path, err)
}

// rollForward puts those members in their places that are not there yet.
func (s store) rollForward(t target, j *journal, dir Directory) error {
	pending, err := s.pending(t, j)
	if err != nil {
		return err
	}

	return s.follow(t, pending, dir)
}

// follow puts members in their places and, once that is durable, removes the journal.
func (s store) follow(t target, members []journalMember, dir Directory) error {
	for _, m := range members {
		if err := s.sys.Rename(t.join(m.Temp), t.join(m.Final)); err != nil {
			return err
		}
	}

	if err := dir.Sync(); err != nil {
		return err
	}

	if err := s.removeIfThere(t.journal()); err != nil {
		return err
	}

	// Should a crash bring the journal back, it describes what is there.
	_ = dir.Sync()

	return nil
}

// pending returns the members that have yet to be moved, having made sure that
// every one of the set is there and can take its place.
func (s store) pending(t target, j *journal) ([]journalMember, error) {
	var pending []journalMember

	for _, m := range j.Members {
		there, err := s.holds(t.join(m.Final), m)
		if err != nil {
			return nil, err
		}

		if there {
			continue
		}

		there, err = s.holds(t.join(m.Temp), m)
		if err != nil {
			return nil, err
		}

		if !there {
			return nil, pathError("recover", t.journal(),
				fmt.Errorf("%w: %s is neither in its place nor in %s as it was written", ErrUnsettled, m.Final, m.Temp))
		}

		if _, err := s.replaceable(t.join(m.Final)); err != nil {
			return nil, err
		}

		pending = append(pending, m)
	}

	return pending, nil
}

// holds says whether the file is the member that the journal describes. Somebody
// else's file is not, whatever it holds by now: its owner can change it later.
func (s store) holds(path string, m journalMember) (bool, error) {
	status, err := s.status(path)
	if err != nil || !status.Regular() || status.Size != m.Size {
		return false, err
	}

	sum, _, err := s.hash(path, anyOfOurs)
	if errors.Is(err, ErrForeign) {
		return false, nil
	}

	return sum == m.SHA256, err
}
