// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestIdentify: the account is asked for once, and what cannot be found out is no
// error.
func TestIdentify(t *testing.T) {
	t.Parallel()

	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}

	for name, tt := range map[string]struct {
		label  string
		answer http.HandlerFunc
		want   string
		asked  int64
	}{
		"a user name": {
			"", answer(200, `{"account":{"username":"mia","credits":1.5,"resource_limits":{}}}`), "mia",
			1,
		},
		"a name of the user": {"team", answer(200, `{"account":{"username":"mia"}}`), "team", 0},
		"forbidden":          {"", answer(403, `{"error":{"error_code":"FORBIDDEN","error_message":"x"}}`), "", 1},
		"not authorized":     {"", answer(401, `{}`), "", 1},
		"no such path":       {"", answer(404, `{}`), "", 1},
		"out of order":       {"", answer(503, ``), "", 1},
		"another shape":      {"", answer(200, `{"audit_logs":[]}`), "", 1},
		"another type":       {"", answer(200, `{"account":{"username":7}}`), "", 1},
		"a key twice":        {"", answer(200, `{"account":{"username":"mia","username":"eve"}}`), "", 1},
		"another case":       {"", answer(200, `{"account":{"username":"","UserName":"eve"},"Account":{"username":"eve"}}`), "", 1},
		"no user name":       {"", answer(200, `{"account":{"credits":1}}`), "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var asked atomic.Int64

			c := servicetest.Client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)

				if r.URL.RequestURI() != "/1.3/account" {
					t.Errorf("asked for %s", r.URL)
				}

				tt.answer(w, r)
			}))
			s := upcloud.New(c, fakeapi.DefaultNow, 0).ForAccount(tt.label)
			want := auditlog.Source{Service: "upcloud", Endpoint: c.Origin(), Account: tt.want}

			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if got := s.Identify(client.Once(t.Context())); got != want {
						t.Errorf("got %+v", got)
					}
				})
			}

			all.Wait()

			if asked.Load() != tt.asked {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

// TestIdentifyAfterGivingUp: who stopped waiting has found out nothing.
func TestIdentifyAfterGivingUp(t *testing.T) {
	t.Parallel()

	fake, s := newFake(t, fakeapi.Options{NoExamples: true})
	s.ForAccount("")

	stopped, cancel := context.WithCancel(t.Context())
	cancel()

	if got := s.Identify(stopped); got.Account != "" {
		t.Errorf("got %+v", got)
	}

	if got := s.Identify(t.Context()); got.Account != fakeapi.DefaultUsername || len(fake.Requests()) != 1 {
		t.Errorf("got %+v after %d requests", got, len(fake.Requests()))
	}
}

func TestReadSaysWhoseLogItIs(t *testing.T) {
	t.Parallel()

	_, s := newFake(t, fakeapi.Options{NoExamples: true, Entries: 10, Account: "main"})
	s.ForAccount("")

	for range 2 {
		entries, c, err := servicetest.Read(t.Context(), s, auditlog.Query{Window: servicetest.Month()})
		if err != nil || len(entries) != 10 || c.Source.Account != "main" {
			t.Fatalf("got %d entries of %+v, %v", len(entries), c.Source, err)
		}

		for _, e := range entries {
			if e.Account != "main" || e.Endpoint != s.Info().Source.Endpoint {
				t.Errorf("got %q at %q", e.Account, e.Endpoint)
			}
		}
	}
}
