// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// segment is a file of one day's entries in the making. It is held in memory:
// its name holds its hash, and it is written with one request or not at all.
type segment struct {
	day     time.Time
	data    bytes.Buffer
	encoder export.Encoder
	count   int64
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

func newSegment(day time.Time, format export.Format, compression export.Compression) (*segment, error) {
	secret := newSecret()
	s := &segment{
		day: day, described: Segment{Format: format, Compression: compression},
		supplement: Supplement{Secret: secret}, leaves: newLeaves(secret),
	}

	var err error
	s.encoder, err = export.NewEncoder(&s.data, format, nil, export.EncoderOptions{Compression: compression})

	return s, err
}

func (s *segment) add(e *auditlog.Entry) error {
	ref := EntryRef{ID: e.ID, Time: auditlog.FormatTime(e.Time)}

	if s.count == 0 || before(ref, *s.supplement.First) {
		s.supplement.First, s.oldest = &ref, e.Time
	}

	if s.count == 0 || before(*s.supplement.Last, ref) {
		s.supplement.Last, s.newest = &ref, e.Time
	}

	s.count++

	if err := s.leaves.add(e); err != nil {
		return err
	}

	return s.encoder.Encode(e)
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

	root, err := s.leaves.root()
	if err != nil {
		return Segment{}, err
	}

	s.described.Object = objectOf("", s.data.Bytes())
	s.described.EntryCount, s.described.EntriesRoot = s.count, hex.EncodeToString(root[:])
	s.described.From = s.oldest.UTC().Truncate(time.Minute)
	s.described.Until = s.newest.UTC().Truncate(time.Minute).Add(time.Minute)

	return s.described, nil
}

// holds says whether an entry of that time can be in the segment.
func (s *Segment) holds(t time.Time) bool { return !t.Before(s.From) && t.Before(s.Until) }

// decodeSegment reads a segment's entries back.
func decodeSegment(data []byte, s *Segment) iter.Seq2[auditlog.Entry, error] {
	return export.Decode(bytes.NewReader(data), int64(len(data)), s.Format, export.DecoderOptions{Compression: s.Compression})
}

// leaves are the hashes of a segment's entries, of which a Merkle tree is made as RFC
// 6962 has it.
type leaves struct {
	secret []byte
	hashes storedHashes
	n      int64
	line   bytes.Buffer
	lines  export.Encoder
}

func newLeaves(secret []byte) *leaves { return &leaves{secret: secret} }

// add appends the next entry of the segment.
func (l *leaves) add(e *auditlog.Entry) error {
	line, err := l.canonical(e)
	if err != nil {
		return err
	}

	hashes, err := tlog.StoredHashes(l.n, append(entrySalt(l.secret, l.n), line...), &l.hashes)
	if err != nil {
		return fmt.Errorf("hash an entry: %w", err)
	}

	l.hashes = append(l.hashes, hashes...)
	l.n++

	return nil
}

// canonical is the line of an entry as an NDJSON export has it, without its end. A
// record as it came keeps its white space in some formats and not in others, so here
// it has none.
func (l *leaves) canonical(e *auditlog.Entry) ([]byte, error) {
	if l.lines == nil {
		var err error
		if l.lines, err = export.NewEncoder(&l.line, export.FormatNDJSON, nil, export.EncoderOptions{Compression: export.CompressionNone}); err != nil {
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

func (l *leaves) root() (tlog.Hash, error) {
	root, err := tlog.TreeHash(l.n, &l.hashes)
	if err != nil {
		return root, fmt.Errorf("hash the entries: %w", err)
	}

	return root, nil
}

// entrySalt is what stands before an entry in its leaf, so that nobody who sees the
// hash can test guesses of what the entry says.
func entrySalt(secret []byte, n int64) []byte {
	h := hmac.New(sha256.New, secret)
	_ = binary.Write(h, binary.BigEndian, n) // It never fails.

	return h.Sum(nil)
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
