// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// TestRecipe: what the documentation says an auditor can do without any of our
// code works, and catches what it says it catches.
func TestRecipe(t *testing.T) {
	t.Parallel()

	for _, tool := range []string{"sh", "jq", "sha256sum", "base64", "od"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the recipe needs %s, which is not installed", tool)
		}
	}

	recipe, err := filepath.Abs("../../examples/archive/verify.sh")
	if err != nil {
		t.Fatal(err)
	}

	f := built(t, export.FormatNDJSON, export.CompressionGzip)
	store, head := f.store, f.head
	remembered := fmt.Sprintf("%d:%s", head.Sequence, head.SHA256)

	check := func(name string, change func(dir string), want string) {
		t.Helper()

		dir := t.TempDir()

		to, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
		if err != nil {
			t.Fatal(err)
		}

		for key, data := range store.objects {
			if err := to.Create(t.Context(), key, data); err != nil {
				t.Fatal(err)
			}
		}

		change(dir)

		out, err := exec.CommandContext(t.Context(), "sh", recipe, dir, remembered).CombinedOutput()
		if ok := err == nil; ok != strings.HasPrefix(want, "OK") || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}

	write := func(name string, edit func(string) string) func(string) {
		return func(dir string) {
			path := filepath.Join(dir, name)

			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}

			if err := os.WriteFile(path, []byte(edit(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(pattern string) func(string) {
		return func(dir string) {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(names) == 0 {
				t.Fatal(names, err)
			}

			for _, name := range names {
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	more := func(text string) string { return text + "\n" }

	check("untouched", func(string) {}, "OK: 6 segments, 24 entries, head "+remembered)
	check("an altered manifest", write("manifests/00000002.json", more), "manifests/00000003.json does not follow")
	check("the last manifest", write("manifests/00000006.json", more), "manifests/00000006.json is not the one remembered")
	check("a missing manifest", remove("manifests/00000003.json"), "manifest 3 is missing")
	check("a missing segment", remove("entries/*/*/00000004-*"), "is missing")
	check("a checkpoint", write("checkpoint", func(s string) string { return strings.Replace(s, "\n6\n", "\n5\n", 1) }), "the checkpoint does not name manifest 6")
	check("a cut tail", func(dir string) {
		remove("manifests/00000006.json")(dir)
		remove("entries/*/*/00000006-*")(dir)
	}, "the checkpoint does not name manifest 5")
	check("a foreign file", func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "entries", "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}, "no manifest names")
}
