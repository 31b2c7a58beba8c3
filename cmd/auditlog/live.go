// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
)

// live shows entries to whoever watches a terminal: a line each, with who did what, when and from where.
type live struct {
	to      io.Writer
	columns []column
	times   *time.Location
	colours bool
}

func newLive(env environment, info auditlog.Info, times *time.Location) *live {
	return &live{to: env.data, columns: usualColumns(info, fileWidth), times: times, colours: env.colours()}
}

// Take implements sink.Sink.
func (l *live) Take(_ context.Context, entries []auditlog.Entry) error {
	var out bytes.Buffer

	for i := range entries {
		e := &entries[i]

		for j, c := range l.columns {
			cell := shown(c.text(e, l.times))
			if cell == "" {
				continue
			}

			if l.colours && c.title == "action" {
				cell = colourOf(e.Operation).Sprint(cell)
			}

			if j > 0 {
				out.WriteString("  ")
			}

			out.WriteString(cell)
		}

		out.WriteByte('\n')
	}

	if _, err := l.to.Write(out.Bytes()); err != nil {
		return &sink.Error{Place: "standard output", Err: err}
	}

	return nil
}

// Close implements sink.Sink.
func (*live) Close() error { return nil }
