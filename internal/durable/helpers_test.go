// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

const (
	manifestSuffix = ".manifest.json"
	checksumSuffix = ".sha256"

	oldText = "old data\n"
	newText = "new data, written in two parts\n"
)

func suffixes() []string { return []string{"", manifestSuffix, checksumSuffix} }

func sum(text string) string {
	s := sha256.Sum256([]byte(text))

	return hex.EncodeToString(s[:])
}

// wantSet is the content of the three members, by suffix.
func wantSet(text string) map[string]string {
	manifest := "{" + sum(text) + "}\n"

	return map[string]string{
		"":             text,
		manifestSuffix: manifest,
		checksumSuffix: sum(text) + "\n" + sum(manifest) + "\n",
	}
}

// replaceSet writes the whole set as a caller does.
func replaceSet(path, text string, o durable.Options) error {
	r, err := durable.Begin(path, o)
	if err != nil {
		return err
	}
	defer r.Abort()

	write := func(suffix string, parts ...string) (*durable.File, error) {
		f, err := r.Create(suffix)
		if err != nil {
			return nil, err
		}

		for _, part := range parts {
			if _, err := f.Write([]byte(part)); err != nil {
				return nil, err
			}
		}

		err = f.Close()

		return f, err
	}

	half := len(text) / 2

	data, err := write("", text[:half], text[half:])
	if err != nil {
		return err
	}

	manifest, err := write(manifestSuffix, "{"+data.SHA256()+"}\n")
	if err != nil {
		return err
	}

	if _, err := write(checksumSuffix, data.SHA256()+"\n"+manifest.SHA256()+"\n"); err != nil {
		return err
	}

	return r.Commit()
}

// files returns the content of every file in the directory, by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()

	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]string{}
	}

	if err != nil {
		t.Fatal(err)
	}

	found := map[string]string{}

	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}

		found[e.Name()] = string(text)
	}

	return found
}

// onDisk is what the directory must hold when text has been written to path.
func onDisk(path, text string) map[string]string {
	want := map[string]string{}

	if text != "" {
		for suffix, content := range wantSet(text) {
			want[filepath.Base(path)+suffix] = content
		}
	}

	return want
}

func mustHold(t *testing.T, path, text string) {
	t.Helper()

	if diff := cmp.Diff(onDisk(path, text), files(t, filepath.Dir(path))); diff != "" {
		t.Fatalf("files beside %s (-want +got):\n%s", filepath.Base(path), diff)
	}
}

// oldOrNew returns which of the two sets is on disk, whole and alone.
func oldOrNew(t *testing.T, path, before, after string) string {
	t.Helper()

	got := files(t, filepath.Dir(path))
	for _, text := range []string{before, after} {
		if maps.Equal(got, onDisk(path, text)) {
			return text
		}
	}

	t.Fatalf("neither the old set nor the new one, but:\n%s", describe(got))

	return ""
}

func describe(files map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "  %s: %q\n", name, files[name])
	}

	return b.String()
}

func mustReplace(t *testing.T, path, text string) {
	t.Helper()

	if err := replaceSet(path, text, durable.Options{}); err != nil {
		t.Fatal(err)
	}
}

var randomPart = regexp.MustCompile(`\.audit-tmp-[A-Z2-7]{16}`)

// fingerprint describes a directory so that two with the same fingerprint are the
// same to Recover: names, contents, which names mean one file, random parts aside.
// Without a journal it does not look into temporary files, so neither does this.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()

	all := files(t, dir)
	lines := make([]string, 0, len(all))

	journal := slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(name string) bool {
		return strings.HasSuffix(name, ".audit-commit")
	})

	for name, text := range all {
		if !journal && randomPart.MatchString(name) {
			lines = append(lines, "left over")

			continue
		}

		links := 0

		for other := range all {
			if sameFile(t, filepath.Join(dir, name), filepath.Join(dir, other)) {
				links++
			}
		}

		lines = append(lines, randomPart.ReplaceAllString(fmt.Sprintf("%s %q %d", name, text, links), "*"))
	}

	slices.Sort(lines)

	lines = slices.Compact(lines)

	return strings.Join(lines, "\n")
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()

	ia, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}

	ib, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}

	return os.SameFile(ia, ib)
}

// clone copies a directory, files with two names included.
func clone(t *testing.T, dir string) string {
	t.Helper()

	var (
		to   = t.TempDir()
		done []string
	)

next:
	for name, text := range files(t, dir) {
		for _, earlier := range done {
			if sameFile(t, filepath.Join(dir, name), filepath.Join(dir, earlier)) {
				if err := os.Link(filepath.Join(to, earlier), filepath.Join(to, name)); err != nil {
					t.Fatal(err)
				}

				continue next
			}
		}

		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		done = append(done, name)
	}

	return to
}
