// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// caller is someone who appears in UpCloud's log.
type caller struct {
	username, auth, origin string
	ips                    []string // none: the address is masked
}

var (
	upCloudPeople = []caller{
		{"mia.ops", "gui", "gui", []string{"198.51.100.23", "2001:db8:10::23"}},
		{"jonas.platform", "gui", "gui", []string{"203.0.113.8"}},
		{"mia.ops", "api", "api", []string{"198.51.100.23"}},
		{"zoë.support", "gui", "gui", []string{"2001:db8:20:1::5", "192.0.2.55"}},
		{"jürgen.netops", "basic_auth", "api", []string{"192.0.2.14"}},
		{"葵.sre", "gui", "gui", []string{"2001:0db8:85a3:0000:0000:8a2e:0370:7334"}},
		{"دانا.audit", "gui", "gui", []string{"203.0.113.77"}},
	}
	upCloudMachines = []caller{
		{"ci-deploy", "api", "api", []string{"203.0.113.200", "203.0.113.201", "2001:db8:c1::1"}},
		{"terraform-ci", "api", "api", []string{"198.51.100.140"}},
		{"backup-bot", "basic_auth", "api", []string{"192.0.2.200"}},
		{"uks-autoscaler", "api", "api", []string{"2001:db8:f00d::a"}},
		{"@build-bot", "api", "api", []string{"203.0.113.202"}},
	}
	upCloudItself = caller{"upcloud", "api", "upcloud_internal", nil}
)

// upCloudKind is a type of resource, how much is done to it, and what: mostly the common actions, one time in ten one
// of the rare ones.
type upCloudKind struct {
	name         string
	share        int
	common, rare string
}

// upCloudKinds hold every documented action and resource type at least once.
var upCloudKinds = []upCloudKind{
	{"server", 30, "create update update delete start stop attach detach", "read access-granted maintenance-start"},
	{"storage", 15, "create update delete clone attach detach", "owner-change writes-enable"},
	{"managed-database", 6, "create update read", "delete access-modified writes-enable maintenance-start"},
	{"managed-loadbalancer", 3, "create update delete", "delete"},
	{"managed-loadbalancer-certificate-bundle", 2, "create update", "delete"},
	{"managed-object-storage", 3, "create update", "access-update delete"},
	{"network-gateway", 1, "create update", "delete"},
	{"uks", 4, "create update access-granted-kubeconfig", "delete"},
	{"ssh-key", 1, "create", "delete"},
	{"init-script", 1, "create update", "delete"},
	{"account", 2, "create update", "delete access-modified owner-change"},
	{"auth", 15, "login login login logout logout create", "delete"},
}

// deed is an action on a type of resource.
type deed struct{ kind, action string }

// upCloudDeeds are all that there are.
var upCloudDeeds = func() []deed {
	var all []deed
	for _, k := range upCloudKinds {
		for action := range strings.FieldsSeq(k.common + " " + k.rare) {
			if d := (deed{k.name, action}); !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}()

// resource is something in the account, with what its states show.
type resource struct {
	id, name string
	cores    int
	on       bool
	note     *string
	labels   []label
	address  string
}

type label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// upCloudWorld makes one record after the other and remembers which resources exist, so that states fit together.
type upCloudWorld struct {
	rng       *rand.Rand
	calendar  calendar
	resources map[string][]*resource
	made      int
	ids       ulids
}

func newUpCloudWorld(rng *rand.Rand, c calendar) *upCloudWorld {
	w := &upCloudWorld{rng: rng, calendar: c, resources: map[string][]*resource{}}
	for _, k := range upCloudKinds {
		for range 24 {
			w.resources[k.name] = append(w.resources[k.name], w.build(k.name))
		}
	}
	return w
}

func generateUpCloud(o Options, log *upCloudLog) {
	rng := newRand(o.Seed, "upcloud")
	c := newCalendar(o, serviceUpCloud)
	w := newUpCloudWorld(rng, c)
	must := forced(o.Entries, len(upCloudDeeds))
	times := instants(o, o.Entries, c, rng)
	for i, t := range times {
		// One request of a client may be several events at once: a server goes together with its storage.
		if i > 0 && i < len(times)-1 && rng.IntN(25) == 0 {
			t, times[i] = times[i-1], times[i-1]
		}
		if k, ok := must[i]; ok {
			log.add(w.record(t, upCloudDeeds[k]))
		} else {
			log.add(w.record(t, w.deed(t)))
		}
	}
}

// deed is what happens at t.
func (w *upCloudWorld) deed(t time.Time) deed {
	if w.calendar.cleaning(t) && w.rng.IntN(100) < 97 {
		return deed{oneOf(w.rng, []string{"server", "storage"}), "delete"}
	}
	k := pick(w.rng, upCloudKinds, func(k upCloudKind) int { return k.share })
	if w.rng.IntN(10) == 0 {
		return deed{k.name, oneOf(w.rng, strings.Fields(k.rare))}
	}
	return deed{k.name, oneOf(w.rng, strings.Fields(k.common))}
}

// caller is who does it at t.
func (w *upCloudWorld) caller(t time.Time, d deed) caller {
	switch {
	case d.action == "maintenance-start" || d.action == "writes-enable":
		return upCloudItself
	case w.calendar.cleaning(t) && d.action == "delete":
		return upCloudPeople[1] // one person is behind all of it
	case d.kind == "auth", office(t) && w.rng.IntN(100) < 70:
		return oneOf(w.rng, upCloudPeople)
	default:
		return oneOf(w.rng, upCloudMachines)
	}
}

func (w *upCloudWorld) record(t time.Time, d deed) UpCloudRecord {
	t = t.Truncate(time.Millisecond)
	who := w.caller(t, d)
	r := UpCloudRecord{
		Time: t, AuthType: who.auth, CloudEventID: w.ids.next(t.UnixMilli(), w.rng.Uint64(), uint16(w.rng.Uint32())),
		CorrelationID: uuid(w.rng), ResourceType: d.kind, Action: d.action, Origin: who.origin, AccountUsername: who.username,
	}
	if len(who.ips) > 0 {
		r.IPAddress = oneOf(w.rng, who.ips)
	}
	// Times are whole seconds, but for one second in sixteen: all of its records, so that order by time and order by
	// id agree.
	if mix(uint64(t.Unix()))%16 != 0 {
		r.Time = t.Truncate(time.Second)
	}
	w.change(&r)
	return r
}

// change lets the action happen to a resource and notes its states: the current one of create and update, the
// previous one of update and delete, as the specification says.
func (w *upCloudWorld) change(r *UpCloudRecord) {
	all := w.resources[r.ResourceType]
	at := w.rng.IntN(len(all))
	switch r.Action {
	case "create":
		all[at] = w.build(r.ResourceType)
		r.CurrentState = all[at].state(r.ResourceType)
	case "update":
		r.PreviousState = all[at].state(r.ResourceType)
		w.mutate(all[at])
		r.CurrentState = all[at].state(r.ResourceType)
	case "delete":
		r.PreviousState = all[at].state(r.ResourceType)
	}
	switch {
	case r.ResourceType != "auth":
		r.ResourceID = all[at].id
	case r.Action == "create" || r.Action == "delete": // a token, whose id may be hidden
		r.ResourceID = oneOf(w.rng, []string{"", all[at].id})
		r.ResourceSubType = oneOf(w.rng, []string{"session-api-token", "subaccount-api-token"})
	}
	if r.Action == "delete" {
		all[at] = w.build(r.ResourceType)
	}
}

func (w *upCloudWorld) build(kind string) *resource {
	rng := w.rng
	w.made++
	x := &resource{
		id: uuid(rng), name: name(rng, w.made), cores: 1 << rng.IntN(5), on: rng.IntN(4) > 0, address: addressV4(rng),
		labels: []label{{"stage", oneOf(rng, []string{"prod", "staging", "dev"})}},
	}
	if kind == "account" || kind == "ssh-key" { // ids are not always UUIDs
		x.id = fmt.Sprint(10_000 + rng.IntN(90_000))
	}
	return x
}

func (w *upCloudWorld) mutate(x *resource) {
	switch w.rng.IntN(5) {
	case 0:
		x.cores = 1 + x.cores%32
	case 1:
		x.on = !x.on
	case 2:
		w.made++
		x.name = name(w.rng, w.made)
	case 3:
		x.note = new("see ticket " + fmt.Sprint(w.rng.IntN(9000)+1000))
	case 4:
		x.labels = []label{x.labels[0], {"team", oneOf(w.rng, []string{"team-a", "équipe-b", "cost:42", "重要"})}}
	}
}

// state is the resource's JSON. Its shape is undocumented ("varies by resource_type"); this is a plausible one, with
// nesting, lists, numbers, booleans and nulls.
func (x *resource) state(kind string) json.RawMessage {
	state := map[string]any{
		"title": x.name, "plan": fmt.Sprintf("%dxCPU-%dGB", x.cores, 4*x.cores), "core_number": x.cores,
		"memory_amount": 4096 * x.cores, "firewall": x.on, "comment": x.note, "labels": x.labels,
	}
	if kind == "server" {
		state["networking"] = map[string]any{"interfaces": []any{map[string]any{
			"index": 1, "type": "public", "bootable": false,
			"ip_addresses": []any{map[string]any{"address": x.address, "family": "IPv4", "floating": false}},
		}}}
	}
	return encode(state)
}

// lateUpCloud is the record that the fault "grow" adds: two times in three it is newer than everything in the log, else
// its time lies somewhere inside.
func lateUpCloud(o Options, log *upCloudLog, hit strike) UpCloudRecord {
	rng := newRand(draw(hit.seed, "grow/upcloud", hit.ordinal), "record")
	t := o.Now
	if n := len(log.rows); n > 0 {
		oldest, newest := time.Unix(0, log.rows[0].nano).UTC(), time.Unix(0, log.rows[n-1].nano).UTC()
		t = newest.Add(time.Duration(1+rng.IntN(5)) * time.Second)
		if hit.variant(3) == 0 {
			t = oldest.Add(time.Duration(rng.Float64() * float64(newest.Sub(oldest))))
		}
	}
	return newUpCloudWorld(rng, newCalendar(o, serviceUpCloud)).record(t, oneOf(rng, upCloudDeeds))
}
