// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
)

// changesOfNames is work that has to make names durable, in a directory that exists.
func changesOfNames(t *testing.T) map[string]func(path string, sys durable.System) error {
	t.Helper()

	store := func(work func(durable.Store, string) error) func(string, durable.System) error {
		return func(path string, sys durable.System) error {
			return work(openDirectory(t, filepath.Dir(path), sys), filepath.Base(path))
		}
	}

	return map[string]func(string, durable.System) error{
		"replacement": func(path string, sys durable.System) error {
			return replaceSet(path, newText, durable.Options{System: sys})
		},
		"removal": func(path string, sys durable.System) error { return durable.RemoveWith(sys, path, suffixes()...) },
		"create":  store(func(s durable.Store, _ string) error { return s.Create(t.Context(), "made/new", []byte(newText)) }),
		"replace": store(func(s durable.Store, key string) error { return s.Replace(t.Context(), key, []byte(newText)) }),
		"delete":  store(func(s durable.Store, key string) error { return s.Delete(t.Context(), key) }),
	}
}

// Each directory is open before a name in it changes: one that cannot be opened, such as
// by a process with too many open files, is left as it is.
func TestDirectoryIsOpenedFirst(t *testing.T) {
	t.Parallel()

	opening := func(s durabletest.Step) bool { return s.Op == "open directory" }
	moves := func(s durabletest.Step) bool {
		return slices.Contains([]string{"mkdir", "rename", "remove", "link"}, s.Op) &&
			!strings.HasSuffix(s.Name, durabletest.AnyTemp)
	}

	for name, work := range changesOfNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fresh := func() string {
				path := filepath.Join(t.TempDir(), "out.csv")
				mustReplace(t, path, oldText)

				return path
			}

			calm := durabletest.New(nil)
			if err := work(fresh(), calm); err != nil {
				t.Fatal(err)
			}

			failed := 0

			for n, step := range calm.Steps() {
				if !opening(step) {
					continue
				}

				failed++
				path := fresh()

				sys := durabletest.New(durabletest.FailAt(n, syscall.EMFILE))
				if err := work(path, sys); !errors.Is(err, syscall.EMFILE) {
					t.Errorf("step %d: got %v", n, err)
				}

				// Nothing comes after it but what tidies up.
				if after := sys.Steps()[n:]; slices.ContainsFunc(after, moves) {
					t.Errorf("step %d (%s) failed, and then came %v", n, step, after)
				}

				if diff := cmp.Diff(onDisk(path, oldText), topFiles(t, filepath.Dir(path))); diff != "" {
					t.Errorf("step %d: files (-want +got):\n%s", n, diff)
				}
			}

			if failed == 0 {
				t.Error("no directory is opened: the test has lost its grip")
			}
		})
	}
}

// A directory that is moved right after a name in it has changed keeps the change, and
// that is what is made durable.
func TestDirectoryIsMovedMeanwhile(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("directories are not synced here")
	}

	for name, last := range map[string]durabletest.Step{
		"removal": {Op: "remove", Name: "out.csv.sha256"}, "delete": {Op: "remove", Name: "out.csv"},
		"replace": {Op: "rename", Name: "out.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "dir", "out.csv")
			mustReplace(t, path, oldText)

			away := filepath.Dir(path) + ".away"
			moved := false

			sys := durabletest.New(func(_ int, s durabletest.Step, done bool) error {
				if s == last && done {
					moved = true

					return os.Rename(filepath.Dir(path), away)
				}

				return nil
			})

			if err := changesOfNames(t)[name](path, sys); err != nil || !moved {
				t.Errorf("got %v, moved: %v", err, moved)
			}

			if steps := sys.Steps(); !slices.Contains(steps, durabletest.Step{Op: "sync directory", Name: "dir"}) {
				t.Errorf("not synced: %v", steps)
			}
		})
	}
}
