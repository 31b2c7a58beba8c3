// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// found begins the archive with a checkpoint of a log without manifests.
func (a *Archive) found(ctx context.Context, covered auditlog.Window) error {
	const randomLength = 8

	random := make([]byte, randomLength)
	_, _ = rand.Read(random) // It never fails.

	empty := &merkle{Hash: emptyRoot(), store: a.o.Store}

	// Before anything counts, so that a store which cannot be trusted holds no archive.
	if _, err := a.writeBesides(ctx); err != nil {
		return err
	}

	if err := durable.Insist(ctx, a.o.Store, readmeKey, []byte(readme)); err != nil {
		return err
	}

	if err := a.insistOnLock(ctx, readmeKey); err != nil {
		return err
	}

	c := Checkpoint{
		Origin: originOf(a.o.Service.Info().Name, hex.EncodeToString(random)),
		Tree:   tlog.Tree{Hash: empty.Hash}, Covered: covered,
	}
	if err := a.sign(ctx, c, empty); err != nil {
		return err
	}

	a.behind = true

	return a.tidy(ctx)
}

// writeBesides writes what lies beside the log until the first manifest says what that is.
// A run of another version, or a copy to storage of another kind, may have left other texts.
func (a *Archive) writeBesides(ctx context.Context) (map[string]string, error) {
	files := besides(a.o.Store)

	for key, text := range files {
		if err := createDerived(ctx, a.o.Store, key, []byte(text)); err != nil {
			return nil, err
		}
	}

	// In a bucket it is of no use, but no harm.
	there, err := readIfUsable(ctx, a.o.Store, durable.AttributesKey, maxSmall)
	if string(there) == durable.AttributesText {
		files[durable.AttributesKey] = durable.AttributesText
	}

	if err != nil {
		return nil, err
	}

	return files, nil
}

// sign creates the checkpoint, which is what makes its last manifest a part of the
// archive. The error is ErrLost where another run has created the one of that size.
func (a *Archive) sign(ctx context.Context, c Checkpoint, log *merkle) error {
	data := []byte(c.text())

	if a.o.Signer != nil {
		var err error
		if data, err = note.Sign(&note.Note{Text: c.text()}, a.signers()...); err != nil {
			return fmt.Errorf("sign the checkpoint: %w", err)
		}
	}

	p, err := openPoint(data, a.o.Verifiers)
	if err != nil {
		return err
	}

	err = a.o.Store.Create(ctx, checkpointKeyOf(c.Tree.N), data)
	if errors.Is(err, durable.ErrExists) {
		return fmt.Errorf("%w: %s is there already", ErrLost, checkpointKeyOf(c.Tree.N))
	}

	if err != nil {
		return err
	}

	a.point, a.log, a.cosigned = p, log, ""

	return nil
}

// signers are the keys that sign: where the key is changed, that of before as well. One
// that is not of the newest checkpoint has nothing to hand over.
func (a *Archive) signers() []note.Signer {
	if a.o.PreviousSigner == nil || a.point == nil || a.point.key != keyOf(a.o.PreviousSigner) {
		return []note.Signer{a.o.Signer}
	}

	return []note.Signer{a.o.Signer, a.o.PreviousSigner}
}

// handsOver says that a key is to sign from now on that has not signed the newest
// checkpoint.
func (a *Archive) handsOver() bool {
	return a.o.Signer != nil && a.point.key != keyOf(a.o.Signer)
}

// commit makes a manifest part of the archive. Everything that it names is there before,
// and the manifest before that, so that what a crash leaves is named by it.
func (a *Archive) commit(ctx context.Context, d *draft) (err error) {
	m := d.manifest

	defer func() {
		if errors.Is(err, ErrLost) {
			a.lost = d
		}
	}()

	next, err := a.log.with(m.text)
	if err != nil {
		return err
	}

	data := [][]byte{m.text, d.supplement, d.segment}
	for i, key := range m.keys() {
		if err := createSame(ctx, a.o.Store, key, data[i]); err != nil {
			return err
		}
	}

	if err := a.insist(ctx, d); err != nil {
		return err
	}

	signed := Checkpoint{Origin: a.point.Origin, Tree: tlog.Tree{N: next.N, Hash: next.Hash}}
	if err := a.sign(ctx, signed, next); err != nil {
		return err
	}

	a.last, a.behind = m, true

	return a.tidy(ctx)
}

// insist makes sure that the store refuses to create what exists, by the supplement.
// Whoever has committed the number meanwhile may have removed that.
func (a *Archive) insist(ctx context.Context, d *draft) error {
	err := durable.Insist(ctx, a.o.Store, d.manifest.Supplement.Key, d.supplement)
	if err == nil {
		return a.insistOnLock(ctx, d.manifest.Supplement.Key)
	}

	if !errors.Is(err, durable.ErrNotConditional) {
		return err
	}

	key := checkpointKeyOf(d.manifest.Sequence)
	if _, readErr := a.o.Store.Read(ctx, key, maxSmall); readErr == nil {
		return fmt.Errorf("%w: %s is there already", ErrLost, key)
	}

	return err
}

// insistOnLock makes sure that the bucket protects what it was asked to: one that does not
// know object lock takes the object and says nothing.
func (a *Archive) insistOnLock(ctx context.Context, key string) error {
	if a.o.Lock == nil {
		return nil
	}

	_, p, err := durable.ReadProtected(ctx, a.o.Store, key, maxSupplement)
	if err != nil {
		return err
	}

	// Of another run that has made the same object it may end a little earlier.
	until := a.o.Clock().AddDate(0, 0, a.o.Lock.Days-1)
	if p.Mode != a.o.Lock.Mode && p.Mode != durable.Compliance || p.Until.Before(until) {
		return fmt.Errorf("%w: %s", ErrUnlocked, key)
	}

	return nil
}

// tidy completes what follows from the newest checkpoint, and removes what runs have
// left that lost, or crashed before they committed.
func (a *Archive) tidy(ctx context.Context) error {
	if a.point == nil {
		return nil
	}

	if a.behind && a.log.N > 0 {
		if err := a.log.publish(ctx); err != nil {
			return err
		}
	}

	if err := a.attest(ctx); err != nil {
		return err
	}

	// Whoever reads by the copy needs the tiles of its checkpoint until it is replaced.
	if a.mayPublish() {
		if err := a.publish(ctx); err != nil {
			return err
		}
	}

	if err := a.dropLost(ctx); err != nil {
		return err
	}

	return a.dropLeftovers(ctx)
}

// publish replaces the copy of the checkpoint, and removes what nobody needs then.
func (a *Archive) publish(ctx context.Context) error {
	if a.behind || a.cosigned != "" {
		if err := a.points().publishCopy(ctx, a.point, a.cosigned); err != nil {
			return err
		}
	}

	if a.behind {
		if err := a.log.dropPartial(ctx); err != nil {
			return err
		}
	}

	a.behind = false

	return nil
}

// dropLost removes what this run has written of a number that is another one's. Who has
// committed that may have removed the manifest before the segment was there.
func (a *Archive) dropLost(ctx context.Context) error {
	d := a.lost
	if d == nil || d.manifest.Sequence > a.log.N {
		return nil
	}

	if err := a.dropForeign(ctx, d.manifest.Sequence, d.manifest.keys()); err != nil {
		return err
	}

	a.lost = nil

	return nil
}

// dropLeftovers removes what is none of the log's among the objects of the last hundred or
// two numbers, and segments of the last days. Only where there is a checkpoint of a number
// is it known what is not of it: anything beyond can be of a run that is under way.
func (a *Archive) dropLeftovers(ctx context.Context) error {
	if a.log.N == 0 {
		return nil
	}

	const hundred = 100

	places, err := a.lastDays()
	if err != nil {
		return err
	}

	for _, prefix := range []string{manifestsPrefix, supplementsPrefix} {
		for n := max(a.log.N/hundred-1, 0); n <= a.log.N/hundred; n++ {
			places = append(places, fmt.Sprintf("%s%06d", prefix, n))
		}
	}

	for _, place := range places {
		if err := a.dropLeftoversIn(ctx, place); err != nil {
			return err
		}
	}

	return nil
}

// lastDays are the partitions of the last three days that have segments.
func (a *Archive) lastDays() ([]string, error) {
	const most = 3

	var days []string

	for m, err := range a.log.newest() {
		if err != nil || len(days) == most {
			return days, err
		}

		if m.Segment == nil {
			continue
		}

		if day := partition(m.Service, m.Segment.From); !slices.Contains(days, day) {
			days = append(days, day)
		}
	}

	return days, nil
}

// dropLeftoversIn removes what is none of the log's below a prefix.
func (a *Archive) dropLeftoversIn(ctx context.Context, prefix string) error {
	keys := map[int64][]string{}

	for object, err := range a.o.Store.List(ctx, prefix) {
		if err != nil {
			return err
		}

		if number, ok := numberOf(object.Key); ok && number <= a.log.N && !object.Irregular {
			keys[number] = append(keys[number], object.Key)
		}
	}

	for _, number := range slices.Sorted(maps.Keys(keys)) {
		// The manifests of older numbers are not at hand, and one object can only be the log's.
		if number <= a.log.N-int64(len(a.log.edge)) && len(keys[number]) == 1 {
			continue
		}

		if err := a.dropForeign(ctx, number, keys[number]); err != nil {
			return err
		}
	}

	return nil
}

// dropForeign removes those of some objects of a number that the manifest of that number does not lead to, and the
// segments that manifests among them name.
func (a *Archive) dropForeign(ctx context.Context, number int64, keys []string) error {
	committed, err := a.log.manifest(ctx, number)
	if err != nil {
		return err
	}

	kept := committed.keys()

	for _, key := range keys {
		if slices.Contains(kept, key) {
			continue
		}

		foreign := []string{key}

		if strings.HasPrefix(key, manifestsPrefix) {
			segment, err := a.segmentNamed(ctx, key, number)
			if err != nil {
				return err
			}

			// A segment of the same bytes is that of the log.
			if segment != "" && !slices.Contains(kept, segment) {
				foreign = []string{segment, key}
			}
		}

		for _, key := range foreign {
			if err := a.o.Store.Delete(ctx, key); err != nil {
				return err
			}
		}
	}

	return nil
}

// segmentNamed returns the key of the segment that a manifest names which is not of the log, "" where it names none
// that a run could have written.
func (a *Archive) segmentNamed(ctx context.Context, key string, number int64) (string, error) {
	data, err := readIfUsable(ctx, a.o.Store, key, maxManifest)
	if err != nil {
		return "", err
	}

	m, err := parseManifest(data, number)
	if err != nil || m.Segment == nil || !isSegmentOf(m.Segment.Key, number) || durable.CheckKey(m.Segment.Key) != nil {
		return "", nil //nolint:nilerr // It is none of a run.
	}

	return m.Segment.Key, nil
}

// numberOf reads the number off the last part of a key.
func numberOf(key string) (int64, bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]

	var number int64

	n, err := fmt.Sscanf(name, "%08d-", &number)

	return number, err == nil && n == 1 && number > 0 && strings.HasPrefix(name, numbered(number))
}
