// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// secrets are what stands for a sensitive value in a condition: a text, and a number.
var secrets = []string{"hunter2", "48151623"}

// errorTexts are all texts of an error of this package.
func errorTexts(tb testing.TB, err error) string {
	tb.Helper()

	compileErr, evalErr := (*where.Error)(nil), (*where.EvalError)(nil)

	switch {
	case errors.As(err, &compileErr):
		return strings.Join([]string{compileErr.Error(), compileErr.Reason, compileErr.Excerpt, compileErr.Pointer()}, "\n")
	case errors.As(err, &evalErr):
		return strings.Join([]string{evalErr.Error(), evalErr.Reason, evalErr.Advice, evalErr.Excerpt, evalErr.Pointer()},
			"\n")
	default:
		tb.Fatalf("neither error: %v", err)

		return ""
	}
}

// TestErrorsRepeatNothingOfACondition: Terraform puts a sensitive variable into a
// condition like any other text, with quotes around it or without.
func TestErrorsRepeatNothingOfACondition(t *testing.T) {
	t.Parallel()

	for _, text := range []string{
		// Parse errors.
		`entry.actor == hunter2 48151623`, `entry.actor == "a" hunter2`, `entry.actor == "hunter2`, `entry.actor = "hunter2"`,
		`hunter2 and entry.actor == "a"`, `entry.actor == "a" hunter2and true`, `(hunter2`, `[hunter2`, `hunter2)`,
		`hunter2 ==`,
		`== hunter2`, `hunter2 ? 48151623`, `entry.actor == 48151623hunter2`, `entry.actor == 48151623 48151623`,
		`entry.actor == "\hunter2"`,
		`entry.actor == $hunter2`, `entry.actor == “hunter2”`, `entry.actor == hünter2hunter2`, `true # hunter2`,
		`true & hunter2`, `hunter2 | true`,
		`entry.actor <> hunter2`, `not hunter2`, `NoT hunter2`, `entry.actor == ("a" 'x\' at "hunter2')`,
		`(1 'hunter2 at \'x'`,
		"entry.actor == \"a\nhunter2\"", "entry.actor == '''\nhunter2\n''' 1", `entry.actor == hunter2"x"y`,
		"entry.`hunter2` == \"a\" 1",
		`entry.?hunter2`, `entry[?"hunter2"]`, `if hunter2`, `hunter2 // hunter2`, `entry.actor.48151623`, `entry.hunter2.`,
		`{hunter2: 1`, `true /* hunter2 */`,
		`48151623481516234815162348151623 == 1`, `0x48151623481516234815162348151623 == 1`,
		`entry.changes.exists(hunter2.x, true)`,
		`entry.changes.exists("hunter2", true)`, `entry.changes.exists(48151623, true)`, `has(hunter2)`, `has("hunter2")`, `entry.changes.all(__result__, hunter2)`,

		// Type errors.
		`entry.actor == hunter2`, `entry.actor == .hunter2`, `entry.actor == hunter2.hunter2`, `hunter2("x")`,
		`entry.actor.hunter2("x")`, `hunter2.hunter2("x")`,
		`entry.hunter2 == "x"`, `has(entry.hunter2)`, "entry.`hunter2` == \"x\"", `entry.actor.hunter2 == "x"`,
		`entry.changes.exists(c, c.hunter2 == "x")`,
		`entry["hunter2"] == "x"`, `entry.actor[48151623] == "x"`, `entry.actor == 48151623`, `entry.actor == b"hunter2"`,
		`entry.actor == ["hunter2"]`,
		`entry.actor == {"hunter2": 48151623}`, `entry.actor in ["hunter2", 48151623]`, `entry.actor + 48151623 == "hunter2"`,
		`true ? "hunter2" : 48151623`,
		`hunter2{}`, `hunter2.hunter2{hunter2: 48151623}`, `entry{hunter2: "hunter2"}`,
		`google.protobuf.Timestamp{hunter2: 1} == entry.time`,
		`google.protobuf.Timestamp{seconds: "hunter2"} == entry.time`, `entry.actor.startsWith(48151623)`,
		`size(entry, "hunter2") == 1`, `entry.time > "hunter2"`,
		`"hunter2"`, `48151623`, `"hunter2" && true`, `!"hunter2"`, `-"hunter2" == 1`, `"hunter2" in "hunter2"`,
		`entry.changes.exists(hunter2)`, `"hunter2".all(hunter2, true)`,
		`entry.changes.map(hunter2, hunter2.hunter2) == []`, `type(hunter2) == hunter2`,
		`entry.actor.format(["hunter2"]) == "x"`, `hunter2`, `!hunter2`,

		// Checks of our own, and what CEL evaluates beforehand.
		`entry.operation == "hunter2"`, `"hunter2" != entry.actor_type`, `entry.service in ["hunter2"]`,
		`ip_in(entry.ip_address, "hunter2")`,
		`ip_in(entry.ip_address, ["10.0.0.0/8", "hunter2"])`, `ip_in(entry.ip_address, "fe80::1%hunter2")`,
		`entry.actor.matches("hunter2[")`, `entry.actor.matches("(?hunter2)")`,
		`entry.actor.matches(r"\hunter2")`, `entry.actor.matches("hunter2{48151623}")`,
		`entry.actor.matches("(hunter2{90}){90}")`, `entry.actor.matches("x" + "hunter2")`,
		`timestamp("hunter2") == entry.time`, `duration("hunter2") == duration("1h")`, `entry.time.getHours("hunter2") == 1`,
		`int("hunter2") == 1`, `double("hunter2") == 1.0`,
		`uint("hunter2") == 1u`, `bool("hunter2")`, `uint(-48151623) == 1u`, `string(b"hunter2\xff") == "x"`,
		`entry.time == timestamp("hun" + "ter2" + "hunter2")`,
		`entry.changes.exists(entry, "hunter2" == "x")`, `["hunter2"][48151623] == "x"`, `48151623 / 0 == 1`,
		`{"a": 1}["hunter2"] == 1`,

		// What only an entry shows.
		`entry.raw["hunter2"] == "x"`, `entry.raw[r'hunter2'] == "x"`, `entry.raw.hunter2 == "x"`,
		`entry.raw.n.hunter2 == "x"`, `entry.raw.hunter2["hunter2"].hunter2 == 1`,
		"entry.raw.`hunter2` == 1", `has(entry.raw.hunter2.x)`, `entry.raw["n"]["hunter2"] == 1`,
		`entry.raw.list["hunter2"] == 1`, `entry.raw.list[48151623] == 1`, `entry.raw[48151623] == 1`,
		`entry.changes[48151623].field == "hunter2"`, `entry.actor.substring(48151623) == "hunter2"`,
		`entry.raw.text > 48151623`, `entry.raw.n.startsWith("hunter2")`,
		`entry.raw.n + "hunter2" == "x"`, `int(entry.actor + "hunter2") == 48151623`,
		`timestamp(entry.actor + "hunter2") == entry.time`, `9223372036854775807 + entry.raw.n == 48151623`,
		`entry.time.getHours(entry.actor + "hunter2") == 1`, `ip_in(entry.ip_address, entry.actor + "hunter2")`,
		`true && // hunter2` + "\n" + `entry.raw["hunter2"] == 1`,
		`entry.changes.exists(hunter2, entry.raw.hunter2 == hunter2.field)`, `{"a": 1}[entry.actor + "hunter2"] == 1`,
		`entry.raw.n / (entry.raw.n - entry.raw.n) == 48151623`,
		`entry.message.split("").all(hunter2, entry.message.split("").all(b, hunter2 != b || hunter2 == b))`,
	} {
		x, err := where.Compile(text)
		if err == nil {
			_, err = x.Match(&auditlog.Entry{
				Actor: "a", Message: strings.Repeat("m", 2000), Changes: []auditlog.Change{{Field: "f"}},
				Raw: []byte(`{"n":5,"list":["a"],"text":"b"}`),
			})
		}

		if err == nil {
			t.Errorf("%s: nothing is wrong with it, so it shows nothing", text)

			continue
		}

		for _, secret := range secrets {
			// CEL can take a token apart, but not so that the first letters are lost.
			if texts := errorTexts(t, err); strings.Contains(texts, secret) || strings.Contains(texts, secret[:4]) {
				t.Errorf("%s\nrepeats it: %s", text, texts)
			}
		}
	}
}
