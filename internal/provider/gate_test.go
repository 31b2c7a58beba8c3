// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// deletions is a log with three deletions of today.
func deletions(t *testing.T) *world {
	t.Helper()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.history(
		deed{5 * time.Hour, "mia", "delete", "managed-database", "192.0.2.1"},
		deed{4 * time.Hour, "mia", "delete", "server", "192.0.2.1"},
		deed{3 * time.Hour, "mia", "delete", "server", "192.0.2.1"},
	)

	return w
}

// filterOptions counts the requests for them.
func (w *world) filterOptions() int {
	n := 0

	for _, r := range w.fake.Requests() {
		if strings.HasSuffix(r.Path, "/filter-options") {
			n++
		}
	}

	return n
}

// TestAValueThatNoEntryHasIsAnError: a typo finds nothing, and nothing has to mean
// that nothing happened.
func TestAValueThatNoEntryHasIsAnError(t *testing.T) {
	t.Parallel()

	rule := func(where string) args { return args{"x": args{"where": where}} }

	for name, tt := range map[string]struct {
		source string
		given  args
		want   []string
	}{
		"a resource type": {"audit_logs", args{"resource_types": list("server", "managed_database")}, []string{
			`AttributeName("resource_types").ElementKeyInt(1)`, `UpCloud knows no such resource type`, "Did you mean: managed-database", "allow_unknown_values = true",
		}},
		"an action": {"audit_logs", args{"actions": list("deleted")}, []string{`AttributeName("actions").ElementKeyInt(0)`, "Did you mean: delete"}},
		"an origin": {"audit_logs", args{"origins": list("web")}, []string{`AttributeName("origins")`, "Known: api, gui, upcloud_internal"}},
		"a literal of a condition": {"audit_logs", args{"where": "entry.resource_type == 'servers'"}, []string{
			`AttributeName("where")`, "Did you mean: server", "Column: 24", "entry.resource_type == '*******'",
		}},
		"a literal on the left":   {"audit_logs", args{"where": "'GUI' == entry.origin"}, []string{"Did you mean: gui"}},
		"a literal of a list":     {"audit_logs", args{"where": "entry.action in ['create', 'deleet']"}, []string{"Did you mean: delete"}},
		"a literal that excludes": {"audit_logs", args{"where": "!(entry.resource_type != 'storrage') || entry.actor == 'x'"}, []string{"Did you mean: storage"}},
		"findings":                {"audit_log_findings", args{"resource_types": list("serverr")}, []string{`AttributeName("resource_types")`, "Did you mean: server"}},
		"a rule": {"audit_log_findings", args{"builtin_rules": list(), "rules": rule("entry.resource_type == 'managed_database'")}, []string{
			`AttributeName("rules").ElementKeyString("x")`, "Rule: x", "Did you mean: managed-database",
		}},
		"an expectation": {"audit_log_findings", args{"expected": list(args{"resource_types": list("server", "storages")})}, []string{
			`AttributeName("expected").ElementKeyInt(0)`, "Argument: resource_types", "Did you mean: storage",
		}},
		"an expectation's pattern": {"audit_log_findings", args{"expected": list(args{"resource_types": list("managed_*")})}, []string{"Argument: resource_types[0]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := deletions(t)
			tt.given["service"] = "upcloud"

			w.look(t, tt.source, tt.given).fails(tt.want...)

			tt.given["allow_unknown_values"] = true

			a := w.look(t, tt.source, tt.given)
			a.warns(tt.want...)
			a.is("completeness.conclusive", true) // Somebody vouches for the value.
		})
	}
}

// TestAResourceRefusesAValueThatNoEntryHas when planning, before anything is written.
func TestAResourceRefusesAValueThatNoEntryHas(t *testing.T) {
	t.Parallel()

	w := deletions(t)

	for name, given := range map[string]args{
		"audit_log_export":  {"path": w.file("out.ndjson"), "format": "ndjson"},
		"audit_log_archive": {"destination": w.file("archive")},
	} {
		given["service"], given["resource_types"] = "upcloud", list("managed_database")

		w.provider(t, w.settings()).apply(name, given).fails(`AttributeName("resource_types").ElementKeyInt(0)`, "Did you mean: managed-database")

		given["allow_unknown_values"] = true

		w.provider(t, w.settings()).apply(name, given).warns("Did you mean: managed-database")
	}
}

// TestAKnownValueCostsNoRequest: the service is asked which values there are only for
// one that the documentation lacks, and once for all that a provider reads.
func TestAKnownValueCostsNoRequest(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.history(deed{2 * time.Hour, "mia", "transmogrify", "teapot", "192.0.2.1"})

	c := w.provider(t, w.settings())
	c.read("audit_logs", args{"service": "upcloud", "resource_types": list("server", "network"), "origins": list("api"), "actions": list("delete")}).quiet()

	if n := w.filterOptions(); n != 0 {
		t.Errorf("asked %d times for documented values", n)
	}

	// The service itself lists what the documentation lacks.
	for range 3 {
		c.read("audit_logs", args{"service": "upcloud", "resource_types": list("teapot")}).quiet()
		c.read("audit_logs", args{"service": "upcloud", "actions": list("transmogrify"), "where": "entry.resource_type == 'teapot'"}).quiet()
		c.read("audit_logs", args{"service": "upcloud", "operations": list("delete")}).warns("transmogrify")
	}

	if n := w.filterOptions(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// silent is UpCloud without a list of values.
func (w *world) silent() {
	handler := w.fake.UpCloud()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/filter-options") {
			http.Error(rw, "{}", http.StatusForbidden)

			return
		}

		handler.ServeHTTP(rw, r)
	}))

	w.t.Cleanup(s.Close)
	w.upcloud = s.URL
}

// TestValuesThatCannotBeCheckedAreAWarning, and nothing found with them proves nothing.
func TestValuesThatCannotBeCheckedAreAWarning(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.silent()

	a := w.look(t, "audit_logs", args{"service": "upcloud", "resource_types": list("managed_database")})
	a.warns("The values that are asked for could not be checked", "Argument: resource_types[0]", "403")
	a.is("completeness.unverified_values", "[resource_types: managed_database]")
	a.is("completeness.conclusive", false)

	// What the log itself shows needs no list.
	w.history(deed{2 * time.Hour, "mia", "delete", "teapot", "192.0.2.1"})

	a = w.look(t, "audit_logs", args{"service": "upcloud", "resource_types": list("teapot")})
	a.is("total_count", 1)
	a.is("completeness.conclusive", true)

	// Operations are read without a list of the actions that mean them.
	a = w.look(t, "audit_logs", args{"service": "upcloud", "operations": list("delete")})
	a.quiet()
	a.is("total_count", 4)
	a.is("completeness.conclusive", true)
}

// cloudscaleDeeds appends records, oldest first.
func (w *world) cloudscaleDeeds(deeds ...deed) {
	for _, d := range deeds {
		w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
			Timestamp: w.now().Add(-d.ago), Action: d.action, Message: "Something has been done.",
			Actor: fakeapi.CloudscaleActor{APIToken: &fakeapi.CloudscaleToken{UUID: "3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002", Description: &d.actor}},
		})
	}
}

// TestAnOpenSetOfValues: of cloudscale's actions only the form is certain, and of
// PodStack's nothing, so that what nothing in the window has is named.
func TestAnOpenSetOfValues(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.cloudscaleDeeds(deed{5 * time.Hour, "ci", "volume_delete", "", ""}, deed{4 * time.Hour, "ci", "server_create", "", ""})
	w.write("a.csv", podstackHeaders+"2026-06-29 11:00:00,jane@example.com,Create,Pod,web-1,192.0.2.1\n2026-06-30 13:00:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n")

	for _, given := range []args{
		{"actions": list("serverdelete")},
		{"actions": list("Server_delete")},
		{"resource_types": list("Server")},
		{"where": "entry.action == 'server_Delete' || entry.actor == 'x'"},
		{"actions": list("server delete")},
	} {
		given["service"] = "cloudscale"
		w.look(t, "audit_logs", given).fails("so looking for it would find nothing, whatever happened", "cloudscale")
	}

	w.look(t, "audit_log_findings", args{"service": "cloudscale", "rules": args{"x": args{"where": "entry.action != 'serverdelete'"}}}).
		fails(`AttributeName("rules").ElementKeyString("x")`, "No action of cloudscale looks like this")

	// Documented, or seen in the window, whoever else filters it away.
	for _, given := range []args{
		{"actions": list("server_delete")}, {"actions": list("volume_delete"), "search": "nothing has this"}, {"resource_types": list("volume"), "actors": list("x")},
	} {
		given["service"] = "cloudscale"
		a := w.look(t, "audit_logs", given)
		a.quiet()
		a.is("completeness.conclusive", true)
	}

	unseen := args{"service": "cloudscale", "actions": list("volumme_delete", "server_delete"), "where": "entry.resource_type != 'floating_ip'"}
	a := w.look(t, "audit_logs", unseen)
	a.warns("Nothing in the window has a value that was asked for", "Argument: actions\nArgument: where")
	a.is("completeness.conclusive", false)
	a.is("completeness.unverified_values", "[actions: volumme_delete where: floating_ip]")

	unseen["allow_unknown_values"] = true
	a = w.look(t, "audit_logs", unseen)
	a.warns("Argument: actions")
	a.is("completeness.conclusive", true)

	a = w.look(t, "audit_log_findings", args{"service": "cloudscale", "builtin_rules": list("deletion"), "expected": list(args{"resource_types": list("volum")})})
	a.warns("Argument: expected[0].resource_types")
	a.is("clean", false)

	podstack := w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}})
	a = podstack.read("audit_logs", args{"actions": list("deleted")})
	a.warns("Argument: actions")
	a.is("completeness.conclusive", false)
	podstack.read("audit_logs", args{"actions": list(" Delete")}).fails(`labels without spaces around them`)
	podstack.read("audit_logs", args{"actions": list("Create"), "end": "2026-06-30T11:30:00Z"}).warns("Argument: actions")
}

// TestAnArchiveIsAskedForTheValuesThatItHasSeen.
func TestAnArchiveIsAskedForTheValuesThatItHasSeen(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.history(deed{50 * time.Hour, "mia", "delete", "teapot", "192.0.2.1"})
	w.cloudscaleDeeds(deed{50 * time.Hour, "ci", "teapot_delete", "", ""}, deed{5 * time.Hour, "ci", "volume_delete", "", ""})

	for _, service := range []string{"upcloud", "cloudscale"} {
		w.provider(t, w.settings()).apply("audit_log_archive", args{"service": service, "destination": w.file(service)}).errors()
	}

	look := func(service string, given args) answer {
		given["service"], given["destination"], given["end"] = "archive", w.file(service), "2026-06-30T11:00:00Z"

		return w.look(t, "audit_logs", given)
	}

	look("upcloud", args{"resource_types": list("managed_database")}).fails("Did you mean: managed-database")

	// Seen before the window.
	a := look("upcloud", args{"resource_types": list("teapot")})
	a.quiet()
	a.is("completeness.conclusive", true)

	a = look("cloudscale", args{"actions": list("teapot_delete")})
	a.quiet()
	a.is("completeness.conclusive", true)

	a = look("cloudscale", args{"actions": list("volumme_delete")})
	a.warns("Argument: actions")
	a.is("completeness.conclusive", false)
}

// TestAnActionThatNobodyKnowsHidesFromNoGate.
func TestAnActionThatNobodyKnowsHidesFromNoGate(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.history(deed{2 * time.Hour, "eve", "obliterate", "server", "192.0.2.1"})
	w.cloudscaleDeeds(deed{5 * time.Hour, "eve", "server_obliterate", "", ""}, deed{4 * time.Hour, "ci", "server_create", "", ""})

	for service, action := range map[string]string{"upcloud": "obliterate", "cloudscale": "server_obliterate"} {
		for name, given := range map[string]args{
			"operations":           {"operations": list("create")},
			"a condition":          {"where": "entry.operation == 'create'"},
			"a condition that not": {"where": "entry.operation != 'delete' && entry.actor != 'x'"},
			"both":                 {"operations": list("create", "start"), "where": "entry.operation in ['create', 'stop']"},
		} {
			t.Run(service+" "+name, func(t *testing.T) {
				t.Parallel()

				given["service"] = service
				a := w.look(t, "audit_logs", given)
				a.warns("The log holds actions that nobody knows", "Actions: "+action)
				a.is("completeness.unknown_actions", "["+action+"]")
				a.is("completeness.conclusive", false)

				given["fail_on_unknown_actions"] = true
				w.look(t, "audit_logs", given).fails(`AttributeName("fail_on_unknown_actions")`, "Actions: "+action)
			})
		}

		t.Run(service+" unasked", func(t *testing.T) {
			t.Parallel()

			// Nothing hides where nobody asks by operation, and it is named all the same.
			a := w.look(t, "audit_logs", args{"service": service})
			a.quiet()
			a.is("completeness.unknown_actions", "["+action+"]")
			a.is("completeness.conclusive", true)

			// Other filters leave it out.
			a = w.look(t, "audit_logs", args{"service": service, "operations": list("create"), "actors": list("nobody")})
			a.quiet()
			a.is("completeness.unknown_actions", "[]")
			a.is("completeness.conclusive", true)

			w.look(t, "audit_logs", args{"service": service, "fail_on_unknown_actions": true}).fails("Actions: " + action)

			out := args{"service": service, "operations": list("delete"), "path": w.file(service + ".ndjson"), "format": "ndjson"}
			w.provider(t, w.settings()).apply("audit_log_export", out).warns("Actions: " + action)

			out["fail_on_unknown_actions"], out["path"] = true, w.file(service+"-2.ndjson")
			w.provider(t, w.settings()).apply("audit_log_export", out).fails("Actions: " + action)
		})

		t.Run(service+" findings", func(t *testing.T) {
			t.Parallel()

			a := w.look(t, "audit_log_findings", args{
				"service": service, "builtin_rules": list("deletion"),
				"rules": args{
					"own": args{"where": "entry.operation == 'stop'"}, "certain": args{"where": "entry.action == '" + action + "'"},
					"elsewhere": args{"where": "entry.operation == 'stop' && entry.actor == 'mia'"},
				},
			})
			a.warns("A rule cannot be evaluated", "Rule deletion: The log holds actions that are not known to mean any operation, so that the rule may have missed what they did: "+action+".")
			a.is("counts_by_rule.certain", 1)
			a.is("clean", false)

			rules := []string{}
			for _, n := range a.at("not_evaluable").([]any) {
				rules = append(rules, fmt.Sprint(n.(map[string]any)["rule"]))
			}

			if got := strings.Join(rules, " "); got != "deletion own" {
				t.Errorf("not evaluable: %s", got)
			}

			w.look(t, "audit_log_findings", args{"service": service, "builtin_rules": list("deletion"), "fail_on_not_evaluable": true}).
				fails(`AttributeName("fail_on_not_evaluable")`, action)
			w.look(t, "audit_log_findings", args{"service": service, "fail_on_unknown_actions": true}).fails("Actions: " + action)

			// By default as well, though nobody named a rule.
			a = w.look(t, "audit_log_findings", args{"service": service, "expected": list(args{"actors": list("mia")})})
			a.warns("Rule deletion", action)
			a.is("clean", false)
		})
	}
}

// TestAnAllowListIsNotMetByANameThatAnybodyCanChoose.
func TestAnAllowListIsNotMetByANameThatAnybodyCanChoose(t *testing.T) {
	t.Parallel()

	const token = "3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002"

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.cloudscaleDeeds(deed{5 * time.Hour, "ci", "server_delete", "", ""})
	w.fake.AppendCloudscale(fakeapi.CloudscaleRecord{
		Timestamp: w.now().Add(-4 * time.Hour), Action: "server_delete", Actor: fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: "mia@example.com"}},
	})

	look := func(actors ...any) answer {
		return w.look(t, "audit_log_findings", args{"service": "cloudscale", "builtin_rules": list("deletion"), "expected": list(args{"actors": list(actors...)})})
	}

	a := look("c?", "mia@example.com")
	a.warns("An expectation names what anybody can choose", `AttributeName("expected").ElementKeyInt(0)`, `Name: "ci"`, "Ids: "+token)
	a.is("total_count", 1)
	a.is("expected_count", 1)
	a.is("clean", false)

	a = look(token, "mia@*")
	a.quiet()
	a.is("total_count", 0)
	a.is("expected_count", 2)
	a.is("clean", true)

	// A description that looks like an address is none of a user's.
	w.cloudscaleDeeds(deed{3 * time.Hour, "mia@example.com", "server_delete", "", ""})
	a = look(token+"x", "mia@example.com")
	a.warns("Ids: " + token)
	a.is("total_count", 2)

	// Redaction holds for the warning as well.
	a = w.look(t, "audit_log_findings", args{
		"service": "cloudscale", "builtin_rules": list("deletion"), "expected": list(args{"actors": list("ci")}), "redact": args{"actor": "drop", "actor_id": "drop"},
	})
	if said := strings.Join(a.warnings(), ""); strings.Contains(said, token) || strings.Contains(said, `"ci"`) {
		t.Errorf("the warning names whom redaction hides:\n%s", said)
	}

	// UpCloud's user names are unique; what filters or alerts matches names as ever.
	w.history(deed{2 * time.Hour, "ci", "delete", "server", "192.0.2.1"})
	a = w.look(t, "audit_log_findings", args{"service": "upcloud", "builtin_rules": list("deletion"), "expected": list(args{"actors": list("ci")})})
	a.quiet()
	a.is("clean", true)

	a = w.look(t, "audit_logs", args{"service": "cloudscale", "actors": list("ci")})
	a.is("total_count", 1)

	// In PodStack's exports an address is a user's, a display name anybody's.
	w.write("a.csv", podstackHeaders+"2026-06-29 11:00:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n2026-06-30 11:00:00,Jane,Delete,Pod,web-1,192.0.2.1\n2026-06-30 13:00:00,,Start,Pod,web-1,\n")
	a = w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}}).read("audit_log_findings", args{
		"last": "2d", "builtin_rules": list("deletion"), "expected": list(args{"actors": list("[Jj]ane*", "jane@example.com", "Jane")}),
	})
	a.warns(`Name: "Jane"`, "The log records no id of the actor")
	a.is("total_count", 1)
}

// TestOneFactSaysWhetherAnEmptyAnswerIsAnAnswer.
func TestOneFactSaysWhetherAnEmptyAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	a := w.look(t, "audit_logs", args{"service": "upcloud"})
	a.quiet()
	a.is("completeness.conclusive", true)

	a = w.look(t, "audit_logs", args{"service": "upcloud", "last": "200d"})
	a.is("completeness.conclusive", false)

	for _, service := range []string{"upcloud", "cloudscale"} {
		// By default: every rule that the log can answer.
		a = w.look(t, "audit_log_findings", args{"service": service})
		a.quiet()
		a.is("clean", true)

		a = w.look(t, "audit_log_findings", args{"service": service, "last": "200d"})
		a.is("clean", false)
		a.is("total_count", 0)

		// By name: those.
		a = w.look(t, "audit_log_findings", args{"service": service, "builtin_rules": list("deletion", "repeated_failed_logins")})
		a.warns("Rule repeated_failed_logins")
		a.is("clean", false)

		// What the query leaves out was asked for as well.
		a = w.look(t, "audit_log_findings", args{"service": service, "operations": list("create")})
		a.is("clean", false)
	}

	// An export without actors and addresses: deletions can be counted all the same.
	w.write("a.csv", "Timestamp,Action\n2026-06-29 11:00:00,Start\n2026-06-29 20:00:00,Delete\n2026-06-29 20:00:01,Delete\n2026-06-30 13:00:00,Start\n")

	podstack := w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}})
	a = podstack.read("audit_log_findings", args{"builtin_rules": list("deletion")})
	a.warns("A rule counts without a field it groups by", "Rule deletion: actor")
	a.is("counts_by_rule.deletion", 1)
	a.is("not_evaluable", "[]")
	a.is("clean", false)

	a = podstack.read("audit_log_findings", args{"builtin_rules": list("deletion"), "start": "2026-06-30T00:00:00Z", "end": "2026-06-30T10:00:00Z"})
	a.is("clean", true)

	a = podstack.read("audit_log_findings", args{"builtin_rules": list("deletion"), "start": "2026-06-29T00:00:00Z", "end": "2026-06-29T12:00:00Z"})
	a.is("total_count", 0)
	a.is("completeness.conclusive", false) // A gap.
	a.is("clean", false)

	a = podstack.read("audit_log_findings", args{"start": "2026-06-30T00:00:00Z", "end": "2026-06-30T10:00:00Z"})
	a.is("clean", false) // An export could have addresses, and this one has none.
}

// TestWhatCanNeverBeTrueIsRefused, whoever wrote it.
func TestWhatCanNeverBeTrueIsRefused(t *testing.T) {
	t.Parallel()

	w := deletions(t)

	for name, tt := range map[string]struct {
		given args
		want  string
	}{
		"never recorded":              {args{"service": "cloudscale", "operations": list("grant")}, "permissions are in the logs of the organization"},
		"a kind of actor":             {args{"service": "upcloud", "where": "entry.actor_type == 'staff'"}, "No entry of UpCloud can meet the condition"},
		"actions and operations":      {args{"service": "upcloud", "actions": list("create"), "operations": list("delete")}, "None of the actions means delete"},
		"an unknown action":           {args{"service": "cloudscale", "actions": list("x_obliterate"), "operations": list("delete")}, "None of the actions means delete"},
		"a condition and operations":  {args{"service": "upcloud", "operations": list("delete"), "where": "entry.operation == 'create'"}, "passes the other filters"},
		"an action and operations":    {args{"service": "upcloud", "operations": list("delete"), "where": "entry.action == 'create'"}, "passes the other filters"},
		"an action and its operation": {args{"service": "upcloud", "where": "entry.action == 'create' && entry.operation == 'delete'"}, "No entry of UpCloud can meet"},
		"types":                       {args{"service": "upcloud", "resource_types": list("server"), "where": "entry.resource_type == 'storage'"}, "passes the other filters"},
		"types by a prefix":           {args{"service": "upcloud", "resource_types": list("server"), "where": "entry.resource_type.startsWith('managed-')"}, "passes the other filters"},
		"two values at once":          {args{"service": "upcloud", "where": "entry.actor == 'a' && entry.actor == 'b'"}, "No entry of UpCloud can meet"},
		"actors":                      {args{"service": "upcloud", "actors": list("mia"), "where": "entry.actor != 'mia'"}, "passes the other filters"},
		"ids":                         {args{"service": "upcloud", "resource_ids": list("1"), "where": "entry.resource_id in ['2', '3']"}, "passes the other filters"},
		"origins":                     {args{"service": "upcloud", "origins": list("api"), "where": "entry.origin == 'gui' || entry.origin == 'upcloud_internal'"}, "passes the other filters"},
		"a scope":                     {args{"service": "cloudscale", "where": "entry.scope_type == 'account'"}, "No entry of cloudscale can meet"},
		"another service":             {args{"service": "upcloud", "where": "entry.service == 'cloudscale'"}, "No entry of UpCloud can meet"},
		"what is absent":              {args{"service": "cloudscale", "where": "has(entry.origin)"}, "No entry of cloudscale can meet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w.look(t, "audit_logs", tt.given).fails(tt.want)
		})
	}

	for name, tt := range map[string]struct{ given, rules args }{
		"a copy of a built-in rule": {args{"service": "cloudscale"}, args{"x": args{"where": `entry.operation in ["grant", "revoke"]`}}},
		"a condition of the query":  {args{"service": "upcloud", "where": "entry.operation == 'create'"}, args{"x": args{"where": "entry.operation == 'delete'"}}},
		"a filter of the query":     {args{"service": "upcloud", "resource_types": list("server")}, args{"x": args{"where": "entry.resource_type == 'storage'"}}},
		"both":                      {args{"service": "upcloud", "where": "entry.actor == 'mia'"}, args{"x": args{"where": "entry.actor == 'joe' && entry.operation == 'delete'"}}},
	} {
		t.Run("rule by "+name, func(t *testing.T) {
			t.Parallel()

			tt.given["rules"], tt.given["builtin_rules"] = tt.rules, list()

			a := w.look(t, "audit_log_findings", tt.given)
			a.warns("Rule x", "can meet the condition, whatever happened")
			a.is("clean", false)
		})
	}

	a := w.look(t, "audit_log_findings", args{"service": "upcloud", "where": "entry.operation == 'create'", "builtin_rules": list("deletion")})
	a.warns("Rule deletion")
	a.is("clean", false)
}
