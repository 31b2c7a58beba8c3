// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestVerifyNoticesAnotherBeginning: once there are manifests, the checkpoint of the empty
// log still has to have the root of nothing and the start that the manifests say.
func TestVerifyNoticesAnotherBeginning(t *testing.T) {
	t.Parallel()

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.mustApply(w.options(store))
	w.happen(5, w.now)
	w.now = w.now.Add(50 * time.Hour)
	w.mustApply(w.options(store))

	good := string(store.objects["checkpoints/00000000"])

	for name, change := range map[string][2]string{
		"another root":  {"47DEQpj8", "57DEQpj8"},
		"another start": {"covered 2025-12-02", "covered 2025-11-02"},
		"another end":   {" 2025-12-31", " 2026-12-31"},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed in %q", name, good)
		}

		store.objects["checkpoints/00000000"] = []byte(bad)

		report, err := archive.Verify(t.Context(), store, archive.VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}

		if len(report.Problems) == 0 {
			t.Errorf("%s: the verifier finds nothing", name)
		}
	}
}
