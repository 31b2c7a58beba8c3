// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// noLinks is a file system without hard links (FAT, some network shares), whose user is killed right before an object
// gets its name.
type noLinks struct {
	durable.System

	killAt string
	dead   bool
}

func (s *noLinks) Link(oldPath, newPath string) error {
	return &os.LinkError{Op: "link", Old: oldPath, New: newPath, Err: syscall.EPERM}
}

func (s *noLinks) Rename(oldPath, newPath string) error {
	if s.dead = s.dead || strings.HasSuffix(filepath.ToSlash(newPath), s.killAt); s.dead {
		return errCrash
	}

	return s.System.Rename(oldPath, newPath)
}

func (s *noLinks) RenameNew(oldPath, newPath string) error {
	if s.dead = s.dead || strings.HasSuffix(filepath.ToSlash(newPath), s.killAt); s.dead {
		return errCrash
	}

	return s.System.RenameNew(oldPath, newPath)
}

func (s *noLinks) Remove(path string) error {
	if s.dead {
		return errCrash
	}

	return s.System.Remove(path)
}

func (s *noLinks) Create(path string, permission fs.FileMode) (durable.Handle, error) {
	if s.dead {
		return nil, errCrash
	}

	return s.System.Create(path, permission)
}

// TestKilledWhereThereAreNoLinks: the guide says that a directory can be on any file system, and that a crash at any
// step loses and repeats nothing.
func TestKilledWhereThereAreNoLinks(t *testing.T) {
	t.Parallel()

	for _, at := range []string{
		"checkpoints/00000000", "checkpoints/00000001", "checkpoints/00000002", "README.txt",
		"tile/0/000.p/1",
	} {
		w := newWorld(t, auditlog.ServiceUpCloud, 1)
		dir := t.TempDir()

		open := func(killAt string) durable.Store {
			s, err := durable.OpenStore(t.Context(), dir,
				durable.StoreOptions{Options: durable.Options{System: &noLinks{System: durable.OS(), killAt: killAt}}})
			if err != nil {
				t.Fatal(err)
			}

			return s
		}

		w.happen(3, w.now.Add(-time.Hour))

		if at == "checkpoints/00000002" {
			w.mustApply(w.options(open("nowhere")))
			w.now = w.now.Add(time.Hour)
			w.happen(3, w.now.Add(-10*time.Minute))
		}

		if _, err := w.apply(w.options(open(at))); err == nil {
			t.Fatalf("%s: nobody was killed", at)
		}

		w.now = w.now.Add(time.Hour)

		if _, err := w.apply(w.options(open("nowhere"))); err != nil {
			t.Errorf("killed at %s: no run goes on: %v", at, err)

			continue
		}

		if r, err := archive.Verify(t.Context(), open("nowhere"), archive.VerifyOptions{}); err != nil || !r.Valid {
			t.Errorf("killed at %s: %v, %+v", at, err, r)
		}
	}
}
