// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/bench/cost"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// providerName is what Terraform starts.
const providerName = "terraform-provider-audit"

// workspace is a directory of a root module that reads with our provider.
type workspace struct {
	dir, terraform string
	env            []string
}

// newWorkspace writes the configuration of one look-up, whose arguments are lines of HCL.
func newWorkspace(o *options, service string, at endpoints, arguments string) (*workspace, error) {
	dir, err := os.MkdirTemp(o.scratch, "terraform")
	if err != nil {
		return nil, err
	}

	if err := os.Symlink(o.provider, filepath.Join(dir, providerName)); err != nil {
		return nil, err
	}

	files := map[string]string{
		"main.tf": fmt.Sprintf(`
terraform {
  required_providers {
    audit = { source = "auditlogs/audit" }
  }
}

data "audit_logs" "x" {
  service = %q
%s

  lifecycle {
    postcondition {
      condition     = self.completeness.conclusive
      error_message = "The log does not show everything."
    }
  }
}

output "total" {
  value = data.audit_logs.x.total_count
}
`, service, arguments),
		"terraform.rc": fmt.Sprintf(`
disable_checkpoint = true
provider_installation {
  dev_overrides {
    "registry.terraform.io/auditlogs/audit" = %[1]q
    "registry.opentofu.org/auditlogs/audit" = %[1]q
  }
  direct {}
}
`, dir),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}

	return &workspace{dir: dir, terraform: o.terraform, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CHECKPOINT_DISABLE=1",
		"TF_CLI_CONFIG_FILE=" + filepath.Join(dir, "terraform.rc"),
		cost.UsageEnv + "=" + filepath.Join(dir, "usage"),
		"UPCLOUD_TOKEN=" + fakeapi.DefaultToken, "UPCLOUD_DEBUG_API_BASE_URL=" + at.UpCloud,
		"CLOUDSCALE_API_TOKEN=" + fakeapi.DefaultToken, "CLOUDSCALE_API_URL=" + at.Cloudscale,
	}}, nil
}

// runs is Terraform with a state that does not exist yet. Of its samples the wall clock is Terraform's, and the CPU is
// that of the provider, all its processes together.
func (w *workspace) runs(arguments ...string) runner {
	return func(ctx context.Context, env ...string) (sample, error) {
		for _, name := range []string{"terraform.tfstate", "usage"} {
			if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
				return sample{}, err
			}
		}

		cmd := exec.CommandContext(ctx, w.terraform, append(arguments, "-no-color", "-input=false")...)
		cmd.Dir, cmd.Env = w.dir, slices.Concat(w.env, env)

		begun := time.Now()

		out, err := cmd.CombinedOutput()
		if err != nil {
			return sample{}, fmt.Errorf("%w\n%s", err, out)
		}

		s := sample{Wall: time.Since(begun).Seconds()}

		lines, err := os.ReadFile(filepath.Join(w.dir, "usage"))
		if err != nil {
			return sample{}, err
		}

		for line := range strings.FieldsSeq(string(lines)) {
			cpu, err := strconv.ParseFloat(line, 64)
			if err != nil {
				return sample{}, err
			}

			s.CPU += cpu
		}

		_, total, _ := strings.Cut(string(out), `+ total = `)
		_, err = fmt.Sscan(total, &s.Entries)

		return s, err
	}
}
