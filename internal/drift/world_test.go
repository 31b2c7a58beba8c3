// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// thing is one server of a world, with what nobody can read off the log: which of the entries are about it.
type thing struct {
	id, name string
	// managed says that Terraform made it, or that it is in the state since before the window.
	managed, gone bool
	deeds         []int
}

// world is what really happens, of which the log of cloudscale tells names only, and that of UpCloud ids.
type world struct {
	h      *history
	things []*thing
	rng    *rand.Rand
	// ties says that everything happens at a few times.
	ties bool
}

func (w *world) one(values ...string) string { return values[w.rng.IntN(len(values))] }

// log tells of what was done to a thing, under a name that it has or had.
func (w *world) log(who string, op auditlog.Operation, t *thing, name string) {
	target := name
	if w.h.service == auditlog.ServiceUpCloud {
		target = t.id
	}

	t.deeds = append(t.deeds, len(w.h.entries))
	e := w.h.add(who, op, "server", target)
	e.ActorType, e.ActorID = auditlog.ActorUser, map[string]string{terraform: "t-1", "deploy": "t-2"}[who]

	if w.ties {
		e.Time = noon.Add(time.Duration(len(w.h.entries)/3+1) * time.Hour)
	}
}

func (w *world) add(name string, managed bool) *thing {
	t := &thing{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(w.things)), name: name, managed: managed}
	w.things = append(w.things, t)

	return t
}

// step is what one of them does next.
func (w *world) step() {
	who := w.one(terraform, "deploy", "mia", "mia", "jonas")
	piped := who == terraform || who == "deploy"

	alive := slices.DeleteFunc(slices.Clone(w.things), func(t *thing) bool { return t.gone || piped && !t.managed })
	if len(alive) == 0 || w.rng.IntN(5) == 0 {
		t := w.add(w.one("a", "b", "c"), piped)
		w.log(who, auditlog.OperationCreate, t, t.name)

		return
	}

	t := alive[w.rng.IntN(len(alive))]

	switch w.rng.IntN(5) {
	case 0:
		w.log(who, auditlog.OperationDelete, t, t.name)
		t.gone = true
	case 1:
		was := t.name
		t.name = w.one("a", "b", "c", "d")
		w.log(who, auditlog.OperationUpdate, t, w.one(was, t.name)) // Which of them is told is not documented.
	default:
		w.log(who, auditlog.Operation(w.one("update", "stop")), t, t.name)
	}
}

// state are the resources that Terraform has in the end, with the ones that people have deleted since.
func (w *world) state() []drift.Resource {
	var all []drift.Resource

	for i, t := range w.things {
		byPipeline := t.gone && w.h.entries[t.deeds[len(t.deeds)-1]].ActorID != ""
		if t.managed && !byPipeline {
			all = append(all, drift.Resource{
				Address: fmt.Sprintf("%s_server.s[%d]", w.h.service, i), Type: w.h.service + "_server", ID: t.id, Name: t.name,
			})
		}
	}

	return all
}

// Whatever happens in a world, with things of one name, renamed, deleted and made anew, by people and by two pipelines:
// what people did to a thing that Terraform has or had is in a row, or counted.
func TestWorlds(t *testing.T) {
	t.Parallel()

	for _, service := range []string{auditlog.ServiceCloudscale, auditlog.ServiceUpCloud} {
		rapid.Check(t, func(rt *rapid.T) {
			w := &world{h: &history{service: service}, ties: rapid.Bool().Draw(rt, "ties")}
			w.rng = rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))

			w.add("a", true)
			w.add("b", true)
			w.add("b", false)

			for range rapid.IntRange(1, 18).Draw(rt, "steps") {
				w.step()
			}

			resources := w.state()

			got, err := drift.Compare(t.Context(), newLog(t, service, w.h.entries...), theMonth(), drift.Options{
				Resources: resources, Pipeline: drift.Pipeline{Actors: []string{"t-1", "t-2"}}, AsOf: theMonth().Window.End,
			})
			if err != nil {
				rt.Fatal(err)
			}

			told, counted := map[string]bool{}, got.Unattributed+got.Former

			for _, r := range slices.Concat(got.Changed, got.Deleted, got.Created, got.Unexplained) {
				for _, e := range r.Events {
					told[e.ID] = true

					if r.Match == drift.ByID && r.Address != "" && !strings.EqualFold(e.ResourceID, r.ID) {
						rt.Errorf("%s is told of %s", e.ID, r.Address)
					}
				}
			}

			for _, t := range w.things {
				for _, n := range t.deeds {
					if e := &w.h.entries[n]; t.managed && e.ActorID == "" && !told[e.ID] {
						counted--
					}
				}
			}

			if service == auditlog.ServiceUpCloud && got.Former > 0 {
				return // It counts things, not entries.
			}

			if counted < 0 {
				rt.Errorf("%d deeds are nowhere: %s", -counted, w)
			}
		})
	}
}

func (w *world) String() string {
	var text strings.Builder

	for i, t := range w.things {
		for _, n := range t.deeds {
			e := &w.h.entries[n]
			_, _ = fmt.Fprintf(
				&text, "%s %s %s:%s to %d (managed %v)\n", e.ID, e.ResourceName, e.Actor, e.Operation, i, t.managed,
			)
		}
	}

	return text.String()
}
