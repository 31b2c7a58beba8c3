// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
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
func pseudonymOf(tb testing.TB, r *export.Redactor, field, value string) string {
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

// TestManifestsNameNobodyWhoIsRedacted: what is asked for stands in the manifest as
// the entries have it.
func TestManifestsNameNobodyWhoIsRedacted(t *testing.T) {
	t.Parallel()

	const jane = "jane@example.com"

	for _, mode := range []string{export.RedactHash, export.RedactMask, export.RedactDrop} {
		r := mustRedactor(t, map[string]string{"actor": mode})
		for name, change := range map[string]func(*auditlog.Query){
			"actors":       func(q *auditlog.Query) { q.Actors = []string{"someone else", jane} },
			"search":       func(q *auditlog.Query) { q.Search = jane },
			"resource ids": func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.resource_id == "jane@example.com"`) },
			"where":        func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.actor == "jane@example.com"`) },
			"where, in a list": func(q *auditlog.Query) {
				q.Where = mustCondition(t, `entry.actor in ['ci', r"jane@example.com", """jane@example.com"""] && entry.operation == "delete"`)
			},
			"where, the other way": func(q *auditlog.Query) { q.Where = mustCondition(t, `"jane@example.com" != entry.actor`) },
			"where, escaped":       func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.actor == "\x6aane@\u0065xample.com"`) },
			"where, a message":     func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.message.contains("jane@example.com")`) },
			"where, a record":      func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.raw.user.name == "jane@example.com"`) },
			"where, a part":        func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.actor.startsWith("jane@")`) },
			"where, a pattern":     func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.actor.matches("^jane@.*")`) },
			"where, put together":  func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.actor == "jane@" + "example.com"`) },
			"where, changed":       func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.actor.lowerAscii() == "jane@example.com"`) },
			"where, a loop": func(q *auditlog.Query) {
				q.Where = mustCondition(t, `["jane@example.com"].exists(n, n == entry.actor)`)
			},
			"where, another field": func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.resource_name == "jane@example.com"`) },
			"where, a scope":       func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.scope_name == "jane@example.com"`) },
			"where, an account":    func(q *auditlog.Query) { q.Where = mustCondition(t, `entry.account == "jane@example.com"`) },
			"where, a comment":     func(q *auditlog.Query) { q.Where = mustCondition(t, "true // of jane@example.com\n && true") },
			"where, lines": func(q *auditlog.Query) {
				q.Where = mustCondition(t, "// ü\r\n'ü' != entry.actor &&\r\n entry.actor == 'jane@example.com'")
			},
		} {
			s := spec(filepath.Join(t.TempDir(), "out.ndjson"), export.FormatNDJSON)
			change(&s.Query)
			s.Redactor, s.Scrubber = r, r.Scrubber()

			e := auditlog.Entry{ID: "a", Time: at, Service: auditlog.ServiceUpCloud, Action: "x", Actor: jane}
			if err := s.Scrubber.Learn(&e); err != nil {
				t.Fatal(err)
			}

			mustWrite(t, s, []auditlog.Entry{e})

			manifest, err := os.ReadFile(s.Path + export.ManifestSuffix)
			if err != nil {
				t.Fatal(err)
			}

			if strings.Contains(string(manifest), "jane") || strings.Contains(string(manifest), `\x6aane`) {
				t.Errorf("%s, %s: it names her: %s", mode, name, manifest)
			}

			whole := !slices.Contains([]string{"where, a comment", "where, a part", "where, a pattern", "where, put together", "where, a message"}, name)
			if want := pseudonymOf(t, r, "actor", jane); mode == export.RedactHash && whole && !strings.Contains(string(manifest), want) {
				t.Errorf("%s, %s: it lacks %s: %s", mode, name, want, manifest)
			}
		}
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
		"all":     {"actor": "drop", "resource_type": "hash", "origin": "drop", "resource_name": "hash", "ip_address": "drop"},
	}

	redactors := map[string]*export.Redactor{}
	for name := range rules {
		redactors[name] = mustRedactor(t, rules[name])
	}

	for _, c := range []struct {
		rules string
		query auditlog.Query
		want  string
	}{
		{"nothing", auditlog.Query{Actors: []string{"jane"}, Search: "x"}, "actors [jane] search x"},
		{"ids", auditlog.Query{ResourceIDs: []string{id}, Actors: []string{id}}, "resource_ids [" + pseudonymOf(t, redactors["ids"], "resource_id", id) + "] actors [" + pseudonymOf(t, redactors["ids"], "actor_id", id) + "]"},
		{"ids", auditlog.Query{Where: mustCondition(t, `entry.actor == "jane" && entry.resource_id == "`+id+`"`)}, `where entry.actor == "jane" && entry.resource_id == "` + pseudonymOf(t, redactors["ids"], "resource_id", id) + `"`},
		{"address", auditlog.Query{IPAddresses: []string{address, "203.0.113.0/28", "203.0.0.0/16", "2001:db8:1:2::3"}, Search: "web-1"}, "ip_addresses [203.0.113.0/24 203.0.113.0/24 203.0.0.0/16 2001:db8:1::/48] search web-1"},
		{"address", auditlog.Query{Search: "203.0.113"}, "search ***"},
		{"address", auditlog.Query{Where: mustCondition(t, `entry.ip_address == "`+address+`" && entry.actor == "jane" && ip_in(entry.ip_address, ["203.0.113.7"])`)}, `where entry.ip_address == "203.0.113.0/24" && entry.actor == "jane" && ip_in(entry.ip_address, ["203.0.113.0/24"])`},
		{"hashed", auditlog.Query{IPAddresses: []string{address}}, "ip_addresses [" + pseudonymOf(t, redactors["hashed"], "ip_address", address) + "]"},
		{"all", auditlog.Query{Actors: []string{"jane"}, Origins: []string{"api"}, IPAddresses: []string{address}, Actions: []string{"x"}, Operations: []auditlog.Operation{"delete"}}, "actions [x] operations [delete] actors [***] origins [***] ip_addresses [***]"},
		{"all", auditlog.Query{Where: mustCondition(t, `entry.action == "jane" && entry.time > timestamp("2026-01-01T00:00:00Z") && entry.raw["x"].y == "z"`)}, `where entry.action == "jane" && entry.time > timestamp("2026-01-01T00:00:00Z") && entry.raw["x"].y == "***"`},
	} {
		q := redactors[c.rules].Query(c.query)

		var got []string

		for _, l := range []struct {
			name   string
			values []string
		}{{"actions", q.Actions}, {"resource_ids", q.ResourceIDs}, {"actors", q.Actors}, {"origins", q.Origins}, {"ip_addresses", q.IPAddresses}} {
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

// TestStatementsNameNobodyWhoIsRedacted: a statement repeats the query, or an
// archive's.
func TestStatementsNameNobodyWhoIsRedacted(t *testing.T) {
	t.Parallel()

	r := mustRedactor(t, map[string]string{"actor": "hash", "origin": "hash"})
	s := spec(filepath.Join(t.TempDir(), "out.ndjson"), export.FormatNDJSON)
	s.Redactor, s.Scrubber = r, r.Scrubber()

	c := complete(0)
	c.Caveats = []string{`The archive keeps only entries with actions = ["x"] and actors = ["jane", "jo\"e", "]jane"] and search = "jane" and where = "entry.actor == \"jane\""; whatever else happened is not in it.`}
	c.UnverifiedValues = []string{"origins: janes-tool", "where: janes-tool", "actions: x"}

	if _, err := export.Write(t.Context(), s, all(nil), c); err != nil {
		t.Fatal(err)
	}

	manifest, err := os.ReadFile(s.Path + export.ManifestSuffix)
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{`actions = [\"x\"] and actors = [\"` + pseudonymOf(t, r, "actor", "jane") + `\", \"hmac:`, `where = \"***\"`, `"actions: x"`, `"origins: hmac:`} {
		if !strings.Contains(string(manifest), want) || strings.Contains(string(manifest), "jane") || strings.Contains(string(manifest), "jo\\") {
			t.Errorf("want %s:\n%s", want, manifest)
		}
	}
}
