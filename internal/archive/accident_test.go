// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

const restored = "it matches after line endings are restored, which programs such as Git change"

// TestVerifyTellsChangedLineEndings from changes of what the files say. Both fail.
func TestVerifyTellsChangedLineEndings(t *testing.T) {
	t.Parallel()

	for _, compression := range []format.Compression{format.Uncompressed, format.Gzip} {
		f := built(t, format.NDJSON, compression)

		for name, o := range map[string]archive.VerifyOptions{
			"all that is known": {Verifiers: []note.Verifier{f.verifier}, Head: &f.head}, "nothing": {},
		} {
			changed := newMemory()
			want := []string{}

			for key, data := range f.store.objects {
				// Compressed segments may have both kinds of line endings by chance.
				if bytes.Contains(data, []byte("\r\n")) {
					changed.objects[key] = data

					continue
				}

				if changed.objects[key] = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")); !bytes.Equal(changed.objects[key],
					data) {
					want = append(want, key)
				}
			}

			report, err := archive.Verify(t.Context(), changed, o)
			if err != nil {
				t.Fatal(err)
			}

			var got []string

			for _, p := range report.Problems {
				got = append(got, p.Key)

				if p.Finding != archive.FindingAltered || !strings.HasSuffix(p.Detail, restored) {
					t.Errorf("%s: %+v", name, p)
				}
			}

			slices.Sort(got)
			slices.Sort(want)

			if report.Valid || !slices.Equal(got, want) || report.Head != f.head ||
				(report.SignedBy == "") != (o.Verifiers == nil) {
				t.Errorf("%s: got %v, want %v, head %v", name, got, want, report.Head)
			}

			// A change that line endings do not explain is not excused by them.
			for _, key := range want {
				if strings.HasPrefix(key, "checkpoint") && o.Verifiers == nil {
					continue // Without a key, nobody knows its signature.
				}

				harmed := newMemory()
				harmed.objects = maps.Clone(changed.objects)
				data := slices.Clone(changed.objects[key])
				data[len(data)/2] ^= 1
				harmed.objects[key] = data

				report, err := archive.Verify(t.Context(), harmed, o)
				if err != nil {
					t.Fatal(err)
				}

				if report.Valid ||
					!slices.ContainsFunc(report.Problems,
						func(p archive.Problem) bool { return p.Key == key && !strings.Contains(p.Detail, "restored") }) {
					t.Errorf("%s: %s is excused in %+v", name, key, report.Problems)
				}
			}
		}
	}
}

// TestVerifyNamesWhatSystemsLeave in directories. It fails all the same.
func TestVerifyNamesWhatSystemsLeave(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Zstd)

	for key, system := range map[string]string{
		".DS_Store": "macOS", "entries/cloud=upcloud/.DS_Store": "macOS",
		"manifests/._00000001-0123456789abcdef.json": "macOS", "__MACOSX/._checkpoint": "macOS",
		"Thumbs.db": "Windows", "entries/desktop.ini": "Windows", "$RECYCLE.BIN/desktop.ini": "Windows",
		".Trash-1000/files/a": "Linux", ".directory": "Linux",
		"README": "", "entries/x": "", "entries/.DS_Store.ndjson": "",
	} {
		m := newMemory()
		m.objects = maps.Clone(f.store.objects)
		m.objects[key] = nil

		report, err := archive.Verify(t.Context(), m,
			archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}, Head: &f.head})
		if err != nil {
			t.Fatal(err)
		}

		want := archive.Problem{Finding: archive.FindingForeign, Key: key, Detail: "the log does not lead to it"}
		if system != "" {
			want.Detail += "; by its name it was left by an operating system (" + system + ")"
		}

		if report.Valid || len(report.Problems) != 1 || report.Problems[0] != want {
			t.Errorf("got %+v, want %+v", report.Problems, want)
		}
	}
}

// TestAttributesOfDirectories: Git is told to change no line endings, in directories
// alone, and what it is told is not a way to hide anything.
func TestAttributesOfDirectories(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()

	store, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, ".gitattributes")
	w := newWorld(t, auditlog.ServiceUpCloud, 3)
	run := func() {
		t.Helper()

		w.happen(1, w.now)
		w.now = w.now.Add(time.Hour)
		w.mustApply(w.options(store))
	}

	// A run that crashed right away has left no more than this.
	if err := os.WriteFile(path, []byte("* -text\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	run()
	run()

	if text, err := os.ReadFile(path); err != nil || string(text) != "* -text\n" {
		t.Fatalf("%q, %v", text, err)
	}

	checkVerifies(t, store, archive.VerifyOptions{})

	const altered = "it is not what manifest 1 says"

	for text, want := range map[string]string{
		"* -text\r\n":        altered + "; " + restored,
		"":                   altered,
		"* -text\n* text\n":  altered,
		"# =cmd\n* -text\n ": altered,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}

		if want := (archive.Problem{Finding: archive.FindingAltered, Key: ".gitattributes", Sequence: 1, Detail: want}); len(
			report.Problems,
		) != 1 || report.Problems[0] != want {
			t.Errorf("%q: got %+v", text, report.Problems)
		}
	}

	// It belongs to the archive, so that it cannot be taken away unseen.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
	if err != nil || len(report.Problems) != 1 || report.Problems[0].Finding != archive.FindingMissing ||
		report.Problems[0].Key != ".gitattributes" {
		t.Errorf("got %+v, %v", report, err)
	}

	// Somebody else's is not where an archive may begin, and no bucket gets one.
	other := newMemory()
	other.objects[".gitattributes"] = []byte("* text\n")

	if _, err := w.apply(w.options(other)); err == nil ||
		!strings.Contains(err.Error(), "the destination holds something else: .gitattributes") {
		t.Errorf("got %v", err)
	}

	if f := built(t, format.NDJSON, format.Uncompressed); f.store.objects[".gitattributes"] != nil {
		t.Error("there is one where there are no files")
	}
}

// TestGitKeepsArchives: an archive goes through Git as it is, also where Git was told
// to change line endings; without the file for Git, verifying says what happened.
func TestGitKeepsArchives(t *testing.T) {
	t.Parallel()

	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}

	for _, told := range []bool{true, false} {
		dir := t.TempDir()

		store, err := durable.OpenStore(t.Context(), filepath.Join(dir, "log"), durable.StoreOptions{})
		if err != nil {
			t.Fatal(err)
		}

		w := newWorld(t, auditlog.ServiceUpCloud, 3)

		for range 3 {
			w.happen(4, w.now)
			w.now = w.now.Add(time.Hour)
			o := w.options(store)
			o.Compression = format.Uncompressed
			w.mustApply(o)
		}

		// Every file that has lines: all of them, as nothing is compressed.
		names := slices.DeleteFunc(onDisk(t, filepath.Join(dir, "log")),
			func(name string) bool { return strings.HasPrefix(name, "tile/0/") })
		missing := 0

		if !told {
			if err := os.Remove(filepath.Join(dir, "log", ".gitattributes")); err != nil {
				t.Fatal(err)
			}

			missing = 1
		}

		git := func(in string, args ...string) {
			t.Helper()

			c := exec.CommandContext(t.Context(), "git",
				append([]string{
					"-c", "core.autocrlf=true", "-c", "core.safecrlf=false", "-c", "user.name=t", "-c",
					"user.email=t@example.com",
				}, args...)...)
			c.Dir = in
			c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)

			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}

		git(dir, "init", "--quiet")
		git(dir, "add", ".")
		git(dir, "commit", "--quiet", "-m", "log")

		clone := t.TempDir()
		git(clone, "clone", "--quiet", dir, "copy")

		there, err := durable.OpenStore(t.Context(), filepath.Join(clone, "copy", "log"), durable.StoreOptions{})
		if err != nil {
			t.Fatal(err)
		}

		report, err := archive.Verify(t.Context(), there, archive.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}

		altered := 0

		for _, p := range report.Problems {
			switch {
			case p.Finding == archive.FindingMissing && p.Key == ".gitattributes":
				missing--
			case strings.HasSuffix(p.Detail, restored):
				altered++
			default:
				t.Errorf("%+v", p)
			}
		}

		if want := map[bool]int{true: 0, false: len(names) - 1}[told]; altered != want || missing != 0 {
			t.Errorf("%t: %d of %d are altered: %+v", told, altered, want, report.Problems)
		}
	}
}
