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

// whose adds to what is wrong with a journal that could not be read whose it is.
func (s store) whose(path string, err error) error {
	if errors.Is(err, ErrForeign) {
		return err
	}

	info, statErr := s.sys.Lstat(path)
	if statErr != nil {
		return err
	}

	origin, originErr := originOfInfo(info)
	ours := originErr != nil || origin.Ours

	switch regular := info.Mode().IsRegular(); {
	case !ours && !regular:
		err = fmt.Errorf("%w: it belongs to %s and %w", ErrForeign, origin.Owner, ErrNotRegular)
	case !ours:
		err = fmt.Errorf("%w: it belongs to %s", ErrForeign, origin.Owner)
	case !regular:
		err = fmt.Errorf("%w: it %w", ErrForeign, ErrNotRegular)
	default:
		return err
	}

	return pathError("recover", path, err)
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
