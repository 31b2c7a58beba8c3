// SPDX-License-Identifier: MPL-2.0

//go:build !windows

//nolint:wrapcheck // The operating system names the operation and the file in its errors.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

const (
	noFollow      = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	onlyDirectory = syscall.O_DIRECTORY
)

// othersWrite are the bits that let anybody but the owner write. An access list
// shows in them as well.
const othersWrite fs.FileMode = 0o022

func originOf(f *os.File) (Origin, error) {
	info, err := f.Stat()
	if err != nil {
		return Origin{}, err
	}

	o, err := originOfInfo(info)
	// Shared, so that two who look do not take each other for the writer.
	o.Busy = errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)

	return o, err
}

// markBusy takes a lock that ends with the process at the latest.
func markBusy(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// unmark does not leave it to Close: a process that is just being started holds
// copies of everything that is open.
func unmark(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// originOfInfo is for what cannot be opened, too.
func originOfInfo(info fs.FileInfo) (Origin, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Origin{}, pathError("stat", info.Name(), errors.ErrUnsupported)
	}

	o := Origin{
		Ours:   int(stat.Uid) == os.Geteuid(),
		Shared: info.Mode()&othersWrite != 0,
		Linked: stat.Nlink > 1,
	}

	if !o.Ours {
		o.Owner = userName(int(stat.Uid))
	}

	return o, nil
}

func userName(id int) string {
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return fmt.Sprintf("user %q (uid %d)", u.Username, id)
	}

	return fmt.Sprintf("the user with uid %d", id)
}

func setFilePermission(f *os.File, permission fs.FileMode) error { return f.Chmod(permission) }

// syncUnsupported recognises what file systems without sync answer; ENOTTY is
// macOS on a network share.
func syncUnsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOTTY)
}

func openNames(path string) (Directory, error) {
	d, err := openDirectory(path)
	if err != nil {
		return nil, err
	}

	return osHandle{d}, nil
}

// isNotDirectory recognises a path that leads through a file.
func isNotDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// linkUnsupported recognises a file system without hard links, or a file that can
// have no more of them.
func linkUnsupported(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) ||
		errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EMLINK)
}

// lockDirectory takes a lock on a directory that ends with this process at the
// latest, shared with others or exclusive, and says whether it got it. It does not
// wait: somebody else may hold one for ever, and some file systems have none.
func lockDirectory(path string, exclusive bool) (unlock func(), locked bool) {
	d, err := openDirectory(path)
	if err != nil {
		return func() {}, false
	}

	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}

	err = syscall.Flock(int(d.Fd()), how|syscall.LOCK_NB)

	return func() {
		unmark(d)

		_ = d.Close()
	}, err == nil
}

// openLock does not wait where a pipe has taken the lock's name.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, defaultFilePermission)
}

// lockFile takes a lock that ends with the process at the latest.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)

	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return pathError("lock", f.Name(), ErrLocked)
	case err != nil:
		return pathError("lock", f.Name(), err)
	default:
		return nil
	}
}
