// SPDX-License-Identifier: MPL-2.0

package cloudscale

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// The types of scopes. That of a project says whose log it is.
const (
	scopeProject = "project"
	scopeUser    = "user"
)

// readEntry maps a record as seen in the vendor's news page, engineering blog and
// acceptance tests, and in a third-party client. Its id is its Fingerprint, since the one
// that it has depends on the records before. The canonical form of the record is written
// to scratch, which is returned.
func readEntry(r *exactjson.Reader, scratch []byte) (auditlog.Entry, []byte) {
	e := auditlog.Entry{Service: auditlog.ServiceCloudscale, ActorType: auditlog.ActorUnknown}

	e.Raw, scratch = r.Canonical(scratch[:0], func() {
		timestamp := ""

		for key := range r.Members() {
			switch string(key) {
			case "ip_address":
				e.IPAddress = r.Word()
			case "action":
				e.Action = r.Word()
			case "message":
				e.Message = r.Text()
			case "timestamp":
				timestamp = r.Text()
			case "actor":
				readActor(r, &e)
			case "subject":
				readScope(r, &e)
			}
		}

		if e.Action == "" {
			r.Fail(errors.New("a record lacks its action"))
		}

		at, err := time.Parse(time.RFC3339Nano, timestamp)
		if err != nil {
			r.Fail(errors.New("the timestamp of a record is not RFC 3339"))
		}

		e.Time = at.UTC()
	})

	m := meaningOf(e.Action)
	e.ID = auditlog.Fingerprint(e.Service, scratch)
	e.Operation, e.ResourceType, e.ResourceName = m.operation, m.resourceType, resourceName(e.Message)

	return e, scratch
}

// party is who did something or what holds something; there is none where it is null.
type party struct {
	there    bool
	id, name string
}

func readParty(r *exactjson.Reader, id, name string) party {
	p := party{there: !r.Null()}
	if !p.there {
		return p
	}

	for key := range r.Members() {
		switch string(key) {
		case id:
			p.id = r.Word()
		case name:
			p.name = r.Word()
		}
	}

	return p
}

// readActor reads who did it. Exactly one of the keys is set.
func readActor(r *exactjson.Reader, e *auditlog.Entry) {
	var user, token, system, staff party

	for key := range r.Members() {
		switch string(key) {
		case "user":
			user = readParty(r, "", "email")
		case "api_token":
			token = readParty(r, "uuid", "description")
		case "system":
			system = readParty(r, "", "")
		case "admin":
			staff = readParty(r, "", "")
		}
	}

	switch {
	case user.there:
		e.ActorType, e.Actor = auditlog.ActorUser, user.name
	case token.there:
		e.ActorType, e.ActorID, e.Actor = auditlog.ActorAPIToken, token.id, token.name
	case system.there:
		e.ActorType = auditlog.ActorSystem
	case staff.there:
		e.ActorType = auditlog.ActorStaff
	}
}

// readScope reads what holds the resource. One of the keys is set, or none.
func readScope(r *exactjson.Reader, e *auditlog.Entry) {
	var organization, project, user party

	for key := range r.Members() {
		switch string(key) {
		case "organization":
			organization = readParty(r, "uuid", "name")
		case "project":
			project = readParty(r, "uuid", "name")
		case "user":
			user = readParty(r, "", "email")
		}
	}

	switch {
	case project.there:
		e.ScopeType, e.ScopeID, e.ScopeName = scopeProject, project.id, project.name
	case organization.there:
		e.ScopeType, e.ScopeID, e.ScopeName = "organization", organization.id, organization.name
	case user.there:
		e.ScopeType, e.ScopeName = scopeUser, user.name
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

// resourceName is the one quoted name of a message that names one thing, such as
// Server 'web-1' has been created. A message with two, or with a name that looks like two,
// names nothing for certain.
func resourceName(message string) string {
	first, last := strings.IndexByte(message, '\''), strings.LastIndexByte(message, '\'')
	if first == last {
		return ""
	}

	name, rest := message[first+1:last], message[last+1:]
	if !strings.HasPrefix(rest, " has been ") && !strings.HasPrefix(rest, " have been ") {
		return ""
	}

	if strings.Count(name, "'") > 1 || strings.Contains(name, "' ") || strings.Contains(name, " '") {
		return ""
	}

	return name
}

// meaning is what the words of an action say.
type meaning struct {
	operation    auditlog.Operation
	resourceType string
}

// meanings are those of the actions that were seen, which are few and occur again and
// again.
var meanings = struct {
	sync.Mutex

	of map[string]meaning
}{of: map[string]meaning{}}

func meaningOf(action string) meaning {
	const most, longest = 1024, 64

	meanings.Lock()
	defer meanings.Unlock()

	m, seen := meanings.of[action]
	if seen {
		return m
	}

	m = meaning{operation: OperationOf(action), resourceType: resourceType(action)}

	if len(meanings.of) == most {
		clear(meanings.of)
	}

	if len(action) <= longest {
		meanings.of[action] = m
	}

	return m
}
