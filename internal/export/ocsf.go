// SPDX-License-Identifier: MPL-2.0

package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// events are written in.
const OCSFVersion = "1.7.0"

// OCSFProduct is the program that makes an event of an entry.
type OCSFProduct struct {
	Name    string
	Version string
}

// OCSF returns the entry as an event of the Open Cybersecurity Schema Framework,
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
func OCSF(e *auditlog.Entry, tool OCSFProduct) (json.RawMessage, error) {
	return compactJSON(newOCSFEvent(e, tool))
}

// compactJSON is json.Marshal without the escapes meant for HTML.
func compactJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer

	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)

	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}

	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Identifiers that mean the same in every enumeration of the schema.
const (
	ocsfUnknownID = 0
	ocsfOtherID   = 99
	ocsfUnknown   = "Unknown"
)

// ocsfClass is a class of events. Its activities are those used here.
type ocsfClass struct {
	uid          int
	name         string
	categoryUID  int
	categoryName string
	activities   map[auditlog.Operation]ocsfActivity
}

type ocsfActivity struct {
	id   int
	name string
}

const (
	ocsfIAM         = "Identity & Access Management"
	ocsfApplication = "Application Activity"
)

// ocsfCRUD are the activities that Entity Management and API Activity share.
var ocsfCRUD = map[auditlog.Operation]ocsfActivity{
	auditlog.OperationCreate: {1, "Create"},
	auditlog.OperationRead:   {2, "Read"},
	auditlog.OperationUpdate: {3, "Update"},
	auditlog.OperationDelete: {4, "Delete"},
}

var (
	ocsfAccountChange = ocsfClass{3001, "Account Change", 3, ocsfIAM, map[auditlog.Operation]ocsfActivity{
		auditlog.OperationCreate: {1, "Create"},
		auditlog.OperationDelete: {6, "Delete"},
		auditlog.OperationGrant:  {7, "Attach Policy"},
		auditlog.OperationRevoke: {8, "Detach Policy"},
	}}
	ocsfAuthentication = ocsfClass{3002, "Authentication", 3, ocsfIAM, map[auditlog.Operation]ocsfActivity{
		auditlog.OperationLogin:       {1, "Logon"},
		auditlog.OperationLoginFailed: {1, "Logon"},
		auditlog.OperationLogout:      {2, "Logoff"},
	}}
	ocsfEntityManagement = ocsfClass{3004, "Entity Management", 3, ocsfIAM, ocsfCRUD}
	ocsfAPIActivity      = ocsfClass{6003, "API Activity", 6, ocsfApplication, ocsfCRUD}
)

// ocsfAccountWords end the type of a resource that can act.
var ocsfAccountWords = []string{"account", "auth", "credential", "member", "subaccount", "token", "user"}

// ocsfAccountOperations change an account; a read of one is an API call.
var ocsfAccountOperations = []auditlog.Operation{
	auditlog.OperationCreate, auditlog.OperationUpdate, auditlog.OperationDelete,
	auditlog.OperationGrant, auditlog.OperationRevoke, auditlog.OperationInvite,
}

// ocsfEntityTypes are the types of resources that order others. They are whole
// types and no last words: a server group is where servers run.
var ocsfEntityTypes = map[string]ocsfActivity{
	"group":        {3, "Group"},
	"organization": {4, "Organization"},
	"policy":       {5, "Policy"},
	"permission":   {id: ocsfOtherID},
	"project":      {id: ocsfOtherID},
	"role":         {id: ocsfOtherID},
	"team":         {id: ocsfOtherID},
}

func ocsfClassOf(e *auditlog.Entry) *ocsfClass {
	if _, ok := ocsfAuthentication.activities[e.Operation]; ok {
		return &ocsfAuthentication
	}

	words := strings.FieldsFunc(e.ResourceType, func(r rune) bool { return r == '_' || r == '-' })
	if len(words) > 0 && slices.Contains(ocsfAccountWords, words[len(words)-1]) && slices.Contains(ocsfAccountOperations, e.Operation) {
		return &ocsfAccountChange
	}

	if _, ok := ocsfEntityTypes[e.ResourceType]; ok {
		return &ocsfEntityManagement
	}

	return &ocsfAPIActivity
}

func (c *ocsfClass) activityOf(e *auditlog.Entry) ocsfActivity {
	activity, ok := c.activities[e.Operation]
	if !ok || e.Operation == auditlog.OperationGrant && !strings.Contains(e.Action, "grant") {
		return ocsfActivity{ocsfOtherID, e.Action}
	}

	return activity
}

// ocsfEvent holds the attributes of all four classes; a class lacks those that
// are nil. The order of the fields is the order of the keys and of the columns.
type ocsfEvent struct {
	ActivityID   int              `json:"activity_id"`
	ActivityName string           `json:"activity_name"`
	CategoryUID  int              `json:"category_uid"`
	CategoryName string           `json:"category_name"`
	ClassUID     int              `json:"class_uid"`
	ClassName    string           `json:"class_name"`
	TypeUID      int              `json:"type_uid"`
	TypeName     string           `json:"type_name"`
	SeverityID   int              `json:"severity_id"`
	Severity     string           `json:"severity"`
	StatusID     int              `json:"status_id"`
	Status       string           `json:"status"`
	Time         int64            `json:"time"` // milliseconds since 1970
	Message      string           `json:"message,omitempty"`
	Metadata     ocsfMetadata     `json:"metadata"`
	Cloud        ocsfCloud        `json:"cloud"`
	API          ocsfAPI          `json:"api"`
	Actor        ocsfActor        `json:"actor"`
	SrcEndpoint  *ocsfEndpoint    `json:"src_endpoint,omitempty"`
	User         *ocsfUser        `json:"user,omitempty"`
	Service      *ocsfEntity      `json:"service,omitempty"`
	Entity       *ocsfManaged     `json:"entity,omitempty"`
	Resources    []ocsfEntity     `json:"resources,omitempty"`
	HTTPRequest  *ocsfHTTPRequest `json:"http_request,omitempty"`
	RawData      string           `json:"raw_data,omitempty"`
	Unmapped     ocsfUnmapped     `json:"unmapped"`
}

type ocsfMetadata struct {
	Version         string               `json:"version"`
	Product         ocsfProduct          `json:"product"`
	Profiles        []string             `json:"profiles"`
	UID             string               `json:"uid"`
	EventCode       string               `json:"event_code"`
	CorrelationUID  string               `json:"correlation_uid,omitempty"`
	OriginalTime    string               `json:"original_time"` // auditlog.TimeLayout: finer than time
	Transformations []ocsfTransformation `json:"transformation_info_list,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name,omitempty"`
	Version    string `json:"version,omitempty"`
}

type ocsfTransformation struct {
	Name    string      `json:"name"`
	Product ocsfProduct `json:"product"`
}

type ocsfCloud struct {
	Provider   string      `json:"provider"`
	Account    *ocsfEntity `json:"account,omitempty"`
	ProjectUID string      `json:"project_uid,omitempty"`
	Org        *ocsfEntity `json:"org,omitempty"`
}

type ocsfAPI struct {
	Operation string      `json:"operation"`
	Service   ocsfEntity  `json:"service"`
	Request   *ocsfEntity `json:"request,omitempty"`
}

// ocsfEntity is what the schema's objects have in common that are used here.
type ocsfEntity struct {
	Name   string `json:"name,omitempty"`
	UID    string `json:"uid,omitempty"`
	TypeID *int   `json:"type_id,omitempty"`
	Type   string `json:"type,omitempty"`
}

type ocsfActor struct {
	User ocsfUser `json:"user"`
}

type ocsfUser struct {
	Name      string `json:"name,omitempty"`
	UID       string `json:"uid,omitempty"`
	EmailAddr string `json:"email_addr,omitempty"`
	TypeID    int    `json:"type_id"`
	Type      string `json:"type"`
}

type ocsfEndpoint struct {
	Name   string `json:"name,omitempty"`
	IP     string `json:"ip,omitempty"`
	TypeID *int   `json:"type_id,omitempty"`
	Type   string `json:"type,omitempty"`
}

type ocsfManaged struct {
	ocsfEntity

	Group  *ocsfEntity `json:"group,omitempty"`
	Org    *ocsfEntity `json:"org,omitempty"`
	Policy *ocsfEntity `json:"policy,omitempty"`
}

type ocsfHTTPRequest struct {
	UserAgent string `json:"user_agent"`
}

// ocsfUnmapped holds fields of the entry that no attribute has the value of.
type ocsfUnmapped struct {
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

func newOCSFEvent(e *auditlog.Entry, tool OCSFProduct) *ocsfEvent {
	class := ocsfClassOf(e)
	activity := class.activityOf(e)
	provider := cmp.Or(ocsfProviders[e.Service], e.Service)

	v := &ocsfEvent{
		ActivityID: activity.id, ActivityName: activity.name,
		CategoryUID: class.categoryUID, CategoryName: class.categoryName,
		ClassUID: class.uid, ClassName: class.name,
		TypeUID: class.uid*100 + activity.id, TypeName: class.name + ": " + activity.name,
		SeverityID: ocsfUnknownID, Severity: ocsfUnknown,
		StatusID: ocsfUnknownID, Status: ocsfUnknown,
		Time:    e.Time.UnixMilli(),
		Message: e.Message,
		Metadata: ocsfMetadata{
			Version:        OCSFVersion,
			Product:        ocsfProduct{Name: provider + " audit log", VendorName: provider},
			Profiles:       []string{"cloud"},
			UID:            e.ID,
			EventCode:      e.Action,
			CorrelationUID: e.CorrelationID,
			OriginalTime:   auditlog.FormatTime(e.Time),
		},
		Cloud:   ocsfCloud{Provider: provider},
		API:     ocsfAPI{Operation: e.Action, Service: ocsfEntity{Name: provider, UID: e.Service}},
		Actor:   ocsfActor{User: ocsfActorOf(e)},
		RawData: string(e.Raw),
		Unmapped: ocsfUnmapped{
			Endpoint: e.Endpoint, Operation: e.Operation, ActorType: e.ActorType, Origin: e.Origin, AuthType: e.AuthType, Changes: e.Changes,
		},
	}

	if tool.Name != "" {
		v.Metadata.Transformations = []ocsfTransformation{{
			Name:    "entry to OCSF " + OCSFVersion,
			Product: ocsfProduct{Name: tool.Name, Version: tool.Version},
		}}
	}

	if e.CorrelationID != "" {
		v.API.Request = &ocsfEntity{UID: e.CorrelationID}
	}

	if e.UserAgent != "" {
		v.HTTPRequest = &ocsfHTTPRequest{UserAgent: e.UserAgent}
	}

	v.SrcEndpoint = ocsfEndpointOf(e.IPAddress)
	v.scope(e)

	switch class {
	case &ocsfAuthentication:
		v.authentication(e)
	case &ocsfAccountChange:
		v.User = ocsfAccountOf(e)
	case &ocsfEntityManagement:
		v.entity(e)
	default:
		v.apiActivity(e)
	}

	return v
}

// ocsfProviders holds the names of the clouds as people write them.
var ocsfProviders = map[string]string{
	auditlog.ServiceUpCloud:    "UpCloud",
	auditlog.ServiceCloudscale: "cloudscale.ch",
	auditlog.ServicePodStack:   "PodStack",
}

// scope puts what holds the resource where the schema has a place for it.
func (v *ocsfEvent) scope(e *auditlog.Entry) {
	known := e.ScopeID != "" || e.ScopeName != ""

	switch {
	case known && (e.ScopeType == "project" || e.ScopeType == "account"):
		v.Cloud.Account = &ocsfEntity{Name: e.ScopeName, UID: e.ScopeID, TypeID: new(ocsfOtherID), Type: e.ScopeType}

		if e.ScopeType == "project" {
			v.Cloud.ProjectUID = e.ScopeID
		}
	case known && e.ScopeType == "organization":
		v.Cloud.Org = &ocsfEntity{Name: e.ScopeName, UID: e.ScopeID}
		v.Unmapped.ScopeType = e.ScopeType
	default:
		v.Unmapped.ScopeType, v.Unmapped.ScopeID, v.Unmapped.ScopeName = e.ScopeType, e.ScopeID, e.ScopeName
	}

	switch {
	case e.Account == "":
	case v.Cloud.Account == nil:
		v.Cloud.Account = &ocsfEntity{Name: e.Account, TypeID: new(ocsfOtherID), Type: "account"}
	case v.Cloud.Account.UID != e.Account:
		v.Unmapped.Account = e.Account
	}
}

// authentication is about the one who logs in, who is the actor. An operation
// says whether a login succeeded; of a logout nothing is said.
func (v *ocsfEvent) authentication(e *auditlog.Entry) {
	user := v.Actor.User
	v.User = &user
	v.Service = &ocsfEntity{Name: v.API.Service.Name, UID: v.API.Service.UID}
	v.Unmapped.ResourceType, v.Unmapped.ResourceID, v.Unmapped.ResourceName = e.ResourceType, e.ResourceID, e.ResourceName

	switch e.Operation {
	case auditlog.OperationLogin:
		v.StatusID, v.Status = 1, "Success"
	case auditlog.OperationLoginFailed:
		v.StatusID, v.Status = 2, "Failure"
	default:
	}
}

// ocsfAccountOf is the account that something was done to. Its type is the
// cloud's own word.
func ocsfAccountOf(e *auditlog.Entry) *ocsfUser {
	user := &ocsfUser{Name: e.ResourceName, UID: e.ResourceID, TypeID: ocsfOtherID, Type: e.ResourceType}
	user.complete()

	return user
}

func (v *ocsfEvent) entity(e *auditlog.Entry) {
	name, uid := e.ResourceName, e.ResourceID

	// A project that is changed is what its own record is filed under.
	if name == "" && uid == "" && e.ResourceType == e.ScopeType {
		name, uid = e.ScopeName, e.ScopeID
	}

	kind := ocsfEntityTypes[e.ResourceType]
	v.Entity = &ocsfManaged{ocsfEntity: ocsfEntity{Name: name, UID: uid, TypeID: &kind.id, Type: kind.name}}

	if kind.id == ocsfOtherID {
		v.Entity.Type = e.ResourceType
	} else {
		v.Unmapped.ResourceType = e.ResourceType
	}

	if name == "" && uid == "" {
		v.Entity.Name = ocsfUnknown

		return
	}

	same := &ocsfEntity{Name: name, UID: uid}

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

func (v *ocsfEvent) apiActivity(e *auditlog.Entry) {
	if v.SrcEndpoint == nil {
		v.SrcEndpoint = &ocsfEndpoint{Name: ocsfUnknown, TypeID: new(ocsfUnknownID), Type: ocsfUnknown}
	}

	// A resource must have a name or an id.
	if e.ResourceName == "" && e.ResourceID == "" {
		v.Unmapped.ResourceType = e.ResourceType

		return
	}

	v.Resources = []ocsfEntity{{Name: e.ResourceName, UID: e.ResourceID, Type: e.ResourceType}}
}

func ocsfActorOf(e *auditlog.Entry) ocsfUser {
	user := ocsfUser{Name: e.Actor, UID: e.ActorID, TypeID: ocsfOtherID, Type: string(e.ActorType)}

	switch e.ActorType {
	case auditlog.ActorUser:
		user.TypeID, user.Type = 1, "User"
	case auditlog.ActorSystem:
		user.TypeID, user.Type = 3, "System"
	case auditlog.ActorUnknown, "":
		user.TypeID, user.Type = ocsfUnknownID, ocsfUnknown
	default:
		// Tokens and the cloud's staff are no kind that the schema knows.
	}

	user.complete()

	return user
}

// complete adds what follows from the name, and a name where there is none.
func (u *ocsfUser) complete() {
	if _, ok := mailDomain(u.Name); ok && ocsfMail(u.Name) {
		u.EmailAddr = u.Name
	}

	if u.Name == "" && u.UID == "" {
		u.Name = ocsfUnknown
	}
}

// ocsfMail says whether an e-mail address is spelled as the schema wants it, and
// is one and not what a mask has left.
func ocsfMail(text string) bool {
	return !strings.HasPrefix(text, masked) && !strings.ContainsFunc(text, func(r rune) bool {
		return r > '~' || r < '!' || strings.ContainsRune(`"(),:;<>[\]`, r)
	})
}

// ocsfEndpointOf returns nil where no address was recorded.
func ocsfEndpointOf(text string) *ocsfEndpoint {
	if text == "" {
		return nil
	}

	if a, err := netip.ParseAddr(text); err != nil || a.Zone() != "" {
		return &ocsfEndpoint{Name: text}
	}

	return &ocsfEndpoint{IP: text}
}
