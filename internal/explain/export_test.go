// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

func TestLongCellsAreNamedInAWarning(t *testing.T) {
	t.Parallel()

	if d := LongCells("out.csv", format.Notes{CellsNeutralised: 3}); d != nil {
		t.Error(d)
	}

	d := LongCells("out.csv", format.Notes{CellsTooLong: 2, FirstTooLong: format.Cell{EntryID: "01H\x1b", Column: "raw"}})
	want := `A spreadsheet keeps 32767 characters of a cell, and the file has longer ones.

Path: out.csv
Cells: 2
First: entry "01H\x1b", column raw

The file itself is complete. Leave the column out with columns, or use NDJSON
or Parquet where every character counts.`

	if len(d) != 1 || !d[0].Warning ||
		strings.Join(strings.Fields(d[0].Detail()), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got %+v", d)
	}
}

// Where a part of an export is in place already, nobody is told that nothing was changed.
func TestHalfOfAnExportIsExplained(t *testing.T) {
	t.Parallel()

	cause := fmt.Errorf("%w: %w", durable.ErrInterrupted, fs.ErrPermission)
	err := &fs.PathError{Op: "commit", Path: "a.csv", Err: cause}

	const want = `The export stopped half-way; the next run finishes it: permission denied.

Path: a.csv

Apply again once the cause is removed.`

	if got := File(err, ExportLogs).Detail(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
