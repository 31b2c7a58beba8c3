// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestTextsAreInAFrontEndsWords(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		text             Text
		terraform, flags string
	}{
		{
			"Raise {max_retries}{ in the provider configuration}.", "Raise max_retries in the provider configuration.",
			"Raise --max-retries.",
		},
		{"Set {overwrite = true}.", "Set overwrite = true.", "Set --overwrite."},
		{Textf("Set {accept_gap_after = %d}.", 7), "Set accept_gap_after = 7.", "Set --accept-gap-after=7."},
		{Textf("Set {account = %q}.", "a{b}"), `Set account = "a{b}".`, ""},
		{"Give {{ size = 10 }}, or {{}}.", "Give { size = 10 }, or {}.", "Give { size = 10 }, or {}."},
		{"It is " + Plain("{settle_delay} } {"), "It is {settle_delay} } {", "It is {settle_delay} } {"},
	} {
		if got := tt.text.In(Terraform); got != tt.terraform {
			t.Errorf("%q: got %q", tt.text, got)
		}

		if got := tt.text.In(Flags); got != tt.flags && tt.flags != "" {
			t.Errorf("%q: got %q", tt.text, got)
		}
	}
}

// TestACommandHasWordsForEverySlot reads the slots off the source.
func TestACommandHasWordsForEverySlot(t *testing.T) {
	t.Parallel()

	slot := regexp.MustCompile(`\{[^{}]+\}`)
	seen := 0

	for _, pattern := range []string{"*.go", "../query/*.go", "../source/*.go", "../task/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}

		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || name == "flags.go" {
				continue
			}

			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}

			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}

				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}

				if strings.Contains(text, "%s = %s") {
					return true // A value, not a text.
				}

				for _, s := range slot.FindAllString(text, -1) {
					seen++

					if s = strings.Trim(s, "{}"); Flags(s) == s {
						t.Errorf("%s: the command has no words for %q", name, s)
					}
				}

				return true
			})
		}
	}

	if seen < 50 {
		t.Errorf("only %d slots were found", seen)
	}
}
