// SPDX-License-Identifier: MPL-2.0

package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
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

// TestWhatIsSaidOfACloudIsHowItIsAsked: a flag of a cloud that nobody reads would be without effect, and silent.
func TestWhatIsSaidOfACloudIsHowItIsAsked(t *testing.T) {
	t.Parallel()
	const endpoint = "https://audit.example.com"
	for _, cloud := range auditlog.Clouds() {
		if cloud == auditlog.ServicePodStack {
			continue // It is read from files.
		}
		var c connecting
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		flags := []string{"--" + cloud + "-endpoint", endpoint, "--" + cloud + "-retention", "3d"}
		if _, err := parser.Parse(flags); err != nil {
			t.Fatal(err)
		}
		sources := source.Configure((&asking{connecting: c}).config(), source.Options{
			Clock:     time.Now,
			LookupEnv: func(name string) (string, bool) { return "x", strings.HasSuffix(name, "_TOKEN") },
		})
		service, wrong, _ := sources.Service("", cloud)
		if wrong != nil {
			t.Errorf("%s: %v", cloud, wrong)
		} else if info := service.Info(); info.Source.Endpoint != endpoint || info.Retention != 3*24*time.Hour {
			t.Errorf("%s: %s, %s", cloud, info.Source.Endpoint, info.Retention)
		}
	}
}

// TestExamples: whatever a help shows can be typed.
func TestExamples(t *testing.T) {
	t.Parallel()
	parser, _ := parserOf(t)
	for _, command := range parser.Model.Children {
		if command.Hidden {
			continue
		}
		lines := examplesIn(command.Detail)
		if len(lines) == 0 {
			t.Errorf("auditlog %s --help has no example", command.Name)
		}
		for line := range strings.SplitSeq(command.Detail, "\n") {
			if len([]rune(line)) > 80 && strings.Contains(line, "auditlog ") && strings.HasPrefix(line, "    ") {
				t.Errorf("auditlog %s --help shows an example that is wider than a terminal: %s", command.Name, line)
			}
		}
		for _, line := range lines {
			if _, err := parser.Parse(wordsOf(line)[1:]); err != nil {
				t.Errorf("auditlog %s --help shows %q: %v", command.Name, line, err)
			}
		}
	}
}

var exampleLine = regexp.MustCompile(`^ {4}(?:\(cd \S+ && |source <\()?(auditlog .*)$`)

// examplesIn are the command lines in a help, without what follows them.
func examplesIn(help string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(help, "\\\n", " ")) {
		if m := exampleLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			lines = append(lines, regexp.MustCompile(`\)? +#.*| \|.*| >.*|\)$`).ReplaceAllString(m[1], ""))
		}
	}
	return lines
}

// wordsOf splits a line as a shell does, as far as examples need it.
func wordsOf(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	return words
}

// TestHelpSaysTheSettleDelayThatHolds: commands that write files leave the newest minute out, as the provider does.
func TestHelpSaysTheSettleDelayThatHolds(t *testing.T) {
	t.Parallel()

	command, _ := parserOf(t)
	want := map[string]string{
		"query": "Default: 0s.", "export": "Default: 1m.", "report": "Default: 1m.",
		"check": "Default: 0s, and 1m with --state.",
	}

	for _, node := range command.Model.Children {
		for _, flag := range node.Flags {
			if text := want[node.Name]; flag.Name == "settle-delay" && text != "" && !strings.HasSuffix(flag.Help, text) {
				t.Errorf("%s: %s", node.Name, flag.Help)
			}
		}
	}
}
