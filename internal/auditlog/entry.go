// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"cmp"
	"encoding/json"
	"time"
)

// Entry is one event of an audit log in the shape shared by every cloud.
// A field that the cloud did not record is the zero value; nothing is invented.
type Entry struct {
	// ID is the cloud's own id, or a fingerprint of the record where the cloud
	// gives none (see Fingerprints). It is never empty.
	ID string
	// Time is when the event happened, as the cloud says, in UTC.
	Time time.Time
	// Service is the cloud, one of Clouds.
	Service string
	// Endpoint is the origin of the API that it was read from, Account whose log it
	// was in. Select fills them in.
	Endpoint string
	Account  string
	// Action is what was done, as the cloud spells it.
	Action string
	// Operation is Action in the vocabulary shared by every cloud.
	Operation Operation

	ActorType ActorType
	// ActorID identifies the actor (a token's UUID), Actor is what a person
	// recognises (a user name, an e-mail address, a token's description).
	ActorID string
	Actor   string

	ResourceType string
	ResourceID   string
	ResourceName string

	// Scope is what holds the resource: a project, an organization, an account.
	ScopeType string
	ScopeID   string
	ScopeName string

	Origin        string
	AuthType      string
	IPAddress     string
	UserAgent     string
	CorrelationID string
	Message       string

	// Changes lists the fields that differ between the states before and after,
	// sorted by field.
	Changes []Change
	// Raw is the cloud's record, byte for byte.
	Raw json.RawMessage
}

// ActorType says what kind of actor did something.
type ActorType string

// The kinds of actors. Staff are people working for the cloud.
const (
	ActorUser     ActorType = "user"
	ActorAPIToken ActorType = "api_token"
	ActorSystem   ActorType = "system"
	ActorStaff    ActorType = "staff"
	ActorUnknown  ActorType = "unknown"
)

// TimeLayout is how every time leaves the provider: RFC 3339 in UTC with
// microseconds, the finest resolution a cloud is known to record.
const TimeLayout = "2006-01-02T15:04:05.000000Z07:00"

// FormatTime returns t in UTC in TimeLayout.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeLayout) }

// AppendTime appends FormatTime of t.
func AppendTime(to []byte, t time.Time) []byte { return t.UTC().AppendFormat(to, TimeLayout) }

// Compare orders entries by time, ties by id.
func Compare(a, b *Entry) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
}

// Kind says how a field's values look.
type Kind int

// The kinds of fields. KindChanges and KindRaw each belong to one field.
const (
	KindString  Kind = iota
	KindTime         // RFC 3339, TimeLayout
	KindChanges      // a list of {field, before, after}
	KindRaw          // the cloud's record, a JSON object
)

// Field is one field of an entry. The list of Fields is at once the Terraform
// attributes, the JSON keys and the CSV header, in this order.
type Field struct {
	// Name is the attribute, the key and the column.
	Name string
	// Description is one sentence for the documentation.
	Description string
	Kind        Kind
	// Required says that no entry lacks the field.
	Required bool

	at   func(*Entry) *string // KindString
	text func(*Entry) string  // all others
}

// At returns where a field of KindString is in an entry, nil for all others.
func (f *Field) At(e *Entry) *string {
	if f.at == nil {
		return nil
	}

	return f.at(e)
}

// Text returns the value as text, "" where the cloud recorded none. Changes
// come as a JSON array, the raw record as it is.
func (f *Field) Text(e *Entry) string {
	if f.at != nil {
		return *f.at(e)
	}

	return f.text(e)
}

// The names of the fields that code refers to.
const (
	FieldAccount    = "account"
	FieldChanges    = "changes"
	FieldRaw        = "raw"
	FieldOrigin     = "origin"
	FieldIPAddress  = "ip_address"
	FieldResourceID = "resource_id"
)

// Fields lists the fields of an entry in the order in which they are shown and
// written everywhere.
func Fields() []Field { return fields }

// FieldByName returns the field of that name.
func FieldByName(name string) (Field, bool) {
	for _, f := range fields {
		if f.Name == name {
			return f, true
		}
	}

	return Field{}, false
}

// fields is the one list that schema, JSON, CSV and documentation share.
var fields = []Field{
	{Name: "id", Required: true, Description: "The cloud's own id of the entry, or a fingerprint of the record where the cloud gives none.", at: func(e *Entry) *string { return &e.ID }},
	{
		Name: "time", Kind: KindTime, Required: true, Description: "When it happened, in UTC, RFC 3339 with microseconds.",
		text: func(e *Entry) string { return FormatTime(e.Time) },
	},
	{
		Name: "service", Required: true, Description: "The cloud that recorded it.",
		at: func(e *Entry) *string { return &e.Service },
	},
	{Name: "endpoint", Description: "The origin of the API that it was read from, such as `https://api.upcloud.com`.", at: func(e *Entry) *string { return &e.Endpoint }},
	{Name: FieldAccount, Description: "Whose log it is in: what `account` of the provider's block for the service says, else the user name that UpCloud knows the credential by, or the UUID of cloudscale's project.", at: func(e *Entry) *string { return &e.Account }},
	{
		Name: "action", Required: true, Description: "What was done, as the cloud spells it.",
		at: func(e *Entry) *string { return &e.Action },
	},
	{
		Name: "operation", Required: true, Description: "What was done, in the vocabulary shared by every cloud.",
		at: func(e *Entry) *string { return (*string)(&e.Operation) },
	},
	{Name: "actor_type", Required: true, Description: "What kind of actor did it: `user`, `api_token`, `system`, `staff` (people of the cloud) or `unknown`.", at: func(e *Entry) *string { return (*string)(&e.ActorType) }},
	{
		Name: "actor_id", Description: "What identifies the actor, such as the UUID of an API token.",
		at: func(e *Entry) *string { return &e.ActorID },
	},
	{Name: "actor", Description: "The actor as people know it: a user name, an e-mail address, the description of an API token.", at: func(e *Entry) *string { return &e.Actor }},
	{
		Name: "resource_type", Description: "The type of the resource it was done to.",
		at: func(e *Entry) *string { return &e.ResourceType },
	},
	{
		Name: FieldResourceID, Description: "The id of the resource it was done to.",
		at: func(e *Entry) *string { return &e.ResourceID },
	},
	{
		Name: "resource_name", Description: "The name of the resource it was done to.",
		at: func(e *Entry) *string { return &e.ResourceName },
	},
	{
		Name: "scope_type", Description: "What holds the resource: `project`, `organization` or `user`.",
		at: func(e *Entry) *string { return &e.ScopeType },
	},
	{
		Name: "scope_id", Description: "The id of what holds the resource.",
		at: func(e *Entry) *string { return &e.ScopeID },
	},
	{
		Name: "scope_name", Description: "The name of what holds the resource.",
		at: func(e *Entry) *string { return &e.ScopeName },
	},
	{Name: FieldOrigin, Description: "Where the request came from, as the cloud spells it, such as `api` or `gui`.", at: func(e *Entry) *string { return &e.Origin }},
	{
		Name: "auth_type", Description: "How the actor was authenticated, as the cloud spells it.",
		at: func(e *Entry) *string { return &e.AuthType },
	},
	{
		Name: FieldIPAddress, Description: "The address the request came from.",
		at: func(e *Entry) *string { return &e.IPAddress },
	},
	{
		Name: "user_agent", Description: "The program that made the request.",
		at: func(e *Entry) *string { return &e.UserAgent },
	},
	{
		Name: "correlation_id", Description: "The cloud's id of the request that caused the entry.",
		at: func(e *Entry) *string { return &e.CorrelationID },
	},
	{
		Name: "message", Description: "What happened, in the cloud's words.",
		at: func(e *Entry) *string { return &e.Message },
	},
	{Name: FieldChanges, Kind: KindChanges, Description: "The fields that differ between the states before and after, sorted by field.", text: changesText},
	{
		Name: FieldRaw, Kind: KindRaw, Description: "The cloud's record as it came.",
		text: func(e *Entry) string { return string(e.Raw) },
	},
}
