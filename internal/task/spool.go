// SPDX-License-Identifier: MPL-2.0

package task

import (
	"errors"
	"iter"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// spool keeps what a page shows of the entries of one reading in a temporary file, so that what is made of
// them in several passes is made of the same entries.
type spool struct {
	file    *durable.Spool
	encoder format.Encoder
}

// spoolColumns are the fields that are kept: those that a page shows, and those that no entry lacks. The record as the
// cloud writes it is half of an entry's bytes, and rules have looked at it by then.
func spoolColumns() []string {
	var columns []string

	for _, f := range auditlog.Fields() {
		if f.Required || slices.Contains(format.HTMLColumns(), f.Name) {
			columns = append(columns, f.Name)
		}
	}

	return columns
}

func newSpool() (*spool, error) {
	file, err := durable.NewSpool()
	if err != nil {
		return nil, err
	}

	// Compression costs more than it saves here: the file lives for seconds.
	encoder, err := format.NewEncoder(file, format.NDJSON, spoolColumns(), format.EncoderOptions{})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}

	return &spool{file, encoder}, nil
}

func (s *spool) add(e *auditlog.Entry) error { return s.encoder.Encode(e) }

// done ends the writing, after which entries may be read.
func (s *spool) done() error { return s.encoder.Close() }

// entries yields them from the first to the last, as often as they are asked for.
func (s *spool) entries() iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		size, err := s.file.Size()
		if err != nil {
			yield(auditlog.Entry{}, err)

			return
		}

		o := format.DecoderOptions{Columns: spoolColumns()}

		for e, err := range format.Decode(s.file, size, format.NDJSON, o) {
			if !yield(e, err) {
				return
			}
		}
	}
}

func (s *spool) close() error { return s.file.Close() }
