// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/witness/witnesstest"
)

// TestAccArchive_keyIsChanged changes the key as the guide says, with nothing new to
// archive and with something.
func TestAccArchive_keyIsChanged(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 31})
	before, publicBefore := newSigningKey(t)
	after, publicAfter := newSigningKey(t)
	signed := func(arguments string) string { return w.archive("  service = \"upcloud\"\n" + arguments) }
	verified := func(keys string) string {
		return signed("  signing_key = \""+after+"\"") + `
data "audit_log_verification" "test" {
  destination = audit_log_archive.test.destination
  public_keys = [` + keys + `]
}`
	}
	valid := func(yes bool) []statecheck.StateCheck {
		return []statecheck.StateCheck{
			statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("valid"), knownvalue.Bool(yes)),
		}
	}

	w.test(
		resource.TestStep{Config: signed("  signing_key = \"" + before + "\"")},
		resource.TestStep{
			Config:            signed("  signing_key = \"" + after + "\"\n  previous_signing_key = \"" + before + "\""),
			ConfigPlanChecks:  archiveAction(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{expectArchive("public_key", knownvalue.StringExact(publicAfter))},
		},
		resource.TestStep{
			Config:           signed("  signing_key = \"" + after + "\""),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionNoop),
		},
		resource.TestStep{
			Config:            verified("\"" + publicAfter + "\", \"" + publicBefore + "\""),
			ConfigStateChecks: valid(true),
		},
		resource.TestStep{Config: verified("\"" + publicAfter + "\""), ConfigStateChecks: valid(false)},
	)
}

// TestAccArchive_isAttested has a witness and an authority attest the checkpoints.
func TestAccArchive_isAttested(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 32})
	private, public := newSigningKey(t)
	w.env["AUDIT_SIGNING_KEY"] = private

	key, err := archive.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}

	witness := witnesstest.NewWitness(t, "witness.example")
	authority := witnesstest.NewAuthority(t, w.now)

	if err := os.WriteFile(w.file("roots.pem"), []byte(authority.Certificates), 0o600); err != nil {
		t.Fatal(err)
	}

	attested := func(more string) string {
		return w.archive(`  service = "upcloud"
  witnesses = [{ url = "` + witness.URL + `", public_key = "` + witness.Public + `" }]
  timestamp_authority    = "` + authority.URL + `"
  timestamp_certificates = file("` + w.file("roots.pem") + `")
` + more)
	}
	happens := func() {
		w.later.Add(int64(time.Hour))
		w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
			Time: w.now().Add(-30 * time.Minute), CloudEventID: "01HQXYZ000000000000000" + w.now().Format("0405150"),
			Action: "delete", ResourceType: "server", Origin: "api", AuthType: "api", AccountUsername: "ci",
		})
	}

	w.test(
		resource.TestStep{
			Config:      attested(""),
			ExpectError: diagnostic("Archive audit logs", "Others have not attested the checkpoint of auditlogs.audit/upcloud/…: 0 of 1 witnesses have cosigned it, and 1 have to: witness.example has not attested the checkpoint: it does not know the log: its operator has to add the log's origin and public key. … What was read is archived, and the next apply asks again; set attestation_required = false to be warned instead."),
		},
		resource.TestStep{
			PreConfig: func() { witness.Trust("", key) },
			Config: attested("") + `
data "audit_log_verification" "test" {
  destination            = audit_log_archive.test.destination
  public_keys            = [audit_log_archive.test.public_key]
  expected_checkpoint    = audit_log_archive.test.checkpoint
  witness_keys           = ["` + witness.Public + `"]
  timestamp_certificates = file("` + w.file("roots.pem") + `")

  lifecycle {
    postcondition {
      condition     = self.valid && length(self.not_checked) == 0
      error_message = jsonencode(self.problems)
    }
  }
}`,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("cosigned_by"),
					knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("witness.example")})),
				statecheck.ExpectKnownValue("data.audit_log_verification.test", tfjsonpath.New("timestamp_time"),
					knownvalue.StringExact("2026-06-30T12:00:00.000000Z")),
			},
		},
		resource.TestStep{
			PreConfig: func() {
				happens()
				witness.Answer = func(rw http.ResponseWriter, _ *http.Request) bool {
					rw.WriteHeader(http.StatusNotFound)
					_, _ = io.WriteString(rw, "gone\n")

					return true
				}
			},
			Config: attested("  attestation_required = false"), // A warning, which the test framework does not show.
		},
		resource.TestStep{
			PreConfig: func() { witness.Answer = nil },
			Config:    attested("  witness_quorum = 1"),
		},
	)

	if copied, err := os.ReadFile(w.file("archive/checkpoint")); err != nil || strings.Count(string(copied), "— ") != 2 {
		t.Errorf("the copy of the checkpoint is %q, %v", copied, err)
	}
}

// TestAttestersThatCannotBe are refused before anything is asked.
func TestAttestersThatCannotBe(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	run := w.run()
	witness := witnesstest.NewWitness(t, "witness.example")
	one := map[string]any{"url": witness.URL, "public_key": witness.Public}

	for _, c := range map[string]struct {
		arguments args
		want      string
	}{
		"no witness":         {args{"witnesses": list()}, "The list witnesses is empty"},
		"the same twice":     {args{"witnesses": list(one, one)}, "Two witnesses have the same public key"},
		"a quorum of nobody": {args{"witness_quorum": 1}, "no witness is asked"},
		"a quorum that is 0": {args{"witnesses": list(one), "witness_quorum": 0}, "The quorum does not go with"},
		"a quorum that is 2": {args{"witnesses": list(one), "witness_quorum": 2}, "The quorum does not go with"},
		"no address at all": {
			args{"witnesses": list(map[string]any{"public_key": witness.Public})},
			"The argument witnesses[0].url is missing",
		},
		"no key": {
			args{"witnesses": list(map[string]any{"url": witness.URL, "public_key": "secret"})},
			"witnesses[0].public_key cannot be used",
		},
		"no address": {
			args{"witnesses": list(map[string]any{"url": "witness.example", "public_key": witness.Public})},
			"witnesses[0].url cannot be used",
		},
		"a token in the address": {
			args{"timestamp_authority": "https://tsa.example?token=x"},
			"timestamp_authority cannot be used",
		},
		"certificates of nobody": {args{"timestamp_certificates": "x"}, "no authority is asked"},
		"no certificates": {
			args{"timestamp_authority": "https://tsa.example", "timestamp_certificates": "x"},
			"no certificate in PEM",
		},
		"nobody is required": {args{"attestation_required": true}, "Nobody is asked"},
	} {
		a := newManaged(run, "audit_log_archive")
		a.apply(run, with(args{"service": "upcloud", "destination": w.file("archive")}, c.arguments))
		a.fails(c.want)
	}
}
