// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		``, `entry.operation == "delete" && entry.actor != "ci"`, `entry.operaton == "x"`, "entry.actor ==\n \"é",
		`ip_in(entry.ip_address, ["10.0.0.0/8"])`,
		`entry.changes.exists(c, c.field == "x")`, `has(entry.raw.a)`, `entry.actor.matches("(a{30}){30}")`, `not x`,
		`a <> b`, `((`, `"\q"`, `entry{}`,
		`timestamp("x") > entry.time`, `entry.time.getHours("+01:00") > 2`, `1 in [1, "a"]`, `[1].all(entry, true)`,
		"true\r\n&& x", `entry.raw["a"][0].b ? true : false`,
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			t.Skip("CEL takes its time over long conditions")
		}

		x, err := where.Compile(text)
		if err != nil {
			checkPlace(t, text, err)

			return
		}

		again, err := where.Compile(x.String())
		if err != nil || again.String() != text {
			t.Fatalf("%q compiles once: %v", text, err)
		}

		for _, e := range []*auditlog.Entry{sample(), full(), telling(), {}} {
			ok, err := x.Match(e)
			okAgain, errAgain := again.MatchByCEL(e)

			if ok != okAgain || (err == nil) != (errAgain == nil) {
				t.Fatalf("%q: %v, %v and then %v, %v", text, ok, err, okAgain, errAgain)
			}

			evalErr := (*where.EvalError)(nil)
			if err != nil &&
				(!errors.As(err, &evalErr) || strings.Contains(evalErr.Error()+evalErr.Advice, "SECRET") &&
					!strings.Contains(text, "SECRET")) {
				t.Fatalf("%q: %v", text, err)
			}

			if ok &&
				!x.Possible(auditlog.Query{}.Scope(auditlog.Info{Name: e.Service, Operations: []auditlog.Operation{e.Operation}})) {
				t.Fatalf("%q is impossible and matches", text)
			}
		}
	})
}

// checkPlace checks that an error lies within the text, or behind its last
// character where something is missing.
func checkPlace(t *testing.T, text string, err error) {
	t.Helper()

	e := (*where.Error)(nil)
	if !errors.As(err, &e) {
		t.Fatalf("%q: %v", text, err)
	}

	lines := strings.Split(text, "\n")
	if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > utf8.RuneCountInString(lines[e.Line-1])+1 ||
		e.Reason == "" {
		t.Fatalf("%q: %v", text, err)
	}

	if strings.Contains(e.Reason, "\n") || strings.Contains(e.Reason, "<input>") ||
		strings.Contains(e.Reason, "Syntax error") {
		t.Fatalf("%q: %q", text, e.Reason)
	}

	_ = e.Pointer()
}
