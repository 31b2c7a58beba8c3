// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// deed is an action of cloudscale's log. In the message, %s is the name of the thing and %t that of another one.
type deed struct {
	action, message string
	thing           string // which names it takes
	share           int
	who             []deedActor
}

func (d deed) weight() int { return d.share }

type deedActor int

const (
	byUser deedActor = iota
	byToken
	bySystem
	byAdmin
)

var (
	byAnyone = []deedActor{byUser, byToken}
	byPeople = []deedActor{byUser}
)

// cloudscaleDeeds: the vendor publishes five of these actions and four of the messages ("Server 'hello' has been
// created"), a third party a sixth; the others follow their manner. The vendor keeps no complete list and does not
// hold the texts stable.
var cloudscaleDeeds = []deed{
	{"server_create", "Server '%s' has been created", "server", 40, byAnyone},
	{"server_start", "Server '%s' has been started", "server", 40, byAnyone},
	{"server_stop", "Server '%s' has been shut down", "server", 40, byAnyone},
	{"server_delete", "Server '%s' has been deleted", "server", 26, byAnyone},
	{"server_reboot", "Server '%s' has been rebooted", "server", 14, byAnyone},
	{"server_update", "Server '%s' has been updated", "server", 20, byAnyone},
	{"server_pause", "Server '%s' has been paused", "server", 2, []deedActor{byAdmin}},
	{"server_migrate", "Server '%s' has been migrated", "server", 4, []deedActor{bySystem, byAdmin}},
	{"server_volume_attach", "Volume '%s' has been attached to server '%t'", "volume", 26, byAnyone},
	{"server_volume_detach", "Volume '%s' has been detached from server '%t'", "volume", 18, byAnyone},
	{"volume_create", "Volume '%s' has been created", "volume", 34, byAnyone},
	{"volume_update", "Volume '%s' has been updated", "volume", 12, byAnyone},
	{"volume_delete", "Volume '%s' has been deleted", "volume", 20, byAnyone},
	{"volume_snapshot_create", "Snapshot '%s' has been created", "volume", 16, []deedActor{byToken, bySystem}},
	{"volume_snapshot_delete", "Snapshot '%s' has been deleted", "volume", 10, []deedActor{byToken, bySystem}},
	{"floating_ip_create", "Floating IP '%s' has been created", "address", 5, byAnyone},
	{"floating_ip_update", "Floating IP '%s' has been assigned to server '%t'", "address", 12, byAnyone},
	{"floating_ip_delete", "Floating IP '%s' has been deleted", "address", 4, byAnyone},
	{"network_create", "Network '%s' has been created", "network", 5, byAnyone},
	{"network_update", "Network '%s' has been updated", "network", 4, byAnyone},
	{"network_delete", "Network '%s' has been deleted", "network", 3, byAnyone},
	{"objects_user_create", "Objects user '%s' has been created", "user", 3, byAnyone},
	{"objects_user_update", "Objects user '%s' has been updated", "user", 3, byAnyone},
	{"objects_user_delete", "Objects user '%s' has been deleted", "user", 2, byPeople},
	{"api_token_create", "API token '%s' has been created", "token", 3, byPeople},
	{"api_token_update", "API token '%s' has been updated", "token", 2, byPeople},
	{"api_token_delete", "API token '%s' has been deleted", "token", 2, byPeople},
	{"user_login", "User '%s' has logged in", "email", 24, byPeople},
	{"project_update", "Project '%s' has been updated", "project", 2, byPeople},
	{"organization_user_invite", "User '%s' has been invited", "email", 2, byPeople},
}

var (
	deployDeeds  = deedsNamed("server_create", "volume_create", "server_volume_attach", "server_start", "floating_ip_update", "server_delete")
	cleanupDeeds = deedsNamed("server_delete", "volume_delete")
)

func deedsNamed(actions ...string) []deed {
	var out []deed
	for _, action := range actions {
		for _, d := range cloudscaleDeeds {
			if d.action == action {
				out = append(out, d)
			}
		}
	}
	return out
}

type cloudscalePerson struct {
	email string
	share int
	ips   []string
}

func (p cloudscalePerson) weight() int { return p.share }

var cloudscalePeople = []cloudscalePerson{
	{"mia@example.com", 30, []string{"198.51.100.23", "2001:db8:10::23"}},
	{"jonas@example.com", 25, []string{"203.0.113.8"}},
	{"zoë@example.org", 12, []string{"2001:db8:20:1::5"}},
	{"jürgen@example.net", 10, []string{"192.0.2.14"}},
	{"葵@example.com", 6, []string{"2001:db8:30::7"}},
	{"ops+alerts@example.com", 4, []string{"192.0.2.90"}},
}

type cloudscaleRobot struct {
	token CloudscaleToken
	share int
	ips   []string
}

func (r cloudscaleRobot) weight() int { return r.share }

var cloudscaleRobots = []cloudscaleRobot{
	{CloudscaleToken{"3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0001", new("prod-csi")}, 40, []string{"203.0.113.200", "2001:db8:c1::1"}},
	{CloudscaleToken{"3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002", new("terraform-ci")}, 30, []string{"198.51.100.140"}},
	{CloudscaleToken{"3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0003", nil}, 12, []string{"192.0.2.201"}},
	{CloudscaleToken{"3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0004", new("=backup+restore")}, 5, []string{"192.0.2.200"}},
	{CloudscaleToken{"3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0005", new("バックアップ 💾")}, 5, []string{"2001:db8:f00d::a"}},
}

var (
	// The project of the documented examples: a token belongs to one project, and its log holds the examples as well.
	demoProject      = &CloudscaleSubject{Project: &CloudscaleProject{"p-1", "Production"}}
	demoOrganization = &CloudscaleSubject{Organization: &CloudscaleOrganization{
		new("https://control.example.com/organizations/8a4f1e5c-0b8d-4c0f-9e0e-6d6b5e0f2001"),
		"8a4f1e5c-0b8d-4c0f-9e0e-6d6b5e0f2001", "Beispiel AG",
	}}
)

// cloudscaleWorld makes one record after the other and remembers the names in use.
type cloudscaleWorld struct {
	rng      *rand.Rand
	calendar calendar
	names    map[string][]string
	made     int
}

func newCloudscaleWorld(rng *rand.Rand, c calendar) *cloudscaleWorld {
	w := &cloudscaleWorld{rng: rng, calendar: c, names: map[string][]string{}}
	for _, thing := range []string{"server", "volume", "address", "network", "user", "token"} {
		for range 24 {
			w.names[thing] = append(w.names[thing], w.newName(thing))
		}
	}
	for _, p := range cloudscalePeople {
		w.names["email"] = append(w.names["email"], p.email)
	}
	w.names["project"] = []string{demoProject.Project.Name}
	return w
}

func (w *cloudscaleWorld) newName(thing string) string {
	w.made++
	if thing == "address" {
		if w.made%3 == 0 {
			return fmt.Sprintf("2001:db8:1::%x", 1+w.rng.IntN(0xffff))
		}
		return addressV4(w.rng)
	}
	return name(w.rng, w.made)
}

// Now and then a record is the exact twin of the one before: the same client, the same microsecond.
const twinEvery = 190

func generateCloudscale(o Options, log *cloudscaleLog) {
	if o.Entries == 0 {
		return
	}
	rng := newRand(o.Seed, "cloudscale")
	c := newCalendar(o, serviceCloudscale)
	w := newCloudscaleWorld(rng, c)
	must := forced(o.Entries, len(cloudscaleDeeds)+4) // one for each deed, then one for each kind of actor
	log.rows = make([]cloudscaleRow, 0, o.Entries)
	var last CloudscaleRecord
	for i, t := range instants(o, o.Entries, c, rng) {
		k, ok := must[i]
		if !ok && i%twinEvery == twinEvery-1 {
			log.add(last)
			continue
		}
		before := last.Timestamp
		switch {
		case ok && k < len(cloudscaleDeeds):
			last = w.record(t, cloudscaleDeeds[k])
		case ok:
			last = w.record(t, deed{
				"server_update", "Server '%s' has been updated", "server", 1,
				[]deedActor{deedActor(k - len(cloudscaleDeeds))},
			})
		default:
			last = w.record(t, w.deed(t))
		}
		// Transactions overtake each other on their way to the commit; here always so at the seam of two pages.
		if i > 0 && i < o.Entries-1 && (i%defaultCloudscalePageSize == 0 || rng.IntN(25) == 0) {
			last.Timestamp = before.Add(-time.Duration(200+rng.IntN(7800)) * time.Microsecond)
		}
		log.add(last)
	}
}

func (w *cloudscaleWorld) deed(t time.Time) deed {
	m, _ := w.calendar.at(t)
	switch dice := w.rng.IntN(100); {
	case m == deploy && dice < 92:
		return pick(w.rng, deployDeeds)
	case m == cleanup && dice < 97:
		return pick(w.rng, cleanupDeeds)
	}
	return pick(w.rng, cloudscaleDeeds)
}

func (w *cloudscaleWorld) record(t time.Time, d deed) CloudscaleRecord {
	names := w.names[d.thing]
	at := w.rng.IntN(len(names))
	if strings.HasSuffix(d.action, "_create") {
		names[at] = w.newName(d.thing)
	}
	r := CloudscaleRecord{
		Action: d.action, Timestamp: t.Truncate(time.Microsecond),
		Message: phrase(d.message, names[at], oneOf(w.rng, w.names["server"])),
	}
	if strings.HasSuffix(d.action, "_delete") {
		names[at] = w.newName(d.thing)
	}
	w.act(&r, t, d)
	switch dice := w.rng.IntN(100); {
	case d.action == "organization_user_invite":
		r.Subject = demoOrganization
	case d.action == "user_login":
		r.Subject = &CloudscaleSubject{User: r.Actor.User}
	case dice < 90:
		r.Subject = demoProject
	case dice < 92:
		r.Subject = demoOrganization
	} // the rest has none, as the vendor's sample record
	return r
}

// phrase fills in the names. A name is never searched for placeholders of its own.
func phrase(message, thing, other string) string {
	before, after, _ := strings.Cut(message, "%s")
	return before + thing + strings.Replace(after, "%t", other, 1)
}

// act decides who it was.
func (w *cloudscaleWorld) act(r *CloudscaleRecord, t time.Time, d deed) {
	m, _ := w.calendar.at(t)
	who := oneOf(w.rng, d.who)
	if len(d.who) == len(byAnyone) && d.who[0] == byUser {
		switch {
		case m == cleanup:
			who = byUser
		case m == deploy, m == quiet && w.rng.IntN(100) < 85:
			who = byToken
		case w.rng.IntN(100) < 70:
			who = byUser
		}
	}
	switch who {
	case byUser:
		p := pick(w.rng, cloudscalePeople)
		if m == cleanup {
			p = cloudscalePeople[1] // one person is behind all of it
		}
		if d.action == "user_login" {
			r.Message = "User '" + p.email + "' has logged in"
		}
		ip := oneOf(w.rng, p.ips)
		r.Actor.User, r.IPAddress = &CloudscaleUser{p.email}, &ip
	case byToken:
		robot := pick(w.rng, cloudscaleRobots)
		ip := oneOf(w.rng, robot.ips)
		r.Actor.APIToken, r.IPAddress = &robot.token, &ip
	case bySystem:
		r.Actor.System = &struct{}{}
	case byAdmin:
		r.Actor.Admin = &struct{}{}
	}
}

// lateCloudscale is the record that the fault "grow" adds: newer than the last one, or, one time in three, up to two
// seconds older. The log is in the order of commits, so nothing can be added further inside.
func lateCloudscale(o Options, log *cloudscaleLog, hit strike) CloudscaleRecord {
	rng := newRand(draw(hit.seed, "grow/cloudscale", hit.ordinal), "record")
	t := o.Now
	if n := len(log.rows); n > 0 {
		newest := time.Unix(0, log.rows[n-1].nano).UTC()
		t = newest.Add(time.Duration(1+rng.IntN(5)) * time.Second)
		if hit.variant(3) == 0 {
			t = newest.Add(-time.Duration(1+rng.IntN(2_000_000)) * time.Microsecond)
		}
	}
	w := newCloudscaleWorld(rng, newCalendar(o, serviceCloudscale))
	return w.record(t, cloudscaleDeeds[rng.IntN(len(cloudscaleDeeds))])
}
