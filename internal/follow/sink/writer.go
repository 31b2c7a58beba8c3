// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Writer writes a line for each entry.
type Writer struct {
	to    io.Writer
	lines *lines
	// file is what is written to where that is a regular file, nil for pipes and terminals.
	file *os.File
	// busy is a write that was given up.
	busy chan error
}

// NewWriter returns a sink that writes to standard output or the like. What is written to a regular file is made
// durable.
func NewWriter(to io.Writer, e Encoding) (*Writer, error) {
	l, err := newLines(e)
	if err != nil {
		return nil, err
	}

	w := &Writer{to: to, lines: l}

	if f, ok := to.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			w.file = f
		}
	}

	if err := w.endLine(); err != nil {
		return nil, err
	}

	return w, nil
}

// endLine ends a line that a process before this one has begun in the file, and was killed. What comes next would be
// glued to it, and lost to whoever reads lines.
func (w *Writer) endLine() error {
	if w.file == nil {
		return nil
	}

	end, err := w.file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return nil // A file that has no end has no line there.
	}

	// What is written to is mostly not open for reading.
	f, err := os.Open(w.file.Name())
	if err != nil {
		return nil // What is there cannot be seen, and need not be wrong.
	}
	defer func() { _ = f.Close() }() // It was read only.

	last := make([]byte, 1)
	if _, err = f.ReadAt(last, end-1); err != nil || last[0] == '\n' {
		return nil // As before.
	}

	if _, err = w.file.WriteString("\n"); err != nil {
		return w.fail(err)
	}

	return nil
}

// write writes lines. Of those that a full disk keeps from being written, none is left in part: the next one would be
// glued to it.
func (w *Writer) write(text []byte) error {
	n, err := w.to.Write(text)

	switch {
	case w.file == nil:
		return err //nolint:wrapcheck // Its kind decides.
	case err == nil:
		return w.file.Sync() //nolint:wrapcheck // As before.
	}

	part := int64(n - (bytes.LastIndexByte(text[:n], '\n') + 1))
	if part == 0 {
		return err //nolint:wrapcheck // As before.
	}

	// Where others write to the file as well, it is theirs that would be cut off.
	at, seekErr := w.file.Seek(0, io.SeekCurrent)
	info, statErr := w.file.Stat()

	if seekErr == nil && statErr == nil && info.Size() == at && w.file.Truncate(at-part) == nil {
		_, _ = w.file.Seek(at-part, io.SeekStart) // The error that is told is the write's.
	}

	return err //nolint:wrapcheck // As before.
}

// Take implements Sink. It writes all entries at once. Where the other side of a pipe does not read, it waits until the
// context ends; after that the writer takes nothing more, since a part of a line may have been written.
func (w *Writer) Take(ctx context.Context, entries []auditlog.Entry) error {
	if w.busy != nil {
		return w.fail(errors.New("a write before this one has not ended"))
	}

	var text []byte

	for i := range entries {
		line, err := w.lines.of(&entries[i])
		if err != nil {
			return w.fail(err)
		}

		text = append(text, line...)
	}

	done := make(chan error, 1)

	go func() {
		done <- w.write(text)
	}()

	select {
	case err := <-done:
		switch {
		case err == nil:
			return nil
		case isClosed(err):
			return ErrClosed
		default:
			return w.fail(err)
		}
	case <-ctx.Done():
		w.busy = done

		return w.fail(context.Cause(ctx))
	}
}

// fail is permanent: of a line that was begun, a part may have been written.
func (w *Writer) fail(err error) error { return &Error{Place: string(Stdout), Err: err} }

// isClosed recognises a pipe that nobody reads any more.
func isClosed(err error) bool {
	const (
		brokenPipe = syscall.Errno(109) // ERROR_BROKEN_PIPE
		noData     = syscall.Errno(232) // ERROR_NO_DATA: the pipe is being closed
	)

	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		runtime.GOOS == "windows" && (errors.Is(err, brokenPipe) || errors.Is(err, noData))
}

// Close implements Sink.
func (w *Writer) Close() error { return nil }
