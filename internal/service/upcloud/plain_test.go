// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// What follows reads pages in the plain way: into structs, each part once more. It is what
// the reader that reads them in one pass is held against.

type plainRecord struct {
	Time          string          `json:"time"`
	AuthType      string          `json:"auth_type"`
	ID            string          `json:"cloud_event_id"`
	CorrelationID string          `json:"upcloud_correlation_id"`
	ResourceType  string          `json:"resource_type"`
	Action        string          `json:"action"`
	Origin        string          `json:"origin"`
	Username      string          `json:"account_username"`
	IPAddress     string          `json:"ip_address"`
	ResourceID    string          `json:"resource_id"`
	CurrentState  json.RawMessage `json:"current_state"`
	PreviousState json.RawMessage `json:"previous_state"`
}

func plainEntry(raw json.RawMessage) (auditlog.Entry, error) {
	var r plainRecord
	if err := exactjson.Unmarshal(raw, &r); err != nil {
		return auditlog.Entry{}, err
	}

	if r.ID == "" || r.Action == "" {
		return auditlog.Entry{}, errors.New("an event lacks its cloud_event_id or its action")
	}

	at, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		return auditlog.Entry{}, errors.New("the time of an event is not RFC 3339")
	}

	changes, err := auditlog.Changes(r.PreviousState, r.CurrentState)
	if err != nil {
		return auditlog.Entry{}, fmt.Errorf("the state in an event cannot be read: %w", err)
	}

	actor := auditlog.ActorUser

	switch {
	case r.Origin == "upcloud_internal":
		actor = auditlog.ActorSystem
	case r.Username == "":
		actor = auditlog.ActorUnknown
	}

	return auditlog.Entry{
		ID: r.ID, Time: at.UTC(),
		Service: auditlog.ServiceUpCloud, Action: r.Action, Operation: upcloud.OperationOf(r.Action),
		ActorType: actor, Actor: r.Username, ResourceType: r.ResourceType, ResourceID: r.ResourceID, Origin: r.Origin,
		AuthType: r.AuthType, IPAddress: r.IPAddress, CorrelationID: r.CorrelationID, Changes: changes, Raw: raw,
	}, nil
}

func plainList(body []byte) ([]auditlog.Entry, error) {
	var page struct {
		AuditLogs *[]json.RawMessage `json:"audit_logs"`
	}

	if err := exactjson.Unmarshal(body, &page); err != nil {
		return nil, err
	}

	if page.AuditLogs == nil {
		return nil, errors.New("audit_logs is missing")
	}

	entries := make([]auditlog.Entry, 0, len(*page.AuditLogs))

	for _, raw := range *page.AuditLogs {
		e, err := plainEntry(raw)
		if err != nil {
			return nil, err
		}

		entries = append(entries, e)
	}

	return entries, nil
}

// samePage fails when a page is not read as in the plain way.
func samePage(t *testing.T, body []byte, errorsToo bool) {
	t.Helper()

	before := bytes.Clone(body)
	rows, err := upcloud.DecodeList(body)
	wantRows, wantErr := plainList(body)

	switch {
	case !bytes.Equal(before, body):
		t.Errorf("reading changed %q", before)
	case (err == nil) != (wantErr == nil),
		errors.Is(err, exactjson.ErrSyntax) != errors.Is(wantErr, exactjson.ErrSyntax),
		errorsToo && err != nil && err.Error() != wantErr.Error():
		t.Errorf("%.300q: got %v, want %v", body, err, wantErr)
	case !slices.EqualFunc(rows, wantRows, sameEntry):
		t.Errorf("%.300q: -want +got:\n%s", body, cmp.Diff(wantRows, rows))
	}
}

func sameEntry(a, b auditlog.Entry) bool {
	different := func(f auditlog.Field) bool { return f.Text(&a) != f.Text(&b) }

	return a.Time.Equal(b.Time) && !slices.ContainsFunc(auditlog.Fields(), different)
}

// hostileValues take the place of a value of a record.
var hostileValues = []string{
	`null`, `""`, `7`, `-0`, `1e400`, `true`, `{}`, `[]`, `[{}]`, `{"a":{}}`, `{"a":null,"b":[1,{"c":"\u00e9"}]}`,
	`{"a":1.0,"b":{"c":"x\ny"}}`,
	`{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{"\ud800":1}`, "{\"\xff\":\"\xfe\"}", `"\ud800"`, "\"\xff\xfe\"",
	`"\u0000"`, `"a\"b"`,
	`"2025-01-01T00:00:00Z"`, `"2025-01-01T00:00:00.123456789+02:00"`, `"2025-13-01T00:00:00Z"`, `"server-delete"`,
	`"DELETE"`, ` " x " `,
	`"upcloud_internal"`, ` { "a" : [ 1 , 2 ] } `, strings.Repeat("9", 400), `"` + strings.Repeat("x", 10_000) + `"`,
	strings.Repeat("[", 200) + strings.Repeat("]", 200), strings.Repeat("[", 100_000), `tru`, `"`, `"\x"`, `{"a":1,}`,
	`01`,
}

func TestPagesAreReadAsInThePlainWay(t *testing.T) {
	t.Parallel()

	fields := []string{
		`"time":"2025-01-01T00:00:00Z"`, `"auth_type":"api"`, `"cloud_event_id":"01H"`,
		`"upcloud_correlation_id":"c"`, `"resource_type":"server"`,
		`"action":"start"`, `"origin":"api"`, `"account_username":"u"`, `"ip_address":"192.0.2.1"`, `"resource_id":"r"`,
		`"current_state":{"a":1,"b":[{"c":"x"}]}`, `"previous_state":{"a":2}`,
	}

	for i := range fields {
		key, _, _ := strings.Cut(fields[i], ":")

		for _, value := range hostileValues {
			others := slices.Delete(slices.Clone(fields), i, i+1)
			record := "{" + strings.Join(append(others, key+":"+value), ",") + "}"

			samePage(t, []byte(`{"audit_logs":[`+record+`]}`), true)
			samePage(t, []byte(`{"audit_logs":[{"cloud_event_id":"x","action":"a","time":"2025-01-01T00:00:00Z"},
			`+record+` ]}`), true)
		}
	}

	for _, value := range hostileValues {
		samePage(t, []byte(value), true)
		samePage(t, []byte(`{"audit_logs":[`+value+`]}`), true)
		samePage(t, []byte(`{"audit_logs":`+value+`}`), false)
	}
}

// TestAMonthIsReadAsInThePlainWay also reads what became of its pages when bytes of them
// were lost, changed and put in.
func TestAMonthIsReadAsInThePlainWay(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 1000})
	if err != nil {
		t.Fatal(err)
	}

	random := rand.New(rand.NewPCG(1, 2))

	for records := range slices.Chunk(fake.UpCloudRecords(), 10) {
		texts := make([]string, 0, len(records))
		for _, r := range records {
			texts = append(texts, string(r.Raw))
		}

		body := []byte(`{"audit_logs":[` + strings.Join(texts, ",") + `]}`)
		samePage(t, body, true)

		for damaged := range servicetest.Damaged(body, 10, random) {
			samePage(t, damaged, false)
		}
	}
}
