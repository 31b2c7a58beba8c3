// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// pagesDir has the pages that TestPages writes of the command.
const pagesDir = "../../docs/cli"

// TestPages: docs/cli says what the code does, in Markdown and as man pages. UPDATE_GOLDEN=1 writes them, and make
// generate does.
func TestPages(t *testing.T) {
	t.Parallel()
	parser, _ := parserOf(t)
	connecting, err := connectionOf(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"README.md":      overview(parser.Model.Node),
		"connection.md":  connectionPage(connecting.Model.Node),
		"man/auditlog.1": manOverview(parser.Model.Node, connecting.Model.Node),
	}
	for _, command := range shownCommands(parser.Model.Node) {
		want[command.Name+".md"] = page(command)
		want["man/auditlog-"+command.Name+".1"] = manPage(command)
	}
	got := map[string]string{}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.RemoveAll(pagesDir); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			path := filepath.Join(pagesDir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = fs.WalkDir(os.DirFS(pagesDir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(pagesDir, filepath.FromSlash(path)))
		got[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/cli is not what the code says; run make generate. (-code +docs)\n%s", diff)
	}
}

// TestReadme: the README lists the same commands.
func TestReadme(t *testing.T) {
	t.Parallel()
	parser, _ := parserOf(t)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), commandsHead)
	_, after, end := strings.Cut(rest, "\n\n")
	if !ok || !end {
		t.Fatal("README.md has no table of commands")
	}
	want := before + commandTable(parser.Model.Node, "docs/cli/") + "\n" + after
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("../../README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(readme)); diff != "" {
		t.Errorf("run make generate (-code +README.md)\n%s", diff)
	}
}

const commandsHead = "| command | what it does |\n| --- | --- |\n"

func commandTable(root *kong.Node, dir string) string {
	var b strings.Builder
	b.WriteString(commandsHead)
	for _, command := range shownCommands(root) {
		_, _ = fmt.Fprintf(&b, "| [`%[1]s`](%[2]s%[1]s.md) | %[3]s |\n", command.Name, dir, cell(command.Help))
	}
	return b.String()
}

func shownCommands(root *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(root.Children), func(n *kong.Node) bool { return n.Hidden })
}

// section is a heading with flags or other terms, each explained.
type section struct {
	title string
	terms [][2]string
}

// sections are the arguments and the flags of a command, by group. What connection has is left to its page.
func sections(command *kong.Node) []section {
	var all []section
	for _, argument := range command.Positional {
		all = []section{{"Arguments", append(termsOf(all), [2]string{argument.Summary(), argument.Help})}}
	}
	var titles []string
	flags := map[string][][2]string{}
	for _, flag := range command.Flags {
		title := "Flags"
		switch {
		case flag.Hidden || inConnection(flag) && command.Parent != nil:
			continue
		case flag.Group != nil && flag.Group.Key != connection:
			title = flag.Group.Title
		}
		if !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
		flags[title] = append(flags[title], [2]string{written(flag), flag.Help})
	}
	// Those without a group come last: they matter least.
	slices.SortStableFunc(titles, func(a, b string) int { return bytes.Compare(flagsLast(a), flagsLast(b)) })
	for _, title := range titles {
		all = append(all, section{title, flags[title]})
	}
	return all
}

func termsOf(all []section) [][2]string {
	if len(all) == 0 {
		return nil
	}
	return all[0].terms
}

func flagsLast(title string) []byte {
	if title == "Flags" {
		return []byte{1}
	}
	return []byte{0}
}

// written is a flag as it is typed.
func written(flag *kong.Flag) string {
	text := "--" + flag.Name
	switch {
	case flag.Tag.Negatable != "":
		text = "--[no-]" + flag.Name
	case !flag.IsBool():
		text += "=" + flag.FormatPlaceHolder()
	}
	if flag.Short != 0 {
		text = "-" + string(flag.Short) + ", " + text
	}
	return text
}

const generated = "<!-- Written by make generate. -->\n"

func overview(root *kong.Node) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s# auditlog\n\n%s\n\n```text\nauditlog COMMAND [FLAGS]\n```\n\n"+
		"What a query can ask has the same names, the same forms and the same messages as in Terraform: "+
		"`resource_types` of `audit_logs` is `--resource-types`. Flags that take lists are repeated, or their values "+
		"separated by commas.\n\n## Commands\n\n", generated, root.Help)
	b.WriteString(commandTable(root, ""))
	b.WriteString("\n[How services are reached](connection.md) is the same for every command that reads a log: credentials, " +
		"endpoints and limits.\n\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n")
	for _, exit := range exitCodes {
		_, _ = fmt.Fprintf(&b, "| %d | %s |\n", exit.code, exit.meaning)
	}
	b.WriteString("\n## Man pages\n\n`man/` has a man page for each command, and so has the archive of a release. " +
		"Copy them to where `man` looks:\n\n```sh\nmkdir -p ~/.local/share/man/man1\n" +
		"cp man/*.1 ~/.local/share/man/man1/\nman auditlog-query\n```\n")
	return b.String()
}

func page(command *kong.Node) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s# auditlog %s\n\n%s\n\n```text\n%s\n```\n", generated, command.Name, command.Help,
		"auditlog "+command.Summary())
	if command.Detail != "" {
		b.WriteString("\n" + fenced(command.Detail))
	}
	for _, s := range sections(command) {
		writeTable(&b, s)
	}
	if slices.ContainsFunc(command.Flags, inConnection) {
		b.WriteString("\n## " + connection + "\n\nCredentials come from the environment. [One page](connection.md) for all " +
			"commands lists the variables, and the flags that say how a service is reached.\n")
	}
	b.WriteString("\n[All commands](README.md), and what their [exit codes](README.md#exit-codes) mean.\n")
	return b.String()
}

func connectionPage(node *kong.Node) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s# %s\n\nThe same for every command that reads a log. What a flag says wins over the "+
		"environment.\n\n## Environment\n\nCredentials come from the environment alone, since others see a command line.\n\n"+
		"| variable | for |\n| --- | --- |\n", generated, connection)
	for _, v := range variables {
		_, _ = fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(v.name, ", ", "`, `"), cell(v.use))
	}
	b.WriteString("\nPodStack has no API, and needs no credential: `--podstack-exports` names the files that its console exported.\n")
	for _, s := range sections(node) {
		writeTable(&b, s)
	}
	return b.String()
}

func writeTable(b *strings.Builder, s section) {
	_, _ = fmt.Fprintf(b, "\n## %s\n\n| %s | meaning |\n| --- | --- |\n", s.title,
		strings.ToLower(strings.TrimSuffix(map[bool]string{true: s.title, false: "Flags"}[s.title == "Arguments"], "s")))
	for _, term := range s.terms {
		_, _ = fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(term[0], "|", `\|`), cell(term[1]))
	}
}

var markdown = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`, "`", "\\`")

func cell(text string) string { return strings.ReplaceAll(markdown.Replace(text), "|", `\|`) }

// fenced is the text of a help in Markdown: what is indented there is code.
func fenced(detail string) string {
	var b strings.Builder
	for paragraph := range blocks(detail) {
		if !strings.HasPrefix(paragraph, "    ") {
			b.WriteString(markdown.Replace(paragraph) + "\n\n")
			continue
		}
		code := strings.ReplaceAll(paragraph[4:], "\n    ", "\n")
		language := "text"
		if strings.Contains(code, "auditlog ") {
			language = "sh"
		}
		_, _ = fmt.Fprintf(&b, "```%s\n%s\n```\n\n", language, code)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// blocks are the paragraphs of a help, and what is indented in one piece.
func blocks(detail string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var block []string
		for paragraph := range strings.SplitSeq(strings.TrimSpace(detail), "\n\n") {
			if code := strings.HasPrefix(paragraph, "    "); len(block) > 0 && code == strings.HasPrefix(block[0], "    ") && code {
				block = append(block, paragraph)
				continue
			}
			if len(block) > 0 && !yield(strings.Join(block, "\n\n")) {
				return
			}
			block = []string{paragraph}
		}
		yield(strings.Join(block, "\n\n"))
	}
}

// manual is a man page: md2man makes it of Markdown.
func manual(name, what, synopsis, body string) string {
	text := fmt.Sprintf("%% %s 1 \"\" auditlog \"User Commands\"\n\n# NAME\n\n%s - %s\n\n# SYNOPSIS\n\n%s\n\n%s",
		strings.ToUpper(name), name, markdown.Replace(strings.TrimSuffix(what, ".")), synopsis, body)
	return string(md2man.Render([]byte(text)))
}

func manPage(command *kong.Node) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "# DESCRIPTION\n\n%s\n\n%s\n\n", markdown.Replace(command.Help), indented(command.Detail))
	for _, s := range sections(command) {
		writeTerms(&b, s)
	}
	writeExit(&b)
	seeAlso := "**auditlog**(1)"
	if slices.ContainsFunc(command.Flags, inConnection) {
		seeAlso += " has the variables and the flags that say how services are reached."
	}
	b.WriteString("# SEE ALSO\n\n" + seeAlso + "\n")
	return manual("auditlog-"+command.Name, command.Help, "**auditlog** "+markdown.Replace(command.Summary()), b.String())
}

func manOverview(root, connecting *kong.Node) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "# DESCRIPTION\n\n%s\n\n", markdown.Replace(root.Help))
	commands := section{title: "Commands"}
	for _, command := range shownCommands(root) {
		commands.terms = append(commands.terms, [2]string{"auditlog-" + command.Name + "(1)", command.Help})
	}
	environment := section{title: "Environment"}
	for _, v := range variables {
		environment.terms = append(environment.terms, [2]string{v.name, v.use})
	}
	writeTerms(&b, commands)
	writeTerms(&b, environment)
	for _, s := range sections(connecting) {
		writeTerms(&b, section{connection, s.terms})
	}
	writeExit(&b)
	return manual("auditlog", root.Help, "**auditlog** COMMAND \\[FLAGS]", b.String())
}

func writeTerms(b *strings.Builder, s section) {
	_, _ = fmt.Fprintf(b, "# %s\n\n", strings.ToUpper(s.title))
	for _, term := range s.terms {
		_, _ = fmt.Fprintf(b, "**%s**\n: %s\n\n", markdown.Replace(term[0]), markdown.Replace(term[1]))
	}
}

func writeExit(b *strings.Builder) {
	s := section{title: "Exit status"}
	for _, exit := range exitCodes {
		s.terms = append(s.terms, [2]string{fmt.Sprint(exit.code), exit.meaning})
	}
	writeTerms(b, s)
}

// indented is the text of a help for md2man, which takes what is indented for code as well.
func indented(detail string) string {
	var paragraphs []string
	for paragraph := range blocks(detail) {
		if !strings.HasPrefix(paragraph, "    ") {
			paragraph = markdown.Replace(paragraph)
		}
		paragraphs = append(paragraphs, paragraph)
	}
	return strings.Join(paragraphs, "\n\n")
}

// TestVariables: the provider's documentation lists the same variables of the environment.
func TestVariables(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile("../../docs/index.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, v := range variables {
		for name := range strings.SplitSeq(v.name, ", ") {
			listed[name] = true
		}
	}
	ofTerraform := []string{"AUDIT_SIGNING_KEY", "AUDIT_PREVIOUS_SIGNING_KEY"} // Only it writes archives.
	for line := range strings.Lines(string(index)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		names, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		for name := range strings.SplitSeq(names, ", ") {
			name = strings.Trim(name, "`…")
			if name == "" || strings.ToUpper(name) != name || slices.Contains(ofTerraform, name) {
				continue
			}
			if !listed[name] {
				t.Errorf("auditlog help connection does not say %s, which docs/index.md has", name)
			}
			delete(listed, name)
		}
	}
	script, err := os.ReadFile("../../scripts/with-terraform.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, cloud := range auditlog.Clouds() {
		prefix := strings.ToUpper(cloud) + "_"
		if !strings.Contains(string(script), prefix+"*") {
			t.Errorf("scripts/with-terraform.sh leaves %s* to tests, which would reach a real cloud", prefix)
		}
		ofCloud := func(v struct{ name, use string }) bool { return strings.HasPrefix(v.name, prefix) }
		if cloud != auditlog.ServicePodStack && !slices.ContainsFunc(variables, ofCloud) {
			t.Errorf("auditlog help connection does not say how %s gets a credential", cloud)
		}
	}
	delete(listed, "NO_COLOR") // Terraform has its own.
	if len(listed) > 0 {
		t.Errorf("docs/index.md does not have %v", slices.Sorted(maps.Keys(listed)))
	}
}
