// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
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

		for _, info := range []auditlog.Info{upcloud.Info(), cloudscale.Info(), podstack.Info()} {
			switch {
			case b.Never(info) != "":
				services.WriteString(" – |")
			case b.Caveats[info.Name] != "":
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

// TestConditionsToStartFromSayForWhichCloud: a condition that a cloud refuses is
// not said to be for it.
func TestConditionsToStartFromSayForWhichCloud(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../templates/guides/where.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}

	all := regexp.MustCompile("(?s)\\n[^\\n(]*\\(([^\\n]*)\\):\\n\\n```cel\\n(.*?)```").FindAllStringSubmatch(string(text),
		-1)
	if want := strings.Count(string(text), "```cel"); len(all) != want {
		t.Fatalf("%d of %d conditions say which cloud they are for", len(all), want)
	}

	for _, m := range all {
		condition, err := where.Compile(m[2])
		if err != nil {
			t.Fatal(err)
		}

		for _, info := range []auditlog.Info{upcloud.Info(), cloudscale.Info(), podstack.Info()} {
			said := m[1] == "every cloud" || strings.Contains(m[1], info.Title)
			if said && !condition.Possible(auditlog.Query{}.Scope(info)) {
				t.Errorf("%s can have no entry that meets %s", info.Title, m[2])
			}
		}
	}
}
