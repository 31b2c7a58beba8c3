// SPDX-License-Identifier: MPL-2.0

// Package archive keeps an audit log in a place that outlives the cloud's memory
// of it: immutable segments, each described by a manifest that names the hash of
// the manifest before it, and a checkpoint that names the last one.
//
//	entries/cloud=upcloud/date=2026-06-30/00000007-<hash>.ndjson.zst
//	manifests/00000007.json
//	claims/00000007.1.json       while segment 7 is being written
//	checkpoint
//	.gitattributes               in directories, so that Git changes no line endings
//
// Whoever appends claims the next sequence number, writes the segment, then the
// manifest, then the checkpoint; each is created exclusively, so of two runners
// only one can ever own a number. After a crash at any step the next run
// finishes or undoes what was begun, and what had been archived is not archived
// again.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// The defaults of Options.
const (
	DefaultOverlap     = 10 * time.Minute
	DefaultSettleDelay = time.Minute
	DefaultLease       = 15 * time.Minute
)

// The largest objects of each kind.
const (
	maxSegment  = 256 << 20
	maxManifest = 64 << 20
	maxSmall    = 1 << 20
)

// Options say what is archived, where and how.
type Options struct {
	Store   durable.Store
	Service auditlog.Service
	// Source is what is known of whose log the service's is besides what its Info
	// and its readings say.
	Source auditlog.Source
	// Filters say which entries to keep; its window is not used.
	Filters     auditlog.Query
	Format      export.Format
	Compression export.Compression
	// Start is how far back the first run goes.
	Start time.Time
	// Overlap is how much of what was read before is read again where the cloud
	// has no cursor, so that rows that came late are found.
	Overlap time.Duration
	// SettleDelay is how much of the newest log is left for the next run.
	SettleDelay time.Duration
	// Lease is how long a claim holds; a run that takes longer over one segment
	// gives up, and one that crashed is taken over after it.
	Lease time.Duration
	// Signer signs checkpoints; nil leaves them unsigned.
	Signer note.Signer
	// Verifier checks the checkpoint that is there, before anything is written.
	Verifier note.Verifier
	// Redactor changes entries before they are written; nil keeps them as they are.
	Redactor *export.Redactor
	// AcceptGapAfter is the sequence number after which a gap is accepted.
	AcceptGapAfter int64
	// CoveredUntil is up to when a refresh has since found nothing new.
	CoveredUntil time.Time
	// Known is the head that somebody else remembers; the archive must contain it.
	Known *Head
	Clock auditlog.Clock
	// Holder names this run in its claims, differently from every other.
	Holder string
	Tool   string
}

// Head is the last manifest of an archive.
type Head struct {
	// Sequence is its number, from 1; 0 before the first.
	Sequence int64 `json:"sequence"`
	// SHA256 is that of the manifest's bytes, hexadecimal.
	SHA256 string `json:"sha256"`
}

// Archive is an archive that was looked at and found fit to be appended to.
type Archive struct {
	o    Options
	head Head
	// last is the head's manifest, nil before the first.
	last *Manifest
	// checkpointed is the sequence number that the checkpoint names, and signed
	// that somebody signed it.
	checkpointed int64
	signed       bool
}

// What can be wrong with a place. They come wrapped, with the key at fault.
var (
	// ErrForeign means that something else lies at the destination.
	ErrForeign = errors.New("the destination holds something else")
	// ErrBroken means that the chain does not hold together.
	ErrBroken = errors.New("the archive's chain is broken")
	// ErrSignature means that the checkpoint is not signed by the expected key.
	ErrSignature = errors.New("the checkpoint is not signed by the expected key")
	// ErrNoKey means that the checkpoint is signed and that no key is given to sign the
	// next one.
	ErrNoKey = errors.New("the archive is signed, and no key is given to sign what is added")
	// ErrNone means that there is nothing at the destination.
	ErrNone = errors.New("there is no archive")
	// ErrBusy means that another run is writing.
	ErrBusy = errors.New("another run is writing to the archive")
	// ErrLost means that another run was faster, or that this one took too long.
	ErrLost = errors.New("another run wrote to the archive meanwhile")
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
// service, one whose chain is broken at its end or whose signature is wrong, and
// anything that is no archive are refused. The whole chain is the business of
// Verify; this reads only its end.
func Open(ctx context.Context, o Options) (*Archive, error) {
	a := &Archive{o: o.withDefaults()}

	point, err := a.readCheckpoint(ctx)
	if err != nil {
		return nil, err
	}

	if point != nil {
		if err := a.follow(ctx, *point); err != nil {
			return nil, err
		}
	}

	// A run that crashed before its checkpoint has left manifests behind it.
	for {
		next, m, err := a.readManifest(ctx, a.head.Sequence+1)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}

		if err != nil {
			return nil, err
		}

		if m.Previous != a.head.SHA256 {
			return nil, fmt.Errorf("%w: %s does not follow the one before", ErrBroken, manifestKey(m.Sequence))
		}

		a.head, a.last = next, m
	}

	if err := a.check(ctx); err != nil {
		return nil, err
	}

	return a, nil
}

func (o Options) withDefaults() Options {
	if o.Overlap == 0 {
		o.Overlap = DefaultOverlap
	}

	if o.SettleDelay == 0 {
		o.SettleDelay = DefaultSettleDelay
	}

	if o.Lease == 0 {
		o.Lease = DefaultLease
	}

	o.Overlap = max(o.Overlap, o.SettleDelay)

	return o
}

// Head returns the last manifest's number and hash.
func (a *Archive) Head() Head { return a.head }

// Last returns the last manifest, nil before the first.
func (a *Archive) Last() *Manifest { return a.last }

// follow takes the checkpoint's word for the head and holds the manifest to it.
func (a *Archive) follow(ctx context.Context, point checkpoint) error {
	head, m, err := a.readManifest(ctx, point.sequence)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s, which the checkpoint names, is missing", ErrBroken, manifestKey(point.sequence))
	}

	if err != nil {
		return err
	}

	if head.SHA256 != point.sha256 {
		return fmt.Errorf("%w: %s is not what the checkpoint says", ErrBroken, manifestKey(point.sequence))
	}

	a.head, a.last, a.checkpointed = head, m, point.sequence

	return nil
}

// check holds the end of the archive against what the caller knows.
func (a *Archive) check(ctx context.Context) error {
	if a.last == nil {
		if a.o.Known != nil && a.o.Known.Sequence > 0 {
			return fmt.Errorf("%w: it is empty, but segment %d is remembered", ErrBroken, a.o.Known.Sequence)
		}

		return a.checkEmpty(ctx)
	}

	if name := a.o.Service.Info().Name; a.last.Service != name {
		return fmt.Errorf("%w: an archive of %s", ErrForeign, a.last.Service)
	}

	if _, err := a.checkSource(auditlog.Source{}); err != nil {
		return err
	}

	// The archive remembers how far back it goes, whatever "how far back" would
	// mean by now.
	a.o.Start = a.last.Start

	known := a.o.Known
	if known == nil || known.Sequence == 0 {
		return nil
	}

	if known.Sequence > a.head.Sequence {
		return fmt.Errorf("%w: its last segment is %d, but segment %d is remembered", ErrBroken, a.head.Sequence, known.Sequence)
	}

	if known.Sequence == a.head.Sequence && known.SHA256 == a.head.SHA256 {
		return nil
	}

	head, _, err := a.readManifest(ctx, known.Sequence)
	if err != nil {
		return err
	}

	if head.SHA256 != known.SHA256 {
		return fmt.Errorf("%w: %s is not the one that is remembered", ErrBroken, manifestKey(known.Sequence))
	}

	return nil
}

// checkSource makes sure that the log is the one that was archived so far, as far as
// it is known, and says whether its account was confirmed. The error is an
// *auditlog.SourceError.
func (a *Archive) checkSource(read auditlog.Source) (confirmed bool, err error) {
	found := read.Or(a.o.Source).Or(a.o.Service.Info().Source)
	if a.last == nil {
		return true, nil
	}

	return a.o.Redactor.CheckSource(export.Kept(a.last.Source, a.last.Redaction), found)
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

// checkEmpty accepts a place that holds nothing, or what the crash of a first run
// left: its claim and the segment that the claim names.
func (a *Archive) checkEmpty(ctx context.Context) error {
	leftover := map[string]bool{}

	for object, err := range a.o.Store.List(ctx, claimsPrefix) {
		if err != nil {
			return err
		}

		c, err := a.readClaim(ctx, object.Key)
		if err != nil {
			return err
		}

		leftover[object.Key], leftover[c.Segment] = true, true
	}

	attributes, err := a.o.Store.Read(ctx, durable.AttributesKey, maxSmall)
	leftover[durable.AttributesKey] = err == nil && string(attributes) == durable.AttributesText

	for object, err := range a.o.Store.List(ctx, "") {
		if err != nil {
			return err
		}

		if !leftover[object.Key] {
			return fmt.Errorf("%w: %s", ErrForeign, object.Key)
		}
	}

	return nil
}

// writeAttributes keeps Git from changing the files of an archive in a directory. What
// is there already is somebody's, and Verify says what it thinks of it.
func (a *Archive) writeAttributes(ctx context.Context) error {
	if !durable.InDirectory(a.o.Store) {
		return nil
	}

	err := a.o.Store.Create(ctx, durable.AttributesKey, []byte(durable.AttributesText))
	if errors.Is(err, durable.ErrExists) {
		return nil
	}

	return err
}

const (
	checkpointKey   = "checkpoint"
	manifestsPrefix = "manifests/"
	claimsPrefix    = "claims/"
	entriesPrefix   = "entries/"
)

func manifestKey(sequence int64) string { return fmt.Sprintf("%s%08d.json", manifestsPrefix, sequence) }

func claimKey(sequence int64, attempt int) string {
	return fmt.Sprintf("%s%08d.%d.json", claimsPrefix, sequence, attempt)
}

// Segments lie in directories that engines read as partitions, of these names and of
// "date". Many engines refuse a partition that is named like a column of the files,
// so none may be a field of entries. Earlier versions named the first one "service".
const (
	cloudPartition = "cloud"
	olderPartition = "service"
)

// partition is where the segments of that service and day lie.
func partition(name, service string, day time.Time) string {
	return fmt.Sprintf("%s%s=%s/date=%s/", entriesPrefix, name, service, day.UTC().Format(time.DateOnly))
}

// partitionName is that of the segments so far, since engines refuse a mixture.
func (a *Archive) partitionName() string {
	if a.last != nil && strings.HasPrefix(a.last.Segment.Key, entriesPrefix+olderPartition+"=") {
		return olderPartition
	}

	return cloudPartition
}

// inPartition says that a segment lies where those of that service and day do.
func inPartition(key, service string, day time.Time) bool {
	return strings.HasPrefix(key, partition(cloudPartition, service, day)) || strings.HasPrefix(key, partition(olderPartition, service, day))
}

func segmentName(sequence int64, sha256, extension string) string {
	const hashLength = 16

	return fmt.Sprintf("%08d-%s.%s", sequence, sha256[:hashLength], strings.TrimPrefix(extension, "."))
}
