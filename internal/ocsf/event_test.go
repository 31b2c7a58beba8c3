// SPDX-License-Identifier: MPL-2.0

package ocsf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/ocsf"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

var tool = ocsf.Product{Name: "terraform-provider-audit", Version: "0.1.0"}

// ocsfSchema is what testdata holds of the published schema. An attribute is
// "required type", "recommended type[]" or "optional type".
type ocsfSchema struct {
	Version   string                       `json:"version"`
	Enums     map[string]map[string]string `json:"enums"`
	Types     map[string]ocsfType          `json:"types"`
	BaseEvent map[string]string            `json:"base_event"`
	Profiles  map[string]map[string]string `json:"profiles"`
	Classes   map[string]struct {
		Caption     string            `json:"caption"`
		CategoryUID json.Number       `json:"category_uid"`
		Category    string            `json:"category"`
		Activities  map[string]string `json:"activities"`
		AtLeastOne  []string          `json:"at_least_one"`
		Attributes  map[string]string `json:"attributes"`
	} `json:"classes"`
	Objects map[string]ocsfObject `json:"objects"`
}

type ocsfType struct {
	JSON    string `json:"json"`
	Regex   string `json:"regex"`
	Address bool   `json:"address"`
	MaxLen  int    `json:"max_len"`

	pattern *regexp.Regexp
}

type ocsfObject struct {
	AtLeastOne []string                     `json:"at_least_one"`
	Enums      map[string]map[string]string `json:"enums"`
	Attributes map[string]string            `json:"attributes"`
}

func readSchema(t *testing.T) *ocsfSchema {
	t.Helper()

	text, err := os.ReadFile(filepath.Join("testdata", "schema-"+ocsf.Version+".json"))
	if err != nil {
		t.Fatal(err)
	}

	s := &ocsfSchema{}
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}

	for name, k := range s.Types {
		k.pattern = regexp.MustCompile(k.Regex)
		s.Types[name] = k
	}

	return s
}

// decodeEvent decodes an object with its numbers as they are written.
func decodeEvent(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()

	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}

	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}

	return v, nil
}

// validate returns everything in which an event differs from the schema.
func (s *ocsfSchema) validate(event map[string]any) []string {
	class, ok := s.Classes[fmt.Sprint(event["class_uid"])]
	if !ok {
		return []string{fmt.Sprintf("class_uid is %v", event["class_uid"])}
	}

	attributes := maps.Clone(s.BaseEvent)

	metadata, _ := event["metadata"].(map[string]any)
	profiles, _ := metadata["profiles"].([]any)

	for _, p := range profiles {
		maps.Copy(attributes, s.Profiles[fmt.Sprint(p)])
	}

	maps.Copy(attributes, class.Attributes)

	enums := maps.Clone(s.Enums)
	enums["activity_id"] = class.Activities

	problems := s.object("event", event, ocsfObject{AtLeastOne: class.AtLeastOne, Enums: enums, Attributes: attributes})
	want := func(name string, value any) {
		if fmt.Sprint(event[name]) != fmt.Sprint(value) {
			problems = append(problems, fmt.Sprintf("%s is %v, not %v", name, event[name], value))
		}
	}

	activity := fmt.Sprint(event["activity_id"])
	classUID, _ := strconv.Atoi(fmt.Sprint(event["class_uid"]))
	activityID, _ := strconv.Atoi(activity)

	want("category_uid", class.CategoryUID)
	want("category_name", class.Category)
	want("class_name", class.Caption)
	want("type_uid", classUID*100+activityID)
	want("type_name", class.Caption+": "+fmt.Sprint(event["activity_name"]))

	if activity != "99" {
		want("activity_name", class.Activities[activity])
	}

	if fmt.Sprint(metadata["version"]) != s.Version {
		problems = append(problems, fmt.Sprintf("metadata.version is %v", metadata["version"]))
	}

	return problems
}

func (s *ocsfSchema) object(at string, object map[string]any, o ocsfObject) []string {
	var problems []string

	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		if _, ok := object[name]; strings.HasPrefix(o.Attributes[name], "required ") && !ok {
			problems = append(problems, at+"."+name+" is missing")
		}
	}

	if len(o.AtLeastOne) > 0 && !slices.ContainsFunc(o.AtLeastOne, func(name string) bool { return object[name] != nil }) {
		problems = append(problems, at+" has none of "+strings.Join(o.AtLeastOne, ", "))
	}

	for _, name := range slices.Sorted(maps.Keys(object)) {
		where := at + "." + name

		_, kind, ok := strings.Cut(o.Attributes[name], " ")
		if !ok {
			problems = append(problems, where+" is no attribute")

			continue
		}

		problems = append(problems, s.value(where, object[name], kind)...)

		captions, ok := o.Enums[name]
		if !ok {
			continue
		}

		id := fmt.Sprint(object[name])

		caption, ok := captions[id]
		if !ok {
			problems = append(problems, where+" may not be "+id)

			continue
		}

		// The sibling of an id has its caption unless it is Other.
		sibling, ok := object[strings.TrimSuffix(name, "_id")]
		if ok && id != "99" && name != "activity_id" && sibling != caption {
			problems = append(problems, fmt.Sprintf("%s is %s and its caption %v", where, id, sibling))
		}
	}

	return problems
}

func (s *ocsfSchema) value(at string, value any, kind string) []string {
	if element, ok := strings.CutSuffix(kind, "[]"); ok {
		list, ok := value.([]any)
		if !ok || len(list) == 0 {
			return []string{at + " is no list of " + element}
		}

		var problems []string
		for i, v := range list {
			problems = append(problems, s.value(fmt.Sprintf("%s[%d]", at, i), v, element)...)
		}

		return problems
	}

	if o, ok := s.Objects[kind]; ok {
		object, ok := value.(map[string]any)
		if !ok {
			return []string{at + " is no " + kind}
		}

		return s.object(at, object, o)
	}

	simple, ok := s.Types[kind]
	if !ok {
		return []string{at + " has the type " + kind + ", which the table lacks"}
	}

	return simple.check(at, value)
}

func (k ocsfType) check(at string, value any) []string {
	fits := false
	text, isText := value.(string)

	switch k.JSON {
	case "string":
		fits = isText && text != ""
	case "integer":
		number, ok := value.(json.Number)
		_, err := strconv.ParseInt(string(number), 10, 64)
		fits = ok && err == nil
	case "boolean":
		_, fits = value.(bool)
	case "object":
		_, fits = value.(map[string]any)
	default:
	}

	if fits && k.Regex != "" {
		fits = k.pattern.MatchString(text)
	}

	if fits && k.Address {
		_, err := netip.ParseAddr(text)
		fits = err == nil
	}

	if !fits || k.MaxLen > 0 && len(text) > k.MaxLen {
		return []string{fmt.Sprintf("%s is %v", at, value)}
	}

	return nil
}

// known is an action of a cloud on a type of resource.
type known struct {
	service, action, resourceType string
	operation                     auditlog.Operation
}

// knownActions are every action that the specification of one service and the
// log of the other are known to have, and one that nobody has heard of.
func knownActions() []known {
	var all []known

	for _, action := range []string{
		"create", "clone", "read", "update", "writes-enable", "delete", "start", "stop", "attach", "detach", "login",
		"logout",
		"access-granted", "access-granted-kubeconfig", "access-modified", "access-update", "owner-change",
		"maintenance-start", "teleport",
	} {
		for _, kind := range []string{
			"account", "auth", "init-script", "managed-database", "managed-loadbalancer",
			"managed-loadbalancer-certificate-bundle",
			"managed-object-storage", "network-gateway", "server", "storage", "uks", "ssh-key", "network", "",
		} {
			all = append(all, known{auditlog.ServiceUpCloud, action, kind, upcloud.OperationOf(action)})
		}
	}

	for _, action := range []string{
		"api_token_create", "api_token_delete", "api_token_update", "floating_ip_create", "floating_ip_delete",
		"floating_ip_update",
		"network_create", "network_delete", "network_update", "objects_user_create", "objects_user_delete",
		"objects_user_update",
		"organization_user_invite", "organization_update", "organization_user_revoke", "project_update", "project_create",
		"project_delete", "project_rename",
		"server_create", "server_delete", "server_group_create", "server_migrate", "server_pause", "server_reboot",
		"server_start", "server_stop",
		"server_update", "server_volume_attach", "server_volume_detach", "user_login", "user_logout", "user_login_failed",
		"volume_create",
		"volume_delete", "volume_snapshot_create", "volume_snapshot_delete", "volume_update", "project_user_grant",
		"project_log_export", "teleport",
	} {
		kind := ""
		if i := strings.LastIndexByte(action, '_'); i > 0 {
			kind = action[:i]
		}

		all = append(all, known{auditlog.ServiceCloudscale, action, kind, cloudscale.OperationOf(action)})
	}

	for _, operation := range auditlog.Operations() {
		for _, kind := range []string{"server", "user", "organization", "group", "policy", "role", "project", "_", "auth"} {
			all = append(all, known{"podstack", "Did " + string(operation), kind, operation})
		}
	}

	return all
}

// variants are an entry with nothing and with everything in it, by every kind of
// actor, and by a user in every kind of scope.
func variants(k known) []auditlog.Entry {
	var all []auditlog.Entry

	for _, actor := range []auditlog.ActorType{
		auditlog.ActorUser, auditlog.ActorAPIToken, auditlog.ActorSystem,
		auditlog.ActorStaff, auditlog.ActorUnknown,
	} {
		least := auditlog.Entry{
			ID: "01J9", Time: auditlogtest.At, Service: k.service, Action: k.action, Operation: k.operation, ActorType: actor,
			ResourceType: k.resourceType,
		}
		most := auditlogtest.Full(least)
		all = append(all, least, most)

		if actor != auditlog.ActorUser {
			continue
		}

		project, organization, account, user, masked, person := most, most, most, most, most, most
		project.ScopeType, organization.ScopeType, account.ScopeType = "project", "organization", "account"
		user.ScopeType, user.ScopeID, user.ScopeName = "user", "", "joe@example.org"
		masked.IPAddress, masked.Actor = "192.0.2.0/24", "***@example.com"
		person.IPAddress, person.Actor, person.ResourceID = "", "jane@example.com", ""

		unnamed := least
		unnamed.ScopeType, unnamed.ScopeID = k.resourceType, "scope-9"

		all = append(all, project, organization, account, user, masked, person, unnamed)
	}

	return all
}

// TestOCSFIsWhatTheSchemaSays holds an event of every known action, by every kind
// of actor, against the published fields.
func TestOCSFIsWhatTheSchemaSays(t *testing.T) {
	t.Parallel()

	schema := readSchema(t)
	classes := map[string]int{}

	for _, k := range knownActions() {
		for _, e := range variants(k) {
			text, err := ocsf.Event(&e, tool)
			if err != nil {
				t.Fatal(err)
			}

			event, err := decodeEvent(text)
			if err != nil {
				t.Fatal(err)
			}

			if problems := schema.validate(event); len(problems) > 0 {
				t.Fatalf("%+v: %s\n%s", k, strings.Join(problems, "; "), text)
			}

			classes[fmt.Sprint(event["class_uid"])]++

			lost(t, &e, event)
		}
	}

	if len(classes) != 4 {
		t.Errorf("classes are %v", classes)
	}
}

// lost reports every value of the entry that is nowhere in the event as a text of
// its own.
func lost(t *testing.T, e *auditlog.Entry, event map[string]any) {
	t.Helper()

	texts := map[string]bool{}

	var collect func(v any)

	collect = func(v any) {
		switch x := v.(type) {
		case string:
			texts[x] = true
		case []any:
			for _, element := range x {
				collect(element)
			}
		case map[string]any:
			for _, value := range x {
				collect(value)
			}
		default:
		}
	}
	collect(event)

	want := []string{}

	for _, f := range auditlog.Fields() {
		if f.Kind != auditlog.KindChanges {
			want = append(want, f.Text(e))
		}
	}

	for _, c := range e.Changes {
		want = append(want, c.Field)

		for _, value := range []*string{c.Before, c.After} {
			if value != nil {
				want = append(want, *value)
			}
		}
	}

	for _, text := range want {
		if text != "" && !texts[text] {
			t.Errorf("%s %s: %q is lost: %v", e.Service, e.Action, text, event)
		}
	}
}

// TestOCSFValidatorCatches shows that the checks above can fail.
func TestOCSFValidatorCatches(t *testing.T) {
	t.Parallel()

	schema := readSchema(t)

	for want, change := range map[string]func(event, actor, endpoint map[string]any){
		"event.time is missing":          func(e, _, _ map[string]any) { delete(e, "time") },
		"event.api is missing":           func(e, _, _ map[string]any) { delete(e, "api") },
		"event.cloud is missing":         func(e, _, _ map[string]any) { delete(e, "cloud") },
		"event.severity_id may not be 7": func(e, _, _ map[string]any) { e["severity_id"] = json.Number("7") },
		"event.severity_id is 1 and its caption Unknown": func(e, _,
			_ map[string]any,
		) {
			e["severity_id"] = json.Number("1")
		},
		"event.time is 2026":          func(e, _, _ map[string]any) { e["time"] = "2026" },
		"event.scope is no attribute": func(e, _, _ map[string]any) { e["scope"] = "x" },
		"event.user is no attribute":  func(e, _, _ map[string]any) { e["user"] = map[string]any{"name": "x"} },
		"event.resources is no list of resource_details": func(e, _,
			_ map[string]any,
		) {
			e["resources"] = []any{}
		},
		"event.actor.user has none of account, name, uid": func(_, a,
			_ map[string]any,
		) {
			delete(a, "name")
			delete(a, "uid")
		},
		"event.actor.user.email_addr is jane": func(_, a,
			_ map[string]any,
		) {
			a["email_addr"] = "jane"
		},
		"event.src_endpoint.ip is 192.0.2.0/24": func(_, _,
			s map[string]any,
		) {
			s["ip"] = "192.0.2.0/24"
		},
		"type_uid is 600303, not 600399": func(e, _, _ map[string]any) { e["activity_id"] = json.Number("99") },
		"activity_name is Update, not Create; type_uid is 600303, not 600301": func(e, _,
			_ map[string]any,
		) {
			e["activity_id"] = json.Number("1")
		},
		"class_uid is 1": func(e, _, _ map[string]any) { e["class_uid"] = 1 },
	} {
		e := auditlogtest.Full(auditlogtest.Entry("1", func(e *auditlog.Entry) { e.Operation, e.ResourceType = auditlog.OperationUpdate, "server" }))

		text, err := ocsf.Event(&e, tool)
		if err != nil {
			t.Fatal(err)
		}

		event, err := decodeEvent(text)
		if err != nil {
			t.Fatal(err)
		}

		change(event, event["actor"].(map[string]any)["user"].(map[string]any), event["src_endpoint"].(map[string]any))

		problems := schema.validate(event)
		slices.Sort(problems)

		if got := strings.Join(problems, "; "); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

// TestOCSFClasses is the table of the documentation.
func TestOCSFClasses(t *testing.T) {
	t.Parallel()

	for _, test := range []struct {
		action, resourceType string
		operation            auditlog.Operation
		want                 string
	}{
		{"login", "auth", auditlog.OperationLogin, "300201 Authentication: Logon, Success"},
		{"user_login_failed", "user", auditlog.OperationLoginFailed, "300201 Authentication: Logon, Failure"},
		{"logout", "auth", auditlog.OperationLogout, "300202 Authentication: Logoff, Unknown"},
		{"create", "account", auditlog.OperationCreate, "300101 Account Change: Create, Unknown"},
		{"objects_user_delete", "objects_user", auditlog.OperationDelete, "300106 Account Change: Delete, Unknown"},
		{"api_token_update", "api_token", auditlog.OperationUpdate, "300199 Account Change: api_token_update, Unknown"},
		{"access-granted", "account", auditlog.OperationGrant, "300107 Account Change: Attach Policy, Unknown"},
		{"access-modified", "account", auditlog.OperationGrant, "300199 Account Change: access-modified, Unknown"},
		{"user_revoke", "user", auditlog.OperationRevoke, "300108 Account Change: Detach Policy, Unknown"},
		{
			"organization_user_invite", "organization_user", auditlog.OperationInvite,
			"300199 Account Change: organization_user_invite, Unknown",
		},
		{"read", "account", auditlog.OperationRead, "600302 API Activity: Read, Unknown"},
		{"project_update", "project", auditlog.OperationUpdate, "300403 Entity Management: Update, Unknown"},
		{"project_grant", "project", auditlog.OperationGrant, "300499 Entity Management: project_grant, Unknown"},
		{"server_group_create", "server_group", auditlog.OperationCreate, "600301 API Activity: Create, Unknown"},
		{"server_stop", "server", auditlog.OperationStop, "600399 API Activity: server_stop, Unknown"},
		{"access-granted", "server", auditlog.OperationGrant, "600399 API Activity: access-granted, Unknown"},
		{"teleport", "", auditlog.OperationOther, "600399 API Activity: teleport, Unknown"},
	} {
		e := auditlogtest.Entry("1", func(e *auditlog.Entry) {
			e.Action, e.ResourceType, e.Operation = test.action, test.resourceType, test.operation
		})

		text, err := ocsf.Event(&e, tool)
		if err != nil {
			t.Fatal(err)
		}

		event, err := decodeEvent(text)
		if err != nil {
			t.Fatal(err)
		}

		if got := fmt.Sprintf("%v %v, %v", event["type_uid"], event["type_name"], event["status"]); got != test.want {
			t.Errorf("%s on %s: got %s, want %s", test.action, test.resourceType, got, test.want)
		}
	}
}

func ocsfExamples() []auditlog.Entry {
	mapped := func(service, action, kind string, operation auditlog.Operation, actor auditlog.ActorType) auditlog.Entry {
		return auditlog.Entry{
			ID: "01J9", Time: auditlogtest.At, Service: service, Action: action, ResourceType: kind,
			Operation: operation, ActorType: actor,
		}
	}
	project := auditlogtest.Full(mapped(auditlog.ServiceCloudscale, "project_update", "project", auditlog.OperationUpdate,
		auditlog.ActorAPIToken))
	project.ScopeType, project.ResourceID, project.ResourceName = "project", "", ""

	login := mapped(auditlog.ServiceCloudscale, "user_login", "user", auditlog.OperationLogin, auditlog.ActorUser)
	login.Actor, login.ScopeType, login.ScopeName, login.IPAddress = "jane@example.com", "user", "jane@example.com",
		"192.0.2.7"

	organization := auditlogtest.Full(mapped(auditlog.ServiceCloudscale, "organization_update", "organization",
		auditlog.OperationUpdate, auditlog.ActorStaff))
	organization.ScopeType = "organization"

	return []auditlog.Entry{
		auditlogtest.Full(mapped(auditlog.ServiceUpCloud, "update", "server", auditlog.OperationUpdate, auditlog.ActorUser)),
		mapped(auditlog.ServiceUpCloud, "maintenance-start", "server", auditlog.OperationOther, auditlog.ActorSystem),
		auditlogtest.Full(mapped(auditlog.ServiceUpCloud, "access-granted", "account", auditlog.OperationGrant,
			auditlog.ActorUser)),
		login, project, organization,
	}
}

func TestOCSFGolden(t *testing.T) {
	t.Parallel()

	var b strings.Builder

	for _, e := range ocsfExamples() {
		for range 3 {
			text, err := ocsf.Event(&e, tool)
			if err != nil {
				t.Fatal(err)
			}

			again, err := ocsf.Event(&e, tool)
			if err != nil || !bytes.Equal(text, again) {
				t.Fatalf("not the same twice: %v", err)
			}
		}

		text, err := ocsf.Event(&e, tool)
		if err != nil {
			t.Fatal(err)
		}

		b.Write(text)
		b.WriteByte('\n')
	}

	auditlogtest.Golden(t, "events.ndjson", b.String())
}

// TestOCSFColumns: columns are the keys of the events, in their order, with their
// values.
func TestOCSFColumns(t *testing.T) {
	t.Parallel()

	columns := ocsf.Columns()
	seen := map[string]bool{}

	for _, e := range append(ocsfExamples(), variants(knownActions()[0])...) {
		text, err := ocsf.Event(&e, tool)
		if err != nil {
			t.Fatal(err)
		}

		var event map[string]json.RawMessage
		if err := json.Unmarshal(text, &event); err != nil {
			t.Fatal(err)
		}

		values, err := ocsf.Values(&e, tool)
		if err != nil {
			t.Fatal(err)
		}

		if len(values) != len(columns) {
			t.Fatalf("%d values for %d columns", len(values), len(columns))
		}

		last := 0

		for i, c := range columns {
			raw, ok := event[c.Name]
			if ok != (values[i] != nil) || c.Required && !ok {
				t.Errorf("%s is %v, in JSON %s", c.Name, values[i], raw)
			}

			if !ok {
				continue
			}

			seen[c.Name] = true
			delete(event, c.Name)

			// The search goes on behind the value before, since a user is in two places.
			key := `"` + c.Name + `":` + string(raw)
			if position := strings.Index(string(text)[last:], key); position >= 0 {
				last += position + len(key)
			} else {
				t.Errorf("%s is out of order", c.Name)
			}

			got := values[i]
			if c.Kind != ocsf.JSON {
				quoted, err := json.Marshal(got)
				if err != nil {
					t.Fatal(err)
				}

				got = string(quoted)
				raw = json.RawMessage(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(string(raw)))
			}

			if got != string(raw) {
				t.Errorf("%s is %v, in JSON %s", c.Name, got, raw)
			}

			number, isNumber := values[i].(int64)
			if isNumber != (c.Kind == ocsf.Integer || c.Kind == ocsf.Timestamp) || isNumber && number < 0 {
				t.Errorf("%s is a %T", c.Name, values[i])
			}
		}

		if len(event) > 0 {
			t.Errorf("no column holds %v", slices.Sorted(maps.Keys(event)))
		}
	}

	for _, c := range columns {
		if !seen[c.Name] {
			t.Errorf("no event has %s", c.Name)
		}
	}
}

// A record that is none is an error here as in every format; what is no UTF-8 is
// replaced.
func TestOCSFHostile(t *testing.T) {
	t.Parallel()

	schema := readSchema(t)

	// An encoder has seen to what is no UTF-8 before it makes an event.
	encode := func(f format.Format, e *auditlog.Entry) (string, error) {
		var b strings.Builder

		encoder, err := format.NewEncoder(&b, f, nil, format.EncoderOptions{Shape: format.ShapeOCSF, Product: tool})
		if err != nil {
			t.Fatal(err)
		}

		err = encoder.Encode(e)

		return b.String(), err
	}

	for _, e := range auditlogtest.Hostile() {
		text, err := encode(format.NDJSON, &e)
		if err != nil {
			t.Fatal(err)
		}

		line, _ := strings.CutSuffix(text, "\n")
		if strings.ContainsAny(line, "\n\r") {
			t.Errorf("%s is on more than one line", e.ID)
		}

		event, err := decodeEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}

		if problems := schema.validate(event); len(problems) > 0 {
			t.Errorf("%s: %v", e.ID, problems)
		}
	}

	e := auditlogtest.Entry("1", func(e *auditlog.Entry) { e.Raw = json.RawMessage("[1]") })
	for _, f := range []format.Format{format.NDJSON, format.Parquet} {
		if _, err := encode(f, &e); err == nil || err.Error() != "entry 1: the raw record is not a JSON object" {
			t.Errorf("got %v", err)
		}
	}

	// A redacted entry is an event like any other.
	r, err := redact.New(map[string]string{"actor": "hash", "ip_address": "hash", "resource_id": "hash"},
		[]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}

	e = r.Apply(auditlogtest.Full(auditlogtest.Entry("1", nil)))

	text, err := ocsf.Event(&e, tool)
	if err != nil {
		t.Fatal(err)
	}

	event, err := decodeEvent(text)
	if err != nil {
		t.Fatal(err)
	}

	if problems := schema.validate(event); len(problems) > 0 {
		t.Errorf("redacted: %v", problems)
	}

	if diff := cmp.Diff(map[string]any{"name": e.IPAddress}, event["src_endpoint"]); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkOCSF(b *testing.B) {
	e := auditlogtest.Full(auditlogtest.Entry("1", nil))

	b.ReportAllocs()

	for b.Loop() {
		if _, err := ocsf.Event(&e, tool); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEveryCloudHasAName: events name a cloud as people write it.
func TestEveryCloudHasAName(t *testing.T) {
	t.Parallel()

	for _, cloud := range auditlog.Clouds() {
		if ocsf.ProviderOf(cloud) == "" {
			t.Errorf("%s has none", cloud)
		}
	}
}
