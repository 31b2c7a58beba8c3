// SPDX-License-Identifier: MPL-2.0

package durable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// directoryStore keeps objects as files below a directory.
//
// A file gets its name only when its bytes are durable: it is written and synced
// under a temporary name directly below the root, where nobody looks for objects,
// then linked (Create) or renamed
// (Replace) to its final one, then the directory is synced. A hard link is what
// makes Create exclusive, since unlike a rename it never replaces.
//
// Where there are no hard links (FAT, some network shares), the temporary file is
// renamed by the call that replaces nothing, which Linux, macOS and Windows have.
// Where there is neither, Create returns ErrNotConditional.
//
// List yields the temporary files that a crash left as Temporary. Writers
// leave them alone, as another process may still be writing one; Sweep removes
// them. Writers hold a shared lock on the root, which ends with their process, so
// who gets the lock alone knows that nobody is writing. Where there are no locks,
// only age tells. Losing its temporary file makes a slow writer fail and harms
// nothing.
//
// Links below the root are never followed: what they lead to is not in the store,
// and a copy of the store would not have it. The root itself may be one.
type directoryStore struct {
	files   store
	root    string
	options Options

	// synced holds the directories whose names this value knows to be durable. One
	// that was found may have been made right before a crash, or a moment ago by
	// somebody who has not synced it yet.
	synced sync.Map
}

func newDirectoryStore(root string, o Options) *directoryStore {
	o = o.withDefaults()

	return &directoryStore{files: store{o.System}, root: filepath.Clean(root), options: o}
}

func (d *directoryStore) String() string { return d.root }

func (d *directoryStore) path(key string) string {
	return filepath.Join(d.root, filepath.FromSlash(key))
}

// enter makes sure that there is something to do, and returns the path of the object.
func (d *directoryStore) enter(ctx context.Context, op, key string) (path string, err error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}

	path = d.path(key)
	if err := ctx.Err(); err != nil {
		return "", pathError(op, path, err)
	}

	return path, nil
}

func (d *directoryStore) Create(ctx context.Context, key string, data []byte) error {
	return d.put(ctx, "create", key, data)
}

func (d *directoryStore) Replace(ctx context.Context, key string, data []byte) error {
	return d.put(ctx, "replace", key, data)
}

// put writes a temporary file, gives it its final name and makes that durable.
func (d *directoryStore) put(ctx context.Context, op, key string, data []byte) error {
	final, err := d.enter(ctx, op, key)
	if err != nil {
		return err
	}

	if err := d.makeParents(key); err != nil {
		return err
	}

	fresh, err := d.files.replaceable(final)
	if err != nil {
		return err
	}

	place := d.files.sys.Rename

	if op == "create" {
		// Saves the writing, no more: what decides is the link.
		if !fresh {
			return pathError(op, final, ErrExists)
		}

		place = d.link
	}

	// Without the lock the writing is as safe, but a Sweep may end it.
	unlock, _ := lockDirectory(d.root, false)
	defer unlock()

	temp := filepath.Join(d.root, newPartName())

	// After a rename there is nothing to remove; what cannot be removed is
	// temporary until Sweep.
	defer func() { _ = d.files.removeIfThere(temp) }()

	// What is created stays as it is; what is replaced will be again.
	permission := d.options.FilePermission
	if op == "create" {
		permission &^= anybodyWrites
	}

	if err := d.files.write(temp, data, permission); err != nil {
		return err
	}

	if err := ctx.Err(); err != nil {
		return pathError(op, final, err)
	}

	return d.files.durably(filepath.Dir(final), func() error { return place(temp, final) })
}

// anybodyWrites are the bits that let somebody write to a file.
const anybodyWrites fs.FileMode = 0o222

// link gives the temporary file its final name unless that is taken.
func (d *directoryStore) link(temp, final string) error {
	was, err := d.files.sys.Lstat(temp)
	if err != nil {
		return err
	}

	err = d.files.sys.Link(temp, final)
	if err != nil && linkUnsupported(err) {
		err = d.files.sys.RenameNew(temp, final)
	}

	if err == nil {
		return nil
	}

	// A network share may report as failed what it did: its answer got lost, and
	// the repeated request found the name taken.
	if is, statErr := d.files.sys.Lstat(final); statErr == nil && os.SameFile(was, is) {
		return nil
	}

	fresh, statErr := d.files.replaceable(final)

	switch {
	case statErr != nil:
		return statErr
	case !fresh, errors.Is(err, fs.ErrExist): // It may have been deleted since.
		return pathError("create", final, ErrExists)
	case errors.Is(err, errors.ErrUnsupported):
		return pathError("create", final, fmt.Errorf("the file system has no hard links, and %w", ErrNotConditional))
	default:
		return err
	}
}

// makeParents makes the directories above a key, each durable in its parent.
func (d *directoryStore) makeParents(key string) error {
	if err := d.files.makeDirectories(d.root, d.options.DirectoryPermission); err != nil {
		return err
	}

	// The root may have been there for ever, in a directory that is not ours to
	// open.
	if err := d.syncName(d.root, noChange); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}

	for dir := range d.parents(key) {
		change := noChange

		err := d.files.checkDirectory("mkdir", dir)
		if errors.Is(err, fs.ErrNotExist) {
			d.synced.Delete(dir)

			change = func() error { return d.files.makeDirectory(dir, d.options.DirectoryPermission) }
			err = nil
		}

		if err == nil {
			err = d.syncName(dir, change)
		}

		if err != nil {
			return err
		}
	}

	return nil
}

func noChange() error { return nil }

// syncName makes a directory's own name durable, once.
func (d *directoryStore) syncName(dir string, change func() error) error {
	if _, done := d.synced.Load(dir); done {
		return nil
	}

	if err := d.files.durably(filepath.Dir(dir), change); err != nil {
		return err
	}

	d.synced.Store(dir, struct{}{})

	return nil
}

// parents yields the directories between the root and a key, outermost first.
func (d *directoryStore) parents(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, r := range key {
			if r == '/' && !yield(d.path(key[:i])) {
				return
			}
		}
	}
}

// find is enter that also makes sure that the way to the object leads through
// directories.
func (d *directoryStore) find(ctx context.Context, op, key string) (path string, err error) {
	path, err = d.enter(ctx, op, key)
	if err != nil {
		return "", err
	}

	for dir := range d.parents(key) {
		err := d.files.checkDirectory(op, dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = pathError(op, path, fs.ErrNotExist)
		}

		if err != nil {
			return "", err
		}
	}

	return path, nil
}

func (d *directoryStore) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	return d.readIf(ctx, key, limit, nil)
}

// ReadProtected is what the function of that name asks for.
func (d *directoryStore) ReadProtected(
	ctx context.Context, key string, limit int64,
) (data []byte, p Protection, err error) {
	data, err = d.readIf(ctx, key, limit, func(h Handle) error {
		if info, err := h.Stat(); err == nil && info.Mode()&anybodyWrites == 0 {
			p.Mode = ReadOnly
		}

		return nil
	})

	return data, p, err
}

func (d *directoryStore) readIf(ctx context.Context, key string, limit int64, allow check) ([]byte, error) {
	path, err := d.find(ctx, "read", key)
	if err != nil {
		return nil, err
	}

	return d.files.read(path, limit, allow)
}

func (d *directoryStore) Delete(ctx context.Context, key string) error {
	path, err := d.find(ctx, "delete", key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	if err != nil {
		return err
	}

	if fresh, err := d.files.replaceable(path); fresh || err != nil {
		return err
	}

	return d.files.durably(filepath.Dir(path), func() error { return d.files.removeIfThere(path) })
}

// List yields nothing when the root does not exist: Create would make it.
func (d *directoryStore) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { d.list(ctx, "", prefix, yield) }
}

// list yields what is in a directory and below it, and says whether to go on.
func (d *directoryStore) list(ctx context.Context, dir, prefix string, yield func(Object, error) bool) (more bool) {
	if err := ctx.Err(); err != nil {
		yield(Object{}, pathError("list", d.root, err))

		return false
	}

	objects, err := d.objects(dir, prefix)
	if err != nil {
		yield(Object{}, err)

		return false
	}

	// It could be in the way of an object.
	if len(objects) == 0 && dir != "" && strings.HasPrefix(dir, prefix) {
		return yield(Object{Key: dir, Irregular: true}, nil)
	}

	for _, o := range objects {
		if strings.HasSuffix(o.Key, "/") {
			more = d.list(ctx, o.Key, prefix, yield)
		} else {
			more = yield(o, nil)
		}

		if !more {
			return false
		}
	}

	return true
}

// objects returns what is in a directory and wanted, or may hold what is. The key of a
// directory ends in a slash, which puts it where its objects go in the order of keys:
// "a-b", "a/b", "a0". What vanishes in the meantime was not there.
func (d *directoryStore) objects(dir, prefix string) ([]Object, error) {
	path := d.path(dir)

	// The root may be a link. Nothing but a directory is opened: it could block.
	stat := d.files.sys.Lstat
	if dir == "" {
		stat = d.files.sys.Stat
	}

	info, err := stat(path)

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, pathError("list", path, ErrNotDirectory)
	}

	names, err := d.files.sys.List(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	var objects []Object

	for _, name := range names {
		key := dir + name
		if !strings.HasPrefix(key, prefix) && !strings.HasPrefix(prefix, key) {
			continue
		}

		info, err := d.files.sys.Lstat(filepath.Join(path, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}

		if err != nil {
			return nil, err
		}

		o := object(key, info)
		if strings.HasPrefix(o.Key, prefix) || info.IsDir() && strings.HasPrefix(prefix, o.Key) {
			objects = append(objects, o)
		}
	}

	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })

	return objects, nil
}

// object describes what is under a key.
func object(key string, info fs.FileInfo) Object {
	switch {
	case info.IsDir():
		return Object{Key: key + "/", Irregular: true}
	case !info.Mode().IsRegular():
		return Object{Key: key, Irregular: true}
	default:
		return objectUnder(key, info.Size())
	}
}

// Sweep is what the function of that name asks for.
func (d *directoryStore) Sweep(ctx context.Context, before time.Time) (removed int, err error) {
	if err = ctx.Err(); err == nil {
		removed, err = d.files.sweepParts(d.root, before)
	}

	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return removed, fmt.Errorf("sweep %s: %w", d.root, err)
	}

	return removed, nil
}
