// SPDX-License-Identifier: MPL-2.0

package podstack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// TestCorpus: every file is read as its golden file says, or refused with the
// whole message below.
func TestCorpus(t *testing.T) {
	t.Parallel()

	mappings := map[string]map[string]string{
		"19-mapped.csv":         {"time": "Quand", "actor": "qui", "action": "Quoi", "scope_name": "Zone"},
		"64-mapping-misses.csv": {"message": "Details", "origin": "Source"},
	}

	refused := map[string]string{
		"30-ragged.csv": `The row has 6 cells and the header has 5: perhaps a delimiter is not in quotes.
File: 30-ragged.csv
Line: 4
Column: 16
Export again, and do not edit the file.`,
		"31-short-row.csv": `The row ends after 3 of 5 cells: it was cut off, or a line break is not in quotes.
File: 31-short-row.csv
Line: 2
Column: 38
Header: Action
Export again, and do not edit the file.`,
		"32-cut-off.csv": `The row ends after 2 of 5 cells: it was cut off, or a line break is not in quotes.
File: 32-cut-off.csv
Line: 3
Column: 21
Header: User
Export again, and do not edit the file.`,
		"33-cut-off-in-quotes.csv": `The file ends within quotes: it was cut off.
File: 33-cut-off-in-quotes.csv
Line: 4
Column: 5
Export again, and do not edit the file.`,
		"34-utf16.csv": `The file is UTF-16, not UTF-8.
File: 34-utf16.csv
Line: 1
Column: 1
Save it as CSV UTF-8, or click Export in the PodStack console again.`,
		"35-utf16-no-bom.csv": `The file is UTF-16, not UTF-8.
File: 35-utf16-no-bom.csv
Line: 1
Column: 1
Save it as CSV UTF-8, or click Export in the PodStack console again.`,
		"36-latin1.csv": `A byte is not UTF-8; the file is probably Latin-1 or Windows-1252.
File: 36-latin1.csv
Line: 3
Column: 54
Save it as CSV UTF-8, or export again.`,
		"37-nul.csv": `A byte is zero, which no text holds.
File: 37-nul.csv
Line: 2
Column: 46
Save it as CSV UTF-8, or export again.`,
		"38-pdf.csv": `The file is a PDF, not CSV.
File: 38-pdf.csv
Line: 1
Column: 1
Click Export in the PodStack console and name the CSV file it gives.`,
		"39-xlsx.csv": `The file is an Excel workbook or another ZIP archive, not CSV.
File: 39-xlsx.csv
Line: 1
Column: 1
Save it as CSV UTF-8, or click Export in the PodStack console again.`,
		"40-gzip.csv": `The file is compressed with gzip.
File: 40-gzip.csv
Line: 1
Column: 1
Unpack it first.`,
		"41-html.csv": `The file is a web page, not CSV: perhaps one that asks to log in.
File: 41-html.csv
Line: 1
Column: 1
Click Export in the PodStack console and name the CSV file it gives.`,
		"42-json.csv": `The file is JSON, not CSV.
File: 42-json.csv
Line: 1
Column: 1
Click Export in the PodStack console and name the CSV file it gives.`,
		"43-empty.csv": `The file is empty.
File: 43-empty.csv
Line: 1
Column: 1
Click Export in the PodStack console and name the CSV file it gives.`,
		"44-blank.csv": `The file is empty.
File: 44-blank.csv
Line: 1
Column: 1
Click Export in the PodStack console and name the CSV file it gives.`,
		"45-no-time-column.csv": `No header is known to mean time.
File: 45-no-time-column.csv
Line: 1
Headers: Occurrence | User | Action | Resource
Name the header: columns = { time = "Occurrence" }.`,
		"46-unknown-headers.csv": `No header is known to mean time or action.
File: 46-unknown-headers.csv
Line: 1
Headers: Quand | Qui | Quoi
Name the header: columns = { time = "Quand", action = "…" }.`,
		"47-no-headers.csv": `The first line holds an event instead of headers.
File: 47-no-headers.csv
Line: 1
Export again with headers, or write a line of headers above it.`,
		"48-two-candidates.csv": `Both "User" and "User Email" could be the column of actor.
File: 48-two-candidates.csv
Line: 1
Column: 16
Header: User Email
Headers: Timestamp | User | User Email | Action
Say which it is: columns = { actor = "User Email" }.`,
		"49-header-twice.csv": `The header "Note" stands twice.
File: 49-header-twice.csv
Line: 1
Column: 23
Header: Note
Headers: Timestamp | Action | Note | Note
Export again, or rename one of the two columns.`,
		"50-which-month.csv": `Whether the dates are day first or month first cannot be told, since no row has a day after the 12th.
File: 50-which-month.csv
Line: 3
Column: 1
Header: Timestamp
Export a longer span, or again with times such as 2026-01-31 15:04:05.`,
		"51-both-orders.csv": `The time is in another form than those above it, as when a spreadsheet has rewritten some.
File: 51-both-orders.csv
Line: 3
Column: 1
Header: Timestamp
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`,
		"52-mixed-forms.csv": `The time is in another form than those above it, as when a spreadsheet has rewritten some.
File: 52-mixed-forms.csv
Line: 3
Column: 1
Header: Timestamp
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`,
		"53-no-time-of-day.csv": `The cell is not a time in a known form.
File: 53-no-time-of-day.csv
Line: 2
Column: 1
Header: Timestamp
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`,
		"54-other-zone.csv": `The cell is not a time in a known form.
File: 54-other-zone.csv
Line: 2
Column: 1
Header: Timestamp
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`,
		"55-empty-time.csv": `The cell is empty, and every event has a time.
File: 55-empty-time.csv
Line: 4
Column: 1
Header: Timestamp
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`,
		"56-no-action.csv": `The cell is empty, and every event has an action.
File: 56-no-action.csv
Line: 2
Column: 38
Header: Action
Export again, and do not edit the file.`,
		"57-bare-quote.csv": `A quote stands in a cell that does not begin with one.
File: 57-bare-quote.csv
Line: 2
Column: 46
Export again, and do not edit the file.`,
		"58-after-quote.csv": `A quoted cell goes on after its closing quote.
File: 58-after-quote.csv
Line: 2
Column: 49
Export again, and do not edit the file.`,
		"59-cell-without-header.csv": `A cell stands in a column without a header.
File: 59-cell-without-header.csv
Line: 2
Column: 38
Export again, or give the column a header.`,
		"60-another-cloud.csv": `The file holds entries of another cloud that audit_log_export wrote.
File: 60-another-cloud.csv
Line: 2
Column: 32
Header: service
Name the exports of the PodStack console.`,
		"61-old-mac.csv": `The lines end as on an old Mac, with CR alone.
File: 61-old-mac.csv
Line: 1
Column: 39
Save the file with line ends of LF or CRLF, or export again.`,
		"62-same-id.csv": `The row has the id of line 2 of testdata/corpus/62-same-id.csv and says something else.
File: 62-same-id.csv
Line: 3
Header: ID
Export again; if the column does not identify events, say which does: columns = { id = "…" }.`,
		"63-old-excel.csv": `The file is an old Excel workbook, not CSV.
File: 63-old-excel.csv
Line: 1
Column: 1
Save it as CSV UTF-8, or click Export in the PodStack console again.`,
		"64-mapping-misses.csv": `No export has the column that the mapping says is origin.
File: 64-mapping-misses.csv
Line: 1
Headers: Timestamp | User | Action | Resource | Details
Give a header as it is spelled in the exports.`,
	}

	files, err := os.ReadDir("testdata/corpus")
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			t.Parallel()

			s := podstack.New(podstack.Options{
				Exports: []string{filepath.Join("testdata", "corpus", f.Name())},
				Columns: mappings[f.Name()], Clock: now,
			})

			entries, c, err := read(t.Context(), s, auditlog.Query{Window: always()})
			if err == nil {
				auditlogtest.Golden(t, strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))+".json", shown(t, entries))

				if c.Proof != auditlog.ProofExports || c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+int64(len(entries)) {
					t.Errorf("the statement is %+v", c)
				}

				return
			}

			if diff := cmp.Diff(refused[f.Name()], whole(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}

			if len(entries) != 0 || c.Proof != "" {
				t.Errorf("%d entries before the error", len(entries))
			}
		})
	}
}

// corpus returns the content of every file.
func corpus(tb testing.TB) []string {
	tb.Helper()

	names, err := filepath.Glob("testdata/corpus/*")
	if err != nil || len(names) == 0 {
		tb.Fatal(names, err)
	}

	texts := make([]string, 0, len(names))

	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}

		texts = append(texts, string(text))
	}

	return texts
}
