// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

const (
	// maxText is how many characters of one value a row shows. What is longer is cut, and
	// says so.
	maxText = 600
	// maxChanges is how many changed fields a row shows, and maxValue how many characters
	// of the values before and after.
	maxChanges = 8
	maxValue   = 60
)

// row is an entry as a line of a table, fit to be shown.
type row struct {
	Time         string
	Actor        string
	ActorNote    string
	Operation    string
	Action       string
	ResourceType string
	Resource     string
	ResourceID   string
	Address      string
	Origin       string
	Message      string
	Changes      []string
	MoreChanges  int
	ID           string
	// Notable is the class of the line, "" for most.
	Notable string
}

func newRow(e *auditlog.Entry, zone *time.Location) row {
	r := row{
		Time:         rowTime(e.Time, zone),
		Actor:        shown(cmp.Or(e.Actor, e.ActorID)),
		Operation:    operationText(e.Operation),
		Action:       shown(e.Action),
		ResourceType: shown(e.ResourceType),
		Resource:     shown(cmp.Or(e.ResourceName, e.ResourceID)),
		Address:      shown(e.IPAddress),
		Origin:       shown(e.Origin),
		Message:      shown(e.Message),
		ID:           shown(e.ID),
	}

	if e.ResourceName != "" {
		r.ResourceID = shown(e.ResourceID)
	}

	if r.Resource == "" {
		r.Resource, r.ResourceType = r.ResourceType, ""
	}

	if e.ActorType != auditlog.ActorUser {
		r.ActorNote = actorTypeText(e.ActorType)
	}

	if e.Actor != "" && e.ActorID != "" && e.ActorID != e.Actor {
		r.ActorNote = strings.TrimPrefix(r.ActorNote+", "+shown(e.ActorID), ", ")
	}

	if r.Action == string(e.Operation) {
		r.Action = ""
	}

	switch {
	case e.Operation == auditlog.OperationDelete:
		r.Notable = "d"
	case isPermission(e.Operation):
		r.Notable = "p"
	}

	for i, c := range e.Changes {
		if i == maxChanges {
			r.MoreChanges = len(e.Changes) - maxChanges

			break
		}

		r.Changes = append(r.Changes, changeText(c))
	}

	return r
}

// changeText is a change on one line, such as "size: 10 → 20".
func changeText(c auditlog.Change) string {
	value := func(v *string) string {
		if v == nil {
			return "(none)"
		}

		if *v == "" {
			return "(empty)"
		}

		return cut(screen.Text(*v), maxValue)
	}

	return fmt.Sprintf("%s: %s → %s", cut(screen.Text(c.Field), maxValue), value(c.Before), value(c.After))
}

// shown makes a value fit to be shown.
func shown(text string) string {
	if text == "" {
		return ""
	}

	return cut(screen.Text(text), maxText)
}

// cut shortens a text and says how much is left out.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}

	n := utf8.RuneCountInString(text)
	if n <= most {
		return text
	}

	return fmt.Sprintf("%s… (%s more characters)", string([]rune(text)[:most]), number(int64(n-most)))
}

// rowTime is a time to the microsecond, without zeros at its end. Beyond UTC it has its offset, since an hour comes
// twice when clocks are put back.
func rowTime(t time.Time, zone *time.Location) string {
	if zone == time.UTC {
		return t.In(zone).Format("2006-01-02 15:04:05.999999")
	}

	return t.In(zone).Format("2006-01-02 15:04:05.999999 -07:00")
}

var operationTexts = map[auditlog.Operation]string{
	auditlog.OperationLoginFailed: "failed login",
	auditlog.OperationGrant:       "grant rights",
	auditlog.OperationRevoke:      "revoke rights",
}

// operationText is an operation in words.
func operationText(op auditlog.Operation) string {
	return cmp.Or(operationTexts[op], shown(string(op)))
}

var actorTypeTexts = map[auditlog.ActorType]string{
	auditlog.ActorUser: "person", auditlog.ActorAPIToken: "API token", auditlog.ActorSystem: "the cloud's system",
	auditlog.ActorStaff: "the cloud's staff", auditlog.ActorUnknown: "kind not known",
}

func actorTypeText(t auditlog.ActorType) string { return cmp.Or(actorTypeTexts[t], shown(string(t))) }
