// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// TestBuiltinRulesAreDocumented holds the tables of the documentation against the
// rules as they are.
func TestBuiltinRulesAreDocumented(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../templates/data-sources/log_findings.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}

	var rules, services strings.Builder

	for _, b := range finding.Builtins() {
		within := "the window"
		if b.Within != 0 {
			within = fmt.Sprintf("`%dm`", int(b.Within.Minutes()))
		}

		fmt.Fprintf(&rules, "| `%s` | `%s` | `%d` | %s | `%s` | `%s` |\n",
			b.Name, strings.ReplaceAll(b.Where, "|", `\|`), b.Threshold, within, strings.Join(b.GroupBy, "`, `"), b.Severity)

		fmt.Fprintf(&services, "| `%s` |", b.Name)

		for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale, auditlog.ServicePodStack} {
			switch {
			case b.Impossible[service] != "":
				services.WriteString(" – |")
			case b.Caveats[service] != "":
				services.WriteString(" perhaps |")
			default:
				services.WriteString(" yes |")
			}
		}

		services.WriteString("\n")
	}

	for _, table := range []string{rules.String(), services.String()} {
		if !strings.Contains(string(text), table) {
			t.Errorf("the documentation lacks:\n%s", table)
		}
	}
}
