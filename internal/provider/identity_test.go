// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// An archive that was begun at one endpoint takes nothing from another one.
func TestAccArchive_otherEndpoint(t *testing.T) {
	t.Parallel()

	for _, service := range []string{"upcloud", "cloudscale"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 71})
			other := newWorld(t, fakeapi.Options{Entries: 60, NoExamples: true, Seed: 72})
			config := w.archive("  service = \"" + service + "\"")
			elsewhere := strings.NewReplacer(w.upcloud, other.upcloud, w.cloudscale, other.cloudscale).Replace(config)

			w.test(
				resource.TestStep{Config: config},
				resource.TestStep{
					PreConfig:   func() { w.later.Store(int64(time.Hour)) },
					Config:      elsewhere,
					ExpectError: diagnostic("Archive audit logs", "The archive is of another log than the one that is read now. …"),
				},
				resource.TestStep{Config: config},
			)
		})
	}
}

// An export that was made at one endpoint is not silent about another one, nor
// written again from there.
func TestAccExport_otherEndpoint(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 50, NoExamples: true, Seed: 73})
	other := newWorld(t, fakeapi.Options{Entries: 60, NoExamples: true, Seed: 74})
	config := w.exported("  service = \"upcloud\"\n  last = \"30d\"\n  format = \"ndjson\"")
	elsewhere := strings.ReplaceAll(config, w.upcloud, other.upcloud)
	refused := diagnostic("Export audit logs", "The export is of another log than the one that is read now. …")

	w.test(
		resource.TestStep{Config: config},
		resource.TestStep{Config: elsewhere, ExpectError: refused},
		resource.TestStep{Config: strings.Replace(elsewhere, "ndjson", "csv", 1), ExpectError: refused},
		resource.TestStep{Config: config},
	)
}

func (w *world) exported(more string) string {
	return w.config(fmt.Sprintf("resource \"audit_log_export\" \"test\" {\n  path = %q\n%s\n}", w.file("log"), more))
}
