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
	"slices"
	"time"
)

// store is the work on a system that needs no Replacement.
type store struct{ sys System }

// Recover finishes or undoes an interrupted replacement of the path. It does
// nothing where none was interrupted, and may itself be interrupted and repeated.
func Recover(path string) error { return store{OS()}.removeIf(path, func() error { return nil }) }

// settle reserves a path until the returned function is called, and finishes or undoes
// what was interrupted there.
func (s store) settle(t target) (release func(), err error) {
	release, err = t.claim()
	if err != nil {
		return nil, err
	}

	if err = s.recover(t); err != nil {
		release()
	}

	return release, err
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

// RemoveIf removes the members path+suffix in the given order, "" being the path
// itself, after settling what an interrupted run left. Absent members are fine;
// what is not a regular file is refused before anything is removed. So is everything
// where the check returns an error, which is made once no other part of this process
// can change the members.
func RemoveIf(path string, check func() error, suffixes ...string) error {
	return store{OS()}.removeIf(path, check, suffixes...)
}

func (s store) removeIf(path string, check func() error, suffixes ...string) error {
	t, err := newTarget(path)
	if err != nil {
		return err
	}

	release, err := s.settle(t)
	if err != nil {
		return err
	}
	defer release()

	if err := check(); err != nil || len(suffixes) == 0 {
		return err
	}

	for _, suffix := range suffixes {
		if _, err := s.replaceable(t.member(suffix)); err != nil {
			return err
		}
	}

	err = s.durably(t.dir, func() error {
		for _, suffix := range suffixes {
			if err := s.removeIfThere(t.member(suffix)); err != nil {
				return err
			}
		}

		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	return err
}

// within opens a directory for work that changes names in it. Nothing is changed where
// it cannot be opened.
func (s store) within(dir string, work func(Directory) error) error {
	d, err := s.sys.OpenDirectory(dir)
	if err != nil {
		return err
	}

	defer func() { _ = d.Close() }() // Sync has told what there is to tell.

	return work(d)
}

// durably changes names in a directory and makes the change durable.
func (s store) durably(dir string, change func() error) error {
	return s.within(dir, func(d Directory) error {
		if err := change(); err != nil {
			return err
		}

		return d.Sync()
	})
}

func (s store) recover(t target) error {
	j, err := s.readJournal(t)
	if err != nil {
		return err
	}

	if j != nil {
		err = s.within(t.dir, func(dir Directory) error { return s.rollForward(t, j, dir) })
	}

	if err != nil {
		return err
	}

	return s.sweep(t)
}

// sweep removes temporary files of the target that a crash left, and returns ErrBusy
// when another process is writing one. What others put under such a name concerns
// nobody: it is never read, and new names are random.
func (s store) sweep(t target) error {
	names, err := s.sys.List(t.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	if err != nil {
		return err
	}

	for _, name := range names {
		if !t.isTemp(name) {
			continue
		}

		_, err := s.removeOwn(t.join(name))
		if errors.Is(err, ErrBusy) {
			err = pathError("replace", t.member(""), ErrBusy)
		}

		if err != nil {
			return err
		}
	}

	// Those can wait for the next one when anything is in the way.
	_, _ = s.sweepParts(t.dir, time.Time{})

	return nil
}

// sweepParts removes the temporary files in a directory that stores and CheckWritable
// make, of this user, and returns how many: those whose writers are known to be gone,
// and those that were last written before a time.
func (s store) sweepParts(dir string, before time.Time) (removed int, err error) {
	names, err := s.sys.List(dir)
	if err != nil {
		return 0, err
	}

	names = slices.DeleteFunc(names, func(name string) bool { return !isPartName(name) })
	if len(names) == 0 {
		return 0, nil
	}

	// After the look: what is written from here on is not among what was found.
	unlock, alone := lockDirectory(dir, true)
	defer unlock()

	for _, name := range names {
		path := filepath.Join(dir, name)

		if !alone {
			if info, err := s.sys.Lstat(path); err != nil || !info.ModTime().Before(before) {
				continue
			}
		}

		gone, err := s.removeOwn(path)
		if err != nil && !errors.Is(err, ErrBusy) {
			return removed, err
		}

		if gone {
			removed++
		}
	}

	return removed, nil
}

// removeOwn removes a regular file of this user and leaves anything else, and says
// whether it did. The error is ErrBusy when the file is being written.
func (s store) removeOwn(path string) (bool, error) {
	_, err := s.copyTo(io.Discard, path, 0, leftOver)
	if err == nil {
		err = s.sys.Remove(path)
	}

	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, ErrNotRegular),
		errors.Is(err, ErrForeign):
		return false, nil
	default:
		return err == nil, err
	}
}

// A check says why an open file is not to be read.
type check func(h Handle) error

// ours is a check that returns ErrForeign for a file of another user, and for others
// what there is to be said about them.
func ours(about func(Origin) error) check {
	return func(h Handle) error {
		origin, err := h.Origin()

		switch {
		case err != nil:
			return err
		case !origin.Ours:
			return fmt.Errorf("%w: it belongs to %s", ErrForeign, origin.Owner)
		default:
			return about(origin)
		}
	}
}

var (
	anyOfOurs = ours(func(Origin) error { return nil })
	// leftOver returns ErrBusy for a file that is being written.
	leftOver = ours(func(o Origin) error {
		if o.Busy {
			return ErrBusy
		}

		return nil
	})
	// private returns ErrForeign also for a file that others may have written.
	private = ours(func(o Origin) error {
		switch {
		case o.Shared:
			return fmt.Errorf("%w: others may write to it", ErrForeign)
		case o.Linked:
			return fmt.Errorf("%w: it %w", ErrForeign, ErrLinked)
		default:
			return nil
		}
	})
)

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

		if err := s.durably(nearest, func() error { return s.makeDirectory(next, permission) }); err != nil {
			return err
		}

		nearest = next
	}

	return nil
}

// makeDirectory makes a directory, unless somebody else was faster.
func (s store) makeDirectory(dir string, permission fs.FileMode) error {
	if err := s.sys.Mkdir(dir, permission); !errors.Is(err, fs.ErrExist) {
		return err
	}

	return s.checkDirectory("mkdir", dir)
}

// checkDirectory returns ErrNotDirectory also for a link to a directory.
func (s store) checkDirectory(op, dir string) error {
	info, err := s.sys.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = pathError(op, dir, ErrNotDirectory)
	}

	return err
}

// nearest returns the innermost directory on the way to dir that exists, and the
// names that are missing from there on.
func (s store) nearest(dir string) (existing string, missing []string, err error) {
	for {
		info, err := s.sys.Stat(dir)
		parent := filepath.Dir(dir)

		switch {
		case err == nil && info.IsDir():
			return dir, missing, nil
		case err == nil, errors.Is(err, fs.ErrNotExist) && s.isDangling(dir):
			return "", nil, pathError("stat", dir, ErrNotDirectory)
		case !errors.Is(err, fs.ErrNotExist) && !isNotDirectory(err), parent == dir:
			return "", nil, err
		}

		dir, missing = parent, append([]string{filepath.Base(dir)}, missing...)
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
	case err != nil, !status.Exists, status.Regular():
	case status.Mode.IsDir():
		err = pathError("replace", path, ErrDirectory)
	default:
		err = pathError("replace", path, ErrNotRegular)
	}

	return err == nil && !status.Exists, err
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
func Hash(path string) (sum string, size int64, err error) { return store{OS()}.hash(path, nil) }

func (s store) hash(path string, allow check) (sum string, size int64, err error) {
	digest := sha256.New()
	size, err = s.copyTo(digest, path, -1, allow)

	return hex.EncodeToString(digest.Sum(nil)), size, err
}

// CreateFile writes a file that must not be there yet, with exactly this permission. Where
// it fails, nothing is left.
func CreateFile(path string, data []byte, permission fs.FileMode) error {
	s := store{OS()}

	return s.durably(filepath.Dir(path), func() error { return s.write(path, data, permission) })
}

// write makes a file with durable bytes. Where it fails, nothing is left that it knows of.
func (s store) write(path string, data []byte, permission fs.FileMode) error {
	h, err := s.sys.Create(path, permission)
	if err != nil {
		return err
	}

	f := &File{handle: h, temp: path, digest: sha256.New()}
	_, _ = f.Write(data) // Close returns the error.

	if err := f.Close(); err != nil {
		return errors.Join(err, s.removeIfThere(path))
	}

	return nil
}

// Read returns the content of a small regular file, or ErrTooLarge when it holds
// more than limit bytes.
func Read(path string, limit int64) ([]byte, error) { return store{OS()}.read(path, limit, nil) }

func (s store) read(path string, limit int64, allow check) ([]byte, error) {
	var b bytes.Buffer

	n, err := s.copyTo(&b, path, limit+1, allow)
	if err != nil {
		return nil, err
	}

	if n > limit {
		return nil, pathError("read", path, ErrTooLarge)
	}

	return b.Bytes(), nil
}

// copyTo reads at most limit bytes of a regular file, all when limit is negative,
// unless the check says that it is not to be read.
func (s store) copyTo(w io.Writer, path string, limit int64, allow check) (n int64, err error) {
	h, err := s.sys.Open(path)
	if err != nil {
		return 0, err
	}

	defer func() { err = errors.Join(err, h.Close()) }()

	if allow != nil {
		if err := allow(h); err != nil {
			return 0, pathError("open", path, err)
		}
	}

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
func CheckWritable(path string) error { return store{OS()}.checkWritable(path) }

func (s store) checkWritable(path string) error {
	t, err := newTarget(path)
	if err != nil {
		return err
	}

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

	_, _ = s.sweepParts(nearest, time.Time{})

	// Only trying tells: permission bits say little about access lists, quotas
	// and read-only mounts. The directory need not be the target's own, so the name
	// is not one of the target's.
	probe := filepath.Join(nearest, newPartName())

	h, err := s.sys.Create(probe, defaultFilePermission)
	if err == nil {
		err = errors.Join(h.Close(), s.removeIfThere(probe))
	}

	if err != nil {
		return &UnwritableError{Directory: nearest, Err: err}
	}

	return nil
}
