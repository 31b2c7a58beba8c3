// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replacement is a new set of files in the making. It is not safe for use by
// several goroutines.
type Replacement struct {
	store   store
	options Options
	target  target
	release func()
	dir     Directory // open while Commit is at work

	members []*File
	// litter is what Abort removes. Names are noted before the files are made,
	// since what is reported as failed may have happened.
	litter []string
	// journalled says that a journal may be in place.
	journalled bool
	ended      bool
}

// Begin settles what an interrupted run left at the path, makes the directories
// that are missing and starts a new set. The caller must end it by Commit or
// Abort; `defer r.Abort()` right after Begin is always right.
func Begin(path string, o Options) (*Replacement, error) {
	t, err := newTarget(path)
	if err != nil {
		return nil, err
	}

	o = o.withDefaults()
	s := store{o.System}

	if err := s.makeDirectories(t.dir, o.DirectoryPermission); err != nil {
		return nil, err
	}

	release, err := s.settle(t)
	if err != nil {
		return nil, err
	}

	return &Replacement{store: s, options: o, target: t, release: release}, nil
}

// File is a member of the set, written to a temporary file until Commit.
type File struct {
	handle Handle
	temp   string
	final  string
	// old is a second name of the file that this one replaces, "" where the file
	// system has no such thing.
	old string
	// fresh says that there is no file to replace.
	fresh bool

	digest hash.Hash
	size   int64
	// written is the file itself, whatever has its name later.
	written fs.FileInfo
	closed  bool
	err     error
}

var (
	errEmpty    = errors.New("the new set has no members")
	errEnded    = errors.New("the replacement has ended")
	errNotReady = errors.New("was not closed")
	errChanged  = errors.New("is not what was written to it")
	errReplaced = errors.New("was replaced while it was opened")
)

// Create starts the member path+suffix, which is one of the set's. Members take
// their places in the order of creation.
func (r *Replacement) Create(suffix string) (*File, error) {
	final := r.target.member(suffix)

	if r.ended {
		return nil, pathError("create", final, errEnded)
	}

	if !isSuffix(suffix) {
		return nil, pathError("create", final, fs.ErrInvalid)
	}

	for _, m := range r.members {
		if m.final == final {
			return nil, pathError("create", final, fs.ErrExist)
		}
	}

	// Also finds out in time that the final name is too long.
	if _, err := r.store.replaceable(final); err != nil {
		return nil, err
	}

	temp := r.target.newTemp()
	r.litter = append(r.litter, temp)

	h, err := r.store.sys.Create(temp, r.options.FilePermission)
	if err != nil {
		return nil, err
	}

	f := &File{handle: h, temp: temp, final: final, digest: sha256.New()}
	r.members = append(r.members, f)

	return f, nil
}

// Write appends to the file. After an error the file cannot be committed.
func (f *File) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}

	n, err := f.handle.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}

	n = min(max(n, 0), len(p))
	f.digest.Write(p[:n])
	f.size += int64(n)
	f.err = err

	return n, err
}

// Close compares the file's length with what was written, makes its bytes
// durable and closes it. Further calls return the same error.
func (f *File) Close() error {
	if f.closed {
		return f.err
	}

	f.closed = true

	if f.err == nil {
		f.err = f.settle()
	}

	if err := f.handle.Close(); f.err == nil {
		f.err = err
	}

	return f.err
}

func (f *File) settle() error {
	info, err := f.handle.Stat()
	if err != nil {
		return err
	}

	f.written = info

	if info.Size() != f.size {
		return pathError("write", f.temp, fmt.Errorf("%w: %d bytes instead of %d", errChanged, info.Size(), f.size))
	}

	return f.handle.Sync()
}

// Size returns how many bytes have been written.
func (f *File) Size() int64 { return f.size }

// SHA256 returns the hash, in hexadecimal, of the bytes written so far.
func (f *File) SHA256() string { return hex.EncodeToString(f.digest.Sum(nil)) }

// Commit puts the new set in place of the old one. When it returns an error the
// old set is there, unless putting it back failed as well: then the error holds
// ErrInterrupted, and the journal stays for the next Begin or Recover to put the
// new set in place.
func (r *Replacement) Commit() error {
	switch {
	case r.ended:
		return pathError("commit", r.target.member(""), errEnded)
	case len(r.members) == 0:
		return pathError("commit", r.target.member(""), errEmpty)
	}

	dir, err := r.store.sys.OpenDirectory(r.target.dir)
	if err != nil {
		r.Abort()

		return err
	}

	r.dir = dir

	defer func() { _ = dir.Close() }()

	if err := r.replace(); err != nil {
		if undoErr := r.undo(); undoErr != nil {
			// Whatever is left is what Recover needs.
			r.litter = nil
			err = pathError("commit", r.target.member(""), fmt.Errorf("%w: %w", ErrInterrupted, errors.Join(err, undoErr)))
		}

		r.Abort()

		return err
	}

	// The new set has been durable since the names were synced. Should a crash
	// bring the journal back, it describes what is there.
	_ = r.dir.Sync()

	r.end()

	return nil
}

func (r *Replacement) replace() error {
	for _, f := range r.members {
		if err := r.ready(f); err != nil {
			return err
		}
	}

	for _, f := range r.members {
		r.keepOld(f)
	}

	if err := r.decide(); err != nil {
		return err
	}

	for _, f := range r.members {
		if err := r.store.sys.Rename(f.temp, f.final); err != nil {
			return err
		}
	}

	if err := r.dir.Sync(); err != nil {
		return err
	}

	if err := r.store.sys.Remove(r.target.journal()); err != nil {
		// Once it is gone, by whatever report, there is no safe way back.
		if status, statErr := r.store.status(r.target.journal()); statErr != nil || status.Exists {
			return err
		}
	}

	return nil
}

// ready makes sure that the temporary file is complete and still there: once the
// journal names it, there must be no surprise.
func (r *Replacement) ready(f *File) error {
	if !f.closed {
		return pathError("commit", f.final, errNotReady)
	}

	if f.err != nil {
		return f.err
	}

	info, err := r.store.sys.Lstat(f.temp)
	if err != nil {
		return err
	}

	if !os.SameFile(info, f.written) || info.Size() != f.size {
		return pathError("commit", f.temp, errChanged)
	}

	f.fresh, err = r.store.replaceable(f.final)

	return err
}

// keepOld gives the file about to be replaced a second name, so that a failure
// between two renames can be undone. File systems without hard links have to do
// without.
func (r *Replacement) keepOld(f *File) {
	if f.fresh {
		return
	}

	old := r.target.newTemp()
	r.litter = append(r.litter, old)

	if err := r.store.sys.Link(f.final, old); err == nil {
		f.old = old
	}
}

// decide writes the journal.
func (r *Replacement) decide() error {
	j := journal{Version: journalVersion}
	for _, f := range r.members {
		j.Members = append(j.Members, journalMember{
			Temp: filepath.Base(f.temp), Final: filepath.Base(f.final), Size: f.size, SHA256: f.SHA256(),
		})
	}

	text, err := json.Marshal(j)
	if err != nil {
		return pathError("commit", r.target.journal(), err)
	}

	temp := r.target.newTemp()
	r.litter = append(r.litter, temp)

	if err := r.store.write(temp, append(text, '\n'), defaultFilePermission); err != nil {
		return err
	}

	r.journalled = true

	return inOrder(func() error { return r.store.sys.Rename(temp, r.target.journal()) }, r.dir.Sync)
}

// undo brings the old set back. As long as the journal is there, a crash must
// find every new member under one of the two names that the journal gives it, so
// new members get their temporary names back before the old ones return.
func (r *Replacement) undo() error {
	if !r.journalled {
		return nil
	}

	var moved []*File

	for _, f := range r.members {
		// A network share may report as failed what it did, so look.
		temp, err := r.store.status(f.temp)
		if err == nil && !temp.Exists {
			err = r.moveBack(f)
			moved = append(moved, f)
		}

		if err != nil {
			return err
		}
	}

	return inOrder(
		r.dir.Sync,
		func() error {
			for _, f := range moved {
				if f.fresh {
					continue
				}

				if err := r.store.sys.Rename(f.old, f.final); err != nil {
					return err
				}
			}

			return nil
		},
		r.dir.Sync,
		func() error { return r.store.removeIfThere(r.target.journal()) },
		r.dir.Sync,
	)
}

// inOrder takes steps until one fails.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}

	return nil
}

var errNoWayBack = errors.New("the file that was there has no second name")

func (r *Replacement) moveBack(f *File) error {
	switch {
	case f.fresh:
		return r.store.sys.Rename(f.final, f.temp)
	case f.old == "":
		return pathError("undo", f.final, errNoWayBack)
	default:
		return r.store.sys.Link(f.final, f.temp)
	}
}

// Abort removes the temporary files and leaves the old set as it is. After
// Commit it does nothing.
func (r *Replacement) Abort() { r.end() }

// end removes what is left over. What cannot be removed is tried again when end
// is called once more, and else by the next Begin.
func (r *Replacement) end() {
	for _, f := range r.members {
		if !f.closed {
			f.closed = true
			f.err = errEnded
			_ = f.handle.Close()
		}
	}

	var left []string

	for _, path := range r.litter {
		if err := r.store.removeIfThere(path); err != nil {
			left = append(left, path)
		}
	}

	r.litter = left
	r.ended = true

	r.release()
}
