// SPDX-License-Identifier: MPL-2.0

package where_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

const guidePath = "../../templates/guides/where.md.tmpl"

func guide(t *testing.T) string {
	t.Helper()

	text, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

// TestGuideExamples runs every condition of the guide on an entry that meets it
// and on one that does not.
func TestGuideExamples(t *testing.T) {
	t.Parallel()

	noon := time.Date(2026, 1, 30, 11, 0, 0, 0, time.UTC) // A Friday.
	off, on := `"off"`, `"on"`

	pairs := []struct{ meets, fails auditlog.Entry }{
		{
			auditlog.Entry{Operation: auditlog.OperationDelete, Actor: "alice"},
			auditlog.Entry{Operation: auditlog.OperationDelete, Actor: "ci-deploy"},
		},
		{
			auditlog.Entry{ActorType: auditlog.ActorUser, Time: noon.Add(7 * time.Hour)},
			auditlog.Entry{ActorType: auditlog.ActorUser, Time: noon.Add(6 * time.Hour)},
		},
		{auditlog.Entry{IPAddress: "203.0.113.9"}, auditlog.Entry{IPAddress: "2001:0DB8:100:0::1"}},
		{auditlog.Entry{Operation: auditlog.OperationGrant}, auditlog.Entry{Operation: auditlog.OperationLogin}},
		{
			auditlog.Entry{ResourceType: "server", Changes: []auditlog.Change{{Field: "title"}, {Field: "plan"}}},
			auditlog.Entry{ResourceType: "server", Changes: []auditlog.Change{{Field: "title"}}},
		},
		{
			auditlog.Entry{Changes: []auditlog.Change{{Field: "firewall", Before: &on, After: &off}}},
			auditlog.Entry{Changes: []auditlog.Change{{Field: "firewall", Before: &off, After: &on}}},
		},
		{auditlog.Entry{Raw: []byte(`{"resource_sub_type":"subaccount-api-token"}`)}, auditlog.Entry{Raw: []byte(`{}`)}},
		{auditlog.Entry{Message: "Server 'Prod-1' has been deleted"}, auditlog.Entry{ResourceName: "reprod-1"}},
		{
			auditlog.Entry{Time: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)},
			auditlog.Entry{Time: time.Date(2026, 3, 2, 0, 59, 59, 0, time.UTC)},
		},
		{auditlog.Entry{Origin: "gui"}, auditlog.Entry{Origin: "gui", IPAddress: "203.0.113.9"}},
	}

	fences := regexp.MustCompile("(?s)```cel\n(.*?)```").FindAllStringSubmatch(guide(t), -1)
	if len(fences) != len(pairs) {
		t.Fatalf("the guide has %d conditions and this test %d", len(fences), len(pairs))
	}

	for i, fence := range fences {
		x := mustCompile(t, fence[1])

		if ok, err := x.Match(&pairs[i].meets); !ok || err != nil {
			t.Errorf("%s is not met: %v", fence[1], err)
		}

		if ok, err := x.Match(&pairs[i].fails); ok || err != nil {
			t.Errorf("%s is met: %v", fence[1], err)
		}
	}
}

// TestGuideIsComplete holds the guide against what there is.
func TestGuideIsComplete(t *testing.T) {
	t.Parallel()

	text := guide(t)

	for _, f := range auditlog.Fields() {
		if !strings.Contains(text, "`entry."+f.Name+"`") {
			t.Errorf("the guide lacks entry.%s", f.Name)
		}
	}

	for _, name := range where.FunctionNames() {
		if !regexp.MustCompile("`"+name+"[`(]").MatchString(text) && !strings.Contains(text, "."+name+"(") {
			t.Errorf("the guide lacks %s", name)
		}
	}

	for _, limit := range []int{where.MaxLength, where.MaxCost, where.MaxNodes, where.MaxNesting, where.MaxLoops} {
		if !strings.Contains(text, "| "+strconv.Itoa(limit)) {
			t.Errorf("the guide lacks the limit %d", limit)
		}
	}

	_, err := where.Compile("entry.operation == \"delete\" &&\n  entry.acto != \"ci\"\n")

	reason := strings.SplitN(err.Error(), ": ", 2)[1]
	if !strings.Contains(strings.Join(strings.Fields(text), " "), "The condition cannot be used: "+reason+
		". Line: 2 Column: 8 ") {
		t.Errorf("the guide shows another error than: %s", reason)
	}
}

// What Terraform's jsonencode makes of a list is a list in CEL.
func TestListsFromTerraform(t *testing.T) {
	t.Parallel()

	// As jsonencode escapes: "<", ">", "&" and what JSON cannot hold.
	x := mustCompile(t, `entry.actor in ["a\"b\\c","\u003cx\u003e\u0026","\n\t\r\u0001\b\f","日本 😀","\u2028","$${x}"]`)

	for _, actor := range []string{`a"b\c`, "<x>&", "\n\t\r\u0001\b\f", "日本 😀", "\u2028", "$${x}"} {
		if ok, err := x.Match(&auditlog.Entry{Actor: actor}); !ok || err != nil {
			t.Errorf("%q: %v, %v", actor, ok, err)
		}
	}

	// An empty list holds nobody, which is no answer.
	if mustCompile(t, `entry.actor in []`).Possible(
		auditlog.Query{}.Scope(auditlog.Info{Operations: slices.Clone(auditlog.Operations())}),
	) {
		t.Error("an empty list is possible")
	}
}
