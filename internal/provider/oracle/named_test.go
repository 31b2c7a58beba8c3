// SPDX-License-Identifier: MPL-2.0

package oracle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// upcloudLine and cloudscaleLine are records of the last day, a minute apart; what
// is given replaces the value of a key, or adds one.
func upcloudLine(minute int, values ...string) string {
	r := &record{}
	at := fakeapi.DefaultNow().Add(time.Duration(minute-60) * time.Minute)

	r.set("time", canonical(at.Format(time.RFC3339)))
	r.set("cloud_event_id", canonical(fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G5F%02d", minute)))

	for key, value := range map[string]string{
		"auth_type": "api", "upcloud_correlation_id": "c", "resource_type": "server", "action": "delete", "origin": "api",
		"account_username": "mia.ops", "ip_address": "10.0.0.1",
	} {
		r.set(key, canonical(value))
	}

	return r.with(values)
}

func cloudscaleLine(minute int, values ...string) string {
	r := &record{}
	at := fakeapi.DefaultNow().Add(time.Duration(minute-60) * time.Minute)

	r.set("timestamp", canonical(at.Format("2006-01-02T15:04:05.000000Z")))
	r.set("ip_address", `"10.0.0.1"`)
	r.set("action", `"server_delete"`)
	r.set("message", `"Server 'web-1' has been deleted"`)
	r.set("actor", `{"user":{"email":"mia@example.com"}}`)

	return r.with(values)
}

// with sets keys to JSON values, given in turn.
func (r *record) with(values []string) string {
	for i := 0; i < len(values); i += 2 {
		found := false

		for j := range r.keys {
			if r.keys[j] == values[i] {
				r.values[j], found = values[i+1], true
			}
		}

		if !found {
			r.set(values[i], values[i+1])
		}
	}

	return r.String()
}

// TestNamedCases are disagreements that were found, made as small as they get.
func TestNamedCases(t *testing.T) {
	t.Parallel()

	ci := []expectation{{actors: []string{"ci"}}}
	deletions := func(expected ...expectation) *question {
		return &question{service: upcloud, verdict: true, builtins: []string{"deletion"}, expected: expected}
	}

	for name, test := range map[string]struct {
		decision string // "" for one that holds already
		lines    []string
		q        *question
	}{
		"entries exactly within apart are two findings": {
			"",
			[]string{upcloudLine(1), upcloudLine(2), upcloudLine(4)},
			&question{
				service: upcloud, verdict: true, builtins: []string{},
				rules: []rule{{
					name: "own", threshold: 2, within: "1m",
					where: &expr{text: "true", eval: func(scope) (any, error) { return true, nil }},
				}},
			},
		},
		"spellings of one address are one group": {
			"",
			[]string{upcloudLine(1, "ip_address", `"2001:db8::1"`), upcloudLine(2, "ip_address", `"2001:0DB8:0::1"`)},
			&question{
				service: upcloud, verdict: true, builtins: []string{},
				rules: []rule{{
					name: "own", threshold: 2, groupBy: []string{"ip_address"},
					where: &expr{text: "true", eval: func(scope) (any, error) { return true, nil }},
				}},
			},
		},
		"names that Terraform makes equal are added up": {namesInNFC, []string{
			upcloudLine(1, "account_username", "\"zo\u00eb\""), upcloudLine(2, "account_username", "\"zoe\u0308\""),
			upcloudLine(3, "account_username", "\"zoe\u0308\""),
		}, &question{service: upcloud}},
		"names that Terraform makes equal are one burst": {namesInNFC, []string{
			upcloudLine(1, "account_username", "\"zo\u00eb\""), upcloudLine(2, "account_username", "\"zoe\u0308\""),
		}, deletions()},
		"a filter finds a decomposed name": {
			namesInNFC,
			[]string{upcloudLine(1, "account_username", "\"zoe\u0308\"")},
			&question{service: upcloud, actors: []string{"zo\u00eb"}},
		},
		"search finds STRASSE in straße": {
			fullFolding,
			[]string{upcloudLine(1, "account_username", `"straße"`)},
			&question{service: upcloud, search: "STRASSE"},
		},
		"search finds a final sigma": {
			fullFolding,
			[]string{upcloudLine(1, "account_username", `"σίσυφος"`)},
			&question{service: upcloud, search: "ΣΊΣΥΦΟΣ"},
		},
		"a backslash is a character": {
			plainGlobs,
			[]string{upcloudLine(1, "account_username", `"CORPjdoe"`), upcloudLine(2, "account_username", `"CORP\\jdoe"`)},
			deletions(expectation{actors: []string{`CORP\jdoe`}}),
		},
		"a bracket is a character": {
			plainGlobs,
			[]string{upcloudLine(1, "account_username", `"a"`), upcloudLine(2, "account_username", `"[a-z]"`)},
			deletions(expectation{actors: []string{"[a-z]"}}),
		},
		"a zone does not hide an address": {
			zonesIgnored,
			[]string{upcloudLine(1, "ip_address", `"fe80::1%eth0"`)},
			&question{service: upcloud, ipAddresses: []string{"fe80::/10"}},
		},
		"a mapped address is not narrowed": {
			mappedAddresses,
			[]string{upcloudLine(1, "ip_address", `"::ffff:10.0.0.1"`)},
			&question{service: upcloud, ipAddresses: []string{"10.0.0.1"}},
		},
		"a mapped block is one of IPv4": {mappedAddresses, []string{upcloudLine(1)}, &question{service: upcloud, ipAddresses: []string{"::ffff:10.0.0.0/104"}}},
		"a token's description allows nothing": {
			uniqueNames,
			[]string{cloudscaleLine(1, "actor", `{"api_token":{"uuid":"t-1","description":"ci"}}`)},
			&question{
				service: cloudscale, verdict: true, builtins: []string{"deletion"}, expected: ci,
			},
		},
		"a rule counts without a field": {groupFallback, []string{cloudscaleLine(1), cloudscaleLine(2)}, &question{
			service: cloudscale, verdict: true, builtins: []string{},
			rules: []rule{{
				name: "own", threshold: 2, groupBy: []string{"origin"},
				where: &expr{text: "true", eval: func(scope) (any, error) { return true, nil }},
			}},
		}},
		"purge deletes": {
			widerWords,
			[]string{upcloudLine(1, "action", `"purge"`)},
			&question{service: upcloud, operations: []string{"delete"}},
		},
		"server_destroy deletes": {
			widerWords,
			[]string{cloudscaleLine(1, "action", `"server_destroy"`)},
			&question{service: cloudscale, operations: []string{"delete"}},
		},
		"an unknown action opens no gate": {
			unknownActions,
			[]string{cloudscaleLine(1, "action", `"server_obliterate"`)},
			&question{service: cloudscale, verdict: true, builtins: []string{"deletion"}},
		},
		"an unknown action behind a filter": {
			unknownBehindFilter,
			[]string{cloudscaleLine(1, "action", `"server_obliterate"`), cloudscaleLine(2)},
			&question{
				service: cloudscale, verdict: true, builtins: []string{"deletion"}, operations: []string{"delete"},
			},
		},
		"a type that does not exist": {checkedValues, []string{upcloudLine(1)}, &question{service: upcloud, resourceTypes: []string{"servers"}}},
		"a condition on an absent value": {emptyIsAbsent, []string{upcloudLine(1), upcloudLine(2, "origin", `""`)}, &question{
			service: upcloud, where: &expr{
				text: `entry.origin == ""`, words: []word{{"origin", ""}},
				eval: func(s scope) (any, error) { return s.entry.text["origin"] == "", nil },
			},
		}},
		"a record from beyond the service's now": {
			countedOnce,
			[]string{upcloudLine(1, "time", `"2026-06-30T12:00:00.4Z"`)},
			&question{service: upcloud},
		},
		"another key in another case": {
			exactKeys,
			[]string{upcloudLine(1, "Account_Username", `"mallory"`)},
			&question{service: upcloud},
		},
		"a number in another spelling": {
			numbersByValue,
			[]string{upcloudLine(1, "previous_state", `{"a":1,"b":1}`, "current_state", `{"a":1.0,"b":2}`)},
			&question{service: upcloud},
		},
		"a list that becomes an object": {
			kindsOfStates,
			[]string{upcloudLine(1, "previous_state", `{"a":["x"]}`, "current_state", `{"a":{"0":"x"}}`)},
			&question{service: upcloud},
		},
		"an empty list that becomes an object": {
			emptyKinds,
			[]string{upcloudLine(1, "previous_state", `{"a":[]}`, "current_state", `{"a":{"0":"x"}}`)},
			&question{service: upcloud},
		},
		"a fingerprint of a line separator": {
			jqFingerprints,
			[]string{cloudscaleLine(1, "message", "\"a\u2028b\"")},
			&question{service: cloudscale},
		},
		"a fingerprint of a delete character": {
			jqFingerprints,
			[]string{cloudscaleLine(1, "message", "\"a\x7fb\"")},
			&question{service: cloudscale},
		},
		"a name that goes over two lines": {
			namesOnLines,
			[]string{cloudscaleLine(1, "message", `"Server 'a\nb' has been deleted"`)},
			&question{service: cloudscale},
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()

			if test.decision != "" && !decided[test.decision] || test.decision == unknownBehindFilter &&
				!decided[unknownActions] {
				t.Skip("not decided yet:", test.decision)
			}

			x := disagreement{
				h: history{test.q.service: test.lines}, options: fakeapi.Options{Now: fakeapi.DefaultNow()},
				q: test.q,
			}
			if test.decision == countedOnce {
				x.options.Now = x.options.Now.Add(500 * time.Millisecond)
			}

			p := serve(t, x.h, x.options)
			defer p.close()

			if _, err := newOracle(x.h, x.options.Now).compare(x.q, p.read(t, x.q.typeName(), x.q.arguments())); err != nil {
				x.err = err
				t.Error(x)
			}
		})
	}
}
