// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// caller is someone who appears in UpCloud's log.
type caller struct {
	username string
	share    int
	kind     callerKind
	auth     string // auth_type
	origin   string
	ips      []string // none: the address is masked
}

type callerKind int

const (
	person callerKind = 1 << iota
	machine
	internal
)

func (c caller) weight() int { return c.share }

var callers = []caller{
	{"mia.ops", 30, person, "gui", "gui", []string{"198.51.100.23", "2001:db8:10::23"}},
	{"jonas.platform", 25, person, "gui", "gui", []string{"203.0.113.8"}},
	{"mia.ops", 8, person, "api", "api", []string{"198.51.100.23"}},
	{"zoë.support", 14, person, "gui", "gui", []string{"2001:db8:20:1::5", "192.0.2.55"}},
	{"jürgen.netops", 12, person, "basic_auth", "api", []string{"192.0.2.14"}},
	{"葵.sre", 8, person, "gui", "gui", []string{"2001:0db8:85a3:0000:0000:8a2e:0370:7334"}},
	{"دانا.audit", 4, person, "gui", "gui", []string{"203.0.113.77"}},
	{"ci-deploy", 40, machine, "api", "api", []string{"203.0.113.200", "203.0.113.201", "2001:db8:c1::1"}},
	{"terraform-ci", 30, machine, "api", "api", []string{"198.51.100.140"}},
	{"backup-bot", 18, machine, "basic_auth", "api", []string{"192.0.2.200"}},
	{"uks-autoscaler", 12, machine, "api", "api", []string{"2001:db8:f00d::a"}},
	{"@build-bot", 3, machine, "api", "api", []string{"203.0.113.202"}},
	{"upcloud", 1, internal, "api", "upcloud_internal", nil},
}

func callersOf(kind callerKind) []caller {
	var out []caller
	for _, c := range callers {
		if c.kind&kind != 0 {
			out = append(out, c)
		}
	}
	return out
}

// verb is an action on a resource type that makes sense, how often it happens and who does it.
type verb struct {
	resource, action string
	share            int
	who              callerKind
	sub              string // resource_sub_type
}

func (v verb) weight() int { return v.share }

const anyone = person | machine

// upCloudVerbs holds every documented action, resource type and origin at least once.
var upCloudVerbs = []verb{
	{"server", "create", 30, anyone, ""},
	{"server", "update", 60, anyone, ""},
	{"server", "delete", 24, anyone, ""},
	{"server", "start", 50, anyone, ""},
	{"server", "stop", 45, anyone, ""},
	{"server", "read", 6, person, ""},
	{"server", "attach", 20, anyone, ""},
	{"server", "detach", 16, anyone, ""},
	{"server", "access-granted", 4, person, ""},
	{"server", "maintenance-start", 6, internal, ""},
	{"storage", "create", 36, anyone, ""},
	{"storage", "update", 22, anyone, ""},
	{"storage", "delete", 20, anyone, ""},
	{"storage", "clone", 14, anyone, ""},
	{"storage", "attach", 14, anyone, ""},
	{"storage", "detach", 10, anyone, ""},
	{"storage", "owner-change", 1, person, ""},
	{"storage", "writes-enable", 2, internal, ""},
	{"managed-database", "create", 6, anyone, ""},
	{"managed-database", "update", 18, anyone, ""},
	{"managed-database", "delete", 4, person, ""},
	{"managed-database", "read", 8, person, ""},
	{"managed-database", "access-modified", 5, person, ""},
	{"managed-database", "writes-enable", 2, internal, ""},
	{"managed-database", "maintenance-start", 4, internal, ""},
	{"managed-loadbalancer", "create", 4, anyone, ""},
	{"managed-loadbalancer", "update", 14, anyone, ""},
	{"managed-loadbalancer", "delete", 3, person, ""},
	{"managed-loadbalancer-certificate-bundle", "create", 4, machine, ""},
	{"managed-loadbalancer-certificate-bundle", "update", 6, machine, ""},
	{"managed-loadbalancer-certificate-bundle", "delete", 2, machine, ""},
	{"managed-object-storage", "create", 3, anyone, ""},
	{"managed-object-storage", "update", 8, anyone, ""},
	{"managed-object-storage", "access-update", 6, person, ""},
	{"managed-object-storage", "delete", 2, person, ""},
	{"network-gateway", "create", 2, anyone, ""},
	{"network-gateway", "update", 4, anyone, ""},
	{"network-gateway", "delete", 1, person, ""},
	{"uks", "create", 3, anyone, ""},
	{"uks", "update", 16, machine, ""},
	{"uks", "delete", 2, person, ""},
	{"uks", "access-granted-kubeconfig", 12, anyone, ""},
	{"ssh-key", "create", 3, person, ""},
	{"ssh-key", "delete", 2, person, ""},
	{"init-script", "create", 2, person, ""},
	{"init-script", "update", 3, person, ""},
	{"init-script", "delete", 1, person, ""},
	{"account", "update", 5, person, ""},
	{"account", "create", 2, person, ""},
	{"account", "delete", 1, person, ""},
	{"account", "access-modified", 4, person, ""},
	{"account", "owner-change", 1, person, ""},
	{"auth", "login", 60, person, ""},
	{"auth", "logout", 35, person, ""},
	{"auth", "create", 10, person, "session-api-token"},
	{"auth", "delete", 5, person, "session-api-token"},
	{"auth", "create", 3, person, "subaccount-api-token"},
	{"auth", "delete", 2, person, "subaccount-api-token"},
}

var (
	deployVerbs = []verb{
		{"server", "create", 30, machine, ""},
		{"storage", "create", 30, machine, ""},
		{"storage", "attach", 25, machine, ""},
		{"server", "start", 30, machine, ""},
		{"server", "update", 25, machine, ""},
		{"managed-loadbalancer", "update", 10, machine, ""},
		{"uks", "update", 6, machine, ""},
		{"server", "stop", 12, machine, ""},
		{"server", "delete", 10, machine, ""},
	}
	cleanupVerbs = []verb{{"server", "delete", 50, anyone, ""}, {"storage", "delete", 45, anyone, ""}}
)

// resource is something in the account, with what its states show.
type resource struct {
	kind, id, name string
	size, cores    int
	on             bool
	note           string // empty is shown as null
	labels         []string
	address        string
	touched        time.Time
}

// upCloudWorld makes one record after the other and remembers which resources exist, so that states fit together.
type upCloudWorld struct {
	rng       *rand.Rand
	calendar  calendar
	resources map[string][]*resource
	made      int
	verbs     map[callerKind][]verb
	callers   map[callerKind][]caller
	ids       ulids
}

func newUpCloudWorld(rng *rand.Rand, c calendar) *upCloudWorld {
	w := &upCloudWorld{
		rng: rng, calendar: c,
		resources: map[string][]*resource{}, verbs: map[callerKind][]verb{}, callers: map[callerKind][]caller{},
	}
	for _, kind := range []callerKind{person, machine, internal} {
		w.callers[kind] = callersOf(kind)
		for _, v := range upCloudVerbs {
			if v.who&kind != 0 {
				w.verbs[kind] = append(w.verbs[kind], v)
			}
		}
	}
	for _, kind := range upCloudResourceTypes {
		for range 24 {
			w.resources[kind] = append(w.resources[kind], w.build(kind))
		}
	}
	return w
}

func generateUpCloud(o Options, log *upCloudLog) {
	if o.Entries == 0 {
		return
	}
	rng := newRand(o.Seed, "upcloud")
	c := newCalendar(o, serviceUpCloud)
	w := newUpCloudWorld(rng, c)
	must := forced(o.Entries, len(upCloudVerbs))
	log.rows = append(make([]upCloudRow, 0, o.Entries+len(log.rows)), log.rows...)
	times := instants(o, o.Entries, c, rng)
	for i, t := range times {
		// One request of a client may be several events at once: a server goes together with its storage.
		if i > 0 && i < len(times)-1 && rng.IntN(25) == 0 {
			t, times[i] = times[i-1], times[i-1]
		}
		if k, ok := must[i]; ok {
			log.add(w.record(t, upCloudVerbs[k]))
		} else {
			log.add(w.record(t, w.verb(t)))
		}
	}
}

// verb is what happens at t.
func (w *upCloudWorld) verb(t time.Time) verb {
	m, _ := w.calendar.at(t)
	switch dice := w.rng.IntN(100); {
	case m == deploy && dice < 92:
		return pick(w.rng, deployVerbs)
	case m == cleanup && dice < 97:
		return pick(w.rng, cleanupVerbs)
	case dice < 2:
		return pick(w.rng, w.verbs[internal])
	case m == office && dice < 80, m == quiet && dice < 15:
		return pick(w.rng, w.verbs[person])
	default:
		return pick(w.rng, w.verbs[machine])
	}
}

func (w *upCloudWorld) caller(t time.Time, v verb) caller {
	m, _ := w.calendar.at(t)
	switch {
	case m == cleanup && v.action == "delete":
		return callers[1] // one person is behind all of it
	case v.who == anyone && m == office && w.rng.IntN(100) < 70, v.who == person:
		return pick(w.rng, w.callers[person])
	case v.who == internal:
		return w.callers[internal][0]
	}
	return pick(w.rng, w.callers[machine])
}

func (w *upCloudWorld) record(t time.Time, v verb) UpCloudRecord {
	t = t.Truncate(time.Millisecond)
	who := w.caller(t, v)
	r := UpCloudRecord{
		Time: t, AuthType: who.auth, CloudEventID: w.ids.next(t.UnixMilli(), w.rng.Uint64(), uint16(w.rng.Uint32())),
		CorrelationID: uuid(w.rng), ResourceType: v.resource, ResourceSubType: v.sub, Action: v.action,
		Origin: who.origin, AccountUsername: who.username,
	}
	if len(who.ips) > 0 {
		r.IPAddress = oneOf(w.rng, who.ips)
	}
	// Times are whole seconds, but for one second in sixteen: all of its records, so that order by time and order by
	// id agree.
	if uint64(t.Unix())*0x9e3779b97f4a7c15>>60 != 0 {
		r.Time = t.Truncate(time.Second)
	}
	w.change(&r, t)
	return r
}

// changeToken makes or deletes a token, whose id may be hidden. Other actions of that resource type have no state.
func (w *upCloudWorld) changeToken(r *UpCloudRecord, t time.Time) {
	if r.Action != "create" && r.Action != "delete" {
		return
	}
	if w.rng.IntN(2) == 0 {
		r.ResourceID = uuid(w.rng)
	}
	state := json.RawMessage(fmt.Sprintf(`{"name":%s,"expires_at":%q,"can_create_tokens":%t,"gui":%t,"allowed_ip_ranges":["0.0.0.0/0","::/0"]}`,
		quote("token of "+r.AccountUsername), t.Add(720*time.Hour).Format(time.RFC3339), w.rng.IntN(2) == 0, w.rng.IntN(2) == 0))
	if r.Action == "create" {
		r.CurrentState = state
	} else {
		r.PreviousState = state
	}
}

// change lets the action happen to a resource and notes its states: the current one of create and update, the
// previous one of update and delete, as the specification says.
func (w *upCloudWorld) change(r *UpCloudRecord, t time.Time) {
	if r.ResourceType == "auth" {
		w.changeToken(r, t)
		return
	}
	all := w.resources[r.ResourceType]
	at := w.rng.IntN(len(all))
	x := all[at]
	switch r.Action {
	case "create":
		x = w.build(r.ResourceType)
		x.touched = t
		if room := 48 + w.made/50; len(all) < room {
			w.resources[r.ResourceType] = append(all, x)
		} else {
			all[at] = x
		}
		r.CurrentState = x.state()
	case "update":
		r.PreviousState = x.state()
		w.mutate(x)
		x.touched = t
		r.CurrentState = x.state()
	case "delete":
		r.PreviousState = x.state()
		all[at] = w.build(r.ResourceType)
	case "start", "stop":
		x.on = r.Action == "start"
	}
	if r.ResourceType != "account" || w.rng.IntN(3) > 0 {
		r.ResourceID = x.id
	}
}

func (w *upCloudWorld) build(kind string) *resource {
	rng := w.rng
	w.made++
	x := &resource{
		kind: kind, id: uuid(rng), name: name(rng, w.made), size: 10 << rng.IntN(6), cores: 1 << rng.IntN(5),
		on: rng.IntN(4) > 0, address: addressV4(rng), labels: []string{oneOf(rng, []string{"prod", "staging", "dev"})},
		touched: DefaultNow().Add(-DefaultSpan),
	}
	if kind == "account" || kind == "ssh-key" { // ids are not always UUIDs
		x.id = fmt.Sprint(10_000 + rng.IntN(90_000))
	}
	return x
}

func (w *upCloudWorld) mutate(x *resource) {
	switch w.rng.IntN(6) {
	case 0:
		x.size *= 2
		if x.size > 4096 {
			x.size = 10
		}
	case 1:
		x.cores = 1 + x.cores%32
	case 2:
		x.on = !x.on
	case 3:
		w.made++
		x.name = name(w.rng, w.made)
	case 4:
		if x.note == "" {
			x.note = "see ticket " + fmt.Sprint(w.rng.IntN(9000)+1000)
		} else {
			x.note = ""
		}
	case 5:
		if len(x.labels) < 3 {
			x.labels = append(x.labels, oneOf(w.rng, []string{"team-a", "équipe-b", "cost:42", "重要"}))
		} else {
			x.labels = x.labels[:1]
		}
	}
}

// state is the resource's JSON. Its shape is undocumented ("varies by resource_type"); these are plausible ones, with
// nesting, lists, numbers, booleans and nulls.
func (x *resource) state() json.RawMessage {
	note := "null"
	if x.note != "" {
		note = quote(x.note)
	}
	labels := []byte{'['}
	for i, l := range x.labels {
		if i > 0 {
			labels = append(labels, ',')
		}
		labels = append(labels, `{"key":"label`+string(rune('0'+i))+`","value":`+quote(l)+`}`...)
	}
	labels = append(labels, ']')
	running := "stopped"
	if x.on {
		running = "started"
	}
	switch x.kind {
	case "server":
		return fmt.Appendf(nil, `{"title":%s,"hostname":%q,"plan":"%dxCPU-%dGB","core_number":%d,"memory_amount":%d,`+
			`"state":%q,"firewall":%t,"metadata":true,"simple_backup":%s,"price_per_hour":%.4f,"labels":%s,`+
			`"networking":{"interfaces":[{"index":1,"type":"public","bootable":false,"ip_addresses":`+
			`[{"address":%q,"family":"IPv4","floating":false},{"address":"2001:db8:0:%x::1","family":"IPv6","floating":false}]}]}}`,
			quote(x.name), x.id[:8]+".example.com", x.cores, x.cores*4, x.cores, x.cores*4096, running, x.on, note,
			float64(x.cores)*0.0149, labels, x.address, x.size)
	case "storage":
		return fmt.Appendf(nil, `{"title":%s,"size":%d,"tier":"maxiops","type":"normal","encrypted":%t,"zone":"de-fra1",`+
			`"backup_rule":{"interval":"daily","time":"0430","retention":%d,"note":%s},"labels":%s}`,
			quote(x.name), x.size, x.on, x.cores, note, labels)
	case "ssh-key", "init-script", "account":
		return fmt.Appendf(nil, `{"name":%s,"enabled":%t,"comment":%s,"permissions":[{"target":"server","options":`+
			`{"storage":%t}}],"version":%d}`, quote(x.name), x.on, note, x.on, x.cores)
	default:
		return fmt.Appendf(nil, `{"name":%s,"configured_status":%q,"plan":"%dx%dxCPU","node_count":%d,"properties":`+
			`{"public_access":%t,"ip_filter":[%q],"maintenance":{"dow":"sunday","time":"03:00:00"},"comment":%s},`+
			`"labels":%s,"updated_at":%q}`,
			quote(x.name), running, x.cores, x.size, x.cores, !x.on, x.address+"/32", note, labels,
			x.touched.Format(time.RFC3339))
	}
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
	w := newUpCloudWorld(rng, newCalendar(o, serviceUpCloud))
	return w.record(t, upCloudVerbs[rng.IntN(len(upCloudVerbs))])
}
