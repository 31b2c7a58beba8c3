// SPDX-License-Identifier: MPL-2.0

package export_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

func redactorOf(tb testing.TB, rules map[string]string) *redact.Redactor {
	tb.Helper()

	r, err := redact.New(rules, []byte("0123456789abcdef"))
	if err != nil {
		tb.Fatal(err)
	}

	return r
}

// pseudonym is what entries have in place of an actor.
func pseudonym(r *redact.Redactor, actor string) string {
	return r.Apply(auditlog.Entry{Actor: actor}).Actor
}

// TestManifestsNameNobodyWhoIsRedacted: what is asked for stands in the manifest as
// the entries have it.
func TestManifestsNameNobodyWhoIsRedacted(t *testing.T) {
	t.Parallel()

	const jane = "jane@example.com"

	for _, mode := range []string{redact.Hash, redact.Mask, redact.Drop} {
		r := redactorOf(t, map[string]string{"actor": mode})
		for name, change := range map[string]func(*auditlog.Query){
			"actors":         func(q *auditlog.Query) { q.Actors = []string{"someone else", jane} },
			"search":         func(q *auditlog.Query) { q.Search = jane },
			"resource ids":   func(q *auditlog.Query) { q.ResourceIDs = []string{"web-1", jane} },
			"resource types": func(q *auditlog.Query) { q.ResourceTypes = []string{"server", jane} },
			"origins":        func(q *auditlog.Query) { q.Origins = []string{"gui", jane} },
			"actions":        func(q *auditlog.Query) { q.Actions = []string{"x", jane} },
			"a part":         func(q *auditlog.Query) { q.ResourceIDs = []string{"user:" + jane} },
			"a link":         func(q *auditlog.Query) { q.ResourceIDs = []string{"mailto:jane@example.com?subject=x"} },
			"an encoded part": func(q *auditlog.Query) {
				q.ResourceIDs = []string{"https://example.com/users/jane%40example.com/keys"}
			},
			"where, a resource": func(q *auditlog.Query) { q.Where = compiled(t, `entry.resource_id == "jane@example.com"`) },
			"where, a part of another field": func(q *auditlog.Query) {
				q.Where = compiled(t, `entry.resource_name.contains("user/jane@example.com")`)
			},
			"where, a key": func(q *auditlog.Query) {
				q.Where = compiled(t, `"jane@example.com" in entry.raw && entry.raw["jane@example.com"] == 1`)
			},
			"where, an action": func(q *auditlog.Query) { q.Where = compiled(t, `entry.action == "jane@example.com"`) },
			"where":            func(q *auditlog.Query) { q.Where = compiled(t, `entry.actor == "jane@example.com"`) },
			"where, in a list": func(q *auditlog.Query) {
				q.Where = compiled(t, `entry.actor in ['ci', r"jane@example.com", """jane@example.com"""] && entry.operation == "delete"`)
			},
			"where, the other way": func(q *auditlog.Query) { q.Where = compiled(t, `"jane@example.com" != entry.actor`) },
			"where, escaped":       func(q *auditlog.Query) { q.Where = compiled(t, `entry.actor == "\x6aane@\u0065xample.com"`) },
			"where, a message":     func(q *auditlog.Query) { q.Where = compiled(t, `entry.message.contains("jane@example.com")`) },
			"where, a record":      func(q *auditlog.Query) { q.Where = compiled(t, `entry.raw.user.name == "jane@example.com"`) },
			"where, a part":        func(q *auditlog.Query) { q.Where = compiled(t, `entry.actor.startsWith("jane@")`) },
			"where, a pattern":     func(q *auditlog.Query) { q.Where = compiled(t, `entry.actor.matches("^jane@.*")`) },
			"where, put together":  func(q *auditlog.Query) { q.Where = compiled(t, `entry.actor == "jane@" + "example.com"`) },
			"where, changed":       func(q *auditlog.Query) { q.Where = compiled(t, `entry.actor.lowerAscii() == "jane@example.com"`) },
			"where, a loop": func(q *auditlog.Query) {
				q.Where = compiled(t, `["jane@example.com"].exists(n, n == entry.actor)`)
			},
			"where, another field": func(q *auditlog.Query) { q.Where = compiled(t, `entry.resource_name == "jane@example.com"`) },
			"where, a scope":       func(q *auditlog.Query) { q.Where = compiled(t, `entry.scope_name == "jane@example.com"`) },
			"where, an account":    func(q *auditlog.Query) { q.Where = compiled(t, `entry.account == "jane@example.com"`) },
			"where, a comment":     func(q *auditlog.Query) { q.Where = compiled(t, "true // of jane@example.com\n && true") },
			"where, lines": func(q *auditlog.Query) {
				q.Where = compiled(t, "// ü\r\n'ü' != entry.actor &&\r\n entry.actor == 'jane@example.com'")
			},
		} {
			s := spec(filepath.Join(t.TempDir(), "out.ndjson"), format.NDJSON)
			change(&s.Query)
			s.Redactor, s.Scrubber = r, r.Scrubber()

			e := auditlog.Entry{ID: "a", Time: auditlogtest.At, Service: auditlog.ServiceUpCloud, Action: "x", Actor: jane}
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

			whole := !slices.Contains([]string{
				"where, a comment", "where, a part", "where, a pattern", "where, put together",
				"where, a message", "where, a key",
			}, name)
			if want := pseudonym(r, jane); mode == redact.Hash && whole && !strings.Contains(string(manifest), want) {
				t.Errorf("%s, %s: it lacks %s: %s", mode, name, want, manifest)
			}
		}
	}
}

// TestManifestsNameNobodyWhoWasRead: the whole manifest is written when everything has
// been read.
func TestManifestsNameNobodyWhoWasRead(t *testing.T) {
	t.Parallel()

	r := redactorOf(t, map[string]string{"actor": "hash"})
	s := spec(filepath.Join(t.TempDir(), "out.ndjson"), format.NDJSON)
	s.Redactor, s.Scrubber = r, r.Scrubber()
	s.Query = auditlog.Query{ResourceIDs: []string{"web-1", "jane"}, Where: compiled(t, `entry.resource_name == "jane"`)}

	e := auditlog.Entry{
		ID: "a", Time: auditlogtest.At, Service: auditlog.ServiceUpCloud, Action: "x", Actor: "jane",
		ResourceName: "jane",
	}
	if err := s.Scrubber.Learn(&e); err != nil {
		t.Fatal(err)
	}

	c := complete(1)
	c.Caveats = []string{`The archive keeps only entries with resource_ids = ["web-1", "home-of-jane"]; whatever else happened is not in it.`}
	c.UnverifiedValues = []string{"origins: jane", "where: jane"}

	if _, err := export.Write(t.Context(), s, all([]auditlog.Entry{e}), c); err != nil {
		t.Fatal(err)
	}

	manifest, err := os.ReadFile(s.Path + export.ManifestSuffix)
	if err != nil {
		t.Fatal(err)
	}

	if strings.Contains(string(manifest), "jane") ||
		!strings.Contains(string(manifest), `resource_ids = [\"web-1\", \"***\"]`) ||
		strings.Count(string(manifest), pseudonym(r, "jane")) != 4 {
		t.Errorf("it names her:\n%s", manifest)
	}

	// It is found to be the same export, also before anything has been read.
	again := s
	again.Scrubber, again.Overwrite = r.Scrubber(), false

	if err := export.CheckTarget(again); err != nil {
		t.Error(err)
	}

	for _, change := range []func(*auditlog.Query){
		func(q *auditlog.Query) { q.ResourceIDs = []string{"web-1", "jo"} },
		func(q *auditlog.Query) { q.Where = compiled(t, `entry.resource_name == "jo"`) },
	} {
		other := again
		change(&other.Query)

		foreign := (*export.ForeignFileError)(nil)
		if err := export.CheckTarget(other); !errors.As(err, &foreign) || len(foreign.Differs) != 1 {
			t.Error(err)
		}
	}
}

// TestStatementsNameNobodyWhoIsRedacted: a statement repeats the query, or an
// archive's.
func TestStatementsNameNobodyWhoIsRedacted(t *testing.T) {
	t.Parallel()

	r := redactorOf(t, map[string]string{"actor": "hash", "origin": "hash"})
	s := spec(filepath.Join(t.TempDir(), "out.ndjson"), format.NDJSON)
	s.Redactor, s.Scrubber = r, r.Scrubber()

	c := complete(0)
	c.Caveats = []string{`The archive keeps only entries with actions = ["x"] and actors = ["jane", "jo\"e", "]jane"] and search = "jane" and where = "entry.actor == \"jane\""; whatever else happened is not in it.`}
	c.Caveats = append(c.Caveats, `The archive keeps only entries with resource_ids = ["user:jane@example.com"]; whatever else happened is not in it.`,
		"The export of-jane@example.com.csv has no column for actor, so what is asked of that finds nothing in it, whatever happened.")
	c.UnverifiedValues = []string{
		"origins: janes-tool", "where: janes-tool", "actions: x", "actions: jane@example.com",
		"resource_types: user-jane@example.com",
	}

	if _, err := export.Write(t.Context(), s, all(nil), c); err != nil {
		t.Fatal(err)
	}

	manifest, err := os.ReadFile(s.Path + export.ManifestSuffix)
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []string{
		`actions = [\"x\"] and actors = [\"` + pseudonym(r, "jane") + `\", \"hmac:`,
		`where = \"***\"`, `"actions: x"`, `"origins: hmac:`,
	} {
		if !strings.Contains(string(manifest), want) || strings.Contains(string(manifest), "jane") ||
			strings.Contains(string(manifest), "jo\\") {
			t.Errorf("want %s:\n%s", want, manifest)
		}
	}
}

// TestWriteKeepsToItsLog: the export of another log is not written over one, unless
// that is asked for.
func TestWriteKeepsToItsLog(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "log")

	write := func(account string, change func(*export.Spec)) (export.Result, error) {
		c := complete(1)
		c.Source = auditlog.Source{Service: "upcloud", Endpoint: "https://api.upcloud.com", Account: account}
		s := export.Spec{Path: path, Format: format.NDJSON, Tool: "test/1", ExportedAt: auditlogtest.At}

		if change != nil {
			change(&s)
		}

		return export.Write(t.Context(), s, all([]auditlog.Entry{auditlogtest.Entry("1", nil)}), c)
	}

	for _, account := range []string{"", "mia", "mia"} {
		if r, err := write(account, nil); err != nil || r.Source.Account != account || !r.Confirmed {
			t.Fatalf("%q: %+v, %v", account, r, err)
		}
	}

	other := (*auditlog.SourceError)(nil)
	if _, err := write("eve", nil); !errors.As(err, &other) || other.Known.Account != "mia" ||
		other.Found.Account != "eve" {
		t.Errorf("got %v", err)
	}

	if there, err := export.SourceAt(path); err != nil || there.Account != "mia" {
		t.Errorf("got %+v, %v", there, err)
	}

	// What is remembered counts, also where the files may be replaced.
	known := redact.KeptSource{Source: auditlog.Source{Service: "upcloud", Account: "mia"}}
	if _, err := write("eve", func(s *export.Spec) { s.Overwrite, s.Known = true, known }); !errors.As(err, &other) {
		t.Errorf("got %v", err)
	}

	if r, err := write("", func(s *export.Spec) { s.Known = known }); err != nil || r.Confirmed {
		t.Errorf("got %+v, %v", r, err)
	}

	if _, err := write("eve", func(s *export.Spec) { s.Overwrite = true }); err != nil {
		t.Error(err)
	}
}

// TestWriteRefusesLateValues: an entry that was written before a value is met for
// the first time may hold it. Written once more, it does not.
func TestWriteRefusesLateValues(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "out.ndjson")
	entries := []auditlog.Entry{
		auditlogtest.Entry("1", func(e *auditlog.Entry) { e.ResourceID = "mia.ops" }),
		auditlogtest.Entry("2", func(e *auditlog.Entry) { e.Actor = "mia.ops" }),
	}

	s := spec(path, format.NDJSON)
	s.Scrubber = redactorOf(t, map[string]string{"actor": "hash"}).Scrubber()

	if err := s.Scrubber.LearnAll(all(entries[:1]), complete(1)); err != nil {
		t.Fatal(err)
	}

	if _, err := export.Write(t.Context(), s, all(entries), complete(2)); !errors.Is(err, redact.ErrLateValue) {
		t.Errorf("got %v", err)
	}

	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}

	if _, err := export.Write(t.Context(), s, all(entries), complete(2)); err != nil {
		t.Error(err)
	}

	if text, _ := os.ReadFile(path); strings.Contains(string(text), "mia.ops") ||
		strings.Count(string(text), "hmac:TRFWFFZKBFTMKIZN7FA4FXM5V5") != 2 {
		t.Errorf("got %s", text)
	}
}
