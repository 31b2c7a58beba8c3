// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
)

func TestOCSFFormatsSayTheSame(t *testing.T) {
	t.Parallel()

	tool := ocsf.Product{Name: "tool", Version: "1"}
	entries := []auditlog.Entry{
		{
			ID: "1", Time: time.Unix(1, 0), Service: "upcloud", Action: "delete", Operation: "delete", ActorType: "user",
			Actor: "jane", ResourceType: "server", IPAddress: "192.0.2.1", Raw: []byte(`{"a":1}`),
		},
		{
			ID: "2", Time: time.Unix(2, 0), Service: "cloudscale", Action: "server_create", Operation: "create",
			ActorType: "staff", Message: "Server 'x' has been created",
		},
	}

	write := func(f format.Format) []byte {
		t.Helper()

		var b bytes.Buffer

		e, err := format.NewEncoder(&b, f, nil,
			format.EncoderOptions{Shape: format.ShapeOCSF, Product: tool, Compression: format.Uncompressed})
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
		line, err := ocsf.Event(&entries[i], tool)
		if err != nil {
			t.Fatal(err)
		}

		want = append(append(want, line...), '\n')
	}

	if diff := cmp.Diff(string(want), string(write(format.NDJSON))); diff != "" {
		t.Error(diff)
	}

	data := write(format.Parquet)

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
		values, err := ocsf.Values(&entries[i], tool)
		if err != nil {
			t.Fatal(err)
		}

		for j, column := range ocsf.Columns() {
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
		shape   format.Shape
		format  format.Format
		columns bool
		want    error
	}{
		{format.ShapeEntry, format.CSV, true, nil},
		{"", format.CSV, true, nil},
		{format.ShapeOCSF, format.NDJSON, false, nil},
		{format.ShapeOCSF, format.Parquet, false, nil},
		{format.ShapeOCSF, format.CSV, false, format.ErrShapeFormat},
		{format.ShapeOCSF, format.JSON, false, format.ErrShapeFormat},
		{format.ShapeOCSF, format.NDJSON, true, format.ErrShapeColumns},
	} {
		if err := format.CheckShape(tt.shape, tt.format, tt.columns); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v", tt, err)
		}
	}
}
