// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/durable/storetest"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

const archived = provider.ArchiveType + ".test"

func expectArchive(name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(archived, tfjsonpath.New(name), check)
}

func (w *world) archive(more string) string {
	return w.config(fmt.Sprintf("resource \"audit_log_archive\" \"test\" {\n  destination = %q\n%s\n}", w.file("archive"),
		more))
}

func archiveAction(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction(archived, action)},
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

func newSigningKey(t *testing.T) (private, public string) {
	t.Helper()

	private, public, err := note.GenerateKey(rand.Reader, "example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	return private, public
}

func TestAccArchive_grows(t *testing.T) {
	t.Parallel()

	for _, service := range []string{"upcloud", "cloudscale"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 200, NoExamples: true, Seed: 21})
			private, public := newSigningKey(t)
			w.env["AUDIT_SIGNING_KEY"] = private
			config := w.archive("  service = \"" + service + "\"\n  start = \"60d\"")

			var first, second string

			w.test(
				resource.TestStep{
					Config:           config,
					ConfigPlanChecks: archiveAction(plancheck.ResourceActionCreate),
					ConfigStateChecks: []statecheck.StateCheck{
						expectArchive("pending_entries", knownvalue.Int64Exact(0)),
						expectArchive("public_key", knownvalue.StringExact(public)),
						expectArchive("covered_until", knownvalue.StringExact("2026-06-30T11:59:00.000000Z")),
						expectArchive("signing_key", knownvalue.Null()),
					},
					Check: resource.TestCheckResourceAttrWith(archived, "head_sha256", func(v string) error {
						first = v

						return nil
					}),
				},
				resource.TestStep{ // Something happens: the plan is an update that says how much.
					PreConfig: func() {
						w.later.Store(int64(time.Hour))
						at := w.now().Add(-30 * time.Minute)
						w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
							Time: at, CloudEventID: "01HQXYZ0000000000000000001", Action: "delete",
							ResourceType: "server", Origin: "api", AuthType: "api", AccountUsername: "ci", CorrelationID: "c",
						})
						w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
							Timestamp: at, Action: "server_delete",
							Message: "Server 'x' has been deleted", Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
						})
					},
					RefreshState:       true,
					ExpectNonEmptyPlan: true,
					Check:              resource.TestCheckResourceAttrWith(archived, "pending_entries", atLeastOne),
				},
				resource.TestStep{
					Config:           config,
					ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
					Check: resource.TestCheckResourceAttrWith(archived, "head_sha256", func(v string) error {
						second = v
						if v == first {
							return errors.New("the head has not moved")
						}

						return nil
					}),
				},
				resource.TestStep{ // A fresh runner resumes from the destination alone.
					ResourceName:                         archived,
					ImportState:                          true,
					ImportStateId:                        w.file("archive"),
					ImportStateVerifyIdentifierAttribute: "destination",
					ImportStateCheck: func(states []*terraform.InstanceState) error {
						if got := states[0].Attributes["head_sha256"]; got != second || states[0].Attributes["service"] != service {
							return fmt.Errorf("imported %v", states[0].Attributes)
						}

						return nil
					},
				},
				resource.TestStep{
					Config: config + `
data "audit_log_verification" "test" {
  destination          = audit_log_archive.test.destination
  public_keys          = [audit_log_archive.test.public_key]
  expected_sequence    = audit_log_archive.test.sequence
  expected_head_sha256 = audit_log_archive.test.head_sha256
}`,
					ConfigStateChecks: []statecheck.StateCheck{
						statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("valid"), knownvalue.Bool(true)),
						statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("signed_by"),
							knownvalue.StringExact("example.com/audit")),
						statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("problems"),
							knownvalue.ListExact([]knownvalue.Check{})),
					},
				},
			)

			// Destroying the resource has kept everything.
			if _, err := os.Stat(w.file("archive/checkpoint")); err != nil {
				t.Error(err)
			}
		})
	}
}

func atLeastOne(v string) error {
	if v == "0" || v == "" {
		return fmt.Errorf("%q are pending", v)
	}

	return nil
}

// The private key is nowhere in the state, however it was given.
func TestAccArchive_signingKeyStaysOut(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 22})
	private, public := newSigningKey(t)
	other, otherPublic := newSigningKey(t)

	w.test(
		resource.TestStep{
			Config: w.archive("  service = \"upcloud\"\n  signing_key = \"" + private + "\""),
			ConfigStateChecks: []statecheck.StateCheck{
				expectArchive("signing_key", knownvalue.Null()),
				expectArchive("public_key", knownvalue.StringExact(public)),
			},
		},
		resource.TestStep{
			Config: w.archive("  service = \"upcloud\"\n  signing_key = \"" + other + "\""),
			ExpectError: diagnostic("Archive audit logs", "The checkpoint is not signed by the expected key: "+
				keyName(otherPublic)+". … Give the signing_key that signed last, and none where the archive is not signed; to change the key, give that one as previous_signing_key, or set AUDIT_PREVIOUS_SIGNING_KEY. Nothing was written."),
		},
		resource.TestStep{
			Config:      w.archive("  service = \"upcloud\""),
			ExpectError: diagnostic("Archive audit logs", "The archive is signed, and no key is given to sign what is added to it. … Give the signing_key that signed last, or set AUDIT_SIGNING_KEY; nothing was written."),
		},
		resource.TestStep{
			Config:      w.archive("  service = \"upcloud\"\n  signing_key = \"secret\""),
			ExpectError: diagnostic("Check the configuration", `The value of signing_key is not a private key. Give a key as "auditlog keygen NAME" prints it; it begins with PRIVATE+KEY.`),
		},
		resource.TestStep{Config: w.archive("  service = \"upcloud\"\n  signing_key = \"" + private + "\"")},
	)
}

func TestAccArchive_refusals(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 23})
	if err := os.Mkdir(w.file("archive"), 0o700); err != nil {
		t.Fatal(err)
	}

	w.write("archive/photo.jpg", "x")
	w.test(
		resource.TestStep{
			Config: w.archive("  service = \"upcloud\""),
			ExpectError: diagnostic("Archive audit logs", `The destination holds something else: photo.jpg.
Service: upcloud
Destination: `+w.file("archive")+`
Choose a destination that is empty or holds an archive of this service; nothing was changed there.`),
		},
		resource.TestStep{
			PreConfig: func() { w.remove("archive/photo.jpg") },
			Config:    w.archive("  service = \"upcloud\""),
		},
		resource.TestStep{ // Whoever cuts off the end is found out by the head in the state.
			PreConfig: func() {
				if err := os.RemoveAll(w.file("archive")); err != nil {
					t.Fatal(err)
				}
			},
			Config: w.archive("  service = \"upcloud\""),
			ExpectError: diagnostic("Archive audit logs", `The archive was altered or damaged: it is gone, but a log of size … is remembered.
Service: upcloud
Destination: `+w.file("archive")+`
Run "auditlog verify" on the destination to see what was changed; nothing is appended to a broken archive.`),
		},
	)
}

func TestAccArchive_badInput(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 1})

	for name, tt := range map[string]struct{ destination, more, summary, detail string }{
		"no bucket": {"s3://", "", "Check the configuration", "The value of destination cannot be used: it is …"},
		"plain http": {
			"s3://evidence?endpoint=http://objects.example.com&region=x", "", "Check the configuration",
			"The value of destination cannot be used: it is …",
		},
		"a region": {
			"s3://evidence?region=no%20such", "", "Check the configuration",
			"The value of destination cannot be used: it is …region …",
		},
		"a setting": {
			"s3://evidence?reigon=x", "", "Check the configuration",
			"The value of destination cannot be used: it is …",
		},
		"no region": {
			"s3://evidence?endpoint=https://objects.example.com", "", "Archive audit logs",
			"The destination cannot be used: it is …",
		},
		"a start":  {"archive", "start = \"yesterday\"", "Check the configuration", "The value of start cannot be used: it is neither a length of time nor a time as in RFC 3339. …"},
		"a filter": {"archive", "origins = [\"api\"]", "Check the query", "cloudscale never records origin, …"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: w.factories(),
				Steps: []resource.TestStep{{
					Config:      w.config(fmt.Sprintf("resource \"audit_log_archive\" \"test\" {\n  service = \"cloudscale\"\n  destination = %q\n%s\n}", tt.destination, tt.more)),
					PlanOnly:    true,
					ExpectError: diagnostic(tt.summary, tt.detail),
				}},
			})
		})
	}
}

// An archive that is tampered with is refused, and says what to do.
func TestAccArchive_tampered(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 24})
	config := w.archive("  service = \"upcloud\"\n  start = \"60d\"\n  compression = \"none\"")

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{
			PreConfig: func() {
				names, err := filepath.Glob(w.file("archive/entries/*/*/*"))
				if err != nil || len(names) == 0 {
					t.Fatalf("%v, %v", names, err)
				}

				text, err := os.ReadFile(names[0])
				if err != nil {
					t.Fatal(err)
				}

				if err := os.WriteFile(names[0], []byte(strings.Replace(string(text), "delete", "create", 1)+" "),
					0o600); err != nil {
					t.Fatal(err)
				}
			},
			Config: config + `
data "audit_log_verification" "test" {
  destination = audit_log_archive.test.destination

  lifecycle {
    postcondition {
      condition     = self.valid
      error_message = "First finding: ${self.problems[0].finding}"
    }
  }
}`,
			ExpectError: diagnostic("Resource postcondition failed", "First finding: altered"),
		},
	)
}

// The same over object storage: a bucket instead of a directory, credentials by
// the usual environment.
func TestAccArchive_s3(t *testing.T) {
	t.Parallel()

	destination, s3 := storetest.NewS3(t)
	w := newWorld(t, fakeapi.Options{Entries: 200, NoExamples: true, Seed: 25})
	maps.Copy(w.env, s3.Environment())

	config := w.config(fmt.Sprintf(`
resource "audit_log_archive" "test" {
  service     = "cloudscale"
  destination = %q
  format      = "parquet"
  start       = "60d"
}

data "audit_log_verification" "test" {
  destination          = audit_log_archive.test.destination
  expected_sequence    = audit_log_archive.test.sequence
  expected_head_sha256 = audit_log_archive.test.head_sha256
}`, destination))

	w.test(
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("valid"), knownvalue.Bool(true)),
			},
		},
		resource.TestStep{ // The bucket denies access: nothing is concluded from that.
			PreConfig:   func() { w.env["AWS_ACCESS_KEY_ID"] = "AKIDOTHER" },
			Config:      config,
			ExpectError: diagnostic("Archive audit logs", "… Grant read, write and list access to the destination."),
		},
		resource.TestStep{
			PreConfig:        func() { maps.Copy(w.env, s3.Environment()) },
			Config:           config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	)
}

// A gap is an error until it is accepted, and accepting it is enough.
func TestAccArchive_gap(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 26})
	config := func(more string) string { return w.archive("  service = \"cloudscale\"\n  start = \"60d\"\n" + more) }

	w.test(
		resource.TestStep{
			Config: config(""),
			ConfigStateChecks: []statecheck.StateCheck{
				expectArchive("sequence", knownvalue.Int64Exact(int64(w.daysOfCloudscale()))),
			},
		},
		resource.TestStep{
			PreConfig: func() { w.later.Store(int64(100 * 24 * time.Hour)) },
			Config:    config(""),
			ExpectError: diagnostic("Archive audit logs", `Entries are missing that cloudscale has dropped before they were archived.
Service: cloudscale
Destination: `+w.file("archive")+`
Missing: [2026-06-30T11:59:00.000000Z, 2026-07-10T12:00:00.000000Z)
Find out why nothing was archived in time; to go on all the same, set accept_gap_after = …, and the archive will say what is missing.`),
		},
		resource.TestStep{ // As many segments as there are days in the fake's log.
			Config:           config("  accept_gap_after = " + fmt.Sprint(w.daysOfCloudscale()) + "\n"),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			PreConfig: func() {
				w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
					Timestamp: w.now().Add(-time.Hour), Action: "server_delete",
					Message: "Server 'x' has been deleted", Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
				})
			},
			Config:           config("  accept_gap_after = " + fmt.Sprint(w.daysOfCloudscale()) + "\n"),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{ // The permission is used up and may go.
			Config: config(""),
		},
	)

	manifest := w.read(w.manifest("archive", w.daysOfCloudscale()+1))
	if !strings.Contains(manifest, `"from": "2026-06-30T11:59:00Z"`) {
		t.Errorf("the archive does not say what is missing: %s", manifest)
	}
}

// manifest is the name of a manifest of an archive in a directory.
func (w *world) manifest(directory string, number int) string {
	w.t.Helper()

	pattern := fmt.Sprintf("manifests/%08d-*.json", number)

	names, err := filepath.Glob(filepath.Join(w.file(directory), pattern))
	if err != nil || len(names) != 1 {
		w.t.Fatalf("%s names %v, %v", pattern, names, err)
	}

	return filepath.Join(directory, "manifests", filepath.Base(names[0]))
}

// daysOfCloudscale counts the segments that the first run makes of the fake's
// first log: one for every change of day in its order.
func (w *world) daysOfCloudscale() int {
	n, last := 0, ""

	for _, r := range w.fake.CloudscaleRecords() {
		if r.Timestamp.After(w.fake.Now().Add(-time.Minute)) {
			continue
		}

		if day := r.Timestamp.UTC().Format(time.DateOnly); day != last {
			n, last = n+1, day
		}
	}

	return n
}
