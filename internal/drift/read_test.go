// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

func sorted(resources []drift.Resource) []drift.Resource {
	byAddress := func(a, b drift.Resource) int { return cmp.Compare(a.Address, b.Address) }

	return slices.SortedFunc(slices.Values(resources), byAddress)
}

// What Terraform prints as state is what its state holds, addresses with quoted keys included.
func TestStatesInBothForms(t *testing.T) {
	t.Parallel()

	raw, shown := inventory(t, "state.json"), inventory(t, "state-show.json")
	if diff := gocmp.Diff(sorted(shown.Resources), sorted(raw.Resources)); diff != "" {
		t.Error(diff)
	}

	if len(raw.Resources) != 29 {
		t.Errorf("there are %d resources", len(raw.Resources))
	}

	for _, want := range []drift.Resource{
		{
			Address: `upcloud_server.web["the \"old\" one"]`, Type: "upcloud_server",
			Provider: "registry.terraform.io/upcloudltd/upcloud", Name: `web the "old" one`,
		},
		{
			Address: `module.region["eu \"west\""].upcloud_server.edge`, Type: "upcloud_server",
			Provider: "registry.terraform.io/upcloudltd/upcloud", Name: `edge eu "west"`,
		},
		{
			Address: `upcloud_server.web["$${dollar}"]`, Type: "upcloud_server",
			Provider: "registry.terraform.io/upcloudltd/upcloud", Name: `web ${dollar}`,
		},
		{
			Address: "cloudscale_floating_ip.vip", Type: "cloudscale_floating_ip",
			Provider: "registry.terraform.io/cloudscale-ch/cloudscale", ID: "192.0.2.123/32", Name: "192.0.2.123",
		},
	} {
		i := slices.IndexFunc(raw.Resources, func(r drift.Resource) bool { return r.Address == want.Address })
		if i < 0 {
			t.Errorf("%s is missing", want.Address)

			continue
		}

		got := raw.Resources[i]
		want.ID = cmp.Or(want.ID, got.ID)

		if diff := gocmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPlans(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"plan.json", "plan-clean.json"} {
		plan := inventory(t, name)
		if !plan.Plan || plan.Written.IsZero() {
			t.Errorf("%s: %v, written at %v", name, plan.Plan, plan.Written)
		}
		// What is gone is in what changed, and not in the state any more.
		if len(plan.Resources) != 29 {
			t.Errorf("%s: there are %d resources", name, len(plan.Resources))
		}
	}

	var seen []string

	for _, r := range inventory(t, "plan.json").Resources {
		if r.Seen == nil {
			continue
		}

		parts := []string{r.Address + ":"}
		if r.Seen.Deleted {
			parts = append(parts, "deleted")
		}

		for _, c := range r.Seen.Changes {
			parts = append(parts, fmt.Sprintf("%s %s -> %s", c.Field, orAbsent(c.Before), orAbsent(c.After)))
		}

		seen = append(seen, strings.Join(parts, " "))
	}

	slices.Sort(seen)

	want := []string{
		`cloudscale_server.api: flavor_slug "flex-4-2" -> "flex-8-4"`,
		`cloudscale_server.twin[0]: flavor_slug "flex-4-1" -> "flex-16-1"`,
		`cloudscale_volume.cache: size_gb 50 -> 100`,
		`dns_record.www: value "192.0.2.1" -> "192.0.2.99"`,
		`module.database.upcloud_managed_database_postgresql.main: service_password "(sensitive value)" -> "(sensitive value)"`,
		`upcloud_kubernetes_node_group.workers: node_count 3 -> 5`,
		`upcloud_managed_object_storage.logs: region "europe-1" -> "europe-2"`,
		`upcloud_router.main: labels.by absent -> "hand"`,
		`upcloud_server.web["blue"]: cpu 2 -> 4 plan "2xCPU-4GB" -> "4xCPU-8GB"`,
		`upcloud_storage.data[1]: deleted`,
	}
	if diff := gocmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}

	for _, r := range inventory(t, "plan-clean.json").Resources {
		if r.Seen != nil {
			t.Errorf("nothing changed, and %s did", r.Address)
		}
	}
}

func orAbsent(value *string) string {
	if value == nil {
		return "absent"
	}

	return *value
}

// The files hold secrets, and nothing that is made of them does.
func TestNothingOfAStateIsKept(t *testing.T) {
	t.Parallel()

	for _, name := range []string{
		"state.json", "state-show.json", "plan.json", "plan-clean.json",
		"opentofu/state.json", "opentofu/state-show.json", "opentofu/plan.json",
	} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}

		if !strings.Contains(string(text), "FIXTURE-SECRET") {
			t.Fatalf("%s holds no secret, so that none could be found", name)
		}

		kept, err := json.Marshal(inventory(t, name))
		if err != nil {
			t.Fatal(err)
		}

		if strings.Contains(string(kept), "SECRET") {
			t.Errorf("%s: a secret is kept: %s", name, kept)
		}
	}
}

// Values inside of what is marked are hidden wherever they are, also where an array becomes an object.
func TestSensitiveValues(t *testing.T) {
	t.Parallel()

	const plan = `{"format_version":"1.2","planned_values":{},"resource_drift":[{"address":"upcloud_server.a","mode":"managed",
		"type":"upcloud_server","change":{"actions":["update"],
		"before":{"id":"1","login":[{"user":"root","keys":["SECRET-1","SECRET-2"]}],"meta":{"a":"SECRET-3","b":"old"},
			"all":"SECRET-4","same":"SECRET-5"},
		"after":{"id":"1","login":{"0":{"user":"root","keys":["SECRET-1","SECRET-6"]}},"meta":{"a":"SECRET-7","b":"new"},
			"all":["SECRET-8"],"same":"SECRET-5"},
		"before_sensitive":{"login":[{"keys":[true,true]}],"meta":{"a":true},"all":true,"same":true},
		"after_sensitive":{"login":{"0":{"keys":true}},"meta":{"a":true},"all":true,"same":true}}},
		{"address":"upcloud_server.b","mode":"managed","type":"upcloud_server","change":{"actions":["update"],
		"before":{"id":"2","x":"SECRET-9"},"after":{"id":"2","x":"SECRET-10"},"before_sensitive":true,"after_sensitive":true}}]}`

	got, err := drift.Read(strings.NewReader(plan))
	if err != nil {
		t.Fatal(err)
	}

	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}

	if strings.Contains(string(text), "SECRET") {
		t.Errorf("a secret is kept: %s", text)
	}

	fields := map[string]bool{}
	for _, c := range got.Resources[0].Seen.Changes {
		fields[c.Field] = true
	}

	if !fields["meta.a"] || !fields["meta.b"] || !fields["all"] || fields["same"] || got.Resources[1].Seen == nil {
		t.Errorf("what changed is not what is told: %v", fields)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()

	binary, err := os.ReadFile(filepath.Join("testdata", "saved-plan"))
	if err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]drift.InputError{
		string(binary):                         {Fault: drift.BinaryPlan},
		"\xff\xfe{\x00}\x00":                   {Fault: drift.NotUTF8},
		"":                                     {Fault: drift.Empty},
		"null":                                 {Fault: drift.Unknown},
		"[]":                                   {Fault: drift.Unknown},
		"{}":                                   {Fault: drift.Unknown},
		`{"resources":[]}`:                     {Fault: drift.Unknown},
		`{"version":4}`:                        {Fault: drift.Unknown},
		`{"format_version":"1.0"`:              {Fault: drift.NotJSON},
		`{"format_version":"1.0","a":1,"a":2}`: {Fault: drift.NotJSON},
		`{"format_version":"1.0"}{}`:           {Fault: drift.NotJSON},
		`{"format_version":"2.0"}`:             {Fault: drift.OtherFormat, Version: "2.0"},
		`{"format_version":"0.1","terraform_version":"0.12.31"}`:                                                               {Fault: drift.OtherFormat, Version: "0.1"},
		`{"version":3,"terraform_version":"0.11.14","modules":[]}`:                                                             {Fault: drift.OtherFormat, Version: "3"},
		`{"version":4,"terraform_version":"0.12.31","resources":[]}`:                                                           {Fault: drift.OldTerraform, Version: "0.12.31"},
		`{"serial":1,"lineage":"x","meta":{"key_provider.pbkdf2.a":"e30="},"encrypted_data":"YQ==","encryption_version":"v0"}`: {Fault: drift.Encrypted},
		`{"format_version":"1.2","errored":true,"resource_changes":[]}`:                                                        {Fault: drift.FailedPlan},
		`{"@level":"info","@message":"Terraform 1.11.4","type":"version"}` + "\n" + `{"@level":"info"}`:                        {Fault: drift.MessageLines},
		`{"format_version":"1.0","values":{"root_module":{"resources":[{"mode":"managed"}]}}}`:                                 {Fault: drift.Unknown},
		`{"format_version":"1.0","values":{"root_module":{"resources":[7]}}}`:                                                  {Fault: drift.Unknown},
	} {
		_, err := drift.Read(strings.NewReader(text))

		got := (*drift.InputError)(nil)
		if !errors.As(err, &got) || got.Fault != want.Fault || got.Version != want.Version {
			t.Errorf("%.80q: got %v, want %v", text, err, &want)
		}
	}
}

// A plan of some resources says so. One that does not say, as those of OpenTofu and of a Terraform before 1.8, has
// changes, if only none, of fewer resources than its state has.
func TestPartialPlans(t *testing.T) {
	t.Parallel()

	const (
		state = `"prior_state":{"values":{"root_module":{"resources":[{"address":"upcloud_server.a","mode":"managed",` +
			`"type":"upcloud_server"}],"child_modules":[{"resources":[{"address":"module.m.upcloud_server.b",` +
			`"mode":"managed","type":"upcloud_server"},{"address":"module.m.data.upcloud_zone.c","mode":"data",` +
			`"type":"upcloud_zone"}]}]}}}`
		one  = `"resource_changes":[{"address":"upcloud_server.a","change":{"actions":["no-op"]}}]`
		both = `"resource_changes":[{"address":"module.m.upcloud_server.b"},{"address":"upcloud_server.a"}]`
	)

	for text, want := range map[string]bool{
		`"complete":true,"resource_changes":[]`:        false,
		`"complete":false,"resource_changes":[]`:       true,
		one + `,` + state:                              true,
		state + `,` + one:                              true,
		both + `,` + state:                             false,
		state + `,` + one + `,"complete":true`:         false,
		state + `,` + both + `,"complete":false`:       true,
		state + `,"planned_values":{"root_module":{}}`: false, // One with -refresh-only has no changes.
	} {
		got, err := drift.Read(strings.NewReader(`{"format_version":"1.2",` + text + `}`))
		if err != nil || got.Partial != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// A byte order mark, as PowerShell 7 can write one, is no part of the text.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()

	if _, err := drift.Read(strings.NewReader("\ufeff" + `{"format_version":"1.0"}`)); err != nil {
		t.Error(err)
	}
}

// stateOf writes a state of so many servers, each with a value that is longer than all that is kept of it.
func stateOf(n int) io.Reader {
	r, w := io.Pipe()

	go func() {
		_, _ = io.WriteString(w, `{"format_version":"1.0","values":{"root_module":{"resources":[`)
		filler := strings.Repeat("SECRET", 2000)

		for i := range n {
			if i > 0 {
				_, _ = io.WriteString(w, ",")
			}

			_, _ = fmt.Fprintf(w, `{"address":"upcloud_server.web[%d]","mode":"managed","type":"upcloud_server","values":{"id":"%08d-0000-4000-8000-000000000000","title":"web","user_data":%q}}`, i, i, filler)
		}

		_, _ = io.WriteString(w, `]}}}`)
		_ = w.Close()
	}()

	return r
}

// Ten thousand resources of 12 kB each are read in far less memory than their 120 MB.
//
//nolint:paralleltest // It measures the memory of the process.
func TestLargeStates(t *testing.T) {
	got, err := drift.Read(stateOf(10_000))
	if err != nil {
		t.Fatal(err)
	}

	var m runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&m)

	if len(got.Resources) != 10_000 || m.HeapAlloc > 60<<20 {
		t.Errorf("%d resources in %d bytes", len(got.Resources), m.HeapAlloc)
	}

	runtime.KeepAlive(got)
}

func TestTypeOf(t *testing.T) {
	t.Parallel()

	for _, r := range inventory(t, "state.json").Resources {
		if got, ok := drift.TypeOf(r.Address); got != r.Type || !ok {
			t.Errorf("%s: got %q, %v", r.Address, got, ok)
		}
	}

	for address, want := range map[string]string{
		`module.a["x.y"].module.b[0].upcloud_server.web["]"]`: "upcloud_server", "upcloud_server.web": "upcloud_server",
		"data.upcloud_zone.here": "", "module.a": "", "web": "", "": "", "upcloud_server": "", "upcloud_server.": "",
		`upcloud_server.web["`: "", "module.a.data.upcloud_zone.here": "", "f07d32a6-81f4-4358-8892-ad3efef60bf5": "",
		"upcloud_server.web.id": "", "example.com": "",
	} {
		if got, ok := drift.TypeOf(address); ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %q, %v", address, got, ok)
		}
	}
}

// FuzzRead: whatever a file holds, it is refused in words, or read without a word of what is not kept.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"format_version":"1.2","complete":false,"resource_drift":[{"address":"a","mode":"managed","type":"b","change":` +
		`{"actions":["update"],"before":{"a":[1,{"b":"x"}]},"after":{"a":{"0":2}},"before_sensitive":{"a":[true]},"after_sensitive":{"a":true}}}]}`))
	f.Add([]byte(`{"version":4,"resources":[{"mode":"managed","type":"t_a","name":"n","instances":[{"index_key":1.5,"attributes":null}]}]}`))
	f.Add([]byte(`{"format_version":"1.0","values":{"root_module":{"child_modules":[{"resources":[{"address":"a","mode":"managed","type":"b"}]}]}}}`))

	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := drift.Read(bytes.NewReader(text))
		if input := (*drift.InputError)(nil); err != nil && !errors.As(err, &input) {
			t.Fatal(err)
		}

		if err == nil && got == nil || err != nil && got != nil {
			t.Fatalf("%v, %v", got, err)
		}
	})
}
