// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// used makes Terraform load the provider for the sake of its functions.
const used = `
terraform {
  required_providers {
    audit = { source = "hashicorp/audit" }
  }
}
`

func output(name, value string) string {
	return fmt.Sprintf("output %q {\n  value = %s\n}\n", name, value)
}

func TestAccParseCSV(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	w.write("export.csv", "\ufeffTimestamp;User;Action;Previous Values;New Values\r\n2026-06-02 09:15:00;jane;Update;viewer;admin\r\n2026-06-01 09:15:00;;Login Failed;;\r\n")
	w.write("renamed.csv", "Quand,Quoi\n2026-06-02 09:15:00,Delete\n")
	w.write("own.csv", "id,time,service,action,operation,actor\n01X,2026-06-02T09:15:00.000000Z,upcloud,access-update,grant,'=jane\n")

	failed := map[string]knownvalue.Check{}
	for _, f := range auditlog.Fields() {
		failed[f.Name] = knownvalue.Null()
	}

	for name, value := range map[string]string{
		"time": "2026-06-01T09:15:00.000000Z", "service": "podstack", "action": "Login Failed", "operation": "login_failed",
		"actor_type": "unknown",
		"raw":        `{"Timestamp":"2026-06-01 09:15:00","User":"","Action":"Login Failed","Previous Values":"","New Values":""}`,
	} {
		failed[name] = knownvalue.StringExact(value)
	}

	failed["id"] = knownvalue.StringRegexp(regexp.MustCompile(`^[A-Z2-7]{26}$`))

	updated := map[string]knownvalue.Check{
		"changes": knownvalue.ListExact([]knownvalue.Check{change("value", `"viewer"`, `"admin"`)}),
	}

	file := func(name string) string { return fmt.Sprintf("file(%q)", w.file(name)) }

	w.test(resource.TestStep{
		Config: used +
			output("console", "provider::audit::parse_csv("+file("export.csv")+")") +
			output("renamed", "provider::audit::parse_csv("+file("renamed.csv")+
				", { time = \"Quand\", action = \"Quoi\" })[0].operation") +
			output("own", "[for e in provider::audit::parse_csv("+file("own.csv")+") : \"${e.id} ${e.service} ${e.operation} ${e.actor} ${coalesce(e.raw, \"none\")}\"]") +
			output("spaces", "[for e in provider::audit::parse_csv(\"Time,Action,Note\\n\\n2026-06-02 09:15:00, Server Delete , x \\n\"): \"${e.action} ${e.operation} ${e.raw}\"]") +
			output("none", "provider::audit::parse_csv(\"Time,Action\")"),
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownOutputValue("console",
				knownvalue.ListPartial(map[int]knownvalue.Check{
					0: knownvalue.ObjectExact(failed),
					1: knownvalue.ObjectPartial(updated),
				})),
			statecheck.ExpectKnownOutputValue("renamed", knownvalue.StringExact("delete")),
			statecheck.ExpectKnownOutputValue("own",
				knownvalue.TupleExact([]knownvalue.Check{knownvalue.StringExact("01X upcloud grant '=jane none")})),
			statecheck.ExpectKnownOutputValue("spaces", knownvalue.TupleExact([]knownvalue.Check{
				knownvalue.StringExact(`Server Delete delete {"Time":"2026-06-02 09:15:00","Action":" Server Delete ","Note":" x "}`),
			})),
			statecheck.ExpectKnownOutputValue("none", knownvalue.ListExact([]knownvalue.Check{})),
		},
		ConfigPlanChecks: expectNoChanges(),
	})

	for _, tt := range []struct{ call, want string }{
		{`parse_csv("Time,Action\n2026-06-02,Delete\n")`, `
Invalid value for "text" parameter: The cell is not a time in a known form.
Line: 2
Column: 1
Header: "Time"
Export again with times such as 2026-01-31 15:04:05, or name another column: columns = { time = "…" }.`},
		{`parse_csv("When it was,Action\n2026-06-02 09:15:00,Delete\n")`, `
Invalid value for "text" parameter: No header is known to mean time.
Line: 1
Headers: "When it was", "Action"
Name the header: columns = { time = "When it was" }.`},
		{`parse_csv("Timestamp,Benutzer,Action\n2026-06-02 09:15:00,jane,Delete\n")`, `
Invalid value for "text" parameter: No header is known to mean actor.
Line: 1
Header: "Benutzer"
Headers: "Timestamp", "Benutzer", "Action"
Name the header: columns = { actor = "Benutzer" }.`},
		{`parse_csv("x", { operation = "x" })`, `
Invalid value for "text" parameter: The mapping names "operation", which no column can become.
Give one of id, time, …`},
		{`parse_csv("x", {}, {})`, `
Invalid value for "columns" parameter: There is more than one mapping of columns.
Put all of it into one map, for example with merge().`},
	} {
		w.test(resource.TestStep{
			Config: used + output("test", "provider::audit::"+tt.call), PlanOnly: true,
			ExpectError: diagnostic("Invalid function argument", tt.want),
		})
	}
}

func change(field, before, after string) knownvalue.Check {
	text := func(s string) knownvalue.Check {
		if s == "" {
			return knownvalue.Null()
		}

		return knownvalue.StringExact(s)
	}

	return knownvalue.ObjectExact(map[string]knownvalue.Check{
		"field":  knownvalue.StringExact(field),
		"before": text(before), "after": text(after),
	})
}

func TestAccChanges(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	list := func(changes ...knownvalue.Check) knownvalue.Check {
		return knownvalue.ListExact(append([]knownvalue.Check{}, changes...))
	}

	config, checks := []string{used}, []statecheck.StateCheck{}

	for i, tt := range []struct {
		before, after string
		want          knownvalue.Check
	}{
		{
			`{ size = 10, labels = { env = "dev" } }`, `{ size = 25, labels = { env = "dev" } }`,
			list(change("size", "10", "25")),
		},
		{`{ labels = { "a.b" = "<&>" } }`, `{ labels = {}, tags = [1, "x", null] }`, list(
			change("labels", "", "{}"), change(`labels."a.b"`, `"<&>"`, ""),
			change("tags.0", "", "1"), change("tags.1", "", `"x"`), change("tags.2", "", "null"))},
		{`tomap({ a = 1 })`, `{ a = 1 }`, list()},
		{`{}`, `{ big = 123456789012345678901234567890, small = 0.1, yes = true, none = null }`, list(
			change("big", "", "123456789012345678901234567890"), change("none", "", "null"), change("small", "", "0.1"),
			change("yes", "", "true"))},
		{`jsondecode("{\"a\":1.5}")`, `{}`, list(change("a", "1.5", ""))},
		{`{ a = toset(["y", "x"]) }`, `{ a = ["x", "y"] }`, list()},
	} {
		name := fmt.Sprintf("o%d", i)
		config = append(config, output(name, fmt.Sprintf("provider::audit::changes(%s, %s)", tt.before, tt.after)))
		checks = append(checks, statecheck.ExpectKnownOutputValue(name, tt.want))
	}

	// OpenTofu does not call a function with a bare null.
	if os.Getenv("TF_ACC_PROVIDER_HOST") == "" {
		config = append(config, output("null", "provider::audit::changes(null, { a = 1 })"))
		checks = append(checks, statecheck.ExpectKnownOutputValue("null", list(change("a", "", "1"))))
	}

	// What is not known when planning is found out later.
	config = append(config, "resource \"terraform_data\" \"late\" { input = \"x\" }\n",
		output("late", "provider::audit::changes({ a = \"w\" }, { a = terraform_data.late.output })"))
	checks = append(checks, statecheck.ExpectKnownOutputValue("late", list(change("a", `"w"`, `"x"`))))

	w.test(resource.TestStep{
		Config: strings.Join(config, ""), ConfigStateChecks: checks,
		ConfigPlanChecks: expectNoChanges(),
	})

	for _, tt := range []struct{ call, want string }{
		{`changes("{}", {})`, `
Invalid value for "before" parameter: A state is an object or a map, and this is a string.
If it holds JSON, give jsondecode() of it.`},
		{`changes({}, [1])`, `
Invalid value for "after" parameter: A state is an object or a map.
Give an object, such as { size = 10 }, or {} where there was no state.`},
	} {
		w.test(resource.TestStep{
			Config: used + output("test", "provider::audit::"+tt.call), PlanOnly: true,
			ExpectError: diagnostic("Invalid function argument", tt.want),
		})
	}
}

// The examples of the documentation do what their comments say.
func TestAccFunctions_examples(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{})
	w.write("export.csv", "Timestamp,User,Action,Resource\n2026-06-02 09:15:00,jane,Delete,web-1\n")
	w.write("renamed.csv", "Quand,Quoi\n2026-06-02 09:15:00,Delete\n")

	config := []string{used}

	for _, name := range []string{"parse_csv", "changes"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", "functions", name, "function.tf"))
		if err != nil {
			t.Fatal(err)
		}

		// The block that says where the provider comes from is there already.
		_, body, _ := strings.Cut(string(text), "\n}\n\n")
		config = append(config, strings.ReplaceAll(body, "${path.module}", w.dir))
	}

	w.test(resource.TestStep{
		Config: strings.Join(config, "\n"),
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownOutputValue("deletions",
				knownvalue.TupleExact([]knownvalue.Check{knownvalue.StringExact("2026-06-02T09:15:00.000000Z jane web-1")})),
			statecheck.ExpectKnownOutputValue("renamed", knownvalue.Int64Exact(1)),
			statecheck.ExpectKnownOutputValue("changes",
				knownvalue.ListExact([]knownvalue.Check{change("labels.env", `"dev"`, `"prod"`), change("size", "", "25")})),
			statecheck.ExpectKnownOutputValue("decoded", knownvalue.ListExact([]knownvalue.Check{change("size", "", "25")})),
		},
	})
}
