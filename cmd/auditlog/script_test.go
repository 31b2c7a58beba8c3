// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"auditlog": main})
}

// TestScripts types commands as a user would, each script against fakes of its own. Their log ends at
// fakeapi.DefaultNow; the services tell the real time.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"shell": shell, "guide": guide,
		},
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
			return plantMonth(env)
		},
	})
}

// plantMonth serves the month in which the fixtures of package drift were changed, and copies the plans and states.
func plantMonth(env *testscript.Env) error {
	fixtures := filepath.Join("..", "..", "internal", "drift", "testdata")
	month, err := os.Open(filepath.Join(fixtures, "month.ndjson"))
	if err != nil {
		return err
	}
	defer func() { _ = month.Close() }()
	fake, err := fakeapi.New(fakeapi.Options{Clock: time.Now, NoExamples: true})
	if err != nil {
		return err
	}
	if err := fake.Load(month); err != nil {
		return err
	}
	upcloud, cloudscale := httptest.NewServer(fake.UpCloud()), httptest.NewServer(fake.Cloudscale())
	env.Defer(upcloud.Close)
	env.Defer(cloudscale.Close)
	env.Setenv("MONTH_UPCLOUD", upcloud.URL)
	env.Setenv("MONTH_CLOUDSCALE", cloudscale.URL)
	if err := os.Mkdir(filepath.Join(env.WorkDir, "tf"), 0o700); err != nil {
		return err
	}
	for _, name := range []string{"plan.json", "plan-clean.json", "state.json", "state-show.json", "saved-plan"} {
		text, err := os.ReadFile(filepath.Join(fixtures, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(env.WorkDir, "tf", name), text, 0o600); err != nil {
			return err
		}
	}
	return archiveMonth(env, upcloud.URL)
}

// archiveMonth makes an archive of UpCloud's month in the directory tf/archive.
func archiveMonth(env *testscript.Env, endpoint string) error {
	ctx := context.Background()
	config := source.Config{UpCloud: &source.UpCloud{Endpoint: endpoint, Retention: "30000d"}}
	sources := source.Configure(config, source.Options{
		Tool: "test", Clock: time.Now, Log: func(context.Context, string, map[string]any) {},
		LookupEnv: func(name string) (string, bool) { return fakeapi.DefaultToken, name == "UPCLOUD_TOKEN" },
	})
	service, wrong, _ := sources.Open(ctx, "Archive", source.Log{Service: auditlog.ServiceUpCloud})
	if wrong.HasError() {
		return wrong[0]
	}
	store, err := durable.OpenStore(ctx, filepath.Join(env.WorkDir, "tf", "archive"), durable.StoreOptions{})
	if err != nil {
		return err
	}
	a, err := archive.Open(ctx, archive.Options{
		Store: store, Service: service, Start: time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC), Overlap: time.Hour,
		Format: format.NDJSON, Compression: format.Uncompressed, Clock: time.Now, Tool: "test",
	})
	if err != nil {
		return err
	}
	_, err = a.Append(ctx)
	return err
}

// guide types what a guide shows: each block of sh, which prints the block of text behind it, where there is one. A
// line of three dots stands for any lines.
func guide(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: guide FILE")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "templates", "guides", args[0]))
	ts.Check(err)
	blocks := guideBlocks.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		ts.Fatalf("%s shows no command", args[0])
	}
	for _, block := range blocks {
		failed := ts.Exec("sh", "-c", block[1]) // The answer of a command may be no.
		printed := ts.ReadFile("stdout")
		if failed != nil && printed == "" {
			ts.Fatalf("%s: %v\n%s", block[1], failed, ts.ReadFile("stderr"))
		}
		for part := range strings.SplitSeq(block[2], "…\n") {
			before, after, shown := strings.Cut(printed, part)
			if !shown || before != "" && !strings.HasSuffix(before, "\n") {
				ts.Fatalf("%s prints\n%s\nwhich does not hold\n%s", block[1], printed, part)
			}
			printed = after
		}
	}
}

var guideBlocks = regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")

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
