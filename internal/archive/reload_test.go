// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// rolledBack is a store that puts an older state back when a certain checkpoint is created, and says that somebody was
// faster.
type rolledBack struct {
	*memory

	at     string
	before map[string][]byte
	// signed are the checkpoints that were created, by their keys.
	signed map[string][]string
}

func (r *rolledBack) Create(ctx context.Context, key string, data []byte) error {
	if key == r.at {
		r.at = ""
		r.objects = maps.Clone(r.before)

		return durable.ErrExists
	}

	if strings.HasPrefix(key, "checkpoints/") {
		r.signed[key] = append(r.signed[key], string(data))
	}

	return r.memory.Create(ctx, key, data)
}

// TestARollbackDuringARun: whoever can write puts an older state back while a run is under way and lets it believe that
// another one was faster. The run does not sign another history of what it has signed a moment ago.
func TestARollbackDuringARun(t *testing.T) {
	t.Parallel()

	for name, empty := range map[string]bool{"to what is remembered": false, "to nothing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, auditlog.ServiceUpCloud, 1)
			signer, verifier := newKey(t, "example.com/audit")
			store := &rolledBack{memory: newMemory(), signed: map[string][]string{}}
			o := w.options(store)
			o.Signer, o.Verifiers = signer, []note.Verifier{verifier}

			day := func() {
				w.now = w.now.Add(24 * time.Hour)
				w.happen(5, w.now.Add(-12*time.Hour))
			}

			day()
			o.Known = remembered(t, w.mustApply(o))

			if !empty {
				store.before = maps.Clone(store.objects)
			}

			for range 4 {
				day()
			}

			store.at = "checkpoints/00000004"

			if _, err := w.apply(o); !errors.Is(err, archive.ErrBroken) {
				t.Errorf("the error is %v", err)
			}

			for key, all := range store.signed {
				if len(all) > 1 {
					t.Errorf("%d different checkpoints are signed of %s", len(all), key)
				}
			}
		})
	}
}

// neverFirst is a store that says of every checkpoint that it exists already, and has none.
type neverFirst struct{ *memory }

func (s neverFirst) Create(ctx context.Context, key string, data []byte) error {
	if strings.HasPrefix(key, "checkpoints/") {
		return durable.ErrExists
	}

	return s.memory.Create(ctx, key, data)
}

// TestABeginningThatIsAlwaysLost: a server refuses the first checkpoint as one that exists, and says that it does not.
func TestABeginningThatIsAlwaysLost(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	w.now = w.now.Add(24 * time.Hour)
	w.happen(1, w.now.Add(-12*time.Hour))

	if _, err := w.apply(w.options(neverFirst{newMemory()})); !errors.Is(err, archive.ErrLost) {
		t.Errorf("the error is %v", err)
	}
}
