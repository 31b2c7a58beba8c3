// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

const (
	// filesBase is what the names of all files begin with.
	filesBase = "auditlog"
	// rotateBytes is the size after which a file is followed by the next.
	rotateBytes = 64 << 20
	// bufferSize is how many bytes of lines are written at once.
	bufferSize = 64 << 10
	// maxPlace bounds what is read of a place, in bytes.
	maxPlace = 256 << 20
)

// Directory writes files of NDJSON into a directory, and with them the place that the log goes on from, so that each
// entry is in exactly one line of one file, whatever happens in between:
//
//	auditlog-0000000001.ndjson
//	auditlog-0000000002.ndjson
//	auditlog.place.json
//
// A file appears whole, never changes, and may be taken away by whoever reads it. The number of the next one stands in
// the place.
type Directory struct {
	base    string
	options durable.Options
	lines   *lines
	lock    *durable.Lock
	rotate  int64

	// next is the number of the file that is written next; committed is it without what has not been saved.
	next, committed int64
	// replacement holds what was taken since the last Save, nil where nothing was.
	replacement *durable.Replacement
	file        *durable.File
	// text are lines that have yet to be written to the file. None are left by a call that succeeds.
	text []byte
}

// filesPlace is the file that says where the log goes on.
type filesPlace struct {
	Version  int             `json:"place_version"`
	NextFile int64           `json:"next_file"`
	State    json.RawMessage `json:"state"`
}

const filesVersion = 1

// OpenDirectory takes the directory for this process alone, and finishes what a process left that was stopped in
// between. The error is durable.ErrLocked where another process has it.
func OpenDirectory(directory string, e Encoding, o durable.Options) (*Directory, error) {
	l, err := newLines(e)
	if err != nil {
		return nil, err
	}

	d := &Directory{
		base: filepath.Join(directory, filesBase), options: o, lines: l, rotate: rotateBytes, next: 1, committed: 1,
	}

	if d.lock, err = durable.Acquire(d.base, o); err != nil {
		return nil, d.fail(err)
	}

	return d, nil
}

// RotateAfter lets a file be followed by the next after another size than 64 MiB, in bytes.
func (d *Directory) RotateAfter(bytes int64) *Directory {
	d.rotate = bytes

	return d
}

// Load returns the state that was saved last, nil where none was.
func (d *Directory) Load(context.Context) ([]byte, error) {
	d.Undo()

	p, err := d.load()
	if err != nil {
		return nil, d.fail(err)
	}

	if p == nil {
		return nil, nil
	}

	d.next, d.committed = p.NextFile, p.NextFile

	return p.State, nil
}

func (d *Directory) load() (*filesPlace, error) {
	if err := durable.Recover(d.base); err != nil {
		return nil, err
	}

	text, err := durable.Read(d.base+durable.PlaceSuffix, maxPlace)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // No place is an answer like any other.
	}

	if err != nil {
		return nil, err
	}

	var p filesPlace
	if err := exactjson.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.base+durable.PlaceSuffix, err)
	}

	if p.Version != filesVersion || p.NextFile < 1 {
		return nil, fmt.Errorf("%s is of version %d, which is not known", d.base+durable.PlaceSuffix, p.Version)
	}

	if len(p.State) == 0 {
		return nil, fmt.Errorf("%s holds no state", d.base+durable.PlaceSuffix)
	}

	return &p, nil
}

// Take implements Sink. What it takes shows and counts only once Save has been called.
func (d *Directory) Take(ctx context.Context, entries []auditlog.Entry) error {
	d.text = d.text[:0] // What a call left that failed comes again.

	for i := range entries {
		if err := ctx.Err(); err != nil {
			return d.fail(context.Cause(ctx))
		}

		line, err := d.lines.of(&entries[i])
		if err == nil {
			err = d.add(line)
		}

		if err != nil {
			return d.fail(err)
		}
	}

	if err := d.write(); err != nil {
		return d.fail(err)
	}

	return nil
}

// add adds a line to the file, and ends that where it has become large enough.
func (d *Directory) add(line []byte) error {
	if d.file == nil {
		if err := d.create(); err != nil {
			return err
		}
	}

	d.text = append(d.text, line...)
	full := d.file.Size()+int64(len(d.text)) >= d.rotate

	if !full && len(d.text) < bufferSize {
		return nil
	}

	if err := d.write(); err != nil || !full {
		return err
	}

	if err := d.file.Close(); err != nil {
		return err
	}

	d.file = nil

	return nil
}

// create begins the next file.
func (d *Directory) create() error {
	if err := d.begin(); err != nil {
		return err
	}

	suffix := durable.BatchSuffix(d.next)

	// A file that is there was not written by what the place says.
	status, err := durable.Stat(d.base + suffix)
	if err != nil {
		return err
	}

	if status.Exists {
		return fmt.Errorf("%s is there already, although the place says that it has yet to be written", d.base+suffix)
	}

	if d.file, err = d.replacement.Create(suffix); err != nil {
		return err
	}

	d.next++

	return nil
}

// write writes the lines that have yet to be.
func (d *Directory) write() error {
	if len(d.text) == 0 {
		return nil
	}

	_, err := d.file.Write(d.text)
	d.text = d.text[:0]

	return err
}

func (d *Directory) begin() (err error) {
	if d.replacement == nil {
		d.replacement, err = durable.Begin(d.base, d.options)
	}

	return err
}

// Save makes what was taken durable, together with the state. After an error, Load says whether it was done.
func (d *Directory) Save(_ context.Context, state []byte) error {
	err := d.save(state)
	if err != nil {
		return d.fail(err)
	}

	return nil
}

func (d *Directory) save(state []byte) error {
	if err := d.begin(); err != nil {
		return err
	}

	if d.file != nil {
		if err := d.file.Close(); err != nil {
			return err
		}
	}

	text, err := exactjson.Marshal(filesPlace{filesVersion, d.next, state}, " ")
	if err != nil {
		return fmt.Errorf("encode the place: %w", err)
	}

	f, err := d.replacement.Create(durable.PlaceSuffix)
	if err != nil {
		return err
	}

	_, _ = f.Write(text) // Close returns the error.

	if err := f.Close(); err != nil {
		return err
	}

	if err := d.replacement.Commit(); err != nil {
		return err
	}

	d.replacement, d.file, d.committed = nil, nil, d.next

	return nil
}

// Undo drops what was taken since the last Save, and says that it has.
func (d *Directory) Undo() bool {
	if d.replacement != nil {
		d.replacement.Abort()
	}

	d.replacement, d.file, d.next = nil, nil, d.committed

	return true
}

// Close implements Sink. What was not saved is dropped.
func (d *Directory) Close() error {
	d.Undo()

	return d.lock.Release()
}

func (d *Directory) fail(err error) error {
	return &Error{Place: filePrefix + strings.TrimSuffix(d.base, filesBase), Temporary: isTemporaryHere(err), Err: err}
}

// isTemporaryHere says that a directory may take what it refuses now: somebody makes room.
func isTemporaryHere(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO) ||
		errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
