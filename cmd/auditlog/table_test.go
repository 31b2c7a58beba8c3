// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// onTerminal runs a command against a fake whose time stands still, on a terminal of so many columns.
func onTerminal(
	t *testing.T, columns int, variables map[string]string, args ...string,
) (code int, stdout, stderr string) {
	t.Helper()
	fake, err := fakeapi.New(fakeapi.Options{Entries: 60, Seed: 4, NoExamples: true})
	if err != nil {
		t.Fatal(err)
	}
	reset := "\x1b[2J\u202eevil\nnext"
	fake.AppendCloudscale(fakeapi.CloudscaleRecord{
		Timestamp: fake.Now().Add(-time.Second), Action: "server_delete", Message: reset,
		Subject: &fakeapi.CloudscaleSubject{}, Actor: fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: reset}},
	})
	server := httptest.NewServer(fake.Cloudscale())
	defer server.Close()
	var out, errs bytes.Buffer
	env := testEnvironment(&out, &errs, fake.Now)
	env.columns = columns
	env.lookupEnv = func(name string) (string, bool) {
		value, ok := map[string]string{
			"CLOUDSCALE_API_TOKEN": fakeapi.DefaultToken, "CLOUDSCALE_API_URL": server.URL, "TERM": "xterm",
		}[name]
		if own, mine := variables[name]; mine {
			return own, true
		}
		return value, ok
	}
	code = run(t.Context(), args, env)
	return code, out.String(), errs.String()
}

// TestTablesFitTheTerminal, and nothing in a name reaches it that moves the cursor or turns text around.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{1, 20, 79, 80, 120, 300} {
		code, out, errs := onTerminal(t, columns, nil, "query", "--last", "20d")
		if code != 0 || !strings.Contains(errs, "Complete") {
			t.Fatalf("%d columns: exit code %d, %s", columns, code, errs)
		}
		golden(t, "table-"+strconv.Itoa(columns)+".txt", out)
		plain := text.StripEscape(out)
		if strings.Contains(plain, "\x1b") || strings.ContainsAny(plain, "\u202e\r") || !strings.Contains(plain, `\u202e`) {
			t.Errorf("%d columns: something reaches the terminal that must not", columns)
		}
		for line := range strings.Lines(plain) {
			if width := text.StringWidth(strings.TrimSuffix(line, "\n")); strings.HasPrefix(plain, "TIME") && width > columns {
				t.Errorf("%d columns: a line of %d: %s", columns, width, line)
			}
		}
	}
}

// TestDoctorPaintsVerdicts, and shows no colour as text.
func TestDoctorPaintsVerdicts(t *testing.T) {
	t.Parallel()

	code, out, errs := onTerminal(t, 80, nil, "doctor", "--service", "cloudscale")
	if code != exitDone {
		t.Fatalf("exit code %d, %s", code, errs)
	}

	if !strings.Contains(out, text.FgGreen.Sprint("ok     ")) || strings.Contains(out, `\u001b`) {
		t.Errorf("the verdicts are not green: %q", out)
	}
}

// TestColoursAreWanted: NO_COLOR, a terminal that has none, and everything that is no terminal.
func TestColoursAreWanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		columns   int
		variables map[string]string
		want      bool
	}{
		"a terminal": {120, nil, true},
		"NO_COLOR":   {120, map[string]string{"NO_COLOR": "1"}, false},
		"dumb":       {120, map[string]string{"TERM": "dumb"}, false},
		"a file":     {0, nil, false},
	} {
		_, out, _ := onTerminal(t, tc.columns, tc.variables, "query", "--last", "20d", "--format", "table")
		if got := strings.Contains(out, "\x1b[31m"); got != tc.want {
			t.Errorf("%s: coloured %t", name, got)
		}
	}
}

// TestNothingIsPrintedThatIsNotProven: a log that cannot be read to its end is no shorter list.
func TestNothingIsPrintedThatIsNotProven(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"table", "ndjson", "json", "csv"} {
		fake, err := fakeapi.New(fakeapi.Options{
			Entries: 3000, Seed: 4, Faults: []fakeapi.Fault{{Name: "500", Rate: 0.5}},
		})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(fake.Cloudscale())
		t.Cleanup(server.Close)
		var out, errs bytes.Buffer
		env := testEnvironment(&out, &errs, fake.Now)
		env.lookupEnv = func(name string) (string, bool) {
			value, ok := map[string]string{
				"CLOUDSCALE_API_TOKEN": fakeapi.DefaultToken, "CLOUDSCALE_API_URL": server.URL,
			}[name]
			return value, ok
		}
		code := run(t.Context(), []string{"query", "--last", "30d", "--format", format, "--max-retries", "0"}, env)
		if code != 2 || out.Len() > 0 || !strings.Contains(errs.String(), "Error: Read cloudscale audit logs") {
			t.Errorf("%s: exit code %d, %d bytes, %s", format, code, out.Len(), errs.String())
		}
	}
}

// golden compares with a file. UPDATE_GOLDEN=1 rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what it was; UPDATE_GOLDEN=1 rewrites it:\n%s", path, got)
	}
}
