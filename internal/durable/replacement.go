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
	"slices"
)

// Replacement is a new set of files in the making. It is not safe for use by
// several goroutines.
type Replacement struct {
	store   store
	options Options
	target  target
	release func()

	members []*File
	// litter is what Abort removes. Names are noted before the files are made,
	// since what is reported as failed may have happened.
	litter []string
	ended  bool
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

// Replace writes one file in place of what is there. On an error that stays as it was.
func Replace(path string, data []byte, o Options) error {
	r, err := Begin(path, o)
	if err != nil {
		return err
	}
	defer r.Abort()

	f, err := r.Create("")
	if err != nil {
		return err
	}

	_, _ = f.Write(data) // Close returns the error.

	if err := f.Close(); err != nil {
		return err
	}

	return r.Commit()
}

// File is a member of the set, written to a temporary file until Commit.
type File struct {
	handle Handle
	temp   string
	final  string

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
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}

	f.digest.Write(p)
	f.size += int64(len(p))
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
// old set is there, unless a member of the new one has its place already and the
// others cannot get theirs: then the error holds ErrInterrupted, and the journal stays
// for the next Begin or Recover to put the new set in place.
func (r *Replacement) Commit() error {
	path := r.target.member("")

	switch {
	case r.ended:
		return pathError("commit", path, errEnded)
	case len(r.members) == 0:
		return pathError("commit", path, errEmpty)
	}

	defer r.Abort()

	s, t := r.store, r.target

	dir, err := s.sys.OpenDirectory(t.dir)
	if err != nil {
		return err
	}

	defer func() { _ = dir.Close() }()

	j, temp, err := r.writeJournal()
	if err != nil {
		return err
	}

	if err = s.sys.Rename(temp, t.journal()); err == nil {
		err = dir.Sync()
	}

	if err == nil {
		err = s.follow(t, j.Members, dir)
	}

	if err == nil {
		return nil
	}

	// A step that failed may succeed when it is taken once more, and a network share
	// may report as failed what it did.
	back, again := r.takeBack(dir)

	switch {
	case again == nil && back:
		return err
	case again == nil:
		again = s.rollForward(t, j, dir)
	}

	if again != nil {
		// Whatever is left is what Recover needs.
		r.litter = nil

		return pathError("commit", path, fmt.Errorf("%w: %w, and then %w", ErrInterrupted, err, again))
	}

	return nil
}

// writeJournal makes sure that every member can take its place, and writes the journal
// to a temporary file.
func (r *Replacement) writeJournal() (j *journal, temp string, err error) {
	j = &journal{Version: journalVersion}

	for _, f := range r.members {
		if err := r.ready(f); err != nil {
			return nil, "", err
		}

		j.Members = append(j.Members, journalMember{
			Temp: filepath.Base(f.temp), Final: filepath.Base(f.final), Size: f.size, SHA256: f.SHA256(),
		})
	}

	text, err := json.Marshal(j)
	if err != nil {
		return nil, "", pathError("commit", r.target.journal(), err)
	}

	temp = r.target.newTemp()
	r.litter = append(r.litter, temp)

	return j, temp, r.store.write(temp, append(text, '\n'), defaultFilePermission)
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

	_, err = r.store.replaceable(f.final)

	return err
}

// takeBack removes the journal, so that the old set counts again, unless a member of
// the new one has left its temporary file already.
func (r *Replacement) takeBack(dir Directory) (done bool, err error) {
	for _, f := range r.members {
		if temp, err := r.store.status(f.temp); err != nil || !temp.Exists {
			return false, err
		}
	}

	if err := r.store.removeIfThere(r.target.journal()); err != nil {
		return false, err
	}

	return true, dir.Sync()
}

// Abort removes the temporary files and leaves the old set as it is. After
// Commit it does nothing. What cannot be removed is tried again when Abort is called
// once more, and else by the next Begin.
func (r *Replacement) Abort() {
	for _, f := range r.members {
		if !f.closed {
			f.closed = true
			f.err = errEnded
			_ = f.handle.Close()
		}
	}

	r.litter = slices.DeleteFunc(r.litter, func(path string) bool { return r.store.removeIfThere(path) == nil })
	r.ended = true

	r.release()
}
