// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/klauspost/compress/zstd"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

const exported = provider.ExportType + ".test"

func expectExport(name string, check knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(exported, tfjsonpath.New(name), check)
}

// export writes the resource's configuration with further arguments.
func (w *world) export(file, format, more string) string {
	return w.config(fmt.Sprintf("resource \"audit_log_export\" \"test\" {\n  path   = %q\n  format = %q\n%s\n}",
		w.file(file), format, more))
}

func expectAction(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction(exported, action)},
		PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
	}
}

const month = "  service = \"upcloud\"\n  last = \"60d\"\n"

func TestAccExport_formats(t *testing.T) {
	t.Parallel()

	for _, kind := range format.All() {
		for _, compression := range append(format.Compressions(), "") {
			t.Run(fmt.Sprintf("%s %s", kind, compression), func(t *testing.T) {
				t.Parallel()

				argument := ""
				if compression != "" {
					argument = fmt.Sprintf("  compression = %q\n", compression)
				}

				testExport(t, kind, compression, argument)
			})
		}
	}
}

func testExport(t *testing.T, kind format.Format, compression format.Compression, argument string) {
	t.Helper()

	w := newWorld(t, fakeapi.Options{Entries: 450, Seed: 4})
	name := "deep/down/audit.file"

	w.test(resource.TestStep{
		Config:           w.export(name, string(kind), month+argument),
		ConfigPlanChecks: expectAction(plancheck.ResourceActionCreate),
		ConfigStateChecks: []statecheck.StateCheck{
			expectExport("entry_count", knownvalue.Int64Exact(449)), // The newest has not settled yet.
			expectExport("window_start", knownvalue.StringExact("2026-05-01T11:59:00.000000Z")),
			expectExport("window_end", knownvalue.StringExact("2026-06-30T11:59:00.000000Z")),
			expectExport("exported_at", knownvalue.StringExact("2026-06-30T12:00:00.000000Z")),
			expectExport("manifest_path", knownvalue.StringExact(w.file(name)+".manifest.json")),
		},
		Check: func(s *terraform.State) error {
			a := s.RootModule().Resources[exported].Primary.Attributes

			// As stored, whatever is inside.
			sum := sha256.Sum256([]byte(w.read(name)))
			if a["sha256"] != hex.EncodeToString(sum[:]) || a["bytes"] != fmt.Sprint(len(w.read(name))) {
				return fmt.Errorf("sha256 %s, %s bytes", a["sha256"], a["bytes"])
			}

			manifest := w.read(name + ".manifest.json")

			sum = sha256.Sum256([]byte(manifest))
			if a["manifest_sha256"] != hex.EncodeToString(sum[:]) {
				return fmt.Errorf("manifest_sha256 %s", a["manifest_sha256"])
			}

			meant := cmp.Or(compression, kind.DefaultCompression())
			if !strings.Contains(manifest, fmt.Sprintf("\"format\": %q,\n  \"compression\": %q,", kind, meant)) {
				return fmt.Errorf("the manifest does not say %s, %s: %s", kind, meant, manifest)
			}

			ids := w.exportedIDs(name, kind, compression)
			want := []string{}
			for _, r := range w.fake.UpCloudRecords() {
				if r.Time.Before(w.now().Add(-time.Minute)) && r.Time.After(w.now().Add(-60*24*time.Hour)) {
					want = append(want, r.CloudEventID)
				}
			}

			slices.Sort(ids)
			slices.Sort(want)

			if !slices.Equal(ids, want) {
				return fmt.Errorf("%d ids were exported, want %d", len(ids), len(want))
			}

			return nil
		},
	})

	// Destroying the resource has left the evidence, and it verifies by itself.
	if got := w.files("deep/down"); !slices.Equal(got,
		[]string{"audit.file", "audit.file.manifest.json", "audit.file.sha256"}) {
		t.Errorf("files are %v", got)
	}

	w.verify("deep/down", "audit.file.sha256")
}

// verify does what an auditor does.
func (w *world) verify(dir, name string) {
	w.t.Helper()

	command, err := exec.LookPath("sha256sum")
	if err != nil {
		w.t.Logf("sha256sum is not there: %v", err)

		return
	}

	c := exec.CommandContext(w.t.Context(), command, "--strict", "-c", name)
	c.Dir = w.file(dir)

	if out, err := c.CombinedOutput(); err != nil {
		w.t.Errorf("sha256sum -c: %v\n%s", err, out)
	}
}

func (w *world) exportedIDs(name string, kind format.Format, compression format.Compression) []string {
	w.t.Helper()

	var ids []string

	switch kind {
	case format.CSV:
		records, err := csv.NewReader(strings.NewReader(w.decompressed(name, compression))).ReadAll()
		if err != nil {
			w.t.Fatal(err)
		}

		for _, r := range records[1:] {
			ids = append(ids, r[0])
		}
	case format.JSON:
		var list []struct{ ID string }
		if err := json.Unmarshal([]byte(w.decompressed(name, compression)), &list); err != nil {
			w.t.Fatal(err)
		}

		for _, e := range list {
			ids = append(ids, e.ID)
		}
	default:
		text := w.read(name)
		for e, err := range format.Decode(strings.NewReader(text), int64(len(text)), kind,
			format.DecoderOptions{Compression: compression}) {
			if err != nil {
				w.t.Fatal(err)
			}

			ids = append(ids, e.ID)
		}
	}

	return ids
}

// decompressed does what gunzip and unzstd do.
func (w *world) decompressed(name string, compression format.Compression) string {
	w.t.Helper()

	var (
		r   io.Reader = strings.NewReader(w.read(name))
		err error
	)

	switch compression {
	case format.Gzip:
		r, err = gzip.NewReader(r)
	case format.Zstd:
		r, err = zstd.NewReader(r)
	default:
	}

	if err != nil {
		w.t.Fatal(err)
	}

	text, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}

	return string(text)
}

// What the argument means decides, not whether it was written down; files of
// before it existed have no value for it.
func TestAccExport_compression(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, Seed: 12})

	var first string

	config := func(format, compression string) string {
		if compression != "" {
			compression = fmt.Sprintf("  compression = %q\n", compression)
		}

		return w.export("a", format, month+compression)
	}
	step := func(format, compression string, again bool) resource.TestStep {
		return resource.TestStep{
			PreConfig:        func() { w.later.Add(int64(time.Hour)) },
			Config:           config(format, compression),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionUpdate),
			Check: func(s *terraform.State) error {
				at := s.RootModule().Resources[exported].Primary.Attributes["exported_at"]
				if (at != first) != again {
					return fmt.Errorf("%s %s: exported at %s, before at %s", format, compression, at, first)
				}

				first = at

				return nil
			},
		}
	}

	w.test(
		resource.TestStep{
			Config: config("csv", ""),
			ConfigStateChecks: []statecheck.StateCheck{
				expectExport("compression", knownvalue.Null()),
			},
			Check: func(s *terraform.State) error {
				first = s.RootModule().Resources[exported].Primary.Attributes["exported_at"]

				return nil
			},
		},
		step("csv", "none", false),
		step("csv", "gzip", true),
		step("csv", "zstd", true),
		step("csv", "", true),
		step("parquet", "", true),
		step("parquet", "zstd", false),
		step("parquet", "none", true),
		resource.TestStep{
			Config: config("csv", "snappy"),
			ExpectError: diagnostic("Check the configuration", `The value of compression cannot be used: it is unknown.


Give one of none, gzip, zstd.`),
		},
		resource.TestStep{
			Config: config("xlsx", ""),
			ExpectError: diagnostic("Check the configuration", `The value of format cannot be used: it is unknown.


Give one of csv, json, ndjson, parquet, html.`),
		},
		step("ndjson", "gzip", true),
	)
}

func TestAccExport_lifecycle(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 100, Seed: 5})

	var first string

	unchanged := func(*terraform.State) error {
		if w.read("a.csv") != first {
			return errors.New("the export was written again")
		}

		return nil
	}

	w.test(
		resource.TestStep{
			Config: w.export("a.csv", "csv", month),
			Check: func(*terraform.State) error {
				first = w.read("a.csv")

				return nil
			},
		},
		resource.TestStep{ // A growing log is no reason to write again.
			PreConfig: func() {
				w.later.Store(int64(24 * time.Hour))
				w.fake.ResetRequests()
			},
			Config:           w.export("a.csv", "csv", month),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			Check: resource.ComposeTestCheckFunc(unchanged, func(*terraform.State) error {
				// Whose log it is, is asked for; the log is not.
				for _, r := range w.fake.Requests() {
					if r.Path != "/1.3/account" {
						return fmt.Errorf("%s was asked for", r.Path)
					}
				}

				return nil
			}),
		},
		resource.TestStep{ // Nor is what happens around the export.
			Config: w.export("a.csv", "csv",
				month+"  file_permission = \"0640\"\n  on_missing = \"keep\"\n  overwrite = true\n"),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionUpdate),
			Check: resource.ComposeTestCheckFunc(unchanged, func(*terraform.State) error {
				info, err := os.Stat(w.file("a.csv"))
				if err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
					err = fmt.Errorf("permission is %v", info.Mode())
				}

				return err
			}),
		},
		resource.TestStep{ // A trigger is.
			Config:           w.export("a.csv", "csv", month+"  triggers = { run = \"2\" }\n"),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{
				expectExport("exported_at", knownvalue.StringExact("2026-07-01T12:00:00.000000Z")),
			},
		},
		resource.TestStep{ // So is another query, and columns and their order are as asked.
			Config:           w.export("a.csv", "csv", month+"  operations = [\"delete\"]\n  columns = [\"time\", \"id\"]\n"),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionUpdate),
			Check: func(*terraform.State) error {
				if !strings.HasPrefix(w.read("a.csv"), "time,id\r\n2026-") {
					return errors.New("columns are not as asked")
				}

				return nil
			},
		},
		resource.TestStep{ // Another path is another export; the old one stays.
			Config:           w.export("b.csv", "csv", month),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionReplace),
			Check: func(*terraform.State) error {
				if got := w.files("."); len(got) != 6 {
					return fmt.Errorf("files are %v", got)
				}

				return nil
			},
		},
	)
}

func TestAccExport_drift(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, Seed: 6})
	config := w.export("a.ndjson", "ndjson", month)

	var first string

	restored := func(*terraform.State) error {
		w.verify(".", "a.ndjson.sha256")

		if w.read("a.ndjson") != first {
			return errors.New("the export is not what it was")
		}

		return nil
	}

	steps := []resource.TestStep{{
		Config: config,
		Check: func(*terraform.State) error {
			first = w.read("a.ndjson")

			return nil
		},
	}}

	for _, change := range []func(){
		func() { w.write("a.ndjson", first+"{}\n") },
		func() { w.write("a.ndjson.manifest.json", "{}") },
		func() { w.write("a.ndjson.sha256", "") },
		func() { w.remove("a.ndjson.manifest.json") },
		func() { w.remove("a.ndjson.sha256") },
	} {
		steps = append(steps,
			resource.TestStep{PreConfig: change, RefreshState: true, ExpectNonEmptyPlan: true},
			resource.TestStep{Config: config, ConfigPlanChecks: expectAction(plancheck.ResourceActionUpdate), Check: restored})
	}

	w.test(steps...)
}

func (w *world) remove(name string) {
	w.t.Helper()

	if err := os.Remove(w.file(name)); err != nil {
		w.t.Fatal(err)
	}
}

func TestAccExport_onMissing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, Seed: 7})
	config := func(value string) string {
		return w.export("a.json", "json", month+"  on_missing = \""+value+"\"\n")
	}

	w.test(
		resource.TestStep{Config: config("recreate")},
		resource.TestStep{
			PreConfig:        func() { w.remove("a.json") },
			Config:           config("recreate"),
			ConfigPlanChecks: expectAction(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{Config: config("keep")},
		resource.TestStep{
			PreConfig:        func() { w.remove("a.json") },
			Config:           config("keep"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
		},
		resource.TestStep{
			PreConfig: func() {
				if _, err := os.Stat(w.file("a.json")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file is back: %v", err)
				}
			},
			Config: config("keep") + "\n# again",
		},
		resource.TestStep{Config: w.export("a.json", "json", month+"  triggers = { run = \"2\" }\n")},
		resource.TestStep{
			PreConfig: func() { w.remove("a.json") },
			Config:    w.export("a.json", "json", month+"  on_missing = \"error\"\n  triggers = { run = \"2\" }\n"),
			ExpectError: diagnostic("Look at the audit log export", `The export is not where it was written.

Path: `+w.file("a.json")+`

Restore the file, or set on_missing to "recreate" or "keep".`),
		},
		resource.TestStep{ // The way out that the error names.
			Config: w.export("a.json", "json", month+"  on_missing = \"keep\"\n  triggers = { run = \"2\" }\n"),
		},
	)
}

func TestAccExport_destroy(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, Seed: 8})
	config := w.export("a.json", "json", month+"  keep_on_destroy = false\n")

	w.test(resource.TestStep{Config: config})

	if got := w.files("."); len(got) != 0 {
		t.Errorf("files are %v", got)
	}

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{
			PreConfig: func() { w.write("a.json", "[]") },
			Config:    config,
			Destroy:   true,
			ExpectError: diagnostic("Remove the audit log export", `The file was changed after it was written, so it is left alone.

Path: `+w.file("a.json")+`

Look at what was changed and move the file away, or forget the resource with "terraform state rm".`),
		},
		resource.TestStep{Config: config},
	)
}

func TestAccExport_foreignFile(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, Seed: 9})
	w.write("a.json", "mine")

	w.test(
		resource.TestStep{
			Config:   w.export("a.json", "json", month),
			PlanOnly: true,
			ExpectError: diagnostic("Export audit logs", `A file is in the way that is no export, or an export that was changed since it was written.

Path: `+w.file("a.json")+`

Choose another path, move the file away, or set overwrite = true.`),
		},
		resource.TestStep{
			PreConfig: func() {
				if w.read("a.json") != "mine" || len(w.files(".")) != 1 {
					t.Errorf("the foreign file was touched: %v", w.files("."))
				}
			},
			Config: w.export("a.json", "json", month+"  overwrite = true\n"),
		},
	)

	// An export of ours may be taken over by another state.
	w.test(resource.TestStep{Config: w.export("a.json", "json", month)})
}

// A service that fails leaves the last export, the state and the directory as they were.
func TestAccExport_failure(t *testing.T) {
	t.Parallel()

	for i, fault := range []string{"500", "truncate", "html", "shape", "bad-time", "no-total", "no-total"} {
		kind := format.CSV
		if i > 5 {
			kind = format.HTML
		}

		t.Run(fmt.Sprintf("%s %s", fault, kind), func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 450, Seed: 10})

			var first string

			w.test(
				resource.TestStep{Config: w.export("a", string(kind), month), Check: func(s *terraform.State) error {
					first = w.read("a") + s.RootModule().Resources[exported].Primary.Attributes["exported_at"]

					return nil
				}},
				resource.TestStep{
					PreConfig: func() {
						w.later.Store(int64(time.Hour))
						w.fake.SetFaults([]fakeapi.Fault{{Name: fault, Rate: 1}})
					},
					Config:      w.export("a", string(kind), month+"  triggers = { run = \"2\" }\n"),
					ExpectError: diagnostic("Export UpCloud audit logs", "… Service: upcloud Endpoint: http://127.0.0.1:… Request: GET /1.3/audit-logs … Page: 1 Window: [2026-05-01T12:59:00.000000Z, 2026-06-30T12:59:00.000000Z) …"),
				},
				resource.TestStep{
					PreConfig:        func() { w.fake.SetFaults(nil) },
					Config:           w.export("a", string(kind), month),
					ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
					Check: func(s *terraform.State) error {
						if w.read("a")+s.RootModule().Resources[exported].Primary.Attributes["exported_at"] != first {
							return errors.New("the old export or the state changed")
						}

						if got := w.files("."); len(got) != 3 {
							return fmt.Errorf("files are %v", got)
						}

						w.verify(".", "a.sha256")

						return nil
					},
				},
			)
		})
	}
}

func TestAccExport_cloudscale(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 700, Seed: 11, NoExamples: true, CloudscaleEnd: fakeapi.EndFirstPage})

	settled := 0
	for _, r := range w.fake.CloudscaleRecords() {
		if r.Timestamp.Before(w.now().Add(-time.Minute)) {
			settled++
		}
	}

	w.test(resource.TestStep{
		Config: w.export("a.ndjson", "ndjson", "  service = \"cloudscale\"\n  last = \"60d\"\n"),
		ConfigStateChecks: []statecheck.StateCheck{
			expectExport("entry_count", knownvalue.Int64Exact(int64(settled))),
		},
		Check: func(*terraform.State) error {
			ids := w.exportedIDs("a.ndjson", format.NDJSON, "")
			slices.Sort(ids)

			if n := len(slices.Compact(ids)); n != settled {
				return fmt.Errorf("%d different ids of %d", n, settled)
			}

			// What was written has the fields of the contract, in its order.
			line, _, _ := strings.Cut(w.read("a.ndjson"), "\n")
			at := 0

			for _, f := range auditlog.Fields() {
				i := strings.Index(line[at:], `"`+f.Name+`":`)
				if i < 0 {
					return fmt.Errorf("%s is missing or out of order", f.Name)
				}

				at += i
			}

			return nil
		},
	})
}

// Personal data is taken out before it reaches the disk, and the manifest says so.
func TestAccExport_redact(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 100, NoExamples: true, Seed: 13})
	w.env["AUDIT_REDACTION_KEY"] = "a random text of some length"

	w.test(
		resource.TestStep{
			Config: w.export("a.ndjson", "ndjson", month+"  redact = { actor = \"hash\", ip_address = \"mask\" }\n"),
			Check: func(*terraform.State) error {
				text := w.read("a.ndjson")
				if !strings.Contains(text, `"actor":"hmac:`) {
					return errors.New("no pseudonyms were written")
				}

				for _, r := range w.fake.UpCloudRecords() {
					if strings.Contains(text, `"`+r.AccountUsername+`"`) && r.AccountUsername != "upcloud" || r.IPAddress != "" && strings.Contains(text, `"`+r.IPAddress+`"`) {
						return errors.New("personal data was written")
					}
				}

				if manifest := w.read("a.ndjson.manifest.json"); !strings.Contains(manifest, `"key_id"`) ||
					strings.Contains(manifest, w.env["AUDIT_REDACTION_KEY"]) {
					return errors.New(manifest)
				}

				return nil
			},
			ConfigPlanChecks: expectAction(plancheck.ResourceActionCreate),
		},
		resource.TestStep{
			PreConfig:   func() { delete(w.env, "AUDIT_REDACTION_KEY") },
			Config:      w.export("b.ndjson", "ndjson", month+"  redact = { actor = \"hash\" }\n"),
			PlanOnly:    true,
			ExpectError: regexp.MustCompile(`Hashing needs a key`),
		},
	)
}

// The layout of a CSV file is chosen, and written again only where it changes.
func TestAccExport_csv(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 100, NoExamples: true, Seed: 15})
	begins := func(text string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			if !strings.HasPrefix(w.read("a.csv"), text) {
				return errors.New(w.read("a.csv"))
			}

			return nil
		}
	}
	updated := func(written bool) resource.ConfigPlanChecks {
		checks := expectAction(plancheck.ResourceActionUpdate)
		if written {
			checks.PreApply = append(checks.PreApply, plancheck.ExpectUnknownValue(exported, tfjsonpath.New("sha256")))
		} else {
			checks.PreApply = append(checks.PreApply,
				plancheck.ExpectKnownValue(exported, tfjsonpath.New("sha256"), knownvalue.NotNull()))
		}

		return checks
	}

	w.test(
		resource.TestStep{
			Config:   w.export("a.ndjson", "ndjson", month+"  csv = { delimiter = \";\" }\n"),
			PlanOnly: true,
			ExpectError: diagnostic("Check the configuration", `The argument says how a CSV file is laid out, but the format is another one.
Format: ndjson
Remove csv, or set format = "csv".`),
		},
		resource.TestStep{
			Config:   w.export("a.csv", "csv", month+"  csv = { delimiter = \"|\" }\n"),
			PlanOnly: true,
			ExpectError: diagnostic("Check the configuration", `The value of csv.delimiter cannot be used: it is no delimiter of CSV.
Give ",", ";" or "\t".`),
		},
		resource.TestStep{Config: w.export("a.csv", "csv", month), Check: begins("id,time,")},
		resource.TestStep{
			Config:           w.export("a.csv", "csv", month+"  csv = { delimiter = \",\" }\n"),
			ConfigPlanChecks: updated(false),
		},
		resource.TestStep{
			Config:           w.export("a.csv", "csv", month+"  csv = { delimiter = \";\", bom = true }\n"),
			ConfigPlanChecks: updated(true), Check: begins("\ufeffid;time;"),
		},
	)
}

func TestAccExport_ocsf(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 100, NoExamples: true, Seed: 14})

	w.test(
		resource.TestStep{
			Config:   w.export("a.csv", "csv", month+"  shape = \"ocsf\"\n"),
			PlanOnly: true,
			ExpectError: diagnostic("Check the configuration", `Events of OCSF are written as NDJSON or Parquet only.
Change format or columns, or write entries instead of events.`),
		},
		resource.TestStep{
			Config: w.export("a.ndjson", "ndjson", month+"  shape = \"ocsf\"\n"),
			Check: func(*terraform.State) error {
				for line := range strings.Lines(w.read("a.ndjson")) {
					var event struct {
						Class int `json:"class_uid"`
						Type  int `json:"type_uid"`
						Do    int `json:"activity_id"`
					}
					if err := json.Unmarshal([]byte(line), &event); err != nil || event.Class == 0 || event.Type != event.Class*100+
						event.Do {
						return fmt.Errorf("%w: %s", err, line)
					}
				}

				return nil
			},
			ConfigPlanChecks: expectAction(plancheck.ResourceActionCreate),
		},
		resource.TestStep{Config: w.export("a.parquet", "parquet", month+"  shape = \"ocsf\"\n")},
	)
}
