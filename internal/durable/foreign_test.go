// SPDX-License-Identifier: MPL-2.0

//go:build !windows

package durable_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

const (
	target    = "out.ndjson"
	important = target + "-important"
	planted   = ".out.ndjson.audit-tmp-AAAAAAAAAAAAAAAA"
	another   = ".out.ndjson.audit-tmp-BBBBBBBBBBBBBBBB"

	// somebody is a user that no system has.
	somebody = 54321
)

// hostile is a directory that others write to as well.
type hostile struct {
	t       *testing.T
	dir     string
	journal string
}

func newHostile(t *testing.T) hostile {
	t.Helper()

	h := hostile{t: t, dir: t.TempDir()}
	h.journal = durable.JournalName(target)
	h.put(important, "what nobody may touch\n")
	h.put(planted, newText)
	h.put(another, newText)

	return h
}

func (h hostile) path(name string) string { return filepath.Join(h.dir, name) }

func (h hostile) put(name, text string) {
	h.t.Helper()

	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// decide writes a journal with pairs of a temporary file that holds newText and the
// file that it is to become.
func (h hostile) decide(name string, pairs ...[2]string) {
	h.t.Helper()

	type member struct {
		Temp   string `json:"temp"`
		Final  string `json:"final"`
		Size   int    `json:"size"`
		SHA256 string `json:"sha256"`
	}

	var members []member
	for _, p := range pairs {
		members = append(members, member{p[0], p[1], len(newText), sum(newText)})
	}

	text, err := json.Marshal(map[string]any{"version": 1, "members": members})
	if err != nil {
		h.t.Fatal(err)
	}

	h.put(name, string(text))
}

func (h hostile) must(err error) {
	h.t.Helper()

	if err != nil {
		h.t.Fatal(err)
	}
}

// giveAway makes somebody else the owner, which only root can.
func (h hostile) giveAway(name string) {
	h.t.Helper()

	if os.Geteuid() != 0 {
		h.t.Skip("only root can make files of another user")
	}

	h.must(os.Lchown(h.path(name), somebody, somebody))
}

// look describes what is in the directory without following or opening anything
// but regular files.
func (h hostile) look() map[string]string {
	h.t.Helper()

	entries, err := os.ReadDir(h.dir)
	h.must(err)

	found := map[string]string{}

	for _, e := range entries {
		info, err := e.Info()
		h.must(err)

		var text []byte

		if info.Mode().IsRegular() {
			text, err = os.ReadFile(h.path(e.Name()))
			h.must(err)
		}

		found[e.Name()] = fmt.Sprintf("%s %q", info.Mode(), text)
	}

	return found
}

// A journal decides what is renamed to what. One that somebody else could have
// written, or that names anything but the three members, is an error that names
// it, and nothing is touched.
func TestForeignJournalIsRefused(t *testing.T) {
	t.Parallel()

	good := [2]string{planted, target}

	for name, c := range map[string]struct {
		plant func(h hostile)
		want  error
		text  string
	}{
		"of another user": {func(h hostile) {
			h.decide(h.journal, good)
			h.giveAway(h.journal)
		}, durable.ErrForeign, fmt.Sprintf("it belongs to the user with uid %d", somebody)},
		"of a user with a name": {func(h hostile) {
			h.decide(h.journal, good)
			h.giveAway(h.journal)
			h.must(os.Chown(h.path(h.journal), 1, 1))
		}, durable.ErrForeign, "(uid 1)"},
		"of another user, not even a journal": {func(h hostile) {
			h.put(h.journal, "?")
			h.giveAway(h.journal)
		}, durable.ErrForeign, "it belongs to"},
		"that the group may write to": {func(h hostile) {
			h.decide(h.journal, good)
			h.must(os.Chmod(h.path(h.journal), 0o620))
		}, durable.ErrForeign, "others may write to it"},
		"that anybody may write to": {func(h hostile) {
			h.decide(h.journal, good)
			h.must(os.Chmod(h.path(h.journal), 0o602))
		}, durable.ErrForeign, "others may write to it"},
		"hard link": {func(h hostile) {
			h.decide("elsewhere", good)
			h.must(os.Link(h.path("elsewhere"), h.path(h.journal)))
		}, durable.ErrForeign, "hard link"},
		"symbolic link": {func(h hostile) {
			h.decide("elsewhere", good)
			h.must(os.Symlink("elsewhere", h.path(h.journal)))
		}, durable.ErrNotRegular, ""},
		"symbolic link of another user": {func(h hostile) {
			h.decide("elsewhere", good)
			h.must(os.Symlink("elsewhere", h.path(h.journal)))
			h.giveAway(h.journal)
		}, durable.ErrNotRegular, fmt.Sprintf("it belongs to the user with uid %d and is not a regular file", somebody)},
		"link to nothing": {func(h hostile) { h.must(os.Symlink("nowhere", h.path(h.journal))) }, durable.ErrNotRegular, ""},
		"pipe":            {func(h hostile) { h.must(syscall.Mkfifo(h.path(h.journal), 0o600)) }, durable.ErrNotRegular, ""},
		"directory":       {func(h hostile) { h.must(os.Mkdir(h.path(h.journal), 0o700)) }, durable.ErrNotRegular, ""},
		"names what only begins alike": {
			func(h hostile) { h.decide(h.journal, [2]string{planted, important}) },
			durable.ErrUnsettled, "a name is not this target's",
		},
		"names one of another and one of its own": {func(h hostile) {
			h.decide(h.journal, good, [2]string{another, target + ".manifest.json-important"})
		}, durable.ErrUnsettled, "a name is not this target's"},
		"names a part of a member": {
			func(h hostile) { h.decide(h.journal, [2]string{planted, target + ".manifest"}) },
			durable.ErrUnsettled, "a name is not this target's",
		},
		"names a file elsewhere": {
			func(h hostile) { h.decide(h.journal, [2]string{planted, target + "/../" + important}) },
			durable.ErrUnsettled, "a name is not this target's",
		},
		"names another's temporary file": {func(h hostile) {
			h.decide(h.journal, [2]string{".other.csv.audit-tmp-AAAAAAAAAAAAAAAA", target})
		}, durable.ErrUnsettled, "a name is not this target's"},
		"names itself": {
			func(h hostile) { h.decide(h.journal, [2]string{h.journal, target}) },
			durable.ErrUnsettled, "a name is not this target's",
		},
		"names a member twice": {
			func(h hostile) { h.decide(h.journal, good, [2]string{another, target}) },
			durable.ErrUnsettled, "a name occurs twice",
		},
		"names a temporary file twice": {
			func(h hostile) { h.decide(h.journal, good, [2]string{planted, target + ".sha256"}) },
			durable.ErrUnsettled, "a name occurs twice",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHostile(t)
			c.plant(h)

			path := h.path(target)
			before := h.look()
			_, interrupted := durable.Interrupted(path)

			for verb, err := range map[string]error{
				"Interrupted": interrupted, "Recover": durable.Recover(path), "Remove": durable.Remove(path, suffixes()...),
				"Begin": replaceSet(path, oldText, durable.Options{}),
			} {
				var named *fs.PathError
				if !errors.Is(err, c.want) || !errors.As(err, &named) || named.Path != h.path(h.journal) ||
					!strings.Contains(err.Error(), c.text) {
					t.Errorf("%s: got %v, want %v %q", verb, err, c.want, c.text)
				}
			}

			if diff := cmp.Diff(before, h.look()); diff != "" {
				t.Errorf("the directory has changed (-before +after):\n%s", diff)
			}
		})
	}
}

// A journal of ours is followed with files of ours only: whoever owns another one
// could change it once it has its place.
func TestForeignFileTakesNoPlace(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		plant func(h hostile)
		want  error
	}{
		"temporary file of another user": {func(h hostile) { h.giveAway(planted) }, durable.ErrUnsettled},
		"temporary file is a link": {func(h hostile) {
			h.must(os.Rename(h.path(planted), h.path("elsewhere")))
			h.must(os.Symlink("elsewhere", h.path(planted)))
		}, durable.ErrUnsettled},
		"temporary file is a pipe": {func(h hostile) {
			h.must(os.Remove(h.path(planted)))
			h.must(syscall.Mkfifo(h.path(planted), 0o600))
		}, durable.ErrUnsettled},
		"a link where the member goes": {
			func(h hostile) { h.must(os.Symlink(important, h.path(target))) },
			durable.ErrNotRegular,
		},
		"a directory where it goes": {func(h hostile) { h.must(os.Mkdir(h.path(target), 0o700)) }, durable.ErrDirectory},
		"the same bytes of another user": {func(h hostile) {
			h.put(target, newText)
			h.giveAway(target)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHostile(t)
			h.decide(h.journal, [2]string{planted, target})
			c.plant(h)

			before := h.look()

			if err := durable.Recover(h.path(target)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}

			if c.want != nil {
				if diff := cmp.Diff(before, h.look()); diff != "" {
					t.Errorf("the directory has changed (-before +after):\n%s", diff)
				}

				return
			}

			info, err := os.Stat(h.path(target))
			h.must(err)

			if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
				t.Error("another user's file has taken the place")
			}
		})
	}
}

// Whatever others leave under the name of a temporary file neither stops a
// replacement nor is removed by it. What a crash of ours left is.
func TestForeignTemporaryFilesAreLeftAlone(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		plant func(h hostile)
		left  bool
	}{
		"ours":            {func(hostile) {}, false},
		"of another user": {func(h hostile) { h.giveAway(planted) }, true},
		"an empty directory": {func(h hostile) {
			h.must(os.Remove(h.path(planted)))
			h.must(os.Mkdir(h.path(planted), 0o700))
		}, true},
		"a pipe": {func(h hostile) {
			h.must(os.Remove(h.path(planted)))
			h.must(syscall.Mkfifo(h.path(planted), 0o600))
		}, true},
		"a link": {func(h hostile) {
			h.must(os.Remove(h.path(planted)))
			h.must(os.Symlink(important, h.path(planted)))
		}, true},
		"a directory, not ours": {func(h hostile) {
			h.must(os.Remove(h.path(planted)))
			h.must(os.MkdirAll(h.path(planted+"/full"), 0o700))
			h.giveAway(planted)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := newHostile(t)
			c.plant(h)
			h.must(replaceSet(h.path(target), newText, durable.Options{}))

			got := h.look()
			if _, left := got[planted]; left != c.left {
				t.Errorf("left is %v, want %v", left, c.left)
			}

			for suffix, text := range wantSet(newText) {
				if got[target+suffix] != fmt.Sprintf("%s %q", fs.FileMode(0o600), text) {
					t.Errorf("%s: %s", target+suffix, got[target+suffix])
				}
			}

			if got[important] != fmt.Sprintf("%s %q", fs.FileMode(0o600), "what nobody may touch\n") {
				t.Errorf("%s: %s", important, got[important])
			}
		})
	}
}

// Where others may remove files, somebody can put another one under a temporary
// name before it takes its place.
func TestSwappedTemporaryFileIsNoticed(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.csv")
	mustReplace(t, path, oldText)

	r, err := durable.Begin(path, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Abort()

	f, err := r.Create("")
	if err != nil {
		t.Fatal(err)
	}

	if _, err := f.Write([]byte("right")); err != nil {
		t.Fatal(err)
	}

	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	for name := range files(t, filepath.Dir(path)) {
		if durable.IsTempName("out.csv", name) {
			temp := filepath.Join(filepath.Dir(path), name)
			if err := errors.Join(os.WriteFile(temp+"x", []byte("wrong"), 0o600), os.Rename(temp+"x", temp)); err != nil {
				t.Fatal(err)
			}
		}
	}

	if err := r.Commit(); err == nil {
		t.Error("no error")
	}

	mustHold(t, path, oldText)
}

// A change of the permission reaches the members and nothing else: no link is
// followed, and none of them is changed when one cannot be.
func TestPermissionFollowsNoLink(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		plant func(h hostile, member string)
		want  error
	}{
		"symbolic link":   {func(h hostile, member string) { h.must(os.Symlink(important, member)) }, durable.ErrNotRegular},
		"link to nothing": {func(h hostile, member string) { h.must(os.Symlink("nowhere", member)) }, durable.ErrNotRegular},
		"hard link":       {func(h hostile, member string) { h.must(os.Link(h.path(important), member)) }, durable.ErrLinked},
		"pipe":            {func(h hostile, member string) { h.must(syscall.Mkfifo(member, 0o600)) }, durable.ErrNotRegular},
		"directory":       {func(h hostile, member string) { h.must(os.Mkdir(member, 0o700)) }, durable.ErrNotRegular},
		"nothing":         {func(hostile, string) {}, nil},
	} {
		for _, suffix := range suffixes() {
			t.Run(name+" at "+suffix, func(t *testing.T) {
				t.Parallel()

				h := newHostile(t)
				path := h.path(target)
				mustReplace(t, path, newText)
				h.must(os.Remove(path + suffix))
				c.plant(h, path+suffix)

				before := h.look()

				if err := durable.SetPermission(path, 0o644, suffixes()...); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}

				if diff := cmp.Diff(before, h.look()); c.want != nil && diff != "" {
					t.Errorf("something has changed (-before +after):\n%s", diff)
				}

				for _, other := range suffixes() {
					if c.want == nil && other != suffix {
						wantMode(t, path+other, 0o644)
					}
				}
			})
		}
	}
}

// The directory on the way may be a link, as the user wrote it.
func TestPermissionBehindLinkedDirectory(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "real"), 0o700),
		os.Symlink("real", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "link", "out.csv")
	mustReplace(t, path, newText)

	if err := durable.SetPermission(path, 0o640, suffixes()...); err != nil {
		t.Fatal(err)
	}

	wantMode(t, path, 0o640)
}
