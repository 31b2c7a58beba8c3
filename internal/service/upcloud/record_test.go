// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

const good = `{"time":"2026-06-20T12:00:00Z","auth_type":"api","cloud_event_id":"01HQXYZ123456789ABCDEFGHJK","upcloud_correlation_id":"c",` +
	`"resource_type":"server","action":"delete","origin":"api","account_username":"jane","current_state":{"plan":"1x"}}`

// TestJSONIsReadAsWritten: a key in another case is another key, and one that is
// there twice has no value that can be told.
func TestJSONIsReadAsWritten(t *testing.T) {
	t.Parallel()

	with := func(more string) string { return strings.TrimSuffix(good, "}") + "," + more + "}" }

	for name, tt := range map[string]struct {
		record, err string
	}{
		"other cases":             {with(`"Account_Username":"mallory","ACTION":"create","Time":"x","CLOUD_EVENT_ID":1,"Origin":"gui","Current_State":[]`), ""},
		"folded":                  {with(`"acceſs":1,"ſ":2`), ""},
		"not UTF-8":               {with("\"x\":\"\xff\",\"y\":\"\\ud800\""), ""},
		"twice":                   {with(`"action":"create"`), `"audit_logs.action" is there twice`},
		"the same twice, escaped": {with(`"act\u0069on":"delete"`), `"audit_logs.action" is there twice`},
		"a state twice":           {with(`"current_state":{}`), `"audit_logs.current_state" is there twice`},
		"within a state": {
			with(`"previous_state":{"a":{"b":1,"b":2}}`),
			`"audit_logs.previous_state" is there twice`,
		},
		"in what conditions can read": {with(`"extra":{"b":1,"b":2}`), `"audit_logs.extra" is there twice`},
	} {
		service := page(t, `{"audit_logs":[`+tt.record+`],"Audit_Logs":[]}`)

		entries, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: around})
		got := (*client.Error)(nil)

		switch {
		case tt.err != "":
			if !errors.As(err, &got) || got.Kind != client.KindShape || got.Err.Error() != tt.err {
				t.Errorf("%s: got %v", name, err)
			}
		case err != nil || len(entries) != 1:
			t.Errorf("%s: %d entries, %v", name, len(entries), err)
		default:
			e := entries[0]
			if e.Actor != "jane" || e.Action != "delete" || e.Origin != "api" || len(e.Changes) != 1 ||
				string(e.Raw) != tt.record {
				t.Errorf("%s: got %+v", name, e)
			}
		}
	}

	for body, want := range map[string]string{
		`{"audit_logs":[],"audit_logs":[` + good + `]}`: `"audit_logs" is there twice`,
		`{"Audit_Logs":[` + good + `]}`:                 "audit_logs is missing",
	} {
		service := page(t, body)

		_, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: around})
		if got := (*client.Error)(nil); !errors.As(err, &got) || got.Kind != client.KindShape || got.Err.Error() != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestFilterOptionsAreReadAsWritten(t *testing.T) {
	t.Parallel()

	for body, fails := range map[string]bool{
		`{"actions":["a"],"origins":[],"resource_types":[]}`:                 false,
		`{"actions":["a"],"origins":[],"resource_types":[],"ACTIONS":["b"]}`: false,
		`{"Actions":["a"],"origins":[],"resource_types":[]}`:                 true,
		`{"actions":["a"],"origins":[],"resource_types":[],"actions":["b"]}`: true,
	} {
		service := page(t, body)

		options, err := service.FilterOptions(t.Context(), auditlog.Query{})
		if fails != (err != nil) || !fails && options.Actions[0] != "a" {
			t.Errorf("%s: got %+v, %v", body, options, err)
		}
	}
}

// page is a service with one answer, and the total that belongs to one event.
func page(t *testing.T, body string) *upcloud.Service {
	t.Helper()

	return upcloud.New(servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("UpCloud-Total-Count", "1")
		_, _ = fmt.Fprint(w, body)
	})), fakeapi.DefaultNow, 0)
}
