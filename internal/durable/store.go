// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// store is the work on a system that needs no Replacement.
type store struct{ sys System }

// Recover finishes or undoes an interrupted replacement of the path. It does
// nothing where none was interrupted, and may itself be interrupted and repeated.
func Recover(path string) error { return recoverPath(OS(), path) }

func recoverPath(sys System, path string) error {
	t, err := newTarget(path)
	if err != nil {
		return err
	}

	release, err := t.claim()
	if err != nil {
		return err
	}
	defer release()

	return store{sys}.recover(t)
}

// Interrupted says whether a new set has been decided on that Recover has yet to
// put in place. It looks and changes nothing; the error is the one that Recover
// would return.
func Interrupted(path string) (bool, error) {
	t, err := newTarget(path)
	if err != nil {
		return false, err
	}

	s := store{OS()}

	j, err := s.readJournal(t)
	if j == nil || err != nil {
		return false, err
	}

	_, err = s.pending(t, j)

	return err == nil, err
}

// Remove removes the members path+suffix in the given order, "" being the path
// itself, after settling what an interrupted run left. Absent members are fine;
// what is not a regular file is refused before anything is removed.
func Remove(path string, suffixes ...string) error {
	return RemoveIf(path, func() error { return nil }, suffixes...)
}

// RemoveIf is Remove after a check that is made once no other part of this process
// can change the members. Where it returns an error, nothing is removed.
func RemoveIf(path string, check func() error, suffixes ...string) error {
	return removePath(OS(), path, check, suffixes...)
}

func removePath(sys System, path string, check func() error, suffixes ...string) error {
	t, err := newTarget(path)
	if err != nil {
		return err
	}

	release, err := t.claim()
	if err != nil {
		return err
	}
	defer release()

	s := store{sys}
	if err := s.recover(t); err != nil {
		return err
	}

	if err := check(); err != nil {
		return err
	}

	for _, suffix := range suffixes {
		if _, err := s.replaceable(t.member(suffix)); err != nil {
			return err
		}
	}

	for _, suffix := range suffixes {
		if err := s.removeIfThere(t.member(suffix)); err != nil {
			return err
		}
	}

	if err := s.sys.SyncDirectory(t.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	return nil
}

func (s store) recover(t target) error {
	j, err := s.readJournal(t)
	if err != nil {
		return err
	}

	if j != nil {
		if err := s.rollForward(t, j); err != nil {
			return err
		}
	}

	return s.sweep(t)
}

func (s store) rollForward(t target, j *journal) error {
	pending, err := s.pending(t, j)
	if err != nil {
		return err
	}

	for _, m := range pending {
		if err := s.sys.Rename(t.join(m.Temp), t.join(m.Final)); err != nil {
			return err
		}
	}

	if err := s.sys.SyncDirectory(t.dir); err != nil {
		return err
	}

	if err := s.sys.Remove(t.journal()); err != nil {
		return err
	}

	// Temporary files may only go once the journal is gone for good.
	return s.sys.SyncDirectory(t.dir)
}

// pending returns the members that have yet to be moved, having made sure that
// every one of the set is there.
func (s store) pending(t target, j *journal) ([]journalMember, error) {
	var pending []journalMember

	for _, m := range j.Members {
		// In this order: after an interrupted undo both names mean the same file,
		// and renaming one to the other would do nothing.
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

		pending = append(pending, m)
	}

	return pending, nil
}

// holds says whether the file is the member that the journal describes.
func (s store) holds(path string, m journalMember) (bool, error) {
	status, err := s.status(path)
	if err != nil || !status.Regular() || status.Size != m.Size {
		return false, err
	}

	sum, _, err := s.hash(path)

	return sum == m.SHA256, err
}

// sweep removes temporary files of the target that a crash left.
func (s store) sweep(t target) error {
	names, err := s.sys.List(t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	if err != nil {
		return err
	}

	for _, name := range names {
		if t.isTemp(name) {
			if err := s.removeIfThere(t.join(name)); err != nil {
				return err
			}
		}
	}

	return nil
}

func (s store) removeIfThere(path string) error {
	if err := s.sys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	return nil
}

// makeDirectories makes what is missing, each directory durable in its parent
// before anything is put into it.
func (s store) makeDirectories(dir string, permission fs.FileMode) error {
	nearest, missing, err := s.nearest(dir)
	if err != nil {
		return err
	}

	for _, name := range missing {
		next := filepath.Join(nearest, name)

		if err := s.sys.Mkdir(next, permission); err != nil {
			// Somebody else may have been faster.
			if info, statErr := s.sys.Stat(next); !errors.Is(err, fs.ErrExist) || statErr != nil || !info.IsDir() {
				return err
			}
		}

		if err := s.sys.SyncDirectory(nearest); err != nil {
			return err
		}

		nearest = next
	}

	return nil
}

// nearest returns the innermost directory on the way to dir that exists, and the
// names that are missing from there on.
func (s store) nearest(dir string) (existing string, missing []string, err error) {
	for {
		info, err := s.sys.Stat(dir)

		switch {
		case err == nil && info.IsDir():
			return dir, missing, nil
		case err == nil:
			return "", nil, pathError("stat", dir, ErrNotDirectory)
		case errors.Is(err, fs.ErrNotExist) && !s.isDangling(dir), isNotDirectory(err):
			missing = append([]string{filepath.Base(dir)}, missing...)
		case errors.Is(err, fs.ErrNotExist):
			return "", nil, pathError("stat", dir, ErrNotDirectory)
		default:
			return "", nil, err
		}

		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil, err
		}

		dir = parent
	}
}

// isDangling says whether a path that was not found is a link that leads nowhere.
// A directory is one that somebody made in the meantime.
func (s store) isDangling(path string) bool {
	info, err := s.sys.Lstat(path)

	return err == nil && !info.IsDir()
}

// replaceable makes sure that a regular file may take the path's place, and says
// whether it would be the first there.
func (s store) replaceable(path string) (fresh bool, err error) {
	status, err := s.status(path)

	switch {
	case err != nil:
		return false, err
	case !status.Exists, status.Regular():
		return !status.Exists, nil
	case status.Mode.IsDir():
		return false, pathError("replace", path, ErrDirectory)
	default:
		return false, pathError("replace", path, ErrNotRegular)
	}
}

// Status is what is at a path.
type Status struct {
	Exists bool
	// Mode is the type and permission. Links are not followed.
	Mode fs.FileMode
	// Size is a regular file's length in bytes.
	Size int64
}

// Regular says whether there is a regular file.
func (s Status) Regular() bool { return s.Exists && s.Mode.IsRegular() }

// Stat says what is at the path. Nothing being there is no error.
func Stat(path string) (Status, error) { return store{OS()}.status(path) }

func (s store) status(path string) (Status, error) {
	info, err := s.sys.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{}, nil
	}

	if err != nil {
		return Status{}, err
	}

	return Status{Exists: true, Mode: info.Mode(), Size: info.Size()}, nil
}

// Hash returns the SHA-256 of a regular file, in hexadecimal, and its length in
// bytes. It holds no more than a buffer of it in memory.
func Hash(path string) (sum string, size int64, err error) { return store{OS()}.hash(path) }

func (s store) hash(path string) (string, int64, error) {
	digest := sha256.New()
	size, err := s.copyTo(digest, path, -1)

	return hex.EncodeToString(digest.Sum(nil)), size, err
}

// Read returns the content of a small regular file, or ErrTooLarge when it holds
// more than limit bytes.
func Read(path string, limit int64) ([]byte, error) { return store{OS()}.read(path, limit) }

func (s store) read(path string, limit int64) ([]byte, error) {
	var b bytes.Buffer

	n, err := s.copyTo(&b, path, limit+1)
	if err != nil {
		return nil, err
	}

	if n > limit {
		return nil, pathError("read", path, ErrTooLarge)
	}

	return b.Bytes(), nil
}

// copyTo reads at most limit bytes of a regular file, all when limit is negative.
// It does not open anything else, since that could block or have effects.
func (s store) copyTo(w io.Writer, path string, limit int64) (n int64, err error) {
	info, err := s.sys.Lstat(path)
	if err != nil {
		return 0, err
	}

	if !info.Mode().IsRegular() {
		return 0, pathError("read", path, ErrNotRegular)
	}

	h, err := s.sys.Open(path)
	if err != nil {
		return 0, err
	}

	defer func() { err = errors.Join(err, h.Close()) }()

	var r io.Reader = h
	if limit >= 0 {
		r = io.LimitReader(h, limit)
	}

	return io.Copy(w, r) //nolint:wrapcheck // The error names the file already.
}

// CheckWritable finds out whether a file could be put at the path, without
// leaving anything behind: ErrDirectory or ErrNotRegular when something else is
// there, ErrNotDirectory when a parent is a file, *UnwritableError when the
// innermost parent that exists takes no new files.
func CheckWritable(path string) error { return checkWritable(OS(), path) }

func checkWritable(sys System, path string) error {
	t, err := newTarget(path)
	if err != nil {
		return err
	}

	s := store{sys}

	nearest, missing, err := s.nearest(t.dir)
	if err == nil && len(missing) == 0 {
		_, err = s.replaceable(t.member(""))
	}

	switch {
	case errors.Is(err, fs.ErrPermission):
		return &UnwritableError{Directory: t.dir, Err: err}
	case err != nil:
		return err
	}

	// Only trying tells: permission bits say little about access lists, quotas
	// and read-only mounts.
	probe := filepath.Join(nearest, newTempName(t.base))

	h, err := s.sys.Create(probe, defaultFilePermission)
	if err == nil {
		err = errors.Join(h.Close(), s.removeIfThere(probe))
	}

	if err != nil {
		return &UnwritableError{Directory: nearest, Err: err}
	}

	return nil
}
