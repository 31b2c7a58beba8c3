// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// A lock is held by one at a time, and its file stays.
func TestLock(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "made", "state")

	first, err := durable.Acquire(path, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}

	if _, err := durable.Acquire(path, durable.Options{}); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("got %v", err)
	}

	if err := first.Release(); err != nil {
		t.Fatal(err)
	}

	again, err := durable.Acquire(path, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}

	if err := again.Release(); err != nil {
		t.Error(err)
	}

	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Error(err)
	}
}

// A link or a directory in the place of a lock is refused.
func TestLockInTheWay(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")

	if err := os.Symlink(elsewhere, filepath.Join(dir, "a.lock")); err != nil {
		t.Skip(err)
	}

	if err := os.Mkdir(filepath.Join(dir, "b.lock"), 0o700); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"a", "b"} {
		if _, err := durable.Acquire(filepath.Join(dir, name), durable.Options{}); err == nil {
			t.Errorf("%s: the lock was taken", name)
		}
	}

	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("the link was followed")
	}
}

// The members of a stream are put in place together with their place.
func TestBatchesAndPlace(t *testing.T) {
	t.Parallel()

	base := filepath.Join(t.TempDir(), "auditlog")

	r, err := durable.Begin(base, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Abort()

	for _, suffix := range []string{durable.BatchSuffix(1), durable.BatchSuffix(12), durable.PlaceSuffix} {
		f, err := r.Create(suffix)
		if err != nil {
			t.Fatal(err)
		}

		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}

	for _, suffix := range []string{"-1.ndjson", "-00000000001.ndjson", "-000000000a.ndjson", "x-0000000001.ndjson"} {
		if _, err := r.Create(suffix); err == nil {
			t.Errorf("%s became a member", suffix)
		}
	}

	if err := r.Commit(); err != nil {
		t.Fatal(err)
	}

	for _, suffix := range []string{"-0000000001.ndjson", "-0000000012.ndjson", ".place.json"} {
		if _, err := os.Stat(base + suffix); err != nil {
			t.Error(err)
		}
	}
}
