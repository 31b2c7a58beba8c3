// SPDX-License-Identifier: MPL-2.0

package upcloud_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/service/servicetest"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// TestMain shortens property tests where the race detector slows them; make
// simulate runs them in full.
func TestMain(m *testing.M) {
	raceflag.Shorten()
	os.Exit(m.Run())
}

func newFake(t *testing.T, o fakeapi.Options) (*fakeapi.Server, *upcloud.Service) {
	t.Helper()

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	return fake, upcloud.New(servicetest.Client(t, fake.UpCloud()), fakeapi.DefaultNow, 0)
}

// idsWithin returns the ids of the records that a window holds, sorted.
func idsWithin(fake *fakeapi.Server, w auditlog.Window) []string {
	var ids []string

	for _, r := range fake.UpCloudRecords() {
		if w.Contains(r.Time) {
			ids = append(ids, r.CloudEventID)
		}
	}

	slices.Sort(ids)

	return ids
}

// TestCompletenessMatrix reads logs of every size under every documented
// reading of the API and under every fault. Whatever happens, the answer is
// every id once, or an error.
func TestCompletenessMatrix(t *testing.T) {
	t.Parallel()

	// What passes when asked again must never surface; what makes pages disagree
	// may end in an error, but not always.
	passing := []string{"429", "500", "503", "reset", "truncate", "truncate-silent", "malformed", "empty"}
	permanent := []string{"html", "shape", "bad-time", "no-total"}
	moving := []string{"repeat-page", "duplicate", "grow", "shrink"}

	// With the race detector, as few as still make several slices, and not of every
	// fault: make simulate runs all of them.
	most := 5000
	if raceflag.Enabled {
		most = 2600
	}

	for _, entries := range []int{1, 199, 200, 201, most} {
		for _, fault := range slices.Concat([]string{""}, passing, permanent, moving) {
			if raceflag.Enabled && entries == most && !slices.Contains([]string{"", "503", "shape", "grow"}, fault) {
				continue
			}

			t.Run(fmt.Sprintf("%d/%s", entries, cmpOr(fault, "no fault")), func(t *testing.T) {
				t.Parallel()

				var errs, reads int

				for _, offset := range []fakeapi.OffsetReading{fakeapi.OffsetRow, fakeapi.OffsetPage} {
					for _, order := range []fakeapi.Order{fakeapi.NewestFirst, fakeapi.OldestFirst} {
						for _, limit := range []int{50, 100, 200} {
							o := fakeapi.Options{
								Entries: entries, Seed: uint64(entries), RetryAfter: "0",
								UpCloudOffset: offset, UpCloudOrder: order, UpCloudMaxLimit: limit,
							}

							if fault != "" {
								o.Faults = []fakeapi.Fault{{Name: fault, Rate: 0.2}}
							}

							if slices.Contains(moving, fault) {
								o.Faults[0].Times = 1
							}

							reads++
							if err := readOnce(t, o); err != nil {
								errs++

								t.Logf("offset %v, order %v, limit %d: %v", offset, order, limit, err)
							}
						}
					}
				}

				switch {
				case fault == "" || slices.Contains(passing, fault) || slices.Contains(moving, fault):
					if errs > 0 {
						t.Errorf("%d of %d readings failed", errs, reads)
					}
				case errs == 0 && entries == most:
					t.Error("the fault was never seen")
				}
			})
		}
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}

	return a
}

// spread returns n small records over a month: some in the same second, some of
// a fraction of one, and a burst in the middle.
func spread(n int) []fakeapi.UpCloudRecord {
	records := burst(n, servicetest.Month().Start.Add(15*24*time.Hour))
	random := rand.New(rand.NewPCG(1, uint64(n)))

	for i := range records {
		if i%5 > 0 {
			records[i].Time = servicetest.Month().Start.Add(time.Duration(random.IntN(30*24*3600)) * time.Second)
		}

		records[i].Time = records[i].Time.Add(time.Duration(i%3) * time.Millisecond)
	}

	return records
}

// readOnce reads a fake's whole log. It fails the test when the result is short
// or has an id twice, and returns the error that a reading ended with.
func readOnce(t *testing.T, o fakeapi.Options) error {
	t.Helper()

	records := spread(o.Entries)
	o.Entries, o.NoExamples = 0, true
	fake, service := newFake(t, o)
	fake.AppendUpCloud(records...)

	before := make([]string, 0, len(records))
	for i := range records {
		before = append(before, records[i].CloudEventID)
	}

	slices.Sort(before)

	entries, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil {
		if typed := (*client.Error)(nil); !errors.As(err, &typed) || typed.Path != "/1.3/audit-logs" || typed.Page == 0 {
			t.Errorf("the error does not name its request: %v", err)
		}

		return err
	}

	after, got := before, servicetest.IDs(entries)
	if len(o.Faults) > 0 && slices.Contains([]string{"grow", "shrink"}, o.Faults[0].Name) {
		after = idsWithin(fake, servicetest.Month())
	}

	known := slices.Concat(before, after)
	slices.Sort(known)

	if twice := servicetest.Repeated(got); twice > 0 {
		t.Errorf("%d ids came twice", twice)
	}

	// A record that left the log while it was read may be missing; one that was
	// there all the time may not.
	stayed := servicetest.Minus(before, servicetest.Minus(before, after))
	if missing := servicetest.Minus(stayed, got); len(missing) > 0 {
		t.Errorf("%d of %d entries are missing and nothing was said", len(missing), len(stayed))
	}

	if invented := servicetest.Minus(got, known); len(invented) > 0 {
		t.Errorf("%d entries were never in the log", len(invented))
	}

	if !slices.IsSortedFunc(entries, func(a, b auditlog.Entry) int { return auditlog.Compare(&a, &b) }) {
		t.Error("entries are not in order")
	}

	if c.RowsFetched != c.DuplicatesDropped+c.RowsFilteredOut+int64(len(entries)) {
		t.Errorf("the statement does not add up: %+v for %d entries", c, len(entries))
	}

	if o.Faults == nil && (*c.ClaimedTotal != int64(len(entries)) || c.SecondPass || c.Proof != auditlog.ProofTotal) {
		t.Errorf("the statement is %+v with a total of %d for %d entries", c, *c.ClaimedTotal, len(entries))
	}

	return nil
}

// TestReadUnderConstantMovement never ends in a short list, however often rows
// appear, vanish and repeat.
func TestReadUnderConstantMovement(t *testing.T) {
	t.Parallel()

	for _, fault := range []string{"repeat-page", "duplicate", "grow", "shrink"} {
		for seed := range uint64(15) {
			t.Run(fmt.Sprintf("%s/%d", fault, seed), func(t *testing.T) {
				t.Parallel()

				_ = readOnce(t, fakeapi.Options{
					Entries: 1000, Seed: seed, UpCloudMaxLimit: 50,
					UpCloudOrder: fakeapi.Order(seed % 2), UpCloudOffset: fakeapi.OffsetReading(seed / 2 % 2),
					Faults: []fakeapi.Fault{{Name: fault, Rate: 0.1}},
				})
			})
		}
	}
}

// TestReadMoreThanASliceInOneSecond cannot cut the window any further and has to
// read on.
func TestReadMoreThanASliceInOneSecond(t *testing.T) {
	t.Parallel()

	for _, offset := range []fakeapi.OffsetReading{fakeapi.OffsetRow, fakeapi.OffsetPage} {
		fake, service := newFake(t, fakeapi.Options{NoExamples: true, UpCloudOffset: offset})
		at := fakeapi.DefaultNow().Add(-time.Hour)
		fake.AppendUpCloud(burst(3000, at)...)

		entries, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
		if err != nil || len(entries) != 3000 || *c.ClaimedTotal != 3000 {
			t.Errorf("offset %v: got %d entries of %+v, %v", offset, len(entries), c, err)
		}
	}
}

func burst(n int, at time.Time) []fakeapi.UpCloudRecord {
	records := make([]fakeapi.UpCloudRecord, n)
	for i := range records {
		records[i] = fakeapi.UpCloudRecord{
			Time: at, CloudEventID: fmt.Sprintf("01HQXYZ%019d", i), Action: "delete", ResourceType: "server",
			Origin: "api", AuthType: "api", CorrelationID: "c", AccountUsername: "ci",
		}
	}

	return records
}

// TestReadRespectsTheBorders: both bounds of the API are inclusive, ours are
// half-open, and neither may lose or repeat what lies on an edge.
func TestReadRespectsTheBorders(t *testing.T) {
	t.Parallel()

	fake, service := newFake(t, fakeapi.Options{NoExamples: true})
	at := fakeapi.DefaultNow().Add(-time.Hour)

	var records []fakeapi.UpCloudRecord
	for i, d := range []time.Duration{
		-time.Microsecond, 0, 500 * time.Millisecond, time.Second, 10*time.Second - 1000,
		10 * time.Second,
	} {
		records = append(records, burst(i+1, at.Add(d))[i])
	}

	fake.AppendUpCloud(records...)

	for _, tt := range []struct {
		start, end time.Duration
		want       int
	}{
		{0, 10 * time.Second, 4},
		{0, 10*time.Second + 1000, 5},
		{-time.Microsecond, time.Second, 3},
		{time.Microsecond, time.Second, 1},
		{time.Microsecond, 600 * time.Millisecond, 1},
		{20 * time.Second, time.Minute, 0},
	} {
		w := auditlog.Window{Start: at.Add(tt.start), End: at.Add(tt.end)}

		entries, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: w})
		if err != nil || len(entries) != tt.want {
			t.Errorf("%v: got %d entries, %v; want %d", w, len(entries), err, tt.want)
		}

		if c.RowsFetched != c.RowsFilteredOut+int64(len(entries)) {
			t.Errorf("%v: the statement does not add up: %+v", w, c)
		}
	}
}

// TestPushdownChangesNothing: whatever the service filters by itself, the result
// is what our own filters make of the whole log.
func TestPushdownChangesNothing(t *testing.T) {
	t.Parallel()

	_, service := newFake(t, fakeapi.Options{Entries: 150, Seed: 3})

	all, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil {
		t.Fatal(err)
	}

	pick := func(field string) *rapid.Generator[[]string] {
		f, _ := auditlog.FieldByName(field)
		values := []string{"no-such-value"}

		for i := range all {
			if v := f.Text(&all[i]); v != "" {
				values = append(values, v)
			}
		}

		return rapid.SliceOfN(rapid.SampledFrom(values), 0, 3)
	}

	rapid.Check(t, func(rt *rapid.T) {
		q := auditlog.Query{Window: servicetest.Month()}
		field := rapid.SampledFrom([]string{
			"action", "operation", "resource_type", "resource_id", "actor", "origin",
			"ip_address",
		})

		for range rapid.IntRange(1, 2).Draw(rt, "filters") {
			switch name := field.Draw(rt, "field"); name {
			case "action":
				q.Actions = pick(name).Draw(rt, name)
			case "operation":
				q.Operations = nil
				for _, op := range pick(name).Draw(rt, name) {
					q.Operations = append(q.Operations, auditlog.Operation(op))
				}
			case "resource_type":
				q.ResourceTypes = pick(name).Draw(rt, name)
			case "resource_id":
				q.ResourceIDs = pick(name).Draw(rt, name)
			case "actor":
				q.Actors = pick(name).Draw(rt, name)
			case "origin":
				q.Origins = pick(name).Draw(rt, name)
			case "ip_address":
				q.IPAddresses = slices.DeleteFunc(pick(name).Draw(rt, name), func(v string) bool {
					_, err := auditlog.ParseAddress(v)

					return err != nil
				})
			}
		}

		matcher, err := q.Matcher()
		if err != nil {
			rt.Fatal(err)
		}

		var want []auditlog.Entry

		for i := range all {
			if matches, err := matcher.Match(&all[i]); err != nil {
				t.Fatal(err)
			} else if matches {
				want = append(want, all[i])
			}
		}

		got, _, err := servicetest.Read(t.Context(), service, q)
		if err != nil {
			rt.Fatal(err)
		}

		if diff := cmp.Diff(servicetest.IDs(want), servicetest.IDs(got)); diff != "" {
			rt.Fatalf("%+v\n%s", q, diff)
		}
	})
}

// TestPushedDownIsNeverNarrower has entries whose values a service may well spell in
// another form than the query does.
func TestPushedDownIsNeverNarrower(t *testing.T) {
	t.Parallel()

	fake, service := newFake(t, fakeapi.Options{NoExamples: true})
	at := fakeapi.DefaultNow().Add(-time.Hour)

	for i, text := range []string{"::ffff:10.0.0.1", "10.0.0.1", "::FFFF:A00:1", "2001:db8::1"} {
		fake.AppendUpCloud(fakeapi.UpCloudRecord{Raw: fmt.Appendf(nil,
			`{"cloud_event_id":"01HQ000000000000000000000%d","time":%q,"action":"zoe\u0308","origin":"\u212a","resource_type":"a\u030a",`+
				`"resource_id":"\u1100\u1161","account_username":"JANE","ip_address":%q}`, i, at.Format(time.RFC3339Nano), text)})
	}

	w := auditlog.Window{Start: at, End: at.Add(time.Minute)}

	for name, tt := range map[string]struct {
		q    auditlog.Query
		want int
	}{
		"an address":     {auditlog.Query{IPAddresses: []string{"10.0.0.1"}}, 3},
		"a block of one": {auditlog.Query{IPAddresses: []string{"10.0.0.1/32"}}, 3},
		"mapped":         {auditlog.Query{IPAddresses: []string{"::ffff:10.0.0.0/104"}}, 3},
		"everything":     {auditlog.Query{IPAddresses: []string{"::/0"}}, 4},
		"IPv6":           {auditlog.Query{IPAddresses: []string{"2001:DB8:0::1"}}, 1},
		"actions":        {auditlog.Query{Actions: []string{"zo\u00eb"}}, 4},
		"origins":        {auditlog.Query{Origins: []string{"K"}}, 4},
		"resource types": {auditlog.Query{ResourceTypes: []string{"\u00e5"}}, 4},
		"resource ids":   {auditlog.Query{ResourceIDs: []string{"\uac00"}}, 4},
		"all of them": {auditlog.Query{
			Actions: []string{"zo\u00eb"}, Origins: []string{"K"},
			ResourceIDs: []string{"\uac00"}, IPAddresses: []string{"10.0.0.1"},
		}, 3},
		"search":          {auditlog.Query{Search: "jane"}, 4},
		"not another one": {auditlog.Query{Origins: []string{"k"}}, 0},
	} {
		tt.q.Window = w

		got, c, err := servicetest.Read(t.Context(), service, tt.q)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: %d entries, want %d (%v, %v)", name, len(got), tt.want, c.Proof, err)
		}
	}

	// What is offered as a filter is what a configuration will hold.
	options, err := service.FilterOptions(t.Context(), auditlog.Query{})
	if err != nil || !slices.Contains(options.Actions, "zo\u00eb") || !slices.Contains(options.Origins, "K") ||
		!slices.Contains(options.ResourceTypes, "\u00e5") {
		t.Errorf("%+q, %v", options, err)
	}
}

func TestPushdownOnTheWire(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		q    auditlog.Query
		want string
	}{
		"nothing": {auditlog.Query{}, ""},
		"arrays repeat their key": {auditlog.Query{
			Actions: []string{"create", "delete"}, Origins: []string{"api"},
			ResourceTypes: []string{"server"},
		}, "actions=create&actions=delete&origins=api&resource_types=server"},
		"a certain operation": {
			auditlog.Query{Operations: []auditlog.Operation{"delete", "login"}},
			"actions=delete&actions=login",
		},
		"an operation with doubtful": {auditlog.Query{Operations: []auditlog.Operation{"delete", "grant"}}, "actions=access-granted&actions=access-granted-kubeconfig&actions=access-modified&actions=access-update&actions=delete&actions=owner-change"},
		"other is never certain":     {auditlog.Query{Operations: []auditlog.Operation{"other"}}, ""},
		"actions before operations": {
			auditlog.Query{Actions: []string{"clone"}, Operations: []auditlog.Operation{"delete"}}, "actions=clone",
		},
		"q matches nobody knows what": {auditlog.Query{
			Actors: []string{"jane"}, ResourceIDs: []string{"r"},
			IPAddresses: []string{"192.0.2.1"}, Search: "jane",
		}, ""},
		"a value that nobody documents": {auditlog.Query{
			Actions: []string{"create", "purge"}, Origins: []string{"web"},
			ResourceTypes: []string{"server", "x"},
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake, service := newFake(t, fakeapi.Options{Entries: 1})
			tt.q.Window = auditlog.Window{Start: time.Unix(1_700_000_000, 1), End: time.Unix(1_700_000_010, 1)}

			if _, _, err := servicetest.Read(t.Context(), service, tt.q); err != nil {
				t.Fatal(err)
			}

			requests := fake.Requests()

			sent := requests[len(requests)-1].Query
			if sent.Get("created_after") != "2023-11-14T22:13:20Z" || sent.Get("created_before") != "2023-11-14T22:13:31Z" ||
				sent.Get("limit") != "200" {
				t.Errorf("sent %v", sent)
			}

			for _, key := range []string{"created_after", "created_before", "limit", "offset"} {
				sent.Del(key)
			}

			if got := sent.Encode(); got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
		})
	}
}

// TestReadAsksNoMoreThanItMust counts requests where nothing goes wrong. Where the
// last page is a whole one, one more is asked for.
func TestReadAsksNoMoreThanItMust(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct{ entries, limit, want int }{
		{0, 200, 1},
		{1, 200, 1},
		{200, 200, 2},
		{201, 200, 2},
		{1000, 100, 11},
		{2000, 200, 11},
	} {
		fake, service := newFake(t, fakeapi.Options{Entries: tt.entries, NoExamples: true, UpCloudMaxLimit: tt.limit})

		_, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
		if err != nil {
			t.Fatal(err)
		}

		if n := len(fake.Requests()); n != tt.want || c.Pages != int64(n) {
			t.Errorf("%d entries, %d a page: %d requests, %d pages in the statement, want %d", tt.entries, tt.limit, n, c.Pages, tt.want)
		}
	}

	// The kind of offset is found out once.
	fake, service := newFake(t, fakeapi.Options{NoExamples: true, UpCloudOffset: fakeapi.OffsetPage})
	fake.AppendUpCloud(spread(8000)...)

	entries, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil || len(entries) != 8000 {
		t.Fatalf("got %d entries, %v", len(entries), err)
	}

	if n := len(fake.Requests()); n > 80 {
		t.Errorf("8,000 entries, 200 a page, took %d requests", n)
	}
}

func TestReadWarnsOfRetention(t *testing.T) {
	t.Parallel()

	_, service := newFake(t, fakeapi.Options{})

	for days, want := range map[int]bool{1: false, 179: false, 181: true} {
		w := auditlog.Window{Start: fakeapi.DefaultNow().AddDate(0, 0, -days), End: fakeapi.DefaultNow()}

		if _, c, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: w}); err != nil ||
			c.BeyondRetention != want {
			t.Errorf("%d days: %v, %v", days, c.BeyondRetention, err)
		}
	}
}

func TestReadRefusesABadQuery(t *testing.T) {
	t.Parallel()

	fake, service := newFake(t, fakeapi.Options{})

	if _, _, err := servicetest.Read(t.Context(), service,
		auditlog.Query{Window: servicetest.Month(), IPAddresses: []string{"x"}}); err == nil || len(fake.Requests()) > 0 {
		t.Errorf("got %v after %d requests", err, len(fake.Requests()))
	}
}

func TestReadMapsEveryField(t *testing.T) {
	t.Parallel()

	const record = `{"time":"2026-06-30T11:00:00.5+02:00","auth_type":"basic_auth","cloud_event_id":"01HQXYZ123456789ABCDEFGHJK",` +
		`"upcloud_correlation_id":"corr","resource_type":"server","resource_sub_type":"x","action":"update","origin":"gui",` +
		`"account_username":"john.doe","ip_address":"192.0.2.1","resource_id":"12345","extra": {"kept": 1.0},` +
		`"previous_state":{"plan":"1x","tags":["a"]},"current_state":{"plan":"2x","tags":["a"]}}`

	fake, service := newFake(t, fakeapi.Options{NoExamples: true})
	if err := fake.Load(strings.NewReader(`{"service":"upcloud","record":` + record + "}\n")); err != nil {
		t.Fatal(err)
	}

	entries, _, err := servicetest.Read(t.Context(), service, auditlog.Query{Window: servicetest.Month()})
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, %v", entries, err)
	}

	before, after := `"1x"`, `"2x"`
	want := auditlog.Entry{
		ID: "01HQXYZ123456789ABCDEFGHJK", Time: time.Date(2026, 6, 30, 9, 0, 0, 500_000_000, time.UTC), Service: "upcloud",
		Endpoint: service.Info().Source.Endpoint,
		Action:   "update", Operation: "update", ActorType: "user", Actor: "john.doe", ResourceType: "server",
		ResourceID: "12345",
		Origin:     "gui", AuthType: "basic_auth", IPAddress: "192.0.2.1", CorrelationID: "corr",
		Changes: []auditlog.Change{{Field: "plan", Before: &before, After: &after}}, Raw: json.RawMessage(record),
	}
	if diff := cmp.Diff(want, entries[0]); diff != "" {
		t.Error(diff)
	}

	for i := range entries {
		for _, f := range auditlog.Fields() {
			if f.Text(&entries[i]) != "" && !service.Info().Records(f.Name) {
				t.Errorf("%s is recorded after all", f.Name)
			}
		}
	}
}

func TestFilterOptions(t *testing.T) {
	t.Parallel()

	_, service := newFake(t, fakeapi.Options{Entries: 500})

	options, err := service.FilterOptions(t.Context(), auditlog.Query{})
	if err != nil {
		t.Fatal(err)
	}

	if options.OriginOfValues != auditlog.FromAPI || len(options.Actions) < 18 || len(options.ResourceTypes) < 12 ||
		len(options.Origins) < 3 {
		t.Errorf("got %+v", options)
	}

	for _, list := range [][]string{options.Actions, options.Operations, options.Origins, options.ResourceTypes} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("not sorted or not unique: %v", list)
		}
	}
}

func TestOperationOfEveryDocumentedAction(t *testing.T) {
	t.Parallel()

	want := map[string]auditlog.Operation{
		"create": "create", "read": "read", "update": "update", "delete": "delete", "access-granted": "grant",
		"access-granted-kubeconfig": "grant", "access-modified": "grant", "access-update": "grant",
		"maintenance-start": "other",
		"writes-enable":     "update", "attach": "attach", "clone": "create", "detach": "detach", "login": "login",
		"logout": "logout",
		"start":  "start", "stop": "stop", "owner-change": "grant", "some-new-action": "other", "": "other",
		"Delete": "other",
	}
	for action, op := range want {
		if got := upcloud.OperationOf(action); got != op {
			t.Errorf("%s is %s, want %s", action, got, op)
		}
	}
}

// TestOperationOf_wordsOfClouds: an action that is not documented counts as what its
// word means everywhere, and one that means nothing for certain is not known.
func TestOperationOf_wordsOfClouds(t *testing.T) {
	t.Parallel()

	for action, want := range map[string]auditlog.Operation{
		"purge": "delete", "destroy": "delete", "destroyed": "delete", "terminate": "delete", "remove": "delete",
		"release": "delete",
		"add":     "create", "rename": "update", "power-on": "start", "power_off": "stop", "shutdown": "stop",
		"reboot": "restart",
		"mount":  "attach", "unmount": "detach", "sign-in": "login", "log-out": "logout", "share": "grant",
		"revoke": "revoke",
		"invite": "invite", "export": "export", "list": "read", "maintenance-start": "other",
	} {
		if got := upcloud.OperationOf(action); got != want || !upcloud.KnowsAction(action) {
			t.Errorf("%s is %s and known: %v, want %s", action, got, upcloud.KnowsAction(action), want)
		}
	}

	for _, action := range []string{
		"", "x", "Purge", "deletion-started", "server-delete", "delete-failed", "login-failed",
		"failed-login", "enable", "reset", "-", " delete",
	} {
		if got := upcloud.OperationOf(action); got != auditlog.OperationOther || upcloud.KnowsAction(action) {
			t.Errorf("%q is %s and known: %v", action, got, upcloud.KnowsAction(action))
		}
	}

	if info := upcloud.Info(); !info.KnowsAction("maintenance-start") || info.KnowsAction("maintenance-begin") ||
		info.OperationOf("purge") != "delete" {
		t.Error("the service does not pass on what it knows")
	}
}

func FuzzDecodeList(f *testing.F) {
	fake, err := fakeapi.New(fakeapi.Options{Entries: 30})
	if err != nil {
		f.Fatal(err)
	}

	for _, r := range fake.UpCloudRecords() {
		f.Add([]byte(`{"audit_logs":[` + string(r.Raw) + `]}`))
	}

	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"audit_logs":null}`, `{"audit_logs":[null]}`, `{"audit_logs":[]}`,
		`{"audit_logs":[{"cloud_event_id":"x","action":"a","time":"0000-01-01T00:00:00Z","previous_state":[1e999,{"":{}}],"current_state":"x"}]}`,
	} {
		f.Add([]byte(body))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		samePage(t, body, false)

		entries, err := upcloud.DecodeList(body)
		if err != nil {
			if entries != nil {
				t.Errorf("half a page with %v", err)
			}

			return
		}

		for i := range entries {
			e := &entries[i]
			if e.ID == "" || e.Action == "" || e.Operation == "" || e.ActorType == "" || e.Service == "" || !json.Valid(e.Raw) {
				t.Errorf("not an entry: %+v", e)
			}

			if !slices.IsSortedFunc(e.Changes, func(a, b auditlog.Change) int { return strings.Compare(a.Field, b.Field) }) {
				t.Errorf("changes are not sorted: %+v", e.Changes)
			}

			for _, field := range auditlog.Fields() {
				_ = field.Text(e)
			}
		}
	})
}

// BenchmarkPage reads pages of 200 records. The allocations are per page.
func BenchmarkPage(b *testing.B) {
	fake, err := fakeapi.New(fakeapi.Options{Entries: 1000})
	if err != nil {
		b.Fatal(err)
	}

	var texts []string
	for _, r := range fake.UpCloudRecords()[:200] {
		texts = append(texts, string(r.Raw))
	}

	body := []byte(`{"audit_logs":[` + strings.Join(texts, ",") + `]}`)
	decode := func(name string, decode func([]byte) ([]auditlog.Entry, error)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()

			for range b.N {
				if _, err := decode(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}

	decode("one pass", upcloud.DecodeList)
	decode("plain", plainList)
}
