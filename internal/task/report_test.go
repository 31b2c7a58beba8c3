// SPDX-License-Identifier: MPL-2.0

package task

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// still is a log that does not change. It says which windows were read.
type still struct {
	auditlog.Service

	info    auditlog.Info
	entries []auditlog.Entry
	fails   error
	windows []auditlog.Window
}

func (s *still) Info() auditlog.Info { return s.info }

func (s *still) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	s.windows = append(s.windows, q.Window)

	return func(yield func(auditlog.Entry, error) bool) {
		done := auditlog.Completeness{Window: q.Window, Pages: 1, Retention: s.info.Retention}

		matcher, err := q.Matcher()
		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		for _, e := range s.entries {
			done.RowsFetched++

			if is, err := matcher.Match(&e); !is || err != nil {
				done.RowsFilteredOut++

				continue
			}

			if !yield(e, nil) {
				return
			}
		}

		if s.fails != nil {
			yield(auditlog.Entry{}, s.fails)

			return
		}

		done.Proof = auditlog.ProofTotal
		done.ClaimedTotal = &done.RowsFetched
		*c = done
	}
}

func (s *still) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

var reportNow = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// secretive is a log of two people, whose names are in texts as well.
func secretive() *still {
	info, _ := source.InfoOf(auditlog.ServiceUpCloud)
	s := &still{info: info}

	for i := range 30 {
		who := []string{"anna.keller", "ben.mueller"}[i%2]
		e := auditlog.Entry{
			ID: fmt.Sprintf("01%024d", i), Time: reportNow.Add(time.Duration(i-60) * time.Minute), Service: "upcloud",
			Action: "delete", Operation: auditlog.OperationDelete, ActorType: auditlog.ActorUser, Actor: who,
			ResourceType: "server", ResourceID: "notes-of-" + who, IPAddress: fmt.Sprintf("198.51.100.%d", i),
			Raw: json.RawMessage(`{"a":"` + who + `"}`),
		}
		s.entries = append(s.entries, e)
	}

	return s
}

func redaction(t *testing.T, rules map[string]string) Redaction {
	t.Helper()

	r, err := redact.New(rules, nil)
	if err != nil {
		t.Fatal(err)
	}

	return func() (*redact.Redactor, explain.Problems) { return r, nil }
}

func reportOf(path string, f format.Format, r Redaction, actors ...string) *Export {
	return &Export{
		Question: Question{
			Arguments: &query.Arguments{Last: "2h", Filters: query.Filters{Actors: actors}}, Now: reportNow,
		},
		Spec: export.Spec{
			Path: path, Format: f, Tool: "test/1", QueryAsWritten: export.QueryAsWritten{Last: "2h"},
		},
		Redact: r,
	}
}

// TestReportIsRedacted looks for what was to be taken out in all of a page and its manifest, and counts readings.
func TestReportIsRedacted(t *testing.T) {
	t.Parallel()

	s := secretive()
	path := filepath.Join(t.TempDir(), "page.html")
	x := reportOf(path, format.HTML, redaction(t, map[string]string{"actor": redact.Mask, "ip_address": redact.Mask}),
		"anna.keller")

	written, found := x.Run(t.Context(), s)
	if written == nil || found.HasError() || written.EntryCount != 15 {
		t.Fatalf("%+v %v", written, found)
	}

	page := readFiles(t, path)
	for _, secret := range []string{"anna", "keller", "ben.", "mueller", "198.51.100.2"} {
		if strings.Contains(page, secret) {
			t.Errorf("%s is there", secret)
		}
	}

	for _, want := range []string{
		"15 deletions", "198.51.100.0/24", "ip_address: masked", "the actor&#39;s name or id is <code>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not there", want)
		}
	}

	// Once, and the time before for addresses that are known.
	if len(s.windows) != 2 || !s.windows[0].End.Equal(s.windows[1].Start) {
		t.Errorf("read %v", s.windows)
	}

	if report, err := export.Verify(path); err != nil || !report.Valid {
		t.Errorf("%v %v", report, err)
	}
}

func readFiles(t *testing.T, path string) string {
	t.Helper()

	var all []byte

	for _, suffix := range []string{"", export.ManifestSuffix, export.ChecksumSuffix} {
		text, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}

		all = append(all, text...)
	}

	return string(all)
}

// TestReportOfExport makes one of a redacted export in each form that can be read back, and says the same in it.
func TestReportOfExport(t *testing.T) {
	t.Parallel()

	for _, f := range []format.Format{format.NDJSON, format.Parquet} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			data, path := filepath.Join(dir, "data"), filepath.Join(dir, "page.html")

			x := reportOf(data, f, redaction(t, map[string]string{"actor": redact.Mask}))
			if written, found := x.Run(t.Context(), secretive()); written == nil {
				t.Fatal(found)
			}

			later := reportNow.Add(24 * time.Hour)
			spec := export.Spec{Path: path, Tool: "test/2"}
			o := ReportOf{Path: data + export.ManifestSuffix, InfoOf: source.InfoOf, Spec: spec, Now: later}

			written, found := o.Run(t.Context())
			if written == nil {
				t.Fatal(found)
			}

			d, err := export.Describe(path)
			if err != nil || d.EntryCount != 30 || d.Rules["actor"] != redact.Mask || !d.Statement.Conclusive {
				t.Errorf("%v %+v", err, d)
			}

			page := readFiles(t, path)
			for _, want := range []string{
				"30 deletions", "actor: masked", "the export data, whose SHA-256 is", "Read</dt><dd>on 2026-03-10 12:00:00 UTC",
				"as the manifest of the export says", "test/2, on 2026-03-11 12:00:00 UTC",
			} {
				if !strings.Contains(page, want) {
					t.Errorf("%s is not there", want)
				}
			}

			again := filepath.Join(dir, "again", "page.html")
			o.Spec.Path = again

			if written, found := o.Run(t.Context()); written == nil {
				t.Fatal(found)
			}

			if readFiles(t, again) != page {
				t.Error("the same export gave another page")
			}
		})
	}
}

// TestReportOfMaskedQuery: what a masked query left out is not known, so no rule finds nothing.
func TestReportOfMaskedQuery(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	data, path := filepath.Join(dir, "data"), filepath.Join(dir, "page.html")

	x := reportOf(data, format.NDJSON, redaction(t, map[string]string{"actor": redact.Mask}), "anna.keller@example.com")
	if written, found := x.Run(t.Context(), secretive()); written == nil {
		t.Fatal(found)
	}

	o := ReportOf{Path: data, InfoOf: source.InfoOf, Spec: export.Spec{Path: path, Tool: "test/2"}, Now: reportNow}
	if written, found := o.Run(t.Context()); written == nil {
		t.Fatal(found)
	}

	page := readFiles(t, path)
	if n := strings.Count(page, "The export&#39;s query is redacted, so what it left out is not known."); n != 6 ||
		strings.Contains(page, "0 findings</td>") {
		t.Errorf("%d rules are not evaluated", n)
	}
}

// TestNoReport leaves nothing where a report cannot be made.
func TestNoReport(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	s := secretive()
	s.fails = errors.New("it is broken")

	path := filepath.Join(dir, "page.html")
	if written, found := reportOf(path, format.HTML, redaction(t, nil)).Run(t.Context(), s); written != nil ||
		!found.HasError() {
		t.Error("a log that cannot be read has a report")
	}

	damaged := filepath.Join(dir, "kept", "data")
	x := reportOf(damaged, format.NDJSON, redaction(t, nil))
	if written, found := x.Run(t.Context(), secretive()); written == nil {
		t.Fatal(found)
	}

	whole, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}

	for name, text := range map[string][]byte{
		"cut":     whole[:len(whole)-1],
		"shorter": whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1],
		"longer":  slices.Concat(whole, whole[:bytes.IndexByte(whole, '\n')+1]),
		"changed": bytes.Replace(whole, []byte("delete"), []byte("create"), 1),
	} {
		if err := os.WriteFile(damaged, text, 0o600); err != nil {
			t.Fatal(err)
		}

		o := ReportOf{Path: damaged, InfoOf: source.InfoOf, Spec: export.Spec{Path: path, Tool: "test/2"}, Now: reportNow}
		if written, found := o.Run(t.Context()); written != nil || !found.HasError() {
			t.Errorf("an export that is %s has a report", name)
		}
	}

	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestWhichExportsCanBeReadBack refuses the others in words.
func TestWhichExportsCanBeReadBack(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		change func(*Export)
		want   string
	}{
		"csv":  {func(x *Export) { x.Spec.Format = format.CSV }, "data is csv"},
		"json": {func(x *Export) { x.Spec.Format = format.JSON }, "data is json"},
		"html": {func(x *Export) { x.Spec.Format = format.HTML }, "data is html"},
		"ocsf": {func(x *Export) { x.Spec.Shape = format.ShapeOCSF }, "in the shape of entries"},
		"columns": {
			func(x *Export) { x.Spec.Columns = []string{"id", "time", "actor"} }, "lacks fields that every entry has",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			data := filepath.Join(t.TempDir(), "data")
			x := reportOf(data, format.NDJSON, redaction(t, nil))
			tt.change(x)

			if written, found := x.Run(t.Context(), secretive()); written == nil {
				t.Fatal(found)
			}

			o := ReportOf{Path: data, InfoOf: source.InfoOf, Spec: export.Spec{Path: data + ".html"}, Now: reportNow}

			_, found := o.Run(t.Context())
			if len(found) != 1 || !strings.Contains(found[0].Detail(), tt.want) {
				t.Errorf("got %v", found)
			}
		})
	}
}
