// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// twins holds the ephemeral resource, as echoed into a state, against the data
// source of the same configuration.
type twins struct{}

// CheckState implements statecheck.StateCheck.
func (twins) CheckState(_ context.Context, req statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse) {
	found := map[string]map[string]any{}
	for _, r := range req.State.Values.RootModule.Resources {
		found[r.Address] = r.AttributeValues
	}

	echoed, ok := found["echo.test"]["data"].(map[string]any)
	if !ok || len(echoed) == 0 {
		resp.Error = errors.New("nothing was echoed")

		return
	}

	// One is opened, the other read.
	delete(echoed, "timeouts")
	delete(found[logs], "timeouts")

	if diff := cmp.Diff(found[logs], echoed); diff != "" {
		resp.Error = errors.New(diff)
	}
}

func TestAccEphemeralAuditLogs_twin(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 400, Seed: 3})
	factories := w.factories()
	factories["echo"] = echoprovider.NewProviderServer()

	step := func(arguments string) resource.TestStep {
		return resource.TestStep{
			Config: w.config(fmt.Sprintf(`
data "audit_logs" "test" {
%[1]s
}

ephemeral "audit_logs" "test" {
%[1]s
}

provider "echo" { data = ephemeral.audit_logs.test }
resource "echo" "test" {}
`, arguments)),
			ConfigStateChecks: []statecheck.StateCheck{twins{}},
		}
	}

	// The echo remembers what it was created with, so each step has a world of its own.
	for _, arguments := range []string{
		`service = "upcloud"
		last = "7d"
		include_raw = true
		order = "newest_first"`,
		`service = "cloudscale"
		last = "30d"
		operations = ["delete"]
		redact = { actor = "drop" }
		timeouts = { }`,
		`service = "upcloud"
		last = "7d"
		include_entries = false`,
	} {
		resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: factories, Steps: []resource.TestStep{step(arguments)}})
	}
}

func TestAccEphemeralAuditLogs_errors(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 400, Seed: 3})

	w.test(
		resource.TestStep{
			Config: w.config(`ephemeral "audit_logs" "test" {
  service = "upcloud"
  last    = "7d"
  start   = "2026-06-01T00:00:00Z"
}`),
			ExpectError: diagnostic("Check the query", `The window is given twice: by last and by start or end.

Give either last, or start and end.`),
		},
		resource.TestStep{
			Config: w.config(`ephemeral "audit_logs" "test" {
  service     = "upcloud"
  last        = "7d"
  max_entries = 1
}`),
			ExpectError: diagnostic("Look up audit logs", `More entries match than may go into Terraform's state.

Service: upcloud
Matches: …
max_entries: 1
Window: …

Narrow the query, raise max_entries (at most 10000), set on_overflow = "keep_newest", set include_entries = false if counts are enough, or write them to a file with audit_log_export.`),
		},
		resource.TestStep{
			Config: w.config(`ephemeral "audit_logs" "test" {
  service    = "upcloud"
  last       = "30d"
  operations = ["delete"]

  lifecycle {
    postcondition {
      condition     = self.total_count == 0
      error_message = "Something was deleted."
    }
  }
}`),
			ExpectError: diagnostic("Resource postcondition failed", "Something was deleted."),
		},
	)
}

// TestEphemeralTwinHasEveryAttribute: an attribute that the data source gains,
// its twin gains as well.
func TestEphemeralTwinHasEveryAttribute(t *testing.T) {
	t.Parallel()

	var (
		d datasource.SchemaResponse
		e ephemeral.SchemaResponse
	)

	provider.NewAuditLogsDataSource().Schema(t.Context(), datasource.SchemaRequest{}, &d)
	provider.NewAuditLogsEphemeral().Schema(t.Context(), ephemeral.SchemaRequest{}, &e)

	type attribute struct {
		Description                             string
		Kind                                    string
		Required, Optional, Computed, Sensitive bool
	}

	source, twin := map[string]attribute{}, map[string]attribute{}

	for name, a := range d.Schema.Attributes {
		source[name] = attribute{
			a.GetMarkdownDescription(), a.GetType().String(), a.IsRequired(), a.IsOptional(),
			a.IsComputed(), a.IsSensitive(),
		}
	}

	for name, a := range e.Schema.Attributes {
		twin[name] = attribute{
			a.GetMarkdownDescription(), a.GetType().String(), a.IsRequired(), a.IsOptional(),
			a.IsComputed(), a.IsSensitive(),
		}
	}

	delete(source, "timeouts") // Opened, not read.
	delete(twin, "timeouts")

	if diff := cmp.Diff(source, twin); diff != "" {
		t.Error(diff)
	}
}
