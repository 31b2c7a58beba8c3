// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// drawHistory draws what is done to few things by few people, often enough that they get into each other's way. Values
// are never checked against each other, as in a log that somebody has tampered with.
func drawHistory(t *rapid.T, service string) []auditlog.Entry {
	things := []string{"a", "b", "c", "d"}
	if service == auditlog.ServiceUpCloud {
		for i, thing := range things {
			things[i] = "00000000-0000-4000-8000-00000000000" + thing
		}
	}

	h := &history{service: service}
	// Values drawn one by one lean towards the smallest.
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	one := func(values ...string) string { return values[rng.IntN(len(values))] }

	for range rapid.IntRange(0, 40).Draw(t, "entries") {
		var changes []auditlog.Change

		for _, field := range []string{"x", "y"} {
			if service == auditlog.ServiceUpCloud && rng.IntN(2) == 0 {
				changes = append(changes, set(field, one("1", "2"), one("1", "2")))
			}
		}

		op := auditlog.Operation(one("update", "update", "update", "create", "delete", "start", "read"))
		h.add(one(terraform, "mia", "jonas"), op, "server", one(append(things, things[0], things[0])...), changes...)
	}

	return h.entries
}

// done are the entries that do something to a thing.
func done(entries []auditlog.Entry, thing string) []auditlog.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e auditlog.Entry) bool {
		return e.ResourceID+e.ResourceName != thing || e.Operation == auditlog.OperationRead
	})
}

func byHand(e *auditlog.Entry) bool { return e.Actor != terraform }

func indexOf(changes []auditlog.Change, field string) int {
	return slices.IndexFunc(changes, func(c auditlog.Change) bool { return c.Field == field })
}

// revertedNaively says, by looking through all that came before and after, whether the pipeline set all fields back
// that the entry of that number changed.
func revertedNaively(all []auditlog.Entry, n int) bool {
	e := &all[n]
	if len(e.Changes) == 0 || e.Operation == auditlog.OperationCreate || e.Operation == auditlog.OperationDelete {
		return false
	}

	for _, c := range e.Changes {
		before := *c.Before

		for i := n - 1; i >= 0; i-- {
			j := indexOf(all[i].Changes, c.Field)
			if j < 0 {
				continue
			}

			if !byHand(&all[i]) {
				break
			}

			if all[i].Operation != auditlog.OperationCreate && all[i].Operation != auditlog.OperationDelete {
				before = *all[i].Changes[j].Before
			}
		}

		back := false

		for i := n + 1; i < len(all); i++ {
			if j := indexOf(all[i].Changes, c.Field); j >= 0 && !byHand(&all[i]) {
				back = *all[i].Changes[j].After == before

				break
			}
		}

		if !back {
			return false
		}
	}

	return true
}

// textOf is told for one resource, out of a replay.
func textOf(address string, match drift.Match, all []auditlog.Entry) string {
	var text strings.Builder

	fmt.Fprintf(&text, "%s %s", address, match)

	every := true

	var events []string

	for i := range all {
		if !byHand(&all[i]) {
			continue
		}

		event := fmt.Sprintf(" %s:%s", all[i].Actor, all[i].Operation)

		if revertedNaively(all, i) {
			event += " (reverted)"
		} else {
			every = false
		}

		events = append(events, event)
	}

	text.WriteString(strings.Join(events[max(0, len(events)-drift.MostEvents):], ""))

	if every {
		text.WriteString(" all reverted")
	}

	return text.String()
}

// goneNaively says whether the thing was deleted and not created since, and whether people were among those who did.
func goneNaively(all []auditlog.Entry) (gone, removed bool) {
	for i := len(all) - 1; i >= 0 && all[i].Operation != auditlog.OperationCreate; i-- {
		if all[i].Operation == auditlog.OperationDelete {
			gone, removed = true, removed || byHand(&all[i])
		}
	}

	return gone, removed
}

// createdNaively says of a name that no resource has whether something that people created has it in the end, and how
// many deeds by hand are not its creation.
func createdNaively(all []auditlog.Entry) (there bool, unknown int64) {
	count := 0

	for i := range all {
		e := &all[i]
		created, deleted := e.Operation == auditlog.OperationCreate, e.Operation == auditlog.OperationDelete

		if byHand(e) && !created {
			unknown++
		}

		if created {
			count++
		} else if deleted && count > 0 {
			count--
		}

		there = count > 0 && (there || created && byHand(e))
	}

	return there, unknown
}

// What is reported of things with ids is what a replay of the whole history says.
func TestHistoriesByID(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		entries := drawHistory(rt, auditlog.ServiceUpCloud)

		var (
			resources                 []drift.Resource
			changed, deleted, created []string
		)

		for _, name := range []string{"a", "b", "c", "d"} {
			id, address := "00000000-0000-4000-8000-00000000000"+name, "upcloud_server."+name
			all := done(entries, id)
			managed := name < "c"

			if managed {
				resources = append(resources, drift.Resource{Address: address, Type: "upcloud_server", ID: strings.ToUpper(id)})
			}

			gone, removed := goneNaively(all)

			switch {
			case managed && !slices.ContainsFunc(all, func(e auditlog.Entry) bool { return byHand(&e) }):
			case managed && gone && removed:
				deleted = append(deleted, textOf(address, drift.ByID, all))
			case managed:
				changed = append(changed, textOf(address, drift.ByID, all))
			default:
				// It exists from the first creation by hand that no deletion comes behind.
				last := -1

				for i, e := range all {
					switch {
					case e.Operation == auditlog.OperationDelete:
						last = -1
					case e.Operation == auditlog.OperationCreate && byHand(&e) && last < 0:
						last = i
					}
				}

				if last >= 0 {
					created = append(created, fmt.Sprintf("upcloud %s by_id %s:create", id, all[last].Actor))
				}
			}
		}

		got, err := drift.Compare(t.Context(), newLog(t, auditlog.ServiceUpCloud, entries...), theMonth(), drift.Options{
			Resources: resources, Pipeline: drift.Pipeline{Actors: []string{terraform}}, AsOf: theMonth().Window.End,
		})
		if err != nil {
			rt.Fatal(err)
		}

		gotCreated := told(got.Created)
		slices.Sort(gotCreated)
		slices.Sort(created)

		for _, p := range []struct {
			name      string
			got, want []string
		}{
			{"changed", told(got.Changed), changed},
			{"deleted", told(got.Deleted), deleted},
			{"created", gotCreated, created},
		} {
			if diff := gocmp.Diff(append([]string{}, p.want...), p.got); diff != "" {
				rt.Errorf("%s: %s", p.name, diff)
			}
		}

		if len(got.Unexplained) > 0 {
			rt.Errorf("unexplained: %q", told(got.Unexplained))
		}
	})
}

// Whatever the log says of names, nobody's deed gets lost: each one by hand that changes something is in a row of the
// resource, or was done to one that has the name afterwards, and is told of that, or counted.
func TestHistoriesByName(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		entries := drawHistory(rt, auditlog.ServiceCloudscale)
		for i := range entries {
			entries[i].ActorType = auditlog.ActorUser
		}

		asOf := noon.Add(time.Duration(rapid.IntRange(0, 26).Draw(rt, "as of"))*time.Hour + time.Minute)

		got, err := drift.Compare(t.Context(), newLog(t, auditlog.ServiceCloudscale, entries...), theMonth(), drift.Options{
			Resources: []drift.Resource{{Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a"}},
			Pipeline:  drift.Pipeline{Actors: []string{terraform}}, AsOf: asOf,
		})
		if err != nil {
			rt.Fatal(err)
		}

		all := done(entries, "a")
		rows := slices.Concat(got.Changed, got.Deleted, got.Unexplained)

		// The thing of the state is the one that had the name when it was written, and those that had it before. It ends
		// where another one is created after that, while there is none.
		end, twice := len(all), false

		for i, e := range all {
			gone, _ := goneNaively(all[:i])
			piped := slices.ContainsFunc(all[:i], func(e auditlog.Entry) bool { return !byHand(&e) })
			late := e.Time.After(asOf)

			if e.Operation == auditlog.OperationCreate && gone && late {
				end = i

				break
			}

			switch {
			case e.Operation != auditlog.OperationCreate:
				twice = twice || gone
			case gone:
				twice = twice || !piped
			default:
				twice = twice || i > 0 || late || byHand(&e)
			}
		}

		var (
			created int
			unknown int64
		)

		for _, thing := range []string{"a", "b", "c", "d"} {
			others := done(entries, thing)
			if thing == "a" {
				others = others[end:]
			}

			there, n := createdNaively(others)
			unknown += n

			if there {
				created++
			}
		}

		if len(got.Created) != created || got.Unattributed != unknown {
			rt.Fatalf("created %q, want %d; %d entries of nobody, want %d", told(got.Created), created, got.Unattributed, unknown)
		}

		hand := slices.ContainsFunc(all[:end], func(e auditlog.Entry) bool { return byHand(&e) })
		if hand != (len(rows) == 1) {
			rt.Fatalf("%q of %v", told(rows), all)
		}

		if len(rows) == 1 && (rows[0].Reason == drift.AmbiguousName) != twice {
			rt.Fatalf("ambiguous %v: %q", twice, told(rows))
		}

		if len(rows) == 1 {
			want := 0

			for _, e := range all[:end] {
				if byHand(&e) {
					want++
				}
			}

			if int(rows[0].EventCount) != want {
				rt.Fatalf("%q, want %d events", told(rows), want)
			}
		}
	})
}
