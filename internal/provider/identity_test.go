// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

const exportedLog = "audit_log_export.test"

func (w *world) exported(more string) string {
	return w.config(fmt.Sprintf("resource \"audit_log_export\" \"test\" {\n  path = %q\n%s\n}", w.file("log"), more))
}

const exportUpCloud = "  service = \"upcloud\"\n  last = \"30d\"\n  format = \"ndjson\"\n"

// behind puts an API that can be exchanged behind one address: whoever exchanges the
// token gets another account's log from the same endpoint.
func (w *world) behind(address *string, first http.Handler) (exchange func(http.Handler)) {
	w.t.Helper()

	var current atomic.Pointer[http.Handler]

	exchange = func(h http.Handler) { current.Store(&h) }
	exchange(first)

	*address = w.serve(http.HandlerFunc(
		func(rw http.ResponseWriter, r *http.Request) { (*current.Load()).ServeHTTP(rw, r) },
	))

	return exchange
}

// account is a fake of another account at the same time.
func (w *world) account(o fakeapi.Options) *fakeapi.Server {
	w.t.Helper()

	o.NoExamples, o.RetryAfter, o.Clock = true, "0", w.now

	fake, err := fakeapi.New(o)
	if err != nil {
		w.t.Fatal(err)
	}

	return fake
}

func asked(fake *fakeapi.Server) bool {
	return slices.ContainsFunc(fake.Requests(), func(r fakeapi.Request) bool { return r.Path == "/1.3/account" })
}

// named gives the account of the provider's UpCloud block a name.
func named(config, name string) string {
	return strings.Replace(config, "upcloud        = {", fmt.Sprintf("upcloud        = { account = %q,", name), 1)
}

// An archive that was begun at one endpoint takes nothing from another one, through
// another provider block neither.
func TestAccArchive_otherEndpoint(t *testing.T) {
	t.Parallel()

	for _, service := range []string{"upcloud", "cloudscale"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 71})
			other := newWorld(t, fakeapi.Options{Entries: 60, NoExamples: true, Seed: 72})
			config := w.archive("  service = \"" + service + "\"")
			elsewhere := strings.NewReplacer(w.upcloud, other.upcloud, w.cloudscale, other.cloudscale)
			alias := elsewhere.Replace(strings.Replace(w.config(""), "{", "{\n  alias = \"other\"", 1))
			refused := diagnostic("Archive audit logs", "The archive is of another log than the one that is read now. Kept so far: "+
				service+", "+map[string]string{"upcloud": w.upcloud, "cloudscale": w.cloudscale}[service]+", account … Read now: "+
				service+", "+map[string]string{"upcloud": other.upcloud, "cloudscale": other.cloudscale}[service]+" …")

			var covered string

			w.test(
				resource.TestStep{
					Config: config,
					Check: resource.TestCheckResourceAttrWith(archived, "covered_until", func(v string) error {
						covered = v

						return nil
					}),
				},
				resource.TestStep{
					PreConfig:   func() { w.later.Store(int64(time.Hour)) },
					Config:      elsewhere.Replace(config),
					ExpectError: refused,
				},
				resource.TestStep{
					Config:      alias + w.archive("  provider = audit.other\n  service = \""+service+"\""),
					ExpectError: refused,
				},
				resource.TestStep{ // What another log says does not count as covered.
					Config:       config,
					RefreshState: false,
					PreConfig:    func() { w.later.Store(0) },
					Check: resource.TestCheckResourceAttrWith(archived, "covered_until", func(v string) error {
						if v != covered {
							return fmt.Errorf("covered until %s, and %s before", v, covered)
						}

						return nil
					}),
				},
				resource.TestStep{ // Another log may go elsewhere.
					Config: strings.Replace(elsewhere.Replace(config), w.file("archive"), w.file("second"), 1),
				},
			)
		})
	}
}

// A token of another account: an error that names both, when planning; and a name for
// the account as the way out where both are one.
func TestAccArchive_otherAccount(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 73})
	reader := w.account(fakeapi.Options{Entries: 50, Seed: 73, Account: "reader"})
	exchange := w.behind(&w.upcloud, w.fake.UpCloud())
	config := w.archive("  service = \"upcloud\"")

	var before []string

	w.test(
		resource.TestStep{
			Config: config,
			Check:  func(_ *terraform.State) error { before = w.files("archive/manifests"); return nil },
		},
		resource.TestStep{
			PreConfig: func() {
				w.later.Store(int64(time.Hour))
				exchange(reader.UpCloud())
				reader.AppendUpCloud(fakeapi.UpCloudRecord{
					Time:         w.now().Add(-30 * time.Minute),
					CloudEventID: "01HQXYZ0000000000000000001", Action: "delete", ResourceType: "server", Origin: "api",
					AuthType: "api", AccountUsername: "ci", CorrelationID: "c",
				})
			},
			Config: config,
			ExpectError: diagnostic("Archive audit logs", "The archive is of another log than the one that is read now. Kept so far: upcloud, "+w.upcloud+
				", account \"fake-audit-user\" Read now: upcloud, "+w.upcloud+", account \"reader\" Destination: "+
				w.file("archive")+
				" Use credentials of the same account as before, or keep this log elsewhere: nothing was changed; if both are one account, say so with account = \"fake-audit-user\" in the provider's upcloud block."),
		},
		resource.TestStep{
			PreConfig: func() {
				if after := w.files("archive/manifests"); !slices.Equal(before, after) {
					t.Errorf("the archive has %v, and had %v", after, before)
				}

				reader.ResetRequests()
			},
			Config:           named(config, "fake-audit-user"),
			ConfigPlanChecks: archiveAction(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{
			PreConfig: func() {
				if asked(reader) {
					t.Error("the account was asked for, though it has a name")
				}
			},
			Config:      named(config, "somebody else"),
			ExpectError: diagnostic("Archive audit logs", "The archive is of another log than the one that is read now. Kept so far: … account \"fake-audit-user\" Read now: … account \"somebody else\" …"),
		},
	)
}

// An import under another account is refused at once.
func TestAccArchive_importOfAnotherLog(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 74})
	other := newWorld(t, fakeapi.Options{Entries: 20, NoExamples: true, Seed: 74})
	config := w.archive("  service = \"upcloud\"")

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{
			Config:        strings.Replace(config, w.upcloud, other.upcloud, 1),
			ResourceName:  archived,
			ImportState:   true,
			ImportStateId: w.file("archive"),
			ExpectError:   diagnostic("Archive audit logs", "The archive is of another log than the one that is read now. …"),
		},
	)
}

// cloudscale's records name the project, so a token of another one shows.
func TestAccArchive_otherProject(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 75})
	other := w.account(fakeapi.Options{})
	exchange := w.behind(&w.cloudscale, w.fake.Cloudscale())
	config := w.archive("  service = \"cloudscale\"")

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{
			PreConfig: func() {
				w.later.Store(int64(time.Hour))
				exchange(other.Cloudscale())
				other.AppendCloudscale(fakeapi.CloudscaleRecord{
					Timestamp: w.now().Add(-30 * time.Minute), Action: "server_delete", Message: "Server 'x' has been deleted",
					Actor:   fakeapi.CloudscaleActor{System: &struct{}{}},
					Subject: &fakeapi.CloudscaleSubject{Project: &fakeapi.CloudscaleProject{UUID: "p-2", Name: "Other"}},
				})
			},
			Config:      config,
			ExpectError: diagnostic("Archive audit logs", "The archive is of another log than the one that is read now. Kept so far: cloudscale, … account \"p-1\" Read now: cloudscale, … account \"p-2\" …"),
		},
		resource.TestStep{PreConfig: func() { exchange(w.fake.Cloudscale()) }, Config: config},
	)
}

// A credential that may read the log and not the account: nothing is wrong, and the
// account is not known. The first that is known is taken over; when it is lost again,
// the archive goes on, and says so.
func TestAccArchive_unknownAccount(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 76, AccountForbidden: true})
	may := w.account(fakeapi.Options{Entries: 50, Seed: 76})
	exchange := w.behind(&w.upcloud, w.fake.UpCloud())
	config := w.archive("  service = \"upcloud\"")

	happens := func(n int, fakes ...*fakeapi.Server) func() {
		return func() {
			w.later.Store(int64(n) * int64(time.Hour))

			for _, fake := range fakes {
				fake.AppendUpCloud(fakeapi.UpCloudRecord{
					Time:         w.now().Add(-30 * time.Minute),
					CloudEventID: fmt.Sprintf("01HQXYZ000000000000000000%d", n), Action: "delete", ResourceType: "server",
					Origin: "api", AuthType: "api", AccountUsername: "ci", CorrelationID: "c",
				})
			}
		}
	}

	newest := func(want string) func(*terraform.State) error {
		return func(*terraform.State) error {
			names := w.files("archive/manifests")
			if text := w.read("archive/manifests/" + names[len(names)-1]); !strings.Contains(text, want) {
				return fmt.Errorf("the manifest lacks %s: %s", want, text)
			}

			return nil
		}
	}

	w.test(
		resource.TestStep{Config: config, Check: newest(`"account": ""`)},
		resource.TestStep{
			PreConfig: func() { happens(1, w.fake, may)(); exchange(may.UpCloud()) },
			Config:    config, Check: newest(`"account": "fake-audit-user"`),
		},
		resource.TestStep{ // The archive still knows it.
			PreConfig: func() { happens(2, w.fake)(); exchange(w.fake.UpCloud()) },
			Config:    config, Check: newest(`"account": "fake-audit-user"`),
		},
		resource.TestStep{
			Config: config + fmt.Sprintf(`
data "audit_logs" "back" {
  service     = "archive"
  destination = %q
  start       = "2026-06-30T12:20:00Z"
  end         = "2026-06-30T13:40:00Z"
}`, w.file("archive")),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.audit_logs.back", tfjsonpath.New("entries").AtSliceIndex(0).AtMapKey("account"),
					knownvalue.StringExact("fake-audit-user")),
				statecheck.ExpectKnownValue("data.audit_logs.back", tfjsonpath.New("entries").AtSliceIndex(0).AtMapKey("endpoint"),
					knownvalue.StringExact(w.upcloud)),
				statecheck.ExpectKnownValue("data.audit_logs.back", tfjsonpath.New("entries").AtSliceIndex(1).AtMapKey("account"),
					knownvalue.Null()),
			},
		},
	)
}

// An export is not silent about another endpoint, nor written again from there.
func TestAccExport_otherEndpoint(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 77})
	other := newWorld(t, fakeapi.Options{Entries: 60, NoExamples: true, Seed: 78})
	config := w.exported(exportUpCloud)
	elsewhere := strings.ReplaceAll(config, w.upcloud, other.upcloud)
	refused := diagnostic("Export audit logs", "The export is of another log than the one that is read now. Kept so far: upcloud, "+w.upcloud+", … Read now: upcloud, "+other.upcloud+", …")

	w.test(
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(exportedLog, tfjsonpath.New("source"),
					knownvalue.ObjectExact(map[string]knownvalue.Check{
						"service": knownvalue.StringExact("upcloud"), "endpoint": knownvalue.StringExact(w.upcloud),
						"account": knownvalue.StringExact("fake-audit-user"),
					})),
			},
		},
		resource.TestStep{Config: elsewhere, ExpectError: refused},
		resource.TestStep{Config: strings.Replace(elsewhere, `"ndjson"`, `"csv"`, 1), ExpectError: refused},
		resource.TestStep{
			Config:      strings.Replace(elsewhere, `"ndjson"`, "\"csv\"\n  overwrite = true", 1),
			ExpectError: refused,
		},
		resource.TestStep{
			Config:           config,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
	)
}

// A token of another account shows in a plan that changes nothing, and an account
// with a name is not asked for.
func TestAccExport_otherAccount(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 79})
	reader := w.account(fakeapi.Options{Entries: 50, Seed: 79, Account: "reader"})
	exchange := w.behind(&w.upcloud, w.fake.UpCloud())
	config := w.exported(exportUpCloud)
	refused := diagnostic("Export audit logs", "The export is of another log than the one that is read now. Kept so far: … account \"fake-audit-user\" Read now: … account \"reader\" Use credentials of the same account as before, or keep this log elsewhere: nothing was changed; if both are one account, say so with account = \"fake-audit-user\" in the provider's upcloud block.")
	unchanged := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{PreConfig: func() { exchange(reader.UpCloud()) }, Config: config, ExpectError: refused},
		resource.TestStep{Config: w.exported(exportUpCloud + "  triggers = { again = \"1\" }\n"), ExpectError: refused},
		resource.TestStep{
			PreConfig: reader.ResetRequests, Config: named(config, "fake-audit-user"),
			ConfigPlanChecks: unchanged,
		},
		resource.TestStep{
			PreConfig: func() {
				if n := len(reader.Requests()); n > 0 {
					t.Errorf("%d requests, though the account has a name", n)
				}
			},
			Config: named(w.exported(exportUpCloud+"  triggers = { again = \"1\" }\n"), "fake-audit-user"),
		},
		resource.TestStep{
			PreConfig: func() {
				if asked(reader) {
					t.Error("the account was asked for, though it has a name")
				}

				exchange(http.NotFoundHandler())
			},
			// That it cannot be confirmed is no error.
			Config: w.exported(exportUpCloud + "  triggers = { again = \"1\" }\n"), ConfigPlanChecks: unchanged,
		},
	)
}

// What lies at the path and is not in the state is of a log as well.
func TestAccExport_overAnotherLog(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 80})
	other := newWorld(t, fakeapi.Options{Entries: 60, NoExamples: true, Seed: 81})
	config := w.exported(exportUpCloud)
	elsewhere := func(more string) string {
		return strings.ReplaceAll(w.exported(exportUpCloud+more), w.upcloud, other.upcloud)
	}

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{Config: w.config("")},
		resource.TestStep{
			Config:      elsewhere(""),
			ExpectError: diagnostic("Export audit logs", "The export is of another log than the one that is read now. …"),
		},
		resource.TestStep{Config: config},
		resource.TestStep{Config: w.config("")},
		resource.TestStep{Config: elsewhere("  overwrite = true\n"), Check: func(*terraform.State) error {
			if !strings.Contains(w.read("log.manifest.json"), other.upcloud) {
				return errors.New("the manifest does not name the endpoint")
			}

			return nil
		}},
	)
}

// What cannot be known when planning is refused before anything is written.
func TestAccExport_otherLogAtApply(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 82})
	other := w.account(fakeapi.Options{})
	other.AppendCloudscale(fakeapi.CloudscaleRecord{
		Timestamp: w.now().Add(-30 * time.Minute), Action: "server_delete", Message: "Server 'x' has been deleted",
		Actor:   fakeapi.CloudscaleActor{System: &struct{}{}},
		Subject: &fakeapi.CloudscaleSubject{Project: &fakeapi.CloudscaleProject{UUID: "p-2", Name: "Other"}},
	})

	// The project shows in the window alone, not in a page that is asked for in advance.
	exchange := w.behind(&w.cloudscale, w.fake.Cloudscale())
	hidden := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			_, _ = rw.Write([]byte(`{"next":null,"poll_more":"x","results":[]}`))

			return
		}

		other.Cloudscale().ServeHTTP(rw, r)
	})

	query := "  service = \"cloudscale\"\n  last = \"30d\"\n  format = \"ndjson\"\n"
	before := ""

	w.test(
		resource.TestStep{
			Config: w.exported(query),
			Check:  func(*terraform.State) error { before = w.read("log"); return nil },
		},
		resource.TestStep{
			PreConfig:   func() { exchange(hidden) },
			Config:      w.exported(query + "  triggers = { again = \"1\" }\n"),
			ExpectError: diagnostic("Export audit logs", "The export is of another log than the one that is read now. Kept so far: … account \"p-1\" Read now: … account \"p-2\" …"),
		},
		resource.TestStep{
			PreConfig: func() {
				if w.read("log") != before {
					t.Error("the export was replaced")
				}

				exchange(w.fake.Cloudscale())
			},
			Config: w.exported(query),
		},
	)
}

// Every entry says where it was read, PodStack's by a name that it is given.
func TestAccAuditLogs_account(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 83})
	w.write("log.csv", "Timestamp,User,Action\n2026-06-30 11:00:00,mia,server.delete\n")

	check := func(name string, endpoint, account knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data.audit_logs."+name, tfjsonpath.New("entries").AtSliceIndex(0),
			knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"endpoint": endpoint, "account": account,
			}))
	}

	body := `
data "audit_logs" "upcloud" {
  service = "upcloud"
  last    = "30d"
  where   = "entry.account == 'fake-audit-user' && entry.endpoint == '` + w.upcloud + `'"
}
data "audit_logs" "cloudscale" {
  service    = "cloudscale"
  last       = "30d"
}
data "audit_logs" "podstack" {
  service = "podstack"
  last    = "2h"
}
`
	config := strings.Replace(w.config(body), "retry_wait_min",
		fmt.Sprintf("podstack = { exports = [%q], account = \"team\" }\n  retry_wait_min", w.file("log.csv")), 1)

	w.test(
		resource.TestStep{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				check("upcloud", knownvalue.StringExact(w.upcloud), knownvalue.StringExact("fake-audit-user")),
				check("cloudscale", knownvalue.StringExact(w.cloudscale), knownvalue.StringExact("p-1")),
				check("podstack", knownvalue.Null(), knownvalue.StringExact("team")),
			},
		},
		resource.TestStep{
			Config:      strings.Replace(config, `account = "team"`, `account = " "`, 1),
			ExpectError: diagnostic("Check the configuration", `The value of podstack.account is no name for an account. Give a name without spaces around it and without control characters, or leave the argument out.`),
		},
		resource.TestStep{Config: config},
	)

	if !asked(w.fake) {
		t.Error("the account was never asked for")
	}
}
