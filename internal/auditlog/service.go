// SPDX-License-Identifier: MPL-2.0

package auditlog

import (
	"context"
	"iter"
	"slices"
	"time"
)

// The names of the services.
const (
	ServiceUpCloud    = "upcloud"
	ServiceCloudscale = "cloudscale"
)

// Info is what is known of a service without asking it.
type Info struct {
	// Name is what users write, Title what they read.
	Name  string
	Title string
	// Retention is how long the cloud keeps an entry.
	Retention time.Duration
	// NeverRecorded names the fields that no entry of this service ever has.
	NeverRecorded []string
	// CredentialsHint is the sentence that says how to configure access.
	CredentialsHint string
}

// Records says whether entries of the service can have the field.
func (i Info) Records(field string) bool { return !slices.Contains(i.NeverRecorded, field) }

// Service is one cloud's audit log.
type Service interface {
	Info() Info

	// Read yields every entry that answers the query, each once. The first error
	// ends the sequence, and what came before it is then worth nothing. When the
	// sequence has ended without an error, c holds the reading's statement.
	// The sequence can be ranged over once.
	Read(ctx context.Context, q Query, c *Completeness) iter.Seq2[Entry, error]

	// FilterOptions lists the values that filters may take. The query's window
	// bounds how far a service looks that has to read them off its log.
	FilterOptions(ctx context.Context, q Query) (FilterOptions, error)
}

// FilterOptions lists the values that filters may take, each list sorted.
type FilterOptions struct {
	Actions        []string
	Operations     []string
	Origins        []string
	ResourceTypes  []string
	OriginOfValues OriginOfValues
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
