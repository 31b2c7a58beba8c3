// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

const monthDir = "testdata/month/"

// months are those that are checked in.
func months() []*month {
	return []*month{
		makeMonth(auditlog.ServiceUpCloud, 1, 3000), makeMonth(auditlog.ServiceCloudscale, 2, 3000),
		makeMonth(auditlog.ServicePodStack, 3, 2000),
	}
}

// TestMonthIsWhatIsCheckedIn keeps the files and what makes them together;
// UPDATE_GOLDEN=1 writes them anew.
func TestMonthIsWhatIsCheckedIn(t *testing.T) {
	t.Parallel()

	labels := map[string]label{}
	files := map[string][]byte{}

	for _, m := range months() {
		labels[m.service] = m.label

		for i, h := range m.events {
			line, err := m.record(h, i)
			if err != nil {
				t.Fatal(err)
			}

			name := m.service + ".ndjson.gz"
			files[name] = append(append(files[name], line...), '\n')
		}
	}

	text, err := json.MarshalIndent(labels, "", "  ")
	if err != nil {
		t.Fatal(err)
	}

	files["incidents.json"] = append(text, '\n')

	for name, want := range files {
		if os.Getenv("UPDATE_GOLDEN") != "" {
			write(t, name, want)
		}

		if got := read(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator makes; rewrite it with UPDATE_GOLDEN=1", name)
		}
	}
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()

	var b bytes.Buffer

	if name == "incidents.json" {
		b.Write(text)
	} else {
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}

		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}

		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}

	if err := os.WriteFile(monthDir+name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()

	text, err := os.ReadFile(monthDir + name)
	if err != nil {
		tb.Fatal(err)
	}

	if name == "incidents.json" {
		return text
	}

	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}

	text, err = io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}

	return text
}

func labels(t *testing.T) map[string]label {
	t.Helper()

	var all map[string]label
	if err := json.Unmarshal(read(t, "incidents.json"), &all); err != nil {
		t.Fatal(err)
	}

	return all
}

// load returns a fake that serves a cloud's month.
func load(t *testing.T, service string, o fakeapi.Options) *fakeapi.Server {
	t.Helper()

	o.NoExamples = true

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	if err := fake.Load(bytes.NewReader(read(t, service+".ndjson.gz"))); err != nil {
		t.Fatal(err)
	}

	return fake
}

// TestMonth reads the labelled month through the services, whatever the sizes of
// pages, and finds what is planted and nothing else.
func TestMonth(t *testing.T) {
	t.Parallel()

	for _, size := range []int{100, 200, 77} {
		for _, order := range []fakeapi.Order{fakeapi.NewestFirst, fakeapi.OldestFirst} {
			t.Run(fmt.Sprint("upcloud by ", size, order), func(t *testing.T) {
				t.Parallel()

				fake := load(t, auditlog.ServiceUpCloud, fakeapi.Options{UpCloudMaxLimit: size, UpCloudOrder: order})
				checkMonth(t, auditlog.ServiceUpCloud, upcloud.New(servicetest.Client(t, fake.UpCloud()), fakeapi.DefaultNow, 0))
			})
		}

		t.Run(fmt.Sprint("cloudscale by ", size), func(t *testing.T) {
			t.Parallel()

			fake := load(t, auditlog.ServiceCloudscale, fakeapi.Options{CloudscalePageSize: size})
			checkMonth(t, auditlog.ServiceCloudscale,
				cloudscale.New(servicetest.Client(t, fake.Cloudscale()), fakeapi.DefaultNow, 0))
		})
	}

	t.Run("podstack", func(t *testing.T) {
		t.Parallel()

		checkMonth(t, auditlog.ServicePodStack, podstack.New(podstack.Options{
			Exports: []string{filepath.Join(podstackExports(t), "*.csv")}, Clock: fakeapi.DefaultNow,
		}))
	})
}

// podstackExports writes the month as the console would: two exports that
// overlap, the newest entries first.
func podstackExports(t *testing.T) string {
	t.Helper()

	var rows [][]string

	for line := range bytes.Lines(read(t, auditlog.ServicePodStack+".ndjson.gz")) {
		var e map[string]string
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}

		rows = append(rows, []string{
			e["time"], e["actor"], e["action"], e["resource_type"], e["resource_name"],
			e["ip_address"],
		})
	}

	dir := t.TempDir()

	for name, part := range map[string][][]string{"a.csv": rows[:len(rows)*2/3], "b.csv": rows[len(rows)/3:]} {
		var b bytes.Buffer

		w := csv.NewWriter(&b)
		newestFirst := slices.Clone(part)
		slices.Reverse(newestFirst)

		if err := w.Write([]string{
			"Timestamp", "User", "Action", "Resource Type", "Resource Name",
			"IP Address",
		}); err != nil {
			t.Fatal(err)
		}

		if err := w.WriteAll(newestFirst); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return dir
}

func checkMonth(t *testing.T, service string, s auditlog.Service) {
	t.Helper()

	want := labels(t)[service]

	r := evaluate(t, s, auditlog.Query{Window: may},
		finding.Options{Builtins: finding.BuiltinNames(), Expected: want.Expected})

	var got []incident

	for _, f := range r.Findings {
		i := incident{f.Rule, map[string]string{}, f.Count, auditlog.FormatTime(f.FirstTime), auditlog.FormatTime(f.LastTime)}
		for _, g := range f.Group {
			i.Group[g.Field] = g.Value
		}

		got = append(got, i)

		if int64(len(f.EntryIDs)) != min(f.Count, finding.MaxEntryIDs) {
			t.Errorf("%s names %d of %d entries", f.Rule, len(f.EntryIDs), f.Count)
		}
	}

	slices.SortFunc(got, func(a, b incident) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.First, b.First),
			cmp.Compare(a.Group["actor"], b.Group["actor"]), cmp.Compare(a.Group["ip_address"], b.Group["ip_address"]))
	})

	if diff := gocmp.Diff(want.Incidents, got); diff != "" {
		t.Error(diff)
	}

	if diff := gocmp.Diff(want.ExpectedCounts, r.ExpectedCounts); diff != "" {
		t.Error(diff)
	}

	var impossible []string
	for _, n := range r.NotEvaluable {
		impossible = append(impossible, n.Rule)
	}

	if diff := gocmp.Diff(want.NotEvaluable, impossible); diff != "" {
		t.Error(diff)
	}
}
