// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// history makes entries an hour apart.
type history struct {
	service string
	entries []auditlog.Entry
}

const (
	terraform = "terraform-ci"
	mia       = "mia.ops"
)

func (h *history) add(
	actor string, op auditlog.Operation, logType, target string, changes ...auditlog.Change,
) *auditlog.Entry {
	n := len(h.entries)
	e := auditlog.Entry{
		ID: fmt.Sprintf("%04d", n), Time: noon.Add(time.Duration(n+1) * time.Hour), Service: h.service, Action: string(op),
		Operation: op, ActorType: auditlog.ActorUser, Actor: actor, ResourceType: logType, IPAddress: "198.51.100.23",
		AuthType: "api", Changes: changes,
	}

	if h.service == auditlog.ServiceCloudscale {
		e.Action, e.ResourceName = logType+"_"+string(op), target
	} else {
		e.ResourceID = target
	}

	h.entries = append(h.entries, e)

	return &h.entries[n]
}

func set(field, before, after string) auditlog.Change {
	return auditlog.Change{Field: field, Before: &before, After: &after}
}

// told are rows as short texts.
func told(rows []drift.Row) []string {
	all := make([]string, 0, len(rows))

	for _, r := range rows {
		var text strings.Builder

		text.WriteString(cmp.Or(r.Address, r.Service+" "+r.ID+r.Name) + " " + string(r.Match))

		if r.Reason != "" {
			text.WriteString(" " + string(r.Reason))
		}

		for _, e := range r.Events {
			fmt.Fprintf(&text, " %s:%s", e.Actor, e.Operation)

			if e.Reverted {
				text.WriteString(" (reverted)")
			}
		}

		if r.Reverted {
			text.WriteString(" all reverted")
		}

		if r.AfterState {
			text.WriteString(" after state")
		}

		all = append(all, text.String())
	}

	return all
}

func expect(t *testing.T, name string, got []drift.Row, want ...string) {
	t.Helper()

	if diff := gocmp.Diff(append([]string{}, want...), told(got)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// idOf is the id of a resource in the fixtures.
func idOf(t *testing.T, address string) string {
	t.Helper()

	for _, r := range inventory(t, "state.json").Resources {
		if r.Address == address {
			id, _, _ := strings.Cut(r.ID, "/")

			return id
		}
	}

	t.Fatalf("%s is not in the fixtures", address)

	return ""
}

// Each change by hand in a plan that Terraform made is found with its author, and nothing that the pipeline did.
func TestPlannedMonthOfUpCloud(t *testing.T) {
	t.Parallel()

	h := &history{service: auditlog.ServiceUpCloud}
	web, front := idOf(t, `upcloud_server.web["blue"]`), idOf(t, "upcloud_loadbalancer.front")
	network := idOf(t, "upcloud_network.private")

	h.add(terraform, auditlog.OperationCreate, "server", web)
	h.add(terraform, auditlog.OperationCreate, "managed-loadbalancer", front)
	// An id in capitals is the same id.
	h.add(mia, auditlog.OperationUpdate, "server", strings.ToUpper(web), set("plan", `"2xCPU-4GB"`, `"4xCPU-8GB"`))
	h.add(mia, auditlog.OperationUpdate, "managed-loadbalancer", front, set("plan", `"a"`, `"b"`))
	h.add(terraform, auditlog.OperationUpdate, "managed-loadbalancer", front, set("plan", `"b"`, `"a"`))
	h.add("jonas", auditlog.OperationDelete, "storage", idOf(t, "upcloud_storage.data[1]"))
	h.add("jonas", auditlog.OperationUpdate, "uks", idOf(t, "upcloud_kubernetes_cluster.main"))
	h.add("jonas", auditlog.OperationUpdate, "network", network, set("name", `"private"`, `"x"`))
	h.add(mia, auditlog.OperationUpdate, "network", network, set("name", `"x"`, `"y"`))
	h.add(terraform, auditlog.OperationUpdate, "network", network, set("name", `"y"`, `"private"`))
	h.add(mia, auditlog.OperationRead, "server", web)
	h.add(terraform, auditlog.OperationUpdate, "managed-database", idOf(t, "module.database.upcloud_managed_database_postgresql.main"))
	// What is created, and what of it is gone again.
	h.add(mia, auditlog.OperationCreate, "server", "00000000-0000-4000-8000-000000000001")
	h.add(mia, auditlog.OperationCreate, "server", "00000000-0000-4000-8000-000000000002")
	h.add("jonas", auditlog.OperationDelete, "server", "00000000-0000-4000-8000-000000000002")
	h.add(terraform, auditlog.OperationCreate, "server", "00000000-0000-4000-8000-000000000003")
	h.add(mia, auditlog.OperationCreate, "auth", "")
	h.add(mia, auditlog.OperationCreate, "ssh-key", "12345")

	got := compare(t, newLog(t, auditlog.ServiceUpCloud, h.entries...), drift.Options{
		Resources: inventory(t, "plan.json").Resources, Pipeline: drift.Pipeline{Actors: []string{terraform}},
	})

	expect(
		t, "changed", got.Changed,
		"upcloud_kubernetes_cluster.main by_id jonas:update",
		"upcloud_kubernetes_node_group.workers by_container jonas:update",
		"upcloud_loadbalancer.front by_id mia.ops:update (reverted) all reverted",
		"upcloud_network.private by_id jonas:update (reverted) mia.ops:update (reverted) all reverted",
		`upcloud_server.web["blue"] by_id mia.ops:update`,
	)
	expect(t, "deleted", got.Deleted, "upcloud_storage.data[1] by_id jonas:delete")
	expect(t, "created", got.Created, "upcloud 00000000-0000-4000-8000-000000000001 by_id mia.ops:create")
	expect(
		t, "unexplained", got.Unexplained,
		"cloudscale_server.api  other_service",
		"cloudscale_server.twin[0]  other_service",
		"cloudscale_volume.cache  other_service",
		"module.database.upcloud_managed_database_postgresql.main by_id only_pipeline",
		"upcloud_managed_object_storage.logs by_id before_window",
		"upcloud_router.main by_id not_in_log",
	)

	unmatched := map[string]int{}
	for _, u := range got.Unmatched {
		unmatched[string(u.Reason)+" "+u.Type] = u.Count
	}

	if diff := gocmp.Diff(map[string]int{
		"foreign_provider dns_record": 1, "not_in_log upcloud_tag": 1, "not_in_log upcloud_router": 1,
		"other_service cloudscale_server": 3, "other_service cloudscale_volume": 1, "other_service cloudscale_network": 1,
		"other_service cloudscale_subnet": 1, "other_service cloudscale_floating_ip": 1,
		"other_service cloudscale_objects_user": 1,
	}, unmatched); diff != "" {
		t.Error(diff)
	}

	if got.Entries != int64(len(h.entries)) || got.ByPipeline != 6 || !got.Completeness.Conclusive() {
		t.Errorf("%d entries, %d of the pipeline, %+v", got.Entries, got.ByPipeline, got.Completeness)
	}
}

func TestPlannedMonthOfCloudscale(t *testing.T) {
	t.Parallel()

	h := &history{service: auditlog.ServiceCloudscale}
	h.add("mia@example.com", auditlog.OperationUpdate, "server", "api-1")
	h.add("mia@example.com", auditlog.OperationUpdate, "server", "twin")
	token := h.add("terraform", auditlog.OperationUpdate, "volume", "cache")
	token.ActorType, token.ActorID = auditlog.ActorAPIToken, "3f0c9d54"
	h.add("mia@example.com", auditlog.OperationCreate, "server", "new-1")
	h.add("mia@example.com", auditlog.OperationAttach, "server_volume", "")
	h.add("mia@example.com", auditlog.OperationUpdate, "floating_ip", "192.0.2.123")
	h.add("mia@example.com", auditlog.OperationCreate, "api_token", "sneaky")

	l := newLog(t, auditlog.ServiceCloudscale, h.entries...)
	resources := inventory(t, "plan.json").Resources
	got := compare(t, l, drift.Options{Resources: resources, Pipeline: drift.Pipeline{Actors: []string{"3f0c9d54"}}})

	expect(
		t, "changed", got.Changed, "cloudscale_floating_ip.vip by_name mia@example.com:update",
		"cloudscale_server.api by_name mia@example.com:update",
	)
	expect(t, "deleted", got.Deleted)
	expect(t, "created", got.Created, "cloudscale new-1 by_name mia@example.com:create")
	expect(
		t, "unexplained", got.Unexplained,
		"cloudscale_server.twin[0] by_name ambiguous_name mia@example.com:update",
		"cloudscale_server.twin[1] by_name ambiguous_name mia@example.com:update",
		"cloudscale_volume.cache by_name only_pipeline",
		"module.database.upcloud_managed_database_postgresql.main  other_service",
		"upcloud_kubernetes_node_group.workers  other_service",
		"upcloud_managed_object_storage.logs  other_service",
		"upcloud_router.main  other_service",
		`upcloud_server.web["blue"]  other_service`,
		"upcloud_storage.data[1]  other_service",
	)

	if got.Unattributed != 1 || !got.Doubtful() {
		t.Errorf("%d entries say nothing of what they change", got.Unattributed)
	}

	// Anybody can call their token as the pipeline's is called.
	got = compare(t, l, drift.Options{Resources: resources, Pipeline: drift.Pipeline{Actors: []string{"terraform"}}})
	if diff := gocmp.Diff(map[string][]string{"terraform": {"3f0c9d54"}}, got.Chosen); diff != "" || got.ByPipeline != 0 {
		t.Errorf("%d entries of the pipeline: %s", got.ByPipeline, diff)
	}
}

// A name that was used before may be another thing's, and one that two things have at once is nobody's.
func TestNamesUsedTwice(t *testing.T) {
	t.Parallel()

	const update, create, remove = auditlog.OperationUpdate, auditlog.OperationCreate, auditlog.OperationDelete

	resources := []drift.Resource{{Address: "cloudscale_server.a", Type: "cloudscale_server", Name: "a", ID: "1"}}

	for name, test := range map[string]struct {
		ops                                    []auditlog.Operation
		asOf                                   int
		changed, deleted, created, unexplained []string
	}{
		"used before": {
			ops: []auditlog.Operation{update, remove, create}, asOf: 10,
			unexplained: []string{"cloudscale_server.a by_name ambiguous_name mia:update mia:delete mia:create"},
		},
		"used afterwards": {
			ops: []auditlog.Operation{update, remove, create, update}, asOf: 1,
			deleted: []string{"cloudscale_server.a by_name mia:update mia:delete"},
			created: []string{"cloudscale a by_name mia:create after state"},
		},
		"created while there is one": {
			ops: []auditlog.Operation{update, create}, asOf: 10,
			unexplained: []string{"cloudscale_server.a by_name ambiguous_name mia:update mia:create"},
		},
		"created after the state": {
			ops: []auditlog.Operation{create}, asOf: 0,
			unexplained: []string{"cloudscale_server.a by_name ambiguous_name mia:create"},
		},
		"its creation": {
			ops: []auditlog.Operation{create, update}, asOf: 10,
			changed: []string{"cloudscale_server.a by_name mia:create mia:update"},
		},
	} {
		h := &history{service: auditlog.ServiceCloudscale}
		for _, op := range test.ops {
			h.add("mia", op, "server", "a")
		}

		got := compare(t, newLog(t, auditlog.ServiceCloudscale, h.entries...), drift.Options{
			Resources: resources, AsOf: noon.Add(time.Duration(test.asOf) * time.Hour).Add(time.Minute),
		})

		expect(t, name, got.Changed, test.changed...)
		expect(t, name, got.Deleted, test.deleted...)
		expect(t, name, got.Created, test.created...)
		expect(t, name, got.Unexplained, test.unexplained...)
	}
}

// PodStack's log has ids and names: what has another id is another thing, whatever its name.
func TestPodStack(t *testing.T) {
	t.Parallel()

	h := &history{service: auditlog.ServicePodStack}
	h.add("mia", auditlog.OperationUpdate, "Pod", "p-1").ResourceName = "trainer"
	h.add("mia", auditlog.OperationUpdate, "Pod", "p-2").ResourceName = "trainer"
	h.add("mia", auditlog.OperationUpdate, "Pod", "").ResourceName = "by-name"
	h.add("jonas", auditlog.OperationUpdate, "Pod", "p-4").ResourceName = "by-name"

	got := compare(t, newLog(t, auditlog.ServicePodStack, h.entries...), drift.Options{Resources: []drift.Resource{
		{Address: "podstack_pod.a", Type: "podstack_pod", ID: "P-1", Name: "trainer"},
		{Address: "podstack_pod.b", Type: "podstack_pod", ID: "p-3", Name: "trainer"},
		{Address: "podstack_pod.c", Type: "podstack_pod", Name: "by-name"},
		{Address: "podstack_pod.d", Type: "podstack_pod"},
	}})

	expect(t, "changed", got.Changed, "podstack_pod.a by_id mia:update", "podstack_pod.c by_name mia:update jonas:update")
}

// Everything that is given has to be met.
func TestPipelines(t *testing.T) {
	t.Parallel()

	h := &history{service: auditlog.ServiceUpCloud}
	id := "00000000-0000-4000-8000-00000000000a"
	h.add(terraform, auditlog.OperationUpdate, "server", id)
	l := newLog(t, auditlog.ServiceUpCloud, h.entries...)
	block := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	during := auditlog.Window{Start: noon, End: noon.Add(2 * time.Hour)}
	later := auditlog.Window{Start: noon.Add(2 * time.Hour), End: noon.Add(3 * time.Hour)}

	for name, test := range map[string]struct {
		pipeline drift.Pipeline
		did      bool
	}{
		"nobody":          {},
		"actor":           {drift.Pipeline{Actors: []string{"other", terraform}}, true},
		"other actor":     {drift.Pipeline{Actors: []string{"other"}}, false},
		"address":         {drift.Pipeline{Addresses: block}, true},
		"other address":   {drift.Pipeline{Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}, false},
		"auth type":       {drift.Pipeline{AuthTypes: []string{"api"}}, true},
		"other auth type": {drift.Pipeline{AuthTypes: []string{"gui"}}, false},
		"during a run":    {drift.Pipeline{Actors: []string{terraform}, Runs: []auditlog.Window{later, during}}, true},
		"between runs":    {drift.Pipeline{Actors: []string{terraform}, Runs: []auditlog.Window{later}}, false},
		"both":            {drift.Pipeline{Actors: []string{terraform}, Addresses: block}, true},
		"one of two":      {drift.Pipeline{Actors: []string{terraform}, AuthTypes: []string{"gui"}}, false},
	} {
		got := compare(t, l, drift.Options{
			Resources: []drift.Resource{{Address: "upcloud_server.a", Type: "upcloud_server", ID: id}}, Pipeline: test.pipeline,
		})
		if (got.ByPipeline == 1) != test.did || (len(got.Changed) == 0) != test.did {
			t.Errorf("%s: %d of the pipeline, %d changed", name, got.ByPipeline, len(got.Changed))
		}
	}
}

// What is part of something is told of where nothing else tells of it.
func TestPartsWithoutTheirContainer(t *testing.T) {
	t.Parallel()

	id := "00000000-0000-4000-8000-00000000000a"
	h := &history{service: auditlog.ServiceUpCloud}
	h.add("mia", auditlog.OperationUpdate, "uks", id)

	part := drift.Resource{
		Address: "upcloud_kubernetes_node_group.a", Type: "upcloud_kubernetes_node_group", ID: id + "/a",
	}
	whole := drift.Resource{Address: "upcloud_kubernetes_cluster.a", Type: "upcloud_kubernetes_cluster", ID: id}
	l := newLog(t, auditlog.ServiceUpCloud, h.entries...)

	got := compare(t, l, drift.Options{Resources: []drift.Resource{part}})
	expect(t, "alone", got.Changed, "upcloud_kubernetes_node_group.a by_container mia:update")

	got = compare(t, l, drift.Options{Resources: []drift.Resource{part, whole}})
	expect(t, "with its cluster", got.Changed, "upcloud_kubernetes_cluster.a by_id mia:update")
}

func TestReasons(t *testing.T) {
	t.Parallel()

	web := drift.Resource{
		Address: "upcloud_server.a", Type: "upcloud_server", ID: "00000000-0000-4000-8000-00000000000a",
		Seen: &drift.Seen{Changes: []auditlog.Change{set("plan", "1", "2")}},
	}
	gone := web
	gone.Seen = &drift.Seen{Deleted: true}

	lacking := newLog(t, auditlog.ServiceUpCloud)
	lacking.gaps = []auditlog.Window{{Start: noon, End: noon.Add(time.Hour)}}
	short := newLog(t, auditlog.ServiceUpCloud)
	short.info.Retention = 24 * time.Hour
	endless := newLog(t, auditlog.ServiceUpCloud) // An archive drops nothing.
	endless.info.Retention = 0

	h := &history{service: auditlog.ServiceUpCloud}
	h.add("mia", auditlog.OperationUpdate, "server", web.ID)

	noID := web
	noID.ID = ""

	for name, test := range map[string]struct {
		log      *log
		resource drift.Resource
		want     drift.Reason
	}{
		"nothing":         {newLog(t, auditlog.ServiceUpCloud), web, drift.BeforeWindow},
		"gap":             {lacking, web, drift.InGap},
		"retention":       {short, web, drift.BeforeRetention},
		"no retention":    {endless, web, drift.BeforeWindow},
		"no id":           {newLog(t, auditlog.ServiceUpCloud), noID, drift.NoID},
		"not its removal": {newLog(t, auditlog.ServiceUpCloud, h.entries...), gone, drift.NoDeletion},
	} {
		got := compare(t, test.log, drift.Options{Resources: []drift.Resource{test.resource}})
		if len(got.Unexplained) != 1 || got.Unexplained[0].Reason != test.want || test.want.Text() == "" {
			t.Errorf("%s: got %q", name, told(got.Unexplained))
		}
	}
}

// An action that nobody knows may have created something.
func TestUnknownActions(t *testing.T) {
	t.Parallel()

	h := &history{service: auditlog.ServiceUpCloud}
	h.add("mia", auditlog.OperationOther, "server", "00000000-0000-4000-8000-00000000000b").Action = "frobnicate"

	o := drift.Options{Resources: []drift.Resource{{Address: "upcloud_server.a", Type: "upcloud_server", ID: "a"}}}

	got := compare(t, newLog(t, auditlog.ServiceUpCloud, h.entries...), o)
	if got.Completeness.Conclusive() || len(got.Completeness.UnknownActions) != 1 {
		t.Errorf("got %+v", got.Completeness)
	}
}

func TestLogsThatCannotBeMatched(t *testing.T) {
	t.Parallel()

	l := newLog(t, auditlog.ServiceUpCloud)
	l.info.Redacted = []string{auditlog.FieldResourceID}

	_, err := drift.Compare(t.Context(), l, theMonth(), drift.Options{})

	unmatchable := (*drift.UnmatchableError)(nil)
	if !errors.As(err, &unmatchable) || !unmatchable.Redacted {
		t.Errorf("got %v", err)
	}
}
