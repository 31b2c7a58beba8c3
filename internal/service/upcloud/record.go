// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// originInternal marks what UpCloud's own services did.
const originInternal = "upcloud_internal"

// entryOf maps an event that is the whole text.
func entryOf(raw json.RawMessage) (e auditlog.Entry, err error) {
	err = exactjson.Read(raw, func(r *exactjson.Reader) { e = readEntry(r) })

	return e, err
}

// readEntry maps an event as the specification describes it. Optional fields may be
// absent, null or empty; which one the service uses is not documented, so all three mean
// "not recorded".
func readEntry(r *exactjson.Reader) auditlog.Entry {
	e := auditlog.Entry{Service: auditlog.ServiceUpCloud}

	e.Raw = r.Raw(func() {
		var (
			at              string
			previous, state exactjson.Node
		)

		for key := range r.Members() {
			switch string(key) {
			case "time":
				at = r.Text()
			case "auth_type":
				e.AuthType = r.Word()
			case "cloud_event_id":
				e.ID = r.Text()
			case "upcloud_correlation_id":
				e.CorrelationID = r.Text()
			case "resource_type":
				e.ResourceType = r.Word()
			case "action":
				e.Action = r.Word()
			case "origin":
				e.Origin = r.Word()
			case "account_username":
				e.Actor = r.Word()
			case "ip_address":
				e.IPAddress = r.Word()
			case "resource_id":
				e.ResourceID = r.Word()
			case "current_state":
				state = r.Node()
			case "previous_state":
				previous = r.Node()
			}
		}

		if e.ID == "" || e.Action == "" {
			r.Fail(errors.New("an event lacks its cloud_event_id or its action"))
		}

		parsed, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			r.Fail(errors.New("the time of an event is not RFC 3339"))
		}

		e.Time = parsed.UTC()

		if e.Changes, err = auditlog.ChangesOf(previous, state); err != nil {
			r.Fail(fmt.Errorf("the state in an event cannot be read: %w", err))
		}
	})

	switch e.Operation, e.ActorType = OperationOf(e.Action), auditlog.ActorUser; {
	case e.Origin == originInternal:
		e.ActorType = auditlog.ActorSystem
	case e.Actor == "":
		e.ActorType = auditlog.ActorUnknown
	}

	return e
}

// coherent says whether one entry can have all the values that are known: the kind
// of an actor comes of the origin and the name.
func coherent(known auditlog.Known) bool {
	kind, ok := known("actor_type")
	origin, _ := known(auditlog.FieldOrigin)
	name, named := known("actor")

	switch {
	case !ok:
		return true
	case auditlog.ActorType(kind) == auditlog.ActorSystem:
		return known.Can(auditlog.FieldOrigin, originInternal)
	case origin == originInternal:
		return false
	case auditlog.ActorType(kind) == auditlog.ActorUnknown:
		return known.Can("actor", "")
	default:
		return !named || name != ""
	}
}

// OperationOf maps an action. Actions are an open set: one that no table has is
// OperationOther.
func OperationOf(action string) auditlog.Operation {
	op, _ := lookUp(action)

	return op
}

// KnowsAction says whether a table has the action.
func KnowsAction(action string) bool {
	_, known := lookUp(action)

	return known
}

// lookUp takes an action that is not documented for the word that it is.
func lookUp(action string) (auditlog.Operation, bool) {
	if op, ok := operations[action]; ok {
		return op, true
	}

	if op, ok := auditlog.Verbs[strings.NewReplacer("-", "", "_", "").Replace(action)]; ok {
		return op, true
	}

	return auditlog.OperationOther, false
}

// resourceTypes are those of the specification, and "network" of its examples.
var resourceTypes = []string{
	"account", "auth", "init-script", "managed-database", "managed-loadbalancer",
	"managed-loadbalancer-certificate-bundle",
	"managed-object-storage", "network", "network-gateway", "server", "ssh-key", "storage", "uks",
}

// operations maps the actions of the specification. The access-… actions and a
// new owner change who may do what; a clone is a new resource; a start of
// maintenance is neither a start nor anything else in the vocabulary.
var operations = map[string]auditlog.Operation{
	"create":                    auditlog.OperationCreate,
	"clone":                     auditlog.OperationCreate,
	"read":                      auditlog.OperationRead,
	"update":                    auditlog.OperationUpdate,
	"writes-enable":             auditlog.OperationUpdate,
	"delete":                    auditlog.OperationDelete,
	"start":                     auditlog.OperationStart,
	"stop":                      auditlog.OperationStop,
	"attach":                    auditlog.OperationAttach,
	"detach":                    auditlog.OperationDetach,
	"login":                     auditlog.OperationLogin,
	"logout":                    auditlog.OperationLogout,
	"access-granted":            auditlog.OperationGrant,
	"access-granted-kubeconfig": auditlog.OperationGrant,
	"access-modified":           auditlog.OperationGrant,
	"access-update":             auditlog.OperationGrant,
	"owner-change":              auditlog.OperationGrant,
	"maintenance-start":         auditlog.OperationOther,
}
