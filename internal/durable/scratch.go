// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"fmt"
	"os"
)

// Scratch is a file for what is wanted again within the same run and must not outlast
// it. Only its owner may read it. It has no name where the system lets an open file have
// none, so that nothing is left when the process is killed.
type Scratch struct{ f *os.File }

// NewScratch makes an empty file in the system's directory for temporary files.
func NewScratch() (*Scratch, error) {
	f, err := os.CreateTemp("", "auditlog-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("create a temporary file: %w", err)
	}

	_ = os.Remove(f.Name()) // Where this fails, Close does it.

	return &Scratch{f}, nil
}

// Write appends to the file.
func (s *Scratch) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	if err != nil {
		err = fmt.Errorf("write a temporary file: %w", err)
	}

	return n, err
}

// ReadAt implements io.ReaderAt.
func (s *Scratch) ReadAt(p []byte, off int64) (int, error) {
	return s.f.ReadAt(p, off) //nolint:wrapcheck // A reader's own error, io.EOF among them.
}

// Size is how many bytes it holds.
func (s *Scratch) Size() (int64, error) {
	status, err := s.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at a temporary file: %w", err)
	}

	return status.Size(), nil
}

// Close gives the file up.
func (s *Scratch) Close() {
	_ = s.f.Close()
	_ = os.Remove(s.f.Name())
}
