// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

const spoolBuffer = 256 << 10

// Spool holds what is not to be seen yet, or is wanted again within the same run, in a temporary file without a name.
// Only its owner may read it. The system takes it away when the process ends, wherever it can; Close does in any case.
type Spool struct {
	file   *os.File
	buffer *bufio.Writer
}

// NewSpool makes a spool in the system's directory for temporary files.
func NewSpool() (*Spool, error) {
	f, err := os.CreateTemp("", "auditlog-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}

	_ = os.Remove(f.Name()) // Where this fails, Close does it.

	return &Spool{file: f, buffer: bufio.NewWriterSize(f, spoolBuffer)}, nil
}

// Write implements io.Writer.
func (s *Spool) Write(p []byte) (int, error) {
	n, err := s.buffer.Write(p)
	if err != nil {
		return n, fmt.Errorf("write the temporary file: %w", err)
	}

	return n, nil
}

// Reset forgets what was written.
func (s *Spool) Reset() error {
	s.buffer.Reset(s.file)

	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind the temporary file: %w", err)
	}

	if err := s.file.Truncate(0); err != nil {
		return fmt.Errorf("empty the temporary file: %w", err)
	}

	return nil
}

// Size is how many bytes were written, all of which ReadAt reads from then on.
func (s *Spool) Size() (int64, error) {
	if err := s.buffer.Flush(); err != nil {
		return 0, fmt.Errorf("write the temporary file: %w", err)
	}

	status, err := s.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at the temporary file: %w", err)
	}

	return status.Size(), nil
}

// ReadAt implements io.ReaderAt.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	return s.file.ReadAt(p, off) //nolint:wrapcheck // A reader's own error, io.EOF among them.
}

// CopyTo writes everything that was written to w.
func (s *Spool) CopyTo(w io.Writer) error {
	if err := s.buffer.Flush(); err != nil {
		return fmt.Errorf("write the temporary file: %w", err)
	}

	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind the temporary file: %w", err)
	}

	_, err := io.Copy(w, s.file)

	return err //nolint:wrapcheck // It is the writer's.
}

// Close takes the file away.
func (s *Spool) Close() error {
	err := s.file.Close()
	if removeErr := os.Remove(s.file.Name()); !errors.Is(removeErr, os.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}

	if err != nil {
		return fmt.Errorf("remove the temporary file: %w", err)
	}

	return nil
}
