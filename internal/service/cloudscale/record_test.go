// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

const (
	tokenActor = `{"api_token":{"uuid":"t-1","description":"prod-csi"}}`
	userActor  = `{"user":{"email":"jane@example.com"}}`
)

func page(records ...string) []byte {
	return []byte(`{"next":null,"poll_more":"https://api.example.com/v1/project-logs?cursor=1","results":[` + strings.Join(records, ",") + `]}`)
}

func TestReadMapsEveryField(t *testing.T) {
	t.Parallel()

	const raw = `{"ip_address":"2001:db8::1","action":"server_volume_attach","message":"Volume 'data' has been attached",` +
		`"timestamp":"2026-06-30T11:00:00.391447+02:00","actor":` + tokenActor + `,"extra": {"kept": 1.0},` +
		`"subject":{"project":{"uuid":"p-1","name":"My Project"}}}`

	s := serve(t, fakeapi.Options{})
	if err := s.fake.Load(strings.NewReader(`{"service":"cloudscale","record":` + raw + "}\n")); err != nil {
		t.Fatal(err)
	}

	entries, _ := s.read(t, servicetest.Month())
	if len(entries) != 1 {
		t.Fatalf("got %d entries", len(entries))
	}

	want := auditlog.Entry{
		// Ids are in users' archives: this one may never change.
		ID: "HWTBZFLMTOK6M4QXDEHW3ZSD3A", Time: time.Date(2026, 6, 30, 9, 0, 0, 391_447_000, time.UTC), Service: "cloudscale",
		Endpoint: s.client.Origin(), Account: "p-1",
		Action: "server_volume_attach", Operation: "attach", ActorType: "api_token", ActorID: "t-1", Actor: "prod-csi",
		ResourceType: "server_volume", ResourceName: "data", ScopeType: "project", ScopeID: "p-1", ScopeName: "My Project",
		IPAddress: "2001:db8::1", Message: "Volume 'data' has been attached", Raw: json.RawMessage(raw),
	}
	if diff := cmp.Diff(want, entries[0]); diff != "" {
		t.Error(diff)
	}

	if entries[0].Time.Location() != time.UTC {
		t.Error("the time is not in UTC")
	}
}

func TestNeverRecordedIsNeverRecorded(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 400})
	if err != nil {
		t.Fatal(err)
	}

	service := cloudscale.New(servicetest.Client(t, fake.Cloudscale()), fakeapi.DefaultNow, 0)

	entries, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil {
		t.Fatal(err)
	}

	recorded := map[string]bool{}

	for i := range entries {
		for _, f := range auditlog.Fields() {
			recorded[f.Name] = recorded[f.Name] || f.Text(&entries[i]) != ""
		}
	}

	for name, ever := range recorded {
		if ever != service.Info().Records(name) {
			t.Errorf("%s is recorded: %v", name, ever)
		}
	}
}

func TestActorsAndScopes(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		fields string
		want   auditlog.Entry
	}{
		"user": {
			`,"ip_address":"192.0.2.1","actor":` + userActor,
			auditlog.Entry{ActorType: "user", Actor: "jane@example.com", IPAddress: "192.0.2.1"},
		},
		"token": {
			`,"ip_address":"192.0.2.1","actor":` + tokenActor,
			auditlog.Entry{ActorType: "api_token", ActorID: "t-1", Actor: "prod-csi", IPAddress: "192.0.2.1"},
		},
		"token without a description": {
			`,"actor":{"api_token":{"uuid":"t-1","description":null}}`,
			auditlog.Entry{ActorType: "api_token", ActorID: "t-1"},
		},
		"system, without an address": {`,"ip_address":null,"actor":{"system":{}}`, auditlog.Entry{ActorType: "system"}},
		"staff":                      {`,"actor":{"admin":{}}`, auditlog.Entry{ActorType: "staff"}},
		"unset kinds are null": {
			`,"actor":{"user":null,"api_token":null,"system":null,"admin":{}}`,
			auditlog.Entry{ActorType: "staff"},
		},
		"null actor":                 {`,"actor":null`, auditlog.Entry{ActorType: "unknown"}},
		"empty actor":                {`,"actor":{}`, auditlog.Entry{ActorType: "unknown"}},
		"a new kind of actor":        {`,"actor":{"robot":{"id":1}}`, auditlog.Entry{ActorType: "unknown"}},
		"no actor, subject, address": {``, auditlog.Entry{ActorType: "unknown"}},
		"null subject":               {`,"subject":null`, auditlog.Entry{ActorType: "unknown"}},
		"empty subject":              {`,"subject":{}`, auditlog.Entry{ActorType: "unknown"}},
		"project": {
			`,"subject":{"project":{"uuid":"p-1","name":"P"}}`,
			auditlog.Entry{ActorType: "unknown", ScopeType: "project", ScopeID: "p-1", ScopeName: "P"},
		},
		"organization": {
			`,"subject":{"organization":{"href":null,"uuid":"o-1","name":"O"}}`,
			auditlog.Entry{ActorType: "unknown", ScopeType: "organization", ScopeID: "o-1", ScopeName: "O"},
		},
		"user as a subject": {
			`,"subject":` + userActor,
			auditlog.Entry{ActorType: "unknown", ScopeType: "user", ScopeName: "jane@example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			raw := `{"action":"server_create","message":"m","timestamp":"2026-06-30T11:00:00Z"` + tt.fields + `}`

			rows, _, _, err := cloudscale.DecodePage(page(raw))
			if err != nil || len(rows) != 1 {
				t.Fatalf("got %v, %v", rows, err)
			}

			want := tt.want
			want.Service, want.Action, want.Operation, want.ResourceType = "cloudscale", "server_create", "create", "server"
			want.Message, want.Time, want.Raw = "m", time.Date(2026, 6, 30, 11, 0, 0, 0, time.UTC), json.RawMessage(raw)

			rows[0].ID = ""

			if diff := cmp.Diff(want, rows[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodePageRefusesOtherShapes(t *testing.T) {
	t.Parallel()

	const good = `{"action":"a","message":"m","timestamp":"2026-06-30T11:00:00Z","actor":{"system":{}}}`

	if _, _, _, err := cloudscale.DecodePage(page(good)); err != nil {
		t.Fatal(err)
	}

	for name, body := range map[string][]byte{
		"empty":              nil,
		"cut":                page(good)[:90],
		"null":               []byte(`null`),
		"an array":           []byte(`[` + good + `]`),
		"no next":            []byte(`{"poll_more":"x","results":[]}`),
		"no poll_more":       []byte(`{"next":null,"results":[]}`),
		"no results":         []byte(`{"next":null,"poll_more":"x"}`),
		"null results":       []byte(`{"next":null,"poll_more":"x","results":null}`),
		"results an object":  []byte(`{"next":null,"poll_more":"x","results":{}}`),
		"next a number":      []byte(`{"next":1,"poll_more":"x","results":[]}`),
		"poll_more a list":   []byte(`{"next":null,"poll_more":[],"results":[]}`),
		"a null record":      page(good, "null"),
		"a text for record":  page(good, `"x"`),
		"no action":          page(strings.Replace(good, `"action":"a",`, "", 1)),
		"null action":        page(strings.Replace(good, `"action":"a"`, `"action":null`, 1)),
		"action a number":    page(strings.Replace(good, `"action":"a"`, `"action":1`, 1)),
		"no timestamp":       page(strings.Replace(good, `,"timestamp":"2026-06-30T11:00:00Z"`, "", 1)),
		"a date":             page(strings.Replace(good, "T11:00:00Z", "", 1)),
		"a time of no zone":  page(strings.Replace(good, "T11:00:00Z", "T11:00:00", 1)),
		"a time of no kind":  page(strings.Replace(good, "2026-06-30T11:00:00Z", "yesterday", 1)),
		"timestamp a number": page(strings.Replace(good, `"2026-06-30T11:00:00Z"`, "1", 1)),
		"actor a text":       page(strings.Replace(good, `{"system":{}}`, `"jane"`, 1)),
		"next empty":         []byte(`{"next":"","poll_more":"x","results":[]}`),
		"poll_more empty":    []byte(`{"next":null,"poll_more":"","results":[]}`),
		"next twice":         []byte(`{"next":"x","poll_more":"x","results":[],"next":null}`),
		"results twice":      []byte(`{"next":null,"poll_more":"x","results":[],"results":[` + good + `]}`),
		"Results":            []byte(`{"next":null,"poll_more":"x","Results":[` + good + `]}`),
		"Next":               []byte(`{"Next":null,"poll_more":"x","results":[]}`),
		"action twice":       page(strings.Replace(good, `{"action"`, `{"action":"b","action"`, 1)),
		"actor twice":        page(strings.Replace(good, `"actor"`, `"actor":{},"actor"`, 1)),
		"system twice":       page(strings.Replace(good, `"system":{}`, `"system":{},"system":{}`, 1)),
		"email twice":        page(strings.Replace(good, `"system":{}`, `"user":{"email":"a","email":"b"}`, 1)),
		"uuid twice":         page(strings.Replace(good, `"system":{}`, `"api_token":{"uuid":"a","uuid":"b"}`, 1)),
		"name twice": page(strings.Replace(good, `"actor"`, `"subject":{"project":{"name":"a","name":"b"}},"actor"`,
			1)),
		"within what is new": page(strings.Replace(good, `"actor"`, `"new":[{"a":1,"a":1}],"actor"`, 1)),
	} {
		if rows, next, poll, err := cloudscale.DecodePage(body); err == nil || rows != nil || next != "" || poll != "" {
			t.Errorf("%s: got %v, %q, %q, %v", name, rows, next, poll, err)
		}
	}
}

// TestKeysInAnotherCaseAreOthers: they fill no field, at any level.
func TestKeysInAnotherCaseAreOthers(t *testing.T) {
	t.Parallel()

	rows, next, poll, err := cloudscale.DecodePage([]byte(`{"next":null,"NEXT":"x","poll_more":null,"Poll_More":"x","Results":[],"results":[` +
		`{"action":"server_create","Action":"server_delete","message":"m","MESSAGE":"Server 'x' has been created","timestamp":"2026-06-30T11:00:00Z","Timestamp":1,` +
		`"ip_address":"192.0.2.1","IP_address":"192.0.2.2","actor":{"user":{"email":"jane@example.com","Email":"x"},"API_TOKEN":{"uuid":"u"},"User":null},` +
		`"Actor":{},"subject":{"Project":{"uuid":"p"},"organization":{"uuid":"o","UUID":"x","name":"n","Name":"x"}}}]}`))
	if err != nil || len(rows) != 1 || next != "" || poll != "" {
		t.Fatalf("got %v, %q, %q, %v", rows, next, poll, err)
	}

	e := rows[0]
	e.Raw, e.Time = nil, time.Time{}

	want := auditlog.Entry{
		Service: "cloudscale", Action: "server_create", Operation: "create", ActorType: "user", Actor: "jane@example.com",
		ResourceType: "server",
		ScopeType:    "organization", ScopeID: "o", ScopeName: "n", IPAddress: "192.0.2.1", Message: "m",
	}
	e.ID = ""

	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
}

func TestOperationOf(t *testing.T) {
	t.Parallel()

	for action, want := range map[string]auditlog.Operation{
		// Official.
		"server_create": "create", "server_stop": "stop", "server_delete": "delete", "volume_create": "create",
		"server_volume_attach": "attach",
		// In their manner.
		"server_start": "start", "server_reboot": "restart", "server_restart": "restart", "server_update": "update",
		"server_rename": "update", "volume_resize": "update", "server_volume_detach": "detach", "object_read": "read",
		"organization_user_invite": "invite", "audit_log_export": "export", "project_role_grant": "grant",
		"project_role_revoke": "revoke", "user_login": "login", "user_logout": "logout", "create": "create",
		// Words that other clouds use.
		"server_destroy": "delete", "server_terminated": "delete", "volume_purge": "delete", "floating_ip_release": "delete",
		"tag_remove":       "delete",
		"server_group_add": "create", "server_pause": "stop", "server_created": "create", "server_power_on": "start",
		"server_shut_down": "stop",
		"volume_mount":     "attach", "volume_unmount": "detach", "user_sign_in": "login", "user_log_out": "logout",
		"project_share":     "grant",
		"log_export_create": "create",
		// Not in the vocabulary, or not for certain.
		"server_migrate": "other", "some_new_action": "other", "server_create_failed": "other", "user_failed_login": "other",
		"user_login_failed": "other", "server_delete_cancel": "other", "server_not_deleted": "other",
		"server_deletion_start": "other", "delete_server": "other",
		"server-create": "other", "Server_Create": "other", "create_": "other", "_": "other", "": "other",
	} {
		if got := cloudscale.OperationOf(action); got != want {
			t.Errorf("%q is %s, want %s", action, got, want)
		}

		if known := cloudscale.KnowsAction(action); known != (want != "other") ||
			cloudscale.Info().KnowsAction(action) != known {
			t.Errorf("%q is known: %v", action, known)
		}
	}
}

func TestResourceName(t *testing.T) {
	t.Parallel()

	for message, want := range map[string]string{
		"Server 'hello' has been created":                "hello",
		"Volumes 'data' have been deleted":               "data",
		"Server 'web 1' has been shut down":              "web 1",
		"Floating IP '2001:db8::7' has been deleted":     "2001:db8::7",
		"Server 'zoë-葵-💾' has been created":              "zoë-葵-💾",
		"Server 'e\u0301\u202e\u200b' has been created":  "e\u0301\u202e\u200b",
		"Server 'O'Brien' has been created":              "O'Brien",
		"Server '=cmd|' /C calc'!A0' has been created":   "",
		`Server '"; DROP TABLE x; --' has been created`:  `"; DROP TABLE x; --`,
		"Server 'a has been created' has been deleted":   "a has been created",
		"Server '' has been created":                     "",
		"created":                                        "",
		"":                                               "",
		"Server hello has been created":                  "",
		"Server 'hello' was created":                     "",
		"Server \"hello\" has been created":              "",
		"User 'jane@example.com' has logged in":          "",
		"Volume 'a' has been attached to server 'b'":     "",
		"Volume 'a' of server 'b' has been deleted":      "",
		"Volumes 'a' and 'b' have been deleted":          "",
		"Volumes 'a', 'b' have been deleted":             "",
		"Volumes 'a','b' have been deleted":              "",
		"Volumes 'a'/'b' have been deleted":              "",
		"Server 'a' has been renamed to 'b'":             "",
		"Server 'x' has been deleted' has been created":  "",
		"Server '' has been deleted' has been created":   "",
		"Server 'x' has been created by 'y' has been z":  "",
		"Server 'dogs' home' has been created":           "",
		"Server 'two\nlines' has been created":           "two\nlines",
		"Server 'hello' has been created, and 'another'": "",
	} {
		if got := cloudscale.ResourceName(message); got != want {
			t.Errorf("%q names %q, want %q", message, got, want)
		}
	}
}

func FuzzDecodePage(f *testing.F) {
	fake, err := fakeapi.New(fakeapi.Options{Entries: 20})
	if err != nil {
		f.Fatal(err)
	}

	for _, r := range fake.CloudscaleRecords() {
		f.Add(page(string(r.Raw)))
	}

	f.Add(page())
	f.Add([]byte(`{"next":"https://api.example.com","poll_more":null,"results":[{"Action":"a","timestamp":"0000-01-01T00:00:00Z"}]}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		samePage(t, body, false)

		rows, next, poll, err := cloudscale.DecodePage(body)
		if err != nil {
			if rows != nil || next != "" || poll != "" {
				t.Errorf("half a page with %v", err)
			}

			return
		}

		ids := auditlog.NewFingerprints(auditlog.ServiceCloudscale)

		for i := range rows {
			e := &rows[i]
			if e.Action == "" || e.Operation == "" || e.ActorType == "" || e.Service == "" || !json.Valid(e.Raw) {
				t.Errorf("not an entry: %+v", e)
			}

			if id, err := ids.ID(e.Raw, e.Time); err != nil || id == "" {
				t.Errorf("%s: %v", e.Raw, err)
			}

			for _, field := range auditlog.Fields() {
				_ = field.Text(e)
			}
		}
	})
}

// BenchmarkPage reads pages of 200 records. The allocations are per page.
func BenchmarkPage(b *testing.B) {
	fake, err := fakeapi.New(fakeapi.Options{Entries: 1000})
	if err != nil {
		b.Fatal(err)
	}

	var texts []string
	for _, r := range fake.CloudscaleRecords()[:200] {
		texts = append(texts, string(r.Raw))
	}

	body := page(texts...)
	decode := func(name string, decode func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()

			for range b.N {
				if err := decode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}

	decode("one pass", func() error { _, _, _, err := cloudscale.DecodePage(body); return err })
	decode("plain", func() error { _, _, _, err := plainPage(body); return err })
}
