// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// telling is an entry of which no error may tell a word.
func telling() *auditlog.Entry {
	return &auditlog.Entry{
		ID: "SECRET", Time: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), Actor: "SECRET",
		Message: strings.Repeat("SECRET", 2000), Changes: []auditlog.Change{{Field: "SECRET"}},
		Raw: []byte(`{"SECRET":"SECRET","n":5,"list":["SECRET"],"text":"SECRET"}`),
	}
}

func TestEvalErrors(t *testing.T) {
	t.Parallel()

	const (
		key     = `the record of an entry has no such key | Guard it, and every key before it, with has(entry.raw.key) or with "key" in entry.raw`
		element = "an entry has no such element or character | Guard it with size(), as in size(entry.changes) > 0"
		kind    = "a value of an entry has another type than is needed here | Compare its type first, as in type(entry.raw.size) == int"
		convert = `a value of an entry cannot be converted | Guard it with matches(), as in entry.actor_id.matches("^[0-9]+$")`
		large   = "an entry makes a number or a time too large | Compare the values first"
		// CEL shares some errors between all evaluations, and these have no place.
		unplaced = "the condition cannot be evaluated: "
		tooLong  = "the condition cannot be evaluated: it takes too long on an entry | Loop over less in it, or move a part of it that is cheap to the front"
	)

	for _, c := range []struct{ text, want string }{
		{`entry.raw.x.y == 1`, "line 1, column 1: " + key},
		{`true &&` + "\n" + ` entry.raw["x"].y == 1`, "line 2, column 2: " + key},
		{`entry.raw[entry.actor + "x"] == 1`, "line 1, column 1: " + key},
		{`entry.changes.exists(c, entry.raw.x == 1)`, "line 1, column 25: " + key},
		{`has(entry.raw.a.b)`, "line 1, column 4: " + key},
		{`true && (entry.raw.n / 0 == 1 || false)`, "line 1, column 10: an entry makes this a division by zero | Compare the divisor with 0 first"},
		{`entry.changes[4].field == "x"`, "line 1, column 1: " + element},
		{`entry.actor.substring(90) == ""`, "line 1, column 1: " + element},
		{`entry.actor.charAt(90) == ""`, "line 1, column 1: " + element},
		{`entry.raw.list[3] == 1`, "line 1, column 1: " + element},
		{`true && entry.raw.text > 5`, "line 1, column 9: " + kind},
		{`entry.raw.n.startsWith("x")`, "line 1, column 1: " + kind},
		{`entry.raw.n.exists(x, true)`, unplaced + kind},
		{`ip_in(entry.raw.n, "10.0.0.0/8")`, "line 1, column 6: " + kind},
		{`int(entry.actor) == 1`, "line 1, column 4: " + convert},
		{`timestamp(entry.actor) == entry.time`, "line 1, column 10: " + convert},
		{`duration(entry.actor) > duration("1h")`, "line 1, column 9: " + convert},
		{`9223372036854775807 + entry.raw.n == 1`, "line 1, column 1: " + large},
		{`true && timestamp(entry.raw.n + 9223372036854775800) == entry.time`, unplaced + large},
		{`ip_in(entry.ip_address, entry.actor)`, "line 1, column 6: an entry makes this a block that is neither an IP address nor a CIDR block | Write the block into the condition"},
		{`entry.time.getHours(entry.actor) == 1`, "line 1, column 1: an entry makes this a time zone that does not exist | Write the time zone into the condition"},
		{`entry.message.replace("", entry.message) == "x"`, "line 1, column 1: an entry makes this a text that is too long | Compare shorter texts"},
		{`entry.message.split("").join(entry.message) == "x"`, "line 1, column 1: an entry makes this a text that is too long | Compare shorter texts"},
		{`entry.message.split("").all(a, entry.message.split("").all(b, a != b || a == b))`, tooLong},
	} {
		x := mustCompile(t, c.text)

		_, err := x.Match(telling())

		e := (*where.EvalError)(nil)
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", c.text, err)
		}

		want := c.want
		if e.Line > 0 {
			want = "the condition cannot be evaluated at " + want
		}

		if got := e.Error() + " | " + e.Advice; got != want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, want)
		}

		if e.Line > 0 && !isExcerpt(strings.Split(c.text, "\n")[e.Line-1], e.Excerpt) {
			t.Errorf("excerpt %q", e.Excerpt)
		}
	}
}

func TestRecordThatIsNoObject(t *testing.T) {
	t.Parallel()

	x := mustCompile(t, `entry.raw.x == 1`)

	for _, raw := range []string{`[1]`, `null`, `{"x":`, `"x"`} {
		_, err := x.Match(&auditlog.Entry{Raw: []byte(raw)})
		if want := "the condition cannot be evaluated at line 1, column 1: the record of the cloud is no JSON object"; err == nil || err.Error() != want {
			t.Errorf("%s: %v", raw, err)
		}
	}

	for _, raw := range []string{`{"x":1,"x":2}`, `{"x":1,"y":[{"z":1,"z":1}]}`} {
		for range 2 { // Not only the first time.
			_, err := x.Match(&auditlog.Entry{Raw: []byte(raw)})
			if want := "the condition cannot be evaluated at line 1, column 1: the record of the cloud has a key twice"; err == nil || err.Error() != want {
				t.Errorf("%s: %v", raw, err)
			}
		}
	}

	// An entry without a record has none of its keys.
	if ok, err := mustCompile(t,
		`!has(entry.raw) && !has(entry.raw.x) && size(entry.raw) == 0`).Match(&auditlog.Entry{}); !ok || err != nil {
		t.Error(ok, err)
	}
}

// An error that CEL shares between all evaluations must not carry a place from
// one condition into another, nor may two goroutines write it, so it has none.
func TestPlaceOfSharedErrors(t *testing.T) {
	t.Parallel()

	var group sync.WaitGroup

	for _, prefix := range []string{"", "true && ", "true && true && "} {
		group.Go(func() {
			x := mustCompile(t, prefix+`-entry.raw.text == 1`)

			for range 50 {
				e := (*where.EvalError)(nil)
				if _, err := x.Match(telling()); !errors.As(err, &e) || e.Line != 0 {
					t.Errorf("%q: %v", prefix, err)

					return
				}
			}
		})
	}

	group.Wait()
}

func mustCompile(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, text string,
) *where.Expression {
	t.Helper()

	x, err := where.Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}

	return x
}
