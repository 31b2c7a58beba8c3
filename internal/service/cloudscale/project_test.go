// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

// of returns a record of a project, or of none.
func of(project string, minutes int) fakeapi.CloudscaleRecord {
	r := fakeapi.CloudscaleRecord{
		Timestamp: fakeapi.DefaultNow().Add(time.Duration(minutes-600) * time.Minute), Action: "server_create", Message: "x",
		Actor: fakeapi.CloudscaleActor{System: &struct{}{}},
	}
	if project != "" {
		r.Subject = &fakeapi.CloudscaleSubject{Project: &fakeapi.CloudscaleProject{UUID: project, Name: "P"}}
	}

	return r
}

func TestReadSaysWhoseLogItIs(t *testing.T) {
	t.Parallel()

	o := fakeapi.Options{CloudscalePageSize: 2}
	records := []fakeapi.CloudscaleRecord{of("", 0), of("", 2), of("", 4), of("p-1", 6), of("", 8), of("", 10)}

	s := serve(t, o, records...)
	entries, c := s.read(t, servicetest.Month())

	var accounts []string
	for _, e := range entries {
		accounts = append(accounts, e.Account)
	}

	// A page at a time, from the first that names the project on, and what waits for its
	// turn then.
	if got := strings.Join(accounts, ","); got != ",p-1,p-1,p-1,p-1,p-1" || c.Source.Account != "p-1" ||
		c.Source.Endpoint != s.client.Origin() {
		t.Errorf("got %s of %+v", got, c.Source)
	}

	s = serve(t, o, records...)
	s.service.ForAccount("team")

	for _, e := range first(s.read(t, servicetest.Month())) {
		if e.Account != "team" {
			t.Errorf("got %q", e.Account)
		}
	}
}

// A token belongs to one project, so the records of two are no log that could be
// trusted, whichever of them the query asks for and whatever the account is called.
func TestReadRefusesTwoProjects(t *testing.T) {
	t.Parallel()

	for _, label := range []string{"", "team"} {
		s := serve(t, fakeapi.Options{CloudscalePageSize: 2}, of("p-1", 0), of("", 1), of("", 2), of("p-2", 3))
		s.service.ForAccount(label)

		entries, _, err := servicetest.Read(t.Context(), s.service,
			auditlog.Query{Window: servicetest.Month(), Actions: []string{"none"}})

		apiErr := (*client.Error)(nil)
		if !errors.As(err, &apiErr) || apiErr.Kind != client.KindShape || apiErr.Page != 2 || len(entries) > 0 ||
			!strings.Contains(err.Error(), `a token belongs to one project, and the records are of two, "p-1" and "p-2"`) {
			t.Errorf("%q: got %d entries and %v", label, len(entries), err)
		}
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		records []fakeapi.CloudscaleRecord
		label   string
		want    string
		asked   int
	}{
		"a project": {[]fakeapi.CloudscaleRecord{of("", 0), of("p-1", 1)}, "", "p-1", 1},
		"none":      {[]fakeapi.CloudscaleRecord{of("", 0)}, "", "", 1},
		"no record": {nil, "", "", 1},
		"a name":    {[]fakeapi.CloudscaleRecord{of("p-1", 1)}, "team", "team", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := serve(t, fakeapi.Options{}, tt.records...)
			s.service.ForAccount(tt.label)

			for range 2 {
				if got := s.service.Identify(t.Context()); got.Account != tt.want || got.Endpoint != s.client.Origin() {
					t.Errorf("got %+v", got)
				}
			}

			if n := len(s.fake.Requests()); n != tt.asked {
				t.Errorf("asked %d times", n)
			}
		})
	}

	// What a reading has shown need not be asked for.
	s := serve(t, fakeapi.Options{}, of("p-1", 1))
	s.read(t, servicetest.Month())

	if got := s.service.Identify(t.Context()); got.Account != "p-1" || len(s.fake.Requests()) != 1 {
		t.Errorf("got %+v after %d requests", got, len(s.fake.Requests()))
	}
}
