// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// The test runs itself with these set to be killed at a chosen step.
const (
	envRoot     = "ARCHIVE_TEST_ROOT"
	envStep     = "ARCHIVE_TEST_STEP"
	envEndpoint = "ARCHIVE_TEST_ENDPOINT"
)

// Whenever a run is killed, the patterns of the documentation for query engines
// match whole segments only, and the next run leaves nothing but the archive.
func TestKilledRunsLeaveNothing(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector slows the start of every process that is killed; make simulate runs this without it")
	}

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	w.happen(20, begin.Add(-24*time.Hour))

	open := func(root string, sys durable.System) durable.Store {
		s, err := durable.OpenStore(t.Context(), root, durable.StoreOptions{Options: durable.Options{System: sys}})
		if err != nil {
			t.Fatal(err)
		}

		return s
	}

	if root := os.Getenv(envRoot); root != "" {
		step, err := strconv.Atoi(os.Getenv(envStep))
		if err != nil {
			t.Fatal(err)
		}

		endpoint, err := url.Parse(os.Getenv(envEndpoint))
		if err != nil {
			t.Fatal(err)
		}

		w.read(auditlog.ServiceUpCloud, endpoint, 0)
		w.mustApply(w.options(open(root, durabletest.New(durabletest.KillAt(step, true)))))

		return
	}

	if runtime.GOOS == "windows" {
		t.Skip("only age tells here that a file is left over")
	}

	calm := durabletest.New(nil)
	w.mustApply(w.options(open(filepath.Join(t.TempDir(), "archive"), calm)))

	left, killed := 0, 0

	for step, what := range calm.Steps() {
		if what.Reading() {
			continue // It leaves what the step before left.
		}

		w.now = begin
		root := filepath.Join(t.TempDir(), "archive")
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), envRoot+"="+root, envStep+"="+strconv.Itoa(step), envEndpoint+"="+
			w.service.Info().Source.Endpoint)

		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("the run was not killed at %s: %v\n%s", what, err, out)
		}

		killed++

		segments := onDisk(t, filepath.Join(root, "entries"))
		for _, name := range segments {
			if !slices.Contains(keysOf(t, open(root, nil)), "entries/"+name) {
				t.Errorf("step %d: an engine would read %s", step, name)
			}
		}

		before := len(onDisk(t, root)) - len(keysOf(t, open(root, nil)))
		if before > 0 {
			left++
		}

		w.now = begin.Add(time.Hour)
		w.mustApply(w.options(open(root, nil)))
		w.checkExactlyOnce(open(root, nil), w.now)

		if diff := cmp.Diff(keysOf(t, open(root, nil)), onDisk(t, root)); diff != "" {
			t.Errorf("step %d: the next run leaves (-archive +directory):\n%s", step, diff)
		}

		checkVerifies(t, open(root, nil), archive.VerifyOptions{})
	}

	t.Logf("%d runs were killed, %d of them left temporary files", killed, left)

	if killed < 30 || left < 10 {
		t.Error("the test has lost its grip")
	}
}

// onDisk are the names of all files in a directory, in the order of keys.
func onDisk(t *testing.T, root string) []string {
	t.Helper()

	var names []string

	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(name))
		}

		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}

	slices.Sort(names)

	return names
}

// keysOf are the keys of what is no temporary file.
func keysOf(t *testing.T, s durable.Store) []string {
	t.Helper()

	var keys []string

	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}

		if !o.Temporary {
			keys = append(keys, o.Key)
		}
	}

	return keys
}
