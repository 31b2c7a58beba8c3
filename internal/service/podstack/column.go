// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"cmp"
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

// targetOf has the squeezed headers.
var targetOf = func() map[string]target {
	all := map[string]target{}

	for t := range targets {
		for header := range strings.FieldsSeq(labels[t].headers) {
			all[header] = t
		}
	}

	return all
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

// columns says what each column of a file becomes.
type columns struct {
	headers []string
	// places are where the headers stand in their line.
	places []int
	// of has the index of a target's column, -1 where there is none.
	of [targets]int
	// spare are the columns with a header that become nothing but raw.
	spare []int
	// blank are the columns without a header, whose cells have to be empty.
	blank []int
	// own says that audit_log_export wrote the file.
	own bool
	// project says that the scope's column speaks of a project.
	project bool
}

func (c *columns) has(t target) bool { return c.of[t] >= 0 }

// ownHeaders are those by which a file of audit_log_export is told.
var ownHeaders = []target{toTime, toService, toAction, toOperation}

// mapColumns decides by the mapping first, by the headers' words then. The names
// of the mapping have been checked.
func mapColumns(headers []string, places []int, mapping map[string]string) (*columns, *Error) {
	c := &columns{headers: headers, places: places}

	for t := range targets {
		c.of[t] = -1
	}

	if c.isEvent(mapping) {
		return nil, &Error{
			Reason: "The first line holds an event instead of headers.",
			Next:   "Export again with headers, or write a line of headers above it.",
		}
	}

	if err := c.readHeaders(); err != nil {
		return nil, err
	}

	c.own = !slices.ContainsFunc(ownHeaders, func(t target) bool { return !slices.Contains(headers, labels[t].name) })
	taken := c.applyMapping(mapping)

	for i, header := range headers {
		if header == "" || slices.Contains(taken, i) {
			continue
		}

		t, ok := guess(header)
		if own := slices.IndexFunc(labels[:], func(l struct{ name, headers string }) bool { return l.name == header }); c.own && own >= 0 {
			t, ok = target(own), true
		}

		switch {
		case !ok || slices.Contains(taken, c.of[t]):
			c.spare = append(c.spare, i)
		case c.has(t):
			return nil, c.problem(i,
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

	return c, nil
}

// isEvent tells the first line of a file without headers, which must not be shown:
// none of its cells means time, and one holds an address or a number.
func (c *columns) isEvent(mapping map[string]string) bool {
	const mostDigits = 3

	event := false

	for _, h := range c.headers {
		if t, ok := guess(h); ok && t == toTime || squeeze(h) == squeeze(mapping[labels[toTime].name]) && h != "" {
			return false
		}

		numbers := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}

			return r
		}, h)

		event = event || strings.Index(h, "@") > 0 || len(numbers) > mostDigits || strings.Contains(h, "::")
	}

	return event
}

// readHeaders refuses a header that stands twice, since a record has each once.
func (c *columns) readHeaders() *Error {
	for i, header := range c.headers {
		c.headers[i] = strings.TrimSpace(header)

		switch first := slices.Index(c.headers, c.headers[i]); {
		case c.headers[i] == "":
			c.blank = append(c.blank, i)
		case first < i:
			return c.problem(i, fmt.Sprintf("The header %q stands twice.", c.headers[i]), "Export again, or rename one of the two columns.")
		}
	}

	return nil
}

// applyMapping returns the columns that are spoken for.
func (c *columns) applyMapping(mapping map[string]string) []int {
	taken := []int{}

	for t := range toService {
		header, ok := mapping[labels[t].name]
		if !ok {
			continue
		}

		if i := c.find(header); i >= 0 {
			c.of[t] = i
			taken = append(taken, i)
		}
	}

	return taken
}

// find looks for a header as it is spelled, and as it sounds then.
func (c *columns) find(header string) int {
	return cmp.Or(
		slices.Index(c.headers, strings.TrimSpace(header))+1,
		slices.IndexFunc(c.headers, func(h string) bool { return h != "" && squeeze(h) == squeeze(header) })+1) - 1
}

// missing returns the required targets that no column has.
func (c *columns) missing() []target {
	return slices.DeleteFunc([]target{toTime, toAction}, c.has)
}

// problem is an error about the headers, which it shows.
func (c *columns) problem(column int, reason, next string) *Error {
	e := &Error{Headers: slices.Clone(c.headers), Reason: reason, Next: next}
	if column >= 0 {
		e.Header, e.Column = c.headers[column], c.places[column]
	}

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

	return c.problem(-1,
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
	given := map[string]bool{"id": true, "time": true, "service": true, "action": true, "operation": true, "actor_type": true, auditlog.FieldRaw: true}

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
