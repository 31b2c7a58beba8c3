// SPDX-License-Identifier: MPL-2.0

package auditlog_test

import (
	"iter"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func TestSource(t *testing.T) {
	t.Parallel()

	whole := auditlog.Source{Service: "upcloud", Endpoint: "https://api.upcloud.com", Account: "a\nb"}

	for name, tt := range map[string]struct {
		other   auditlog.Source
		differs bool
	}{
		"the same":         {whole, false},
		"nothing known":    {auditlog.Source{}, false},
		"only the service": {auditlog.Source{Service: "upcloud"}, false},
		"another service":  {auditlog.Source{Service: "cloudscale"}, true},
		"another endpoint": {auditlog.Source{Service: "upcloud", Endpoint: "http://127.0.0.1:1", Account: "a\nb"}, true},
		"another account":  {auditlog.Source{Service: "upcloud", Account: "b"}, true},
	} {
		if whole.Differs(tt.other) != tt.differs || tt.other.Differs(whole) != tt.differs {
			t.Errorf("%s: differs is not %v", name, tt.differs)
		}
	}

	if got := (auditlog.Source{Account: "b"}).Or(whole); got != (auditlog.Source{Service: whole.Service, Endpoint: whole.Endpoint, Account: "b"}) {
		t.Errorf("got %+v", got)
	}

	const want = `it is the log of upcloud, https://api.upcloud.com, account "a\nb", and the one that is read now is of podstack`
	if err := (&auditlog.SourceError{Known: whole, Found: auditlog.Source{Service: "podstack"}}); err.Error() != want {
		t.Errorf("got %q", err)
	}
}

// Whose log it is goes into every entry, but for those that say it themselves, and
// conditions and filters see it.
func TestSelectSaysWhoseLogItIs(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	window := auditlog.Window{Start: at, End: at.Add(time.Hour)}

	pages := func(c *auditlog.Completeness) iter.Seq2[[]auditlog.Entry, error] {
		return func(yield func([]auditlog.Entry, error) bool) {
			if yield([]auditlog.Entry{{ID: "1", Time: at, Account: "old"}}, nil) {
				c.Source.Account = "learned"
				yield([]auditlog.Entry{{ID: "2", Time: at, Account: "old"}}, nil)
			}
		}
	}

	for proof, want := range map[auditlog.Proof][]string{
		auditlog.ProofCursor: {"", "learned"},
		auditlog.ProofChain:  {"old", "old"},
	} {
		c := auditlog.Completeness{Window: window, Source: auditlog.Source{Endpoint: "https://example.com"}}

		for e, err := range auditlog.Select(auditlog.Query{Window: window}, auditlog.Info{}, &c, proof, pages(&c)) {
			if err != nil || e.Account != want[0] || (e.Endpoint != "") != (proof != auditlog.ProofChain) {
				t.Errorf("%s: got %+v, %v", proof, e, err)
			}

			want = want[1:]
		}

		if len(want) > 0 {
			t.Errorf("%s: %v did not come", proof, want)
		}
	}
}
