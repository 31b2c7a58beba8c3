// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// The log is a Merkle tree as RFC 6962 has it, whose leaves are the manifests, and is
// kept as c2sp.org/tlog-tiles says: hash tiles of 256 hashes, and entry bundles of 256
// manifests. All of that follows from the manifests, so it has the same bytes whoever
// writes it, and whoever finds it missing can make it.
const (
	tileHeight  = 8
	bundleWidth = 1 << tileHeight
	// maxManifest is the largest that an entry bundle has room for.
	maxManifest = 1<<16 - 1
	maxBundle   = bundleWidth * (maxManifest + 2)
)

// merkle is the log up to some size.
type merkle struct {
	tlog.Tree

	store  durable.Store
	hashes tlog.HashReader
	// edge are the manifests of the last bundle, the newest last.
	edge [][]byte
	// older are those of the bundle before that was read last.
	older       [][]byte
	olderBundle int64
}

// emptyRoot is the root of a tree without leaves.
func emptyRoot() tlog.Hash { return (&tree{}).root() }

// tree is a Merkle tree as RFC 6962 has it, held in memory.
type tree struct {
	n      int64
	hashes storedHashes
}

func (t *tree) add(leaf []byte) {
	added, err := tlog.StoredHashes(t.n, leaf, &t.hashes)
	if err != nil {
		panic(err) // All hashes are at hand.
	}

	t.hashes, t.n = append(t.hashes, added...), t.n+1
}

func (t *tree) root() tlog.Hash {
	root, err := tlog.TreeHash(t.n, &t.hashes)
	if err != nil {
		panic(err) // All hashes are at hand.
	}

	return root
}

// storedHashes are the hashes of a tree in the order of tlog.
type storedHashes []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (s *storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))

	for i, index := range indexes {
		if index < 0 || index >= int64(len(*s)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}

		all[i] = (*s)[index]
	}

	return all, nil
}

// openMerkle returns the log that the tree is of, having made sure that the last bundle
// and all that was read of the tiles belong to it. Where the tiles of the last manifest
// are missing, the error is fs.ErrNotExist.
func openMerkle(ctx context.Context, store durable.Store, tree tlog.Tree) (*merkle, error) {
	l := &merkle{Tree: tree, store: store, hashes: &storedHashes{}}
	if tree.N == 0 {
		return l, nil
	}

	first := (tree.N - 1) / bundleWidth * bundleWidth

	edge, err := readBundle(ctx, store, first/bundleWidth, int(tree.N-first))
	if err != nil {
		return nil, err
	}

	l.edge, l.hashes = edge, tlog.TileHashReader(tree, &tileReader{ctx: ctx, store: store, kept: map[tlog.Tile][]byte{}})

	if err := l.checkLeaves(first, edge); err != nil {
		return nil, err
	}

	return l, nil
}

// checkLeaves makes sure that manifests are the leaves from a number on.
func (l *merkle) checkLeaves(first int64, manifests [][]byte) error {
	indexes := make([]int64, len(manifests))
	for i := range manifests {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}

	hashes, err := l.hashes.ReadHashes(indexes)
	if err != nil {
		return brokenTiles(err)
	}

	for i, manifest := range manifests {
		if tlog.RecordHash(manifest) != hashes[i] {
			return fmt.Errorf("%w: the bundle %s does not hold manifest %d of the log", ErrBroken, bundleKey(first/bundleWidth, len(manifests)), first+int64(i)+1)
		}
	}

	return nil
}

// leaf returns a manifest by its number. Bundles before the last are read again each
// time that another one is asked for.
func (l *merkle) leaf(ctx context.Context, sequence int64) ([]byte, error) {
	n, at := (sequence-1)/bundleWidth, (sequence-1)%bundleWidth
	if n == (l.N-1)/bundleWidth {
		return l.edge[at], nil
	}

	if l.older == nil || l.olderBundle != n {
		manifests, err := readBundle(ctx, l.store, n, bundleWidth)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %s is missing", ErrBroken, bundleKey(n, bundleWidth))
		}

		if err == nil {
			err = l.checkLeaves(n*bundleWidth, manifests)
		}

		if err != nil {
			return nil, err
		}

		l.older, l.olderBundle = manifests, n
	}

	return l.older[at], nil
}

// brokenTiles passes on what the store reported, and says of anything else that the
// tiles are to blame.
func brokenTiles(err error) error {
	if stored := (*tileError)(nil); errors.As(err, &stored) {
		return stored.err
	}

	return fmt.Errorf("%w: its tiles do not belong to the checkpoint: %w", ErrBroken, err)
}

// with returns the log with one more manifest. Nothing is written.
func (l *merkle) with(manifest []byte) (*merkle, error) {
	added, err := tlog.StoredHashes(l.N, manifest, l.hashes)
	if err != nil {
		return nil, brokenTiles(err)
	}

	next := &merkle{store: l.store, hashes: &newer{older: l.hashes, from: tlog.StoredHashIndex(0, l.N), hashes: added}}

	root, err := tlog.TreeHash(l.N+1, next.hashes)
	if err != nil {
		return nil, brokenTiles(err)
	}

	next.Tree = tlog.Tree{N: l.N + 1, Hash: root}

	if l.N%bundleWidth != 0 {
		next.edge = slices.Clone(l.edge)
	}

	next.edge = append(next.edge, manifest)

	return next, nil
}

// rootAt returns the root that the log had at an earlier size.
func (l *merkle) rootAt(size int64) (tlog.Hash, error) {
	root, err := tlog.TreeHash(size, l.hashes)
	if err != nil {
		return tlog.Hash{}, brokenTiles(err)
	}

	return root, nil
}

// grown proves that the log has grown from an earlier size.
func (l *merkle) grown(size int64) (tlog.TreeProof, error) {
	proof, err := tlog.ProveTree(l.N, size, l.hashes)
	if err != nil {
		return nil, brokenTiles(err)
	}

	return proof, nil
}

// publish writes what follows from the last manifest: the hash tiles, then the entry
// bundle, whose being there says that the tiles are.
func (l *merkle) publish(ctx context.Context) error {
	for _, t := range tlog.NewTiles(tileHeight, l.N-1, l.N) {
		data, err := tlog.ReadTileData(t, l.hashes)
		if err != nil {
			return brokenTiles(err)
		}

		if err := createDerived(ctx, l.store, tileKey(t), data); err != nil {
			return err
		}
	}

	return createDerived(ctx, l.store, bundleKey((l.N-1)/bundleWidth, len(l.edge)), encodeBundle(l.edge))
}

// dropPartial removes the tiles and the bundle that were published two manifests ago,
// where larger ones have them by now. Whoever reads by the checkpoint before this one
// still finds its own.
func (l *merkle) dropPartial(ctx context.Context) error {
	const kept = 2

	if l.N <= kept {
		return nil
	}

	needed := append(partialKeys(l.N), partialKeys(l.N-1)...)

	for _, key := range partialKeys(l.N - kept) {
		if slices.Contains(needed, key) {
			continue
		}

		if err := l.store.Delete(ctx, key); err != nil {
			return err
		}
	}

	return nil
}

// partialKeys are the keys of what is not full at the right edge of a tree.
func partialKeys(size int64) []string {
	var keys []string

	for level, n := 0, size; n > 0; level, n = level+1, n>>tileHeight {
		if width := int(n % bundleWidth); width > 0 {
			keys = append(keys, tileKey(tlog.Tile{H: tileHeight, L: level, N: n / bundleWidth, W: width}))
		}
	}

	if width := int(size % bundleWidth); width > 0 {
		keys = append(keys, bundleKey(size/bundleWidth, width))
	}

	return keys
}

// createSame creates an object of which there is only one form.
func createSame(ctx context.Context, store durable.Store, key string, data []byte) error {
	err := store.Create(ctx, key, data)
	if !errors.Is(err, durable.ErrExists) {
		return err
	}

	there, err := store.Read(ctx, key, int64(len(data)))
	if errors.Is(err, durable.ErrTooLarge) || err == nil && !bytes.Equal(there, data) {
		return fmt.Errorf("%w: %s is not what follows from the manifests", ErrBroken, key)
	}

	return err
}

// createDerived creates an object that follows from what is committed. Whatever else lies
// in its place was there before its checkpoint, so that no run has written it.
func createDerived(ctx context.Context, store durable.Store, key string, data []byte) error {
	err := createSame(ctx, store, key, data)
	// It may also have been removed meanwhile.
	if errors.Is(err, ErrBroken) || errors.Is(err, fs.ErrNotExist) {
		return store.Replace(ctx, key, data)
	}

	return err
}

// newer answers for the hashes that the last manifest added, and lets the older
// reader answer for the rest.
type newer struct {
	older  tlog.HashReader
	from   int64
	hashes []tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (r *newer) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	added := func(index int64) bool { return index >= r.from }

	older, err := r.older.ReadHashes(slices.DeleteFunc(slices.Clone(indexes), added))
	if err != nil {
		return nil, err //nolint:wrapcheck // It is one of ours, or passed on as such.
	}

	for i, index := range indexes {
		if added(index) {
			all[i] = r.hashes[index-r.from]
		} else {
			all[i], older = older[0], older[1:]
		}
	}

	return all, nil
}

// tileReader reads hash tiles from a store, each once.
type tileReader struct {
	ctx   context.Context //nolint:containedctx // The interface of tlog has none.
	store durable.Store
	kept  map[tlog.Tile][]byte
}

// tileError is an error of the store on its way through tlog.
type tileError struct{ err error }

func (e *tileError) Error() string { return e.err.Error() }

// Height implements tlog.TileReader.
func (*tileReader) Height() int { return tileHeight }

// SaveTiles implements tlog.TileReader.
func (r *tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, t := range tiles {
		r.kept[t] = data[i]
	}
}

// ReadTiles implements tlog.TileReader. It may return a tile that is no longer partial
// in the place of one that was.
func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))

	for i, t := range tiles {
		if data, ok := r.kept[t]; ok {
			all[i] = data

			continue
		}

		data, err := readTile(r.ctx, r.store, t)
		if err != nil {
			return nil, &tileError{err}
		}

		all[i] = data
	}

	return all, nil
}

func readTile(ctx context.Context, store durable.Store, t tlog.Tile) ([]byte, error) {
	size := int64(t.W * tlog.HashSize)

	data, err := store.Read(ctx, tileKey(t), size)
	if errors.Is(err, fs.ErrNotExist) && t.W < bundleWidth {
		full := t
		full.W = bundleWidth

		if whole, fullErr := store.Read(ctx, tileKey(full), bundleWidth*tlog.HashSize); fullErr == nil && len(whole) == bundleWidth*tlog.HashSize {
			return whole[:size], nil
		}
	}

	if errors.Is(err, durable.ErrTooLarge) || err == nil && int64(len(data)) != size {
		return nil, fmt.Errorf("%w: %s has another length", ErrBroken, tileKey(t))
	}

	return data, err
}

// tileKey is where a hash tile lies, tlog's own path without the height.
func tileKey(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

// bundleKey is where an entry bundle lies.
func bundleKey(n int64, width int) string {
	path := tlog.Tile{H: tileHeight, L: -1, N: n, W: width}.Path()

	return "tile/entries/" + strings.TrimPrefix(path, fmt.Sprintf("tile/%d/data/", tileHeight))
}

// readBundle returns the first manifests of a bundle, as many as width says.
func readBundle(ctx context.Context, store durable.Store, n int64, width int) ([][]byte, error) {
	key, whole := bundleKey(n, width), width

	data, err := store.Read(ctx, key, maxBundle)
	if errors.Is(err, fs.ErrNotExist) && width < bundleWidth {
		if full, fullErr := store.Read(ctx, bundleKey(n, bundleWidth), maxBundle); fullErr == nil {
			key, whole, data, err = bundleKey(n, bundleWidth), bundleWidth, full, nil
		}
	}

	if err != nil {
		return nil, err
	}

	manifests, err := decodeBundle(key, data, whole)
	if err != nil {
		return nil, err
	}

	return manifests[:width], nil
}

// encodeBundle writes manifests one after the other, each behind its length in two
// bytes, the more significant first.
func encodeBundle(manifests [][]byte) []byte {
	var b []byte
	for _, m := range manifests {
		b = binary.BigEndian.AppendUint16(b, uint16(len(m))) //nolint:gosec // Manifests are at most as long.
		b = append(b, m...)
	}

	return b
}

// decodeBundle returns the manifests of a bundle, which has to hold as many as its key
// says.
func decodeBundle(key string, data []byte, width int) ([][]byte, error) {
	const prefix = 2

	manifests := make([][]byte, 0, width)

	for rest := data; len(rest) >= prefix; {
		size := prefix + int(binary.BigEndian.Uint16(rest))
		if len(rest) < size || len(manifests) == width {
			break
		}

		manifests, rest = append(manifests, rest[prefix:size]), rest[size:]
		if len(rest) == 0 && len(manifests) == width {
			return manifests, nil
		}
	}

	return nil, &fault{FindingAltered, key, 0, fmt.Sprintf("it is no bundle of %d manifests", width)}
}
