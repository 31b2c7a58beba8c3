// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestAccTraceLogNamesNoOne runs a real Terraform with the real binary, since
// what ends up in a log is decided by both: no credential, no actor and no
// address may be in it.
func TestAccTraceLogNamesNoOne(t *testing.T) {
	t.Parallel()

	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests run with TF_ACC=1")
	}

	w := newWorld(t, fakeapi.Options{
		Entries: 300, NoExamples: true, Seed: 12, Token: "ucat_SECRET-TOKEN", Username: "SECRET-USER",
		Password: "SECRET-PASSWORD",
		Faults:   []fakeapi.Fault{{Name: "503", Times: 2}, {Name: "truncate", Times: 1}},
		Clock:    time.Now, // The provider is a program of its own.
	})
	actor := w.fake.UpCloudRecords()[0].AccountUsername

	w.write("main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    audit = { source = "auditlogs/audit" }
  }
}

provider "audit" {
  upcloud        = { endpoint = %q }
  cloudscale     = { token = "ucat_SECRET-TOKEN", endpoint = %q }
  retry_wait_min = "1ms"
}

data "audit_logs" "upcloud" {
  service = "upcloud"
  start   = "2026-05-01T00:00:00Z"
  end     = "2026-07-01T00:00:00Z"
}

data "audit_logs" "cloudscale" {
  service         = "cloudscale"
  start           = "2026-05-01T00:00:00Z"
  end             = "2026-07-01T00:00:00Z"
  include_entries = false
}

data "audit_log_filter_options" "upcloud" {
  service = "upcloud"
}

resource "audit_log_export" "test" {
  service = "upcloud"
  start   = "2026-05-01T00:00:00Z"
  end     = "2026-07-01T00:00:00Z"
  path    = "a.csv"
  format  = "csv"
}
`, w.upcloud, w.cloudscale))

	bin := t.TempDir()
	w.write("cli.tfrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"registry.terraform.io/auditlogs/audit\" = %[1]q\n    \"registry.opentofu.org/auditlogs/audit\" = %[1]q\n  }\n  direct {}\n}\n", bin))

	run(t, "../..", nil, "go", "build", "-o", filepath.Join(bin, executable("terraform-provider-audit")), ".")
	run(t, w.dir, []string{
		"TF_LOG=TRACE", "TF_LOG_PATH=" + w.file("trace.log"), "TF_CLI_CONFIG_FILE=" + w.file("cli.tfrc"),
		"CHECKPOINT_DISABLE=1",
		"UPCLOUD_USERNAME=SECRET-USER", "UPCLOUD_PASSWORD=SECRET-PASSWORD",
	}, terraformPath(t), "apply", "-auto-approve", "-no-color")

	log := w.read("trace.log")
	if n := strings.Count(log, "Audit log request"); n < 5 {
		t.Errorf("only %d requests are in the log", n)
	}

	if !strings.Contains(w.read("a.csv"), actor) || !strings.Contains(w.read("terraform.tfstate"), actor) {
		t.Error("the actor is not even in the results")
	}

	secrets := map[string]bool{"SECRET": true, "Basic ": true, "Bearer ": true}
	for _, r := range w.fake.UpCloudRecords() {
		secrets[r.AccountUsername], secrets[r.IPAddress] = true, true
	}

	delete(secrets, "")
	delete(secrets, "upcloud") // The service's own name is an actor, too.

	for _, r := range w.fake.CloudscaleRecords() {
		if r.Actor.User != nil {
			secrets[r.Actor.User.Email] = true
		}
	}

	for secret := range secrets {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("the log holds %q: …%s…", secret, log[max(at-200, 0):min(at+100, len(log))])
		}
	}
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}

	return name
}

func terraformPath(t *testing.T) string {
	t.Helper()

	if p := os.Getenv("TF_ACC_TERRAFORM_PATH"); p != "" {
		return p
	}

	p, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatal(err)
	}

	return p
}

func run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)

	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
