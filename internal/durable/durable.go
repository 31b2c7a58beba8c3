// SPDX-License-Identifier: MPL-2.0

// Package durable replaces a small set of files together, so that after a crash
// at any moment the old set is there or the new one, whole.
//
// The members of a set share a path and differ by suffix: "out.csv",
// "out.csv.manifest.json", "out.csv.sha256"; or, of a stream, "auditlog.place.json" and
// "auditlog-0000000001.ndjson". A set has no others. New members are
// written to temporary files in the same directory, synced and closed. Renaming
// several files is not one step, so a journal beside them records the decision
// first:
//
//	no journal   the old set counts; temporary files are left over from a crash
//	journal      the new set counts; every member is in its place or still in the
//	             temporary file that the journal names
//
// Whoever comes next (Begin, Recover, RemoveIf) finishes or undoes what was
// interrupted. In a directory that others may write to, anybody could leave a
// journal or a temporary file, so only those of the same user count: a foreign
// journal is an error (ErrForeign), a foreign temporary file is left alone. No link
// is followed in the last element of a path; the directories on the way are the
// caller's choice, and may be links.
//
// A path that is being replaced is refused (ErrBusy), by the same process always, by
// another one of the same user while a new member is being written, where there are
// locks. Two processes that begin or end at the same time are the caller's to avoid;
// names of temporary files are random, so that one of them fails rather than mixing
// bytes.
//
// A Store holds whole objects under keys, in a directory or in a bucket, and lets
// one of several create a key (OpenStore).
//
// This is the only package that touches the file system or object storage.
package durable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"sync"
)

// Options say how files and directories are made.
type Options struct {
	// FilePermission is the exact permission of every member, whatever the umask;
	// 0600 when zero. Nobody can write to what a Store has created. Windows has no such
	// bits and ignores it.
	FilePermission fs.FileMode
	// DirectoryPermission is the same for directories that have to be made; 0700
	// when zero.
	DirectoryPermission fs.FileMode
	// System is the file system, the operating system's when nil. Tests put one
	// here that fails or kills the process at a chosen step.
	System System
}

const (
	defaultFilePermission      fs.FileMode = 0o600
	defaultDirectoryPermission fs.FileMode = 0o700
)

func (o Options) withDefaults() Options {
	o.FilePermission = cmp.Or(o.FilePermission, defaultFilePermission)
	o.DirectoryPermission = cmp.Or(o.DirectoryPermission, defaultDirectoryPermission)

	if o.System == nil {
		o.System = OS()
	}

	return o
}

// What can be wrong with a path. Each comes inside an *fs.PathError that names
// the file; what the operating system reports (no space left, permission denied)
// is passed on for errors.Is.
var (
	// ErrDirectory means that a directory is where a file should go.
	ErrDirectory = errors.New("is a directory")
	// ErrNotDirectory means that something else is where a directory should be.
	ErrNotDirectory = errors.New("is not a directory")
	// ErrNotRegular means that a symbolic link, a device or the like is where a
	// file should go. A link is not followed, since what it points to could be
	// anything, and not replaced, since somebody put it there for a reason.
	ErrNotRegular = errors.New("is not a regular file")
	// ErrBusy means that the same path is being replaced already, by this process or
	// by another one of this user.
	ErrBusy = errors.New("is being replaced already")
	// ErrUnsettled means that a replacement was interrupted and its journal can no
	// longer be followed, because a file it names is missing or was changed.
	// Nothing is deleted; a person has to look.
	ErrUnsettled = errors.New("belongs to an interrupted replacement that cannot be finished")
	// ErrForeign means that a journal was not left by this user, or that others
	// may have changed it. To follow it would let them decide what is written.
	ErrForeign = errors.New("was not left by an export of this user")
	// ErrLinked means that a file has a second name, a hard link, so that a change
	// of its permission would also show elsewhere.
	ErrLinked = errors.New("has a second name, a hard link")
	// ErrInterrupted is Commit's when a part of the new set is in place, and the rest
	// could not be put there. The next Begin or Recover does that.
	ErrInterrupted = errors.New("stopped half-way; the next run finishes it")
	// ErrLocked means that another process, or another part of this one, holds the lock.
	ErrLocked = errors.New("is in use already")
	// ErrTooLarge is returned by Read.
	ErrTooLarge = errors.New("is too large")
)

// UnwritableError says that no file can be made in a directory.
type UnwritableError struct {
	Directory string
	Err       error
}

func (e *UnwritableError) Error() string {
	return "directory " + e.Directory + " cannot be written to: " + e.Err.Error()
}

// Unwrap returns the operating system's error.
func (e *UnwritableError) Unwrap() error { return e.Err }

// The suffixes of the members besides the data, which has none.
const (
	ManifestSuffix = ".manifest.json"
	ChecksumSuffix = ".sha256"
)

// PlaceSuffix is the member of a stream that says what is in its batches, and where the log goes on.
const PlaceSuffix = ".place.json"

var batchSuffix = regexp.MustCompile(`^-[0-9]{10}\.ndjson$`)

// BatchSuffix is the member of a stream that holds its batch of that number, from 1.
func BatchSuffix(number int64) string { return fmt.Sprintf("-%010d.ndjson", number) }

// isSuffix says whether a set has a member of that suffix.
func isSuffix(suffix string) bool {
	return suffix == "" || suffix == ManifestSuffix || suffix == ChecksumSuffix || suffix == PlaceSuffix ||
		batchSuffix.MatchString(suffix)
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// target is a path split for work: members, temporary files and the journal are
// names in one directory.
type target struct {
	dir  string
	base string
}

func newTarget(path string) (target, error) {
	if IsDirectoryPath(path) {
		return target{}, pathError("replace", path, ErrDirectory)
	}

	dir, base := filepath.Split(filepath.Clean(path))

	return target{dir: filepath.Clean(dir), base: base}, nil
}

func (t target) join(name string) string  { return filepath.Join(t.dir, name) }
func (t target) member(suf string) string { return t.join(t.base + suf) }
func (t target) journal() string          { return t.join(journalName(t.base)) }
func (t target) newTemp() string          { return t.join(newTempName(t.base)) }
func (t target) isTemp(name string) bool  { return isTempName(t.base, name) }

// claims holds the paths that this process is working on. It is global since two
// parts of one process meet at the file system, not at a shared value.
var claims sync.Map

// claim reserves the path until the returned function is called.
func (t target) claim() (release func(), err error) {
	key := Key(t.member(""))
	if _, taken := claims.LoadOrStore(key, struct{}{}); taken {
		return nil, pathError("replace", t.member(""), ErrBusy)
	}

	return sync.OnceFunc(func() { claims.Delete(key) }), nil
}
