// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// TestVerbsMeanOneThing: no word stands under two operations, which would make its
// meaning a matter of chance, and every word is spelled as it is looked up.
func TestVerbsMeanOneThing(t *testing.T) {
	t.Parallel()

	total := 0
	for _, words := range auditlog.VerbLists {
		total += len(strings.Fields(words))
	}

	if total != len(auditlog.Verbs) {
		t.Errorf("%d words make %d", total, len(auditlog.Verbs))
	}

	for word := range auditlog.Verbs {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" || auditlog.Doubtful(word) {
			t.Errorf("%q is never found", word)
		}
	}
}

func TestLastVerb(t *testing.T) {
	t.Parallel()

	own := map[string]auditlog.Operation{"loginfailed": auditlog.OperationLoginFailed, "delete": auditlog.OperationRevoke}

	for words, want := range map[string]struct {
		op auditlog.Operation
		n  int
	}{
		"": {}, "server": {}, "server create": {auditlog.OperationCreate, 1}, "create": {auditlog.OperationCreate, 1},
		"power on": {auditlog.OperationStart, 2}, "server power on": {auditlog.OperationStart, 2},
		"user login failed": {auditlog.OperationLoginFailed, 2},
		"delete":            {auditlog.OperationRevoke, 1}, "failed create": {},
		"failed server create": {auditlog.OperationCreate, 1},
		"removal stopped":      {}, "removal of server stopped": {}, "server stopped": {auditlog.OperationStop, 1},
		"copy removed": {auditlog.OperationDelete, 1},
	} {
		if op, n := auditlog.LastVerb(strings.Fields(words), own, auditlog.Verbs); op != want.op || n != want.n {
			t.Errorf("%q ends with %q of %d words", words, op, n)
		}
	}
}

// TestLastVerb_emptyWords: two signs in a row are not a part of a verb.
func TestLastVerb_emptyWords(t *testing.T) {
	t.Parallel()

	for action, want := range map[string]int{"create_": 0, "_": 0, "_create": 1, "server__create": 1, "power__on": 0} {
		if _, n := auditlog.LastVerb(strings.Split(action, "_"), auditlog.Verbs); n != want {
			t.Errorf("%q ends with a verb of %d words", action, n)
		}
	}
}

func TestOperationsIn(t *testing.T) {
	t.Parallel()

	one := map[string]auditlog.Operation{"x": auditlog.OperationDelete}
	two := map[string]auditlog.Operation{"y": auditlog.OperationCreate, "z": auditlog.OperationDelete}

	if diff := cmp.Diff([]auditlog.Operation{"create", "delete", "other"}, auditlog.OperationsIn(one, two)); diff != "" {
		t.Error(diff)
	}

	// Which clouds record failed logins is for their own tables to say.
	if slices.Contains(auditlog.OperationsIn(auditlog.Verbs), auditlog.OperationLoginFailed) {
		t.Error("a word alone means a failed login")
	}
}

// TestUnknownAction_olderTable: an entry that was kept when no table had its action
// is not found by what the action means now, so it counts as unknown.
func TestUnknownAction_olderTable(t *testing.T) {
	t.Parallel()

	info := auditlog.Info{
		KnowsAction: func(action string) bool { return action != "frobnicate" },
		OperationOf: func(action string) auditlog.Operation {
			return map[string]auditlog.Operation{
				"destroy":           auditlog.OperationDelete,
				"maintenance-start": auditlog.OperationOther,
			}[action]
		},
	}

	for e, want := range map[[2]string]bool{
		{"destroy", "other"}: true, {"destroy", "delete"}: false, {"maintenance-start", "other"}: false,
		{"frobnicate", "other"}: true,
	} {
		if got := info.UnknownAction(&auditlog.Entry{Action: e[0], Operation: auditlog.Operation(e[1])}); got != want {
			t.Errorf("%v is unknown: %v", e, got)
		}
	}
}
