// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
)

// TestReadPutsInOrder what is out of order by up to a minute, ties across that margin
// included. What is further out of order comes late, and what lies beyond the window is
// nobody's concern.
func TestReadPutsInOrder(t *testing.T) {
	t.Parallel()

	at := fakeapi.DefaultNow().Add(-2 * time.Hour)
	end := at.Add(time.Hour)

	for name, tt := range map[string]struct {
		log  []time.Duration
		late bool
	}{
		"in order":             {[]time.Duration{0, 0, time.Second, time.Minute}, false},
		"by milliseconds":      {[]time.Duration{time.Second, time.Second - 1000, 0, 2 * time.Second}, false},
		"by a minute":          {[]time.Duration{0, time.Minute, 0, 30 * time.Second, 2 * time.Minute, time.Minute}, false},
		"by more":              {[]time.Duration{0, time.Minute + time.Microsecond, 0}, true},
		"by more, much later":  {[]time.Duration{0, time.Minute, 20 * time.Minute, 30 * time.Minute, 10 * time.Minute}, true},
		"beyond, and then not": {[]time.Duration{0, time.Minute, time.Hour + 4*time.Second, 2 * time.Minute}, false},
	} {
		for _, size := range []int{1, 2, 200} {
			var records []fakeapi.CloudscaleRecord
			for i, d := range tt.log {
				records = append(records, record(i, at.Add(d)))
			}

			s := serve(t, fakeapi.Options{CloudscalePageSize: size, CloudscaleEnd: fakeapi.EndFirstPage}, records...)
			w := auditlog.Window{Start: at, End: end}

			entries, c, err := servicetest.Read(t.Context(), s.service, auditlog.Query{Window: w})
			if err != nil || c.Proof == "" || len(entries) != len(s.within(w)) {
				t.Fatalf("%s, %d a page: %d entries, %v", name, size, len(entries), err)
			}

			if !tt.late {
				inOrder(t, entries)
			}
		}
	}
}
