// SPDX-License-Identifier: MPL-2.0

package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
)

// Each run passes on what is new, once, also what was recorded late.
func TestEachRunPassesOnWhatIsNew(t *testing.T) {
	t.Parallel()

	for _, name := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w, m := newWorld(t, name, 1), &memory{}
			path := filepath.Join(t.TempDir(), "state")

			for range 5 {
				w.happen(20, w.clock().Add(-10*time.Second))
				w.happen(3, w.clock().Add(-2*time.Minute)) // Late, but by less than the overlap.
				w.pass(2 * time.Minute)
				w.publish()

				out := keep(t, m, path)
				if err := w.run(out); err != nil {
					t.Fatal(err)
				}

				if err := out.Close(); err != nil {
					t.Fatal(err)
				}
			}

			w.checkTaken(m.ids, nil)

			if len(m.ids) < 100 {
				t.Errorf("only %d entries came", len(m.ids))
			}
		})
	}
}

// An overlap that becomes longer from one run to the next repeats nothing: what the state has forgotten is not read
// again.
func TestLongerOverlap(t *testing.T) {
	t.Parallel()

	for _, name := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w, m := newWorld(t, name, 7), &memory{}
			out := keep(t, m, filepath.Join(t.TempDir(), "state"))

			for _, overlap := range []time.Duration{
				2 * time.Minute, 2 * time.Minute, 24 * time.Hour, 2 * time.Minute, 24 * time.Hour, 24 * time.Hour,
			} {
				w.happen(20, w.clock().Add(-10*time.Second))
				w.pass(20 * time.Minute)
				w.publish()

				o := w.options(out)
				o.Overlap = overlap
				w.reject = overlap > time.Hour // A cursor that is lost is replaced by the overlap.

				if err := follow.New(o).WithoutWaits().Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}

			w.checkTaken(m.ids, nil)

			if len(m.ids) < 100 {
				t.Errorf("only %d entries came", len(m.ids))
			}
		})
	}
}

// A cursor that the service no longer accepts loses nothing and repeats nothing.
func TestLostCursor(t *testing.T) {
	t.Parallel()

	w, m := newWorld(t, auditlog.ServiceCloudscale, 2), &memory{}
	out := keep(t, m, "")

	for i := range 6 {
		w.happen(20, w.clock().Add(-10*time.Second))
		w.pass(2 * time.Minute)

		w.reject = i%2 == 1
		if err := w.run(out); err != nil {
			t.Fatal(err)
		}
	}

	w.reject = false
	w.checkTaken(m.ids, nil)
}

// A log that is far behind is read day by day, and each day moves the place.
func TestCatchesUpInSteps(t *testing.T) {
	t.Parallel()

	for _, name := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w, m := newWorld(t, name, 3), &memory{}
		for day := range 10 {
			w.happen(30, begin.AddDate(0, 0, day-10).Add(time.Hour))
		}

		calls := 0
		m.refuse = func(context.Context) error {
			if calls++; calls == 7 {
				return &sink.Error{Place: "test", Err: errors.New("no")}
			}

			return nil
		}

		out := keep(t, m, "")
		o := w.options(out)
		o.Since = begin.AddDate(0, 0, -10)

		if err := follow.New(o).Run(t.Context()); err == nil {
			t.Fatal("the sink has refused a batch")
		}

		before := len(m.ids)

		o.Since = begin // The state says where it goes on.
		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}

		if before != len(m.ids)*6/10 {
			t.Errorf("%s: %d of %d entries were taken in six days", name, before, len(m.ids))
		}

		seen := map[string]bool{}
		for _, id := range m.ids {
			if seen[id] {
				t.Errorf("%s came twice", id)
			}

			seen[id] = true
		}

		if len(seen) < 300 {
			t.Errorf("%s: %d entries came", name, len(seen))
		}
	}
}

// What the service has dropped before it was read is an error. Where it is accepted, the state remembers it.
func TestRetentionGap(t *testing.T) {
	t.Parallel()

	w, m := newWorld(t, auditlog.ServiceCloudscale, 4), &memory{}
	path := filepath.Join(t.TempDir(), "state")
	out := keep(t, m, path)

	w.happen(5, w.clock().Add(-5*time.Minute))

	if err := w.run(out); err != nil {
		t.Fatal(err)
	}

	w.pass(100 * 24 * time.Hour)
	w.happen(5, w.clock().Add(-5*time.Minute))

	gap := (*follow.GapError)(nil)
	if err := w.run(out); !errors.As(err, &gap) || gap.Accepted {
		t.Fatalf("got %v", err)
	}

	if len(m.ids) > 6 {
		t.Error("something was passed on behind a gap")
	}

	var told []error

	o := w.options(out)
	o.AcceptGap, o.Tell = true, func(what error) { told = append(told, what) }

	if err := follow.New(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}

	if len(told) != 1 || !errors.As(told[0], &gap) || !gap.Accepted {
		t.Errorf("told %v", told)
	}

	state, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(state), `"to": "`+gap.To.Format(time.RFC3339Nano)+`"`) {
		t.Errorf("the state does not remember the gap: %s, %v", state, err)
	}

	if err := w.run(out); err != nil {
		t.Errorf("the gap is behind: %v", err)
	}
}

// What exports leave out may be filled later, and is passed on then.
func TestGapBetweenExports(t *testing.T) {
	t.Parallel()

	w, m := newWorld(t, auditlog.ServicePodStack, 5), &memory{}
	out := keep(t, m, "")

	w.happen(5, begin.Add(-50*time.Minute))
	w.publish()
	w.happen(5, begin.Add(-30*time.Minute))
	late := w.rows
	w.rows = nil
	w.happen(5, begin.Add(-10*time.Minute))
	w.publish()

	var told []error

	o := w.options(out)
	o.Tell = func(what error) { told = append(told, what) }

	for range 2 {
		if err := follow.New(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	open := (*follow.OpenGapsError)(nil)
	if len(told) == 0 || !errors.As(told[0], &open) || len(m.ids) != 10 {
		t.Fatalf("told %v, %d entries", told, len(m.ids))
	}

	w.serial++
	w.rows = late
	w.publish()

	if err := follow.New(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}

	w.checkTaken(m.ids, nil)
}

// A state of another service, another account or another query is refused, and nothing is passed on.
func TestStateOfSomethingElse(t *testing.T) {
	t.Parallel()

	w, m := newWorld(t, auditlog.ServiceCloudscale, 6), &memory{}
	path := filepath.Join(t.TempDir(), "state")
	out := keep(t, m, path)

	w.happen(5, w.clock().Add(-5*time.Minute))

	if err := w.run(out); err != nil {
		t.Fatal(err)
	}

	taken := len(m.ids)
	other := newWorld(t, auditlog.ServiceUpCloud, 7)
	other.happen(5, w.clock().Add(-5*time.Minute))

	wrong := (*follow.StateError)(nil)
	if err := other.run(out); !errors.As(err, &wrong) || wrong.Known != "cloudscale" || wrong.Found != "upcloud" {
		t.Errorf("another service: %v", err)
	}

	o := w.options(out)
	o.Query.Actions = []string{"server_delete"}

	if err := follow.New(o).Run(t.Context()); !errors.As(err, &wrong) || wrong.Found != `actions = ["server_delete"]` {
		t.Errorf("another query: %v", err)
	}

	another := newWorld(t, auditlog.ServiceCloudscale, 8) // The same cloud at another endpoint.
	another.happen(5, w.clock().Add(-5*time.Minute))

	source := (*auditlog.SourceError)(nil)
	if err := another.run(out); !errors.As(err, &source) {
		t.Errorf("another log: %v", err)
	}

	for _, text := range []string{"", "{}", `{"state_version": 2}`, "[]", `{"state_version": 1, "service": "x"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		if err := w.run(out); err == nil {
			t.Errorf("a state file that holds %q was accepted", text)
		}
	}

	if len(m.ids) != taken {
		t.Error("something was passed on")
	}
}

// Of two streams with one state file the second is refused, and so it is with one directory.
func TestTwoStreamsOneState(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "state")
	first := keep(t, &memory{}, path)

	if _, err := sink.Keep(&memory{}, path, durable.Options{}); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("got %v", err)
	}

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	if err := keep(t, &memory{}, path).Close(); err != nil {
		t.Error(err)
	}

	directory, err := sink.OpenDirectory(path+".d", sink.Encoding{}, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = directory.Close() }()

	if _, err := sink.OpenDirectory(path+".d", sink.Encoding{}, durable.Options{}); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// The state of an archive is refused where the archive is another one by then.
func TestAnotherArchive(t *testing.T) {
	t.Parallel()

	w, m := newWorld(t, auditlog.ServiceArchive, 9), &memory{}
	out := keep(t, m, "")

	w.happen(5, w.clock())
	w.pass(5 * time.Minute)
	w.publish()

	if err := w.run(out); err != nil {
		t.Fatal(err)
	}

	another := newWorld(t, auditlog.ServiceArchive, 10)
	another.happen(50, another.clock())
	another.pass(5 * time.Minute)
	another.publish()

	taken := len(m.ids)
	if err := another.run(out); err == nil || !strings.Contains(err.Error(), "not a continuation") {
		t.Errorf("got %v", err)
	}

	if taken == 0 || len(m.ids) != taken {
		t.Error("something was passed on")
	}
}

// A state that lost a part, or whose place was moved by hand, is refused: the ids that it has are not those that would
// be needed.
func TestEditedState(t *testing.T) {
	t.Parallel()

	w, m := newWorld(t, auditlog.ServiceUpCloud, 9), &memory{}
	path := filepath.Join(t.TempDir(), "state")
	out := keep(t, m, path)

	for range 2 {
		w.happen(5, w.clock().Add(-5*time.Minute))
		w.pass(time.Hour)

		if err := w.run(out); err != nil {
			t.Fatal(err)
		}
	}

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	taken := len(m.ids)

	for name, edit := range map[string]func(state map[string]any){
		"without source":        func(state map[string]any) { delete(state, "source") },
		"without ids":           func(state map[string]any) { delete(state, "ids") },
		"without start":         func(state map[string]any) { delete(state, "start") },
		"without covered_until": func(state map[string]any) { delete(state, "covered_until") },
		"back by a day":         func(state map[string]any) { state["covered_until"] = begin.Add(-24 * time.Hour) },
		"back by an hour":       func(state map[string]any) { state["covered_until"] = begin.Add(30 * time.Minute) },
		"ids from later on":     func(state map[string]any) { state["ids_since"] = w.clock().Add(time.Hour) },
	} {
		var state map[string]any
		if err := json.Unmarshal(whole, &state); err != nil {
			t.Fatal(err)
		}

		edit(state)

		text, err := json.Marshal(state)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}

		if err != nil {
			t.Fatal(err)
		}

		wrong := (*follow.StateError)(nil)
		if err := w.run(out); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}

	if len(m.ids) != taken || taken != 10 {
		t.Errorf("%d entries came, %d before", len(m.ids), taken)
	}
}
