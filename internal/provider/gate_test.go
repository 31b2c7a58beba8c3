// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
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
			`AttributeName("resource_types").ElementKeyInt(1)`, `UpCloud knows no such resource type`,
			"Did you mean: managed-database", "allow_unknown_values = true",
		}},
		"an action": {
			"audit_logs",
			args{"actions": list("deleted")},
			[]string{`AttributeName("actions").ElementKeyInt(0)`, "Did you mean: delete"},
		},
		"an origin": {
			"audit_logs",
			args{"origins": list("web")},
			[]string{`AttributeName("origins")`, "Known: api, gui, upcloud_internal"},
		},
		"a literal of a condition": {"audit_logs", args{"where": "entry.resource_type == 'servers'"}, []string{
			`AttributeName("where")`, "Did you mean: server", "Column: 24", "entry.resource_type == '*******'",
		}},
		"a literal on the left": {"audit_logs", args{"where": "'GUI' == entry.origin"}, []string{"Did you mean: gui"}},
		"a literal of a list": {
			"audit_logs",
			args{"where": "entry.action in ['create', 'deleet']"},
			[]string{"Did you mean: delete"},
		},
		"a literal that excludes": {
			"audit_logs",
			args{"where": "!(entry.resource_type != 'storrage') || entry.actor == 'x'"},
			[]string{"Did you mean: storage"},
		},
		"findings": {
			"audit_log_findings",
			args{"resource_types": list("serverr")},
			[]string{`AttributeName("resource_types")`, "Did you mean: server"},
		},
		"a rule": {
			"audit_log_findings",
			args{"builtin_rules": list(), "rules": rule("entry.resource_type == 'managed_database'")},
			[]string{
				`AttributeName("rules").ElementKeyString("x")`, "Rule: x", "Did you mean: managed-database",
			},
		},
		"an expectation": {
			"audit_log_findings",
			args{"expected": list(args{"resource_types": list("server", "storages")})},
			[]string{
				`AttributeName("expected").ElementKeyInt(0)`, "Argument: resource_types", "Did you mean: storage",
			},
		},
		"an expectation's pattern": {
			"audit_log_findings",
			args{"expected": list(args{"resource_types": list("managed_*")})},
			[]string{"Argument: resource_types[0]"},
		},
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

		w.provider(t, w.settings()).apply(name, given).fails(`AttributeName("resource_types").ElementKeyInt(0)`,
			"Did you mean: managed-database")

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
	c.read("audit_logs", args{
		"service": "upcloud", "resource_types": list("server", "network"), "origins": list("api"),
		"actions": list("delete"),
	}).quiet()

	if n := w.filterOptions(); n != 0 {
		t.Errorf("asked %d times for documented values", n)
	}

	// The service itself lists what the documentation lacks.
	for range 3 {
		c.read("audit_logs", args{"service": "upcloud", "resource_types": list("teapot")}).quiet()
		c.read("audit_logs", args{
			"service": "upcloud", "actions": list("transmogrify"),
			"where": "entry.resource_type == 'teapot'",
		}).quiet()
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
			Actor: fakeapi.CloudscaleActor{APIToken: &fakeapi.CloudscaleToken{
				UUID:        "3f0c9d54-6d0f-4b7e-9a51-1c2f6b1a0002",
				Description: &d.actor,
			}},
		})
	}
}

// TestAnOpenSetOfValues: of cloudscale's actions only the form is certain, and of
// PodStack's nothing, so that what nothing in the window has is named.
func TestAnOpenSetOfValues(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.cloudscaleDeeds(deed{5 * time.Hour, "ci", "volume_delete", "", ""},
		deed{4 * time.Hour, "ci", "server_create", "", ""})
	w.write("a.csv", podstackHeaders+
		"2026-06-29 11:00:00,jane@example.com,Create,Pod,web-1,192.0.2.1\n2026-06-30 13:00:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n")

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

	w.look(t, "audit_log_findings",
		args{"service": "cloudscale", "rules": args{"x": args{"where": "entry.action != 'serverdelete'"}}}).
		fails(`AttributeName("rules").ElementKeyString("x")`, "No action of cloudscale looks like this")

	// Documented, or seen in the window, whoever else filters it away.
	for _, given := range []args{
		{"actions": list("server_delete")},
		{"actions": list("volume_delete"), "search": "nothing has this"},
		{"resource_types": list("volume"), "actors": list("x")},
	} {
		given["service"] = "cloudscale"
		a := w.look(t, "audit_logs", given)
		a.quiet()
		a.is("completeness.conclusive", true)
	}

	unseen := args{
		"service": "cloudscale", "actions": list("volumme_delete", "server_delete"),
		"where": "entry.resource_type != 'floating_ip'",
	}
	a := w.look(t, "audit_logs", unseen)
	a.warns("Nothing in the window has a value that was asked for",
		"Value: actions: volumme_delete\nValue: where: floating_ip")
	a.is("completeness.conclusive", false)
	a.is("completeness.unverified_values", "[actions: volumme_delete where: floating_ip]")

	unseen["allow_unknown_values"] = true
	a = w.look(t, "audit_logs", unseen)
	a.warns("Value: actions: volumme_delete")
	a.is("completeness.conclusive", true)

	a = w.look(t, "audit_log_findings",
		args{
			"service": "cloudscale", "builtin_rules": list("deletion"),
			"expected": list(args{"resource_types": list("volum")}),
		})
	a.warns("Value: expected[0].resource_types: volum")
	a.is("clean", false)

	podstack := w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}})
	a = podstack.read("audit_logs", args{"actions": list("deleted")})
	a.warns("Value: actions: deleted")
	a.is("completeness.conclusive", false)
	podstack.read("audit_logs", args{"actions": list(" Delete")}).fails(`labels without spaces around them`)
	podstack.read("audit_logs",
		args{"actions": list("Create"), "end": "2026-06-30T11:30:00Z"}).warns("Value: actions: Create")
}

// TestAnArchiveIsAskedForTheValuesThatItHasSeen.
func TestAnArchiveIsAskedForTheValuesThatItHasSeen(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.history(deed{50 * time.Hour, "mia", "delete", "teapot", "192.0.2.1"})
	w.cloudscaleDeeds(deed{50 * time.Hour, "ci", "teapot_delete", "", ""},
		deed{5 * time.Hour, "ci", "volume_delete", "", ""})

	for _, service := range []string{"upcloud", "cloudscale"} {
		w.provider(t, w.settings()).apply("audit_log_archive",
			args{"service": service, "destination": w.file(service)}).errors()
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
	a.warns("Value: actions: volumme_delete")
	a.is("completeness.conclusive", false)
}

// TestAnActionThatNobodyKnowsHidesFromNoGate.
func TestAnActionThatNobodyKnowsHidesFromNoGate(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.history(deed{2 * time.Hour, "eve", "obliterate", "server", "192.0.2.1"})
	w.cloudscaleDeeds(deed{5 * time.Hour, "eve", "server_obliterate", "", ""},
		deed{4 * time.Hour, "ci", "server_create", "", ""})

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
				a.warns("The log holds actions that nobody knows", "Actions: "+action, `where = "entry.action != '`+action+`'"`)
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

			out := args{
				"service": service, "operations": list("delete"), "path": w.file(service + ".ndjson"),
				"format": "ndjson",
			}
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
			a.warns("A rule cannot be evaluated",
				"Rule deletion: The log holds actions that are not known to mean any operation, so that the rule may have missed what they did: "+action+".")
			a.is("counts_by_rule", map[string]string{
				// UpCloud's log holds deletions.
				"upcloud": "map[certain:1 deletion:1 elsewhere:0]", "cloudscale": "map[certain:1 elsewhere:0]",
			}[service])
			a.is("clean", false)
			a.is("completeness.conclusive", false)

			rules := []string{}
			for _, n := range a.at("not_evaluable").([]any) {
				rules = append(rules, fmt.Sprint(n.(map[string]any)["rule"]))
			}

			if got := strings.Join(rules, " "); got != "deletion own" {
				t.Errorf("not evaluable: %s", got)
			}

			w.look(t, "audit_log_findings",
				args{"service": service, "builtin_rules": list("deletion"), "fail_on_not_evaluable": true}).
				fails(`AttributeName("fail_on_not_evaluable")`, action)
			w.look(t, "audit_log_findings", args{"service": service, "fail_on_unknown_actions": true}).fails("Actions: " +
				action)

			// By default as well, though nobody named a rule.
			a = w.look(t, "audit_log_findings", args{"service": service, "expected": list(args{"actors": list("mia")})})
			a.warns("Rule deletion", action)
			a.is("clean", false)

			// One warning, about nothing that nobody asked for, and what it says to do works.
			if said := a.warnings(); len(said) != 1 || strings.Contains(said[0], "repeated_failed_logins") ||
				strings.Contains(said[0], "Remove") {
				t.Errorf("it warns:\n%s", strings.Join(said, "\n\n"))
			}

			leftOut := "entry.action != '" + action + "'"
			a.warns("Find out what the actions do.", `where = "`+leftOut+`"`)

			a = w.look(t, "audit_log_findings", args{"service": service, "where": leftOut})
			a.quiet()
			a.is("completeness.conclusive", true)
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
		Timestamp: w.now().Add(-4 * time.Hour), Action: "server_delete",
		Actor: fakeapi.CloudscaleActor{User: &fakeapi.CloudscaleUser{Email: "mia@example.com"}},
	})

	look := func(actors ...any) answer {
		return w.look(t, "audit_log_findings",
			args{"service": "cloudscale", "builtin_rules": list("deletion"), "expected": list(args{"actors": list(actors...)})})
	}

	a := look("c?", "mia@example.com")
	a.warns("An expectation names what anybody can choose", `AttributeName("expected").ElementKeyInt(0)`, `Name: "ci"`,
		"Ids: "+token)
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
		"service": "cloudscale", "builtin_rules": list("deletion"), "expected": list(args{"actors": list("ci")}),
		"redact": args{"actor": "drop", "actor_id": "drop"},
	})
	if said := strings.Join(a.warnings(), ""); strings.Contains(said, token) || strings.Contains(said, `"ci"`) {
		t.Errorf("the warning names whom redaction hides:\n%s", said)
	}

	// UpCloud's user names are unique; what filters or alerts matches names as ever.
	w.history(deed{2 * time.Hour, "ci", "delete", "server", "192.0.2.1"})
	a = w.look(t, "audit_log_findings",
		args{"service": "upcloud", "builtin_rules": list("deletion"), "expected": list(args{"actors": list("ci")})})
	a.quiet()
	a.is("clean", true)

	a = w.look(t, "audit_logs", args{"service": "cloudscale", "actors": list("ci")})
	a.is("total_count", 1)

	// In PodStack's exports an address is a user's, a display name anybody's.
	w.write("a.csv", podstackHeaders+
		"2026-06-29 11:00:00,jane@example.com,Delete,Pod,web-1,192.0.2.1\n2026-06-30 11:00:00,Jane,Delete,Pod,web-1,192.0.2.1\n2026-06-30 13:00:00,,Start,Pod,web-1,\n")
	a = w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}}).read("audit_log_findings", args{
		"last": "2d", "builtin_rules": list("deletion"),
		"expected": list(args{"actors": list("[Jj]ane*", "jane@example.com", "Jane")}),
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
		a = w.look(t, "audit_log_findings",
			args{"service": service, "builtin_rules": list("deletion", "repeated_failed_logins")})
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

	a = podstack.read("audit_log_findings",
		args{"builtin_rules": list("deletion"), "start": "2026-06-30T00:00:00Z", "end": "2026-06-30T10:00:00Z"})
	a.is("clean", true)

	a = podstack.read("audit_log_findings",
		args{"builtin_rules": list("deletion"), "start": "2026-06-29T00:00:00Z", "end": "2026-06-29T12:00:00Z"})
	a.is("total_count", 0)
	a.is("completeness.conclusive", false) // A gap.
	a.is("clean", false)

	a = podstack.read("audit_log_findings", args{"start": "2026-06-30T00:00:00Z", "end": "2026-06-30T10:00:00Z"})
	a.is("clean", false) // An export could have addresses, and this one has none.
}

// many is a list of values in a condition.
func many(prefix string) string {
	var values []string
	for i := range 150 {
		values = append(values, fmt.Sprintf("'%s%d'", prefix, i))
	}

	return "[" + strings.Join(values, ", ") + "]"
}

// TestAConditionThatNoKnownValueMeetsIsNamed, however it asks for the value: nothing
// found does not mean that nothing happened.
func TestAConditionThatNoKnownValueMeetsIsNamed(t *testing.T) {
	t.Parallel()

	w := deletions(t)

	for _, condition := range []string{
		`entry.action.startsWith("delted")`, `entry.action.contains("DELETE")`, `entry.action.endsWith("deleet")`,
		`entry.action.matches("^deleted$")`,
		`entry.action.lowerAscii() == "deleted"`, `entry.action in {"deleted": true}`,
		`entry.action in ["deleted"] + ["removed"]`,
		`["deleted"].exists(a, a == entry.action)`, `[entry.action] == ["deleted"]`,
		`entry.resource_type.startsWith("managed_database")`,
		`entry.origin.contains("web")`, `size(entry.action) > 100`,
		`entry.operation == "delete" && entry.resource_type.endsWith("servers")`,
		`entry.actor == "joe" || entry.action.startsWith("delted")`,
		`entry.actor == "joe" && !entry.action.startsWith("delted")`,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()

			a := w.look(t, "audit_logs", args{"service": "upcloud", "where": condition})
			a.warns("Value: where: ")
			a.is("total_count", 0)
			a.is("completeness.conclusive", false)

			rule := args{"service": "upcloud", "builtin_rules": list(), "rules": args{"x": args{"where": condition}}}
			a = w.look(t, "audit_log_findings", rule)
			a.warns("Value: rules.x.where: ")
			a.is("clean", false)

			rule["allow_unknown_values"] = true
			w.look(t, "audit_log_findings", rule).is("clean", true)
		})
	}

	// What some value meets is no mistake, and neither is what asks for absence.
	for _, condition := range []string{
		`entry.action.startsWith("del")`, `entry.action.matches("^(create|delete)$")`, `size(entry.origin) == 0`,
		`entry.resource_type.contains("-")`,
		`entry.raw.action == "anything"`, `entry.action in ["create"] + ["delete"]`, `entry.actor.startsWith("nobody")`,
	} {
		w.look(t, "audit_logs", args{"service": "upcloud", "where": condition}).quiet()
	}

	// cloudscale's actions are an open set.
	a := w.look(t, "audit_logs", args{"service": "cloudscale", "where": `entry.action.startsWith("sevrer_")`})
	a.warns("sevrer_")
	a.is("completeness.conclusive", false)
	w.look(t, "audit_logs", args{"service": "cloudscale", "where": `entry.action.startsWith("server_")`}).quiet()
}

// TestEveryOperationThatEntriesHaveCanBeAskedFor, also one that only a word of the
// action means.
func TestEveryOperationThatEntriesHaveCanBeAskedFor(t *testing.T) {
	t.Parallel()

	w := deletions(t)
	w.history(deed{3 * time.Hour, "mia", "revoke", "server", "192.0.2.1"},
		deed{3 * time.Hour, "mia", "reboot", "server", "192.0.2.1"},
		deed{3 * time.Hour, "mia", "export", "managed-database", "192.0.2.1"},
		deed{3 * time.Hour, "mia", "invite", "account", "192.0.2.1"})

	for _, operation := range []string{"revoke", "restart", "export", "invite"} {
		w.look(t, "audit_logs", args{"service": "upcloud", "operations": list(operation)}).is("total_count", 1)
		w.look(t, "audit_logs", args{"service": "upcloud", "where": "entry.operation == '" + operation + "'"}).is(
			"total_count", 1,
		)
	}

	a := w.look(t, "audit_log_findings", args{"service": "upcloud", "builtin_rules": list("permission_change")})
	a.is("counts_by_rule.permission_change", 1)

	// A log that shows what it is said never to hold excuses no rule.
	c := deletions(t)
	c.cloudscaleDeeds(deed{2 * time.Hour, "mia", "custom_image_share", "", "192.0.2.1"})

	a = c.look(t, "audit_log_findings", args{"service": "cloudscale"})
	a.warns("Rule permission_change", "custom_image_share")
	a.is("clean", false)
}

// TestWhatCanNeverBeTrueIsRefused, whoever wrote it.
func TestWhatCanNeverBeTrueIsRefused(t *testing.T) {
	t.Parallel()

	w := deletions(t)

	for name, tt := range map[string]struct {
		given args
		want  string
	}{
		"never recorded": {
			args{"service": "cloudscale", "operations": list("grant")},
			"permissions are in the logs of the organization",
		},
		"a kind of actor": {
			args{"service": "upcloud", "where": "entry.actor_type == 'staff'"},
			"No entry of UpCloud can meet the condition",
		},
		"actions and operations": {
			args{"service": "upcloud", "actions": list("create"), "operations": list("delete")},
			"None of the actions means delete",
		},
		"an unknown action": {args{
			"service": "cloudscale", "actions": list("x_obliterate"),
			"operations": list("delete"),
		}, "None of the actions means delete"},
		"a condition and operations": {args{
			"service": "upcloud", "operations": list("delete"),
			"where": "entry.operation == 'create'",
		}, "passes the other filters"},
		"an action and operations": {args{
			"service": "upcloud", "operations": list("delete"),
			"where": "entry.action == 'create'",
		}, "passes the other filters"},
		"an action and its operation": {
			args{"service": "upcloud", "where": "entry.action == 'create' && entry.operation == 'delete'"},
			"No entry of UpCloud can meet",
		},
		"types": {args{
			"service": "upcloud", "resource_types": list("server"),
			"where": "entry.resource_type == 'storage'",
		}, "passes the other filters"},
		"types by a prefix": {args{
			"service": "upcloud", "resource_types": list("server"),
			"where": "entry.resource_type.startsWith('managed-')",
		}, "passes the other filters"},
		"two values at once": {
			args{"service": "upcloud", "where": "entry.actor == 'a' && entry.actor == 'b'"},
			"No entry of UpCloud can meet",
		},
		"actors": {
			args{"service": "upcloud", "actors": list("mia"), "where": "entry.actor != 'mia'"},
			"passes the other filters",
		},
		"ids": {args{
			"service": "upcloud", "resource_ids": list("1"),
			"where": "entry.resource_id in ['2', '3']",
		}, "passes the other filters"},
		"origins": {
			args{
				"service": "upcloud", "origins": list("api"),
				"where": "entry.origin == 'gui' || entry.origin == 'upcloud_internal'",
			}, "passes the other filters",
		},
		"a scope": {
			args{"service": "cloudscale", "where": "entry.scope_type == 'account'"},
			"No entry of cloudscale can meet",
		},
		"another service": {
			args{"service": "upcloud", "where": "entry.service == 'cloudscale'"},
			"No entry of UpCloud can meet",
		},
		"what is absent": {
			args{"service": "cloudscale", "where": "has(entry.origin)"},
			"No entry of cloudscale can meet",
		},
		"a prefix and a value": {
			args{"service": "upcloud", "where": "entry.actor.startsWith('a') && entry.actor == 'b'"},
			"No entry of UpCloud can meet",
		},
		"a prefix and a filter": {args{
			"service": "upcloud", "resource_ids": list("web"),
			"where": "entry.resource_id.startsWith('db')",
		}, "passes the other filters"},
		"a time to come": {
			args{"service": "upcloud", "where": "entry.time > timestamp('2030-01-01T00:00:00Z')"},
			"No entry of the window can meet",
		},
		"a time before the window": {
			args{"service": "upcloud", "where": "entry.time < timestamp('2026-06-01T00:00:00Z') && entry.operation == 'delete'"},
			"No entry of the window can meet",
		},
		"two times": {
			args{
				"service": "upcloud",
				"where":   "entry.time < timestamp('2026-06-01T00:00:00Z') && entry.time > timestamp('2026-06-02T00:00:00Z')",
			},
			"No entry of UpCloud can meet",
		},
		"many values": {args{"service": "upcloud", "where": "entry.actor in " + many("a") +
			" && !(entry.actor in " + many("a") + ") && entry.resource_id in " + many("r")}, "No entry of UpCloud can meet"},
		"a type of another action": {args{
			"service": "cloudscale", "actions": list("server_create"),
			"resource_types": list("volume"),
		}, "No entry of cloudscale passes all of actions, resource_types"},
		"the same in a condition": {
			args{"service": "cloudscale", "where": "entry.action == 'server_delete' && entry.resource_type == 'volume'"},
			"No entry of cloudscale can meet",
		},
		"users have no id": {
			args{"service": "cloudscale", "where": "entry.actor_type == 'user' && has(entry.actor_id)"},
			"No entry of cloudscale can meet",
		},
		"nobody in particular": {
			args{"service": "upcloud", "actors": list("mia"), "where": "entry.actor_type == 'unknown'"},
			"passes the other filters",
		},
		"a system by hand": {
			args{"service": "upcloud", "where": "entry.origin == 'gui' && entry.actor_type == 'system'"},
			"No entry of UpCloud can meet",
		},
		"internal users": {args{
			"service": "upcloud", "origins": list("upcloud_internal"),
			"where": "entry.actor_type == 'user'",
		}, "passes the other filters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w.look(t, "audit_logs", tt.given).fails(tt.want)
		})
	}

	for name, tt := range map[string]struct{ given, rules args }{
		"a copy of a built-in rule": {
			args{"service": "cloudscale"},
			args{"x": args{"where": `entry.operation in ["grant", "revoke"]`}},
		},
		"a condition of the query": {
			args{"service": "upcloud", "where": "entry.operation == 'create'"},
			args{"x": args{"where": "entry.operation == 'delete'"}},
		},
		"a filter of the query": {
			args{"service": "upcloud", "resource_types": list("server")},
			args{"x": args{"where": "entry.resource_type == 'storage'"}},
		},
		"both": {
			args{"service": "upcloud", "where": "entry.actor == 'mia'"},
			args{"x": args{"where": "entry.actor == 'joe' && entry.operation == 'delete'"}},
		},
	} {
		t.Run("rule by "+name, func(t *testing.T) {
			t.Parallel()

			tt.given["rules"], tt.given["builtin_rules"] = tt.rules, list()

			a := w.look(t, "audit_log_findings", tt.given)
			a.warns("Rule x", "can meet the condition, whatever happened")
			a.is("clean", false)
		})
	}

	a := w.look(t, "audit_log_findings",
		args{"service": "upcloud", "where": "entry.operation == 'create'", "builtin_rules": list("deletion")})
	a.warns("Rule deletion")
	a.is("clean", false)
}

// TestAnAddressThatCannotBePlacedMayLieAnywhere: nothing found in a block does then not
// mean that nothing came from there.
func TestAnAddressThatCannotBePlacedMayLieAnywhere(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.history(
		deed{6 * time.Hour, "mia", "create", "server", "198.51.100.1"},
		deed{5 * time.Hour, "mia", "delete", "server", "203.0.113.7:52344"},
		deed{4 * time.Hour, "mia", "delete", "server", "[2001:db8::1]"},
		deed{3 * time.Hour, "mia", "delete", "server", " 192.0.2.78"},
	)

	for _, address := range []string{"203.0.113.7", "2001:db8::1", "192.0.2.0/24"} {
		a := w.look(t, "audit_logs", args{"service": "upcloud", "ip_addresses": list(address)})
		a.quiet()
		a.is("total_count", 1)
	}

	w.history(deed{2 * time.Hour, "mia", "delete", "server", "10.20.30.xxx"},
		deed{time.Hour, "joe", "start", "server", "172.16.0.1, 172.16.0.2"})

	rule := func(where string) args {
		return args{"service": "upcloud", "builtin_rules": list(), "rules": args{"x": args{"where": where}}}
	}

	for name, tt := range map[string]struct {
		kind       string
		given      args
		conclusive bool
	}{
		"a filter": {
			"audit_logs",
			args{"service": "upcloud", "ip_addresses": list("10.20.30.0/24")},
			false,
		},
		"a filter that leaves them out": {
			"audit_logs",
			args{"service": "upcloud", "ip_addresses": list("10.20.30.0/24"), "actors": list("zoe")},
			true,
		},
		"a condition": {
			"audit_logs",
			args{"service": "upcloud", "where": "ip_in(entry.ip_address, ['10.20.30.0/24', '10.0.0.1'])"},
			false,
		},
		"a condition on something else": {
			"audit_logs",
			args{"service": "upcloud", "where": "entry.ip_address != '10.0.0.1' && entry.operation == 'stop'"},
			true,
		},
		"a rule": {
			"audit_log_findings",
			rule("entry.operation == 'delete' && ip_in(entry.ip_address, '10.20.30.0/24')"), false,
		},
		"a rule that is met by none": {
			"audit_log_findings",
			rule("entry.operation == 'stop' && ip_in(entry.ip_address, '10.20.30.0/24')"), true,
		},
		"a rule of entries that are left": {
			"audit_log_findings",
			args{"service": "upcloud", "builtin_rules": list("deletion"), "ip_addresses": list("10.20.30.40")},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := w.look(t, tt.kind, tt.given)
			a.is("total_count", 0)
			a.is("completeness.conclusive", tt.conclusive)

			if tt.kind == "audit_log_findings" {
				a.is("clean", tt.conclusive)
			}

			if !tt.conclusive {
				a.warns("addresses that are masked or none")
			}
		})
	}
}

// TestARuleIsHeldAgainstWhatTheSourceLacks, as the query's own condition is.
func TestARuleIsHeldAgainstWhatTheSourceLacks(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.write("a.csv", "Timestamp,User,Action,IP Address\n2026-06-29 08:00:00,jane,Create,192.0.2.1\n2026-06-29 20:00:00,jane,Start,192.0.2.1\n")
	w.write("b.csv", "Timestamp,User,Action\n2026-06-29 21:00:00,jane,Start\n2026-06-30 20:00:00,jane,Delete\n")

	podstack := w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}})
	within := func(given args) args {
		given["start"], given["end"] = "2026-06-30T00:00:00Z", "2026-06-30T10:00:00Z"

		return given
	}

	for _, given := range []args{
		{"builtin_rules": list(), "rules": args{"x": args{"where": "ip_in(entry.ip_address, '203.0.113.0/24')"}}},
		{
			"builtin_rules": list(),
			"rules":         args{"x": args{"where": "entry.ip_address == '203.0.113.7' || entry.actor == 'joe'"}},
		},
		{"builtin_rules": list("login_from_new_address")},
	} {
		a := podstack.read("audit_log_findings", within(given))
		a.warns("b.csv has no column for ip_address")
		a.is("total_count", 0)
		a.is("clean", false)
	}

	a := podstack.read("audit_logs",
		within(args{"where": "ip_in(entry.ip_address, '203.0.113.0/24') || entry.actor == 'joe'"}))
	a.warns("b.csv has no column for ip_address")
	a.is("completeness.conclusive", false)

	a = podstack.read("audit_log_findings", within(args{"builtin_rules": list("deletion")}))
	a.is("clean", true)

	podstack.read("audit_log_findings",
		within(args{"builtin_rules": list("new_api_token")})).warns("never records resource_type")
}

// TestADisplayNameIsNoAddress, whatever it looks like.
func TestADisplayNameIsNoAddress(t *testing.T) {
	t.Parallel()

	for header, clean := range map[string]bool{
		"Actor Name": false, "Display Name": false, "User": true, "Username": true,
		"Email": true,
	} {
		w := newWorld(t, fakeapi.Options{NoExamples: true})
		w.write("a.csv", "Timestamp,"+header+
			",Action\n2026-06-29 08:00:00,ci@example.com,Delete\n2026-06-30 20:00:00,ci@example.com,Delete\n")

		podstack := w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv")), "columns": args{"actor": header}}})
		a := podstack.read("audit_log_findings", args{
			"builtin_rules": list("deletion"), "expected": list(args{"actors": list("ci@example.com")}),
			"start": "2026-06-29T00:00:00Z", "end": "2026-06-29T12:00:00Z",
		})

		a.is("clean", false) // A gap.
		a.is("total_count", map[bool]int{true: 0, false: 1}[clean])
	}
}

// TestAnArchiveKnowsNoMoreThanItsSource: of which columns the exports had, nothing is
// kept, and what a redaction took away is not there for rules either.
func TestAnArchiveKnowsNoMoreThanItsSource(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.write("a.csv", "Timestamp,User,Action\n2026-06-29 11:00:00,jane@example.com,Create\n2026-06-30 01:00:00,joe@example.com,Delete\n2026-06-30 11:50:00,jane@example.com,Create\n")
	w.history(
		deed{4 * time.Hour, "mallory", "delete", "server", "192.0.2.1"},
		deed{30 * time.Minute, "bob", "create", "server", "192.0.2.1"},
	)

	podstack := w.provider(t, args{"podstack": args{"exports": list(w.file("*.csv"))}})
	podstack.apply("audit_log_archive",
		args{"service": "podstack", "destination": w.file("podstack"), "start": "2026-06-29T11:00:00Z"}).errors()
	w.provider(t, w.settings()).apply("audit_log_archive",
		args{
			"service": "upcloud", "destination": w.file("upcloud"), "start": "30d",
			"redact": args{"actor": "drop"},
		}).errors()

	read := func(service, kind string, given args) answer {
		given["service"], given["destination"], given["start"], given["end"] = "archive", w.file(service),
			"2026-06-29T12:00:00Z", "2026-06-30T11:00:00Z"

		return w.look(t, kind, given)
	}
	rule := func(where string) args {
		return args{"builtin_rules": list(), "rules": args{"x": args{"where": where}}}
	}

	for _, given := range []args{
		{"ip_addresses": list("203.0.113.7")},
		{"resource_ids": list("x")},
		{"where": "has(entry.ip_address)"},
		{"where": "entry.user_agent == 'curl'"},
		{"where": "entry.resource_name.contains('Pod')"},
	} {
		a := read("podstack", "audit_logs", given)
		a.warns("whether the log that was copied had is not known")
		a.is("completeness.conclusive", false)
	}

	for _, given := range []args{
		{"builtin_rules": list("login_from_new_address")},
		rule("ip_in(entry.ip_address, '203.0.113.0/24')"),
	} {
		a := read("podstack", "audit_log_findings", given)
		a.warns("No entry of the window has ip_address")
		a.is("clean", false)
	}

	a := read("podstack", "audit_logs", args{"actors": list("zoe@example.com")})
	a.quiet()
	a.is("completeness.conclusive", true)

	for _, where := range []string{
		"entry.action == 'delete' && (entry.actor == 'mallory' || entry.origin == 'gui')", "entry.resource_id == 'mia'",
	} {
		a := read("upcloud", "audit_log_findings", rule(where))
		a.warns("a filter on rules does not find such entries")
		a.is("total_count", 0)
		a.is("clean", false)
	}

	read("upcloud", "audit_log_findings", rule("entry.operation == 'stop'")).is("clean", true)
}

// TestAPrivateKeyIsNotTakenForAPublicOne, and not shown.
func TestAPrivateKeyIsNotTakenForAPublicOne(t *testing.T) {
	t.Parallel()

	private, public, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	a := w.look(t, "audit_logs", args{
		"service": "archive", "destination": w.file("archive"),
		"public_keys": list("AUDIT_SIGNING_KEY=" + private + "\npublic key: " + public),
	})
	a.fails("public_keys[0] holds a private key")

	if said := strings.Join(a.errors(), ""); strings.Contains(said, "PRIVATE+KEY") ||
		strings.Contains(said, "AttributeName") {
		t.Errorf("the key is shown:\n%s", said)
	}
}

// TestWhyNoEntryCanMeetAConditionIsSaid, and nothing that is not the reason.
func TestWhyNoEntryCanMeetAConditionIsSaid(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	const exclude = "it is false of every entry of every cloud"

	for name, tt := range map[string]struct {
		given args
		want  []string
		not   []string
	}{
		"two operations": {
			args{
				"service": "upcloud",
				"where":   "entry.operation == 'delete' && entry.operation == 'create'",
			},
			[]string{exclude},
			[]string{"Never recorded"},
		},
		"two fields": {
			args{
				"service": "cloudscale",
				"where":   "entry.actor == 'a' && entry.origin == 'api' && entry.actor != 'a'",
			},
			[]string{exclude},
			[]string{"Never recorded"},
		},
		"a field": {
			args{"service": "upcloud", "where": "entry.scope_name == 'x' && entry.actor == 'y'"},
			[]string{"Never recorded: scope_name\n"},
			[]string{exclude},
		},
		"an operation": {
			args{"service": "upcloud", "where": "entry.operation == 'login_failed'"},
			[]string{"Never recorded: login_failed\n"},
			[]string{exclude},
		},
		"a value": {
			args{"service": "upcloud", "where": "entry.actor_type == 'staff'"},
			[]string{"No entry of UpCloud"},
			[]string{exclude, "Never recorded"},
		},
		"the other filters": {
			args{
				"service": "upcloud", "operations": list("create"),
				"where": "entry.operation == 'delete' && entry.user_agent == ''",
			},
			[]string{"passes the other filters"},
			[]string{exclude, "Never recorded"},
		},
		"a field among many": {
			args{"service": "cloudscale", "where": "entry.operation == 'login' || entry.origin == 'gui'"},
			[]string{"Never recorded: origin, login\n"},
			[]string{exclude},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := w.look(t, "audit_logs", tt.given)
			a.fails(tt.want...)

			for _, text := range tt.not {
				if said := strings.Join(a.errors(), ""); strings.Contains(said, text) {
					t.Errorf("it says %q:\n%s", text, said)
				}
			}
		})
	}
}

// TestAValueThatIsNearlyRightIsRecognised as conditions recognise it.
func TestAValueThatIsNearlyRightIsRecognised(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	for value, want := range map[string]string{
		"deleted": "(did you mean delete?)", "Delete": "(did you mean delete?)",
		"loginfailed": "(did you mean login_failed?)", "removed": "(did you mean delete?)", "obliterate": "it is unknown.",
	} {
		w.look(t, "audit_logs", args{"service": "upcloud", "operations": list(value)}).fails("operations[0]", want)
	}

	w.look(t, "audit_logs", args{"service": "up-cloud"}).fails("(did you mean upcloud?)")
}

// TestAMistakeInsideOfARuleIsReportedAtTheRule: Terraform finds no line of what
// lies deeper, and shows that of the block instead.
func TestAMistakeInsideOfARuleIsReportedAtTheRule(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})

	for name, rule := range map[string]args{
		"severity": {"severity": "urgent"}, "within": {"within": "soon"}, "message": {"message": ""},
		"threshold": {"threshold": 0}, "group_by": {"group_by": list("actr")},
	} {
		rule["where"] = "entry.operation == 'delete'"

		a := w.look(t, "audit_log_findings",
			args{"service": "upcloud", "rules": args{"fine": args{"where": "entry.operation == 'start'"}, "own": rule}})
		a.fails(`(AttributeName("rules").ElementKeyString("own"))`, name)
	}
}

// TestExpectationsOfNothing: a head of number 0 or below, and an empty origin, are what an expression is that found
// nothing. They are no way to say that nothing is to be checked.
func TestExpectationsOfNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	zeros := strings.Repeat("0", 64)

	for cause, with := range map[string]args{
		"expected_sequence is out of range":                   {"expected_sequence": 0, "expected_head_sha256": zeros},
		"Give a whole number from 1":                          {"expected_sequence": -1, "expected_head_sha256": zeros},
		"expected_origin cannot be used: it is empty":         {"expected_origin": ""},
		"Give the name of an archive, or null to check none.": {"expected_origin": " "},
	} {
		with["destination"] = w.file("archive")
		w.look(t, "audit_log_verification", with).fails(cause)
	}
}

// TestTheSameKeyTwice, spelled differently, is one key: of the archive that is signed, and of the one that is verified.
func TestTheSameKeyTwice(t *testing.T) {
	t.Parallel()

	private, public, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.env = map[string]string{"AUDIT_SIGNING_KEY": private, "AUDIT_PREVIOUS_SIGNING_KEY": private + "\n"}
	c := w.provider(t, w.settings())

	for range 2 {
		c.apply("audit_log_archive",
			args{"service": "upcloud", "destination": w.file("archive"), "start": "2026-06-01T00:00:00Z"}).quiet()
	}

	a := c.read("audit_log_verification",
		args{"destination": w.file("archive"), "public_keys": list(public, "public key: "+public)})
	a.is("valid", true)
	a.is("signed_by", "example.com/audit")
}
