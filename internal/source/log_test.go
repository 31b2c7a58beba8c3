// SPDX-License-Identifier: MPL-2.0

package source_test

import (
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// TestEveryCloudIsKnown: of each cloud there is what is known of it without asking, and conditions may name it.
func TestEveryCloudIsKnown(t *testing.T) {
	t.Parallel()

	for _, name := range auditlog.Clouds() {
		if info, ok := source.InfoOf(name); !ok || info.Name != name || info.Title == "" || info.Retention == 0 {
			t.Errorf("%s: %+v", name, info)
		}

		if _, err := where.Compile("entry.service == '" + name + "'"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	if _, ok := source.InfoOf("nimbus"); ok {
		t.Error("a cloud that does not exist is known")
	}
}
