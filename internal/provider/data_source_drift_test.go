// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// driftFixture is the path of a file that was made by Terraform, or of the month in which it was changed by hand.
func driftFixture(t *testing.T, name string) string {
	t.Helper()

	path, err := filepath.Abs(filepath.Join("..", "drift", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}

	return path
}

// newMonth is a world in which people changed by hand what Terraform manages.
func newMonth(t *testing.T) *world {
	t.Helper()

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	month, err := os.Open(driftFixture(t, "month.ndjson"))
	if err != nil {
		t.Fatal(err)
	}

	defer func() { _ = month.Close() }()

	if err := w.fake.Load(month); err != nil {
		t.Fatal(err)
	}

	return w
}

const (
	blueServer = "f07d32a6-81f4-4358-8892-ad3efef60bf5"
	loadFront  = "fe299ed5-76f5-4cf4-847c-5f4c3254fd4f"
)

// driftExample is the data source of the example, with the server of the month, and texts replaced as in
// strings.NewReplacer.
func driftExample(t *testing.T, replaced ...string) string {
	t.Helper()

	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "data-sources", "audit_log_drift", "data-source.tf"))
	if err != nil {
		t.Fatal(err)
	}

	const begin = `data "audit_log_drift"`

	_, example, _ := strings.Cut(string(text), begin)
	example = strings.NewReplacer(`"week"`, `"test"`, "upcloud_server.web.id", `"`+blueServer+`"`).Replace(example)

	return begin + strings.NewReplacer(replaced...).Replace(example)
}

// Each change by hand is found with its author, and nothing that the pipeline did.
func TestAccDrift(t *testing.T) {
	t.Parallel()

	w := newMonth(t)
	found := func(name string, check knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data."+provider.DriftType+".test", tfjsonpath.New(name), check)
	}
	text := knownvalue.StringExact
	event := func(actor string, reverted bool) knownvalue.Check {
		return knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{
			"actor": text(actor), "reverted": knownvalue.Bool(reverted),
		})})
	}

	w.test(
		resource.TestStep{
			Config: w.config(`data "audit_log_drift" "test" {
  service  = "upcloud"
  last     = "30d"
  managed  = { "upcloud_server.web[\"blue\"]" = "` + blueServer + `", "upcloud_loadbalancer.front" = "` + loadFront + `" }
  pipeline = { actors = ["terraform-ci"] }
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				found("changed", knownvalue.ListExact([]knownvalue.Check{
					knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"address": text("upcloud_loadbalancer.front"), "match": text("by_id"),
						"reverted": knownvalue.Bool(true), "events": event("mia.ops", true),
					}),
					knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"address": text(`upcloud_server.web["blue"]`), "reverted": knownvalue.Bool(false),
						"events": event("mia.ops", false), "seen": knownvalue.Null(), "reason": knownvalue.Null(),
					}),
				})),
				found("deleted", knownvalue.ListExact(nil)),
				found("created_count", knownvalue.Int64Exact(1)),
				found("unexplained_count", knownvalue.Int64Exact(0)),
				found("pipeline_entry_count", knownvalue.Int64Exact(4)),
				found("former_count", knownvalue.Int64Exact(0)),
				found("clean", knownvalue.Bool(false)),
				found("completeness", knownvalue.ObjectPartial(map[string]knownvalue.Check{"conclusive": knownvalue.Bool(true)})),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
		resource.TestStep{
			Config: w.config(`data "audit_log_drift" "test" {
  service    = "upcloud"
  last       = "30d"
  state_file = "` + driftFixture(t, "plan.json") + `"
  pipeline   = { where = "entry.actor == 'terraform-ci' && entry.origin == 'api'" }
}`),
			ConfigStateChecks: []statecheck.StateCheck{
				found("changed_count", knownvalue.Int64Exact(4)),
				found("deleted", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"address": text("upcloud_storage.data[1]"), "events": event("jonas.platform", false),
					"seen": knownvalue.ObjectPartial(map[string]knownvalue.Check{"deleted": knownvalue.Bool(true)}),
				})})),
				found("unexplained_count", knownvalue.Int64Exact(6)),
				found("resource_count", knownvalue.Int64Exact(29)),
			},
			ConfigPlanChecks: expectNoChanges(),
		},
		// The gate of the example: nothing was touched by hand in the last days of the month.
		resource.TestStep{
			Config:            w.config(driftExample(t, `"7d"`, `"5d"`)),
			ConfigStateChecks: []statecheck.StateCheck{found("clean", knownvalue.Bool(true))},
		},
		// What else was created in the account, in no given state, does not concern it.
		resource.TestStep{
			Config:            w.config(driftExample(t, `"7d"`, `"15d"`)),
			ConfigStateChecks: []statecheck.StateCheck{found("created_count", knownvalue.Int64Exact(1))},
		},
		resource.TestStep{
			Config: w.config(driftExample(t, `"7d"`, `"30d"`, blueServer, loadFront)),
			ExpectError: regexp.MustCompile(`upcloud_server\.web: update by mia\.ops at\s+2026-06-10T08:00:00\.000000Z\s+` +
				`\(reverted\s+since\)\s+conclusive: true`),
		},
		resource.TestStep{
			Config: w.config(driftExample(t, `"7d"`, `"5d"`, "managed = {", `state_file = "`+driftFixture(t, "plan.json")+`"
  managed = {`)),
			ExpectError: regexp.MustCompile(
				`upcloud_storage\.data\[1\]: who changed it is not known:\s+before_window\s+conclusive: true`,
			),
		},
	)
}

func TestDriftOfCloudscale(t *testing.T) {
	t.Parallel()

	w := newMonth(t)
	asked := args{
		"service": "cloudscale", "last": "30d", "managed": args{"cloudscale_server.api": "api-1"},
		"pipeline": args{"actors": list("terraform-ci")},
	}

	a := w.look(t, provider.DriftType, asked)
	a.is("changed_count", int64(1))
	// An attachment, and a volume that nobody said Terraform manages.
	a.is("unattributed_entry_count", int64(2))
	// Anybody can give a token the description.
	a.warns("Ids: 3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002")

	// An id is none in a log that has names.
	asked["managed"] = args{"cloudscale_server.api": "d3fed70d-4ab4-468d-8733-fb4cb954349c"}
	a = w.look(t, provider.DriftType, asked)
	a.is("changed_count", int64(0))
	a.warns("The log has no ids, and the resource has no name")
}

func TestDriftRedacted(t *testing.T) {
	t.Parallel()

	w := newMonth(t)
	a := w.look(t, provider.DriftType, args{
		"service": "upcloud", "last": "30d", "managed": args{"upcloud_server.web": blueServer},
		"pipeline": args{"actors": list("terraform-ci")}, "redact": args{"actor": "drop", "ip_address": "mask"},
	})
	a.is("changed_count", int64(1))
	a.is("pipeline_entry_count", int64(4))

	if text := a.state["changed"].String(); strings.Contains(text, "mia.ops") || strings.Contains(text, "198.51.100.23") {
		t.Errorf("what was to be redacted is there: %s", text)
	}
}

func TestDriftRefuses(t *testing.T) {
	t.Parallel()

	w := newMonth(t)
	managed := args{"upcloud_server.web": blueServer}

	type refusal struct {
		more args
		want string
	}

	pipelined := func(name string, value any, want string) refusal {
		return refusal{args{"managed": managed, "pipeline": args{name: value}}, want}
	}

	for name, tt := range map[string]refusal{
		"nothing":         {args{}, "What Terraform manages is not said."},
		"no address":      {args{"managed": args{"web": "1"}}, "A key of managed is not the address of a resource."},
		"a data source":   {args{"managed": args{"data.upcloud_zone.a": "1"}}, "A key of managed is not the address of a resource."},
		"no such file":    {args{"state_file": w.file("none.json")}, "The file cannot be read: no such file or directory."},
		"a binary plan":   {args{"state_file": driftFixture(t, "saved-plan")}, "The file is a plan as terraform plan -out writes it."},
		"another cloud":   {args{"managed": args{"cloudscale_server.a": "a"}}, "None of the resources is of the cloud whose log is read."},
		"no run":          pipelined("runs", list("2026-06-01T00:00:00Z"), "not two times with a slash"),
		"no condition":    pipelined("where", "entry.actr == ''", "The condition cannot be used"),
		"unknown value":   pipelined("where", "entry.origin == 'gooey'", "UpCloud knows no such origin"),
		"wrong condition": pipelined("where", "entry.raw.none == 1", "the record of an entry has no such key"),
		"no time":         {args{"managed": managed, "as_of": "yesterday"}, "not a time as in RFC 3339"},
	} {
		tt.more["service"], tt.more["last"] = "upcloud", "30d"

		t.Log(name) // It is shown where it fails.
		w.look(t, provider.DriftType, tt.more).fails(tt.want)
	}

	w.look(t, provider.DriftType, args{"service": "upcloud", "managed": managed}).warns("Nobody is named as the pipeline")
	// What is left where an attribute is misspelt.
	w.look(t, provider.DriftType, args{"service": "upcloud", "managed": managed, "pipeline": args{}}).
		warns("Nobody is named as the pipeline")
	w.look(t, provider.DriftType, args{
		"service": "upcloud", "managed": managed, "last": "30d", "pipeline": args{"actors": list("terraform-cl")},
	}).warns("The pipeline did nothing within the window")
}

// The same resources may be given by a state and by the configuration.
func TestDriftGivenTwice(t *testing.T) {
	t.Parallel()

	w := newMonth(t)
	asked := args{
		"service": "cloudscale", "last": "30d", "state_file": driftFixture(t, "state.json"),
		"pipeline": args{"actors": list("3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002")},
	}

	once := w.look(t, provider.DriftType, asked)
	asked["managed"] = args{"cloudscale_server.api": "api-1", "cloudscale_volume.cache": "cache"}
	twice := w.look(t, provider.DriftType, asked)

	for _, name := range []string{"changed", "deleted", "created", "unexplained", "unmatched", "resource_count"} {
		if a, b := once.state[name].String(), twice.state[name].String(); a != b {
			t.Errorf("%s: %s\nis not\n%s", name, b, a)
		}
	}

	// An id that is null or empty is none.
	for _, id := range []any{nil, ""} {
		a := w.look(t, provider.DriftType, args{
			"service": "upcloud", "last": "30d", "managed": args{"upcloud_server.web": id},
		})
		a.is("changed_count", int64(0))
		a.warns("It has no id that the log could have")
	}

	w.look(t, provider.DriftType, args{"service": "upcloud", "last": "30d", "managed": args{}}).
		fails("What was given says of no resource that Terraform manages it")
}
