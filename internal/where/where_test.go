// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

func sample() *auditlog.Entry {
	size := "20"

	return &auditlog.Entry{
		ID: "01J", Time: time.Date(2026, 1, 31, 22, 30, 0, 0, time.UTC), Service: "upcloud", Action: "delete",
		Operation: auditlog.OperationDelete, ActorType: auditlog.ActorUser, Actor: "alice", ResourceType: "server",
		IPAddress: "2001:DB8::7", Message: "Server deleted",
		Changes: []auditlog.Change{{Field: "disks.0.size", Before: &size}},
		Raw:     []byte(`{"resource_id":"x","state":{"size":20,"tags":["a","b"]},"big":9007199254740993}`),
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]bool{
		`entry.operation == "delete" && entry.actor != "ci"`:                                                                 true,
		`entry.operation == "create"`:                                                                                        false,
		`has(entry.actor) && !has(entry.user_agent)`:                                                                         true,
		`entry.user_agent == ""`:                                                                                             true,
		`entry.time > timestamp("2026-01-31T22:00:00Z") && entry.time.getHours() >= 22`:                                      true,
		`entry.changes.exists(c, c.field.startsWith("disks.") && c.before == "20")`:                                          true,
		`entry.changes.all(c, !has(c.after) && has(c.before) && c.after == "")`:                                              true,
		`entry.raw.state.size == 20 && "b" in entry.raw.state.tags`:                                                          true,
		`entry.raw.big == 9007199254740993 && entry.raw.big != 9007199254740992`:                                             true,
		`entry.time.getHours("Europe/Helsinki") == 0 && entry.time.getDayOfWeek("+02:00") == 0`:                              true,
		`entry.time - timestamp("2026-01-31T22:00:00Z") == duration("30m")`:                                                  true,
		`entry.time > timestamp("2026-01-31T22:00:00Z") && entry.time < timestamp("2026-02-01T00:00:00+01:00")`:              true,
		`ip_in(entry.ip_address, ["10.0.0.0/8", "2001:0db8::0007"])`:                                                         true,
		`ip_in(entry.ip_address, "2001:db8::8") || ip_in(entry.user_agent, "0.0.0.0/0") || ip_in("10.x.x.1", ["0.0.0.0/0"])`: false,
		`ip_in("::ffff:10.0.0.1", "10.0.0.0/8") && ip_in("10.0.0.1", "::ffff:10.0.0.0/104")`:                                 true,
		`ip_in("10.0.0.1", ["::/0"]) && ip_in("10.0.0.1", "::ffff:0:0/90") && !ip_in("10.0.0.1", "::/81")`:                   true,
		`ip_in("fe80::1%eth0", "fe80::1") && !ip_in("fe80::1%eth0", "fe80::2")`:                                              true,
		`entry.actor.replace("al", "b", 1) == "bice" && "a,b".split(",").join("-") == "a-b" && ["", "x"].join("+") == "+x"`:  true,
		`"aaa".replace("a", "b", 2) == "bba" && "aaa".replace("a", "b", -1) == "bbb" && "ab".replace("", "-") == "-a-b-"`:    true,
		`entry.changes.map(c, c.field).exists(f, f.contains("size")) && "disks.0.size" in entry.changes.map(c, c.field)`:     true,
		`entry.raw.missing == 1 || true`:                                                                                     true,
		`entry.raw.missing == 1 && false`:                                                                                    false,
		`has(entry.raw.missing) && entry.raw.missing == 1`:                                                                   false,
		"// Deletions by people.\nentry.operation == \"delete\"\n":                                                           true,
		`has(entry.raw.state.size) && !has(entry.raw.nothing)`:                                                               true,
		`ip_in(entry.ip_address, "2001:db8::/32") && !ip_in(entry.actor, "10.0.0.0/8")`:                                      true,
		`entry.message.lowerAscii().contains("deleted") && entry.actor.matches("^al.*")`:                                     true,
		`entry == entry && entry.changes[0] == entry.changes[0]`:                                                             true,
	} {
		if got, err := mustCompile(t, text).Match(sample()); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestMatchInNFC: Terraform makes NFC of a condition, and entries are as their cloud
// recorded them.
func TestMatchInNFC(t *testing.T) {
	t.Parallel()

	const decomposed = "zoe\u0308"

	value := strconv.Quote(decomposed)
	e := &auditlog.Entry{
		Changes: []auditlog.Change{{Field: decomposed, Before: &value, After: &value}},
		Raw:     []byte(`{"` + decomposed + `":["` + decomposed + `",{"` + decomposed + `":1}]}`),
	}

	for _, s := range []*string{
		&e.ID, &e.Endpoint, &e.Account, &e.Action, &e.ActorID, &e.Actor, &e.ResourceType, &e.ResourceID, &e.ResourceName,
		&e.ScopeType, &e.ScopeID, &e.ScopeName, &e.Origin, &e.AuthType, &e.IPAddress, &e.UserAgent, &e.CorrelationID,
		&e.Message,
	} {
		*s = decomposed
	}

	// As a configuration has it, as a file that was decomposed has it, and escaped.
	for _, literal := range []string{`"zo` + "\u00eb" + `"`, `"` + decomposed + `"`, `"zo\u00eb"`, `"zoe\u0308"`} {
		var conditions []string

		for _, f := range auditlog.Fields() {
			if f.Kind == auditlog.KindString && f.Name != "service" && f.Name != "operation" && f.Name != "actor_type" {
				conditions = append(conditions, "entry."+f.Name+" == LITERAL")
			}
		}

		for _, text := range append(conditions,
			`entry.actor in ["x", LITERAL]`, `entry.actor.startsWith(LITERAL)`, `entry.actor.matches(LITERAL)`,
			`size(entry.actor) == 3`,
			`entry.changes.exists(c, c.field == LITERAL && c.before == '"' + LITERAL + '"' && c.after.contains(LITERAL))`,
			`LITERAL in entry.raw && entry.raw[LITERAL][0] == LITERAL && entry.raw[LITERAL][1][LITERAL] == 1`,
		) {
			text = strings.ReplaceAll(text, "LITERAL", literal)

			if got, err := mustCompile(t, text).Match(e); !got || err != nil {
				t.Errorf("%+q: %v, %v", text, got, err)
			}
		}
	}

	for _, text := range []string{
		`entry.raw["zo\u00eb"] == 1`,
		`entry.raw["zo\u00eb"] == 1 || entry.raw["zo\u00eb"] == 2`,
	} {
		twins := &auditlog.Entry{Raw: []byte(`{"zo` + "\u00eb" + `":1,"` + decomposed + `":2}`)}
		if got, err := mustCompile(t, text).Match(twins); err == nil ||
			!strings.Contains(err.Error(), "two keys that are the same text") {
			t.Errorf("two keys that are one: %v, %v", got, err)
		}
	}
}

// Every field that an entry has is there by its name, with its value.
func TestEveryField(t *testing.T) {
	t.Parallel()

	e := full()

	for _, f := range auditlog.Fields() {
		condition := "entry." + f.Name + " == " + strconv.Quote(f.Text(e))

		switch f.Kind {
		case auditlog.KindTime:
			condition = "entry." + f.Name + " == timestamp(" + strconv.Quote(f.Text(e)) + ")"
		case auditlog.KindChanges:
			condition = `entry.changes[0].field + entry.changes[0].before + entry.changes[0].after == "fba"`
		case auditlog.KindRaw:
			condition = `entry.raw.key == "value"`
		default:
		}

		if ok, err := mustCompile(t, condition+" && has(entry."+f.Name+")").Match(e); !ok || err != nil {
			t.Errorf("%s: %v, %v", condition, ok, err)
		}

		if ok, err := mustCompile(t, "has(entry."+f.Name+")").Match(&auditlog.Entry{}); ok || err != nil {
			t.Errorf("%s is there: %v", f.Name, err)
		}
	}
}

// full is an entry with a value in every field, each another one.
func full() *auditlog.Entry {
	before, after := "b", "a"

	e := &auditlog.Entry{
		Time:    time.Date(2026, 1, 31, 22, 30, 0, 123456000, time.UTC),
		Changes: []auditlog.Change{{Field: "f", Before: &before, After: &after}},
		Raw:     []byte(`{"key":"value"}`),
	}

	e.Operation, e.ActorType, e.Service = auditlog.OperationGrant, auditlog.ActorStaff, auditlog.ServicePodStack

	for i, s := range []*string{
		&e.ID, &e.Endpoint, &e.Account, &e.Action, &e.ActorID, &e.Actor, &e.ResourceType, &e.ResourceID, &e.ResourceName,
		&e.ScopeType, &e.ScopeID, &e.ScopeName, &e.Origin, &e.AuthType, &e.IPAddress, &e.UserAgent, &e.CorrelationID,
		&e.Message,
	} {
		*s = fmt.Sprintf("value %d", i)
	}

	return e
}

func TestPossible(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		text                         string
		upcloud, cloudscale, archive bool
	}{
		{`entry.operation == "login_failed"`, false, false, true},
		{`entry.operation == "delete"`, true, true, true},
		{`entry.operation in ["login_failed"]`, false, false, true},
		{`entry.operation != "login_failed"`, true, true, true},
		{`entry.user_agent != ""`, false, false, true},
		{`entry.user_agent == ""`, true, true, true},
		{`entry.user_agent.startsWith("curl")`, false, false, true},
		{`entry.origin == "api"`, true, false, true},
		{`has(entry.origin)`, true, false, true},
		{`!has(entry.origin)`, true, true, true},
		{`has(entry.actor)`, true, true, true},
		{`entry.service == "upcloud"`, true, false, true},
		{`entry.service != "upcloud"`, false, true, true},
		{`entry.operation == "login_failed" || entry.actor == "alice"`, true, true, true},
		{`entry.operation == "login_failed" && entry.actor == "alice"`, false, false, true},
		{`entry.actor == "alice" && entry.operation == "login_failed"`, false, false, true},
		{`!(entry.actor == "alice" || entry.operation != "login_failed")`, false, false, true},
		{`entry.operation == "login_failed" ? true : entry.user_agent == "curl"`, false, false, true},
		{`entry.raw.x == 1`, true, true, true},
		{`has(entry.raw.x)`, true, true, true},
		{`entry.user_agent == "curl" && entry.raw.x == 1`, false, false, true},
		{`entry.changes.exists(c, c.field == "x")`, true, false, true},
		{`entry.changes.all(c, c.field == "x")`, true, true, true},
		{`size(entry.changes) > 0`, true, false, true},
		{`entry.time > timestamp("2026-01-31T22:00:00Z")`, true, true, true},
		{`entry.time.getHours() >= 22`, true, true, true},
		{`entry.actor_type == "staff"`, false, true, true},
		{`ip_in(entry.ip_address, "10.0.0.0/8")`, true, true, true},
		{`ip_in(entry.user_agent, "10.0.0.0/8")`, false, false, true},
		{`entry.actor == entry.user_agent && has(entry.actor)`, true, true, true},
		// That no number is below its square is beyond what is looked into.
		{`size(entry.actor) < 0`, true, true, true},
		{`entry == entry`, true, true, true},
		{`1 / 0 == 1`, true, true, true},
		{`int(entry.user_agent) == 1`, true, true, true},
		{`false`, false, false, false},
	} {
		x := mustCompile(t, c.text)

		if got := x.Possible(auditlog.Query{}.Scope(upcloud.Info())); got != c.upcloud {
			t.Errorf("%s on UpCloud: %v", c.text, got)
		}

		if got := x.Possible(auditlog.Query{}.Scope(cloudscale.Info())); got != c.cloudscale {
			t.Errorf("%s on cloudscale: %v", c.text, got)
		}

		// An archive may hold entries of any service.
		archive := auditlog.Info{Name: auditlog.ServiceArchive, Operations: auditlog.Operations()}
		if got := x.Possible(auditlog.Query{}.Scope(archive)); got != c.archive {
			t.Errorf("%s in an archive: %v", c.text, got)
		}
	}
}
