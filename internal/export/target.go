// SPDX-License-Identifier: MPL-2.0

package export

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// ForeignFileError says that a file is in the way which this tool did not write,
// or which was changed after this tool wrote it.
type ForeignFileError struct{ Path string }

func (e *ForeignFileError) Error() string {
	return e.Path + " was not written by this tool, or was changed since"
}

// ErrLineBreak means that the file's name could not be told from the end of a
// line in the checksum file.
var ErrLineBreak = errors.New("the file's name holds a line break")

// State is what is on disk.
type State struct {
	// Exists says that there is a data file.
	Exists bool
	SHA256 string
	Bytes  int64
	// ManifestSHA256 is "" when there is no manifest.
	ManifestSHA256 string
	// ChecksumsMatch says that all three files are there and that the checksum
	// file is right about the other two.
	ChecksumsMatch bool
	// Interrupted says that a new export was decided on and is still to be put in
	// place; the next Write or Remove begins with that.
	Interrupted bool
}

// Inspect looks at an export and changes nothing.
func Inspect(path string) (State, error) {
	var (
		s   State
		err error
	)

	if s.Interrupted, err = durable.Interrupted(path); err != nil {
		return State{}, err
	}

	if s.SHA256, s.Bytes, s.Exists, err = hashIfThere(path); err != nil {
		return State{}, err
	}

	if s.ManifestSHA256, _, _, err = hashIfThere(path + ManifestSuffix); err != nil {
		return State{}, err
	}

	if !s.Exists || s.ManifestSHA256 == "" {
		return s, nil
	}

	want := checksums(filepath.Base(path), s.SHA256, s.ManifestSHA256)
	got, err := durable.Read(path+ChecksumSuffix, int64(len(want)))

	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, durable.ErrTooLarge):
		return s, nil
	case err != nil:
		return State{}, err
	}

	s.ChecksumsMatch = string(got) == want

	return s, nil
}

func hashIfThere(path string) (sum string, size int64, exists bool, err error) {
	sum, size, err = durable.Hash(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, false, nil
	}

	if err != nil {
		return "", 0, false, err
	}

	return sum, size, true, nil
}

// CheckTarget finds out whether an export could be written to the path, and
// leaves nothing behind. Besides the errors of durable.CheckWritable there is
// *ForeignFileError, unless overwrite allows that: a data file is ours when the
// manifest beside it, made by this tool, names its SHA-256, and a manifest or
// checksum file without data is ours when the manifest names the data.
func CheckTarget(path string, overwrite bool) error {
	if base := filepath.Base(path); strings.ContainsAny(base, "\r\n") {
		return &fs.PathError{Op: "export to", Path: path, Err: ErrLineBreak}
	}

	if err := durable.CheckWritable(path); err != nil {
		return err
	}

	for _, suffix := range []string{ManifestSuffix, ChecksumSuffix} {
		if err := checkRegular(path + suffix); err != nil {
			return err
		}
	}

	interrupted, err := durable.Interrupted(path)
	if err != nil {
		return err
	}

	// What is about to be put in place is ours, and so is what it replaces.
	if overwrite || interrupted {
		return nil
	}

	return checkOwner(path)
}

func checkRegular(path string) error {
	status, err := durable.Stat(path)
	if err == nil && status.Exists && !status.Regular() {
		err = &fs.PathError{Op: "replace", Path: path, Err: durable.ErrNotRegular}
	}

	return err
}

// checkOwner returns a *ForeignFileError for the first file that is not ours.
func checkOwner(path string) error {
	data, err := durable.Stat(path)
	if err != nil {
		return err
	}

	_, described, ours, err := readManifest(path+ManifestSuffix, filepath.Base(path))
	if err != nil {
		return err
	}

	if data.Exists {
		if !ours || data.Size != described.Bytes {
			return &ForeignFileError{Path: path}
		}

		sum, _, err := durable.Hash(path)
		if err != nil {
			return err
		}

		if sum != described.SHA256 {
			return &ForeignFileError{Path: path}
		}
	}

	if ours {
		return nil
	}

	for _, suffix := range []string{ManifestSuffix, ChecksumSuffix} {
		status, err := durable.Stat(path + suffix)
		if err != nil {
			return err
		}

		if status.Exists {
			return &ForeignFileError{Path: path + suffix}
		}
	}

	return nil
}

// SourceAt returns whose log the export at the path is of, as its manifest says.
// Nothing is known of a file that is not ours.
func SourceAt(path string) (KeptSource, error) {
	m, _, ours, err := readManifest(path+ManifestSuffix, filepath.Base(path))
	if err != nil || !ours {
		return KeptSource{}, err
	}

	return Kept(m.Source, m.Redaction), nil
}

// Remove removes an export's files, having settled what an interrupted run left.
// It refuses with a *ForeignFileError when they are not ours. The manifest goes
// last, so that after a crash the rest is still known to be ours.
func Remove(path string) error {
	if err := durable.Recover(path); err != nil {
		return err
	}

	if err := checkOwner(path); err != nil {
		return err
	}

	return durable.Remove(path, "", ChecksumSuffix, ManifestSuffix)
}
