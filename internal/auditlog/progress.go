// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"context"
	"sync/atomic"
)

// Progress is how far a reading has come, for whoever waits for it. It decides nothing: records that are read twice
// count twice. A nil one counts nothing.
type Progress struct{ rows, total atomic.Int64 }

type progressKey struct{}

// WithProgress has the readings of a context counted.
func WithProgress(ctx context.Context, p *Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

// ProgressOf returns what counts the readings of a context, nil where nothing does.
func ProgressOf(ctx context.Context) *Progress {
	if p, ok := ctx.Value(progressKey{}).(*Progress); ok {
		return p
	}

	return nil
}

// Read counts records that have come.
func (p *Progress) Read(rows int) {
	if p != nil {
		p.rows.Add(int64(rows))
	}
}

// ReadOf is Read, and says where that is not known yet how many records there are in all.
func (p *Progress) ReadOf(rows int, total int64) {
	if p != nil {
		p.total.CompareAndSwap(0, total)
		p.Read(rows)
	}
}

// Expect says how many more will come, where a service tells.
func (p *Progress) Expect(rows int64) {
	if p != nil {
		p.total.Add(rows)
	}
}

// Rows are how many records have come, and out of how many: 0 where nobody knows, or where more have come.
func (p *Progress) Rows() (read, total int64) {
	read, total = p.rows.Load(), p.total.Load()
	if read > total {
		total = 0
	}

	return read, total
}
