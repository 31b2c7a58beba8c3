// SPDX-License-Identifier: MPL-2.0

package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// ForeignFileError says that a file is in the way which this tool did not write,
// or which was changed after this tool wrote it, or which is of another export.
type ForeignFileError struct {
	Path string
	// Differs lists the arguments by which the export that is there is another one
	// than the one that would be written; empty where there is no export.
	Differs []string
	// Meanwhile says that it is an export that was made since the run began.
	Meanwhile bool
}

func (e *ForeignFileError) Error() string {
	if e.Meanwhile {
		return e.Path + " was written since this run began"
	}

	if len(e.Differs) > 0 {
		return e.Path + " is of another export, which differs in " + strings.Join(e.Differs, ", ")
	}

	return e.Path + " was not written by this tool, or was changed since"
}

// ChangedError says that an export is not as it was written.
type ChangedError struct{ Changes []Change }

func (e *ChangedError) Error() string { return e.Changes[0].Path + " was changed since" }

// NotWrittenError says that an export is not the one that somebody remembers.
type NotWrittenError struct {
	// Path is that of the manifest.
	Path string
	// Expected and Found are SHA-256 in hexadecimal; Found is empty where there is no
	// manifest.
	Expected, Found string
}

func (e *NotWrittenError) Error() string { return e.Path + " is not the one that was written" }

// ErrLineBreak means that the file's name could not be told from the end of a
// line in the checksum file.
var ErrLineBreak = errors.New("the file's name holds a line break")

// State is what is on disk.
type State struct {
	// Exists says that there is a data file.
	Exists bool
	SHA256 string
	Bytes  int64
	// ManifestSHA256 and ChecksumSHA256 are "" when there is no such file.
	ManifestSHA256 string
	ChecksumSHA256 string
	// ChecksumsMatch says that all three files are there and that the checksum
	// file is right about the other two.
	ChecksumsMatch bool
	// Interrupted says that a new export was decided on and is still to be put in
	// place; the next Write or Remove begins with that.
	Interrupted bool
	// Permissions are those of the files that are there, by what their names end in.
	Permissions map[string]fs.FileMode
}

// Unreadable stands for the SHA-256 of a file that may not be read.
const Unreadable = "unreadable"

// Inspect looks at an export and changes nothing.
func Inspect(path string) (State, error) {
	var (
		s   State
		err error
	)

	path = filepath.Clean(path)

	if s.Interrupted, err = durable.Interrupted(path); err != nil {
		return State{}, err
	}

	if s.Permissions, err = permissions(path); err != nil {
		return State{}, err
	}

	if s.SHA256, s.Bytes, s.Exists, err = hashIfThere(path); err != nil {
		return State{}, err
	}

	if s.ManifestSHA256, _, _, err = hashIfThere(path + ManifestSuffix); err != nil {
		return State{}, err
	}

	if s.ChecksumSHA256, _, _, err = hashIfThere(path + ChecksumSuffix); err != nil {
		return State{}, err
	}

	if !s.Exists || s.ManifestSHA256 == "" {
		return s, nil
	}

	s.ChecksumsMatch = s.ChecksumSHA256 == checksumsSum(path, s.SHA256, s.ManifestSHA256)

	return s, nil
}

func permissions(path string) (map[string]fs.FileMode, error) {
	all := map[string]fs.FileMode{}

	for _, suffix := range []string{"", ManifestSuffix, ChecksumSuffix} {
		status, err := durable.Stat(path + suffix)
		if err != nil {
			return nil, err
		}

		if status.Exists {
			all[suffix] = status.Mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
		}
	}

	return all, nil
}

// checksumsSum is the SHA-256 of the checksum file of an export with these.
func checksumsSum(path, dataSum, manifestSum string) string {
	sum := sha256.Sum256([]byte(checksums(filepath.Base(path), dataSum, manifestSum)))

	return hex.EncodeToString(sum[:])
}

// Change is how a file is not as it was written.
type Change struct {
	Path string
	// Permission says that what follows are permissions, octal, and no SHA-256.
	Permission bool
	// Expected and Found are as they are shown; Found is "" where the file is missing.
	Expected, Found string
}

// Changes compares what is on disk with what was written.
func (s State) Changes(path, sum, manifestSum string, permission fs.FileMode) []Change {
	var changes []Change

	for _, f := range []struct{ suffix, expected, found string }{
		{"", sum, s.SHA256},
		{ManifestSuffix, manifestSum, s.ManifestSHA256},
		{ChecksumSuffix, checksumsSum(path, sum, manifestSum), s.ChecksumSHA256},
	} {
		if f.expected != f.found {
			changes = append(changes, Change{Path: path + f.suffix, Expected: f.expected, Found: f.found})
		}

		if mode, ok := s.Permissions[f.suffix]; ok && mode != permission && runtime.GOOS != "windows" {
			changes = append(changes,
				Change{Path: path + f.suffix, Permission: true, Expected: octal(permission), Found: octal(mode)})
		}
	}

	return changes
}

// octal is a permission as chmod takes it.
func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())

	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&flag != 0 {
			bits |= bit
		}
	}

	return fmt.Sprintf("%04o", bits)
}

func hashIfThere(path string) (sum string, size int64, exists bool, err error) {
	sum, size, err = durable.Hash(path)

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", 0, false, nil
	case errors.Is(err, fs.ErrPermission):
		status, statErr := durable.Stat(path)
		if statErr != nil {
			return "", 0, false, err
		}

		return Unreadable, status.Size, true, nil
	case err != nil:
		return "", 0, false, err
	default:
		return sum, size, true, nil
	}
}

// CheckTarget finds out whether an export could be written to its path, and
// leaves nothing behind. Besides the errors of durable.CheckWritable there is
// *ForeignFileError, unless the spec overwrites.
//
// A data file is ours when the manifest beside it, made by this tool, names its
// SHA-256, and a manifest or checksum file without data is ours when the manifest
// names the data. An export that is there has to be the same one, or the one that is
// remembered; whatever became of that one's files, they are ours.
func CheckTarget(s Spec) error {
	path := s.Path

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

	// What is about to be put in place is looked at once it is there.
	if interrupted {
		return nil
	}

	return s.checkOwner()
}

func checkRegular(path string) error {
	status, err := durable.Stat(path)
	if err == nil && status.Exists && !status.Regular() {
		err = &fs.PathError{Op: "replace", Path: path, Err: durable.ErrNotRegular}
	}

	return err
}

// checkOwner returns a *ForeignFileError for the first file that is not ours.
func (s *Spec) checkOwner() error {
	there, err := before(s.Path)
	if err != nil {
		return err
	}

	if there != nil && s.isNews(there) {
		return &ForeignFileError{Path: s.Path + ManifestSuffix, Meanwhile: true}
	}

	if err := s.checkUnchanged(); err != nil || s.Overwrite {
		return err
	}

	if there != nil && !s.remembers(there) {
		differs := s.shown(there.Asked).Different(there.Asked)
		if len(differs) == 0 && there.redaction != nil {
			differs = there.hidden()
		}

		if differs = append(differs, s.Redactor.Different(there.redaction)...); len(differs) > 0 {
			return &ForeignFileError{Path: s.Path + ManifestSuffix, Differs: differs}
		}
	}

	if s.Before != nil {
		return nil
	}

	return checkFiles(s.Path)
}

// checkUnchanged returns a *ChangedError where files that are there are not as they are
// remembered, and must be.
func (s *Spec) checkUnchanged() error {
	if !s.RefuseChanged || s.Before == nil {
		return nil
	}

	found, err := Inspect(s.Path)
	if err != nil || found.Interrupted {
		return err
	}

	changes := found.Changes(s.Path, s.Before.SHA256, s.Before.ManifestSHA256, 0)

	changes = slices.DeleteFunc(changes, func(c Change) bool { return c.Permission || c.Found == "" })
	if len(changes) > 0 {
		return &ChangedError{changes}
	}

	return nil
}

// isNews says whether the export that is there was made since the run began, by somebody
// else. Resources of several provider configurations have nothing else in common.
func (s *Spec) isNews(there *Before) bool {
	return !s.Begun.IsZero() && there.ExportedAt.After(s.Begun) &&
		(s.Before == nil || there.ManifestSHA256 != s.Before.ManifestSHA256)
}

// remembers says whether the export that is there is the remembered one, or the same
// made at another time.
func (s *Spec) remembers(there *Before) bool {
	return s.Before != nil &&
		(there.ManifestSHA256 == s.Before.ManifestSHA256 || len(s.Before.Different(there.Asked)) == 0)
}

// before returns the export at the path as its manifest describes it, nil where there
// is no manifest of ours.
func before(path string) (*Before, error) {
	m, file, ours, err := readManifest(path)
	if err != nil || !ours {
		return nil, err
	}

	sum, _, err := durable.Hash(path + ManifestSuffix)
	if err != nil {
		return nil, err
	}

	return &Before{
		Asked: m.asked(), SHA256: file.SHA256, ManifestSHA256: sum, ExportedAt: timeOf(m.ExportedAt),
		EntryCount: m.EntryCount,
		FirstTime:  m.firstTime(), Window: m.window(), BeyondRetention: m.Completeness.BeyondRetention,
		redaction: m.Redaction,
	}, nil
}

// checkFiles returns a *ForeignFileError for the first file that this tool did not
// write, or that was changed since.
func checkFiles(path string) error {
	data, err := durable.Stat(path)
	if err != nil {
		return err
	}

	_, described, ours, err := readManifest(path)
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
		return checkChecksums(path, described)
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
func SourceAt(path string) (redact.KeptSource, error) {
	path = filepath.Clean(path)

	m, _, ours, err := readManifest(path)
	if err != nil || !ours {
		return redact.KeptSource{}, err
	}

	return redact.Kept(m.Source, m.Redaction), nil
}

// Remove removes the files of the export whose manifest has that SHA-256, having
// settled what an interrupted run left. It refuses with a *NotWrittenError where
// another export is there, and with a *ForeignFileError when the data or the checksum
// file is not what the manifest says. The manifest goes last, so that after a crash the rest is still known
// to be ours.
func Remove(path, manifestSum string) error {
	path = filepath.Clean(path)

	return durable.RemoveIf(path, func() error { return checkWritten(path, manifestSum) }, "", ChecksumSuffix,
		ManifestSuffix)
}

func checkWritten(path, manifestSum string) error {
	s, err := Inspect(path)
	if err != nil {
		return err
	}

	switch {
	case !s.Exists && s.ManifestSHA256 == "" && s.ChecksumSHA256 == "":
		return nil
	case s.ManifestSHA256 != manifestSum:
		return &NotWrittenError{Path: path + ManifestSuffix, Expected: manifestSum, Found: s.ManifestSHA256}
	}

	return checkFiles(path)
}

// checkChecksums returns a *ForeignFileError where the checksum file is there, and is of
// other files than the manifest and what it describes: one of the three was changed.
func checkChecksums(path string, described manifestFile) error {
	found, _, exists, err := hashIfThere(path + ChecksumSuffix)
	if err != nil || !exists {
		return err
	}

	manifestSum, _, err := durable.Hash(path + ManifestSuffix)
	if err != nil {
		return err
	}

	if found != checksumsSum(path, described.SHA256, manifestSum) {
		return &ForeignFileError{Path: path + ChecksumSuffix}
	}

	return nil
}
