// SPDX-License-Identifier: MPL-2.0

package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

const redactionKey = "0123456789abcdef"

func mustRedactor(tb testing.TB, rules map[string]string) *redact.Redactor {
	tb.Helper()

	r, err := redact.New(rules, []byte(redactionKey))
	if err != nil {
		tb.Fatal(err)
	}

	return r
}

func TestRedactorRefuses(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		rules map[string]string
		key   string
		want  error
		text  string
	}{
		"unknown field": {
			map[string]string{"actr": "drop"},
			redactionKey, redact.ErrField,
			"redact actr by drop: an entry has no such field",
		},
		"unknown mode": {
			map[string]string{"actor": "sha1"},
			redactionKey, redact.ErrMode,
			"redact actor by sha1: no such way to redact a field",
		},
		"no mode": {
			map[string]string{"actor": ""},
			redactionKey, redact.ErrMode,
			"redact actor by : no such way to redact a field",
		},
		"id": {map[string]string{"id": "hash"}, redactionKey, redact.ErrStructural, "redact id by hash: the field has to stay: it tells entries apart, and without it repetitions could not be found"},
		"no mask": {
			map[string]string{"user_agent": "mask"},
			redactionKey, redact.ErrNoMask,
			"redact user_agent by mask: the field has no masked form",
		},
		"hashed record": {
			map[string]string{"raw": "hash"},
			redactionKey, redact.ErrNoHash,
			"redact raw by hash: the field can only be kept or dropped",
		},
		"masked record": {
			map[string]string{"raw": "mask"},
			redactionKey, redact.ErrNoMask,
			"redact raw by mask: the field has no masked form",
		},
		"no key": {
			map[string]string{"actor": "hash"},
			"", redact.ErrNoKey,
			"redact actor by hash: hashing needs a key",
		},
		"short key": {
			map[string]string{"actor": "hash"},
			redactionKey[1:], redact.ErrKey,
			"the key is shorter than 16 characters or holds a control character",
		},
		"line break": {
			map[string]string{"actor": "hash"},
			redactionKey + "\n", redact.ErrKey,
			"the key is shorter than 16 characters or holds a control character",
		},
		"first by name": {
			map[string]string{"zzz": "drop", "actor": "x", "time": "drop"},
			"", redact.ErrMode,
			"redact actor by x: no such way to redact a field",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r, err := redact.New(test.rules, []byte(test.key))
			if r != nil || !errors.Is(err, test.want) || err.Error() != test.text {
				t.Errorf("got %v", err)
			}
		})
	}

	// The key is not looked at where nothing is hashed.
	if _, err := redact.New(map[string]string{"actor": "mask", "id": "keep"}, nil); err != nil {
		t.Error(err)
	}
}

// TestRedactorKnowsEveryField: a new field must be given its place.
func TestRedactorKnowsEveryField(t *testing.T) {
	t.Parallel()

	for _, f := range auditlog.Fields() {
		err := redact.CheckRule(f.Name, redact.Drop)
		if f.Required != errors.Is(err, redact.ErrStructural) || !f.Required && err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}

		if err := redact.CheckRule(f.Name, redact.Keep); err != nil {
			t.Error(err)
		}

		hashable := !f.Required && f.Kind == auditlog.KindString
		if err := redact.CheckRule(f.Name, redact.Hash); hashable != (err == nil) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}

	if diff := cmp.Diff([]string{"actor", "scope_name", "ip_address"}, redact.MaskableFields()); diff != "" {
		t.Error(diff)
	}
}

// TestPseudonymsCanBeMadeByHand holds the documented form against a program that
// is not ours, and fixes it for good: files written today are compared with those
// of later versions.
func TestPseudonymsCanBeMadeByHand(t *testing.T) {
	t.Parallel()

	r := mustRedactor(t, map[string]string{"actor": "hash", "ip_address": "hash", "actor_id": "hash"})
	e := r.Apply(auditlogtest.Entry("1", func(e *auditlog.Entry) {
		e.Actor, e.ActorID, e.IPAddress = "jane@example.com", "jane@example.com", "2001:DB8:0::1"
	}))

	if diff := cmp.Diff([]string{
		"hmac:3T2BX22VCFXOWBJJGNJPQTED2C", "hmac:NMAUOZ7T356J7AVZLJOGVT4TIS", "hmac:Z3ODS2K7KHAUFC5XDHOWYVUNLR", "f3a135e7",
	}, []string{e.Actor, e.ActorID, e.IPAddress, r.KeyID()}); diff != "" {
		t.Error(diff)
	}

	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl to compare with")
	}

	out, err := exec.CommandContext(t.Context(), "sh", "-c",
		`printf 'actor:jane@example.com' | "$0" dgst -sha256 -hmac "$1" -binary | base32 | cut -c1-26`, openssl, redactionKey).Output()
	if err != nil {
		t.Fatal(err)
	}

	if got := "hmac:" + strings.TrimSpace(string(out)); got != e.Actor {
		t.Errorf("openssl says %s", got)
	}
}

func TestRedactorModes(t *testing.T) {
	t.Parallel()

	full := func(change func(*auditlog.Entry)) auditlog.Entry {
		return auditlogtest.Entry("1", func(e *auditlog.Entry) {
			e.Actor, e.IPAddress, e.ResourceName = "jane@example.com", "192.0.2.7", "web-1"
			e.Message, e.Raw, e.Changes = "Jane did it", json.RawMessage(`{"a":1}`), []auditlog.Change{{Field: "a"}}

			if change != nil {
				change(e)
			}
		})
	}

	for name, test := range map[string]struct {
		rules    map[string]string
		in, want func(*auditlog.Entry)
	}{
		"nothing":   {nil, nil, func(*auditlog.Entry) {}},
		"all kept":  {map[string]string{"actor": "keep", "raw": "keep"}, nil, func(*auditlog.Entry) {}},
		"raw alone": {map[string]string{"raw": "drop"}, nil, func(e *auditlog.Entry) { e.Raw = nil }},
		"kept by name": {
			map[string]string{"actor": "drop", "raw": "keep", "message": "keep", "changes": "keep"},
			nil,
			func(e *auditlog.Entry) { e.Actor = "" },
		},
		"changes": {map[string]string{"changes": "drop"}, nil, dropCarriers},
		"dropped": {map[string]string{"actor": "drop"}, nil, func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "" }},
		"mail masked": {
			map[string]string{"actor": "mask"},
			nil,
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "***@example.com" },
		},
		"name masked": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.Actor = "jane" },
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "***" },
		},
		"no name": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.Actor = "" },
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "" },
		},
		"half a mail": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.Actor = "Jane <jane@example.com>" },
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "***" },
		},
		"no domain": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.Actor = "jane@localhost" },
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "***" },
		},
		"two mails": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.Actor = "a@b.example,c@d.example" },
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor = "***" },
		},
		"IPv4": {
			map[string]string{"ip_address": "mask"},
			nil,
			func(e *auditlog.Entry) { dropCarriers(e); e.IPAddress = "192.0.2.0/24" },
		},
		"IPv6": {
			map[string]string{"ip_address": "mask"},
			func(e *auditlog.Entry) { e.IPAddress = "2001:db8:1:2::7%eth0" },
			func(e *auditlog.Entry) { dropCarriers(e); e.IPAddress = "2001:db8:1::/48" },
		},
		"IPv4 in IPv6": {
			map[string]string{"ip_address": "mask"},
			func(e *auditlog.Entry) { e.IPAddress = "::ffff:192.0.2.7" },
			func(e *auditlog.Entry) { dropCarriers(e); e.IPAddress = "192.0.2.0/24" },
		},
		"no address": {
			map[string]string{"ip_address": "mask"},
			func(e *auditlog.Entry) { e.IPAddress = "192.0.2.xxx" },
			func(e *auditlog.Entry) { dropCarriers(e); e.IPAddress = "" },
		},
		"user scope": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.ScopeType, e.ScopeName = "user", "joe@example.org" }, func(e *auditlog.Entry) {
				dropCarriers(e)
				e.Actor, e.ScopeType, e.ScopeName = "***@example.com", "user", "***@example.org"
			},
		},
		"project scope": {
			map[string]string{"actor": "mask"},
			func(e *auditlog.Entry) { e.ScopeType, e.ScopeName = "project", "shop" }, func(e *auditlog.Entry) {
				dropCarriers(e)
				e.Actor, e.ScopeType, e.ScopeName = "***@example.com", "project", "shop"
			},
		},
		"named scope": {
			map[string]string{"actor": "mask", "scope_name": "keep"},
			func(e *auditlog.Entry) { e.ScopeType, e.ScopeName = "user", "jane@example.com" }, func(e *auditlog.Entry) {
				dropCarriers(e)
				e.Actor, e.ScopeType, e.ScopeName = "***@example.com", "user", "jane@example.com"
			},
		},
		"one person": {
			map[string]string{"actor": "hash"},
			func(e *auditlog.Entry) {
				e.ScopeType, e.ScopeName, e.ResourceName = "user", "jane@example.com", "JANE@example.com"
			},
			func(e *auditlog.Entry) {
				dropCarriers(e)
				e.ScopeType = "user"
				e.Actor, e.ScopeName, e.ResourceName = "hmac:3T2BX22VCFXOWBJJGNJPQTED2C", "hmac:3T2BX22VCFXOWBJJGNJPQTED2C",
					"hmac:3T2BX22VCFXOWBJJGNJPQTED2C"
			},
		},
		"inside others": {
			map[string]string{"actor": "mask", "ip_address": "drop", "user_agent": "keep"},
			func(e *auditlog.Entry) {
				e.ResourceName, e.ResourceID, e.UserAgent, e.CorrelationID = "key of Jane@Example.com", "192.0.2.7",
					"by jane@example.com", "from 192.0.2.7:443"
			},
			func(e *auditlog.Entry) {
				dropCarriers(e)
				e.Actor, e.IPAddress, e.ResourceName, e.UserAgent = "***@example.com", "", "", "by jane@example.com"
			},
		},
		"short and kinds": {
			map[string]string{"actor": "drop", "resource_type": "drop"},
			func(e *auditlog.Entry) {
				e.Actor, e.ResourceType, e.ResourceName, e.Origin = "api", "server", "server-api", "api"
			},
			func(e *auditlog.Entry) { dropCarriers(e); e.Actor, e.ResourceName, e.Origin = "", "server-api", "api" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			in := full(test.in)
			before := clone(in)
			got := mustRedactor(t, test.rules).Apply(in)

			want := full(nil)
			test.want(&want)

			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}

			if diff := cmp.Diff(before, in); diff != "" {
				t.Errorf("the entry itself changed: %s", diff)
			}
		})
	}

	var none *redact.Redactor
	if diff := cmp.Diff(full(nil), none.Apply(full(nil))); diff != "" || none.Active() || none.Statement() != nil ||
		none.KeyID() != "" || none.Rules() != nil {
		t.Errorf("a nil redactor redacts: %s", diff)
	}
}

func dropCarriers(e *auditlog.Entry) { e.Message, e.Raw, e.Changes = "", nil, nil }

func clone(e auditlog.Entry) auditlog.Entry {
	e.Raw, e.Changes = bytes.Clone(e.Raw), slices.Clone(e.Changes)

	return e
}

func TestRedactionStatement(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		rules map[string]string
		want  string
	}{
		"nothing":  {map[string]string{"actor": "keep"}, `null`},
		"raw":      {map[string]string{"raw": "drop"}, `{"rules":[{"field":"raw","mode":"drop","implied":false}],"key_id":null}`},
		"no key":   {map[string]string{"ip_address": "mask", "message": "keep"}, `{"rules":[{"field":"ip_address","mode":"mask","implied":false},{"field":"message","mode":"keep","implied":false},{"field":"changes","mode":"drop","implied":true},{"field":"raw","mode":"drop","implied":true}],"key_id":null}`},
		"a person": {map[string]string{"actor": "hash", "changes": "keep"}, `{"rules":[{"field":"actor","mode":"hash","implied":false},{"field":"scope_name","mode":"hash","implied":true,"where":"scope_type=user"},{"field":"message","mode":"drop","implied":true},{"field":"changes","mode":"keep","implied":false},{"field":"raw","mode":"drop","implied":true}],"key_id":"f3a135e7"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := json.Marshal(mustRedactor(t, test.rules).Statement())
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}

			if strings.Contains(string(got), redactionKey) {
				t.Error("the key is in the statement")
			}
		})
	}
}

// TestRedactedValuesAreGone: for any rules and any entry, also one whose fields
// repeat each other, no redacted value of four or more characters is anywhere in
// the result, but for fields that are kept by name and those whose words are the
// cloud's own. Values are lower-case letters beyond ASCII, so that none is part of
// a key, of a pseudonym or of a mask by chance.
func TestRedactedValuesAreGone(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("äöüßéñ")), 1, 9, -1),
			rapid.Custom(func(t *rapid.T) string {
				return rapid.StringOfN(rapid.RuneFrom([]rune("äöüß")), 1, 5, -1).Draw(t, "local") + "@ñé.example"
			}),
			rapid.SampledFrom([]string{"", "203.0.113.77", "2001:db8:7::77", "198.51.100.x77"}),
		), 1, 4).Draw(t, "pool")
		value := rapid.Custom(func(t *rapid.T) string {
			text := rapid.SampledFrom(pool).Draw(t, "value")

			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				return "<" + text + "> " + rapid.SampledFrom(pool).Draw(t, "other")
			case 1:
				return strings.ToUpper(text)
			default:
				return text
			}
		})

		e := auditlog.Entry{
			ID: "1", Time: auditlogtest.At, Service: "upcloud", Action: "update", Operation: auditlog.OperationUpdate,
			ActorType: auditlog.ActorUser,
			ScopeType: rapid.SampledFrom([]string{"", "user", "project"}).Draw(t, "scope_type"), ResourceType: "server",
			Origin: "api", AuthType: "gui",
		}
		texts := map[string]*string{
			"actor_id": &e.ActorID, "actor": &e.Actor, "resource_id": &e.ResourceID, "resource_name": &e.ResourceName,
			"scope_id":   &e.ScopeID,
			"scope_name": &e.ScopeName, "ip_address": &e.IPAddress, "user_agent": &e.UserAgent,
			"correlation_id": &e.CorrelationID, "message": &e.Message,
		}

		for _, name := range slices.Sorted(maps.Keys(texts)) {
			*texts[name] = value.Draw(t, name)
		}

		everything := strings.Join(pool, " ")
		e.Raw, _ = json.Marshal(map[string]string{"all": everything})
		e.Changes = []auditlog.Change{{Field: everything, Before: &everything}}

		rules := map[string]string{}

		for _, f := range auditlog.Fields() {
			modes := []string{"", ""}

			for _, mode := range redact.Modes() {
				if redact.CheckRule(f.Name, mode) == nil {
					modes = append(modes, mode)
				}
			}

			if mode := rapid.SampledFrom(modes).Draw(t, "mode of "+f.Name); mode != "" {
				rules[f.Name] = mode
			}
		}

		r, err := redact.New(rules, []byte(redactionKey))
		if err != nil {
			t.Fatal(err)
		}

		got := r.Apply(e)

		// What is kept by name may hold anything.
		rest := got
		for name, text := range map[string]*string{
			"actor_id": &rest.ActorID, "actor": &rest.Actor, "resource_id": &rest.ResourceID,
			"resource_name": &rest.ResourceName, "scope_id": &rest.ScopeID,
			"scope_name": &rest.ScopeName, "ip_address": &rest.IPAddress, "user_agent": &rest.UserAgent,
			"correlation_id": &rest.CorrelationID, "message": &rest.Message,
		} {
			if rules[name] == redact.Keep {
				*text = ""
			}
		}

		if rules["changes"] == redact.Keep {
			rest.Changes = nil
		}

		if rules["raw"] == redact.Keep {
			rest.Raw = nil
		}

		var out strings.Builder

		encoder, err := format.NewEncoder(&out, format.NDJSON, nil, format.EncoderOptions{})
		if err != nil {
			t.Fatal(err)
		}

		if err := encoder.Encode(&rest); err != nil {
			t.Fatal(err)
		}

		for name, text := range texts {
			mode := rules[name]
			if name == "scope_name" && mode == "" && e.ScopeType == "user" {
				mode = rules["actor"]
			}

			if mode == "" || mode == redact.Keep || utf8.RuneCountInString(*text) < 4 {
				continue
			}

			quoted, _ := json.Marshal(*text)
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(strings.Trim(string(quoted), `"`))) {
				t.Errorf("%s of %s, %q, is still in %s", mode, name, *text, out.String())
			}
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	r, err := redact.New(map[string]string{"actor": "hash", "ip_address": "mask"}, []byte(redactionKey))
	if err != nil {
		b.Fatal(err)
	}

	e := auditlogtest.Hostile()[0]

	b.ReportAllocs()

	for b.Loop() {
		r.Apply(e)
	}
}

// TestPseudonymOfEqualTexts: what counts and filters take for one has one pseudonym.
func TestPseudonymOfEqualTexts(t *testing.T) {
	t.Parallel()

	r := mustRedactor(t, map[string]string{"actor": redact.Hash, "ip_address": redact.Hash})

	hashed := func(actor, address string) string {
		e := r.Apply(auditlog.Entry{Actor: actor, IPAddress: address})

		return e.Actor + " " + e.IPAddress
	}

	want := hashed("zo\u00eb", "fe80::1")
	for _, pair := range [][2]string{{"zoe\u0308", "fe80::1"}, {"zo\u00eb", "fe80::1%eth0"}, {"zo\u00eb", "FE80:0::1"}} {
		if got := hashed(pair[0], pair[1]); got != want {
			t.Errorf("%+q has another pseudonym", pair)
		}
	}
}
