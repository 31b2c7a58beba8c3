// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

func wantObjects(t *testing.T, s durable.Store, want ...durable.Object) {
	t.Helper()

	var got []durable.Object

	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}

		got = append(got, o)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects of %s (-want +got):\n%s", s, diff)
	}
}

// What somebody else put into the directory is shown and never opened, followed or
// replaced.
func TestDirectoryStoreIrregular(t *testing.T) {
	t.Parallel()

	var (
		outside = t.TempDir()
		root    = filepath.Join(t.TempDir(), "archive")
		s       = openDirectory(t, root, nil)
	)

	if err := s.Create(t.Context(), "a/b", []byte("ours")); err != nil {
		t.Fatal(err)
	}

	for path, text := range map[string]string{
		filepath.Join(outside, "secret"): "secret", filepath.Join(root, "foreign"): "foreign", filepath.Join(root, "a") +
			`/b\c`: "",
		filepath.Join(root, "NUL"): "text", filepath.Join(root, ".audit-part-ABCDEFGHIJKLMNOP"): "left over",
		// Ours are directly below the root, so this is a segment that somebody smuggles in.
		filepath.Join(root, "a", ".audit-part-ABCDEFGHIJKLMNOP"): "smuggled",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Skip(err)
		}
	}

	for _, err := range []error{
		os.Symlink(outside, filepath.Join(root, "directory")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "a", "file")),
		os.Symlink("nowhere", filepath.Join(root, "dangling")),
		os.Mkdir(filepath.Join(root, "empty"), 0o700),
	} {
		if err != nil {
			t.Skip(err)
		}
	}

	wantObjects(t, s,
		durable.Object{Key: ".audit-part-ABCDEFGHIJKLMNOP", Size: 9, Temporary: true},
		durable.Object{Key: "NUL", Irregular: true},
		durable.Object{Key: "a/.audit-part-ABCDEFGHIJKLMNOP", Irregular: true},
		durable.Object{Key: "a/b", Size: 4},
		durable.Object{Key: `a/b\c`, Irregular: true},
		durable.Object{Key: "a/file", Irregular: true},
		durable.Object{Key: "dangling", Irregular: true},
		durable.Object{Key: "directory", Irregular: true},
		durable.Object{Key: "empty/", Irregular: true},
		durable.Object{Key: "foreign", Size: 7},
	)

	for key, want := range map[string]error{
		"a/file": durable.ErrNotRegular, "dangling": durable.ErrNotRegular, "directory": durable.ErrNotRegular,
		"directory/secret": durable.ErrNotDirectory, "dangling/x": durable.ErrNotDirectory, "a/b/c": durable.ErrNotDirectory,
		"a": durable.ErrDirectory, "empty": durable.ErrDirectory,
	} {
		_, readErr := s.Read(t.Context(), key, 100)
		if !errors.Is(readErr, want) && !errors.Is(readErr, durable.ErrNotRegular) {
			t.Errorf("read %s: got %v, want %v", key, readErr, want)
		}

		for what, err := range map[string]error{
			"create": s.Create(t.Context(), key, nil), "replace": s.Replace(t.Context(), key, nil),
			"delete": s.Delete(t.Context(), key),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s %s: got %v, want %v", what, key, err, want)
			}
		}
	}

	if diff := cmp.Diff(map[string]string{"secret": "secret"}, files(t, outside)); diff != "" {
		t.Errorf("outside (-want +got):\n%s", diff)
	}
}

// The root may be a link, to which users give archives a name.
func TestDirectoryStoreLinkedRoot(t *testing.T) {
	t.Parallel()

	behind, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(behind, link); err != nil {
		t.Skip(err)
	}

	s := openDirectory(t, link, nil)
	if err := s.Create(t.Context(), "a", []byte("text")); err != nil {
		t.Fatal(err)
	}

	wantObjects(t, s, durable.Object{Key: "a", Size: 4})

	if diff := cmp.Diff(map[string]string{"a": "text"}, files(t, behind)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestDirectoryStoreRootIsFile(t *testing.T) {
	t.Parallel()

	root := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	s := openDirectory(t, root, nil)

	for _, err := range s.List(t.Context(), "") {
		if !errors.Is(err, durable.ErrNotDirectory) {
			t.Errorf("list: %v", err)
		}
	}

	if err := s.Create(t.Context(), "a", nil); !errors.Is(err, durable.ErrNotDirectory) {
		t.Errorf("create: %v", err)
	}
}

func TestDirectoryStorePermissions(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such bits.")
	}

	root := filepath.Join(t.TempDir(), "made", "archive")

	s, err := durable.OpenStore(t.Context(), root, durable.StoreOptions{
		Options: durable.Options{FilePermission: 0o464, DirectoryPermission: 0o757},
	})
	if err != nil {
		t.Fatal(err)
	}

	if err := errors.Join(s.Create(t.Context(), "a/b", nil), s.Replace(t.Context(), "a/c", nil)); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]fs.FileMode{
		// What is created stays as it is.
		filepath.Dir(root): 0o757, root: 0o757, root + "/a": 0o757, root + "/a/b": 0o444, root + "/a/c": 0o464,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}

		if info.Mode().Perm() != want {
			t.Errorf("%s: got %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}

// The order of steps is what durability rests on.
func TestDirectoryStoreSteps(t *testing.T) {
	t.Parallel()

	var (
		sys  = durabletest.New(nil)
		root = filepath.Join(t.TempDir(), "archive")
		s    = openDirectory(t, root, sys)
		from = 0
	)

	want := func(what string, err error, want ...string) {
		t.Helper()

		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff(want, changing(sys.Steps(), from)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}

		from = len(sys.Steps())
	}

	above := "sync directory " + filepath.Base(filepath.Dir(root))

	want("create", s.Create(t.Context(), "a/b", []byte("text")),
		"mkdir archive", above, above, "mkdir a", "sync directory archive",
		"create .audit-part-*", "write .audit-part-*", "sync .audit-part-*", "close .audit-part-*",
		"link .audit-part-*", "sync directory a", "remove .audit-part-*")
	want("create beside", s.Create(t.Context(), "a/c", []byte("text")),
		"create .audit-part-*", "write .audit-part-*", "sync .audit-part-*", "close .audit-part-*",
		"link .audit-part-*", "sync directory a", "remove .audit-part-*")
	want("replace", s.Replace(t.Context(), "a/c", []byte("text")),
		"create .audit-part-*", "write .audit-part-*", "sync .audit-part-*", "close .audit-part-*",
		"rename c", "sync directory a", "remove .audit-part-*")
	want("delete", s.Delete(t.Context(), "a/c"), "remove c", "sync directory a")

	// Another store finds directories that may have been made a moment ago.
	other := openDirectory(t, root, sys)
	want("create by another", other.Create(t.Context(), "a/d", []byte("text")),
		above, "sync directory archive",
		"create .audit-part-*", "write .audit-part-*", "sync .audit-part-*", "close .audit-part-*",
		"link .audit-part-*", "sync directory a", "remove .audit-part-*")
}

// work is what is broken off at every step: objects of either kind, made and
// replaced, with directories to be made.
func storeWork(ctx context.Context, s durable.Store) error {
	if err := s.Create(ctx, "a/b/new", []byte(newText)); err != nil {
		return err
	}

	return s.Replace(ctx, "checkpoint", []byte(newText))
}

func prepareStore(t *testing.T) (root string) {
	t.Helper()

	root = t.TempDir()
	if err := openDirectory(t, root, nil).Replace(t.Context(), "checkpoint", []byte(oldText)); err != nil {
		t.Fatal(err)
	}

	return root
}

// wholeStore makes sure that no object is half there, and that the next run can do
// its work.
func wholeStore(t *testing.T, root string, sys durable.System) {
	t.Helper()

	s := openDirectory(t, root, sys)

	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}

		if o.Temporary || o.Irregular && strings.HasSuffix(o.Key, "/") { // A directory is made first.
			continue
		}

		text, err := s.Read(t.Context(), o.Key, 1000)
		if err != nil {
			t.Fatal(err)
		}

		if string(text) != newText && (o.Key != "checkpoint" || string(text) != oldText) {
			t.Fatalf("%s holds %q", o.Key, text)
		}
	}

	if err := storeWork(t.Context(), s); err != nil && !errors.Is(err, durable.ErrExists) {
		t.Fatalf("the next run: %v", err)
	}

	if err := s.Replace(t.Context(), "checkpoint", []byte(newText)); err != nil {
		t.Fatal(err)
	}

	if _, err := durable.Sweep(t.Context(), s, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(map[string]string{"checkpoint": newText}, topFiles(t, root)); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(map[string]string{"new": newText}, files(t, filepath.Join(root, "a", "b"))); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
}

// sweptAtOnce makes sure that a pattern for objects matches nothing but objects
// right after a kill, and that the next run removes the rest without waiting.
func sweptAtOnce(t *testing.T, root string) {
	t.Helper()

	if runtime.GOOS == "windows" {
		return // Only age tells here.
	}

	var objects []string

	for _, name := range allFiles(t, root) {
		if name == "checkpoint" || name == "a/b/new" {
			objects = append(objects, name)
		} else if strings.Contains(name, "/") || !strings.HasPrefix(name, ".audit-part-") {
			t.Errorf("%s was left", name)
		}
	}

	if _, err := durable.Sweep(t.Context(), openDirectory(t, root, nil), time.Time{}); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(objects, allFiles(t, root)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// A process that is alive keeps its temporary file, one that was killed does not.
func TestSweepSparesLivingProcess(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	kill := startHolding(t, "hold", root)

	sweep := func(want int) {
		t.Helper()

		if n, err := durable.Sweep(t.Context(), openDirectory(t, root, nil), time.Time{}); n != want || err != nil {
			t.Errorf("got %d, %v, want %d", n, err, want)
		}
	}

	sweep(0)

	if names := allFiles(t, root); len(names) != 1 {
		t.Errorf("files are %v", names)
	}

	kill()
	sweep(1)
}

func topFiles(t *testing.T, root string) map[string]string {
	t.Helper()

	found := map[string]string{}

	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}

	for _, e := range entries {
		if e.IsDir() {
			continue
		}

		text, err := os.ReadFile(filepath.Join(root, e.Name()))
		if err != nil {
			t.Fatal(err)
		}

		found[e.Name()] = string(text)
	}

	return found
}

func TestDirectoryStoreKilledAtEveryStep(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector slows the start of every process that is killed; make simulate runs this without it")
	}

	for program, sys := range map[string]durable.System{"store": nil, "store without links": durabletest.New(noLinks)} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()

			steps := 0

			for n, running := 0, true; running; n++ {
				for _, after := range []bool{false, true} {
					root := prepareStore(t)

					if running = runKilled(t, program, root, n, after); !running {
						break
					}

					steps++

					sweptAtOnce(t, root)

					wholeStore(t, root, sys)
				}
			}

			t.Logf("%d kills", steps)

			if steps < 50 {
				t.Errorf("%d kills: the test has lost its grip", steps)
			}
		})
	}
}

// An error at any step leaves whole objects and, unless the step that failed was
// the tidying up itself, no temporary files.
func TestDirectoryStoreFailsAtEveryStep(t *testing.T) {
	t.Parallel()

	for links, base := range map[string]durabletest.Fault{"links": noFault, "no links": noLinks} {
		t.Run(links, func(t *testing.T) {
			t.Parallel()

			failsAtEveryStep(t, base)
		})
	}
}

func noFault(int, durabletest.Step, bool) error { return nil }

func failsAtEveryStep(t *testing.T, base durabletest.Fault) {
	t.Helper()

	calm := durabletest.New(base)
	if err := storeWork(t.Context(), openDirectory(t, prepareStore(t), calm)); err != nil {
		t.Fatal(err)
	}

	for name, fault := range map[string]func(int, error) durabletest.Fault{
		"before": durabletest.FailAt,
		"after":  durabletest.FailAfter,
	} {
		for n, step := range calm.Steps() {
			root := prepareStore(t)
			broken := fault(n, syscall.EIO)

			err := storeWork(t.Context(),
				openDirectory(t, root, durabletest.New(func(i int, s durabletest.Step, done bool) error {
					if err := broken(i, s, done); err != nil {
						return err
					}

					return base(i, s, done)
				})))

			tolerated := step.Op == "remove" || (step.Op == "link" || step.Op == "rename new") && name == "after"
			if (err == nil) != tolerated || err != nil && !errors.Is(err, syscall.EIO) {
				t.Errorf("%s step %d (%s): got %v", name, n, step, err)
			}

			left := 0

			_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, _ error) error {
				if isPart(path) {
					left++
				}

				return nil
			})

			if left > 0 && step.Op != "remove" {
				t.Errorf("%s step %d (%s): %d temporary files left", name, n, step, left)
			}

			wholeStore(t, root, durabletest.New(base))
		}
	}
}

func isPart(path string) bool { return strings.Contains(path, ".audit-part-") }

// Somebody else makes the directory between two looks at it.
func TestDirectoryStoreRootMadeMeanwhile(t *testing.T) {
	t.Parallel()

	root := filepath.Join(t.TempDir(), "archive")
	s := openDirectory(t, root, durabletest.New(func(n int, _ durabletest.Step, done bool) error {
		if n == 0 && done {
			return os.Mkdir(root, 0o700)
		}

		return nil
	}))

	if err := s.Create(t.Context(), "a", []byte("text")); err != nil {
		t.Fatal(err)
	}

	wantObjects(t, s, durable.Object{Key: "a", Size: 4})
}

// Somebody else's object is deleted right after it was in the way.
func TestDirectoryStoreDeletedMeanwhile(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	path := filepath.Join(root, "a")

	s := openDirectory(t, root, durabletest.New(func(_ int, step durabletest.Step, done bool) error {
		switch {
		case step.Op == "close" && done:
			return os.WriteFile(path, nil, 0o600)
		case step.Op == "link" && !done:
			return errors.Join(os.Remove(path), syscall.EEXIST)
		default:
			return nil
		}
	}))

	if err := s.Create(t.Context(), "a", []byte("text")); !errors.Is(err, durable.ErrExists) {
		t.Error(err)
	}
}

// Network shares repeat requests, and then report as failed what they did.
func TestDirectoryStoreLinkReportedAsFailed(t *testing.T) {
	t.Parallel()

	for op, base := range map[string]durabletest.Fault{"link": noFault, "rename new": noLinks} {
		s := openDirectory(t, t.TempDir(), durabletest.New(func(n int, step durabletest.Step, done bool) error {
			if step.Op == op && done {
				return syscall.EEXIST
			}

			return base(n, step, done)
		}))

		if err := s.Create(t.Context(), "a", []byte("ours")); err != nil {
			t.Errorf("%s: %v", op, err)
		}

		if err := s.Create(t.Context(), "a", []byte("ours")); !errors.Is(err, durable.ErrExists) {
			t.Errorf("%s, again: %v", op, err)
		}
	}
}

// A file system on which nothing is exclusive is refused, and nothing is left there.
func TestDirectoryStoreWithoutExclusion(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	s := openDirectory(t, root, durabletest.New(func(n int, step durabletest.Step, done bool) error {
		if step.Op == "rename new" && !done {
			return errors.ErrUnsupported
		}

		return noLinks(n, step, done)
	}))

	err := s.Create(t.Context(), "a", []byte("ours"))
	if want := "create " + filepath.Join(root, "a") +
		": the file system has no hard links, and does not refuse to create what exists already"; !errors.Is(err, durable.ErrNotConditional) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	if left := allFiles(t, root); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

// What takes the name right before the rename stays.
func TestDirectoryStoreCreateLosesAtTheRename(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	s := openDirectory(t, root, durabletest.New(func(n int, step durabletest.Step, done bool) error {
		if step.Op == "rename new" && !done {
			return os.WriteFile(filepath.Join(root, "a"), []byte("theirs"), 0o600)
		}

		return noLinks(n, step, done)
	}))

	if err := s.Create(t.Context(), "a", []byte("ours")); !errors.Is(err, durable.ErrExists) {
		t.Error(err)
	}

	if diff := cmp.Diff(map[string]string{"a": "theirs"}, files(t, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestDirectoryStoreCreateLosesAtTheLink(t *testing.T) {
	t.Parallel()

	for name, links := range map[string]error{"links": nil, "no links": errNoLinks()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			root := t.TempDir()
			path := filepath.Join(root, "a")

			s := openDirectory(t, root, durabletest.New(func(_ int, step durabletest.Step, done bool) error {
				switch {
				case step.Op == "close" && done:
					return os.WriteFile(path, []byte("theirs"), 0o600)
				case step.Op == "link" && !done:
					return links
				default:
					return nil
				}
			}))

			if err := s.Create(t.Context(), "a", []byte("ours")); !errors.Is(err, durable.ErrExists) {
				t.Error(err)
			}

			if diff := cmp.Diff(map[string]string{"a": "theirs"}, files(t, root)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// Sweep takes the temporary files of the store that nobody is writing any more,
// and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()

	now := time.Now()
	old := now.Add(-48 * time.Hour)

	const part = ".audit-part-AAAAAAAAAAAAAAAA"

	for name, c := range map[string]struct {
		writing bool
		left    []string
	}{
		"nobody writes":   {false, nil},
		"somebody writes": {true, []string{part}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if c.writing && runtime.GOOS == "windows" {
				t.Skip("only age tells here")
			}

			root := t.TempDir()

			s := openDirectory(t, root, nil)
			if err := s.Create(t.Context(), "a/b", []byte("text")); err != nil {
				t.Fatal(err)
			}

			kept := []string{
				".audit-part-", ".audit-part-ABCDEFGHIJKLMNOp", ".b.audit-part-ABCDEFGHIJKLMNOP",
				".out.csv.audit-tmp-ABCDEFGHIJKLMNOP",
				"a/.audit-part-ABCDEFGHIJKLMNOP", "a/b", "not.audit-part-ABCDEFGHIJKLMNOP",
			}
			mtimes := map[string]time.Time{part: now, ".audit-part-BBBBBBBBBBBBBBBB": old}

			for _, name := range kept {
				mtimes[name] = old
			}

			for name, mtime := range mtimes {
				path := filepath.Join(root, filepath.FromSlash(name))
				if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, mtime, mtime)); err != nil {
					t.Fatal(err)
				}
			}

			if c.writing {
				release := holdInPut(t, root)
				defer release()
			}

			n, err := durable.Sweep(t.Context(), s, now.Add(-24*time.Hour))
			if n != 2-len(c.left) || err != nil {
				t.Errorf("got %d, %v", n, err)
			}

			if diff := cmp.Diff(slices.Sorted(slices.Values(append(kept, c.left...))), allFiles(t, root)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}

	if n, err := durable.Sweep(t.Context(), openDirectory(t, filepath.Join(t.TempDir(), "missing"), nil), now); n != 0 ||
		err != nil {
		t.Errorf("missing: got %d, %v", n, err)
	}
}

// holdInPut begins to write an object that gets no further than to be created.
func holdInPut(t *testing.T, root string) (release func()) {
	t.Helper()

	begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	s := openDirectory(t, root, durabletest.New(func(_ int, step durabletest.Step, done bool) error {
		if step.Op == "create" && !done {
			close(begun)
			<-goOn

			return syscall.EIO
		}

		return nil
	}))

	go func() { ended <- s.Create(t.Context(), "held", nil) }()

	<-begun

	return func() {
		close(goOn)
		<-ended
	}
}

// allFiles are the names of all files below a directory, with slashes.
func allFiles(t *testing.T, root string) []string {
	t.Helper()

	var names []string

	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(rel))
		}

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return names
}
