// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// cloudscaleThing is what actions of cloudscale's log begin with, how much is done to it, and what. Messages begin with
// its title and its name in quotes.
type cloudscaleThing struct {
	name, title string
	share       int
	verbs       string
	people      bool // who alone do it
}

var (
	cloudscaleServer = cloudscaleThing{
		"server", "Server", 35, "create start stop delete reboot update pause migrate", false,
	}
	cloudscaleVolume = cloudscaleThing{"volume", "Volume", 15, "create update delete", false}
)

// cloudscaleThings: the vendor publishes five of the actions that they make and four of the messages ("Server 'hello'
// has been created"), a third party a sixth; the others follow their manner. The vendor keeps no complete list and does
// not hold the texts stable. Logins, invitations and API tokens are not among them: the log is that of a project, and
// the logs of the organization and of its users are others, which the API does not serve (design/api-facts.md §2.1). A
// record of a project can still have one of those for its subject (§2.3).
var cloudscaleThings = []cloudscaleThing{
	cloudscaleServer,
	cloudscaleVolume,
	{"server_volume", "Volume", 10, "attach detach", false},
	{"volume_snapshot", "Snapshot", 6, "create delete", false},
	{"floating_ip", "Floating IP", 5, "create update delete", false},
	{"network", "Network", 3, "create update delete", false},
	{"objects_user", "Objects user", 2, "create update delete", false},
	{"load_balancer", "Load balancer", 2, "create update delete", true},
	{"user", "User", 6, "update", true},
	{"project", "Project", 1, "update", true},
	{"organization_user", "User", 1, "update", true},
}

// cloudscalePast is what messages say of a verb. In place of %s stands the name of a server.
var cloudscalePast = map[string]string{
	"create": "has been created", "update": "has been updated", "delete": "has been deleted", "start": "has been started",
	"stop": "has been shut down", "reboot": "has been rebooted", "pause": "has been paused",
	"migrate": "has been migrated",
	"attach":  "has been attached to server '%s'", "detach": "has been detached from server '%s'",
}

// cloudscaleDeed is an action of cloudscale's log.
type cloudscaleDeed struct {
	thing  cloudscaleThing
	verb   string
	action string
}

func (t cloudscaleThing) deed(verb string) cloudscaleDeed {
	return cloudscaleDeed{t, verb, t.name + "_" + verb}
}

var cloudscaleDeeds = func() []cloudscaleDeed {
	var all []cloudscaleDeed
	for _, thing := range cloudscaleThings {
		for verb := range strings.FieldsSeq(thing.verbs) {
			all = append(all, thing.deed(verb))
		}
	}
	return all
}()

// cloudscaleActor is someone who appears in cloudscale's log, a person or an API token.
type cloudscaleActor struct {
	CloudscaleActor

	ips []string
}

func cloudscalePerson(email string, ips ...string) cloudscaleActor {
	return cloudscaleActor{CloudscaleActor{User: &CloudscaleUser{email}}, ips}
}

func cloudscaleRobot(number int, description *string, ips ...string) cloudscaleActor {
	uuid := fmt.Sprintf("3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a%04d", number)
	return cloudscaleActor{CloudscaleActor{APIToken: &CloudscaleToken{uuid, description}}, ips}
}

var (
	cloudscalePeople = []cloudscaleActor{
		cloudscalePerson("mia@example.com", "198.51.100.23", "2001:db8:10::23"),
		cloudscalePerson("jonas@example.com", "203.0.113.8"),
		cloudscalePerson("zoë@example.org", "2001:db8:20:1::5"),
		cloudscalePerson("jürgen@example.net", "192.0.2.14"),
		cloudscalePerson("葵@example.com", "2001:db8:30::7"),
		cloudscalePerson("ops+alerts@example.com", "192.0.2.90"),
	}
	cloudscaleRobots = []cloudscaleActor{
		cloudscaleRobot(1, new("prod-csi"), "203.0.113.200", "2001:db8:c1::1"),
		cloudscaleRobot(2, new("terraform-ci"), "198.51.100.140"),
		cloudscaleRobot(3, nil, "192.0.2.201"),
		cloudscaleRobot(4, new("=backup+restore"), "192.0.2.200"),
		cloudscaleRobot(5, new("バックアップ 💾"), "2001:db8:f00d::a"),
	}
	cloudscaleSystem = cloudscaleActor{CloudscaleActor{System: &struct{}{}}, nil}
	cloudscaleAdmin  = cloudscaleActor{CloudscaleActor{Admin: &struct{}{}}, nil}
)

var (
	// The project of the documented examples: a token belongs to one project, and its log holds the examples as well.
	demoProject      = &CloudscaleSubject{Project: &CloudscaleProject{"p-1", "Production"}}
	demoOrganization = &CloudscaleSubject{Organization: &CloudscaleOrganization{
		new("https://control.example.com/organizations/8a4f1e5c-0b8d-4c0f-9e0e-6d6b5e0f2001"),
		"8a4f1e5c-0b8d-4c0f-9e0e-6d6b5e0f2001", "Beispiel AG",
	}}
)

// cloudscaleWorld makes one record after the other and remembers the names in use, by titles.
type cloudscaleWorld struct {
	rng      *rand.Rand
	calendar calendar
	names    map[string][]string
	made     int
}

func newCloudscaleWorld(rng *rand.Rand, c calendar) *cloudscaleWorld {
	w := &cloudscaleWorld{rng: rng, calendar: c, names: map[string][]string{}}
	for _, thing := range cloudscaleThings {
		for range 24 {
			w.names[thing.title] = append(w.names[thing.title], w.newName(thing.title))
		}
	}
	return w
}

func (w *cloudscaleWorld) newName(title string) string {
	w.made++
	switch title {
	case "Floating IP":
		return oneOf(w.rng, []string{addressV4(w.rng), fmt.Sprintf("2001:db8:1::%x", 1+w.rng.IntN(0xffff))})
	case "User":
		return oneOf(w.rng, cloudscalePeople).User.Email
	case "Project":
		return demoProject.Project.Name
	default:
		return name(w.rng, w.made)
	}
}

// Now and then a record is the exact twin of the one before: the same client, the same microsecond.
const twinEvery = 190

func generateCloudscale(o Options, log *cloudscaleLog) {
	rng := newRand(o.Seed, "cloudscale")
	c := newCalendar(o, serviceCloudscale)
	w := newCloudscaleWorld(rng, c)
	must := forced(o.Entries, len(cloudscaleDeeds))
	var last CloudscaleRecord
	for i, t := range instants(o, o.Entries, c, rng) {
		k, ok := must[i]
		if !ok && i%twinEvery == twinEvery-1 {
			log.add(last)
			continue
		}
		before := last.Timestamp
		if ok {
			last = w.record(t, cloudscaleDeeds[k])
		} else {
			last = w.record(t, w.deed(t))
		}
		// Transactions overtake each other on their way to the commit; here always so at the seam of two pages.
		if i > 0 && i < o.Entries-1 && (i%defaultCloudscalePageSize == 0 || rng.IntN(25) == 0) {
			last.Timestamp = before.Add(-time.Duration(200+rng.IntN(7800)) * time.Microsecond)
		}
		log.add(last)
	}
}

// deed is what happens at t.
func (w *cloudscaleWorld) deed(t time.Time) cloudscaleDeed {
	if w.calendar.cleaning(t) && w.rng.IntN(100) < 97 {
		return oneOf(w.rng, []cloudscaleThing{cloudscaleServer, cloudscaleVolume}).deed("delete")
	}
	thing := pick(w.rng, cloudscaleThings, func(thing cloudscaleThing) int { return thing.share })
	return thing.deed(oneOf(w.rng, strings.Fields(thing.verbs)))
}

// actor is who does it at t.
func (w *cloudscaleWorld) actor(t time.Time, d cloudscaleDeed) cloudscaleActor {
	switch {
	case d.verb == "pause":
		return cloudscaleAdmin
	case d.verb == "migrate", d.thing.name == "volume_snapshot" && w.rng.IntN(2) == 0:
		return cloudscaleSystem
	case w.calendar.cleaning(t):
		return cloudscalePeople[1] // one person is behind all of it
	case d.thing.people, office(t) && w.rng.IntN(100) < 70:
		return oneOf(w.rng, cloudscalePeople)
	default:
		return oneOf(w.rng, cloudscaleRobots)
	}
}

func (w *cloudscaleWorld) record(t time.Time, d cloudscaleDeed) CloudscaleRecord {
	names := w.names[d.thing.title]
	at := w.rng.IntN(len(names))
	if d.verb == "create" {
		names[at] = w.newName(d.thing.title)
	}
	who := w.actor(t, d)
	r := CloudscaleRecord{Action: d.action, Timestamp: t.Truncate(time.Microsecond), Actor: who.CloudscaleActor}
	name := names[at]
	if len(who.ips) > 0 {
		r.IPAddress = new(oneOf(w.rng, who.ips))
	}
	switch dice := w.rng.IntN(100); {
	case d.thing.name == "organization_user":
		r.Subject = demoOrganization
	case d.thing.name == "user":
		r.Subject, name = &CloudscaleSubject{User: who.User}, who.User.Email
	case dice < 90:
		r.Subject = demoProject
	case dice < 92:
		r.Subject = demoOrganization
	} // the rest has none, as the vendor's sample record
	past := strings.Replace(cloudscalePast[d.verb], "%s", oneOf(w.rng, w.names["Server"]), 1)
	r.Message = d.thing.title + " '" + name + "' " + past
	if d.verb == "delete" {
		names[at] = w.newName(d.thing.title)
	}
	return r
}

// lateCloudscale is the record that the fault "grow" adds, newer than the last one or up to two seconds older: the log
// is in the order of commits, so nothing can be added further inside.
func lateCloudscale(o Options, log *cloudscaleLog, hit strike) CloudscaleRecord {
	rng := newRand(draw(hit.seed, "grow/cloudscale", hit.ordinal), "record")
	t := o.Now
	if n := len(log.rows); n > 0 {
		t = lateTime(rng, hit, log.rows[n-1].nano, 2*time.Second)
	}
	return newCloudscaleWorld(rng, newCalendar(o, serviceCloudscale)).record(t, oneOf(rng, cloudscaleDeeds))
}
