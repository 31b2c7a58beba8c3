// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// lookUpArchive reads the archive of w.archive back, without any provider block.
func (w *world) lookUpArchive(more string) string {
	return fmt.Sprintf("data \"audit_logs\" \"test\" {\n  service = \"archive\"\n  destination = %q\n%s\n}\n", w.file("archive"), more)
}

func expectLookUp(name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue("data.audit_logs.test", tfjsonpath.New(name), check)
}

const archivedWindow = `
  start = "2026-06-02T00:00:00Z"
  end   = "2026-06-29T00:00:00Z"
  max_entries = 10000
`

// What was archived is found as the cloud shows it, in whatever form and wherever
// it was archived, and also when nothing is configured any more.
func TestAccSource_sameAsTheCloud(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		service, format string
		s3              bool
	}{
		{"upcloud", `format = "ndjson"`, false},
		{"cloudscale", `format = "parquet"`, false},
		{"upcloud", `format = "parquet"`, true},
	} {
		t.Run(fmt.Sprintf("%s %s s3=%v", tt.service, tt.format, tt.s3), func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 200, NoExamples: true, Seed: 41})
			destination := w.file("archive")

			if tt.s3 {
				var s3 *storetest.S3

				destination, s3 = storetest.NewS3(t)
				maps.Copy(w.env, s3.Environment())
			}

			archive := w.config(fmt.Sprintf("resource \"audit_log_archive\" \"test\" {\n  service = %q\n  destination = %q\n  start = \"60d\"\n  compression = \"zstd\"\n  %s\n}\n", tt.service, destination, tt.format))
			filters := archivedWindow + "  operations = [\"create\", \"delete\"]\n"
			fromCloud := fmt.Sprintf("data \"audit_logs\" \"cloud\" {\n  service = %q\n%s}\n", tt.service, filters)
			fromArchive := fmt.Sprintf("data \"audit_logs\" \"test\" {\n  service = \"archive\"\n  destination = %q\n%s}\n", destination, filters)

			var total string

			w.test(
				resource.TestStep{Config: archive},
				resource.TestStep{
					Config: archive + fromCloud + fromArchive + `
output "same" {
  value = [for name in ["entries", "total_count", "counts_by_action", "counts_by_operation", "counts_by_actor",
    "counts_by_resource_type"] :
    name if jsonencode(data.audit_logs.cloud[name]) != jsonencode(data.audit_logs.test[name])]
}`,
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownOutputValue("same", knownvalue.ListExact([]knownvalue.Check{})),
						expectLookUp("completeness", knownvalue.ObjectPartial(map[string]knownvalue.Check{
							"proof": knownvalue.StringExact("chain_verified"), "gaps": knownvalue.ListExact(nil),
							"caveats":          knownvalue.ListExact(nil),
							"beyond_retention": knownvalue.Bool(false), "retention_days": knownvalue.Int64Exact(0),
						})),
					},
					Check: resource.TestCheckResourceAttrWith("data.audit_logs.test", "total_count", func(v string) error {
						total = v

						return atLeastOne(v)
					}),
				},
			)

			// The cloud has forgotten, and nobody has credentials.
			w.later.Store(int64(5 * 365 * 24 * time.Hour))
			w.test(resource.TestStep{
				Config: fromArchive,
				Check: resource.TestCheckResourceAttrWith("data.audit_logs.test", "total_count", func(v string) error {
					if v != total {
						return fmt.Errorf("%s entries instead of %s", v, total)
					}

					return nil
				}),
			})
		})
	}
}

// What was changed is named, and so is whoever did not sign.
func TestAccSource_tampered(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 40, NoExamples: true, Seed: 42})
	private, public := newSigningKey(t)
	_, other := newSigningKey(t)
	w.env["AUDIT_SIGNING_KEY"] = private
	all := "  start = \"2026-05-05T00:00:00Z\"\n  end = \"2026-06-30T11:59:00Z\"\n"

	change := func(pattern string) {
		names, err := filepath.Glob(w.file(pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%v, %v", names, err)
		}

		// Of bundles of manifests the last is the one with the most.
		name := slices.MaxFunc(names, func(a, b string) int { return 2*(len(a)-len(b)) + strings.Compare(a, b) })

		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(name, []byte(strings.Replace(string(text), "delete", "create", 1)+" "), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	w.test(resource.TestStep{Config: w.archive("  service = \"upcloud\"\n  start = \"56d\"\n  compression = \"none\"")})
	w.test(
		resource.TestStep{
			Config: w.lookUpArchive(all + "public_keys = [\"" + other + "\"]"),
			ExpectError: diagnostic("Look up audit logs", `The checkpoint is not signed by the expected key: `+keyName(other)+`.
Service: archive
Destination: `+w.file("archive")+`
Give the public key of the key that signs the archive; if this is the one, find out who else wrote the checkpoint.`),
		},
		resource.TestStep{
			Config:            w.lookUpArchive(all + "public_keys = [\"" + public + "\"]"),
			ConfigStateChecks: []statecheck.StateCheck{expectLookUp("total_count", knownvalue.NotNull())},
		},
		resource.TestStep{
			PreConfig: func() { change("archive/entries/*/*/00000001-*") },
			Config:    w.lookUpArchive(all),
			ExpectError: diagnostic("Read UpCloud's archive", `The archive was altered or damaged: entries/cloud=upcloud/date=…/00000001-….ndjson is not what manifest 1 says.
Service: archive
Destination: `+w.file("archive")+`
Window: [2026-05-05T00:00:00.000000Z, 2026-06-30T11:59:00.000000Z)
Run "auditlog verify" on the destination to see what was changed; nothing of a broken archive is used.`),
		},
		resource.TestStep{
			Config: fmt.Sprintf("resource \"audit_log_export\" \"test\" {\n  service = \"archive\"\n  destination = %q\n  path = %q\n  format = \"ndjson\"\n%s}", w.file("archive"), w.file("out.ndjson"), all),
			ExpectError: diagnostic("Export UpCloud's archive", `The archive was altered or damaged: entries/cloud=upcloud/date=…/00000001-….ndjson is not what manifest 1 says.
Service: archive
Destination: `+w.file("archive")+`
Window: [2026-05-05T00:00:00.000000Z, 2026-06-30T11:59:00.000000Z)
Run "auditlog verify" on the destination to see what was changed; nothing of a broken archive is used.`),
		},
		resource.TestStep{
			PreConfig: func() { change("archive/tile/entries/000.p/*") },
			Config:    w.lookUpArchive(all),
			ExpectError: diagnostic("Look up audit logs", `The archive was altered or damaged: tile/entries/000.p/… is no bundle of … manifests.
Service: archive
Destination: `+w.file("archive")+`
Run "auditlog verify" on the destination to see what was changed; nothing of a broken archive is used.`),
		},
		resource.TestStep{
			Config:      fmt.Sprintf("data \"audit_log_filter_options\" \"test\" {\n  service = \"archive\"\n  destination = %q\n}", w.file("archive")),
			ExpectError: diagnostic("List audit log filter options", `The archive was altered or damaged: tile/entries/000.p/… is no bundle of … manifests. …`),
		},
	)
}

// What the archive does not hold is in the statement.
func TestAccSource_gaps(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 40, NoExamples: true, Seed: 43})
	gap := func(start, end string) knownvalue.Check {
		return knownvalue.ObjectExact(map[string]knownvalue.Check{
			"start": knownvalue.StringExact(start),
			"end":   knownvalue.StringExact(end),
		})
	}
	completeness := func(name string, check knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data.audit_logs.test", tfjsonpath.New("completeness").AtMapKey(name), check)
	}

	w.test(resource.TestStep{Config: w.archive("  service = \"upcloud\"\n  start = \"2026-06-01T00:00:00Z\"\n  operations = [\"create\", \"delete\"]")})
	w.test(
		resource.TestStep{
			Config: w.lookUpArchive("  start = \"2026-05-31T00:00:00Z\"\n  end = \"2026-06-30T12:00:00Z\"\n"),
			ConfigStateChecks: []statecheck.StateCheck{
				completeness("gaps", knownvalue.ListExact([]knownvalue.Check{
					gap("2026-05-31T00:00:00.000000Z", "2026-06-01T00:00:00.000000Z"),
					gap("2026-06-30T11:59:00.000000Z", "2026-06-30T12:00:00.000000Z"),
				})),
				completeness("caveats", knownvalue.ListExact([]knownvalue.Check{
					knownvalue.StringExact(`The archive keeps only entries with operations = ["create", "delete"]; whatever else happened is not in it.`),
				})),
			},
		},
		resource.TestStep{
			Config: w.lookUpArchive("  start = \"2026-06-10T00:00:00Z\"\n  operations = [\"start\"]\n"),
			ExpectError: diagnostic("Check the query", `The archive keeps only entries with operations = ["create", "delete"], so the filter would find nothing, whatever happened.
Service: archive
Remove the argument for this service.`),
		},
		resource.TestStep{
			Config: w.lookUpArchive("  start = \"2026-06-10T00:00:00Z\"\n  operations = [\"login_failed\"]\n"),
			ExpectError: diagnostic("Check the query", `UpCloud records successful logins only, so the filter would find nothing, whatever happened.
Service: archive
Remove the operation for this service, or filter by actions.`),
		},
		resource.TestStep{
			Config: fmt.Sprintf("data \"audit_log_filter_options\" \"test\" {\n  service = \"archive\"\n  destination = %q\n}", w.file("archive")),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.audit_log_filter_options.test", tfjsonpath.New("operations"),
					knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("create"), knownvalue.StringExact("delete")})),
				statecheck.ExpectKnownValue("data.audit_log_filter_options.test", tfjsonpath.New("origin_of_values"),
					knownvalue.StringExact("observed")),
			},
		},
	)
}

// A filter on what was redacted is refused rather than answered with nothing.
func TestAccSource_redacted(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 40, NoExamples: true, Seed: 44})

	w.test(resource.TestStep{Config: w.archive("  service = \"upcloud\"\n  start = \"2026-06-01T00:00:00Z\"\n  redact = { actor = \"mask\" }")})
	w.test(
		resource.TestStep{
			Config: w.lookUpArchive("  start = \"2026-06-10T00:00:00Z\"\n  actors = [\"ci\"]\n"),
			ExpectError: diagnostic("Check the query", `UpCloud's archive holds actor in redacted form, so the filter could miss what happened.
Service: archive
Remove the argument for this service.`),
		},
		resource.TestStep{
			Config: w.lookUpArchive("  start = \"2026-06-10T00:00:00Z\"\n  end = \"2026-06-20T00:00:00Z\"\n  resource_types = [\"server\"]\n"),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.audit_logs.test", tfjsonpath.New("completeness").AtMapKey("caveats"),
					knownvalue.ListExact(nil)),
			},
		},
	)
}

// An export of an archive holds what an export of the cloud does, also where the
// same apply begins the archive.
func TestAccSource_export(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 100, NoExamples: true, Seed: 45})
	window := "  format = \"ndjson\"\n  start = \"2026-06-02T00:00:00Z\"\n  end   = \"2026-06-29T00:00:00Z\"\n"
	config := w.archive("  service = \"cloudscale\"\n  start = \"60d\"") + fmt.Sprintf(`
resource "audit_log_export" "archive" {
  service     = "archive"
  destination = audit_log_archive.test.destination
  path        = %q
%s}

resource "audit_log_export" "cloud" {
  service = "cloudscale"
  path    = %q
%s}`, w.file("archive.ndjson"), window, w.file("cloud.ndjson"), window)

	w.test(
		resource.TestStep{
			Config: config,
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		},
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	)

	// A cloud's own order is out of order by milliseconds.
	fromCloud := strings.SplitAfter(w.read("cloud.ndjson"), "\n")
	fromArchive := strings.SplitAfter(w.read("archive.ndjson"), "\n")

	slices.Sort(fromCloud)
	slices.Sort(fromArchive)

	if diff := cmp.Diff(fromCloud, fromArchive); diff != "" || len(fromArchive) < 50 {
		t.Errorf("%d lines: %s", len(fromArchive), diff)
	}

	if m := w.read("archive.ndjson.manifest.json"); !strings.Contains(m, `"proof": "chain_verified"`) ||
		!strings.Contains(m, `"service": "archive"`) {
		t.Error(m)
	}
}

func TestAccSource_badInput(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 1})

	for name, tt := range map[string]struct{ config, summary, detail string }{
		"no destination": {`data "audit_logs" "test" { service = "archive" }`, "Check the configuration", `
Which archive to read is not said.
Service: archive
Set destination to the directory or the s3:// URL of the archive.`},
		"no destination of options": {`data "audit_log_filter_options" "test" { service = "archive" }`, "Check the configuration", `
Which archive to read is not said.
Service: archive
Set destination to the directory or the s3:// URL of the archive.`},
		"a destination of a cloud": {"data \"audit_logs\" \"test\" {\n  service = \"upcloud\"\n  destination = \"x\"\n}", "Check the configuration", `
The argument destination says which archive to read, but no archive is read.
Service: upcloud
Set service = "archive", or remove the argument.`},
		"a destination and no service": {"data \"audit_logs\" \"test\" {\n  destination = \"x\"\n}", "Check the configuration", `
The argument destination says which archive to read, but no archive is read.
Set service = "archive", or remove the argument.`},
		"a key of a cloud": {"resource \"audit_log_export\" \"test\" {\n  service = \"upcloud\"\n  path = \"x\"\n  format = \"csv\"\n  public_keys = [\"example.com/audit+ee7cfe96+ASI+g3ekuEwf87J+UIBdzMrsZA+yGYIFF7HomUjh+o7q\"]\n}", "Check the configuration", `
The argument public_keys says which archive to read, but no archive is read.
Service: upcloud
Set service = "archive", or remove the argument.`},
		"no key": {"data \"audit_logs\" \"test\" {\n  service = \"archive\"\n  destination = \"x\"\n  public_keys = [\"secret\"]\n}", "Check the configuration", `
The value of public_keys[0] cannot be used: it is no public key. …`},
		"no archive": {w.lookUpArchive(""), "Look up audit logs", `
There is no archive at the destination.
Service: archive
Destination: ` + w.file("archive") + `
Check the destination; the first apply of an audit_log_archive begins one.`},
		"no bucket": {"data \"audit_logs\" \"test\" {\n  service = \"archive\"\n  destination = \"s3://evidence?endpoint=https://objects.example.com\"\n}", "Look up audit logs", `
The destination cannot be used: it is …
Give a directory, or a bucket such as "s3://evidence/audit?endpoint=https://objects.example.com&region=de".`},
		"an archive of an archive": {"resource \"audit_log_archive\" \"test\" {\n  service = \"archive\"\n  destination = \"x\"\n}", "Check the configuration", `
An archive is not archived again; it is read back with audit_logs and audit_log_export.
Set service to the cloud whose log to archive; to have an archive twice, copy its files.`},
		"an archive of nothing we know": {"resource \"audit_log_archive\" \"test\" {\n  service = \"aws\"\n  destination = \"x\"\n}", "Check the configuration", `
The value of service cannot be used: it is unknown.
Give one of cloudscale, podstack, upcloud.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: w.factories(),
				Steps: []resource.TestStep{
					{Config: tt.config, PlanOnly: true, ExpectError: diagnostic(tt.summary, tt.detail)},
				},
			})
		})
	}
}

// terraformBlock is left out where a test brings the provider itself.
var terraformBlock = regexp.MustCompile(`(?s)\nterraform \{.*?\n\}\n`)

// The example reads what the archive holds, and fails where it does not hold all.
func TestAccSource_example(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 100, NoExamples: true, Seed: 46})
	private, public := newSigningKey(t)
	w.env["AUDIT_SIGNING_KEY"] = private

	text, err := os.ReadFile("../../examples/archive-lookup/main.tf")
	if err != nil {
		t.Fatal(err)
	}

	example := strings.Replace(terraformBlock.ReplaceAllString(string(text), ""), `"deletions.csv"`,
		fmt.Sprintf("%q", w.file("deletions.csv")), 1)
	variables := func(end string) config.Variables {
		return config.Variables{
			"destination": config.StringVariable(w.file("archive")), "public_key": config.StringVariable(public),
			"start": config.StringVariable("2026-06-01T00:00:00Z"), "end": config.StringVariable(end),
		}
	}

	w.test(resource.TestStep{Config: w.archive("  service = \"upcloud\"\n  start = \"2026-06-01T00:00:00Z\"")})
	w.test(
		resource.TestStep{
			Config:            example,
			ConfigVariables:   variables("2026-06-30T00:00:00Z"),
			ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("deletions", knownvalue.NotNull())},
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
			},
		},
		resource.TestStep{
			Config:          example,
			ConfigVariables: variables("2026-06-30T12:00:00Z"),
			ExpectError: diagnostic("Resource postcondition failed", `The archive does not hold all of the window:
nothing is known from 2026-06-30T11:59:00.000000Z to 2026-06-30T12:00:00.000000Z`),
		},
	)

	if lines := strings.Count(w.read("deletions.csv"), "\n"); lines < 3 ||
		strings.Count(w.read("deletions.csv"), ",delete,") != lines-1 {
		t.Errorf("%d lines", lines)
	}
}
