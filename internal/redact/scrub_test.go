// SPDX-License-Identifier: MPL-2.0

package redact_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog/auditlogtest"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// scrubbed redacts the entries as those of one reading.
func scrubbed(tb testing.TB, r *redact.Redactor, entries []auditlog.Entry) []auditlog.Entry {
	tb.Helper()

	var c auditlog.Completeness

	s := r.Scrubber()
	if err := s.LearnAll(proven(entries, &c), &c); err != nil {
		tb.Fatal(err)
	}

	out := make([]auditlog.Entry, 0, len(entries))
	for _, e := range entries {
		out = append(out, s.Apply(e))
	}

	return out
}

// proven is a reading that comes to its end.
func proven(entries []auditlog.Entry, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	return func(yield func(auditlog.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}

		c.Proof = auditlog.ProofTotal
	}
}

// textsOf are the fields that redaction may change.
func textsOf(e *auditlog.Entry) map[string]*string {
	return map[string]*string{
		"actor_id": &e.ActorID, "actor": &e.Actor, "resource_type": &e.ResourceType, "resource_id": &e.ResourceID,
		"resource_name": &e.ResourceName,
		"scope_type":    &e.ScopeType, "scope_id": &e.ScopeID, "scope_name": &e.ScopeName, "origin": &e.Origin,
		"auth_type":  &e.AuthType,
		"ip_address": &e.IPAddress, "user_agent": &e.UserAgent, "correlation_id": &e.CorrelationID, "message": &e.Message,
	}
}

// with returns an entry with these values.
func with(values map[string]string) auditlog.Entry {
	return auditlogtest.Entry("1", func(e *auditlog.Entry) {
		for name, text := range textsOf(e) {
			*text = values[name]
		}
	})
}

type fieldsOf = map[string]string

// TestScrubber takes what is redacted in the first entry out of the second.
func TestScrubber(t *testing.T) {
	t.Parallel()

	const (
		miaActor = "hmac:TRFWFFZKBFTMKIZN7FA4FXM5V5"
	)

	hash := fieldsOf{"actor": "hash"}

	for name, tt := range map[string]struct {
		rules           fieldsOf
		first, in, want fieldsOf
	}{
		"a person as a resource": {
			hash,
			fieldsOf{"actor": "mia.ops"},
			fieldsOf{"resource_id": "mia.ops"},
			fieldsOf{"resource_id": miaActor},
		},
		"in another case": {
			hash,
			fieldsOf{"actor": "mia.ops"},
			fieldsOf{"user_agent": "MIA.Ops"},
			fieldsOf{"user_agent": miaActor},
		},
		"inside of a text": {
			hash,
			fieldsOf{"actor": "mia.ops"},
			fieldsOf{"resource_name": "Home of MIA.OPS"},
			fieldsOf{},
		},
		"as a kind": {
			hash,
			fieldsOf{"actor": "mia.ops"},
			fieldsOf{"origin": "mia.ops", "auth_type": "by mia.ops", "resource_type": "Mia.Ops", "scope_type": "mia.ops"},
			fieldsOf{"origin": miaActor, "resource_type": miaActor, "scope_type": miaActor},
		},
		"a common kind": {
			hash,
			fieldsOf{"actor": "server"},
			fieldsOf{"resource_type": "server", "origin": "API", "resource_name": "my-server"},
			fieldsOf{"resource_type": "server", "origin": "API"},
		},
		"inside of a common kind": {
			hash,
			fieldsOf{"actor": "upcloud"},
			fieldsOf{"origin": "upcloud_internal"},
			fieldsOf{"origin": "upcloud_internal"},
		},
		"an uncommon short kind": {
			fieldsOf{"actor": "drop"},
			fieldsOf{"actor": "ci"},
			fieldsOf{"resource_type": "ci", "origin": "ci-bot"},
			fieldsOf{"origin": "ci-bot"},
		},
		"kinds are looked for": {
			fieldsOf{"origin": "drop"},
			fieldsOf{"origin": "mia.ops"},
			fieldsOf{"resource_id": "mia.ops"},
			fieldsOf{"resource_id": "mia.ops"},
		},
		"short whole": {
			fieldsOf{"actor": "mask"},
			fieldsOf{"actor": "bo"},
			fieldsOf{"resource_name": "BO", "resource_id": "bo-1"},
			fieldsOf{"resource_name": "***", "resource_id": "bo-1"},
		},
		"four letters": {
			fieldsOf{"actor": "drop"},
			fieldsOf{"actor": "büro"},
			fieldsOf{"resource_name": "das BÜRO 1", "resource_id": "bür-1"},
			fieldsOf{"resource_id": "bür-1"},
		},
		"another rule": {
			fieldsOf{"actor": "hash", "resource_id": "drop", "user_agent": "keep"},
			fieldsOf{"actor": "mia.ops"},
			fieldsOf{"resource_id": "mia.ops", "user_agent": "mia.ops", "resource_name": "mia.ops"},
			fieldsOf{"user_agent": "mia.ops", "resource_name": miaActor},
		},
		"the first field counts": {
			fieldsOf{"actor": "hash", "resource_id": "drop"},
			fieldsOf{"resource_id": "mia.ops", "actor": "mia.ops"},
			fieldsOf{"resource_name": "mia.ops"},
			fieldsOf{"resource_name": miaActor},
		},
		"decomposed": {
			fieldsOf{"actor": "drop"},
			fieldsOf{"actor": "zoe\u0308 k"},
			fieldsOf{"resource_id": "ZO\u00cb K", "resource_name": "of zo\u00eb k."},
			fieldsOf{},
		},
		"composed": {
			fieldsOf{"actor": "drop"},
			fieldsOf{"actor": "ZO\u00cb K"},
			fieldsOf{"resource_id": "zoe\u0308 k", "resource_name": "of zoe\u0308 k."},
			fieldsOf{},
		},
		"a mark behind it": {
			fieldsOf{"actor": "drop"},
			fieldsOf{"actor": "mia.e"},
			fieldsOf{"resource_id": "mia.e\u0301"},
			fieldsOf{},
		},
		"one pseudonym": {
			hash,
			fieldsOf{},
			fieldsOf{"actor": "zoe\u0308.ops", "resource_id": "zo\u00eb.ops"},
			fieldsOf{"actor": "hmac:HLEGIU2QXBG4RJ4BXG6R7A4B2B", "resource_id": "hmac:HLEGIU2QXBG4RJ4BXG6R7A4B2B"},
		},
		"full folding": {
			fieldsOf{"actor": "drop"},
			fieldsOf{"actor": "Große Σίσυφος"},
			fieldsOf{"resource_id": "GROSSE ΣΊΣΥΦΟΣ"},
			fieldsOf{},
		},
		"an address spelled again": {
			fieldsOf{"ip_address": "mask"},
			fieldsOf{"ip_address": "2001:DB8:0::1"},
			fieldsOf{"resource_id": "2001:db8::1", "resource_name": "2001:0db8::0:1", "user_agent": "at 2001:db8::1"},
			fieldsOf{"resource_id": "2001:db8::/48", "resource_name": "2001:db8::/48"},
		},
		"an address in another": {
			fieldsOf{"ip_address": "drop"},
			fieldsOf{"ip_address": "::ffff:192.0.2.7"},
			fieldsOf{"resource_id": "192.0.2.7", "resource_name": "nic 192.0.2.7"},
			fieldsOf{},
		},
		"a person of a scope": {
			hash,
			fieldsOf{"scope_type": "user", "scope_name": "mia.ops"},
			fieldsOf{"scope_type": "project", "scope_name": "mia.ops"},
			fieldsOf{"scope_type": "project", "scope_name": miaActor},
		},
		"a domain that is a name": {
			fieldsOf{"actor": "mask"},
			fieldsOf{"actor": "example.com"},
			fieldsOf{"actor": "jo@example.com", "resource_id": "jo@example.org"},
			fieldsOf{"actor": "***", "resource_id": "jo@example.org"},
		},
		"a message by itself": {
			fieldsOf{"message": "drop"},
			fieldsOf{"message": "mia.ops"},
			fieldsOf{"resource_id": "mia.ops"},
			fieldsOf{},
		},
		"a message with others": {
			hash,
			fieldsOf{"message": "created"},
			fieldsOf{"resource_id": "created", "message": "x"},
			fieldsOf{"resource_id": "created"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r, err := redact.New(tt.rules, []byte(redactionKey))
			if err != nil {
				t.Fatal(err)
			}

			first, second := with(tt.first), with(tt.in)
			before := clone(second)

			if diff := cmp.Diff(with(tt.want), scrubbed(t, r, []auditlog.Entry{first, second})[1]); diff != "" {
				t.Error(diff)
			}

			if diff := cmp.Diff(with(tt.want), scrubbed(t, r, []auditlog.Entry{second, first})[0]); diff != "" {
				t.Errorf("the other way around: %s", diff)
			}

			if diff := cmp.Diff(before, second); diff != "" {
				t.Errorf("the entry itself changed: %s", diff)
			}
		})
	}
}

// TestScrubbedValuesAreGone: of a reading of any entries by any rules, no redacted
// value of four or more characters is left in any entry, whatever its case and its
// normal form, but for fields that are kept by name and for kinds that are common,
// and what is left does not depend on the order.
func TestScrubbedValuesAreGone(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("äöüßéñ\u0308oa")), 1, 9, -1),
			rapid.Custom(func(t *rapid.T) string {
				return rapid.StringOfN(rapid.RuneFrom([]rune("äöüß")), 1, 5, -1).Draw(t, "local") + "@ñé.éxample"
			}),
			rapid.SampledFrom([]string{
				"", "ñé.éxample", "203.0.113.77", "2001:db8:7::77", "::ffff:203.0.113.77", "::1%eth0",
				"0:0:0:0:0:0:0:1", "0::0", "server", "api", "upcloud",
			}),
		), 1, 5).Draw(t, "pool")
		value := rapid.Custom(func(t *rapid.T) string {
			text := rapid.SampledFrom(pool).Draw(t, "value")

			switch rapid.IntRange(0, 6).Draw(t, "how") {
			case 0:
				return "<" + text + "> " + rapid.SampledFrom(pool).Draw(t, "other")
			case 1:
				return strings.ToUpper(text)
			case 2:
				return norm.NFD.String(text)
			case 3:
				return text + "\u0301"
			default:
				return text
			}
		})
		kind := rapid.OneOf(rapid.SampledFrom([]string{"server", "api", "user", "upcloud_internal"}), value)

		entries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) auditlog.Entry {
			e := auditlog.Entry{
				ID: "1", Time: auditlogtest.At, Service: "upcloud", Action: "update", Operation: auditlog.OperationUpdate,
				ActorType: auditlog.ActorUser,
				Raw:       json.RawMessage(`{"all":"` + pool[0] + `"}`), Changes: []auditlog.Change{{Field: pool[0]}},
			}

			texts := textsOf(&e)
			for _, name := range slices.Sorted(maps.Keys(texts)) {
				if strings.HasSuffix(name, "_type") || name == "origin" {
					*texts[name] = kind.Draw(t, name)
				} else {
					*texts[name] = value.Draw(t, name)
				}
			}

			return e
		}), 1, 6).Draw(t, "entries")

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

		var c auditlog.Completeness

		s := r.Scrubber()
		if err := s.LearnAll(proven(entries, &c), &c); err != nil {
			t.Fatal(err)
		}

		// Another order comes to the same.
		other := r.Scrubber()
		if err := other.LearnAll(proven(rapid.Permutation(entries).Draw(t, "order"), &c), &c); err != nil {
			t.Fatal(err)
		}

		// Every redacted value, and how it may not be seen any more.
		gone := map[string]bool{}

		for i := range entries {
			for name, text := range textsOf(&entries[i]) {
				mode := rules[name]
				if name == "scope_name" && mode == "" && entries[i].ScopeType == "user" {
					mode = rules["actor"]
				}

				isKind := strings.HasSuffix(name, "_type") || name == "origin"
				if mode == "" || mode == redact.Keep || isKind || utf8.RuneCountInString(*text) < 4 {
					continue
				}

				gone[strings.ToLower(*text)] = true
				gone[norm.NFC.String(strings.ToLower(*text))] = true
			}
		}

		for _, e := range entries {
			out := s.Apply(e)
			if diff := cmp.Diff(out, other.Apply(e)); diff != "" {
				t.Errorf("another order: %s", diff)
			}

			for name, text := range textsOf(&out) {
				if rules[name] == redact.Keep || (strings.HasSuffix(name, "_type") || name == "origin") &&
					redact.CommonKind(*text) {
					continue
				}

				for value := range gone {
					if lower := strings.ToLower(*text); strings.Contains(lower, value) ||
						strings.Contains(norm.NFC.String(lower), value) {
						t.Errorf("%q is still in %s, %q", value, name, *text)
					}
				}
			}

			if len(gone) > 0 && (out.Raw != nil && rules["raw"] != "keep" || out.Changes != nil && rules["changes"] != "keep") {
				t.Errorf("records are still there: %s", out.Raw)
			}
		}
	})
}

// TestGuideListsCommonKinds: what always stays is said.
func TestGuideListsCommonKinds(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(filepath.Join("..", "..", "templates", "guides", "redaction.md.tmpl"))
	if err != nil {
		t.Fatal(err)
	}

	_, list, _ := strings.Cut(string(text), "These stay:\n\n")
	list, _, _ = strings.Cut(list, ".\n")
	words := strings.Split(strings.Join(strings.Fields(list), " "), ", ")

	for i, word := range words {
		words[i] = strings.Trim(word, "`")
	}

	if diff := cmp.Diff(redact.CommonKinds, words); diff != "" {
		t.Error(diff)
	}
}

// TestScrubberIsBounded: it is never said that everything is taken out when it is
// not.
func TestScrubberIsBounded(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("a million values take too long with the race detector")
	}

	r := mustRedactor(t, map[string]string{"resource_name": "drop"})

	for name, tt := range map[string]struct {
		value func(i int) string
		most  int
	}{
		"long":  {func(i int) string { return strings.Repeat("x", 1<<20) + strconv.Itoa(i) }, 63},
		"short": {strconv.Itoa, 1_000_000},
	} {
		s := r.Scrubber()
		e := auditlogtest.Entry("1", nil)

		var err error

		i := 0
		for ; err == nil; i++ {
			e.ResourceName = tt.value(i)
			err = s.Learn(&e)
		}

		if !errors.Is(err, redact.ErrTooManyValues) || i != tt.most+1 {
			t.Errorf("%s: %v after %d", name, err, i)
		}
	}
}

func TestLearnAll(t *testing.T) {
	t.Parallel()

	entries := []auditlog.Entry{with(fieldsOf{"actor": "mia.ops"})}
	never := func(func(auditlog.Entry, error) bool) { t.Error("it was read") }
	broken := errors.New("broken")
	s := mustRedactor(t, fieldsOf{"actor": "drop"}).Scrubber()

	// Where nothing can meet another entry, nothing is read.
	for _, rules := range []fieldsOf{nil, {"actor": "keep"}, {"raw": "drop"}, {"changes": "drop"}, {"origin": "hash"}} {
		if err := mustRedactor(t, rules).Scrubber().LearnAll(never, nil); err != nil {
			t.Errorf("%v: %v", rules, err)
		}
	}

	// A reading that merely stops has shown nothing.
	err := s.LearnAll(proven(entries, &auditlog.Completeness{}), &auditlog.Completeness{})
	if !errors.Is(err, auditlog.ErrIncomplete) {
		t.Errorf("got %v", err)
	}

	if err := s.LearnAll(func(yield func(auditlog.Entry, error) bool) {
		yield(auditlog.Entry{}, broken)
	}, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestScrubbingIsLinear: many values in many entries, whose texts begin as the
// values do.
func TestScrubbingIsLinear(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("it measures")
	}

	r := mustRedactor(t, map[string]string{"actor": "hash", "resource_id": "drop"})
	began := time.Now()
	s := r.Scrubber()

	for i := range 50_000 {
		e := person(i)
		if err := s.Learn(&e); err != nil {
			t.Fatal(err)
		}
	}

	for i := range 200_000 {
		if e := s.Apply(person(i % 50_000)); e.ResourceName != "" || e.UserAgent == "" {
			t.Fatalf("got %+v", e)
		}
	}

	// It takes a few seconds; each value looked for in each text would take hours.
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("it took %s", took)
	}
}

func person(i int) auditlog.Entry {
	e := auditlogtest.Entry("1", nil)
	e.Actor, e.ResourceID, e.ResourceType = fmt.Sprintf("person-%05d@example.com", i),
		fmt.Sprintf("0699f0f3-0d3e-%05d", i), "server"
	e.ResourceName = fmt.Sprintf("machine of person-%05d@example.com", i)
	e.UserAgent, e.CorrelationID = "Mozilla/5.0 (X11; person; Linux x86_64) person-x@example.com", fmt.Sprintf("0699f0f3-%x", i*7919)

	return e
}

func BenchmarkScrub(b *testing.B) {
	s := mustRedactor(b, map[string]string{"actor": "hash", "resource_id": "drop"}).Scrubber()

	for i := range 50_000 {
		e := person(i)
		if err := s.Learn(&e); err != nil {
			b.Fatal(err)
		}
	}

	e := person(7)
	s.Apply(e)
	b.ReportAllocs()

	for b.Loop() {
		s.Apply(e)
	}
}
