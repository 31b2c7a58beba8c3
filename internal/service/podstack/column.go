// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// target is what a column of an export becomes: a field of the entry, or a part
// of its changes.
type target int

const (
	toID target = iota
	toTime
	toAction
	toActorType
	toActorID
	toActor
	toResourceType
	toResourceID
	toResourceName
	toScopeType
	toScopeID
	toScopeName
	toOrigin
	toAuthType
	toIPAddress
	toUserAgent
	toCorrelationID
	toMessage
	toPrevious
	toNew
	toModified
	// What follows is only in files that audit_log_export wrote.
	toService
	toEndpoint
	toAccount
	toOperation
	toChanges
	toRaw
	targets
)

// labels are the names of targets in a mapping, and the headers that are taken
// for them, squeezed. What PodStack calls its columns is documented nowhere; these
// are the words of its console's page and their usual synonyms.
var labels = [targets]struct {
	name    string
	headers string
}{
	toID:            {"id", "id eventid entryid logid logentryid auditid auditlogid recordid"},
	toTime:          {"time", "time timestamp date datetime dateandtime createdat created when occurredat occurred happenedat performedat loggedat recordedat eventtime eventdate eventtimestamp actiontime exacttimestamp"},
	toAction:        {"action", "action event activity operation eventtype eventname actiontype actionname activitytype"},
	toActorType:     {"actor_type", "actortype usertype"},
	toActorID:       {"actor_id", "actorid userid"},
	toActor:         {"actor", "actor user username useremail email emailaddress actoremail actorname performedby initiatedby doneby by who member"},
	toResourceType:  {"resource_type", "resourcetype resourcekind targettype objecttype entitytype"},
	toResourceID:    {"resource_id", "resourceid targetid objectid entityid"},
	toResourceName:  {"resource_name", "resourcename resource name target targetname object objectname entity entityname"},
	toScopeType:     {"scope_type", "scopetype"},
	toScopeID:       {"scope_id", "scopeid projectid"},
	toScopeName:     {"scope_name", "scopename scope project projectname projectcontext"},
	toOrigin:        {"origin", "origin"},
	toAuthType:      {"auth_type", "authtype authmethod authentication authenticationmethod"},
	toIPAddress:     {"ip_address", "ipaddress ip ipaddr sourceip sourceipaddress clientip clientipaddress remoteip remoteaddress userip useripaddress usersipaddress"},
	toUserAgent:     {"user_agent", "useragent browser client browserclient useragentbrowserclient"},
	toCorrelationID: {"correlation_id", "correlationid requestid"},
	toMessage:       {"message", "message details detail description summary additionalcontext"},
	toPrevious:      {"previous_values", "previousvalues previousvalue previousstate previous oldvalues oldvalue before"},
	toNew:           {"new_values", "newvalues newvalue newstate currentvalues currentstate after"},
	toModified:      {"modified_fields", "modifiedfields modifiedfield changedfields updatedfields"},
	toService:       {"service", ""},
	toEndpoint:      {"endpoint", ""},
	toAccount:       {auditlog.FieldAccount, ""},
	toOperation:     {"operation", ""},
	toChanges:       {auditlog.FieldChanges, ""},
	toRaw:           {auditlog.FieldRaw, ""},
}

// targetNamed has the names of targets, which audit_log_export writes as headers, and
// targetOf the squeezed headers.
var targetNamed, targetOf = func() (named, of map[string]target) {
	named, of = map[string]target{}, map[string]target{}

	for t := range targets {
		named[labels[t].name] = t

		for header := range strings.FieldsSeq(labels[t].headers) {
			of[header] = t
		}
	}

	return named, of
}()

// ColumnNames lists what a mapping may name: the fields of an entry that come
// from a column, and the three that become its changes.
func ColumnNames() []string {
	names := make([]string, 0, toService)
	for t := range toService {
		names = append(names, labels[t].name)
	}

	return names
}

// guess returns the target that a header is taken for.
func guess(header string) (target, bool) {
	squeezed := squeeze(header)

	t, ok := targetOf[squeezed]
	if ok {
		return t, true
	}

	// "Time (UTC)" says what is assumed anyway; any other zone has to be mapped.
	t, ok = targetOf[strings.TrimSuffix(squeezed, "utc")]

	return t, ok && t == toTime
}

// columns says what each column of a file becomes. Files may have a hundred
// thousand of them, so nothing looks through all headers for each.
type columns struct {
	headers []string
	// spelled and sounding have the first column of a header as it is spelled and
	// as it sounds; columns without a header are in neither.
	spelled, sounding map[string]int
	// of has the index of a target's column, -1 where there is none.
	of [targets]int
	// spare are the columns with a header that become nothing but raw, and unwanted
	// those of them that the user knows of.
	spare    []int
	unwanted []bool
	// blank are the columns without a header, whose cells have to be empty.
	blank []int
	// records is a hash of what a row records, whatever the order and the words of
	// the headers.
	records [sha256.Size]byte
	// own says that audit_log_export wrote the file.
	own bool
	// project says that the scope's column speaks of a project.
	project bool
}

func (c *columns) has(t target) bool { return c.of[t] >= 0 }

// ownHeaders are those by which a file of audit_log_export is told.
var ownHeaders = []target{toTime, toService, toAction, toOperation}

// mapping is what the user says of columns.
type mapping struct {
	// fields has headers by the names of targets.
	fields map[string]string
	// ignored are the headers of columns that are to become nothing.
	ignored []string
}

// mapColumns decides by the mapping first, by the headers' words then. The names
// of the mapping have been checked.
func mapColumns(headers []string, at func(i int) place, m mapping) (*columns, *Error) {
	c := &columns{headers: headers, unwanted: make([]bool, len(headers))}

	for t := range targets {
		c.of[t] = -1
	}

	if c.isEvent(m.fields[labels[toTime].name]) {
		return nil, &Error{
			Reason: "The first line holds an event instead of headers.",
			Next:   "Export again with headers, or write a line of headers above it.",
		}
	}

	if i := c.readHeaders(); i >= 0 {
		return nil, c.problemAt(i, at, fmt.Sprintf("The header %q stands twice.", headers[i]),
			"Export again, or rename one of the two columns.")
	}

	c.own = !slices.ContainsFunc(ownHeaders, func(t target) bool {
		_, ok := c.spelled[labels[t].name]

		return !ok
	})
	taken := c.applyMapping(m.fields)

	for _, header := range m.ignored {
		if i := c.find(header); i >= 0 {
			c.unwanted[i] = true
		}
	}

	for i, header := range headers {
		if header == "" || taken[i] {
			continue
		}

		t, ok := guess(header)
		if own, found := targetNamed[header]; c.own && found {
			t, ok = own, true
		}

		// Our own files have their changes worked out.
		beside := c.own && (t == toPrevious || t == toNew || t == toModified)

		switch {
		case !ok || beside || c.unwanted[i] || c.has(t) && taken[c.of[t]]:
			c.spare = append(c.spare, i)
		case c.has(t):
			return nil, c.problemAt(i, at,
				fmt.Sprintf("Both %q and %q could be the column of %s.", headers[c.of[t]], header, labels[t].name),
				fmt.Sprintf("Say which it is: columns = { %s = %q }.", labels[t].name, header))
		default:
			c.of[t] = i
		}
	}

	if c.has(toScopeName) {
		c.project = strings.Contains(squeeze(headers[c.of[toScopeName]]), "project")
	} else if c.has(toScopeID) {
		c.project = strings.Contains(squeeze(headers[c.of[toScopeID]]), "project")
	}

	c.records = c.whatRecords()

	return c, nil
}

// whatRecords is the hash of the targets and the other columns that a row has.
func (c *columns) whatRecords() [sha256.Size]byte {
	names := make([]string, 0, len(c.spare))

	for t := range targets {
		if c.has(t) {
			names = append(names, labels[t].name)
		}
	}

	for _, i := range c.spare {
		names = append(names, "column "+c.headers[i])
	}

	slices.Sort(names)

	return sha256.Sum256(fmt.Appendf(nil, "%q", names))
}

// isEvent tells the first line of a file without headers, which must not be shown:
// none of its cells means time, and one holds an address or a number.
func (c *columns) isEvent(timeHeader string) bool {
	const mostDigits = 3

	event := false
	when := sound(timeHeader)

	for _, h := range c.headers {
		if t, ok := guess(h); ok && t == toTime || when != "" && sound(h) == when {
			return false
		}

		numbers := strings.FieldsFunc(h, func(r rune) bool { return r < '0' || r > '9' })
		event = event || strings.Index(h, "@") > 0 || len(strings.Join(numbers, "")) > mostDigits || strings.Contains(h, "::")
	}

	return event
}

// readHeaders returns the first column whose header stands twice, since a record
// has each once, or -1.
func (c *columns) readHeaders() int {
	c.spelled, c.sounding = make(map[string]int, len(c.headers)), make(map[string]int, len(c.headers))

	for i := range c.headers {
		header := strings.TrimSpace(c.headers[i])
		c.headers[i] = header

		if header == "" {
			c.blank = append(c.blank, i)

			continue
		}

		if _, twice := c.spelled[header]; twice {
			return i
		}

		c.spelled[header] = i

		if _, known := c.sounding[sound(header)]; !known {
			c.sounding[sound(header)] = i
		}
	}

	return -1
}

// applyMapping says which columns are spoken for.
func (c *columns) applyMapping(mapping map[string]string) []bool {
	taken := make([]bool, len(c.headers))

	for t := range toService {
		header, ok := mapping[labels[t].name]
		if !ok {
			continue
		}

		if i := c.find(header); i >= 0 {
			c.of[t], taken[i] = i, true
		}
	}

	return taken
}

// sound is what makes headers alike whatever their case and signs, unless there
// is nothing else.
func sound(header string) string { return cmp.Or(squeeze(header), strings.TrimSpace(header)) }

// find looks for a header as it is spelled, and as it sounds then.
func (c *columns) find(header string) int {
	if i, ok := c.spelled[strings.TrimSpace(header)]; ok {
		return i
	}

	if i, ok := c.sounding[sound(header)]; ok {
		return i
	}

	return -1
}

// missing returns the required targets that no column has.
func (c *columns) missing() []target {
	return slices.DeleteFunc([]target{toTime, toAction}, c.has)
}

// problem is an error about the headers, which it shows.
func (c *columns) problem(reason, next string) *Error {
	return &Error{Headers: slices.Clone(c.headers), Reason: reason, Next: next}
}

// problemAt is one about a single header.
func (c *columns) problemAt(column int, at func(i int) place, reason, next string) *Error {
	e := c.problem(reason, next)
	e.Header, e.Column = c.headers[column], at(column).column

	return e
}

// unrecognised asks for the mapping of what is missing. The first rows tell which
// column holds times.
func (c *columns) unrecognised(rows [][]string) *Error {
	isTime := func(cell string) bool {
		_, ok := parseMoment(cell)

		return ok
	}

	missing := c.missing()
	names, pairs := make([]string, 0, len(missing)), make([]string, 0, len(missing))

	for _, t := range missing {
		header := "…"

		if t == toTime {
			for i := range c.headers {
				if looksLike(rows, i, isTime) {
					header = c.headers[i]

					break
				}
			}
		}

		names = append(names, labels[t].name)
		pairs = append(pairs, fmt.Sprintf("%s = %q", labels[t].name, header))
	}

	return c.problem(
		fmt.Sprintf("No header is known to mean %s.", strings.Join(names, " or ")),
		fmt.Sprintf("Name the header: columns = { %s }.", strings.Join(pairs, ", ")))
}

// looksLike says whether every cell of a column that holds something is of a kind.
func looksLike(rows [][]string, column int, is func(cell string) bool) bool {
	found := false

	for _, row := range rows {
		if column < len(row) && row[column] != "" {
			if !is(row[column]) {
				return false
			}

			found = true
		}
	}

	return found
}

// neverRecorded lists the fields of an entry that none of the files can fill.
func neverRecorded(all ...*columns) []string {
	given := map[string]bool{
		"id": true, "time": true, "service": true, "action": true, "operation": true,
		"actor_type": true, auditlog.FieldRaw: true,
	}

	for _, c := range all {
		for t := range targets {
			if c.has(t) && t != toEndpoint && t != toAccount {
				given[labels[t].name] = true
			}
		}

		given["scope_type"] = given["scope_type"] || c.project
		given[auditlog.FieldChanges] = given[auditlog.FieldChanges] || c.has(toPrevious) || c.has(toNew) || c.has(toModified)
	}

	never := []string{}

	for _, f := range auditlog.Fields() {
		if !given[f.Name] {
			never = append(never, f.Name)
		}
	}

	return never
}
