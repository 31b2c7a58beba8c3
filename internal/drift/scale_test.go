// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// liveHeap is how many bytes are in use.
func liveHeap() int64 {
	var m runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc)
}

// servers are resources of a cloud, by id or by name.
func servers(service string, n int) []drift.Resource {
	all := make([]drift.Resource, n)
	for i := range all {
		all[i] = drift.Resource{
			Address: fmt.Sprintf("%s_server.web[%d]", service, i), Type: service + "_server",
			ID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i), Name: fmt.Sprint("web-", i),
		}
	}

	return all
}

// deed is an entry that does something to a server.
func deedBy(service string, n int, actor string, op auditlog.Operation, target *drift.Resource) auditlog.Entry {
	e := auditlog.Entry{
		ID: fmt.Sprintf("%08d", n), Time: noon.Add(time.Duration(n) * time.Second), Service: service,
		Action: string(op), Operation: op, Actor: actor, ActorType: auditlog.ActorUser, ResourceType: "server",
	}

	if service == auditlog.ServiceCloudscale {
		e.ResourceName = target.Name
	} else {
		e.ResourceID = target.ID
	}

	return e
}

// variousDeeds is a log in which all of what is kept is replaced again and again: events, the values that fields had,
// what was created and is gone, and actions that nobody knows.
func variousDeeds(service string, resources []drift.Resource, n int) func(yield func(auditlog.Entry) bool) {
	return func(yield func(auditlog.Entry) bool) {
		for i := range n {
			// Those that are used are all used often before the heap is looked at first.
			target := &resources[i/10%500]
			actor, op, changes := mia, auditlog.OperationUpdate, []auditlog.Change(nil)
			other := drift.Resource{ID: fmt.Sprintf("%08d-1111-4000-8000-000000000000", i/10), Name: fmt.Sprint("new-", i/10)}

			switch i % 10 {
			case 0:
				changes = []auditlog.Change{set("plan", `"2"`, `"4"`)}
			case 1: // A field that nobody changed before.
				target = &resources[0]
				changes = []auditlog.Change{set(fmt.Sprint("labels.", i), fmt.Sprint(i), fmt.Sprint(i+1))}
			case 2:
				actor, changes = terraform, []auditlog.Change{set("plan", `"4"`, `"2"`)}
			case 3:
				op, target = auditlog.OperationCreate, &other
			case 4:
				op, target = auditlog.OperationDelete, &other
			case 5:
				op, target = auditlog.OperationOther, &other
			case 6:
				op = auditlog.OperationDelete
			case 7:
				op = auditlog.OperationCreate
			case 8:
				actor, target = "chosen", &resources[1]
			default:
				target = &drift.Resource{} // It names nothing.
			}

			e := deedBy(service, i, actor, op, target)
			e.Changes, e.Raw = changes, make([]byte, 1000)

			switch i % 10 {
			case 5:
				e.Action = fmt.Sprint("frobnicate-", i)
			case 8:
				e.ActorType, e.ActorID = auditlog.ActorAPIToken, fmt.Sprint("token-", i)
			}

			if !yield(e) {
				return
			}
		}
	}
}

// Ten thousand resources and a million entries: memory is that of the resources, and the same after a million entries
// as after a hundred thousand.
func TestMemoryStaysFlat(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	const early, late = 100_000, 1_000_000

	for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
		resources := servers(service, 10_000)
		l := newLog(t, service)
		heap, read := map[int]int64{}, 0

		l.entries = func(yield func(auditlog.Entry) bool) {
			for e := range variousDeeds(service, resources, late) {
				if read++; read == early || read == late {
					heap[read] = liveHeap()
				}

				if !yield(e) {
					return
				}
			}
		}

		got := compare(t, l, drift.Options{
			Resources: resources, Pipeline: drift.Pipeline{Actors: []string{terraform, "chosen"}},
		})

		t.Logf("%s: %d KiB after %d entries, %d KiB after %d", service, heap[early]>>10, early, heap[late]>>10, late)

		if grown := heap[late] - heap[early]; heap[early] == 0 || grown > 4<<20 {
			t.Errorf("%s: the heap grew by %d bytes from %d", service, grown, heap[early])
		}

		// In a log of names nobody knows whether what has another name has always had it.
		unknown := int64(late / 10)
		if service == auditlog.ServiceCloudscale {
			unknown *= 3
		}

		rows := slices.Concat(got.Changed, got.Unexplained)
		if got.Entries != late || len(rows) != 500 || len(got.Created) != 0 || got.Unattributed != unknown {
			t.Errorf("%s: %d entries, %d rows, %d created, %d say nothing", service, got.Entries, len(rows),
				len(got.Created), got.Unattributed)
		}

		for _, r := range rows {
			// What has a name is another thing once it was deleted and created.
			if service == auditlog.ServiceUpCloud && (r.EventCount < late/10/500 || len(r.Events) != drift.MostEvents) {
				t.Fatalf("%s: %d events, of which there are %d", r.Address, r.EventCount, len(r.Events))
			}

			for _, e := range r.Events {
				if e.Raw != nil {
					t.Fatal("a record is kept whole")
				}
			}
		}
	}
}

// Whatever a log holds, what is kept of it has an end: more is an error, and what is gone again does not count.
func TestLogsOfLargeEntries(t *testing.T) {
	t.Parallel()

	const (
		size  = 1 << 20
		times = 3 * drift.MostHeld / size
	)

	text := `"` + strings.Repeat("x", size-2) + `"`
	large := []auditlog.Change{{Field: "user_data", Before: &text}}

	for name, test := range map[string]struct {
		service string
		entry   func(i int, resources []drift.Resource) auditlog.Entry
		fails   bool
	}{
		"changes of one resource": {auditlog.ServiceUpCloud, func(i int, resources []drift.Resource) auditlog.Entry {
			e := deedBy(auditlog.ServiceUpCloud, i, mia, auditlog.OperationUpdate, &resources[0])
			e.Changes = large

			return e
		}, false},
		"messages about one": {auditlog.ServiceCloudscale, func(i int, resources []drift.Resource) auditlog.Entry {
			e := deedBy(auditlog.ServiceCloudscale, i, mia, auditlog.OperationUpdate, &resources[0])
			e.Message = text

			return e
		}, false},
		"changes of many resources": {auditlog.ServiceUpCloud, func(i int, resources []drift.Resource) auditlog.Entry {
			e := deedBy(auditlog.ServiceUpCloud, i, mia, auditlog.OperationUpdate, &resources[i])
			e.Changes = large

			return e
		}, true},
		"many fields of one": {auditlog.ServiceUpCloud, func(i int, resources []drift.Resource) auditlog.Entry {
			e := deedBy(auditlog.ServiceUpCloud, i, mia, auditlog.OperationUpdate, &resources[0])
			e.Changes = []auditlog.Change{{Field: fmt.Sprint(i), Before: &text}}

			return e
		}, true},
		"fields that are set back": {auditlog.ServiceUpCloud, func(i int, resources []drift.Resource) auditlog.Entry {
			actor := []string{mia, terraform}[i%2]
			e := deedBy(auditlog.ServiceUpCloud, i, actor, auditlog.OperationUpdate, &resources[0])
			e.Changes = []auditlog.Change{{Field: fmt.Sprint(i / 2), Before: &text}}

			return e
		}, false},
		"things that are created": {auditlog.ServiceUpCloud, func(i int, _ []drift.Resource) auditlog.Entry {
			e := deedBy(auditlog.ServiceUpCloud, i, mia, auditlog.OperationCreate, &drift.Resource{ID: fmt.Sprint(i)})
			e.Changes = large

			return e
		}, true},
		"things with long names": {auditlog.ServiceCloudscale, func(i int, _ []drift.Resource) auditlog.Entry {
			name := text + fmt.Sprint(i)

			return deedBy(auditlog.ServiceCloudscale, i, terraform, auditlog.OperationCreate, &drift.Resource{Name: name})
		}, true},
		"things that are deleted again": {auditlog.ServiceUpCloud, func(i int, _ []drift.Resource) auditlog.Entry {
			op := []auditlog.Operation{auditlog.OperationCreate, auditlog.OperationDelete}[i%2]
			e := deedBy(auditlog.ServiceUpCloud, i, mia, op, &drift.Resource{ID: fmt.Sprint(i / 2)})
			e.Changes = large

			return e
		}, false},
		"resources that are made anew": {auditlog.ServiceCloudscale, func(i int, resources []drift.Resource) auditlog.Entry {
			op := []auditlog.Operation{auditlog.OperationCreate, auditlog.OperationDelete}[i%2]
			// Each one is made anew for half of the most events, so that none is replaced; who did it stays of interest.
			e := deedBy(auditlog.ServiceCloudscale, i, mia, op, &resources[i/drift.MostEvents])
			e.Message = text

			return e
		}, true},
		"creations that name nothing": {auditlog.ServiceCloudscale, func(i int, _ []drift.Resource) auditlog.Entry {
			e := deedBy(auditlog.ServiceCloudscale, i, mia, auditlog.OperationCreate, &drift.Resource{})
			e.Message = text

			return e
		}, true},
	} {
		resources := servers(test.service, times)
		l := newLog(t, test.service)
		l.entries = func(yield func(auditlog.Entry) bool) {
			for i := range times {
				if !yield(test.entry(i, resources)) {
					return
				}
			}
		}

		_, err := drift.Compare(t.Context(), l, theMonth(), drift.Options{
			Resources: resources, Pipeline: drift.Pipeline{Actors: []string{terraform}}, AsOf: theMonth().Window.End,
		})

		if failed := errors.As(err, new(*drift.TooLargeError)); failed != test.fails || err != nil && !failed {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What is counted of what is kept is most of the memory that it takes, for large entries and for small ones.
func TestMemoryOfLargeEntries(t *testing.T) { //nolint:paralleltest // It measures the heap.
	if raceflag.Enabled {
		t.Skip("the race detector has a heap of its own; make simulate runs this without it")
	}

	resources := servers(auditlog.ServiceUpCloud, 1)

	for name, changes := range map[string]func() []auditlog.Change{
		"one large change": func() []auditlog.Change {
			return []auditlog.Change{set("user_data", strings.Repeat("x", 20_000), "1")}
		},
		"many small changes": func() (all []auditlog.Change) {
			for i := range 500 {
				all = append(all, set(fmt.Sprint("a.", i), fmt.Sprint(i), fmt.Sprint(i+1)))
			}

			return all
		},
	} {
		before, highest, read := liveHeap(), int64(0), 0

		l := newLog(t, auditlog.ServiceUpCloud)
		l.entries = func(yield func(auditlog.Entry) bool) {
			for i := range drift.MostCreated {
				if i%1000 == 0 {
					highest = max(highest, liveHeap()-before)
				}

				read++

				e := deedBy(auditlog.ServiceUpCloud, i, mia, auditlog.OperationCreate, &drift.Resource{ID: fmt.Sprint("id-", i)})
				if e.Changes = changes(); !yield(e) {
					return
				}
			}
		}

		_, err := drift.Compare(t.Context(), l, theMonth(), drift.Options{Resources: resources, AsOf: noon})
		if !errors.As(err, new(*drift.TooLargeError)) {
			t.Errorf("%s: got %v", name, err)
		}

		t.Logf("%s: at most %d MiB of %d entries", name, highest>>20, read)

		if most := int64(drift.MostHeld) * 5 / 4; highest > most || highest < most/4 {
			t.Errorf("%s: the heap grew by %d bytes", name, highest)
		}
	}
}
