// SPDX-License-Identifier: MPL-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func parserOf(t *testing.T) (*kong.Kong, arguments) {
	t.Helper()
	parser, shared, err := newParser(testEnvironment(t.Output(), t.Output(), nil))
	if err != nil {
		t.Fatal(err)
	}
	return parser, shared
}

// TestEveryFlagHasHelp, also one that shares an argument's.
func TestEveryFlagHasHelp(t *testing.T) {
	t.Parallel()
	parser, _ := parserOf(t)
	for _, command := range parser.Model.Children {
		for _, flag := range command.Flags {
			if flag.Help == "" {
				t.Errorf("auditlog %s --%s has no help", command.Name, flag.Name)
			}
		}
	}
}

// TestEveryArgumentIsAFlag: what can be asked in a configuration can be asked on a command line, in the same words.
func TestEveryArgumentIsAFlag(t *testing.T) {
	t.Parallel()
	parser, shared := parserOf(t)
	exported := map[string]bool{"--path": true}
	for _, name := range []string{
		"--compression", "--shape", "--csv-delimiter", "--csv-bom", "--spreadsheet-safe", "--file-permission",
		"--directory-permission", "--overwrite", "--allow-shrink",
	} {
		exported[name] = true
	}
	for _, command := range []string{"query", "export", "drift"} {
		at := slices.IndexFunc(parser.Model.Children, func(n *kong.Node) bool { return n.Name == command })
		flags := map[string]bool{}
		for _, flag := range parser.Model.Children[at].Flags {
			flags["--"+flag.Name] = true
		}
		var names []string
		for name := range shared.texts {
			names = append(names, name)
		}
		for name := range shared.numbers {
			names = append(names, name)
		}
		for name := range shared.switches {
			names = append(names, name)
		}
		if len(names) < 40 {
			t.Fatalf("only %d arguments", len(names))
		}
		for _, name := range names {
			if of := strings.HasPrefix(name, "--pipeline-"); flags[name] != (command == "drift") && of {
				t.Errorf("auditlog %s and %s", command, name)
			} else if of || command == "drift" {
				continue
			}
			if !flags[name] && (command == "export" || !exported[name]) {
				t.Errorf("auditlog %s has no %s", command, name)
			}
		}
	}
}
