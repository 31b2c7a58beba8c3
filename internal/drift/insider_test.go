// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"slices"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

const webID = "00000000-0000-4000-8000-00000000000a"

// deed is one thing that somebody does.
type deed struct {
	who    string
	op     auditlog.Operation
	target string
}

// deeds are done an hour apart, to servers.
func deeds(service string, all ...deed) *history {
	h := &history{service: service}
	for _, d := range all {
		h.add(d.who, d.op, "server", d.target)
	}

	return h
}

const (
	update = auditlog.OperationUpdate
	create = auditlog.OperationCreate
	remove = auditlog.OperationDelete
	stop   = auditlog.OperationStop
)

// Nobody hides what they did by having the thing made anew under its name, by themselves or by the pipeline.
func TestMadeAnewUnderItsName(t *testing.T) {
	t.Parallel()

	server := drift.Resource{Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a", ID: "1"}
	pipeline := drift.Pipeline{Actors: []string{terraform}}

	for name, test := range map[string]struct {
		deeds                                  []deed
		asOf                                   time.Duration
		changed, deleted, created, unexplained []string
		unattributed                           int64
	}{
		"the pipeline replaces what was changed": {
			deeds:   []deed{{terraform, create, "a"}, {mia, update, "a"}, {terraform, remove, "a"}, {terraform, create, "a"}},
			changed: []string{"cloudscale_server.a by_name mia.ops:update (reverted) all reverted"},
		},
		"the pipeline makes anew what was deleted": {
			deeds:   []deed{{terraform, update, "a"}, {mia, remove, "a"}, {terraform, create, "a"}},
			changed: []string{"cloudscale_server.a by_name mia.ops:delete (reverted) all reverted"},
		},
		"changed again since": {
			deeds:   []deed{{terraform, update, "a"}, {mia, remove, "a"}, {terraform, create, "a"}, {mia, stop, "a"}},
			changed: []string{"cloudscale_server.a by_name mia.ops:delete (reverted) mia.ops:stop"},
		},
		"deleted and made anew by hand": {
			deeds:   []deed{{terraform, create, "a"}, {mia, remove, "a"}, {mia, create, "a"}},
			changed: []string{"cloudscale_server.a by_name mia.ops:delete mia.ops:create"},
		},
		"nobody knows whose the first one was": {
			deeds:       []deed{{mia, remove, "a"}, {terraform, create, "a"}},
			unexplained: []string{"cloudscale_server.a by_name ambiguous_name mia.ops:delete"},
		},
		"made by hand under the name of what there is": {
			deeds:       []deed{{mia, create, "a"}, {terraform, update, "a"}},
			unexplained: []string{"cloudscale_server.a by_name ambiguous_name mia.ops:create"},
		},
		"made anew after the state was written": {
			deeds: []deed{{terraform, update, "a"}, {mia, remove, "a"}, {mia, create, "a"}}, asOf: time.Hour,
			deleted: []string{"cloudscale_server.a by_name mia.ops:delete"},
			created: []string{"cloudscale a by_name mia.ops:create after state"},
		},
		"what is done to the next one": {
			deeds: []deed{{mia, remove, "a"}, {terraform, create, "a"}, {mia, stop, "a"}}, asOf: time.Hour - time.Minute,
			deleted: []string{"cloudscale_server.a by_name mia.ops:delete"}, unattributed: 1,
		},
		"something is still done to what is gone": {
			deeds:       []deed{{terraform, update, "a"}, {mia, remove, "a"}, {jonas, stop, "a"}},
			unexplained: []string{"cloudscale_server.a by_name ambiguous_name mia.ops:delete jonas:stop"},
		},
	} {
		h := deeds(auditlog.ServiceCloudscale, test.deeds...)
		o := drift.Options{Resources: []drift.Resource{server}, Pipeline: pipeline}

		if test.asOf > 0 {
			o.AsOf = noon.Add(test.asOf).Add(time.Minute)
		}

		got := compare(t, newLog(t, auditlog.ServiceCloudscale, h.entries...), o)

		expect(t, name, got.Changed, test.changed...)
		expect(t, name, got.Deleted, test.deleted...)
		expect(t, name, got.Created, test.created...)
		expect(t, name, got.Unexplained, test.unexplained...)

		if got.Unattributed != test.unattributed {
			t.Errorf("%s: %d entries say nothing of what they change", name, got.Unattributed)
		}
	}
}

const jonas = "jonas"

// A name that no resource has may be that of one that somebody renamed.
func TestNamesOfNobody(t *testing.T) {
	t.Parallel()

	h := deeds(
		auditlog.ServiceCloudscale,
		deed{mia, update, "renamed"}, deed{mia, stop, "renamed"}, deed{terraform, update, "other"},
		// What was made by hand is told of as such; a resource may have been renamed to be taken for it.
		deed{mia, create, "new"}, deed{mia, update, "new"}, deed{mia, create, "gone"}, deed{mia, remove, "gone"},
		// What the pipeline made is of another state.
		deed{terraform, create, "made"}, deed{mia, update, "made"},
	)
	h.add(mia, update, "api_token", "sneaky")

	got := compare(t, newLog(t, auditlog.ServiceCloudscale, h.entries...), drift.Options{
		Resources: []drift.Resource{{Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a", ID: "1"}},
		Pipeline:  drift.Pipeline{Actors: []string{terraform}},
	})

	if got.Unattributed != 5 || !got.Doubtful() {
		t.Errorf("%d entries may be about what was renamed", got.Unattributed)
	}

	// An entry of a log that has ids may lack one.
	h = &history{service: auditlog.ServicePodStack}
	h.add(mia, update, "Pod", "").ResourceName = "trainer"

	got = compare(t, newLog(t, auditlog.ServicePodStack, h.entries...), drift.Options{
		Resources: []drift.Resource{{Address: "podstack_pod.a", Type: "podstack_pod", ID: "p-1", Name: "trainer"}},
	})
	if got.Unattributed != 1 {
		t.Errorf("%d entries name a thing and have no id", got.Unattributed)
	}
}

// What is gone stays gone, whatever the log says of it afterwards, and the first who deleted it did so.
func TestAfterADeletion(t *testing.T) {
	t.Parallel()

	gone := drift.Resource{
		Address: "upcloud_server.a", Type: "upcloud_server", ID: webID, Seen: &drift.Seen{Deleted: true},
	}

	for name, more := range map[string]deed{
		"the cloud detaches it": {"", auditlog.OperationDetach, webID}, "it is stopped": {jonas, stop, webID},
		"the pipeline deletes it as well": {terraform, remove, webID},
	} {
		h := deeds(auditlog.ServiceUpCloud, deed{mia, remove, webID}, more)
		got := compare(t, newLog(t, auditlog.ServiceUpCloud, h.entries...), drift.Options{
			Resources: []drift.Resource{gone}, Pipeline: drift.Pipeline{Actors: []string{terraform}},
		})

		if len(got.Deleted) != 1 || got.Deleted[0].Events[0].Actor != mia || len(got.Unexplained) > 0 {
			t.Errorf("%s: deleted %q, unexplained %q", name, told(got.Deleted), told(got.Unexplained))
		}
	}
}

// A log may tell that a field changed, and not from what to what.
func TestFieldsWithoutValues(t *testing.T) {
	t.Parallel()

	value := `"a"`

	for name, set := range map[string]auditlog.Change{
		"neither says": {Field: "image"}, "one says": {Field: "image", Before: &value},
	} {
		h := &history{service: auditlog.ServicePodStack}
		h.add(mia, update, "Pod", "p-1", auditlog.Change{Field: "image"})
		h.add(terraform, update, "Pod", "p-1", set).ActorID = "ci-1"

		got := compare(t, newLog(t, auditlog.ServicePodStack, h.entries...), drift.Options{
			Resources: []drift.Resource{{Address: "podstack_pod.a", Type: "podstack_pod", ID: "p-1"}},
			Pipeline:  drift.Pipeline{Actors: []string{"ci-1"}},
		})
		expect(t, name, got.Changed, "podstack_pod.a by_id mia.ops:update")
	}
}

// What is done after a plan was made does not explain what is in the plan.
func TestDoneAfterThePlan(t *testing.T) {
	t.Parallel()

	h := deeds(auditlog.ServiceUpCloud, deed{mia, update, webID})
	web := drift.Resource{Address: "upcloud_server.a", Type: "upcloud_server", ID: webID}

	for name, test := range map[string]struct {
		made time.Time
		want drift.Reason
	}{
		"long before":       {noon.Add(-time.Hour), drift.OtherTime},
		"while it was made": {noon.Add(40 * time.Minute), ""},
		"later":             {noon.Add(2 * time.Hour), ""},
		"nobody knows when": {time.Time{}, ""},
	} {
		web.Seen = &drift.Seen{Changes: []auditlog.Change{set("plan", "1", "2")}, At: test.made}
		got := compare(t, newLog(t, auditlog.ServiceUpCloud, h.entries...), drift.Options{Resources: []drift.Resource{web}})

		rows := slices.Concat(got.Changed, got.Unexplained)
		if len(rows) != 1 || rows[0].Reason != test.want || len(rows[0].Events) != 1 ||
			(len(got.Unexplained) == 1) != (test.want != "") {
			t.Errorf("%s: got %q", name, told(rows))
		}
	}
}

// Names are those of the things that a state is of, however often and by whatever it tells of them.
func TestOneThingGivenTwice(t *testing.T) {
	t.Parallel()

	h := deeds(auditlog.ServiceCloudscale, deed{mia, update, "a"}, deed{mia, stop, "b"})
	l := newLog(t, auditlog.ServiceCloudscale, h.entries...)
	state := &drift.Inventory{Resources: []drift.Resource{
		{Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a", ID: "A-1"},
	}}
	// A configuration gives the name.
	managed := &drift.Inventory{Resources: []drift.Resource{
		drift.NewResource("cloudscale_server.a", "cloudscale_server", "a"),
	}}
	// The address before it was moved.
	moved := &drift.Inventory{Resources: []drift.Resource{
		{Address: "cloudscale_server.old", Type: "cloudscale_server", Name: "a", ID: "a-1"},
	}}

	const want = "cloudscale_server.a by_name mia.ops:update"

	got := compare(t, l, drift.Options{Resources: drift.Merge(state, managed)})
	expect(t, "state and configuration", got.Changed, want)

	got = compare(t, l, drift.Options{Resources: drift.Merge(managed, state, state)})
	expect(t, "configuration and state", got.Changed, want)

	got = compare(t, l, drift.Options{Resources: drift.Merge(state, moved)})
	expect(t, "two addresses", got.Changed, want, "cloudscale_server.old by_name mia.ops:update")

	// A plan knows the name before and the name now.
	got = compare(t, l, drift.Options{Resources: []drift.Resource{{
		Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "b", FormerName: "a", ID: "1",
		Seen: &drift.Seen{Changes: []auditlog.Change{set("name", `"a"`, `"b"`)}},
	}}})
	expect(t, "renamed", got.Changed, "cloudscale_server.a by_name mia.ops:update mia.ops:stop")
}

// Things that both people and the pipeline work on, and that are in no given state, are counted: Terraform may have
// made new ones of them since.
func TestFormerThings(t *testing.T) {
	t.Parallel()

	id := func(n string) string { return "00000000-0000-4000-8000-00000000000" + n }
	h := deeds(
		auditlog.ServiceUpCloud, deed{mia, update, id("1")}, deed{terraform, remove, id("1")},
		deed{terraform, create, id("2")}, deed{mia, remove, id("2")},
		deed{mia, stop, id("3")}, deed{terraform, create, id("4")},
	)

	got := compare(t, newLog(t, auditlog.ServiceUpCloud, h.entries...), drift.Options{
		Resources: []drift.Resource{{Address: "upcloud_server.a", Type: "upcloud_server", ID: webID}},
		Pipeline:  drift.Pipeline{Actors: []string{terraform}},
	})

	if got.Former != 2 || got.FormerExample.ResourceID != id("1") || !got.Doubtful() || got.Matched != 0 {
		t.Errorf("%d things, such as %s; %d entries matched", got.Former, got.FormerExample.ResourceID, got.Matched)
	}
}

// That something was created by hand is told, also where the log does not say what.
func TestCreationsOfNothing(t *testing.T) {
	t.Parallel()

	h := deeds(auditlog.ServiceCloudscale, deed{mia, create, ""}, deed{terraform, create, ""}, deed{mia, stop, ""})
	h.add(mia, create, "api_token", "")

	got := compare(t, newLog(t, auditlog.ServiceCloudscale, h.entries...), drift.Options{
		Resources: []drift.Resource{{Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a", ID: "1"}},
		Pipeline:  drift.Pipeline{Actors: []string{terraform}},
	})

	expect(t, "created", got.Created, "cloudscale   unnamed mia.ops:create")

	if got.Unattributed != 2 || drift.Unnamed.Text() == "" {
		t.Errorf("%d entries say nothing of what they change", got.Unattributed)
	}
}

// What was reverted before a plan was made does not explain what is in the plan, and what was reverted afterwards does.
func TestRevertedBeforeThePlan(t *testing.T) {
	t.Parallel()

	h := &history{service: auditlog.ServiceUpCloud}
	h.add(mia, update, "server", webID, set("plan", "1", "2"))
	h.add(terraform, update, "server", webID, set("plan", "2", "1"))

	for hours, want := range map[int]drift.Reason{1: "", 2: "", 4: drift.OtherTime} {
		web := drift.Resource{Address: "upcloud_server.a", Type: "upcloud_server", ID: webID, Seen: &drift.Seen{
			Changes: []auditlog.Change{set("title", "1", "2")}, At: noon.Add(time.Duration(hours) * time.Hour),
		}}
		got := compare(t, newLog(t, auditlog.ServiceUpCloud, h.entries...), drift.Options{
			Resources: []drift.Resource{web}, Pipeline: drift.Pipeline{Actors: []string{terraform}},
		})

		rows := slices.Concat(got.Changed, got.Unexplained)
		if len(rows) != 1 || rows[0].Reason != want || !rows[0].Reverted || (len(got.Unexplained) == 1) != (want != "") {
			t.Errorf("%d hours later: got %q", hours, told(rows))
		}
	}
}

// A state that is older than another one says nothing of when that was written.
func TestStatesOfTwoAges(t *testing.T) {
	t.Parallel()

	// Terraform replaces a server, after one state was written and before the other.
	h := deeds(
		auditlog.ServiceCloudscale,
		deed{terraform, remove, "a"}, deed{terraform, create, "a"}, deed{mia, stop, "a"}, deed{mia, stop, "b"},
	)
	server := func(name string) []drift.Resource {
		return []drift.Resource{{Address: "cloudscale_server." + name, Type: "cloudscale_server", Name: name, ID: name}}
	}
	old := &drift.Inventory{Resources: server("b"), Written: noon}
	recent := &drift.Inventory{Resources: server("a"), Written: noon.Add(24 * time.Hour)}

	got := compare(t, newLog(t, auditlog.ServiceCloudscale, h.entries...), drift.Options{
		Resources: drift.Merge(old, recent), Pipeline: drift.Pipeline{Actors: []string{terraform}}, AsOf: noon,
	})
	expect(t, "changed", got.Changed, "cloudscale_server.a by_name mia.ops:stop", "cloudscale_server.b by_name mia.ops:stop")
}

// What a plan has is not what was deleted before under its name.
func TestDeletedUnderItsName(t *testing.T) {
	t.Parallel()

	h := deeds(auditlog.ServiceCloudscale, deed{terraform, update, "a"}, deed{mia, remove, "a"})

	for name, test := range map[string]struct {
		planned bool
		seen    *drift.Seen
		hours   int
		deleted bool
	}{
		"it is there":              {true, nil, 4, false},
		"it is there, and changed": {true, &drift.Seen{}, 4, false},
		"it is gone":               {true, &drift.Seen{Deleted: true}, 4, true},
		"the plan is older":        {true, nil, 1, true},
		"there is a state only":    {false, nil, 4, true},
	} {
		got := compare(t, newLog(t, auditlog.ServiceCloudscale, h.entries...), drift.Options{
			Resources: []drift.Resource{{
				Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a", ID: "1", Planned: test.planned,
				Seen: test.seen, AsOf: noon.Add(time.Duration(test.hours) * time.Hour),
			}},
			Pipeline: drift.Pipeline{Actors: []string{terraform}},
		})

		rows := slices.Concat(got.Deleted, got.Unexplained)
		if len(rows) != 1 || (len(got.Deleted) == 1) != test.deleted || test.deleted != (rows[0].Reason == "") {
			t.Errorf("%s: deleted %q, unexplained %q", name, told(got.Deleted), told(got.Unexplained))
		}
	}
}
