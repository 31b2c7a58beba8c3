// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// TestLosersLeaveNothing: a run that sleeps before any of its changes, while another one
// archives what has come since, leaves nothing of its own segment.
func TestLosersLeaveNothing(t *testing.T) {
	t.Parallel()

	for at := 1; ; at++ {
		w := newWorld(t, auditlog.ServiceUpCloud, 1)
		store := newMemory()
		w.happen(5, begin.Add(-50*time.Hour))
		w.mustApply(w.options(store))

		w.now = w.now.Add(12 * time.Hour)
		w.happen(5, w.now.Add(-time.Hour))

		paused := &pausing{Store: store, at: at, meanwhile: func() {
			w.now = w.now.Add(time.Hour)
			w.happen(3, w.now.Add(-30*time.Minute))
			w.mustApply(w.options(store))
		}}

		r := w.mustApply(w.options(paused))
		checkVerifies(t, store, archive.VerifyOptions{Since: remembered(t, r)})

		if paused.changes < at {
			return
		}
	}
}

// overtaken is a store in which others archive something before the n-th reading.
type overtaken struct {
	*memory

	at        int64
	reads     atomic.Int64
	meanwhile func()
}

func (o *overtaken) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	if o.reads.Add(1) == o.at {
		o.meanwhile()
	}

	return o.memory.Read(ctx, key, limit)
}

// TestReadersAreOvertaken: whoever opens an archive while others append to it finds it
// whole, at whatever step.
func TestReadersAreOvertaken(t *testing.T) {
	t.Parallel()

	for at := int64(1); at < 12; at++ {
		f := built(t, format.NDJSON, format.Uncompressed)
		grow := func() {
			for range 3 {
				f.w.happen(4, f.w.now.Add(time.Hour))
				f.w.now = f.w.now.Add(24 * time.Hour)

				o := f.w.options(f.store)
				o.Signer = f.signer
				f.w.mustApply(o)
			}
		}

		store := &overtaken{memory: f.store, at: at, meanwhile: grow}
		if _, err := archive.Open(t.Context(), f.w.options(store)); err != nil {
			t.Errorf("open, before step %d: %v", at, err)
		}

		store = &overtaken{memory: f.store, at: at, meanwhile: grow}
		if _, err := archive.OpenReader(t.Context(), store,
			archive.ReaderOptions{InfoOf: infoOf(f.w.service.Info())}); err != nil {
			t.Errorf("read, before step %d: %v", at, err)
		}

		store = &overtaken{memory: f.store, at: at, meanwhile: grow}
		checkVerifies(t, store, archive.VerifyOptions{})

		store = &overtaken{memory: f.store, at: at, meanwhile: grow}
		if _, err := archive.Prove(t.Context(), store, nil, "no such entry"); !errors.Is(err, archive.ErrNoEntry) {
			t.Errorf("prove, before step %d: %v", at, err)
		}
	}
}
