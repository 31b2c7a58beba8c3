// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

const findings = "data." + provider.FindingsType + ".test"

func found(name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(findings, tfjsonpath.New(name), check)
}

// deed is a record of the fake, some time before now.
type deed struct {
	ago           time.Duration
	actor, action string
	kind, address string
}

// history appends deeds, oldest first, and returns their ids.
func (w *world) history(deeds ...deed) []string {
	w.t.Helper()

	ids := make([]string, len(deeds))
	before := len(w.fake.UpCloudRecords())

	for i, d := range deeds {
		ids[i] = fmt.Sprintf("01HQXYZ12345678900000%05d", before+i)
		w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
			Time: w.now().Add(-d.ago), CloudEventID: ids[i], CorrelationID: "c", Action: d.action, ResourceType: d.kind,
			Origin: "api", AuthType: "api", AccountUsername: d.actor, IPAddress: d.address,
		})
	}

	return ids
}

func TestAccFindings(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	ids := w.history(
		deed{30 * time.Hour, "mia", "login", "account", "192.0.2.1"}, // The baseline.
		deed{5 * time.Hour, "mia", "delete", "server", "192.0.2.1"},
		deed{4 * time.Hour, "ci", "delete", "server", "192.0.2.9"},
		deed{3 * time.Hour, "mia", "delete", "storage", "192.0.2.1"},
		deed{2 * time.Hour, "mia", "login", "account", "192.0.2.1"},
		deed{time.Hour, "mia", "login", "account", "2001:db8::1"},
		deed{59 * time.Minute, "mia", "access-granted", "storage", "2001:db8::1"},
	)

	text := func(values ...string) knownvalue.Check {
		checks := []knownvalue.Check{}
		for _, v := range values {
			checks = append(checks, knownvalue.StringExact(v))
		}

		return knownvalue.ListExact(checks)
	}

	one := func(rule, severity string, group map[string]knownvalue.Check, count int64, first, last time.Duration,
		message string, ids ...string,
	) knownvalue.Check {
		return knownvalue.ObjectExact(map[string]knownvalue.Check{
			"rule": knownvalue.StringExact(rule), "severity": knownvalue.StringExact(severity),
			"group": knownvalue.MapExact(group),
			"count": knownvalue.Int64Exact(count), "message": knownvalue.StringExact(message), "entry_ids": text(ids...),
			"first_time": knownvalue.StringExact(w.now().Add(-first).Format("2006-01-02T15:04:05.000000Z")),
			"last_time":  knownvalue.StringExact(w.now().Add(-last).Format("2006-01-02T15:04:05.000000Z")),
		})
	}
	by := func(actor string) map[string]knownvalue.Check {
		return map[string]knownvalue.Check{"actor": knownvalue.StringExact(actor)}
	}

	counts := func(of map[string]int64) knownvalue.Check {
		checks := map[string]knownvalue.Check{}
		for key, n := range of {
			checks[key] = knownvalue.Int64Exact(n)
		}

		return knownvalue.MapExact(checks)
	}

	w.test(
		resource.TestStep{
			Config: w.config(`data "audit_log_findings" "test" {
  service  = "upcloud"
  expected = [{ actors = ["c?"] }, { resource_types = ["ssh-*"] }]

  rules = {
    storage_gone = {
      where    = "entry.operation == 'delete' && entry.resource_type == 'storage'"
      severity = "critical"
      message  = "A storage is gone."
    }
    pair = {
      where     = "entry.operation == 'delete'"
      threshold = 2
      within    = "1h"
    }
  }
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				found("findings", knownvalue.ListExact([]knownvalue.Check{
					one("storage_gone", "critical", nil, 1, 3*time.Hour, 3*time.Hour, "A storage is gone.", ids[3]),
					one("deletion", "medium", by("mia"), 2, 5*time.Hour, 3*time.Hour, "2 deletions", ids[1], ids[3]),
					one("login_from_new_address", "medium", map[string]knownvalue.Check{
						"actor": knownvalue.StringExact("mia"), "ip_address": knownvalue.StringExact("2001:db8::1"),
					}, 1, time.Hour, time.Hour, "1 login from a new address", ids[5]),
					one("permission_change", "medium", by("mia"), 1, 59*time.Minute, 59*time.Minute, "1 permission change", ids[6]),
				})),
				found("total_count", knownvalue.Int64Exact(4)),
				found("counts_by_rule", counts(map[string]int64{
					"deletion": 1, "mass_deletion": 0, "permission_change": 1, "new_api_token": 0, "login_from_new_address": 1,
					"storage_gone": 1, "pair": 0,
				})),
				found("counts_by_severity", counts(map[string]int64{"critical": 1, "high": 0, "medium": 3})),
				found("not_evaluable", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
					"rule":   knownvalue.StringExact("repeated_failed_logins"),
					"reason": knownvalue.StringExact("UpCloud records successful logins only."),
				})})),
				found("entry_count", knownvalue.Int64Exact(6)),
				found("expected_count", knownvalue.Int64Exact(1)),
				found("expected_counts", knownvalue.ListExact(
					[]knownvalue.Check{knownvalue.Int64Exact(1), knownvalue.Int64Exact(0)},
				)),
				found("window_start", knownvalue.StringExact("2026-06-29T12:00:00.000000Z")),
				found("completeness", knownvalue.ObjectPartial(
					map[string]knownvalue.Check{"proof": knownvalue.StringExact("total_matches")},
				)),
				found("baseline_completeness", knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"window_start": knownvalue.StringExact("2026-06-15T12:00:00.000000Z"),
					"window_end":   knownvalue.StringExact("2026-06-29T12:00:00.000000Z"),
				})),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
		// Spans are half-open: two hours do not hold what is exactly two hours apart.
		resource.TestStep{
			Config: w.config(`data "audit_log_findings" "test" {
  service       = "upcloud"
  builtin_rules = []
  redact        = { actor = "drop" }

  rules = {
    two_hours = {
      where     = "entry.operation == 'delete' && entry.actor == 'mia'"
      threshold = 2
      within    = "2h"
    }
    longer = {
      where     = "entry.operation == 'delete' && entry.actor == 'mia'"
      threshold = 2
      within    = "121m"
      group_by  = ["actor"]
    }
  }
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				found("counts_by_rule", counts(map[string]int64{"two_hours": 0, "longer": 1})),
				found("findings", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"group": knownvalue.MapExact(by("user")), "message": knownvalue.StringExact("2 matching entries within 121m"),
				})})),
				found("not_evaluable", knownvalue.ListExact(nil)),
				found("baseline_completeness", knownvalue.Null()),
			},
		},
	)
}

func TestAccFindings_badInput(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	for name, tt := range map[string]struct{ arguments, summary, detail string }{
		"no where": {
			`rules = { x = { severity = "low" } }`,
			"Incorrect attribute value type", `Inappropriate value for attribute "rules": element "x": attribute "where" is required.`,
		},
		"condition": {
			`rules = { x = { where = "entry.operation == 'delete' && entry.actr != 'ci'" } }`,
			"Check the configuration", `The condition cannot be used: an entry has no such field (did you mean actor?); its fields are id, time, service, endpoint, account, action, operation, actor_type, actor_id, actor, resource_type, resource_id, resource_name, scope_type, scope_id, scope_name, origin, auth_type, ip_address, user_agent, correlation_id, message, changes, raw.

Line: 1
Column: 37
Rule: x

entry.operation == '******' && entry.**** != '**'
                                     ^

Correct it there; the guide "Conditions" lists the fields and functions, with examples.`,
		},
		"threshold of zero": {
			`rules = { x = { where = "true", threshold = 0 } }`,
			"Check the rules", `The threshold is 0, and the least that makes sense is 1.

Rule: x
Argument: threshold

Change it, or remove it.`,
		},
		"within longer than the window": {
			`rules = { x = { where = "true", within = "2d" } }`,
			"Check the rules", `The span of 2d is longer than the window, which is 1d long.

Rule: x
Argument: within

Change it, or remove it.`,
		},
		"severity": {
			`rules = { x = { where = "true", severity = "bad" } }`,
			"Check the configuration", `The value of rules["x"].severity cannot be used: it is unknown.


Give one of critical, high, medium, low, info.`,
		},
		"group by": {
			`rules = { x = { where = "true", group_by = ["actor", "who"] } }`,
			"Check the rules", `An entry has no such field.

Rule: x
Argument: group_by

Change it, or remove it.`,
		},
		"built-in name": {
			`rules = { deletion = { where = "true" } }`,
			"Check the rules", `A rule of that name is built in; choose another name.

Rule: deletion

Change it, or remove it.`,
		},
		"unknown built-in": {
			`builtin_rules = ["deletions"]`,
			"Check the rules", `No such rule is built in; there are deletion, mass_deletion, repeated_failed_logins, permission_change, new_api_token, login_from_new_address.

Change it, or remove it.`,
		},
		"no rule": {
			`builtin_rules = []`,
			"Check the rules", `There is no rule, so nothing would be found, whatever happened.

Change it, or remove it.`,
		},
		"expects everything": {
			`expected = [{}]`,
			"Check the rules", `The expectation leaves nothing out: give actors, resource_types or resource_names.

Argument: actors

Change it, or remove it.`,
		},
		"expects what is not recorded": {
			`expected = [{ resource_names = ["web-*"] }]`,
			"Check the rules", `UpCloud never records resource_name, so the expectation would never be met.

Argument: resource_names

Change it, or remove it.`,
		},
		"not evaluable": {
			`builtin_rules         = ["repeated_failed_logins"]
			fail_on_not_evaluable = true`,
			"A rule cannot be evaluated", `There are rules that cannot find anything in this log, or may have missed something, so that finding nothing proves nothing.

Service: upcloud
Rule repeated_failed_logins: UpCloud records successful logins only.

Remove those that the service cannot answer, or name the built-in rules to apply in builtin_rules.`,
		},
		"own rule not evaluable": {
			`builtin_rules         = []
			rules                 = { x = { where = "entry.user_agent != ''" } }
			fail_on_not_evaluable = true`,
			"A rule cannot be evaluated", `There are rules that cannot find anything in this log, or may have missed something, so that finding nothing proves nothing.

Service: upcloud
Rule x: No entry of UpCloud can meet the condition, whatever happened.

Remove those that the service cannot answer, or name the built-in rules to apply in builtin_rules.`,
		},
		"left out by the query": {
			`builtin_rules         = ["deletion"]
			operations            = ["create"]
			fail_on_not_evaluable = true`,
			"A rule cannot be evaluated", `There are rules that cannot find anything in this log, or may have missed something, so that finding nothing proves nothing.

Service: upcloud
Rule deletion: The query leaves out delete, which is what the rule looks for.

Remove those that the service cannot answer, or name the built-in rules to apply in builtin_rules.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: w.factories(), Steps: []resource.TestStep{{
				Config:      w.config("data \"audit_log_findings\" \"test\" {\n  service = \"upcloud\"\n  " + tt.arguments + "\n}"),
				ExpectError: diagnostic(tt.summary, tt.detail),
			}}})
		})
	}
}

// TestAccFindings_archive: what an archive says, years later, is what the cloud
// said.
func TestAccFindings_archive(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 800, Seed: 5})
	rules := func(name, source string) string {
		return fmt.Sprintf(`
data "audit_log_findings" %q {
  %s
  start = "2026-06-20T00:00:00Z"
  end   = "2026-06-28T00:00:00Z"

  baseline = "7d"
}
`, name, source)
	}
	archive := fmt.Sprintf(`
resource "audit_log_archive" "test" {
  service     = "upcloud"
  destination = %q
}
`, w.file("archive"))

	w.test(
		resource.TestStep{Config: w.config(archive)},
		resource.TestStep{
			Config: w.config(archive + rules("cloud", `service = "upcloud"`) + rules("test", fmt.Sprintf("service = \"archive\"\n  destination = %q", w.file("archive"))) + `
output "same" {
  value = [for name in ["findings", "counts_by_rule", "not_evaluable", "entry_count"] :
    jsonencode(data.audit_log_findings.cloud[name]) == jsonencode(data.audit_log_findings.test[name]) ? "same" : name]
}
`),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownOutputValue("same", knownvalue.TupleExact([]knownvalue.Check{
					knownvalue.StringExact("same"), knownvalue.StringExact("same"), knownvalue.StringExact("same"),
					knownvalue.StringExact("same"),
				})),
				found("completeness", knownvalue.ObjectPartial(
					map[string]knownvalue.Check{"proof": knownvalue.StringExact("chain_verified")},
				)),
				found("baseline_completeness",
					knownvalue.ObjectPartial(map[string]knownvalue.Check{"proof": knownvalue.StringExact("chain_verified")})),
				found("counts_by_rule", knownvalue.MapPartial(map[string]knownvalue.Check{"deletion": knownvalue.Int64Exact(11)})),
			},
		},
	)
}
