// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"slices"
	"strings"
)

// Operation is an action in the vocabulary shared by every cloud.
type Operation string

// The operations. Grant is any change to who may do what; Other is every action
// that no table maps, so that a new action of a cloud is never an error.
const (
	OperationCreate      Operation = "create"
	OperationRead        Operation = "read"
	OperationUpdate      Operation = "update"
	OperationDelete      Operation = "delete"
	OperationStart       Operation = "start"
	OperationStop        Operation = "stop"
	OperationRestart     Operation = "restart"
	OperationAttach      Operation = "attach"
	OperationDetach      Operation = "detach"
	OperationLogin       Operation = "login"
	OperationLoginFailed Operation = "login_failed"
	OperationLogout      Operation = "logout"
	OperationGrant       Operation = "grant"
	OperationRevoke      Operation = "revoke"
	OperationInvite      Operation = "invite"
	OperationExport      Operation = "export"
	OperationOther       Operation = "other"
)

// Operations lists the whole vocabulary.
func Operations() []Operation {
	return []Operation{
		OperationCreate, OperationRead, OperationUpdate, OperationDelete,
		OperationStart, OperationStop, OperationRestart, OperationAttach, OperationDetach,
		OperationLogin, OperationLoginFailed, OperationLogout,
		OperationGrant, OperationRevoke, OperationInvite, OperationExport, OperationOther,
	}
}

// Verbs has the words that clouds use for what was done, in lower case and without
// signs: the base form, the past tense and the noun. A word is here only if it
// means the same wherever it stands. One that is missing is reported as unknown,
// which is safe; one that is wrong would hide what happened. Failed logins are not
// here, since not every cloud is known to record them.
var Verbs = func() map[string]Operation {
	all := map[string]Operation{}

	for op, words := range verbLists {
		for word := range strings.FieldsSeq(words) {
			all[word] = op
		}
	}

	return all
}()

var verbLists = map[Operation]string{
	OperationCreate: `create created creation add added addition clone cloned copy copied duplicate duplicated provision provisioned
		allocate allocated allocation generate generated generation register registered registration launch launched`,
	OperationRead: "read get list listed view viewed show shown describe described fetch fetched retrieve retrieved download downloaded",
	OperationUpdate: `update updated modify modified modification change changed edit edited alter altered rename renamed resize resized
		configure configured reconfigure reconfigured patch patched scale scaled rescale rescaled upgrade upgraded downgrade downgraded`,
	OperationDelete: `delete deleted deletion destroy destroyed destruction remove removed removal terminate terminated termination
		purge purged release released deprovision deprovisioned unprovision unprovisioned
		erase erased erasure wipe wiped drop dropped
		deallocate deallocated deallocation unregister unregistered deregister deregistered deregistration
		decommission decommissioned discard discarded prune pruned expunge expunged`,
	OperationStart: "start started boot booted resume resumed unpause unpaused poweron poweredon bootup startup",
	OperationStop: `stop stopped shutdown pause paused suspend suspended suspension halt halted hibernate hibernated
		poweroff poweredoff powerdown powereddown`,
	OperationRestart: "restart restarted reboot rebooted powercycle powercycled",
	OperationAttach:  "attach attached attachment mount mounted connect connected associate associated association",
	OperationDetach: `detach detached detachment unmount unmounted umount umounted disconnect disconnected
		disassociate disassociated disassociation dissociate dissociated`,
	OperationLogin:  "login loggedin signin signedin logon loggedon signon signedon",
	OperationLogout: "logout loggedout signout signedout logoff loggedoff signoff signedoff",
	OperationGrant:  "grant granted share shared authorize authorized authorise authorised",
	OperationRevoke: "revoke revoked revocation unshare unshared deauthorize deauthorized deauthorise deauthorised",
	OperationInvite: "invite invited invitation",
	OperationExport: "export exported",
}

// doubtful are words that leave open whether anything was done.
var doubtful = strings.Fields(`failed failure error denied rejected refused cancelled canceled cancel aborted abort attempt attempted
	requested scheduled planned pending prevented blocked skipped undo not cannot`)

// Doubtful says whether a word, in lower case, leaves open whether what it stands
// beside was done at all.
func Doubtful(word string) bool { return slices.Contains(doubtful, word) }

// LastVerb returns what the verb at the end of the words means by the first table
// that has it, and of how many words it is made, such as two of "server power on";
// none where there is no verb. A verb counts as none where the word before it
// leaves open whether it was done ("failed delete"), and so do the start and the
// stop of what another verb says ("deletion started").
func LastVerb(words []string, tables ...map[string]Operation) (op Operation, n int) {
	for n = min(2, len(words)); n > 0; n-- {
		before, end := words[:len(words)-n], words[len(words)-n:]
		if slices.Contains(end, "") {
			continue
		}

		verb := strings.Join(end, "")

		for _, table := range tables {
			op, ok := table[verb]
			if !ok {
				continue
			}

			phase := op == OperationStart || op == OperationStop || op == OperationRestart
			if len(before) > 0 && Doubtful(before[len(before)-1]) || phase && slices.ContainsFunc(before, isVerb) {
				return "", 0
			}

			return op, n
		}
	}

	return "", 0
}

func isVerb(word string) bool {
	_, ok := Verbs[word]

	return ok
}

// OperationsIn returns the operations that a service's tables map to, and
// OperationOther.
func OperationsIn(tables ...map[string]Operation) []Operation {
	in := map[Operation]bool{OperationOther: true}

	for _, table := range tables {
		for _, op := range table {
			in[op] = true
		}
	}

	return slices.DeleteFunc(Operations(), func(op Operation) bool { return !in[op] })
}

// OperationsOf returns the sorted operations that the actions mean by the given
// mapping, each once.
func OperationsOf(actions []string, operationOf func(action string) Operation) []string {
	ops := make([]string, 0, len(actions))
	for _, a := range actions {
		ops = append(ops, string(operationOf(a)))
	}

	slices.Sort(ops)

	return slices.Compact(ops)
}
