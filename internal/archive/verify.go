// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

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
	// Protection says what keeps the objects that were read from being changed.
	Protection []Protected `json:"protection"`
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
	// Now is what the caller's clock shows: a protection that has ended by then is none.
	Now time.Time
}

// ErrHead means that nothing can be held against what is said to be a head.
var ErrHead = errors.New("the remembered head is none")

// Verify looks at every byte of an archive. An error means that looking itself
// failed; what is wrong with the archive is in the report.
func Verify(ctx context.Context, store durable.Store, o VerifyOptions) (*Report, error) {
	const mostPasses = 3

	if o.Head != nil && o.Head.Sequence < 1 {
		return nil, fmt.Errorf("%w: there is no manifest %d", ErrHead, o.Head.Sequence)
	}

	for pass := 1; ; pass++ {
		objects := map[string]durable.Object{}
		v := &verification{
			ctx:   ctx,
			store: &listed{Store: store, objects: objects, protections: map[string]durable.Protection{}}, o: o, objects: objects,
			named: map[string]bool{},
		}

		report, err := v.run()
		if err != nil || report.Valid || pass == mostPasses {
			return report, err
		}

		// A run that writes meanwhile has changed what was seen before.
		if _, err := store.Read(ctx, checkpointKeyOf(v.size()+1), maxSmall); errors.Is(err, fs.ErrNotExist) ||
			ctx.Err() != nil {
			return report, nil //nolint:nilerr // What was seen stands.
		}
	}
}

// listed is a store as its listing shows it: what is not listed is not there, though a
// link may lead to it. It remembers what protects the objects that were read.
type listed struct {
	durable.Store

	objects map[string]durable.Object

	mu          sync.Mutex
	protections map[string]durable.Protection
}

// Read implements durable.Store.
func (l *listed) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	if _, ok := l.objects[key]; !ok {
		return nil, fs.ErrNotExist
	}

	data, p, err := durable.ReadProtected(ctx, l.Store, key, limit)
	if err != nil {
		return nil, err
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	l.protections[key] = p

	return data, nil
}

type verification struct {
	ctx     context.Context //nolint:containedctx // One call's worth of state.
	store   *listed
	o       VerifyOptions
	objects map[string]durable.Object
	// named are the objects that the log leads to.
	named  map[string]bool
	report *Report

	// checkpoints are those that could be read, by their sizes, and last is the newest.
	checkpoints map[int64]*point
	last        *point
	// leaves are the manifests of the log as far as they were found, manifests what they say, nil where one cannot be
	// read, and supplements what lies beside their segments, without what can grow.
	leaves      [][]byte
	manifests   []*Manifest
	supplements []Supplement
	// chain has the log of all leaves, and of the manifests those up to the first that does
	// not fit.
	chain *chain
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
	v.report = &Report{
		Destination: v.store.String(), Gaps: []Gap{}, Problems: []Problem{}, NotChecked: []string{},
		Cosigned: []Cosignature{}, Protection: []Protected{},
	}

	for object, err := range v.store.List(v.ctx, "") {
		if err != nil {
			return nil, err
		}

		v.objects[object.Key] = object
	}

	for _, step := range []func() error{
		v.readCheckpoints, v.readManifests, v.checkTiles, v.checkManifests, v.checkSegments,
		v.checkBesides, v.checkBeginning, v.checkAttested,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}

	v.checkEveryKey()
	v.checkKnown()
	v.checkForeign()
	v.summarise()

	slices.SortStableFunc(v.report.Problems, func(a, b Problem) int { return slices.Compare(a.order(), b.order()) })
	v.report.Valid = len(v.report.Problems) == 0

	return v.report, nil
}

// note takes down that an object is not as it has to be, and returns any other error.
func (v *verification) note(err error) error {
	if p := (*Problem)(nil); errors.As(err, &p) {
		v.report.Problems = append(v.report.Problems, *p)

		return nil
	}

	return err
}

// readCheckpoints reads the checkpoint of every size, and the copy of the newest.
func (v *verification) readCheckpoints() error {
	v.checkpoints = map[int64]*point{}

	var sizes []int64

	for key := range v.objects {
		if size, ok := sizeOf(key); ok {
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

	for p, err := range ahead(v.ctx, len(sizes), objectsChecked, func(ctx context.Context, i int) (*point, error) {
		return v.readPoint(ctx, checkpointKeyOf(sizes[i]), sizes[i])
	}) {
		if err := v.note(err); err != nil {
			return err
		}

		v.named[checkpointKeyOf(sizes[i])] = true
		v.addPoint(p, sizes[i])
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
		v.checkKeys(p, v.checkpoints[size-1])
		v.checkpoints[size], v.last = p, p
	}
}

// checkKeys makes sure that the signatures of a checkpoint are by keys that were given, and
// that the key of the one before has handed over to its own.
func (v *verification) checkKeys(p, before *point) {
	if len(p.by) == 0 {
		return
	}

	key := checkpointKeyOf(p.Tree.N)

	switch {
	case len(p.by) < p.signatures:
		v.found(FindingSignature, key, p.Tree.N, "it has signatures by others than "+namesOf(v.o.Verifiers))
	case before != nil && len(before.by) > 0 && !p.follows(before):
		v.found(FindingSignature, key, p.Tree.N, fmt.Sprintf("it is signed by %s, and the one before by %s, which would have to sign it as well to hand over", p.key, before.key))
	}
}

// checkEveryKey makes sure that each of several keys has signed something. One that has not
// is of another archive, or what it has signed was cut off.
func (v *verification) checkEveryKey() {
	if len(v.o.Verifiers) < 2 || v.last == nil || len(v.last.by) == 0 {
		return
	}

	for _, k := range v.o.Verifiers {
		if !slices.ContainsFunc(slices.Collect(maps.Values(v.checkpoints)),
			func(p *point) bool { return p.isSignedBy(keyOf(k)) }) {
			v.found(FindingSignature, checkpointKey, 0, fmt.Sprintf("%s has signed no checkpoint: it is no key of this archive, or everything since the change to it was cut off", keyOf(k)))
		}
	}
}

// objectsChecked is how many objects are read at the same time, be they segments.
const objectsChecked = 4

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

	v.named[checkpointKey] = true

	copied, err := v.readPoint(v.ctx, checkpointKey, 0)
	if err := v.note(err); err != nil || copied == nil || v.last != nil && v.trusts(v.last) && !v.trusts(copied) {
		return err
	}

	switch there := v.checkpoints[copied.Tree.N]; {
	case there == nil:
		v.found(FindingMissing, checkpointKeyOf(copied.Tree.N), copied.Tree.N, "there is a copy of it")

		if v.last == nil {
			v.last = copied
		}
	case there.Checkpoint != copied.Checkpoint, !v.isCopy(copied, there):
		v.found(FindingAltered, checkpointKey, 0, "it is not a copy of "+checkpointKeyOf(copied.Tree.N))
	case there.Tree.N < v.size():
		v.found(FindingUnfinished, checkpointKey, 0,
			fmt.Sprintf("it is a copy of %s, and the newest is %s", checkpointKeyOf(copied.Tree.N), checkpointKeyOf(v.size())))
	}

	return nil
}

// isCopy says that a copy has the bytes of a checkpoint, or of it as it was cosigned.
func (v *verification) isCopy(copied, p *point) bool {
	if copied.note == p.note {
		return true
	}

	cosigned, err := readCosigned(v.ctx, v.store, p)

	return err == nil && copied.note == cosigned
}

// readPoint returns a checkpoint. With a problem it can be there all the same: what it says
// may help to say what else is wrong.
func (v *verification) readPoint(ctx context.Context, key string, sequence int64) (*point, error) {
	p, err := points{v.store, v.o.Verifiers}.read(ctx, key, sequence)
	if err == nil || p == nil {
		return p, err
	}

	if restored, err := openPoint(durable.UnixLineEndings([]byte(p.note)), v.o.Verifiers); err == nil {
		return restored, &Problem{FindingAltered, key, sequence, export.AfterRestoring}
	}

	if !errors.Is(err, ErrSignature) {
		return nil, err
	}

	if p, err = openPoint([]byte(p.note), nil); err != nil {
		p = nil
	}

	return p, &Problem{FindingSignature, key, sequence, "it is not signed by " + namesOf(v.o.Verifiers)}
}

// readManifests reads the manifests of the log, and notes what is wrong with each.
func (v *verification) readManifests() error {
	v.chain = &chain{point: v.last, log: &merkle{}}

	for m, err := range v.chain.walk(v.findLeaves) {
		if err := v.note(err); err != nil {
			return err
		}

		v.manifests = append(v.manifests, m)
	}

	return nil
}

// findLeaves yields the manifest of every number: among those that are there, the one
// whose root the checkpoint of its number says.
func (v *verification) findLeaves(yield func([]byte, error) bool) {
	files := v.manifestFiles()

	var bundle [][]byte

	for number := int64(1); number <= v.size(); number++ {
		var (
			bundled, leaf []byte
			err           error
		)

		at := (number - 1) % bundleWidth
		if at == 0 {
			bundle, err = v.readBundle((number - 1) / bundleWidth)
		}

		if at < int64(len(bundle)) {
			bundled = bundle[at]
		}

		if err == nil {
			leaf, err = v.leaf(number, bundled, files[number])
		}

		if leaf == nil && err == nil {
			v.found(FindingMissing, manifestsPrefix+numbered(number), number, "no manifest that is there is the one of the log, so that nothing after it can be checked")

			// Anybody can have altered one that is not signed.
			if p := v.checkpoints[number]; p != nil && len(p.by) == 0 && (bundled != nil || files[number] != nil) {
				v.found(FindingAltered, checkpointKeyOf(number), number, "it has the root of no manifest that is there; without the key nobody can tell whether it was altered, or the manifest")
			}

			return
		}

		if err == nil && bundled != nil && !bytes.Equal(bundled, leaf) {
			v.found(FindingAltered, bundleKey((number-1)/bundleWidth, len(bundle)), number, "it does not hold "+
				manifestName(number)+" as it is in the log")
		}

		v.leaves = append(v.leaves, leaf)

		if !yield(leaf, err) {
			return
		}
	}
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

// readBundle returns the manifests of a bundle, none where it is not there.
func (v *verification) readBundle(n int64) ([][]byte, error) {
	width := int(min(bundleWidth, v.size()-n*bundleWidth))
	key := bundleKey(n, width)

	if !v.there(key) {
		return nil, nil
	}

	v.named[key] = true

	data, err := readKey(v.ctx, v.store, key, 0, maxBundle)
	if err != nil {
		return nil, v.note(err)
	}

	manifests, err := decodeBundle(key, data, width)
	if err == nil {
		return manifests, nil
	}

	restored, restoredErr := decodeBundle(key, durable.UnixLineEndings(data), width)
	if restoredErr != nil {
		return nil, v.note(err)
	}

	v.found(FindingAltered, key, 0, fmt.Sprintf("it is no bundle of %d manifests; %s", width, export.AfterRestoring))

	return restored, nil
}

// leaf returns the manifest of a number, nil where there is none. Where its checkpoint
// cannot tell, it is the one that follows the manifest before.
func (v *verification) leaf(number int64, bundled []byte, files []string) ([]byte, error) {
	if bundled != nil && v.take(number, bundled) {
		return bundled, nil
	}

	for _, key := range files {
		// What is wrong with one is reported where files are.
		data, err := readIfUsable(v.ctx, v.store, key, maxManifest)
		if err != nil {
			return nil, err
		}

		for _, candidate := range [][]byte{data, durable.UnixLineEndings(data)} {
			if v.take(number, candidate) {
				return candidate, nil
			}
		}
	}

	return nil, nil
}

// take adds a leaf to the log where it is the one of a number, and says whether it is.
func (v *verification) take(number int64, leaf []byte) bool {
	grown := v.chain.log.tree
	if grown.add(leaf) != nil {
		return false
	}

	if expected := v.checkpoints[number]; expected == nil && !v.follows(leaf, number) {
		return false
	} else if root, err := grown.root(); expected != nil && (err != nil || root != expected.Tree.Hash) {
		return false
	}

	v.chain.log.tree = grown

	return true
}

func (v *verification) follows(leaf []byte, number int64) bool {
	m, err := parseManifest(leaf, number)
	previous := ""

	if n := len(v.leaves); n > 0 {
		previous = sum(v.leaves[n-1])
	}

	return err == nil && m.Previous == previous
}

// checkTiles holds the tiles and bundles that the log has had at any size against what follows from the manifests. The
// full ones have to be there, and the partial ones of the newest size.
func (v *verification) checkTiles() error {
	n := int64(len(v.leaves))

	for size := int64(1); size <= n; size++ {
		for _, t := range tlog.NewTiles(tileHeight, size-1, size) {
			// Where manifests are missing nobody can tell what is in the partial ones of the newest size.
			width := n >> (tileHeight * t.L)
			needed := t.W == bundleWidth || n == v.size() && t.N*bundleWidth+int64(t.W) == width

			keys := []string{tileKey(t)}
			if t.L == 0 {
				keys = append(keys, bundleKey(t.N, t.W))
			}

			for i, key := range keys {
				switch {
				case v.there(key):
					if err := v.checkTile(key, t, i > 0); err != nil {
						return err
					}
				case needed && size == n: // Those that come with the last manifest may still come.
					v.found(FindingUnfinished, key, n, "it is not there, and follows from the manifests")
				case needed:
					v.found(FindingMissing, key, n, "it is not there, and follows from the manifests")
				}
			}
		}
	}

	return nil
}

func (v *verification) there(key string) bool {
	_, ok := v.objects[key]

	return ok
}

func (v *verification) checkTile(key string, t tlog.Tile, isBundle bool) error {
	v.named[key] = true

	if slices.ContainsFunc(v.report.Problems, func(p Problem) bool { return p.Key == key }) {
		return nil // It is a bundle that was read before.
	}

	var want []byte
	if isBundle {
		want = encodeBundle(v.leaves[t.N*bundleWidth : t.N*bundleWidth+int64(t.W)])
	} else {
		var err error
		if want, err = tlog.ReadTileData(t, v.chain.log); err != nil {
			return fmt.Errorf("make a tile: %w", err)
		}
	}

	_, err := readSame(v.ctx, v.store, objectOf(key, want), 0, maxBundle, "what follows from the manifests")

	return v.note(err)
}

// checkManifests reads the file of every manifest, and its supplement.
func (v *verification) checkManifests() error {
	type seen struct {
		supplement *Supplement
		problem    error
	}

	i := 0

	for s, err := range ahead(v.ctx, len(v.leaves), objectsChecked, func(ctx context.Context, i int) (s seen, err error) {
		leaf, number := v.leaves[i], int64(i)+1
		file := objectOf(manifestKey(number, leaf), leaf)
		_, err = readSame(ctx, v.store, file, number, maxManifest, "the manifest of the log")

		if m := v.manifests[i]; m != nil {
			s.supplement, s.problem = readSupplement(ctx, v.store, m)
		}

		return s, err
	}) {
		for _, err := range []error{err, s.problem} {
			if err := v.note(err); err != nil {
				return err
			}
		}

		v.named[manifestKey(int64(i)+1, v.leaves[i])] = true

		if m := v.manifests[i]; m != nil {
			for _, key := range m.keys() {
				v.named[key] = true
			}

			v.count(m, s.supplement)
		}

		if s.supplement == nil {
			s.supplement = &Supplement{}
		}

		v.supplements = append(v.supplements,
			Supplement{Secret: s.supplement.Secret, First: s.supplement.First, Last: s.supplement.Last})
		i++
	}

	return nil
}

// checkSegments reads all segments, also those of manifests that do not fit.
func (v *verification) checkSegments() error {
	var links []*link

	for _, m := range v.manifests {
		if m != nil && m.Segment != nil {
			links = append(links, &link{sequence: m.Sequence, segment: m.Segment})
		}
	}

	sortLinks(links)

	read := func(ctx context.Context, i int) ([]auditlog.Entry, error) { return v.readSegment(ctx, links[i]) }

	for _, err := range sweep(links, ahead(v.ctx, len(links), objectsChecked, read)) {
		if err := v.note(err); err != nil {
			return err
		}
	}

	return nil
}

// readSegment reads a segment and makes sure that it is as its manifest says. Of its entries it returns what it takes
// to find out whether others of the same ids say the same.
func (v *verification) readSegment(ctx context.Context, of *link) ([]auditlog.Entry, error) {
	supplement := v.supplements[of.sequence-1]
	l := newLeaves(supplement.Secret)

	var entries []auditlog.Entry

	for e, err := range entriesOf(ctx, v.store, of.segment, of.sequence) {
		if err == nil {
			err = l.add(&e)
		}

		if err != nil {
			return nil, err
		}

		says := content(&e)
		entries = append(entries, auditlog.Entry{ID: e.ID, Time: e.Time, Raw: says[:]})
	}

	entries = sorted(entries)
	if supplement.Secret == nil {
		return entries, nil
	}

	if err := l.check(of.segment, of.sequence); err != nil {
		return nil, err
	}

	if !supplement.spans(entries) {
		key := v.manifests[of.sequence-1].Supplement.Key

		return nil, &Problem{
			FindingAltered, key, of.sequence,
			"it names other entries than the oldest and the newest of the segment",
		}
	}

	return entries, nil
}

func (v *verification) count(m *Manifest, supplement *Supplement) {
	r := v.report
	r.Manifests++
	r.CoveredUntil = auditlog.FormatTime(m.CoveredUntil)

	if m.Gap != nil {
		r.Gaps = append(r.Gaps, *m.Gap)
	}

	if m.Segment == nil {
		return
	}

	auditlog.ProgressOf(v.ctx).Read(int(m.Segment.EntryCount))

	r.Segments++
	r.EntryCount += m.Segment.EntryCount
	r.Bytes += m.Segment.Bytes

	if supplement == nil || supplement.First == nil || supplement.Last == nil {
		return
	}

	if first := supplement.First.Time; r.FirstTime == "" || first < r.FirstTime {
		r.FirstTime = first
	}

	r.LastTime = max(r.LastTime, supplement.Last.Time)
}

// checkBeginning holds what the checkpoint without manifests covers against the first
// manifest: no root includes it.
func (v *verification) checkBeginning() error {
	p := v.checkpoints[0]
	if p == nil || len(v.manifests) == 0 || v.manifests[0] == nil {
		return nil
	}

	if m := v.manifests[0]; !p.Covered.Start.Equal(m.Start.Truncate(time.Microsecond)) ||
		p.Covered.End.After(m.ReadUntil) {
		v.found(FindingAltered, checkpointKeyOf(0), 0, "it covers another time than the first manifest goes on from")
	}

	return nil
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
		for key, text := range besides(v.store.Store) {
			if v.there(key) {
				named[key] = objectOf(key, []byte(text))
			}
		}
	}

	for _, key := range slices.Sorted(maps.Keys(named)) {
		v.named[key] = true

		_, err := readObject(v.ctx, v.store, named[key], 1, maxSmall)
		if err := v.note(err); err != nil {
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
	if known == nil {
		return
	}

	switch n := int64(len(v.leaves)); {
	case known.Sequence > v.last.Tree.N:
		v.found(FindingTruncated, checkpointKey, known.Sequence,
			fmt.Sprintf("the log has %d manifests, and %d are remembered", v.last.Tree.N, known.Sequence))
	case known.Sequence <= n && sum(v.leaves[known.Sequence-1]) != known.SHA256:
		v.found(FindingForked, manifestKey(known.Sequence, v.leaves[known.Sequence-1]), known.Sequence,
			"it is not the one that is remembered")
	}
}

func (v *verification) checkSince(known *Checkpoint) {
	finding, err := contradiction(*known, v.checkpoints[0], v.last, &v.chain.log.tree)

	switch {
	case finding == FindingForeign:
		v.found(FindingForked, checkpointKey, 0, "it is the archive "+v.last.Origin+", and "+known.Origin+" is remembered")
	case finding == FindingTruncated:
		detail := fmt.Sprintf("the log has %d manifests, and %d are remembered", v.last.Tree.N, known.Tree.N)
		v.found(finding, checkpointKey, known.Tree.N, detail)
	case finding == FindingForked && known.Tree.N == 0:
		v.found(finding, checkpointKeyOf(0), 0, "it is another beginning than the one that is remembered")
	case finding == FindingForked, err != nil:
		v.found(FindingForked, checkpointKeyOf(known.Tree.N), known.Tree.N,
			"the log is not a continuation of the one that is remembered")
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
		case ownDirectory(v.store.Store, key):
		case strings.HasSuffix(key, "/") && durable.InDirectory(v.store.Store):
			v.found(FindingForeign, key, 0, "it is a directory without files, and no run makes one there")
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
	return strings.HasPrefix(key, manifestsPrefix) || strings.HasPrefix(key, supplementsPrefix) ||
		strings.HasPrefix(key, entriesPrefix)
}

// summarise fills in what the checkpoint says, and what nobody could check.
func (v *verification) summarise() {
	r := v.report
	r.Head, r.Source = v.chain.last.head(), v.chain.source.Source

	if v.last != nil {
		r.Service, r.Origin, r.Checkpoint, r.Signed, r.SignedBy = v.last.service(), v.last.Origin, v.last.note, v.last.signed,
			v.last.signedBy()
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
	r.Protection = append(r.Protection, v.protected()...)

	if v.o.Head == nil && v.o.Since == nil {
		r.NotChecked = append(r.NotChecked, "Whether the end was cut off: that takes a head or a checkpoint remembered elsewhere.")
	}

	// A head is of a manifest, which does not name the archive.
	if v.o.Origin == "" && v.o.Since == nil && (v.o.Head == nil || !r.Signed) {
		r.NotChecked = append(r.NotChecked, "Whether it is the archive that is meant: that takes its origin.")
	}
}
