// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// The test binary runs itself with these set to be killed at a chosen step.
const (
	envProgram = "DURABLE_TEST_PROGRAM"
	envPath    = "DURABLE_TEST_PATH"
	envStep    = "DURABLE_TEST_STEP"
	envAfter   = "DURABLE_TEST_AFTER"
	envFail    = "DURABLE_TEST_FAIL"
)

func TestMain(m *testing.M) {
	if program := os.Getenv(envProgram); program != "" {
		if err := victim(program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}

		os.Exit(0)
	}

	os.Exit(m.Run())
}

// victim does the work that is to be killed.
func victim(program string) error {
	step, err := strconv.Atoi(os.Getenv(envStep))
	if err != nil {
		return err
	}

	kill := durabletest.KillAt(step, os.Getenv(envAfter) != "")
	fault := kill

	if program == "store without links" {
		fault = func(n int, s durabletest.Step, done bool) error {
			err := noLinks(n, s, done)
			if err != nil {
				// The step fails, so nobody asks again after it.
				return errors.Join(kill(n, s, false), kill(n, s, true), err)
			}

			return kill(n, s, done)
		}
	}

	path := os.Getenv(envPath)

	if fail, err := strconv.Atoi(os.Getenv(envFail)); err == nil {
		eio := durabletest.FailAt(fail, syscall.EIO)
		fault = func(n int, s durabletest.Step, done bool) error {
			return errors.Join(kill(n, s, done), eio(n, s, done))
		}
	}

	sys := durabletest.New(fault)

	switch program {
	case "replace":
		err = replaceSet(path, newText, durable.Options{System: sys})
	case "recover":
		err = durable.RecoverWith(sys, path)
	case "hold":
		err = hold(func(o durable.Options) error {
			s, err := durable.OpenStore(context.Background(), path, durable.StoreOptions{Options: o})
			if err != nil {
				return err
			}

			return s.Create(context.Background(), "held", []byte(newText))
		})
	case "hold replacement":
		err = hold(func(o durable.Options) error { return replaceSet(path, newText, o) })
	case "store", "store without links":
		ctx := context.Background()

		var s durable.Store

		s, err = durable.OpenStore(ctx, path, durable.StoreOptions{Options: durable.Options{System: sys}})
		if err == nil {
			err = storeWork(ctx, s)
		}
	default:
		err = errors.New("unknown program")
	}

	if os.Getenv(envFail) != "" && errors.Is(err, syscall.EIO) {
		return nil
	}

	return err
}

// holding is what a program says that waits in the middle of writing a file.
const holding = "holding"

func hold(work func(durable.Options) error) error {
	return work(durable.Options{System: durabletest.New(func(_ int, s durabletest.Step, done bool) error {
		if s.Op == "write" && done {
			fmt.Print(holding)
			time.Sleep(time.Hour)
		}

		return nil
	})})
}

// startHolding runs such a program until it waits, and returns what kills it.
func startHolding(t *testing.T, program, path string) (kill func()) {
	t.Helper()

	if runtime.GOOS == "windows" {
		t.Skip("nothing tells here that a process is alive")
	}

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envProgram+"="+program, envPath+"="+path, envStep+"=0")

	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}

	if err == nil {
		_, err = io.ReadFull(out, make([]byte, len(holding)))
	}

	if err != nil {
		t.Fatal(err)
	}

	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// What a living process is writing is not removed, and its path is refused. What a
// killed one has written is removed.
func TestBusyInAnotherProcess(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	mustReplace(t, path, oldText)

	kill := startHolding(t, "hold replacement", path)
	before := files(t, filepath.Dir(path))

	for verb, err := range map[string]error{
		"Begin": replaceSet(path, newText, durable.Options{}), "Recover": durable.Recover(path),
		"Remove": durable.Remove(path, suffixes()...),
	} {
		if !errors.Is(err, durable.ErrBusy) {
			t.Errorf("%s: got %v, want %v", verb, err, durable.ErrBusy)
		}
	}

	if err := durable.CheckWritable(path); err != nil {
		t.Errorf("CheckWritable: %v", err)
	}

	if after := files(t, filepath.Dir(path)); len(after) != 4 || !maps.Equal(before, after) {
		t.Errorf("files are\n%s", describe(after))
	}

	kill()

	if err := durable.Recover(path); err != nil {
		t.Error(err)
	}

	mustHold(t, path, oldText)
}

// runKilled runs a program that is killed at a step, and says whether it was: a
// run with fewer steps comes to its end.
func runKilled(t *testing.T, program, path string, step int, after bool, env ...string) bool {
	t.Helper()

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envProgram+"="+program, envPath+"="+path, envStep+"="+strconv.Itoa(step))

	if after {
		cmd.Env = append(cmd.Env, envAfter+"=1")
	}

	cmd.Env = append(cmd.Env, env...)

	var stderr bytes.Buffer

	cmd.Stderr = &stderr

	err := cmd.Run()
	if err == nil {
		return false
	}

	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() && stderr.Len() > 0 {
		t.Fatalf("%s failed instead of being killed: %v\n%s", program, err, &stderr)
	}

	return true
}

// states collects what a kill can leave and makes sure, for each different one,
// that Recover settles it, however often Recover is itself killed.
type states struct {
	before, after string
	name          string
	seen          map[string]bool
	settled       map[string]int
}

func newStates(before, after, name string) *states {
	return &states{before: before, after: after, name: name, seen: map[string]bool{}, settled: map[string]int{}}
}

// check looks at a directory right after a kill.
func (s *states) check(t *testing.T, dir string) {
	t.Helper()

	state := fingerprint(t, dir)
	if s.seen[state] {
		return
	}

	s.seen[state] = true
	path := filepath.Join(dir, s.name)

	if data, there := files(t, dir)[s.name]; there && data != s.before && data != s.after || !there && s.before != "" {
		t.Fatalf("the data file is neither old nor new: %q", data)
	}

	if _, err := durable.Interrupted(path); err != nil {
		t.Fatalf("Interrupted: %v", err)
	}

	// Recover, undisturbed.
	calm := filepath.Join(clone(t, dir), s.name)
	sys := durabletest.New(nil)

	if err := durable.RecoverWith(sys, calm); err != nil {
		t.Fatalf("Recover: %v\n%s", err, state)
	}

	s.settled[oldOrNew(t, calm, s.before, s.after)]++

	// Recover, killed at every step that changes something; being killed before
	// the first leaves the state that this function began with. What is left is
	// checked in the same way, and so on, until nothing new comes up.
	for n, step := range sys.Steps() {
		if step.Reading() {
			continue
		}

		again := filepath.Join(clone(t, dir), s.name)
		if !runKilled(t, "recover", again, n, true) {
			t.Fatalf("Recover ended before step %d", n)
		}

		s.check(t, filepath.Dir(again))
	}
}

func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector slows the start of every process that is killed; make simulate runs this without it")
	}

	for name, before := range map[string]string{"replacing": oldText, "first": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			const base = "out.csv"

			s := newStates(before, newText, base)
			steps := 0

			for n, running := 0, true; running; n++ {
				for _, after := range []bool{false, true} {
					path := filepath.Join(t.TempDir(), "made", base)
					if before != "" {
						mustReplace(t, path, before)
					}

					running = runKilled(t, "replace", path, n, after)
					if !running {
						mustHold(t, path, newText)

						break
					}

					steps++

					s.check(t, filepath.Dir(path))
				}
			}

			t.Logf("%d kills, %d different states, settled as %v", steps, len(s.seen), s.settled)

			if steps < 60 || s.settled[before] == 0 || s.settled[newText] == 0 {
				t.Errorf("%d kills, settled as %v: the test has lost its grip", steps, s.settled)
			}
		})
	}
}

// A step fails once the new set has been decided on, and while that is taken back or
// finished the process is killed.
func TestKilledAfterFailure(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector slows the start of every process that is killed; make simulate runs this without it")
	}

	const base = "out.csv"

	for name, before := range map[string]string{"replacing": oldText, "first": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fresh := func() string {
				path := filepath.Join(t.TempDir(), base)
				if before != "" {
					mustReplace(t, path, before)
				}

				return path
			}

			sys := durabletest.New(nil)
			if err := replaceSet(fresh(), newText, durable.Options{System: sys}); err != nil {
				t.Fatal(err)
			}

			s := newStates(before, newText, base)
			takenBack, finished := 0, 0

			for fail := range afterDecision(sys.Steps()) {
				for n, running := fail+1, true; running; n++ {
					path := fresh()
					running = runKilled(t, "replace", path, n, true, envFail+"="+strconv.Itoa(fail))

					if !running {
						if oldOrNew(t, path, before, newText) == newText {
							finished++
						} else {
							takenBack++
						}
					}

					s.check(t, filepath.Dir(path))
				}
			}

			t.Logf("%d taken back, %d finished, %d states, settled as %v", takenBack, finished, len(s.seen), s.settled)

			if takenBack != 3 || finished != 4 || s.settled[before] == 0 || s.settled[newText] == 0 {
				t.Error("the test has lost its grip")
			}
		})
	}
}

// afterDecision yields the numbers of the steps between the journal's move and its end
// that change something.
func afterDecision(steps []durabletest.Step) map[int]durabletest.Step {
	found := map[int]durabletest.Step{}
	first := slices.IndexFunc(steps, func(s durabletest.Step) bool { return s.Op == "rename" })

	for n := first; n < len(steps); n++ {
		if !steps[n].Reading() {
			found[n] = steps[n]
		}

		if steps[n].Op == "remove" && strings.HasSuffix(steps[n].Name, ".audit-commit") {
			break
		}
	}

	return found
}
