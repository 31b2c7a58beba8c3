// SPDX-License-Identifier: MPL-2.0

package gate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/gate"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

func opened(t *testing.T, path string) *gate.State {
	t.Helper()

	s, wrong := gate.OpenState(path)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}

	t.Cleanup(func() { _ = s.Close() }) // It may have been closed.

	return s
}

func infoOf(account string) auditlog.Info {
	info := upcloud.Info()
	info.Source = reading().Source
	info.Source.Account = account

	return info
}

// later is when nothing stands in the way of the next check.
func later() time.Time { return noon().Add(time.Hour) }

// TestState: the next check begins where the last one ended.
func TestState(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "new", "state.json")
	s := opened(t, path)

	if from, wrong := s.Begin(infoOf(""), "rules", later(), later()); !from.IsZero() || len(wrong) > 0 {
		t.Fatal(from, wrong)
	}

	c := reading()
	if wrong := append(s.Confirm(c.Source), s.Save(infoOf(""), &c, "rules", noon())...); len(wrong) > 0 {
		t.Fatal(wrong)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = opened(t, path)
	if from, wrong := s.Begin(infoOf(""), "rules", later(), later()); !from.Equal(noon()) || len(wrong) > 0 {
		t.Fatal(from, wrong)
	}

	// An account that the service does not name is a warning, and is not forgotten.
	unnamed := reading()
	unnamed.Source.Account = ""
	unnamed.Window.End = noon().Add(time.Hour)

	if wrong := s.Confirm(unnamed.Source); len(wrong) != 1 || wrong.HasError() {
		t.Error(wrong)
	}

	if wrong := s.Save(infoOf(""), &unnamed, "rules", noon()); len(wrong) > 0 {
		t.Fatal(wrong)
	}

	if wrong := s.Confirm(infoOf("other").Source); !wrong.HasError() {
		t.Error("another account is not noticed")
	}
}

func TestUntil(t *testing.T) {
	t.Parallel()

	c := reading()
	if got := gate.Until(&c); !got.Equal(noon()) {
		t.Error(got)
	}

	gap := noon().Add(-3 * time.Hour)
	c.Gaps = []auditlog.Window{{Start: gap, End: gap.Add(time.Hour)}}

	if got := gate.Until(&c); !got.Equal(gap) {
		t.Error("what is not known yet is passed over:", got)
	}
}

// TestRefusedState: a state of anything else, and one that somebody else holds.
func TestRefusedState(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	s := opened(t, path)
	c := reading()

	if wrong := s.Save(infoOf("main"), &c, "rules", noon()); len(wrong) > 0 {
		t.Fatal(wrong)
	}

	refused := func(wrong explain.Problems, want string) {
		t.Helper()

		if !wrong.HasError() || !strings.Contains(wrong[0].In(explain.Flags), want) {
			t.Errorf("%v lacks %q", wrong, want)
		}
	}

	_, wrong := gate.OpenState(path)
	refused(wrong, "Another check is using this state.")

	_, wrong = s.Begin(cloudscale.Info(), "rules", later(), later())
	refused(wrong, "another service")

	_, wrong = s.Begin(infoOf("main"), "other rules", later(), later())
	refused(wrong, "other rules")

	_, wrong = s.Begin(infoOf("other"), "rules", later(), later())
	refused(wrong, "another log")

	for name, text := range map[string]string{
		"empty": "", "cut": `{"check_state_version": 1,`, "another": `{"state_version":1,"service":"upcloud"}`,
		"newer": `{"check_state_version":2,"service":"upcloud","rules_sha256":"x","checked_until":"2026-06-30T12:00:00Z"}`,
	} {
		other := filepath.Join(dir, name)
		if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		_, wrong := gate.OpenState(other)
		refused(wrong, "cannot be read")

		if kept, err := os.ReadFile(other); err != nil || string(kept) != text {
			t.Error("it was changed", err)
		}

		// Nobody is kept out by a state that was refused.
		_, wrong = gate.OpenState(other)
		refused(wrong, "cannot be read")
	}

	_, wrong = gate.OpenState(dir)
	refused(wrong, "is a directory")

	_, wrong = gate.OpenState(filepath.Join(path, "below"))
	refused(wrong, "not a directory")
}

// TestStateTooEarly: a check for which nothing has settled yet says so of the state, and not of a window that nobody
// has asked for.
func TestStateTooEarly(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "state.json")
	s := opened(t, path)

	c := reading()
	if wrong := s.Save(infoOf(""), &c, "rules", noon()); len(wrong) > 0 {
		t.Fatal(wrong)
	}

	for _, at := range []struct {
		settled, now time.Duration
		want         string
	}{
		{time.Second, time.Minute, ""},
		{time.Second - 1, time.Minute, "there is nothing to check"},
		{-time.Minute, 0, "there is nothing to check"},
		{-time.Hour, -1, "in the future of this machine's clock"},
	} {
		_, wrong := s.Begin(infoOf(""), "rules", noon().Add(at.settled), noon().Add(at.now))

		switch {
		case at.want == "" && len(wrong) == 0:
		case at.want == "" || len(wrong) != 1 || !strings.Contains(wrong[0].Cause.In(explain.Flags), at.want) ||
			len(wrong[0].Place) == 0 || wrong[0].Place[0] != "state":
			t.Errorf("settled %s, now %s: got %v, want %q", at.settled, at.now, wrong, at.want)
		}
	}
}
