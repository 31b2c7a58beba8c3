// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// reportOf verifies.
func reportOf(t *testing.T, store durable.Store, o archive.VerifyOptions) *archive.Report {
	t.Helper()

	r, err := archive.Verify(t.Context(), store, o)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}

	return r
}

func problemsOf(r *archive.Report) string {
	var all []string
	for _, p := range r.Problems {
		all = append(all, fmt.Sprintf("%s %s: %s", p.Finding, p.Key, p.Detail))
	}

	return strings.Join(all, "\n")
}

// TestTheStartHasNanoseconds: the provider's default start is now minus the retention, and a real clock shows
// nanoseconds. The checkpoint without manifests keeps microseconds of them, the first manifest all.
func TestTheStartHasNanoseconds(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.happen(3, w.now.Add(-time.Hour))

	o := w.options(store)
	o.Start = w.now.Add(123_456_789).AddDate(0, 0, -30)
	w.mustApply(o)

	if r := reportOf(t, store, archive.VerifyOptions{}); !r.Valid {
		t.Errorf("an archive that nobody has touched:\n%s", problemsOf(r))
	}
}

// TestTheFirstEntriesComeWithALaterSettleDelay: an archive that began without entries, and whose settle_delay is
// raised (or of which another runner has another one) before there are any.
func TestAnotherSettleDelayAfterAnEmptyBeginning(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.mustApply(w.options(store)) // Nothing yet; one minute of delay.

	w.happen(3, w.now.Add(-12*time.Minute)) // They come late.
	w.now = w.now.Add(5 * time.Minute)

	o := w.options(store)
	o.SettleDelay = 10 * time.Minute
	if r := w.mustApply(o); r.Added != 3 {
		t.Fatalf("%+v", r)
	}

	if r := reportOf(t, store, archive.VerifyOptions{}); !r.Valid {
		t.Errorf("an archive that nobody has touched:\n%s", problemsOf(r))
	}
}

// TestClocksDifferAfterAnEmptyBeginning is the same where the machines of the service differ by seconds.
func TestClocksDifferAfterAnEmptyBeginning(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.mustApply(w.options(store))

	w.happen(3, w.now.Add(-2*time.Minute))
	w.now, w.ahead = w.now.Add(20*time.Second), -50*time.Second

	if r := w.mustApply(w.options(store)); r.Added != 3 {
		t.Fatalf("%+v", r)
	}

	if r := reportOf(t, store, archive.VerifyOptions{}); !r.Valid {
		t.Errorf("an archive that nobody has touched:\n%s", problemsOf(r))
	}
}

// TestTilesBeyondCounting: names of tiles whose number times 256 does not fit into 64 bits.
func TestTilesBeyondCounting(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	options := archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}, Head: &f.head}

	first := manifestsOf(t, f.store)[0]
	bundle := append([]byte{byte(len(first) >> 8), byte(len(first))}, first...)

	for name, n := range map[string]string{
		"2^56": "x072/x057/x594/x037/x927/936",
		"2^55": "x036/x028/x797/x018/x963/968",
	} {
		for _, prefix := range []string{"tile/entries/", "tile/0/", "tile/1/"} {
			store := f.store.copied()
			key := prefix + n + ".p/1"
			store.objects[key] = bundle

			r, panicked := func() (r *archive.Report, p any) {
				defer func() { p = recover() }()

				r, err := archive.Verify(t.Context(), store, options)
				if err != nil {
					t.Errorf("%s, %s: nothing is verified: %v", name, key, err)
				}

				return r, nil
			}()

			switch {
			case panicked != nil:
				t.Errorf("%s, %s: verify panics: %v", name, key, panicked)
			case r != nil && r.Valid:
				t.Errorf("%s, %s: OK with an object that the log does not lead to", name, key)
			}
		}
	}
}

// TestARunWithoutAKeyLosesTheBeginning: of two first runs, one has a key and the other none. The other one opens
// the empty place, loses, and goes on in the signed archive without signing.
func TestARunWithoutAKeyLosesTheBeginning(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	signer, verifier := newKey(t, "example.com/audit")
	w.happen(3, w.now.Add(-time.Hour))

	signed := w.options(store)
	signed.Signer, signed.Verifiers = signer, []note.Verifier{verifier}

	without, err := archive.Open(t.Context(), w.options(store))
	if err != nil {
		t.Fatal(err)
	}

	w.mustApply(signed)

	w.now = w.now.Add(time.Hour)
	w.happen(3, w.now.Add(-10*time.Minute))

	_, err = without.Append(t.Context())
	if !errors.Is(err, archive.ErrNoKey) {
		t.Errorf("a run without a key appends to a signed archive: %v", err)
	}

	if r := reportOf(t, store, archive.VerifyOptions{Verifiers: []note.Verifier{verifier}}); !r.Valid {
		t.Errorf("the archive is broken for good:\n%s", problemsOf(r))
	}

	if _, err := w.apply(signed); err != nil {
		t.Errorf("and the run with the key can no longer go on: %v", err)
	}
}

// TestTheRememberedBeginning: the state remembers the checkpoint of an archive without manifests. Whoever can
// write makes it begin later, and nobody notices that what is remembered is another one.
func TestTheRememberedBeginning(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()

	known := remembered(t, w.mustApply(w.options(store)))

	w.now = w.now.Add(2 * time.Hour)
	w.happen(3, w.now.Add(-90*time.Minute)) // What is to stay hidden.

	text := string(store.objects["checkpoints/00000000"])
	before, _, _ := strings.Cut(text, "covered ")
	moved := before + "covered " + auditlog.FormatTime(w.now.Add(-time.Hour)) + " " +
		auditlog.FormatTime(w.now.Add(-time.Hour)) + "\n"
	store.objects["checkpoints/00000000"], store.objects["checkpoint"] = []byte(moved), []byte(moved)

	if r := reportOf(t, store, archive.VerifyOptions{Since: known}); r.Valid {
		t.Error("verify --since finds nothing, although the checkpoint that is remembered was changed")
	}

	o := w.options(store)
	o.Known, o.CoveredUntil = known, known.Covered.End

	if r, err := w.apply(o); err == nil {
		t.Errorf("the run goes on from what was changed: it archived %d of 3 entries", r.Added)
	}

	if r := reportOf(t, store, archive.VerifyOptions{Since: known}); r.Valid {
		t.Error("verify --since finds nothing afterwards")
	}
}

// TestSignaturesOfNobody: whoever can write puts lines below the signatures of checkpoints and of the copy. They
// are in no way accounted for, and a run spreads them.
func TestSignaturesOfNobody(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	options := archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}, Head: &f.head}

	for _, key := range []string{"checkpoint", "checkpoints/00000003", "checkpoints/00000006"} {
		store := f.store.copied()
		store.objects[key] = append(slices.Clone(store.objects[key]), "— approved.by/the.auditor AAAAAAAAAAAAAAAA\n"...)

		if r := reportOf(t, store, options); r.Valid {
			t.Errorf("%s was changed, is no copy of any other object, and verify says OK", key)
		}
	}
}

// pausedThenKilled lets a run pause before its n-th change, others go on, and the run be killed some changes later.
type pausedThenKilled struct {
	*memory

	pause, kill, changes int
	meanwhile            func()
}

func (k *pausedThenKilled) change() error {
	if k.changes++; k.changes == k.pause {
		k.meanwhile()
	}

	if k.changes >= k.kill {
		return errCrash
	}

	return nil
}

// TestNothingButSignaturesIsBelowACheckpoint: whoever can write leaves something else there. Who has no key refuses it
// like who has one, and could not read any signature.
func TestNothingButSignaturesIsBelowACheckpoint(t *testing.T) {
	t.Parallel()

	many := strings.Repeat("— nobody.example "+base64.StdEncoding.EncodeToString(make([]byte, 4+8+64))+"\n", 200)

	for name, junk := range map[string]string{
		"a text": "Verdict OK\n", "an escape": "\x1b[2J\n", "a line without an end": "x", "a second block": "\nmore\n",
		"no UTF-8": "\xff\n", "more lines than a note has": many,
	} {
		w := newWorld(t, auditlog.ServiceUpCloud, 1)
		signer, verifier := newKey(t, "example.com/audit")
		store := newMemory()
		o := w.options(store)
		o.Signer, o.Verifiers = signer, []note.Verifier{verifier}

		w.now = w.now.Add(24 * time.Hour)
		w.happen(5, w.now.Add(-12*time.Hour))
		w.mustApply(o)

		store.objects["checkpoints/00000001"] = append(store.objects["checkpoints/00000001"], junk...)

		for _, verifiers := range [][]note.Verifier{nil, {verifier}} {
			if r := reportOf(t, store, archive.VerifyOptions{Verifiers: verifiers}); r.Valid {
				t.Errorf("%s: who has %d keys finds nothing", name, len(verifiers))
			}

			if _, err := archive.OpenReader(t.Context(), store, archive.ReaderOptions{Verifiers: verifiers}); !errors.Is(err,
				archive.ErrBroken) && !errors.Is(err, archive.ErrSignature) {
				t.Errorf("%s: who reads with %d keys: %v", name, len(verifiers), err)
			}
		}
	}
}

// TestKilledAfterAPause: a run that pauses at any step while others archive, and is killed at any later step,
// leaves nothing but what is unfinished, and what later runs remove.
func TestKilledAfterAPause(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this")
	}

	for _, others := range []int{1, 25} {
		seen := map[string]bool{}

		for pause := 1; pause <= 4; pause++ {
			for kill := pause + 1; kill <= pause+4; kill++ {
				w := newWorld(t, auditlog.ServiceUpCloud, 1)
				store := newMemory()
				w.happen(5, begin.Add(-50*time.Hour))
				w.mustApply(w.options(store))

				w.now = w.now.Add(12 * time.Hour)
				w.happen(5, w.now.Add(-time.Hour))

				more := func(n int) {
					for range n {
						w.now = w.now.Add(time.Hour)
						w.happen(3, w.now.Add(-30*time.Minute))
						w.mustApply(w.options(store))
					}
				}

				killed := &pausedStore{pausedThenKilled{
					memory: store, pause: pause, kill: kill,
					meanwhile: func() { more(others) },
				}}
				if _, err := w.apply(w.options(killed)); !errors.Is(err, errCrash) {
					continue
				}

				more(3) // Whatever can be removed is by now.

				r := reportOf(t, store, archive.VerifyOptions{})
				for _, p := range r.Problems {
					if what := fmt.Sprintf("%s %s", p.Finding, strings.Split(p.Key, "/")[0]); p.Finding != archive.FindingUnfinished &&
						!seen[what] {
						seen[what] = true
						t.Errorf("paused before change %d while others archive %d times, killed before change %d, and three runs later: %s %s", pause, others, kill, p.Finding, p.Key)
					}
				}
			}
		}
	}
}

// TestStateAheadOfTheLog: a refresh when clocks were a day ahead has moved covered_until in the state alone.
// Nothing that happens until then is ever archived, and no run says so.
func TestStateAheadOfTheLog(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		w := newWorldOf(t, service, 1, fakeapi.Options{}, 0)
		store := newMemory()
		w.happen(3, w.now.Add(-time.Hour))
		w.mustApply(w.options(store))

		// The clocks of runner and service are a day ahead.
		w.now = begin.Add(24 * time.Hour)

		a, err := archive.Open(t.Context(), w.options(store))
		if err != nil {
			t.Fatal(err)
		}

		p, err := a.Pending(t.Context(), 100)
		if err != nil || p.Count != 0 {
			t.Fatalf("%+v, %v", p, err)
		}

		// They are put right, and something happens.
		w.now = begin.Add(3 * time.Hour)
		w.happen(3, begin.Add(2*time.Hour))

		o := w.options(store)
		o.CoveredUntil = p.CoveredUntil

		r, err := w.apply(o)
		if err != nil {
			continue // It refuses, as it does where the archive says so.
		}

		if r.Added == 0 {
			t.Errorf("%s: 3 entries have happened, none is archived, there is no error, and the archive is said to cover until %s", service, r.CoveredUntil)
		}

		w.now = begin.Add(26 * time.Hour)
		o = w.options(store)
		o.CoveredUntil = r.CoveredUntil
		w.mustApply(o)

		if n := len(archived(t, store)); n < 6 && service == auditlog.ServiceUpCloud {
			t.Errorf("%s: %d of 6 entries are archived in the end", service, n)
		}
	}
}

// pausedStore is the store of a run that pauses and is killed.
type pausedStore struct{ pausedThenKilled }

func (k *pausedStore) Create(ctx context.Context, key string, data []byte) error {
	if err := k.change(); err != nil {
		return err
	}

	return k.memory.Create(ctx, key, data)
}

func (k *pausedStore) Replace(ctx context.Context, key string, data []byte) error {
	if err := k.change(); err != nil {
		return err
	}

	return k.memory.Replace(ctx, key, data)
}

func (k *pausedStore) Delete(ctx context.Context, key string) error {
	if err := k.change(); err != nil {
		return err
	}

	return k.memory.Delete(ctx, key)
}

// TestAnotherVersionAfterAnEmptyBeginning: an archive that was begun, without entries, by a version whose
// README.txt had another text. The first manifest says what this version would have written, not what is there.
func TestAnotherVersionAfterAnEmptyBeginning(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.mustApply(w.options(store))

	store.objects["README.txt"] = append(store.objects["README.txt"], "One line more.\n"...)

	w.now = w.now.Add(time.Hour)
	w.happen(3, w.now.Add(-10*time.Minute))

	if _, err := w.apply(w.options(store)); err != nil {
		return // That would be said before it is too late.
	}

	if r := reportOf(t, store, archive.VerifyOptions{}); !r.Valid {
		t.Errorf("it cannot be put right any more:\n%s", problemsOf(r))
	}
}

// TestTheBeginningMovesToADirectory: an archive that was begun, without entries, in a bucket, and was copied to a
// directory, or the other way round.
func TestTheBeginningMovesToADirectory(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.mustApply(w.options(store))

	dir, err := durable.OpenStore(t.Context(), directoryOf(t, store), durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	w.now = w.now.Add(time.Hour)
	w.happen(3, w.now.Add(-10*time.Minute))

	if _, err := w.apply(w.options(dir)); err != nil {
		return
	}

	if r := reportOf(t, dir, archive.VerifyOptions{}); !r.Valid {
		t.Errorf("it cannot be put right any more:\n%s", problemsOf(r))
	}
}

// TestAnotherOriginUnderTheSameHead: the guide says that a head says which archive it is, too, and that nothing up
// to it changes unseen. In an unsigned archive every checkpoint is given another name.
func TestAnotherOriginUnderTheSameHead(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()

	var result archive.Result

	for range 3 {
		w.now = w.now.Add(time.Hour)
		w.happen(2, w.now.Add(-10*time.Minute))
		result = w.mustApply(w.options(store))
	}

	origin := remembered(t, result).Origin
	for key, data := range store.objects {
		if strings.HasPrefix(key, "checkpoint") {
			store.objects[key] = []byte(strings.Replace(string(data), origin, "auditlogs.audit/upcloud/0123456789abcdef", 1))
		}
	}

	r := reportOf(t, store, archive.VerifyOptions{Head: &result.Head})
	if r.Valid && !slices.ContainsFunc(r.NotChecked, func(s string) bool { return strings.Contains(s, "origin") }) {
		t.Errorf("every checkpoint was changed, the origin is %s, and it is OK; what is not checked: %q", r.Origin, r.NotChecked)
	}
}

// TestTilesOfLevelsBeyondCounting: names of tiles whose level times 8 does not fit into 64 bits.
func TestTilesOfLevelsBeyondCounting(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)

	for _, key := range []string{
		"tile/1152921504606846976/000.p/1", "tile/2305843009213693952/000.p/6",
		"tile/2305843009213693952/000.p/1", "tile/2305843009213693953/000.p/1",
	} {
		store := f.store.copied()
		store.objects[key] = f.store.objects["tile/0/000.p/6"][:32]

		if strings.HasSuffix(key, "6") {
			store.objects[key] = f.store.objects["tile/0/000.p/6"]
		}

		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s: verify panics: %v", key, p)
				}
			}()

			r, err := archive.Verify(t.Context(), store,
				archive.VerifyOptions{Verifiers: []note.Verifier{f.verifier}, Head: &f.head})

			switch {
			case err != nil:
				t.Errorf("%s: nothing is verified: %v", key, err)
			case r.Valid:
				t.Errorf("%s: OK with an object that the log does not lead to", key)
			}
		}()
	}
}

// rotated is an archive whose key has been changed: two checkpoints by the old key, one by both, two by the new one.
type rotated struct {
	w                *world
	store            *memory
	oldSigner, now   note.Signer
	oldKey, newKey   note.Verifier
	beforeTheyChange map[string][]byte
}

func newRotated(t *testing.T, first string) *rotated {
	t.Helper()

	r := &rotated{w: newWorld(t, auditlog.ServiceUpCloud, 7), store: newMemory()}
	r.oldSigner, r.oldKey = newKey(t, first)
	r.now, r.newKey = newKey(t, "example.com/new")

	for range 2 {
		r.mustRun(t, r.oldSigner, nil, r.oldKey)
	}

	r.beforeTheyChange = maps.Clone(r.store.objects)
	r.mustRun(t, r.now, r.oldSigner, r.newKey, r.oldKey)

	for range 2 {
		r.mustRun(t, r.now, nil, r.newKey)
	}

	return r
}

func (r *rotated) run(signer, previous note.Signer, keys ...note.Verifier) (archive.Result, error) {
	r.w.now = r.w.now.Add(time.Hour)
	r.w.happen(2, r.w.now.Add(-10*time.Minute))

	o := r.w.options(r.store)
	o.Signer, o.PreviousSigner, o.Verifiers = signer, previous, keys

	return r.w.apply(o)
}

func (r *rotated) mustRun(t *testing.T, signer, previous note.Signer, keys ...note.Verifier) {
	t.Helper()

	if _, err := r.run(signer, previous, keys...); err != nil {
		t.Fatal(err)
	}
}

// TestARetiredKeyGoesOn: the old key was stolen after it was changed, and a checkpoint by it alone follows those
// by the new key. Verify refuses that; readers and provers with both keys, and a run in which the previous key is still
// set, take it for good, and the run signs it with the new key.
func TestARetiredKeyGoesOn(t *testing.T) {
	t.Parallel()

	r := newRotated(t, "example.com/old")
	keys := []note.Verifier{r.newKey, r.oldKey}

	if v := reportOf(t, r.store, archive.VerifyOptions{Verifiers: keys}); !v.Valid {
		t.Fatal(problemsOf(v))
	}

	// The thief's.
	r.mustRun(t, r.oldSigner, nil)

	v := reportOf(t, r.store, archive.VerifyOptions{Verifiers: keys})
	if v.Valid {
		t.Error("verify takes it")
	}

	if _, err := archive.OpenReader(t.Context(), r.store,
		archive.ReaderOptions{Verifiers: keys, InfoOf: infoOf(r.w.service.Info())}); err == nil {
		t.Error("a reader with both keys takes a checkpoint that no key hands over to, which verify refuses")
	}

	for id := range archived(t, r.store) {
		if _, err := archive.Prove(t.Context(), r.store, keys, id); err == nil {
			t.Error("prove with both keys takes it")
		}

		break
	}

	if _, err := r.run(r.now, r.oldSigner, keys...); err == nil {
		t.Error("a run that has the previous key still set goes on from it, and signs it with the new key")
	}
}

// TestARetiredKeyBeginsAnew: the old key was stolen after it was changed. With it everything since the change is
// written anew, and whoever has both keys, as the guide says, is told OK.
func TestARetiredKeyWritesTheEndAnew(t *testing.T) {
	t.Parallel()

	r := newRotated(t, "example.com/old")
	keys := []note.Verifier{r.newKey, r.oldKey}

	r.store.objects = maps.Clone(r.beforeTheyChange)
	r.mustRun(t, r.oldSigner, nil, r.oldKey)

	if v := reportOf(t, r.store, archive.VerifyOptions{Verifiers: keys}); v.Valid {
		t.Errorf("OK, signed by %s, which was retired", v.SignedBy)
	}
}

// TestKeysOfTheSameName changes to a key of the same name (this should hold).
func TestKeysOfTheSameName(t *testing.T) {
	t.Parallel()

	r := newRotated(t, "example.com/new")

	if v := reportOf(t, r.store, archive.VerifyOptions{Verifiers: []note.Verifier{r.oldKey, r.newKey}}); !v.Valid {
		t.Error(problemsOf(v))
	}
}

// TestKeysChangeInAnEmptyArchive hands over where there is no manifest yet, once where nothing has settled.
func TestKeysChangeInAnEmptyArchive(t *testing.T) {
	t.Parallel()

	for _, ahead := range []time.Duration{0, -5 * time.Minute} {
		w := newWorldOf(t, auditlog.ServiceUpCloud, 7, fakeapi.Options{}, 2*time.Hour)
		store := newMemory()
		oldSigner, oldKey := newKey(t, "example.com/old")
		newSigner, newVerifier := newKey(t, "example.com/new")

		o := w.options(store)
		o.Start = w.now.Add(-2 * time.Minute)
		o.Signer, o.Verifiers = oldSigner, []note.Verifier{oldKey}
		w.mustApply(o)

		w.ahead = ahead
		o.Signer, o.PreviousSigner, o.Verifiers = newSigner, oldSigner, []note.Verifier{newVerifier, oldKey}

		result, err := w.apply(o)
		if err != nil {
			t.Errorf("%s: %v", ahead, err)

			continue
		}

		if v := reportOf(t, store, archive.VerifyOptions{Verifiers: []note.Verifier{oldKey, newVerifier}}); !v.Valid {
			t.Errorf("%s: covered until %s:\n%s", ahead, result.CoveredUntil, problemsOf(v))
		}

		w.ahead = 0
		w.now = w.now.Add(time.Hour)
		w.happen(3, w.now.Add(-30*time.Minute))
		o.PreviousSigner, o.Verifiers = nil, []note.Verifier{newVerifier}

		if result, err = w.apply(o); err != nil || result.Added != 3 {
			t.Errorf("%s: %d archived, %v", ahead, result.Added, err)
		}
	}
}

// TestAHoleAmongCheckpoints: whoever can delete removes the copy and one checkpoint in the middle. Three newer
// checkpoints, signed by the key, are there still. A run takes the one before the hole for the newest, signs another
// log of the same origin, and removes the manifest and the segment that were archived under the number of the hole.
func TestAHoleAmongCheckpoints(t *testing.T) {
	t.Parallel()

	f := built(t, format.NDJSON, format.Uncompressed)
	segment := f.store.keyOf(t, "entries/", 3)

	delete(f.store.objects, "checkpoint")
	delete(f.store.objects, "checkpoints/00000003")

	// The partial tiles of size 2 are put back, which follow from the manifests.
	f.store.objects["tile/0/000.p/2"] = f.store.objects["tile/0/000.p/6"][:64]

	var bundle []byte
	for _, m := range manifestsOf(t, f.store)[:2] {
		bundle = append(append(bundle, byte(len(m)>>8), byte(len(m))), m...)
	}

	f.store.objects["tile/entries/000.p/2"] = bundle

	if _, err := archive.OpenReader(t.Context(), f.store,
		archive.ReaderOptions{Verifiers: []note.Verifier{f.verifier}, InfoOf: infoOf(f.w.service.Info())}); err == nil {
		t.Error("a reader takes the log for one of 2 manifests, where checkpoints/00000006 is there")
	}

	f.w.now = f.w.now.Add(time.Hour)
	f.w.happen(2, f.w.now.Add(-30*time.Minute))

	o := f.w.options(f.store)
	o.Signer, o.Verifiers = f.signer, []note.Verifier{f.verifier}

	if r, err := f.w.apply(o); err == nil {
		t.Errorf("a run succeeds, and has signed another checkpoint of size 3 although those of 4 to 6 are there: its head is %d", r.Head.Sequence)
	}

	if f.store.objects[segment] == nil {
		t.Errorf("and has removed %s, which was archived", segment)
	}
}

// TestAWitnessThatIsDownStopsNoArchive: the run after the first that was not attested archives nothing at all, nor
// does any other, until the witness answers. The service forgets meanwhile.
func TestAWitnessThatIsDownStopsNoArchive(t *testing.T) {
	t.Parallel()

	a := newAttested(t, 1, 1)
	a.mustRun(t)

	a.witnesses[0].Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)

		return true
	}

	for range 3 {
		if _, err := a.run(t); !errors.Is(err, archive.ErrAttest) {
			t.Fatal(err)
		}
	}

	if n := len(archived(t, a.store)); n != 12 {
		t.Errorf("%d of 12 entries are archived", n)
	}
}

// TestTheOldKeyRightAfterTheChange: the checkpoint that both keys have signed is the newest. The old key alone,
// be it of a runner that was not told or of a thief, takes the archive back, and verify says OK.
func TestTheOldKeyRightAfterTheChange(t *testing.T) {
	t.Parallel()

	r := &rotated{w: newWorld(t, auditlog.ServiceUpCloud, 7), store: newMemory()}
	r.oldSigner, r.oldKey = newKey(t, "example.com/old")
	r.now, r.newKey = newKey(t, "example.com/new")

	r.mustRun(t, r.oldSigner, nil, r.oldKey)
	r.mustRun(t, r.now, r.oldSigner, r.newKey, r.oldKey) // The change.

	if _, err := r.run(r.oldSigner, nil, r.oldKey); err == nil {
		t.Error("a run with the old key alone goes on after the change")
	}

	if v := reportOf(t, r.store, archive.VerifyOptions{Verifiers: []note.Verifier{r.newKey, r.oldKey}}); v.Valid &&
		v.SignedBy == "example.com/old" {
		t.Error("verify says OK, signed by the key that was changed")
	}

	if _, err := r.run(r.now, nil, r.newKey); err != nil {
		t.Errorf("a run with the new key alone, as the guide has it, can no longer go on: %v", err)
	}
}
