// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// OperationOf maps an action whatever its case and the signs between its words.
// An action that is not known for certain is OperationOther.
func OperationOf(action string) auditlog.Operation {
	if op, ok := lookUp(action); ok {
		return op
	}

	return auditlog.OperationOther
}

// labelForm says what cells look like once they are trimmed.
func labelForm(value string) (form string, ok bool) {
	return "labels without spaces around them", strings.TrimSpace(value) == value
}

// KnowsAction says whether it is known for certain what an action means.
func KnowsAction(action string) bool {
	_, ok := lookUp(action)

	return ok
}

// lookUp takes a whole label first, then the verb at one of its ends: PodStack
// writes "SSH Key Deleted", and other programs "delete_server" or "ServerDelete".
func lookUp(action string) (auditlog.Operation, bool) {
	if op, ok := operations[squeeze(action)]; ok {
		return op, true
	}

	words := wordsOf(action)
	last, atEnd := auditlog.LastVerb(words, operations, auditlog.Verbs)
	first, atBegin := firstVerb(words)

	op := last
	if atEnd == 0 {
		op = first
	}

	if atEnd == 0 && atBegin == 0 || atEnd > 0 && atBegin > 0 && first != last {
		return "", false
	}

	return aboutAccess(op, words)
}

// firstVerb returns what the verb at the beginning means, and of how many words it
// is made. It counts as none where a word behind it leaves open whether it was
// done, as every other participle at the end does: "Delete Protection Enabled".
func firstVerb(words []string) (auditlog.Operation, int) {
	for n := min(2, len(words)); n > 0; n-- {
		op, found := auditlog.LastVerb(words[:n], operations, auditlog.Verbs)
		if found < n {
			continue
		}

		_, known := auditlog.LastVerb(words, operations, auditlog.Verbs)
		if slices.ContainsFunc(words[n:], auditlog.Doubtful) || known == 0 && strings.HasSuffix(words[len(words)-1], "ed") {
			return "", 0
		}

		return op, n
	}

	return "", 0
}

// access has the nouns that speak of who may do what, and what their verbs mean
// then. Of a role, say, it is not certain whether anybody had it.
var access = map[string]map[auditlog.Operation]auditlog.Operation{
	"member": {auditlog.OperationCreate: auditlog.OperationGrant, auditlog.OperationDelete: auditlog.OperationRevoke},
	"permission": {
		auditlog.OperationCreate: auditlog.OperationGrant, auditlog.OperationUpdate: auditlog.OperationGrant,
		auditlog.OperationDelete: auditlog.OperationRevoke,
	},
	"access": {}, "collaborator": {}, "membership": {}, "owner": {}, "ownership": {}, "privilege": {}, "role": {},
}

// aboutAccess corrects what a verb means beside a noun that speaks of who may do
// what.
func aboutAccess(op auditlog.Operation, words []string) (auditlog.Operation, bool) {
	for i, word := range words {
		meant, ok := access[strings.TrimSuffix(word, "s")]
		if word == "access" {
			meant, ok = access[word]
			ok = ok && (i+1 == len(words) || words[i+1] != "key" && words[i+1] != "token")
		}

		if !ok ||
			slices.Contains([]auditlog.Operation{auditlog.OperationGrant, auditlog.OperationRevoke, auditlog.OperationRead},
				op) {
			continue
		}

		op, ok = meant[op]

		return op, ok
	}

	return op, true
}

// humps are where the letters of a label grow: behind a small letter or a digit, and at
// the last of several capitals before a small letter.
var humps = []*regexp.Regexp{
	regexp.MustCompile(`([\p{Ll}\p{Nd}])(\p{Lu})`), regexp.MustCompile(`(\p{Lu})(\p{Lu}\p{Ll})`),
}

// wordsOf splits a label at its signs and where its letters grow, in lower case:
// "SSHKeyDeleted" is ssh, key and deleted.
func wordsOf(label string) []string {
	for _, hump := range humps {
		label = hump.ReplaceAllString(label, "$1 $2")
	}

	return strings.FieldsFunc(strings.ToLower(label),
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// operations has the actions of design/api-facts.md §3 that are more than a
// verb. The console's labels are all that is known of them.
var operations = map[string]auditlog.Operation{
	// The documentation asks to watch for failed logins, yet lists no such action.
	"loginfailed": auditlog.OperationLoginFailed, "failedlogin": auditlog.OperationLoginFailed,
	"loginfailure": auditlog.OperationLoginFailed,
	"signinfailed": auditlog.OperationLoginFailed, "failedsignin": auditlog.OperationLoginFailed,
	"signinfailure": auditlog.OperationLoginFailed,

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
	}, auditlog.Normal(label))
}
