// SPDX-License-Identifier: MPL-2.0

package auditlog

import "slices"

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

// OperationsIn returns the operations that a service's table maps to, and
// OperationOther.
func OperationsIn(table map[string]Operation) []Operation {
	return slices.DeleteFunc(Operations(), func(op Operation) bool {
		if op == OperationOther {
			return false
		}

		for _, mapped := range table {
			if mapped == op {
				return false
			}
		}

		return true
	})
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
