// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// exportStart is how much of an export is looked at.
const exportStart = 64 << 10

// exportStarts asks for the beginning of the export.
func (x *upcloudExam) exportStarts(ctx context.Context, format string, decode client.Decode) (client.Examined, error) {
	return x.examiner.ask(ctx, func(ctx context.Context) (client.Examined, error) {
		return x.client.ExamineStart(ctx, upcloud.ExportPath, url.Values{"format": {format}}, exportStart, decode)
	})
}

const withoutExport = "Nothing needs to be done: readings use the list instead."

func (x *upcloudExam) exportJSON(ctx context.Context) Check {
	const name = "export_json"

	var (
		first   byte
		entries []auditlog.Entry
	)

	_, err := x.exportStarts(ctx, "json", func(body []byte, _ func(string) string) error {
		first = bytes.TrimSpace(body)[0] // An empty answer has been refused.
		entries = firstEntries(body)

		return nil
	})

	switch {
	case err != nil:
		c := x.failed(name, err)
		if c.Verdict == Problem {
			c.Verdict, c.Next = Note, withoutExport
		}

		return c
	case first != '[':
		return Check{
			Name: name, Verdict: Note, Value: "no array", Finding: "The export is JSON, and no list of events.",
			Next: withoutExport,
		}
	case len(entries) == 0:
		return unknown(name, "array, no event", "The export is a list, and its beginning shows no event.")
	}

	return Check{
		Name: name, Verdict: OK, Value: "array, " + string(orderOf(entries, 0)),
		Finding: "The export can be read; its order is: " + string(orderOf(entries, 0)) + ".",
	}
}

// firstEntries returns the events at the beginning of an export. What cannot be read ends
// it: the beginning breaks off somewhere.
func firstEntries(body []byte) []auditlog.Entry {
	const most = 50

	var entries []auditlog.Entry

	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return nil
	}

	for len(entries) < most {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			break
		}

		one, err := upcloud.DecodeList(slices.Concat([]byte(`{"audit_logs":[`), raw, []byte(`]}`)))
		if err != nil {
			break
		}

		entries = append(entries, one...)
	}

	return entries
}

func (x *upcloudExam) exportCSV(ctx context.Context) Check {
	const name = "export_csv"

	var header []string

	seen, err := x.exportStarts(ctx, "csv", func(body []byte, _ func(string) string) error {
		header, _ = csv.NewReader(bytes.NewReader(body)).Read() // What cannot be read is no header.

		return nil
	})

	media, _, _ := mime.ParseMediaType(seen.ContentType) // "" says enough.

	switch {
	case err != nil:
		c := x.failed(name, err)
		if c.Verdict == Problem {
			c.Verdict, c.Next = Note, "Nothing needs to be done: readings do not use the CSV export."
		}

		return c
	case len(header) == 0:
		return unknown(name, "no CSV", "The export as CSV has no row that can be read.")
	case !isHeader(header):
		return Check{
			Name: name, Verdict: Note, Value: fmt.Sprintf("no header, %s", count(len(header), "column")),
			Finding: fmt.Sprintf("The export as CSV has %s and no header that is known.", count(len(header), "column")),
			Next:    "Look at its first line yourself, and report what the columns are: it is not shown here, since it may hold personal data.",
		}
	}

	if !strings.HasPrefix(media, "text/") && media != "application/csv" {
		media = "another type"
	}

	return Check{
		Name: name, Verdict: OK, Value: names(header) + " (" + media + ")",
		Finding: fmt.Sprintf("The export as CSV has a header of %s.", count(len(header), "column")),
	}
}

// documentedColumns are fields of events, squeezed; see design/api-facts.md §1.5.
var documentedColumns = []string{
	"time", "authtype", "cloudeventid", "upcloudcorrelationid", "resourcetype", "resourcesubtype", "action", "origin",
	"accountusername", "ipaddress", "resourceid", "currentstate", "previousstate",
}

// isHeader says that a row is made of names of columns. A row of an event must never be
// taken for one, since it holds personal data: so some names have to be known ones that no
// event has as values, and no cell may look like a value.
func isHeader(row []string) bool {
	known := 0

	for _, cell := range row {
		squeezed := strings.ToLower(strings.NewReplacer("_", "", " ", "", "-", "", "\ufeff", "").Replace(cell))
		if slices.Contains(documentedColumns, squeezed) {
			known++
		}
	}

	return known >= 3 && 2*known >= len(row)
}
