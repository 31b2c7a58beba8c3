// SPDX-License-Identifier: MPL-2.0

package cloudscale

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
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

// The types of scopes. That of a project says whose log it is.
const (
	scopeProject = "project"
	scopeUser    = "user"
)

// entryOf maps a record. The id is for the caller to give, since it depends on
// the records before.
func entryOf(raw json.RawMessage) (auditlog.Entry, error) {
	var r record
	if err := exactjson.Unmarshal(raw, &r); err != nil {
		return auditlog.Entry{}, err
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

// coherent says whether one entry can have all the values that are known. They all
// come of the action, of the kind of actor and of the kind of scope.
func coherent(known auditlog.Known) bool {
	if action, ok := known("action"); ok && action != auditlog.SomeText &&
		!known.Can("resource_type", resourceType(action)) {
		return false
	}

	switch kind, _ := known("actor_type"); auditlog.ActorType(kind) {
	case auditlog.ActorUser:
		if !known.Can("actor_id", "") {
			return false
		}
	case auditlog.ActorSystem, auditlog.ActorStaff, auditlog.ActorUnknown:
		if !known.Can("actor", "") || !known.Can("actor_id", "") {
			return false
		}
	default:
	}

	switch kind, ok := known("scope_type"); {
	case kind == scopeUser:
		return known.Can("scope_id", "")
	case ok && kind == "":
		return known.Can("scope_id", "") && known.Can("scope_name", "")
	default:
		return true
	}
}

func (r *record) scope(e *auditlog.Entry) {
	switch s := r.Subject; {
	case s.Project != nil:
		e.ScopeType, e.ScopeID, e.ScopeName = scopeProject, s.Project.UUID, s.Project.Name
	case s.Organization != nil:
		e.ScopeType, e.ScopeID, e.ScopeName = "organization", s.Organization.UUID, s.Organization.Name
	case s.User != nil:
		e.ScopeType, e.ScopeName = scopeUser, s.User.Email
	}
}

// OperationOf maps an action by its last word: server_volume_attach is an
// attach. The vendor publishes no list of actions, so a word that no table has is
// OperationOther.
func OperationOf(action string) auditlog.Operation {
	if op, n := verb(action); n > 0 {
		return op
	}

	return auditlog.OperationOther
}

// documented are the actions in the vendor's acceptance tests, news and blog, and one
// of a third-party client; design/api-facts.md §2.3. The list is not complete.
var documented = []string{
	"server_create", "server_delete", "server_pause", "server_stop", "server_volume_attach",
	"volume_create",
}

func documentedTypes() []string {
	types := make([]string, 0, len(documented))
	for _, action := range documented {
		types = append(types, resourceType(action))
	}

	slices.Sort(types)

	return slices.Compact(types)
}

var actorTypes = []string{
	string(auditlog.ActorUser), string(auditlog.ActorAPIToken), string(auditlog.ActorSystem), string(auditlog.ActorStaff),
	string(auditlog.ActorUnknown),
}

// neverOperations are those that the log of a project does not hold.
var neverOperations = map[auditlog.Operation]string{
	auditlog.OperationLogin:       fmt.Sprintf(elsewhere, "logins"),
	auditlog.OperationLoginFailed: fmt.Sprintf(elsewhere, "failed logins"),
	auditlog.OperationLogout:      fmt.Sprintf(elsewhere, "logouts"),
	auditlog.OperationGrant:       fmt.Sprintf(elsewhere, "permissions"),
	auditlog.OperationRevoke:      fmt.Sprintf(elsewhere, "permissions"),
	auditlog.OperationInvite:      fmt.Sprintf(elsewhere, "invitations"),
}

const elsewhere = "cloudscale's project log records changes to the project only; %s are in the logs of the organization and its users, which the API does not give."

// actionForm says what every action that was ever seen looks like.
func actionForm(action string) (form string, ok bool) {
	_, ok = typeForm(action)

	return `lower-case words joined by underscores, such as "server_delete"`, ok &&
		strings.Contains(strings.Trim(action, "_"), "_")
}

func typeForm(value string) (form string, ok bool) {
	return `lower-case words joined by underscores, such as "server" or "server_volume"`,
		!strings.ContainsFunc(value, func(r rune) bool { return unicode.IsUpper(r) || unicode.IsSpace(r) })
}

// KnowsAction says whether the action ends with a word that means something.
func KnowsAction(action string) bool {
	_, n := verb(action)

	return n > 0
}

// verb returns what an action ends with, and of how many words that is made.
func verb(action string) (auditlog.Operation, int) {
	return auditlog.LastVerb(strings.Split(action, "_"), auditlog.Verbs)
}

// resourceType is every word of an action but its verb, or but the last one:
// "server" of server_create, "server_volume" of server_volume_attach.
func resourceType(action string) string {
	words := strings.Split(action, "_")
	_, n := verb(action)

	return strings.Join(words[:len(words)-max(n, 1)], "_")
}

// quoted is a message that names one thing: Server 'web-1' has been created.
var quoted = regexp.MustCompile(`^[^']*'((?s:.*))' (?:has|have) been [^']*$`)

// resourceName is the one quoted name of a message. A message with two, or with
// a name that looks like two, names nothing for certain.
func resourceName(message string) string {
	m := quoted.FindStringSubmatch(message)
	if m == nil || strings.Count(m[1], "'") > 1 || strings.Contains(m[1], "' ") || strings.Contains(m[1], " '") {
		return ""
	}

	return m[1]
}
