// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestKeysChange changes the key of an archive: a checkpoint that both have signed hands
// over from the one to the other.
func TestKeysChange(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 7)
	store := newMemory()
	oldSigner, oldKey := newKey(t, "example.com/old")
	newSigner, newVerifier := newKey(t, "example.com/new")

	run := func(entries int, o archive.Options) (archive.Result, error) {
		w.now = w.now.Add(time.Hour)
		w.happen(entries, w.now.Add(-10*time.Minute))

		return w.apply(o)
	}
	by := func(signer, previous note.Signer, verifiers ...note.Verifier) archive.Options {
		o := w.options(store)
		o.Signer, o.PreviousSigner, o.Verifiers = signer, previous, verifiers

		return o
	}
	verify := func(keys ...note.Verifier) *archive.Report {
		r, err := archive.Verify(t.Context(), store, archive.VerifyOptions{Verifiers: keys})
		if err != nil {
			t.Fatal(err)
		}

		return r
	}

	for range 2 {
		if _, err := run(2, by(oldSigner, nil, oldKey)); err != nil {
			t.Fatal(err)
		}
	}

	before := maps.Clone(store.objects)

	// The new key alone is refused.
	if _, err := run(2, by(newSigner, nil, newVerifier)); !errors.Is(err, archive.ErrSignature) {
		t.Fatalf("the error is %v", err)
	}

	// So is a key that is only said to be the one of before.
	otherSigner, otherKey := newKey(t, "example.com/old")
	if _, err := run(2, by(newSigner, otherSigner, newVerifier, otherKey)); !errors.Is(err, archive.ErrSignature) {
		t.Fatalf("the error is %v", err)
	}

	// The change takes effect where nothing is new as well.
	if _, err := run(0, by(oldSigner, nil, oldKey)); err != nil {
		t.Fatal(err)
	}

	size := w.mustApply(by(oldSigner, nil, oldKey)).Head.Sequence

	result := w.mustApply(by(newSigner, oldSigner, newVerifier, oldKey))
	if result.Head.Sequence != size+1 || result.Added != 0 || strings.Count(result.Checkpoint, "— example.com/") != 2 {
		t.Fatalf("the result is %+v", result)
	}

	// Once is enough.
	if again := w.mustApply(by(newSigner, oldSigner, newVerifier, oldKey)); again.Head != result.Head {
		t.Errorf("the result is %+v", again)
	}

	for range 2 {
		if _, err := run(2, by(newSigner, nil, newVerifier)); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := run(2, by(oldSigner, nil, oldKey)); !errors.Is(err, archive.ErrSignature) {
		t.Errorf("the error of a run with the old key is %v", err)
	}

	if r := verify(oldKey, newVerifier); !r.Valid || r.SignedBy != "example.com/new" {
		t.Errorf("the report is %+v", r)
	}

	// Either key alone has not signed everything.
	for _, key := range []note.Verifier{oldKey, newVerifier} {
		if r := verify(key); r.Valid {
			t.Errorf("%s is taken for the key of all", key.Name())
		}
	}

	// Readers need the key that signs now.
	if _, err := archive.OpenReader(t.Context(), store,
		archive.ReaderOptions{Verifiers: []note.Verifier{newVerifier}, InfoOf: infoOf(w.service.Info())}); err != nil {
		t.Error(err)
	}

	// A change that no checkpoint hands over is a finding, be it signed by a key that is
	// trusted: whoever has stolen the new one could have written it.
	store.objects = before

	if _, err := run(2, by(newSigner, nil)); err != nil {
		t.Fatal(err)
	}

	if r := verify(oldKey, newVerifier); r.Valid || r.Problems[0].Finding != archive.FindingSignature ||
		!strings.Contains(r.Problems[0].Detail, "hand over") {
		t.Errorf("the report is %+v", r)
	}
}

// TestCrashWhileKeysChange is killed at every step of the run that both keys sign, and goes
// on with the new key alone once there is a checkpoint that both have signed.
func TestCrashWhileKeysChange(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 8)
	store := newMemory()
	oldSigner, oldKey := newKey(t, "example.com/old")
	newSigner, newVerifier := newKey(t, "example.com/new")

	w.happen(3, w.now.Add(-time.Hour))

	o := w.options(store)
	o.Signer, o.Verifiers = oldSigner, []note.Verifier{oldKey}
	w.mustApply(o)

	w.now = w.now.Add(time.Hour)
	w.happen(3, w.now.Add(-10*time.Minute))

	before := maps.Clone(store.objects)

	for at := 1; ; at++ {
		store.objects = maps.Clone(before)
		o.Store, o.Signer, o.PreviousSigner, o.Verifiers = &crashing{Store: store, at: at}, newSigner, oldSigner,
			[]note.Verifier{newVerifier, oldKey}

		if _, err := w.apply(o); err == nil {
			break
		}

		o.Store = store
		if store.objects["checkpoints/00000002"] != nil {
			o.PreviousSigner, o.Verifiers = nil, []note.Verifier{newVerifier}
		}

		w.mustApply(o)

		if r := checkVerifies(t, store,
			archive.VerifyOptions{Verifiers: []note.Verifier{oldKey, newVerifier}}); r.EntryCount != 6 {
			t.Errorf("there are %d entries", r.EntryCount)
		}
	}
}
