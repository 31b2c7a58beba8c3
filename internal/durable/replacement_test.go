// SPDX-License-Identifier: MPL-2.0

package durable_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/durable/durabletest"
)

func TestReplace(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "a", "b", "out.csv")
	o := durable.Options{FilePermission: 0o666, DirectoryPermission: 0o777}

	for _, text := range []string{oldText, newText} {
		if err := replaceSet(path, text, o); err != nil {
			t.Fatal(err)
		}

		mustHold(t, path, text)
	}

	if runtime.GOOS == "windows" {
		return
	}

	// The usual umask, 022, would have taken bits away.
	wantMode(t, filepath.Dir(filepath.Dir(path)), 0o777)
	wantMode(t, filepath.Dir(path), 0o777)

	for _, suffix := range suffixes() {
		wantMode(t, path+suffix, 0o666)
	}
}

func TestDefaultPermissions(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}

	path := filepath.Join(t.TempDir(), "a", "out.csv")
	mustReplace(t, path, newText)
	wantMode(t, filepath.Dir(path), 0o700)
	wantMode(t, path, 0o600)
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()

	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}

	if got := info.Mode().Perm(); got != want {
		t.Errorf("permission of %s: got %o, want %o", filepath.Base(path), got, want)
	}
}

// A crash of the machine, unlike that of a process, also loses what was not
// synced. No test can do that, so this one pins the order of steps: bytes before
// names, the journal before the first move, the moves before the journal goes.
func TestOrderOfSteps(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "parent", "made", "out.csv")
	if err := os.Mkdir(filepath.Dir(filepath.Dir(path)), 0o700); err != nil {
		t.Fatal(err)
	}

	o := durable.Options{}

	var got []string

	for range 2 {
		sys := durabletest.New(nil)
		o.System = sys

		if err := replaceSet(path, newText, o); err != nil {
			t.Fatal(err)
		}

		got = append(got, "begin")

		got = append(got, changing(sys.Steps(), 0)...)
	}

	const temp = ".out.csv.audit-tmp-*"

	member := []string{"create " + temp, "write " + temp, "sync " + temp, "close " + temp}
	commit := []string{
		"create " + temp, "write " + temp, "sync " + temp, "close " + temp,
		"rename .out.csv.audit-commit", "sync directory made",
		"rename out.csv", "rename out.csv.manifest.json", "rename out.csv.sha256", "sync directory made",
		"remove .out.csv.audit-commit", "sync directory made",
	}

	data := slices.Insert(slices.Clone(member), 2, "write "+temp)
	tidy := slices.Repeat([]string{"remove " + temp}, 4)

	want := slices.Concat(
		[]string{"begin", "mkdir made", "sync directory parent"}, data, member, member, commit, tidy,
		[]string{"begin"}, data, member, member, commit, tidy,
	)

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// changing returns the steps from number n on that change something.
func changing(steps []durabletest.Step, n int) []string {
	var found []string

	for _, s := range steps[n:] {
		if !s.Reading() {
			found = append(found, s.String())
		}
	}

	return found
}

// As above where a step fails: before the first member has moved the decision is taken
// back, later what is left is done once more.
func TestOrderOfStepsAfterFailure(t *testing.T) {
	t.Parallel()

	const (
		temp    = ".out.csv.audit-tmp-*"
		journal = ".out.csv.audit-commit"
	)

	tidy := slices.Repeat([]string{"remove " + temp}, 4)
	end := []string{"sync directory dir", "remove " + journal, "sync directory dir"}
	last := durabletest.Step{Op: "rename", Name: "out.csv.sha256"}

	for name, c := range map[string]struct {
		failing durabletest.Step
		err     error
		text    string
		want    []string
	}{
		"the first":   {durabletest.Step{Op: "rename", Name: "out.csv"}, syscall.EIO, oldText, end[1:]},
		"the last":    {last, nil, newText, append([]string{last.String()}, end...)},
		"the journal": {durabletest.Step{Op: "remove", Name: journal}, nil, newText, end},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "dir", "out.csv")
			mustReplace(t, path, oldText)

			failed := -1
			sys := durabletest.New(func(n int, s durabletest.Step, done bool) error {
				if s == c.failing && !done && failed < 0 {
					failed = n

					return syscall.EIO
				}

				return nil
			})

			if err := replaceSet(path, newText, durable.Options{System: sys}); !errors.Is(err, c.err) {
				t.Fatalf("got %v", err)
			}

			if diff := cmp.Diff(slices.Concat(c.want, tidy), changing(sys.Steps(), failed+1)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}

			mustHold(t, path, c.text)
		})
	}
}

// As above for finishing what Commit could not.
func TestOrderOfStepsOfRecover(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "dir", "out.csv")
	mustReplace(t, path, oldText)

	// Everything fails once the first member has moved.
	broken := false
	sys := durabletest.New(func(_ int, s durabletest.Step, done bool) error {
		if broken && !done {
			return syscall.EIO
		}

		broken = broken || s.Op == "rename" && s.Name == "out.csv"

		return nil
	})

	if err := replaceSet(path, newText, durable.Options{System: sys}); !errors.Is(err, durable.ErrInterrupted) {
		t.Fatalf("got %v", err)
	}

	sys = durabletest.New(nil)
	if err := durable.RecoverWith(sys, path); err != nil {
		t.Fatal(err)
	}

	want := []string{
		"rename out.csv.manifest.json", "rename out.csv.sha256", "sync directory dir",
		"remove .out.csv.audit-commit", "sync directory dir",
	}
	if diff := cmp.Diff(want, changing(sys.Steps(), 0)); diff != "" {
		t.Errorf("recovering (-want +got):\n%s", diff)
	}

	mustHold(t, path, newText)
}

func TestFailureAtEveryStep(t *testing.T) {
	t.Parallel()

	type fault struct {
		name string
		make func(n int, err error) durabletest.Fault
	}

	faults := []fault{
		{"not done", durabletest.FailAt},
		{"done but reported as failed", durabletest.FailAfter},
		{"nothing works any more", func(n int, err error) durabletest.Fault {
			return func(i int, _ durabletest.Step, done bool) error {
				if i >= n && !done {
					return err
				}

				return nil
			}
		}},
	}

	for _, before := range []string{"", oldText} {
		for _, errno := range []error{syscall.ENOSPC, syscall.EACCES, syscall.EROFS} {
			for _, f := range faults {
				t.Run(fmt.Sprintf("%s/%v/replacing=%v", f.name, errno, before != ""), func(t *testing.T) {
					t.Parallel()
					failAtEveryStep(t, before, errno, f.make, f.name == "nothing works any more")
				})
			}
		}
	}
}

func failAtEveryStep(t *testing.T, before string, errno error, fault func(int, error) durabletest.Fault, lasting bool) {
	t.Helper()

	failed := 0

	for n := 0; ; n++ {
		path := filepath.Join(t.TempDir(), "out.csv")
		if before != "" {
			mustReplace(t, path, before)
		}

		sys := durabletest.New(fault(n, errno))
		err := replaceSet(path, newText, durable.Options{System: sys})

		if n >= len(sys.Steps()) {
			break
		}

		step := sys.Steps()[n]
		want := newText

		if err != nil {
			failed++
			want = before

			if !errors.Is(err, errno) {
				t.Errorf("%d, %v: the error hides its cause: %v", n, step, err)
			}
		}

		if lasting {
			// Nothing could be tidied up then; the next run does it.
			if recoverErr := durable.Recover(path); recoverErr != nil {
				t.Fatalf("%d, %v: Recover: %v", n, step, recoverErr)
			}

			if now := oldOrNew(t, path, before, newText); err == nil && now != newText {
				t.Errorf("%d, %v: no error, but the old set", n, step)
			}

			continue
		}

		if got := files(t, filepath.Dir(path)); !cmp.Equal(got, onDisk(path, want)) {
			t.Errorf("%d, %v: error %v, but the directory holds:\n%s", n, step, err, describe(got))
		}
	}

	if failed < 30 {
		t.Errorf("only %d steps made it fail", failed)
	}
}

// shortSystem has files that take less than they are given and do not say why.
type shortSystem struct{ durable.System }

type shortHandle struct{ durable.Handle }

func (s shortSystem) Create(path string, p fs.FileMode) (durable.Handle, error) {
	h, err := s.System.Create(path, p)

	return shortHandle{h}, err
}

func (h shortHandle) Write(p []byte) (int, error) { return h.Handle.Write(p[:len(p)-1]) }

func TestShortWrite(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	mustReplace(t, path, oldText)

	err := replaceSet(path, newText, durable.Options{System: shortSystem{durable.OS()}})
	if !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v, want %v", err, io.ErrShortWrite)
	}

	mustHold(t, path, oldText)
}

// lossySystem has files that claim to have taken everything.
type lossySystem struct{ durable.System }

type lossyHandle struct{ durable.Handle }

func (s lossySystem) Create(path string, p fs.FileMode) (durable.Handle, error) {
	h, err := s.System.Create(path, p)

	return lossyHandle{h}, err
}

func (h lossyHandle) Write(p []byte) (int, error) {
	_, err := h.Handle.Write(p[:len(p)-1])

	return len(p), err
}

func TestLostBytes(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	mustReplace(t, path, oldText)

	err := replaceSet(path, newText, durable.Options{System: lossySystem{durable.OS()}})
	if err == nil || !strings.Contains(err.Error(), "29 bytes instead of 31") {
		t.Errorf("got %v", err)
	}

	mustHold(t, path, oldText)
}

// A member that cannot be moved, as long as somebody has the file open on Windows,
// leaves the old set where it is the first one. Later there is no way back, only the
// way forward.
func TestMemberCannotBeMoved(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	mustReplace(t, path, newText)

	stuck := func(name string) *durabletest.System {
		return durabletest.New(func(_ int, s durabletest.Step, done bool) error {
			if s.Op == "rename" && s.Name == name && !done {
				return syscall.EACCES
			}

			return nil
		})
	}

	const third = "third data\n"

	err := replaceSet(path, third, durable.Options{System: stuck("out.csv")})
	if !errors.Is(err, syscall.EACCES) || errors.Is(err, durable.ErrInterrupted) {
		t.Errorf("got %v, want the cause alone", err)
	}

	mustHold(t, path, newText)

	err = replaceSet(path, third, durable.Options{System: stuck("out.csv.manifest.json")})
	if !errors.Is(err, syscall.EACCES) || !errors.Is(err, durable.ErrInterrupted) {
		t.Errorf("got %v, want the cause and %q", err, durable.ErrInterrupted)
	}

	if interrupted, err := durable.Interrupted(path); !interrupted || err != nil {
		t.Errorf("Interrupted: got %v, %v", interrupted, err)
	}

	if err := durable.Recover(path); err != nil {
		t.Fatal(err)
	}

	mustHold(t, path, third)
}

func TestAbort(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	mustReplace(t, path, oldText)

	r, err := durable.Begin(path, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}

	f, err := r.Create("")
	if err != nil {
		t.Fatal(err)
	}

	if _, err := io.WriteString(f, "half"); err != nil {
		t.Fatal(err)
	}

	if _, err := r.Create(""); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a member twice: got %v", err)
	}

	for _, suffix := range []string{"/../x", "-important", ".sha256.bak", ".MANIFEST.json"} {
		if _, err := r.Create(suffix); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("a member %q: got %v", suffix, err)
		}
	}

	r.Abort()
	r.Abort()
	mustHold(t, path, oldText)

	if _, err := r.Create("x"); err == nil {
		t.Error("Create after Abort: no error")
	}

	if err := r.Commit(); err == nil {
		t.Error("Commit after Abort: no error")
	}

	if err := f.Close(); err == nil {
		t.Error("Close after Abort: no error")
	}

	mustHold(t, path, oldText)
}

func TestCommitUnfinished(t *testing.T) {
	t.Parallel()

	for name, prepare := range map[string]func(*testing.T, *durable.Replacement, string){
		"no members": func(*testing.T, *durable.Replacement, string) {},
		"not closed": func(t *testing.T, r *durable.Replacement, _ string) {
			t.Helper()

			if _, err := r.Create(""); err != nil {
				t.Error(err)
			}
		},
		"temporary file gone": func(t *testing.T, r *durable.Replacement, dir string) {
			t.Helper()

			f, err := r.Create("")
			if err != nil || f.Close() != nil {
				t.Error(err)
			}

			for name := range files(t, dir) {
				if strings.HasPrefix(name, ".") {
					_ = os.Remove(filepath.Join(dir, name))
				}
			}
		},
		"a directory in the way": func(t *testing.T, r *durable.Replacement, dir string) {
			t.Helper()

			f, err := r.Create(checksumSuffix)
			if err != nil || f.Close() != nil {
				t.Error(err)
			}

			sums := filepath.Join(dir, "out.csv"+checksumSuffix)
			if err := errors.Join(os.Rename(sums, sums+".away"), os.Mkdir(sums, 0o700)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "out.csv")
			mustReplace(t, path, oldText)

			r, err := durable.Begin(path, durable.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Abort()

			prepare(t, r, filepath.Dir(path))

			if err := r.Commit(); err == nil {
				t.Error("no error")
			}

			if sums := path + checksumSuffix; os.Remove(sums+"/") == nil {
				_ = os.Rename(sums+".away", sums)
			}

			mustHold(t, path, oldText)
		})
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")

	r, err := durable.Begin(path, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Abort()

	same := filepath.Join(dir, "x", "..", "out.csv")

	if _, err := durable.Begin(same, durable.Options{}); !errors.Is(err, durable.ErrBusy) {
		t.Errorf("Begin: got %v, want %v", err, durable.ErrBusy)
	}

	if err := durable.Recover(same); !errors.Is(err, durable.ErrBusy) {
		t.Errorf("Recover: got %v, want %v", err, durable.ErrBusy)
	}

	if err := durable.Remove(same, ""); !errors.Is(err, durable.ErrBusy) {
		t.Errorf("Remove: got %v, want %v", err, durable.ErrBusy)
	}

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err == nil {
		if _, err := durable.Begin(filepath.Join(link, "out.csv"), durable.Options{}); !errors.Is(err, durable.ErrBusy) {
			t.Errorf("Begin behind a link: got %v, want %v", err, durable.ErrBusy)
		}
	}

	r.Abort()
	mustReplace(t, path, newText)
	mustHold(t, path, newText)
}

// Paths whose hidden names look alike, all at once in one directory.
func TestConcurrent(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	bases := []string{
		"out", "out.csv", "out.csv.audit-tmp-", ".out", "out.csv.audit-commit", "o",
		strings.Repeat("o", 240), strings.Repeat("o", 239),
	}

	var wg sync.WaitGroup

	for _, base := range bases {
		wg.Go(func() {
			for i := range 20 {
				if err := replaceSet(filepath.Join(dir, base), fmt.Sprint(base, i), durable.Options{}); err != nil {
					t.Errorf("%.20s: %v", base, err)
				}
			}
		})
	}

	wg.Wait()

	want := map[string]string{}

	for _, base := range bases {
		for suffix, text := range wantSet(fmt.Sprint(base, 19)) {
			want[base+suffix] = text
		}
	}

	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()

	// The longest name that leaves room for the longest suffix.
	longest := 255 - len(manifestSuffix)

	for _, base := range []string{
		"-", "-rf", "--", " leading and trailing ", "a b", "...", "üñï-日本語-🔥", "'\"$(x)", "~", "%s", "[a]*?",
		strings.Repeat("x", 99), strings.Repeat("x", 100), strings.Repeat("x", 101),
		strings.Repeat("x", longest), strings.Repeat("🔥", longest/4) + "!",
	} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()

			if runtime.GOOS == "windows" && (strings.ContainsAny(base, `"*?<>|`) || strings.TrimRight(base, " .") != base) {
				t.Skip("no such names")
			}

			path := filepath.Join(t.TempDir(), base)
			mustReplace(t, path, oldText)
			mustReplace(t, path, newText)
			mustHold(t, path, newText)

			// Left over from a run that was killed.
			temp := durable.NewTempName(base)
			if len(temp) > 143 || len(durable.JournalName(base)) > 143 {
				t.Errorf("%d and %d bytes", len(temp), len(durable.JournalName(base)))
			}

			if err := os.WriteFile(filepath.Join(filepath.Dir(path), temp), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}

			if err := durable.Recover(path); err != nil {
				t.Fatal(err)
			}

			mustHold(t, path, newText)

			if err := durable.Remove(path, suffixes()...); err != nil {
				t.Fatal(err)
			}

			mustHold(t, path, "")
		})
	}
}

func TestNameTooLong(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("another error")
	}

	// The data file's name is possible, the manifest's is not.
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 255-len(manifestSuffix)+1))

	err := replaceSet(path, newText, durable.Options{})
	if !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("got %v, want %v", err, syscall.ENAMETOOLONG)
	}

	mustHold(t, path, "")
}

func TestTempNamesBelongToOneTarget(t *testing.T) {
	t.Parallel()

	part := rapid.SampledFrom([]string{
		"a", ".", "-", "A", "audit", "tmp", ".audit-tmp-", "AAAAAAAAAAAAAAAA", "~", "é",
		strings.Repeat("y", 97),
	})
	base := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(part, 1, 5).Draw(t, "parts"), "") })

	rapid.Check(t, func(t *rapid.T) {
		a, b := base.Draw(t, "a"), base.Draw(t, "b")
		name := durable.NewTempName(a)

		if got, want := durable.IsTempName(b, name), a == b; got != want {
			t.Fatalf("IsTempName(%q, %q): got %v", b, name, got)
		}

		for _, other := range []string{a, durable.JournalName(a), name[:len(name)-1], name + "A"} {
			if durable.IsTempName(a, other) {
				t.Fatalf("%q is taken for a temporary file of %q", other, a)
			}
		}
	})
}

func TestRefusedTargets(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		prepare func(dir string) error
		path    string
		want    error
	}{
		"directory":          {func(dir string) error { return os.Mkdir(filepath.Join(dir, "out"), 0o700) }, "out", durable.ErrDirectory},
		"trailing separator": {func(string) error { return nil }, "out" + string(filepath.Separator), durable.ErrDirectory},
		"dots":               {func(string) error { return nil }, "out/..", durable.ErrDirectory},
		"link": {func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "else"), nil, 0o600),
				os.Symlink("else", filepath.Join(dir, "out")))
		}, "out", durable.ErrNotRegular},
		"dangling link": {
			func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "out")) }, "out",
			durable.ErrNotRegular,
		},
		"parent is a file": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "out"), nil, 0o600) }, "out/x",
			durable.ErrNotDirectory,
		},
		"ancestor is a file": {
			func(dir string) error { return os.WriteFile(filepath.Join(dir, "out"), nil, 0o600) },
			"out/x/y/z", durable.ErrNotDirectory,
		},
		"parent leads nowhere": {
			func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "out")) },
			"out/x/y", durable.ErrNotDirectory,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			if err := c.prepare(dir); err != nil {
				t.Skip(err)
			}

			// Not filepath.Join, which would tidy the path up.
			path := dir + string(filepath.Separator) + c.path
			before := names(t, dir)

			for verb, err := range map[string]error{
				"Begin":         replaceSet(path, newText, durable.Options{}),
				"CheckWritable": durable.CheckWritable(path),
			} {
				var pathErr *fs.PathError
				if !errors.Is(err, c.want) || !errors.As(err, &pathErr) {
					t.Errorf("%s: got %v, want %v", verb, err, c.want)
				}
			}

			// Remove may find nothing there, but never takes something else away.
			_ = durable.Remove(path, "")

			if diff := cmp.Diff(before, names(t, dir)); diff != "" {
				t.Errorf("the directory has changed (-want +got):\n%s", diff)
			}
		})
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}

	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}

	return names
}

// A link on the way to the file is an ordinary thing.
func TestDirectoryBehindLink(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}

	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}

	mustReplace(t, filepath.Join(dir, "link", "out.csv"), newText)
	mustHold(t, filepath.Join(dir, "real", "out.csv"), newText)
}
