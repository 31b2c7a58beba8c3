// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// TestSamples writes archives for other programs to read, as the test of that name in
// the package export does with files: of two services, one of them with two days, and
// a last segment with an entry that came late.
func TestSamples(t *testing.T) {
	t.Parallel()

	dir := os.Getenv("EXPORT_SAMPLES")
	if dir == "" {
		t.Skip("nobody asks for samples")
	}

	for _, kind := range []format.Format{format.Parquet, format.NDJSON} {
		for _, service := range []string{auditlog.ServiceUpCloud, auditlog.ServiceCloudscale} {
			store, err := durable.OpenStore(t.Context(), filepath.Join(dir, "archive", string(kind), service),
				durable.StoreOptions{})
			if err != nil {
				t.Fatal(err)
			}

			w := newWorld(t, service, 1)
			run := func(now time.Time) {
				w.now = now
				o := w.options(store)
				o.Format, o.Compression = kind, kind.DefaultCompression()
				w.mustApply(o)
			}

			if service == auditlog.ServiceUpCloud {
				w.happen(1, begin.Add(23*time.Hour))
				run(begin.Add(24*time.Hour + 30*time.Minute))
				w.happen(998, begin.Add(36*time.Hour))
				run(begin.Add(47 * time.Hour))
				w.happen(1, begin.Add(47*time.Hour-5*time.Minute))
			} else {
				w.happen(8, begin.Add(36*time.Hour))
			}

			run(begin.Add(47*time.Hour + 30*time.Minute))
		}
	}
}
