// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// Finding says what is wrong with a part of an archive.
type Finding string

// The findings.
const (
	FindingAltered    Finding = "altered"    // not the bytes that the log leads to
	FindingMissing    Finding = "missing"    // the log leads to it, but it is not there
	FindingTruncated  Finding = "truncated"  // the log is shorter than it was
	FindingForked     Finding = "forked"     // the log is not a continuation of what it was
	FindingForeign    Finding = "foreign"    // the log does not lead to it
	FindingSignature  Finding = "signature"  // not signed by the expected key
	FindingUnfinished Finding = "unfinished" // left by a run that did not finish; the next one sees to it
	FindingUnreadable Finding = "unreadable" // cannot be read
)

// Problem is one thing wrong with an archive.
type Problem struct {
	Finding Finding `json:"finding"`
	Key     string  `json:"key"`
	// Sequence is the number of the manifest concerned, 0 where there is none.
	Sequence int64  `json:"sequence"`
	Detail   string `json:"detail"`
}

// Report is what Verify found.
type Report struct {
	Destination string `json:"destination"`
	// Valid says that there is no problem.
	Valid   bool   `json:"valid"`
	Service string `json:"service"`
	// Source is whose log it is, as far as any manifest says.
	Source auditlog.Source `json:"source"`
	// Origin is the name of the archive, and Checkpoint its newest checkpoint.
	Origin     string `json:"origin"`
	Checkpoint string `json:"checkpoint"`
	Head       Head   `json:"head"`
	// Signed says that the newest checkpoint has a signature, and SignedBy is the name of
	// the key that signed it, where one was given to check.
	Signed   bool   `json:"signed"`
	SignedBy string `json:"signed_by"`
	// Cosigned are the witnesses that have cosigned the newest checkpoint, of those whose
	// keys were given.
	Cosigned []Cosignature `json:"cosigned"`
	// Timestamp is the time stamp of the newest checkpoint that has one, null where none
	// has, and Timestamps is how many have one.
	Timestamp  *Stamped `json:"timestamp"`
	Timestamps int64    `json:"timestamps"`
	Manifests  int64    `json:"manifests"`
	Segments   int64    `json:"segments"`
	EntryCount int64    `json:"entry_count"`
	Bytes      int64    `json:"bytes"`
	FirstTime  string   `json:"first_time"`
	LastTime   string   `json:"last_time"`
	// CoveredUntil is up to when everything was archived.
	CoveredUntil string `json:"covered_until"`
	// Gaps lists what was lost and accepted as lost.
	Gaps []Gap `json:"gaps"`
	// Problems are in the order of the archive, the first one first.
	Problems []Problem `json:"problems"`
	// NotChecked says in sentences what nobody could check, and what it takes.
	NotChecked []string `json:"not_checked"`
}

// VerifyOptions say what else is known of an archive.
type VerifyOptions struct {
	// Verifiers are the keys one of which must have signed every checkpoint; with none,
	// any signature is accepted, and none.
	Verifiers []note.Verifier
	// Head is one that was remembered elsewhere; the archive must contain it, so
	// that cutting off its end shows.
	Head *Head
	// Since is a checkpoint that was remembered; the log must have grown from it.
	Since *Checkpoint
	// Origin is the name that the archive must have, "" where any will do.
	Origin string
	// Witnesses are the keys of those of whom Quorum, or all where that is 0, must have
	// cosigned the newest checkpoint.
	Witnesses []note.Verifier
	Quorum    int
	// TimestampRoots are the certificates to which those of time stamps have to lead; the
	// newest checkpoint must have one. With nil there may be any, and none.
	TimestampRoots *x509.CertPool
}

// Verify looks at every byte of an archive. An error means that looking itself
// failed; what is wrong with the archive is in the report.
func Verify(ctx context.Context, store durable.Store, o VerifyOptions) (*Report, error) {
	const mostPasses = 3

	for pass := 1; ; pass++ {
		v := &verification{ctx: ctx, store: store, o: o, objects: map[string]durable.Object{}, named: map[string]bool{}}

		report, err := v.run()
		if err != nil || report.Valid || pass == mostPasses {
			return report, err
		}

		// A run that writes meanwhile has changed what was seen before.
		if _, err := store.Read(ctx, checkpointKeyOf(v.size()+1), maxSmall); errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			return report, nil //nolint:nilerr // What was seen stands.
		}
	}
}

type verification struct {
	ctx     context.Context //nolint:containedctx // One call's worth of state.
	store   durable.Store
	o       VerifyOptions
	objects map[string]durable.Object
	// named are the objects that the log leads to.
	named  map[string]bool
	report *Report

	// checkpoints are those that could be read, by their sizes, and last is the newest.
	checkpoints map[int64]*point
	last        *point
	leaves      [][]byte
	hashes      storedHashes
	manifests   []*Manifest
}

func (v *verification) size() int64 {
	if v.last == nil {
		return -1
	}

	return v.last.Tree.N
}

func (v *verification) found(f Finding, key string, sequence int64, detail string) {
	v.report.Problems = append(v.report.Problems, Problem{Finding: f, Key: key, Sequence: sequence, Detail: detail})
}

func (v *verification) run() (*Report, error) {
	v.report = &Report{Destination: v.store.String(), Gaps: []Gap{}, Problems: []Problem{}, NotChecked: []string{}, Cosigned: []Cosignature{}}

	for object, err := range v.store.List(v.ctx, "") {
		if err != nil {
			return nil, err
		}

		v.objects[object.Key] = object
	}

	for _, step := range []func() error{
		v.readCheckpoints, v.readLeaves, v.checkTiles, v.checkManifests, v.checkSegments, v.checkBesides, v.checkAttested,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}

	v.checkKnown()
	v.checkForeign()
	v.summarise()

	slices.SortStableFunc(v.report.Problems, func(a, b Problem) int {
		switch {
		case a.Sequence == b.Sequence:
			return 0
		case a.Sequence == 0 || (b.Sequence != 0 && a.Sequence > b.Sequence):
			return 1
		default:
			return -1
		}
	})

	v.report.Valid = len(v.report.Problems) == 0

	return v.report, nil
}

// read returns an object, or nil with a problem where it is missing or no object
// of ours could be like it.
func (v *verification) read(key string, sequence, limit int64) ([]byte, error) {
	v.named[key] = true

	if _, ok := v.objects[key]; !ok {
		v.found(FindingMissing, key, sequence, "it is not there")

		return nil, nil
	}

	data, err := v.store.Read(v.ctx, key, limit)

	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, durable.ErrTooLarge), errors.Is(err, durable.ErrNotRegular):
		v.found(FindingUnreadable, key, sequence, err.Error())

		return nil, nil
	case err != nil:
		return nil, err
	}

	return data, nil
}

// object returns what a manifest names, or nil with a problem where it is not that.
func (v *verification) object(o Object, sequence, limit int64) ([]byte, error) {
	data, err := v.read(o.Key, sequence, limit)
	if err != nil || data == nil || o.is(data) {
		return data, err
	}

	v.found(FindingAltered, o.Key, sequence, "it is not what "+manifestName(sequence)+" says"+restorable(data, o.SHA256))

	return nil, nil
}

// restorable says that only the line endings differ from what the hash is of.
func restorable(data []byte, sum string) string {
	l := durable.NewLineEndings()
	_, _ = l.Write(data) // Never fails.

	if l.Restore(sum) {
		return "; " + export.AfterRestoring
	}

	return ""
}

// readCheckpoints reads the checkpoint of every size, and the copy of the newest.
func (v *verification) readCheckpoints() error {
	v.checkpoints = map[int64]*point{}

	var sizes []int64

	for key := range v.objects {
		size, err := strconv.ParseInt(strings.TrimPrefix(key, checkpointsPrefix), 10, 64)
		if err == nil && size >= 0 && size <= maxSequence && checkpointKeyOf(size) == key {
			sizes = append(sizes, size)
		}
	}

	slices.Sort(sizes)

	// One far beyond the others is foreign; it must not make us look for all the numbers
	// in between.
	for i := 1; i < len(sizes); i++ {
		if sizes[i] > 2*sizes[i-1]+2 {
			sizes = sizes[:i]
		}
	}

	i := 0

	for r, err := range ahead(v.ctx, len(sizes), objectsChecked, func(ctx context.Context, i int) (looked[*point], error) {
		return look(ctx, v, func(one *verification) (*point, error) { return one.readPoint(checkpointKeyOf(sizes[i]), sizes[i]) })
	}) {
		if err != nil {
			return err
		}

		v.takeOver(r.problems, r.named)
		v.addPoint(r.value, sizes[i])
		i++
	}

	v.checkHoles(sizes)

	return v.readCopy()
}

// addPoint takes a checkpoint for that of a size, where it can be.
func (v *verification) addPoint(p *point, size int64) {
	switch {
	case p == nil:
	case p.Tree.N != size:
		v.found(FindingAltered, checkpointKeyOf(size), size, fmt.Sprintf("it is the checkpoint of size %d", p.Tree.N))
	case v.last != nil && v.trusts(v.last) != v.trusts(p):
		// Where one is signed by the key, nothing is read by those that are not.
		if v.trusts(p) {
			v.checkpoints, v.last = map[int64]*point{size: p}, p
		}
	case v.last != nil && p.Origin != v.last.Origin:
		v.found(FindingForeign, checkpointKeyOf(size), size, "it belongs to another archive: "+p.Origin)
	default:
		if before := v.checkpoints[size-1]; before != nil && len(p.by) > 0 && !p.follows(before) {
			v.found(FindingSignature, checkpointKeyOf(size), size, fmt.Sprintf("it is signed by %s, and the one before by %s: none is signed by both, which would hand over from one key to the other", p.signedBy(), before.signedBy()))
		}

		v.checkpoints[size], v.last = p, p
	}
}

// objectsChecked is how many objects are read at the same time, be they segments.
const objectsChecked = 4

// looked is what a part of the looking found that went on beside others.
type looked[T any] struct {
	value    T
	problems []Problem
	named    map[string]bool
}

// look does a part of the looking that needs nothing but the objects.
func look[T any](ctx context.Context, v *verification, do func(*verification) (T, error)) (looked[T], error) {
	one := &verification{ctx: ctx, store: v.store, o: v.o, objects: v.objects, named: map[string]bool{}, report: &Report{}}
	value, err := do(one)

	return looked[T]{value, one.report.Problems, one.named}, err
}

func (v *verification) takeOver(problems []Problem, named map[string]bool) {
	v.report.Problems = append(v.report.Problems, problems...)
	maps.Copy(v.named, named)
}

// trusts says that a checkpoint is signed as it has to be.
func (v *verification) trusts(p *point) bool { return len(v.o.Verifiers) == 0 || len(p.by) > 0 }

// checkHoles reports the checkpoints that are missing before the newest, each hole once.
func (v *verification) checkHoles(sizes []int64) {
	next := int64(0)

	for _, size := range sizes {
		if size > v.size() {
			return
		}

		if next < size {
			detail := "it is not there"
			if more := size - next - 1; more > 0 {
				detail += fmt.Sprintf(", nor are the %d after it", more)
			}

			v.found(FindingMissing, checkpointKeyOf(next), next, detail)
		}

		next = size + 1
	}
}

func (v *verification) readCopy() error {
	if v.last != nil && !v.there(checkpointKey) {
		v.found(FindingUnfinished, checkpointKey, 0, "it is not there, and is a copy of "+checkpointKeyOf(v.size()))

		return nil
	}

	copied, err := v.readPoint(checkpointKey, 0)
	if err != nil || copied == nil || v.last != nil && v.trusts(v.last) && !v.trusts(copied) {
		return err
	}

	switch there := v.checkpoints[copied.Tree.N]; {
	case there == nil:
		v.found(FindingMissing, checkpointKeyOf(copied.Tree.N), copied.Tree.N, "there is a copy of it")

		if v.last == nil {
			v.last = copied
		}
	case there.Checkpoint != copied.Checkpoint:
		v.found(FindingAltered, checkpointKey, 0, "it is not a copy of "+checkpointKeyOf(copied.Tree.N))
	case there.Tree.N < v.size():
		v.found(FindingUnfinished, checkpointKey, 0, fmt.Sprintf("it is a copy of %s, and the newest is %s", checkpointKeyOf(copied.Tree.N), checkpointKeyOf(v.size())))
	}

	return nil
}

// readPoint returns a checkpoint, or nil with a problem.
func (v *verification) readPoint(key string, sequence int64) (*point, error) {
	data, err := v.read(key, sequence, maxSmall)
	if err != nil || data == nil {
		return nil, err
	}

	p, err := openPoint(data, v.o.Verifiers)
	if err != nil {
		if restored, restoredErr := openPoint(durable.UnixLineEndings(data), v.o.Verifiers); restoredErr == nil {
			v.found(FindingAltered, key, sequence, export.AfterRestoring)

			return restored, nil
		}
	}

	switch {
	case errors.Is(err, ErrSignature):
		v.found(FindingSignature, key, sequence, "it is not signed by "+namesOf(v.o.Verifiers))

		// What it says may still help to say what else is wrong.
		if p, err = openPoint(data, nil); err != nil {
			return nil, nil //nolint:nilerr,nilnil // Reported above.
		}
	case err != nil:
		v.found(FindingAltered, key, sequence, err.Error())

		return nil, nil //nolint:nilnil // Reported here.
	}

	return p, nil
}

// readLeaves finds the manifest of every number: among those that are there, the one
// whose root the checkpoint of its number says.
func (v *verification) readLeaves() error {
	files := v.manifestFiles()

	var (
		bundle [][]byte
		err    error
	)

	for number := int64(1); number <= v.size(); number++ {
		at := (number - 1) % bundleWidth
		if at == 0 {
			if bundle, err = v.readBundle((number - 1) / bundleWidth); err != nil {
				return err
			}
		}

		var bundled []byte
		if at < int64(len(bundle)) {
			bundled = bundle[at]
		}

		leaf, err := v.leaf(number, bundled, files[number])
		if err != nil {
			return err
		}

		if leaf == nil {
			v.found(FindingMissing, manifestsPrefix+numbered(number), number, "no manifest that is there is the one of the log, so that nothing after it can be checked")

			break
		}

		if bundled != nil && !bytes.Equal(bundled, leaf) {
			v.found(FindingAltered, bundleKey((number-1)/bundleWidth, len(bundle)), number, "it does not hold "+manifestName(number)+" as it is in the log")
		}

		v.leaves = append(v.leaves, leaf)
	}

	return nil
}

// manifestFiles returns the keys of manifests by their numbers.
func (v *verification) manifestFiles() map[int64][]string {
	files := map[int64][]string{}

	for _, key := range slices.Sorted(maps.Keys(v.objects)) {
		if number, ok := numberOf(key); ok && strings.HasPrefix(key, manifestsPrefix) && !v.objects[key].Irregular {
			files[number] = append(files[number], key)
		}
	}

	return files
}

// readBundle returns the manifests of a bundle, as many as it has.
func (v *verification) readBundle(n int64) ([][]byte, error) {
	width := int(min(bundleWidth, v.size()-n*bundleWidth))
	key := bundleKey(n, width)

	if _, ok := v.objects[key]; !ok {
		finding := FindingMissing
		if (n+1)*bundleWidth >= v.size() {
			finding = FindingUnfinished
		}

		v.named[key] = true
		v.found(finding, key, v.size(), "it is not there, and follows from the manifests")

		return nil, nil
	}

	data, err := v.read(key, 0, maxBundle)
	if err != nil || data == nil {
		return nil, err
	}

	manifests, err := decodeBundle(data)
	if err == nil && len(manifests) == width {
		return manifests, nil
	}

	detail := fmt.Sprintf("it is no bundle of %d manifests", width)
	if restored, restoredErr := decodeBundle(durable.UnixLineEndings(data)); restoredErr == nil && len(restored) == width {
		manifests, detail = restored, detail+"; "+export.AfterRestoring
	}

	v.found(FindingAltered, key, 0, detail)

	return manifests, nil
}

// leaf returns the manifest of a number, nil where there is none. Where its checkpoint
// cannot tell, it is the one that follows the manifest before.
func (v *verification) leaf(number int64, bundled []byte, files []string) ([]byte, error) {
	if bundled != nil {
		if ok, err := v.take(number, bundled); ok || err != nil {
			return bundled, err
		}
	}

	for _, key := range files {
		data, err := v.store.Read(v.ctx, key, maxManifest)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrTooLarge) || errors.Is(err, durable.ErrNotRegular) {
			continue
		}

		if err != nil {
			return nil, err
		}

		for _, candidate := range [][]byte{data, durable.UnixLineEndings(data)} {
			if ok, err := v.take(number, candidate); ok || err != nil {
				return candidate, err
			}
		}
	}

	return nil, nil
}

// take adds a leaf to the tree where it is the one of a number, and says whether it is.
func (v *verification) take(number int64, leaf []byte) (bool, error) {
	added, root, err := v.grown(leaf)
	if err != nil {
		return false, err
	}

	if expected := v.checkpoints[number]; expected == nil && !v.follows(leaf, number) || expected != nil && root != expected.Tree.Hash {
		return false, nil
	}

	v.hashes = append(v.hashes, added...)

	return true, nil
}

// grown returns the hashes that a leaf adds, and the root with it.
func (v *verification) grown(leaf []byte) ([]tlog.Hash, tlog.Hash, error) {
	n := int64(len(v.leaves))

	added, err := tlog.StoredHashes(n, leaf, &v.hashes)
	if err != nil {
		return nil, tlog.Hash{}, fmt.Errorf("hash a manifest: %w", err)
	}

	root, err := tlog.TreeHash(n+1, &newer{older: &v.hashes, from: int64(len(v.hashes)), hashes: added})
	if err != nil {
		return nil, tlog.Hash{}, fmt.Errorf("hash a manifest: %w", err)
	}

	return added, root, nil
}

func (v *verification) follows(leaf []byte, number int64) bool {
	m, err := parseManifest(leaf, number)
	previous := ""

	if n := len(v.leaves); n > 0 {
		previous = sum(v.leaves[n-1])
	}

	return err == nil && m.Previous == previous
}

// checkTiles holds everything below tile/ against what follows from the manifests.
func (v *verification) checkTiles() error {
	n := int64(len(v.leaves))

	for level, full := 0, n; full > 0; level, full = level+1, full>>tileHeight {
		for i := range full / bundleWidth {
			if key := tileKey(tlog.Tile{H: tileHeight, L: level, N: i, W: bundleWidth}); !v.there(key) {
				v.found(v.derived(level, i), key, 0, "it is not there, and follows from the manifests")
			}
		}
	}

	for _, key := range partialKeys(n) {
		if !v.there(key) && !v.named[key] {
			v.found(FindingUnfinished, key, n, "it is not there, and follows from the manifests")
		}
	}

	for _, key := range slices.Sorted(maps.Keys(v.objects)) {
		t, err := tileOf(key)
		if err != nil || t.N*bundleWidth+int64(t.W) > n>>(tileHeight*max(t.L, 0)) {
			continue // It is none of the log's.
		}

		if err := v.checkTile(key, t); err != nil {
			return err
		}
	}

	return nil
}

func (v *verification) there(key string) bool {
	_, ok := v.objects[key]

	return ok
}

// derived is what is said of a full tile that is missing: the last one may still come.
func (v *verification) derived(level int, n int64) Finding {
	if (n+1)<<(tileHeight*(level+1)) == int64(len(v.leaves)) {
		return FindingUnfinished
	}

	return FindingMissing
}

func (v *verification) checkTile(key string, t tlog.Tile) error {
	data, err := v.read(key, 0, maxBundle)
	if err != nil || data == nil {
		return err
	}

	var want []byte
	if t.L < 0 {
		want = encodeBundle(v.leaves[t.N*bundleWidth : t.N*bundleWidth+int64(t.W)])
	} else if want, err = tlog.ReadTileData(t, &v.hashes); err != nil {
		return fmt.Errorf("make a tile: %w", err)
	}

	reported := slices.ContainsFunc(v.report.Problems, func(p Problem) bool { return p.Key == key })
	if !bytes.Equal(data, want) && !reported {
		v.found(FindingAltered, key, 0, "it is not what follows from the manifests"+restorable(data, sum(want)))
	}

	return nil
}

// tileOf reads the key of a tile, or of a bundle, whose level is -1.
func tileOf(key string) (tlog.Tile, error) {
	rest, ok := strings.CutPrefix(key, "tile/")
	if !ok {
		return tlog.Tile{}, errors.New("not a tile")
	}

	if entries, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + entries
	}

	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, rest))
	if err != nil || tileKey(t) != key && bundleKey(t.N, t.W) != key {
		return tlog.Tile{}, errors.New("not a tile")
	}

	return t, nil
}

// checkManifests reads the manifests.
func (v *verification) checkManifests() error {
	b := chainBuilder{known: map[string]*terms{}}
	if v.last != nil {
		b.c.service = v.last.service()
	}

	broken := false

	for i, leaf := range v.leaves {
		number := int64(i) + 1

		// What comes after one that does not fit is still a part of the log, and so is what it
		// names.
		if !broken {
			if err := b.add(leaf); err != nil {
				broken = true

				v.found(FindingAltered, manifestKey(number, leaf), number, strings.TrimPrefix(err.Error(), ErrBroken.Error()+": "))
			}
		}

		// One that cannot be read was reported as such.
		m, _ := parseManifest(leaf, number)
		v.manifests = append(v.manifests, m)
	}

	v.report.Head, v.report.Source = b.c.head, b.c.source.Source

	return nil
}

// checkSegments reads the file of every manifest, and the supplement and the segment that
// it names.
func (v *verification) checkSegments() error {
	i := 0

	for r, err := range ahead(v.ctx, len(v.leaves), objectsChecked, func(ctx context.Context, i int) (looked[[]byte], error) {
		return look(ctx, v, func(one *verification) ([]byte, error) {
			if err := one.checkFile(int64(i)+1, v.leaves[i]); err != nil || v.manifests[i] == nil {
				return nil, err
			}

			return one.checkSegment(v.manifests[i])
		})
	}) {
		if err != nil {
			return err
		}

		v.takeOver(r.problems, r.named)

		if m := v.manifests[i]; m != nil {
			v.count(m, r.value)
		}

		i++
	}

	return nil
}

// checkFile makes sure that a manifest of the log is there as a file, too.
func (v *verification) checkFile(number int64, leaf []byte) error {
	key := manifestKey(number, leaf)

	data, err := v.read(key, number, maxManifest)
	if err == nil && data != nil && !bytes.Equal(data, leaf) {
		v.found(FindingAltered, key, number, "it is not the manifest of the log"+restorable(data, sum(leaf)))
	}

	return err
}

// checkSegment reads what a manifest names, and returns the supplement.
func (v *verification) checkSegment(m *Manifest) ([]byte, error) {
	supplement, err := v.object(m.Supplement, m.Sequence, maxSupplement)
	if err != nil || m.Segment == nil {
		return supplement, err
	}

	data, err := v.object(m.Segment.Object, m.Sequence, maxSegment)
	if err == nil && data != nil {
		v.checkEntries(data, supplement, m)
	}

	return supplement, err
}

// checkEntries makes sure that a segment that is what its manifest says can also
// be read as what its manifest says, and that its entries have the root that it says.
func (v *verification) checkEntries(data, supplement []byte, m *Manifest) {
	s, err := parseSupplement(supplement)
	if supplement != nil && err != nil {
		v.found(FindingUnreadable, m.Supplement.Key, m.Sequence, err.Error())
	}

	l := newLeaves(s.Secret)

	for e, err := range decodeSegment(data, m.Segment) {
		if err == nil {
			err = l.add(&e)
		}

		if err != nil {
			v.found(FindingUnreadable, m.Segment.Key, m.Sequence, err.Error())

			return
		}

		if !m.Segment.holds(e.Time) {
			v.found(FindingAltered, m.Segment.Key, m.Sequence, "it holds entries of other times than "+manifestName(m.Sequence)+" says")

			return
		}
	}

	if l.n != m.Segment.EntryCount {
		v.found(FindingAltered, m.Segment.Key, m.Sequence, fmt.Sprintf("it holds %d entries where %s counts %d", l.n, manifestName(m.Sequence), m.Segment.EntryCount))
	}

	if root, err := l.root(); s.Secret != nil && (err != nil || hex.EncodeToString(root[:]) != m.Segment.EntriesRoot) {
		v.found(FindingAltered, m.Segment.Key, m.Sequence, "its entries do not have the root that "+manifestName(m.Sequence)+" says")
	}
}

func (v *verification) count(m *Manifest, supplement []byte) {
	r := v.report
	r.Manifests++
	r.CoveredUntil = auditlog.FormatTime(m.CoveredUntil)

	if m.Gap != nil {
		r.Gaps = append(r.Gaps, *m.Gap)
	}

	if m.Segment == nil {
		return
	}

	r.Segments++
	r.EntryCount += m.Segment.EntryCount
	r.Bytes += m.Segment.Bytes

	s, err := parseSupplement(supplement)
	if err != nil || s.First == nil || s.Last == nil {
		return
	}

	if r.FirstTime == "" || s.First.Time < r.FirstTime {
		r.FirstTime = s.First.Time
	}

	r.LastTime = max(r.LastTime, s.Last.Time)
}

// checkBesides looks at what lies beside the log.
func (v *verification) checkBesides() error {
	named := map[string]Object{}
	if len(v.manifests) > 0 && v.manifests[0] != nil {
		for _, o := range v.manifests[0].Files {
			named[o.Key] = o
		}
	} else {
		// Before the first manifest, only what would be written is known.
		for key, text := range besides(v.store) {
			if v.there(key) {
				named[key] = objectOf(key, []byte(text))
			}
		}
	}

	for _, key := range slices.Sorted(maps.Keys(named)) {
		if _, err := v.object(named[key], 1, maxSmall); err != nil {
			return err
		}
	}

	return nil
}

// checkKnown holds the archive against what is remembered elsewhere.
func (v *verification) checkKnown() {
	if v.last == nil {
		return
	}

	if v.o.Origin != "" && v.o.Origin != v.last.Origin {
		v.found(FindingForeign, checkpointKey, 0, "it is the archive "+v.last.Origin+", not "+v.o.Origin)
	}

	if known := v.o.Since; known != nil {
		v.checkSince(known)
	}

	known := v.o.Head
	if known == nil || known.Sequence == 0 {
		return
	}

	switch n := int64(len(v.leaves)); {
	case known.Sequence > v.last.Tree.N:
		v.found(FindingTruncated, checkpointKey, known.Sequence, fmt.Sprintf("the log has %d manifests, and %d are remembered", v.last.Tree.N, known.Sequence))
	case known.Sequence <= n && sum(v.leaves[known.Sequence-1]) != known.SHA256:
		v.found(FindingForked, manifestKey(known.Sequence, v.leaves[known.Sequence-1]), known.Sequence, "it is not the one that is remembered")
	}
}

func (v *verification) checkSince(known *Checkpoint) {
	n := int64(len(v.leaves))

	switch {
	case known.Origin != v.last.Origin:
		v.found(FindingForked, checkpointKey, 0, "it is the archive "+v.last.Origin+", and "+known.Origin+" is remembered")
	case known.Tree.N > v.last.Tree.N:
		v.found(FindingTruncated, checkpointKey, known.Tree.N, fmt.Sprintf("the log has %d manifests, and %d are remembered", v.last.Tree.N, known.Tree.N))
	case known.Tree.N > 0 && known.Tree.N <= n:
		if root, err := tlog.TreeHash(known.Tree.N, &v.hashes); err != nil || root != known.Tree.Hash {
			v.found(FindingForked, checkpointKeyOf(known.Tree.N), known.Tree.N, "the log is not a continuation of the one that is remembered")
		}
	}
}

// checkForeign reports what the log does not lead to.
func (v *verification) checkForeign() {
	for _, key := range slices.Sorted(maps.Keys(v.objects)) {
		if v.named[key] {
			continue
		}

		number, numbered := numberOf(key)

		switch o := v.objects[key]; {
		case o.Temporary:
			v.found(FindingUnfinished, key, 0, "a run that was killed has left it, and the next one removes it")
		case o.Irregular:
			v.found(FindingForeign, key, 0, "it is no regular file")
		case numbered && number == v.size()+1 && isNumbered(key):
			v.found(FindingUnfinished, key, number, "the log does not lead to it; if a run has left it that did not finish, the next one removes it")
		default:
			detail := "the log does not lead to it"
			if system := durable.LeftBySystem(key); system != "" {
				detail += "; by its name it was left by an operating system (" + system + ")"
			}

			v.found(FindingForeign, key, 0, detail)
		}
	}
}

// isNumbered says that a run gives such keys.
func isNumbered(key string) bool {
	return strings.HasPrefix(key, manifestsPrefix) || strings.HasPrefix(key, supplementsPrefix) || strings.HasPrefix(key, entriesPrefix)
}

// summarise fills in what the checkpoint says, and what nobody could check.
func (v *verification) summarise() {
	r := v.report

	if v.last != nil {
		r.Service, r.Origin, r.Checkpoint, r.Signed, r.SignedBy = v.last.service(), v.last.Origin, v.last.note, v.last.signed, v.last.signedBy()
		if v.last.Tree.N == 0 {
			r.CoveredUntil = auditlog.FormatTime(v.last.Covered.End)
		}
	}

	switch {
	case len(v.o.Verifiers) > 0:
	case r.Signed:
		r.NotChecked = append(r.NotChecked, "Who signed the checkpoints: that takes the public key.")
	default:
		r.NotChecked = append(r.NotChecked, "Who wrote the archive: the checkpoints are not signed, so that anybody can have made all of it.")
	}

	r.NotChecked = append(r.NotChecked, v.notAttested()...)

	if v.o.Head == nil && v.o.Since == nil {
		r.NotChecked = append(r.NotChecked, "Whether the end was cut off: that takes a head or a checkpoint remembered elsewhere.")
	}

	if v.o.Origin == "" && v.o.Head == nil && v.o.Since == nil {
		r.NotChecked = append(r.NotChecked, "Whether it is the archive that is meant: that takes its origin.")
	}
}
