// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
)

// TestTimesOfAVerificationAreScreened: of an archive that is altered, they can be any text.
func TestTimesOfAVerificationAreScreened(t *testing.T) {
	t.Parallel()

	var m verificationModel

	m.set(&archive.Report{FirstTime: "\x1b[2J", LastTime: "\x1b[2J"})

	for _, text := range []string{m.FirstTime.ValueString(), m.LastTime.ValueString()} {
		if text == "" || strings.Contains(text, "\x1b") {
			t.Errorf("a terminal would obey %q", text)
		}
	}
}
