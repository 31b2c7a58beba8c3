// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// Windows has no such flags: openRegular compares what it opened with what it saw.
const (
	noFollow      = 0
	onlyDirectory = 0
)

func originOf(f *os.File) (Origin, error) {
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &info); err != nil {
		return Origin{}, pathError("stat", f.Name(), err)
	}

	security, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return Origin{}, pathError("stat", f.Name(), err)
	}

	owner, _, err := security.Owner()
	if err != nil {
		return Origin{}, pathError("stat", f.Name(), err)
	}

	ours, err := isUs(owner)
	if err != nil {
		return Origin{}, pathError("stat", f.Name(), err)
	}

	return Origin{Ours: ours, Owner: userName(owner), Linked: info.NumberOfLinks > 1}, nil
}

// markBusy does nothing: Windows does not remove a file that somebody has open.
func markBusy(*os.File) {}

func unmark(*os.File) {}

// originOfInfo says nothing: only an open file tells its owner.
func originOfInfo(fs.FileInfo) (Origin, error) { return Origin{Ours: true}, nil }

// isUs recognises this user. What an administrator makes can belong to the group of
// all administrators.
func isUs(owner *windows.SID) (bool, error) {
	token := windows.GetCurrentProcessToken()

	user, err := token.GetTokenUser()
	if err != nil {
		return false, err
	}

	if owner.Equals(user.User.Sid) {
		return true, nil
	}

	return owner.IsWellKnown(windows.WinBuiltinAdministratorsSid) && token.IsElevated(), nil
}

func userName(owner *windows.SID) string {
	if name, domain, _, err := owner.LookupAccount(""); err == nil {
		return "user \"" + domain + `\` + name + "\""
	}

	return "the user " + owner.String()
}

// setFilePermission does nothing: the only bit that Windows knows is read-only,
// and a read-only file could not be replaced by the next export.
func setFilePermission(*os.File, fs.FileMode) error { return nil }

func syncUnsupported(error) bool { return false }

// noDirectory does nothing: Windows gives no handle on a directory that could be
// synced; NTFS keeps names in its own journal.
type noDirectory struct{}

func openNames(string) (Directory, error) { return noDirectory{}, nil }

func (noDirectory) Sync() error  { return nil }
func (noDirectory) Close() error { return nil }

// isNotDirectory recognises a path that leads through a file, which Windows
// reports like any path that does not exist.
func isNotDirectory(error) bool { return false }

// linkUnsupported recognises a file system without hard links: FAT answers
// ERROR_INVALID_FUNCTION (1), network shares ERROR_NOT_SUPPORTED (50).
func linkUnsupported(err error) bool {
	return errors.Is(err, syscall.Errno(1)) || errors.Is(err, syscall.Errno(50))
}

// renameNew moves a file, which Windows does not do over another one unless it is told to.
func renameNew(oldPath, newPath string) error {
	from, err := windows.UTF16PtrFromString(oldPath)
	if err != nil {
		return err
	}

	to, err := windows.UTF16PtrFromString(newPath)
	if err != nil {
		return err
	}

	return windows.MoveFileEx(from, to, windows.MOVEFILE_WRITE_THROUGH)
}

// lockDirectory locks nothing: Windows knows no locks on directories. It does not
// remove a file either that somebody has open.
func lockDirectory(string, bool) (unlock func(), locked bool) { return func() {}, false }

// openLock opens a file that nobody else can open until it is closed.
func openLock(path string) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, pathError("lock", path, err)
	}

	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)

	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return nil, pathError("lock", path, ErrLocked)
	case err != nil:
		return nil, pathError("lock", path, err)
	default:
		return os.NewFile(uintptr(h), path), nil
	}
}

// lockFile does nothing: openLock has.
func lockFile(*os.File) error { return nil }
