// SPDX-License-Identifier: MPL-2.0

package report

import (
	"testing"

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
