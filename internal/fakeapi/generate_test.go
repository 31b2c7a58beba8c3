// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

var ulidPattern = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// object is a compact schema: required and optional keys, each with the check of its value; other keys are errors.
type object struct{ required, optional map[string]func(any) error }

func (o object) check(v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("not an object: %v", v)
	}
	for key := range o.required {
		if _, ok := m[key]; !ok {
			return fmt.Errorf("%s is missing", key)
		}
	}
	for key, value := range m {
		check := o.required[key]
		if check == nil {
			check = o.optional[key]
		}
		if check == nil {
			return fmt.Errorf("%s is not in the schema", key)
		}
		if err := check(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// oneKey is an object with exactly one of some keys.
func oneKey(options map[string]func(any) error) func(any) error {
	return func(v any) error {
		if m, ok := v.(map[string]any); !ok || len(m) != 1 {
			return fmt.Errorf("not exactly one key: %v", v)
		}
		return object{optional: options}.check(v)
	}
}

func isText(v any) error {
	if s, ok := v.(string); !ok || s == "" {
		return fmt.Errorf("not a text: %v", v)
	}
	return nil
}

func isObject(v any) error {
	if _, ok := v.(map[string]any); !ok {
		return fmt.Errorf("not an object: %v", v)
	}
	return nil
}

func orNull(check func(any) error) func(any) error {
	return func(v any) error {
		if v == nil {
			return nil
		}
		return check(v)
	}
}

func matches(pattern string) func(any) error {
	re := regexp.MustCompile(pattern)
	return func(v any) error {
		if s, ok := v.(string); !ok || !re.MatchString(s) {
			return fmt.Errorf("%v does not match %s", v, pattern)
		}
		return nil
	}
}

func among(values []string) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); !ok || !slices.Contains(values, s) {
			return fmt.Errorf("%v is not documented", v)
		}
		return nil
	}
}

func isAddress(v any) error {
	s, _ := v.(string)
	_, err := netip.ParseAddr(s)
	return err
}

var (
	upCloudSchema = object{
		required: map[string]func(any) error{
			"time":           matches(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$`),
			"auth_type":      among([]string{"api", "gui", "basic_auth"}),
			"cloud_event_id": matches(ulidPattern.String()), "upcloud_correlation_id": isText,
			"resource_type": among(upCloudResourceTypes), "action": among(upCloudActions),
			"origin": among(upCloudOrigins), "account_username": isText,
		},
		optional: map[string]func(any) error{
			"resource_sub_type": among([]string{"session-api-token", "subaccount-api-token"}), "ip_address": isAddress,
			"resource_id": isText, "current_state": isObject, "previous_state": isObject,
		},
	}
	userSchema       = object{required: map[string]func(any) error{"email": isText}}.check
	emptySchema      = object{}.check
	cloudscaleSchema = object{
		required: map[string]func(any) error{
			"ip_address": orNull(isAddress), "action": isText, "message": isText,
			"timestamp": matches(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`),
			"actor": oneKey(map[string]func(any) error{
				"user": userSchema, "system": emptySchema, "admin": emptySchema,
				"api_token": object{required: map[string]func(any) error{"uuid": isText, "description": orNull(isText)}}.check,
			}),
		},
		optional: map[string]func(any) error{"subject": oneKey(map[string]func(any) error{
			"user":    userSchema,
			"project": object{required: map[string]func(any) error{"uuid": isText, "name": isText}}.check,
			"organization": object{required: map[string]func(any) error{
				"href": orNull(isText), "uuid": isText,
				"name": isText,
			}}.check,
		})},
	}
)

func decode(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return v
}

func checkUpCloud(t *testing.T, raw json.RawMessage) {
	t.Helper()
	v := decode(t, raw)
	if err := upCloudSchema.check(v); err != nil {
		t.Errorf("%v: %s", err, raw)
		return
	}
	m := v.(map[string]any)
	action := m["action"].(string)
	if m["current_state"] != nil && action != "create" && action != "update" {
		t.Errorf("a current state on %s", action)
	}
	if m["previous_state"] != nil && action != "update" && action != "delete" {
		t.Errorf("a previous state on %s", action)
	}
}

func TestSchemaCheckerNotices(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`[]`, `{}`, `{"ip_address":"x","action":"a","message":"m","timestamp":"2026-01-01T00:00:00.000000Z","actor":{"system":{}}}`,
		`{"ip_address":null,"action":"a","message":"m","timestamp":"2026-01-01T00:00:00Z","actor":{"system":{}}}`,
		`{"ip_address":null,"action":"a","message":"m","timestamp":"2026-01-01T00:00:00.000000Z","actor":{}}`,
		`{"ip_address":null,"action":"a","message":"m","timestamp":"2026-01-01T00:00:00.000000Z","actor":{"system":{}},"id":1}`,
	} {
		if cloudscaleSchema.check(decode(t, json.RawMessage(raw))) == nil {
			t.Errorf("accepted %s", raw)
		}
	}
}

func TestGeneratedUpCloudData(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{0, 1, 7, 1 << 63} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			fake, err := New(Options{Entries: 1000, Seed: seed, NoExamples: true})
			if err != nil {
				t.Fatal(err)
			}
			all := fake.UpCloudRecords()
			if len(all) != 1000 {
				t.Fatalf("%d records", len(all))
			}
			seen := map[string]int{}
			everything := &strings.Builder{}
			tied, deletions := 0, map[string]int{}
			for i, r := range all {
				checkUpCloud(t, r.Raw)
				everything.Write(r.Raw)
				for _, key := range []string{
					"action " + r.Action, "type " + r.ResourceType, "origin " + r.Origin,
					"auth " + r.AuthType, "sub " + r.ResourceSubType, "user " + r.AccountUsername,
				} {
					seen[key]++
				}
				if r.Action == "delete" {
					deletions[r.Time.Format("2006-01-02T15")]++
				}
				if r.Time.Nanosecond() != 0 {
					seen["fraction"]++
				}
				if strings.Contains(r.IPAddress, ":") {
					seen["IPv6"]++
				}
				if r.IPAddress == "" {
					seen["masked"]++
				}
				if i == 0 {
					continue
				}
				before := all[i-1]
				if r.CloudEventID <= before.CloudEventID || r.Time.Before(before.Time) {
					t.Errorf("%s %s after %s %s", r.Time, r.CloudEventID, before.Time, before.CloudEventID)
				}
				if r.Time.Equal(before.Time) {
					tied++
				}
			}
			want := []string{
				"auth api", "auth gui", "auth basic_auth", "sub session-api-token", "sub subaccount-api-token",
				"fraction", "IPv6", "masked", "user ci-deploy", "user mia.ops",
			}
			for _, a := range upCloudActions {
				want = append(want, "action "+a)
			}
			for _, a := range upCloudResourceTypes {
				want = append(want, "type "+a)
			}
			for _, a := range upCloudOrigins {
				want = append(want, "origin "+a)
			}
			for _, key := range want {
				if seen[key] == 0 {
					t.Errorf("no %s", key)
				}
			}
			if tied == 0 {
				t.Error("no two records at the same time")
			}
			if seen["fraction"] > 200 {
				t.Errorf("%d times with fractions, want mostly whole seconds", seen["fraction"])
			}
			burst := 0
			for _, n := range deletions {
				burst = max(burst, n)
			}
			if burst < 8 {
				t.Errorf("no mass deletion: at most %d in an hour", burst)
			}
			checkOddities(t, everything.String())
			checkMonth(t, all[0].Time, all[999].Time)
			busy, idle := 0, 0
			for _, r := range all {
				if h := r.Time.Hour(); r.Time.Weekday() != time.Saturday && r.Time.Weekday() != time.Sunday && h >= 7 && h < 17 {
					busy++
				} else {
					idle++
				}
			}
			if 2*busy < 3*idle {
				t.Errorf("%d records in working hours, %d outside", busy, idle)
			}
			for _, part := range []string{`:null`, `:true`, `:false`, `:[{`, `"networking":{"interfaces":[`} {
				if !strings.Contains(everything.String(), part) {
					t.Errorf("no state holds %s", part)
				}
			}
		})
	}
}

func checkOddities(t *testing.T, data string) {
	t.Helper()
	for name, script := range map[string]*unicode.RangeTable{
		"CJK": unicode.Han, "Arabic": unicode.Arabic, "Hebrew": unicode.Hebrew, "emoji": unicode.So,
	} {
		if !strings.ContainsFunc(data, func(r rune) bool { return unicode.Is(script, r) }) {
			t.Errorf("no %s", name)
		}
	}
	for _, part := range []string{"ü", `=HYPERLINK(`, `@home`, `-scratch`, `+41 `} {
		if !strings.Contains(data, part) {
			t.Errorf("no %s", part)
		}
	}
}

func checkMonth(t *testing.T, oldest, newest time.Time) {
	t.Helper()
	if age := DefaultNow().Sub(newest); age < 0 || age > 2*time.Minute {
		t.Errorf("the newest record is %s old", age)
	}
	if age := DefaultNow().Sub(oldest); age > DefaultSpan || age < DefaultSpan-48*time.Hour {
		t.Errorf("the oldest record is %s old", age)
	}
}

func TestGeneratedCloudscaleData(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{0, 1, 7, 1 << 63} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			fake, err := New(Options{Entries: 1000, Seed: seed, NoExamples: true})
			if err != nil {
				t.Fatal(err)
			}
			all := fake.CloudscaleRecords()
			seen := map[string]int{}
			everything := &strings.Builder{}
			for i, r := range all {
				if err := cloudscaleSchema.check(decode(t, r.Raw)); err != nil {
					t.Errorf("%v: %s", err, r.Raw)
				}
				everything.Write(r.Raw)
				seen[r.Action]++
				switch a := r.Actor; {
				case a.User != nil:
					seen["by user"]++
				case a.APIToken != nil:
					seen["by token"]++
					if a.APIToken.Description == nil {
						seen["token without description"]++
					}
				case a.System != nil:
					seen["by system"]++
				case a.Admin != nil:
					seen["by admin"]++
				}
				if (r.Actor.System != nil || r.Actor.Admin != nil) != (r.IPAddress == nil) {
					t.Errorf("address and actor do not fit: %s", r.Raw)
				}
				switch {
				case r.Subject == nil:
					seen["without subject"]++
				case r.Subject.User != nil:
					seen["of user"]++
				case r.Subject.Organization != nil:
					seen["of organization"]++
				case r.Subject.Project != nil:
					seen["of project"]++
				}
				if i == 0 {
					continue
				}
				before := all[i-1]
				if r.ID <= before.ID {
					t.Errorf("id %d after %d", r.ID, before.ID)
				}
				if bytes.Equal(r.Raw, before.Raw) {
					seen["twin"]++
				}
				if lag := before.Timestamp.Sub(r.Timestamp); lag > 0 {
					if seen["overtaken"]++; lag > 8*time.Millisecond {
						t.Errorf("overtaken by %s", lag)
					}
					if i%200 == 0 {
						seen["overtaken at a seam"]++
					}
				}
			}
			want := []string{
				"by user", "by token", "by system", "by admin", "token without description", "without subject",
				"of user", "of organization", "of project", "twin", "overtaken",
			}
			for _, d := range cloudscaleDeeds {
				want = append(want, d.action)
			}
			for _, key := range want {
				if seen[key] == 0 {
					t.Errorf("no %s", key)
				}
			}
			if seen["overtaken at a seam"] != 4 || seen["twin"] > 10 {
				t.Errorf("%d seams with overtaking, %d twins", seen["overtaken at a seam"], seen["twin"])
			}
			for _, documented := range []string{`has been created"`, `has been shut down"`, `has been deleted"`} {
				if !strings.Contains(everything.String(), documented) {
					t.Errorf("no message like %s", documented)
				}
			}
			checkOddities(t, everything.String())
			checkMonth(t, all[0].Timestamp, all[999].Timestamp)
		})
	}
}

func TestSameOptionsSameBytes(t *testing.T) {
	t.Parallel()
	raws := func(o Options) string {
		fake, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, r := range fake.UpCloudRecords() {
			out.Write(r.Raw)
		}
		for _, r := range fake.CloudscaleRecords() {
			fmt.Fprintf(&out, "%d%s", r.ID, r.Raw)
		}
		return out.String()
	}
	base := Options{Entries: 350, Seed: 4}
	if first, second := raws(base), raws(base); first != second {
		t.Error("two servers differ")
	}
	for name, other := range map[string]Options{
		"seed": {Entries: 350, Seed: 5}, "entries": {Entries: 351, Seed: 4},
		"now": {Entries: 350, Seed: 4, Now: DefaultNow().Add(time.Hour)}, "span": {Entries: 350, Seed: 4, Span: time.Hour},
	} {
		if raws(base) == raws(other) {
			t.Errorf("%s has no effect", name)
		}
	}
}

func TestSpanAndNow(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))
	for _, span := range []time.Duration{time.Nanosecond, time.Second, time.Hour, 400 * 24 * time.Hour} {
		for _, entries := range []int{1, 2, 50} {
			fake, err := New(Options{Entries: entries, Now: now, Span: span, NoExamples: true})
			if err != nil {
				t.Fatal(err)
			}
			first, last, ok := fake.Bounds()
			if !ok || now.Sub(last) > 2*time.Minute || last.After(now) || first.Before(now.Add(-span-time.Second)) {
				t.Errorf("%s, %d entries: from %s to %s", span, entries, first, last)
			}
		}
	}
	for name, o := range map[string]Options{
		"entries": {Entries: -1}, "span": {Span: -1}, "latency": {Latency: -1}, "limit": {UpCloudMaxLimit: -1},
		"page size": {CloudscalePageSize: -1}, "origin": {Foreign: "collector.example.net"},
		"origin with path": {Foreign: "https://example.net/v1"}, "age": {Now: time.Unix(0, 0)},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestExamplesAreAlwaysServed(t *testing.T) {
	t.Parallel()
	upcloud := `{"time":"2024-03-05T14:30:00Z","auth_type":"api","cloud_event_id":"01HQXYZ123456789ABCDEFGHJK","upcloud_correlation_id":"550e8400-e29b-41d4-a716-446655440000","resource_type":"server","action":"start","origin":"api","account_username":"john.doe","ip_address":"192.168.1.100","resource_id":"00798b85-efdc-41ca-8021-f6ef457b8531"}`
	cloudscale := []string{
		// The documentation elides the end of this one.
		`{"ip_address":"185.98.122.110","action":"volume_create","message":"Volume 'cache' has been created","timestamp":"2025-09-03T11:15:19.391447Z"`,
		`{"ip_address":"2001:db8::f","action":"volume_create","message":"created","timestamp":"2025-09-03T11:18:02.609799Z","actor":{"api_token":{"uuid":"t-1","description":"prod-csi"}},"subject":{"project":{"uuid":"p-1","name":"My Project"}}}`,
		`{"ip_address":null,"action":"server_pause","message":"paused","timestamp":"2025-09-03T17:20:11.435287Z","actor":{"admin":{}},"subject":{"project":{"uuid":"p-1","name":"My Project"}}}`,
		`{"ip_address":"172.30.244.1","action":"server_create","message":"Server 'hello' has been created","timestamp":"2025-12-11T12:23:17.460366Z","actor":{"user":{"email":"johanna@example.com"}}}`,
	}
	for _, o := range []Options{
		{},
		{Entries: 500, Seed: 3},
		{Entries: 10, Now: time.Date(2025, 9, 20, 0, 0, 0, 0, time.UTC)},
	} {
		s := serve(t, o)
		for range 2 {
			checkUpCloud(t, json.RawMessage(upcloud))
			if got := s.list("limit=200&created_before=2024-03-05T14:30:00Z").rows(t); !slices.Equal(got, []string{upcloud}) {
				t.Errorf("UpCloud: %v", got)
			}
			got, _ := s.walk()
			at := -1
			for _, want := range cloudscale {
				i := slices.IndexFunc(got, func(raw string) bool { return strings.HasPrefix(raw, want) })
				if i <= at {
					t.Fatalf("missing or out of place: %s", want)
				}
				if at = i; cloudscaleSchema.check(decode(t, json.RawMessage(got[i]))) != nil {
					t.Errorf("not a whole record: %s", got[i])
				}
			}
			for i := 1; i < len(got); i++ {
				a, _ := parseCloudscale(json.RawMessage(got[i-1]))
				b, _ := parseCloudscale(json.RawMessage(got[i]))
				if a.Timestamp.Sub(b.Timestamp) > time.Second {
					t.Errorf("%s far after %s", a.Timestamp, b.Timestamp)
				}
			}
			// Once more with loaded data.
			if err := s.Load(strings.NewReader(`{"service":"cloudscale","record":{"timestamp":"2025-10-01T00:00:00Z"}}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fake, err := New(Options{NoExamples: true})
	if err != nil || len(fake.UpCloudRecords())+len(fake.CloudscaleRecords()) > 0 {
		t.Errorf("NoExamples: %v, %d records", err, len(fake.UpCloudRecords()))
	}
}
