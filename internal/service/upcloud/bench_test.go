// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// BenchmarkRead reads a log of 100,000 entries by pages and by the export, whose body is
// made once. Both name what it costs to read an entry.
func BenchmarkRead(b *testing.B) {
	const n = 100_000

	for order, name := range map[fakeapi.Order]string{
		fakeapi.NewestFirst: "newest first", fakeapi.OldestFirst: "oldest first",
	} {
		fake, err := fakeapi.New(fakeapi.Options{Entries: n, NoExamples: true, UpCloudOrder: order})
		if err != nil {
			b.Fatal(err)
		}

		r := httptest.NewRequest(http.MethodGet, "/1.3/audit-logs/export?format=json", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+fakeapi.DefaultToken)

		export := httptest.NewRecorder()
		fake.UpCloud().ServeHTTP(export, r)

		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/1.3/audit-logs/export" {
				fake.UpCloud().ServeHTTP(w, r)

				return
			}

			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(export.Body.Bytes())
		})
		service := func(strategy upcloud.Strategy) auditlog.Service {
			return upcloud.New(servicetest.Client(b, api, func(o *client.Options) { o.MaxConcurrency = 8 }),
				fakeapi.DefaultNow, 0).WithStrategy(strategy)
		}

		for _, strategy := range []upcloud.Strategy{upcloud.StrategyStream, upcloud.StrategyPages} {
			b.Run(string(strategy)+"/"+name, func(b *testing.B) {
				s := service(strategy)

				b.ReportAllocs()

				for b.Loop() {
					var (
						c     auditlog.Completeness
						found int
					)

					for _, err := range s.Read(b.Context(), auditlog.Query{Window: servicetest.Month()}, &c) {
						if err != nil {
							b.Fatal(err)
						}

						found++
					}

					if found != n || c.Proof == "" || c.SecondPass {
						b.Fatalf("%d entries, %+v", found, c)
					}
				}

				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
			})
		}
	}
}
