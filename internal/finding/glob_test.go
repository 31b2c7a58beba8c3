// SPDX-License-Identifier: MPL-2.0

package finding_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
)

// TestGlobs: a star and a question mark are all that mean anything else than
// themselves.
func TestGlobs(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{`CORP\jdoe`, `CORP\jdoe`, true},
		{`CORP\jdoe`, `CORPjdoe`, false},
		{`CORP\*`, `CORP\jdoe`, true},
		{`CORP\*`, `CORP*`, false},
		{`a\`, `a\`, true},
		{`[a-z]`, `[a-z]`, true},
		{`[a-z]`, `b`, false},
		{`[`, `[`, true},
		{`a]`, `a]`, true},
		{`[^x]*`, `[^x]yz`, true},
		{`{a,b}`, `a`, false},
		{`{a,b}`, `{a,b}`, true},
		{`(a|b).+$^`, `(a|b).+$^`, true},
		{`ci/*`, `ci/a/b`, true},
		{`ci-*`, `ci-`, true},
		{`*ci*`, "a\nci\nb", true},
		{`a?c`, "a\nc", true},
		{`a?c`, `ac`, false},
		{`a?c`, `abbc`, false},
		{`j?rg`, "j\u00f6rg", true},
		{`j?rg`, "jo\u0308rg", true},
		{"jo\u0308rg", "j\u00f6rg", true},
		{"j\u00f6*", "jo\u0308rg", true},
		{`j??rg`, "j\u00f6rg", false},
		{`x*??b*`, "x\u20acbz", false},
		{`x*?b*`, "x\u20acbz", true},
		{`x?`, "x\xff", true},
		{"x\ufffd", "x\xff", true},
		{`ab*`, `AB`, false},
		{`*a`, `ba`, true},
		{`*a`, `ab`, false},
		{`a*b*c`, `aXbYbZc`, true},
		{`a*b*c`, `aXcYb`, false},
		{`a**b`, `ab`, true},
		{`*\*`, `x\y`, true},
		{`a*`, ``, false},
	} {
		if got := finding.GlobMatch(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.text, got)
		}
	}
}

// TestGlobsAreRegularExpressions compares with the pattern written as one.
func TestGlobsAreRegularExpressions(t *testing.T) {
	t.Parallel()

	words := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "b", "\u00eb", "\u20ac", "\\", "[", "]", "-", ".", "\n", "e",
		"\u0308", "\xff",
	}), 1, 8)
	wild := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "b", "\u00eb", "\u20ac", "\\", "[", "]", "-", ".", "\n", "*",
		"*", "*", "?", "?",
	}), 1, 8)

	rapid.Check(t, func(t *rapid.T) {
		pattern, text := strings.Join(wild.Draw(t, "pattern"), ""), strings.Join(words.Draw(t, "text"), "")

		translated := strings.NewReplacer(`\*`, `.*`, `\?`,
			`.`).Replace(regexp.QuoteMeta(strings.ReplaceAll(pattern, `\`, "\x00")))
		translated = `(?s)^(?:` + strings.ReplaceAll(translated, "\x00", `\\`) + `)$`

		want := regexp.MustCompile(translated).MatchString(auditlog.Normal(text))
		if got := finding.GlobMatch(pattern, text); got != want {
			t.Fatalf("%q matches %q: %v, but %s: %v", pattern, text, got, translated, want)
		}
	})
}

// TestGlobsTakeNoTime: stars do not multiply.
func TestGlobsTakeNoTime(t *testing.T) {
	t.Parallel()

	// Otherwise this would not end.
	for _, pattern := range []string{"*a*a*a*a*a*a*a*a*a*a*b", strings.Repeat("a*", 50) + "b", strings.Repeat("*?", 50) +
		"b", strings.Repeat("?", 1000) + "*b"} {
		if finding.GlobMatch(pattern, strings.Repeat("a", 100_000)) {
			t.Errorf("%.30s matches", pattern)
		}
	}
}

// TestExpectationsThatLeaveNothingOut: a pattern of wildcards alone is as good as none.
func TestExpectationsThatLeaveNothingOut(t *testing.T) {
	t.Parallel()

	for pattern, refused := range map[string]bool{
		"*": true, "?*": true, "*?": true, "**": true, "??": true, "?": true, "a*": false, `\*`: false, "[*]": false,
		"*-*": false,
	} {
		for name, x := range map[string]finding.Expectation{
			"actors": {Actors: []string{"ci", pattern}}, "resource_types": {ResourceTypes: []string{pattern}},
			"resource_names": {ResourceNames: []string{pattern}},
			"all of them":    {Actors: []string{pattern}, ResourceTypes: []string{"?*"}, ResourceNames: []string{"*"}},
		} {
			found := finding.Options{Builtins: []string{"deletion"}, Expected: []finding.Expectation{x}}.Check()

			if (len(found) > 0) != refused || refused &&
				!strings.Contains(found[0].Reason, "the expectation leaves nothing out") {
				t.Errorf("%s of %q: %v", name, pattern, found)
			}
		}
	}
}
