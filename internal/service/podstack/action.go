// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"strings"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// OperationOf maps an action whatever its case and the signs between its words.
// An action that the table lacks is OperationOther.
func OperationOf(action string) auditlog.Operation {
	if op, ok := operations[squeeze(action)]; ok {
		return op
	}

	return auditlog.OperationOther
}

// KnowsAction says whether a table says what an action means.
func KnowsAction(action string) bool {
	_, ok := operations[squeeze(action)]

	return ok
}

// labelForm says what cells look like once they are trimmed.
func labelForm(value string) (form string, ok bool) {
	return "labels without spaces around them", strings.TrimSpace(value) == value
}

// operations has the actions of facts/audit-log-apis.md §3 and the same words in
// the tense of the others, since the console's labels are all that is known of them.
var operations = map[string]auditlog.Operation{
	"create": auditlog.OperationCreate, "created": auditlog.OperationCreate,
	"update": auditlog.OperationUpdate, "updated": auditlog.OperationUpdate,
	"delete": auditlog.OperationDelete, "deleted": auditlog.OperationDelete,
	"start": auditlog.OperationStart, "started": auditlog.OperationStart,
	"stop": auditlog.OperationStop, "stopped": auditlog.OperationStop,
	"restart": auditlog.OperationRestart, "restarted": auditlog.OperationRestart,

	"login":  auditlog.OperationLogin,
	"logout": auditlog.OperationLogout,
	// The documentation asks to watch for failed logins, yet lists no such action.
	"loginfailed": auditlog.OperationLoginFailed,
	"failedlogin": auditlog.OperationLoginFailed,

	// A token is made like any other thing; to withdraw it changes who may do what.
	"tokencreated": auditlog.OperationCreate, "apitokencreated": auditlog.OperationCreate,
	"tokenrevoked": auditlog.OperationRevoke, "apitokenrevoked": auditlog.OperationRevoke,
	"sshkeyadded":   auditlog.OperationCreate,
	"sshkeydeleted": auditlog.OperationDelete,

	"invitesent": auditlog.OperationInvite,
	// Only now does the person have access.
	"inviteaccepted":     auditlog.OperationGrant,
	"memberremoved":      auditlog.OperationRevoke,
	"permissionschanged": auditlog.OperationGrant,
}

// squeeze leaves the letters and digits of a label, in lower case.
func squeeze(label string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}

		return unicode.ToLower(r)
	}, label)
}
