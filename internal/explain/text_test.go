// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"testing"
)

func TestTextsAreInAFrontEndsWords(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		text             Text
		terraform, flags string
	}{
		{
			"Raise {max_retries}{ in the provider configuration}.", "Raise max_retries in the provider configuration.",
			"Raise --max-retries.",
		},
		{"Set {overwrite = true}.", "Set overwrite = true.", "Set --overwrite."},
		{Textf("Set {accept_gap_after = %d}.", 7), "Set accept_gap_after = 7.", "Set --accept-gap-after=7."},
		{Textf("Set {account = %q}.", "a{b}"), `Set account = "a{b}".`, ""},
		{"Give {{ size = 10 }}, or {{}}.", "Give { size = 10 }, or {}.", "Give { size = 10 }, or {}."},
		{"It is " + Plain("{settle_delay} } {"), "It is {settle_delay} } {", "It is {settle_delay} } {"},
	} {
		if got := tt.text.In(Terraform); got != tt.terraform {
			t.Errorf("%q: got %q", tt.text, got)
		}

		if got := tt.text.In(Flags); got != tt.flags && tt.flags != "" {
			t.Errorf("%q: got %q", tt.text, got)
		}
	}
}
