// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// Finding says what is wrong with a part of an archive.
type Finding string

// The findings.
const (
	FindingAltered    Finding = "altered"    // not the bytes that the chain names
	FindingMissing    Finding = "missing"    // named by the chain, but not there
	FindingReordered  Finding = "reordered"  // a manifest in another one's place
	FindingTruncated  Finding = "truncated"  // the end is not the one remembered
	FindingForeign    Finding = "foreign"    // not named by the chain
	FindingSignature  Finding = "signature"  // not signed by the expected key
	FindingUnfinished Finding = "unfinished" // written, but not yet in the checkpoint
	FindingUnreadable Finding = "unreadable" // cannot be read
)

// Problem is one thing wrong with an archive.
type Problem struct {
	Finding Finding `json:"finding"`
	Key     string  `json:"key"`
	// Sequence is that of the segment concerned, 0 where there is none.
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
	Head   Head            `json:"head"`
	// SignedBy is the name of the key that signed the checkpoint, where one was
	// given to check.
	SignedBy   string `json:"signed_by"`
	Segments   int64  `json:"segments"`
	EntryCount int64  `json:"entry_count"`
	Bytes      int64  `json:"bytes"`
	FirstTime  string `json:"first_time"`
	LastTime   string `json:"last_time"`
	// CoveredUntil is up to when everything was archived.
	CoveredUntil string `json:"covered_until"`
	// Gaps lists what was lost and accepted as lost.
	Gaps []Gap `json:"gaps"`
	// Problems are in the order of the archive, the first one first.
	Problems []Problem `json:"problems"`
}

// VerifyOptions say what else is known of an archive.
type VerifyOptions struct {
	// Verifier is the key that must have signed the checkpoint; nil accepts any
	// signature and none.
	Verifier note.Verifier
	// Head is one that was remembered elsewhere; the archive must contain it, so
	// that cutting off its end shows.
	Head *Head
}

// Verify looks at every byte of an archive. An error means that looking itself
// failed; what is wrong with the archive is in the report.
func Verify(ctx context.Context, store durable.Store, o VerifyOptions) (*Report, error) {
	v := &verification{
		ctx: ctx, store: store, o: o, objects: map[string]durable.Object{},
		report: &Report{Destination: store.String(), Gaps: []Gap{}, Problems: []Problem{}},
	}

	for object, err := range store.List(ctx, "") {
		if err != nil {
			return nil, err
		}

		v.objects[object.Key] = object
	}

	if err := v.run(); err != nil {
		return nil, err
	}

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

type verification struct {
	ctx     context.Context //nolint:containedctx // One call's worth of state.
	store   durable.Store
	o       VerifyOptions
	objects map[string]durable.Object
	report  *Report
	source  export.KeptSource

	point     *checkpoint
	manifests map[int64]*Manifest
	hashes    map[int64]string
	// restored are the hashes of manifests with the line endings that ours have.
	restored map[int64]string
	last     int64
	named    map[string]bool
}

func (v *verification) found(f Finding, key string, sequence int64, detail string) {
	v.report.Problems = append(v.report.Problems, Problem{Finding: f, Key: key, Sequence: sequence, Detail: detail})
}

func (v *verification) run() error {
	v.manifests, v.hashes, v.named = map[int64]*Manifest{}, map[int64]string{}, map[string]bool{}
	v.restored = map[int64]string{}

	if err := v.readCheckpoint(); err != nil {
		return err
	}

	if err := v.readManifests(); err != nil {
		return err
	}

	v.checkChain()
	v.checkHead()
	v.report.Head = Head{Sequence: v.last, SHA256: v.hashes[v.last]}

	for sequence := int64(1); sequence <= v.last; sequence++ {
		if m := v.manifests[sequence]; m != nil {
			if err := v.checkSegment(m); err != nil {
				return err
			}
		}
	}

	if err := v.checkAttributes(); err != nil {
		return err
	}

	return v.checkForeign()
}

// checkAttributes makes sure that the file that is written for Git says no more. It is
// not part of the chain, and buckets and older archives have none.
func (v *verification) checkAttributes() error {
	if _, ok := v.objects[durable.AttributesKey]; !ok {
		return nil
	}

	v.named[durable.AttributesKey] = true

	data, err := v.read(durable.AttributesKey, 0, maxSmall)

	switch {
	case err != nil || data == nil:
		return err
	case string(data) == durable.AttributesText:
	case string(durable.UnixLineEndings(data)) == durable.AttributesText:
		v.found(FindingAltered, durable.AttributesKey, 0, export.AfterRestoring)
	default:
		v.found(FindingAltered, durable.AttributesKey, 0, fmt.Sprintf("it is not the one that is written beside archives, whose text is %q", durable.AttributesText))
	}

	return nil
}

// read returns an object, or nil with a problem where it is missing or no object
// of ours could be like it.
func (v *verification) read(key string, sequence, limit int64) ([]byte, error) {
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

func (v *verification) readCheckpoint() error {
	v.named[checkpointKey] = true

	data, err := v.read(checkpointKey, 0, maxSmall)
	if err != nil || data == nil {
		return err
	}

	point, signer, err := openCheckpoint(data, v.o.Verifier)
	if err != nil {
		if p, s, restoredErr := openCheckpoint(durable.UnixLineEndings(data), v.o.Verifier); restoredErr == nil {
			v.found(FindingAltered, checkpointKey, 0, export.AfterRestoring)

			point, signer, err = p, s, nil
		}
	}

	switch {
	case errors.Is(err, ErrSignature):
		v.found(FindingSignature, checkpointKey, 0, "it is not signed by "+v.o.Verifier.Name())

		// What it says may still help to say what else is wrong.
		if point, _, err = openCheckpoint(data, nil); err != nil {
			return nil //nolint:nilerr // Reported above.
		}
	case err != nil:
		v.found(FindingAltered, checkpointKey, 0, err.Error())

		return nil
	}

	v.point, v.report.SignedBy = &point, signer

	return nil
}

func (v *verification) readManifests() error {
	for key := range v.objects {
		// A manifest far beyond the others is foreign; it must not make us look for
		// all the numbers in between.
		if sequence, ok := manifestSequence(key); ok && sequence <= 2*int64(len(v.objects)) {
			v.last = max(v.last, sequence)
		}
	}

	for sequence := int64(1); sequence <= v.last; sequence++ {
		key := manifestKey(sequence)
		v.named[key] = true

		data, err := v.read(key, sequence, maxManifest)
		if err != nil {
			return err
		}

		if data == nil {
			continue
		}

		v.hashes[sequence], v.restored[sequence] = sum(data), sum(durable.UnixLineEndings(data))

		m, err := parseManifest(data)

		switch {
		case err != nil:
			v.found(FindingAltered, key, sequence, err.Error())
		case m.Sequence != sequence:
			v.found(FindingReordered, key, sequence, fmt.Sprintf("it is the manifest of segment %d", m.Sequence))
		default:
			v.manifests[sequence] = m
		}
	}

	return nil
}

func manifestSequence(key string) (int64, bool) {
	var sequence int64

	_, err := fmt.Sscanf(key, manifestsPrefix+"%d.json", &sequence)

	return sequence, err == nil && sequence > 0 && manifestKey(sequence) == key
}

// checkChain goes backwards from what the checkpoint names, since each manifest
// vouches for the one before it: the first that does not match is the one that
// was changed.
func (v *verification) checkChain() {
	for sequence := v.last; sequence >= 1; sequence-- {
		expected, by := v.expected(sequence)
		if expected == "" || v.hashes[sequence] == "" || v.hashes[sequence] == expected {
			continue
		}

		// A manifest that stands in another's place was reported as such.
		if m := v.manifests[sequence]; m != nil {
			v.found(FindingAltered, manifestKey(sequence), sequence, "it is not what "+by+" says"+v.restore(sequence, expected))
		}
	}

	if m := v.manifests[1]; m != nil && m.Previous != "" {
		v.found(FindingMissing, manifestKey(1), 1, "the first manifest follows another one")
	}
}

// restore goes on with a manifest as it was, where only its line endings differ.
func (v *verification) restore(sequence int64, expected string) (detail string) {
	if v.restored[sequence] != expected {
		return ""
	}

	v.hashes[sequence] = expected

	return "; " + export.AfterRestoring
}

// expected is the hash that something else names for a manifest.
func (v *verification) expected(sequence int64) (hash, by string) {
	if v.point != nil && v.point.sequence == sequence {
		return v.point.sha256, checkpointKey
	}

	if next := v.manifests[sequence+1]; next != nil {
		return next.Previous, manifestKey(sequence + 1)
	}

	return "", ""
}

// checkHead holds the end of the archive against the checkpoint and against what
// is remembered elsewhere.
func (v *verification) checkHead() {
	if v.point != nil {
		switch {
		case v.point.sequence < v.last:
			v.found(FindingUnfinished, manifestKey(v.point.sequence+1), v.point.sequence+1,
				fmt.Sprintf("the checkpoint names segment %d; the next run will name segment %d", v.point.sequence, v.last))
		case v.point.sequence > v.last:
			v.found(FindingTruncated, manifestKey(v.point.sequence), v.point.sequence,
				fmt.Sprintf("the checkpoint names it, but the archive ends at segment %d", v.last))
		}

		if first := v.hashes[1]; first != "" && v.manifests[1] != nil && v.point.origin != originOf(v.manifests[1].Service, first) {
			v.found(FindingAltered, checkpointKey, 0, "it belongs to another archive")
		}
	}

	known := v.o.Head
	if known == nil || known.Sequence == 0 {
		return
	}

	switch {
	case known.Sequence > v.last && v.point != nil && v.point.sequence == known.Sequence:
		// Reported already.
	case known.Sequence > v.last:
		v.found(FindingTruncated, manifestKey(known.Sequence), known.Sequence, fmt.Sprintf("the archive ends at segment %d", v.last))
	case v.hashes[known.Sequence] != "" && v.hashes[known.Sequence] != known.SHA256:
		v.found(FindingAltered, manifestKey(known.Sequence), known.Sequence, "it is not the one that is remembered"+v.restore(known.Sequence, known.SHA256))
	}
}

func (v *verification) checkSegment(m *Manifest) error {
	s := m.Segment
	v.named[s.Key] = true

	if !isSegmentOf(s.Key, m.Sequence) {
		v.found(FindingAltered, manifestKey(m.Sequence), m.Sequence, "it names a segment that is not its own")

		return nil
	}

	data, err := v.read(s.Key, m.Sequence, maxSegment)
	if err != nil {
		return err
	}

	v.count(m)

	switch {
	case data == nil:
	case int64(len(data)) != s.Bytes || sum(data) != s.SHA256:
		detail := "it is not what " + manifestKey(m.Sequence) + " says"
		if restorable(data, s.SHA256) {
			detail += "; " + export.AfterRestoring
		}

		v.found(FindingAltered, s.Key, m.Sequence, detail)
	default:
		v.checkEntries(data, m)
	}

	return nil
}

func restorable(data []byte, sum string) bool {
	l := durable.NewLineEndings()
	_, _ = l.Write(data) // Never fails.

	return l.Restore(sum)
}

// checkEntries makes sure that a segment that is what its manifest says can also
// be read as what its manifest says.
func (v *verification) checkEntries(data []byte, m *Manifest) {
	var count int64

	for _, err := range decodeSegment(data, m.Segment) {
		if err != nil {
			v.found(FindingUnreadable, m.Segment.Key, m.Sequence, err.Error())

			return
		}

		count++
	}

	if count != m.Segment.EntryCount {
		v.found(FindingAltered, manifestKey(m.Sequence), m.Sequence,
			fmt.Sprintf("it counts %d entries where the segment holds %d", m.Segment.EntryCount, count))
	}
}

func (v *verification) count(m *Manifest) {
	r := v.report
	if r.Segments > 0 && m.Service != r.Service {
		v.found(FindingForeign, manifestKey(m.Sequence), m.Sequence, "it is of "+m.Service+", not of "+r.Service)
	}

	kept := export.Kept(m.Source, m.Redaction)
	if v.source.Differs(kept) {
		v.found(FindingForeign, manifestKey(m.Sequence), m.Sequence, fmt.Sprintf("it is of the log of %s, not of %s", m.Source, r.Source))
	}

	v.source = v.source.Then(kept)
	r.Service, r.Source = m.Service, v.source.Source
	r.Segments++
	r.EntryCount += m.Segment.EntryCount
	r.Bytes += m.Segment.Bytes
	r.CoveredUntil = m.CoveredUntil.UTC().Format("2006-01-02T15:04:05.000000Z07:00")

	if r.FirstTime == "" || m.Segment.First.Time < r.FirstTime {
		r.FirstTime = m.Segment.First.Time
	}

	if m.Segment.Last.Time > r.LastTime {
		r.LastTime = m.Segment.Last.Time
	}

	before := int64(0)
	if m.Sequence > 1 {
		before = m.TotalCount - m.Segment.EntryCount
		if previous := v.manifests[m.Sequence-1]; previous != nil {
			before = previous.TotalCount
		}
	}

	if m.TotalCount != before+m.Segment.EntryCount {
		v.found(FindingAltered, manifestKey(m.Sequence), m.Sequence,
			fmt.Sprintf("it counts %d entries up to here where there are %d", m.TotalCount, before+m.Segment.EntryCount))
	}

	if m.Gap != nil {
		r.Gaps = append(r.Gaps, *m.Gap)
	}
}

// checkForeign reports what nothing names. What a run left that crashed before its
// manifest is named by its claim; the next run removes it.
func (v *verification) checkForeign() error {
	for _, key := range slices.Sorted(maps.Keys(v.objects)) {
		if !strings.HasPrefix(key, claimsPrefix) {
			continue
		}

		sequence, ok := claimedSequence(key)
		if !ok || sequence > v.last+1 {
			continue
		}

		data, err := v.read(key, 0, maxSmall)
		if err != nil {
			return err
		}

		c, err := parseClaim(data)
		if data == nil || err != nil || c.Sequence != sequence || !isSegmentOf(c.Segment, sequence) {
			continue
		}

		v.named[key] = true

		// A claim on a segment of the chain cannot stand for another one.
		if sequence == v.last+1 {
			v.named[c.Segment] = true
		}
	}

	for _, key := range slices.Sorted(maps.Keys(v.objects)) {
		if !v.named[key] {
			detail := "no manifest that can be read names it"
			if system := durable.LeftBySystem(key); system != "" {
				detail += "; by its name it was left by an operating system (" + system + ")"
			}

			v.found(FindingForeign, key, 0, detail)
		}
	}

	return nil
}
