// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// The test binary runs itself with these set to be killed at a chosen step.
const (
	envPath  = "EXPORT_TEST_PATH"
	envStep  = "EXPORT_TEST_STEP"
	envAfter = "EXPORT_TEST_AFTER"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envPath); path != "" {
		if err := victim(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}

		os.Exit(0)
	}

	os.Exit(m.Run())
}

func victim(path string) error {
	step, err := strconv.Atoi(os.Getenv(envStep))
	if err != nil {
		return err
	}

	s := spec(path, format.CSV)
	s.System = durabletest.New(durabletest.KillAt(step, os.Getenv(envAfter) != ""))

	_, err = export.Write(context.Background(), s, all(month()), complete(5))

	return err
}

func runKilled(t *testing.T, path string, step int, after bool) bool {
	t.Helper()

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envPath+"="+path, envStep+"="+strconv.Itoa(step))

	if after {
		cmd.Env = append(cmd.Env, envAfter+"=1")
	}

	var stderr bytes.Buffer

	cmd.Stderr = &stderr

	err := cmd.Run()
	if err == nil {
		return false
	}

	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() && stderr.Len() > 0 {
		t.Fatalf("the export failed instead of being killed: %v\n%s", err, &stderr)
	}

	return true
}

// filesIfAny is files for a directory that may have yet to be made.
func filesIfAny(t *testing.T, dir string) map[string]string {
	t.Helper()

	if _, err := os.Stat(dir); err != nil {
		return map[string]string{}
	}

	return files(t, dir)
}

func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector slows the start of every process that is killed; make simulate runs this without it")
	}

	dir := t.TempDir()
	mustWrite(t, spec(filepath.Join(dir, "out.csv"), format.CSV), month())
	newSet := files(t, dir)

	for name, replacing := range map[string]bool{"replacing": true, "first": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			olds, news, interrupted := 0, 0, 0

			for n, running := 0, true; running; n++ {
				for _, after := range []bool{false, true} {
					top := t.TempDir()
					path := filepath.Join(top, "made", "out.csv")
					oldSet := map[string]string{}

					if replacing {
						mustWrite(t, spec(path, format.CSV), auditlogtest.Hostile())
						oldSet = filesIfAny(t, filepath.Dir(path))
					}

					if running = runKilled(t, path, n, after); !running {
						break
					}

					// What is there is ours at any moment, and can be looked at.
					if err := export.CheckTarget(spec(path, format.CSV)); err != nil {
						t.Fatalf("step %d: CheckTarget: %v", n, err)
					}

					state, err := export.Inspect(path)
					if err != nil {
						t.Fatalf("step %d: Inspect: %v", n, err)
					}

					if data := filesIfAny(t, filepath.Dir(path))["out.csv"]; data != oldSet["out.csv"] && data != newSet["out.csv"] {
						t.Fatalf("step %d: the data is neither old nor new: %q", n, data)
					}

					if state.Interrupted {
						interrupted++
					}

					if err := durable.Recover(path); err != nil {
						t.Fatalf("step %d: Recover: %v", n, err)
					}

					switch got := filesIfAny(t, filepath.Dir(path)); {
					case cmp.Equal(got, newSet) && !cmp.Equal(oldSet, newSet):
						news++
					case cmp.Equal(got, oldSet) && !state.Interrupted:
						olds++
					default:
						t.Fatalf("step %d: neither the old export nor the new one: %v", n, got)
					}

					mustWrite(t, spec(path, format.CSV), month())

					if diff := cmp.Diff(newSet, filesIfAny(t, filepath.Dir(path))); diff != "" {
						t.Fatalf("step %d: the next export (-want +got):\n%s", n, diff)
					}

					if left, err := os.ReadDir(top); err != nil || len(left) != 1 && runtime.GOOS != "windows" {
						t.Fatalf("step %d: beside the directory that was made: %v, %v", n, left, err)
					}
				}
			}

			t.Logf("%d old, %d new, %d interrupted", olds, news, interrupted)

			if olds < 30 || news < 10 || interrupted < 8 {
				t.Error("the test has lost its grip")
			}
		})
	}
}
