// SPDX-License-Identifier: MPL-2.0

package matrix

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"go.uber.org/goleak"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

var (
	soakFlag = flag.Duration("soak", 0, "how long to soak; otherwise a few runs are made")
	seedFlag = flag.Uint64("seed", 1, "what the runs of the soak are drawn from")
)

const (
	shortSoak = 60 // runs
	soakRate  = 0.15
	workers   = 3
)

// TestSoak uses every type again and again, with faults that strike at random,
// several at a time, and ends with a table. Whatever the faults, what comes out is
// right or an error; an export or an archive that failed is tried again without
// them, and holds every entry once in the end.
func TestSoak(t *testing.T) {
	running, files := goleak.IgnoreCurrent(), openFiles()
	total := &tally{}

	t.Run("runs", func(t *testing.T) {
		end := time.Now().Add(*soakFlag)

		for _, name := range clouds() {
			for worker := range workers {
				t.Run(fmt.Sprint(name, "/", worker), func(t *testing.T) {
					t.Parallel()

					rng := rand.New(rand.NewPCG(*seedFlag, uint64(worker)))
					s := &soak{
						t: t, c: newCloud(t, name), rng: rng, dir: t.TempDir(), ready: map[string]func(string) trial{},
						expected: map[string]outcome{},
					}

					for n := 0; n < shortSoak/workers/2 || time.Now().Before(end); n++ {
						total.add(s.run(n))

						if t.Failed() {
							return
						}
					}
				})
			}
		}
	})

	leaked := goleak.Find(running)
	if leaked != nil {
		t.Error("goroutines are left: ", leaked)
	}

	left := openFiles() - files
	if left > 0 {
		t.Errorf("%d files are left open", left)
	}

	table := total.table(runtime.NumGoroutine(), left)
	if *soakFlag > 0 {
		_, _ = fmt.Fprintln(os.Stdout, table)
	} else {
		t.Log(table)
	}
}

// openFiles counts what the process has open, where the system tells.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}

	return len(entries)
}

// soak is one of several that run side by side.
type soak struct {
	t        *testing.T
	c        *cloud
	rng      *rand.Rand
	dir      string
	ready    map[string]func(string) trial
	expected map[string]outcome
}

// run uses one type once, with one to three faults.
func (s *soak) run(n int) result {
	s.t.Helper()

	all := rows()
	r := all[s.rng.IntN(len(all))]

	if s.ready[r.name] == nil {
		s.c.strike()
		s.ready[r.name] = r.prepare(s.c, filepath.Join(s.dir, "origin of "+r.name))
		s.expected[r.name] = expect(s.t, s.c, r, s.ready[r.name](filepath.Join(s.dir, "expected of "+r.name)))
	}

	faults := s.faults()
	names := make([]string, 0, len(faults))

	for _, f := range faults {
		names = append(names, f.Name)
	}

	dir := filepath.Join(s.dir, fmt.Sprint(n))
	x := &cell{
		t: s.t, c: s.c, row: r, kind: fakeapi.FaultKind{Name: strings.Join(names, " and "), Remedy: fakeapi.Reread},
		times: n, expected: s.expected[r.name],
	}

	s.c.seed = s.rng.Uint64()
	s.c.serve(s.c.history.all, now)
	trial := s.ready[r.name](dir)
	s.c.strike(faults...)

	got, errs := trial.try()
	hits, _ := struck(s.c.serving.Load())

	s.c.strike()

	done := result{row: r.name, struck: hits}

	if errs != nil {
		done.kind = kindOf(errs[0])
		x.failed(errs, trial)

		if trial.again != nil {
			if got, errs = trial.again(); errs != nil {
				x.errorf("an error once the faults are gone:\n%s", strings.Join(errs, "\n"))
			}
		}
	}

	if errs == nil {
		done.count(s.expected[r.name], got, r.entries)
		x.compare("", got)
	}

	if err := os.RemoveAll(dir); err != nil {
		s.t.Fatal(err)
	}

	return done
}

// faults draws one to three, of those that change neither what there is nor how it
// is written: the outcome is known then, byte for byte.
func (s *soak) faults() []fakeapi.Fault {
	kinds := slices.DeleteFunc(fakeapi.Faults(), func(k fakeapi.FaultKind) bool {
		return moving(k.Name) || k.Name == "rounded-seconds" || k.Name == "mixed-order" || k.Only != "" && k.Only != s.c.name
	})
	drawn := make([]fakeapi.Fault, 0, 3)

	for range 1 + s.rng.IntN(3) {
		drawn = append(drawn, fakeapi.Fault{Name: kinds[s.rng.IntN(len(kinds))].Name, Rate: soakRate + s.rng.Float64()/2})
	}

	return drawn
}

// kindOf is what an error is about, without its details.
func kindOf(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	_, cause, _ := strings.Cut(first, ": ")
	cause, _, _ = strings.Cut(cause, ": ")

	return strings.TrimSuffix(strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}

		return r
	}, cause), ".")
}

// result is what one run came to.
type result struct {
	row, kind                       string
	struck                          int
	expected, found, lost, repeated int
}

func (r *result) count(expected, got outcome, entries bool) {
	if !entries {
		return
	}

	r.expected, r.found = len(expected.entries), len(got.entries)
	want, have := expected.ids(), got.ids()

	for id, n := range want {
		r.lost += max(n-have[id], 0)
	}

	for id, n := range have {
		r.repeated += max(n-want[id], 0)
	}
}

// tally adds results up.
type tally struct {
	mu      sync.Mutex
	results []result
}

func (t *tally) add(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.results = append(t.results, r)
}

func (t *tally) table(goroutines, files int) string {
	var (
		text   strings.Builder
		sum    result
		errors = map[string]int{}
		by     = map[string]*result{}
		runs   = map[string]int{}
		failed = map[string]int{}
	)

	for _, r := range t.results {
		if by[r.row] == nil {
			by[r.row] = &result{}
		}

		runs[r.row]++

		if r.kind != "" {
			errors[r.kind]++
			failed[r.row]++
			failed[""]++
		}

		for _, to := range []*result{by[r.row], &sum} {
			to.struck += r.struck
			to.expected += r.expected
			to.found += r.found
			to.lost += r.lost
			to.repeated += r.repeated
		}
	}

	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)

	_, _ = fmt.Fprintln(w, "\n\truns\tfaults\terrors\texpected\tfound\tlost\trepeated\t")

	line := func(name string, n, failed int, r *result) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, n, r.struck, failed, r.expected, r.found, r.lost,
			r.repeated)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		line(name, runs[name], failed[name], by[name])
	}

	line("all", len(t.results), failed[""], &sum)

	_ = w.Flush()

	_, _ = fmt.Fprintln(&text, "\nErrors:")

	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		_, _ = fmt.Fprintf(&text, "%6d  %s\n", errors[kind], kind)
	}

	_, _ = fmt.Fprintf(&text, "\nAt the end: %d goroutines, those of the test itself; %d files more than at the begin\n", goroutines, files)

	return text.String()
}
