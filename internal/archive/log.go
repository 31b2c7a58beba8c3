// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
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

// tree is a Merkle tree as RFC 6962 has it. It holds the hashes of the leaves that were added, in the order of tlog;
// older answers for those of the leaves before, nil where there are none.
type tree struct {
	N     int64
	older tlog.HashReader
	// from is the index of the first of the hashes.
	from   int64
	hashes []tlog.Hash
}

// emptyRoot is the root of a tree without leaves.
func emptyRoot() tlog.Hash { return sha256.Sum256(nil) }

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	added := func(index int64) bool { return index >= t.from }

	var older []tlog.Hash

	if before := slices.DeleteFunc(slices.Clone(indexes), added); len(before) > 0 {
		var err error
		if older, err = t.older.ReadHashes(before); err != nil {
			return nil, brokenTiles(err)
		}
	}

	for i, index := range indexes {
		switch {
		case !added(index):
			all[i], older = older[0], older[1:]
		case index-t.from < int64(len(t.hashes)):
			all[i] = t.hashes[index-t.from]
		default:
			return nil, fmt.Errorf("there is no hash %d", index)
		}
	}

	return all, nil
}

func (t *tree) add(leaf []byte) error {
	added, err := tlog.StoredHashes(t.N, leaf, t)
	if err != nil {
		return err //nolint:wrapcheck // It is one of ReadHashes.
	}

	t.hashes, t.N = append(t.hashes, added...), t.N+1

	return nil
}

// rootAt returns the root that the tree had at a size.
func (t *tree) rootAt(size int64) (tlog.Hash, error) {
	return tlog.TreeHash(size, t) //nolint:wrapcheck // It is one of ReadHashes.
}

func (t *tree) root() (tlog.Hash, error) { return t.rootAt(t.N) }

// merkle is the log up to some size.
type merkle struct {
	tree

	Hash  tlog.Hash
	store durable.Store
	// edge are the manifests of the last bundle, the newest last.
	edge [][]byte
	// olderEdge are those of the bundle before that was read last.
	olderEdge   [][]byte
	olderBundle int64
}

// openMerkle returns the log that the tree is of, having made sure that the last bundle
// and all that was read of the tiles belong to it. Where the tiles of the last manifest
// are missing, the error is fs.ErrNotExist.
func openMerkle(ctx context.Context, store durable.Store, at tlog.Tree) (*merkle, error) {
	l := &merkle{tree: tree{N: at.N, from: tlog.StoredHashIndex(0, at.N)}, Hash: at.Hash, store: store}
	if at.N == 0 {
		return l, nil
	}

	first := (at.N - 1) / bundleWidth * bundleWidth

	edge, err := readBundle(ctx, store, first/bundleWidth, int(at.N-first))
	if err != nil {
		return nil, err
	}

	l.edge, l.older = edge, tlog.TileHashReader(at, &tileReader{ctx: ctx, store: store, kept: map[tlog.Tile][]byte{}})

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

	hashes, err := l.ReadHashes(indexes)
	if err != nil {
		return err
	}

	for i, manifest := range manifests {
		if tlog.RecordHash(manifest) != hashes[i] {
			return fmt.Errorf("%w: the bundle %s does not hold manifest %d of the log", ErrBroken,
				bundleKey(first/bundleWidth, len(manifests)), first+int64(i)+1)
		}
	}

	return nil
}

// manifest returns a manifest by its number. Bundles before the last are read again each
// time that another one is asked for.
func (l *merkle) manifest(ctx context.Context, sequence int64) (*Manifest, error) {
	n, at := (sequence-1)/bundleWidth, (sequence-1)%bundleWidth
	if n == (l.N-1)/bundleWidth {
		return parseManifest(l.edge[at], sequence)
	}

	if l.olderEdge == nil || l.olderBundle != n {
		manifests, err := readBundle(ctx, l.store, n, bundleWidth)
		if err == nil {
			err = l.checkLeaves(n*bundleWidth, manifests)
		}

		if err != nil {
			return nil, orMissing(bundleKey(n, bundleWidth), err)
		}

		l.olderEdge, l.olderBundle = manifests, n
	}

	return parseManifest(l.olderEdge[at], sequence)
}

// newest yields the manifests of the last bundle, the newest first.
func (l *merkle) newest() iter.Seq2[*Manifest, error] {
	return func(yield func(*Manifest, error) bool) {
		for i, text := range slices.Backward(l.edge) {
			if !yield(parseManifest(text, l.N-int64(len(l.edge)-1-i))) {
				return
			}
		}
	}
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
	next := &merkle{tree: l.tree, store: l.store}

	err := next.add(manifest)
	if err == nil {
		next.Hash, err = next.root()
	}

	if err != nil {
		return nil, err
	}

	if l.N%bundleWidth != 0 {
		next.edge = slices.Clone(l.edge)
	}

	next.edge = append(next.edge, manifest)

	return next, nil
}

// publish writes what follows from the last manifest: the hash tiles, then the entry
// bundle, whose being there says that the tiles are.
func (l *merkle) publish(ctx context.Context) error {
	for _, t := range tlog.NewTiles(tileHeight, l.N-1, l.N) {
		data, err := tlog.ReadTileData(t, l)
		if err != nil {
			return err //nolint:wrapcheck // It is one of ReadHashes.
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

		if whole, fullErr := store.Read(ctx, tileKey(full), bundleWidth*tlog.HashSize); fullErr == nil &&
			len(whole) == bundleWidth*tlog.HashSize {
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

	return nil, &Problem{FindingAltered, key, 0, fmt.Sprintf("it is no bundle of %d manifests", width)}
}
