// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

const logs = "data." + provider.AuditLogsType + ".test"

func expect(name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(logs, tfjsonpath.New(name), check)
}

func expectNoChanges() resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
}

// countUpCloud counts the fake's records of the last day as a user would by hand.
func (w *world) countUpCloud(last time.Duration, match func(fakeapi.UpCloudRecord) bool) int {
	n := 0

	for _, r := range w.fake.UpCloudRecords() {
		if !r.Time.Before(w.now().Add(-last)) && r.Time.Before(w.now()) && match(r) {
			n++
		}
	}

	return n
}

func anyRecord(fakeapi.UpCloudRecord) bool { return true }

func TestAccAuditLogs_upcloud(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 600, Seed: 1})
	week := 7 * 24 * time.Hour
	total := w.countUpCloud(week, anyRecord)
	deleted := w.countUpCloud(week, func(r fakeapi.UpCloudRecord) bool { return r.Action == "delete" })

	if total < 50 || deleted < 2 {
		t.Fatalf("the fake has %d entries and %d deletions", total, deleted)
	}

	w.test(resource.TestStep{
		Config: w.config(`data "audit_logs" "test" {
  service = "upcloud"
  last    = "7d"
}`),
		ConfigStateChecks: []statecheck.StateCheck{
			expect("total_count", knownvalue.Int64Exact(int64(total))),
			expect("entries", knownvalue.ListSizeExact(total)),
			expect("window_start", knownvalue.StringExact("2026-06-23T12:00:00.000000Z")),
			expect("window_end", knownvalue.StringExact("2026-06-30T12:00:00.000000Z")),
			expect("counts_by_operation",
				knownvalue.MapPartial(map[string]knownvalue.Check{"delete": knownvalue.Int64Exact(int64(deleted))})),
			expect("completeness", knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"proof":            knownvalue.StringExact("total_matches"),
				"second_pass":      knownvalue.Bool(false),
				"retention_days":   knownvalue.Int64Exact(180),
				"beyond_retention": knownvalue.Bool(false),
			})),
		},
		ConfigPlanChecks: expectNoChanges(),
	})

	for _, r := range w.fake.Requests() {
		if r.UserAgent != "terraform-provider-audit/test" || (r.Path != "/1.3/audit-logs" && r.Path != "/1.3/account") {
			t.Errorf("request %s %s by %s", r.Method, r.Path, r.UserAgent)
		}
	}
}

func TestAccAuditLogs_rows(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
		Time: w.now().Add(-time.Hour), CloudEventID: "01HQXYZ123456789ABCDEFGHJK", CorrelationID: "corr", Action: "update",
		ResourceType: "server", ResourceID: "r-1", Origin: "gui", AuthType: "gui", AccountUsername: "jörg ✓",
		IPAddress:     "2001:db8::1",
		PreviousState: []byte(`{"plan":"1x","size":10}`), CurrentState: []byte(`{"plan":"2x","tags":[]}`),
	})

	row := map[string]knownvalue.Check{}
	for _, f := range auditlog.Fields() {
		row[f.Name] = knownvalue.Null()
	}

	for name, value := range map[string]string{
		"id": "01HQXYZ123456789ABCDEFGHJK", "time": "2026-06-30T11:00:00.000000Z", "service": "upcloud",
		"endpoint": w.upcloud,
		"account":  fakeapi.DefaultUsername, "action": "update",
		"operation": "update", "actor_type": "user", "actor": "jörg ✓", "resource_type": "server", "resource_id": "r-1",
		"origin": "gui", "auth_type": "gui", "ip_address": "2001:db8::1", "correlation_id": "corr",
	} {
		row[name] = knownvalue.StringExact(value)
	}

	change := func(field string, before, after knownvalue.Check) knownvalue.Check {
		return knownvalue.ObjectExact(map[string]knownvalue.Check{
			"field": knownvalue.StringExact(field), "before": before,
			"after": after,
		})
	}
	row["changes"] = knownvalue.ListExact([]knownvalue.Check{
		change("plan", knownvalue.StringExact(`"1x"`), knownvalue.StringExact(`"2x"`)),
		change("size", knownvalue.StringExact("10"), knownvalue.Null()),
		change("tags", knownvalue.Null(), knownvalue.StringExact("[]")),
	})

	without := knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(row)})

	withRaw := maps.Clone(row)
	withRaw["raw"] = knownvalue.StringExact(string(w.fake.UpCloudRecords()[0].Raw))

	w.test(
		resource.TestStep{
			Config:            w.config(`data "audit_logs" "test" { service = "upcloud" }`),
			ConfigStateChecks: []statecheck.StateCheck{expect("entries", without)},
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service     = "upcloud"
  include_raw = true
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("entries", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(withRaw)})),
			},
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service         = "upcloud"
  include_entries = false
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("entries", knownvalue.Null()),
				expect("total_count", knownvalue.Int64Exact(1)),
				expect("counts_by_actor", knownvalue.MapExact(map[string]knownvalue.Check{"jörg ✓": knownvalue.Int64Exact(1)})),
				expect("counts_by_action", knownvalue.MapExact(map[string]knownvalue.Check{"update": knownvalue.Int64Exact(1)})),
				expect("counts_by_resource_type",
					knownvalue.MapExact(map[string]knownvalue.Check{"server": knownvalue.Int64Exact(1)})),
			},
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service = "upcloud"
  actions = ["delete"]
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("entries", knownvalue.ListExact([]knownvalue.Check{})),
				expect("counts_by_actor", knownvalue.MapExact(map[string]knownvalue.Check{})),
			},
		},
	)
}

func TestAccAuditLogs_cloudscale(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 500, Seed: 2})

	total := 0
	for _, r := range w.fake.CloudscaleRecords() {
		if !r.Timestamp.Before(w.now().Add(-30*24*time.Hour)) && r.Timestamp.Before(w.now()) {
			total++
		}
	}

	w.test(resource.TestStep{
		Config: w.config(`data "audit_logs" "test" {
  service = "cloudscale"
  last    = "30d"
}`),
		ConfigStateChecks: []statecheck.StateCheck{
			expect("total_count", knownvalue.Int64Exact(int64(total))),
			expect("entries", knownvalue.ListSizeExact(total)),
			expect("completeness", knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"proof":         knownvalue.StringExact("cursor_exhausted"),
				"claimed_total": knownvalue.Null(),
			})),
		},
		ConfigPlanChecks: expectNoChanges(),
	})
}

// rows returns the entries' values of one attribute from the state.
func rows(s *terraform.State, attribute string) []string {
	attributes := s.RootModule().Resources[logs].Primary.Attributes
	n, _ := strconv.Atoi(attributes["entries.#"])

	values := make([]string, 0, n)
	for i := range n {
		values = append(values, attributes[fmt.Sprintf("entries.%d.%s", i, attribute)])
	}

	return values
}

func TestAccAuditLogs_orderAndOverflow(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 3})

	sorted := func(newest bool, n int) resource.TestCheckFunc {
		return func(s *terraform.State) error {
			times := rows(s, "time")
			if newest {
				slices.Reverse(times)
			}

			if !slices.IsSorted(times) || len(times) != n {
				return fmt.Errorf("%d rows at %v", len(times), times)
			}

			return nil
		}
	}

	var newest []string

	w.test(
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service = "upcloud"
  last    = "60d"
}`),
			Check: resource.ComposeTestCheckFunc(sorted(false, 300), func(s *terraform.State) error {
				ids := rows(s, "id")
				newest = ids[len(ids)-10:]

				return nil
			}),
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service     = "upcloud"
  last        = "60d"
  order       = "newest_first"
  max_entries = 10
  on_overflow = "keep_newest"
}`),
			Check: resource.ComposeTestCheckFunc(sorted(true, 10), func(s *terraform.State) error {
				ids := rows(s, "id")
				slices.Reverse(ids)

				if !slices.Equal(ids, newest) {
					return fmt.Errorf("kept %v, newest are %v", ids, newest)
				}

				return nil
			}),
			ConfigStateChecks: []statecheck.StateCheck{expect("total_count", knownvalue.Int64Exact(300))},
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service         = "upcloud"
  last            = "60d"
  max_entries     = 10
  include_entries = false
}`),
			ConfigStateChecks: []statecheck.StateCheck{expect("total_count", knownvalue.Int64Exact(300))},
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service     = "upcloud"
  last        = "60d"
  max_entries = 299
}`),
			ExpectError: diagnostic("Look up audit logs", `More entries match than may go into Terraform's state.

Service: upcloud
Matches: 300
max_entries: 299
Window: [2026-05-01T12:00:00.000000Z, 2026-06-30T12:00:00.000000Z)

Narrow the query, raise max_entries (at most 10000), set on_overflow = "keep_newest", set include_entries = false if counts are enough, or write them to a file with audit_log_export.`),
		},
		resource.TestStep{
			Config: w.config(`data "audit_logs" "test" {
  service     = "upcloud"
  last        = "60d"
  max_entries = 300
}`),
			ConfigStateChecks: []statecheck.StateCheck{expect("entries", knownvalue.ListSizeExact(300))},
		},
	)
}

// Every filter goes from the configuration to the result.
func TestAccAuditLogs_filters(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	at := w.now().Add(-time.Hour)
	record := func(i int, action, kind, id, actor, origin, ip string) fakeapi.UpCloudRecord {
		return fakeapi.UpCloudRecord{
			Time: at, CloudEventID: fmt.Sprintf("01HQXYZ%019d", i), CorrelationID: "c", Action: action, ResourceType: kind,
			ResourceID: id, AccountUsername: actor, Origin: origin, AuthType: "api", IPAddress: ip,
		}
	}
	w.fake.AppendUpCloud(
		record(1, "delete", "server", "s-1", "ci", "api", "192.0.2.1"),
		record(2, "clone", "storage", "v-1", "jane", "gui", "2001:db8::1"),
		record(3, "access-update", "server", "s-2", "jane", "gui", "198.51.100.7"),
	)

	steps := []resource.TestStep{}

	for _, filter := range []struct{ hcl, want string }{
		{`actions = ["delete", "clone"]`, "[1 2]"},
		{`operations = ["grant", "delete"]`, "[1 3]"},
		{`operations = ["create"]`, "[2]"},
		{`resource_types = ["server"]`, "[1 3]"},
		{`resource_ids = ["v-1", "s-2"]`, "[2 3]"},
		{`actors = ["jane"]`, "[2 3]"},
		{`origins = ["api"]`, "[1]"},
		{`ip_addresses = ["192.0.2.0/24", "2001:db8:0::1"]`, "[1 2]"},
		{`search = "JAN"`, "[2 3]"},
		{"actors = [\"jane\"]\nresource_types = [\"server\"]", "[3]"},
		{`start = "2026-06-30T13:00:00+02:00"`, "[1 2 3]"},
		{`end = "2026-06-30T11:00:00Z"`, "[]"},
		{`settle_delay = "1h"`, "[]"},
		{`settle_delay = "59m"`, "[1 2 3]"},
	} {
		steps = append(steps, resource.TestStep{
			Config: w.config("data \"audit_logs\" \"test\" {\n  service = \"upcloud\"\n  " + filter.hcl + "\n}"),
			Check: func(s *terraform.State) error {
				got := []string{}
				for _, id := range rows(s, "id") {
					got = append(got, id[len(id)-1:])
				}

				if fmt.Sprint(got) != filter.want {
					return fmt.Errorf("%s: got %v, want %s", filter.hcl, got, filter.want)
				}

				return nil
			},
		})
	}

	w.test(steps...)
}

func TestAccAuditLogs_beyondRetention(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 10})
	w.test(resource.TestStep{
		Config: w.config(`data "audit_logs" "test" {
  service = "cloudscale"
  last    = "91d"
}`),
		ConfigStateChecks: []statecheck.StateCheck{
			expect("completeness", knownvalue.ObjectPartial(
				map[string]knownvalue.Check{"beyond_retention": knownvalue.Bool(true)},
			)),
		},
	})
}

// The environment configures a service as well as a block does, and a single
// configured service need not be named.
func TestAccProvider_environment(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20})
	w.env["UPCLOUD_USERNAME"], w.env["UPCLOUD_PASSWORD"] = fakeapi.DefaultUsername, fakeapi.DefaultPassword
	w.env["UPCLOUD_DEBUG_API_BASE_URL"] = w.upcloud + "/1.3/"
	w.test(resource.TestStep{
		Config:            `data "audit_logs" "test" { last = "40d" }`,
		ConfigStateChecks: []statecheck.StateCheck{expect("total_count", knownvalue.Int64Exact(20))},
	})

	v := newWorld(t, fakeapi.Options{Entries: 20})
	v.env["CLOUDSCALE_API_TOKEN"], v.env["CLOUDSCALE_API_URL"] = "wrong", v.cloudscale+"/v1"
	v.test(resource.TestStep{
		Config: fmt.Sprintf(`
provider "audit" {
  cloudscale = { token = %q }
}

data "audit_logs" "test" { last = "40d" }`, fakeapi.DefaultToken),
		ConfigStateChecks: []statecheck.StateCheck{expect("total_count", knownvalue.Int64Exact(20))},
	})
}

func TestAccFilterOptions(t *testing.T) {
	t.Parallel()

	const options = "data." + provider.FilterOptionsType + ".test"

	w := newWorld(t, fakeapi.Options{Entries: 400})
	check := func(name string, c knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(options, tfjsonpath.New(name), c)
	}

	w.test(
		resource.TestStep{
			Config: w.config(`data "audit_log_filter_options" "test" { service = "upcloud" }`),
			ConfigStateChecks: []statecheck.StateCheck{
				check("origin_of_values", knownvalue.StringExact("api")),
				check("actions", knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.StringExact("access-granted")})),
				check("origins", knownvalue.ListExact([]knownvalue.Check{
					knownvalue.StringExact("api"),
					knownvalue.StringExact("gui"), knownvalue.StringExact("upcloud_internal"),
				})),
				check("operations", knownvalue.ListPartial(map[int]knownvalue.Check{0: knownvalue.StringExact("attach")})),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
		resource.TestStep{
			Config: w.config(`data "audit_log_filter_options" "test" {
  service = "cloudscale"
  last    = "2w"
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				check("origin_of_values", knownvalue.StringExact("observed")),
				check("origins", knownvalue.ListExact([]knownvalue.Check{})),
			},
		},
	)
}
