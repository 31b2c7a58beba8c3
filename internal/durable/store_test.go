// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
)

// A journal that cannot be followed is for a person to look at. Nothing may be
// deleted, and the error names the file.
func TestUnsettled(t *testing.T) {
	t.Parallel()

	const base = "out.csv"

	temp := durable.NewTempName(base)
	member := func(temp, final, text string) map[string]any {
		return map[string]any{"temp": temp, "final": final, "size": len(text), "sha256": sum(text)}
	}
	journal := func(version int, members ...map[string]any) string {
		text, err := json.Marshal(map[string]any{"version": version, "members": members})
		if err != nil {
			panic(err)
		}

		return string(text)
	}

	for name, text := range map[string]string{
		"empty":                    "",
		"not JSON":                 "{",
		"another version":          journal(2, member(temp, base, newText)),
		"no members":               journal(1),
		"temporary file elsewhere": journal(1, member("../"+temp, base, newText)),
		"another's temporary file": journal(1, member("precious", base, newText)),
		"target elsewhere":         journal(1, member(temp, base+"/../../precious", newText)),
		"another's target":         journal(1, member(temp, "precious", newText)),
		"temporary file changed":   journal(1, member(temp, base, "n"+newText[1:]+"\n")),
		"same length":              journal(1, member(temp, base, "N"+newText[1:])),
		"temporary file missing":   journal(1, member(temp, base, newText), member(durable.NewTempName(base), base+".x", "x")),
		"too long":                 journal(1, member(temp, base, newText)) + strings.Repeat(" ", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), base)
			mustReplace(t, path, oldText)

			for name, text := range map[string]string{durable.JournalName(base): text, temp: newText, "precious": newText} {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			before := files(t, filepath.Dir(path))
			_, interrupted := durable.Interrupted(path)

			for verb, err := range map[string]error{
				"Recover":     durable.Recover(path),
				"Begin":       replaceSet(path, newText, durable.Options{}),
				"Remove":      durable.Remove(path, suffixes()...),
				"Interrupted": interrupted,
			} {
				if name != "too long" && !errors.Is(err, durable.ErrUnsettled) {
					t.Errorf("%s: got %v, want %v", verb, err, durable.ErrUnsettled)
				}

				var pathErr *fs.PathError
				if !errors.As(err, &pathErr) || filepath.Base(pathErr.Path) != durable.JournalName(base) {
					t.Errorf("%s: the error does not name the journal: %v", verb, err)
				}
			}

			if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

func TestRecoverWhereNothingHappened(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "missing", "out.csv")
	if err := durable.Recover(path); err != nil {
		t.Error(err)
	}

	if interrupted, err := durable.Interrupted(path); interrupted || err != nil {
		t.Errorf("Interrupted: got %v, %v", interrupted, err)
	}

	if err := durable.Remove(path, suffixes()...); err != nil {
		t.Error(err)
	}

	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "dir", "out.csv")
	mustReplace(t, path, oldText)

	sys := durabletest.New(nil)
	if err := durable.RemoveWith(sys, path, checksumSuffix, "", ".absent"); err != nil {
		t.Fatal(err)
	}

	want := map[string]string{"out.csv" + manifestSuffix: wantSet(oldText)[manifestSuffix]}
	if diff := cmp.Diff(want, files(t, filepath.Dir(path))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	removed := changing(sys.Steps(), 0)

	if diff := cmp.Diff([]string{"remove out.csv.sha256", "remove out.csv", "remove out.csv.absent", "sync directory dir"},
		removed); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}

	// An empty directory would go without complaint.
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}

	if err := durable.Remove(path, manifestSuffix, ""); !errors.Is(err, durable.ErrDirectory) {
		t.Errorf("got %v, want %v", err, durable.ErrDirectory)
	}

	if got := names(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("got %q, want both left", got)
	}
}

func TestRemoveReportsFailures(t *testing.T) {
	t.Parallel()

	for _, op := range []string{"list", "lstat", "remove", "open directory", "sync directory"} {
		path := filepath.Join(t.TempDir(), "out.csv")
		mustReplace(t, path, oldText)

		sys := durabletest.New(func(_ int, s durabletest.Step, done bool) error {
			if s.Op == op && !done {
				return syscall.EIO
			}

			return nil
		})
		if err := durable.RemoveWith(sys, path, suffixes()...); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v", op, err)
		}
	}
}

func TestCheckWritable(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	mustReplace(t, filepath.Join(dir, "out.csv"), oldText)

	for _, path := range []string{"out.csv", "new.csv", "a/b/c/new.csv"} {
		if err := durable.CheckWritable(filepath.Join(dir, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}

	mustHold(t, filepath.Join(dir, "out.csv"), oldText)
}

func TestCheckWritableUnwritable(t *testing.T) {
	t.Parallel()

	for _, op := range []string{"create", "close", "remove", "stat", "lstat"} {
		for _, errno := range []error{syscall.EACCES, syscall.EROFS, syscall.ENOSPC} {
			dir := t.TempDir()
			sys := durabletest.New(func(_ int, s durabletest.Step, done bool) error {
				if s.Op == op && !done {
					return errno
				}

				return nil
			})

			err := durable.CheckWritableWith(sys, filepath.Join(dir, "out.csv"))
			if !errors.Is(err, errno) {
				t.Errorf("%s: got %v, want %v", op, err, errno)
			}

			var unwritable *durable.UnwritableError
			if reading := op == "stat" || op == "lstat"; (!reading || errors.Is(errno, fs.ErrPermission)) &&
				(!errors.As(err, &unwritable) || unwritable.Directory != dir) {
				t.Errorf("%s: got %v, want the directory named", op, err)
			}
		}
	}
}

func TestCheckWritableForReal(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}

	if f, err := os.Create(filepath.Join(dir, "x")); err == nil {
		_ = f.Close()

		t.Skip("this user may write anywhere")
	}

	var unwritable *durable.UnwritableError
	if err := durable.CheckWritable(filepath.Join(dir, "a", "out.csv")); !errors.As(err, &unwritable) ||
		unwritable.Directory != dir {
		t.Errorf("got %v", err)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")
	mustReplace(t, path, oldText)

	if s, err := durable.Stat(path); err != nil || !s.Regular() || s.Size != int64(len(oldText)) {
		t.Errorf("Stat: got %+v, %v", s, err)
	}

	if s, err := durable.Stat(path + "x"); err != nil || s.Exists || s.Regular() {
		t.Errorf("Stat of nothing: got %+v, %v", s, err)
	}

	if s, err := durable.Stat(dir); err != nil || !s.Exists || s.Regular() {
		t.Errorf("Stat of a directory: got %+v, %v", s, err)
	}

	if got, size, err := durable.Hash(path); err != nil || got != sum(oldText) || size != int64(len(oldText)) {
		t.Errorf("Hash: got %s, %d, %v", got, size, err)
	}

	if text, err := durable.Read(path, int64(len(oldText))); err != nil || string(text) != oldText {
		t.Errorf("Read: got %q, %v", text, err)
	}

	if _, err := durable.Read(path, int64(len(oldText)-1)); !errors.Is(err, durable.ErrTooLarge) {
		t.Errorf("Read of a large file: got %v", err)
	}

	if _, _, err := durable.Hash(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Hash of nothing: got %v", err)
	}

	if _, _, err := durable.Hash(dir); !errors.Is(err, durable.ErrNotRegular) {
		t.Errorf("Hash of a directory: got %v", err)
	}
}
