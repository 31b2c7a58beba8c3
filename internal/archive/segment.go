// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"iter"
	"time"

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
	newest  time.Time

	described Segment
}

func newSegment(day time.Time, format export.Format, compression export.Compression) (*segment, error) {
	s := &segment{day: day, described: Segment{Format: format, Compression: compression}}

	var err error
	s.encoder, err = export.NewEncoder(&s.data, format, nil, export.EncoderOptions{Compression: compression})

	return s, err
}

func (s *segment) add(e *auditlog.Entry) error {
	ref := EntryRef{ID: e.ID, Time: auditlog.FormatTime(e.Time)}

	if s.count == 0 || before(ref, s.described.First) {
		s.described.First = ref
	}

	if s.count == 0 || before(s.described.Last, ref) {
		s.described.Last = ref
	}

	if e.Time.After(s.newest) {
		s.newest = e.Time
	}

	s.count++

	return s.encoder.Encode(e)
}

// before compares times as text, which the layout allows, ties by id.
func before(a, b EntryRef) bool {
	return a.Time < b.Time || (a.Time == b.Time && a.ID < b.ID)
}

// close ends the file and describes it.
func (s *segment) close() (Segment, error) {
	if err := s.encoder.Close(); err != nil {
		return Segment{}, err
	}

	s.described.Bytes = int64(s.data.Len())
	s.described.SHA256 = sum(s.data.Bytes())
	s.described.EntryCount = s.count

	return s.described, nil
}

// decodeSegment reads a segment's entries back.
func decodeSegment(data []byte, s Segment) iter.Seq2[auditlog.Entry, error] {
	return export.Decode(bytes.NewReader(data), int64(len(data)), s.Format, export.DecoderOptions{Compression: s.Compression})
}
