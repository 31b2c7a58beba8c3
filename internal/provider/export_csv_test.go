// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// However a CSV file is laid out, parse_csv reads back what was written.
func TestParseCSVReadsEveryLayout(t *testing.T) {
	t.Parallel()

	var list []auditlog.Entry

	for i := range 5 {
		list = append(list, auditlog.Entry{
			ID: fmt.Sprint("id-", i), Time: time.Date(2026, 6, 1, 0, i, 0, 0, time.UTC), Service: auditlog.ServiceUpCloud, Action: "create",
			Operation: auditlog.OperationCreate, ActorType: auditlog.ActorUser, Actor: "a,b;c\td|e", ResourceName: "x; y, z",
			Message: "say \"hi\",\nthen; go",
			Changes: []auditlog.Change{{Field: "labels", Before: new(`"a;b"`), After: new(`"c,d"`)}},
		})
	}

	for _, delimiter := range format.CSVDelimiters() {
		for _, bom := range []bool{false, true} {
			for _, safe := range []bool{false, true} {
				var b bytes.Buffer

				encoder, err := format.NewEncoder(&b, format.CSV, nil, format.EncoderOptions{
					SpreadsheetSafe: safe, CSV: format.CSVOptions{Delimiter: delimiter, BOM: bom},
				})
				if err != nil {
					t.Fatal(err)
				}

				for i := range list {
					if err := encoder.Encode(&list[i]); err != nil {
						t.Fatal(err)
					}
				}

				got, err := podstack.Parse(t.Context(), b.String(), nil)
				if err != nil || len(got) != len(list) {
					t.Fatalf("%q, %t: %d entries, %v", delimiter, bom, len(got), err)
				}

				for i := range got {
					if g, w := got[i], list[i]; g.ID != w.ID || !g.Time.Equal(w.Time) || g.Actor != w.Actor ||
						g.ResourceName != w.ResourceName || g.Message != w.Message ||
						len(g.Changes) != 1 || *g.Changes[0].Before != *w.Changes[0].Before ||
						*g.Changes[0].After != *w.Changes[0].After {
						t.Fatalf("%q, %t: got %+v, want %+v", delimiter, bom, g, w)
					}
				}
			}
		}
	}
}

// Equal layouts are the same export, however they are written.
func TestCSVLayoutsAreCompared(t *testing.T) {
	t.Parallel()

	layout := func(delimiter types.String, bom types.Bool) types.Object {
		return types.ObjectValueMust(csvTypes(), map[string]attr.Value{csvDelimiter: delimiter, csvBOM: bom})
	}

	same := []types.Object{
		types.ObjectNull(csvTypes()), layout(types.StringNull(), types.BoolNull()),
		layout(types.StringValue(","), types.BoolNull()),
		layout(types.StringNull(), types.BoolValue(false)), layout(types.StringValue(","), types.BoolValue(false)),
	}
	other := []types.Object{
		layout(types.StringValue(";"), types.BoolNull()), layout(types.StringNull(), types.BoolValue(true)),
		layout(types.StringUnknown(), types.BoolNull()), layout(types.StringNull(), types.BoolUnknown()),
		types.ObjectUnknown(csvTypes()),
	}

	for i, a := range same {
		for _, b := range same {
			if x, y := (&exportModel{CSV: a}), (&exportModel{CSV: b}); !x.csvMeant().Equal(y.csvMeant()) {
				t.Errorf("%s and %s differ", a, b)
			}
		}

		for _, b := range other {
			if x, y := (&exportModel{CSV: a}), (&exportModel{CSV: b}); x.csvMeant().Equal(y.csvMeant()) {
				t.Errorf("%d: %s and %s are the same", i, a, b)
			}
		}
	}
}
