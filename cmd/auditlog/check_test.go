// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/gate"
)

// gateWorld is where checks are typed: both fakes, and a clock that all go by.
type gateWorld struct {
	fake *fakeapi.Server
	vars map[string]string
	now  time.Time
	out  io.Writer // nil keeps standard output
}

func newGateWorld(t *testing.T) *gateWorld {
	t.Helper()

	w := &gateWorld{now: fakeapi.DefaultNow()}

	fake, err := fakeapi.New(fakeapi.Options{
		Entries: 500, NoExamples: true, Seed: 1, Clock: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}

	upcloud, cloudscale := httptest.NewServer(fake.UpCloud()), httptest.NewServer(fake.Cloudscale())
	t.Cleanup(upcloud.Close)
	t.Cleanup(cloudscale.Close)

	w.fake, w.vars = fake, map[string]string{
		"UPCLOUD_TOKEN": fakeapi.DefaultToken, "UPCLOUD_DEBUG_API_BASE_URL": upcloud.URL,
		"CLOUDSCALE_API_TOKEN": fakeapi.DefaultToken, "CLOUDSCALE_API_URL": cloudscale.URL,
	}

	return w
}

func (w *gateWorld) check(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()

	var out, errs bytes.Buffer

	to := io.Writer(&out)
	if w.out != nil {
		to = w.out
	}

	env := testEnvironment(to, &errs, func() time.Time { return w.now })
	env.lookupEnv = func(name string) (string, bool) { v, ok := w.vars[name]; return v, ok }

	code = run(t.Context(), append([]string{"check"}, args...), env)

	return code, out.String(), errs.String()
}

func rulesFile(t *testing.T, text string) string {
	t.Helper()

	path := filepath.Join(t.TempDir(), "rules.yml")
	writeFile(t, path, text)

	return path
}

// TestCheckExitCodes: 0 is clean, 1 found, 2 neither.
func TestCheckExitCodes(t *testing.T) {
	t.Parallel()

	none := rulesFile(t, "builtin_rules: []\nrules:\n  none:\n    where: entry.actor == 'nobody at all'\n")
	bad := rulesFile(t, "builtin_rules: []\nrules:\n  none:\n    were: entry.actor == 'x'\n")
	dir := t.TempDir()
	exports := filepath.Join(dir, "a.csv")
	writeFile(t, exports, "Timestamp,User,Action,Resource,IP Address\n2026-06-29 10:00:00,maria,Create,Pod web,192.0.2.1\n"+
		"2026-06-29 23:00:00,maria,Create,Pod web,192.0.2.1\n")

	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"clean": {[]string{"--service", "upcloud", "--rules", none, "--last", "2d"}, 0, "Nothing was found in "},
		"found": {[]string{"--service", "upcloud", "--last", "5d"}, 1, " medium"},
		"found, by one rule": {
			[]string{"--service", "upcloud", "--last", "20d", "--builtin-rules", "deletion"}, 1, " findings (",
		},
		"a rule that nobody can evaluate": {
			[]string{"--service", "upcloud", "--builtin-rules", "repeated_failed_logins"}, 2, "A rule cannot be evaluated",
		},
		"strict": {
			[]string{"--service", "upcloud", "--rules", none, "--last", "2d", "--strict"}, 0, "Nothing was found in ",
		},
		"strict, with rules that cannot": {[]string{"--service", "upcloud", "--last", "2d", "--strict"}, 2, "(--strict)"},
		"beyond the retention": {
			[]string{"--service", "upcloud", "--rules", none, "--last", "200d"}, 2, "not everything could be checked",
		},
		"a gap": {
			[]string{"--service", "podstack", "--podstack-exports", exports, "--rules", none, "--last", "1d"},
			2,
			"not everything could be checked",
		},
		"no such service": {[]string{"--service", "moon"}, 2, "unknown"},
		"no file":         {[]string{"--service", "upcloud", "--rules", filepath.Join(dir, "absent")}, 2, "(--rules)"},
		"a bad file":      {[]string{"--service", "upcloud", "--rules", bad}, 2, "Line: 4"},
		"twice": {
			[]string{"--service", "upcloud", "--rules", none, "--builtin-rules", "deletion"}, 2, "(--builtin-rules)",
		},
		"no such rule": {[]string{"--service", "upcloud", "--builtin-rules", "deletions"}, 2, "No such rule is built in"},
		"no baseline":  {[]string{"--service", "upcloud", "--baseline", "soon"}, 2, "baseline"},
		"no findings":  {[]string{"--service", "upcloud", "--max-findings", "0"}, 2, "max_findings"},
		"no form":      {[]string{"--service", "upcloud", "--format", "yaml"}, 2, "--format"},
		"an end": {
			[]string{"--service", "upcloud", "--state", filepath.Join(dir, "s"), "--end", "2026-06-29T00:00:00Z"}, 2, "(--end)",
		},
		"a bad filter": {[]string{"--service", "upcloud", "--where", "entry.nothing"}, 2, "(--where)"},
		"nobody answers": {
			[]string{"--service", "upcloud", "--upcloud-endpoint", "http://127.0.0.1:1", "--max-retries", "0"},
			2,
			"cannot be reached",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			code, _, stderr := newGateWorld(t).check(t, tc.args...)
			if code != tc.code || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit code %d, want %d and %q\n%s", code, tc.code, tc.want, stderr)
			}
		})
	}
}

// TestCheckForms: each form is whole, and the exit code is the same.
func TestCheckForms(t *testing.T) {
	t.Parallel()

	w := newGateWorld(t)

	for format, want := range map[string]string{
		"table": "SEVERITY ", "json": `"clean": false`, "sarif": `"version": "2.1.0"`, "junit": "<testsuites ",
	} {
		if code, stdout, stderr := w.check(t, "--service", "upcloud", "--last", "5d", "--format", format); code != 1 ||
			!strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d\n%s\n%s", format, code, stdout, stderr)
		}
	}

	// Of a check that fails, CI systems are told as well.
	w.vars["UPCLOUD_TOKEN"] = "another-token"

	for format, want := range map[string]string{
		"table": "", "json": "", "sarif": `"executionSuccessful": false`, "junit": `errors="1"`,
	} {
		if code, stdout, stderr := w.check(t, "--service", "upcloud", "--last", "5d", "--format", format); code != 2 ||
			!strings.Contains(stdout, want) || want == "" && stdout != "" {
			t.Errorf("%s: exit code %d\n%s\n%s", format, code, stdout, stderr)
		}
	}
}

// checkedUntil is where a state says that the next check begins.
func checkedUntil(t *testing.T, path string) time.Time {
	t.Helper()

	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return time.Time{}
	}

	var state struct {
		CheckedUntil time.Time `json:"checked_until"`
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}

	if err != nil {
		t.Fatal(err)
	}

	return state.CheckedUntil
}

// TestCheckGoesOn: also after nights on which no check ran, every entry is looked at once.
func TestCheckGoesOn(t *testing.T) {
	t.Parallel()

	w := newGateWorld(t)
	state := filepath.Join(t.TempDir(), "state.json")
	all := rulesFile(t, "builtin_rules: []\nrules:\n  all:\n    where: entry.id != ''\n")
	args := []string{"--service", "cloudscale", "--rules", all, "--last", "24h", "--format", "json", "--state", state}
	began, counted := fakeapi.DefaultNow().Add(-11*24*time.Hour-time.Minute), int64(0)

	for _, days := range []int{10, 9, 8, 5, 4, 0} {
		w.now = fakeapi.DefaultNow().Add(-time.Duration(days) * 24 * time.Hour)

		code, stdout, stderr := w.check(t, args...)
		if code != 1 {
			t.Fatalf("%d days before: exit code %d\n%s", days, code, stderr)
		}

		var d gate.Document
		if err := json.Unmarshal([]byte(stdout), &d); err != nil {
			t.Fatal(err)
		}

		if d.WindowStart != began.Format("2006-01-02T15:04:05.000000Z") {
			t.Errorf("%d days before: begins at %s, want %s", days, d.WindowStart, began)
		}

		began, counted = checkedUntil(t, state), counted+d.EntryCount
		if want := w.now.Add(-time.Minute); !began.Equal(want) {
			t.Errorf("%d days before: checked until %s, want %s", days, began, want)
		}
	}

	w.now = fakeapi.DefaultNow()

	_, stdout, _ := w.check(t, "--service", "cloudscale", "--rules", all, "--format", "json",
		"--start", fakeapi.DefaultNow().Add(-11*24*time.Hour-time.Minute).Format(time.RFC3339), "--settle-delay", "1m")

	var whole gate.Document
	if err := json.Unmarshal([]byte(stdout), &whole); err != nil || whole.EntryCount != counted || counted == 0 {
		t.Errorf("%v; %d entries in parts, %d at once", err, counted, whole.EntryCount)
	}
}

// TestCheckAfterALongTime: what is no longer kept is named once, and then passed over.
func TestCheckAfterALongTime(t *testing.T) {
	t.Parallel()

	w := newGateWorld(t)
	state := filepath.Join(t.TempDir(), "state.json")
	none := rulesFile(t, "builtin_rules: []\nrules:\n  none:\n    where: entry.actor == 'nobody at all'\n")
	args := []string{"--service", "upcloud", "--rules", none, "--state", state}

	if code, _, stderr := w.check(t, args...); code != 0 {
		t.Fatal(code, stderr)
	}

	w.now = w.now.Add(200 * 24 * time.Hour)

	if code, _, stderr := w.check(t, args...); code != 2 || !strings.Contains(stderr, "retention") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}

	w.now = w.now.Add(24 * time.Hour)

	if code, _, stderr := w.check(t, args...); code != 0 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// full is a standard output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestCheckKeepsItsPlace: where a check did not come to its end, the next one begins again.
func TestCheckKeepsItsPlace(t *testing.T) {
	t.Parallel()

	w := newGateWorld(t)
	state := filepath.Join(t.TempDir(), "state.json")
	args := []string{"--service", "upcloud", "--last", "5d", "--state", state}

	w.out = full{}
	if code, _, stderr := w.check(t, args...); code != 2 || !strings.Contains(stderr, "no space left") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}

	w.out = nil
	if at := checkedUntil(t, state); !at.IsZero() {
		t.Error("nobody saw the verdict, and it counts as checked until", at)
	}

	w.fake.SetFaults([]fakeapi.Fault{{Name: "html", Rate: 1}})

	if code, _, stderr := w.check(t, args...); code != 2 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}

	if at := checkedUntil(t, state); !at.IsZero() {
		t.Error("nothing was read, and it counts as checked until", at)
	}

	w.fake.SetFaults(nil)

	if code, _, stderr := w.check(t, args...); code != 1 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}

	before := checkedUntil(t, state)

	// Another service, other rules, another query, another log, and somebody else at work.
	w.now = w.now.Add(time.Hour)

	for name, other := range map[string][]string{
		"another service":  {"--service", "cloudscale", "--state", state},
		"other rules":      {"--service", "upcloud", "--state", state, "--builtin-rules", "deletion"},
		"another query":    {"--service", "upcloud", "--state", state, "--operations", "delete"},
		"another account":  {"--service", "upcloud", "--state", state, "--upcloud-account", "somebody else"},
		"another endpoint": {"--service", "upcloud", "--state", state, "--upcloud-endpoint", "http://localhost:1"},
	} {
		if code, stdout, stderr := w.check(t, other...); code != 2 || stdout != "" || !strings.Contains(stderr, "(--state)") {
			t.Errorf("%s: exit code %d\n%s\n%s", name, code, stdout, stderr)
		}
	}

	lock, err := durable.Acquire(state, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}

	if code, _, stderr := w.check(t, args...); code != 2 || !strings.Contains(stderr, "Another check is using") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}

	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}

	if at := checkedUntil(t, state); !at.Equal(before) {
		t.Errorf("checked until %s, want %s", at, before)
	}

	if code, _, stderr := w.check(t, args...); code == 2 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
