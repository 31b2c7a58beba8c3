// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/sarif/sariftest"
)

// driftRun types a command in the world of the month in which the fixtures of package drift were changed.
func driftRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()

	month, err := os.Open(filepath.Join("..", "..", "internal", "drift", "testdata", "month.ndjson"))
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = month.Close() }()

	now := time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)

	fake, err := fakeapi.New(fakeapi.Options{Now: now, NoExamples: true})
	if err != nil {
		t.Fatal(err)
	}

	if err := fake.Load(month); err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(fake.UpCloud())
	t.Cleanup(server.Close)

	var out, errs bytes.Buffer

	env := testEnvironment(&out, &errs, func() time.Time { return now })
	env.lookupEnv = func(name string) (string, bool) {
		value := map[string]string{"UPCLOUD_TOKEN": fakeapi.DefaultToken, "UPCLOUD_DEBUG_API_BASE_URL": server.URL}[name]

		return value, value != ""
	}

	code = run(t.Context(), args, env)

	return code, out.String(), errs.String()
}

func fixture(name string) string {
	return filepath.Join("..", "..", "internal", "drift", "testdata", name)
}

// 0 is none, 1 is some, 2 is that it cannot be told.
func TestDriftExitCodes(t *testing.T) {
	t.Parallel()

	quiet := []string{"--start", "2026-06-16T00:00:00Z", "--end", "2026-06-17T00:00:00Z"}

	for name, test := range map[string]struct {
		args []string
		want int
	}{
		"some":                 {[]string{"--last", "30d", fixture("plan.json")}, 1},
		"some in a state":      {[]string{"--last", "30d", "--state", fixture("state.json")}, 1},
		"none":                 {append(quiet, fixture("plan-clean.json")), 0},
		"none, strictly":       {append(quiet, "--strict", fixture("plan-clean.json")), 2},
		"beyond the retention": {append(quiet, "--upcloud-retention", "1d", fixture("plan-clean.json")), 2},
		"no file":              {[]string{"nothing.json"}, 2},
		"no plan":              {[]string{fixture("saved-plan")}, 2},
		"nothing":              {nil, 2},
		"a condition that is wrong": {
			[]string{"--last", "30d", "--pipeline-where", "entry.raw.nothing == 1", fixture("plan.json")}, 2,
		},
	} {
		args := append([]string{"drift", "--pipeline-actors", "terraform-ci"}, test.args...)
		if code, _, errs := driftRun(t, args...); code != test.want {
			t.Errorf("%s: exit code %d, want %d\n%s", name, code, test.want, errs)
		}
	}
}

func TestDriftJSON(t *testing.T) {
	t.Parallel()

	_, out, _ := driftRun(t, "drift", "--last", "30d", "--pipeline-actors", "terraform-ci", "--format", "json",
		fixture("plan.json"))

	var got map[string]json.RawMessage
	if err := exactjson.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}

	for key, want := range map[string]int{"changed": 4, "deleted": 1, "created": 1, "unexplained": 6} {
		var rows []json.RawMessage
		if err := exactjson.Unmarshal(got[key], &rows); err != nil || len(rows) != want {
			t.Errorf("%s: %d rows, %v", key, len(rows), err)
		}
	}

	if len(got["completeness"]) == 0 {
		t.Error("the completeness is missing")
	}
}

func TestDriftSARIF(t *testing.T) {
	t.Parallel()

	_, out, _ := driftRun(t, "drift", "--last", "30d", "--pipeline-actors", "terraform-ci", "--format", "sarif",
		fixture("plan.json"))

	log, err := sarif.FromString(out)
	if err != nil {
		t.Fatal(err)
	}

	if err := sariftest.Check(t, []byte(out)); err != nil {
		t.Error(err)
	}

	if len(log.Runs) != 1 || len(log.Runs[0].Results) != 12 || len(log.Runs[0].Tool.Driver.Rules) != 4 {
		t.Errorf("got %s", out)
	}

	_, out, _ = driftRun(t, "drift", "--start", "2026-06-16T00:00:00Z", "--end", "2026-06-17T00:00:00Z",
		"--pipeline-actors", "terraform-ci", "--format", "sarif", fixture("plan-clean.json"))

	// Code scanning takes no log without a list of results.
	if !strings.Contains(out, `"results": []`) {
		t.Errorf("got %s", out)
	}
}

// A plan that OpenTofu made of the same resources comes to the same as Terraform's, and what it encrypted is refused.
func TestDriftOfOpenTofu(t *testing.T) {
	t.Parallel()

	args := []string{
		"drift", "--last", "30d", "--pipeline-actors", "terraform-ci", "--as-of", "2026-07-01T00:00:00Z", "--format", "json",
	}

	for _, name := range []string{"plan.json", "state.json", "state-show.json"} {
		code, want, _ := driftRun(t, append(args, fixture(name))...)

		gotCode, got, errs := driftRun(t, append(args, fixture(filepath.Join("opentofu", name)))...)
		if diff := cmp.Diff(want, got); code != 1 || gotCode != 1 || diff != "" {
			t.Errorf("%s: exit codes %d and %d\n%s\n%s", name, code, gotCode, errs, diff)
		}
	}

	for _, name := range []string{"encrypted-plan", "encrypted-state"} {
		code, out, errs := driftRun(t, append(args, fixture(filepath.Join("opentofu", name)))...)
		for _, want := range []string{
			"The file is encrypted, as OpenTofu can write states and plans.",
			"Give what tofu show -json prints, or tofu state pull, which decrypt it.",
		} {
			if code != 2 || out != "" || !strings.Contains(errs, want) {
				t.Errorf("%s: exit code %d, want %q\n%s%s", name, code, want, out, errs)
			}
		}
	}

	_, _, errs := driftRun(t, append(args, fixture(filepath.Join("opentofu", "own-plan-exclude.json")))...)
	if !strings.Contains(errs, "The plan leaves resources out") {
		t.Errorf("nothing is said of the resource that is excluded:\n%s", errs)
	}
}

// What was created after the state was written is said to be so, since the state could not hold it.
func TestDriftAfterState(t *testing.T) {
	t.Parallel()

	const note = "It was created after the state was written"

	for asOf, want := range map[string]bool{"2026-06-01T00:00:00Z": true, "2026-06-30T00:00:00Z": false} {
		_, out, _ := driftRun(t, "drift", "--last", "30d", "--pipeline-actors", "terraform-ci", "--as-of", asOf,
			fixture("plan.json"))
		if strings.Contains(out, note) != want {
			t.Errorf("as of %s:\n%s", asOf, out)
		}
	}
}
