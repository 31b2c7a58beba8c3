// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// history is what both clouds have recorded: their records as JSON, cloudscale's
// in the order of its log.
type history map[string][]string

// generator makes records. Those of the fakes are plausible; the others are odd.
type generator struct {
	*rand.Rand

	now  time.Time
	span time.Duration
	// grain is what most times are whole numbers of, so that many lie exactly as far
	// apart as rules reach.
	grain time.Duration
	made  int
	// invented says whether there are actions that no table can know.
	invented bool
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func one[T any](g *rand.Rand, values []T) T { return values[g.IntN(len(values))] }

// history makes n records of each service, about half of them by the fakes.
func (g *generator) history(t *testing.T, n int) history {
	t.Helper()

	fake, err := fakeapi.New(fakeapi.Options{Entries: n / 2, NoExamples: true, Seed: g.Uint64(), Now: g.now, Span: g.span})
	if err != nil {
		t.Fatal(err)
	}

	type commit struct {
		at   time.Time
		line string
	}

	h := history{}

	for _, r := range fake.UpCloudRecords() {
		h[upcloud] = append(h[upcloud], string(r.Raw))
	}

	for range n - n/2 {
		h[upcloud] = append(h[upcloud], g.upcloud())
	}

	var commits []commit
	for _, r := range fake.CloudscaleRecords() {
		commits = append(commits, commit{r.Timestamp, string(r.Raw)})
	}

	for range n - n/2 {
		line := g.cloudscale()
		c := commit{eventOf(cloudscale, line).at, line}

		// Commits overtake each other by milliseconds.
		if g.chance(15) {
			c.at = c.at.Add(time.Duration(g.IntN(900)) * time.Millisecond)
		}

		commits = append(commits, c)

		for g.chance(6) {
			commits = append(commits, c) // A twin.
		}
	}

	slices.SortStableFunc(commits, func(a, b commit) int { return a.at.Compare(b.at) })

	for _, c := range commits {
		h[cloudscale] = append(h[cloudscale], c.line)
	}

	return h
}

// time is when something happened: mostly on the grain, at times right at the
// edge of a second, seldom after now.
func (g *generator) time(resolution time.Duration) time.Time {
	t := g.now.Add(-g.span).Truncate(g.grain).Add(time.Duration(g.Int64N(int64(g.span/g.grain))) * g.grain)

	switch g.IntN(12) {
	case 0:
		t = t.Add(-resolution)
	case 1:
		t = t.Add(resolution)
	case 2:
		t = t.Add(time.Duration(g.Int64N(int64(time.Second)))).Truncate(resolution)
	case 3:
		t = t.Add(time.Duration(g.IntN(1000)) * time.Millisecond)
	case 4:
		if g.chance(10) {
			t = g.now.Add(time.Duration(g.IntN(3)) * time.Second)
		}
	}

	return t
}

var (
	people = []string{
		"mia.ops", "ci-deploy", "terraform-ci", "zo\u00eb.support", "o'neil", `the "boss"`, "ci*", "c?-deploy", "[a-z]",
		`CORP\jdoe`, `CORPjdoe`,
		"Straße", "STRASSE", "σίσυφος", "ΣΊΣΥΦΟΣ", "דנה.audit", "\u202egnihsif", " padded ", "=1+1", "İstanbul", "葵.sre 💾",
		"system", "staff",
		strings.Repeat("very-long-name-", 30), "a/b", "Mia.Ops", "ci", "x, y", "percent%41",
	}
	special    = []string{"Straße", "STRASSE", "σίσυφος", "ΣΊΣΥΦΟΣ", "İstanbul", `CORP\jdoe`, "CORPjdoe", "[a-z]", "ci*"}
	decomposed = []string{"zoe\u0308.support", "mia.ops\u0301", "cafe\u0301", "caf\u00e9"}

	addresses = []string{
		"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.1.2.3", "192.0.2.14", "203.0.113.200", "2001:db8::1",
		"2001:0db8:0000:0000:0000:0000:0000:0001",
		"2001:DB8::1", "2001:db8:0:0::1", "2001:db8:1::1", "10.x.x.1", "192.0.2.***", "masked", "2001:db8::xxxx", "1.2.3",
		"::1", "10.0.0.1 ",
	}
	mapped = []string{"::ffff:10.0.0.1", "::FFFF:0a00:0001", "::ffff:192.0.2.14"}
	zoned  = []string{"fe80::1%eth0", "fe80::1%eth1", "fe80::1", "2001:db8::1%7"}
)

func (g *generator) person() string {
	if decided[namesInNFC] && g.chance(15) {
		return one(g.Rand, decomposed)
	}

	switch g.IntN(8) {
	case 0: // Those whose case, brackets and backslashes matter.
		return one(g.Rand, special)
	case 1, 2, 3, 4: // A few are behind most of it, so that there are bursts.
		return people[g.IntN(4)]
	default:
		return one(g.Rand, people)
	}
}

func (g *generator) address() string {
	switch {
	case decided[mappedAddresses] && g.chance(15):
		return one(g.Rand, mapped)
	case decided[zonesIgnored] && g.chance(10):
		return one(g.Rand, zoned)
	case g.chance(30): // One address, spelt in several ways.
		return one(g.Rand, addresses[6:10])
	default:
		return one(g.Rand, addresses)
	}
}

// record is JSON in the making, keys in their order.
type record struct{ keys, values []string }

func (r *record) set(key, value string) {
	r.keys, r.values = append(r.keys, key), append(r.values, value)
}

func (r *record) String() string {
	parts := make([]string, len(r.keys))
	for i := range r.keys {
		parts[i] = canonical(r.keys[i]) + ":" + r.values[i]
	}

	return "{" + strings.Join(parts, ",") + "}"
}

// optional sets a key that may be absent, null or empty, all of which mean that
// nothing was recorded.
func (g *generator) optional(r *record, key, value string) {
	switch g.IntN(12) {
	case 0:
	case 1:
		r.set(key, "null")
	case 2:
		r.set(key, `""`)
	default:
		r.set(key, canonical(value))
	}
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// eventID is an id that no other record has.
func (g *generator) eventID() string {
	g.made++
	id := []byte("01ARZ3NDEKTSV4RRFFQ69G5FAV")

	for i, n := 0, g.made; i < 8; i, n = i+1, n/32 {
		id[len(id)-1-i] = crockford[n%32]
	}

	// Ids at random, so that ties by id are not in the order of the log.
	for i := 10; i < 18; i++ {
		id[i] = crockford[g.IntN(32)]
	}

	return string(id)
}

var (
	upcloudActions = []string{
		"create", "create", "clone", "read", "update", "update", "delete", "delete", "delete", "login", "login", "logout",
		"start", "stop",
		"attach", "detach", "access-granted", "access-modified", "owner-change", "maintenance-start", "writes-enable",
	}
	upcloudTypes = []string{
		"server", "server", "storage", "managed-database", "auth", "account", "uks", "ssh-key",
		"network", "network-gateway",
	}
	upcloudIDs = []string{
		"00798b85-efdc-41ca-8021-f6ef457b8531", "00798b85-efdc-41ca-8021-f6ef457b8532", "12345", "ci-deploy", "10.0.0.1",
		"it's", `a"b`, `x\y`, "Straße-1",
	}
)

func (g *generator) upcloud() string {
	r := &record{}
	action := one(g.Rand, upcloudActions)

	switch {
	case decided[widerWords] && g.chance(8):
		action = one(g.Rand, []string{"purge", "destroy", "terminate"})
	case g.invented && g.chance(5):
		action = one(g.Rand, inventedWords)
	}

	at := g.time(time.Nanosecond)
	zone := []*time.Location{time.UTC, time.UTC, time.UTC, time.FixedZone("", 7200), time.FixedZone("", -34200)}[g.IntN(5)]
	origin := one(g.Rand, []string{"api", "api", "gui", "gui", "upcloud_internal"})

	r.set("time", canonical(at.In(zone).Format(time.RFC3339Nano)))
	r.set("auth_type", canonical(one(g.Rand, []string{"api", "gui", "basic_auth", ""})))
	r.set("cloud_event_id", canonical(g.eventID()))
	r.set("upcloud_correlation_id", canonical(fmt.Sprintf("c-%d", g.IntN(20))))
	r.set("resource_type", canonical(one(g.Rand, upcloudTypes)))
	r.set("action", canonical(action))
	g.optional(r, "resource_sub_type", one(g.Rand, []string{"session-api-token", "subaccount-api-token", "Token", "x"}))

	if g.chance(6) {
		r.set("origin", one(g.Rand, []string{`""`, `null`}))
	} else {
		r.set("origin", canonical(origin))
	}

	g.optional(r, "account_username", g.person())
	g.optional(r, "ip_address", g.address())
	g.optional(r, "resource_id", one(g.Rand, upcloudIDs))

	if action == "update" || action == "delete" || g.chance(5) {
		r.set("previous_state", g.state(2))
	}

	if action == "update" || action == "create" || action == "clone" {
		r.set("current_state", g.state(2))
	}

	if action == "update" && g.chance(30) { // Little has changed.
		was := g.state(2)
		r.values[len(r.values)-2] = was
		r.values[len(r.values)-1] = strings.Replace(was, `"web-1"`, `"web-2"`, 1)

		if decided[numbersByValue] {
			r.values[len(r.values)-1] = strings.NewReplacer(":1,", ":1.0,", ":10,", ":1e1,", ":2.5,", ":25e-1,").Replace(was)
		}
	}

	g.extra(r)

	return r.String()
}

// extra adds keys that nobody documented.
func (g *generator) extra(r *record) {
	if g.chance(20) {
		r.set("x_count", one(g.Rand,
			[]string{"0", "1", "2", "1.0", "2.5", "1e1", "-3", `"1"`, "null", "true", "9007199254740993"}))
	}

	if g.chance(10) {
		r.set("x_tags", one(g.Rand, []string{"[]", `["a"]`, `["a","b"]`, `{"a":1}`, `"a"`}))
	}

	if g.chance(10) {
		r.set("x_zone", one(g.Rand, []string{`"fi-hel1"`, `"de-fra1"`, `""`, "null"}))
	}

	if decided[exactKeys] && g.chance(10) {
		r.set(one(g.Rand, []string{"Account_Username", "ACTION", "Resource_Type", "Ip_Address", "MESSAGE"}), `"mallory"`)
	}
}

// state is an object of values of every kind.
func (g *generator) state(depth int) string {
	keys := []string{"plan", "size", "labels", "title", "a.b", `q"k`, "net", "firewall", "zoë"}

	if decided[kindsOfStates] {
		keys = append(keys, "0", "1")
	}

	g.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })

	r := &record{}
	for _, key := range keys[:g.IntN(6)] {
		r.set(key, g.stateValue(depth))
	}

	return r.String()
}

func (g *generator) stateValue(depth int) string {
	switch g.IntN(9) {
	case 0:
		return one(g.Rand, []string{"true", "false"})
	case 1:
		return "null"
	case 2:
		return one(g.Rand, []string{"{}", "[]", `""`})
	case 3, 4:
		if decided[numbersByValue] {
			return one(g.Rand, []string{"1", "1.0", "10", "1e1", "2.5", "25e-1", "0", "-0", "-3"})
		}

		return one(g.Rand, []string{"1", "10", "2.5", "0", "-3", "9007199254740993", "1e400"})
	case 5:
		if depth > 0 {
			return g.state(depth - 1)
		}
	case 6:
		if depth > 0 {
			list := make([]string, g.IntN(4))
			for i := range list {
				list[i] = g.stateValue(depth - 1)
			}

			return "[" + strings.Join(list, ",") + "]"
		}
	}

	return one(g.Rand, []string{`"web-1"`, `"web-1"`, `"prod"`, `"é"`, `"a\"b"`, `"<&>"`, `"\\"`})
}

var (
	cloudscaleActions = []string{
		"server_create", "server_create", "server_delete", "server_delete", "server_stop", "server_start", "server_reboot",
		"server_update",
		"volume_create", "volume_delete", "volume_resize", "server_volume_attach", "server_volume_detach",
		"floating_ip_update", "user_login",
		"api_token_create", "network_rename", "organization_user_invite", "create", "server_pause", "server_migrate",
	}
	messages = []string{
		"Server '%s' has been created", "Server '%s' has been deleted", "Volumes '%s' have been deleted",
		"Server '%s' is gone",
		"Volume '%s' has been attached to server 'web-1'", "User '%s' has logged in", "%s", "", "It's '%s' has been deleted",
		"'%s' has been", "Server '%s' has been deleted by 'ci'", "Server '%s' has been moved, it's done",
	}
	names = []string{
		"web-1", "web-1", "web-2", "db", "it's", "dogs'", "a 'b' c", "x' and 'y", `back\slash`, "prod-db*", "[a-z]", "q?",
		`"quoted"`, "", "zoë",
		strings.Repeat("n", 300), "Straße", "שרת", "<&>", "tab\there",
	}
	projects = []string{"Production", "Beispiel AG", "", "zoë & co"}
)

func (g *generator) cloudscale() string {
	r := &record{}
	action := one(g.Rand, cloudscaleActions)

	switch {
	case decided[widerWords] && g.chance(8):
		action = one(g.Rand, []string{
			"server_destroy", "volume_purge", "server_remove", "server_terminate",
			"floating_ip_release", "purge",
		})
	case g.invented && g.chance(5):
		action = "server_" + one(g.Rand, inventedWords)
	}

	switch g.IntN(8) {
	case 0:
		r.set("ip_address", "null")
	case 1:
	default:
		r.set("ip_address", canonical(g.address()))
	}

	thing := one(g.Rand, names)

	switch {
	case decided[jqFingerprints] && g.chance(5):
		thing = one(g.Rand, []string{"line\u2028separator", "del\x7fete"})
	case decided[namesOnLines] && g.chance(5):
		thing = "two\nlines"
	case decided[namesInNFC] && g.chance(10):
		thing = one(g.Rand, decomposed)
	}

	r.set("action", canonical(action))
	r.set("message", canonical(strings.ReplaceAll(one(g.Rand, messages), "%s", thing)))
	r.set("timestamp", canonical(g.time(time.Microsecond).UTC().Format("2006-01-02T15:04:05.000000Z")))
	r.set("actor", g.actor())

	if subject := g.subject(); subject != "" {
		r.set("subject", subject)
	}

	g.extra(r)

	// Another order of keys is the same record.
	if g.chance(20) {
		slices.Reverse(r.keys)
		slices.Reverse(r.values)
	}

	return r.String()
}

func (g *generator) actor() string {
	uuid := canonical(fmt.Sprintf("3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a000%d", g.IntN(6)))

	switch g.IntN(10) {
	case 0:
		return `{"system":{}}`
	case 1:
		return `{"admin":{}}`
	case 2:
		return `{"api_token":{"uuid":` + uuid + `,"description":null}}`
	case 3, 4, 5:
		// Anybody may call a token what a colleague or a pipeline is called.
		return `{"api_token":{"uuid":` + uuid + `,"description":` + canonical(one(g.Rand, []string{"ci-deploy", "mia.ops@example.com", "prod-csi", "", g.person()})) + `}}`
	case 6:
		if g.chance(20) {
			return one(g.Rand, []string{`{}`, `{"user":{"email":""}}`, `{"user":null,"system":{}}`})
		}
	}

	return `{"user":{"email":` + canonical(g.person()+"@example.com") + `}}`
}

func (g *generator) subject() string {
	project := canonical(one(g.Rand, projects))

	switch g.IntN(6) {
	case 0:
		return ""
	case 1:
		return `{"organization":{"href":null,"uuid":"o-1","name":` + project + `}}`
	case 2:
		return `{"user":{"email":` + canonical(g.person()+"@example.com") + `}}`
	default:
		return `{"project":{"uuid":"p-1","name":` + project + `}}`
	}
}
