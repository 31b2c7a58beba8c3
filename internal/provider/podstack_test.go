// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

const podstackHeaders = "Timestamp,User,Action,Resource Type,Resource,IP Address\n"

// podstack prepends a provider that reads the test's own exports.
func (w *world) podstack(more, body string) string {
	return fmt.Sprintf("provider \"audit\" {\n  podstack = {\n    exports = [%q]\n    %s\n  }\n}\n", w.file("*.csv"),
		more) + body
}

func gap(start, end string) knownvalue.Check {
	return knownvalue.ObjectExact(map[string]knownvalue.Check{
		"start": knownvalue.StringExact(start),
		"end":   knownvalue.StringExact(end),
	})
}

// A single configured service need not be named, and a console's export is read
// like any cloud.
func TestAccPodStack_lookUp(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	w.write("b.csv", podstackHeaders+
		"2026-06-30 10:00:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n"+
		"2026-06-29 18:00:00,joe@example.com,Token Created,Token,deploy,198.51.100.1\n")
	w.write("a.csv", podstackHeaders+
		"2026-06-29 17:00:00,jane@example.com,Create,Pod,web-1,192.0.2.1\n"+
		"2026-06-29 12:00:00,,Restart,Pod,web-0,\n")

	row := map[string]knownvalue.Check{
		"raw": knownvalue.Null(), "changes": knownvalue.Null(),
		"actor_id": knownvalue.Null(), "scope_name": knownvalue.Null(),
	}
	for name, value := range map[string]string{
		"time": "2026-06-30T10:00:00.000000Z", "service": "podstack", "action": "Delete", "operation": "delete",
		"actor_type": "user",
		"actor":      "jane@example.com", "resource_type": "Pod", "resource_name": "web-1", "ip_address": "192.0.2.1",
	} {
		row[name] = knownvalue.StringExact(value)
	}

	w.test(
		resource.TestStep{
			Config: w.podstack("", `data "audit_logs" "test" { order = "newest_first" }`),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("total_count", knownvalue.Int64Exact(4)),
				expect("entries", knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.ObjectPartial(row)})),
				expect("completeness", knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"proof": knownvalue.StringExact("exports_read"), "pages": knownvalue.Int64Exact(2),
					"rows_fetched":   knownvalue.Int64Exact(4),
					"retention_days": knownvalue.Int64Exact(90), "beyond_retention": knownvalue.Bool(false),
					"claimed_total": knownvalue.Null(),
					"gaps": knownvalue.ListExact([]knownvalue.Check{
						gap("2026-06-29T17:00:00.000001Z", "2026-06-29T18:00:00.000000Z"),
						gap("2026-06-30T10:00:00.000001Z", "2026-06-30T12:00:00.000000Z"),
					}),
				})),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
		resource.TestStep{
			Config: w.podstack(`retention = "1h"`, `data "audit_logs" "test" {
  operations   = ["delete", "create"]
  ip_addresses = ["192.0.2.0/24"]
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("total_count", knownvalue.Int64Exact(2)),
				expect("completeness", knownvalue.ObjectPartial(
					map[string]knownvalue.Check{
						"beyond_retention":  knownvalue.Bool(false),
						"rows_filtered_out": knownvalue.Int64Exact(2),
					},
				)),
			},
		},
		resource.TestStep{
			Config: w.podstack("", `data "audit_log_filter_options" "test" {}`),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.audit_log_filter_options.test", tfjsonpath.New("origin_of_values"),
					knownvalue.StringExact("observed")),
				statecheck.ExpectKnownValue("data.audit_log_filter_options.test", tfjsonpath.New("operations"),
					knownvalue.ListExact([]knownvalue.Check{
						knownvalue.StringExact("create"), knownvalue.StringExact("delete"), knownvalue.StringExact("restart"),
					})),
			},
		},
	)
}

func TestAccPodStack_export(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	w.write("a.csv", podstackHeaders+"2026-06-30 10:00:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n")

	w.test(resource.TestStep{
		Config: w.podstack("", fmt.Sprintf(`resource "audit_log_export" "test" {
  path   = %q
  format = "ndjson"
}`, w.file("out.ndjson"))),
		ConfigStateChecks: []statecheck.StateCheck{expectExport("entry_count", knownvalue.Int64Exact(1))},
		ConfigPlanChecks:  expectNoChanges(),
		Check: func(*terraform.State) error {
			var manifest struct {
				Service      string
				Completeness struct {
					Proof string
					Gaps  []struct{ Start, End string }
				}
			}

			if err := json.Unmarshal([]byte(w.read("out.ndjson.manifest.json")), &manifest); err != nil {
				return err
			}

			if manifest.Service != "podstack" || manifest.Completeness.Proof != "exports_read" ||
				len(manifest.Completeness.Gaps) != 2 {
				return fmt.Errorf("the manifest is %s", w.read("out.ndjson.manifest.json"))
			}

			if !strings.Contains(w.read("out.ndjson"), `"raw":{"Timestamp":"2026-06-30 10:00:00","User":"jane@example.com",`) {
				return errors.New("the record is not as it came: " + w.read("out.ndjson"))
			}

			return nil
		},
	})
}

// A newer export is what an archive appends.
func TestAccPodStack_archive(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	first := "2026-06-30 11:58:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n"
	w.write("a.csv", podstackHeaders+first)

	config := w.podstack("", fmt.Sprintf(`resource "audit_log_archive" "test" {
  destination = %q
  start       = "7d"
}`, w.file("archive")))

	w.test(
		resource.TestStep{
			Config: config, ConfigPlanChecks: archiveAction(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				expectArchive("entry_count", knownvalue.Int64Exact(1)),
			},
		},
		resource.TestStep{
			PreConfig: func() {
				w.later.Store(int64(time.Hour))
				w.write("b.csv", podstackHeaders+"2026-06-30 12:30:00,joe@example.com,Create,Pod,web-2,192.0.2.1\n"+first)
			},
			Config:           config,
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{
				expectArchive("entry_count", knownvalue.Int64Exact(2)),
			},
		},
	)
}

// TestAccPodStack_archiveInAnyOrder: an export that was missing between two others
// may come later, and then every entry is archived exactly once.
func TestAccPodStack_archiveInAnyOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	row := func(day int, action string) string {
		return fmt.Sprintf("2026-06-%02d 10:00:00,jane@example.com,%s,Pod,web-%d,192.0.2.1\n", day, action, day)
	}

	w.write("a.csv", podstackHeaders+row(12, "Stop")+row(11, "Start")+row(10, "Create"))
	w.write("c.csv", podstackHeaders+row(20, "Delete")+row(18, "Create"))

	config := w.podstack("", fmt.Sprintf(`resource "audit_log_archive" "test" {
  destination = %[1]q
  start       = "2026-06-10T10:00:00Z"
}

data "audit_log_verification" "test" {
  destination = audit_log_archive.test.destination
}

data "audit_logs" "back" {
  service     = "archive"
  destination = audit_log_archive.test.destination
  start       = "2026-06-10T00:00:00Z"
  end         = "2026-06-21T00:00:00Z"
  depends_on  = [audit_log_archive.test]
}

output "actions" { value = join(" ", data.audit_logs.back.entries[*].action) }
output "gaps"    { value = join(" ", [for g in data.audit_logs.back.completeness.gaps : "${g.start}/${g.end}"]) }
`, w.file("archive")))

	said := func(output, want string) statecheck.StateCheck {
		return statecheck.ExpectKnownOutputValue(output, knownvalue.StringExact(want))
	}

	w.test(
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				expectArchive("entry_count", knownvalue.Int64Exact(5)),
				expectArchive("covered_until", knownvalue.StringExact("2026-06-12T10:00:00.000001Z")),
				said("actions", "Create Start Stop Create Delete"),
				said("gaps", "2026-06-10T00:00:00.000000Z/2026-06-10T10:00:00.000000Z "+
					"2026-06-12T10:00:00.000001Z/2026-06-18T10:00:00.000000Z 2026-06-20T10:00:00.000001Z/2026-06-21T00:00:00.000000Z"),
			},
			// Nothing is new, however many gaps there are.
			ConfigPlanChecks: expectNoChanges(),
		},
		resource.TestStep{
			PreConfig: func() {
				w.later.Store(int64(time.Hour))
				w.write("b.csv", podstackHeaders+row(18, "Create")+row(15, "Restart")+row(12, "Stop"))
			},
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				expectArchive("entry_count", knownvalue.Int64Exact(6)),
				expectArchive("covered_until", knownvalue.StringExact("2026-06-20T10:00:00.000001Z")),
				statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("valid"), knownvalue.Bool(true)),
			},
		},
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				said("actions", "Create Start Stop Restart Create Delete"),
				said("gaps", "2026-06-10T00:00:00.000000Z/2026-06-10T10:00:00.000000Z 2026-06-20T10:00:00.000001Z/2026-06-21T00:00:00.000000Z"),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
	)
}

// TestAccPodStack_badInput: what can be wrong with exports and their configuration,
// and the whole text of what users get.
func TestAccPodStack_badInput(t *testing.T) {
	t.Parallel()

	const look = "\ndata \"audit_logs\" \"test\" {}\n"

	block := func(body string) string { return "provider \"audit\" {\n  podstack = {\n" + body + "\n  }\n}" + look }

	for name, tt := range map[string]struct {
		file    string
		config  func(w *world) string
		summary string
		detail  string
	}{
		"no exports": {"", func(*world) string { return block(`    exports = []`) }, "Check the configuration", `
The list podstack.exports is empty, so there is nothing to read.
Give at least one path or pattern, such as "exports/*.csv".`},
		"an empty path": {"", func(*world) string { return block(`    exports = ["a.csv", ""]`) }, "Check the configuration", `
The value of podstack.exports[1] cannot be used: it is empty.
Give a path or a pattern, such as "exports/*.csv".`},
		"a mapping of no field": {"", func(*world) string {
			return block("    exports = [\"a.csv\"]\n    columns = { when = \"Time\" }")
		}, "Check the configuration", `
No column can become what podstack.columns["when"] names.
Give one of id, time, action, …`},
		"a mapping to nothing": {"", func(*world) string {
			return block("    exports = [\"a.csv\"]\n    columns = { time = \" \" }")
		}, "Check the configuration", `
The value of podstack.columns["time"] is empty or null.
Give a header of the exports as it is spelled there, or leave the key out.`},
		"an ignored column without a name": {"", func(*world) string {
			return block("    exports = [\"a.csv\"]\n    ignored_columns = [\"Note\", \" \"]")
		}, "Check the configuration", `
The value of podstack.ignored_columns[1] cannot be used: it is empty.
Give a header of the exports as it is spelled there.`},
		"a column that is ignored and mapped": {podstackHeaders, func(w *world) string {
			return w.podstack("columns = { message = \"user\" }\n    ignored_columns = [\"User\"]", look)
		}, "Read PodStack audit logs", `
The column that the mapping says is message is ignored.
Service: podstack
Take it out of ignored_columns, or out of columns.`},
		"a value known too late": {"", func(*world) string {
			return "resource \"terraform_data\" \"late\" { input = \"a.csv\" }\n" +
				block("    exports = [terraform_data.late.output]")
		}, "Look up audit logs", `
The provider's configuration for PodStack depends on values that are known only after an apply.
Service: podstack
Configure the provider with values that are known when planning, such as variables or the environment.`},
		"not configured": {"", func(*world) string {
			return "provider \"audit\" {\n  cloudscale = { token = \"x\" }\n}\ndata \"audit_logs\" \"test\" {\n  service = \"podstack\"\n}\n"
		}, "Look up audit logs", `
PodStack is not configured.
Service: podstack
Export the log from the PodStack console and name the files in the provider block: podstack = { exports = ["exports/*.csv"] }.`},
		"no file": {"", func(w *world) string { return w.podstack("", look) }, "Read PodStack audit logs", `
No file matches.
Service: podstack
File: DIR/*.csv
Check the path; relative ones begin where Terraform runs, so ${path.module} in front is safest.`},
		"no time column": {"Occurrence,Who,Action\n2026-06-30 10:00:00,jane,Delete\n", func(w *world) string { return w.podstack("", look) }, "Read PodStack audit logs", `
No header is known to mean time.
Service: podstack
File: DIR/a.csv
Line: 1
Headers: "Occurrence", "Who", "Action"
Name the header: columns = { time = "Occurrence" }.`},
		"a ragged row": {podstackHeaders + "2026-06-30 10:00:00,jane,Delete,Pod,\"web\n1\",192.0.2.1,more\n", func(w *world) string { return w.podstack("", look) }, "Read PodStack audit logs", `
The row has 7 cells and the header has 6: perhaps a delimiter is not in quotes.
Service: podstack
File: DIR/a.csv
Line: 3
Column: 14
Export again, and do not edit the file.`},
		"no time": {podstackHeaders + "noon,jane,Delete,Pod,web,192.0.2.1\n", func(w *world) string { return w.podstack("", look) }, "Read PodStack audit logs", `
The cell is not a time in a known form.
Service: podstack
File: DIR/a.csv
Line: 2
Column: 1
Header: "Timestamp"
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`},
		"a filter without a column": {"Timestamp,Action\n2026-06-30 10:00:00,Delete\n", func(w *world) string {
			return w.podstack("", "\ndata \"audit_logs\" \"test\" {\n  ip_addresses = [\"192.0.2.1\"]\n}\n")
		}, "Check the query", `
None of the exports has a column for ip_address, so the filter would find nothing, whatever happened.
Service: podstack
Remove the argument for this service.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{})
			if tt.file != "" {
				w.write("a.csv", tt.file)
			}

			w.test(resource.TestStep{
				Config: tt.config(w), PlanOnly: true,
				ExpectError: diagnostic(tt.summary, strings.ReplaceAll(tt.detail, "DIR", w.dir)),
			})
		})
	}
}

// The mapping that an error asks for is the one that helps.
func TestAccPodStack_columns(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	w.write("a.csv", "Occurrence;Who;Action;Old;New\n30.06.2026 10:00:00;jane;Update;\"{\"\"size\"\":1}\";\"{\"\"size\"\":2}\"\n")

	w.test(resource.TestStep{
		Config: w.podstack(`columns = { time = "Occurrence", previous_values = "Old", new_values = "New" }`, `data "audit_logs" "test" {}`),
		ConfigStateChecks: []statecheck.StateCheck{
			expect("entries", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"actor": knownvalue.StringExact("jane"),
				"changes": knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
					"field": knownvalue.StringExact("size"), "before": knownvalue.StringExact("1"),
					"after": knownvalue.StringExact("2"),
				})}),
			})})),
		},
	})
}

// The example gates as its README says, and keeps the log.
func TestAccPodStack_example(t *testing.T) {
	t.Parallel()

	dir, err := filepath.Abs(filepath.Join("..", "..", "examples", "podstack"))
	if err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(filepath.Join(dir, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}

	// Acceptance configurations have no required_providers.
	_, body, found := strings.Cut(string(text), "\nprovider \"audit\"")
	if !found {
		t.Fatal("the example has no provider block")
	}

	config := strings.ReplaceAll("provider \"audit\""+body, "${path.module}", dir)

	w := newWorld(t, fakeapi.Options{})
	w.later.Store(int64(5 * 24 * time.Hour))

	with := func(actors string) string {
		return strings.NewReplacer(`default     = ["ci@example.com"]`, "default = "+actors, `default     = "archive"`,
			fmt.Sprintf("default = %q", w.file("archive"))).Replace(config)
	}

	w.test(
		resource.TestStep{Config: with(`["ci@example.com"]`), PlanOnly: true, ExpectError: diagnostic("Resource postcondition failed", `
Unexpected deletions between 2026-06-01T00:00:04.000000Z and 2026-06-30T23:58:41.000000Z:
1 by joe@example.com`)},
		resource.TestStep{
			Config: with(`["ci@example.com", "joe@example.com"]`),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("audit_log_archive.podstack", tfjsonpath.New("entry_count"), knownvalue.Int64Exact(9)),
				statecheck.ExpectKnownOutputValue("expected", knownvalue.MapExact(map[string]knownvalue.Check{
					"ci@example.com": knownvalue.Int64Exact(1), "joe@example.com": knownvalue.Int64Exact(1),
				})),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
	)
}

// listener is a provider that remembers what it warned about, by the kind of call.
type listener struct {
	tfprotov6.ProviderServer

	mu       sync.Mutex
	warnings map[string]string
}

func (l *listener) hear(call string, diags []*tfprotov6.Diagnostic) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityWarning && d.Summary == "Columns of the exports are not read" {
			l.warnings[call] = d.Detail
		}
	}
}

// heard returns the warnings and forgets them.
func (l *listener) heard() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()

	heard := l.warnings
	l.warnings = map[string]string{}

	return heard
}

func (l *listener) ReadDataSource(
	ctx context.Context, req *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	resp, err := l.ProviderServer.ReadDataSource(ctx, req)
	l.hear("read "+req.TypeName, resp.Diagnostics)

	return resp, err
}

func (l *listener) ReadResource(
	ctx context.Context, req *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	resp, err := l.ProviderServer.ReadResource(ctx, req)
	l.hear("refresh "+req.TypeName, resp.Diagnostics)

	return resp, err
}

func (l *listener) PlanResourceChange(
	ctx context.Context, req *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	resp, err := l.ProviderServer.PlanResourceChange(ctx, req)
	l.hear("plan "+req.TypeName, resp.Diagnostics)

	return resp, err
}

func (l *listener) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	resp, err := l.ProviderServer.ApplyResourceChange(ctx, req)
	l.hear("apply "+req.TypeName, resp.Diagnostics)

	return resp, err
}

func (l *listener) OpenEphemeralResource(
	ctx context.Context, req *tfprotov6.OpenEphemeralResourceRequest,
) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	resp, err := l.ProviderServer.OpenEphemeralResource(ctx, req)
	l.hear("open "+req.TypeName, resp.Diagnostics)

	return resp, err
}

// TestAccPodStack_unmappedColumn: whatever reads the exports names a column that
// nobody mapped, and the mapping that it asks for ends the warning.
func TestAccPodStack_unmappedColumn(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	w.write("a.csv", "Timestamp,Benutzer,Action,Kommentar ${x}\n2026-06-30 10:00:00,jane,Delete,\n2026-06-30 11:00:00,joe,Delete,late\n")

	inner, err := w.factories()["audit"]()
	if err != nil {
		t.Fatal(err)
	}

	l := &listener{ProviderServer: inner, warnings: map[string]string{}}

	body := func(more string) string {
		return w.podstack(more, fmt.Sprintf(`
data "audit_logs" "test" {}
data "audit_log_findings" "test" {}
data "audit_log_filter_options" "test" {}
ephemeral "audit_logs" "test" {}

resource "audit_log_export" "test" {
  path   = %q
  format = "ndjson"
}

resource "audit_log_archive" "test" {
  destination = %q
  start       = "7d"
}
`, w.file("out.ndjson"), w.file("archive")))
	}

	const want = `There are columns that hold something and that no field is made of, so no entry says what stands there.

Service: podstack
Column: "Benutzer"
Mapping: columns = { actor = "Benutzer" }
Column: "Kommentar ${x}"
Mapping: columns = { … = "Kommentar $${x}" }

Write the mapping into the provider's podstack block; list a column that is not wanted in its ignored_columns.`

	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer,
			error){"audit": func() (tfprotov6.ProviderServer, error) { return l, nil }},
		Steps: []resource.TestStep{
			{Config: body(""), Check: func(*terraform.State) error {
				heard := l.heard()

				for _, call := range []string{
					"read audit_logs", "read audit_log_findings", "read audit_log_filter_options", "open audit_logs",
					"apply audit_log_export", "plan audit_log_archive", "apply audit_log_archive",
				} {
					if heard[call] != want {
						t.Errorf("%s says %q", call, heard[call])
					}
				}

				return nil
			}},
			{RefreshState: true, Check: func(*terraform.State) error {
				if heard := l.heard(); heard["refresh audit_log_archive"] != want {
					t.Errorf("a refresh says %q", heard)
				}

				return nil
			}},
			{
				Config: body(`columns = { actor = "Benutzer" }
    ignored_columns = ["Kommentar $${x}"]`),
				ConfigStateChecks: []statecheck.StateCheck{expect("entries", knownvalue.ListPartial(map[int]knownvalue.Check{
					0: knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"actor":      knownvalue.StringExact("jane"),
						"actor_type": knownvalue.StringExact("user"),
					}),
				}))},
			},
			{RefreshState: true, PreConfig: func() { l.heard() }, Check: func(*terraform.State) error {
				if heard := l.heard(); len(heard) > 0 {
					t.Errorf("what is mapped or not wanted is named: %q", heard)
				}

				return nil
			}},
		},
	})
}
