// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

const (
	redactionKey = "0123456789abcdef"
	// jane and her pseudonym under that key.
	jane          = "jane@example.com"
	janePseudonym = "hmac:3T2BX22VCFXOWBJJGNJPQTED2C"
)

// stateHolds checks the whole state as Terraform writes it as JSON.
type stateHolds struct {
	not []string
	all []string
}

// CheckState implements statecheck.StateCheck.
func (c stateHolds) CheckState(
	_ context.Context, req statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse,
) {
	text, err := json.Marshal(req.State)
	if err != nil {
		resp.Error = err

		return
	}

	for _, value := range c.not {
		if at := strings.Index(strings.ToLower(string(text)), strings.ToLower(value)); at >= 0 {
			resp.Error = fmt.Errorf("the state holds %q: …%s…", value, text[max(at-80, 0):min(at+80, len(text))])
		}
	}

	for _, value := range c.all {
		if !strings.Contains(string(text), value) {
			resp.Error = fmt.Errorf("the state does not hold %q: %s", value, text)
		}
	}
}

// keyed gives the provider a redaction key.
func keyed(config, key string) string {
	return strings.Replace(config, "  retry_wait_min", fmt.Sprintf("  redaction_key  = %q\n  retry_wait_min", key), 1)
}

// redactWorld has the same person in as many places as the clouds have for one.
func redactWorld(t *testing.T) *world {
	t.Helper()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	at := w.now().Add(-time.Hour)
	address := "2001:db8:1:2::7"

	w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
		Time: at, CloudEventID: "01HQXYZ123456789ABCDEFGHJK", CorrelationID: "corr", Action: "update",
		ResourceType: "account",
		ResourceID:   jane, AccountUsername: jane, Origin: "gui", AuthType: "gui", IPAddress: "192.0.2.7",
		PreviousState: []byte(`{"email":"jane@example.com"}`), CurrentState: []byte(`{"email":"jane.doe@example.com"}`),
	})
	w.fake.AppendCloudscale(
		fakeapi.CloudscaleRecord{
			IPAddress: &address, Action: "user_update", Message: "User '" + jane + "' has been updated", Timestamp: at,
			Actor:   fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: jane}},
			Subject: &fakeapi.CloudscaleSubject{User: &fakeapi.CloudscaleUser{Email: jane}},
		},
		fakeapi.CloudscaleRecord{
			Action: "server_create", Message: "Server 'web' has been created", Timestamp: at.Add(time.Second),
			Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
		},
	)

	return w
}

func TestAccAuditLogs_redact(t *testing.T) {
	t.Parallel()

	w := redactWorld(t)
	logsOf := func(service, redact, more string) string {
		return w.config(fmt.Sprintf("data \"audit_logs\" \"test\" {\n  service     = %q\n  include_raw = true\n  redact      = %s\n%s\n}", service, redact, more))
	}
	gone := []string{"jane", "192.0.2.7", "2001:db8:1:2", redactionKey, "fedcba9876543210"}

	var first []string

	remember := func(s *terraform.State) error {
		first = rows(s, "actor")

		return nil
	}
	counts := func(key string) statecheck.StateCheck {
		return expect("counts_by_actor", knownvalue.MapPartial(map[string]knownvalue.Check{key: knownvalue.Int64Exact(1)}))
	}

	w.test(
		// What was to be redacted is in the state without it: the test can fail.
		resource.TestStep{
			Config: logsOf("upcloud", "{}", ""),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{all: []string{jane, "jane.doe", "192.0.2.7", "account_username"}},
			},
		},
		resource.TestStep{
			Config: keyed(logsOf("upcloud", `{ actor = "hash", ip_address = "mask" }`, ""), redactionKey),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: gone, all: []string{"192.0.2.0/24", "01HQXYZ123456789ABCDEFGHJK"}},
				counts(janePseudonym),
				expect("entries", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"actor": knownvalue.StringExact(janePseudonym), "resource_id": knownvalue.StringExact(janePseudonym),
					"message": knownvalue.Null(), "changes": knownvalue.Null(), "raw": knownvalue.Null(),
				})})),
			},
			ConfigPlanChecks: expectNoChanges(),
			Check:            remember,
		},
		// The other cloud's log has the same person under the same pseudonym.
		resource.TestStep{
			Config: keyed(logsOf("cloudscale", `{ actor = "hash", ip_address = "mask" }`, ""), redactionKey),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: gone, all: []string{"2001:db8:1::/48"}},
				counts(janePseudonym), counts("system"),
			},
			Check: func(s *terraform.State) error {
				if rows(s, "actor")[0] != first[0] || rows(s, "scope_name")[0] != first[0] ||
					rows(s, "resource_name")[0] != first[0] {
					return fmt.Errorf("pseudonyms are %v, %v and %v", first, rows(s, "actor"), rows(s, "scope_name"))
				}

				return nil
			},
		},
		resource.TestStep{
			Config: keyed(logsOf("upcloud", `{ actor = "hash", ip_address = "drop" }`, ""), "fedcba9876543210"),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: gone},
			},
			Check: func(s *terraform.State) error {
				if got := rows(s, "actor"); slices.Equal(got, first) || !strings.HasPrefix(got[0], "hmac:") {
					return fmt.Errorf("with another key the pseudonyms are %v", got)
				}

				return nil
			},
		},
		// Filters look at what the cloud recorded.
		resource.TestStep{
			Config: keyed(logsOf("upcloud", `{ actor = "hash", ip_address = "drop" }`,
				"  actors = [\"jane@example.com\"]\n  ip_addresses = [\"192.0.2.7\"]\n  search = \"JANE\"\n  include_entries = false"), redactionKey),
			ConfigStateChecks: []statecheck.StateCheck{expect("total_count", knownvalue.Int64Exact(1)), counts(janePseudonym)},
		},
		resource.TestStep{
			Config: keyed(logsOf("upcloud", `{ actor = "hash" }`, "  actors = [\""+janePseudonym+"\"]"),
				redactionKey),
			ConfigStateChecks: []statecheck.StateCheck{expect("total_count", knownvalue.Int64Exact(0))},
		},
		// No key is needed to mask and to drop. What is kept by name stays.
		resource.TestStep{
			Config: logsOf("upcloud", `{ actor = "mask", changes = "keep" }`, ""),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: []string{"account_username"}, all: []string{"***@example.com", "jane.doe"}},
				counts("***@example.com"),
			},
		},
		resource.TestStep{
			Config: logsOf("cloudscale", `{ actor = "drop", raw = "keep" }`, ""),
			ConfigStateChecks: []statecheck.StateCheck{
				counts("user"),
				expect("entries", knownvalue.ListPartial(
					map[int]knownvalue.Check{0: knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"actor": knownvalue.Null(), "message": knownvalue.Null(),
						"raw": knownvalue.StringExact(string(w.fake.CloudscaleRecords()[0].Raw)),
					})})),
			},
		},
	)
}

func TestAccAuditLogs_redactionKeyFromEnvironment(t *testing.T) {
	t.Parallel()

	w := redactWorld(t)
	w.env["AUDIT_REDACTION_KEY"] = redactionKey
	config := w.config(`data "audit_logs" "test" {
  service = "upcloud"
  redact  = { actor = "hash" }
}`)

	w.test(
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: []string{jane, redactionKey}, all: []string{janePseudonym}},
			},
		},
		// The configuration wins.
		resource.TestStep{Config: keyed(config, "fedcba9876543210"), ConfigStateChecks: []statecheck.StateCheck{stateHolds{not: []string{janePseudonym}, all: []string{"hmac:"}}}},
	)

	v := redactWorld(t)
	v.env["AUDIT_REDACTION_KEY"] = "too short"
	v.test(
		// A key that nothing needs is nobody's business.
		resource.TestStep{Config: v.config(`data "audit_logs" "test" {
  service = "upcloud"
  redact  = { actor = "drop" }
}`)},
		resource.TestStep{
			Config: v.config(`data "audit_logs" "test" {
  service = "upcloud"
  redact  = { actor = "hash" }
}`),
			ExpectError: diagnostic("Configure the audit provider", `The value of AUDIT_REDACTION_KEY cannot be used: it is shorter than 16 characters or holds a line break or another control character.

Give a random text, such as one made by: openssl rand -base64 32; a file read with file() often ends in a line break, which trimspace() removes.`),
		},
	)
}

func TestAccAuditLogs_redactRefuses(t *testing.T) {
	t.Parallel()

	w := redactWorld(t)
	steps := []resource.TestStep{}

	for _, test := range []struct{ redact, summary, detail string }{
		{`{ actr = "drop" }`, "Check the configuration", `There is no such field to redact (did you mean actor?). Name one of id, time, …, changes, raw.`},
		{`{ actor = "sha1" }`, "Check the configuration", `There is no such way to redact a field. Give one of keep, drop, mask, hash.`},
		{`{ actor = null }`, "Check the configuration", `What to do with the field actor is null. Give one of keep, drop, mask, hash.`},
		{`{ id = "hash" }`, "Check the configuration", `The field id cannot be redacted: it tells entries apart, and without it repetitions could not be found. Remove it from redact.`},
		{`{ resource_name = "mask" }`, "Check the configuration", `The field resource_name has no masked form; only actor, scope_name, ip_address have. Drop or keep it instead, or hash it if it is text.`},
		{`{ raw = "hash" }`, "Check the configuration", `The field raw is no text and has no pseudonym. Give keep or drop.`},
		{`{ actor = "hash" }`, "Check the configuration", `Hashing needs a key, without which pseudonyms could be guessed. Set redaction_key in the provider configuration, or AUDIT_REDACTION_KEY, to a random text of at least 16 characters, such as one made by: openssl rand -base64 32.`},
	} {
		steps = append(steps, resource.TestStep{
			Config:      w.config("data \"audit_logs\" \"test\" {\n  service = \"upcloud\"\n  redact = " + test.redact + "\n}"),
			PlanOnly:    true,
			ExpectError: diagnostic(test.summary, test.detail),
		})
	}

	// The key's own error does not show it.
	steps = append(steps, resource.TestStep{
		Config:   keyed(w.config(`data "audit_logs" "test" { service = "upcloud" }`), "fifteen chars.."),
		PlanOnly: true,
		ExpectError: diagnostic("Configure the audit provider", `The value of redaction_key cannot be used: it is shorter than 16 characters or holds a line break or another control character.

Give a random text, such as one made by: openssl rand -base64 32; a file read with file() often ends in a line break, which trimspace() removes.`),
	})

	w.test(steps...)

	if n := len(w.fake.Requests()); n > 0 {
		t.Errorf("%d requests were made for what was refused", n)
	}
}
