// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// locking is a store that protects what it holds in one way.
type locking struct {
	*memory

	durable.Protection
}

func (l locking) ReadProtected(ctx context.Context, key string, limit int64) ([]byte, durable.Protection, error) {
	data, err := l.Read(ctx, key, limit)

	return data, l.Protection, err
}

// TestLocksAreInsistedOn asks buckets for object lock that do or do not grant it.
func TestLocksAreInsistedOn(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		mode    string
		days    int
		granted bool
	}{
		"as asked":        {durable.Governance, 30, true},
		"more than asked": {durable.Compliance, 400, true},
		"for less time":   {durable.Governance, 20, false},
		"not at all":      {"", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, auditlog.ServiceUpCloud, 9)
			w.happen(3, w.now.Add(-time.Hour))

			store := locking{newMemory(), durable.Protection{Mode: c.mode, Until: w.now.AddDate(0, 0, c.days)}}
			o := w.options(store)
			o.Lock = &durable.ObjectLock{Mode: durable.Governance, Days: 30}

			_, err := w.apply(o)
			if c.granted != (err == nil) || !c.granted && !errors.Is(err, archive.ErrUnlocked) {
				t.Errorf("the error is %v", err)
			}

			if _, begun := store.objects["checkpoints/00000000"]; begun != c.granted {
				t.Error("an archive that is not protected was begun, or the other was not")
			}
		})
	}
}

// TestProtectionIsReported has a verifier say what protects which objects, and until when.
func TestProtectionIsReported(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 9)
	w.happen(3, w.now.Add(-time.Hour))

	store := newMemory()
	w.mustApply(w.options(store))

	objects := len(store.objects)
	until := w.now.AddDate(1, 0, 0)

	for _, c := range []struct {
		durable.Protection

		now         time.Time
		mode, until string
	}{
		{durable.Protection{}, w.now, archive.Unprotected, ""},
		{durable.Protection{Mode: durable.ReadOnly}, w.now, durable.ReadOnly, ""},
		{durable.Protection{Mode: durable.Compliance, Until: until}, w.now, durable.Compliance, auditlog.FormatTime(until)},
		{durable.Protection{Mode: durable.Compliance, Until: until}, until, archive.Unprotected, ""},
		{durable.Protection{Mode: durable.Governance, Until: until, LegalHold: true}, until, "legal-hold", ""},
	} {
		r := checkVerifies(t, locking{store, c.Protection}, archive.VerifyOptions{Now: c.now})
		if len(r.Protection) != 1 || r.Protection[0].Mode != c.mode || r.Protection[0].Until != c.until ||
			len(r.Protection[0].Objects) != objects {
			t.Errorf("%+v is reported as %+v", c, r.Protection)
		}
	}
}
