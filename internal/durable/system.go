// SPDX-License-Identifier: MPL-2.0

//nolint:wrapcheck // The operating system names the operation and the file in its errors.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// System is what this package asks of a file system, one method for each step
// that can fail or be the last before a crash.
//
//nolint:interfacebloat // Each verb is a step of its own.
type System interface {
	// Create makes a file that must not exist, with exactly this permission.
	Create(path string, permission fs.FileMode) (Handle, error)
	// Open opens a regular file for reading, or returns ErrNotRegular. It follows no
	// link in the path's last element and does not wait for anybody else.
	Open(path string) (Handle, error)
	// Lstat describes what is at the path, Stat what a link there points to.
	Lstat(path string) (fs.FileInfo, error)
	Stat(path string) (fs.FileInfo, error)
	// List returns the names in a directory.
	List(directory string) ([]string, error)
	// Mkdir makes one directory with exactly this permission.
	Mkdir(path string, permission fs.FileMode) error
	// Link gives a file a second name, where the file system can.
	Link(oldPath, newPath string) error
	// Rename moves a file, replacing what has the new name in one step.
	Rename(oldPath, newPath string) error
	// RenameNew moves a file unless the new name is taken, also in one step, or returns
	// errors.ErrUnsupported.
	RenameNew(oldPath, newPath string) error
	Remove(path string) error
	// OpenDirectory opens a directory before a name in it is made, changed or removed,
	// so that this very directory can make the change durable, whatever has its path by
	// then.
	OpenDirectory(path string) (Directory, error)
}

// Directory is an open directory.
type Directory interface {
	io.Closer
	// Sync makes the names in the directory durable.
	Sync() error
}

// Handle is an open file.
type Handle interface {
	io.Reader
	io.Writer
	io.Closer
	Stat() (fs.FileInfo, error)
	// Origin says whose file it is.
	Origin() (Origin, error)
	// Sync makes the file's bytes durable.
	Sync() error
}

// Origin is what tells a file of this user from one that somebody else planted.
type Origin struct {
	// Ours says that this user owns the file; else Owner names who does.
	Ours  bool
	Owner string
	// Shared says that others may write to the file. Windows does not tell.
	Shared bool
	// Linked says that the file has a second name, a hard link.
	Linked bool
	// Busy says that a process is alive that made the file and has it open. Windows,
	// and file systems without locks, do not tell.
	Busy bool
}

// OS returns the operating system's file system.
func OS() System { return osSystem{} }

type osSystem struct{}

type osHandle struct{ *os.File }

// Close also ends what markBusy began.
func (h osHandle) Close() error {
	unmark(h.File)

	return h.File.Close()
}

// Sync tolerates file systems that cannot sync: they keep a file as well as they
// can, and refusing to write there would help nobody.
func (h osHandle) Sync() error {
	if err := h.File.Sync(); err != nil && !syncUnsupported(err) {
		return err
	}

	return nil
}

func (osSystem) Create(path string, permission fs.FileMode) (Handle, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, defaultFilePermission)
	if err != nil {
		return nil, err
	}

	if err := setFilePermission(f, permission.Perm()); err != nil {
		_ = f.Close()
		_ = os.Remove(path)

		return nil, err
	}

	markBusy(f)

	return osHandle{f}, nil
}

func (osSystem) Open(path string) (Handle, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}

	return osHandle{f}, nil
}

// openRegular looks first, since opening a device can have effects and opening a
// pipe can block. What was opened counts, whatever took the name in between.
func openRegular(path string) (*os.File, error) {
	there, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}

	if !there.Mode().IsRegular() {
		return nil, pathError("open", path, ErrNotRegular)
	}

	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, err
	}

	opened, err := f.Stat()

	switch {
	case err != nil:
	case !opened.Mode().IsRegular():
		err = pathError("open", path, ErrNotRegular)
	case noFollow == 0 && !os.SameFile(there, opened):
		err = pathError("open", path, errReplaced)
	}

	if err != nil {
		return nil, errors.Join(err, f.Close())
	}

	return f, nil
}

// openDirectory does not wait where a pipe has taken the directory's name.
func openDirectory(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|onlyDirectory, 0)
}

// Origin says whose file it is.
func (h osHandle) Origin() (Origin, error) { return originOf(h.File) }

func (osSystem) Lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }

func (osSystem) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

func (osSystem) List(directory string) ([]string, error) {
	d, err := openDirectory(directory)
	if err != nil {
		return nil, err
	}

	names, err := d.Readdirnames(-1)

	return names, errors.Join(err, d.Close())
}

func (osSystem) Mkdir(path string, permission fs.FileMode) error {
	if err := os.Mkdir(path, defaultDirectoryPermission); err != nil {
		return err
	}

	d, err := os.OpenFile(path, os.O_RDONLY|onlyDirectory|noFollow, 0)
	if err != nil {
		return err
	}

	return errors.Join(setFilePermission(d, permission.Perm()), d.Close())
}

func (osSystem) Link(oldPath, newPath string) error { return os.Link(oldPath, newPath) }

func (osSystem) Rename(oldPath, newPath string) error { return os.Rename(oldPath, newPath) }

func (osSystem) RenameNew(oldPath, newPath string) error {
	if err := renameNew(oldPath, newPath); err != nil {
		return &os.LinkError{Op: "rename", Old: oldPath, New: newPath, Err: err}
	}

	return nil
}

func (osSystem) Remove(path string) error { return os.Remove(path) }

func (osSystem) OpenDirectory(path string) (Directory, error) { return openNames(path) }
