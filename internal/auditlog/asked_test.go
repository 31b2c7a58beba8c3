// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestNothingConfirmsValuesOfWhichNothingIsSaid: a service that forgets to say what its actions are must not let a typo
// in one prove that nothing happened.
func TestNothingConfirmsValuesOfWhichNothingIsSaid(t *testing.T) {
	t.Parallel()

	info := auditlog.Info{Name: "new", NeverRecorded: []string{auditlog.FieldOrigin}}
	asked := auditlog.Query{
		Actions: []string{"delte"}, ResourceTypes: []string{"sever"}, Origins: []string{"gui"},
	}.Asked()
	asked = append(asked, auditlog.Asked{Argument: "where", Field: "actor", Value: "alice", Expectation: -1, Index: -1})

	unknown, unconfirmed, err := auditlog.CheckValues(info, asked, nil)
	if err != nil || len(unknown) > 0 {
		t.Fatal(unknown, err)
	}

	var got []string
	for i := range unconfirmed {
		got = append(got, unconfirmed[i].String())
	}

	// What is never recorded is refused elsewhere, and anybody may be called anything.
	if len(got) != 2 || got[0] != "actions: delte" || got[1] != "resource_types: sever" {
		t.Errorf("got %q", got)
	}
}
