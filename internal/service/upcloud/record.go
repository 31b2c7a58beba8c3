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

// record is an event as the specification describes it. Optional fields may be
// absent, null or empty; which one the service uses is not documented, so all
// three mean "not recorded".
type record struct {
	Time          string          `json:"time"`
	AuthType      string          `json:"auth_type"`
	ID            string          `json:"cloud_event_id"`
	CorrelationID string          `json:"upcloud_correlation_id"`
	ResourceType  string          `json:"resource_type"`
	Action        string          `json:"action"`
	Origin        string          `json:"origin"`
	Username      string          `json:"account_username"`
	IPAddress     string          `json:"ip_address"`
	ResourceID    string          `json:"resource_id"`
	CurrentState  json.RawMessage `json:"current_state"`
	PreviousState json.RawMessage `json:"previous_state"`
}

// originInternal marks what UpCloud's own services did.
const originInternal = "upcloud_internal"

func entryOf(raw json.RawMessage) (auditlog.Entry, error) {
	var r record
	if err := exactjson.Unmarshal(raw, &r); err != nil {
		return auditlog.Entry{}, err
	}

	if r.ID == "" || r.Action == "" {
		return auditlog.Entry{}, errors.New("an event lacks its cloud_event_id or its action")
	}

	at, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		return auditlog.Entry{}, errors.New("the time of an event is not RFC 3339")
	}

	changes, err := auditlog.Changes(r.PreviousState, r.CurrentState)
	if err != nil {
		return auditlog.Entry{}, fmt.Errorf("the state in an event cannot be read: %w", err)
	}

	actor := auditlog.ActorUser

	switch {
	case r.Origin == originInternal:
		actor = auditlog.ActorSystem
	case r.Username == "":
		actor = auditlog.ActorUnknown
	}

	return auditlog.Entry{
		ID:            r.ID,
		Time:          at.UTC(),
		Service:       auditlog.ServiceUpCloud,
		Action:        r.Action,
		Operation:     OperationOf(r.Action),
		ActorType:     actor,
		Actor:         r.Username,
		ResourceType:  r.ResourceType,
		ResourceID:    r.ResourceID,
		Origin:        r.Origin,
		AuthType:      r.AuthType,
		IPAddress:     r.IPAddress,
		CorrelationID: r.CorrelationID,
		Changes:       changes,
		Raw:           raw,
	}, nil
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
