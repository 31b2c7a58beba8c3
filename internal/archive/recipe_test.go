// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// TestRecipe: what the documentation says an auditor can do without any of our
// code works, and catches what it says it catches.
func TestRecipe(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the script has no data races; make simulate runs this")
	}

	for _, tool := range []string{"sh", "jq", "sha256sum", "comm", "cmp", "mktemp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the recipe needs %s, which is not installed", tool)
		}
	}

	recipe, err := filepath.Abs("../../examples/archive/verify.sh")
	if err != nil {
		t.Fatal(err)
	}

	f := built(t, format.NDJSON, format.Gzip)
	store, head := f.store, f.head
	head6 := fmt.Sprintf("%d:%s", head.Sequence, head.SHA256)

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

		out, err := exec.CommandContext(t.Context(), "sh", recipe, dir, head6).CombinedOutput()
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

	put := func(name, text string) func(string) {
		return func(dir string) {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(name, to string) func(string) {
		return func(dir string) {
			if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := func(changes ...func(string)) func(string) {
		return func(dir string) {
			for _, change := range changes {
				change(dir)
			}
		}
	}
	manifest := func(n int) string { return store.keyOf(t, "manifests/", n) }

	check("untouched", func(string) {}, "OK: 6 segments, 24 entries, head "+head6)
	check("no tiles, which follow from the rest", func(dir string) {
		if err := os.RemoveAll(filepath.Join(dir, "tile")); err != nil {
			t.Fatal(err)
		}
	}, "OK: 6 segments, 24 entries, head "+head6)
	check("an altered manifest", write(manifest(2), more), manifest(2)+" is not manifest 2, or was altered")
	check("the last manifest", write(manifest(6), more), manifest(6)+" is not manifest 6, or was altered")
	check("a missing manifest", remove(manifest(3)), "the checkpoint is of 6 manifests, and there are 5")
	check("a missing segment", remove("entries/*/*/00000004-*"), "is missing")
	check("an altered segment", write(store.keyOf(t, "entries/", 4), more), store.keyOf(t, "entries/", 4)+
		" is not what manifest 4 says")
	check("a missing supplement", remove("supplements/00000004-*"), "is missing")
	check("an altered supplement", write(store.keyOf(t, "supplements/", 4), more), store.keyOf(t, "supplements/", 4)+
		" is not what manifest 4 says")
	check("another text for people", write("README.txt", more), "README.txt is not what manifest 1 says")
	check("a copy", write("checkpoint", func(s string) string { return strings.Replace(s, "\n6\n", "\n5\n", 1) }),
		"the checkpoint is not a copy")
	check("no copy", remove("checkpoint"), "there is no checkpoint")
	check("no checkpoint", remove("checkpoints/00000006"), "the checkpoint is not a copy")
	check("a checkpoint before", remove("checkpoints/00000002"), "other files than are there: checkpoints/00000002")
	check("a checkpoint after", put("checkpoints/00000007", "x"), "other files than are there: checkpoints/00000007")

	// The tail is gone, and an older checkpoint is in the place of the last.
	cut := all(remove("checkpoints/00000006"), remove("manifests/00000006-*"), remove("supplements/00000006-*"),
		remove("entries/*/*/00000006-*"))
	check("a cut tail", cut, "the checkpoint is not a copy")
	check("a cut tail, and an older checkpoint",
		all(cut, put("checkpoint", string(store.objects["checkpoints/00000005"]))), "the archive ends before manifest 6")

	// One who recomputes all that holds no key.
	rewritten := forged(t, store, 3, func(m *archive.Manifest) { m.Tool = "another" })
	whole := store.objects
	store.objects = rewritten.objects
	check("a rewritten history", func(string) {}, "is not the one remembered")

	store.objects = forged(t, &memory{objects: whole}, 3,
		func(m *archive.Manifest) { m.Previous = strings.Repeat("0", 64) }).objects
	check("another chain", func(string) {}, "does not follow the one before it")

	manifests := manifestsOf(t, &memory{objects: whole})
	store.objects = rebuilt(t, &memory{objects: whole}, slices.Insert(manifests, 3, manifests[2]), nil).objects
	check("the same twice", func(string) {}, "is in the wrong place")

	store.objects = whole

	for _, name := range []string{
		"entries/x", "x", ".x", "manifests/x", "manifests/.x.json", "manifests/00000007-0123456789abcdef.json",
		"supplements/00000006-0123456789abcdef.json", "claims/00000001.1.json",
		".audit-part-ABCDEFGHIJKL", "tile/x", "tile/0/.x", "tile/000", "tile/0/000.p/x", "a b", "a\nb", "x/checkpoint",
		"x\ncheckpoint", "$(touch y)",
	} {
		check("another file: "+name, put(name, "x"), "NOT OK")
	}

	for _, name := range []string{
		"x", "manifests/00000007-0123456789abcdef.json", "tile/0/001",
		"entries/cloud=upcloud/x",
	} {
		check("a link: "+name, link(name, filepath.Join(t.TempDir(), "x")), "NOT OK")
	}

	for _, key := range []string{
		"checkpoint", "checkpoints/00000003", manifest(3), store.keyOf(t, "entries/", 3),
		store.keyOf(t, "supplements/", 3), "README.txt", "tile/0/000.p/6",
	} {
		check("a link at "+key, func(dir string) {
			elsewhere := filepath.Join(t.TempDir(), "x")
			path := filepath.Join(dir, filepath.FromSlash(key))

			if err := errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path)); err != nil {
				t.Fatal(err)
			}
		}, "NOT OK")
	}

	text, err := os.ReadFile(recipe)
	if lines := strings.Count(string(text), "\n"); err != nil || lines > 60 {
		t.Errorf("it has %d lines, %v", lines, err)
	}
}

// TestRecipeOfAnEmptyArchive: it has no manifest yet.
func TestRecipeOfAnEmptyArchive(t *testing.T) {
	t.Parallel()

	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip(err)
	}

	dir := t.TempDir()

	store, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	w.mustApply(w.options(store))

	out, err := exec.CommandContext(t.Context(), "sh", "../../examples/archive/verify.sh", dir).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "OK: 0 segments, 0 entries") {
		t.Errorf("%v, %s", err, out)
	}
}

// TestRecipeOfAttestedArchives: what witnesses and time stamp authorities have added is known to it.
func TestRecipeOfAttestedArchives(t *testing.T) {
	t.Parallel()

	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip(err)
	}

	a := newAttested(t, 1, 1)
	a.mustRun(t)
	a.mustRun(t)

	dir := directoryOf(t, a.store)

	out, err := exec.CommandContext(t.Context(), "sh", "../../examples/archive/verify.sh", dir).CombinedOutput()
	if err != nil {
		t.Errorf("an attested archive that nobody has touched: %v, %s", err, out)
	}

	for key, text := range map[string]string{
		"cosigned/00000002":       "x",
		"cosigned/00000001":       string(a.store.objects["checkpoints/00000002"]),
		"cosigned/00000003":       string(a.store.objects["checkpoints/00000002"]),
		"timestamps/00000003.tsr": "x",
		"checkpoint":              string(a.store.objects["cosigned/00000001"]),
	} {
		path := filepath.Join(directoryOf(t, a.store), filepath.FromSlash(key))
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}

		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		if out, err := exec.CommandContext(t.Context(), "sh", "../../examples/archive/verify.sh",
			strings.TrimSuffix(path, filepath.FromSlash(key))).CombinedOutput(); err == nil {
			t.Errorf("%s: %s", key, out)
		}
	}
}

// TestRecipeOfHeads: a head that is not one, or is not written as the script expects, is an error.
func TestRecipeOfHeads(t *testing.T) {
	t.Parallel()

	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip(err)
	}

	f := built(t, format.NDJSON, format.Uncompressed)
	dir := directoryOf(t, f.store)

	for _, head := range []string{
		"", "x", "0:", "3:", "\n3:" + strings.Repeat("0", 64),
		fmt.Sprintf("6:%s\n", f.head.SHA256), "7:" + f.head.SHA256, "03:" + strings.Repeat("0", 64),
		" 3:" + strings.Repeat("0", 64), "+3:" + strings.Repeat("0", 64),
	} {
		out, err := exec.CommandContext(t.Context(), "sh", "../../examples/archive/verify.sh", dir, head).CombinedOutput()
		if err == nil {
			t.Errorf("%q is none of its heads, and verify.sh says %s", head, out)
		}
	}
}
