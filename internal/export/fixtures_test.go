// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

func all(entries []auditlog.Entry) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// complete is a statement that accounts for n entries.
func complete(n int) *auditlog.Completeness {
	total := int64(n + 2)

	return &auditlog.Completeness{
		Window:            auditlog.Window{Start: auditlogtest.At.Add(-24 * time.Hour), End: auditlogtest.At.Add(time.Hour)},
		Pages:             3,
		RowsFetched:       int64(n + 3),
		DuplicatesDropped: 1,
		RowsFilteredOut:   2,
		ClaimedTotal:      &total,
		Proof:             auditlog.ProofTotal,
		SecondPass:        true,
		Retention:         180 * 24 * time.Hour,
		BeyondRetention:   true,
		Resume:            &auditlog.Position{Link: "https://api.example.com/next?cursor=personal"},
	}
}

func spec(path string, f format.Format) export.Spec {
	return export.Spec{
		Options:         durable.Options{FilePermission: 0o640},
		Path:            path,
		Format:          f,
		SpreadsheetSafe: true,
		Tool:            "terraform-provider-audit/0.1.0",
		Query: auditlog.Query{
			Window:      auditlog.Window{Start: auditlogtest.At.Add(-24 * time.Hour), End: auditlogtest.At.Add(time.Hour)},
			Operations:  []auditlog.Operation{auditlog.OperationRead, auditlog.OperationUpdate},
			IPAddresses: []string{"2001:db8::/32"},
			Actors:      []string{},
			Search:      "<web> & \"co\"",
		},
		QueryAsWritten: export.QueryAsWritten{Start: "2026-03-13T10:26:53+01:00", SettleDelay: "1m"},
		Info:           auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud"},
		ExportedAt:     auditlogtest.At.Add(2*time.Hour + 999*time.Nanosecond),
		AllowShrink:    true, // Tests replace exports by shorter ones, all of one window.
	}
}

// files returns the content of every file in the directory, by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}

	found := map[string]string{}

	for _, e := range entries {
		if e.IsDir() {
			found[e.Name()] = "directory"

			continue
		}

		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}

		found[e.Name()] = string(text)
	}

	return found
}

func mustWrite(t *testing.T, s export.Spec, entries []auditlog.Entry) export.Result {
	t.Helper()

	r, err := export.Write(t.Context(), s, all(entries), complete(len(entries)))
	if err != nil {
		t.Fatal(err)
	}

	return r
}

func put(t *testing.T, path, text string) {
	t.Helper()

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fieldNames are all columns.
func fieldNames() []string {
	names, err := format.Columns(format.ShapeEntry, nil)
	if err != nil {
		panic(err)
	}

	return names
}
