// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

const (
	dataName     = "out.csv"
	manifestName = "out.csv.manifest.json"
	checksumName = "out.csv.sha256"
)

// TestOwnership goes through what may lie around, and who may be there.
func TestOwnership(t *testing.T) {
	t.Parallel()

	text := files(t, newFolder(t).dir)
	data := sum(text[dataName])

	for name, c := range map[string]struct {
		change  func(f folder)
		foreign string
	}{
		"ours":                        {func(folder) {}, ""},
		"nothing":                     {func(f folder) { f.remove(dataName, manifestName, checksumName) }, ""},
		"data deleted":                {func(f folder) { f.remove(dataName) }, ""},
		"checksums deleted":           {func(f folder) { f.remove(checksumName) }, ""},
		"manifest alone":              {func(f folder) { f.remove(dataName, checksumName) }, ""},
		"data of somebody else":       {func(f folder) { f.put(dataName, "mine") }, dataName},
		"data changed, same length":   {func(f folder) { f.replace(dataName, "id", "ID") }, dataName},
		"manifest deleted":            {func(f folder) { f.remove(manifestName) }, dataName},
		"data alone":                  {func(f folder) { f.remove(manifestName, checksumName) }, dataName},
		"checksums alone":             {func(f folder) { f.remove(dataName, manifestName) }, checksumName},
		"manifest of something else":  {func(f folder) { f.put(manifestName, "{}") }, dataName},
		"manifest not JSON":           {func(f folder) { f.put(manifestName, "\x00") }, dataName},
		"manifest names another file": {func(f folder) { f.replace(manifestName, `"out.csv"`, `"other.csv"`) }, dataName},
		"manifest names another sum":  {func(f folder) { f.replace(manifestName, data, sum("x")) }, dataName},
		"manifest has a name twice": {
			func(f folder) { f.replace(manifestName, `"name"`, `"name": "other.csv", "name"`) },
			dataName,
		},
		"manifest in another case": {func(f folder) { f.replace(manifestName, `"name"`, `"Name"`) }, dataName},
		"manifest without a tool": {
			func(f folder) { f.replace(manifestName, `"tool": "t`, `"tool": "", "x": "t`) },
			dataName,
		},
		"manifest of a later version": {func(f folder) {
			f.replace(manifestName, `version": 1`, `version": 2`)
			f.put(checksumName, strings.Replace(text[checksumName], sum(text[manifestName]), sum(files(t, f.dir)[manifestName]),
				1))
		}, ""},
		"foreign manifest without data": {func(f folder) {
			f.remove(dataName)
			f.put(manifestName, "{}")
		}, manifestName},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			f := newFolder(t)
			dir, path := f.dir, filepath.Join(f.dir, dataName)
			written := sum(text[manifestName])
			c.change(f)

			before := files(t, dir)
			wantForeign := func(verb string, err error) {
				t.Helper()

				var foreign *export.ForeignFileError

				switch {
				case c.foreign == "" && err != nil:
					t.Errorf("%s: %v", verb, err)
				case c.foreign != "" && !errors.As(err, &foreign):
					t.Errorf("%s: got %v, want a foreign file", verb, err)
				case c.foreign != "" && filepath.Base(foreign.Path) != c.foreign:
					t.Errorf("%s: got %v, want %s named", verb, err, c.foreign)
				}
			}

			wantForeign("CheckTarget", export.CheckTarget(spec(path, format.CSV)))

			replacing := spec(path, format.CSV)
			replacing.Overwrite = true

			if err := export.CheckTarget(replacing); err != nil {
				t.Errorf("CheckTarget to overwrite: %v", err)
			}

			if diff := cmp.Diff(before, files(t, dir)); diff != "" {
				t.Errorf("CheckTarget left (-before +after):\n%s", diff)
			}

			if c.foreign != "" {
				_, err := export.Write(t.Context(), spec(path, format.CSV), all(nil), complete(0))
				wantForeign("Write", err)

				var other *export.NotWrittenError
				if err := export.Remove(path, written); !errors.As(err, &other) {
					wantForeign("Remove", err)
				}

				if diff := cmp.Diff(before, files(t, dir)); diff != "" {
					t.Errorf("Write or Remove changed (-before +after):\n%s", diff)
				}

				s := spec(path, format.CSV)
				s.Overwrite = true
				mustWrite(t, s, nil)
			}

			written = sum(files(t, dir)[manifestName])

			for range 2 {
				if err := export.Remove(path, written); err != nil {
					t.Errorf("Remove: %v", err)
				}
			}

			if got := files(t, dir); len(got) != 0 {
				t.Errorf("Remove left %v", got)
			}
		})
	}
}

// Reading takes long enough for somebody to change what is there.
func TestWriteRefusesWhatWasChangedMeanwhile(t *testing.T) {
	t.Parallel()

	for _, name := range []string{dataName, manifestName, checksumName} {
		f := newFolder(t)
		text := files(t, f.dir)

		s := spec(filepath.Join(f.dir, dataName), format.CSV)
		s.RefuseChanged = true
		s.Before = &export.Before{Asked: s.Asked(), SHA256: sum(text[dataName]), ManifestSHA256: sum(text[manifestName])}

		mustWrite(t, s, month())

		text = files(t, f.dir)
		s.Before.SHA256, s.Before.ManifestSHA256 = sum(text[dataName]), sum(text[manifestName])

		entries := func(yield func(auditlog.Entry, error) bool) {
			f.put(name, "changed")
			all(month())(yield)
		}

		var changed *export.ChangedError
		if _, err := export.Write(t.Context(), s, entries, complete(len(month()))); !errors.As(err, &changed) ||
			filepath.Base(changed.Changes[0].Path) != name {
			t.Errorf("%s: got %v", name, err)
		}

		text[name] = "changed"
		if diff := cmp.Diff(text, files(t, f.dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A checksum file that was changed is evidence of that, and is not removed.
func TestRemoveLeavesChangedChecksums(t *testing.T) {
	t.Parallel()

	f := newFolder(t)
	f.put(checksumName, "changed")

	before := files(t, f.dir)

	var foreign *export.ForeignFileError
	if err := export.Remove(filepath.Join(f.dir, dataName), sum(before[manifestName])); !errors.As(err, &foreign) ||
		filepath.Base(foreign.Path) != checksumName {
		t.Errorf("got %v", err)
	}

	if diff := cmp.Diff(before, files(t, f.dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// folder is a directory that holds the export out.csv.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder {
	t.Helper()

	f := folder{t, t.TempDir()}
	mustWrite(t, spec(filepath.Join(f.dir, dataName), format.CSV), month())

	return f
}

func (f folder) remove(names ...string) {
	f.t.Helper()

	for _, name := range names {
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f folder) put(name, text string) {
	f.t.Helper()
	put(f.t, filepath.Join(f.dir, name), text)
}

func (f folder) replace(name, old, text string) {
	f.t.Helper()
	f.put(name, strings.Replace(files(f.t, f.dir)[name], old, text, 1))
}

func TestCheckTarget(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		prepare func(dir string) error
		path    string
		want    error
	}{
		"missing":             {nil, "out.csv", nil},
		"missing directories": {nil, "a/b/out.csv", nil},
		"directory":           {func(dir string) error { return os.Mkdir(filepath.Join(dir, "out.csv"), 0o700) }, "out.csv", durable.ErrDirectory},
		"trailing slash":      {nil, "out.csv/", durable.ErrDirectory},
		"parent is a file":    {func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), nil, 0o600) }, "a/out.csv", durable.ErrNotDirectory},
		"link": {
			func(dir string) error { return os.Symlink("x", filepath.Join(dir, "out.csv")) }, "out.csv",
			durable.ErrNotRegular,
		},
		"manifest is a link": {
			func(dir string) error { return os.Symlink("x", filepath.Join(dir, manifestName)) },
			"out.csv", durable.ErrNotRegular,
		},
		"checksums a directory": {func(dir string) error { return os.Mkdir(filepath.Join(dir, checksumName), 0o700) }, "out.csv", durable.ErrNotRegular},
		"line break":            {nil, "out\n.csv", export.ErrLineBreak},
		"carriage return":       {nil, "out.csv\r", export.ErrLineBreak},
		"journal of nobody": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ".out.csv.audit-commit"), []byte("?"), 0o600)
		}, "out.csv", durable.ErrUnsettled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()

			if c.prepare != nil {
				if err := c.prepare(dir); err != nil {
					t.Skip(err)
				}
			}

			for _, overwrite := range []bool{false, true} {
				s := spec(dir+"/"+c.path, format.CSV)
				s.Overwrite = overwrite

				err := export.CheckTarget(s)

				var pathErr *fs.PathError
				if !errors.Is(err, c.want) || err != nil && !errors.As(err, &pathErr) {
					t.Errorf("overwrite %v: got %v, want %v", overwrite, err, c.want)
				}
			}

			if c.prepare == nil && len(files(t, dir)) != 0 {
				t.Errorf("left %v", files(t, dir))
			}
		})
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()

	f := newFolder(t)
	path := filepath.Join(f.dir, dataName)
	text := files(t, f.dir)
	want := export.State{
		Exists: true, SHA256: sum(text[dataName]), Bytes: int64(len(text[dataName])),
		ManifestSHA256: sum(text[manifestName]), ChecksumSHA256: sum(text[checksumName]), ChecksumsMatch: true,
		Permissions: map[string]fs.FileMode{"": 0o640, export.ManifestSuffix: 0o640, export.ChecksumSuffix: 0o640},
	}

	if runtime.GOOS == "windows" {
		for suffix := range want.Permissions {
			want.Permissions[suffix] = 0o666
		}
	}

	check := func(step string) {
		t.Helper()

		got, err := export.Inspect(path)
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
	}

	check("as written")

	want.ChecksumsMatch = false

	f.put(checksumName, text[checksumName]+"\n")

	want.ChecksumSHA256 = sum(text[checksumName] + "\n")
	check("a line added to the checksum file")

	f.put(checksumName, text[checksumName][1:])

	want.ChecksumSHA256 = sum(text[checksumName][1:])
	check("a character missing")

	f.put(checksumName, text[checksumName])
	f.put(dataName, "changed")

	want.ChecksumSHA256 = sum(text[checksumName])
	want.SHA256, want.Bytes = sum("changed"), 7
	check("data changed")

	f.remove(checksumName)
	delete(want.Permissions, export.ChecksumSuffix)

	want.ChecksumSHA256 = ""

	check("checksum file gone")

	f.remove(manifestName)
	delete(want.Permissions, export.ManifestSuffix)

	want.ManifestSHA256 = ""
	check("manifest gone")

	f.remove(dataName)

	want = export.State{Permissions: map[string]fs.FileMode{}}
	check("all gone")

	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}

	if _, err := export.Inspect(path); !errors.Is(err, durable.ErrNotRegular) {
		t.Errorf("a directory: got %v", err)
	}
}
