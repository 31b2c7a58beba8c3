// SPDX-License-Identifier: MPL-2.0

// Package auditlogtest holds entries that are hard on what handles them, and compares
// with golden files.
package auditlogtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// At is when entries are, where nothing else is said.
var At = time.Date(2026, time.March, 14, 9, 26, 53, 589_793_000, time.UTC)

// Entry returns an entry with the fields that none lacks, and what the change does to it.
func Entry(id string, change func(*auditlog.Entry)) auditlog.Entry {
	e := auditlog.Entry{
		ID: id, Time: At, Service: auditlog.ServiceUpCloud, Action: "server_read",
		Operation: auditlog.OperationRead, ActorType: auditlog.ActorUser,
	}

	if change != nil {
		change(&e)
	}

	return e
}

// Hostile holds what goes wrong in careless exports.
func Hostile() []auditlog.Entry {
	return []auditlog.Entry{
		Entry("full", func(e *auditlog.Entry) {
			e.Time = At.In(time.FixedZone("", -7*3600))
			e.Action, e.Operation, e.ActorType = "server_update", auditlog.OperationUpdate, auditlog.ActorAPIToken
			e.Endpoint, e.Account = "https://api.upcloud.com", "example"
			e.ActorID, e.Actor = "0699f0f3-0d3e-4d5a-9b3c-57b2f6f2a9b1", "ci-token"
			e.ResourceType, e.ResourceID, e.ResourceName = "server", "00798b85-efdc-41ca-8021-f6ef457b8531", "web-1"
			e.ScopeType, e.ScopeID, e.ScopeName = "account", "17", "Example Oy"
			e.Origin, e.AuthType, e.IPAddress = "api", "token", "2001:db8::7"
			e.UserAgent, e.CorrelationID, e.Message = "curl/8.5.0", "01J9", "Server web-1 was changed."
			e.Changes = []auditlog.Change{
				{Field: "labels.env", Before: new(`"dev"`), After: new(`"<prod> & \"more\""`)},
				{Field: "plan", After: new("null")},
				{Field: "size", Before: new("1.0")},
			}
			e.Raw = json.RawMessage("{\n  \"z\": 1.50e+3, \"a\": [ 1 , { } ],\r\n\t\"html\": \"<&>\", \"esc\": \"\\u00e9\\/\", \"a\": null }\n")
		}),
		Entry("formulas", func(e *auditlog.Entry) {
			e.ActorID, e.Actor = "=HYPERLINK(\"http://x\",\"y\")", "+358 40 1234567"
			e.ResourceType, e.ResourceID, e.ResourceName = "-", "-1", "@SUM(A1:A9)"
			e.ScopeType, e.ScopeID, e.ScopeName = "\t=1", "\r=1", "\n=1"
			e.Origin, e.AuthType, e.IPAddress = " =1", "'=1", "'"
			e.UserAgent, e.CorrelationID, e.Message = "\"=1\"", "=", "1=1"
		}),
		Entry("delimiters", func(e *auditlog.Entry) {
			e.ActorID, e.Actor = "a,b", `say "hi"`
			e.ResourceType, e.ResourceID, e.ResourceName = "line\nfeed", "carriage\rreturn", "both\r\nof them"
			e.ScopeType, e.ScopeID, e.ScopeName = " leading", "trailing ", " "
			e.Origin, e.AuthType, e.IPAddress = "tab\tinside", "trailing tab\t", `back\slash`
			e.UserAgent, e.CorrelationID, e.Message = "semi;colon|pipe", `"`, "\r\n"
		}),
		Entry("characters", func(e *auditlog.Entry) {
			e.ActorID, e.Actor = "nul\x00nul\x00", "\xff\xfeinvalid\xc3"
			e.ResourceType, e.ResourceID, e.ResourceName = "👩‍💻", "שלום\u202eevil", "line\u2028para\u2029"
			e.ScopeType, e.ScopeID, e.ScopeName = "\ufeffbom", "\ufffd was there", "control\x01\x1b[31m\x7f"
			e.UserAgent = strings.Repeat("long ", 400) + "end"
			e.Changes = []auditlog.Change{{Field: "na\xffme\u2028", Before: new("\"\xff\""), After: new("\"\x00\"")}}
			e.Raw = json.RawMessage("{\"bad\":\"\xff\u2028\"}")
		}),
		Entry("least", nil),
	}
}

// Full gives an entry a different value in every field that it lacks.
func Full(e auditlog.Entry) auditlog.Entry {
	e.ActorID, e.Actor = "actor-7", "jane"
	e.ResourceID, e.ResourceName = "resource-7", "web-1"
	e.ScopeType, e.ScopeID, e.ScopeName = "folder", "scope-7", "Example Oy"
	e.Origin, e.AuthType, e.IPAddress = "gui", "basic_auth", "2001:db8::7"
	e.UserAgent, e.CorrelationID, e.Message = "curl/8.5.0", "corr-7", "Something was <done> & said."
	e.Changes = []auditlog.Change{
		{Field: "labels.env", Before: new(`"dev"`)},
		{Field: "plan", Before: new("null"), After: new(`"<2x>"`)},
	}
	e.Raw = json.RawMessage("{\n  \"z\": 1.50e+3, \"a\": [ 1 ]}")

	return e
}

// Golden compares with testdata/golden/<test>/<name>. UPDATE_GOLDEN=1 rewrites
// the file; read it before it is committed.
func Golden(t *testing.T, name, got string) {
	t.Helper()

	test, _, _ := strings.Cut(t.Name(), "/")
	path := filepath.Join("testdata", "golden", test, name)

	if os.Getenv("UPDATE_GOLDEN") == "1" {
		//nolint:forbidigo // It is for tests alone.
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}

		//nolint:forbidigo // It is for tests alone.
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
