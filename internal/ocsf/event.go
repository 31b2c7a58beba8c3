// SPDX-License-Identifier: MPL-2.0

// Package ocsf makes events of the Open Cybersecurity Schema Framework of entries.
package ocsf

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Version is the version of the Open Cybersecurity Schema Framework that
// events are written in.
const Version = "1.7.0"

// Product is the program that makes an event of an entry.
type Product struct {
	Name    string
	Version string
}

// Event returns the entry as an event of the Open Cybersecurity Schema Framework,
// as one JSON object on one line whose keys always stand in the same order.
//
// The class follows from the operation and the type of the resource:
//
//	entry                                            class                    activity
//	login, login_failed                              3002 Authentication      Logon
//	logout                                           3002 Authentication      Logoff
//	create, delete of an account                     3001 Account Change      Create, Delete
//	grant, revoke on an account                      3001 Account Change      Attach Policy, Detach Policy
//	update, invite of an account                     3001 Account Change      Other
//	anything on an entity                            3004 Entity Management   Create, Read, Update, Delete, else Other
//	everything else                                  6003 API Activity        Create, Read, Update, Delete, else Other
//
// An account is who can act: the last word of the resource's type is account,
// subaccount, user, member, token, credential or auth. An entity is what orders
// others: an organization, a project, a group, a team, a role, a permission or a
// policy. What runs or stores something, such as a server, is neither. A grant is
// Attach Policy only where the cloud calls it a grant; the operation grant is
// wider. Where the activity is Other its name is the cloud's action.
//
// Every event uses the profile cloud. Nothing is lost: what has no place goes
// under unmapped, with the names of an entry's fields, and the cloud's record is
// raw_data. Nothing is invented: severity and, but for logins, status are
// Unknown, since no cloud records them, and where the schema asks for somebody or
// somewhere that was not recorded the name is "Unknown". An address that is none,
// being masked or a pseudonym, is the endpoint's name.
//
// The texts of the entry have to be UTF-8, and its record a JSON object.
func Event(e *auditlog.Entry, tool Product) (json.RawMessage, error) {
	return exactjson.Marshal(newEvent(e, tool), "")
}

// Identifiers that mean the same in every enumeration of the schema.
const (
	unknownID = 0
	otherID   = 99
	unknown   = "Unknown"
)

// class is a class of events. Its activities are those used here.
type class struct {
	uid          int
	name         string
	categoryUID  int
	categoryName string
	activities   map[auditlog.Operation]activity
}

type activity struct {
	id   int
	name string
}

const (
	iam         = "Identity & Access Management"
	application = "Application Activity"
)

// crud are the activities that Entity Management and API Activity share.
var crud = map[auditlog.Operation]activity{
	auditlog.OperationCreate: {1, "Create"},
	auditlog.OperationRead:   {2, "Read"},
	auditlog.OperationUpdate: {3, "Update"},
	auditlog.OperationDelete: {4, "Delete"},
}

var (
	accountChange = class{3001, "Account Change", 3, iam, map[auditlog.Operation]activity{
		auditlog.OperationCreate: {1, "Create"},
		auditlog.OperationDelete: {6, "Delete"},
		auditlog.OperationGrant:  {7, "Attach Policy"},
		auditlog.OperationRevoke: {8, "Detach Policy"},
	}}
	authentication = class{3002, "Authentication", 3, iam, map[auditlog.Operation]activity{
		auditlog.OperationLogin:       {1, "Logon"},
		auditlog.OperationLoginFailed: {1, "Logon"},
		auditlog.OperationLogout:      {2, "Logoff"},
	}}
	entityManagement = class{3004, "Entity Management", 3, iam, crud}
	apiActivity      = class{6003, "API Activity", 6, application, crud}
)

// accountWords end the type of a resource that can act.
var accountWords = []string{"account", "auth", "credential", "member", "subaccount", "token", "user"}

// accountOperations change an account; a read of one is an API call.
var accountOperations = []auditlog.Operation{
	auditlog.OperationCreate, auditlog.OperationUpdate, auditlog.OperationDelete,
	auditlog.OperationGrant, auditlog.OperationRevoke, auditlog.OperationInvite,
}

// entityTypes are the types of resources that order others. They are whole
// types and no last words: a server group is where servers run.
var entityTypes = map[string]activity{
	"group":        {3, "Group"},
	"organization": {4, "Organization"},
	"policy":       {5, "Policy"},
	"permission":   {id: otherID},
	"project":      {id: otherID},
	"role":         {id: otherID},
	"team":         {id: otherID},
}

func classOf(e *auditlog.Entry) *class {
	if _, ok := authentication.activities[e.Operation]; ok {
		return &authentication
	}

	words := strings.FieldsFunc(e.ResourceType, func(r rune) bool { return r == '_' || r == '-' })
	if len(words) > 0 && slices.Contains(accountWords, words[len(words)-1]) &&
		slices.Contains(accountOperations, e.Operation) {
		return &accountChange
	}

	if _, ok := entityTypes[e.ResourceType]; ok {
		return &entityManagement
	}

	return &apiActivity
}

func (c *class) activityOf(e *auditlog.Entry) activity {
	a, ok := c.activities[e.Operation]
	if !ok || e.Operation == auditlog.OperationGrant && !strings.Contains(e.Action, "grant") {
		return activity{otherID, e.Action}
	}

	return a
}

// event holds the attributes of all four classes; a class lacks those that
// are nil. The order of the fields is the order of the keys and of the columns.
type event struct {
	ActivityID   int          `json:"activity_id"`
	ActivityName string       `json:"activity_name"`
	CategoryUID  int          `json:"category_uid"`
	CategoryName string       `json:"category_name"`
	ClassUID     int          `json:"class_uid"`
	ClassName    string       `json:"class_name"`
	TypeUID      int          `json:"type_uid"`
	TypeName     string       `json:"type_name"`
	SeverityID   int          `json:"severity_id"`
	Severity     string       `json:"severity"`
	StatusID     int          `json:"status_id"`
	Status       string       `json:"status"`
	Time         int64        `json:"time"` // milliseconds since 1970
	Message      string       `json:"message,omitempty"`
	Metadata     metadata     `json:"metadata"`
	Cloud        cloud        `json:"cloud"`
	API          api          `json:"api"`
	Actor        actor        `json:"actor"`
	SrcEndpoint  *endpoint    `json:"src_endpoint,omitempty"`
	User         *user        `json:"user,omitempty"`
	Service      *entity      `json:"service,omitempty"`
	Entity       *managed     `json:"entity,omitempty"`
	Resources    []entity     `json:"resources,omitempty"`
	HTTPRequest  *httpRequest `json:"http_request,omitempty"`
	RawData      string       `json:"raw_data,omitempty"`
	Unmapped     unmapped     `json:"unmapped"`
}

type metadata struct {
	Version         string           `json:"version"`
	Product         product          `json:"product"`
	Profiles        []string         `json:"profiles"`
	UID             string           `json:"uid"`
	EventCode       string           `json:"event_code"`
	CorrelationUID  string           `json:"correlation_uid,omitempty"`
	OriginalTime    string           `json:"original_time"` // auditlog.TimeLayout: finer than time
	Transformations []transformation `json:"transformation_info_list,omitempty"`
}

type product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name,omitempty"`
	Version    string `json:"version,omitempty"`
}

type transformation struct {
	Name    string  `json:"name"`
	Product product `json:"product"`
}

type cloud struct {
	Provider   string  `json:"provider"`
	Account    *entity `json:"account,omitempty"`
	ProjectUID string  `json:"project_uid,omitempty"`
	Org        *entity `json:"org,omitempty"`
}

type api struct {
	Operation string  `json:"operation"`
	Service   entity  `json:"service"`
	Request   *entity `json:"request,omitempty"`
}

// entity is what the schema's objects have in common that are used here.
type entity struct {
	Name   string `json:"name,omitempty"`
	UID    string `json:"uid,omitempty"`
	TypeID *int   `json:"type_id,omitempty"`
	Type   string `json:"type,omitempty"`
}

type actor struct {
	User user `json:"user"`
}

type user struct {
	Name      string `json:"name,omitempty"`
	UID       string `json:"uid,omitempty"`
	EmailAddr string `json:"email_addr,omitempty"`
	TypeID    int    `json:"type_id"`
	Type      string `json:"type"`
}

type endpoint struct {
	Name   string `json:"name,omitempty"`
	IP     string `json:"ip,omitempty"`
	TypeID *int   `json:"type_id,omitempty"`
	Type   string `json:"type,omitempty"`
}

type managed struct {
	entity

	Group  *entity `json:"group,omitempty"`
	Org    *entity `json:"org,omitempty"`
	Policy *entity `json:"policy,omitempty"`
}

type httpRequest struct {
	UserAgent string `json:"user_agent"`
}

// unmapped holds fields of the entry that no attribute has the value of.
type unmapped struct {
	Endpoint     string             `json:"endpoint,omitempty"`
	Account      string             `json:"account,omitempty"`
	Operation    auditlog.Operation `json:"operation"`
	ActorType    auditlog.ActorType `json:"actor_type"`
	ResourceType string             `json:"resource_type,omitempty"`
	ResourceID   string             `json:"resource_id,omitempty"`
	ResourceName string             `json:"resource_name,omitempty"`
	ScopeType    string             `json:"scope_type,omitempty"`
	ScopeID      string             `json:"scope_id,omitempty"`
	ScopeName    string             `json:"scope_name,omitempty"`
	Origin       string             `json:"origin,omitempty"`
	AuthType     string             `json:"auth_type,omitempty"`
	Changes      []auditlog.Change  `json:"changes,omitempty"`
}

func newEvent(e *auditlog.Entry, tool Product) *event {
	class := classOf(e)
	a := class.activityOf(e)
	provider := cmp.Or(providers[e.Service], e.Service)

	v := &event{
		ActivityID: a.id, ActivityName: a.name,
		CategoryUID: class.categoryUID, CategoryName: class.categoryName,
		ClassUID: class.uid, ClassName: class.name,
		TypeUID: class.uid*100 + a.id, TypeName: class.name + ": " + a.name,
		SeverityID: unknownID, Severity: unknown,
		StatusID: unknownID, Status: unknown,
		Time:    e.Time.UnixMilli(),
		Message: e.Message,
		Metadata: metadata{
			Version:        Version,
			Product:        product{Name: provider + " audit log", VendorName: provider},
			Profiles:       []string{"cloud"},
			UID:            e.ID,
			EventCode:      e.Action,
			CorrelationUID: e.CorrelationID,
			OriginalTime:   auditlog.FormatTime(e.Time),
		},
		Cloud:   cloud{Provider: provider},
		API:     api{Operation: e.Action, Service: entity{Name: provider, UID: e.Service}},
		Actor:   actor{User: actorOf(e)},
		RawData: string(e.Raw),
		Unmapped: unmapped{
			Endpoint: e.Endpoint, Operation: e.Operation, ActorType: e.ActorType, Origin: e.Origin, AuthType: e.AuthType,
			Changes: e.Changes,
		},
	}

	if tool.Name != "" {
		v.Metadata.Transformations = []transformation{{
			Name:    "entry to OCSF " + Version,
			Product: product{Name: tool.Name, Version: tool.Version},
		}}
	}

	if e.CorrelationID != "" {
		v.API.Request = &entity{UID: e.CorrelationID}
	}

	if e.UserAgent != "" {
		v.HTTPRequest = &httpRequest{UserAgent: e.UserAgent}
	}

	v.SrcEndpoint = endpointOf(e.IPAddress)
	v.scope(e)

	switch class {
	case &authentication:
		v.authentication(e)
	case &accountChange:
		v.User = accountOf(e)
	case &entityManagement:
		v.entity(e)
	default:
		v.apiActivity(e)
	}

	return v
}

// providers holds the names of the clouds as people write them.
var providers = map[string]string{
	auditlog.ServiceUpCloud:    "UpCloud",
	auditlog.ServiceCloudscale: "cloudscale.ch",
	auditlog.ServicePodStack:   "PodStack",
}

// scope puts what holds the resource where the schema has a place for it.
func (v *event) scope(e *auditlog.Entry) {
	known := e.ScopeID != "" || e.ScopeName != ""

	switch {
	case known && (e.ScopeType == "project" || e.ScopeType == "account"):
		v.Cloud.Account = &entity{Name: e.ScopeName, UID: e.ScopeID, TypeID: new(otherID), Type: e.ScopeType}

		if e.ScopeType == "project" {
			v.Cloud.ProjectUID = e.ScopeID
		}
	case known && e.ScopeType == "organization":
		v.Cloud.Org = &entity{Name: e.ScopeName, UID: e.ScopeID}
		v.Unmapped.ScopeType = e.ScopeType
	default:
		v.Unmapped.ScopeType, v.Unmapped.ScopeID, v.Unmapped.ScopeName = e.ScopeType, e.ScopeID, e.ScopeName
	}

	switch {
	case e.Account == "":
	case v.Cloud.Account == nil:
		v.Cloud.Account = &entity{Name: e.Account, TypeID: new(otherID), Type: "account"}
	case v.Cloud.Account.UID != e.Account:
		v.Unmapped.Account = e.Account
	}
}

// authentication is about the one who logs in, who is the actor. An operation
// says whether a login succeeded; of a logout nothing is said.
func (v *event) authentication(e *auditlog.Entry) {
	actor := v.Actor.User
	v.User = &actor
	v.Service = &entity{Name: v.API.Service.Name, UID: v.API.Service.UID}
	v.Unmapped.ResourceType, v.Unmapped.ResourceID, v.Unmapped.ResourceName = e.ResourceType, e.ResourceID, e.ResourceName

	switch e.Operation {
	case auditlog.OperationLogin:
		v.StatusID, v.Status = 1, "Success"
	case auditlog.OperationLoginFailed:
		v.StatusID, v.Status = 2, "Failure"
	default:
	}
}

// accountOf is the account that something was done to. Its type is the
// cloud's own word.
func accountOf(e *auditlog.Entry) *user {
	account := &user{Name: e.ResourceName, UID: e.ResourceID, TypeID: otherID, Type: e.ResourceType}
	account.complete()

	return account
}

func (v *event) entity(e *auditlog.Entry) {
	name, uid := e.ResourceName, e.ResourceID

	// A project that is changed is what its own record is filed under.
	if name == "" && uid == "" && e.ResourceType == e.ScopeType {
		name, uid = e.ScopeName, e.ScopeID
	}

	kind := entityTypes[e.ResourceType]
	v.Entity = &managed{entity: entity{Name: name, UID: uid, TypeID: &kind.id, Type: kind.name}}

	if kind.id == otherID {
		v.Entity.Type = e.ResourceType
	} else {
		v.Unmapped.ResourceType = e.ResourceType
	}

	if name == "" && uid == "" {
		v.Entity.Name = unknown

		return
	}

	same := &entity{Name: name, UID: uid}

	switch e.ResourceType {
	case "group":
		v.Entity.Group = same
	case "organization":
		v.Entity.Org = same
	case "policy":
		v.Entity.Policy = same
	default:
	}
}

func (v *event) apiActivity(e *auditlog.Entry) {
	if v.SrcEndpoint == nil {
		v.SrcEndpoint = &endpoint{Name: unknown, TypeID: new(unknownID), Type: unknown}
	}

	// A resource must have a name or an id.
	if e.ResourceName == "" && e.ResourceID == "" {
		v.Unmapped.ResourceType = e.ResourceType

		return
	}

	v.Resources = []entity{{Name: e.ResourceName, UID: e.ResourceID, Type: e.ResourceType}}
}

func actorOf(e *auditlog.Entry) user {
	u := user{Name: e.Actor, UID: e.ActorID, TypeID: otherID, Type: string(e.ActorType)}

	switch e.ActorType {
	case auditlog.ActorUser:
		u.TypeID, u.Type = 1, "User"
	case auditlog.ActorSystem:
		u.TypeID, u.Type = 3, "System"
	case auditlog.ActorUnknown, "":
		u.TypeID, u.Type = unknownID, unknown
	default:
		// Tokens and the cloud's staff are no kind that the schema knows.
	}

	u.complete()

	return u
}

// complete adds what follows from the name, and a name where there is none.
func (u *user) complete() {
	if _, ok := redact.MailDomain(u.Name); ok && plainMail(u.Name) {
		u.EmailAddr = u.Name
	}

	if u.Name == "" && u.UID == "" {
		u.Name = unknown
	}
}

// plainMail says whether an e-mail address is spelled as the schema wants it, and
// is one and not what a mask has left.
func plainMail(text string) bool {
	return !strings.HasPrefix(text, redact.Masked) && !strings.ContainsFunc(text, func(r rune) bool {
		return r > '~' || r < '!' || strings.ContainsRune(`"(),:;<>[\]`, r)
	})
}

// endpointOf returns nil where no address was recorded.
func endpointOf(text string) *endpoint {
	if text == "" {
		return nil
	}

	if a, err := netip.ParseAddr(text); err != nil || a.Zone() != "" {
		return &endpoint{Name: text}
	}

	return &endpoint{IP: text}
}
