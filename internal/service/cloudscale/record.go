// SPDX-License-Identifier: MPL-2.0

package cloudscale

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// record is a record as seen in the vendor's news page, engineering blog and
// acceptance tests, and in a third-party client. Of actor and subject exactly
// one key is set; subject may be absent altogether.
type record struct {
	IPAddress *string `json:"ip_address"`
	Action    string  `json:"action"`
	Message   string  `json:"message"`
	Timestamp string  `json:"timestamp"`
	Actor     struct {
		User     *user `json:"user"`
		APIToken *struct {
			UUID        string  `json:"uuid"`
			Description *string `json:"description"`
		} `json:"api_token"`
		System *struct{} `json:"system"`
		Admin  *struct{} `json:"admin"`
	} `json:"actor"`
	Subject struct {
		Organization *named `json:"organization"`
		Project      *named `json:"project"`
		User         *user  `json:"user"`
	} `json:"subject"`
}

type user struct {
	Email string `json:"email"`
}

type named struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

// scopeProject is the type of the scope that says whose log it is.
const scopeProject = "project"

// entryOf maps a record. The id is for the caller to give, since it depends on
// the records before.
func entryOf(raw json.RawMessage) (auditlog.Entry, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return auditlog.Entry{}, err //nolint:wrapcheck // The client names what is wrong with an answer.
	}

	if r.Action == "" {
		return auditlog.Entry{}, errors.New("a record lacks its action")
	}

	at, err := time.Parse(time.RFC3339Nano, r.Timestamp)
	if err != nil {
		return auditlog.Entry{}, errors.New("the timestamp of a record is not RFC 3339")
	}

	e := auditlog.Entry{
		Time:         at.UTC(),
		Service:      auditlog.ServiceCloudscale,
		Action:       r.Action,
		Operation:    OperationOf(r.Action),
		ResourceType: resourceType(r.Action),
		ResourceName: resourceName(r.Message),
		Message:      r.Message,
		Raw:          raw,
	}

	if r.IPAddress != nil {
		e.IPAddress = *r.IPAddress
	}

	r.actor(&e)
	r.scope(&e)

	return e, nil
}

func (r *record) actor(e *auditlog.Entry) {
	switch a := r.Actor; {
	case a.User != nil:
		e.ActorType, e.Actor = auditlog.ActorUser, a.User.Email
	case a.APIToken != nil:
		e.ActorType, e.ActorID = auditlog.ActorAPIToken, a.APIToken.UUID
		if a.APIToken.Description != nil {
			e.Actor = *a.APIToken.Description
		}
	case a.System != nil:
		e.ActorType = auditlog.ActorSystem
	case a.Admin != nil:
		e.ActorType = auditlog.ActorStaff
	default:
		e.ActorType = auditlog.ActorUnknown
	}
}

func (r *record) scope(e *auditlog.Entry) {
	switch s := r.Subject; {
	case s.Project != nil:
		e.ScopeType, e.ScopeID, e.ScopeName = scopeProject, s.Project.UUID, s.Project.Name
	case s.Organization != nil:
		e.ScopeType, e.ScopeID, e.ScopeName = "organization", s.Organization.UUID, s.Organization.Name
	case s.User != nil:
		e.ScopeType, e.ScopeName = "user", s.User.Email
	}
}

// OperationOf maps an action by its last word: server_volume_attach is an
// attach. The vendor publishes no list of actions, so a word that the table
// lacks is OperationOther.
func OperationOf(action string) auditlog.Operation {
	if op, ok := operations[action[strings.LastIndexByte(action, '_')+1:]]; ok {
		return op
	}

	return auditlog.OperationOther
}

var operations = map[string]auditlog.Operation{
	"create":  auditlog.OperationCreate,
	"read":    auditlog.OperationRead,
	"update":  auditlog.OperationUpdate,
	"rename":  auditlog.OperationUpdate,
	"resize":  auditlog.OperationUpdate,
	"delete":  auditlog.OperationDelete,
	"start":   auditlog.OperationStart,
	"stop":    auditlog.OperationStop,
	"restart": auditlog.OperationRestart,
	"reboot":  auditlog.OperationRestart,
	"attach":  auditlog.OperationAttach,
	"detach":  auditlog.OperationDetach,
	"login":   auditlog.OperationLogin,
	"logout":  auditlog.OperationLogout,
	"grant":   auditlog.OperationGrant,
	"revoke":  auditlog.OperationRevoke,
	"invite":  auditlog.OperationInvite,
	"export":  auditlog.OperationExport,
}

// resourceType is every word of an action but the last: "server" of
// server_create, "server_volume" of server_volume_attach.
func resourceType(action string) string {
	i := strings.LastIndexByte(action, '_')
	if i < 0 {
		return ""
	}

	return action[:i]
}

// quoted is a message that names one thing: Server 'web-1' has been created.
var quoted = regexp.MustCompile(`^[^']*'(.*)' (?:has|have) been [^']*$`)

// resourceName is the one quoted name of a message. A message with two, or with
// a name that looks like two, names nothing for certain.
func resourceName(message string) string {
	m := quoted.FindStringSubmatch(message)
	if m == nil || strings.Count(m[1], "'") > 1 || strings.Contains(m[1], "' ") || strings.Contains(m[1], " '") {
		return ""
	}

	return m[1]
}
