// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestAccNamesThatTerraformMakesEqual has a name in two forms, which a
// configuration and a state only have one of, and an address in two.
func TestAccNamesThatTerraformMakesEqual(t *testing.T) {
	t.Parallel()

	const composed, decomposed = "zo\u00eb", "zoe\u0308"

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.history(
		deed{5 * time.Hour, decomposed, "delete", "server", "::ffff:10.0.0.1"},
		deed{4 * time.Hour, composed, "delete", "server", "10.0.0.1"},
		deed{3 * time.Hour, decomposed, "delete", "storage", "192.0.2.1"},
		deed{2 * time.Hour, `CORP\jdoe`, "delete", "storage", "192.0.2.1"},
	)

	config := w.config(`
data "audit_logs" "all" {
  service = "upcloud"
}

data "audit_logs" "named" {
  service = "upcloud"
  actors  = ["` + decomposed + `"]
}

data "audit_logs" "where" {
  service = "upcloud"
  where   = "entry.actor == '` + decomposed + `' && entry.raw.account_username.startsWith('` + composed + `')"
}

data "audit_logs" "searched" {
  service = "upcloud"
  search  = "ZO` + "\u00cb" + `"
}

data "audit_logs" "from" {
  service      = "upcloud"
  ip_addresses = ["10.0.0.1"]
}

data "audit_log_findings" "all" {
  service       = "upcloud"
  builtin_rules = ["deletion"]
  expected      = [{ actors = ["CORP\\jdoe"] }]
}

data "audit_log_findings" "none" {
  service       = "upcloud"
  builtin_rules = ["deletion"]
  expected      = [{ actors = ["zo?", "CORP*"] }]
}

output "got" {
  value = {
    by_actor = data.audit_logs.all.counts_by_actor
    totals = {
      named    = data.audit_logs.named.total_count
      all      = data.audit_logs.all.total_count
      sum      = sum(values(data.audit_logs.all.counts_by_actor))
      where    = data.audit_logs.where.total_count
      searched = data.audit_logs.searched.total_count
      from     = data.audit_logs.from.total_count
      findings = data.audit_log_findings.all.total_count
      count    = data.audit_log_findings.all.findings[0].count
      none     = data.audit_log_findings.none.total_count
      expected = data.audit_log_findings.none.expected_count
    }
  }
}
`)

	number := knownvalue.Int64Exact

	w.test(resource.TestStep{
		Config: config, ConfigPlanChecks: expectNoChanges(),
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownOutputValue("got", knownvalue.ObjectExact(map[string]knownvalue.Check{
				"by_actor": knownvalue.MapExact(map[string]knownvalue.Check{composed: number(3), `CORP\jdoe`: number(1)}),
				"totals": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"all": number(4), "sum": number(4), "named": number(3), "where": number(3), "searched": number(3),
					"from":     number(2),
					"findings": number(1), "count": number(3), "none": number(0), "expected": number(4),
				}),
			})),
		},
	})
}
