// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// pseudonymOf is the documented form, made without the product's code.
func pseudonymOf(actor string) string {
	h := hmac.New(sha256.New, []byte(redactionKey))
	h.Write([]byte("actor:" + actor))

	return "hmac:" + base32.StdEncoding.EncodeToString(h.Sum(nil))[:26]
}

// mia acts in one entry alone and is named in those of others, before and after.
const mia = "mia.ops"

// namedEverywhere holds a person in entries of others: as a whole, inside of
// longer texts, in other cases and in the kinds.
func namedEverywhere(t *testing.T) *world {
	t.Helper()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.env["AUDIT_REDACTION_KEY"] = redactionKey

	for i, r := range []fakeapi.UpCloudRecord{
		{AccountUsername: "jo.admin", Action: "delete", ResourceType: "account", ResourceID: mia},
		{AccountUsername: "jo.admin", Action: "delete", ResourceType: "server", ResourceID: "home-of-MIA.OPS-1"},
		{AccountUsername: "jo.admin", Action: "update", ResourceType: "mia.ops", ResourceID: "x-1"},
		{AccountUsername: mia, Action: "create", ResourceType: "server", ResourceID: "srv-1"},
		{
			AccountUsername: "jo.admin", Action: "update", ResourceType: "storage", ResourceID: "x-2", Origin: "Mia.Ops",
			AuthType: "key of mia.ops",
		},
		{AccountUsername: "api", Action: "update", ResourceType: "server", ResourceID: "x-3"},
		{
			AccountUsername: "upcloud", Action: "update", ResourceType: "server", ResourceID: "jo.admin",
			Origin: "upcloud_internal",
		},
	} {
		r.Time = w.now().Add(-time.Duration(20-i) * time.Minute)
		r.CloudEventID = fmt.Sprintf("01HQXYZ123456789ABCDEFGH%02d", i)
		r.CorrelationID = fmt.Sprintf("corr-%d", i)

		if r.Origin == "" {
			r.Origin = "api"
		}

		if r.AuthType == "" {
			r.AuthType = "api"
		}

		w.fake.AppendUpCloud(r)
	}

	return w
}

// checkNamedNowhere looks at everything that was written of namedEverywhere.
func checkNamedNowhere(text string) error {
	for _, name := range []string{mia, "jo.admin"} {
		if at := strings.Index(strings.ToLower(text), name); at >= 0 {
			return fmt.Errorf("%q is still there: …%s…", name, text[max(at-120, 0):min(at+80, len(text))])
		}
	}

	for _, name := range []string{mia, "jo.admin"} {
		if whole := pseudonymOf(name); !strings.Contains(text, `"resource_id":"`+whole+`"`) ||
			!strings.Contains(text, `"actor":"`+whole+`"`) {
			return fmt.Errorf("%s is not the same person everywhere: %s", name, text)
		}
	}

	// What the cloud calls things identifies nobody, whatever somebody is called.
	for _, kept := range []string{
		`"origin":"api"`, `"origin":"upcloud_internal"`, `"resource_type":"server"`,
		`"resource_id":"srv-1"`,
	} {
		if !strings.Contains(text, kept) {
			return fmt.Errorf("%s has gone: %s", kept, text)
		}
	}

	return nil
}

const hashed = "  redact = { actor = \"hash\" }\n"

func TestAccAuditLogs_redactsAcrossEntries(t *testing.T) {
	t.Parallel()

	w := namedEverywhere(t)
	logs := func(more string) string {
		return w.config("data \"audit_logs\" \"test\" {\n  service = \"upcloud\"\n" + more + "}")
	}
	kinds := map[string]knownvalue.Check{
		pseudonymOf(mia): knownvalue.Int64Exact(1),
		"account":        knownvalue.Int64Exact(1), "server": knownvalue.Int64Exact(4), "storage": knownvalue.Int64Exact(1),
	}

	w.test(
		resource.TestStep{
			Config: logs(hashed),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: []string{mia, "jo.admin"}},
				expect("counts_by_actor", knownvalue.MapExact(map[string]knownvalue.Check{
					pseudonymOf(mia): knownvalue.Int64Exact(1), pseudonymOf("jo.admin"): knownvalue.Int64Exact(4),
					pseudonymOf("api"): knownvalue.Int64Exact(1), pseudonymOf("upcloud"): knownvalue.Int64Exact(1),
				})),
				expect("counts_by_resource_type", knownvalue.MapExact(kinds)),
			},
			Check: func(s *terraform.State) error {
				want := []string{pseudonymOf(mia), "", "x-1", "srv-1", "x-2", "x-3", pseudonymOf("jo.admin")}

				if got := rows(s, "resource_id"); !slices.Equal(got, want) {
					return fmt.Errorf("resources are %q", got)
				}

				return nil
			},
		},
		// The counts are over everything, the rows are not.
		resource.TestStep{
			Config: logs(hashed + "  max_entries = 1\n  on_overflow = \"keep_newest\"\n"),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: []string{mia, "jo.admin"}}, expect("counts_by_resource_type", knownvalue.MapExact(kinds)),
			},
		},
		// Counts that redaction makes alike are added up.
		resource.TestStep{
			Config: logs("  redact = { actor = \"drop\" }\n  include_entries = false\n"),
			ConfigStateChecks: []statecheck.StateCheck{
				stateHolds{not: []string{mia, "jo.admin"}},
				expect("counts_by_actor",
					knownvalue.MapExact(map[string]knownvalue.Check{
						"user":   knownvalue.Int64Exact(6),
						"system": knownvalue.Int64Exact(1),
					})),
			},
		},
		// What the filter leaves out is not read, and so it is not known.
		resource.TestStep{
			Config:            logs(hashed + "  resource_types = [\"account\"]\n"),
			ConfigStateChecks: []statecheck.StateCheck{stateHolds{all: []string{mia}}},
		},
	)
}

func group(values map[string]string) knownvalue.Check {
	checks := map[string]knownvalue.Check{}
	for field, value := range values {
		checks[field] = knownvalue.StringExact(value)
	}

	return knownvalue.ObjectPartial(map[string]knownvalue.Check{"group": knownvalue.MapExact(checks)})
}

func TestAccFindings_redactsAcrossEntries(t *testing.T) {
	t.Parallel()

	w := namedEverywhere(t)

	w.test(resource.TestStep{
		// No rule matches what she does herself.
		Config: w.config(`data "audit_log_findings" "test" {
  service       = "upcloud"
  builtin_rules = []
` + hashed + `
  rules = {
    gone = {
      where    = "entry.operation == 'delete'"
      group_by = ["resource_id"]
    }
    kinds = {
      where    = "entry.operation == 'update' && entry.resource_type != 'server'"
      group_by = ["resource_type", "origin", "auth_type"]
    }
  }
}`),
		ConfigStateChecks: []statecheck.StateCheck{
			found("findings", knownvalue.ListExact([]knownvalue.Check{
				group(map[string]string{"resource_id": pseudonymOf(mia)}),
				group(map[string]string{"resource_id": ""}),
				group(map[string]string{"resource_type": pseudonymOf(mia), "origin": "api", "auth_type": "api"}),
				group(map[string]string{"resource_type": "storage", "origin": pseudonymOf(mia), "auth_type": ""}),
			})),
		},
		Check: func(s *terraform.State) error {
			for name, r := range s.RootModule().Resources {
				for key, value := range r.Primary.Attributes {
					if strings.HasPrefix(key, "findings") && strings.Contains(strings.ToLower(value), mia) {
						return fmt.Errorf("%s.%s is %s", name, key, value)
					}
				}
			}

			return nil
		},
	})
}

func TestAccExport_redactsAcrossEntries(t *testing.T) {
	t.Parallel()

	w := namedEverywhere(t)

	w.test(resource.TestStep{
		Config:           w.export("a.ndjson", "ndjson", "  service = \"upcloud\"\n  last = \"1d\"\n"+hashed),
		Check:            func(*terraform.State) error { return checkNamedNowhere(w.read("a.ndjson")) },
		ConfigPlanChecks: expectAction(plancheck.ResourceActionCreate),
	})
}

// Where a redaction can meet no other entry, nothing is read twice.
func TestAccExport_readsTwiceOnlyWhereItHasTo(t *testing.T) {
	t.Parallel()

	for redact, want := range map[string]int{
		"": 1, `{ raw = "drop" }`: 1, `{ origin = "drop" }`: 1,
		`{ actor = "drop" }`: 2,
	} {
		w := namedEverywhere(t)

		more := "  service = \"upcloud\"\n  last = \"1d\"\n"
		if redact != "" {
			more += "  redact = " + redact + "\n"
		}

		w.test(resource.TestStep{Config: w.export("a.ndjson", "ndjson", more)})

		// The account is asked for beside it.
		readings := 0
		for _, r := range w.fake.Requests() {
			if r.Path == "/1.3/audit-logs" {
				readings++
			}
		}

		if readings != want {
			t.Errorf("redact = %s: read %d times, want %d", redact, readings, want)
		}
	}
}

func TestAccArchive_redactsAcrossEntries(t *testing.T) {
	t.Parallel()

	w := namedEverywhere(t)
	everything := func() string {
		var text strings.Builder

		err := filepath.Walk(w.file("archive"), func(name string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}

			data, err := os.ReadFile(name)
			text.Write(data)

			return err
		})
		if err != nil {
			t.Fatal(err)
		}

		return text.String()
	}

	arguments := "  service = \"upcloud\"\n  format = \"ndjson\"\n  compression = \"none\"\n" + hashed

	w.test(
		resource.TestStep{
			Config: w.archive(arguments),
			Check:  func(*terraform.State) error { return checkNamedNowhere(everything()) },
		},
		// The next run does not know whom the one before met.
		resource.TestStep{
			PreConfig: func() {
				w.fake.AppendUpCloud(fakeapi.UpCloudRecord{
					Time: w.now().Add(time.Hour), CloudEventID: "01HQXYZ123456789ABCDEFGH99", CorrelationID: "corr", Action: "delete",
					ResourceType: "account", ResourceID: mia, AccountUsername: "zoe", Origin: "api", AuthType: "api",
				})
				w.later.Store(int64(2 * time.Hour))
			},
			Config: w.archive(arguments),
			Check: func(*terraform.State) error {
				if !strings.Contains(everything(), `"resource_id":"`+mia+`"`) {
					return errors.New("values of an earlier run are known, but the guide says that they are not")
				}

				return nil
			},
		},
	)
}
