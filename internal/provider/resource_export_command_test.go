// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestAccExport_commandWritesTheSame: what Terraform exports and what the command exports are the same bytes, and the
// manifests differ only in when they were written.
func TestAccExport_commandWritesTheSame(t *testing.T) {
	t.Parallel()

	bin := filepath.Join(t.TempDir(), executable("auditlog"))
	run(t, "../..", nil, "go", "build", "-ldflags", "-X main.version=test", "-o", bin, "./cmd/auditlog")

	now := time.Now().UTC().Truncate(time.Second)
	w := newWorld(t, fakeapi.Options{Entries: 700, Seed: 21, Now: now, Clock: time.Now})
	start, end := now.Add(-20*24*time.Hour).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)

	cases := []struct {
		service, format, arguments string
		flags                      []string
	}{
		{"upcloud", "csv", ``, nil},
		{"cloudscale", "csv", `csv = { delimiter = ";", bom = true }`, []string{"--csv-delimiter", ";", "--csv-bom"}},
		{"upcloud", "ndjson", `redact = { actor = "hash", ip_address = "mask" }`, []string{"--redact", "actor=hash,ip_address=mask"}},
		{
			"upcloud", "json", `columns = ["time", "action"]
  operations = ["delete", "create"]
  search = "CREATE"`, []string{"--columns", "time,action", "--operations", "delete", "--operations", "create", "--search", "CREATE"},
		},
		{"cloudscale", "ndjson", `shape = "ocsf"`, []string{"--shape", "ocsf"}},
		{"cloudscale", "parquet", `where = "entry.operation == \"delete\""`, []string{"--where", "entry.operation == \"delete\""}},
		{"upcloud", "ndjson", `compression = "gzip"
  resource_types = ["server"]
  actors = ["ci-deploy", "terraform-ci"]`, []string{"--compression", "gzip", "--resource-types", "server", "--actors", "ci-deploy,terraform-ci"}},
		{"upcloud", "csv", `spreadsheet_safe = false
  ip_addresses = ["203.0.113.0/24"]`, []string{"--no-spreadsheet-safe", "--ip-addresses", "203.0.113.0/24"}},
	}

	var config strings.Builder

	for i, c := range cases {
		_, _ = fmt.Fprintf(&config, `
resource "audit_log_export" "a%d" {
  service = %q
  format  = %q
  path    = %q
  start   = %q
  end     = %q
  %s
}
`, i, c.service, c.format, w.file(fmt.Sprintf("terraform/%d", i)), start, end, c.arguments)
	}

	const key = "a key of more than sixteen characters"
	w.env["AUDIT_REDACTION_KEY"] = key

	w.test(resource.TestStep{Config: w.config(config.String()), Check: func(*terraform.State) error {
		var errs []error

		for i, c := range cases {
			name := fmt.Sprint(i)
			args := append([]string{
				"export", "--service", c.service, "--format", c.format, "--path", w.file("command/" + name),
				"--start", start, "--end", end,
			}, c.flags...)

			run(t, w.dir, []string{
				"UPCLOUD_TOKEN=" + fakeapi.DefaultToken, "UPCLOUD_DEBUG_API_BASE_URL=" + w.upcloud,
				"CLOUDSCALE_API_TOKEN=" + fakeapi.DefaultToken, "CLOUDSCALE_API_URL=" + w.cloudscale, "AUDIT_REDACTION_KEY=" + key,
			}, bin, args...)

			for _, suffix := range []string{"", ".manifest.json"} {
				ours, theirs := w.read("terraform/"+name+suffix), w.read("command/"+name+suffix)
				if suffix != "" {
					ours, theirs = timeless(t, ours), timeless(t, theirs)
				} else if len(ours) < 100 {
					errs = append(errs, fmt.Errorf("%s holds next to nothing: %q", name, ours))
				}

				if ours != theirs {
					errs = append(errs, fmt.Errorf("%d%s differs: %s", i, suffix, firstDifference(ours, theirs)))
				}
			}
		}

		return errors.Join(errs...)
	}})
}

// firstDifference shows where two texts begin to differ.
func firstDifference(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}

	around := func(text string) string { return text[max(n-80, 0):min(n+80, len(text))] }

	return fmt.Sprintf("%q and %q", around(a), around(b))
}

// timeless is a manifest without what says when it was written.
func timeless(t *testing.T, manifest string) string {
	t.Helper()

	var fields map[string]any
	if err := json.Unmarshal([]byte(manifest), &fields); err != nil {
		t.Fatal(err)
	}

	if fields["exported_at"] == nil {
		t.Error("the manifest does not say when it was written")
	}

	delete(fields, "exported_at")

	// The fakes' clock stands still, and the command's does not.
	if c, ok := fields["completeness"].(map[string]any); ok {
		delete(c, "clock_skew_seconds")
	}

	text, err := json.MarshalIndent(fields, "", " ")
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}
