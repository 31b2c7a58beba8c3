// SPDX-License-Identifier: MPL-2.0

package source_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// TestStrategyReachesTheService: UpCloud is read by the export where the configuration says
// so, and by default only where there is much to read.
func TestStrategyReachesTheService(t *testing.T) {
	t.Parallel()

	fake, err := fakeapi.New(fakeapi.Options{Entries: 300, NoExamples: true})
	if err != nil {
		t.Fatal(err)
	}

	s := httptest.NewServer(fake.UpCloud())
	t.Cleanup(s.Close)

	token, now := fakeapi.DefaultToken, fakeapi.DefaultNow()

	for strategy, want := range map[string]int{"": 0, "auto": 0, "pages": 0, "stream": 1} {
		sources := source.Configure(source.Config{
			UpCloud: &source.UpCloud{Token: &token, Endpoint: s.URL, Strategy: strategy},
		}, source.Options{
			Tool: "test", Clock: func() time.Time { return now }, LookupEnv: func(string) (string, bool) { return "", false },
		})

		service, wrong, _ := sources.Service("", auditlog.ServiceUpCloud)
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}

		fake.ResetRequests()

		found := 0
		_, err := auditlog.ReadAll(t.Context(), service, auditlog.Query{
			Window: auditlog.Window{Start: now.Add(-31 * 24 * time.Hour), End: now},
		}, func(*auditlog.Entry) error {
			found++

			return nil
		})
		if err != nil || found != 300 {
			t.Fatalf("%s: %d entries, %v", strategy, found, err)
		}

		exports := 0

		for _, r := range fake.Requests() {
			if strings.HasSuffix(r.Path, "/export") {
				exports++
			}
		}

		if exports != want {
			t.Errorf("%q: %d exports, want %d", strategy, exports, want)
		}
	}
}
