// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"context"
	"errors"
	"io/fs"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// Kept is a sink whose place is kept in a file beside it. What was taken after the place was written is handed over
// again when the process ends in between.
type Kept struct {
	Sink

	path    string
	options durable.Options
	lock    *durable.Lock
	// state is what was saved last where there is no file.
	state []byte
}

// Keep takes the state file for this process alone. Where the path is "", the place is kept as long as the process
// lives. The error is durable.ErrLocked where another process has the file.
func Keep(s Sink, path string, o durable.Options) (*Kept, error) {
	k := &Kept{Sink: s, path: path, options: o}
	if path == "" {
		return k, nil
	}

	if err := durable.CheckWritable(path); err != nil {
		return nil, k.fail(err)
	}

	var err error
	if k.lock, err = durable.Acquire(path, o); err != nil {
		return nil, k.fail(err)
	}

	return k, nil
}

// Load returns the state that was saved last, nil where none was.
func (k *Kept) Load(context.Context) ([]byte, error) {
	if k.path == "" {
		return k.state, nil
	}

	err := durable.Recover(k.path)
	if err != nil {
		return nil, k.fail(err)
	}

	state, err := durable.Read(k.path, maxPlace)

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, k.fail(err)
	case state == nil:
		return []byte{}, nil // An empty file is a state that cannot be read, and not none.
	default:
		return state, nil
	}
}

// Save makes the state durable. After an error, Load says whether it was done.
func (k *Kept) Save(_ context.Context, state []byte) error {
	if k.path == "" {
		k.state = state

		return nil
	}

	if err := durable.Replace(k.path, state, k.options); err != nil {
		return k.fail(err)
	}

	return nil
}

// Undo does nothing and says so: what was taken has left the process.
func (k *Kept) Undo() bool { return false }

// Close implements Sink.
func (k *Kept) Close() error {
	err := k.Sink.Close()
	if k.lock != nil {
		err = errors.Join(err, k.lock.Release())
	}

	return err
}

func (k *Kept) fail(err error) error {
	return &Error{Place: k.path, State: true, Temporary: isTemporaryHere(err), Err: err}
}
