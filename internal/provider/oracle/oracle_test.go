// SPDX-License-Identifier: MPL-2.0

// Package oracle asks the provider what it asks itself, and compares the answers.
//
// The oracle has nothing of the product's but its documentation: it parses the
// records of the fakes on its own and decides by loops over all of them what
// filters, conditions and rules find. Logs and questions are drawn at random, from
// a seed. A disagreement is made smaller and printed, so that it can become a
// test with a name.
package oracle

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

func TestMain(m *testing.M) {
	flag.Parse()
	decide()
	debug.SetGCPercent(400) // Logs are small and live for a moment.
	os.Exit(m.Run())
}

const (
	// cases are asked in all, perLog of them of one log.
	cases     = 2000
	casesRace = 120
	perLog    = 40
)

// TestProductAnswersAsTheOracle compares random questions about random logs.
func TestProductAnswersAsTheOracle(t *testing.T) { //nolint:tparallel // What the logs come to is added up when all have ended.
	t.Parallel()

	n := *casesFlag

	switch {
	case n > 0:
	case raceflag.Enabled:
		n = casesRace
	default:
		n = cases
	}

	var (
		mu    sync.Mutex
		tally = map[outcome]int{}
	)

	t.Run("logs", func(t *testing.T) {
		for i := range (n + perLog - 1) / perLog {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()

				counts := ask(t, *seedFlag, uint64(i), min(perLog, n-i*perLog))

				mu.Lock()
				defer mu.Unlock()

				for of, count := range counts {
					tally[of] += count
				}
			})
		}
	})

	t.Log(tally)

	for of, share := range map[outcome]int{refused: 30, fails: 15, nothing: 45} {
		if tally[of]*100 > n*share {
			t.Errorf("%d of %d questions ended with: %s, so that too little is compared", tally[of], n, of)
		}
	}
}

// ask draws a log and n questions about it, and counts how they ended.
func ask(t *testing.T, seed, number uint64, n int) map[outcome]int {
	t.Helper()

	rng := rand.New(rand.NewPCG(seed, number))
	now := fakeapi.DefaultNow().Add(time.Duration(rng.IntN(3)) * 1234567 * time.Microsecond)

	options := fakeapi.Options{
		Now:                now,
		UpCloudOffset:      one(rng, []fakeapi.OffsetReading{fakeapi.OffsetRow, fakeapi.OffsetPage}),
		UpCloudOrder:       one(rng, []fakeapi.Order{fakeapi.NewestFirst, fakeapi.OldestFirst}),
		UpCloudMaxLimit:    one(rng, []int{200, 200, 100, 50, 17}),
		CloudscaleEnd:      one(rng, []fakeapi.EndScope{fakeapi.EndEveryPage, fakeapi.EndFirstPage}),
		CloudscalePageSize: one(rng, []int{200, 200, 50, 13}),
	}

	size := one(rng, []int{20, 50, 100, 160})
	if number%25 == 24 {
		size = 3000 // More than UpCloud is read in at once.
		n = min(n, 10)
	}

	g := &generator{
		Rand: rng, now: now, invented: rng.IntN(2) == 0,
		span:  one(rng, []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 30 * 24 * time.Hour}),
		grain: one(rng, []time.Duration{30 * time.Second, time.Minute}),
	}
	h := g.history(t, size)
	o := newOracle(h, now)
	p := serve(t, h, options)
	t.Cleanup(p.close)

	tally := map[outcome]int{}

	for i := range n {
		d := &draw{
			Rand: rand.New(rand.NewPCG(seed, number<<20|uint64(i)<<1|1)), service: []string{upcloud, cloudscale}[i%2],
			now: now,
		}
		d.events = o.events[d.service]
		q := d.question(i%4 >= 2)

		end, err := o.compare(q, p.read(t, q.typeName(), q.arguments()))
		if err != nil {
			s := smallest(t, disagreement{h: h, options: options, q: q, err: err})
			t.Errorf("seed %d, log %d, question %d:\n%s", seed, number, i, s)

			return tally // One is enough of a log.
		}

		tally[end]++
	}

	return tally
}

func (q *question) typeName() string {
	if q.verdict {
		return "audit_log_findings"
	}

	return "audit_logs"
}
