// SPDX-License-Identifier: MPL-2.0

// Package archive keeps an audit log in a place that outlives the cloud's memory
// of it: immutable segments of entries, each described by a manifest, and a
// transparency log whose leaves the manifests are, under signed checkpoints.
//
//	checkpoints/00000007                                    of a log of seven manifests
//	checkpoint                                              a copy of the newest
//	manifests/00000007-<hash>.json
//	entries/cloud=upcloud/date=2026-06-30/00000007-<hash>.ndjson.zst
//	supplements/00000007-<hash>.json
//	tile/…                                                  follows from the manifests
//	README.txt, .gitattributes
//
// A run writes a segment and its manifest under keys that hold their hashes, and
// then creates one object, the checkpoint of the next size. Of several runs only one
// can create that; the others have lost, remove what they wrote, and begin again with
// what is there. Nothing else makes a manifest a part of the archive. The tiles follow
// from what is committed, and whoever finds them missing makes them. design/archive.md
// has the format.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// The defaults of Options.
const (
	defaultOverlap     = 10 * time.Minute
	defaultSettleDelay = time.Minute
)

// The largest objects of each kind.
const (
	maxSegment    = 256 << 20
	maxSupplement = 64 << 20
	maxSmall      = 1 << 20
)

// Options say what is archived, where and how.
type Options struct {
	Store durable.Store
	// Lock is what protects what the store creates, nil where nothing was asked for.
	Lock    *durable.ObjectLock
	Service auditlog.Service
	// Source is what is known of whose log the service's is besides what its Info
	// and its readings say.
	Source auditlog.Source
	// Filters say which entries to keep; its window is not used.
	Filters     auditlog.Query
	Format      format.Format
	Compression format.Compression
	// Start is how far back the first run goes.
	Start time.Time
	// Overlap is how much of what was read before is read again where the cloud
	// has no cursor, so that rows that came late are found.
	Overlap time.Duration
	// SettleDelay is how much of the newest log is left for the next run.
	SettleDelay time.Duration
	// Signer signs checkpoints; nil leaves them unsigned.
	Signer note.Signer
	// PreviousSigner is the key that signed before where the key is changed: both sign, so
	// that the one vouches for the other. It is nil else.
	PreviousSigner note.Signer
	// Verifiers check checkpoints: one of them must have signed. With none, any signature
	// is accepted, and none.
	Verifiers []note.Verifier
	// Attesters are others who attest each checkpoint.
	Attesters Attesters
	// Redactor changes entries before they are written; nil keeps them as they are.
	Redactor *redact.Redactor
	// AcceptGapAfter is the sequence number after which a gap is accepted.
	AcceptGapAfter int64
	// CoveredUntil is up to when a refresh has since found nothing new.
	CoveredUntil time.Time
	// Known is a checkpoint that somebody else remembers; the log must have grown from it.
	Known *Checkpoint
	Clock auditlog.Clock
	Tool  string
}

// Head is the last manifest of an archive.
type Head struct {
	// Sequence is its number, from 1; 0 before the first.
	Sequence int64 `json:"sequence"`
	// SHA256 is that of the manifest's bytes, hexadecimal.
	SHA256 string `json:"sha256"`
}

// String is a head as auditlog verify takes it.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Sequence, h.SHA256) }

// Archive is an archive that was looked at and found fit to be appended to.
type Archive struct {
	o Options
	// point is the newest checkpoint, nil where there is no archive yet, and log what it is of.
	point *point
	log   *merkle
	// last is the last manifest, nil before the first.
	last *Manifest
	// behind says that the tiles of the last manifest, or the copy of its checkpoint, have
	// still to be written.
	behind bool
	// attested is the newest checkpoint once all have attested it who were asked to, and
	// cosigned is it with the cosignatures of witnesses.
	attested, cosigned string
	// unattested says who has not attested it.
	unattested together
	// copied is the copy of a checkpoint as it was found, nil where there was none.
	copied *point
	// lost is what this run has written of a number that another one has committed.
	lost *draft
}

// What can be wrong with a place. They come wrapped, with the key at fault.
var (
	// ErrForeign means that something else lies at the destination.
	ErrForeign = errors.New("the destination holds something else")
	// ErrBroken means that the archive is not as it has to be.
	ErrBroken = errors.New("the archive was altered or damaged")
	// ErrSignature means that the checkpoint is not signed by the expected key.
	ErrSignature = errors.New("the checkpoint is not signed by the expected key")
	// ErrNoKey means that the checkpoint is signed and that no key is given to sign the
	// next one.
	ErrNoKey = errors.New("the archive is signed, and no key is given to sign what is added")
	// ErrNone means that there is nothing at the destination.
	ErrNone = errors.New("there is no archive")
	// ErrLost means that other runs were faster again and again.
	ErrLost = errors.New("other runs wrote to the archive at the same time")
	// ErrUnlocked means that a bucket has taken an object and does not protect it as asked.
	ErrUnlocked = errors.New("the bucket does not protect what is written as it was asked to")
	// ErrFuture means that the archive says to cover what has not happened yet.
	ErrFuture = errors.New("the archive covers a time that has not come yet by the service's clock")
)

// GapError says that what happened between two moments can no longer be read.
type GapError struct {
	After        int64     `json:"after"`
	CoveredUntil time.Time `json:"covered_until"`
	Oldest       time.Time `json:"oldest"`
}

func (e *GapError) Error() string {
	return fmt.Sprintf("entries between %s and %s are gone from the service",
		auditlog.FormatTime(e.CoveredUntil), auditlog.FormatTime(e.Oldest))
}

// Open looks at the destination. It writes nothing: an archive of another
// service, one whose log does not hold together at its end or has not grown from what
// is remembered, one whose signature is wrong, and anything that is no archive are
// refused. The whole log is the business of Verify; this reads only its end.
func Open(ctx context.Context, o Options) (*Archive, error) {
	a := &Archive{o: o.withDefaults(), log: &merkle{}}

	if err := a.load(ctx); err != nil {
		return nil, err
	}

	if a.point == nil {
		if err := a.checkNone(); err != nil {
			return nil, err
		}

		err := a.checkEmpty(ctx)
		if err == nil {
			return a, nil
		}

		// Another first run may have begun the archive a moment ago.
		if loadErr := a.load(ctx); loadErr != nil || a.point == nil {
			return nil, err
		}
	}

	if err := a.check(ctx); err != nil {
		return nil, err
	}

	return a, nil
}

// reload looks at the destination once more. The log must have grown from what this run has seen of it: what was rolled
// back meanwhile would be signed once more, in another way.
func (a *Archive) reload(ctx context.Context) error {
	if a.point != nil {
		a.o.Known, a.point = &a.point.Checkpoint, nil
	}

	if err := a.load(ctx); err != nil {
		return err
	}

	if a.point == nil {
		return a.checkNone()
	}

	return a.check(ctx)
}

// checkNone makes sure that nobody remembers an archive where there is none.
func (a *Archive) checkNone() error {
	if a.o.Known == nil {
		return nil
	}

	return fmt.Errorf("%w: it is gone, but a log of size %d is remembered", ErrBroken, a.o.Known.Tree.N)
}

func (a *Archive) points() points { return points{a.o.Store, a.o.Verifiers} }

// load reads the end of the log.
func (a *Archive) load(ctx context.Context) error {
	last, copied, err := a.points().newest(ctx)
	if err != nil || last == nil {
		return err
	}

	log, complete, err := openLog(ctx, a.points(), last)
	if err != nil {
		if a.points().outgrown(ctx, last, err) {
			return a.load(ctx)
		}

		return err
	}

	a.point, a.log, a.last, a.copied, a.cosigned = last, log, nil, copied, ""
	a.behind = !complete || copied == nil || copied.Tree.N < last.Tree.N

	if log.N > 0 {
		a.last, err = log.manifest(ctx, log.N)
	}

	return err
}

// openLog returns the log of a checkpoint, and whether its tiles are complete: a run
// that crashed has left those of its last manifest to the next one.
func openLog(ctx context.Context, points points, p *point) (log *merkle, complete bool, err error) {
	log, err = openMerkle(ctx, points.store, p.Tree)
	if !errors.Is(err, fs.ErrNotExist) {
		return log, true, err
	}

	// What it says is held against the newest one, so that it may be by a key of before.
	before, err := points.unsigned().at(ctx, p.Tree.N-1)
	if err != nil {
		return nil, false, orMissing(checkpointKeyOf(p.Tree.N-1), err)
	}

	log, err = openMerkle(ctx, points.store, before.Tree)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: the tiles of %s are missing, and so are some of those before: %s", ErrBroken,
			checkpointKeyOf(p.Tree.N), err.Error())
	}

	if err != nil {
		return nil, false, err
	}

	for object, err := range points.store.List(ctx, manifestsPrefix+numbered(p.Tree.N)) {
		if err != nil {
			return nil, false, err
		}

		// What has lost may be removed meanwhile, and what cannot be read is not the log's.
		manifest, err := readIfUsable(ctx, points.store, object.Key, maxManifest)
		if err != nil {
			return nil, false, err
		}

		if next, err := log.with(manifest); err != nil || next.Hash == p.Tree.Hash {
			return next, false, err
		}
	}

	return nil, false, fmt.Errorf("%w: the %s of %s is missing", ErrBroken, manifestName(p.Tree.N),
		checkpointKeyOf(p.Tree.N))
}

func (o Options) withDefaults() Options {
	if o.Overlap == 0 {
		o.Overlap = defaultOverlap
	}

	if o.SettleDelay == 0 {
		o.SettleDelay = defaultSettleDelay
	}

	o.Overlap = max(o.Overlap, o.SettleDelay)
	// A checkpoint shows no more of it.
	o.Start = o.Start.UTC().Truncate(time.Microsecond)

	return o
}

// Head returns the last manifest's number and hash.
func (a *Archive) Head() Head { return a.last.head() }

// Checkpoint returns the newest checkpoint with its signatures, "" where there is none.
func (a *Archive) Checkpoint() string {
	if a.point == nil {
		return ""
	}

	return a.point.note
}

// Origin returns the name of the archive, "" where there is none yet.
func (a *Archive) Origin() string {
	if a.point == nil {
		return ""
	}

	return a.point.Origin
}

// Last returns the last manifest, nil before the first.
func (a *Archive) Last() *Manifest { return a.last }

// check holds the end of the archive against what the caller knows.
func (a *Archive) check(ctx context.Context) error {
	if name := a.o.Service.Info().Name; a.point.service() != name || a.last != nil && a.last.Service != name {
		return fmt.Errorf("%w: an archive of %s", ErrForeign, a.point.service())
	}

	if _, err := a.checkSource(auditlog.Source{}); err != nil {
		return err
	}

	// The archive remembers how far back it goes, whatever "how far back" would
	// mean by now.
	a.o.Start = a.point.Covered.Start
	if a.last != nil {
		a.o.Start = a.last.Start
	}

	return a.checkKnown(ctx)
}

// checkKnown makes sure that the log has grown from a checkpoint that is remembered.
func (a *Archive) checkKnown(ctx context.Context) error {
	known := a.o.Known
	if known == nil {
		return nil
	}

	var (
		begun *point
		err   error
	)

	if known.Tree.N == 0 {
		if begun, err = a.points().unsigned().at(ctx, 0); err != nil {
			return err
		}
	}

	finding, err := contradiction(*known, begun, a.point, &a.log.tree)
	if finding != "" && known.Tree.N == 0 {
		return fmt.Errorf("%w: it was begun in another way than is remembered", ErrBroken)
	}

	switch finding {
	case FindingForeign:
		return fmt.Errorf("%w: it is another archive than the one that is remembered: %s, not %s", ErrBroken, a.point.Origin,
			known.Origin)
	case FindingTruncated:
		return fmt.Errorf("%w: it was rolled back: its log has %d manifests, and %d are remembered", ErrBroken, a.log.N, known.Tree.N)
	case FindingForked:
		return fmt.Errorf("%w: its log is not a continuation of the one that is remembered, whose size was %d", ErrBroken, known.Tree.N)
	default:
		return err
	}
}

// contradiction says how a log contradicts a checkpoint that is remembered: it is of another archive (FindingForeign),
// shorter (FindingTruncated), or another one (FindingForked), and "" where it does not. What is not in the tree is not
// known. The checkpoint of size 0 may be nil where it is not known.
func contradiction(known Checkpoint, begun, now *point, log *tree) (Finding, error) {
	switch {
	case known.Origin != now.Origin:
		return FindingForeign, nil
	case known.Tree.N > now.Tree.N:
		return FindingTruncated, nil
	case known.Tree.N > log.N, known.Tree.N == 0 && (begun == nil || begun.Checkpoint == known):
		return "", nil
	case known.Tree.N == 0:
		return FindingForked, nil
	}

	root, err := log.rootAt(known.Tree.N)
	if err == nil && root != known.Tree.Hash {
		return FindingForked, nil
	}

	return "", err
}

// checkSource makes sure that the log is the one that was archived so far, as far as
// it is known, and says whether its account was confirmed. The error is an
// *auditlog.SourceError.
func (a *Archive) checkSource(read auditlog.Source) (confirmed bool, err error) {
	found := read.Or(a.o.Source).Or(a.o.Service.Info().Source)
	if a.last == nil {
		return true, nil
	}

	return a.o.Redactor.CheckSource(redact.Kept(a.last.Source, a.last.Redaction), found)
}

// Ask has the service asked whose log it is, where the archive knows its account
// and the user gave it no name. The error is an *auditlog.SourceError.
func (a *Archive) Ask(ctx context.Context) error {
	service, ok := a.o.Service.(auditlog.Identifier)
	if !ok || a.last == nil || a.last.Source.Account == "" {
		return nil
	}

	a.o.Source = service.Identify(ctx).Or(a.o.Source)
	_, err := a.checkSource(auditlog.Source{})

	return err
}

var ownDirectories = regexp.MustCompile(`^(checkpoints|cosigned|timestamps|manifests|supplements|entries(/cloud=[^/]+(/date=[^/]+)?)?|tile(/(entries|\d+)(/x\d{3})*(/\d{3}\.p)?)?)/$`)

// ownDirectory says that runs make such a directory. It can be left without files, by a
// run that was killed or when partial tiles are removed, and is in the way of no object.
func ownDirectory(store durable.Store, key string) bool {
	return durable.InDirectory(store) && ownDirectories.MatchString(key)
}

// checkEmpty accepts a place that holds nothing but what the first run writes before its
// first checkpoint.
func (a *Archive) checkEmpty(ctx context.Context) error {
	for object, err := range a.o.Store.List(ctx, "") {
		if err != nil {
			return err
		}

		text, known := besides(a.o.Store)[object.Key]
		if known {
			data, err := a.o.Store.Read(ctx, object.Key, maxSmall)
			if err != nil {
				return err
			}

			known = string(data) == text
		}

		if !known && !object.Temporary && !ownDirectory(a.o.Store, object.Key) { // Another first run may be at work.
			return fmt.Errorf("%w: %s", ErrForeign, object.Key)
		}
	}

	return nil
}

const entriesPrefix = "entries/"

// numbered is what the names of all objects of a manifest's number begin with.
func numbered(sequence int64) string { return fmt.Sprintf("%08d-", sequence) }

// isSegmentOf says that the key is one that a run could give to the segment of
// that number.
func isSegmentOf(key string, sequence int64) bool {
	name := key[strings.LastIndexByte(key, '/')+1:]

	return strings.HasPrefix(key, entriesPrefix) && strings.HasPrefix(name, numbered(sequence))
}

// cloudPartition and "date" are what engines read as partitions. Many refuse one that
// is named like a column of the files, so neither may be a field of entries.
const cloudPartition = "cloud"

// partition is where the segments of that service and day lie.
func partition(service string, day time.Time) string {
	return fmt.Sprintf("%s%s=%s/date=%s/", entriesPrefix, cloudPartition, service, day.UTC().Format(time.DateOnly))
}

func segmentKey(m *Manifest, day time.Time, sha256, extension string) string {
	return partition(m.Service, day) + hashedName(m.Sequence, sha256) + "." + strings.TrimPrefix(extension, ".")
}
