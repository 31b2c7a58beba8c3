// SPDX-License-Identifier: MPL-2.0

package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// clouds are those that have an API.
func clouds() []string {
	return slices.DeleteFunc(auditlog.Clouds(), func(name string) bool { return name == auditlog.ServicePodStack })
}

// TestEveryFaultWithEveryTypeThatReads is the table. Each fault strikes once, and
// always.
func TestEveryFaultWithEveryTypeThatReads(t *testing.T) {
	t.Parallel()

	for n, name := range clouds() {
		for m, r := range rows() {
			t.Run(name+"/"+r.name, func(t *testing.T) {
				t.Parallel()

				c, dir := newCloud(t, name), t.TempDir()
				ready := r.prepare(c, filepath.Join(dir, "origin"))
				expected := expect(t, c, r, ready(filepath.Join(dir, "expected")))

				for i, kind := range fakeapi.Faults() {
					if kind.Only != "" && kind.Only != name {
						continue
					}

					for times := range 2 {
						// The race detector needs not see all of them; make simulate does.
						if raceflag.Enabled && (2*n+times+m+i)%12 != 0 {
							continue
						}

						cell := cell{t: t, c: c, row: r, kind: kind, times: times, expected: expected}
						cell.run(ready, filepath.Join(dir, fmt.Sprint(kind.Name, "-", times)))
					}
				}
			})
		}
	}
}

// expect is what comes out without a fault.
func expect(t *testing.T, c *cloud, r row, trial trial) outcome {
	t.Helper()
	c.serve(c.history.all, now)

	expected, errs := trial.try()
	if errs != nil {
		t.Fatal("without a fault: ", errs)
	}

	if r.entries && len(expected.entries) <= pageSize {
		t.Fatalf("%d entries without a fault are not even two pages", len(expected.entries))
	}

	return expected
}

// TestEveryTypeHasARow: a type that is new in the provider has to be in the table.
func TestEveryTypeHasARow(t *testing.T) {
	t.Parallel()

	var registered, listed []string

	s := newCloud(t, auditlog.ServiceUpCloud).schemas
	for name := range s.DataSourceSchemas {
		registered = append(registered, "data "+name)
	}

	for name := range s.EphemeralResourceSchemas {
		registered = append(registered, "ephemeral "+name)
	}

	for name := range s.ResourceSchemas {
		registered = append(registered, "resource "+name)
	}

	for name := range s.ListResourceSchemas {
		registered = append(registered, "list "+name)
	}

	for name := range s.ActionSchemas {
		registered = append(registered, "action "+name)
	}

	for _, r := range rows() {
		listed = append(listed, r.of)
	}

	slices.Sort(registered)
	slices.Sort(listed)

	if diff := cmp.Diff(registered, slices.Compact(listed)); diff != "" {
		t.Errorf("the table lacks types, or has others (-registered +in the table):\n%s", diff)
	}

	// Functions are handed what they work on.
	if diff := cmp.Diff([]string{"changes", "parse_csv"}, slices.Sorted(maps.Keys(s.Functions))); diff != "" {
		t.Errorf("a function that reads belongs into the table:\n%s", diff)
	}
}

// cell is one fault with one row, which strikes as often as times says, or always.
type cell struct {
	t        *testing.T
	c        *cloud
	row      row
	kind     fakeapi.FaultKind
	times    int
	expected outcome
}

func (x *cell) errorf(format string, a ...any) {
	x.t.Helper()

	often := "always"
	if x.times > 0 {
		often = "once"
	}

	x.t.Errorf("%s, %s: %s", x.kind.Name, often, fmt.Sprintf(format, a...))
}

func (x *cell) run(ready func(string) trial, dir string) {
	x.t.Helper()

	x.c.serve(x.c.history.all, now)
	trial := ready(dir)

	x.c.serving.Load().ResetRequests()
	x.c.strike(fakeapi.Fault{Name: x.kind.Name, Rate: 1, Times: x.times})

	got, errs := trial.try()
	hits, options := struck(x.c.serving.Load())

	x.c.strike()
	x.hit(hits)

	if n := x.c.strayed.Swap(0); n > 0 {
		x.errorf("%d requests went to another host", n)
	}

	if errs != nil {
		x.failed(errs, trial)
	} else {
		// What goes wrong with options only makes a reading ask for more.
		x.succeeded(got, hits > 0 && (!options || x.listsOptions()), trial)
	}

	if trial.again == nil || errs == nil || moving(x.kind.Name) {
		return
	}

	later, errs := trial.again()
	if errs != nil {
		x.errorf("an error once the fault is gone:\n%s", strings.Join(errs, "\n"))
	} else {
		x.compare("once the fault is gone, ", later)
	}
}

// hit looks whether the fault did strike.
func (x *cell) hit(hits int) {
	x.t.Helper()

	switch possible := !x.row.silent && (!x.listsOptions() || !x.kind.Lists()); {
	case possible && hits == 0 && x.strikesAllRows():
		x.errorf("it never struck")
	case !possible && hits > 0:
		x.errorf("it struck %d times", hits)
	}
}

func (x *cell) listsOptions() bool { return x.row.options != nil && x.row.options(x.c.name) }

// strikesAllRows: an archive is continued with the newest page alone, which has no
// page before it.
func (x *cell) strikesAllRows() bool {
	return !x.kind.SeveralPages() || x.row.entries && !strings.HasPrefix(x.row.name, "archive ")
}

// passes says that a fault that struck once has to be overcome.
func (x *cell) passes() bool {
	return x.kind.Remedy == fakeapi.Accept || x.kind.Remedy == fakeapi.Retry && x.times > 0 &&
		!strings.HasPrefix(x.kind.Name, "hang")
}

func (x *cell) failed(errs []string, trial trial) {
	x.t.Helper()

	text := strings.Join(errs, "\n")

	if x.passes() {
		x.errorf("an error:\n%s", text)
	}

	if strings.Contains(text, fakeapi.DefaultToken) || strings.TrimSpace(text) == "" {
		x.errorf("the error is not one to show:\n%s", text)
	}

	if err := trial.kept(); err != nil {
		x.errorf("after the error\n%s\nwhat was kept is not as it was: %v", text, err)
	}
}

func (x *cell) succeeded(got outcome, hit bool, trial trial) {
	x.t.Helper()

	if lasts := x.times == 0 && x.kind.Remedy == fakeapi.Retry; hit && (lasts || x.kind.Remedy == fakeapi.Refuse) {
		x.errorf("no error, although it struck")
	}

	if moving(x.kind.Name) {
		x.compareMoving(got, trial)
	} else {
		x.compare("", got)
	}
}

// moving says that the log is not the same before and after.
func moving(fault string) bool { return slices.Contains([]string{"grow", "shrink", "expire"}, fault) }

func (x *cell) compare(when string, got outcome) {
	x.t.Helper()

	view := outcome.whole

	// What was archived while the fault struck stays in the form that it had.
	if when == "" || x.row.remembers() {
		switch x.kind.Name {
		case "rounded-seconds":
			view = outcome.roughly
		case "mixed-order":
			view = outcome.inAnyOrder
		}
	}

	if diff := cmp.Diff(strings.Split(view(x.expected), "\n"), strings.Split(view(got), "\n")); diff != "" {
		x.errorf("%sanother outcome (-without the fault +with it):\n%.3000s", when, diff)
	}
}

// remembers says that what was read once is kept, whatever is read later.
func (r row) remembers() bool { return r.of == "resource "+provider.ArchiveType }

func (o outcome) whole() string {
	return jsonLines(o.entries) + "\n" + jsonOf(o.rest) + "\n" + fmt.Sprintf("%d bytes: %q", len(o.data), o.data)
}

func (o outcome) inAnyOrder() string {
	lines := strings.Split(jsonLines(o.entries), "\n")
	slices.Sort(lines)

	return strings.Join(lines, "\n") + "\n" + jsonOf(o.rest)
}

// roughly is an outcome without what depends on the exact times.
func (o outcome) roughly() string {
	lines := make([]string, 0, len(o.entries))

	for _, e := range o.entries {
		e = maps.Clone(e)
		for _, name := range []string{"time", "raw"} {
			delete(e, name)
		}

		if e["service"] != auditlog.ServiceUpCloud {
			delete(e, "id") // It is made of the record.
		}

		lines = append(lines, jsonOf(e))
	}

	slices.Sort(lines)

	return strings.Join(lines, "\n")
}

func jsonLines(all []args) string {
	lines := make([]string, 0, len(all))
	for _, e := range all {
		lines = append(lines, jsonOf(e))
	}

	return strings.Join(lines, "\n")
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // It is made of texts and numbers.
	}

	return string(text)
}

// compareMoving looks whether all is there that was there all the time, and nothing
// that never was.
func (x *cell) compareMoving(got outcome, trial trial) {
	x.t.Helper()

	if !x.row.entries {
		return
	}

	// What was archived or exported once is not replaced by less, so that it is no measure.
	again := trial.try
	if strings.HasPrefix(x.row.of, "resource ") {
		again = func() (outcome, []string) { return lookUp(x.c) }
	}

	after, errs := again()
	if errs != nil {
		x.errorf("the log cannot be read afterwards: %v", errs)

		return
	}

	before, now, found := x.expected.ids(), after.ids(), got.ids()

	for id, n := range found {
		if most := max(before[id], now[id]); n > most {
			x.errorf("%s was found %d times, and was there %d times", id, n, most)
		}
	}

	for id, n := range before {
		if least := min(n, now[id]); found[id] < least {
			x.errorf("%s was there all the time and was not found", id)
		}
	}
}

func (o outcome) ids() map[string]int {
	found := map[string]int{}
	for _, e := range o.entries {
		found[fmt.Sprint(e["id"])]++
	}

	return found
}
