// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"errors"
	"time"
)

// ErrIncomplete means that a sequence ended without an error, but also without a
// statement that accounts for every entry.
var ErrIncomplete = errors.New("the reading does not account for what it returned")

// Completeness is what a reading can say for itself once it has ended without an
// error. It goes into Terraform's state and into every manifest.
type Completeness struct {
	// Window is what was asked for, resolved, as far as it had settled by the
	// service's own clock.
	Window Window
	// Pages is how many pages were read, repeated ones included.
	Pages int64
	// RowsFetched is how many records those pages held. It is the sum of
	// DuplicatesDropped, RowsFilteredOut and the entries returned.
	RowsFetched int64
	// DuplicatesDropped is how many of them had been fetched before.
	DuplicatesDropped int64
	// RowsFilteredOut is how many of them the query did not ask for.
	RowsFilteredOut int64
	// ClaimedTotal is how many different records the cloud said there are for the
	// part of the query it was given; nil where the cloud gives no total.
	ClaimedTotal *int64
	// Proof says what stands for nothing being missing; empty until the end.
	Proof Proof
	// SecondPass says that a first reading did not add up and was repeated.
	SecondPass bool
	// Gaps are the parts of the window that the source holds nothing about, in
	// order: what happened there is not known. Only sources that are copies have
	// them, console exports and archives.
	Gaps []Window
	// Caveats are what else the reading cannot show, one sentence each: what the
	// filters of an archive left out, what redaction may hide from a filter, addresses
	// that cannot be placed, and columns that some exports lack.
	Caveats []string
	// Retention is how far back the cloud keeps its log, and BeyondRetention that
	// the window begins before that, so that an empty part of it proves nothing.
	Retention       time.Duration
	BeyondRetention bool
	// UnknownActions are the actions, sorted, that no table knows, of entries that
	// answer the query or would if their action meant something else. Where
	// UnknownMatters, the answer depends on what they mean.
	UnknownActions []string
	UnknownMatters bool
	// UnverifiedValues are values that the query compares with and that neither the
	// cloud's documentation nor its log confirms, each as "argument: value". They may
	// be misspelt, so that nothing was found because of them.
	UnverifiedValues []string
	// AllowedValues are the same where somebody vouches for them.
	AllowedValues []string
	// ClockSkew is how far the service's clock is ahead of ours, as far as its
	// answers show beyond doubt, that of the answer with the largest; nil where they
	// do not tell the time.
	ClockSkew *time.Duration
	// Unread are the columns of exports that were read into nothing though they hold
	// something. They are no part of the statement: no entry is missing.
	Unread []UnreadColumn
	// Source is whose log was read.
	Source Source
	// Resume is where a cursor-paged log goes on; nil elsewhere, and where no page
	// was read to its end.
	Resume *Position
}

// Conclusive says whether an empty result means that nothing happened: the
// reading was proven, nothing of the window is missing, and no value that was
// compared with and no action may have hidden anything.
func (c *Completeness) Conclusive() bool {
	return c.Proof != "" && len(c.Gaps) == 0 && len(c.Caveats) == 0 && !c.BeyondRetention &&
		!c.UnknownMatters && len(c.UnverifiedValues) == 0
}

// UnreadColumn is a column that nobody mapped to a field.
type UnreadColumn struct {
	Header string
	// Field is what it looks like, empty where that cannot be told.
	Field string
}

// Source says whose log it is. A field that is not known is empty.
type Source struct {
	// Service is the cloud.
	Service string `json:"service"`
	// Endpoint is the origin of the API, such as "https://api.upcloud.com"; empty
	// where there is none.
	Endpoint string `json:"endpoint"`
	// Account is what the user calls the account, or else what the cloud does.
	Account string `json:"account"`
}

// Proof is the reason to believe that a reading is complete.
type Proof string

const (
	// ProofTotal means that as many different records came as the cloud said
	// there are.
	ProofTotal Proof = "total_matches"
	// ProofCursor means that the cloud's cursor was followed to its end, or past
	// the end of the window.
	ProofCursor Proof = "cursor_exhausted"
	// ProofExports means that every record of the console's exports was read; what
	// was left out when they were made, nothing can show.
	ProofExports Proof = "exports_read"
	// ProofChain means that every segment and manifest of the archive's window is
	// what the chain says it is.
	ProofChain Proof = "chain_verified"
	// ProofEach means that several logs were read as one, each of which was proven. No reading of one log has it.
	ProofEach Proof = "each_proven"
)

// Proofs lists those of one log.
func Proofs() []Proof { return []Proof{ProofTotal, ProofCursor, ProofExports, ProofChain} }

// RetentionSlack keeps a window that is as long as the retention from counting as
// longer, since time goes by between resolving and reading it.
const RetentionSlack = time.Minute

// NewCompleteness begins the statement of a reading that begins now.
func NewCompleteness(w Window, retention time.Duration, now time.Time) Completeness {
	return Completeness{
		Window: w, Retention: retention,
		BeyondRetention: w.Start.Before(now.Add(-retention - RetentionSlack)),
	}
}
