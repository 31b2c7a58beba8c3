// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// Identifier is a service that can be asked whose log it is.
type Identifier interface {
	Service

	// Identify is the Source of Info with what the service says of the account. It
	// makes at most one request in the life of the service; what cannot be found out
	// stays empty.
	Identify(ctx context.Context) Source
}

// Differs says whether the two are known to be different logs. What is not known
// of one of them is no difference.
func (s Source) Differs(o Source) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }

	return differ(s.Service, o.Service) || differ(s.Endpoint, o.Endpoint) || differ(s.Account, o.Account)
}

// What redaction puts in the place of a text holds one of these.
const (
	PseudonymPrefix = "hmac:"
	Masked          = "***"
)

// plain returns s without what is in redacted form, which cannot be compared.
func (s Source) plain() Source {
	for _, text := range []*string{&s.Endpoint, &s.Account} {
		if strings.HasPrefix(*text, PseudonymPrefix) || strings.Contains(*text, Masked) {
			*text = ""
		}
	}

	return s
}

// Or returns s with what is not known of it taken from o.
func (s Source) Or(o Source) Source {
	return Source{
		Service: cmp.Or(s.Service, o.Service), Endpoint: cmp.Or(s.Endpoint, o.Endpoint),
		Account: cmp.Or(s.Account, o.Account),
	}
}

// sign puts whose log it is into an entry, unless it comes from an archive.
func (s Source) sign(e *Entry, proof Proof) {
	if proof != ProofChain {
		e.Endpoint, e.Account = s.Endpoint, s.Account
	}
}

// String returns the source as it is shown in messages. An account is quoted,
// since a service may call it anything.
func (s Source) String() string {
	parts := []string{s.Service}
	if s.Endpoint != "" {
		parts = append(parts, s.Endpoint)
	}

	if s.Account != "" {
		parts = append(parts, fmt.Sprintf("account %q", s.Account))
	}

	return strings.Join(parts, ", ")
}

// SourceError says that another log is read than the one that was kept so far.
type SourceError struct {
	Known Source `json:"known"`
	Found Source `json:"found"`
}

func (e *SourceError) Error() string {
	return fmt.Sprintf("it is the log of %s, and the one that is read now is of %s", e.Known, e.Found)
}
