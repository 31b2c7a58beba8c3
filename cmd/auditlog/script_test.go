// SPDX-License-Identifier: MPL-2.0

package main

import (
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"auditlog": main})
}

// TestScripts types commands as a user would, each script against fakes of its own. Their log ends at
// fakeapi.DefaultNow; the services tell the real time.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"shell": shell},
		UpdateScripts: os.Getenv("UPDATE_GOLDEN") != "",
		Setup: func(env *testscript.Env) error {
			fake, err := fakeapi.New(fakeapi.Options{Entries: 500, Seed: 1, Clock: time.Now})
			if err != nil {
				return err
			}
			upcloud, cloudscale := httptest.NewServer(fake.UpCloud()), httptest.NewServer(fake.Cloudscale())
			env.Defer(upcloud.Close)
			env.Defer(cloudscale.Close)
			for name, value := range map[string]string{
				"UPCLOUD_TOKEN": fakeapi.DefaultToken, "UPCLOUD_DEBUG_API_BASE_URL": upcloud.URL,
				"CLOUDSCALE_API_TOKEN": fakeapi.DefaultToken, "CLOUDSCALE_API_URL": cloudscale.URL,
				"TZ": "UTC", "NO_COLOR": "",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
	})
}

// shell runs a script in a shell, whose output has to be that of want.txt. A shell that is not here is named.
func shell(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: shell NAME [ARGUMENT...] FILE")
	}
	if _, err := exec.LookPath(args[0]); err != nil {
		ts.Logf("No %s on PATH: completion in it is left out.", args[0])
		return
	}
	ts.Check(ts.Exec(args[0], args[1:]...))
	if got, want := ts.ReadFile("stdout"), ts.ReadFile("want.txt"); got != want {
		ts.Fatalf("%s offers %q, want %q\n%s", args[0], got, want, ts.ReadFile("stderr"))
	}
}

// testEnvironment is a world without a terminal and without variables.
func testEnvironment(stdout, stderr io.Writer, now auditlog.Clock) environment {
	return environment{
		stdout: stdout, stderr: stderr, data: stdout, terminal: stderr, now: now,
		lookupEnv: func(string) (string, bool) { return "", false }, local: time.UTC,
	}
}
