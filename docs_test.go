// SPDX-License-Identifier: MPL-2.0

package main_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// texts are the pages that people read, and the examples, by path.
func texts(t *testing.T, extensions ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, root := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "design", "docs", "examples"} {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains(extensions, filepath.Ext(file)) {
				return err
			}
			text, err := os.ReadFile(file)
			all[filepath.ToSlash(file)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d files", len(all))
	}
	return all
}

var (
	codeBlock = regexp.MustCompile("(?s)```[a-z]*\n.*?\n *```")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchor    = regexp.MustCompile(`<a id="([^"]+)">`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N}\p{M} _-]`)
)

// repository is where links lead that have to work from elsewhere.
const repository = "https://github.com/auditlogs/terraform-provider-audit/blob/main/"

// TestLinks: what a page links to is there, with the heading that it names. The first page of the Registry is served
// without a slash behind it, so that none of its links may be relative.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages := texts(t, ".md")
	count := 0
	for page, text := range pages {
		// What looks like a link in code is none.
		prose := codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(text, ""), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			file, ours := strings.CutPrefix(target, repository)
			switch {
			case ours:
			case strings.Contains(target, ":"):
				continue
			case target == "":
				file = page
			case page == "docs/index.md":
				t.Errorf("%s: the link to %s is relative", page, m[1])
				continue
			default:
				file = path.Join(path.Dir(page), target)
			}
			count++
			published := func(page string) bool {
				return strings.HasPrefix(page, "docs/") && !strings.HasPrefix(page, "docs/cli/")
			}
			if published(page) && !ours && !published(file) {
				t.Errorf("%s: the link to %s leads to what the Registry does not have", page, m[1])
			}
			if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
			} else if fragment != "" && !slices.Contains(anchors(pages[file]), fragment) {
				t.Errorf("%s: the link to %s names a heading that there is not", page, m[1])
			}
		}
	}
	if count < 200 {
		t.Errorf("only %d links were found", count)
	}
}

// anchors are the places of a page that a link can name, by GitHub's rule, which the Registry shares.
func anchors(text string) []string {
	var all []string
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		title := link.ReplaceAllString(strings.ReplaceAll(m[1], "[", ""), "")
		all = append(all, strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-"))
	}
	return all
}

var reading = regexp.MustCompile(`(?m)^ *(?:data|resource|ephemeral) "audit_(?:logs|log_\w+)" "\w+" \{$`)

// TestExamplesNameTheirService: whoever has the credentials of two clouds has to say which one is read. An example that
// does not say it fails for them.
func TestExamplesNameTheirService(t *testing.T) {
	t.Parallel()
	count := 0
	for file, text := range texts(t, ".md", ".tf", ".hcl") {
		for _, at := range reading.FindAllStringIndex(text, -1) {
			head := text[at[0]:at[1]]
			// What Terraform prints of a line is no example, and "# …" stands for what is shown elsewhere.
			body, _, ok := strings.Cut(text[at[1]:], "\n"+strings.Repeat(" ", len(head)-len(strings.TrimLeft(head, " ")))+"}\n")
			if !ok || strings.Contains(head, "audit_log_verification") || strings.HasPrefix(strings.TrimSpace(body), "# …") {
				continue
			}
			count++
			if !regexp.MustCompile(`(?m)^\s*service\s*=`).MatchString(body) {
				t.Errorf("%s: %s has no service", file, strings.TrimSpace(head))
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d blocks were found", count)
	}
}
