// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// deletions happen in both clouds, so long before our now.
func (w *world) deletions(ago ...time.Duration) {
	w.t.Helper()

	deeds := make([]deed, len(ago))

	for i, d := range ago {
		deeds[i] = deed{d, "mia", "delete", "server", "192.0.2.1"}
		w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
			Timestamp: w.now().Add(-d), Action: "server_delete", Message: fmt.Sprintf("Server '%d' has been deleted", i),
			Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
		})
	}

	w.history(deeds...)
}

// TestAccClock_runnerAnHourBehind: the deletions of the last 20 minutes lie in its
// future, so that a gate on the last 25 hours would find none and pass.
func TestAccClock_runnerAnHourBehind(t *testing.T) {
	t.Parallel()

	detail := func(cloud, request string) string {
		return `
This machine's clock is behind the service's, so the newest entries would be missing.
Service: ` + cloud + `
Endpoint: http…
Request: GET /` + request + `
Status: 200 OK
Page: 1
Window: …
Service's clock: 2026-06-30T13:00:00.000000Z
This machine's clock: 2026-06-30T12:00:00.000000Z
Difference: 1h0m0s
max_clock_skew: 1m0s
Set the clock that is wrong, such as by NTP; max_clock_skew in the provider configuration says how far they may be apart.`
	}

	for cloud, tt := range map[string]struct{ title, request string }{
		"upcloud":    {"UpCloud", "1.3/audit-logs"},
		"cloudscale": {"cloudscale", "v1/project-logs"},
	} {
		w := newWorld(t, fakeapi.Options{NoExamples: true, ClockSkew: time.Hour})
		w.deletions(-40*time.Minute, -55*time.Minute)

		arguments := fmt.Sprintf("service = %q\nlast = \"25h\"\n", cloud)
		gate := "lifecycle {\n postcondition {\n condition = self.total_count == 0\n error_message = \"Found.\"\n }\n }\n"

		for name, step := range map[string]struct{ config, summary string }{
			"look-up": {
				"data \"audit_logs\" \"test\" {\n" + arguments + "operations = [\"delete\"]\n" + gate + "}",
				"Read " + tt.title + " audit logs",
			},
			"ephemeral": {
				"ephemeral \"audit_logs\" \"test\" {\n" + arguments + "operations = [\"delete\"]\n" + gate + "}",
				"Read " + tt.title + " audit logs",
			},
			"findings": {"data \"audit_log_findings\" \"test\" {\n" + arguments + "builtin_rules = [\"deletion\"]\n" + gate +
				"}", "Read " + tt.title + " audit logs"},
			"export": {fmt.Sprintf("resource \"audit_log_export\" \"test\" {\n path = %q\n format = \"csv\"\n",
				w.file(cloud+".csv")) + arguments + "}", "Export " + tt.title + " audit logs"},
			"archive": {fmt.Sprintf("resource \"audit_log_archive\" \"test\" {\n destination = %q\n service = %q\n}", w.file(cloud), cloud), "Archive audit logs"},
		} {
			if cloud == "cloudscale" && name != "look-up" && name != "archive" {
				continue // They read as for the other cloud.
			}

			t.Run(cloud+"/"+name, func(t *testing.T) {
				t.Parallel()

				want := detail(cloud, tt.request)
				if name == "archive" {
					want = strings.ReplaceAll(want, "Window: …\n", "")
				}

				resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: w.factories(), Steps: []resource.TestStep{{
					Config: w.config(step.config), ExpectError: diagnostic(step.summary, want),
				}}})
			})
		}

		t.Cleanup(func() {
			for _, name := range w.files(".") {
				if name != cloud || len(w.files(cloud)) != 0 { // The archive's directory.
					t.Errorf("left behind: %s", name)
				}
			}
		})
	}
}

// TestAccClock_runnerAnHourAhead: its window ends an hour in the service's future.
func TestAccClock_runnerAnHourAhead(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true, ClockSkew: -time.Hour})
	w.deletions(80 * time.Minute)

	w.test(resource.TestStep{
		Config: w.config(fmt.Sprintf("resource \"audit_log_archive\" \"test\" {\n destination = %q\n service = \"upcloud\"\n}", w.file("archive"))),
		ExpectError: diagnostic("Archive audit logs", `
This machine's clock is ahead of the service's, so the window would end in the service's future.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 200 OK
Page: 1
Service's clock: 2026-06-30T11:00:00.000000Z
This machine's clock: 2026-06-30T12:00:00.000000Z
Difference: 1h0m0s
max_clock_skew: 1m0s
Set the clock that is wrong, such as by NTP; max_clock_skew in the provider configuration says how far they may be apart.`),
	})
}

// TestAccClock_withinTheLimit: every window ends no later than the service's now,
// and says how far the clocks are apart.
func TestAccClock_withinTheLimit(t *testing.T) {
	t.Parallel()

	end, settled := "2026-06-30T11:00:00.000000Z", "2026-06-30T10:59:00.000000Z"

	for _, cloud := range []string{"upcloud", "cloudscale"} {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{NoExamples: true, ClockSkew: -time.Hour})
			w.deletions(25*time.Hour, 80*time.Minute, 30*time.Minute) // The last one is in the service's future.

			skewed := strings.Replace(w.config(""), "retry_wait_min", "max_clock_skew = \"1h\"\n  retry_wait_min", 1)
			arguments := fmt.Sprintf("service = %q\nlast = \"25h\"\n", cloud)

			w.test(resource.TestStep{
				Config: skewed +
					"data \"audit_logs\" \"test\" {\n" + arguments + "}\n" +
					"data \"audit_log_findings\" \"test\" {\n" + arguments + "builtin_rules = [\"deletion\"]\n}\n" +
					fmt.Sprintf("resource \"audit_log_export\" \"test\" {\n path = %q\n format = \"ndjson\"\n", w.file("a.ndjson")) +
					arguments + "}\n" +
					fmt.Sprintf("resource \"audit_log_archive\" \"test\" {\n destination = %q\n service = %q\n}", w.file("archive"), cloud),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("total_count", knownvalue.Int64Exact(2)),
					expect("window_end", knownvalue.StringExact(end)),
					completenessOf(logs, "window_end", knownvalue.StringExact(end)),
					completenessOf(logs, "clock_skew_seconds", knownvalue.Int64Exact(-3599)),
					completenessOf(logs, "conclusive", knownvalue.Bool(true)),
					found("entry_count", knownvalue.Int64Exact(2)),
					found("window_end", knownvalue.StringExact(end)),
					completenessOf(findings, "clock_skew_seconds", knownvalue.Int64Exact(-3599)),
					expectExport("window_end", knownvalue.StringExact(settled)),
					completenessOf(exported, "clock_skew_seconds", knownvalue.Int64Exact(-3599)),
					expectArchive("entry_count", knownvalue.Int64Exact(2)),
					expectArchive("covered_until", knownvalue.StringExact(settled)),
				},
			})

			for file, wants := range map[string][]string{
				"a.ndjson.manifest.json": {
					`"end": "` + settled + `"`, `"window_end": "` + settled + `"`,
					`"clock_skew_seconds": -3599`,
				},
				w.manifest("archive", 2): {
					`"covered_until": "2026-06-30T10:59:00Z"`, `"read_until": "2026-06-30T10:59:00Z"`,
					`"clock_skew_seconds": -3599`,
				},
			} {
				for _, want := range wants {
					if !strings.Contains(strings.ReplaceAll(w.read(file), `":"`, `": "`), want) {
						t.Errorf("%s lacks %s: %s", file, want, w.read(file))
					}
				}
			}
		})
	}
}

func completenessOf(address, name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New("completeness").AtMapKey(name), check)
}

// TestAccClock_serviceWithoutDate: nothing tells the difference then.
func TestAccClock_serviceWithoutDate(t *testing.T) {
	t.Parallel()

	for _, cloud := range []string{"upcloud", "cloudscale"} {
		w := newWorld(t, fakeapi.Options{NoExamples: true, ClockSkew: -time.Hour, NoDate: true})
		w.deletions(20 * time.Minute)

		w.test(resource.TestStep{
			Config: w.config(fmt.Sprintf("data \"audit_logs\" \"test\" {\n service = %q\n}", cloud)),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("total_count", knownvalue.Int64Exact(1)),
				completenessOf(logs, "clock_skew_seconds", knownvalue.Null()),
				completenessOf(logs, "window_end", knownvalue.StringExact("2026-06-30T12:00:00.000000Z")),
			},
		})
	}
}

// TestAccClock_windowOfNothing: the service has not reached its begin.
func TestAccClock_windowOfNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true, ClockSkew: -50 * time.Second})

	w.test(resource.TestStep{
		Config: w.config("data \"audit_logs\" \"test\" {\n service = \"upcloud\"\n last = \"40s\"\n}"),
		ExpectError: diagnostic("Read UpCloud audit logs", `
By the service's own clock nothing of the window has happened yet, or nothing has settled.
Service: upcloud
Window: [2026-06-30T11:59:20.000000Z, 2026-06-30T12:00:00.000000Z)
Check the clock of this machine, let start lie further back, or lower settle_delay if there is one.`),
	})
}

// TestAccClock_badLimit: what can be no limit.
func TestAccClock_badLimit(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})

	for value, reason := range map[string]string{
		"0s": "no length of time", "-1m": "no length of time", "a while": "no length of time", "": "no length of time",
		"60":      "no length of time",
		"24h0m1s": "longer than a day, which no clock should be off",
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()

			config := strings.Replace(w.config("data \"audit_logs\" \"test\" {\n service = \"upcloud\"\n}"),
				"retry_wait_min", fmt.Sprintf("max_clock_skew = %q\n  retry_wait_min", value), 1)

			resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: w.factories(), Steps: []resource.TestStep{{
				Config: config, PlanOnly: true, ExpectError: diagnostic("Check the configuration", `
The value of max_clock_skew cannot be used: it is `+reason+`.
Give a length of time up to 24h, such as "30s" or "2m".`),
			}}})
		})
	}
}
