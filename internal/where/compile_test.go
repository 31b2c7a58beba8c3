// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

const (
	entryFields = "its fields are id, time, service, endpoint, account, action, operation, actor_type, actor_id, actor, resource_type, " +
		"resource_id, resource_name, scope_type, scope_id, scope_name, origin, auth_type, ip_address, user_agent, " +
		"correlation_id, message, changes, raw"
	operations = "it is one of create, read, update, delete, start, stop, restart, attach, detach, login, login_failed, " +
		"logout, grant, revoke, invite, export, other"
	compared   = `compare it, as in entry.actor == "ci"`
	called     = `is called with a name and a condition, as in entry.changes.exists(c, c.field == "name")`
	noVariable = `there is no such variable; the only one is entry, a text stands in quotes, and an absent value is ""`
	noTime     = `this is no time or length of time; write it as in timestamp("2026-01-31T00:00:00Z") or duration("90m")`
	noOperator = "this is no operator; == compares, && means and, || means or"
	logical    = "the logical operators are &&, || and !, and != means unequal"
	noString   = `the string that begins here does not end on its line, or holds an escape that there is not; r"…" has no escapes`
	noPlace    = "this cannot stand here; an operator, a bracket or a quotation mark may be missing before it, or too much"
	noEnd      = "the condition ends where a value, an operator or a closing bracket is missing"
)

func TestCompileErrors(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, text, want string }{
		// Names.
		{"field", `entry.operaton == "x"`, "line 1, column 6: an entry has no such field (did you mean operation?); " + entryFields},
		{"field of nothing like it", `entry.import == "x"`, "line 1, column 6: an entry has no such field; " + entryFields},
		{"field in has()", `has( entry.acto )`, "line 1, column 4: an entry has no such field (did you mean actor?); " +
			entryFields},
		{
			"field on the second line", "entry.actor == \"a\" &&\n  entry.acto == \"b\"",
			"line 2, column 8: an entry has no such field (did you mean actor?); " + entryFields,
		},
		{
			"field after a Windows line", "entry.actor == \"a\"\r\n  && entry.acto == \"b\"",
			"line 2, column 11: an entry has no such field (did you mean actor?); " + entryFields,
		},
		{
			"field after characters of several bytes", `entry.actor == "é😀" && entry.acto == "b"`,
			"line 1, column 29: an entry has no such field (did you mean actor?); " + entryFields,
		},
		{"field of a change", `entry.changes.exists(c, c.feld == "x")`, "line 1, column 26: a change has no such field (did you mean field?); its fields are field, before, after"},
		{"field of an element", `entry.changes[0].x == "a"`, "line 1, column 17: a change has no such field; its fields are field, before, after"},
		{"field of a field", `entry.actor.name == "x"`, "line 1, column 12: type 'string' does not support field selection"},
		{"field of a list", `entry.changes.field == "x"`, "line 1, column 14: type 'list(change)' does not support field selection"},
		{"field by brackets", `entry["actor"] == "x"`, "line 1, column 6: found no matching overload for '[]' applied to '(entry, string)'"},
		{"variable", `entri.operation == "x"`, `line 1, column 1: ` + noVariable},
		{"field without entry", `operation == "delete"`, "line 1, column 1: there is no variable operation; write entry.operation"},
		{"word without quotes", `entry.actor == alice`, `line 1, column 16: ` + noVariable},
		{"nil", `entry.actor == nil`, `line 1, column 16: ` + noVariable},
		{"null", `entry.actor == null`, `line 1, column 13: nothing can be compared with null; an absent value is "", and has(entry.actor) says whether there is one`},
		{"now", `entry.time > now`, `line 1, column 14: there is no variable now, since an answer must not depend on when it is asked for; compare with timestamp("2026-01-31T00:00:00Z")`},
		{"function", `entry.actor.startswith("x")`, "line 1, column 23: there is no such function (did you mean startsWith?)"},
		{"function of nothing like it", `entry.actor .frobnicate ("x")`, "line 1, column 25: there is no such function"},
		{"function that is switched off", `"x".format(["a"]) == "x"`, "line 1, column 11: there is no such function"},
		{"dyn", `dyn(entry).foo == 1`, "line 1, column 4: there is no such function"},
		{"macro", `entry.changes.exists(c)`, `line 1, column 21: exists() ` + called},
		{"macro over a string", `entry.actor.exists(c, true)`, "line 1, column 6: expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)"},
		{"macro with a path", `entry.changes.exists(a.b, true)`, "line 1, column 23: argument must be a simple name"},
		{"macro with a number", `entry.changes.exists(1, true)`, "line 1, column 22: argument must be a simple name"},
		{"entry hidden", `entry.changes.exists(entry, true)`, "line 1, column 22: the name entry is taken; choose another for the elements"},
		{"has of no field", `has(entry)`, "line 1, column 5: invalid argument to has() macro"},
		{"reserved", `if (true) {}`, "line 1, column 1: reserved identifier: if"},
		{"an entry made", `entry{id: "x"} == entry`, "line 1, column 6: a condition cannot make a value of type entry"},
		{"a message made", `google.protobuf.Timestamp{} == entry.time`, "line 1, column 26: a condition cannot make a value of type google.protobuf.Timestamp"},

		// Types.
		{"no condition", `entry.actor`, `line 1, column 1: the condition must be true or false, and is of type string; ` + compared},
		{"no condition on its line", "\n  entry.changes", `line 2, column 3: the condition must be true or false, and is of type list(change); ` + compared},
		{"unknown type", `entry.raw.x`, `line 1, column 1: the condition must be true or false, and is of type dyn; ` + compared},
		{"string for a bool", `true && entry.actor`, "line 1, column 14: expected type 'bool' but found 'string'"},
		{"not a string", `!entry.actor`, "line 1, column 1: found no matching overload for '!' applied to '(string)'"},
		{"time and string", `entry.time > "2026-01-01T00:00:00Z"`, `line 1, column 12: a timestamp cannot be compared with a string; write timestamp("2026-01-31T00:00:00Z")`},
		{"duration and number", `duration("1h") > 5`, "line 1, column 16: found no matching overload for '>' applied to '(duration, int)'"},
		{"string and number", `entry.actor == 1`, "line 1, column 13: found no matching overload for '==' applied to '(string, int)'"},
		{"string and list", `entry.actor == ["ci"]`, "line 1, column 13: found no matching overload for '==' applied to '(string, list(string))'"},
		{"string and bytes", `entry.actor == b"x"`, "line 1, column 13: found no matching overload for '==' applied to '(string, bytes)'"},
		{"type and string", `type(entry.actor) == "string"`, "line 1, column 19: found no matching overload for '==' applied to '(type(string), string)'"},
		{"in a string", `entry.actor in "abc"`, "line 1, column 13: found no matching overload for 'in' applied to '(string, string)'"},
		{"in another list", `"disk" in entry.changes`, "line 1, column 8: found no matching overload for 'in' applied to '(string, list(change))'"},
		{"mixed list", `entry.actor in ["a", 1]`, "line 1, column 22: expected type 'string' but found 'int'"},
		{"arithmetic", `entry.actor + 1 == "a"`, "line 1, column 13: found no matching overload for '+' applied to '(string, int)'"},
		{"outcomes", `true ? entry.actor : 1`, "line 1, column 6: found no matching overload for '?:' applied to '(bool, string, int)'"},
		{"index", `entry.actor[0] == "a"`, "line 1, column 12: found no matching overload for '[]' applied to '(string, int)'"},
		{"argument", `entry.actor.startsWith(1)`, "line 1, column 23: found no matching overload for 'startsWith' applied to 'string.(int)'"},
		{"argument of any type", `size(entry.time) > 1`, "line 1, column 5: found no matching overload for 'size' applied to '(timestamp)'"},
		{"function as a method", `entry.ip_address.ip_in("10.0.0.0/8")`, "line 1, column 23: found no matching overload for 'ip_in' applied to 'string.(string)'"},

		// Literals.
		{"time", `entry.time > timestamp("yesterday")`, `line 1, column 24: ` + noTime},
		{"length of time", `entry.time - duration("1d") > entry.time`, `line 1, column 23: ` + noTime},
		{"regular expression", `entry.actor.matches("[")`, "line 1, column 21: the regular expression cannot be compiled: missing closing ]"},
		{"large regular expression", `entry.actor.matches("(abc{30}){30}")`, "line 1, column 21: the regular expression is too large; repeat less in it"},
		{"made regular expression", `entry.actor.matches(entry.origin)`, "line 1, column 21: a regular expression must be a string that is written out"},
		{"block", `ip_in(entry.ip_address, "10.0.0.0/33")`, `line 1, column 25: this is not an IP address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32"`},
		{"second block", `ip_in(entry.ip_address, ["10.0.0.0/8", "x"])`, `line 1, column 40: this is not an IP address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32"`},
		{"operation", `entry.operation in ["delete", "crate"]`, `line 1, column 31: entry.operation is never this (did you mean create?); ` + operations},
		{"operation not equal", `"destroy" != entry.operation`, `line 1, column 1: entry.operation is never this; ` +
			operations},
		{"actor type", `entry.actor_type == "users"`, `line 1, column 21: entry.actor_type is never this (did you mean user?); it is one of user, api_token, system, staff, unknown`},
		{"service", `entry.service == "aws"`, `line 1, column 18: entry.service is never this; it is one of cloudscale, podstack, upcloud`},
		{"time zone", `entry.time.getHours("Mars") > 1`, `line 1, column 21: there is no such time zone; write it as in "Europe/Zurich" or "+02:00"`},
		{"this machine's time zone", `entry.time.getHours("Local") > 1`, `line 1, column 21: there is no such time zone; write it as in "Europe/Zurich" or "+02:00"`},
		{"number", `99999999999999999999 == 1`, "line 1, column 1: invalid int literal"},
		{"conversion", `entry.id == string(int("x"))`, "line 1, column 1: a part of the condition that is the same for every entry fails"},

		// Syntax.
		{"empty", "", "line 1, column 1: the condition is empty"},
		{"blank", " \n ", "line 1, column 1: the condition is empty"},
		{"assignment", `entry.actor = "x"`, "line 1, column 13: " + noOperator},
		{"three", `entry.actor === "x"`, "line 1, column 15: " + noOperator},
		{"and", `entry.actor == "x" and entry.actor == "y"`, "line 1, column 20: " + logical},
		{"or", `entry.actor == "x" OR entry.actor == "y"`, "line 1, column 20: " + logical},
		{"not", `not entry.actor == "x"`, "line 1, column 5: " + logical},
		{"one ampersand", `entry.actor == "a" & true`, "line 1, column 20: " + noOperator},
		{"one bar", `entry.actor == "a" | true`, "line 1, column 20: " + noOperator},
		{"SQL", `entry.operation <> "x"`, "line 1, column 18: " + logical},
		{"string without end", `entry.actor == "delete`, `line 1, column 16: ` + noString},
		{"string over two lines", "entry.actor == \"x\n y\"", `line 1, column 16: ` + noString},
		{"string whose end is escaped", `entry.actor == "a\"`, `line 1, column 16: ` + noString},
		{"escape", `entry.actor.matches("\d+")`, `line 1, column 21: ` + noString},
		{"curly quotes", `entry.actor == “ci”`, `line 1, column 16: a string is written in straight quotes, "…" or '…'`},
		{"comment", `true # yes`, "line 1, column 6: a comment begins with //"},
		{"dollar", `entry.actor == $x`, "line 1, column 16: " + noPlace},
		{"open bracket at the end of a heredoc", "(entry.actor == \"x\" \n\n", "line 1, column 20: " + noEnd},
		{"open list", `entry.actor in ["a"`, "line 1, column 20: " + noEnd},
		{"bracket too many", `entry.actor == "x")`, "line 1, column 19: " + noPlace},
		{"no value", `entry.actor ==`, "line 1, column 15: " + noEnd},
		{"no value first", `== "x"`, "line 1, column 1: " + noPlace},
		{"no operator before a string", `entry.actor == "a" "b"`, "line 1, column 20: " + noPlace},
		{"no operator", `entry.actor == "a" entry.actor == "b"`, "line 1, column 20: " + noPlace},
		{"no outcome", `entry.actor == "x" ? true`, "line 1, column 26: " + noEnd},
		{"optional", `entry.?actor`, "line 1, column 6: unsupported syntax '.?'"},

		// Limits.
		{"length", strings.Repeat("true && ", 9000) + "true", "line 1, column 1: expression code point size exceeds limit: size: 72004, limit 65536"},
		{
			"brackets", strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60),
			"line 1, column 1: expression recursion limit exceeded: 50",
		},
		{"operators", strings.Repeat("1 + ", 2000) + "1 == 1", "line 1, column 1: max recursion depth exceeded"},
		{"parts", "1 in [" + strings.Repeat("1,", 20000) + "1]", "line 1, column 1: expression node count exceeds limit: count 20004, limit 10000"},
		{
			"loops", `[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))`,
			"line 1, column 41: comprehension exceeds nesting limit",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			_, err := where.Compile(c.text)

			e := (*where.Error)(nil)
			if !errors.As(err, &e) || e.Error() != c.want {
				t.Fatalf("%s\n got %v\nwant %s", c.text, err, c.want)
			}

			if lines := strings.Split(c.text, "\n"); !isExcerpt(strings.TrimSuffix(lines[e.Line-1], "\r"), e.Excerpt) {
				t.Errorf("excerpt %q", e.Excerpt)
			}
		})
	}
}

func TestPointer(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("a", 100)

	for _, c := range []struct {
		text   string
		column int
		want   string
	}{
		{"entry.acto", 7, "entry.acto\n      ^"},
		{"\tentry.acto", 8, " entry.acto\n       ^"},
		{"entry.actor ==", 15, "entry.actor ==\n              ^"},
		{long + "X" + long, 101, "… " + long[:40] + "X" + long[:31] + " …\n" + strings.Repeat(" ", 42) + "^"},
		{"", 1, "\n^"},
		{"whole", 0, "whole"},
	} {
		if got := (&where.Error{Place: where.Place{Line: 1, Column: c.column, Excerpt: c.text}}).Pointer(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// isExcerpt says that the excerpt is the line, but for what can be a value.
func isExcerpt(line, excerpt string) bool {
	return slices.EqualFunc([]rune(line), []rune(excerpt), func(a, b rune) bool { return a == b || b == '*' })
}

// TestExcerptsSayNothingOfValues: a part of a condition can come from a variable
// that is sensitive.
func TestExcerptsSayNothingOfValues(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		`entry.actr == "SECRET"`:                   `entry.**** == "******"`,
		`entry.actr == 'SEC"RET' && x == "SECRET"`: `entry.**** == '*******' && * == "******"`,
		`entry.actr == r"SECRET\"`:                 `entry.**** == r"*******"`,
		`entry.actr == bR'SECRET'`:                 `entry.**** == bR'******'`,
		`entry.actr == "SEC\"RET"`:                 `entry.**** == "********"`,
		`entry.actr == "SECRET`:                    `entry.**** == "******`,
		`entry.actr == """SECRET`:                  `entry.**** == """******`,
		`entry.actr == "" // SECRET`:               `entry.**** == "" //*******`,
		`entry.actor.matches("[SECRET")`:           `entry.actor.matches("*******")`,
		`ip_in(entry.ip_address, "SECRET")`:        `ip_in(entry.ip_address, "******")`,
		`entry.operation == "SECRET"`:              `entry.operation == "******"`,
		`entry.time.getHours("SECRET") == 1`:       `entry.time.getHours("******") == *`,
		`entry.actor == SECRET`:                    `entry.actor == ******`,
		`entry.actor == "a"SECRET"`:                `entry.actor == "*"******"`,
		`entry.actor == -12.5 && size(SECRET) > 1`: `entry.actor == -**.* && size(******) > *`,
		"entry.`SEC-RET` == 'a'":                   "entry.`***-***` == '*'",
		`entry.actor == SEC@RET`:                   `entry.actor == *******`,
		`entry.actor == "a" "SECRET"`:              `entry.actor == "*" "******"`,
		`timestamp("SECRET") == entry.time`:        `timestamp("******") == entry.time`,
		`entry.actor == """"SECRET" ""SECRET""" 1`: `entry.actor == """*****************""" *`,
	} {
		_, err := where.Compile(text)

		e := (*where.Error)(nil)
		if !errors.As(err, &e) || e.Excerpt != want || strings.Contains(e.Error()+e.Pointer(), "SECRET") {
			t.Errorf("%s\n got %s\nwant %s\n%v", text, e.Excerpt, want, err)
		}
	}
}
