// SPDX-License-Identifier: MPL-2.0

//go:build unix

package podstack_test

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

// cpu is the time that the process has computed for. Other than the time of day it
// does not depend on what else the machine does.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()

	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}

	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// wide is an export with as many columns as given beside those that are known.
// Cells of the last one hold something.
func wide(columns int, known, row string, header func(i int) string, rows int) string {
	var b strings.Builder

	b.WriteString(known)

	for i := range columns {
		b.WriteString("," + header(i))
	}

	for i := range rows {
		fmt.Fprintf(&b, "\n"+row+"%sx", i, strings.Repeat(",", columns))
	}

	return b.String()
}

// TestWideExportsTakeLinearTime: eight times the columns take eight times as long,
// not sixty-four times, whatever is done with the headers. Each kind of export goes
// another way through them.
func TestWideExportsTakeLinearTime(t *testing.T) { //nolint:paralleltest // It measures time.
	const (
		few, factor = 3000, 8
		tries       = 10
		most        = 5 * factor
	)

	if raceflag.Enabled {
		t.Skip("The race detector takes longer the more memory there is; make simulate runs it without.")
	}

	// Neither does the collector of garbage take part in what is measured.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	numbered := func(i int) string { return fmt.Sprintf("c%d", i) }
	known, row := "Timestamp,Action", "2026-06-02 09:15:%02d,Delete"
	ids, idRow := "ID,Timestamp,Action", "%[1]d,2026-06-02 09:15:%02[1]d,Delete"

	// An error is part of the work: each names the headers.
	for name, tt := range map[string]struct { //nolint:paralleltest // As above.
		texts   func(n int) map[string]string
		mapping map[string]string
		refused bool
	}{
		"columns that nobody knows": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, known, row, numbered, 2)}
		}},
		"a mapping": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, known, row, numbered, 2)}
		}, mapping: map[string]string{
			"actor": "C-1", "message": "c_2998", "origin": "c1500", "time": "timestamp",
			"action": "ACTION",
		}},
		"a mapping of a header that is not there": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, known, row, numbered, 2)}
		}, mapping: map[string]string{"actor": "nobody", "message": "nothing", "origin": "nowhere"}, refused: true},
		"no header of a time": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, "Occurrence,Action", row, numbered, 2)}
		}, refused: true},
		"a header that stands twice": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, known, row, func(i int) string { return numbered(i % (n - 1)) }, 1)}
		}, refused: true},
		"headers that could be the same": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, known, row, func(i int) string {
				switch i {
				case n - 2:
					return "User"
				case n - 1:
					return "Email"
				default:
					return numbered(i)
				}
			}, 1)}
		}, refused: true},
		"columns without headers": {texts: func(n int) map[string]string {
			return map[string]string{"a": strings.ReplaceAll(wide(n, known, row, func(int) string { return "" }, 2), "x", "")}
		}},
		"an export of ours": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, "time,action,service,operation", row+",podstack,delete", numbered, 2)}
		}},
		"exports that overlap": {texts: func(n int) map[string]string {
			texts := map[string]string{}
			for i := range 5 {
				texts[fmt.Sprint(i)] = wide(n, known, row, numbered, 2)
			}

			return texts
		}},
		"exports with ids and rows in common": {texts: func(n int) map[string]string {
			return map[string]string{"a": wide(n, ids, idRow, numbered, 9), "b": wide(n, ids, idRow, numbered, 9)}
		}},
		"other delimiters": {texts: func(n int) map[string]string {
			return map[string]string{"a": strings.ReplaceAll(wide(n, known, row, numbered, 2), ",", "|")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			took := func(texts map[string]string) time.Duration {
				runtime.GC()

				begun := cpu(t)
				_, _, err := read(t.Context(), podstack.New(podstack.Options{Columns: tt.mapping, Clock: now}).Texts(texts),
					auditlog.Query{Window: always()})
				elapsed := cpu(t) - begun

				if e := (*podstack.Error)(nil); (err != nil) != tt.refused || tt.refused && !errors.As(err, &e) {
					t.Fatal(err)
				}

				return elapsed
			}

			narrow, wide := tt.texts(few), tt.texts(factor*few)
			small, large := time.Hour, time.Hour

			// What else runs here makes one or the other slower, so the best of some tries
			// counts.
			for range tries {
				if small, large = min(small, took(narrow)), min(large, took(wide)); large < most*small {
					return
				}
			}

			t.Errorf("%d columns take %s, %d take %s", few, small, factor*few, large)
		})
	}
}
