// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// KeptSource is whose log something is as it was written down: redacted, where
// entries are.
type KeptSource struct {
	auditlog.Source

	// KeyID is that of the key that makes the pseudonyms, "" where there is none.
	KeyID string
}

// Kept returns what a manifest with that source and redaction says.
func Kept(s auditlog.Source, r *Statement) KeptSource {
	k := KeptSource{Source: s}
	if r != nil && r.KeyID != nil {
		k.KeyID = *r.KeyID
	}

	return k
}

// Differs says whether the two are known to be different logs. Pseudonyms of
// different keys, and a pseudonym and a name, cannot be compared.
func (k KeptSource) Differs(o KeptSource) bool {
	differ := func(a, b string) bool {
		differs, _ := compareKept(a, k.KeyID, b, b, o.KeyID)

		return differs
	}

	return k.Source.Differs(auditlog.Source{Service: o.Service}) || differ(k.Endpoint, o.Endpoint) ||
		differ(k.Account, o.Account)
}

// Then returns what is known when what was kept later says o.
func (k KeptSource) Then(o KeptSource) KeptSource {
	return KeptSource{Source: o.Or(k.under(o.KeyID)), KeyID: o.KeyID}
}

// under leaves out the pseudonyms that another key than that one made.
func (k KeptSource) under(keyID string) auditlog.Source {
	for _, text := range []*string{&k.Endpoint, &k.Account} {
		if IsPseudonym(*text) && k.KeyID != keyID {
			*text = ""
		}
	}

	return k.Source
}

// Source returns whose log it is as manifests and states may show it: treated as
// an entry's endpoint and account are.
func (r *Redactor) Source(s auditlog.Source) auditlog.Source {
	e := r.Apply(auditlog.Entry{Service: s.Service, Endpoint: s.Endpoint, Account: s.Account})

	return auditlog.Source{Service: s.Service, Endpoint: e.Endpoint, Account: e.Account}
}

// CheckSource returns an *auditlog.SourceError where what was kept is known to be
// of another log than the one that was found. Otherwise it says whether the account
// that is known, if any, is the one that was found.
//
// Rules change, so what was kept may have been written redacted or as it was.
func (r *Redactor) CheckSource(known KeptSource, found auditlog.Source) (confirmed bool, err error) {
	shown := r.Source(found)

	service := known.Source.Differs(auditlog.Source{Service: found.Service})
	endpoint, _ := compareKept(known.Endpoint, known.KeyID, found.Endpoint, shown.Endpoint, r.KeyID())
	account, confirmed := compareKept(known.Account, known.KeyID, found.Account, shown.Account, r.KeyID())

	if service || endpoint || account {
		return false, &auditlog.SourceError{Known: known.Source, Found: shown.Or(found)}
	}

	return confirmed, nil
}

// Carry returns what to write of a source: what was kept, as long as it can still
// be compared with, and what was found where nothing was.
func (r *Redactor) Carry(known KeptSource, found auditlog.Source) auditlog.Source {
	return known.under(r.KeyID()).Or(r.Source(found))
}

// compareKept compares a text that was kept with one that was found, as it is and as
// it is shown. It says whether they are known to differ, and whether they are known
// to be the same; that nothing was kept counts as the same.
func compareKept(kept, keptKey, found, shown, shownKey string) (differ, same bool) {
	switch {
	case kept == "", kept == found, kept == shown:
		return false, true
	case found == "":
		return false, false
	case IsPseudonym(kept):
		return IsPseudonym(shown) && keptKey == shownKey, false
	default:
		return !IsPseudonym(found), false
	}
}

// IsPseudonym says whether a text is one that hash has made.
func IsPseudonym(text string) bool { return strings.HasPrefix(text, PseudonymPrefix) }
