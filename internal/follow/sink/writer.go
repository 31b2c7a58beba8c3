// SPDX-License-Identifier: MPL-2.0

package sink

import (
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
	// sync makes what was written to a file durable, nil for pipes and terminals.
	sync func() error
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
			w.sync = f.Sync
		}
	}

	return w, nil
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
		_, err := w.to.Write(text)
		if err == nil && w.sync != nil {
			err = w.sync()
		}

		done <- err
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
