// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
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
		`entry.operation == "delete" && entry.actor != "ci"`:                             true,
		`entry.operation == "create"`:                                                    false,
		`has(entry.actor) && !has(entry.user_agent)`:                                     true,
		`entry.user_agent == ""`:                                                         true,
		`entry.time > timestamp("2026-01-31T22:00:00Z") && entry.time.getHours() >= 22`:  true,
		`entry.changes.exists(c, c.field.startsWith("disks.") && c.before == "20")`:      true,
		`entry.changes.all(c, !has(c.after) && has(c.before) && c.after == "")`:          true,
		`entry.raw.state.size == 20 && "b" in entry.raw.state.tags`:                      true,
		`entry.raw.big == 9007199254740993 && entry.raw.big != 9007199254740992`:         true,
		`has(entry.raw.state.size) && !has(entry.raw.nothing)`:                           true,
		`ip_in(entry.ip_address, "2001:db8::/32") && !ip_in(entry.actor, "10.0.0.0/8")`:  true,
		`entry.message.lowerAscii().contains("deleted") && entry.actor.matches("^al.*")`: true,
		`entry == entry && entry.changes[0] == entry.changes[0]`:                         true,
	} {
		x, err := where.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)

			continue
		}

		if got, err := x.Match(sample()); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestPossible(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		text                string
		upcloud, cloudscale bool
	}{
		{`entry.operation == "login_failed"`, false, false},
		{`entry.operation == "delete"`, true, true},
		{`entry.user_agent != ""`, false, false},
		{`entry.user_agent == ""`, true, true},
		{`has(entry.user_agent)`, false, false},
		{`has(entry.actor)`, true, true},
		{`entry.service == "upcloud"`, true, false},
		{`entry.operation == "login_failed" || entry.actor == "alice"`, true, true},
		{`entry.operation == "login_failed" && entry.actor == "alice"`, false, false},
		{`entry.raw.x == 1`, true, true},
		{`entry.changes.exists(c, c.field == "x")`, true, false},
		{`entry.time > timestamp("2026-01-31T22:00:00Z")`, true, true},
		{`entry.actor_type == "user"`, true, true},
		{`false`, false, false},
	} {
		x, err := where.Compile(c.text)
		if err != nil {
			t.Fatal(err)
		}

		if got := x.Possible(upcloud.Info()); got != c.upcloud {
			t.Errorf("%s on UpCloud: %v", c.text, got)
		}

		if got := x.Possible(cloudscale.Info()); got != c.cloudscale {
			t.Errorf("%s on cloudscale: %v", c.text, got)
		}
	}
}
