// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
)

func openDirectory(t *testing.T, path string, sys durable.System) durable.Store {
	t.Helper()

	s, err := durable.OpenStore(t.Context(), path, durable.StoreOptions{Options: durable.Options{System: sys}})
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func TestDirectoryStore(t *testing.T) {
	t.Parallel()

	storetest.Run(t, func(t *testing.T) durable.Store {
		t.Helper()

		return openDirectory(t, filepath.Join(t.TempDir(), "made", "archive"), nil)
	})
}

// noLinks is a file system without hard links.
func noLinks(_ int, s durabletest.Step, done bool) error {
	if s.Op == "link" && !done {
		return errNoLinks()
	}

	return nil
}

func errNoLinks() error {
	if runtime.GOOS == "windows" {
		return syscall.Errno(50) // ERROR_NOT_SUPPORTED
	}

	return syscall.EPERM
}

func TestDirectoryStoreWithoutLinks(t *testing.T) {
	t.Parallel()

	storetest.Run(t, func(t *testing.T) durable.Store {
		t.Helper()

		return openDirectory(t, filepath.Join(t.TempDir(), "archive"), durabletest.New(noLinks))
	})
}

func TestBucketStore(t *testing.T) {
	t.Parallel()

	storetest.Run(t, func(t *testing.T) durable.Store {
		t.Helper()

		destination, s := storetest.NewS3(t)

		return s.Open(t, destination)
	})
}

// A bucket may be shared: what is beside the prefix is somebody else's.
func TestBucketStoreWholeBucket(t *testing.T) {
	t.Parallel()

	_, s := storetest.NewS3(t)
	whole, part := s.Open(t, s.Destination("")), s.Open(t, s.Destination("some/prefix"))

	for key, store := range map[string]durable.Store{"a": part, "some/prefixed": whole, "b": whole} {
		if err := store.Create(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}

	wantObjects(t, part, durable.Object{Key: "a", Size: 1})
	wantObjects(t, whole, durable.Object{Key: "b", Size: 1}, durable.Object{Key: "some/prefix/a", Size: 1},
		durable.Object{Key: "some/prefixed", Size: 13})
}
