// SPDX-License-Identifier: MPL-2.0

package redact_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

func mustCondition(tb testing.TB, text string) *where.Expression {
	tb.Helper()

	x, err := where.Compile(text)
	if err != nil {
		tb.Fatal(err)
	}

	return x
}

// pseudonymOf is what the entries of an export have in place of a value.
func pseudonymOf(tb testing.TB, r *redact.Redactor, field, value string) string {
	tb.Helper()

	e := auditlog.Entry{}

	switch field {
	case "actor":
		e.Actor = value
		return r.Apply(e).Actor
	case "actor_id":
		e.ActorID = value
		return r.Apply(e).ActorID
	case "resource_id":
		e.ResourceID = value
		return r.Apply(e).ResourceID
	case "resource_name":
		e.ResourceName = value
		return r.Apply(e).ResourceName
	default:
		e.IPAddress = value
		return r.Apply(e).IPAddress
	}
}

func TestRedactedQueries(t *testing.T) {
	t.Parallel()

	const id, address = "00c24f4b-52e1-4e1e-9f3c-6f4d7c0a1b2c", "203.0.113.7"

	rules := map[string]map[string]string{
		"nothing": {"actor": "keep"},
		"ids":     {"actor_id": "hash", "resource_id": "hash"},
		"address": {"ip_address": "mask"},
		"hashed":  {"ip_address": "hash"},
		"all": {
			"actor": "drop", "resource_type": "hash", "origin": "drop", "resource_name": "hash",
			"ip_address": "drop",
		},
	}

	redactors := map[string]*redact.Redactor{}
	for name := range rules {
		redactors[name] = mustRedactor(t, rules[name])
	}

	for _, c := range []struct {
		rules string
		query auditlog.Query
		want  string
	}{
		{"nothing", auditlog.Query{Actors: []string{"jane"}, Search: "x"}, "actors [jane] search x"},
		{"ids", auditlog.Query{ResourceIDs: []string{id}, Actors: []string{id}}, "resource_ids [" +
			pseudonymOf(t, redactors["ids"], "resource_id", id) + "] actors [" +
			pseudonymOf(t, redactors["ids"], "actor_id", id) + "]"},
		{
			"ids",
			auditlog.Query{Where: mustCondition(t, `entry.actor == "jane" && entry.resource_id == "`+id+`"`)},
			`where entry.actor == "jane" && entry.resource_id == "` + pseudonymOf(t, redactors["ids"], "resource_id", id) + `"`,
		},
		{"address", auditlog.Query{
			IPAddresses: []string{address, "203.0.113.0/28", "203.0.0.0/16", "2001:db8:1:2::3"},
			Search:      "web-1",
		}, "ip_addresses [203.0.113.0/24 203.0.113.0/24 203.0.0.0/16 2001:db8:1::/48] search web-1"},
		{"address", auditlog.Query{Search: "203.0.113"}, "search ***"},
		{"address", auditlog.Query{
			Where: mustCondition(t, `entry.ip_address == "`+address+`" && entry.actor == "jane" && ip_in(entry.ip_address, ["203.0.113.7"])`),
		}, `where entry.ip_address == "203.0.113.0/24" && entry.actor == "jane" && ip_in(entry.ip_address, ["203.0.113.0/24"])`},
		{"hashed", auditlog.Query{IPAddresses: []string{address}}, "ip_addresses [" +
			pseudonymOf(t, redactors["hashed"], "ip_address", address) + "]"},
		{"all", auditlog.Query{
			Actors: []string{"jane"}, Origins: []string{"api"}, IPAddresses: []string{address},
			Actions: []string{"x"}, Operations: []auditlog.Operation{"delete"},
		}, "actions [x] operations [delete] actors [***] origins [***] ip_addresses [***]"},
		{
			"all",
			auditlog.Query{Where: mustCondition(t,
				`entry.action == "jane" && entry.time > timestamp("2026-01-01T00:00:00Z") && entry.raw["x"].y == "z"`)},
			`where entry.action == "jane" && entry.time > timestamp("2026-01-01T00:00:00Z") && entry.raw["x"].y == "***"`,
		},
	} {
		q := redactors[c.rules].Query(c.query)

		var got []string

		for _, l := range []struct {
			name   string
			values []string
		}{
			{"actions", q.Actions},
			{"resource_ids", q.ResourceIDs},
			{"actors", q.Actors},
			{"origins", q.Origins},
			{"ip_addresses", q.IPAddresses},
		} {
			if l.name == "resource_ids" && len(q.Operations) > 0 {
				got = append(got, fmt.Sprint("operations ", q.Operations))
			}

			if len(l.values) > 0 {
				got = append(got, fmt.Sprint(l.name, " ", l.values))
			}
		}

		if q.Search != "" {
			got = append(got, "search "+q.Search)
		}

		if q.Where != nil {
			got = append(got, "where "+q.Where.String())
		}

		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%v\n got %s\nwant %s", maps.Collect(maps.All(rules[c.rules])), text, c.want)
		}
	}
}

// TestFormsInQueries: an address is found whatever it is a part of, and little else is
// taken for one.
func TestFormsInQueries(t *testing.T) {
	t.Parallel()

	masks := mustRedactor(t, map[string]string{"actor": "mask", "ip_address": "mask"})
	hashes := mustRedactor(t, map[string]string{"actor": "hash", "ip_address": "hash"})
	scopes := mustRedactor(t, map[string]string{"scope_name": "mask"})
	keeps := mustRedactor(t, map[string]string{"actor": "hash", "resource_id": "keep"})

	for _, c := range []struct {
		r          *redact.Redactor
		text, want string
	}{
		{masks, "jane@example.com", "***@example.com"},
		{masks, "user:jane@example.com", "user:***@example.com"},
		{masks, "Jane Doe <jane.d+x@mail.example.com>, jo@example.org.", "Jane Doe <***@mail.example.com>, ***@example.org."},
		{masks, `"jane doe"@example.com`, "***"},
		{masks, "mailto:jané@exämple.com?cc=jo%40example.org", "mailto:***@exämple.com?cc=***@example.org"},
		{masks, "***@example.com", "***@example.com"},
		{masks, "al&ce!x@example.com", "***@example.com"},
		{masks, "host-203.0.113.7", "host-203.0.113.0/24"},
		{masks, "203.0.113.7.nip.example", "203.0.113.0/24.nip.example"},
		{masks, "ssh://203.0.113.7:22/x", "ssh://203.0.113.0/24/x"},
		{masks, "203.0.113.7/32 and 203.0.0.0/16.", "203.0.113.0/24 and 203.0.0.0/16."},
		{masks, "ip:2001:db8:1:2::3.", "ip:2001:db8:1::/48."},
		{masks, "http://[2001:DB8:1:2::3]:80/x", "http://[2001:db8:1::/48]:80/x"},
		{masks, "2001:db8:1:2::3/8080", "2001:db8:1::/48/8080"},
		{masks, "2001:db8:1:2::", "2001:db8:1::/48"},
		{masks, "::ffff:203.0.113.7", "203.0.113.0/24"},
		{masks, "jane@203.0.113.7", "***@203.0.113.0/24"},
		{hashes, "user:jane@example.com", "user:" + pseudonymOf(t, hashes, "actor", "jane@example.com")},
		{hashes, "ssh://203.0.113.7:22/x", "ssh://" + pseudonymOf(t, hashes, "ip_address", "203.0.113.7") + "/x"},
		{scopes, "user:jane@example.com", "user:***@example.com"},
		{keeps, "jane@example.com", "jane@example.com"},
	} {
		if got := c.r.Query(auditlog.Query{ResourceIDs: []string{c.text}}).ResourceIDs[0]; got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}

	for _, text := range []string{
		"web-1", "00c24f4b-52e1-4e1e-9f3c-6f4d7c0a1b2c", "0a:1b:2c:3d:4e:5f", "std::string", "12:30:45", "v1.2.3", "a@b",
		"nginx@sha256:0a1b2c3d", "2026-01-31T00:00:00Z",
		"1.2.3.4.5", "server:web-1", "arn:x:y::z", "100%", "@example.com", pseudonymOf(t, hashes, "actor", "jane"),
	} {
		if got := hashes.Query(auditlog.Query{ResourceIDs: []string{text}}).ResourceIDs[0]; got != text {
			t.Errorf("%s is taken for an address: %s", text, got)
		}
	}
}

// TestQueriesNameNobodyWhoWasRead: a plain name shows by nothing but what was read.
func TestQueriesNameNobodyWhoWasRead(t *testing.T) {
	t.Parallel()

	r := mustRedactor(t, map[string]string{"actor": "hash", "resource_name": "keep"})
	jane := pseudonymOf(t, r, "actor", "jane")

	s := r.Scrubber()
	for _, actor := range []string{"jane", "Jo@example.com", "server"} {
		if err := s.Learn(&auditlog.Entry{Actor: actor}); err != nil {
			t.Fatal(err)
		}
	}

	resources := func(ids ...string) auditlog.Query { return auditlog.Query{ResourceIDs: ids} }
	condition := func(text string) auditlog.Query { return auditlog.Query{Where: mustCondition(t, text)} }

	for _, c := range []struct {
		query auditlog.Query
		want  auditlog.Query
		names []string
	}{
		{resources("web-1", "jane"), resources("web-1", jane), []string{"resource_ids"}},
		{resources("JANE", "home-of-jane"), resources(jane, "***"), []string{"resource_ids"}},
		{resources("jo@example.com"), resources(pseudonymOf(t, r, "actor", "Jo@example.com")), nil},
		{resources("user:jo@example.com"), resources("user:" + pseudonymOf(t, r, "actor", "jo@example.com")), nil},
		{resources("web-1", "jan"), resources("web-1", "jan"), nil},
		{
			auditlog.Query{ResourceTypes: []string{"server", "jane"}, Origins: []string{"jane"}},
			auditlog.Query{ResourceTypes: []string{"server", jane}, Origins: []string{jane}},
			[]string{"resource_types", "origins"},
		},
		{
			auditlog.Query{Actions: []string{"jane"}, Search: "jane"},
			auditlog.Query{Actions: []string{"jane"}, Search: jane},
			nil,
		},
		{
			condition(`entry.resource_id == "jane" && entry.raw["jane"] == 1`),
			condition(`entry.resource_id == "` + jane + `" && entry.raw["` + jane + `"] == 1`),
			[]string{"where"},
		},
		{
			condition(`entry.resource_id.startsWith("home-of-jane")`), condition(`entry.resource_id.startsWith("***")`),
			[]string{"where"},
		},
		{
			condition(`entry.resource_name == "jane" && entry.action == "jane"`),
			condition(`entry.resource_name == "jane" && entry.action == "jane"`), nil,
		},
		{
			condition(`entry.resource_type == "server" && entry.resource_id != "web-1"`),
			condition(`entry.resource_type == "server" && entry.resource_id != "web-1"`), nil,
		},
	} {
		if differs := s.Query(c.query).Different(c.want); len(differs) > 0 {
			t.Errorf("%v: %v: got %v, want %v", differs, c.query, s.Query(c.query), c.want)
		}

		if got := s.InQuery(c.query); !slices.Equal(got, c.names) {
			t.Errorf("%v: got %v, want %v", c.query, got, c.names)
		}
	}

	// Where nothing is redacted, nothing is changed.
	if q := (*redact.Scrubber)(nil).Query(resources("jane")); q.ResourceIDs[0] != "jane" ||
		(*redact.Scrubber)(nil).InQuery(q) != nil {
		t.Error(q)
	}
}

// TestStatementsNameNobodyWhoWasRead: an archive's own filters can name somebody who
// shows as a person only in what is read.
func TestStatementsNameNobodyWhoWasRead(t *testing.T) {
	t.Parallel()

	r := mustRedactor(t, map[string]string{"actor": "hash"})
	jane := pseudonymOf(t, r, "actor", "jane")

	s := r.Scrubber()
	if err := s.Learn(&auditlog.Entry{Actor: "jane"}); err != nil {
		t.Fatal(err)
	}

	given := func() auditlog.Completeness {
		return auditlog.Completeness{
			Caveats:          []string{`The archive keeps only entries with resource_ids = ["web-1", "jane"] and search = "home-of-jane"; whatever else happened is not in it.`},
			UnverifiedValues: []string{"origins: jane", "where: jane", "resource_types: server", "actions: jane"},
		}
	}
	want := auditlog.Completeness{
		Caveats: []string{`The archive keeps only entries with resource_ids = ["web-1", "` + jane +
			`"] and search = "` + pseudonymOf(t, r, "actor", "home-of-jane") + `"; whatever else happened is not in it.`},
		UnverifiedValues: []string{"origins: " + jane, "where: " + jane, "resource_types: server", "actions: jane"},
	}

	if diff := cmp.Diff(want, s.Completeness(given())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(given(), (*redact.Scrubber)(nil).Completeness(given())); diff != "" {
		t.Errorf("without rules (-want +got):\n%s", diff)
	}
}
