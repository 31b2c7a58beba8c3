// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// The names of the services.
const (
	ServiceUpCloud    = "upcloud"
	ServiceCloudscale = "cloudscale"
	ServicePodStack   = "podstack"
	// ServiceArchive is an archive of any of them that is read back.
	ServiceArchive = "archive"
)

// Clouds lists the services that are clouds; ServiceArchive is an archive of one of them.
func Clouds() []string { return []string{ServiceCloudscale, ServicePodStack, ServiceUpCloud} }

// Info is what is known of a service without asking it.
type Info struct {
	// Name is what users write, Title what they read.
	Name  string
	Title string
	// ArchivedFrom is the name of the cloud whose log this is an archive of; empty where
	// Name is that cloud.
	ArchivedFrom string
	// Source is whose log it is, as far as that is known without asking. An account
	// in it is what the user calls it.
	Source Source
	// Retention is how long the cloud keeps an entry.
	Retention time.Duration
	// NeverRecorded names the fields that no entry of this service ever has.
	NeverRecorded []string
	// Redacted names the fields that were taken out of the entries or changed,
	// which only archives have.
	Redacted []string
	// RedactedInPart names those that some entries have lost and others have not.
	RedactedInPart []string
	// FilledLater says that the source grows in pieces that may come late and in any
	// order, such as exports that somebody makes: what it cannot show yet are gaps
	// of its readings, and nothing in it expires.
	FilledLater bool
	// Varies says that which fields entries have differs from source to source, and
	// that the source does not tell.
	Varies bool
	// Operations lists what its actions can mean; OperationOther is always among it.
	Operations []Operation
	// OperationOf maps an action as the service spells it, and KnowsAction says
	// whether a table has it, since OperationOther is also what nobody knows.
	OperationOf func(action string) Operation
	KnowsAction func(action string) bool
	// NeverOperations says of operations why no entry can have them, each in a
	// sentence.
	NeverOperations map[Operation]string
	// Values is what is known of the values of fields, by field.
	Values map[string]Values
	// Coherent says whether one entry can have all the values that are known of its
	// RelatedFields; those of action and operation are held against each other without
	// it. Nil means yes.
	Coherent func(known Known) bool
	// UniqueActor says whether nobody else could have given themselves the entry's
	// actor as a name. The ids of actors always are unique.
	UniqueActor func(e *Entry) bool
	// CredentialsHint is the sentence that says how to configure access. Front ends put
	// what stands between braces in their own words; two braces are one.
	CredentialsHint string
}

// Values is what is known of the values that a field can have.
type Values struct {
	// Documented are those that the cloud's documentation names.
	Documented []string
	// Closed says that there are no others.
	Closed bool
	// Form refuses a value that the field cannot have, and says what its values look
	// like, such as "lower-case words joined by underscores". Nil refuses none.
	Form func(value string) (form string, ok bool)
	// Listed says that FilterOptions lists the values that occur. Where the set is
	// Open, there may be others all the same.
	Listed bool
	Open   bool
}

// Cloud returns the name of the cloud that recorded the entries.
func (i Info) Cloud() string { return cmp.Or(i.ArchivedFrom, i.Name) }

// Records says whether entries of the service can have the field as it was
// recorded.
func (i Info) Records(field string) bool {
	return !slices.Contains(i.NeverRecorded, field) && !slices.Contains(i.Redacted, field)
}

// neverMeans says that no action can mean the operation, in one sentence.
func (i Info) neverMeans(op Operation) string {
	if reason := i.NeverOperations[op]; reason != "" {
		return reason
	}

	return fmt.Sprintf("No action of %s is known to mean %s.", i.Title, op)
}

// Service is one cloud's audit log.
type Service interface {
	Info() Info

	// Read yields every entry that answers the query, each once, in the order of
	// Compare: oldest first, ties by id. Only one that the cloud's own log has late by
	// more than OrderMargin comes late. The first error ends the sequence, and what
	// came before it is then worth nothing. When the sequence has ended without an
	// error, c holds the reading's statement. The sequence can be ranged over once.
	Read(ctx context.Context, q Query, c *Completeness) iter.Seq2[Entry, error]

	// FilterOptions lists the values that filters may take. The query's window
	// bounds how far a service looks that has to read them off its log.
	FilterOptions(ctx context.Context, q Query) (FilterOptions, error)
}

// Position is a place in a log that is read by cursor: what comes after it has
// not been returned, or not all of it.
type Position struct {
	// Link is the service's own link to what comes after. It is opaque.
	Link string `json:"link"`
	// Since is the oldest time of a record behind the position that was returned
	// all the same; reading on brings such records once more.
	Since time.Time `json:"since"`
	// Ordinals continues the numbering of identical records; see Fingerprints.
	Ordinals map[string]int `json:"ordinals"`
}

// ErrPositionLost means that a service no longer accepts a position it gave.
var ErrPositionLost = errors.New("the service no longer accepts the place to go on from")

// Resumer is a service whose log can be followed by cursor.
type Resumer interface {
	Service

	// Resume is Read from a position on. The window still bounds what is yielded.
	// Where the service no longer accepts the position, nothing is yielded but an
	// error that is ErrPositionLost.
	Resume(ctx context.Context, from Position, q Query, c *Completeness) iter.Seq2[Entry, error]
}

// OrderMargin is how far a cloud's log may be out of order by the times of its entries;
// services put it in order. Clouds order by commit, and commits overtake each other by
// milliseconds; see design/api-facts.md §2.2.
const OrderMargin = time.Minute

// Answerer is a service that knows more of what a query cannot find than its Info
// says, such as which entries an archive was made to keep.
type Answerer interface {
	Service

	// Unanswerable is Query.Unanswerable with what the source knows of the window.
	Unanswerable(q Query) []*UnanswerableError
}

// FilterOptions lists the values that filters may take, each list sorted.
type FilterOptions struct {
	Actions        []string
	Operations     []string
	Origins        []string
	ResourceTypes  []string
	OriginOfValues OriginOfValues
	// Unread is that of the reading's Completeness.
	Unread []UnreadColumn
}

// OriginOfValues says where filter options come from.
type OriginOfValues string

const (
	// FromAPI means that the cloud lists the values itself.
	FromAPI OriginOfValues = "api"
	// FromLog means that the values were read off the log, so that a value which
	// did not occur in the window is missing.
	FromLog OriginOfValues = "observed"
)

// Observe reads filter options off the log of a service that does not list them.
func Observe(ctx context.Context, s Service, w Window) (FilterOptions, error) {
	actions, operations, origins, types := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}

	c, err := ReadAll(ctx, s, Query{Window: w}, func(e *Entry) error {
		actions[Normal(e.Action)], operations[string(e.Operation)] = true, true
		origins[Normal(e.Origin)], types[Normal(e.ResourceType)] = true, true

		return nil
	})
	if err != nil {
		return FilterOptions{}, err
	}

	// What was not recorded is no value.
	delete(origins, "")
	delete(types, "")

	return FilterOptions{
		Actions: slices.Sorted(maps.Keys(actions)), Operations: slices.Sorted(maps.Keys(operations)),
		Origins: slices.Sorted(maps.Keys(origins)), ResourceTypes: slices.Sorted(maps.Keys(types)),
		OriginOfValues: FromLog, Unread: c.Unread,
	}, nil
}
