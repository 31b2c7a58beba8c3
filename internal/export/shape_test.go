// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

func TestOCSFFormatsSayTheSame(t *testing.T) {
	t.Parallel()

	tool := export.OCSFProduct{Name: "tool", Version: "1"}
	entries := []auditlog.Entry{
		{ID: "1", Time: time.Unix(1, 0), Service: "upcloud", Action: "delete", Operation: "delete", ActorType: "user", Actor: "jane", ResourceType: "server", IPAddress: "192.0.2.1", Raw: []byte(`{"a":1}`)},
		{ID: "2", Time: time.Unix(2, 0), Service: "cloudscale", Action: "server_create", Operation: "create", ActorType: "staff", Message: "Server 'x' has been created"},
	}

	write := func(format export.Format) []byte {
		t.Helper()

		var b bytes.Buffer

		e, err := export.NewEncoder(&b, format, nil, export.EncoderOptions{Shape: export.ShapeOCSF, Product: tool, Compression: export.CompressionNone})
		if err != nil {
			t.Fatal(err)
		}

		for i := range entries {
			if err := e.Encode(&entries[i]); err != nil {
				t.Fatal(err)
			}
		}

		if err := e.Close(); err != nil {
			t.Fatal(err)
		}

		return b.Bytes()
	}

	var want []byte

	for i := range entries {
		line, err := export.OCSF(&entries[i], tool)
		if err != nil {
			t.Fatal(err)
		}

		want = append(append(want, line...), '\n')
	}

	if diff := cmp.Diff(string(want), string(write(export.FormatNDJSON))); diff != "" {
		t.Error(diff)
	}

	data := write(export.FormatParquet)

	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}

	if file.NumRows() != int64(len(entries)) {
		t.Errorf("%d rows", file.NumRows())
	}

	rows := make([]parquet.Row, len(entries))
	if n, _ := file.RowGroups()[0].Rows().ReadRows(rows); n != len(entries) {
		t.Fatalf("read %d rows", n)
	}

	for i := range entries {
		values, err := export.OCSFValues(&entries[i], tool)
		if err != nil {
			t.Fatal(err)
		}

		for j, column := range export.OCSFColumns() {
			got := rows[i][j]
			if name := file.Schema().Columns()[j][0]; name != column.Name {
				t.Errorf("column %d is %s, want %s", j, name, column.Name)
			}

			switch v := values[j].(type) {
			case int64:
				if got.Int64() != v {
					t.Errorf("%s is %v, want %d", column.Name, got, v)
				}
			case string:
				if got.String() != v {
					t.Errorf("%s is %v, want %s", column.Name, got, v)
				}
			default:
				if !got.IsNull() {
					t.Errorf("%s is %v, want null", column.Name, got)
				}
			}
		}
	}
}

func TestCheckShape(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		shape   export.Shape
		format  export.Format
		columns bool
		want    error
	}{
		{export.ShapeEntry, export.FormatCSV, true, nil},
		{"", export.FormatCSV, true, nil},
		{export.ShapeOCSF, export.FormatNDJSON, false, nil},
		{export.ShapeOCSF, export.FormatParquet, false, nil},
		{export.ShapeOCSF, export.FormatCSV, false, export.ErrShapeFormat},
		{export.ShapeOCSF, export.FormatJSON, false, export.ErrShapeFormat},
		{export.ShapeOCSF, export.FormatNDJSON, true, export.ErrShapeColumns},
	} {
		if err := export.CheckShape(tt.shape, tt.format, tt.columns); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
