// SPDX-License-Identifier: MPL-2.0

// Package task does what users ask for: it looks up, exports, evaluates rules, archives
// and verifies. Whoever calls it decides how to ask, and how to show what comes out.
package task

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Redaction returns what redacts entries, nil where nothing does.
type Redaction func() (*redact.Redactor, explain.Problems)

// Question is what is asked of a log.
type Question struct {
	Arguments *query.Arguments
	// Summary is what is being done.
	Summary string
	// SettleDelay is the default.
	SettleDelay time.Duration
	Now         time.Time
	// More are values that are asked for besides the query.
	More []auditlog.Asked
	// Found is what has been found before. Nothing is read where one of it is an error.
	Found explain.Problems
}

// Resolve returns the query that the question is, and all that has been found.
func (q *Question) Resolve(s auditlog.Service) (auditlog.Query, explain.Problems) {
	asked, found := q.Arguments.Resolve(s.Info(), q.Now, q.SettleDelay, q.Summary)

	return asked, slices.Concat(q.Found, found, query.Unanswerable(s, asked))
}

// Query is Resolve, and holds the values that are asked for against what the service
// knows.
func (q *Question) Query(ctx context.Context, s auditlog.Service) (auditlog.Query, explain.Problems) {
	asked, found := q.Resolve(s)

	if !found.HasError() {
		found.Add(ConfirmValues(ctx, s, &asked, q.More)...)
	}

	return asked, found
}

// ConfirmValues holds the values that are asked for against what the service knows:
// one that no entry has is an error, or a warning where that is allowed. Those that
// nothing confirms are looked out for while the query is read.
func ConfirmValues(ctx context.Context, s auditlog.Service, q *auditlog.Query, more []auditlog.Asked) explain.Problems {
	info := s.Info()
	always := auditlog.Window{Start: time.Unix(0, 0).UTC(), End: time.Unix(math.MaxInt32*100, 0).UTC()}

	unknown, unconfirmed, err := auditlog.CheckValues(info, append(q.Asked(), more...),
		func() (auditlog.FilterOptions, error) {
			return s.FilterOptions(ctx, auditlog.Query{Window: always})
		})

	q.Unconfirmed = unconfirmed

	var found explain.Problems

	for i := range unknown {
		p := explain.UnknownValue(&unknown[i], info)
		p.Warning = q.AllowUnknownValues
		found.Add(p)
	}

	if err != nil {
		found.Add(explain.Unconfirmable(err, info, unconfirmed))
	}

	return found
}

// askTimeout bounds what a plan waits for whose log it is.
const askTimeout = 15 * time.Second

// Asking returns a context in which a plan may ask whose log it is: one time only,
// and not for long, since a plan does not fail for want of the answer.
func Asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(client.Once(ctx), askTimeout)
}

// Identify returns whose log the service's is. It is asked only where something has
// to be compared with the answer.
func Identify(ctx context.Context, s auditlog.Service, known auditlog.Source) auditlog.Source {
	i, ok := s.(auditlog.Identifier)
	if !ok || known.Account == "" {
		return s.Info().Source
	}

	return i.Identify(ctx)
}
