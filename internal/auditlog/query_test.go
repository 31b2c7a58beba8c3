// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func TestParseSpan(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "30m": 30 * time.Minute, "24h": 24 * time.Hour, "7d": 168 * time.Hour,
		"2w": 336 * time.Hour,
	} {
		if got, err := auditlog.ParseSpan(text); err != nil || got != want {
			t.Errorf("ParseSpan(%q) = %v, %v; want %v", text, got, err, want)
		}
	}

	for _, text := range []string{
		"", "1", "d", "1 month", "1M", "-1d", "1.5h", "1h30m", " 1h", "1h ", "9999999d",
		"999999w", "٣d",
	} {
		if got, err := auditlog.ParseSpan(text); err == nil {
			t.Errorf("ParseSpan(%q) = %v; want an error", text, got)
		}
	}
}

func TestWindowSpecResolve(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 6, 30, 12, 0, 0, 123456789, time.UTC)
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}

		return parsed
	}

	for name, tt := range map[string]struct {
		spec auditlog.WindowSpec
		want string
	}{
		"nothing given": {auditlog.WindowSpec{}, "[2026-06-29T12:00:00.123456Z, 2026-06-30T12:00:00.123456Z)"},
		"last": {
			auditlog.WindowSpec{Last: time.Hour},
			"[2026-06-30T11:00:00.123456Z, 2026-06-30T12:00:00.123456Z)",
		},
		"settled": {
			auditlog.WindowSpec{Last: time.Hour, SettleDelay: time.Minute},
			"[2026-06-30T10:59:00.123456Z, 2026-06-30T11:59:00.123456Z)",
		},
		"start only": {
			auditlog.WindowSpec{Start: at("2026-06-01T00:00:00+02:00")},
			"[2026-05-31T22:00:00.000000Z, 2026-06-30T12:00:00.123456Z)",
		},
		"end only": {
			auditlog.WindowSpec{End: at("2026-06-02T00:00:00Z")},
			"[2026-06-01T00:00:00.000000Z, 2026-06-02T00:00:00.000000Z)",
		},
		"end in the future": {
			auditlog.WindowSpec{Start: at("2026-06-30T00:00:00Z"), End: at("2027-01-01T00:00:00Z")},
			"[2026-06-30T00:00:00.000000Z, 2026-06-30T12:00:00.123456Z)",
		},
		"end not yet settled": {auditlog.WindowSpec{
			Start: at("2026-06-30T00:00:00Z"), End: at("2026-06-30T11:59:30Z"),
			SettleDelay: time.Minute,
		}, "[2026-06-30T00:00:00.000000Z, 2026-06-30T11:59:00.123456Z)"},
		"end long since settled": {auditlog.WindowSpec{
			Start: at("2026-06-01T00:00:00Z"), End: at("2026-06-02T00:00:00Z"),
			SettleDelay: time.Minute,
		}, "[2026-06-01T00:00:00.000000Z, 2026-06-02T00:00:00.000000Z)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := tt.spec.Resolve(now)
			if err != nil || got.String() != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}

	moment := now.Add(-time.Hour).Truncate(time.Microsecond)

	for name, tt := range map[string]struct {
		spec auditlog.WindowSpec
		want error
	}{
		"starts in the future": {auditlog.WindowSpec{Start: now.Add(time.Hour)}, auditlog.ErrWindowNotSettled},
		"starts now":           {auditlog.WindowSpec{Start: now}, auditlog.ErrWindowNotSettled},
		"starts and ends later": {
			auditlog.WindowSpec{Start: now.Add(time.Hour), End: now.Add(2 * time.Hour)},
			auditlog.ErrWindowNotSettled,
		},
		"shorter than settling": {
			auditlog.WindowSpec{Start: now.Add(-time.Second), SettleDelay: time.Minute},
			auditlog.ErrWindowNotSettled,
		},
		"ends before it begins": {
			auditlog.WindowSpec{Start: moment, End: moment.Add(-time.Hour)},
			auditlog.ErrWindowReversed,
		},
		"so in the future": {
			auditlog.WindowSpec{Start: now.Add(2 * time.Hour), End: now.Add(time.Hour)},
			auditlog.ErrWindowReversed,
		},
		"ends when it begins": {
			auditlog.WindowSpec{Start: moment, End: moment.In(time.FixedZone("", 3600))},
			auditlog.ErrWindowNoLength,
		},
		"so in the future, too": {
			auditlog.WindowSpec{Start: now.Add(time.Hour), End: now.Add(time.Hour)},
			auditlog.ErrWindowNoLength,
		},
		"shorter than a microsecond": {
			auditlog.WindowSpec{Start: moment.Add(100), End: moment.Add(900)},
			auditlog.ErrWindowNoLength,
		},
	} {
		if got, err := tt.spec.Resolve(now); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, tt.want)
		}
	}
}

// TestLastLeavesNoHoles: settle_delay shifts the window of a run and does not
// shorten it, so that the windows of runs that follow each other touch.
func TestLastLeavesNoHoles(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		spec := auditlog.WindowSpec{
			Last:        time.Duration(rapid.Int64Range(1, 1_000_000).Draw(t, "last")) * time.Second,
			SettleDelay: time.Duration(rapid.Int64Range(0, 1_000_000).Draw(t, "settle_delay")) * time.Second,
		}
		now := time.Unix(1_800_000_000, rapid.Int64Range(0, 1_000_000_000).Draw(t, "nanoseconds"))

		first, err := spec.Resolve(now)
		if err != nil {
			t.Fatal(err)
		}

		second, err := spec.Resolve(now.Add(spec.Last))
		if err != nil {
			t.Fatal(err)
		}

		if first.End.Sub(first.Start) != spec.Last || !first.End.Equal(second.Start) {
			t.Fatalf("%v, then %v", first, second)
		}
	})
}

func TestWindowIsHalfOpen(t *testing.T) {
	t.Parallel()

	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := auditlog.Window{Start: start, End: start.Add(time.Hour)}

	for d, want := range map[time.Duration]bool{-1: false, 0: true, time.Hour - 1: true, time.Hour: false} {
		if got := w.Contains(start.Add(d)); got != want {
			t.Errorf("Contains(start%+v) = %v", d, got)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := auditlog.Entry{
		ID: "01HQ", Time: now, Action: "server_delete", Operation: auditlog.OperationDelete, ActorID: "t-1", Actor: "Jörg",
		ResourceType: "server", ResourceID: "r-1", ResourceName: "Web", Origin: "api", IPAddress: "2001:0db8:0000::f",
		Message: "ÄRGER gelöscht",
	}
	window := auditlog.Window{Start: now, End: now.Add(1)}

	for name, tt := range map[string]struct {
		q    auditlog.Query
		want bool
	}{
		"no filter":                {auditlog.Query{}, true},
		"action":                   {auditlog.Query{Actions: []string{"x", "server_delete"}}, true},
		"action, other case":       {auditlog.Query{Actions: []string{"Server_delete"}}, false},
		"operation":                {auditlog.Query{Operations: []auditlog.Operation{"create"}}, false},
		"all lists must match":     {auditlog.Query{Actions: []string{"server_delete"}, Origins: []string{"gui"}}, false},
		"actor by name":            {auditlog.Query{Actors: []string{"Jörg"}}, true},
		"actor by id":              {auditlog.Query{Actors: []string{"t-1"}}, true},
		"actor in part":            {auditlog.Query{Actors: []string{"J"}}, false},
		"resource id":              {auditlog.Query{ResourceIDs: []string{"r-1"}}, true},
		"resource type":            {auditlog.Query{ResourceTypes: []string{"volume"}}, false},
		"address, other spelling":  {auditlog.Query{IPAddresses: []string{"2001:db8::000f"}}, true},
		"block":                    {auditlog.Query{IPAddresses: []string{"10.0.0.0/8", "2001:db8::/32"}}, true},
		"other block":              {auditlog.Query{IPAddresses: []string{"2001:db9::/32"}}, false},
		"search, other case":       {auditlog.Query{Search: "ärger"}, true},
		"search in id":             {auditlog.Query{Search: "1h"}, true},
		"search in name":           {auditlog.Query{Search: "WEB"}, true},
		"search not in the origin": {auditlog.Query{Search: "api"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			tt.q.Window = window

			m, err := tt.q.Matcher()
			if err != nil {
				t.Fatal(err)
			}

			if got, err := m.Match(&e); err != nil || got != tt.want {
				t.Errorf("Match = %v", got)
			}
		})
	}

	outside := auditlog.Query{Window: auditlog.Window{Start: now.Add(1), End: now.Add(2)}}
	if m, err := outside.Matcher(); err != nil || matches(t, m, &e) {
		t.Errorf("an entry outside of the window matches (%v)", err)
	}
}

func TestMatcherRefuses(t *testing.T) {
	t.Parallel()

	for name, q := range map[string]auditlog.Query{
		"an empty value": {Actors: []string{""}},
		"no address":     {IPAddresses: []string{"localhost"}},
		"a zone":         {IPAddresses: []string{"fe80::1%eth0"}},
	} {
		if _, err := q.Matcher(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestMatchAddressesMappedToIPv6(t *testing.T) {
	t.Parallel()

	w := auditlog.Window{End: time.Unix(1, 0)}

	m, err := auditlog.Query{Window: w, IPAddresses: []string{"192.0.2.0/24"}}.Matcher()
	if err != nil {
		t.Fatal(err)
	}

	for address, want := range map[string]bool{
		"::ffff:192.0.2.1": true, "192.0.2.1": true, "192.0.2.x": false,
		"": false,
	} {
		if got := matches(t, m, &auditlog.Entry{IPAddress: address}); got != want {
			t.Errorf("%q matches: %v", address, got)
		}
	}
}

func TestOperationsOf(t *testing.T) {
	t.Parallel()

	got := auditlog.OperationsOf([]string{"b", "a", "c"}, func(a string) auditlog.Operation {
		return map[string]auditlog.Operation{
			"a": auditlog.OperationDelete, "b": auditlog.OperationOther,
			"c": auditlog.OperationDelete,
		}[a]
	})
	if !slices.Equal(got, []string{"delete", "other"}) {
		t.Errorf("got %v", got)
	}
}

func matches(t *testing.T, m *auditlog.Matcher, e *auditlog.Entry) bool {
	t.Helper()

	ok, err := m.Match(e)
	if err != nil {
		t.Fatal(err)
	}

	return ok
}
