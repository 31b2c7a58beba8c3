// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
	"github.com/auditlogs/terraform-provider-audit/internal/witness/witnesstest"
)

// shaky is a store of a run that is slow at random steps and killed at one of them.
type shaky struct {
	*memory

	mu     sync.Mutex
	random *rand.Rand
	left   int // changes before it is killed
}

func (s *shaky) step(change bool) error {
	s.mu.Lock()
	pause := time.Duration(0)
	if s.random.IntN(4) == 0 {
		pause = time.Duration(s.random.IntN(3000)) * time.Microsecond
	}
	if change {
		s.left--
	}
	dead := s.left < 0
	s.mu.Unlock()

	time.Sleep(pause)

	if dead {
		return errCrash
	}

	return nil
}

func (s *shaky) Create(ctx context.Context, key string, data []byte) error {
	if err := s.step(true); err != nil {
		return err
	}

	return s.memory.Create(ctx, key, data)
}

func (s *shaky) Replace(ctx context.Context, key string, data []byte) error {
	if err := s.step(true); err != nil {
		return err
	}

	return s.memory.Replace(ctx, key, data)
}

func (s *shaky) Delete(ctx context.Context, key string) error {
	if err := s.step(true); err != nil {
		return err
	}

	return s.memory.Delete(ctx, key)
}

func (s *shaky) Read(ctx context.Context, key string, limit int64) ([]byte, error) {
	if err := s.step(false); err != nil {
		return nil, err
	}

	return s.memory.Read(ctx, key, limit)
}

// TestMixedRunners: runs of all configurations at once (the old key, both, the new one; with witnesses that are
// required, tolerated or not asked; with an authority or none), slow and killed at random, on one archive.
func TestMixedRunners(t *testing.T) {
	t.Parallel()

	seen := map[string]int{}

	seeds := uint64(16)
	if raceflag.Enabled {
		seeds = 4
	}

	for seed := range seeds {
		w := newWorld(t, auditlog.ServiceUpCloud, seed)
		store := newMemory()
		oldSigner, oldKey := newKey(t, "example.com/audit")
		newSigner, newVerifier := newKey(t, "example.com/audit")
		authority := witnesstest.NewAuthority(t, func() time.Time { return begin })

		var witnesses []witness.Witness
		for i := range 2 {
			one := witnesstest.NewWitness(t, fmt.Sprintf("witness%d.example", i))
			one.Trust("", oldKey)
			one.Trust("", newVerifier)
			witnesses = append(witnesses, one.Witness)
		}

		random := rand.New(rand.NewPCG(seed, 3))

		config := func(round int) archive.Options {
			o := w.options(store)

			switch k := random.IntN(3); {
			case round < 3 || round < 5 && k == 0:
				o.Signer, o.Verifiers = oldSigner, []note.Verifier{oldKey}
			case round < 5 || k == 1:
				o.Signer, o.PreviousSigner, o.Verifiers = newSigner, oldSigner, []note.Verifier{newVerifier, oldKey}
			default:
				o.Signer, o.Verifiers = newSigner, []note.Verifier{newVerifier}
			}

			if random.IntN(2) == 0 {
				o.Attesters = archive.Attesters{
					Client: witness.Client{Retries: -1}, Witnesses: witnesses,
					Quorum: 1 + random.IntN(2), Tolerant: random.IntN(2) == 0,
				}
			}

			if random.IntN(2) == 0 {
				o.Attesters.Client, o.Attesters.Authority = witness.Client{Retries: -1}, &authority.Authority
			}

			return o
		}

		if seed%8 == 7 { // The bundles and tiles of the last manifests are about to be full.
			o := w.options(store)
			o.Signer, o.Verifiers = oldSigner, []note.Verifier{oldKey}

			for range 246 + random.IntN(8) {
				w.now = w.now.Add(time.Hour)
				w.happen(1, w.now.Add(-20*time.Minute))
				w.mustApply(o)
			}
		}

		for round := range 8 {
			w.now = w.now.Add(time.Hour)
			w.happen(4, w.now.Add(-20*time.Minute))

			var wg sync.WaitGroup

			for range 4 {
				o := config(round)
				left := 1 << 20
				if random.IntN(2) == 0 {
					left = random.IntN(25)
				}

				o.Store = &shaky{memory: store, random: rand.New(rand.NewPCG(random.Uint64(), 1)), left: left}

				wg.Go(func() {
					_, err := w.apply(o)

					switch {
					case err == nil, errors.Is(err, errCrash), errors.Is(err, archive.ErrSignature), errors.Is(err, archive.ErrAttest),
						errors.Is(err, archive.ErrLost):
					case errors.Is(err, witness.ErrForked): // TestWitnessRace.
					default:
						t.Errorf("seed %d, round %d: %v", seed, round, err)
					}
				})
			}

			wg.Wait()
		}

		o := w.options(store)
		o.Signer, o.PreviousSigner, o.Verifiers = newSigner, oldSigner, []note.Verifier{newVerifier, oldKey}
		o.Attesters = archive.Attesters{
			Client: witness.Client{Retries: -1}, Witnesses: witnesses, Quorum: 2,
			Authority: &authority.Authority,
		}

		for range 2 {
			w.now = w.now.Add(time.Hour)
			w.happen(2, w.now.Add(-20*time.Minute))

			if _, err := w.apply(o); err != nil {
				t.Errorf("seed %d, in the end: %v", seed, err)
			}
		}

		w.checkExactlyOnce(store, w.now.Add(-10*time.Minute))

		r := reportOf(t, store, archive.VerifyOptions{
			Verifiers: []note.Verifier{newVerifier, oldKey}, Witnesses: []note.Verifier{witnesses[0].Key, witnesses[1].Key},
			TimestampRoots: authority.Roots,
		})
		for _, p := range r.Problems {
			what := string(p.Finding) + " " + p.Key[:min(len(p.Key), 8)]
			if seen[what]++; seen[what] <= 2 {
				t.Errorf("seed %d: %s %s: %s", seed, p.Finding, p.Key, p.Detail)
			}
		}
	}

	t.Log(seen)
}
