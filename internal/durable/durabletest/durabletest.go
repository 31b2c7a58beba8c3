// SPDX-License-Identifier: MPL-2.0

// Package durabletest breaks the file system on purpose. Its System fails, or
// kills the process, at a chosen step, so that a test can go through every step
// of a piece of work and look at what is left after each.
//
//nolint:wrapcheck // A system passes on what the one below it says.
package durabletest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Fault decides what happens at a step: nil lets it pass. It is asked before the
// step and, when done is true, again after it; an error then means that the step
// was done and is reported as failed.
type Fault func(n int, s Step, done bool) error

// Step is one call of the file system.
type Step struct {
	// Op is the name of the method, such as "rename" or "sync".
	Op string
	// Name is the base name of the file.
	Name string
}

// Reading says whether the step leaves the disk as it is.
func (s Step) Reading() bool {
	switch s.Op {
	case "open", "open directory", "lstat", "stat", "list", "read", "release":
		return true
	default:
		return false
	}
}

func (s Step) String() string { return s.Op + " " + s.Name }

// System is the operating system's file system with a fault in it.
type System struct {
	os    durable.System
	fault Fault

	mu    sync.Mutex
	steps []Step
}

// New returns a system that asks fault, when not nil, about every step.
func New(fault Fault) *System { return &System{os: durable.OS(), fault: fault} }

// Steps returns the steps gone through so far; the first has number 0.
func (s *System) Steps() []Step {
	s.mu.Lock()
	defer s.mu.Unlock()

	return append([]Step(nil), s.steps...)
}

// FailAt makes step n fail with err. A write stores half of its bytes before.
func FailAt(n int, err error) Fault {
	return func(i int, _ Step, done bool) error {
		if i == n && !done {
			return err
		}

		return nil
	}
}

// FailAfter does step n and reports it as failed with err.
func FailAfter(n int, err error) Fault {
	return func(i int, _ Step, done bool) error {
		if i == n && done {
			return err
		}

		return nil
	}
}

// KillAt ends the process, as a power switch would, before step n or after it.
func KillAt(n int, after bool) Fault {
	return func(i int, _ Step, done bool) error {
		if i == n && done == after {
			kill()
		}

		return nil
	}
}

func kill() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}

	if err != nil {
		panic(err)
	}

	select {} // The signal may take a moment; nothing must happen in it.
}

// AnyTemp is how Step.Name and Normalize spell the random part of a name.
const AnyTemp = "*"

// randomLength is the length of that part.
const randomLength = 16

// Normalize replaces the random part of a temporary file's name.
func Normalize(name string) string {
	for _, mark := range []string{".audit-tmp-", ".audit-part-"} {
		if i := strings.LastIndex(name, mark); i >= 0 && len(name)-i == len(mark)+randomLength {
			return name[:len(name)-randomLength] + AnyTemp
		}
	}

	return name
}

func (s *System) step(op, path string, do func() error) error {
	step := Step{Op: op, Name: Normalize(filepath.Base(path))}

	s.mu.Lock()
	n := len(s.steps)
	s.steps = append(s.steps, step)
	s.mu.Unlock()

	if s.fault == nil {
		return do()
	}

	if err := s.fault(n, step, false); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}

	err := do()

	if err := s.fault(n, step, true); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}

	return err
}

type handle struct {
	durable.Handle

	s    *System
	path string
	end  string // the name of the step that closes it
}

func (s *System) opened(op, end, path string, open func() (durable.Handle, error)) (durable.Handle, error) {
	var h durable.Handle

	err := s.step(op, path, func() (err error) {
		h, err = open()

		return err
	})
	if err != nil {
		if h != nil {
			_ = h.Close()
		}

		return nil, err
	}

	return &handle{Handle: h, s: s, path: path, end: end}, nil
}

// Create makes a file; each call on its handle is a step of its own.
func (s *System) Create(path string, permission fs.FileMode) (durable.Handle, error) {
	return s.opened("create", "close", path, func() (durable.Handle, error) { return s.os.Create(path, permission) })
}

// Open opens a file; each call on its handle is a step of its own.
func (s *System) Open(path string) (durable.Handle, error) {
	return s.opened("open", "release", path, func() (durable.Handle, error) { return s.os.Open(path) })
}

// Lstat describes what is at the path.
func (s *System) Lstat(path string) (info fs.FileInfo, err error) {
	err = s.step("lstat", path, func() (err error) {
		info, err = s.os.Lstat(path)

		return err
	})

	return info, err
}

// Stat describes what a link at the path points to.
func (s *System) Stat(path string) (info fs.FileInfo, err error) {
	err = s.step("stat", path, func() (err error) {
		info, err = s.os.Stat(path)

		return err
	})

	return info, err
}

// List returns the names in a directory.
func (s *System) List(directory string) (names []string, err error) {
	err = s.step("list", directory, func() (err error) {
		names, err = s.os.List(directory)

		return err
	})

	return names, err
}

// Mkdir makes a directory.
func (s *System) Mkdir(path string, permission fs.FileMode) error {
	return s.step("mkdir", path, func() error { return s.os.Mkdir(path, permission) })
}

// Link is recorded under the old path.
func (s *System) Link(oldPath, newPath string) error {
	return s.step("link", oldPath, func() error { return s.os.Link(oldPath, newPath) })
}

// Rename is recorded under the new path.
func (s *System) Rename(oldPath, newPath string) error {
	return s.step("rename", newPath, func() error { return s.os.Rename(oldPath, newPath) })
}

// RenameNew is recorded under the new path.
func (s *System) RenameNew(oldPath, newPath string) error {
	return s.step("rename new", newPath, func() error { return s.os.RenameNew(oldPath, newPath) })
}

// Remove removes a file.
func (s *System) Remove(path string) error {
	return s.step("remove", path, func() error { return s.os.Remove(path) })
}

// OpenDirectory opens a directory, of which to sync it is a step of its own.
func (s *System) OpenDirectory(path string) (d durable.Directory, err error) {
	err = s.step("open directory", path, func() (err error) {
		d, err = s.os.OpenDirectory(path)

		return err
	})
	if err != nil {
		if d != nil {
			_ = d.Close()
		}

		return nil, err
	}

	return &directory{d, s, path}, nil
}

type directory struct {
	durable.Directory

	s    *System
	path string
}

func (d *directory) Sync() error { return d.s.step("sync directory", d.path, d.Directory.Sync) }

func (h *handle) Read(p []byte) (n int, err error) {
	err = h.s.step("read", h.path, func() (err error) {
		n, err = h.Handle.Read(p)

		return err
	})

	return n, err
}

func (h *handle) Write(p []byte) (n int, err error) {
	asked := false
	err = h.s.step("write", h.path, func() (err error) {
		asked = true
		n, err = h.Handle.Write(p)

		return err
	})

	if !asked {
		// A disk that fills up takes what still fits.
		n, _ = h.Handle.Write(p[:len(p)/2])
	}

	return n, err
}

func (h *handle) Stat() (info fs.FileInfo, err error) {
	err = h.s.step("stat", h.path, func() (err error) {
		info, err = h.Handle.Stat()

		return err
	})

	return info, err
}

func (h *handle) Sync() error { return h.s.step("sync", h.path, h.Handle.Sync) }

// Close always closes, so that a fault leaves no open file behind.
func (h *handle) Close() error {
	closed := false
	err := h.s.step(h.end, h.path, func() error {
		closed = true

		return h.Handle.Close()
	})

	if !closed {
		_ = h.Handle.Close()
	}

	return err
}
