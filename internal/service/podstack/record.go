// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// row is one record of a file.
type row struct {
	file  *file
	line  int
	at    time.Time
	cells []string
}

func (r *row) cell(t target) string {
	if i := r.file.columns.of[t]; i >= 0 {
		return strings.TrimSpace(r.cells[i])
	}

	return ""
}

// entry maps a row that has been checked. The id is for the caller to give where
// the file has none.
func (r *row) entry() auditlog.Entry {
	e := auditlog.Entry{
		ID: r.cell(toID), Time: r.at, Service: auditlog.ServicePodStack,
		Action: r.cell(toAction), Operation: OperationOf(r.cell(toAction)),
		ActorType: auditlog.ActorUnknown, ActorID: r.cell(toActorID), Actor: r.cell(toActor),
		ResourceType: r.cell(toResourceType), ResourceID: r.cell(toResourceID), ResourceName: r.cell(toResourceName),
		ScopeType: r.cell(toScopeType), ScopeID: r.cell(toScopeID), ScopeName: r.cell(toScopeName),
		Origin: r.cell(toOrigin), AuthType: r.cell(toAuthType), IPAddress: r.cell(toIPAddress),
		UserAgent: r.cell(toUserAgent), CorrelationID: r.cell(toCorrelationID), Message: r.cell(toMessage),
	}

	if e.Actor != "" || e.ActorID != "" {
		e.ActorType = auditlog.ActorUser
	}

	if t := auditlog.ActorType(strings.ToLower(r.cell(toActorType))); t != "" {
		e.ActorType = auditlog.ActorUnknown
		if slices.Contains([]auditlog.ActorType{
			auditlog.ActorUser, auditlog.ActorAPIToken, auditlog.ActorSystem,
			auditlog.ActorStaff,
		}, t) {
			e.ActorType = t
		}
	}

	if r.file.columns.project && e.ScopeType == "" && (e.ScopeID != "" || e.ScopeName != "") {
		e.ScopeType = "project"
	}

	changes := changesOf(r.cell(toPrevious), r.cell(toNew), r.cell(toModified))

	if r.file.columns.own {
		r.ownEntry(&e)

		if len(e.Changes) == 0 && len(changes) > 0 {
			e.Changes = changes
		}

		return e
	}

	e.Changes = changes
	e.Raw = r.raw()

	return e
}

// ownEntry takes over what audit_log_export had worked out before.
func (r *row) ownEntry(e *auditlog.Entry) {
	e.Service = cmp.Or(r.cell(toService), e.Service)
	e.Endpoint, e.Account = r.cell(toEndpoint), r.cell(toAccount)
	e.Operation = cmp.Or(auditlog.Operation(r.cell(toOperation)), e.Operation)

	if text := r.cell(toRaw); text != "" {
		e.Raw = json.RawMessage(text)
	}

	// It has been checked.
	_ = unmarshalChanges(r.cell(toChanges), &e.Changes)
}

func unmarshalChanges(text string, changes *[]auditlog.Change) error {
	if text == "" {
		return nil
	}

	if err := exactjson.UnmarshalKnown([]byte(text), changes); err != nil {
		return fmt.Errorf("read changes: %w", err)
	}

	return nil
}

// raw is the record under its file's headers, in the order of the columns.
func (r *row) raw() json.RawMessage {
	var o object

	for i, header := range r.file.columns.headers {
		if header != "" {
			o.add(header, r.cells[i])
		}
	}

	return o.end()
}

// canonical is the record whatever its file calls and where it puts the columns,
// so that the same event has the same form in every export. Columns that become
// nothing are part of it: two events that differ only there are two. Whose log it
// was read from is not, since that says nothing of the event.
func (r *row) canonical() json.RawMessage {
	var o object

	o.add("time", r.at.Format(time.RFC3339Nano))

	for t := range targets {
		if cell := r.cell(t); cell != "" && t != toTime && t != toEndpoint && t != toAccount {
			o.add(labels[t].name, cell)
		}
	}

	for _, i := range r.file.columns.spare {
		if cell := strings.TrimSpace(r.cells[i]); cell != "" {
			o.add("column "+r.file.columns.headers[i], cell)
		}
	}

	return o.end()
}

// object is a JSON object of texts whose keys stay in their order.
type object struct{ b bytes.Buffer }

func (o *object) add(key, value string) {
	o.b.WriteByte(',')

	writeJSON(&o.b, key)
	o.b.WriteByte(':')
	writeJSON(&o.b, value)
}

func (o *object) end() json.RawMessage {
	o.b.WriteByte('}')

	text := o.b.Bytes()
	text[0] = '{' // Instead of the comma before the first key.

	return text
}

func writeJSON(b *bytes.Buffer, text string) {
	// Most cells are plain, and an encoder for each takes most of the time.
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) < 0 {
		b.WriteByte('"')
		b.WriteString(text)
		b.WriteByte('"')

		return
	}

	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)

	_ = e.Encode(text) //nolint:errchkjson // A string can always be encoded, and memory be written to.

	b.Truncate(b.Len() - 1) // The line break.
}

// changesOf makes changes of what the console shows of an update: the values
// before and after, and the names of the fields. Values that are JSON objects are
// compared field by field. Anything else is one value, that of the only modified
// field or of "value". Names alone say that a field changed, not from what to what.
func changesOf(before, after, modified string) []auditlog.Change {
	fields := names(modified)

	if before == "" && after == "" {
		changes := make([]auditlog.Change, 0, len(fields))
		for _, f := range fields {
			changes = append(changes, auditlog.Change{Field: f})
		}

		return changes
	}

	if isObject(before) && isObject(after) {
		if changes, err := auditlog.Changes(json.RawMessage(before), json.RawMessage(after)); err == nil {
			return changes
		}
	}

	c := auditlog.Change{Field: "value", Before: quoted(before), After: quoted(after)}
	if len(fields) == 1 {
		c.Field = fields[0]
	}

	return []auditlog.Change{c}
}

// isObject also holds for no state at all.
func isObject(text string) bool {
	return text == "" || text == "null" || text[0] == '{' && json.Valid([]byte(text))
}

func quoted(text string) *string {
	if text == "" {
		return nil
	}

	var b bytes.Buffer

	writeJSON(&b, text)
	value := b.String()

	return &value
}

// names reads a list of fields: a JSON array, or names between commas, semicolons,
// bars or line breaks. They are sorted, each once.
func names(list string) []string {
	var all []string
	if json.Unmarshal([]byte(list), &all) != nil {
		all = strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(",;|\n", r) })
	}

	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}

	all = slices.DeleteFunc(all, func(name string) bool { return name == "" })
	slices.Sort(all)

	return slices.Compact(all)
}
