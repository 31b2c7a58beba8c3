// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

const (
	composed   = "zo\u00eb"
	decomposed = "zoe\u0308"
)

// TestNamesCompareInNFC: Terraform makes NFC of whatever a configuration says, so a
// name that a cloud recorded in another form could otherwise never be asked for.
func TestNamesCompareInNFC(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		q func(value string) auditlog.Query
		e func(value string) auditlog.Entry
	}{
		"actions": {
			func(v string) auditlog.Query { return auditlog.Query{Actions: []string{v}} },
			func(v string) auditlog.Entry { return auditlog.Entry{Action: v} },
		},
		"resource types": {
			func(v string) auditlog.Query { return auditlog.Query{ResourceTypes: []string{v}} },
			func(v string) auditlog.Entry { return auditlog.Entry{ResourceType: v} },
		},
		"resource ids": {
			func(v string) auditlog.Query { return auditlog.Query{ResourceIDs: []string{v}} },
			func(v string) auditlog.Entry { return auditlog.Entry{ResourceID: v} },
		},
		"actor": {
			func(v string) auditlog.Query { return auditlog.Query{Actors: []string{v}} },
			func(v string) auditlog.Entry { return auditlog.Entry{Actor: v} },
		},
		"actor by id": {
			func(v string) auditlog.Query { return auditlog.Query{Actors: []string{v}} },
			func(v string) auditlog.Entry { return auditlog.Entry{ActorID: v} },
		},
		"origins": {
			func(v string) auditlog.Query { return auditlog.Query{Origins: []string{v}} },
			func(v string) auditlog.Entry { return auditlog.Entry{Origin: v} },
		},
		"search": {func(v string) auditlog.Query { return auditlog.Query{Search: v} }, func(v string) auditlog.Entry { return auditlog.Entry{Message: "<" + v + ">"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, pair := range [][2]string{
				{composed, decomposed},
				{decomposed, composed},
				{decomposed, decomposed},
				{"\u00c5", "\u212b"},
				{"K", "\u212a"},
				{"\u1e69", "s\u0307\u0323"},
				{"\uac00", "\u1100\u1161"},
				{"a\ufffd\ufffd", "a\xff\xfe"},
			} {
				q, e := tt.q(pair[0]), tt.e(pair[1])
				q.Window = auditlog.Window{End: time.Unix(1, 0)}

				m, err := q.Matcher()
				if err != nil {
					t.Fatal(err)
				}

				if !matches(t, m, &e) {
					t.Errorf("%+q does not find %+q", pair[0], pair[1])
				}

				if other := tt.e("zoe"); matches(t, m, &other) {
					t.Errorf("%+q finds zoe", pair[0])
				}
			}
		})
	}
}

// TestNormalIsWhatTerraformHolds: equal as keys of a state's JSON, equal for us.
func TestNormalIsWhatTerraformHolds(t *testing.T) {
	t.Parallel()

	letters := rapid.SliceOf(
		rapid.SampledFrom([]string{
			"e", "\u0308", "\u0323", "\u00eb", "\u212b", "\xff", "\xc3", "\u1100", "\u1161", "\u0345",
			" ", "\"", "<",
		}),
	)

	rapid.Check(t, func(t *rapid.T) {
		a, b := strings.Join(letters.Draw(t, "a"), ""), strings.Join(letters.Draw(t, "b"), "")

		inState := func(s string) string {
			text, err := json.Marshal(norm.NFC.String(s))
			if err != nil {
				t.Fatal(err)
			}

			return string(text)
		}

		if got, want := auditlog.Normal(a) == auditlog.Normal(b), inState(a) == inState(b); got != want {
			t.Fatalf("%+q and %+q are one: %v", a, b, got)
		}

		if once := auditlog.Normal(a); auditlog.Normal(once) != once {
			t.Fatalf("%+q changes again", once)
		}
	})
}

func TestSearchFoldsCase(t *testing.T) {
	t.Parallel()

	find := func(search, text string) bool {
		m, err := auditlog.Query{Window: auditlog.Window{End: time.Unix(1, 0)}, Search: search}.Matcher()
		if err != nil {
			t.Fatal(err)
		}

		return matches(t, m, &auditlog.Entry{ResourceName: text})
	}

	for _, words := range [][]string{
		{"ΣΊΣΥΦΟΣ", "Σίσυφος", "σίσυφοσ", "σι\u0301συφος"},
		{"STRASSE", "straße", "STRAẞE", "Strasse"},
		{"ÄRGER", "ärger", "a\u0308rger", "A\u0308RGER"},
		{"ŒUVRE", "œuvre"},
		{"İstanbul", "i\u0307stanbul", "istanbul", "ISTANBUL"},
		{"ﬁle", "FILE", "file"},
		{"\u01f0", "J\u030c", "j\u030c"},
		{"ᾳ", "ΑΙ", "\u03b1\u0345"},
		{"Kelvin", "\u212aelvin"},
	} {
		for _, search := range words {
			for _, text := range words {
				if !find(search, "<"+text+">") {
					t.Errorf("%q does not find %q", search, text)
				}
			}

			if find(search, "another") {
				t.Errorf("%q finds another", search)
			}
		}
	}

	// What lower case alone makes equal is found as well.
	byLower := map[rune][]rune{}
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if l := unicode.ToLower(r); l != r {
			byLower[l] = append(byLower[l], r)
		}
	}

	for l, all := range byLower {
		for _, r := range all {
			if !find(string(l), string(r)) || !find(string(r), string(l)) {
				t.Errorf("%q and %q do not find each other", l, r)
			}
		}
	}
}
