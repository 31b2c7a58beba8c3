// SPDX-License-Identifier: MPL-2.0

package redact_test

import (
	"errors"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// TestCheckSource: what was kept is compared with what is found, whatever the rules
// were then and are now.
func TestCheckSource(t *testing.T) {
	t.Parallel()

	redactor := func(key string, rules map[string]string) *redact.Redactor {
		r, err := redact.New(rules, []byte(key))
		if err != nil {
			t.Fatal(err)
		}

		return r
	}

	const key, another = "a random text of some length", "another text of some length"

	var (
		mia, eve = auditlog.Source{Service: "upcloud", Account: "mia"}, auditlog.Source{Service: "upcloud", Account: "eve"}
		project  = auditlog.Source{Service: "cloudscale", Account: "p-1"}
		unknown  = auditlog.Source{Service: "upcloud"}

		hash    = redactor(key, map[string]string{"account": "hash"})
		rotated = redactor(another, map[string]string{"account": "hash"})
		drop    = redactor("", map[string]string{"account": "drop"})
		actor   = redactor(key, map[string]string{"actor": "hash"})
		mask    = redactor("", map[string]string{"actor": "mask"})
	)

	kept := func(r *redact.Redactor, s auditlog.Source) redact.KeptSource {
		return redact.Kept(r.Source(s), r.Statement())
	}

	for name, tt := range map[string]struct {
		now       *redact.Redactor
		known     redact.KeptSource
		found     auditlog.Source
		confirmed bool
		differs   bool
	}{
		"plain, the same":                {nil, kept(nil, mia), mia, true, false},
		"plain, another":                 {nil, kept(nil, mia), eve, false, true},
		"plain, now unknown":             {nil, kept(nil, mia), unknown, false, false},
		"unknown, now known":             {nil, kept(nil, unknown), mia, true, false},
		"hashed, the same":               {hash, kept(hash, mia), mia, true, false},
		"hashed, another":                {hash, kept(hash, mia), eve, false, true},
		"hashed as actor, the same":      {actor, kept(actor, mia), mia, true, false},
		"hashed as actor, another":       {actor, kept(actor, mia), eve, false, true},
		"not hashed as actor":            {actor, kept(actor, project), project, true, false},
		"plain, hashed now, the same":    {hash, kept(nil, mia), mia, true, false},
		"plain, hashed now, another":     {hash, kept(nil, mia), eve, false, true},
		"plain, dropped now, the same":   {drop, kept(nil, mia), mia, true, false},
		"plain, dropped now, another":    {drop, kept(nil, mia), eve, false, true},
		"hashed, plain now":              {nil, kept(hash, mia), mia, false, false},
		"hashed, key changed":            {rotated, kept(hash, mia), mia, false, false},
		"hashed, named by its pseudonym": {nil, kept(hash, mia), hash.Source(mia), true, false},
		"dropped":                        {drop, kept(drop, mia), eve, true, false},
		"masked":                         {mask, kept(mask, mia), eve, true, false},
	} {
		confirmed, err := tt.now.CheckSource(tt.known, tt.found)
		other := (*auditlog.SourceError)(nil)

		if confirmed != tt.confirmed || errors.As(err, &other) != tt.differs {
			t.Errorf("%s: got %v, %v", name, confirmed, err)
		}

		if carried := redact.Kept(tt.now.Carry(tt.known, tt.found), tt.now.Statement()); !tt.differs &&
			tt.known.Differs(carried) {
			t.Errorf("%s: %+v is followed by %+v", name, tt.known, carried)
		}
	}

	if got := kept(mask, mia); got.Account != "" {
		t.Errorf("masked as %q", got.Account)
	}

	// A pseudonym that another key made is forgotten, not taken for one of the new key.
	for _, later := range []redact.KeptSource{kept(rotated, unknown), kept(nil, unknown)} {
		if got := kept(hash, mia).Then(later); got.Account != "" || kept(hash, mia).Then(later).Differs(kept(rotated, mia)) {
			t.Errorf("got %+v", got)
		}
	}
}
