// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestAccExport_report makes a page, and takes it over again by its manifest.
func TestAccExport_report(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 17})
	config := w.export("march.html", "html", month+"  redact = { ip_address = \"mask\" }\n")

	w.test(
		resource.TestStep{
			Config:   w.export("march.html", "html", month+"  columns = [\"time\"]\n"),
			PlanOnly: true,
			ExpectError: diagnostic("Check the configuration",
				"A page in HTML has columns of its own, so columns cannot be chosen.\n"+
					"Leave out columns and compression, or choose another format."),
		},
		resource.TestStep{
			Config:   w.export("march.html", "html", month+"  compression = \"zstd\"\n"),
			PlanOnly: true,
			ExpectError: diagnostic("Check the configuration",
				"A page in HTML is not compressed, since browsers would not open it.\n"+
					"Leave out columns and compression, or choose another format."),
		},
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: expectAction(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{
				expectExport("entry_count", knownvalue.Int64Exact(299)), // The newest has not settled yet.
			},
			Check: func(*terraform.State) error {
				page := w.read("march.html")
				if !strings.Contains(page, "Nothing is missing between 2026-05-01 11:59:00 UTC and 2026-06-30 11:59:00 UTC") ||
					!strings.Contains(page, "ip_address: masked") ||
					strings.Count(page, "\n<tr>")+strings.Count(page, "\n<tr class=") < 299 {
					return fmt.Errorf("the page is %s", page[:2000])
				}

				if report, err := export.Verify(w.file("march.html")); err != nil || !report.Valid {
					return fmt.Errorf("%w: %+v", err, report)
				}

				return nil
			},
		},
	)

	w.test(
		resource.TestStep{
			Config: config, ResourceName: exported, ImportState: true, ImportStateId: w.file("march.html"),
			ImportStatePersist: true,
		},
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	)
}
