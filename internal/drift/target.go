// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Target is one thing whose life is told.
type Target struct {
	// Service is the cloud that it is of, "" where that is not known.
	Service string
	// Type is as the log spells it, "" where that is not known.
	Type string
	ID   string
	Name string
	// Container says that the id is that of what holds the thing.
	Container bool
	// Doubt is why finding nothing proves nothing, "" where it does.
	Doubt Reason
}

// Mentioned means that the message of an entry names the thing among others, such as a volume that was attached to it.
const Mentioned Match = "mentioned"

// TargetOf says what is looked for in a log to tell the life of one of several resources, and why it cannot be, ""
// where it can.
func TargetOf(r Resource, all []Resource) (Target, Reason) {
	k, ok := KindOf(r.Type)
	if !ok {
		return Target{}, ForeignProvider
	}

	t := Target{Service: k.Service}
	if k.certain() {
		t.Type = k.LogTypes[0]
	} else {
		t.Doubt = NotInLog
	}

	byName := k.Match == ByName || k.Service == auditlog.ServicePodStack && r.ID == ""

	switch {
	case byName && r.Name == "":
		return Target{}, NoName
	case byName:
		t.Name, t.Type = r.Name, logTypeOf(&place{resource: r, kind: k})

		isNamesake := func(o Resource) bool { return o.Type == r.Type && o.Name == r.Name && o.Address != r.Address }
		if t.Doubt == "" && slices.ContainsFunc(all, isNamesake) {
			t.Doubt = AmbiguousName
		}
	case r.ID == "":
		return Target{}, NoID
	default:
		t.ID = r.ID

		if k.Service == auditlog.ServicePodStack {
			t.Name = r.Name // An entry may lack the id.
		}

		if k.Match == ByContainer {
			t.ID, _, _ = strings.Cut(r.ID, "/")
			t.Container = true
		}
	}

	return t, ""
}

// TargetNamed is a thing of which nothing is known but an id, or a name.
func TargetNamed(text string) Target {
	if isUUID(text) {
		return Target{ID: text}
	}

	return Target{ID: text, Name: text}
}

// LooksLikeAddress says whether a text is meant to be the address of a resource, though it may not be one.
func LooksLikeAddress(text string) bool {
	first, _, more := strings.Cut(text, ".")
	_, known := KindOf(first)

	return more && (known || first == "module" || first == "data")
}

// Query narrows a query to what can be about the thing.
func (t *Target) Query(q auditlog.Query, info auditlog.Info) auditlog.Query {
	switch {
	case t.ID != "" && (t.Name == "" || !info.Records(fieldName)):
		// Ids are compared exactly there, and here whatever their case.
		q.ResourceIDs = []string{t.ID, strings.ToLower(t.ID), strings.ToUpper(t.ID)}
		slices.Sort(q.ResourceIDs)
		q.ResourceIDs = slices.Compact(q.ResourceIDs)
	case t.ID == "" || t.ID == t.Name:
		q.Search = t.Name
	default: // Either may be found.
	}

	return q
}

// Match says by what an entry is about the thing, and false where it is not.
func (t *Target) Match(e *auditlog.Entry) (Match, bool) {
	if t.Service != "" && e.Service != t.Service {
		return "", false
	}

	// An id that others can have is that of its type only, where that is known.
	sameType := t.Type == "" || normalType(e.ResourceType) == normalType(t.Type)

	sameID := t.ID != "" && strings.EqualFold(auditlog.Normal(t.ID), auditlog.Normal(e.ResourceID))

	switch {
	case sameID && (sameType || isUUID(t.ID)):
		if t.Container {
			return ByContainer, true
		}

		return ByID, true
	case t.Name == "":
		return "", false
	case e.ResourceID != "" && t.ID != "" && t.ID != t.Name:
		return "", false // It has another id.
	case auditlog.Normal(e.ResourceName) == auditlog.Normal(t.Name) && sameType:
		return ByName, true
	case auditlog.Normal(e.ResourceName) == auditlog.Normal(t.Name) &&
		slices.Contains(strings.Split(normalType(e.ResourceType), "_"), normalType(t.Type)):
		return Mentioned, true // Such as the volume of a server.
	case e.ResourceName == "" && e.ResourceID == "" &&
		strings.Contains(auditlog.Normal(e.Message), "'"+auditlog.Normal(t.Name)+"'"):
		return Mentioned, true
	default:
		return "", false
	}
}
