// SPDX-License-Identifier: MPL-2.0

package format_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// csvCell returns the bytes of a cell that stands between two others.
func csvCell(t require, o format.EncoderOptions, value string) (string, format.Notes) {
	e := auditlogtest.Entry("x", func(e *auditlog.Entry) { e.Actor = value })

	var b strings.Builder

	enc, err := format.NewEncoder(&b, format.CSV, []string{"id", "actor", "action"}, o)
	if err != nil {
		t.Fatalf("%v", err)
	}

	if err := enc.Encode(&e); err != nil {
		t.Fatalf("%v", err)
	}

	if err := enc.Close(); err != nil {
		t.Fatalf("%v", err)
	}

	d := o.CSV.Delimiter
	if d == "" {
		d = ","
	}

	_, record, _ := strings.Cut(b.String(), "\r\n")

	cell, ok := strings.CutPrefix(record, "x"+d)
	if !ok {
		t.Fatalf("no cell in %q", record)
	}

	cell, ok = strings.CutSuffix(cell, d+"server_read\r\n")
	if !ok {
		t.Fatalf("no cell in %q", record)
	}

	return cell, enc.Notes()
}

// A formula needs no place of its own: whatever divides a file for some spreadsheet
// begins a cell, and what a spreadsheet drops at the start of one is no protection.
func TestCSVNeutralisesFormulasWhereverACellMayBegin(t *testing.T) {
	t.Parallel()

	for value, want := range map[string]string{
		"=1+1": `"'=1+1"`, "+1": `"'+1"`, "-1": `"'-1"`, "@SUM(A1)": `"'@SUM(A1)"`, "-": `"'-"`,
		"x;=1+1": `"x;'=1+1"`, "x;y;-1;@z": `"x;y;'-1;'@z"`, "x|+1": `"x|'+1"`,
		"x\t=1": "\"x\t'=1\"", "x\n=1": "\"x\n'=1\"", "x\r=1": "\"x\r'=1\"", "x\r\n=1": "\"x\r\n'=1\"",
		"\n=1": "\"'\n'=1\"", "\r\n=1": "\"'\r\n'=1\"", "\t=1": "\"'\t'=1\"", "\n\n\n=1": "\"'\n\n\n'=1\"", "\nx": "\"'\nx\"",
		"\tx": "\"'\tx\"", "\rx": "\"'\rx\"",
		"＝1+1": `"'＝1+1"`, "＋1": `"'＋1"`, "－1": `"'－1"`, "＠x": `"'＠x"`, "x;＝1": `"x;'＝1"`, "﹦1": `"'﹦1"`, "−1": `"'−1"`,
		" =1": `" '=1"`, "\u00a0=1": "\"\u00a0'=1\"", "\u200b=1": "\"\u200b'=1\"", "\ufeff=1": "\"\ufeff'=1\"",
		"\x01=1": "\"\x01'=1\"", "x; \t =1": "\"x; \t '=1\"",
		`"=1"`: `"""'=1"""`, `x;"=1";y`: `"x;""'=1"";y"`, ";=1": `";'=1"`, ";;=1;": `";;'=1;"`,

		// Nothing begins here.
		"1=1": "1=1", "a-b": "a-b", "x@example.com": "x@example.com", "'=1": "'=1", "a, -b": `"a, -b"`, "a =b": "a =b",
		"x;y":                 `"x;y"`,
		`{"a":-1,"b":[1,-2]}`: `"{""a"":-1,""b"":[1,-2]}"`, "": "", "\x00=1": "\ufffd=1",
	} {
		got, notes := csvCell(t, format.EncoderOptions{SpreadsheetSafe: true}, value)
		if got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}

		wantCount := int64(strings.Count(want, "'") - strings.Count(value, "'"))
		if notes.CellsNeutralised != min(wantCount, 1) {
			t.Errorf("%q: %d cells were counted", value, notes.CellsNeutralised)
		}

		// Who asks for exact cells gets them, in quotes where needed.
		if exact, notes := csvCell(t, format.EncoderOptions{}, value); notes.CellsNeutralised != 0 ||
			unquoted(exact) != strings.ReplaceAll(value, "\x00", "\ufffd") {
			t.Errorf("%q: got %q, %+v", value, exact, notes)
		}
	}

	// Where a file is not divided by commas, they may divide it for somebody else.
	for _, d := range []string{";", "\t"} {
		got, notes := csvCell(t, format.EncoderOptions{SpreadsheetSafe: true, CSV: format.CSVOptions{Delimiter: d}}, "x,=1+1")
		if got != `"x,'=1+1"` || notes.CellsNeutralised != 1 {
			t.Errorf("%q: got %q, %+v", d, got, notes)
		}
	}
}

func unquoted(cell string) string {
	inner, ok := strings.CutPrefix(cell, `"`)
	if !ok {
		return cell
	}

	return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
}

// Whatever character a spreadsheet divides the file by, no cell that it finds begins
// with a formula.
func TestCSVHoldsNoFormulaForAnyReader(t *testing.T) {
	t.Parallel()

	pieces := rapid.SampledFrom([]string{
		"=", "+", "-", "@", "＝", "\t", "\r", "\n", "\r\n", `"`, ",", ";", "|", "'", " ",
		"\u00a0", "\x01", "a", "1",
	})

	rapid.Check(t, func(t *rapid.T) {
		value := strings.Join(rapid.SliceOfN(pieces, 0, 10).Draw(t, "pieces"), "")
		d := rapid.SampledFrom(format.CSVDelimiters()).Draw(t, "delimiter")

		cell, _ := csvCell(t, format.EncoderOptions{SpreadsheetSafe: true, CSV: format.CSVOptions{Delimiter: d}}, value)

		for _, other := range append(format.CSVDelimiters(), "|") {
			text := cell
			if other == d {
				text = unquoted(cell) // A reader that divides as the file is divided reads it right.
			}

			for _, part := range strings.FieldsFunc(text,
				func(r rune) bool { return r == '\r' || r == '\n' || strings.ContainsRune(other, r) && other != d }) {
				bare := strings.TrimLeftFunc(part,
					func(r rune) bool { return r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) })
				if strings.HasPrefix(bare, "=") || strings.HasPrefix(bare, "+") || strings.HasPrefix(bare, "-") ||
					strings.HasPrefix(bare, "@") || strings.HasPrefix(bare, "＝") {
					t.Fatalf("%q is written as %q, in which %q divides off %q", value, cell, other, part)
				}
			}
		}

		// Nothing but apostrophes was added.
		if strings.ReplaceAll(unquoted(cell), "'", "") != strings.ReplaceAll(value, "'", "") {
			t.Fatalf("%q is written as %q", value, cell)
		}
	})
}

func TestCSVDelimiterAndByteOrderMark(t *testing.T) {
	t.Parallel()

	e := auditlogtest.Entry("x", func(e *auditlog.Entry) { e.Actor, e.Message = "a,b;c\td", "plain" })
	columns := []string{"id", "actor", "message"}

	for want, o := range map[string]format.CSVOptions{
		"id,actor,message\r\nx,\"a,b;c\td\",plain\r\n":           {},
		"id;actor;message\r\nx;\"a,b;c\td\";plain\r\n":           {Delimiter: ";"},
		"\ufeffid\tactor\tmessage\r\nx\t\"a,b;c\td\"\tplain\r\n": {Delimiter: "\t", BOM: true},
		"\ufeffid,actor,message\r\nx,\"a,b;c\td\",plain\r\n":     {Delimiter: ",", BOM: true},
	} {
		var b strings.Builder

		enc, err := format.NewEncoder(&b, format.CSV, columns, format.EncoderOptions{CSV: o})
		if err != nil {
			t.Fatal(err)
		}

		if err := enc.Encode(&e); err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", o, diff)
		}
	}

	for _, d := range []string{" ", ":", ";;", "x"} {
		_, err := format.NewEncoder(&strings.Builder{}, format.CSV, nil,
			format.EncoderOptions{CSV: format.CSVOptions{Delimiter: d}})
		if err == nil || !strings.HasPrefix(err.Error(), "unknown delimiter ") {
			t.Errorf("%q: got %v", d, err)
		}
	}
}

// A spreadsheet cuts off long cells, or opens the file not at all, without a word.
func TestCSVCountsCellsBeyondASpreadsheet(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		value string
		count int64
	}{
		"just as long":            {strings.Repeat("x", format.MaxCell), 0},
		"one more":                {strings.Repeat("x", format.MaxCell+1), 1},
		"more bytes only":         {strings.Repeat("é", format.MaxCell), 0},
		"characters of two units": {strings.Repeat("🔥", format.MaxCell/2+1), 1},
		"as many units":           {strings.Repeat("🔥", format.MaxCell/2) + "x", 0},
		"with its apostrophe":     {"=" + strings.Repeat("x", format.MaxCell-1), 1},
	} {
		if _, notes := csvCell(t, format.EncoderOptions{SpreadsheetSafe: true}, c.value); notes.CellsTooLong != c.count {
			t.Errorf("%s: %d cells were counted", name, notes.CellsTooLong)
		}
	}
}
