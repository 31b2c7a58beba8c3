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
	compared = `compare it, as in entry.actor == "ci"`
	called   = `is called with a name and a condition, as in entry.changes.exists(c, c.field == "name")`
	newName  = `a new name is expected here, as in entry.changes.exists(c, c.field == "name")`
	deep     = "the condition is nested more than 50 deep"
)

func TestCompileErrors(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ name, text, want string }{
		// Names.
		{"field", `entry.operaton == "x"`, "line 1, column 7: an entry has no such field (did you mean operation?); " + entryFields},
		{"field of nothing like it", `entry.import == "x"`, "line 1, column 7: an entry has no such field; " + entryFields},
		{"field in has()", `has( entry.acto )`, "line 1, column 12: an entry has no such field (did you mean actor?); " + entryFields},
		{"field on the second line", "entry.actor == \"a\" &&\n  entry.acto == \"b\"", "line 2, column 9: an entry has no such field (did you mean actor?); " + entryFields},
		{"field after a Windows line", "entry.actor == \"a\"\r\n  && entry.acto == \"b\"", "line 2, column 12: an entry has no such field (did you mean actor?); " + entryFields},
		{"field after characters of several bytes", `entry.actor == "é😀" && entry.acto == "b"`, "line 1, column 30: an entry has no such field (did you mean actor?); " + entryFields},
		{"field of a change", `entry.changes.exists(c, c.feld == "x")`, "line 1, column 27: a change has no such field (did you mean field?); its fields are field, before, after"},
		{"field of an element", `entry.changes[0].x == "a"`, "line 1, column 18: a change has no such field; its fields are field, before, after"},
		{"field of a field", `entry.actor.name == "x"`, "line 1, column 12: a string has no fields"},
		{"field of a list", `entry.changes.field == "x"`, "line 1, column 14: a list of changes has no fields"},
		{"field by brackets", `entry["actor"] == "x"`, "line 1, column 6: a field of an entry is written with a dot, as in entry.actor"},
		{"variable", `entri.operation == "x"`, "line 1, column 1: there is no such variable; the only one is entry, and a text stands in quotes"},
		{"field without entry", `operation == "delete"`, "line 1, column 1: there is no variable operation; write entry.operation"},
		{"word without quotes", `entry.actor == alice`, "line 1, column 16: there is no such variable; the only one is entry, and a text stands in quotes"},
		{"nil", `entry.actor == nil`, `line 1, column 16: there is no variable nil; a value is absent when it is "", or when has(entry.actor) is false`},
		{"null", `entry.actor == null`, `line 1, column 13: a string cannot be null; an absent value is "", and has(entry.actor) says whether there is one`},
		{"now", `entry.time > now`, `line 1, column 14: there is no variable now, since an answer must not depend on when it is asked for; compare with timestamp("2026-01-31T00:00:00Z")`},
		{"function", `entry.actor.startswith("x")`, "line 1, column 13: there is no such function (did you mean startsWith?)"},
		{"function of nothing like it", `entry.actor .frobnicate ("x")`, "line 1, column 14: there is no such function"},
		{"function that is switched off", `"x".format(["a"]) == "x"`, "line 1, column 5: there is no such function"},
		{"dyn", `dyn(entry).foo == 1`, "line 1, column 1: there is no such function"},
		{"macro", `entry.changes.exists(c)`, "line 1, column 15: exists() " + called},
		{"macro over a string", `entry.actor.exists(c, true)`, "line 1, column 1: all(), exists() and the like need a list, such as entry.changes, and this is a string"},
		{"macro with a path", `entry.changes.exists(a.b, true)`, "line 1, column 23: " + newName},
		{"macro with a number", `entry.changes.exists(1, true)`, "line 1, column 22: " + newName},
		{"entry hidden", `entry.changes.exists(entry, true)`, "line 1, column 22: the name entry is taken; choose another for the elements"},
		{"has of no field", `has(entry)`, "line 1, column 5: has() takes a field, as in has(entry.actor)"},
		{"reserved", `if (true) {}`, "line 1, column 1: if is a reserved word and cannot be used here"},
		{"an entry made", `entry{id: "x"} == entry`, "line 1, column 1: a condition cannot make an entry"},
		{"a message made", `google.protobuf.Timestamp{} == entry.time`, "line 1, column 1: a condition cannot make a google.protobuf.Timestamp"},

		// Types.
		{"no condition", `entry.actor`, "line 1, column 1: the condition must be true or false, and is a string; " + compared},
		{"no condition on its line", "\n  entry.changes", "line 2, column 3: the condition must be true or false, and is a list of changes; " + compared},
		{"unknown type", `entry.raw.x`, "line 1, column 1: the condition must be true or false, and is a value of any type; " + compared},
		{"string for a bool", `true && entry.actor`, "line 1, column 9: a string stands where true or false is expected; " + compared},
		{"not a string", `!entry.actor`, "line 1, column 1: ! does not apply to a string"},
		{"time and string", `entry.time > "2026-01-01T00:00:00Z"`, `line 1, column 12: a timestamp cannot be compared with a string; write timestamp("2026-01-31T00:00:00Z")`},
		{"duration and number", `duration("1h") > 5`, `line 1, column 16: a duration cannot be compared with an int; write a length of time as in duration("90m")`},
		{"string and number", `entry.actor == 1`, "line 1, column 13: a string cannot be compared with an int"},
		{"string and list", `entry.actor == ["ci"]`, "line 1, column 13: a string cannot be compared with a list"},
		{"string and bytes", `entry.actor == b"x"`, "line 1, column 13: a string cannot be compared with bytes"},
		{"type and string", `type(entry.actor) == "string"`, "line 1, column 19: a type cannot be compared with a string"},
		{"in a string", `entry.actor in "abc"`, `line 1, column 13: in needs a list on its right, as in entry.actor in ["ci", "deploy"]`},
		{"in another list", `"disk" in entry.changes`, "line 1, column 8: a list of changes cannot hold a string"},
		{"mixed list", `entry.actor in ["a", 1]`, "line 1, column 22: the elements of a list must be of one type, and are a string and an int"},
		{"arithmetic", `entry.actor + 1 == "a"`, "line 1, column 13: + does not apply to a string and an int"},
		{"outcomes", `true ? entry.actor : 1`, "line 1, column 6: both outcomes of ? must be of one type, and are a string and an int"},
		{"index", `entry.actor[0] == "a"`, "line 1, column 12: a string has no elements that are found by an int"},
		{"argument", `entry.actor.startsWith(1)`, "line 1, column 13: startsWith cannot be called as string.startsWith(int); it is called as string.startsWith(string)"},
		{"argument of any type", `size(entry.time) > 1`, "line 1, column 1: size cannot be called as size(timestamp); it is called as bytes.size(), list.size(), map.size(), size(bytes), size(list), size(map), size(string), string.size()"},
		{"function as a method", `entry.ip_address.ip_in("10.0.0.0/8")`, "line 1, column 18: ip_in cannot be called as string.ip_in(string); it is called as ip_in(string, list(string)), ip_in(string, string)"},

		// Literals.
		{"time", `entry.time > timestamp("yesterday")`, `line 1, column 24: this is no time; write it as in RFC 3339, such as "2026-01-31T00:00:00Z"`},
		{"length of time", `entry.time - duration("1d") > entry.time`, `line 1, column 23: this is no length of time; write it as in "90m" or "24h"`},
		{"regular expression", `entry.actor.matches("[")`, "line 1, column 21: the regular expression cannot be compiled: missing closing ]"},
		{"large regular expression", `entry.actor.matches("(abc{30}){30}")`, "line 1, column 21: the regular expression is too large; repeat less in it"},
		{"made regular expression", `entry.actor.matches(entry.origin)`, "line 1, column 21: a regular expression must be a string that is written out"},
		{"block", `ip_in(entry.ip_address, "10.0.0.0/33")`, `line 1, column 25: this is not an IP address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32"`},
		{"second block", `ip_in(entry.ip_address, ["10.0.0.0/8", "x"])`, `line 1, column 40: this is not an IP address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32"`},
		{"operation", `entry.operation in ["delete", "crate"]`, `line 1, column 31: entry.operation is never this (did you mean create?); ` + operations},
		{"operation not equal", `"destroy" != entry.operation`, `line 1, column 1: entry.operation is never this; ` + operations},
		{"actor type", `entry.actor_type == "users"`, `line 1, column 21: entry.actor_type is never this (did you mean user?); it is one of user, api_token, system, staff, unknown`},
		{"service", `entry.service == "aws"`, `line 1, column 18: entry.service is never this; it is one of upcloud, cloudscale, podstack`},
		{"time zone", `entry.time.getHours("Mars") > 1`, `line 1, column 21: there is no such time zone; write it as in "Europe/Zurich" or "+02:00"`},
		{"this machine's time zone", `entry.time.getHours("Local") > 1`, `line 1, column 21: there is no such time zone; write it as in "Europe/Zurich" or "+02:00"`},
		{"number", `99999999999999999999 == 1`, "line 1, column 1: this number is too large"},
		{"conversion", `entry.id == string(int("x"))`, "line 1, column 1: the condition cannot be prepared: type conversion error from 'string' to 'int'"},

		// Syntax.
		{"empty", "", "line 1, column 1: the condition is empty"},
		{"blank", " \n ", "line 1, column 1: the condition is empty"},
		{"assignment", `entry.actor = "x"`, "line 1, column 13: = is no operator; == compares"},
		{"three", `entry.actor === "x"`, "line 1, column 15: = is no operator; == compares"},
		{"and", `entry.actor == "x" and entry.actor == "y"`, "line 1, column 20: and is no operator; write &&"},
		{"or", `entry.actor == "x" OR entry.actor == "y"`, "line 1, column 20: OR is no operator; write ||"},
		{"not", `not entry.actor == "x"`, "line 1, column 1: not is no operator; write !"},
		{"one ampersand", `entry.actor == "a" & true`, "line 1, column 20: & is no operator; && means and"},
		{"one bar", `entry.actor == "a" | true`, "line 1, column 20: | is no operator; || means or"},
		{"SQL", `entry.operation <> "x"`, "line 1, column 17: <> is no operator; write !="},
		{"string without end", `entry.actor == "delete`, "line 1, column 16: the string that begins here does not end on its line"},
		{"string over two lines", "entry.actor == \"x\n y\"", "line 1, column 16: the string that begins here does not end on its line"},
		{"string whose end is escaped", `entry.actor == "a\"`, "line 1, column 16: the string that begins here does not end on its line"},
		{"escape", `entry.actor.matches("\d+")`, `line 1, column 22: there is no such escape; write \\ for a backslash, or r"…" for a string without escapes`},
		{"curly quotes", `entry.actor == “ci”`, `line 1, column 16: a string is written in straight quotes, "…" or '…'`},
		{"comment", `true # yes`, "line 1, column 6: a comment begins with //"},
		{"dollar", `entry.actor == $x`, "line 1, column 16: this character means nothing in a condition"},
		{"open bracket at the end of a heredoc", "(entry.actor == \"x\" \n\n", "line 1, column 20: the condition ends before a bracket is closed"},
		{"open list", `entry.actor in ["a"`, "line 1, column 20: the condition ends before a bracket is closed"},
		{"bracket too many", `entry.actor == "x")`, "line 1, column 19: there is no open bracket that ) could close"},
		{"no value", `entry.actor ==`, "line 1, column 15: the condition ends where a value is missing"},
		{"no value first", `== "x"`, "line 1, column 1: == stands where a value is expected"},
		{"no operator before a string", `entry.actor == "a" "b"`, "line 1, column 20: an operator such as && is missing before a string"},
		{"no operator", `entry.actor == "a" entry.actor == "b"`, "line 1, column 20: an operator such as && is missing before entry"},
		{"no outcome", `entry.actor == "x" ? true`, "line 1, column 26: the condition ends where a : and the other outcome are missing"},
		{"optional", `entry.?actor`, "line 1, column 6: this syntax is not part of conditions"},

		// Limits.
		{"length", strings.Repeat("true && ", 9000) + "true", "line 1, column 1: the condition is longer than 65536 characters"},
		{"brackets", strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), "line 1, column 1: " + deep},
		{"operators", strings.Repeat("1 + ", 2000) + "1 == 1", "line 1, column 1: " + deep},
		{"parts", "1 in [" + strings.Repeat("1,", 20000) + "1]", "line 1, column 1: the condition has more than 10000 parts"},
		{"loops", `[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))`, "line 1, column 41: all(), exists() and the like are inside of each other more than 3 deep"},
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
		if got := (&where.Error{Line: 1, Column: c.column, Excerpt: c.text}).Pointer(); got != c.want {
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
