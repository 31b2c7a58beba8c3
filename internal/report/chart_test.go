// SPDX-License-Identifier: MPL-2.0

package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func TestRoundUp(t *testing.T) {
	t.Parallel()

	for n, want := range map[int64]int64{
		0: 0, 1: 1, 2: 2, 3: 4, 7: 8, 9: 10, 10: 10, 11: 12, 13: 16, 129: 160, 161: 200, 450: 500, 999: 1000, 1001: 1200,
		123_456_789: 160_000_000,
	} {
		if got := roundUp(n); got != want {
			t.Errorf("%d becomes %d, want %d", n, got, want)
		}
	}

	for n := int64(3); n < 5000; n++ {
		if got := roundUp(n); got < n || got%2 != 0 {
			t.Fatalf("%d becomes %d", n, got)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()

	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1000: "-1,000",
	} {
		if got := number(n); got != want {
			t.Errorf("%d becomes %s, want %s", n, got, want)
		}
	}
}

// TestQuoted has the words as a shell takes them.
func TestQuoted(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"a-b_c.html": "a-b_c.html", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm -rf /)": "'$(rm -rf /)'",
		"a\nb": `'a\nb'`, "~": "'~'", "=x": "'=x'", "*": "'*'",
	} {
		if got := quoted(text); got != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
}

// TestBounds counts far more actors than are told apart.
func TestBounds(t *testing.T) {
	t.Parallel()

	c := newCounts[int]()
	e := entryOf("delete")

	for i := range maxKeys + 500 {
		c.add(i, &e)
	}

	c.add(7, &e)

	top, others, left := c.top(func(a, b int) int { return a - b })
	if len(top) != shownKeys || top[0].key != 7 || top[0].n != 2 {
		t.Errorf("got %d, the first %v", len(top), top[0])
	}

	sum := others.n
	for _, r := range top {
		sum += r.n
	}

	if want := int64(maxKeys + 501); sum != want || others.deletions != want-shownKeys-1 || left != maxKeys-shownKeys+1 {
		t.Errorf("got %d, of others %d, of %d", sum, others.deletions, left)
	}
}

func entryOf(op auditlog.Operation) auditlog.Entry { return auditlog.Entry{ID: "1", Operation: op} }

// TestColumns has zones in which a day begins at one o'clock, twice, or never. Each moment of the window is in the one
// column that is called as its day, week, month or year.
func TestColumns(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct{ zone, from string }{
		{"UTC", "2026-03-01"},
		{"Europe/Zurich", "2026-03-01"},
		{"America/Santiago", "2026-08-20"},
		{"America/Sao_Paulo", "2018-10-20"},
		{"Africa/Cairo", "2026-04-01"},
		{"Africa/Cairo", "2026-10-15"},
		{"Asia/Beirut", "2026-03-15"},
		{"America/Havana", "2026-02-25"},
		{"America/Havana", "2026-10-15"},
		{"Atlantic/Azores", "2026-03-15"},
		{"Atlantic/Azores", "2026-10-10"},
		{"Pacific/Apia", "2011-12-15"},
		{"Australia/Lord_Howe", "2026-03-20"},
		{"America/Toronto", "1919-03-15"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}

		from, err := time.ParseInLocation(time.DateOnly, tt.from, zone)
		if err != nil {
			t.Fatal(err)
		}

		for _, days := range []int{3, 60, 400, 1200} {
			checkColumns(t, &tally{zone: zone}, auditlog.Window{Start: from.Add(5 * time.Hour), End: from.AddDate(0, 0, days)})
		}
	}
}

func checkColumns(t *testing.T, tally *tally, w auditlog.Window) {
	t.Helper()

	tally.divide(w)

	for i := range tally.buckets[1:] {
		if a, b := tally.buckets[i], tally.buckets[i+1]; !a.end.Equal(b.start) || !a.start.Before(a.end) {
			t.Fatalf("a column from %s to %s, and the next from %s", a.start, a.end, b.start)
		}
	}

	name := func(at time.Time) string {
		at = at.In(tally.zone)

		switch tally.unit {
		case "hour":
			return at.Format("2006-01-02 15 -0700")
		case "week":
			year, week := at.ISOWeek()

			return fmt.Sprintf("%d, week %d", year, week)
		default:
			return at.Format(bucketFormat(tally.unit, tally.zone))
		}
	}

	for at := w.Start; at.Before(w.End); at = at.Add(30 * time.Minute) {
		i := tally.bucketOf(at)
		if i < 0 {
			t.Fatalf("%s is in no column", at)
		}

		if got := name(tally.buckets[i].start); got != name(at) {
			t.Fatalf("%s is in the %s of %s, which is %s", at, tally.unit, tally.buckets[i].start, got)
		}
	}
}
