// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

func TestLongCellsAreNamedInAWarning(t *testing.T) {
	t.Parallel()

	if d := LongCells("out.csv", export.Notes{CellsNeutralised: 3}); d != nil {
		t.Error(d)
	}

	d := LongCells("out.csv", export.Notes{CellsTooLong: 2, FirstTooLong: export.Cell{EntryID: "01H\x1b", Column: "raw"}})
	want := `A spreadsheet keeps 32767 characters of a cell, and the file has longer ones.

Path: out.csv
Cells: 2
First: entry "01H\x1b", column raw

The file itself is complete. Leave the column out with columns, or use NDJSON
or Parquet where every character counts.`

	if len(d) != 1 || !d[0].Warning || strings.Join(strings.Fields(d[0].Detail()), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got %+v", d)
	}
}
