// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// optional are the arguments of the modules below: variables that default to null
// and are passed on whatever they are.
func optional(names ...string) (variables, arguments string) {
	var v, a strings.Builder

	for _, name := range names {
		fmt.Fprintf(&v, "variable %q {\n  default = null\n}\n", name)
		fmt.Fprintf(&a, "  %s = var.%[1]s\n", name)
	}

	return v.String(), a.String()
}

// module writes a module around a body and returns a call of it.
func (w *world) module(kind, body, arguments string, names ...string) string {
	w.t.Helper()

	variables, passed := optional(names...)

	if err := os.MkdirAll(w.file("module"), 0o700); err != nil {
		w.t.Fatal(err)
	}

	w.write("module/main.tf", variables+kind+" {\n"+body+passed+"}\n")

	return w.config(fmt.Sprintf("module \"m\" {\n  source = %q\n%s\n}\n", w.file("module"), arguments))
}

// later is a value that is known only after an apply.
func later(name, value string) string {
	return fmt.Sprintf("resource \"terraform_data\" %q {\n  input = %s\n}\n", name, value)
}

var queryVariables = []string{
	"last", "start", "end", "settle_delay", "destination", "operations", "actors", "search",
	"where", "redact",
}

// TestAccUnknown_module: a module of variables that default to null is planned and
// applied, also with values that are known only after the apply; what does not go
// together is refused by then.
func TestAccUnknown_module(t *testing.T) {
	t.Parallel()

	for name, kind := range map[string]struct {
		block, body string
		more        []string
	}{
		"look-up": {`data "audit_logs" "test"`, "  service = \"upcloud\"\n", nil},
		"findings": {
			`data "audit_log_findings" "test"`, "  service = \"upcloud\"\n",
			[]string{"builtin_rules", "rules", "expected", "baseline"},
		},
		"export": {
			`resource "audit_log_export" "test"`, "  service = \"upcloud\"\n  format = \"ndjson\"\n  path = \"%s\"\n",
			[]string{
				"shape", "columns", "compression", "triggers",
			},
		},
		"ephemeral": {`ephemeral "audit_logs" "test"`, "  service = \"upcloud\"\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 3})
			body := strings.ReplaceAll(kind.body, "%s", w.file("export.ndjson"))
			names := append(append([]string{}, queryVariables...), kind.more...)

			call := func(arguments, values string) string {
				return w.module(kind.block, body, arguments, names...) + values
			}
			twice := regexp.MustCompile(`The window is given twice`)

			steps := []resource.TestStep{
				{Config: call(`last = "7d"`, "")},
				{
					Config: call("last = terraform_data.last.output\noperations = terraform_data.operations.output\nredact = { actor = terraform_data.mode.output }",
						later("last", `"7d"`)+later("operations", `["delete", "create"]`)+later("mode", `"drop"`)),
				},
				{
					Config:      call("last = terraform_data.again.output\nstart = terraform_data.start.output", later("again", `"7d"`)+later("start", `"2026-06-01T00:00:00Z"`)),
					ExpectError: twice,
				},
				{
					Config:      call("last = \"7d\"\nstart = terraform_data.begin.output", later("begin", `"2026-06-01T00:00:00Z"`)),
					ExpectError: twice,
				},
				{
					Config:      call("operations = terraform_data.empty.output", later("empty", `[]`)),
					ExpectError: regexp.MustCompile(`The list operations is empty`),
				},
				// What is left in a module, the framework for tests cannot destroy by itself.
				{Config: call("", ""), Destroy: true},
			}

			// Modules are installed only for steps with a directory and factories of their own.
			for i := range steps {
				dir := w.file(fmt.Sprintf("step%d", i))
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}

				w.write(fmt.Sprintf("step%d/main.tf", i), steps[i].Config)

				steps[i].Config, steps[i].ConfigDirectory = "", config.StaticDirectory(dir)
				steps[i].ProtoV6ProviderFactories = w.factories()
			}

			resource.Test(t, resource.TestCase{Steps: steps})
		})
	}
}

// TestAccUnknown_export: what is decided only when the apply knows it, is decided
// before anything is written.
func TestAccUnknown_export(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 3})
	shaped := func(values string) string {
		return w.export("a.ndjson", "ndjson", "service = \"upcloud\"\nlast = \"30d\"\nshape = terraform_data.shape.output\ncolumns = terraform_data.columns.output") + "\n" + values
	}

	w.test(
		resource.TestStep{
			Config:      shaped(later("shape", `"ocsf"`) + later("columns", `["id"]`)),
			ExpectError: regexp.MustCompile(`Change format or columns`),
		},
	)

	if files := w.filesBelow(); len(files) > 0 {
		t.Errorf("there are %v", files)
	}

	w.test(
		resource.TestStep{
			Config: shaped(later("shape", `"entry"`) + later("columns", `["id", "time"]`)),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		},
	)
}

// TestAccUnknown_rules: rules and expectations of which a part, or all, is known only
// after the apply.
func TestAccUnknown_rules(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 3})
	findings := func(arguments, values string) string {
		return w.config("data \"audit_log_findings\" \"test\" {\n  service = \"upcloud\"\n  last = \"30d\"\n"+arguments+"\n}\n") + values
	}
	rule := `{ where = "entry.operation == 'create'", severity = "high", group_by = ["actor"] }`

	for name, tt := range map[string]struct {
		config, want string
	}{
		"a whole rule": {config: findings("rules = { x = terraform_data.rule.output }", later("rule", rule))},
		"all rules":    {config: findings("rules = terraform_data.rules.output", later("rules", "{ x = "+rule+" }"))},
		"parts": {config: findings(`rules = { x = {
  where     = terraform_data.where.output
  severity  = terraform_data.severity.output
  group_by  = ["actor", terraform_data.group.output]
  within    = terraform_data.within.output
  threshold = terraform_data.threshold.output
} }`, later("where", `"entry.operation == 'create'"`)+later("severity", `"low"`)+
			later("group", `"resource_type"`)+later("within", `"10m"`)+later("threshold", "2"))},
		"expectations": {config: findings(`expected = [{ actors = [terraform_data.actor.output] }, terraform_data.expected.output]`,
			later("actor", `"ci"`)+later("expected", `{ resource_types = ["server"], rules = null, actors = null, resource_names = null }`))},
		"a rule that is null": {
			config: findings("rules = { x = terraform_data.rule.output }", later("rule", "null")),
			want:   `element "x":\s+attribute\s+"where"\s+is\s+required`,
		},
		"a bad severity": {
			config: findings(`rules = { x = { where = "true", severity = terraform_data.severity.output } }`, later("severity", `"severe"`)),
			want:   `rules\["x"\].severity cannot be used`,
		},
		"a built-in rule that is not": {
			config: findings("builtin_rules = [terraform_data.name.output]", later("name", `"deletions"`)),
			want:   `No such rule is built in`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			step := resource.TestStep{Config: tt.config}
			if tt.want != "" {
				step.ExpectError = regexp.MustCompile(tt.want)
			}

			resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: w.factories(), Steps: []resource.TestStep{step}})
		})
	}
}

// TestAccUnknown_provider: the provider's token, or all of a block, comes from a
// resource. What is read when planning fails and says why; what is read in the apply
// is planned and applied.
func TestAccUnknown_provider(t *testing.T) {
	t.Parallel()

	for name, block := range map[string]string{
		"token": `{ token = terraform_data.token.output, endpoint = "%s" }`,
		"block": `terraform_data.block.output`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 300, Seed: 3})
			values := later("last", `"7d"`) + later("token", fmt.Sprintf("%q", fakeapi.DefaultToken)) +
				later("block", fmt.Sprintf("{ token = %q, endpoint = %q }", fakeapi.DefaultToken, w.upcloud))
			configure := func(body string) string {
				return "provider \"audit\" {\n  upcloud = " + strings.ReplaceAll(block, "%s", w.upcloud) + "\n}\n" + values + body
			}
			after := "  depends_on = [terraform_data.token, terraform_data.block]\n"

			w.test(
				resource.TestStep{
					Config: configure(`data "audit_logs" "test" { last = "7d" }`),
					ExpectError: diagnostic("Look up audit logs", `The provider's configuration for UpCloud depends on values that are known only after an apply.
Service: upcloud
Configure the provider with values that are known when planning, such as variables or the environment.`),
				},
			)

			w.test(
				resource.TestStep{
					Config: configure(`data "audit_logs" "test" {
  last = "7d"
` + after + `}
data "audit_log_findings" "test" {
  last = "7d"
` + after + `}
ephemeral "audit_logs" "test" {
  last = terraform_data.last.output
}
resource "audit_log_export" "test" {
  path   = "` + w.file("export.ndjson") + `"
  format = "ndjson"
  last   = "7d"
}
resource "audit_log_archive" "test" {
  destination = "` + w.file("archive") + `"
  start       = "30d"
}
`),
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownValue(exported, tfjsonpath.New("sha256"), knownvalue.NotNull()),
						statecheck.ExpectKnownValue(archived, tfjsonpath.New("sequence"), knownvalue.NotNull()),
						statecheck.ExpectKnownValue("data."+provider.AuditLogsType+".test", tfjsonpath.New("total_count"),
							knownvalue.NotNull()),
					},
				},
				// The token is made anew: what the archive needs to look is not known when
				// planning, so that the apply does it.
				resource.TestStep{
					PreConfig: func() { values = strings.ReplaceAll(values, "input", "triggers_replace = 1\n  input") },
					Config:    configure(""),
				},
			)
		})
	}
}

// TestAccUnknown_archive: a token that changes does not keep an archive from being
// planned, and the apply archives what is new.
func TestAccUnknown_archive(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 200, NoExamples: true, Seed: 21})
	at := func(version int, key string) string {
		return fmt.Sprintf(`
resource "terraform_data" "token" {
  input            = %q
  triggers_replace = %d
}
provider "audit" {
  upcloud       = { token = terraform_data.token.output, endpoint = %q }
  redaction_key = %s
}
resource "audit_log_archive" "test" {
  destination = %q
  start       = "30d"
  redact      = { actor = "hash" }
}
`, fakeapi.DefaultToken, version, w.upcloud, key, w.file("archive"))
	}
	key := fmt.Sprintf("%q", redactionKey)

	w.test(
		resource.TestStep{
			Config:            at(1, key),
			ConfigStateChecks: []statecheck.StateCheck{expectArchive("sequence", knownvalue.NotNull())},
		},
		resource.TestStep{
			PreConfig:        func() { w.later.Add(int64(90_000_000_000)) },
			Config:           at(2, key),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
		},
		// The key alone is not known.
		resource.TestStep{
			Config:           at(2, "terraform_data.key.output") + later("key", key),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
		},
	)
}
