// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// segment is a file of one day's entries in the making. It is held in memory:
// its name holds its hash, and it is written with one request or not at all.
type segment struct {
	day     time.Time
	data    bytes.Buffer
	encoder format.Encoder
	oldest  time.Time
	newest  time.Time
	leaves  *leaves

	described  Segment
	supplement Supplement
}

// secretLength is that of what makes salts, in bytes.
const secretLength = 32

func newSecret() []byte {
	secret := make([]byte, secretLength)
	_, _ = rand.Read(secret) // It never fails.

	return secret
}

func newSegment(day time.Time, f format.Format, compression format.Compression) (*segment, error) {
	secret := newSecret()
	s := &segment{
		day: day, described: Segment{Format: f, Compression: compression},
		supplement: Supplement{Secret: secret}, leaves: newLeaves(secret),
	}

	var err error
	s.encoder, err = format.NewEncoder(&s.data, f, nil, format.EncoderOptions{Compression: compression})

	return s, err
}

func (s *segment) add(e *auditlog.Entry) error {
	ref := refOf(e)

	if s.supplement.First == nil || before(ref, *s.supplement.First) {
		s.supplement.First, s.oldest = &ref, e.Time
	}

	if s.supplement.Last == nil || before(*s.supplement.Last, ref) {
		s.supplement.Last, s.newest = &ref, e.Time
	}

	if err := s.leaves.add(e); err != nil {
		return err
	}

	return s.encoder.Encode(e)
}

func refOf(e *auditlog.Entry) EntryRef { return EntryRef{ID: e.ID, Time: auditlog.FormatTime(e.Time)} }

// spans says that the supplement names the first and the last of entries in order.
func (s *Supplement) spans(entries []auditlog.Entry) bool {
	return len(entries) > 0 && s.First != nil && s.Last != nil &&
		*s.First == refOf(&entries[0]) && *s.Last == refOf(&entries[len(entries)-1])
}

// before compares times as text, which the layout allows, ties by id.
func before(a, b EntryRef) bool {
	return a.Time < b.Time || (a.Time == b.Time && a.ID < b.ID)
}

// close ends the file and describes it, but for its key.
func (s *segment) close() (Segment, error) {
	if err := s.encoder.Close(); err != nil {
		return Segment{}, err
	}

	root, err := s.leaves.rootText()
	if err != nil {
		return Segment{}, err
	}

	s.described.Object = objectOf("", s.data.Bytes())
	s.described.EntryCount, s.described.EntriesRoot = s.leaves.N, root
	s.described.From, s.described.Until = minutes(s.oldest, s.newest)

	return s.described, nil
}

// minutes are the whole minutes around the times of entries.
func minutes(oldest, newest time.Time) (from, until time.Time) {
	return oldest.UTC().Truncate(time.Minute), newest.UTC().Truncate(time.Minute).Add(time.Minute)
}

// decode yields the entries of a file that is the segment of a manifest, and makes sure
// that they are as many as it counts and of the times that it names.
func (s *Segment) decode(data []byte, sequence int64) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		fail := func(f Finding, detail string) { yield(auditlog.Entry{}, &Problem{f, s.Key, sequence, detail}) }

		var (
			n              int64
			oldest, newest time.Time
		)

		for e, err := range format.Decode(bytes.NewReader(data), int64(len(data)), s.Format,
			format.DecoderOptions{Compression: s.Compression}) {
			if err != nil {
				fail(FindingUnreadable, err.Error())

				return
			}

			if n == s.EntryCount {
				fail(FindingAltered, fmt.Sprintf("it holds more than the %d entries that %s says", s.EntryCount,
					manifestName(sequence)))

				return
			}

			if n == 0 || e.Time.Before(oldest) {
				oldest = e.Time
			}

			newest = later(newest, e.Time)
			n++

			if !yield(e, nil) {
				return
			}
		}

		if n != s.EntryCount {
			fail(FindingAltered, fmt.Sprintf("it holds %d entries where %s says %d", n, manifestName(sequence), s.EntryCount))

			return
		}

		if from, until := minutes(oldest, newest); !from.Equal(s.From) || !until.Equal(s.Until) {
			fail(FindingAltered, "it holds entries of other times than "+manifestName(sequence)+" says")
		}
	}
}

// entriesOf yields the entries of a segment that is what its manifest says.
func entriesOf(ctx context.Context, store durable.Store, s *Segment, sequence int64) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		data, err := readObject(ctx, store, s.Object, sequence, maxSegment)
		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		for e, err := range s.decode(data, sequence) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// leaves are the hashes of a segment's entries, of which a Merkle tree is made.
type leaves struct {
	tree

	secret []byte
	line   bytes.Buffer
	lines  format.Encoder
}

func newLeaves(secret []byte) *leaves { return &leaves{secret: secret} }

// add appends the next entry of the segment.
func (l *leaves) add(e *auditlog.Entry) error {
	line, err := l.canonical(e)
	if err != nil {
		return err
	}

	return l.tree.add(append(entrySalt(l.secret, l.N), line...))
}

// rootText is the root as manifests have it.
func (l *leaves) rootText() (string, error) {
	root, err := l.root()

	return hex.EncodeToString(root[:]), err
}

// check makes sure that the entries of a segment have the root that its manifest says.
func (l *leaves) check(s *Segment, sequence int64) error {
	if root, err := l.rootText(); err != nil || root != s.EntriesRoot {
		return &Problem{FindingAltered, s.Key, sequence, "its entries do not have the root that " + manifestName(sequence) +
			" says"}
	}

	return nil
}

// canonical is the line of an entry as an NDJSON export has it, without its end. A
// record as it came keeps its white space in some formats and not in others, so here
// it has none.
func (l *leaves) canonical(e *auditlog.Entry) ([]byte, error) {
	if l.lines == nil {
		var err error
		if l.lines, err = format.NewEncoder(&l.line, format.NDJSON, nil,
			format.EncoderOptions{Compression: format.Uncompressed}); err != nil {
			return nil, err
		}
	}

	one := *e

	if len(e.Raw) > 0 {
		var raw bytes.Buffer
		if json.Compact(&raw, e.Raw) == nil {
			one.Raw = raw.Bytes()
		}
	}

	l.line.Reset()

	err := l.lines.Encode(&one)

	return bytes.TrimSuffix(l.line.Bytes(), []byte("\n")), err
}

// entrySalt is what stands before an entry in its leaf, so that nobody who sees the
// hash can test guesses of what the entry says.
func entrySalt(secret []byte, n int64) []byte {
	h := hmac.New(sha256.New, secret)
	_ = binary.Write(h, binary.BigEndian, n) // It never fails.

	return h.Sum(nil)
}
