// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// A condition finds what the same filter finds by arguments.
func TestAccWhere_sameAsArguments(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 150, Seed: 7})

	pair := func(name, service, arguments, where string) string {
		return fmt.Sprintf(`
data "audit_logs" "%[1]s_arguments" {
  service = %[2]q
  last    = "30d"
  %[3]s
}
data "audit_logs" "%[1]s_where" {
  service = %[2]q
  last    = "30d"
  where   = <<-EOT
    %[4]s
  EOT
}
output %[1]q {
  value = {
    same  = jsonencode(data.audit_logs.%[1]s_arguments.entries) == jsonencode(data.audit_logs.%[1]s_where.entries)
    found = data.audit_logs.%[1]s_where.total_count > 0
    less  = data.audit_logs.%[1]s_where.total_count < data.audit_logs.%[1]s_where.completeness.rows_fetched
  }
}`, name, service, arguments, where)
	}

	var config strings.Builder

	checks := []statecheck.StateCheck{}

	for name, c := range map[string]struct{ service, arguments, where string }{
		"operations": {"upcloud", `operations = ["delete", "update"]`, `entry.operation in ["delete", "update"]`},
		"types": {
			"upcloud", `resource_types = ["server"]`,
			`entry.resource_type == "server" && has(entry.resource_type)`,
		},
		"origins": {"upcloud", `origins = ["api"]`, `entry.origin == "api"`},
		"addresses": {
			"upcloud", `ip_addresses = ["198.51.100.0/24", "2001:db8::/32"]`,
			`ip_in(entry.ip_address, ["198.51.100.0/24", "2001:db8::/32"])`,
		},
		"search":         {"upcloud", `search = "DEL"`, `[entry.id, entry.actor, entry.resource_id, entry.resource_name, entry.ip_address, entry.action, entry.message].exists(s, s.lowerAscii().contains("del"))`},
		"raw":            {"upcloud", `actions = ["delete"]`, `entry.raw.action == "delete"`},
		"cloudscale_ops": {"cloudscale", `operations = ["create"]`, `entry.operation == "create"`},
	} {
		config.WriteString(pair(name, c.service, c.arguments, c.where))

		checks = append(checks, statecheck.ExpectKnownOutputValue(name, knownvalue.ObjectExact(map[string]knownvalue.Check{
			"same": knownvalue.Bool(true), "found": knownvalue.Bool(true), "less": knownvalue.Bool(true),
		})))
	}

	w.test(resource.TestStep{Config: w.config(config.String()), ConfigStateChecks: checks})
}

// The manifest of an export says by which condition it was made, and another
// condition makes another export.
func TestAccWhere_export(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 7})

	step := func(where string, action plancheck.ResourceActionType) resource.TestStep {
		return resource.TestStep{
			Config: w.export("a.ndjson", "ndjson", fmt.Sprintf("%s\n  where = %q", month, where)),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("audit_log_export.test", action)},
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
			Check: func(*terraform.State) error {
				var manifest struct {
					Query struct {
						Where string `json:"where"`
					} `json:"query"`
				}

				if err := json.Unmarshal([]byte(w.read("a.ndjson.manifest.json")), &manifest); err != nil ||
					manifest.Query.Where != where {
					return fmt.Errorf("the manifest says %q, %w", manifest.Query.Where, err)
				}

				for line := range strings.Lines(w.read("a.ndjson")) {
					if !strings.Contains(line, `"operation":"delete"`) {
						return errors.New(line)
					}
				}

				return nil
			},
		}
	}

	w.test(
		step(`entry.operation == "delete"`, plancheck.ResourceActionCreate),
		step(`entry.operation == "delete"`, plancheck.ResourceActionNoop),
		step(`entry.operation == "delete" && has(entry.actor)`, plancheck.ResourceActionUpdate),
	)
}

// An archive whose condition changes goes on with the new one, and each manifest
// says which it was.
func TestAccWhere_archive(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 200, NoExamples: true, Seed: 21})

	config := func(where string) string {
		return w.archive(fmt.Sprintf("  service = \"upcloud\"\n  start = \"60d\"\n  where = %q", where))
	}

	happen := func(action, id string) {
		w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
			Time: w.now().Add(-30 * time.Minute), CloudEventID: id, Action: action, ResourceType: "server",
			Origin: "api", AuthType: "api", AccountUsername: "ci", CorrelationID: "c",
		})
	}

	w.test(
		resource.TestStep{
			Config:           config(`entry.operation == "delete"`),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionCreate),
		},
		resource.TestStep{ // What does not meet the condition is nothing new.
			PreConfig: func() {
				w.later.Store(int64(time.Hour))
				happen("create", "01HQXYZ0000000000000000001")
			},
			Config:           config(`entry.operation == "delete"`),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionNoop),
		},
		resource.TestStep{ // What was looked at by the old condition is not looked at again.
			Config:           config(`entry.operation in ["delete", "create"]`),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			PreConfig: func() {
				w.later.Store(int64(2 * time.Hour))
				happen("create", "01HQXYZ0000000000000000002")
			},
			Config:           config(`entry.operation in ["delete", "create"]`),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
			Check: func(*terraform.State) error {
				filters := w.archivedFilters()
				if last := filters[len(filters)-1]; filters[0] != `entry.operation == "delete"` ||
					last != `entry.operation in ["delete", "create"]` {
					return fmt.Errorf("the manifests say %q", filters)
				}

				return nil
			},
		},
	)
}

// archivedFilters are the conditions in the archive's manifests, oldest first.
func (w *world) archivedFilters() []string {
	w.t.Helper()

	var all []string

	err := filepath.WalkDir(w.file("archive"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".json") {
			return err
		}

		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}

		var manifest struct {
			Filters map[string][]string `json:"filters"`
		}

		if err := json.Unmarshal(text, &manifest); err != nil {
			return err
		}

		all = append(all, manifest.Filters["where"]...)

		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}

	return all
}

// TestAccWhere_errors: what is wrong with a condition, and the whole text of what
// users get.
func TestAccWhere_errors(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50})

	look := func(service, where string) string {
		return w.config(fmt.Sprintf("data \"audit_logs\" \"test\" {\n  service = %q\n  last = \"30d\"\n  where = %s\n}", service, where))
	}

	t.Cleanup(func() {
		for _, name := range []string{"a.csv", "never", "archive/manifests"} {
			if _, err := os.Stat(w.file(name)); err == nil {
				t.Errorf("%s was written", name)
			}
		}
	})

	const (
		correct = "\nCorrect it there; the guide \"Conditions\" lists the fields and functions, with examples."
		until   = "; until then nothing is returned, since a condition that fails is not one that is false."
	)

	for name, tt := range map[string]struct{ config, summary, detail string }{
		"field": {look("upcloud", `"entry.operaton == \"delete\""`), "Check the configuration", `
The condition cannot be used: an entry has no such field (did you mean operation?); its fields are id, time, service, endpoint, account, action, operation, actor_type, actor_id, actor, resource_type, resource_id, resource_name, scope_type, scope_id, scope_name, origin, auth_type, ip_address, user_agent, correlation_id, message, changes, raw.
Line: 1
Column: 6
entry.******** == "******"
^` + correct},
		"second line": {look("upcloud", "<<-EOT\n    entry.operation == \"delete\" &&\n      entry.actor = \"ci\"\n  EOT\n"), "Check the configuration", `
The condition cannot be used: this is no operator; == compares, && means and, || means or.
Line: 2
Column: 15
entry.actor = "**"
^` + correct},
		"no condition": {look("upcloud", `"entry.actor"`), "Check the configuration", `
The condition cannot be used: the condition must be true or false, and is of type string; compare it, as in entry.actor == "ci".
Line: 1
Column: 1
entry.actor
^` + correct},
		"block": {look("upcloud", `"ip_in(entry.ip_address, \"10.0.0/8\")"`), "Check the configuration", `
The condition cannot be used: this is not an IP address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32".
Line: 1
Column: 25
ip_in(entry.ip_address, "********")
^` + correct},
		"empty": {look("upcloud", `""`), "Check the configuration", `
The condition cannot be used: the condition is empty.
Line: 1
Column: 1
^` + correct},
		"impossible": {look("cloudscale", `"entry.origin == \"api\""`), "Check the query", `
No entry of cloudscale can meet the condition, whatever happened.
Service: cloudscale
Never recorded: origin
Change the condition for this service, so that it does not need what is never recorded, or leave it out.`},
		"contradiction": {look("upcloud", `"entry.operation == \"delete\" && entry.operation == \"create\""`), "Check the query", `
No entry of UpCloud can meet the condition, whatever happened: it is false of every entry of every cloud.
Service: upcloud
Change the condition, or leave it out.`},
		"evaluation": {look("upcloud", `"true &&\n  entry.raw.nothing.there == 1"`), "Read UpCloud audit logs", `
The condition cannot be evaluated: the record of an entry has no such key.
Service: upcloud
Line: 2
Column: 3
entry.raw.*******.***** == *
^
Guard it, and every key before it, with has(entry.raw.key) or with "key" in entry.raw` + until},
		"unknown when planning": {`resource "terraform_data" "where" {
  input = "entry.acto == \"ci\""
}` + look("upcloud", "terraform_data.where.output"), "Check the configuration", `
The condition cannot be used: an entry has no such field (did you mean actor?); its fields are id, …, changes, raw.
Line: 1
Column: 6
entry.**** == "**"
^` + correct},
		"impossible and unknown when planning": {`resource "terraform_data" "where" {
  input = "entry.operation == \"login_failed\""
}
resource "audit_log_archive" "test" {
  service     = "upcloud"
  destination = "` + w.file("never") + `"
  where       = terraform_data.where.output
}` + w.config(""), "Check the query", `
No entry of UpCloud can meet the condition, whatever happened.
Service: upcloud
Never recorded: login_failed
Change the condition for this service, so that it does not need what is never recorded, or leave it out.`},
		"evaluation for an export": {w.export("a.csv", "csv", month+"\n  where = \"int(entry.id) == 1\""), "Export UpCloud audit logs", `
The condition cannot be evaluated: a value of an entry cannot be converted.
Service: upcloud
Line: 1
Column: 4
int(entry.id) == *
^
Guard it with matches(), as in entry.actor_id.matches("^[0-9]+$")` + until},
		"evaluation for an archive": {w.archive("  service = \"upcloud\"\n  where = \"1 / size(entry.message) == 1\""), "Archive audit logs", `
The condition cannot be evaluated: an entry makes this a division by zero.
Service: upcloud
Line: 1
Column: 1
* / size(entry.message) == *
^
Compare the divisor with 0 first` + until},
		"archive": {w.archive("  service = \"upcloud\"\n  where = \"entry\""), "Check the configuration", `
The condition cannot be used: the condition must be true or false, and is of type entry; compare it, as in entry.actor == "ci".
Line: 1
Column: 1
entry
^` + correct},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: w.factories(),
				Steps:                    []resource.TestStep{{Config: tt.config, ExpectError: diagnostic(tt.summary, tt.detail)}},
			})
		})
	}
}

// The caret stands under the character at fault, and no line is broken.
func TestAccWhere_caret(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	long := `      entry.acto != "ci" && entry.resource_type != "something that would be broken"`

	w.test(resource.TestStep{
		Config:      w.config("data \"audit_logs\" \"test\" {\n  service = \"upcloud\"\n  where = <<-EOT\n    // Not CI.\n" + long + "\n  EOT\n}"),
		PlanOnly:    true,
		ExpectError: regexp.MustCompile(`\n(│ )?      entry\.\*{4} != "\*\*" && entry\.resource_type != "\*{24} …\n(│ )?           \^\n`),
	})
}
