// SPDX-License-Identifier: MPL-2.0

package follow_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// The test runs itself with these set to be killed.
const (
	envEndpoint = "FOLLOW_TEST_ENDPOINT"
	envNow      = "FOLLOW_TEST_NOW"
	envService  = "FOLLOW_TEST_SERVICE"
	envPlace    = "FOLLOW_TEST_PLACE"
	envFiles    = "FOLLOW_TEST_FILES"
)

// followInProcess is what a process does that is killed.
func followInProcess(t *testing.T) {
	t.Helper()

	endpoint, err := url.Parse(os.Getenv(envEndpoint))
	if err != nil {
		t.Fatal(err)
	}

	now, err := time.Parse(time.RFC3339, os.Getenv(envNow))
	if err != nil {
		t.Fatal(err)
	}

	clock := func() time.Time { return now }
	c := client.New(client.Options{
		Endpoint: endpoint, Authorization: "Bearer " + fakeapi.DefaultToken, UserAgent: "test",
		RequestTimeout: time.Minute, MaxConcurrency: 1, Clock: clock,
	})

	var (
		service auditlog.Service = upcloud.New(c, clock, 0)
		out     follow.Output
	)

	if os.Getenv(envService) == auditlog.ServiceCloudscale {
		service = cloudscale.New(c, clock, 0)
	}

	if os.Getenv(envFiles) != "" {
		out, err = sink.OpenDirectory(os.Getenv(envPlace), sink.Encoding{}, durable.Options{})
	} else {
		var s *sink.Writer
		if s, err = sink.NewWriter(os.Stdout, sink.Encoding{}); err == nil {
			out, err = sink.Keep(s, os.Getenv(envPlace), durable.Options{})
		}
	}

	if err != nil {
		t.Fatal(err)
	}

	err = follow.New(follow.Options{
		Open: func(context.Context) (auditlog.Service, error) { return service, nil }, Since: begin.Add(-time.Hour),
		Overlap: 10 * time.Minute, SettleDelay: time.Minute, Span: 10 * time.Minute, Once: true, Output: out, Clock: clock,
	}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	os.Exit(0) //nolint:revive // The test is the process.
}

// Processes are killed by the operating system at random moments.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()

	if os.Getenv(envEndpoint) != "" {
		followInProcess(t)
	}

	if raceflag.Enabled {
		t.Skip("the race detector slows the start of every process that is killed; make simulate runs this without it")
	}

	for _, name := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		for _, files := range []string{"", "files"} {
			t.Run(name+" "+files, func(t *testing.T) {
				t.Parallel()

				w := newWorld(t, name, 77)
				random := rand.New(rand.NewPCG(77, 3))
				place := filepath.Join(t.TempDir(), "place")

				var (
					out      []byte
					unbroken time.Duration
					kills    int
				)

				// run is one process, which is killed after a while unless that is 0.
				run := func(limit time.Duration) {
					cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcesses$")
					cmd.Env = append(os.Environ(), envEndpoint+"="+w.cloud.Info().Source.Endpoint, envService+"="+name,
						envNow+"="+w.clock().Format(time.RFC3339), envPlace+"="+place, envFiles+"="+files)

					var written, said bytes.Buffer

					cmd.Stdout, cmd.Stderr = &written, &said
					begun := time.Now()

					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}

					if limit > 0 {
						defer time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }).Stop()
					}

					err := cmd.Wait()

					switch exit := (*exec.ExitError)(nil); {
					case err == nil:
						unbroken = time.Since(begun)
					case errors.As(err, &exit) && !exit.Exited():
						kills++
					default:
						t.Fatalf("%v: %s %s", err, written.String(), said.String())
					}

					// A line that broke off is none.
					text := written.Bytes()
					out = append(out, text[:bytes.LastIndexByte(text, '\n')+1]...)
				}

				run(0)

				for range 20 {
					for range 3 {
						w.happen(40, w.clock().Add(-time.Duration(random.IntN(5))*time.Minute))
						w.pass(5 * time.Minute)
					}

					run(time.Duration(1 + random.Int64N(int64(unbroken)*3/2)))
				}

				w.pass(time.Hour)
				run(0)

				ids, mayRepeat := idsOf(t, out), map[string]bool{}
				if files != "" {
					ids = idsIn(t, place)
				}

				// What standard output has taken may come again after a kill, and here any of them may have been.
				for _, id := range ids {
					mayRepeat[id] = files == ""
				}

				w.checkTaken(ids, mayRepeat)
				t.Logf("%d processes were killed", kills)

				if kills < 3 {
					t.Error("the test has lost its grip")
				}
			})
		}
	}
}
