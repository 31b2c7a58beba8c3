// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	upcloud    = "upcloud"
	cloudscale = "cloudscale"
)

// event is a record as the documentation says that it is to be read. It knows
// nothing of the product's entries.
type event struct {
	service string
	at      time.Time
	// text holds the fields of the guide "The entry" but for time, changes and raw;
	// what was not recorded is "".
	text    map[string]string
	changes []change
	raw     map[string]any
	line    string
	// unknown says that no table has the action, unsure that one might.
	unknown, unsure bool
}

// change is a value that differs between two states; what is absent is nil.
type change struct {
	field         string
	before, after *string
}

// textFields are the fields of an entry in the guide's order, without time,
// changes and raw.
var textFields = []string{
	"id", "service", "action", "operation", "actor_type", "actor_id", "actor", "resource_type", "resource_id",
	"resource_name",
	"scope_type", "scope_id", "scope_name", "origin", "auth_type", "ip_address", "user_agent", "correlation_id", "message",
}

// never lists what a service does not record, as the guide's table says.
var never = map[string][]string{
	upcloud:    {"actor_id", "resource_name", "scope_type", "scope_id", "scope_name", "user_agent", "message"},
	cloudscale: {"resource_id", "origin", "auth_type", "user_agent", "correlation_id", "changes"},
}

// operations is the vocabulary.
var operations = []string{
	"create", "read", "update", "delete", "start", "stop", "restart", "attach", "detach", "login", "login_failed",
	"logout",
	"grant", "revoke", "invite", "export", "other",
}

// meanings is the guide's table of actions, and for cloudscale of their last words.
var meanings = map[string]map[string]string{
	upcloud: {
		"create": "create", "clone": "create", "read": "read", "update": "update", "writes-enable": "update",
		"delete": "delete",
		"start":  "start", "stop": "stop", "attach": "attach", "detach": "detach", "login": "login", "logout": "logout",
		"access-granted": "grant", "access-granted-kubeconfig": "grant", "access-modified": "grant", "access-update": "grant",
		"owner-change": "grant", "maintenance-start": "other",
	},
	cloudscale: {
		"create": "create", "read": "read", "update": "update", "rename": "update", "resize": "update", "delete": "delete",
		"start": "start", "stop": "stop", "restart": "restart", "reboot": "restart", "attach": "attach", "detach": "detach",
		"login": "login", "logout": "logout", "grant": "grant", "revoke": "revoke", "invite": "invite", "export": "export",
	},
}

// words are those of the guide's table that every cloud shares.
var words = map[string]string{
	"create":  "create add clone copy duplicate provision allocate generate register launch",
	"read":    "read get list view show describe fetch retrieve download",
	"update":  "update modify change edit alter rename resize configure patch scale upgrade downgrade",
	"delete":  "delete destroy remove terminate purge release deprovision erase wipe drop deallocate unregister decommission discard prune expunge",
	"start":   "start boot resume unpause",
	"stop":    "stop pause suspend halt hibernate",
	"restart": "restart reboot",
	"attach":  "attach mount connect associate",
	"detach":  "detach unmount disconnect disassociate",
	"login":   "login", "logout": "logout",
	"grant": "grant share authorize", "revoke": "revoke unshare deauthorize", "invite": "invite", "export": "export",
}

// made up words, which no table can know.
var inventedWords = []string{"obliterate", "vaporize"}

// meaning returns what an action means, and whether a table has it.
func meaning(service, action string) (operation string, known bool) {
	word := action
	if service == cloudscale {
		word = action[strings.LastIndex(action, "_")+1:]
	}

	if operation, known = meanings[service][word]; known {
		return operation, true
	}

	for operation, list := range words {
		if decided[widerWords] && slices.Contains(strings.Fields(list), word) {
			return operation, true
		}
	}

	return "other", false
}

// eventOf reads a record of either service, but for the id of cloudscale's.
func eventOf(service, line string) *event {
	e := &event{service: service, line: line, text: map[string]string{"service": service}}
	e.raw, _ = parse(line).(map[string]any)

	at := "time"
	if service == cloudscale {
		at = "timestamp"
	}

	var err error
	if e.at, err = time.Parse(time.RFC3339, textAt(e.raw, at)); err != nil {
		panic(err)
	}

	e.text["action"], e.text["ip_address"] = textAt(e.raw, "action"), textAt(e.raw, "ip_address")

	var known bool

	e.text["operation"], known = meaning(service, e.text["action"])
	word := e.text["action"][strings.LastIndexAny(e.text["action"], "_")+1:]
	e.unknown = !known && slices.Contains(inventedWords, word)
	e.unsure = !known

	if service == upcloud {
		e.readUpCloud()
	} else {
		e.readCloudscale()
	}

	return e
}

func (e *event) readUpCloud() {
	for field, key := range map[string]string{
		"id": "cloud_event_id", "actor": "account_username", "resource_type": "resource_type", "resource_id": "resource_id",
		"origin": "origin", "auth_type": "auth_type", "correlation_id": "upcloud_correlation_id",
	} {
		e.text[field] = textAt(e.raw, key)
	}

	e.text["actor_type"] = "user"
	if e.text["actor"] == "" {
		e.text["actor_type"] = "unknown"
	}

	if e.text["origin"] == "upcloud_internal" {
		e.text["actor_type"] = "system"
	}

	e.changes = changesOf(e.raw["previous_state"], e.raw["current_state"])
}

func (e *event) readCloudscale() {
	action := e.text["action"]
	if i := strings.LastIndex(action, "_"); i >= 0 {
		e.text["resource_type"] = action[:i]
	}

	e.text["message"] = textAt(e.raw, "message")
	e.text["resource_name"] = quotedName(e.text["message"])
	e.text["actor_type"] = "unknown"

	actor, _ := e.raw["actor"].(map[string]any)
	if user, ok := actor["user"].(map[string]any); ok {
		e.text["actor_type"], e.text["actor"] = "user", textAt(user, "email")
	}

	if token, ok := actor["api_token"].(map[string]any); ok {
		e.text["actor_type"], e.text["actor_id"], e.text["actor"] = "api_token", textAt(token, "uuid"),
			textAt(token, "description")
	}

	if _, ok := actor["system"].(map[string]any); ok {
		e.text["actor_type"] = "system"
	}

	if _, ok := actor["admin"].(map[string]any); ok {
		e.text["actor_type"] = "staff"
	}

	subject, _ := e.raw["subject"].(map[string]any)
	for _, kind := range []string{"project", "organization"} {
		if holder, ok := subject[kind].(map[string]any); ok {
			e.text["scope_type"], e.text["scope_id"], e.text["scope_name"] = kind, textAt(holder, "uuid"), textAt(holder, "name")
		}
	}

	if user, ok := subject["user"].(map[string]any); ok {
		e.text["scope_type"], e.text["scope_name"] = "user", textAt(user, "email")
	}
}

// quotedName is the name in a message that quotes exactly one, followed by "has
// been" or "have been". A name may have an apostrophe, but nothing that could be
// the end of one name or the beginning of another.
func quotedName(message string) string {
	first, last := strings.Index(message, "'"), strings.LastIndex(message, "'")
	if first == last {
		return ""
	}

	quoted, rest := message[first+1:last], message[last+1:]
	if !strings.HasPrefix(rest, " has been ") && !strings.HasPrefix(rest, " have been ") {
		return ""
	}

	if strings.Count(quoted, "'") > 1 || strings.Contains(quoted, "' ") || strings.Contains(quoted, " '") {
		return ""
	}

	return quoted
}

// identify gives cloudscale's records their ids, in the order of the log: the
// first 26 characters of the SHA-256 in base32 over the service, the record and
// how many like it came before, a line each.
func identify(events []*event) {
	seen := map[string]int{}

	for _, e := range events {
		if e.service != cloudscale {
			continue
		}

		record := canonical(e.raw)
		sum := sha256.Sum256(fmt.Appendf(nil, "cloudscale\n%s\n%d\n", record, seen[record]))
		e.text["id"] = base32.StdEncoding.EncodeToString(sum[:])[:26]
		seen[record]++
	}
}

// parse reads JSON and keeps numbers as they are written.
func parse(text string) any {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()

	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}

	return v
}

func textAt(object map[string]any, key string) string {
	s, _ := object[key].(string)

	return s
}

// canonical is JSON with sorted keys and without white space, as jq -cS writes it.
func canonical(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(x)
	case json.Number:
		return x.String()
	case string:
		var b strings.Builder

		b.WriteByte('"')

		for _, r := range x {
			switch short := strings.IndexRune("\"\\\b\f\n\r\t", r); {
			case short >= 0:
				b.WriteString([]string{`\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`}[short])
			case r < ' ' || r == '\x7f':
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}

		b.WriteByte('"')

		return b.String()
	case []any:
		parts := make([]string, len(x))
		for i := range x {
			parts[i] = canonical(x[i])
		}

		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		parts := make([]string, 0, len(x))
		for _, key := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, canonical(key)+":"+canonical(x[key]))
		}

		return "{" + strings.Join(parts, ",") + "}"
	default:
		panic(fmt.Sprintf("no JSON: %T", v))
	}
}

// leaf is a value in a state that holds no other ones.
type leaf struct {
	path  string
	value any
}

func leavesOf(path string, v any) []leaf {
	var all []leaf

	below := func(step string, inner any) {
		if strings.ContainsAny(step, `."`) {
			step = strconv.Quote(step)
		}

		if path != "" {
			step = path + "." + step
		}

		all = append(all, leavesOf(step, inner)...)
	}

	switch x := v.(type) {
	case map[string]any:
		for key, inner := range x {
			below(key, inner)
		}
	case []any:
		for i, inner := range x {
			below(strconv.Itoa(i), inner)
		}
	}

	// Empty objects and lists are values of their own; a state that is empty is none.
	if len(all) == 0 && path != "" {
		return []leaf{{path, v}}
	}

	return all
}

// changesOf compares two states, every value with every other.
func changesOf(before, after any) []change {
	var all []change

	old, young := leavesOf("", before), leavesOf("", after)

	if decided[kindsOfStates] {
		all = kindChanges("", before, after)
		isThere := func(l leaf) bool { return slices.ContainsFunc(all, func(c change) bool { return c.field == l.path }) }
		old, young = slices.DeleteFunc(old, isThere), slices.DeleteFunc(young, isThere)
	}

	find := func(leaves []leaf, path string) *leaf {
		for i := range leaves {
			if leaves[i].path == path {
				return &leaves[i]
			}
		}

		return nil
	}

	for _, o := range old {
		was := canonical(o.value)

		switch y := find(young, o.path); {
		case y == nil:
			all = append(all, change{field: o.path, before: &was})
		case !same(o.value, y.value):
			is := canonical(y.value)
			all = append(all, change{field: o.path, before: &was, after: &is})
		}
	}

	for _, y := range young {
		if find(old, y.path) == nil {
			is := canonical(y.value)
			all = append(all, change{field: y.path, after: &is})
		}
	}

	slices.SortFunc(all, func(a, b change) int { return cmp.Compare(a.field, b.field) })

	return all
}

// kindChanges are the lists that became objects, and the other way round.
func kindChanges(path string, before, after any) []change {
	var all []change

	was, is := childrenOf(before), childrenOf(after)
	_, wasList := before.([]any)
	_, isList := after.([]any)
	alike := len(was) > 0 == (len(is) > 0)

	if was != nil && is != nil && wasList != isList && (alike || decided[emptyKinds]) {
		x, y := canonical(before), canonical(after)
		all = append(all, change{path, &x, &y})
	}

	for step, inner := range was {
		if _, ok := is[step]; !ok {
			continue
		}

		below := step
		if strings.ContainsAny(step, `."`) {
			below = strconv.Quote(step)
		}

		if path != "" {
			below = path + "." + below
		}

		all = append(all, kindChanges(below, inner, is[step])...)
	}

	return all
}

// childrenOf are the values in a list or an object, by step; nil for other values.
func childrenOf(v any) map[string]any {
	switch x := v.(type) {
	case map[string]any:
		return x
	case []any:
		all := map[string]any{}
		for i := range x {
			all[strconv.Itoa(i)] = x[i]
		}

		return all
	default:
		return nil
	}
}

// same says whether two values of states are the same value.
func same(a, b any) bool {
	m, isNumber := a.(json.Number)
	n, areNumbers := b.(json.Number)

	if decided[numbersByValue] && isNumber && areNumbers {
		x, _, errX := big.ParseFloat(m.String(), 10, 200, big.ToNearestEven)
		y, _, errY := big.ParseFloat(n.String(), 10, 200, big.ToNearestEven)

		return errX == nil && errY == nil && x.Cmp(y) == 0
	}

	return canonical(a) == canonical(b)
}

// actorKey is how an actor is counted and grouped: by name, else by id, else by kind.
func (e *event) actorKey() string {
	return name(cmp.Or(e.text["actor"], e.text["actor_id"], e.text["actor_type"]))
}

// inOrder sorts by time, ties by id.
func inOrder(events []*event) []*event {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b *event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.text["id"], b.text["id"]))
	})

	return sorted
}

// timeText is a time as rows show it.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
