// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

// What follows reads pages in the plain way: into structs, each part once more. It is what
// the reader that reads them in one pass is held against.

type plainRecord struct {
	IPAddress *string `json:"ip_address"`
	Action    string  `json:"action"`
	Message   string  `json:"message"`
	Timestamp string  `json:"timestamp"`
	Actor     struct {
		User     *plainUser `json:"user"`
		APIToken *struct {
			UUID        string  `json:"uuid"`
			Description *string `json:"description"`
		} `json:"api_token"`
		System *struct{} `json:"system"`
		Admin  *struct{} `json:"admin"`
	} `json:"actor"`
	Subject struct {
		Organization *plainNamed `json:"organization"`
		Project      *plainNamed `json:"project"`
		User         *plainUser  `json:"user"`
	} `json:"subject"`
}

type plainUser struct {
	Email string `json:"email"`
}

type plainNamed struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

var plainlyQuoted = regexp.MustCompile(`^[^']*'((?s:.*))' (?:has|have) been [^']*$`)

func plainName(message string) string {
	m := plainlyQuoted.FindStringSubmatch(message)
	if m == nil || strings.Count(m[1], "'") > 1 || strings.Contains(m[1], "' ") || strings.Contains(m[1], " '") {
		return ""
	}

	return m[1]
}

func plainEntry(raw json.RawMessage) (auditlog.Entry, error) {
	var r plainRecord
	if err := exactjson.Unmarshal(raw, &r); err != nil {
		return auditlog.Entry{}, err
	}

	if r.Action == "" {
		return auditlog.Entry{}, errors.New("a record lacks its action")
	}

	at, err := time.Parse(time.RFC3339Nano, r.Timestamp)
	if err != nil {
		return auditlog.Entry{}, errors.New("the timestamp of a record is not RFC 3339")
	}

	id, err := auditlog.NewFingerprints(auditlog.ServiceCloudscale).ID(raw, at)
	if err != nil {
		return auditlog.Entry{}, err
	}

	e := auditlog.Entry{
		ID:           id,
		Time:         at.UTC(),
		Service:      auditlog.ServiceCloudscale,
		Action:       r.Action,
		Operation:    cloudscale.OperationOf(r.Action),
		ResourceType: cloudscale.ResourceType(r.Action),
		ResourceName: plainName(r.Message),
		Message:      r.Message,
		Raw:          raw,
	}

	if r.IPAddress != nil {
		e.IPAddress = *r.IPAddress
	}

	switch a := r.Actor; {
	case a.User != nil:
		e.ActorType, e.Actor = auditlog.ActorUser, a.User.Email
	case a.APIToken != nil:
		e.ActorType, e.ActorID = auditlog.ActorAPIToken, a.APIToken.UUID
		if a.APIToken.Description != nil {
			e.Actor = *a.APIToken.Description
		}
	case a.System != nil:
		e.ActorType = auditlog.ActorSystem
	case a.Admin != nil:
		e.ActorType = auditlog.ActorStaff
	default:
		e.ActorType = auditlog.ActorUnknown
	}

	switch s := r.Subject; {
	case s.Project != nil:
		e.ScopeType, e.ScopeID, e.ScopeName = "project", s.Project.UUID, s.Project.Name
	case s.Organization != nil:
		e.ScopeType, e.ScopeID, e.ScopeName = "organization", s.Organization.UUID, s.Organization.Name
	case s.User != nil:
		e.ScopeType, e.ScopeName = "user", s.User.Email
	}

	return e, nil
}

func plainPage(body []byte) (rows []auditlog.Entry, next, pollMore string, err error) {
	var page struct {
		Next     json.RawMessage    `json:"next"`
		PollMore json.RawMessage    `json:"poll_more"`
		Results  *[]json.RawMessage `json:"results"`
	}

	if err := exactjson.Unmarshal(body, &page); err != nil {
		return nil, "", "", err
	}

	switch {
	case page.Next == nil:
		return nil, "", "", errors.New("next is missing")
	case page.PollMore == nil:
		return nil, "", "", errors.New("poll_more is missing")
	case page.Results == nil:
		return nil, "", "", errors.New("results is missing")
	}

	for name, link := range map[string]struct {
		text json.RawMessage
		into *string
	}{"next": {page.Next, &next}, "poll_more": {page.PollMore, &pollMore}} {
		var text *string

		if err := exactjson.Unmarshal(link.text, &text); err != nil {
			return nil, "", "", fmt.Errorf("%s: %w", name, err)
		}

		if text == nil {
			continue
		}

		if *link.into = *text; *text == "" {
			return nil, "", "", fmt.Errorf("%s: it is empty", name)
		}
	}

	rows = make([]auditlog.Entry, 0, len(*page.Results))

	for _, raw := range *page.Results {
		e, err := plainEntry(raw)
		if err != nil {
			return nil, "", "", err
		}

		rows = append(rows, e)
	}

	return rows, next, pollMore, nil
}

// samePage fails when a page is not read as in the plain way.
func samePage(t *testing.T, body []byte, errorsToo bool) {
	t.Helper()

	before := bytes.Clone(body)
	rows, next, poll, err := cloudscale.DecodePage(body)
	wantRows, wantNext, wantPoll, wantErr := plainPage(body)

	switch {
	case !bytes.Equal(before, body):
		t.Errorf("reading changed %q", before)
	case (err == nil) != (wantErr == nil),
		errors.Is(err, exactjson.ErrSyntax) != errors.Is(wantErr, exactjson.ErrSyntax),
		errorsToo && err != nil && err.Error() != wantErr.Error():
		t.Errorf("%.300q: got %v, want %v", body, err, wantErr)
	case next != wantNext, poll != wantPoll:
		t.Errorf("%.300q: got %q and %q, want %q and %q", body, next, poll, wantNext, wantPoll)
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
	`null`, `""`, `7`, `-0`, `1e400`, `true`, `{}`, `[]`, `[{}]`, `{"user":{}}`, `{"user":null,"system":{}}`,
	`{"user":[]}`,
	`{"user":{"email":null},"admin":{}}`, `{"user":{"email":7}}`, `{"api_token":{"uuid":"x"}}`,
	`{"api_token":{"uuid":"x","description":null}}`,
	`{"system":{"x":1},"other":7}`, `{"system":"x"}`, `{"project":{"name":"n"},"organization":{"uuid":"u"}}`,
	`{"user":{"email":"\u00e9"}}`,
	`{"user":{},"user":{}}`, `"\ud800"`, "\"\xff\xfe\"", `"\u0000"`, `"a\"b"`, `"Server 'x' has been created"`,
	`"Server 'x\u0027s' has been created"`,
	`"2025-01-01T00:00:00Z"`, `"2025-01-01T00:00:00.123456789+02:00"`, `"2025-13-01T00:00:00Z"`,
	`"server_volume_power_on"`, `"SERVER-delete"`, ` " x " `,
	strings.Repeat("9", 400), `"` + strings.Repeat("x", 10_000) + `"`,
	strings.Repeat("[", 200) + strings.Repeat("]", 200),
	strings.Repeat("[", 100_000), `tru`, `"`, `"\x"`, `{"a":1,}`, `01`,
}

func TestPagesAreReadAsInThePlainWay(t *testing.T) {
	t.Parallel()

	for _, key := range []string{
		"ip_address", "action", "message", "timestamp", "actor", "subject", "other",
		"Action",
	} {
		for _, value := range hostileValues {
			fields := []string{
				`"ip_address":"192.0.2.1"`, `"action":"server_create"`, `"message":"m"`,
				`"timestamp":"2025-01-01T00:00:00Z"`, `"actor":{"system":{}}`, `"subject":{}`,
			}
			fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, `"`+key+`"`) })
			record := "{" + strings.Join(append(fields, `"`+key+`":`+value), ",") + "}"

			samePage(t, page(record), true)
			samePage(t, page(`{"action":"a_b","timestamp":"2025-01-01T00:00:00Z"}`, record), true)
		}
	}

	for _, value := range hostileValues {
		samePage(t, []byte(value), true)
		samePage(t, page(value), true)
		samePage(t, []byte(`{"next":null,"poll_more":null,"results":`+value+`}`), false)
		samePage(t, []byte(`{"poll_more":null,"results":[],"next":`+value+`}`), false)
		samePage(t, []byte(`{"next":null,"results":[],"poll_more":`+value+`}`), false)
	}

	for _, missing := range []string{
		`{"next":null,"poll_more":null}`, `{"next":null,"results":[]}`,
		`{"poll_more":"x","results":[]}`,
	} {
		samePage(t, []byte(missing), true)
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

	for records := range slices.Chunk(fake.CloudscaleRecords(), 10) {
		texts := make([]string, 0, len(records))
		for _, r := range records {
			texts = append(texts, string(r.Raw))
		}

		body := page(texts...)
		samePage(t, body, true)

		for damaged := range servicetest.Damaged(body, 10, random) {
			samePage(t, damaged, false)
		}
	}
}
