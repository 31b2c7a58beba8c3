// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// guessable are terms that can be guessed, in every spelling, beside some that cannot, or
// that fail on most entries.
func guessable() *rapid.Generator[string] {
	value := rapid.SampledFrom([]string{ // as they are written between quotation marks
		``, `ci`, `CI`, `Zoë`, `Zoe\u0308`, `10.0.0.1`, `::ffff:10.0.0.1`, `a\"b`, `\u00c9`, `K\u212a`, `\ufffd`, `delete`,
	})
	text := rapid.Custom(func(t *rapid.T) string {
		fields := []string{"actor", "action", "ip_address", "resource_type", "message"}
		text := "entry." + rapid.SampledFrom(fields).Draw(t, "field")

		if rapid.Bool().Draw(t, "lower") {
			text += ".lowerAscii()"
		}

		return text
	})

	return rapid.Custom(func(t *rapid.T) string {
		of := text.Draw(t, "text")
		v, w := `"`+value.Draw(t, "value")+`"`, `"`+value.Draw(t, "other")+`"`
		n := rapid.IntRange(-1, 24).Draw(t, "number")

		return rapid.SampledFrom([]string{
			fmt.Sprintf(`%s == %s`, of, v), fmt.Sprintf(`%s != %s`, v, of), fmt.Sprintf(`%s < %s`, of, v),
			fmt.Sprintf(`%s <= %s`, of, v), fmt.Sprintf(`%s > %s`, of, v), fmt.Sprintf(`%s >= %s`, v, of),
			fmt.Sprintf(`%s in [%s, %s]`, of, v, w), fmt.Sprintf(`%s in []`, of), fmt.Sprintf(`%s in [%s]`, v, of),
			fmt.Sprintf(`%s.startsWith(%s)`, of, v), fmt.Sprintf(`%s.endsWith(%s)`, of, v),
			fmt.Sprintf(`%s.contains(%s)`, of, v), fmt.Sprintf(`%s.contains(%s)`, v, of),
			fmt.Sprintf(`%s.matches("^[a-zé]+$")`, of), fmt.Sprintf(`%s.matches("(?i)ZOË|ci")`, of),
			`has(entry.actor)`, `has(entry.time)`, `has(entry.changes)`, `has(entry.raw)`, `entry.operation == "delete"`,
			`ip_in(entry.ip_address, "10.0.0.0/8")`, `ip_in(entry.ip_address, ["::/0", "10.0.0.1"])`, `ip_in(entry.actor, "10.0.0.1")`,
			`ip_in("10.0.0.1", "10.0.0.0/8")`, `ip_in(entry.ip_address, entry.message)`,
			`entry.time >= timestamp("2026-01-31T22:00:00Z")`, `timestamp("2026-01-31T22:00:00Z") < entry.time`,
			`entry.time == timestamp("2026-01-31T23:00:00+01:00")`, `entry.time != timestamp("2026-01-31T22:00:00.5Z")`,
			fmt.Sprintf("entry.time.getHours() < %d", n), fmt.Sprintf("entry.time.getHours(\"Europe/Zurich\") >= %d", n),
			fmt.Sprintf("entry.time.getDayOfWeek() == %d", n%7), fmt.Sprintf("entry.time.getDayOfMonth() != %d", n),
			fmt.Sprintf("entry.time.getDate() > %d", n), fmt.Sprintf("entry.time.getMonth() <= %d", n),
			fmt.Sprintf("entry.time.getMinutes() == %d", n), fmt.Sprintf("entry.time.getFullYear() == 20%02d", max(n, 10)),
			fmt.Sprintf("%d < entry.time.getSeconds()", n), "entry.time.getHours() < 5.5",
			`type(entry.raw.n) == int`, `has(entry.raw.n)`, `has(entry.raw.flag)`, `has(entry.raw.b)`, `!has(entry.raw.key) || entry.raw.key == "k"`,
			`entry.raw.n > 1`, `entry.raw.flag`, `has(entry.raw.a.b)`, `size(entry.actor) > 2`, `1 / size(entry.actor) == 0`,
			`true`, `false`,
			`entry.changes.exists(c, c.field == "ci")`, `timestamp(entry.message) < entry.time`, `[entry.actor] == ["ci"]`,
		}).Draw(t, "term")
	})
}

func guessableConditions(depth int) *rapid.Generator[string] {
	if depth == 0 {
		return guessable()
	}

	inner := guessableConditions(depth - 1)

	return rapid.Custom(func(t *rapid.T) string {
		a, b, c := inner.Draw(t, "a"), inner.Draw(t, "b"), inner.Draw(t, "c")

		return rapid.SampledFrom([]string{
			a, "!(" + a + ")", "(" + a + ") && (" + b + ")", "(" + a + ") || (" + b + ")", a + " && " + b + " && " + c,
			"(" + a + ") ? (" + b + ") : (" + c + ")", "(" + a + ") == (" + b + ")",
		}).Draw(t, "join")
	})
}

// TestGuessesAreWhatCELSays: with and without guesses a condition gives the same answer,
// or the same error.
func TestGuessesAreWhatCELSays(t *testing.T) {
	t.Parallel()

	texts := []string{
		"", "ci", "CI", "Zo\u00eb", "Zoe\u0308", "\xff", "\xed\xa0\x80", "10.0.0.1", "::ffff:10.0.0.1",
		"[10.0.0.1]:80", "10.x.x.1",
		`a"b`, "\u00c9", "K\u212a", "delete", "2026-01-01T00:00:00Z", "10.0.0.0/8",
	}

	rapid.Check(t, func(t *rapid.T) {
		text := guessableConditions(2).Draw(t, "condition")

		x, err := where.Compile(text)
		if err != nil {
			t.Skip(err)
		}

		for range 8 {
			e := entries().Draw(t, "entry")
			value := rapid.SampledFrom(texts)

			for _, field := range []*string{&e.Actor, &e.Action, &e.IPAddress, &e.ResourceType, &e.Message} {
				*field = value.Draw(t, "text")
			}

			switch rapid.IntRange(0, 5).Draw(t, "odd") {
			case 0:
				e.Time = e.Time.In(time.FixedZone("", 3600*5))
			case 1:
				e.Time = time.Time{}
			case 2:
				e.Raw = []byte(rapid.SampledFrom([]string{
					`{"flag":true,"a":{"b":1}}`, `{"flag":1}`, `{"a":1,"a":2}`, `[`, `null`, ` {}`, `{"a":[1}}`,
					`{"fl\u0061g":1}`, `{"\u00e9":1,"e\u0301":2}`, `{"é":1,"é":2}`, `{"x":"é"}`, `{} {}`, `{"x":{"x":1,"x":2}}`, ``,
				}).Draw(t, "raw"))
			}

			got, gotErr := x.Match(e)

			want, wantErr := x.MatchByCEL(e)
			if got != want || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: %v, %v, and by CEL %v, %v on %+v", text, got, gotErr, want, wantErr, e)
			}
		}
	})
}

// TestGuessesWhatIsAsked: what conditions commonly ask needs no CEL.
func TestGuessesWhatIsAsked(t *testing.T) { //nolint:paralleltest // It counts allocations.
	for text, want := range map[string]bool{
		`entry.operation == "delete"`:                                            true,
		`entry.operation in ["grant", "revoke"] && entry.time.getHours() < 6`:    true,
		`ip_in(entry.ip_address, "192.0.2.0/28")`:                                true,
		`entry.action.matches("^log(in|out)") || entry.actor.endsWith("-7")`:     true,
		`entry.operation == "create" && entry.raw.kind == "token"`:               true,
		`has(entry.raw.kind) && entry.raw.kind == "token"`:                       true,
		`entry.raw.kind == "token"`:                                              false,
		`size(entry.actor) > 3`:                                                  false,
		`entry.operation == "delete" && entry.changes.exists(c, c.field == "x")`: false,
	} {
		if got := mustCompile(t, text).Guesses(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}

	// A guess costs no memory.
	x := mustCompile(t, strings.Join([]string{
		`entry.operation == "delete"`, `entry.actor != "ci"`, `entry.resource_type in ["server", "storage"]`,
		`entry.time > timestamp("2020-01-01T00:00:00Z")`, `!entry.message.startsWith("x")`,
	}, " && "))
	e := &auditlog.Entry{Operation: auditlog.OperationDelete, ResourceType: "server", Actor: "alice", Time: moment}

	if n := testing.AllocsPerRun(100, func() {
		if ok, err := x.Match(e); !ok || err != nil {
			t.Error(ok, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
