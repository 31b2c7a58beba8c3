// SPDX-License-Identifier: MPL-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
)

// TestACommandHasWordsForEverySlot reads the slots off the source. The flags among them are flags.
func TestACommandHasWordsForEverySlot(t *testing.T) {
	t.Parallel()

	flags := map[string]bool{}
	command, _ := parserOf(t)

	for _, node := range command.Model.Children {
		for _, flag := range node.Flags {
			flags["--"+flag.Name] = true
		}
	}

	// What only a resource or a look-up of Terraform says: no command writes an archive or a state.
	for _, name := range []string{
		"--attestation-required", "--object-lock", "--on-changed", "--max-entries", "--on-overflow", "--include-entries",
	} {
		if flags[name] {
			t.Errorf("%s is a flag now", name)
		}

		flags[name] = true
	}

	isFlag := regexp.MustCompile(`--[a-z][a-z-]*`)

	slot := regexp.MustCompile(`\{[^{}]+\}`)
	seen := 0

	for _, pattern := range []string{"explain", "query", "source", "task"} {
		files, err := filepath.Glob("../../internal/" + pattern + "/*.go")
		if err != nil {
			t.Fatal(err)
		}

		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || filepath.Base(name) == "flags.go" {
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

					if s = strings.Trim(s, "{}"); explain.Flags(s) == s {
						t.Errorf("%s: the command has no words for %q", name, s)
					}

					for _, flag := range isFlag.FindAllString(explain.Flags(strings.ReplaceAll(s, "%s", "upcloud")), -1) {
						if !flags[flag] {
							t.Errorf("%s: %q becomes %s, which is no flag", name, s, flag)
						}
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
